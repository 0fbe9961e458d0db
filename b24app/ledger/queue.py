"""Jobs that exist only if the transaction commits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import procrastinate
from procrastinate import exceptions
from sqlalchemy import text
from sqlalchemy.orm import Session

# Only the INSERT of a job is needed here, over the caller's own connection: this connector is never opened.
_app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())


def defer(
    tx: Session,
    task: str,
    *,
    lock: str | None = None,
    once: str | None = None,
    at: datetime | None = None,
    priority: int = 0,
    **arguments: Any,
) -> None:
    """Queues `task` with `arguments` in this transaction; call it last, because it takes locks in the queue.

    `lock`: no two such jobs run at once. `once`: no two such jobs wait at once; then the waiting one serves
    this change too. A delayed job would hold its lock's place, so `at` and `lock` exclude each other (trials.md).
    """
    assert lock is None or at is None, "a delayed job blocks its lock for everybody"
    if once is not None and at is None and _waiting(tx, once):
        return
    deferrer = _app.configure_task(
        task,
        lock=lock,
        queueing_lock=once,
        schedule_at=at,
        priority=priority,
        connection=tx.connection().connection.driver_connection,
    )
    if once is None:
        deferrer.defer(**arguments)
        return
    try:
        with tx.begin_nested():  # a duplicate would abort the whole transaction otherwise
            deferrer.defer(**arguments)
    except exceptions.AlreadyEnqueued:
        _waiting(tx, once)


def _waiting(tx: Session, once: str) -> bool:
    """Whether such a job waits already; it is kept waiting until we commit, so that it will see our change.

    Fetching a job takes FOR UPDATE SKIP LOCKED on its row, which this lock makes it skip for the moment.
    """
    found = tx.execute(
        text("SELECT id FROM procrastinate_jobs WHERE queueing_lock = :once AND status = 'todo' FOR KEY SHARE"),
        {"once": once},
    )
    return found.first() is not None
