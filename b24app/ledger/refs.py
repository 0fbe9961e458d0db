"""External refs: which pictures of the ledger the portal should hold, and which of them are behind."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from b24app.ledger import queue
from b24app.ledger.models import ExternalRef, Portal, Resource

DRAIN = "sync.drain"


def event_targets(portal: Portal, resources: Iterable[Resource]) -> list[str]:
    """Where a booking of these resources gets a calendar event: a person's own calendar, the company's section."""
    targets = []
    for resource in resources:
        if resource.calendar_mode == "none":
            continue
        if resource.portal_user_id is not None:
            targets.append(f"user:{resource.portal_user_id}")
        elif portal.calendar.get("section"):
            targets.append("company")
    return sorted(set(targets))


def touch_booking(
    tx: Session,
    portal: Portal,
    booking_id: uuid.UUID,
    resources: Iterable[Resource],
    now: datetime,
    *,
    bulk: bool = False,
) -> None:
    """Marks every picture of the booking as behind and makes the refs that it lacks, then wakes the drain.

    A ref whose target is no longer wanted (the booking moved to another resource) is marked as well: the drain
    sees that the target has gone and deletes that event.
    """
    tx.execute(
        update(ExternalRef)
        .where(ExternalRef.portal_id == portal.id, ExternalRef.booking_id == booking_id)
        .values(_behind(now, bulk))
    )
    wanted = [("event", target) for target in event_targets(portal, resources)]
    if portal.level == "B":
        wanted.append(("item", ""))
    if wanted:
        tx.execute(
            insert(ExternalRef)
            .values(
                [
                    {
                        "portal_id": portal.id,
                        "booking_id": booking_id,
                        "kind": kind,
                        "target": target,
                        "dirty_since": now,
                        "bulk": bulk,
                    }
                    for kind, target in wanted
                ]
            )
            .on_conflict_do_nothing()
        )
    wake(tx, portal.id)


def touch_resource(tx: Session, portal: Portal, resource_id: int, now: datetime) -> None:
    """The same for the item of a resource."""
    if portal.level != "B":
        return
    tx.execute(
        insert(ExternalRef)
        .values(portal_id=portal.id, resource_id=resource_id, kind="item", dirty_since=now)
        .on_conflict_do_nothing()
    )
    tx.execute(
        update(ExternalRef)
        .where(ExternalRef.portal_id == portal.id, ExternalRef.resource_id == resource_id)
        .values(_behind(now, bulk=False))
    )
    wake(tx, portal.id)


def _behind(now: datetime, bulk: bool) -> dict[str, object]:
    return {
        "revision": ExternalRef.revision + 1,
        "dirty_since": now,
        "bulk": bulk,
        "due_at": None,
        "attempts": 0,
        "parked_reason": None,
    }


def wake(tx: Session, portal_id: int) -> None:
    """Queues a drain of this portal, once; call it last in a transaction."""
    queue.defer(tx, DRAIN, lock=f"portal:{portal_id}", once=f"drain:{portal_id}", portal_id=portal_id)


def of_booking(tx: Session, portal_id: int, booking_id: uuid.UUID) -> list[ExternalRef]:
    """The refs of a booking: what the portal has of it and what is behind."""
    return list(
        tx.scalars(
            select(ExternalRef)
            .where(ExternalRef.portal_id == portal_id, ExternalRef.booking_id == booking_id)
            .order_by(ExternalRef.kind.desc(), ExternalRef.target)
        )
    )
