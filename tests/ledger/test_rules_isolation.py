"""Every function of `rules.py`, called for portal B with the ids of portal A, finds nothing and changes nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.orm import Session

from b24app.booking.policies import make_policy, save_policy
from b24app.booking.tariffs import save_tariff
from b24app.errors import NotFound
from b24app.ledger import rules
from b24app.ledger.catalog import Need
from b24app.ledger.models import Portal
from b24app.scheduling.pricing import Tariff
from tests.booking.rows import everything
from tests.factories import ADMIN, book_service, make_portal, make_resource, make_service


@dataclass
class Foreign:
    """Portal B, and what is portal A's."""

    here: int
    service: int
    tariff: int
    policy: int


NOTHING: tuple[Any, ...] = (None, 0, False, [], {})

CALLS: dict[str, Callable[[Session, Foreign], Any]] = {
    "services": lambda tx, b: rules.services(tx, b.here),
    "service": lambda tx, b: rules.service(tx, b.here, b.service),
    "needs": lambda tx, b: rules.needs(tx, b.here, [b.service]),
    "replace_needs": lambda tx, b: rules.replace_needs(tx, b.here, b.service, [Need("room", (), 1)]),
    "tariffs": lambda tx, b: rules.tariffs(tx, b.here),
    "tariff": lambda tx, b: rules.tariff(tx, b.here, b.tariff, lock=True),
    "policies": lambda tx, b: rules.policies(tx, b.here),
    "policy": lambda tx, b: rules.policy(tx, b.here, b.policy, lock=True),
    "hold_tariff": lambda tx, b: rules.hold_tariff(tx, b.here, b.tariff),
    "hold_policy": lambda tx, b: rules.hold_policy(tx, b.here, b.policy),
    "services_with_tariff": lambda tx, b: rules.services_with_tariff(tx, b.here, b.tariff),
    "services_with_policy": lambda tx, b: rules.services_with_policy(tx, b.here, b.policy),
    "services_without_policy": lambda tx, b: rules.services_without_policy(tx, b.here),
    "make_default": lambda tx, b: rules.make_default(tx, b.here, b.policy),
    "all_grants": lambda tx, b: rules.all_grants(tx, b.here),
    "replace_grants": lambda tx, b: rules.replace_grants(tx, b.here, []),
    "lock_portal": lambda tx, b: rules.lock_portal(tx, b.here + 1_000_000),
    "has_amounts": lambda tx, b: rules.has_amounts(tx, b.here),
}


@pytest.fixture
def foreign(tx: Session, portal: Portal, now: datetime) -> Foreign:
    room = make_resource(tx, portal, now=now)
    tariff = save_tariff(tx, portal, Tariff("Обычный", "hour", Decimal(100)), viewer=ADMIN, now=now)
    policy = save_policy(tx, portal, make_policy(name="Строгие"), viewer=ADMIN, now=now, is_default=False)
    service = make_service(tx, portal, (room, 1), tariff_id=tariff.id, policy_id=policy.id)
    book_service(tx, portal, service, now=now)
    here = make_portal(tx)
    rules.replace_grants(tx, here.id, [])
    return Foreign(here.id, service.id, tariff.id, policy.id)


def test_every_function_is_called() -> None:
    public = {
        name
        for name, value in vars(rules).items()
        if inspect.isfunction(value) and value.__module__ == rules.__name__ and not name.startswith("_")
    }
    assert public == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_another_portals_ids_find_nothing(tx: Session, foreign: Foreign, name: str) -> None:
    before = everything(tx)
    try:
        found = CALLS[name](tx, foreign)
    except NotFound:
        found = None
    assert found in NOTHING
    assert everything(tx) == before


def test_its_own_portal_finds_all_of_it(tx: Session, portal: Portal, foreign: Foreign) -> None:
    """Otherwise the test above would prove nothing."""
    own = Foreign(portal.id, foreign.service, foreign.tariff, foreign.policy)
    empty = {name for name, call in CALLS.items() if name != "lock_portal" and call(tx, own) in NOTHING}
    assert empty == {"replace_needs", "make_default", "replace_grants"}  # they return nothing in any case
    assert rules.needs(tx, portal.id, [foreign.service]) == {foreign.service: (Need("room", (), 1),)}
    assert rules.policy(tx, portal.id, foreign.policy).is_default
