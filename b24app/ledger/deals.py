"""Deals of bookings: which stages we have given them, and what of a price goes into product rows."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from b24app.ledger import queries, refs
from b24app.ledger.models import Booking, ExternalRef, QuoteLine


def stages_given(tx: Session, portal_id: int, deal_ids: Collection[int]) -> dict[int, set[str]]:
    """By deal, the stages that its bookings have last given it: at any other somebody else has put it."""
    rows = tx.execute(
        select(ExternalRef.remote_id, ExternalRef.drawn["stage"].as_string()).where(
            ExternalRef.portal_id == portal_id, ExternalRef.kind == "deal", ExternalRef.remote_id.in_(deal_ids)
        )
    )
    found: dict[int, set[str]] = {}
    for deal_id, stage in rows:
        if deal_id is not None and stage:
            found.setdefault(deal_id, set()).add(stage)
    return found


def adopt(
    tx: Session, portal_id: int, booking_id: uuid.UUID, deal_id: int, now: datetime, *, bulk: bool, with_rows: bool
) -> Booking | None:
    """The booking, which has this deal from now on; its other pictures are to show it. None when it has one already.

    Not a decision of anybody's, so neither a new revision nor a line in the history: who looks at the booking just then
    may still change it. `with_rows`: its price goes into the deal's product rows as well.
    """
    booking = queries.lock_bookings(tx, portal_id, {booking_id})[booking_id]
    if booking.deal_id is not None:
        return None
    booking.deal_id = deal_id
    tx.flush()
    if with_rows:
        tx.execute(
            insert(ExternalRef)
            .values(portal_id=portal_id, booking_id=booking_id, kind="rows", target="deal", dirty_since=now, bulk=bulk)
            .on_conflict_do_nothing()
        )
    refs.mark_behind(tx, portal_id, [booking_id], now, bulk=bulk)
    return booking


def lines_of(tx: Session, portal_id: int, booking_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[QuoteLine]]:
    """The lines of these bookings' prices that are in force, in their order."""
    rows = tx.scalars(
        select(QuoteLine)
        .where(
            QuoteLine.portal_id == portal_id,
            QuoteLine.booking_id.in_(booking_ids),
            QuoteLine.superseded_at.is_(None),
        )
        .order_by(QuoteLine.id)
    )
    found: dict[uuid.UUID, list[QuoteLine]] = {}
    for row in rows:
        found.setdefault(row.booking_id, []).append(row)
    return found
