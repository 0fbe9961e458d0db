"""External refs: which pictures of the ledger the portal should hold, and which of them are behind."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from b24app.ledger import queue
from b24app.ledger.models import Allocation, Booking, ExternalRef, Portal, Resource, Unit

DRAIN = "sync.drain"
READY = {"due_at": None, "attempts": 0, "parked_reason": None}  # may be tried now, as if for the first time


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
    tx: Session, portal: Portal, booking_id: uuid.UUID, resources: Iterable[Resource], now: datetime, *,
    bulk: bool = False,
) -> None:  # fmt: skip
    """Marks every picture of the booking as behind and makes the refs that it lacks, then wakes the drain.

    A ref whose target is no longer wanted (the booking moved to another resource) is marked as well: the drain
    sees that the target has gone and deletes that event.
    """
    of_booking = (ExternalRef.portal_id == portal.id, ExternalRef.booking_id == booking_id)
    lock(tx, *of_booking)
    tx.execute(update(ExternalRef).where(*of_booking).values(_behind(now, bulk)))
    draw_booking(tx, portal, booking_id, resources, now, bulk=bulk)


def draw_booking(
    tx: Session, portal: Portal, booking_id: uuid.UUID, resources: Iterable[Resource], now: datetime, *,
    bulk: bool = False,
) -> None:  # fmt: skip
    """Makes the refs that the booking lacks, to be drawn, and wakes the drain."""
    wanted = [("event", target) for target in event_targets(portal, resources)]
    if portal.level == "B":
        wanted.append(("item", ""))
    common = {"portal_id": portal.id, "booking_id": booking_id, "dirty_since": now, "bulk": bulk}
    if wanted:
        rows = [{**common, "kind": kind, "target": target} for kind, target in wanted]
        tx.execute(insert(ExternalRef).values(rows).on_conflict_do_nothing())
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


def ensure_refs(tx: Session, portal: Portal, now: datetime) -> None:
    """Makes every ref that the portal should have by now and lacks: its CRM or calendar was connected just now.

    Items of all resources and bookings, events of what is still to come. Bulk: people's own bookings go first.
    What was refused before may have been refused for what has been mended now, so it is tried again.
    """
    _ready(tx, portal.id)
    if portal.level == "B":
        for column, table in ((ExternalRef.resource_id, Resource), (ExternalRef.booking_id, Booking)):
            found = select(table.portal_id, table.id, literal("item"), literal(""), literal(now), literal(True)).where(
                table.portal_id == portal.id
            )
            _add_refs(tx, column.key, found)
    _add_refs(tx, ExternalRef.booking_id.key, _events_to_come(portal, now))
    wake(tx, portal.id)


def _events_to_come(portal: Portal, now: datetime) -> Select[Any, Any, Any, Any, Any, Any]:
    """What `event_targets` says, for all bookings that hold time and are not over."""
    person = Resource.portal_user_id
    target = case((person.is_not(None), func.concat("user:", person)), else_="company")
    return (
        select(Allocation.portal_id, Allocation.booking_id, literal("event"), target, literal(now), literal(True))
        .distinct()
        .join(Unit, Unit.id == Allocation.unit_id)
        .join(Resource, Resource.id == Unit.resource_id)
        .where(
            Allocation.portal_id == portal.id,
            Allocation.released_at.is_(None),
            func.upper(Allocation.during) > now,
            Resource.calendar_mode != "none",
            or_(person.is_not(None), literal(bool(portal.calendar.get("section")))),
        )
    )


def _add_refs(tx: Session, owner: str, found: Select[Any, Any, Any, Any, Any, Any]) -> None:
    names = ["portal_id", owner, "kind", "target", "dirty_since", "bulk"]
    tx.execute(insert(ExternalRef).from_select(names, found).on_conflict_do_nothing())


def _behind(now: datetime, bulk: bool) -> dict[str, object]:
    return {
        "revision": ExternalRef.revision + 1,
        "dirty_since": now,
        "bulk": bulk,
        **READY,
    }


def try_again(tx: Session, portal_id: int) -> None:
    """Whatever waits or is parked in this portal is tried at once: somebody has mended it."""
    _ready(tx, portal_id)
    wake(tx, portal_id)


def _ready(tx: Session, portal_id: int) -> None:
    held_back = (
        ExternalRef.portal_id == portal_id,
        ExternalRef.dirty_since.is_not(None),
        or_(ExternalRef.due_at.is_not(None), ExternalRef.parked_reason.is_not(None)),
    )
    lock(tx, *held_back)
    tx.execute(update(ExternalRef).where(*held_back).values(READY))


def forget_items(tx: Session, portal_id: int, kind: str, intent: Mapping[str, Any], now: datetime) -> None:
    """The items of `resources` or `bookings` have gone with their smart process: all are drawn in the next one.

    `intent`: how each is looked for before, since the next one may be an older one of ours.
    """
    owner = ExternalRef.resource_id if kind == "resources" else ExternalRef.booking_id
    items = (ExternalRef.portal_id == portal_id, ExternalRef.kind == "item", owner.is_not(None))
    lock(tx, *items)
    lost = {"remote_id": None, "fingerprint": None, "intent": dict(intent)}
    tx.execute(update(ExternalRef).where(*items).values(_behind(now, bulk=True) | lost))


def lock(tx: Session, *where: ColumnElement[bool]) -> None:
    """Locks these refs in the order of their ids. Whoever changes several does it first: no two wait for each other."""
    tx.execute(select(ExternalRef.id).where(*where).order_by(ExternalRef.id).with_for_update(key_share=True))


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
