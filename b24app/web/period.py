"""The days of a week or a month: which they are, when they begin, what they are called."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_date

from b24app import texts
from b24app.booking.holidays import FIRST_YEAR, LAST_YEAR, holiday_dates
from b24app.scheduling.hours import clock_reaches
from b24app.scheduling.interval import Interval
from b24app.web.choice import FIRST_DAY, LAST_DAY

ONE_DAY = timedelta(days=1)
MONDAY, SATURDAY, SUNDAY = 0, 5, 6


@dataclass(frozen=True)
class Period:
    """So many days from the first on, by the clock of a zone. A day that a zone has left out has no length."""

    first: date
    count: int
    zone: ZoneInfo

    @cached_property
    def days(self) -> list[date]:
        return [self.first + n * ONE_DAY for n in range(self.count)]

    @cached_property
    def bounds(self) -> list[int]:
        """The midnights, one more than there are days, in epoch seconds."""
        return [int(clock_reaches(self.first + n * ONE_DAY, 0, self.zone).timestamp()) for n in range(self.count + 1)]

    @property
    def window(self) -> Interval:
        return Interval(datetime.fromtimestamp(self.bounds[0], UTC), datetime.fromtimestamp(self.bounds[-1], UTC))


@dataclass(frozen=True, slots=True)
class Customs:
    """On which day a week begins where the company is, and which days are no working days there."""

    first_weekday: int = MONDAY
    weekend: frozenset[int] = frozenset({SATURDAY, SUNDAY})


@cache
def customs(time_zone: str) -> Customs:
    """Those of the country that a company's time zone lies in; Monday where that says nothing."""
    territory = get_global("zone_territories").get(time_zone)
    try:
        locale = Locale.parse(f"und_{territory}") if territory else None
    except (UnknownLocaleError, ValueError):
        locale = None
    if locale is None:
        return Customs()
    first, last = locale.weekend_start, locale.weekend_end
    return Customs(locale.first_week_day, frozenset((first + n) % 7 for n in range((last - first) % 7 + 1)))


def week_of(day: date, zone: ZoneInfo, first_weekday: int) -> Period:
    """The week that `day` lies in."""
    return Period(day - ((day.weekday() - first_weekday) % 7) * ONE_DAY, 7, zone)


def month_of(day: date, zone: ZoneInfo) -> Period:
    """The month that `day` lies in."""
    return Period(day.replace(day=1), calendar.monthrange(day.year, day.month)[1], zone)


def weeks_of(month: Period, first_weekday: int) -> Period:
    """The whole weeks that a month's days lie in."""
    first = week_of(month.days[0], month.zone, first_weekday).first
    last = week_of(month.days[-1], month.zone, first_weekday).days[-1]
    return Period(first, (last - first).days + 1, month.zone)


def clamped(day: date) -> date:
    """The nearest day that a board can be asked for."""
    return max(FIRST_DAY, min(day, LAST_DAY))


def month_before(day: date) -> date:
    """The same day of the month before, or its last."""
    return clamped(_in_month(day, (day.replace(day=1) - ONE_DAY)))


def month_after(day: date) -> date:
    """The same day of the next month, or its last."""
    return clamped(_in_month(day, day.replace(day=28) + 4 * ONE_DAY))


def _in_month(day: date, month: date) -> date:
    return month.replace(day=min(day.day, calendar.monthrange(month.year, month.month)[1]))


def week_title(language: str, week: Period, today: date) -> str:
    """«9–15 марта», «30 марта – 5 апреля»; with the year where it is another than this one."""
    first, last = week.days[0], week.days[-1]
    year = f" {last.year}" if last.year != today.year or first.year != last.year else ""
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{last.day}\N{NO-BREAK SPACE}{texts.month(language, last)}{year}"
    since = f" {first.year}" if first.year != last.year else ""
    return f"{_day_of_month(language, first)}{since} – {_day_of_month(language, last)}{year}"


def _day_of_month(language: str, day: date) -> str:
    return f"{day.day}\N{NO-BREAK SPACE}{texts.month(language, day)}"


def month_title(language: str, day: date, *, year: bool = True) -> str:
    """«Март 2026»."""
    name = format_date(day, "LLLL y" if year else "LLLL", locale="ru" if language == "ru" else "en_GB")
    return name[:1].upper() + name[1:]


def free_days(countries: list[str], period: Period, weekend: frozenset[int]) -> set[date]:
    """Weekends and public holidays among the days, as most of these countries (one for each resource) have them."""
    country = max(set(countries), key=countries.count, default="")
    found = {day for day in period.days if day.weekday() in weekend}
    years = [year for year in (period.days[0].year, period.days[-1].year) if FIRST_YEAR <= year <= LAST_YEAR]
    if country and years:
        public = holiday_dates(country, years[0], years[-1])
        found = found - public.workdays | (public.closed & set(period.days))
    return found
