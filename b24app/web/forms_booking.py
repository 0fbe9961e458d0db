"""The shape of bookings as people ask for them: what, when, for how many, repeated how."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers
from wtforms import Field, Form, HiddenField, StringField, TextAreaField
from wtforms.utils import unset_value
from wtforms.validators import AnyOf, InputRequired, NumberRange, Optional, Regexp, StopValidation, ValidationError

from b24app.errors import InvalidInput
from b24app.scheduling.hours import DAY_MINUTES, UnclearHour, wall_instant
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import LONGEST_MINUTES
from b24app.scheduling.pricing import MOST_PARTY
from b24app.scheduling.recurrence import MOST_OCCURRENCES, Recurrence
from b24app.web.forms import (
    ClockField,
    DayField,
    NumberField,
    PortalForm,
    Typed,
    at_most,
    strip,
    whole_number,
)
from b24app.web.forms_settings import NumbersField

INTENTS = ("policy", "hold", "confirm")
SCOPES = ("this", "following", "all")
REPEATED = ("every", "weekdays", "count", "until", "except_days")
MOST_NUMBERED = 200
USUAL_DATES = 10
_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_RUSSIAN_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class What:
    """What is booked: a resource alone, or a service."""

    resource_id: int | None = None
    service_id: int | None = None


class WhatField(Typed):
    """What is booked: the id of a resource, or "s" and that of a service."""

    code = "not_a_number"

    def parse(self, text: str) -> What:
        number = whole_number(text.removeprefix("s"))
        return What(service_id=number) if text.startswith("s") else What(number)

    def shown(self, value: What) -> str:
        return str(value.resource_id) if value.service_id is None else f"s{value.service_id}"


class Numbered(Field):
    """Whole numbers under names that begin alike, `extras-light`; `data` has them by what follows, empty ones left out.

    `wrong` has a code for each name whose value is none.
    """

    data: Any
    typed: Mapping[str, str]
    wrong: Mapping[str, str]

    def process(self, formdata: Any, data: Any = unset_value, extra_filters: Any = None) -> None:
        prefix = f"{self.name}-"
        names = [name for name in formdata or () if name.startswith(prefix)][:MOST_NUMBERED]
        self.typed = {name.removeprefix(prefix): formdata[name].strip() for name in names}
        self.data, self.wrong = {}, {}
        for key, text in self.typed.items():
            try:
                self.data |= {key: whole_number(text)} if text else {}
            except ValueError:
                self.wrong = {**self.wrong, prefix + key: "not_a_number"}

    def validate(self, form: Form, extra_validators: Any = ()) -> bool:
        return not self.wrong


class DaysField(Field):
    """Some dates: as boxes that were ticked, or typed into one line with commas between."""

    data: Any

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = []
        try:
            self.data = [_day(text) for text in re.split(r"[\s,;]+", " ".join(valuelist)) if text]
        except ValueError:
            raise ValueError("not_a_date") from None
        if len(self.data) > MOST_OCCURRENCES:
            raise ValueError("too_many_dates")

    def _value(self) -> str:
        return ", ".join(self.raw_data or ())


def _day(text: str) -> date:
    """2026-03-12 or 12.03.2026."""
    russian = _RUSSIAN_DAY.fullmatch(text)
    return date(*map(int, russian.groups()[::-1])) if russian else date.fromisoformat(text)


def telephone(_form: Form, field: Field) -> None:
    """A number that could exist; without a country code it is taken for a Russian one."""
    try:
        possible = phonenumbers.is_possible_number(phonenumbers.parse(field.data, "RU"))
    except phonenumbers.NumberParseException:
        possible = False
    if not possible:
        raise ValidationError("phone_wrong")


def client_phone(text: str) -> str:
    """A telephone number as we keep it, +79001234567; `text` has passed `telephone`."""
    if not text:
        return ""
    return phonenumbers.format_number(phonenumbers.parse(text, "RU"), phonenumbers.PhoneNumberFormat.E164)


def _filled(_form: Form, field: Field) -> None:
    """As `forms.filled`, for fields that may have their value from us."""
    if field.data is None and not field.process_errors:
        raise StopValidation("required")


def _unless_fixed(form: Form, field: Field) -> None:
    """An end is asked for only where the length is not settled."""
    if form["minutes"].data is not None:
        field.errors[:] = []
        raise StopValidation


class WhenForm(PortalForm):
    """What and when, by the clock of the place. Without `end_date` it ends on the day it starts.

    `minutes`: the length where it is always the same; then there is no end. `picks`: what was chosen for each
    requirement of a service (`pick-0`). `place`: the resource that was clicked before a service was chosen.
    """

    resource = WhatField(validators=[_filled])
    place = NumberField(validators=[Optional()])
    picks = Numbered(name="pick")
    date = DayField(validators=[_filled])
    start = ClockField(validators=[_filled])
    end = ClockField(validators=[_unless_fixed, _filled])
    end_date = DayField(validators=[Optional()])
    minutes = NumberField(validators=[Optional(), NumberRange(1, LONGEST_MINUTES, "forged")])
    board_day = HiddenField()

    @property
    def what(self) -> What:
        """What was chosen; a resource 0, which is nobody's, when nothing was."""
        return self.resource.data or What(0)

    @property
    def resource_ids(self) -> frozenset[int]:
        """The resources that were picked by hand."""
        return frozenset(self.picks.data.values())

    @property
    def wrong(self) -> dict[str, str]:
        """The first code of every field that is wrong, after `validate`."""
        found: dict[str, str] = {}
        for field in self:
            if isinstance(field, Numbered):
                found |= field.wrong
            elif field.errors:
                found[field.name] = str(field.errors[0])
        return found

    def check_shape(self) -> None:
        """Raises InvalidInput with the first code of every field that is wrong."""
        self.validate()
        if self.wrong:
            raise InvalidInput(self.wrong)

    def interval(self, zone: ZoneInfo) -> Interval:
        """The instants that are meant by the wall clock of `zone`.

        Raises InvalidInput when they are reversed, or when clocks change and there is no such time or there are two.
        """
        days = {"start": self.date.data, "end": self.end_date.data or self.date.data}
        if self.minutes.data is not None:
            del days["end"]
        wrong, at = dict[str, str](), dict[str, datetime]()
        for name, day in days.items():
            try:
                at[name] = wall_instant(day, self[name].data, zone)
            except UnclearHour as unclear:
                wrong[name] = unclear.code
        if wrong:
            raise InvalidInput(wrong)
        end = at.get("end") or at["start"] + timedelta(minutes=self.minutes.data)
        if end <= at["start"]:
            raise InvalidInput({"end": "end_before_start"})
        return Interval(at["start"], end)

    @property
    def typed_minutes(self) -> int | None:
        """The length that stands in the form, by the clock; None where that is not known."""
        if self.minutes.data is not None:
            return int(self.minutes.data)
        if self.start.data is None or self.end.data is None:
            return None
        days = (self.end_date.data - self.date.data).days if self.end_date.data and self.date.data else 0
        return max(0, days * DAY_MINUTES + self.end.data - self.start.data) or None

    def put(self, **values: Any) -> None:
        """Shows these values, whatever was sent."""
        for name, value in values.items():
            self[name].raw_data, self[name].data, self[name].process_errors = None, value, []

    def put_length(self, minutes: int) -> None:
        """Shows the end of so many minutes from the start, which is known."""
        days, end = divmod(self.start.data + minutes, DAY_MINUTES)
        self.put(end=end, end_date=self.date.data + timedelta(days=days) if days and self.date.data else None)

    def fill(self, interval: Interval, zone: ZoneInfo) -> None:
        """Shows this time."""
        start, end = interval.start.astimezone(zone), interval.end.astimezone(zone)
        self.put(
            date=start.date(),
            start=start.hour * 60 + start.minute,
            end=end.hour * 60 + end.minute,
            end_date=end.date() if end.date() != start.date() else None,
        )


class WishForm(WhenForm):
    """Everything that decides whether a booking is possible and what it costs.

    `unit`: one of a pool's places, picked by hand. `proposed`: the time that we put in, as long as it stands there
    another thing that is chosen gets a proposal of its own.
    """

    party = NumberField(validators=[Optional(), NumberRange(1, MOST_PARTY, "out_of_range")])
    group = StringField(filters=[strip], validators=at_most(120))
    extras = Numbered()
    unit = NumberField(validators=[Optional()])
    proposed = HiddenField()
    deal_id = NumberField(validators=[Optional()])
    contact_id = NumberField(validators=[Optional()])
    company_id = NumberField(validators=[Optional()])
    freq = StringField()
    every = NumberField(validators=[Optional()], default=1)
    weekdays = NumbersField(default=())
    count = NumberField(validators=[Optional()])
    until = DayField(validators=[Optional()])
    except_days = DaysField(default=())

    @property
    def wrong(self) -> dict[str, str]:
        found = super().wrong
        return found if self.freq.data else {name: code for name, code in found.items() if name not in REPEATED}

    @property
    def stamp(self) -> str:
        """The start that stands in the form, as `proposed` keeps it."""
        return f"{self.date.data} {self.start.data}"

    def propose_repetition(self, sent: Container[str]) -> None:
        """Where a repetition was only just asked for (its fields were not `sent`), what is usual."""
        if not self.freq.data:
            return
        if "count" not in sent:
            self.put(every=1, count=USUAL_DATES)
        if self.freq.data == "weekly" and not self.weekdays.data and self.date.data:
            self.put(weekdays=[self.date.data.weekday()])

    @property
    def recurrence(self) -> Recurrence | None:
        """How it is to be repeated, if at all."""
        if not self.freq.data:
            return None
        return Recurrence(
            freq=self.freq.data,
            every=1 if self.every.data is None else self.every.data,
            weekdays=tuple(self.weekdays.data or ()) if self.freq.data == "weekly" else (),
            count=self.count.data,
            until=self.until.data,
            except_days=frozenset(self.except_days.data or ()),
        )

    def wanted(self) -> dict[str, Any]:
        """What a `booking.reserve.BookingRequest` takes of it."""
        return {
            "resource_id": self.what.resource_id,
            "service_id": self.what.service_id,
            "resource_ids": self.resource_ids,
            "unit_ids": frozenset({self.unit.data} - {None}),
            "party": self.party.data or 1,
            "group": self.group.data or "",
            "extras": {code: number for code, number in self.extras.data.items() if number},
        }


class BookingForm(WishForm):
    """A new booking, or a series of them. `days`: the dates of the preview that were left ticked."""

    request_key = HiddenField(validators=[InputRequired("forged"), Regexp(r"^[A-Za-z0-9_-]{1,64}$", message="forged")])
    intent = StringField(default="policy", validators=[Optional(), AnyOf(INTENTS, "forged")])
    title = StringField(filters=[strip], validators=at_most(200))
    notes = TextAreaField(filters=[strip], validators=at_most(4000))
    client_name = StringField(filters=[strip], validators=at_most(120))
    client_phone = StringField(filters=[strip], validators=[Optional(), *at_most(40), telephone])
    client_email = StringField(
        filters=[strip], validators=[Optional(), *at_most(120), Regexp(_EMAIL, message="email_wrong")]
    )
    responsible = NumberField(validators=[Optional()])
    participants = NumbersField()
    days = DaysField(default=())

    def validate_client_name(self, field: Field) -> None:
        if not field.data and (self.client_phone.data or self.client_email.data):
            raise ValidationError("required")

    def wanted(self) -> dict[str, Any]:
        about = {name: self[name].data for name in ("title", "notes", "request_key")}
        return {
            **super().wanted(),
            **about,
            "responsible_id": self.responsible.data,
            "participants": frozenset(self.participants.data or ()),
            "intent": self.intent.data or "policy",
        }


class MoveForm(WhenForm):
    """Another time or place for a booking. `scope`: of a series, which of its bookings."""

    revision = NumberField(validators=[InputRequired("forged")])
    scope = StringField(default="this", validators=[Optional(), AnyOf(SCOPES, "forged")])
