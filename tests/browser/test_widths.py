"""Inside the portal's windows: no view scrolls sideways, and at most one thing scrolls up and down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.conftest import Site, Visitor
from tests.browser.test_pages import ours
from tests.browser.views import addresses, look, stand

WIDTHS = (360, 390, 640, 800, 1040, 1280, 1440)
MEASURED = """() => {
  const page = document.documentElement, tall = [...document.querySelectorAll("*")].filter((one) =>
    /auto|scroll/.test(getComputedStyle(one).overflowY) && one.checkVisibility() && one.clientHeight > 60
    && one.scrollHeight > one.clientHeight + 2);
  const pageScrolls = getComputedStyle(page).overflowY !== "hidden" && page.scrollHeight > innerHeight + 2;
  const inside = tall.filter((one) => one !== page).map((one) => one.id || one.className);
  return [page.scrollWidth - innerWidth, inside, pageScrolls];
}"""


@pytest.fixture
def sized(visitor: Visitor) -> Iterator[Visitor]:
    yield visitor
    visitor.page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("place", ["menu", "deal"])
def test_no_view_scrolls_sideways_or_twice(sized: Visitor, site: Site, place: str) -> None:
    room = stand(site)
    getattr(sized, place)()
    frame, wrong = ours(sized), []
    for name, query in addresses(room).items():
        look(sized, query)
        for width in WIDTHS:
            sized.page.set_viewport_size({"width": width, "height": 900})
            frame.wait_for_function("new Promise(done => requestAnimationFrame(() => setTimeout(done, 200, true)))")
            sideways, tall, page = frame.evaluate(MEASURED)
            if sideways > 0 or len(tall) + page > 1:
                wrong.append((name, width, sideways, tall, page))
    assert wrong == [], wrong


def test_twice_as_large_everything_is_still_reached(sized: Visitor, site: Site) -> None:
    """200 % of 1280 is a page 640 wide."""
    room = stand(site)
    sized.page.set_viewport_size({"width": 640, "height": 450})
    sized.menu()
    look(sized, addresses(room)["day"])
    frame = ours(sized)
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    lane = frame.evaluate("document.querySelector('#grid .hours').getBoundingClientRect().width")
    assert lane >= 600, "the hours keep a width at which they are read, and scroll inside of the board"
