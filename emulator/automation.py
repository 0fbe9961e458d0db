"""Triggers: ``crm.automation.trigger.*``, which move an item to the stage they stand on.

Facts: "crm/automation" of the documentation. Executing one says nothing about whether anything moved.
"""

from __future__ import annotations

import re
from typing import Any

from emulator import crm
from emulator.bizproc import check_application
from emulator.bizproc_check import automated
from emulator.call import Call, integer, method
from emulator.crm_base import Author
from emulator.crm_rights import may
from emulator.crm_schema import CLASSIC, DEAL, type_of
from emulator.errors import RestError
from emulator.state import Json, Portal

CODE = re.compile(r"[a-z0-9.\-_]+", re.IGNORECASE)
TARGET = re.compile(r"([A-Z_]+?(?:_(\d+))?)_(\d+)")


def _code(call: Call) -> str:
    code = str(call.arg("CODE") or "")
    if not code:
        raise RestError("", "Empty trigger code!")
    if not CODE.fullmatch(code):
        raise RestError("", "Wrong trigger code!")
    return code


def _found(call: Call, code: str) -> Json | None:
    rows = call.portal.triggers
    return next((row for row in rows if (row["client_id"], row["CODE"]) == (call.client_id, code)), None)


@method("crm.automation.trigger.add", scope="crm", write=True)
def add(call: Call) -> Any:
    """A code that exists already gets another name."""
    check_application(call)
    code, name = _code(call), str(call.arg("NAME") or "")
    if not name:
        raise RestError("", "Empty trigger name!")
    known = _found(call, code)
    if known:
        known["NAME"] = name
    else:
        call.portal.triggers.append({"client_id": call.client_id, "CODE": code, "NAME": name})
    return True


@method("crm.automation.trigger.list", scope="crm")
def listed(call: Call) -> Any:
    check_application(call)
    return [
        {"NAME": row["NAME"], "CODE": row["CODE"]} for row in call.portal.triggers if row["client_id"] == call.client_id
    ]


@method("crm.automation.trigger.delete", scope="crm", write=True)
def delete(call: Call) -> Any:
    check_application(call)
    row = _found(call, _code(call))
    if row is None:
        raise RestError("", "Trigger not found")
    call.portal.triggers.remove(row)
    return True


@method("crm.automation.trigger.execute", scope="crm", write=True)
def execute(call: Call) -> Any:
    check_application(call)
    code = _code(call)
    if _found(call, code) is None:
        raise RestError("", f"Trigger with code {code} is not registered.")
    kind, item_id = integer(call.arg("OWNER_TYPE_ID"), 0), integer(call.arg("OWNER_ID"), 0)
    if kind not in CLASSIC and type_of(call.portal, kind) is None:
        raise RestError("", "Incorrect parameter OWNER_TYPE_ID.")
    if item_id <= 0:
        raise RestError("", "Incorrect parameter OWNER_ID.")
    fire(call.portal, code, kind, item_id, crm.author_of(call))
    return True


@method("crm.automation.trigger", scope="crm", write=True)
def incoming(call: Call) -> Any:
    """The built-in trigger "incoming webhook"; ``target`` is DEAL_25 or DYNAMIC_156_29."""
    target = str(call.arg("target") or "")
    if not target:
        raise RestError("", "Target is not set.")
    found = TARGET.fullmatch(target)
    if not found:
        raise RestError("", "Incorrect target format.")
    kind, item_id = int(found[2]) if found[2] else DEAL if found[1] == "DEAL" else 0, int(found[3])
    if item_id not in call.portal.items.get(kind, {}):
        raise RestError("", "Target is not found.")
    if not may(call.portal, call.user, "update", kind, item_id):
        raise RestError("ACCESS_DENIED", "Access denied! There are no permissions to update the entity.")
    fire(call.portal, str(call.arg("code") or ""), kind, item_id, crm.author_of(call))
    return True


def fire(portal: Portal, code: str, entity_type_id: int, item_id: int, author: Author) -> None:
    """Move an item to the stage of its funnel that the trigger stands on; nothing happens when it stands on none."""
    item = portal.items.get(entity_type_id, {}).get(item_id)
    if item is None or not automated(portal, entity_type_id):
        return
    stages = {row["STATUS_ID"] for row in crm.stages(portal, entity_type_id, item["categoryId"])}
    for row in portal.placed:
        if row["kind"] == "trigger" and row["code"] == code and row["stageId"] in stages:
            mover = Author(author.user_id, author.now, tokens=False, depth=author.depth + 1)
            crm.update_item(portal, entity_type_id, item_id, {"stageId": row["stageId"]}, mover)
            return
