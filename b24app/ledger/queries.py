"""Every select of more than one line. `portal_id` comes right after the transaction; whoever looks is the viewer.

One test calls each function with a second portal's ids and expects nothing back.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, NamedTuple

from psycopg.types.range import Range
from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from b24app.errors import NotFound
from b24app.ledger import directory
from b24app.ledger.access import GrantRule, Viewer
from b24app.ledger.models import (
    Booking,
    Client,
    History,
    MoneyRecord,
    OpeningHours,
    QuoteLine,
    Resource,
    Series,
    Service,
)
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import select_rows
from b24app.scheduling import hours as opening
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Quota


def grants(tx: Session, portal_id: int, codes: frozenset[str], now: datetime | None = None) -> tuple[GrantRule, ...]:
    """What was given to somebody with these access codes: to himself, his departments and those above, his groups.

    With `now` also what he may approve for those for whom he stands in then.
    """
    (parts,) = select_rows(tx, f"SELECT {directory.PARTS}", **directory.values(portal_id, codes, now))
    return directory.concerning(parts, codes, partial(directory.wider, tx, portal_id))


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


class Spot(NamedTuple):
    """As much of a resource as tells its name, and by which clock its times are meant."""

    id: int
    kind: str
    city: str
    name: str
    time_zone: str


def spot(tx: Session, portal_id: int, viewer: Viewer, resource_id: int) -> Spot:
    """The same as `resource`, for the path of every booking; raises NotFound."""
    rows = select_rows(
        tx,
        "SELECT id, kind, city, name, time_zone FROM resource WHERE portal_id = %(portal)s AND id = %(resource)s",
        portal=portal_id,
        resource=resource_id,
    )
    found = Spot._make(rows[0]) if rows else None
    if found is None or not viewer.may("busy", found):
        raise NotFound("resource")
    return found


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
    return {resource_id: parse_week(text) for resource_id, text in tx.connection().execute(query).all()}


@lru_cache(maxsize=1000)
def parse_week(text: str) -> tuple[opening.OpeningHours, ...]:
    """ "0:540:1080 1:540:1080" as stretches. Two hundred resources share a handful of weeks, each is built once."""
    return tuple(opening.OpeningHours(*map(int, stretch.split(":"))) for stretch in text.split())


def services(tx: Session, portal_id: int) -> list[Service]:
    """The services on offer that are more than one bare resource, in their order."""
    return list(
        tx.scalars(
            select(Service)
            .where(Service.portal_id == portal_id, Service.resource_id.is_(None), Service.archived_at.is_(None))
            .order_by(Service.sort, Service.name, Service.id)
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


def visible_rows(
    tx: Session, portal_id: int, viewer: Viewer, wanted: ColumnElement[bool], *,
    order_by: Sequence[ColumnElement[Any]] = (), limit: int = 200,
) -> list[BookingRow]:  # fmt: skip
    """The bookings of which this is true, as far as he may see them; the newest first unless ordered otherwise."""
    query = _bookings(portal_id).where(wanted).limit(limit)
    return _visible(tx, portal_id, viewer, query.order_by(None).order_by(*order_by) if order_by else query)


def client_of_crm(tx: Session, portal_id: int, kind: str, crm_id: int) -> int | None:
    """The client that a contact or company of the CRM is with us, if there is one yet."""
    return tx.scalar(
        select(Client.id).where(Client.portal_id == portal_id, Client.kind == kind, Client.crm_id == crm_id)
    )


def price_group_of(tx: Session, portal_id: int, kind: str, crm_id: int) -> str | None:
    """The group of clients in whose prices this contact or company was booked last, if we know them."""
    query = select(Client.price_group).where(
        Client.portal_id == portal_id, Client.kind == kind, Client.crm_id == crm_id
    )
    return tx.scalar(query)


def booking_by_request(tx: Session, portal_id: int, request_key: str) -> Booking | None:
    """What this form has already made, if it was sent before."""
    return tx.scalar(select(Booking).where(Booking.portal_id == portal_id, Booking.request_key == request_key))


class Kept(NamedTuple):
    """What has to be known of a booking before its resources can be locked. `is_bare`: of one resource alone."""

    during: Range[datetime]
    service_id: int
    revision: int
    is_bare: bool


def kept_booking(tx: Session, portal_id: int, booking_id: uuid.UUID) -> Kept:
    """As it is now, not locked; raises NotFound."""
    found = kept_bookings(tx, portal_id, [booking_id])
    if not found:
        raise NotFound("booking")
    return found[booking_id]


def kept_bookings(tx: Session, portal_id: int, booking_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Kept]:
    """The same of several; those that there are not are missing."""
    rows = tx.execute(
        select(Booking.id, Booking.during, Booking.service_id, Booking.revision, Service.resource_id.is_not(None))
        .join(Service, Service.id == Booking.service_id)
        .where(Booking.portal_id == portal_id, Booking.id.in_(booking_ids))
    )
    return {row[0]: Kept(*row[1:]) for row in rows}


def booking_state(tx: Session, portal_id: int, booking_id: uuid.UUID) -> Booking:
    """The booking as it is now, not locked; raises NotFound."""
    found = booking_states(tx, portal_id, [booking_id])
    if not found:
        raise NotFound("booking")
    return found[0]


def booking_states(tx: Session, portal_id: int, booking_ids: Collection[uuid.UUID]) -> list[Booking]:
    """The same of several, in no order; those that there are not are missing."""
    query = select(Booking).where(Booking.portal_id == portal_id, Booking.id.in_(booking_ids))
    return list(tx.scalars(query.execution_options(populate_existing=True)))


def series(tx: Session, portal_id: int, series_id: int) -> Series:
    """A series by its id; raises NotFound."""
    found = tx.scalar(select(Series).where(Series.portal_id == portal_id, Series.id == series_id))
    if found is None:
        raise NotFound("series")
    return found


def resource_ids_of(tx: Session, portal_id: int, booking_id: uuid.UUID) -> tuple[int, ...]:
    """What a booking was booked as: what it holds or held last, or competes for."""
    return tuple(sorted(on_resources(tx, portal_id, [booking_id])))


def on_resources(tx: Session, portal_id: int, booking_ids: Collection[uuid.UUID]) -> set[int]:
    """The same of several bookings together."""
    return {row[1] for row in select_rows(tx, _ON, portal=portal_id, bookings=list(booking_ids))}


def lock_bookings(tx: Session, portal_id: int, booking_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Booking]:
    """These bookings as they are now, locked in the order of their ids until the transaction ends.

    The resources are locked before, and all bookings that a transaction changes in one call: so nobody deadlocks.
    """
    rows = tx.scalars(
        select(Booking)
        .where(Booking.portal_id == portal_id, Booking.id.in_(booking_ids))
        .order_by(Booking.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in rows}


_RIVALS = """
SELECT DISTINCT k.id, k.held_until FROM booking k
JOIN claim c ON c.booking_id = k.id AND c.portal_id = k.portal_id
WHERE k.portal_id = %(portal)s AND k.competes AND c.resource_id = ANY(%(resources)s::bigint[])
  AND lower(k.during) < %(end)s AND upper(k.during) > %(start)s
"""
_COMPOSED = """
WITH RECURSIVE up AS (
    SELECT id FROM resource WHERE portal_id = %(portal)s AND id = ANY(%(ids)s::bigint[])
    UNION SELECT p.composite_id FROM up JOIN part p ON p.part_id = up.id AND p.portal_id = %(portal)s
), down AS (
    SELECT id FROM up
    UNION SELECT p.part_id FROM down JOIN part p ON p.composite_id = down.id AND p.portal_id = %(portal)s
) SELECT id FROM down
"""


def family(tx: Session, portal_id: int, resource_ids: Collection[int]) -> set[int]:
    """These resources, the composites that they are part of, and the parts of all of them."""
    return {row[0] for row in select_rows(tx, _COMPOSED, portal=portal_id, ids=list(resource_ids))}


def rival_ids(
    tx: Session, portal_id: int, resource_ids: Collection[int], window: Interval, *, now: datetime | None = None
) -> set[uuid.UUID]:
    """The requests that compete for time within `window` on one of these resources; with `now` only those that are not
    over by then."""
    rows = select_rows(tx, _RIVALS, portal=portal_id, resources=list(resource_ids), start=window.start, end=window.end)
    return {row[0] for row in rows if now is None or row[1] is None or row[1] > now}


def rivals_of(tx: Session, portal_id: int, viewer: Viewer, row: BookingRow, now: datetime) -> list[BookingRow]:
    """The requests, this one included, that compete for the same time and place, the oldest first."""
    related = family(tx, portal_id, [one.id for one in row.resources])
    ids = rival_ids(tx, portal_id, related, row.interval, now=now)
    rows = _visible(tx, portal_id, viewer, _bookings(portal_id).where(Booking.id.in_(ids)))
    return sorted(rows, key=lambda one: (one.booking.created_at, one.booking.number))


_LOST = """
SELECT DISTINCT k.id FROM booking k JOIN claim c ON c.booking_id = k.id AND c.portal_id = k.portal_id
WHERE k.portal_id = %(portal)s AND k.stage = 'cancelled' AND k.reason = 'lost'
  AND c.resource_id = ANY(%(resources)s::bigint[])
  AND lower(k.during) >= %(earliest)s AND lower(k.during) < %(end)s AND upper(k.during) > %(start)s
"""


def lost_beside(tx: Session, portal_id: int, viewer: Viewer, row: BookingRow, longest: timedelta) -> list[BookingRow]:
    """The requests that have lost the time and place of this booking, the oldest first; none lasts over `longest`."""
    related, wanted = family(tx, portal_id, [one.id for one in row.resources]), row.interval
    found = select_rows(
        tx, _LOST, portal=portal_id, resources=list(related), earliest=wanted.start - longest, start=wanted.start,
        end=wanted.end,
    )  # fmt: skip
    ids = [one[0] for one in found if one[0] != row.booking.id]
    rows = _visible(tx, portal_id, viewer, _bookings(portal_id).where(Booking.id.in_(ids))) if ids else []
    return sorted(rows, key=lambda one: (one.booking.created_at, one.booking.number))


def bookings_of_series(tx: Session, portal_id: int, viewer: Viewer, series_id: int) -> list[BookingRow]:
    """The bookings of a series, the earliest first."""
    rows = _visible(tx, portal_id, viewer, _bookings(portal_id).where(Booking.series_id == series_id).limit(400))
    return sorted(rows, key=lambda one: one.interval.start)


def series_ids(tx: Session, portal_id: int, series_id: int, from_day: date | None = None) -> list[uuid.UUID]:
    """The bookings of a series, from `from_day` on, in the order of their days."""
    query = select(Booking.id).where(Booking.portal_id == portal_id, Booking.series_id == series_id)
    if from_day is not None:
        query = query.where(Booking.series_day >= from_day)
    return list(tx.scalars(query.order_by(Booking.series_day, Booking.number)))


def last_change(tx: Session, portal_id: int, booking_id: uuid.UUID) -> History | None:
    """The newest entry of a booking's history."""
    return tx.scalar(
        select(History)
        .where(History.portal_id == portal_id, History.booking_id == booking_id)
        .order_by(History.number.desc(), History.id.desc())
        .limit(1)
    )


_LAST_CHANGES = """
SELECT DISTINCT ON (h.booking_id) h.id, h.batch FROM history h
WHERE h.portal_id = %(portal)s AND h.booking_id IN (
    SELECT s.id FROM booking b JOIN booking s ON s.portal_id = b.portal_id AND s.series_id = b.series_id
    WHERE b.portal_id = %(portal)s AND b.id = %(booking)s)
ORDER BY h.booking_id, h.number DESC
"""


def changed_together(tx: Session, portal_id: int, booking_id: uuid.UUID, batch: uuid.UUID) -> list[History]:
    """What one click has changed in the bookings of this one's series, as far as nobody has changed them since."""
    ids = [one[0] for one in select_rows(tx, _LAST_CHANGES, portal=portal_id, booking=booking_id) if one[1] == batch]
    return list(tx.scalars(select(History).where(History.portal_id == portal_id, History.id.in_(ids))))


@dataclass(frozen=True, slots=True)
class Money:
    """What a booking costs and what was paid: sums of rows, exact. `lines` and `records` are those rows."""

    price: Decimal
    paid: Decimal
    refunded: Decimal
    lines: tuple[QuoteLine, ...]
    records: tuple[MoneyRecord, ...]

    @property
    def outstanding(self) -> Decimal:
        """What is still to be paid; negative when something is owed back."""
        return self.price - self.paid + self.refunded


def money(tx: Session, portal_id: int, booking_id: uuid.UUID) -> Money:
    """The money of one booking; voided records are listed and do not count."""
    lines = tx.scalars(
        select(QuoteLine)
        .where(
            QuoteLine.portal_id == portal_id,
            QuoteLine.booking_id == booking_id,
            QuoteLine.superseded_at.is_(None),
        )
        .order_by(QuoteLine.id)
    ).all()
    records = tx.scalars(
        select(MoneyRecord)
        .where(MoneyRecord.portal_id == portal_id, MoneyRecord.booking_id == booking_id)
        .order_by(MoneyRecord.id)
    ).all()
    counted = [one for one in records if one.voided_at is None]
    return Money(
        price=_sum(line.amount for line in lines),
        paid=_sum(one.amount for one in counted if one.kind == "payment"),
        refunded=_sum(one.amount for one in counted if one.kind == "refund"),
        lines=tuple(lines),
        records=tuple(records),
    )


class Sums(NamedTuple):
    """What a booking costs and what was paid, without the rows behind it."""

    price: Decimal
    paid: Decimal
    refunded: Decimal

    @property
    def outstanding(self) -> Decimal:
        """What is still to be paid; negative when something is owed back."""
        return self.price - self.paid + self.refunded


_SUMS = """
SELECT b.id,
       (SELECT coalesce(sum(q.amount), 0) FROM quote_line q
        WHERE q.portal_id = %(portal)s AND q.booking_id = b.id AND q.superseded_at IS NULL),
       coalesce(sum(m.amount) FILTER (WHERE m.kind = 'payment'), 0),
       coalesce(sum(m.amount) FILTER (WHERE m.kind = 'refund'), 0)
FROM booking b
LEFT JOIN money_record m ON m.portal_id = b.portal_id AND m.booking_id = b.id AND m.voided_at IS NULL
WHERE b.portal_id = %(portal)s AND b.id = ANY(%(bookings)s)
GROUP BY b.id
"""


def sums_of(tx: Session, portal_id: int, booking_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Sums]:
    """The money of several bookings at once: sums of rows, exact; voided records do not count."""
    rows = select_rows(tx, _SUMS, portal=portal_id, bookings=list(booking_ids)) if booking_ids else ()
    return {row[0]: Sums(*row[1:]) for row in rows}


def money_by_request(tx: Session, portal_id: int, request_key: str) -> MoneyRecord | None:
    """The payment or refund that this form has already made, if it was sent before."""
    return tx.scalar(
        select(MoneyRecord).where(MoneyRecord.portal_id == portal_id, MoneyRecord.request_key == request_key)
    )


def money_record(tx: Session, portal_id: int, record_id: int) -> MoneyRecord:
    """One payment or refund; raises NotFound."""
    found = tx.scalar(select(MoneyRecord).where(MoneyRecord.portal_id == portal_id, MoneyRecord.id == record_id))
    if found is None:
        raise NotFound("payment")
    return found


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


_LASTS = func.date_part("epoch", func.upper(Booking.during) - func.lower(Booking.during)) / 60
# Whose bookings a quota counts.
_QUOTA_OF = {"client": Booking.client_id, "person": Booking.created_by, "department": Booking.department_id}


def used_of_quota(
    tx: Session, portal_id: int, quota: Quota, whose: int | str, window: tuple[datetime, datetime | None], rules: str,
    *, now: datetime, except_for: uuid.UUID | None = None,
) -> int:  # fmt: skip
    """How many bookings, or minutes, stand against a quota of the rules of this name within `window`.

    What waited in vain until `now` does not count, written down or not.
    """
    start, end = window
    minutes = func.sum(_LASTS) if quota.unit == "minutes" else func.count(Booking.id)
    query = select(minutes).where(
        Booking.portal_id == portal_id,
        _QUOTA_OF[quota.per] == whose,
        Booking.stage.in_(("prebooked", "confirmed", "completed", "no_show")),
        or_(Booking.stage != "prebooked", Booking.held_until > now),
        Booking.policy["name"].astext == rules,
        func.lower(Booking.during) >= start,
    )
    if end is not None:
        query = query.where(func.lower(Booking.during) < end)
    if except_for is not None:
        query = query.where(Booking.id != except_for)
    return int(tx.scalar(query) or 0)


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


# What a booking holds, or held last when it was released (as cancelled ones are), or would like to have.
_ON = """
SELECT booking_id, resource_id FROM (
    SELECT a.booking_id, a.resource_id,
           rank() OVER (PARTITION BY a.booking_id ORDER BY a.released_at DESC NULLS FIRST) AS latest
    FROM allocation a WHERE a.portal_id = %(portal)s AND a.booking_id = ANY(%(bookings)s)
) AS held WHERE latest = 1
UNION
SELECT c.booking_id, c.resource_id FROM claim c WHERE c.portal_id = %(portal)s AND c.booking_id = ANY(%(bookings)s)
"""


def resources_of_bookings(
    tx: Session, portal_id: int, booking_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, tuple[Resource, ...]]:
    """What each booking was booked as: what it holds or held last, or competes for."""
    pairs = select_rows(tx, _ON, portal=portal_id, bookings=list(booking_ids))
    ids = {resource_id for _, resource_id in pairs}
    rows = tx.scalars(select(Resource).where(Resource.portal_id == portal_id, Resource.id.in_(ids)))
    by_id = {row.id: row for row in rows}
    found: dict[uuid.UUID, tuple[Resource, ...]] = {}
    for booking_id, resource_id in sorted(pairs):
        found[booking_id] = (*found.get(booking_id, ()), by_id[resource_id])
    return found


class Places(NamedTuple):
    """Which of a resource's equal places a booking holds, and of how many."""

    numbers: tuple[int, ...]
    of: int


def unit_numbers(tx: Session, portal_id: int, booking_id: uuid.UUID) -> dict[int, Places]:
    """Which of a pool's equal places a booking holds, by resource; only where there are several."""
    rows = select_rows(
        tx,
        "SELECT u.resource_id, array_agg(DISTINCT u.number ORDER BY u.number),"
        " (SELECT count(*) FROM unit o WHERE o.resource_id = u.resource_id AND o.retired_at IS NULL)"
        " FROM allocation a JOIN unit u ON u.id = a.unit_id"
        " WHERE a.portal_id = %(portal)s AND a.booking_id = %(booking)s AND a.released_at IS NULL"
        " AND EXISTS (SELECT FROM unit o WHERE o.resource_id = u.resource_id AND o.id <> u.id"
        " AND o.retired_at IS NULL) GROUP BY u.resource_id",
        portal=portal_id,
        booking=booking_id,
    )
    return {resource_id: Places(tuple(numbers), of) for resource_id, numbers, of in rows}


def units_of(tx: Session, portal_id: int, resource_id: int) -> dict[int, int]:
    """The places of a resource that are there now: their numbers by their ids, in order."""
    rows = select_rows(
        tx,
        "SELECT id, number FROM unit WHERE portal_id = %(portal)s AND resource_id = %(resource)s"
        " AND retired_at IS NULL ORDER BY number",
        portal=portal_id,
        resource=resource_id,
    )
    return {row[0]: row[1] for row in rows}


def history(tx: Session, portal_id: int, booking_id: uuid.UUID) -> list[History]:
    """Every change of a booking, the newest first."""
    return list(
        tx.scalars(
            select(History)
            .where(History.portal_id == portal_id, History.booking_id == booking_id)
            .order_by(History.number.desc())
        )
    )
