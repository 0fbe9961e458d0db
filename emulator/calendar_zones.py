"""Times of calendar events: how written times are understood and how the calendar shows them.

Documented in "calendar-event-add": a full ISO value is an exact instant and is stored in the caller's zone; a naive one
is in ``timezone_from``, or else in the caller's zone; all-day events are dates.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from emulator.call import integer, truth
from emulator.state import Json

FORMATS = {"ru": "%d.%m.%Y %H:%M:%S", "en": "%m/%d/%Y %I:%M:%S %p"}
DAY_FORMATS = {"ru": "%d.%m.%Y", "en": "%m/%d/%Y"}
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """When an event is: unix seconds, zones by name, whole days or not. A whole-day ``end`` is its last day's start."""

    start: int
    end: int
    zone_from: str
    zone_to: str
    whole_days: bool

    @property
    def busy_until(self) -> int:
        return self.end + int(DAY.total_seconds()) if self.whole_days else self.end


def read_span(params: Json, user_zone: str) -> Span | None:
    """The span that the parameters of an add or update give; None when they give none that can be read."""
    if truth(params.get("skip_time")):
        return _days(params, user_zone)
    zone_from = known_zone(params.get("timezone_from")) or user_zone
    zone_to = known_zone(params.get("timezone_to")) or zone_from
    start, exact = _instant(params.get("from"), params.get("from_ts"), zone_from)
    end, _ = _instant(params.get("to"), params.get("to_ts"), zone_to)
    if start is None or end is None or end < start:
        return None
    # The zone of an exact instant is the caller's, whatever timezone_from says.
    return Span(start, end, user_zone if exact else zone_from, user_zone if exact else zone_to, False)


def _days(params: Json, user_zone: str) -> Span | None:
    first, last = read_day(params.get("from")), read_day(params.get("to"))
    if first is None or last is None or last < first:
        return None
    start, end = (int(datetime.combine(day, time(), UTC).timestamp()) for day in (first, last))
    return Span(start, end, user_zone, user_zone, True)


def read_day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value or "").strip()[:10])
    except ValueError:
        return None


def _instant(value: Any, seconds: Any, zone: str) -> tuple[int | None, bool]:
    """Unix seconds of a written time, and whether it was exact."""
    if value in (None, ""):
        return (integer(seconds, 0) or None, True)
    try:
        found = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None, False
    exact = found.tzinfo is not None
    return int((found if exact else found.replace(tzinfo=ZoneInfo(zone))).timestamp()), exact


def known_zone(name: Any) -> str:
    """The name of a time zone when there is such a one, or ""."""
    if not name:
        return ""
    try:
        ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError):
        return ""
    return str(name)


def offset(seconds: int, zone: str) -> int:
    """Seconds east of Greenwich in a zone at an instant."""
    delta = datetime.fromtimestamp(seconds, ZoneInfo(zone)).utcoffset()
    return int(delta.total_seconds()) if delta else 0


def local(seconds: int, zone: str, whole_days: bool) -> datetime:
    """The clock an event shows: in its zone, or the plain date of a whole-day event."""
    return datetime.fromtimestamp(seconds, UTC if whole_days else ZoneInfo(zone))


def shown(seconds: int, zone: str, whole_days: bool, lang: str) -> str:
    """A localized time, not meant to be parsed."""
    formats = DAY_FORMATS if whole_days else FORMATS
    return local(seconds, zone, whole_days).strftime(formats.get(lang, formats["en"])).lower()


def formatted(seconds: int, zone: str, whole_days: bool) -> str:
    """``Wed Dec 11 2024 17:59:00``, in English whatever the language."""
    return local(seconds, zone, whole_days).strftime("%a %b %d %Y %H:%M:%S")
