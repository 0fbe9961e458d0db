"""Everything at once in sixteen processes: two guards, each enough by itself, and a test that fails without both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from b24app.ledger.session import connect
from tests import database
from tests.conftest import TOKEN_KEY
from tests.prove import mixed, report

pytestmark = pytest.mark.prove

SLOTS_OF_A_CHUNK = mixed.CHUNK_HOURS * 9
DROP = "ALTER TABLE allocation DROP CONSTRAINT allocation_no_overlap"
LEAST, ENOUGH_SLOTS = 50, 500


@pytest.fixture
def own_database(database_server: str, database_template: str) -> Iterator[str]:
    """A database of this test alone: it gets a trigger, and may lose its constraint."""
    with database.cloned(database_server, database_template) as url:
        yield url


@pytest.mark.parametrize(
    ("guards", "small", "full"),
    [("both", 180, 10_000), ("lock", 90, 10_000), ("constraint", 90, 10_000), ("none", 90, 500)],
)
def test_every_contested_slot_ends_with_one_holder(own_database: str, guards: str, small: int, full: int) -> None:
    engine = connect(own_database)
    world = mixed.furnish(engine)
    if guards in ("lock", "none"):
        with engine.begin() as connection:
            connection.exec_driver_sql(DROP)
    chunks = -(-report.rounds(small, full) // SLOTS_OF_A_CHUNK)
    job = mixed.Job(
        url=own_database, token_key=TOKEN_KEY, world=world, chunks=chunks, actions=report.rounds(24, 6),
        seed=20260310, without_lock=guards in ("constraint", "none"),
    )  # fmt: skip
    seen = mixed.run(job)
    overlaps, wrong = mixed.overlaps(engine), mixed.wrongly_filled(engine, world, chunks)
    lost = mixed.lost(engine, seen)
    engine.dispose()
    report.record(
        f"mixed_{guards}",
        {"slots": chunks * SLOTS_OF_A_CHUNK, "processes": mixed.PROCESSES, "seed": job.seed, "done": dict(seen.done),
         "refused": dict(seen.refused), "overlaps": overlaps, "wrongly_filled": len(wrong), "lost": len(lost),
         "deadlocks": seen.deadlocks},
    )  # fmt: skip
    if guards == "none":
        assert overlaps > 0, "without its guards the race must be lost, or it proves nothing"
        return
    assert (overlaps, wrong, lost) == (0, [], [])
    if chunks * SLOTS_OF_A_CHUNK >= ENOUGH_SLOTS:
        assert {action: seen.done[action] for action in mixed.ACTIONS if seen.done[action] < LEAST} == {}
    if guards != "constraint":
        assert seen.deadlocks == 0
