"""Making, moving and cancelling a booking through the pages; every bad input: its field, its status, no trace of it."""

from __future__ import annotations

import html
import json
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from b24app import texts
from b24app.ledger import tenancy
from b24app.ledger.models import Booking, Client, ExternalRef, Resource
from b24app.ledger.occupancy import as_interval
from b24app.scheduling.hours import OpeningHours
from b24app.web.crm import forget_everything
from emulator import faults
from tests import factories
from tests.stand import EMPLOYEE, MANAGER, SECOND_MANAGER, Frame
from tests.web.installed import Installed, everything
from tests.web.test_board import booked, counted, room, words

DEAL_TAB = "CRM_DEAL_DETAIL_TAB"
DENIED_DEAL = 3
DAY = "2026-03-10"
HOSTILE = "<script>alert(1)</script> 😀 $result[x][id] {0} %(x)s"


def form(resource: Resource | int, **changed: Any) -> dict[str, Any]:
    """A good form for that resource, from 12 to 13 by its clock."""
    return {
        "resource": resource if isinstance(resource, int) else resource.id,
        "date": DAY, "start": "12:00", "end": "13:00", "request_key": uuid.uuid4().hex, **changed,
    }  # fmt: skip


def at_fields(answer: TestResponse) -> dict[str, str]:
    """The sentence that stands at each field."""
    found = re.findall(r'<span class="errt" id="e-([^"]+)">.*?</svg>([^<]+)</span>', answer.text, re.DOTALL)
    return {name: html.unescape(text).replace("\N{NO-BREAK SPACE}", " ") for name, text in found}


def made(answer: TestResponse) -> uuid.UUID:
    assert answer.status_code == 200, answer.text
    return uuid.UUID(re.findall(r'data-booking="([^"]+)"', answer.text)[0])


def the_booking(installed: Installed, booking_id: uuid.UUID) -> Booking:
    with installed.tx() as tx:
        return tx.scalars(select(Booking).where(Booking.id == booking_id)).one()


def value_of(answer: TestResponse, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]*value="([^"]*)"', answer.text)
    assert found, f"no field {name}"
    return html.unescape(found[1])


@pytest.fixture
def resource(installed: Installed) -> Resource:
    """«Ока», open from 9 to 18 on working days, in steps of half an hour."""
    return room(installed, name="«Ока»", hours=factories.OFFICE)


@pytest.fixture
def manager(installed: Installed) -> Frame:
    return installed.open(MANAGER)


# What goes well ----


def test_a_form_becomes_a_booking_with_everything_in_it(
    installed: Installed, resource: Resource, manager: Frame
) -> None:
    answer = manager.post("/app/bookings", **form(
        resource, title="Съёмка", notes="Белый фон", client_name="Мария Орлова", client_phone="8 (900) 000-00-01",
        client_email="m@example.com",
    ))  # fmt: skip
    booking = the_booking(installed, made(answer))
    assert (booking.stage, booking.title, booking.notes) == ("confirmed", "Съёмка", "Белый фон")
    assert booking.during.lower == installed.stand.now.replace(hour=9)
    assert booking.created_by == f"user:{MANAGER}"
    assert booking.responsible_id == MANAGER
    with installed.tx() as tx:
        client = tx.scalars(select(Client).where(Client.id == booking.client_id)).one()
    assert (client.kind, client.name, client.phone, client.email) == (
        "person", "Мария Орлова", "+79000000001", "m@example.com",
    )  # fmt: skip
    assert json.loads(answer.headers["HX-Trigger"])["b24:changed"]["number"] == booking.number
    assert f"href=#{booking.number}>Съёмка</a>" in manager.get("/app/board").text


def test_times_are_meant_by_the_resources_clock(installed: Installed, manager: Frame) -> None:
    there = room(installed, time_zone="Asia/Yekaterinburg")
    booking = the_booking(installed, made(manager.post("/app/bookings", **form(there))))
    assert booking.during.lower == installed.stand.now.replace(hour=7)


def test_a_booking_may_pass_midnight(installed: Installed, manager: Frame) -> None:
    always = room(installed)
    answer = manager.post("/app/bookings", **form(always, start="22:00", end="2:00", end_date="2026-03-11"))
    booking = the_booking(installed, made(answer))
    assert as_interval(booking.during).duration == timedelta(hours=4)
    assert "22:00 – Ср, 11 марта, 2:00" in words(answer.text)


def test_the_same_form_sent_twice_makes_one_booking(installed: Installed, resource: Resource, manager: Frame) -> None:
    once = form(resource)
    first = made(manager.post("/app/bookings", **once))
    before = everything(installed.engine)
    assert made(manager.post("/app/bookings", **once)) == first
    assert everything(installed.engine) == before


def test_the_same_form_sent_later_shows_what_it_made_and_not_what_it_asks(
    installed: Installed, resource: Resource, manager: Frame
) -> None:
    once = form(resource)
    first = made(manager.post("/app/bookings", **once))
    installed.stand.now += timedelta(seconds=20)
    before = everything(installed.engine)["booking"]
    again = manager.post("/app/bookings", **{**once, "start": "15:00", "end": "16:00"})
    assert made(again) == first
    assert "12:00–13:00" in words(again.text)
    assert "15:00" not in words(again.text)
    assert everything(installed.engine)["booking"] == before


@pytest.mark.parametrize("key", ["a\x00b", "k" * 65, "два"])
def test_a_forged_request_key_is_refused(installed: Installed, resource: Resource, manager: Frame, key: str) -> None:
    before = everything(installed.engine)
    assert manager.post("/app/bookings", **form(resource, request_key=key)).status_code == 422
    assert everything(installed.engine) == before


def test_the_form_comes_with_what_was_clicked(resource: Resource, manager: Frame) -> None:
    answer = manager.get("/app/bookings/new", resource=resource.id, start=1773133200, end=1773138600, day=DAY)
    assert [value_of(answer, name) for name in ("date", "start", "end")] == [DAY, "12:00", "13:30"]
    assert "Москва, UTC+3" in words(answer.text)
    assert len(value_of(answer, "request_key")) == 32


def test_without_a_click_the_form_proposes_the_next_free_hour(
    installed: Installed, resource: Resource, manager: Frame
) -> None:
    booked(installed, resource, 0, 2)
    answer = manager.get("/app/bookings/new")
    assert [value_of(answer, name) for name in ("date", "start", "end")] == [DAY, "11:00", "12:00"]
    answer = manager.get("/app/bookings/new", day="2026-03-12")
    assert [value_of(answer, name) for name in ("date", "start", "end")] == ["2026-03-12", "9:00", "10:00"]


def test_the_form_of_a_deal_brings_deal_and_client(installed: Installed, resource: Resource) -> None:
    frame = installed.open(MANAGER, DEAL_TAB, options={"ID": "1"})
    deal = installed.stand.portal.items[2][1]
    contact = installed.stand.portal.items[3][int(deal["contactId"])]
    empty = frame.get("/app/bookings/new")
    assert value_of(empty, "deal_id") == "1"
    assert deal["title"] in html.unescape(empty.text)
    assert contact["lastName"] in empty.text
    assert 'name="client_name"' not in empty.text
    booking = the_booking(installed, made(frame.post("/app/bookings", **form(resource, deal_id=1))))
    assert booking.deal_id == 1
    with installed.tx() as tx:
        client = tx.scalars(select(Client).where(Client.id == booking.client_id)).one()
    assert (client.kind, client.crm_id) == ("contact", contact["id"])


@pytest.mark.parametrize("field", ["title", "client_name", "notes"])
def test_texts_are_kept_and_shown_verbatim(
    installed: Installed, resource: Resource, manager: Frame, field: str
) -> None:
    answer = manager.post("/app/bookings", **form(resource, **{field: HOSTILE}))
    booking = the_booking(installed, made(answer))
    panel = manager.get(f"/app/bookings/{booking.id}").text
    for page in (panel, manager.get("/app/board").text):
        assert "<script>" not in page
    assert HOSTILE in html.unescape(panel)


def test_a_responsible_person_who_is_known_here(installed: Installed, resource: Resource, manager: Frame) -> None:
    installed.open(SECOND_MANAGER)
    booking = the_booking(installed, made(manager.post("/app/bookings", **form(resource, responsible=SECOND_MANAGER))))
    assert booking.responsible_id == SECOND_MANAGER


def test_participants_who_are_known_here(installed: Installed, resource: Resource, manager: Frame) -> None:
    installed.open(SECOND_MANAGER)
    people = [str(SECOND_MANAGER), str(MANAGER)]
    answer = manager.post("/app/bookings", **form(resource, participants=people))
    booking = the_booking(installed, made(answer))
    assert booking.participants == [MANAGER, SECOND_MANAGER]
    with installed.tx() as tx:
        names = tenancy.user_names(tx, booking.portal_id)
    panel = manager.get(f"/app/bookings/{booking.id}").text
    assert f"{names[MANAGER]}, {names[SECOND_MANAGER]}" in panel
    stranger = manager.post("/app/bookings", **form(resource, start="15:00", end="16:00", participants=["999"]))
    assert (stranger.status_code, list(at_fields(stranger))) == (422, ["participants"])


# Bad input ----

# What else would be said of a Tuesday evening.
CLOSED = texts.say_violation("ru", "outside_hours", {"closed": "hours", "hours": "9:00–18:00", "day": DAY}).replace(
    "\N{NO-BREAK SPACE}", " "
)
BAD: dict[str, tuple[dict[str, Any], int, dict[str, str]]] = {
    "nothing at all": (
        {"resource": "", "date": "", "start": "", "end": ""},
        422,
        dict.fromkeys(("resource", "date", "start", "end"), "Заполните это поле"),
    ),
    "no dates or times": (
        {"date": "2026-02-30", "start": "25:00", "end": "полдень"},
        422,
        {
            "date": "Укажите дату, например 12.03.2026",
            "start": "Укажите время, например 09:30",
            "end": "Укажите время, например 09:30",
        },
    ),
    "no number": ({"resource": "'; DROP TABLE booking"}, 422, {"resource": "Введите целое число"}),
    "start after end": ({"start": "13:00", "end": "12:00"}, 422, {"end": "Окончание должно быть позже начала"}),
    "start is end": ({"end": "12:00"}, 422, {"end": "Окончание должно быть позже начала"}),
    "ends before the day it starts": (
        {"end_date": "2026-03-09"}, 422, {"end": "Окончание должно быть позже начала"},
    ),
    "past": ({"date": "2026-03-09"}, 422, {"start": "Это время уже прошло"}),
    "outside of the hours": ({"start": "19:00", "end": "20:00"}, 422, {"start": CLOSED}),
    "ten years": (
        {"end_date": "2036-03-10"},
        422,
        {"end": "Самая длинная бронь здесь — 8 ч"},
    ),
    "too far ahead": (
        {"date": "2029-03-12"}, 422, {"start": "Бронировать можно не дальше чем на 365 дней вперёд"},
    ),
    "beside the grid": (
        {"start": "12:10", "end": "12:50"}, 422,
        {"start": "Время здесь идёт с шагом 30 мин", "end": "Время здесь идёт с шагом 30 мин"},
    ),
    "all rules at once": (
        {"date": "2026-03-09", "start": "19:10", "end": "19:20"}, 422,
        {"start": "Это время уже прошло", "end": "Самая короткая бронь здесь — 30 мин"},
    ),
    "100 kB in a name": ({"client_name": "я" * 100_000}, 422, {"client_name": "Слишком длинный текст. Сократите его"}),
    "100 kB in a title": ({"title": "x" * 100_000}, 422, {"title": "Слишком длинный текст. Сократите его"}),
    "a phone that is none": (
        {"client_name": "А", "client_phone": "12"}, 422,
        {"client_phone": "Это не похоже на номер телефона. Введите его с кодом страны"},
    ),
    "a phone of nobody": ({"client_phone": "+79000000001"}, 422, {"client_name": "Заполните это поле"}),
    "an e-mail that is none": (
        {"client_name": "А", "client_email": "кто-то"}, 422, {"client_email": "Это не похоже на адрес почты"},
    ),
    "somebody unknown": (
        {"responsible": 999}, 422,
        {"responsible": "Этот сотрудник ещё не открывал приложение. Выберите кого-нибудь из списка"},
    ),
    "a forged deal": ({"deal_id": DENIED_DEAL}, 403, {"card": "CRM не показывает вам эту карточку"}),
    "a deal that does not exist": ({"deal_id": 99_999}, 403, {"card": "CRM не показывает вам эту карточку"}),
    "a deal that is no number": ({"deal_id": "x"}, 422, {"deal_id": "Введите целое число"}),
    "a negative deal": ({"deal_id": -1}, 422, {"deal_id": "Эта страница устарела. Откройте её заново"}),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_names_its_field_and_changes_nothing(installed: Installed, resource: Resource, name: str) -> None:
    changed, status, expected = BAD[name]
    frame = installed.open(EMPLOYEE)
    before = everything(installed.engine)
    answer = frame.post("/app/bookings", **form(resource) | changed)
    assert (answer.status_code, at_fields(answer)) == (status, expected)
    for field in expected:
        assert f'href="#f-{field}"' in answer.text
        assert f'id="f-{field}"' in answer.text
    assert everything(installed.engine) == before


# What no form of ours sends, by the codes of the fields.
FORGED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "nobody comes": ({"party": 0}, {"party": "out_of_range"}),
    "fewer than nobody": ({"party": -1}, {"party": "out_of_range"}),
    "too many come": ({"party": 10**9}, {"party": "out_of_range"}),
    "a party that is no number": ({"party": "two"}, {"party": "not_a_number"}),
    "an intent that there is not": ({"intent": "steal"}, {"intent": "forged"}),
    "a length that is no length": ({"minutes": 0}, {"minutes": "forged"}),
    "a length of years": ({"minutes": 10**9}, {"minutes": "forged"}),
    "somebody picked who is no number": ({"pick-0": "²"}, {"pick-0": "not_a_number"}),
    "an extra where there are none": ({"extras-light": 1}, {"extras": "unknown_choice"}),
    "so many of an extra that it is no number": ({"extras-light": "9" * 40}, {"extras-light": "not_a_number"}),
    "a group that is a book": ({"group": "x" * 121}, {"group": "too_many_characters"}),
    "a repetition that there is not": ({"freq": "hourly", "count": 2}, {"freq": "unknown_choice"}),
    "a series without end": ({"freq": "daily"}, {"count": "required"}),
    "a series of 10,000 dates": ({"freq": "daily", "count": 10_000}, {"count": "too_many_dates"}),
    "a series of two hundred years": (
        {"freq": "daily", "until": "2099-12-31"}, {"until": "too_many_dates"},
    ),
    "two ends of a series": ({"freq": "daily", "count": 2, "until": "2026-03-12"}, {"until": "both_ends"}),
    "a series that ends before it begins": (
        {"freq": "daily", "until": "2026-03-09"}, {"until": "until_before_start"},
    ),
    "every no weeks": ({"freq": "weekly", "every": 0, "count": 2}, {"every": "out_of_range"}),
    "an eighth day of the week": ({"freq": "weekly", "weekdays": 7, "count": 2}, {"weekdays": "unknown_choice"}),
    "exceptions that are no dates": (
        {"freq": "daily", "count": 2, "except_days": "завтра"}, {"except_days": "not_a_date"},
    ),
    "nothing but exceptions": (
        {"freq": "daily", "count": 1, "except_days": "10.03.2026"}, {"except_days": "no_dates"},
    ),
    "no date left ticked": ({"freq": "daily", "count": 2}, {"days": "no_dates"}),
    "other dates than those of the series": (
        {"freq": "daily", "count": 2, "days": "2026-04-01"}, {"days": "no_dates"},
    ),
    "dates that are none": ({"freq": "daily", "count": 2, "days": "x"}, {"days": "not_a_date"}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_what_no_form_of_ours_sends_is_refused_at_its_field(
    installed: Installed, resource: Resource, name: str
) -> None:
    changed, codes = FORGED[name]
    frame = installed.open(EMPLOYEE)
    before = everything(installed.engine)
    answer = frame.post("/app/bookings", **form(resource) | changed)
    assert answer.status_code == 422
    for field, code in codes.items():
        sentence = html.escape(texts.say_refusal("ru", "field", code))
        assert f'<a href="#f-{field}">{sentence}</a>' in answer.text
    assert everything(installed.engine) == before


@pytest.mark.parametrize(
    ("day", "start", "end", "codes"),
    [
        ("2026-03-29", "2:30", "4:00", {"start": "hour_missing"}),
        ("2026-03-29", "1:00", "2:30", {"end": "hour_missing"}),
        ("2026-10-25", "2:30", "4:00", {"start": "hour_doubled"}),
        ("2026-10-25", "1:00", "2:30", {"end": "hour_doubled"}),
    ],
)
def test_a_time_that_the_clock_skips_or_shows_twice_is_refused_at_its_field(
    installed: Installed, manager: Frame, day: str, start: str, end: str, codes: dict[str, str]
) -> None:
    there = room(installed, time_zone="Europe/Berlin")
    before = everything(installed.engine)
    answer = manager.post("/app/bookings", **form(there, date=day, start=start, end=end))
    assert answer.status_code == 422
    said = {name: texts.say_refusal("ru", "field", code) for name, code in codes.items()}
    assert at_fields(answer) == {name: text.replace("\N{NO-BREAK SPACE}", " ") for name, text in said.items()}
    assert everything(installed.engine) == before


def test_a_plain_booking_is_thirteen_statements_with_those_of_the_bearer(
    installed: Installed, resource: Resource, manager: Frame
) -> None:
    manager.post("/app/bookings", **form(resource, start="9:00", end="10:00"))
    with counted(installed.engine) as sent:
        made(manager.post("/app/bookings", **form(resource)))
    assert len(sent) <= 13, "\n".join(sent)


def test_every_broken_rule_is_listed_at_the_top(installed: Installed, resource: Resource, manager: Frame) -> None:
    answer = manager.post("/app/bookings", **form(resource, date="2026-03-09", start="19:10", end="19:20"))
    top = words(answer.text[answer.text.index('id="problems"') : answer.text.index("</ol>")])
    for sentence in ("5 причин", "уже прошло", "9:00–18:00", "шагом 30 мин", "короткая бронь здесь — 30 мин"):
        assert sentence in top


def test_a_refused_form_keeps_what_was_typed(resource: Resource, manager: Frame) -> None:
    sent = form(resource, start="13:00", end="12:00", title="Моё", client_name="Орлова", notes="Тут")
    answer = manager.post("/app/bookings", **sent)
    for name in ("title", "client_name", "start", "end", "request_key"):
        assert value_of(answer, name) == sent[name]
    assert ">Тут</textarea>" in answer.text


def test_a_form_without_its_key_is_no_form_of_ours(installed: Installed, resource: Resource, manager: Frame) -> None:
    sent = form(resource)
    del sent["request_key"]
    before = everything(installed.engine)
    assert manager.post("/app/bookings", **sent).status_code == 422
    assert everything(installed.engine) == before


def test_a_resource_that_is_not_here_is_404(installed: Installed, manager: Frame) -> None:
    before = everything(installed.engine)
    answer = manager.post("/app/bookings", **form(987_654))
    assert answer.status_code == 404
    assert "Такого ресурса нет" in answer.text
    assert everything(installed.engine) == before


def test_a_megabyte_and_more_is_refused_unread(installed: Installed, resource: Resource, manager: Frame) -> None:
    before = everything(installed.engine)
    answer = manager.post("/app/bookings", **form(resource, notes="x" * 1_100_000))
    assert answer.status_code == 413
    assert "Форма слишком большая" in answer.text
    assert everything(installed.engine) == before


# Taken ----


def test_a_time_that_was_taken_answers_409_with_fresh_lane_and_other_times(
    installed: Installed, resource: Resource, manager: Frame
) -> None:
    rival = booked(installed, resource, 3, 1, title="Соперник")
    before = everything(installed.engine)
    answer = manager.post("/app/bookings", **form(resource, board_day=DAY, title="Моя"))
    assert answer.status_code == 409
    assert at_fields(answer) == {"start": "Это время только что заняли"}
    assert f'hx-target="#r{resource.id}"' in answer.text
    assert f"href=#{rival}>Соперник</a>" in answer.text
    others = [json.loads(html.unescape(one)) for one in re.findall(r"data-fill='([^']+)'", answer.text)]
    assert [(one["start"], one["end"]) for one in others] == [
        ("10:00", "11:00"), ("11:00", "12:00"), ("13:00", "14:00"),
    ]  # fmt: skip
    assert "Сегодня, 11:00–12:00" in words(answer.text)
    assert everything(installed.engine) == before
    answer = manager.post("/app/bookings", **form(resource, title="Моя") | others[0])
    assert made(answer)


def test_touching_bookings_do_not_conflict(installed: Installed, resource: Resource, manager: Frame) -> None:
    booked(installed, resource, 2, 1)
    booked(installed, resource, 4, 1)
    assert made(manager.post("/app/bookings", **form(resource)))


# The panel ----


def test_the_panel_shows_the_booking_by_id_and_by_number(
    installed: Installed, resource: Resource, manager: Frame
) -> None:
    booking = the_booking(installed, made(manager.post("/app/bookings", **form(resource, title="Съёмка"))))
    by_id, by_number = manager.get(f"/app/bookings/{booking.id}"), manager.get(f"/app/bookings/no/{booking.number}")
    assert by_id.text == by_number.text
    page = words(by_id.text)
    for part in (f"Бронь № {booking.number}", "Вт, 10 марта, 12:00–13:00", "«Ока»", "Съёмка", "Бронь создана"):
        assert part in page


@pytest.mark.parametrize("path", ["/app/bookings/no/1", "/app/bookings/00000000-0000-4000-8000-000000000000"])
def test_a_booking_that_is_not_here_is_404(manager: Frame, path: str) -> None:
    answer = manager.get(path)
    assert answer.status_code == 404
    assert "Такой брони нет" in answer.text


def test_phone_and_deal_come_from_the_crm_with_the_visitors_rights(installed: Installed, resource: Resource) -> None:
    frame = installed.open(MANAGER)
    deal = installed.stand.portal.items[2][DENIED_DEAL]
    booking = made(frame.post("/app/bookings", **form(resource, deal_id=DENIED_DEAL)))
    allowed = frame.get(f"/app/bookings/{booking}/crm").text
    assert deal["title"] in html.unescape(allowed)
    denied = installed.open(EMPLOYEE)
    assert deal["title"] not in html.unescape(denied.get(f"/app/bookings/{booking}").text)
    part = denied.get(f"/app/bookings/{booking}/crm").text
    assert deal["title"] not in html.unescape(part)
    assert "CRM вам её не\N{NO-BREAK SPACE}показывает" in part


def refs(installed: Installed, booking_id: uuid.UUID, **values: Any) -> None:
    with installed.tx() as tx:
        tx.execute(update(ExternalRef).where(ExternalRef.booking_id == booking_id).values(**values))


def test_the_panel_follows_the_portal(installed: Installed, resource: Resource, manager: Frame) -> None:
    booking = made(manager.post("/app/bookings", **form(resource)))
    waiting = manager.get(f"/app/bookings/{booking}/sync")
    assert "Передаём в\N{NO-BREAK SPACE}портал" in waiting.text
    assert "load delay:1s" in waiting.text
    assert "HX-Trigger" not in waiting.headers
    refs(installed, booking, dirty_since=None, remote_id=41)
    there = manager.get(f"/app/bookings/{booking}/sync")
    assert "load delay" not in there.text
    assert json.loads(there.headers["HX-Trigger"]) == {"b24:changed": {}}
    item_type = installed.portal().crm["bookings"]["entity_type_id"]
    assert f'data-open="/crm/type/{item_type}/details/41/"' in there.text


def test_the_panel_asks_less_often_after_ten_times(installed: Installed, resource: Resource, manager: Frame) -> None:
    booking = made(manager.post("/app/bookings", **form(resource)))
    assert "load delay:5s" in manager.get(f"/app/bookings/{booking}/sync", turn=9).text


def test_a_change_that_the_portal_refused_says_that_the_booking_stands(
    installed: Installed, resource: Resource, manager: Frame
) -> None:
    booking = made(manager.post("/app/bookings", **form(resource)))
    refs(installed, booking, parked_reason="refused")
    page = manager.get(f"/app/bookings/{booking}/sync").text
    assert "Портал не\N{NO-BREAK SPACE}принял изменение" in page
    assert "Бронь в\N{NO-BREAK SPACE}силе" in page


# Moving ----


def test_a_booking_moves_to_another_time_and_place(installed: Installed, resource: Resource, manager: Frame) -> None:
    other = room(installed, name="«Волга»", hours=factories.OFFICE)
    booking = made(manager.post("/app/bookings", **form(resource)))
    empty = manager.get(f"/app/bookings/{booking}/move")
    assert [value_of(empty, name) for name in ("date", "start", "end", "revision")] == [DAY, "12:00", "13:00", "1"]
    answer = manager.post(
        f"/app/bookings/{booking}/move", resource=other.id, date="2026-03-11", start="15:00", end="16:30", revision=1
    )
    assert made(answer) == booking
    page = words(answer.text)
    assert "Вт, 10 марта, 12:00–13:00 → Ср, 11 марта, 15:00–16:30" in page
    assert "«Ока» → «Волга»" in page


@pytest.mark.parametrize(
    ("changed", "words_of_it"),
    [
        ({"start": "14:00", "end": "15:00"}, "12:00–13:00 → 14:00–15:00"),
        ({"end": "14:00"}, "до 13:00 → до 14:00"),
        ({"start": "11:30"}, "с 12:00 → с 11:30"),
    ],
)
def test_history_says_what_moved(resource: Resource, manager: Frame, changed: dict[str, str], words_of_it: str) -> None:
    booking = made(manager.post("/app/bookings", **form(resource)))
    answer = manager.post(f"/app/bookings/{booking}/move", **form(resource, revision=1) | changed)
    assert words_of_it in words(answer.text)


def test_a_move_onto_a_taken_time_offers_others(installed: Installed, resource: Resource, manager: Frame) -> None:
    booked(installed, resource, 5, 1)
    booking = made(manager.post("/app/bookings", **form(resource)))
    before = everything(installed.engine)
    answer = manager.post(
        f"/app/bookings/{booking}/move", **form(resource, start="14:00", end="15:00", revision=1, board_day=DAY)
    )
    assert answer.status_code == 409
    assert at_fields(answer) == {"start": "Это время только что заняли"}
    assert "data-fill=" in answer.text
    assert everything(installed.engine) == before


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"start": "19:00", "end": "20:00"}, "start"), ({"end": "11:00"}, "end"), ({"date": "x"}, "date")],
)
def test_a_move_that_breaks_a_rule_names_the_field(
    installed: Installed, resource: Resource, manager: Frame, changed: dict[str, str], field: str
) -> None:
    booking = made(manager.post("/app/bookings", **form(resource)))
    before = everything(installed.engine)
    answer = manager.post(f"/app/bookings/{booking}/move", **form(resource, revision=1) | changed)
    assert answer.status_code == 422
    assert field in at_fields(answer)
    assert everything(installed.engine) == before


def test_a_move_of_what_was_changed_meanwhile_shows_the_new_state(resource: Resource, manager: Frame) -> None:
    booking = made(manager.post("/app/bookings", **form(resource)))
    made(manager.post(f"/app/bookings/{booking}/move", **form(resource, start="9:30", end="10:00", revision=1)))
    answer = manager.post(f"/app/bookings/{booking}/move", **form(resource, start="15:00", end="16:00", revision=1))
    assert answer.status_code == 409
    assert "Тем временем это уже изменили" in answer.text
    assert value_of(answer, "revision") == "2"


# Cancelling ----


def test_a_cancelled_booking_leaves_the_board_and_stays_in_history(
    installed: Installed, resource: Resource, manager: Frame
) -> None:
    booking = made(manager.post("/app/bookings", **form(resource, title="Съёмка")))
    answer = manager.post(f"/app/bookings/{booking}/cancel", revision=1)
    page = words(answer.text)
    assert "Отменено" in page
    assert "Бронь отменена" in page
    assert "Съёмка" not in manager.get("/app/board").text
    assert made(manager.post("/app/bookings", **form(resource))) != booking


def test_a_stale_cancel_is_refused_with_the_new_state(resource: Resource, manager: Frame) -> None:
    booking = made(manager.post("/app/bookings", **form(resource)))
    made(manager.post(f"/app/bookings/{booking}/move", **form(resource, start="9:30", end="10:00", revision=1)))
    answer = manager.post(f"/app/bookings/{booking}/cancel", revision=1)
    assert answer.status_code == 409
    assert "Тем временем это уже изменили" in answer.text
    assert 'name="revision" value="2"' in answer.text


@pytest.mark.parametrize("action", ["move", "cancel"])
def test_only_author_responsible_and_administrators_change(
    installed: Installed, resource: Resource, manager: Frame, action: str
) -> None:
    booking = made(manager.post("/app/bookings", **form(resource)))
    stranger = installed.open(SECOND_MANAGER)
    page = stranger.get(f"/app/bookings/{booking}").text
    assert "/move" not in page
    assert "/cancel" not in page
    before = everything(installed.engine)
    answer = stranger.post(f"/app/bookings/{booking}/{action}", **form(resource, revision=1, start="9:30", end="10:00"))
    assert answer.status_code == 403
    assert "Менять эту бронь могут только автор" in words(answer.text)
    assert everything(installed.engine) == before
    assert made(installed.open().post(f"/app/bookings/{booking}/{action}", **form(resource, revision=1))) == booking


def test_hours_over_midnight_offer_the_night(installed: Installed, manager: Frame) -> None:
    night = room(installed, name="Клуб", hours=tuple(OpeningHours(day, 22 * 60, 28 * 60) for day in range(7)))
    answer = manager.post("/app/bookings", **form(night, start="23:00", end="01:00", end_date="2026-03-11"))
    assert made(answer)
    board = manager.get("/app/board", day="2026-03-11").text
    assert 'class="b conf lag s0 n4"' in board


# The portal is away ----


def test_while_the_portal_is_silent_a_form_says_so_and_the_panel_stays(
    installed: Installed, resource: Resource
) -> None:
    frame = installed.open(MANAGER, DEAL_TAB, options={"ID": "1"})
    booking = made(frame.post("/app/bookings", **form(resource, deal_id=1)))
    forget_everything()
    faults.add(installed.stand.world, {"method": "batch", "kind": "500", "times": None})
    answer = frame.get("/app/bookings/new")
    assert answer.status_code == 503
    assert answer.headers["HX-Retarget"] == "#panel-body"
    assert "Битрикс24 сейчас не отвечает" in words(answer.text)
    before = everything(installed.engine)
    assert frame.post("/app/bookings", **form(resource, start="15:00", end="16:00", deal_id=1)).status_code == 503
    assert everything(installed.engine) == before
    part = frame.get(f"/app/bookings/{booking}/crm")
    assert part.status_code == 200
    assert "Битрикс24 не отвечает" in words(part.text)
    assert frame.get(f"/app/bookings/{booking}").status_code == 200
