"""The schema's version: bringing a database up to date, and saying whether it is."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from b24app.ledger.session import sqlalchemy_url

MIGRATIONS = Path(__file__).resolve().parents[2] / "install" / "migrations"


def _config(database_url: str = "postgresql://") -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", sqlalchemy_url(database_url).replace("%", "%%"))
    return config


def upgrade(database_url: str) -> None:
    """Brings the database to the newest schema; safe to call from several processes at once."""
    command.upgrade(_config(database_url), "head")


def newest() -> str:
    """The revision that the code expects."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def is_current(connection: Connection) -> bool:
    """Whether this database has the schema that the code expects."""
    if not connection.execute(text("SELECT to_regclass('alembic_version')")).scalar():
        return False
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == newest()


def readiness(engine: Engine) -> dict[str, bool]:
    """Whether the database answers, has the schema that the code expects, and holds the queue."""
    try:
        with engine.connect() as connection:
            queue = connection.execute(text("SELECT to_regclass('procrastinate_jobs')")).scalar() is not None
            return {"database": True, "migrations": is_current(connection), "queue": queue}
    except SQLAlchemyError:
        return {"database": False, "migrations": False, "queue": False}
