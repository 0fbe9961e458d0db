"""Words for people, in Russian and English, without Flask: the worker writes them too.

English is the source and stands in `messages`; the catalogue `translations/ru` is the same that the templates use.
A code that is not listed there is taken for its own English text, so `say(language, "Meeting rooms")` works as well.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton, get_timezone_location
from babel.numbers import format_currency, format_percent

from b24app.messages import MESSAGES, PLURALS

LANGUAGES = ("ru", "en")
TRANSLATIONS = Path(__file__).parent / "translations"


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
    """The sentence for a broken rule; minutes, days and limits become words, closed time says why it is."""
    if "closed" in params:
        return _said(language, f"obstacle.{params['closed']}", _worded(language, params))
    if f"violation.{code}" in MESSAGES or f"violation.{code}" in PLURALS:
        return _said(language, f"violation.{code}", _worded(language, params))
    return say_obstacle(language, code, params, UTC)  # the place itself is in the way: too small, not suitable, closed


def say_setting(language: str, setting: str, params: Mapping[str, Any]) -> str:
    """Where a broken rule is set: «Правила «Аренда»: за сколько бронируют»; "" when it is set nowhere."""
    if not setting:
        return ""
    scope = say(language, f"setting.{setting.partition('.')[0]}")
    if "." not in setting:
        return scope
    named = "setting.named" if params.get("rules") else "setting"
    return say(language, named, scope=scope, name=params.get("rules"), setting=say(language, f"setting.{setting}"))


def say_obstacle(language: str, code: str, params: Mapping[str, Any], zone: tzinfo, name: str = "") -> str:
    """Why a time cannot be had, in the wall clock of `zone`: «Ока – занято 12:00–14:00»."""
    if "params" in params:  # closed, and the reason is known
        return say_obstacle(language, params["code"], params["params"], zone, name)
    known = f"obstacle.{code}" if f"obstacle.{code}" in MESSAGES else "obstacle"
    said = _said(language, known, _worded(language, params, zone))
    return say(language, "obstacle.of", name=name, obstacle=said[:1].lower() + said[1:]) if name else said


def _said(language: str, code: str, params: Mapping[str, Any]) -> str:
    """As `say`; a code that has a form for it says less when something that it would name is empty."""
    if f"{code}_none" in MESSAGES and not all(params.values()):
        code = f"{code}_none"
    return say(language, code, **params)


def _worded(language: str, params: Mapping[str, Any], zone: tzinfo | None = None) -> dict[str, Any]:
    """Parameters of a rule or an obstacle, with those that are no words yet put into words.

    Times are told by the clock of `params["zone"]`, where they bring their own.
    """
    worded = dict(params)
    zone = ZoneInfo(params["zone"]) if "zone" in params else zone
    if "minutes" in params:
        worded["minutes"] = term(language, params["minutes"])
    if "days" in params:
        worded["days"] = say(language, "days", count=params["days"])
    if "day" in params:
        worded["day"] = _inside(language, day(language, date.fromisoformat(params["day"]), short=True))
    if "from" in params and zone:
        start, end = datetime.fromisoformat(params["from"]), datetime.fromisoformat(params["until"])
        same_day = start.astimezone(zone).date() == end.astimezone(zone).date()
        worded["period"] = span(start, end, zone) if same_day else _inside(language, period(language, start, end, zone))
    if "limit" in params:
        worded["quota"] = quota(language, params)
        worded["used"] = duration(language, params["used"]) if params["unit"] == "minutes" else params["used"]
    return worded


def _inside(language: str, text: str) -> str:
    """A date as it stands inside of a sentence: Russian days of the week have no capital."""
    return text.lower() if language == "ru" else text


def duration(language: str, minutes: int) -> str:
    """So many minutes in words: «1 ч 30 мин»."""
    whole, rest = divmod(minutes, 60)
    parts = [say(language, "hours", count=whole)] if whole else []
    if rest or not whole:
        parts.append(say(language, "minutes", count=rest))
    return "\N{NO-BREAK SPACE}".join(parts)


def term(language: str, minutes: int) -> str:
    """As `duration`, but two days and more are told in days where they are whole: «36 ч», «2 дня»."""
    days, rest = divmod(minutes, 24 * 60)
    return say(language, "days", count=days) if days > 1 and not rest else duration(language, minutes)


def percent(language: str, share: int) -> str:
    """«50 %», "50%"."""
    return format_percent(Decimal(share) / 100, locale=_locale(language))


def money(language: str, amount: Decimal, currency: str) -> str:
    """An amount with its currency, whole ones without decimals: «2 400 ₽», «−99,50 ₽»."""
    whole = amount == amount.to_integral_value()
    decimals = "" if whole else "." + "0" * max(2, -int(amount.normalize().as_tuple().exponent))
    pattern = Locale.parse(_locale(language)).currency_formats["standard"].pattern.replace(".00", decimals)
    said = format_currency(amount, currency, pattern, locale=_locale(language), currency_digits=False)
    # English writes RUB2,400: a code, unlike a sign, needs its space.
    return re.sub(r"(?<=[A-Z])(?=\d)", "\N{NO-BREAK SPACE}", said.replace("-", "−"))


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


def moment(language: str, at: datetime, zone: tzinfo, now: datetime | None = None) -> str:
    """A point in time inside of a sentence: «13 марта, 9:00»; only 9:00 when that is on the day of `now`."""
    local = at.astimezone(zone)
    if now is not None and local.date() == now.astimezone(zone).date():
        return clock(at, zone)
    return f"{local.day}\N{NO-BREAK SPACE}{month(language, local.date())}, {clock(at, zone)}"


def zone(language: str, of: ZoneInfo, at: datetime) -> str:
    """A time zone with its offset at that time: «Екатеринбург, UTC+5»."""
    place = get_timezone_location(of.key, locale=_locale(language), return_city=True)
    minutes = _minutes(of.utcoffset(at.astimezone(of)))
    whole, rest = divmod(abs(minutes), 60)
    sign = "−" if minutes < 0 else "+"
    return f"{place}, UTC{sign}{whole}" + (f":{rest:02}" if rest else "")


def country(language: str, code: str) -> str:
    """The name of a country by its two letters: «Россия»."""
    return str(Locale.parse(_locale(language)).territories[code])


def currency(language: str, code: str) -> str:
    """The name of a currency by its three letters: «российский рубль»."""
    return str(Locale.parse(_locale(language)).currencies.get(code, code))


def offset(language: str, minutes: int) -> str:
    """By how much another clock is ahead: «+2 ч», "−30 min"."""
    return ("−" if minutes < 0 else "+") + duration(language, abs(minutes))


REPEATS = {"daily": "repeat.days", "weekly": "repeat.weeks", "monthly": "repeat.months"}


def repetition(language: str, of: Mapping[str, Any], first: date) -> str:
    """How a series repeats (`scheduling.recurrence.Recurrence` as a mapping): «каждую неделю по вт, чт»."""
    days = sorted(of.get("weekdays") or (first.weekday(),))
    names = [weekday(language, first + timedelta(days=number - first.weekday())) for number in days]
    params = {"days": _inside(language, ", ".join(names)), "day": first.day}
    every = of.get("every", 1)
    code = REPEATS[of["freq"]] if every > 1 else f"repeat.{of['freq']}"
    return say(language, code, count=every, **params)


def quota(language: str, of: Mapping[str, Any]) -> str:
    """A limit (`scheduling.policy.Quota` as a mapping): «не больше 3 броней на клиента в неделю»."""
    if of["unit"] == "minutes":
        limit = say(language, "quota.minutes", duration=duration(language, of["limit"]))
    else:
        limit = say(language, "quota.bookings", count=of["limit"])
    per, each = say(language, f"quota.{of['per']}"), say(language, f"quota.{of['period']}")
    return say(language, "quota", limit=limit, per=per, period=each)


def policy_words(
    language: str,
    policy: Mapping[str, Any],
    *,
    priced: bool = True,
    needs_approval: bool = False,
    but: Collection[str] = (),
) -> list[str]:
    """The rules in force, a sentence each (`policy` is a whole `Policy.as_dict()`); silent about what is not set.

    `priced`: whether the booking costs anything, so that fees matter. `but`: what is told elsewhere (begin, cancel,
    move).
    """
    found = [] if "begin" in but else [_how_it_is_confirmed(language, policy, needs_approval)]
    if policy["notice_minutes"]:
        found.append(say(language, "policy.notice", term=term(language, policy["notice_minutes"])))
    if policy["pay_minutes"] and priced:
        found.append(say(language, "policy.pay", term=term(language, policy["pay_minutes"])))
    found += [] if "cancel" in but else [_change_words(language, policy, "cancel", priced)]
    found += [] if "move" in but else [_move_words(language, policy, priced)]
    if policy["no_show_percent"] and priced:
        found.append(say(language, "policy.no_show", percent=percent(language, policy["no_show_percent"])))
    found += [say(language, "policy.quota", quota=quota(language, one)) for one in policy["quotas"]]
    return [sentence for sentence in found if sentence]


def _how_it_is_confirmed(language: str, policy: Mapping[str, Any], needs_approval: bool) -> str:
    if needs_approval:
        return say(language, "policy.approval", term=term(language, policy["approval_minutes"]))
    if policy["winner"] != "first":
        return say(language, f"policy.{policy['winner']}", term=term(language, policy["decide_minutes"]))
    return say(language, "policy.hold", term=term(language, policy["hold_minutes"])) if policy["hold_minutes"] else ""


def _change_words(language: str, policy: Mapping[str, Any], action: str, priced: bool) -> str:
    """Until when it may be cancelled or moved, and what that costs."""
    until = policy[f"{action}_until_minutes"]
    ladder = sorted(policy[f"{action}_ladder"], key=lambda rung: -rung["hours"]) if priced else []
    # Rungs that cost nothing, or begin when it is not possible any more, are nothing that a client need read.
    rungs = [rung for rung in ladder if rung["percent"] and rung["hours"] * 60 > until]
    if rungs:
        return _ladder_words(language, action, rungs, until)
    if until:
        return say(language, f"policy.{action}_until", term=term(language, until))
    return say(language, "policy.cancel_free" if priced and action == "cancel" else f"policy.{action}")


def _ladder_words(language: str, action: str, rungs: Sequence[Mapping[str, int]], until: int) -> str:
    first, *others = [(term(language, rung["hours"] * 60), percent(language, rung["percent"])) for rung in rungs]
    fees = [
        say(language, "policy.fee", percent=first[1]),
        *(say(language, "policy.fee_next", term=less, percent=costs) for less, costs in others),
    ]
    parts = [say(language, f"policy.{action}_ladder", term=first[0]), ", ".join(fees)]
    if until:
        parts.append(say(language, f"policy.{action}_barred", term=term(language, until)))
    return "; ".join(parts)


def _move_words(language: str, policy: Mapping[str, Any], priced: bool) -> str:
    if policy["most_moves"] == 0:
        return say(language, "policy.move_never")
    words = _change_words(language, policy, "move", priced)
    if policy["most_moves"] is None:
        return words
    return f"{words}{';' if ';' in words else ','} {say(language, 'policy.most_moves', count=policy['most_moves'])}"


def _minutes(offset_of: timedelta | None) -> int:
    return int((offset_of or timedelta()).total_seconds() // 60)


def _locale(language: str) -> str:
    return "ru" if language == "ru" else "en_GB"


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    if language != "ru":
        return gettext.NullTranslations()
    return gettext.translation("messages", TRANSLATIONS, languages=["ru"])
