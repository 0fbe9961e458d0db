"""What ``bizproc.robot.add`` and ``update`` accept, and to which documents a robot belongs.

Facts: "bizproc/bizproc-robot" of the documentation.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from emulator.call import Call, integer, mapping, truth, values
from emulator.crm_schema import DEAL, type_of
from emulator.errors import RestError
from emulator.event_methods import check_url
from emulator.state import Json, Portal

CODE = re.compile(r"[A-Za-z0-9.\-_]+")
KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
DYNAMIC = "Bitrix\\Crm\\Integration\\BizProc\\Document\\Dynamic"
KEYS = (
    "HANDLER", "AUTH_USER_ID", "USE_SUBSCRIPTION", "NAME", "DESCRIPTION", "PROPERTIES", "RETURN_PROPERTIES",
    "DOCUMENT_TYPE", "FILTER", "USE_PLACEMENT", "PLACEMENT_HANDLER",
)  # fmt: skip


def invalid(text: str) -> RestError:
    return RestError("ERROR_ACTIVITY_VALIDATION_FAILURE", text)


def code_of(call: Call) -> str:
    """The code a call names; raises the documented refusals."""
    code = str(call.arg("CODE") or "")
    if not code:
        raise invalid("Empty activity code!")
    if not CODE.fullmatch(code):
        raise invalid("Wrong activity code!")
    return code


def checked(call: Call, given: Json) -> Json:
    """The keys of a robot that were given, in the form they are kept in; raises the documented refusals."""
    kept: Json = {}
    for key in KEYS:
        if key in given:
            kept[key] = CHECKS[key](call, given[key])
    return kept


def _handler(call: Call, url: Any) -> str:
    """An address of the application's own host."""
    assert call.card is not None
    own = urlsplit(call.card.handler_url).hostname
    if check_url(url) and own and urlsplit(str(url)).hostname != own:
        raise RestError("ERROR_WRONG_HANDLER_URL", "Wrong handler URL")
    return str(url)


def _name(call: Call, value: Any) -> Any:
    if not value or (isinstance(value, dict) and not any(value.values())):
        raise invalid("Empty activity NAME!")
    return value


def _properties(call: Call, value: Any) -> Json:
    """Properties by code, the names of their parts in capitals as the platform makes them."""
    if not isinstance(value, dict) and value not in (None, "", []):
        raise invalid("Wrong properties array!")
    found: Json = {}
    for key, row in mapping(value).items():
        if not KEY.fullmatch(key):
            raise invalid(f"Wrong property key {key}!")
        found[key] = {name.upper(): one for name, one in mapping(row).items()}
        if not found[key].get("NAME"):
            raise invalid(f"Empty property NAME {key}!")
    return found


def _document_type(call: Call, value: Any) -> list[str]:
    if value in (None, "", []):
        return []
    parts = [str(one) for one in values(value)]
    if len(parts) != 3 or not all(parts):
        raise invalid("Wrong activity DOCUMENT_TYPE!")
    return parts


def _filter(call: Call, value: Any) -> Json:
    if value in (None, "", []):
        return {}
    if not isinstance(value, dict) or not set(value) <= {"INCLUDE", "EXCLUDE"}:
        raise invalid("Wrong activity FILTER!")
    return {side: [_rule(one) for one in values(rules)] for side, rules in value.items()}


def _rule(value: Any) -> list[str]:
    return [str(one) for one in values(value)]


def _yes_no(call: Call, value: Any) -> str:
    return "" if value in (None, "") else "Y" if truth(value) else "N"


CHECKS: dict[str, Any] = {
    "HANDLER": _handler,
    "AUTH_USER_ID": lambda call, value: integer(value, 0),
    "USE_SUBSCRIPTION": _yes_no,
    "NAME": _name,
    "DESCRIPTION": lambda call, value: value or "",
    "PROPERTIES": _properties,
    "RETURN_PROPERTIES": _properties,
    "DOCUMENT_TYPE": _document_type,
    "FILTER": _filter,
    "USE_PLACEMENT": _yes_no,
    "PLACEMENT_HANDLER": lambda call, value: _handler(call, value) if value else "",
}


# Documents ------------------------------------------------------------------------------------------------------


def document_type(entity_type_id: int) -> list[str]:
    if entity_type_id == DEAL:
        return ["crm", "CCrmDocumentDeal", "DEAL"]
    return ["crm", DYNAMIC, f"DYNAMIC_{entity_type_id}"]


def document_id(entity_type_id: int, item_id: int) -> list[str]:
    module, entity, kind = document_type(entity_type_id)
    return [module, entity, f"{kind}_{item_id}"]


def automated(portal: Portal, entity_type_id: int) -> bool:
    """Do robots and triggers run for this kind of item: by the plan, and by the smart process's own switches?"""
    kind = type_of(portal, entity_type_id)
    on = entity_type_id == DEAL or (kind is not None and kind["isAutomationEnabled"] == kind["isStagesEnabled"] == "Y")
    return on and portal.world.knobs.plan_automation


def suits(robot: Json, entity_type_id: int) -> bool:
    """Does the robot's filter let it stand on stages of this kind? A rule is a document type or its beginning."""
    wanted = document_type(entity_type_id)
    rules = {side: robot["FILTER"].get(side) or [] for side in ("INCLUDE", "EXCLUDE")}
    documents = [rule for rule in rules["INCLUDE"] if rule not in (["b24"], ["box"])]
    included = not documents or any(_matches(rule, wanted) for rule in documents)
    return included and not any(_matches(rule, wanted) or rule == ["b24"] for rule in rules["EXCLUDE"])


def _matches(rule: list[str], wanted: list[str]) -> bool:
    return bool(rule) and wanted[: len(rule)] == rule
