"""The company's rules: a table of cases for each, every limit at its very border."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24app.scheduling.hours import Reason
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import (
    Policy,
    Quota,
    Rung,
    Violation,
    change_violations,
    check_policy,
    expires_at,
    fee,
    no_show_fee,
    quota_window,
    violations,
)
from tests.scheduling.cases import examples

MOSCOW, BERLIN = ZoneInfo("Europe/Moscow"), ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
POLICY = Policy(min_minutes=30, max_minutes=240, step_minutes=30, horizon_days=60)
THREE_A_DAY = Quota("client", "day", 3)
HOURS_A_WEEK = Quota("department", "week", 240, "minutes")
LADDER = (Rung(48, 50), Rung(2, 100))


def at(start_minutes: float, minutes: float) -> Interval:
    start = NOW + timedelta(minutes=start_minutes)
    return Interval(start, start + timedelta(minutes=minutes))


def broken(policy: Policy, wanted: Interval, **more: Any) -> list[Violation]:
    return violations(policy, wanted, NOW, MOSCOW, **{"closed": None, "used": {}, **more})


@pytest.mark.parametrize(
    ("wanted", "codes"),
    [
        (at(60, 60), set()),
        (at(0, 30), set()),
        (at(60, 240), set()),
        (at(-60, 60), {"past"}),
        (at(60, 270), {"too_long"}),
        (at(60, 15), {"too_short", "off_grid"}),
        (at(70, 60), {"off_grid"}),
        (at(60.5, 60), {"off_grid"}),
        (at(60, 45), {"off_grid"}),
        (at(60 * 24 * 60, 60), set()),
        (at(60 * 24 * 60 + 30, 60), {"beyond_horizon"}),
        (at(-45, 10 * 365 * 24 * 60 + 1), {"past", "too_long", "off_grid"}),
    ],
)
def test_every_broken_rule_comes_back_at_once(wanted: Interval, codes: set[str]) -> None:
    assert {one.code for one in broken(POLICY, wanted)} == codes


def test_all_rules_can_be_broken_together() -> None:
    strict = replace(POLICY, notice_minutes=600, quotas=(THREE_A_DAY,))
    found = broken(strict, at(70, 250), closed=Reason("hours", {"hours": ""}), used={THREE_A_DAY: 3})
    assert [one.code for one in found] == ["too_long", "off_grid", "off_grid", "outside_hours", "notice", "quota"]


@pytest.mark.parametrize(
    ("policy", "wanted", "code", "setting"),
    [
        (POLICY, at(60, 300), "too_long", "service.max_minutes"),
        (replace(POLICY, min_minutes=60), at(60, 30), "too_short", "service.min_minutes"),
        (POLICY, at(75, 60), "off_grid", "service.step_minutes"),
        (POLICY, at(61 * 24 * 60, 60), "beyond_horizon", "service.horizon_days"),
        (replace(POLICY, notice_minutes=120), at(60, 60), "notice", "rules.notice_minutes"),
        (replace(POLICY, quotas=(Quota("person", "month", 0),)), at(60, 60), "quota", "rules.quotas"),
    ],
)
def test_a_violation_names_the_setting_that_it_comes_from(
    policy: Policy, wanted: Interval, code: str, setting: str
) -> None:
    (found,) = broken(policy, wanted)
    assert (found.code, found.setting) == (code, setting)


def test_a_violation_names_its_field_and_the_limit() -> None:
    (found,) = broken(POLICY, at(60, 300))
    assert (found.at, found.params) == ("end", {"minutes": 240})


def test_a_violation_of_named_rules_carries_their_name() -> None:
    (found,) = broken(replace(POLICY, notice_minutes=120, name="Аренда"), at(60, 60))
    assert found.params == {"minutes": 120, "rules": "Аренда"}


@pytest.mark.parametrize(
    ("reason", "setting"),
    [
        (Reason("closure", {"reason": "Ремонт"}), "resource.closures"),
        (Reason("holiday", {"day": "2026-03-10"}), "company.holidays"),
        (Reason("special_hours", {"hours": "10:00–14:00"}), "resource.special_hours"),
        (Reason("hours", {"hours": "9:00–18:00"}), "resource.hours"),
    ],
)
def test_closed_time_says_why_and_where_it_is_set(reason: Reason, setting: str) -> None:
    (found,) = broken(POLICY, at(60, 60), closed=reason)
    assert found == Violation("outside_hours", "start", {"closed": reason.code, **reason.params}, setting)


def test_a_fixed_service_may_last_a_part_of_a_step() -> None:
    fixed = replace(POLICY, min_minutes=50, max_minutes=50)
    assert broken(fixed, at(60, 50)) == []
    assert [one.at for one in broken(fixed, at(70, 50))] == ["start"]


@pytest.mark.parametrize(("minutes", "codes"), [(119, ["notice"]), (120, []), (0, ["notice"]), (-1, ["past"])])
def test_notice_ends_at_the_minute_and_the_past_needs_no_notice(minutes: int, codes: list[str]) -> None:
    rules = replace(POLICY, step_minutes=1, notice_minutes=120)
    assert [one.code for one in broken(rules, at(minutes, 60))] == codes


@pytest.mark.parametrize(
    ("quota", "used", "minutes", "refused"),
    [
        (THREE_A_DAY, 2, 60, False),
        (THREE_A_DAY, 3, 60, True),
        (HOURS_A_WEEK, 180, 60, False),
        (HOURS_A_WEEK, 180, 90, True),
        (HOURS_A_WEEK, 0, 240, False),
    ],
)
def test_a_quota_counts_this_booking_as_well(quota: Quota, used: int, minutes: int, refused: bool) -> None:
    found = broken(replace(POLICY, quotas=(quota,)), at(60, minutes), used={quota: used})
    assert [one.code for one in found] == ["quota"] * refused
    assert all(one.params["used"] == used and one.params["limit"] == quota.limit for one in found)


def test_each_quota_that_is_exceeded_is_named() -> None:
    rules = replace(POLICY, quotas=(THREE_A_DAY, HOURS_A_WEEK))
    found = broken(rules, at(60, 60), used={THREE_A_DAY: 3, HOURS_A_WEEK: 200})
    assert [one.params["per"] for one in found] == ["client", "department"]


def test_approvers_need_no_notice_and_have_no_quota_but_keep_all_other_rules() -> None:
    rules = replace(POLICY, notice_minutes=600, quotas=(THREE_A_DAY,))
    assert broken(rules, at(60, 60), used={THREE_A_DAY: 9}, exempt=True) == []
    found = broken(rules, at(-40, 300), closed=Reason("hours", {}), used={THREE_A_DAY: 9}, exempt=True)
    assert {one.code for one in found} == {"past", "too_long", "off_grid", "outside_hours"}


# -- cancelling and moving


@pytest.mark.parametrize(
    ("action", "left", "moves", "codes"),
    [
        ("cancel", timedelta(hours=24), 0, []),
        ("cancel", timedelta(hours=24) - SECOND, 0, ["cancel_deadline"]),
        ("cancel", timedelta(hours=48), 9, []),
        ("move", timedelta(hours=3), 0, []),
        ("move", timedelta(hours=3) - SECOND, 0, ["move_deadline"]),
        ("move", timedelta(hours=3), 1, []),
        ("move", timedelta(hours=3), 2, ["most_moves"]),
        ("move", timedelta(hours=1), 2, ["move_deadline", "most_moves"]),
        ("cancel", timedelta(0), 0, ["already_started"]),
        ("move", -SECOND, 0, ["already_started"]),
    ],
)
def test_changes_have_a_deadline_to_the_second_and_moves_a_number(
    action: Literal["cancel", "move"], left: timedelta, moves: int, codes: list[str]
) -> None:
    rules = replace(POLICY, cancel_until_minutes=24 * 60, move_until_minutes=180, most_moves=2)
    found = change_violations(rules, action, NOW + left, NOW, moves=moves)
    assert [one.code for one in found] == codes
    assert change_violations(rules, action, NOW + left, NOW, moves=moves, exempt=True) == []


@pytest.mark.parametrize("action", ["cancel", "move"])
def test_up_to_the_start_when_nothing_is_said(action: Literal["cancel", "move"]) -> None:
    assert change_violations(POLICY, action, NOW + SECOND, NOW, moves=100) == []


@pytest.mark.parametrize("action", ["cancel", "move"])
@pytest.mark.parametrize("exempt", [True, False])
def test_nobody_changes_what_is_over(action: Literal["cancel", "move"], exempt: bool) -> None:
    hour = timedelta(hours=1)
    (found,) = change_violations(POLICY, action, NOW - hour, NOW, ends=NOW, exempt=exempt)
    assert found.code == "already_over"
    running = change_violations(POLICY, action, NOW - hour, NOW, ends=NOW + SECOND, exempt=exempt)
    assert [one.code for one in running] == ([] if exempt else ["already_started"])


def test_a_deadline_names_its_setting() -> None:
    rules = replace(POLICY, cancel_until_minutes=60, name="Аренда")
    (found,) = change_violations(rules, "cancel", NOW + SECOND, NOW)
    assert (found.setting, found.params) == ("rules.cancel_until_minutes", {"minutes": 60, "rules": "Аренда"})


# -- fees


@pytest.mark.parametrize(
    ("left", "percent"),
    [
        (timedelta(hours=48) + SECOND, 0),
        (timedelta(hours=48), 0),
        (timedelta(hours=48) - SECOND, 50),
        (timedelta(hours=2), 50),
        (timedelta(hours=2) - SECOND, 100),
        (timedelta(0), 100),
        (-timedelta(hours=5), 100),
    ],
)
def test_the_fee_climbs_its_ladder_to_the_second(left: timedelta, percent: int) -> None:
    for ladder in (LADDER, LADDER[::-1]):
        assert fee(ladder, Decimal(2400), NOW + left, NOW, 2) == Decimal(24) * percent


def test_fees_are_exact_to_the_minor_unit_with_halves_upwards() -> None:
    price, third = Decimal("100.01"), (Rung(1, 50),)
    assert fee(third, price, NOW, NOW, 2) == Decimal("50.01")
    assert fee(third, price, NOW, NOW, 0) == Decimal(50)
    assert str(no_show_fee(replace(POLICY, no_show_percent=33), Decimal("0.10"), 2)) == "0.03"
    assert fee((), price, NOW, NOW, 2) == 0


rungs = st.lists(st.builds(Rung, st.integers(1, 100), st.integers(0, 100)), max_size=4).map(tuple)


@pytest.mark.prove
@examples(60, 3000)
@given(rungs, st.integers(0, 110 * 60), st.integers(0, 110 * 60))
def test_a_ladder_that_can_be_saved_never_gets_cheaper_towards_the_start(
    ladder: tuple[Rung, ...], one: int, other: int
) -> None:
    if check_policy(replace(POLICY, cancel_ladder=ladder)):
        return
    late, early = sorted((one, other))
    fees = [fee(ladder, Decimal(100), NOW + timedelta(minutes=left), NOW, 2) for left in (early, late)]
    assert 0 <= fees[0] <= fees[1] <= 100


# -- terms and periods


@pytest.mark.parametrize(
    ("rules", "approval", "minutes"),
    [
        (POLICY, False, None),
        (replace(POLICY, hold_minutes=15), False, 15),
        (replace(POLICY, winner="payment", hold_minutes=15), False, 24 * 60),
        (replace(POLICY, winner="manager", decide_minutes=90), False, 90),
        (replace(POLICY, approval_minutes=45), True, 45),
        (replace(POLICY, winner="payment", approval_minutes=45), True, 45),
    ],
)
def test_how_long_a_new_booking_waits(rules: Policy, approval: bool, minutes: int | None) -> None:
    starts = NOW + timedelta(days=30)
    expected = None if minutes is None else NOW + timedelta(minutes=minutes)
    assert expires_at(rules, NOW, starts, needs_approval=approval) == expected


def test_nothing_waits_past_its_start() -> None:
    starts = NOW + timedelta(minutes=10)
    assert expires_at(replace(POLICY, hold_minutes=15), NOW, starts, needs_approval=False) == starts


@pytest.mark.parametrize(
    ("period", "first", "after"),
    [
        # 30 March 2026 is a Monday, the day after the clocks went forward in Berlin.
        ("day", datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("week", datetime(2026, 3, 22, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("month", datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)),
        ("ahead", NOW, None),
    ],
)
def test_the_period_of_a_quota_is_the_local_one_of_the_wish(
    period: str, first: datetime, after: datetime | None
) -> None:
    starts = datetime(2026, 3, 29, 21, 59, tzinfo=UTC)  # Sunday 23:59 in Berlin
    assert quota_window(Quota("client", period, 1), starts, NOW, BERLIN) == (first, after)


@pytest.mark.parametrize(("month", "days"), [(2, 28), (12, 31), (4, 30)])
def test_months_end_where_they_end(month: int, days: int) -> None:
    first, after = quota_window(Quota("client", "month", 1), datetime(2026, month, 15, tzinfo=UTC), NOW, MOSCOW)
    assert after is not None
    assert after - first == timedelta(days=days)


# -- frozen in a booking


FULL = replace(
    POLICY, notice_minutes=60, winner="payment", hold_minutes=1, most_moves=0, cancel_ladder=LADDER,
    move_ladder=LADDER[:1], no_show_percent=100, after_end="ask", quotas=(THREE_A_DAY, HOURS_A_WEEK), name="Аренда",
)  # fmt: skip


@pytest.mark.parametrize("policy", [POLICY, FULL])
def test_rules_come_back_from_json_as_they_were(policy: Policy) -> None:
    kept = json.loads(json.dumps(policy.as_dict()))
    assert kept == policy.as_dict()
    assert Policy.from_dict(kept) == policy


def test_older_bookings_know_fewer_rules_and_newer_ones_more() -> None:
    old = {"min_minutes": 30, "max_minutes": 240, "step_minutes": 30, "horizon_days": 60}
    assert Policy.from_dict(old) == Policy.from_dict({**old, "of_tomorrow": 1}) == POLICY


# -- refused when saved


WRONG: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {}),
    ({"min_minutes": 0}, {"min_minutes": "out_of_range"}),
    ({"min_minutes": 300}, {"min_minutes": "min_over_max"}),
    ({"step_minutes": 0}, {"step_minutes": "out_of_range"}),
    ({"horizon_days": 0}, {"horizon_days": "out_of_range"}),
    ({"notice_minutes": -1}, {"notice_minutes": "out_of_range"}),
    ({"notice_minutes": 60 * 24 * 60 + 1}, {"notice_minutes": "notice_over_horizon"}),
    ({"notice_minutes": 10**9}, {"notice_minutes": "out_of_range"}),
    ({"winner": "loudest"}, {"winner": "unknown_choice"}),
    ({"after_end": "explode"}, {"after_end": "unknown_choice"}),
    ({"hold_minutes": -5, "decide_minutes": 0}, {"hold_minutes": "out_of_range", "decide_minutes": "out_of_range"}),
    ({"approval_minutes": 0}, {"approval_minutes": "out_of_range"}),
    ({"pay_minutes": -1}, {"pay_minutes": "out_of_range"}),
    ({"cancel_until_minutes": -1}, {"cancel_until_minutes": "out_of_range"}),
    ({"move_until_minutes": 10**7}, {"move_until_minutes": "out_of_range"}),
    ({"most_moves": -1}, {"most_moves": "out_of_range"}),
    ({"most_moves": 0}, {}),
    ({"no_show_percent": 101}, {"no_show_percent": "out_of_range"}),
    ({"name": "я" * 121}, {"name": "too_many_characters"}),
    ({"quotas": (Quota("client", "day", 0),)}, {"quotas-0-limit": "quota_zero"}),
    ({"quotas": (Quota("client", "day", -1),)}, {"quotas-0-limit": "negative"}),
    ({"quotas": (Quota("client", "day", 10**9),)}, {"quotas-0-limit": "absurd"}),
    ({"quotas": (Quota("client", "day", 29, "minutes"),)}, {"quotas-0-limit": "quota_too_small"}),
    ({"quotas": (Quota("client", "day", 30, "minutes"),)}, {}),
    ({"quotas": (THREE_A_DAY, Quota("client", "day", 5))}, {"quotas-1-per": "duplicate"}),
    ({"quotas": (THREE_A_DAY, Quota("client", "week", 5))}, {}),
    (
        {"quotas": (Quota("cat", "year", 1, "miles"),)},
        dict.fromkeys(("quotas-0-per", "quotas-0-period", "quotas-0-unit"), "unknown_choice"),
    ),
    ({"cancel_ladder": LADDER, "move_ladder": LADDER[::-1]}, {}),
    ({"cancel_ladder": (Rung(24, 50), Rung(2, 50))}, {}),
    ({"cancel_ladder": (Rung(24, 50), Rung(2, 49))}, {"cancel_ladder-1-percent": "fee_falls"}),
    ({"move_ladder": (Rung(2, 20), Rung(24, 50))}, {"move_ladder-0-percent": "fee_falls"}),
    ({"cancel_ladder": (Rung(24, 50), Rung(24, 100))}, {"cancel_ladder-1-hours": "same_hours"}),
    (
        {"cancel_ladder": (Rung(0, 101),)},
        {"cancel_ladder-0-hours": "out_of_range", "cancel_ladder-0-percent": "out_of_range"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "wrong"), WRONG)
def test_rules_that_make_no_sense_are_refused_by_field(changed: dict[str, Any], wrong: dict[str, str]) -> None:
    assert check_policy(replace(POLICY, **changed)) == wrong
