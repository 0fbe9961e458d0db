"""What the form shows before anything is decided: what can be chosen, price, rules, outcome, free times."""

from __future__ import annotations

import html
import json
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from b24app.booking.closures import ClosureData, save_closure
from b24app.ledger.models import Grant, Resource, Service
from b24app.scheduling.pricing import Extra, PriceRule, Tariff
from tests.conftest import NOW
from tests.factories import ADMIN as ADMIN_VIEWER
from tests.factories import OFFICE, make_resource
from tests.stand import ADMIN, EMPLOYEE, MANAGER, SECOND_MANAGER, Frame
from tests.web.desk import RULES, Desk, words
from tests.web.installed import Installed, everything
from tests.web.test_booking_kinds import post
from tests.web.test_bookings import value_of

TODAY, DAY = "2026-03-10", "2026-03-11"
TARIFF = Tariff(
    "Studio", "hour", Decimal(2400), (PriceRule(Decimal(3000), from_minute=18 * 60),),
    (Extra("light", "Light", Decimal(600)), Extra("tea", "Tea", Decimal(50), "person")), deposit_percent=50,
)  # fmt: skip


@pytest.fixture
def desk(installed: Installed) -> Desk:
    with installed.tx() as tx:
        room = make_resource(tx, installed.portal(), now=installed.stand.now, name="Oka", hours=OFFICE, capacity=10)
    return Desk(installed, room)


@pytest.fixture
def frame(desk: Desk) -> Frame:
    return desk.open()


def asked(what: Service | Resource, **changed: Any) -> dict[str, Any]:
    """The form's address for tomorrow from 12 to 13."""
    named = f"s{what.id}" if isinstance(what, Service) else what.id
    return {"resource": named, "date": DAY, "start": "12:00", "end": "13:00", **changed}


def told(frame: Frame, what: Service | Resource, **changed: Any) -> str:
    """What the form tells about this."""
    answer = frame.get("/app/bookings/terms", **asked(what, **changed))
    assert answer.status_code == 200, answer.text
    return answer.text


def part(text: str, name: str) -> str:
    """What one part of an answer says: its element with this id."""
    found = re.search(rf'<(aside|div|footer)[^>]* id="{name}".*?</\1>', text, re.DOTALL)
    assert found, f"no {name}"
    return words(found[0])


def buttons(text: str) -> list[tuple[str, str]]:
    """The ways to send the form: what they are named, and the intent."""
    return [(html.unescape(said), name) for name, said in re.findall(r'name="intent" value="(\w+)">([^<]*)<', text)]


def starts(text: str) -> list[str]:
    """The free starts that are offered, with what is left of them."""
    return [words(one) for one in re.findall(r'<button class="slot"[^>]*>(.*?)</button>', text)]


def days(text: str) -> list[str]:
    return [words(one) for one in re.findall(r'<button class="dday[^>]*>(.*?)</button>', text)]


def filled(text: str) -> list[dict[str, str]]:
    """What the buttons with the nearest times put into the form."""
    return [json.loads(html.unescape(one)) for one in re.findall(r"data-fill='([^']+)'", text)]


# What can be chosen ----


def test_services_and_bare_resources_can_be_chosen_where_he_may_ask_for_them(desk: Desk) -> None:
    hidden = desk.resource(name="Secret", kind="specialist")
    desk.service((desk.room, 1), name="Portrait")
    desk.service((hidden, 1), name="Consultation")
    desk.grant("book", alone=True)
    with desk.installed.tx() as tx:
        tx.execute(update(Grant).values(scope="kind:room"))
    page = desk.open(EMPLOYEE).get("/app/bookings/new").text
    select = page[page.index('id="f-resource"') : page.index("</select>")]
    assert words(select).endswith("Portrait Oka")
    assert "Secret" not in page
    assert "Consultation" not in page


def test_the_form_of_a_click_is_about_what_was_clicked(desk: Desk, frame: Frame) -> None:
    service = desk.service((desk.room, 1), min_minutes=30, max_minutes=240)
    start = int(datetime(2026, 3, 11, 9, 0, tzinfo=desk.now.tzinfo).timestamp())
    bare = frame.get("/app/bookings/new", resource=desk.room.id, start=start, end=start + 5400, day=DAY)
    assert f'<option value="{desk.room.id}" selected>Oka</option>' in bare.text
    assert [value_of(bare, name) for name in ("date", "start", "end")] == [DAY, "12:00", "13:30"]
    chosen = frame.get("/app/bookings/new", service=service.id, start=start, end=start + 7200, party=3)
    assert f'<option value="s{service.id}" selected>Portrait</option>' in chosen.text
    assert [value_of(chosen, name) for name in ("start", "end", "party")] == ["12:00", "14:00", "3"]


def test_what_was_clicked_is_picked_for_a_service_chosen_afterwards(desk: Desk, frame: Frame) -> None:
    other = desk.resource(name="Volga")
    service = desk.service(([desk.room, other], 1), name="Portrait")
    chosen = frame.get("/app/bookings/choice", **asked(service, place=other.id))
    assert f'<option value="{other.id}" selected>Volga</option>' in chosen.text
    assert part(chosen.text, "terms").startswith("Wed, 11 March, 12:00–13:00 Volga")


def test_choosing_keeps_what_was_typed_and_fits_the_length(desk: Desk, frame: Frame) -> None:
    people = [desk.resource(name=name, kind="specialist") for name in ("Anna", "Boris")]
    fixed = desk.service((people, 1), (desk.room, 1), min_minutes=45, max_minutes=45)
    answer = frame.get("/app/bookings/choice", **asked(fixed, start="14:10", **{"pick-0": people[1].id, "pick-1": 7}))
    assert answer.headers["HX-Trigger"] == '{"b24:chosen": {}}'
    assert [value_of(answer, name) for name in ("date", "start", "minutes")] == [DAY, "14:10", "45"]
    assert 'name="end"' not in answer.text
    assert f'<option value="{people[1].id}" selected>Boris</option>' in answer.text
    assert "pick-1" not in answer.text  # there is only one room for it
    long = desk.service((desk.room, 1), min_minutes=120, max_minutes=240)
    again = frame.get("/app/bookings/choice", **asked(long, minutes=45))
    assert [value_of(again, name) for name in ("start", "end")] == ["12:00", "14:00"]
    kept = frame.get("/app/bookings/choice", **asked(long, end="15:00"))
    assert value_of(kept, "end") == "15:00"


def test_a_length_that_passes_midnight_ends_on_the_next_day(desk: Desk, frame: Frame) -> None:
    night = desk.resource(name="Club", min_minutes=180, max_minutes=480, step_minutes=60)
    answer = frame.get("/app/bookings/choice", **asked(night, start="22:00", end="23:00"))
    assert [value_of(answer, name) for name in ("end", "end_date")] == ["1:00", "2026-03-12"]


def test_people_groups_and_extras_are_asked_for_where_they_matter(desk: Desk, frame: Frame) -> None:
    plain = desk.service((desk.resource(name="Lamp", kind="equipment"), 1), tariff=None)
    for name in ("party", "group", "extras-light"):
        assert f'name="{name}"' not in frame.get("/app/bookings/choice", **asked(plain)).text
    grouped = Tariff("T", "hour", Decimal(100), (PriceRule(Decimal(50), group="Students"),), TARIFF.extras)
    page = frame.get("/app/bookings/choice", **asked(desk.service(tariff=grouped), party=4, group="Students")).text
    assert "Room for 10" in words(page)
    assert "<option selected>Students</option>" in page
    assert "Light RUB 600 per booking" in words(page)
    assert "Tea RUB 50 per person × 4" in words(page)


def test_the_group_of_a_known_client_is_proposed(desk: Desk) -> None:
    grouped = Tariff("T", "hour", Decimal(100), (PriceRule(Decimal(50), group="Students"),))
    service = desk.service(tariff=grouped)
    frame = desk.open(MANAGER, place="CRM_DEAL_DETAIL_TAB", options={"ID": "1"})
    assert "<option selected>Students</option>" not in frame.get("/app/bookings/new", service=service.id).text
    assert post(frame, service, deal_id=1, group="Students").status_code == 200
    assert "<option selected>Students</option>" in frame.get("/app/bookings/new", service=service.id).text
    # What has one price for all says nothing about the client.
    assert post(frame, desk.room, deal_id=1, start="15:00", end="16:00").status_code == 200
    assert "<option selected>Students</option>" in frame.get("/app/bookings/new", service=service.id).text


# Price, rules, outcome ----


def test_the_price_is_told_line_by_line_before_booking(desk: Desk, frame: Frame) -> None:
    service = desk.service((desk.resource(name="Hall", kind="hall", capacity=8), 1), tariff=TARIFF)
    before = everything(desk.installed.engine)
    page = part(
        told(frame, service, start="17:00", end="20:00", party=4, **{"extras-tea": 1, "extras-light": 1}), "terms"
    )
    for line in (
        "17:00–18:00, 1 h × RUB 2,400 RUB 2,400", "18:00–20:00, 2 h × RUB 3,000 RUB 6,000",
        "Light, 1 × RUB 600 RUB 600", "Tea, 4 × RUB 50 RUB 200", "Total RUB 9,200", "In advance, 50% RUB 4,600",
        "Cancelling is free up to the start",
    ):  # fmt: skip
        assert line in page
    assert everything(desk.installed.engine) == before


def test_what_costs_nothing_names_no_price(desk: Desk, frame: Frame) -> None:
    page = part(told(frame, desk.room), "terms")
    assert "Total" not in page
    assert "Will be confirmed at once" in page


@pytest.mark.parametrize(
    ("rules", "outcome", "ways"),
    [
        (None, "Will be confirmed at once", [("Book", "policy"), ("Pre-book", "hold")]),
        ("hold", "Pre-booking until 10 March, 11:00", [("Pre-book", "policy")]),
        (
            "payment", "A request: it waits for the payment until 10 March, 12:00 and holds no time",
            [("Send the request", "policy")],
        ),
        (
            "manager", "A request: it waits for a decision until 10 March, 12:00 and holds no time",
            [("Send the request", "policy")],
        ),
    ],
)  # fmt: skip
def test_what_it_will_become_is_told_and_names_the_buttons(
    desk: Desk, frame: Frame, rules: str | None, outcome: str, ways: list[tuple[str, str]]
) -> None:
    text = told(frame, desk.service(rules=RULES[rules] if rules else None, tariff=TARIFF))
    assert outcome in part(text, "terms")
    assert buttons(text) == ways


def test_an_approver_may_book_at_once_unless_the_payment_decides(desk: Desk) -> None:
    boss = desk.open(ADMIN)
    at_once = ("Book at once", "confirm")
    assert at_once in buttons(told(boss, desk.service(rules=RULES["hold"])))
    assert at_once in buttons(told(boss, desk.service(rules=RULES["manager"])))
    assert at_once not in buttons(told(boss, desk.service(rules=RULES["payment"], tariff=TARIFF)))
    assert at_once in buttons(told(boss, desk.service(rules=RULES["payment"], tariff=None)))


def test_who_may_only_ask_is_told_that_somebody_approves(desk: Desk) -> None:
    desk.grant("request", alone=True)
    text = told(desk.open(EMPLOYEE), desk.room)
    assert "Needs an approval; the time is held until 11 March, 9:00" in part(text, "terms")
    assert buttons(text) == [("Send the request", "policy")]


def test_staff_are_told_how_many_requests_compete(desk: Desk, frame: Frame) -> None:
    service = desk.service(rules=RULES["manager"])
    assert "compete" not in told(frame, service)
    post(frame, service)
    post(desk.open(SECOND_MANAGER), service)
    assert "2 requests compete for this time" in part(told(frame, service), "terms")
    desk.grant("request", alone=True)
    assert "2 requests compete for this time" in part(told(desk.open(EMPLOYEE), service), "terms")


# Why it cannot be ----


def test_every_broken_rule_names_where_it_is_set(desk: Desk, frame: Frame) -> None:
    service = desk.service(rules={"notice_minutes": 600, "quotas": []}, min_minutes=60, step_minutes=60)
    page = part(told(frame, service, date=TODAY, start="18:30", end="19:00"), "terms")
    for sentence in (
        "The shortest booking here is 1 h (Service: shortest booking)",
        "Time here goes in steps of 1 h (Service: step of the grid)",
        "9:00–18:00", "(Resource: opening hours)",
        "Book at least 10 h before the start (Rules",
    ):  # fmt: skip
        assert sentence in page
    assert "Will be confirmed" not in page


def test_a_closure_says_its_reason_and_is_no_rule_twice(desk: Desk, frame: Frame) -> None:
    closure = ClosureData(date(2026, 3, 11), start=12 * 60, end=15 * 60, resource_id=desk.room.id, reason="Repair")
    with desk.installed.tx() as tx:
        save_closure(tx, desk.installed.portal(), closure, viewer=ADMIN_VIEWER, now=NOW)
    page = part(told(frame, desk.room), "terms")
    assert page.count("Repair") == 1
    assert "(Resource: closures)" in page


def test_what_is_in_the_way_is_named_with_its_place(desk: Desk, frame: Frame) -> None:
    anna = desk.resource(name="Anna", kind="specialist")
    service = desk.service((anna, 1), (desk.room, 1))
    post(frame, desk.room)
    page = part(told(frame, service), "terms")
    assert "Oka – taken 12:00–13:00" in page
    text = told(frame, service)
    assert [(one["start"], one["end"]) for one in filled(text)] == [
        ("10:00", "11:00"),
        ("11:00", "12:00"),
        ("13:00", "14:00"),
    ]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"date": ""}, "Fill this in"),
        ({"date": "2026-02-30"}, "Enter a date"),
        ({"start": "25:00"}, "Enter a time"),
        ({"end": "11:00"}, "The end must be later than the start"),
        ({"party": "0"}, "This number is out of range"),
        ({"extras-light": "x"}, "Enter a whole number"),
        ({"extras-light": "-1"}, "This number is out of range"),
        ({"pick-0": "999999"}, "not suitable for this"),
    ],
)
def test_what_is_typed_wrong_is_told_and_free_times_are_offered_all_the_same(
    desk: Desk, frame: Frame, changed: dict[str, str], sentence: str
) -> None:
    text = told(frame, desk.service(tariff=TARIFF), **changed)
    assert sentence.lower() in part(text, "terms").lower()
    assert 'id="times"' in text


@pytest.mark.parametrize("what", ["", "x", "s", "s0", "987654", "s987654", "9" * 40])
def test_nothing_is_told_about_what_is_not_offered(desk: Desk, frame: Frame, what: str) -> None:
    for path in ("terms", "choice", "series"):
        answer = frame.get(f"/app/bookings/{path}", resource=what, date=DAY, start="12:00", end="13:00")
        assert answer.status_code == 200
        assert "Oka</li>" not in answer.text


# Free times ----


def test_the_free_starts_of_the_day_and_the_week_are_offered(desk: Desk, frame: Frame) -> None:
    post(frame, desk.room, start="10:00", end="17:00")
    text = told(frame, desk.room)
    assert starts(text) == ["9:00", "17:00"]
    assert days(text) == [
        "Tue 10 17 times", "Wed 11 2 times", "Thu 12 17 times", "Fri 13 17 times", "Sat 14 none free",
        "Sun 15 none free", "Mon 16 17 times",
    ]  # fmt: skip
    assert 'aria-pressed="true" data-set=\'{"date": "2026-03-11"}\'' in html.unescape(text)


def test_the_week_can_be_switched_but_not_into_the_past(desk: Desk, frame: Frame) -> None:
    text = html.unescape(told(frame, desk.room))
    assert re.search(r'id="week-earlier"[^>]* disabled', text)
    assert 'data-set=\'{"date": "2026-03-17"}\'' in text
    later = html.unescape(told(frame, desk.room, date="2026-03-18"))
    assert 'data-set=\'{"date": "2026-03-16"}\'' in later
    assert days(later)[0].startswith("Tue 17")


def test_of_a_pool_it_is_told_how_many_are_left(desk: Desk, frame: Frame) -> None:
    pool = desk.resource(name="Desks", kind="equipment", units=3, hours=OFFICE, step_minutes=60, min_minutes=60)
    for _ in range(2):
        post(frame, pool)
    post(frame, pool, start="14:00", end="15:00")
    offered = starts(told(frame, pool))
    assert offered[2:6] == ["11:00 3 left", "12:00 1 left", "13:00 3 left", "14:00 2 left"]


def test_where_steps_are_small_only_some_starts_get_a_button(desk: Desk, frame: Frame) -> None:
    fine = desk.resource(name="Bike", kind="equipment", step_minutes=5, min_minutes=5, hours=OFFICE)
    offered = starts(told(frame, fine))
    assert offered[:3] == ["9:00", "9:30", "10:00"]
    assert len(offered) == 17


def test_hours_that_the_clock_shows_twice_get_no_button(desk: Desk, frame: Frame) -> None:
    abroad = desk.resource(name="Berlin", time_zone="Europe/Berlin", step_minutes=60, min_minutes=60, horizon_days=365)
    offered = starts(told(frame, abroad, date="2026-10-25", start="12:00", end="13:00"))
    assert not {"1:00", "2:00"} & set(offered)
    assert {"0:00", "3:00"} <= set(offered)


def test_nothing_free_on_a_day_offers_the_nearest_instead(desk: Desk, frame: Frame) -> None:
    text = told(frame, desk.room, date="2026-03-14")
    assert "Nothing is free on that day." in words(text)
    assert [one["date"] for one in filled(text)] == ["2026-03-13"] * 3


def test_the_form_and_its_fragments_say_the_same(desk: Desk, frame: Frame) -> None:
    service = desk.service(rules=RULES["hold"], tariff=TARIFF)
    whole = frame.get("/app/bookings/new", service=service.id)
    again = {name: value_of(whole, name) for name in ("date", "start", "end")}
    fragment = told(frame, service, **again)
    for name in ("terms", "booking-foot"):
        assert part(whole.text, name) == part(fragment, name)


def test_a_form_never_carries_styles_or_scripts_of_its_own(desk: Desk, frame: Frame) -> None:
    service = desk.service(tariff=TARIFF)
    pages: list[TestResponse] = [
        frame.get("/app/bookings/new", service=service.id),
        frame.get("/app/bookings/choice", **asked(service)),
        frame.get("/app/bookings/series", **asked(service, freq="daily", count=3)),
        post(frame, service, end="11:00"),
    ]
    for page in pages:
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", page.text)


# One of several, once more, and what was taken meanwhile ----


def test_of_a_pool_one_place_may_be_picked_and_is_the_one_that_is_had(desk: Desk, frame: Frame) -> None:
    bikes = desk.resource(kind="equipment", name="Bikes", units=3)
    page = told_choice(frame, bikes)
    places = re.findall(r'<option value="(\d+)">Place (\d)</option>', page)
    assert [number for _, number in places] == ["1", "2", "3"]
    third = places[2][0]
    answer = post(frame, bikes, unit=third)
    booking = re.findall(r'data-booking="([^"]+)"', answer.text)[0]
    assert "1 of 3, place 3" in words(frame.get(f"/app/bookings/{booking}").text)
    assert post(frame, bikes, unit=third).status_code == 409, "that very place is taken"
    assert 'id="f-unit"' not in told_choice(frame, desk.room)


def told_choice(frame: Frame, what: Resource) -> str:
    return frame.get("/app/bookings/choice", **asked(what)).text


def test_a_time_that_was_only_proposed_makes_way_for_one_that_another_service_has(desk: Desk, frame: Frame) -> None:
    late = desk.service((desk.room, 1), rules={"notice_minutes": 28 * 60}, min_minutes=60, max_minutes=60)
    fresh = frame.get("/app/bookings/choice", **asked(late, proposed=f"{DAY} 720"))
    typed = frame.get("/app/bookings/choice", **asked(late))
    assert value_of(fresh, "start") == "13:00", "the first that is early enough"
    assert value_of(typed, "start") == "12:00", "what was typed stays, and is refused in words"


def test_what_was_booked_is_booked_again_for_the_next_week(desk: Desk) -> None:
    service = desk.service((desk.room, 1), tariff=TARIFF)
    frame = desk.open(ADMIN)
    booking = desk.book(service, 24, 2, by=ADMIN, party=3, extras={"light": 1}, title="Portfolio", notes="White")
    again = frame.get("/app/bookings/new", like=booking.id)
    assert [value_of(again, one) for one in ("date", "start", "party", "title", "extras-light")] == [
        "2026-03-18", "9:00", "3", "Portfolio", "1",
    ]  # fmt: skip
    assert part(again.text, "terms").startswith("Wed, 18 March, 9:00–11:00 Oka")
    assert frame.get("/app/bookings/new", like="7").status_code == 404


def test_a_chosen_time_that_is_taken_meanwhile_is_marked_with_the_nearest_beside_it(desk: Desk, frame: Frame) -> None:
    service = desk.service((desk.room, 1), min_minutes=60, max_minutes=60)
    assert "gone" not in told(frame, service)
    desk.book(service, 27)
    page = told(frame, service)
    assert re.findall(r'<s class="slot gone">(.*?)</s>', page) == ["12:00"]
    assert "12:00 cannot be had. Nearest: Wed, 11 March, 10:00–11:00" in words(page)
    assert "Taken 12:00–13:00" in part(page, "terms")
    assert 'class="btn pri dull"' in page


def test_until_when_cancelling_is_free_is_told_with_the_day(desk: Desk, frame: Frame) -> None:
    service = desk.service((desk.room, 1), tariff=TARIFF, rules={"cancel_ladder": [{"hours": 24, "percent": 50}]})
    assert "Cancelling is free until 10 March, 12:00" in part(told(frame, service), "terms")
    assert "Cancelling is free until" not in part(told(frame, service, date=TODAY, start="15:00", end="16:00"), "terms")
