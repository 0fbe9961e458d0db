"""The limits of a cloud portal: requests per second, and execution time per method.

Documented in "limits" and "settings/performance/limits"; both are off until a knob (or profile "cloud") says so.
"""

from __future__ import annotations

from typing import Any

from emulator.errors import RestError
from emulator.state import World

WINDOW_S = 600.0
BUCKET_S = 60.0
UNCOUNTED_S = 0.1  # very short calls are not added up


def count_request(world: World, member_id: str, address: str, now: float) -> None:
    """A leaky bucket per portal and source address; raises QUERY_LIMIT_EXCEEDED above the threshold."""
    if not world.knobs.rate_limit:
        return
    with world.lock:
        level, last = world.buckets.get(f"{member_id} {address}", (0.0, now))
        level = max(0.0, level - (now - last) * world.knobs.rate_per_second)
        refused = level + 1 > world.knobs.rate_threshold
        world.buckets[f"{member_id} {address}"] = (level if refused else level + 1, now)
    if refused:
        raise RestError("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)


def check_operating(world: World, key: str, now: float) -> None:
    """Raises OPERATION_TIME_LIMIT when a method has already used up its time."""
    if world.knobs.operating_limit and _used(world, key, now) > world.knobs.operating_limit_s:
        raise RestError("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429)


def charge(world: World, key: str, seconds: float, now: float) -> dict[str, Any]:
    """Add the time of one call; returns ``operating`` and ``operating_reset_at`` for the answer's time block."""
    with world.lock:
        rows = _rows(world, key, now)
        if seconds >= UNCOUNTED_S:
            if not rows or now - rows[-1][0] >= BUCKET_S:
                rows.append([now, 0.0])
            rows[-1][1] += seconds
        oldest = rows[0][0] if rows else now
        used = sum(row[1] for row in rows)
    return {"operating_reset_at": int(oldest + WINDOW_S), "operating": used}


def _used(world: World, key: str, now: float) -> float:
    with world.lock:
        return sum(row[1] for row in _rows(world, key, now))


def _rows(world: World, key: str, now: float) -> list[list[float]]:
    rows: list[list[float]] = world.operating.setdefault(key, [])
    rows[:] = [row for row in rows if row[0] > now - WINDOW_S]
    return rows
