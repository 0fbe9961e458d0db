"""What a robot's handler is sent: the form of the call, and the values of its properties.

Documented are ``document_id``, ``properties`` and ``auth`` ("tutorials/bizproc/activity"); the rest is the platform's
public source. Everything is form-encoded and goes through the outbox of events.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from emulator import event, phpform
from emulator.bizproc_check import document_id, document_type
from emulator.call import truth, values
from emulator.crm_schema import Field, fields_of
from emulator.crm_values import parse_instant
from emulator.state import AppCard, Json, Portal, hex_id

EXPRESSION = re.compile(r"\{=(\w+):(\w+)\}")
PEOPLE = ("user", "employee")


def post(portal: Portal, card: AppCard, robot: Json, placed: Json, run: Json) -> str:
    """Queue the call of a placed robot; returns its event token."""
    token = f"{run['id']}|{placed['name']}|{hex_id(32)}.{hex_id(64)}"
    knobs, now = portal.world.knobs, portal.world.now()
    user_id = (placed.get("run_as") or robot["AUTH_USER_ID"]) if knobs.robot_auth else 0
    body: Json = {
        "workflow_id": run["id"],
        "code": robot["CODE"],
        "document_id": document_id(run["entityTypeId"], run["itemId"]),
        "document_type": document_type(run["entityTypeId"]),
        "event_token": token,
        "properties": properties(portal, robot, placed, run),
        "use_subscription": "Y" if waits(robot, placed) else "N",
        "timeout_duration": str(placed.get("timeout") or 0),
        "ts": str(int(now)),
        "auth": event.auth_block(portal, card, "ROBOT", user_id, now, None),
    }
    if knobs.old_portal:
        del body["document_type"]
    event.enqueue(portal, robot["HANDLER"], f"ROBOT {robot['CODE']}", phpform.strings(body))
    return token


def waits(robot: Json, placed: Json) -> bool:
    """The robot's own word; where it has none, whoever placed it decides, and the default is not to wait."""
    if robot["USE_SUBSCRIPTION"]:
        return bool(robot["USE_SUBSCRIPTION"] == "Y")
    return bool(placed.get("wait"))


def properties(portal: Portal, robot: Json, placed: Json, run: Json) -> Json:
    """The declared properties with the values this stage gives them, expressions replaced."""
    found = {}
    for code, known in robot["PROPERTIES"].items():
        given = placed["properties"].get(code)
        value = filled(portal, run, known.get("DEFAULT") if given in (None, "") else given)
        found[code] = _formed(known, value)
    return found


def _formed(known: Json, value: Any) -> Any:
    several = truth(known.get("MULTIPLE"))
    user = str(known.get("TYPE") or "").lower() == "user"
    parts = [f"user_{one}" if user and str(one).isdecimal() else one for one in values(value)]
    return parts if several else parts[0] if parts else ""


def filled(portal: Portal, run: Json, value: Any) -> Any:
    """A value of the designer with its expressions replaced; one that stands alone keeps several values."""
    if isinstance(value, list):
        return [filled(portal, run, one) for one in value]
    if not isinstance(value, str):
        return value
    whole = EXPRESSION.fullmatch(value)
    if whole:
        return _value(portal, run, whole[1], whole[2])
    return EXPRESSION.sub(lambda found: _words(_value(portal, run, found[1], found[2])), value)


def _words(value: Any) -> str:
    return ", ".join(str(one) for one in values(value))


def _value(portal: Portal, run: Json, source: str, code: str) -> Any:
    if source != "Document":
        return {key.lower(): one for key, one in run["values"].get(source, {}).items()}.get(code.lower(), "")
    kind = run["entityTypeId"]
    item = portal.items.get(kind, {}).get(run["itemId"], {})
    field = next((one for one in fields_of(portal, kind).values() if code in (one.upper, one.name)), None)
    return "" if field is None else _document_value(portal, field, item.get(field.name))


def _document_value(portal: Portal, field: Field, value: Any) -> Any:
    if isinstance(value, list):
        return [_document_value(portal, field, one) for one in value]
    if value is None:
        return ""
    if field.type in ("datetime", "date"):
        return moment(portal, field, value)
    return f"user_{value}" if field.type in PEOPLE else phpform.text(value)


def moment(portal: Portal, field: Field, value: str) -> str:
    """A moment in the format and the zone of the portal, as the designer substitutes it."""
    found: datetime | None = parse_instant(portal, value)
    if found is None:
        return value
    local = found.astimezone(portal.zone())
    return f"{local:%d.%m.%Y}" if field.type == "date" else f"{local:%d.%m.%Y %H:%M:%S}"
