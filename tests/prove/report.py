"""How much a proof does, and where it writes what it saw."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "var" / "prove.json"


def rounds(small: int, full: int) -> int:
    """`full` under `make prove`, `small` under `make test`."""
    return full if os.environ.get("PROVE") == "full" else small


def record(name: str, figures: dict[str, Any]) -> None:
    """Keeps the figures of one proof in var/prove.json, beside those of the others."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with FILE.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        everything = json.loads(file.read() or "{}")
        everything[name] = figures
        file.truncate(0)
        file.write(json.dumps(everything, ensure_ascii=False, indent=1, sort_keys=True))
