"""Free times as buttons: the days of a week, the starts of one of them, the nearest ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from b24app import texts
from b24app.scheduling.availability import Slot
from b24app.scheduling.hours import UnclearHour, day_interval, wall_instant
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
    """A free start. `left`: how many could still have it, where that is more than one."""

    words: str
    left: int | None
    values: Mapping[str, str]
    chosen: bool


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
    """The free times of a week, and of one day of it by its parts."""

    days: list[DayChoice]
    earlier: Mapping[str, str] | None
    later: Mapping[str, str]
    parts: list[tuple[str, list[Start]]]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is free on the chosen day."""
        return not any(starts for _title, starts in self.parts)


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
    return Times(
        days=[_day(asked, day, found) for day, found in shown.items()],
        earlier=_on(asked, asked.week - timedelta(days=1)) if asked.week > asked.today else None,
        later=_on(asked, asked.week + WEEK),
        parts=_parts(asked, shown[asked.day]),
    )


def _shown(slots: Sequence[Slot], zone: ZoneInfo) -> list[Slot]:
    """Those that get a button: few enough to look at, and only such as can be told by the clock on the wall."""
    clear = [slot for slot in slots if is_clear(slot.interval, zone)]
    for grid in GRIDS:
        if len(clear) <= MOST_STARTS:
            break
        clear = [slot for slot in clear if _minute(slot.interval.start, zone) % grid == 0]
    return clear


def is_clear(interval: Interval, zone: ZoneInfo) -> bool:
    """Whether the wall clock shows both ends exactly once that day."""
    try:
        return all(
            wall_instant(at.astimezone(zone).date(), _minute(at, zone), zone) == at
            for at in (interval.start, interval.end)
        )
    except UnclearHour:
        return False


def _minute(at: datetime, zone: ZoneInfo) -> int:
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


def _parts(asked: Asked, found: Sequence[Slot]) -> list[tuple[str, list[Start]]]:
    several = any(slot.left > 1 for slot in found)
    parts: dict[str, list[Start]] = {_("Morning"): [], _("Afternoon"): [], _("Evening"): []}
    morning, afternoon, evening = parts.values()
    for slot in found:
        minute = _minute(slot.interval.start, asked.zone)
        start = Start(
            words=texts.clock(slot.interval.start, asked.zone),
            left=slot.left if several else None,
            values=values_of(slot.interval, asked.zone, asked.minutes),
            chosen=minute == asked.start,
        )
        (morning if minute < NOON else afternoon if minute < EVENING else evening).append(start)
    return list(parts.items())
