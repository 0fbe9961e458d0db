"""The people of a portal: who they are, what they may do as of when, and whose work is left behind."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from b24app.ledger.models import AdminToken, Booking, PortalUser
from b24app.scheduling.stage import HOLDING


@dataclass(frozen=True, slots=True)
class Employee:
    """A person as the portal tells of him; `codes` are his access codes."""

    user_id: int
    name: str
    codes: frozenset[str]
    dismissed: bool = False


def known_since(tx: Session, portal_id: int, user_ids: Collection[int], since: datetime) -> set[int]:
    """Those of these people of whom we have read since then."""
    return set(
        tx.scalars(
            select(PortalUser.user_id).where(
                PortalUser.portal_id == portal_id, PortalUser.user_id.in_(user_ids), PortalUser.checked_at >= since
            )
        )
    )


def keep(tx: Session, portal_id: int, people: Iterable[Employee], now: datetime) -> None:
    """Brings these people up to date. Whether somebody is an administrator only he himself tells us."""
    rows = [
        {"portal_id": portal_id, "user_id": one.user_id, "name": one.name, "codes": sorted(one.codes),
         "dismissed": one.dismissed, "checked_at": now, "seen_at": now}
        for one in sorted(people, key=lambda person: person.user_id)
    ]  # fmt: skip
    if not rows:
        return
    adding = insert(PortalUser).values(rows)
    kept = {name: adding.excluded[name] for name in ("name", "codes", "dismissed", "checked_at")}
    tx.execute(adding.on_conflict_do_update(constraint="portal_user_once", set_=kept))


class Rights(NamedTuple):
    """What decides about what a person may do."""

    codes: frozenset[str]
    is_admin: bool
    dismissed: bool


def rights(tx: Session, portal_id: int, user_id: int) -> Rights | None:
    """As last read; None for somebody of whom nothing was read yet. Whose pair we work with is an administrator."""
    pair = exists().where(
        AdminToken.portal_id == portal_id, AdminToken.user_id == user_id, AdminToken.dead_at.is_(None)
    )
    row = tx.execute(
        select(PortalUser.codes, PortalUser.is_admin, PortalUser.dismissed, PortalUser.checked_at, pair).where(
            PortalUser.portal_id == portal_id, PortalUser.user_id == user_id
        )
    ).first()
    if row is None or (row.checked_at is None and not row[4]):
        return None
    return Rights(frozenset(row.codes), bool(row.is_admin or row[4]), row.dismissed)


class LeftBehind(NamedTuple):
    """A booking still to come whose responsible works there no more."""

    user_id: int
    name: str
    number: int


def left_behind(tx: Session, portal_id: int, now: datetime, limit: int = 200) -> list[LeftBehind]:
    """Bookings of dismissed people, by person and time: somebody has to take them over."""
    rows = tx.execute(
        select(PortalUser.user_id, PortalUser.name, Booking.number)
        .join(Booking, (Booking.portal_id == portal_id) & (Booking.responsible_id == PortalUser.user_id))
        .where(
            PortalUser.portal_id == portal_id,
            PortalUser.dismissed,
            Booking.stage.in_(HOLDING),
            func.lower(Booking.during) > now,
        )
        .order_by(PortalUser.name, PortalUser.user_id, func.lower(Booking.during))
        .limit(limit)
    )
    return [LeftBehind(*row) for row in rows]
