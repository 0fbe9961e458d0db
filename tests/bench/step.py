"""An installed portal with all of ours beside it, over real HTTP: a web process that hears its events, and workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from b24app.bitrix.hosts import HostPolicy
from b24app.bitrix.transport import http_session
from b24app.ledger import refs, tenancy
from b24app.ledger.models import Booking
from b24app.ledger.portal_models import Sweep
from b24app.ledger.session import connect, transaction
from b24app.scheduling.interval import Interval
from b24app.sync.laid import LaidCrm
from b24app.sync.lay_automation import lay_automation
from b24app.sync.lay_places import lay_events
from b24app.sync.manifest import manifest
from b24app.sync.site import Site
from b24app.sync.tokens import portal_client
from emulator.app import create_emulator
from emulator.seed import Hosts, small_world
from emulator.server import Running
from emulator.transport import free_port
from tests.conftest import TOKEN_KEY
from tests.prove import servers
from tests.sync.rig import Company, Rig, install, populate

PATIENCE_S = 60.0
LOOK_S = 0.02  # between two looks at what the portal shows


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class InStep:
    """The portal, the company in it, and the settings of processes that serve it."""

    rig: Rig
    company: Company
    env: dict[str, str]
    items_of: int  # the bookings' smart process
    booked: int = 0

    def book(self) -> Booking:
        """What a person books: the room's next free hour."""
        self.booked += 1
        start = utc_now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1 + self.booked)
        made: Booking = self.company.book(self.company.room, interval=Interval(start, start + timedelta(hours=1)))
        return made

    def shows(self, booking: Booking) -> bool:
        """Whether its item and its event are there."""
        mark = f":{booking.id.hex[:8]}:"
        items = list(self.rig.far.items.get(self.items_of, {}).values())
        return any(item["xmlId"] == str(booking.id) for item in reversed(items)) and any(
            mark in row["description"] for row in reversed(list(self.rig.far.events.values()))
        )

    def seconds_until_shown(self, meanwhile: Callable[[], None] = lambda: None) -> float:
        """How long from the commit of a person's booking until both pictures are there."""
        booking = self.book()
        start = time.monotonic()
        until(lambda: self.shows(booking), "the portal never got it", meanwhile)
        return time.monotonic() - start


@contextmanager
def in_step(url: str) -> Iterator[InStep]:
    """Everything but the workers, under the profile `cloud`."""
    port = free_port()
    emulator = create_emulator(small_world(time.time(), Hosts(f"localhost:{port}", f"127.0.0.1:{port}", "http")))
    auth = f"http://127.0.0.1:{port}"
    env = servers.environment(url, TOKEN_KEY, AUTH_SERVERS=auth)
    with Running(emulator, port), servers.web(env, workers=1, threads=4) as base:
        engine = connect(url)
        http = http_session(HostPolicy((auth,), allow_http=True, allow_private=True))
        rig = install(emulator, engine, http, utc_now, time.sleep)
        _announce(rig, base)
        company = populate(rig)
        rig.drain()  # the items of its resources
        with transaction(engine) as tx:
            type_id = LaidCrm.from_json(rig.ledger(tx).crm).need("bookings").entity_type_id
        emulator.world.knobs.change({"profile": "cloud"})
        try:
            yield InStep(rig, company, env, type_id)
        finally:
            engine.dispose()


def _announce(rig: Rig, base: str) -> None:
    """The portal tells us what happens there, our own doings too, and knows our robots and triggers."""
    rig.card.handler_url = base + manifest().main  # addresses of robots are taken of this host alone
    site = Site(rig.engine, portal_client(rig.reach, rig.portal_id), rig.portal_id, base, "ru", True, rig.clock())
    lay_events(site)
    lay_automation(site)
    with transaction(rig.engine) as tx:
        tenancy.lock_tenant(tx, rig.portal_id).installation.application_token = rig.card.application_token
        tx.add(Sweep(portal_id=rig.portal_id, asked_by="timer", started_at=rig.clock()))  # none comes in between


def wake(rig: Rig) -> None:
    """As whoever books does it."""
    with transaction(rig.engine) as tx:
        refs.wake(tx, rig.portal_id)


def until(
    reached: Callable[[], bool], otherwise: str, meanwhile: Callable[[], None] = lambda: None,
    patience: float = PATIENCE_S, look: float = LOOK_S,
) -> None:  # fmt: skip
    """Waits for what other processes do; `meanwhile` is called before each look."""
    deadline = time.monotonic() + patience
    while not reached():
        assert time.monotonic() < deadline, otherwise
        meanwhile()
        time.sleep(look)
