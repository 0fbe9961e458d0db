"""Items of our bookings' process that are no bookings, and what the ledger knows of items at all."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from b24app.ledger.models import Booking, ExternalRef, Resource
from b24app.ledger.portal_models import Draft

INCOMPLETE, REFUSED, COPY = "incomplete", "refused", "copy"


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of items of one smart process. `attached` and `drafts`: by the portal's id of the item;
    `marked`: the refs of those bookings or resources, None for one that has no picture and wants none."""

    attached: Mapping[int, ExternalRef] = field(default_factory=dict)
    marked: Mapping[uuid.UUID | int, ExternalRef | None] = field(default_factory=dict)
    drafts: Mapping[int, Draft] = field(default_factory=dict)


def of_bookings(tx: Session, portal_id: int, item_ids: Collection[int], booking_ids: Collection[uuid.UUID]) -> Known:
    """The same of bookings' items, and of these bookings."""
    refs = _refs(tx, portal_id, ExternalRef.booking_id, item_ids, booking_ids)
    there = tx.scalars(select(Booking.id).where(Booking.portal_id == portal_id, Booking.id.in_(booking_ids)))
    of = {ref.booking_id: ref for ref in refs}
    rows = tx.scalars(select(Draft).where(Draft.portal_id == portal_id, Draft.remote_id.in_(item_ids)))
    return Known(
        attached={ref.remote_id: ref for ref in refs if ref.remote_id is not None},
        marked={booking_id: of.get(booking_id) for booking_id in there},
        drafts={row.remote_id: row for row in rows},
    )


def of_resources(tx: Session, portal_id: int, item_ids: Collection[int], resource_ids: Collection[int]) -> Known:
    """The same of resources' items."""
    refs = _refs(tx, portal_id, ExternalRef.resource_id, item_ids, resource_ids)
    there = tx.scalars(select(Resource.id).where(Resource.portal_id == portal_id, Resource.id.in_(resource_ids)))
    of = {ref.resource_id: ref for ref in refs}
    return Known(
        attached={ref.remote_id: ref for ref in refs if ref.remote_id is not None},
        marked={resource_id: of.get(resource_id) for resource_id in there},
    )


def _refs(
    tx: Session, portal_id: int, owner: Any, item_ids: Collection[int], owner_ids: Collection[Any]
) -> list[ExternalRef]:
    return list(
        tx.scalars(
            select(ExternalRef)
            .where(
                ExternalRef.portal_id == portal_id,
                ExternalRef.kind == "item",
                owner.is_not(None),
                or_(ExternalRef.remote_id.in_(item_ids), owner.in_(owner_ids)),
            )
            .execution_options(populate_existing=True)
        )
    )


def resources_of_items(tx: Session, portal_id: int, item_ids: Collection[int]) -> dict[int, int]:
    """The resources whose items these are, by item id."""
    rows = tx.execute(
        select(ExternalRef.remote_id, ExternalRef.resource_id).where(
            ExternalRef.portal_id == portal_id,
            ExternalRef.kind == "item",
            ExternalRef.resource_id.is_not(None),
            ExternalRef.remote_id.in_(item_ids),
        )
    )
    return {item_id: resource_id for item_id, resource_id in rows if item_id and resource_id}


def keep(
    tx: Session,
    portal_id: int,
    remote_id: int,
    state: str,
    seen: str,
    *,
    reasons: Mapping[str, Any],
    user_id: int | None,
    now: datetime,
) -> None:
    """Notes an item that is no booking as it stands (`seen`: its print), and why."""
    values = {"state": state, "print": seen, "reasons": dict(reasons), "user_id": user_id, "updated_at": now}
    adding = insert(Draft).values(portal_id=portal_id, remote_id=remote_id, created_at=now, **values)
    tx.execute(adding.on_conflict_do_update(constraint="draft_once", set_=values))


def drop(tx: Session, portal_id: int, remote_id: int) -> None:
    """The item has become a booking, or has gone."""
    tx.execute(delete(Draft).where(Draft.portal_id == portal_id, Draft.remote_id == remote_id))
