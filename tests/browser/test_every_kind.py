"""Each kind of booking that the demo's company offers, made inside the portal by its people, in a real browser.

The company is the demo's own. Each test takes a day or a resource of its own and asserts what the page says, what the
ledger holds and what stands in the portal's calendar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, expect
from sqlalchemy import select

from b24app.booking.clients import ClientData
from b24app.booking.payments import MoneyData, record_payment
from b24app.booking.reserve import BookingRequest, book
from b24app.ledger import queries
from b24app.ledger.models import Allocation, Booking
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import transaction
from b24app.scheduling.interval import Interval
from demo.company import ADMINISTRATOR, Company, set_up
from tests.browser.conftest import Site, Visitor, standing
from tests.browser.test_booking import press
from tests.stand import EMPLOYEE, MANAGER

MOSCOW = ZoneInfo("Europe/Moscow")
URAL = ZoneInfo("Asia/Yekaterinburg")
NO_BREAK = re.compile("[\u00a0\u202f]")


@pytest.fixture(scope="module")
def site(database_server: str, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A portal of this module's own: a whole company would be in the way of the other tests."""
    with standing(database_server, database_template, tmp_path_factory.mktemp("company")) as made:
        yield made


@pytest.fixture(scope="module")
def company(site: Site) -> Company:
    with transaction(site.engine) as tx:
        return set_up(tx, site.tenant(tx), datetime.now(UTC), 24 * 14)


@pytest.fixture
def desk(visitor: Visitor, site: Site, company: Company) -> Desk:
    return Desk(visitor, site, company)


@dataclass
class Desk:
    """A manager before the board, and the panel beside it."""

    visitor: Visitor
    site: Site
    company: Company

    @property
    def form(self) -> Locator:
        return self.visitor.frame.locator("#booking-form")

    @property
    def terms(self) -> Locator:
        """What a form tells before anything is decided."""
        return self.visitor.frame.locator("#terms")

    @property
    def panel(self) -> Locator:
        """Of a booking."""
        return self.visitor.frame.locator("#booking")

    @property
    def number(self) -> int:
        """The number of the booking in the panel."""
        return int(self.panel.get_attribute("data-number") or 0)

    def lane(self, name: str) -> Locator:
        return self.visitor.frame.locator(f"#r{self.company.resources[name].id}")

    def ask(self, name: str, day: date, start: float, end: float | None = None, *, service: str = "") -> None:
        """Opens the form from the board: a press on the lane, after choosing a service perhaps."""
        self.visitor.menu()
        if service:
            self.visitor.only_for(service)
            expect(self.visitor.frame.locator("#board")).to_have_attribute("data-new", re.compile("service="))
        self.visitor.on(day)
        press(self.visitor, self.company.resources[name], start, end)
        self.form.wait_for()

    def type(self, **values: str) -> None:
        """Fills fields of the form that is open and leaves the last of them."""
        for name, value in values.items():
            field = self.visitor.frame.locator(f"#panel-body #f-{name}")
            field.fill(value)
            field.press("Tab")

    def send(self, intent: str = "policy") -> int:
        """Sends the form; the number of the booking that came of it."""
        self.form.locator(f"#send-{intent}").click()
        self.panel.locator(".hist").wait_for()  # the word of it comes first, the panel after it
        return self.number

    def show(self, name: str, day: date, number: int) -> None:
        """Opens a booking by its block on the board."""
        self.visitor.menu().on(day)
        self.lane(name).locator(f'a.b[href="#{number}"]').click()
        self.panel.wait_for()

    def act(self, path: str) -> None:
        """Presses a button of the panel that acts at once."""
        self.panel.locator(f'footer button[hx-post$="/{path}"], .note button[hx-post$="/{path}"]').click()

    def begin(self, part: str) -> Locator:
        """Opens one of the panel's forms."""
        self.panel.locator(f'footer button[data-show="{part}"]').click()
        return self.panel.locator(f"form#{part}")

    def in_portal(self) -> list[dict[str, Any]]:
        """The events of the panel's booking, once the portal has everything."""
        expect(self.panel.locator("#sync-title")).to_have_text("В портале")
        mark = f"booking:{self.number}:"
        return [one for one in self.site.portal.events.values() if mark in one["description"]]

    # The ledger

    def booking(self, number: int) -> Booking:
        with transaction(self.site.engine) as tx:
            return tx.scalars(select(Booking).filter_by(number=number)).one()

    def stage(self, number: int) -> tuple[str, bool, str]:
        """How a booking stands: its stage, whether it competes, what of it is paid."""
        found = self.booking(number)
        return found.stage, found.competes, found.payment

    def price(self, number: int) -> Decimal:
        with transaction(self.site.engine) as tx:
            return queries.money(tx, self.site.tenant(tx).id, self.booking(number).id).price

    def held(self, number: int) -> list[tuple[int, Interval]]:
        """What a booking occupies: as which resource, and when, buffers included."""
        with transaction(self.site.engine) as tx:
            rows = tx.scalars(
                select(Allocation)
                .join(Booking, Booking.id == Allocation.booking_id)
                .where(Booking.number == number, Allocation.released_at.is_(None))
                .order_by(Allocation.id)
            )
            return [(one.resource_id, as_interval(one.during)) for one in rows]

    def id_of(self, *names: str) -> list[int]:
        return [self.company.resources[name].id for name in names]

    def booked(self, name: str, interval: Interval, client: str = "", *, paid: str = "") -> int:
        """A booking that somebody has made elsewhere; its number."""
        wish = BookingRequest(
            interval, resource_id=self.company.resources[name].id, title="" if client else "Из другого окна",
            client=ClientData("person", client) if client else None, responsible_id=MANAGER,
        )  # fmt: skip
        with transaction(self.site.engine) as tx:
            portal, now = self.site.tenant(tx), datetime.now(UTC)
            made = book(tx, portal, replace(wish), viewer=ADMINISTRATOR, now=now)
            if paid:
                data = MoneyData("payment", Decimal(paid), "cash", now.date())
                record_payment(tx, portal, made.id, data, viewer=ADMINISTRATOR, now=now)
            return made.number


def ahead(days: int) -> date:
    """So many days from today, where the company is."""
    return datetime.now(MOSCOW).date() + timedelta(days=days)


def working(days: int) -> date:
    """The first day from then on that is none of a weekend: up to two days later, so tests that want the same thing
    keep three days between them."""
    day = ahead(days)
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


def between(day: date, start: str, end: str, zone: ZoneInfo = MOSCOW) -> Interval:
    first, last = (datetime.combine(day, time.fromisoformat(at), zone).astimezone(UTC) for at in (start, end))
    return Interval(first, last)


def says(locator: Locator, words: str) -> None:
    """Whatever kind of space is between the words."""
    expect(locator).to_contain_text(re.compile(re.escape(words).replace(r"\ ", r"\s")))


# What is booked


def test_a_grid_of_slots(desk: Desk) -> None:
    day = ahead(3)
    desk.ask("Большой зал", day, 11, 13)
    desk.type(start="11:30")
    expect(desk.terms.locator(".whynot")).to_be_visible()
    desk.type(start="11:00", client_name="Лекторий «Среда»")
    says(desk.terms, "11:00–13:00")
    expect(desk.terms.locator(".whynot")).to_have_count(0)
    number = desk.send("confirm")
    expect(desk.panel.locator("header .st")).to_have_text("Подтверждено")
    assert desk.stage(number) == ("confirmed", False, "due")
    held = desk.held(number)
    assert held == [(desk.id_of("Большой зал")[0], between(day, "11:00", "13:30"))], "with the buffer after it"
    (event,) = desk.in_portal()
    assert event["start"] == between(day, "11:00", "13:00").start.timestamp()
    desk.visitor.page.keyboard.press("Escape")
    expect(desk.lane("Большой зал").locator(f'a.b.conf[href="#{number}"]')).to_have_class(re.compile(r"\bs44 n8\b"))
    expect(desk.lane("Большой зал").locator(".buf")).to_have_count(1)


def test_any_length_within_bounds(desk: Desk) -> None:
    day = ahead(3)
    desk.ask("Микроавтобус", day, 10)
    desk.type(start="10:10", end="10:25")
    expect(desk.terms.locator(".whynot")).to_be_visible()
    desk.type(end="11:55", title="За декорациями")
    says(desk.terms, "10:10–11:55")
    expect(desk.terms.locator(".whynot")).to_have_count(0)
    number = desk.send()
    assert desk.held(number) == [(desk.id_of("Микроавтобус")[0], between(day, "10:10", "11:55"))]
    assert len(desk.in_portal()) == 1


def test_a_service_that_always_lasts_the_same(desk: Desk) -> None:
    day = working(3)
    desk.ask("Ирина Вольская, фотограф", day, 10, service="Консультация")
    expect(desk.form.locator("#f-end")).to_have_count(0)
    expect(desk.form.locator("#choice .chipro")).to_have_text(re.compile(r"1\sч"))
    desk.form.locator(".slot", has_text="16:30").click()
    says(desk.terms, "16:30–17:30")
    number = desk.send()
    assert desk.held(number) == [(desk.id_of("Ирина Вольская, фотограф")[0], between(day, "16:30", "17:30"))]
    assert len(desk.in_portal()) == 1


def test_two_of_five_equal_places(desk: Desk) -> None:
    day, places = ahead(3), desk.visitor.frame.locator("#places")
    desk.ask("Проекторы", day, 10, 12)
    numbers = [desk.send()]
    desk.visitor.page.keyboard.press("Escape")
    desk.lane("Проекторы").locator("a.b", has_text="1 из 5").click()
    places.locator("footer .btn.pri").click()
    says(desk.terms, "10:00–12:00")
    numbers.append(desk.send())
    assert [desk.held(one) for one in numbers] == [[(desk.id_of("Проекторы")[0], between(day, "10:00", "12:00"))]] * 2
    with transaction(desk.site.engine) as tx:
        ids = [desk.booking(one).id for one in numbers]
        units = tx.scalars(select(Allocation.unit_id).where(Allocation.booking_id.in_(ids))).all()
    assert len(set(units)) == 2, "each has a place of its own"
    desk.visitor.page.keyboard.press("Escape")
    desk.lane("Проекторы").locator("a.b", has_text="2 из 5").click()
    expect(places.locator("tbody tr")).to_have_count(2)


def test_both_halls_as_one_and_neither_alone(desk: Desk) -> None:
    day = ahead(4)
    desk.ask("Оба зала", day, 18, 21)
    desk.type(party="110", title="Юбилей")
    number = desk.send()
    both = desk.id_of("Оба зала")[0]
    assert desk.held(number) == [(both, between(day, "18:00", "21:30"))] * 2, "the units of both parts"
    assert len(desk.in_portal()) == 1
    desk.visitor.page.keyboard.press("Escape")
    for part in ("Большой зал", "Малый зал"):
        expect(desk.lane(part).locator(".b.part")).to_have_count(1)
    press(desk.visitor, desk.company.resources["Малый зал"], 11, 12)
    desk.form.wait_for()
    desk.type(start="19:00", end="20:00", title="Репетиция")
    says(desk.terms, "Занято 18:00–21:30")
    desk.form.locator("#send-policy").click()
    expect(desk.form.locator("#problems")).to_be_focused()
    with transaction(desk.site.engine) as tx:
        titles = tx.scalars(select(Booking.title).where(Booking.number >= number)).all()
    assert titles == ["Юбилей"], "a part of it is not booked"


def test_a_specialist_a_room_and_equipment(desk: Desk) -> None:
    day = working(4)
    desk.ask("Анна Седова, фотограф", day, 11, service="Портретная съёмка")
    says(desk.terms, "11:00–12:30")
    for name in ("Анна Седова, фотограф", "Фотостудия «Свет»", "Комплект света"):
        expect(desk.terms.locator(".sumlist")).to_contain_text(name)
    says(desk.terms.locator(".tot"), "6 500 ₽")
    desk.type(client_name="Мария Ветрова", client_phone="+7 900 000-00-01")
    number = desk.send("confirm")
    held = dict(desk.held(number))
    assert sorted(held) == sorted(desk.id_of("Анна Седова, фотограф", "Фотостудия «Свет»", "Комплект света"))
    studio, light = desk.id_of("Фотостудия «Свет»", "Комплект света")
    assert held[studio] == between(day, "10:45", "12:45"), "the longer buffer of resource and service"
    assert held[light] == between(day, "11:00", "12:45")
    events = desk.in_portal()
    own = {one["owner"]: one["accessibility"] for one in events if one["type"] == "user"}
    assert len(events) == 2, "one in her own calendar, one for the things"
    assert own == {MANAGER: "busy"}


# Who gets it


def test_the_first_holds_it_until_somebody_confirms(desk: Desk) -> None:
    day = ahead(5)
    desk.ask("Малый зал", day, 12, 14)
    desk.type(client_name="Театр «Круг»")
    expect(desk.terms.locator(".st.hold")).to_be_visible()
    number = desk.send()
    expect(desk.panel.locator("header .st")).to_have_text("Предбронь")
    expect(desk.panel).not_to_contain_text("Забронировано")
    assert desk.stage(number) == ("prebooked", False, "due")
    until = desk.booking(number).held_until
    assert until is not None
    assert timedelta(hours=23) < until - datetime.now(UTC) <= timedelta(hours=24)
    (event,) = desk.in_portal()
    assert event["name"].startswith("Предбронь")
    desk.visitor.page.keyboard.press("Escape")
    block = desk.lane("Малый зал").locator(f'a.b.hold[href="#{number}"]')
    expect(block).to_have_accessible_name(re.compile("Предбронь, до .*Театр «Круг»"))
    block.click()
    desk.act("confirm")
    expect(desk.panel.locator("header .st")).to_have_text("Подтверждено")
    assert desk.stage(number) == ("confirmed", False, "due")
    assert desk.held(number) == [(desk.id_of("Малый зал")[0], between(day, "12:00", "14:30"))]
    (event,) = desk.in_portal()
    assert not event["name"].startswith("Предбронь")


def test_whoever_pays_first_gets_it(desk: Desk) -> None:
    day, name = ahead(7), "Фотостудия «Свет»"
    first = desk.booked(name, between(day, "10:00", "12:00"), "Клиент Первый")
    desk.ask(name, day, 9)
    desk.type(start="10:00", end="12:00", client_name="Клиент Второй")
    says(desk.terms, "3 600 ₽")
    expect(desk.terms.locator(".st.req")).to_be_visible()
    second = desk.send()
    assert [desk.stage(one) for one in (first, second)] == [("prebooked", True, "due")] * 2
    assert desk.held(first) == desk.held(second) == [], "requests hold nothing"
    expect(desk.panel.locator(".rivals")).to_contain_text("Клиент Первый")
    assert desk.in_portal() == []
    payment = desk.begin("payment")
    expect(payment.locator("#f-payment-amount")).to_have_value("3600")
    payment.locator("[type=submit]").click()
    expect(desk.panel.locator("header .st")).to_have_text("Оплачено")
    expect(desk.panel.locator(".rivals")).to_contain_text("Клиент Первый")
    assert desk.stage(first) == ("cancelled", False, "none")
    assert desk.booking(first).reason == "lost"
    assert desk.stage(second) == ("confirmed", False, "paid")
    assert desk.held(second) == [(desk.id_of(name)[0], between(day, "09:45", "12:15"))]
    assert len(desk.in_portal()) == 1


def test_the_manager_chooses(desk: Desk) -> None:
    day, name = ahead(5), "Зал «Мастерская»"
    hours = between(day, "15:00", "17:00", URAL)
    first, second = (desk.booked(name, hours, client) for client in ("Клиент Первый", "Клиент Второй"))
    desk.visitor.menu().on(day)
    block = desk.lane(name).locator("a.b.req")
    expect(block).to_contain_text("2")
    block.click()
    desk.panel.wait_for()
    assert desk.number in (first, second)
    rivals = desk.panel.locator(".rivals")
    chosen, loser = (second, first) if desk.number == first else (first, second)
    rivals.get_by_role("button", name=re.compile(f"{chosen}$")).click()
    desk.visitor.frame.locator(f'#booking[data-number="{chosen}"]').wait_for()
    desk.act("confirm")
    expect(desk.panel.locator("header .st")).to_have_text("Подтверждено")
    assert desk.stage(chosen) == ("confirmed", False, "due")
    assert (desk.stage(loser)[0], desk.booking(loser).reason) == ("cancelled", "lost")
    assert desk.held(chosen) == [(desk.id_of(name)[0], hours)]
    assert len(desk.in_portal()) == 1


def test_who_may_only_ask_waits_for_somebody_who_may_approve(desk: Desk) -> None:
    day = ahead(6)
    desk.visitor.become(EMPLOYEE)
    desk.ask("Микроавтобус", day, 9, 10)
    desk.type(title="За реквизитом")
    expect(desk.form.locator("#send-confirm")).to_have_count(0)
    number = desk.send()
    expect(desk.panel.locator('button[hx-post$="/confirm"]')).to_have_count(0)
    assert desk.booking(number).needs_approval
    assert len(desk.held(number)) == 1, "it holds until then"
    desk.visitor.become(MANAGER)
    desk.show("Микроавтобус", day, number)
    desk.act("confirm")
    expect(desk.panel.locator("header .st")).to_have_text("Подтверждено")
    assert desk.stage(number) == ("confirmed", False, "none")
    assert len(desk.in_portal()) == 1


# What it costs, and what changes


def test_the_price_is_that_of_the_form(desk: Desk) -> None:
    day = working(6)
    desk.ask("Малый зал", day, 17, 19)
    says(desk.terms.locator(".tot"), "5 600 ₽")
    desk.type(**{"extras-cleaning": "1", "client_name": "Хор «Заря»"})
    says(desk.terms.locator(".tot"), "7 100 ₽")
    lines = [NO_BREAK.sub(" ", one) for one in desk.terms.locator(".lines tr td.r").all_inner_texts()]
    assert lines == ["2 400 ₽", "3 200 ₽", "1 500 ₽", "7 100 ₽", "3 550 ₽"]
    number = desk.send("confirm")
    says(desk.panel.locator(".money-c .tot"), "7 100 ₽")
    assert desk.price(number) == Decimal(7100)
    assert desk.booking(number).terms["deposit"] == "3550.00"


def test_a_series_on_its_free_dates(desk: Desk) -> None:
    day, name = ahead(7), "Звуковой комплект"
    desk.booked(name, between(day + timedelta(days=7), "13:00", "15:00", URAL))
    desk.visitor.menu()
    desk.ask(name, day, 10)
    desk.type(start="14:00", end="15:00", title="Репетиция ансамбля")
    desk.form.locator("details.more summary", has_text="Повторять").click()
    repeat = desk.form.locator("#repeat")
    repeat.locator("#f-freq").select_option("weekly")
    repeat.locator("#f-count").fill("4")
    repeat.locator("#f-count").press("Tab")
    dates = repeat.locator("#dates li")
    expect(dates).to_have_count(4)
    expect(dates.nth(1)).to_have_class("taken")
    expect(dates.nth(1).locator("input")).to_be_disabled()
    says(repeat.locator("#dates"), "3 из 4")
    desk.form.locator("#send-policy").click()
    made = desk.visitor.frame.locator("#booked-series li")
    expect(made).to_have_count(3)
    weeks = [day + timedelta(days=7 * n) for n in (0, 2, 3)]
    with transaction(desk.site.engine) as tx:
        rows = tx.scalars(select(Booking).filter_by(title="Репетиция ансамбля").order_by(Booking.number)).all()
    assert [as_interval(one.during) for one in rows] == [between(one, "14:00", "15:00", URAL) for one in weeks]
    assert len({one.series_id for one in rows}) == 1
    made.last.get_by_role("button").click()
    desk.panel.wait_for()
    assert len(desk.in_portal()) == 1


def test_a_move_tells_the_difference_and_can_be_taken_back(desk: Desk) -> None:
    day = working(9)
    number = desk.booked("Малый зал", between(day, "12:00", "13:00"), "Студия танца", paid="2400")
    desk.show("Малый зал", day, number)
    desk.panel.locator('footer button[hx-get$="/move"]').click()
    form = desk.visitor.frame.locator("#move-form")
    form.wait_for()
    desk.type(start="18:00", end="19:00")
    says(desk.terms, "+800 ₽")
    says(desk.terms.locator(".tot"), "3 200 ₽")
    form.locator("[type=submit]").click()
    says(desk.panel, "12:00–13:00 → 18:00–19:00")
    assert desk.price(number) == Decimal(3200)
    assert desk.stage(number) == ("confirmed", False, "partly")
    assert desk.held(number) == [(desk.id_of("Малый зал")[0], between(day, "18:00", "19:30"))]
    (event,) = desk.in_portal()
    assert event["start"] == between(day, "18:00", "19:00").start.timestamp()
    desk.act("undo")
    expect(desk.panel.locator("header .st")).to_have_text("Оплачено")
    assert desk.price(number) == Decimal(2400)
    assert desk.held(number) == [(desk.id_of("Малый зал")[0], between(day, "12:00", "13:30"))]
    (event,) = desk.in_portal()
    assert event["start"] == between(day, "12:00", "13:00").start.timestamp()


def test_a_cancellation_tells_its_fee_and_can_be_taken_back(desk: Desk) -> None:
    day, name = ahead(1), "Фотостудия «Свет»"
    number = desk.booked(name, between(day, "15:00", "17:00"), "Агентство «Линия»", paid="3600")
    desk.show(name, day, number)
    cancel = desk.begin("cancel")
    says(cancel, "1 800 ₽")
    cancel.locator("[type=submit]").click()
    expect(desk.panel.locator("header .st")).to_have_text("Отменено")
    assert desk.stage(number) == ("cancelled", False, "refund_due")
    assert desk.price(number) == Decimal(1800)
    assert desk.held(number) == []
    assert desk.in_portal() == []
    desk.act("undo")
    expect(desk.panel.locator("header .st")).to_have_text("Оплачено")
    assert desk.stage(number) == ("confirmed", False, "paid")
    assert desk.price(number) == Decimal(3600)
    assert desk.held(number) == [(desk.id_of(name)[0], between(day, "14:45", "17:15"))]
    assert len(desk.in_portal()) == 1
