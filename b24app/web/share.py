"""Which share of the hours is taken, and what is free of them: of a resource and day, of a row, of a column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from b24app.ledger import load
from b24app.ledger.board import Look
from b24app.ledger.load import Calendar, Taken
from b24app.ledger.spread import BoardBlock, BoardResource
from b24app.web import lanes
from b24app.web.ask import Ask
from b24app.web.opening import Opening, Spans, openings
from b24app.web.period import Period

NONE = Taken(0, 0)
LEVELS = (20, 40, 60, 80, 100)  # per cent at which the next colour begins


class Share(NamedTuple):
    """Seconds of units: `working` are offered, `taken` of them are taken, by so many `bookings` (a pool's by places).

    `until`: the end of the first hold.
    """

    working: int
    taken: int
    bookings: int = 0
    until: int | None = None

    @property
    def percent(self) -> int:
        """0 only for nothing, 100 only for everything."""
        if not self.working or not self.taken:
            return 0
        if self.taken >= self.working:
            return 100
        return min(99, max(1, round(100 * self.taken / self.working)))

    @property
    def level(self) -> str:
        """The class of its colour: q0 for nothing, q6 for full, qx for closed, marked if something stands there."""
        if not self.working:
            return "qx qf" if self.bookings else "qx"
        if not self.taken:
            return "q0"
        return f"q{1 + sum(self.percent >= one for one in LEVELS)}"


def total(shares: Iterable[Share]) -> Share:
    """Several together."""
    several = list(shares)
    return Share(
        working=sum([one.working for one in several]),
        taken=sum([min(one.taken, one.working) for one in several]),
        bookings=sum([one.bookings for one in several]),
    )


@dataclass(frozen=True, slots=True)
class Loads:
    """The shares of every day of a period, by resource; `opened` is what they were computed with."""

    shares: Mapping[int, Sequence[Share]]
    opened: Mapping[int, Opening]

    @property
    def until(self) -> int | None:
        """When the first of the holds that count is over."""
        return min((one.until for row in self.shares.values() for one in row if one.until), default=None)


def loads(ask: Ask, period: Period) -> Loads:
    """What is taken of everything that is shown. A composite is counted by its parts, a pool by all of its units."""
    of, leaves = ask.shown, ask.shown.leaves
    every = [of.every[one] for one in leaves]
    opened = openings(every, of.every, period.window)
    calendar = Calendar(period.bounds, {one.id: opened[one.id].free for one in every if not one.parts})
    taken = load.taken(ask.tx, ask.tenant.portal.id, of, calendar, look(ask, period))
    working = _Working(period.bounds)
    rows = {}
    for one in of.shown:
        parts = [of.every[leaf] for leaf in of.below(one.id) if leaf in calendar.open] if one.parts else [one]
        own = working.of(opened[one.id].free)
        together = [
            (
                [seconds * len(part.units or "1") for seconds in working.of(opened[part.id].free)],
                [taken.get((part.id, day), NONE) for day in range(period.count)],
            )
            for part in parts
        ]
        rows[one.id] = _row(own, together, holds=ask.choice.holds)
    return Loads(rows, opened)


def look(ask: Ask, period: Period) -> Look:
    """What is looked at in these days, and when."""
    return Look(period.window, ask.longest, ask.at)


def _row(own: Sequence[int], parts: Sequence[tuple[Sequence[int], Sequence[Taken]]], *, holds: bool) -> list[Share]:
    """Day by day. Where it is closed itself it has no hours, whatever its parts have."""
    if len(parts) == 1:
        working, taken = parts[0]
        return [_share(own[day] and seconds, taken[day], holds=holds) for day, seconds in enumerate(working)]
    row = []
    for day, seconds in enumerate(own):
        several = [_share(working[day], taken[day], holds=holds) for working, taken in parts]
        here = total(several)
        untils = [one.until for one in several if one.until]
        row.append(here._replace(working=here.working if seconds else 0, until=min(untils, default=None)))
    return row


def _share(working: int, taken: Taken, *, holds: bool) -> Share:
    if taken is NONE:
        return Share(working, 0)
    if holds:
        return Share(working, taken.seconds, taken.pieces, taken.until)
    return Share(working, taken.seconds - taken.held, taken.pieces - taken.holds)


class _Working:
    """Seconds of each day that spans have; two hundred resources share a handful of timetables."""

    def __init__(self, bounds: Sequence[int]) -> None:
        self._bounds = bounds
        self._known: dict[int, tuple[Spans, list[int]]] = {}

    def of(self, spans: Spans) -> list[int]:
        if id(spans) not in self._known:
            seconds = [0] * (len(self._bounds) - 1)
            for day, start, end in load.by_day(spans, self._bounds):
                seconds[day] += end - start
            self._known[id(spans)] = spans, seconds  # with the spans: while they live nothing else has their id
        return self._known[id(spans)][1]


def plain(shown: Iterable[BoardResource]) -> list[BoardResource]:
    """Those that count in a sum: composites are in it with their parts."""
    return [one for one in shown if not one.parts]


def free_spans(resource: BoardResource, opening: Opening, held: Sequence[BoardBlock]) -> Spans:
    """When at least one of its places can still be had, as far as this is known here."""
    places = 1 if resource.parts else len(resource.units or "1")
    full = [(start, end) for start, end, taken in lanes.counts(held) if taken >= places]
    busy = [(one.start, one.end) for one in opening.engaged if one.surely]
    left = [*opening.free]
    for start, end in (*full, *busy):
        pieces = [piece for one in left for piece in ((one[0], min(one[1], start)), (max(one[0], end), one[1]))]
        left = [piece for piece in pieces if piece[0] < piece[1]]
    return left
