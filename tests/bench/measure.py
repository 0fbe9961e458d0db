"""Timing, and the table that it goes into."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "var" / "bench.json"


@dataclass
class Table:
    """What is printed, and written to var/bench.json."""

    limits: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def limit(self, key: str, value: float) -> None:
        """A floor measured in this very run, since absolute times move from machine to machine."""
        self.limits[key] = round(value, 3)
        print(f"{key:32} {value:10.3f}   (limit)")

    def row(self, key: str, values: list[float], goal: float, *, least: bool = False, worst: bool = False) -> None:
        """The median of `values` (the `worst`: the greatest) against its goal: at most that, at least when `least`."""
        value = max(values) if worst else statistics.median(values)
        met = value >= goal if least else value <= goal
        self.rows.append(
            {"key": key, "value": round(value, 3), "min": round(min(values), 3), "max": round(max(values), 3),
             "goal": goal, "met": met}
        )  # fmt: skip
        sign, word = ("≥" if least else "≤"), ("met" if met else "MISSED")
        print(f"{key:32} {value:10.3f}   {sign} {goal:<8} {word:7} ({min(values):.3f} … {max(values):.3f})", flush=True)

    def write(self) -> None:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system(),
                   "machine": platform.machine()}  # fmt: skip
        FILE.write_text(
            json.dumps({"machine": machine, "limits": self.limits, "rows": self.rows}, ensure_ascii=False, indent=1)
        )


def times_ms(
    act: Callable[[], Any], count: int, warm: int = 5, before: Callable[[], Any] = lambda: None
) -> list[float]:
    """How long `act` takes, in milliseconds, `count` times after `warm` that do not count.

    `before` each of them something may happen that is not measured.
    """
    for _ in range(warm):
        before()
        act()
    measured = []
    for _ in range(count):
        before()
        start = time.perf_counter()
        act()
        measured.append((time.perf_counter() - start) * 1000)
    return measured
