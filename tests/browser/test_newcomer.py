"""Somebody who has never seen the application: from its installation to the first booking, counted in clicks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from b24app.ledger import queries
from b24app.ledger.access import Viewer
from b24app.ledger.session import transaction
from tests.browser.conftest import Site, Visitor, standing
from tests.browser.test_pages import findings
from tests.stand import ADMIN, MANAGER

MOST_CLICKS = 25


class Newcomer(Visitor):
    """Counts what he has to click."""

    clicks = 0

    def click(self, what: Locator) -> None:
        what.click()
        self.clicks += 1


@pytest.fixture(scope="module")
def fresh(database_server: str, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A portal in which the application's card was just saved."""
    with standing(
        database_server, database_template, tmp_path_factory.mktemp("newcomer"), installed=False
    ) as made:  # fmt: skip
        yield made


@pytest.fixture
def person(fresh: Site, context: BrowserContext) -> Iterator[Newcomer]:
    """An administrator who opens the application for the first time; any error of our scripts fails the test."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    made = Newcomer(fresh, page)
    made.become(ADMIN)
    yield made
    page.close()
    assert errors == []


def install(person: Newcomer) -> None:
    """Through the installer, where nobody has been yet, to the place where nothing can be booked."""
    frame, (card,) = person.frame, person.site.portal.apps.values()
    person.page.goto(f"{person.site.portal_url}/marketplace/app/{card.id}/")
    person.clicks += 1  # "Install" in the portal's list of applications
    expect(frame.locator("#ask, .app").first).to_be_visible()
    if frame.locator("#ask").count():
        person.click(frame.locator("#ask [type=submit]"))
        expect(frame.locator("#finish")).to_be_enabled(timeout=60_000)
        person.click(frame.locator("#finish"))
    expect(frame.locator("#board, #begin-guide").first).to_be_visible()
    person._loaded()


def book_from_deal(person: Newcomer, deal_id: int) -> int:
    """At the nearest free time that is offered; returns the booking's number."""
    frame, page = person.frame, person.page
    page.goto(f"{person.site.portal_url}/crm/deal/details/{deal_id}/")
    tab = page.get_by_role("tab", name="Бронирование").or_(page.locator("button", has_text="Бронирование"))
    person.click(tab.first)
    frame.locator("#tab").wait_for()
    person._loaded()
    person.click(frame.locator("#times .slot").first)
    form = frame.locator("#booking-form")
    person.click(form.locator("#booking-foot .btn.pri"))
    frame.locator("#booking").wait_for()
    expect(frame.locator("#sync:not([hx-get])")).to_be_visible()  # nothing is being written any more
    return int(frame.locator("#booking").get_attribute("data-number") or 0)


def test_from_installation_to_the_first_booking_of_a_deal(person: Newcomer) -> None:
    install(person)
    frame = person.frame
    person.click(frame.locator("#begin-guide"))
    expect(frame.locator("#guide-title")).to_be_visible()
    assert findings(person) == []
    person.click(frame.locator("#guide-defaults"))
    expect(frame.locator("#guide-end .made li")).to_have_count(4)  # two rooms, their rules, the CRM
    assert findings(person) == []
    person.click(frame.locator("#guide-make"))
    expect(frame.locator("#guide-undo")).to_be_visible()
    number = book_from_deal(person, 1)
    assert person.clicks <= MOST_CLICKS
    assert on_board(person, number)
    assert any(str(number) in str(event.get("name")) for event in drawn_events(person)), "it stands in the calendar"
    assert not items(person), "and in no funnel: rooms of the company need none"


def test_rentals_and_specialists_get_a_funnel_and_calendars(person: Newcomer) -> None:
    install(person)
    frame = person.frame
    if frame.locator("#begin-guide").count():
        person.click(frame.locator("#begin-guide"))
    else:
        person.click(frame.locator('.top a[href="#resources"]'))
        person.click(frame.locator('.tabs a[href="#guide"]'))
        person.click(frame.locator(".qs button").first)
    person.click(frame.locator("[name=what][value=rentals]"))
    frame.locator("#f-rentals_names").fill("Большой зал")
    person.click(frame.locator("[name=what][value=appointments]"))
    frame.locator("#f-appointments_people").wait_for()
    person.click(frame.locator(".qs button").nth(3))
    person.click(frame.locator("[name=winner][value=payment]"))
    person.click(frame.locator("#guide-next"))
    frame.locator("#f-rentals_price").fill("2400")
    person.click(frame.locator("#guide-defaults"))
    person.click(frame.locator("#guide-make"))
    expect(frame.locator("#guide-undo")).to_be_visible()
    number = book_from_deal(person, 2)
    assert person.clicks <= MOST_CLICKS
    with transaction(person.site.engine) as tx:
        (row,) = queries.bookings_of_deal(tx, person.site.tenant(tx).id, Viewer(MANAGER, is_admin=True), 2)
    assert (row.booking.number, row.booking.competes) == (number, True)
    expect(frame.locator("#sync-title")).to_have_text("В портале")
    assert [one["title"] for one in items(person) if str(number) in one["title"]], "its card is in the funnel"


def on_board(person: Newcomer, number: int) -> bool:
    """Whether a manager finds it there; the first free time may be on another day."""
    person.become(MANAGER).menu()
    block = person.frame.locator(f'#board a[href="#{number}"]')
    for _ in range(7):
        if block.count():
            return True
        person.tomorrow()
    return False


def drawn_events(person: Newcomer) -> list[Any]:
    return list(person.site.portal.events.values())


def items(person: Newcomer) -> list[Any]:
    """The cards of bookings."""
    portal = person.site.portal
    of = next(one["entityTypeId"] for one in portal.types.values() if "ронир" in one["title"])
    return list(portal.items.get(of, {}).values())
