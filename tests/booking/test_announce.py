"""What a change gives rise to: who hears of it, what the card says, which triggers fire, what comes later."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, update
from sqlalchemy.orm import Session

from b24app.booking import announce
from b24app.booking.attendance import check_in, complete_booking, mark_no_show
from b24app.booking.change import Move, cancel_booking, decline_booking, move_booking, reopen_booking
from b24app.booking.payments import MoneyData, record_payment
from b24app.booking.reserve import BookingRequest
from b24app.booking.series import book_series
from b24app.errors import InvalidInput, NotAllowed, NotFound, PolicyViolation, Refused, SlotTaken, Stale
from b24app.ledger import deliveries
from b24app.ledger.models import Booking, Portal, Resource
from b24app.ledger.portal_models import Delivery
from b24app.scheduling.allocation import Obstacle
from b24app.scheduling.policy import Violation
from b24app.scheduling.pricing import Tariff
from b24app.scheduling.recurrence import Recurrence
from b24app.sync import wording
from tests.factories import ADMIN, EMPLOYEE, book_service, hour, make_booking, make_resource, make_service

RESPONSIBLE, GUEST = 8, 9
Said = list[tuple[str, str, int | None]]


@pytest.fixture
def room(tx: Session, portal: Portal, now: datetime) -> Resource:
    return make_resource(tx, portal, now=now)


def rows(tx: Session, booking: Booking) -> list[Delivery]:
    found = deliveries.of_booking(tx, booking.portal_id, booking.id)
    for row in found:
        tx.refresh(row)
    return found


def said(tx: Session, booking: Booking) -> Said:
    """What was said or fired because of the last change, without what is due later."""
    now = [row for row in rows(tx, booking) if row.number == booking.revision and row.useful_until is None]
    return sorted((row.kind, row.code, row.recipient) for row in now)


def coming(tx: Session, booking: Booking) -> dict[str, float]:
    """What is due later, in hours from the start of the day's tests; what is void is not."""
    return {row.key.partition(":")[2]: row.due_at.timestamp() / 3600 for row in rows(tx, booking)
            if row.useful_until is not None and row.outcome is None}  # fmt: skip


def hours(now: datetime, *after: float) -> list[float]:
    return [now.timestamp() / 3600 + one for one in after]


def test_the_responsible_hears_of_a_booking_and_its_maker_does_not(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    booking = make_booking(tx, portal, room, now=now, responsible_id=RESPONSIBLE)
    assert said(tx, booking) == [
        ("comment", "booked", None),
        ("notice", "booked", RESPONSIBLE),
        ("trigger", "booking.confirmed", None),
        ("trigger", "booking.created", None),
    ]


def test_responsible_and_maker_hear_what_somebody_else_does(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    booking = make_booking(tx, portal, room, now=now, responsible_id=RESPONSIBLE)
    move_booking(tx, portal, booking.id, Move(hour(now, 5)), revision=1, viewer=ADMIN, now=now)
    assert said(tx, booking) == [
        ("comment", "moved", None),
        ("notice", "moved", EMPLOYEE.user_id),
        ("notice", "moved", RESPONSIBLE),
        ("trigger", "booking.moved", None),
    ]
    cancel_booking(tx, portal, booking.id, revision=2, viewer=EMPLOYEE, now=now)
    assert said(tx, booking) == [
        ("comment", "cancelled", None),
        ("notice", "cancelled", RESPONSIBLE),
        ("trigger", "booking.cancelled", None),
    ]


@pytest.mark.parametrize(
    ("change", "trigger"),
    [(complete_booking, "booking.completed"), (mark_no_show, "booking.no_show"), (check_in, None)],
)
def test_what_becomes_of_a_visit_fires_its_trigger(
    tx: Session, portal: Portal, room: Resource, now: datetime, change: Any, trigger: str | None
) -> None:
    booking = make_booking(tx, portal, room, now=now)
    change(tx, portal, booking.id, revision=1, viewer=ADMIN, now=now + timedelta(hours=1.5))
    assert [code for kind, code, _ in said(tx, booking) if kind == "trigger"] == ([trigger] if trigger else [])


def test_what_ends_by_itself_and_what_is_turned_down_is_told(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    service = make_service(tx, portal, (room, 1), rules={"winner": "manager"})
    one = book_service(tx, portal, service, now=now)
    assert ("trigger", "booking.confirmed", None) not in said(tx, one)
    assert coming(tx, one) == {}
    decline_booking(tx, portal, one.id, revision=1, viewer=ADMIN, now=now)
    assert said(tx, one) == [
        ("comment", "declined", None), ("notice", "declined", EMPLOYEE.user_id), ("trigger", "booking.cancelled", None),
    ]  # fmt: skip


def test_the_whole_price_paid_fires_paid_and_a_part_of_it_does_not(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    tariff = Tariff("Час", "hour", Decimal(100))
    booking = book_service(tx, portal, make_service(tx, portal, (room, 1), tariff=tariff), now=now)

    def pay(amount: int) -> list[str]:
        record_payment(tx, portal, booking.id, MoneyData("payment", Decimal(amount), "cash", now.date()),
                       viewer=ADMIN, now=now)  # fmt: skip
        return [code for kind, code, _ in said(tx, booking) if kind == "trigger"]

    assert pay(40) == []
    assert pay(60) == ["booking.paid"]


def test_reminders_are_dated_anew_when_it_moves_and_void_when_it_ends(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    portal.settings = {"remind_minutes": [60, 1440]}
    booking = make_booking(tx, portal, room, now=now, interval=hour(now, 5), responsible_id=RESPONSIBLE,
                           participants=frozenset({GUEST}))  # fmt: skip
    names = [f"remind:60:{RESPONSIBLE}", f"remind:60:{GUEST}", "remind:60:item", "started:item"]
    assert coming(tx, booking) == dict(zip(names, hours(now, 4, 4, 4, 5), strict=True))
    move_booking(tx, portal, booking.id, Move(hour(now, 8)), revision=1, viewer=ADMIN, now=now)
    assert coming(tx, booking) == dict(zip(names, hours(now, 7, 7, 7, 8), strict=True))
    cancel_booking(tx, portal, booking.id, revision=2, viewer=ADMIN, now=now)
    assert coming(tx, booking) == {}
    reopen_booking(tx, portal, booking.id, revision=3, viewer=ADMIN, now=now)
    assert coming(tx, booking) == dict(zip(names, hours(now, 7, 7, 7, 8), strict=True))


def test_what_was_reminded_of_is_reminded_again_only_at_another_time(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    booking = make_booking(tx, portal, room, now=now, interval=hour(now, 5), responsible_id=RESPONSIBLE)
    tx.execute(update(Delivery).where(Delivery.useful_until.is_not(None)).values(outcome="sent"))
    cancel_booking(tx, portal, booking.id, revision=1, viewer=ADMIN, now=now)
    reopen_booking(tx, portal, booking.id, revision=2, viewer=ADMIN, now=now)
    assert coming(tx, booking) == {}
    move_booking(tx, portal, booking.id, Move(hour(now, 6)), revision=3, viewer=ADMIN, now=now)
    assert sorted(coming(tx, booking)) == ["remind:60:8", "remind:60:item", "started:item"]


def test_no_reminder_of_what_begins_before_it_would_come(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    booking = make_booking(tx, portal, room, now=now, interval=hour(now, 0.5))
    assert list(coming(tx, booking)) == ["started:item"]


def test_a_series_is_told_of_once_and_its_cards_say_nothing(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    request = BookingRequest(hour(now, 1), resource_id=room.id, responsible_id=RESPONSIBLE)
    days = [now.date() + timedelta(days=7 * n) for n in range(4)]
    made = book_series(tx, portal, request, Recurrence("weekly", count=4), days, viewer=EMPLOYEE, now=now)
    told = [row for one in made for row in rows(tx, one) if row.useful_until is None]
    assert [row.recipient for row in told if row.kind == "notice"] == [RESPONSIBLE]
    assert {row.kind for row in told} == {"notice", "trigger"}
    assert all(row.bulk for row in told if row.kind == "trigger")


def test_an_import_says_nothing_and_starts_no_automation_but_reminds(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    booking = make_booking(tx, portal, room, now=now, source="import", responsible_id=RESPONSIBLE)
    assert said(tx, booking) == []
    assert "started:item" in coming(tx, booking)


def test_without_the_crm_people_are_told_and_only_deals_hear_triggers(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    portal.level = "A"
    plain = make_booking(tx, portal, room, now=now, responsible_id=RESPONSIBLE)
    assert said(tx, plain) == [("notice", "booked", RESPONSIBLE)]
    of_deal = make_booking(tx, portal, room, now=now, interval=hour(now, 3), deal_id=5)
    assert [row.params for row in rows(tx, of_deal) if row.kind == "trigger"] == [{"deal": 5}] * 4


def test_what_a_company_has_switched_off_is_not_said(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    portal.settings = {"comments": False, "notify_responsible": False, "remind_minutes": []}
    booking = make_booking(tx, portal, room, now=now, responsible_id=RESPONSIBLE)
    cancel_booking(tx, portal, booking.id, revision=1, viewer=ADMIN, now=now)
    assert {(row.kind, row.recipient) for row in rows(tx, booking)} == {("trigger", None), ("notice", 3)}


def test_one_statement_writes_it_all(tx: Session, portal: Portal, room: Resource, now: datetime) -> None:
    ran: list[str] = []
    event.listen(tx.get_bind(), "before_cursor_execute", lambda *args: ran.append(args[2]))
    booking = make_booking(tx, portal, room, now=now)
    cancel_booking(tx, portal, booking.id, revision=1, viewer=ADMIN, now=now)
    assert len([sql for sql in ran if " delivery" in sql]) == 2


def test_a_refusal_is_told_once_however_often_it_is_found(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    booking = make_booking(tx, portal, room, now=now)
    for _ in range(2):
        deliveries.refusal(tx, portal, key="refusal:1:ab", code="put_back", person=5, now=now, booking_id=booking.id)
    told = [(row.kind, row.recipient) for row in rows(tx, booking) if row.code == "put_back"]
    assert sorted(told) == [("comment", None), ("notice", 5)]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InvalidInput({"start": "off_grid"}), ["Make it a whole number of steps"]),
        (NotAllowed("confirm"), ["You may not confirm bookings here"]),
        (NotFound("resource"), ["There is no such resource, or it is no longer offered"]),
        (SlotTaken(None), ["This time has just been taken"]),
        (Stale(3), ["Somebody has changed this meanwhile. Look at the new state and try again"]),
        (
            PolicyViolation([Violation("notice", "start", {"minutes": 90})]),
            ["Book at least 1 h\xa030 min before the start"],
        ),
        (
            SlotTaken(None, [Obstacle("too_small", 5, {"capacity": 2, "party": Decimal(3)})]),
            ["Нева – there is room for 2, needed for 3"],
        ),
        (
            SlotTaken(None, [Obstacle("closed", None, {"code": "holiday", "params": {"day": date(2026, 3, 9)}})]),
            ["Closed for the holiday (Mon, 9\xa0March)"],
        ),
    ],
)
def test_every_reason_survives_being_kept_and_is_said_in_words(error: Refused, words: list[str]) -> None:
    tongue = wording.Tongue("en", "Europe/Moscow", "RUB", {}, {5: "Нева"})
    kept = json.loads(json.dumps(announce.reasons(error)))
    assert [wording.reason(tongue, one, ZoneInfo("Europe/Moscow")) for one in kept] == words
