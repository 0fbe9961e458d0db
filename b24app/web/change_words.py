"""What is set up, in words: fields by the names that forms give them, values as people read them.

For changes that were made and for those that are going to be. Rows of the log were written by this version or an older
one, and a file by another portal, so nothing here relies on a key being there or on its value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from b24app import texts
from b24app.booking.configuration import FieldChange, Step
from b24app.booking.plain import made
from b24app.ledger import changes, tenancy
from b24app.ledger.models import Portal
from b24app.ledger.session import Session
from b24app.messages import MESSAGES, N_
from b24app.scheduling.hours import OpeningHours
from b24app.web import kinds
from b24app.web.resources_page import week_text

SUBJECTS = {
    "resource": N_("Resource"),
    "service": N_("Service"),
    "policy": N_("Rules"),
    "default": N_("Default rules"),
    "tariff": N_("Tariff"),
    "closure": N_("Closure"),
    "kind": N_("Kind of resources"),
    "access": N_("Access"),
    "settings": N_("Portal"),
    "deal": N_("Deals"),
    "currency": N_("Currency of all prices"),
    "look": N_("Looked as somebody else"),
    "absence": N_("Absence"),
}
ACTIONS = {
    "added": N_("added"),
    "changed": N_("altered"),
    "archived": N_("archived"),
    "restored": N_("offered again"),
    "removed": N_("removed"),
}
FIELDS = {
    "access": N_("Access"),
    "address": N_("Address"),
    "after_end": N_("When its time is over, a booking without a check-in"),
    "approval_minutes": N_("A request waits for"),
    "archived": N_("archived"),
    "attributes": N_("What else is said of it"),
    "basis": N_("The price is"),
    "buffer_after": N_("Cleaning after, minutes"),
    "buffer_before": N_("Preparation before, minutes"),
    "calendar_mode": N_("In the calendar"),
    "calendar_owner": N_("Number of the workgroup"),
    "calendar_section": N_("Calendar"),
    "cancel_ladder": N_("What cancelling costs"),
    "cancel_until_minutes": N_("Cancel before the start at least"),
    "capacity": N_("Places"),
    "category_id": N_("Funnel of new deals"),
    "city": N_("City"),
    "client_in_own": N_("Clients in specialists’ own calendars"),
    "client_in_shared": N_("Clients in shared calendars"),
    "comments": N_("Changes in the card’s timeline"),
    "currency": N_("Currency of all prices"),
    "day": N_("Date"),
    "deal": N_("Deals"),
    "decide_minutes": N_("A request waits for"),
    "deposit_percent": N_("In advance, percent of the price"),
    "end": N_("Until"),
    "end_day": N_("Last day"),
    "escalate_hours": N_("A request without an answer is told to the next approvers after so many hours"),
    "event_deleted": N_("A deleted event"),
    "event_participants": N_("Participants are invited to events"),
    "extras": N_("Extras"),
    "hold_minutes": N_("Held for"),
    "holidays": N_("Public holidays"),
    "horizon_days": N_("Open for, days ahead"),
    "hours": N_("Opening hours"),
    "icon": N_("Picture"),
    "is_default": N_("For every resource and service without rules of its own"),
    "kind": N_("Kind"),
    "many": N_("What several are called"),
    "max_minutes": N_("Longest booking, minutes"),
    "min_minutes": N_("Shortest booking, minutes"),
    "mode": N_("Deals"),
    "most_moves": N_("How often at most"),
    "move_ladder": N_("What moving costs"),
    "move_until_minutes": N_("Move before the start at least"),
    "name": N_("Name"),
    "no_show_percent": N_("Who does not come pays, percent of the price"),
    "notice_minutes": N_("Book before the start at least"),
    "notify_requester": N_("Whoever made the booking is told"),
    "notify_responsible": N_("The person responsible is told"),
    "obey_business": N_("Specialists’ other business is obeyed"),
    "one": N_("Name"),
    "parts": N_("Made of other resources"),
    "pay_minutes": N_("To be paid within"),
    "policy": N_("Rules"),
    "portal_user_id": N_("Employee"),
    "preference": N_("Of several that are free, take"),
    "price": N_("Price"),
    "products": N_("Put the price into a new deal as its products"),
    "quotas": N_("How much anybody may book"),
    "reason": N_("Why"),
    "remind_minutes": N_("Reminders before the start"),
    "requirements": N_("What it requires"),
    "resource": N_("Resource"),
    "rounding": N_("Round the price to"),
    "rules": N_("Other prices"),
    "slot_minutes": N_("One period, minutes"),
    "sort": N_("Place in the list"),
    "special": N_("Special dates: hours instead of those of the week"),
    "stage_paid": N_("A card dragged to Paid"),
    "stages": N_("Where the deal goes with its booking"),
    "start": N_("From"),
    "stand_in": N_("Stands in"),
    "step_minutes": N_("May start every, minutes"),
    "tariff": N_("Tariff"),
    "time_zone": N_("Time zone"),
    "units": N_("Equal places"),
    "until": N_("Until"),
    "weekdays": N_("Days of the week"),
    "winner": N_("Two want the same time. Who gets it?"),
}
# Where a field is an id in the log, and a key in a configuration.
REFERENCES = {
    "policy_id": ("policy", "policy"),
    "tariff_id": ("tariff", "tariff"),
    "resource_id": ("resource", "resource"),
}
# Values that are codes with words: the family of the codes in `messages`.
FAMILIES = ("basis", "preference", "after_end")
CODES = {
    "winner": {
        "first": N_("Who books first"), "payment": N_("Who pays first"), "manager": N_("Whom a manager confirms"),
    },
    "event_deleted": {"redraw": N_("is made again"), "cancel": N_("cancels the booking")},
    "stage_paid": {"record": N_("records a payment"), "put_back": N_("is put back")},
    "calendar_mode": {
        "default": N_("The usual one"), "none": N_("In no calendar"), "group": N_("That of a workgroup"),
        "company": N_("One of the company’s"),
    },
}  # fmt: skip
NOTHING = "–"
LONGEST = 200
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Names:
    """What ids of this portal are called, also of what is gone: by kind, and people."""

    of: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    people: Mapping[int, str] = field(default_factory=dict)

    def named(self, kind: str, value: object) -> str:
        """A key is a name itself."""
        if isinstance(value, int):
            return self.of.get(kind, {}).get(value) or f"№ {value}"
        return NOTHING if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Line:
    """One field in words."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class StepLine:
    """One thing that will be made otherwise, in words."""

    subject: str
    name: str
    action: str
    fields: Sequence[Line]


def names_of(tx: Session, portal: Portal) -> Names:
    """The names of everything that was ever set up here, as it was last called."""
    kinds_of = {kind: changes.names(tx, portal.id, kind) for kind in ("resource", "policy", "tariff", "service")}
    return Names(kinds_of, tenancy.user_names(tx, portal.id))


@dataclass(frozen=True, slots=True)
class Teller:
    """Says it in one language, in one currency."""

    language: str
    currency: str
    names: Names = field(default_factory=Names)

    def say(self, text: str) -> str:
        return texts.say(self.language, text)

    def subject(self, kind: str) -> str:
        """What kind of thing it is."""
        return self.say(SUBJECTS.get(kind, kind))

    def action(self, action: str) -> str:
        """What became of it."""
        return self.say(ACTIONS.get(action, action))

    def label(self, name: str) -> str:
        """What a form calls this field."""
        return self.say(FIELDS.get(REFERENCES.get(name, (name, name))[0], name))

    def lines(self, fields: Sequence[FieldChange]) -> list[Line]:
        """Each field that is another one, in words; of something new only what is said of it."""
        found = [self._line(one) for one in fields if one.before != one.after]
        return [one for one in found if one.before != one.after]

    def steps(self, steps: Sequence[Step]) -> list[StepLine]:
        """What a configuration would make otherwise; of something new its name says enough."""
        return [
            StepLine(
                self.subject(one.kind),
                one.name,
                self.action(one.action),
                self.lines(one.fields) if one.action == "changed" else (),
            )
            for one in steps
        ]

    def _line(self, one: FieldChange) -> Line:
        if one.name == "access":
            return Line(self.label("access"), *self._access(one.before or [], one.after or []))
        return Line(self.label(one.name), self.value(one.name, one.before), self.value(one.name, one.after))

    def value(self, name: str, value: Any) -> str:
        """The value of a field as people read it."""
        said = self._value(name, value)
        return said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"

    def _value(self, name: str, value: Any) -> str:
        if value is None or value in ("", [], {}):
            return NOTHING
        if isinstance(value, bool):
            return self.say("yes" if value else "no")
        if name in REFERENCES:
            return self.names.named(REFERENCES[name][1], value)
        how = _HOW.get(name)
        return str(how(self, value)) if how is not None else self._chosen(name, value)

    def _chosen(self, name: str, value: Any) -> str:
        if name in CODES:
            return self.say(CODES[name].get(str(value), str(value)))
        return self._coded(name, value) if name in FAMILIES else self._plainly(name, value)

    def _plainly(self, name: str, value: Any) -> str:
        if isinstance(value, int) and (name.endswith("_minutes") or name.startswith("buffer_")):
            return texts.term(self.language, value)
        if isinstance(value, Mapping):
            return ", ".join(f"{key}: {self._plainly('', one)}" for key, one in value.items())
        if isinstance(value, list):
            if all(isinstance(one, str | int) for one in value):
                return self._few([self._plainly(name, one) for one in value])
            return texts.say(self.language, "rows", count=len(value))
        return str(value)

    def _few(self, said: Sequence[str]) -> str:
        more = len(said) - MOST_NAMED
        shown = ", ".join(said[:MOST_NAMED])
        return texts.say(self.language, "and_more", names=shown, count=more) if more > 0 else shown

    def _coded(self, family: str, code: object) -> str:
        return self.say(f"{family}.{code}") if f"{family}.{code}" in MESSAGES else str(code)

    def clock(self, minutes: Any) -> str:
        return f"{minutes // 60}:{minutes % 60:02}" if isinstance(minutes, int) else str(minutes)

    def day(self, value: Any) -> str:
        try:
            when = date.fromisoformat(str(value))
        except ValueError:
            return str(value)
        return f"{texts.day(self.language, when, short=True)} {when.year}"

    def week(self, value: Any) -> str:
        try:
            return week_text(self.language, [made(OpeningHours, one) for one in value])
        except (ValueError, TypeError, AttributeError):
            return texts.say(self.language, "rows", count=len(value))

    def weekdays(self, value: Any) -> str:
        return ", ".join(texts.weekday(self.language, date(2024, 1, 1 + one)) for one in value if one in range(7))

    def money(self, value: Any) -> str:
        try:
            return texts.money(self.language, Decimal(str(value)), self.currency)
        except InvalidOperation:
            return str(value)

    def percent(self, value: Any) -> str:
        return texts.percent(self.language, value) if isinstance(value, int) else str(value)

    def person(self, value: Any) -> str:
        return self.names.people.get(value) or texts.say(self.language, "actor.user", id=value)

    def kind(self, value: Any) -> str:
        return kinds.one(self.language, str(value))

    def parts(self, value: Any) -> str:
        return self._few([self.names.named("resource", one) for one in value])

    def needs(self, value: Any) -> str:
        return "; ".join(self._need(one) for one in value if isinstance(one, Mapping))

    def _need(self, need: Mapping[str, Any]) -> str:
        what = self.kind(need["kind"]) if need.get("kind") else self.parts(need.get("options") or [])
        return f"{what} × {need['quantity']}" if need.get("quantity", 1) != 1 else what

    def special(self, value: Any) -> str:
        return self._few([self.day(one.get("day")) for one in value if isinstance(one, Mapping)])

    def attributes(self, value: Any) -> str:
        return self._few([f"{name}: {one}" for name, one in value.items()])

    def ladder(self, value: Any) -> str:
        rungs = [one for one in value if isinstance(one, Mapping)]
        return ", ".join(
            f"< {texts.say(self.language, 'hours', count=one.get('hours', 0))}: {self.percent(one.get('percent'))}"
            for one in rungs
        )

    def deal(self, value: Any) -> str:
        return self._coded("deal_mode", value.get("mode")) if isinstance(value, Mapping) else str(value)

    def mode(self, value: Any) -> str:
        return self._coded("deal_mode", value)

    def country(self, value: Any) -> str:
        return texts.country(self.language, str(value))

    def reminders(self, value: Any) -> str:
        return ", ".join(texts.term(self.language, one) for one in value if isinstance(one, int))

    def _access(self, before: Sequence[Any], after: Sequence[Any]) -> tuple[str, str]:
        """What is no longer given, and what is given now."""
        sides = [[self._grant(one) for one in side if isinstance(one, Mapping)] for side in (before, after)]
        gone = [one for one in sides[0] if one not in sides[1]]
        new = [one for one in sides[1] if one not in sides[0]]
        return "; ".join(gone) or NOTHING, "; ".join(new) or NOTHING

    def _grant(self, grant: Mapping[str, Any]) -> str:
        return (
            f"{self._code(str(grant.get('code')))}: {self._coded('right', grant.get('right'))} ({self._scope(grant)})"
        )

    def _code(self, code: str) -> str:
        if code == "AU":
            return self.say("employees")
        return self.person(int(code[1:])) if code.startswith("U") and code[1:].isdecimal() else code

    def _scope(self, grant: Mapping[str, Any]) -> str:
        family, _, of = str(grant.get("scope")).partition(":")
        if family == "resource":
            return self.names.named("resource", int(of) if of.isdecimal() else of)
        if family == "kind":
            return self.kind(of)
        return texts.say(self.language, "everything_in", city=of) if family == "location" else self.say("everything")


_HOW: Mapping[str, Any] = {
    "start": Teller.clock, "end": Teller.clock, "day": Teller.day, "end_day": Teller.day, "until": Teller.day,
    "hours": Teller.week, "weekdays": Teller.weekdays, "price": Teller.money, "no_show_percent": Teller.percent,
    "deposit_percent": Teller.percent, "portal_user_id": Teller.person, "stand_in": Teller.person, "kind": Teller.kind,
    "parts": Teller.parts, "requirements": Teller.needs, "special": Teller.special, "attributes": Teller.attributes,
    "cancel_ladder": Teller.ladder, "move_ladder": Teller.ladder, "deal": Teller.deal, "mode": Teller.mode,
    "holidays": Teller.country, "remind_minutes": Teller.reminders,
}  # fmt: skip
