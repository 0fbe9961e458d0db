"""What was changed, by whom, from what to what: ids only, never a name."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from b24app.ledger.access import Actor
from b24app.ledger.models import Booking, History


def record(
    tx: Session,
    booking: Booking,
    action: str,
    *,
    actor: Actor,
    now: datetime,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    """Adds one change, numbered by the booking's revision."""
    tx.execute(
        insert(History).values(
            portal_id=booking.portal_id,
            booking_id=booking.id,
            number=booking.revision,
            at=now,
            actor=str(actor),
            action=action,
            before=before,
            after=after,
        )
    )
