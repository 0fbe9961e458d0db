"""Recurrence of calendar events: the rule as written, its occurrences, and how REST shows it.

Documented are FREQ, INTERVAL, COUNT, UNTIL and BYDAY only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from emulator.calendar_zones import DAY_FORMATS, Span, read_day
from emulator.call import integer, values
from emulator.state import Json

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
LONGEST = 1000  # occurrences that are expanded at most


def read_rule(given: Json) -> Json:
    """A rule out of parameters; empty when it names no known frequency."""
    frequency = str(given.get("FREQ") or "").upper()
    if frequency not in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY"):
        return {}
    until = read_day(given.get("UNTIL"))
    return {
        "FREQ": frequency,
        "INTERVAL": max(1, integer(given.get("INTERVAL"), 1)),
        "COUNT": max(0, integer(given.get("COUNT"), 0)),
        "UNTIL": until.isoformat() if until else "",
        "BYDAY": [str(one) for one in values(given.get("BYDAY")) if one in WEEKDAYS],
    }


def spans(row: Json, first: Span, end: int) -> Iterator[Span]:
    """The occurrences of an event that start before ``end``, without its exceptions; one for a single event."""
    if not row["rrule"]:
        yield first
        return
    zone = ZoneInfo("UTC") if first.whole_days else ZoneInfo(first.zone_from)
    began = datetime.fromtimestamp(first.start, zone)
    for day in _days(row["rrule"], began.date()):
        # The same clock time on each day: an hour more or less when clocks change.
        start = int(datetime.combine(day, began.time(), zone).timestamp())
        if start >= end:
            return
        if day.isoformat() not in row["exdate"]:
            yield replace(first, start=start, end=start + first.end - first.start)


def _days(rule: Json, first: date) -> Iterator[date]:
    until = date.fromisoformat(rule["UNTIL"]) if rule["UNTIL"] else None
    for number, day in enumerate(_endless(rule, first)):
        if (until and day > until) or number >= (rule["COUNT"] or LONGEST):
            return
        yield day


def _endless(rule: Json, first: date) -> Iterator[date]:
    step = rule["INTERVAL"]
    if rule["FREQ"] == "DAILY":
        yield from (first + timedelta(days=step * n) for n in range(LONGEST))
    elif rule["FREQ"] == "WEEKLY":
        yield from _weekly(rule, first)
    else:
        months = step * (12 if rule["FREQ"] == "YEARLY" else 1)
        for n in range(LONGEST):
            year, month = divmod(first.month - 1 + months * n, 12)
            day = _safe_date(first.year + year, month + 1, first.day)
            if day:
                yield day


def _weekly(rule: Json, first: date) -> Iterator[date]:
    wanted = rule["BYDAY"] or [WEEKDAYS[first.weekday()]]
    monday = first - timedelta(days=first.weekday())
    for week in range(LONGEST):
        for index, name in enumerate(WEEKDAYS):
            day = monday + timedelta(weeks=week * rule["INTERVAL"], days=index)
            if name in wanted and day >= first:
                yield day


def _safe_date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def shown(rule: Json, lang: str) -> Json:
    """A rule as the event object carries it; without an end it runs to 2038."""
    until = date.fromisoformat(rule["UNTIL"]) if rule["UNTIL"] else date(2038, 1, 1)
    text = until.strftime(DAY_FORMATS.get(lang, DAY_FORMATS["en"]))
    return {
        "FREQ": rule["FREQ"],
        "INTERVAL": rule["INTERVAL"],
        **({"COUNT": rule["COUNT"]} if rule["COUNT"] else {}),
        **({"BYDAY": {name: name for name in rule["BYDAY"]}} if rule["BYDAY"] else {}),
        "UNTIL": text,
        "~UNTIL": text if rule["UNTIL"] else "",
        "UNTIL_TS": int(datetime(until.year, until.month, until.day, tzinfo=UTC).timestamp()),
    }
