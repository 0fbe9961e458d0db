"""What the portal should show of a booking, worked out the slow way: from the booking itself, not from `mapping`."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from b24app.ledger import outbox, refs
from b24app.ledger.models import Booking, ExternalRef
from b24app.ledger.session import transaction
from b24app.sync.laid import LaidCrm
from tests.sync.rig import Rig

SHOWN = ("prebooked", "confirmed", "completed", "no_show")


def items_of(rig: Rig, booking_id: uuid.UUID) -> list[dict[str, Any]]:
    """The portal's items that carry the booking's mark."""
    return [item for item in rig.items("bookings") if item["xmlId"] == str(booking_id)]


def events_of(rig: Rig, booking_id: uuid.UUID) -> list[dict[str, Any]]:
    """The portal's events that carry the booking's mark."""
    return [row for row in rig.events() if f":{booking_id.hex[:8]}:" in row["description"]]


def refs_of(rig: Rig, booking_id: uuid.UUID) -> dict[str, ExternalRef]:
    """The ledger's refs: "item", and events by target."""
    with transaction(rig.engine) as tx:
        return {ref.target or ref.kind: ref for ref in refs.of_booking(tx, rig.portal_id, booking_id)}


def assert_shown(rig: Rig, booking_id: uuid.UUID) -> None:
    """Exactly one item and one event per target, equal to the booking, and the ledger knows their ids."""
    with transaction(rig.engine) as tx:
        booking = tx.get(Booking, booking_id)
        assert booking is not None
        known = refs.of_booking(tx, rig.portal_id, booking_id)
        row = outbox.subjects(tx, rig.portal_id, known).bookings[booking_id]
        holds = booking.stage in SHOWN and not booking.competes
        targets = refs.event_targets(rig.ledger(tx), row.resources) if holds else []
        crm = LaidCrm.from_json(rig.ledger(tx).crm)
    (item,) = items_of(rig, booking_id)
    events = {_target(row): row for row in events_of(rig, booking_id)}
    assert len(events) == len(events_of(rig, booking_id)), "one event per target"
    assert sorted(events) == targets
    there = {ref.target or "item": ref.remote_id for ref in known if ref.remote_id is not None}
    assert there == {"item": item["id"], **{target: row["id"] for target, row in events.items()}}
    assert all(ref.dirty_since is None and ref.written_revision == ref.revision for ref in known)
    assert all(ref.intent is None and ref.parked_reason is None for ref in known)
    _assert_item(item, booking, crm)
    for target, event in events.items():
        _assert_event(event, target, booking, row.service.name)


def _target(row: dict[str, Any]) -> str:
    return "company" if row["type"] == "company_calendar" else f"user:{row['owner']}"


def _assert_item(item: dict[str, Any], booking: Booking, crm: LaidCrm) -> None:
    start, end = _bounds(booking)
    names = crm.need("bookings").fields
    assert item["stageId"] == crm.stages[booking.stage]
    assert item[names["number"]] == booking.number
    assert (item[names["start_ts"]], item[names["end_ts"]]) == (start.timestamp(), end.timestamp())
    assert datetime.fromisoformat(item[names["start_at"]]) == start
    assert datetime.fromisoformat(item[names["end_at"]]) == end
    if booking.title:
        assert item["title"] == booking.title


def _assert_event(row: dict[str, Any], target: str, booking: Booking, name: str) -> None:
    start, end = _bounds(booking)
    assert (row["start"], row["end"]) == (start.timestamp(), end.timestamp())
    assert row["accessibility"] == ("free" if target == "company" or booking.stage == "no_show" else "busy")
    assert name in row["name"]
    assert str(booking.number) in row["name"]
    assert row["description"].endswith(f"booking:{booking.number}:{booking.id.hex[:8]}:{target}")
    assert not row["is_meeting"]


def _bounds(booking: Booking) -> tuple[datetime, datetime]:
    assert booking.during.lower is not None
    assert booking.during.upper is not None
    return booking.during.lower, booking.during.upper
