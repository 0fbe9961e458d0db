"""When lanes are open, and why not otherwise: weeks, single dates, holidays, closures, composites."""

from __future__ import annotations

import json
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from b24app.ledger.spread import BoardResource
from b24app.scheduling.hours import day_interval
from b24app.web.opening import Opening, openings

ZONE = "Europe/Moscow"
MARCH_12 = date(2026, 3, 12)  # a Thursday
WEEK = " ".join(f"{weekday}:540:1080" for weekday in range(5))  # Monday to Friday, 9:00–18:00


def resource(resource_id: int = 1, **changed: Any) -> BoardResource:
    plain = BoardResource(resource_id, "room", "«Ока»", "", 1, ZONE, 30, "", False, WEEK, None, None, None, None)
    return plain._replace(**changed)


def opened(*resources: BoardResource, day: date = MARCH_12) -> Opening:
    """How the first of them is open on that day; the others are what it is made of."""
    every = {one.id: one for one in resources}
    return openings(resources[:1], every, day_interval(day, ZoneInfo(ZONE)))[resources[0].id]


def hours(spans: Any, day: date = MARCH_12) -> list[tuple[float, float]]:
    """Spans as hours after midnight."""
    midnight = day_interval(day, ZoneInfo(ZONE)).start.timestamp()
    return [((span[0] - midnight) / 3600, (span[1] - midnight) / 3600) for span in spans]


def closure(start: float, end: float, reason: str = "Ремонт", day: date = MARCH_12) -> list[Any]:
    midnight = int(day_interval(day, ZoneInfo(ZONE)).start.timestamp())
    return [midnight + int(start * 3600), midnight + int(end * 3600), reason]


def test_an_ordinary_day_has_the_hours_of_its_week_and_no_reasons() -> None:
    found = opened(resource())
    assert hours(found.hours) == [(9, 18)]
    assert hours(found.gaps) == [(0, 9), (18, 24)]
    assert {gap.reason.code for gap in found.gaps} == {"hours"}
    assert not found.unusual


def test_a_day_without_hours_is_closed() -> None:
    assert hours(opened(resource(week=None)).gaps) == [(0, 24)]


def test_the_night_before_reaches_into_the_day() -> None:
    assert hours(opened(resource(week="2:1320:1560 3:1320:1560")).hours) == [(0, 2), (22, 24)]


def test_special_hours_replace_the_week_and_say_so() -> None:
    found = opened(resource(days="2026-03-12:600:720 2026-03-12:780:840"))
    assert hours(found.hours) == [(10, 12), (13, 14)]
    assert {gap.reason.code for gap in found.gaps} == {"special_hours"}
    assert found.gaps[0].reason.params["hours"] == "10:00–12:00, 13:00–14:00"
    assert found.unusual


def test_a_single_date_may_be_closed_altogether() -> None:
    found = opened(resource(days="2026-03-12"))
    assert hours(found.gaps) == [(0, 24)]
    assert found.gaps[0].reason.code == "special_hours"


def test_special_hours_of_another_day_change_nothing() -> None:
    assert opened(resource(days="2026-03-15:600:720")).hours == opened(resource()).hours


def test_a_public_holiday_is_closed_for_who_keeps_it() -> None:
    day = date(2026, 5, 1)  # a Friday
    found = opened(resource(holidays="RU"), day=day)
    assert [gap.reason.code for gap in found.gaps] == ["holiday"]
    assert hours(opened(resource(), day=day).hours, day) == [(9, 18)]


def test_a_working_saturday_has_the_hours_of_friday() -> None:
    day = date(2024, 4, 27)  # worked in exchange for 29 April
    assert hours(opened(resource(holidays="RU"), day=day).hours, day) == [(9, 18)]
    assert opened(resource(), day=day).hours == []


def test_a_closure_lies_over_the_hours_and_is_taken_from_what_is_free() -> None:
    found = opened(resource(closures=json.dumps([closure(12, 14)])))
    assert hours(found.hours) == [(9, 18)]
    assert hours(found.closures) == [(12, 14)]
    assert hours(found.free) == [(9, 12), (14, 18)]
    assert found.closures[0].reason.params == {"reason": "Ремонт"}
    assert found.unusual


def test_a_closure_is_cut_to_the_day_and_one_of_another_day_is_left_out() -> None:
    found = opened(resource(closures=json.dumps([closure(-30, 12), closure(24, 30)])))
    assert hours(found.closures) == [(0, 12)]
    assert hours(found.free) == [(12, 18)]


def test_a_composite_is_open_where_it_and_all_its_parts_are() -> None:
    parts = (
        resource(2, week="3:600:1200"),
        resource(3, week="3:480:1020", closures=json.dumps([closure(11, 12, "Уборка")])),
    )
    found = opened(resource(parts=[2, 3], closures=json.dumps([closure(8, 9.5)])), *parts)
    assert hours(found.hours) == [(10, 17)]
    assert hours(found.gaps) == [(0, 10), (17, 24)]
    assert hours(found.free) == [(10, 11), (12, 17)]
    assert [one.reason.params["reason"] for one in found.closures] == ["Ремонт", "Уборка"]


def test_a_composite_of_composites_asks_all_of_them() -> None:
    found = opened(resource(parts=[2]), resource(2, parts=[3]), resource(3, week="3:720:780"))
    assert hours(found.hours) == [(12, 13)]


def test_a_closure_of_the_whole_company_stands_once_on_a_composite() -> None:
    company = json.dumps([closure(9, 24, "Переезд")])
    found = opened(resource(parts=[2], closures=company), resource(2, closures=company))
    assert hours(found.closures) == [(9, 24)]


def test_why_a_composite_is_closed_is_told_by_the_part_that_is() -> None:
    found = opened(resource(parts=[2]), resource(2, days="2026-03-12:600:720"))
    assert [(*span, gap.reason.code) for span, gap in zip(hours(found.gaps), found.gaps, strict=True)] == [
        (0, 9, "hours"), (9, 10, "special_hours"), (12, 24, "special_hours"),
    ]  # fmt: skip


@pytest.mark.parametrize(("zone", "first"), [("Asia/Yekaterinburg", 7), ("Europe/Berlin", 11)])
def test_hours_are_those_of_the_resources_own_clock(zone: str, first: int) -> None:
    assert hours(opened(resource(time_zone=zone)).hours)[0][0] == first
