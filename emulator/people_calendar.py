"""What people do in calendars: the pages post it, and tests call it. ``user`` is a ``User`` or his id.

Instants are aware datetimes, whole days are dates (the last one included). Everything raises ``RestError`` where the
portal would refuse that person, returns the kept row, and is told by events that carry his token.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from emulator.calendar_store import Writer, answer_invitation, may_remove, own_copy, refused, remove_event, save_event
from emulator.calendar_view import readable
from emulator.state import Json, Portal, User

Moment = datetime | date


def add_event(
    portal: Portal,
    user: User | int,
    name: str,
    start: Moment,
    end: Moment,
    *,
    owner: int | str | None = None,
    accessibility: str = "busy",
    private: bool = False,
    attendees: Iterable[int] = (),
    **more: Any,
) -> Json:
    """Business of his own; or in another calendar: ``owner`` is a user's id or "company_calendar".

    ``more`` are parameters of ``calendar.event.add``: description, location, rrule, section…
    """
    writer, guests = _writer(portal, user), list(attendees)
    place = {"type": "user", "ownerId": writer.user.id if owner is None else owner}
    if isinstance(owner, str):
        place = {"type": owner, "ownerId": 0}
    fields = {"name": name, "accessibility": accessibility, "private_event": "Y" if private else "N", **more}
    people = {"is_meeting": "Y", "attendees": guests} if guests else {}
    return _save(portal, writer, {**place, **fields, **people, **_times(start, end)})


def drag_event(portal: Portal, user: User | int, event_id: int, start: Moment, end: Moment) -> Json:
    """Put an event at another time, whole days by dates; a recurring one moves with all its occurrences.

    The event keeps its time zone, as it does in the portal's own pages.
    """
    return _change(portal, user, event_id, _times(start, end, _zone_of(portal, event_id)))


def edit_event(
    portal: Portal,
    user: User | int,
    event_id: int,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    **fields: Any,
) -> Json:
    """Save the form of an event: perhaps its time, and parameters of ``calendar.event.update`` such as attendees."""
    if "attendees" in fields:
        fields["is_meeting"] = "Y" if fields["attendees"] else "N"
    if start is not None and end is not None:
        fields |= _times(start, end, _zone_of(portal, event_id))
    return _change(portal, user, event_id, fields)


def make_private(portal: Portal, user: User | int, event_id: int, private: bool = True) -> Json:
    """Hide an event of a personal calendar from everybody but its owner; the participants see their copies."""
    return _change(portal, user, event_id, {"private_event": "Y" if private else "N"})


def delete_event(portal: Portal, user: User | int, event_id: int) -> None:
    """Delete an event; a participant's copy stays and he declines."""
    writer = _writer(portal, user)
    with portal.world.lock:
        row = portal.events.get(event_id)
        if row is None or not may_remove(portal, writer.user, row):
            raise refused("Произошла ошибка при удалении события")
        remove_event(portal, writer, row)
    portal.world.touch()


def decline(portal: Portal, user: User | int, event_id: int) -> Json:
    """Decline an invitation, named by any of its ids; returns the user's own copy."""
    return _answered(portal, user, event_id, "N")


def accept(portal: Portal, user: User | int, event_id: int) -> Json:
    return _answered(portal, user, event_id, "Y")


def add_absence(portal: Portal, user: User | int, first: date, last: date, name: str = "Отпуск") -> Json:
    """A vacation in the personnel records: no calendar event, but ``calendar.accessibility.get`` knows it."""
    with portal.world.lock:
        row: Json = {"id": portal.next_id("absence"), "user_id": _writer(portal, user).user.id, "name": name}
        row |= {"first": first.isoformat(), "last": last.isoformat()}
        portal.absences.append(row)
    portal.world.touch()
    return row


def remove_absence(portal: Portal, absence_id: int) -> None:
    with portal.world.lock:
        portal.absences[:] = [row for row in portal.absences if row["id"] != absence_id]
    portal.world.touch()


def _writer(portal: Portal, user: User | int) -> Writer:
    found = portal.users[user] if isinstance(user, int) else user
    return Writer(found, portal.world.now())


def _zone_of(portal: Portal, event_id: int) -> str:
    row = portal.events.get(event_id)
    return str(row["zone_from"]) if row else ""


def _times(start: Moment, end: Moment, zone: str = "") -> Json:
    if not isinstance(start, datetime) or not isinstance(end, datetime):
        return {"from": start.isoformat(), "to": end.isoformat(), "skip_time": "Y"}
    if not zone:
        return {"from": start.isoformat(), "to": end.isoformat(), "skip_time": "N"}
    clocks = (moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat() for moment in (start, end))
    return dict(zip(("from", "to"), clocks, strict=True)) | {
        "timezone_from": zone, "timezone_to": zone, "skip_time": "N",
    }  # fmt: skip


def _save(portal: Portal, writer: Writer, fields: Json, row: Json | None = None) -> Json:
    with portal.world.lock:
        saved = save_event(portal, writer, fields, row)
    portal.world.touch()
    return saved


def _change(portal: Portal, user: User | int, event_id: int, fields: Json) -> Json:
    """Save a change by a person who sees the event and may write its calendar; the copies follow."""
    writer = _writer(portal, user)
    row = portal.events.get(event_id)
    if row is None or not readable(portal, writer.user, row) or row["id"] != row["parent_id"]:
        raise refused()
    return _save(portal, writer, fields, row)


def _answered(portal: Portal, user: User | int, event_id: int, status: str) -> Json:
    writer = _writer(portal, user)
    with portal.world.lock:
        copy = own_copy(portal, writer.user, event_id)
        if copy is None or copy["id"] == copy["parent_id"]:
            raise refused()
        answer_invitation(portal, writer, copy, status)
    portal.world.touch()
    return copy
