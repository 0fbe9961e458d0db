"""Confirming, moving, dropping and bringing back one booking."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from b24app.booking import money, others
from b24app.booking.reserve import (
    USUAL_HOLD,
    BookingRequest,
    broken_rules,
    check_rules,
    find_seats,
    is_exempt,
    pay_by,
    restrict,
    wish_json,
)
from b24app.booking.scene import Scene, read_scene
from b24app.booking.story import snapshot, tell
from b24app.errors import NotAllowed, NotFound, PolicyViolation, Stale
from b24app.ledger import catalog, occupancy, queries, refs, writes
from b24app.ledger.access import Resourceful, Viewer
from b24app.ledger.models import Booking, History, Portal
from b24app.ledger.occupancy import as_interval, as_range
from b24app.ledger.session import Tx
from b24app.scheduling.allocation import Seat, Wish
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy, change_violations, expires_at, fee
from b24app.scheduling.stage import HOLDING, Stage, Standing, on_confirm

UNDONE_WITHIN = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Move:
    """Another time or place. `resource_id`: another bare resource; `resource_ids`: other picks (None: the same)."""

    interval: Interval
    resource_id: int | None = None
    resource_ids: frozenset[int] | None = None


@dataclass(slots=True)
class Case:
    """One booking, locked with everything that a decision about it may change."""

    booking: Booking
    scene: Scene
    involved: Mapping[uuid.UUID, Booking]
    on: tuple[int, ...]

    @property
    def policy(self) -> Policy:
        """The rules that were frozen in the booking."""
        return Policy.from_dict(self.booking.policy)

    @property
    def facts(self) -> list[catalog.Fact]:
        """The resources that it is on."""
        return [self.scene.stock.facts[one] for one in self.on]

    @property
    def interval(self) -> Interval:
        return as_interval(self.booking.during)

    @property
    def others(self) -> list[Booking]:
        return [one for one in self.involved.values() if one is not self.booking]


def may_change(viewer: Viewer, booking: Booking, resources: Collection[Resourceful]) -> bool:
    """Creator, responsible and administrators change; so does who manages everything that it is on."""
    return queries.is_own(viewer, booking) or may_all(viewer, "manage", resources)


def may_all(viewer: Viewer, right: str, resources: Collection[Resourceful]) -> bool:
    """Whether he has this right on all of these, and there are any."""
    return bool(resources) and all(viewer.may(right, one) for one in resources)


def open_case(
    tx: Tx,
    portal: Portal,
    booking_id: uuid.UUID,
    *,
    revision: int | None,
    viewer: Viewer,
    now: datetime,
    right: str = "",
    move: Move | None = None,
) -> Case:
    """The booking with its scene, locked: resources by id, then bookings by id. Holds that are over have been dropped.

    Raises NotFound, NotAllowed when he may neither change it nor has `right`, and Stale when somebody has changed it
    since `revision` (None: whatever it is now).
    """
    kept = queries.kept_booking(tx, portal.id, booking_id)
    on = queries.resource_ids_of(tx, portal.id, booking_id)
    offering, known = offering_at(tx, portal, kept, move), as_interval(kept.during)
    wanted = move.interval if move else known
    scene = read_scene(tx, portal.id, offering, wanted, now, locked=True, more=on, own=booking_id, known=known)
    involved = others.lock_involved(tx, portal, scene, wanted, booking_id)
    booking = involved[booking_id]
    case = Case(booking, scene, involved, on)
    _check_rights(viewer, case, right)
    # What it is on was read before the locks; whoever moved it meanwhile has raised the revision.
    if booking.revision != (kept.revision if revision is None else revision) or booking.revision != kept.revision:
        raise Stale(booking.revision)
    others.expire(tx, portal, case.others, now)
    return case


def offering_at(tx: Tx, portal: Portal, booking: queries.Kept, move: Move | None) -> catalog.Offering:
    """What it is a booking of, or will be. Raises NotFound, and NotAllowed where a service would become a bare
    resource: it would lose what else it requires."""
    if move is not None and move.resource_id is not None:
        if not booking.is_bare:
            raise NotAllowed("move")
        return catalog.offering_of_resource(tx, portal.id, move.resource_id)
    return catalog.offering_of_service(tx, portal.id, booking.service_id, archived=True)


def _check_rights(viewer: Viewer, case: Case, right: str) -> None:
    if may_change(viewer, case.booking, case.facts) or (right and may_all(viewer, right, case.facts)):
        return
    if may_all(viewer, "see", case.facts):
        raise NotAllowed("change")
    raise NotFound("booking")


def confirm_booking(
    tx: Tx, portal: Portal, booking_id: uuid.UUID, *, revision: int, viewer: Viewer, now: datetime
) -> Booking:
    """The booking, confirmed; what competed for the same time and no longer fits has lost.

    Raises NotFound, NotAllowed (payment_first, confirm_expired, …), Stale or SlotTaken.
    """
    case = open_case(tx, portal, booking_id, revision=revision, viewer=viewer, now=now, right="approve")
    booking = case.booking
    if booking.stage == Stage.CONFIRMED:
        return booking
    if (booking.needs_approval or booking.competes) and not may_all(viewer, "approve", case.facts):
        raise NotAllowed("confirm")
    verdict = on_confirm(standing(booking), deposit=money.deposit_of(booking), now=now)
    if verdict != "confirm":
        raise NotAllowed(verdict.removeprefix("refuse:"))
    make_confirmed(tx, portal, case, "confirmed", viewer=viewer, now=now)
    refs.announce(tx, portal.id)
    return booking


def standing(booking: Booking) -> Standing:
    """What decides about a booking that may still be confirmed."""
    policy = Policy.from_dict(booking.policy)
    return Standing(Stage(booking.stage), booking.competes, policy.winner, booking.needs_approval, booking.held_until)


def make_confirmed(
    tx: Tx,
    portal: Portal,
    case: Case,
    action: str,
    *,
    viewer: Viewer,
    now: datetime,
    more: dict[str, Any] | None = None,
) -> None:
    """Confirms a prebooked or expired booking, occupying its time if it holds none. Raises SlotTaken."""
    booking, before = case.booking, snapshot(case.booking, case.on)
    held = held_seats(tx, portal, case)
    seats = held or find_seats(
        tx, portal, case.scene.whatever_the_hours(), case.interval, others.wish_of(booking), booking.party, now
    )
    others.settle_rivals(tx, portal, case.others, booking.id, seats, now)
    if not held:
        _occupy(tx, portal, booking, seats, case.interval)
    if booking.stage == Stage.EXPIRED:  # paid late
        money.restore_price(tx, portal, booking, now)
    booking.stage, booking.competes, booking.needs_approval = Stage.CONFIRMED, False, False
    booking.held_until, booking.reason = None, ""
    if booking.terms:
        booking.pay_by = pay_by(case.policy, case.interval, now)
    _finish(tx, portal, case, action, before, seats, viewer=viewer, now=now, more=more)


def held_seats(tx: Tx, portal: Portal, case: Case) -> tuple[Seat, ...]:
    """What the booking holds itself, if its hold is not over."""
    units = case.scene.stock.every_unit
    window = Interval(case.interval.start - timedelta(days=2), case.interval.end + timedelta(days=2))
    mine = [one for one in occupancy.held(tx, portal.id, units, window) if one.booking_id == case.booking.id]
    return tuple(Seat(one.resource_id, one.unit_id, one.during) for one in mine)


def _occupy(tx: Tx, portal: Portal, booking: Booking, seats: Collection[Seat], wanted: Interval) -> None:
    tx.flush()
    occupancy.occupy(tx, portal.id, booking.id, seats, wanted)
    writes.keep_claims(tx, portal.id, booking.id, [])


def _finish(
    tx: Tx,
    portal: Portal,
    case: Case,
    action: str,
    before: dict[str, Any],
    seats: Iterable[Seat] | None = None,
    *,
    viewer: Viewer,
    now: datetime,
    more: dict[str, Any] | None = None,
    batch: uuid.UUID | None = None,
) -> None:
    """History and pictures of a changed booking. The caller announces it when everything else is written."""
    on = case.on if seats is None else tuple(sorted({seat.resource_id for seat in seats}))
    tell(tx, portal, case.booking, action, before, actor=viewer.actor, now=now, resource_ids=on, more=more, batch=batch)
    tx.flush()
    refs.mark_behind(tx, portal.id, [case.booking.id], now)
    facts = [case.scene.stock.facts[one] for one in on]
    if case.booking.stage in HOLDING:
        refs.draw_booking(tx, portal, case.booking, facts, now)


def decline_booking(
    tx: Tx, portal: Portal, booking_id: uuid.UUID, *, revision: int, viewer: Viewer, now: datetime, reason: str = ""
) -> Booking:
    """The request or pre-booking, turned down by somebody who may approve it. Raises NotFound, NotAllowed or Stale."""
    case = open_case(tx, portal, booking_id, revision=revision, viewer=viewer, now=now, right="approve")
    if not may_all(viewer, "approve", case.facts):
        raise NotAllowed("confirm")
    if case.booking.stage != Stage.PREBOOKED:
        raise NotAllowed("not_prebooked")
    if others.is_over(case.booking, now):
        raise NotAllowed("expired")
    _cancel(tx, portal, case, "declined", money.NOTHING, reason, viewer=viewer, now=now)
    refs.announce(tx, portal.id)
    return case.booking


def cancel_booking(
    tx: Tx,
    portal: Portal,
    booking_id: uuid.UUID,
    *,
    revision: int,
    viewer: Viewer,
    now: datetime,
    reason: str = "",
    batch: uuid.UUID | None = None,
) -> Booking:
    """The booking, cancelled and its time given back, its price now the fee; a cancelled one stays as it is.

    Raises NotFound, NotAllowed, Stale or PolicyViolation (deadlines, what is over).
    """
    case = open_case(tx, portal, booking_id, revision=revision, viewer=viewer, now=now)
    booking = case.booking
    if booking.stage == Stage.CANCELLED:
        return booking
    if booking.stage not in HOLDING or others.is_over(booking, now):
        raise NotAllowed("cancel")
    check_change(case, "cancel", viewer=viewer, now=now)
    _cancel(tx, portal, case, "cancelled", cancel_fee(portal, booking, _price(tx, portal, booking), now), reason,
            viewer=viewer, now=now, batch=batch)  # fmt: skip
    _announce(tx, portal, batch)
    return booking


def _announce(tx: Tx, portal: Portal, batch: uuid.UUID | None) -> None:
    """Whoever changes several announces them himself: until then nobody waits for the portal's row."""
    if batch is None:
        refs.announce(tx, portal.id)


def _cancel(
    tx: Tx, portal: Portal, case: Case, action: str, due: Decimal, reason: str, *, viewer: Viewer, now: datetime,
    batch: uuid.UUID | None = None,
) -> None:  # fmt: skip
    booking, before = case.booking, snapshot(case.booking, case.on)
    occupancy.release(tx, portal.id, [booking.id], now)
    booking.stage, booking.competes, booking.reason = Stage.CANCELLED, False, reason or action
    money.drop_price(tx, portal, booking, due, "cancelled", now)
    more = {"fee": str(due)} if due else {}
    _finish(tx, portal, case, action, before, viewer=viewer, now=now, more=more, batch=batch)


def _price(tx: Tx, portal: Portal, booking: Booking) -> Decimal:
    return queries.money(tx, portal.id, booking.id).price if booking.terms else money.NOTHING


def cancel_fee(portal: Portal, booking: Booking, price: Decimal, now: datetime) -> Decimal:
    """What cancelling costs now, by the rules that were frozen; a request or a hold costs nothing."""
    if booking.stage != Stage.CONFIRMED:
        return money.NOTHING
    policy = Policy.from_dict(booking.policy)
    return fee(policy.cancel_ladder, price, as_interval(booking.during).start, now, money.digits(portal))


def check_change(case: Case, action: Literal["cancel", "move"], *, viewer: Viewer, now: datetime) -> None:
    """Raises PolicyViolation for deadlines that have passed, which approvers have none of, and for what is over."""
    broken = change_violations(
        case.policy, action, case.interval.start, now, ends=case.interval.end, moves=case.booking.moves,
        exempt=is_exempt(case.facts, viewer),
    )  # fmt: skip
    if broken:
        raise PolicyViolation(broken)


def move_booking(
    tx: Tx,
    portal: Portal,
    booking_id: uuid.UUID,
    move: Move,
    *,
    revision: int,
    viewer: Viewer,
    now: datetime,
    batch: uuid.UUID | None = None,
) -> Booking:
    """The booking at its new time and place, or as it was when nothing differs; quoted anew by its own tariff.

    `revision` is what the person was looking at. Raises NotFound, NotAllowed, Stale, PolicyViolation or SlotTaken.
    """
    case = open_case(tx, portal, booking_id, revision=revision, viewer=viewer, now=now, move=move)
    booking, scene = case.booking, case.scene
    if booking.stage not in HOLDING or others.is_over(booking, now):
        raise NotAllowed("move")
    if not differs(case, move):
        return booking
    restrict_move(case, move, viewer)
    check_change(case, "move", viewer=viewer, now=now)
    check_rules(
        tx, portal, scene, as_request(booking, move), viewer=viewer, now=now, policy=moved_policy(case), own=booking
    )
    wish = wish_at(case, move)
    seats = keeping_place(case, move, wish) or find_seats(
        tx, portal, scene, move.interval, wish, booking.party, now, competes=booking.competes
    )
    charge = move_fee(portal, booking, _price(tx, portal, booking), now)
    _replace(tx, portal, case, move, wish, seats, charge, "moved", viewer=viewer, now=now, batch=batch)
    _announce(tx, portal, batch)
    return booking


def differs(case: Case, move: Move) -> bool:
    """Whether a move changes anything at all."""
    if move.interval != case.interval or (move.resource_ids is not None and not move.resource_ids <= set(case.on)):
        return True
    return case.scene.offering.service_id != case.booking.service_id


def restrict_move(case: Case, move: Move, viewer: Viewer) -> None:
    """He must be allowed to book where it goes; a request that nobody has approved yet may be asked for elsewhere."""
    least = "request" if case.booking.needs_approval else "book"
    try:
        restrict(case.scene, viewer, Wish(move.resource_ids or frozenset()), least=least)
    except NotAllowed as refused:
        raise NotAllowed("move", refused.about) from None


def moved_policy(case: Case) -> Policy:
    """The frozen rules, with the durations and steps of what it is moved to."""
    now_offered = case.scene.offering.policy
    return replace(
        case.policy,
        min_minutes=now_offered.min_minutes,
        max_minutes=now_offered.max_minutes,
        step_minutes=now_offered.step_minutes,
        horizon_days=now_offered.horizon_days,
    )


def as_request(booking: Booking, move: Move) -> BookingRequest:
    """What the rules are asked about a move."""
    return BookingRequest(move.interval, resource_ids=move.resource_ids or frozenset(), party=booking.party)


def wish_at(case: Case, move: Move) -> Wish:
    """What was picked by hand, as far as it still means something at the new place."""
    if move.resource_id is not None:
        return Wish()
    kept = others.wish_of(case.booking)
    return kept if move.resource_ids is None else Wish(move.resource_ids)


def keeping_place(case: Case, move: Move, wish: Wish) -> tuple[Seat, ...] | None:
    """The same resources as now, if they are free then and nobody picked others."""
    options = {one for requirement in case.scene.requirements for one in requirement.options}
    if move.resource_ids is not None or not set(case.on) <= options:
        return None
    return case.scene.assign(move.interval, Wish(frozenset(case.on), wish.units), case.booking.party)


def move_fee(portal: Portal, booking: Booking, price: Decimal, now: datetime) -> Decimal:
    """What moving costs now, by the rules that were frozen."""
    if booking.stage != Stage.CONFIRMED:
        return money.NOTHING
    policy = Policy.from_dict(booking.policy)
    return fee(policy.move_ladder, price, as_interval(booking.during).start, now, money.digits(portal))


def _replace(
    tx: Tx, portal: Portal, case: Case, move: Move, wish: Wish, seats: Collection[Seat], charge: Decimal,
    action: str, *, viewer: Viewer, now: datetime, batch: uuid.UUID | None = None, counted: int = 1,
) -> None:  # fmt: skip
    """Puts the booking where it is to be: units, time, price, rules."""
    booking, before = case.booking, snapshot(case.booking, case.on)
    if booking.stage == Stage.CONFIRMED:
        others.settle_rivals(tx, portal, case.others, booking.id, list(seats), now)
    occupancy.release(tx, portal.id, [booking.id], now)
    if booking.competes:
        writes.keep_claims(tx, portal.id, booking.id, {seat.resource_id for seat in seats})
    else:
        _occupy(tx, portal, booking, seats, move.interval)
    booking.during, booking.service_id = as_range(move.interval), case.scene.offering.service_id
    booking.policy, booking.wish = moved_policy(case).as_dict(), wish_json(wish)
    booking.moves += counted
    booking.asked_at = None
    if booking.held_until is not None:
        booking.held_until = min(booking.held_until, move.interval.start)
    if booking.pay_by is not None:
        booking.pay_by = min(booking.pay_by, move.interval.start)
    quote = money.quoted_again(booking, move.interval, case.scene.zone, portal.currency)
    money.requote(tx, portal, booking, quote, charge, now)
    _finish(tx, portal, case, action, before, seats, viewer=viewer, now=now, batch=batch)


def reopen_booking(
    tx: Tx, portal: Portal, booking_id: uuid.UUID, *, revision: int, viewer: Viewer, now: datetime
) -> Booking:
    """The booking as it was before it was dropped or finished, if its time is still free.

    Raises NotFound, NotAllowed, Stale, PolicyViolation (quotas) or SlotTaken.
    """
    case = open_case(tx, portal, booking_id, revision=revision, viewer=viewer, now=now)
    others.expire(tx, portal, [case.booking], now)
    if not may_bring_back(viewer, case.booking, case.facts, queries.history(tx, portal.id, booking_id)):
        raise NotAllowed("reopen")
    reopen(tx, portal, case, viewer=viewer, now=now)
    refs.announce(tx, portal.id)
    return case.booking


def may_bring_back(
    viewer: Viewer, booking: Booking, resources: Collection[Resourceful], changes: Iterable[History]
) -> bool:
    """Whether he may have it again as it stood: what somebody else had to confirm is not his to confirm again.

    `changes`: its history, the newest first.
    """
    if booking.stage == Stage.COMPLETED or stage_before(changes).get("stage") != Stage.CONFIRMED:
        return True
    return may_all(viewer, "book" if Policy.from_dict(booking.policy).winner == "first" else "approve", resources)


def reopen(
    tx: Tx, portal: Portal, case: Case, *, viewer: Viewer, now: datetime, batch: uuid.UUID | None = None
) -> None:
    """The same for a case that is open already."""
    booking, before = case.booking, snapshot(case.booking, case.on)
    if booking.stage in HOLDING:
        raise NotAllowed("reopen")
    was = stage_before(queries.history(tx, portal.id, booking.id))
    competes = bool(was.get("competes"))
    waits = was.get("stage") == Stage.PREBOOKED and booking.stage != Stage.COMPLETED
    if waits and case.interval.start <= now:
        raise NotAllowed("reopen")
    seats = None  # what is done has kept its time
    if booking.stage != Stage.COMPLETED:
        _check_quotas(tx, portal, case, viewer=viewer, now=now)
        seats = _seats_again(tx, portal, case, now, competes=competes)
        if not waits:
            others.settle_rivals(tx, portal, case.others, booking.id, seats, now)
        occupancy.release(tx, portal.id, [booking.id], now)
        if competes:
            writes.keep_claims(tx, portal.id, booking.id, {seat.resource_id for seat in seats})
        else:
            _occupy(tx, portal, booking, seats, case.interval)
    booking.stage = Stage.PREBOOKED if waits else Stage.CONFIRMED
    booking.competes, booking.reason = waits and competes, ""
    booking.held_until = _new_term(case, now) if waits else None
    # Brought back after its end, it is for a person to finish, and not at once by the clock again.
    booking.asked_at = now if case.interval.end <= now else None
    tx.flush()
    money.restore_price(tx, portal, booking, now)
    _finish(tx, portal, case, "reopened", before, seats, viewer=viewer, now=now, batch=batch)


def _check_quotas(tx: Tx, portal: Portal, case: Case, *, viewer: Viewer, now: datetime) -> None:
    """Raises PolicyViolation where the booking, counted again, would be one too many. No other rule is asked again."""
    wanted = as_request(case.booking, Move(case.interval))
    broken = broken_rules(tx, portal, case.scene, wanted, viewer=viewer, now=now, policy=case.policy, own=case.booking)
    if quotas := [one for one in broken if one.code == "quota"]:
        raise PolicyViolation(quotas)


def _seats_again(tx: Tx, portal: Portal, case: Case, now: datetime, *, competes: bool) -> tuple[Seat, ...]:
    scene, booking = case.scene.whatever_the_hours(), case.booking
    same = Wish(frozenset(case.on), others.wish_of(booking).units)
    return scene.assign(case.interval, same, booking.party) or find_seats(
        tx, portal, scene, case.interval, others.wish_of(booking), booking.party, now, competes=competes
    )


def stage_before(changes: Iterable[History]) -> Mapping[str, Any]:
    """What the booking was when it stood last, before what has ended it; nothing when it has never ended."""
    return next((change.before for change in changes if change.before.get("stage") in HOLDING), {})


def _new_term(case: Case, now: datetime) -> datetime:
    term = expires_at(case.policy, now, case.interval.start, needs_approval=case.booking.needs_approval)
    return term or min(now + USUAL_HOLD, case.interval.start)


def undo_change(
    tx: Tx, portal: Portal, booking_id: uuid.UUID, *, revision: int, viewer: Viewer, now: datetime
) -> list[Booking]:
    """The bookings of a person's last change as they were before it: this one, and all that the same click changed.

    Raises NotFound, NotAllowed (nothing to undo, too late, not his own), Stale or SlotTaken; then nothing is undone.
    """
    last = queries.last_change(tx, portal.id, booking_id)
    if last is None or last.number != revision:
        raise Stale(last.number if last else 0)
    together = queries.changed_together(tx, portal.id, booking_id, last.batch) if last.batch else [last]
    kept = queries.kept_bookings(tx, portal.id, [one.booking_id for one in together])
    back = {one.booking_id: _move_back(kept[one.booking_id], one) for one in together if one.action == "moved"}
    if len(together) > 1:
        targets = [offering_at(tx, portal, kept[one], move) for one, move in back.items() if move.resource_id]
        intervals = [move.interval for move in back.values()]
        others.lock_all(tx, portal, list(kept), now, offerings=targets, intervals=intervals)
    undone = [
        _undo(tx, portal, one, back.get(one.booking_id), viewer=viewer, now=now)
        for one in _in_turn(together, kept, back)
    ]
    refs.announce(tx, portal.id)
    return undone


def _in_turn(
    changes: Collection[History], kept: Mapping[uuid.UUID, queries.Kept], back: Mapping[uuid.UUID, Move]
) -> list[History]:
    """The same in an order in which none is in another's way: those that go back later begin with the last one."""
    starts = {one.booking_id: as_interval(kept[one.booking_id].during).start for one in changes}
    later = any(move.interval.start > starts[one] for one, move in back.items())
    return sorted(changes, key=lambda one: (starts[one.booking_id], one.booking_id), reverse=later)


def can_undo(change: History | None, viewer: Viewer, now: datetime) -> bool:
    """Whether this is something that this person did just now and that can be taken back."""
    return (
        change is not None
        and change.action in ("booked", "moved", "cancelled", "declined", "completed", "no_show", "checked_in")
        and change.actor == str(viewer.actor)
        and now - change.at <= UNDONE_WITHIN
    )


def _undo(tx: Tx, portal: Portal, change: History, back: Move | None, *, viewer: Viewer, now: datetime) -> Booking:
    if not can_undo(change, viewer, now):
        raise NotAllowed("undo")
    case = open_case(
        tx, portal, change.booking_id, revision=change.number, viewer=viewer, now=now, right="approve", move=back
    )
    booking = case.booking
    if others.is_over(booking, now):
        raise NotAllowed("undo")
    if back is not None:
        wish = Wish(frozenset(change.before.get("resources", case.on)))
        seats = find_seats(
            tx, portal, case.scene.whatever_the_hours(), back.interval, wish, booking.party, now,
            competes=booking.competes,
        )  # fmt: skip
        money.drop_fee(tx, portal, booking, change.at, now)
        if term := change.before.get("held_until"):
            booking.held_until = datetime.fromisoformat(term)
        picked = others.as_wish(change.before.get("wish", booking.wish))
        _replace(tx, portal, case, back, picked, seats, money.NOTHING, "undone",
                 viewer=viewer, now=now, counted=-1)  # fmt: skip
    elif change.action == "booked":
        _cancel(tx, portal, case, "cancelled", money.NOTHING, "undone", viewer=viewer, now=now)
    elif change.action == "checked_in":
        before = snapshot(booking, case.on)
        booking.checked_in_at = None
        _finish(tx, portal, case, "undone", before, viewer=viewer, now=now)
    else:
        reopen(tx, portal, case, viewer=viewer, now=now)
    return booking


def _move_back(kept: queries.Kept, change: History) -> Move:
    """Where it was before this change, which says only what differs."""
    is_at, was_on = as_interval(kept.during), change.before.get("resources")
    start, end = (datetime.fromisoformat(change.before[name]) if name in change.before else None
                  for name in ("start", "end"))  # fmt: skip
    back = Interval(start or is_at.start, end or is_at.end)
    return Move(back, resource_id=was_on[0] if was_on and kept.is_bare else None)
