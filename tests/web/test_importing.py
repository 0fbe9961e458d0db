"""Importing resources through the pages: looking first, then writing with how far it is, or nothing at all."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from b24app.ledger import facilities, queries
from b24app.ledger.models import PortalUser, Resource
from b24app.scheduling.hours import OpeningHours
from b24app.web import importing
from b24app.web.importing_words import words_of
from emulator import booking_resources
from emulator.seed import bookable
from tests.booking.tables import HEADING, row, workbook
from tests.factories import ADMIN
from tests.stand import APP_URL, MANAGER, SECOND_MANAGER, Frame
from tests.web.installed import Installed, everything
from tests.web.test_board import words

WRONG = re.compile(r"<tr><td>([^<]*)</td><td class=\"num\"><b>([A-Z]+\d+)</b></td>")


@pytest.fixture
def admin(installed: Installed) -> Frame:
    return installed.open()


def send(frame: Frame, path: str, data: bytes, name: str = "ресурсы.xlsx", **form: str) -> TestResponse:
    """Sends a file as the form of the page does."""
    body = {"file": (io.BytesIO(data), name), **form}
    headers = frame.headers
    return frame.client.post(path, data=body, headers=headers, base_url=APP_URL, content_type="multipart/form-data")


def preview(frame: Frame, data: bytes, name: str = "ресурсы.xlsx", **form: str) -> TestResponse:
    answer = send(frame, "/app/import/preview", data, name, **form)
    assert answer.status_code == 200, answer.text
    return answer


def write(frame: Frame, data: bytes, seen: TestResponse, **form: str) -> list[dict[str, Any]]:
    """Says yes to what was seen; every line of the answer."""
    agreed = re.search(r'data-agreed="([^"]+)"', seen.text)
    assert agreed, seen.text
    answer = send(frame, "/app/import/write", data, agreed=agreed[1], **form)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def count(installed: Installed) -> int:
    with installed.tx() as tx:
        return tx.scalar(select(func.count(Resource.id))) or 0


# The forty cells that are wrong in a table of two thousand rows: row under the heading → what stands there instead.
FORTY: dict[int, dict[str, Any]] = {
    **{40 * n: {"capacity": "много"} for n in range(1, 11)},
    **{40 * n + 7: {"kind": "Корабль"} for n in range(1, 11)},
    **{40 * n + 11: {"hours": "с утра"} for n in range(1, 11)},
    **{40 * n + 13: {"min": "полчаса", "zone": "Луна"} for n in range(1, 6)},
}
LETTER = {"capacity": "D", "kind": "B", "hours": "F", "min": "K", "zone": "M"}


def test_each_of_forty_wrong_cells_in_two_thousand_rows_is_named_and_nothing_is_written_before_a_yes(
    installed: Installed, admin: Frame
) -> None:
    good = {"kind": "Переговорная", "city": "Москва", "capacity": 6, "hours": "Пн–Пт 9:00–18:00", "step": 30}
    rows = [row(**{"name": f"Комната {n}", **good, **FORTY.get(n, {})}) for n in range(2, 2002)]
    data = workbook([HEADING, *rows])
    before = everything(installed.engine)
    seen = preview(admin, data)
    assert everything(installed.engine) == before
    expected = {("Лист1", f"{LETTER[column]}{number}") for number, said in FORTY.items() for column in said}
    assert len(expected) == 40
    assert sorted(WRONG.findall(seen.text)) == sorted(expected)
    steps = write(admin, data, seen)
    progress = [step["done"] for step in steps if "done" in step]
    assert progress == [0, *range(100, 1901, 100), 1965]
    assert {step["of"] for step in steps if "of" in step} == {1965}
    assert 'id="import-done"' in steps[-1]["html"]
    assert count(installed) == 1965


def test_what_is_imported_stands_on_the_board_with_its_hours(installed: Installed, admin: Frame) -> None:
    data = "Название;Вид;Часы;Вместимость\nВолга;Переговорная;Пн–Пт 10–17;8\n".encode("utf-16")
    seen = preview(admin, data, "мои.csv")
    assert "Волга Переговорная Пн–Пт 10:00–17:00" in words(seen.text)
    write(admin, data, seen)
    assert "Волга" in admin.get("/app/board").text


def test_what_was_changed_meanwhile_is_shown_anew_and_not_carried_out(installed: Installed, admin: Frame) -> None:
    data = workbook([HEADING, row(name="Волга"), row(name="Ока")])
    seen = preview(admin, data)
    write(admin, workbook([HEADING, row(name="Ока")]), preview(admin, workbook([HEADING, row(name="Ока")])))
    before = everything(installed.engine)
    (line,) = write(admin, data, seen)
    assert 'role="alert"' in line["html"]
    assert 'id="import-plan"' in line["html"]
    assert everything(installed.engine) == before


@pytest.mark.parametrize(
    "data", [b"", b"\xd0\xcf\x11\xe0" + b"\0" * 600, "Цвет\nкрасный".encode(), b"PK\x03\x04 and no more of it"]
)
def test_a_file_that_is_no_table_is_refused_in_words(installed: Installed, admin: Frame, data: bytes) -> None:
    before = everything(installed.engine)
    assert 'id="import-refused"' in preview(admin, data).text
    (line,) = (json.loads(one) for one in send(admin, "/app/import/write", data, agreed="x").text.splitlines())
    assert 'id="import-refused"' in line["html"]
    assert everything(installed.engine) == before


def test_a_file_that_is_too_large_is_refused(admin: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "LARGEST", 1000)
    assert send(admin, "/app/import/preview", b"x" * 100_000).status_code == 413


def test_names_and_cells_are_shown_and_never_run(admin: Frame) -> None:
    seen = preview(admin, "Название;Вид\n<script>alert(1)</script>;<b>x</b>\n".encode(), "<img>.csv")
    assert "<script>alert" not in seen.text
    assert "<b>x</b>" not in seen.text
    assert "&lt;b&gt;x" in seen.text


def test_only_administrators_may_import(installed: Installed) -> None:
    manager = installed.open(MANAGER)
    assert manager.get("/app/import").status_code == 403
    assert send(manager, "/app/import/preview", b"x").status_code == 403
    assert send(manager, "/app/import/write", b"x").status_code == 403
    assert manager.get("/app/import/portal").status_code == 403
    assert manager.post("/app/import/portal", source="rooms", chosen="1").status_code == 403


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_table_to_fill_in_can_be_imported_as_it_is(installed: Installed, admin: Frame, language: str) -> None:
    answer = admin.client.get(f"/import/resources-{language}.xlsx", base_url=APP_URL)
    assert openpyxl.load_workbook(io.BytesIO(answer.data)).sheetnames[0]
    seen = preview(admin, answer.data)
    assert WRONG.findall(seen.text) == []
    write(admin, answer.data, seen)
    assert count(installed) == 2
    assert admin.client.get("/import/resources-de.xlsx", base_url=APP_URL).status_code == 404


def test_kinds_zones_and_countries_are_understood_by_their_usual_names(installed: Installed) -> None:
    with installed.tx() as tx:
        known = words_of(tx, installed.portal(), installed.stand.now)
    assert (known.kinds["переговорная"], known.kinds["vehicles"], known.kinds["зал"]) == ("room", "vehicle", "hall")
    assert known.zones["самара"] == known.zones["samara"] == "Europe/Samara"
    assert (known.zones["москва"], known.zones["europe/moscow"]) == ("Europe/Moscow", "Europe/Moscow")
    assert known.countries["россия"] == known.countries["russia"] == known.countries["ru"] == "RU"


# -- from the portal


def grant(installed: Installed, *scopes: str) -> None:
    """The administrator of the portal gives the application these rights too."""
    installed.card.scopes.extend(scopes)


def withdraw(installed: Installed, scope: str) -> None:
    installed.card.scopes = [one for one in installed.card.scopes if one != scope]


def listed(page: TestResponse) -> list[str]:
    found = re.findall(r'name="chosen" value="(\d+)"( disabled)?', page.text)
    return [number for number, there in found if not there]


def test_employees_of_a_department_become_specialists_with_their_own_clock(installed: Installed) -> None:
    grant(installed, "department")
    admin = installed.open()
    page = admin.get("/app/import/portal", source="people", department="3")
    assert listed(page) == [str(SECOND_MANAGER)]
    assert listed(admin.get("/app/import/portal", department="1")) != listed(page), "those below belong to it"
    done = admin.post("/app/import/portal", source="people", department="3", chosen=[str(SECOND_MANAGER), "999"])
    assert 'id="import-done"' in done.text
    assert listed(done) == []
    with installed.tx() as tx:
        (made,) = queries.resources(tx, installed.portal().id, ADMIN)
        hours = queries.hours(tx, installed.portal().id)[made.id]
        person = tx.scalars(select(PortalUser).where(PortalUser.user_id == SECOND_MANAGER)).one()
    assert (made.kind, made.name, made.portal_user_id) == ("specialist", "Тимур Ахметов", SECOND_MANAGER)
    assert made.time_zone == "Asia/Yekaterinburg"
    assert hours == tuple(OpeningHours(day, 9 * 60, 19 * 60) for day in range(5))  # as the calendar's settings say
    assert "DR3" in person.codes
    again = admin.post("/app/import/portal", source="people", department="3", chosen=str(SECOND_MANAGER))
    assert again.status_code == 200
    assert count(installed) == 1


def test_without_the_right_to_departments_everybody_is_listed(installed: Installed) -> None:
    withdraw(installed, "department")
    page = installed.open().get("/app/import/portal")
    assert len(listed(page)) == 5
    assert "import-department" not in page.text


def test_rooms_and_resources_of_the_portal_are_made_once(installed: Installed) -> None:
    grant(installed, "booking")
    bookable(installed.stand.portal, installed.stand.now.timestamp())
    admin = installed.open()
    for source, kind in (("rooms", "room"), ("old", "vehicle"), ("native", "")):
        chosen = listed(admin.get("/app/import/portal", source=source))
        assert admin.post("/app/import/portal", source=source, kind=kind, chosen=chosen).status_code == 200
        admin.post("/app/import/portal", source=source, kind=kind, chosen=chosen)
    with installed.tx() as tx:
        portal_id = installed.portal().id
        made = {one.name: one for one in queries.resources(tx, portal_id, ADMIN)}
        hours = queries.hours(tx, portal_id)
        service = facilities.bare_service(tx, portal_id, made["Дым-машина"].id)
    assert {name: one.kind for name, one in made.items()} == {
        "Переговорная «Волга»": "room", "Переговорная «Нева»": "room", "Кабинет 12": "room",
        "Проектор": "vehicle", "Микроавтобус": "vehicle", "Дым-машина": "equipment", "Гримёр": "specialist",
    }  # fmt: skip
    both = tuple(OpeningHours(day, *one) for day in range(5) for one in ((540, 780), (840, 1080)))
    assert hours[made["Гримёр"].id] == both
    assert (made["Дым-машина"].step_minutes, service.min_minutes) == (60, 60)


def test_a_right_that_is_missing_and_a_portal_that_says_no_are_told_in_words(installed: Installed) -> None:
    withdraw(installed, "booking")
    admin = installed.open()
    assert 'role="alert"' in admin.get("/app/import/portal", source="native").text
    assert admin.post("/app/import/portal", source="native", chosen="1").status_code == 200
    assert admin.post("/app/import/portal", source="rooms", chosen="1", kind="корабль").status_code in (200, 422)
    assert count(installed) == 0


def test_whatever_the_portal_says_of_hours_is_usable_or_left_out(installed: Installed) -> None:
    grant(installed, "booking")
    portal = installed.stand.portal
    kind = booking_resources.add_type(portal, "Разное", "misc")["id"]
    week = {"timezone": "Nowhere/Else", "weekDays": ["Mon", "Frisday"], "slotSize": 50}
    odd = [{**week, "from": 600, "to": 700}, {**week, "from": 650, "to": 800}, {**week, "from": 900, "to": 900}]
    booking_resources.add_resource(portal, kind, "Странный", odd)
    booking_resources.add_resource(portal, kind, "  ", [])
    admin = installed.open()
    chosen = listed(admin.get("/app/import/portal", source="native"))
    admin.post("/app/import/portal", source="native", kind="room", chosen=chosen)
    with installed.tx() as tx:
        made = {one.name: one for one in queries.resources(tx, installed.portal().id, ADMIN)}
        hours = queries.hours(tx, installed.portal().id)
    assert len(made) == 2
    assert hours[made["Странный"].id] == (OpeningHours(0, 600, 800),)
    assert (made["Странный"].step_minutes, made["Странный"].time_zone) == (10, installed.portal().time_zone)
