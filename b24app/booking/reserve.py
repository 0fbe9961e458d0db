"""Taking a time: held, confirmed at once, or asked for beside others, as the rules have it."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal

from b24app.booking import approval, money, others
from b24app.booking.clients import ClientData, keep_client
from b24app.booking.scene import Scene, read_scene
from b24app.booking.story import beginning
from b24app.errors import InvalidInput, NotAllowed, NotFound, PolicyViolation, Refused, SlotTaken, Stale
from b24app.ledger import booked, catalog, occupancy, queries, refs, writes
from b24app.ledger.access import Viewer
from b24app.ledger.booked import Beside
from b24app.ledger.catalog import Fact, Offering
from b24app.ledger.models import Booking, Portal
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import Tx, keep_plans
from b24app.scheduling.allocation import Requirement, Seat, Wish
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy, Quota, Violation, expires_at, quota_window, violations
from b24app.scheduling.pricing import MOST_PARTY, Quote, payment_state
from b24app.scheduling.stage import Payment, Stage

# Nobody waits in front of a screen for these, so their pictures are drawn after everybody else's.
BULK_SOURCES = frozenset({"import", "series"})
USUAL_HOLD = timedelta(days=1)  # of a pre-booking that somebody asks for where the rules would confirm at once
# Obstacles that are rules and not other people's bookings: they are told at the form's fields.
BY_RULE = {"closed": "start", "too_small": "party", "not_able": "resource"}


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """What somebody wants: a bare resource or a service. `request_key` is the form's own: sent twice, one booking.

    `resource_ids` and `unit_ids` were picked by hand; `extras` by code. `intent`: "hold" for a pre-booking where the
    rules would confirm at once (of `hold_minutes`, or less where the rules say so), "confirm" at once where they would
    hold (a right of approvers).
    """

    interval: Interval
    resource_id: int | None = None
    service_id: int | None = None
    resource_ids: frozenset[int] = frozenset()
    unit_ids: frozenset[int] = frozenset()
    party: int = 1
    group: str = ""
    extras: Mapping[str, int] = field(default_factory=dict, hash=False)
    intent: Literal["policy", "hold", "confirm"] = "policy"
    hold_minutes: int | None = None
    source: str = "manager"
    client: ClientData | None = None
    deal_id: int | None = None
    title: str = ""
    notes: str = ""
    responsible_id: int | None = None
    participants: frozenset[int] = frozenset()
    request_key: str | None = None
    series_id: int | None = None
    series_day: date | None = None

    @property
    def wish(self) -> Wish:
        return Wish(self.resource_ids, self.unit_ids)


@dataclass(frozen=True, slots=True)
class Opening:
    """How a booking begins: at which stage, until when it waits, whether it competes."""

    stage: Stage
    held_until: datetime | None
    competes: bool
    needs_approval: bool


def book(
    tx: Tx, portal: Portal, request: BookingRequest, *, viewer: Viewer, now: datetime, batch: uuid.UUID | None = None
) -> Booking:
    """The booking, confirmed or waiting as the rules have it, or the one that this very form has made before.

    Raises InvalidInput, NotFound, NotAllowed, PolicyViolation (every broken rule) or SlotTaken; nothing is sent yet.
    """
    if not 1 <= request.party <= MOST_PARTY:
        raise InvalidInput({"party": "out_of_range"})
    keep_plans(tx)
    offering = offering_of(tx, portal, request)
    scene = read_scene(tx, portal.id, offering, request.interval, now, locked=True)
    involved = others.lock_involved(tx, portal, scene, request.interval)
    try:
        needs_approval = restrict(scene, viewer, request.wish)
        check_rules(tx, portal, scene, request, viewer=viewer, now=now)
        price = price_of(scene, portal, request)
        opening = opening_of(scene, request, price, needs_approval, viewer=viewer, now=now)
        seats = find_seats(
            tx, portal, scene, request.interval, request.wish, request.party, now, competes=opening.competes
        )
    except Refused:
        # Sent twice, a form finds its own booking in the way; the lock has let the first one finish.
        if made := _made_before(tx, portal, request):
            return made
        raise
    others.expire(tx, portal, involved.values(), now)
    wins = opening.stage == Stage.CONFIRMED
    lost = others.settle_rivals(tx, portal, involved.values(), None, seats, now) if wins else []
    booking = _unwritten(tx, portal, request, scene, opening, price, viewer=viewer, now=now)
    on = [scene.stock.facts[one] for one in sorted({seat.resource_id for seat in seats})]
    beside = _beside(portal, request, booking, seats, on, viewer, now, batch)
    if opening.needs_approval:
        beside = replace(beside, facts=[*beside.facts, *approval.asked(tx, portal, booking, on, now)])
    waits = booked.insert(tx, booking, beside, now)
    if waits is None:  # sent twice, with another time or resource the second time
        made = _made_before(tx, portal, request)
        assert made is not None, "the unique key has just told that it exists"
        if lost:  # nobody may lose for a booking that is not made
            raise Stale(made.revision)
        return made
    if opening.competes:
        writes.keep_claims(tx, portal.id, booking.id, [fact.id for fact in on])
    if price is not None:
        writes.add_lines(tx, portal.id, booking.id, price.lines, now)
    if not waits:
        refs.wake(tx, portal.id)
    return booking


def offering_of(tx: Tx, portal: Portal, request: BookingRequest) -> Offering:
    """What is asked for; raises NotFound."""
    if request.service_id is not None:
        return catalog.offering_of_service(tx, portal.id, request.service_id)
    return catalog.offering_of_resource(tx, portal.id, request.resource_id or 0)


def _made_before(tx: Tx, portal: Portal, request: BookingRequest) -> Booking | None:
    return queries.booking_by_request(tx, portal.id, request.request_key) if request.request_key else None


def restrict(scene: Scene, viewer: Viewer, wish: Wish, *, least: str = "request") -> bool:
    """Leaves the scene only what this viewer may have; returns whether somebody has to approve it.

    What he may book himself comes first. Raises NotFound for what he does not even see, NotAllowed for the rest.
    """
    needs_approval = False
    restricted = []
    for requirement in scene.requirements:
        options = [scene.stock.facts[one] for one in requirement.options]
        _check_seen(options, viewer)
        allowed = _allowed(options, viewer, "book", wish)
        if not allowed and least == "request":
            allowed = _allowed(options, viewer, "request", wish)
            needs_approval = bool(allowed)
        if not allowed:
            raise NotAllowed("book", [fact.id for fact in options if viewer.may("busy", fact)])
        restricted.append(Requirement(tuple(fact.id for fact in allowed), requirement.quantity))
    scene.requirements = tuple(restricted)
    return needs_approval


def _check_seen(options: Collection[Fact], viewer: Viewer) -> None:
    if not any(viewer.may("busy", fact) for fact in options):
        raise NotFound("resource")


def _allowed(options: Collection[Fact], viewer: Viewer, right: str, wish: Wish) -> list[Fact]:
    """The options with this right; none of them when one was picked that lacks it."""
    found = [fact for fact in options if viewer.may(right, fact)]
    picked = {fact.id for fact in options} & wish.resources
    return found if picked <= {fact.id for fact in found} else []


def check_rules(
    tx: Tx,
    portal: Portal,
    scene: Scene,
    request: BookingRequest,
    *,
    viewer: Viewer,
    now: datetime,
    policy: Policy | None = None,
    own: Booking | None = None,
) -> None:
    """Raises PolicyViolation with all the rules that the request breaks. `own`: the booking that is to be moved."""
    broken = broken_rules(tx, portal, scene, request, viewer=viewer, now=now, policy=policy, own=own)
    if own is not None and as_interval(own.during).start == request.interval.start:
        broken = [one for one in broken if one.code != "past"]  # what has begun may still end at another time
    if broken:
        raise PolicyViolation(broken)


def broken_rules(
    tx: Tx,
    portal: Portal,
    scene: Scene,
    request: BookingRequest,
    *,
    viewer: Viewer,
    now: datetime,
    policy: Policy | None = None,
    own: Booking | None = None,
) -> list[Violation]:
    """All the rules that the request breaks."""
    policy = policy or scene.offering.policy
    wanted = request.interval
    exempt = is_exempt(scene.options, viewer)
    too_long = wanted.duration > timedelta(minutes=policy.max_minutes)
    engaged = None if too_long else scene.engaged(wanted, request.wish)
    broken = violations(
        policy,
        wanted,
        now,
        scene.zone,
        closed=None if too_long else scene.closed(wanted, request.wish),
        used={} if exempt else _used(tx, portal, policy, scene, request, viewer=viewer, now=now, own=own),
        exempt=exempt,
    )
    return [*broken, engaged] if engaged else broken


def is_exempt(options: Collection[Fact], viewer: Viewer) -> bool:
    """Whether he answers for all of this himself: whoever approves others' bookings needs no notice and no quota."""
    return viewer.answers_for_it and bool(options) and all(viewer.may("approve", fact) for fact in options)


def _used(
    tx: Tx, portal: Portal, policy: Policy, scene: Scene, request: BookingRequest, *, viewer: Viewer, now: datetime,
    own: Booking | None,
) -> dict[Quota, int]:  # fmt: skip
    if policy.quotas and scene.locked:
        writes.hold_quotas(tx, portal.id)
    found = {}
    for quota in policy.quotas:
        whose = _whose(tx, portal, quota, request, viewer, own)
        if whose is not None:
            window = quota_window(quota, request.interval.start, now, scene.zone)
            found[quota] = queries.used_of_quota(
                tx, portal.id, quota, whose, window, policy.name, now=now, except_for=own.id if own else None
            )
    return found


def _whose(
    tx: Tx, portal: Portal, quota: Quota, request: BookingRequest, viewer: Viewer, own: Booking | None
) -> int | str | None:
    """Against whose quota it counts: that of whoever booked it, also when somebody else moves it."""
    if own is not None:
        return {"client": own.client_id, "person": _person(own.created_by), "department": own.department_id}[quota.per]
    if quota.per == "person":
        return _person(str(viewer.actor))
    if quota.per == "department":
        return viewer.department_id
    if request.client is None or request.client.crm_id is None:
        return None
    return queries.client_of_crm(tx, portal.id, request.client.kind, request.client.crm_id)


def _person(actor: str) -> str | None:
    """Robots and the portal book for everybody, so what they book counts against nobody's quota."""
    return None if actor in ("robot", "portal") else actor


def find_seats(
    tx: Tx, portal: Portal, scene: Scene, wanted: Interval, wish: Wish, party: int, now: datetime, *,
    competes: bool = False,
) -> tuple[Seat, ...]:  # fmt: skip
    """Units for the wish, others of the same pool seated anew where that makes room, but not for what only competes.

    Raises PolicyViolation when a rule is in the way, otherwise SlotTaken; both say what it is.
    """
    if seats := scene.assign(wanted, wish, party):
        return seats
    if again := scene.reseated(wanted, wish, party):
        moves, seats = again
        if not competes:
            _give_way(tx, portal, scene, now)
            occupancy.reseat(tx, portal.id, moves, now)
        return seats
    found = scene.obstacles(wanted, wish, party)
    by_rule = [one for one in found if one.code in BY_RULE]
    if by_rule and len(by_rule) == len(found):
        raise PolicyViolation([Violation(one.code, BY_RULE[one.code], one.params, "resource") for one in by_rule])
    raise SlotTaken(wanted, found)


def _give_way(tx: Tx, portal: Portal, scene: Scene, now: datetime) -> None:
    """Holds that are over, and the booking that is to be changed, give their units back, so that others may be seated
    there; what else becomes of them is written down later."""
    if scene.over:
        occupancy.release(tx, portal.id, scene.over, now)


def price_of(scene: Scene, portal: Portal, request: BookingRequest) -> Quote | None:
    """The price by the offering's tariff; raises InvalidInput."""
    return money.quoted(
        scene.offering.tariff, request.interval, scene.zone, portal.currency,
        group=request.group, party=request.party, extras=request.extras,
    )  # fmt: skip


def opening_of(
    scene: Scene, request: BookingRequest, price: Quote | None, needs_approval: bool, *, viewer: Viewer, now: datetime
) -> Opening:
    """How the rules let this booking begin; raises NotAllowed for a confirmation at once that is not his to give."""
    policy, starts = scene.offering.policy, request.interval.start
    if request.intent == "confirm":
        if needs_approval or not is_exempt(scene.options, viewer):
            raise NotAllowed("confirm")
        if policy.winner == "payment" and price is not None and price.deposit > 0:
            raise NotAllowed("payment_first")
        return Opening(Stage.CONFIRMED, None, competes=False, needs_approval=False)
    held_until = expires_at(policy, now, starts, needs_approval=needs_approval)
    if request.intent == "hold" and (request.hold_minutes or held_until is None):
        term = timedelta(minutes=request.hold_minutes) if request.hold_minutes else USUAL_HOLD
        held_until = min(now + term, held_until or starts)
    if held_until is None:
        return Opening(Stage.CONFIRMED, None, competes=False, needs_approval=False)
    competes = policy.winner != "first" and not needs_approval
    return Opening(Stage.PREBOOKED, held_until, competes, needs_approval)


def _beside(
    portal: Portal, request: BookingRequest, booking: Booking, seats: Sequence[Seat], on: Sequence[Fact],
    viewer: Viewer, now: datetime, batch: uuid.UUID | None,
) -> Beside:  # fmt: skip
    """What is written with it. What competes takes nothing."""
    bulk = request.source in BULK_SOURCES
    after, facts = beginning(
        portal, booking, actor=viewer.actor, now=now, resource_ids=[fact.id for fact in on], batch=batch, bulk=bulk
    )
    taken = () if booking.competes else seats
    return Beside(taken, after, batch, facts, refs.pictures(portal, booking, on), bulk)


def _unwritten(
    tx: Tx, portal: Portal, request: BookingRequest, scene: Scene, opening: Opening, price: Quote | None, *,
    viewer: Viewer, now: datetime,
) -> Booking:  # fmt: skip
    client_id = keep_client(tx, portal.id, request.client, request.group) if request.client else None
    total = price.total if price else money.NOTHING
    return booked.unwritten(
        portal.id,
        request.interval,
        {
            "id": uuid.uuid4(),
            "service_id": scene.offering.service_id,
            "stage": opening.stage,
            "payment": payment_state(total, money.NOTHING, money.NOTHING) if total else Payment.NONE,
            "held_until": opening.held_until,
            "competes": opening.competes,
            "needs_approval": opening.needs_approval,
            "pay_by": pay_by(scene.offering.policy, request.interval, now)
            if total and opening.stage == Stage.CONFIRMED
            else None,
            "client_id": client_id,
            "deal_id": request.deal_id,
            "title": request.title,
            "notes": request.notes,
            "responsible_id": request.responsible_id or viewer.user_id,
            "participants": sorted(request.participants),
            "source": request.source,
            "policy": scene.offering.policy.as_dict(),
            "terms": money.terms(scene.offering.tariff, price, request.group, request.extras),
            "wish": wish_json(request.wish),
            "party": request.party,
            "department_id": viewer.department_id,
            "series_id": request.series_id,
            "series_day": request.series_day,
            "request_key": request.request_key,
            "created_by": str(viewer.actor),
            "created_at": now,
            "updated_at": now,
        },
    )


def pay_by(policy: Policy, interval: Interval, now: datetime) -> datetime | None:
    """When a confirmed booking has to be paid, if the rules say so; at the latest when it starts."""
    return min(now + timedelta(minutes=policy.pay_minutes), interval.start) if policy.pay_minutes else None


def wish_json(wish: Wish) -> dict[str, list[int]]:
    """What was picked by hand, as the booking keeps it."""
    found = {"resources": sorted(wish.resources), "units": sorted(wish.units)}
    return {name: ids for name, ids in found.items() if ids}
