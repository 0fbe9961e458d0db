"""Taking and giving back units. The only place that writes allocations.

Order that everyone keeps: lock the resource rows by id, look again on fresh rows, insert in unit order, and let the
database's exclusion constraint have the last word (docs/architecture.md, "The one thing").
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from psycopg.errors import ExclusionViolation
from psycopg.types.json import Jsonb
from psycopg.types.range import Range
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from b24app.errors import NotFound, SlotTaken
from b24app.ledger.models import ALLOCATION_NO_OVERLAP, Resource
from b24app.ledger.session import run, select_rows
from b24app.scheduling.allocation import Seat
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


class HeldSeat(NamedTuple):
    """One living allocation with what decides about it. `movable`: re-seating may give it another unit."""

    allocation_id: int
    unit_id: int
    resource_id: int
    booking_id: uuid.UUID
    start: datetime
    end: datetime
    stage: str
    held_until: datetime | None
    movable: bool

    @property
    def during(self) -> Interval:
        return Interval(self.start, self.end)

    def is_over(self, now: datetime) -> bool:
        """Whether it is a hold whose time has passed, written down or not."""
        return self.stage == "prebooked" and self.held_until is not None and self.held_until <= now


# Bounded by the longest allocation that the portal ever allowed, so that a plain index on unit and start answers: the
# constraint's own index took the longer, the longer the history was (docs/performance.md).
_HELD = """
SELECT a.id, a.unit_id, a.resource_id, a.booking_id, lower(a.during), upper(a.during), b.stage, b.held_until,
       b.checked_in_at IS NULL AND NOT b.pinned AND b.stage IN ('prebooked', 'confirmed')
           AND NOT coalesce(b.wish->'units' @> to_jsonb(a.unit_id), false)
FROM unnest(%(units)s::bigint[]) AS u (id)
JOIN allocation a ON a.unit_id = u.id AND a.released_at IS NULL
    AND lower(a.during) >= %(start)s - (SELECT make_interval(mins => longest_minutes) FROM portal WHERE id = %(portal)s)
    AND lower(a.during) < %(end)s AND upper(a.during) > %(start)s
JOIN booking b ON b.id = a.booking_id
WHERE a.portal_id = %(portal)s
ORDER BY a.unit_id, lower(a.during)
"""


def held(tx: Session, portal_id: int, unit_ids: Iterable[int], window: Interval) -> list[HeldSeat]:
    """What is held on these units within `window`, holds whose time has passed included, in order."""
    rows = select_rows(tx, _HELD, portal=portal_id, units=list(unit_ids), start=window.start, end=window.end)
    return [HeldSeat._make(row) for row in rows]


_OVER = """
SELECT DISTINCT b.id FROM booking b
JOIN allocation a ON a.booking_id = b.id AND a.portal_id = b.portal_id AND a.released_at IS NULL
JOIN unit u ON u.id = a.unit_id
WHERE b.portal_id = %(portal)s AND b.stage = 'prebooked' AND b.held_until <= %(now)s
  AND u.resource_id = ANY(%(resources)s::bigint[])
"""


def over_on(tx: Session, portal_id: int, resource_ids: Collection[int], now: datetime) -> set[uuid.UUID]:
    """The holds on these resources whose time has passed and that nobody has dropped yet."""
    rows = select_rows(tx, _OVER, portal=portal_id, resources=list(resource_ids), now=now)
    return {row[0] for row in rows}


def occupying(booking: str) -> str:
    """SQL that inserts the allocations `%(seats)s` of a booking, which is to be joined as `b`."""
    return f"""
INSERT INTO allocation (portal_id, booking_id, unit_id, resource_id, during)
SELECT %(portal)s, b.id, s.unit_id, s.resource_id, tstzrange(s.starts, s.ends)
FROM jsonb_to_recordset(%(seats)s) AS s (unit_id bigint, resource_id bigint, starts timestamptz, ends timestamptz)
JOIN unit u ON u.id = s.unit_id AND u.portal_id = %(portal)s
JOIN resource r ON r.id = s.resource_id AND r.portal_id = %(portal)s
JOIN {booking}
ORDER BY s.unit_id
RETURNING id
"""


_OCCUPY = occupying("booking b ON b.id = %(booking)s AND b.portal_id = %(portal)s")


def occupy(tx: Session, portal_id: int, booking_id: uuid.UUID, seats: Collection[Seat], wanted: Interval) -> None:
    """Inserts the allocations in unit order; raises SlotTaken(wanted) when somebody else holds one of the units, and
    NotFound for what is not this portal's."""
    with taken_means(wanted):
        made = select_rows(tx, _OCCUPY, portal=portal_id, booking=booking_id, seats=written(seats))
    if len(made) != len(seats):
        raise NotFound("unit")


def written(seats: Iterable[Seat]) -> Jsonb:
    """Seats as `occupying` reads them."""
    return Jsonb(
        [
            {
                "unit_id": seat.unit_id,
                "resource_id": seat.resource_id,
                "starts": seat.during.start.isoformat(),
                "ends": seat.during.end.isoformat(),
            }
            for seat in seats
        ]
    )


@contextmanager
def taken_means(wanted: Interval) -> Iterator[None]:
    """The constraint's refusal becomes SlotTaken(wanted); every other one stays what it is."""
    try:
        yield
    except IntegrityError as error:
        cause = error.orig
        if isinstance(cause, ExclusionViolation) and cause.diag.constraint_name == ALLOCATION_NO_OVERLAP:
            raise SlotTaken(wanted) from error
        raise


def release(tx: Session, portal_id: int, booking_ids: Collection[uuid.UUID], now: datetime) -> None:
    """Gives back everything that these bookings hold."""
    run(
        tx,
        "UPDATE allocation SET released_at = %(now)s "
        "WHERE portal_id = %(portal)s AND booking_id = ANY(%(bookings)s) AND released_at IS NULL",
        portal=portal_id,
        bookings=list(booking_ids),
        now=now,
    )


_RESEAT = """
WITH moved AS (
    UPDATE allocation a SET released_at = %(now)s
    FROM unnest(%(ids)s::bigint[], %(units)s::bigint[]) AS m (id, unit_id)
    WHERE a.portal_id = %(portal)s AND a.id = m.id AND a.released_at IS NULL
    RETURNING a.booking_id, a.resource_id, a.during, m.unit_id
)
SELECT booking_id, resource_id, lower(during), upper(during), unit_id FROM moved ORDER BY unit_id, lower(during)
"""


def reseat(tx: Session, portal_id: int, moves: Sequence[tuple[int, int]], now: datetime) -> None:
    """Gives these allocations (by id) other units of the same pool: all are released before any is inserted again."""
    rows = select_rows(
        tx, _RESEAT, portal=portal_id, now=now, ids=[one for one, _ in moves], units=[unit for _, unit in moves]
    )
    for booking_id, resource_id, start, end, unit_id in rows:
        during = Interval(start, end)
        occupy(tx, portal_id, booking_id, [Seat(resource_id, unit_id, during)], during)


def shorten(tx: Session, portal_id: int, booking_id: uuid.UUID, now: datetime) -> None:
    """Gives back what is still to come of what the booking holds, all of it where it begins just now."""
    run(
        tx,
        "UPDATE allocation SET during = CASE WHEN lower(during) < %(now)s THEN tstzrange(lower(during), %(now)s)"
        " ELSE during END, released_at = CASE WHEN lower(during) < %(now)s THEN NULL ELSE %(now)s END"
        " WHERE portal_id = %(portal)s AND booking_id = %(booking)s AND released_at IS NULL"
        " AND upper(during) > %(now)s",
        portal=portal_id,
        booking=booking_id,
        now=now,
    )
