"""The administrators' form for resources."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from b24app import texts
from b24app.booking.resources import SpecialDay, archive_resource
from b24app.ledger import facilities, queries
from b24app.ledger.models import ExternalRef, Installation, Resource, Service
from b24app.scheduling.hours import OpeningHours, Stretch
from b24app.web.forms_facilities import hours_text, parse_hours
from emulator import faults
from emulator.calendar_sections import add_section
from tests.factories import ADMIN
from tests.stand import ADMIN as ADMIN_ID
from tests.stand import MANAGER, SECOND_MANAGER, Frame
from tests.web.installed import Installed, everything
from tests.web.test_board import booked, room, words
from tests.web.test_bookings import HOSTILE, at_fields, value_of

OFFICE = "9:00–18:00"


def form(**changed: Any) -> dict[str, Any]:
    """A good form for a meeting room with office hours."""
    return {
        "kind": "room", "name": "«Ока»", "city": "Москва", "address": "Пресня, 3-й этаж", "capacity": "6",
        "time_zone": "Europe/Moscow", "step_minutes": "30", "min_minutes": "30", "max_minutes": "240",
        "horizon_days": "90", "calendar_mode": "default", "units": "1", "buffer_before": "0", "buffer_after": "0",
        **{f"hours_{day}": OFFICE for day in range(5)}, **changed,
    }  # fmt: skip


def sentence(code: str) -> str:
    return texts.say("ru", f"field.{code}").replace("\N{NO-BREAK SPACE}", " ")


def only(installed: Installed) -> tuple[Resource, Service, list[OpeningHours]]:
    """The one resource there is, with its service and hours."""
    with installed.tx() as tx:
        portal_id = installed.portal().id
        (resource,) = queries.resources(tx, portal_id, ADMIN)
        service = facilities.bare_service(tx, portal_id, resource.id)
        return resource, service, list(queries.hours(tx, portal_id).get(resource.id, ()))


@pytest.fixture
def admin(installed: Installed) -> Frame:
    return installed.open()


def test_a_resource_is_added_and_stands_on_the_board(installed: Installed, admin: Frame) -> None:
    answer = admin.post("/app/resources", **form(hours_5="10:00–14:00, 15:00–16:30"))
    assert answer.status_code == 200
    assert "Пн–Пт 9:00–18:00, Сб 10:00–14:00, 15:00–16:30" in words(answer.text)
    resource, service, hours = only(installed)
    assert (resource.name, resource.capacity, resource.step_minutes) == ("«Ока»", 6, 30)
    assert (service.min_minutes, service.max_minutes, service.horizon_days) == (30, 240, 90)
    assert hours[-1] == OpeningHours(5, 15 * 60, 16 * 60 + 30)
    assert "«Ока»" in admin.get("/app/board").text


def test_the_form_shows_what_is_saved_and_saves_it_back(installed: Installed, admin: Frame) -> None:
    admin.post("/app/resources", **form(hours_6="22:00–2:00"))
    resource, _, before = only(installed)
    page = admin.get(f"/app/resources/{resource.id}")
    for name, value in (("name", "«Ока»"), ("hours_0", OFFICE), ("hours_6", "22:00–2:00"), ("max_minutes", "240")):
        assert value_of(page, name) == value
    changed = form(name="«Ока-2»", hours_6=value_of(page, "hours_6"), revision=value_of(page, "revision"))
    answer = admin.post(f"/app/resources/{resource.id}", **changed)
    assert answer.status_code == 200
    renamed, _, after = only(installed)
    assert (renamed.id, renamed.name, after) == (resource.id, "«Ока-2»", before)


def test_the_form_for_a_new_one_has_usual_values(admin: Frame) -> None:
    page = admin.get("/app/resources/new")
    assert value_of(page, "hours_0") == OFFICE
    assert value_of(page, "hours_6") == ""
    assert "Екатеринбург, UTC+5" in words(page.text)


BAD: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "no name": ({"name": "  "}, {"name": "Заполните это поле"}),
    "100 kB in the name": ({"name": "я" * 100_000}, {"name": "Слишком длинный текст. Сократите его"}),
    "another kind": ({"kind": "ship"}, {"kind": "Выберите вид из списка"}),
    "no number": ({"capacity": "много"}, {"capacity": "Введите целое число"}),
    "nobody fits": ({"capacity": "0"}, {"capacity": "Такое число не подходит"}),
    "no zone": ({"time_zone": "Moon/Sea"}, {"time_zone": "Выберите часовой пояс из списка"}),
    "a path for a zone": ({"time_zone": "../../etc/passwd"}, {"time_zone": "Выберите часовой пояс из списка"}),
    "another step": ({"step_minutes": "7"}, {"step_minutes": "Выберите шаг из списка"}),
    "shortest over longest": (
        {"min_minutes": "300"}, {"min_minutes": "Самая короткая бронь не может быть длиннее самой длинной"},
    ),
    "beside the grid": ({"max_minutes": "100"}, {"max_minutes": "Должно делиться на шаг"}),
    "a year long": ({"max_minutes": "525600"}, {"max_minutes": "Такие длинные брони здесь не разрешены"}),
    "too far ahead": ({"horizon_days": "99999"}, {"horizon_days": "Такое число не подходит"}),
    "hours of no day": (
        {"hours_0": "с девяти", "hours_1": "9–25"},
        dict.fromkeys(("hours_0", "hours_1"), "Напишите часы как 9:00–18:00, несколько — через запятую"),
    ),
    "hours that overlap": ({"hours_0": "9–13, 12–18"}, {"hours": "Эти часы пересекаются"}),
    "a larger number than any": ({"capacity": "9" * 30}, {"capacity": "Введите целое число"}),
    "no unit": ({"units": "0"}, {"units": sentence("out_of_range")}),
    "more units than anybody has": ({"units": "201"}, {"units": sentence("out_of_range")}),
    "units in words": ({"units": "пять"}, {"units": sentence("not_a_number")}),
    "a negative buffer": ({"buffer_before": "-5"}, {"buffer_before": sentence("out_of_range")}),
    "a buffer over a day": ({"buffer_after": "1441"}, {"buffer_after": sentence("out_of_range")}),
    "no buffer at all": ({"buffer_after": ""}, {"buffer_after": sentence("required")}),
    "holidays of nowhere": ({"holidays": "XX"}, {"holidays": sentence("unknown_choice")}),
    "no such rules": ({"policy_id": "424242"}, {"policy_id": sentence("unknown_choice")}),
    "no such tariff": ({"tariff_id": "424242"}, {"tariff_id": sentence("unknown_choice")}),
    "an unknown part": ({"parts": "424242"}, {"parts": sentence("unknown_resource")}),
    "a part that is no number": ({"parts": "<b>"}, {"parts": sentence("unknown_resource")}),
    "a special date that is none": (
        {"special-0-day": "2026-02-30", "special-0-hours": "9-10"},
        {"special-0-day": sentence("not_a_date")},
    ),
    "hours without their date": ({"special-4-hours": "9–10"}, {"special-0-day": sentence("required")}),
    "special hours of no day": (
        {"special-0-day": "2026-05-08", "special-0-hours": "9–25"},
        {"special-0-hours": sentence("hours_wrong")},
    ),
    "special hours that overlap": (
        {"special-1-day": "2026-05-08", "special-1-hours": "9–13, 12–18"},
        {"special-0-hours": sentence("hours_overlap")},
    ),
    "a date twice": (
        {"special-0-day": "2026-05-08", "special-2-day": "2026-05-08", "special-2-hours": "9–12"},
        {"special-1-day": sentence("date_twice")},
    ),
    "an hour that does not exist": (
        {"time_zone": "Europe/Berlin", "special-0-day": "2026-03-29", "special-0-hours": "2:30–8"},
        {"special-0-hours": sentence("hour_missing")},
    ),
    "an hour that exists twice": (
        {"time_zone": "Europe/Berlin", "special-0-day": "2026-10-25", "special-0-hours": "2:30–8"},
        {"special-0-hours": sentence("hour_doubled")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_names_its_field_and_changes_nothing(installed: Installed, admin: Frame, name: str) -> None:
    changed, expected = BAD[name]
    before = everything(installed.engine)
    answer = admin.post("/app/resources", **form(**changed))
    assert (answer.status_code, at_fields(answer)) == (422, expected)
    assert answer.headers["HX-Retarget"] == "#panel-body"
    for field in expected:
        assert f'id="f-{field}"' in answer.text
    assert everything(installed.engine) == before


def test_several_wrong_fields_are_named_together(admin: Frame) -> None:
    answer = admin.post("/app/resources", **form(name="", capacity="x", max_minutes=""))
    assert set(at_fields(answer)) == {"name", "capacity", "max_minutes"}
    assert "3 причины" in answer.text


def test_names_are_shown_verbatim(installed: Installed, admin: Frame) -> None:
    answer = admin.post("/app/resources", **form(name=HOSTILE, city=HOSTILE[:80], kind="specialist"))
    assert answer.status_code == 200
    resource, _, _ = only(installed)
    assert resource.name == HOSTILE
    for page in (answer, admin.get("/app/board"), admin.get(f"/app/resources/{resource.id}")):
        assert "<script>" not in page.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt; 😀 $result[x][id]" in page.text


def test_an_archived_resource_is_not_offered_and_comes_back(installed: Installed, admin: Frame) -> None:
    resource = room(installed, name="Старая")
    booked(installed, resource)
    assert "Впереди 1 бронь, она останется" in admin.get(f"/app/resources/{resource.id}").text
    answer = admin.post(f"/app/resources/{resource.id}/archive", revision=1)
    assert "1 ресурс в\N{NO-BREAK SPACE}архиве" in answer.text
    assert "Старая" not in admin.get("/app/board").text
    assert admin.get("/app/bookings/new", resource=resource.id).status_code == 200
    answer = admin.post(f"/app/resources/{resource.id}/restore", revision=2)
    assert "архиве" not in answer.text
    assert "Старая" in admin.get("/app/board").text


def test_what_was_changed_meanwhile_is_not_overwritten(installed: Installed, admin: Frame) -> None:
    resource = room(installed)
    assert admin.post(f"/app/resources/{resource.id}", **form(name="Первый", revision=1)).status_code == 200
    answer = admin.post(f"/app/resources/{resource.id}", **form(name="Второй", revision=1))
    assert answer.status_code == 409
    assert "Тем временем это уже изменили" in answer.text
    assert value_of(answer, "revision") == "2"
    assert only(installed)[0].name == "Первый"


@pytest.mark.parametrize("path", ["", "/new", "/{id}"])
def test_pages_are_for_administrators(installed: Installed, path: str) -> None:
    path = path.format(id=room(installed).id)
    answer = installed.open(MANAGER).get(f"/app/resources{path}")
    assert answer.status_code == 403
    assert words(texts.say("ru", "not_allowed.settings")) in words(answer.text)


@pytest.mark.parametrize("path", ["", "/{id}", "/{id}/archive", "/{id}/restore"])
def test_changes_are_for_administrators(installed: Installed, path: str) -> None:
    path = path.format(id=room(installed).id)
    frame, before = installed.open(MANAGER), everything(installed.engine)
    assert frame.post(f"/app/resources{path}", **form(revision=1)).status_code == 403
    assert everything(installed.engine) == before


@pytest.mark.parametrize("action", ["", "/archive", "/restore"])
def test_a_resource_that_is_not_here_is_404(admin: Frame, action: str) -> None:
    assert admin.post(f"/app/resources/987654{action}", **form(revision=1)).status_code == 404


@pytest.mark.parametrize(
    ("text", "stretches"),
    [
        ("9:00–18:00", [(540, 1080)]),
        ("9-18", [(540, 1080)]),
        ("9.30 — 13, 14:00-18:00", [(570, 780), (840, 1080)]),
        ("22:00–2:00", [(1320, 1560)]),
        ("0:00–24:00", [(0, 1440)]),
        ("00:00–00:00", [(0, 1440)]),
        ("", []),
        (" ; ", []),
    ],
)
def test_hours_are_read_as_people_write_them(text: str, stretches: list[tuple[int, int]]) -> None:
    assert [(one.opens, one.closes) for one in parse_hours(0, text)] == stretches


@pytest.mark.parametrize("text", ["9", "9:60–10", "24:30–25", "25–26", "9–18–20", "24:00–3:00", "-", "<script>"])
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        parse_hours(0, text)


def test_hours_are_shown_as_they_are_read() -> None:
    for text in ("9:00–18:00", "22:00–2:00", "0:00–24:00", "9:30–13:00, 14:00–18:00"):
        assert hours_text(parse_hours(3, text)) == text


def test_a_specialist_is_chosen_among_the_portals_employees(installed: Installed, admin: Frame) -> None:
    page = admin.get("/app/resources/new").text
    assert "Тимур Ахметов" in page  # he has never opened the application
    answer = admin.post("/app/resources", **form(kind="specialist", name="Тимур", portal_user_id=SECOND_MANAGER))
    assert answer.status_code == 200
    assert only(installed)[0].portal_user_id == SECOND_MANAGER


@pytest.mark.parametrize("person", ["424242", "-5", str(2**53)])
def test_a_specialist_whom_the_portal_does_not_know_is_refused(installed: Installed, admin: Frame, person: str) -> None:
    before = everything(installed.engine)
    answer = admin.post("/app/resources", **form(kind="specialist", name="Тимур", portal_user_id=person))
    assert answer.status_code == 422
    assert "portal_user_id" in at_fields(answer)
    assert everything(installed.engine) == before


def test_the_form_opens_though_the_portal_does_not_answer(installed: Installed, admin: Frame) -> None:
    faults.add(installed.stand.world, {"method": "user.get", "kind": "500", "probability": 1.0, "times": None})
    assert admin.get("/app/resources/new").status_code == 200


def test_nothing_is_saved_or_archived_while_the_application_is_unpaid(installed: Installed, admin: Frame) -> None:
    admin.post("/app/resources", **form())
    resource, _, _ = only(installed)
    with installed.tx() as tx:
        tx.get_one(Installation, installed.installation().id).payment_expired = True
    before = everything(installed.engine)
    assert admin.post(f"/app/resources/{resource.id}", **form(name="«Волга»", revision=1)).status_code == 403
    assert admin.post(f"/app/resources/{resource.id}/archive", revision=1).status_code == 403
    assert everything(installed.engine) == before


def test_archiving_what_was_changed_meanwhile_is_refused(installed: Installed, admin: Frame) -> None:
    admin.post("/app/resources", **form())
    resource, _, _ = only(installed)
    assert admin.post(f"/app/resources/{resource.id}/archive", revision=77).status_code == 409
    assert only(installed)[0].archived_at is None


def test_an_id_that_no_database_could_hold_is_not_found(admin: Frame) -> None:
    assert admin.get(f"/app/resources/{10**30}").status_code == 404
    assert admin.get(f"/app/bookings/no/{10**30}").status_code == 404


def test_everything_that_is_said_is_shown_again_and_saved_back(installed: Installed, admin: Frame) -> None:
    answer = admin.post("/app/resources", **form(
        units="5", buffer_before="10", buffer_after="15", holidays="RU", step_minutes="20", min_minutes="20",
        **{"special-0-day": "2026-05-08", "special-0-hours": "10–14, 22:00–2:00", "special-3-day": "2026-05-09"},
    ))  # fmt: skip
    assert answer.status_code == 200
    listed = words(answer.text)
    assert words(texts.say("ru", "pieces", count=5)) in listed
    minutes = {name: texts.duration("ru", count) for name, count in (("before", 10), ("after", 15))}
    assert words(texts.say("ru", "buffers", **minutes)) in listed
    resource, _, _ = only(installed)
    page = admin.get(f"/app/resources/{resource.id}")
    shown = {
        name: value_of(page, name)
        for name in (
            "units", "buffer_before", "buffer_after", "special-0-day", "special-0-hours", "special-1-day",
            "special-1-hours", "special-2-day",
        )
    }  # fmt: skip
    assert shown == {
        "units": "5", "buffer_before": "10", "buffer_after": "15", "special-0-day": "2026-05-08",
        "special-0-hours": "10:00–14:00, 22:00–2:00", "special-1-day": "2026-05-09", "special-1-hours": "",
        "special-2-day": "",
    }  # fmt: skip
    chosen = re.findall(r'<option value="([^"]*)" selected', page.text)
    assert {"RU", "20"} <= set(chosen)
    again = form(
        **shown, holidays="RU", step_minutes="20", min_minutes="20", revision=value_of(page, "revision"),
    )  # fmt: skip
    assert admin.post(f"/app/resources/{resource.id}", **again).status_code == 200
    with installed.tx() as tx:
        portal_id = installed.portal().id
        assert facilities.units(tx, portal_id) == {resource.id: 5}
        assert facilities.special_hours(tx, portal_id, resource.id) == {
            date(2026, 5, 8): (Stretch(600, 840), Stretch(1320, 1560)), date(2026, 5, 9): (),
        }  # fmt: skip


def test_a_step_of_its_own_stays_in_the_form(installed: Installed, admin: Frame) -> None:
    resource = room(installed, step_minutes=144, min_minutes=144, max_minutes=288)
    page = admin.get(f"/app/resources/{resource.id}").text
    assert re.findall(r'<option value="(\d+)" selected', page) == ["144"]


def test_any_minute_is_on_offer(installed: Installed, admin: Frame) -> None:
    assert texts.say("ru", "any_minute") in admin.get("/app/resources/new").text
    assert admin.post("/app/resources", **form(step_minutes="1", min_minutes="7", max_minutes="59")).status_code == 200
    assert only(installed)[0].step_minutes == 1


def test_a_whole_is_made_of_its_parts(installed: Installed, admin: Frame) -> None:
    first, second = room(installed, name="Зал А1", kind="hall"), room(installed, name="Зал А2", kind="hall")
    answer = admin.post("/app/resources", **form(name="Зал А", kind="hall", parts=[second.id, first.id]))
    assert "Зал А2 + Зал А1" in words(answer.text)
    with installed.tx() as tx:
        (whole,) = [one for one in queries.resources(tx, installed.portal().id, ADMIN) if one.is_composite]
    page = admin.get(f"/app/resources/{whole.id}").text
    assert checked(page) == [second.id, first.id]
    assert "Зал А" in admin.get(f"/app/resources/{first.id}").text.split("</h2>", 1)[1]


def checked(page: str) -> list[int]:
    return [int(one) for one in re.findall(r'name="parts" value="(\d+)" checked', page)]


def test_what_contains_a_resource_is_not_offered_as_its_part(installed: Installed, admin: Frame) -> None:
    inner, beside = room(installed), room(installed)
    outer = room(installed, parts=(inner.id,))
    page = admin.get(f"/app/resources/{inner.id}").text
    assert re.findall(r'name="parts" value="(\d+)"', page) == [str(beside.id)]
    before = everything(installed.engine)
    for part in (inner, outer):
        answer = admin.post(f"/app/resources/{inner.id}", **form(parts=part.id, revision=1))
        assert (answer.status_code, at_fields(answer)) == (422, {"parts": sentence("part_of_itself")})
    assert everything(installed.engine) == before


def test_a_part_twice_or_archived_is_refused(installed: Installed, admin: Frame) -> None:
    part, old = room(installed), room(installed)
    with installed.tx() as tx:
        archive_resource(tx, installed.portal(), old.id, viewer=ADMIN, now=installed.stand.now)
    before = everything(installed.engine)
    for parts, code in (([part.id, part.id], "part_twice"), ([part.id, old.id], "archived_part")):
        answer = admin.post("/app/resources", **form(parts=parts))
        assert (answer.status_code, at_fields(answer)) == (422, {"parts": sentence(code)})
    assert everything(installed.engine) == before


def test_what_bookings_ahead_stand_on_is_not_taken_away(installed: Installed, admin: Frame) -> None:
    part, spare, pool = room(installed), room(installed), room(installed, units=2)
    whole = room(installed, parts=(part.id,))
    booked(installed, whole)
    booked(installed, pool)
    booked(installed, pool)
    before = everything(installed.engine)
    for resource, changed, field in (
        (whole, {"parts": [part.id, spare.id]}, "parts"),
        (whole, {}, "parts"),
        (pool, {"units": "1"}, "units"),
        (part, {"units": "2"}, "units"),
    ):
        answer = admin.post(f"/app/resources/{resource.id}", **form(**changed, revision=1))
        assert (answer.status_code, at_fields(answer)) == (422, {field: sentence("in_use")})
    assert everything(installed.engine) == before


def test_a_part_of_something_offered_is_not_archived(installed: Installed, admin: Frame) -> None:
    part = room(installed, special=(SpecialDay(date(2026, 5, 9)),))
    room(installed, name="Зал целиком", parts=(part.id,))
    before = everything(installed.engine)
    answer = admin.post(f"/app/resources/{part.id}/archive", revision=1)
    assert (answer.status_code, at_fields(answer)) == (422, {"parts": sentence("part_of_offered")})
    assert answer.headers["HX-Retarget"] == "#panel-body"
    assert "Зал целиком" in answer.text
    assert value_of(answer, "special-0-day") == "2026-05-09"
    assert everything(installed.engine) == before


def test_another_calendar_takes_the_events_of_bookings_to_come_along(installed: Installed, admin: Frame) -> None:
    far = installed.stand.portal
    resource = room(installed)
    booked(installed, resource, 30)
    section = add_section(far, "company_calendar", 0, "Студии", ADMIN_ID, far.world.now())["id"]
    page = admin.get(f"/app/resources/{resource.id}")
    assert f'value="company:{section}"' in page.text
    revision = value_of(page, "revision")
    shown = form(name=resource.name, hours_5="0:00–24:00", revision=revision, calendar_mode=f"company:{section}")
    assert admin.post(f"/app/resources/{resource.id}", **shown).status_code == 200
    with installed.tx() as tx:
        targets = {ref.target: ref.dirty_since for ref in tx.scalars(select(ExternalRef).filter_by(kind="event"))}
    assert targets.keys() == {"company", f"company:{section}"}
    assert all(targets.values())
    assert f'value="company:{section}" selected' in admin.get(f"/app/resources/{resource.id}").text


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"calendar_mode": "company:987654"}, {"calendar_mode": "unknown_calendar"}),
        ({"calendar_mode": "company:x"}, {"calendar_mode": "unknown_calendar"}),
        ({"calendar_mode": "user"}, {"calendar_mode": "unknown_calendar"}),
        ({"calendar_mode": "group"}, {"calendar_group": "unknown_group"}),
        ({"calendar_mode": "group", "calendar_group": "77"}, {"calendar_group": "unknown_group"}),
    ],
)
def test_a_calendar_that_there_is_not_is_refused_at_its_field(
    installed: Installed, admin: Frame, changed: dict[str, str], fields: dict[str, str]
) -> None:
    before = everything(installed.engine)
    answer = admin.post("/app/resources", **form(**changed))
    assert (answer.status_code, at_fields(answer)) == (422, {name: sentence(code) for name, code in fields.items()})
    assert everything(installed.engine) == before


def test_a_workgroups_calendar_is_named_by_its_number(installed: Installed, admin: Frame) -> None:
    far = installed.stand.portal
    far.groups[7] = {"name": "Ресурсы"}
    section = add_section(far, "group", 7, "Залы", ADMIN_ID, far.world.now())["id"]
    assert admin.post("/app/resources", **form(calendar_mode="group", calendar_group="7")).status_code == 200
    resource, _, _ = only(installed)
    chosen = (resource.calendar_mode, resource.calendar_owner, resource.calendar_section)
    assert chosen == ("group", 7, section)
