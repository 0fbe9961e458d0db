"""What a booking costs: its price fixed when it is made, changed by rows that say why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from b24app.errors import InvalidInput
from b24app.ledger import queries, writes
from b24app.ledger.models import Booking, Portal
from b24app.ledger.queries import Money
from b24app.ledger.session import Tx
from b24app.scheduling.interval import Interval
from b24app.scheduling.pricing import NoQuote, Quote, QuoteLine, Tariff, minor_digits, payment_state, quote

NOTHING = Decimal(0)
QUOTED = ("time", "extra", "rounding", "adjustment")  # lines that a new price takes the place of


def quoted(
    tariff: Tariff | None, interval: Interval, zone: ZoneInfo, currency: str, *, group: str, party: int,
    extras: Mapping[str, int],
) -> Quote | None:  # fmt: skip
    """The price, or None where nothing is charged; raises InvalidInput for extras that are not offered."""
    if tariff is None:
        if extras:
            raise InvalidInput({"extras": "unknown_choice"})
        return None
    try:
        return quote(tariff, interval, zone, currency, group=group, party=party, extras=extras)
    except NoQuote as error:
        raise InvalidInput(error.fields) from error


def terms(tariff: Tariff | None, price: Quote | None, group: str, extras: Mapping[str, int]) -> dict[str, Any]:
    """What is frozen in a booking beside its rules, so that moving it is quoted by the same tariff."""
    if tariff is None or price is None:
        return {}
    return {"tariff": tariff.as_dict(), "group": group, "extras": dict(extras), "deposit": str(price.deposit)}


def quoted_again(booking: Booking, interval: Interval, zone: ZoneInfo, currency: str) -> Quote | None:
    """What the booking would cost at another time, by the tariff that was frozen in it."""
    if not booking.terms:
        return None
    return quoted(
        Tariff.from_dict(booking.terms["tariff"]), interval, zone, currency, group=booking.terms["group"],
        party=booking.party, extras=booking.terms["extras"],
    )  # fmt: skip


def deposit_of(booking: Booking) -> Decimal:
    """What is asked for in advance; zero when a confirmation need not wait for money."""
    return Decimal(booking.terms.get("deposit", 0))


def settle(tx: Tx, portal: Portal, booking: Booking) -> Money:
    """The booking's money, with its payment state brought in line."""
    money = queries.money(tx, portal.id, booking.id)
    booking.payment = payment_state(money.price, money.paid, money.refunded)
    return money


def requote(tx: Tx, portal: Portal, booking: Booking, price: Quote | None, fee: Decimal, now: datetime) -> None:
    """Replaces the price by a new one, with the fee for moving on top of those for moving before."""
    if price is None:
        return
    writes.supersede_lines(tx, portal.id, booking.id, now, QUOTED)
    fees = [line("fee", "move", fee)] if fee else []
    writes.add_lines(tx, portal.id, booking.id, [*price.lines, *fees], now)
    booking.terms = booking.terms | {"deposit": str(price.deposit)}
    settle(tx, portal, booking)


def drop_fee(tx: Tx, portal: Portal, booking: Booking, since: datetime, now: datetime) -> None:
    """The fee for moving that was added `since` is not asked after all."""
    writes.supersede_lines(tx, portal.id, booking.id, now, ["fee"], since=since)


def fees(money: Money) -> Decimal:
    """What moving has cost so far."""
    return sum((one.amount for one in money.lines if one.kind == "fee"), NOTHING)


def drop_price(tx: Tx, portal: Portal, booking: Booking, due: Decimal, why: str, now: datetime) -> None:
    """What was dropped costs nothing but the fee `due`; what was paid beyond that is owed back."""
    if not booking.terms:
        settle_if_paid(tx, portal, booking)
        return
    money = queries.money(tx, portal.id, booking.id)
    if money.price != due:
        writes.add_lines(tx, portal.id, booking.id, [line("adjustment", why, due - money.price)], now)
    settle(tx, portal, booking)


def settle_if_paid(tx: Tx, portal: Portal, booking: Booking) -> None:
    """The payment state of a booking without a price, on which money may have been recorded all the same."""
    if booking.payment != "none":
        settle(tx, portal, booking)


def restore_price(tx: Tx, portal: Portal, booking: Booking, now: datetime) -> None:
    """The price that was agreed, without what dropping the booking had changed."""
    if booking.terms:
        writes.supersede_lines(tx, portal.id, booking.id, now, ["adjustment"])
        settle(tx, portal, booking)


def line(kind: str, why: str, amount: Decimal) -> QuoteLine:
    """One line that is an amount and a reason; `why` is a code that `texts` knows."""
    return QuoteLine(kind, why, Decimal(1), amount, amount)


def digits(portal: Portal) -> int:
    """How many decimals the portal's currency has."""
    return minor_digits(portal.currency)
