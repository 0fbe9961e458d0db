"""A board among others and on a bad line: what others do appears, what is missing is said, nothing typed is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Site, Visitor
from tests.browser.test_board import DAYTIME, book, rules
from tests.browser.test_booking import press
from tests.stand import ADMIN, MANAGER

BOARD = re.compile(r"/app/board\?")


@pytest.fixture
def colleague(site: Site, visitor: Visitor) -> Iterator[Visitor]:
    """Somebody else at the same board: the cookie says who opens a page, so he comes when the first is there."""
    page = visitor.page.context.new_page()
    yield Visitor(site, page)
    page.close()
    visitor.become(MANAGER)


def matter(visitor: Visitor) -> Locator:
    """The line that says what is the matter."""
    return visitor.frame.locator("#state")


def shown_day(visitor: Visitor) -> str:
    return visitor.frame.locator("#board").get_attribute("data-day") or ""


def test_what_a_colleague_books_appears_beside_an_open_form(visitor: Visitor, colleague: Visitor, site: Site) -> None:
    room = site.resource(hours=DAYTIME)
    visitor.menu().tomorrow()
    press(visitor, room, 10, 11)
    title = visitor.frame.locator("#f-title")
    title.fill("Набираю, не спе")
    colleague.become(ADMIN).menu().tomorrow()
    press(colleague, room, 10, 11)
    colleague.frame.locator("#f-title").fill("Кто первый")
    colleague.frame.locator("#booking-form [type=submit]").first.click()
    colleague.frame.locator("#booking").wait_for()
    expect(visitor.frame.locator(f"#r{room.id} a.b.is-new")).to_have_text("Кто первый")
    expect(visitor.frame.locator(f"#r{room.id} .ghost.no")).to_have_text("занято")
    expect(visitor.frame.locator("#terms")).to_contain_text(re.compile("[Зз]анят"))
    expect(title).to_have_value("Набираю, не спе")
    assert title.evaluate("one => one === document.activeElement"), "the cursor stays"


def test_a_lost_connection_is_said_and_found_again(visitor: Visitor, site: Site) -> None:
    site.resource()
    visitor.menu()
    day = shown_day(visitor)
    visitor.page.context.set_offline(True)
    try:
        visitor.frame.locator("#day-next").click()
        expect(matter(visitor)).to_contain_text("Нет связи")
        expect(visitor.frame.locator(f'#board[data-day="{day}"] .brow[id]').first).to_be_visible()
    finally:
        visitor.page.context.set_offline(False)
    expect(visitor.frame.locator(f'#board:not([data-day="{day}"])')).to_have_count(1)
    expect(matter(visitor)).to_be_hidden()


def refuse(page: Page, path: re.Pattern[str] | str, status: int, times: int | None = None, body: str = "") -> None:
    def answer(route: Route) -> None:
        route.fulfill(status=status, body=body, content_type="text/html")

    page.route(path, answer, times=times)


def test_a_session_that_ran_out_over_lunch_is_renewed_unseen(visitor: Visitor, site: Site) -> None:
    room = site.resource(hours=DAYTIME)
    visitor.menu().tomorrow()
    press(visitor, room, 12, 13)
    visitor.frame.locator("#f-title").fill("После обеда")
    refuse(visitor.page, re.compile("/app/bookings$"), 401, times=1)
    with visitor.page.expect_response(lambda answer: answer.url.endswith("/app/renew")) as renewed:
        visitor.frame.locator("#booking-form [type=submit]").first.click()
    assert renewed.value.status == 200
    expect(visitor.frame.locator("#booking")).to_contain_text("После обеда")
    expect(visitor.frame.locator(f"#r{room.id} a.b")).to_have_count(1)
    expect(matter(visitor)).to_be_hidden()


def test_a_portal_that_sleeps_is_asked_again_and_nothing_typed_is_lost(visitor: Visitor, site: Site) -> None:
    room = site.resource(hours=DAYTIME)
    visitor.menu().tomorrow()
    press(visitor, room, 12, 13)
    visitor.frame.locator("#f-title").fill("Портал спит")
    refuse(visitor.page, re.compile("/app/bookings$|/app/board"), 401)
    refuse(visitor.page, re.compile("/app/renew"), 503)
    visitor.frame.locator("#booking-form [type=submit]").first.click()
    expect(matter(visitor)).to_contain_text("не отвечает с")
    expect(visitor.frame.locator("#f-title")).to_have_value("Портал спит")
    visitor.page.unroute_all()
    matter(visitor).get_by_role("button", name="Проверить сейчас").click()
    expect(matter(visitor)).to_be_hidden()
    visitor.frame.locator("#booking-form [type=submit]").first.click()
    expect(visitor.frame.locator("#booking")).to_contain_text("Портал спит")


@pytest.mark.parametrize("status", [500, 410, 422])
def test_no_answer_takes_the_board_away(visitor: Visitor, site: Site, status: int) -> None:
    site.resource()
    visitor.menu()
    day = shown_day(visitor)
    refuse(visitor.page, BOARD, status, body="<section><p>Что-то пошло не так.</p></section>")
    visitor.frame.locator("#day-next").click()
    where = matter(visitor) if status == 410 else visitor.frame.locator("#toasts")
    expect(where).to_contain_text("Откройте страницу" if status == 410 else "Что-то пошло не так.")
    expect(visitor.frame.locator(f'#board[data-day="{day}"] .brow[id]').first).to_be_visible()
    visitor.page.unroute_all()
    visitor.frame.locator("#day-next").click()
    expect(visitor.frame.locator(f'#board:not([data-day="{day}"])')).to_have_count(1)


def test_holds_count_down_and_an_old_board_says_so(visitor: Visitor, site: Site) -> None:
    """The page's clock is put forward, the server's is not."""
    room = site.resource(hours=DAYTIME, policy_id=rules(site, hold_minutes=30))
    book(site, room, 12, 2, title="Держим")
    visitor.page.clock.install()
    visitor.menu().tomorrow()
    pill = visitor.frame.locator(f"#r{room.id} .hold i")
    expect(pill).to_have_text(re.compile(r"^\d+:\d\d$"))
    visitor.page.clock.fast_forward("24:30")
    expect(pill).to_have_text(re.compile(r"^[56] мин$"))
    visitor.page.route(BOARD, lambda route: route.abort())
    visitor.page.clock.fast_forward("05:00")
    expect(matter(visitor)).to_contain_text(re.compile("Нет связи|могла устареть"))
    visitor.page.unroute_all()


def calendar(visitor: Visitor) -> Locator:
    visitor.page.goto(f"{visitor.site.portal_url}/calendar/")
    visitor.page.locator("[data-views] button", has_text="Ресурсы").click()
    board = visitor.frame.locator("#board")
    board.wait_for()
    return board


def test_the_arrows_of_the_calendar_move_the_board_by_what_it_shows(visitor: Visitor, site: Site) -> None:
    site.resource()
    board = calendar(visitor)
    today = date.fromisoformat(shown_day(visitor))
    visitor.page.wait_for_timeout(1200)  # the SDK keeps the first event of 900 ms for itself
    visitor.page.locator("[data-period] [data-step='1']").click()
    expect(board).to_have_attribute("data-day", str(date.fromordinal(today.toordinal() + 7)))
    visitor.page.locator("[data-period] [data-step='-1']").click()
    visitor.page.locator("[data-period] [data-step='-1']").click()
    expect(board).to_have_attribute("data-day", str(date.fromordinal(today.toordinal() - 7)))
    visitor.page.locator("[data-period] [data-step='0']").click()
    expect(board).to_have_attribute("data-day", str(today))
