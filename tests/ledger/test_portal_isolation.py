"""What is asked and written about people's doings in one portal finds and changes nothing in another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from b24app.booking.clients import ClientData
from b24app.ledger import clients, decided, drafts, people, robot_calls
from b24app.ledger.drafts import Known
from b24app.ledger.models import Booking, ExternalRef, Portal
from b24app.ledger.people import Employee
from b24app.ledger.robot_calls import Called
from tests.factories import make_booking, make_portal, make_resource

Calls = Callable[[Session, int, Booking, ExternalRef, datetime], Any]
CALLS: dict[str, Calls] = {
    "of_bookings": lambda tx, b, of, ref, now: drafts.of_bookings(tx, b, [29], [of.id]),
    "of_resources": lambda tx, b, of, ref, now: drafts.of_resources(tx, b, [29], [1, 2, 3]),
    "resources_of_items": lambda tx, b, of, ref, now: drafts.resources_of_items(tx, b, [29]),
    "drop": lambda tx, b, of, ref, now: drafts.drop(tx, b, 5),
    "by_id": lambda tx, b, of, ref, now: clients.by_id(tx, b, of.client_id),
    "by_card": lambda tx, b, of, ref, now: clients.by_card(tx, b, "contact", [7]),
    "bookings_ahead": lambda tx, b, of, ref, now: clients.bookings_ahead(tx, b, of.client_id or 0, now),
    "bookings_of": lambda tx, b, of, ref, now: clients.bookings_of(tx, b, of.client_id or 0),
    "record_of": lambda tx, b, of, ref, now: sum(clients.record_of(tx, b, of.client_id or 0)) or None,
    "of_deal": lambda tx, b, of, ref, now: clients.of_deal(tx, b, 12),
    "repoint": lambda tx, b, of, ref, now: clients.repoint(tx, b, of.client_id or 0, "contact", 8) and None,
    "unlink": lambda tx, b, of, ref, now: clients.unlink(tx, b, of.client_id or 0),
    "rights": lambda tx, b, of, ref, now: people.rights(tx, b, 3),
    "known_since": lambda tx, b, of, ref, now: people.known_since(tx, b, [3], now),
    "left_behind": lambda tx, b, of, ref, now: people.left_behind(tx, b, now),
    "locked": lambda tx, b, of, ref, now: decided.locked(tx, b, ref.id),
    "adopt": lambda tx, b, of, ref, now: decided.adopt(tx, b, ref.id, {"stage": "paid"}, now),
    "put_back": lambda tx, b, of, ref, now: decided.put_back(tx, b, ref.id, {}, "print", now),
    "put_back_gone": lambda tx, b, of, ref, now: decided.put_back_gone(tx, b, ref.id, {}, "print", now),
    "forget": lambda tx, b, of, ref, now: decided.forget(tx, b, ref.id),
    "robot_due": lambda tx, b, of, ref, now: robot_calls.due(tx, b, now, limit=9),
    "booking_of_item": lambda tx, b, of, ref, now: robot_calls.booking_of_item(tx, b, 29),
    "resource_of_item": lambda tx, b, of, ref, now: robot_calls.resource_of_item(tx, b, 29),
    "cards_of": lambda tx, b, of, ref, now: robot_calls.cards_of(tx, b, [of.id]),
    "forgive": lambda tx, b, of, ref, now: decided.forgive(tx, b),
}


@pytest.mark.parametrize("name", CALLS)
def test_another_portals_ids_find_and_change_nothing(tx: Session, portal: Portal, now: datetime, name: str) -> None:
    there = make_portal(tx)
    client = ClientData("contact", "Вера", crm_id=7)
    booking = make_booking(tx, portal, make_resource(tx, portal, now=now), now=now, client=client, deal_id=12)
    ref = tx.scalars(select(ExternalRef).filter_by(booking_id=booking.id, kind="item")).one()
    ref.remote_id, ref.drawn = 29, {"stage": "confirmed"}
    people.keep(tx, portal.id, [Employee(3, "Анна", frozenset({"U3"}), dismissed=True)], now)
    drafts.keep(tx, portal.id, 5, drafts.COPY, "print", reasons={}, user_id=3, now=now)
    robot_calls.keep(tx, portal.id, Called("book", "token", "deal:12", {}, user_id=3, waits=True), now)
    tx.flush()

    assert CALLS[name](tx, there.id, booking, ref, now) in (None, [], {}, set(), Known())

    tx.expire_all()
    assert (ref.remote_id, ref.drawn, ref.parked_reason, ref.refused) == (29, {"stage": "confirmed"}, None, None)
    assert (booking.client_id, clients.by_card(tx, portal.id, "contact", [7])[7].kind) == (booking.client_id, "contact")
    assert people.left_behind(tx, portal.id, now)[0].number == booking.number
    assert list(drafts.of_bookings(tx, portal.id, [5], []).drafts) == [5]
    assert len(robot_calls.due(tx, portal.id, now, limit=9)) == 1
