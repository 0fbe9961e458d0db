"""The week and the month in a real browser: what a click on a day does, what a cell tells, how the side card folds."""

from __future__ import annotations

import re
from datetime import date

from playwright.sync_api import expect

from tests.browser.conftest import Site, Visitor
from tests.browser.test_board import DAYTIME, MOSCOW, book, tomorrow
from tests.browser.views import look


def day_shown() -> date:
    return tomorrow().astimezone(MOSCOW).date()


def test_a_day_of_the_month_tells_what_is_free_and_opens(visitor: Visitor, site: Site) -> None:
    room = site.resource(name="«Кама»", hours=DAYTIME)
    book(site, room, 9, 2)
    visitor.menu()
    look(visitor, f"view=month&day={day_shown()}")
    row = visitor.frame.locator(f"#m{room.id}")
    cell = row.locator("[role=gridcell]").nth(day_shown().day - 1)
    cell.hover()
    tip = visitor.frame.locator("#cell-tip")
    expect(tip).to_contain_text("«Кама»")
    expect(tip).to_contain_text("11:00–")
    cell.click()
    expect(visitor.frame.locator("#board")).to_have_attribute("data-view", "day")
    expect(visitor.frame.locator("#board")).to_have_attribute("data-day", str(day_shown()))
    expect(tip).to_have_count(0)


def test_the_name_of_a_resource_opens_its_month_and_its_week(visitor: Visitor, site: Site) -> None:
    room = site.resource(name="«Ветлуга»", hours=DAYTIME)
    visitor.menu()
    for view, row in (("month", f"#m{room.id}"), ("week", f"#w{room.id}")):
        look(visitor, f"view={view}&day={day_shown()}")
        visitor.frame.locator(row).get_by_role("button", name="«Ветлуга»").click()
        expect(visitor.frame.locator("#grid")).to_have_attribute("aria-label", re.compile("«Ветлуга»"))


def test_a_booking_of_the_week_opens_and_its_day_too(visitor: Visitor, site: Site) -> None:
    room = site.resource(hours=DAYTIME)
    book(site, room, 9, 2, title="Примерка")
    visitor.menu()
    look(visitor, f"view=week&resource={room.id}&day={day_shown()}")
    block = visitor.frame.locator(f"#d{day_shown()}").get_by_text("Примерка")
    above, below = (visitor.box(visitor.frame.locator(f".wtime .s{quarter}")) for quarter in (36, 44))
    box = visitor.box(visitor.frame.locator(f"#d{day_shown()} a.b"))
    assert abs(box["height"] - (below["y"] - above["y"])) < 14, "two hours are as tall as those at the left"
    block.click()
    expect(visitor.frame.locator("#panel-body")).to_contain_text("Примерка")
    visitor.frame.locator("#panel").get_by_role("button", name="Закрыть").first.click()
    visitor.frame.locator(f"#head-{day_shown()}").click()
    expect(visitor.frame.locator("#board")).to_have_attribute("data-day", str(day_shown()))
    expect(visitor.frame.locator("#board")).to_have_attribute("data-view", "day")
