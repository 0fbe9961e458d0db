"""Public holidays and working Saturdays, country by country, as dates for a timetable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import holidays

FIRST_YEAR, LAST_YEAR = 1990, 2100
# National holidays only. Ukraine is not among them: the library knows none there under martial law.
_COUNTRIES = (
    "RU", "BY", "KZ", "UZ", "KG", "TJ", "TM", "AM", "AZ", "GE", "MD", "MN",
    "EE", "LV", "LT", "PL", "CZ", "RO", "BG", "RS", "HU", "GR", "CY", "TR", "IL", "AE",
    "DE", "AT", "CH", "FR", "IT", "ES", "PT", "NL", "GB", "IE", "FI", "SE", "NO", "DK",
    "US", "CA", "CN", "IN", "TH", "VN", "ID", "BR", "AU",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Holidays:
    """`closed`: nobody works, weekday or not; `workdays`: weekends worked in exchange for a day off elsewhere."""

    closed: frozenset[date]
    workdays: frozenset[date]


def countries() -> list[str]:
    """The codes (ISO 3166-1, two letters) of the countries whose holidays are known, the likeliest first."""
    return list(_COUNTRIES)


@lru_cache(maxsize=256)
def holiday_dates(country: str, first_year: int, last_year: int) -> Holidays:
    """Those of both years and all between; raises ValueError for a country that is not one of `countries`.

    Transfers are decreed a year ahead: of later years only the holidays themselves are known.
    """
    if country not in _COUNTRIES:
        raise ValueError(f"no holidays known of {country}")
    if not FIRST_YEAR <= first_year <= last_year <= LAST_YEAR:
        raise ValueError("no such years")
    found = holidays.country_holidays(country, years=range(first_year, last_year + 1))
    swapped: set[date] = getattr(found, "weekend_workdays", set())  # only countries that move their days off have it
    closed = _within(found, first_year, last_year)
    # The library adds some working Saturdays of other years.
    return Holidays(closed, _within(swapped, first_year, last_year) - closed)


def _within(days: Iterable[date], first_year: int, last_year: int) -> frozenset[date]:
    return frozenset(day for day in days if first_year <= day.year <= last_year)


@lru_cache(maxsize=256)
def holiday_name(country: str, day: date, language: str) -> str:
    """What that public holiday is called, in `language` where the library knows that; "" when there is none."""
    if country not in _COUNTRIES:
        return ""
    spoken = language if language == "ru" else "en_US"
    found = holidays.country_holidays(country, years=day.year, language=spoken)
    return str(found.get(day) or "").split(";")[0]
