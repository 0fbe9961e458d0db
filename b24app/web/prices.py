"""Prices, payments and fees in words: for the panel, the forms and the tab of a card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import ngettext

from b24app import texts
from b24app.booking.payments import METHODS
from b24app.ledger import models
from b24app.ledger.occupancy import as_interval
from b24app.ledger.queries import Money
from b24app.messages import MESSAGES
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy, fee, share
from b24app.scheduling.pricing import QuoteLine, minor_digits
from b24app.scheduling.stage import Stage
from b24app.web.standing import Look

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line of a price: what it is for, how it is counted («2 ч × 2 400 ₽») and what it comes to."""

    words: str
    how: str
    amount: str


def lines_in_words(
    language: str, lines: Sequence[QuoteLine], zone: ZoneInfo, currency: str, name: str
) -> list[PriceLine]:
    """The lines of a quote; `name` is what is booked. Several stretches of time are told by their hours."""
    alone = sum(line.kind == "time" for line in lines) == 1
    return [
        PriceLine(
            words=name if line.kind == "time" and alone else _line(language, line, zone, name),
            how=_how(language, line, currency),
            amount=texts.money(language, line.amount, currency),
        )
        for line in lines
    ]


def _line(language: str, line: QuoteLine, zone: ZoneInfo, name: str) -> str:
    if line.kind == "time":
        return _stretch(language, line, zone) or name
    if line.kind == "extra":
        return line.text
    return texts.say(language, next(filter(MESSAGES.__contains__, _codes(line)), line.text))


def _codes(line: QuoteLine) -> tuple[str, str]:
    return f"line.{line.kind}.{line.text}", f"line.{line.kind}"


def _stretch(language: str, line: QuoteLine, zone: ZoneInfo) -> str:
    """From when to when; with the days when it passes midnight."""
    if "from" not in line.params:
        return ""
    start, end = (datetime.fromisoformat(line.params[name]) for name in ("from", "until"))
    same_day = start.astimezone(zone).date() == (end - timedelta(seconds=1)).astimezone(zone).date()
    return texts.span(start, end, zone) if same_day else texts.period(language, start, end, zone)


def _how(language: str, line: QuoteLine, currency: str) -> str:
    """So many at that price; nothing for what is charged once for all."""
    basis = line.params.get("basis")
    if line.kind not in ("time", "extra") or basis == "fixed":
        return ""
    if basis == "hour" or line.params.get("per") == "hour":
        count = texts.duration(language, round(line.quantity * 60))
    elif basis == "day":
        count = texts.say(language, "days", count=int(line.quantity))
    else:
        count = f"{line.quantity.normalize():f}"
    return f"{count} × {texts.money(language, line.unit_price, currency)}"


@dataclass(frozen=True, slots=True)
class Record:
    """One payment or refund. `voided`: why it does not count any more, "" when it does."""

    id: int
    kind: str
    amount: str
    method: str
    day: str
    note: str
    is_voided: bool
    voided: str


@dataclass(frozen=True, slots=True)
class MoneyCard:
    """Everything about the money of one booking, in words; a sum that is zero is "".

    `accept` and `give_back` are amounts to be proposed in a field, `accept_words` and `give_back_words` for buttons.
    """

    state: str
    state_words: str
    lines: tuple[PriceLine, ...]
    total: str
    deposit: str
    paid: str
    refunded: str
    outstanding: str
    owed_back: str
    records: tuple[Record, ...]
    accept: str
    accept_words: str
    give_back: str
    give_back_words: str
    share_paid: int
    methods: tuple[tuple[str, str], ...]

    @property
    def is_shown(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.lines or self.records)


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the price is asked for at first, and what to propose as the next payment."""

    deposit: Decimal
    accept: Decimal


def money_card(look: Look, state: str, money: Money, asked: Asked, name: str) -> MoneyCard:
    """The money of a booking as its panel shows it; `name` is what is booked."""

    def said(amount: Decimal) -> str:
        return look.money(amount) if amount > 0 else ""

    currency, owed = look.portal.currency, max(-money.outstanding, NOTHING)
    returnable = owed or max(money.paid - money.refunded, NOTHING)
    return MoneyCard(
        state=state,
        state_words=texts.say(look.language, f"payment.{state}"),
        lines=tuple(lines_in_words(look.language, _lines(money.lines), look.zone, currency, name)),
        total=look.money(money.price),
        deposit=said(asked.deposit) if asked.deposit < money.price else "",
        paid=said(money.paid),
        refunded=said(money.refunded),
        outstanding=said(money.outstanding),
        owed_back=said(owed),
        records=tuple(_record(look, one) for one in money.records),
        accept=plain(asked.accept, currency),
        accept_words=said(asked.accept),
        give_back=plain(returnable, currency),
        give_back_words=said(returnable),
        share_paid=share_paid(money.price, money.paid - money.refunded),
        methods=tuple((one, texts.say(look.language, f"method.{one}")) for one in METHODS),
    )


def _lines(rows: Iterable[models.QuoteLine]) -> list[QuoteLine]:
    return [QuoteLine(row.kind, row.name, row.quantity, row.unit_price, row.amount, row.params) for row in rows]


def _record(look: Look, row: models.MoneyRecord) -> Record:
    return Record(
        id=row.id,
        kind=row.kind,
        amount=look.money(row.amount),
        method=texts.say(look.language, f"method.{row.method}"),
        day=_day(look.language, row.on_day),
        note=row.note,
        is_voided=row.voided_at is not None,
        voided=row.void_reason,
    )


def _day(language: str, when: date) -> str:
    return f"{when.day}\N{NO-BREAK SPACE}{texts.month(language, when)}"


def share_paid(price: Decimal, net: Decimal) -> int:
    """How much of the price is paid, in whole percent."""
    return max(0, min(100, int(net * 100 / price))) if price > 0 else 0


def plain(amount: Decimal, currency: str) -> str:
    """An amount as it is typed: 2400, 99.50; "" for nothing."""
    if amount <= 0:
        return ""
    whole = amount == amount.to_integral_value()
    return f"{amount:.0f}" if whole else f"{amount:.{minor_digits(currency)}f}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a ladder of fees. `state`: past, now or later."""

    words: str
    until: str
    state: str


def ladder(look: Look, policy: Policy, price: Decimal, during: Interval) -> list[Step]:
    """What cancelling costs until when, by the frozen rules; nothing where it never costs anything."""
    rungs = sorted(policy.cancel_ladder, key=lambda rung: -rung.hours)
    if not price or not any(rung.percent for rung in rungs):
        return []
    ends = [during.start - timedelta(hours=rung.hours) for rung in rungs]
    steps = zip([0, *(rung.percent for rung in rungs)], [None, *ends], [*ends, None], strict=True)
    return [
        Step(_step(look, price, percent), look.moment(until) if until else "", _state(since, until, look.at))
        for percent, since, until in steps
    ]


def _step(look: Look, price: Decimal, percent: int) -> str:
    if not percent:
        return texts.say(look.language, "fee.none")
    costs = share(price, percent, minor_digits(look.portal.currency))
    return f"{texts.percent(look.language, percent)}: {look.money(costs)}"


def _state(since: datetime | None, until: datetime | None, now: datetime) -> str:
    """A rung is reached when less than its hours are left, so its first instant still belongs to the one before."""
    if until is not None and now > until:
        return "past"
    return "later" if since is not None and now <= since else "now"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a booking's frozen rules say of giving it up or moving it: the ladder of fees where there is one, and the
    rest in sentences. `since`: of which day these rules are."""

    steps: tuple[Step, ...]
    sentences: tuple[str, ...]
    since: str


def rules_card(look: Look, booking: models.Booking, price: Decimal) -> Rules:
    """The rules that still matter to a booking that holds its time, or waits for it."""
    policy, during = Policy.from_dict(booking.policy), as_interval(booking.during)
    confirmed = booking.stage == Stage.CONFIRMED
    steps = ladder(look, policy, price, during) if confirmed else []
    # How early it had to be booked, and how many may be, was settled when it was.
    still = policy.as_dict() | {"notice_minutes": 0, "pay_minutes": 0, "quotas": []}
    said = texts.policy_words(
        look.language, still, priced=price > 0, needs_approval=booking.needs_approval,
        but={"move", *(["begin"] if confirmed else []), *(["cancel"] if steps else [])},
    )  # fmt: skip
    sentences = filter(None, (*said, *_moving(look, policy, price, booking.moves, during)))
    since = _day(look.language, booking.created_at.astimezone(look.zone).date())
    return Rules(tuple(steps), tuple(sentences), since)


def _moving(look: Look, policy: Policy, price: Decimal, moves: int, during: Interval) -> Iterator[str]:
    """«Перенести можно ещё 1 раз, не позже 13 марта, 9:00.», and what that costs now."""
    yield _may_be_moved(look, policy, moves, during)
    charge = fee(policy.move_ladder, price, during.start, look.at, minor_digits(look.portal.currency))
    if charge:
        yield _("Moving it now costs %(amount)s", amount=look.money(charge))


def _may_be_moved(look: Look, policy: Policy, moves: int, during: Interval) -> str:
    last = during.start - timedelta(minutes=policy.move_until_minutes)
    until = look.moment(last)
    if policy.most_moves == 0:
        return texts.say(look.language, "policy.move_never")
    if last <= look.at:
        return _("It was possible to move it until %(time)s", time=until)
    if policy.most_moves is None:
        return _("It can be moved until %(time)s", time=until)
    left = policy.most_moves - moves
    if left <= 0:
        return _("It cannot be moved any more: that was done as often as the rules allow")
    return ngettext(
        "It can be moved %(num)d more time, until %(time)s", "It can be moved %(num)d more times, until %(time)s",
        left, time=until,
    )  # fmt: skip
