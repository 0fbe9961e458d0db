"""Nobody is ever booked twice, and the test that says so can fail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from b24app.ledger.session import connect, transaction
from tests import database
from tests.conftest import TOKEN_KEY
from tests.factories import installation_of, make_portal, make_resource
from tests.prove import race, report, servers

pytestmark = pytest.mark.prove


@pytest.fixture
def own_database(database_server: str, database_template: str) -> Iterator[str]:
    """A database of this test alone, since it puts a trigger on a table and may take a constraint away."""
    with database.cloned(database_server, database_template) as url:
        yield url


def prepared(url: str) -> tuple[Engine, list[str], int]:
    """The bearers of as many employees as there are clients, and the room that they want."""
    engine = connect(url)
    with transaction(engine) as tx:
        portal = make_portal(tx)
        room = make_resource(tx, portal, now=datetime.now(UTC), horizon_days=400)
        installation = installation_of(tx, portal)
    race.widen(engine)
    bearers = [servers.bearer_of(portal, installation, user_id) for user_id in range(1, race.CLIENTS + 1)]
    return engine, bearers, room.id


def test_fifty_clients_get_one_booking_a_round(own_database: str) -> None:
    engine, bearers, room = prepared(own_database)
    rounds = report.rounds(4, 100)
    with servers.web(servers.environment(own_database, TOKEN_KEY)) as base:
        outcome = race.run(base, bearers, room, _tomorrow(), rounds)
    overlaps = race.overlaps(engine)
    engine.dispose()
    report.record(
        "race", {"rounds": rounds, "clients": race.CLIENTS, "statuses": dict(outcome.statuses), "overlaps": overlaps,
                 "errors": outcome.errors, "lost_answers": len(outcome.lost)},
    )  # fmt: skip
    assert outcome.errors == 0, f"statuses {dict(outcome.statuses)}; lost: {outcome.lost}"
    assert overlaps == 0
    assert outcome.winners == [1] * rounds
    assert set(outcome.statuses) == {200, 409} or set(outcome.statuses) == {201, 409}


def test_without_lock_and_constraint_the_same_race_is_lost(own_database: str) -> None:
    engine, bearers, room = prepared(own_database)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE allocation DROP CONSTRAINT allocation_no_overlap")
    rounds = report.rounds(2, 10)
    env = servers.environment(own_database, TOKEN_KEY)
    with servers.web(env, wsgi="tests.prove.unguarded:app") as base:
        outcome = race.run(base, bearers, room, _tomorrow(), rounds)
    overlaps = race.overlaps(engine)
    engine.dispose()
    report.record("race_unguarded", {"rounds": rounds, "winners": outcome.winners, "overlaps": overlaps})
    assert overlaps > 0
    assert max(outcome.winners) > 1


def _tomorrow() -> date:
    return datetime.now(UTC).date() + timedelta(days=1)
