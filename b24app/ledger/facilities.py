"""What an administrator sets about a resource: hours, units, parts, its own service, and when it is closed.

As in `queries`, one test calls every function with a second portal's ids and expects nothing back and nothing changed.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from b24app.errors import NotFound
from b24app.ledger.models import (
    Allocation,
    Closure,
    OpeningHours,
    Part,
    Portal,
    Resource,
    Service,
    SpecialHours,
    Tariff,
    Unit,
)
from b24app.ledger.session import run, select_rows
from b24app.scheduling import hours as opening
from b24app.scheduling import pricing
from b24app.scheduling.interval import Interval

LONGEST_LIST = 50


@dataclass(frozen=True, slots=True)
class Composition:
    """What every composite of a portal is made of, in its order."""

    parts: Mapping[int, tuple[int, ...]]

    def of(self, resource_id: int | None) -> tuple[int, ...]:
        """Its own parts, without theirs."""
        return self.parts.get(resource_id, ()) if resource_id is not None else ()

    def below(self, *resource_ids: int) -> set[int]:
        """Everything that these are made of, at any depth."""
        return _reached(self.parts, resource_ids)

    def above(self, resource_id: int) -> set[int]:
        """Everything that it is a part of, at any height."""
        made_of_it: dict[int, list[int]] = {}
        for composite_id, parts in self.parts.items():
            for part in parts:
                made_of_it.setdefault(part, []).append(composite_id)
        return _reached(made_of_it, [resource_id])


def _reached(ways: Mapping[int, Sequence[int]], start: Sequence[int]) -> set[int]:
    found: set[int] = set()
    waiting = list(start)
    while waiting:
        following = set(ways.get(waiting.pop(), ())) - found
        found |= following
        waiting += following
    return found


def composition(tx: Session, portal_id: int) -> Composition:
    """How the portal's resources are put together now."""
    rows = tx.execute(
        select(Part.composite_id, Part.part_id).where(Part.portal_id == portal_id).order_by(Part.composite_id, Part.id)
    ).all()
    grouped = itertools.groupby(rows, key=lambda row: row[0])
    return Composition({composite_id: tuple(row[1] for row in of_one) for composite_id, of_one in grouped})


def replace_parts(tx: Session, portal_id: int, composite_id: int, part_ids: Sequence[int]) -> None:
    """What a resource is made of from now on; nothing makes it a plain one."""
    _check_own(tx, portal_id, [composite_id, *part_ids])
    tx.execute(delete(Part).where(Part.portal_id == portal_id, Part.composite_id == composite_id))
    if part_ids:
        tx.execute(
            insert(Part),
            [{"portal_id": portal_id, "composite_id": composite_id, "part_id": part_id} for part_id in part_ids],
        )


def offered_above(tx: Session, portal_id: int, resource_id: int) -> bool:
    """Whether it is a part of a composite that is offered."""
    composites = (
        select(Part.id)
        .join(Resource, Resource.id == Part.composite_id)
        .where(Part.portal_id == portal_id, Part.part_id == resource_id, Resource.archived_at.is_(None))
    )
    return tx.scalar(composites.limit(1)) is not None


def known_resources(tx: Session, portal_id: int, resource_ids: Collection[int]) -> set[int]:
    """Those of the ids that are resources of the portal, archived or not."""
    return set(tx.scalars(select(Resource.id).where(Resource.portal_id == portal_id, Resource.id.in_(resource_ids))))


def _check_own(tx: Session, portal_id: int, resource_ids: Collection[int]) -> None:
    if known_resources(tx, portal_id, resource_ids) != set(resource_ids):
        raise NotFound("resource")


def units(tx: Session, portal_id: int, resource_ids: Collection[int] | None = None) -> dict[int, int]:
    """How many units each resource offers; a composite, which has none, is missing."""
    query = (
        select(Unit.resource_id, func.count(Unit.id))
        .where(Unit.portal_id == portal_id, Unit.retired_at.is_(None))
        .group_by(Unit.resource_id)
    )
    if resource_ids is not None:
        query = query.where(Unit.resource_id.in_(resource_ids))
    return dict(tx.execute(query).all())


def set_units(tx: Session, portal_id: int, resource_id: int, count: int, now: datetime) -> None:
    """Offers so many units: the highest numbers retire, and those that had retired come back before new ones do."""
    _check_own(tx, portal_id, [resource_id])
    of_resource = (Unit.portal_id == portal_id, Unit.resource_id == resource_id)
    tx.execute(update(Unit).where(*of_resource, Unit.number <= count).values(retired_at=None))
    tx.execute(update(Unit).where(*of_resource, Unit.number > count, Unit.retired_at.is_(None)).values(retired_at=now))
    if count:
        numbered = [{"portal_id": portal_id, "resource_id": resource_id, "number": n} for n in range(1, count + 1)]
        tx.execute(upsert(Unit).values(numbered).on_conflict_do_nothing())


def bookings_ahead(tx: Session, portal_id: int, resource_ids: Collection[int], now: datetime) -> int:
    """How many bookings that are not over hold a place that they took as one of these resources."""
    return _count_ahead(tx, portal_id, now, Allocation.resource_id.in_(resource_ids))


def booking_ids_ahead(tx: Session, portal_id: int, resource_ids: Collection[int], now: datetime) -> list[uuid.UUID]:
    """Which bookings these are, in the order in which they begin."""
    query = (
        select(Allocation.booking_id)
        .where(*_ahead(portal_id, now), Allocation.resource_id.in_(resource_ids))
        .join(Portal, Portal.id == Allocation.portal_id)
        .group_by(Allocation.booking_id)
        .order_by(func.min(func.lower(Allocation.during)), Allocation.booking_id)
    )
    return list(tx.scalars(query))


def bookings_ahead_on_units(tx: Session, portal_id: int, resource_id: int, above: int, now: datetime) -> int:
    """The same for the units of a resource whose number is above `above`, whatever they were booked as."""
    those = select(Unit.id).where(Unit.portal_id == portal_id, Unit.resource_id == resource_id, Unit.number > above)
    return _count_ahead(tx, portal_id, now, Allocation.unit_id.in_(those))


def _count_ahead(tx: Session, portal_id: int, now: datetime, which: ColumnElement[bool]) -> int:
    query = select(func.count(func.distinct(Allocation.booking_id))).join(Portal, Portal.id == Allocation.portal_id)
    return tx.scalar(query.where(*_ahead(portal_id, now), which)) or 0


def _ahead(portal_id: int, now: datetime) -> tuple[ColumnElement[bool], ...]:
    # What is not over began no longer ago than the portal's longest booking lasts: the index on the start answers.
    longest = func.make_interval(0, 0, 0, 0, 0, Portal.longest_minutes)
    return (
        Allocation.portal_id == portal_id,
        Allocation.released_at.is_(None),
        func.lower(Allocation.during) >= now - longest,
        func.upper(Allocation.during) > now,
    )


def replace_hours(tx: Session, portal_id: int, resource_id: int, hours: Sequence[opening.OpeningHours]) -> None:
    """The weekly hours of a resource, as they are from now on."""
    _check_own(tx, portal_id, [resource_id])
    tx.execute(delete(OpeningHours).where(OpeningHours.portal_id == portal_id, OpeningHours.resource_id == resource_id))
    tx.add_all(
        OpeningHours(portal_id=portal_id, resource_id=resource_id, weekday=h.weekday, opens=h.opens, closes=h.closes)
        for h in hours
    )


def special_hours(tx: Session, portal_id: int, resource_id: int) -> dict[date, tuple[opening.Stretch, ...]]:
    """What replaces the week of a resource, by date; a date without stretches is closed."""
    rows = tx.execute(
        select(SpecialHours.day, SpecialHours.opens, SpecialHours.closes)
        .where(SpecialHours.portal_id == portal_id, SpecialHours.resource_id == resource_id)
        .order_by(SpecialHours.day, SpecialHours.opens)
    ).all()
    return {
        day: tuple(
            opening.Stretch(opens, closes) for _, opens, closes in of_day if opens is not None and closes is not None
        )
        for day, of_day in itertools.groupby(rows, key=lambda row: row[0])
    }


def replace_special_hours(
    tx: Session, portal_id: int, resource_id: int, special: Mapping[date, Sequence[opening.Stretch]]
) -> None:
    """The special hours of a resource, as they are from now on."""
    _check_own(tx, portal_id, [resource_id])
    tx.execute(delete(SpecialHours).where(SpecialHours.portal_id == portal_id, SpecialHours.resource_id == resource_id))
    tx.add_all(
        SpecialHours(portal_id=portal_id, resource_id=resource_id, day=day, opens=opens, closes=closes)
        for day, opens, closes in _flat(special)
    )


def _flat(special: Mapping[date, Sequence[opening.Stretch]]) -> Iterator[tuple[date, int | None, int | None]]:
    for day, stretches in special.items():
        if not stretches:
            yield day, None, None
        for stretch in stretches:
            yield day, stretch.opens, stretch.closes


def bare_service(tx: Session, portal_id: int, resource_id: int) -> Service:
    """The service that is nothing but booking this resource; raises NotFound."""
    found = tx.scalar(select(Service).where(Service.portal_id == portal_id, Service.resource_id == resource_id))
    if found is None:
        raise NotFound("resource")
    return found


def save_bare_service(
    tx: Session,
    portal_id: int,
    resource_id: int,
    *,
    name: str,
    min_minutes: int,
    max_minutes: int,
    horizon_days: int,
    policy_id: int | None = None,
    tariff_id: int | None = None,
) -> None:
    """Adds or changes the service that books this resource alone. Step and buffers are the resource's own."""
    _check_own(tx, portal_id, [resource_id])
    values = {
        "name": name, "min_minutes": min_minutes, "max_minutes": max_minutes, "horizon_days": horizon_days,
        "policy_id": policy_id, "tariff_id": tariff_id,
    }  # fmt: skip
    tx.execute(
        upsert(Service)
        .values(portal_id=portal_id, resource_id=resource_id, **values)
        .on_conflict_do_update(
            index_elements=[Service.portal_id, Service.resource_id],
            index_where=Service.resource_id.is_not(None),
            set_=values | {"revision": Service.revision + 1},
        )
    )


def tariffs_of_resources(
    tx: Session, portal_id: int, resource_ids: Collection[int] | None = None
) -> dict[int, pricing.Tariff]:
    """What booking each resource alone costs; one that is free of charge is missing."""
    query = (
        select(Service.resource_id, Tariff.body)
        .join(Tariff, Tariff.id == Service.tariff_id)
        .where(Service.portal_id == portal_id, Service.resource_id.is_not(None))
    )
    if resource_ids is not None:
        query = query.where(Service.resource_id.in_(resource_ids))
    return {resource_id: pricing.Tariff.from_dict(body) for resource_id, body in tx.execute(query) if resource_id}


# Longer than any allocation can be: the longest service between the longest buffers, whether they meet or not.
_LONGEST = """
WITH service_s AS (
    SELECT max(max_minutes) AS minutes, max(buffer_before) AS before, max(buffer_after) AS after
    FROM service WHERE portal_id = %(portal)s
), resource_s AS (
    SELECT max(buffer_before) AS before, max(buffer_after) AS after FROM resource WHERE portal_id = %(portal)s
)
UPDATE portal p SET longest_minutes = l.minutes
FROM (SELECT s.minutes + greatest(s.before, r.before) + greatest(s.after, r.after) AS minutes
      FROM service_s s, resource_s r) l
WHERE p.id = %(portal)s AND p.longest_minutes < l.minutes
"""


def remember_longest(tx: Session, portal_id: int) -> None:
    """How far back an allocation that is shown now may have begun; to be said after a service or buffer was saved."""
    run(tx, _LONGEST, portal=portal_id)


def closures(tx: Session, portal_id: int, now: datetime) -> list[Closure]:
    """Those that are not over, in the order in which they begin."""
    ahead = select(Closure).where(Closure.portal_id == portal_id, func.upper(Closure.during) > now)
    return list(tx.scalars(ahead.order_by(func.lower(Closure.during), Closure.id)))


def past_closures(tx: Session, portal_id: int, now: datetime) -> list[Closure]:
    """The last fifty that are over, the latest first."""
    over = select(Closure).where(Closure.portal_id == portal_id, func.upper(Closure.during) <= now)
    return list(tx.scalars(over.order_by(func.upper(Closure.during).desc(), Closure.id).limit(LONGEST_LIST)))


def closure(tx: Session, portal_id: int, closure_id: int) -> Closure:
    """One closure, locked until the transaction ends; raises NotFound."""
    row = tx.scalar(
        select(Closure)
        .where(Closure.portal_id == portal_id, Closure.id == closure_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("closure")
    return row


def series_of_closures(tx: Session, portal_id: int, series: uuid.UUID) -> list[Closure]:
    """All times of a closure that comes again, the first in front, locked as the transaction lasts; raises NotFound."""
    rows = tx.scalars(
        select(Closure)
        .where(Closure.portal_id == portal_id, Closure.series == series)
        .order_by(Closure.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    if not rows:
        raise NotFound("closure")
    return list(rows)


# A booking of something that the closed resource is a part of stands there as well.
_STANDING = """
WITH RECURSIVE above AS (
    SELECT id AS closure_id, resource_id FROM closure
    WHERE portal_id = %(portal)s AND id = ANY(%(ids)s::bigint[]) AND resource_id IS NOT NULL
    UNION
    SELECT w.closure_id, p.composite_id FROM above w JOIN part p ON p.part_id = w.resource_id
    WHERE p.portal_id = %(portal)s
)
SELECT c.id, count(DISTINCT b.id)
FROM closure c
JOIN portal o ON o.id = c.portal_id
JOIN booking b ON b.portal_id = c.portal_id AND b.during && c.during AND upper(b.during) > %(now)s
    AND lower(b.during) < upper(c.during)
    AND lower(b.during) >= lower(c.during) - make_interval(mins => o.longest_minutes)
JOIN allocation a ON a.portal_id = c.portal_id AND a.booking_id = b.id AND a.released_at IS NULL
WHERE c.portal_id = %(portal)s AND c.id = ANY(%(ids)s::bigint[])
    AND (c.resource_id IS NULL
         OR EXISTS (SELECT FROM above w WHERE w.closure_id = c.id AND w.resource_id = a.resource_id))
GROUP BY c.id
"""


def bookings_in_closures(tx: Session, portal_id: int, closure_ids: Collection[int], now: datetime) -> dict[int, int]:
    """How many bookings that are not over hold a place in the time of each closure; one without any is missing."""
    rows = select_rows(tx, _STANDING, portal=portal_id, ids=list(closure_ids), now=now)
    return dict(rows)


_MEETING = """
WITH RECURSIVE above AS (
    SELECT %(resource)s::bigint AS resource_id
    UNION
    SELECT p.composite_id FROM above w JOIN part p ON p.part_id = w.resource_id WHERE p.portal_id = %(portal)s
)
SELECT DISTINCT b.id
FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS t(starts, ends)
JOIN portal o ON o.id = %(portal)s
JOIN booking b ON b.portal_id = o.id AND b.during && tstzrange(t.starts, t.ends) AND upper(b.during) > %(now)s
    AND lower(b.during) < t.ends AND lower(b.during) >= t.starts - make_interval(mins => o.longest_minutes)
JOIN allocation a ON a.portal_id = o.id AND a.booking_id = b.id AND a.released_at IS NULL
WHERE %(resource)s::bigint IS NULL OR a.resource_id IN (SELECT resource_id FROM above)
"""


def bookings_meeting(
    tx: Session, portal_id: int, resource_id: int | None, times: Sequence[Interval], now: datetime
) -> list[uuid.UUID]:
    """The bookings that are not over and hold a place at these times: of the resource, or without one of any."""
    starts, ends = [one.start for one in times], [one.end for one in times]
    found = select_rows(tx, _MEETING, portal=portal_id, resource=resource_id, starts=starts, ends=ends, now=now)
    return [row[0] for row in found]
