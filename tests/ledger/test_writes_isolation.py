"""Functions of `occupancy`, `writes` and `booked`, called for portal B with the ids of portal A: nothing changes."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from b24app.booking.clients import ClientData
from b24app.booking.reserve import BookingRequest
from b24app.booking.series import book_series
from b24app.errors import NotFound
from b24app.ledger import booked, occupancy, writes
from b24app.ledger.booked import Beside
from b24app.ledger.models import Allocation, Booking, Portal, Resource
from b24app.ledger.occupancy import HeldSeat
from b24app.scheduling.allocation import Seat
from b24app.scheduling.interval import Interval
from b24app.scheduling.pricing import QuoteLine, Tariff
from b24app.scheduling.recurrence import Recurrence
from tests.booking.rows import everything
from tests.factories import ADMIN, book_service, hour, make_booking, make_portal, make_resource, make_service


@dataclass
class Foreign:
    """Portal B with a booking of its own, and what is portal A's. `free` is a unit of portal A that nobody holds."""

    here: int
    booking: Booking
    over: Booking
    own: Booking
    resource: Resource
    held: HeldSeat
    own_seat: HeldSeat
    free: int
    now: datetime

    @property
    def later(self) -> Interval:
        return hour(self.now, 50)

    def seat(self, unit: int, resource: int) -> list[Seat]:
        return [Seat(resource, unit, self.later)]

    def as_booked(self, **changed: Any) -> dict[str, Any]:
        """A booking of portal B that names something of portal A."""
        names = ("stage", "payment", "source", "policy", "terms", "wish", "party", "created_by", "title", "notes")
        values = {name: getattr(self.own, name) for name in names}
        own = {"service_id": self.own.service_id, "client_id": None, "series_id": None}
        return {"id": uuid.uuid4(), "created_at": self.now, "updated_at": self.now, **values, **own, **changed}


def insert(tx: Session, b: Foreign, seats: Sequence[Seat] = (), **changed: Any) -> bool | None:
    booking = booked.unwritten(b.here, b.later, b.as_booked(**changed))
    return booked.insert(tx, booking, Beside(seats), b.now)


LINE = QuoteLine("fee", "move", Decimal(1), Decimal(5), Decimal(5))
Call = Callable[[Session, Foreign], Any]
PAID = {"kind": "payment", "amount": Decimal(5), "method": "cash", "recorded_by": "user:1"}
CALLS: dict[str, Call] = {
    "lock": lambda tx, b: occupancy.lock(tx, b.here, [b.resource.id]),
    "held": lambda tx, b: occupancy.held(tx, b.here, [b.held.unit_id], hour(b.now, -24, 96)),
    "over_on": lambda tx, b: occupancy.over_on(tx, b.here, [b.resource.id], hour(b.now, 30).start),
    "occupy": lambda tx, b: occupancy.occupy(tx, b.here, b.booking.id, b.seat(b.free, b.resource.id), b.later),
    "release": lambda tx, b: occupancy.release(tx, b.here, [b.booking.id], b.now),
    "reseat": lambda tx, b: occupancy.reseat(tx, b.here, [(b.held.allocation_id, b.free)], b.now),
    "shorten": lambda tx, b: occupancy.shorten(tx, b.here, b.booking.id, hour(b.now, 1.5).start),
    "insert": lambda tx, b: insert(tx, b, service_id=b.booking.service_id),
    "keep_claims": lambda tx, b: writes.keep_claims(tx, b.here, b.booking.id, [b.resource.id]),
    "add_lines": lambda tx, b: writes.add_lines(tx, b.here, b.booking.id, [LINE], b.now),
    "supersede_lines": lambda tx, b: writes.supersede_lines(tx, b.here, b.booking.id, b.now, ["time"]),
    "add_money": lambda tx, b: writes.add_money(
        tx, b.here, b.booking.id, {**PAID, "on_day": b.now.date(), "recorded_at": b.now}
    ),
}
# Own bookings that are given something of portal A's.
MIXED: dict[str, Call] = {
    "occupy its unit": lambda tx, b: occupancy.occupy(
        tx, b.here, b.own.id, b.seat(b.free, b.own_seat.resource_id), b.later
    ),
    "occupy as its resource": lambda tx, b: occupancy.occupy(
        tx, b.here, b.own.id, b.seat(b.own_seat.unit_id, b.resource.id), b.later
    ),
    "reseat onto its unit": lambda tx, b: occupancy.reseat(tx, b.here, [(b.own_seat.allocation_id, b.free)], b.now),
    "claim its resource": lambda tx, b: writes.keep_claims(tx, b.here, b.own.id, [b.resource.id]),
    "for its client": lambda tx, b: insert(tx, b, client_id=b.booking.client_id),
    "in its series": lambda tx, b: insert(tx, b, series_id=b.booking.series_id),
    "inserted on its unit": lambda tx, b: insert(tx, b, seats=b.seat(b.free, b.own_seat.resource_id)),
    "inserted as its resource": lambda tx, b: insert(tx, b, seats=b.seat(b.own_seat.unit_id, b.resource.id)),
}
CONCERNS_NOBODY_ELSE = {
    "as_range", "as_interval", "board_changed", "hold_quotas", "add_series", "keep_client", "occupying", "written",
    "taken_means", "unwritten",
}  # fmt: skip
NOTHING: tuple[Any, ...] = (None, [], set())


def seat_of(tx: Session, portal_id: int, booking: Booking) -> HeldSeat:
    units = tx.scalars(select(Allocation.unit_id).where(Allocation.booking_id == booking.id))
    return next(
        one
        for one in occupancy.held(tx, portal_id, units, hour(booking.created_at, -24, 2400))
        if one.booking_id == booking.id
    )


@pytest.fixture
def foreign(tx: Session, portal: Portal, now: datetime) -> Foreign:
    pool = make_resource(tx, portal, now=now, units=3, kind="equipment")
    tariff = Tariff("Час", "hour", Decimal(100))
    service = make_service(tx, portal, (pool, 1), rules={"hold_minutes": 60}, tariff=tariff)
    over = book_service(tx, portal, service, now=now, interval=hour(now, 3))
    request = BookingRequest(hour(now, 1), service_id=service.id, client=ClientData("contact", "Мария", crm_id=7))
    booking, _ = book_series(
        tx, portal, request, Recurrence("daily", count=2), [hour(now, 1 + 24 * n).start.date() for n in range(2)],
        viewer=ADMIN, now=now,
    )  # fmt: skip
    other = make_portal(tx)
    own = make_booking(tx, other, make_resource(tx, other, now=now), now=now)
    tx.flush()
    held = seat_of(tx, portal.id, booking)
    free = max(unit for unit in range(1, 4) if unit != held.unit_id)
    return Foreign(other.id, booking, over, own, pool, held, seat_of(tx, other.id, own), free, now)


def public(module: ModuleType) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }


def test_every_function_is_called() -> None:
    assert public(occupancy) | public(writes) | public(booked) == set(CALLS) | CONCERNS_NOBODY_ELSE


@pytest.mark.parametrize("name", [*CALLS, *MIXED])
def test_another_portals_ids_change_nothing(tx: Session, foreign: Foreign, name: str) -> None:
    before = everything(tx)
    found = None
    try:
        with tx.begin_nested():
            found = (CALLS | MIXED)[name](tx, foreign)
    except NotFound:
        pass
    assert found in NOTHING
    assert everything(tx) == before


def test_the_same_does_something_in_its_own_portal(tx: Session, portal: Portal, foreign: Foreign) -> None:
    """Otherwise the test above would prove nothing."""
    own = Foreign(
        portal.id, foreign.booking, foreign.over, foreign.booking, foreign.resource, foreign.held, foreign.held,
        foreign.free, foreign.now,
    )  # fmt: skip
    for call in (CALLS | MIXED).values():
        point = tx.begin_nested()
        before = everything(tx)
        found = call(tx, own)
        assert found not in NOTHING or everything(tx) != before
        point.rollback()
