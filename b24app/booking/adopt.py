"""What people ask for by changing a booking's card in the portal: under the same rules as on our pages, as one request.

Who it is for, its deal, responsible and participants are theirs to say and are taken over without rules.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from b24app import texts
from b24app.booking import others
from b24app.booking.attendance import complete_booking, mark_no_show, settle_due
from b24app.booking.change import (
    Move,
    cancel_booking,
    confirm_booking,
    decline_booking,
    may_all,
    may_change,
    move_booking,
    offering_at,
    reopen_booking,
)
from b24app.booking.clients import ClientData, keep_client
from b24app.booking.payments import MoneyData, record_payment
from b24app.booking.story import snapshot, tell
from b24app.errors import InvalidInput, NotAllowed
from b24app.ledger import queries, refs
from b24app.ledger.access import Viewer
from b24app.ledger.models import Booking, Portal
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import Tx
from b24app.scheduling.interval import Interval
from b24app.scheduling.stage import HOLDING, Payment, Stage

DELETED = "item_deleted"  # the reason of a booking that was cancelled by deleting its card


@dataclass(frozen=True, slots=True)
class Facts:
    """What is taken over as it is. `changed` names the fields that count: client, deal, responsible, participants."""

    changed: frozenset[str]
    client: ClientData | None = None
    deal: int | None = None
    responsible: int | None = None
    participants: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Wished:
    """What somebody has changed in a card; None: not that. `stage`: prebooked, confirmed, paid, … as funnels go."""

    start: datetime | None = None
    end: datetime | None = None
    resources: frozenset[int] | None = None
    stage: str | None = None
    facts: Facts = field(default_factory=lambda: Facts(frozenset()))

    @property
    def moves(self) -> bool:
        return (self.start, self.end, self.resources) != (None, None, None)


def grant(
    tx: Tx, portal: Portal, booking_id: uuid.UUID, wished: Wished, *, viewer: Viewer, now: datetime, pays: bool = True
) -> Booking:
    """The booking as it was wished for. `pays`: a card dragged to "paid" records what is outstanding.

    Raises NotFound, NotAllowed, InvalidInput, PolicyViolation, SlotTaken; then nothing of it may be kept.
    """
    booking = queries.booking_state(tx, portal.id, booking_id)
    move = _move(tx, portal, booking, wished) if wished.moves else None
    _lock(tx, portal, booking, move, now)
    if wished.facts.changed:
        take_over(tx, portal, booking_id, wished.facts, viewer=viewer, now=now)
    back = wished.stage is not None and _must_come_back(_now(tx, portal, booking_id), wished.stage, now)
    if back:
        seen = _now(tx, portal, booking_id).revision
        reopen_booking(tx, portal, booking_id, revision=seen, viewer=viewer, now=now)
    if move is not None:
        seen = _now(tx, portal, booking_id).revision
        move_booking(tx, portal, booking_id, move, revision=seen, viewer=viewer, now=now)
    stands = _now(tx, portal, booking_id)
    # Brought back, it stands as it stood before, though the card was dragged one column further.
    if wished.stage is not None and not (back and stands.stage == "confirmed" and wished.stage in HOLDING):
        _to_stage(tx, portal, stands, wished.stage, viewer=viewer, now=now, pays=pays)
    refs.announce(tx, portal.id)
    return _now(tx, portal, booking_id)


def _now(tx: Tx, portal: Portal, booking_id: uuid.UUID) -> Booking:
    return queries.booking_state(tx, portal.id, booking_id)


def _lock(tx: Tx, portal: Portal, booking: Booking, move: Move | None, now: datetime) -> None:
    """Everything that several steps may touch, before the first of them: each alone would keep the order, not all."""
    if move is None:
        others.lock_all(tx, portal, [booking.id], now)
        return
    kept = queries.kept_booking(tx, portal.id, booking.id)
    offering = offering_at(tx, portal, kept, move)
    others.lock_all(tx, portal, [booking.id], now, offerings=[offering], intervals=[move.interval])


def _move(tx: Tx, portal: Portal, booking: Booking, wished: Wished) -> Move:
    """Where the card says it is to be; what was not changed there is as it is with us now."""
    stands = as_interval(booking.during)
    start, end = wished.start or stands.start, wished.end or stands.end
    if end <= start:
        raise InvalidInput({"end": "end_before_start"})
    interval = Interval(start, end)
    if wished.resources is None:
        return Move(interval)
    if not queries.kept_booking(tx, portal.id, booking.id).is_bare:
        return Move(interval, resource_ids=wished.resources)
    if len(wished.resources) > 1:
        raise InvalidInput({"resource": "only_one"})
    return Move(interval, resource_id=next(iter(wished.resources)))


# Stages ----


def _must_come_back(booking: Booking, stage: str, now: datetime) -> bool:
    """Whether it has ended, and is wished for in another state."""
    return (booking.stage not in HOLDING and booking.stage != stage) or (
        others.is_over(booking, now) and stage != Stage.EXPIRED
    )


def _to_stage(
    tx: Tx, portal: Portal, booking: Booking, stage: str, *, viewer: Viewer, now: datetime, pays: bool
) -> None:
    how: dict[str, Any] = {"revision": booking.revision, "viewer": viewer, "now": now}
    match stage:
        case "prebooked":  # nothing becomes one again
            _only_if(booking.stage == Stage.PREBOOKED, "to_prebooked")
        case "confirmed":
            _confirm(tx, portal, booking, how)
        case "paid":
            _pay(tx, portal, booking, viewer=viewer, now=now, pays=pays)
        case "completed":
            complete_booking(tx, portal, booking.id, **how)
        case "no_show":
            mark_no_show(tx, portal, booking.id, **how)
        case "cancelled":
            drop(tx, portal, booking, viewer=viewer, now=now)
        case "expired":
            _only_if(booking.stage == Stage.EXPIRED, "expire")
        case _:
            raise NotAllowed("unknown_stage")


def _only_if(condition: bool, action: str) -> None:
    if not condition:
        raise NotAllowed(action)


def _confirm(tx: Tx, portal: Portal, booking: Booking, how: Mapping[str, Any]) -> None:
    _only_if((booking.stage, booking.payment) != (Stage.CONFIRMED, Payment.PAID), "unpay")
    confirm_booking(tx, portal, booking.id, **how)


def _pay(tx: Tx, portal: Portal, booking: Booking, *, viewer: Viewer, now: datetime, pays: bool) -> None:
    """What is outstanding was taken, the card says; so it is confirmed as well."""
    if booking.payment != Payment.PAID:
        _only_if(pays, "paid_by_hand")
        outstanding = queries.money(tx, portal.id, booking.id).outstanding
        _only_if(outstanding > 0, "nothing_to_pay")
        day = now.astimezone(ZoneInfo(portal.time_zone)).date()
        note = texts.say(portal.language, "payment.in_portal")
        record_payment(
            tx, portal, booking.id, MoneyData("payment", outstanding, "other", day, note), viewer=viewer, now=now
        )
    paid = _now(tx, portal, booking.id)
    if paid.stage == Stage.PREBOOKED:
        confirm_booking(tx, portal, booking.id, revision=paid.revision, viewer=viewer, now=now)


def drop(tx: Tx, portal: Portal, booking: Booking, *, viewer: Viewer, now: datetime, reason: str = "") -> None:
    """Cancels it as staff; who may only approve requests turns this one down. Raises like `cancel_booking`."""
    on = queries.resources_of_bookings(tx, portal.id, [booking.id]).get(booking.id, ())
    mine = may_change(viewer, booking, on)
    act = decline_booking if booking.stage == Stage.PREBOOKED and not mine and may_all(viewer, "approve", on) else (
        cancel_booking
    )  # fmt: skip
    act(tx, portal, booking.id, revision=booking.revision, viewer=viewer, now=now, reason=reason)


def card_deleted(tx: Tx, portal: Portal, booking_id: uuid.UUID, *, viewer: Viewer, now: datetime) -> Booking:
    """The booking whose card somebody has deleted: cancelled by him, unless it has ended for nothing already.

    Raises NotAllowed, NotFound, PolicyViolation: then the card is to be made again.
    """
    booking = queries.booking_state(tx, portal.id, booking_id)
    if others.is_over(booking, now):
        settle_due(tx, portal, booking_id, now)
        booking = queries.booking_state(tx, portal.id, booking_id)
    if booking.stage in HOLDING:
        drop(tx, portal, booking, viewer=viewer, now=now, reason=DELETED)
    elif booking.stage not in (Stage.CANCELLED, Stage.EXPIRED):
        raise NotAllowed("deleted")
    return queries.booking_state(tx, portal.id, booking_id)


def was_dropped_with_its_card(booking: Booking) -> bool:
    """Whether deleting its card has cancelled it, so that having the card back asks for it again."""
    return booking.stage == Stage.CANCELLED and booking.reason == DELETED


def card_restored(tx: Tx, portal: Portal, booking_id: uuid.UUID, *, viewer: Viewer, now: datetime) -> None:
    """Its card is back: what its deletion has cancelled is taken up again. Raises like `reopen_booking`."""
    booking = queries.booking_state(tx, portal.id, booking_id)
    if was_dropped_with_its_card(booking):
        reopen_booking(tx, portal, booking_id, revision=booking.revision, viewer=viewer, now=now)


# What is theirs to say ----


def take_over(tx: Tx, portal: Portal, booking_id: uuid.UUID, facts: Facts, *, viewer: Viewer, now: datetime) -> Booking:
    """The booking with what people say in its card of whom it is for and who looks after it; told in its history.

    The caller announces it.
    """
    booking = queries.lock_bookings(tx, portal.id, [booking_id])[booking_id]
    on = queries.resources_of_bookings(tx, portal.id, [booking_id]).get(booking_id, ())
    refs.hold_bookings(tx, portal.id, [booking_id])
    before = snapshot(booking, [one.id for one in on])
    for name, value in _values(tx, portal, facts).items():
        setattr(booking, name, value)
    if snapshot(booking, [one.id for one in on]) == before:
        return booking
    tell(tx, portal, booking, "edited", before, actor=viewer.actor, now=now, resource_ids=[one.id for one in on])
    tx.flush()
    refs.mark_behind(tx, portal.id, [booking_id], now)
    if booking.stage in HOLDING:
        refs.draw_booking(tx, portal, booking, on, now)
    return booking


def _values(tx: Tx, portal: Portal, facts: Facts) -> dict[str, Any]:
    client = keep_client(tx, portal.id, facts.client) if "client" in facts.changed and facts.client else None
    values = {
        "client": ("client_id", client),
        "deal": ("deal_id", facts.deal),
        "responsible": ("responsible_id", facts.responsible),
        "participants": ("participants", list(facts.participants)),
    }
    return {column: value for name, (column, value) in values.items() if name in facts.changed}


def rename(tx: Tx, portal: Portal, booking_id: uuid.UUID, title: str, now: datetime) -> None:
    """The card's title is the booking's, quietly: nothing of it is ours to decide."""
    booking = queries.lock_bookings(tx, portal.id, [booking_id])[booking_id]
    if booking.title == title:
        return
    booking.title = title
    tx.flush()
    refs.mark_behind(tx, portal.id, [booking_id], now)
    refs.announce(tx, portal.id)
