"""Tariffs and the currency: what cannot be a price is refused at its field, what is in use stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.orm import Session

from b24app.booking.services import ServiceData, save_service
from b24app.booking.tariffs import CURRENCIES, remove_tariff, save_currency, save_tariff
from b24app.errors import InvalidInput, NotAllowed, NotFound, Stale
from b24app.ledger import rules
from b24app.ledger.catalog import Need
from b24app.ledger.models import MoneyRecord, Portal, QuoteLine
from b24app.scheduling.pricing import Extra, PriceRule, Tariff
from tests.booking.rows import everything
from tests.conftest import NOW
from tests.factories import ADMIN, EMPLOYEE, make_booking, make_portal, make_resource

WEEKEND = frozenset({5, 6})
USUAL = Tariff(
    "Обычный",
    "hour",
    Decimal("1500.50"),
    (PriceRule(Decimal(2000), WEEKEND, 600, 1320, ((12, 20), (1, 10)), "Друзья"),),
    (Extra("e1", "Уборка", Decimal(300)), Extra("e2", "Кофе", Decimal(150), "person")),
    50,
    Decimal(10),
)


def refused(tx: Session, portal: Portal, tariff: Tariff, **how: Any) -> dict[str, str]:
    """The codes by field; nothing may have changed."""
    before = everything(tx)
    with pytest.raises(InvalidInput) as caught, tx.begin_nested():
        save_tariff(tx, portal, tariff, viewer=ADMIN, now=NOW, **how)
    assert everything(tx) == before
    return caught.value.fields


def test_a_tariff_comes_back_as_it_was_saved(tx: Session, portal: Portal) -> None:
    row = save_tariff(tx, portal, replace(USUAL, name="  Обычный "), viewer=ADMIN, now=NOW)
    tx.expire_all()
    saved = rules.tariff(tx, portal.id, row.id)
    assert (saved.name, Tariff.from_dict(saved.body), saved.revision) == ("Обычный", USUAL, 1)


def test_changing_a_tariff_keeps_its_id(tx: Session, portal: Portal) -> None:
    row = save_tariff(tx, portal, USUAL, viewer=ADMIN, now=NOW)
    again = save_tariff(
        tx, portal, replace(USUAL, price=Decimal(1)), viewer=ADMIN, now=NOW, tariff_id=row.id, revision=1
    )
    assert (again.id, again.revision, Tariff.from_dict(again.body).price) == (row.id, 2, Decimal(1))


def rule(**changed: Any) -> dict[str, Any]:
    return {"rules": (replace(PriceRule(Decimal(100)), **changed),)}


def extra(**changed: Any) -> dict[str, Any]:
    return {"extras": (replace(Extra("e1", "Кофе", Decimal(100)), **changed),)}


NIGHTS = (PriceRule(Decimal(100), from_minute=0, until_minute=540), PriceRule(Decimal(100), from_minute=600))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"name": " "}, {"name": "required"}),
        ({"name": "я" * 121}, {"name": "too_many_characters"}),
        ({"basis": "month"}, {"basis": "unknown_choice"}),
        ({"price": Decimal(-1)}, {"price": "negative"}),
        ({"price": Decimal(10) ** 9}, {"price": "absurd"}),
        ({"price": Decimal("0.001")}, {"price": "too_many_decimals"}),
        ({"deposit_percent": 101}, {"deposit_percent": "out_of_range"}),
        ({"deposit_percent": -1}, {"deposit_percent": "out_of_range"}),
        ({"rounding": Decimal(7)}, {"rounding": "unknown_choice"}),
        ({"slot_minutes": 0}, {"slot_minutes": "out_of_range"}),
        ({"price": None, "rules": ()}, {"rules": "gap"}),
        ({"price": None, "rules": NIGHTS}, {"rules": "gap"}),
        ({"price": None, **rule(weekdays=WEEKEND)}, {"rules": "gap"}),
        ({"price": None, **rule(season=((6, 1), (8, 31)))}, {"rules": "gap"}),
        ({"price": None, **rule(group="Друзья")}, {"rules": "gap"}),
        (rule(price=Decimal(-5)), {"rules-0-price": "negative"}),
        (rule(from_minute=600, until_minute=600), {"rules-0-until_minute": "end_before_start"}),
        (rule(weekdays=frozenset({7})), {"rules-0-weekdays": "required"}),
        (rule(season=((2, 30), (3, 1))), {"rules-0-season": "not_a_date"}),
        (rule(group="я" * 121), {"rules-0-group": "too_many_characters"}),
        (extra(name=""), {"extras-0-name": "required"}),
        (extra(price=Decimal(10) ** 12), {"extras-0-price": "absurd"}),
        (extra(per="week"), {"extras-0-per": "unknown_choice"}),
        ({"extras": (Extra("e1", "Кофе", Decimal(1)),) * 2}, {"extras-1-code": "duplicate"}),
        ({"rules": (PriceRule(Decimal(1)),) * 51}, {"rules": "too_many"}),
    ],
)
def test_what_is_no_price_is_refused_at_its_field(
    tx: Session, portal: Portal, changed: dict[str, Any], expected: dict[str, str]
) -> None:
    assert refused(tx, portal, replace(Tariff("Обычный", "hour", Decimal(100)), **changed)) == expected


def test_amounts_are_checked_against_the_portals_currency(tx: Session, portal: Portal) -> None:
    portal.currency = "JPY"
    assert refused(tx, portal, USUAL) == {"price": "too_many_decimals"}


def test_somebody_who_changed_it_meanwhile_is_not_overwritten(tx: Session, portal: Portal) -> None:
    row = save_tariff(tx, portal, USUAL, viewer=ADMIN, now=NOW)
    save_tariff(tx, portal, USUAL, viewer=ADMIN, now=NOW, tariff_id=row.id, revision=1)
    with pytest.raises(Stale), tx.begin_nested():
        save_tariff(tx, portal, replace(USUAL, name="Второй"), viewer=ADMIN, now=NOW, tariff_id=row.id, revision=1)
    with pytest.raises(Stale), tx.begin_nested():
        remove_tariff(tx, portal, row.id, viewer=ADMIN, now=NOW, revision=1)
    assert rules.tariff(tx, portal.id, row.id).name == "Обычный"


def test_a_tariff_that_nothing_has_can_be_removed(tx: Session, portal: Portal) -> None:
    row = save_tariff(tx, portal, USUAL, viewer=ADMIN, now=NOW)
    assert remove_tariff(tx, portal, row.id, viewer=ADMIN, now=NOW, revision=1) == "Обычный"
    assert rules.tariffs(tx, portal.id) == []


@pytest.mark.parametrize("of", ["a resource", "a service"])
def test_a_tariff_in_use_stays(tx: Session, portal: Portal, now: datetime, of: str) -> None:
    row = save_tariff(tx, portal, USUAL, viewer=ADMIN, now=now)
    make_resource(tx, portal, now=now, tariff_id=row.id if of == "a resource" else None)
    if of == "a service":
        data = ServiceData("Массаж", requirements=(Need("room", (), 1),), tariff_id=row.id)
        save_service(tx, portal, data, viewer=ADMIN, now=now, longest_hours=24)
    before = everything(tx)
    with pytest.raises(InvalidInput) as caught, tx.begin_nested():
        remove_tariff(tx, portal, row.id, viewer=ADMIN, now=now)
    assert caught.value.fields == {"tariff": "still_given"}
    assert everything(tx) == before


def test_another_portals_tariff_is_not_found(tx: Session, portal: Portal) -> None:
    row = save_tariff(tx, make_portal(tx), USUAL, viewer=ADMIN, now=NOW)
    with pytest.raises(NotFound), tx.begin_nested():
        save_tariff(tx, portal, USUAL, viewer=ADMIN, now=NOW, tariff_id=row.id)
    with pytest.raises(NotFound), tx.begin_nested():
        remove_tariff(tx, portal, row.id, viewer=ADMIN, now=NOW)


def test_only_administrators_set_prices(tx: Session, portal: Portal) -> None:
    row = save_tariff(tx, portal, USUAL, viewer=ADMIN, now=NOW)
    for attempt in (
        lambda: save_tariff(tx, portal, USUAL, viewer=EMPLOYEE, now=NOW),
        lambda: remove_tariff(tx, portal, row.id, viewer=EMPLOYEE, now=NOW),
        lambda: save_currency(tx, portal, "USD", viewer=EMPLOYEE, now=NOW),
    ):
        with pytest.raises(NotAllowed):
            attempt()


@pytest.mark.parametrize("currency", CURRENCIES)
def test_the_currency_can_be_chosen(tx: Session, portal: Portal, currency: str) -> None:
    save_currency(tx, portal, currency, viewer=ADMIN, now=NOW)
    tx.refresh(portal)
    assert portal.currency == currency


def currency_refused(tx: Session, portal: Portal, currency: str) -> dict[str, str]:
    before = everything(tx)
    with pytest.raises(InvalidInput) as caught, tx.begin_nested():
        save_currency(tx, portal, currency, viewer=ADMIN, now=NOW)
    assert everything(tx) == before
    return caught.value.fields


@pytest.mark.parametrize("currency", ["", "rub", "XXX", "RUBLES", "'; --"])
def test_what_is_no_currency_is_refused(tx: Session, portal: Portal, currency: str) -> None:
    assert currency_refused(tx, portal, currency) == {"currency": "unknown_choice"}


def test_the_currency_stays_once_a_booking_has_a_price(tx: Session, portal: Portal, now: datetime) -> None:
    booking = make_booking(tx, portal, make_resource(tx, portal, now=now), now=now)
    save_currency(tx, portal, "KZT", viewer=ADMIN, now=now)
    line = {"kind": "time", "unit_price": Decimal(1), "amount": Decimal(1), "added_at": now, "superseded_at": now}
    tx.add(QuoteLine(portal_id=portal.id, booking_id=booking.id, **line))
    assert currency_refused(tx, portal, "RUB") == {"currency": "currency_in_use"}
    save_currency(tx, portal, "KZT", viewer=ADMIN, now=now)  # what it is already


def test_the_currency_stays_once_money_was_taken(tx: Session, portal: Portal, now: datetime) -> None:
    booking = make_booking(tx, portal, make_resource(tx, portal, now=now), now=now)
    record = {"kind": "payment", "amount": Decimal(1), "method": "cash", "on_day": now.date()}
    who = {"recorded_by": "user:1", "recorded_at": now, "voided_at": now}
    tx.add(MoneyRecord(portal_id=portal.id, booking_id=booking.id, **record, **who))
    assert currency_refused(tx, portal, "USD") == {"currency": "currency_in_use"}
    save_currency(tx, make_portal(tx), "USD", viewer=ADMIN, now=now)  # another portal's money is none of ours


def test_a_currency_without_small_change_needs_tariffs_without_it(tx: Session, portal: Portal) -> None:
    row = save_tariff(tx, portal, USUAL, viewer=ADMIN, now=NOW)
    assert currency_refused(tx, portal, "JPY") == {"currency": "too_many_decimals"}
    save_tariff(tx, portal, replace(USUAL, price=Decimal(1500)), viewer=ADMIN, now=NOW, tariff_id=row.id)
    save_currency(tx, portal, "JPY", viewer=ADMIN, now=NOW)
