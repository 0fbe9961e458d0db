"""A specialist's own calendar beside the board that a person has open."""

from __future__ import annotations

from datetime import timedelta

from playwright.sync_api import expect

from emulator import people_calendar
from tests.browser.conftest import Site, Visitor
from tests.browser.test_board import DAYTIME, tomorrow

ADMIN = 1


def test_other_business_appears_on_an_open_board_by_itself(visitor: Visitor, site: Site) -> None:
    person = site.resource(kind="specialist", name="Анна Седова", hours=DAYTIME, portal_user_id=ADMIN)
    noon = tomorrow() + timedelta(hours=12)
    people_calendar.add_event(site.portal, ADMIN, "Врач", noon, noon + timedelta(hours=1), private=True)
    visitor.menu().tomorrow()
    taken = visitor.frame.locator(f"#r{person.id} .b.busy")
    expect(taken).to_have_text("Занят в календаре")
    expect(visitor.frame.locator("#board footer")).to_contain_text("Занят в календаре")
    expect(visitor.frame.locator("#board")).not_to_contain_text("Врач")
