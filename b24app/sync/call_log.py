"""The log of calls as one process keeps it: collected in memory, written down together some moments later.

So a call costs no transaction of its own, and none is opened while another one may be.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from b24app.bitrix.record import Exchange, Record
from b24app.ledger import request_log
from b24app.ledger.request_log import Entry
from b24app.ledger.session import DatabaseError, Engine, transaction

log = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
MOST_WAITING = 2000  # while the database does not answer; what comes after that is lost


class CallLog:
    """Takes note of calls; `clock` gives aware UTC. A process that is killed loses the last seconds of it."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine, self._clock = engine, clock
        self._waiting: list[tuple[int, datetime, Exchange]] = []
        self._timer: threading.Timer | None = None
        self._lock, self._writing = threading.Lock(), threading.Lock()

    def of(self, portal_id: int) -> Record:
        """Takes note of one portal's calls."""

        def record(exchange: Exchange) -> None:
            self._add(portal_id, exchange)

        return record

    def _add(self, portal_id: int, exchange: Exchange) -> None:
        with self._lock:
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append((portal_id, self._clock(), exchange))
            if self._timer is None:  # not before there is something: a server makes its processes after it has begun
                self._timer = threading.Timer(FLUSH_SECONDS, self.flush)
                self._timer.daemon = True
                self._timer.start()
                atexit.register(self.flush)

    def flush(self) -> None:
        """Writes down what has been collected, and waits for whoever is just doing it."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            timer, self._timer = self._timer, None
            atexit.unregister(self.flush)
        if timer is not None:
            timer.cancel()
        with self._writing:
            self._write([
                Entry(portal_id, at, one.method, one.outcome, one.milliseconds, one.masked())
                for portal_id, at, one in waiting
            ])  # fmt: skip

    def _write(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        try:
            with transaction(self._engine) as tx:
                request_log.keep(tx, entries)
        except DatabaseError as error:
            log.warning("%s calls are missing in the request log: %s", len(entries), type(error).__name__)
