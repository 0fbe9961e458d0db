"""Resources edited in their cards in the portal: under the same rules as on our pages.

A card holds name, place, capacity, whether it is offered, and the main price of booking it alone; everything else about
a resource is set with us.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from b24app.booking.resources import ResourceData, archive_resource, data_of, save_resource
from b24app.booking.tariffs import save_tariff
from b24app.errors import InvalidInput, NotAllowed
from b24app.ledger import facilities, occupancy, queries, rules
from b24app.ledger.access import Viewer
from b24app.ledger.models import Portal, Resource
from b24app.ledger.session import Tx
from b24app.scheduling.hours import OpeningHours
from b24app.scheduling.pricing import Tariff

OF_CARD = ("name", "city", "address", "capacity", "kind")
# Until somebody says more of a resource that was made in the portal.
USUAL_KIND = "room"
USUAL_HOURS = tuple(OpeningHours(day, 9 * 60, 18 * 60) for day in range(5))


def edit(
    tx: Tx, portal: Portal, resource_id: int, changes: Mapping[str, Any], *, viewer: Viewer, now: datetime
) -> None:
    """The resource as its card says: `changes` of name, city, address, capacity, kind, price and active.

    Raises NotAllowed, NotFound, InvalidInput; then nothing of it may be kept.
    """
    below = facilities.composition(tx, portal.id).below(resource_id)
    occupancy.lock(tx, portal.id, {resource_id} | below)
    resource = queries.resource(tx, portal.id, viewer, resource_id)
    if not viewer.may("manage", resource):
        raise NotAllowed("manage")
    data = _changed(data_of(tx, resource), changes)
    if "price" in changes:
        price = Decimal(changes["price"])
        data = replace(data, tariff_id=_tariff(tx, portal, data.name, data.tariff_id, price, viewer, now))
    if changes.keys() - {"active"}:
        _save(tx, portal, data, viewer, now, resource_id)
    if "active" in changes and changes["active"] == (resource.archived_at is not None):
        archive_resource(tx, portal, resource_id, viewer=viewer, now=now, archived=not changes["active"])


def _changed(data: ResourceData, changes: Mapping[str, Any]) -> ResourceData:
    said = {name: changes[name] for name in OF_CARD if name in changes}
    if empty := [name for name, value in said.items() if value is None]:
        raise InvalidInput(dict.fromkeys(empty, "required"))
    return replace(data, **said)


def _save(
    tx: Tx, portal: Portal, data: ResourceData, viewer: Viewer, now: datetime, resource_id: int | None = None
) -> Resource:
    """Durations are not the card's, so that whatever they are is right."""
    return save_resource(
        tx, portal, data, viewer=viewer, now=now, resource_id=resource_id, longest_hours=-(-data.max_minutes // 60)
    )


def _tariff(
    tx: Tx, portal: Portal, name: str, tariff_id: int | None, price: Decimal, viewer: Viewer, now: datetime
) -> int | None:
    """The tariff that has this as its only price; several of them are for our pages to edit.

    One that other services have as well stays as it is for them.
    """
    if tariff_id is None:
        return save_tariff(tx, portal, Tariff(name, "hour", price), viewer=viewer, now=now).id if price else None
    row = rules.tariff(tx, portal.id, tariff_id)
    known = Tariff.from_dict(row.body)
    if known.rules:
        raise NotAllowed("several_prices")
    if not price:
        return None
    if len(rules.services_with_tariff(tx, portal.id, tariff_id)) > 1:
        return save_tariff(tx, portal, replace(known, name=name, price=price), viewer=viewer, now=now).id
    return save_tariff(tx, portal, replace(known, price=price), viewer=viewer, now=now, tariff_id=tariff_id).id


def add(tx: Tx, portal: Portal, card: Mapping[str, Any], *, viewer: Viewer, now: datetime) -> Resource:
    """The resource of a card that was made in the portal, offered once it is known what kind it is.

    Raises NotAllowed, InvalidInput.
    """
    if not viewer.is_admin:
        raise NotAllowed("manage")
    kind, price = card.get("kind"), Decimal(card["price"])
    data = ResourceData(
        kind=kind or USUAL_KIND,
        name=card["name"],
        city=card["city"],
        address=card["address"],
        capacity=card["capacity"] or 1,
        time_zone=portal.time_zone,
        hours=USUAL_HOURS,
        tariff_id=_tariff(tx, portal, card["name"], None, price, viewer, now),
    )
    resource = _save(tx, portal, data, viewer, now)
    if not kind:
        archive_resource(tx, portal, resource.id, viewer=viewer, now=now)
    return resource


def card_deleted(tx: Tx, portal: Portal, resource_id: int, *, viewer: Viewer, now: datetime) -> bool:
    """Archives the resource; whether bookings ahead stand on it, so that its card is still needed.

    Raises NotAllowed, NotFound, InvalidInput.
    """
    resource = queries.resource(tx, portal.id, viewer, resource_id)
    if resource.archived_at is None:
        archive_resource(tx, portal, resource_id, viewer=viewer, now=now)
    elif not viewer.may("manage", resource):
        raise NotAllowed("manage")
    return bool(facilities.bookings_ahead(tx, portal.id, {resource_id}, now))
