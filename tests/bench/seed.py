"""The data of the bench: 200 resources, 39,000 bookings in four weeks, 2,000 of them on the day shown.

Written with set-based SQL, because forty thousand use cases would take minutes; the shape is what `booking.reserve`
writes (booking, allocation, history, refs in step), and the tests of the use cases hold that shape.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from b24app.ledger.models import Portal
from b24app.ledger.session import transaction
from b24app.scheduling.hours import local_instant
from b24app.scheduling.policy import Policy
from tests.factories import ALWAYS, installation_of, make_portal, make_resource

ZONE = "Europe/Moscow"
RESOURCES = 200
PER_RESOURCE_ON_THE_DAY = 10
AROUND = (*range(-13, 0), *range(1, 15))
OTHERS = 37_000
POLICY = json.dumps(Policy(15, 480, 15, 365).as_dict())
KINDS = ("room", "hall", "equipment", "specialist", "vehicle")

BOOKINGS = text("""
WITH place AS (
    SELECT u.id AS unit_id, u.resource_id, row_number() OVER (ORDER BY u.id) - 1 AS n, s.id AS service_id
    FROM unit u JOIN service s ON s.resource_id = u.resource_id
    WHERE u.portal_id = :portal
), slot AS (
    SELECT place.*, k, gen_random_uuid() AS booking_id,
           CAST(:midnight AS timestamptz) + make_interval(mins => (480 + k * :every + (n % 3) * 15)::int) AS starts
    FROM place, generate_series(0, :per - 1) AS k WHERE n * :per + k < :most
), made AS (
    INSERT INTO booking (id, portal_id, number, service_id, during, stage, title, client_id, source, policy, created_by,
                         created_at, updated_at)
    SELECT booking_id, :portal, :first + row_number() OVER (), service_id,
           tstzrange(starts, starts + make_interval(mins => :minutes)), 'confirmed',
           CASE WHEN k % 3 = 0 THEN 'Планирование ' || n ELSE '' END,
           CASE WHEN k % 3 = 0 THEN NULL ELSE (SELECT min(id) FROM client WHERE portal_id = :portal) + (n + k) % 50 END,
           'manager', CAST(:policy AS jsonb), 'user:3', :now, :now
    FROM slot
)
INSERT INTO allocation (portal_id, booking_id, unit_id, resource_id, during)
SELECT :portal, booking_id, unit_id, resource_id, tstzrange(starts, starts + make_interval(mins => :minutes)) FROM slot
""")

REFS = text("""
INSERT INTO external_ref (portal_id, booking_id, kind, target, remote_id, written_revision)
SELECT :portal, b.id, k.kind, k.target, row_number() OVER (), 1
FROM booking b, (VALUES ('item', ''), ('event', 'company')) AS k (kind, target) WHERE b.portal_id = :portal
""")


@dataclass(frozen=True)
class Seeded:
    """What the measurements need to know."""

    portal_id: int
    installation_id: int
    member_id: str
    day: date
    resource_ids: list[int]


def seed(engine: Engine, now: datetime) -> Seeded:
    """Fills an empty database; the day shown is the one after `now`."""
    day = (now.astimezone(ZoneInfo(ZONE)) + timedelta(days=1)).date()
    with transaction(engine) as tx:
        portal = make_portal(tx)
        ids = [
            make_resource(
                tx, portal, now=now, kind=KINDS[n * len(KINDS) // RESOURCES], name=f"Переговорная {n + 1}",
                capacity=4 + n % 20, step_minutes=15, min_minutes=15, hours=ALWAYS, calendar_mode="none",
            ).id
            for n in range(RESOURCES)
        ]  # fmt: skip
        tx.execute(text("DELETE FROM external_ref"))
        tx.execute(text("DELETE FROM procrastinate_jobs"))
        tx.execute(
            text(
                "INSERT INTO client (portal_id, kind, crm_id, name) "
                "SELECT :portal, 'contact', n, 'Клиент Фамилия ' || n FROM generate_series(1, 50) AS n"
            ),
            {"portal": portal.id},
        )
        _bookings(tx, portal, day, now)
        tx.execute(REFS, {"portal": portal.id})
        installation = installation_of(tx, portal)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return Seeded(portal.id, installation, portal.member_id, day, ids)


def _bookings(tx: Session, portal: Portal, shown: date, now: datetime) -> None:
    """Two thousand on the day shown, the others spread evenly over two weeks before and after it."""
    each = -(-OTHERS // (len(AROUND) * RESOURCES))
    left, first = OTHERS, 1000
    for offset in (0, *AROUND):
        per = each if offset else PER_RESOURCE_ON_THE_DAY
        most = min(left, RESOURCES * per) if offset else RESOURCES * per
        left -= most if offset else 0
        values = {
            "portal": portal.id, "midnight": local_instant(shown + timedelta(days=offset), 0, ZoneInfo(ZONE)),
            "per": per, "every": 780 // per // 15 * 15, "most": most, "first": first, "minutes": 45, "now": now,
            "policy": POLICY,
        }  # fmt: skip
        tx.execute(BOOKINGS, values)
        first += most
    tx.execute(text("UPDATE portal SET next_number = :n WHERE id = :id"), {"n": first + 1, "id": portal.id})
