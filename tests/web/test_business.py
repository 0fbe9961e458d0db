"""Specialists' own calendars on the board and in the booking form, asked with the visitor's token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from b24app.ledger.models import Grant, Portal, Resource
from emulator import faults, people_calendar
from tests.stand import EMPLOYEE, MANAGER, SECOND_MANAGER, Frame
from tests.web.installed import Installed
from tests.web.test_board import counted, room, words
from tests.web.test_board_kept import asked_again
from tests.web.test_board_lanes import blocks
from tests.web.test_bookings import form, made

DAY = "2026-03-10"


@pytest.fixture
def anna(installed: Installed) -> Resource:
    return room(installed, kind="specialist", name="Анна Седова", portal_user_id=SECOND_MANAGER)


@pytest.fixture
def manager(installed: Installed) -> Frame:
    return installed.open(MANAGER, LANG="en")


def busy(installed: Installed, start: float, end: float, **more: Any) -> None:
    """Anna has something else to do so many hours from 9:00."""
    now = installed.stand.now
    times = (now + timedelta(hours=start), now + timedelta(hours=end))
    people_calendar.add_event(installed.stand.portal, SECOND_MANAGER, "Врач", *times, **more)


def look(installed: Installed, frame: Frame) -> str:
    """The board asks for the calendars, then it is drawn."""
    frame.get("/app/board/calendars", day=DAY)
    return frame.get("/app/board", day=DAY).text


def asked(installed: Installed) -> int:
    calls = installed.stand.portal.calls
    return sum(call["method"] == "calendar.accessibility.get" for call in calls)


def test_other_business_stands_on_the_board_without_its_name(
    installed: Installed, anna: Resource, manager: Frame
) -> None:
    busy(installed, 1, 2, private=True)
    busy(installed, 3, 4, accessibility="quest")
    text = look(installed, manager)
    assert blocks(text, anna) == [("perh s48 n4", "Perhaps busy"), ("busy s40 n4", "Busy in the calendar")]
    assert "Врач" not in text


def test_the_board_asks_beside_itself_and_is_told_of_something_new_only(
    installed: Installed, anna: Resource, manager: Frame
) -> None:
    page = manager.get("/app/board", day=DAY)
    assert "/app/board/calendars" in page.text
    busy(installed, 1, 2)
    answer = manager.get("/app/board/calendars", day=DAY)
    assert (answer.status_code, "b24:changed" in answer.headers.get("HX-Trigger", "")) == (204, True)
    assert asked_again(manager, page.headers["ETag"]).status_code == 200
    assert "HX-Trigger" not in manager.get("/app/board/calendars", day=DAY).headers
    assert asked(installed) == 1
    with counted(installed.engine) as statements:
        look(installed, installed.open(EMPLOYEE))
    assert asked(installed) == 1, "\n".join(statements)


def test_a_board_with_specialists_costs_no_more_statements(
    installed: Installed, anna: Resource, manager: Frame
) -> None:
    busy(installed, 1, 2)
    look(installed, manager)
    installed.stand.now += timedelta(minutes=1)
    with counted(installed.engine) as statements:
        manager.get("/app/board", day=DAY)
    assert len(statements) <= 6, "\n".join(statements)


def test_who_may_see_busy_only_reads_no_more_than_taken(installed: Installed, anna: Resource, manager: Frame) -> None:
    busy(installed, 1, 2)
    look(installed, manager)
    with installed.tx() as tx:
        tx.execute(delete(Grant))
        tx.add(Grant(portal_id=installed.portal().id, scope="everything", code="AU", right="busy"))
    text = installed.open(EMPLOYEE, LANG="en").get("/app/board", day=DAY).text
    assert [said for _, said in blocks(text, anna)] == ["Taken"]


def test_a_time_that_became_busy_since_it_was_offered_is_refused_with_the_reason(
    installed: Installed, anna: Resource, manager: Frame
) -> None:
    offered = manager.get("/app/bookings/new", resource=anna.id, day=DAY)
    assert 'id="at-2026-03-10-12-00"' in offered.text
    busy(installed, 3, 4)
    installed.stand.now += timedelta(seconds=31)
    answer = manager.post("/app/bookings", **form(anna))
    assert answer.status_code == 422
    assert "12:00–13:00" in words(answer.text[answer.text.index('id="problems"') :])
    assert 'id="at-2026-03-10-12-00"' not in answer.text
    made(manager.post("/app/bookings", **form(anna, start="14:00", end="15:00")))


def test_a_silent_calendar_is_said_and_keeps_nobody_from_booking(
    installed: Installed, anna: Resource, manager: Frame
) -> None:
    faults.add(installed.stand.world, {"method": "calendar.*", "kind": "timeout_before", "times": 99})
    text = manager.get("/app/bookings/new", resource=anna.id, day=DAY).text
    assert "Calendars of specialists do not answer just now" in words(text)
    manager.get("/app/bookings/new", resource=anna.id, day=DAY)
    assert asked(installed) <= 1  # left alone for a moment
    made(manager.post("/app/bookings", **form(anna)))


def test_a_company_that_does_not_obey_calendars_asks_none(installed: Installed, anna: Resource, manager: Frame) -> None:
    with installed.tx() as tx:
        portal = tx.get(Portal, installed.portal().id)
        assert portal is not None
        portal.settings = {"obey_business": False}
    assert "/app/board/calendars" not in manager.get("/app/board", day=DAY).text
    manager.get("/app/bookings/new", resource=anna.id, day=DAY)
    manager.get("/app/board/calendars", day=DAY)
    assert asked(installed) == 0
