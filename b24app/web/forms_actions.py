"""The shape of what is sent from the panel of a booking: reasons, scopes, money."""

from __future__ import annotations

from dataclasses import dataclass, field

from wtforms import HiddenField, StringField, TextAreaField
from wtforms.validators import AnyOf, InputRequired, Optional, Regexp

from b24app.booking.details import Details
from b24app.booking.payments import MoneyData
from b24app.web.forms import DayField, NumberField, PortalForm, RevisionForm, at_most, filled, strip
from b24app.web.forms_settings import AmountField, NumbersField

LONGEST_REASON = 300
SCOPES = ("this", "following", "all")


class ReasonForm(RevisionForm):
    """Something is turned down; the reason is for people and may be left out."""

    reason = StringField(filters=[strip], validators=at_most(LONGEST_REASON))


class CancelForm(ReasonForm):
    """How much of a series is meant; for a single booking it says nothing."""

    scope = StringField(default="this", validators=[Optional(), AnyOf(SCOPES, message="unknown_choice")])


class PinForm(RevisionForm):
    """Whether the booking keeps the very place that it has."""

    pinned = StringField(validators=[AnyOf(("0", "1"), message="forged")])


class DetailsForm(RevisionForm):
    """What is said about a booking; without title and responsible where its card says those."""

    notes = TextAreaField(filters=[strip], validators=at_most(4000))
    participants = NumbersField()
    title = StringField(filters=[strip], validators=at_most(200))
    responsible = NumberField(validators=[Optional()])

    @property
    def named(self) -> dict[str, list[int]]:
        """The people by the field that names them."""
        return {"responsible": [self.responsible.data or 0], "participants": list(self.participants.data or ())}

    def details(self) -> Details:
        """What was typed."""
        return Details(
            self.notes.data or "", frozenset(self.participants.data or ()), self.title.data or "", self.responsible.data
        )


class MoneyForm(PortalForm):
    """Money that was taken or given back. `request_key` is the form's own: sent twice, it is recorded once."""

    amount = AmountField(validators=filled())
    method = StringField(validators=filled())
    on_day = DayField(validators=filled())
    note = StringField(filters=[strip], validators=at_most(500))
    request_key = HiddenField(validators=[InputRequired("forged"), Regexp(r"^[A-Za-z0-9_-]{1,64}$", message="forged")])

    def data_of(self, kind: str) -> MoneyData:
        """What was typed, as a payment or a refund."""
        return MoneyData(
            kind, self.amount.data, self.method.data, self.on_day.data, self.note.data, self.request_key.data
        )


class VoidForm(PortalForm):
    """Which payment or refund does not count any more, and why."""

    record = NumberField(validators=[InputRequired("forged")])
    reason = StringField(filters=[strip], validators=[*filled(), *at_most(500)])


@dataclass(frozen=True, slots=True)
class Asking:
    """A form of the panel that was refused and is shown again: its name, what was typed, what is wrong with it."""

    name: str
    form: PortalForm
    at_field: dict[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """What was typed into a field."""
        return str(self.form[name]._value())
