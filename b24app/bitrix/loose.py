"""Reading what PHP is loose about: numbers in strings, empty maps as lists, flags in four spellings."""

from __future__ import annotations

from typing import Any


def whole(value: Any) -> int | None:
    """A whole number of at most 15 digits, or None."""
    text = str(value) if isinstance(value, (int, str)) else ""
    return int(text) if len(text) <= 15 and text.isdecimal() else None


def number(value: Any) -> float | None:
    """A number of a sane size, or None: JSON here may hold NaN and Infinity."""
    sane = isinstance(value, (int, float)) and -1e12 < value < 1e12
    return float(value) if sane else None


def as_map(value: Any) -> dict[str, Any]:
    """A map, though an empty one, and one with keys 0 to n-1, is written as a list."""
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """A text without what no database keeps: NUL and halves of surrogate pairs; nothing for anything empty."""
    return str(value or "").replace("\x00", "").encode("utf-8", "ignore").decode().strip()


def flag(value: Any) -> bool:
    """A yes in any of its spellings."""
    return value in (True, "1", "Y", "true")


def split_scopes(value: Any) -> tuple[str, ...]:
    """Scopes come separated by commas, in one documented place by spaces."""
    return tuple(str(value or "").replace(",", " ").split())
