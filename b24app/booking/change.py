"""Moving and cancelling."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from b24app.booking.reserve import check_free, check_rules
from b24app.booking.story import difference, snapshot
from b24app.errors import NotAllowed, NotFound, Stale
from b24app.ledger import history, occupancy, queries, refs
from b24app.ledger.access import Viewer
from b24app.ledger.models import Booking, Portal, Resource
from b24app.ledger.session import Tx
from b24app.scheduling.interval import Interval
from b24app.scheduling.stage import HOLDING, Stage, may_follow


def may_change(viewer: Viewer, booking: Booking, resources: Collection[Resource]) -> bool:
    """Creator, responsible and administrators change; so does who manages everything that it holds."""
    return queries.is_own(viewer, booking) or (
        bool(resources) and all(viewer.may("manage", resource) for resource in resources)
    )


def move_booking(
    tx: Tx,
    portal: Portal,
    booking_id: uuid.UUID,
    interval: Interval,
    resource_id: int,
    *,
    revision: int,
    viewer: Viewer,
    now: datetime,
) -> Booking:
    """The booking at its new time and place, or as it was when nothing differs.

    `revision` is what the person was looking at. Raises NotFound, NotAllowed, Stale, PolicyViolation or SlotTaken.
    """
    held, booking = _lock(tx, portal, booking_id, {resource_id}, revision, viewer)
    target = held[resource_id]
    current = [held[one] for one in occupancy.held_resources(tx, portal.id, booking_id)]
    if not viewer.may("busy", target):
        raise NotFound("resource")
    if booking.stage not in HOLDING or not viewer.may("book", target):
        raise NotAllowed("move")
    if occupancy.as_interval(booking.during) == interval and [target] == current:
        return booking
    before = snapshot(booking, [one.id for one in current])
    offer = queries.offer(tx, portal.id, target)
    check_rules(offer, interval, now)
    check_free(tx, portal.id, offer, interval, except_for=booking_id)
    occupancy.release(tx, portal.id, booking_id, now)
    occupancy.occupy(tx, portal.id, booking_id, offer.unit_ids[:1], interval)
    booking.during, booking.service_id = occupancy.as_range(interval), offer.service_id
    booking.policy = offer.policy.as_dict()
    _changed(tx, portal, booking, "moved", before, [target], viewer=viewer, now=now)
    return booking


def cancel_booking(
    tx: Tx, portal: Portal, booking_id: uuid.UUID, *, revision: int, viewer: Viewer, now: datetime
) -> Booking:
    """The booking, cancelled and its time given back; a cancelled one stays as it is.

    Raises NotFound, NotAllowed or Stale.
    """
    held, booking = _lock(tx, portal, booking_id, set(), revision, viewer)
    if booking.stage == Stage.CANCELLED:
        return booking
    if not may_follow(Stage(booking.stage), Stage.CANCELLED):
        raise NotAllowed("cancel")
    resources = list(held.values())
    before = snapshot(booking, list(held))
    occupancy.release(tx, portal.id, booking_id, now)
    booking.stage = Stage.CANCELLED
    _changed(tx, portal, booking, "cancelled", before, resources, viewer=viewer, now=now)
    return booking


def _lock(
    tx: Tx, portal: Portal, booking_id: uuid.UUID, more: set[int], revision: int, viewer: Viewer
) -> tuple[dict[int, Resource], Booking]:
    """Locks what the booking holds together with `more`, in id order, and then the booking itself."""
    before = occupancy.held_resources(tx, portal.id, booking_id)
    held = occupancy.lock(tx, portal.id, before | more)
    booking = queries.lock_booking(tx, portal.id, booking_id)
    mine = [held[one] for one in before]
    if not may_change(viewer, booking, mine):
        if mine and all(viewer.may("see", one) for one in mine):
            raise NotAllowed("change")
        raise NotFound("booking")
    # What it holds was read before the locks; whoever moved it meanwhile has raised the revision.
    if booking.revision != revision:
        raise Stale(booking.revision)
    return held, booking


def _changed(
    tx: Tx,
    portal: Portal,
    booking: Booking,
    action: str,
    before: dict[str, Any],
    resources: list[Resource],
    *,
    viewer: Viewer,
    now: datetime,
) -> None:
    booking.revision += 1
    booking.updated_at = now
    tx.flush()
    was, became = difference(before, snapshot(booking, [one.id for one in resources]))
    history.record(tx, booking, action, actor=viewer.actor, now=now, before=was, after=became)
    refs.touch_booking(tx, portal, booking.id, resources, now)
