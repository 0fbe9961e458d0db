"""Every view of the board and every page beside it, to be looked at one after another."""

from __future__ import annotations

from urllib.parse import parse_qsl

from playwright.sync_api import expect

from b24app.ledger.models import Resource
from tests.browser.conftest import Site, Visitor
from tests.browser.test_board import DAYTIME, MOSCOW, book, rules, tomorrow

SETTINGS = (
    "resources", "services", "tariffs", "policies", "closures", "access", "portal", "changes", "configuration",
    "in_step", "health_page",
)  # fmt: skip


def stand(site: Site) -> Resource:
    """A resource whose tomorrow has something of most kinds, among others; long names."""
    held = rules(site, hold_minutes=600)
    asked = rules(site, winner="manager")
    room = site.resource(name="Переговорная «Северная Двина» с видеосвязью", hours=DAYTIME, capacity=8, buffer_after=30)
    book(site, room, 9, 1.5, title="Планирование квартала с приглашёнными")
    book(site, room, 13, 0.5, title="Созвон")
    book(site, site.resource(hours=DAYTIME, policy_id=held), 10, 1, title="ООО «Вектор»")
    contested = site.resource(kind="hall", hours=DAYTIME, policy_id=asked)
    for start in (11, 11.5):
        book(site, contested, start, 2, title="Лисицын К.")
    book(site, site.resource(kind="equipment", units=5, hours=DAYTIME), 12, 2, title="Тренинг")
    return room


def addresses(room: Resource) -> dict[str, str]:
    """What asks for each view, of a day on which something stands."""
    day = tomorrow().astimezone(MOSCOW).date()
    return {
        "day": f"view=day&day={day}",
        "week": f"view=week&resource={room.id}&day={day}",
        "week of all": f"view=week&day={day}",
        "month": f"view=month&day={day}",
        "month of one": f"view=month&resource={room.id}&day={day}",
        "list": f"view=list&day={day}",
        "mine": f"view=mine&day={day}",
    }


def look(visitor: Visitor, query: str) -> None:
    """Shows that view."""
    board = visitor.frame.locator("#board")
    board.evaluate("(_, url) => htmx.ajax('GET', url, {target: '#board', swap: 'outerMorph'})", f"/app/board?{query}")
    for name in ("view", "day"):
        expect(board).to_have_attribute(f"data-{name}", dict(parse_qsl(query))[name])
