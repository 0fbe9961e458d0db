"""What most tests stand on: a migrated database, the application, the emulated portal beside it, and a clock.

Tests that compute only (tests/scheduling) use none of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, create_engine, pool, text
from sqlalchemy.orm import Session

from b24app.config import Settings
from b24app.ledger import schema, secrets
from b24app.ledger.models import Base, Portal
from b24app.ledger.session import sqlalchemy_url, transaction
from tests import database, factories

ROOT = Path(__file__).parent.parent
TOKEN_KEY = Fernet.generate_key().decode()
NOW = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)  # Tuesday, 09:00 in Moscow


@pytest.fixture(scope="session", autouse=True)
def _keys() -> None:
    secrets.install_keys([TOKEN_KEY])


@pytest.fixture(scope="session")
def database_server() -> Iterator[str]:
    with database.server() as url:
        yield url


@pytest.fixture(scope="session")
def database_template(database_server: str) -> str:
    print_of = database.fingerprint(ROOT / "install" / "migrations", ROOT / "requirements.txt")
    return database.template_database(database_server, schema.upgrade, print_of)


@pytest.fixture(scope="session")
def database_url(database_server: str, database_template: str) -> Iterator[str]:
    """A database of this test process; `engine` empties it after each test that used it."""
    with database.cloned(database_server, database_template) as url:
        yield url


@pytest.fixture(scope="session")
def _engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(
        sqlalchemy_url(database_url),
        poolclass=pool.QueuePool,
        pool_size=20,
        max_overflow=40,
        connect_args={"options": "-c timezone=UTC"},
    )
    yield engine
    engine.dispose()


@pytest.fixture
def engine(_engine: Engine) -> Iterator[Engine]:
    """The database with nothing in it."""
    yield _engine
    tables = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
    with _engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {tables}, procrastinate_jobs RESTART IDENTITY CASCADE"))


@pytest.fixture
def tx(engine: Engine) -> Iterator[Session]:
    """One open transaction, committed at the end unless the test failed in it."""
    with transaction(engine) as session:
        yield session


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def portal(tx: Session) -> Portal:
    """A portal of level B with a company calendar."""
    return factories.make_portal(tx)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, tmp_path)


def make_settings(database_url: str, var_dir: Path, **overrides: object) -> Settings:
    """Settings of a closed network, with the emulator's authorization server allowed."""
    values: dict[str, object] = {
        "secret_key": "s" * 40,
        "token_keys": (TOKEN_KEY,),
        "app_url": "https://app.example.com",
        "database_url": database_url,
        "var_dir": var_dir,
        "auth_servers": ("https://oauth.bitrix.info",),
        **overrides,
    }
    return Settings(**values)  # type: ignore[arg-type]
