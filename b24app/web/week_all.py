"""The week of several resources: a row for each, a cell for each day with what stands there in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from flask import render_template
from flask_babel import gettext
from markupsafe import Markup

from b24app import texts
from b24app.ledger import board as ledger
from b24app.ledger.spread import BoardBlock, BoardResource, Standing
from b24app.web import lanes, period, share
from b24app.web.ask import Ask, Drawn
from b24app.web.grouping import sections
from b24app.web.period import Period
from b24app.web.picker import picker
from b24app.web.share import Share

A_WEEK = timedelta(days=7)
MOST_CHIPS = 3
MANY = 60  # resources: with more of them cells tell only how many bookings there are
LEGEND = {"hold": "prebooked", "req": "request", "conf": "confirmed", "done": "completed", "nosh": "no_show"}


@dataclass(frozen=True, slots=True)
class Chip:
    """One booking. `target`: its number, "" where it is no link."""

    look: str
    clock: str
    words: str
    target: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One day of one resource; `more` of its bookings are not among the chips."""

    share: Share
    chips: list[Chip]
    more: int


@dataclass(frozen=True, slots=True)
class DayHead:
    """A day as it stands above its column."""

    day: date
    weekday: str
    number: int
    label: str
    is_today: bool
    is_free: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One resource."""

    resource: BoardResource
    cells: list[Cell]
    share: Share


def draw(ask: Ask) -> Drawn:
    """The week that `ask.day` lies in, by the clock that the day board has."""
    week = period.week_of(ask.day, ask.zone, period.customs(ask.tenant.portal.time_zone).first_weekday)
    loads = share.loads(ask, week)
    most = MOST_CHIPS if len(ask.shown.shown) <= MANY else 0
    standing = ledger.standing(ask.tx, ask.tenant.portal.id, ask.shown, share.look(ask, week)) if most else None
    cells = Cells(ask, week, most)
    rows = {
        one.id: Row(
            one,
            cells.of(_blocks(standing, one), loads.shares[one.id]) if standing else cells.counted(loads.shares[one.id]),
            share.total(loads.shares[one.id]),
        )
        for one in ask.shown.shown
    }
    title = period.week_title(ask.language, week, ask.today)
    body = render_template(
        "board/_week_all.html",
        title=title,
        heads=heads(ask, week),
        sections=sections(ask),
        rows=rows,
        choice=ask.choice,
        total=len(ask.shown.shown),
        most=most,
    )
    return Drawn(
        body=Markup(body),  # noqa: S704 — a template has made it
        title=title,
        previous=period.clamped(ask.day - A_WEEK),
        next=period.clamped(ask.day + A_WEEK),
        until=standing.until if standing else loads.until,
        looks=frozenset(LEGEND.get(one, one) for one in cells.looks),
        aside=picker(ask, None),
    )


def _blocks(standing: Standing, resource: BoardResource) -> list[BoardBlock]:
    both = (*standing.held[resource.id], *standing.requests[resource.id])
    return sorted(both, key=lambda block: block[2])


def heads(ask: Ask, days: Period) -> list[DayHead]:
    """The days above the columns; weekends and holidays as most of the resources have them."""
    countries = [one.holidays for one in ask.shown.shown if one.holidays]
    free = period.free_days(countries, days, period.customs(ask.tenant.portal.time_zone).weekend)
    language = ask.language
    return [
        DayHead(day, texts.weekday(language, day), day.day, texts.day(language, day), day == ask.today, day in free)
        for day in days.days
    ]


class Cells:
    """The days of one resource after the other; `looks` are those of everything that was drawn."""

    def __init__(self, ask: Ask, week: Period, most: int = MOST_CHIPS) -> None:
        self._week, self._most, self._language = week, most, ask.language
        self.looks: set[str] = set()

    def of(self, blocks: Sequence[BoardBlock], shares: Sequence[Share]) -> list[Cell]:
        """A cell for each day; what goes over midnight stands on both."""
        found = []
        for number, here in enumerate(shares):
            start, end = self._week.bounds[number : number + 2]
            inside = [block for block in blocks if block[2] < end and block[3] > start]
            chips = [self._chip(block, start) for block in _once(inside)[: self._most]]
            found.append(Cell(here, chips, max(0, len(_once(inside)) - len(chips))))
        return found

    def counted(self, shares: Sequence[Share]) -> list[Cell]:
        """Only how many there are: of hundreds of resources nobody reads more at once."""
        return [Cell(one, [], one.bookings) for one in shares]

    def _chip(self, block: BoardBlock, midnight: int) -> Chip:
        start = max(block.start, block.more.start if block.more else block.start, midnight)
        look = _look(block)
        self.looks.add(look)
        return Chip(
            look=look + (" lag" if block.more and block.more.behind else ""),
            clock=texts.clock(datetime.fromtimestamp(start, UTC), self._week.zone),
            words=gettext("Taken") if look == "busy" else block.label or "",
            target=str(block.number or ""),
        )


def _once(blocks: Sequence[BoardBlock]) -> list[BoardBlock]:
    """Each booking once, however many units it has."""
    known: set[int] = set()
    found = []
    for block in blocks:
        if block.number is None or block.number not in known:
            found.append(block)
            known.add(block.number or 0)
    return found


def _look(block: BoardBlock) -> str:
    if block.payment == "paid" and block.stage == "confirmed":
        return "paid"
    return {"busy": "busy", "request": "req", "within": "part", "part": "part"}.get(block.stage) or lanes.LOOKS[
        block.stage
    ]
