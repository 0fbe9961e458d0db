"""Making room in a pool of equal units by seating others anew."""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from b24app.scheduling.interval import Interval

MOST_RETREATS = 500  # dead ends before giving up: rows are locked meanwhile, and a hundred times more found no more
FEW_RETREATS = 100  # while only the ones in the way may move


@dataclass(frozen=True, slots=True)
class Held:
    """One unit held for a while; `movable`: neither checked in, nor pinned, nor picked by hand."""

    key: Hashable
    unit_id: int
    during: Interval
    movable: bool


@dataclass(frozen=True, slots=True)
class Repacked:
    """`moves`: (index in what is held, its new unit); `seats`: the units for what is wanted, in its order."""

    moves: tuple[tuple[int, int], ...]
    seats: tuple[int, ...]


def repack(units: Sequence[int], held: Sequence[Held], wanted: Sequence[Interval]) -> Repacked | None:
    """Seats for `wanted` (buffers included) in a pool; others move if there is no way without. None: no way found.

    Where everything is movable, that is exactly when some instant has more than there are units. With unmovable ones
    the search ends after MOST_RETREATS dead ends. What is held on other units than `units` stays and does not count.
    """
    pool = set(units)
    here = [index for index, one in enumerate(held) if one.unit_id in pool]
    if _most_at_once([*(held[index].during for index in here), *wanted]) > len(units):
        return None
    movable = [index for index in here if held[index].movable]
    in_the_way = [index for index in movable if any(held[index].during.overlaps(one) for one in wanted)]
    for moving, retreats in ([], FEW_RETREATS), (in_the_way, FEW_RETREATS), (movable, MOST_RETREATS):
        stay = [held[index] for index in set(here).difference(moving)]
        guests = [
            *(_Guest(one) for one in wanted),
            *(_Guest(held[index].during, held[index].unit_id) for index in moving),
        ]
        found = _Seating(units, stay, guests).run(retreats)
        if found is not None:
            seats, new = found[: len(wanted)], found[len(wanted) :]
            moves = [(index, unit) for index, unit in zip(moving, new, strict=True) if held[index].unit_id != unit]
            return Repacked(tuple(moves), tuple(seats))
    return None


def _most_at_once(intervals: Iterable[Interval]) -> int:
    changes = sorted(change for one in intervals for change in ((one.start, 1), (one.end, -1)))
    most = current = 0
    for _, change in changes:  # an end sorts before a start at the same instant: they only touch
        current += change
        most = max(most, current)
    return most


class _Guest(NamedTuple):
    during: Interval
    home: int | None = None


class _Seating:
    """Seats guests by their start, at home where that is free, and takes seats back at dead ends.

    In this order a unit is free as soon as its last guest left: without unmovable ones there is no dead end.
    """

    def __init__(self, units: Sequence[int], stay: Iterable[Held], guests: Sequence[_Guest]) -> None:
        self.units, self.guests = units, guests
        self.order = sorted(range(len(guests)), key=lambda index: guests[index].during)
        self.stay: dict[int, list[Interval]] = {unit: [] for unit in units}
        for one in sorted(stay, key=lambda one: one.during):
            self.stay[one.unit_id].append(one.during)
        self.ends: dict[int, list[datetime]] = {unit: [] for unit in units}  # of the guests seated, the last at the end
        self.hopeless: set[Hashable] = set()

    def run(self, retreats: int) -> list[int] | None:
        """A unit per guest, in the order in which they were given; None when so many dead ends did not help."""
        seated: list[int] = []
        ways = [self.free_units(0)]
        while len(seated) < len(self.guests):
            unit = next(ways[-1], None)
            if unit is not None:
                self.ends[unit].append(self.guests[self.order[len(seated)]].during.end)
                seated.append(unit)
                ways.append(self.free_units(len(seated)))
            elif seated and len(self.hopeless) < retreats:
                self.hopeless.add(self.state(len(seated)))
                ways.pop()
                self.ends[seated.pop()].pop()
            else:
                return None
        return [unit for _, unit in sorted(zip(self.order, seated, strict=True))]

    def free_units(self, step: int) -> Iterator[int]:
        """Home first, then where the fewest still to be seated are at home."""
        if step == len(self.guests) or (self.hopeless and self.state(step) in self.hopeless):
            return
        during, home = self.guests[self.order[step]]
        if home is not None and self.is_free(home, during):
            yield home
        others = [unit for unit in self.units if unit != home and self.is_free(unit, during)]
        disturbed = self.at_home(step, during)
        yield from sorted(others, key=lambda unit: disturbed[unit])

    def is_free(self, unit: int, during: Interval) -> bool:
        ends, stay = self.ends[unit], self.stay[unit]
        before = bisect.bisect_left(stay, during.end, key=lambda one: one.start) - 1
        return not (ends and ends[-1] > during.start) and not (before >= 0 and stay[before].end > during.start)

    def at_home(self, step: int, during: Interval) -> Counter[int | None]:
        """How many of those still to be seated would find their home taken, per unit."""
        later = (self.guests[index] for index in itertools.islice(self.order, step + 1, None))
        return Counter(one.home for one in itertools.takewhile(lambda one: one.during.start < during.end, later))

    def state(self, step: int) -> Hashable:
        """All that the rest depends on: when each unit is free again; units on which nobody stays later are alike."""
        now = self.guests[self.order[step]].during.start
        units = []
        for number, unit in enumerate(self.units, 1):
            differs = any(one.end > now for one in self.stay[unit][-1:])
            units.append((number * differs, max([now, *self.ends[unit][-1:]])))
        return step, tuple(sorted(units))
