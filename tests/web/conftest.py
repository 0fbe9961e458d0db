"""An application that is installed in the emulated portal, as tests of pages need it."""

from __future__ import annotations

import pytest

from emulator.state import AppCard
from tests.kept import Kept
from tests.stand import Stand
from tests.web.installed import Installed, install_and_keep, put_back


@pytest.fixture
def card(request: pytest.FixtureRequest, stand: Stand) -> AppCard:
    """The application's card: added and not installed yet, or that of `installed` where a test has both."""
    if "installed" in request.fixturenames:
        made: Installed = request.getfixturevalue("installed")
        return made.card
    return stand.add_card()


@pytest.fixture(scope="session")
def _kept() -> list[Kept]:
    """What installing has left behind, once it was done in this test process."""
    return []


@pytest.fixture
def installed(stand: Stand, _kept: list[Kept]) -> Installed:
    """Everything is laid down, the portal was told, and its ONAPPINSTALL has arrived."""
    if not _kept:
        _kept.append(install_and_keep(stand))
    return put_back(_kept[0], stand)
