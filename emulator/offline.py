"""Offline events: changes are kept in a queue of the portal until the application fetches them.

One row per event and object: a repeated change only moves its time. Facts: "api-reference/events/offline-events".
"""

from __future__ import annotations

import json
from hashlib import md5
from typing import Any

from emulator.call import Call, integer, mapping, method, values
from emulator.errors import RestError
from emulator.state import Json, Portal, hex_id

SORTABLE = ("ID", "TIMESTAMP_X", "EVENT_NAME", "MESSAGE_ID", "PROCESS_ID", "ERROR")
OPERATORS = {
    ">=": lambda have, wanted: have >= wanted,
    "<=": lambda have, wanted: have <= wanted,
    "!": lambda have, wanted: have != wanted,
    ">": lambda have, wanted: have > wanted,
    "<": lambda have, wanted: have < wanted,
    "=": lambda have, wanted: have == wanted,
}


def keep(portal: Portal, handler: Json, name: str, data: Json, user_id: int) -> bool:
    """Queue a change; says whether the application has to be told that a row appeared."""
    message = md5(f"{name}{json.dumps(data, sort_keys=True)}".encode(), usedforsecurity=False).hexdigest()
    key = {"client_id": handler["client_id"], "connector": handler["connector_id"], "message": message}
    now = portal.world.now()
    for row in portal.offline_events:
        if all(row[name] == value for name, value in key.items()) and not row["process_id"]:
            row["at"] = now
            return False
    row = {"id": portal.next_id("offline"), "at": now, "event": name, "data": data, "user_id": user_id, **key}
    portal.offline_events.append(row | {"process_id": "", "error": 0})
    return True


def _rows(call: Call) -> list[Json]:
    """The caller's rows of one source that pass his filter, in his order."""
    connector = str(call.arg("auth_connector", ""))
    mine = [
        row for row in call.portal.offline_events if (row["client_id"], row["connector"]) == (call.client_id, connector)
    ]
    wanted = mapping(call.arg("filter"))
    found = [row for row in mine if all(_passes(_shown(call.portal, row), key, value) for key, value in wanted.items())]
    (by, way), *_ = [*mapping(call.arg("order")).items(), ("TIMESTAMP_X", "ASC")]
    name = by.upper() if by.upper() in SORTABLE else "ID"
    found.sort(key=lambda row: (_comparable(_shown(call.portal, row)[name]), row["id"]))
    return found[::-1] if str(way).upper() == "DESC" else found


def _passes(shown: Json, key: str, value: Any) -> bool:
    operator = next((one for one in OPERATORS if key.startswith(one)), "")
    name = key.removeprefix(operator).upper()
    if name not in shown:
        return True
    have, wanted = _comparable(shown[name]), _comparable(value)
    return type(have) is type(wanted) and bool(OPERATORS[operator or "="](have, wanted))


def _comparable(value: Any) -> Any:
    return int(value) if str(value).isdigit() else str(value)


def _shown(portal: Portal, row: Json) -> Json:
    return {
        "ID": str(row["id"]),
        "TIMESTAMP_X": portal.iso(row["at"]),
        "EVENT_NAME": row["event"],
        "EVENT_DATA": row["data"] or False,
        "EVENT_ADDITIONAL": {"user_id": str(row["user_id"])} if row["user_id"] else False,
        "MESSAGE_ID": row["message"],
        "PROCESS_ID": row["process_id"],
        "ERROR": str(row["error"]),
    }


@method("event.offline.get", app_only=True, write=True)
def get(call: Call) -> Any:
    """The first rows; they are gone then, or with ``clear`` 0 reserved for a process."""
    call.require_admin()
    clear, process = integer(call.arg("clear"), 1), str(call.arg("process_id") or "")
    if not clear and not call.world.knobs.offline_extended:
        raise RestError("ACCESS_DENIED", "Access denied! Extended offline events are not available on your plan", 403)
    errors = integer(call.arg("error"), 0)
    rows = [row for row in _rows(call) if row["process_id"] == process and bool(row["error"]) == bool(errors)]
    rows = rows[: integer(call.arg("limit"), 50)]
    if clear:
        _remove(call.portal, rows)
        process = ""
    else:
        process = process or hex_id(32)
        for row in rows:
            row["process_id"] = process
    hidden = ("PROCESS_ID", "ERROR")
    events = [{k: v for k, v in _shown(call.portal, row).items() if k not in hidden} for row in rows]
    return {"process_id": process or None, "events": events}


def _remove(portal: Portal, rows: list[Json]) -> None:
    gone = {row["id"] for row in rows}
    portal.offline_events = [row for row in portal.offline_events if row["id"] not in gone]


@method("event.offline.list", app_only=True)
def listed(call: Call) -> Any:
    call.require_admin()
    return call.page([_shown(call.portal, row) for row in _rows(call)])


def _reserved(call: Call) -> list[Json]:
    """The rows of a process, all or those named by id or message."""
    process = str(call.need("process_id"))
    ids = {integer(one) for one in values(call.arg("id"))}
    messages = set() if ids else {str(one) for one in values(call.arg("message_id"))}
    return [
        row
        for row in call.portal.offline_events
        if (row["client_id"], row["process_id"]) == (call.client_id, process)
        and (not ids or row["id"] in ids)
        and (not messages or row["message"] in messages)
    ]


@method("event.offline.clear", app_only=True, write=True)
def clear(call: Call) -> Any:
    call.require_admin()
    _remove(call.portal, _reserved(call))
    return True


@method("event.offline.error", app_only=True, write=True)
def error(call: Call) -> Any:
    """Marks rows as not processed: ``event.offline.get`` gives them again when asked for errors."""
    call.require_admin()
    for row in _reserved(call):
        row |= {"error": 1, "process_id": ""}
    return True
