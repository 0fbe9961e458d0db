"""The dates of a series before it is booked, each with whether it can be had."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from b24app import texts
from b24app.booking.series import Planned


@dataclass(frozen=True, slots=True)
class PlannedDate:
    """One date. `state`: free, taken or closed, which `said` says with its reason; `notes`: what is free instead."""

    day: str
    words: str
    state: str
    said: str
    notes: tuple[str, ...]
    ticked: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """Every date of a series."""

    dates: list[PlannedDate]

    @property
    def free(self) -> int:
        return sum(one.state == "free" for one in self.dates)

    @property
    def total(self) -> int:
        return len(self.dates)


def preview(language: str, planned: Sequence[Planned], zone: ZoneInfo, chosen: Collection[date] | None) -> Preview:
    """The dates in words; free ones are ticked, or of them those that were `chosen`."""
    return Preview([_date(language, one, zone, chosen) for one in planned])


def _date(language: str, one: Planned, zone: ZoneInfo, chosen: Collection[date] | None) -> PlannedDate:
    return PlannedDate(
        day=one.day.isoformat(),
        words=texts.period(language, one.interval.start, one.interval.end, zone),
        state=one.state,
        said=_said(language, one, zone),
        notes=tuple(_notes(language, one, zone)),
        ticked=one.state == "free" and (chosen is None or one.day in chosen),
    )


def _said(language: str, one: Planned, zone: ZoneInfo) -> str:
    if one.violations:
        return "; ".join(texts.say_violation(language, broken.code, broken.params) for broken in one.violations)
    if one.obstacles:
        return texts.say_obstacle(language, one.obstacles[0].code, one.obstacles[0].params, zone)
    return {"free": _("free"), "taken": _("taken"), "closed": _("closed")}[one.state]


def _notes(language: str, one: Planned, zone: ZoneInfo) -> list[str]:
    found = []
    if one.nearest:
        near = ", ".join(_near(language, other.start.astimezone(zone).date(), one.day) +
                         texts.span(other.start, other.end, zone) for other in one.nearest)  # fmt: skip
        found.append(_("Free nearby: %(times)s", times=near))
    if one.shifted:
        found.append(_("Clocks change on that day, so it begins at another hour"))
    return found


def _near(language: str, day: date, wanted: date) -> str:
    """The day of a time nearby where it is another one."""
    return "" if day == wanted else f"{texts.day(language, day, short=True)}, "
