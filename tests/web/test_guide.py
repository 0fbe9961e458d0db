"""The guide over HTTP: three companies from the first answer to the first booking, and what it never does."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from b24app.ledger import queries, rules
from b24app.ledger.models import Booking, ExternalRef, Grant, Policy, Portal, Resource, Service, Tariff
from b24app.ledger.session import Session
from b24app.sync.laid import LaidCrm
from b24app.web.guide_start import working_time
from tests import factories
from tests.stand import ADMIN, EMPLOYEE, MANAGER, Frame
from tests.web.desk import words, wrong_fields
from tests.web.installed import Installed, everything

QUESTIONS = ("what", "where", "unit", "winner", "money", "access", "notices")
DEAL = "CRM_DEAL_DETAIL_TAB"
DAY = "2026-03-12"  # a Thursday


@dataclass
class Asked:
    """An administrator who is led through the guide."""

    installed: Installed
    frame: Frame

    def answer(self, question: str, **form: Any) -> Any:
        answer = self.frame.post(f"/app/guide/{question}", **form)
        assert answer.status_code == 200, words(answer.text)
        return answer

    def plan(self) -> str:
        return str(self.frame.post("/app/guide/defaults").text)

    def make(self, page: str) -> str:
        found = re.search(r'name="print" value="(\d+)"', page)
        assert found, words(page)
        answer = self.frame.post("/app/guide/make", print=found[1])
        assert answer.status_code == 200, words(answer.text)
        return str(answer.text)

    def all_of(self, tx: Session, table: Any) -> dict[str, Any]:
        return {row.name: row for row in tx.scalars(select(table)) if getattr(row, "resource_id", None) is None}

    def book(self, what: Resource | Service, start: str, end: str) -> Booking:
        """From a deal, as a manager."""
        frame = self.installed.open(MANAGER, place=DEAL, options={"ID": "1"}, LANG="ru")
        assert frame.page.status_code == 200
        named = f"s{what.id}" if isinstance(what, Service) else what.id
        answer = frame.post(
            "/app/bookings", resource=named, date=DAY, start=start, end=end, deal_id="1", title="Первая",
            request_key=uuid.uuid4().hex,
        )  # fmt: skip
        assert answer.status_code == 200, words(answer.text)
        with self.installed.tx() as tx:
            return tx.scalars(select(Booking)).one()

    def pictures(self, booking: Booking) -> dict[str, str]:
        with self.installed.tx() as tx:
            rows = tx.scalars(select(ExternalRef).where(ExternalRef.booking_id == booking.id))
            return {row.kind: row.target for row in rows}


@pytest.fixture
def asked(installed: Installed) -> Asked:
    return Asked(installed, installed.open(ADMIN))


# Three companies ----


def test_rooms_inside_need_no_answer_at_all(asked: Asked) -> None:
    page = asked.plan()
    assert words(page).count("создадим") == 3, "two rooms and their rules"
    with asked.installed.tx() as tx:
        assert not tx.scalars(select(Resource)).all(), "shown, not made"
    asked.make(page)
    with asked.installed.tx() as tx:
        rooms, portal = asked.all_of(tx, Resource), tx.scalars(select(Portal)).one()
        assert len(rooms) == 2
        assert portal.level == "A"
        assert not asked.all_of(tx, Tariff)
    booking = asked.book(next(iter(rooms.values())), "12:00", "13:00")
    assert booking.stage == "confirmed"
    assert asked.pictures(booking) == {"event": "company"}, "on the board and in the calendar, not in the CRM"


def test_rentals_with_prepayment_belong_to_whoever_pays_first(asked: Asked) -> None:
    asked.answer("what", what="rentals", then="next")
    asked.answer("what", what="rentals", rentals_names="Большой зал\nМалый зал", rentals_kind="hall", then="next")
    asked.answer("winner", winner="payment", winner_was="first", wait_minutes=120, then="next")
    asked.answer(
        "money", money="deposit", rentals_price="2 400", deposit_percent=50, cancel="usual", cancel_was="usual",
        hours=["24", "3"], percent=["50", "100"], moving="usual", then="next",
    )  # fmt: skip
    asked.make(asked.plan())
    with asked.installed.tx() as tx:
        halls, (policy,) = asked.all_of(tx, Resource), tx.scalars(select(Policy)).all()
        assert set(halls) == {"Большой зал", "Малый зал"}
        assert (policy.rules["winner"], policy.rules["decide_minutes"]) == ("payment", 1440)
        assert policy.rules["cancel_ladder"] == [{"hours": 24, "percent": 50}, {"hours": 3, "percent": 100}]
        assert tx.scalars(select(Portal)).one().level == "B"
    booking = asked.book(halls["Малый зал"], "12:00", "14:00")
    assert (booking.stage, booking.competes) == ("prebooked", True)
    with asked.installed.tx() as tx:
        assert queries.money(tx, booking.portal_id, booking.id).price == 4800
    assert "item" in asked.pictures(booking), "it has a card in the funnel"


def test_specialists_are_found_for_a_service(asked: Asked) -> None:
    asked.answer("what", what="appointments", then="")
    asked.answer("what", what="appointments", appointments_people=[str(MANAGER), str(EMPLOYEE)], then="next")
    asked.answer(
        "unit", appointments_unit="service", appointments_minutes=90, appointments_service="Портрет", then="next"
    )  # fmt: skip
    asked.make(asked.plan())
    with asked.installed.tx() as tx:
        people, service = asked.all_of(tx, Resource), asked.all_of(tx, Service)["Портрет"]
        assert {one.portal_user_id for one in people.values()} == {MANAGER, EMPLOYEE}
        assert {one.kind for one in people.values()} == {"specialist"}
    booking = asked.book(service, "11:00", "12:30")
    assert booking.stage == "confirmed"
    assert asked.pictures(booking)["event"] in {f"user:{MANAGER}", f"user:{EMPLOYEE}"}
    assert "item" in asked.pictures(booking)


# Asked again ----


def test_the_second_time_only_what_is_answered_otherwise_changes(asked: Asked) -> None:
    asked.make(asked.plan())
    with asked.installed.tx() as tx:
        room = tx.scalars(select(Resource).order_by(Resource.id)).first()
        assert room
        room.capacity, room.city = 12, "Казань"  # people have gone on in other places
    assert "print" not in asked.frame.get("/app/guide/end").text, "there is nothing to make"
    form = {"weekdays": ["0", "1"], "opens": "10:00", "closes": "18:00", "time_zone": "Europe/Moscow"}
    asked.answer("where", **form, then="next")
    page = asked.frame.get("/app/guide/end").text
    asked.make(page)
    with asked.installed.tx() as tx:
        again = tx.get_one(Resource, room.id)
        assert (again.capacity, again.city) == (12, "Казань")
        assert len(tx.scalars(select(Resource)).all()) == 2
        hours = queries.hours(tx, again.portal_id, [again.id])[again.id]
    assert {(one.weekday, one.opens, one.closes) for one in hours} == {(0, 600, 1080), (1, 600, 1080)}


def test_what_people_call_otherwise_is_not_made_a_second_time(asked: Asked) -> None:
    asked.make(asked.plan())
    with asked.installed.tx() as tx:
        room, other = tx.scalars(select(Resource).order_by(Resource.id))
        room.name, other.archived_at = "Ока", asked.installed.stand.now
    assert "print" not in asked.frame.get("/app/guide/end").text
    form = {"weekdays": ["5"], "opens": "10:00", "closes": "18:00", "time_zone": "Europe/Moscow"}
    asked.answer("where", **form, then="next")
    assert "print" not in asked.frame.get("/app/guide/end").text, "both are somebody else's now"


def test_somebody_joins_the_specialists_of_whom_one_is_called_otherwise_now(asked: Asked) -> None:
    asked.answer("what", what="appointments", then="")
    asked.answer("what", what="appointments", appointments_people=[str(MANAGER), str(EMPLOYEE)], then="next")
    asked.make(asked.plan())
    with asked.installed.tx() as tx:
        tx.scalars(select(Resource).where(Resource.portal_user_id == MANAGER)).one().name = "Старший мастер"
    asked.answer("what", what="appointments", appointments_people=[str(MANAGER), str(EMPLOYEE), "4"], then="next")
    asked.make(asked.frame.get("/app/guide/end").text)
    with asked.installed.tx() as tx:
        people = asked.all_of(tx, Resource)
        assert sorted(one.portal_user_id for one in people.values()) == [MANAGER, 4, EMPLOYEE]
        (service,) = asked.all_of(tx, Service).values()
        (need,) = rules.needs(tx, service.portal_id, [service.id])[service.id]
        assert len(need.options) == 2, "who is called otherwise was taken out of the guide's hands"


def test_a_company_that_is_set_up_already_is_proposed_what_it_has(asked: Asked) -> None:
    with asked.installed.tx() as tx:
        factories.make_resource(tx, asked.installed.portal(), now=asked.installed.stand.now, name="Ока")
    page = asked.plan()
    assert "print" not in page
    with asked.installed.tx() as tx:
        assert [one.name for one in tx.scalars(select(Resource))] == ["Ока"]
        assert tx.scalars(select(Portal)).one().level == "B", "the CRM that is in use stays in use"


def test_what_was_made_is_taken_back_with_one_click(asked: Asked) -> None:
    asked.answer("access", access="request", managers=str(MANAGER), then="next")
    asked.make(asked.plan())
    with asked.installed.tx() as tx:
        grants = {(one.code, one.right) for one in tx.scalars(select(Grant))}
        assert grants == {("AU", "request"), (f"U{MANAGER}", "manage")}
    answer = asked.frame.post("/app/guide/undo")
    assert answer.status_code == 200, words(answer.text)
    with asked.installed.tx() as tx:
        assert all(one.archived_at for one in tx.scalars(select(Resource)))
        assert {(one.code, one.right) for one in tx.scalars(select(Grant))} == {("AU", "book")}
        assert tx.scalars(select(Portal)).one().level == "B"
    asked.make(answer.text)
    with asked.installed.tx() as tx:
        assert not any(one.archived_at for one in tx.scalars(select(Resource))), "and made again"


def test_a_plan_that_is_no_longer_true_is_shown_anew_and_not_made(asked: Asked) -> None:
    page = asked.plan()
    other = Asked(asked.installed, asked.installed.open(2))
    other.answer("what", what="rooms", rooms_names="Совсем другая", rooms_kind="room", then="next")
    found = re.search(r'name="print" value="(\d+)"', page)
    assert found
    answer = asked.frame.post("/app/guide/make", print=found[1])
    assert answer.status_code == 409
    assert "Совсем другая" in answer.text
    with asked.installed.tx() as tx:
        assert not tx.scalars(select(Resource)).all()


def test_bookings_outlive_a_change_of_level(asked: Asked) -> None:
    asked.make(asked.plan())
    with asked.installed.tx() as tx:
        room = tx.scalars(select(Resource)).first()
    assert room
    booking = asked.book(room, "12:00", "13:00")
    ticked = {"calendar": "y", "reminders": "60", "tell_responsible": "y", "tell_requester": "y", "comments": "y"}
    asked.answer("notices", **ticked, crm="y", deals="link", then="next")
    asked.make(asked.frame.get("/app/guide/end").text)
    assert {"event", "item"} <= set(asked.pictures(booking)), "it gets its card now"
    asked.answer("notices", **ticked, deals="link", then="next")
    asked.make(asked.frame.get("/app/guide/end").text)
    with asked.installed.tx() as tx:
        assert tx.get_one(Booking, booking.id).stage == "confirmed"
        assert tx.scalars(select(Portal)).one().level == "A"


# What is wrong, and what is missing ----


@pytest.mark.parametrize(
    ("question", "form", "wrong"),
    [
        ("what", {}, {"what"}),
        ("what", {"what": "rooms", "rooms_names": "Ока\nОка"}, {"rooms_names"}),
        ("where", {"opens": "19:00", "closes": "9:00", "weekdays": "1", "time_zone": "Europe/Moscow"}, {"closes"}),
        ("where", {"opens": "9:00", "closes": "18:00", "weekdays": "1", "time_zone": "Mars/Base"}, {"time_zone"}),
        ("unit", {"rooms_unit": "slot", "rooms_minutes": "50"}, {"rooms_minutes"}),
        ("winner", {"winner": "lottery", "winner_was": "first"}, {"winner"}),
    ],
)
def test_a_wrong_answer_is_named_and_not_kept(
    asked: Asked, question: str, form: dict[str, Any], wrong: set[str]
) -> None:
    before = everything(asked.installed.engine)
    answer = asked.frame.post(f"/app/guide/{question}", **form, then="next")
    assert answer.status_code == 422
    assert set(wrong_fields(answer)) & wrong == wrong
    assert everything(asked.installed.engine) == before


def test_who_pays_first_needs_a_price(asked: Asked) -> None:
    asked.answer("what", what="rentals", then="")
    asked.answer("winner", winner="payment", winner_was="first", wait_minutes=120, then="next")
    page = asked.frame.get("/app/guide/money").text
    assert re.search(r'name="money" value="deposit" checked', page)
    assert re.search(r'name="money" value="none"[^>]* disabled', page)


def test_the_preview_reckons_with_what_is_typed(asked: Asked) -> None:
    asked.answer("what", what="rentals", then="")
    page = asked.answer(
        "money", money="deposit", rentals_price="1000", deposit_percent=30, cancel="strict", cancel_was="usual", then=""
    ).text
    said = words(page)
    assert "300" in said, "in advance"
    assert re.search(r'name="hours">.*?value="72" selected', page, re.DOTALL), "steps of the way that was chosen"


def test_hours_come_from_the_calendar_of_the_portal(asked: Asked) -> None:
    page = asked.frame.get("/app/guide/where").text
    assert 'name="closes" type="text" value="19:00"' in page
    assert not re.search(r'name="weekdays" value="6" checked', page)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"work_time_start": "9", "work_time_end": "18.30"}, {"opens": 540, "closes": 1110}),
        ({"work_time_start": "9.5", "work_time_end": "8"}, {}),
        ({"work_time_start": "", "work_time_end": None, "week_holidays": ["SU"]}, {"weekdays": (0, 1, 2, 3, 4, 5)}),
        ({"work_time_start": "x", "week_holidays": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]}, {}),
    ],
)
def test_what_the_calendar_says_oddly_is_left_out(said: dict[str, Any], found: dict[str, Any]) -> None:
    assert working_time(said) == found


def test_without_a_crm_no_cards_are_promised(asked: Asked) -> None:
    with asked.installed.tx() as tx:
        portal = tx.scalars(select(Portal)).one()
        portal.crm, portal.level = LaidCrm().to_json(), "A"
    asked.answer("what", what="rentals", then="next")
    asked.make(asked.plan())
    assert asked.installed.portal().level == "A"
    assert 'name="crm"' not in asked.frame.get("/app/guide/notices").text


# Samples ----


def test_samples_go_without_a_trace(asked: Asked) -> None:
    before = everything(asked.installed.engine)
    answer = asked.frame.post("/app/samples")
    assert answer.status_code == 200, words(answer.text)
    with asked.installed.tx() as tx:
        assert len(tx.scalars(select(Booking)).all()) == 6
        assert not tx.scalars(select(ExternalRef)).all(), "the portal is shown nothing"
    assert asked.frame.post("/app/samples").status_code == 422, "once is enough"
    answer = asked.frame.post("/app/samples/out")
    assert answer.status_code == 200, words(answer.text)
    after = everything(asked.installed.engine)
    different = {name for name in before if before[name] != after[name]}
    assert different <= {"portal", "procrastinate_jobs"}, different
    assert asked.installed.portal().guide == {}
    assert asked.installed.portal().next_number == 1000


def test_what_people_made_of_samples_in_the_portal_goes_with_them(asked: Asked) -> None:
    asked.frame.post("/app/samples")
    crm = LaidCrm.from_json(asked.installed.portal().crm)
    items = asked.installed.stand.portal.items.setdefault(crm.need("resources").entity_type_id, {})
    items[77] = {"id": 77, "title": "Переговорная", "entityTypeId": crm.need("resources").entity_type_id}
    with asked.installed.tx() as tx:
        room = tx.scalars(select(Resource).where(Resource.kind == "room")).one()
        tx.add(ExternalRef(portal_id=room.portal_id, resource_id=room.id, kind="item", target="", remote_id=77))
    answer = asked.frame.post("/app/samples/out")
    assert answer.status_code == 200, words(answer.text)
    assert 77 not in items
    with asked.installed.tx() as tx:
        assert not tx.scalars(select(ExternalRef)).all()


def test_samples_with_a_real_booking_stay(asked: Asked) -> None:
    asked.frame.post("/app/samples")
    with asked.installed.tx() as tx:
        room = tx.scalars(select(Resource).where(Resource.kind == "room")).one()
        samples = set(tx.scalars(select(Booking.id)))
    frame = asked.installed.open(MANAGER)
    booked = frame.post(
        "/app/bookings", resource=room.id, date="2026-03-13", start="12:00", end="13:00", title="Своя",
        request_key=uuid.uuid4().hex,
    )  # fmt: skip
    assert booked.status_code == 200, words(booked.text)
    before = everything(asked.installed.engine)
    answer = asked.frame.post("/app/samples/out")
    assert answer.status_code == 422
    assert everything(asked.installed.engine) == before
    with asked.installed.tx() as tx:
        assert set(tx.scalars(select(Booking.id))) > samples


# Who ----


@pytest.mark.parametrize("path", ["/app/guide", "/app/guide/end", "/app/samples"])
def test_only_administrators_are_asked(asked: Asked, path: str) -> None:
    assert asked.installed.open(MANAGER).get(path).status_code == 403
