"""The engine and the transaction. Entry points open transactions; use cases never commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

__all__ = [
    "DatabaseError",
    "Engine",
    "Session",
    "Tx",
    "connect",
    "in_transaction",
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
    return create_engine(
        sqlalchemy_url(database_url),
        pool_size=pool_size,
        max_overflow=pool_size,
        # 0.1 ms for each transaction, against a failed page or drain for each process when the database was restarted.
        # The alternative, to run a request once more, would need every one of them to be repeatable.
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={"options": " ".join(f"-c {name}={value}" for name, value in settings.items()), **NOTICED},
    )


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
    """The rows of a statement written out as text, for the paths where building it costs more than running it.

    Parameters are `%(name)s`. Objects of the ORM that wait to be written are written before.
    """
    tx.flush()
    return tx.connection().exec_driver_sql(sql, values).all()


def run(tx: Session, sql: str, **values: Any) -> None:
    """The same for a statement that returns nothing."""
    tx.flush()
    tx.connection().exec_driver_sql(sql, values)
