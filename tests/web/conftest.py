"""An application that is installed in the emulated portal, as tests of pages need it."""

from __future__ import annotations

import pytest

from emulator import placement
from emulator.state import AppCard
from tests.stand import ADMIN, Stand
from tests.web.installed import Installed, run_installer


@pytest.fixture
def card(stand: Stand) -> AppCard:
    """The application's card, added and not installed yet."""
    return stand.add_card()


@pytest.fixture
def installed(stand: Stand, card: AppCard) -> Installed:
    """Everything is laid down, the portal was told, and its ONAPPINSTALL has arrived."""
    run_installer(stand.open(card))
    assert placement.finish_install(stand.portal, stand.portal.users[ADMIN], card)
    stand.deliver()
    return Installed(stand, card)
