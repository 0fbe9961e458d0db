"""What an administrator sets beside the resources: services, tariffs, rules and access. Its selects and its writes.

Whoever removes a tariff or rules locks the row first; whoever gives one to a service holds it shared meanwhile. So one
of them waits, sees what the other did, and says it in words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from b24app.errors import NotFound
from b24app.ledger.access import GrantRule
from b24app.ledger.catalog import Need
from b24app.ledger.models import (
    Grant,
    MoneyRecord,
    Policy,
    Portal,
    QuoteLine,
    Requirement,
    RequirementOption,
    Service,
    Tariff,
)

Rules = TypeVar("Rules", Policy, Tariff)


def services(tx: Session, portal_id: int, *, archived: bool = False) -> list[Service]:
    """The services that are more than booking one bare resource, in their order."""
    return list(
        tx.scalars(
            select(Service)
            .where(
                Service.portal_id == portal_id,
                Service.resource_id.is_(None),
                Service.archived_at.is_not(None) if archived else Service.archived_at.is_(None),
            )
            .order_by(Service.sort, Service.name, Service.id)
        )
    )


def service(tx: Session, portal_id: int, service_id: int, *, lock: bool = False) -> Service:
    """One of them, archived or not; raises NotFound."""
    query = select(Service).where(
        Service.portal_id == portal_id, Service.id == service_id, Service.resource_id.is_(None)
    )
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    found = tx.scalar(query)
    if found is None:
        raise NotFound("service")
    return found


def needs(tx: Session, portal_id: int, service_ids: Collection[int]) -> dict[int, tuple[Need, ...]]:
    """What these services require, in order."""
    required = list(
        tx.scalars(
            select(Requirement)
            .where(Requirement.portal_id == portal_id, Requirement.service_id.in_(service_ids))
            .order_by(Requirement.service_id, Requirement.position)
        )
    )
    options = _options(tx, portal_id, [one.id for one in required])
    found: dict[int, tuple[Need, ...]] = {}
    for one in required:
        need = Need(one.kind, tuple(options.get(one.id, ())), one.quantity)
        found[one.service_id] = (*found.get(one.service_id, ()), need)
    return found


def _options(tx: Session, portal_id: int, requirement_ids: Collection[int]) -> dict[int, list[int]]:
    rows = tx.execute(
        select(RequirementOption.requirement_id, RequirementOption.resource_id)
        .where(RequirementOption.portal_id == portal_id, RequirementOption.requirement_id.in_(requirement_ids))
        .order_by(RequirementOption.id)
    )
    found: dict[int, list[int]] = {}
    for requirement_id, resource_id in rows:
        found.setdefault(requirement_id, []).append(resource_id)
    return found


def replace_needs(tx: Session, portal_id: int, service_id: int, required: Sequence[Need]) -> None:
    """What the service requires from now on; raises NotFound."""
    service(tx, portal_id, service_id)
    tx.execute(delete(Requirement).where(Requirement.portal_id == portal_id, Requirement.service_id == service_id))
    rows = [
        Requirement(
            portal_id=portal_id, service_id=service_id, position=position, kind=need.kind, quantity=need.quantity
        )
        for position, need in enumerate(required)
    ]
    tx.add_all(rows)
    tx.flush()
    # One after the other: their ids are the order of preference.
    for row, need in zip(rows, required, strict=True):
        for resource_id in need.options:
            tx.add(RequirementOption(portal_id=portal_id, requirement_id=row.id, resource_id=resource_id))
            tx.flush()


def tariffs(tx: Session, portal_id: int) -> list[Tariff]:
    """All tariffs by name."""
    return list(tx.scalars(select(Tariff).where(Tariff.portal_id == portal_id).order_by(Tariff.name, Tariff.id)))


def tariff(tx: Session, portal_id: int, tariff_id: int, *, lock: bool = False) -> Tariff:
    """One tariff, on request locked for being changed or removed; raises NotFound."""
    return _one(tx, Tariff, portal_id, tariff_id, "tariff", lock=lock)


def policies(tx: Session, portal_id: int) -> list[Policy]:
    """All rules by name."""
    return list(tx.scalars(select(Policy).where(Policy.portal_id == portal_id).order_by(Policy.name, Policy.id)))


def policy(tx: Session, portal_id: int, policy_id: int, *, lock: bool = False) -> Policy:
    """The rules of one name, on request locked for being changed or removed; raises NotFound."""
    return _one(tx, Policy, portal_id, policy_id, "policy", lock=lock)


def _one(tx: Session, table: type[Rules], portal_id: int, row_id: int, kind: str, *, lock: bool) -> Rules:
    query = select(table).where(table.portal_id == portal_id, table.id == row_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = tx.scalar(query)
    if found is None:
        raise NotFound(kind)
    return found


def hold_tariff(tx: Session, portal_id: int, tariff_id: int) -> bool:
    """Whether there is such a tariff; it stays until the transaction ends."""
    query = select(Tariff.id).where(Tariff.portal_id == portal_id, Tariff.id == tariff_id)
    return tx.scalar(query.with_for_update(read=True, key_share=True)) is not None


def hold_policy(tx: Session, portal_id: int, policy_id: int) -> Policy | None:
    """These rules if they are there; they stay until the transaction ends."""
    query = select(Policy).where(Policy.portal_id == portal_id, Policy.id == policy_id)
    return tx.scalar(query.with_for_update(read=True, key_share=True).execution_options(populate_existing=True))


def services_with_tariff(tx: Session, portal_id: int, tariff_id: int) -> list[str]:
    """The names of the services and bare resources that have it, archived ones too."""
    return _names(tx, portal_id, Service.tariff_id == tariff_id)


def services_with_policy(tx: Session, portal_id: int, policy_id: int) -> list[str]:
    """The same for rules that were given to a service by name."""
    return _names(tx, portal_id, Service.policy_id == policy_id)


def services_without_policy(tx: Session, portal_id: int) -> list[str]:
    """Those for which the default rules count."""
    return _names(tx, portal_id, Service.policy_id.is_(None))


def _names(tx: Session, portal_id: int, where: ColumnElement[bool]) -> list[str]:
    return list(tx.scalars(select(Service.name).where(Service.portal_id == portal_id, where).order_by(Service.name)))


def make_default(tx: Session, portal_id: int, policy_id: int | None) -> None:
    """These rules, or none, count for whatever has none of its own. The portal's row must be locked."""
    others = update(Policy).where(Policy.portal_id == portal_id, Policy.is_default, Policy.id != (policy_id or 0))
    tx.execute(others.values(is_default=False))
    chosen = update(Policy).where(Policy.portal_id == portal_id, Policy.id == policy_id)
    tx.execute(chosen.values(is_default=True))


def all_grants(tx: Session, portal_id: int) -> list[GrantRule]:
    """Everything that was given to anybody, the oldest first."""
    rows = tx.execute(
        select(Grant.scope, Grant.code, Grant.right).where(Grant.portal_id == portal_id).order_by(Grant.id)
    )
    return [GrantRule(*row) for row in rows]


def replace_grants(tx: Session, portal_id: int, grants: Iterable[GrantRule]) -> None:
    """All grants as they are from now on. The portal's row must be locked."""
    tx.execute(delete(Grant).where(Grant.portal_id == portal_id))
    for one in grants:
        tx.add(Grant(portal_id=portal_id, scope=one.scope, code=one.code, right=one.right))
        tx.flush()


def lock_portal(tx: Session, portal_id: int) -> Portal:
    """The portal, locked against others who change its settings; raises NotFound. Take it after resources."""
    row = tx.scalar(
        select(Portal)
        .where(Portal.id == portal_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("portal")
    return row


def has_amounts(tx: Session, portal_id: int) -> bool:
    """Whether a booking has ever been given a price or money has been recorded: the currency is settled then."""
    priced = exists().where(QuoteLine.portal_id == portal_id)
    taken = exists().where(MoneyRecord.portal_id == portal_id)
    return bool(tx.scalar(select(or_(priced, taken))))
