"""``event.*`` and ``events``: how applications subscribe. All need the application context.

Facts: "api-reference/events" of the documentation.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from emulator.call import Call, integer, method, truth
from emulator.errors import RestError, access_denied, argument_error
from emulator.event import SCOPE_EVENTS, available, emit
from emulator.state import Json


def check_url(url: str) -> str:
    """A handler address; raises the documented errors for another protocol or a host without a dot."""
    parts = urlsplit(str(url))
    if parts.scheme not in ("http", "https"):
        raise RestError("ERROR_UNSUPPORTED_PROTOCOL", "Unsupported event handler protocol")
    if "." not in (parts.hostname or ""):
        raise RestError("ERROR_WRONG_HANDLER_URL", "Wrong handler URL")
    return str(url)


@method("event.bind", app_only=True)
def bind(call: Call) -> Any:
    name = str(call.need("EVENT")).upper()
    offline = _offline(call)
    if offline:
        call.require_admin()
    url = "" if offline else check_url(call.need("HANDLER"))
    if name not in available(call.portal, call.scopes):
        raise RestError("ERROR_EVENT_NOT_FOUND", "Event not found")
    row = {
        "client_id": call.client_id,
        "event": name,
        "handler": url,
        "auth_type": _auth_type(call),
        "offline": offline,
        "connector_id": str(call.arg("AUTH_CONNECTOR", "")),
    }
    if any(all(other[key] == row[key] for key in row) for other in call.portal.event_handlers):
        raise RestError("ERROR_CORE", "Unable to set event handler: Handler already binded")
    call.portal.event_handlers.append({"id": call.portal.next_id("event_handler"), **row})
    return True


def _offline(call: Call) -> bool:
    kind = str(call.arg("EVENT_TYPE") or "online").lower()
    if kind not in ("online", "offline"):
        raise argument_error("EVENT_TYPE", "Value must be one of {online, offline}")
    return kind == "offline"


def _auth_type(call: Call) -> int:
    """Whose tokens the event will carry; one who is no administrator can only name himself."""
    asked = integer(call.arg("AUTH_TYPE"), 0)
    if call.user.is_admin:
        return asked
    if asked not in (0, call.user.id):
        raise access_denied()
    return call.user.id


@method("event.unbind", app_only=True)
def unbind(call: Call) -> Any:
    name, url = str(call.need("EVENT")).upper(), call.arg("HANDLER")
    offline = _offline(call)
    if offline:
        call.require_admin()
    elif not url:
        raise argument_error("HANDLER")
    who = call.arg("AUTH_TYPE")
    gone = [
        row
        for row in call.portal.event_handlers
        if (row["client_id"], row["event"], row["offline"]) == (call.client_id, name, offline)
        and (offline or row["handler"] == url)
        and (who is None or row["auth_type"] == integer(who, 0))
        and (call.user.is_admin or row["auth_type"] == call.user.id)
    ]
    call.portal.event_handlers = [row for row in call.portal.event_handlers if row not in gone]
    return {"count": len(gone)}


@method("event.get", app_only=True)
def get(call: Call) -> Any:
    rows = [row for row in call.portal.event_handlers if row["client_id"] == call.client_id]
    if not call.user.is_admin:
        rows = [row for row in rows if row["auth_type"] == call.user.id]
    return [_row(row) for row in rows]


def _row(row: Json) -> Json:
    if row["offline"]:
        return {"event": row["event"], "connector_id": row["connector_id"], "offline": 1}
    return {"event": row["event"], "handler": row["handler"], "auth_type": str(row["auth_type"]), "offline": 0}


@method("event.test", app_only=True)
def test(call: Call) -> Any:
    data = {"QUERY": call.params, "LANGUAGE_ID": call.portal.lang}
    emit(call.portal, "ONAPPTEST", data, call.user.id, only=call.client_id)
    return 1


@method("events")
def names(call: Call) -> Any:
    scope = call.arg("SCOPE")
    if truth(call.arg("FULL")):
        return available(call.portal, SCOPE_EVENTS)
    if scope:
        return list(SCOPE_EVENTS.get(str(scope), ())) if scope in call.scopes else []
    return available(call.portal, call.scopes)
