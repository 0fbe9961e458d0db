"""The guide in words: answers so far, and what will be made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask_babel import gettext as _

from b24app import texts
from b24app.booking.configuration import Step
from b24app.booking.guide import Answers, durations
from b24app.booking.guide_make import Planned
from b24app.messages import N_
from b24app.web.change_words import Teller
from b24app.web.forms import clock_text

MONDAY = date(2024, 1, 1)
FEW = 2
GROUPS = {"rooms": N_("company rooms and things"), "rentals": N_("rentals"), "appointments": N_("appointments")}
UNITS = {"free": N_("any length"), "slot": N_("whole periods"), "service": N_("services")}
WINNERS = {"first": N_("Who books first"), "payment": N_("Who pays first"), "manager": N_("Whom a manager confirms")}
MONEY = {
    "none": N_("Free of charge"),
    "price": N_("A price, paid on the spot"),
    "deposit": N_("Paid in advance: %(part)s"),
}
CANCELLING = {
    "soft": N_("cancelling: softly"),
    "usual": N_("cancelling: as usual"),
    "strict": N_("cancelling: strictly"),
    "manager": N_("cancelling: by a manager"),
}
ACCESS = {
    "all": N_("All employees book"),
    "request": N_("Employees ask, managers approve"),
    "chosen": N_("Only managers book"),
}
ACTIONS = {
    "added": N_("will be added"),
    "changed": N_("will be changed"),
    "restored": N_("will be offered again"),
    "archived": N_("will be archived"),
    "removed": N_("will be removed"),
}
KINDS = {
    "resource": (N_("Resource"), "slots"),
    "service": (N_("Service"), "clock"),
    "tariff": (N_("Tariff"), "wallet"),
    "policy": (N_("Rules"), "check"),
    "access": (N_("Access"), "lock"),
    "settings": (N_("Portal"), "bell"),
    "level": (N_("CRM"), "deal"),
}


# Answers ----


def said_of(question: str, answers: Answers, staff: Mapping[int, str], language: str) -> str:
    """One answer in a few words: «Пн–Пт, 9:00–19:00»."""
    said = _SAID[question](answers, staff, language)
    return said[:1].upper() + said[1:]


def _what(answers: Answers, staff: Mapping[int, str], language: str) -> str:
    return ", ".join(_(GROUPS[name]) for name in answers.what)


def _where(answers: Answers, staff: Mapping[int, str], language: str) -> str:
    hours = f"{clock_text(answers.opens)}–{clock_text(answers.closes)}"
    return ", ".join(filter(None, (answers.city, days_words(answers.weekdays, language), hours)))


def days_words(weekdays: Sequence[int], language: str) -> str:
    """«Пн–Пт», «Пн, Ср»."""
    names = [texts.weekday(language, MONDAY + timedelta(days=day)) for day in sorted(weekdays)]
    if len(weekdays) > FEW and max(weekdays) - min(weekdays) == len(weekdays) - 1:
        return f"{names[0]}–{names[-1]}"
    return ", ".join(names)


def _unit(answers: Answers, staff: Mapping[int, str], language: str) -> str:
    groups = [answers.group(name) for name in answers.what]
    if len(groups) > 1:
        return ", ".join(dict.fromkeys(_(UNITS[group.unit]) for group in groups))
    shortest, _longest, step = durations(groups[0])
    if groups[0].unit == "service":
        return f"{groups[0].service}, {texts.duration(language, shortest)}"
    return f"{_(UNITS[groups[0].unit])}, {texts.duration(language, step)}"


def _winner(answers: Answers, staff: Mapping[int, str], language: str) -> str:
    return _(WINNERS[answers.settled.winner])


def _money(answers: Answers, staff: Mapping[int, str], language: str) -> str:
    settled = answers.settled
    said = _(MONEY[settled.money], part=texts.percent(language, settled.deposit_percent))
    return f"{said}, {_(CANCELLING[settled.cancel])}" if answers.of_clients else said


def _access(answers: Answers, staff: Mapping[int, str], language: str) -> str:
    return _(ACCESS[answers.access])


def _notices(answers: Answers, staff: Mapping[int, str], language: str) -> str:
    reminders = [texts.term(language, minutes) for minutes in sorted(answers.reminders, reverse=True)]
    before = _("reminders %(times)s before", times=", ".join(reminders)) if reminders else _("no reminders")
    return ", ".join((_("calendar") if answers.calendar else _("no calendar"), before))


_SAID: dict[str, Callable[[Answers, Mapping[int, str], str], str]] = {
    "what": _what,
    "where": _where,
    "unit": _unit,
    "winner": _winner,
    "money": _money,
    "access": _access,
    "notices": _notices,
}


# What will be made ----


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that will be otherwise: what it is, and what becomes of it."""

    kind: str
    icon: str
    name: str
    action: str
    does: str
    details: tuple[str, ...]


def lines(plan: Planned, teller: Teller) -> list[Line]:
    """Everything that would be made, in words; what is booked comes first."""
    order = list(KINDS)
    found = [_line(step, teller) for step in sorted(plan.steps, key=lambda step: order.index(step.kind))]
    return found + ([_level(plan.level)] if plan.level != plan.level_before else [])


def _line(step: Step, teller: Teller) -> Line:
    kind, icon = KINDS[step.kind]
    fields = {one.name: one.after for one in step.fields}
    new = step.action == "added"
    changes = [f"{one.field}: {one.before} → {one.after}" for one in teller.lines(step.fields)]
    return Line(
        kind=_(kind),
        icon=icon,
        name=step.name,
        action=step.action,
        does=_(ACTIONS[step.action]),
        details=tuple(_details(step.kind, fields, teller)) if new else tuple(changes),
    )


def _level(level: str) -> Line:
    kind, icon = KINDS["level"]
    said = _("Every booking gets a card in the CRM, with a funnel") if level == "B" else _(
        "Bookings get no cards in the CRM; those that have one keep it"
    )  # fmt: skip
    return Line(_(kind), icon, "", "changed", _(ACTIONS["changed"]), (said,))


def _details(kind: str, fields: Mapping[str, Any], teller: Teller) -> Iterator[str]:
    """What is new about something, in a few words."""
    language = teller.language
    if fields.get("hours"):
        yield _hours(fields["hours"], language)
    if where := ", ".join(filter(None, (fields.get("city"), fields.get("address")))):
        yield where
    if "min_minutes" in fields and "max_minutes" in fields:
        yield _lasts(fields["min_minutes"], fields["max_minutes"], language)
    if kind == "tariff":
        yield from _price(fields, teller)
    if kind in ("resource", "service"):
        yield from filter(None, (fields.get("tariff"), fields.get("policy")))
    if kind == "policy" and "notice_minutes" in fields:
        yield from texts.policy_words(language, fields)


def _hours(rows: Sequence[Mapping[str, int]], language: str) -> str:
    first = rows[0]
    days = days_words([row["weekday"] for row in rows], language)
    return f"{days}, {clock_text(first['opens'])}–{clock_text(first['closes'])}"


def _lasts(shortest: int, longest: int, language: str) -> str:
    least, most = texts.duration(language, shortest), texts.duration(language, longest)
    return least if shortest == longest else f"{least} – {most}"


def _price(fields: Mapping[str, Any], teller: Teller) -> Iterator[str]:
    if fields.get("price") is not None:
        per = _("per hour") if fields.get("basis") == "hour" else _("for the whole")
        yield f"{teller.money(fields['price'])} {per}"
    if fields.get("deposit_percent"):
        yield _("in advance: %(part)s", part=teller.percent(fields["deposit_percent"]))
