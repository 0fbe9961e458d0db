"""A worker killed between intent, call and record leaves nothing behind: no twin, nothing said twice, nothing lost.

It is killed before the portal has acted, while the portal has acted and withholds its answer, and while a lock keeps
it from recording what it was told. Each kill first makes sure that it has come to exactly that point. Meanwhile the
portal tells of what was made there, to an application that has not noted it yet, and people change the booking.
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
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import requests
from flask import Flask
from sqlalchemy import select

from b24app.app import create_app
from b24app.bitrix.hosts import HostPolicy
from b24app.bitrix.transport import http_session
from b24app.booking.change import Move, cancel_booking, move_booking
from b24app.ledger import deliveries, outbox, tenancy
from b24app.ledger.models import Booking
from b24app.ledger.occupancy import as_interval
from b24app.ledger.portal_models import Delivery, Sighting
from b24app.ledger.session import connect, transaction
from b24app.scheduling.interval import Interval
from b24app.sync.lay_automation import lay_automation
from b24app.sync.lay_places import lay_events
from b24app.sync.site import Site
from b24app.sync.tokens import portal_client
from b24app.sync.verdict import SETTLED_AFTER
from emulator import faults
from emulator.app import create_emulator
from emulator.seed import Hosts, small_world
from emulator.server import Running
from emulator.transport import EmulatorAdapter, free_port
from tests import database
from tests.conftest import TOKEN_KEY, make_settings
from tests.factories import ADMIN
from tests.prove import report, servers
from tests.prove.worker import DEAD_AFTER
from tests.sync.expect import assert_shown, events_of, items_of, refs_of
from tests.sync.rig import APP_URL, SECOND_ADMIN, Company, Rig, install, populate

pytestmark = pytest.mark.prove

KILLS = report.rounds(4, 50)
PATIENCE = 60.0
BEFORE, WITHHELD, BLOCKED = "not acted yet", "answer withheld", "recording blocked"
WAYS = (BEFORE, WITHHELD, BLOCKED)
ITEM, EVENT, FACTS = "crm.item.add", "calendar.event.add", "crm.timeline.comment.add"
DEEDS = (ITEM, EVENT, FACTS)  # comment, notice and triggers of a booking go in one batch
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
def scene(database_server: str, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    port = free_port()
    hosts = Hosts(portal=f"localhost:{port}", auth=f"127.0.0.1:{port}", protocol="http")
    emulator = create_emulator(small_world(time.time(), hosts))
    auth = f"http://127.0.0.1:{port}"
    with database.cloned(database_server, database_template) as url, Running(emulator, port):
        engine = connect(url)
        http = http_session(HostPolicy((auth,), allow_http=True, allow_private=True))
        rig = install(emulator, engine, http, lambda: datetime.now(UTC), time.sleep)
        app = create_app(make_settings(url, tmp_path_factory.mktemp("var")))
        _listen(rig, app)
        env = servers.environment(url, TOKEN_KEY, AUTH_SERVERS=auth, PORTAL_TIMEOUT_SECONDS="60")
        made = Scene(rig, populate(rig), env)
        rig.drain()  # the items of the resources
        yield made
        made.stop()
        app.extensions["b24"].engine.dispose()
        engine.dispose()
        report.record("kills", _figures(made))


def _listen(rig: Rig, app: Flask) -> None:
    """The portal tells this application, which runs in our own process, what happens; it knows our triggers."""
    site = Site(rig.engine, portal_client(rig.reach, rig.portal_id), rig.portal_id, APP_URL, "ru", True, rig.clock())
    lay_events(site)
    lay_automation(site)
    with transaction(rig.engine) as tx:
        tenancy.lock_tenant(tx, rig.portal_id).installation.application_token = rig.card.application_token
    session = requests.Session()
    session.mount(APP_URL, EmulatorAdapter(app))
    rig.world.post = lambda url, pairs: session.post(url, data=pairs, timeout=PATIENCE).status_code


def _figures(scene: Scene) -> dict[str, Any]:
    slowest = round(max(scene.recovered), 1) if scene.recovered else None
    return {"kills": KILLS, "seeds": f"0..{KILLS - 1}", "slowest_recovery_s": slowest, **scene.figures}


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_worker_leaves_nothing_twice_and_nothing_undone(scene: Scene, seed: int) -> None:
    """Each booking ends with one item and one event per target, at its last time, and each fact said at most once."""
    chance = random.Random(seed)
    way, deed = WAYS[seed % 3], DEEDS[(seed + seed // 3) % 3]
    meanwhile = chance.choice(MEANWHILE)
    resource = chance.choice([scene.company.room, scene.company.person])
    scene.rig.far.calls.clear()
    booking = _book(scene, resource, seed, chance)
    target = {ITEM: "item", FACTS: FACTS}.get(deed, "company" if resource is scene.company.room else "user:3")

    _bring_to(scene, booking.id, way, deed, target)
    killed = time.monotonic()
    _change(scene, booking.id, meanwhile, seed)
    if way == BEFORE:
        _let_settle(scene, booking.id)
    _until(lambda: _silent(scene) >= DEAD_AFTER, "the queue takes it for dead")
    scene.start_worker()
    _until(lambda: _is_quiet(scene, booking.id), "in step")
    scene.recovered.append(time.monotonic() - killed)
    assert_shown(scene.rig, booking.id)
    _assert_said_once(scene, booking)
    scene.figures.update([way, deed, meanwhile, "recovered without twin"])


def _bring_to(scene: Scene, booking_id: uuid.UUID, way: str, deed: str, target: str) -> None:
    """Starts a worker, and kills it at just that point."""
    kind = "timeout_before" if way == BEFORE else "withhold"
    faults.add(scene.rig.world, {"method": deed, "kind": kind, "times": 1, "seconds": 2 * PATIENCE})
    scene.start_worker()
    _until(lambda: bool(scene.rig.world.withheld), "the call is under way")
    with _row_lock(scene, booking_id, target) if way == BLOCKED else nullcontext():
        if way == BLOCKED:
            faults.release(scene.rig.world)
            _until(lambda: _somebody_waits_for_a_lock(scene), "the worker waits to record")
        _assert_intended_and_unknown(scene, booking_id, target, acted=way != BEFORE)
        if target == "item" and way != BEFORE:
            _until(lambda: _told_of_item(scene, booking_id), "we were told of our own item")
        scene.kill_worker()
    faults.release(scene.rig.world)
    _assert_intended_and_unknown(scene, booking_id, target, acted=way != BEFORE)


def _book(scene: Scene, resource: Any, seed: int, chance: random.Random) -> Booking:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1, hours=seed * 3)
    booking: Booking = scene.company.book(
        resource,
        interval=Interval(start, start + timedelta(hours=1)),
        title=chance.choice(["", "Съёмка 📷 <script>alert(1)</script>", "$result[x][id]"]),
        responsible_id=SECOND_ADMIN,
    )
    return booking


def _assert_intended_and_unknown(scene: Scene, booking_id: uuid.UUID, target: str, *, acted: bool) -> None:
    """The ledger knows only that it wanted to; the portal has acted or not."""
    if target == FACTS:
        # A notice waits for no card and may have gone before.
        tried = [row for row in _facts(scene, booking_id) if row.useful_until is None and row.kind != "notice"]
        assert [row.kind for row in tried] == ["comment", "trigger", "trigger"]
        assert all(row.tried_at is not None and row.outcome is None for row in tried)
        assert len(_comments(scene, booking_id)) == acted
        return
    there = items_of(scene.rig, booking_id) if target == "item" else events_of(scene.rig, booking_id)
    assert len(there) == acted
    ref = refs_of(scene.rig, booking_id)[target]
    assert ref.remote_id is None
    assert ref.intent is not None
    assert ref.dirty_since is not None


def _facts(scene: Scene, booking_id: uuid.UUID) -> list[Delivery]:
    with transaction(scene.rig.engine) as tx:
        return sorted(deliveries.of_booking(tx, scene.rig.portal_id, booking_id), key=lambda row: row.kind)


def _comments(scene: Scene, booking_id: uuid.UUID) -> list[str]:
    """The last lines of what is said in its card."""
    cards = {item["id"] for item in items_of(scene.rig, booking_id)}
    rows = list(scene.rig.far.comments.values())
    return [row["COMMENT"].splitlines()[-1] for row in rows if int(row["ENTITY_ID"]) in cards]


def _told_of_item(scene: Scene, booking_id: uuid.UUID) -> bool:
    (item,) = items_of(scene.rig, booking_id)
    with transaction(scene.rig.engine) as tx:
        found = select(Sighting.id).filter_by(portal_id=scene.rig.portal_id, kind="item", remote_id=item["id"])
        return tx.scalar(found) is not None


def _assert_said_once(scene: Scene, booking: Booking) -> None:
    """No comment, no notice and no trigger twice; what is not certain to have been lost is not left out."""
    rows = [row for row in _facts(scene, booking.id) if row.outcome not in (None, "void")]
    comments = _comments(scene, booking.id)
    assert len(set(comments)) == len(comments)
    assert len(comments) == sum(row.kind == "comment" and row.outcome == "sent" for row in rows)
    assert all(row.outcome == "sent" for row in rows if row.kind != "trigger")
    notices = [row["tag"] for row in scene.rig.far.notices if f"|{booking.number}|" in row["tag"]]
    assert sorted(notices) == sorted(f"B24BOOKING|{booking.number}|{row.code}" for row in rows if row.kind == "notice")
    fired = len(scene.rig.calls("crm.automation.trigger.execute"))
    sent, unknown = (sum(row.kind == "trigger" and row.outcome == one for row in rows) for one in ("sent", "unknown"))
    assert sent <= fired <= sent + unknown


@contextmanager
def _row_lock(scene: Scene, booking_id: uuid.UUID, target: str) -> Iterator[None]:
    """Nobody can record what came of it until the end of the block."""
    with psycopg.connect(scene.env["DATABASE_URL"]) as connection:
        if target == FACTS:
            connection.execute("SELECT id FROM delivery WHERE booking_id = %s FOR UPDATE", [booking_id])
        else:
            ref = refs_of(scene.rig, booking_id)[target]
            connection.execute("SELECT id FROM external_ref WHERE id = %s FOR UPDATE", [ref.id])
        yield
        connection.rollback()


def _somebody_waits_for_a_lock(scene: Scene) -> bool:
    with psycopg.connect(scene.env["DATABASE_URL"]) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND (query LIKE 'SELECT external_ref%FOR NO KEY UPDATE' OR query LIKE 'UPDATE delivery SET%')"
        ).fetchone()
    return bool(found and found[0])


def _let_settle(scene: Scene, booking_id: uuid.UUID) -> None:
    """So much time passes that what the portal has not done by now it never will."""
    ago = SETTLED_AFTER + timedelta(seconds=1)
    with psycopg.connect(scene.env["DATABASE_URL"]) as connection:
        connection.execute(
            "UPDATE external_ref SET intent = intent || jsonb_build_object('at', (intent ->> 'at')::timestamptz - %s)"
            " WHERE booking_id = %s AND intent IS NOT NULL",
            [ago, booking_id],
        )
        connection.execute(
            "UPDATE delivery SET tried_at = tried_at - %s WHERE booking_id = %s AND outcome IS NULL", [ago, booking_id]
        )


def _is_quiet(scene: Scene, booking_id: uuid.UUID) -> bool:
    """Everything is drawn, everything said, and nothing is to be looked at."""
    with transaction(scene.rig.engine) as tx:
        if outbox.anything_due(tx, scene.rig.portal_id, datetime.now(UTC)):
            return False
    said = all(row.outcome is not None for row in _facts(scene, booking_id) if row.useful_until is None)
    return said and all(ref.dirty_since is None for ref in refs_of(scene.rig, booking_id).values())


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
        time.sleep(0.05)  # what happens in another process has nothing to wait on
