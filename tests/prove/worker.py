"""A worker process that is quicker to take another one for dead: `python -m tests.prove.worker`."""

from __future__ import annotations

import os
from dataclasses import dataclass

from b24app.bitrix.hosts import HostPolicy
from b24app.bitrix.transport import PortalSession, http_session
from b24app.config import Settings
from b24app.jobs.worker import run_worker
from b24app.ledger import secrets
from b24app.ledger.session import Engine, connect

HEARTBEAT, DEAD_AFTER = 0.2, 1.2


@dataclass(frozen=True)
class Made:
    settings: Settings
    engine: Engine
    http: PortalSession


def made(settings: Settings) -> Made:
    """What a worker is given, without the web."""
    secrets.install_keys(settings.token_keys)
    hosts = HostPolicy(settings.auth_servers, allow_http=settings.allow_http, allow_private=settings.allow_private)
    assert settings.database_url is not None
    return Made(settings, connect(settings.database_url), http_session(hosts))


if __name__ == "__main__":
    run_worker(made(Settings.from_env(os.environ)), heartbeat=HEARTBEAT, dead_after=DEAD_AFTER)
