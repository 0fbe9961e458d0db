"""Calendar events of ours, as they are found by the ids that the portal knows: their own, and those of the copies in
participants' calendars."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from b24app.ledger import queries, refs
from b24app.ledger.models import Booking, ExternalRef, Portal


@dataclass(frozen=True, slots=True)
class Picture:
    """One event with what it is a picture of."""

    ref: ExternalRef
    booking: Booking

    @property
    def event_id(self) -> int:
        """The event's own id, whichever it was found by."""
        assert self.ref.remote_id is not None, "it was found by it, or by a copy of it"
        return self.ref.remote_id


def pictures(tx: Session, portal_id: int, event_ids: Collection[int]) -> dict[int, Picture]:
    """Which of these ids are events of ours, or copies of them."""
    wanted = set(event_ids)
    rows = tx.execute(
        select(ExternalRef, Booking)
        .join(Booking, Booking.id == ExternalRef.booking_id)
        .where(
            ExternalRef.portal_id == portal_id,
            Booking.portal_id == portal_id,
            ExternalRef.kind == "event",
            ExternalRef.remote_id.is_not(None),
            or_(ExternalRef.remote_id.in_(wanted), ExternalRef.copies.overlap(list(wanted))),
        )
    ).all()
    found: dict[int, Picture] = {}
    for ref, booking in rows:
        found |= {one: Picture(ref, booking) for one in wanted & {ref.remote_id, *(ref.copies or ())}}
    return found


def targets(tx: Session, portal: Portal, booking_id: uuid.UUID) -> list[str]:
    """The calendars that the booking belongs into now."""
    held = queries.resources_of_bookings(tx, portal.id, [booking_id])
    return refs.event_targets(portal, held.get(booking_id, ()))


def keep_copies(tx: Session, portal_id: int, ref_id: int, copies: Collection[int]) -> None:
    """The ids of the event in participants' calendars."""
    one = (ExternalRef.portal_id == portal_id, ExternalRef.id == ref_id)
    tx.execute(update(ExternalRef).where(*one).values(copies=sorted(copies) or None))


def park(tx: Session, portal_id: int, ref_id: int, reason: str, now: datetime) -> None:
    """Nothing more is done about this event until somebody has seen to it."""
    tx.execute(
        update(ExternalRef)
        .where(ExternalRef.portal_id == portal_id, ExternalRef.id == ref_id, ExternalRef.parked_reason.is_(None))
        .values(parked_reason=reason, dirty_since=func.coalesce(ExternalRef.dirty_since, now), intent=None)
    )
