"""Migration 0003 on a ledger that is in use: what was booked before stands as it stood."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, create_engine, text

from b24app.errors import SlotTaken
from b24app.ledger import queries, schema
from b24app.ledger.models import Portal
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import sqlalchemy_url, transaction
from b24app.scheduling.policy import Policy
from tests import database
from tests.booking.test_kinds import seats
from tests.conftest import NOW
from tests.factories import ADMIN, hour, make_booking

BEFORE = """
INSERT INTO portal (id, member_id, domain, client_endpoint, server_endpoint)
    OVERRIDING SYSTEM VALUE VALUES (1, 'a', 'a.example', 'https://a.example/rest/', 'https://oauth.example/rest/'),
                                   (2, 'b', 'b.example', 'https://b.example/rest/', 'https://oauth.example/rest/');
INSERT INTO resource (id, portal_id, kind, name, time_zone, archived_at) OVERRIDING SYSTEM VALUE
    VALUES (11, 1, 'room', 'Переговорная', 'Europe/Moscow', NULL),
           (12, 1, 'room', 'Кладовая', 'Europe/Moscow', now()),
           (21, 2, 'specialist', 'Анна', 'Europe/Moscow', NULL);
INSERT INTO opening_hours (portal_id, resource_id, weekday, opens, closes) SELECT 1, 11, day, 0, 1440
    FROM generate_series(0, 6) AS day;
INSERT INTO unit (id, portal_id, resource_id) OVERRIDING SYSTEM VALUE VALUES (111, 1, 11), (112, 1, 12), (121, 2, 21);
INSERT INTO service (id, portal_id, name, max_minutes) OVERRIDING SYSTEM VALUE
    VALUES (51, 1, 'Переговорная', 240), (52, 1, 'Кладовая', 60), (53, 2, 'Анна', 60);
INSERT INTO requirement (portal_id, service_id, resource_id) VALUES (1, 51, 11), (1, 52, 12), (2, 53, 21);
INSERT INTO booking
    (id, portal_id, number, service_id, during, stage, source, policy, created_by, created_at, updated_at)
    VALUES ('00000000-0000-0000-0000-000000000001', 1, 1000, 51, '[2026-03-10 07:00+0,2026-03-10 08:00+0)', 'confirmed',
            'manager', '{"min_minutes": 30, "max_minutes": 240, "step_minutes": 30, "horizon_days": 365}', 'user:3',
            '2026-03-09 06:00+0', '2026-03-09 06:00+0'),
           ('00000000-0000-0000-0000-000000000002', 1, 1001, 52, '[2026-03-10 07:00+0,2026-03-10 08:00+0)', 'cancelled',
            'manager', '{}', 'user:3', '2026-03-09 06:00+0', '2026-03-09 06:00+0'),
           ('00000000-0000-0000-0000-000000000003', 2, 1000, 53, '[2026-03-10 07:00+0,2026-03-10 08:00+0)', 'confirmed',
            'manager', '{}', 'user:3', '2026-03-09 06:00+0', '2026-03-09 06:00+0');
INSERT INTO allocation (portal_id, booking_id, unit_id, during, released_at)
    SELECT portal_id, id, CASE number WHEN 1001 THEN 112 ELSE 101 + 10 * portal_id END, during,
           CASE stage WHEN 'cancelled' THEN updated_at END FROM booking;
INSERT INTO history (portal_id, booking_id, number, at, actor, action)
    SELECT portal_id, id, 1, created_at, created_by, 'booked' FROM booking;
SELECT setval('service_id_seq', 100), setval('unit_id_seq', 200), setval('resource_id_seq', 100);
UPDATE portal SET next_number = 1002;
"""


@pytest.fixture
def upgraded(database_server: str) -> Iterator[Engine]:
    """A database of 0002 with bookings in it, brought to the newest schema."""
    name = database.clone(database_server, "template0")
    try:
        command.upgrade(schema._config(name), "0002")
        engine = create_engine(sqlalchemy_url(name), connect_args={"options": "-c timezone=UTC"})
        with engine.begin() as connection:
            connection.exec_driver_sql(BEFORE)
        schema.upgrade(name)
        yield engine
        engine.dispose()
    finally:
        database.drop(name)


def rows(connection: Connection, query: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(text(query))]


def test_services_and_allocations_know_their_resource(upgraded: Engine) -> None:
    with upgraded.connect() as connection:
        assert rows(connection, "SELECT id, resource_id FROM service ORDER BY id") == [(51, 11), (52, 12), (53, 21)]
        assert rows(connection, "SELECT unit_id, resource_id FROM allocation ORDER BY unit_id") == [
            (111, 11), (112, 12), (121, 21),
        ]  # fmt: skip
        assert rows(connection, "SELECT count(*) FROM requirement") == [(0,)]
        assert schema.is_current(connection)


def test_what_was_booked_before_can_be_read_and_is_in_the_way(upgraded: Engine) -> None:
    with transaction(upgraded) as tx:
        portal = tx.get_one(Portal, 1)
        row = queries.booking_by_number(tx, 1, ADMIN, 1000)
        assert [one.id for one in row.resources] == [11]
        assert (as_interval(row.booking.during), row.booking.competes, row.booking.party) == (hour(NOW, 1), False, 1)
        assert Policy.from_dict(row.booking.policy).winner == "first"
        with pytest.raises(SlotTaken):
            make_booking(tx, portal, row.resources[0], now=NOW)
    with transaction(upgraded) as tx:
        portal = tx.get_one(Portal, 1)
        made = make_booking(tx, portal, row.resources[0], now=NOW, interval=hour(NOW, 2))
        assert (made.number, seats(tx, made)) == (1002, [(111, 11, hour(NOW, 2))])
