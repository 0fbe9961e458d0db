"""What a robot of ours was told, read with care: everything arrives as text, and expressions may have come to nothing.

Times without a zone are meant by the portal's clock. Known forms: 25.11.2026 14:00[:00], 2026-11-25 14:00, the same
with T, Z or an offset, 11/25/2026 02:00 pm (English portals write the month first), and each with the platform's own
suffix [10800], the offset in seconds; a date alone is its midnight.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from b24app.errors import Refused
from b24app.scheduling.hours import UnclearHour, wall_instant

_DATES = (
    re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})"),
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"),
    re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})"),
)
_CLOCK = re.compile(r"[ T,]\s*(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::\d\d(?:\.\d+)?)?\s*(?P<half>am|pm)?", re.IGNORECASE)
_OFFSET = re.compile(r"\s*(?:(?P<utc>Z)|(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)|\[(?P<seconds>-?\d{1,6})\])")
_WHOLE = re.compile(r"(\d{1,9})(?:[.,]0+)?")
_USER = re.compile(r"(?:user_|.*\[)?(\d{1,9})\]?")
_NUMBERED = re.compile(r"(?:№|#|No\.?|N)?\s*(\d{1,15})", re.IGNORECASE)
SHOWN = 60  # characters of a wrong value that are said again


class Unclear(Refused):
    """A robot's parameter `field` says nothing that can be carried out; `code` and `params` make the sentence."""

    def __init__(self, field: str, code: str, **params: Any) -> None:
        super().__init__(field, code)
        self.field, self.code, self.params = field, code, params


@dataclass(frozen=True, slots=True)
class Given:
    """The parameters of one call, by code, and the clock by which they are meant."""

    values: Mapping[str, Sequence[str]]
    zone: ZoneInfo

    def texts(self, name: str) -> list[str]:
        """Every value that was given."""
        return [value.strip() for value in self.values.get(name, ()) if value.strip()]

    def text(self, name: str, longest: int = 200) -> str:
        """The first value, cut: a text that is too long is no reason to refuse a booking."""
        return next(iter(self.texts(name)), "")[:longest]

    def whole(self, name: str, most: int) -> int | None:
        """A number from 1 to `most`; an empty one and a zero are None. Raises Unclear."""
        value = self.text(name)
        match = _WHOLE.fullmatch(value)
        if value and (match is None or int(match[1]) > most):
            raise Unclear(name, "not_a_number", value=value[:SHOWN], most=most)
        return int(match[1]) or None if match else None

    def user(self, name: str) -> int | None:
        """An employee, as user_5. Raises Unclear."""
        value = self.text(name)
        match = _USER.fullmatch(value)
        if value and match is None:
            raise Unclear(name, "not_a_user", value=value[:SHOWN])
        return int(match[1]) if match else None

    def instant(self, name: str, *, whole_day: bool = False) -> datetime | None:
        """A moment in UTC. `whole_day`: a date without a clock means the end of that day. Raises Unclear."""
        value = self.text(name)
        if not value:
            return None
        try:
            return _instant(value, self.zone, whole_day=whole_day)
        except UnclearHour as error:
            raise Unclear(name, error.code) from error
        except (ValueError, OverflowError):
            raise Unclear(name, "not_a_date", value=value[:SHOWN]) from None


def _instant(value: str, zone: ZoneInfo, *, whole_day: bool) -> datetime:
    """Raises ValueError, OverflowError or UnclearHour."""
    day, rest = _day(value)
    clock = _CLOCK.match(rest)
    rest = rest[clock.end() :] if clock else rest
    minutes = _minutes(clock) if clock else (24 * 60 if whole_day else 0)
    offset = _OFFSET.fullmatch(rest) if rest.strip() else None
    if rest.strip() and offset is None:
        raise ValueError(value)
    if offset is None:
        return wall_instant(day, minutes, zone)
    wall = datetime(day.year, day.month, day.day, tzinfo=timezone(_shift(offset)))
    return (wall + timedelta(minutes=minutes)).astimezone(UTC)


def _day(value: str) -> tuple[date, str]:
    for form in _DATES:
        if match := form.match(value):
            day = date(*(int(match[part]) for part in ("year", "month", "day")))
            if not 2000 <= day.year <= 2199:
                raise ValueError(value)
            return day, value[match.end() :]
    raise ValueError(value)


def _minutes(clock: re.Match[str]) -> int:
    hour, minute = int(clock["hour"]), int(clock["minute"])
    if clock["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(clock[0])
        hour = hour % 12 + (12 if clock["half"].lower() == "pm" else 0)
    if hour > 23 or minute > 59:
        raise ValueError(clock[0])
    return hour * 60 + minute


def _shift(offset: re.Match[str]) -> timedelta:
    if offset["utc"]:
        return timedelta()
    if offset["seconds"]:
        return timedelta(seconds=int(offset["seconds"]))
    shift = timedelta(hours=int(offset["hours"]), minutes=int(offset["minutes"]))
    return -shift if offset["sign"] == "-" else shift


# Names ----


@dataclass(frozen=True, slots=True)
class Option:
    """Something that can be named; `note` tells it from a namesake."""

    id: int
    name: str
    note: str = ""


def named(field: str, value: str, options: Iterable[Option]) -> int:
    """The id of the one option that is called so, or has this number. Raises Unclear: no name is ever guessed at."""
    known = list(options)
    found = [one for one in known if _folded(one.name) == _folded(value)]
    if not found and (number := numbered(value)):
        found = [one for one in known if one.id == number]
    if not found:
        raise Unclear(field, f"unknown_{field}", name=value[:SHOWN])
    if len(found) > 1:
        names = ", ".join(f"№ {one.id}" + (f" ({one.note})" if one.note else "") for one in found[:10])
        raise Unclear(field, "ambiguous", name=value[:SHOWN], names=names)
    return found[0].id


def numbered(value: str) -> int | None:
    """The number that this is: 12, № 12, No. 12."""
    match = _NUMBERED.fullmatch(value.strip())
    return int(match[1]) if match else None


def _folded(name: str) -> str:
    """A name as people compare it."""
    return " ".join(name.casefold().replace("ё", "е").split())
