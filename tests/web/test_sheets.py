"""Sheets for the door, on paper and as PDF, the `.ics` of a booking, and the links by which a browser opens them."""

from __future__ import annotations

import html
import io
import re
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from icalendar import Calendar
from pypdf import PdfReader
from werkzeug.test import TestResponse

from b24app.booking.clients import ClientData
from b24app.booking.closures import ClosureData, save_closure
from b24app.ledger.entries import Named
from b24app.scheduling.interval import Interval
from b24app.web.sheet import called, shortened
from tests.conftest import NOW
from tests.factories import ADMIN as ADMIN_VIEWER
from tests.factories import OFFICE, hour, make_booking
from tests.stand import ADMIN, EMPLOYEE, MANAGER, Frame
from tests.web.desk import Desk, words
from tests.web.installed import Installed

MARIA = ClientData("person", "Maria Petrova", "+79000000001")
DAY = "2026-03-10"


@pytest.fixture
def desk(installed: Installed) -> Desk:
    made = Desk(installed, cast(Any, None))
    made.room = made.resource(name="Oka", city="Moscow", address="Lesnaya, 7", hours=OFFICE)
    return made


def links(frame: Frame, **asked: Any) -> dict[str, str]:
    """The two links of the fragment that asks what to print."""
    page = frame.get("/app/sheets", **{"day": DAY, **asked}).text
    return dict(re.findall(r'id="sheet-(html|pdf)" href="([^"]+)"', html.unescape(page)))


def sheet(desk: Desk, frame: Frame, **asked: Any) -> str:
    """What a person reads on the page."""
    return words(opened(desk, links(frame, **asked)["html"]).text)


def opened(desk: Desk, link: str) -> TestResponse:
    """As a new tab does it: without any header of ours."""
    return desk.installed.stand.client.get(link, base_url="https://app.example.com")


def pdf(desk: Desk, frame: Frame, **asked: Any) -> PdfReader:
    answer = opened(desk, links(frame, **asked)["pdf"])
    assert answer.mimetype == "application/pdf"
    return PdfReader(io.BytesIO(answer.data))


def text_of(file: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in file.pages).split())


# What stands on it ----


def test_the_day_of_one_room_with_what_is_free(desk: Desk) -> None:
    desk.book(desk.service(), 1, client=MARIA, title="Portfolio for Maria")
    desk.book(desk.room, 3, 1.5, title="Planning")
    desk.book(desk.room, 5, intent="hold")
    read = sheet(desk, desk.open(), what=desk.room.id)
    assert "Oka Tuesday, 10 March Moscow, Lesnaya, 7 · time of Moscow, UTC+3" in read
    assert (
        "9:00–10:00 Free 10:00–11:00 Portrait 11:00–12:00 Free 12:00–13:30 Planning 13:30–14:00 Free"
        " 14:00–15:00 Taken Pre-booking 15:00–18:00 Free Made on 10 March, 9:00"
    ) in read
    assert "Maria" not in read


def test_names_stand_on_it_only_when_they_are_asked_for(desk: Desk) -> None:
    desk.book(desk.service(), 1, client=MARIA)
    frame = desk.open()
    assert "Maria" not in sheet(desk, frame, what=desk.room.id)
    assert "10:00–11:00 Maria Petrova Portrait" in sheet(desk, frame, what=desk.room.id, names="1")


def test_who_may_only_see_when_it_is_taken_prints_no_more(desk: Desk) -> None:
    desk.book(desk.room, 1, client=MARIA, title="Planning")
    desk.grant("busy", alone=True)
    read = sheet(desk, desk.open(EMPLOYEE), what=desk.room.id, names="1")
    assert "10:00–11:00 Taken 11:00–18:00 Free" in read
    assert "Maria" not in read
    assert "Planning" not in read


def test_a_week_has_a_column_for_each_day_and_says_why_it_is_closed(desk: Desk) -> None:
    with desk.installed.tx() as tx:
        repairs = ClosureData(desk.now.date() + timedelta(days=2), resource_id=desk.room.id, reason="Repairs")
        save_closure(tx, desk.installed.portal(), repairs, viewer=ADMIN_VIEWER, now=NOW)
    desk.book(desk.room, 25, title="Planning")
    page = opened(desk, links(desk.open(), what=desk.room.id, span="week")["html"]).text
    heads = re.findall(r'<th scope="col"[^>]*>([^<]+)</th>', page)
    assert [words(one) for one in heads][:2] == ["Mon, 9 March", "Tue, 10 March"]
    assert len(heads) == 7
    read = words(page)
    assert "Oka 9–15 March" in read
    assert "10:00–11:00 Planning" in read
    assert "all day Closed: Repairs" in read


def test_all_resources_of_a_day_in_one_list(desk: Desk) -> None:
    tripods = desk.resource(kind="equipment", name="Tripods", units=3, hours=OFFICE)
    desk.book(desk.service((tripods, 2), name="Hire"), 1)
    desk.book(desk.room, 1, title="Planning")
    read = sheet(desk, desk.open())
    assert "Bookings of the day Tuesday, 10 March" in read
    assert "Oka Moscow, Lesnaya, 7 9:00–10:00 Free 10:00–11:00 Planning" in read
    assert "Tripods 9:00–18:00 Free 10:00–11:00 Hire × 2" in read


def test_the_boards_filters_choose_what_is_printed(desk: Desk) -> None:
    desk.resource(kind="specialist", name="Anna", city="Tver")
    frame = desk.open()
    assert "Anna" in sheet(desk, frame, kind="specialist")
    assert "Oka" not in sheet(desk, frame, kind="specialist")
    assert links(frame, capacity=99) == {}


def test_a_door_goes_by_its_own_clock(desk: Desk) -> None:
    desk.resource(name="Iset", time_zone="Asia/Yekaterinburg", hours=OFFICE)
    page = opened(desk, links(desk.open(), what="apart")["html"]).text
    assert page.count('<section class="sheet list">') == 2
    assert "Iset Tuesday, 10 March time of Yekaterinburg, UTC+5 Time Booking 9:00–18:00 Free" in words(page)


def test_what_goes_over_midnight_is_told_on_both_days(desk: Desk) -> None:
    night = desk.resource(name="Night")
    desk.book(night, 14, 4)
    frame = desk.open()
    assert "0:00–23:00 Free from 23:00 Taken" in sheet(desk, frame, what=night.id)
    assert "until 3:00 Taken 3:00–24:00 Free" in sheet(desk, frame, what=night.id, day="2026-03-11")


def test_what_somebody_wrote_is_text_on_the_page(desk: Desk) -> None:
    desk.book(desk.room, 1, title="<script>alert(1)</script> **bold**")
    answer = opened(desk, links(desk.open(), what=desk.room.id)["html"])
    assert "<script>alert" not in answer.text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("named", "without", "with_names"),
    [
        (Named("", "", ""), "", ("", "")),
        (Named("Planning", "", "Talk"), "Planning", ("Planning", "Talk")),
        (Named("Maria’s portfolio", "Maria", "Portrait"), "Portrait", ("Maria’s portfolio", "Maria, Portrait")),
        (Named("", "Maria", ""), "", ("Maria", "")),
    ],
)
def test_what_a_booking_is_called_at_a_door(named: Named, without: str, with_names: tuple[str, str]) -> None:
    assert called(named, names=False) == (without, "")
    assert called(named, names=True) == with_names


def test_long_texts_are_shortened_to_one_line() -> None:
    assert shortened("a\n  b") == "a b"
    assert shortened("x" * 200) == "x" * 119 + "…"


# PDF ----


def test_the_pdf_says_the_same_in_russian_too(desk: Desk) -> None:
    desk.book(desk.service(name="Съёмка"), 1, client=ClientData("person", "Ёлкина Щука"), title="Каталог, 1 200 ₽")
    frame = desk.installed.open(MANAGER, LANG="ru")
    read = text_of(pdf(desk, frame, what=desk.room.id, names="1"))
    assert "Oka Вторник, 10 марта" in read
    assert "10:00–11:00 Каталог, 1 200 ₽ Ёлкина Щука, Съёмка" in read
    assert "1 / 1" in read


def test_sixty_bookings_with_long_names_fill_several_pages_with_repeated_heads(desk: Desk) -> None:
    room = desk.resource(name="Переговорная для самых длинных названий на третьем этаже", units=2)
    with desk.installed.tx() as tx:
        for n in range(60):
            when = hour(desk.now, 15 + n // 2 * 0.5, 0.5)
            title = f"{n} " + ("Обсуждение квартального отчёта " * 5 if n % 2 else "Непрерывныйтекст" * 8)
            values: dict[str, Any] = {"interval": when, "title": title, "viewer": ADMIN_VIEWER}
            make_booking(tx, desk.installed.portal(), room, now=desk.now, **values)
    frame = desk.open(ADMIN)
    day = pdf(desk, frame, what=room.id, day="2026-03-11")
    assert len(day.pages) > 2
    for page in day.pages:
        assert "Переговорная для самых длинных" in " ".join(page.extract_text().split())
    week = pdf(desk, frame, what=room.id, span="week")
    assert len(week.pages) > 2
    assert all("Wed, 11 March" in " ".join(page.extract_text().split()) for page in week.pages)
    assert week.pages[0].mediabox.width > week.pages[0].mediabox.height
    assert all(page.mediabox.width < page.mediabox.height for page in day.pages)


def test_the_font_is_inside_and_only_what_is_used_of_it(desk: Desk) -> None:
    answer = opened(desk, links(desk.open(), what=desk.room.id)["pdf"])
    assert b"DejaVuSansCondensed" in answer.data
    assert len(answer.data) < 60_000
    assert answer.headers["Cache-Control"] == "private, no-store"


# Links ----


def test_a_link_is_over_after_a_minute(desk: Desk) -> None:
    found = links(desk.open(), what=desk.room.id)
    assert opened(desk, found["html"]).status_code == 200
    desk.forward(seconds=61)
    late = opened(desk, found["html"])
    assert late.status_code == 403
    assert "действуют минуту" in late.text.replace("\u00a0", " ")


def test_a_link_that_was_changed_opens_nothing(desk: Desk) -> None:
    found = links(desk.open(), what=desk.room.id)["html"]
    frame = desk.open()
    for wrong in (found[:-2] + "xx", "/files/" + frame.bearer, "/files/x", found + "x" * 5000):
        assert opened(desk, wrong).status_code == 403, wrong


def test_rights_are_read_when_the_link_is_opened(desk: Desk) -> None:
    found = links(desk.open(EMPLOYEE), what=desk.room.id)
    desk.grant("manage", "U1", alone=True)
    assert opened(desk, found["html"]).status_code == 404
    assert opened(desk, found["pdf"]).status_code == 404


def test_a_link_ends_with_the_installation(desk: Desk) -> None:
    found = links(desk.open(), what=desk.room.id)
    desk.installed.change(state="deleted")
    assert opened(desk, found["html"]).status_code == 410


def test_a_link_carries_no_bearer_and_no_token(desk: Desk) -> None:
    frame = desk.open()
    link = links(frame, what=desk.room.id)["html"]
    assert frame.bearer not in link
    assert frame.token not in link
    ticket = link.rpartition("/")[2]
    assert frame.client.get("/app/board", headers={"Authorization": f"Bearer {ticket}"}).status_code == 401


def test_bad_days_and_foreign_resources_are_refused_in_words(desk: Desk) -> None:
    frame = desk.open()
    assert frame.get("/app/sheets", day="2026-02-30").status_code == 422
    assert frame.get("/app/sheets", day="9999-01-01").status_code == 422
    assert frame.get("/app/sheets", day=DAY, what="999999").status_code == 404
    assert links(frame, what="nonsense", span="year", names="").keys() == {"html", "pdf"}


# .ics ----


def ics(desk: Desk, frame: Frame, booking: Any) -> Any:
    """The one event of the booking's file."""
    answer = frame.get(f"/app/bookings/{booking.id}/ics")
    assert answer.status_code == 204
    file = opened(desk, answer.headers["HX-Redirect"])
    assert file.mimetype == "text/calendar"
    assert f"{booking.number}.ics" in file.headers["Content-Disposition"]
    (event,) = Calendar.from_ical(file.text).walk("VEVENT")
    return event


def test_a_booking_as_a_calendar_file(desk: Desk) -> None:
    booking = desk.book(desk.service(), 24, client=MARIA)
    frame = desk.open()
    event = ics(desk, frame, booking)
    assert event["UID"] == str(booking.id)
    assert Interval(event.decoded("DTSTART"), event.decoded("DTEND")) == desk.hours(24)
    assert event["SUMMARY"] == f"Maria Petrova No. {booking.number}"
    assert event["LOCATION"] == "Oka, Moscow, Lesnaya, 7"
    assert event["STATUS"] == "CONFIRMED"
    assert "Portrait\nClient: Maria Petrova\nConfirmed" in event["DESCRIPTION"]


def test_a_changed_booking_is_the_same_event_with_a_higher_sequence(desk: Desk) -> None:
    booking = desk.book(desk.room, 24, intent="hold")
    frame = desk.open(ADMIN)
    held = ics(desk, frame, booking)
    assert held["STATUS"] == "TENTATIVE"
    assert desk.act(frame, booking, "cancel").status_code == 200
    event = ics(desk, frame, booking)
    assert event["STATUS"] == "CANCELLED"
    assert event["UID"] == held["UID"]
    assert event["SEQUENCE"] > held["SEQUENCE"]


def test_who_may_not_see_a_booking_gets_no_file(desk: Desk) -> None:
    booking = desk.book(desk.room, 24)
    desk.grant("busy", alone=True)
    assert desk.open(EMPLOYEE).get(f"/app/bookings/{booking.id}/ics").status_code == 404


def test_the_time_of_making_is_told_by_the_clock_of_the_door(desk: Desk) -> None:
    desk.installed.stand.now = datetime.fromisoformat("2026-03-10T20:30:00+00:00")
    assert "Made on 10 March, 23:30" in sheet(desk, desk.open(), what=desk.room.id)
