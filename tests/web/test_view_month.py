"""The month: shares of the hours that are taken, by resource and day; and the weeks of one resource."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from sqlalchemy import delete

from b24app.booking.closures import ClosureData, save_closure
from b24app.ledger.models import Grant, Resource
from b24app.scheduling.hours import OpeningHours
from tests.conftest import NOW
from tests.factories import ADMIN as ADMIN_VIEWER
from tests.stand import EMPLOYEE, MANAGER, Frame
from tests.web.desk import Desk, words
from tests.web.installed import Installed
from tests.web.test_board import booked, counted, room

TEN_HOURS = tuple(OpeningHours(day, 9 * 60, 19 * 60) for day in range(5))
CELL = re.compile(r"<a role=gridcell tabindex=-1 class=(\"[^\"]+\"|\w+)>([^<]*)</a>")
TODAY = 10  # of March 2026, a Tuesday; it is nine o'clock in Moscow


def month(frame: Frame, resource: Resource | None = None, **asked: Any) -> str:
    alone = {"resource": resource.id} if resource else {}
    answer = frame.get("/app/board", view="month", **alone, **asked)
    assert answer.status_code == 200
    return answer.text


def cells(page: str, resource: Resource) -> dict[int, tuple[str, str]]:
    """Look and text of each day of a resource's row."""
    row = page[page.index(f"id=m{resource.id}>") :]
    found = CELL.findall(row[: row.index("<div class=msum")])
    return {day: (look.strip('"'), text) for day, (look, text) in enumerate(found, 1)}


def average(page: str) -> dict[int, str]:
    return {day: text for day, (_, text) in enumerate(CELL.findall(page[page.index("mfoot") :]), 1)}


def test_a_cell_tells_which_share_of_the_hours_is_taken(installed: Installed) -> None:
    resource = room(installed, hours=TEN_HOURS)
    booked(installed, resource, 1, 4)
    booked(installed, resource, 6, 2.5)
    booked(installed, resource, 24, 5)
    booked(installed, resource, 29, 5)
    row = cells(month(installed.open(MANAGER)), resource)
    assert row[TODAY] == ("q4 today", "65")
    assert row[TODAY + 1] == ("q6", "100")
    assert row[TODAY + 2] == ("q0", "0")
    assert row[14] == ("qx", "")
    assert len(row) == 31


def test_a_pool_is_counted_by_its_places_and_a_composite_by_its_parts(installed: Installed) -> None:
    pool = room(installed, hours=TEN_HOURS, units=4)
    parts = [room(installed, hours=TEN_HOURS, name=name) for name in ("A1", "A2")]
    whole = room(installed, hours=TEN_HOURS, name="A", parts=tuple(one.id for one in parts))
    booked(installed, pool, 1, 2)
    booked(installed, parts[0], 1, 2)
    booked(installed, whole, 4, 3)
    page = month(installed.open(MANAGER))
    assert cells(page, pool)[TODAY][1] == "5"
    assert cells(page, parts[0])[TODAY][1] == "50"
    assert cells(page, parts[1])[TODAY][1] == "30"
    assert cells(page, whole)[TODAY][1] == "40"
    assert average(page)[TODAY] == "17"  # (2 + 5 + 3) of 60 hours: the composite counts once, with its parts


def test_pre_bookings_count_or_not_as_is_chosen(installed: Installed) -> None:
    desk = Desk(installed, room(installed, hours=TEN_HOURS))
    desk.book(desk.service(rules={"winner": "first", "hold_minutes": 600}, min_minutes=60, tariff=None), 1, 2)
    frame = desk.open()
    assert cells(month(frame), desk.room)[TODAY][1] == "20"
    assert cells(month(frame, holds="no"), desk.room)[TODAY][1] == "0"
    installed.stand.now = installed.stand.now.replace(hour=20)
    assert cells(month(desk.open()), desk.room)[TODAY][1] == "0"


def test_what_stands_in_closed_time_is_no_load_but_marked(installed: Installed) -> None:
    resource = room(installed, hours=TEN_HOURS)
    booked(installed, resource, 25, 2)
    with installed.tx() as tx:
        save_closure(tx, installed.portal(), ClosureData(date(2026, 3, 11)), viewer=ADMIN_VIEWER, now=NOW)
    assert cells(month(installed.open(MANAGER)), resource)[TODAY + 1] == ("qx qf", "!")


def test_a_booking_over_midnight_is_part_of_both_days(installed: Installed) -> None:
    resource = room(installed)
    booked(installed, resource, 12, 6)  # from 21 to 3 o'clock
    row = cells(month(installed.open(MANAGER)), resource)
    assert (row[TODAY][1], row[TODAY + 1][1]) == ("12", "12")


def test_who_may_see_busy_only_learns_shares_and_no_names(installed: Installed) -> None:
    resource = room(installed, hours=TEN_HOURS)
    booked(installed, resource, 1, 5, title="Тайное")
    with installed.tx() as tx:
        tx.execute(delete(Grant))
        tx.add(Grant(portal_id=installed.portal().id, scope=f"resource:{resource.id}", code="AU", right="busy"))
    hidden = room(installed, name="Скрытая")
    frame = installed.open(EMPLOYEE)
    page = month(frame)
    assert cells(page, resource)[TODAY][1] == "50"
    assert "Скрытая" not in page
    told = frame.get("/app/board/cell", resource=resource.id, day="2026-03-10").text
    assert "Тайное" not in month(frame, resource) + told
    assert "50" in told
    assert frame.get("/app/board/cell", resource=hidden.id, day="2026-03-10").status_code == 404


def test_a_cell_tells_what_is_still_free(installed: Installed) -> None:
    resource = room(installed, name="«Ока»", hours=TEN_HOURS)
    for start in (1, 3):
        booked(installed, resource, start, 1)
    frame = installed.open(MANAGER, LANG="en")
    told = words(frame.get("/app/board/cell", resource=resource.id, day="2026-03-10").text)
    assert "«Ока»" in told
    assert "20% taken: 2 h of 10 h, 2 bookings" in told
    assert "9:00–10:00, 11:00–12:00, 13:00–19:00" in told
    closed = words(frame.get("/app/board/cell", resource=resource.id, day="2026-03-14").text)
    assert "Closed" in closed


@pytest.mark.parametrize(
    "asked", [{}, {"resource": "x"}, {"resource": "1"}, {"resource": "99999999", "day": "2026-03-10"}]
)
def test_a_cell_that_is_none_is_not_found(installed: Installed, asked: dict[str, str]) -> None:
    room(installed)
    assert installed.open(MANAGER).get("/app/board/cell", **asked).status_code == 404


@pytest.mark.parametrize(
    ("day", "days"), [("2000-01-02", 31), ("2028-02-10", 29), ("2026-10-25", 31), ("2100-01-01", 31)]
)
def test_any_month_is_drawn(installed: Installed, day: str, days: int) -> None:
    resource = room(installed, time_zone="Europe/Berlin", holidays="DE")
    room(installed, time_zone="Asia/Yekaterinburg")
    frame = installed.open(MANAGER)
    assert len(cells(month(frame, day=day), resource)) == days
    assert month(frame, resource, day=day).count('role="gridcell"') % 7 == 0


def test_a_day_of_25_hours_is_full_with_25_hours(installed: Installed) -> None:
    resource = room(installed, time_zone="Europe/Berlin", horizon_days=400)
    start = (date(2026, 10, 24) - date(2026, 3, 10)).days * 24 + 13  # from 21 o'clock in Berlin on Saturday
    for number in range(5):
        booked(installed, resource, start + 8 * number, 8)
    row = cells(month(installed.open(MANAGER), day="2026-10-25"), resource)
    assert row[25] == ("q6", "100")


def test_the_month_of_one_resource_shows_its_weeks(installed: Installed) -> None:
    resource = room(installed, name="«Ока»", hours=TEN_HOURS)
    for number in range(5):
        booked(installed, resource, 1 + number, title=f"Встреча {number}")
    page = month(installed.open(MANAGER, LANG="en"), resource)
    days = re.findall(r'role="gridcell"[^>]* data-day="([^"]+)"', page)
    assert (days[0], days[-1], len(days)) == ("2026-02-23", "2026-04-05", 42)
    tuesday = page[page.index(' data-day="2026-03-10" aria') : page.index(' data-day="2026-03-11" aria')]
    assert "Встреча 2" in tuesday
    assert "Встреча 3" not in tuesday
    assert "2 more" in words(tuesday)
    assert "50 %" in words(tuesday)


def test_weekends_and_holidays_stand_out(installed: Installed) -> None:
    room(installed, holidays="RU")
    heads = re.findall(r'<div role="columnheader" class="([^"]*)"[^>]*><small>', month(installed.open(MANAGER)))
    free = [day for day, look in enumerate(heads, 1) if "wend" in look]
    assert free == [1, 7, 8, 9, 14, 15, 21, 22, 28, 29]
    assert "today" in heads[TODAY - 1]


def test_arrows_go_from_month_to_month(installed: Installed) -> None:
    room(installed)
    frame = installed.open(MANAGER)
    assert 'data-previous="2026-02-28" data-next="2026-04-30"' in month(frame, day="2026-03-31")
    assert 'data-next="2100-01-01"' in month(frame, day="2099-12-31")


def test_the_month_costs_few_statements_however_many_resources(installed: Installed) -> None:
    for number in range(4):
        booked(installed, room(installed, name=f"Зал {number}"))
    frame = installed.open(MANAGER)
    with counted(installed.engine) as statements:
        month(frame)
    assert len(statements) <= 8, "\n".join(statements)
