"""Series: which dates a repetition has, and when it is on each of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, rrule

from b24app.scheduling.hours import UnclearHour, local_instant, wall_instant
from b24app.scheduling.interval import Interval

MOST_OCCURRENCES = 366
MOST_APART = 99
FREQUENCIES: dict[str, Literal[1, 2, 3]] = {"daily": DAILY, "weekly": WEEKLY, "monthly": MONTHLY}


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Every so many days, weeks (on `weekdays`, 0 is Monday; none: on that of the first date) or months.

    Monthly is the same day of the month; months that lack it are skipped. It ends after `count` dates or with `until`
    (which may be one itself). `except_days` are left out and not made up for: they are part of the count.
    """

    freq: str
    every: int = 1
    weekdays: tuple[int, ...] = ()
    count: int | None = None
    until: date | None = None
    except_days: frozenset[date] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        """What JSON can keep."""
        return {
            "freq": self.freq,
            "every": self.every,
            "weekdays": list(self.weekdays),
            "count": self.count,
            "until": self.until.isoformat() if self.until else None,
            "except_days": [day.isoformat() for day in sorted(self.except_days)],
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Recurrence:
        return cls(
            freq=kept["freq"],
            every=kept.get("every", 1),
            weekdays=tuple(kept.get("weekdays", ())),
            count=kept.get("count"),
            until=date.fromisoformat(kept["until"]) if kept.get("until") else None,
            except_days=frozenset(date.fromisoformat(day) for day in kept.get("except_days", ())),
        )


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One date of a series. `shifted`: its local start does not exist on that day, or exists twice."""

    day: date
    interval: Interval
    shifted: bool


def check(recurrence: Recurrence, first: date) -> dict[str, str]:
    """A code for every field that cannot be accepted, or nothing; counts no further than one date too many."""
    return _wrong_fields(recurrence, first) or _wrong_dates(recurrence, first)


def _wrong_fields(recurrence: Recurrence, first: date) -> dict[str, str]:
    count, until = recurrence.count, recurrence.until
    wrong = {
        "freq": None if recurrence.freq in FREQUENCIES else "unknown_choice",
        "every": None if 1 <= recurrence.every <= MOST_APART else "out_of_range",
        "weekdays": None if all(0 <= day <= 6 for day in recurrence.weekdays) else "unknown_choice",
        "count": _wrong_count(count) if count is not None else "required" if until is None else None,
        "until": "until_before_start" if until and until < first else None,
    }
    if count is not None and until is not None:
        wrong["until"] = "both_ends"
    return {field: code for field, code in wrong.items() if code}


def _wrong_count(count: int) -> str | None:
    if count < 1:
        return "out_of_range"
    return "too_many_dates" if count > MOST_OCCURRENCES else None


def _wrong_dates(recurrence: Recurrence, first: date) -> dict[str, str]:
    found = _dates_and_one_too_many(recurrence, first)
    if len(found) > MOST_OCCURRENCES:
        return {"until": "too_many_dates"}
    if not found:
        return {"until": "no_dates"}
    return {"except_days": "no_dates"} if recurrence.except_days.issuperset(found) else {}


def _dates_and_one_too_many(recurrence: Recurrence, first: date) -> list[date]:
    """The dates in order, exceptions among them, but never all of a series that is far too long."""
    rule = rrule(
        FREQUENCIES[recurrence.freq],
        dtstart=datetime.combine(first, time()),
        interval=recurrence.every,
        count=recurrence.count,
        until=datetime.combine(recurrence.until, time()) if recurrence.until else None,
        byweekday=(recurrence.weekdays or None) if recurrence.freq == "weekly" else None,
    )
    return [at.date() for at in itertools.islice(rule, MOST_OCCURRENCES + 1)]


def dates(recurrence: Recurrence, first: date) -> list[date]:
    """Its dates from `first` on, without the exceptions; raises ValueError for what `check` would not accept.

    With weekdays `first` need not be one of them; every second week counts from the week of `first`.
    """
    wrong = _wrong_fields(recurrence, first)
    found = [] if wrong else _dates_and_one_too_many(recurrence, first)
    if wrong or len(found) > MOST_OCCURRENCES:
        raise ValueError(wrong or "too many dates")
    return [day for day in found if day not in recurrence.except_days]


def occurrences(
    recurrence: Recurrence, first: date, start_minutes: int, length: timedelta, zone: ZoneInfo
) -> list[Occurrence]:
    """When it is on each of its dates: the same local start, the same elapsed time.

    A start that the clock goes forward over comes as much later; one that it shows twice is the first.
    """
    return [_occurrence(day, start_minutes, length, zone) for day in dates(recurrence, first)]


def _occurrence(day: date, start_minutes: int, length: timedelta, zone: ZoneInfo) -> Occurrence:
    start = local_instant(day, start_minutes, zone)
    return Occurrence(day, Interval(start, start + length), shifted=not _is_clear(day, start_minutes, zone))


def _is_clear(day: date, minutes: int, zone: ZoneInfo) -> bool:
    try:
        wall_instant(day, minutes, zone)
    except UnclearHour:
        return False
    return True
