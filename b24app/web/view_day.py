"""The day of all resources: hours from left to right, one lane each."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import render_template
from markupsafe import Markup

from b24app import texts
from b24app.web import lanes, vacancy
from b24app.web.ask import Ask, Drawn
from b24app.web.day import DayView, When, groups, read_day
from b24app.web.narrowing import nothing_left
from b24app.web.tools import groupings

NEAREST = 2  # other times that are told of when the wanted one is taken everywhere


def draw(ask: Ask) -> Drawn:
    """The lanes of `ask.day`."""
    view = wanted(ask)
    return view if isinstance(view, Drawn) else _drawn(ask, view)


def wanted(ask: Ask) -> DayView | Drawn:
    """The day; of lanes that have to be free for some time only those that are, or the word that there is none."""
    view = read_day(ask.tx, ask.tenant, ask.visit, ask.shown, When(ask.day, ask.zone, ask.at))
    if ask.choice.free_from is not None and ask.choice.free_to is not None:
        stretch = vacancy.stretch_of(view, ask.choice.free_from, ask.choice.free_to)
        vacant = vacancy.only_vacant(view, stretch)
        if not vacant.shown:
            return nothing_left(ask, vacancy.soonest(view, stretch, NEAREST))
        view = vacant
    return view


def _drawn(ask: Ask, view: DayView) -> Drawn:
    first, count = view.window()
    title = texts.day(ask.language, ask.day)
    several_zones = len({one.time_zone for one in view.shown}) > 1
    body = render_template(
        "board/_day.html",
        title=title,
        axis=view.axis,
        zone=ask.zone,
        first_quarter=first,
        quarters=count,
        hours=hours_of(view.axis, first, count, ask.zone),
        now_class=now_class(view.axis, ask.at),
        now=texts.clock(ask.at, ask.zone),
        groups=list(groups(view, ask.choice.group)),
        total=len(view.shown),
        choice=ask.choice,
        by=groupings(),
        grouped=dict(groupings())[ask.choice.group],
    )
    return Drawn(
        body=Markup(body),  # noqa: S704 — a template has made it
        title=title,
        previous=ask.shifted(-1),
        next=ask.shifted(1),
        until=view.standing.until,
        looks=frozenset(view.looks()),
        zone_note=texts.zone(ask.language, ask.zone, ask.at) if several_zones else "",
    )


def hours_of(axis: lanes.Day, first: int, count: int, zone: ZoneInfo) -> list[tuple[int, str]]:
    """The labels of the axis; on the day of a clock change an hour is missing or stands twice, as on the clock."""
    quarters = range(first, first + count, 4)
    return [
        (quarter, datetime.fromtimestamp(axis.start + quarter * 900, UTC).astimezone(zone).strftime("%H:%M"))
        for quarter in quarters
    ]


def now_class(axis: lanes.Day, at: datetime) -> str:
    """The classes of where the present moment stands; "" on another day."""
    instant = int(at.timestamp())
    if not axis.start <= instant < axis.end:
        return ""
    units = (instant - axis.start) // lanes.FIVE_MINUTES
    return f"s{units // 3}" + ("", " m5", " m10")[units % 3]
