"""What managers and clients will see, drawn from the answers: by the same core that will decide and reckon later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from b24app import texts
from b24app.booking.guide import (
    GROUPS,
    Answers,
    Group,
    clients_policy,
    colleagues_policy,
    durations,
    named,
    opening_hours,
    tariff_of,
)
from b24app.scheduling.hours import Timetable, local_instant, open_intervals
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy, Rung, fee
from b24app.scheduling.pricing import Quote, minor_digits, quote

MOST_LANES, MOST_TIMES = 6, 6
NAMES_END, WIDTH, HEAD, ROW = 96, 288, 18, 30  # of the small board, in its own units
NOON = 12 * 60
ASKED_AT = 10 * 60 + 2  # when the first of two clients asks
AWAY = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Example:
    """A booking as it may be made the day after tomorrow."""

    what: str
    where: str
    during: Interval
    zone: ZoneInfo
    quote: Quote | None
    policy: Policy
    language: str

    @property
    def when(self) -> str:
        return texts.period(self.language, self.during.start, self.during.end, self.zone)

    @property
    def at(self) -> str:
        return texts.clock(self.during.start, self.zone)

    @property
    def total(self) -> str:
        return self.money(self.quote.total) if self.quote else ""

    @property
    def asked(self) -> str:
        """What is to be paid for the booking to be confirmed, "" for nothing."""
        return self.money(self.quote.deposit) if self.quote and self.quote.deposit else ""

    def money(self, amount: Decimal) -> str:
        assert self.quote is not None, "asked for where there is a price"
        return texts.money(self.language, amount, self.quote.currency)

    def moment(self, hours: int) -> str:
        """So many hours before the start."""
        return texts.moment(self.language, self.during.start - timedelta(hours=hours), self.zone)


def example(answers: Answers, named_in: str, language: str, currency: str, now: datetime) -> Example:
    """One of what clients book, where there are clients. `named_in`: the language of what is made, as of the portal."""
    name = next((one for one in reversed(GROUPS) if one in answers.what), GROUPS[0])
    group, zone = answers.group(name), ZoneInfo(answers.time_zone)
    during = _during(answers, group, _open_day(answers, (now + AWAY).astimezone(zone).date()), zone)
    tariff = tariff_of(answers, name, named_in)
    places = list(named(group)) or [""]
    policy = colleagues_policy if name == "rooms" else clients_policy
    return Example(
        what=group.service if group.unit == "service" else places[0],
        where=", ".join(filter(None, (places[0] if group.unit == "service" else "", answers.city, answers.address))),
        during=during,
        zone=zone,
        quote=quote(tariff, during, zone, currency) if tariff else None,
        policy=policy(answers, named_in),
        language=language,
    )


def _open_day(answers: Answers, earliest: date) -> date:
    days = (earliest + timedelta(days=n) for n in range(7))
    return next((day for day in days if day.weekday() in answers.weekdays), earliest)


def _during(answers: Answers, group: Group, day: date, zone: ZoneInfo) -> Interval:
    """About noon, on the step of the group, and within the hours."""
    shortest, _longest, step = durations(group)
    minutes = max(shortest, 60) if group.unit == "free" and 60 % step == 0 else shortest
    latest = max(answers.opens, answers.closes - minutes)
    start = min(max(answers.opens, NOON), latest) // step * step
    begins = local_instant(day, max(start, 0), zone)
    return Interval(begins, begins + timedelta(minutes=minutes))


# The small board ----


@dataclass(frozen=True, slots=True)
class Block:
    """A booking on the small board; `look` as on the big one."""

    x: int
    width: int
    look: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One resource. `y`: its upper edge."""

    name: str
    y: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Small:
    """A day of the board: lanes with examples, and the hours above them."""

    lanes: tuple[Lane, ...]
    hours: tuple[tuple[int, str], ...]
    more: int
    height: int


def small_board(answers: Answers) -> Small:
    """The first of everything that was named."""
    every = [(name, answers.group(group)) for group in answers.what for name in named(answers.group(group))]
    lanes = tuple(
        Lane(name[:16] + "…" if len(name) > 17 else name, HEAD + n * ROW, _blocks(answers, group, n))
        for n, (name, group) in enumerate(every[:MOST_LANES])
    )
    step = 60 * max(1, round((answers.closes - answers.opens) / 60 / 5))
    first = -(-answers.opens // 60) * 60
    hours = tuple((_x(answers, at), f"{at // 60:02}") for at in range(first, answers.closes, step))
    return Small(lanes, hours, len(every) - len(lanes), HEAD + len(lanes) * ROW + 4)


def _x(answers: Answers, minute: int) -> int:
    span = max(60, answers.closes - answers.opens)
    return NAMES_END + round((WIDTH - NAMES_END) * (minute - answers.opens) / span)


LOOKS = ("conf", "hold", "paid")


def _blocks(answers: Answers, group: Group, lane: int) -> tuple[Block, ...]:
    shortest, _longest, step = durations(group)
    length = max(shortest, 60) if group.unit == "free" else shortest
    grid = step if group.unit != "slot" else shortest
    found: list[Block] = []
    for n in range(2):
        start = answers.opens + (60 + lane * 75 + n * 240) // grid * grid
        if start + length <= answers.closes:
            x = _x(answers, start)
            look = LOOKS[(lane + n) % (3 if answers.settled.money != "none" else 1)]
            found.append(Block(x, max(6, _x(answers, start + length) - x - 1), look))
    return tuple(found)


def times(answers: Answers, name: str, day: date) -> list[str]:
    """The first times of a day that somebody may choose, as the form will offer them."""
    group, zone = answers.group(name), ZoneInfo(answers.time_zone)
    shortest, _longest, step = durations(group)
    table = Timetable(zone, opening_hours(answers))
    begins = local_instant(day, 0, zone)
    found: list[str] = []
    for stretch in open_intervals(table, Interval(begins, begins + timedelta(days=1))):
        start = stretch.start
        while start + timedelta(minutes=shortest) <= stretch.end and len(found) < MOST_TIMES:
            end = start + timedelta(minutes=shortest)
            found.append(texts.span(start, end, zone) if group.unit == "slot" else texts.clock(start, zone))
            start += timedelta(minutes=step)
    return found


def time_words(answers: Answers, name: str, language: str) -> str:
    """How long it may be, in a sentence."""
    group = answers.group(name)
    shortest, longest, step = (texts.duration(language, one) for one in durations(group))
    if group.unit == "service":
        return _("%(name)s lasts %(time)s", name=group.service, time=shortest)
    if group.unit == "slot":
        return _("Whole periods of %(time)s, up to %(most)s in a row", time=step, most=longest)
    return _("From %(least)s to %(most)s, to within %(step)s", least=shortest, most=longest, step=step)


# Two clients, and what cancelling costs ----


def until(shown: Example, answers: Answers) -> str:
    """Until when the time of the one who asked first is kept."""
    day = shown.during.start.astimezone(shown.zone).date() - timedelta(days=1)
    at = local_instant(day, ASKED_AT, shown.zone) + timedelta(minutes=answers.wait_minutes)
    return texts.moment(shown.language, at, shown.zone, local_instant(day, 0, shown.zone))


def others(answers: Answers, shown: Example) -> list[str]:
    """Times besides the one that is taken."""
    step = max(durations(answers.group(answers.what[-1]))[2], 30)
    starts = (shown.during.end + timedelta(minutes=n * step) for n in (1, 3))
    return [texts.clock(one, shown.zone) for one in starts]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time before the start in which cancelling costs so much; `number` counts from the first."""

    number: int
    percent: str
    since: str
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What is kept and given back when a booking is cancelled so many hours before the start."""

    segments: tuple[Segment, ...]
    free_until: str
    costs: tuple[tuple[str, str], ...]
    before: str
    kept: str
    back: str
    of: str
    mark: int


def cancelled(shown: Example) -> Cancelled | None:
    """None where cancelling costs nothing, or is not possible."""
    rungs = sorted(shown.policy.cancel_ladder, key=lambda rung: -rung.hours)
    if not rungs or shown.quote is None:
        return None
    hours = max(1, (rungs[0].hours + (rungs[1].hours if len(rungs) > 1 else 0)) // 2)
    total, start, digits = shown.quote.total, shown.during.start, minor_digits(shown.quote.currency)
    kept = fee(rungs, total, start, start - timedelta(hours=hours), digits)
    segments = tuple(_segments(rungs, shown.language))
    costs = [
        (shown.moment(one.hours), shown.money(fee([Rung(one.hours, one.percent)], total, start, start, digits)))
        for one in rungs
    ]
    return Cancelled(
        segments=segments,
        free_until=shown.moment(rungs[0].hours),
        costs=tuple(costs),
        before=texts.term(shown.language, hours * 60),
        kept=shown.money(kept),
        back=shown.money(total - kept),
        of=shown.total,
        mark=segments[1].x + segments[1].width // 2,
    )


def _segments(rungs: Sequence[Rung], language: str) -> Iterator[Segment]:
    """Equally wide: hours would leave the last ones no room."""
    width = 280 // (len(rungs) + 1)
    yield Segment(0, texts.percent(language, 0), "", 0, width)
    for n, rung in enumerate(rungs, start=1):
        since = texts.term(language, rung.hours * 60)
        yield Segment(n, texts.percent(language, rung.percent), since, n * width, width)
