"""What is offered: a table of cases for each rule. That nothing is missed is shown in test_allocation_model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from b24app.scheduling.allocation import Asked, Buffer, Place, Requirement, Wish
from b24app.scheduling.availability import AskedTimes, Slot, free_slots, grid, nearest, next_free
from b24app.scheduling.interval import Interval

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
MIDNIGHT = datetime(2026, 3, 10, tzinfo=MOSCOW).astimezone(UTC)
DAY = Interval(MIDNIGHT, MIDNIGHT + timedelta(days=1))
LONG_AGO = MIDNIGHT - timedelta(days=30)


def at(start: float, end: float) -> Interval:
    """From one hour of the day to another one."""
    return Interval(MIDNIGHT + timedelta(hours=start), MIDNIGHT + timedelta(hours=end))


def place(resource_id: int, *units: int, kind: str = "room", opened: tuple[Interval, ...] = (at(9, 13),)) -> Place:
    return Place(resource_id, kind, units or (resource_id,), capacity=4, opened=opened)


def hourly(**more: object) -> AskedTimes:
    asked = AskedTimes(minutes=60, step_minutes=60, zone=MOSCOW, now=LONG_AGO)
    asked.update(more)  # type: ignore[typeddict-item]
    return asked


def hours(slots: Sequence[Slot]) -> list[float]:
    return [(slot.interval.start - MIDNIGHT) / timedelta(hours=1) for slot in slots]


ROOM = {1: place(1)}
ONE_ROOM = [Requirement((1,))]


def test_a_day_is_offered_in_steps() -> None:
    assert free_slots(ONE_ROOM, ROOM, {}, DAY, **hourly()) == [Slot(at(hour, hour + 1), 1) for hour in (9, 10, 11, 12)]


def test_what_is_taken_and_where_it_would_not_fit_is_not_offered() -> None:
    assert hours(free_slots(ONE_ROOM, ROOM, {1: [at(10.5, 11)]}, DAY, **hourly())) == [9, 11, 12]
    assert hours(free_slots(ONE_ROOM, ROOM, {}, DAY, **hourly(minutes=150, step_minutes=30))) == [9, 9.5, 10, 10.5]


@pytest.mark.parametrize(
    ("before", "after", "offered"),
    [
        (0, 0, [9, 9.5, 10, 12, 12.5, 13]),
        (30, 0, [9, 9.5, 10, 12.5, 13]),
        (0, 30, [9, 9.5, 12, 12.5, 13]),
        (15, 15, [9, 9.5, 12.5, 13]),
    ],
)
def test_buffers_are_kept_and_never_offered(before: int, after: int, offered: list[float]) -> None:
    """Taken from 11 to 12; at the edges of the day the buffers lie outside of the hours."""
    room = {1: place(1, opened=(at(9, 14),))}
    buffer = Buffer(timedelta(minutes=before), timedelta(minutes=after))
    assert (
        hours(free_slots(ONE_ROOM, room, {1: [at(11, 12)]}, DAY, **hourly(step_minutes=30, buffer=buffer))) == offered
    )


@pytest.mark.parametrize(
    ("now", "earliest", "offered"),
    [
        (at(9, 10).start, None, [9, 10, 11, 12]),
        (at(9.01, 10).start, None, [10, 11, 12]),
        (LONG_AGO, at(10.5, 11).start, [11, 12]),
        (at(12, 13).start, at(10.5, 11).start, [12]),
        (at(13, 14).start, None, []),
    ],
)
def test_nothing_begins_in_the_past_or_within_the_notice(
    now: datetime, earliest: datetime | None, offered: list[float]
) -> None:
    assert hours(free_slots(ONE_ROOM, ROOM, {}, DAY, **hourly(now=now, earliest=earliest))) == offered


def test_what_starts_in_the_window_may_end_after_it() -> None:
    night = {1: place(1, opened=(at(22, 26),))}
    assert hours(free_slots(ONE_ROOM, night, {}, DAY, **hourly(minutes=120))) == [22, 23]
    assert hours(free_slots(ONE_ROOM, night, {}, at(24, 48), **hourly(minutes=120))) == [24]


def test_a_week_is_seven_days() -> None:
    week = {1: place(1, opened=tuple(at(24 * day + 9, 24 * day + 13) for day in range(7)))}
    assert len(free_slots(ONE_ROOM, week, {1: [at(34, 35)]}, at(0, 7 * 24), **hourly())) == 27


SPECIALISTS_AND_ROOM = [Requirement((1, 2)), Requirement((3,))]
STAFF = {1: place(1, kind="specialist"), 2: place(2, kind="specialist"), 3: place(3)}


def test_all_that_is_required_has_to_be_free_at_once() -> None:
    taken = {1: [at(9, 11)], 2: [at(10, 12)], 3: [at(12, 13)]}
    assert hours(free_slots(SPECIALISTS_AND_ROOM, STAFF, taken, DAY, **hourly())) == [9, 11]


@pytest.mark.parametrize(
    ("requirements", "left"),
    [
        ([Requirement((1,))], 5),
        ([Requirement((1,), 2)], 2),
        ([Requirement((1, 2))], 6),
        ([Requirement((1,)), Requirement((2,))], 1),
        ([Requirement((1,)), Requirement((1,))], 2),  # of the same five
        ([Requirement((1, 2)), Requirement((2, 1))], 3),
        ([Requirement((3,))], 1),
        ([Requirement((2, 3))], 1),  # either the part or the composite of it
        ([Requirement((1, 3))], 5),
    ],
)
def test_left_is_how_often_all_of_it_could_be_had(requirements: list[Requirement], left: int) -> None:
    places = {
        1: place(1, 11, 12, 13, 14, 15),
        2: place(2, 21),
        3: Place(3, "room", (21, 11), whole=True, capacity=4, opened=(at(9, 10),)),
    }
    assert free_slots(requirements, places, {}, DAY, **hourly())[0] == Slot(at(9, 10), left)


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (Asked(party=2), 3),
        (Asked(party=5), 2),
        (Asked(wish=Wish(frozenset({2}))), 2),
        (Asked(wish=Wish(units=frozenset({21}))), 1),
    ],
)
def test_left_counts_what_suits_the_party_and_what_was_picked(asked: Asked, left: int) -> None:
    places = {1: place(1), 2: Place(2, "room", (21, 22), capacity=8, opened=(at(9, 10),))}
    (slot,) = free_slots([Requirement((1, 2))], places, {}, at(9, 10), **hourly(**asked))
    assert slot.left == left


def test_the_next_free_time_is_the_first_of_all() -> None:
    asked = hourly(step_minutes=15)
    assert next_free(ONE_ROOM, ROOM, {1: [at(9.5, 10)]}, DAY, **asked) == Slot(at(10, 11), 1)
    assert next_free(ONE_ROOM, ROOM, {1: [at(9, 12.5)]}, DAY, **asked) is None


@pytest.mark.parametrize(
    ("wanted", "count", "chosen"),
    [
        (10, 3, [9, 10, 11]),
        (10.25, 2, [9.25, 10.25]),  # 11:15 is as near, and later
        (10.25, 9, [9.25, 10.25, 11.25]),
        (8, 1, [9]),
        (20, 2, [11, 12]),
        (10, 0, []),
    ],
)
def test_the_nearest_do_not_overlap_and_come_in_order(wanted: float, count: int, chosen: list[float]) -> None:
    slots = free_slots(ONE_ROOM, ROOM, {}, DAY, **hourly(step_minutes=15))
    assert nearest(slots, at(wanted, 24).start, count) == [at(one, one + 1) for one in chosen]


# The grid.


def clock(instants: Sequence[datetime], zone: ZoneInfo) -> list[str]:
    return [f"{instant.astimezone(zone):%H:%M}" for instant in instants]


def test_a_step_that_does_not_divide_the_day_begins_anew_at_midnight() -> None:
    """Counted on from the evening it would say 0:10, which the rules then call off the grid."""
    found = list(grid(at(22, 26).start, at(25.5, 26).start, 50, MOSCOW))
    assert clock(found, MOSCOW) == ["22:30", "23:20", "00:00", "00:50"]


@pytest.mark.parametrize(
    ("month", "day", "step", "shown"),
    [
        (3, 29, 120, ["00:00", "04:00", "06:00"]),  # 2:00 does not exist: not 3:00 instead
        (10, 25, 120, ["00:00", "02:00", "02:00", "04:00", "06:00"]),
        (3, 29, 60, ["00:00", "01:00", "03:00", "04:00", "05:00", "06:00"]),
    ],
)
def test_the_grid_follows_the_wall_clock_over_its_changes(month: int, day: int, step: int, shown: list[str]) -> None:
    midnight = datetime(2026, month, day, tzinfo=BERLIN).astimezone(UTC)
    until = datetime(2026, month, day, 6, tzinfo=BERLIN).astimezone(UTC)
    assert clock(list(grid(midnight, until, step, BERLIN)), BERLIN) == shown


def test_a_free_start_is_a_step_of_one_minute() -> None:
    found = list(grid(at(9.001, 10).start, at(9.05, 10).start, 1, MOSCOW))
    assert clock(found, MOSCOW) == ["09:01", "09:02", "09:03"]


def test_once_a_day_is_a_step_of_a_day() -> None:
    assert list(grid(at(0.5, 1).start, at(50, 51).start, 1440, MOSCOW)) == [at(24, 25).start, at(48, 49).start]
