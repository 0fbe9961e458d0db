"""The shape of what administrators send: services, tariffs, rules, access.

Rows repeat as `rules-0-price`, `rules-1-price`. One in which nothing was typed is no row, so each form ends with some
empty ones, and adding needs no script.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from wtforms import BooleanField, Field, FieldList, Form, FormField, HiddenField, StringField
from wtforms.utils import unset_value
from wtforms.validators import Optional, StopValidation

from b24app.booking.policies import make_policy
from b24app.errors import InvalidInput
from b24app.ledger.access import GrantRule
from b24app.ledger.catalog import Need
from b24app.scheduling.hours import DAY_MINUTES
from b24app.scheduling.policy import Policy, Quota, Rung
from b24app.scheduling.pricing import WEEK, Extra, PriceRule, Tariff
from b24app.web.forms import ClockField, NumberField, PortalForm, Typed, at_most, filled, strip

EMPTY_ROWS = 2
MINUTES_OF = {"minutes": 1, "hours": 60, "days": DAY_MINUTES}
_AMOUNT = re.compile(r"-?[0-9]{1,15}(?:[.,][0-9]{1,6})?")
_SEASON = re.compile(r"(\d{1,2})\.(\d{1,2})\s*[-–—]\s*(\d{1,2})\.(\d{1,2})", re.ASCII)
_ROW = re.compile(r"[0-9]{1,4}")


class AmountField(Typed):
    """Money: 1500, 1 500,50."""

    code = "not_an_amount"

    def parse(self, text: str) -> Decimal:
        bare = re.sub(r"\s", "", text)
        if not _AMOUNT.fullmatch(bare):
            raise ValueError(self.code)
        return Decimal(bare.replace(",", "."))

    def shown(self, value: Decimal) -> str:
        return f"{value:f}"


class SeasonField(Typed):
    """From which to which day of every year: 01.06–31.08."""

    code = "season_wrong"

    def parse(self, text: str) -> tuple[tuple[int, int], tuple[int, int]]:
        found = _SEASON.fullmatch(text)
        if not found:
            raise ValueError(self.code)
        first_day, first_month, last_day, last_month = map(int, found.groups())
        for month, day in ((first_month, first_day), (last_month, last_day)):
            date(2024, month, day)  # raises ValueError; a leap year, since a season may end on 29 February
        return (first_month, first_day), (last_month, last_day)

    def shown(self, value: tuple[tuple[int, int], tuple[int, int]]) -> str:
        return "–".join(f"{day:02}.{month:02}" for month, day in value)


class TermField(NumberField):
    """A length of time in minutes, typed in the unit that a field beside it names (`notice_minutes-unit`)."""

    unit = "minutes"

    def process(self, formdata: Any, data: Any = unset_value, extra_filters: Any = None) -> None:
        self.unit = "minutes"
        if formdata is not None and formdata.get(f"{self.name}-unit") in MINUTES_OF:
            self.unit = formdata[f"{self.name}-unit"]
        super().process(formdata, data, extra_filters)
        if formdata is None and self.data:
            self.unit = next(u for u in reversed(MINUTES_OF) if self.data % MINUTES_OF[u] == 0)

    def parse(self, text: str) -> int:
        return int(super().parse(text)) * MINUTES_OF[self.unit]

    def shown(self, value: int) -> str:
        return str(value // MINUTES_OF[self.unit])


class NumbersField(Field):
    """Several whole numbers under one name, in the order in which they were sent; empty ones are left out."""

    code = "unknown_choice"
    data: Any

    def process_formdata(self, valuelist: list[str]) -> None:
        sent = [value.strip() for value in valuelist if value.strip()]
        if not all(value.isascii() and value.isdigit() and len(value) < 16 for value in sent):
            self.data = []
            raise ValueError(self.code)
        self.data = [int(value) for value in sent]


class ResourcesField(NumbersField):
    """Resources, the one that is asked first in front."""

    code = "unknown_resource"


class Row(Form):
    """One of several. What stands in none of the `typed` fields does not make it a row."""

    typed: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not any(value.strip() for name in self.typed for value in self[name].raw_data or () if value)


class Rows(FieldList):
    """Rows of one kind: those that were sent and are not empty, numbered without gaps."""

    def __init__(self, row: type[Row], **options: Any) -> None:
        super().__init__(FormField(row), **options)

    def process(self, formdata: Any, data: Any = unset_value, extra_filters: Any = None) -> None:
        super().process(formdata, data, extra_filters)
        if formdata:
            for n in reversed(range(len(self.entries))):
                if self.entries[n].form.is_empty:
                    self.pop_entry(n)

    def _extract_indices(self, prefix: str, formdata: Iterable[str]) -> Iterator[int]:
        """Which rows were sent. The library takes "²" for a number and fails."""
        for name in formdata:
            if name.startswith(f"{prefix}-"):
                number = name[len(prefix) + 1 :].split("-", 1)[0]
                if _ROW.fullmatch(number):
                    yield int(number)

    @property
    def forms(self) -> list[Any]:
        return [entry.form for entry in self.entries]


class SettingsForm(PortalForm):
    """A form whose fields may be rows."""

    revision = NumberField(validators=[Optional()])

    def check_shape(self) -> None:
        """Raises InvalidInput with the first code of every field that is wrong, those of rows too."""
        if not self.validate():
            raise InvalidInput(dict(_wrong(self)))

    def add_empty_rows(self) -> None:
        """Ends each list of rows with some to fill in."""
        for field in self:
            if isinstance(field, Rows):
                for _ in range(EMPTY_ROWS):
                    field.append_entry()


def _wrong(fields: Iterable[Field]) -> Iterator[tuple[str, str]]:
    for field in fields:
        if isinstance(field, Rows):
            for form in field.forms:
                yield from _wrong(form)
        elif field.errors:
            yield field.name, str(field.errors[0])


def _asked_when(choice: str, *values: str) -> Callable[[Form, Field], None]:
    """A validator: needed when another field has one of these values, and of no interest otherwise."""

    def check(form: Form, field: Field) -> None:
        if form[choice].data not in values:
            field.errors[:] = []
            raise StopValidation
        if field.data is None:
            raise StopValidation("required")

    return check


class NeedRow(Row):
    """What a service requires: any of a kind, or one of some resources."""

    typed = ("kind", "options")
    kind = StringField()
    options = ResourcesField()
    quantity = NumberField(validators=filled(), default=1)

    def need(self) -> Need:
        return Need(self.kind.data or None, tuple(self.options.data), self.quantity.data)


class ServiceForm(SettingsForm):
    """A service. `mode`: whole slots, any length between two, or always the same."""

    name = StringField(filters=[strip], validators=[*filled(), *at_most(120)])
    mode = StringField(default="fixed")
    slot_minutes = NumberField(validators=[_asked_when("mode", "slot")], default=60)
    most_slots = NumberField(validators=[_asked_when("mode", "slot")], default=4)
    min_minutes = NumberField(validators=[_asked_when("mode", "free")], default=30)
    max_minutes = NumberField(validators=[_asked_when("mode", "free")], default=240)
    minutes = NumberField(validators=[_asked_when("mode", "fixed")], default=60)
    step_minutes = NumberField(validators=[_asked_when("mode", "free", "fixed")], default=30)
    horizon_days = NumberField(validators=filled(), default=90)
    buffer_before = NumberField(validators=filled(), default=0)
    buffer_after = NumberField(validators=filled(), default=0)
    policy_id = NumberField(validators=[Optional()])
    tariff_id = NumberField(validators=[Optional()])
    preference = StringField(default="order")
    sort = NumberField(validators=filled(), default=0)
    requirements = Rows(NeedRow)


class RuleRow(Row):
    """A price for some days and hours."""

    typed = ("price", "weekdays", "from_minute", "until_minute", "season", "group")
    weekdays = NumbersField()
    from_minute = ClockField(validators=[Optional()])
    until_minute = ClockField(validators=[Optional()])
    season = SeasonField(validators=[Optional()])
    group = StringField(filters=[strip], validators=at_most(120))
    price = AmountField(validators=filled())

    def rule(self) -> PriceRule:
        return PriceRule(
            self.price.data,
            frozenset(self.weekdays.data) or WEEK,
            self.from_minute.data or 0,
            DAY_MINUTES if self.until_minute.data is None else self.until_minute.data,
            self.season.data,
            self.group.data,
        )


class ExtraRow(Row):
    """Something ordered with it. `code` names it in bookings and stays when it is renamed."""

    typed = ("name", "price")
    code = HiddenField(filters=[strip], validators=at_most(120))
    name = StringField(filters=[strip], validators=[*filled(), *at_most(120)])
    price = AmountField(validators=filled())
    per = StringField(default="booking")


class TariffForm(SettingsForm):
    """A tariff."""

    name = StringField(filters=[strip], validators=[*filled(), *at_most(120)])
    basis = StringField(default="hour")
    price = AmountField(validators=[Optional()])
    slot_minutes = NumberField(validators=[_asked_when("basis", "slot")], default=60)
    deposit_percent = NumberField(validators=filled(), default=100)
    rounding = StringField(default="0.01")
    rules = Rows(RuleRow)
    extras = Rows(ExtraRow)

    def tariff(self) -> Tariff:
        return Tariff(
            self.name.data,
            self.basis.data,
            self.price.data,
            tuple(row.rule() for row in self.rules.forms),
            self._extras(),
            self.deposit_percent.data,
            _step(self.rounding.data),
            self.slot_minutes.data if self.basis.data == "slot" else 60,
        )

    def _extras(self) -> tuple[Extra, ...]:
        """Those that are new get a code that no other has."""
        used = {row.code.data for row in self.extras.forms}
        free = (code for n in range(1, len(used) + len(self.extras.forms) + 1) if (code := f"e{n}") not in used)
        return tuple(
            Extra(row.code.data or next(free), row.name.data, row.price.data, row.per.data) for row in self.extras.forms
        )


def _step(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise InvalidInput({"rounding": "unknown_choice"}) from None


class RungRow(Row):
    """One step of a ladder of fees."""

    typed = ("hours", "percent")
    hours = NumberField(validators=filled())
    percent = NumberField(validators=filled())

    def rung(self) -> Rung:
        return Rung(self.hours.data, self.percent.data)


class QuotaRow(Row):
    """How much somebody may book. `unit` may be hours as well."""

    typed = ("limit",)
    per = StringField(default="client")
    limit = NumberField(validators=filled())
    unit = StringField(default="bookings")
    period = StringField(default="week")

    def quota(self) -> Quota:
        if self.unit.data == "hours":
            return Quota(self.per.data, self.period.data, self.limit.data * 60, "minutes")
        return Quota(self.per.data, self.period.data, self.limit.data, self.unit.data)


PLAIN_RULES = (
    "name", "winner", "approval_minutes", "pay_minutes", "notice_minutes", "cancel_until_minutes", "move_until_minutes",
    "most_moves", "no_show_percent", "after_end",
)  # fmt: skip


class PolicyForm(SettingsForm):
    """Rules under a name; its fields are those of `scheduling.policy.Policy`."""

    name = StringField(filters=[strip], validators=[*filled(), *at_most(120)])
    is_default = BooleanField()
    winner = StringField(default="first")
    hold_minutes = TermField(validators=[_asked_when("winner", "first")], default=0)
    decide_minutes = TermField(validators=[_asked_when("winner", "payment", "manager")], default=DAY_MINUTES)
    approval_minutes = TermField(validators=filled(), default=DAY_MINUTES)
    pay_minutes = TermField(validators=filled(), default=0)
    notice_minutes = TermField(validators=filled(), default=0)
    cancel_until_minutes = TermField(validators=filled(), default=0)
    move_until_minutes = TermField(validators=filled(), default=0)
    most_moves = NumberField(validators=[Optional()])
    cancel_ladder = Rows(RungRow)
    move_ladder = Rows(RungRow)
    no_show_percent = NumberField(validators=filled(), default=0)
    after_end = StringField(default="completed")
    quotas = Rows(QuotaRow)

    def policy(self) -> Policy:
        values = {name: self[name].data for name in PLAIN_RULES}
        asked = "hold_minutes" if self.winner.data == "first" else "decide_minutes"
        if self[asked].data is not None:
            values[asked] = self[asked].data
        return make_policy(
            **values,
            cancel_ladder=tuple(row.rung() for row in self.cancel_ladder.forms),
            move_ladder=tuple(row.rung() for row in self.move_ladder.forms),
            quotas=tuple(row.quota() for row in self.quotas.forms),
        )


class GrantRow(Row):
    """What somebody may do; a row without a person is none."""

    typed = ("code",)
    scope = StringField(default="everything")
    code = StringField(filters=[strip])
    right = StringField(default="book")

    def grant(self) -> GrantRule:
        return GrantRule(self.scope.data, self.code.data.upper(), self.right.data)


class AccessForm(SettingsForm):
    """All grants."""

    revision = NumberField(validators=filled())
    grants = Rows(GrantRow)


class CurrencyForm(PortalForm):
    """The currency of the portal."""

    currency = StringField()
