"""What a form shows before anything is decided: free times, price, rules, obstacles. Reads only, locks nothing."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from b24app.booking import money
from b24app.booking.change import (
    Case,
    Move,
    as_request,
    check_change,
    differs,
    keeping_place,
    move_fee,
    moved_policy,
    offering_at,
    restrict_move,
    wish_at,
)
from b24app.booking.reserve import (
    BookingRequest,
    Opening,
    check_rules,
    is_exempt,
    offering_of,
    opening_of,
    price_of,
    restrict,
)
from b24app.booking.scene import Scene, read_scene
from b24app.errors import NotAllowed, PolicyViolation
from b24app.ledger import queries
from b24app.ledger.access import Viewer
from b24app.ledger.catalog import Fact, Offering
from b24app.ledger.models import Booking, Portal
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import Tx
from b24app.scheduling import availability
from b24app.scheduling.allocation import Obstacle, Seat
from b24app.scheduling.availability import Slot
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy, Violation
from b24app.scheduling.pricing import Quote

LONGEST_WINDOW = timedelta(days=62)


@dataclass(frozen=True, slots=True)
class Terms:
    """What would come of a request now.

    `options`: the resources that come into question, by requirement; `seats`: those it would get, when there is room.
    `opening`: how it would begin; `rivals`: how many requests compete for the same time already.
    """

    offering: Offering
    zone: ZoneInfo
    options: tuple[tuple[Fact, ...], ...]
    violations: tuple[Violation, ...]
    obstacles: tuple[Obstacle, ...]
    seats: tuple[Seat, ...]
    quote: Quote | None
    opening: Opening | None
    may_confirm: bool
    rivals: int

    @property
    def policy(self) -> Policy:
        return self.offering.policy

    @property
    def is_possible(self) -> bool:
        return not self.violations and not self.obstacles


def read_terms(tx: Tx, portal: Portal, request: BookingRequest, *, viewer: Viewer, now: datetime) -> Terms:
    """What this request would come to. Raises InvalidInput (extras), NotFound or NotAllowed."""
    scene = read_scene(tx, portal.id, offering_of(tx, portal, request), request.interval, now, locked=False)
    needs_approval = restrict(scene, viewer, request.wish)
    broken: tuple[Violation, ...] = ()
    try:
        check_rules(tx, portal, scene, request, viewer=viewer, now=now)
    except PolicyViolation as error:
        broken = error.violations
    seats = scene.fit(request.interval, request.wish, request.party) or ()
    price = price_of(scene, portal, request)
    return Terms(
        offering=scene.offering,
        zone=scene.zone,
        options=tuple(tuple(scene.stock.facts[i] for i in one.options) for one in scene.requirements),
        violations=broken,
        obstacles=() if seats else tuple(scene.obstacles(request.interval, request.wish, request.party)),
        seats=seats,
        quote=price,
        opening=_opening(scene, request, price, needs_approval, viewer, now),
        may_confirm=not needs_approval and is_exempt(scene.options, viewer),
        rivals=_rivals(tx, portal, scene, request.interval, now),
    )


def _opening(
    scene: Scene, request: BookingRequest, price: Quote | None, needs_approval: bool, viewer: Viewer, now: datetime
) -> Opening | None:
    try:
        return opening_of(scene, request, price, needs_approval, viewer=viewer, now=now)
    except NotAllowed:
        return None


def _rivals(tx: Tx, portal: Portal, scene: Scene, wanted: Interval, now: datetime) -> int:
    if not scene.stock.contested:
        return 0
    related = queries.family(tx, portal.id, [fact.id for fact in scene.options])
    return len(queries.rival_ids(tx, portal.id, related, wanted, now=now))


def free_times(
    tx: Tx, portal: Portal, request: BookingRequest, window: Interval, *, viewer: Viewer, now: datetime,
    own: uuid.UUID | None = None,
) -> list[Slot]:  # fmt: skip
    """Every start within `window` (two months at most) from which the request's length would do, in order."""
    scene, asked = _wide_scene(tx, portal, request, window, viewer=viewer, now=now, own=own)
    return availability.free_slots(scene.requirements, scene.places, scene.taken(), window, **asked)


def first_free_time(
    tx: Tx, portal: Portal, request: BookingRequest, window: Interval, *, viewer: Viewer, now: datetime,
    own: uuid.UUID | None = None,
) -> Interval | None:  # fmt: skip
    """The first of those."""
    scene, asked = _wide_scene(tx, portal, request, window, viewer=viewer, now=now, own=own)
    slot = availability.next_free(scene.requirements, scene.places, scene.taken(), window, **asked)
    return slot.interval if slot else None


def next_free_times(
    tx: Tx, portal: Portal, request: BookingRequest, *, viewer: Viewer, now: datetime, count: int = 3,
    own: uuid.UUID | None = None, days: int = 14,
) -> list[Interval]:  # fmt: skip
    """The nearest times at which the request would do, before and after, none overlapping, the earliest first."""
    wanted = request.interval
    window = Interval(max(now, wanted.start - timedelta(days=days)), max(now, wanted.end) + timedelta(days=days))
    slots = free_times(tx, portal, request, window, viewer=viewer, now=now, own=own)
    return availability.nearest(slots, wanted.start, count)


def _wide_scene(
    tx: Tx, portal: Portal, request: BookingRequest, window: Interval, *, viewer: Viewer, now: datetime,
    own: uuid.UUID | None,
) -> tuple[Scene, availability.AskedTimes]:  # fmt: skip
    """The scene of a whole window, and what is asked of it."""
    offering = offering_of(tx, portal, request)
    policy = offering.policy
    window = Interval(window.start, min(window.end, window.start + LONGEST_WINDOW))
    minutes = int(request.interval.duration / timedelta(minutes=1))
    wide = replace(offering, policy=replace(policy, max_minutes=int(window.duration / timedelta(minutes=1))))
    scene = replace(read_scene(tx, portal.id, wide, window, now, locked=False, own=own), offering=offering)
    restrict(scene, viewer, request.wish)
    exempt = is_exempt(scene.options, viewer)
    earliest = now if exempt else now + timedelta(minutes=policy.notice_minutes)
    asked = availability.AskedTimes(
        minutes=minutes, step_minutes=policy.step_minutes, zone=scene.zone, now=now, earliest=earliest,
        party=request.party, buffer=offering.buffer, wish=request.wish, preference=offering.preference,
    )  # fmt: skip
    return scene, asked


@dataclass(frozen=True, slots=True)
class Outcome:
    """What cancelling or moving comes to: `price` until now, `fee`, the `new` price with it, and what was paid net."""

    price: Decimal
    fee: Decimal
    new: Decimal
    net: Decimal

    @property
    def owed_back(self) -> Decimal:
        """What the client gets back."""
        return max(self.net - self.new, Decimal(0))

    @property
    def outstanding(self) -> Decimal:
        """What the client still has to pay."""
        return max(self.new - self.net, Decimal(0))


def move_terms(tx: Tx, portal: Portal, booking: Booking, move: Move, zone: ZoneInfo, now: datetime) -> Outcome:
    """What the booking costs at another time, by the tariff that was frozen in it."""
    sums = queries.money(tx, portal.id, booking.id)
    charge = move_fee(portal, booking, sums.price, now)
    quote = money.quoted_again(booking, move.interval, zone, portal.currency)
    new = sums.price if quote is None else quote.total + money.fees(sums) + charge
    return Outcome(sums.price, charge, new, sums.paid - sums.refunded)


@dataclass(frozen=True, slots=True)
class MoveTerms:
    """What would come of a move now. `facts`: the resources that come into question; `seats`: those it would get."""

    zone: ZoneInfo
    policy: Policy
    facts: tuple[Fact, ...]
    violations: tuple[Violation, ...]
    obstacles: tuple[Obstacle, ...]
    seats: tuple[Seat, ...]
    outcome: Outcome
    changes: bool


def read_move(tx: Tx, portal: Portal, booking: Booking, move: Move, *, viewer: Viewer, now: datetime) -> MoveTerms:
    """What this move would come to. Raises NotFound or NotAllowed."""
    case = _case(tx, portal, booking, move, now)
    changes = differs(case, move)
    restrict_move(case, move, viewer)
    policy = moved_policy(case)
    wish = wish_at(case, move)
    seats = keeping_place(case, move, wish) or case.scene.fit(move.interval, wish, booking.party) or ()
    broken = _broken(tx, portal, case, move, policy, viewer=viewer, now=now) if changes else ()
    sums = move_terms(tx, portal, booking, move, case.scene.zone, now)
    return MoveTerms(
        zone=case.scene.zone,
        policy=policy,
        facts=tuple(case.scene.options),
        violations=broken,
        obstacles=() if seats else tuple(case.scene.obstacles(move.interval, wish, booking.party)),
        seats=seats,
        outcome=sums if changes else Outcome(sums.price, Decimal(0), sums.price, sums.net),
        changes=changes,
    )


def _case(tx: Tx, portal: Portal, booking: Booking, move: Move, now: datetime) -> Case:
    """The booking with its scene as a move would see it, nothing locked."""
    on = queries.resource_ids_of(tx, portal.id, booking.id)
    kept = queries.kept_booking(tx, portal.id, booking.id)
    offering, known = offering_at(tx, portal, kept, move), as_interval(kept.during)
    scene = read_scene(tx, portal.id, offering, move.interval, now, locked=False, more=on, own=booking.id, known=known)
    return Case(booking, scene, {}, on)


def _broken(
    tx: Tx, portal: Portal, case: Case, move: Move, policy: Policy, *, viewer: Viewer, now: datetime
) -> tuple[Violation, ...]:
    """Every rule that the move breaks: of moving at all, and of the new time."""
    wanted = as_request(case.booking, move)
    checks = (
        lambda: check_change(case, "move", viewer=viewer, now=now),
        lambda: check_rules(tx, portal, case.scene, wanted, viewer=viewer, now=now, policy=policy, own=case.booking),
    )
    broken: list[Violation] = []
    for check in checks:
        try:
            check()
        except PolicyViolation as error:
            broken += error.violations
    return tuple(broken)
