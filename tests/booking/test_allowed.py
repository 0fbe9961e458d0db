"""What buttons ask is what use cases answer: for everybody, at every moment of a booking's life."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.orm import Session

from b24app.booking.allowed import allowed, may_reopen, may_undo
from b24app.booking.attendance import check_in, complete_booking, mark_no_show, settle_due
from b24app.booking.change import (
    Move,
    cancel_booking,
    confirm_booking,
    decline_booking,
    move_booking,
    reopen_booking,
    undo_change,
)
from b24app.booking.payments import MoneyData, record_payment
from b24app.errors import Refused, SlotTaken
from b24app.ledger import queries
from b24app.ledger.access import GrantRule, Viewer
from b24app.ledger.models import Booking, Portal, Service
from tests.factories import ADMIN, EMPLOYEE, book_service, hour, make_resource, make_service


def person(user_id: int, *rights: str) -> Viewer:
    return Viewer(user_id, grants=tuple(GrantRule("everything", "AU", right) for right in rights))


PEOPLE = {
    "author": EMPLOYEE,
    "author who may only see": person(EMPLOYEE.user_id, "see"),
    "colleague": person(7, "book"),
    "approver": person(8, "approve"),
    "cashier": person(9, "manage"),
    "administrator": ADMIN,
}


class World:
    """One room, and a clock that goes on."""

    def __init__(self, tx: Session, portal: Portal, now: datetime) -> None:
        self.tx, self.portal, self.now = tx, portal, now
        self.room = make_resource(tx, portal, now=now)

    def service(self, **rules: Any) -> Service:
        return make_service(self.tx, self.portal, (self.room, 1), rules=rules)

    def book(self, start: float = 24, viewer: Viewer = EMPLOYEE, **rules: Any) -> Booking:
        interval = hour(self.now, start)
        return book_service(self.tx, self.portal, self.service(**rules), now=self.now, viewer=viewer, interval=interval)

    def after(self, hours: float, booking: Booking) -> Booking:
        self.now += timedelta(hours=hours)
        return booking

    def seen(self, booking: Booking) -> dict[str, Any]:
        return {"revision": booking.revision, "viewer": ADMIN, "now": self.now}


def dropped(world: World, after: float = 0) -> Booking:
    booking = world.book()
    cancel_booking(world.tx, world.portal, booking.id, **world.seen(booking))
    return world.after(after, booking)


def declined(world: World, after: float = 0) -> Booking:
    booking = world.book(winner="manager")
    decline_booking(world.tx, world.portal, booking.id, **world.seen(booking))
    return world.after(after, booking)


def completed(world: World) -> Booking:
    booking = world.after(24.5, world.book())
    return complete_booking(world.tx, world.portal, booking.id, **world.seen(booking))


def arrived(world: World) -> Booking:
    booking = world.book(1)
    return check_in(world.tx, world.portal, booking.id, **world.seen(booking))


def expired(world: World) -> Booking:
    booking = world.after(3, world.book(winner="first", hold_minutes=60))
    settle_due(world.tx, world.portal, booking.id, world.now)
    return booking


MOMENTS: dict[str, Callable[[World], Booking]] = {
    "held": lambda w: w.book(hold_minutes=60),
    "hold that is over": lambda w: w.after(2, w.book(hold_minutes=60)),
    "expired": expired,
    "waits for approval": lambda w: w.book(viewer=person(EMPLOYEE.user_id, "request")),
    "request for a manager": lambda w: w.book(winner="manager"),
    "request for a payment": lambda w: w.book(winner="payment"),
    "request that is over": lambda w: w.after(30, w.book(winner="manager", decide_minutes=60 * 20)),
    "confirmed": lambda w: w.book(),
    "too late to change": lambda w: w.book(cancel_until_minutes=2880, move_until_minutes=2880),
    "moved too often": lambda w: w.book(most_moves=0),
    "arrived": arrived,
    "running": lambda w: w.after(24.5, w.book()),
    "ended": lambda w: w.after(25, w.book()),
    "cancelled": dropped,
    "cancelled and long over": lambda w: dropped(w, 40),
    "declined": declined,
    "declined and begun": lambda w: declined(w, 30),
    "completed": completed,
}


@pytest.fixture
def world(tx: Session, portal: Portal, now: datetime) -> World:
    return World(tx, portal, now)


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_buttons_ask_is_what_use_cases_answer(world: World, moment: str, who: str) -> None:
    booking, viewer = MOMENTS[moment](world), PEOPLE[who]
    world.tx.flush()
    on = queries.resources_of_bookings(world.tx, world.portal.id, [booking.id])[booking.id]
    changes = queries.history(world.tx, world.portal.id, booking.id)
    may = allowed(viewer, booking, on, world.now)
    asked = {
        "confirm": may.confirm, "decline": may.decline, "cancel": may.cancel, "move": may.move,
        "check_in": may.check_in, "complete": may.complete, "no_show": may.no_show, "take_money": may.take_money,
        "reopen": may_reopen(viewer, booking, on, changes, world.now),
        "undo": may_undo(viewer, booking, on, changes, world.now),
    }  # fmt: skip
    answered = {name: works(world, booking, name, viewer) for name in asked}
    assert asked == answered


def works(world: World, booking: Booking, action: str, viewer: Viewer) -> bool:
    """Whether the use case accepts it and changes something; whatever it does is taken back."""
    before = booking.revision
    seen = {"revision": before, "viewer": viewer, "now": world.now}
    try:
        with world.tx.begin_nested() as savepoint:
            ACTIONS[action](world, booking, seen)
            changed = booking.revision != before
            savepoint.rollback()
    except SlotTaken:
        changed = True  # the rules allow it, and somebody is in the way
    except Refused:
        changed = False
    world.tx.refresh(booking)
    return changed


def paid(world: World, booking: Booking, seen: dict[str, Any]) -> Booking:
    data = MoneyData("payment", Decimal(100), "cash", world.now.date())
    return record_payment(world.tx, world.portal, booking.id, data, viewer=seen["viewer"], now=world.now)


def simple(use_case: Callable[..., Any], **more: Any) -> Callable[[World, Booking, dict[str, Any]], Any]:
    return lambda world, booking, seen: use_case(world.tx, world.portal, booking.id, **seen, **more)


def moved(world: World, booking: Booking, seen: dict[str, Any]) -> Booking:
    return move_booking(world.tx, world.portal, booking.id, Move(hour(world.now, 50)), **seen)


ACTIONS: dict[str, Callable[[World, Booking, dict[str, Any]], Any]] = {
    "confirm": simple(confirm_booking),
    "decline": simple(decline_booking),
    "cancel": simple(cancel_booking),
    "move": moved,
    "check_in": simple(check_in),
    "complete": simple(complete_booking),
    "no_show": simple(mark_no_show),
    "take_money": paid,
    "reopen": simple(reopen_booking),
    "undo": simple(undo_change),
}
