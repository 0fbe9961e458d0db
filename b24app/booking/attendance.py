"""What happens when the time of a booking comes: arriving, finishing, not appearing; and what the clock does."""

from __future__ import annotations

import uuid
from datetime import datetime

from b24app.booking import money, others
from b24app.booking.change import Case, open_case
from b24app.booking.story import snapshot, tell
from b24app.errors import NotAllowed
from b24app.ledger import occupancy, queries, refs
from b24app.ledger.access import Actor, Viewer
from b24app.ledger.models import Booking, Portal
from b24app.ledger.session import Tx
from b24app.scheduling.policy import Policy, no_show_fee
from b24app.scheduling.stage import Stage, after_end

WORKER = Viewer(0, is_admin=True)


def check_in(tx: Tx, portal: Portal, booking_id: uuid.UUID, *, revision: int, viewer: Viewer, now: datetime) -> Booking:
    """The booking, whose client has come: it is not seated elsewhere any more. Raises NotFound, NotAllowed or Stale."""
    case = _open(tx, portal, booking_id, revision, viewer, now)
    if case.booking.stage != Stage.CONFIRMED or case.interval.end <= now:
        raise NotAllowed("check_in")
    if case.booking.checked_in_at is None:
        before = snapshot(case.booking, case.on)
        case.booking.checked_in_at = now
        _finish(tx, portal, case, "checked_in", before, viewer.actor, now)
    return case.booking


def pin_booking(
    tx: Tx, portal: Portal, booking_id: uuid.UUID, *, pinned: bool, revision: int, viewer: Viewer, now: datetime
) -> Booking:
    """The booking, which keeps the very unit it has, or may be seated anew. Raises NotFound, NotAllowed, Stale."""
    case = _open(tx, portal, booking_id, revision, viewer, now)
    if case.booking.pinned != pinned:
        before = snapshot(case.booking, case.on)
        case.booking.pinned = pinned
        _finish(tx, portal, case, "pinned" if pinned else "unpinned", before, viewer.actor, now)
    return case.booking


def complete_booking(
    tx: Tx, portal: Portal, booking_id: uuid.UUID, *, revision: int, viewer: Viewer, now: datetime
) -> Booking:
    """The booking, done: its time stays its own. Only after it has begun. Raises NotFound, NotAllowed or Stale."""
    case = _open(tx, portal, booking_id, revision, viewer, now)
    if case.booking.stage != Stage.COMPLETED:
        _check_begun(case, now, "complete")
        _complete(tx, portal, case.booking, case, viewer.actor, now)
    return case.booking


def mark_no_show(
    tx: Tx, portal: Portal, booking_id: uuid.UUID, *, revision: int, viewer: Viewer, now: datetime
) -> Booking:
    """The booking whose client has not come: what is left of its time is free, its price now the no-show fee.

    Only after it has begun. Raises NotFound, NotAllowed or Stale.
    """
    case = _open(tx, portal, booking_id, revision, viewer, now)
    if case.booking.stage != Stage.NO_SHOW:
        _check_begun(case, now, "no_show")
        _no_show(tx, portal, case, viewer.actor, now)
    return case.booking


def _open(tx: Tx, portal: Portal, booking_id: uuid.UUID, revision: int | None, viewer: Viewer, now: datetime) -> Case:
    return open_case(tx, portal, booking_id, revision=revision, viewer=viewer, now=now, right="approve")


def _check_begun(case: Case, now: datetime, action: str) -> None:
    if case.booking.stage != Stage.CONFIRMED or case.interval.start > now:
        raise NotAllowed(action)


def _complete(tx: Tx, portal: Portal, booking: Booking, case: Case, actor: Actor, now: datetime) -> None:
    before = snapshot(booking, case.on)
    booking.stage = Stage.COMPLETED
    _finish(tx, portal, case, "completed", before, actor, now)


def _no_show(tx: Tx, portal: Portal, case: Case, actor: Actor, now: datetime) -> None:
    booking, before = case.booking, snapshot(case.booking, case.on)
    occupancy.shorten(tx, portal.id, booking.id, now)
    booking.stage, booking.reason = Stage.NO_SHOW, "no_show"
    price = queries.money(tx, portal.id, booking.id).price if booking.terms else money.NOTHING
    charge = no_show_fee(Policy.from_dict(booking.policy), price, money.digits(portal))
    money.drop_price(tx, portal, booking, charge, "no_show", now)
    _finish(tx, portal, case, "no_show", before, actor, now)


def _finish(
    tx: Tx, portal: Portal, case: Case, action: str, before: dict[str, object], actor: Actor, now: datetime
) -> None:
    tell(tx, portal, case.booking, action, before, actor=actor, now=now, resource_ids=case.on)
    tx.flush()
    refs.mark_behind(tx, portal.id, [case.booking.id], now)
    refs.announce(tx, portal.id)


def settle_due(tx: Tx, portal: Portal, booking_id: uuid.UUID, now: datetime) -> bool:
    """Writes down what the clock has made of one booking: expired, completed, not appeared. False: nothing to do.

    Nobody waits for this: whoever needs the time of a hold that is over drops it himself.
    """
    case = _open(tx, portal, booking_id, None, WORKER, now)
    booking = case.booking
    if others.expire(tx, portal, [booking], now):
        refs.announce(tx, portal.id)
        return True
    if booking.stage != Stage.CONFIRMED or case.interval.end > now or booking.asked_at is not None:
        return False
    verdict = after_end(case.policy, booking.checked_in_at is not None)
    if verdict == "completed":
        _complete(tx, portal, booking, case, others.WORKER, now)
    elif verdict == "no_show":
        _no_show(tx, portal, case, others.WORKER, now)
    else:
        before = snapshot(booking, case.on)
        booking.asked_at = now
        _finish(tx, portal, case, "asked", before, others.WORKER, now)
    return True
