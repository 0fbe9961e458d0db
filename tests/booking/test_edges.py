"""Sequences in which one thing gets in the way of another: each has been a defect, or could easily become one."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, func, select
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
from b24app.booking.clients import ClientData
from b24app.booking.payments import MoneyData, record_payment, void_payment
from b24app.booking.reserve import BookingRequest, book
from b24app.booking.series import book_series, change_series
from b24app.booking.terms import move_terms, read_terms
from b24app.errors import InvalidInput, NotAllowed, PolicyViolation, SlotTaken, Stale
from b24app.ledger import catalog, queries
from b24app.ledger.access import GrantRule, Viewer
from b24app.ledger.models import Allocation, Booking, Claim, Portal, Resource, Series, Service
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import transaction
from b24app.scheduling.interval import Interval
from b24app.scheduling.pricing import PriceRule, Tariff
from b24app.scheduling.recurrence import Recurrence
from tests.booking.test_kinds import halls, resources, seats, units
from tests.booking.test_series import booked, starts
from tests.booking.test_winners import PRICE, REQUESTER, RULES, Make, World, moved_to
from tests.factories import ADMIN, EMPLOYEE, book_service, hour, make_booking, make_portal, make_resource, make_service


@pytest.fixture
def world(tx: Session, portal: Portal, now: datetime) -> Make:
    def make(winner: str, *, price: Decimal | None = PRICE, deposit: int = 100, units: int = 1, **rules: Any) -> World:
        room = make_resource(tx, portal, now=now, units=units)
        tariff = Tariff("Час", "hour", price, deposit_percent=deposit) if price else None
        service = make_service(tx, portal, (room, 1), rules=RULES[winner] | rules, tariff=tariff, max_minutes=180)
        return World(tx, portal, room, service, now)

    return make


def state(tx: Session, booking: Booking) -> Booking:
    tx.flush()
    return queries.booking_state(tx, booking.portal_id, booking.id)


def person(user_id: int, right: str) -> Viewer:
    return Viewer(user_id, grants=(GrantRule("everything", "AU", "see"), GrantRule("everything", "AU", right)))


# Seating anew


def crossed(tx: Session, portal: Portal, now: datetime) -> tuple[Booking, Booking, Booking]:
    """A pool of two: the mover and another one beside it, and then a third, picked for the very unit of the mover."""
    pool = make_resource(tx, portal, now=now, kind="equipment", units=2)
    mover, beside = (make_booking(tx, portal, pool, now=now, interval=hour(now, 1)) for _ in range(2))
    after = make_booking(tx, portal, pool, now=now, interval=hour(now, 2), unit_ids=frozenset(units(tx, mover)))
    return mover, beside, after


def test_somebody_is_seated_on_the_place_that_the_moved_one_leaves(tx: Session, portal: Portal, now: datetime) -> None:
    mover, beside, after = crossed(tx, portal, now)
    was = units(tx, mover)
    move_booking(tx, portal, mover.id, Move(hour(now, 1, 2)), revision=1, viewer=EMPLOYEE, now=now)
    assert units(tx, beside) == units(tx, after) == was
    assert units(tx, mover) != was


def test_a_booking_that_has_begun_keeps_its_unit(tx: Session, portal: Portal, now: datetime) -> None:
    _, beside, _ = crossed(tx, portal, now)
    was, later = units(tx, beside), now + timedelta(hours=1.5)
    pool = seats(tx, beside)[0][1]
    with pytest.raises(SlotTaken):
        book(tx, portal, BookingRequest(hour(now, 1.5, 1.5), resource_id=pool), viewer=EMPLOYEE, now=later)
    assert units(tx, beside) == was


def fragmented(here: World) -> tuple[Booking, Booking]:
    """A pool of two with a free hour on each unit, so that two hours can be had by seating somebody anew only."""
    first, second = (
        make_booking(here.tx, here.portal, here.room, now=here.now, interval=hour(here.now, 24)) for _ in "ab"
    )
    later = hour(here.now, 25)
    pinned = frozenset(units(here.tx, first))
    after = make_booking(here.tx, here.portal, here.room, now=here.now, interval=later, unit_ids=pinned)
    cancel_booking(here.tx, here.portal, first.id, revision=1, viewer=ADMIN, now=here.now)
    after.wish = {}
    here.tx.flush()
    return second, after


def test_a_request_seats_nobody_anew_before_it_wins(world: Make) -> None:
    here = world("manager", units=2)
    left = fragmented(here)
    was = [units(here.tx, one) for one in left]
    request = book_service(here.tx, here.portal, here.service, now=here.now, interval=hour(here.now, 24, 2))
    assert request.competes
    assert [units(here.tx, one) for one in left] == was
    assert here.act(confirm_booking, request).stage == "confirmed"
    assert units(here.tx, left[0]) == units(here.tx, left[1])


def _units_of(here: World) -> tuple[int, ...]:
    return catalog.stock(here.tx, here.portal.id, [here.room.id], [], hour(here.now, 24)).units(here.room.id)


def test_a_request_that_seating_anew_could_serve_has_not_lost(world: Make) -> None:
    here = world("manager", units=2)
    long = book_service(here.tx, here.portal, here.service, now=here.now, interval=hour(here.now, 24, 2))
    one = make_booking(here.tx, here.portal, here.room, now=here.now, interval=hour(here.now, 24))
    other = frozenset({unit for unit in _units_of(here) if unit not in units(here.tx, one)})
    make_booking(here.tx, here.portal, here.room, now=here.now, interval=hour(here.now, 25), unit_ids=other)
    assert here.read(long).stage == "prebooked"
    assert here.act(confirm_booking, long).stage == "confirmed"


# What is brought back


def test_what_expired_and_was_paid_too_late_does_not_come_back_confirmed(world: Make) -> None:
    here = world("manager")
    request = here.book()
    settle_due(here.tx, here.portal, request.id, here.after(181))
    other = make_booking(here.tx, here.portal, here.room, now=here.now, interval=hour(here.now, 24))
    lost = here.pay(request, at=here.after(182))
    assert lost.reason == "lost"
    cancel_booking(here.tx, here.portal, other.id, revision=1, viewer=ADMIN, now=here.after(183))
    back = here.act(reopen_booking, lost, at=here.after(184), viewer=EMPLOYEE)
    assert (back.stage, back.competes, here.holds(back)) == ("prebooked", True, False)


def test_a_hold_that_is_over_can_be_brought_back_before_anybody_wrote_it_down(world: Make) -> None:
    here = world("first")
    booking, late = here.book(), here.after(121)
    back = here.act(reopen_booking, booking, at=late)
    assert (back.stage, back.held_until, here.holds(back)) == ("prebooked", late + timedelta(minutes=120), True)
    actions = [one.action for one in queries.history(here.tx, here.portal.id, booking.id)]
    assert actions == ["reopened", "expired", "booked"]


def test_approval_is_not_passed_by_with_cancelling_and_reopening(world: Make) -> None:
    here = world("first")
    booking = here.act(confirm_booking, here.book(viewer=REQUESTER))
    cancelled = here.act(cancel_booking, booking)
    with pytest.raises(NotAllowed, match="reopen"):
        here.act(reopen_booking, cancelled, viewer=REQUESTER)
    assert here.act(reopen_booking, cancelled).stage == "confirmed"


def test_a_manager_is_not_passed_by_with_cancelling_and_reopening(world: Make) -> None:
    here = world("manager")
    booking = here.act(confirm_booking, here.book())
    cancelled = here.act(cancel_booking, booking)
    rival = here.book(viewer=person(8, "book"))
    with pytest.raises(NotAllowed, match="reopen"):
        here.act(reopen_booking, cancelled, viewer=EMPLOYEE)
    assert here.read(rival).competes
    assert here.act(reopen_booking, cancelled).stage == "confirmed"
    assert here.read(rival).reason == "lost"


def test_the_fee_is_asked_anew_each_time(world: Make) -> None:
    here = world("first", hold_minutes=0, cancel_ladder=[{"hours": 48, "percent": 50}])
    booking = here.book()
    for _ in range(2):
        booking = here.act(cancel_booking, booking)
        assert queries.money(here.tx, here.portal.id, booking.id).price == PRICE / 2
        booking = here.act(reopen_booking, booking)
        assert queries.money(here.tx, here.portal.id, booking.id).price == PRICE


def test_a_no_show_that_came_after_all_has_its_time_and_price_again(world: Make) -> None:
    here = world("first", hold_minutes=0, no_show_percent=30)
    booking = here.act(mark_no_show, here.book(1), at=here.after(75))
    back = here.act(reopen_booking, booking, at=here.after(80))
    assert [one[2] for one in seats(here.tx, back)] == [hour(here.now, 1)]
    assert queries.money(here.tx, here.portal.id, back.id).price == PRICE


def test_a_no_show_is_not_brought_back_onto_somebody_else(world: Make) -> None:
    here = world("first", hold_minutes=0)
    booking = here.act(mark_no_show, here.book(1), at=here.after(75))
    here.now = here.after(75)
    here.book(0.25, viewer=ADMIN)
    with pytest.raises(SlotTaken):
        here.act(reopen_booking, booking)


def test_a_no_show_at_the_very_start_gives_everything_back(world: Make) -> None:
    here = world("first", hold_minutes=0)
    booking = here.act(mark_no_show, here.book(1), at=here.after(60))
    here.now = here.after(60)
    assert here.book(0, viewer=ADMIN).stage == "confirmed"
    assert queries.resource_ids_of(here.tx, here.portal.id, booking.id) == (here.room.id,)


def test_what_was_done_is_reopened_where_it_was(world: Make) -> None:
    here = world("first", hold_minutes=0)
    booking = here.act(complete_booking, here.book(1), at=here.after(90))
    back = here.act(reopen_booking, booking, at=here.after(95))
    assert (back.stage, [one[2] for one in seats(here.tx, back)]) == ("confirmed", [hour(here.now, 1)])
    assert "resources" not in queries.history(here.tx, here.portal.id, back.id)[0].after


# Undoing


@pytest.mark.parametrize("days", [7, -7])
def test_a_series_moved_onto_its_own_dates_is_moved_back(tx: Session, portal: Portal, now: datetime, days: int) -> None:
    made, shift = booked(tx, portal, make_resource(tx, portal, now=now), now), timedelta(days=days)
    if days < 0:
        cancel_booking(tx, portal, made[0].id, revision=1, viewer=EMPLOYEE, now=now)
    to = as_interval(made[1].during)
    change_series(
        tx, portal, made[1].id, "following", Move(Interval(to.start + shift, to.end + shift)), revision=1,
        viewer=EMPLOYEE, now=now,
    )  # fmt: skip
    assert starts(tx, portal, made, now)[1:] == [days * 24] * 3
    undo_change(tx, portal, made[2].id, revision=2, viewer=EMPLOYEE, now=now)
    assert starts(tx, portal, made, now) == [0, 0, 0, 0]


def test_of_a_click_only_what_nobody_has_touched_since_is_undone(tx: Session, portal: Portal, now: datetime) -> None:
    made = booked(tx, portal, make_resource(tx, portal, now=now), now)
    change_series(tx, portal, made[0].id, "all", None, revision=1, viewer=EMPLOYEE, now=now)
    reopen_booking(tx, portal, made[3].id, revision=2, viewer=ADMIN, now=now)
    cancel_booking(tx, portal, made[3].id, revision=3, viewer=ADMIN, now=now)
    assert len(undo_change(tx, portal, made[0].id, revision=2, viewer=EMPLOYEE, now=now)) == 3
    stages = [state(tx, one).stage for one in made]
    assert stages == ["confirmed", "confirmed", "confirmed", "cancelled"]


def test_undoing_is_all_or_nothing(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    made = booked(tx, portal, room, now)
    change_series(tx, portal, made[0].id, "all", None, revision=1, viewer=EMPLOYEE, now=now)
    make_booking(tx, portal, room, now=now, interval=hour(now, 1 + 168 * 2))
    with pytest.raises(SlotTaken), tx.begin_nested():
        undo_change(tx, portal, made[0].id, revision=2, viewer=EMPLOYEE, now=now)
    assert {state(tx, one).stage for one in made} == {"cancelled"}


def test_a_hold_that_is_over_is_not_undone(world: Make) -> None:
    here = world("first", hold_minutes=5)
    booking = here.book()
    with pytest.raises(NotAllowed, match="undo"):
        here.act(undo_change, booking, at=here.after(6), viewer=EMPLOYEE)


def test_undoing_a_move_takes_back_its_own_fee_only(world: Make) -> None:
    here = world("first", hold_minutes=0, move_ladder=[{"hours": 48, "percent": 10}])
    booking = here.book()
    for n, to in enumerate((30, 60)):
        here.act(partial(moved_to, Move(hour(here.now, to))), booking, at=here.after(n))
    before = queries.money(here.tx, here.portal.id, booking.id).price
    here.act(undo_change, booking, at=here.after(2))
    assert (before, queries.money(here.tx, here.portal.id, booking.id).price) == (Decimal(1210), Decimal(1100))


def test_undoing_a_move_brings_back_what_was_picked_and_the_term(tx: Session, portal: Portal, now: datetime) -> None:
    rooms = [make_resource(tx, portal, now=now) for _ in range(3)]
    service = make_service(tx, portal, (rooms, 1), rules={"hold_minutes": 240})
    first, last = (frozenset({one.id}) for one in (rooms[0], rooms[2]))
    booking = book_service(tx, portal, service, now=now, interval=hour(now, 9), resource_ids=last)
    term, picked = booking.held_until, dict(booking.wish)
    to = Move(hour(now, 1), resource_ids=first)
    move_booking(tx, portal, booking.id, to, revision=1, viewer=EMPLOYEE, now=now)
    assert (booking.held_until, booking.wish) == (hour(now, 1).start, {"resources": [rooms[0].id]})
    undo_change(tx, portal, booking.id, revision=2, viewer=EMPLOYEE, now=now)
    assert (state(tx, booking).held_until, booking.wish, resources(tx, booking)) == (term, picked, set(last))


# Money


def test_a_fee_for_moving_stays_when_it_is_moved_again(world: Make) -> None:
    here = world("first", hold_minutes=0, move_ladder=[{"hours": 48, "percent": 10}])
    booking = here.book(40)
    here.act(partial(moved_to, Move(hour(here.now, 100))), booking)
    booking = here.read(booking)
    to = Move(hour(here.now, 110))
    told = move_terms(here.tx, here.portal, booking, to, ZoneInfo("UTC"), here.now)
    here.act(partial(moved_to, to), booking)
    price = queries.money(here.tx, here.portal.id, booking.id).price
    assert (told.new, price) == (Decimal(1100), Decimal(1100))


def test_a_refund_sent_twice_is_given_once(world: Make) -> None:
    here = world("first")
    booking = here.pay(here.book())
    data = MoneyData("refund", PRICE, "cash", here.now.date(), request_key=uuid.uuid4().hex)
    for _ in range(2):
        record_payment(here.tx, here.portal, booking.id, data, viewer=ADMIN, now=here.now)
    assert queries.money(here.tx, here.portal.id, booking.id).refunded == PRICE


@pytest.mark.parametrize("what", ["another booking", "another kind"])
def test_a_form_that_was_sent_for_something_else_is_refused(world: Make, what: str) -> None:
    here = world("first")
    booking, other = here.book(), here.book(30)
    data = MoneyData("payment", PRICE, "cash", here.now.date(), request_key=uuid.uuid4().hex)
    record_payment(here.tx, here.portal, booking.id, data, viewer=ADMIN, now=here.now)
    again = (other, data) if what == "another booking" else (booking, replace(data, kind="refund"))
    with pytest.raises(Stale):
        record_payment(here.tx, here.portal, again[0].id, again[1], viewer=ADMIN, now=here.now)


def test_money_that_was_taken_is_recorded_whatever_became_of_the_service(world: Make) -> None:
    here = world("payment")
    here.room.capacity = 10
    here.tx.flush()
    booking = here.book(party=4)
    here.room.capacity = 2
    here.tx.flush()
    lost = here.pay(booking)
    assert (lost.stage, lost.reason, lost.payment) == ("cancelled", "lost", "refund_due")


def test_more_than_was_paid_is_not_given_back(world: Make) -> None:
    here = world("first")
    booking = here.pay(here.book(), Decimal(400))
    data = MoneyData("refund", Decimal(401), "cash", here.now.date())
    with pytest.raises(InvalidInput) as refused:
        record_payment(here.tx, here.portal, booking.id, data, viewer=ADMIN, now=here.now)
    assert refused.value.fields == {"amount": "more_than_paid"}


def test_paid_twice_is_owed_back_and_a_voided_one_can_be_paid_again(world: Make) -> None:
    here = world("first")
    booking = here.pay(here.book())
    assert here.pay(booking).payment == "refund_due"
    for record in queries.money(here.tx, here.portal.id, booking.id).records:
        void_payment(here.tx, here.portal, record.id, "Ошиблись", viewer=ADMIN, now=here.now)
    assert here.read(booking).payment == "due"
    assert here.pay(booking).payment == "paid"


def test_a_payment_in_parts_confirms_when_the_deposit_is_reached(world: Make) -> None:
    here = world("payment", deposit=50)
    booking = here.book()
    stages = [here.pay(booking, Decimal(250)).stage for _ in range(2)]
    assert stages == ["prebooked", "confirmed"]


def test_what_costs_nothing_waits_for_nobody_to_pay(world: Make) -> None:
    here = world("payment", price=None)
    booking = here.book()
    assert booking.payment == "none"
    assert here.act(confirm_booking, booking).stage == "confirmed"


def test_the_payment_term_ends_when_a_moved_booking_starts(world: Make) -> None:
    here = world("first", hold_minutes=0, pay_minutes=60 * 20)
    booking = here.book(24)
    assert booking.pay_by == here.after(60 * 20)
    here.act(partial(moved_to, Move(hour(here.now, 5))), booking)
    assert here.read(booking).pay_by == here.after(60 * 5)


def test_late_money_is_told_as_what_it_became(world: Make) -> None:
    here = world("first")
    booking, late = here.book(), here.after(130)
    settle_due(here.tx, here.portal, booking.id, late)
    booking = here.pay(booking, at=late)
    assert (booking.stage, booking.payment) == ("confirmed", "paid")
    newest = queries.history(here.tx, here.portal.id, booking.id)[0]
    assert (newest.after["stage"], newest.after["payment"]) == ("confirmed", "paid")


# Quotas


def limited(tx: Session, portal: Portal, room: Resource, per: str, limit: int = 2, **rules: Any) -> Service:
    quota = {"per": per, "period": "day", "limit": limit, "unit": "bookings"}
    return make_service(tx, portal, (room, 1), rules={"quotas": [quota], **rules})


def test_a_hold_that_is_over_counts_against_no_quota(tx: Session, portal: Portal, now: datetime) -> None:
    room, other = make_resource(tx, portal, now=now), make_resource(tx, portal, now=now)
    service = limited(tx, portal, room, "person", 1, hold_minutes=30)
    elsewhere = make_service(tx, portal, (other, 1))
    elsewhere.policy_id = service.policy_id
    book_service(tx, portal, service, now=now, interval=hour(now, 3))
    late = now + timedelta(minutes=31)
    assert book_service(tx, portal, elsewhere, now=late, interval=hour(now, 5)).stage == "prebooked"


def test_a_move_into_a_full_day_counts_the_clients_bookings(tx: Session, portal: Portal, now: datetime) -> None:
    service = limited(tx, portal, make_resource(tx, portal, now=now), "client", 1)
    client = ClientData("contact", "Мария", crm_id=7)
    book_service(tx, portal, service, now=now, client=client)
    later = book_service(tx, portal, service, now=now, client=client, interval=hour(now, 25))
    with pytest.raises(PolicyViolation, match="quota"), tx.begin_nested():
        move_booking(tx, portal, later.id, Move(hour(now, 3)), revision=1, viewer=EMPLOYEE, now=now)
    move_booking(tx, portal, later.id, Move(hour(now, 26)), revision=1, viewer=EMPLOYEE, now=now)


def test_a_move_counts_for_whoever_booked(tx: Session, portal: Portal, now: datetime) -> None:
    service = limited(tx, portal, make_resource(tx, portal, now=now), "person", 1)
    book_service(tx, portal, service, now=now)
    responsible = person(8, "book")
    later = book_service(tx, portal, service, now=now, interval=hour(now, 25), responsible_id=8)
    with pytest.raises(PolicyViolation, match="quota"):
        move_booking(tx, portal, later.id, Move(hour(now, 3)), revision=1, viewer=responsible, now=now)


@pytest.mark.parametrize("how", [reopen_booking, undo_change])
def test_a_quota_is_not_passed_by_with_cancelling_and_bringing_back(
    tx: Session, portal: Portal, now: datetime, how: Callable[..., Any]
) -> None:
    service = limited(tx, portal, make_resource(tx, portal, now=now), "person")
    first, _ = (book_service(tx, portal, service, now=now, interval=hour(now, h)) for h in (1, 2))
    cancel_booking(tx, portal, first.id, revision=1, viewer=EMPLOYEE, now=now)
    book_service(tx, portal, service, now=now, interval=hour(now, 3))
    with pytest.raises(PolicyViolation, match="quota"):
        how(tx, portal, first.id, revision=2, viewer=EMPLOYEE, now=now)


def test_a_series_does_not_break_a_quota(tx: Session, portal: Portal, now: datetime) -> None:
    quota = {"per": "person", "period": "ahead", "limit": 2, "unit": "bookings"}
    service = make_service(tx, portal, (make_resource(tx, portal, now=now), 1), rules={"quotas": [quota]})
    request = BookingRequest(hour(now, 1), service_id=service.id)
    days = [now.date() + timedelta(days=n) for n in range(5)]
    with pytest.raises(PolicyViolation, match="quota"), tx.begin_nested():
        book_series(tx, portal, request, Recurrence("daily", count=5), days, viewer=EMPLOYEE, now=now)
    assert len(book_series(tx, portal, request, Recurrence("daily", count=5), days[:2], viewer=EMPLOYEE, now=now)) == 2


def test_two_at_once_do_not_break_a_quota(engine: Engine, now: datetime) -> None:
    with transaction(engine) as tx:
        portal = make_portal(tx)
        rules = {"quotas": [{"per": "person", "period": "day", "limit": 1, "unit": "bookings"}]}
        first = make_service(tx, portal, (make_resource(tx, portal, now=now), 1), rules=rules)
        second = make_service(tx, portal, (make_resource(tx, portal, now=now), 1), policy_id=first.policy_id)
        ids = [first.id, second.id]
    together, outcomes = threading.Barrier(2), []

    def take(service_id: int, day: int) -> None:
        try:
            with transaction(engine) as tx:
                tx.connection()
                together.wait(10)
                request = BookingRequest(hour(now, 1 + 24 * day), service_id=service_id)
                book(tx, portal, request, viewer=EMPLOYEE, now=now)
            outcomes.append("booked")
        except PolicyViolation:
            outcomes.append("refused")

    for day in range(10):
        threads = [threading.Thread(target=take, args=(one, day)) for one in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (outcomes.count("booked"), outcomes.count("refused")) == (10, 10)


# Series


def test_what_is_over_already_stays_when_a_series_is_cancelled(tx: Session, portal: Portal, now: datetime) -> None:
    service = make_service(tx, portal, (make_resource(tx, portal, now=now), 1), rules={"hold_minutes": 60})
    request = BookingRequest(hour(now, 1), service_id=service.id)
    days = [now.date() + timedelta(days=n) for n in range(3)]
    made = book_series(tx, portal, request, Recurrence("daily", count=3), days, viewer=EMPLOYEE, now=now)
    confirm_booking(tx, portal, made[2].id, revision=1, viewer=EMPLOYEE, now=now)
    late = now + timedelta(minutes=61)
    changed = change_series(tx, portal, made[2].id, "all", None, revision=2, viewer=EMPLOYEE, now=late)
    assert [one.id for one in changed] == [made[2].id]


def test_two_who_send_one_series_make_one(engine: Engine, now: datetime) -> None:
    with transaction(engine) as tx:
        portal = make_portal(tx)
        room = make_resource(tx, portal, now=now, units=5, kind="equipment").id
    together, made = threading.Barrier(2), []
    request = BookingRequest(hour(now, 1), resource_id=room, request_key="k")
    days = [now.date() + timedelta(days=n) for n in range(3)]

    def send() -> None:
        together.wait(10)
        with transaction(engine) as tx:
            series = book_series(tx, portal, request, Recurrence("daily", count=3), days, viewer=EMPLOYEE, now=now)
            made.append([one.id for one in series])

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made[0] == made[1]
    with transaction(engine) as tx:
        assert [tx.scalar(select(func.count(one.id))) for one in (Series, Booking)] == [1, 3]


def test_a_series_of_a_year_and_everything_in_it(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    request = BookingRequest(hour(now, 1), resource_id=room.id)
    days = [now.date() + timedelta(days=n) for n in range(120)]
    made = book_series(tx, portal, request, Recurrence("daily", count=120), days, viewer=EMPLOYEE, now=now)
    to = as_interval(made[0].during)
    move = Move(Interval(to.start + timedelta(days=1), to.end + timedelta(days=1)))
    assert len(change_series(tx, portal, made[0].id, "all", move, revision=1, viewer=EMPLOYEE, now=now)) == 120
    assert len(undo_change(tx, portal, made[60].id, revision=2, viewer=EMPLOYEE, now=now)) == 120
    assert [as_interval(state(tx, one).during).start for one in made[:2]] == [to.start, to.start + timedelta(days=1)]


# Rules that were changed meanwhile, and long bookings


def test_a_booking_longer_than_its_service_lasts_now_sees_all_that_is_in_its_way(world: Make) -> None:
    here = world("manager", units=2)
    here.service.max_minutes = 60 * 24 * 5
    here.tx.flush()
    long = book_service(here.tx, here.portal, here.service, now=here.now, interval=hour(here.now, 24, 96))
    here.service.max_minutes = 60
    for _ in range(2):
        make_booking(here.tx, here.portal, here.room, now=here.now, interval=hour(here.now, 100))
    assert here.read(long).reason == "lost"


def test_a_request_far_from_the_winner_is_lost_by_their_buffers(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now, buffer_before=1440, buffer_after=1440)
    service = make_service(tx, portal, (room, 1), rules=RULES["manager"])
    request = book_service(tx, portal, service, now=now, interval=hour(now, 100))
    make_booking(tx, portal, room, now=now, interval=hour(now, 60))
    assert state(tx, request).reason == "lost"


def test_a_running_booking_is_made_longer_by_who_may(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    booking = make_booking(tx, portal, room, now=now)
    later = now + timedelta(hours=1.5)
    with pytest.raises(PolicyViolation, match="already_started"), tx.begin_nested():
        move_booking(tx, portal, booking.id, Move(hour(now, 1, 1.5)), revision=1, viewer=EMPLOYEE, now=later)
    move_booking(tx, portal, booking.id, Move(hour(now, 1, 1.5)), revision=1, viewer=ADMIN, now=later)
    assert seats(tx, booking)[0][2] == hour(now, 1, 1.5)
    with pytest.raises(PolicyViolation, match="past"):
        move_booking(tx, portal, booking.id, Move(hour(now, 0.5)), revision=2, viewer=ADMIN, now=later)


@pytest.mark.parametrize("party", [0, -1, 100_001])
def test_a_party_of_nobody_or_of_a_town_is_refused(tx: Session, portal: Portal, now: datetime, party: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        make_booking(tx, portal, make_resource(tx, portal, now=now, kind="equipment"), now=now, party=party)
    assert refused.value.fields == {"party": "out_of_range"}


def test_a_service_does_not_become_a_bare_resource_by_a_move(tx: Session, portal: Portal, now: datetime) -> None:
    room, other = make_resource(tx, portal, now=now), make_resource(tx, portal, now=now)
    booking = book_service(tx, portal, make_service(tx, portal, (room, 1)), now=now)
    with pytest.raises(NotAllowed, match="move"):
        move_booking(tx, portal, booking.id, Move(hour(now, 1), other.id), revision=1, viewer=ADMIN, now=now)


# Requests over composites and several resources


def test_who_wins_a_part_takes_the_whole_from_a_request(tx: Session, portal: Portal, now: datetime) -> None:
    whole, first, second = halls(tx, portal, now)
    asked = make_service(tx, portal, (whole, 1), rules=RULES["manager"])
    request = book_service(tx, portal, asked, now=now)
    make_booking(tx, portal, second, now=now)
    assert (state(tx, request).stage, state(tx, request).reason) == ("cancelled", "lost")
    assert first.id not in resources(tx, request)


def test_a_request_goes_to_the_other_room_when_its_first_one_is_won(tx: Session, portal: Portal, now: datetime) -> None:
    rooms = [make_resource(tx, portal, now=now) for _ in range(2)]
    request = book_service(tx, portal, make_service(tx, portal, (rooms, 1), rules=RULES["manager"]), now=now)
    make_booking(tx, portal, rooms[0], now=now)
    claimed = tx.scalars(select(Claim.resource_id).where(Claim.booking_id == request.id)).all()
    assert (state(tx, request).stage, list(claimed)) == ("prebooked", [rooms[1].id])
    make_booking(tx, portal, rooms[1], now=now)
    assert state(tx, request).reason == "lost"


def test_a_hold_takes_nothing_from_a_request_until_it_is_confirmed(world: Make) -> None:
    here = world("manager")
    holding = make_service(here.tx, here.portal, (here.room, 1), rules=RULES["first"])
    request = here.book()
    hold = book_service(here.tx, here.portal, holding, now=here.now, interval=hour(here.now, 24))
    assert here.read(request).stage == "prebooked"
    here.act(confirm_booking, hold)
    assert here.read(request).reason == "lost"


def test_requests_that_are_over_are_not_counted(world: Make) -> None:
    here = world("manager")
    here.book()
    request = BookingRequest(hour(here.now, 24), service_id=here.service.id)
    told = [
        read_terms(here.tx, here.portal, request, viewer=EMPLOYEE, now=at).rivals for at in (here.now, here.after(181))
    ]
    assert told == [1, 0]


# Things left behind


def test_nothing_is_left_behind_whatever_happens(world: Make) -> None:
    """Who competes holds nothing, who holds claims nothing, who has ended holds nothing but what he used."""
    here = world("manager", units=2)
    requests = [here.book() for _ in range(4)]
    here.act(confirm_booking, requests[0])
    here.act(partial(moved_to, Move(hour(here.now, 30))), requests[1])
    here.act(decline_booking, requests[2])
    here.act(cancel_booking, requests[0])
    here.act(reopen_booking, requests[0])
    for one in map(here.read, requests):
        living = here.tx.scalar(
            select(func.count(Allocation.id)).where(Allocation.booking_id == one.id, Allocation.released_at.is_(None))
        )
        assert living == (1 if one.stage == "confirmed" else 0)
        assert here.claims(one) == (0 if one.stage == "confirmed" else 1)


def test_numbers_of_the_history_are_those_of_the_revisions(world: Make) -> None:
    here = world("payment")
    first, second = here.book(), here.book()
    here.pay(first)
    here.pay(second)
    for one in (first, second):
        numbers = [change.number for change in queries.history(here.tx, here.portal.id, one.id)]
        assert numbers == list(range(here.read(one).revision, 0, -1))


def test_checking_in_is_undone_and_the_one_after_is_not(world: Make) -> None:
    here = world("first", hold_minutes=0)
    booking = here.act(check_in, here.book(1), viewer=EMPLOYEE)
    booking = here.act(undo_change, booking, viewer=EMPLOYEE)
    assert booking.checked_in_at is None
    with pytest.raises(NotAllowed, match="undo"):
        here.act(undo_change, booking, viewer=EMPLOYEE)


def test_a_dynamic_price_follows_the_move(tx: Session, portal: Portal, now: datetime) -> None:
    evening = PriceRule(Decimal(500), from_minute=18 * 60)
    tariff = Tariff("Час", "hour", Decimal(300), rules=(evening,))
    service = make_service(tx, portal, (make_resource(tx, portal, now=now), 1), tariff=tariff)
    booking = book_service(tx, portal, service, now=now)  # 10:00 in Moscow
    move_booking(tx, portal, booking.id, Move(hour(now, 10)), revision=1, viewer=EMPLOYEE, now=now)
    assert queries.money(tx, portal.id, booking.id).price == 500


def test_a_whole_is_cleaned_as_long_as_its_parts(tx: Session, portal: Portal, now: datetime) -> None:
    first = make_resource(tx, portal, now=now, kind="hall", buffer_after=30)
    second = make_resource(tx, portal, now=now, kind="hall", buffer_before=60)
    whole = make_resource(tx, portal, now=now, kind="hall", parts=(first.id, second.id))
    booking = make_booking(tx, portal, whole, now=now, interval=hour(now, 3))
    assert {during for _, _, during in seats(tx, booking)} == {hour(now, 2, 2.5)}
