"""What can be booked, as read for one decision: a service with its rules, and the resources that could serve it.

Written as text: these statements are part of every booking, and building them through the ORM took longer than
running them (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from b24app.errors import NotFound, Stale
from b24app.ledger import business
from b24app.ledger.queries import parse_week
from b24app.ledger.session import select_rows
from b24app.scheduling.allocation import Buffer, Preference
from b24app.scheduling.hours import Closure, OpeningHours
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy
from b24app.scheduling.pricing import Tariff

USUAL_STEP = 30


@dataclass(frozen=True, slots=True)
class Need:
    """So many of these resources, or of any of a kind."""

    kind: str | None
    options: tuple[int, ...]
    quantity: int


@dataclass(frozen=True, slots=True)
class Offering:
    """A service as it is offered now. `resource_id`: it is nothing but booking this one resource."""

    service_id: int
    name: str
    resource_id: int | None
    needs: tuple[Need, ...]
    policy: Policy
    tariff: Tariff | None
    buffer: Buffer
    preference: Preference

    @property
    def kinds(self) -> list[str]:
        return sorted({need.kind for need in self.needs if need.kind})

    @property
    def resource_ids(self) -> set[int]:
        """The resources it names; those of its kinds are not among them."""
        return {one for need in self.needs for one in need.options}


_OFFERING = """
SELECT s.id, s.name, s.resource_id, s.min_minutes, s.max_minutes,
       coalesce(s.step_minutes, (SELECT r.step_minutes FROM resource r WHERE r.id = s.resource_id)), s.horizon_days,
       s.buffer_before, s.buffer_after, s.preference, p.name, p.rules, t.body,
       (SELECT json_agg(json_build_array(q.kind, q.quantity,
               ARRAY(SELECT o.resource_id FROM requirement_option o WHERE o.requirement_id = q.id ORDER BY o.id))
               ORDER BY q.position) FROM requirement q WHERE q.service_id = s.id)
FROM service s
LEFT JOIN policy p ON p.portal_id = s.portal_id AND (p.id = s.policy_id OR s.policy_id IS NULL AND p.is_default)
LEFT JOIN tariff t ON t.portal_id = s.portal_id AND t.id = s.tariff_id
WHERE s.portal_id = %(portal)s AND
"""


def offering_of_service(tx: Session, portal_id: int, service_id: int, *, archived: bool = False) -> Offering:
    """The service; raises NotFound when there is none or, unless `archived` will do, it is no longer offered."""
    found = offerings(tx, portal_id, [service_id], archived=archived)
    if service_id not in found:
        raise NotFound("service")
    return found[service_id]


def offering_of_resource(tx: Session, portal_id: int, resource_id: int) -> Offering:
    """What booking this bare resource means; raises NotFound."""
    rows = select_rows(
        tx, _OFFERING + "s.resource_id = %(resource)s AND s.archived_at IS NULL", portal=portal_id, resource=resource_id
    )
    if not rows:
        raise NotFound("resource")
    return _offering(rows[0])


def offerings(
    tx: Session, portal_id: int, service_ids: Collection[int], *, archived: bool = False
) -> dict[int, Offering]:
    """Several services by their ids."""
    rows = select_rows(
        tx,
        _OFFERING + "s.id = ANY(%(services)s::bigint[]) AND (s.archived_at IS NULL OR %(archived)s)",
        portal=portal_id,
        services=list(service_ids),
        archived=archived,
    )
    return {row[0]: _offering(row) for row in rows}


def _offering(row: Any) -> Offering:
    (service_id, name, resource_id, shortest, longest, step, horizon, before, after, preference,
     rules_name, rules, tariff, requirements) = row  # fmt: skip
    durations = {
        "min_minutes": shortest,
        "max_minutes": longest,
        "step_minutes": step or USUAL_STEP,
        "horizon_days": horizon,
        "name": rules_name or "",
    }
    bare = [(None, 1, [resource_id])] if resource_id is not None else []
    return Offering(
        service_id=service_id,
        name=name,
        resource_id=resource_id,
        needs=tuple(Need(kind, tuple(options), quantity) for kind, quantity, options in requirements or bare),
        policy=Policy.from_dict((rules or {}) | durations),
        tariff=Tariff.from_dict(tariff) if tariff else None,
        buffer=Buffer(timedelta(minutes=before), timedelta(minutes=after)),
        preference=preference,
    )


@dataclass(frozen=True, slots=True)
class Fact:
    """A resource with everything that decides whether it is free, but for what is taken.

    `busy`: when the person that it is has other business, as his calendar said last.
    """

    id: int
    kind: str
    name: str
    city: str
    capacity: int
    time_zone: str
    buffer: Buffer
    portal_user_id: int | None
    calendar_mode: str
    calendar_owner: int | None
    calendar_section: int | None
    holidays: str
    is_composite: bool
    archived: bool
    units: tuple[int, ...]
    parts: tuple[int, ...]
    weekly: tuple[OpeningHours, ...]
    special: tuple[tuple[date, int | None, int | None], ...]
    closures: tuple[Closure, ...]
    busy: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class Stock:
    """Resources by id in the order of the board, those that others are made of included.

    `contested`: somewhere in the portal a request competes for the time that was looked at, or a day around it.
    """

    facts: Mapping[int, Fact]
    contested: bool = False

    def leaves(self, resource_id: int) -> list[Fact]:
        """The resources that own the units: itself, or the parts of a composite."""
        fact = self.facts[resource_id]
        if not fact.is_composite:
            return [fact]
        return list({leaf.id: leaf for part in fact.parts for leaf in self.leaves(part)}.values())

    def units(self, resource_id: int) -> tuple[int, ...]:
        """What it owns, or takes of its parts."""
        return tuple(unit for leaf in self.leaves(resource_id) for unit in leaf.units)

    @property
    def every_unit(self) -> list[int]:
        return sorted(unit for fact in self.facts.values() for unit in fact.units)

    def options(self, need: Need) -> list[Fact]:
        """The resources that may serve a need now, in the order of preference."""
        if need.kind is not None:
            found: Iterable[Fact] = (fact for fact in self.facts.values() if fact.kind == need.kind)
        else:
            found = (self.facts[one] for one in need.options if one in self.facts)
        return [fact for fact in found if not fact.archived]


# Every resource that is named or of a kind, and what composites among them are made of.
_TREE = """
WITH RECURSIVE tree AS (
    SELECT id FROM resource
    WHERE portal_id = %(portal)s
      AND (id = ANY(%(ids)s::bigint[]) OR kind = ANY(%(kinds)s::text[]) AND archived_at IS NULL)
    UNION
    SELECT p.part_id FROM tree JOIN part p ON p.composite_id = tree.id WHERE p.portal_id = %(portal)s
)
"""
_LOCK = _TREE + "SELECT r.id FROM resource r WHERE r.id IN (SELECT id FROM tree) ORDER BY r.id FOR NO KEY UPDATE"
_FACTS = (
    _TREE
    + """
SELECT r.id, r.kind, r.name, r.city, r.capacity, r.time_zone, r.buffer_before, r.buffer_after, r.portal_user_id,
       r.calendar_mode, r.holidays, r.is_composite, r.archived_at IS NOT NULL,
       ARRAY(SELECT u.id FROM unit u
             WHERE u.portal_id = r.portal_id AND u.resource_id = r.id AND u.retired_at IS NULL ORDER BY u.number),
       ARRAY(SELECT p.part_id FROM part p WHERE p.portal_id = r.portal_id AND p.composite_id = r.id ORDER BY p.id),
       (SELECT string_agg(concat_ws(':', h.weekday, h.opens, h.closes), ' ' ORDER BY h.weekday, h.opens)
        FROM opening_hours h WHERE h.portal_id = r.portal_id AND h.resource_id = r.id),
       (SELECT json_agg(json_build_array(h.day, h.opens, h.closes)) FROM special_hours h
        WHERE h.portal_id = r.portal_id AND h.resource_id = r.id
          AND h.day BETWEEN %(start)s::date - 2 AND %(end)s::date + 2),
       (SELECT json_agg(json_build_array(date_part('epoch', lower(c.during)), date_part('epoch', upper(c.during)),
                                         c.reason)) FROM closure c
        WHERE c.portal_id = r.portal_id AND (c.resource_id = r.id OR c.resource_id IS NULL)
          AND upper(c.during) > %(start)s AND lower(c.during) < %(end)s),
       r.calendar_owner, r.calendar_section,
       (SELECT json_agg(span) FROM busy_day d
        JOIN portal w ON w.id = d.portal_id AND coalesce((w.settings->>'obey_business')::boolean, true)
        CROSS JOIN jsonb_array_elements(d.spans->'spans') AS span
        WHERE d.portal_id = r.portal_id AND d.user_id = r.portal_user_id
          AND d.day BETWEEN %(start)s::date AND %(end)s::date),
       EXISTS (SELECT FROM booking k WHERE k.portal_id = %(portal)s AND k.competes
               AND lower(k.during) < %(end)s + interval '1 day' AND upper(k.during) > %(start)s - interval '1 day')
FROM resource r WHERE r.id IN (SELECT id FROM tree) ORDER BY r.sort, r.name, r.id
"""
)


def lock(tx: Session, portal_id: int, resource_ids: Collection[int], kinds: Collection[str] = ()) -> set[int]:
    """Locks these resources, and what they are made of, in id order until the transaction ends; returns their ids."""
    rows = select_rows(tx, _LOCK, portal=portal_id, ids=list(resource_ids), kinds=list(kinds))
    return {row[0] for row in rows}


def stock(
    tx: Session, portal_id: int, resource_ids: Collection[int], kinds: Collection[str], window: Interval
) -> Stock:
    """These resources with what they are made of, and how they are open around `window`."""
    rows = select_rows(
        tx, _FACTS, portal=portal_id, ids=list(resource_ids), kinds=list(kinds), start=window.start, end=window.end
    )
    return Stock({row[0]: _fact(row) for row in rows}, contested=any(row[-1] for row in rows[:1]))


def locked_stock(
    tx: Session, portal_id: int, resource_ids: Collection[int], kinds: Collection[str], window: Interval
) -> Stock:
    """The same, locked first and read afterwards, so that what a winner wrote is seen.

    Raises Stale when a composite was put together differently in between: rare, and nothing has happened yet.
    """
    held = lock(tx, portal_id, resource_ids, kinds)
    read = stock(tx, portal_id, resource_ids, kinds, window)
    if not set(read.facts) <= held:
        raise Stale(0)
    return read


def _fact(row: Any) -> Fact:
    return Fact(
        id=row[0],
        kind=row[1],
        name=row[2],
        city=row[3],
        capacity=row[4],
        time_zone=row[5],
        buffer=Buffer(timedelta(minutes=row[6]), timedelta(minutes=row[7])),
        portal_user_id=row[8],
        calendar_mode=row[9],
        calendar_owner=row[18],
        calendar_section=row[19],
        holidays=row[10],
        is_composite=row[11],
        archived=row[12],
        units=tuple(row[13]),
        parts=tuple(row[14]),
        weekly=parse_week(row[15]) if row[15] else (),
        special=tuple((date.fromisoformat(day), opens, closes) for day, opens, closes in row[16] or ()),
        closures=tuple(
            Closure(Interval(_instant(start), _instant(end)), reason) for start, end, reason in row[17] or ()
        ),
        busy=tuple(business.blocking(row[20])) if row[20] else (),
    )


def _instant(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


_LOADS = """
SELECT a.resource_id, sum(date_part('epoch', upper(a.during) - lower(a.during)) / 60)::bigint
FROM allocation a
WHERE a.portal_id = %(portal)s AND a.released_at IS NULL AND a.resource_id = ANY(%(ids)s::bigint[])
  AND lower(a.during) >= %(start)s AND lower(a.during) < %(end)s
GROUP BY a.resource_id
"""


def loads(tx: Session, portal_id: int, resource_ids: Collection[int], window: Interval) -> dict[int, int]:
    """How many minutes of each are taken in `window`; for whom the least used is to be chosen."""
    rows = select_rows(tx, _LOADS, portal=portal_id, ids=list(resource_ids), start=window.start, end=window.end)
    return {row[0]: row[1] for row in rows}
