"""Bookings as sheets of paper and calendar programs tell of them: with everything that may be named in them.

As in `queries`, `portal_id` comes right after the transaction and whoever looks is the viewer.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from b24app.ledger.access import Viewer
from b24app.ledger.session import select_rows
from b24app.ledger.spread import Offered
from b24app.scheduling.interval import Interval

HOLDING_OR_DONE = ("prebooked", "confirmed", "completed", "no_show")


class Named(NamedTuple):
    """What a booking could be called. `service` is "" for a bare resource, whose service bears the resource's name."""

    title: str
    client: str
    service: str


class Where(NamedTuple):
    """A resource as far as the time and place of a booking need it."""

    id: int
    name: str
    kind: str
    city: str
    address: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One booking, times without buffers. `seen`: whether the viewer may know more of it than that the time is taken.

    `item_id` is its card in the portal, if there is one.
    """

    id: uuid.UUID
    number: int
    revision: int
    stage: str
    payment: str
    during: Interval
    updated_at: datetime
    named: Named
    deal_id: int | None
    item_id: int | None
    resource_ids: tuple[int, ...]
    seen: bool


@dataclass(frozen=True, slots=True)
class Reach:
    """From when to when; `longest` bounds how long before that a booking may have begun that reaches into it."""

    window: Interval
    longest: timedelta
    now: datetime


_NAMES = """
coalesce(b.title, ''), coalesce(c.name, ''), CASE WHEN s.resource_id IS NULL THEN s.name ELSE '' END
"""
_ENTRIES = f"""
SELECT b.id, b.number, b.revision, b.stage, b.payment, date_part('epoch', lower(b.during))::bigint,
       date_part('epoch', upper(b.during))::bigint, b.updated_at, {_NAMES}, b.deal_id,
       (SELECT min(x.remote_id) FROM external_ref x
        WHERE x.portal_id = %(portal)s AND x.booking_id = b.id AND x.kind = 'item'),
       ARRAY(SELECT DISTINCT a.resource_id FROM allocation a
             WHERE a.portal_id = %(portal)s AND a.booking_id = b.id AND a.released_at IS NULL ORDER BY 1),
       b.responsible_id = %(viewer)s OR b.created_by = %(actor)s
FROM booking b
JOIN service s ON s.id = b.service_id
LEFT JOIN client c ON c.id = b.client_id
WHERE b.portal_id = %(portal)s AND lower(b.during) >= %(earliest)s AND lower(b.during) < %(end)s
  AND upper(b.during) > %(start)s AND b.stage = ANY(%(stages)s) AND NOT b.competes
  AND NOT (b.stage = 'prebooked' AND b.held_until <= %(now)s)
"""
# Found by the units' own index, so that a year of other resources' bookings is not read.
_ON_RESOURCES = """
  AND b.id IN (
    SELECT a.booking_id FROM allocation a JOIN unit u ON u.id = a.unit_id
    WHERE a.portal_id = %(portal)s AND u.portal_id = %(portal)s AND u.resource_id = ANY(%(resources)s)
      AND a.released_at IS NULL AND lower(a.during) < %(end)s + interval '1 day'
      AND lower(a.during) >= %(earliest)s - interval '1 day')
"""
_OF_PERSON = """
  AND (b.responsible_id = %(person)s OR b.participants @> ARRAY[%(person)s]::bigint[] OR b.id IN (
    SELECT a.booking_id FROM allocation a JOIN resource r ON r.id = a.resource_id
    WHERE a.portal_id = %(portal)s AND r.portal_id = %(portal)s AND r.portal_user_id = %(person)s
      AND a.released_at IS NULL AND lower(a.during) < %(end)s + interval '1 day'
      AND lower(a.during) >= %(earliest)s - interval '1 day'))
"""
_ORDER = " ORDER BY lower(b.during), b.number"


def on_resource(
    tx: Session, portal_id: int, viewer: Viewer, of: Offered, resource_id: int, reach: Reach
) -> list[Entry]:
    """What holds time of a resource, of its parts, or of what it is part of, in the order of time."""
    leaves = sorted({resource_id, *of.below(resource_id)})
    rows = _rows(tx, portal_id, viewer, reach, _ON_RESOURCES, resources=leaves)
    sees = of.may("see", resource_id)
    return [_entry(row, (sees and resource_id in row[13]) or _seen(of, row)) for row in rows]


def of_person(tx: Session, portal_id: int, viewer: Viewer, of: Offered, user_id: int, reach: Reach) -> list[Entry]:
    """What a person is responsible for, takes part in, or is booked for himself, in the order of time."""
    return [_entry(row, _seen(of, row)) for row in _rows(tx, portal_id, viewer, reach, _OF_PERSON, person=user_id)]


def _rows(tx: Session, portal_id: int, viewer: Viewer, reach: Reach, what: str, **more: Any) -> Sequence[Any]:
    return select_rows(
        tx,
        _ENTRIES + what + _ORDER,
        portal=portal_id,
        viewer=viewer.user_id,
        actor=str(viewer.actor),
        earliest=reach.window.start - reach.longest,
        start=reach.window.start,
        end=reach.window.end,
        now=reach.now,
        stages=list(HOLDING_OR_DONE),
        **more,
    )


def _seen(of: Offered, row: Any) -> bool:
    return bool(row[14]) or all(of.may("see", one) for one in row[13])


def _entry(row: Any, seen: bool) -> Entry:
    during = Interval(datetime.fromtimestamp(row[5], UTC), datetime.fromtimestamp(row[6], UTC))
    return Entry(
        id=row[0], number=row[1], revision=row[2], stage=row[3], payment=row[4], during=during, updated_at=row[7],
        named=Named(*row[8:11]), deal_id=row[11], item_id=row[12], resource_ids=tuple(row[13]), seen=seen,
    )  # fmt: skip


_CALLED = f"""
SELECT b.number, {_NAMES} FROM booking b
JOIN service s ON s.id = b.service_id
LEFT JOIN client c ON c.id = b.client_id
WHERE b.portal_id = %(portal)s AND b.number = ANY(%(numbers)s)
"""


def called(tx: Session, portal_id: int, numbers: Collection[int]) -> dict[int, Named]:
    """What these bookings could be called, by number: for those that stand unmasked on a board of this viewer."""
    rows = select_rows(tx, _CALLED, portal=portal_id, numbers=sorted(numbers)) if numbers else []
    return {row[0]: Named(*row[1:]) for row in rows}


_WHERE = "SELECT id, name, kind, city, address FROM resource WHERE portal_id = %(portal)s AND id = ANY(%(ids)s)"


def places(tx: Session, portal_id: int, resource_ids: Collection[int]) -> Mapping[int, Where]:
    """Where these resources are: for those that the viewer may see."""
    rows = select_rows(tx, _WHERE, portal=portal_id, ids=sorted(resource_ids)) if resource_ids else []
    return {row[0]: Where(*row) for row in rows}
