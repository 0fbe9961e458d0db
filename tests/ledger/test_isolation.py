"""Every function of `queries` and `board`, called for portal B with the ids of portal A: finds and changes nothing."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from b24app.booking.clients import ClientData
from b24app.booking.payments import MoneyData, record_payment
from b24app.booking.reserve import BookingRequest
from b24app.booking.series import book_series, plan_series
from b24app.errors import NotFound
from b24app.ledger import board, catalog, queries
from b24app.ledger.board import Look
from b24app.ledger.models import Base, Booking, Portal, Resource, Service
from b24app.ledger.queries import BookingRow
from b24app.ledger.spread import Offered
from b24app.scheduling.policy import Quota
from b24app.scheduling.pricing import Tariff
from b24app.scheduling.recurrence import Recurrence
from tests.factories import ADMIN, hour, make_booking, make_portal, make_resource, make_service


@dataclass
class Foreign:
    """Portal B, and what is portal A's."""

    here: Portal
    resource: Resource
    service: Service
    booking: Booking
    row: BookingRow
    record_id: int
    batch: uuid.UUID
    now: datetime


NOTHING: tuple[Any, ...] = (None, 0, [], (), {}, set())


def board_of_theirs(tx: Session, b: Foreign) -> Offered:
    """What portal A's own board is made of."""
    return board.offered(tx, b.resource.portal_id, ADMIN, hour(b.now, -24, 96))


def standing(tx: Session, b: Foreign) -> Any:
    look = Look(hour(b.now, -24, 96), timedelta(days=14), b.now)
    assert board.standing(tx, b.resource.portal_id, board_of_theirs(tx, b), look).held[b.resource.id]
    found = board.standing(tx, b.here.id, board_of_theirs(tx, b), look)
    return [*found.held[b.resource.id], *found.requests[b.resource.id]]


def money_rows(money: queries.Money) -> tuple[object, ...]:
    return (*money.lines, *money.records)


CALLS: dict[str, Callable[[Session, Foreign], Any]] = {
    "grants": lambda tx, b: queries.grants(tx, b.here.id + 1_000_000, frozenset({"AU"})),
    "resources": lambda tx, b: queries.resources(tx, b.here.id, ADMIN),
    "resource": lambda tx, b: queries.resource(tx, b.here.id, ADMIN, b.resource.id),
    "spot": lambda tx, b: queries.spot(tx, b.here.id, ADMIN, b.resource.id),
    "hours": lambda tx, b: queries.hours(tx, b.here.id, [b.resource.id]),
    "booking": lambda tx, b: queries.booking(tx, b.here.id, ADMIN, b.booking.id),
    "booking_by_number": lambda tx, b: queries.booking_by_number(tx, b.here.id, ADMIN, b.booking.number),
    "bookings_of_deal": lambda tx, b: queries.bookings_of_deal(tx, b.here.id, ADMIN, 5),
    "bookings_of_client": lambda tx, b: queries.bookings_of_client(tx, b.here.id, ADMIN, "contact", 7),
    "visible_rows": lambda tx, b: queries.visible_rows(tx, b.here.id, ADMIN, Booking.id == b.booking.id),
    "booking_by_request": lambda tx, b: queries.booking_by_request(tx, b.here.id, "k-0"),
    "price_group_of": lambda tx, b: queries.price_group_of(tx, b.here.id, "contact", 7),
    "resources_of_bookings": lambda tx, b: queries.resources_of_bookings(tx, b.here.id, [b.booking.id]),
    "history": lambda tx, b: queries.history(tx, b.here.id, b.booking.id),
    "offered": lambda tx, b: board.offered(tx, b.here.id, ADMIN, hour(b.now, -24, 96)).shown,
    "standing": standing,
    "servable": lambda tx, b: board.servable(tx, b.here.id, board_of_theirs(tx, b)),
    "services": lambda tx, b: queries.services(tx, b.here.id),
    "client_of_crm": lambda tx, b: queries.client_of_crm(tx, b.here.id, "contact", 7),
    "kept_booking": lambda tx, b: queries.kept_booking(tx, b.here.id, b.booking.id),
    "kept_bookings": lambda tx, b: queries.kept_bookings(tx, b.here.id, [b.booking.id]),
    "booking_states": lambda tx, b: queries.booking_states(tx, b.here.id, [b.booking.id]),
    "on_resources": lambda tx, b: queries.on_resources(tx, b.here.id, [b.booking.id]),
    "money_by_request": lambda tx, b: queries.money_by_request(tx, b.here.id, "paid"),
    "booking_state": lambda tx, b: queries.booking_state(tx, b.here.id, b.booking.id),
    "series": lambda tx, b: queries.series(tx, b.here.id, b.booking.series_id or 0),
    "series_ids": lambda tx, b: queries.series_ids(tx, b.here.id, b.booking.series_id or 0),
    "bookings_of_series": lambda tx, b: queries.bookings_of_series(tx, b.here.id, ADMIN, b.booking.series_id or 0),
    "resource_ids_of": lambda tx, b: queries.resource_ids_of(tx, b.here.id, b.booking.id),
    "lock_bookings": lambda tx, b: queries.lock_bookings(tx, b.here.id, [b.booking.id]),
    "family": lambda tx, b: queries.family(tx, b.here.id, [b.resource.id]),
    "rival_ids": lambda tx, b: queries.rival_ids(tx, b.here.id, [b.resource.id], hour(b.now, -24, 96)),
    "rivals_of": lambda tx, b: queries.rivals_of(tx, b.here.id, ADMIN, b.row, b.now),
    "lost_beside": lambda tx, b: queries.lost_beside(tx, b.here.id, ADMIN, b.row, timedelta(days=1)),
    "last_change": lambda tx, b: queries.last_change(tx, b.here.id, b.booking.id),
    "changed_together": lambda tx, b: queries.changed_together(tx, b.here.id, b.booking.id, b.batch),
    "money": lambda tx, b: money_rows(queries.money(tx, b.here.id, b.booking.id)),
    "sums_of": lambda tx, b: queries.sums_of(tx, b.here.id, [b.booking.id]),
    "money_record": lambda tx, b: queries.money_record(tx, b.here.id, b.record_id),
    "used_of_quota": lambda tx, b: queries.used_of_quota(
        tx,
        b.here.id,
        Quota("person", "ahead", 1),
        b.booking.created_by,
        (b.now, None),
        b.booking.policy["name"],
        now=b.now,
    ),
    "units_of": lambda tx, b: queries.units_of(tx, b.here.id, b.resource.id),
    "unit_numbers": lambda tx, b: queries.unit_numbers(tx, b.here.id, b.booking.id),
    "offering_of_service": lambda tx, b: catalog.offering_of_service(tx, b.here.id, b.service.id),
    "offering_of_resource": lambda tx, b: catalog.offering_of_resource(tx, b.here.id, b.resource.id),
    "offerings": lambda tx, b: catalog.offerings(tx, b.here.id, [b.service.id], archived=True),
    "lock": lambda tx, b: catalog.lock(tx, b.here.id, [b.resource.id], ["room"]),
    "stock": lambda tx, b: catalog.stock(tx, b.here.id, [b.resource.id], ["room"], hour(b.now, -24, 96)).facts,
    "locked_stock": lambda tx, b: (
        catalog.locked_stock(tx, b.here.id, [b.resource.id], ["room"], hour(b.now, -24, 96)).facts
    ),
    "loads": lambda tx, b: catalog.loads(tx, b.here.id, [b.resource.id], hour(b.now, -24, 96)),
}
NOT_A_LOOK_UP = {"is_own", "parse_week"}


@pytest.fixture
def foreign(tx: Session, portal: Portal, now: datetime) -> Foreign:
    """A series of requests for one room of a pool, one of them paid in part, and another portal."""
    room = make_resource(tx, portal, now=now, units=3)
    service = make_service(tx, portal, (room, 1), rules={"winner": "manager"}, tariff=Tariff("Час", "hour", Decimal(9)))
    client = ClientData("contact", "Мария", crm_id=7)
    request = BookingRequest(hour(now, 1), service_id=service.id, client=client, deal_id=5, request_key="k")
    daily = Recurrence("daily", count=2)
    days = [one.day for one in plan_series(tx, portal, request, daily, viewer=ADMIN, now=now)]
    booking, _ = book_series(tx, portal, request, daily, days, viewer=ADMIN, now=now)
    paid = MoneyData("payment", Decimal(3), "cash", now.date(), request_key="paid")
    record_payment(tx, portal, booking.id, paid, viewer=ADMIN, now=now)
    bare = make_booking(tx, portal, room, now=now, request_key="bare")
    assert bare.number
    row = queries.booking(tx, portal.id, ADMIN, booking.id)
    change = queries.history(tx, portal.id, booking.id)[-1]
    assert change.batch is not None
    record = queries.money(tx, portal.id, booking.id).records[0].id
    return Foreign(make_portal(tx), room, service, booking, row, record, change.batch, now)


def everything(tx: Session) -> dict[str, list[Any]]:
    tx.flush()
    return {
        table.name: sorted(map(str, tx.execute(text(f'SELECT * FROM "{table.name}"')).all()))
        for table in Base.metadata.sorted_tables
    }


def test_every_query_is_called() -> None:
    public = {
        name
        for module in (queries, board, catalog)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
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
