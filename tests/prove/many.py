"""Many portals at once over real HTTP, and how long each waits for what was booked in it while some misbehave.

Each has one room whose bookings stand in its company calendar, and nothing else (level A): what is measured is who
waits for whom, not how much there is to draw.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle

from sqlalchemy import update

from b24app.bitrix.hosts import HostPolicy
from b24app.bitrix.transport import PortalSession, http_session
from b24app.ledger import tenancy
from b24app.ledger.models import ExternalRef, Portal, Resource
from b24app.ledger.session import Engine, connect, transaction
from b24app.scheduling.interval import Interval
from b24app.sync.lay_places import lay_calendar
from b24app.sync.site import Site
from b24app.sync.throttles import SharedThrottles
from b24app.sync.tokens import Reach, portal_client
from emulator import oauth, portals
from emulator.app import create_emulator
from emulator.apps import CardForm
from emulator.seed import ADMIN, Hosts, small_world
from emulator.server import Running
from emulator.state import Portal as EmulatedPortal
from emulator.transport import free_port
from tests import factories
from tests.conftest import TOKEN_KEY
from tests.prove import servers
from tests.sync.rig import APP_URL, SCOPES

PATIENCE = 180.0
LOOK = 0.02  # seconds between two looks at what the portals show


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Company:
    """One portal with one room."""

    engine: Engine
    far: EmulatedPortal
    portal_id: int
    room_id: int
    booked: int = 0

    def book(self, count: int = 1, *, bulk: bool = False) -> None:
        """Bookings of the next free hours; in bulk as an import makes them."""
        now = utc_now()
        first = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        with transaction(self.engine) as tx:
            portal, room = tx.get_one(Portal, self.portal_id), tx.get_one(Resource, self.room_id)
            for _ in range(count):
                self.booked += 1
                start = first + timedelta(hours=self.booked)
                interval = Interval(start, start + timedelta(hours=1))
                factories.make_booking(tx, portal, room, now=now, viewer=factories.ADMIN, interval=interval)
            if bulk:
                tx.execute(update(ExternalRef).where(ExternalRef.portal_id == self.portal_id).values(bulk=True))

    def shown(self) -> int:
        """How many of its bookings the portal shows."""
        return sum("booking:" in row["description"] for row in list(self.far.events.values()))


@dataclass
class Many:
    """The portals, and how long those that behave have waited, in seconds."""

    engine: Engine
    companies: Sequence[Company]
    env: dict[str, str]
    waited: list[float] = field(default_factory=list)

    def serve(self, others: Sequence[Company], rounds: int, per_second: float, meanwhile: Callable[[], None]) -> None:
        """Books in one portal after the other, so many in a second; `meanwhile` is called once a second."""
        waiting: dict[int, tuple[Company, int, float]] = {}
        turns = cycle(others)
        began = time.monotonic()
        made, seconds = 0, 0
        while made < rounds or waiting:
            now = time.monotonic() - began
            assert now < PATIENCE, f"{len(waiting)} bookings are not shown"
            if now >= seconds:
                seconds += 1
                meanwhile()
            if made < rounds and now >= made / per_second:
                company = next(turns)
                company.book()
                waiting[made] = company, company.booked, time.monotonic()
                made += 1
            self._look(waiting)
            time.sleep(LOOK)

    def _look(self, waiting: dict[int, tuple[Company, int, float]]) -> None:
        for number, (company, wanted, since) in list(waiting.items()):
            if company.shown() >= wanted:
                self.waited.append(time.monotonic() - since)
                del waiting[number]


@contextmanager
def many(url: str, count: int, *, profile: str = "", timeout: int = 20) -> Iterator[Many]:
    """So many portals, installed, with one emulator behind all of them."""
    port = free_port()
    auth = f"http://127.0.0.1:{port}"
    emulator = create_emulator(small_world(time.time(), Hosts(f"localhost:{port}", f"127.0.0.1:{port}", "http")))
    env = servers.environment(url, TOKEN_KEY, AUTH_SERVERS=auth, PORTAL_TIMEOUT_SECONDS=str(timeout), DATABASE_POOL="4")
    with Running(emulator, port, host="0.0.0.0"):  # it answers loopback alone
        engine, http = connect(url), http_session(HostPolicy((auth,), allow_http=True, allow_private=True))
        made = portals.many(emulator.world, count, portals.loopback(port), "http")
        companies = [installed(engine, http, one, f"{auth}/rest/") for one in made]
        emulator.world.knobs.change({"profile": profile} if profile else {})
        try:
            yield Many(engine, companies, env)
        finally:
            for one in made:
                portals.speak(one)
            engine.dispose()


def installed(engine: Engine, http: PortalSession, far: EmulatedPortal, server: str) -> Company:
    """A local application of this portal's own, and its room."""
    now = utc_now()
    card = portals.install(far, CardForm("Бронирование", f"{APP_URL}/b24/app", f"{APP_URL}/b24/install", scopes=SCOPES))
    token = oauth.issue(far, far.users[ADMIN], card, far.world.now())
    with transaction(engine) as tx:
        application = tenancy.add_application(tx, card.client_id, card.client_secret, "local")
        tenant = tenancy.enter(
            tx, member_id=far.member_id, domain=far.host, client_endpoint=far.client_endpoint, server_endpoint=server,
            language="ru", application_id=application.id, begins=True, now=now,
        )  # fmt: skip
        tenant.installation.state = "active"
        tenancy.keep_pair(
            tx, tenant.installation, user_id=ADMIN, origin="install", access_token=token.access,
            refresh_token=token.refresh, expires_at=datetime.fromtimestamp(token.expires, UTC), now=now,
        )  # fmt: skip
    portal_id = tenant.portal.id
    client = portal_client(Reach(engine, http, SharedThrottles(engine, utc_now, time.sleep), utc_now), portal_id)
    lay_calendar(Site(engine, client, portal_id, APP_URL, "ru", True, now))
    with transaction(engine) as tx:
        room = factories.make_resource(tx, tx.get_one(Portal, portal_id), now=now, horizon_days=400)
    return Company(engine, far, portal_id, room.id)


@contextmanager
def workers(env: dict[str, str], count: int) -> Iterator[None]:
    """So many worker processes, as in production."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "worker"]
    with ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen(command, cwd=servers.ROOT, env=env)
            stack.callback(process.wait, 90)
            stack.callback(process.terminate)
        yield
