"""From the commit of a booking to its item and its event in the portal, under the profile `cloud`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from b24app.bitrix.hosts import HostPolicy
from b24app.bitrix.transport import http_session
from b24app.ledger.session import connect
from b24app.scheduling.interval import Interval
from emulator.app import create_emulator
from emulator.seed import Hosts, small_world
from emulator.server import Running
from emulator.transport import free_port
from tests.conftest import TOKEN_KEY
from tests.prove import servers
from tests.sync.rig import Company, Rig, install, populate

PATIENCE_S = 60.0
GAP_S = 3.0  # between two bookings, as people leave it; the portal's request limit refills meanwhile


def seconds_until_visible(url: str, rounds: int) -> list[float]:
    """How long each of `rounds` bookings took until both pictures were there; one worker process."""
    port = free_port()
    emulator = create_emulator(small_world(time.time(), Hosts(f"localhost:{port}", f"127.0.0.1:{port}", "http")))
    auth = f"http://127.0.0.1:{port}"
    with Running(emulator, port):
        engine = connect(url)
        http = http_session(HostPolicy((auth,), allow_http=True, allow_private=True))
        rig = install(emulator, engine, http, lambda: datetime.now(UTC), time.sleep)
        company = populate(rig)
        rig.drain()
        emulator.world.knobs.change({"profile": "cloud"})
        env = servers.environment(url, TOKEN_KEY, AUTH_SERVERS=auth)
        worker = subprocess.Popen([sys.executable, "-m", "flask", "--app", "wsgi", "worker"], cwd=servers.ROOT, env=env)
        try:
            book = iter(_bookings(company))
            next(book)  # the first one waits for the worker to start
            _until(lambda: _pictures(rig) == 2)
            return [_one(rig, lambda: next(book)) for _ in range(rounds)]
        finally:
            worker.terminate()
            worker.wait(30)
            engine.dispose()


def _bookings(company: Company) -> Iterator[object]:
    """One hour after the other, each booked when it is asked for."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
    while True:
        yield company.book(company.room, interval=Interval(start, start + timedelta(hours=1)))
        start += timedelta(hours=1)


def _one(rig: Rig, book: Callable[[], object]) -> float:
    time.sleep(GAP_S)
    before = _pictures(rig)
    book()
    start = time.monotonic()
    _until(lambda: _pictures(rig) == before + 2)
    return time.monotonic() - start


def _pictures(rig: Rig) -> int:
    return len(rig.items("bookings")) + len(rig.events())


def _until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not there():
        assert time.monotonic() < deadline, "the portal never got it"
        time.sleep(0.01)
