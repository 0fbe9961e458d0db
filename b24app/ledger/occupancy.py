"""Taking and giving back units. The only place that writes allocations.

Order that everyone keeps: lock the resource rows by id, look again on fresh rows, insert, and let the
database's exclusion constraint have the last word (docs/architecture.md, "The one thing").
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime

from psycopg.errors import ExclusionViolation
from psycopg.types.range import Range
from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from b24app.errors import NotFound, SlotTaken
from b24app.ledger.models import ALLOCATION_NO_OVERLAP, Allocation, Resource, Unit
from b24app.scheduling.interval import Interval


def as_range(interval: Interval) -> Range[datetime]:
    return Range(interval.start, interval.end, "[)")


def as_interval(during: Range[datetime]) -> Interval:
    assert during.lower is not None, "checked by the table"
    assert during.upper is not None
    return Interval(during.lower, during.upper)


def lock(tx: Session, portal_id: int, resource_ids: Collection[int]) -> dict[int, Resource]:
    """The resources, locked until the transaction ends, in id order. Raises NotFound for a missing one."""
    rows = tx.scalars(
        select(Resource)
        .where(Resource.portal_id == portal_id, Resource.id.in_(resource_ids))
        .order_by(Resource.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    if len(rows) != len(set(resource_ids)):
        raise NotFound("resource")
    return {row.id: row for row in rows}


def taken(
    tx: Session, portal_id: int, unit_ids: Iterable[int], window: Interval, *, except_for: uuid.UUID | None = None
) -> list[Interval]:
    """What is held on these units within `window`, in order; the allocations of one booking may be left out."""
    # Written as the constraint's own expression, so that its index answers.
    query = (
        select(Allocation.during)
        .where(
            Allocation.portal_id == portal_id,
            or_(*(func.int8range(Allocation.unit_id, Allocation.unit_id, "[]") == Range(u, u, "[]") for u in unit_ids)),
            Allocation.during.overlaps(as_range(window)),
            Allocation.released_at.is_(None),
        )
        .order_by(func.lower(Allocation.during))
    )
    if except_for is not None:
        query = query.where(Allocation.booking_id != except_for)
    return [as_interval(during) for during in tx.scalars(query)]


def occupy(tx: Session, portal_id: int, booking_id: uuid.UUID, unit_ids: Collection[int], interval: Interval) -> None:
    """Inserts the allocations in unit order; raises SlotTaken when somebody else holds one of the units."""
    try:
        for unit_id in sorted(unit_ids):
            tx.execute(
                insert(Allocation).values(
                    portal_id=portal_id, booking_id=booking_id, unit_id=unit_id, during=as_range(interval)
                )
            )
    except IntegrityError as error:
        cause = error.orig
        if isinstance(cause, ExclusionViolation) and cause.diag.constraint_name == ALLOCATION_NO_OVERLAP:
            raise SlotTaken(interval) from error
        raise


def release(tx: Session, portal_id: int, booking_id: uuid.UUID, now: datetime) -> None:
    """Gives back everything that the booking holds."""
    tx.execute(
        update(Allocation)
        .where(Allocation.portal_id == portal_id, Allocation.booking_id == booking_id, Allocation.released_at.is_(None))
        .values(released_at=now)
    )


def held_resources(tx: Session, portal_id: int, booking_id: uuid.UUID) -> set[int]:
    """The resources on which the booking holds something now."""
    return set(
        tx.scalars(
            select(Unit.resource_id)
            .join(Allocation, Allocation.unit_id == Unit.id)
            .where(
                Allocation.portal_id == portal_id, Allocation.booking_id == booking_id, Allocation.released_at.is_(None)
            )
        )
    )
