"""What was changed, by whom, from what to what: ids only, never a name."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from b24app.ledger.access import Actor
from b24app.ledger.models import Booking
from b24app.ledger.session import run

_RECORD = """
INSERT INTO history (portal_id, booking_id, number, at, actor, action, before, after, batch)
VALUES (%(portal)s, %(booking)s, %(number)s, %(now)s, %(actor)s, %(action)s, %(before)s, %(after)s, %(batch)s)
"""
# Of one that is inserted by the same statement, as `booked` (ledger.booked).
FIRST = """
INSERT INTO history (portal_id, booking_id, number, at, actor, action, before, after, batch)
SELECT %(portal)s, booked.id, 1, %(now)s, %(created_by)s, 'booked', '{}', %(after)s, %(batch)s FROM booked
"""


def record(
    tx: Session,
    booking: Booking,
    action: str,
    *,
    actor: Actor,
    now: datetime,
    before: dict[str, Any],
    after: dict[str, Any],
    batch: uuid.UUID | None = None,
) -> None:
    """Adds one change, numbered by the booking's revision; changes of one click in several bookings share a `batch`."""
    run(
        tx,
        _RECORD,
        portal=booking.portal_id,
        booking=booking.id,
        number=booking.revision,
        now=now,
        actor=str(actor),
        action=action,
        before=Jsonb(before),
        after=Jsonb(after),
        batch=batch,
    )
