"""Time in which a resource, or the whole company, is not offered. Bookings that stand there stay.

What comes again is a row for each time, so whoever reads closures need not know of it. The first row stands for all.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from b24app.booking import changes
from b24app.errors import InvalidInput, NotAllowed, NotFound
from b24app.ledger import facilities, occupancy, queries, writes
from b24app.ledger.access import Viewer
from b24app.ledger.models import Closure, Portal
from b24app.ledger.session import Tx
from b24app.scheduling import hours as opening
from b24app.scheduling.interval import Interval

LONGEST = timedelta(days=3 * 366)
MOST_TIMES = 366
FIRST_YEAR, LAST_YEAR = 2000, 2100


@dataclass(frozen=True, slots=True)
class ClosureData:
    """From when to when, by the clock of the resource (of the portal without one): dates and minutes after midnight.

    Without `end_day` it ends on the day it starts; the usual minutes close whole days. With `until` it comes again, on
    these `weekdays` (Monday is 0; none: on the weekday of `day`) up to that date; `end_day` says nothing then.
    """

    day: date
    end_day: date | None = None
    start: int = 0
    end: int = opening.DAY_MINUTES
    resource_id: int | None = None
    reason: str = ""
    weekdays: tuple[int, ...] = ()
    until: date | None = None


def save_closure(
    tx: Tx, portal: Portal, data: ClosureData, *, viewer: Viewer, now: datetime, closure_id: int | None = None
) -> Closure:
    """The closure, added or changed; of a series its first time, whichever of its times `closure_id` is.

    Raises InvalidInput at the form's fields, NotAllowed, NotFound("closure").
    """
    _allow(viewer)
    rows = [] if closure_id is None else _together(tx, portal, closure_id)
    times = _times(data, _zone(tx, portal, data, viewer))
    before = data_of(tx, portal, rows[0], viewer) if rows else None
    first = _write(tx, portal, data, rows, times)
    after = data_of(tx, portal, first, viewer)
    changes.record(tx, portal, viewer.actor, "closure", first.id, first.reason, None, before, after, now)
    writes.board_changed(tx, portal.id)
    return first


def _together(tx: Tx, portal: Portal, closure_id: int) -> list[Closure]:
    """The closure, or all times of its series, the first in front."""
    row = facilities.closure(tx, portal.id, closure_id)
    return [row] if row.series is None else facilities.series_of_closures(tx, portal.id, row.series)


def _write(tx: Tx, portal: Portal, data: ClosureData, rows: Sequence[Closure], times: Sequence[Interval]) -> Closure:
    """One row for each time: the first stays the one it was, whatever becomes of the others."""
    for row in rows[1:]:
        tx.delete(row)
    series = None if data.until is None else (rows[0].series if rows and rows[0].series else uuid.uuid4())
    kept = [*rows[:1], *(Closure(portal_id=portal.id) for _ in times)][: len(times)]
    for row, interval in zip(kept, times, strict=True):
        row.resource_id, row.reason = data.resource_id, data.reason.strip()
        row.during, row.series, row.rule = occupancy.as_range(interval), series, _rule(data) if series else None
    tx.add(kept[0])
    tx.flush()
    tx.add_all(kept[1:])
    tx.flush()
    return kept[0]


def _rule(data: ClosureData) -> dict[str, Any]:
    assert data.until is not None, "a series has an end"
    return {
        "day": data.day.isoformat(), "until": data.until.isoformat(), "weekdays": list(_weekdays(data)),
        "start": data.start, "end": data.end,
    }  # fmt: skip


def remove_closure(tx: Tx, portal: Portal, closure_id: int, *, viewer: Viewer, now: datetime) -> None:
    """The time, or all times of a series, is offered again. Raises NotAllowed, NotFound("closure")."""
    _allow(viewer)
    rows = _together(tx, portal, closure_id)
    before = data_of(tx, portal, rows[0], viewer)
    for row in rows:
        tx.delete(row)
    tx.flush()
    changes.record(tx, portal, viewer.actor, "closure", rows[0].id, before.reason, None, before, None, now)
    writes.board_changed(tx, portal.id)


def every(tx: Tx, portal: Portal, viewer: Viewer, now: datetime) -> list[tuple[int, ClosureData]]:
    """What is not over yet, in the order in which it begins: each closure, and each series once, with its id."""
    found: dict[uuid.UUID | int, tuple[int, ClosureData]] = {}
    for row in facilities.closures(tx, portal.id, now):
        if row.series is None:
            found[row.id] = row.id, data_of(tx, portal, row, viewer)
        elif row.series not in found:
            first = facilities.series_of_closures(tx, portal.id, row.series)[0]
            found[row.series] = first.id, data_of(tx, portal, first, viewer)
    return list(found.values())


def meeting(tx: Tx, portal: Portal, data: ClosureData, *, viewer: Viewer, now: datetime) -> list[uuid.UUID]:
    """The bookings that are not over and stand in the time that this would close. Raises as `save_closure`."""
    _allow(viewer)
    times = _times(data, _zone(tx, portal, data, viewer))
    return facilities.bookings_meeting(tx, portal.id, data.resource_id, times, now)


def data_of(tx: Tx, portal: Portal, closure: Closure, viewer: Viewer) -> ClosureData:
    """Everything about a closure, or about the series that it is of, by the clock that it is set by."""
    data = ClosureData(date.min, resource_id=closure.resource_id, reason=closure.reason)
    if closure.rule is not None:
        return _repeated(data, closure.rule)
    zone, during = _zone(tx, portal, data, viewer), occupancy.as_interval(closure.during)
    start, end = during.start.astimezone(zone), during.end.astimezone(zone)
    last, ends = (end.date(), _minutes(end)) if _minutes(end) else (end.date() - opening.ONE_DAY, opening.DAY_MINUTES)
    return replace(data, day=start.date(), end_day=last, start=_minutes(start), end=ends)


def _repeated(data: ClosureData, rule: Mapping[str, Any]) -> ClosureData:
    return replace(
        data, day=date.fromisoformat(rule["day"]), until=date.fromisoformat(rule["until"]),
        weekdays=tuple(rule["weekdays"]), start=rule["start"], end=rule["end"],
    )  # fmt: skip


def _minutes(local: datetime) -> int:
    return local.hour * 60 + local.minute


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


def _times(data: ClosureData, zone: ZoneInfo) -> list[Interval]:
    """When it is closed: once, or each time it comes again. Raises InvalidInput."""
    if data.until is None:
        return [_interval(data, zone)]
    _check_series(data)
    days = [day for day in _days(data) if day.weekday() in _weekdays(data)]
    if not days or len(days) > MOST_TIMES:
        raise InvalidInput({"until": "too_many_dates" if days else "no_dates"})
    return [_each(day, data, zone) for day in days]


def _check_series(data: ClosureData) -> None:
    assert data.until is not None, "asked for a series only"
    wrong = _wrong_fields(data) | {
        "until": "until_before_start" if data.until < data.day else _wrong_year(data.until),
        "weekdays": None if all(0 <= day <= 6 for day in data.weekdays) else "unknown_choice",
    }
    if data.end <= data.start and not wrong["end"]:
        wrong["end"] = "end_before_start"
    if found := {field: code for field, code in wrong.items() if code}:
        raise InvalidInput(found)
    if data.until - data.day > LONGEST:
        raise InvalidInput({"until": "over_three_years"})


def _days(data: ClosureData) -> list[date]:
    assert data.until is not None
    return [data.day + timedelta(days=n) for n in range((data.until - data.day).days + 1)]


def _weekdays(data: ClosureData) -> tuple[int, ...]:
    return data.weekdays or (data.day.weekday(),)


def _each(day: date, data: ClosureData, zone: ZoneInfo) -> Interval:
    # Nobody thinks of the two nights of a clock change when he closes every Sunday at two: as far as the clock goes.
    start, end = (opening.clock_reaches(day, minutes, zone) for minutes in (data.start, data.end))
    return Interval(start, max(end, start + timedelta(minutes=1)))


def _wrong_fields(data: ClosureData) -> dict[str, str | None]:
    return {
        "reason": "too_many_characters" if len(data.reason.strip()) > 200 else None,
        "date": _wrong_year(data.day),
        "start": _wrong_time(data.start),
        "end": _wrong_time(data.end),
    }


def _interval(data: ClosureData, zone: ZoneInfo) -> Interval:
    """The instants that are meant; raises InvalidInput for what is wrong with them or the reason."""
    last = data.end_day or data.day
    wrong = _wrong_fields(data) | {"end_date": _wrong_year(last)}
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
