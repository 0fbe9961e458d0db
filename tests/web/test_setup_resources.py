"""Setting up resources: the list with its filters, kinds, photos, several at once, and the end of one."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from b24app.booking.closures import ClosureData, save_closure
from b24app.ledger import facilities, queries
from b24app.ledger.models import Booking, Closure, Resource
from tests.conftest import NOW
from tests.factories import ADMIN
from tests.stand import MANAGER, Frame
from tests.web.installed import Installed, everything
from tests.web.test_board import booked, room, words
from tests.web.test_bookings import at_fields, value_of
from tests.web.test_resources import form, sentence

JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 100
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
WEBP = b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 100


@pytest.fixture
def admin(installed: Installed) -> Frame:
    return installed.open()


def offered(installed: Installed) -> list[Resource]:
    with installed.tx() as tx:
        return queries.resources(tx, installed.portal().id, ADMIN)


def names(answer: TestResponse) -> list[str]:
    """What the list shows, archived ones last."""
    return re.findall(r'<span class="ell">([^<]+)</span>', answer.text)


# The list ----


def test_the_list_is_filtered_by_place_kind_and_whether_bookings_are_taken(installed: Installed, admin: Frame) -> None:
    room(installed, name="Зал", kind="hall", city="Тверь", attributes={"Рояль": "Steinway"})
    room(installed, name="Ока", city="Москва")
    old = room(installed, name="Старая", city="Москва")
    admin.post(f"/app/resources/{old.id}/archive", revision=1)
    expected = {
        "": ["Ока", "Зал", "Старая"], "f_place=Тверь": ["Зал"], "f_kind=room": ["Ока", "Старая"],
        "f_taking=yes": ["Ока", "Зал"], "f_taking=no": ["Старая"], "f_asked=steinway": ["Зал"], "f_asked=нет": [],
    }  # fmt: skip
    for asked, found in expected.items():
        values = dict([asked.split("=")]) if asked else {}
        assert names(admin.get("/app/resources", **values)) == found, asked


def test_what_is_saved_stays_filtered_and_its_card_is_opened_again(installed: Installed, admin: Frame) -> None:
    room(installed, name="Другая", city="Тверь")
    answer = admin.post("/app/resources", **form(f_place="Москва"))
    assert names(answer) == ["«Ока»"]
    (made,) = [one for one in offered(installed) if one.name == "«Ока»"]
    assert f'data-chosen="/app/resources/{made.id}"' in answer.text


def test_what_is_closed_today_says_so_in_the_list(installed: Installed, admin: Frame) -> None:
    room(installed, name="Зал")
    made = room(installed, name="Ока")
    with installed.tx() as tx:
        save_closure(
            tx, installed.portal(), ClosureData(NOW.date(), resource_id=made.id, reason="Ремонт"), viewer=ADMIN, now=NOW
        )
    answer = admin.get("/app/resources")
    assert '<span class="tagl">ремонт ' in answer.text
    assert answer.text.count("tagl") == 1


def test_attributes_are_saved_shown_and_found_by_the_search(installed: Installed, admin: Frame) -> None:
    said = {
        "attributes-0-name": "Проектор",
        "attributes-0-text": "4K",
        "attributes-3-name": "Вид",
        "attributes-3-text": "на реку",
    }
    assert admin.post("/app/resources", **form(**said)).status_code == 200
    (made,) = offered(installed)
    assert made.attributes == {"Проектор": "4K", "Вид": "на реку"}
    page = admin.get(f"/app/resources/{made.id}")
    assert (value_of(page, "attributes-0-name"), value_of(page, "attributes-0-text")) == ("Вид", "на реку")
    assert value_of(page, "attributes-1-name") == "Проектор"
    assert "«Ока»" in admin.get("/app/search", q="на рек").text
    assert "«Ока»" not in admin.get("/app/search", q="гараж").text
    twice = form(**said | {"attributes-3-name": "проектор"})
    assert at_fields(admin.post("/app/resources", **twice)) == {"attributes-1-name": sentence("duplicate")}
    alone = form(**{"attributes-0-name": "Проектор"})
    assert at_fields(admin.post("/app/resources", **alone)) == {"attributes-0-text": sentence("required")}


def test_lunch_is_taken_out_of_the_hours(installed: Installed, admin: Frame) -> None:
    admin.post("/app/resources", **form(pause="13:00–14:00", hours_5="10–13:30", hours_6=""))
    (made,) = offered(installed)
    page = admin.get(f"/app/resources/{made.id}")
    assert (value_of(page, "hours_0"), value_of(page, "hours_5")) == ("9:00–13:00, 14:00–18:00", "10:00–13:00")
    assert value_of(page, "pause") == ""


# Copies, order, several ----


def test_a_copy_stands_behind_it(installed: Installed, admin: Frame) -> None:
    admin.post("/app/resources", **form())
    (made,) = offered(installed)
    answer = admin.post(f"/app/resources/{made.id}/copy")
    first, second = names(answer)
    assert (first, second[:5], second != first) == ("«Ока»", "«Ока»", True)


def test_rows_are_put_in_order(installed: Installed, admin: Frame) -> None:
    first, second, third = (room(installed, name=name).id for name in "АБВ")
    assert names(admin.post("/app/resources/order", ids=f"{third},{first},{second}")) == ["В", "А", "Б"]
    assert names(admin.post(f"/app/resources/{third}/place", by="1")) == ["А", "В", "Б"]
    assert names(admin.post(f"/app/resources/{first}/place", by="-1")) == ["А", "В", "Б"]
    assert admin.post("/app/resources/order", ids=f"{first},987654").status_code == 404
    assert admin.post("/app/resources/order", ids="1;2").status_code == 422


def test_several_are_changed_together(installed: Installed, admin: Frame) -> None:
    one, two = room(installed, name="А"), room(installed, name="Б")
    asked = admin.get("/app/resources/together", ids=[one.id, two.id])
    assert re.findall(r'name="ids" value="(\d+)"', asked.text) == [str(one.id), str(two.id)]
    sent = {"ids": [one.id, two.id], "workdays": "10–12", "buffer_after": "20", "city": "Тверь", "holidays": "RU"}
    assert admin.post("/app/resources/together", **sent).status_code == 200
    assert {(each.city, each.buffer_after, each.holidays) for each in offered(installed)} == {("Тверь", 20, "RU")}
    before = everything(installed.engine)
    answer = admin.post("/app/resources/together", ids=[one.id, two.id], step_minutes="7")
    assert (answer.status_code, at_fields(answer)) == (422, {"step_minutes": sentence("unknown_step")})
    assert everything(installed.engine) == before


# The end of one ----


def test_it_is_asked_what_becomes_of_bookings_ahead(installed: Installed, admin: Frame) -> None:
    resource = room(installed, name="Старая")
    kept, dropped = booked(installed, resource, 1), booked(installed, resource, 3)
    asked = admin.get(f"/app/resources/{resource.id}/archive")
    assert f"№ {kept}" in words(asked.text)
    seen = re.findall(r'name="seen" value="([^"]+)"', asked.text)
    assert len(seen) == 2
    answer = admin.post(
        f"/app/resources/{resource.id}/archive", revision=1, seen=seen, cancelled=seen[1:], reason="Закрываем зал"
    )
    assert "1 ресурс в\N{NO-BREAK SPACE}архиве" in answer.text
    with installed.tx() as tx:
        found = dict(tx.execute(select(Booking.number, Booking.stage)).all())
    assert found == {kept: "confirmed", dropped: "cancelled"}


def test_what_was_booked_meanwhile_is_shown_before_anything_happens(installed: Installed, admin: Frame) -> None:
    resource = room(installed, name="Старая")
    booked(installed, resource, 1)
    seen = re.findall(r'name="seen" value="([^"]+)"', admin.get(f"/app/resources/{resource.id}/archive").text)
    newest, before = booked(installed, resource, 3), everything(installed.engine)
    answer = admin.post(f"/app/resources/{resource.id}/archive", revision=1, seen=seen, cancelled=seen)
    assert answer.status_code == 409
    assert f"№ {newest}" in words(answer.text)
    assert everything(installed.engine) == before


# Photos ----


def upload(admin: Frame, resource_id: int, body: bytes) -> TestResponse:
    client: FlaskClient = admin.client
    return client.post(
        f"/app/resources/{resource_id}/photo",
        data={"photo": (io.BytesIO(body), "зал.jpg")},
        headers={"Authorization": f"Bearer {admin.bearer}"},
    )


@pytest.mark.parametrize(("body", "mimetype"), [(JPEG, "image/jpeg"), (PNG, "image/png"), (WEBP, "image/webp")])
def test_a_photo_is_shown_to_whoever_knows_its_address(
    installed: Installed, admin: Frame, body: bytes, mimetype: str
) -> None:
    resource = room(installed)
    address = re.search(r'src="(/photo/[\w-]{20,})"', upload(admin, resource.id, body).text)
    assert address
    shown = installed.stand.client.get(address[1])
    assert (shown.status_code, shown.mimetype, shown.data) == (200, mimetype, body)
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert address[1] in admin.get(f"/app/resources/{resource.id}").text
    replaced = upload(admin, resource.id, PNG)
    assert installed.stand.client.get(address[1]).status_code == 404
    admin.post(f"/app/resources/{resource.id}/photo/remove")
    again = re.search(r'src="(/photo/[\w-]+)"', replaced.text)
    assert again
    assert installed.stand.client.get(again[1]).status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", "no_photo"), (b"<svg onload=alert(1)>", "no_photo"), (JPEG + b"\0" * 400 * 1024, "photo_too_large")],
)
def test_what_is_no_photo_is_refused_in_words(installed: Installed, admin: Frame, body: bytes, code: str) -> None:
    resource, before = room(installed), everything(installed.engine)
    answer = upload(admin, resource.id, body)
    assert (answer.status_code, sentence(code) in words(answer.text)) == (422, True)
    assert everything(installed.engine) == before


def test_photos_are_put_in_by_administrators_only(installed: Installed) -> None:
    resource = room(installed)
    assert upload(installed.open(MANAGER), resource.id, PNG).status_code == 403
    assert upload(installed.open(), 987654, PNG).status_code == 404


# Kinds ----


def test_a_kind_of_its_own_is_known_everywhere(installed: Installed, admin: Frame) -> None:
    answer = admin.post("/app/kinds", one="Корт", many="Корты", icon="light", for_people="y")
    assert "Корты" in answer.text
    admin.post("/app/resources", **form(kind="place-корт", name="Корт 1"))
    for path in ("/app/board", "/app/resources"):
        page = admin.get(path).text
        assert "Корты" in page
        assert "own i-light" in page
    assert ">Корт<" in admin.get("/app/services/new").text
    assert names(admin.get("/app/resources", f_kind="place-корт")) == ["Корт 1"]
    assert "Корт 1" not in admin.get("/app/board", kind="room").text


def test_a_kind_is_changed_and_stays_while_it_is_in_use(installed: Installed, admin: Frame) -> None:
    admin.post("/app/kinds", one="Корт", icon="light")
    page = admin.get("/app/kinds")
    (kind_id,) = re.findall(r"/app/kinds/(\d+)", page.text)
    assert at_fields(admin.post("/app/kinds", one="корт", icon="light")) == {"one": sentence("duplicate")}
    admin.post("/app/resources", **form(kind="thing-корт"))
    edited = admin.post(f"/app/kinds/{kind_id}", one="Поле", many="Поля", icon="desk", revision="1")
    assert "Поля" in edited.text
    assert admin.post(f"/app/kinds/{kind_id}", one="Двор", icon="desk", revision="1").status_code == 409
    refused = admin.post(f"/app/kinds/{kind_id}/remove", revision="2")
    assert (refused.status_code, sentence("still_given") in words(refused.text)) == (422, True)


# Closures in the card ----


def test_a_resource_is_closed_from_its_card_and_the_card_comes_back(installed: Installed, admin: Frame) -> None:
    resource = room(installed, name="Ока")
    page = admin.get("/app/closures/new", resource=resource.id, back="resource")
    assert value_of(page, "back") == "resource"
    sent: dict[str, Any] = {
        "resource": resource.id,
        "date": "2026-03-16",
        "start": "13",
        "end": "14",
        "back": "resource",
    }
    answer = admin.post("/app/closures", **sent, until="2026-03-30", weekdays=["0", "2"], reason="Уборка")
    assert f'data-chosen="/app/resources/{resource.id}"' in answer.text
    card = words(admin.get(f"/app/resources/{resource.id}").text)
    assert "пн, ср" in card.lower()
    assert "13:00–14:00" in card
    with installed.tx() as tx:
        assert len(tx.scalars(select(Closure.id)).all()) == 5
        (first, *_rest) = facilities.closures(tx, installed.portal().id, NOW)
    assert words(admin.get("/app/closures").text).count("Уборка") == 1
    gone = admin.post(f"/app/closures/{first.id}/remove", back="resource")
    assert 'id="resources"' in gone.text
    with installed.tx() as tx:
        assert tx.scalars(select(Closure.id)).all() == []


def test_a_closure_warns_of_bookings_before_it_is_saved(installed: Installed, admin: Frame) -> None:
    resource = room(installed)
    booked(installed, resource, 1)
    sent = {"resource": resource.id, "date": "2026-03-10"}
    assert "note warn" in admin.post("/app/closures/meets", **sent).text
    assert admin.post("/app/closures/meets", **sent | {"date": "2026-03-12"}).text.strip() == ""
    assert admin.post("/app/closures/meets", resource=resource.id, date="никогда").text == ""
    with installed.tx() as tx:
        assert tx.scalars(select(Closure.id)).all() == []
