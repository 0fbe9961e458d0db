"""What every page has in common: reachable for everybody, no sideways scrolling, the portal's language, a long life."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Frame, Request, expect

from tests.browser.conftest import Site, Visitor
from tests.browser.test_booking import press

SERIOUS = {"serious", "critical"}


def ours(visitor: Visitor) -> Frame:
    """Our frame itself, for scripts."""
    visitor.page.wait_for_timeout(0)
    (frame,) = [one for one in visitor.page.frames if one.url.startswith(visitor.site.app_url)]
    return frame


def findings(visitor: Visitor) -> list[str]:
    """What axe finds serious or critical in our frame."""
    expect(visitor.frame.locator("button.htmx-request")).to_have_count(0)  # pale while its answer is under way
    results = Axe().run(ours(visitor))
    return [
        f"{one['impact']} {one['id']}: {node['html'][:200]} {[why['message'] for why in node['any']]}"
        for one in results.response["violations"]
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


def test_board_and_resources_are_accessible(admin: Visitor, site: Site) -> None:
    room = site.resource(kind="hall")
    admin.menu().tomorrow()
    assert findings(admin) == []
    press(admin, room, 10, 11)
    admin.frame.locator("#booking-form").wait_for()
    assert findings(admin) == []
    admin.frame.locator("#f-start").fill("x")
    admin.frame.locator("#f-client_phone").fill("12")
    admin.frame.locator("#send-policy").click()
    admin.frame.locator("#problems").wait_for()
    assert findings(admin) == []
    admin.page.keyboard.press("Escape")
    admin.frame.get_by_role("link", name="Настройки").click()
    admin.frame.locator("#resources").wait_for()
    assert findings(admin) == []
    admin.frame.locator(".rn").first.click()
    admin.frame.locator("#resource-form").wait_for()
    assert findings(admin) == []


def test_the_tab_and_a_booking_are_accessible(visitor: Visitor, site: Site) -> None:
    room = site.resource()
    visitor.deal(2)
    assert findings(visitor) == []
    visitor.tomorrow()
    press(visitor, room, 10, 11)
    visitor.frame.locator("#send-policy").click()
    visitor.frame.locator("#booking").wait_for()
    assert findings(visitor) == []
    visitor.frame.get_by_role("button", name="Отменить бронь…").click()
    assert findings(visitor) == []
    visitor.page.keyboard.press("Escape")
    expect(visitor.frame.locator(".nextb")).to_be_visible()
    assert findings(visitor) == []


@pytest.fixture
def sized(visitor: Visitor) -> Iterator[Visitor]:
    yield visitor
    visitor.page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("width", [1280, 1040, 900, 640])
@pytest.mark.parametrize("place", ["deal", "menu"])
def test_nothing_scrolls_sideways_but_the_board(sized: Visitor, site: Site, width: int, place: str) -> None:
    site.resource(name="Переговорная «Северная Двина» с видеосвязью и очень длинным именем")
    sized.page.set_viewport_size({"width": width, "height": 900})
    getattr(sized, place)()
    frame = ours(sized)
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if width == 1280:
        assert frame.evaluate("(board => board.scrollWidth <= board.clientWidth)(document.querySelector('.board'))")


def test_only_the_board_scrolls_down(visitor: Visitor, site: Site) -> None:
    for _ in range(25):
        site.resource()
    visitor.menu()
    expect(visitor.frame.locator("html")).to_have_class(re.compile("fitted"))
    board = "document.querySelector('.board')"
    assert ours(visitor).evaluate(f"{board}.scrollHeight > {board}.clientHeight")
    assert ours(visitor).evaluate("getComputedStyle(document.documentElement).overflowY") == "hidden"


def test_an_administrator_adds_changes_and_archives_a_resource(admin: Visitor) -> None:
    admin.menu()
    admin.frame.get_by_role("link", name="Настройки").click()
    admin.frame.get_by_role("button", name="Добавить ресурс").click()
    form = admin.frame.locator("#resource-form")
    form.locator("#f-capacity").fill("много")
    form.get_by_role("button", name="Сохранить", exact=True).click()
    expect(form.locator("#e-name")).to_have_text("Заполните это поле")
    expect(form.locator("#e-capacity")).to_have_text("Введите целое число")
    form.locator("#f-name").fill("Лекторий на крыше")
    form.locator("#f-capacity").fill("60")
    form.locator("#f-kind").select_option("specialist")
    expect(form.locator("#f-portal_user_id")).to_be_visible()
    form.locator("#f-kind").select_option("hall")
    expect(form.locator("#f-portal_user_id")).not_to_be_visible()
    form.locator("#f-hours_5").fill("10:00–16:00")
    form.get_by_role("button", name="Сохранить", exact=True).click()
    line = admin.row("#resources", "Лекторий на крыше")
    expect(line).to_contain_text("Пн–Пт 9:00–18:00, Сб 10:00–16:00")
    expect(admin.frame.locator("#toasts")).to_contain_text("Сохранено: Лекторий на крыше")
    admin.frame.get_by_role("link", name="Доска").click()
    expect(admin.frame.locator("#board")).to_contain_text("Лекторий на крыше")
    admin.frame.get_by_role("link", name="Настройки").click()
    line.get_by_role("button").click()
    form.get_by_role("switch").click()
    expect(admin.frame.locator("#rlist .rt").first).not_to_contain_text("Лекторий на крыше")
    admin.frame.get_by_role("link", name="Доска").click()
    expect(admin.frame.locator("#board")).not_to_contain_text("Лекторий на крыше")


def test_the_portals_language_decides(visitor: Visitor, site: Site) -> None:
    site.resource()
    user = site.portal.users[3]
    user.lang = "en"
    try:
        visitor.page.goto(f"{site.portal_url}/crm/deal/details/1/")
        visitor.page.locator("button", has_text="Booking").first.click()
        expect(visitor.frame.locator("html")).to_have_attribute("lang", "en")
        visitor.frame.get_by_role("button", name="Book", exact=True).click()
        expect(visitor.frame.locator("#panel-title")).to_have_text("New booking")
    finally:
        user.lang = "ru"


def _renewed_with(sent: Request) -> list[str]:
    return [sent.headers["x-b24-token"]] if sent.url.endswith("/app/renew") else []


def test_an_open_page_outlives_its_token(visitor: Visitor, site: Site) -> None:
    site.resource()
    site.world.knobs.change({"access_ttl_s": 90})
    try:
        fresh: list[str] = []  # tokens that were renewed with; beside the click a beat of the page may renew as well
        visitor.page.on("request", lambda sent: fresh.extend(_renewed_with(sent)))
        visitor.deal()
        with visitor.page.expect_response(lambda answer: answer.url.endswith("/app/renew")) as renewed:
            visitor.frame.locator("#day-next").click()
        assert renewed.value.status == 200
        with visitor.page.expect_response(lambda answer: "/app/board" in answer.url) as board:
            visitor.frame.locator("#day-next").click()
        assert board.value.status == 200
        assert board.value.request.headers["x-b24-token"] in fresh
    finally:
        site.world.knobs.change({"access_ttl_s": 3600})
