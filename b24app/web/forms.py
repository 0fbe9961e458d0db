"""The shape of what people send. A validator's message is a code that `texts` turns into words.

No CSRF token: nothing under /app/ is answered without our bearer in a header, and a foreign page cannot send that.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from b24app.errors import InvalidInput
from b24app.scheduling.hours import DAY_MINUTES

FIRST_YEAR, LAST_YEAR = 2000, 2100
LARGEST_NUMBER = 2**53
_CLOCK = re.compile(r"^(\d{1,2})(?:[:.]?(\d{2}))?$")


class PortalForm(FlaskForm):
    """A form of a frame."""

    class Meta:
        csrf = False

    def check_shape(self) -> None:
        """Raises InvalidInput with the first code of every field that is wrong."""
        if not self.validate():
            raise InvalidInput({name: str(codes[0]) for name, codes in self.errors.items() if name and codes})


class Typed(StringField):
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


class DayField(Typed):
    """A date, as <input type=date> sends it."""

    code = "not_a_date"

    def parse(self, text: str) -> date:
        day = date.fromisoformat(text)
        if not FIRST_YEAR < day.year < LAST_YEAR:
            raise ValueError(self.code)
        return day


class ClockField(Typed):
    """A time of day in whole minutes: 9:30, 09.30 or 9; 24:00 is the midnight that ends the day."""

    code = "not_a_time"

    def parse(self, text: str) -> int:
        found = _CLOCK.match(text)
        if not found:
            raise ValueError(self.code)
        return minutes_of_day(found[1], found[2])

    def shown(self, value: int) -> str:
        return clock_text(value)


def whole_number(text: str) -> int:
    """The number that a text is; raises ValueError for what is none, or none that the database can hold."""
    number = int(text)
    if abs(number) > LARGEST_NUMBER:
        raise ValueError("too large")
    return number


class NumberField(Typed):
    """A whole number that the database can hold."""

    code = "not_a_number"

    def parse(self, text: str) -> int:
        return whole_number(text)


def filled() -> list[Any]:
    return [InputRequired("required")]


def at_most(longest: int) -> list[Any]:
    return [Length(max=longest, message="too_many_characters")]


def strip(value: str | None) -> str:
    # PostgreSQL keeps no NUL; nobody types one.
    return (value or "").replace("\x00", "").strip()


class RevisionForm(PortalForm):
    """Which state of something the person was looking at."""

    revision = NumberField(validators=[InputRequired("forged")])


def minutes_of_day(hour: str, minute: str | None) -> int:
    """What a clock shows as minutes after midnight; raises ValueError when none shows that."""
    minutes = int(hour) * 60 + int(minute or 0)
    if int(minute or 0) > 59 or minutes > DAY_MINUTES:
        raise ValueError("no time of day")
    return minutes


def clock_text(minutes: int) -> str:
    """The same the other way: 9:00; the midnight that ends the day is 24:00."""
    shown = minutes if minutes == DAY_MINUTES else minutes % DAY_MINUTES
    return f"{shown // 60}:{shown % 60:02}"
