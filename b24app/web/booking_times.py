"""Free times as buttons: the days of a week, the starts of one of them, the nearest ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from b24app import texts
from b24app.scheduling.availability import Slot
from b24app.scheduling.hours import DAY_MINUTES, UnclearHour, day_interval, wall_instant
from b24app.scheduling.interval import Interval

WEEK = timedelta(days=7)
# A day of five-minute steps has hundreds of starts; the others can be typed.
MOST_STARTS = 24
GRIDS = (15, 30, 60, 120)
NOON, EVENING = 12 * 60, 17 * 60


@dataclass(frozen=True, slots=True)
class Choice:
    """A free time that is offered instead: what stands on the button and what it puts into the form."""

    words: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Start:
    """A free start. `left`: how many could still have it, where that is more than one. `gone`: what was chosen, and is
    not free."""

    words: str
    left: int | None
    values: Mapping[str, str]
    chosen: bool
    gone: bool = False


@dataclass(frozen=True, slots=True)
class DayChoice:
    """One day of the week; `free` is how many starts it has, None for one that is over."""

    day: date
    weekday: str
    label: str
    free: int | None
    values: Mapping[str, str]
    chosen: bool


@dataclass(frozen=True, slots=True)
class Times:
    """The free times of a week, and of one day of it by its parts. `gone`: the chosen start, where it is not free."""

    days: list[DayChoice]
    earlier: Mapping[str, str] | None
    later: Mapping[str, str]
    parts: list[tuple[str, list[Start]]]
    gone: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is free on the chosen day."""
        return not any(not start.gone for _title, starts in self.parts for start in starts)


@dataclass(frozen=True, slots=True)
class Asked:
    """What free times are shown for. `minutes`: the length where it is always the same; `days`: over how many days it
    goes."""

    language: str
    zone: ZoneInfo
    day: date
    start: int | None
    minutes: int | None
    days: int
    today: date

    @property
    def week(self) -> date:
        """The first day of the week that is shown: weeks are counted from today, so that none of it has passed."""
        return self.day - (self.day - self.today) % WEEK

    @property
    def window(self) -> Interval:
        """That week as instants."""
        last = day_interval(self.week + WEEK - timedelta(days=1), self.zone)
        return Interval(day_interval(self.week, self.zone).start, last.end)


def values_of(interval: Interval, zone: ZoneInfo, minutes: int | None) -> dict[str, str]:
    """What a button puts into the form for this time; no end where the length is settled."""
    start, end = interval.start.astimezone(zone), interval.end.astimezone(zone)
    values = {"date": start.date().isoformat(), "start": texts.clock(start, zone)}
    if minutes is None:
        other_day = end.date() != start.date()
        values |= {"end": texts.clock(end, zone), "end_date": end.date().isoformat() if other_day else ""}
    return values


def choice(language: str, interval: Interval, zone: ZoneInfo, minutes: int | None, at: datetime) -> Choice:
    """The button for a time on whatever day."""
    day = interval.start.astimezone(zone).date()
    today = day == at.astimezone(zone).date()
    words = texts.say(language, "today") if today else texts.day(language, day, short=True)
    return Choice(f"{words}, {texts.span(interval.start, interval.end, zone)}", values_of(interval, zone, minutes))


def times(asked: Asked, slots: Iterable[Slot]) -> Times:
    """The week around the chosen day, out of everything that is free in it."""
    by_day: dict[date, list[Slot]] = {asked.week + timedelta(days=n): [] for n in range(7)}
    for slot in slots:
        by_day.get(slot.interval.start.astimezone(asked.zone).date(), []).append(slot)
    shown = {day: _shown(found, asked.zone) for day, found in by_day.items()}
    gone = _gone(asked, by_day[asked.day])
    return Times(
        days=[_day(asked, day, found) for day, found in shown.items()],
        earlier=_on(asked, asked.week - timedelta(days=1)) if asked.week > asked.today else None,
        later=_on(asked, asked.week + WEEK),
        parts=_parts(asked, shown[asked.day], gone),
        gone=gone.words if gone else "",
    )


def _gone(asked: Asked, free: Sequence[Slot]) -> Start | None:
    """The chosen start, when it stands on that day and nobody can have it."""
    if asked.start is None or asked.start >= DAY_MINUTES or asked.day < asked.today:
        return None
    if any(minute_of(slot.interval.start, asked.zone) == asked.start for slot in free):
        return None
    words = f"{asked.start // 60}:{asked.start % 60:02}"
    return Start(words, None, {"date": asked.day.isoformat(), "start": words}, chosen=True, gone=True)


def _shown(slots: Sequence[Slot], zone: ZoneInfo) -> list[Slot]:
    """Those that get a button: few enough to look at, and only such as can be told by the clock on the wall."""
    clear = [slot for slot in slots if is_clear(slot.interval, zone)]
    for grid in GRIDS:
        if len(clear) <= MOST_STARTS:
            break
        clear = [slot for slot in clear if minute_of(slot.interval.start, zone) % grid == 0]
    return clear


def is_clear(interval: Interval, zone: ZoneInfo) -> bool:
    """Whether the wall clock shows both ends exactly once that day."""
    try:
        return all(
            wall_instant(at.astimezone(zone).date(), minute_of(at, zone), zone) == at
            for at in (interval.start, interval.end)
        )
    except UnclearHour:
        return False


def minute_of(at: datetime, zone: ZoneInfo) -> int:
    """The minute of the day that the wall clock shows."""
    local = at.astimezone(zone)
    return local.hour * 60 + local.minute


def _day(asked: Asked, day: date, found: Sequence[Slot]) -> DayChoice:
    return DayChoice(
        day=day,
        weekday=texts.weekday(asked.language, day),
        label=texts.day(asked.language, day),
        free=len(found) if day >= asked.today else None,
        values=_on(asked, day),
        chosen=day == asked.day,
    )


def _on(asked: Asked, day: date) -> dict[str, str]:
    """The same hours on another day."""
    if not asked.days:
        return {"date": day.isoformat()}
    return {"date": day.isoformat(), "end_date": (day + timedelta(days=asked.days)).isoformat()}


def _parts(asked: Asked, found: Sequence[Slot], gone: Start | None) -> list[tuple[str, list[Start]]]:
    several = any(slot.left > 2 for slot in found)  # of two it is no news that one is left
    parts: dict[str, list[Start]] = {_("Morning"): [], _("Afternoon"): [], _("Evening"): []}
    for slot in found:
        minute = minute_of(slot.interval.start, asked.zone)
        start = Start(
            words=texts.clock(slot.interval.start, asked.zone),
            left=slot.left if several else None,
            values=values_of(slot.interval, asked.zone, asked.minutes),
            chosen=minute == asked.start,
        )
        _part_of(minute, parts).append(start)
    if gone is not None:
        part = _part_of(asked.start or 0, parts)
        part.insert(sum(_clock(one) < (asked.start or 0) for one in part), gone)
    return list(parts.items())


def _part_of(minute: int, parts: Mapping[str, list[Start]]) -> list[Start]:
    morning, afternoon, evening = parts.values()
    return morning if minute < NOON else afternoon if minute < EVENING else evening


def _clock(start: Start) -> int:
    hours, minutes = start.words.split(":")
    return int(hours) * 60 + int(minutes)
