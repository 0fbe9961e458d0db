"""A new booking with everything that is written because of it, in one statement.

Sent one after the other, the six of them were a third of what a booking costs (docs/performance.md). Each part is the
statement of its own module, about the row that is inserted here instead of one that stands.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session, make_transient_to_detached

from b24app.errors import NotFound
from b24app.ledger import deliveries, history, occupancy, queue, refs
from b24app.ledger.deliveries import Fact
from b24app.ledger.models import Booking
from b24app.ledger.session import select_rows
from b24app.scheduling.allocation import Seat
from b24app.scheduling.interval import Interval

_BOOKED = (
    "id", "service_id", "stage", "payment", "held_until", "client_id", "deal_id", "title", "notes", "responsible_id",
    "participants", "source", "policy", "terms", "wish", "party", "competes", "needs_approval", "pay_by",
    "department_id", "series_id", "series_day", "request_key", "created_by", "created_at", "updated_at",
)  # fmt: skip
_USUAL = {"competes": False, "needs_approval": False, "participants": []}
# The portal's row is locked by this until the transaction ends. It is taken after resources and bookings, by everyone
# in that order and shortly before the commit, so bookings of one portal wait for each other only there; after it comes
# the queue, where the drain that waits is kept waiting, so that it will see this booking.
_INSERT = f"""
WITH numbered AS (
    UPDATE portal SET next_number = next_number + 1, changes = changes + 1 WHERE id = %(portal)s
        AND EXISTS (SELECT FROM service s WHERE s.id = %(service_id)s AND s.portal_id = %(portal)s)
        AND (%(client_id)s::bigint IS NULL
             OR EXISTS (SELECT FROM client c WHERE c.id = %(client_id)s AND c.portal_id = %(portal)s))
        AND (%(series_id)s::bigint IS NULL
             OR EXISTS (SELECT FROM series s WHERE s.id = %(series_id)s AND s.portal_id = %(portal)s))
    RETURNING next_number - 1 AS number
), booked AS (
    INSERT INTO booking (portal_id, number, during, {", ".join(_BOOKED)})
    SELECT %(portal)s, numbered.number, tstzrange(%(start)s, %(end)s), {", ".join(f"%({name})s" for name in _BOOKED)}
    FROM numbered
    ON CONFLICT (portal_id, request_key) WHERE request_key IS NOT NULL DO NOTHING
    RETURNING id, number
), seated AS (
    {occupancy.occupying("booked b ON true")}
), told AS (
    {history.FIRST}
), owed AS (
    {deliveries.adding("booked.id, NULL::bigint, NULL::bigint, 1", "booked, ")}
), drawn AS (
    {refs.drawing("booked.id", "booked, ")}
), waiting AS (
    {queue.waiting("booked, procrastinate_jobs j")}
)
SELECT number, (SELECT count(*) FROM seated), EXISTS (SELECT FROM waiting) FROM booked
"""


@dataclass(frozen=True, slots=True)
class Beside:
    """What is written with a booking: the units that it takes, the first row of its history, what is owed because of
    it, which pictures of it are to be drawn (`refs.pictures`)."""

    seats: Sequence[Seat] = ()
    after: Mapping[str, Any] = field(default_factory=dict)
    batch: uuid.UUID | None = None
    facts: Sequence[Fact] = ()
    pictures: Sequence[Mapping[str, Any]] = ()
    bulk: bool = False


def unwritten(portal_id: int, interval: Interval, values: Mapping[str, Any]) -> Booking:
    """A booking that is yet to be inserted: its number comes then, everything else is there."""
    everything: dict[str, Any] = {**dict.fromkeys(_BOOKED), **_USUAL, **values}
    return Booking(
        portal_id=portal_id, during=occupancy.as_range(interval), revision=1, moves=0, reason="", pinned=False,
        checked_in_at=None, asked_at=None, **everything,
    )  # fmt: skip


def insert(tx: Session, booking: Booking, beside: Beside, now: datetime) -> bool | None:
    """Writes it, with the portal's next number; whether its drain waits already, or is to be queued.

    None, and nothing written, when this `request_key` has made one before, or when service, client or series are
    another portal's. Raises SlotTaken and NotFound as `occupancy.occupy`.
    """
    interval = occupancy.as_interval(booking.during)
    columns = {name: getattr(booking, name) for name in _BOOKED}
    with occupancy.taken_means(interval):
        rows = select_rows(
            tx,
            _INSERT,
            portal=booking.portal_id,
            start=interval.start,
            end=interval.end,
            now=now,
            seats=occupancy.written(beside.seats),
            after=Jsonb(beside.after),
            batch=beside.batch,
            facts=deliveries.written(beside.facts, now),
            pictures=Jsonb(beside.pictures),
            bulk=beside.bulk,
            once=refs.waits_as(booking.portal_id),
            **{name: Jsonb(value) if isinstance(value, dict) else value for name, value in columns.items()},
        )
    if not rows:
        return None
    number, seated, waits = rows[0]
    if seated != len(beside.seats):
        raise NotFound("unit")
    booking.number = number
    # It was written just now: known to the session as it is, without reading it back.
    make_transient_to_detached(booking)
    tx.add(booking)
    return bool(waits)
