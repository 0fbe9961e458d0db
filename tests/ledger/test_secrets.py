"""Secrets at rest are ciphertext, and keys can be rotated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from b24app.ledger import secrets, tenancy
from b24app.ledger.models import Application, Base
from tests.conftest import TOKEN_KEY


@pytest.fixture(autouse=True)
def _own_keys() -> Iterator[None]:
    yield
    secrets.install_keys([TOKEN_KEY])


def test_a_secret_is_not_readable_in_the_database(tx: Session) -> None:
    tenancy.add_application(tx, "local.1", "very-secret", "local")
    stored = bytes(tx.execute(text("SELECT client_secret FROM application")).scalar_one())
    assert b"very-secret" not in stored
    assert tx.scalars(select(Application.client_secret)).one() == "very-secret"


def test_after_rotation_the_old_key_may_go(tx: Session) -> None:
    tenancy.add_application(tx, "local.1", "very-secret", "local")
    new = Fernet.generate_key().decode()
    secrets.install_keys([new, TOKEN_KEY])
    assert secrets.rotate(tx, Base.metadata.sorted_tables) == 1
    secrets.install_keys([new])
    assert tx.scalars(select(Application.client_secret)).one() == "very-secret"
    secrets.install_keys([TOKEN_KEY])
    with pytest.raises(InvalidToken):
        tx.scalars(select(Application.client_secret)).one()
