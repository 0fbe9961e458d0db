"""What waits for somebody's decision, who may decide, and who is away."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from b24app.errors import NotFound
from b24app.ledger import queries
from b24app.ledger.access import Viewer
from b24app.ledger.models import Booking, PortalUser
from b24app.ledger.queries import BookingRow
from b24app.ledger.session import select_rows

MOST = 200


def waiting(tx: Session, portal_id: int, viewer: Viewer, now: datetime) -> list[BookingRow]:
    """Requests that this person may confirm or decline, those whose term ends first in front."""
    if not viewer.decides:
        return []
    by_manager = and_(Booking.competes, Booking.policy["winner"].astext == "manager")
    asked = and_(
        Booking.stage == "prebooked", Booking.held_until > now, or_(Booking.needs_approval, by_manager)
    )  # fmt: skip
    order = (Booking.held_until.asc(), func.lower(Booking.during), Booking.id.asc())
    rows = queries.visible_rows(tx, portal_id, viewer, asked, order_by=order, limit=MOST)
    return [row for row in rows if row.resources and all(viewer.may("approve", one) for one in row.resources)]


# Who may decide ----

_HOLDERS = """
SELECT u.user_id, array_agg(DISTINCT c.code)
FROM portal_user u CROSS JOIN LATERAL (
    SELECT unnest(u.codes) AS code
    UNION SELECT m.wider FROM membership m WHERE m.portal_id = u.portal_id AND m.code = ANY(u.codes)
) c
WHERE u.portal_id = %(portal)s AND NOT u.dismissed AND c.code = ANY(%(codes)s::text[])
GROUP BY u.user_id, u.seen_at ORDER BY u.seen_at DESC, u.user_id LIMIT 500
"""


def holders(tx: Session, portal_id: int, codes: Collection[str]) -> dict[int, frozenset[str]]:
    """The people of whom we know that they have any of these codes, each with those; who was here last comes first."""
    rows = select_rows(tx, _HOLDERS, portal=portal_id, codes=sorted(codes))
    return {row[0]: frozenset(row[1]) for row in rows}


def administrators(tx: Session, portal_id: int) -> list[int]:
    """Who was here last comes first."""
    query = select(PortalUser.user_id).where(
        PortalUser.portal_id == portal_id, PortalUser.is_admin, PortalUser.dismissed.is_(False)
    )
    return list(tx.scalars(query.order_by(PortalUser.seen_at.desc(), PortalUser.user_id)))


_UNANSWERED = """
SELECT b.portal_id, b.id FROM booking b
WHERE b.stage = 'prebooked' AND b.needs_approval AND b.held_until > %(now)s AND b.created_at <= %(since)s
  AND EXISTS (SELECT FROM installation i WHERE i.portal_id = b.portal_id AND i.state = 'active')
ORDER BY b.held_until, b.id LIMIT %(limit)s
"""


def unanswered(tx: Session, now: datetime, since: datetime, limit: int) -> list[tuple[int, uuid.UUID]]:
    """Portal and booking of requests that were made before `since` and still wait, in all portals; the most urgent
    first."""
    return [(row[0], row[1]) for row in select_rows(tx, _UNANSWERED, now=now, since=since, limit=limit)]


# Who is away ----


class Absence(NamedTuple):
    """Somebody who is away, and who approves meanwhile."""

    user_id: int
    stand_in: int
    until: datetime


def absences(tx: Session, portal_id: int, now: datetime) -> list[Absence]:
    """Everybody who is away now and has named somebody."""
    rows = tx.execute(
        select(PortalUser.user_id, PortalUser.stand_in, PortalUser.away_until)
        .where(PortalUser.portal_id == portal_id, PortalUser.stand_in.is_not(None), PortalUser.away_until > now)
        .order_by(PortalUser.away_until, PortalUser.user_id)
    )
    return [Absence(away, other, until) for away, other, until in rows if other is not None and until is not None]


def stand_ins(tx: Session, portal_id: int, now: datetime) -> Mapping[int, int]:
    """By the person who is away the one to ask instead, if that one works there still."""
    asked = {one.user_id: one.stand_in for one in absences(tx, portal_id, now)}
    gone = dismissed(tx, portal_id, asked.values()) if asked else set()
    return {away: other for away, other in asked.items() if other not in gone}


def set_away(tx: Session, portal_id: int, user_id: int, stand_in: int | None, until: datetime | None) -> Absence | None:
    """From now on, or (None) no more; returns what was set before. Raises NotFound for somebody unknown."""
    row = tx.scalar(
        select(PortalUser)
        .where(PortalUser.portal_id == portal_id, PortalUser.user_id == user_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("user")
    before = Absence(user_id, row.stand_in, row.away_until) if row.stand_in and row.away_until else None
    tx.execute(
        update(PortalUser)
        .where(PortalUser.portal_id == portal_id, PortalUser.id == row.id)
        .values(stand_in=stand_in, away_until=until)
    )
    return before


def employed(tx: Session, portal_id: int, user_ids: Iterable[int]) -> set[int]:
    """Those of these people whom we know and who work there."""
    return set(
        tx.scalars(
            select(PortalUser.user_id).where(
                PortalUser.portal_id == portal_id, PortalUser.user_id.in_(user_ids), PortalUser.dismissed.is_(False)
            )
        )
    )


def dismissed(tx: Session, portal_id: int, user_ids: Iterable[int]) -> set[int]:
    """Those of these people of whom we know that they work there no more."""
    return set(
        tx.scalars(
            select(PortalUser.user_id).where(
                PortalUser.portal_id == portal_id, PortalUser.user_id.in_(user_ids), PortalUser.dismissed
            )
        )
    )
