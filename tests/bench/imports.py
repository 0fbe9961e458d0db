"""Imported bookings by the thousand: a few through the use case, and copies of all their rows with set-based SQL.

So the shape is what `booking.reserve` writes: booking, allocation, history, refs in bulk, facts in bulk.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import Connection, text

from b24app.ledger.session import transaction
from b24app.scheduling.interval import Interval
from emulator.state import LOG_LENGTH
from tests import factories
from tests.bench.step import InStep, in_step, until, wake
from tests.prove.many import workers
from tests.sync.rig import Rig

ROOMS = 20
FIRST_DAY = 30  # far enough that nobody is reminded meanwhile
PATIENCE_S = 3600.0

# What is made of every imported booking: so many more, each an hour later than the one before.
MADE = text("""
CREATE TEMP TABLE made ON COMMIT DROP AS
SELECT b.id AS old, gen_random_uuid() AS id, k * interval '1 hour' AS later,
       p.next_number + row_number() OVER (ORDER BY k, b.number) AS number
FROM booking b JOIN portal p ON p.id = b.portal_id, generate_series(1, :more) AS k
WHERE b.portal_id = :portal AND b.source = 'import'
""")
COPY = """
INSERT INTO {table} SELECT copy.*
FROM made m JOIN {table} o ON o.{owner} = m.old, LATERAL jsonb_populate_record(o, jsonb_build_object({values})) AS copy
"""
NUMBERS = text("UPDATE portal SET next_number = (SELECT max(number) + 1 FROM booking) WHERE id = :portal")
WAITING = text("""
SELECT (SELECT count(*) FROM external_ref WHERE portal_id = :portal AND dirty_since IS NOT NULL)
     + (SELECT count(*) FROM sighting WHERE portal_id = :portal)
     + (SELECT count(*) FROM delivery WHERE portal_id = :portal AND outcome IS NULL AND useful_until IS NULL)
""")
DURING = {"during": "tstzrange(lower(o.during) + m.later, upper(o.during) + m.later)"}
SAID = {
    "key": "replace(o.key, replace(m.old::text, '-', ''), replace(m.id::text, '-', ''))",
    "due_at": "CASE WHEN o.useful_until IS NULL THEN o.due_at ELSE o.due_at + m.later END",
    "useful_until": "o.useful_until + m.later",
}
# What differs in the copy, by table.
WRITTEN = {"allocation": DURING, "history": {}, "external_ref": {}, "delivery": SAID}


def add(rig: Rig, count: int) -> None:
    """So many imported bookings, an hour each, on twenty rooms of the company's calendar; none of them is drawn yet."""
    now = rig.clock()
    first = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=FIRST_DAY)
    with transaction(rig.engine) as tx:
        portal = rig.ledger(tx)
        rooms = [factories.make_resource(tx, portal, now=now, horizon_days=400) for _ in range(ROOMS)]
    until(lambda: is_quiet(rig), "the rooms are not there", rig.drain)  # and the portal has told of them
    with transaction(rig.engine) as tx:
        portal, hour = rig.ledger(tx), Interval(first, first + timedelta(hours=1))
        for room in rooms:
            factories.make_booking(tx, portal, room, now=now, viewer=factories.ADMIN, interval=hour, source="import")
    with rig.engine.begin() as connection:
        _multiply(connection, rig.portal_id, count // ROOMS - 1)


def _multiply(connection: Connection, portal_id: int, more: int) -> None:
    connection.execute(MADE, {"portal": portal_id, "more": more})
    connection.exec_driver_sql(_copy("booking", "id", {"id": "m.id", "number": "m.number", **DURING}))
    for table, values in WRITTEN.items():
        next_id = f"nextval(pg_get_serial_sequence('{table}', 'id'))"
        connection.exec_driver_sql(_copy(table, "booking_id", {"id": next_id, "booking_id": "m.id", **values}))
    connection.execute(NUMBERS, {"portal": portal_id})


def _copy(table: str, owner: str, values: Mapping[str, str]) -> str:
    pairs = ", ".join(f"'{name}', {value}" for name, value in values.items())
    return COPY.format(table=table, owner=owner, values=pairs)


def shown(place: InStep) -> int:
    """How many events of bookings the portal has."""
    return len(place.rig.events())


def calls_per_booking(url: str, count: int) -> float:
    """Requests to the portal for each imported booking, until nothing is left to read, draw or say; no frame open.

    All that the worker sends counts: items, events, triggers, and reads, because the portal tells of our own items.
    """
    with in_step(url) as place:
        add(place.rig, count)
        calls = place.rig.far.calls
        calls.clear()
        with workers(place.env, 1):
            wake(place.rig)
            until(lambda: is_quiet(place.rig), "the portal never got all of it", patience=PATIENCE_S, look=1.0)
        assert shown(place) == count
        assert len(calls) < LOG_LENGTH, "the portal has forgotten some of them"
        return len(calls) / count


def is_quiet(rig: Rig) -> bool:
    """Whether nothing waits, be it for later."""
    with rig.engine.connect() as connection:
        return connection.execute(WAITING, {"portal": rig.portal_id}).scalar_one() == 0
