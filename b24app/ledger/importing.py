"""Many resources at once: what `facilities` does for one, in one statement for all.

Saved one after another two thousand of them took half a minute; nearly all of it was on the way to the server and back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from b24app.errors import NotFound
from b24app.ledger.changes import batch_of
from b24app.ledger.facilities import known_resources
from b24app.ledger.session import run
from b24app.scheduling import hours as opening

IMPORT_LOCK = 8_024_007  # any constant: the first half of the advisory lock, the portal's id is the second

Stretches = tuple[tuple[int, int], ...]


def hold(tx: Session, portal_id: int) -> None:
    """Nobody else imports into this portal until the transaction ends: two would not see each other's names. Before
    everything else."""
    run(tx, "SELECT pg_advisory_xact_lock(%(class)s, %(portal)s::int)", **{"class": IMPORT_LOCK, "portal": portal_id})


_UNITS = """
INSERT INTO unit (portal_id, resource_id, number)
SELECT %(portal)s, r.id, n.number
FROM unnest(%(ids)s::bigint[], %(counts)s::int[]) AS r (id, count), generate_series(1, r.count) AS n (number)
"""


def add_units(tx: Session, portal_id: int, counts: Mapping[int, int]) -> None:
    """Offers so many units of resources that have none yet."""
    _check_own(tx, portal_id, counts)
    run(tx, _UNITS, portal=portal_id, ids=list(counts), counts=list(counts.values()))


_NO_HOURS = "DELETE FROM opening_hours WHERE portal_id = %(portal)s AND resource_id = ANY(%(ids)s::bigint[])"
_HOURS = """
INSERT INTO opening_hours (portal_id, resource_id, weekday, opens, closes)
SELECT %(portal)s, * FROM unnest(%(ids)s::bigint[], %(weekdays)s::int[], %(opens)s::int[], %(closes)s::int[])
"""


def replace_hours(tx: Session, portal_id: int, hours: Mapping[int, Sequence[opening.OpeningHours]]) -> None:
    """The weekly hours of these resources, as they are from now on."""
    _check_own(tx, portal_id, hours)
    run(tx, _NO_HOURS, portal=portal_id, ids=list(hours))
    flat = [(resource_id, one.weekday, one.opens, one.closes) for resource_id, week in hours.items() for one in week]
    ids, weekdays, opens, closes = _columns(flat, 4)
    run(tx, _HOURS, portal=portal_id, ids=ids, weekdays=weekdays, opens=opens, closes=closes)


_NO_SPECIAL = "DELETE FROM special_hours WHERE portal_id = %(portal)s AND resource_id = ANY(%(ids)s::bigint[])"
_SPECIAL = """
INSERT INTO special_hours (portal_id, resource_id, day, opens, closes)
SELECT %(portal)s, * FROM unnest(%(ids)s::bigint[], %(days)s::date[], %(opens)s::int[], %(closes)s::int[])
"""


def replace_special(tx: Session, portal_id: int, special: Mapping[int, Mapping[date, Stretches]]) -> None:
    """The special hours of these resources, as they are from now on."""
    _check_own(tx, portal_id, special)
    run(tx, _NO_SPECIAL, portal=portal_id, ids=list(special))
    flat = [
        (resource_id, day, opens, closes)
        for resource_id, days in special.items()
        for day, stretches in days.items()
        for opens, closes in (stretches or [(None, None)])
    ]
    ids, days, opens, closes = _columns(flat, 4)
    run(tx, _SPECIAL, portal=portal_id, ids=ids, days=days, opens=opens, closes=closes)


_SERVICES = """
INSERT INTO service (portal_id, resource_id, name, min_minutes, max_minutes, horizon_days, policy_id, tariff_id)
SELECT %(portal)s, s.* FROM jsonb_to_recordset(%(rows)s) AS s (
    resource_id bigint, name text, min_minutes int, max_minutes int, horizon_days int, policy_id bigint,
    tariff_id bigint
)
ON CONFLICT (portal_id, resource_id) WHERE resource_id IS NOT NULL DO UPDATE SET
    name = excluded.name, min_minutes = excluded.min_minutes, max_minutes = excluded.max_minutes,
    horizon_days = excluded.horizon_days, policy_id = excluded.policy_id, tariff_id = excluded.tariff_id,
    revision = service.revision + 1
"""


def save_services(tx: Session, portal_id: int, values: Mapping[int, Mapping[str, Any]]) -> None:
    """Adds or changes the services that book these resources alone."""
    _check_own(tx, portal_id, values)
    rows = [{"resource_id": resource_id, **of} for resource_id, of in sorted(values.items())]
    run(tx, _SERVICES, portal=portal_id, rows=Jsonb(rows))


_CHANGES = """
INSERT INTO setting_change (portal_id, at, actor, kind, subject_id, name, action, before, after, batch)
SELECT %(portal)s, %(now)s, %(actor)s, 'resource', c.id, c.name,
       CASE WHEN c.before IS NULL THEN 'added' ELSE 'changed' END, c.before, c.after, %(batch)s
FROM jsonb_to_recordset(%(rows)s) AS c (id bigint, name text, before jsonb, after jsonb)
"""


def record(tx: Session, portal_id: int, actor: str, rows: Iterable[tuple[int, str, Any, Any]], now: datetime) -> None:
    """Writes down what was made of resources: id, name, before (None: it was not there), after. One batch."""
    told = [dict(zip(("id", "name", "before", "after"), row, strict=True)) for row in rows]
    run(tx, _CHANGES, portal=portal_id, now=now, actor=actor, rows=Jsonb(told), batch=batch_of(tx))


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[place] for row in rows] for place in range(width)]


def _check_own(tx: Session, portal_id: int, resource_ids: Collection[int]) -> None:
    if known_resources(tx, portal_id, resource_ids) != set(resource_ids):
        raise NotFound("resource")
