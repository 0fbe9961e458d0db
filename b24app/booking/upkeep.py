"""What is done to resources beside setting one up: copies, several at once, their order, the end of one."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from b24app.booking import others
from b24app.booking.change import cancel_booking
from b24app.booking.resources import archive_resource, data_of, save_resource
from b24app.errors import InvalidInput, NotAllowed, Stale
from b24app.ledger import facilities, kinds, occupancy, photos, queries, refs, writes
from b24app.ledger.access import Viewer
from b24app.ledger.models import Portal, Resource
from b24app.ledger.session import Tx
from b24app.scheduling.hours import OpeningHours

MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Common:
    """What several resources have alike from now on; None leaves each as it is."""

    hours: tuple[OpeningHours, ...] | None = None
    step_minutes: int | None = None
    buffer_before: int | None = None
    buffer_after: int | None = None
    city: str | None = None
    address: str | None = None
    holidays: str | None = None
    archived: bool | None = None

    @property
    def said(self) -> dict[str, Any]:
        """What is to be changed in `ResourceData`."""
        named = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "archived"}
        return {name: value for name, value in named.items() if value is not None}


def edit_many(
    tx: Tx, portal: Portal, resource_ids: Collection[int], common: Common, *, viewer: Viewer, now: datetime,
    longest_hours: int,
) -> list[Resource]:  # fmt: skip
    """The resources, all of them changed or none.

    Raises InvalidInput with "number of the resource.field" for the first that cannot be, NotAllowed, NotFound, Stale.
    """
    if not resource_ids or len(resource_ids) > MOST_AT_ONCE:
        raise InvalidInput({"ids": "too_many" if resource_ids else "required"})
    rows = _lock(tx, portal, resource_ids)
    for resource_id in _parts_last(tx, portal, resource_ids):
        try:
            _edit(tx, portal, rows[resource_id], common, viewer, now, longest_hours)
        except InvalidInput as refused:
            raise InvalidInput({f"{resource_id}.{name}": code for name, code in refused.fields.items()}) from None
    return [rows[one] for one in resource_ids]


def _lock(tx: Tx, portal: Portal, resource_ids: Collection[int]) -> dict[int, Resource]:
    """These with all that they are made of, and their pictures: the first that is saved takes the portal's row."""
    below = facilities.composition(tx, portal.id).below(*resource_ids)
    rows = occupancy.lock(tx, portal.id, {*resource_ids, *below})
    refs.hold_resources(tx, portal.id, list(rows))
    return rows


def _parts_last(tx: Tx, portal: Portal, resource_ids: Collection[int]) -> list[int]:
    """A whole before what it is made of: together they may be archived, the part alone may not."""
    composition = facilities.composition(tx, portal.id)
    return sorted(set(resource_ids), key=lambda one: (-len(composition.below(one)), one))


def _edit(
    tx: Tx, portal: Portal, row: Resource, common: Common, viewer: Viewer, now: datetime, longest_hours: int
) -> None:
    if common.said:
        data = replace(data_of(tx, row), **common.said)
        save_resource(tx, portal, data, viewer=viewer, now=now, longest_hours=longest_hours, resource_id=row.id)
    if common.archived is not None and common.archived != (row.archived_at is not None):
        archive_resource(tx, portal, row.id, viewer=viewer, now=now, archived=common.archived)


def copy_resource(
    tx: Tx, portal: Portal, resource_id: int, name: str, *, viewer: Viewer, now: datetime, longest_hours: int
) -> Resource:
    """Another one like it, under this name and right behind it. Raises InvalidInput, NotAllowed, NotFound."""
    original = queries.resource(tx, portal.id, viewer, resource_id)
    data = replace(data_of(tx, original), name=name)
    made = save_resource(tx, portal, data, viewer=viewer, now=now, longest_hours=longest_hours, sort=original.sort)
    photos.copy(tx, portal.id, original.id, made.id)
    return made


def put_in_order(tx: Tx, portal: Portal, resource_ids: Sequence[int], *, viewer: Viewer) -> None:
    """These stand in this order from now on, in the places that they have among all others.

    Raises NotAllowed, NotFound("resource").
    """
    if not viewer.is_admin:
        raise NotAllowed("settings")
    occupancy.lock(tx, portal.id, resource_ids)
    every, wanted = kinds.sorts(tx, portal.id), iter(dict.fromkeys(resource_ids))
    moved = set(resource_ids)
    kinds.save_sorts(tx, portal.id, _places([next(wanted) if one in moved else one for one in every]))
    writes.board_changed(tx, portal.id)


def _places(in_order: Sequence[int]) -> dict[int, int]:
    return {resource_id: place for place, resource_id in enumerate(in_order, start=1)}


def retire(
    tx: Tx, portal: Portal, resource_id: int, *, seen: Collection[uuid.UUID], cancelled: Collection[uuid.UUID],
    reason: str, viewer: Viewer, now: datetime, revision: int | None = None,
) -> Resource:  # fmt: skip
    """The resource, no longer offered, and of its bookings ahead these `cancelled`; the others stay.

    `seen`: the bookings that the person was asked about. Raises Stale when there is another one by now, and whatever
    `cancel_booking` and `archive_resource` raise; then nothing of it may be kept.
    """
    resource = queries.resource(tx, portal.id, viewer, resource_id)
    if not viewer.may("manage", resource):
        raise NotAllowed("manage")
    wanted = [one for one in facilities.booking_ids_ahead(tx, portal.id, {resource_id}, now) if one in cancelled]
    if wanted:
        others.lock_all(tx, portal, wanted, now)
    batch = uuid.uuid4()
    for booking in queries.booking_states(tx, portal.id, wanted):
        cancel_booking(
            tx, portal, booking.id, revision=booking.revision, viewer=viewer, now=now, reason=reason, batch=batch
        )
    archived = archive_resource(tx, portal, resource_id, viewer=viewer, now=now, revision=revision)
    # The resource is locked by now: what came meanwhile has to be asked about as well.
    if set(facilities.booking_ids_ahead(tx, portal.id, {resource_id}, now)) - set(seen):
        raise Stale(archived.revision)
    if wanted:
        refs.announce(tx, portal.id)
    return archived
