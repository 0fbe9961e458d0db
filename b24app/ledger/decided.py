"""What became of a wish that somebody uttered by changing a picture of ours in the portal.

`drawn` is what we last wrote. A wish that was granted or refused becomes part of it, so that it is no wish any more;
what stands there wrongly is drawn over, knowingly and at most once for each refused state.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from b24app.ledger import outbox, refs
from b24app.ledger.models import ExternalRef

CONTESTED = "contested"


def locked(tx: Session, portal_id: int, ref_id: int) -> ExternalRef | None:
    """The ref as it is now, locked until the transaction ends; None when it has gone."""
    return tx.scalar(
        select(ExternalRef)
        .where(ExternalRef.portal_id == portal_id, ExternalRef.id == ref_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


def adopt(tx: Session, portal_id: int, ref_id: int, fields: Mapping[str, Any], now: datetime) -> None:
    """The wish was granted: what stands there of `fields` is ours as well; whatever else follows from it is drawn."""
    ref = locked(tx, portal_id, ref_id)
    if ref is not None:
        ref.drawn, ref.refused = {**(ref.drawn or {}), **fields}, None
        _draw_over(ref, now)
        tx.flush()
        refs.wake(tx, portal_id)


def put_back(
    tx: Session, portal_id: int, ref_id: int, there: Mapping[str, Any], seen: str, now: datetime
) -> int | None:
    """The wish was refused: what we have is drawn over it. Returns a number to tell this refusal from others, or None
    when the very same (`seen`, the print of what stands there) was drawn over already.

    Something keeps changing it then: it is parked, and nothing is said again.
    """
    ref = locked(tx, portal_id, ref_id)
    if ref is None:
        return None
    again, told = ref.refused == seen, ref.revision
    ref.drawn, ref.refused = dict(there), seen
    _draw_over(ref, now)
    if again:
        ref.parked_reason = CONTESTED
    tx.flush()
    refs.wake(tx, portal_id)
    return None if again else told


def put_back_gone(
    tx: Session, portal_id: int, ref_id: int, intent: Mapping[str, Any], seen: str, now: datetime
) -> int | None:
    """The same for a picture that was deleted: it is looked for by `intent`'s mark, and else made again."""
    told = put_back(tx, portal_id, ref_id, {}, seen, now)
    lost = {"remote_id": None, "host": None, "drawn": None, "intent": dict(intent)}
    tx.execute(update(ExternalRef).where(ExternalRef.portal_id == portal_id, ExternalRef.id == ref_id).values(lost))
    return told


def _draw_over(ref: ExternalRef, now: datetime) -> None:
    ref.revision += 1
    ref.dirty_since = ref.dirty_since or now
    ref.bulk, ref.due_at, ref.attempts, ref.parked_reason = False, None, 0, None


def touch(tx: Session, portal_id: int, ref_id: int, now: datetime) -> None:
    """The picture is drawn anew, nothing having been asked for."""
    adopt(tx, portal_id, ref_id, {}, now)


def forget(tx: Session, portal_id: int, ref_id: int) -> None:
    """Somebody has deleted the picture and may: there is to be none, until the booking is taken up again."""
    tx.execute(delete(ExternalRef).where(ExternalRef.portal_id == portal_id, ExternalRef.id == ref_id))


def forgive(tx: Session, portal_id: int) -> None:
    """However the bookings' items stand in the portal now, nothing of it is taken for a wish."""
    items = (ExternalRef.portal_id == portal_id, ExternalRef.kind == "item", ExternalRef.booking_id.is_not(None))
    refs.lock(tx, *items)
    tx.execute(update(ExternalRef).where(*items).values(drawn=None).execution_options(synchronize_session=False))


def attach(
    tx: Session,
    portal_id: int,
    remote_id: int,
    now: datetime,
    *,
    booking_id: uuid.UUID | None = None,
    resource_id: int | None = None,
    drawn: Mapping[str, Any] | None = None,
) -> int:
    """This item is the picture of that booking or resource from now on, and is drawn over; returns the ref's id.

    `drawn`: what stands there is agreed to; None: whatever stands there is not a wish.
    """
    adding = insert(ExternalRef).values(
        portal_id=portal_id, booking_id=booking_id, resource_id=resource_id, kind="item", dirty_since=now
    )
    tx.execute(adding.on_conflict_do_nothing())
    owner = ExternalRef.booking_id == booking_id if booking_id else ExternalRef.resource_id == resource_id
    ref = tx.scalars(
        select(ExternalRef)
        .where(ExternalRef.portal_id == portal_id, ExternalRef.kind == "item", owner)
        .execution_options(populate_existing=True)
    ).one()
    outbox.lock(tx, portal_id, [ref])
    outbox.attach(tx, ref, remote_id, None, now)
    tx.refresh(ref)
    ref.drawn = dict(drawn) if drawn is not None else None
    _draw_over(ref, now)
    tx.flush()
    return ref.id
