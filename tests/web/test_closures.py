"""The administrators' form for closures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from b24app import texts
from b24app.ledger.models import Closure, Installation
from b24app.ledger.occupancy import as_interval
from b24app.scheduling.interval import Interval
from tests.stand import MANAGER, Frame
from tests.web.installed import Installed, everything
from tests.web.test_board import booked, room, words
from tests.web.test_bookings import HOSTILE, at_fields, value_of
from tests.web.test_resources import sentence

NBSP = "\N{NO-BREAK SPACE}"


def form(**changed: Any) -> dict[str, Any]:
    """A good form that closes the whole company for a day."""
    return {
        "resource": "",
        "date": "2026-03-12",
        "start": "",
        "end_date": "",
        "end": "",
        "reason": "Ремонт крыши",
        **changed,
    }


def only(installed: Installed) -> Closure:
    with installed.tx() as tx:
        return tx.scalars(select(Closure)).one()


@pytest.fixture
def admin(installed: Installed) -> Frame:
    return installed.open()


def test_whole_days_are_closed_for_everybody(installed: Installed, admin: Frame) -> None:
    answer = admin.post("/app/closures", **form(end_date="2026-03-13"))
    assert answer.status_code == 200
    assert "Чт, 12 марта – Пт, 13 марта" in words(answer.text)
    assert texts.say("ru", "whole_company") in answer.text
    assert "Ремонт крыши" in answer.text
    closure = only(installed)
    until = Interval(datetime(2026, 3, 11, 21, tzinfo=UTC), datetime(2026, 3, 13, 21, tzinfo=UTC))
    assert (closure.resource_id, as_interval(closure.during)) == (None, until)


def test_hours_are_those_of_the_resource(installed: Installed, admin: Frame) -> None:
    resource = room(installed, name="«Исеть»", time_zone="Asia/Yekaterinburg")
    answer = admin.post("/app/closures", **form(resource=resource.id, start="12", end="13:30"))
    assert "Чт, 12 марта, 12:00–13:30 Екатеринбург, UTC+5 «Исеть»" in words(answer.text)
    hours = Interval(datetime(2026, 3, 12, 7, tzinfo=UTC), datetime(2026, 3, 12, 8, 30, tzinfo=UTC))
    assert as_interval(only(installed).during) == hours


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"end_date": "2026-03-20"},
        {"start": "12:00", "end": "13:30"},
        {"start": "18:00", "end": "24:00"},
        {"start": "22:00", "end_date": "2026-03-13", "end": "2:00", "reason": ""},
        {"date": "2027-10-30", "end_date": "2028-10-30", "end": "6:00", "start": "0:00"},
    ],
)
def test_the_form_shows_what_is_saved_and_saves_it_back(
    installed: Installed, admin: Frame, said: dict[str, Any]
) -> None:
    resource = room(installed, time_zone="Asia/Yekaterinburg")
    admin.post("/app/closures", **form(resource=resource.id, **said))
    before = as_interval(only(installed).during)
    page = admin.get(f"/app/closures/{only(installed).id}")
    shown = {name: value_of(page, name) for name in ("date", "start", "end_date", "end", "reason")}
    assert shown == {name: value for name, value in form(**said).items() if name != "resource"}
    assert f'value="{resource.id}" data-zone="Екатеринбург, UTC+5" selected' in page.text
    answer = admin.post(f"/app/closures/{only(installed).id}", resource=resource.id, **shown)
    assert answer.status_code == 200
    assert (as_interval(only(installed).during), only(installed).resource_id) == (before, resource.id)


def test_a_year_that_is_not_this_one_is_named(admin: Frame) -> None:
    answer = admin.post("/app/closures", **form(date="2026-12-31", end_date="2027-01-08"))
    assert "Чт, 31 декабря – Пт, 8 января 2027" in words(answer.text)


def test_a_closure_is_removed(installed: Installed, admin: Frame) -> None:
    admin.post("/app/closures", **form())
    answer = admin.post(f"/app/closures/{only(installed).id}/remove")
    assert answer.status_code == 200
    assert "Ремонт крыши" not in answer.text
    with installed.tx() as tx:
        assert tx.scalars(select(Closure)).all() == []


def test_bookings_that_stand_there_are_counted(installed: Installed, admin: Frame) -> None:
    resource = room(installed)
    booked(installed, resource)
    booked(installed, resource, 3)
    answer = admin.post("/app/closures", **form(date="2026-03-10", resource=resource.id))
    standing = words(texts.say("ru", "standing", count=2))
    assert standing in words(answer.text)
    assert standing in words(admin.get(f"/app/closures/{only(installed).id}").text)


def test_what_is_over_is_folded_away(admin: Frame) -> None:
    admin.post("/app/closures", **form(date="2026-02-01", reason="Давно"))
    page = admin.get("/app/closures").text
    assert "Давно" in page.split("<details", 1)[1]
    assert "Давно" not in page.split("<details", 1)[0]


BAD: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "no day": ({"date": ""}, {"date": sentence("required")}),
    "a day that is none": ({"date": "2026-02-30"}, {"date": sentence("not_a_date")}),
    "no time of day": (
        {"start": "в полдень", "end": "25:00"},
        dict.fromkeys(("start", "end"), sentence("not_a_time")),
    ),
    "it ends before it starts": (
        {"start": "12:00", "end": "11:00"}, {"end": sentence("end_before_start")},
    ),
    "its last day is before its first": (
        {"end_date": "2026-03-11"}, {"end_date": sentence("end_before_start")},
    ),
    "more than three years": ({"end_date": "2030-01-01"}, {"end_date": sentence("over_three_years")}),
    "100 kB of reasons": ({"reason": "я" * 100_000}, {"reason": sentence("too_many_characters")}),
    "a resource of nobody": ({"resource": "424242"}, {"resource": sentence("unknown_resource")}),
    "a resource that is no number": ({"resource": "<b>"}, {"resource": sentence("not_a_number")}),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_names_its_field_and_changes_nothing(installed: Installed, admin: Frame, name: str) -> None:
    changed, expected = BAD[name]
    admin.post("/app/closures", **form(reason="Прежняя"))
    before = everything(installed.engine)
    for address in ("/app/closures", f"/app/closures/{only(installed).id}"):
        answer = admin.post(address, **form(**changed))
        assert (answer.status_code, at_fields(answer)) == (422, expected)
        assert answer.headers["HX-Retarget"] == "#panel-body"
        for field in expected:
            assert f'id="f-{field}"' in answer.text
    assert everything(installed.engine) == before


@pytest.mark.parametrize(("day", "code"), [("2026-03-29", "hour_missing"), ("2026-10-25", "hour_doubled")])
def test_an_hour_of_a_clock_change_is_refused_at_its_field(
    installed: Installed, admin: Frame, day: str, code: str
) -> None:
    resource = room(installed, time_zone="Europe/Berlin")
    before = everything(installed.engine)
    for changed, field in (({"date": day, "start": "2:30"}, "start"), ({"end_date": day, "end": "2:30"}, "end")):
        answer = admin.post("/app/closures", **form(resource=resource.id, **changed))
        assert (answer.status_code, at_fields(answer)) == (422, {field: sentence(code)})
    assert everything(installed.engine) == before


def test_a_reason_is_shown_verbatim(admin: Frame) -> None:
    answer = admin.post("/app/closures", **form(reason=HOSTILE))
    assert "<script>" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 😀 $result[x][id]" in answer.text


@pytest.mark.parametrize("path", ["", "/new", "/{id}"])
def test_pages_are_for_administrators(installed: Installed, admin: Frame, path: str) -> None:
    admin.post("/app/closures", **form(reason="Тайна"))
    answer = installed.open(MANAGER).get(f"/app/closures{path.format(id=only(installed).id)}")
    assert answer.status_code == 403
    assert "Тайна" not in answer.text


@pytest.mark.parametrize("path", ["", "/{id}", "/{id}/remove"])
def test_changes_are_for_administrators(installed: Installed, admin: Frame, path: str) -> None:
    admin.post("/app/closures", **form())
    frame, before = installed.open(MANAGER), everything(installed.engine)
    assert frame.post(f"/app/closures{path.format(id=only(installed).id)}", **form()).status_code == 403
    assert everything(installed.engine) == before


@pytest.mark.parametrize("path", ["/987654", "/987654/remove"])
def test_a_closure_that_is_not_here_is_404(admin: Frame, path: str) -> None:
    assert admin.post(f"/app/closures{path}", **form()).status_code == 404
    assert admin.post(f"/app/closures{path}", **form(date="x")).status_code == 404


def test_nothing_is_closed_or_opened_while_the_application_is_unpaid(installed: Installed, admin: Frame) -> None:
    admin.post("/app/closures", **form())
    with installed.tx() as tx:
        tx.get_one(Installation, installed.installation().id).payment_expired = True
    before = everything(installed.engine)
    assert admin.post("/app/closures", **form()).status_code == 403
    assert admin.post(f"/app/closures/{only(installed).id}/remove").status_code == 403
    assert everything(installed.engine) == before
