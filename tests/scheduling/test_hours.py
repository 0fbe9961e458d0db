"""Opening hours: zones, midnight, and the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24app.scheduling.hours import OpeningHours, day_interval, local_instant, open_intervals, overlapping_hours
from b24app.scheduling.interval import Interval

MOSCOW, BERLIN, YEKATERINBURG = (ZoneInfo(n) for n in ("Europe/Moscow", "Europe/Berlin", "Asia/Yekaterinburg"))


def utc(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def test_hours_are_of_the_resources_own_zone() -> None:
    hours = [OpeningHours(1, 9 * 60, 18 * 60)]  # Tuesday
    window = Interval(utc(10, 0), utc(11, 0))
    assert open_intervals(hours, window, MOSCOW) == [Interval(utc(10, 6), utc(10, 15))]
    assert open_intervals(hours, window, YEKATERINBURG) == [Interval(utc(10, 4), utc(10, 13))]


def test_hours_past_midnight_reach_into_the_next_day() -> None:
    hours = [OpeningHours(0, 20 * 60, 26 * 60)]  # Monday 20:00 – Tuesday 02:00
    tuesday = day_interval(date(2026, 3, 10), MOSCOW)
    assert open_intervals(hours, tuesday, MOSCOW) == [Interval(utc(9, 21), utc(9, 23))]


def test_all_day_hours_join_over_midnight() -> None:
    always = [OpeningHours(day, 0, 1440) for day in range(7)]
    window = Interval(utc(10, 0), utc(12, 0))
    assert open_intervals(always, window, MOSCOW) == [window]


@pytest.mark.parametrize(
    ("day", "hours_long"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)]
)
def test_a_day_with_a_clock_change_has_its_true_length(day: date, hours_long: int) -> None:
    assert day_interval(day, BERLIN).duration == timedelta(hours=hours_long)


def test_a_wall_time_that_does_not_exist_moves_past_the_change() -> None:
    # 02:30 on 29 March does not exist in Berlin: clocks jump from 02:00 to 03:00, which is 01:00 UTC.
    assert local_instant(date(2026, 3, 29), 150, BERLIN) == utc(29, 1, 30)


def test_a_wall_time_that_exists_twice_is_the_first() -> None:
    assert local_instant(date(2026, 10, 25), 150, BERLIN) == utc(25, 0, 30, month=10)


@pytest.mark.parametrize(
    ("weekday", "opens", "closes"), [(7, 0, 60), (0, -1, 60), (0, 60, 60), (0, 60, 59), (0, 0, 1441)]
)
def test_impossible_hours_are_refused(weekday: int, opens: int, closes: int) -> None:
    with pytest.raises(ValueError, match="opening hours"):
        OpeningHours(weekday, opens, closes)


@pytest.mark.parametrize(
    ("hours", "clash"),
    [
        ([OpeningHours(0, 540, 720), OpeningHours(0, 720, 900)], False),
        ([OpeningHours(0, 540, 721), OpeningHours(0, 720, 900)], True),
        ([OpeningHours(0, 1200, 1500), OpeningHours(1, 30, 600)], True),
        ([OpeningHours(6, 1200, 1500), OpeningHours(0, 30, 600)], True),
        ([OpeningHours(6, 1200, 1500), OpeningHours(0, 60, 600)], False),
        ([], False),
    ],
)
def test_overlapping_stretches_are_found_around_the_week(hours: list[OpeningHours], clash: bool) -> None:
    assert (overlapping_hours(hours) is not None) == clash


@given(
    st.sampled_from([MOSCOW, BERLIN, YEKATERINBURG]),
    st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 23), st.integers(1, 24)), max_size=5),
)
def test_open_minutes_are_those_whose_wall_clock_is_inside(
    zone: ZoneInfo, day: date, rows: list[tuple[int, int, int]]
) -> None:
    hours = [OpeningHours(weekday, start * 60, (start + length) * 60) for weekday, start, length in rows]
    window = day_interval(day, zone)
    if window.duration != timedelta(hours=24):
        return  # a wall clock that jumps cannot be counted minute by minute; the tests above look at those days
    opened = open_intervals(hours, window, zone)
    minute = window.start
    while minute < window.end:
        wall = minute.astimezone(zone)
        at = wall.hour * 60 + wall.minute
        inside = any(
            (h.weekday == wall.weekday() and h.opens <= at < h.closes)
            or ((h.weekday + 1) % 7 == wall.weekday() and at + 1440 < h.closes)
            for h in hours
        )
        assert any(one.start <= minute < one.end for one in opened) == inside
        minute += timedelta(minutes=30)
