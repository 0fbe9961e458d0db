"""What is set up in a portal, read for all of it at once: for its configuration and for finding things by name."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from b24app.ledger.models import PortalUser, Resource, Service, SpecialHours
from b24app.scheduling.hours import Stretch


def resources(tx: Session, portal_id: int) -> list[Resource]:
    """Every resource, archived ones too, in the order of the board."""
    of_portal = select(Resource).where(Resource.portal_id == portal_id)
    return list(tx.scalars(of_portal.order_by(Resource.sort, Resource.name, Resource.id)))


def services(tx: Session, portal_id: int) -> list[Service]:
    """Every service that is more than booking one bare resource, archived ones too, in their order."""
    own = select(Service).where(Service.portal_id == portal_id, Service.resource_id.is_(None))
    return list(tx.scalars(own.order_by(Service.sort, Service.name, Service.id)))


def bare_services(tx: Session, portal_id: int, resource_ids: Collection[int]) -> dict[int, Service]:
    """The services that are nothing but booking one of these resources, by its id."""
    bare = select(Service).where(Service.portal_id == portal_id, Service.resource_id.in_(resource_ids))
    return {one.resource_id: one for one in tx.scalars(bare) if one.resource_id is not None}


SpecialDays = dict[int, dict[date, tuple[Stretch, ...]]]


def special_hours(tx: Session, portal_id: int, resource_ids: Collection[int]) -> SpecialDays:
    """What replaces the week of each of these, by date; a date without stretches is closed."""
    rows = tx.execute(
        select(SpecialHours.resource_id, SpecialHours.day, SpecialHours.opens, SpecialHours.closes)
        .where(SpecialHours.portal_id == portal_id, SpecialHours.resource_id.in_(resource_ids))
        .order_by(SpecialHours.resource_id, SpecialHours.day, SpecialHours.opens)
    ).all()
    found: SpecialDays = {}
    for (resource_id, day), of_day in itertools.groupby(rows, key=lambda row: (row[0], row[1])):
        found.setdefault(resource_id, {})[day] = tuple(
            Stretch(opens, closes) for *_one, opens, closes in of_day if opens is not None and closes is not None
        )
    return found


def people_called(tx: Session, portal_id: int, names: Collection[str]) -> dict[str, list[int]]:
    """The ids of those who work here and are called so, by name."""
    called = select(PortalUser.name, PortalUser.user_id).where(
        PortalUser.portal_id == portal_id, PortalUser.name.in_(names), PortalUser.dismissed.is_(False)
    )
    found: dict[str, list[int]] = {}
    for name, user_id in tx.execute(called.order_by(PortalUser.user_id)):
        found.setdefault(name, []).append(user_id)
    return found
