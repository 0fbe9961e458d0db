"""The company's rules: values in, every broken rule out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from b24app.scheduling.availability import on_grid
from b24app.scheduling.interval import Interval


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in force for one service on one resource; frozen into each booking."""

    min_minutes: int
    max_minutes: int
    step_minutes: int
    horizon_days: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: a code that `texts` knows, its parameters, and the field of the form it is `at`."""

    code: str
    at: str
    params: Mapping[str, Any] = field(default_factory=dict)


def violations(
    policy: Policy, wanted: Interval, opened: Iterable[Interval], zone: ZoneInfo, now: datetime
) -> list[Violation]:
    """All rules that `wanted` breaks, or none. `opened` are the opening hours around it, in UTC, merged."""
    minutes = wanted.duration / timedelta(minutes=1)
    broken: list[Violation] = []
    if wanted.start < now:
        broken.append(Violation("past", "start"))
    if minutes < policy.min_minutes:
        broken.append(Violation("too_short", "end", {"minutes": policy.min_minutes}))
    if minutes > policy.max_minutes:
        broken.append(Violation("too_long", "end", {"minutes": policy.max_minutes}))
    if wanted.start > now + timedelta(days=policy.horizon_days):
        broken.append(Violation("beyond_horizon", "start", {"days": policy.horizon_days}))
    if not on_grid(wanted.start, policy.step_minutes, zone):
        broken.append(Violation("off_grid", "start", {"minutes": policy.step_minutes}))
    if minutes % policy.step_minutes:
        broken.append(Violation("off_grid", "end", {"minutes": policy.step_minutes}))
    if not any(stretch.contains(wanted) for stretch in opened):
        broken.append(Violation("outside_hours", "start"))
    return broken
