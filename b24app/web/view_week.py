"""A week: of one resource, day beside day with the hours downwards, or of several, a cell for each day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from flask import render_template
from flask_babel import gettext
from markupsafe import Markup

from b24app import texts
from b24app.booking.holidays import holiday_name
from b24app.ledger import board as ledger
from b24app.ledger import load
from b24app.ledger.load import Line
from b24app.ledger.spread import BoardBlock, BoardResource, Standing
from b24app.scheduling.hours import Reason
from b24app.web import lanes, period, share, week_all, week_lane
from b24app.web.ask import Ask, Drawn
from b24app.web.lanes import Day
from b24app.web.opening import Gap, Opening
from b24app.web.period import Period
from b24app.web.picker import picker
from b24app.web.share import Share
from b24app.web.week_lane import Block, Tongue
from b24app.web.week_side import side

A_WEEK = timedelta(days=7)
SHORT = 30 * 60
STAGES_SHOWN = {"paid", "conf", "hold", "done", "nosh", "req", "busy", "part"}
LEGEND = {"hold": "prebooked", "req": "request", "conf": "confirmed", "done": "completed", "nosh": "no_show"}


@dataclass(frozen=True, slots=True)
class Shut:
    """Closed time in a column; with words it has a reason that is worth being told there."""

    at: str
    words: str
    told: bool


@dataclass(frozen=True, slots=True)
class Column:
    """One day. `note`: «занято 54 %», «праздник»; `hours`: its own, where those at the left do not fit."""

    day: date
    name: str
    label: str
    note: str
    title: str
    is_today: bool
    is_free: bool
    axis: Day
    shut: list[Shut]
    engaged: list[tuple[str, str, str]]
    tails: list[str]
    blocks: list[Block]
    hours: list[tuple[int, str]]
    now: str


def draw(ask: Ask) -> Drawn:
    """The week around `ask.day`: of the resource that is chosen, or of all that are shown."""
    one = next((one for one in ask.everything.shown if one.id == ask.choice.resource_id), None)
    return week_all.draw(ask) if one is None else draw_one(ask, one)


def draw_one(ask: Ask, resource: BoardResource) -> Drawn:
    """By the resource's own clock."""
    alone, zone = replace(ask, shown=ask.everything.only({resource.id})), ZoneInfo(resource.time_zone)
    week = period.week_of(ask.day, zone, period.customs(ask.tenant.portal.time_zone).first_weekday)
    standing = ledger.standing(ask.tx, ask.tenant.portal.id, alone.shown, share.look(ask, week))
    loads = share.loads(alone, week)
    opening, held = loads.opened[resource.id], standing.held[resource.id]
    more = load.lines(ask.tx, ask.tenant.portal.id, _numbers(standing, resource))
    first, count = _window(week, opening, [*held, *standing.requests[resource.id]])
    columns = _Columns(alone, resource, week, opening, standing, more, first, count)
    shown = [columns.column(number, loads.shares[resource.id][number]) for number in range(week.count)]
    title = period.week_title(ask.language, week, ask.today)
    body = render_template(
        "board/_week.html",
        label=gettext("Week %(week)s, %(name)s", week=title, name=resource.name),
        columns=shown,
        rail=columns.rail,
        zone=zone,
        first_quarter=first,
        quarters=count,
        fine=_has_short(shown),
        hours=[(quarter, f"{quarter // 4:02}:00") for quarter in range(first, first + count, 4)],
        side=side(
            alone,
            resource,
            week,
            share.total(loads.shares[resource.id]),
            _mine(more, held, standing.requests[resource.id]),
            share.free_spans(resource, opening, held),
        ),
        looks=_looks(shown),
        choice=ask.choice,
        at=texts.clock(ask.at, ask.zone),
    )
    return Drawn(
        body=Markup(body),  # noqa: S704 — a template has made it
        title=title,
        previous=period.clamped(ask.day - A_WEEK),
        next=period.clamped(ask.day + A_WEEK),
        until=standing.until,
        legend=False,
        zone_note=texts.zone(ask.language, zone, ask.at) if zone.key != ask.visit.time_zone else "",
        aside=picker(ask, resource),
    )


def _numbers(standing: Standing, resource: BoardResource) -> set[int]:
    """The bookings that may be seen there."""
    blocks = (*standing.held[resource.id], *standing.requests[resource.id])
    return {block.number for block in blocks if block.number is not None}


def _mine(more: dict[int, Line], held: Sequence[BoardBlock], requests: Sequence[BoardBlock]) -> list[Line]:
    """Those of the resource itself: what only takes a part of it is told on that part's card."""
    own = {block.number for block in held if block.stage not in ("part", "within")} | {one.number for one in requests}
    return [line for line in more.values() if line.number in own]


def _window(week: Period, opening: Opening, blocks: Sequence[BoardBlock]) -> tuple[int, int]:
    """The hours to show: as on the day board, of all days together."""
    found = []
    for start, end in pairwise(week.bounds):
        spans = [*opening.hours, *((block[2], block[3]) for block in blocks)]
        here = [(max(left, start), min(right, end)) for left, right in spans if left < end and right > start]
        if here:
            window = lanes.window(Day(start, end), min(one[0] for one in here), max(one[1] for one in here))
            found.append((window[0], window[0] + window[1]))
    if not found:
        return lanes.window(Day(week.bounds[0], week.bounds[1]), None, None)
    first, last = min(one[0] for one in found), max(one[1] for one in found)
    return first, last - first


class _Columns:
    """The days of one resource, one by one."""

    def __init__(
        self,
        ask: Ask,
        resource: BoardResource,
        week: Period,
        opening: Opening,
        standing: Standing,
        more: dict[int, Line],
        first: int,
        count: int,
    ) -> None:
        self._ask, self._week, self._opening, self._standing, self._more = ask, week, opening, standing, more
        self._resource, self._first, self._count = resource, first, count
        self._tongue = Tongue(ask.language, week.zone, ask.at)
        self._today = ask.at.astimezone(week.zone).date()
        countries = [resource.holidays] if resource.holidays else []
        weekend = period.customs(ask.tenant.portal.time_zone).weekend
        self._free_days = period.free_days(countries, week, weekend)
        self.rail = lanes.Rail(
            resource_id=resource.id,
            kind=resource.kind,
            name=resource.name,
            note="",
            step=resource.step_minutes,
            bookable=ask.writable and ask.shown.may("request", resource.id),
            units=resource.units or (),
            seen=ask.shown.may("see", resource.id),
        )

    def column(self, number: int, taken: Share) -> Column:
        """The day with this number of the week."""
        day, (start, end) = self._week.days[number], self._week.bounds[number : number + 2]
        axis = week_lane.axis(day, start, end, self._first, self._week.zone)
        held = [block for block in self._standing.held[self._resource.id] if block[2] < end and block[3] > start]
        asked = [one for one in self._standing.requests[self._resource.id] if one[2] < end and one[3] > start]
        lane = lanes.Lane(self.rail, self._opening, held, asked)
        language, holiday = self._ask.language, self._holiday(day)
        return Column(
            day=day,
            name=f"{texts.weekday(language, day)}, {day.day}",
            label=texts.day(language, day, short=True),
            note=self._note(taken, holiday),
            title=holiday,
            is_today=day == self._today,
            is_free=day in self._free_days,
            axis=axis,
            shut=[one for gap in self._gaps(start, end) if (one := self._shut(gap, axis, holiday))],
            engaged=self._engaged(axis),
            tails=week_lane.tails(held, axis) if len(self.rail.units) <= lanes.MOST_LINES else [],
            blocks=week_lane.column(lane, axis, self._more, self._tongue),
            hours=week_lane.own_hours(axis, self._first, self._count, self._week.zone),
            now=self._now(axis) if day == self._today else "",
        )

    def _note(self, taken: Share, holiday: str) -> str:
        if taken.working:
            return gettext("%(percent)s%% taken", percent=taken.percent)
        return gettext("public holiday") if holiday else gettext("closed")

    def _holiday(self, day: date) -> str:
        """What its holiday is called, where the resource keeps them."""
        return holiday_name(self._resource.holidays, day, self._ask.language) if self._resource.holidays else ""

    def _gaps(self, start: int, end: int) -> list[Gap]:
        gaps = (*self._opening.gaps, *self._opening.closures)
        return [
            Gap(max(left, start), min(right, end), reason)
            for left, right, reason in gaps
            if left < end and right > start
        ]

    def _shut(self, gap: Gap, axis: Day, holiday: str) -> Shut | None:
        at = axis.place(gap.start, gap.end)
        if not at:
            return None
        if gap.reason.code == "hours":
            return Shut(at, gettext("Closed"), told=False)
        return Shut(at, self._why(gap.reason, holiday), told=True)

    def _why(self, reason: Reason, holiday: str) -> str:
        if reason.code == "closure" and not self.rail.seen:
            return gettext("Closed")
        if reason.code == "holiday" and holiday:
            return holiday
        return texts.say_obstacle(self._ask.language, reason.code, reason.params, self._week.zone)

    def _engaged(self, axis: Day) -> list[tuple[str, str, str]]:
        """Other business of the person: look, classes, words."""
        found = []
        for start, end, surely in self._opening.engaged:
            if at := axis.place(start, end):
                words = gettext("Busy in the calendar") if surely else gettext("Perhaps busy")
                found.append(("busy" if surely else "perh", at, words if self.rail.seen else gettext("Taken")))
        return found

    def _now(self, axis: Day) -> str:
        instant = int(self._ask.at.timestamp())
        return axis.place(instant, instant + lanes.FIVE_MINUTES).partition(" n")[0]


def _has_short(columns: Sequence[Column]) -> bool:
    """Whether anything is too short for a line of text, unless the hours are drawn taller."""
    return any(block.end - block.start < SHORT for column in columns for block in column.blocks)


def _looks(columns: Sequence[Column]) -> set[str]:
    """What the legend has to explain."""
    found = {block.look.split()[0] for column in columns for block in column.blocks} & STAGES_SHOWN
    looks = {LEGEND.get(one, one) for one in found}
    if any(column.tails for column in columns):
        looks.add("buffer")
    return looks | {"engaged"} if any(column.engaged for column in columns) else looks
