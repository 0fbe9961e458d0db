"""Comparing a portal with the ledger: what should stand there, and what came of each comparison."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Integer, and_, func, or_, select, update
from sqlalchemy.orm import Session

from b24app.ledger import queue
from b24app.ledger.models import Booking, Client, ExternalRef, Installation, Portal, Resource
from b24app.ledger.portal_models import Draft, Sighting, Sweep

SWEEP = "sync.sweep"


class Expected(NamedTuple):
    """A picture that should stand in the portal. `first` and `last`: the time of its booking."""

    kind: str
    target: str
    remote_id: int
    booking_id: uuid.UUID | None
    drawn: Mapping[str, Any] | None
    first: datetime | None
    last: datetime | None


def expected(tx: Session, portal_id: int, since: datetime) -> list[Expected]:
    """Pictures that are in step as far as we know: of all resources, and of bookings that end or were changed later
    than `since`. What is behind is drawn anyway, and what is parked waits for a person."""
    recent = or_(func.upper(Booking.during) >= since, Booking.updated_at >= since)
    rows = tx.execute(
        select(
            ExternalRef.kind, ExternalRef.target, ExternalRef.remote_id, ExternalRef.booking_id, ExternalRef.drawn,
            func.lower(Booking.during), func.upper(Booking.during),
        )
        .outerjoin(Booking, and_(Booking.portal_id == portal_id, Booking.id == ExternalRef.booking_id))
        .where(
            ExternalRef.portal_id == portal_id,
            ExternalRef.kind.in_(("item", "event")),
            ExternalRef.remote_id.is_not(None),
            ExternalRef.dirty_since.is_(None),
            ExternalRef.parked_reason.is_(None),
            or_(ExternalRef.resource_id.is_not(None), recent),
        )
    )  # fmt: skip
    return [Expected(*row) for row in rows]


def known_items(tx: Session, portal_id: int, *, of_resources: bool) -> set[int]:
    """The portal's ids of all items of resources, or of bookings, whatever their state. Both are counted from 1."""
    rows = tx.scalars(
        select(ExternalRef.remote_id).where(
            ExternalRef.portal_id == portal_id,
            ExternalRef.kind == "item",
            ExternalRef.remote_id.is_not(None),
            (ExternalRef.resource_id if of_resources else ExternalRef.booking_id).is_not(None),
        )
    )
    return {remote_id for remote_id in rows if remote_id is not None}


def drafts(tx: Session, portal_id: int) -> dict[int, str]:
    """By item id the print of what is known to be no booking as it is."""
    rows = tx.execute(select(Draft.remote_id, Draft.print).where(Draft.portal_id == portal_id))
    return {row[0]: row[1] for row in rows}


class Related(NamedTuple):
    """Cards of the portal that bookings still to come refer to."""

    deals: set[int]
    contacts: set[int]
    companies: set[int]
    users: set[int]


def related(tx: Session, portal_id: int, now: datetime) -> Related:
    """Deals and clients of bookings still to come, and the people who are responsible or to be booked."""
    to_come = (Booking.portal_id == portal_id, func.upper(Booking.during) > now)
    rows = tx.execute(
        select(Booking.deal_id, Booking.responsible_id, Client.kind, Client.crm_id)
        .outerjoin(Client, and_(Client.portal_id == portal_id, Client.id == Booking.client_id))
        .where(*to_come)
        .distinct()
    ).all()
    people = tx.scalars(
        select(Resource.portal_user_id).where(Resource.portal_id == portal_id, Resource.archived_at.is_(None))
    )
    return Related(
        deals={row[0] for row in rows if row[0]},
        contacts={row[3] for row in rows if row[3] and row[2] == "contact"},
        companies={row[3] for row in rows if row[3] and row[2] == "company"},
        users={row[1] for row in rows if row[1]} | {user for user in people if user},
    )


# What came of it ----


def ask(tx: Session, portal_id: int, asked_by: str) -> None:
    """Queues a sweep of this portal, once; call it last in a transaction.

    Drains go first, and sweeps of the timer one after the other: they may take minutes, and must leave workers free.
    """
    alone = "sweeps" if asked_by == "timer" else None
    queue.defer(
        tx, SWEEP, lock=alone, once=f"sweep:{portal_id}", priority=-10, portal_id=portal_id, asked_by=asked_by
    )  # fmt: skip


def begin(tx: Session, portal_id: int, asked_by: str, now: datetime) -> int:
    """A new sweep's id; what an earlier one that died has left open is closed."""
    tx.execute(
        update(Sweep)
        .where(Sweep.portal_id == portal_id, Sweep.ended_at.is_(None))
        .values(ended_at=now, failed="interrupted")
    )
    sweep = Sweep(portal_id=portal_id, asked_by=asked_by, started_at=now, progress={}, found={})
    tx.add(sweep)
    tx.flush()
    return sweep.id


def note(tx: Session, portal_id: int, sweep_id: int, **values: Any) -> None:
    """Keeps how far it has come (`progress`), or how it ended (`ended_at`, `found`, `failed`)."""
    tx.execute(update(Sweep).where(Sweep.portal_id == portal_id, Sweep.id == sweep_id).values(**values))


def last(tx: Session, portal_id: int) -> Sweep | None:
    """The newest sweep of this portal, running or ended."""
    return tx.scalar(select(Sweep).where(Sweep.portal_id == portal_id).order_by(Sweep.id.desc()).limit(1))


def overdue(tx: Session, before: datetime) -> list[int]:
    """Working portals of which no sweep began after `before`."""
    newest = select(func.max(Sweep.started_at)).where(Sweep.portal_id == Portal.id).scalar_subquery()
    return list(
        tx.scalars(
            select(Portal.id)
            .join(Installation, Installation.portal_id == Portal.id)
            .where(
                Installation.state == "active",
                Installation.needs_admin.is_(False),
                Installation.payment_expired.is_(False),
                or_(newest.is_(None), newest < before),
            )
            .order_by(Portal.id)
        )
    )


# How far the portal is behind ----


class Backlog(NamedTuple):
    """What waits in a portal: pictures of people's doings and of bulk, hints, the age of the oldest, what is parked."""

    peoples: int
    bulk: int
    hints: int
    oldest: datetime | None
    parked: int
    pictures: int


def backlog(tx: Session, portal_id: int) -> Backlog:
    """Counts of this moment."""
    dirty = and_(ExternalRef.dirty_since.is_not(None), ExternalRef.parked_reason.is_(None))
    row = tx.execute(
        select(
            func.count().filter(dirty, ExternalRef.bulk.is_(False)),
            func.count().filter(dirty, ExternalRef.bulk),
            func.min(ExternalRef.dirty_since).filter(dirty),
            func.count().filter(ExternalRef.parked_reason.is_not(None)),
            func.count(),
        ).where(ExternalRef.portal_id == portal_id)
    ).one()
    hints = tx.scalar(select(func.count(Sighting.id).cast(Integer)).where(Sighting.portal_id == portal_id)) or 0
    return Backlog(row[0], row[1], hints, row[2], row[3], row[4])


class ParkedPicture(NamedTuple):
    """A picture that waits for a person. Exactly one of `number` (a booking's) and `resource` (a name) is there."""

    ref_id: int
    kind: str
    target: str
    reason: str | None
    remote_id: int | None
    booking_id: uuid.UUID | None
    number: int | None
    resource: str | None


def parked(tx: Session, portal_id: int, limit: int = 200) -> list[ParkedPicture]:
    """What is parked, the newest first."""
    rows = tx.execute(
        select(
            ExternalRef.id, ExternalRef.kind, ExternalRef.target, ExternalRef.parked_reason, ExternalRef.remote_id,
            ExternalRef.booking_id, Booking.number, Resource.name,
        )
        .outerjoin(Booking, and_(Booking.portal_id == portal_id, Booking.id == ExternalRef.booking_id))
        .outerjoin(Resource, and_(Resource.portal_id == portal_id, Resource.id == ExternalRef.resource_id))
        .where(ExternalRef.portal_id == portal_id, ExternalRef.parked_reason.is_not(None))
        .order_by(ExternalRef.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [ParkedPicture(*row) for row in rows]


def waiting_drafts(tx: Session, portal_id: int, limit: int = 200) -> list[Draft]:
    """Items that are no bookings, the newest first."""
    query = select(Draft).where(Draft.portal_id == portal_id).order_by(Draft.updated_at.desc()).limit(limit)
    return list(tx.scalars(query))
