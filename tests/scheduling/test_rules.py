"""Rules and offers: one table of cases for each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from b24app.scheduling.availability import free_intervals, nearest
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy, violations
from b24app.scheduling.stage import Stage, may_follow

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)
POLICY = Policy(min_minutes=30, max_minutes=240, step_minutes=30, horizon_days=60)
OPEN = [Interval(NOW, NOW + timedelta(hours=9))]


def at(start_minutes: float, minutes: float) -> Interval:
    start = NOW + timedelta(minutes=start_minutes)
    return Interval(start, start + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("wanted", "codes"),
    [
        (at(60, 60), set()),
        (at(0, 30), set()),
        (at(-60, 60), {"past", "outside_hours"}),
        (at(60, 300), {"too_long"}),
        (at(60, 15), {"too_short", "off_grid"}),
        (at(70, 60), {"off_grid"}),
        (at(60.5, 60), {"off_grid"}),
        (at(510, 60), {"outside_hours"}),
        (at(61 * 24 * 60, 60), {"beyond_horizon", "outside_hours"}),
        (at(60, 10 * 365 * 24 * 60), {"too_long", "outside_hours"}),
    ],
)
def test_every_broken_rule_comes_back_at_once(wanted: Interval, codes: set[str]) -> None:
    assert {v.code for v in violations(POLICY, wanted, OPEN, MOSCOW, NOW)} == codes


def test_a_violation_names_its_field_and_the_limit() -> None:
    (broken,) = violations(POLICY, at(60, 300), OPEN, MOSCOW, NOW)
    assert (broken.at, broken.params) == ("end", {"minutes": 240})


def test_free_time_begins_now_and_leaves_out_what_is_taken() -> None:
    free = free_intervals([at(-120, 600)], [at(60, 60)], NOW)
    assert free == [at(0, 60), at(120, 360)]


def test_nearest_offers_do_not_overlap_and_are_the_closest() -> None:
    offers = nearest([at(0, 60), at(120, 360)], at(60, 60), 30, MOSCOW)
    assert offers == [at(0, 60), at(120, 60), at(180, 60)]


def test_nothing_is_offered_that_does_not_fit() -> None:
    assert nearest([at(0, 45)], at(60, 60), 30, MOSCOW) == []


def test_offers_start_on_the_local_grid() -> None:
    kathmandu = ZoneInfo("Asia/Kathmandu")  # +05:45
    (first, *_) = nearest([at(0, 300)], at(0, 60), 60, kathmandu)
    assert first.start.astimezone(kathmandu).minute == 0


@pytest.mark.parametrize(
    ("now", "then", "allowed"),
    [
        (Stage.CONFIRMED, Stage.CANCELLED, True),
        (Stage.CANCELLED, Stage.COMPLETED, False),
        (Stage.PREBOOKED, Stage.EXPIRED, True),
        (Stage.COMPLETED, Stage.CANCELLED, False),
    ],
)
def test_stages_follow_each_other(now: Stage, then: Stage, allowed: bool) -> None:
    assert may_follow(now, then) is allowed
