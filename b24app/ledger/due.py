"""What the clock has decided and nobody has written down yet, in all portals: for the worker."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy.orm import Session

from b24app.ledger.session import select_rows

# Written as the partial indexes have it. An installation that has gone is not looked after any more.
_DUE = """
SELECT b.portal_id, b.id FROM booking b
WHERE (b.stage = 'prebooked' AND b.held_until <= %(now)s
       OR b.stage = 'confirmed' AND b.asked_at IS NULL AND upper(b.during) <= %(now)s)
  AND EXISTS (SELECT FROM installation i WHERE i.portal_id = b.portal_id AND i.state <> 'deleted')
ORDER BY b.portal_id, b.id LIMIT %(limit)s
"""


def due_bookings(tx: Session, now: datetime, limit: int) -> list[tuple[int, uuid.UUID]]:
    """Portal and booking of what has expired or ended; the newest first to come are left for the next round."""
    return [(row[0], row[1]) for row in select_rows(tx, _DUE, now=now, limit=limit)]
