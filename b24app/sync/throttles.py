"""The limits of portals, kept in the ledger so that all processes share them. `ledger.limits` has the statements.

People in front of a screen do not queue behind bulk work: they may draw the bucket down further than the background,
and they neither stay away with it nor leave a silent portal alone: their page has just been opened from there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from b24app.bitrix.throttle import BURST, OPERATING_LIMIT, RATE, UNKNOWN_PAUSE, Worked
from b24app.errors import AppError, InstallationRevoked, PortalUnavailable, RateLimited
from b24app.ledger import limits
from b24app.ledger.limits import Standing, Terms
from b24app.ledger.session import Engine

# The portal blocks above 50 at once: 30 for the background, 18 more for people, and two to spare.
BACKGROUND = Terms(burst=BURST, floor=10, rate=RATE, patience=10, waits=True)
# Somebody waits in front of the screen: better an honest "later" than a queue.
PEOPLE = Terms(burst=BURST, floor=-8, rate=RATE, patience=3, waits=False)
LONGEST_RESET = timedelta(minutes=11)


@dataclass(frozen=True, slots=True)
class SharedThrottles:
    """The throttles of all portals on these terms; `clock` gives aware UTC."""

    engine: Engine
    clock: Callable[[], datetime]
    sleep: Callable[[float], object]
    terms: Terms = BACKGROUND
    jitter: Callable[[], float] = random.random

    def of(self, portal_id: int) -> SharedThrottle:
        """The throttle of this portal."""
        return SharedThrottle(self, portal_id)


class SharedThrottle:
    """The limits of one portal."""

    def __init__(self, common: SharedThrottles, portal_id: int) -> None:
        self._common, self._portal_id = common, portal_id
        self._engine, self._terms = common.engine, common.terms
        self._troubled = False

    def admit(self, methods: Collection[str]) -> None:
        """Wait for this request's turn. Raises RateLimited, PortalUnavailable("silent"), InstallationRevoked."""
        now, names = self._common.clock(), [method.lower() for method in methods]
        turn = limits.take(self._engine, self._portal_id, names, self._terms, now)
        if turn is None:
            raise self._obstacle(limits.standing(self._engine, self._portal_id, names, self._terms, now), now)
        self._troubled = turn.troubled
        if (wait := (self._terms.floor - turn.tokens) / self._terms.rate) > 0:
            self._common.sleep(wait)

    def _obstacle(self, found: Standing | None, now: datetime) -> AppError:
        if found is None:
            return InstallationRevoked("deleted")
        if found.paused_until and found.paused_until > now:
            return RateLimited("OPERATION_TIME_LIMIT", (found.paused_until - now).total_seconds())
        if self._terms.waits and found.silent_until and found.silent_until > now:
            return PortalUnavailable("silent", (found.silent_until - now).total_seconds())
        if self._terms.waits and found.away_until and found.away_until > now:
            return RateLimited("QUERY_LIMIT_EXCEEDED", (found.away_until - now).total_seconds())
        return RateLimited("QUERY_LIMIT_EXCEEDED", max(0.0, self._terms.floor + 1 - found.tokens) / self._terms.rate)

    def answered(self, worked: Worked) -> None:
        """Note what an answer said; a method at its limit is paused before the portal has to refuse it.

        Only the background's answers end a silence: a page asks little, and may be answered where a batch is not.
        """
        if not worked and not self._troubled:
            return
        now = self._common.clock()
        said = {method.lower(): (seconds, _within(reset_at, now)) for method, (seconds, reset_at) in worked.items()}
        limits.answered(self._engine, self._portal_id, said, OPERATING_LIMIT, breaks_silence=self._terms.waits)
        self._troubled = False

    def slow_down(self) -> float:
        """Empty the bucket and keep the background away, twice as long after each refusal in a row, with jitter."""
        now, self._troubled = self._common.clock(), True
        return _seconds(limits.refused(self._engine, self._portal_id, PEOPLE.floor, self._share(), now), now)

    def silent(self) -> float:
        """The background leaves the portal alone, longer each time. A page that gave up early says nothing of that."""
        if not self._terms.waits:
            return 0.0
        now, self._troubled = self._common.clock(), True
        return _seconds(limits.fell_silent(self._engine, self._portal_id, self._share(), now), now)

    def pause(self, method: str) -> float:
        """Stay away from a method until some of its working time is forgiven."""
        now = self._common.clock()
        unknown = now + timedelta(seconds=UNKNOWN_PAUSE)
        return _seconds(limits.pause(self._engine, self._portal_id, method.lower(), unknown, now), now)

    def used(self, method: str) -> float:
        """The share of the method's working time that is used up; 0 once it was forgiven."""
        now = self._common.clock()
        return limits.operating(self._engine, self._portal_id, method.lower(), now) / OPERATING_LIMIT

    def _share(self) -> float:
        return 0.5 + self._common.jitter() / 2


def _within(reset_at: float, now: datetime) -> datetime:
    """The time that a portal names, if it is sane: it forgives within ten minutes."""
    return now + min(max(timedelta(), timedelta(seconds=reset_at - now.timestamp())), LONGEST_RESET)


def _seconds(until: datetime | None, now: datetime) -> float:
    return (until - now).total_seconds() if until else 0.0


@contextmanager
def may_try(engine: Engine, portal_id: int, now: datetime) -> Iterator[bool]:
    """Whether this process may work with the portal until the end of the block.

    One whose last call got no answer is left alone until its time, and then only one process of the installation
    tries such portals, one after the other, so that however many they are the other processes serve the rest.
    """
    until = limits.silent_until(engine, portal_id)
    if until is None:
        yield True
    elif until > now:
        yield False
    else:
        with limits.silent_slot(engine) as alone:
            yield alone
