"""Taking a time."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from b24app.booking.clients import ClientData, keep_client
from b24app.booking.story import snapshot
from b24app.errors import NotAllowed, NotFound, PolicyViolation, Refused, SlotTaken
from b24app.ledger import history, occupancy, queries, refs, writes
from b24app.ledger.access import Viewer
from b24app.ledger.models import Booking, Portal, Resource
from b24app.ledger.session import Tx
from b24app.scheduling.hours import open_intervals
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import violations
from b24app.scheduling.stage import Payment, Stage

# Hours around the wish are looked at this far, so that a long booking over midnight sees both days as one.
AROUND = timedelta(days=1)
# Nobody waits in front of a screen for these, so their pictures are drawn after everybody else's.
BULK_SOURCES = frozenset({"import"})


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """What somebody wants. `request_key` is the form's own: sent twice, it makes one booking."""

    resource_id: int
    interval: Interval
    source: str = "manager"
    client: ClientData | None = None
    deal_id: int | None = None
    title: str = ""
    notes: str = ""
    responsible_id: int | None = None
    request_key: str | None = None


def book(tx: Tx, portal: Portal, request: BookingRequest, *, viewer: Viewer, now: datetime) -> Booking:
    """A confirmed booking, or the one that this very form has made before.

    Raises NotFound, NotAllowed, PolicyViolation (every broken rule) or SlotTaken; nothing is sent yet.
    """
    resource = occupancy.lock(tx, portal.id, [request.resource_id])[request.resource_id]
    try:
        offer = _offered(tx, portal, resource, request.interval, viewer, now)
    except Refused:
        # Sent twice, a form finds its own booking in the way; the lock has let the first one finish.
        if made := _made_before(tx, portal, request):
            return made
        raise
    booking = _insert(tx, portal, request, offer, viewer=viewer, now=now)
    if booking is None:  # sent twice, with another time or resource the second time
        made = _made_before(tx, portal, request)
        assert made is not None, "the unique key has just told that it exists"
        return made
    occupancy.occupy(tx, portal.id, booking.id, offer.unit_ids[:1], request.interval)
    history.record(
        tx, booking, "booked", actor=viewer.actor, now=now, before={}, after=snapshot(booking, [resource.id])
    )
    refs.draw_booking(tx, portal, booking.id, [resource], now, bulk=request.source in BULK_SOURCES)
    return booking


def _offered(
    tx: Tx, portal: Portal, resource: Resource, wanted: Interval, viewer: Viewer, now: datetime
) -> queries.Offer:
    """What may be booked there; raises the reason why it may not."""
    if not viewer.may("busy", resource):
        raise NotFound("resource")
    if not viewer.may("book", resource):
        raise NotAllowed("book")
    offer = queries.offer(tx, portal.id, resource)
    check_rules(offer, wanted, now)
    check_free(tx, portal.id, offer, wanted)
    return offer


def _made_before(tx: Tx, portal: Portal, request: BookingRequest) -> Booking | None:
    return queries.booking_by_request(tx, portal.id, request.request_key) if request.request_key else None


def check_rules(offer: queries.Offer, wanted: Interval, now: datetime) -> None:
    """Raises PolicyViolation with all the rules that `wanted` breaks."""
    # A wish of ten years is refused by its length; its opening hours need not be computed for that.
    end = min(wanted.end, wanted.start + timedelta(minutes=offer.policy.max_minutes))
    around = Interval(wanted.start - AROUND, max(end, wanted.start) + AROUND)
    broken = violations(offer.policy, wanted, open_intervals(offer.hours, around, offer.zone), offer.zone, now)
    if broken:
        raise PolicyViolation(broken)


def check_free(
    tx: Tx, portal_id: int, offer: queries.Offer, wanted: Interval, *, except_for: uuid.UUID | None = None
) -> None:
    """Raises SlotTaken when somebody holds the unit; the early answer, the constraint has the last word."""
    if occupancy.taken(tx, portal_id, offer.unit_ids, wanted, except_for=except_for):
        raise SlotTaken(wanted)


def _insert(
    tx: Tx, portal: Portal, request: BookingRequest, offer: queries.Offer, *, viewer: Viewer, now: datetime
) -> Booking | None:
    client_id = keep_client(tx, portal.id, request.client) if request.client else None
    return writes.insert_booking(
        tx,
        portal.id,
        {
            "id": uuid.uuid4(),
            "service_id": offer.service_id,
            "during": occupancy.as_range(request.interval),
            "stage": Stage.CONFIRMED,
            "payment": Payment.NONE,
            "client_id": client_id,
            "deal_id": request.deal_id,
            "title": request.title,
            "notes": request.notes,
            "responsible_id": request.responsible_id or viewer.user_id,
            "source": request.source,
            "policy": offer.policy.as_dict(),
            "request_key": request.request_key,
            "created_by": str(viewer.actor),
            "created_at": now,
            "updated_at": now,
        },
    )
