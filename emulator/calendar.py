"""Calendar events in REST: ``calendar.event.*``, ``calendar.meeting.status.*`` and ``calendar.accessibility.get``.

Almost every refusal is HTTP 400 with an empty code. Facts: "calendar/calendar-event" of the documentation.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from emulator import calendar_zones
from emulator.calendar_store import (
    Writer,
    answer_invitation,
    may_remove,
    own_copy,
    refused,
    remove_event,
    save_event,
    tell,
)
from emulator.calendar_view import entries, readable, shown, taken, window
from emulator.call import Call, integer, method, truth, values
from emulator.state import Json


def writer_of(call: Call) -> Writer:
    return Writer(call.user, call.now, call.token.hops if call.token else None)


def required(call: Call, name: str) -> Any:
    value = call.params.get(name)
    if value in (None, ""):
        raise refused(f'Не задан обязательный параметр "{name}" для метода "{call.method}"')
    return value


def check_user(call: Call) -> None:
    if call.user.extranet:
        raise refused()


@method("calendar.event.add", scope="calendar", write=True)
def event_add(call: Call) -> Any:
    check_user(call)
    for name in ("type", "ownerId", "name"):
        if name != "ownerId" or call.params.get("type") not in ("company_calendar", "location"):
            required(call, name)
    for name in ("from", "to"):
        if not call.params.get(f"{name}_ts"):
            required(call, name)
    if not truth(call.params.get("auto_detect_section") or ("N" if call.params.get("section") else "Y")):
        required(call, "section")
    return int(save_event(call.portal, writer_of(call), call.params)["id"])


def _edited(call: Call) -> Json:
    """The event a change names; a copy of an attendee stands for its parent only to its own organizer."""
    row = call.portal.events.get(integer(required(call, "id"), 0))
    if row is None or not readable(call.portal, call.user, row):
        raise refused("Произошла ошибка при изменении события")
    # Whoever is not the organizer has to name him: without "host", or with another one, access is denied.
    if call.user.id != row["host"] and integer(call.params.get("host"), 0) != row["host"]:
        raise refused()
    if row["id"] != row["parent_id"]:
        raise refused()
    return row


@method("calendar.event.update", scope="calendar", write=True)
def event_update(call: Call) -> Any:
    check_user(call)
    for name in ("id", "type", "ownerId"):
        if name != "ownerId" or call.params.get("type") not in ("company_calendar", "location"):
            required(call, name)
    # Older builds refuse an update without a name; clients are told to send it always.
    if not isinstance(call.params.get("name"), (str, int)) or call.params["name"] == "":
        raise refused('Неверное значение параметра "name"')
    row = _edited(call)
    mode = call.params.get("recurrence_mode")
    if mode in ("this", "next") and row["rrule"]:
        return _split_series(call, row, str(mode))
    return int(save_event(call.portal, writer_of(call), call.params, row)["id"])


def _split_series(call: Call, row: Json, mode: str) -> Json:
    """Edit one occurrence, or it and all later ones: a new event beside the shortened series."""
    day = calendar_zones.read_day(required(call, "current_date_from"))
    if day is None:
        raise refused("Неверный тип редактирования повторяющегося события")
    params = {**_as_params(row), **call.params}
    if mode == "this":
        row["exdate"] = [*row["exdate"], day.isoformat()]
        params["rrule"] = {}
    else:
        row["rrule"] = {**row["rrule"], "UNTIL": (day - timedelta(days=1)).isoformat(), "COUNT": 0}
    fresh = save_event(call.portal, writer_of(call), params)
    fresh["recurrence_id"] = row["id"]
    tell(call.portal, "UPDATE", row["id"], writer_of(call))
    return {
        "id": row["id"],
        "recEventId": fresh["id"],
        "originalDate": calendar_zones.shown(fresh["start"], fresh["zone_from"], fresh["whole_days"], call.user.lang),
        "originalDavXmlId": row["xml_id"],
        "instanceTz": row["zone_from"],
    }


def _as_params(row: Json) -> Json:
    return {
        "type": row["type"], "ownerId": row["owner"], "section": row["section"], "name": row["name"],
        "description": row["description"], "location": row["location"], "accessibility": row["accessibility"],
        "skip_time": "Y" if row["whole_days"] else "N", "rrule": row["rrule"],
    }  # fmt: skip


@method("calendar.event.delete", scope="calendar", write=True)
def event_delete(call: Call) -> Any:
    check_user(call)
    row = call.portal.events.get(integer(required(call, "id"), 0))
    if row is None or not may_remove(call.portal, call.user, row):
        raise refused("Произошла ошибка при удалении события")
    remove_event(call.portal, writer_of(call), row)
    return True


@method("calendar.event.getbyid", scope="calendar")
def event_get_by_id(call: Call) -> Any:
    check_user(call)
    row = call.portal.events.get(integer(required(call, "id"), 0))
    if row is None or not readable(call.portal, call.user, row):
        return None
    return shown(call.portal, call.user, row)


@method("calendar.event.get", scope="calendar")
def event_get(call: Call) -> Any:
    """Not paged; recurring events come as single occurrences with one id."""
    check_user(call)
    kind = str(required(call, "type"))
    owner = 0 if kind in ("company_calendar", "location") else integer(required(call, "ownerId"), 0)
    start, end = window(call.params, call.user, call.now)
    sections = [integer(one, 0) for one in values(call.params.get("section"))]
    return entries(call.portal, call.user, kind, owner, start, end, sections)


@method("calendar.event.get.nearest", scope="calendar")
def event_nearest(call: Call) -> Any:
    check_user(call)
    start = int(call.now)
    end = start + integer(call.params.get("days"), 60) * 86400
    kind, owner = str(call.params.get("type") or "user"), integer(call.params.get("ownerId"), call.user.id)
    found = entries(call.portal, call.user, kind, owner, start, end)
    return found[: integer(call.params.get("maxEventsCount"), 75)]


@method("calendar.meeting.status.get", scope="calendar")
def meeting_status(call: Call) -> Any:
    return _own_copy(call)["status"]


@method("calendar.meeting.status.set", scope="calendar", write=True)
def set_meeting_status(call: Call) -> Any:
    row, status = _own_copy(call), str(required(call, "status"))
    if status not in ("Y", "N", "Q"):
        raise refused('Неверное значение параметра "status"')
    answer_invitation(call.portal, writer_of(call), row, status)
    return True


def _own_copy(call: Call) -> Json:
    """The caller's own copy of a meeting, named by any of its ids."""
    mine = own_copy(call.portal, call.user, integer(required(call, "eventId"), 0))
    if mine is None:
        raise refused()
    return mine


@method("calendar.accessibility.get", scope="calendar")
def accessibility(call: Call) -> Any:
    """What users have in their calendars in a window, whole days, free events too; names of private ones are hidden."""
    check_user(call)
    users, _, _ = (required(call, name) for name in ("users", "from", "to"))
    start, end = window(call.params, call.user, call.now)
    return {str(number): taken(call.portal, call.user, number, start, end) for number in map(integer, values(users))}
