"""What is said about a booking and decides nothing: its comment and participants, without a card also its title."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from b24app.booking.change import Case, open_case
from b24app.booking.story import snapshot, tell
from b24app.ledger import refs
from b24app.ledger.access import Viewer
from b24app.ledger.models import Booking, Portal
from b24app.ledger.session import Tx
from b24app.scheduling.stage import HOLDING


@dataclass(frozen=True, slots=True)
class Details:
    """The details as they are to be. Where a booking has a card in the CRM, its title and responsible are said there,
    and count here for nothing."""

    notes: str
    participants: frozenset[int] = frozenset()
    title: str = ""
    responsible_id: int | None = None


def has_card(portal: Portal) -> bool:
    """Whether bookings of this portal have a card, where people name them and put somebody in charge."""
    return portal.level == "B"


def describe_booking(
    tx: Tx, portal: Portal, booking_id: uuid.UUID, details: Details, *, revision: int, viewer: Viewer, now: datetime
) -> Booking:
    """The booking with these details, told in its history; reminders follow the people. Whatever its stage is.

    Raises NotFound, NotAllowed or Stale.
    """
    case = open_case(tx, portal, booking_id, revision=revision, viewer=viewer, now=now)
    booking, before = case.booking, snapshot(case.booking, case.on)
    texts_were = (booking.title, booking.notes)
    _put(portal, booking, details)
    if snapshot(booking, case.on) == before and (booking.title, booking.notes) == texts_were:
        return booking
    _finish(tx, portal, case, before, viewer=viewer, now=now)
    return booking


def _put(portal: Portal, booking: Booking, details: Details) -> None:
    booking.notes, booking.participants = details.notes, sorted(details.participants)
    if not has_card(portal):
        booking.title = details.title
        booking.responsible_id = details.responsible_id or booking.responsible_id


def _finish(tx: Tx, portal: Portal, case: Case, before: dict[str, object], *, viewer: Viewer, now: datetime) -> None:
    booking = case.booking
    tell(tx, portal, booking, "described", before, actor=viewer.actor, now=now, resource_ids=case.on)
    tx.flush()
    refs.mark_behind(tx, portal.id, [booking.id], now)
    if booking.stage in HOLDING:
        refs.draw_booking(tx, portal, booking, case.facts, now)
    refs.announce(tx, portal.id)
