"""What is free, and the nearest times that are."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Required, Unpack
from zoneinfo import ZoneInfo

from b24app.scheduling.allocation import NO_BUFFER, Asked, Buffer, Place, Requirement, Taken, preferred
from b24app.scheduling.hours import ONE_DAY, clock_reaches
from b24app.scheduling.interval import Interval
from b24app.scheduling.search import NO_WISH, Choice, Need, Wish, how_often, together

ONE_MINUTE = timedelta(minutes=1)


def on_grid(instant: datetime, step_minutes: int, zone: ZoneInfo) -> bool:
    """Whether the wall clock of `zone` shows a whole step after midnight."""
    local = instant.astimezone(zone)
    return local.second == local.microsecond == 0 and (local.hour * 60 + local.minute) % step_minutes == 0


def grid(first: datetime, last: datetime, step_minutes: int, zone: ZoneInfo) -> Iterator[datetime]:
    """All instants `on_grid` from `first` to `last`, both included, in order."""
    step, day = timedelta(minutes=step_minutes), first.astimezone(zone).date()
    midnight = clock_reaches(day, 0, zone)
    while midnight <= last:
        day += ONE_DAY
        begins, midnight = midnight, clock_reaches(day, 0, zone)
        if midnight - begins == ONE_DAY:
            instant, pace = begins + max(0, -((begins - first) // step)) * step, step
        else:  # the clock changes: look at it every minute
            instant, pace = begins, ONE_MINUTE
        while instant < midnight and instant <= last:
            if instant >= first and (pace is step or on_grid(instant, step_minutes, zone)):
                yield instant
            instant += pace


@dataclass(frozen=True, order=True, slots=True)
class Slot:
    """A time that can be had, and how often it still could be (by different people, each the same)."""

    interval: Interval
    left: int


class AskedTimes(Asked, total=False):
    """What may be asked besides the window; `earliest` is what the notice allows."""

    minutes: Required[int]
    step_minutes: Required[int]
    zone: Required[ZoneInfo]
    now: Required[datetime]
    earliest: datetime | None


def free_slots(
    requirements: Sequence[Requirement],
    places: Mapping[int, Place],
    taken: Taken,
    window: Interval,
    **asked: Unpack[AskedTimes],
) -> list[Slot]:
    """All times of `minutes` that start within `window` on the grid of `zone`, not in the past, for which `assign` has
    an answer.

    They may end after the window, as far as the places are open; `taken` is to reach as far as they and their buffers.
    """
    return list(_slots(requirements, places, taken, window, **asked))


def next_free(
    requirements: Sequence[Requirement],
    places: Mapping[int, Place],
    taken: Taken,
    window: Interval,
    **asked: Unpack[AskedTimes],
) -> Slot | None:
    """The first of `free_slots`; those after it are not looked for."""
    return next(_slots(requirements, places, taken, window, **asked), None)


def nearest(slots: Iterable[Slot], wanted: datetime, count: int) -> list[Interval]:
    """Up to `count` of the times, not overlapping each other, the closest starts first chosen; in order of time."""
    chosen: list[Interval] = []
    for slot in sorted(slots, key=lambda one: (abs(one.interval.start - wanted), one.interval.start)):
        if len(chosen) == count:
            break
        if not any(slot.interval.overlaps(other) for other in chosen):
            chosen.append(slot.interval)
    return sorted(chosen)


def _slots(
    requirements: Sequence[Requirement],
    places: Mapping[int, Place],
    taken: Taken,
    window: Interval,
    **asked: Unpack[AskedTimes],
) -> Iterator[Slot]:
    party, wish, now = asked.get("party", 1), asked.get("wish", NO_WISH), asked["now"]
    first = max(window.start, now, asked.get("earliest") or now)
    begin = [one for one in grid(first, window.end, asked["step_minutes"], asked["zone"]) if one < window.end]
    times = _Times(begin, timedelta(minutes=asked["minutes"]), taken, asked.get("buffer", NO_BUFFER))
    offers = [
        [offer for place in preferred(requirement, places, wish) for offer in times.offers(place)]
        for requirement in requirements
    ]
    changes = 1
    for _, free in itertools.chain(*offers):
        changes |= free ^ (free << 1)
    left, known = 0, dict[tuple[Need, ...], int]()
    for number, start in enumerate(begin):
        if changes >> number & 1:
            needs = tuple(
                Need(requirement.quantity, tuple(choice for choice, free in offer if free >> number & 1))
                for requirement, offer in zip(requirements, offers, strict=True)
            )
            if needs not in known:
                known[needs] = _left(needs, party, wish)
            left = known[needs]
        if left:
            yield Slot(Interval(start, start + times.length), left)


@dataclass(frozen=True, slots=True)
class _Times:
    """The starts in question; a set of them is an integer with a bit for each, so that a week is one operation."""

    begin: Sequence[datetime]
    length: timedelta
    taken: Taken
    buffer: Buffer

    def offers(self, place: Place) -> Iterator[tuple[Choice, int]]:
        """Each choice that the place gives, and when it is free."""
        opened = self.open_at(place)
        for choice in place.choices():
            free = opened
            for unit in choice.units:
                free &= ~self.taken_at(unit, place.buffer.longer(self.buffer))
            if free:
                yield choice, free

    def open_at(self, place: Place) -> int:
        found = 0
        for stretch in place.opened:
            found |= self.bits(
                bisect.bisect_left(self.begin, stretch.start),
                bisect.bisect_right(self.begin, stretch.end - self.length),
            )
        return found

    def taken_at(self, unit: int, buffer: Buffer) -> int:
        found, most = 0, self.length + buffer.after
        for held in self.taken.get(unit, ()):
            found |= self.bits(
                bisect.bisect_right(self.begin, held.start - most),
                bisect.bisect_left(self.begin, held.end + buffer.before),
            )
        return found

    @staticmethod
    def bits(first: int, beyond: int) -> int:
        return (1 << beyond) - (1 << first) if first < beyond else 0


def _left(needs: Sequence[Need], party: int, wish: Wish) -> int:
    """How often they could be met side by side, each time with what was picked; several rooms per party just count."""
    if together(needs, party, wish) is None:
        return 0
    able = [
        Need(quantity, choices if quantity > 1 else [choice for choice in choices if choice.holds(party) >= party])
        for quantity, choices in needs
    ]
    choices = [choice for need in able for choice in need.choices]
    picked = [len({c.units for c in choices if c.resource_id == resource_id}) for resource_id in wish.resources]
    return min([how_often(able), *picked, *([1] if wish.units else [])])
