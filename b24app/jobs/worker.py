"""A worker process: one job at a time, so that a job waiting for its portal's lock never waits for a poll.

Start as many as there are cores and more; they share the queue.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Protocol

import procrastinate

from b24app.bitrix.transport import PortalSession
from b24app.config import Settings
from b24app.jobs import periodic, tasks
from b24app.jobs.app import Tools, app
from b24app.ledger.session import NOTICED, Engine
from b24app.sync.call_log import CallLog
from b24app.sync.throttles import SharedThrottles
from b24app.sync.tokens import Reach

CONNECT_SECONDS = 5.0
# A wake-up is a notification; the poll is for what it cannot tell: a job whose row was locked when we looked.
POLL_SECONDS = 0.3
HEARTBEAT_SECONDS = 5.0
DEAD_AFTER_SECONDS = 20.0
GRACE_SECONDS = 45.0

TASKS = (tasks, periodic)


class Made(Protocol):
    """What the process has been given: see `b24app.app.make_services`."""

    @property
    def settings(self) -> Settings: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def http(self) -> PortalSession: ...


def run_worker(
    made: Made, *, once: bool = False, heartbeat: float = HEARTBEAT_SECONDS, dead_after: float = DEAD_AFTER_SECONDS
) -> None:
    """Runs jobs until SIGINT or SIGTERM, which let the present one end; `once`: until nothing is waiting."""
    if made.settings.log_level != "DEBUG":
        logging.getLogger("procrastinate").setLevel(logging.WARNING)
    tools = Tools(reach_of(made), dead_after)
    periodic.rescue(tools)  # what a predecessor left that was killed, without waiting for the round
    with app.replace_connector(_connector(made.engine)) as live:
        live.run_worker(
            wait=not once,
            concurrency=1,
            fetch_job_polling_interval=POLL_SECONDS,
            update_heartbeat_interval=heartbeat,
            stalled_worker_timeout=dead_after,
            shutdown_graceful_timeout=GRACE_SECONDS,
            delete_jobs="successful",
            additional_context={"tools": tools},
            install_signal_handlers=not once,
            listen_notify=not once,
        )


def reach_of(made: Made) -> Reach:
    """What it takes to call portals from this process."""
    return Reach(
        engine=made.engine,
        http=made.http,
        throttles=SharedThrottles(made.engine, _utc_now, time.sleep),
        clock=_utc_now,
        timeout=(CONNECT_SECONDS, made.settings.portal_timeout_seconds),
        calls=CallLog(made.engine, _utc_now),
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _connector(engine: Engine) -> procrastinate.PsycopgConnector:
    """Connections of the queue's own, to the same database: it is asynchronous, the ledger is not."""
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return procrastinate.PsycopgConnector(conninfo=url, kwargs=dict(NOTICED), min_size=1, max_size=4)
