"""When something is closed, in words: for the list of closures and the card of a resource."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from b24app import texts
from b24app.ledger.models import Closure
from b24app.ledger.occupancy import as_interval
from b24app.web.forms import clock_text
from b24app.web.forms_facilities import WHOLE_DAYS, wall_times

MONDAY = date(2024, 1, 1)  # any Monday: only its name is shown
EVERY_DAY = tuple(range(7))


@dataclass(frozen=True, slots=True)
class Shut:
    """A closure, or all times of one that comes again: `id` is that of the next, `standing` the bookings in all."""

    id: int
    when: str
    reason: str
    standing: int


def told(
    language: str, now: datetime, rows: Iterable[Closure], counts: Mapping[int, int], zone: ZoneInfo
) -> list[Shut]:
    """The closures in their order, each series once, in the clock of `zone`."""
    together: dict[uuid.UUID | int, list[Closure]] = {}
    for row in rows:
        together.setdefault(row.series or row.id, []).append(row)
    return [
        Shut(of[0].id, when(language, now, of[0], zone), of[0].reason, sum(counts.get(one.id, 0) for one in of))
        for of in together.values()
    ]


def when(language: str, now: datetime, closure: Closure, zone: ZoneInfo) -> str:
    """«Пт, 27 марта, 9:00–13:00», «пн, ср, 13:00–14:00, до 31 мая»."""
    if closure.rule is not None:
        return _again(language, now, closure, zone)
    first, begins, last, ends = wall_times(as_interval(closure.during), zone)
    days = [_day(language, now, one) for one in ((first,) if first == last else (first, last))]
    if (begins, ends) == WHOLE_DAYS:
        return " – ".join(days)
    start, end = clock_text(begins), clock_text(ends)
    return f"{days[0]}, {start}–{end}" if first == last else f"{days[0]}, {start} – {days[1]}, {end}"


def _again(language: str, now: datetime, closure: Closure, zone: ZoneInfo) -> str:
    assert closure.rule is not None, "asked for a series"
    weekdays, times = closure.rule["weekdays"], (closure.rule["start"], closure.rule["end"])
    names = ", ".join(texts.weekday(language, MONDAY + timedelta(days=one)) for one in weekdays)
    days = _("every day") if tuple(weekdays) == EVERY_DAY else _("every %(days)s", days=names)
    clock = "" if times == WHOLE_DAYS else f", {clock_text(times[0])}–{clock_text(times[1])}"
    until = _day(language, now, date.fromisoformat(closure.rule["until"]))
    return _("%(days)s%(clock)s, until %(day)s", days=days, clock=clock, day=until)


def _day(language: str, now: datetime, day: date) -> str:
    """A closure may be years away, and is then named with its year."""
    words = texts.day(language, day, short=True)
    return words if day.year == now.year else f"{words} {day.year}"
