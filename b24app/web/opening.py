"""When the lanes of a board are open, and why they are not otherwise: arithmetic on what `ledger.board` read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from b24app.booking.holidays import Holidays, holiday_dates
from b24app.ledger.business import BLOCKING
from b24app.ledger.queries import parse_week
from b24app.ledger.spread import BoardResource
from b24app.scheduling.hours import Reason, Stretch, Timetable, open_intervals, why_closed
from b24app.scheduling.interval import Interval

HOURS = Reason("hours")
DAYS_AROUND = timedelta(days=3)  # hours of these dates may reach into a day, in any zone
Spans = Sequence[tuple[int, int]]  # epoch seconds, in order, apart from each other


class Gap(NamedTuple):
    """Time that is not open, in epoch seconds."""

    start: int
    end: int
    reason: Reason


class Engaged(NamedTuple):
    """Other business of a person, in epoch seconds; `surely` or perhaps."""

    start: int
    end: int
    surely: bool


@dataclass(frozen=True, slots=True)
class Opening:
    """One resource within a window. `hours`: what the week, single dates and holidays leave; `gaps`: the rest of it.

    `closures` may lie over both. `unusual`: a booking that was right when it was made may stand in closed time now.
    `engaged`: other business of the person, which takes nothing away from what is offered on paper.
    """

    hours: Spans
    gaps: Sequence[Gap]
    closures: Sequence[Gap] = ()
    unusual: bool = False
    engaged: Sequence[Engaged] = ()

    @property
    def free(self) -> Spans:
        """When something is offered."""
        return _without(self.hours, self.closures) if self.closures else self.hours

    def also(self, other: Opening) -> Opening:
        """Of something that needs both to be open."""
        hours = _without(self.hours, other.gaps)
        return Opening(
            hours=hours,
            gaps=_merged([*self.gaps, *other.gaps]),
            closures=[*self.closures, *(one for one in other.closures if one not in self.closures)],
            unusual=self.unusual or other.unusual,
            engaged=[*self.engaged, *(one for one in other.engaged if one not in self.engaged)],
        )


def openings(
    shown: Iterable[BoardResource], every: Mapping[int, BoardResource], window: Interval
) -> dict[int, Opening]:
    """Each of `shown` within `window`; a composite is open where it and all its parts are."""
    start, end = int(window.start.timestamp()), int(window.end.timestamp())

    def of(resource: BoardResource) -> Opening:
        found = _own(start, end, resource.time_zone, resource.week, resource.days, resource.holidays, resource.closures)
        if resource.busy:
            found = replace(found, engaged=_engaged(resource.busy, start, end))
        for part in resource.parts or ():
            found = found.also(of(every[part]))
        return found

    return {resource.id: of(resource) for resource in shown}


# Two hundred resources share a handful of timetables, and a board is shown again and again.
@lru_cache(maxsize=2000)
def _own(
    start: int, end: int, zone: str, week_text: str | None, days: str | None, holidays: str, closures: str | None
) -> Opening:
    window = Interval(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))
    public = _public(holidays, window)
    table = Timetable(ZoneInfo(zone), parse_week(week_text or ""), _special(days or ""), public.closed, public.workdays)
    hours = [(int(one.start.timestamp()), int(one.end.timestamp())) for one in open_intervals(table, window)]
    unusual = _is_unusual(table, window)
    gaps = [
        Gap(left, right, _why(table, left, right) if unusual else HOURS)
        for left, right in _without([(start, end)], hours)
    ]
    closed = [
        Gap(max(left, start), min(right, end), Reason("closure", {"reason": reason}))
        for left, right, reason in json.loads(closures or "[]")
        if left < end and right > start
    ]
    return Opening(hours, gaps, closed, unusual or bool(closed))


def _engaged(busy: Iterable[tuple[int, int, str]], start: int, end: int) -> list[Engaged]:
    """What of it is in the window; what was cut at midnight is whole again."""
    found: list[Engaged] = []
    for left, right, how in sorted(busy, key=lambda one: (one[2] in BLOCKING, one)):
        one = Engaged(max(left, start), min(right, end), how in BLOCKING)
        last = found[-1] if found else None
        if last and last.surely == one.surely and one.start <= last.end:
            found[-1] = last._replace(end=max(last.end, one.end))
        elif one.start < one.end:
            found.append(one)
    return found


def _public(country: str, window: Interval) -> Holidays:
    if not country:
        return Holidays(frozenset(), frozenset())
    return holiday_dates(country, (window.start - DAYS_AROUND).year, (window.end + DAYS_AROUND).year)


def _special(text: str) -> dict[date, tuple[Stretch, ...]]:
    """ "2026-03-12:600:840 2026-03-13" as stretches by date; a date without any is closed."""
    found: dict[date, tuple[Stretch, ...]] = {}
    for one in text.split():
        day, *minutes = one.split(":")
        more = (Stretch(*map(int, minutes)),) if minutes else ()
        found[date.fromisoformat(day)] = (*found.get(date.fromisoformat(day), ()), *more)
    return found


def _is_unusual(table: Timetable, window: Interval) -> bool:
    first, last = (instant.astimezone(table.zone).date() for instant in (window.start, window.end))
    return any(table.is_exception(first + timedelta(n)) for n in range((last - first).days + 1))


def _why(table: Timetable, start: int, end: int) -> Reason:
    gap = Interval(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))
    found = why_closed(table, gap)
    return found if found and found.code != "hours" else HOURS


def _without(spans: Spans, cuts: Iterable[Gap | tuple[int, int]]) -> list[tuple[int, int]]:
    """What is left of `spans`."""
    left = list(spans)
    for cut in cuts:
        start, end = cut[0], cut[1]
        pieces = [piece for one in left for piece in ((one[0], min(one[1], start)), (max(one[0], end), one[1]))]
        left = [piece for piece in pieces if piece[0] < piece[1]]
    return left


def _merged(gaps: Iterable[Gap]) -> list[Gap]:
    """All of them, apart from each other; where two lie over each other the reason of the earlier is told."""
    found: list[Gap] = []
    for gap in sorted(gaps, key=lambda one: one[:2]):
        last = found[-1] if found else None
        if last and last.end >= gap.start and (last.reason == gap.reason or gap.end <= last.end):
            found[-1] = last._replace(end=max(last.end, gap.end))
        else:
            found.append(gap._replace(start=max(gap.start, last.end if last else gap.start)))
    return found
