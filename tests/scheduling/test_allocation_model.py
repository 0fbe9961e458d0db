"""Who gets what, against a model that counts minutes in sets and tries every combination: slow, obvious, and wrong in
no way that ours could be."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24app.scheduling.allocation import (
    NO_BUFFER,
    PEOPLE_KINDS,
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
from b24app.scheduling.availability import AskedTimes, free_slots, grid, next_free
from b24app.scheduling.interval import Interval
from tests.scheduling.cases import examples

pytestmark = pytest.mark.prove

ZERO = datetime(2026, 3, 9, tzinfo=UTC)
ONE = timedelta(minutes=1)
KATHMANDU = ZoneInfo("Asia/Kathmandu")  # +05:45: no hour of it begins with one of UTC
DAY = 1440
FIRST, LAST = 100, 160  # the minutes in which everything happens


def span(start: int, end: int) -> Interval:
    return Interval(ZERO + start * ONE, ZERO + end * ONE)


def minutes_of(interval: Interval) -> set[int]:
    return set(range((interval.start - ZERO) // ONE, (interval.end - ZERO) // ONE))


def counted(intervals: Iterable[Interval]) -> set[int]:
    return set().union(*(minutes_of(one) for one in intervals))


@dataclass(frozen=True)
class World:
    """One question: what is required of which places, what is taken, and what is asked besides."""

    requirements: tuple[Requirement, ...]
    places: Mapping[int, Place]
    taken: Mapping[int, tuple[Interval, ...]]
    asked: Asked = field(default_factory=Asked)


# The slow and obvious way.

Item = tuple[int, frozenset[int]]  # a resource and the units of it that are used


def longer(place: Place, buffer: Buffer) -> tuple[int, int]:
    before = max(place.buffer.before, buffer.before) // ONE
    after = max(place.buffer.after, buffer.after) // ONE
    return before, after


def is_free(world: World, place: Place, units: Iterable[int], wanted: Interval) -> bool:
    before, after = longer(place, world.asked.get("buffer", NO_BUFFER))
    start, end = min(minutes_of(wanted)), max(minutes_of(wanted)) + 1
    occupied = set(range(start - before, end + after))
    return minutes_of(wanted) <= counted(place.opened) and all(
        not occupied & counted(world.taken.get(unit, ())) for unit in units
    )


def idle_minutes(world: World, place: Place, unit: int, wanted: Interval) -> int:
    """Free minutes that would be left beside the booking, up to a day on either side."""
    before, after = longer(place, world.asked.get("buffer", NO_BUFFER))
    start, end = min(minutes_of(wanted)) - before, max(minutes_of(wanted)) + 1 + after
    taken = counted(world.taken.get(unit, ()))
    left = min((start - minute - 1 for minute in taken if minute < start), default=DAY)
    right = min((minute - end for minute in taken if minute >= end), default=DAY)
    return left + right


def items(world: World, requirement: Requirement, wanted: Interval) -> list[Item]:
    """What could serve the requirement, best first."""
    wish, near = world.asked.get("wish", Wish()), world.asked.get("near", "")
    places = [world.places[one] for one in dict.fromkeys(requirement.options) if one in world.places]
    if world.asked.get("preference") == "least_used":
        places.sort(key=lambda place: place.load)
    if world.asked.get("preference") == "nearest" and near:
        places.sort(key=lambda place: place.city != near)
    found: list[Item] = []
    for place in places:
        groups = [place.units] if place.whole else [(unit,) for unit in place.units]
        free = [group for group in groups if group and is_free(world, place, group, wanted)]
        free.sort(key=lambda group: (idle_minutes(world, place, group[0], wanted), group))
        found += [(place.resource_id, frozenset(group)) for group in free]
    return sorted(found, key=lambda item: item[0] not in wish.resources and not item[1] & wish.units)


def holds(world: World, chosen: Iterable[Item], party: int) -> bool:
    places = [world.places[resource_id] for resource_id, _ in chosen]
    return sum(place.capacity if place.kind in PEOPLE_KINDS else party for place in places) >= party


def combinations(world: World, offers: Sequence[tuple[int, list[Item]]]) -> Iterator[list[Item]]:
    """Every way to take so many items of each offer without a unit twice, in the order of preference."""
    if not offers:
        yield []
        return
    (quantity, some), *others = offers
    for chosen in itertools.combinations(some, quantity):
        used = frozenset[int]().union(*(units for _, units in chosen))
        if len(used) == sum(len(units) for _, units in chosen) and holds(world, chosen, world.asked.get("party", 1)):
            rest = [(many, [item for item in offer if not item[1] & used]) for many, offer in others]
            yield from ([*chosen, *more] for more in combinations(world, rest))


def solution(world: World, wanted: Interval, times: int = 1) -> list[Item] | None:
    """The first way to meet all requirements, `times` over."""
    wish = world.asked.get("wish", Wish())
    offers = [(one.quantity, items(world, one, wanted)) for one in world.requirements] * times
    for chosen in combinations(world, offers):
        units = frozenset[int]().union(*(units for _, units in chosen))
        if wish.resources <= {resource_id for resource_id, _ in chosen} and wish.units <= units:
            return chosen
    return None


def seats(world: World, chosen: Iterable[Item], wanted: Interval) -> tuple[Seat, ...]:
    found = []
    for resource_id, units in chosen:
        before, after = longer(world.places[resource_id], world.asked.get("buffer", NO_BUFFER))
        during = Interval(wanted.start - before * ONE, wanted.end + after * ONE)
        found += [Seat(resource_id, unit, during) for unit in units]
    return tuple(sorted(found, key=lambda seat: seat.unit_id))


# Worlds: small and crowded, so that every second question is a hard one.

ALWAYS = (span(0, 300),)
OPENINGS = [*[ALWAYS] * 6, (span(FIRST, 130),), (span(110, 125), span(126, LAST))]
BUFFERS = [NO_BUFFER, NO_BUFFER, Buffer(2 * ONE), Buffer(after=3 * ONE), Buffer(5 * ONE, 4 * ONE)]
SPANS = [span(start, start + length) for length in (3, 7, 1, 12) for start in range(FIRST, LAST)]
SINGLES_AND_A_POOL = [(1,), (2,), (3, 4, 5), (6,)]
COMPOSITES = [units for size in (2, 3) for units in itertools.combinations(range(1, 7), size)]
NO_RESOURCE = 9
WISHES = [Wish(frozenset({a, b} - {0}), frozenset({c} - {0})) for c in range(7) for b in range(7) for a in range(7)]


def of_all(*choices: Sequence[Any]) -> st.SearchStrategy[list[Any]]:
    """One of each. Drawn as one number, since drawing is what takes the time here."""
    return st.integers(0, math.prod(map(len, choices)) - 1).map(lambda number: dealt(number, choices))


def dealt(number: int, choices: Iterable[Sequence[Any]]) -> list[Any]:
    found = []
    for some in choices:
        number, index = divmod(number, len(some))
        found.append(some[index])
    return found


spans = st.sampled_from(SPANS)
traits = of_all(["room", "equipment"], [1, 2, 3, 4], ["", "Тверь"], BUFFERS, OPENINGS, [0, 1, 2])
holdings = of_all([0, 1, 2, 1], SPANS, SPANS).map(lambda drawn: tuple(drawn[1 : 1 + drawn[0]]))
besides = of_all([1, 1, 2, 3, 5], ["order", "least_used", "nearest"], ["", "Тверь"], [*[Wish()] * 400, *WISHES])


@st.composite
def worlds(draw: st.DrawFn, *, plain: bool = False) -> World:
    """`plain` ones have no wishes, and no party that needs several rooms."""
    shapes = [(units, False) for units in SINGLES_AND_A_POOL]
    shapes += [(units, True) for units in draw(st.lists(st.sampled_from(COMPOSITES), max_size=2))]
    places = {}
    for number, (units, whole) in enumerate(shapes, 1):
        kind, capacity, city, buffer, opened, load = draw(traits)
        places[number] = Place(number, kind, units, whole, capacity, city, buffer, opened, load)
    options = st.lists(st.sampled_from([*places, *places, *places, NO_RESOURCE]), min_size=2, max_size=6).map(tuple)
    required = st.builds(Requirement, options, st.sampled_from([1, 1, 1, 1, 2, 3]))
    requirements = tuple(draw(st.lists(required, min_size=1, max_size=3)))
    taken = {unit: draw(holdings) for unit in range(1, 7)}
    asked = Asked(buffer=draw(st.sampled_from(BUFFERS)))
    if not plain:
        asked["party"], asked["preference"], asked["near"], asked["wish"] = draw(besides)
    return World(requirements, places, taken, asked)


@examples(250, 12_000)
@given(worlds(), spans)
def test_an_assignment_is_the_best_of_all_there_are(world: World, wanted: Interval) -> None:
    best = solution(world, wanted)
    found = assign(world.requirements, world.places, world.taken, wanted, **world.asked)
    assert found == (None if best is None else seats(world, best, wanted))


@examples(120, 6_000)
@given(worlds(), spans)
def test_what_is_in_the_way_is_told_truly_whenever_something_is(world: World, wanted: Interval) -> None:
    told = obstacles(world.requirements, world.places, world.taken, wanted, closed={}, **world.asked)
    assert bool(told) == (solution(world, wanted) is None)
    for obstacle in told:
        assert is_true(world, wanted, obstacle)


def is_true(world: World, wanted: Interval, obstacle: Obstacle) -> bool:
    if obstacle.code in {"closed", "taken", "buffer"}:
        assert obstacle.resource_id is not None
        return hinders(world, wanted, obstacle, world.places[obstacle.resource_id])
    if obstacle.code == "not_able":
        able = [world.places[one] for need in world.requirements for one in need.options if one in world.places]
        return all(obstacle.resource_id != p.resource_id and obstacle.params.get("unit") not in p.units for p in able)
    alone = [
        replace(world, requirements=(one,), asked=Asked(buffer=world.asked["buffer"])) for one in world.requirements
    ]
    party = world.asked["party"]
    if obstacle.code == "nothing_left":
        return all(solution(with_party(one, party), wanted) for one in alone)
    if obstacle.code == "too_small":
        capacity = obstacle.params["capacity"]
        assert capacity < obstacle.params["party"] == party
        return any(solution(with_party(one, capacity), wanted) for one in alone)
    free, needed = obstacle.params["free"], obstacle.params["needed"]
    short = [one for one in alone if one.requirements[0].quantity == needed]
    return free < needed and any(most_pieces(one, wanted) == free for one in short)


def hinders(world: World, wanted: Interval, obstacle: Obstacle, place: Place) -> bool:
    """Whether the place is closed, or entirely taken by what is told and at least so near."""
    if obstacle.code == "closed":
        return not minutes_of(wanted) <= counted(place.opened)
    held = Interval(*(datetime.fromisoformat(obstacle.params[edge]) for edge in ("from", "until")))
    before, after = longer(place, world.asked["buffer"])
    around = Interval(wanted.start - before * ONE, wanted.end + after * ONE)
    return (
        any(held in world.taken[unit] for unit in place.units)
        and bool(minutes_of(held) & minutes_of(around))
        and bool(minutes_of(held) & minutes_of(wanted)) == (obstacle.code == "taken")
    )


def with_party(world: World, party: int) -> World:
    return replace(world, asked=Asked(buffer=world.asked["buffer"], party=party))


def most_pieces(world: World, wanted: Interval) -> int:
    options = world.requirements[0].options
    tries = [quantity for quantity in range(1, 4) if solution(with_quantity(world, options, quantity), wanted)]
    return max(tries, default=0)


def with_quantity(world: World, options: tuple[int, ...], quantity: int) -> World:
    return replace(world, requirements=(Requirement(options, quantity),), asked=with_party(world, 0).asked)


@examples(120, 5_000)
@given(
    worlds(),
    st.integers(FIRST - 10, LAST),
    st.integers(1, 50),
    st.integers(3, 25),
    st.sampled_from([5, 7, 12, 45]),
    st.tuples(st.integers(FIRST - 60, LAST), st.none() | st.integers(FIRST - 60, LAST)),
)
def test_free_slots_are_those_that_can_be_assigned(
    world: World, start: int, wide: int, minutes: int, step: int, since: tuple[int, int | None]
) -> None:
    now, notice = since
    asked = AskedTimes(
        minutes=minutes,
        step_minutes=step,
        zone=KATHMANDU,
        now=ZERO + now * ONE,
        earliest=None if notice is None else ZERO + notice * ONE,
        **world.asked,
    )
    window = span(start, start + wide)
    begin = [one for one in range(start, start + wide) if (one + 345) % step == 0 and one >= max(now, notice or now)]
    expected = [span(one, one + minutes) for one in begin if solution(world, span(one, one + minutes))]
    slots = free_slots(world.requirements, world.places, world.taken, window, **asked)
    assert [slot.interval for slot in slots] == expected
    assert all(slot.left >= 1 for slot in slots)
    assert next_free(world.requirements, world.places, world.taken, window, **asked) == (slots[0] if slots else None)


@examples(80, 3_000)
@given(worlds(plain=True), st.integers(FIRST, LAST), st.integers(1, 12))
def test_what_is_left_can_be_booked_so_often_and_no_more(world: World, start: int, minutes: int) -> None:
    """Book it again and again: each time by the model, and with all bookings planned together."""
    wanted = span(start, start + minutes)
    most = next(n for n in itertools.count() if not solution(world, wanted, times=n + 1))
    slots = free_slots(
        world.requirements,
        world.places,
        world.taken,
        span(start, start + 1),
        minutes=minutes,
        step_minutes=1,
        zone=KATHMANDU,
        now=ZERO,
        **world.asked,
    )
    assert [slot.left for slot in slots] == [most] * bool(most)


ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Asuncion",
]
CHANGES = [
    date(2022, 10, 1),
    date(2022, 10, 29),
    date(2023, 3, 11),
    date(2023, 3, 25),
    date(2023, 4, 1),
    date(2023, 11, 4),
]


@examples(80, 3_000)
@given(
    st.sampled_from(ZONES),
    st.sampled_from(CHANGES),
    st.integers(0, 2 * DAY),
    st.integers(0, 2 * DAY),
    st.sampled_from([1, 7, 15, 45, 50, 90, 120, 600, 1440]),
)
def test_the_grid_is_what_a_clock_on_the_wall_shows(zone: str, day: date, skip: int, wide: int, step: int) -> None:
    """Also over changes of the clock, at midnight too: looked at minute by minute."""
    first = datetime(day.year, day.month, day.day, tzinfo=UTC) + skip * ONE
    minutes = [first + n * ONE for n in range(wide + 1)]
    walls = [one.astimezone(ZoneInfo(zone)) for one in minutes]
    shown = [one for one, wall in zip(minutes, walls, strict=True) if (wall.hour * 60 + wall.minute) % step == 0]
    assert list(grid(first, first + wide * ONE, step, ZoneInfo(zone))) == shown


# Re-seating.

Pool = tuple[list[int], list[Held], list[Interval]]


def pools(units: int, held: int, movable: st.SearchStrategy[bool]) -> st.SearchStrategy[Pool]:
    """A crowded and fragmented pool in which nothing overlaps, and what is wanted of it."""
    spans = st.tuples(st.integers(0, 15), st.integers(1, 6)).map(lambda pair: span(pair[0], sum(pair)))
    tries = st.lists(st.tuples(st.integers(0, units), spans, movable), min_size=held * 2 // 3, max_size=held)
    wanted = st.lists(spans, max_size=1)
    return st.tuples(st.integers(2, units), tries, st.integers(0, 100), wanted).map(pool)


def pool(drawn: tuple[int, list[tuple[int, Interval, bool]], int, list[Interval]]) -> Pool:
    size, tries, number, wanted = drawn
    held: list[Held] = []
    for first, during, movable in tries:
        for unit in [(first + n) % size + 1 for n in range(size)]:
            if not any(one.unit_id == unit and one.during.overlaps(during) for one in held):
                held.append(Held(len(held), unit, during, movable))
                break
    gaps = torn_gaps(size, held) or [span(number % 15, number % 15 + 3)]
    return list(range(1, size + 1)), held, [gaps[number % len(gaps)], *wanted]


def torn_gaps(size: int, held: Sequence[Held]) -> list[Interval]:
    """Where there is always some unit free, but no unit always: what re-seating is for."""
    taken = {unit: counted(one.during for one in held if one.unit_id == unit) for unit in range(1, size + 1)}
    full = set[int].intersection(*taken.values())
    spans = [set(range(start, start + length)) for start in range(20) for length in (2, 3, 5, 8)]
    torn = [one for one in spans if not one & full and all(one & busy for busy in taken.values())]
    return [span(min(one), max(one) + 1) for one in torn]


def seated_anew(held: Sequence[Held], wanted: Sequence[Interval], found: Repacked) -> list[tuple[int, Interval]]:
    """All seats after the moves; fails when an unmovable one was moved."""
    moves = dict(found.moves)
    assert all(held[index].movable and held[index].unit_id != unit for index, unit in found.moves)
    stay = [(moves.get(index, one.unit_id), one.during) for index, one in enumerate(held)]
    return [*stay, *zip(found.seats, wanted, strict=True)]


def overlap(seated: Sequence[tuple[int, Interval]]) -> bool:
    pairs = itertools.combinations(seated, 2)
    return any(unit == other and minutes_of(a) & minutes_of(b) for (unit, a), (other, b) in pairs)


def fits(units: Sequence[int], stay: Sequence[tuple[int, Interval]], guests: Sequence[Interval]) -> bool:
    """Whether any of all ways to seat the guests overlaps nowhere."""
    ways = itertools.product(units, repeat=len(guests))
    return any(not overlap([*stay, *zip(way, guests, strict=True)]) for way in ways)


def most_at_once(units: Sequence[int], intervals: Iterable[Interval]) -> int:
    minutes = [minute for one in intervals for minute in minutes_of(one)]
    return max(minutes.count(minute) for minute in set(minutes))


@examples(120, 6_000)
@given(pools(units=4, held=14, movable=st.just(True)))
def test_a_pool_of_movable_ones_is_full_only_when_no_unit_is_left(drawn: Pool) -> None:
    units, held, wanted = drawn
    found = repack(units, held, wanted)
    assert (found is not None) == (most_at_once(units, [*(one.during for one in held), *wanted]) <= len(units))
    assert found is None or not overlap(seated_anew(held, wanted, found))


@examples(120, 6_000)
@given(pools(units=3, held=6, movable=st.booleans()))
def test_unmovable_ones_stay_and_in_small_pools_every_way_is_found(drawn: Pool) -> None:
    units, held, wanted = drawn
    found = repack(units, held, wanted)
    stay = [(one.unit_id, one.during) for one in held if not one.movable]
    assert (found is not None) == fits(units, stay, [*(one.during for one in held if one.movable), *wanted])
    if found is not None:
        assert not overlap(seated_anew(held, wanted, found))
        as_it_is = [(one.unit_id, one.during) for one in held]
        assert not (found.moves and fits(units, as_it_is, wanted)), "moved without need"


@examples(40, 2_000)
@given(pools(units=8, held=30, movable=st.booleans()))
def test_what_is_found_in_a_large_pool_overlaps_nowhere(drawn: Pool) -> None:
    units, held, wanted = drawn
    found = repack(units, held, wanted)
    assert found is None or not overlap(seated_anew(held, wanted, found))
