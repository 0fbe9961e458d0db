"""The shape of what people send. A validator's message is a code that `texts` turns into words.

No CSRF token: nothing under /app/ is answered without our bearer in a header, and a foreign page cannot send that.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers
from flask_wtf import FlaskForm
from wtforms import Field, Form, HiddenField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, Regexp, ValidationError

from b24app.errors import InvalidInput
from b24app.scheduling.hours import DAY_MINUTES, OpeningHours, local_instant
from b24app.scheduling.interval import Interval

FIRST_YEAR, LAST_YEAR = 2000, 2100
LARGEST_NUMBER = 2**53
_CLOCK = re.compile(r"^(\d{1,2})(?:[:.]?(\d{2}))?$")
_HOURS = re.compile(r"^(\d{1,2})(?:[:.](\d{2}))?\s*[-–—]\s*(\d{1,2})(?:[:.](\d{2}))?$")
_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"


class PortalForm(FlaskForm):
    """A form of a frame."""

    class Meta:
        csrf = False

    def check_shape(self) -> None:
        """Raises InvalidInput with the first code of every field that is wrong."""
        if not self.validate():
            raise InvalidInput({name: str(codes[0]) for name, codes in self.errors.items() if name and codes})


class _Typed(StringField):
    """A text that becomes a value; what was typed is shown again when it does not."""

    code = ""
    data: Any

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = None
        if valuelist and valuelist[0].strip():
            try:
                self.data = self.parse(valuelist[0].strip())
            except ValueError:
                raise ValueError(self.code) from None

    def parse(self, text: str) -> Any:
        """What the text means; raises ValueError when it means nothing."""
        return text

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else self.shown(self.data)

    def shown(self, value: Any) -> str:
        return str(value)


class DayField(_Typed):
    """A date, as <input type=date> sends it."""

    code = "not_a_date"

    def parse(self, text: str) -> date:
        day = date.fromisoformat(text)
        if not FIRST_YEAR < day.year < LAST_YEAR:
            raise ValueError(self.code)
        return day


class ClockField(_Typed):
    """A time of day in whole minutes: 9:30, 09.30 or 9; 24:00 is the midnight that ends the day."""

    code = "not_a_time"

    def parse(self, text: str) -> int:
        found = _CLOCK.match(text)
        if not found:
            raise ValueError(self.code)
        return _minutes(found[1], found[2])

    def shown(self, value: int) -> str:
        return _clock(value)


class NumberField(_Typed):
    """A whole number that the database can hold."""

    code = "not_a_number"

    def parse(self, text: str) -> int:
        number = int(text)
        if abs(number) > LARGEST_NUMBER:
            raise ValueError(self.code)
        return number


def _filled() -> list[Any]:
    return [InputRequired("required")]


def _text(longest: int) -> list[Any]:
    return [Length(max=longest, message="too_many_characters")]


def _strip(value: str | None) -> str:
    # PostgreSQL keeps no NUL; nobody types one.
    return (value or "").replace("\x00", "").strip()


def telephone(_form: Form, field: Field) -> None:
    """A number that could exist; without a country code it is taken for a Russian one."""
    try:
        possible = phonenumbers.is_possible_number(phonenumbers.parse(field.data, "RU"))
    except phonenumbers.NumberParseException:
        possible = False
    if not possible:
        raise ValidationError("phone_wrong")


class WhenForm(PortalForm):
    """Which resource and when, by the resource's own clock. Without `end_date` it ends on the day it starts."""

    resource = NumberField(validators=_filled())
    date = DayField(validators=_filled())
    start = ClockField(validators=_filled())
    end = ClockField(validators=_filled())
    end_date = DayField(validators=[Optional()])
    board_day = HiddenField()

    @property
    def resource_id(self) -> int:
        """Which resource was chosen; 0, which is nobody's, when none was."""
        return self.resource.data or 0

    def interval(self, zone: ZoneInfo) -> Interval:
        """The instants that are meant by the wall clock of `zone`; raises InvalidInput when they are reversed."""
        begin = local_instant(self.date.data, self.start.data, zone)
        finish = local_instant(self.end_date.data or self.date.data, self.end.data, zone)
        if finish <= begin:
            raise InvalidInput({"end": "end_before_start"})
        return Interval(begin, finish)

    def fill(self, resource_id: int, interval: Interval, zone: ZoneInfo) -> None:
        """Shows this time of this resource."""
        start, end = interval.start.astimezone(zone), interval.end.astimezone(zone)
        self.resource.data, self.date.data = resource_id, start.date()
        self.start.data, self.end.data = start.hour * 60 + start.minute, end.hour * 60 + end.minute
        self.end_date.data = end.date() if end.date() != start.date() else None


class BookingForm(WhenForm):
    """A new booking."""

    request_key = HiddenField(validators=[InputRequired("forged"), Regexp(r"^[A-Za-z0-9_-]{1,64}$", message="forged")])
    title = StringField(filters=[_strip], validators=_text(200))
    notes = TextAreaField(filters=[_strip], validators=_text(4000))
    client_name = StringField(filters=[_strip], validators=_text(120))
    client_phone = StringField(filters=[_strip], validators=[Optional(), *_text(40), telephone])
    client_email = StringField(
        filters=[_strip], validators=[Optional(), *_text(120), Regexp(_EMAIL, message="email_wrong")]
    )
    responsible = NumberField(validators=[Optional()])
    deal_id = NumberField(validators=[Optional()])
    contact_id = NumberField(validators=[Optional()])
    company_id = NumberField(validators=[Optional()])

    def validate_client_name(self, field: Field) -> None:
        if not field.data and (self.client_phone.data or self.client_email.data):
            raise ValidationError("required")


class MoveForm(WhenForm):
    """Another time or resource for a booking."""

    revision = NumberField(validators=[InputRequired("forged")])


class RevisionForm(PortalForm):
    """Which state of something the person was looking at."""

    revision = NumberField(validators=[InputRequired("forged")])


class ResourceForm(PortalForm):
    """Everything about a resource; the use case checks the values."""

    kind = StringField(validators=_filled())
    name = StringField(filters=[_strip], validators=[*_filled(), *_text(120)])
    city = StringField(filters=[_strip], validators=_text(80))
    address = StringField(filters=[_strip], validators=_text(200))
    capacity = NumberField(validators=_filled(), default=1)
    time_zone = StringField(validators=_filled())
    step_minutes = NumberField(validators=_filled(), default=30)
    min_minutes = NumberField(validators=_filled(), default=30)
    max_minutes = NumberField(validators=_filled(), default=480)
    horizon_days = NumberField(validators=_filled(), default=365)
    portal_user_id = NumberField(validators=[Optional()])
    calendar_mode = StringField(default="default")
    revision = NumberField(validators=[Optional()])
    hours_0 = StringField(filters=[_strip], validators=_text(100))
    hours_1 = StringField(filters=[_strip], validators=_text(100))
    hours_2 = StringField(filters=[_strip], validators=_text(100))
    hours_3 = StringField(filters=[_strip], validators=_text(100))
    hours_4 = StringField(filters=[_strip], validators=_text(100))
    hours_5 = StringField(filters=[_strip], validators=_text(100))
    hours_6 = StringField(filters=[_strip], validators=_text(100))

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


def parse_hours(weekday: int, text: str) -> list[OpeningHours]:
    """«9:00–13:00, 14–18» as stretches of that day; one that ends at or before its start passes midnight."""
    return [_stretch(weekday, part.strip()) for part in re.split(r"[,;]", text) if part.strip()]


def _stretch(weekday: int, text: str) -> OpeningHours:
    found = _HOURS.match(text)
    if not found:
        raise ValueError("not hours")
    opens, closes = _minutes(found[1], found[2]), _minutes(found[3], found[4])
    return OpeningHours(weekday, opens, closes if closes > opens else closes + DAY_MINUTES)


def _minutes(hour: str, minute: str | None) -> int:
    minutes = int(hour) * 60 + int(minute or 0)
    if int(minute or 0) > 59 or minutes > DAY_MINUTES:
        raise ValueError("no time of day")
    return minutes


def hours_text(stretches: list[OpeningHours]) -> str:
    """The same the other way: 9:00–18:00."""
    return ", ".join(f"{_clock(one.opens)}–{_clock(one.closes)}" for one in stretches)


def _clock(minutes: int) -> str:
    shown = minutes if minutes == DAY_MINUTES else minutes % DAY_MINUTES
    return f"{shown // 60}:{shown % 60:02}"


def client_phone(text: str) -> str:
    """A telephone number as we keep it, +79001234567; `text` has passed `telephone`."""
    if not text:
        return ""
    return phonenumbers.format_number(phonenumbers.parse(text, "RU"), phonenumbers.PhoneNumberFormat.E164)
