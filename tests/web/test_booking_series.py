"""Series through the form: every date shown before, those that are ticked booked, one or many of them moved."""

from __future__ import annotations

import re
import threading
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from b24app.booking.closures import ClosureData, save_closure
from b24app.ledger.models import Booking, Resource, Series
from b24app.ledger.occupancy import as_interval
from tests.conftest import NOW
from tests.factories import ADMIN as ADMIN_VIEWER
from tests.factories import OFFICE, make_resource
from tests.stand import SECOND_MANAGER, Frame
from tests.web.desk import RULES, Desk, words
from tests.web.installed import Installed, everything
from tests.web.test_board import counted
from tests.web.test_booking_form import asked, buttons
from tests.web.test_booking_kinds import post, reasons, sent
from tests.web.test_bookings import made, value_of

MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.fixture
def desk(installed: Installed) -> Desk:
    with installed.tx() as tx:
        room = make_resource(tx, installed.portal(), now=installed.stand.now, name="Oka", hours=OFFICE)
    return Desk(installed, room)


@pytest.fixture
def frame(desk: Desk) -> Frame:
    return desk.open()


def planned(frame: Frame, what: Any, status: int = 200, **changed: Any) -> TestResponse:
    answer = frame.get("/app/bookings/series", **asked(what, **changed))
    assert answer.status_code == status, answer.text
    return answer


def dates(answer: TestResponse) -> list[tuple[str, str, bool]]:
    """Each date with its state and whether it is ticked; what cannot be had is never ticked and cannot be."""
    text = answer.text[answer.text.index('id="dates"') :]
    found = re.findall(r'<li class="(\w+)">\s*<label><input[^>]* value="([^"]+)"( checked)?( disabled)?>', text)
    assert all(bool(disabled) == (state != "free") for state, _, _, disabled in found)
    return [(day, state, bool(ticked)) for state, day, ticked, _ in found]


def ticked(answer: TestResponse) -> list[str]:
    return [day for day, _, is_ticked in dates(answer) if is_ticked]


def all_of(desk: Desk) -> list[Booking]:
    with desk.installed.tx() as tx:
        return list(tx.scalars(select(Booking).order_by(func.lower(Booking.during))))


def booked(desk: Desk, frame: Frame, what: Resource, **changed: Any) -> list[Booking]:
    """The bookings of a weekly series of three, on Wednesdays at noon."""
    values = {"freq": "weekly", "count": 3, "days": ["2026-03-11", "2026-03-18", "2026-03-25"], **changed}
    answer = post(frame, what, **values)
    assert answer.status_code == 200, answer.text
    return all_of(desk)


# Before it is booked ----


def test_every_date_says_whether_it_can_be_had(desk: Desk, frame: Frame) -> None:
    post(desk.open(SECOND_MANAGER), desk.room, date="2026-03-12", start="12:30", end="13:30")
    closure = ClosureData(date(2026, 3, 17), resource_id=desk.room.id, reason="Repair")
    with desk.installed.tx() as tx:
        save_closure(tx, desk.installed.portal(), closure, viewer=ADMIN_VIEWER, now=NOW)
    before = everything(desk.installed.engine)
    answer = planned(frame, desk.room, freq="daily", count=8, except_days="2026-03-13")
    assert dates(answer) == [
        ("2026-03-11", "free", True), ("2026-03-12", "taken", False), ("2026-03-14", "closed", False),
        ("2026-03-15", "closed", False), ("2026-03-16", "free", True), ("2026-03-17", "closed", False),
        ("2026-03-18", "free", True),
    ]  # fmt: skip
    page = words(answer.text)
    assert "Free: 3 of 7" in page
    assert "Thu, 12 March, 12:00–13:00 Taken 12:30–13:30 Free nearby: 10:30–11:30, 11:30–12:30" in page
    assert "Closed: Repair" in page
    assert everything(desk.installed.engine) == before


def test_a_series_of_which_every_date_is_free_says_so(desk: Desk, frame: Frame) -> None:
    answer = planned(frame, desk.room, freq="weekly", weekdays=[2, 4], count=4)
    assert [day for day, _, _ in dates(answer)] == ["2026-03-11", "2026-03-13", "2026-03-18", "2026-03-20"]
    assert "All free: 4" in words(answer.text)
    assert buttons(answer.text) == [("Book the ticked dates", "policy")]


def test_without_a_repetition_there_are_no_dates_and_the_usual_buttons(desk: Desk, frame: Frame) -> None:
    answer = planned(frame, desk.room, count=4)
    assert 'id="dates"' not in answer.text
    assert buttons(answer.text) == [("Book", "policy"), ("Pre-book", "hold")]


def test_what_a_series_becomes_names_its_button(desk: Desk, frame: Frame) -> None:
    for rules, said in (("hold", "Pre-book the ticked dates"), ("manager", "Send the requests")):
        answer = planned(frame, desk.service(rules=RULES[rules]), freq="daily", count=2)
        assert buttons(answer.text) == [(said, "policy")]


def test_a_date_on_which_clocks_change_is_marked(desk: Desk, frame: Frame) -> None:
    there = desk.resource(name="Berlin", time_zone="Europe/Berlin")
    answer = planned(frame, there, date="2026-03-28", start="2:30", end="3:30", freq="daily", count=2)
    assert words(answer.text).count("Clocks change on that day") == 1


def test_a_series_of_ten_thousand_dates_is_refused_without_computing_them(desk: Desk, frame: Frame) -> None:
    planned(frame, desk.room, freq="daily", count=1)
    with counted(desk.installed.engine) as one:
        planned(frame, desk.room, freq="daily", count=1)
    with counted(desk.installed.engine) as sent_meanwhile:
        answer = planned(frame, desk.room, 422, freq="daily", count=10_000)
    assert len(sent_meanwhile) <= len(one)
    assert 'id="e-count"' in answer.text
    assert "A series has 366 dates at most" in words(answer.text)
    assert dates(answer) == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"count": ""}, "count"), ({"count": "0"}, "count"), ({"count": "x"}, "count"),
        ({"count": "2", "until": "2026-04-01"}, "until"), ({"until": "2026-03-01", "count": ""}, "until"),
        ({"every": "0"}, "every"), ({"every": "100"}, "every"), ({"except_days": "soon"}, "except_days"),
        ({"freq": "hourly"}, "freq"), ({"freq": "weekly", "weekdays": "9"}, "weekdays"),
    ],
)  # fmt: skip
def test_a_repetition_that_cannot_be_is_refused_at_its_field(
    desk: Desk, frame: Frame, changed: dict[str, str], field: str
) -> None:
    answer = planned(frame, desk.room, 422, **{"freq": "daily", "count": "2"} | changed)
    assert f'id="e-{field}"' in answer.text


def test_a_repetition_that_was_only_just_chosen_proposes_what_is_usual(desk: Desk, frame: Frame) -> None:
    answer = planned(frame, desk.room, freq="weekly")
    assert [value_of(answer, name) for name in ("every", "count")] == ["1", "10"]
    assert re.findall(r'name="weekdays" value="(\d)" checked', answer.text) == ["2"]
    assert len(dates(answer)) == 10


# Booking ----


def test_the_dates_that_were_left_ticked_are_booked_in_one_go(desk: Desk, frame: Frame) -> None:
    form: dict[str, Any] = {"freq": "weekly", "count": 4}
    days = ticked(planned(frame, desk.room, **form))
    answer = post(frame, desk.room, title="Standup", days=[days[0], days[2]], **form)
    assert answer.status_code == 200
    assert "2 bookings made" in words(answer.text)
    assert "Not booked: Wed, 18 March; Wed, 1 April" in words(answer.text)
    rows = all_of(desk)
    assert [one.series_day.isoformat() for one in rows if one.series_day] == [days[0], days[2]]
    assert {one.stage for one in rows} == {"confirmed"}
    assert {one.title for one in rows} == {"Standup"}
    for one in rows:
        assert f'hx-get="/app/bookings/{one.id}"' in answer.text
    with desk.installed.tx() as tx:
        assert tx.scalars(select(Series)).one().recurrence["count"] == 4


def test_a_series_sent_twice_is_one_series(desk: Desk, frame: Frame) -> None:
    once = sent(desk.room, freq="daily", count=3, days=["2026-03-11", "2026-03-12"])
    first = frame.post("/app/bookings", **once)
    before = everything(desk.installed.engine)
    desk.forward(seconds=20)
    again = frame.post("/app/bookings", **once)
    assert again.status_code == 200
    assert sorted(re.findall(r'data-booking="([^"]+)"', again.text)) == sorted(
        re.findall(r'data-booking="([^"]+)"', first.text)
    )
    assert everything(desk.installed.engine) == before


def test_a_series_sent_twice_at_once_is_one_series(desk: Desk, frame: Frame) -> None:
    once = sent(desk.room, freq="daily", count=3, days=["2026-03-11", "2026-03-12"])
    answers: list[int] = []

    def send() -> None:
        with desk.installed.stand.app.test_client() as client:
            sent_answer = client.post(
                "/app/bookings", data=once, headers=frame.headers, base_url="https://app.example.com"
            )
            answers.append(sent_answer.status_code)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert answers == [200, 200, 200]
    assert len(all_of(desk)) == 2
    with desk.installed.tx() as tx:
        assert tx.scalar(select(func.count(Series.id))) == 1


def test_a_date_that_was_taken_meanwhile_books_none_and_shows_the_dates_anew(desk: Desk, frame: Frame) -> None:
    post(desk.open(SECOND_MANAGER), desk.room, date="2026-03-12")
    before = everything(desk.installed.engine)
    answer = post(frame, desk.room, freq="daily", count=3, days=["2026-03-11", "2026-03-12"])
    assert answer.status_code == 409
    assert "taken" in reasons(answer)
    assert everything(desk.installed.engine) == before
    assert dates(answer) == [
        ("2026-03-11", "free", True), ("2026-03-12", "taken", False), ("2026-03-13", "free", False),
    ]  # fmt: skip
    assert value_of(answer, "count") == "3"
    assert '<details class="more" open>' in answer.text


def test_a_series_keeps_its_local_time_over_a_change_of_clocks(desk: Desk, frame: Frame) -> None:
    there = desk.resource(name="Berlin", time_zone="Europe/Berlin", hours=OFFICE)
    days = ["2026-03-25", "2026-04-01"]
    rows = booked(desk, frame, there, date="2026-03-25", count=2, days=days)
    starts = [as_interval(one.during).start for one in rows]
    assert starts[1] - starts[0] == timedelta(days=7) - timedelta(hours=1)


# Moving ----


def moved(desk: Desk, frame: Frame, booking: Booking, **changed: Any) -> TestResponse:
    form = {"resource": desk.room.id, "date": "2026-03-18", "start": "15:00", "end": "16:00", **changed}
    return desk.act(frame, booking, "move", **form)


@pytest.mark.parametrize(
    ("scope", "hours"), [("this", [12, 15, 12]), ("following", [12, 15, 15]), ("all", [15, 15, 15])]
)
def test_a_move_goes_for_one_for_the_following_or_for_all(
    desk: Desk, frame: Frame, scope: str, hours: list[int]
) -> None:
    rows = booked(desk, frame, desk.room)
    empty = frame.get(f"/app/bookings/{rows[1].id}/move")
    assert re.findall(r'name="scope" value="(\w+)"( checked)?', empty.text) == [
        ("this", " checked"), ("following", ""), ("all", ""),
    ]  # fmt: skip
    assert made(moved(desk, frame, rows[1], scope=scope)) == rows[1].id
    assert [as_interval(one.during).start.astimezone(MOSCOW).hour for one in all_of(desk)] == hours


def test_a_move_of_all_that_one_cannot_make_moves_none(desk: Desk, frame: Frame) -> None:
    rows = booked(desk, frame, desk.room)
    post(desk.open(SECOND_MANAGER), desk.room, date="2026-03-25", start="15:00", end="16:00")
    before = everything(desk.installed.engine)
    answer = moved(desk, frame, rows[1], scope="all")
    assert answer.status_code == 409
    assert 'value="all" checked' in answer.text
    assert everything(desk.installed.engine) == before


def test_a_booking_of_its_own_has_no_scope(desk: Desk, frame: Frame) -> None:
    booking = made(post(frame, desk.room))
    assert 'name="scope"' not in frame.get(f"/app/bookings/{booking}/move").text


def test_a_forged_scope_is_refused(desk: Desk, frame: Frame) -> None:
    rows = booked(desk, frame, desk.room)
    before = everything(desk.installed.engine)
    assert moved(desk, frame, rows[1], scope="everything").status_code == 422
    assert everything(desk.installed.engine) == before


def test_the_dates_of_a_year_are_shown_soon_enough_to_wait_for(desk: Desk, frame: Frame) -> None:
    """Counted in statements, since the clock of a busy machine says little."""
    planned(frame, desk.room, freq="weekly", count=1)
    with counted(desk.installed.engine) as few:
        planned(frame, desk.room, freq="weekly", count=2)
    with counted(desk.installed.engine) as many:
        planned(frame, desk.room, freq="weekly", count=52)
    assert (len(many) - len(few)) / 50 <= 6


def test_moving_all_of_a_series_shows_the_sum_of_their_prices(desk: Desk, frame: Frame) -> None:
    service = desk.service((desk.room, 1))  # 2,400 an hour
    made_ = post(frame, service, freq="daily", count=3, days=["2026-03-11", "2026-03-12", "2026-03-13"])
    assert made_.status_code == 200
    first = min(all_of(desk), key=lambda one: one.number)
    wish = {"resource": f"s{service.id}", "date": "2026-03-11", "start": "12:00", "end": "14:00"}
    one = words(frame.get(f"/app/bookings/{first.id}/move/terms", **wish).text)
    all_ = words(frame.get(f"/app/bookings/{first.id}/move/terms", **wish, scope="all").text)
    assert "Price until now RUB 2,400" in one
    assert "Price until now RUB 7,200" in all_
    assert "Price afterwards RUB 14,400 Difference +RUB 7,200" in all_
    assert "This is the sum for 3 bookings of the series." in all_
