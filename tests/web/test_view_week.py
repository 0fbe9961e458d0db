"""The week: of one resource with its card beside it, and of several."""

from __future__ import annotations

import html
import re
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import delete

from b24app.booking.closures import ClosureData, save_closure
from b24app.ledger.models import Grant, Resource
from b24app.scheduling.hours import OpeningHours
from b24app.scheduling.pricing import Tariff
from tests.conftest import NOW
from tests.factories import ADMIN as ADMIN_VIEWER
from tests.stand import ADMIN, EMPLOYEE, MANAGER, Frame
from tests.web.desk import Desk, words
from tests.web.installed import Installed
from tests.web.test_board import booked, counted, room

DAYTIME = tuple(OpeningHours(day, 9 * 60, 21 * 60) for day in range(7))
LANE = re.compile(r'<div class="lane v[^"]*" id="d([^"]+)"[^>]*data-origin="(\d+)"[^>]*>(.*?)</div>', re.DOTALL)


def week(frame: Frame, resource: Resource | None = None, **asked: Any) -> str:
    alone = {"resource": resource.id} if resource else {}
    answer = frame.get("/app/board", view="week", **alone, **asked)
    assert answer.status_code == 200
    return answer.text


def lanes_of(page: str) -> dict[str, str]:
    """What stands in the column of each day."""
    return {day: inner for day, _, inner in LANE.findall(page)}


def test_each_day_has_its_own_column_and_says_how_much_is_taken(installed: Installed) -> None:
    resource = room(installed, name="«Ока»", hours=DAYTIME)
    number = booked(installed, resource, 3, 3, title="Планёрка")  # on Tuesday, 12:00–15:00
    page = week(installed.open(MANAGER), resource)
    columns = lanes_of(page)
    assert list(columns) == [f"2026-03-{day:02}" for day in range(9, 16)]
    assert f'class="b conf lag s48 n12" href="#{number}"><b>12:00–15:00</b> Планёрка</a>' in columns["2026-03-10"]
    assert "Планёрка" not in columns["2026-03-11"]
    assert "Вт, 10 занято 25 %" in words(page)
    assert "Ср, 11 занято 0 %" in words(page)
    assert "9–15 марта" in words(page)
    assert 'class="nowv s36"' in columns["2026-03-10"]


def test_a_column_tells_where_its_minutes_are_counted_from(installed: Installed) -> None:
    resource = room(installed, hours=DAYTIME)
    page = week(installed.open(MANAGER), resource)
    origins = [int(origin) for _, origin, _ in LANE.findall(page)]
    assert {later - earlier for earlier, later in pairwise(origins)} == {24 * 3600}
    lane = re.findall(r'<div class="lane v[^>]*>', page)[0]
    assert f'data-r="{resource.id}" data-step="30"' in lane
    assert 'data-from="36" data-span="48"' in lane


def test_who_may_not_book_gets_no_free_time_to_click_on(installed: Installed) -> None:
    resource = room(installed)
    frame = installed.open(MANAGER)
    installed.change(payment_expired=True)
    page = week(frame, resource)
    assert "data-r=" not in page
    assert "free-1" not in page


def test_who_may_see_busy_only_sees_no_more(installed: Installed) -> None:
    resource = room(installed)
    number = booked(installed, resource, title="Тайное")
    with installed.tx() as tx:
        tx.execute(delete(Grant))
        tx.add(Grant(portal_id=installed.portal().id, scope="everything", code="AU", right="busy"))
    frame = installed.open(EMPLOYEE)
    for page in (week(frame, resource), week(frame)):
        assert "Занято" in page
        assert "Тайное" not in page
        assert f"#{number}" not in page
        assert "No-shows" not in page


@pytest.mark.parametrize("day", ["2000-01-02", "2000-01-05", "2026-03-29", "2026-10-25", "2100-01-01"])
def test_any_week_of_any_year_is_drawn(installed: Installed, day: str) -> None:
    resource = room(installed, time_zone="Europe/Berlin", holidays="DE")
    frame = installed.open(MANAGER)
    assert len(lanes_of(week(frame, resource, day=day))) == 7
    assert 'class="wrow' in week(frame, day=day)


def test_on_the_day_of_a_clock_change_times_stand_beside_their_hours(installed: Installed) -> None:
    """Where the night is in sight, the column tells its own hours instead."""
    daily = room(installed, time_zone="Europe/Berlin", hours=DAYTIME, horizon_days=400)
    always = room(installed, time_zone="Europe/Berlin", horizon_days=400)
    frame = installed.open(MANAGER)
    sunday = lanes_of(week(frame, daily, day="2026-03-29"))["2026-03-29"]
    assert 'class="shut s84' in sunday
    assert "wown" not in sunday
    night = lanes_of(week(frame, always, day="2026-03-29"))
    assert "wown s8" in night["2026-03-29"]
    assert ">03:00<" in night["2026-03-29"]
    assert "wown" not in night["2026-03-28"]


def test_closed_days_say_why(installed: Installed) -> None:
    resource = room(installed, hours=DAYTIME, holidays="RU")
    with installed.tx() as tx:
        closed = ClosureData(date(2026, 3, 12), resource_id=resource.id, reason="Ремонт")
        save_closure(tx, installed.portal(), closed, viewer=ADMIN_VIEWER, now=NOW)
    page = week(installed.open(MANAGER), resource)
    assert "Международный женский день" in lanes_of(page)["2026-03-09"]
    assert "Ремонт" in lanes_of(page)["2026-03-12"]


def test_places_of_a_pool_stand_side_by_side_and_many_are_counted(installed: Installed) -> None:
    few, many = room(installed, units=2), room(installed, units=6)
    for resource in (few, many):
        for name in ("Первая", "Вторая"):
            booked(installed, resource, 1, 1, title=name)
    frame = installed.open(MANAGER)
    beside = lanes_of(week(frame, few))["2026-03-10"]
    assert "s40 n4 o2 u1" in beside
    assert "s40 n4 o2 u2" in beside
    counted_ = lanes_of(week(frame, many))["2026-03-10"]
    assert "cnt-u" in counted_
    assert "2 из 6" in words(counted_)


def test_the_card_beside_tells_the_week_and_offers_free_time(installed: Installed) -> None:
    resource = room(installed, name="«Ока»", hours=DAYTIME, city="Москва", capacity=8)
    booked(installed, resource, 1, 2)
    page = week(installed.open(MANAGER, LANG="en"), resource)
    side = words(page[page.index('class="card wside"') :])
    for said in ("«Ока» Москва", "Capacity 8 people", "taken 2 h of 84 h", "Bookings 1", "Tue, 12:00–21:00"):
        assert said in side
    offers = re.findall(r'id="free-\d"[^>]*hx-get="([^"]+)"', page)
    assert len(offers) == 3
    asked = dict(parse_qsl(urlsplit(html.unescape(offers[0])).query))
    answer = installed.open(MANAGER).get("/app/bookings/new", **asked)
    assert answer.status_code == 200
    assert 'value="12:00"' in answer.text


def test_revenue_is_for_those_who_take_the_money(installed: Installed) -> None:
    desk = Desk(installed, room(installed, name="Studio"))
    desk.book(desk.service(tariff=Tariff("Hourly", "hour", Decimal(500))), 1)
    said = {who: words(week(desk.open(who), desk.room)) for who in (ADMIN, MANAGER)}
    assert "Awaiting payment RUB 500" in said[ADMIN]
    assert "Awaiting payment" not in said[MANAGER]
    assert "Portrait" in said[MANAGER]


def test_the_week_of_several_has_a_cell_for_each_day(installed: Installed) -> None:
    first, second = room(installed, name="«Волга»"), room(installed, name="«Ока»")
    for number in range(5):
        booked(installed, first, 1 + number, title=f"Встреча {number}")
    booked(installed, second, 25, title="Завтра")
    page = week(installed.open(MANAGER, LANG="en"))
    rows = dict(re.findall(r'id="w(\d+)">(.*?)(?=<div class="wrow|</div>\s*</div>\s*</div>)', page, re.DOTALL))
    assert [name for name in ("Встреча 0", "Встреча 2", "Встреча 3") if name in rows[str(first.id)]] == [
        "Встреча 0", "Встреча 2",
    ]  # fmt: skip
    assert "2 more" in words(rows[str(first.id)])
    assert "Завтра" in rows[str(second.id)]
    assert f"resource={first.id}" in rows[str(first.id)]


def test_a_resource_that_is_gone_gives_way_to_all(installed: Installed) -> None:
    room(installed, name="«Волга»")
    page = installed.open(MANAGER).get("/app/board", view="week", resource=987_654)
    assert page.status_code == 200
    assert 'class="wrow' in page.text


def test_arrows_go_from_week_to_week_and_from_resource_to_resource(installed: Installed) -> None:
    first, second = room(installed, name="«Волга»"), room(installed, name="«Ока»")
    page = week(installed.open(MANAGER), first, day="2026-03-12")
    assert 'data-previous="2026-03-05" data-next="2026-03-19"' in page
    after = re.findall(r'id="resource-next"[^>]*hx-get="([^"]+)"', page)[0]
    assert f"resource={second.id}" in after
    assert re.search(r'id="resource-previous"[^>]*aria-disabled="true"', page)


def test_the_week_costs_few_statements(installed: Installed) -> None:
    resources = [room(installed, name=f"Зал {number}") for number in range(3)]
    for one in resources:
        booked(installed, one)
    frame = installed.open(MANAGER)
    with counted(installed.engine) as statements:
        week(frame, resources[0])
    assert len(statements) <= 10, "\n".join(statements)
