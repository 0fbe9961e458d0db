"""Jobs that exist only if the transaction commits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import procrastinate
from procrastinate import exceptions
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from b24app.ledger.session import select_rows

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
    job: dict[str, Any] = {"lock": lock, "queueing_lock": once, "schedule_at": at, "priority": priority}
    while not (once is not None and at is None and _waiting(tx, once)):
        try:
            with tx.begin_nested():  # a duplicate would abort the whole transaction otherwise
                # Asked for inside, since it is this that makes the savepoint real.
                connection = tx.connection().connection.driver_connection
                _app.configure_task(task, **job, connection=connection).defer(**arguments)
            return
        except exceptions.AlreadyEnqueued:
            if at is not None:
                return
            # Somebody else's job waits, or has just been fetched: look again.


def _waiting(tx: Session, once: str) -> bool:
    """Whether such a job waits already; it is kept waiting until we commit, so that it will see our change.

    Fetching a job takes FOR UPDATE SKIP LOCKED on its row, which this lock makes it skip for the moment.
    """
    return bool(select_rows(tx, waiting("procrastinate_jobs j"), once=once))


def waiting(jobs: str) -> str:
    """SQL that finds and keeps the job that waits as `%(once)s`; `jobs` has it as `j`."""
    return f"SELECT j.id FROM {jobs} WHERE j.queueing_lock = %(once)s AND j.status = 'todo' FOR KEY SHARE OF j"


def rescue(tx: Session, dead_after: float) -> int:
    """Puts back the jobs of workers that gave no sign of life for `dead_after` seconds; returns how many.

    One whose successor waits already is closed instead: two that wait under one `once` are not possible.
    """
    dead = tx.execute(
        text(
            "SELECT job.id FROM procrastinate_jobs job LEFT JOIN procrastinate_workers worker ON worker.id = worker_id"
            " WHERE job.status = 'doing' AND coalesce(worker.last_heartbeat, '-infinity') <"
            " now() - make_interval(secs => :dead_after) ORDER BY job.id FOR UPDATE OF job SKIP LOCKED"
        ),
        {"dead_after": dead_after},
    ).scalars()
    jobs = list(dead)
    for job_id in jobs:
        _put_back(tx, job_id)
    return len(jobs)


def _put_back(tx: Session, job_id: int) -> None:
    try:
        with tx.begin_nested():
            tx.execute(text("SELECT procrastinate_retry_job_v2(:id, now(), NULL, NULL, NULL)"), {"id": job_id})
    except IntegrityError:
        tx.execute(text("SELECT procrastinate_finish_job_v1(:id, 'failed', false)"), {"id": job_id})
