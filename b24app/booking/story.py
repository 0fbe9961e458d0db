"""What every change of a booking has in common."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from b24app.booking.announce import Change, announce, facts_because
from b24app.ledger import history
from b24app.ledger.access import Actor
from b24app.ledger.deliveries import Fact
from b24app.ledger.models import Booking, Portal
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import Tx
from b24app.scheduling.stage import Stage, may_follow


def snapshot(booking: Booking, resource_ids: Collection[int] = ()) -> dict[str, Any]:
    """What history keeps of a booking: times as ISO 8601 in UTC, ids only."""
    interval = as_interval(booking.during)
    return {
        "start": interval.start.isoformat(),
        "end": interval.end.isoformat(),
        "stage": str(booking.stage),
        "competes": booking.competes,
        "payment": str(booking.payment),
        "resources": sorted(resource_ids),
        "client": booking.client_id,
        "deal": booking.deal_id,
        "responsible": booking.responsible_id,
        "participants": sorted(booking.participants or ()),
        "party": booking.party,
        "wish": booking.wish,
        "held_until": booking.held_until.isoformat() if booking.held_until else None,
        "checked_in": booking.checked_in_at.isoformat() if booking.checked_in_at else None,
        "pinned": booking.pinned,
    }


def difference(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Only what differs, as it was and as it is."""
    changed = [key for key in after if before.get(key) != after[key]]
    return {key: before.get(key) for key in changed}, {key: after[key] for key in changed}


def tell(
    tx: Tx,
    portal: Portal,
    booking: Booking,
    action: str,
    before: dict[str, Any],
    *,
    actor: Actor,
    now: datetime,
    resource_ids: Collection[int] = (),
    more: dict[str, Any] | None = None,
    batch: uuid.UUID | None = None,
) -> None:
    """One change in the history, as a new revision: what differs from the snapshot `before`, and `more` about it;
    with it what is owed to people and the portal's automation because of it.

    Every change of a stage comes through here, so that here the table of stages is binding: a use case that breaks it
    is a mistake of ours, and nothing of it is written.
    """
    stood, stands = Stage(before["stage"]), Stage(booking.stage)
    assert stands == stood or may_follow(stood, stands), f"{action}: {stood} is not followed by {stands}"
    booking.revision += 1
    booking.updated_at = now
    was, became = difference(before, snapshot(booking, resource_ids))
    became |= more or {}
    history.record(tx, booking, action, actor=actor, now=now, before=was, after=became, batch=batch)
    announce(tx, portal, booking, Change(action, was, became, actor, batch, has_item=portal.level == "B"), now)


def beginning(
    portal: Portal,
    booking: Booking,
    *,
    actor: Actor,
    now: datetime,
    resource_ids: Collection[int],
    batch: uuid.UUID | None = None,
    bulk: bool = False,
) -> tuple[dict[str, Any], list[Fact]]:
    """What the first row of a booking's history holds, and what is owed because of it; of `bulk` ones next to nothing
    is."""
    after = snapshot(booking, resource_ids)
    change = Change("booked", {}, after, actor, batch, bulk, has_item=portal.level == "B")
    return after, facts_because(portal, booking, change, now, scheduling=True)
