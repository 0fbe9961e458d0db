"""The shape of what administrators send about resources and closures."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from wtforms import BooleanField, StringField
from wtforms.validators import Optional

from b24app.booking.closures import ClosureData
from b24app.booking.kinds import ICONS, KindData
from b24app.booking.resources import SpecialDay
from b24app.booking.upkeep import Common
from b24app.errors import InvalidInput
from b24app.scheduling.hours import DAY_MINUTES, OpeningHours, Stretch
from b24app.scheduling.interval import Interval
from b24app.web.forms import (
    ClockField,
    DayField,
    NumberField,
    PortalForm,
    RevisionForm,
    Typed,
    at_most,
    clock_text,
    filled,
    minutes_of_day,
    strip,
)
from b24app.web.forms_settings import NumbersField, ResourcesField, Row, Rows, SettingsForm

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


class AttributeRow(Row):
    """Something else that is worth knowing of it."""

    typed = ("name", "text")
    name = StringField(filters=[strip], validators=[*filled(), *at_most(60)])
    text = StringField(filters=[strip], validators=[*filled(), *at_most(300)])


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
    attributes = Rows(AttributeRow)
    pause = HoursField(validators=[Optional()])
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
        return tuple(part for one in week for part in without(one, self.pause.data or ()))

    def special_days(self) -> tuple[SpecialDay, ...]:
        """The dates with hours of their own, as they stand in the form."""
        return tuple(SpecialDay(row.day.data, row.hours.data) for row in self.special.forms)

    def named_attributes(self) -> dict[str, str]:
        """Its attributes; raises InvalidInput for a name that is there twice."""
        rows = self.attributes.forms
        names = [row.name.data.casefold() for row in rows]
        twice = {f"attributes-{n}-name": "duplicate" for n, name in enumerate(names) if name in names[:n]}
        if twice:
            raise InvalidInput(twice)
        return {row.name.data: row.text.data for row in rows}

    def show_attributes(self, attributes: Mapping[str, str]) -> None:
        """Fills in what is saved, by name: the database keeps no order of them."""
        while self.attributes.entries:  # the names alone, which the library took out of the resource
            self.attributes.pop_entry()
        for name, text in sorted(attributes.items(), key=lambda one: one[0].casefold()):
            self.attributes.append_entry({"name": name, "text": text})

    def show_special(self, special: Mapping[date, Sequence[Stretch]]) -> None:
        """Fills in what is saved."""
        for day, stretches in special.items():
            self.special.append_entry({"day": day, "hours": tuple((one.opens, one.closes) for one in stretches)})


class BulkForm(PortalForm):
    """What several resources are to have alike; what is left empty stays as it is with each."""

    ids = NumbersField()
    workdays = HoursField(validators=[Optional()])
    saturday = HoursField(validators=[Optional()])
    sunday = HoursField(validators=[Optional()])
    step_minutes = NumberField(validators=[Optional()])
    buffer_before = NumberField(validators=[Optional()])
    buffer_after = NumberField(validators=[Optional()])
    city = StringField(filters=[strip], validators=at_most(80))
    address = StringField(filters=[strip], validators=at_most(200))
    holidays = StringField(default="")
    archived = StringField(default="")

    NO_HOLIDAYS = "-"

    def common(self) -> Common:
        """What it says."""
        country = {"": None, self.NO_HOLIDAYS: ""}.get(self.holidays.data, self.holidays.data)
        return Common(
            hours=self._hours(),
            step_minutes=self.step_minutes.data,
            buffer_before=self.buffer_before.data,
            buffer_after=self.buffer_after.data,
            city=self.city.data or None,
            address=self.address.data or None,
            holidays=country,
            archived=True if self.archived.data == "yes" else None,
        )

    def _hours(self) -> tuple[OpeningHours, ...] | None:
        """The whole week, once anything of it is said: a day that is left empty is closed then."""
        days = [self.workdays.data or ()] * 5 + [self.saturday.data or (), self.sunday.data or ()]
        return tuple(OpeningHours(day, *pair) for day, pairs in enumerate(days) for pair in pairs) or None


class ListedField(NumbersField):
    """The same in one text with commas between, as a script sends an order."""

    code = "forged"

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata([one for value in valuelist for one in value.split(",")])


class OrderForm(PortalForm):
    """In which order resources are to stand."""

    ids = ListedField()


class UuidsField(NumbersField):
    """Several bookings under one name."""

    code = "forged"

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            self.data = [uuid.UUID(value) for value in valuelist]
        except ValueError:
            self.data = []
            raise ValueError(self.code) from None


class ArchiveForm(RevisionForm):
    """Which bookings of a resource somebody was asked about, and which of them are to be cancelled."""

    seen = UuidsField()
    cancelled = UuidsField()
    reason = StringField(filters=[strip], validators=at_most(200))


class KindForm(SettingsForm):
    """A kind of resources of the company's own; the use case checks the values."""

    one = StringField(filters=[strip], validators=filled())
    many = StringField(filters=[strip])
    icon = StringField(default=ICONS[0])
    for_people = BooleanField()

    def kind(self) -> KindData:
        """What it says."""
        return KindData(self.one.data, self.many.data, self.icon.data or ICONS[0], self.for_people.data)


class ClosureForm(PortalForm):
    """When what is closed, by its own clock; the use case checks the values. Without times, whole days are."""

    resource = NumberField(validators=[Optional()])
    date = DayField(validators=filled())
    start = ClockField(validators=[Optional()])
    end_date = DayField(validators=[Optional()])
    end = ClockField(validators=[Optional()])
    reason = StringField(filters=[strip], validators=at_most(200))
    weekdays = NumbersField()
    until = DayField(validators=[Optional()])
    back = StringField(default="")

    def closure(self) -> ClosureData:
        """What it says."""
        end = DAY_MINUTES if self.end.data is None else self.end.data
        data = ClosureData(
            self.date.data, self.end_date.data, self.start.data or 0, end, self.resource.data, self.reason.data
        )
        if self.until.data is None:
            return data
        return replace(data, end_day=None, weekdays=tuple(sorted(set(self.weekdays.data or ()))), until=self.until.data)

    def fill(self, data: ClosureData) -> None:
        """Shows a closure."""
        self.resource.data, self.reason.data = data.resource_id, data.reason
        self.date.data, self.end_date.data = data.day, data.end_day if data.end_day != data.day else None
        self.weekdays.data, self.until.data = list(data.weekdays), data.until
        if (data.start, data.end) != WHOLE_DAYS:
            self.start.data, self.end.data = data.start, data.end


def wall_times(interval: Interval, zone: ZoneInfo) -> tuple[date, int, date, int]:
    """From when to when by that clock: date and minutes, twice. Midnight at the end is the 24:00 of the day before."""
    start, end = interval.start.astimezone(zone), interval.end.astimezone(zone)
    begins, ends = start.hour * 60 + start.minute, end.hour * 60 + end.minute
    if ends:
        return start.date(), begins, end.date(), ends
    return start.date(), begins, end.date() - timedelta(days=1), DAY_MINUTES


def without(open_: OpeningHours, pauses: Sequence[tuple[int, int]]) -> Iterator[OpeningHours]:
    """What is left of a stretch when these are taken out of it, as lunch is."""
    starts = open_.opens
    for pause, again in sorted(pauses):
        if starts < pause < open_.closes:
            yield OpeningHours(open_.weekday, starts, pause)
        if pause < open_.closes and again > starts:
            starts = max(starts, again)
    if starts < open_.closes:
        yield OpeningHours(open_.weekday, starts, open_.closes)


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
