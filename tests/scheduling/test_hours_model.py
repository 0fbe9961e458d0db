"""Opening hours against a slow, obvious model: a doorman looks at the wall clock every minute.

He remembers the latest time that the clock has shown. It is open while that lies inside the hours; so he opens late if
the clock goes forward over the opening time, and does not open twice if it is put back.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, chain
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24app.scheduling.hours import (
    Closure,
    DoubledHour,
    MissingHour,
    OpeningHours,
    Stretch,
    Timetable,
    clock_reaches,
    day_interval,
    local_instant,
    open_intervals,
    wall_instant,
    why_closed,
)
from b24app.scheduling.interval import Interval
from tests.scheduling.cases import examples

pytestmark = pytest.mark.prove

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # by half an hour
    "Africa/Cairo",  # at midnight
    "Asia/Beirut",  # at midnight
    "Europe/Moscow",  # for good, in 2011 and 2014
    "America/St_Johns",  # until 2011 at 0:01: back into the day before
    "America/Nuuk",  # since 2024 forward from 23:00 on Saturday to Sunday
    "America/Havana",  # back to midnight, which then comes twice
)
YEARS = (2010, 2011, 2014, 2025, 2026)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


# The model. Instants and wall times are counted in whole minutes, those of UTC and those that the clock shows.


def wall(day: date, minutes: int) -> int:
    return day.toordinal() * 1440 + minutes


def number(at: datetime) -> int:
    return wall(at, at.hour * 60 + at.minute)


def instant(minute: int) -> datetime:
    return datetime.fromordinal(minute // 1440).replace(tzinfo=UTC) + minute % 1440 * MINUTE


@lru_cache(maxsize=1_000)
def clock(zone: ZoneInfo, day: date) -> list[int]:
    """What the wall clock shows at every minute of a day of UTC."""
    start = instant(wall(day, 0))
    return [number((start + minute * MINUTE).astimezone(zone)) for minute in range(1440)]


def around(day: date, days: int) -> list[date]:
    return [day + n * DAY for n in range(-days, days + 1)]


def shown(zone: ZoneInfo, day: date) -> dict[int, int]:
    """What the clock shows at every minute of the days around."""
    return dict(enumerate(chain.from_iterable(clock(zone, one) for one in around(day, 2)), wall(day - 2 * DAY, 0)))


@lru_cache(maxsize=100)
def latest(zone: ZoneInfo, day: date) -> dict[int, int]:
    """The latest time that the clock has shown so far, at every minute of the days around."""
    seen = shown(zone, day)
    return dict(zip(seen, accumulate(seen.values(), max), strict=True))


def hours_by_date(timetable: Timetable, days: list[date]) -> dict[date, list[tuple[int, int]]]:
    """What begins on which date: every rule writes over what the weaker ones wrote."""
    week = {n: [(one.opens, one.closes) for one in timetable.weekly if one.weekday == n] for n in range(7)}
    table = {day: week[day.weekday()] for day in days}
    table |= {day: week[4] for day in days if day in timetable.workdays and not table[day]}
    table |= {day: [] for day in days if day in timetable.holidays}
    table |= {day: [(s.opens, s.closes) for s in timetable.special[day]] for day in days if day in timetable.special}
    return table


def closed_minutes(timetable: Timetable) -> set[int]:
    return {m for one in timetable.closures for m in range(number(one.interval.start), number(one.interval.end))}


def open_minutes(timetable: Timetable, dates: list[date], window: Interval) -> set[int]:
    """The minutes of `window` in the hours of these `dates`."""
    clock_then = latest(timetable.zone, dates[len(dates) // 2])
    minutes = [(minute, clock_then[minute]) for minute in range(number(window.start), number(window.end))]
    opened: set[int] = set()
    for day, stretches in hours_by_date(timetable, dates).items():
        for opens, closes in stretches:
            begin, end = wall(day, opens), wall(day, closes)
            opened |= {minute for minute, seen in minutes if begin <= seen < end}
    return opened - closed_minutes(timetable)


def runs(minutes: Iterable[int]) -> list[Interval]:
    """The same minutes as intervals that do not touch."""
    found: list[list[int]] = []
    for minute in sorted(minutes):
        if found and found[-1][1] == minute:
            found[-1][1] += 1
        else:
            found.append([minute, minute + 1])
    return [Interval(instant(start), instant(end)) for start, end in found]


# What is tried: days near changes of the clock, hours near midnight and near the usual times of a change.


def days_of_change(zone: ZoneInfo) -> list[date]:
    noons = [datetime(year, 1, 1, 12, tzinfo=UTC) + n * DAY for year in YEARS for n in range(365)]
    offsets = [noon.astimezone(zone).utcoffset() for noon in noons]
    return [noons[n].date() for n in range(1, len(noons)) if offsets[n] != offsets[n - 1]]


def days_to_try(zone: ZoneInfo) -> list[date]:
    changes = [day + n * DAY for day in days_of_change(zone) for n in (-1, 0, 0, 1)]
    return [*changes, date(2024, 2, 29), date(2026, 6, 10), date(2026, 12, 31)]


places = st.sampled_from([(zone, day) for zone in map(ZoneInfo, ZONES) for day in days_to_try(zone)])
minutes_of_day = st.sampled_from(range(0, 1440, 30)) | st.integers(0, 210) | st.integers(1380, 1439)
stretches = st.builds(
    lambda opens, closes: Stretch(opens, closes if closes > opens else closes + 1440), minutes_of_day, minutes_of_day
)
odd_weeks = st.lists(
    st.builds(lambda n, s: OpeningHours(n, s.opens, s.closes), st.integers(0, 6), stretches), max_size=7
)
even_weeks = st.builds(
    lambda days, s: [OpeningHours(n, s.opens, s.closes) for n in range(days)], st.sampled_from([5, 7]), stretches
)
weeks = odd_weeks | even_weeks
near = st.integers(-2, 2)
# Minutes after midnight of UTC, and how many.
spans = st.tuples(st.integers(-720, 1800), st.integers(1, 600) | st.integers(600, 1800))
exceptions = st.tuples(
    st.dictionaries(near, st.lists(stretches, max_size=3).map(tuple), max_size=3),
    st.frozensets(near, max_size=2),
    st.frozensets(near, max_size=2),
    st.lists(spans, max_size=3),
)


@st.composite
def timetables(draw: st.DrawFn) -> tuple[Timetable, date]:
    """A timetable, and a day around which it has its exceptions."""
    zone, middle = draw(places)
    special, holidays, workdays, closures = draw(exceptions)
    timetable = Timetable(
        zone,
        weekly=tuple(draw(weeks)),
        special={middle + n * DAY: hours for n, hours in special.items()},
        holidays=frozenset(middle + n * DAY for n in holidays),
        workdays=frozenset(middle + n * DAY for n in workdays),
        closures=tuple(Closure(interval(middle, span)) for span in closures),
    )
    return timetable, middle


def interval(day: date, span: tuple[int, int]) -> Interval:
    return Interval(instant(wall(day, span[0])), instant(wall(day, sum(span))))


@examples(400, 24_000)
@given(timetables(), spans)
def test_it_is_open_when_the_doorman_says_so(case: tuple[Timetable, date], span: tuple[int, int]) -> None:
    timetable, middle = case
    window = interval(middle, span)
    assert open_intervals(timetable, window) == runs(open_minutes(timetable, around(middle, 4), window))


@examples(250, 12_000)
@given(timetables(), spans)
def test_closed_time_is_explained_by_its_first_closed_minute(
    case: tuple[Timetable, date], span: tuple[int, int]
) -> None:
    timetable, middle = case
    wanted = interval(middle, span)
    minutes = set(range(number(wanted.start), number(wanted.end)))
    closed = minutes - open_minutes(timetable, around(middle, 4), wanted)
    reason = why_closed(timetable, wanted)
    assert (reason.code if reason else None) == (code_of(timetable, middle, min(closed)) if closed else None)


def code_of(timetable: Timetable, middle: date, minute: int) -> str:
    if minute in closed_minutes(timetable):
        return "closure"
    today = instant(shown(timetable.zone, middle)[minute]).date()
    exceptions = dict.fromkeys(timetable.holidays, "holiday") | dict.fromkeys(timetable.special, "special_hours")
    night = today - DAY if _usual_night(timetable, today, minute) else today
    return exceptions.get(today) or exceptions.get(night) or "hours"


def _usual_night(timetable: Timetable, today: date, minute: int) -> bool:
    """Whether it would still be open from yesterday, were that no exception."""
    eve = today - DAY
    plain = Timetable(timetable.zone, timetable.weekly, workdays=timetable.workdays)
    return minute in open_minutes(plain, [eve], Interval(instant(minute), instant(minute + 1)))


@examples(250, 10_000)
@given(places, minutes_of_day)
def test_a_wall_time_is_the_minute_at_which_the_clock_shows_it(place: tuple[ZoneInfo, date], minutes: int) -> None:
    zone, day = place
    clock_then, wanted = shown(zone, day), wall(day, minutes)
    found = [minute for minute, seen in clock_then.items() if seen == wanted]
    reached = next(minute for minute, seen in clock_then.items() if seen >= wanted)
    assert clock_reaches(day, minutes, zone) == instant(reached)
    if len(found) == 1:
        assert wall_instant(day, minutes, zone) == local_instant(day, minutes, zone) == instant(found[0])
        return
    with pytest.raises(DoubledHour if found else MissingHour):
        wall_instant(day, minutes, zone)
    past_the_change = wanted - clock_then[reached - 1] - 1
    assert local_instant(day, minutes, zone) == instant(found[0] if found else reached + past_the_change)


@examples(50, 1_000)
@given(places)
def test_a_day_has_the_minutes_that_the_clock_shows_of_it(place: tuple[ZoneInfo, date]) -> None:
    zone, day = place
    minutes = {minute for minute, seen in latest(zone, day).items() if wall(day, 0) <= seen < wall(day, 1440)}
    assert [day_interval(day, zone)] == runs(minutes)
