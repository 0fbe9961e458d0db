"""Rules under a name: who gets the time, until when, at what price it is given back.

The rules in force are frozen into each booking, so a change concerns only bookings that are still to be made.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from b24app.booking import changes
from b24app.errors import InvalidInput, NotAllowed, Stale
from b24app.ledger import models, rules
from b24app.ledger.access import Viewer
from b24app.ledger.models import Portal
from b24app.ledger.session import Tx
from b24app.scheduling.policy import Policy, check_policy

# What the service says itself and is not kept with the rules: values that nothing here can contradict.
OF_THE_SERVICE = {"min_minutes": 1, "max_minutes": 1, "step_minutes": 1, "horizon_days": 3650}
MOST_ROWS = 10
ROWS = ("cancel_ladder", "move_ladder", "quotas")


def make_policy(**values: Any) -> Policy:
    """Rules without a service."""
    return replace(Policy.from_dict(OF_THE_SERVICE), **values)


def read_policy(row: models.Policy) -> Policy:
    """The rules as they were saved."""
    return Policy.from_dict({**row.rules, **OF_THE_SERVICE, "name": row.name})


def save_policy(
    tx: Tx,
    portal: Portal,
    policy: Policy,
    *,
    viewer: Viewer,
    now: datetime,
    is_default: bool | None = None,
    policy_id: int | None = None,
    revision: int | None = None,
) -> models.Policy:
    """The rules, added or changed; with `is_default` they are, or no longer are, those of whatever has none of its own.

    Without it the first rules of a portal become that. Raises InvalidInput, NotAllowed, NotFound, Stale.
    """
    _allow(viewer)
    rules.lock_portal(tx, portal.id)
    row = _loaded(tx, portal, policy_id, revision)
    policy = replace(policy, name=policy.name.strip())
    if wrong := _check(policy):
        raise InvalidInput(wrong)
    if is_default is None:
        is_default = row.is_default if policy_id is not None else not rules.policies(tx, portal.id)
    before = None if policy_id is None else _rules(row)
    row.name = policy.name
    row.rules = {name: value for name, value in policy.as_dict().items() if name not in OF_THE_SERVICE}
    tx.add(row)
    tx.flush()
    changes.record(tx, portal, viewer.actor, "policy", row.id, row.name, None, before, _rules(row), now)
    if is_default or row.is_default:
        _set_default(tx, portal, row.id if is_default else None, viewer, now)
    return row


def _rules(row: models.Policy) -> dict[str, Any]:
    return {**row.rules, "name": row.name}


def _set_default(tx: Tx, portal: Portal, policy_id: int | None, viewer: Viewer, now: datetime) -> None:
    known = rules.policies(tx, portal.id)
    before = next((row.id for row in known if row.is_default), None)
    rules.make_default(tx, portal.id, policy_id)
    name = next((row.name for row in known if row.id == (policy_id or before)), "")
    changes.record(
        tx, portal, viewer.actor, "default", None, name, "changed",
        {"policy_id": before}, {"policy_id": policy_id}, now,
    )  # fmt: skip


def _allow(viewer: Viewer) -> None:
    if not viewer.is_admin:
        raise NotAllowed("settings")


def _loaded(tx: Tx, portal: Portal, policy_id: int | None, revision: int | None) -> models.Policy:
    if policy_id is None:
        return models.Policy(portal_id=portal.id, is_default=False)
    row = rules.policy(tx, portal.id, policy_id, lock=True)
    if revision is not None and row.revision != revision:
        raise Stale(row.revision)
    row.revision += 1
    return row


def _check(policy: Policy) -> dict[str, str]:
    missing = {} if policy.name else {"name": "required"}
    crowded = {name: "too_many" for name in ROWS if len(getattr(policy, name)) > MOST_ROWS}
    return check_policy(policy) | missing | crowded


class Choosing(Protocol):
    """A service or a resource, as somebody wants it to be: it may have rules and a tariff."""

    @property
    def policy_id(self) -> int | None: ...
    @property
    def tariff_id(self) -> int | None: ...
    @property
    def min_minutes(self) -> int: ...
    @property
    def max_minutes(self) -> int: ...
    @property
    def step_minutes(self) -> int: ...
    @property
    def horizon_days(self) -> int: ...


def wrong_choices(tx: Tx, portal: Portal, data: Choosing) -> dict[str, str]:
    """A code for rules or a tariff that are not there, and for rules by which nobody could ever book.

    What is there stays until the transaction ends. Locks the portal, as those do who change rules and tariffs.
    """
    if data.policy_id is None and data.tariff_id is None:
        return {}
    rules.lock_portal(tx, portal.id)
    wrong = {}
    if data.policy_id is not None and (code := _misfit(rules.hold_policy(tx, portal.id, data.policy_id), data)):
        wrong["policy_id"] = code
    if data.tariff_id is not None and not rules.hold_tariff(tx, portal.id, data.tariff_id):
        wrong["tariff_id"] = "unknown_choice"
    return wrong


def _misfit(row: models.Policy | None, data: Choosing) -> str | None:
    """A notice longer than the time ahead, a quota below the shortest booking."""
    if row is None:
        return "unknown_choice"
    policy = replace(read_policy(row), **{name: getattr(data, name) for name in OF_THE_SERVICE})
    return next(iter(check_policy(policy).values()), None)


def make_default(tx: Tx, portal: Portal, policy_id: int | None, *, viewer: Viewer, now: datetime) -> None:
    """These rules, or none, count from now on for whatever has none of its own. Raises NotAllowed, NotFound."""
    _allow(viewer)
    rules.lock_portal(tx, portal.id)
    if policy_id is not None:
        rules.policy(tx, portal.id, policy_id, lock=True)
    _set_default(tx, portal, policy_id, viewer, now)


def remove_policy(
    tx: Tx, portal: Portal, policy_id: int, *, viewer: Viewer, now: datetime, revision: int | None = None
) -> str:
    """Removes rules and returns their name.

    Raises InvalidInput while they count for a service, NotAllowed, NotFound, Stale.
    """
    _allow(viewer)
    rules.lock_portal(tx, portal.id)
    row = _loaded(tx, portal, policy_id, revision)
    if users_of(tx, portal, row):
        raise InvalidInput({"policy": "still_given"})
    if row.is_default:
        _set_default(tx, portal, None, viewer, now)
    tx.delete(row)
    tx.flush()
    changes.record(tx, portal, viewer.actor, "policy", policy_id, row.name, None, _rules(row), None, now)
    return row.name


def users_of(tx: Tx, portal: Portal, row: models.Policy) -> list[str]:
    """The services for which these rules count: given by name, or by default."""
    by_default = rules.services_without_policy(tx, portal.id) if row.is_default else []
    return [*rules.services_with_policy(tx, portal.id, row.id), *by_default]
