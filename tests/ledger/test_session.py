"""What every connection to the ledger has in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from b24app.ledger.session import DatabaseError, connect, transaction


@pytest.fixture
def ledger(database_url: str) -> Iterator[Engine]:
    made = connect(database_url, pool_size=1)
    yield made
    made.dispose()


def test_broken_connection_is_replaced_before_it_is_used(ledger: Engine, engine: Engine) -> None:
    with transaction(ledger) as tx:
        pid = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with engine.connect() as other:
        assert other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}).scalar_one()
    with transaction(ledger) as tx:
        assert tx.execute(text("SELECT pg_backend_pid()")).scalar_one() != pid


def test_values_stay_out_of_error_texts(ledger: Engine) -> None:
    with pytest.raises(DatabaseError) as failed, transaction(ledger) as tx:
        tx.execute(text("SELECT 1 / (length(:name) - length(:name))"), {"name": "Мария Ветрова"})
    assert "Ветрова" not in str(failed.value)


@pytest.mark.parametrize("name", ["tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"])
def test_server_notices_that_a_client_has_gone(ledger: Engine, name: str) -> None:
    with transaction(ledger) as tx:
        source = tx.execute(text("SELECT source FROM pg_settings WHERE name = :name"), {"name": name}).scalar_one()
    assert source == "client"
