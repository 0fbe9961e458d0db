"""What is done from the panel of a booking: by whom, on what state of it, and what is left when it is refused."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from sqlalchemy import update

from b24app.booking.reserve import BookingRequest
from b24app.booking.series import book_series
from b24app.ledger.models import Booking, ExternalRef, Portal
from b24app.scheduling.recurrence import Recurrence
from tests.factories import ADMIN as ADMIN_VIEWER
from tests.stand import ADMIN, APP_URL, EMPLOYEE, MANAGER, SECOND_MANAGER, Frame
from tests.web.desk import RULES, Desk, buttons, stage, words, wrong_fields
from tests.web.installed import Installed, everything


@pytest.fixture
def desk(installed: Installed) -> Desk:
    """MANAGER books as everybody may, SECOND_MANAGER approves, EMPLOYEE takes payments, ADMIN may everything."""
    made = Desk(installed, cast(Any, None))
    made.room = made.resource(name="Light")
    made.grant("approve", f"U{SECOND_MANAGER}")
    made.grant("manage", f"U{EMPLOYEE}")
    return made


# What each action does ----


def test_confirming_answers_with_the_panel_and_word_to_the_board(desk: Desk) -> None:
    booking = desk.book(desk.service(rules=RULES["hold"]))
    answer = desk.act(desk.open(), booking, "confirm")
    assert answer.status_code == 200
    assert stage(answer.text) == "conf: Confirmed"
    changed = {"number": booking.number, "words": "Booking confirmed", "undo": ""}
    assert json.loads(answer.headers["HX-Trigger"]) == {"b24:changed": changed}


def test_cancelling_names_an_address_that_takes_it_back_without_a_form(desk: Desk) -> None:
    booking, frame = desk.book(desk.service()), desk.open()
    answer = desk.act(frame, booking, "cancel")
    undo = json.loads(answer.headers["HX-Trigger"])["b24:changed"]["undo"]
    asked = {"headers": {**frame.headers, "Accept": "application/json"}, "base_url": APP_URL}
    back = frame.client.post(undo, **asked)
    assert (back.status_code, back.json) == (200, {"number": booking.number, "words": "Undone"})
    assert desk.state(booking).stage == "confirmed"
    again = frame.client.post(undo, **asked)
    assert again.status_code == 409
    assert again.json
    assert "meanwhile" in again.json["words"]


def test_a_comment_and_participants_are_written_down_and_told_in_the_history(desk: Desk) -> None:
    booking, frame = desk.book(desk.service()), desk.open()
    answer = desk.act(frame, booking, "details", notes="White background", participants=[MANAGER])
    now = desk.state(booking)
    assert (answer.status_code, now.notes, now.participants) == (200, "White background", [MANAGER])
    assert (now.revision, now.title) == (booking.revision + 1, booking.title), "the card of the CRM says the title"
    assert "Comment or participants changed" in words(answer.text)
    same = desk.act(frame, booking, "details", notes="White background", participants=[MANAGER])
    assert (same.status_code, desk.state(booking).revision) == (200, now.revision), "nothing differs"


def test_without_a_card_title_and_responsible_are_changed_here(desk: Desk) -> None:
    booking, frame = desk.book(desk.room), desk.open()
    with desk.installed.tx() as tx:
        tx.execute(update(Portal).values(level="A"))
    desk.act(frame, booking, "details", notes="", title="Portfolio", responsible=MANAGER)
    assert (desk.state(booking).title, desk.state(booking).responsible_id) == ("Portfolio", MANAGER)


def test_a_participant_whom_nobody_knows_is_refused_at_the_field_and_the_comment_stays_typed(desk: Desk) -> None:
    booking, frame = desk.book(desk.room), desk.open()
    answer = desk.act(frame, booking, "details", notes="Typed", participants=[999])
    assert (answer.status_code, desk.state(booking).notes) == (422, "")
    assert ">Typed</textarea>" in answer.text


def test_only_an_administrator_has_what_was_not_accepted_drawn_again(desk: Desk) -> None:
    booking = desk.book(desk.room)
    with desk.installed.tx() as tx:
        tx.execute(update(ExternalRef).values(parked_reason="Fill in the field “Source”", attempts=3, dirty_since=None))
    page = desk.open().get(f"/app/bookings/{booking.id}").text
    assert "Fill in the field “Source”" in words(page)
    assert "3 tries" in words(page)
    assert "draw-again" not in buttons(page)
    assert desk.open().post(f"/app/bookings/{booking.id}/draw-again").status_code == 403
    answer = desk.open(ADMIN).post(f"/app/bookings/{booking.id}/draw-again")
    assert "Sending to the portal" in words(answer.text)


def test_declining_keeps_the_reason(desk: Desk) -> None:
    booking = desk.book(desk.service(rules=RULES["manager"]))
    answer = desk.act(desk.open(SECOND_MANAGER), booking, "decline", reason="No daylight then")
    assert (desk.state(booking).stage, desk.state(booking).reason) == ("cancelled", "No daylight then")
    assert "No daylight then" in words(answer.text)


def test_cancelling_keeps_the_reason_and_the_fee(desk: Desk) -> None:
    booking = desk.book(desk.service(rules={"cancel_ladder": [{"hours": 48, "percent": 50}]}))
    frame = desk.open(EMPLOYEE)
    desk.pay(frame, booking, 2400)
    answer = desk.act(frame, booking, "cancel", reason="The client is ill")
    state, money = desk.state(booking), desk.money(booking)
    assert (state.stage, state.reason, state.payment) == ("cancelled", "The client is ill", "refund_due")
    assert (money.price, money.outstanding) == (Decimal(1200), Decimal(-1200))
    assert "The booking was cancelled The client is ill" in words(answer.text)


def test_arriving_and_completing(desk: Desk) -> None:
    booking = desk.book(desk.room, 1)
    assert desk.act(desk.open(), booking, "check-in").status_code == 200
    assert desk.state(booking).checked_in_at == desk.now
    desk.forward(hours=1.5)
    assert stage(desk.act(desk.open(), booking, "complete").text) == "done: Completed"


def test_a_no_show_leaves_its_fee(desk: Desk) -> None:
    booking = desk.book(desk.service(rules={"no_show_percent": 50}), 1)
    desk.forward(hours=1.5)
    answer = desk.act(desk.open(), booking, "no-show")
    assert stage(answer.text) == "nosh: No-show"
    assert desk.money(booking).price == Decimal(1200)


def test_reopening_brings_it_back(desk: Desk) -> None:
    booking, frame = desk.book(desk.service()), desk.open()
    desk.act(frame, booking, "cancel")
    desk.forward(minutes=20)
    assert stage(desk.act(frame, booking, "reopen").text) == "conf: Confirmed"
    assert desk.money(booking).price == Decimal(2400)


def test_reopening_what_somebody_else_has_taken_is_refused_with_the_reason(desk: Desk) -> None:
    booking, frame = desk.book(desk.room), desk.open()
    desk.act(frame, booking, "cancel")
    desk.book(desk.room)
    before = everything(desk.installed.engine)
    answer = desk.act(frame, booking, "reopen")
    assert answer.status_code == 409
    assert "This time has just been taken Light – taken 9:00–10:00" in words(answer.text)
    assert everything(desk.installed.engine) == before


def test_pinning(desk: Desk) -> None:
    booking, frame = desk.book(desk.resource(kind="equipment", name="Tripods", units=3)), desk.open()
    assert desk.act(frame, booking, "pin", pinned="1").status_code == 200
    assert desk.state(booking).pinned
    desk.act(frame, booking, "pin", pinned="0")
    assert not desk.state(booking).pinned
    assert desk.act(frame, booking, "pin", pinned="x").status_code == 422


# Undo ----


@pytest.mark.parametrize("action", ["check-in", "cancel", "complete", "no-show"])
def test_what_was_done_just_now_is_undone(desk: Desk, action: str) -> None:
    booking = desk.book(desk.service(), 1)
    desk.forward(hours=1.1 if action in ("complete", "no-show") else 0)
    frame = desk.open()
    before, price = desk.state(booking), desk.money(booking).price
    answer = desk.act(frame, booking, action)
    assert "undo" in buttons(answer.text)
    answer = desk.act(frame, booking, "undo")
    assert answer.status_code == 200, words(answer.text)
    after = desk.state(booking)
    assert (after.stage, after.checked_in_at, after.reason) == (before.stage, before.checked_in_at, "")
    assert desk.money(booking).price == price
    assert "undo" not in buttons(answer.text), "what was undone is not undone again"


def test_a_booking_that_was_made_just_now_is_taken_back(desk: Desk) -> None:
    booking, frame = desk.book(desk.room), desk.open()
    answer = desk.act(frame, booking, "undo")
    assert desk.state(booking).stage == "cancelled"
    assert "The booking was taken back at once" in words(answer.text)


def test_undo_is_offered_for_a_quarter_of_an_hour_to_who_did_it(desk: Desk) -> None:
    booking, frame = desk.book(desk.room), desk.open()
    desk.act(frame, booking, "cancel")
    assert "undo" not in buttons(desk.open(ADMIN).get(f"/app/bookings/{booking.id}").text)
    desk.forward(minutes=16)
    assert "undo" not in buttons(frame.get(f"/app/bookings/{booking.id}").text)
    before = everything(desk.installed.engine)
    assert desk.act(frame, booking, "undo").status_code == 403
    assert everything(desk.installed.engine) == before


# Two who want one time ----


def test_of_two_payers_the_second_has_lost_and_gets_his_money_back(desk: Desk) -> None:
    service = desk.service(rules=RULES["payment"])
    first, second = desk.book(service), desk.book(service)
    frame = desk.open(EMPLOYEE)
    assert stage(desk.pay(frame, first, 1200).text) == "conf: Confirmed"
    answer = desk.pay(frame, second, 1200)
    assert answer.status_code == 200
    assert (desk.state(second).stage, desk.state(second).reason) == ("cancelled", "lost")
    assert desk.state(second).payment == "refund_due"
    assert "Somebody else got the time" in words(answer.text)
    assert "To be given back: RUB 1,200" in words(answer.text)


def test_a_rival_is_confirmed_from_the_panel_of_another(desk: Desk) -> None:
    service = desk.service(rules=RULES["manager"])
    shown, rival = desk.book(service), desk.book(service)
    frame = desk.open(SECOND_MANAGER)
    page = frame.get(f"/app/bookings/{shown.id}").text
    assert f'hx-post="/app/bookings/{rival.id}/confirm" hx-vals=\'{{"revision": 1}}\'' in page
    answer = desk.act(frame, rival, "confirm")
    assert stage(answer.text) == "conf: Confirmed"
    assert f"№ {shown.number}" in words(answer.text).split("lost this time")[1]
    assert desk.state(shown).reason == "lost"


def test_a_request_whose_time_is_held_is_refused_with_what_is_in_the_way(desk: Desk) -> None:
    asked = desk.book(desk.service(rules=RULES["manager"]))
    desk.book(desk.service(rules=RULES["hold"]))
    frame = desk.open(SECOND_MANAGER)
    before = everything(desk.installed.engine)
    answer = desk.act(frame, asked, "confirm")
    assert answer.status_code == 409
    assert "Light – taken 9:00–10:00" in words(answer.text)
    assert everything(desk.installed.engine) == before


def test_a_hold_that_is_over_cannot_be_confirmed(desk: Desk) -> None:
    booking = desk.book(desk.service(rules=RULES["hold"]))
    desk.forward(hours=2)
    answer = desk.act(desk.open(), booking, "confirm")
    assert answer.status_code == 403
    assert "The time to confirm this booking is over" in words(answer.text)


# Money ----


def test_a_payment_is_kept_as_it_was_typed(desk: Desk) -> None:
    booking = desk.book(desk.service())
    answer = desk.pay(
        desk.open(EMPLOYEE), booking, "1 200,50", method="transfer", on_day="2026-03-09", note="Invoice 7"
    )
    assert answer.status_code == 200
    (record,) = desk.money(booking).records
    assert (record.kind, record.amount, record.method, record.note, record.on_day.isoformat()) == (
        "payment", Decimal("1200.50"), "transfer", "Invoice 7", "2026-03-09",
    )  # fmt: skip
    assert record.recorded_by == f"user:{EMPLOYEE}"


def test_a_form_sent_twice_records_once(desk: Desk) -> None:
    booking, frame, key = desk.book(desk.service()), desk.open(EMPLOYEE), uuid.uuid4().hex
    for _ in range(2):
        assert desk.pay(frame, booking, 1200, request_key=key).status_code == 200
    assert desk.money(booking).paid == Decimal(1200)


BAD_MONEY: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "nothing": ("payments", {"amount": ""}, {"amount": "Fill this in"}),
    "zero": ("payments", {"amount": "0"}, {"amount": "Enter an amount above zero"}),
    "negative": ("payments", {"amount": "-5"}, {"amount": "Enter an amount above zero"}),
    "no amount": ("payments", {"amount": "a lot"}, {"amount": "Enter an amount, for example 1500 or 1500.50"}),
    "not a number": ("payments", {"amount": "NaN"}, {"amount": "Enter an amount, for example 1500 or 1500.50"}),
    "parts of a kopeck": (
        "payments", {"amount": "10.005"},
        {"amount": "This currency has no such small parts. Shorten the amount"},
    ),
    "absurd": (
        "payments", {"amount": "100000000.01"}, {"amount": "This number is too large to be true. Check it"},
    ),
    "a method that is none": ("payments", {"method": "barter"}, {"method": "Choose a value from the list"}),
    "a day that is none": ("payments", {"on_day": "2026-02-30"}, {"on_day": "Enter a date, for example 2026-03-12"}),
    "next week": ("payments", {"on_day": "2026-03-17"}, {"on_day": "This number is out of range"}),
    "a novel": ("payments", {"note": "x" * 501}, {"note": "This text is too long. Shorten it"}),
    "more than was paid": ("refunds", {"amount": "0.01"}, {"amount": "This is more than was paid"}),
    "no key": ("payments", {"request_key": ""}, {"request_key": "This page is out of date. Open it again"}),
    "everything": (
        "payments", {"amount": "x", "method": "", "on_day": ""},
        {"amount": "Enter an amount, for example 1500 or 1500.50", "method": "Fill this in", "on_day": "Fill this in"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_MONEY)
def test_money_that_cannot_be_names_its_field_and_changes_nothing(desk: Desk, name: str) -> None:
    action, changed, expected = BAD_MONEY[name]
    booking, frame = desk.book(desk.service()), desk.open(EMPLOYEE)
    before = everything(desk.installed.engine)
    answer = desk.pay(frame, booking, **{"amount": "1200", "action": action, **changed})
    assert answer.status_code == 422
    if action == "payments":
        assert wrong_fields(answer) == {f"payment-{field}": said for field, said in expected.items()}
        form = answer.text[answer.text.index('id="payment"') :].split(">", 1)[0]
        assert "hidden" not in form, "the form is shown again"
        assert f'value="{changed.get("amount", "1200")}"' in answer.text
    for said in expected.values():
        assert said in words(answer.text)
    assert everything(desk.installed.engine) == before


def test_a_refund_of_too_much_is_refused_at_its_field(desk: Desk) -> None:
    booking, frame = desk.book(desk.service()), desk.open(EMPLOYEE)
    desk.pay(frame, booking, 1200)
    answer = desk.pay(frame, booking, 1300, "refunds")
    assert answer.status_code == 422
    assert wrong_fields(answer) == {"refund-amount": "This is more than was paid"}


def test_withdrawing_a_record_asks_for_the_reason(desk: Desk) -> None:
    booking, frame = desk.book(desk.service()), desk.open(EMPLOYEE)
    desk.pay(frame, booking, 1200)
    (record,) = desk.money(booking).records
    before = everything(desk.installed.engine)
    refused = desk.act(frame, booking, "void", record=record.id, reason="  ")
    assert refused.status_code == 422
    assert wrong_fields(refused) == {"void-reason": "Fill this in"}
    assert everything(desk.installed.engine) == before
    answer = desk.act(frame, booking, "void", record=record.id, reason="Typed twice")
    assert "Withdrawn: Typed twice" in words(answer.text)
    assert desk.money(booking).paid == 0
    assert desk.state(booking).payment == "due"


@pytest.mark.parametrize("record", ["", "x", "-1", "9007199254740991"])
def test_a_record_that_is_not_there(desk: Desk, record: str) -> None:
    booking, frame = desk.book(desk.service()), desk.open(EMPLOYEE)
    before = everything(desk.installed.engine)
    answer = desk.act(frame, booking, "void", record=record, reason="No")
    assert answer.status_code in (404, 422)
    assert everything(desk.installed.engine) == before


def test_a_record_of_another_booking_is_not_withdrawn_from_here(desk: Desk) -> None:
    paid, other, frame = desk.book(desk.service()), desk.book(desk.room, 30), desk.open(EMPLOYEE)
    desk.pay(frame, paid, 1200)
    (record,) = desk.money(paid).records
    assert desk.act(frame, other, "void", record=record.id, reason="No").status_code == 404
    assert desk.money(paid).paid == Decimal(1200)


# Series ----


def series(desk: Desk, count: int = 4) -> list[Booking]:
    """A booking of the room on the same hour of as many days, the first in an hour."""
    with desk.installed.tx() as tx:
        days = [(desk.now + timedelta(days=n)).date() for n in range(count)]
        request = BookingRequest(desk.hours(1), resource_id=desk.room.id)
        return book_series(
            tx, desk.installed.portal(), request, Recurrence("daily", count=count), days, viewer=ADMIN_VIEWER,
            now=desk.now,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "cancelled"), [("this", {2}), ("following", {2, 3}), ("all", {0, 1, 2, 3}), (None, {2})]
)
def test_a_series_is_cancelled_as_far_as_is_meant(desk: Desk, scope: str | None, cancelled: set[int]) -> None:
    made = series(desk)
    answer = desk.act(desk.open(ADMIN), made[2], "cancel", **({"scope": scope} if scope else {}))
    assert answer.status_code == 200
    stages = [desk.state(one).stage for one in made]
    assert {n for n, one in enumerate(stages) if one == "cancelled"} == cancelled
    assert "Which dates of the series" not in answer.text


def test_one_undo_brings_back_all_that_one_click_has_cancelled(desk: Desk) -> None:
    made, frame = series(desk), desk.open(ADMIN)
    desk.act(frame, made[1], "cancel", scope="following")
    assert desk.act(frame, made[1], "undo").status_code == 200
    assert {desk.state(one).stage for one in made} == {"confirmed"}


def test_a_scope_that_is_none_is_refused(desk: Desk) -> None:
    made, frame = series(desk), desk.open(ADMIN)
    before = everything(desk.installed.engine)
    assert desk.act(frame, made[0], "cancel", scope="everybody").status_code == 422
    assert everything(desk.installed.engine) == before


# Who may, and on what state ----

BY_REVISION = ("confirm", "decline", "cancel", "check-in", "complete", "no-show", "reopen", "undo", "pin")
ACTIONS = (*BY_REVISION, "payments", "refunds", "void")


def send(desk: Desk, frame: Frame, booking: Booking, action: str, **form: Any) -> Any:
    """The action with a form that is right."""
    if action in ("payments", "refunds"):
        return desk.pay(frame, booking, 100, action, **form)
    return desk.act(frame, booking, action, **{"pinned": "1", "reason": "Because", "record": 1, **form})


@pytest.mark.parametrize("action", BY_REVISION)
def test_a_state_that_was_changed_meanwhile_is_409_with_the_new_one(desk: Desk, action: str) -> None:
    booking = desk.book(desk.service(rules=RULES["hold"]))
    frame = desk.open(ADMIN)
    desk.act(frame, booking, "pin", pinned="1")
    before = everything(desk.installed.engine)
    answer = send(desk, frame, booking, action, revision=1, **({"pinned": "0"} if action == "pin" else {}))
    assert answer.status_code == 409
    assert "Somebody has changed this meanwhile" in words(answer.text)
    assert 'name="revision" value="2"' in answer.text
    assert "HX-Trigger" not in answer.headers
    assert everything(desk.installed.engine) == before


@pytest.mark.parametrize("revision", ["", "x", "1.5", "99999999999999999999"])
def test_a_revision_that_is_none_is_refused(desk: Desk, revision: str) -> None:
    booking, frame = desk.book(desk.room), desk.open()
    before = everything(desk.installed.engine)
    answer = desk.act(frame, booking, "cancel", revision=revision)
    assert answer.status_code == 422
    assert everything(desk.installed.engine) == before


@pytest.mark.parametrize("action", ACTIONS)
def test_who_may_see_and_not_change_is_refused_with_the_panel(desk: Desk, action: str) -> None:
    booking = desk.book(desk.service(rules=RULES["hold"]))
    desk.grant("see", alone=True)
    frame = desk.open(SECOND_MANAGER)
    before = everything(desk.installed.engine)
    answer = send(desk, frame, booking, action)
    # Which record it is about is looked at first, and there is none.
    assert answer.status_code == (404 if action == "void" else 403)
    if action != "void":
        assert f"Booking No. {booking.number}" in words(answer.text)
        assert 'id="problems"' in answer.text
    assert everything(desk.installed.engine) == before


@pytest.mark.parametrize("action", ACTIONS)
def test_who_may_not_even_see_it_is_told_that_there_is_none(desk: Desk, action: str) -> None:
    booking = desk.book(desk.service(rules=RULES["hold"]))
    desk.grant("busy", alone=True)
    frame = desk.open(SECOND_MANAGER)
    before = everything(desk.installed.engine)
    answer = send(desk, frame, booking, action)
    assert answer.status_code == 404
    assert "Portrait" not in answer.text
    assert everything(desk.installed.engine) == before


@pytest.mark.parametrize("action", ACTIONS)
def test_a_booking_that_does_not_exist(desk: Desk, action: str) -> None:
    nobody = Booking(id=uuid.UUID(int=7))
    frame = desk.open(ADMIN)
    form = {"pinned": "1", "reason": "Because", "record": 1, "revision": 1, "amount": 1, "method": "cash"}
    answer = frame.post(f"/app/bookings/{nobody.id}/{action}", **form, on_day="2026-03-10", request_key="k")
    assert answer.status_code == 404


# Which buttons there are ----

EVERYBODY = (MANAGER, SECOND_MANAGER, EMPLOYEE)
SHOWN: dict[str, dict[int, set[str]]] = {
    # the author and responsible, an approver, who takes payments
    "hold": {
        MANAGER: {"confirm", "cancel", "undo", "details"}, SECOND_MANAGER: {"confirm", "decline"},
        EMPLOYEE: {"confirm", "cancel", "payments", "details"},
    },
    "manager": {
        MANAGER: {"cancel", "undo", "details"}, SECOND_MANAGER: {"confirm", "decline"},
        EMPLOYEE: {"confirm", "decline", "payments", "details"},
    },
    "payment": {
        MANAGER: {"cancel", "undo", "details"}, SECOND_MANAGER: {"decline"},
        EMPLOYEE: {"decline", "payments", "details"},
    },
}  # fmt: skip


@pytest.mark.parametrize("rules", SHOWN)
@pytest.mark.parametrize("person", EVERYBODY)
def test_each_sees_the_buttons_that_he_may_press(desk: Desk, rules: str, person: int) -> None:
    booking = desk.book(desk.service(rules=RULES[rules]))
    assert buttons(desk.open(person).get(f"/app/bookings/{booking.id}").text) == SHOWN[rules][person]


def test_who_only_sees_a_booking_sees_no_buttons(desk: Desk) -> None:
    booking = desk.book(desk.service(rules=RULES["hold"]))
    desk.grant("see", alone=True)
    assert buttons(desk.open(SECOND_MANAGER).get(f"/app/bookings/{booking.id}").text) == set()
