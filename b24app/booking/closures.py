"""Time in which a resource, or the whole company, is not offered. Bookings that stand there stay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from b24app.errors import InvalidInput, NotAllowed, NotFound
from b24app.ledger import facilities, occupancy, queries, writes
from b24app.ledger.access import Viewer
from b24app.ledger.models import Closure, Portal
from b24app.ledger.session import Tx
from b24app.scheduling import hours as opening
from b24app.scheduling.interval import Interval

LONGEST = timedelta(days=3 * 366)
FIRST_YEAR, LAST_YEAR = 2000, 2100


@dataclass(frozen=True, slots=True)
class ClosureData:
    """From when to when, by the clock of the resource (of the portal without one): dates and minutes after midnight.

    Without `end_day` it ends on the day it starts; the usual minutes close whole days.
    """

    day: date
    end_day: date | None = None
    start: int = 0
    end: int = opening.DAY_MINUTES
    resource_id: int | None = None
    reason: str = ""


def save_closure(
    tx: Tx, portal: Portal, data: ClosureData, *, viewer: Viewer, closure_id: int | None = None
) -> Closure:
    """The closure, added or changed. Raises InvalidInput at the form's fields, NotAllowed, NotFound("closure")."""
    _allow(viewer)
    closure = Closure(portal_id=portal.id) if closure_id is None else facilities.closure(tx, portal.id, closure_id)
    interval = _interval(data, _zone(tx, portal, data, viewer))
    closure.resource_id, closure.reason = data.resource_id, data.reason.strip()
    closure.during = occupancy.as_range(interval)
    tx.add(closure)
    tx.flush()
    writes.board_changed(tx, portal.id)
    return closure


def remove_closure(tx: Tx, portal: Portal, closure_id: int, *, viewer: Viewer) -> None:
    """The time is offered again. Raises NotAllowed, NotFound("closure")."""
    _allow(viewer)
    tx.delete(facilities.closure(tx, portal.id, closure_id))
    tx.flush()
    writes.board_changed(tx, portal.id)


def _allow(viewer: Viewer) -> None:
    if not viewer.is_admin:
        raise NotAllowed("settings")


def _zone(tx: Tx, portal: Portal, data: ClosureData, viewer: Viewer) -> ZoneInfo:
    if data.resource_id is None:
        return ZoneInfo(portal.time_zone)
    try:
        return ZoneInfo(queries.resource(tx, portal.id, viewer, data.resource_id).time_zone)
    except NotFound:
        raise InvalidInput({"resource": "unknown_resource"}) from None


def _interval(data: ClosureData, zone: ZoneInfo) -> Interval:
    """The instants that are meant; raises InvalidInput for what is wrong with them or the reason."""
    last = data.end_day or data.day
    wrong = {
        "reason": "too_many_characters" if len(data.reason.strip()) > 200 else None,
        "date": _wrong_year(data.day),
        "end_date": _wrong_year(last),
        "start": _wrong_time(data.start),
        "end": _wrong_time(data.end),
    }
    found = {field: code for field, code in wrong.items() if code}
    if found:
        raise InvalidInput(found)
    start, end = _instants(data, last, zone)
    if end <= start:
        raise InvalidInput({"end" if last == data.day else "end_date": "end_before_start"})
    if end - start > LONGEST:
        raise InvalidInput({"end_date": "over_three_years"})
    return Interval(start, end)


def _wrong_year(day: date) -> str | None:
    return None if FIRST_YEAR <= day.year <= LAST_YEAR else "out_of_range"


def _wrong_time(minutes: int) -> str | None:
    return None if 0 <= minutes <= opening.DAY_MINUTES else "not_a_time"


def _instants(data: ClosureData, last: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    found: dict[str, datetime] = {}
    unclear: dict[str, str] = {}
    for field, day, minutes in (("start", data.day, data.start), ("end", last, data.end)):
        try:
            found[field] = _instant(day, minutes, zone)
        except opening.UnclearHour as hour:
            unclear[field] = hour.code
    if unclear:
        raise InvalidInput(unclear)
    return found["start"], found["end"]


def _instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    # Midnight is the edge of a day, and clear as such also where the clock is changed at midnight.
    if minutes % opening.DAY_MINUTES == 0:
        return opening.clock_reaches(day, minutes, zone)
    return opening.wall_instant(day, minutes, zone)
