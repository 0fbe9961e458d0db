"""A clock that only moves when it is told to: in tests the portal's own waiting costs no time."""

from __future__ import annotations

import threading


class VirtualClock:
    """Unix seconds for ``create_emulator``; the emulator's waits (delays of the profile, slow answers) move it."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds
