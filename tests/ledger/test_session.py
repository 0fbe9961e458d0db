"""What every connection to the ledger has in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from b24app.ledger import session
from b24app.ledger.session import DatabaseError, connect, read_alone, select_rows, transaction


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


def test_one_that_breaks_in_use_says_so_and_is_not_used_again(ledger: Engine, engine: Engine) -> None:
    with ledger.connect() as connection, Session(connection) as tx:
        pid = select_rows(tx, "SELECT pg_backend_pid()")[0][0]
        with engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        with pytest.raises(DatabaseError):
            select_rows(tx, "SELECT 1")
    with transaction(ledger) as tx:
        assert select_rows(tx, "SELECT pg_backend_pid()")[0][0] != pid


def test_one_that_lay_unused_is_asked_whether_it_is_still_there(
    ledger: Engine, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have gone without a word, as a machine does that loses its power."""
    monkeypatch.setattr(session, "ASKED_AFTER", -1.0)
    monkeypatch.setattr(session, "_says_something", lambda _connection: False)
    test_broken_connection_is_replaced_before_it_is_used(ledger, engine)


def test_a_statement_alone_leaves_no_transaction_behind(ledger: Engine) -> None:
    assert read_alone(ledger, "SELECT %(n)s + 1", n=1) == [(2,)]
    with ledger.connect() as connection:
        assert connection.connection.driver_connection is not None
        assert connection.connection.driver_connection.info.transaction_status.name == "IDLE"
        assert not connection.connection.driver_connection.autocommit
