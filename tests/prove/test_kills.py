"""A worker killed between the portal's deed and our note of it leaves nothing behind: no twin, nothing lost.

Half of the kills come while the emulator has acted and withholds its answer, half while a lock on the ref's row
keeps the worker from recording what it was told. Each first makes sure that it has come to exactly that point.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from b24app.bitrix.hosts import HostPolicy
from b24app.bitrix.transport import http_session
from b24app.booking.change import Move, cancel_booking, move_booking
from b24app.ledger.models import Booking
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import connect, transaction
from b24app.scheduling.interval import Interval
from emulator import faults
from emulator.app import create_emulator
from emulator.seed import Hosts, small_world
from emulator.server import Running
from emulator.transport import free_port
from tests import database
from tests.conftest import TOKEN_KEY
from tests.factories import ADMIN
from tests.prove import report, servers
from tests.prove.worker import DEAD_AFTER
from tests.sync.expect import assert_shown, events_of, items_of, refs_of
from tests.sync.rig import Company, Rig, install, populate

pytestmark = pytest.mark.prove

KILLS = report.rounds(6, 50)
PATIENCE = 60.0
WAYS = ("answer withheld", "recording blocked")
DEEDS = ("crm.item.add", "calendar.event.add")
MEANWHILE = ("nothing", "moved", "moved elsewhere", "cancelled")


@dataclass
class Scene:
    """A portal that listens, a ledger, and the worker of the moment."""

    rig: Rig
    company: Company
    env: dict[str, str]
    worker: subprocess.Popen[bytes] | None = None
    figures: Counter[str] = field(default_factory=Counter)
    recovered: list[float] = field(default_factory=list)

    def start_worker(self) -> None:
        if self.worker is None:
            self.worker = subprocess.Popen([sys.executable, "-m", "tests.prove.worker"], cwd=servers.ROOT, env=self.env)

    def kill_worker(self) -> None:
        """As the machine's power would: nothing is said goodbye to."""
        assert self.worker is not None
        assert self.worker.poll() is None, "the worker ended by itself"
        self.worker.send_signal(signal.SIGKILL)
        assert self.worker.wait(PATIENCE) == -signal.SIGKILL
        self.worker = None

    def stop(self) -> None:
        if self.worker is not None:
            self.worker.terminate()
            self.worker.wait(PATIENCE)


@pytest.fixture(scope="module")
def scene(database_server: str, database_template: str) -> Iterator[Scene]:
    port = free_port()
    hosts = Hosts(portal=f"localhost:{port}", auth=f"127.0.0.1:{port}", protocol="http")
    emulator = create_emulator(small_world(time.time(), hosts))
    auth = f"http://127.0.0.1:{port}"
    with database.cloned(database_server, database_template) as url, Running(emulator, port):
        engine = connect(url)
        http = http_session(HostPolicy((auth,), allow_http=True, allow_private=True))
        rig = install(emulator, engine, http, lambda: datetime.now(UTC), time.sleep)
        env = servers.environment(url, TOKEN_KEY, AUTH_SERVERS=auth, PORTAL_TIMEOUT_SECONDS="60")
        made = Scene(rig, populate(rig), env)
        rig.drain()  # the items of the resources
        yield made
        made.stop()
        engine.dispose()
        report.record("kills", _figures(made))


def _figures(scene: Scene) -> dict[str, Any]:
    slowest = round(max(scene.recovered), 1) if scene.recovered else None
    return {"kills": KILLS, "seeds": f"0..{KILLS - 1}", "slowest_recovery_s": slowest, **scene.figures}


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_worker_leaves_one_item_and_one_event_per_target(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)
    way, deed = WAYS[seed % 2], DEEDS[seed // 2 % 2]
    meanwhile = chance.choice(MEANWHILE)
    resource = chance.choice([scene.company.room, scene.company.person])
    withheld = faults.add(scene.rig.world, {"method": deed, "kind": "withhold", "times": 1, "seconds": 2 * PATIENCE})
    booking = _book(scene, resource, seed, chance)
    target = "item" if deed == "crm.item.add" else ("company" if resource is scene.company.room else "user:3")

    scene.start_worker()
    _until(lambda: any(one["fault"] == withheld.id for one in scene.rig.world.withheld.values()), "withheld")
    with _row_lock(scene, booking.id, target) if way == "recording blocked" else _nothing():
        if way == "recording blocked":
            faults.release(scene.rig.world)
            _until(lambda: _somebody_waits_for_a_lock(scene), "the worker waits to record")
        _assert_done_but_unknown(scene, booking.id, target)
        scene.kill_worker()
    faults.release(scene.rig.world)
    _assert_done_but_unknown(scene, booking.id, target)

    killed = time.monotonic()
    _change(scene, booking.id, meanwhile, seed)
    _until(lambda: _silent(scene) >= DEAD_AFTER, "the queue takes it for dead")
    scene.start_worker()
    _until(lambda: all(ref.dirty_since is None for ref in refs_of(scene.rig, booking.id).values()), "in step")
    scene.recovered.append(time.monotonic() - killed)
    assert_shown(scene.rig, booking.id)
    scene.figures.update([way, deed, meanwhile, "recovered without twin"])


def _book(scene: Scene, resource: Any, seed: int, chance: random.Random) -> Booking:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1, hours=seed * 3)
    title = chance.choice(["", "Съёмка 📷 <script>alert(1)</script>", "$result[x][id]"])
    booking: Booking = scene.company.book(resource, interval=Interval(start, start + timedelta(hours=1)), title=title)
    return booking


def _assert_done_but_unknown(scene: Scene, booking_id: uuid.UUID, target: str) -> None:
    """The portal has acted, and the ledger knows only that it wanted to."""
    there = items_of(scene.rig, booking_id) if target == "item" else events_of(scene.rig, booking_id)
    assert len(there) == 1
    ref = refs_of(scene.rig, booking_id)[target]
    assert ref.remote_id is None
    assert ref.intent is not None
    assert ref.dirty_since is not None


@contextmanager
def _row_lock(scene: Scene, booking_id: uuid.UUID, target: str) -> Iterator[None]:
    ref = refs_of(scene.rig, booking_id)[target]
    with psycopg.connect(scene.env["DATABASE_URL"]) as connection:
        connection.execute("SELECT id FROM external_ref WHERE id = %s FOR UPDATE", [ref.id])
        yield
        connection.rollback()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _somebody_waits_for_a_lock(scene: Scene) -> bool:
    with psycopg.connect(scene.env["DATABASE_URL"]) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND query LIKE 'SELECT external_ref%FOR NO KEY UPDATE'"
        ).fetchone()
    return bool(found and found[0])


def _silent(scene: Scene) -> float:
    """Seconds since the last sign of life of any worker."""
    with psycopg.connect(scene.env["DATABASE_URL"]) as connection:
        found = connection.execute(
            "SELECT extract(epoch FROM now() - max(last_heartbeat))::float FROM procrastinate_workers"
        ).fetchone()
    return float(found[0]) if found and found[0] is not None else DEAD_AFTER


def _change(scene: Scene, booking_id: uuid.UUID, meanwhile: str, seed: int) -> None:
    """What somebody does with the booking before anybody recovers."""
    now = datetime.now(UTC)
    with transaction(scene.rig.engine) as tx:
        portal, booking = scene.rig.ledger(tx), tx.get_one(Booking, booking_id)
        was = as_interval(booking.during)
        held = refs_of(scene.rig, booking_id)
        room, person = scene.company.room.id, scene.company.person.id
        here, elsewhere = (room, person) if "company" in held else (person, room)
        later = Interval(was.start + timedelta(days=30), was.end + timedelta(days=30, minutes=30))
        if meanwhile == "moved":
            move_booking(tx, portal, booking_id, Move(later, here), revision=booking.revision, viewer=ADMIN, now=now)
        elif meanwhile == "moved elsewhere":
            move = Move(later, elsewhere)
            move_booking(tx, portal, booking_id, move, revision=booking.revision, viewer=ADMIN, now=now)
        elif meanwhile == "cancelled":
            cancel_booking(tx, portal, booking_id, revision=booking.revision, viewer=ADMIN, now=now)


def _until(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, f"not reached: {what}"
        time.sleep(0.02)  # what happens in another process has nothing to wait on
