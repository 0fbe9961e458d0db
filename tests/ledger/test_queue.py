"""Jobs that commit with their cause, queued from several transactions at once."""

from __future__ import annotations

import threading

from sqlalchemy import Engine, text

from b24app.ledger import queue
from b24app.ledger.session import transaction

WAITING = text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")


def defer(engine: Engine, *, hold: threading.Event | None = None, deferred: threading.Event | None = None) -> None:
    with transaction(engine) as tx:
        queue.defer(tx, "sync.drain", lock="portal:1", once="drain:1", portal_id=1)
        if deferred:
            deferred.set()
        if hold:
            assert hold.wait(10)
        tx.execute(text("SELECT 1"))  # the transaction is still good for something


def waiting(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(WAITING).scalar_one())


def test_two_transactions_at_once_queue_one_job_and_both_commit(engine: Engine) -> None:
    hold, deferred = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def second() -> None:
        try:
            defer(engine)
        except BaseException as error:
            failures.append(error)

    first = threading.Thread(target=defer, args=(engine,), kwargs={"hold": hold, "deferred": deferred})
    first.start()
    assert deferred.wait(10)
    other = threading.Thread(target=second)
    other.start()
    _until_somebody_waits(engine)
    hold.set()
    first.join()
    other.join()
    assert not failures
    assert waiting(engine) == 1


def _until_somebody_waits(engine: Engine) -> None:
    blocked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.execute(blocked).scalar():
            pass


def test_a_second_cause_is_served_by_the_job_that_waits(engine: Engine) -> None:
    defer(engine)
    defer(engine)
    assert waiting(engine) == 1


def test_a_job_that_was_fetched_serves_no_later_cause(engine: Engine) -> None:
    defer(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    defer(engine)
    assert waiting(engine) == 1


def test_a_transaction_that_fails_leaves_no_job(engine: Engine) -> None:
    class Change(Exception):
        pass

    try:
        with transaction(engine) as tx:
            queue.defer(tx, "sync.drain", once="drain:1", portal_id=1)
            raise Change
    except Change:
        pass
    assert waiting(engine) == 0
