"""Sheets, calendar links and `.ics` files from inside of the portal's frame: new tabs, copying, downloads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.sync_api import BrowserContext, Locator, expect

from b24app.ledger.models import Booking, Resource
from b24app.ledger.session import transaction
from b24app.scheduling.interval import Interval
from tests import factories
from tests.browser.conftest import Site, Visitor
from tests.factories import ADMIN as ADMIN_VIEWER


def booked(site: Site, room: Resource) -> Booking:
    """Tomorrow at ten, by the clock of the room."""
    now = datetime.now(UTC)
    here = now.astimezone(ZoneInfo(room.time_zone))
    start = here.replace(hour=10, minute=0, second=0, microsecond=0) + timedelta(days=1)
    with transaction(site.engine) as tx:
        return factories.make_booking(
            tx, site.tenant(tx), room, now=now, viewer=ADMIN_VIEWER, title="Съёмка каталога",
            interval=Interval(start, start + timedelta(hours=1)),
        )  # fmt: skip


def more(visitor: Visitor, address: str) -> Locator:
    """The panel behind an entry of the menu «Ещё»."""
    visitor.frame.locator("#more-button").click()
    visitor.frame.locator(f'#more [hx-get^="{address}"]').click()
    return visitor.frame.locator("#panel-body")


def test_a_sheet_opens_in_a_tab_of_its_own_and_as_pdf(visitor: Visitor, site: Site, context: BrowserContext) -> None:
    room = site.resource()
    booked(site, room)
    panel = more(visitor.menu().tomorrow(), "/app/sheets")
    panel.locator("#sheet-what").select_option(str(room.id))
    expect(panel.locator("#sheet-count")).to_have_count(0)
    with context.expect_page() as opened:
        panel.locator("#sheet-html").click()
    sheet = opened.value
    expect(sheet.locator("h1")).to_have_text(room.name)
    expect(sheet.locator("tr.booked")).to_have_text("10:00–11:00Съёмка каталога")
    expect(sheet.locator("#print")).to_be_visible()
    sheet.close()
    file = context.request.get(site.app_url + (panel.locator("#sheet-pdf").get_attribute("href") or ""))
    assert file.body().startswith(b"%PDF-")


def test_a_calendar_link_is_copied_read_and_revoked(visitor: Visitor, site: Site, context: BrowserContext) -> None:
    room = site.resource()
    number = booked(site, room).number
    panel = more(visitor.menu(), "/app/feeds")
    panel.locator("#feed-what").select_option(str(room.id))
    panel.locator("#feed-form [type=submit]").click()
    address = panel.locator("#feed-address").input_value()
    copy = panel.locator("[data-copy-from]")
    copy.click()
    expect(copy).to_have_text(copy.get_attribute("data-copied") or "")
    assert f"№ {number}" in context.request.get(address).text()
    panel.locator('[hx-post$="/revoke"]').first.click()
    expect(panel.locator("#feed-address")).to_have_count(0)
    assert context.request.get(address).status == 410


def test_the_file_of_a_booking_is_saved_and_the_frame_stays(visitor: Visitor, site: Site) -> None:
    booking = booked(site, site.resource())
    visitor.menu()
    visitor.frame.locator("body").evaluate(
        "(_, url) => htmx.ajax('GET', url, {target: '#panel-body'})", f"/app/bookings/{booking.id}"
    )
    panel = visitor.frame.locator("#booking")
    panel.locator('[popovertarget="booking-menu"]').first.click()
    with visitor.page.expect_download() as saved:
        panel.locator('#booking-menu [hx-get$="/ics"]').click()
    assert saved.value.suggested_filename == f"{booking.number}.ics"
    expect(panel).to_have_attribute("data-number", str(booking.number))
