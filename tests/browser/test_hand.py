"""The hand on the board: free time is chosen and booked, bookings are dragged, by mouse and by finger."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import CDPSession, FloatRect, Locator, Route, expect

from b24app.ledger import queries
from b24app.ledger.models import Resource
from b24app.ledger.session import transaction
from b24app.scheduling.hours import local_instant
from b24app.scheduling.interval import Interval
from tests.browser.conftest import Site, Visitor
from tests.browser.test_board import DAYTIME, MOSCOW, book, rules, tomorrow
from tests.browser.test_booking import choose
from tests.browser.test_pages import findings
from tests.factories import ADMIN, EMPLOYEE, make_booking, make_service
from tests.stand import MANAGER

MINE = EMPLOYEE


@dataclass
class Hand:
    """A manager at tomorrow's board with the mouse in his hand."""

    visitor: Visitor
    site: Site

    def block(self, number: int) -> Locator:
        return self.visitor.frame.locator(f'#board a.b[href="#{number}"]:not(.part)').first

    def lane(self, resource: Resource) -> Locator:
        return self.visitor.frame.locator(f"#r{resource.id} .lane")

    def at(self, resource: Resource, hour: float) -> tuple[float, float]:
        """Where that hour of that lane is on the screen."""
        box = self.visitor.box(self.lane(resource))
        board = self.visitor.frame.locator(".board")
        first, span = (int(board.get_attribute(f"data-{name}") or 0) for name in ("from", "span"))
        return box["x"] + (hour * 4 - first) / span * box["width"], box["y"] + box["height"] / 2

    def rests(self, resource: Resource) -> None:
        """Waits until what was set rolling stands still."""
        before = None
        while (now := self.lane(resource).bounding_box()) != before:
            before = now
            self.visitor.page.evaluate("() => new Promise(done => setTimeout(done, 200))")

    def pick_up(self, number: int, *, edge: bool = False) -> FloatRect:
        """Presses on a booking, or on its end."""
        box = self.visitor.box(self.block(number))
        x = box["x"] + (box["width"] - 3 if edge else box["width"] / 2)
        self.visitor.page.mouse.move(x, box["y"] + box["height"] / 2)
        self.visitor.page.mouse.down()
        return box

    def carry(self, number: int, resource: Resource, hours: float, *, edge: bool = False) -> None:
        """Drags a booking so many hours along, to that lane, and holds it there."""
        box = self.pick_up(number, edge=edge)
        (x0, _), (x1, y) = self.at(resource, 10), self.at(resource, 10 + hours)
        x = box["x"] + (box["width"] - 3 if edge else box["width"] / 2) + x1 - x0
        self.visitor.page.mouse.move(x - 12, y, steps=4)
        self.visitor.page.mouse.move(x, y, steps=4)

    def let_go(self) -> None:
        self.visitor.page.mouse.up()

    @property
    def tip(self) -> Locator:
        return self.visitor.frame.locator(".tip")

    @property
    def ghost(self) -> Locator:
        return self.visitor.frame.locator(".ghost.move")

    @property
    def toast(self) -> Locator:
        return self.visitor.frame.locator("#toasts .toast").last

    def mine(self, resource: Resource, start: float, length: float = 1, **values: object) -> int:
        """The number of a booking of this manager, tomorrow."""
        return book(self.site, resource, start, length, responsible_id=MANAGER, **values)

    def state(self, number: int) -> tuple[float, float, set[str]]:
        """From which hour of tomorrow to which it is in the ledger, and on what."""
        with transaction(self.site.engine) as tx:
            row = queries.booking_by_number(tx, self.site.tenant(tx).id, ADMIN, number)
            hours = [(at - tomorrow()).total_seconds() / 3600 for at in (row.interval.start, row.interval.end)]
            return hours[0], hours[1], {one.name for one in row.resources}


@pytest.fixture
def hand(visitor: Visitor, site: Site) -> Hand:
    return Hand(visitor, site)


def test_free_time_is_booked_from_the_dialog_and_taken_back(hand: Hand, site: Site) -> None:
    room = site.resource(hours=DAYTIME)
    hand.visitor.menu().tomorrow()
    choose(hand.visitor, room, 12, 13.5)
    dialog, ghost = hand.visitor.frame.locator("#chosen"), hand.lane(room).locator(".ghost")
    expect(dialog).to_contain_text("12:00–13:30")
    dialog.locator("[name=title]").fill("Планёрка")
    beside, chosen = dialog.bounding_box(), ghost.bounding_box()
    assert beside
    assert chosen
    apart = beside["y"] >= chosen["y"] + chosen["height"] or beside["y"] + beside["height"] <= chosen["y"]
    assert apart, "the dialog leaves what was chosen in sight"
    assert findings(hand.visitor) == []
    hand.visitor.page.keyboard.press("Enter")
    block = hand.lane(room).locator("a.b")
    expect(block).to_have_text("Планёрка")
    expect(block).to_have_class(re.compile(r"\bs48 n6\b"))
    expect(dialog).to_have_count(0)
    hand.toast.locator("span button").click()
    expect(hand.lane(room).locator("a.b")).to_have_count(0)


def test_in_a_deal_a_service_is_booked_for_its_client_in_four_clicks(hand: Hand, site: Site) -> None:
    anna, room = site.resource(kind="specialist", hours=DAYTIME), site.resource(hours=DAYTIME)
    with transaction(site.engine) as tx:
        service = make_service(tx, site.tenant(tx), (anna, 1), (room, 1), name="Съёмка")
    hand.visitor.deal().tomorrow()
    choose(hand.visitor, anna, 12)
    dialog = hand.visitor.frame.locator("#chosen")
    dialog.locator(f'[data-service="{service.id}"]').click()
    expect(dialog).to_contain_text(room.name)
    dialog.locator(".pri").click()
    expect(hand.lane(anna).locator("a.b")).to_have_count(1)
    expect(hand.lane(room).locator("a.b")).to_have_count(1)
    expect(hand.visitor.frame.locator("#tab")).to_contain_text("12:00–13:00")


@pytest.mark.parametrize("way", ["escape", "elsewhere"])
def test_what_was_chosen_is_cleared(hand: Hand, site: Site, way: str) -> None:
    room = site.resource(hours=DAYTIME)
    hand.visitor.menu().tomorrow()
    choose(hand.visitor, room, 12)
    hand.visitor.frame.locator("#chosen-form").wait_for()
    if way == "escape":
        hand.visitor.page.keyboard.press("Escape")
    else:
        hand.visitor.frame.locator(".bhead").first.click(position={"x": 10, "y": 10})
    expect(hand.visitor.frame.locator("#chosen")).to_have_count(0)
    expect(hand.visitor.frame.locator(".ghost")).to_have_count(0)


def test_somebody_was_faster_than_the_dialog(hand: Hand, site: Site) -> None:
    room = site.resource(hours=DAYTIME)
    hand.visitor.menu().tomorrow()
    choose(hand.visitor, room, 12)
    button = hand.visitor.frame.locator("#chosen .pri")
    button.wait_for()
    hand.visitor.frame.locator("body").evaluate("() => { window.page.visible = () => false; }")
    rival = book(site, room, 12, title="Соперник")
    button.evaluate("one => one.click()")  # before the board has heard of it
    expect(hand.toast).to_have_attribute("role", "alert")
    expect(hand.toast.locator("span button")).to_have_count(2)
    expect(hand.block(rival)).to_have_class(re.compile("is-new"))
    hand.toast.locator("span button").first.click()
    expect(hand.lane(room).locator("a.b")).to_have_count(2)


def test_a_booking_is_dragged_to_another_time_and_taken_back(hand: Hand, site: Site) -> None:
    room = site.resource(hours=DAYTIME)
    number = hand.mine(room, 10, title="Моя")
    hand.visitor.menu().tomorrow()
    hand.carry(number, room, 3)
    expect(hand.ghost).to_have_text("13:00–14:00")
    expect(hand.block(number)).to_have_class(re.compile(r"\baway\b"))
    assert hand.state(number)[0] == 10, "nothing happens before it is let go"
    hand.let_go()
    expect(hand.block(number)).to_have_class(re.compile(r"\bs52 n4\b"))
    expect(hand.ghost).to_have_count(0)
    expect(hand.visitor.frame.locator("#panel")).not_to_be_visible()
    assert hand.state(number)[:2] == (13, 14)
    hand.toast.hover()
    hand.toast.locator("span button").click()
    expect(hand.block(number)).to_have_class(re.compile(r"\bs40 n4\b"))
    assert hand.state(number)[:2] == (10, 11)


def test_a_booking_is_dragged_to_another_resource_and_its_end_to_another_time(hand: Hand, site: Site) -> None:
    room, other = site.resource(hours=DAYTIME), site.resource(hours=DAYTIME)
    number = hand.mine(room, 10)
    hand.visitor.menu().tomorrow()
    hand.carry(number, other, 0)
    hand.let_go()
    expect(hand.lane(other).locator("a.b")).to_have_class(re.compile(r"\bs40 n4\b"))
    hand.carry(number, other, 1, edge=True)
    expect(hand.ghost).to_have_text("10:00–12:00")
    hand.let_go()
    expect(hand.block(number)).to_have_class(re.compile(r"\bs40 n8\b"))
    assert hand.state(number) == (10, 12, {other.name})


def test_what_is_in_the_way_is_told_before_and_a_refusal_puts_it_back(hand: Hand, site: Site) -> None:
    room = site.resource(hours=DAYTIME)
    number, _rival = hand.mine(room, 10), book(site, room, 13)
    hand.visitor.menu().tomorrow()
    hand.carry(number, room, 3)
    expect(hand.ghost).to_have_class(re.compile(r"\bno\b"))
    expect(hand.tip).to_have_text("Занято 13:00–14:00")
    hand.let_go()
    expect(hand.toast).to_have_attribute("role", "alert")
    expect(hand.toast).to_contain_text("Занято 13:00–14:00")
    expect(hand.ghost).to_have_count(0)
    expect(hand.block(number)).not_to_have_class(re.compile(r"\baway\b"))
    assert hand.state(number)[0] == 10
    hand.toast.locator("span button").first.click()
    expect(hand.block(number)).not_to_have_class(re.compile(r"\bs40 n4\b"))
    assert hand.state(number)[0] != 10, "a free time that was offered is taken with one press"


def test_a_rule_is_named_before_it_is_let_go(hand: Hand, site: Site) -> None:
    room = site.resource(hours=DAYTIME, policy_id=rules(site, most_moves=0))
    with transaction(site.engine) as tx:
        begins = tomorrow() + timedelta(hours=10)
        number = make_booking(
            tx, site.tenant(tx), room, now=datetime.now(UTC), viewer=MINE, responsible_id=MANAGER,
            interval=Interval(begins, begins + timedelta(hours=1)),
        ).number  # fmt: skip
    hand.visitor.menu().tomorrow()
    hand.carry(number, room, 2)
    expect(hand.tip).to_have_class(re.compile(r"\bbad\b"))
    expect(hand.tip).not_to_have_text("")
    hand.visitor.page.keyboard.press("Escape")
    expect(hand.ghost).to_have_count(0)
    expect(hand.tip).to_be_hidden()
    hand.let_go()
    expect(hand.visitor.frame.locator("#panel")).not_to_be_visible()
    assert hand.state(number)[0] == 10


def test_without_a_network_it_goes_back_and_the_same_drop_can_be_repeated(hand: Hand, site: Site) -> None:
    room = site.resource(hours=DAYTIME)
    number = hand.mine(room, 10)
    hand.visitor.menu().tomorrow()
    lost: list[str] = []

    def lose(route: Route) -> None:
        """The move is made, its answer is lost."""
        if not lost:
            lost.append(route.fetch().text())
            return route.abort()
        return route.continue_()

    hand.visitor.page.route("**/app/board/move", lose)
    hand.carry(number, room, 2)
    hand.let_go()
    expect(hand.toast).to_have_attribute("role", "alert")
    expect(hand.ghost).to_have_count(0)
    hand.toast.locator("span button").first.click()
    expect(hand.block(number)).to_have_class(re.compile(r"\bs48 n4\b"))
    assert hand.state(number)[0] == 12
    with transaction(site.engine) as tx:
        row = queries.booking_by_number(tx, site.tenant(tx).id, ADMIN, number)
        assert row.booking.moves == 1, "done once"


def test_a_live_board_does_not_disturb_a_drag(hand: Hand, site: Site) -> None:
    room = site.resource(hours=DAYTIME)
    number = hand.mine(room, 10)
    hand.visitor.menu().tomorrow()
    hand.carry(number, room, 2)
    rival = book(site, room, 16, title="Другая")
    hand.visitor.frame.locator("body").evaluate(
        "() => document.dispatchEvent(new CustomEvent('b24:changed', {detail: {}}))"
    )
    expect(hand.ghost).to_have_count(1)
    expect(hand.block(rival)).to_have_count(0)
    hand.let_go()
    expect(hand.block(rival)).to_have_count(1)
    expect(hand.block(number)).to_have_class(re.compile(r"\bs48 n4\b"))


# By finger ----


@pytest.fixture
def finger(hand: Hand) -> Iterator[Callable[..., None]]:
    """Real touches, as Chromium's own input pipeline makes them."""
    session: CDPSession = hand.visitor.page.context.new_cdp_session(hand.visitor.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    yield touch
    session.detach()


def test_a_long_press_picks_a_booking_up(hand: Hand, site: Site, finger: Callable[..., None]) -> None:
    room = site.resource(hours=DAYTIME)
    number = hand.mine(room, 10)
    hand.visitor.menu().tomorrow()
    box = hand.visitor.box(hand.block(number))
    (x0, _), (x1, y) = hand.at(room, 10), hand.at(room, 12)
    x = box["x"] + box["width"] / 2
    finger("touchStart", (x, y))
    expect(hand.block(number)).to_have_class(re.compile(r"\baway\b"))
    for n in range(1, 6):
        finger("touchMove", (x + (x1 - x0) * n / 5, y))
    expect(hand.ghost).to_have_text("12:00–13:00")
    finger("touchEnd")
    expect(hand.block(number)).to_have_class(re.compile(r"\bs48 n4\b"))
    assert hand.state(number)[0] == 12


def test_a_finger_that_moves_at_once_scrolls_and_a_tap_chooses(
    hand: Hand, site: Site, finger: Callable[..., None]
) -> None:
    room = site.resource(hours=DAYTIME)
    hand.visitor.menu().tomorrow()
    x, y = hand.at(room, 12.1)
    finger("touchStart", (x, y))
    for n in range(1, 6):
        finger("touchMove", (x, y - 20 * n))
    finger("touchEnd")
    expect(hand.visitor.frame.locator(".ghost")).to_have_count(0)
    hand.rests(room)  # a touch while it still rolls on only stops it
    x, y = hand.at(room, 12.1)
    finger("touchStart", (x, y))
    finger("touchEnd")
    expect(hand.visitor.frame.locator("#chosen")).to_contain_text("12:00–13:00")


# In a column ----


def test_in_the_week_of_one_resource_a_booking_is_dragged_to_another_day(hand: Hand, site: Site) -> None:
    room = site.resource(hours=DAYTIME)
    number = hand.mine(room, 10)
    hand.visitor.menu()
    day = tomorrow().astimezone(MOSCOW).date()
    address = f"/app/board?view=week&resource={room.id}&day={day}"
    hand.visitor.frame.locator("body").evaluate("(body, url) => window.page.load(url, '#board', 'outerMorph')", address)
    lanes = hand.visitor.frame.locator("#board .lane.v")
    expect(lanes).to_have_count(7)
    other = day + timedelta(days=1 if day.weekday() < 6 else -1)
    column = hand.visitor.frame.locator(f"#d{other}")
    box = hand.visitor.box(hand.block(number))
    to = column.bounding_box()
    assert to
    mouse = hand.visitor.page.mouse
    mouse.move(box["x"] + box["width"] / 2, box["y"] + 8)
    mouse.down()
    mouse.move(to["x"] + to["width"] / 2, box["y"] + 20, steps=4)
    mouse.move(to["x"] + to["width"] / 2, box["y"] + 8 + box["height"], steps=4)
    expect(hand.ghost).to_contain_text("11:00–12:00")
    mouse.up()
    expect(column.locator(f'a.b[href="#{number}"]')).to_have_count(1)
    with transaction(site.engine) as tx:
        row = queries.booking_by_number(tx, site.tenant(tx).id, ADMIN, number)
    assert row.interval.start == local_instant(other, 11 * 60, MOSCOW)
