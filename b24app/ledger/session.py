"""The engine and the transaction. Entry points open transactions; use cases never commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

__all__ = ["DatabaseError", "Engine", "Session", "Tx", "connect", "in_transaction", "sqlalchemy_url", "transaction"]

# The other rooms say what they mean and need not know who makes it.
Tx = Session
DatabaseError = SQLAlchemyError

# The other rooms name these two types and import nothing of SQLAlchemy themselves.
__all__ = ["Engine", "Session", "connect", "in_transaction", "sqlalchemy_url", "transaction"]

_depth: ContextVar[int] = ContextVar("open_transactions", default=0)


def sqlalchemy_url(database_url: str) -> str:
    """`database_url` (postgresql://…) with our driver named in it."""
    return make_url(database_url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def connect(database_url: str, pool_size: int = 8) -> Engine:
    """An engine for PostgreSQL at READ COMMITTED.

    That level is on purpose: after waiting for a resource's row lock, the next statement must see what the
    winner wrote. Every session speaks UTC, so that ranges come back in the zone they are kept in.
    """
    return create_engine(
        sqlalchemy_url(database_url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=False,
        pool_recycle=1800,
        connect_args={"options": "-c timezone=UTC -c lock_timeout=15000 -c statement_timeout=60000"},
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
