"""docs/behaviour.md, "Stages and winners": every row of its table in every column, through the real database."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

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
from b24app.booking.payments import MoneyData, record_payment, void_payment
from b24app.errors import NotAllowed, PolicyViolation, SlotTaken
from b24app.ledger import queries
from b24app.ledger.access import GrantRule, Viewer
from b24app.ledger.models import Allocation, Booking, Claim, ExternalRef, Portal, Resource, Service
from b24app.scheduling.pricing import Tariff
from tests.factories import ADMIN, EMPLOYEE, book_service, hour, make_resource, make_service

PRICE = Decimal(1000)
HOLD, DECIDE = 120, 180
UseCase = Callable[..., Any]
COLUMNS = ("first", "payment", "manager")
RULES: dict[str, dict[str, Any]] = {
    "first": {"winner": "first", "hold_minutes": HOLD},
    "payment": {"winner": "payment", "decide_minutes": DECIDE},
    "manager": {"winner": "manager", "decide_minutes": DECIDE},
}


@dataclass
class World:
    """One room, and a service on it under one winner rule."""

    tx: Session
    portal: Portal
    room: Resource
    service: Service
    now: datetime

    def book(self, start: float = 24, *, viewer: Viewer = EMPLOYEE, **more: Any) -> Booking:
        return book_service(
            self.tx, self.portal, self.service, now=self.now, viewer=viewer, interval=hour(self.now, start), **more
        )

    def pay(self, booking: Booking, amount: Decimal = PRICE, *, at: datetime | None = None) -> Booking:
        data = MoneyData("payment", amount, "cash", self.now.date())
        record_payment(self.tx, self.portal, booking.id, data, viewer=ADMIN, now=at or self.now)
        return self.read(booking)

    def act(
        self, use_case: Callable[..., Any], booking: Booking, *, at: datetime | None = None, **more: Any
    ) -> Booking:
        use_case(
            self.tx, self.portal, booking.id, revision=self.read(booking).revision, viewer=more.pop("viewer", ADMIN),
            now=at or self.now, **more,
        )  # fmt: skip
        return self.read(booking)

    def read(self, booking: Booking) -> Booking:
        self.tx.flush()
        return queries.booking_state(self.tx, self.portal.id, booking.id)

    def holds(self, booking: Booking) -> bool:
        living = select(Allocation.id).where(Allocation.booking_id == booking.id, Allocation.released_at.is_(None))
        return self.tx.scalar(living) is not None

    def claims(self, booking: Booking) -> int:
        return len(self.tx.scalars(select(Claim.id).where(Claim.booking_id == booking.id)).all())

    def events(self, booking: Booking) -> int:
        query = select(ExternalRef.id).where(ExternalRef.booking_id == booking.id, ExternalRef.kind == "event")
        return len(self.tx.scalars(query).all())

    def after(self, minutes: int) -> datetime:
        return self.now + timedelta(minutes=minutes)


Make = Callable[..., World]


def moved_to(move: Move, tx: Session, portal: Portal, booking_id: uuid.UUID, **more: Any) -> Booking:
    return move_booking(tx, portal, booking_id, move, **more)


@pytest.fixture
def world(tx: Session, portal: Portal, now: datetime) -> Make:
    def make(winner: str, *, price: Decimal | None = PRICE, deposit: int = 100, units: int = 1, **rules: Any) -> World:
        room = make_resource(tx, portal, now=now, units=units)
        tariff = Tariff("Час", "hour", price, deposit_percent=deposit) if price else None
        service = make_service(tx, portal, (room, 1), rules=RULES[winner] | rules, tariff=tariff)
        return World(tx, portal, room, service, now)

    return make


# Row: request on free time


def test_first_holds_until_its_term(world: Make) -> None:
    here = world("first")
    booking = here.book()
    assert (booking.stage, booking.competes, booking.held_until) == ("prebooked", False, here.after(HOLD))
    assert here.holds(booking)
    assert (here.claims(booking), here.events(booking)) == (0, 1)


def test_first_is_confirmed_at_once_where_the_rules_say_so(world: Make) -> None:
    booking = world("first", hold_minutes=0).book()
    assert (booking.stage, booking.held_until, booking.payment) == ("confirmed", None, "due")


@pytest.mark.parametrize("winner", ["payment", "manager"])
def test_requests_compete_side_by_side_and_hold_nothing(world: Make, winner: str) -> None:
    here = world(winner)
    first, second = here.book(), here.book()
    for booking in (first, second):
        assert (booking.stage, booking.competes, booking.held_until) == ("prebooked", True, here.after(DECIDE))
        assert not here.holds(booking)
        assert (here.claims(booking), here.events(booking)) == (1, 0)


# Row: request on time that somebody holds


@pytest.mark.parametrize("winner", COLUMNS)
def test_a_request_on_held_time_is_refused(world: Make, winner: str) -> None:
    here = world(winner)
    other = make_service(here.tx, here.portal, (here.room, 1))
    book_service(here.tx, here.portal, other, now=here.now, interval=hour(here.now, 24))
    with pytest.raises(SlotTaken) as refused:
        here.book()
    assert [one.code for one in refused.value.obstacles] == ["taken"]


# Row: deposit or price paid


@pytest.mark.parametrize("winner", ["first", "payment"])
@pytest.mark.parametrize(("paid", "state"), [(PRICE, "paid"), (Decimal(300), "partly")])
def test_paying_the_deposit_confirms(world: Make, winner: str, paid: Decimal, state: str) -> None:
    here = world(winner, deposit=30)
    booking = here.pay(here.book(), paid)
    assert (booking.stage, booking.competes, booking.payment) == ("confirmed", False, state)
    assert here.holds(booking)
    assert (here.claims(booking), here.events(booking)) == (0, 1)


@pytest.mark.parametrize("winner", COLUMNS)
def test_less_than_the_deposit_is_recorded_only(world: Make, winner: str) -> None:
    here = world(winner, deposit=30)
    booking = here.pay(here.book(), Decimal(299))
    assert (booking.stage, booking.payment) == ("prebooked", "partly")


def test_a_payment_waits_for_the_manager(world: Make) -> None:
    here = world("manager")
    booking = here.pay(here.book())
    assert (booking.stage, booking.competes, booking.payment) == ("prebooked", True, "paid")
    assert not here.holds(booking)
    assert here.act(confirm_booking, booking).stage == "confirmed"


def test_a_payment_for_time_that_is_gone_is_lost_and_owed_back(world: Make) -> None:
    here = world("payment")
    request = here.book()
    other = make_service(here.tx, here.portal, (here.room, 1), rules={"hold_minutes": 600})
    hold = book_service(here.tx, here.portal, other, now=here.now, interval=hour(here.now, 24))
    lost = here.pay(request)
    assert (lost.stage, lost.reason, lost.payment) == ("cancelled", "lost", "refund_due")
    assert here.holds(hold)


# Row: a manager confirms


def test_a_manager_confirms_a_hold_unpaid(world: Make) -> None:
    here = world("first")
    booking = here.act(confirm_booking, here.book())
    assert (booking.stage, booking.payment, booking.held_until) == ("confirmed", "due", None)


def test_whoever_made_a_hold_may_confirm_it(world: Make) -> None:
    here = world("first")
    assert here.act(confirm_booking, here.book(), viewer=EMPLOYEE).stage == "confirmed"


def test_nobody_passes_by_the_first_payment(world: Make) -> None:
    here = world("payment")
    booking = here.book()
    with pytest.raises(NotAllowed, match="payment_first"):
        here.act(confirm_booking, booking)


def test_without_a_deposit_a_manager_may_confirm_what_waits_for_payment(world: Make) -> None:
    here = world("payment", deposit=0)
    assert here.act(confirm_booking, here.book()).stage == "confirmed"


def test_a_manager_confirms_one_request_and_the_others_are_lost(world: Make) -> None:
    here = world("manager")
    first, second, elsewhere = here.book(), here.book(), here.book(48)
    assert here.act(confirm_booking, second).stage == "confirmed"
    lost = here.read(first)
    assert (lost.stage, lost.reason, lost.payment) == ("cancelled", "lost", "none")
    assert here.read(elsewhere).competes
    assert [one.action for one in queries.history(here.tx, here.portal.id, first.id)] == ["lost", "booked"]


def test_confirming_a_request_whose_time_has_gone_is_refused(world: Make) -> None:
    here = world("manager")
    request = here.book()
    other = make_service(here.tx, here.portal, (here.room, 1), rules={"hold_minutes": 600})
    book_service(here.tx, here.portal, other, now=here.now, interval=hour(here.now, 24))
    with pytest.raises(SlotTaken):
        here.act(confirm_booking, request)


def test_a_request_is_not_confirmed_by_its_author(world: Make) -> None:
    here = world("manager")
    booking = here.book()
    with pytest.raises(NotAllowed, match="confirm"):
        here.act(confirm_booking, booking, viewer=EMPLOYEE)


# Row: the term passes, or the start comes


@pytest.mark.parametrize("winner", COLUMNS)
def test_when_the_term_passes_it_expires(world: Make, winner: str) -> None:
    here = world(winner)
    booking = here.book()
    late = here.after(DECIDE)
    assert settle_due(here.tx, here.portal, booking.id, late)
    booking = here.read(booking)
    assert (booking.stage, booking.competes, booking.payment) == ("expired", False, "none")
    assert not here.holds(booking)


@pytest.mark.parametrize("winner", COLUMNS)
def test_it_never_waits_longer_than_to_its_start(world: Make, winner: str) -> None:
    here = world(winner)
    assert here.book(1).held_until == hour(here.now, 1).start


@pytest.mark.parametrize("winner", COLUMNS)
def test_what_was_paid_for_an_expired_one_is_owed_back(world: Make, winner: str) -> None:
    here = world(winner, deposit=50)
    booking = here.pay(here.book(), Decimal(100))
    settle_due(here.tx, here.portal, booking.id, here.after(DECIDE))
    booking = here.read(booking)
    assert (booking.stage, booking.payment) == ("expired", "refund_due")


def test_a_hold_that_is_over_is_in_nobodys_way_without_any_sweep(world: Make) -> None:
    here = world("first")
    over = here.book()
    here.now = here.after(HOLD)
    winner = here.book()
    assert (here.read(over).stage, winner.stage) == ("expired", "prebooked")
    assert (here.holds(over), here.holds(winner)) == (False, True)


# Row: the payment term of a confirmed one passes


def test_a_confirmed_one_stays_and_is_overdue(world: Make) -> None:
    here = world("first", hold_minutes=0, pay_minutes=60)
    booking = here.book()
    assert booking.pay_by == here.after(60)
    assert not settle_due(here.tx, here.portal, booking.id, here.after(61))
    assert here.read(booking).stage == "confirmed"


# Row: the end comes


@pytest.mark.parametrize("winner", COLUMNS)
@pytest.mark.parametrize(
    ("after_end", "arrived", "stage"),
    [("completed", False, "completed"), ("ask", False, "confirmed"), ("no_show", False, "no_show"),
     ("no_show", True, "completed"), ("ask", True, "completed")],
)  # fmt: skip
def test_the_end_comes(world: Make, winner: str, after_end: str, arrived: bool, stage: str) -> None:
    here = world(winner, after_end=after_end, deposit=0)
    booking = here.book(1)
    if booking.stage == "prebooked":
        booking = here.act(confirm_booking, booking)
    if arrived:
        here.act(check_in, booking, at=here.after(61))
    assert settle_due(here.tx, here.portal, booking.id, here.after(121))
    booking = here.read(booking)
    assert booking.stage == stage
    assert (booking.asked_at is not None) == (stage == "confirmed")
    assert not settle_due(here.tx, here.portal, booking.id, here.after(122))


# Row: paid after it expired


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("winner", ["first", "payment"])
def test_paid_late_while_still_free_it_is_confirmed(world: Make, winner: str, written: bool) -> None:
    here = world(winner)
    booking, late = here.book(), here.after(DECIDE + 1)
    if written:
        settle_due(here.tx, here.portal, booking.id, late)
    booking = here.pay(booking, at=late)
    assert (booking.stage, booking.payment) == ("confirmed", "paid")
    assert here.holds(booking)


@pytest.mark.parametrize("winner", COLUMNS)
def test_paid_late_for_time_that_is_gone_it_is_lost(world: Make, winner: str) -> None:
    here = world(winner)
    booking, late = here.book(), here.after(DECIDE + 1)
    settle_due(here.tx, here.portal, booking.id, late)
    other = make_service(here.tx, here.portal, (here.room, 1))
    book_service(here.tx, here.portal, other, now=late, interval=hour(here.now, 24))
    booking = here.pay(booking, at=late)
    assert (booking.stage, booking.reason, booking.payment) == ("cancelled", "lost", "refund_due")


def test_paid_late_it_stands_before_its_manager_again(world: Make) -> None:
    here = world("manager")
    booking, late = here.book(), here.after(DECIDE + 1)
    settle_due(here.tx, here.portal, booking.id, late)
    booking = here.pay(booking, at=late)
    assert (booking.stage, booking.competes, booking.payment) == ("prebooked", True, "paid")
    assert booking.held_until == late + timedelta(minutes=DECIDE)


# Row: two pay


def test_of_two_who_pay_one_is_confirmed_and_one_lost(world: Make) -> None:
    here = world("payment")
    first, second = here.book(), here.book()
    assert here.pay(second).stage == "confirmed"
    assert (here.read(first).stage, here.read(first).payment) == ("cancelled", "none")
    late = here.pay(first)
    assert (late.stage, late.payment) == ("cancelled", "refund_due")


# What remains: pools, approval


def test_in_a_pool_only_those_are_lost_that_no_longer_fit(world: Make) -> None:
    here = world("payment", units=3)
    requests = [here.book() for _ in range(4)]
    here.pay(requests[0])
    assert [here.read(one).stage for one in requests] == ["confirmed", *["prebooked"] * 3]
    here.pay(requests[1])
    here.pay(requests[2])
    assert [here.read(one).stage for one in requests] == [*["confirmed"] * 3, "cancelled"]


REQUESTER = Viewer(9, grants=(GrantRule("everything", "AU", "see"), GrantRule("everything", "AU", "request")))


@pytest.mark.parametrize("winner", COLUMNS)
def test_who_may_only_ask_holds_until_somebody_approves(world: Make, winner: str) -> None:
    here = world(winner, approval_minutes=45)
    booking = here.book(viewer=REQUESTER)
    assert (booking.stage, booking.needs_approval, booking.competes) == ("prebooked", True, False)
    assert booking.held_until == here.after(45)
    assert here.holds(booking)
    with pytest.raises(NotAllowed):
        here.act(confirm_booking, booking, viewer=REQUESTER)
    assert here.pay(booking).stage == "prebooked"
    assert here.act(confirm_booking, booking).stage == "confirmed"


def test_an_approver_declines(world: Make) -> None:
    here = world("first")
    booking = here.act(decline_booking, here.book(viewer=REQUESTER), reason="Ремонт")
    assert (booking.stage, booking.reason, booking.payment) == ("cancelled", "Ремонт", "none")
    assert not here.holds(booking)


# Transitions that are not allowed

FINAL = ("completed", "cancelled", "no_show", "expired")
NOT_ALLOWED = {
    "confirm": (confirm_booking, ("completed", "cancelled", "no_show", "expired")),
    "decline": (decline_booking, ("confirmed", *FINAL)),
    "cancel": (cancel_booking, ("completed", "no_show", "expired")),
    "check_in": (check_in, ("prebooked", *FINAL)),
    "complete": (complete_booking, ("prebooked", "cancelled", "no_show", "expired")),
    "no_show": (mark_no_show, ("prebooked", "completed", "cancelled", "expired")),
    "reopen": (reopen_booking, ("prebooked", "confirmed")),
}


@pytest.mark.parametrize(
    ("use_case", "stage"), [(name, stage) for name, (_, stages) in NOT_ALLOWED.items() for stage in stages]
)
def test_what_may_not_follow_is_refused_and_changes_nothing(world: Make, use_case: str, stage: str) -> None:
    here = world("first", price=None)
    booking = here.book()
    booking.stage = stage
    booking.held_until = here.after(HOLD) if stage == "prebooked" else None
    here.tx.flush()
    before = here.read(booking).revision
    with pytest.raises((NotAllowed, PolicyViolation)), here.tx.begin_nested():
        here.act(NOT_ALLOWED[use_case][0], booking, at=here.after(60))
    assert (here.read(booking).stage, here.read(booking).revision) == (stage, before)


@pytest.mark.parametrize("stage", FINAL)
def test_what_is_dropped_or_done_is_not_moved(world: Make, stage: str) -> None:
    here = world("first", price=None)
    booking = here.book()
    booking.stage = stage
    with pytest.raises(NotAllowed, match="move"):
        here.act(partial(moved_to, Move(hour(here.now, 30))), booking)


# Reopening, undoing, attending, money


def test_a_cancelled_one_comes_back_with_its_price_and_unit(world: Make) -> None:
    here = world("first", hold_minutes=0)
    booking = here.act(cancel_booking, here.book())
    assert (booking.stage, booking.payment) == ("cancelled", "none")
    booking = here.act(reopen_booking, booking)
    assert (booking.stage, booking.payment) == ("confirmed", "due")
    assert here.holds(booking)


def test_what_is_taken_meanwhile_is_not_reopened(world: Make) -> None:
    here = world("first", hold_minutes=0)
    booking = here.act(cancel_booking, here.book())
    here.book()
    with pytest.raises(SlotTaken):
        here.act(reopen_booking, booking)


@pytest.mark.parametrize(("winner", "competes"), [("first", False), ("manager", True)])
def test_a_cancelled_request_waits_again(world: Make, winner: str, competes: bool) -> None:
    here = world(winner)
    booking = here.act(cancel_booking, here.book())
    booking = here.act(reopen_booking, booking)
    assert (booking.stage, booking.competes, here.holds(booking)) == ("prebooked", competes, not competes)


def test_the_fee_stays_when_it_is_cancelled_late(world: Make) -> None:
    here = world("first", hold_minutes=0, cancel_ladder=[{"hours": 48, "percent": 50}])
    booking = here.pay(here.book())
    booking = here.act(cancel_booking, booking)
    sums = queries.money(here.tx, here.portal.id, booking.id)
    assert (booking.payment, sums.price, sums.outstanding) == ("refund_due", Decimal(500), Decimal(-500))


def test_a_move_is_quoted_by_the_frozen_tariff_and_may_cost(world: Make) -> None:
    here = world("first", hold_minutes=0, move_ladder=[{"hours": 48, "percent": 10}])
    booking = here.book()
    here.act(partial(moved_to, Move(hour(here.now, 30))), booking)
    assert queries.money(here.tx, here.portal.id, booking.id).price == Decimal(1100)
    undone = here.act(undo_change, booking)
    assert queries.money(here.tx, here.portal.id, booking.id).price == PRICE
    assert (undone.during.lower, undone.moves) == (hour(here.now, 24).start, 0)


def test_a_no_show_gives_back_what_is_left_and_owes_its_fee(world: Make) -> None:
    here = world("first", hold_minutes=0, no_show_percent=100)
    booking = here.act(mark_no_show, here.pay(here.book(1)), at=here.after(75))
    assert (booking.stage, booking.payment) == ("no_show", "paid")
    here.now = here.after(75)
    assert here.book(0.25, viewer=ADMIN).stage == "confirmed"


def test_a_payment_can_be_voided_and_the_stage_stays(world: Make) -> None:
    here = world("first")
    booking = here.pay(here.book())
    record = queries.money(here.tx, here.portal.id, booking.id).records[0]
    void_payment(here.tx, here.portal, record.id, "По ошибке", viewer=ADMIN, now=here.now)
    booking = here.read(booking)
    assert (booking.stage, booking.payment) == ("confirmed", "due")


def test_only_who_manages_takes_payments(world: Make) -> None:
    here = world("first")
    booking = here.book()
    data = MoneyData("payment", PRICE, "cash", here.now.date())
    with pytest.raises(NotAllowed, match="payment_right"):
        record_payment(here.tx, here.portal, booking.id, data, viewer=EMPLOYEE, now=here.now)


def test_a_payment_sent_twice_counts_once(world: Make) -> None:
    here = world("first")
    booking = here.book()
    data = MoneyData("payment", PRICE, "cash", here.now.date(), request_key=uuid.uuid4().hex)
    for _ in range(2):
        record_payment(here.tx, here.portal, booking.id, data, viewer=ADMIN, now=here.now)
    assert queries.money(here.tx, here.portal.id, booking.id).paid == PRICE
