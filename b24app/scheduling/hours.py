"""When a resource is open: weekly hours, special dates, holidays, closures.

Hours are built in the resource's own zone and then converted, so a day with a clock change has 23 or 25 hours and
nobody has to special-case it. They are kept by somebody who watches the wall clock: he opens as soon as it shows the
opening time or a later one, closes as soon as it shows the closing time or a later one, and does not open again when
the clock is put back.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from b24app.scheduling.interval import Interval, subtract

DAY_MINUTES = 24 * 60
FRIDAY = 4
ONE_DAY = timedelta(days=1)


class UnclearHour(ValueError):
    """A wall time that is not exactly one instant. `code` is one that `texts` knows."""

    code = ""


class MissingHour(UnclearHour):
    """The clock goes forward over it."""

    code = "hour_missing"


class DoubledHour(UnclearHour):
    """The clock is put back and shows it twice."""

    code = "hour_doubled"


@dataclass(frozen=True, order=True, slots=True)
class Stretch:
    """Open time that begins on one date: minutes after local midnight; `closes` may pass the next midnight."""

    opens: int
    closes: int

    def __post_init__(self) -> None:
        if not 0 <= self.opens < DAY_MINUTES:
            raise ValueError("opening hours outside of a day")
        if not self.opens < self.closes <= self.opens + DAY_MINUTES:
            raise ValueError("opening hours end before they start")


@dataclass(frozen=True, order=True, slots=True)
class OpeningHours:
    """One open stretch: weekday 0 is Monday; minutes after local midnight; `closes` may pass midnight."""

    weekday: int
    opens: int
    closes: int

    def __post_init__(self) -> None:
        if not 0 <= self.weekday <= 6:
            raise ValueError("opening hours outside of a week")
        Stretch(self.opens, self.closes)


@dataclass(frozen=True, order=True, slots=True)
class Closure:
    """Time in which nothing is offered, whatever the hours say; `reason` in the company's own words."""

    interval: Interval
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Timetable:
    """All that decides when a resource is open.

    A date in `special` has those hours only (none: closed); of the others, one in `holidays` is closed; of the others,
    one in `workdays` (a working Saturday) has the hours of its weekday or, if there are none, those of Friday.
    What begins on a date belongs to it, also after midnight. `closures` are taken away at last.
    """

    zone: ZoneInfo
    weekly: tuple[OpeningHours, ...] = ()
    special: Mapping[date, tuple[Stretch, ...]] = field(default_factory=dict, hash=False)
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()
    closures: tuple[Closure, ...] = ()

    def on(self, day: date) -> tuple[Stretch, ...]:
        """The stretches that begin on `day`, closures aside."""
        if day in self.special:
            return self.special[day]
        return () if day in self.holidays else self.usual(day)

    def usual(self, day: date) -> tuple[Stretch, ...]:
        """Those that would begin on `day` if it were neither special nor a holiday."""
        own = self._weekly(day.weekday())
        return own or (self._weekly(FRIDAY) if day in self.workdays else ())

    def is_exception(self, day: date) -> bool:
        """Whether the week says nothing about `day`."""
        return day in self.special or day in self.holidays

    def _weekly(self, weekday: int) -> tuple[Stretch, ...]:
        return tuple(Stretch(one.opens, one.closes) for one in self.weekly if one.weekday == weekday)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why it is closed: a code that `texts` knows, and its parameters."""

    code: str
    params: Mapping[str, str] = field(default_factory=dict, hash=False)


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
    return _first(_wall(day, minutes), zone)


def wall_instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """The same for a time that a person typed: raises MissingHour or DoubledHour rather than guess."""
    wall = _wall(day, minutes)
    first, second = _first(wall, zone), wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first == second:
        return first
    raise DoubledHour(wall) if _shown(first, zone) == wall else MissingHour(wall)


def clock_reaches(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """The first UTC instant at which the wall clock of `zone` shows so many minutes after midnight, or more."""
    wall = _wall(day, minutes)
    first = _first(wall, zone)
    if _shown(first, zone) == wall:
        return first
    # The clock goes forward over it: the change lies between the two readings that PEP 495 gives for such a time.
    low = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    seconds = range(int((first - low).total_seconds()))
    passed = bisect.bisect_left(seconds, True, key=lambda s: _shown(low + timedelta(seconds=s), zone) >= wall)
    return low + timedelta(seconds=passed)


def _wall(day: date, minutes: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minutes)


def _first(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC)


def _shown(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def day_interval(day: date, zone: ZoneInfo) -> Interval:
    """The whole local day, in UTC."""
    return Interval(clock_reaches(day, 0, zone), clock_reaches(day + ONE_DAY, 0, zone))


def open_intervals(timetable: Timetable, window: Interval) -> list[Interval]:
    """When it is open within `window`, in UTC, merged and in order."""
    zone, days = timetable.zone, _days_around(timetable.zone, window)
    opened = (one.intersect(window) for day in days for one in _in_utc(day, timetable.on(day), zone))
    return subtract([one for one in opened if one], [closure.interval for closure in timetable.closures])


def _days_around(zone: ZoneInfo, window: Interval) -> Iterator[date]:
    """The dates whose hours may reach into `window`.

    Those of yesterday do after midnight, and those of tomorrow where the clock is put back over midnight: then 0:00
    comes before today's second 23:30.
    """
    first = window.start.astimezone(zone).date() - ONE_DAY
    last = window.end.astimezone(zone).date() + ONE_DAY
    return (first + n * ONE_DAY for n in range((last - first).days + 1))


def _in_utc(day: date, stretches: Iterable[Stretch], zone: ZoneInfo) -> Iterator[Interval]:
    for stretch in stretches:
        start, end = clock_reaches(day, stretch.opens, zone), clock_reaches(day, stretch.closes, zone)
        if start < end:  # the clock may go forward over all of it
            yield Interval(start, end)


def why_closed(timetable: Timetable, wanted: Interval) -> Reason | None:
    """Why not all of `wanted` is open (its first closed instant tells), or None when it is.

    The codes are closure (with its `reason`), holiday (`day`), special_hours and hours (`day` and what is open on it
    as `hours`, such as "9:00–13:00, 14:00–18:00", or "").
    """
    closed = subtract([wanted], open_intervals(timetable, wanted))
    return _reason(timetable, closed[0].start) if closed else None


def _reason(timetable: Timetable, instant: datetime) -> Reason:
    for closure in timetable.closures:
        if closure.interval.start <= instant < closure.interval.end:
            return Reason("closure", {"reason": closure.reason})
    day = _day_to_blame(timetable, instant)
    about = {"day": day.isoformat()}
    if day in timetable.holidays and day not in timetable.special:
        return Reason("holiday", about)
    code = "special_hours" if day in timetable.special else "hours"
    return Reason(code, about | {"hours": _as_text(timetable.on(day))})


def _day_to_blame(timetable: Timetable, instant: datetime) -> date:
    """The local date, or the one before when only its being an exception ended the night's opening."""
    day = instant.astimezone(timetable.zone).date()
    eve = day - ONE_DAY
    if timetable.is_exception(day) or not timetable.is_exception(eve):
        return day
    usually = _in_utc(eve, timetable.usual(eve), timetable.zone)
    return eve if any(one.start <= instant < one.end for one in usually) else day


def _as_text(stretches: Iterable[Stretch]) -> str:
    return ", ".join(f"{_clock(one.opens)}–{_clock(one.closes)}" for one in sorted(stretches))


def _clock(minutes: int) -> str:
    hour, minute = divmod(minutes if minutes == DAY_MINUTES else minutes % DAY_MINUTES, 60)
    return f"{hour}:{minute:02}"


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


def wrong_special(day: date, stretches: Iterable[tuple[int, int]], zone: ZoneInfo) -> str | None:
    """The code of what is wrong with the special hours of `day`, given as pairs of (opens, closes), or None.

    Codes: hours_wrong, hours_overlap, hour_missing, hour_doubled. The days around are not looked at.
    """
    spans = sorted(stretches)
    try:
        for opens, closes in spans:
            Stretch(opens, closes)
    except ValueError:
        return "hours_wrong"
    if any(start < end for (_, end), (start, _) in itertools.pairwise(spans)):
        return "hours_overlap"
    return _unclear(day, itertools.chain(*spans), zone)


def _unclear(day: date, times: Iterable[int], zone: ZoneInfo) -> str | None:
    for minutes in times:
        # Midnight is the edge of a day, and clear as such: in Cairo "10:00–24:00" means the end of Thursday also when
        # Friday begins at 1:00.
        if minutes % DAY_MINUTES:
            try:
                wall_instant(day, minutes, zone)
            except UnclearHour as unclear:
                return unclear.code
    return None
