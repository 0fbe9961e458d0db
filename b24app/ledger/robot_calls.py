"""Runs of our robots in a portal's automation: kept when we are called, until the portal has the answer."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from b24app.ledger.portal_models import RobotCall
from b24app.ledger.session import select_rows

FORGOTTEN: dict[str, Any] = {"properties": {}, "token": ""}


@dataclass(frozen=True, slots=True)
class Called:
    """A call as it arrived. `token` is what it has to be answered with, and what makes it one."""

    code: str
    token: str
    document: str
    properties: Mapping[str, Any]
    user_id: int | None
    waits: bool


def keep(tx: Session, portal_id: int, called: Called, now: datetime) -> None:
    """Keeps a call to be carried out; one that is told twice is kept once. Wake the portal afterwards."""
    row = {
        "portal_id": portal_id, "code": called.code, "token": called.token, "token_hash": print_of(called.token),
        "document": called.document, "properties": dict(called.properties), "user_id": called.user_id,
        "waits": called.waits, "received_at": now,
    }  # fmt: skip
    tx.execute(insert(RobotCall).values(row).on_conflict_do_nothing(constraint="robot_call_once"))


def print_of(token: str) -> str:
    """What a call is known by: tokens are kept encrypted, and so cannot be looked for."""
    return hashlib.sha256(token.encode()).hexdigest()


def due(tx: Session, portal_id: int, now: datetime, *, limit: int) -> list[RobotCall]:
    """What is to be carried out or answered now, in the order it arrived. Detached: it changes while we work."""
    rows = list(tx.scalars(select(RobotCall).where(*_due(portal_id, now)).order_by(RobotCall.id).limit(limit)))
    for row in rows:
        tx.expunge(row)
    return rows


def waiting(portal_id: Any, now: datetime) -> ColumnElement[bool]:
    """SQL: whether anything is to be done now in this portal, a column or an id."""
    return exists().where(*_due(portal_id, now))


def _due(portal_id: Any, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        RobotCall.portal_id == portal_id,
        RobotCall.sent_at.is_(None),
        RobotCall.failed.is_(None),
        or_(RobotCall.due_at.is_(None), RobotCall.due_at <= now),
    )


def decide(tx: Session, call: RobotCall, result: Mapping[str, Any], booking_id: uuid.UUID | None) -> bool:
    """Notes what came of a call, in the transaction that did it; False when somebody else has done it meanwhile."""
    found = tx.scalar(
        update(RobotCall)
        .where(RobotCall.portal_id == call.portal_id, RobotCall.id == call.id, RobotCall.result.is_(None))
        .values(result=dict(result), booking_id=booking_id, attempts=0, due_at=None)
        .returning(RobotCall.id)
    )
    return found is not None


def later(tx: Session, calls: Collection[RobotCall], at: datetime | None) -> None:
    """One more try has come to nothing; None: the next may follow at once."""
    _change(tx, calls, {"due_at": at, "attempts": RobotCall.attempts + 1})


def sent(tx: Session, calls: Collection[RobotCall], now: datetime) -> None:
    """The portal has the answer; what the robot was told is forgotten, people's words may be in it."""
    _change(tx, calls, {"sent_at": now, **FORGOTTEN})


def failed(tx: Session, calls: Collection[RobotCall], reason: str) -> None:
    """Nobody waits for the answer any more; why is the portal's own code or ours."""
    _change(tx, calls, {"failed": reason[:300], **FORGOTTEN})


def _change(tx: Session, calls: Collection[RobotCall], values: Mapping[str, Any]) -> None:
    for call in sorted(calls, key=lambda one: one.id):
        where = (RobotCall.portal_id == call.portal_id, RobotCall.id == call.id)
        tx.execute(update(RobotCall).where(*where).values(**values))


def forget(tx: Session, before: datetime) -> None:
    """Deletes calls that arrived before then and are over. No token lives that long."""
    over = or_(RobotCall.sent_at.is_not(None), RobotCall.failed.is_not(None))
    tx.execute(delete(RobotCall).where(RobotCall.received_at < before, over))


# What a robot runs for, and where people find what it has made ----

_OWNER = """
SELECT booking_id, resource_id FROM external_ref
WHERE portal_id = %(portal)s AND kind = 'item' AND remote_id = %(item)s AND booking_id IS {} NULL
"""


def booking_of_item(tx: Session, portal_id: int, item_id: int) -> uuid.UUID | None:
    """The booking whose item this is. Items of both smart processes have numbers of their own."""
    rows = select_rows(tx, _OWNER.format("NOT"), portal=portal_id, item=item_id)
    return rows[0][0] if rows else None


def resource_of_item(tx: Session, portal_id: int, item_id: int) -> int | None:
    """The resource whose item this is."""
    rows = select_rows(tx, _OWNER.format(""), portal=portal_id, item=item_id)
    return rows[0][1] if rows else None


_CARDS = """
SELECT b.id, b.deal_id, r.remote_id, r.id IS NOT NULL AND r.remote_id IS NULL AND r.parked_reason IS NULL
FROM booking b LEFT JOIN external_ref r ON r.portal_id = b.portal_id AND r.booking_id = b.id AND r.kind = 'item'
WHERE b.portal_id = %(portal)s AND b.id = ANY(%(bookings)s)
"""


class Card(NamedTuple):
    """Where the portal shows a booking. `coming`: it has no item yet, but will."""

    deal_id: int | None
    item_id: int | None
    coming: bool


def cards_of(tx: Session, portal_id: int, booking_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Card]:
    """The cards of these bookings."""
    rows = select_rows(tx, _CARDS, portal=portal_id, bookings=list(booking_ids)) if booking_ids else ()
    return {row[0]: Card(*row[1:]) for row in rows}
