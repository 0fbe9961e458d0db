"""Nothing serious or critical is found by axe: on no view, in no panel and no form, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site, Visitor
from tests.browser.test_booking import press
from tests.browser.test_pages import findings
from tests.browser.views import SETTINGS, addresses, look, stand
from tests.stand import ADMIN


@pytest.fixture
def sized(visitor: Visitor) -> Iterator[Visitor]:
    yield visitor
    visitor.page.emulate_media(forced_colors="none", contrast="no-preference", reduced_motion="no-preference")
    visitor.page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("width", [1280, 390])
def test_every_view_the_form_and_the_panel(sized: Visitor, site: Site, width: int) -> None:
    room = stand(site)
    sized.page.set_viewport_size({"width": width, "height": 844})
    sized.menu()
    found = {}
    for name, query in addresses(room).items():
        look(sized, query)
        found[name] = findings(sized)
    look(sized, addresses(room)["day"])
    sized.frame.locator(f"#r{room.id} a.b.conf").first.evaluate("block => block.click()")
    sized.frame.locator("#booking").wait_for()
    found["panel"] = findings(sized)
    sized.page.keyboard.press("Escape")
    expect(sized.frame.locator("#panel")).to_be_hidden()
    sized.frame.locator("#grid").evaluate("grid => grid.focus()")
    sized.frame.locator(f"#r{room.id} .lane").evaluate(
        "lane => { board.choose(lane, 17 * 60, 18 * 60); board.bookChosen(); }"
    )
    sized.frame.locator("#booking-form").wait_for()
    found["form"] = findings(sized)
    assert {name: one for name, one in found.items() if one} == {}


def test_settings(sized: Visitor, site: Site) -> None:
    site.resource()
    sized.become(ADMIN).menu()
    sized.frame.locator('.top a[href="#resources"]').click()
    found = {}
    for name in SETTINGS:
        link = sized.frame.locator(f'a[href="#{name}"]')
        if name != "resources":
            link.first.click()
        sized.frame.locator(f"#{name}").wait_for()
        found[name] = findings(sized)
    assert {name: one for name, one in found.items() if one} == {}


def test_states_are_told_without_colour(sized: Visitor, site: Site) -> None:
    """Contrast asked for, colours forced, motion unwanted: what is read, and what stays visible."""
    room = stand(site)
    sized.page.emulate_media(forced_colors="active", contrast="more", reduced_motion="reduce")
    sized.menu()
    look(sized, addresses(room)["day"])
    assert findings(sized) == []
    grid = sized.frame.locator("#grid")
    expect(grid).to_match_aria_snapshot(
        """
        - grid:
          - rowgroup:
            - row:
              - gridcell:
                - link "Подтверждено, Планирование квартала с приглашёнными"
        """
    )
    block = sized.frame.locator(f"#r{room.id} a.b.conf").first
    icon, border = block.evaluate(
        "one => [getComputedStyle(one, '::before').backgroundColor, getComputedStyle(one).borderLeftWidth]"
    )
    assert icon != "rgba(0, 0, 0, 0)"
    assert border == "4px"


def test_the_keyboard_sees_where_it_is(visitor: Visitor, site: Site) -> None:
    room = site.resource()
    visitor.menu().tomorrow()
    press(visitor, room, 10, 11)
    visitor.frame.locator("#booking-form").wait_for()
    visitor.page.keyboard.press("Tab")
    outline = visitor.frame.locator("#panel :focus").evaluate("one => getComputedStyle(one).outlineStyle")
    assert outline != "none"
