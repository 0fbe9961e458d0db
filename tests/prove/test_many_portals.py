"""Many portals share the workers, and those that misbehave make none of the others wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from b24app.ledger import limits
from emulator import portals
from tests import database
from tests.prove import report
from tests.prove.many import Company, Many, many, workers

pytestmark = pytest.mark.prove

PORTALS = report.rounds(8, 200)
SILENT = report.rounds(3, 5)
WORKERS = report.rounds(3, 8)  # in full more than fall silent at the same moment, whose first silence takes TIMEOUT
TIMEOUT = report.rounds(3, 20)
FLOOD = report.rounds(100, 600)
BOOKINGS = report.rounds(12, 200)
PER_SECOND = report.rounds(2, 4)
LONGEST = 5.0  # seconds more than while nothing is wrong
SHORTEST_SILENCE = limits.FIRST_SILENCE / 2


@dataclass
class Scene:
    """The portals, and how long each waits at most while all of them behave."""

    many: Many
    quiet: float = 0.0

    def delay(self, what: str, others: Sequence[Company], meanwhile: Callable[[], None] = lambda: None) -> float:
        """By how much the others wait longer."""
        longest = self.longest(others, BOOKINGS, meanwhile)
        figures = {
            "portals": PORTALS, "workers": WORKERS, "bookings": BOOKINGS, "per_second": PER_SECOND,
            "slowest_s": round(longest, 2), "slowest_quiet_s": round(self.quiet, 2), "timeout_s": TIMEOUT,
        }  # fmt: skip
        report.record(f"many_portals_{what}", figures)
        return longest - self.quiet

    def longest(self, others: Sequence[Company], bookings: int, meanwhile: Callable[[], None]) -> float:
        self.many.waited.clear()
        self.many.serve(others, bookings, PER_SECOND, meanwhile)
        return max(self.many.waited)


@pytest.fixture(scope="module")
def scene(database_server: str, database_template: str) -> Iterator[Scene]:
    with (
        database.cloned(database_server, database_template) as url,
        many(url, PORTALS, profile="cloud", timeout=TIMEOUT) as made,
        workers(made.env, WORKERS),
    ):
        found = Scene(made)
        found.longest(made.companies[:WORKERS], WORKERS, lambda: None)  # the workers have started
        found.quiet = found.longest(made.companies, WORKERS, lambda: None)
        yield found


def test_a_flood_in_one_portal_delays_none_of_the_others(scene: Scene) -> None:
    flooded, *others = scene.many.companies
    for _ in range(FLOOD // 50):
        flooded.book(50, bulk=True)
    before = flooded.shown()
    assert scene.delay("flood", others) <= LONGEST
    assert before < flooded.shown(), "it was served beside them"


def test_portals_that_never_answer_delay_none_of_the_others(scene: Scene) -> None:
    """They are booked in all the time, so that there is always something to try."""
    silent, others = scene.many.companies[:SILENT], scene.many.companies[SILENT:]
    for company in silent:
        portals.fall_silent(company.far)

    def meanwhile() -> None:
        for company in silent:
            company.book()

    world, began = silent[0].far.world, time.monotonic()
    before = world.counters.get("withheld", 0)
    assert scene.delay("silent", others, meanwhile) <= LONGEST
    assert all(limits.silent_until(scene.many.engine, company.portal_id) for company in silent)
    tries = world.counters["withheld"] - before
    assert tries <= SILENT * (1 + (time.monotonic() - began) // SHORTEST_SILENCE), "each was left alone in between"
