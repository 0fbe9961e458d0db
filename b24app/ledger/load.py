"""How much of which day is taken, and what the week of one resource tells besides: aggregates, so they stay small.

As in `board`: `portal_id` comes right after the transaction, and one test calls each function with a second portal's
ids. Sixty thousand bookings of a month are summed up where they are; what comes back is one row a resource and day.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from b24app.ledger.board import FEW, LONGEST_BUFFER, Look
from b24app.ledger.session import select_rows
from b24app.ledger.spread import Offered
from b24app.scheduling.pricing import Tariff

Spans = Sequence[tuple[int, int]]  # epoch seconds, in order, apart from each other


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of a load: `bounds` are their midnights, one more than there are days, in epoch seconds.

    `open`: when each resource that owns units is offered; what is taken outside of that is no load.
    """

    bounds: Sequence[int]
    open: Mapping[int, Spans]


class Taken(NamedTuple):
    """What is taken of one resource on one day (0 is the first): seconds of its units within the hours.

    `held`: as much of them as only a pre-booking holds. `pieces` and `holds` count allocations, whether within the
    hours or not: of a pool that is how many times a place is taken. `until`: the end of the first hold.
    """

    resource_id: int
    day: int
    seconds: int = 0
    held: int = 0
    pieces: int = 0
    holds: int = 0
    until: int | None = None


# Each different timetable goes along once, cut into days; each allocation meets only the hours of its own day, so this
# is a hash join. Nearly all lie within one day, and generate_series for each would cost as much as all the rest. Of
# bookings only those that are held matter. `after`: the end of the day's stretch before, so that what reaches over a
# break counts once. An index on the start finds the allocations however long the history is.
_HOLDS = """MATERIALIZED (
    SELECT id, held_until FROM booking
    WHERE portal_id = %(portal)s AND stage = 'prebooked'
      AND lower(during) >= %(earliest)s AND lower(during) < %(end)s + %(buffer)s
)"""
_TAKEN = f"""
WITH lane AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(tables)s::int[]) AS l(resource_id, hours)
), opened AS (
    SELECT * FROM unnest(%(hours)s::int[], %(days)s::int[], %(opens)s::bigint[], %(closes)s::bigint[],
                         %(after)s::bigint[]) AS o(hours, day, opens, closes, after)
), hold AS {_HOLDS}, piece AS MATERIALIZED (
    SELECT u.resource_id, l.hours, h.id IS NOT NULL AS held, date_part('epoch', h.held_until)::bigint AS until,
           date_part('epoch', lower(a.during))::bigint AS start, date_part('epoch', upper(a.during))::bigint AS "end",
           greatest(width_bucket(lower(a.during), %(bounds)s::timestamptz[]), 1) AS first,
           least(width_bucket(upper(a.during) - interval '1 microsecond', %(bounds)s::timestamptz[]), %(count)s) AS last
    FROM allocation a
    JOIN unit u ON u.id = a.unit_id
    JOIN lane l ON l.resource_id = u.resource_id AND u.resource_id = ANY(%(ids)s)
    LEFT JOIN hold h ON h.id = a.booking_id
    WHERE a.portal_id = %(portal)s AND a.released_at IS NULL
      AND lower(a.during) >= %(earliest)s AND lower(a.during) < %(end)s AND upper(a.during) > %(start)s
      AND (h.held_until IS NULL OR h.held_until > %(now)s)
), daily AS (
    SELECT resource_id, hours, held, until, start, "end", first AS day FROM piece WHERE first = last
    UNION ALL
    SELECT resource_id, hours, held, until, start, "end", generate_series(first, last) FROM piece WHERE first < last
)
SELECT d.resource_id, d.day - 1,
       coalesce(sum(least(d."end", o.closes) - greatest(d.start, o.opens)), 0)::bigint,
       coalesce(sum(least(d."end", o.closes) - greatest(d.start, o.opens)) FILTER (WHERE d.held), 0)::bigint,
       count(*) FILTER (WHERE o.after IS NULL OR d.start >= o.after),
       count(*) FILTER (WHERE d.held AND (o.after IS NULL OR d.start >= o.after)), min(d.until)
FROM daily d
LEFT JOIN opened o ON o.hours = d.hours AND o.day = d.day AND o.opens < d."end" AND o.closes > d.start
GROUP BY 1, 2
"""
# Of a few resources each allocation's booking is looked at by itself, as the board does.
_TAKEN_OF_FEW = _TAKEN.replace(_HOLDS, "(SELECT id, held_until FROM booking WHERE stage = 'prebooked')")


def taken(tx: Session, portal_id: int, of: Offered, calendar: Calendar, look: Look) -> dict[tuple[int, int], Taken]:
    """What is taken of everything that `of` shows and is made of, by resource and day; days without are left out.

    How much is taken may be told to whoever may see that something is.
    """
    ids = sorted(of.leaves & calendar.open.keys())
    tables = _Tables(calendar)
    numbers = [tables.number(one) for one in ids]
    rows = select_rows(
        tx, _TAKEN if len(ids) > FEW else _TAKEN_OF_FEW, portal=portal_id,
        start=look.window.start, end=look.window.end, now=look.now,
        earliest=look.window.start - look.longest, buffer=LONGEST_BUFFER, count=len(calendar.bounds) - 1,
        bounds=[datetime.fromtimestamp(one, UTC) for one in calendar.bounds],
        ids=ids, tables=numbers, **tables.columns,
    )  # fmt: skip
    return {(row[0], row[1]): Taken._make(row) for row in rows}


class _Tables:
    """The different timetables of a calendar, cut into days, as columns of the statement."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._known: dict[tuple[tuple[int, int], ...], int] = {}
        self.columns: dict[str, list[int]] = {"hours": [], "days": [], "opens": [], "closes": [], "after": []}

    def number(self, resource_id: int) -> int:
        spans = tuple((one[0], one[1]) for one in self._calendar.open[resource_id])
        if spans not in self._known:
            self._known[spans] = len(self._known)
            before = (-1, 0)
            for day, start, end in by_day(spans, self._calendar.bounds):
                after = before[1] if before[0] == day else 0
                for name, value in zip(self.columns, (self._known[spans], day + 1, start, end, after), strict=True):
                    self.columns[name].append(value)
                before = (day, end)
        return self._known[spans]


def by_day(spans: Spans, bounds: Sequence[int]) -> list[tuple[int, int, int]]:
    """The spans cut at the bounds: number of the day, start, end."""
    found, day, last = [], 0, len(bounds) - 2
    for start, end in spans:
        while day < last and bounds[day + 1] <= start:
            day += 1
        number = day
        while number <= last and bounds[number] < end:
            left, right = max(start, bounds[number]), min(end, bounds[number + 1])
            if left < right:
                found.append((number, left, right))
            number += 1
    return found


# The week of one resource -------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """What a block of the week says besides its label, and the money of that booking in the portal's currency."""

    number: int
    client: str | None
    title: str
    service: str
    stage: str
    payment: str
    price: Decimal
    net: Decimal
    until: int | None
    competes: bool


_LINES = """
SELECT b.number, c.name, b.title, CASE WHEN s.resource_id IS NULL THEN s.name ELSE '' END, b.stage, b.payment,
       coalesce(q.price, 0), coalesce(m.net, 0), date_part('epoch', b.held_until)::bigint, b.competes
FROM booking b
JOIN service s ON s.id = b.service_id
LEFT JOIN client c ON c.id = b.client_id
LEFT JOIN LATERAL (
    SELECT sum(amount) AS price FROM quote_line
    WHERE portal_id = b.portal_id AND booking_id = b.id AND superseded_at IS NULL
) q ON true
LEFT JOIN LATERAL (
    SELECT sum(CASE kind WHEN 'refund' THEN -amount ELSE amount END) AS net FROM money_record
    WHERE portal_id = b.portal_id AND booking_id = b.id AND voided_at IS NULL
) m ON true
WHERE b.portal_id = %(portal)s AND b.number = ANY(%(numbers)s::bigint[])
"""


def lines(tx: Session, portal_id: int, numbers: Collection[int]) -> dict[int, Line]:
    """More about the bookings with these numbers; it is for who asks to have made sure that they may be seen."""
    rows = select_rows(tx, _LINES, portal=portal_id, numbers=sorted(numbers)) if numbers else ()
    return {row[0]: Line._make(row) for row in rows}


class About(NamedTuple):
    """What is told about a resource beside its week; minutes. `tariff`: what booking it alone costs."""

    address: str
    buffer_before: int
    buffer_after: int
    shortest: int
    longest: int
    horizon_days: int
    tariff: Tariff | None


_ABOUT = """
SELECT r.address, r.buffer_before, r.buffer_after, coalesce(s.min_minutes, 30), coalesce(s.max_minutes, 1440),
       coalesce(s.horizon_days, 365), t.body
FROM resource r
LEFT JOIN service s ON s.portal_id = r.portal_id AND s.resource_id = r.id AND s.archived_at IS NULL
LEFT JOIN tariff t ON t.portal_id = r.portal_id AND t.id = s.tariff_id
WHERE r.portal_id = %(portal)s AND r.id = %(resource)s
"""


def about(tx: Session, portal_id: int, resource_id: int) -> About | None:
    """More about this resource."""
    rows: Sequence[Any] = select_rows(tx, _ABOUT, portal=portal_id, resource=resource_id)
    return About._make((*rows[0][:6], Tariff.from_dict(rows[0][6]) if rows[0][6] else None)) if rows else None
