"""Every select of more than one line. `portal_id` comes right after the transaction; whoever looks is the viewer.

One test calls each function with a second portal's ids and expects nothing back.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import psycopg
from sqlalchemy import Select, and_, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from b24app.errors import NotFound
from b24app.ledger.access import GrantRule, Viewer, concerning
from b24app.ledger.models import (
    Allocation,
    Booking,
    Client,
    ExternalRef,
    Grant,
    History,
    OpeningHours,
    Requirement,
    Resource,
    Service,
    Unit,
)
from b24app.ledger.occupancy import as_interval
from b24app.scheduling import hours as opening
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy

LONGEST_BUFFER = timedelta(days=1)


def grants(tx: Session, portal_id: int, codes: frozenset[str]) -> tuple[GrantRule, ...]:
    """What was given to any of these access codes."""
    rows = tx.execute(select(Grant.scope, Grant.code, Grant.right).where(Grant.portal_id == portal_id))
    return concerning((GrantRule(*row) for row in rows), codes)


def resources(tx: Session, portal_id: int, viewer: Viewer, *, archived: bool = False) -> list[Resource]:
    """The resources that he may see at least as busy or free, in the order of the board."""
    rows = tx.scalars(
        select(Resource)
        .where(
            Resource.portal_id == portal_id,
            Resource.archived_at.is_not(None) if archived else Resource.archived_at.is_(None),
        )
        .order_by(Resource.sort, Resource.name, Resource.id)
    )
    return [row for row in rows if viewer.may("busy", row)]


def resource(tx: Session, portal_id: int, viewer: Viewer, resource_id: int) -> Resource:
    """One resource, archived or not; raises NotFound."""
    row = tx.scalar(select(Resource).where(Resource.portal_id == portal_id, Resource.id == resource_id))
    if row is None or not viewer.may("busy", row):
        raise NotFound("resource")
    return row


def hours(
    tx: Session, portal_id: int, resource_ids: Collection[int] | None = None, weekdays: Collection[int] = range(7)
) -> dict[int, tuple[opening.OpeningHours, ...]]:
    """The hours of these weekdays by resource; a resource that is not open then is missing."""
    stretch = func.concat_ws(":", OpeningHours.weekday, OpeningHours.opens, OpeningHours.closes)
    week = func.string_agg(stretch, aggregate_order_by(literal(" "), OpeningHours.weekday, OpeningHours.opens))
    query = (
        select(OpeningHours.resource_id, week)
        .where(OpeningHours.portal_id == portal_id, OpeningHours.weekday.in_(weekdays))
        .group_by(OpeningHours.resource_id)
    )
    if resource_ids is not None:
        query = query.where(OpeningHours.resource_id.in_(resource_ids))
    return {resource_id: _week(text) for resource_id, text in tx.connection().execute(query).all()}


@lru_cache(maxsize=1000)
def _week(text: str) -> tuple[opening.OpeningHours, ...]:
    """ "0:540:1080 1:540:1080" as stretches. Two hundred resources share a handful of weeks, each is built once."""
    return tuple(opening.OpeningHours(*map(int, stretch.split(":"))) for stretch in text.split())


@dataclass(frozen=True, slots=True)
class Offer:
    """What booking a bare resource means: its service, its units and the rules."""

    service_id: int
    service_name: str
    unit_ids: tuple[int, ...]
    hours: tuple[opening.OpeningHours, ...]
    zone: ZoneInfo
    policy: Policy


def offer(tx: Session, portal_id: int, of: Resource) -> Offer:
    """The service of a bare resource; raises NotFound when it was archived."""
    rows = tx.execute(
        select(Service.id, Service.name, Service.min_minutes, Service.max_minutes, Service.horizon_days, Unit.id)
        .join(Requirement, Requirement.service_id == Service.id)
        .join(Unit, Unit.resource_id == Requirement.resource_id)
        .where(
            Service.portal_id == portal_id, Requirement.portal_id == portal_id, Requirement.resource_id == of.id,
            Service.archived_at.is_(None),
        )
        .order_by(Service.id, Unit.number)
    ).all()  # fmt: skip
    if not rows or of.portal_id != portal_id or of.archived_at is not None:
        raise NotFound("resource")
    service_id, name, shortest, longest, horizon, _ = rows[0]
    return Offer(
        service_id=service_id,
        service_name=name,
        unit_ids=tuple(row[5] for row in rows if row[0] == service_id),
        hours=hours(tx, portal_id, [of.id]).get(of.id, ()),
        zone=ZoneInfo(of.time_zone),
        policy=Policy(shortest, longest, of.step_minutes, horizon),
    )


def service_of(tx: Session, portal_id: int, resource_id: int) -> Service:
    """The service of a bare resource, archived or not; raises NotFound."""
    service = tx.scalar(
        select(Service)
        .join(Requirement, Requirement.service_id == Service.id)
        .where(
            Service.portal_id == portal_id, Requirement.portal_id == portal_id, Requirement.resource_id == resource_id
        )
        .order_by(Service.id)
        .limit(1)
    )
    if service is None:
        raise NotFound("resource")
    return service


class BoardBlock(NamedTuple):
    """One allocation on the board; times are epoch seconds. A masked one has no number and no label."""

    resource_id: int
    start: int
    end: int
    stage: str
    payment: str = ""
    number: int | None = None
    label: str | None = None


# The hot query, so it is written once as text and read through the driver itself: two thousand rows cost 17 ms as
# objects of the ORM and 5 ms as plain tuples (docs/performance.md). Epoch integers instead of timestamps
# spare the driver most of its work; date_part, because EXTRACT computes in slow decimals. The bounds on the
# booking say nothing new, but let an index find it however long the history is. The subquery in COALESCE runs only for
# the few that have neither title nor client.
_BLOCKS = """
SELECT u.resource_id, date_part('epoch', lower(a.during))::bigint, date_part('epoch', upper(a.during))::bigint,
       b.stage, b.payment, b.number,
       coalesce(nullif(b.title, ''), c.name, (SELECT s.name FROM service s WHERE s.id = b.service_id))
FROM allocation a
JOIN unit u ON u.id = a.unit_id
JOIN booking b ON b.id = a.booking_id
LEFT JOIN client c ON c.id = b.client_id
WHERE a.portal_id = %(portal)s AND a.released_at IS NULL
  AND lower(a.during) >= %(earliest)s AND lower(a.during) < %(end)s AND upper(a.during) > %(start)s
  AND b.portal_id = %(portal)s
  AND lower(b.during) >= %(earliest)s - %(buffer)s AND lower(b.during) < %(end)s + %(buffer)s
ORDER BY lower(a.during)
"""


def board_blocks(
    tx: Session, portal_id: int, viewer: Viewer, shown: Sequence[Resource], window: Interval, longest: timedelta
) -> dict[int, list[BoardBlock]]:
    """What is held within `window`, by resource, in order; `longest` bounds how far back one may have begun."""
    values = {
        "portal": portal_id, "start": window.start, "end": window.end, "earliest": window.start - longest,
        "buffer": LONGEST_BUFFER,
    }  # fmt: skip
    open_to = {row.id: viewer.may("see", row) for row in shown}
    found: dict[int, list[BoardBlock]] = {row.id: [] for row in shown}
    driver = tx.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    with driver.cursor() as cursor:
        # Never prepared: a plan made for any parameters took ten times as long as one made for these.
        cursor.execute(_BLOCKS, values, prepare=False)
        for row in cursor.fetchall():
            if open_to.get(row[0]):
                found[row[0]].append(BoardBlock._make(row))
            elif row[0] in open_to:
                found[row[0]].append(BoardBlock(row[0], row[1], row[2], "busy"))
    return found


def bookings_behind(tx: Session, portal_id: int) -> set[int]:
    """The numbers of bookings whose picture in the portal is not up to date yet."""
    return set(
        tx.scalars(
            select(Booking.number)
            .join(ExternalRef, ExternalRef.booking_id == Booking.id)
            .where(ExternalRef.portal_id == portal_id, ExternalRef.dirty_since.is_not(None))
        )
    )


@dataclass(frozen=True, slots=True)
class BookingRow:
    """A booking as a list or a panel shows it, with everything that hangs on it."""

    booking: Booking
    service: Service
    client: Client | None
    resources: tuple[Resource, ...]

    @property
    def interval(self) -> Interval:
        return as_interval(self.booking.during)


def booking(tx: Session, portal_id: int, viewer: Viewer, booking_id: uuid.UUID) -> BookingRow:
    """One booking that he may see; raises NotFound."""
    rows = _visible(tx, portal_id, viewer, _bookings(portal_id).where(Booking.id == booking_id))
    if not rows:
        raise NotFound("booking")
    return rows[0]


def booking_by_number(tx: Session, portal_id: int, viewer: Viewer, number: int) -> BookingRow:
    """The same by the number that people see; raises NotFound."""
    rows = _visible(tx, portal_id, viewer, _bookings(portal_id).where(Booking.number == number))
    if not rows:
        raise NotFound("booking")
    return rows[0]


def bookings_of_deal(tx: Session, portal_id: int, viewer: Viewer, deal_id: int) -> list[BookingRow]:
    """The bookings of a deal, the newest first."""
    return _visible(tx, portal_id, viewer, _bookings(portal_id).where(Booking.deal_id == deal_id))


def bookings_of_client(tx: Session, portal_id: int, viewer: Viewer, kind: str, crm_id: int) -> list[BookingRow]:
    """The bookings of a contact or company of the CRM, the newest first."""
    return _visible(tx, portal_id, viewer, _bookings(portal_id).where(Client.kind == kind, Client.crm_id == crm_id))


def booking_by_request(tx: Session, portal_id: int, request_key: str) -> Booking | None:
    """What this form has already made, if it was sent before."""
    return tx.scalar(select(Booking).where(Booking.portal_id == portal_id, Booking.request_key == request_key))


def lock_booking(tx: Session, portal_id: int, booking_id: uuid.UUID) -> Booking:
    """The booking, locked until the transaction ends; raises NotFound."""
    row = tx.scalar(
        select(Booking)
        .where(Booking.portal_id == portal_id, Booking.id == booking_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("booking")
    return row


def _bookings(portal_id: int) -> Select[Booking, Service, Client]:
    return (
        select(Booking, Service, Client)
        .join(Service, Service.id == Booking.service_id)
        .outerjoin(Client, and_(Client.id == Booking.client_id, Client.portal_id == portal_id))
        .where(Booking.portal_id == portal_id)
        .order_by(func.lower(Booking.during).desc(), Booking.number)
        .limit(200)
    )


def _visible(tx: Session, portal_id: int, viewer: Viewer, query: Select[Booking, Service, Client]) -> list[BookingRow]:
    """The rows whose every resource he may see; whoever made a booking or is responsible for it always does."""
    rows = tx.execute(query.execution_options(populate_existing=True)).all()
    on = resources_of_bookings(tx, portal_id, [row[0].id for row in rows])
    return [
        BookingRow(row[0], row[1], row[2], on.get(row[0].id, ()))
        for row in rows
        if is_own(viewer, row[0]) or all(viewer.may("see", one) for one in on.get(row[0].id, ()))
    ]


def is_own(viewer: Viewer, row: Booking) -> bool:
    """Whether he made the booking or is responsible for it."""
    return row.created_by == str(viewer.actor) or row.responsible_id == viewer.user_id


def resources_of_bookings(
    tx: Session, portal_id: int, booking_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, tuple[Resource, ...]]:
    """What each booking holds, or held last when it was released (as cancelled ones are)."""
    newest = func.max(Allocation.id).over(partition_by=Allocation.booking_id)
    held = (
        select(Allocation.booking_id, Unit.resource_id, Allocation.released_at, newest.label("newest"), Allocation.id)
        .join(Unit, Unit.id == Allocation.unit_id)
        .where(Allocation.portal_id == portal_id, Allocation.booking_id.in_(booking_ids))
        .subquery()
    )
    rows = tx.execute(
        select(held.c.booking_id, Resource)
        .join(Resource, Resource.id == held.c.resource_id)
        .where(held.c.released_at.is_(None) | (held.c.id == held.c.newest))
        .distinct()
        .order_by(held.c.booking_id, Resource.id)
    )
    found: dict[uuid.UUID, tuple[Resource, ...]] = {}
    for booking_id, row in rows:
        found[booking_id] = (*found.get(booking_id, ()), row)
    return found


def history(tx: Session, portal_id: int, booking_id: uuid.UUID) -> list[History]:
    """Every change of a booking, the newest first."""
    return list(
        tx.scalars(
            select(History)
            .where(History.portal_id == portal_id, History.booking_id == booking_id)
            .order_by(History.number.desc())
        )
    )


def future_bookings_on(tx: Session, portal_id: int, resource_id: int, now: datetime) -> int:
    """How many bookings still stand on a resource."""
    return (
        tx.scalar(
            select(func.count(Allocation.id))
            .join(Unit, Unit.id == Allocation.unit_id)
            .where(
                Allocation.portal_id == portal_id,
                Unit.resource_id == resource_id,
                Allocation.released_at.is_(None),
                func.upper(Allocation.during) > now,
            )
        )
        or 0
    )
