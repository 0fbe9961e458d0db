"""Two million bookings of earlier years, so that one sees whether a long history makes anything slower."""

from __future__ import annotations

from sqlalchemy import Engine, text

from tests.bench.seed import Seeded

MANY = 1_960_000

# Without its index, which is built in one piece afterwards: a tenth of the time.
CONSTRAINT = (
    "ALTER TABLE allocation ADD CONSTRAINT allocation_no_overlap EXCLUDE USING gist "
    "(int8range(unit_id, unit_id, '[]') WITH =, during WITH &&) WHERE (released_at IS NULL)"
)
BOOKINGS = text("""
WITH place AS (
    SELECT u.id AS unit_id, u.resource_id, row_number() OVER (ORDER BY u.id) - 1 AS n, s.id AS service_id
    FROM unit u JOIN service s ON s.resource_id = u.resource_id WHERE u.portal_id = :portal
), slot AS (
    SELECT place.*, gen_random_uuid() AS booking_id, k,
           CAST(:first AS timestamptz) - make_interval(hours => k::int) AS starts
    FROM place, generate_series(1, :each) AS k
), made AS (
    INSERT INTO booking (id, portal_id, number, service_id, during, stage, title, source, created_by, created_at,
                         updated_at)
    SELECT booking_id, :portal, 10000000 + row_number() OVER (), service_id,
           tstzrange(starts, starts + interval '45 minutes'), 'completed', 'Встреча', 'manager', 'user:3', starts,
           starts
    FROM slot
)
INSERT INTO allocation (portal_id, booking_id, unit_id, resource_id, during)
SELECT :portal, booking_id, unit_id, resource_id, tstzrange(starts, starts + interval '45 minutes') FROM slot
""")


def add(engine: Engine, seeded: Seeded) -> None:
    """Fills the years before what `seed` has made, in the same portal."""
    each = -(-MANY // len(seeded.resource_ids))
    with engine.begin() as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("ALTER TABLE allocation DROP CONSTRAINT allocation_no_overlap")
        connection.execute(
            BOOKINGS, {"portal": seeded.portal_id, "each": each, "first": seeded.day.isoformat() + " 00:00+00"}
        )
        # What was seeded around the day shown stands from two weeks before it on.
        connection.execute(
            text(
                "DELETE FROM allocation a USING booking b WHERE b.id = a.booking_id AND b.number >= 10000000"
                " AND lower(a.during) > CAST(:day AS date) - 15"
            ),
            {"day": seeded.day},
        )
        connection.exec_driver_sql(CONSTRAINT)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.execute(text("VACUUM ANALYZE"))
        # Written out now: otherwise commits wait for the disk beside the checkpoint of all that was just made.
        connection.execute(text("CHECKPOINT"))
