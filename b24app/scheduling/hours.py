"""Weekly opening hours, built in the resource's own zone and then converted.

So a day with a clock change has 23 or 25 hours, and nobody has to special-case it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from b24app.scheduling.interval import Interval, merge

DAY_MINUTES = 24 * 60


@dataclass(frozen=True, order=True, slots=True)
class OpeningHours:
    """One open stretch: weekday 0 is Monday; minutes after local midnight; `closes` may pass midnight."""

    weekday: int
    opens: int
    closes: int

    def __post_init__(self) -> None:
        if not (0 <= self.weekday <= 6 and 0 <= self.opens < DAY_MINUTES):
            raise ValueError("opening hours outside of a week")
        if not self.opens < self.closes <= self.opens + DAY_MINUTES:
            raise ValueError("opening hours end before they start")


def is_zone(name: str) -> bool:
    """Whether `name` is that of a time zone, such as Europe/Moscow."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def local_instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """The UTC instant of so many minutes after local midnight, by the wall clock of `zone`.

    A wall time that does not exist (clocks going forward) becomes the instant the same distance after the
    change; one that exists twice is the first of both.
    """
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    return wall.replace(tzinfo=zone).astimezone(UTC)


def day_interval(day: date, zone: ZoneInfo) -> Interval:
    """The whole local day, in UTC."""
    return Interval(local_instant(day, 0, zone), local_instant(day + timedelta(days=1), 0, zone))


def open_intervals(hours: Iterable[OpeningHours], window: Interval, zone: ZoneInfo) -> list[Interval]:
    """When it is open within `window`, in UTC and in order."""
    by_weekday: dict[int, list[OpeningHours]] = {}
    for stretch in hours:
        by_weekday.setdefault(stretch.weekday, []).append(stretch)
    # Yesterday's hours may reach into the window after midnight.
    day = window.start.astimezone(zone).date() - timedelta(days=1)
    last = window.end.astimezone(zone).date()
    found: list[Interval] = []
    while day <= last:
        for stretch in by_weekday.get(day.weekday(), ()):
            start, end = local_instant(day, stretch.opens, zone), local_instant(day, stretch.closes, zone)
            shown = Interval(start, end).intersect(window) if start < end else None
            if shown:
                found.append(shown)
        day += timedelta(days=1)
    return merge(found)


def overlapping_hours(hours: Iterable[OpeningHours]) -> OpeningHours | None:
    """The first stretch that overlaps another one of the same week, if any (the week is a circle)."""
    week = 7 * DAY_MINUTES
    spans = sorted((h.weekday * DAY_MINUTES + h.opens, h.weekday * DAY_MINUTES + h.closes, h) for h in hours)
    for (_, end, _), (start, _, stretch) in itertools.pairwise(spans):
        if start < end:
            return stretch
    if spans and spans[-1][1] - week > spans[0][0]:
        return spans[0][2]
    return None
