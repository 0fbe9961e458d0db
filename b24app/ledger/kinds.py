"""Kinds of resources that a company has named itself, and in which order its resources stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Text, cast, func, select, update
from sqlalchemy.orm import Session

from b24app.errors import NotFound
from b24app.ledger.models import Grant, Requirement, Resource
from b24app.ledger.place_models import ResourceKind


@dataclass(frozen=True, slots=True)
class OwnKind:
    """A kind as pages show it."""

    key: str
    one: str
    many: str
    icon: str


# As `tenancy.seen` reads them for each request of a page.
KINDS_OF_PORTAL = """
(SELECT json_agg(json_build_array(k.key, k.one, k.many, k.icon) ORDER BY k.sort, k.one, k.id)
 FROM resource_kind k WHERE k.portal_id = p.id)
"""


def kinds(tx: Session, portal_id: int) -> list[ResourceKind]:
    """All of them, in their order."""
    of_portal = select(ResourceKind).where(ResourceKind.portal_id == portal_id)
    return list(tx.scalars(of_portal.order_by(ResourceKind.sort, ResourceKind.one, ResourceKind.id)))


def kind(tx: Session, portal_id: int, kind_id: int) -> ResourceKind:
    """One kind, locked until the transaction ends; raises NotFound."""
    row = tx.scalar(
        select(ResourceKind)
        .where(ResourceKind.portal_id == portal_id, ResourceKind.id == kind_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("kind")
    return row


def hold(tx: Session, portal_id: int, key: str) -> bool:
    """Whether there is a kind with this key; then nobody removes it until the transaction ends."""
    one = (ResourceKind.portal_id == portal_id, ResourceKind.key == key)
    return tx.scalar(select(ResourceKind.id).where(*one).with_for_update(read=True, key_share=True)) is not None


def uses(tx: Session, portal_id: int) -> dict[str, int]:
    """How many resources, archived ones too, requirements and rights name each kind; unnamed ones are missing."""
    named = (
        select(Resource.kind).where(Resource.portal_id == portal_id)
        .union_all(
            select(Requirement.kind).where(Requirement.portal_id == portal_id, Requirement.kind.is_not(None)),
            select(func.substr(Grant.scope, 6)).where(Grant.portal_id == portal_id, Grant.scope.like("kind:%")),
        ).subquery()
    )  # fmt: skip
    return dict(tx.execute(select(named.c.kind, func.count()).group_by(named.c.kind)).all())


def counts(tx: Session, portal_id: int) -> dict[str, int]:
    """How many resources, archived ones too, there are of each kind."""
    of_portal = select(Resource.kind, func.count()).where(Resource.portal_id == portal_id)
    return dict(tx.execute(of_portal.group_by(Resource.kind)).all())


def sorts(tx: Session, portal_id: int) -> list[int]:
    """The ids of all resources in the order of the board, archived ones too."""
    of_portal = select(Resource.id).where(Resource.portal_id == portal_id)
    return list(tx.scalars(of_portal.order_by(Resource.sort, Resource.name, Resource.id)))


def next_sort(tx: Session, portal_id: int) -> int:
    """Where a new resource stands: behind all others, once anybody has put them in an order."""
    last = tx.scalar(select(func.max(Resource.sort)).where(Resource.portal_id == portal_id)) or 0
    return last + 1 if last else 0


def save_sorts(tx: Session, portal_id: int, places: Mapping[int, int]) -> None:
    """Where each resource stands from now on."""
    for resource_id in sorted(places):
        one = (Resource.portal_id == portal_id, Resource.id == resource_id)
        tx.execute(update(Resource).where(*one).values(sort=places[resource_id]))


def found_by(tx: Session, portal_id: int, asked: str) -> list[Resource]:
    """What is offered and has this in its name, its place or what else is said of it, in the order of the board."""
    like = "%" + asked.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
    said = func.concat_ws(" ", Resource.name, Resource.city, Resource.address, cast(Resource.attributes, Text))
    offered = select(Resource).where(Resource.portal_id == portal_id, Resource.archived_at.is_(None), said.ilike(like))
    return list(tx.scalars(offered.order_by(Resource.sort, Resource.name, Resource.id)))
