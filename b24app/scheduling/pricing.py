"""What a booking costs, in exact decimals.

A quote is made once and kept with the booking: its lines say how the price came about, and their sum is the total.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Self
from zoneinfo import ZoneInfo

from b24app.scheduling.hours import DAY_MINUTES
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import share
from b24app.scheduling.stage import Payment

BASES = ("slot", "hour", "day", "fixed")
EXTRA_PER = ("booking", "hour", "person")
# One below 1 stands for the currency's own minor unit.
ROUNDINGS = (Decimal("0.01"), Decimal(1), Decimal(10), Decimal(50), Decimal(100))
MOST_MONEY = Decimal(100_000_000)
MOST_OF_AN_EXTRA = 1000
MOST_PARTY = 100_000
DAY = timedelta(days=1)
WEEK = frozenset(range(7))
# ISO 4217; the others have two decimals.
MINOR_DIGITS = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
         "XPF"), 0
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}  # fmt: skip

MonthDay = tuple[int, int]


def minor_digits(currency: str) -> int:
    """How many decimals amounts of this currency have."""
    return MINOR_DIGITS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class PriceRule:
    """A price for some days and hours of the wall clock. `season`: first and last day, may pass the new year.

    `group`: the clients it is for, "" for everybody.
    """

    price: Decimal
    weekdays: frozenset[int] = WEEK
    from_minute: int = 0
    until_minute: int = DAY_MINUTES
    season: tuple[MonthDay, MonthDay] | None = None
    group: str = ""

    def fits(self, local: datetime) -> bool:
        minute = local.hour * 60 + local.minute
        return (
            local.weekday() in self.weekdays
            and self.from_minute <= minute < self.until_minute
            and self.in_season(local.date())
        )

    def in_season(self, day: date) -> bool:
        if self.season is None:
            return True
        (first, last), today = self.season, (day.month, day.day)
        return first <= today <= last if first <= last else today >= first or today <= last

    def as_dict(self) -> dict[str, Any]:
        return {
            "price": str(self.price),
            "weekdays": sorted(self.weekdays),
            "from_minute": self.from_minute,
            "until_minute": self.until_minute,
            "season": [list(one) for one in self.season] if self.season else None,
            "group": self.group,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        season = data.get("season")
        return cls(
            Decimal(data["price"]),
            frozenset(data.get("weekdays", WEEK)),
            data.get("from_minute", 0),
            data.get("until_minute", DAY_MINUTES),
            ((season[0][0], season[0][1]), (season[1][0], season[1][1])) if season else None,
            data.get("group", ""),
        )


@dataclass(frozen=True, slots=True)
class Extra:
    """Something ordered with it: once, for each hour, or for each person of the party."""

    code: str
    name: str
    price: Decimal
    per: str = "booking"

    def as_dict(self) -> dict[str, Any]:
        return {"code": self.code, "name": self.name, "price": str(self.price), "per": self.per}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(data["code"], data["name"], Decimal(data["price"]), data.get("per", "booking"))


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices for a slot, an hour, a day or the whole. The first of `rules` that fits wins, `price` is for the rest."""

    name: str
    basis: str
    price: Decimal | None
    rules: tuple[PriceRule, ...] = ()
    extras: tuple[Extra, ...] = ()
    deposit_percent: int = 100
    rounding: Decimal = ROUNDINGS[0]
    slot_minutes: int = 60

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it; amounts are strings."""
        return {
            "name": self.name,
            "basis": self.basis,
            "price": None if self.price is None else str(self.price),
            "rules": [rule.as_dict() for rule in self.rules],
            "extras": [extra.as_dict() for extra in self.extras],
            "deposit_percent": self.deposit_percent,
            "rounding": str(self.rounding),
            "slot_minutes": self.slot_minutes,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            data["name"],
            data["basis"],
            None if data["price"] is None else Decimal(data["price"]),
            tuple(PriceRule.from_dict(one) for one in data.get("rules", ())),
            tuple(Extra.from_dict(one) for one in data.get("extras", ())),
            data.get("deposit_percent", 100),
            Decimal(data.get("rounding", ROUNDINGS[0])),
            data.get("slot_minutes", 60),
        )


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """One line. `kind`: "time", "extra", "rounding", "fee" or "adjustment"; `text`: the name of an extra.

    `amount` is exact; `quantity` is for people and shows hours to four decimals only. `params` of time: `from` and
    `until` in ISO, `minutes`, `basis`; of an extra: `code`, `count`, `per`.
    """

    kind: str
    text: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def as_dict(self) -> dict[str, Any]:
        amounts = {"quantity": self.quantity, "unit_price": self.unit_price, "amount": self.amount}
        plain = {name: str(value) for name, value in amounts.items()}
        return {"kind": self.kind, "text": self.text, "params": dict(self.params), **plain}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        quantity, unit_price, amount = (Decimal(data[name]) for name in ("quantity", "unit_price", "amount"))
        return cls(data["kind"], data["text"], quantity, unit_price, amount, data["params"])


@dataclass(frozen=True, slots=True)
class Quote:
    """Price lines, their sum, and what of it is asked for in advance."""

    lines: tuple[QuoteLine, ...]
    total: Decimal
    deposit: Decimal
    currency: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it; amounts are strings."""
        return {
            "lines": [line.as_dict() for line in self.lines],
            "total": str(self.total),
            "deposit": str(self.deposit),
            "currency": self.currency,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        lines = tuple(QuoteLine.from_dict(one) for one in data["lines"])
        return cls(lines, Decimal(data["total"]), Decimal(data["deposit"]), data["currency"])


class NoQuote(ValueError):
    """There is no price for this wish: `fields` maps the field of the form to a code."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(dict(fields))
        self.fields = dict(fields)


def quote(
    tariff: Tariff,
    interval: Interval,
    zone: ZoneInfo,
    currency: str,
    *,
    group: str = "",
    party: int = 1,
    extras: Mapping[str, int] | None = None,
) -> Quote:
    """The price of `interval` by the wall clock of `zone`, with so many of each extra (by code).

    Raises NoQuote for extras or a party that cannot be, and for a time that the tariff leaves out.
    """
    chosen = dict(extras or {})
    _check_wish(tariff, party, chosen)
    digits = minor_digits(currency)
    lines = list(_time_lines(tariff, interval, zone, digits, group))
    lines += _extra_lines(tariff, interval.duration, digits, party, chosen)
    lines += _rounding_lines(sum((line.amount for line in lines), Decimal(0)), tariff.rounding)
    total = _exact(sum((line.amount for line in lines), Decimal(0)), digits)
    return Quote(tuple(lines), total, share(total, tariff.deposit_percent, digits), currency)


def _check_wish(tariff: Tariff, party: int, chosen: Mapping[str, int]) -> None:
    known = {extra.code for extra in tariff.extras}
    wrong = {} if 1 <= party <= MOST_PARTY else {"party": "out_of_range"}
    wrong |= {f"extras-{code}": "out_of_range" for code, n in chosen.items() if not 0 <= n <= MOST_OF_AN_EXTRA}
    wrong |= {f"extras-{code}": "unknown_choice" for code in chosen if code not in known}
    if wrong:
        raise NoQuote(wrong)


def _exact(amount: Decimal, digits: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the time that is charged at one price; `local` is the time that chooses the rule."""

    during: Interval
    local: datetime


def _time_lines(tariff: Tariff, interval: Interval, zone: ZoneInfo, digits: int, group: str) -> Iterator[QuoteLine]:
    """A line for each stretch of one price."""
    rules = [rule for rule in tariff.rules if rule.group in ("", group)]
    for price, run in itertools.groupby(
        _pieces(tariff, interval, zone), lambda piece: _price(rules, tariff.price, piece.local)
    ):
        pieces = [piece.during for piece in run]
        during = Interval(pieces[0].start, pieces[-1].end)
        if tariff.basis == "hour":
            quantity, amount = _hours(during.duration), _pro_rata(price, during.duration)
        else:
            quantity, amount = Decimal(len(pieces)), price * len(pieces)
        yield QuoteLine("time", "", quantity, price, _exact(amount, digits), _told(tariff.basis, during))


def _told(basis: str, during: Interval) -> dict[str, Any]:
    minutes = during.duration // timedelta(minutes=1)
    return {"basis": basis, "from": during.start.isoformat(), "until": during.end.isoformat(), "minutes": minutes}


def _price(rules: Sequence[PriceRule], otherwise: Decimal | None, local: datetime) -> Decimal:
    price = next((rule.price for rule in rules if rule.fits(local)), otherwise)
    if price is None:
        raise NoQuote({"start": "no_price"})
    return price


def _pro_rata(price: Decimal, duration: timedelta) -> Decimal:
    # Multiplied first: an hour's third has no last decimal, and a half would be rounded down by it.
    return price * _seconds(duration) / 3600


def _hours(duration: timedelta) -> Decimal:
    hours = Decimal(_seconds(duration)) / 3600
    return hours if hours == round(hours, 4) else round(hours, 4)


def _seconds(duration: timedelta) -> int:
    return duration // timedelta(seconds=1)


def _pieces(tariff: Tariff, interval: Interval, zone: ZoneInfo) -> Iterator[_Piece]:
    """What is counted: begun slots, begun days, stretches of one rule, or the whole."""
    if tariff.basis == "slot":
        return _slots(interval, zone, max(1, tariff.slot_minutes))
    if tariff.basis == "day":
        return _days(interval, zone)
    if tariff.basis == "hour":
        return _stretches(interval, zone, {edge for rule in tariff.rules for edge in _edges(rule)})
    return iter([_Piece(interval, interval.start.astimezone(zone))])


def _slots(interval: Interval, zone: ZoneInfo, minutes: int) -> Iterator[_Piece]:
    start = interval.start
    while start < interval.end:
        end = min(start + timedelta(minutes=minutes), interval.end)
        yield _Piece(Interval(start, end), start.astimezone(zone))
        start = end


def _days(interval: Interval, zone: ZoneInfo) -> Iterator[_Piece]:
    """Begun days of 24 hours. One of 25, from 10:00 to 10:00 when clocks go back, is one day as well."""
    start, local = interval.start, interval.start.astimezone(zone)
    for n in itertools.count(1):
        end = min(max(interval.start + n * DAY, (local + n * DAY).astimezone(start.tzinfo)), interval.end)
        yield _Piece(Interval(start, end), local + (n - 1) * DAY)
        if end == interval.end:
            return
        start = end


def _edges(rule: PriceRule) -> tuple[timedelta, timedelta]:
    return timedelta(minutes=rule.from_minute), timedelta(minutes=rule.until_minute)


def _stretches(interval: Interval, zone: ZoneInfo, edges: set[timedelta]) -> Iterator[_Piece]:
    """`interval` cut where the wall clock shows midnight or one of `edges`, and where the clock is changed."""
    marks = sorted(edges | {DAY})
    start = interval.start
    while start < interval.end:
        end = min(_next_cut(start, zone, marks), interval.end)
        yield _Piece(Interval(start, end), start.astimezone(zone))
        start = end


def _next_cut(start: datetime, zone: ZoneInfo, marks: Sequence[timedelta]) -> datetime:
    local = start.astimezone(zone)
    shown = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    cut = start + (next(mark for mark in marks if mark > shown) - shown)
    changed = cut.astimezone(zone).utcoffset() != local.utcoffset()
    return _clock_change(start.replace(microsecond=0), cut, zone) if changed else cut


def _clock_change(start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """The first second after `start`, `end` at the latest, at which the clock is another than at `start`."""

    def offset(seconds: int) -> timedelta | None:
        return (start + timedelta(seconds=seconds)).astimezone(zone).utcoffset()

    before = offset(0)
    whole = range(_seconds(end - start))
    return start + timedelta(seconds=bisect_left(whole, True, key=lambda n: offset(n) != before))


def _extra_lines(
    tariff: Tariff, duration: timedelta, digits: int, party: int, chosen: Mapping[str, int]
) -> Iterator[QuoteLine]:
    for extra in tariff.extras:
        count = chosen.get(extra.code, 0)
        if not count:
            continue
        quantity, amount = Decimal(count), extra.price * count
        if extra.per == "hour":
            quantity, amount = _hours(duration * count), _pro_rata(extra.price * count, duration)
        elif extra.per == "person":
            quantity, amount = Decimal(count * party), amount * party
        params = {"code": extra.code, "count": count, "per": extra.per}
        yield QuoteLine("extra", extra.name, quantity, extra.price, _exact(amount, digits), params)


def _rounding_lines(amount: Decimal, step: Decimal) -> list[QuoteLine]:
    """What is missing up to the nearest whole step, or too much; amounts are exact to the minor unit already."""
    if step < 1:
        return []
    missing = _exact(amount / step, 0) * step - amount
    return [QuoteLine("rounding", "", Decimal(1), missing, missing, {"step": str(step)})] if missing else []


def payment_state(price: Decimal, paid: Decimal, refunded: Decimal) -> Payment:
    """Where the money stands: of the price in force, of everything paid, and of what was given back."""
    net = paid - refunded
    if price <= 0 and net <= 0:
        return Payment.REFUNDED if refunded > 0 else Payment.NONE
    if net > max(price, Decimal(0)):
        return Payment.REFUND_DUE
    if net == price:
        return Payment.PAID
    return Payment.PARTLY if net > 0 else Payment.DUE


def is_reached(price: Decimal, deposit: Decimal, paid: Decimal, refunded: Decimal) -> bool:
    """Whether enough is paid to confirm a booking: the deposit, or the whole price where none is asked."""
    asked = deposit or price
    return 0 < asked <= paid - refunded


def check_tariff(tariff: Tariff, currency: str) -> dict[str, str]:
    """A code for every field that cannot be saved: "price", "rules-0-until_minute", "extras-1-code", "rules"."""
    wrong = _check_head(tariff, currency)
    for n, rule in enumerate(tariff.rules):
        wrong |= {f"rules-{n}-{name}": code for name, code in _check_rule(rule, currency).items()}
    for n, extra in enumerate(tariff.extras):
        others = {other.code for other in tariff.extras[:n]}
        wrong |= {f"extras-{n}-{name}": code for name, code in _check_extra(extra, others, currency).items()}
    rules_are_right = not any(name.startswith("rules-") for name in wrong)
    if tariff.price is None and rules_are_right and _has_gap(tariff.rules):
        wrong["rules"] = "gap"
    return wrong


def _found(wrong: Mapping[str, str | None]) -> dict[str, str]:
    return {name: code for name, code in wrong.items() if code}


def _check_head(tariff: Tariff, currency: str) -> dict[str, str]:
    return _found(
        {
            "name": _check_text(tariff.name),
            "basis": None if tariff.basis in BASES else "unknown_choice",
            "price": None if tariff.price is None else _check_amount(tariff.price, currency),
            "deposit_percent": None if 0 <= tariff.deposit_percent <= 100 else "out_of_range",
            "rounding": None if tariff.rounding in ROUNDINGS else "unknown_choice",
            "slot_minutes": None if 1 <= tariff.slot_minutes <= DAY_MINUTES else "out_of_range",
        }
    )


def _check_rule(rule: PriceRule, currency: str) -> dict[str, str]:
    return _found(
        {
            "price": _check_amount(rule.price, currency),
            "weekdays": None if rule.weekdays and rule.weekdays <= WEEK else "required",
            "from_minute": None if 0 <= rule.from_minute < DAY_MINUTES else "out_of_range",
            "until_minute": _check_until(rule),
            "season": None if rule.season is None or all(_is_day(one) for one in rule.season) else "not_a_date",
            "group": None if len(rule.group) <= 120 else "too_many_characters",
        }
    )


def _check_until(rule: PriceRule) -> str | None:
    if not 0 < rule.until_minute <= DAY_MINUTES:
        return "out_of_range"
    return None if rule.from_minute < rule.until_minute else "end_before_start"


def _check_extra(extra: Extra, others: set[str], currency: str) -> dict[str, str]:
    return _found(
        {
            "code": "duplicate" if extra.code in others else _check_text(extra.code),
            "name": _check_text(extra.name),
            "price": _check_amount(extra.price, currency),
            "per": None if extra.per in EXTRA_PER else "unknown_choice",
        }
    )


def _check_text(text: str) -> str | None:
    if not text.strip():
        return "required"
    return None if len(text) <= 120 else "too_many_characters"


def _check_amount(amount: Decimal, currency: str) -> str | None:
    if not amount.is_finite():
        return "not_an_amount"
    if not 0 <= amount <= MOST_MONEY:
        return "negative" if amount < 0 else "absurd"
    return None if amount == round(amount, minor_digits(currency)) else "too_many_decimals"


def _is_day(day: MonthDay) -> bool:
    try:
        date(2024, *day)  # a leap year: a season may end on 29 February
    except ValueError:
        return False
    return True


def _has_gap(rules: Sequence[PriceRule]) -> bool:
    """Whether some minute of some day of the year has no price for a client of no group."""
    common = [rule for rule in rules if not rule.group]
    year = (date(2024, 1, 1) + n * DAY for n in range(366))
    seasons = {tuple(rule.in_season(day) for rule in common) for day in year}
    return not all(
        _fill_a_day([rule for rule in itertools.compress(common, season) if weekday in rule.weekdays])
        for season in seasons
        for weekday in WEEK
    )


def _fill_a_day(rules: Sequence[PriceRule]) -> bool:
    reached = 0
    for rule in sorted(rules, key=lambda rule: rule.from_minute):
        if rule.from_minute > reached:
            return False
        reached = max(reached, rule.until_minute)
    return reached >= DAY_MINUTES
