"""The board by keyboard alone: booking, moving, cancelling; the focus is never lost, and every step is said."""

from __future__ import annotations

import re
from datetime import timedelta

from playwright.sync_api import Locator, expect

from b24app.ledger.models import Resource
from tests.browser.conftest import Site, Visitor
from tests.browser.test_board import DAYTIME, MOSCOW, book, tomorrow
from tests.browser.views import look
from tests.stand import ADMIN

HOURLY = {"step_minutes": 60, "min_minutes": 60, "hours": DAYTIME}
MOST_TABS = 60
OPENS = 8 * 60  # minutes of the day; a night of other tests' resources may lie before, closed as one piece


def walk_to(visitor: Visitor, resource: Resource) -> None:
    """With arrows to the beginning of this resource's day: 8:00."""
    visitor.frame.locator("#grid").focus()
    nth = visitor.frame.locator(f"#r{resource.id} .lane").evaluate("lane => window.board.lanes().indexOf(lane)")
    for _ in range(nth + 1):
        visitor.page.keyboard.press("ArrowDown")
    visitor.page.keyboard.press("Home")
    expect(said(visitor)).to_contain_text(resource.name)
    while visitor.frame.locator("#grid").evaluate("() => window.board.chosen.from") < OPENS:
        visitor.page.keyboard.press("ArrowRight")


def said(visitor: Visitor) -> Locator:
    return visitor.frame.locator("#said")


def press(visitor: Visitor, *keys: str) -> None:
    for key in keys:
        visitor.page.keyboard.press(key)


def tab_to(visitor: Visitor, target: Locator) -> None:
    """As a person without a mouse gets there, once he sees it: what opens takes the focus, and gives it back."""
    expect(target).to_be_visible()
    for _ in range(MOST_TABS):
        visitor.page.keyboard.press("Tab")
        if target.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError("never reached by Tab")


def block(visitor: Visitor, resource: Resource, number: int | str) -> Locator:
    return visitor.frame.locator(f'#r{resource.id} a.b[href="#{number}"]')


def test_booked_moved_and_cancelled_without_a_mouse(visitor: Visitor, site: Site) -> None:
    room = site.resource(kind="room", name="0 переговорная", **HOURLY)
    other = site.resource(kind="room", name="0 переговорная рядом", **HOURLY)
    visitor.menu().tomorrow()
    grid = visitor.frame.locator("#grid")
    walk_to(visitor, room)
    press(visitor, "ArrowRight", "Shift+ArrowRight")
    expect(said(visitor)).to_have_text("0 переговорная, 9:00–11:00, свободно")
    expect(visitor.frame.locator("#keys")).to_be_visible()
    press(visitor, "Enter")
    expect(visitor.frame.locator("#f-start")).to_have_value("9:00")
    tab_to(visitor, visitor.frame.locator("#f-title"))
    visitor.page.keyboard.type("С клавиатуры")
    press(visitor, "Enter")
    panel = visitor.frame.locator("#booking")
    expect(panel).to_contain_text("Забронировано")
    number = panel.get_attribute("data-number")
    press(visitor, "Escape")
    expect(grid).to_be_focused()
    expect(block(visitor, room, number or "")).to_have_class(re.compile(r"\bs36 n8\b.*is-focus"))

    press(visitor, "m", "ArrowRight")
    expect(said(visitor)).to_contain_text("0 переговорная, 10:00–12:00")
    press(visitor, "ArrowDown", "Shift+ArrowRight")
    expect(said(visitor)).to_contain_text("0 переговорная рядом, 10:00–13:00")
    expect(visitor.frame.locator(".ghost.move:not(.no)")).to_have_count(1)
    expect(block(visitor, room, number or "")).to_have_class(re.compile("away"))
    press(visitor, "Enter")
    expect(block(visitor, other, number or "")).to_have_class(re.compile(r"\bs40 n12\b.*is-focus"))
    expect(grid).to_be_focused()
    expect(visitor.frame.locator(".ghost")).to_have_count(0)

    press(visitor, "Enter")
    expect(panel).to_contain_text("С клавиатуры")
    tab_to(visitor, panel.get_by_role("button", name=re.compile("Отменить бронь")).first)
    press(visitor, "Enter")
    tab_to(visitor, panel.locator("#cancel [type=submit]"))
    press(visitor, "Enter")
    expect(panel).to_contain_text("Бронь отменена")
    press(visitor, "Escape")
    expect(grid).to_be_focused()
    expect(block(visitor, other, number or "")).to_have_count(0)


def test_a_move_that_is_not_possible_says_why_and_is_given_up(visitor: Visitor, site: Site) -> None:
    room = site.resource(kind="room", name="0 занятая", **HOURLY)
    mine = book(site, room, 9, title="Своя")
    book(site, room, 10, 2, title="Чужая")
    visitor.become(ADMIN).menu().tomorrow()
    walk_to(visitor, room)
    press(visitor, "ArrowRight")
    expect(said(visitor)).to_contain_text("9:00–10:00, Подтверждено, Своя")
    press(visitor, "m", "ArrowRight")
    expect(visitor.frame.locator(".ghost.move.no")).to_have_count(1)
    expect(said(visitor)).to_contain_text(re.compile("10:00–11:00, .*[Зз]аня"))
    press(visitor, "Escape")
    expect(said(visitor)).to_have_text("Осталось на прежнем месте")
    expect(block(visitor, room, mine)).to_have_class(re.compile(r"\bs36 n4\b.*is-focus"))
    expect(visitor.frame.locator(".ghost")).to_have_count(0)
    expect(visitor.frame.locator("#grid")).to_be_focused()


def test_the_place_is_kept_while_the_board_comes_anew(visitor: Visitor, site: Site) -> None:
    room = site.resource(kind="room", name="0 стоим здесь", **HOURLY)
    visitor.menu().tomorrow()
    grid, ghost = visitor.frame.locator("#grid"), visitor.frame.locator(f"#r{room.id} .ghost")
    walk_to(visitor, room)
    press(visitor, "ArrowRight", "Shift+ArrowRight")
    number = book(site, room, 14, title="Кто-то другой")
    expect(block(visitor, room, number)).to_have_count(1)
    expect(ghost).to_have_text("9:00–11:00")
    expect(grid).to_be_focused()
    press(visitor, "Enter")
    visitor.frame.locator("#booking-form").wait_for()
    press(visitor, "Escape")
    expect(grid).to_be_focused()
    expect(ghost).to_have_text("9:00–10:00")
    press(visitor, "PageDown")
    after = tomorrow().astimezone(MOSCOW).date() + timedelta(days=1)
    expect(visitor.frame.locator(f'#board[data-day="{after}"]')).to_have_count(1)
    expect(grid).to_be_focused()
    press(visitor, "ArrowRight")
    expect(said(visitor)).to_have_text("0 стоим здесь, 10:00–11:00, свободно")


def test_in_the_week_of_one_resource_time_runs_downwards(visitor: Visitor, site: Site) -> None:
    room = site.resource(kind="room", name="0 неделя", **HOURLY)
    visitor.menu()
    day = tomorrow().astimezone(MOSCOW).date() + timedelta(days=6)
    look(visitor, f"view=week&resource={room.id}&day={day}")
    grid = visitor.frame.locator("#grid.week")
    grid.focus()
    press(visitor, "ArrowDown", "ArrowDown", "ArrowRight", "Shift+ArrowDown")
    expect(said(visitor)).to_have_text(re.compile("^(Вт|вт).*9:00–11:00, свободно$"))
    press(visitor, "Enter")
    expect(visitor.frame.locator("#f-start")).to_have_value("9:00")
    expect(visitor.frame.locator("#f-end")).to_have_value("11:00")
