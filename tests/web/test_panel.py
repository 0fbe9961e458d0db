"""What the panel of a booking and the tab of a card say: where it stands, its money, its rivals, its history."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from b24app import texts
from b24app.booking.clients import ClientData
from b24app.booking.reserve import BookingRequest
from b24app.booking.series import book_series
from b24app.ledger.models import Booking, History, Portal
from b24app.ledger.occupancy import as_interval
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy, Rung
from b24app.scheduling.pricing import Extra, PriceRule, Tariff, quote
from b24app.scheduling.recurrence import Recurrence
from b24app.web import history, prices
from b24app.web.history import Tongue
from b24app.web.standing import Look
from tests.factories import ADMIN as ADMIN_VIEWER
from tests.stand import ADMIN, EMPLOYEE, MANAGER
from tests.web.desk import RULES, Desk, buttons, filled, stage, words
from tests.web.installed import Installed
from tests.web.test_board import counted

MOSCOW = ZoneInfo("Europe/Moscow")
DEAL_TAB = "CRM_DEAL_DETAIL_TAB"


@pytest.fixture
def desk(installed: Installed) -> Desk:
    made = Desk(installed, cast(Any, None))
    made.room = made.resource(name="Light", city="Moscow")
    return made


# Where it stands ----


def test_a_hold_says_until_when_and_how_long_that_is(desk: Desk) -> None:
    booking = desk.book(desk.service(rules=RULES["hold"]))
    desk.forward(minutes=55)
    frame = desk.open()
    page = frame.get(f"/app/bookings/{booking.id}").text
    assert stage(page) == "hold: Pre-booking"
    assert "The time is held until 11:00, 1 h 5 min left" in words(page)


def test_a_hold_that_is_over_has_expired_before_anybody_writes_it_down(desk: Desk) -> None:
    booking = desk.book(desk.service(rules=RULES["hold"]))
    desk.forward(hours=2)
    page = desk.open().get(f"/app/bookings/{booking.id}").text
    assert desk.state(booking).stage == "prebooked"
    assert stage(page) == "canc: Expired"
    assert "The term has passed" in words(page)
    assert buttons(page) == {"reopen"}


@pytest.mark.parametrize(
    ("rules", "said"),
    [("payment", "The first payment gets the time. It waits until 12:00."),
     ("manager", "The one that is confirmed gets the time. It waits until 12:00.")],
)  # fmt: skip
def test_a_request_says_that_it_holds_nothing(desk: Desk, rules: str, said: str) -> None:
    booking = desk.book(desk.service(rules=RULES[rules]))
    page = desk.open().get(f"/app/bookings/{booking.id}").text
    assert stage(page) == "req: Request"
    assert f"A request: it holds nothing {said}" in words(page)
    assert "The event in the calendar appears after the confirmation" in words(page)


def test_a_paid_request_awaits_its_manager(desk: Desk) -> None:
    booking = desk.book(desk.service(rules=RULES["manager"]))
    frame = desk.open(ADMIN)
    desk.pay(frame, booking, 2400)
    assert "It is paid and awaits confirmation." in desk.panel(frame, booking)


def test_what_somebody_may_only_ask_for_waits_for_approval(desk: Desk) -> None:
    desk.grant("request", alone=True)
    booking = desk.book(desk.room)
    page = desk.panel(desk.open(), booking)
    assert "Somebody has to approve this The time is held until 11 March, 9:00." in page


def test_a_payment_that_is_due_and_one_that_is_overdue(desk: Desk) -> None:
    booking = desk.book(desk.service(rules={"pay_minutes": 60}))
    frame = desk.open()
    assert "To be paid until 10:00" in desk.panel(frame, booking)
    desk.forward(hours=1)
    assert "The payment is overdue It was due until 10:00." in desk.panel(desk.open(), booking)


def test_what_has_ended_is_asked_about(desk: Desk) -> None:
    booking = desk.book(desk.service(rules={"after_end": "ask"}), 1)
    desk.forward(hours=2)
    page = desk.open().get(f"/app/bookings/{booking.id}").text
    assert "The time has passed: what became of the booking?" in words(page)
    assert filled(page) == ["Complete"]
    assert "no-show" in buttons(page)


def test_who_has_come_is_noted(desk: Desk) -> None:
    booking = desk.book(desk.service(), 1)
    frame = desk.open()
    desk.act(frame, booking, "check-in")
    assert "The client has come 9:00" in desk.panel(frame, booking)


def test_a_lost_request_offers_the_nearest_free_times(desk: Desk) -> None:
    service = desk.service(rules=RULES["manager"])
    lost, won = desk.book(service), desk.book(service)
    frame = desk.open(ADMIN)
    assert desk.act(frame, won, "confirm").status_code == 200
    page = frame.get(f"/app/bookings/{lost.id}").text
    assert stage(page) == "canc: Cancelled"
    assert "Somebody else got the time Nearest free times: Wed, 11 March, 7:00–8:00" in words(page)
    links = re.findall(r'hx-get="(/app/bookings/new\?[^"]*start=[^"]+)"', page)
    starts = [int(re.findall(r"start=(\d+)", link)[0]) for link in links]
    assert [datetime.fromtimestamp(one, UTC) for one in starts] == [
        desk.now + timedelta(hours=hours) for hours in (22, 23, 25)
    ]  # fmt: skip
    assert all(f"service={service.id}" in link for link in links)


def test_an_expired_hold_of_a_bare_resource_offers_that_resource(desk: Desk) -> None:
    booking = desk.book(desk.room, intent="hold")
    desk.change(booking, held_until=desk.now)
    page = desk.open().get(f"/app/bookings/{booking.id}").text
    assert "Nobody confirmed it in time. It holds nothing any more. Nearest free times: Wed, 11 March" in words(page)
    assert f"resource={desk.room.id}" in page


def test_who_may_not_book_is_offered_nothing(desk: Desk) -> None:
    booking = desk.book(desk.room, intent="hold")
    desk.change(booking, held_until=desk.now)
    desk.grant("see", alone=True)
    page = desk.open(EMPLOYEE).get(f"/app/bookings/{booking.id}").text
    assert "The term has passed" in words(page)
    assert "/app/bookings/new" not in page


def test_a_declined_request_says_why(desk: Desk) -> None:
    booking = desk.book(desk.service(rules=RULES["manager"]))
    frame = desk.open(ADMIN)
    desk.act(frame, booking, "decline", reason="The studio is being painted")
    page = desk.panel(frame, booking)
    assert "The request was declined The studio is being painted" in page


def test_declining_what_was_paid_says_that_it_is_given_back(desk: Desk) -> None:
    booking, frame = desk.book(desk.service(rules=RULES["manager"])), desk.open(ADMIN)
    desk.pay(frame, booking, 1200)
    page = frame.get(f"/app/bookings/{booking.id}").text
    form = words(page[page.index('id="decline"') : page.index("Do not decline")])
    assert "The client has paid RUB 1,200 To be given back RUB 1,200" in form
    assert "Decline and give back RUB 1,200" in form


# What, where, whose ----


def test_the_facts(desk: Desk) -> None:
    tripods = desk.resource(kind="equipment", name="Tripods", units=5)
    service = desk.service((desk.room, 1), (tripods, 2), name="Portrait")
    desk.book(desk.service((tripods, 1), max_minutes=60))
    booking = desk.book(service, party=1, title="Portfolio")
    page = desk.panel(desk.open(), booking)
    for part in ("Wed, 11 March, 9:00–10:00", "1 h", "Portrait", "Tripods 2 of 5, places 2 and 3", "Portfolio"):
        assert part in page
    assert "Light Moscow" in page, "one alone has no number"


def test_a_party_and_a_price_group(desk: Desk) -> None:
    hall = desk.resource(kind="hall", name="Hall", capacity=8)
    client = ClientData("person", "Maria", "+79000000001")
    booking = desk.book(desk.service((hall, 1)), party=5, client=client, group="regulars")
    page = desk.panel(desk.open(), booking)
    assert "for 5 people" in page
    assert "Price group: regulars" in page


def test_one_of_equal_places_may_be_fixed(desk: Desk) -> None:
    tripods = desk.resource(kind="equipment", name="Tripods", units=3)
    booking = desk.book(tripods)
    frame = desk.open()
    assert "Fix it to this place" in desk.panel(frame, booking)
    assert "Release it from its place" in words(desk.act(frame, booking, "pin", pinned="1").text)
    assert "Fix it to this place" in words(desk.act(frame, booking, "pin", pinned="0").text)
    assert "this place" not in desk.panel(frame, desk.book(desk.room))


def test_how_far_off_it_is(desk: Desk) -> None:
    booking, frame = desk.book(desk.room, 24.5, 2), desk.open()
    assert "2 h, in 24 h 30 min" in desk.panel(frame, booking)
    desk.forward(hours=25)
    assert "under way, 1 h 30 min left" in desk.panel(desk.open(), booking)
    desk.forward(days=3)
    assert "ended 2 days ago" in desk.panel(desk.open(), booking)


def test_how_a_client_has_kept_his_bookings(desk: Desk) -> None:
    client = ClientData("contact", "Maria", "+79000000001", crm_id=1)
    first = desk.book(desk.room, client=client)
    assert "the first booking" in desk.panel(desk.open(), first)
    missed = desk.book(desk.room, 26, client=client)
    desk.change(missed, stage="no_show")
    desk.change(desk.book(desk.room, 28, client=client), stage="cancelled")
    assert "2 bookings, 1 no-show" in desk.panel(desk.open(), first)


# Stages ----


def way(page: str) -> list[str]:
    """The steps with their states: «was Pre-booking»."""
    steps = page[page.index('<ol class="stages"') : page.index("</ol>", page.index('<ol class="stages"'))]
    found = re.findall(r'<li class="(\w*)[^"]*"[^>]*><b>([^<]*)</b><small>(.*?)</small>', steps)
    return [" ".join(filter(None, (state, words(name), words(when)))) for state, name, when in found]


def test_the_stages_of_what_is_held_and_then_paid(desk: Desk) -> None:
    booking, frame = desk.book(desk.service(rules=RULES["hold"])), desk.open(ADMIN)
    page = frame.get(f"/app/bookings/{booking.id}").text
    assert way(page) == ["cur Pre-booking until 11:00", "Confirmed", "Paid RUB 2,400 expected",
                         "Completed 11 March, 10:00"]  # fmt: skip
    desk.forward(minutes=30)
    page = desk.pay(desk.open(ADMIN), booking, 2400).text
    assert way(page) == ["was Pre-booking today, 9:00", "was Confirmed today, 9:30", "cur Paid today, 9:30",
                         "Completed 11 March, 10:00"]  # fmt: skip


def test_what_costs_nothing_and_was_never_held_has_two_stages(desk: Desk) -> None:
    page = desk.open().get(f"/app/bookings/{desk.book(desk.room).id}").text
    assert way(page) == ["cur Confirmed today, 9:00", "Completed 11 March, 10:00"]


def test_a_way_that_ended_badly_ends_there(desk: Desk) -> None:
    booking, frame = desk.book(desk.service(rules=RULES["hold"])), desk.open(ADMIN)
    desk.act(frame, booking, "confirm")
    page = desk.act(frame, booking, "cancel").text
    assert way(page) == ["was Pre-booking today, 9:00", "was Confirmed today, 9:00", "bad Cancelled today, 9:00"]
    over = desk.book(desk.service(rules=RULES["hold"]), 30)
    desk.forward(hours=3)
    assert way(desk.open().get(f"/app/bookings/{over.id}").text) == ["was Pre-booking today, 9:00",
                                                                     "bad Expired today, 11:00"]  # fmt: skip


def test_reminders_and_notices_are_told_with_who_gets_them(desk: Desk) -> None:
    booking = desk.book(desk.room, by=ADMIN, responsible_id=MANAGER)
    page = desk.panel(desk.open(ADMIN), booking)
    notices = page[page.index("Notices") : page.index("History")]
    assert "Booking made" in notices
    assert re.search(r"Reminder 1 h before .* 11 March, 8:00", notices)


def test_opening_a_panel_costs_few_statements(desk: Desk) -> None:
    client = ClientData("person", "Maria")
    booking = desk.book(desk.service(rules={"cancel_ladder": [{"hours": 48, "percent": 50}]}), 24, client=client)
    frame = desk.open()
    frame.get(f"/app/bookings/{booking.id}")
    with counted(desk.installed.engine) as sent:
        assert frame.get(f"/app/bookings/{booking.id}").status_code == 200
    assert len(sent) <= 17, sent


# Money ----


def test_the_price_line_by_line(desk: Desk) -> None:
    tariff = Tariff(
        "Studio", "hour", Decimal(2400), rules=(PriceRule(Decimal(3000), from_minute=600),),
        extras=(Extra("light", "Set of lights", Decimal(600)),), deposit_percent=50,
    )  # fmt: skip
    booking = desk.book(desk.service(tariff=tariff), 24, 2.5, extras={"light": 1})
    page = desk.panel(desk.open(), booking)
    expected = (
        "Money Not paid 9:00–10:00 1 h × RUB 2,400 RUB 2,400 10:00–11:30 1 h 30 min × RUB 3,000 RUB 4,500"
        " Set of lights 1 × RUB 600 RUB 600 Total RUB 7,500 Deposit RUB 3,750 Still to pay: RUB 7,500"
    )
    assert expected in page


def test_payments_and_refunds_are_listed_and_sum_up(desk: Desk) -> None:
    booking, frame = desk.book(desk.service()), desk.open(ADMIN)
    desk.pay(frame, booking, 1400, note="at the desk")
    desk.pay(frame, booking, 400, "refunds", method="transfer")
    page = desk.panel(frame, booking)
    assert "Partly paid Portrait 1 h × RUB 2,400 RUB 2,400" in page
    assert "Paid RUB 1,400, given back RUB 400 Still to pay: RUB 1,400" in page
    assert "Payment RUB 1,400, in cash, 10 March, at the desk" in page
    assert "Refund RUB 400, by bank transfer, 10 March" in page


def test_what_is_owed_back_is_the_thing_to_do(desk: Desk) -> None:
    booking, frame = desk.book(desk.service()), desk.open(ADMIN)
    desk.pay(frame, booking, 2400)
    answer = desk.act(frame, booking, "cancel")
    assert "To be refunded" in words(answer.text)
    assert "To be given back: RUB 2,400" in words(answer.text)
    assert filled(answer.text) == ["Give back RUB 2,400…"]
    assert 'id="f-refund-amount" name="amount" type="text" autocomplete="off" value="2400"' in answer.text


@pytest.mark.parametrize(("rules", "proposed"), [("hold", "1200"), ("payment", "1200"), (None, "2400")])
def test_the_next_payment_is_proposed(desk: Desk, rules: str | None, proposed: str) -> None:
    """Of what waits the deposit, otherwise all that is outstanding."""
    booking = desk.book(desk.service(rules=RULES[rules] if rules else None))
    page = desk.open(ADMIN).get(f"/app/bookings/{booking.id}").text
    assert f'id="f-payment-amount" name="amount" type="text" autocomplete="off" value="{proposed}"' in page
    assert f"Take RUB {int(proposed):,}…" in words(page)


def test_only_who_manages_sees_the_forms_for_money(desk: Desk) -> None:
    booking = desk.book(desk.service())
    page = desk.open().get(f"/app/bookings/{booking.id}").text
    assert "Still to pay: RUB 2,400" in words(page)
    assert not {"payments", "refunds", "void"} & buttons(page)


def test_what_costs_nothing_speaks_of_no_money(desk: Desk) -> None:
    booking = desk.book(desk.room)
    page = desk.open(ADMIN).get(f"/app/bookings/{booking.id}").text
    assert "Money" not in words(page)
    assert not {"payments", "refunds"} & buttons(page)


def test_the_rules_in_plain_words(desk: Desk) -> None:
    rules = {"cancel_ladder": [{"hours": 48, "percent": 50}], "no_show_percent": 100}
    booking = desk.book(desk.service(rules=rules))
    page = desk.panel(desk.open(), booking)
    assert "If it is cancelled rules of 10 March Free until 9 March, 9:00 Now: 50%: RUB 1,200 until the start" in page
    assert "Not coming costs 100% of the price It can be moved until 11 March, 9:00" in page


def test_how_often_it_may_still_be_moved(desk: Desk) -> None:
    rules = {"most_moves": 2, "move_until_minutes": 60}
    booking = desk.book(desk.service(rules=rules))
    assert "It can be moved 2 more times, until 11 March, 8:00" in desk.panel(desk.open(), booking)
    desk.change(booking, moves=2)
    assert "It cannot be moved any more" in desk.panel(desk.open(), booking)


def test_cancelling_shows_ladder_fee_and_refund_before_its_red_button(desk: Desk) -> None:
    ladder = [{"hours": 48, "percent": 50}, {"hours": 3, "percent": 100}]
    booking, frame = desk.book(desk.service(rules={"cancel_ladder": ladder}), 30), desk.open(ADMIN)
    desk.pay(frame, booking, 2400)
    page = frame.get(f"/app/bookings/{booking.id}").text
    form = words(page[page.index('id="cancel"') : page.index("Do not cancel")])
    assert "Free until 9 March, 15:00 Now: 50%: RUB 1,200 until 11 March, 12:00 100%: RUB 2,400 later" in form
    assert "The client has paid RUB 2,400 Fee by the rules RUB 1,200 To be given back RUB 1,200" in form
    assert form.index("To be given back") < form.index("Cancel and keep RUB 1,200")


def test_a_hold_is_cancelled_without_a_ladder(desk: Desk) -> None:
    rules = RULES["hold"] | {"cancel_ladder": [{"hours": 48, "percent": 50}]}
    booking = desk.book(desk.service(rules=rules))
    page = desk.open().get(f"/app/bookings/{booking.id}").text
    form = page[page.index('id="cancel"') : page.index("Do not cancel")]
    assert 'class="ladder"' not in form
    assert "keep" not in words(form)


def test_what_not_coming_costs_stands_before_its_button(desk: Desk) -> None:
    booking = desk.book(desk.service(rules={"no_show_percent": 50}), 1)
    desk.forward(hours=1.5)
    page = desk.open().get(f"/app/bookings/{booking.id}").text
    form = words(page[page.index('id="no-show"') :])
    assert "Fee by the rules RUB 1,200 The client still owes RUB 1,200" in form
    assert form.index("owes") < form.index("Note the no-show and keep RUB 1,200")


def look(now: datetime, currency: str = "RUB") -> Look:
    visit = SimpleNamespace(language="en")
    return Look(cast(Any, visit), Portal(currency=currency), MOSCOW, now)


@pytest.mark.parametrize(
    ("hours_left", "states"),
    [(49, ["now", "later", "later"]), (48, ["now", "later", "later"]), (47.99, ["past", "now", "later"]),
     (24, ["past", "now", "later"]), (1, ["past", "past", "now"])],
)  # fmt: skip
def test_the_step_of_the_ladder_that_is_in_force(hours_left: float, states: list[str]) -> None:
    start = datetime(2026, 3, 12, 9, tzinfo=UTC)
    policy = Policy(60, 60, 30, 365, cancel_ladder=(Rung(24, 100), Rung(48, 30)))
    during = Interval(start, start + timedelta(hours=1))
    steps = prices.ladder(look(start - timedelta(hours=hours_left)), policy, Decimal(999), during)
    assert [step.state for step in steps] == states
    assert [words(step.words) for step in steps] == ["Free", "30%: RUB 299.70", "100%: RUB 999"]


@pytest.mark.parametrize("policy", [Policy(60, 60, 30, 365), Policy(60, 60, 30, 365, cancel_ladder=(Rung(24, 0),))])
def test_what_never_costs_anything_has_no_ladder(policy: Policy) -> None:
    start = datetime(2026, 3, 12, 9, tzinfo=UTC)
    assert prices.ladder(look(start), policy, Decimal(999), Interval(start, start + timedelta(hours=1))) == []


@pytest.mark.parametrize(
    ("tariff", "hours", "told"),
    [(Tariff("t", "fixed", Decimal(500)), 2, [("Massage", "", "RUB 500")]),
     (Tariff("t", "day", Decimal(500)), 30, [("Massage", "2 days × RUB 500", "RUB 1,000")]),
     (Tariff("t", "slot", Decimal(500), slot_minutes=30), 1, [("Massage", "2 × RUB 500", "RUB 1,000")]),
     (Tariff("t", "hour", Decimal("9.99"), rounding=Decimal(10)), 1,
      [("Massage", "1 h × RUB 9.99", "RUB 9.99"), ("Rounding", "", "RUB 0.01")])],
)  # fmt: skip
def test_each_basis_in_words(tariff: Tariff, hours: float, told: list[tuple[str, str, str]]) -> None:
    start = datetime(2026, 3, 12, 9, tzinfo=UTC)
    made = quote(tariff, Interval(start, start + timedelta(hours=hours)), MOSCOW, "RUB")
    lines = prices.lines_in_words("en", made.lines, MOSCOW, "RUB", "Massage")
    plain = [
        tuple(part.replace("\N{NO-BREAK SPACE}", " ") for part in (one.words, one.how, one.amount)) for one in lines
    ]
    assert plain == told


# Rivals ----


def test_rivals_are_listed_with_who_when_and_whether_paid(desk: Desk) -> None:
    service = desk.service(rules=RULES["manager"])
    first = desk.book(service, client=ClientData("person", "Maria"))
    desk.forward(minutes=30)
    second = desk.book(service, 23.5, client=ClientData("person", "Dmitri"))
    desk.book(service, 26, client=ClientData("person", "Somebody else"))
    frame = desk.open(ADMIN)
    desk.pay(frame, first, 1200)
    page = frame.get(f"/app/bookings/{second.id}").text
    assert "1 more request for this time the confirmed one gets the time" in words(page)
    assert f"№ {first.number} Maria asked 9:00 RUB 2,400 Partly paid Confirm" in words(page)
    assert "Somebody else" not in page
    assert f'hx-post="/app/bookings/{first.id}/confirm"' in page
    assert "Confirm" not in desk.panel(desk.open(), second).split("more request")[1].split("Money")[0]


def test_who_is_confirmed_sees_who_has_lost(desk: Desk) -> None:
    service = desk.service(rules=RULES["manager"])
    won, lost = desk.book(service), desk.book(service, client=ClientData("person", "Dmitri"))
    elsewhere = desk.book(service, 26)
    answer = words(desk.act(desk.open(ADMIN), won, "confirm").text)
    assert f"1 request lost this time № {lost.number} Dmitri" in answer
    assert f"№ {elsewhere.number}" not in answer


def test_rivals_that_he_may_not_see_are_not_listed(desk: Desk) -> None:
    service = desk.service(rules=RULES["manager"])
    mine, other = desk.book(service), desk.book(service, by=ADMIN, client=ClientData("person", "Secret"))
    desk.grant("busy", alone=True)
    page = desk.panel(desk.open(), mine)
    assert "Secret" not in page
    assert str(other.number) not in page


# Series ----


def test_a_series_says_which_date_this_is(desk: Desk) -> None:
    with desk.installed.tx() as tx:
        request = BookingRequest(desk.hours(24), resource_id=desk.room.id)
        made = book_series(
            tx, desk.installed.portal(), request, Recurrence("weekly", count=20),
            [(desk.now + timedelta(days=1, weeks=n)).date() for n in range(20)], viewer=ADMIN_VIEWER, now=desk.now,
        )  # fmt: skip
    page = desk.panel(desk.open(ADMIN), made[2])
    assert "Series: 3 of 20, every week on Wed" in page
    assert "Wed, 11 March, 9:00–10:00 Confirmed" in page
    assert "Wed, 25 March, 9:00–10:00 Confirmed" not in page, "that is this one"
    assert "and 7 more dates" in page
    assert "Which dates of the series" in page


@pytest.mark.parametrize(
    ("recurrence", "said"),
    [(Recurrence("daily", count=2), "every day"), (Recurrence("daily", 3, count=2), "every 3 days"),
     (Recurrence("weekly", weekdays=(3, 1), count=2), "every week on Tue, Thu"),
     (Recurrence("weekly", 2, count=2), "every 2 weeks on Thu"),
     (Recurrence("monthly", count=2), "every month on day 12"),
     (Recurrence("monthly", 6, count=2), "every 6 months on day 12")],
)  # fmt: skip
def test_how_a_series_repeats(recurrence: Recurrence, said: str) -> None:
    first = datetime(2026, 3, 12, tzinfo=UTC).date()
    assert texts.repetition("en", recurrence.as_dict(), first) == said


# History ----

TONGUE = Tongue("en", MOSCOW, "RUB", {3: "Anna"}, {5: "Light", 6: "Dark"})
NINE = "2026-03-12T06:00:00+00:00"


def told(action: str, before: dict[str, Any], after: dict[str, Any], actor: str = "user:3") -> tuple[str, ...]:
    change = History(action=action, actor=actor, at=datetime(2026, 3, 10, 6, tzinfo=UTC), before=before, after=after)
    (entry,) = history.entries(TONGUE, [change])
    return tuple(words(part) for part in (entry.words, *entry.details, entry.who))


@pytest.mark.parametrize(
    ("action", "before", "after", "said"),
    [
        ("booked", {}, {"stage": "prebooked", "party": 3}, ("Booking made",)),
        ("confirmed", {"stage": "prebooked", "competes": True}, {"stage": "confirmed", "competes": False},
         ("Booking confirmed", "Request → Confirmed")),
        ("confirmed", {"stage": "prebooked"}, {"stage": "confirmed", "by": "payment"},
         ("Booking confirmed", "by the payment", "Pre-booking → Confirmed")),
        ("moved", {"start": NINE}, {"start": "2026-03-12T07:00:00+00:00"}, ("Booking moved", "from 9:00 → from 10:00")),
        ("moved", {"resources": [5]}, {"resources": [6]}, ("Booking moved", "Light → Dark")),
        ("cancelled", {"stage": "confirmed", "payment": "paid"},
         {"stage": "cancelled", "payment": "refund_due", "fee": "1200.00"},
         ("Booking cancelled", "Fee: RUB 1,200", "Confirmed → Cancelled", "Paid in full → To be refunded")),
        ("declined", {"stage": "prebooked"}, {"stage": "cancelled"}, ("Request declined", "Pre-booking → Cancelled")),
        ("expired", {"stage": "prebooked", "competes": True}, {"stage": "expired", "competes": False},
         ("The term has passed", "Request → Expired")),
        ("lost", {"stage": "prebooked", "competes": True}, {"stage": "cancelled", "competes": False},
         ("Somebody else got the time", "Request → Cancelled")),
        ("completed", {"stage": "confirmed"}, {"stage": "completed"}, ("Booking completed", "Confirmed → Completed")),
        ("no_show", {"stage": "confirmed"}, {"stage": "no_show"}, ("Nobody came", "Confirmed → No-show")),
        ("checked_in", {"checked_in": None}, {"checked_in": NINE}, ("The client has come",)),
        ("pinned", {"pinned": False}, {"pinned": True}, ("Fixed to its place",)),
        ("unpinned", {"pinned": True}, {"pinned": False}, ("No longer fixed to its place",)),
        ("asked", {}, {}, ("The person responsible has been asked how it ended",)),
        ("reopened", {"stage": "cancelled"}, {"stage": "confirmed"},
         ("Booking taken up again", "Cancelled → Confirmed")),
        ("undone", {"start": NINE}, {"start": "2026-03-13T06:00:00+00:00"},
         ("Undone", "from Thu, 12 March, 9:00 → from Fri, 13 March, 9:00")),
        ("paid", {"payment": "due"}, {"payment": "paid", "amount": "2400", "method": "cash"},
         ("Payment recorded", "RUB 2,400, in cash", "Not paid → Paid in full")),
        ("refunded", {}, {"amount": "99.50", "method": "transfer"}, ("Refund recorded", "RUB 99.50, by bank transfer")),
        ("voided", {"payment": "paid"}, {"payment": "due", "amount": "2400", "method": "terminal"},
         ("Record of a payment withdrawn", "RUB 2,400, by card", "Paid in full → Not paid")),
        ("changed", {"party": 3, "responsible": 3}, {"party": 1, "responsible": 9},
         ("Booking changed", "for 3 people → for 1 person", "Anna → Employee No. 9")),
    ],
)  # fmt: skip
def test_every_action_is_told_with_before_and_after(
    action: str, before: dict[str, Any], after: dict[str, Any], said: tuple[str, ...]
) -> None:
    assert told(action, before, after) == (*said, "Anna")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"stage": "dreamt", "payment": "gold", "colour": "red"}, {"stage": None, "payment": 7, "colour": "blue"}),
        ({"start": "yesterday", "end": None}, {"start": 5}),
        ({"resources": None}, {"resources": [99]}),
        ({"party": "many", "responsible": "me"}, {"party": None, "responsible": None}),
        ({}, {"amount": "lots", "method": "barter", "by": "magic", "fee": "?"}),
    ],
)  # fmt: skip
def test_nothing_unknown_in_the_history_is_a_problem(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert told("bewitched", before, after, "ghost:x")[0] == "Booking changed"


def test_the_whole_story_of_a_booking(desk: Desk) -> None:
    booking, frame = desk.book(desk.service(rules=RULES["hold"])), desk.open(ADMIN)
    desk.pay(frame, booking, 2400)
    desk.act(frame, booking, "cancel", reason="Illness")
    page = desk.panel(frame, booking)
    story = page[page.index("History") :]
    order = ["Booking cancelled", "Confirmed → Cancelled", "Paid in full → To be refunded", "Booking confirmed",
             "by the payment", "Payment recorded", "RUB 2,400, in cash", "Booking made"]  # fmt: skip
    assert [story.index(part) for part in order] == sorted(story.index(part) for part in order)


# The next step ----


@pytest.mark.parametrize(
    ("rules", "start", "forward", "next_step"),
    [
        ("hold", 24, 0, "Confirm"), ("manager", 24, 0, "Confirm"), ("payment", 24, 0, "Take RUB 1,200…"),
        (None, 24, 0, "Take RUB 2,400…"), (None, 1, 1.2, "The client has come"), (None, 1, 2, "Complete"),
    ],
)  # fmt: skip
def test_one_button_is_filled(desk: Desk, rules: str | None, start: float, forward: float, next_step: str) -> None:
    booking = desk.book(desk.service(rules=RULES[rules] if rules else None), start)
    desk.forward(hours=forward)
    page = desk.open(ADMIN).get(f"/app/bookings/{booking.id}").text
    assert filled(page) == [next_step]


def test_without_money_the_next_step_is_the_arrival_or_a_move(desk: Desk) -> None:
    frame = desk.open()
    near, far = desk.book(desk.room, 2), desk.book(desk.room, 48)
    assert filled(frame.get(f"/app/bookings/{near.id}").text) == ["The client has come"]
    assert filled(frame.get(f"/app/bookings/{far.id}").text) == ["Move"]


def test_an_unpaid_application_shows_and_changes_nothing(desk: Desk) -> None:
    booking = desk.book(desk.service())
    frame = desk.open(ADMIN)
    desk.installed.change(payment_expired=True)
    assert buttons(frame.get(f"/app/bookings/{booking.id}").text) == set()
    answer = desk.act(frame, booking, "cancel")
    assert answer.status_code == 403
    assert "has not been paid for" in words(answer.text)


def test_who_sees_only_what_is_taken_gets_404(desk: Desk) -> None:
    booking = desk.book(desk.service())
    desk.grant("busy", alone=True)
    frame = desk.open(EMPLOYEE)
    assert frame.get(f"/app/bookings/{booking.id}").status_code == 404
    assert frame.get(f"/app/bookings/no/{booking.number}").status_code == 404


# The tab ----


def test_the_tab_says_how_each_booking_stands(desk: Desk) -> None:
    hold, request = desk.service(rules=RULES["hold"]), desk.service(rules=RULES["manager"])
    desk.book(hold, 24, deal_id=1)
    desk.book(request, 26, deal_id=1)
    asked = desk.book(desk.service(rules={"after_end": "ask"}), 1, deal_id=1)
    late = desk.book(desk.service(rules={"pay_minutes": 60}), 30, deal_id=1)
    desk.forward(hours=1.9)
    desk.installed.stand.now = as_interval(asked.during).end
    desk.change(hold_of(desk, hold.id), held_until=desk.now + timedelta(hours=1))
    page = words(desk.open(place=DEAL_TAB, options={"ID": "1"}).get("/app/tab").text)
    for part in ("Pre-booking until 12:00", "Request awaits a decision", "what became of it?", "payment overdue"):
        assert part in page, part
    assert page.count("RUB 2,400") >= 4
    assert str(late.number) in page


def hold_of(desk: Desk, service_id: int) -> Booking:
    with desk.installed.tx() as tx:
        return tx.scalars(select(Booking).where(Booking.service_id == service_id)).one()


def test_the_tab_sends_as_many_statements_for_ten_bookings_as_for_one(desk: Desk) -> None:
    service = desk.service()
    desk.book(service, 24, deal_id=1)
    frame = desk.open(place=DEAL_TAB, options={"ID": "1"})

    def statements() -> int:
        with counted(desk.installed.engine) as sent:
            assert frame.get("/app/tab").status_code == 200
        return len(sent)

    statements()  # the card is read from the portal once
    one = statements()
    for n in range(9):
        desk.book(service, 26 + n, deal_id=1)
    assert statements() == one


def test_the_tab_offers_the_next_step_to_who_may_take_it(desk: Desk) -> None:
    booking = desk.book(desk.service(rules=RULES["manager"]), deal_id=1)
    mine = desk.open(place=DEAL_TAB, options={"ID": "1"}).get("/app/tab").text
    theirs = desk.open(ADMIN, place=DEAL_TAB, options={"ID": "1"}).get("/app/tab").text
    path = f'hx-post="/app/bookings/{booking.id}/confirm"'
    assert path not in mine
    assert path in theirs


def test_expired_and_cancelled_bookings_of_a_card_are_folded_away(desk: Desk) -> None:
    desk.book(desk.service(rules=RULES["hold"]), deal_id=1)
    desk.forward(hours=3)
    page = words(desk.open(place=DEAL_TAB, options={"ID": "1"}).get("/app/tab").text)
    assert "1 cancelled or expired" in page
    assert "Expired" in page
