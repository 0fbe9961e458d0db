"""The same installed portal that the projection is tested with, and a worker on the same ledger."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from b24app.bitrix.transport import PortalSession
from b24app.config import Settings
from b24app.jobs.app import Tools
from b24app.ledger.session import Engine
from tests.sync.conftest import _done, clock, company, rig, wire
from tests.sync.rig import Rig

__all__ = ["_done", "clock", "company", "made", "rig", "tools", "wire"]


@dataclass(frozen=True)
class Made:
    """What a process is given."""

    settings: Settings
    engine: Engine
    http: PortalSession


@pytest.fixture
def made(rig: Rig, settings: Settings) -> Made:
    return Made(settings, rig.engine, rig.reach.http)


@pytest.fixture
def tools(rig: Rig) -> Tools:
    return Tools(rig.reach, dead_after=20)
