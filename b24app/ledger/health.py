"""What tells whether the application is well: its queue, its workers, and how a portal answered lately."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from b24app.ledger.portal_models import RequestLog
from b24app.ledger.session import select_rows

# Signs of life come every five seconds.
ALIVE_SECONDS = 30


class QueueState(NamedTuple):
    """Jobs that could run now and how long the first of them has waited (seconds), those given up, living workers."""

    waiting: int
    seconds: float
    failed: int
    workers: int


# The time is the database's own here, as it is in everything of the queue's tables.
_QUEUE = """
SELECT count(*) FILTER (WHERE j.status = 'todo' AND coalesce(j.scheduled_at, now()) <= now()),
       coalesce(extract(epoch FROM now() - min(coalesce(j.scheduled_at, e.at))
                FILTER (WHERE j.status = 'todo' AND coalesce(j.scheduled_at, now()) <= now())), 0)::float,
       count(*) FILTER (WHERE j.status = 'failed' AND e.at > now() - interval '1 day'),
       (SELECT count(*) FROM procrastinate_workers w
        WHERE w.last_heartbeat > now() - make_interval(secs => %(alive)s))
FROM procrastinate_jobs j
LEFT JOIN LATERAL (SELECT max(v.at) AS at FROM procrastinate_events v WHERE v.job_id = j.id) e ON true
"""


def queue_state(tx: Session) -> QueueState:
    """The queue of all portals, as it is now."""
    return QueueState(*select_rows(tx, _QUEUE, alive=ALIVE_SECONDS)[0])


class Failing(NamedTuple):
    """Calls of one method that ended the same way: how many of them, and when the last one was."""

    method: str
    outcome: str
    calls: int
    last: datetime


def failing_calls(tx: Session, portal_id: int, since: datetime, limit: int = 5) -> list[Failing]:
    """What the portal refused or left unanswered since then, the latest first; a token's usual end is none of it."""
    own = (RequestLog.portal_id == portal_id, RequestLog.at >= since)
    wrong = RequestLog.outcome.not_in(("ok", "expired_token"))
    last = func.max(RequestLog.at)
    rows = tx.execute(
        select(RequestLog.method, RequestLog.outcome, func.count(), last)
        .where(*own, wrong)
        .group_by(RequestLog.method, RequestLog.outcome)
        .order_by(last.desc(), RequestLog.method)
        .limit(limit)
    )
    return [Failing(*row) for row in rows]
