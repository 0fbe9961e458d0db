"""An administrator puts a whole together and closes it for a day, in a real browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from tests.browser.conftest import Site, Visitor
from tests.browser.test_pages import findings


def test_a_whole_is_made_of_parts_and_closed_for_a_day(admin: Visitor, site: Site) -> None:
    day = (datetime.now(UTC) + timedelta(days=100)).date().isoformat()
    site.resource(kind="hall", name="Зал Б1")
    site.resource(kind="hall", name="Зал Б2", units=2, buffer_after=15)
    admin.menu()
    admin.frame.get_by_role("link", name="Настройки").click()
    expect(admin.row("#resources", "Зал Б2")).to_contain_text("15")
    admin.frame.locator("#resources .tools .btn.pri").click()
    form = admin.frame.locator("#resource-form")
    form.locator("#f-name").fill("Зал Б")
    form.locator("#f-kind").select_option("hall")
    form.locator("#f-parts summary").click()
    for name in ("Зал Б1", "Зал Б2"):
        form.get_by_label(name, exact=True).check()
    form.locator("#f-special-0-day").fill(day)
    form.locator("#f-special-0-hours").fill("с девяти")
    form.locator("[type=submit]").click()
    expect(form.locator("#e-special-0-hours")).to_be_visible()
    assert findings(admin) == []
    form.locator("#f-special-0-hours").fill("10–14")
    form.locator("[type=submit]").click()
    expect(admin.row("#resources", "Зал Б")).to_contain_text("Зал Б1 + Зал Б2")
    admin.frame.locator("#resources nav a[href='#closures']").click()
    admin.frame.locator("#closures .btn.pri").click()
    form = admin.frame.locator("#closure-form")
    form.wait_for()
    assert findings(admin) == []
    form.locator("#f-resource").select_option(label="Зал Б")
    form.locator("#f-date").fill(day)
    form.locator("#f-reason").fill("Ремонт в зале Б")
    form.locator("[type=submit]").click()
    line = admin.row("#closures", "Ремонт в зале Б")
    expect(line).to_contain_text(str(int(day[-2:])))
    expect(line).to_contain_text("Зал Б")
    assert findings(admin) == []


def test_the_card_stands_beside_the_list_and_rows_are_dragged(admin: Visitor, site: Site) -> None:
    for name in ("Корпус А", "Корпус Б"):
        site.resource(kind="vehicle", name=name)
    admin.page.set_viewport_size({"width": 1440, "height": 900})
    admin.menu()
    admin.frame.get_by_role("link", name="Настройки").click()
    rows = admin.frame.locator("#rlist tr[data-id]", has_text="Корпус")
    with admin.page.expect_response("**/app/resources/order"):
        rows.nth(1).drag_to(rows.nth(0), target_position={"x": 60, "y": 3})
    admin.frame.get_by_role("link", name="Доска").click()
    admin.frame.locator("#board").wait_for()
    admin.frame.get_by_role("link", name="Настройки").click()
    expect(rows.nth(0)).to_contain_text("Корпус Б")
    rows.nth(0).get_by_role("button").click()
    form = admin.frame.locator("#resource-form")
    form.locator("#f-name").fill("Корпус Б, новый")
    rows.nth(1).get_by_role("button").click()
    expect(admin.frame.locator("#unsaved")).to_be_focused()
    expect(form.locator("#f-name")).to_have_value("Корпус Б, новый")
    form.locator("[type=submit]").click()
    expect(rows.nth(0)).to_contain_text("Корпус Б, новый")
    expect(form.locator("#panel-title")).to_have_text("Корпус Б, новый")
    rows.nth(1).get_by_role("button").click()
    expect(form.locator("#f-name")).to_have_value("Корпус А")
    assert findings(admin) == []
