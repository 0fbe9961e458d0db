"""How events leave the portal: posted once, form-encoded, and never again; lost, doubled, held back on request.

``deliver_due`` (or the ``Courier`` thread of a running portal) posts what is due. Tests deliver by hand: ``deliver``,
``hold``, ``release``, ``lose``, ``double``. Facts: "settings/performance/queue" and "api-reference/events".
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

import requests

from emulator import phpform
from emulator.state import LOG_LENGTH, Json, Portal, World

log = logging.getLogger(__name__)

POST_TIMEOUT_S = 5.0
HEADERS = {"User-Agent": "Bitrix24 Webhook Engine"}
ORDERS = ("random", "kept", "reversed")
# What else the portal does when its time has come, before messages are sent: robots that wait. They go by the clock.
TICKS: list[Callable[[World], None]] = []


def http_post(url: str, pairs: list[tuple[str, str]]) -> int:
    """POST a form and return the status; raises requests' errors."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(url, data=pairs, timeout=POST_TIMEOUT_S, allow_redirects=False, headers=HEADERS)
    return answer.status_code


def deliver_due(world: World, *, everything: bool = False) -> int:
    """Send what is due (or the delayed too) and return how many were tried. What is held back stays."""
    _tick(world)
    with world.lock:
        now = world.now()
        due = [row for row in world.outbox if not row.get("held") and (everything or row["due"] <= now)]
    return _send_all(world, due)


def deliver(world: World, portal: Portal | None = None, *, limit: int | None = None) -> int:
    """Send what waits for one portal (for all), the delayed too, at most so many; returns how many were tried."""
    _tick(world)
    with world.lock:
        due = [row for row in waiting(world, portal) if not row.get("held")]
    return _send_all(world, due, limit)


def _tick(world: World) -> None:
    for tick in TICKS:
        tick(world)


def _send_all(world: World, due: list[Json], limit: int | None = None) -> int:
    with world.lock:
        due.sort(key=lambda row: row["due"])
        if world.knobs.event_shuffle:
            world.random.shuffle(due)
        del due[len(due) if limit is None else limit :]
        _take_out(world, due)
    for row in due:
        _send(world, row)
    return len(due)


def _take_out(world: World, rows: Iterable[Json]) -> None:
    taken = {row["id"] for row in rows}
    world.outbox[:] = [row for row in world.outbox if row["id"] not in taken]


def _send(world: World, row: Json) -> None:
    outcome: Json = {"status": None, "error": None}
    try:
        outcome["status"] = (world.post or http_post)(row["url"], phpform.encode(row["body"]))
    except requests.RequestException as error:
        outcome["error"] = type(error).__name__
        log.warning("event %s to %s is lost: %s", row["event"], row["url"], error)
    with world.lock:
        world.sent.append({**row, "at": world.now(), **outcome})
        del world.sent[:-LOG_LENGTH]
    world.touch()


# By hand --------------------------------------------------------------------------------------------------------


def waiting(world: World, portal: Portal | None = None, pattern: str = "*") -> list[Json]:
    """What is in the outbox for one portal (for all), the held back too."""
    with world.lock:
        return [
            row
            for row in world.outbox
            if fnmatchcase(row["event"], pattern) and (portal is None or row.get("member_id") == portal.member_id)
        ]


def hold(world: World, pattern: str = "*", portal: Portal | None = None) -> int:
    """Keep back what waits and what will come of this name until ``release``; returns how many wait already."""
    with world.lock:
        world.holds.append([pattern, portal.member_id if portal else ""])
        rows = waiting(world, portal, pattern)
        for row in rows:
            row["held"] = True
    world.touch()
    return len(rows)


def is_held(world: World, member_id: str, name: str) -> bool:
    return any(fnmatchcase(name, pattern) and whose in ("", member_id) for pattern, whose in world.holds)


def release(world: World, portal: Portal | None = None, *, order: str = "random") -> int:
    """Let the held ones go, behind what waits, and hold no more; returns how many. Raises ValueError for the order."""
    if order not in ORDERS:
        raise ValueError(order)
    with world.lock:
        world.holds[:] = [one for one in world.holds if portal is not None and one[1] != portal.member_id]
        rows = [row for row in waiting(world, portal) if row.get("held")]
        _take_out(world, rows)
        if order == "random":
            world.random.shuffle(rows)
        rows = rows[::-1] if order == "reversed" else rows
        world.outbox += [{**row, "held": False, "due": max(row["due"], world.now())} for row in rows]
    world.touch()
    world.outbox_filled.set()
    return len(rows)


def lose(world: World, pattern: str = "*", portal: Portal | None = None) -> int:
    """Throw away what waits; returns how many."""
    with world.lock:
        rows = waiting(world, portal, pattern)
        _take_out(world, rows)
    world.touch()
    return len(rows)


def double(world: World, pattern: str = "*", portal: Portal | None = None) -> int:
    """Put a second copy of what waits behind it; returns how many."""
    with world.lock:
        rows = waiting(world, portal, pattern)
        world.outbox += [{**row, "id": world.next_id("event")} for row in rows]
    world.touch()
    return len(rows)


class Courier:
    """A background thread that delivers the outbox of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="emulator-courier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self.world.outbox_filled.set()
        self._thread.join(timeout=POST_TIMEOUT_S + 1)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.world.outbox_filled.wait(self._pause())
            self.world.outbox_filled.clear()
            deliver_due(self.world)

    def _pause(self) -> float | None:
        with self.world.lock:
            dues = [row["due"] for row in self.world.outbox if not row.get("held")] + self.world.timers
        return max(0.01, min(dues) - self.world.now()) if dues else None
