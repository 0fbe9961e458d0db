"""What may have changed in a portal and is to be read anew: hints, one row per object."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from b24app.ledger.portal_models import Draft, Sighting
from b24app.ledger.session import select_rows

ITEM, RESOURCE, EVENT, DEAL, CONTACT, COMPANY, TYPE, USER = (
    "item", "resource", "event", "deal", "contact", "company", "type", "user",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hint:
    """One object of the portal that may have changed; `user_id`: who is said to have done it."""

    kind: str
    remote_id: int
    user_id: int | None = None
    gone: bool = False


def see(tx: Session, portal_id: int, hints: Iterable[Hint], now: datetime, *, bulk: bool = False) -> None:
    """Notes hints, to be looked at as soon as may be; wake the portal afterwards. Told again, it is looked at again.

    `bulk`: what a sweep finds comes after what people do. A new hint of the same object is never less urgent than the
    one that waits, and says anew who did it and whether it has gone.
    """
    rows = {(hint.kind, hint.remote_id): hint for hint in hints}
    values = [
        {"portal_id": portal_id, "kind": one.kind, "remote_id": one.remote_id, "user_id": one.user_id,
         "gone": one.gone, "seen_at": now, "bulk": bulk}
        for _, one in sorted(rows.items())
    ]  # fmt: skip
    if not values:
        return
    adding = insert(Sighting).values(values)
    new = adding.excluded
    again: dict[str, Any] = {
        "seen_at": new.seen_at, "times": Sighting.times + 1, "due_at": None, "attempts": 0,
        "bulk": Sighting.bulk & new.bulk,
        # A sweep knows neither who it was nor that it has gone: what an event said of it stands.
        "user_id": func.coalesce(new.user_id, Sighting.user_id),
        "gone": case((new.bulk, Sighting.gone | new.gone), else_=new.gone),
    }  # fmt: skip
    tx.execute(adding.on_conflict_do_update(constraint="sighting_once", set_=again))


def due(tx: Session, portal_id: int, now: datetime, *, bulk: bool = False, limit: int = 50) -> list[Sighting]:
    """What may be looked at now, the longest waiting first. Detached: they change while we look."""
    rows = list(
        tx.scalars(
            select(Sighting)
            .where(*_due(portal_id, now), Sighting.bulk.is_(bulk))
            .order_by(Sighting.seen_at, Sighting.id)
            .limit(limit)
        )
    )
    for row in rows:
        tx.expunge(row)
    return rows


def waiting(portal_id: Any, now: datetime) -> ColumnElement[bool]:
    """SQL: whether anything may be looked at now in this portal, a column or an id."""
    return exists().where(*_due(portal_id, now))


def _due(portal_id: Any, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (Sighting.portal_id == portal_id, or_(Sighting.due_at.is_(None), Sighting.due_at <= now))


def done(tx: Session, sighting: Sighting) -> None:
    """Has been looked at; told of once more meanwhile, it stays to be looked at again."""
    tx.execute(delete(Sighting).where(*_as_read(sighting)))


def later(tx: Session, seen: Collection[Sighting], at: datetime) -> None:
    """Could not be looked at now; not before `at`."""
    for one in sorted(seen, key=lambda row: row.id):
        tx.execute(update(Sighting).where(*_as_read(one)).values(due_at=at, attempts=Sighting.attempts + 1))


def _as_read(sighting: Sighting) -> tuple[ColumnElement[bool], ...]:
    return (
        Sighting.portal_id == sighting.portal_id,
        Sighting.id == sighting.id,
        Sighting.times == sighting.times,
        Sighting.seen_at == sighting.seen_at,
    )


# As text: it is asked often and mostly for nothing. A participant who declines tells of his copy of an event alone.
_PICTURES = """
SELECT EXISTS (SELECT FROM external_ref WHERE portal_id = %(portal)s AND kind = %(kind)s AND remote_id = %(id)s)
"""
_OTHERWISE = {
    DEAL: "OR EXISTS (SELECT FROM booking WHERE portal_id = %(portal)s AND deal_id = %(id)s)",
    CONTACT: "OR EXISTS (SELECT FROM client WHERE portal_id = %(portal)s AND kind = %(kind)s AND crm_id = %(id)s)",
    EVENT: "OR EXISTS (SELECT FROM external_ref WHERE copies @> ARRAY[%(id)s::bigint] AND portal_id = %(portal)s)",
}
_OTHERWISE[COMPANY] = _OTHERWISE[CONTACT]


def known(tx: Session, portal_id: int, kind: str, remote_id: int) -> bool:
    """Whether an object of the portal concerns us at all: a picture, a booking or a client of ours names it."""
    sql = _PICTURES + _OTHERWISE.get(kind, "")
    return bool(select_rows(tx, sql, portal=portal_id, kind=kind, id=remote_id)[0][0])


def draft(tx: Session, portal_id: int, remote_id: int) -> Draft | None:
    """What is kept of an item that is no booking."""
    return tx.scalar(select(Draft).where(Draft.portal_id == portal_id, Draft.remote_id == remote_id))
