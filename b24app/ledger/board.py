"""What a board shows: resources with how they are open, what stands on each of them, services to choose from.

As in `queries`, `portal_id` comes right after the transaction, whoever looks is the viewer, and one test calls each
function with a second portal's ids. Written as text and read as plain tuples: two thousand rows cost 17 ms as objects
of the ORM and 6 like this (docs/performance.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy.orm import Session

from b24app.ledger.access import Viewer
from b24app.ledger.session import select_rows
from b24app.ledger.spread import BUSY, BoardBlock, BoardResource, Lanes, More, Offered, Standing
from b24app.scheduling.interval import Interval

LONGEST_BUFFER = timedelta(days=1)  # checked by the tables


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at, and when. `longest` bounds how far back an allocation that is shown may have begun."""

    window: Interval
    longest: timedelta
    now: datetime


# Closures of the whole company stand in everybody's list. Dates are local, hence the days around.
_RESOURCES = """
WITH closed AS MATERIALIZED (
    SELECT resource_id, json_build_array(date_part('epoch', lower(during))::bigint,
                                         date_part('epoch', upper(during))::bigint, reason) AS one
    FROM closure WHERE portal_id = %(portal)s AND upper(during) > %(start)s AND lower(during) < %(end)s
)
SELECT r.id, r.kind, r.name, r.city, r.capacity, r.time_zone, r.step_minutes, r.holidays, r.archived_at IS NOT NULL,
       w.week, s.days,
       (SELECT json_agg(c.one ORDER BY c.one->>0, c.one->>1)::text FROM closed c
        WHERE c.resource_id IS NULL OR c.resource_id = r.id),
       u.ids, p.ids, CASE WHEN asked.yes THEN r.portal_user_id END, b.spans
FROM resource r
CROSS JOIN (
    SELECT coalesce((settings->>'obey_business')::boolean, true) AS yes FROM portal WHERE id = %(portal)s
) asked
LEFT JOIN (
    SELECT user_id, json_agg(span) AS spans FROM busy_day CROSS JOIN jsonb_array_elements(spans->'spans') AS span
    WHERE portal_id = %(portal)s AND day BETWEEN %(start)s::date AND %(end)s::date GROUP BY user_id
) b ON b.user_id = r.portal_user_id AND asked.yes
LEFT JOIN (
    SELECT resource_id, string_agg(concat_ws(':', weekday, opens, closes), ' ' ORDER BY weekday, opens) AS week
    FROM opening_hours WHERE portal_id = %(portal)s GROUP BY resource_id
) w ON w.resource_id = r.id
LEFT JOIN (
    SELECT resource_id, string_agg(concat_ws(':', day, opens, closes), ' ' ORDER BY day, opens) AS days
    FROM special_hours
    WHERE portal_id = %(portal)s AND day BETWEEN %(start)s::date - 3 AND %(end)s::date + 3 GROUP BY resource_id
) s ON s.resource_id = r.id
LEFT JOIN (
    SELECT resource_id, array_agg(id ORDER BY number) AS ids
    FROM unit WHERE portal_id = %(portal)s AND retired_at IS NULL GROUP BY resource_id HAVING count(*) > 1
) u ON u.resource_id = r.id
LEFT JOIN (
    SELECT composite_id, array_agg(part_id ORDER BY id) AS ids
    FROM part WHERE portal_id = %(portal)s GROUP BY composite_id
) p ON p.composite_id = r.id
WHERE r.portal_id = %(portal)s
  AND (r.archived_at IS NULL OR EXISTS (SELECT FROM part x WHERE x.portal_id = r.portal_id AND x.part_id = r.id))
ORDER BY r.sort, r.name, r.id
"""


def offered(tx: Session, portal_id: int, viewer: Viewer, around: Interval) -> Offered:
    """The resources with how they are open `around` what is shown: only they tell in which zone its day begins."""
    rows = select_rows(tx, _RESOURCES, portal=portal_id, start=around.start, end=around.end)
    every = {row[0]: BoardResource._make(row) for row in rows}
    rights = {one.id: viewer.strength(one) for one in every.values()}
    shown = [one for one in every.values() if rights[one.id] >= BUSY and not one.is_archived]
    return Offered(shown, every, rights)


# The hot query. Epoch integers instead of timestamps spare the driver most of its work; date_part, because EXTRACT
# computes in slow decimals. What few bookings have comes as one array, NULL for all others. The subquery in COALESCE
# runs only for the few that have neither title nor client.
# The bounds on the booking say nothing new, but let an index find it however long the history is. OFFSET 0 keeps the
# planner from multiplying their odds with those of the allocation's: beside a long history it expected four rows
# instead of two thousand, and compared each of them with every picture that was behind. IN is a hash in any case.
_LABEL = "coalesce(nullif(b.title, ''), c.name, (SELECT s.name FROM service s WHERE s.id = b.service_id))"
_IN_WINDOW = """(
    SELECT *, id IN (SELECT booking_id FROM external_ref
                     WHERE portal_id = %(portal)s AND dirty_since IS NOT NULL AND booking_id IS NOT NULL) AS behind
    FROM booking
    WHERE portal_id = %(portal)s AND lower(during) >= %(earliest)s AND lower(during) < %(end)s + %(buffer)s
      AND NOT (stage = 'prebooked' AND held_until <= %(now)s)
    OFFSET 0
) b ON b.id = a.booking_id"""
# Of a few resources the allocations are found by their units, and of bookings only theirs are looked at: the week of
# one took 28 ms with the window of all two hundred.
_ONE_BY_ONE = """LATERAL (
    SELECT *, EXISTS (SELECT FROM external_ref r
                      WHERE r.portal_id = %(portal)s AND r.dirty_since IS NOT NULL
                        AND r.booking_id = a.booking_id) AS behind
    FROM booking
    WHERE id = a.booking_id AND portal_id = %(portal)s AND NOT (stage = 'prebooked' AND held_until <= %(now)s)
) b ON true"""
_HELD = f"""
SELECT u.resource_id, a.unit_id,
       date_part('epoch', lower(a.during))::bigint AS start, date_part('epoch', upper(a.during))::bigint AS "end",
       b.stage, b.payment, b.number, {_LABEL} AS label,
       CASE WHEN a.during <> b.during OR a.resource_id <> u.resource_id OR b.stage = 'prebooked'
                 OR b.behind
            THEN ARRAY[a.resource_id, date_part('epoch', lower(b.during))::bigint,
                       date_part('epoch', upper(b.during))::bigint, date_part('epoch', b.held_until)::bigint,
                       b.behind::int] END AS more
FROM allocation a
JOIN unit u ON u.id = a.unit_id
JOIN {_IN_WINDOW}
LEFT JOIN client c ON c.id = b.client_id
WHERE a.portal_id = %(portal)s AND a.released_at IS NULL
  AND lower(a.during) >= %(earliest)s AND lower(a.during) < %(end)s AND upper(a.during) > %(start)s
  AND (%(some)s::bigint[] IS NULL OR u.resource_id = ANY(%(some)s))
ORDER BY 3, 2
"""
_HELD_BY_FEW = _HELD.replace(_IN_WINDOW, _ONE_BY_ONE).replace("%(some)s::bigint[] IS NULL OR ", "")
FEW = 8  # resources, with what they are made of
_REQUESTS = f"""
SELECT q.resource_id, 0, date_part('epoch', lower(b.during))::bigint, date_part('epoch', upper(b.during))::bigint,
       'request', b.payment, b.number, {_LABEL}, date_part('epoch', b.held_until)::bigint
FROM booking b
JOIN claim q ON q.portal_id = b.portal_id AND q.booking_id = b.id
LEFT JOIN client c ON c.id = b.client_id
WHERE b.portal_id = %(portal)s AND b.competes AND b.stage = 'prebooked'
  AND lower(b.during) >= %(earliest)s AND lower(b.during) < %(end)s AND upper(b.during) > %(start)s
  AND (b.held_until IS NULL OR b.held_until > %(now)s)
ORDER BY 3, b.number
"""


_BLOCK = partial(tuple.__new__, BoardBlock)  # its columns are a block's fields; `_make` takes three times as long


def standing(tx: Session, portal_id: int, of: Offered, look: Look) -> Standing:
    """What is held and asked for on the lanes that are shown, as far as it may be seen.

    A booking of a composite stands on its parts as well, and the other way round: one block per booking and lane.
    """
    values = {
        "portal": portal_id, "start": look.window.start, "end": look.window.end, "now": look.now,
        "earliest": look.window.start - look.longest,
    }  # fmt: skip
    some = None if len(of.shown) == len(of.every) else sorted(of.leaves)
    held = _HELD if some is None or len(some) > FEW else _HELD_BY_FEW
    rows = select_rows(tx, held, some=some, buffer=LONGEST_BUFFER, **values)
    lanes = Lanes(of)
    plain = lanes.plain
    for block in map(_BLOCK, rows):
        lane = plain.get(block[0])
        if block[8] is not None:
            lanes.add(block._replace(more=More(*block[8])))
        elif lane is None:
            lanes.add(block)
        else:
            lane.append(block)
    for row in select_rows(tx, _REQUESTS, **values):
        lanes.ask(BoardBlock(*row[:8]), row[8])
    return Standing(lanes.held, lanes.requests, lanes.until)


class BoardService(NamedTuple):
    """A service to choose, and the lanes that could serve it."""

    id: int
    name: str
    resource_ids: frozenset[int]


_SERVICES = """
SELECT s.id, s.name,
       (SELECT json_agg(json_build_array(q.kind, ARRAY(
            SELECT o.resource_id FROM requirement_option o WHERE o.requirement_id = q.id)))
        FROM requirement q WHERE q.service_id = s.id)
FROM service s
WHERE s.portal_id = %(portal)s AND s.resource_id IS NULL AND s.archived_at IS NULL
ORDER BY s.sort, s.name, s.id
"""


def servable(tx: Session, portal_id: int, of: Offered) -> list[BoardService]:
    """The services that something of what is shown can serve as a whole; bare resources are none of them."""
    by_kind: dict[str, set[int]] = {}
    for one in of.shown:
        by_kind.setdefault(one.kind, set()).add(one.id)
    shown, found = {one.id for one in of.shown}, []
    for service_id, name, needs in select_rows(tx, _SERVICES, portal=portal_id):
        able = [by_kind.get(kind, set()) if kind else shown.intersection(ids) for kind, ids in needs or ()]
        if able and all(able):
            found.append(BoardService(service_id, name, frozenset().union(*able)))
    return found
