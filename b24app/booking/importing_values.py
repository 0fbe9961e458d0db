"""What a cell of a table means, however it was typed: as a text, a number, a date or a time.

Each function returns the value or raises Wrong with a code that `texts` knows as `field.<code>`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from b24app.booking.importing_cells import Cell
from b24app.scheduling.hours import DAY_MINUTES, OpeningHours

WORKDAYS = (0, 1, 2, 3, 4)
LARGEST = 10**9
_CLOCK = re.compile(r"^(\d{1,2})(?:[:.](\d{2}))?(?::00)?$", re.ASCII)
_STRETCH = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?\s*[-–—−]\s*(\d{1,2})(?:[:.](\d{2}))?", re.ASCII)
_DURATION = re.compile(r"^(?:(\d+)\s*(?:ч|h)[^\d]*)?(?:(\d+)\s*(?:м|m)[^\d]*)?$")
_DATE = re.compile(r"^(\d{1,2})[./](\d{1,2})[./](\d{4})$|^(\d{4})-(\d{1,2})-(\d{1,2})(?:T.*)?$", re.ASCII)
_DAYS = re.compile(r"[^\W\d_]+\.?(?:\s*[-–—−]\s*[^\W\d_]+\.?)?")
_EVERY_DAY = {"ежедневно", "каждый день", "daily", "every day"}
_WEEKDAYS = (
    ("пн", "пон", "понедельник", "mo", "mon", "monday"), ("вт", "вто", "вторник", "tu", "tue", "tuesday"),
    ("ср", "сре", "среда", "we", "wed", "wednesday"), ("чт", "чет", "четверг", "th", "thu", "thursday"),
    ("пт", "пят", "пятница", "fr", "fri", "friday"), ("сб", "суб", "суббота", "sa", "sat", "saturday"),
    ("вс", "вос", "воскресенье", "su", "sun", "sunday"),
)  # fmt: skip
DAY_NAMES = {name: weekday for weekday, names in enumerate(_WEEKDAYS) for name in names}


class Wrong(ValueError):
    """A cell that cannot be taken; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def text(cell: Cell) -> str:
    """A text; of a number its digits. A date is one that Excel has made: what was typed is lost."""
    if isinstance(cell.value, datetime):
        raise Wrong("became_date")
    return " ".join(cell.shown.replace("\x00", "").split())


def whole(cell: Cell) -> int:
    """A whole number: 6, «6», «1 000», 6.0."""
    value = cell.value
    if isinstance(value, datetime):
        raise Wrong("became_date")
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST:
        return int(value)
    digits = re.sub(r"\s", "", value) if isinstance(value, str) else ""
    if not re.fullmatch(r"[-+]?\d{1,9}(?:[.,]0+)?", digits, re.ASCII):
        raise Wrong("not_a_number")
    return int(re.split("[.,]", digits)[0])


def minutes(cell: Cell) -> int:
    """A length in minutes: 90, «90», 1:30 as a time, «1:30», «1 ч 30 мин»."""
    value = cell.value
    if isinstance(value, timedelta):
        return _rounded(value.total_seconds() / 60)
    if isinstance(value, str) and (found := re.fullmatch(r"(\d{1,3}):([0-5]\d)(?::00)?", value.strip(), re.ASCII)):
        return int(found[1]) * 60 + int(found[2])
    if isinstance(value, str) and (found := _DURATION.match(value.strip().lower())) and found[0]:
        return int(found[1] or 0) * 60 + int(found[2] or 0)
    try:
        return whole(cell)
    except Wrong as wrong:
        raise Wrong("not_minutes" if wrong.code == "not_a_number" else wrong.code) from None


def clock(cell: Cell) -> int:
    """A time of day in minutes: 9:30 as a time, «9:30», «9.30», 9, and 0.375, which is how Excel keeps 9:00."""
    value = cell.value
    if isinstance(value, datetime):
        raise Wrong("became_date")
    if isinstance(value, timedelta):
        return _of_day(_rounded(value.total_seconds() / 60))
    if isinstance(value, float):
        return _of_day(_rounded(value * DAY_MINUTES if 0 < value < 1 else value * 60))
    found = _CLOCK.match(value.strip()) if isinstance(value, str) else None
    if not found:
        raise Wrong("not_a_time")
    return _clock(found[1], found[2])


def _rounded(value: float) -> int:
    if not math.isfinite(value) or abs(value - round(value)) > 0.02 or abs(value) > LARGEST:
        raise Wrong("not_a_time")
    return round(value)


def _clock(hour: str, minute: str | None) -> int:
    if int(minute or 0) > 59:
        raise Wrong("not_a_time")
    return _of_day(int(hour) * 60 + int(minute or 0))


def _of_day(found: int) -> int:
    if not 0 <= found <= DAY_MINUTES:
        raise Wrong("not_a_time")
    return found


def dates(cell: Cell) -> tuple[date, ...]:
    """Dates: one that Excel knows as such, or texts with commas between, 01.05.2026 or 2026-05-01."""
    if isinstance(cell.value, datetime):
        return (cell.value.date(),)
    if not isinstance(cell.value, str):
        raise Wrong("not_a_date")
    found = [_date(one.strip()) for one in re.split(r"[,;\n]", cell.value) if one.strip()]
    if len(set(found)) < len(found):
        raise Wrong("date_twice")
    return tuple(found)


def _date(typed: str) -> date:
    found = _DATE.match(typed)
    if not found:
        raise Wrong("not_a_date")
    day, month, year, *iso = found.groups()
    try:
        return date(int(year), int(month), int(day)) if year else date(*map(int, iso))
    except ValueError:
        raise Wrong("not_a_date") from None


def weekdays(cell: Cell) -> tuple[int, ...]:
    """Days of the week: «Пн–Пт», «Сб, Вс», «Mon-Fri», «ежедневно»."""
    typed = text(cell).lower()
    if typed in _EVERY_DAY:
        return tuple(range(7))
    parts = [one.strip() for one in re.split("[,;]", typed) if one.strip()]
    if not parts:
        raise Wrong("unknown_days")
    return tuple(sorted({day for part in parts for day in _days(part)}))


def _days(typed: str) -> list[int]:
    """«пн–пт» and «сб»; a stretch may pass Sunday."""
    ends = [one.strip(" .") for one in re.split("[-–—−]", typed)]
    if not 1 <= len(ends) <= 2 or not all(one in DAY_NAMES for one in ends):
        raise Wrong("unknown_days")
    first, last = DAY_NAMES[ends[0]], DAY_NAMES[ends[-1]]
    return [day % 7 for day in range(first, last + 1 if last >= first else last + 8)]


def week(cell: Cell) -> tuple[OpeningHours, ...]:
    """The hours of a week: «Пн–Пт 9:00–18:00, Сб 10–14», «9:00–21:00» (Monday to Friday), «ежедневно 10–22».

    Days in front count until the next ones: «Пн–Пт 9–13, 14–18».
    """
    if isinstance(cell.value, datetime | timedelta):
        raise Wrong("became_date")
    typed = text(cell).lower()
    if typed in ("круглосуточно", "24/7", "around the clock"):
        return tuple(OpeningHours(day, 0, DAY_MINUTES) for day in range(7))
    found = _week(typed)
    if not found:
        raise Wrong("hours_wrong")
    return tuple(sorted(found))


def _week(typed: str) -> list[OpeningHours]:
    """Goes through the text from left to right: days, hours, what stands between."""
    hours: list[OpeningHours] = []
    days: list[int] = []
    place, fresh = 0, True
    for word in _EVERY_DAY:
        typed = typed.replace(word, "пн–вс")
    while place < len(typed):
        if found := _STRETCH.match(typed, place):
            opens, closes = _stretch(found)
            hours += [OpeningHours(day, opens, closes) for day in days or WORKDAYS]
            fresh = True
        elif found := _DAYS.match(typed, place):
            days = [*([] if fresh else days), *_named(found[0])]
            fresh = False
        elif typed[place] not in " ,;:\t":
            raise Wrong("hours_wrong")
        place = found.end() if found else place + 1
    if not fresh:  # days at the end, without hours
        raise Wrong("hours_wrong")
    return hours


def _named(typed: str) -> list[int]:
    try:
        return _days(typed)
    except Wrong:
        raise Wrong("hours_wrong") from None


def _stretch(found: re.Match[str]) -> tuple[int, int]:
    try:
        opens, closes = _clock(found[1], found[2]), _clock(found[3], found[4])
        closes = closes if closes > opens else closes + DAY_MINUTES
        OpeningHours(0, opens, closes)
    except ValueError:
        raise Wrong("hours_wrong") from None
    return opens, closes


def one_of(cell: Cell, known: Mapping[str, str | int], code: str) -> str | int:
    """What a name stands for; `known` has it in small letters."""
    found = known.get(text(cell).casefold())
    if found is None:
        raise Wrong(code)
    return found


def names(cell: Cell) -> tuple[str, ...]:
    """Names with semicolons, pluses or new lines between, as they were typed."""
    if isinstance(cell.value, datetime):
        raise Wrong("became_date")
    found = [" ".join(one.split()) for one in re.split(r"[;+\n]", cell.shown) if one.strip()]
    if len({one.casefold() for one in found}) < len(found):
        raise Wrong("part_twice")
    return tuple(found)
