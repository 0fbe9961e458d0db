"""Tariffs, and the one currency that all prices of a portal are in.

Prices that a booking was given are kept with the booking, so a tariff may be changed or removed at any time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from b24app.booking import changes
from b24app.errors import InvalidInput, NotAllowed, Stale
from b24app.ledger import models, rules
from b24app.ledger.access import Viewer
from b24app.ledger.models import Portal
from b24app.ledger.session import Tx
from b24app.scheduling.pricing import Tariff, check_tariff

MOST_ROWS = 50
CURRENCIES = (
    "RUB", "BYN", "KZT", "UZS", "KGS", "AMD", "GEL", "AZN", "MDL", "TJS", "TMT", "UAH", "USD", "EUR", "GBP", "CHF",
    "PLN", "CZK", "RSD", "TRY", "AED", "ILS", "CNY", "INR", "JPY", "KRW", "THB", "VND", "BRL",
)  # fmt: skip


def save_tariff(
    tx: Tx,
    portal: Portal,
    tariff: Tariff,
    *,
    viewer: Viewer,
    now: datetime,
    tariff_id: int | None = None,
    revision: int | None = None,
) -> models.Tariff:
    """The tariff, added or changed. Raises InvalidInput, NotAllowed, NotFound, Stale."""
    _allow(viewer)
    # The currency must not change between the check of the amounts and the end of the transaction.
    currency = rules.lock_portal(tx, portal.id).currency
    row = _loaded(tx, portal, tariff_id, revision)
    if wrong := _too_many(tariff) | check_tariff(tariff, currency):
        raise InvalidInput(wrong)
    before = None if tariff_id is None else row.body
    row.name = tariff.name.strip()
    row.body = replace(tariff, name=row.name).as_dict()
    tx.add(row)
    tx.flush()
    changes.record(tx, portal, viewer.actor, "tariff", row.id, row.name, None, before, row.body, now)
    return row


def _allow(viewer: Viewer) -> None:
    if not viewer.is_admin:
        raise NotAllowed("settings")


def _loaded(tx: Tx, portal: Portal, tariff_id: int | None, revision: int | None) -> models.Tariff:
    if tariff_id is None:
        return models.Tariff(portal_id=portal.id)
    row = rules.tariff(tx, portal.id, tariff_id, lock=True)
    if revision is not None and row.revision != revision:
        raise Stale(row.revision)
    row.revision += 1
    return row


def _too_many(tariff: Tariff) -> dict[str, str]:
    return {name: "too_many" for name in ("rules", "extras") if len(getattr(tariff, name)) > MOST_ROWS}


def remove_tariff(
    tx: Tx, portal: Portal, tariff_id: int, *, viewer: Viewer, now: datetime, revision: int | None = None
) -> str:
    """Removes a tariff, returns its name. Raises InvalidInput while a service has it, NotAllowed, NotFound, Stale."""
    _allow(viewer)
    row = _loaded(tx, portal, tariff_id, revision)
    if rules.services_with_tariff(tx, portal.id, tariff_id):
        raise InvalidInput({"tariff": "still_given"})
    tx.delete(row)
    tx.flush()
    changes.record(tx, portal, viewer.actor, "tariff", tariff_id, row.name, None, row.body, None, now)
    return row.name


def save_currency(tx: Tx, portal: Portal, currency: str, *, viewer: Viewer, now: datetime) -> None:
    """The portal's currency from now on. Raises InvalidInput once anything was priced or paid in another one."""
    _allow(viewer)
    row = rules.lock_portal(tx, portal.id)
    if currency not in CURRENCIES:
        raise InvalidInput({"currency": "unknown_choice"})
    if currency == row.currency:
        return
    if rules.has_amounts(tx, portal.id):
        raise InvalidInput({"currency": "currency_in_use"})
    bodies = [Tariff.from_dict(one.body) for one in rules.tariffs(tx, portal.id)]
    if any(check_tariff(tariff, currency) for tariff in bodies):
        raise InvalidInput({"currency": "too_many_decimals"})
    before, row.currency = row.currency, currency
    tx.flush()
    changes.record(tx, portal, viewer.actor, "currency", None, currency, "changed", before, currency, now)
