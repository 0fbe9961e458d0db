"""Everything that one decision about time looks at: what is offered, how it is open, who holds it."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from b24app.booking.holidays import Holidays, holiday_dates
from b24app.ledger import catalog, occupancy
from b24app.ledger.catalog import Fact, Offering, Stock
from b24app.ledger.occupancy import HeldSeat
from b24app.ledger.session import Tx
from b24app.scheduling import allocation
from b24app.scheduling.allocation import Buffer, Held, Obstacle, Place, Requirement, Seat, Wish
from b24app.scheduling.hours import Reason, Stretch, Timetable, open_intervals, why_closed
from b24app.scheduling.interval import Interval, subtract
from b24app.scheduling.policy import Violation

# Hours around the wish are looked at this far, so that a long booking over midnight sees both days as one.
AROUND = timedelta(days=1)
# So far apart two bookings may still touch: with the longest buffer of either between them.
APART = 2 * AROUND
# So far around a wish may others of the same pool be seated anew for it.
RESEATED = timedelta(days=7)
# What "least used" looks at.
LATELY = timedelta(days=14)
ENGAGED = "specialist_busy"
ALWAYS = Interval(datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


def timetable(fact: Fact, window: Interval) -> Timetable:
    """When this resource is open around `window`, the parts of a composite aside."""
    special: dict[date, tuple[Stretch, ...]] = {}
    for day, opens, closes in fact.special:
        more = (Stretch(opens, closes),) if opens is not None and closes is not None else ()
        special[day] = (*special.get(day, ()), *more)
    public = (
        holiday_dates(fact.holidays, window.start.year - 1, window.end.year + 1)
        if fact.holidays
        else Holidays(frozenset(), frozenset())
    )
    return Timetable(ZoneInfo(fact.time_zone), fact.weekly, special, public.closed, public.workdays, fact.closures)


def opened(stock: Stock, fact: Fact, window: Interval) -> list[Interval]:
    """When a resource is open within `window`, a composite when it and all its parts are; other business aside."""
    found = open_intervals(timetable(fact, window), window)
    if fact.busy:
        found = subtract(found, fact.busy)
    for part in fact.parts:
        found = _common(found, opened(stock, stock.facts[part], window))
    return found


def _common(first: Sequence[Interval], second: Sequence[Interval]) -> list[Interval]:
    return [both for one in first for other in second if (both := one.intersect(other))]


def closed(stock: Stock, fact: Fact, wanted: Interval) -> Reason | None:
    """Why a resource, or a part of it, is not open for all of `wanted`."""
    reason = why_closed(timetable(fact, wanted), wanted)
    parts = (closed(stock, stock.facts[part], wanted) for part in fact.parts)
    return reason or next((found for found in parts if found), None)


def engaged(stock: Stock, fact: Fact, wanted: Interval) -> Reason | None:
    """The other business because of which the person cannot be had for all of `wanted`, he himself or as a part."""
    for one in fact.busy:
        if one.overlaps(wanted):
            about = {"from": one.start.isoformat(), "until": one.end.isoformat(), "zone": fact.time_zone}
            return Reason(ENGAGED, about)
    parts = (engaged(stock, stock.facts[part], wanted) for part in fact.parts)
    return next((found for found in parts if found), None)


def buffer_of(stock: Stock, fact: Fact) -> Buffer:
    """Its own, on either side the longest among those of its parts: they want cleaning after the whole as well."""
    parts = (buffer_of(stock, stock.facts[part]) for part in fact.parts)
    return functools.reduce(Buffer.longer, parts, fact.buffer)


def places(stock: Stock, facts: Iterable[Fact], window: Interval, loads: Mapping[int, int]) -> dict[int, Place]:
    """These resources as something that can be assigned within `window`."""
    return {
        fact.id: Place(
            resource_id=fact.id,
            kind=fact.kind,
            units=stock.units(fact.id),
            whole=fact.is_composite,
            capacity=fact.capacity,
            city=fact.city,
            buffer=buffer_of(stock, fact),
            opened=tuple(opened(stock, fact, window)),
            load=loads.get(fact.id, 0),
        )
        for fact in facts
    }


def buffer(stock: Stock, fact: Fact) -> Buffer:
    """What a resource needs before and after; a composite at least what each of its parts needs."""
    longest = fact.buffer
    for leaf in stock.leaves(fact.id):
        longest = longest.longer(leaf.buffer)
    return longest


def _is_pool(place: Place) -> bool:
    """Whether it has several equal places, so that others could be seated anew."""
    return len(place.units) > 1 and not place.whole


def around(wanted: Interval, longest_minutes: int) -> Interval:
    """What is looked at for a wish; one of ten years is refused by its length, its hours need not be computed."""
    end = min(wanted.end, wanted.start + timedelta(minutes=longest_minutes))
    return Interval(wanted.start - AROUND, max(end, wanted.start) + AROUND)


@dataclass(slots=True)
class Scene:
    """An offering with its resources around a wish. `seats` are what others hold.

    What gives way is left out: `over`, the bookings whose hold is over, and the one that is to be changed itself.
    `locked`: the resources are locked, so something is being decided and not only shown.
    """

    offering: Offering
    stock: Stock
    requirements: tuple[Requirement, ...]
    places: Mapping[int, Place]
    window: Interval
    seats: list[HeldSeat] = field(default_factory=list)
    over: set[uuid.UUID] = field(default_factory=set)
    locked: bool = False

    @property
    def zone(self) -> ZoneInfo:
        """By whose clock the rules are meant: that of the first resource that comes into question."""
        ids = [one for requirement in self.requirements for one in requirement.options]
        return ZoneInfo(self.stock.facts[ids[0]].time_zone if ids else "UTC")

    @property
    def options(self) -> list[Fact]:
        """Every resource that comes into question, once."""
        ids = {one: None for requirement in self.requirements for one in requirement.options}
        return [self.stock.facts[one] for one in ids]

    def taken(self) -> dict[int, list[Interval]]:
        """What is occupied per unit."""
        found: dict[int, list[Interval]] = {}
        for held in self.seats:
            found.setdefault(held.unit_id, []).append(held.during)
        return found

    def fit(self, wanted: Interval, wish: Wish, party: int) -> tuple[Seat, ...] | None:
        """Units for everything that is required, others of a pool seated anew if need be, or None."""
        if seats := self.assign(wanted, wish, party):
            return seats
        again = self.reseated(wanted, wish, party)
        return again[1] if again else None

    def assign(self, wanted: Interval, wish: Wish, party: int) -> tuple[Seat, ...] | None:
        """The same with everybody staying where he is."""
        return allocation.assign(
            self.requirements, self.places, self.taken(), wanted, party=party, buffer=self.offering.buffer,
            wish=wish, preference=self.offering.preference, near=self._near(wish),
        )  # fmt: skip

    def _near(self, wish: Wish) -> str:
        """Where what was picked is, otherwise where the first that comes into question is."""
        picked = [self.stock.facts[one] for one in sorted(wish.resources) if one in self.stock.facts]
        return next((fact.city for fact in (*picked, *self.options)), "")

    def whatever_the_hours(self) -> Scene:
        """The same with everything open: hours were checked when it was booked, and a closure may come later."""
        always = {one: replace(place, opened=(ALWAYS,)) for one, place in self.places.items()}
        return replace(self, places=always)

    def obstacles(self, wanted: Interval, wish: Wish, party: int) -> list[Obstacle]:
        """Why nothing can be assigned."""
        shut = {fact.id: closed(self.stock, fact, wanted) or engaged(self.stock, fact, wanted) for fact in self.options}
        return allocation.obstacles(
            self.requirements, self.places, self.taken(), wanted, party=party, buffer=self.offering.buffer, wish=wish,
            preference=self.offering.preference, near=self._near(wish), closed=shut,
        )  # fmt: skip

    def closed(self, wanted: Interval, wish: Wish) -> Reason | None:
        """Why it is closed for some requirement whatever is chosen; None when something is open for each."""
        for requirement in self.requirements:
            chosen = [one for one in requirement.options if one in wish.resources] or requirement.options
            reasons = [closed(self.stock, self.stock.facts[one], wanted) for one in chosen]
            if reasons and all(reasons):
                return reasons[0]
        return None

    def engaged(self, wanted: Interval, wish: Wish) -> Violation | None:
        """Whose other business is in the way for some requirement whatever is chosen of what is open then."""
        for requirement in self.requirements:
            chosen = [one for one in requirement.options if one in wish.resources] or requirement.options
            facts = [fact for fact in map(self.stock.facts.__getitem__, chosen) if not closed(self.stock, fact, wanted)]
            reasons = [engaged(self.stock, fact, wanted) for fact in facts]
            if reasons and reasons[0] and all(reasons):
                return Violation(ENGAGED, "start", {"name": facts[0].name, **reasons[0].params})
        return None

    def reseated(
        self, wanted: Interval, wish: Wish, party: int
    ) -> tuple[list[tuple[int, int]], tuple[Seat, ...]] | None:
        """Allocations (by id) with new units of their pools, and the units for the wish that become free; or None."""
        for requirement in self.requirements:
            for place in (self.places[one] for one in requirement.options):
                found = self._repacked(place, wanted, requirement.quantity)
                if found and (seats := found[1].assign(wanted, wish, party)):
                    return found[0], seats
        return None

    def _repacked(self, place: Place, wanted: Interval, quantity: int) -> tuple[list[tuple[int, int]], Scene] | None:
        if not _is_pool(place):
            return None
        here = [seat for seat in self.seats if seat.unit_id in place.units]
        held = [Held(n, seat.unit_id, seat.during, seat.movable and self._inside(seat)) for n, seat in enumerate(here)]
        during = place.buffer.longer(self.offering.buffer).around(wanted)
        repacked = allocation.repack(place.units, held, [during] * min(quantity, len(place.units)))
        if repacked is None or not repacked.moves:
            return None
        units = dict(repacked.moves)
        others = [seat for seat in self.seats if seat.unit_id not in place.units]
        moved = [seat._replace(unit_id=units.get(n, seat.unit_id)) for n, seat in enumerate(here)]
        again = Scene(self.offering, self.stock, self.requirements, self.places, self.window, others + moved)
        return [(here[n].allocation_id, unit) for n, unit in repacked.moves], again

    def _inside(self, seat: HeldSeat) -> bool:
        """What reaches out of the window may touch something that was not read."""
        return self.window.contains(seat.during)


def read_scene(
    tx: Tx,
    portal_id: int,
    offering: Offering,
    wanted: Interval,
    now: datetime,
    *,
    locked: bool,
    more: Collection[int] = (),
    own: uuid.UUID | None = None,
    known: Interval | None = None,
) -> Scene:
    """The scene around `wanted`, read on fresh rows after locking the resources where `locked` says so.

    `more`: resources to lock besides, such as those that a booking holds now. `own`: the booking that is to be changed;
    what it holds is not in its own way. `known`: an interval that was booked already; its service may be shorter now.
    """
    read = catalog.locked_stock if locked else catalog.stock
    longest = max(offering.policy.max_minutes, int(known.duration / timedelta(minutes=1)) if known else 0)
    window = around(wanted, longest)
    stock = read(tx, portal_id, offering.resource_ids | set(more), offering.kinds, window)
    requirements = tuple(
        Requirement(tuple(fact.id for fact in stock.options(need)), need.quantity) for need in offering.needs
    )
    facts = {one: stock.facts[one] for requirement in requirements for one in requirement.options}
    loads = _loads(tx, portal_id, offering, facts, now)
    scene = Scene(offering, stock, requirements, places(stock, facts.values(), window, loads), window, locked=locked)
    for seat in _held(tx, portal_id, scene):
        if seat.booking_id == own or seat.is_over(now):
            scene.over.add(seat.booking_id)
        else:
            # Whoever has come already, noted or not, does not change his place.
            scene.seats.append(seat if seat.start > now else seat._replace(movable=False))
    return scene


def _held(tx: Tx, portal_id: int, scene: Scene) -> Iterator[HeldSeat]:
    """What is held around the wish; of pools, where others may have to be seated anew, more of it."""
    pools = {unit for place in scene.places.values() if _is_pool(place) for unit in place.units}
    yield from occupancy.held(tx, portal_id, set(scene.stock.every_unit) - pools, scene.window)
    if pools:
        scene.window = Interval(scene.window.start - RESEATED, scene.window.end + RESEATED)
        yield from occupancy.held(tx, portal_id, pools, scene.window)


def _loads(tx: Tx, portal_id: int, offering: Offering, facts: Collection[int], now: datetime) -> Mapping[int, int]:
    if offering.preference != "least_used":
        return {}
    return catalog.loads(tx, portal_id, facts, Interval(now - LATELY, now + LATELY))
