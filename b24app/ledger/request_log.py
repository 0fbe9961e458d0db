"""What was asked of portals and answered, kept for some days so that trouble can be looked into afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from b24app.ledger.models import Portal
from b24app.ledger.portal_models import RequestLog

KEPT = timedelta(days=3, hours=6)  # the market asks for three days; the margin is for clocks and for the hourly round
DROPPED_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Entry:
    """One call. `body` holds no tokens any more; people's names are in it, so it is kept encrypted."""

    portal_id: int
    at: datetime
    method: str
    outcome: str
    milliseconds: int
    body: str


def keep(tx: Session, entries: Sequence[Entry]) -> None:
    """Writes these calls down, but for those of portals that were erased meanwhile."""
    wanted = {entry.portal_id for entry in entries}
    known = set(tx.scalars(select(Portal.id).where(Portal.id.in_(wanted))))
    rows = [
        {
            "portal_id": one.portal_id,
            "at": one.at,
            "method": one.method,
            "outcome": one.outcome,
            "milliseconds": one.milliseconds,
            "body": one.body,
        }
        for one in entries
        if one.portal_id in known
    ]
    if rows:
        tx.execute(insert(RequestLog), rows)


def forget(tx: Session, now: datetime) -> int:
    """Drops some of what has been kept long enough; the number of calls, 0 when nothing is left to drop."""
    over = select(RequestLog.id).where(RequestLog.at < now - KEPT).order_by(RequestLog.at).limit(DROPPED_AT_ONCE)
    return len(tx.scalars(delete(RequestLog).where(RequestLog.id.in_(over)).returning(RequestLog.id)).all())


def read(tx: Session, portal_id: int, method: str | None = None, limit: int = 50) -> list[RequestLog]:
    """The last calls of a portal, the oldest first; `method` names one, or the beginning of several (`crm.*`)."""
    query = select(RequestLog).where(RequestLog.portal_id == portal_id)
    if method and method.endswith("*"):
        query = query.where(RequestLog.method.startswith(method[:-1], autoescape=True))
    elif method:
        query = query.where(RequestLog.method == method)
    return list(tx.scalars(query.order_by(RequestLog.at.desc(), RequestLog.id.desc()).limit(limit)))[::-1]
