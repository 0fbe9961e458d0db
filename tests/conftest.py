"""What most tests stand on: a migrated database, the application, the emulated portal beside it, and a clock.

Tests that compute only (tests/scheduling) use none of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import Engine, create_engine, pool
from sqlalchemy.orm import Session

from b24app.app import create_app
from b24app.bitrix.transport import PortalSession
from b24app.config import Settings
from b24app.ledger import schema, secrets
from b24app.ledger.models import Portal
from b24app.ledger.session import in_transaction, sqlalchemy_url, transaction
from b24app.web import crm
from b24app.web.crm import forget_everything
from tests import database, factories, kept
from tests.stand import Nowhere, Stand

ROOT = Path(__file__).parent.parent
TOKEN_KEY = Fernet.generate_key().decode()
NOW = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)  # Tuesday, 09:00 in Moscow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first: begun last, it would leave the other test process without work at the end."""
    items.sort(key=lambda item: item.path.parent.name not in ("browser", "prove"))


@pytest.fixture(scope="session", autouse=True)
def _keys() -> None:
    secrets.install_keys([TOKEN_KEY])


@pytest.fixture(autouse=True)
def _no_call_in_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes to a portal while a transaction is open, but the refresh of a token under its row's lock."""
    send = requests.Session.send

    def checked(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        inside = isinstance(self, PortalSession) and in_transaction()
        assert not inside or "/oauth/token" in str(request.url), f"{request.url} inside of a transaction"
        return send(self, request, **options)

    monkeypatch.setattr(requests.Session, "send", checked)


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
    kept.empty(_engine)


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


@pytest.fixture(scope="session")
def _app(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One for this test process: making routes, templates and statements ready takes longer than most tests."""
    made = create_app(make_settings(database_url, tmp_path_factory.mktemp("var")))
    yield made
    made.extensions["b24"].engine.dispose()
    made.extensions["b24"].http.close()


@pytest.fixture
def app(engine: Engine, _app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application on the test's database, as if it had begun just now; its requests go nowhere until a stand
    gives them a portal. Its pages ask more of a portal in a second than people do in a minute, and do not wait."""
    monkeypatch.setattr(crm, "PEOPLE", replace(crm.PEOPLE, burst=1000))
    # In `extensions` lies what the process remembers, too: boards, refused tokens.
    http, state = _app.extensions["b24"].http, [(one, dict(one)) for one in (_app.config, _app.extensions)]
    adapters = http.adapters.copy()
    http.mount("https://", Nowhere())
    forget_everything()
    yield _app
    _app.extensions["b24"].calls.flush()  # nothing of it is written later, into another test's ledger
    http.adapters = adapters
    http.cookies.clear()
    for one, before in state:
        one.clear()
        one.update(before)


@pytest.fixture
def stand(app: Flask, now: datetime) -> Stand:
    """The application with an emulated portal beside it; nothing is installed yet."""
    return Stand(app, now)


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
