"""Prices: cases whose sums were done by hand, and a slow model that looks at the wall clock minute by minute."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24app.scheduling.hours import local_instant
from b24app.scheduling.interval import Interval
from b24app.scheduling.pricing import (
    Extra,
    NoQuote,
    PriceRule,
    Quote,
    Tariff,
    check_tariff,
    is_reached,
    minor_digits,
    payment_state,
    quote,
)
from b24app.scheduling.stage import Payment
from tests.scheduling.cases import examples

MOSCOW, BERLIN = ZoneInfo("Europe/Moscow"), ZoneInfo("Europe/Berlin")
D = Decimal
HOURLY = Tariff("Зал", "hour", D(800))
EVENING = PriceRule(D(1200), from_minute=18 * 60)
WEEKEND = PriceRule(D(1500), weekdays=frozenset({5, 6}))
PROJECTOR, COFFEE = Extra("projector", "Проектор", D(300), "hour"), Extra("coffee", "Кофе", D(150), "person")
CLEANING = Extra("cleaning", "Уборка", D(500))


def span(start: str, end: str, zone: ZoneInfo = MOSCOW) -> Interval:
    """From when to when by the wall clock, as in "2026-03-10 12:00"; a repeated hour is its first pass."""
    first, last = (datetime.fromisoformat(one).replace(tzinfo=zone).astimezone(UTC) for one in (start, end))
    return Interval(first, last)


def lines(found: Quote) -> list[tuple[str, str, str, str]]:
    return [(line.kind, str(line.quantity), str(line.unit_price), str(line.amount)) for line in found.lines]


def time_of(found: Quote) -> list[Interval]:
    return [
        Interval(datetime.fromisoformat(line.params["from"]), datetime.fromisoformat(line.params["until"]))
        for line in found.lines
        if line.kind == "time"
    ]


# -- by the hour


@pytest.mark.parametrize(
    ("end", "quantity", "amount"),
    [
        ("12:00", "2", "1600.00"),
        ("11:30", "1.5", "1200.00"),
        ("10:50", "0.8333", "666.67"),
        ("10:01", "0.0167", "13.33"),
    ],
)
def test_an_hourly_price_is_charged_to_the_minute(end: str, quantity: str, amount: str) -> None:
    found = quote(HOURLY, span("2026-03-10 10:00", f"2026-03-10 {end}"), MOSCOW, "RUB")
    assert lines(found) == [("time", quantity, "800", amount)]
    assert str(found.total) == str(found.deposit) == amount


def test_a_price_is_split_where_the_rule_changes() -> None:
    tariff = replace(HOURLY, rules=(WEEKEND, EVENING))
    found = quote(tariff, span("2026-03-13 16:00", "2026-03-14 01:00"), MOSCOW, "RUB")  # Friday into Saturday
    assert [line[1:] for line in lines(found)] == [
        ("2", "800", "1600.00"),
        ("6", "1200", "7200.00"),
        ("1", "1500", "1500.00"),
    ]
    assert found.total == 10_300


def test_the_first_rule_that_fits_wins() -> None:
    saturday_evening = span("2026-03-14 18:00", "2026-03-14 19:00")
    assert quote(replace(HOURLY, rules=(WEEKEND, EVENING)), saturday_evening, MOSCOW, "RUB").total == 1500
    assert quote(replace(HOURLY, rules=(EVENING, WEEKEND)), saturday_evening, MOSCOW, "RUB").total == 1200


def test_midnight_alone_makes_no_new_line() -> None:
    found = quote(HOURLY, span("2026-03-10 22:00", "2026-03-11 02:00"), MOSCOW, "RUB")
    assert [line.params["minutes"] for line in found.lines] == [240]


@pytest.mark.parametrize(
    ("day", "fits"),
    [("2026-12-30", False), ("2026-12-31", True), ("2027-01-08", True), ("2027-01-09", False), ("2026-07-01", False)],
)
def test_a_season_may_pass_the_new_year(day: str, fits: bool) -> None:
    assert PriceRule(D(1), season=((12, 31), (1, 8))).in_season(date.fromisoformat(day)) is fits


def test_a_rule_for_a_group_is_for_nobody_else() -> None:
    tariff = replace(HOURLY, rules=(PriceRule(D(500), group="resident"),))
    hour = span("2026-03-10 10:00", "2026-03-10 11:00")
    totals = [quote(tariff, hour, MOSCOW, "RUB", group=group).total for group in ("", "resident", "partner")]
    assert totals == [800, 500, 800]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        # Clocks go from 2:00 to 3:00: of 1:00 to 4:00 two hours remain, one before and one after the change.
        ("2026-03-29 01:00", "2026-03-29 04:00", [("1", "100"), ("1", "300")]),
        # Clocks go from 3:00 back to 2:00: the hour of the rule comes twice.
        ("2026-10-25 01:00", "2026-10-25 04:00", [("1", "100"), ("2", "200"), ("1", "300")]),
    ],
)
def test_rules_follow_the_wall_clock_over_a_change(start: str, end: str, expected: list[tuple[str, str]]) -> None:
    tariff = Tariff(
        "Ночь",
        "hour",
        D(100),
        (PriceRule(D(200), from_minute=120, until_minute=180), PriceRule(D(300), from_minute=180)),
    )
    found = quote(tariff, span(start, end, BERLIN), BERLIN, "EUR")
    assert [line[1:3] for line in lines(found)] == expected


def test_a_rule_that_ends_within_a_repeated_hour_applies_in_both_passes() -> None:
    tariff = Tariff("Ночь", "hour", D(60), (PriceRule(D(120), from_minute=120, until_minute=150),))
    found = quote(tariff, span("2026-10-25 02:00", "2026-10-25 04:00", BERLIN), BERLIN, "EUR")
    assert [(line.params["minutes"], int(line.unit_price)) for line in found.lines] == [
        (30, 120),
        (30, 60),
        (30, 120),
        (90, 60),
    ]


# -- by the slot, by the day, once


def test_a_begun_slot_is_charged_whole_at_the_price_of_its_start() -> None:
    tariff = Tariff("Стул", "slot", D(400), (EVENING,), slot_minutes=45)
    found = quote(tariff, span("2026-03-10 16:30", "2026-03-10 18:50"), MOSCOW, "RUB")
    assert lines(found) == [("time", "2", "400", "800.00"), ("time", "2", "1200", "2400.00")]
    assert time_of(found)[1] == span("2026-03-10 18:00", "2026-03-10 18:50")


@pytest.mark.parametrize(
    ("end", "days"),
    [("2026-03-10 11:00", 1), ("2026-03-11 10:00", 1), ("2026-03-11 10:01", 2), ("2026-03-13 09:00", 3)],
)
def test_a_begun_day_is_charged_whole(end: str, days: int) -> None:
    found = quote(Tariff("Фургон", "day", D(3000)), span("2026-03-10 10:00", end), MOSCOW, "RUB")
    assert found.total == 3000 * found.lines[0].quantity == 3000 * days


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-10-24 10:00", "2026-10-25 10:00"),  # 25 hours, the same time on the next day
        ("2026-03-28 10:00", "2026-03-29 10:00"),  # 23 hours
        ("2026-03-28 10:00", "2026-03-29 11:00"),  # 24 hours
    ],
)
def test_a_change_of_the_clock_makes_nobody_pay_for_another_day(start: str, end: str) -> None:
    assert quote(Tariff("Фургон", "day", D(90)), span(start, end, BERLIN), BERLIN, "EUR").total == 90


def test_each_day_has_the_price_of_the_date_it_begins_on() -> None:
    tariff = Tariff("Фургон", "day", D(3000), (WEEKEND,))
    found = quote(tariff, span("2026-03-12 23:30", "2026-03-16 23:30"), MOSCOW, "RUB")  # Thursday to Monday
    assert [line[1:3] for line in lines(found)] == [("2", "3000"), ("2", "1500")]


def test_a_fixed_price_is_that_of_the_start_however_long() -> None:
    tariff = Tariff("Стрижка", "fixed", D(2000), (EVENING,))
    assert quote(tariff, span("2026-03-10 17:59", "2026-03-10 21:00"), MOSCOW, "RUB").total == 2000
    assert quote(tariff, span("2026-03-10 18:00", "2026-03-10 18:10"), MOSCOW, "RUB").total == 1200


def test_there_is_no_quote_for_a_time_that_the_tariff_leaves_out() -> None:
    tariff = Tariff("Вечер", "hour", None, (EVENING,))
    assert quote(tariff, span("2026-03-10 18:00", "2026-03-10 20:00"), MOSCOW, "RUB").total == 2400
    with pytest.raises(NoQuote) as caught:
        quote(tariff, span("2026-03-10 17:00", "2026-03-10 20:00"), MOSCOW, "RUB")
    assert caught.value.fields == {"start": "no_price"}


# -- extras, rounding, deposit


def test_extras_are_charged_once_by_the_hour_and_by_the_person() -> None:
    tariff = replace(HOURLY, extras=(PROJECTOR, COFFEE, CLEANING))
    wish = {"cleaning": 1, "coffee": 2, "projector": 2}
    found = quote(tariff, span("2026-03-10 10:00", "2026-03-10 11:30"), MOSCOW, "RUB", party=4, extras=wish)
    assert lines(found)[1:] == [
        ("extra", "3", "300", "900.00"),
        ("extra", "8", "150", "1200.00"),
        ("extra", "1", "500", "500.00"),
    ]
    assert [line.text for line in found.lines] == ["", "Проектор", "Кофе", "Уборка"]
    assert found.total == 3800


def test_none_of_an_extra_makes_no_line() -> None:
    tariff = replace(HOURLY, extras=(PROJECTOR,))
    found = quote(tariff, span("2026-03-10 10:00", "2026-03-10 11:00"), MOSCOW, "RUB", extras={"projector": 0})
    assert len(found.lines) == 1


@pytest.mark.parametrize(
    ("extras", "party", "wrong"),
    [
        ({"sauna": 1}, 1, {"extras-sauna": "unknown_choice"}),
        ({"projector": -1}, 1, {"extras-projector": "out_of_range"}),
        ({"projector": 1001}, 0, {"extras-projector": "out_of_range", "party": "out_of_range"}),
    ],
)
def test_extras_that_cannot_be_are_refused_by_field(extras: dict[str, int], party: int, wrong: dict[str, str]) -> None:
    hour = span("2026-03-10 10:00", "2026-03-10 11:00")
    with pytest.raises(NoQuote) as caught:
        quote(replace(HOURLY, extras=(PROJECTOR,)), hour, MOSCOW, "RUB", party=party, extras=extras)
    assert caught.value.fields == wrong


@pytest.mark.parametrize(
    ("minutes", "step", "rounding", "total"),
    [
        (49, "50", "-3.33", "650.00"),
        (51, "50", "20.00", "700.00"),
        (45, "100", None, "600.00"),
        (50, "1", "0.33", "667.00"),
    ],
)
def test_rounding_is_a_line_of_its_own_halves_upwards(
    minutes: int, step: str, rounding: str | None, total: str
) -> None:
    start = span("2026-03-10 10:00", "2026-03-10 11:00").start
    found = quote(replace(HOURLY, rounding=D(step)), Interval(start, start + timedelta(minutes=minutes)), MOSCOW, "RUB")
    assert [str(line.amount) for line in found.lines if line.kind == "rounding"] == [rounding] * (rounding is not None)
    assert str(found.total) == total


def test_half_a_step_is_rounded_upwards() -> None:
    tariff = Tariff("Час", "fixed", D(25), rounding=D(50))
    assert quote(tariff, span("2026-03-10 10:00", "2026-03-10 11:00"), MOSCOW, "RUB").total == 50


@pytest.mark.parametrize(
    ("currency", "total", "deposit"),
    [("RUB", "333.33", "100.00"), ("JPY", "333", "100"), ("KWD", "333.333", "100.000")],
)
def test_amounts_are_exact_to_the_minor_unit_of_their_currency(currency: str, total: str, deposit: str) -> None:
    tariff = Tariff("Час", "hour", D(1000), deposit_percent=30)
    found = quote(tariff, span("2026-03-10 10:00", "2026-03-10 10:20"), MOSCOW, currency)
    assert (str(found.total), str(found.deposit)) == (total, deposit)


def test_half_a_minor_unit_is_not_lost_in_a_third_of_an_hour() -> None:
    tariff = Tariff("Час", "hour", D("0.06"))
    assert quote(tariff, span("2026-03-10 10:00", "2026-03-10 10:05"), MOSCOW, "RUB").total == D("0.01")


def test_currencies_have_their_digits() -> None:
    assert [minor_digits(code) for code in ("RUB", "USD", "JPY", "KWD", "???")] == [2, 2, 0, 3, 2]


# -- kept as JSON


def test_tariffs_and_quotes_come_back_from_json_as_they_were() -> None:
    rule = PriceRule(D("1.50"), frozenset({6, 0}), 60, 120, ((12, 31), (1, 8)), "resident")
    tariff = Tariff("Зал", "hour", None, (rule, EVENING, WEEKEND), (COFFEE, CLEANING), 30, D(50), 15)
    assert Tariff.from_dict(json.loads(json.dumps(tariff.as_dict()))) == tariff
    evening = span("2026-03-10 18:00", "2026-03-10 19:20")
    found = quote(tariff, evening, MOSCOW, "RUB", party=2, extras={"coffee": 1})
    assert Quote.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def test_a_tariff_needs_no_more_than_its_head_in_json() -> None:
    assert Tariff.from_dict({"name": "Зал", "basis": "hour", "price": "800"}) == HOURLY
    assert PriceRule.from_dict({"price": "5"}) == PriceRule(D(5))
    assert Extra.from_dict({"code": "a", "name": "A", "price": "5"}) == Extra("a", "A", D(5))


# -- against a slow model

ZONES = {
    # Each with changes of its clock in 2026: an hour, half an hour, at midnight, a quarter off, none.
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "Africa/Cairo": (date(2026, 4, 24), date(2026, 10, 29)),
    "America/Santiago": (date(2026, 4, 4), date(2026, 9, 6)),
    "Pacific/Chatham": (date(2026, 4, 5), date(2026, 9, 27)),
    "Europe/Moscow": (date(2026, 3, 9), date(2026, 12, 31)),
}
money = st.integers(0, 500_000).map(lambda cents: D(cents) / 100)
near_changes = st.sampled_from([(ZoneInfo(name), day) for name, days in ZONES.items() for day in days])


@st.composite
def rules(draw: st.DrawFn) -> PriceRule:
    first, last = sorted(draw(st.sets(st.integers(0, 48), min_size=2, max_size=2)))
    season = draw(
        st.none()
        | st.tuples(
            st.tuples(st.integers(1, 12), st.integers(1, 28)), st.tuples(st.integers(1, 12), st.integers(1, 28))
        )
    )
    weekdays = draw(st.frozensets(st.integers(0, 6), min_size=1))
    return PriceRule(draw(money), weekdays, first * 30, last * 30, season, draw(st.sampled_from(["", "", "resident"])))


@st.composite
def wishes(draw: st.DrawFn) -> tuple[ZoneInfo, Interval]:
    zone, day = draw(near_changes)
    start = local_instant(day, draw(st.integers(-600, 1440)), zone)
    return zone, Interval(start, start + timedelta(minutes=draw(st.integers(1, 900))))


def slow_price(tariff: Tariff, local: datetime, group: str) -> Decimal:
    for rule in tariff.rules:
        starts = local.replace(hour=0, minute=0) + timedelta(minutes=rule.from_minute)
        ends = local.replace(hour=0, minute=0) + timedelta(minutes=rule.until_minute)
        right_day = local.weekday() in rule.weekdays and rule.in_season(local.date())
        if right_day and starts <= local < ends and rule.group in ("", group):
            return rule.price
    assert tariff.price is not None
    return tariff.price


def cents(amount: Fraction) -> Decimal:
    return (D(amount.numerator * 100) / D(amount.denominator)).quantize(D(1), ROUND_HALF_UP) / 100


@pytest.mark.prove
@examples(200, 10_000)
@given(wishes(), st.lists(rules(), max_size=4), money, st.sampled_from(["", "resident"]))
def test_hourly_prices_are_those_of_each_minutes_wall_clock(
    wish: tuple[ZoneInfo, Interval], found_rules: list[PriceRule], price: Decimal, group: str
) -> None:
    zone, during = wish
    tariff = Tariff("Зал", "hour", price, tuple(found_rules))
    minutes = [during.start + timedelta(minutes=n) for n in range(during.duration // timedelta(minutes=1))]
    walls = [minute.astimezone(zone).replace(tzinfo=None) for minute in minutes]
    runs = [
        (unit_price, len(list(run)))
        for unit_price, run in itertools.groupby(slow_price(tariff, wall, group) for wall in walls)
    ]
    found = quote(tariff, during, zone, "RUB", group=group)
    assert [(line.unit_price, line.params["minutes"]) for line in found.lines] == runs
    assert [line.amount for line in found.lines] == [cents(Fraction(each) * n / 60) for each, n in runs]


@pytest.mark.prove
@examples(100, 5000)
@given(wishes(), st.lists(rules(), max_size=3), st.sampled_from(["slot", "hour", "day", "fixed"]), st.integers(1, 240))
def test_the_lines_of_time_cover_the_interval_exactly(
    wish: tuple[ZoneInfo, Interval], found_rules: list[PriceRule], basis: str, slot: int
) -> None:
    zone, during = wish
    found = quote(Tariff("Зал", basis, D(100), tuple(found_rules), slot_minutes=slot), during, zone, "RUB")
    pieces = time_of(found)
    assert (pieces[0].start, pieces[-1].end) == (during.start, during.end)
    assert all(a.end == b.start for a, b in itertools.pairwise(pieces))
    assert all(a.unit_price != b.unit_price for a, b in itertools.pairwise(found.lines))


@pytest.mark.prove
@examples(100, 5000)
@given(
    wishes(),
    st.lists(rules(), max_size=2),
    st.sampled_from(["slot", "hour", "day", "fixed"]),
    st.lists(st.tuples(money, st.sampled_from(["booking", "hour", "person"]), st.integers(0, 5)), max_size=3),
    st.sampled_from([D("0.01"), D(1), D(10), D(50), D(100)]),
    st.integers(0, 100),
    st.sampled_from(["RUB", "JPY", "KWD"]),
)
def test_the_lines_add_up_to_the_total(
    wish: tuple[ZoneInfo, Interval], found_rules: list[PriceRule], basis: str,
    ordered: list[tuple[Decimal, str, int]], step: Decimal, percent: int, currency: str,
) -> None:  # fmt: skip
    extras = tuple(Extra(str(n), "Кофе", price, per) for n, (price, per, _) in enumerate(ordered))
    tariff = Tariff("Зал", basis, D("99.99"), tuple(found_rules), extras, percent, step)
    chosen = {str(n): count for n, (_, _, count) in enumerate(ordered)}
    found = quote(tariff, wish[1], wish[0], currency, party=3, extras=chosen)
    assert sum(line.amount for line in found.lines) == found.total >= found.deposit >= 0
    assert all(line.amount == round(line.amount, minor_digits(currency)) for line in found.lines)
    rounded = [line.amount for line in found.lines if line.kind == "rounding"]
    assert all(-step / 2 < amount <= step / 2 for amount in rounded)
    assert step < 1 or found.total % step == 0


@pytest.mark.prove
@examples(60, 3000)
@given(wishes(), st.integers(0, 10_000))
def test_twice_as_long_costs_twice_as_much_by_the_hour(wish: tuple[ZoneInfo, Interval], cents_a_minute: int) -> None:
    zone, once = wish
    tariff = Tariff("Зал", "hour", D(cents_a_minute * 60) / 100)
    twice = Interval(once.start, once.end + once.duration)
    assert quote(tariff, twice, zone, "RUB").total == 2 * quote(tariff, once, zone, "RUB").total


# -- where the money stands


@pytest.mark.parametrize(
    ("price", "paid", "refunded", "state"),
    [
        (0, 0, 0, Payment.NONE),
        (0, 100, 0, Payment.REFUND_DUE),
        (0, 100, 40, Payment.REFUND_DUE),
        (0, 100, 100, Payment.REFUNDED),
        (0, 100, 120, Payment.REFUNDED),
        (100, 0, 0, Payment.DUE),
        (100, 99, 0, Payment.PARTLY),
        (100, 100, 0, Payment.PAID),
        (100, 101, 0, Payment.REFUND_DUE),
        (100, 101, 1, Payment.PAID),
        (100, 100, 1, Payment.PARTLY),
        (100, 100, 100, Payment.DUE),
        (100, 0, 5, Payment.DUE),
    ],
)
def test_the_payment_state_follows_from_three_sums(price: int, paid: int, refunded: int, state: Payment) -> None:
    assert payment_state(D(price), D(paid), D(refunded)) is state


@pytest.mark.parametrize(
    ("price", "deposit", "paid", "refunded", "reached"),
    [
        (100, 30, 30, 0, True),
        (100, 30, 29, 0, False),
        (100, 30, 40, 11, False),
        (100, 0, 99, 0, False),
        (100, 0, 100, 0, True),
        (0, 0, 0, 0, False),
        (0, 0, 5, 0, False),
    ],
)
def test_the_deposit_is_enough_and_without_one_the_price(
    price: int, deposit: int, paid: int, refunded: int, reached: bool
) -> None:
    assert is_reached(D(price), D(deposit), D(paid), D(refunded)) is reached


# -- refused when saved

ALL_DAY = PriceRule(D(100))


WRONG: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {}),
    ({"name": "  "}, {"name": "required"}),
    ({"name": "я" * 121}, {"name": "too_many_characters"}),
    ({"basis": "week"}, {"basis": "unknown_choice"}),
    ({"price": D(-1)}, {"price": "negative"}),
    ({"price": D(100_000_001)}, {"price": "absurd"}),
    ({"price": D("1E+40")}, {"price": "absurd"}),
    ({"price": D("NaN")}, {"price": "not_an_amount"}),
    ({"price": D("0.001")}, {"price": "too_many_decimals"}),
    ({"price": D("100.000")}, {}),
    ({"price": D(0)}, {}),
    ({"deposit_percent": 101}, {"deposit_percent": "out_of_range"}),
    ({"deposit_percent": -1}, {"deposit_percent": "out_of_range"}),
    ({"rounding": D(7)}, {"rounding": "unknown_choice"}),
    ({"slot_minutes": 0}, {"slot_minutes": "out_of_range"}),
    ({"rules": (ALL_DAY, PriceRule(D(-5)))}, {"rules-1-price": "negative"}),
    ({"rules": (PriceRule(D(5), frozenset()),)}, {"rules-0-weekdays": "required"}),
    ({"rules": (PriceRule(D(5), frozenset({7})),)}, {"rules-0-weekdays": "required"}),
    (
        {"rules": (PriceRule(D(5), from_minute=600, until_minute=600),)},
        {"rules-0-until_minute": "end_before_start"},
    ),
    ({"rules": (PriceRule(D(5), until_minute=1441),)}, {"rules-0-until_minute": "out_of_range"}),
    ({"rules": (PriceRule(D(5), from_minute=-1),)}, {"rules-0-from_minute": "out_of_range"}),
    ({"rules": (PriceRule(D(5), season=((2, 30), (3, 1))),)}, {"rules-0-season": "not_a_date"}),
    ({"rules": (PriceRule(D(5), season=((2, 29), (3, 1))),)}, {}),
    ({"rules": (PriceRule(D(5), group="я" * 121),)}, {"rules-0-group": "too_many_characters"}),
    ({"extras": (Extra("", "", D(5)),)}, {"extras-0-code": "required", "extras-0-name": "required"}),
    ({"extras": (CLEANING, replace(CLEANING, name="Ещё"))}, {"extras-1-code": "duplicate"}),
    (
        {"extras": (replace(CLEANING, price=D("0.005"), per="mile"),)},
        {"extras-0-price": "too_many_decimals", "extras-0-per": "unknown_choice"},
    ),
]


@pytest.mark.parametrize(("changed", "wrong"), WRONG)
def test_a_tariff_that_makes_no_sense_is_refused_by_field(changed: dict[str, Any], wrong: dict[str, str]) -> None:
    assert check_tariff(replace(HOURLY, **changed), "RUB") == wrong


def test_decimals_are_those_of_the_currency() -> None:
    tariff = replace(HOURLY, price=D("0.5"))
    assert [bool(check_tariff(tariff, currency)) for currency in ("RUB", "JPY")] == [False, True]


WORKDAYS = PriceRule(D(100), frozenset(range(5)))
WHOLE_WEEKEND = PriceRule(D(100), frozenset({5, 6}))
SUMMER, WINTER = ((4, 1), (10, 31)), ((11, 1), (3, 31))


@pytest.mark.parametrize(
    ("found_rules", "gap"),
    [
        ((), True),
        ((ALL_DAY,), False),
        ((WORKDAYS,), True),
        ((WORKDAYS, WHOLE_WEEKEND), False),
        ((WORKDAYS, replace(WHOLE_WEEKEND, until_minute=1439)), True),
        ((replace(ALL_DAY, until_minute=720), replace(ALL_DAY, from_minute=720)), False),
        ((replace(ALL_DAY, until_minute=720), replace(ALL_DAY, from_minute=721)), True),
        ((replace(ALL_DAY, season=SUMMER), replace(ALL_DAY, season=WINTER)), False),
        ((replace(ALL_DAY, season=SUMMER), replace(ALL_DAY, season=((11, 1), (3, 30)))), True),
        ((replace(ALL_DAY, season=((3, 1), (2, 28))),), True),  # 29 February
        ((replace(ALL_DAY, group="resident"),), True),
    ],
)
def test_without_a_main_price_the_rules_may_leave_no_gap(found_rules: tuple[PriceRule, ...], gap: bool) -> None:
    assert check_tariff(replace(HOURLY, price=None, rules=found_rules), "RUB") == ({"rules": "gap"} if gap else {})


def test_a_gap_is_not_looked_for_among_rules_that_are_wrong() -> None:
    wrong = check_tariff(replace(HOURLY, price=None, rules=(replace(ALL_DAY, until_minute=0),)), "RUB")
    assert wrong == {"rules-0-until_minute": "out_of_range"}


@pytest.mark.prove
@examples(60, 3000)
@given(st.lists(rules(), min_size=1, max_size=4), st.booleans(), wishes())
def test_a_tariff_that_can_be_saved_has_a_price_for_every_minute(
    found_rules: list[PriceRule], filled: bool, wish: tuple[ZoneInfo, Interval]
) -> None:
    tariff = Tariff("Зал", "hour", None, (*found_rules, *((ALL_DAY,) if filled else ())))
    if check_tariff(tariff, "RUB"):
        assert not filled
        return
    assert quote(tariff, wish[1], wish[0], "RUB").lines
