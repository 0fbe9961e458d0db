"""What people's own calendars say of their time besides our bookings, as last read there: advice and not the ledger.

One row per person and day (UTC), cut at its midnights, so that each day is as old as its own last reading.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from b24app.ledger.session import run, select_rows
from b24app.scheduling.interval import Interval, merge

BLOCKING = frozenset({"busy", "absent"})
ONE_DAY = timedelta(days=1)
FORGOTTEN_AFTER = timedelta(days=1)  # advice of yesterday is none
Span = tuple[int, int, str]
"""From when to when in epoch seconds, and how: busy, absent or quest (perhaps)."""
OfDay = tuple[int, date]
"""A person and a day."""

# In a portal that does not ask calendars (`PortalSettings.obey_business`) nobody comes into question.
_PEOPLE = """
WITH RECURSIVE wanted AS (
    SELECT r.id FROM resource r
    WHERE r.portal_id = %(portal)s AND (r.id = ANY(%(resources)s::bigint[])
      OR r.archived_at IS NULL AND (%(everything)s OR EXISTS (
        SELECT FROM service s
        LEFT JOIN requirement q ON q.portal_id = s.portal_id AND q.service_id = s.id
        LEFT JOIN requirement_option o ON o.portal_id = s.portal_id AND o.requirement_id = q.id
        WHERE s.portal_id = r.portal_id AND s.id = ANY(%(services)s::bigint[])
          AND (s.resource_id = r.id OR q.kind = r.kind OR o.resource_id = r.id))))
    UNION
    SELECT p.part_id FROM wanted JOIN part p ON p.composite_id = wanted.id WHERE p.portal_id = %(portal)s
)
SELECT DISTINCT ON (r.portal_user_id) r.portal_user_id, r.time_zone
FROM wanted JOIN resource r ON r.id = wanted.id
JOIN portal w ON w.id = r.portal_id AND coalesce((w.settings->>'obey_business')::boolean, true)
WHERE r.portal_user_id IS NOT NULL
ORDER BY r.portal_user_id, r.id
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to book: these resources, or whatever these services need; `everything`: he has not said."""

    resource_ids: frozenset[int] = frozenset()
    service_ids: frozenset[int] = frozenset()
    everything: bool = False


def people(tx: Session, portal_id: int, wanted: Wanted) -> dict[int, ZoneInfo]:
    """Whose calendars have a say in it, by user id, with the clock by which their days are meant."""
    rows = select_rows(
        tx,
        _PEOPLE,
        portal=portal_id,
        resources=list(wanted.resource_ids),
        services=list(wanted.service_ids),
        everything=wanted.everything,
    )
    return {row[0]: ZoneInfo(row[1]) for row in rows}


def days_of(window: Interval) -> list[date]:
    """The days that a window touches."""
    first = window.start.astimezone(UTC).date()
    last = (window.end - timedelta(microseconds=1)).astimezone(UTC).date()
    return [first + n * ONE_DAY for n in range((last - first).days + 1)]


@dataclass(frozen=True, slots=True)
class Kept:
    """One day of one person as it was read."""

    spans: tuple[Span, ...]
    read_at: datetime


def kept(tx: Session, portal_id: int, user_ids: Collection[int], window: Interval) -> dict[OfDay, Kept]:
    """What is known of these people's days."""
    days = days_of(window)
    rows = select_rows(
        tx,
        "SELECT user_id, day, spans->'spans', read_at FROM busy_day"
        " WHERE portal_id = %(portal)s AND user_id = ANY(%(users)s::bigint[]) AND day BETWEEN %(first)s AND %(last)s",
        portal=portal_id,
        users=list(user_ids),
        first=days[0],
        last=days[-1],
    )
    return {(row[0], row[1]): Kept(tuple((a, b, kind) for a, b, kind in row[2] or ()), row[3]) for row in rows}


def busy(tx: Session, portal_id: int, user_ids: Collection[int], window: Interval) -> dict[int, list[Interval]]:
    """When these people cannot be booked within `window`, by user id."""
    found: dict[int, list[Span]] = defaultdict(list)
    for (user_id, _), day in kept(tx, portal_id, user_ids, window).items():
        found[user_id] += day.spans
    within = {user_id: [one.intersect(window) for one in blocking(spans)] for user_id, spans in found.items()}
    return {user_id: [one for one in cut if one] for user_id, cut in within.items()}


def blocking(spans: Iterable[tuple[int, int, str]]) -> list[Interval]:
    """The time that cannot be booked, in order; what was cut at midnight is whole again."""
    return merge(Interval(_instant(start), _instant(end)) for start, end, kind in spans if kind in BLOCKING)


def _instant(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


_KEEP = """
INSERT INTO busy_day (portal_id, user_id, day, spans, read_at)
SELECT %(portal)s, n.user_id, n.day, n.spans, %(now)s
FROM unnest(%(users)s::bigint[], %(days)s::date[], %(spans)s::jsonb[]) AS n (user_id, day, spans)
ORDER BY n.user_id, n.day
ON CONFLICT (portal_id, user_id, day) DO UPDATE SET spans = excluded.spans, read_at = excluded.read_at
WHERE busy_day.read_at <= excluded.read_at
"""


def keep(tx: Session, portal_id: int, read: Mapping[OfDay, Iterable[Span]], now: datetime) -> None:
    """Keeps these days as read `now`, and forgets what was read too long ago to be of any use."""
    rows = sorted((user_id, day, sorted(spans)) for (user_id, day), spans in read.items())
    values: dict[str, Any] = {
        "users": [row[0] for row in rows],
        "days": [row[1] for row in rows],
        "spans": [Jsonb({"spans": row[2]}) for row in rows],
    }
    run(tx, _KEEP, portal=portal_id, now=now, **values)
    run(
        tx,
        "DELETE FROM busy_day WHERE (portal_id, user_id, day) IN (SELECT portal_id, user_id, day FROM busy_day"
        " WHERE portal_id = %(portal)s AND read_at < %(before)s ORDER BY user_id, day FOR UPDATE SKIP LOCKED)",
        portal=portal_id,
        before=now - FORGOTTEN_AFTER,
    )


@dataclass(frozen=True, slots=True)
class Ours:
    """What of some people's calendars is ours: events and their copies by id, and by person the times of what is being
    drawn just now or stands in his calendar as a participant's copy that nobody has told us the id of yet."""

    ids: frozenset[int]
    times: frozenset[tuple[int, int, int]]


_OUR_IDS = """
SELECT remote_id FROM external_ref
WHERE portal_id = %(portal)s AND kind = 'event' AND remote_id = ANY(%(ids)s::bigint[])
UNION
SELECT unnest(copies) FROM external_ref WHERE portal_id = %(portal)s AND copies && %(ids)s::bigint[]
"""
_OUR_TIMES = """
SELECT p.id, date_part('epoch', lower(b.during))::bigint, date_part('epoch', upper(b.during))::bigint
FROM booking b JOIN unnest(b.participants) AS p (id) ON p.id = ANY(%(users)s::bigint[])
WHERE b.portal_id = %(portal)s AND b.participants <> '{}' AND NOT b.competes
  AND b.stage IN ('prebooked', 'confirmed', 'completed')
  AND lower(b.during) < %(end)s AND upper(b.during) > %(start)s
  AND lower(b.during) >= %(start)s - (SELECT make_interval(mins => longest_minutes) FROM portal WHERE id = %(portal)s)
UNION
SELECT substr(target, 6)::bigint, date_part('epoch', (intent->>'from')::timestamptz)::bigint,
       date_part('epoch', (intent->>'to')::timestamptz)::bigint
FROM external_ref
WHERE portal_id = %(portal)s AND kind = 'event' AND dirty_since IS NOT NULL AND remote_id IS NULL
  AND target = ANY(%(targets)s::text[]) AND intent ? 'from'
"""


def ours(tx: Session, portal_id: int, user_ids: Collection[int], event_ids: Collection[int], window: Interval) -> Ours:
    """Which of these events are pictures of our bookings."""
    ids = select_rows(tx, _OUR_IDS, portal=portal_id, ids=list(event_ids))
    times = select_rows(
        tx,
        _OUR_TIMES,
        portal=portal_id,
        users=list(user_ids),
        targets=[f"user:{one}" for one in user_ids],
        start=window.start,
        end=window.end,
    )
    return Ours(frozenset(row[0] for row in ids), frozenset((row[0], row[1], row[2]) for row in times))
