"""Picking what meets several needs at once, so that no unit is picked twice."""

from __future__ import annotations

import bisect
import functools
import heapq
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Choice(NamedTuple):
    """One way to meet one of a need's quantity: these units, as this resource.

    `room`: how many people it holds, None when it is nothing that people sit in. `whole`: all units of a composite.
    """

    resource_id: int
    units: tuple[int, ...]
    room: int | None = None
    whole: bool = False

    def holds(self, party: int) -> int:
        """How many of `party` fit; what people do not sit in limits nobody."""
        return party if self.room is None else self.room


class Need(NamedTuple):
    """So many of these choices, the best ones first."""

    quantity: int
    choices: Sequence[Choice]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody picked by hand and must get."""

    resources: frozenset[int] = frozenset()
    units: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.resources or self.units)

    def names(self, choice: Choice) -> bool:
        """Whether `choice` is one that was picked."""
        return choice.resource_id in self.resources or not self.units.isdisjoint(choice.units)

    def without(self, choices: Iterable[Choice]) -> Wish:
        """What is left of it once one has `choices`."""
        if not self:
            return self
        resources, units = set(self.resources), set(self.units)
        for choice in choices:
            resources.discard(choice.resource_id)
            units.difference_update(choice.units)
        return Wish(frozenset(resources), frozenset(units))


NO_WISH = Wish()


def together(needs: Sequence[Need], party: int = 1, wish: Wish = NO_WISH) -> list[Choice] | None:
    """The first choices, in the order of preference, that share no unit and meet all needs and the wish, or None.

    The choices of one need hold the party together.
    """
    at_once = _first_come(needs, party, wish)
    return at_once if at_once is not None else _Search(needs, party, wish).run()


def how_often(needs: Sequence[Need]) -> int:
    """How often all needs could be met side by side, parties and wishes aside."""
    groups: list[tuple[int, frozenset[int]]] = []
    for need in needs:
        units = frozenset(unit for choice in need.choices for unit in choice.units)
        groups += [(need.quantity + pieces, units | others) for pieces, others in [(0, frozenset()), *groups]]
    most = min((len(units) // pieces for pieces, units in groups), default=1)
    if not any(choice.whole for need in needs for choice in need.choices):
        return most  # exact where every piece is one unit (P. Hall)
    times = range(1, most + 1)
    return bisect.bisect_left(times, True, key=lambda n: together([Need(n * q, c) for q, c in needs], 0) is None)


def _first_come(needs: Sequence[Need], party: int, wish: Wish) -> list[Choice] | None:
    """What one gets by taking the best of what is left each time; nearly always that is all there is to do."""
    picked: list[Choice] = []
    used: set[int] = set()
    for need in needs:
        begun = len(picked)
        for choice in need.choices:
            if len(picked) - begun == need.quantity:
                break
            if used.isdisjoint(choice.units):
                picked.append(choice)
                used.update(choice.units)
        own = picked[begun:]
        if len(own) < need.quantity or sum(choice.holds(party) for choice in own) < party:
            return None
    return None if wish.without(picked) else picked


class _Standing(NamedTuple):
    """What is known before a step: units used (as bits), people still to be held, the wish still to be met."""

    used: int
    lacking: int
    unmet: Wish


class _Search:
    """Depth first, one step for each piece of quantity; a loop, since somebody may want a thousand chairs."""

    def __init__(self, needs: Sequence[Need], party: int, wish: Wish) -> None:
        self.needs, self.party = needs, party
        self.steps = [(number, left) for number, need in enumerate(needs) for left in range(need.quantity, 0, -1)]
        self.picked: list[int] = []  # of each step taken, the index of its choice
        self.standings = [_Standing(0, party, wish)]
        bits = {unit: 1 << n for n, unit in enumerate({u for need in needs for c in need.choices for u in c.units})}
        self.units = [[sum(bits[unit] for unit in choice.units) for choice in need.choices] for need in needs]

    def run(self) -> list[Choice] | None:
        first = 0
        while len(self.picked) < len(self.steps):
            index = self.next_hopeful(first)
            if index is not None:
                first = self.advance(index)
            elif self.picked:
                first = self.retreat()
            else:
                return None
        return [self.needs[number].choices[index] for (number, _), index in zip(self.steps, self.picked, strict=True)]

    def next_hopeful(self, first: int) -> int | None:
        number, left = self.steps[len(self.picked)]
        used, units = self.standings[-1].used, self.units[number]
        indexes = range(first, len(units) - left + 1)
        return next((index for index in indexes if not used & units[index] and self.is_hopeful(index)), None)

    def is_hopeful(self, index: int) -> bool:
        """Whether with this choice there still may be enough of everything."""
        number, left = self.steps[len(self.picked)]
        used, lacking, unmet = self.after(index)
        rest = _Rest(left - 1, lacking, self.still_free(used, number, index + 1))
        later = [(n, self.needs[n].quantity) for n in range(number + 1, len(self.needs))]
        others = [_Rest(quantity, self.party, self.still_free(used, n, 0)) for n, quantity in later]
        return _may_do([rest, *others], self.party, unmet)

    def still_free(self, used: int, number: int, first: int) -> list[tuple[Choice, int]]:
        pairs = zip(self.needs[number].choices[first:], self.units[number][first:], strict=True)
        return [(choice, units) for choice, units in pairs if not used & units]

    def after(self, index: int) -> _Standing:
        """How things stand with this choice, as far as the same need goes."""
        number, _ = self.steps[len(self.picked)]
        used, lacking, unmet = self.standings[-1]
        choice = self.needs[number].choices[index]
        return _Standing(used | self.units[number][index], lacking - choice.holds(self.party), unmet.without([choice]))

    def advance(self, index: int) -> int:
        """Takes a choice; returns where the next step begins to look."""
        _, left = self.steps[len(self.picked)]
        after = self.after(index)
        self.picked.append(index)
        self.standings.append(after if left > 1 else after._replace(lacking=self.party))
        return index + 1 if left > 1 else 0

    def retreat(self) -> int:
        """Gives the last choice back; returns where its step looks on."""
        self.standings.pop()
        return self.picked.pop() + 1


class _Rest(NamedTuple):
    """What is still to be picked for a need, the people it is to hold, and the choices with their units as bits."""

    pieces: int
    lacking: int
    choices: Sequence[tuple[Choice, int]]

    def may_hold(self, party: int) -> bool:
        roomiest = heapq.nlargest(self.pieces, (choice.holds(party) for choice, _ in self.choices))
        return len(roomiest) == self.pieces and sum(roomiest) >= self.lacking

    def without(self, units: int) -> _Rest:
        return self._replace(choices=[(choice, own) for choice, own in self.choices if not own & units])


def _may_do(rest: Sequence[_Rest], party: int, wish: Wish) -> bool:
    """Whether what is left may suffice: False is certain."""
    if not (all(one.may_hold(party) for one in rest) and _have_enough_units(rest)):
        return False
    return not wish or any(_may_do(less, party, unmet) for less, unmet in _with_a_wish_met(rest, party, wish))


def _with_a_wish_met(rest: Sequence[_Rest], party: int, wish: Wish) -> Iterator[tuple[list[_Rest], Wish]]:
    """What is left after each pick that meets one thing of the wish, always the same."""
    thing = Wish(frozenset([*wish.resources][:1]), frozenset() if wish.resources else frozenset([*wish.units][:1]))
    for number, one in enumerate(rest):
        for choice, units in one.choices if one.pieces else ():
            if thing.names(choice):
                less = [other.without(units) for other in rest]
                pieces, lacking, choices = less[number]
                less[number] = _Rest(pieces - 1, lacking - choice.holds(party), choices)
                yield less, wish.without([choice])


def _have_enough_units(rest: Iterable[_Rest]) -> bool:
    """Whether any of them, taken together, find as many units as they take at least (P. Hall)."""
    groups = [(0, 0)]
    for pieces, _, choices in rest:
        if pieces:
            least = pieces * min(len(choice.units) for choice, _ in choices)
            units = functools.reduce(operator.or_, (bits for _, bits in choices))
            groups += [(least + needed, units | others) for needed, others in groups]
    return all(needed <= units.bit_count() for needed, units in groups)
