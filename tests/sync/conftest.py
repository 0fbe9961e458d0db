"""An installed portal for what crosses HTTP, called in this process under names that only exist here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from b24app.bitrix.hosts import HostPolicy
from b24app.bitrix.transport import PortalSession, http_session
from b24app.ledger.models import Resource
from b24app.ledger.session import Engine, in_transaction, transaction
from emulator.app import Emulator, create_emulator
from emulator.seed import TEST_HOSTS, small_world
from emulator.transport import EmulatorAdapter
from tests.conftest import NOW
from tests.kept import Kept, take
from tests.sync.rig import Clock, Company, Rig, connected, install, populate


class Wire(EmulatorAdapter):
    """The way to the portal. Nothing goes there while a transaction is open, but the refresh of a token."""

    app: Emulator
    before: Callable[[str], None] | None = None

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        path = str(request.path_url)
        assert not in_transaction() or path.startswith("/oauth/"), f"{path} inside of a transaction"
        if self.before is not None:
            happening, self.before = self.before, None
            happening(path)
        return super().send(request, *args, **options)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def wire(clock: Clock) -> Wire:
    return Wire(create_emulator(small_world(clock.unix()), clock.unix))


@dataclass
class Done:
    """What was made once in this test process: an installation, and one with a company whose items are drawn."""

    installed: Kept
    furnished: Kept
    portal_id: int
    company: tuple[int, int]


@pytest.fixture(scope="session")
def _done() -> list[Done]:
    """One, once it was done."""
    return []


@pytest.fixture
def rig(request: pytest.FixtureRequest, engine: Engine, clock: Clock, wire: Wire, _done: list[Done]) -> Rig:
    http = http_session(HostPolicy((f"https://{TEST_HOSTS.auth}",)))
    http.mount("https://", wire)
    if not _done:
        _done.append(_do(wire, engine, http, Clock(clock())))
    (done,) = _done
    (done.furnished if "company" in request.fixturenames else done.installed).put_back(engine, wire.app.world)
    return connected(wire.app, engine, http, clock, clock.forward, done.portal_id)


def _do(wire: Wire, engine: Engine, http: PortalSession, clock: Clock) -> Done:
    made = install(wire.app, engine, http, clock, clock.forward)
    installed = take(engine, made.world)
    installed.put_back(engine, made.world)
    company = populate(made)
    made.drain()
    return Done(installed, take(engine, made.world), made.portal_id, (company.room.id, company.person.id))


@pytest.fixture
def company(rig: Rig, _done: list[Done]) -> Company:
    """A room and a specialist, whose items are in the portal already."""
    with transaction(rig.engine) as tx:
        room, person = (tx.get_one(Resource, resource_id) for resource_id in _done[0].company)
        return Company(rig, room, person)
