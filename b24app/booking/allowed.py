"""What a person may do with a booking just now, for buttons. Each use case decides again, on locked rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from b24app.booking import money
from b24app.booking.change import can_undo, may_all, may_bring_back, may_change, stage_before, standing
from b24app.booking.others import is_over
from b24app.ledger.access import Resourceful, Viewer
from b24app.ledger.models import Booking, History
from b24app.ledger.occupancy import as_interval
from b24app.scheduling.policy import Policy, change_violations
from b24app.scheduling.stage import HOLDING, Stage, on_confirm


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which use cases would not refuse him, other people's bookings and money aside."""

    confirm: bool = False
    decline: bool = False
    cancel: bool = False
    move: bool = False
    check_in: bool = False
    complete: bool = False
    no_show: bool = False
    pin: bool = False
    take_money: bool = False


def allowed(viewer: Viewer, booking: Booking, resources: Collection[Resourceful], now: datetime) -> Allowed:
    """What `viewer` may do with a booking that is on these resources."""
    interval, approves = as_interval(booking.during), may_all(viewer, "approve", resources)
    own = may_change(viewer, booking, resources)
    tends, alive = own or approves, booking.stage in HOLDING and not is_over(booking, now)
    confirmed = booking.stage == Stage.CONFIRMED
    begun = confirmed and interval.start <= now
    # Where it may be moved to is not known yet: who may book what it is on now finds something.
    least = "request" if booking.needs_approval else "book"
    return Allowed(
        confirm=tends and alive and not confirmed and _may_confirm(booking, approves, now),
        decline=approves and alive and not confirmed,
        cancel=own and alive and _in_time(booking, "cancel", now, exempt=approves),
        move=own and alive and may_all(viewer, least, resources) and _in_time(booking, "move", now, exempt=approves),
        check_in=tends and confirmed and interval.end > now and booking.checked_in_at is None,
        complete=tends and begun,
        no_show=tends and begun,
        pin=tends and alive and not booking.competes,
        take_money=may_all(viewer, "manage", resources),
    )


def _may_confirm(booking: Booking, approves: bool, now: datetime) -> bool:
    if (booking.needs_approval or booking.competes) and not approves:
        return False
    return on_confirm(standing(booking), deposit=money.deposit_of(booking), now=now) == "confirm"


def _in_time(booking: Booking, action: Literal["cancel", "move"], now: datetime, *, exempt: bool) -> bool:
    interval = as_interval(booking.during)
    broken = change_violations(
        Policy.from_dict(booking.policy), action, interval.start, now, ends=interval.end, moves=booking.moves,
        exempt=exempt,
    )  # fmt: skip
    return not broken


def may_reopen(
    viewer: Viewer, booking: Booking, resources: Collection[Resourceful], changes: Sequence[History], now: datetime
) -> bool:
    """Whether he may bring it back, if its time is still free. `changes`: its history, the newest first."""
    if not may_change(viewer, booking, resources):
        return False
    if is_over(booking, now):
        return as_interval(booking.during).start > now
    ended = booking.stage not in HOLDING
    return ended and may_bring_back(viewer, booking, resources, changes) and _comes_back(booking, changes, now)


def may_undo(
    viewer: Viewer, booking: Booking, resources: Collection[Resourceful], changes: Sequence[History], now: datetime
) -> bool:
    """Whether the newest of these changes is his own, just made, and can be taken back."""
    last = changes[0] if changes else None
    if not can_undo(last, viewer, now) or is_over(booking, now):
        return False
    if not (may_change(viewer, booking, resources) or may_all(viewer, "approve", resources)):
        return False
    return booking.stage in HOLDING or _comes_back(booking, changes, now)


def _comes_back(booking: Booking, changes: Sequence[History], now: datetime) -> bool:
    """Whether a booking that has ended can stand again as it stood: one that waited only before it begins."""
    waited = stage_before(changes).get("stage") == Stage.PREBOOKED and booking.stage != Stage.COMPLETED
    return not waited or as_interval(booking.during).start > now
