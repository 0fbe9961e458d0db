"""Every kind of booking through its form: what is sent, what it becomes, what is said when it cannot be."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from b24app.ledger import queries
from b24app.ledger.models import Allocation, Booking, Client, Resource, Service
from b24app.ledger.occupancy import as_interval
from b24app.scheduling.pricing import Extra, PriceRule, Tariff
from tests.factories import make_resource
from tests.stand import ADMIN, EMPLOYEE, SECOND_MANAGER, Frame
from tests.web.desk import HOURLY, RULES, Desk, words
from tests.web.installed import Installed, everything
from tests.web.test_bookings import at_fields, made, value_of

DAY = "2026-03-11"


@pytest.fixture
def desk(installed: Installed) -> Desk:
    with installed.tx() as tx:
        room = make_resource(tx, installed.portal(), now=installed.stand.now, name="Oka", kind="hall", capacity=10)
    return Desk(installed, room)


@pytest.fixture
def frame(desk: Desk) -> Frame:
    return desk.open()


def sent(what: Service | Resource, **changed: Any) -> dict[str, Any]:
    """A good form for tomorrow from 12 to 13."""
    named = f"s{what.id}" if isinstance(what, Service) else what.id
    return {
        "resource": named, "date": DAY, "start": "12:00", "end": "13:00", "request_key": uuid.uuid4().hex, **changed,
    }  # fmt: skip


def post(frame: Frame, what: Service | Resource, **changed: Any) -> TestResponse:
    return frame.post("/app/bookings", **sent(what, **changed))


def the_booking(desk: Desk, answer: TestResponse) -> Booking:
    return desk.state(made(answer))


def places_of(desk: Desk, booking: Booking) -> list[str]:
    """The names of what it is on."""
    with desk.installed.tx() as tx:
        return sorted(
            one.name for one in queries.resources_of_bookings(tx, booking.portal_id, [booking.id])[booking.id]
        )


def reasons(answer: TestResponse) -> str:
    """What the list at the top of a refused form says."""
    text = answer.text
    return words(text[text.index('id="problems"') : text.index("</ol>")])


# What can be booked ----


def test_whole_slots_and_free_lengths(desk: Desk, frame: Frame) -> None:
    slots = desk.resource(name="Court", step_minutes=60, min_minutes=60, max_minutes=180)
    assert the_booking(desk, post(frame, slots, end="14:00")).stage == "confirmed"
    assert at_fields(post(frame, slots, start="15:00", end="16:30")) == {"end": "Time here goes in steps of 1 h"}
    free = desk.resource(name="Desk", step_minutes=5, min_minutes=15, max_minutes=480)
    booking = the_booking(desk, post(frame, free, start="12:05", end="12:40"))
    assert as_interval(booking.during).duration == timedelta(minutes=35)


def test_a_fixed_service_is_asked_for_by_its_start_alone(desk: Desk, frame: Frame) -> None:
    haircut = desk.service(min_minutes=45, max_minutes=45, step_minutes=15)
    form = sent(haircut, start="12:15", minutes=45)
    del form["end"]
    booking = the_booking(desk, frame.post("/app/bookings", **form))
    assert as_interval(booking.during).duration == timedelta(minutes=45)
    assert "The shortest booking here is 45 min" in reasons(post(frame, haircut, start="15:00", minutes=30))


def test_a_pool_is_full_after_as_many_bookings_as_it_has_places(desk: Desk, frame: Frame) -> None:
    desks = desk.resource(name="Desks", kind="equipment", units=3)
    assert len({the_booking(desk, post(frame, desks)).id for _ in range(3)}) == 3
    before = everything(desk.installed.engine)
    answer = post(frame, desks)
    assert answer.status_code == 409
    assert "taken 12:00–13:00" in reasons(answer)
    assert everything(desk.installed.engine) == before


def test_a_service_that_needs_three_of_a_pool_says_how_many_are_left(desk: Desk, frame: Frame) -> None:
    pool = desk.resource(name="Projectors", kind="equipment", units=5)
    show = desk.service((pool, 3))
    first = the_booking(desk, post(frame, show))
    with desk.installed.tx() as tx:
        held = tx.scalars(select(Allocation).where(Allocation.booking_id == first.id)).all()
    assert len({one.unit_id for one in held}) == 3
    answer = post(frame, show)
    assert answer.status_code == 409
    assert "2 of the 3 needed are free" in reasons(answer)


def test_a_composite_blocks_its_parts_and_they_block_it(desk: Desk, frame: Frame) -> None:
    first, second = desk.resource(name="A1", kind="hall"), desk.resource(name="A2", kind="hall")
    whole = desk.resource(name="A", kind="hall", parts=(first.id, second.id))
    assert places_of(desk, the_booking(desk, post(frame, whole))) == ["A"]
    answer = post(frame, first)
    assert answer.status_code == 409
    assert "taken 12:00–13:00" in reasons(answer)
    the_booking(desk, post(frame, second, start="15:00", end="16:00"))
    assert post(frame, whole, start="15:00", end="16:00").status_code == 409


def test_somebody_a_place_and_a_thing_are_found_or_picked_by_name(desk: Desk, frame: Frame) -> None:
    people = [desk.resource(name=name, kind="specialist") for name in ("Anna", "Boris")]
    light = desk.resource(name="Light", kind="equipment", units=2)
    shooting = desk.service((people, 1), (desk.room, 1), (light, 1))
    found = the_booking(desk, post(frame, shooting))
    assert places_of(desk, found) == ["Anna", "Light", "Oka"]
    picked = the_booking(desk, post(frame, shooting, start="15:00", end="16:00", **{"pick-0": people[1].id}))
    assert places_of(desk, picked) == ["Boris", "Light", "Oka"]
    assert picked.wish == {"resources": [people[1].id]}
    answer = post(frame, shooting, start="15:00", end="16:00")
    assert answer.status_code == 409
    assert "Oka – taken 15:00–16:00" in reasons(answer)


def test_somebody_who_is_not_able_is_refused_at_his_field(desk: Desk, frame: Frame) -> None:
    anna, other = desk.resource(name="Anna", kind="specialist"), desk.resource(name="Clara", kind="specialist")
    answer = post(frame, desk.service((anna, 1)), **{"pick-0": other.id})
    assert answer.status_code == 422
    assert "Not suitable for this" in reasons(answer)


def test_a_party_that_is_too_large_is_refused_at_its_field(desk: Desk, frame: Frame) -> None:
    answer = post(frame, desk.service((desk.room, 1)), party=11)
    assert answer.status_code == 422
    assert at_fields(answer)["party"] == "There is room for 10, needed for 11"
    assert the_booking(desk, post(frame, desk.room, party=10)).party == 10


def test_neighbours_keep_their_break(desk: Desk, frame: Frame) -> None:
    room = desk.resource(name="Sauna", buffer_after=30)
    post(frame, room)
    answer = post(frame, room, start="11:00", end="12:00")
    assert answer.status_code == 409
    assert "there has to be a break between bookings" in reasons(answer)
    assert post(frame, room, start="13:00", end="14:00").status_code == 409
    assert made(post(frame, room, start="13:30", end="14:00"))
    assert made(post(frame, room, start="11:00", end="11:30"))


def test_what_was_ordered_is_priced_and_kept(desk: Desk, frame: Frame) -> None:
    tariff = Tariff(
        "Studio", "hour", Decimal(1000), (PriceRule(Decimal(700), group="Students"),),
        (Extra("light", "Light", Decimal(300)), Extra("tea", "Tea", Decimal(50), "person")), deposit_percent=50,
    )  # fmt: skip
    service = desk.service((desk.room, 1), tariff=tariff)
    answer = post(
        frame, service, party=4, group="Students", client_name="Maria", **{"extras-light": 2, "extras-tea": 1}
    )
    booking = the_booking(desk, answer)
    assert (booking.party, booking.terms["extras"], booking.terms["group"]) == (4, {"light": 2, "tea": 1}, "Students")
    assert desk.money(booking).price == Decimal(700 + 2 * 300 + 4 * 50)
    with desk.installed.tx() as tx:
        client = tx.scalars(select(Client).where(Client.id == booking.client_id)).one()
    assert client.price_group == "Students"


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ({"extras-light": -1}, "This number is out of range"),
        ({"extras-light": 1001}, "This number is out of range"),
        ({"extras-x": 1}, "Choose a value from the list"),
        ({"extras-light": "two"}, "Enter a whole number"),
    ],
)
def test_extras_that_cannot_be_are_refused_at_their_field(
    desk: Desk, frame: Frame, extra: dict[str, Any], code: str
) -> None:
    tariff = Tariff("Studio", "hour", Decimal(1000), extras=(Extra("light", "Light", Decimal(300)),))
    service = desk.service((desk.room, 1), tariff=tariff)
    before = everything(desk.installed.engine)
    answer = post(frame, service, **extra)
    assert answer.status_code == 422
    assert f'<a href="#f-{next(iter(extra))}">{code}</a>' in answer.text
    assert everything(desk.installed.engine) == before


@pytest.mark.parametrize("what", ["s987654", "s-1", "987654"])
def test_what_is_not_offered_here_is_404_at_its_field(desk: Desk, frame: Frame, what: str) -> None:
    before = everything(desk.installed.engine)
    answer = frame.post("/app/bookings", **sent(desk.room, resource=what))
    assert answer.status_code == 404
    assert list(at_fields(answer)) == ["resource"]
    assert everything(desk.installed.engine) == before


# What it becomes ----


def test_a_hold_says_until_when_it_holds(desk: Desk, frame: Frame) -> None:
    answer = post(frame, desk.service(rules=RULES["hold"]))
    booking = the_booking(desk, answer)
    assert (booking.stage, booking.held_until) == ("prebooked", desk.now + timedelta(hours=2))
    assert "Pre-booked until 10 March, 11:00. Wed, 11 March, 12:00–13:00, Portrait" in words(answer.text)
    assert '<span class="st big hold">Pre-booking</span>' in answer.text
    changed = json.loads(answer.headers["HX-Trigger"])["b24:changed"]
    assert (changed["number"], changed["undo"]) == (booking.number, f"/app/bookings/{booking.id}/undo?revision=1")


def test_what_would_be_confirmed_at_once_can_be_held_instead(desk: Desk, frame: Frame) -> None:
    booking = the_booking(desk, post(frame, desk.service(), intent="hold"))
    assert (booking.stage, booking.held_until) == ("prebooked", desk.now + timedelta(days=1))


def test_only_an_approver_confirms_at_once_what_would_be_held(desk: Desk, frame: Frame) -> None:
    service = desk.service(rules=RULES["hold"])
    before = everything(desk.installed.engine)
    assert post(frame, service, intent="confirm").status_code == 403
    assert everything(desk.installed.engine) == before
    assert the_booking(desk, post(desk.open(ADMIN), service, intent="confirm")).stage == "confirmed"


def test_requests_compete_for_one_time(desk: Desk, frame: Frame) -> None:
    service = desk.service(rules=RULES["payment"])
    first, second = post(frame, service), post(desk.open(SECOND_MANAGER), service)
    for answer in (first, second):
        booking = the_booking(desk, answer)
        assert (booking.stage, booking.competes) == ("prebooked", True)
    assert "The request is sent and waits until 10 March, 12:00." in words(first.text)
    assert '<span class="st big req">Request</span>' in first.text


def test_whoever_may_only_ask_holds_the_time_until_somebody_approves(desk: Desk) -> None:
    desk.grant("request", alone=True)
    answer = post(desk.open(EMPLOYEE), desk.room)
    booking = the_booking(desk, answer)
    assert (booking.stage, booking.needs_approval, booking.competes) == ("prebooked", True, False)
    assert "Sent for approval; the time is held until 11 March, 9:00." in words(answer.text)


def test_whoever_may_not_even_ask_is_not_offered_it(desk: Desk) -> None:
    desk.grant("see", alone=True)
    frame = desk.open(EMPLOYEE)
    assert "There is nothing that you may book" in words(frame.get("/app/bookings/new").text)
    before = everything(desk.installed.engine)
    assert post(frame, desk.room).status_code == 403
    assert everything(desk.installed.engine) == before


@pytest.mark.parametrize("rules", [None, *RULES])
def test_a_form_sent_twice_makes_one_booking_of_every_kind(desk: Desk, frame: Frame, rules: str | None) -> None:
    once = sent(desk.service(rules=RULES[rules] if rules else None))
    first = made(frame.post("/app/bookings", **once))
    before = everything(desk.installed.engine)
    assert made(frame.post("/app/bookings", **once)) == first
    after = everything(desk.installed.engine)
    # Requests that compete find out late, when a number is taken already: one may be missing in between.
    assert after | {"portal": []} == before | {"portal": []}


# Moving ----


def moved(desk: Desk, frame: Frame, booking: Booking, **changed: Any) -> TestResponse:
    form = {"resource": f"s{booking.service_id}", "date": DAY, "start": "12:00", "end": "13:00", **changed}
    return desk.act(frame, booking, "move", **form)


def test_a_service_moves_and_keeps_who_serves_it_unless_another_is_picked(desk: Desk, frame: Frame) -> None:
    people = [desk.resource(name=name, kind="specialist") for name in ("Anna", "Boris")]
    service = desk.service((people, 1), (desk.room, 1))
    booking = the_booking(desk, post(frame, service, **{"pick-0": people[1].id}))
    empty = frame.get(f"/app/bookings/{booking.id}/move")
    assert value_of(empty, "resource") == f"s{service.id}"
    assert "As now, or another that is free" in empty.text
    assert made(moved(desk, frame, booking, start="14:00", end="15:00")) == booking.id
    assert places_of(desk, desk.state(booking)) == ["Boris", "Oka"]
    made(moved(desk, frame, booking, start="14:00", end="15:00", **{"pick-0": people[0].id}))
    assert places_of(desk, desk.state(booking)) == ["Anna", "Oka"]


def test_the_difference_and_the_fee_are_told_before_a_move(desk: Desk, frame: Frame) -> None:
    rules = {"move_ladder": [{"hours": 48, "percent": 10}]}
    tariff = Tariff("Studio", "hour", Decimal(1000), (PriceRule(Decimal(1500), from_minute=18 * 60),))
    service = desk.service((desk.room, 1), rules=rules, tariff=tariff)
    booking = the_booking(desk, post(frame, service))
    asked = {"resource": f"s{service.id}", "date": DAY, "revision": 1}
    before = everything(desk.installed.engine)
    told = frame.get(f"/app/bookings/{booking.id}/move/terms", start="18:00", end="20:00", **asked)
    assert told.status_code == 200
    page = words(told.text)
    for part in (
        "Price until now RUB 1,000", "Fee for moving RUB 100", "Price afterwards RUB 3,100", "Difference +RUB 2,100",
        "Still to be paid RUB 3,100",
    ):  # fmt: skip
        assert part in page
    assert everything(desk.installed.engine) == before
    made(moved(desk, frame, booking, start="18:00", end="20:00"))
    assert desk.money(booking).price == Decimal(3100)


def test_a_move_to_where_it_stands_costs_nothing(desk: Desk, frame: Frame) -> None:
    service = desk.service(rules={"move_ladder": [{"hours": 48, "percent": 10}]})
    booking = the_booking(desk, post(frame, service))
    page = words(frame.get(f"/app/bookings/{booking.id}/move").text)
    assert "That is where it stands now." in page
    assert "Fee for moving" not in page


def test_the_form_for_a_move_says_why_it_cannot_be(desk: Desk, frame: Frame) -> None:
    booking = the_booking(desk, post(frame, desk.service(rules={"most_moves": 0, "name": "Strict"})))
    post(desk.open(SECOND_MANAGER), desk.room, start="14:00", end="15:00")
    told = frame.get(
        f"/app/bookings/{booking.id}/move/terms", resource=f"s{booking.service_id}", date=DAY, start="14:00",
        end="15:00", revision=1,
    )  # fmt: skip
    page = words(told.text)
    assert "By the rules bookings are not moved" in page
    assert "taken 14:00–15:00" in page.lower()


def test_a_booking_is_not_in_its_own_way(desk: Desk, frame: Frame) -> None:
    booking = the_booking(desk, post(frame, desk.service(tariff=None)))
    told = frame.get(
        f"/app/bookings/{booking.id}/move/terms", resource=f"s{booking.service_id}", date=DAY, start="12:30",
        end="13:30", revision=1,
    )  # fmt: skip
    assert "whynot" not in told.text
    assert made(moved(desk, frame, booking, start="12:30", end="13:30")) == booking.id


def test_nobody_sees_what_moving_somebody_elses_hidden_booking_would_cost(desk: Desk, frame: Frame) -> None:
    booking = the_booking(desk, post(frame, desk.service(tariff=HOURLY)))
    desk.grant("busy", alone=True)
    answer = desk.open(EMPLOYEE).get(f"/app/bookings/{booking.id}/move/terms", start="14:00", end="15:00")
    assert answer.status_code == 404
