"""The day of all resources: hours from left to right, one lane each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import render_template
from markupsafe import Markup

from b24app import texts
from b24app.web import lanes
from b24app.web.ask import Ask, Drawn
from b24app.web.choice import FIRST_DAY, LAST_DAY
from b24app.web.day import When, groups, read_day

ONE_DAY = timedelta(days=1)


def draw(ask: Ask) -> Drawn:
    """The lanes of `ask.day`."""
    view = read_day(ask.tx, ask.tenant, ask.visit, ask.shown, When(ask.day, ask.zone, ask.at))
    first, count = view.window()
    title = texts.day(ask.language, ask.day)
    several_zones = len({one.time_zone for one in ask.shown.shown}) > 1
    body = render_template(
        "board/_day.html",
        title=title,
        axis=view.axis,
        zone=ask.zone,
        first_quarter=first,
        quarters=count,
        hours=_hours(view.axis, first, count, ask.zone),
        now_class=_now_class(view.axis, ask.at),
        now=texts.clock(ask.at, ask.zone),
        groups=list(groups(view)),
        total=len(ask.shown.shown),
    )
    return Drawn(
        body=Markup(body),  # noqa: S704 — a template has made it
        title=title,
        previous=max(ask.day - ONE_DAY, FIRST_DAY),
        next=min(ask.day + ONE_DAY, LAST_DAY),
        until=view.standing.until,
        looks=frozenset(view.looks()),
        zone_note=texts.zone(ask.language, ask.zone, ask.at) if several_zones else "",
    )


def _hours(axis: lanes.Day, first: int, count: int, zone: ZoneInfo) -> list[tuple[int, str]]:
    """The labels of the axis; on the day of a clock change an hour is missing or stands twice, as on the clock."""
    quarters = range(first, first + count, 4)
    return [
        (quarter, datetime.fromtimestamp(axis.start + quarter * 900, UTC).astimezone(zone).strftime("%H:%M"))
        for quarter in quarters
    ]


def _now_class(axis: lanes.Day, at: datetime) -> str:
    instant = int(at.timestamp())
    if not axis.start <= instant < axis.end:
        return ""
    units = (instant - axis.start) // lanes.FIVE_MINUTES
    return f"s{units // 3}" + ("", " m5", " m10")[units % 3]
