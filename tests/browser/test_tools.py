"""The tools above the board by hand and keyboard: filters, memory, narrow frames, focus."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from b24app.ledger.session import transaction
from tests.browser.conftest import Site, Visitor
from tests.browser.test_pages import findings
from tests.factories import make_service

# The portal's own frame takes all of the window, as it does in the mobile application.
WHOLE = "iframe{position:fixed!important;inset:0!important;width:100vw!important;height:100vh!important;z-index:999}"


def test_filters_fold_behind_their_button_and_esc_gives_the_focus_back(visitor: Visitor, site: Site) -> None:
    able, other = site.resource(kind="specialist", name="Анна Инструментова"), site.resource(city="Далеко")
    with transaction(site.engine) as tx:
        make_service(tx, site.tenant(tx), (able, 1), name="Правка голоса")
    visitor.menu()
    frame, button = visitor.frame, visitor.frame.locator("#filters-button")
    expect(frame.locator("#place-input")).to_be_hidden()  # beside the portal's menu the frame is narrow
    button.focus()
    visitor.page.keyboard.press("Enter")
    service = frame.locator("#by-service")
    expect(service).to_be_visible()
    service.focus()
    service.select_option(label="Правка голоса")
    expect(frame.locator(f"#r{other.id}")).to_have_count(0)
    expect(frame.locator(f"#r{able.id}")).to_have_count(1)
    expect(service).to_be_focused()  # the board below was swapped
    assert findings(visitor) == []
    service.focus()
    expect(button).to_have_attribute("data-count", "1")
    visitor.page.keyboard.press("Escape")
    expect(service).to_be_hidden()
    expect(button).to_be_focused()
    frame.locator("#chip-service").press("Enter")
    expect(frame.locator(f"#r{other.id}")).to_have_count(1)
    expect(button).to_be_focused()  # the chip is gone, and its list is folded away


def test_a_page_opens_as_it_was_left(visitor: Visitor, site: Site) -> None:
    here, there = site.resource(city="Памятное место"), site.resource(city="Другое место")
    visitor.menu()
    frame = visitor.frame
    frame.locator("#filters-button").click()
    frame.locator("#by-place").select_option("Памятное место")
    expect(frame.locator(f"#r{there.id}")).to_have_count(0)
    frame.locator("#filters").get_by_role("button", name="Готово").or_(frame.get_by_role("button", name="Done")).click()
    frame.locator("#group-input").select_option("none")
    expect(frame.locator(".bgroup")).to_have_count(0)
    visitor.menu(again=True)
    expect(frame.locator(f"#r{here.id}")).to_have_count(1)
    expect(frame.locator(f"#r{there.id}")).to_have_count(0)
    expect(frame.locator(".bgroup")).to_have_count(0)
    frame.locator('.nav [data-section="list"]').click()
    expect(frame.locator('#board[data-view="list"]')).to_be_visible()
    expect(frame.locator('.nav [data-section="list"]')).to_have_attribute("aria-current", "page")
    frame.locator('.nav [data-section="board"]').click()
    expect(frame.locator(f"#r{here.id}")).to_have_count(1)
    visitor.deal()
    expect(frame.locator(f"#r{there.id}")).to_have_count(1)


def test_a_phone_begins_with_the_list_and_nothing_scrolls_sideways(visitor: Visitor, site: Site) -> None:
    site.resource()
    visitor.page.set_viewport_size({"width": 390, "height": 844})
    visitor.page.add_init_script(
        "addEventListener('DOMContentLoaded', () => { if (parent === window) {"
        "const sheet = document.createElement('style');"
        f"sheet.textContent = '{WHOLE}'; document.head.append(sheet); }} }})"
    )
    visitor.menu()
    frame = visitor.frame
    expect(frame.locator('#board[data-view="list"]')).to_be_visible()
    expect(frame.locator("#view")).not_to_have_attribute("data-first", re.compile("."))
    expect(frame.locator(".strip7 [aria-pressed=true]")).to_have_count(1)
    for view in ("tall", "mine", "list"):
        frame.locator(f"#view-{view}").click()
        expect(frame.locator(f'#board[data-view="{view}"]')).to_be_visible()
        assert frame.locator("html").evaluate("root => root.scrollWidth - innerWidth") <= 0
    frame.locator("#search-input").focus()
    expect(frame.locator("#search-input")).to_be_in_viewport()
    visitor.page.keyboard.press("Tab")  # it folds again, and leaves the buttons below
    frame.locator("#filters-button").click()
    expect(frame.locator("#by-paid")).to_be_visible()
    assert findings(visitor) == []
