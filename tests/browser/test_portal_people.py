"""What people do in the portal's own pages, by mouse and keyboard, and what our board makes of it.

Each row of docs/behaviour.md, "What people do in the portal": cards, calendars, the bin, robots. Whoever is refused
reads why in the card and in his bell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Dialog, FrameLocator, Locator, expect

from b24app import texts
from b24app.booking.attendance import complete_booking
from b24app.booking.change import cancel_booking
from b24app.ledger.models import Booking, Policy, Resource
from b24app.ledger.portal_settings import PortalSettings
from b24app.ledger.session import transaction
from b24app.scheduling.hours import local_instant
from b24app.scheduling.interval import Interval
from b24app.scheduling.pricing import Tariff
from b24app.sync import mapping
from b24app.sync.laid import LaidCrm, LaidType
from emulator import people, people_automation
from tests import factories
from tests.browser.conftest import Site, Visitor
from tests.factories import ADMIN as ADMIN_VIEWER
from tests.stand import ADMIN, EMPLOYEE, MANAGER, SECOND_MANAGER

MOSCOW = ZoneInfo("Europe/Moscow")
DEAL = 2
TYPED = "%Y-%m-%dT%H:%M"


def say(code: str, **params: Any) -> str:
    """What people are told, whatever its words are just now."""
    return texts.say("ru", code, **params)


def about(booking: Booking) -> str:
    """How a notice begins that is of it."""
    return say("notice.booking", number=booking.number, service="", when="").split(":")[0]


class Office:
    """The pages of the portal, and our board beside them; bookings are made behind everybody's back."""

    def __init__(self, visitor: Visitor, site: Site) -> None:
        self.visitor, self.site, self.page = visitor, site, visitor.page
        self.page.set_viewport_size({"width": 2200, "height": 1100})  # the whole funnel
        with transaction(site.engine) as tx:
            self.crm = LaidCrm.from_json(site.tenant(tx).crm)
        today = datetime.now(UTC).astimezone(MOSCOW).date()
        self.day = today + timedelta(days=1)

    # Bookings ----

    def at(self, hour: float) -> datetime:
        """This hour of tomorrow, in Moscow."""
        return local_instant(self.day, round(hour * 60), MOSCOW)

    def book(self, resource: Resource, start: float, length: float = 1, **values: Any) -> Booking:
        """An administrator's, tomorrow."""
        during = Interval(self.at(start), self.at(start + length))
        return self._book(resource, during, datetime.now(UTC), **values)

    def begun(self, resource: Resource, **values: Any) -> Booking:
        """One that has begun already."""
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        during = Interval(now - timedelta(hours=1), now + timedelta(hours=2))
        return self._book(resource, during, now - timedelta(days=1), **values)

    def _book(self, resource: Resource, during: Interval, now: datetime, **values: Any) -> Booking:
        with transaction(self.site.engine) as tx:
            values.setdefault("viewer", ADMIN_VIEWER)
            return factories.make_booking(tx, self.site.tenant(tx), resource, now=now, interval=during, **values)

    def cancel(self, booking: Booking) -> None:
        with transaction(self.site.engine) as tx:
            portal, now = self.site.tenant(tx), datetime.now(UTC)
            cancel_booking(tx, portal, booking.id, revision=booking.revision, viewer=ADMIN_VIEWER, now=now)

    def settings(self, **values: Any) -> PortalSettings:
        """Changes what the company has decided; returns what it was."""
        with transaction(self.site.engine) as tx:
            portal = self.site.tenant(tx)
            was = PortalSettings.from_json(portal.settings)
            portal.settings = replace(was, **values).to_json()
        return was

    # Pages of the portal ----

    def go(self, path: str) -> None:
        self.page.goto(self.site.portal_url + path)

    @property
    def bookings(self) -> LaidType:
        return self.crm.need("bookings")

    @property
    def resources(self) -> LaidType:
        return self.crm.need("resources")

    def kanban(self) -> None:
        self.go(f"/crm/type/{self.bookings.entity_type_id}/kanban/category/{self.crm.category_id}/")

    def tile(self, title: str, stage: str = "") -> Locator:
        """The card in the kanban, at whatever stage or at this one."""
        column = (
            self.page.locator(f'[data-stage="{self.crm.stages[stage]}"]') if stage else self.page.locator(".kanban")
        )
        return column.locator("[data-item]", has_text=title)

    def expect_cards(self, *titles: str) -> None:
        """All of these are there, so that nothing comes between them any more while one is dragged."""
        for title in titles:
            expect(self.tile(title)).to_have_count(1)

    def drag(self, title: str, stage: str) -> None:
        """Drags a card of the kanban to another column.

        By the events of a drag and not by the mouse: cards move under it while the worker puts others back.
        """
        column = self.page.locator(f'[data-stage="{self.crm.stages[stage]}"]')
        carried = {"dataTransfer": self.page.evaluate_handle("new DataTransfer()")}
        with self.page.expect_response("**/crm/move/**") as moved:
            self.tile(title).dispatch_event("dragstart", carried)
            column.dispatch_event("dragover", carried)
            column.dispatch_event("drop", carried)
        assert moved.value.ok

    def item(self, title: str) -> int:
        """Its number in the portal, from the kanban."""
        return int(self.tile(title).get_attribute("data-item") or 0)

    def card(self, item_id: int, kind: LaidType | None = None) -> None:
        self.go(f"/crm/type/{(kind or self.bookings).entity_type_id}/details/{item_id}/")

    def timeline(self, item_id: int, kind: LaidType | None = None) -> Locator:
        """What the card tells of its past."""
        self.card(item_id, kind)
        self.page.get_by_role("tab", name="История").click()
        return self.page.locator("#history")

    def fill(self, item_id: int, kind: LaidType | None = None, /, **values: Any) -> None:
        """Fills in the form of a card, a new one for 0, and saves it: our keys of its fields, or the portal's names."""
        kind = kind or self.bookings
        query = f"?category={self.crm.category_id}" if kind == self.bookings else ""
        self.go(f"/crm/edit/{kind.entity_type_id}/{item_id}/{query}")
        for name, value in values.items():
            field = self.page.locator(f"#in_{kind.fields.get(name, name)}")
            if isinstance(value, datetime):
                field.fill(f"{value.astimezone(MOSCOW):{TYPED}}")
            elif field.evaluate("one => one.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(str(value))
        self.page.get_by_role("button", name="Сохранить").click()
        self.page.get_by_role("tab", name="История").wait_for()

    def press(self, label: str) -> None:
        """A button of the card."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=label, exact=True).click()

    @property
    def shown(self) -> int:
        """Number of the card that is open."""
        found = re.search(r"/details/(\d+)/", self.page.url)
        assert found
        return int(found[1])

    def bell(self, *words: str) -> Locator:
        """The notices of whoever looks that say all of this."""
        found = self.page.locator("#notice-list li")
        for one in words:
            found = found.filter(has_text=one)
        return found

    def expect_told(self, *words: str) -> None:
        """Once, and where he finds it."""
        button = self.page.get_by_role("button", name="Уведомления")
        button.click()
        expect(self.bell(*words)).to_have_count(1)
        expect(self.bell(*words)).to_be_visible()
        button.click()

    def calendar(self, user_id: int) -> None:
        self.go(f"/company/personal/user/{user_id}/calendar/?date={self.day}")

    def event(self, booking: Booking) -> Locator:
        return self.page.locator(".week-day .event", has_text=f"№ {booking.number}")

    def drag_event(self, booking: Booking, hours: float) -> None:
        """Drags an event of the week that is shown so many hours down."""
        box = self.visitor.box(self.event(booking))
        day = self.page.locator(f'.week-day[data-day="{self.day}"]').bounding_box()
        assert day
        mouse, x, y = self.page.mouse, box["x"] + 15, box["y"] + 8
        mouse.move(x, y)
        mouse.down()
        mouse.move(x, y + day["height"] / 24 * hours, steps=4)
        with self.page.expect_response("**/_calendar/change") as moved:
            mouse.up()
        assert moved.value.ok

    def resource_item(self, resource: Resource) -> int:
        """The number of its card in the portal, once it has one."""
        self.go(f"/crm/type/{self.resources.entity_type_id}/list/category/0/")
        link = self.page.locator("#rows").get_by_role("link", name=resource.name, exact=True)
        return int((link.get_attribute("href") or "").rstrip("/").rpartition("/")[2])

    def bound(self, resource: Resource) -> str:
        """How a booking's card names it."""
        return mapping.binding(self.resources.entity_type_id, self.resource_item(resource))

    # Our board ----

    def in_step(self) -> FrameLocator:
        """Settings, "In step"."""
        self.visitor.menu()
        self.visitor.frame.locator('a[href="#resources"]').first.click()
        self.visitor.frame.locator('a[href="#in_step"]').click()
        self.visitor.frame.locator("#in_step").wait_for()
        return self.visitor.frame

    def board(self, day: Any = None) -> None:
        self.visitor.menu().on(day or self.day)

    def block(self, resource: Resource, booking: Booking) -> Locator:
        return self.visitor.frame.locator(f'#r{resource.id} a.b[href="#{booking.number}"]')

    def expect_at(
        self, resource: Resource, booking: Booking, start: float, length: float = 1, look: str = "conf"
    ) -> None:
        """The block of this look, there and nowhere else on our board."""
        expect(self.block(resource, booking)).to_have_class(
            re.compile(rf"\b{look}\b(?!.*\blag\b).*\bs{round(start * 4)} n{round(length * 4)}\b")
        )


@pytest.fixture
def office(admin: Visitor, site: Site) -> Office:
    """An administrator in the portal; he means what he presses."""
    made = Office(admin, site)
    made.page.on("dialog", _agree)
    return made


def _agree(dialog: Dialog) -> None:
    dialog.accept()


@contextmanager
def decided(office: Office, **values: Any) -> Iterator[None]:
    """While the company has decided so; what was being drawn as it was before has been drawn."""
    was = office.settings(**values)
    try:
        expect(office.in_step().locator("#in_step progress")).to_have_count(0)
        yield
    finally:
        office.settings(**{name: getattr(was, name) for name in values})


def asked_of_managers(office: Office) -> Resource:
    """A room that managers give to whom they choose."""
    with transaction(office.site.engine) as tx:
        policy = Policy(portal_id=office.site.tenant(tx).id, name="По заявкам", rules={"winner": "manager"})
        tx.add(policy)
        tx.flush()
        policy_id = policy.id
    return office.site.resource(policy_id=policy_id)


def priced(office: Office, title: str, start: float) -> tuple[Resource, Booking]:
    """An hour for 2,400, not paid yet."""
    room = office.site.resource()
    with transaction(office.site.engine) as tx:
        portal = office.site.tenant(tx)
        service = factories.make_service(tx, portal, (room, 1), tariff=Tariff(room.name, "hour", Decimal(2400)))
        during = Interval(office.at(start), office.at(start + 1))
        booking = factories.book_service(
            tx, portal, service, now=datetime.now(UTC), viewer=ADMIN_VIEWER, interval=during, title=title
        )
    return room, booking


# Cards in the kanban ----


def test_a_card_dragged_to_a_stage_does_what_the_stage_says(office: Office) -> None:
    requests, room, studio, empty = (asked_of_managers(office), *(office.site.resource() for _ in range(3)))
    asked = office.book(requests, 10, title="Спросили")
    over, nobody = office.begun(studio, title="Кончилось"), office.begun(empty, title="Никого нет")
    paying, due = priced(office, "Платят", 11)
    unwanted, back = office.book(room, 12, title="Не нужно"), office.book(room, 14, title="Передумали")
    office.cancel(back)
    office.kanban()
    expect(office.tile("Передумали", "cancelled")).to_have_count(1)
    wanted = {
        "Спросили": "confirmed", "Кончилось": "completed", "Никого нет": "no_show", "Платят": "paid",
        "Не нужно": "cancelled", "Передумали": "confirmed",
    }  # fmt: skip
    office.expect_cards(*wanted)
    for title, stage in wanted.items():
        office.drag(title, stage)
    office.board()
    office.expect_at(requests, asked, 10)
    office.expect_at(paying, due, 11, look="paid")
    office.expect_at(room, back, 14)
    expect(office.block(room, unwanted)).to_have_count(0)
    office.visitor.on(begins(over).date())
    expect(office.block(studio, over)).to_have_class(re.compile(r"\bdone\b"))
    expect(office.block(empty, nobody)).to_have_class(re.compile(r"\bnosh\b"))


def begins(booking: Booking) -> datetime:
    assert booking.during.lower
    return booking.during.lower.astimezone(MOSCOW)


def test_a_card_dragged_where_it_may_not_goes_back_and_says_why(office: Office) -> None:
    room = office.site.resource()
    early, late = office.book(room, 10, title="Рано завершать"), office.book(room, 12, title="Поздно вернулись")
    foreign = office.book(room, 16, title="Чужая бронь")
    office.cancel(late)
    faster = office.book(room, 12, title="Успели раньше")
    office.kanban()
    expect(office.tile("Поздно вернулись", "cancelled")).to_have_count(1)
    office.expect_cards("Рано завершать", "Чужая бронь", "Успели раньше")
    office.drag("Рано завершать", "completed")
    office.drag("Поздно вернулись", "confirmed")
    too_soon, taken = say("not_allowed.complete"), "Занято"
    office.expect_told(about(early), too_soon)
    office.expect_told(about(late), taken)
    expect(office.tile("Рано завершать", "confirmed")).to_have_count(1)
    expect(office.tile("Поздно вернулись", "cancelled")).to_have_count(1)
    office.visitor.become(MANAGER)
    office.kanban()
    items = {title: office.item(title) for title in ("Рано завершать", "Поздно вернулись", "Чужая бронь")}
    office.drag("Чужая бронь", "cancelled")
    office.expect_told(about(foreign), say("not_allowed.change"))
    expect(office.tile("Чужая бронь", "confirmed")).to_have_count(1)
    for title, why in (
        ("Рано завершать", too_soon), ("Поздно вернулись", taken), ("Чужая бронь", say("not_allowed.change")),
    ):  # fmt: skip
        expect(office.timeline(items[title]).get_by_text(why)).to_have_count(1)
    office.visitor.become(ADMIN)
    office.board()
    for booking, start in ((early, 10), (faster, 12), (foreign, 16)):
        office.expect_at(room, booking, start)
    expect(office.block(room, late)).to_have_count(0)


# Fields of a card ----


def test_what_is_edited_in_a_card_is_one_request(office: Office) -> None:
    room, other, busy = (office.site.resource() for _ in range(3))
    moved, kept = office.book(room, 9, title="Переезжает"), office.book(busy, 9, title="Остаётся")
    office.book(busy, 15, title="Стоит на пути")
    office.kanban()
    office.expect_cards("Переезжает", "Остаётся", "Стоит на пути")
    first, second = office.item("Переезжает"), office.item("Остаётся")
    binding = office.bound(other)
    office.fill(
        first, start_at=office.at(18), end_at=office.at(19.5), resource=[binding], title="Переехала",
        assignedById=str(SECOND_MANAGER),
    )  # fmt: skip
    office.fill(second, start_at=office.at(14.5), end_at=office.at(15.5))
    office.expect_told(about(kept), "Занято")
    expect(office.page.locator("#general").get_by_text("09:00").first).to_be_visible()
    office.page.get_by_role("tab", name="История").click()
    expect(office.page.locator("#history").get_by_text("Занято")).to_have_count(1)
    office.board()
    office.expect_at(other, moved, 18, 1.5)
    office.expect_at(busy, kept, 9)
    expect(office.block(room, moved)).to_have_count(0)
    office.block(other, moved).click()
    panel = office.visitor.frame.locator("#booking")
    expect(panel).to_contain_text("Переехала")
    expect(panel).to_contain_text("Тимур Ахметов")
    expect(panel).to_contain_text("9:00–10:00 → 18:00–19:30")


# Events ----


def test_an_event_dragged_in_the_calendar_moves_its_booking(office: Office) -> None:
    person = office.site.resource(kind="specialist", name="Олег Лапин", portal_user_id=EMPLOYEE)
    moved, stays, again = (office.book(person, start, title="Приём") for start in (9, 12, 16))
    office.calendar(EMPLOYEE)
    for booking in (moved, stays, again):
        expect(office.event(booking)).to_have_count(1)
    edit_event(office, moved, name=f"Мой приём № {moved.number}")
    office.drag_event(moved, 4.5)
    office.drag_event(stays, 3.5)
    office.expect_told(about(stays), "Занято")
    delete_event(office, again)
    office.expect_told(about(again), say("comment.event_redrawn"))
    expect(office.event(again)).to_have_count(1)
    office.visitor.become(EMPLOYEE)
    office.calendar(EMPLOYEE)
    office.drag_event(again, 2)
    office.expect_told(about(again), say("not_allowed.change"))
    office.visitor.become(ADMIN)
    office.board()
    office.expect_at(person, moved, 13.5)
    office.expect_at(person, stays, 12)
    office.expect_at(person, again, 16)
    office.calendar(EMPLOYEE)
    expect(office.event(moved)).to_contain_text("Мой приём")
    office.visitor.become(EMPLOYEE)
    office.calendar(EMPLOYEE)
    edit_event(office, stays, private=True)
    expect(office.event(stays)).to_have_count(1)
    office.visitor.become(ADMIN)
    line = office.in_step().locator("#in_step tr", has_text=f"№ {stays.number}")
    expect(line).to_contain_text(say("parked.event_unseen"))


def edit_event(office: Office, booking: Booking, *, name: str = "", private: bool = False) -> None:
    office.event(booking).click()
    office.page.get_by_role("button", name="Изменить").click()
    if name:
        office.page.get_by_label("Название").fill(name)
    office.page.get_by_label("Частное событие").set_checked(private)
    office.page.get_by_role("button", name="Сохранить").click()
    expect(office.page.locator("dialog")).to_have_count(0)


def delete_event(office: Office, booking: Booking) -> None:
    office.event(booking).click()
    with office.page.expect_response("**/_calendar/delete"):
        office.page.get_by_role("button", name="Удалить").click()


def test_an_event_deleted_cancels_where_the_company_has_it_so_and_a_declined_one_is_told(office: Office) -> None:
    person = office.site.resource(kind="specialist", name="Олег Лапин (вечер)", portal_user_id=EMPLOYEE)
    with decided(office, event_deleted="cancel", event_participants=True):
        gone = office.book(person, 19, title="Снимается")
        guests = frozenset({SECOND_MANAGER})
        invited = office.book(person, 20, title="Встреча", participants=guests, responsible_id=ADMIN)
        office.calendar(EMPLOYEE)
        expect(office.event(gone)).to_have_count(1)
        delete_event(office, gone)
        office.visitor.become(SECOND_MANAGER)
        office.calendar(SECOND_MANAGER)
        expect(office.event(invited)).to_have_count(1)
        office.event(invited).click()
        with office.page.expect_response("**/_calendar/answer"):
            office.page.get_by_role("button", name="Отказаться").click()
        office.visitor.become(ADMIN)
        office.board()
        office.expect_at(person, invited, 20)
        expect(office.block(person, gone)).to_have_count(0)
        office.expect_told(about(invited), say("comment.invitation_declined"), "Тимур Ахметов")


# The bin ----


def test_a_deleted_card_cancels_and_comes_back_from_the_bin(office: Office) -> None:
    room, studio = office.site.resource(), office.site.resource()
    booking, past = office.book(room, 10, title="В корзину"), office.begun(studio, title="Состоялась")
    with transaction(office.site.engine) as tx:
        complete_booking(
            tx, office.site.tenant(tx), past.id, revision=past.revision, viewer=ADMIN_VIEWER, now=datetime.now(UTC)
        )  # fmt: skip
    office.kanban()
    expect(office.tile("В корзину", "confirmed")).to_have_count(1)
    expect(office.tile("Состоялась", "completed")).to_have_count(1)
    for title in ("В корзину", "Состоялась"):
        office.card(office.item(title))
        office.press("Удалить")
    office.expect_told(about(past), say("not_allowed.deleted"))
    expect(office.tile("Состоялась", "completed")).to_have_count(1)
    again = office.item("Состоялась")
    office.board()
    expect(office.block(room, booking)).to_have_count(0)
    office.go("/crm/recyclebin/")
    with office.page.expect_navigation():
        office.page.locator("tr", has_text="В корзину").get_by_role("button", name="Восстановить").click()
    expect(office.timeline(again).get_by_text(say("not_allowed.deleted"))).to_have_count(1)
    office.board()
    office.expect_at(room, booking, 10)


# Made by hand ----


def test_cards_made_by_hand_and_imported_are_booked_or_say_why_not(office: Office) -> None:
    room = office.site.resource()
    office.book(room, 9, title="Уже стоит")
    office.kanban()
    expect(office.tile("Уже стоит")).to_have_count(1)
    binding, kind = office.bound(room), office.bookings
    office.fill(0, title="От руки", start_at=office.at(11), end_at=office.at(12), resource=[binding])
    original = office.shown
    office.fill(0, title="Занято же", start_at=office.at(9), end_at=office.at(10), resource=[binding])
    taken = office.shown
    office.expect_told(say("comment.draft_taken"), "Занято")
    office.fill(0, title="Без времени")
    draft = office.shown
    fields = kind.fields
    row = {
        "title": "Из файла",
        fields["start_at"]: office.at(17).isoformat(),
        fields["end_at"]: office.at(18).isoformat(),
    }
    people.import_items(office.site.portal, ADMIN, kind.entity_type_id, [{**row, fields["resource"]: [binding]}])
    lacks = say("comment.draft_lacks", fields=", ".join(say(f"lacks.{one}") for one in ("resource", "start", "end")))
    expect(office.timeline(draft).get_by_text(lacks)).to_have_count(1)
    office.fill(draft, start_at=office.at(13), end_at=office.at(14), resource=[binding])
    expect(office.timeline(taken).get_by_text("Занято 9:00–10:00")).to_have_count(1)
    expect(office.page.locator("[aria-current=step]")).to_have_text("Отменено")
    office.board()
    blocks = office.visitor.frame.locator(f"#r{room.id} a.b.conf")
    for title in ("От руки", "Без времени", "Из файла"):
        expect(blocks.filter(has_text=title)).to_have_count(1)
    number = (blocks.filter(has_text="От руки").get_attribute("href") or "").removeprefix("#")
    office.card(original)
    office.press("Копировать")
    copy = office.shown
    assert copy != original
    expect(office.timeline(copy).get_by_text("Занято 11:00–12:00")).to_have_count(1)
    mark = office.site.portal.items[kind.entity_type_id][original]["xmlId"]
    marked = people.copy_item(office.site.portal, ADMIN, kind.entity_type_id, original, xmlId=mark)["id"]
    told = say("comment.copy", booking=number)
    office.expect_told(told)
    expect(office.timeline(marked).get_by_text(told)).to_have_count(1)
    office.board()
    expect(blocks).to_have_count(4)


# Cards of resources ----


def test_a_resource_is_edited_added_and_taken_away_in_its_card(office: Office) -> None:
    room, spare, needed = (office.site.resource() for _ in range(3))
    office.book(needed, 10, title="Ещё будет")
    kind = office.resources
    items = {one.id: office.resource_item(one) for one in (room, spare, needed)}
    office.fill(items[room.id], kind, title="«Ладога»", city="Петрозаводск", capacity=14, price="900|RUB")
    rooms = dict(kind.options["kind"])
    office.fill(0, kind, title="«Онега»", kind=str(rooms["room"]), capacity=6)
    for one in (spare, needed):
        office.card(items[one.id], kind)
        office.press("Удалить")
    office.expect_told(needed.name, say("comment.not_done"))
    office.visitor.become(MANAGER)
    office.fill(items[room.id], kind, title="«Свирь»")
    office.expect_told("«Ладога»", say("not_allowed.manage"))
    expect(office.timeline(items[room.id], kind).get_by_text(say("not_allowed.manage"))).to_have_count(1)
    expect(office.page.get_by_role("heading", name="«Ладога»")).to_be_visible()
    office.visitor.become(ADMIN)
    office.visitor.menu()
    office.visitor.frame.locator('a[href="#resources"]').first.click()
    row = office.visitor.row("#resources", "«Ладога»")
    expect(row).to_contain_text("14")
    row.get_by_role("button", name="«Ладога»").click()
    expect(office.visitor.frame.locator("#panel-body")).to_contain_text("Петрозаводск")
    office.visitor.page.keyboard.press("Escape")
    expect(office.visitor.row("#resources", "«Онега»")).to_have_count(1)
    office.board()
    expect(office.visitor.frame.locator(f"#r{spare.id}")).to_have_count(0)
    expect(office.visitor.frame.locator(f"#r{room.id}")).to_contain_text("«Ладога»")


# Robots ----


def test_a_robot_that_puts_the_card_back_each_time_is_given_up_and_shown(office: Office) -> None:
    room = asked_of_managers(office)
    asked = office.book(room, 10, title="Спорная заявка")
    office.kanban()
    expect(office.tile("Спорная заявка", "prebooked")).to_have_count(1)
    kind, stages = office.bookings.entity_type_id, office.crm.stages
    robot = people_automation.place_move(
        office.site.portal, ADMIN, kind, stages["confirmed"], stages["prebooked"],
        when=("{=Document:TITLE}", "Спорная заявка"),
    )  # fmt: skip
    try:
        item = office.item("Спорная заявка")
        office.board()
        office.visitor.frame.locator(f'#r{room.id} a.req[href="#{asked.number}"]').click()
        office.visitor.frame.locator("#booking .pfoot").get_by_role("button", name="Подтвердить").click()
        office.visitor.frame.locator("#booking .st.big.conf").wait_for()
        office.go("/crm/runs/")
        expect(office.page.locator("#rows tr", has_text="Спорная заявка")).to_have_count(2)
        line = office.in_step().locator("#in_step tr", has_text=f"№ {asked.number}")
        expect(line).to_contain_text(say("parked.contested"))
        assert len(people_automation.runs(office.site.portal, kind, item)) == 2, "drawn over once, and given up"
    finally:
        people_automation.unplace(office.site.portal, ADMIN, robot["id"])
    line.locator("[hx-post]").click()
    expect(line).to_have_count(0)
    office.kanban()
    expect(office.tile("Спорная заявка", "confirmed")).to_have_count(1)


def test_a_robot_of_ours_books_when_a_deal_comes_to_its_stage(office: Office) -> None:
    room, portal = office.site.resource(), office.site.portal
    deal = people.add_item(portal, MANAGER, DEAL, {"title": "Съёмка по роботу", "contactIds": [1], "stageId": "NEW"})
    start = f"{office.at(10).astimezone(MOSCOW):%d.%m.%Y %H:%M:%S}"
    robot = people_automation.place_robot(
        portal, ADMIN, DEAL, "EXECUTING", "booking.create",
        {"resource": [room.name], "start": start, "minutes": "90", "title": "Заказал робот"},
        when=("{=Document:TITLE}", "Съёмка по роботу"),
    )  # fmt: skip
    try:
        office.go(f"/crm/deal/details/{deal['id']}/")
        office.page.get_by_label("Перевести на стадию").select_option("EXECUTING")
        office.press("Перевести")
        office.go("/crm/runs/")
        run = office.page.locator("#rows tr", has_text="Съёмка по роботу")
        expect(run).to_contain_text("закончен")
        assert people_automation.runs(portal, DEAL, deal["id"])[0]["values"][robot["name"]]["status"] == "ok"
    finally:
        people_automation.unplace(portal, ADMIN, robot["id"])
    office.visitor.deal(deal["id"])
    tab = office.visitor.frame.locator("#tab")
    expect(tab).to_contain_text("10:00–11:30")
    office.board()
    expect(office.visitor.frame.locator(f"#r{room.id} a.b.conf")).to_have_text("Заказал робот")
