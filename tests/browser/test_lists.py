"""Lists in a real browser: the search by keyboard, decisions in the agenda, the tabs of other cards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from b24app.booking.clients import ClientData
from b24app.ledger.session import transaction
from emulator.seed import CONTACT
from tests import factories
from tests.browser.conftest import Site, Visitor
from tests.stand import ADMIN


def booked(site: Site, title: str, **values: object) -> int:
    """A booking of tomorrow in a room of its own; returns its number."""
    room, now = site.resource(), datetime.now(UTC)
    start = (now + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
    interval = factories.hour(start, 0)
    with transaction(site.engine) as tx:
        made = factories.make_booking(
            tx, site.tenant(tx), room, now=now, title=title, interval=interval, viewer=factories.ADMIN, **values
        )
        return made.number


def test_a_booking_is_found_and_opened_by_keyboard(site: Site, visitor: Visitor) -> None:
    number = booked(site, "Съёмка самоваров")
    frame = visitor.menu().frame
    field = frame.locator("#search-input")
    field.press_sequentially("самовар")
    option = frame.locator(f"#found-{number}")
    expect(option).to_be_visible()
    field.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", f"found-{number}")
    field.press("Escape")
    expect(option).to_be_hidden()
    expect(field).to_be_focused()
    field.press("ArrowDown")
    field.press("Enter")
    expect(frame.locator(f'#booking[data-number="{number}"]')).to_be_visible()


def test_the_agenda_leads_to_the_cancelling_of_a_pre_booking(site: Site, visitor: Visitor) -> None:
    number = booked(site, "Предбронь для списка", intent="hold")
    visitor.become(ADMIN).menu()
    frame = visitor.frame
    frame.locator("#view-list").click()
    frame.locator('#board[data-view="list"]').wait_for()
    visitor.tomorrow()
    line = frame.locator(f"#l{number}")
    line.locator('[data-part="cancel"]').click()
    expect(frame.locator("#cancel")).to_be_visible()
    frame.locator("#cancel [type=submit]").click()
    expect(frame.locator("#booking .st.big")).to_contain_text("Отменено")


def test_a_lead_has_a_tab_that_books_for_its_contact(site: Site, visitor: Visitor) -> None:
    name = site.portal.items[CONTACT][1]["name"]
    booked(site, "Бронь контакта лида", client=ClientData("contact", name, crm_id=1))
    open_tab(visitor.page, f"{site.portal_url}/crm/lead/details/1/", "Бронирование")
    frame = visitor.frame
    expect(frame.locator("#tab")).to_contain_text("Бронь контакта лида")
    frame.locator("#tab #book").click()
    expect(frame.locator("#f-contact_id")).to_have_value("1")


def test_the_card_of_a_booking_has_the_booking_in_its_tab(site: Site, visitor: Visitor) -> None:
    booked(site, "Бронь со своей карточкой")
    kind = next(one for one in site.portal.types.values() if one["title"] == "Бронирования")
    page = visitor.page
    page.goto(f"{site.portal_url}/crm/type/{kind['entityTypeId']}/list/category/0/")
    for _ in range(20):  # the worker draws it in a moment
        rows = page.locator("tr", has_text="Бронь со своей карточкой")
        if rows.count():
            break
        page.reload()
    open_tab(page, f"{site.portal_url}{rows.locator('a').first.get_attribute('href')}", "Бронь")
    expect(visitor.frame.locator("#tab .nextb")).to_contain_text("Бронь со своей карточкой")


def open_tab(page: Page, url: str, title: str) -> None:
    page.goto(url)
    page.get_by_role("tab", name=title, exact=True).click()
