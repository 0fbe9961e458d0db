"""The engine and the transaction. Entry points open transactions; use cases never commit."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

__all__ = [
    "DatabaseError",
    "Engine",
    "Session",
    "Tx",
    "connect",
    "in_transaction",
    "keep_plans",
    "read_alone",
    "run",
    "select_rows",
    "sqlalchemy_url",
    "transaction",
]

# Seconds and tries until a far side that was switched off is noticed: by the server, which frees the locks of a
# worker whose machine has lost its power, and by us.
NOTICED = {"keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 3}
# A plan made for any parameters took ten times as long as one made for these (docs/performance.md), so the driver's
# prepared statements only spare the parsing. Timeouts in ms.
OPTIONS = {
    "timezone": "UTC",
    "lock_timeout": 15_000,
    "statement_timeout": 60_000,
    "plan_cache_mode": "force_custom_plan",
}

# So long may a connection lie unused before the server is asked whether it is still there.
ASKED_AFTER = 1.0

# The other rooms say what they mean and need not know who makes it.
Tx = Session
DatabaseError = SQLAlchemyError

_depth: ContextVar[int] = ContextVar("open_transactions", default=0)


def sqlalchemy_url(database_url: str) -> str:
    """`database_url` (postgresql://…) with our driver named in it."""
    return make_url(database_url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def connect(database_url: str, pool_size: int = 8) -> Engine:
    """An engine for PostgreSQL at READ COMMITTED.

    That level is on purpose: after waiting for a resource's row lock, the next statement must see what the
    winner wrote. Every session speaks UTC, so that ranges come back in the zone they are kept in. Bound values are
    people's names and tokens, so they stay out of errors and logs.
    """
    settings = OPTIONS | {f"tcp_{name}": value for name, value in NOTICED.items()}
    engine = create_engine(
        sqlalchemy_url(database_url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={"options": " ".join(f"-c {name}={value}" for name, value in settings.items()), **NOTICED},
    )
    event.listen(engine, "checkin", _left)
    event.listen(engine, "checkout", _found_alive)
    return engine


def _left(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["left"] = time.monotonic()


def _found_alive(
    connection: psycopg.Connection[Any], record: ConnectionPoolEntry, _proxy: PoolProxiedConnection
) -> None:
    """Nobody gets a connection that a restart of the database has ended: a page or a drain would fail for each.

    To ask the server every time costs a fifth of a millisecond, three times for each booking. But when it goes, it
    hangs up, and that can be seen here; only of one that was not used for a while it is asked, as it may have gone
    without a word. The alternative, to run a request once more, would need every one of them to be repeatable.
    """
    if time.monotonic() - record.info.get("left", 0) < ASKED_AFTER and not _says_something(connection):
        return
    try:
        connection.autocommit = True
        connection.execute("SELECT 1")
        connection.autocommit = False
    except psycopg.Error as error:
        raise InvalidatePoolError from error


def _says_something(connection: psycopg.Connection[Any]) -> bool:
    """Whether there is anything to read although nothing was asked: a last word, or the end."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One transaction: committed at the end, rolled back by any exception. No network call inside."""
    token = _depth.set(_depth.get() + 1)
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
    finally:
        _depth.reset(token)


def in_transaction() -> bool:
    """Whether this thread is inside `transaction()`; tests hold the rule "no network in there" with it."""
    return _depth.get() > 0


def select_rows(tx: Session, sql: str, **values: Any) -> Sequence[Any]:
    """The rows of a statement written out as text, as plain tuples, for the paths where building a statement, or
    objects for its rows, costs more than running it.

    Parameters are `%(name)s`. Objects of the ORM that wait to be written are written before.
    """
    tx.flush()
    with _sent(tx.connection(), sql, values) as cursor:
        return cursor.fetchall()


def read_alone(engine: Engine, sql: str, **values: Any) -> Sequence[Any]:
    """The rows of one statement that reads, in no transaction: none is begun for it, and none committed."""
    with engine.connect() as connection, _sent(_committing(connection), sql, values) as cursor:
        return cursor.fetchall()


def _committing(connection: Connection) -> Connection:
    return connection.execution_options(isolation_level="AUTOCOMMIT")


def keep_plans(tx: Session) -> None:
    """For the rest of this transaction plans may be made once for any parameters, those for foreign keys too.

    For many small statements by key: to plan those of a booking anew was a quarter of the server's work for it.
    """
    run(tx, "SET LOCAL plan_cache_mode = auto")


def run(tx: Session, sql: str, **values: Any) -> None:
    """The same for a statement that returns nothing."""
    tx.flush()
    _sent(tx.connection(), sql, values).close()


def _sent(connection: Connection, sql: str, values: Any) -> psycopg.Cursor[Any]:
    """The driver's own cursor: what SQLAlchemy makes of a text and of its answer takes longer than the driver does.

    Its events still happen, and errors are its errors.
    """
    cursor = cast("psycopg.Cursor[Any]", connection.connection.cursor())
    for before in connection.dispatch.before_cursor_execute:
        sql, values = before(connection, cursor, sql, values, None, False)
    try:
        cursor.execute(sql, values)
    except psycopg.Error as error:
        if cursor.connection.closed:
            connection.invalidate(error)
        raise DBAPIError.instance(sql, values, error, psycopg.Error, hide_parameters=True) from error
    for after in connection.dispatch.after_cursor_execute:
        after(connection, cursor, sql, values, None, False)
    return cursor
