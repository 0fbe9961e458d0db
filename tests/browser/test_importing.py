"""An administrator imports resources out of a table, and out of the portal, in a real browser."""

from __future__ import annotations

import itertools

from playwright.sync_api import FilePayload, expect

from b24app.booking.importing_xlsx import write_workbook
from emulator.calendar_sections import add_section
from tests.browser.conftest import Site, Visitor
from tests.browser.test_pages import findings

_serial = itertools.count(1)


def table(*rows: list[str]) -> FilePayload:
    """A file to be chosen: Chromium reads it as one from the disk."""
    data = write_workbook({"Ресурсы": [["Название", "Вид", "Вместимость"], *rows]})
    mime = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return {"name": f"ресурсы-{next(_serial)}.xlsx", "mimeType": mime, "buffer": data}


def test_a_table_is_looked_at_mended_and_imported(admin: Visitor, site: Site) -> None:
    admin.menu()
    admin.frame.get_by_role("link", name="Настройки").click()
    admin.frame.locator("#resources [hx-get='/app/import']").first.click()
    chosen = admin.frame.locator("#import-file")
    chosen.set_input_files(table(["Табличная 1", "Переговорная", "много"], ["Табличная 2", "Переговорная", "4"]))
    wrong = admin.frame.locator("#import-wrong tbody tr")
    expect(wrong).to_have_count(1)
    expect(wrong).to_contain_text("C2")
    assert findings(admin) == []
    chosen.set_input_files(table(*([f"Табличная {n}", "Переговорная", "4"] for n in (1, 2, 3))))
    expect(wrong).to_have_count(0)
    admin.frame.locator("[data-import]").click()
    expect(admin.frame.locator("#import-done")).to_contain_text("3")
    assert findings(admin) == []
    admin.frame.locator("#import-done button").click()
    expect(admin.frame.locator("#resources")).to_contain_text("Табличная 3")


def test_meeting_rooms_of_the_portal_become_resources(admin: Visitor, site: Site) -> None:
    add_section(site.portal, "location", 0, "Комната портала", 1, site.world.now())
    admin.menu()
    admin.frame.get_by_role("link", name="Настройки").click()
    admin.frame.locator("#resources [hx-get='/app/import']").first.click()
    admin.frame.locator("#importing [hx-get='/app/import/portal']").click()
    admin.frame.locator("#importing .seg [hx-get$='source=rooms']").click()
    form = admin.frame.locator("#portal-form")
    expect(form.get_by_label("Комната портала")).to_be_checked()
    assert findings(admin) == []
    form.locator("[type=submit]").click()
    expect(admin.frame.locator("#import-done")).to_be_visible()
    expect(form.get_by_label("Комната портала")).to_be_disabled()
