"""The portal's two limits: requests per second, and seconds of work per method in ten minutes.

https://apidocs.bitrix24.com/limits.html. A small plan drains 2 requests a second and blocks above 50; our bucket
stays below, because other applications on this host share the portal's counter. `sync.throttles` has the one that all
processes share.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from b24app.errors import RateLimited

RATE = 2.0  # requests a second
BURST = 40
OPERATING_LIMIT = 480.0  # seconds of one method's work in ten minutes, by the documentation's example
UNKNOWN_PAUSE = 60.0  # the limit counts in buckets of a minute, so something drops within that time
LONGEST_BACK_OFF = 60.0

# By method: seconds worked, and the unix time when some of them are forgiven.
Worked = Mapping[str, tuple[float, float]]


class Throttle(Protocol):
    """The limits of one portal, and whether it answers at all."""

    def admit(self, methods: Collection[str]) -> None:
        """Wait for this request's turn. Raises RateLimited(delay) when the wait is too long or a method is paused,
        PortalUnavailable("silent", delay) when the portal is left alone because it does not answer."""

    def answered(self, worked: Worked) -> None:
        """The portal has answered, and perhaps said how long its methods have worked."""

    def slow_down(self) -> float:
        """The portal refused for too many requests; returns the seconds to stay away."""

    def silent(self) -> float:
        """No answer came in time; returns the seconds to leave the portal alone."""

    def pause(self, method: str) -> float:
        """The portal blocked this method for its working time; returns the seconds to stay away from it."""

    def used(self, method: str) -> float:
        """The share of the method's working time that is used up, 0 to 1 and beyond."""


class Throttles(Protocol):
    """The throttles of all portals."""

    def of(self, portal_id: int) -> Throttle:
        """The throttle of this portal."""


class LocalThrottle:
    """The limits of one portal as this process sees them, for one that the ledger does not know yet.

    Clock: unix seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
        *,
        rate: float = RATE,
        burst: int = BURST,
        max_wait: float = 10.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._clock, self._sleep, self._jitter = clock, sleep, jitter
        self._rate, self._burst, self._max_wait = rate, burst, max_wait
        self._tokens, self._counted_at = float(burst), clock()
        self._refusals = 0
        self._operating: dict[str, tuple[float, float]] = {}
        self._paused: dict[str, float] = {}
        self._lock = threading.Lock()

    def admit(self, methods: Collection[str]) -> None:
        """Wait for this request's turn. Raises RateLimited(delay) when the wait is too long or a method is paused."""
        with self._lock:
            now = self._clock()
            paused = max((self._paused.get(method.lower(), 0.0) - now for method in methods), default=0.0)
            if paused > 0:
                raise RateLimited("OPERATION_TIME_LIMIT", paused)
            wait = self._reserve(now)
        if wait > 0:
            self._sleep(wait)

    def _reserve(self, now: float) -> float:
        """Take a place in the queue; the bucket goes below zero by those who wait already."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._counted_at) * self._rate)
        self._counted_at = now
        wait = max(0.0, 1 - self._tokens) / self._rate
        if wait > self._max_wait:
            raise RateLimited("QUERY_LIMIT_EXCEEDED", wait)
        self._tokens -= 1
        return wait

    def answered(self, worked: Worked) -> None:
        """Note what an answer said; a method at its limit is paused before the portal has to refuse it."""
        with self._lock:
            self._refusals = 0
            for method, (operating, reset_at) in worked.items():
                self._operating[method.lower()] = (operating, reset_at)
                if operating >= OPERATING_LIMIT:
                    self._paused[method.lower()] = reset_at

    def slow_down(self) -> float:
        """Empty the bucket and back off, twice as long after each refusal in a row, with jitter."""
        with self._lock:
            self._tokens = min(self._tokens, 0.0)
            self._refusals += 1
            longest = min(LONGEST_BACK_OFF, 2.0 ** min(self._refusals, 10))
            return longest * (0.5 + self._jitter() / 2)

    def silent(self) -> float:
        """Nothing is remembered: whoever opens a page of a silent portal has his own time limit."""
        return 0.0

    def pause(self, method: str) -> float:
        """Stay away from a method until some of its working time is forgiven."""
        with self._lock:
            now = self._clock()
            _, reset_at = self._operating.get(method.lower(), (0.0, 0.0))
            until = reset_at if reset_at > now else now + UNKNOWN_PAUSE
            self._paused[method.lower()] = until
            return until - now

    def used(self, method: str) -> float:
        """The share of the method's working time that is used up; 0 once it was forgiven."""
        with self._lock:
            operating, reset_at = self._operating.get(method.lower(), (0.0, 0.0))
            return operating / OPERATING_LIMIT if reset_at > self._clock() else 0.0
