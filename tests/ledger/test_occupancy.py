"""The database has the last word: real connections, real waiting."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from psycopg.errors import CheckViolation
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from b24app.errors import NotFound, SlotTaken
from b24app.ledger import catalog, occupancy
from b24app.ledger.models import Portal, Resource
from b24app.ledger.session import transaction
from b24app.scheduling.allocation import Seat
from b24app.scheduling.interval import Interval
from tests.factories import hour, make_booking, make_portal, make_resource

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def units_of(tx: Session, portal: Portal, room: Resource) -> tuple[int, ...]:
    return catalog.stock(tx, portal.id, [room.id], [], hour(EPOCH, 0)).units(room.id)


def test_touching_allocations_stand_beside_each_other(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    make_booking(tx, portal, room, now=now, interval=hour(now, 1))
    make_booking(tx, portal, room, now=now, interval=hour(now, 2))
    held = occupancy.held(tx, portal.id, units_of(tx, portal, room), hour(now, 0, 10))
    assert [seat.during for seat in held] == [hour(now, 1), hour(now, 2)]


def test_the_constraint_refuses_what_the_check_overlooked(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    first = make_booking(tx, portal, room, now=now)
    other = make_booking(tx, portal, room, now=now, interval=hour(now, 5))
    (unit,) = units_of(tx, portal, room)
    seat = Seat(room.id, unit, hour(now, 1.5))
    with pytest.raises(SlotTaken), tx.begin_nested():
        occupancy.occupy(tx, portal.id, other.id, [seat], seat.during)
    occupancy.release(tx, portal.id, [first.id], now)
    occupancy.occupy(tx, portal.id, other.id, [seat], seat.during)


@pytest.mark.parametrize("during", ["empty", "[2026-03-10,)", "(,2026-03-10)"])
def test_ranges_that_would_slip_through_are_refused(tx: Session, portal: Portal, now: datetime, during: str) -> None:
    booking = make_booking(tx, portal, make_resource(tx, portal, now=now), now=now)
    with pytest.raises(IntegrityError) as failure, tx.begin_nested():
        tx.execute(
            text("UPDATE allocation SET during = CAST(:during AS tstzrange) WHERE booking_id = :id"),
            {"during": during, "id": booking.id},
        )
    assert isinstance(failure.value.orig, CheckViolation)


def test_other_violations_are_not_taken_for_a_taken_slot(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    booking = make_booking(tx, portal, room, now=now)
    nothing = cast(Interval, SimpleNamespace(start=now, end=now))
    with pytest.raises(IntegrityError) as failure, tx.begin_nested():
        occupancy.occupy(
            tx, portal.id, booking.id, [Seat(room.id, units_of(tx, portal, room)[0], nothing)], hour(now, 7)
        )
    assert isinstance(failure.value.orig, CheckViolation)


def test_locking_another_portals_resource_finds_nothing(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, make_portal(tx), now=now)
    with pytest.raises(NotFound):
        occupancy.lock(tx, portal.id, [room.id])


def test_two_bookings_of_two_rooms_in_opposite_order_do_not_deadlock(engine: Engine, now: datetime) -> None:
    with transaction(engine) as tx:
        portal = make_portal(tx)
        rooms = [make_resource(tx, portal, now=now).id for _ in range(2)]
    together = threading.Barrier(2)
    failures: list[BaseException] = []

    def lock_in(order: list[int]) -> None:
        try:
            for _ in range(50):
                together.wait(10)
                with transaction(engine) as tx:
                    occupancy.lock(tx, portal.id, order)
        except BaseException as error:
            failures.append(error)
            together.abort()

    threads = [threading.Thread(target=lock_in, args=(order,)) for order in (rooms, rooms[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_migrations_from_empty_are_the_models(engine: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from b24app.ledger.models import Base

    def ours(_o: object, name: str | None, kind: str, *_: Any) -> bool:
        return not (kind == "table" and (name or "").startswith("procrastinate_"))

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        # Alembic does not compare exclusion constraints: this one is read from the catalogue.
        definition = connection.execute(
            text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'allocation_no_overlap'")
        ).scalar_one()
    assert definition == (
        "EXCLUDE USING gist (int8range(unit_id, unit_id, '[]'::text) WITH =, during WITH &&)"
        " WHERE ((released_at IS NULL))"
    )
