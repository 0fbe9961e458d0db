"""The calendar under a pointer in a real Chromium: an event is dragged, its form saved, an invitation declined."""

# ruff: noqa: F811  # fixtures come from the other browser tests

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from emulator import calendar_sections, people_calendar
from emulator.state import Json

from .test_pages_browser import ADMIN, MANAGER, OpenAs, Stage, chromium, open_as, stage  # noqa: F401  # fixtures

pytestmark = pytest.mark.browser

ZONE = ZoneInfo("Europe/Moscow")


def wednesday(hour: int) -> datetime:
    today = datetime.now(ZONE).date()
    day = today - timedelta(days=today.weekday()) + timedelta(days=2)
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZONE)


def meeting(stage: Stage) -> Json:
    for user_id in (ADMIN, MANAGER):
        calendar_sections.section_for(stage.portal, "user", user_id)
    return people_calendar.add_event(
        stage.portal, ADMIN, "Съёмка", wednesday(10), wednesday(12), attendees=[ADMIN, MANAGER]
    )


def test_an_event_is_dragged_to_another_day_and_hour_and_its_form_makes_it_private(
    stage: Stage, open_as: OpenAs
) -> None:
    row = meeting(stage)
    page = open_as(f"/company/personal/user/{ADMIN}/calendar/", ADMIN)
    block = page.locator(".week-day .event", has_text="Съёмка")
    day = page.locator(".week-day").nth(3)
    block.scroll_into_view_if_needed()
    box, target = block.bounding_box(), day.bounding_box()
    assert box
    assert target
    hour = target["height"] / 24
    page.mouse.move(box["x"] + 20, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(target["x"] + 20, box["y"] + 10 + hour, steps=5)
    with page.expect_response("**/_calendar/change"):
        page.mouse.up()
    moved = wednesday(11) + timedelta(days=1)
    assert datetime.fromtimestamp(row["start"], UTC) == moved
    assert row["end"] - row["start"] == 7200
    expect(page.locator("dialog")).to_have_count(0)
    page.locator(".week-day .event", has_text="Съёмка").click()
    page.get_by_role("button", name="Изменить").click()
    page.get_by_label("Частное событие").check()
    page.get_by_label("Начало").fill(f"{moved:%Y-%m-%d}T12:30")
    page.get_by_role("button", name="Сохранить").click()
    expect(page.locator("dialog")).to_have_count(0)
    assert row["private"]
    assert datetime.fromtimestamp(row["start"], UTC) == moved + timedelta(hours=1, minutes=30)


def test_an_invited_person_declines_in_his_calendar(stage: Stage, open_as: OpenAs) -> None:
    row = meeting(stage)
    page = open_as(f"/company/personal/user/{MANAGER}/calendar/", MANAGER)
    page.locator(".week-day .event", has_text="Съёмка").click()
    expect(page.get_by_role("button", name="Изменить")).to_have_count(0)
    with page.expect_response("**/_calendar/answer"):
        page.get_by_role("button", name="Отказаться").click()
    copy = next(one for one in stage.portal.events.values() if one["parent_id"] == row["id"] != one["id"])
    assert copy["status"] == "N"


def test_an_administrator_dismisses_and_takes_back_from_the_list_of_employees(stage: Stage, open_as: OpenAs) -> None:
    page = open_as("/company/", ADMIN)
    person = page.locator(f"#user-{MANAGER}")
    person.get_by_role("button", name="Уволить").click()
    expect(page.locator(f"#user-{MANAGER}").get_by_text("Уволен")).to_be_visible()
    assert not stage.portal.users[MANAGER].active
    page.locator(f"#user-{MANAGER}").get_by_role("button", name="Вернуть").click()
    expect(page.locator(f"#user-{MANAGER}").get_by_role("button", name="Уволить")).to_be_visible()
    assert stage.portal.users[MANAGER].active
