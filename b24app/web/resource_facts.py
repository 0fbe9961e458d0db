"""What the card of a resource tells besides its fields: what it costs, who may do what, how its days look."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from flask_babel import gettext as _

from b24app import texts
from b24app.ledger.access import EMPLOYEES, EVERYTHING, GrantRule, Resourceful
from b24app.scheduling.hours import DAY_MINUTES
from b24app.scheduling.pricing import WEEK, PriceRule, Tariff
from b24app.web.forms import clock_text

MONDAY = date(2024, 1, 1)  # any Monday: only its name is shown
QUARTER = 15
QUARTERS = 96


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line of what it costs."""

    name: str
    when: str
    amount: str


def bar(opens: int, closes: int) -> tuple[int, int]:
    """Where a stretch begins on the bar of a day, and how long it is there: quarter hours."""
    start = opens // QUARTER
    return start, max(1, min(QUARTERS - start, -(-closes // QUARTER) - start))


def prices(language: str, tariff: Tariff | None, currency: str) -> list[PriceLine]:
    """The usual price, the prices of some days and hours, and what may be ordered besides."""
    if tariff is None:
        return []
    unit = texts.say(language, f"basis.{tariff.basis}")
    found = [
        PriceLine(
            rule.group or _("At these times"), _times(language, rule), _amount(language, rule.price, unit, currency)
        )
        for rule in tariff.rules
    ]
    if tariff.price is not None:
        usual = _("at all other times") if tariff.rules else _("all days and hours")
        found = [PriceLine(_("Usual"), usual, _amount(language, tariff.price, unit, currency)), *found]
    return found + [
        PriceLine(one.name, "", _amount(language, one.price, texts.say(language, f"extra_per.{one.per}"), currency))
        for one in tariff.extras
    ]


def _amount(language: str, price: Decimal, unit: str, currency: str) -> str:
    return f"{texts.money(language, price, currency)} {unit}"


def _times(language: str, rule: PriceRule) -> str:
    """«сб, вс, 10:00–18:00»."""
    days = "" if rule.weekdays == WEEK else _days(language, sorted(rule.weekdays))
    whole = (rule.from_minute, rule.until_minute) == (0, DAY_MINUTES)
    hours = "" if whole else f"{clock_text(rule.from_minute)}–{clock_text(rule.until_minute)}"
    season = "" if rule.season is None else "–".join(f"{day:02}.{month:02}" for month, day in rule.season)
    return ", ".join(filter(None, (days, hours, season))) or _("all days and hours")


def _days(language: str, weekdays: Iterable[int]) -> str:
    return ", ".join(texts.weekday(language, MONDAY + timedelta(days=one)) for one in weekdays)


def who_may(
    language: str, grants: Collection[GrantRule], resource: Resourceful, names: Mapping[int, str]
) -> list[tuple[str, list[str]]]:
    """Who sees, books, approves and manages it, as the rules of access say; each with the strongest right only."""
    scopes = (EVERYTHING, f"kind:{resource.kind}", f"location:{resource.city}", f"resource:{resource.id}")
    here = [one for one in grants if one.scope in scopes]
    rows = (
        (_("Sees"), ("busy", "see")), (_("Books"), ("request", "book")), (_("Approves"), ("approve",)),
        (_("Manages"), ("manage",)),
    )  # fmt: skip
    told = [(words, _people(language, here, rights, names)) for words, rights in rows]
    told[-1][1].append(_("Administrators"))
    return [(words, people) for words, people in told if people]


def _people(language: str, grants: Iterable[GrantRule], rights: Collection[str], names: Mapping[int, str]) -> list[str]:
    return list(dict.fromkeys(_name(language, one.code, names) for one in grants if one.right in rights))


def _name(language: str, code: str, names: Mapping[int, str]) -> str:
    if code == EMPLOYEES:
        return texts.say(language, "employees")
    number = "".join(filter(str.isdigit, code.partition("_")[0]))
    if code.startswith("U") and number:
        return names.get(int(number)) or _("Employee No. %(number)s", number=number)
    if code.startswith("D"):
        return _("Department No. %(number)s", number=number)
    return _("Group No. %(number)s", number=number) if code.startswith("SG") else code
