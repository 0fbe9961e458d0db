"""An installed portal for what crosses HTTP, called in this process under names that only exist here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from b24app.bitrix.hosts import HostPolicy
from b24app.bitrix.transport import http_session
from b24app.ledger.session import Engine, in_transaction
from emulator.app import create_emulator
from emulator.seed import TEST_HOSTS, small_world
from emulator.transport import EmulatorAdapter
from tests.conftest import NOW
from tests.sync.rig import Clock, Company, Rig, install, populate


class Wire(EmulatorAdapter):
    """The way to the portal. Nothing goes there while a transaction is open, but the refresh of a token."""

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


@pytest.fixture
def rig(engine: Engine, clock: Clock, wire: Wire) -> Rig:
    http = http_session(HostPolicy((f"https://{TEST_HOSTS.auth}",)))
    http.mount("https://", wire)
    return install(wire.app, engine, http, clock, clock.forward)  # type: ignore[arg-type]


@pytest.fixture
def company(rig: Rig) -> Company:
    """A room and a specialist, whose items are in the portal already."""
    made = populate(rig)
    rig.drain()
    return made
