"""What every change of a booking has in common."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from b24app.ledger.models import Booking
from b24app.ledger.occupancy import as_interval


def snapshot(booking: Booking, resource_ids: Collection[int]) -> dict[str, Any]:
    """What history keeps of a booking: times as ISO 8601 in UTC, ids only."""
    interval = as_interval(booking.during)
    return {
        "start": interval.start.isoformat(),
        "end": interval.end.isoformat(),
        "stage": str(booking.stage),
        "resources": sorted(resource_ids),
        "client": booking.client_id,
        "deal": booking.deal_id,
        "responsible": booking.responsible_id,
    }


def difference(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Only what differs, as it was and as it is."""
    changed = [key for key in after if before.get(key) != after[key]]
    return {key: before.get(key) for key in changed}, {key: after[key] for key in changed}
