"""The application with lock and constraint taken away, to show that the race test can fail.

The constraint is dropped by the test, in its own database; here `occupancy.lock` reads without locking.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from b24app.app import create_app
from b24app.ledger import occupancy
from b24app.ledger.models import Resource


def _read(tx: Session, portal_id: int, resource_ids: Collection[int]) -> dict[int, Resource]:
    rows = tx.scalars(select(Resource).where(Resource.portal_id == portal_id, Resource.id.in_(resource_ids)))
    return {row.id: row for row in rows}


occupancy.lock = _read
app = create_app()
