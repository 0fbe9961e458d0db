"""How much goes into one batch. Pure."""

from __future__ import annotations

BATCH = 50
PEOPLES_BATCH = 25  # a person waits for the whole batch that his booking is in
BULK_SHARE = 0.8  # of a method's working time; the rest is for people in front of a screen
GLANCE = 1.0  # seconds that a bulk batch may take while somebody looks on
LONGEST_BATCH = 10.0  # seconds; well below the time after which we give an answer up for lost
FIRST_GUESS = 0.2  # seconds per picture until we know better


class Pace:
    """How many pictures go into one batch: what the portal does in a few seconds, less while somebody looks on."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[int, str], float] = {}

    def size(self, portal_id: int, phase: str, *, watched: bool) -> int:
        """How many to take now."""
        each = self._seconds.get((portal_id, phase), FIRST_GUESS)
        return max(1, min(BATCH, int((GLANCE if watched else LONGEST_BATCH) / each)))

    def note(self, portal_id: int, phase: str, count: int, seconds: float, *, failed: bool = False) -> None:
        """So long the last batch took. One that failed may have been cut short, so it only ever says "slower"."""
        each = max(seconds / count, GLANCE / BATCH)
        known = self._seconds.get((portal_id, phase), FIRST_GUESS)
        self._seconds[portal_id, phase] = max(each, known) if failed else each
