"""Money that staff have taken or given back, and what it changes."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from b24app.booking import money, others
from b24app.booking.change import Case, make_confirmed, may_all, open_case, standing
from b24app.booking.story import snapshot, tell
from b24app.errors import InvalidInput, NotAllowed, PolicyViolation, SlotTaken, Stale
from b24app.ledger import occupancy, queries, refs, writes
from b24app.ledger.access import Viewer
from b24app.ledger.models import Booking, Portal
from b24app.ledger.session import Tx
from b24app.scheduling.policy import expires_at
from b24app.scheduling.pricing import is_reached
from b24app.scheduling.stage import Stage, on_payment

METHODS = ("cash", "terminal", "transfer", "other")
MOST = Decimal(100_000_000)


@dataclass(frozen=True, slots=True)
class MoneyData:
    """A payment or refund as somebody enters it. `request_key` is the form's own: sent twice, it is recorded once."""

    kind: str
    amount: Decimal
    method: str
    on_day: date
    note: str = ""
    request_key: str | None = None


def check(data: MoneyData, portal: Portal, now: datetime) -> None:
    """Raises InvalidInput with a code for every field that cannot be saved."""
    wrong = {
        "kind": None if data.kind in ("payment", "refund") else "unknown_choice",
        "amount": _amount(data.amount, money.digits(portal)),
        "method": None if data.method in METHODS else "unknown_choice",
        "on_day": None if data.on_day.year >= 2000 and (data.on_day - now.date()).days <= 1 else "out_of_range",
        "note": "too_many_characters" if len(data.note) > 500 else None,
    }
    if found := {field: code for field, code in wrong.items() if code}:
        raise InvalidInput(found)


def _amount(amount: Decimal, digits: int) -> str | None:
    if not amount.is_finite() or amount <= 0:
        return "not_positive"
    if amount > MOST:
        return "absurd"
    return None if amount == round(amount, digits) else "too_many_decimals"


def record_payment(
    tx: Tx, portal: Portal, booking_id: uuid.UUID, data: MoneyData, *, viewer: Viewer, now: datetime
) -> Booking:
    """The booking with this money recorded, and confirmed, revived or lost by it as the rules have it.

    Raises InvalidInput, NotFound, NotAllowed (who takes payments has the right to manage) or Stale.
    """
    check(data, portal, now)
    case = open_case(tx, portal, booking_id, revision=None, viewer=viewer, now=now, right="manage")
    booking = case.booking
    if not may_all(viewer, "manage", case.facts):
        raise NotAllowed("payment_right")
    if _is_recorded(tx, portal, booking, data):
        return booking
    if data.kind == "refund":
        _check_refund(tx, portal, booking, data)
    if not _add(tx, portal, booking, data, viewer, now):
        raise Stale(booking.revision)
    _tell(tx, portal, case, _words(data), viewer, now, {"amount": str(data.amount), "method": data.method})
    if data.kind == "payment":
        _apply(tx, portal, case, viewer=viewer, now=now)
    refs.announce(tx, portal.id)
    return booking


def _words(data: MoneyData) -> str:
    return "paid" if data.kind == "payment" else "refunded"


def _is_recorded(tx: Tx, portal: Portal, booking: Booking, data: MoneyData) -> bool:
    """Whether this very form was sent before; raises Stale when that was for something else."""
    made = queries.money_by_request(tx, portal.id, data.request_key) if data.request_key else None
    if made is not None and (made.booking_id, made.kind, made.amount) != (booking.id, data.kind, data.amount):
        raise Stale(booking.revision)
    return made is not None


def _check_refund(tx: Tx, portal: Portal, booking: Booking, data: MoneyData) -> None:
    sums = queries.money(tx, portal.id, booking.id)
    if data.amount > sums.paid - sums.refunded:
        raise InvalidInput({"amount": "more_than_paid"})


def _add(tx: Tx, portal: Portal, booking: Booking, data: MoneyData, viewer: Viewer, now: datetime) -> bool:
    """Records it; False when this very form was sent for another booking just now."""
    return (
        writes.add_money(
            tx,
            portal.id,
            booking.id,
            {
                "kind": data.kind,
                "amount": data.amount,
                "method": data.method,
                "on_day": data.on_day,
                "note": data.note,
                "request_key": data.request_key,
                "recorded_by": str(viewer.actor),
                "recorded_at": now,
            },
        )
        is not None
    )


def _apply(tx: Tx, portal: Portal, case: Case, *, viewer: Viewer, now: datetime) -> None:
    """What the money makes of the booking (docs/behaviour.md, stages and winners)."""
    booking = case.booking
    sums = queries.money(tx, portal.id, booking.id)
    price = agreed_price(tx, portal, booking, sums)
    reached = is_reached(price, money.deposit_of(booking), sums.paid, sums.refunded)
    verdict = on_payment(standing(booking), reached=reached, now=now)
    if verdict in ("confirm", "revive"):
        _take(tx, portal, case, verdict, viewer=viewer, now=now)
    elif verdict == "compete":
        _compete_again(tx, portal, case, viewer=viewer, now=now)
    else:
        money.settle(tx, portal, booking)
        tx.flush()


def agreed_price(tx: Tx, portal: Portal, booking: Booking, sums: queries.Money) -> Decimal:
    """The price that was agreed: what expiring took off it is not counted."""
    if booking.stage != Stage.EXPIRED:
        return sums.price
    return sums.price - sum((one.amount for one in sums.lines if one.kind == "adjustment"), Decimal(0))


def _take(tx: Tx, portal: Portal, case: Case, verdict: str, *, viewer: Viewer, now: datetime) -> None:
    """Confirms it if the time can be had; otherwise it has lost and what was paid is owed back."""
    booking = case.booking
    if case.interval.start <= now:
        _lose(tx, portal, case, now)
        return
    try:
        # What was re-seated or dropped for a place that is not there after all is taken back.
        with tx.begin_nested():
            make_confirmed(tx, portal, case, "confirmed", viewer=viewer, now=now, more={"by": "payment"})
    except (SlotTaken, PolicyViolation):  # taken, or what it needs is no longer there
        tx.refresh(booking)
        _lose(tx, portal, case, now)


def _lose(tx: Tx, portal: Portal, case: Case, now: datetime) -> None:
    others.drop(tx, portal, [case.booking], Stage.CANCELLED, "lost", "lost", now)
    money.settle(tx, portal, case.booking)
    tx.flush()


def _compete_again(tx: Tx, portal: Portal, case: Case, *, viewer: Viewer, now: datetime) -> None:
    """Paid after it had expired, a request stands before its manager once more, if the time is still free."""
    booking = case.booking
    if case.interval.start <= now:
        _lose(tx, portal, case, now)
        return
    scene, wish = case.scene.whatever_the_hours(), others.wish_of(booking)
    seats = scene.fit(case.interval, wish, booking.party)
    if seats is None:
        _lose(tx, portal, case, now)
        return
    before = snapshot(booking, case.on)
    booking.stage, booking.competes, booking.reason = Stage.PREBOOKED, True, ""
    booking.held_until = expires_at(case.policy, now, case.interval.start, needs_approval=False)
    occupancy.release(tx, portal.id, [booking.id], now)
    tx.flush()
    writes.keep_claims(tx, portal.id, booking.id, {seat.resource_id for seat in seats})
    money.restore_price(tx, portal, booking, now)
    money.settle(tx, portal, booking)
    tell(tx, portal, booking, "reopened", before, actor=viewer.actor, now=now, resource_ids=case.on)
    tx.flush()
    refs.mark_behind(tx, portal.id, [booking.id], now)


def void_payment(tx: Tx, portal: Portal, record_id: int, reason: str, *, viewer: Viewer, now: datetime) -> Booking:
    """The booking of a payment or refund that does not count any more; its stage stays. Voided twice, it stays voided.

    Raises InvalidInput (a reason is asked for), NotFound, NotAllowed or Stale.
    """
    if not reason.strip() or len(reason) > 500:
        raise InvalidInput({"reason": "required" if not reason.strip() else "too_many_characters"})
    record = queries.money_record(tx, portal.id, record_id)
    case = open_case(tx, portal, record.booking_id, revision=None, viewer=viewer, now=now, right="manage")
    if not may_all(viewer, "manage", case.facts):
        raise NotAllowed("payment_right")
    tx.refresh(record)
    if record.voided_at is None:
        record.voided_at, record.voided_by, record.void_reason = now, str(viewer.actor), reason.strip()
        tx.flush()
        _tell(tx, portal, case, "voided", viewer, now, {"amount": str(record.amount), "method": record.method})
        refs.announce(tx, portal.id)
    return case.booking


def _tell(tx: Tx, portal: Portal, case: Case, action: str, viewer: Viewer, now: datetime, more: dict[str, Any]) -> None:
    before = snapshot(case.booking, case.on)
    money.settle(tx, portal, case.booking)
    tell(tx, portal, case.booking, action, before, actor=viewer.actor, now=now, resource_ids=case.on, more=more)
    tx.flush()
    refs.mark_behind(tx, portal.id, [case.booking.id], now)
