"""Facts: what is owed to people and to the portal's automation once, written with what caused it.

A comment in a card, a notice to a person, a trigger fired, a draft's card moved. Each is a row with a `key` that makes
it one, so whatever is told twice is owed once. `sync.deliveries` sends them. Rows that have a time of their own
(reminders, the start) are kept and dated anew when the booking moves.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from b24app.ledger import queries
from b24app.ledger.models import Booking, ExternalRef, Portal, PortalUser, Resource, Service
from b24app.ledger.portal_models import Delivery
from b24app.ledger.session import run

COMMENT, NOTICE, TRIGGER, STAGE = "comment", "notice", "trigger", "stage"
SENT, UNKNOWN, MISSED, REFUSED, VOID = "sent", "unknown", "missed", "refused", "void"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing to be said or done once. `params` hold ids, times in ISO 8601 and numbers; never a name.

    `at` None: at once. `until`: from then on it is of no use, and such a fact is dated anew by being planned again.
    """

    key: str
    kind: str
    code: str
    recipient: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None
    until: datetime | None = None
    bulk: bool = False


def adding(whose: str, source: str = "") -> str:
    """SQL that writes the facts `%(facts)s`. `whose`: the booking, resource and item that they are about, and the
    number in its history; `source` is where that comes from."""
    return f"""
INSERT INTO delivery (portal_id, booking_id, resource_id, item_id, number, key, kind, code, recipient, params, due_at,
                      useful_until, bulk)
SELECT %(portal)s, {whose}, f.*
FROM {source}jsonb_to_recordset(%(facts)s) AS f (key text, kind text, code text, recipient bigint, params jsonb,
                                         due timestamptz, until timestamptz, bulk boolean)
ON CONFLICT ON CONSTRAINT delivery_once DO UPDATE
SET due_at = excluded.due_at, useful_until = excluded.useful_until, recipient = excluded.recipient,
    params = excluded.params, number = excluded.number, tried_at = NULL, attempts = 0, outcome = NULL, done_at = NULL,
    reason = NULL
WHERE delivery.useful_until <> excluded.useful_until
   OR (delivery.outcome = 'void' AND excluded.useful_until IS NOT NULL)
"""


_ADD = adding("%(booking)s, %(resource)s, %(item)s, %(number)s")
# What was to happen at another time, or to somebody else, and has not been tried yet.
_ADD_INSTEAD = (
    """
WITH gone AS (
    UPDATE delivery SET outcome = 'void', done_at = %(now)s
    WHERE portal_id = %(portal)s AND booking_id = %(booking)s AND outcome IS NULL AND tried_at IS NULL
      AND useful_until IS NOT NULL AND key NOT IN (SELECT f ->> 'key' FROM jsonb_array_elements(%(facts)s) AS f)
)"""
    + _ADD
)


def plan(
    tx: Session, booking: Booking, facts: Sequence[Fact], now: datetime, *, number: int = 0, instead: bool = False
) -> None:
    """Writes the facts of one change of a booking, the `number` of its history, in one statement.

    `instead`: what was planned for a later time and is not among them any more is void.
    """
    if facts or instead:
        _add(tx, booking.portal_id, facts, now, booking_id=booking.id, number=number, instead=instead)


def _add(
    tx: Session,
    portal_id: int,
    facts: Sequence[Fact],
    now: datetime,
    *,
    booking_id: uuid.UUID | None = None,
    resource_id: int | None = None,
    item_id: int | None = None,
    number: int = 0,
    instead: bool = False,
) -> None:
    run(
        tx,
        _ADD_INSTEAD if instead else _ADD,
        portal=portal_id,
        booking=booking_id,
        resource=resource_id,
        item=item_id,
        number=number,
        now=now,
        facts=written(facts, now),
    )


def written(facts: Iterable[Fact], now: datetime) -> Jsonb:
    """Facts as `adding` reads them."""
    return Jsonb(
        [
            {
                "key": one.key,
                "kind": one.kind,
                "code": one.code,
                "recipient": one.recipient,
                "params": dict(one.params),
                "due": (one.at or now).isoformat(),
                "until": one.until.isoformat() if one.until else None,
                "bulk": one.bulk,
            }
            for one in facts
        ]
    )


# For those who decide about what people do in the portal ----


def refusal(
    tx: Session,
    portal: Portal,
    *,
    key: str,
    code: str,
    params: Mapping[str, Any] | None = None,
    person: int | None,
    now: datetime,
    booking_id: uuid.UUID | None = None,
    resource_id: int | None = None,
    item_id: int | None = None,
) -> None:
    """Why something that a person did in the portal does not stand: a comment in the card, a notice to him.

    `code` names the texts `comment.<code>` and `notice.<code>`; `params["reasons"]` is what `announce.reasons(error)`
    says. `item_id`: the card of a draft. Told again under the same `key`, it is said once; so a company that has
    switched comments off still gets the reason.
    """
    facts = [Fact(f"{key}:comment", COMMENT, code, params=params or {})]
    if person:
        facts.append(Fact(f"{key}:notice", NOTICE, code, person, params or {}))
    _add(tx, portal.id, facts, now, booking_id=booking_id, resource_id=resource_id, item_id=item_id)


def comment(
    tx: Session,
    portal: Portal,
    *,
    key: str,
    code: str,
    params: Mapping[str, Any] | None = None,
    now: datetime,
    booking_id: uuid.UUID | None = None,
    resource_id: int | None = None,
    item_id: int | None = None,
) -> None:
    """A comment `comment.<code>` in the card of a booking, a resource or (`item_id`) a draft."""
    fact = Fact(key, COMMENT, code, params=params or {})
    _add(tx, portal.id, [fact], now, booking_id=booking_id, resource_id=resource_id, item_id=item_id)


def notice(
    tx: Session,
    portal: Portal,
    *,
    key: str,
    code: str,
    person: int,
    params: Mapping[str, Any] | None = None,
    now: datetime,
    booking_id: uuid.UUID | None = None,
    resource_id: int | None = None,
    item_id: int | None = None,
) -> None:
    """A notice `notice.<code>` to a person, about a booking, a resource or (`item_id`) a draft."""
    fact = Fact(key, NOTICE, code, person, params or {})
    _add(tx, portal.id, [fact], now, booking_id=booking_id, resource_id=resource_id, item_id=item_id)


def stage(tx: Session, portal: Portal, *, item_id: int, stage_key: str, key: str, now: datetime) -> None:
    """The card of a draft goes to our stage `stage_key` (prebooked, cancelled, …)."""
    _add(tx, portal.id, [Fact(key, STAGE, stage_key)], now, item_id=item_id)


# For the worker that sends them ----


@dataclass(frozen=True, slots=True)
class Told:
    """What must be known to send one: its booking with number, times and place, and which card it goes to.

    `card` is the id of the item in the CRM, None where there is none; `card_type` "bookings" or "resources".
    """

    row: Delivery
    booking: Booking | None
    service: str
    zone: str
    card: int | None
    card_type: str


@dataclass(frozen=True, slots=True)
class Done:
    """What has come of one: an outcome for good, or (None) it is tried again `at`; `heard`: it was certainly not done,
    so that the next try need not look for it."""

    outcome: str | None
    at: datetime | None = None
    reason: str | None = None
    heard: bool = True


def waiting(portal_id: Any, now: datetime) -> ColumnElement[bool]:
    """SQL: whether anything may be sent now in this portal, a column or an id."""
    return exists().where(*_due(portal_id, now))


def _due(portal_id: Any, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Delivery.portal_id == portal_id,
        Delivery.outcome.is_(None),
        Delivery.due_at <= now,
        or_(Delivery.kind == NOTICE, ~_card_comes_first()),
    )


def _card_comes_first() -> ColumnElement[bool]:
    """What is said in a card, or fired on it, waits until the card shows what it speaks of. One that cannot be drawn
    just now, or is one of very many, is not waited for once it is there."""
    item = aliased(ExternalRef)
    there = item.remote_id.is_not(None)
    return exists().where(
        item.portal_id == Delivery.portal_id,
        item.booking_id == Delivery.booking_id,
        item.kind == "item",
        item.dirty_since.is_not(None),
        item.parked_reason.is_(None),
        or_(~there, and_(item.attempts == 0, item.bulk.is_(False))),
    )


def due(tx: Session, portal_id: int, now: datetime, *, bulk: bool = False, limit: int = 25) -> list[Delivery]:
    """What may be sent now, in the order in which it came about. Detached: it may be dated anew while we send."""
    rows = list(
        tx.scalars(
            select(Delivery)
            .where(*_due(portal_id, now), Delivery.bulk.is_(bulk))
            .order_by(Delivery.due_at, Delivery.id)
            .limit(limit)
        )
    )
    for row in rows:
        tx.expunge(row)
    return rows


def told(tx: Session, portal_id: int, rows: Collection[Delivery]) -> list[Told]:
    """The same with what is needed to send them."""
    booking_ids = {row.booking_id for row in rows if row.booking_id}
    bookings = {
        booking.id: (booking, name)
        for booking, name in tx.execute(
            select(Booking, Service.name)
            .join(Service, Service.id == Booking.service_id)
            .where(Booking.portal_id == portal_id, Booking.id.in_(booking_ids))
        )
    }
    held = queries.resources_of_bookings(tx, portal_id, booking_ids)
    cards = _cards(tx, portal_id, booking_ids, {row.resource_id for row in rows if row.resource_id})
    found = []
    for row in rows:
        booking, service = bookings.get(row.booking_id, (None, "")) if row.booking_id else (None, "")
        on = held.get(row.booking_id, ()) if row.booking_id else ()
        card = row.item_id or cards.get(row.booking_id or row.resource_id)
        kind = "resources" if row.resource_id and not row.booking_id else "bookings"
        found.append(Told(row, booking, service, on[0].time_zone if on else "", card, kind))
    return found


def _cards(tx: Session, portal_id: int, bookings: Collection[uuid.UUID], resources: Collection[int]) -> dict[Any, int]:
    """The items of these; one that is parked is not spoken in."""
    rows = tx.execute(
        select(ExternalRef.booking_id, ExternalRef.resource_id, ExternalRef.remote_id).where(
            ExternalRef.portal_id == portal_id,
            ExternalRef.kind == "item",
            ExternalRef.remote_id.is_not(None),
            or_(ExternalRef.booking_id.in_(bookings), ExternalRef.resource_id.in_(resources)),
        )
    )
    return {booking or resource: remote for booking, resource, remote in rows if remote is not None}


def names(
    tx: Session, portal_id: int, people: Collection[int], resources: Collection[int]
) -> tuple[dict[int, str], dict[int, str]]:
    """The names of people and of resources, as far as they are known."""
    users = tx.execute(
        select(PortalUser.user_id, PortalUser.name).where(
            PortalUser.portal_id == portal_id, PortalUser.user_id.in_(people)
        )
    )
    things = tx.execute(
        select(Resource.id, Resource.name).where(Resource.portal_id == portal_id, Resource.id.in_(resources))
    )
    return {row[0]: row[1] for row in users}, {row[0]: row[1] for row in things}


def claim(tx: Session, portal_id: int, rows: Collection[Delivery], now: datetime) -> set[int]:
    """Notes that these are about to be sent; which of them are still to be. Commit before the call.

    Whoever changes a booking at this moment has its rows, and they are left for the next round: no two wait here for
    each other.
    """
    ids = [row.id for row in rows]
    free = tx.execute(
        select(Delivery.id, Delivery.due_at)
        .where(Delivery.portal_id == portal_id, Delivery.id.in_(ids), Delivery.outcome.is_(None))
        .with_for_update(skip_locked=True)
    )
    as_read = {row.id: row.due_at for row in rows}
    ours = {row_id for row_id, due_at in free if as_read[row_id] == due_at}
    tx.execute(
        update(Delivery)
        .where(Delivery.portal_id == portal_id, Delivery.id.in_(ours))
        .values(tried_at=now)
        .execution_options(synchronize_session=False)
    )
    return ours


def record(tx: Session, row: Delivery, done: Done, now: datetime, *, tried_at: datetime | None) -> None:
    """What has come of one; dated anew meanwhile, it stays to be sent. One row in a transaction: see `claim`."""
    values: dict[str, Any] = {"attempts": Delivery.attempts + 1, "due_at": done.at} if done.outcome is None else {
        "outcome": done.outcome, "done_at": now,
    }  # fmt: skip
    if done.outcome is None and done.heard:
        values["tried_at"] = row.tried_at
    tx.execute(
        update(Delivery)
        .where(
            Delivery.portal_id == row.portal_id,
            Delivery.id == row.id,
            Delivery.outcome.is_(None),
            Delivery.tried_at.is_not_distinct_from(tried_at),
        )
        .values(reason=done.reason, **values)
        .execution_options(synchronize_session=False)
    )


def postpone(tx: Session, portal_id: int, at: datetime) -> None:
    """Nothing is sent in this portal before `at`. What a booking's change has locked comes along the next time."""
    late = (
        select(Delivery.id)
        .where(Delivery.portal_id == portal_id, Delivery.outcome.is_(None), Delivery.due_at < at)
        .with_for_update(skip_locked=True)
    )
    tx.execute(
        update(Delivery)
        .where(Delivery.portal_id == portal_id, Delivery.id.in_(late))
        .values(due_at=at)
        .execution_options(synchronize_session=False)
    )


def of_booking(tx: Session, portal_id: int, booking_id: uuid.UUID) -> list[Delivery]:
    """Everything that was or is to be said of a booking, the oldest first."""
    return list(
        tx.scalars(
            select(Delivery)
            .where(Delivery.portal_id == portal_id, Delivery.booking_id == booking_id)
            .order_by(Delivery.due_at, Delivery.id)
        )
    )


def missed(tx: Session, portal_id: int, booking_id: uuid.UUID) -> list[datetime]:
    """When this booking's people were to be reminded and were not, because nothing was sent until it had begun."""
    reminders = (Delivery.kind == NOTICE, Delivery.outcome == MISSED)
    of_booking = (Delivery.portal_id == portal_id, Delivery.booking_id == booking_id)
    rows = tx.execute(select(Delivery.useful_until, Delivery.params).where(*of_booking, *reminders))
    return sorted({start - timedelta(minutes=params["minutes"]) for start, params in rows if start is not None})


def purge(tx: Session, before: datetime, limit: int = 5000) -> int:
    """Forgets what was done with long ago, in all portals; how many. What may still be dated anew is kept a year."""
    old = (
        select(Delivery.id)
        .where(Delivery.outcome.is_not(None), Delivery.done_at < before)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return len(tx.scalars(delete(Delivery).where(Delivery.id.in_(old)).returning(Delivery.id)).all())
