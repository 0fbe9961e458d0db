"""The limits of a cloud portal: requests per second, and execution time per method.

Documented in "limits" and "settings/performance/limits"; both are off until a knob (or profile "cloud") says so, and
always off in a self-hosted portal, where they are off by default.
"""

from __future__ import annotations

from typing import Any

from emulator.errors import RestError
from emulator.state import Portal, World

WINDOW_S = 600.0
BUCKET_S = 60.0
UNCOUNTED_S = 0.1  # very short calls are not added up
ENTERPRISE = 2.5, 5.0  # a portal on that plan drains and bears so many times more


def count_request(portal: Portal, address: str, now: float) -> None:
    """A leaky bucket per portal and source address; raises QUERY_LIMIT_EXCEEDED above the threshold."""
    world = portal.world
    if not world.knobs.rate_limit or portal.self_hosted:
        return
    drain, room = _rate(portal)
    with world.lock:
        key = f"{portal.member_id} {address}"
        level, last = world.buckets.get(key, (0.0, now))
        level = max(0.0, level - (now - last) * drain)
        refused = level + 1 > room
        world.buckets[key] = (level if refused else level + 1, now)
    if refused:
        raise RestError("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)


def _rate(portal: Portal) -> tuple[float, float]:
    """What leaks out of the bucket in a second, and how much it holds."""
    knobs = portal.world.knobs
    more_drain, more_room = ENTERPRISE if "_ent" in portal.plan else (1.0, 1.0)
    return knobs.rate_per_second * more_drain, knobs.rate_threshold * more_room


def operating_key(portal: Portal, caller: str, method: str) -> str:
    """Operating time is counted for a method and an application (or webhook) of one portal."""
    return f"{portal.member_id} {caller} {method.lower()}"


def check_operating(portal: Portal, key: str, now: float) -> None:
    """Raises OPERATION_TIME_LIMIT when a method has already used up its time."""
    knobs = portal.world.knobs
    if not knobs.operating_limit or portal.self_hosted:
        return
    if _used(portal.world, key, now) > knobs.operating_limit_s:
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


def spend(portal: Portal, caller: str, method: str, seconds: float) -> None:
    """Count so much operating time as used up just now; ``caller`` is a ``client_id`` or ``webhook:<user id>``."""
    charge(portal.world, operating_key(portal, caller, method), seconds, portal.world.now())


def used(portal: Portal, caller: str, method: str) -> float:
    """The operating time a method has used up within the last ten minutes."""
    return _used(portal.world, operating_key(portal, caller, method), portal.world.now())


def _used(world: World, key: str, now: float) -> float:
    with world.lock:
        return float(sum(row[1] for row in _rows(world, key, now)))


def _rows(world: World, key: str, now: float) -> list[list[float]]:
    rows: list[list[float]] = world.operating.setdefault(key, [])
    rows[:] = [row for row in rows if row[0] > now - WINDOW_S]
    return rows
