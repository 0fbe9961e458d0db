"""Portal and ledger agree again whatever people, networks and dying workers did."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from b24app.app import create_app
from tests import database
from tests.conftest import NOW, make_settings
from tests.prove import converge, report

pytestmark = pytest.mark.prove

DEEDS = report.rounds(500, 10_000)
# The same company day after day in `make test`, another one in each `make prove`; SEED replays either.
USUAL = 4
SEED = int(os.environ.get("SEED") or (random.SystemRandom().randrange(1_000_000) if DEEDS > 500 else USUAL))


@pytest.fixture
def own_database(database_server: str, database_template: str) -> Iterator[str]:
    with database.cloned(database_server, database_template) as url:
        yield url


def test_portal_and_ledger_agree_after_everything_that_people_do(own_database: str, tmp_path: Path) -> None:
    app = create_app(make_settings(own_database, tmp_path))
    trial = converge.begin(app, NOW, SEED)
    try:
        trial.run(DEEDS)
    finally:
        app.extensions["b24"].engine.dispose()
    report.record("convergence", {"seed": SEED, "deeds": len(trial.deeds), **dict(sorted(trial.counts.items()))})
    assert trial.counts["accepted"] >= DEEDS // 25
    assert trial.counts["refused"] >= DEEDS // 25
    assert trial.counts["killed"] >= DEEDS // 50
