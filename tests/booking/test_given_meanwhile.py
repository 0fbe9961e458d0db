"""Removing a tariff or rules while a service is given them: one waits, sees what the other did, and says so."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from b24app.booking.policies import make_policy, remove_policy, save_policy
from b24app.booking.services import ServiceData, save_service
from b24app.booking.tariffs import remove_tariff, save_tariff
from b24app.errors import InvalidInput
from b24app.ledger.catalog import Need
from b24app.ledger.models import Portal
from b24app.ledger.session import transaction
from b24app.scheduling.pricing import Tariff
from tests.factories import ADMIN, make_portal, make_resource

PATIENCE = 20.0
REMOVE: dict[str, Any] = {"policy_id": remove_policy, "tariff_id": remove_tariff}
WAITING = text("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def until_it_waits(engine: Engine, other: Future[None]) -> None:
    """Until the other transaction, the only one beside this, waits for a lock."""
    with engine.connect() as connection:
        while not other.done() and connection.execute(WAITING).first() is None:
            connection.rollback()


def prepared(engine: Engine, now: datetime) -> tuple[Portal, dict[str, int]]:
    """A portal with a room, a tariff and rules that nothing has."""
    with transaction(engine) as tx:
        portal = make_portal(tx)
        make_resource(tx, portal, now=now)
        tariff = save_tariff(tx, portal, Tariff("Обычный", "hour", Decimal(100)), viewer=ADMIN, now=now)
        policy = save_policy(tx, portal, make_policy(name="Строгие"), viewer=ADMIN, now=now, is_default=False)
        return portal, {"tariff_id": tariff.id, "policy_id": policy.id}


def service(what: str, ids: dict[str, int]) -> ServiceData:
    return ServiceData("Массаж", requirements=(Need("room", (), 1),), **{what: ids[what]})  # type: ignore[arg-type]


@pytest.mark.parametrize("what", REMOVE)
def test_what_is_being_given_stays(engine: Engine, now: datetime, what: str) -> None:
    portal, ids = prepared(engine, now)

    def remove() -> None:
        with transaction(engine) as tx:
            REMOVE[what](tx, portal, ids[what], viewer=ADMIN, now=now)

    with ThreadPoolExecutor(1) as pool, transaction(engine) as tx:
        save_service(tx, portal, service(what, ids), viewer=ADMIN, now=now, longest_hours=24)
        outcome = pool.submit(remove)
        until_it_waits(engine, outcome)
    with pytest.raises(InvalidInput) as caught:
        outcome.result(PATIENCE)
    assert caught.value.fields == {what.removesuffix("_id"): "still_given"}


@pytest.mark.parametrize("what", REMOVE)
def test_what_is_being_removed_is_not_given(engine: Engine, now: datetime, what: str) -> None:
    portal, ids = prepared(engine, now)

    def give_it() -> None:
        with transaction(engine) as tx:
            save_service(tx, portal, service(what, ids), viewer=ADMIN, now=now, longest_hours=24)

    with ThreadPoolExecutor(1) as pool, transaction(engine) as tx:
        REMOVE[what](tx, portal, ids[what], viewer=ADMIN, now=now)
        outcome = pool.submit(give_it)
        until_it_waits(engine, outcome)
    with pytest.raises(InvalidInput) as caught:
        outcome.result(PATIENCE)
    assert caught.value.fields == {what: "unknown_choice"}
