"""What stands on a sheet for the door: lines in the order of time, with what is free between them.

A sheet hangs where anybody reads it. So a client's name, and a title that somebody wrote about a client's visit, stand
on it only when the person who prints it has asked for names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from b24app import texts
from b24app.errors import InvalidInput
from b24app.ledger import board, entries
from b24app.ledger.board import Look
from b24app.ledger.entries import Named, Where
from b24app.ledger.session import Session
from b24app.ledger.spread import BoardBlock, BoardResource, Offered
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.hours import Reason
from b24app.web.day import axis_zone
from b24app.web.opening import Opening, openings
from b24app.web.period import Period, customs, week_of, week_title
from b24app.web.visit import Visit

LONGEST_WHAT = 120
MOST_LINES = 6000  # on all pages together
SPANS = ("day", "week")
REACH = timedelta(days=9)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be printed. `apart`: every resource on a page of its own, for its own door."""

    span: str = "day"
    day: date | None = None
    apart: bool = False
    names: bool = False


class Line(NamedTuple):
    """One stretch of a day. `look`: booked, hold, busy, free or closed."""

    time: str
    what: str
    note: str
    look: str


@dataclass(frozen=True, slots=True)
class Part:
    """The lines of one day of one resource. `title` names the day or the resource, `note` where that is."""

    title: str
    note: str
    lines: Sequence[Line]
    is_today: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One sheet, on one or more pieces of paper. `layout`: list (one day of one), week, or table (one day of many)."""

    layout: str
    title: str
    when: str
    place: str
    zone: str
    parts: Sequence[Part]

    @property
    def is_wide(self) -> bool:
        return self.layout == "week"

    @property
    def rows(self) -> list[list[Line | None]]:
        """The lines of all parts side by side."""
        most = max((len(part.lines) for part in self.parts), default=0)
        return [[part.lines[n] if n < len(part.lines) else None for part in self.parts] for n in range(most)]


@dataclass(frozen=True, slots=True)
class Sheet:
    """All pages. `made` says when, `company` for whom."""

    pages: Sequence[Page]
    made: str
    company: str
    language: str

    @property
    def title(self) -> str:
        return f"{self.pages[0].title}, {self.pages[0].when}" if self.pages else ""


@dataclass(frozen=True, slots=True)
class Paper:
    """Who prints what, when, and out of what."""

    tx: Session
    tenant: Tenant
    visit: Visit
    of: Offered
    wish: Wish
    at: datetime

    @property
    def language(self) -> str:
        return self.visit.language

    def period(self, zone: ZoneInfo) -> Period:
        """The days that are printed, by this clock. Raises InvalidInput for a day that a zone has left out."""
        day = self.wish.day or self.at.astimezone(zone).date()
        period = Period(day, 1, zone)
        if self.wish.span == "week":
            period = week_of(day, zone, customs(self.tenant.portal.time_zone).first_weekday)
        if period.bounds[0] == period.bounds[-1]:
            raise InvalidInput({"day": "not_a_date"})
        return period


def read_sheet(paper: Paper) -> Sheet:
    """The sheet, as this visitor may see it. Raises InvalidInput where there is too much for paper."""
    shown = paper.of.shown
    where = entries.places(paper.tx, paper.tenant.portal.id, [one.id for one in shown])
    if paper.wish.apart or paper.wish.span == "week" or len(shown) == 1:
        pages = _apart(paper, where)
    else:
        pages = [_together(paper, where)] if shown else []
    if sum(len(part.lines) for page in pages for part in page.parts) > MOST_LINES:
        raise InvalidInput({"what": "too_many"})
    moment = paper.at.astimezone(axis_zone(shown, paper.visit))
    made = _("Made on %(when)s", when=texts.moment(paper.language, moment, moment.tzinfo or UTC))
    return Sheet(pages, made, paper.tenant.portal.domain, paper.language)


def _apart(paper: Paper, where: Mapping[int, Where]) -> list[Page]:
    """A page for each, by its own clock. Those that share a clock are read together."""
    zones = dict.fromkeys(one.time_zone for one in paper.of.shown)
    drawn: dict[int, Page] = {}
    for zone in zones:
        of = paper.of.only({one.id for one in paper.of.shown if one.time_zone == zone})
        read = _read(paper, of, paper.period(ZoneInfo(zone)))
        drawn |= {one.id: _door(paper, read, one, where) for one in of.shown}
    return [drawn[one.id] for one in paper.of.shown]


def _door(paper: Paper, read: Read, one: BoardResource, where: Mapping[int, Where]) -> Page:
    period, week = read.period, paper.wish.span == "week"
    today = paper.at.astimezone(period.zone).date()
    return Page(
        layout="week" if week else "list",
        title=one.name,
        when=week_title(paper.language, period, today) if week else _day(paper, period.first, today),
        place=_place(where.get(one.id)),
        zone=_clock(paper, period),
        parts=[
            Part(_short(paper, day), "", read.lines(one, n), day == today) for n, day in enumerate(period.days)
        ],
    )  # fmt: skip


def _together(paper: Paper, where: Mapping[int, Where]) -> Page:
    zone = axis_zone(paper.of.shown, paper.visit)
    read = _read(paper, paper.of, paper.period(zone))
    today = paper.at.astimezone(zone).date()
    return Page(
        layout="table",
        title=_("Bookings of the day"),
        when=_day(paper, read.period.first, today),
        place="",
        zone=_clock(paper, read.period),
        parts=[Part(one.name, _place(where.get(one.id)), read.lines(one, 0)) for one in paper.of.shown],
    )


def _day(paper: Paper, day: date, today: date) -> str:
    words = texts.day(paper.language, day)
    return words if day.year == today.year else f"{words} {day.year}"


def _clock(paper: Paper, period: Period) -> str:
    return _("time of %(zone)s", zone=texts.zone(paper.language, period.zone, period.window.start))


def _short(paper: Paper, day: date) -> str:
    return texts.day(paper.language, day, short=True)


def _place(where: Where | None) -> str:
    """«Нижний Новгород, ул. Пушкина, 7»; a person is nowhere in particular, but his city is."""
    return ", ".join(filter(None, (where.city, where.address))) if where else ""


# The lines -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of some days, for the lines of each resource."""

    paper: Paper
    period: Period
    opened: dict[int, Opening]
    held: dict[int, list[BoardBlock]]
    called: dict[int, Named]

    def lines(self, one: BoardResource, number: int) -> list[Line]:
        """What stands on one of the days, and what is free of it."""
        first, last = self.period.bounds[number : number + 2]
        opening, held = self.opened[one.id], [b for b in self.held[one.id] if b[2] < last and b[3] > first]
        alike = Counter((*_inner(block), self._booked(block, first, last)) for block in held)
        lines = [(start, end, _times(line, count)) for (start, end, line), count in alike.items()]
        lines += [
            (start, end, Line(self._time(start, end, first, last), _("free").capitalize(), "", "free"))
            for start, end in _free(opening, held, len(one.units or "1"), first, last)
        ]
        lines += [(start, end, line) for start, end, line in self._closed(opening, first, last)]
        if not lines:
            return [Line("", _("Closed"), "", "closed")]
        return [line for _start, _end, line in sorted(lines, key=lambda row: row[:2])]

    def _booked(self, block: BoardBlock, first: int, last: int) -> Line:
        what, note = self._what(block)
        look = "hold" if block.stage == "prebooked" else "busy" if block.stage == "busy" else "booked"
        start, end = _inner(block)
        return Line(self._time(start, end, first, last), shortened(what), shortened(note), look)

    def _what(self, block: BoardBlock) -> tuple[str, str]:
        if block.stage == "busy":
            return _("Taken"), ""
        if block.stage == "within":
            return _("Taken"), _("part of: %(name)s", name=block.label) if block.label else ""
        if block.stage == "part":
            return _("a part is taken").capitalize(), block.label or ""
        named = self.called.get(block.number or 0, Named("", "", ""))
        what, note = called(named, names=self.paper.wish.names)
        held = texts.say(self.paper.language, "stage.prebooked") if block.stage == "prebooked" else ""
        return what or _("Taken"), ", ".join(filter(None, (note, held)))

    def _time(self, start: int, end: int, first: int, last: int) -> str:
        """«9:00–10:30»; of what goes over midnight the end that is on this day."""
        zone = self.period.zone
        since, until = (texts.clock(datetime.fromtimestamp(at, UTC), zone) for at in (start, end))
        if start <= first and end >= last:
            return _("all day")
        if start < first:
            return _("until %(time)s", time=until)
        return _("from %(time)s", time=since) if end > last else f"{since}–{'24:00' if end == last else until}"

    def _closed(self, opening: Opening, first: int, last: int) -> Iterable[tuple[int, int, Line]]:
        """Why it is closed at other times than usual; evenings and nights need no words."""
        told = [*opening.closures, *(gap for gap in opening.gaps if gap.reason.code != "hours")]
        for gap in told:
            start, end = max(gap.start, first), min(gap.end, last)
            if start < end:
                yield start, end, Line(self._time(start, end, first, last), self._why(gap.reason), "", "closed")

    def _why(self, reason: Reason) -> str:
        return texts.say_obstacle(self.paper.language, reason.code, reason.params, self.period.zone)


def _read(paper: Paper, of: Offered, period: Period) -> Read:
    longest = timedelta(minutes=paper.tenant.portal.longest_minutes)
    portal_id = paper.tenant.portal.id
    standing = board.standing(paper.tx, portal_id, of, Look(period.window, longest, paper.at))
    held = {key: [BoardBlock(*block) for block in blocks] for key, blocks in standing.held.items()}
    numbers = {block.number for blocks in held.values() for block in blocks if block.number is not None}
    named = entries.called(paper.tx, portal_id, numbers)
    return Read(paper, period, openings(of.shown, of.every, period.window), held, named)


def called(named: Named, *, names: bool) -> tuple[str, str]:
    """What a booking is called where others read it, and what is added to that; both may be empty.

    Without names only what says nothing of a client: the service, or the title of what has no client.
    """
    if not names:
        return (named.service if named.client else named.title or named.service), ""
    parts = [part for part in (named.title or named.client, named.client, named.service) if part]
    told = list(dict.fromkeys(parts))
    return (told[0] if told else ""), ", ".join(told[1:])


def shortened(text: str, most: int = LONGEST_WHAT) -> str:
    """A text that fits on paper, in one line of its own."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1].rstrip() + "…"


def _times(line: Line, count: int) -> Line:
    """A booking that takes several equal places is one line."""
    return line if count == 1 else line._replace(note=", ".join(filter(None, (line.note, f"× {count}"))))


def _inner(block: BoardBlock) -> tuple[int, int]:
    """From when to when without the buffers, which are nobody's business at a door."""
    return (block.more.start, block.more.end) if block.more else (block.start, block.end)


def _free(opening: Opening, held: Sequence[BoardBlock], places: int, first: int, last: int) -> list[tuple[int, int]]:
    """When it is open and at least one of its places is not taken."""
    taken = _full(held, places)
    found = []
    for start, end in opening.free:
        at = max(start, first)
        for left, right in taken:
            if left > at:
                found.append((at, min(left, end, last)))
            at = max(at, right)
        found.append((at, min(end, last)))
    return [(start, end) for start, end in found if start < end]


def _full(held: Sequence[BoardBlock], places: int) -> list[tuple[int, int]]:
    """The stretches at which all places are taken."""
    steps = sorted([(b.start, 1) for b in held] + [(b.end, -1) for b in held])
    found: list[tuple[int, int]] = []
    count, since = 0, 0
    for at, step in steps:
        before, count = count, count + step
        if before < places <= count:
            since = at
        elif count < places <= before and since < at:
            found.append((since, at))
    return found
