"""Who gets which unit: a table of cases for each rule. That nothing is missed is shown in test_allocation_model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from b24app.scheduling.allocation import (
    Asked,
    Buffer,
    Held,
    Obstacle,
    Place,
    Repacked,
    Requirement,
    Seat,
    Wish,
    assign,
    obstacles,
    repack,
)
from b24app.scheduling.hours import Reason
from b24app.scheduling.interval import Interval

MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)


def at(start: float, end: float) -> Interval:
    """From one hour to another one."""
    return Interval(MIDNIGHT + timedelta(hours=start), MIDNIGHT + timedelta(hours=end))


def minutes(before: int, after: int) -> Buffer:
    return Buffer(timedelta(minutes=before), timedelta(minutes=after))


def place(resource_id: int, *units: int, kind: str = "equipment", **traits: Any) -> Place:
    """Open from 8 to 20; its only unit has the same number unless told otherwise."""
    return Place(resource_id, kind, units or (resource_id,), **{"opened": (at(8, 20),)} | traits)


def places(*some: Place) -> dict[int, Place]:
    return {one.resource_id: one for one in some}


def units_of(seats: Sequence[Seat] | None) -> list[int] | None:
    return None if seats is None else [seat.unit_id for seat in seats]


ROOM, OTHER_ROOM = place(1, kind="room", capacity=4), place(2, kind="room", capacity=6)
POOL = place(3, 31, 32, 33)
HALF, OTHER_HALF = place(4, kind="hall", capacity=10), place(5, kind="hall", capacity=10)
HALL = place(6, 4, 5, kind="hall", whole=True, capacity=25)
ALL = places(ROOM, OTHER_ROOM, POOL, HALF, OTHER_HALF, HALL)
NOON = at(12, 13)


def test_a_seat_tells_unit_resource_and_time() -> None:
    assert assign([Requirement((1,))], ALL, {}, NOON) == (Seat(1, 1, NOON),)


@pytest.mark.parametrize(
    ("taken", "free"),
    [
        (at(11, 12), True),
        (at(13, 14), True),
        (at(11, 12.1), False),
        (at(12.9, 14), False),
        (at(12.4, 12.5), False),
        (at(11, 14), False),
    ],
)
def test_touching_is_no_overlap(taken: Interval, free: bool) -> None:
    assert (assign([Requirement((1,))], ALL, {1: [taken]}, NOON) is not None) is free


@pytest.mark.parametrize("wanted", [at(7.5, 9), at(19, 20.5), at(21, 22), at(12, 15)])
def test_all_of_it_must_lie_within_one_open_stretch(wanted: Interval) -> None:
    lunch = places(place(1, opened=(at(8, 13), at(14, 20))))
    assert assign([Requirement((1,))], lunch, {}, wanted) is None
    assert assign([Requirement((1,))], lunch, {}, at(8, 13)) is not None


@pytest.mark.parametrize(
    ("own", "of_service", "occupied"),
    [
        (minutes(0, 0), minutes(0, 0), at(12, 13)),
        (minutes(30, 0), minutes(15, 0), at(11.5, 13)),
        (minutes(0, 15), minutes(0, 30), at(12, 13.5)),
        (minutes(30, 15), minutes(15, 30), at(11.5, 13.5)),
    ],
)
def test_of_two_buffers_the_longer_one_counts_on_either_side(
    own: Buffer, of_service: Buffer, occupied: Interval
) -> None:
    assert assign([Requirement((1,))], places(place(1, buffer=own)), {}, NOON, buffer=of_service) == (
        Seat(1, 1, occupied),
    )


@pytest.mark.parametrize(("start", "free"), [(12, False), (12.25, False), (12.5, True)])
def test_buffers_of_neighbours_add_up(start: float, free: bool) -> None:
    """Taken until 12:00 and a quarter of an hour for cleaning; the next one needs one to prepare."""
    found = assign([Requirement((1,))], ALL, {1: [at(11, 12.25)]}, at(start, 13), buffer=minutes(15, 15))
    assert (found is not None) is free


def test_buffers_may_lie_outside_of_the_hours() -> None:
    (seat,) = assign([Requirement((1,))], ALL, {}, at(8, 20), buffer=minutes(30, 30)) or ()
    assert seat.during == at(7.5, 20.5)


def test_the_first_requirement_gives_way_to_one_that_has_no_other_option() -> None:
    found = assign([Requirement((1, 2)), Requirement((1,))], ALL, {}, NOON)
    assert {(seat.resource_id, seat.unit_id) for seat in found or ()} == {(1, 1), (2, 2)}
    assert assign([Requirement((1,)), Requirement((1,))], ALL, {}, NOON) is None


def test_seats_are_sorted_by_unit() -> None:
    assert units_of(assign([Requirement((3,), 2), Requirement((1,))], ALL, {}, NOON)) == [1, 31, 32]


@pytest.mark.parametrize(
    ("quantity", "taken", "units"),
    [
        (1, {}, [31]),
        (3, {}, [31, 32, 33]),
        (4, {}, [1, 31, 32, 33]),
        (5, {}, None),
        (2, {31: [NOON], 33: [NOON]}, [1, 32]),
        (3, {31: [NOON], 33: [NOON]}, None),
    ],
)
def test_a_quantity_may_be_spread_over_options(
    quantity: int, taken: dict[int, list[Interval]], units: list[int] | None
) -> None:
    assert units_of(assign([Requirement((3, 1), quantity)], ALL, taken, NOON)) == units


def test_a_requirement_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        Requirement((1,), 0)


def test_resources_that_are_no_longer_there_and_repeated_ones_do_not_count() -> None:
    assert units_of(assign([Requirement((99, 1, 1))], ALL, {}, NOON)) == [1]
    assert assign([Requirement((99, 1, 1), 2)], ALL, {}, NOON) is None


def test_a_thousand_chairs_are_no_matter() -> None:
    chairs = places(place(1, *range(1000, 2200)))
    assert units_of(assign([Requirement((1,), 1150)], chairs, {}, NOON)) == [*range(1000, 2150)]


def test_a_large_pool_leaves_those_that_only_they_will_do() -> None:
    """Who takes the first chairs that come takes the two that belong to the stage."""
    chairs, stage = place(1, *range(1000, 1300)), place(2, 1000, 1001, whole=True)
    found = assign([Requirement((1,), 298), Requirement((2,))], places(chairs, stage), {}, NOON)
    assert [seat.resource_id for seat in found or ()] == [2, 2, *[1] * 298]
    assert assign([Requirement((1,), 299), Requirement((2,))], places(chairs, stage), {}, NOON) is None


@pytest.mark.parametrize(
    ("wanted", "taken", "free"),
    [
        (6, [], True),
        (6, [4], False),  # a half is taken: so is the hall
        (6, [5], False),
        (4, [4, 5], False),  # the hall is taken: so are its halves
        (5, [4], True),
    ],
)
def test_a_composite_and_its_parts_block_each_other(wanted: int, taken: list[int], free: bool) -> None:
    found = assign([Requirement((wanted,))], ALL, {unit: [NOON] for unit in taken}, NOON)
    assert (found is not None) is free


def test_a_composite_takes_all_of_its_units_and_counts_as_one() -> None:
    assert assign([Requirement((6,))], ALL, {}, NOON) == (Seat(6, 4, NOON), Seat(6, 5, NOON))
    assert assign([Requirement((6,)), Requirement((4, 1))], ALL, {}, NOON) == (
        Seat(1, 1, NOON),
        Seat(6, 4, NOON),
        Seat(6, 5, NOON),
    )
    assert assign([Requirement((6, 4), 2)], ALL, {}, NOON) is None


def test_a_composite_without_parts_cannot_be_had() -> None:
    assert assign([Requirement((1,))], {1: Place(1, "hall", (), whole=True, opened=(at(0, 24),))}, {}, NOON) is None


def test_a_choice_that_turns_out_to_lead_nowhere_is_taken_back() -> None:
    """After the first composite there still are enough units and composites, but each two of these share unit 2."""
    parts = [(8, 9), (1, 2), (2, 3), (2, 4), (8, 5), (9, 6)]
    composites = places(*(place(number, *units, whole=True) for number, units in enumerate(parts, 1)))
    found = assign([Requirement(tuple(composites), 3)], composites, {}, NOON)
    assert {seat.resource_id for seat in found or ()} == {2, 5, 6}


def test_whoever_is_one_short_is_told_so_without_trying_every_order() -> None:
    """Five times four of nineteen people; in each group some of the others could help out."""
    people = places(*(place(number) for number in range(1, 20)))
    groups = [tuple(n for n in people if n % 5 != group) for group in range(5)]
    assert assign([Requirement(group, 4) for group in groups], people, {}, NOON) is None
    fewer = [Requirement(group, 4 if number else 3) for number, group in enumerate(groups)]
    assert assign(fewer, people, {}, NOON) is not None


BUSES = place(7, 71, 72, 73, kind="vehicle", capacity=20)


@pytest.mark.parametrize(
    ("options", "quantity", "party", "units"),
    [
        ((1, 2), 1, 4, [1]),
        ((1, 2), 1, 5, [2]),
        ((1, 2), 1, 7, None),
        ((1, 2), 2, 10, [1, 2]),
        ((1, 2), 2, 11, None),
        ((7,), 1, 21, None),
        ((7,), 2, 40, [71, 72]),
        ((4, 6), 1, 20, [4, 5]),  # together the halves hold more than one by one
        ((4, 5), 2, 20, [4, 5]),
        ((1, 2, 6), 2, 31, [2, 4, 5]),
        ((3,), 1, 500, [31]),  # nobody sits in a projector
    ],
)
def test_where_people_sit_the_party_has_to_fit(
    options: tuple[int, ...], quantity: int, party: int, units: list[int] | None
) -> None:
    found = assign([Requirement(options, quantity)], ALL | places(BUSES), {}, NOON, party=party)
    assert units_of(found) == units


def test_each_requirement_in_which_people_sit_holds_the_whole_party() -> None:
    assert assign([Requirement((1,)), Requirement((2,))], ALL, {}, NOON, party=5) is None
    assert assign([Requirement((3,)), Requirement((2,))], ALL, {}, NOON, party=5) is not None


def test_the_party_counts_anew_for_a_requirement_that_others_gave_way_to() -> None:
    found = assign([Requirement((2, 4)), Requirement((1, 2))], ALL, {}, NOON, party=5)
    assert {(seat.resource_id, seat.unit_id) for seat in found or ()} == {(4, 4), (2, 2)}


@pytest.mark.parametrize(
    ("requirements", "wish", "units"),
    [
        ([Requirement((1, 2))], Wish(frozenset({2})), [2]),
        ([Requirement((3,))], Wish(units=frozenset({33})), [33]),
        ([Requirement((3,), 2)], Wish(units=frozenset({33})), [31, 33]),
        ([Requirement((1, 6))], Wish(units=frozenset({5})), [4, 5]),
        ([Requirement((1, 2, 3), 2)], Wish(frozenset({3}), frozenset({2})), [2, 31]),
        ([Requirement((1, 2)), Requirement((1, 4))], Wish(frozenset({2, 4})), [2, 4]),
        ([Requirement((1, 2))], Wish(frozenset({3})), None),
        ([Requirement((1, 2))], Wish(units=frozenset({31})), None),
        ([Requirement((1, 2))], Wish(frozenset({1, 2})), None),
    ],
)
def test_what_was_picked_by_hand_must_be_used(
    requirements: list[Requirement], wish: Wish, units: list[int] | None
) -> None:
    assert units_of(assign(requirements, ALL, {}, NOON, wish=wish)) == units


def test_a_picked_unit_comes_no_earlier_than_a_picked_resource() -> None:
    """Both are picked by hand; among them the order is as given."""
    wish = Wish(frozenset({2}), frozenset({33}))
    requirements = [Requirement((2, 3)), Requirement((1, 2)), Requirement((1, 3))]
    assert units_of(assign(requirements, ALL, {}, NOON, wish=wish)) == [1, 2, 33]


def test_what_was_picked_by_hand_is_not_replaced_when_it_is_taken() -> None:
    assert assign([Requirement((1, 2))], ALL, {2: [NOON]}, NOON, wish=Wish(frozenset({2}))) is None


MASTERS = places(
    place(1, load=300, city="Тверь"),
    place(2, load=60, city="Клин"),
    place(3, load=60, city="Тверь"),
)


@pytest.mark.parametrize(
    ("asked", "units"),
    [
        (Asked(), [2]),
        (Asked(preference="order", near="Тверь"), [2]),
        (Asked(preference="least_used"), [2]),
        (Asked(preference="nearest", near="Тверь"), [1]),
        (Asked(preference="nearest", near="Псков"), [2]),
        (Asked(preference="nearest"), [2]),
        (Asked(preference="nearest", near="Тверь", wish=Wish(frozenset({2}))), [2]),
    ],
)
def test_options_come_in_the_order_that_is_preferred(asked: Asked, units: list[int]) -> None:
    assert units_of(assign([Requirement((2, 1, 3))], MASTERS, {}, NOON, **asked)) == units


def test_the_least_used_comes_first_and_equal_ones_as_given() -> None:
    assert units_of(assign([Requirement((1, 3, 2), 2)], MASTERS, {}, NOON, preference="least_used")) == [2, 3]


@pytest.mark.parametrize(
    ("taken", "unit"),
    [
        ({}, 31),
        ({33: [at(11, 12), at(13, 14)]}, 33),  # fits exactly
        ({32: [at(9, 10)], 33: [at(11, 12)]}, 33),
        ({31: [at(14, 15)], 32: [at(10, 11), at(14, 15)], 33: [at(10, 11)]}, 32),
        ({31: [at(-60, -40)], 33: [at(70, 80)]}, 31),  # gaps of more than a day are all the same
    ],
)
def test_a_pool_fills_its_tightest_gap_first(taken: dict[int, list[Interval]], unit: int) -> None:
    assert units_of(assign([Requirement((3,))], ALL, taken, NOON)) == [unit]


# Why not.


@pytest.mark.parametrize(
    ("requirements", "taken", "asked", "told"),
    [
        ([Requirement((1,))], {}, Asked(), []),
        (
            [Requirement((1,))],
            {1: [at(12.5, 14), at(9, 10)]},
            Asked(),
            [("taken", 1, {"from": "2026-03-10T12:30:00+00:00", "until": "2026-03-10T14:00:00+00:00"})],
        ),
        (
            [Requirement((1,))],
            {1: [at(11, 12)]},
            Asked(buffer=minutes(15, 0)),
            [("buffer", 1, {"from": "2026-03-10T11:00:00+00:00", "until": "2026-03-10T12:00:00+00:00"})],
        ),
        (
            [Requirement((3,))],  # of a pool the unit that comes free first
            {31: [at(11, 15)], 32: [at(10, 12.5)], 33: [at(11, 14)]},
            Asked(),
            [("taken", 3, {"from": "2026-03-10T10:00:00+00:00", "until": "2026-03-10T12:30:00+00:00"})],
        ),
        (
            [Requirement((6,))],  # of a composite the part that comes free last
            {4: [at(11, 15)], 5: [at(10, 12.5)]},
            Asked(),
            [("taken", 6, {"from": "2026-03-10T11:00:00+00:00", "until": "2026-03-10T15:00:00+00:00"})],
        ),
        ([Requirement((3,), 3)], {32: [NOON]}, Asked(), [("too_few_units", 3, {"free": 2, "needed": 3})]),
        ([Requirement((6, 4), 2)], {}, Asked(), [("too_few_units", None, {"free": 1, "needed": 2})]),
        ([Requirement((99,))], {}, Asked(), [("too_few_units", None, {"free": 0, "needed": 1})]),
        ([Requirement((1,))], {}, Asked(party=9), [("too_small", 1, {"capacity": 4, "party": 9})]),
        ([Requirement((1, 2))], {}, Asked(party=9), [("too_small", None, {"capacity": 6, "party": 9})]),
        ([Requirement((1, 2, 4), 2)], {}, Asked(party=30), [("too_small", None, {"capacity": 16, "party": 30})]),
        (
            [Requirement((1, 2))],
            {},
            Asked(party=5, wish=Wish(frozenset({1}))),
            [("too_small", 1, {"capacity": 4, "party": 5})],
        ),
        ([Requirement((1,))], {}, Asked(wish=Wish(frozenset({3}))), [("not_able", 3, {})]),
        ([Requirement((1,))], {}, Asked(wish=Wish(units=frozenset({31}))), [("not_able", None, {"unit": 31})]),
        ([Requirement((1,)), Requirement((1,))], {}, Asked(), [("nothing_left", None, {})]),
        ([Requirement((6,)), Requirement((4,))], {}, Asked(), [("nothing_left", None, {})]),
        ([Requirement((1, 2))], {}, Asked(wish=Wish(frozenset({1, 2}))), [("nothing_left", None, {})]),
    ],
)
def test_what_is_in_the_way_has_a_code(
    requirements: list[Requirement],
    taken: dict[int, list[Interval]],
    asked: Asked,
    told: list[tuple[str, int | None, dict[str, Any]]],
) -> None:
    assert obstacles(requirements, ALL, taken, NOON, closed={}, **asked) == [Obstacle(*one) for one in told]


def test_what_was_picked_and_is_taken_is_told_alone() -> None:
    """Not also of the others, who are free but were not asked for."""
    wish = Wish(frozenset({2}), frozenset({32}))
    requirements = [Requirement((1, 2)), Requirement((3,))]
    told = obstacles(requirements, ALL, {2: [NOON], 32: [NOON]}, NOON, closed={}, wish=wish)
    assert [(one.code, one.resource_id) for one in told] == [("taken", 2), ("taken", 3)]


def test_closed_tells_why() -> None:
    night = at(21, 22)
    why = {1: Reason("hours", {"hours": "8:00–20:00"}), 2: None}
    told = obstacles([Requirement((1, 2))], ALL, {1: [night]}, night, closed=why)
    assert told == [
        Obstacle("closed", 1, {"code": "hours", "params": {"hours": "8:00–20:00"}}),
        Obstacle("closed", 2, {}),
    ]


def test_each_requirement_that_cannot_be_met_is_told() -> None:
    told = obstacles(
        [Requirement((1,)), Requirement((2,)), Requirement((3,))], ALL, {1: [NOON], 2: [NOON]}, NOON, closed={}
    )
    assert [(one.code, one.resource_id) for one in told] == [("taken", 1), ("taken", 2)]


# Re-seating.


def held(unit: int, start: float, end: float, *, movable: bool = True) -> Held:
    return Held((unit, start), unit, at(start, end), movable)


def test_a_pool_that_only_looks_full_is_seated_anew() -> None:
    """Free from 9 to 10 on one unit and from 10 to 11 on the other: by moving one, from 9 to 11."""
    before = [held(1, 8, 9), held(1, 10, 12), held(2, 8, 10), held(2, 11, 12)]
    assert repack([1, 2], before, [at(9, 11)]) == Repacked(((1, 2), (3, 1)), (1,))


def test_nothing_moves_when_it_fits_as_it_is() -> None:
    """The short one does not take the only place of the long one."""
    before = [held(2, 10, 12)]
    assert repack([1, 2], before, [at(8, 10), at(8, 12)]) == Repacked((), (2, 1))


def test_only_those_in_the_way_move_if_that_is_enough() -> None:
    before = [held(1, 8, 10), held(2, 9, 11), held(3, 8, 9), held(3, 12, 20), held(1, 13, 20)]
    found = repack([1, 2, 3], before, [at(9, 13)])
    assert found is not None
    assert {before[index].key for index, _ in found.moves} <= {(1, 8), (2, 9), (3, 12), (1, 13)}
    assert len(found.moves) == 1


def test_as_few_as_possible_have_to_move() -> None:
    """From 9:00 on the first unit would disturb two, the second one only one; the third is not free before 9:12."""
    before = [held(1, 9.5, 10), held(1, 11, 12), held(2, 9.5, 12), held(3, 8, 9.2)]
    assert repack([1, 2, 3], before, [at(9, 12)]) == Repacked(((2, 3),), (2,))


def test_those_move_too_who_are_in_the_way_of_a_move() -> None:
    """The third unit is pinned in the evening; who is in the way can only go where another one has to leave first."""
    before = [held(1, 8, 10), held(2, 8, 9), held(2, 12, 20, movable=False)]
    found = repack([1, 2], before, [at(9, 13)])
    assert found == Repacked(((0, 2), (1, 1)), (1,))


@pytest.mark.parametrize("pinned", [0, 1, 2, 3])
def test_the_unmovable_stay(pinned: int) -> None:
    before = [held(1, 8, 9), held(1, 10, 12), held(2, 8, 10), held(2, 11, 12)]
    before[pinned] = Held("pinned", before[pinned].unit_id, before[pinned].during, movable=False)
    found = repack([1, 2], before, [at(9, 11)])
    assert found is not None
    assert pinned not in dict(found.moves)


def test_where_nothing_may_move_nothing_is_found() -> None:
    before = [held(1, 10, 12, movable=False), held(2, 8, 10, movable=False)]
    assert repack([1, 2], before, [at(9, 11)]) is None


def test_one_more_than_there_are_units_is_too_many() -> None:
    before = [held(1, 8, 10), held(2, 9, 11)]
    assert repack([1, 2], before, [at(9.5, 10)]) is None
    assert repack([1, 2], before, [at(10, 12)]) is not None
    assert repack([1, 2], [], [NOON, NOON, NOON]) is None
    assert repack([], [], [NOON]) is None


def test_several_at_once_get_different_units_in_the_order_asked() -> None:
    found = repack([1, 2, 3], [held(2, 12, 13)], [at(14, 15), NOON, NOON])
    assert found is not None
    assert sorted(found.seats[1:]) == [1, 3]
    assert found.moves == ()


def test_what_is_held_elsewhere_stays_and_takes_no_room() -> None:
    assert repack([1], [held(9, 8, 20)], [NOON]) == Repacked((), (1,))


def test_a_way_is_found_among_millions_that_lead_nowhere() -> None:
    """The first one has to leave its unit, which shows only after all others were seated in each order."""
    units = [1, 2, 3, 4, 5]
    short = [held(unit, hour, hour + 1) for hour in range(5) for unit in units[1:]]
    evening = [held(unit, 20, 30, movable=False) for unit in units[1:]]
    first = Held("first", 1, at(0, 10), movable=True)
    found = repack(units, [first, *short, *evening], [at(8, 25)])
    assert found is not None
    assert found.seats == (1,)
    assert 0 in dict(found.moves)
