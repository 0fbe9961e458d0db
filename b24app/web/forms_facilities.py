"""The shape of what administrators send about resources and closures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from wtforms import StringField
from wtforms.validators import Optional

from b24app.booking.closures import ClosureData
from b24app.booking.resources import SpecialDay
from b24app.errors import InvalidInput
from b24app.scheduling.hours import DAY_MINUTES, OpeningHours, Stretch
from b24app.scheduling.interval import Interval
from b24app.web.forms import (
    ClockField,
    DayField,
    NumberField,
    PortalForm,
    Typed,
    at_most,
    clock_text,
    filled,
    minutes_of_day,
    strip,
)
from b24app.web.forms_settings import ResourcesField, Row, Rows, SettingsForm

_HOURS = re.compile(r"^(\d{1,2})(?:[:.](\d{2}))?\s*[-–—]\s*(\d{1,2})(?:[:.](\d{2}))?$", re.ASCII)
WHOLE_DAYS = (0, DAY_MINUTES)


class Open(Protocol):
    """A stretch of opening hours, of a weekday or of a date."""

    @property
    def opens(self) -> int: ...
    @property
    def closes(self) -> int: ...


class HoursField(Typed):
    """The hours of one day as pairs of minutes; nothing typed: closed."""

    code = "hours_wrong"

    def parse(self, text: str) -> tuple[tuple[int, int], ...]:
        return tuple(parse_stretches(text))

    def shown(self, value: Sequence[tuple[int, int]]) -> str:
        return hours_text([Stretch(*pair) for pair in value])


class SpecialRow(Row):
    """The hours of one date."""

    typed = ("day", "hours")
    day = DayField(validators=filled())
    hours = HoursField(filters=[lambda value: value or ()], validators=[Optional()])


class ResourceForm(SettingsForm):
    """Everything about a resource; the use case checks the values."""

    kind = StringField(validators=filled())
    name = StringField(filters=[strip], validators=[*filled(), *at_most(120)])
    city = StringField(filters=[strip], validators=at_most(80))
    address = StringField(filters=[strip], validators=at_most(200))
    capacity = NumberField(validators=filled(), default=1)
    time_zone = StringField(validators=filled())
    units = NumberField(validators=filled(), default=1)
    parts = ResourcesField()
    step_minutes = NumberField(validators=filled(), default=30)
    min_minutes = NumberField(validators=filled(), default=30)
    max_minutes = NumberField(validators=filled(), default=480)
    horizon_days = NumberField(validators=filled(), default=365)
    buffer_before = NumberField(validators=filled(), default=0)
    buffer_after = NumberField(validators=filled(), default=0)
    policy_id = NumberField(validators=[Optional()])
    tariff_id = NumberField(validators=[Optional()])
    portal_user_id = NumberField(validators=[Optional()])
    calendar_mode = StringField(default="default")
    calendar_group = NumberField(validators=[Optional()])
    holidays = StringField(default="")
    special = Rows(SpecialRow)
    hours_0 = StringField(filters=[strip], validators=at_most(100))
    hours_1 = StringField(filters=[strip], validators=at_most(100))
    hours_2 = StringField(filters=[strip], validators=at_most(100))
    hours_3 = StringField(filters=[strip], validators=at_most(100))
    hours_4 = StringField(filters=[strip], validators=at_most(100))
    hours_5 = StringField(filters=[strip], validators=at_most(100))
    hours_6 = StringField(filters=[strip], validators=at_most(100))

    def weekly_hours(self) -> tuple[OpeningHours, ...]:
        """The week out of its seven fields; raises InvalidInput naming the days that cannot be read."""
        week: list[OpeningHours] = []
        wrong: dict[str, str] = {}
        for weekday in range(7):
            try:
                week += parse_hours(weekday, self[f"hours_{weekday}"].data or "")
            except ValueError:
                wrong[f"hours_{weekday}"] = "hours_wrong"
        if wrong:
            raise InvalidInput(wrong)
        return tuple(week)

    def special_days(self) -> tuple[SpecialDay, ...]:
        """The dates with hours of their own, as they stand in the form."""
        return tuple(SpecialDay(row.day.data, row.hours.data) for row in self.special.forms)

    def show_special(self, special: Mapping[date, Sequence[Stretch]]) -> None:
        """Fills in what is saved."""
        for day, stretches in special.items():
            self.special.append_entry({"day": day, "hours": tuple((one.opens, one.closes) for one in stretches)})


class ClosureForm(PortalForm):
    """When what is closed, by its own clock; the use case checks the values. Without times, whole days are."""

    resource = NumberField(validators=[Optional()])
    date = DayField(validators=filled())
    start = ClockField(validators=[Optional()])
    end_date = DayField(validators=[Optional()])
    end = ClockField(validators=[Optional()])
    reason = StringField(filters=[strip], validators=at_most(200))

    def closure(self) -> ClosureData:
        """What it says."""
        end = DAY_MINUTES if self.end.data is None else self.end.data
        return ClosureData(
            self.date.data, self.end_date.data, self.start.data or 0, end, self.resource.data, self.reason.data
        )

    def fill(self, resource_id: int | None, interval: Interval, reason: str, zone: ZoneInfo) -> None:
        """Shows a closure."""
        first, begins, last, ends = wall_times(interval, zone)
        self.resource.data, self.reason.data = resource_id, reason
        self.date.data, self.end_date.data = first, last if last != first else None
        if (begins, ends) != WHOLE_DAYS:
            self.start.data, self.end.data = begins, ends


def wall_times(interval: Interval, zone: ZoneInfo) -> tuple[date, int, date, int]:
    """From when to when by that clock: date and minutes, twice. Midnight at the end is the 24:00 of the day before."""
    start, end = interval.start.astimezone(zone), interval.end.astimezone(zone)
    begins, ends = start.hour * 60 + start.minute, end.hour * 60 + end.minute
    if ends:
        return start.date(), begins, end.date(), ends
    return start.date(), begins, end.date() - timedelta(days=1), DAY_MINUTES


def parse_hours(weekday: int, text: str) -> list[OpeningHours]:
    """«9:00–13:00, 14–18» as stretches of that weekday; raises ValueError for what are no hours."""
    return [OpeningHours(weekday, opens, closes) for opens, closes in parse_stretches(text)]


def parse_stretches(text: str) -> list[tuple[int, int]]:
    """The same for any day, in minutes; a stretch that ends at or before its start passes midnight."""
    pairs = [_pair(part.strip()) for part in re.split(r"[,;]", text) if part.strip()]
    for opens, closes in pairs:
        Stretch(opens, closes)
    return pairs


def _pair(text: str) -> tuple[int, int]:
    found = _HOURS.match(text)
    if not found:
        raise ValueError("not hours")
    opens, closes = minutes_of_day(found[1], found[2]), minutes_of_day(found[3], found[4])
    return opens, closes if closes > opens else closes + DAY_MINUTES


def hours_text(stretches: Sequence[Open]) -> str:
    """The same the other way: 9:00–18:00."""
    return ", ".join(f"{clock_text(one.opens)}–{clock_text(one.closes)}" for one in stretches)
