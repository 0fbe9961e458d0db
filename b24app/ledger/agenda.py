"""Bookings in the order of time, and bookings by what somebody remembers of them: lists and the search.

As in `queries`, `portal_id` comes right after the transaction, whoever looks is the viewer, and one test calls each
function with a second portal's ids. `entries` reads a whole day as plain tuples, out of which a list chooses; only
what it shows is read as rows of the ORM.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from b24app.ledger.access import Viewer
from b24app.ledger.models import Booking, ExternalRef, Resource
from b24app.ledger.queries import BookingRow, visible_rows
from b24app.ledger.session import select_rows
from b24app.scheduling.interval import Interval

NEAR = 5000  # so many bookings before and after now are looked through for a word of their title
MOST_CLIENTS = 60
MOST_FOUND = 120  # that are read to find those that may be seen
SHORTEST_PHONE = 4
LONGEST_NUMBER = 18


class Entry(NamedTuple):
    """As much of a booking as decides whether and where a list has it. `start`, `end`, `until`: epoch seconds.

    `on`: the resources that it holds, held last or would like to have.
    """

    id: uuid.UUID
    number: int
    start: int
    end: int
    stage: str
    payment: str
    competes: bool
    until: int | None
    service_id: int
    responsible_id: int | None
    created_by: str
    participants: Sequence[int]
    on: Sequence[int]

    def stage_at(self, now: int) -> str:
        """The stage as people know it: what `standing.stage_of` says of a whole booking."""
        if self.stage == "prebooked" and self.until is not None and self.until <= now:
            return "expired"
        if self.competes:
            return "request"
        return "paid" if (self.stage, self.payment) == ("confirmed", "paid") else self.stage


_ENTRIES = """
SELECT b.id, b.number, date_part('epoch', lower(b.during))::bigint, date_part('epoch', upper(b.during))::bigint,
       b.stage, b.payment, b.competes, date_part('epoch', b.held_until)::bigint, b.service_id, b.responsible_id,
       b.created_by, b.participants,
       ARRAY(SELECT a.resource_id FROM allocation a
             WHERE a.portal_id = b.portal_id AND a.booking_id = b.id
               AND a.released_at IS NOT DISTINCT FROM (
                   SELECT l.released_at FROM allocation l WHERE l.portal_id = b.portal_id AND l.booking_id = b.id
                   ORDER BY l.released_at DESC NULLS FIRST LIMIT 1)
             UNION SELECT q.resource_id FROM claim q WHERE q.portal_id = b.portal_id AND q.booking_id = b.id
             ORDER BY 1)
FROM booking b
WHERE b.portal_id = %(portal)s AND lower(b.during) >= %(earliest)s AND lower(b.during) < %(end)s
  AND upper(b.during) > %(start)s
ORDER BY lower(b.during), b.number
"""


def entries(tx: Session, portal_id: int, window: Interval, longest: timedelta) -> list[Entry]:
    """Every booking that reaches into `window`, dropped ones too, whoever may see it. None lasts over `longest`."""
    rows = select_rows(
        tx, _ENTRIES, portal=portal_id, earliest=window.start - longest, start=window.start, end=window.end
    )
    return [Entry._make(row) for row in rows]


def rows_of(tx: Session, portal_id: int, viewer: Viewer, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, BookingRow]:
    """These bookings as rows, as far as he may see them."""
    if not ids:
        return {}
    rows = visible_rows(tx, portal_id, viewer, Booking.id.in_(ids), limit=len(ids))
    return {row.booking.id: row for row in rows}


def resources_of_person(tx: Session, portal_id: int, user_id: int) -> set[int]:
    """The resources that this employee is."""
    return set(
        tx.scalars(select(Resource.id).where(Resource.portal_id == portal_id, Resource.portal_user_id == user_id))
    )


# Search ----


_NEAR_TITLES = """
SELECT id FROM (
    (SELECT b.id, b.title FROM booking b WHERE b.portal_id = %(portal)s AND lower(b.during) >= %(now)s
     ORDER BY lower(b.during) LIMIT %(near)s)
    UNION ALL
    (SELECT b.id, b.title FROM booking b WHERE b.portal_id = %(portal)s AND lower(b.during) < %(now)s
     ORDER BY lower(b.during) DESC LIMIT %(near)s)
) AS near WHERE near.title ILIKE %(like)s LIMIT %(most)s
"""
_CLIENTS = """
SELECT id FROM client
WHERE portal_id = %(portal)s AND (name ILIKE %(like)s OR (%(digits)s <> '' AND
      translate(phone, ' +-().', '') LIKE %(tail)s))
LIMIT %(most)s
"""


def search(tx: Session, portal_id: int, viewer: Viewer, asked: str, now: datetime, most: int) -> list[BookingRow]:
    """What he may see of what this may mean, that with this very number first, then the nearest ahead, then the past.

    A number of a booking or deal, a piece of a client's name, the last digits of his phone, a piece of a title; titles
    only of bookings near now, because no index knows their words.
    """
    asked = asked.strip()
    wanted = _meant(tx, portal_id, asked, now)
    if not wanted:
        return []
    number = _number(asked)
    ahead = func.upper(Booking.during) > now
    nearest = (
        (Booking.number == (number or 0)).desc(),
        Booking.stage.in_(("cancelled", "expired")),
        ahead.desc(),
        func.abs(func.date_part("epoch", func.lower(Booking.during) - now)),
    )
    return visible_rows(tx, portal_id, viewer, or_(*wanted), order_by=nearest, limit=MOST_FOUND)[:most]


def _meant(tx: Session, portal_id: int, asked: str, now: datetime) -> list[ColumnElement[bool]]:
    number, digits = _number(asked), _phone(asked)
    found: list[ColumnElement[bool]] = []
    if number is not None:
        found += [Booking.number == number, Booking.deal_id == number]
    if len(asked) < 2:
        return found
    like = f"%{_literally(asked)}%"
    clients = select_rows(
        tx, _CLIENTS, portal=portal_id, like=like, digits=digits, tail=f"%{digits}%", most=MOST_CLIENTS
    )
    titled = select_rows(tx, _NEAR_TITLES, portal=portal_id, now=now, near=NEAR, like=like, most=MOST_FOUND)
    if clients:
        found.append(Booking.client_id.in_([one[0] for one in clients]))
    if titled:
        found.append(Booking.id.in_([one[0] for one in titled]))
    return found


def _literally(text: str) -> str:
    """Without the meaning that LIKE gives to some characters."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def _number(asked: str) -> int | None:
    """«№ 1048», "#1048", "1048"."""
    text = asked.lstrip("№# ").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else None


def _phone(asked: str) -> str:
    """The digits of a telephone number or of its end, in whatever way they are set; "" for anything else.

    What Russians dial as 8… is kept as +7….
    """
    if re.search(r"[^\d\s+().\-]", asked, re.ASCII):
        return ""
    digits = re.sub(r"\D", "", asked)
    if len(digits) == 11 and digits[0] in "78":
        digits = digits[1:]
    return digits if len(digits) >= SHORTEST_PHONE else ""


# Cards of our own smart processes ----


def booking_of_item(tx: Session, portal_id: int, viewer: Viewer, item_id: int) -> BookingRow | None:
    """The booking whose picture this item of the smart process is, if he may see it."""
    drawn = select(ExternalRef.booking_id).where(*_item(portal_id, item_id), ExternalRef.booking_id.is_not(None))
    return next(iter(visible_rows(tx, portal_id, viewer, Booking.id.in_(drawn))), None)


def resource_of_item(tx: Session, portal_id: int, viewer: Viewer, item_id: int) -> Resource | None:
    """The resource whose picture this item is, if he may see it at least as busy or free."""
    drawn = select(ExternalRef.resource_id).where(*_item(portal_id, item_id), ExternalRef.resource_id.is_not(None))
    found = tx.scalar(select(Resource).where(Resource.portal_id == portal_id, Resource.id.in_(drawn)))
    return found if found is not None and viewer.may("busy", found) else None


def _item(portal_id: int, item_id: int) -> tuple[ColumnElement[bool], ...]:
    return (
        ExternalRef.portal_id == portal_id,
        ExternalRef.kind == "item",
        ExternalRef.remote_id == item_id,
    )


def of_resources(
    tx: Session, portal_id: int, viewer: Viewer, resource_ids: Collection[int], window: Interval, longest: timedelta
) -> list[BookingRow]:
    """The bookings that reach into `window` on any of these resources, as far as he may see them, in order."""
    wanted = set(resource_ids)
    ids = [one.id for one in entries(tx, portal_id, window, longest) if wanted.intersection(one.on)]
    rows = rows_of(tx, portal_id, viewer, ids[:MOST_FOUND])
    return sorted(rows.values(), key=lambda row: (row.interval.start, row.booking.number))
