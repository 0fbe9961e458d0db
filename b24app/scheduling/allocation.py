"""Who gets which unit: requirements met by places, and room made in a pool by seating others anew.

Pure and exact: `assign` finds an assignment whenever there is one, so "taken" is never said of what could be had.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal, TypedDict, Unpack

from b24app.scheduling.hours import Reason
from b24app.scheduling.interval import Interval
from b24app.scheduling.reseating import Held, Repacked, repack
from b24app.scheduling.search import NO_WISH, Choice, Need, Wish, together

__all__ = [
    "NO_BUFFER",
    "PEOPLE_KINDS",
    "Asked",
    "Buffer",
    "Held",
    "Obstacle",
    "Place",
    "Preference",
    "Repacked",
    "Requirement",
    "Seat",
    "Taken",
    "Wish",
    "assign",
    "obstacles",
    "repack",
    "seats_people",
]

ZERO = timedelta(0)
FAR = timedelta(days=1)  # gaps count no further, so that it does not matter how much around a wish was loaded
PEOPLE_KINDS = frozenset({"room", "hall", "vehicle"})  # what people sit in: capacity is checked against the party
OWN_PLACE, OWN_THING = "place-", "thing-"  # how kinds begin that a company has named itself


def seats_people(kind: str) -> bool:
    """Whether people sit in such a thing."""
    return kind in PEOPLE_KINDS or kind.startswith(OWN_PLACE)


Taken = Mapping[int, Sequence[Interval]]
"""Per unit what is occupied, buffers included, in any order; a unit that is missing is free."""
Preference = Literal["order", "least_used", "nearest"]


@dataclass(frozen=True, slots=True)
class Buffer:
    """Time before and after that is occupied but not offered."""

    before: timedelta = ZERO
    after: timedelta = ZERO

    def longer(self, other: Buffer) -> Buffer:
        """On either side the longer of both."""
        if self == other:
            return self
        return Buffer(max(self.before, other.before), max(self.after, other.after))

    def around(self, wanted: Interval) -> Interval:
        """What `wanted` occupies with it."""
        if not (self.before or self.after):
            return wanted
        return Interval(wanted.start - self.before, wanted.end + self.after)


NO_BUFFER = Buffer()


@dataclass(frozen=True, slots=True)
class Place:
    """A resource as something that can be assigned.

    `whole`: a composite, which takes all `units` (those of its parts) at once and counts as one. `opened` is its merged
    open time around the wish, `load` the minutes taken lately.
    """

    resource_id: int
    kind: str
    units: tuple[int, ...]
    whole: bool = False
    capacity: int = 1
    city: str = ""
    buffer: Buffer = NO_BUFFER
    opened: tuple[Interval, ...] = ()
    load: int = 0

    def is_open(self, wanted: Interval) -> bool:
        """Whether all of `wanted` is open; buffers may lie outside."""
        return any(stretch.contains(wanted) for stretch in self.opened)

    def occupied(self, wanted: Interval, buffer: Buffer) -> Interval:
        """`wanted` with the buffers around it: on either side the longer one of place and service."""
        return self.buffer.longer(buffer).around(wanted)

    def choices(self) -> list[Choice]:
        """What it gives when all of it is free."""
        room = self.capacity if seats_people(self.kind) else None
        if self.whole:
            return [Choice(self.resource_id, self.units, room, True)] if self.units else []
        return [Choice(self.resource_id, (unit,), room) for unit in self.units]


@dataclass(frozen=True, slots=True)
class Requirement:
    """So many of these resources, given by id in the order of preference."""

    options: tuple[int, ...]
    quantity: int = 1

    def __post_init__(self) -> None:
        if self.quantity < 1:
            raise ValueError("a requirement of nothing")


@dataclass(frozen=True, slots=True)
class Seat:
    """One unit occupied: `resource_id` is what it was booked as (the composite), `during` includes the buffers."""

    resource_id: int
    unit_id: int
    during: Interval


class Asked(TypedDict, total=False):
    """What may be asked besides the time; the same keywords wherever something is to be assigned."""

    party: int
    buffer: Buffer
    wish: Wish
    preference: Preference
    near: str


def assign(
    requirements: Sequence[Requirement],
    places: Mapping[int, Place],
    taken: Taken,
    wanted: Interval,
    *,
    party: int = 1,
    buffer: Buffer = NO_BUFFER,
    wish: Wish = NO_WISH,
    preference: Preference = "order",
    near: str = "",
) -> tuple[Seat, ...] | None:
    """A unit for everything that is required, sorted by unit, or None when there is no way.

    No unit serves two requirements. Earlier requirements have the first pick. `least_used` and `nearest` (those in the
    city `near` first) reorder options; units of a pool are given out so that the tightest gap is filled first. The
    units of a requirement in which people sit hold the party together. Options missing in `places` are left out.
    """
    needs = []
    for requirement in requirements:
        options = preferred(requirement, places, wish, preference, near)
        choices = [choice for place in options for choice in _free_choices(place, taken, wanted, buffer)]
        if wish.units:
            choices.sort(key=lambda choice: not wish.names(choice))
        if len(choices) < requirement.quantity:
            return None
        needs.append(Need(requirement.quantity, choices))
    chosen = together(needs, party, wish)
    if chosen is None:
        return None
    seats = [
        Seat(choice.resource_id, unit, places[choice.resource_id].occupied(wanted, buffer))
        for choice in chosen
        for unit in choice.units
    ]
    return tuple(sorted(seats, key=lambda seat: seat.unit_id))


def preferred(
    requirement: Requirement,
    places: Mapping[int, Place],
    wish: Wish = NO_WISH,
    preference: Preference = "order",
    near: str = "",
) -> list[Place]:
    """The places that may meet a requirement, best first: picked by hand, then by `preference`, then as given."""
    found = [places[option] for option in dict.fromkeys(requirement.options) if option in places]
    if len(found) > 1:
        if preference == "least_used":
            found.sort(key=lambda place: place.load)
        elif preference == "nearest" and near:
            found.sort(key=lambda place: place.city != near)
        if wish.resources:
            found.sort(key=lambda place: place.resource_id not in wish.resources)
    return found


def _free_choices(place: Place, taken: Taken, wanted: Interval, buffer: Buffer) -> list[Choice]:
    if not place.is_open(wanted):
        return []
    during = place.occupied(wanted, buffer)
    free = [choice for choice in place.choices() if _are_free(choice.units, taken, during)]
    if len(free) > 1:
        free.sort(key=lambda choice: (_gap(taken.get(choice.units[0], ()), during), choice.units))
    return free


def _are_free(units: Iterable[int], taken: Taken, during: Interval) -> bool:
    for unit in units:
        for held in taken.get(unit, ()):
            if held.start < during.end and during.start < held.end:
                return False
    return True


def _gap(taken: Iterable[Interval], during: Interval) -> timedelta:
    """How much free time would be left around `during` on a unit on which it is free."""
    before = after = FAR
    for held in taken:
        if held.end <= during.start:
            before = min(before, during.start - held.end)
        else:
            after = min(after, held.start - during.end)
    return before + after


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why something cannot be had: a code that `texts` knows, the resource that it is about (None: several)."""

    code: str
    resource_id: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)


def obstacles(
    requirements: Sequence[Requirement],
    places: Mapping[int, Place],
    taken: Taken,
    wanted: Interval,
    *,
    closed: Mapping[int, Reason | None],
    **asked: Unpack[Asked],
) -> list[Obstacle]:
    """Why `assign` has no answer to the same question; nothing exactly when it has one.

    `closed` tells per resource why it is not open (`hours.why_closed`). Codes: closed (params: `code` and `params` of
    that reason), taken and buffer (`from`, `until` of what is in the way; buffer: only the buffers collide),
    too_few_units (`free`, `needed`), too_small (`capacity`, `party`), not_able (a picked resource or `unit` that is no
    option), nothing_left (all of it can be had, but not together).
    """
    if assign(requirements, places, taken, wanted, **asked) is not None:
        return []
    scene = _Scene(places, taken, wanted, asked.get("buffer", NO_BUFFER), closed)
    wish, party = asked.get("wish", NO_WISH), asked.get("party", 1)
    found = scene.against_wish(requirements, wish)
    for number, requirement in enumerate(() if found else requirements):
        others = [*requirements[:number], *requirements[number + 1 :]]
        found += scene.against(requirement, party, scene.only_here(requirement, others, wish))
    return found or [Obstacle("nothing_left")]


@dataclass(frozen=True, slots=True)
class _Scene:
    """What `obstacles` looks at."""

    places: Mapping[int, Place]
    taken: Taken
    wanted: Interval
    buffer: Buffer
    closed: Mapping[int, Reason | None]

    def options(self, requirements: Iterable[Requirement]) -> list[Place]:
        ids = dict.fromkeys(option for requirement in requirements for option in requirement.options)
        return [self.places[option] for option in ids if option in self.places]

    def free(self, places: Iterable[Place]) -> list[Choice]:
        return [choice for place in places for choice in _free_choices(place, self.taken, self.wanted, self.buffer)]

    def against_wish(self, requirements: Sequence[Requirement], wish: Wish) -> list[Obstacle]:
        """Why what was picked by hand cannot be had at all."""
        options = self.options(requirements)
        found = []
        for resource_id in sorted(wish.resources):
            picked = [place for place in options if place.resource_id == resource_id]
            found += self.causes(picked) if picked else [Obstacle("not_able", resource_id)]
        for unit in sorted(wish.units):
            picked = [p if p.whole else replace(p, units=(unit,)) for p in options if unit in p.units]
            some_free = self.free(picked)
            found += [] if some_free else self.causes(picked) or [Obstacle("not_able", None, {"unit": unit})]
        return found

    def only_here(self, requirement: Requirement, others: Sequence[Requirement], wish: Wish) -> Wish:
        """The part of the wish that `requirement` has to meet, because no other one could."""
        here, elsewhere = self.options([requirement]), self.options(others)
        resources = {place.resource_id for place in here} - {place.resource_id for place in elsewhere}
        units = {unit for place in here for unit in place.units} - {unit for place in elsewhere for unit in place.units}
        return Wish(wish.resources & resources, wish.units & units)

    def against(self, requirement: Requirement, party: int, wish: Wish) -> list[Obstacle]:
        """Why the requirement could not even be met alone, or nothing when it could."""
        options = self.options([requirement])
        free = sorted(self.free(options), key=lambda choice: not wish.names(choice))
        picked = [place for place in options if place.resource_id in wish.resources]
        about = next((only[0].resource_id for only in (options, picked) if len(only) == 1), None)

        def is_met(quantity: int, party: int = 0, limits: Wish = NO_WISH) -> bool:
            return together([Need(quantity, free)], party, limits) is not None

        if not is_met(requirement.quantity):
            most = _most(requirement.quantity, is_met)
            found = self.causes(options)
            if most or not found:
                found.append(Obstacle("too_few_units", about, {"free": most, "needed": requirement.quantity}))
            return found
        for limits in (NO_WISH, wish):
            holds = partial(is_met, requirement.quantity, limits=limits)
            if holds(0) and not holds(party):
                return [Obstacle("too_small", about, {"capacity": _most(party, holds), "party": party})]
        return []

    def causes(self, places: Iterable[Place]) -> list[Obstacle]:
        """For each place of which nothing is free, why."""
        return [cause for place in places if not self.free([place]) for cause in self.cause(place)]

    def cause(self, place: Place) -> Iterator[Obstacle]:
        if not place.is_open(self.wanted):
            reason = self.closed.get(place.resource_id)
            params = {"code": reason.code, "params": reason.params} if reason else {}
            yield Obstacle("closed", place.resource_id, params)
        elif place.units:
            # Of a pool the unit that is nearest to being free counts, of a composite the part that is farthest from it.
            worst_or_best = max if place.whole else min
            is_taken, until, begins = worst_or_best(self.conflicts(place))
            yield Obstacle(
                "taken" if is_taken else "buffer",
                place.resource_id,
                {"from": begins.isoformat(), "until": until.isoformat()},
            )

    def conflicts(self, place: Place) -> Iterator[tuple[bool, datetime, datetime]]:
        """Per unit that is not free: whether more than the buffers collide, until when and since when."""
        during = place.occupied(self.wanted, self.buffer)
        for unit in place.units:
            held = sorted(one for one in self.taken.get(unit, ()) if one.overlaps(during))
            if held:
                first = next((one for one in held if one.overlaps(self.wanted)), held[0])
                yield first.overlaps(self.wanted), first.end, first.start


def _most(limit: int, is_met: Callable[[int], bool]) -> int:
    """The largest number below `limit` that can be met, given that smaller ones can be as well."""
    return bisect.bisect_left(range(1, limit), True, key=lambda number: not is_met(number))
