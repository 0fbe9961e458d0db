"""The day board under a person's hands: every kind of block, pools, requests, a service chosen, and a board kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Request, expect

from b24app.booking.closures import ClosureData, save_closure
from b24app.ledger.models import Policy, Resource
from b24app.ledger.session import transaction
from b24app.scheduling.hours import OpeningHours, local_instant
from b24app.scheduling.interval import Interval
from tests.browser.conftest import PATIENCE_MS, Site, Visitor
from tests.browser.test_booking import press
from tests.browser.test_pages import findings
from tests.conftest import NOW
from tests.factories import ADMIN, make_booking, make_service

MOSCOW = ZoneInfo("Europe/Moscow")
DAYTIME = tuple(OpeningHours(weekday, 8 * 60, 22 * 60) for weekday in range(7))


def tomorrow() -> datetime:
    """Its midnight."""
    day = (datetime.now(UTC).astimezone(MOSCOW) + timedelta(days=1)).date()
    return local_instant(day, 0, MOSCOW)


def book(site: Site, resource: Resource, start: float, length: float = 1, **values: Any) -> int:
    """The number of a booking of tomorrow."""
    begins = tomorrow() + timedelta(hours=start)
    with transaction(site.engine) as tx:
        return make_booking(
            tx, site.tenant(tx), resource, now=datetime.now(UTC), viewer=ADMIN,
            interval=Interval(begins, begins + timedelta(hours=length)), **values,
        ).number  # fmt: skip


def rules(site: Site, **values: Any) -> int:
    with transaction(site.engine) as tx:
        policy = Policy(portal_id=site.tenant(tx).id, name="Правила", rules=values)
        tx.add(policy)
        tx.flush()
        return policy.id


@pytest.fixture
def asked(visitor: Visitor) -> list[tuple[Request, int]]:
    """Requests for the board with the status of their answers."""
    seen: list[tuple[Request, int]] = []
    visitor.page.on(
        "response",
        lambda answer: seen.append((answer.request, answer.status)) if "/app/board?" in answer.url else None,
    )
    return seen


def test_every_kind_of_block_is_in_its_place(visitor: Visitor, site: Site) -> None:
    hall, studio = (site.resource(kind="hall", hours=DAYTIME, name=name) for name in ("Зал А1", "Зал А2"))
    whole = site.resource(kind="hall", hours=DAYTIME, name="Зал А целиком", parts=(hall.id, studio.id), capacity=80)
    held = site.resource(hours=DAYTIME, name="«Волга»", policy_id=rules(site, hold_minutes=600), capacity=8)
    asked_for = site.resource(hours=DAYTIME, name="«Нева»", policy_id=rules(site, winner="manager"), buffer_after=30)
    projectors = site.resource(kind="equipment", hours=DAYTIME, name="Проектор", units=3)
    desks = site.resource(kind="equipment", hours=DAYTIME, name="Рабочие места", units=12)
    closed = site.resource(hours=DAYTIME, name="«Енисей»", buffer_before=15, buffer_after=15)
    book(site, hall, 10, 3, title="Мастер-класс по керамике")
    book(site, whole, 18, 3, title="Конференция «Север»")
    book(site, held, 13, 2, title="ООО «Вектор»")
    for start in (9, 9.5, 14):
        book(site, asked_for, start, 2, title="Лисицын К.")
    for n in range(2):
        book(site, projectors, 10 + n / 2, 2, title="Тренинг")
    for n in range(12):
        book(site, desks, 9 + n % 3, 3, title=f"Место {n}")
    book(site, closed, 15, 2, title="Приёмка проекта")
    with transaction(site.engine) as tx:
        midnight = tomorrow().astimezone(MOSCOW).date()
        data = ClosureData(midnight, start=0, end=16 * 60, resource_id=closed.id, reason="Ремонт до 16:00")
        save_closure(tx, site.tenant(tx), data, viewer=ADMIN, now=NOW)
    visitor.menu().tomorrow()
    frame = visitor.frame
    for resource, block in (
        (hall, "a.b.conf.s40.n12"), (hall, "a.b.part.s72.n12"), (whole, "a.b.part.s40.n12"),
        (held, "a.b.hold.s52.n8"), (asked_for, "a.b.req.s36.n10"), (asked_for, "a.b.req.s56.n8"),
        (projectors, "a.b.s40.n8.u1"), (projectors, "a.b.s42.n8.u2"), (desks, "a.b.cnt-u.full.s44.n4"),
        (closed, ".b.clos.s0.n64"), (closed, "a.b.flag.s60.n8"), (closed, ".buf.s59.n1"),
    ):  # fmt: skip
        expect(frame.locator(f"#r{resource.id} .lane > {block}")).to_have_count(1)
    lane, reason = (visitor.box(frame.locator(f"#r{closed.id} {part}")) for part in (".lane", ".clos > span"))
    assert reason["x"] >= lane["x"], "a closure that began before the shown hours still says why"
    visitor.box(frame.locator(f"#r{projectors.id}"))
    lines = [frame.locator(f"#r{projectors.id} .u{n}").bounding_box() for n in (1, 2)]
    assert lines[0]
    assert lines[1]
    assert lines[0]["y"] + lines[0]["height"] <= lines[1]["y"]
    assert findings(visitor) == []


def test_a_request_leaves_the_time_free_and_opens_itself(visitor: Visitor, site: Site) -> None:
    resource = site.resource(hours=DAYTIME, policy_id=rules(site, winner="manager"))
    number = book(site, resource, 12, 2, title="Первая заявка")
    visitor.menu().tomorrow()
    press(visitor, resource, 11, 13.5)
    form = visitor.frame.locator("#booking-form")
    expect(form.locator("#f-start")).to_have_value("11:00")
    expect(form.locator("#f-end")).to_have_value("13:30")
    visitor.page.keyboard.press("Escape")
    visitor.frame.locator(f'#r{resource.id} a.req[href="#{number}"]').click()
    expect(visitor.frame.locator("#booking")).to_contain_text("Первая заявка")


def at_hour(visitor: Visitor, hour: float) -> float:
    """Where this hour is on the axis; how much of the day it shows depends on everything there is."""
    board, axis = visitor.frame.locator(".board"), visitor.frame.locator(".board .hours").bounding_box()
    first, span = (int(board.get_attribute(name) or 0) for name in ("data-from", "data-span"))
    assert axis
    return axis["x"] + (hour * 4 - first) / span * axis["width"]


def test_a_pool_is_free_until_its_last_place_is_taken(visitor: Visitor, site: Site) -> None:
    resource = site.resource(hours=DAYTIME, units=2, kind="equipment")
    book(site, resource, 10, 2)
    book(site, resource, 11, 3)
    visitor.menu().tomorrow()
    y = (
        visitor.box(visitor.frame.locator(f"#r{resource.id} .lane"))["y"] + 10
    )  # the first line, which is free from 12 on
    visitor.page.mouse.move(at_hour(visitor, 13.1), y)
    visitor.page.mouse.down()
    visitor.page.mouse.move(at_hour(visitor, 10.5), y, steps=5)
    visitor.page.mouse.up()
    visitor.frame.locator("#chosen [data-more]").click()
    form = visitor.frame.locator("#booking-form")
    expect(form.locator("#f-start")).to_have_value("12:00")


def test_a_large_pool_tells_who_has_its_places_and_offers_the_rest(visitor: Visitor, site: Site) -> None:
    resource = site.resource(hours=DAYTIME, units=5, kind="equipment", name="Кресла")
    number = book(site, resource, 10, 2, title="Орлова М.")
    visitor.menu().tomorrow()
    visitor.frame.locator(f"#r{resource.id} .cnt-u").click()
    places = visitor.frame.locator("#places")
    expect(places).to_contain_text("Кресла")
    places.get_by_role("button", name="Орлова М.").click()
    expect(visitor.frame.locator("#booking")).to_have_attribute("data-number", str(number))
    visitor.page.keyboard.press("Escape")
    visitor.frame.locator(f"#r{resource.id} .cnt-u").click()
    places.get_by_role("button", name="Забронировать").click()
    form = visitor.frame.locator("#booking-form")
    expect(form.locator("#f-start")).to_have_value("10:00")
    expect(form.locator("#f-end")).to_have_value("12:00")


def test_a_service_is_chosen_first_and_stays_when_the_day_changes(visitor: Visitor, site: Site) -> None:
    able, other = site.resource(kind="specialist", name="Анна Соколова"), site.resource(name="Другая")
    with transaction(site.engine) as tx:
        service = make_service(tx, site.tenant(tx), (able, 1), name="Портрет")
    visitor.menu()
    visitor.only_for("Портрет")
    expect(visitor.frame.locator(f"#r{other.id}")).to_have_count(0)
    visitor.tomorrow()
    expect(visitor.frame.locator(f"#r{able.id}")).to_have_count(1)
    expect(visitor.frame.locator(f"#r{other.id}")).to_have_count(0)
    with visitor.page.expect_request(lambda request: "/app/bookings/new" in request.url) as opened:
        press(visitor, able, 12)
    assert f"service={service.id}" in opened.value.url
    assert f"resource={able.id}" in opened.value.url
    visitor.frame.locator("#booking-form").wait_for()
    visitor.page.keyboard.press("Escape")
    book(site, other, 15, title="Не новая")
    visitor.only_for("")
    expect(visitor.frame.locator(f"#r{other.id} a.b")).to_have_count(1)
    expect(visitor.frame.locator(".is-new")).to_have_count(0)


def test_an_open_board_asks_and_is_left_alone_until_something_changes(
    visitor: Visitor, site: Site, asked: list[tuple[Request, int]]
) -> None:
    resource = site.resource()
    visitor.menu().tomorrow()
    asked.clear()
    row = visitor.frame.locator(f"#r{resource.id}")
    row.evaluate("row => { row.marked = true; }")
    with visitor.page.expect_response(lambda answer: "/app/board?" in answer.url and answer.status == 304):
        pass
    request, _ = asked[-1]
    assert request.headers["if-none-match"].startswith('"')
    assert row.evaluate("row => row.marked") is True
    number = book(site, resource, 12, title="Кто-то другой")
    block = visitor.frame.locator(f'#r{resource.id} a.b[href="#{number}"]')
    expect(block).to_have_text("Кто-то другой", timeout=PATIENCE_MS)
    assert 200 in {status for _, status in asked}
