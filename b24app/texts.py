"""Words for people, in Russian and English, without Flask: the worker writes them too.

English is the source; the catalogue `translations/ru` is the same that the templates use. A code that is not
listed below is taken for its own English text, so `say(language, "Meeting rooms")` works as well.
"""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton, get_timezone_location

LANGUAGES = ("ru", "en")
TRANSLATIONS = Path(__file__).parent / "translations"


def N_(message: str) -> str:  # noqa: N802 — the name that message extraction looks for
    """Marks a text for translation."""
    return message


def NN_(one: str, many: str) -> tuple[str, str]:  # noqa: N802
    """Marks a text that depends on a number."""
    return one, many


# Codes of errors carry data only; here they become sentences. What stands first says where a code comes from.
MESSAGES: dict[str, str] = {
    # shape of a form's field (errors.InvalidInput)
    "field.required": N_("Fill this in"),
    "field.too_many_characters": N_("This text is too long. Shorten it"),
    "field.not_a_date": N_("Enter a date, for example 2026-03-12"),
    "field.not_a_time": N_("Enter a time, for example 09:30"),
    "field.not_a_number": N_("Enter a whole number"),
    "field.out_of_range": N_("This number is out of range"),
    "field.end_before_start": N_("The end must be later than the start"),
    "field.phone_wrong": N_("This does not look like a phone number. Enter it with the country code"),
    "field.email_wrong": N_("This does not look like an e-mail address"),
    "field.unknown_user": N_("This person has not opened the application yet. Choose somebody from the list"),
    "field.unknown_resource": N_("Choose a resource from the list"),
    "field.unknown_kind": N_("Choose a kind from the list"),
    "field.unknown_zone": N_("Choose a time zone from the list"),
    "field.unknown_step": N_("Choose a step from the list"),
    "field.unknown_calendar": N_("Choose where bookings are shown in the calendar"),
    "field.unknown_choice": N_("Choose a value from the list"),
    "field.min_over_max": N_("The shortest booking cannot be longer than the longest one"),
    "field.too_long": N_("Bookings this long are not allowed here"),
    "field.off_grid": N_("Make it a whole number of steps"),
    "field.hours_overlap": N_("These hours overlap"),
    "field.hours_wrong": N_("Write hours as 9:00–18:00, several of them with commas between"),
    "field.unknown": N_("There is no such card in the CRM"),
    "field": N_("This value cannot be used"),
    "field.not_optional": N_("This step cannot be skipped"),
    "field.forged": N_("This page is out of date. Open it again"),
    # broken rules (scheduling.policy.Violation)
    "violation.past": N_("This time has already passed"),
    "violation.too_short": N_("The shortest booking here is {minutes}"),
    "violation.too_long": N_("The longest booking here is {minutes}"),
    "violation.beyond_horizon": N_("Bookings are open for {days} ahead"),
    "violation.off_grid": N_("Time here goes in steps of {minutes}"),
    "violation.outside_hours": N_("It is closed at this time"),
    # rights (errors.NotAllowed)
    "not_allowed.book": N_("You may not book this resource. An administrator can give you the right"),
    "not_allowed.move": N_("This booking cannot be moved there"),
    "not_allowed.cancel": N_("This booking cannot be cancelled any more"),
    "not_allowed.change": N_("Only its author, the person responsible and administrators may change this booking"),
    "not_allowed.manage": N_("Only administrators may change resources"),
    "not_allowed.card": N_("The CRM does not show you this card"),
    "not_allowed.portal_token": N_("Bitrix24 did not confirm who you are. Open the page again from Bitrix24"),
    "not_allowed.install": N_("Only administrators may install the application"),
    "not_allowed.payment": N_("The application has not been paid for: bookings cannot be made or changed"),
    "not_allowed": N_("You have no right to do this"),
    # what is missing (errors.NotFound)
    "not_found.resource": N_("There is no such resource, or it is no longer offered"),
    "not_found.booking": N_("There is no such booking, or it is not shown to you"),
    "not_found.portal": N_("The application is not installed in this portal. Open it again from Bitrix24"),
    "not_found": N_("There is nothing at this address"),
    # the rest of the tree
    "slot_taken": N_("This time has just been taken"),
    "stale": N_("Somebody has changed this meanwhile. Look at the new state and try again"),
    "later": N_("Bitrix24 is not answering now. Nothing was changed; try again in a minute"),
    "revoked": N_("Bitrix24 has withdrawn the access of this application. An administrator should open it once"),
    "misconfigured": N_("The application is not set up completely. Please tell your administrator"),
    "too_large": N_("The form is too large. Shorten its texts"),
    "broken": N_("Something went wrong on our side. Nothing was changed; try again in a minute"),
    # kinds of resources, one and many
    "kind.room": N_("Meeting room"),
    "kind.hall": N_("Hall or studio"),
    "kind.equipment": N_("Equipment"),
    "kind.specialist": N_("Specialist"),
    "kind.vehicle": N_("Vehicle"),
    "kinds.room": N_("Meeting rooms"),
    "kinds.hall": N_("Halls and studios"),
    "kinds.equipment": N_("Equipment"),
    "kinds.specialist": N_("Specialists"),
    "kinds.vehicle": N_("Vehicles"),
    # stages
    "stage.prebooked": N_("Pre-booking"),
    "stage.confirmed": N_("Confirmed"),
    "stage.completed": N_("Completed"),
    "stage.cancelled": N_("Cancelled"),
    "stage.no_show": N_("No-show"),
    "stage.expired": N_("Expired"),
    "stage.paid": N_("Paid"),
    # what the portal shows of a booking (sync.mapping)
    "item.title": N_("Booking No. {number}"),
    "event.name": N_("{name} No. {number}"),
    "event.name_prebooked": N_("Pre-booking: {name} No. {number}"),
    "event.client": N_("Client: {name}"),
    "event.phone": N_("Phone: {phone}"),
    "event.link": N_("Booking card: {url}"),
    # why something is not shown there (external_ref.parked_reason)
    "parked.event_unseen": N_(
        "The event is no longer visible in the calendar. If somebody deleted it, save the booking once more"
    ),
    # history of a booking: what happened, and who did it when it was not a person we know
    "history.booked": N_("Booking made"),
    "history.moved": N_("Booking moved"),
    "history.cancelled": N_("Booking cancelled"),
    "history": N_("Booking changed"),
    "actor.user": N_("Employee No. {id}"),
    "actor.client": N_("Client"),
    "actor.portal": N_("Bitrix24"),
    "actor.robot": N_("Robot"),
    "actor": N_("Application"),
    "today": N_("Today"),
    "never_open": N_("closed"),
    "from_time": N_("from {time}"),
    "until_time": N_("until {time}"),
    # amounts of time
    "hours": N_("{count} h"),
    "minutes": N_("{count} min"),
}
PLURALS: dict[str, tuple[str, str]] = {
    "days": NN_("{count} day", "{count} days"),
}


def say(language: str, code: str, **params: Any) -> str:
    """The sentence for `code` in `language` ("ru", anything else is English) with its parameters put in.

    A parameter is shown as it is; one called `count` chooses the plural form of codes that have several.
    """
    catalogue = _catalogue(language)
    if code in PLURALS:
        text = catalogue.ngettext(*PLURALS[code], params["count"])
    else:
        text = catalogue.gettext(MESSAGES.get(code, code))
    return text.format(**params) if params else text


def say_refusal(language: str, family: str, code: str) -> str:
    """The sentence for `family.code`; the general one of the family when that code has none of its own."""
    known = f"{family}.{code}"
    return say(language, known if known in MESSAGES else family)


def say_violation(language: str, code: str, params: Mapping[str, Any]) -> str:
    """The sentence for a broken rule; minutes and days become words."""
    worded = dict(params)
    if "minutes" in worded:
        worded["minutes"] = duration(language, worded["minutes"])
    if "days" in worded:
        worded["days"] = say(language, "days", count=worded["days"])
    return say(language, f"violation.{code}", **worded)


def duration(language: str, minutes: int) -> str:
    """So many minutes in words: «1 ч 30 мин»."""
    whole, rest = divmod(minutes, 60)
    parts = [say(language, "hours", count=whole)] if whole else []
    if rest or not whole:
        parts.append(say(language, "minutes", count=rest))
    return "\N{NO-BREAK SPACE}".join(parts)


def clock(instant: datetime, zone: tzinfo) -> str:
    """The wall clock of `zone`, as in a sentence: 9:00."""
    local = instant.astimezone(zone)
    return f"{local.hour}:{local.minute:02}"


def span(start: datetime, end: datetime, zone: tzinfo) -> str:
    """From when to when on that day: 12:00–14:00."""
    return f"{clock(start, zone)}–{clock(end, zone)}"


def day(language: str, when: date, *, short: bool = False) -> str:
    """A day with its weekday: «Четверг, 12 марта», «Чт, 12 марта»; "Thursday, 12 March", "Thu, 12 March"."""
    pattern = f"{'EEE' if short else 'EEEE'}, d MMMM"
    text = format_date(when, pattern, locale=_locale(language)).replace(" ", "\N{NO-BREAK SPACE}")
    text = text.replace(",\N{NO-BREAK SPACE}", ", ")
    return text[:1].upper() + text[1:]


def month(language: str, when: date) -> str:
    """The month in the form that follows a day's number: «марта»."""
    return format_date(when, "d MMMM", locale=_locale(language)).split(" ", 1)[1]


def weekday(language: str, when: date) -> str:
    """The short name of the day of the week: «Пт», "Fri"."""
    name = format_skeleton("E", when, locale=_locale(language))
    return name[:1].upper() + name[1:]


def period(language: str, start: datetime, end: datetime, zone: tzinfo) -> str:
    """When, in the wall clock of `zone`: «Пт, 13 марта, 12:00–14:00», over midnight with both days."""
    first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    if first == last:
        return f"{day(language, first, short=True)}, {span(start, end, zone)}"
    return (
        f"{day(language, first, short=True)}, {clock(start, zone)} – {day(language, last, short=True)}, "
        f"{clock(end, zone)}"
    )


def zone(language: str, of: ZoneInfo, at: datetime) -> str:
    """A time zone with its offset at that time: «Екатеринбург, UTC+5»."""
    place = get_timezone_location(of.key, locale=_locale(language), return_city=True)
    minutes = _minutes(of.utcoffset(at.astimezone(of)))
    whole, rest = divmod(abs(minutes), 60)
    sign = "−" if minutes < 0 else "+"
    return f"{place}, UTC{sign}{whole}" + (f":{rest:02}" if rest else "")


def offset(language: str, minutes: int) -> str:
    """By how much another clock is ahead: «+2 ч», "−30 min"."""
    return ("−" if minutes < 0 else "+") + duration(language, abs(minutes))


def _minutes(offset_of: timedelta | None) -> int:
    return int((offset_of or timedelta()).total_seconds() // 60)


def _locale(language: str) -> str:
    return "ru" if language == "ru" else "en_GB"


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    if language != "ru":
        return gettext.NullTranslations()
    return gettext.translation("messages", TRANSLATIONS, languages=["ru"])
