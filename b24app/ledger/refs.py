"""External refs: which pictures of the ledger the portal should hold, and which of them are behind."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol

from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from b24app.ledger import queue, writes
from b24app.ledger.models import Allocation, Booking, ExternalRef, Portal, Resource
from b24app.ledger.portal_settings import PortalSettings
from b24app.ledger.session import run

DRAIN = "sync.drain"
# May be tried now, as if for the first time; and a wish that was refused before may be uttered again.
READY = {"due_at": None, "attempts": 0, "parked_reason": None, "refused": None}


class Shown(Protocol):
    """What decides in which calendar a resource's bookings stand."""

    @property
    def calendar_mode(self) -> str: ...
    @property
    def calendar_owner(self) -> int | None: ...
    @property
    def calendar_section(self) -> int | None: ...
    @property
    def portal_user_id(self) -> int | None: ...


def target_of(resource: Shown) -> str:
    """The calendar that this resource's bookings belong into, "" for none. Of the targets only "company" leaves open
    which section: that is the one chosen at installation."""
    if resource.calendar_mode == "group":
        return f"group:{resource.calendar_owner}:{resource.calendar_section}"
    if resource.calendar_mode == "company":
        return f"company:{resource.calendar_section}"
    if resource.calendar_mode == "none":
        return ""
    return "company" if resource.portal_user_id is None else f"user:{resource.portal_user_id}"


def event_targets(portal: Portal, resources: Iterable[Shown]) -> list[str]:
    """Where a booking of these resources gets a calendar event: one for each calendar."""
    found = {target_of(resource) for resource in resources} - {""}
    return sorted(found if portal.calendar.get("section") else found - {"company"})


def mark_behind(
    tx: Session, portal_id: int, booking_ids: Collection[uuid.UUID], now: datetime, *, bulk: bool = False
) -> None:
    """Every picture of these bookings is behind; `announce` wakes the drain once everything else is written.

    A ref whose target is no longer wanted (the booking moved to another resource) is marked as well: the drain
    sees that the target has gone and deletes that event.
    """
    of_bookings = (ExternalRef.portal_id == portal_id, ExternalRef.booking_id.in_(booking_ids))
    lock(tx, *of_bookings)
    tx.execute(
        update(ExternalRef).where(*of_bookings).values(_behind(now, bulk)).execution_options(synchronize_session=False)
    )


def drawing(booking: str, source: str = "") -> str:
    """SQL that makes the refs `%(pictures)s` of a booking, as far as it lacks them; `source` is where its id comes
    from."""
    return f"""
INSERT INTO external_ref (portal_id, booking_id, kind, target, dirty_since, bulk)
SELECT %(portal)s, {booking}, w.kind, w.target, %(now)s, %(bulk)s
FROM {source}jsonb_to_recordset(%(pictures)s) AS w (kind text, target text, needs jsonb)
WHERE w.needs IS NULL OR EXISTS (
    SELECT FROM service s, LATERAL (SELECT coalesce(s.deal, w.needs -> 'policy') AS p) AS d
    WHERE s.id = (w.needs -> 'service')::bigint AND (
        d.p ->> 'mode' = 'create' AND (w.needs -> 'client')::boolean
        OR d.p ->> 'mode' <> 'none' AND (w.needs -> 'deal')::boolean AND coalesce(d.p -> 'stages', '{{}}') <> '{{}}'
    )
)
ON CONFLICT DO NOTHING
"""


_DRAW = drawing("%(booking)s")


def draw_booking(
    tx: Session, portal: Portal, booking: Booking, resources: Iterable[Shown], now: datetime, *, bulk: bool = False
) -> None:
    """Makes the refs that the booking lacks, to be drawn."""
    if wanted := pictures(portal, booking, resources):
        run(tx, _DRAW, portal=portal.id, booking=booking.id, now=now, bulk=bulk, pictures=Jsonb(wanted))


def pictures(portal: Portal, booking: Booking, resources: Iterable[Shown]) -> list[dict[str, Any]]:
    """The pictures that a booking should have, as `drawing` reads them. What competes for a time stands in no calendar;
    which deal it has or gets is the policy's of its service, else the portal's."""
    targets = [] if booking.competes else event_targets(portal, resources)
    wanted: list[dict[str, Any]] = [{"kind": "event", "target": target} for target in targets]
    if portal.level == "B":
        wanted += [{"kind": kind, "target": ""} for kind in (("item", "rows") if booking.terms else ("item",))]
    if booking.deal_id is not None or booking.client_id is not None:
        needs = {
            "policy": asdict(PortalSettings.from_json(portal.settings).deal),
            "service": booking.service_id,
            "client": booking.client_id is not None,
            "deal": booking.deal_id is not None,
        }
        wanted.append({"kind": "deal", "target": "", "needs": needs})
    return wanted


def announce(tx: Session, portal_id: int) -> None:
    """Boards are out of date, and the drain has something to do: the last thing that a use case says."""
    writes.board_changed(tx, portal_id)
    wake(tx, portal_id)


def touch_resource(tx: Session, portal: Portal, resource_id: int, now: datetime) -> None:
    """The picture of a resource is behind or missing, boards are out of date, and the drain is woken."""
    if portal.level != "B":
        writes.board_changed(tx, portal.id)
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
    announce(tx, portal.id)


_NEW_ITEMS = """
INSERT INTO external_ref (portal_id, resource_id, kind, dirty_since, bulk)
SELECT %(portal)s, id, 'item', %(now)s, true FROM unnest(%(ids)s::bigint[]) AS id ON CONFLICT DO NOTHING
"""


def touch_resources(tx: Session, portal: Portal, resource_ids: Collection[int], now: datetime) -> None:
    """The same for many at once, in bulk: what people have booked is drawn first. The caller announces it."""
    if portal.level != "B":
        return
    of_these = (ExternalRef.portal_id == portal.id, ExternalRef.resource_id.in_(resource_ids))
    lock(tx, *of_these)
    there = set(
        tx.scalars(
            update(ExternalRef).where(*of_these).values(_behind(now, bulk=True)).returning(ExternalRef.resource_id)
        )
    )
    run(tx, _NEW_ITEMS, portal=portal.id, now=now, ids=sorted(set(resource_ids) - there))


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


def change_calendar(tx: Session, portal: Portal, resource_id: int, now: datetime) -> None:
    """Bookings to come of this resource belong into another calendar: the drain takes their events there, in bulk."""
    to_come = select(Allocation.booking_id).where(*_to_come(portal, now), Allocation.resource_id == resource_id)
    events = and_(ExternalRef.kind == "event", ExternalRef.booking_id.in_(to_come))
    # Together with its own picture, which is touched next: refs are locked in the order of their ids.
    lock(tx, ExternalRef.portal_id == portal.id, or_(events, ExternalRef.resource_id == resource_id))
    behind = _behind(now, bulk=True) | {"dirty_since": func.coalesce(ExternalRef.dirty_since, now)}
    tx.execute(
        update(ExternalRef)
        .where(ExternalRef.portal_id == portal.id, events)
        .values(behind)
        .execution_options(synchronize_session=False)
    )
    _add_refs(tx, ExternalRef.booking_id.key, _events_to_come(portal, now).where(Resource.id == resource_id))
    wake(tx, portal.id)


def _events_to_come(portal: Portal, now: datetime) -> Select[Any, Any, Any, Any, Any, Any]:
    """What `event_targets` says, for all bookings that hold time and are not over."""
    person, mode, section = Resource.portal_user_id, Resource.calendar_mode, Resource.calendar_section
    target = case(
        (mode == "group", func.concat("group:", Resource.calendar_owner, ":", section)),
        (mode == "company", func.concat("company:", section)),
        (person.is_not(None), func.concat("user:", person)),
        else_="company",
    )
    return (
        select(Allocation.portal_id, Allocation.booking_id, literal("event"), target, literal(now), literal(True))
        .distinct()
        .join(Resource, Resource.id == Allocation.resource_id)
        .where(
            *_to_come(portal, now),
            Resource.calendar_mode != "none",
            or_(target != "company", literal(bool(portal.calendar.get("section")))),
        )
    )


def _to_come(portal: Portal, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (Allocation.portal_id == portal.id, Allocation.released_at.is_(None), func.upper(Allocation.during) > now)


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


def try_one_again(tx: Session, portal_id: int, ref_id: int, now: datetime) -> bool:
    """One picture is drawn at once, parked or not: a person has asked for it. False when there is no such ref."""
    one = (ExternalRef.portal_id == portal_id, ExternalRef.id == ref_id)
    found = tx.scalar(update(ExternalRef).where(*one).values(_behind(now, bulk=False)).returning(ExternalRef.id))
    wake(tx, portal_id)
    return found is not None


def redraw_all(tx: Session, portal_id: int, since: datetime, now: datetime) -> int:
    """Every picture of resources, and of bookings that end after `since`, is drawn anew in bulk; returns how many."""
    recent = select(Booking.id).where(Booking.portal_id == portal_id, func.upper(Booking.during) > since)
    shown = or_(ExternalRef.resource_id.is_not(None), ExternalRef.booking_id.in_(recent))
    pictures = (ExternalRef.portal_id == portal_id, ExternalRef.kind.in_(("item", "event")), shown)
    lock(tx, *pictures)
    behind = _behind(now, bulk=True) | {"dirty_since": func.coalesce(ExternalRef.dirty_since, now)}
    redrawn = tx.execute(update(ExternalRef).where(*pictures).values(behind).returning(ExternalRef.id)).all()
    wake(tx, portal_id)
    return len(redrawn)


def forget_items(tx: Session, portal_id: int, kind: str, intent: Mapping[str, Any], now: datetime) -> None:
    """The items of `resources` or `bookings` have gone with their smart process: all are drawn in the next one.

    `intent`: how each is looked for before, since the next one may be an older one of ours.
    """
    owner = ExternalRef.resource_id if kind == "resources" else ExternalRef.booking_id
    items = (ExternalRef.portal_id == portal_id, ExternalRef.kind == "item", owner.is_not(None))
    lock(tx, *items)
    lost = {"remote_id": None, "drawn": None, "intent": dict(intent)}
    tx.execute(update(ExternalRef).where(*items).values(_behind(now, bulk=True) | lost))


def lock(tx: Session, *where: ColumnElement[bool]) -> None:
    """Locks these refs in the order of their ids. Whoever changes several does it first: no two wait for each other."""
    tx.execute(select(ExternalRef.id).where(*where).order_by(ExternalRef.id).with_for_update(key_share=True))


def hold_bookings(tx: Session, portal_id: int, booking_ids: Collection[uuid.UUID]) -> None:
    """Locks the refs of these bookings: whoever changes one after the other has the portal's row after the first."""
    lock(tx, ExternalRef.portal_id == portal_id, ExternalRef.booking_id.in_(booking_ids))


def hold_resources(tx: Session, portal_id: int, resource_ids: Collection[int]) -> None:
    """The same for the pictures of these resources."""
    lock(tx, ExternalRef.portal_id == portal_id, ExternalRef.resource_id.in_(resource_ids))


def hold(tx: Session, portal_id: int) -> None:
    """Locks all refs of a portal: whoever will change many of them and the portal's row does it first.

    Bookings lock in this order, refs and then the portal.
    """
    lock(tx, ExternalRef.portal_id == portal_id)


def wake(tx: Session, portal_id: int) -> None:
    """Queues a drain of this portal, once; call it last in a transaction."""
    queue.defer(tx, DRAIN, lock=f"portal:{portal_id}", once=waits_as(portal_id), portal_id=portal_id)


def waits_as(portal_id: int) -> str:
    """The name under which a drain of this portal waits, one at most."""
    return f"drain:{portal_id}"


def of_booking(tx: Session, portal_id: int, booking_id: uuid.UUID) -> list[ExternalRef]:
    """The refs of a booking: what the portal has of it and what is behind."""
    return list(
        tx.scalars(
            select(ExternalRef)
            .where(ExternalRef.portal_id == portal_id, ExternalRef.booking_id == booking_id)
            .order_by(ExternalRef.kind.desc(), ExternalRef.target)
        )
    )
