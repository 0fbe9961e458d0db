"""How Alembic runs our migrations: one at a time, and never waiting long for a lock that a busy table holds."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text

from b24app.ledger.models import Base

ADVISORY_LOCK = 8_024_000  # any constant: two migrating processes must not interleave


def mine(_object: object, name: str | None, type_: str, _reflected: bool, _compared: object) -> bool:
    """The queue's tables belong to the queue library."""
    return not (type_ == "table" and (name or "").startswith("procrastinate_"))


def migrate(connection: Connection) -> None:
    connection.execute(text("SET lock_timeout = '10s'"))
    connection.execute(text(f"SELECT pg_advisory_lock({ADVISORY_LOCK})"))
    connection.commit()
    context.configure(connection=connection, target_metadata=Base.metadata, include_object=mine)
    with context.begin_transaction():
        context.run_migrations()
    connection.execute(text(f"SELECT pg_advisory_unlock({ADVISORY_LOCK})"))
    connection.commit()


engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)
with engine.connect() as connection:
    migrate(connection)
