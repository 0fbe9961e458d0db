"""Instants and days in words, in the viewer's zone and language."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

MONTHS = {
    "ru": (
        "января",
        "февраля",
        "марта",
        "апреля",
        "мая",
        "июня",
        "июля",
        "августа",
        "сентября",
        "октября",
        "ноября",
        "декабря",
    ),
    "en": (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
}
WEEKDAYS = {
    "ru": ("Пн", "Вт", "Ср", "Чт", "Пт", "Сб", "Вс"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}


def day_words(day: date, lang: str, year: bool = True) -> str:
    """«23 ноября 2026»."""
    return f"{day.day} {MONTHS[lang][day.month - 1]}" + (f" {day.year}" if year else "")


def moment_words(moment: datetime, zone: ZoneInfo, lang: str) -> str:
    """«23 ноября 2026, 14:00» in the viewer's zone."""
    local = moment.astimezone(zone)
    return f"{day_words(local.date(), lang)}, {local:%H:%M}"


def span_words(start: datetime, end: datetime, zone: ZoneInfo, lang: str, this_year: int = 0) -> str:
    """«23 ноября 2026, 14:00–15:30»; with both days when they differ, without the year when it is ``this_year``."""
    first, last = start.astimezone(zone), end.astimezone(zone)
    if first.date() == last.date():
        return f"{day_words(first.date(), lang, year=first.year != this_year)}, {first:%H:%M}–{last:%H:%M}"
    return f"{moment_words(start, zone, lang)} – {moment_words(end, zone, lang)}"


def week_words(monday: date, lang: str) -> str:
    """«23–29 ноября 2026», «30 ноября – 6 декабря 2026»."""
    sunday = monday + timedelta(days=6)
    if monday.month == sunday.month:
        return f"{monday.day}–{day_words(sunday, lang)}"
    return f"{day_words(monday, lang, year=monday.year != sunday.year)} – {day_words(sunday, lang)}"


def parse_moment(text: object) -> datetime | None:
    """An ISO 8601 instant with an offset, as REST writes it; None for anything else."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def zone_words(zone: ZoneInfo, at: datetime) -> str:
    """«Europe/Moscow, UTC+3» at that moment."""
    offset = at.astimezone(zone).utcoffset() or timedelta()
    hours, minutes = divmod(abs(int(offset.total_seconds())) // 60, 60)
    sign = "−" if offset < timedelta() else "+"
    return f"{zone.key}, UTC{sign}{hours}" + (f":{minutes:02}" if minutes else "")
