"""Two hundred portals: how long the others wait while one is flooded and five never answer."""

from __future__ import annotations

from emulator import portals
from tests.prove.many import Company, many, workers

PORTALS, SILENT, FLOOD = 200, 5, 1500
WORKERS = 8  # more than fall silent at the same moment: each may hold one of them until the time limit, once
AT_ONCE = 50  # bookings in one transaction, so that nobody waits long for what it has locked
BOOKINGS, PER_SECOND = 200, 4


def delays(url: str) -> list[float]:
    """Seconds from a booking in one of the other portals to its event there, under the profile `cloud`."""
    with many(url, PORTALS, profile="cloud") as scene, workers(scene.env, WORKERS):
        flooded, silent, others = _parted(list(scene.companies))
        scene.serve(others[:WORKERS], WORKERS, PER_SECOND, lambda: None)  # the workers have started
        scene.waited.clear()
        for _ in range(FLOOD // AT_ONCE):
            flooded.book(AT_ONCE, bulk=True)
        for company in silent:
            portals.fall_silent(company.far)
        before = flooded.shown()

        def meanwhile() -> None:  # there is always something to try
            for company in silent:
                company.book()

        scene.serve(others, BOOKINGS, PER_SECOND, meanwhile)
        assert before < flooded.shown() < flooded.booked, "it was served beside them all the time"
        return scene.waited


def _parted(companies: list[Company]) -> tuple[Company, list[Company], list[Company]]:
    return companies[0], companies[1 : 1 + SILENT], companies[1 + SILENT :]
