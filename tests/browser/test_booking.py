"""Deal → tab → free time → book, in the portal, as a manager does it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Error, expect

from b24app.ledger.models import Resource
from b24app.ledger.session import transaction
from b24app.scheduling.interval import Interval
from tests.browser.conftest import Site, Visitor
from tests.factories import ADMIN, make_booking

QUARTER = 15


def press(visitor: Visitor, resource: Resource, start: float, end: float | None = None) -> None:
    """Clicks a lane at `start` (hours of the day), or drags from there to `end`; then opens the form by the dialog."""
    choose(visitor, resource, start, end)
    visitor.frame.locator("#chosen [data-more]").click()


def choose(visitor: Visitor, resource: Resource, start: float, end: float | None = None) -> None:
    """The same without the form."""
    box = visitor.box(visitor.frame.locator(f"#r{resource.id} .lane"))
    board = visitor.frame.locator(".board")
    first, count = (int(board.get_attribute(f"data-{name}") or 0) for name in ("from", "span"))

    def x(hour: float) -> float:
        return box["x"] + (hour * 60 / QUARTER - first) / count * box["width"]

    mouse, y = visitor.page.mouse, box["y"] + box["height"] / 2
    mouse.move(x(start) + 2, y)
    mouse.down()
    if end is not None:
        mouse.move(x((start + end) / 2), y, steps=4)
        mouse.move(x(end) - 2, y, steps=4)
    mouse.up()


def test_a_frame_of_another_site_without_cookies(visitor: Visitor, site: Site) -> None:
    """The promise of the set-up: really cross-site, and what a browser blocks there is blocked."""
    visitor.deal()
    (frame,) = [one for one in visitor.page.frames if one.url.startswith(site.app_url)]
    assert visitor.page.url.startswith("http://localhost:")
    assert frame.evaluate("document.cookie = 'probe=1; SameSite=None; Secure'; document.cookie") == ""
    with pytest.raises(Error, match=r"SecurityError|Access is denied"):
        frame.evaluate("sessionStorage.setItem('probe', '1')")


def test_from_deal_to_item_and_event(visitor: Visitor, site: Site) -> None:
    room = site.resource(name="«Ока»")
    visitor.deal().tomorrow()
    press(visitor, room, 10, 11.5)
    form = visitor.frame.locator("#booking-form")
    expect(form.locator("#f-start")).to_have_value("10:00")
    expect(form.locator("#f-end")).to_have_value("11:30")
    deal = site.portal.items[2][1]
    expect(form).to_contain_text(deal["title"])
    form.get_by_role("button", name="Забронировать").click()
    panel = visitor.frame.locator("#booking")
    expect(panel).to_contain_text("Забронировано.")
    expect(panel.locator("#sync-title")).to_have_text("В портале")
    number = panel.get_attribute("data-number")
    assert any(one["title"].endswith(str(number)) for one in site.portal.items[_bookings(site)].values())
    assert any(str(number) in event["NAME"] for event in _events(site))
    visitor.page.keyboard.press("Escape")
    block = visitor.frame.locator(f'#r{room.id} a.b[href="#{number}"]')
    expect(block).to_have_class(re.compile(r"\bconf\b.*\bs40 n6\b"))
    expect(block).not_to_have_class(re.compile(r"\blag\b"))
    expect(visitor.frame.locator("#tab")).to_contain_text("10:00–11:30")


def _bookings(site: Site) -> int:
    return next(one["entityTypeId"] for one in site.portal.types.values() if "ронир" in one["title"])


def _events(site: Site) -> list[dict[str, str]]:
    return [{"NAME": str(event.get("name") or event.get("NAME"))} for event in site.portal.events.values()]


def test_the_card_of_a_booking_opens_in_the_portal(visitor: Visitor, site: Site) -> None:
    room = site.resource()
    visitor.deal().tomorrow()
    press(visitor, room, 9)
    visitor.frame.locator("#send-policy").click()
    link = visitor.frame.locator("#sync [data-open]").first
    link.wait_for()
    link.click()
    expect(visitor.page.locator("body")).to_contain_text("Сведения")


def test_a_click_takes_an_hour(visitor: Visitor, site: Site) -> None:
    room = site.resource()
    visitor.deal().tomorrow()
    press(visitor, room, 14.1)
    form = visitor.frame.locator("#booking-form")
    expect(form.locator("#f-start")).to_have_value("14:00")
    expect(form.locator("#f-end")).to_have_value("15:00")


def test_escape_leaves_nothing_behind(visitor: Visitor, site: Site) -> None:
    room = site.resource()
    visitor.deal().tomorrow()
    press(visitor, room, 9)
    visitor.frame.locator("#booking-form").wait_for()
    expect(visitor.frame.locator(".ghost")).to_have_count(1)
    visitor.page.keyboard.press("Escape")
    expect(visitor.frame.locator("#panel")).not_to_be_visible()
    expect(visitor.frame.locator(".ghost")).to_have_count(0)


def test_somebody_was_faster(visitor: Visitor, site: Site) -> None:
    room = site.resource()
    visitor.deal().tomorrow()
    press(visitor, room, 12, 13)
    form = visitor.frame.locator("#booking-form")
    form.locator("#f-title").fill("Моя")
    _rival(site, visitor, room)
    form.get_by_role("button", name="Забронировать").click()
    problems = form.locator("#problems")
    expect(problems).to_contain_text("Это время только что заняли")
    expect(problems).to_be_focused()
    expect(visitor.frame.locator(f"#r{room.id} a.b")).to_have_text("Соперник")
    expect(form.locator("#f-title")).to_have_value("Моя")
    choices = form.locator("[data-fill]")
    expect(choices).to_have_count(3)
    choices.first.click()
    form.get_by_role("button", name="Забронировать").click()
    expect(visitor.frame.locator("#booking")).to_contain_text("Забронировано.")
    expect(visitor.frame.locator(f"#r{room.id} a.b")).to_have_count(2)


def _rival(site: Site, visitor: Visitor, room: Resource) -> None:
    """Somebody books the very time that stands in the visitor's form."""
    midnight = datetime.fromtimestamp(int(visitor.frame.locator(".board").get_attribute("data-origin") or 0), UTC)
    noon = Interval(midnight + timedelta(hours=12), midnight + timedelta(hours=13))
    with transaction(site.engine) as tx:
        make_booking(tx, site.tenant(tx), room, now=midnight, viewer=ADMIN, interval=noon, title="Соперник")


def test_errors_stand_at_their_fields(visitor: Visitor, site: Site) -> None:
    room = site.resource()
    visitor.deal().tomorrow()
    press(visitor, room, 9)
    form = visitor.frame.locator("#booking-form")
    form.locator("#f-start").fill("полдень")
    form.locator("#f-end").fill("")
    form.get_by_role("button", name="Забронировать").click()
    expect(form.locator("#problems")).to_be_focused()
    for field, words in (("start", "Укажите время"), ("end", "Заполните это поле")):
        expect(form.locator(f"#f-{field}")).to_have_attribute("aria-invalid", "true")
        expect(form.locator(f"#e-{field}")).to_contain_text(words)
        expect(form.locator(f"#f-{field}")).to_have_attribute("aria-describedby", f"e-{field}")
    form.get_by_role("link", name="Заполните это поле").click()
    expect(form.locator("#f-end")).to_be_focused()


def test_moving_and_cancelling(visitor: Visitor, site: Site) -> None:
    room, other = site.resource(), site.resource()
    visitor.deal().tomorrow()
    press(visitor, room, 10, 11)
    visitor.frame.locator("#send-policy").click()
    panel = visitor.frame.locator("#booking")
    panel.get_by_role("button", name="Перенести").click()
    form = visitor.frame.locator("#move-form")
    form.locator("#f-resource").select_option(str(other.id))
    form.locator("#f-start").fill("15:00")
    form.locator("#f-end").fill("16:30")
    form.get_by_role("button", name="Перенести", exact=True).click()
    expect(panel).to_contain_text("Бронь перенесена")
    expect(panel).to_contain_text("10:00–11:00 → 15:00–16:30")
    expect(visitor.frame.locator(f"#r{room.id} a.b")).to_have_count(0)
    expect(visitor.frame.locator(f"#r{other.id} a.b")).to_have_class(re.compile(r"\bs60 n6\b"))
    panel.get_by_role("button", name="Отменить бронь…").click()
    panel.locator("#cancel [type=submit]").click()
    expect(panel).to_contain_text("Бронь отменена")
    expect(visitor.frame.locator(f"#r{other.id} a.b")).to_have_count(0)
