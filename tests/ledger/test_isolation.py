"""Every function of `queries.py`, called for portal B with the ids of portal A, finds nothing and changes nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from b24app.booking.clients import ClientData
from b24app.errors import NotFound
from b24app.ledger import queries
from b24app.ledger.models import Base, Booking, Portal, Resource, Service
from tests.factories import ADMIN, hour, make_booking, make_portal, make_resource


@dataclass
class Foreign:
    """Portal B, and what is portal A's."""

    here: Portal
    resource: Resource
    service: Service
    booking: Booking
    now: datetime


NOTHING: tuple[Any, ...] = (None, 0, [], (), {}, set())


def board(tx: Session, b: Foreign) -> Any:
    window = hour(b.now, -24, 96)
    return queries.board_blocks(tx, b.here.id, ADMIN, [b.resource], window, timedelta(days=14))[b.resource.id]


CALLS: dict[str, Callable[[Session, Foreign], Any]] = {
    "grants": lambda tx, b: queries.grants(tx, b.here.id + 1_000_000, frozenset({"AU"})),
    "resources": lambda tx, b: queries.resources(tx, b.here.id, ADMIN),
    "resource": lambda tx, b: queries.resource(tx, b.here.id, ADMIN, b.resource.id),
    "hours": lambda tx, b: queries.hours(tx, b.here.id, [b.resource.id]),
    "offer": lambda tx, b: queries.offer(tx, b.here.id, b.resource),
    "board_blocks": board,
    "bookings_behind": lambda tx, b: queries.bookings_behind(tx, b.here.id),
    "booking": lambda tx, b: queries.booking(tx, b.here.id, ADMIN, b.booking.id),
    "booking_by_number": lambda tx, b: queries.booking_by_number(tx, b.here.id, ADMIN, b.booking.number),
    "service_of": lambda tx, b: queries.service_of(tx, b.here.id, b.resource.id),
    "bookings_of_deal": lambda tx, b: queries.bookings_of_deal(tx, b.here.id, ADMIN, 5),
    "bookings_of_client": lambda tx, b: queries.bookings_of_client(tx, b.here.id, ADMIN, "contact", 7),
    "booking_by_request": lambda tx, b: queries.booking_by_request(tx, b.here.id, "k"),
    "lock_booking": lambda tx, b: queries.lock_booking(tx, b.here.id, b.booking.id),
    "resources_of_bookings": lambda tx, b: queries.resources_of_bookings(tx, b.here.id, [b.booking.id]),
    "history": lambda tx, b: queries.history(tx, b.here.id, b.booking.id),
    "future_bookings_on": lambda tx, b: queries.future_bookings_on(tx, b.here.id, b.resource.id, b.now),
}
NOT_A_LOOK_UP = {"is_own"}


@pytest.fixture
def foreign(tx: Session, portal: Portal, now: datetime) -> Foreign:
    room = make_resource(tx, portal, now=now)
    client = ClientData("contact", "Мария", crm_id=7)
    booking = make_booking(tx, portal, room, now=now, deal_id=5, client=client, request_key="k")
    service = tx.scalars(select(Service).where(Service.portal_id == portal.id)).one()
    return Foreign(make_portal(tx), room, service, booking, now)


def everything(tx: Session) -> dict[str, list[Any]]:
    tx.flush()
    return {
        table.name: sorted(map(str, tx.execute(text(f'SELECT * FROM "{table.name}"')).all()))
        for table in Base.metadata.sorted_tables
    }


def test_every_query_is_called() -> None:
    public = {
        name
        for name, value in vars(queries).items()
        if inspect.isfunction(value) and value.__module__ == queries.__name__ and not name.startswith("_")
    }
    assert public - NOT_A_LOOK_UP == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_another_portals_ids_find_nothing(tx: Session, foreign: Foreign, name: str) -> None:
    before = everything(tx)
    try:
        found = CALLS[name](tx, foreign)
    except NotFound:
        found = None
    assert found in NOTHING
    assert everything(tx) == before
