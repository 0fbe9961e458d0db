"""What is free, and the nearest times that are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from b24app.scheduling.interval import Interval, subtract


def free_intervals(opened: Iterable[Interval], taken: Iterable[Interval], now: datetime) -> list[Interval]:
    """Open time that nobody holds and that is not over yet."""
    free = subtract(opened, taken)
    return [Interval(max(one.start, now), one.end) for one in free if one.end > now]


def on_grid(instant: datetime, step_minutes: int, zone: ZoneInfo) -> bool:
    """Whether the wall clock of `zone` shows a whole step after midnight."""
    local = instant.astimezone(zone)
    return local.second == local.microsecond == 0 and (local.hour * 60 + local.minute) % step_minutes == 0


def _next_on_grid(instant: datetime, step_minutes: int, zone: ZoneInfo) -> datetime:
    local = instant.astimezone(zone)
    whole = local.replace(second=0, microsecond=0)
    minutes = whole.hour * 60 + whole.minute
    ahead = -minutes % step_minutes
    if whole != local and ahead == 0:
        ahead = step_minutes
    return whole.astimezone(UTC) + timedelta(minutes=ahead)


def starts(free: Iterable[Interval], duration: timedelta, step_minutes: int, zone: ZoneInfo) -> Iterator[datetime]:
    """Every start on the grid from which `duration` fits into free time, in order."""
    for interval in free:
        start = _next_on_grid(interval.start, step_minutes, zone)
        while start + duration <= interval.end:
            yield start
            start += timedelta(minutes=step_minutes)


def nearest(
    free: Iterable[Interval], wanted: Interval, step_minutes: int, zone: ZoneInfo, count: int = 3
) -> list[Interval]:
    """Up to `count` free intervals as long as `wanted`, not overlapping each other, the closest starts first."""
    candidates = sorted(starts(free, wanted.duration, step_minutes, zone), key=lambda s: (abs(s - wanted.start), s))
    chosen: list[Interval] = []
    for start in candidates:
        offer = Interval(start, start + wanted.duration)
        if not any(offer.overlaps(other) for other in chosen):
            chosen.append(offer)
        if len(chosen) == count:
            break
    return sorted(chosen)
