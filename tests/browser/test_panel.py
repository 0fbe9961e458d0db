"""The panel of a booking in a real browser: deciding, taking money, cancelling and taking that back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from playwright.sync_api import Locator, expect

from b24app.ledger.models import Booking, Service
from b24app.ledger.session import transaction
from b24app.scheduling.interval import Interval
from b24app.scheduling.pricing import Tariff
from tests import factories
from tests.browser.conftest import Site, Visitor
from tests.factories import ADMIN as ADMIN_VIEWER
from tests.stand import ADMIN

LADDER = {"cancel_ladder": [{"hours": 72, "percent": 50}]}


def service(site: Site, **rules: object) -> Service:
    """An hour for 2,400, half of it in advance, on a room of its own."""
    room = site.resource()
    with transaction(site.engine) as tx:
        tariff = Tariff(f"{room.name} по часам", "hour", Decimal(2400), deposit_percent=50)
        return factories.make_service(tx, site.tenant(tx), (room, 1), rules=rules, tariff=tariff, name="Съёмка")


def booked(site: Site, what: Service, deal_id: int) -> Booking:
    """Tomorrow at ten."""
    now = datetime.now(UTC)
    start = now.replace(hour=7, minute=0, second=0, microsecond=0) + timedelta(days=1)
    during = Interval(start, start + timedelta(hours=1))
    with transaction(site.engine) as tx:
        return factories.book_service(
            tx, site.tenant(tx), what, now=now, viewer=ADMIN_VIEWER, interval=during, deal_id=deal_id
        )  # fmt: skip


def opened(visitor: Visitor, booking: Booking) -> Locator:
    """The panel, from the tab of the deal."""
    assert booking.deal_id is not None
    visitor.become(ADMIN).deal(booking.deal_id)
    visitor.frame.locator("#tab .nextb button.link").click()
    panel = visitor.frame.locator("#booking")
    expect(panel).to_have_attribute("data-number", str(booking.number))
    return panel


def test_a_request_is_confirmed_and_paid(visitor: Visitor, site: Site) -> None:
    what = service(site, winner="manager")
    won, lost = booked(site, what, 3), booked(site, what, 3)
    panel = opened(visitor, won)
    expect(panel.locator(".st.big")).to_have_text("Заявка")
    panel.locator(".pfoot").get_by_role("button", name="Подтвердить").click()
    expect(panel.locator(".st.big")).to_have_text("Подтверждено")
    expect(panel).to_contain_text(f"№ {lost.number}")
    panel.locator(".pfoot").get_by_role("button", name="Принять 2 400 ₽…").click()
    amount = panel.locator("#f-payment-amount")
    expect(amount).to_be_focused()
    expect(panel.locator(".pfoot")).to_be_hidden()
    expect(panel.get_by_role("button", name="Принять 2 400 ₽", exact=True)).to_be_visible()
    amount.fill("x")
    panel.get_by_role("button", name="Принять", exact=True).click()
    expect(panel.locator("#e-payment-amount")).to_be_visible()
    panel.locator("#f-payment-amount").fill("1 200")
    panel.get_by_role("button", name="Принять", exact=True).click()
    expect(panel.locator(".pay")).to_have_text("Оплачено частично")
    panel.locator(".pfoot").get_by_role("button", name="Принять 1 200 ₽…").click()
    panel.get_by_role("button", name="Принять 1 200 ₽", exact=True).click()
    expect(panel.locator(".st.big")).to_have_text("Оплачено")


def test_the_fee_stands_before_the_red_button_and_cancelling_is_undone(visitor: Visitor, site: Site) -> None:
    panel = opened(visitor, booked(site, service(site, **LADDER), 4))
    panel.locator(".pfoot").get_by_role("button", name="Отменить бронь…").click()
    question = panel.locator("#cancel")
    expect(question.locator(".ladder .now")).to_contain_text("50 %: 1 200 ₽")
    question.get_by_role("button", name="Не отменять").click()
    expect(question).to_be_hidden()
    panel.locator(".pfoot").get_by_role("button", name="Отменить бронь…").click()
    question.locator("#f-cancel-reason").fill("Клиент заболел")
    question.get_by_role("button", name="Отменить и удержать 1 200 ₽").click()
    expect(panel.locator(".st.big")).to_have_text("Отменено")
    expect(panel).to_contain_text("Клиент заболел")
    panel.locator(".note.ok button").click()
    expect(panel.locator(".st.big")).to_have_text("Подтверждено")


def test_a_new_booking_takes_four_clicks_and_is_taken_back_after_the_panel_is_closed(
    visitor: Visitor, site: Site
) -> None:
    """From the card of a deal: Book, which service, and the button; client and deal are the card's own."""
    what = service(site)
    visitor.become(ADMIN).deal(1)
    visitor.frame.locator("body").get_by_role("button", name="Забронировать").first.click()
    form = visitor.frame.locator("#booking-form")
    form.locator("#f-resource").select_option(f"s{what.id}")
    expect(form.locator("#terms .tot")).to_contain_text("2 400 ₽")
    form.locator("#send-policy").click()
    panel = visitor.frame.locator("#booking")
    expect(panel.locator(".st.big")).to_have_text("Подтверждено")
    expect(panel.locator("#crm")).to_contain_text("№ 1")
    panel.locator(".phd [data-close]:visible").click()
    toast = visitor.frame.locator(".toast", has=visitor.page.locator("button"))
    expect(toast).to_be_visible()


def test_on_a_phone_the_panel_is_a_column_with_two_large_buttons_and_a_menu(visitor: Visitor, site: Site) -> None:
    booking = booked(site, service(site), 1)
    visitor.become(ADMIN).deal(1)
    load = "(body, number) => window.page.load(`/app/bookings/no/${number}`, '#panel-body')"
    visitor.frame.locator("body").evaluate(load, booking.number)
    panel = visitor.frame.locator("#booking")
    expect(panel).to_be_visible()
    visitor.frame.locator("#panel").evaluate("one => { one.style.width = '390px'; }")
    footer = panel.locator(".pfoot button:visible")
    expect(footer).to_have_count(2)
    heights = footer.evaluate_all("all => all.map((one) => one.offsetHeight)")
    assert min(heights) >= 44, heights
    width = panel.locator(".pbody").evaluate("one => [one.scrollWidth, one.clientWidth]")
    assert width[0] <= width[1], "nothing scrolls sideways"
    panel.locator(".phd [popovertarget=booking-menu]").click()
    panel.locator("#booking-menu [data-show=cancel]").click()
    expect(panel.locator("#cancel")).to_be_visible()
    expect(panel.locator("#f-cancel-reason")).to_be_focused()
