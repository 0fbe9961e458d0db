"""The shape of what the guide's questions send. Each form knows which answers it holds, and changes only those."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from wtforms import BooleanField, StringField

from b24app.booking.guide import GROUPS, LADDERS, USUAL_WAIT, Answers, Group
from b24app.errors import InvalidInput
from b24app.scheduling.policy import Rung
from b24app.web.forms import ClockField, PortalForm, Typed, strip, whole_number
from b24app.web.forms_settings import AmountField, NumbersField


class LinesField(Typed):
    """Names, one in each line."""

    def parse(self, text: str) -> tuple[str, ...]:
        lines = (" ".join(line.split()) for line in text.splitlines())
        return tuple(line for line in lines if line)

    def shown(self, value: tuple[str, ...]) -> str:
        return "\n".join(value)


class WordsField(NumbersField):
    """Several words under one name, as ticks send them."""

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = list(dict.fromkeys(valuelist))


class CountField(Typed):
    """A number out of a select."""

    code = "unknown_choice"

    def parse(self, text: str) -> int:
        return whole_number(text)


class GuideForm(PortalForm):
    """One question."""

    then = StringField(default="")

    def take(self, answers: Answers) -> Answers:
        """The answers with what stands here; raises InvalidInput where that is no answer."""
        self.check_shape()
        return self.into(answers)

    def into(self, answers: Answers) -> Answers:
        """The same, once the shape is right."""
        raise NotImplementedError

    def missing(self, *names: str) -> None:
        """Raises InvalidInput when one of these was left empty."""
        wrong = {name: "required" for name in names if self[name].data is None}
        if wrong:
            raise InvalidInput(wrong)


class WhatForm(GuideForm):
    """What is booked."""

    what = WordsField()
    rooms_names = LinesField()
    rooms_kind = StringField(default="room")
    rentals_names = LinesField()
    rentals_kind = StringField(default="hall")
    appointments_people = NumbersField()

    @classmethod
    def of(cls, answers: Answers) -> WhatForm:
        return cls(
            formdata=None,
            data={
                "what": list(answers.what),
                "rooms_names": answers.rooms.names,
                "rooms_kind": answers.rooms.kind,
                "rentals_names": answers.rentals.names,
                "rentals_kind": answers.rentals.kind,
                "appointments_people": list(answers.appointments.people),
            },
        )

    def into(self, answers: Answers) -> Answers:
        """What is not ticked keeps its names, in case it is ticked again."""
        chosen = tuple(name for name in GROUPS if name in self.what.data)
        changed: dict[str, Any] = {"what": chosen}
        for name in ("rooms", "rentals"):
            if name in chosen and name in answers.what:
                kept = answers.group(name)
                changed[name] = replace(kept, names=self[f"{name}_names"].data or (), kind=self[f"{name}_kind"].data)
        if "appointments" in chosen and "appointments" in answers.what:
            people = tuple(self.appointments_people.data)
            changed["appointments"] = replace(answers.appointments, people=people)
        return replace(answers, **changed)


class WhereForm(GuideForm):
    """Where, and when it is open."""

    city = StringField(filters=[strip])
    address = StringField(filters=[strip])
    time_zone = StringField(filters=[strip])
    weekdays = NumbersField()
    opens = ClockField()
    closes = ClockField()
    holidays = StringField(filters=[strip])

    NAMES = ("city", "address", "time_zone", "weekdays", "opens", "closes", "holidays")

    @classmethod
    def of(cls, answers: Answers) -> WhereForm:
        return cls(formdata=None, data={name: getattr(answers, name) for name in cls.NAMES})

    def into(self, answers: Answers) -> Answers:
        self.missing("opens", "closes")
        values = {name: self[name].data for name in self.NAMES}
        return replace(answers, **values | {"weekdays": tuple(self.weekdays.data or ())})


class UnitForm(GuideForm):
    """How the time of each group is taken."""

    rooms_unit = StringField()
    rooms_minutes = CountField()
    rentals_unit = StringField()
    rentals_minutes = CountField()
    rentals_service = StringField(filters=[strip])
    appointments_unit = StringField()
    appointments_minutes = CountField()
    appointments_service = StringField(filters=[strip])

    @classmethod
    def of(cls, answers: Answers) -> UnitForm:
        data: dict[str, Any] = {}
        for name in GROUPS:
            group = answers.group(name)
            data |= {f"{name}_unit": group.unit, f"{name}_minutes": group.minutes, f"{name}_service": group.service}
        return cls(formdata=None, data=data)

    def into(self, answers: Answers) -> Answers:
        self.missing(*(f"{name}_minutes" for name in answers.what))
        groups: dict[str, Any] = {name: self._group(name, answers.group(name)) for name in answers.what}
        return replace(answers, **groups)

    def _group(self, name: str, kept: Group) -> Group:
        service = self[f"{name}_service"].data if f"{name}_service" in self else ""
        unit = self[f"{name}_unit"].data or kept.unit
        return replace(kept, unit=unit, minutes=self[f"{name}_minutes"].data, service=service or kept.service)


class WinnerForm(GuideForm):
    """Who gets the time. `winner_was`: what the page showed; with another one comes its usual waiting time."""

    winner = StringField()
    winner_was = StringField()
    wait_minutes = CountField()

    @classmethod
    def of(cls, answers: Answers) -> WinnerForm:
        values = {"winner": answers.winner, "winner_was": answers.winner, "wait_minutes": answers.wait_minutes}
        return cls(formdata=None, data=values)

    def into(self, answers: Answers) -> Answers:
        wait = self.wait_minutes.data or answers.wait_minutes
        if self.winner.data != self.winner_was.data:
            wait = USUAL_WAIT.get(self.winner.data, wait)
        return replace(answers, winner=self.winner.data, wait_minutes=wait)


class MoneyForm(GuideForm):
    """Money and cancelling. `cancel_was`: what the page showed; with another one come its steps."""

    money = StringField()
    rentals_price = AmountField()
    appointments_price = AmountField()
    deposit_percent = CountField()
    cancel = StringField()
    cancel_was = StringField()
    hours = NumbersField()
    percent = NumbersField()
    moving = StringField()

    @classmethod
    def of(cls, answers: Answers) -> MoneyForm:
        return cls(
            formdata=None,
            data={
                "money": answers.settled.money,
                "rentals_price": answers.rentals.price,
                "appointments_price": answers.appointments.price,
                "deposit_percent": answers.deposit_percent,
                "cancel": answers.cancel,
                "cancel_was": answers.cancel,
                "hours": [rung.hours for rung in answers.ladder],
                "percent": [rung.percent for rung in answers.ladder],
                "moving": answers.moving,
            },
        )

    def into(self, answers: Answers) -> Answers:
        changed: dict[str, Any] = {
            "cancel": self.cancel.data or answers.cancel,
            "moving": self.moving.data or answers.moving,
            "ladder": self._ladder(answers),
        }
        if self.money.data:
            changed["money"] = self.money.data
        if self.deposit_percent.data:
            changed["deposit_percent"] = self.deposit_percent.data
        for name in ("rentals", "appointments"):
            if name in answers.what and self[f"{name}_price"].raw_data:
                price = self[f"{name}_price"].data or Decimal(0)
                changed[name] = replace(answers.group(name), price=price)
        return replace(answers, **changed)

    def _ladder(self, answers: Answers) -> tuple[Rung, ...]:
        if self.cancel.data != self.cancel_was.data:
            return LADDERS.get(self.cancel.data, ())
        if not self.hours.raw_data:  # the steps were not shown: nothing costs anything
            return answers.ladder
        rungs = [Rung(*pair) for pair in zip(self.hours.data, self.percent.data, strict=False)]
        return tuple(sorted(rungs, key=lambda rung: -rung.hours))


class AccessAsked(GuideForm):
    """Who may see, book, approve and manage."""

    access = StringField()
    managers = NumbersField()

    @classmethod
    def of(cls, answers: Answers) -> AccessAsked:
        return cls(formdata=None, data={"access": answers.access, "managers": list(answers.managers)})

    def into(self, answers: Answers) -> Answers:
        return replace(answers, access=self.access.data, managers=tuple(self.managers.data or ()))


class NoticesForm(GuideForm):
    """Which calendar, which cards, and whom to tell."""

    calendar = BooleanField()
    reminders = NumbersField()
    tell_responsible = BooleanField()
    tell_requester = BooleanField()
    comments = BooleanField()
    deals = StringField(default="link")
    crm = BooleanField()

    @classmethod
    def of(cls, answers: Answers) -> NoticesForm:
        names = ("calendar", "tell_responsible", "tell_requester", "comments", "deals")
        values = {name: getattr(answers, name) for name in names}
        return cls(formdata=None, data=values | {"reminders": list(answers.reminders), "crm": answers.takes_cards})

    def into(self, answers: Answers) -> Answers:
        """Cards follow what is booked until somebody has chosen otherwise."""
        return replace(
            answers,
            calendar=self.calendar.data,
            reminders=tuple(sorted(self.reminders.data or ())),
            tell_responsible=self.tell_responsible.data,
            tell_requester=self.tell_requester.data,
            comments=self.comments.data,
            deals=self.deals.data,
            crm=answers.crm if self.crm.data == answers.takes_cards else self.crm.data,
        )


FORMS: dict[str, Any] = {
    "what": WhatForm,
    "where": WhereForm,
    "unit": UnitForm,
    "winner": WinnerForm,
    "money": MoneyForm,
    "access": AccessAsked,
    "notices": NoticesForm,
}
