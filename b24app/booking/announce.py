"""What a change of a booking gives rise to: comments, notices, triggers, and what is due later because of it.

A pure table from history to facts; `announce` writes them with the change. Words are made when they are sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from b24app.errors import InvalidInput, NotAllowed, NotFound, PolicyViolation, Refused, SlotTaken
from b24app.ledger import deliveries
from b24app.ledger.access import Actor
from b24app.ledger.deliveries import COMMENT, NOTICE, TRIGGER, Fact
from b24app.ledger.models import Booking, Portal
from b24app.ledger.occupancy import as_interval
from b24app.ledger.portal_settings import PortalSettings
from b24app.ledger.session import Tx
from b24app.scheduling.stage import Payment, Stage

# What is said in the card, and what people are told of.
COMMENTED = frozenset({
    "booked", "confirmed", "moved", "cancelled", "declined", "lost", "expired", "completed", "no_show", "checked_in",
    "reopened", "undone", "paid", "refunded", "voided",
})  # fmt: skip
NOTICED = COMMENTED - {"completed", "checked_in", "refunded", "voided"} | {"asked"}
DROPPED = frozenset({Stage.CANCELLED, Stage.EXPIRED})
ENDS = {
    Stage.COMPLETED: "booking.completed",
    Stage.CANCELLED: "booking.cancelled",
    Stage.NO_SHOW: "booking.no_show",
    Stage.EXPIRED: "booking.expired",
}
REMINDER, STARTED = "booking.reminder", "booking.started"
TRIGGERS = ("booking.created", "booking.confirmed", "booking.paid", "booking.moved", REMINDER, STARTED, *ENDS.values())
# What of a change is kept for its words.
TOLD = ("start", "end", "stage", "payment", "resources", "amount", "method", "fee", "by")
RESCHEDULED = ("start", "end", "stage", "responsible", "participants", "deal")


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a booking's history, and where the portal can show it. `batch`: one click changed several."""

    action: str
    was: Mapping[str, Any]
    became: Mapping[str, Any]
    actor: Actor
    batch: uuid.UUID | None = None
    bulk: bool = False
    has_item: bool = True

    @property
    def begins(self) -> bool:
        """Whether this is the booking's first."""
        return not self.was and self.action == "booked"


def announce(tx: Tx, portal: Portal, booking: Booking, change: Change, now: datetime) -> None:
    """Writes what this change, which is in the history already, gives rise to. One statement at most."""
    anew = not change.became.keys().isdisjoint(RESCHEDULED)
    facts = facts_because(portal, booking, change, now, scheduling=anew)
    deliveries.plan(tx, booking, facts, now, number=booking.revision, instead=anew)


def facts_because(portal: Portal, booking: Booking, change: Change, now: datetime, *, scheduling: bool) -> list[Fact]:
    """The same as facts, with all that the booking has coming where its time is `scheduling` anew."""
    settings = PortalSettings.from_json(portal.settings)
    coming = scheduled(settings, booking, now, has_item=change.has_item) if scheduling else ()
    return [*facts_of(settings, booking, change), *coming]


def facts_of(settings: PortalSettings, booking: Booking, change: Change) -> Iterator[Fact]:
    """What is to be said and fired at once.

    Of bulk bookings nothing is said in their cards, and of a series people hear once. An import starts no automation,
    as the portal's own never does: thousands of robots at once are nobody's wish.
    """
    if change.bulk and booking.source == "import":
        return
    key, params = f"{booking.id.hex}:{booking.revision}", _params(change)
    if settings.comments and change.has_item and not change.bulk and change.action in COMMENTED:
        yield Fact(f"{key}:comment", COMMENT, change.action, params=params)
    if change.action in NOTICED and (change.batch or not change.bulk):
        # Of what one click did to several, each person hears once.
        told_by = f"{change.batch.hex}:{change.action}" if change.batch else key
        more = {"together": True} if change.batch else {}
        for person in _told(settings, booking, change):
            yield Fact(f"{told_by}:notice:{person}", NOTICE, change.action, person, {**params, **more})
    for code in _triggers(change):
        yield from _fired(f"{key}:{code}", code, booking, change.has_item, bulk=change.bulk)


def _params(change: Change) -> dict[str, Any]:
    was, became = ({name: side[name] for name in TOLD if name in side} for side in (change.was, change.became))
    return {"actor": str(change.actor), "was": was, "became": became}


def _told(settings: PortalSettings, booking: Booking, change: Change) -> list[int]:
    """The responsible and whoever asked for it, but nobody of what he did himself. How it ended, one need answer."""
    actor = change.actor
    people = [booking.responsible_id] if settings.notify_responsible else []
    kind, _, number = booking.created_by.partition(":")
    if settings.notify_requester and kind == "user" and number.isdecimal() and change.action != "asked":
        people.append(int(number))
    found = {person for person in people if person}
    return sorted(found - {actor.id} if actor.kind == "user" else found)


def announced_to(portal: Portal, booking: Booking, person: int) -> list[int]:
    """Who gets a notice of what `person` does to a booking."""
    change = Change("cancelled", {}, {}, Actor("user", person))
    return _told(PortalSettings.from_json(portal.settings), booking, change)


def _triggers(change: Change) -> Iterator[str]:
    stage, stood = change.became.get("stage"), change.was.get("stage")
    if change.begins:
        yield "booking.created"
    if stage == Stage.CONFIRMED and (stood is None or stood == Stage.PREBOOKED or stood in DROPPED):
        yield "booking.confirmed"
    if change.became.get("payment") == Payment.PAID:
        yield "booking.paid"
    if not change.begins and not change.became.keys().isdisjoint({"start", "end", "resources"}) and stage not in ENDS:
        yield "booking.moved"
    if stage in ENDS:
        yield ENDS[Stage(stage)]


def _fired(
    key: str, code: str, booking: Booking, has_item: bool, *, bulk: bool = False, at: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Fact]:  # fmt: skip
    """A trigger on the booking's item, and on its deal."""
    if has_item:
        yield Fact(f"{key}:item", TRIGGER, code, at=at, until=until, bulk=bulk)
    if booking.deal_id is not None:
        params = {"deal": booking.deal_id}
        yield Fact(f"{key}:deal", TRIGGER, code, params=params, at=at, until=until, bulk=bulk)


def scheduled(settings: PortalSettings, booking: Booking, now: datetime, *, has_item: bool) -> Iterator[Fact]:
    """What a confirmed booking has coming: reminders, and its start. What would be late already is not planned."""
    during = as_interval(booking.during)
    if booking.stage != Stage.CONFIRMED or during.start <= now:
        return
    people = sorted({person for person in (booking.responsible_id, *(booking.participants or ())) if person})
    for minutes in settings.remind_minutes:
        at, key = during.start - timedelta(minutes=minutes), f"{booking.id.hex}:remind:{minutes}"
        if at <= now:
            continue
        params = {"minutes": minutes, "start": during.start.isoformat(), "end": during.end.isoformat()}
        for person in people:
            yield Fact(f"{key}:{person}", NOTICE, "reminder", person, params, at, during.start)
        yield from _fired(key, REMINDER, booking, has_item, at=at, until=during.start)
    yield from _fired(f"{booking.id.hex}:started", STARTED, booking, has_item, at=during.start, until=during.end)


# Why something was refused, as a delivery keeps it ----


def reasons(error: Refused) -> list[dict[str, Any]]:
    """Every reason as data for `wording.reason`: nothing in it is a name or a sentence."""
    if isinstance(error, InvalidInput):
        return [{"family": "field", "code": code, "field": name} for name, code in error.fields.items()]
    if isinstance(error, PolicyViolation):
        return [_reason("violation", one.code, one.params) for one in error.violations]
    if isinstance(error, SlotTaken) and error.obstacles:
        return [_reason("obstacle", one.code, one.params, resource=one.resource_id) for one in error.obstacles]
    if isinstance(error, NotAllowed):
        return [_reason("not_allowed", error.action, {})]
    if isinstance(error, NotFound):
        return [_reason("not_found", error.kind, {})]
    return [{"family": "slot_taken" if isinstance(error, SlotTaken) else "stale"}]


def _reason(family: str, code: str, params: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"family": family, "code": code, "params": _plain(params), **more}


def _plain(value: Any) -> Any:
    """The same as JSON can hold it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
