"""What people may call things in a table: kinds, cities of time zones, countries, rules, tariffs, in both languages."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from b24app import texts
from b24app.booking.holidays import countries
from b24app.booking.importing import Words
from b24app.booking.kinds import BUILT_IN
from b24app.ledger import kinds, rules
from b24app.ledger.models import Portal
from b24app.ledger.session import Session


def words_of(tx: Session, portal: Portal, at: datetime) -> Words:
    """The words of this portal. Where two things have one name the first counts."""
    return Words(
        kinds=_kinds(tx, portal),
        zones=_zones(at.year),
        countries=_countries(),
        policies=_by_name((row.name, row.id) for row in rules.policies(tx, portal.id)),
        tariffs=_by_name((row.name, row.id) for row in rules.tariffs(tx, portal.id)),
    )


def _by_name(rows: Iterable[tuple[str, str | int]]) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for name, value in rows:
        found.setdefault(name.casefold(), value)
    return found


def _kinds(tx: Session, portal: Portal) -> dict[str, str | int]:
    own = [(name, row.key) for row in kinds.kinds(tx, portal.id) for name in (row.one, row.many, row.key)]
    return _by_name(own) | dict(_usual_kinds())


@cache
def _usual_kinds() -> Mapping[str, str]:
    codes = [(f"{group}.{kind}", kind) for kind in BUILT_IN for group in ("kind", "kinds")]
    named = {texts.say(language, code).casefold(): kind for code, kind in codes for language in texts.LANGUAGES}
    return named | {kind: kind for kind in BUILT_IN} | {"зал": "hall", "студия": "hall", "сотрудник": "specialist"}


@cache
def _zones(year: int) -> Mapping[str, str | int]:
    """Zones by their own name and by their city: «Europe/Samara», «Самара», «Самара, UTC+4»."""
    at = datetime(year, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC"))
    found: dict[str, str | int] = {}
    for name in sorted(zoneinfo.available_timezones(), key=_usual_first):
        found[name.casefold()] = name
        if "/" in name and not name.startswith("Etc/"):
            for language in texts.LANGUAGES:
                said = texts.zone(language, ZoneInfo(name), at).casefold()
                found.setdefault(said, name)
                found.setdefault(said.partition(",")[0], name)
    return found


def _usual_first(name: str) -> tuple[bool, str]:
    return not name.startswith(("Europe/", "Asia/")), name


@cache
def _countries() -> Mapping[str, str | int]:
    named = {texts.country(language, code).casefold(): code for code in countries() for language in texts.LANGUAGES}
    return named | {code.casefold(): code for code in countries()}
