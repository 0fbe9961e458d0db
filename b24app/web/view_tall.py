"""The day on a phone: resources side by side, hours downwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import render_template
from markupsafe import Markup

from b24app import texts
from b24app.web import lanes, week_lane
from b24app.web.ask import Ask, Drawn
from b24app.web.day import DayView, columns
from b24app.web.lanes import Rail
from b24app.web.view_day import hours_of, now_class, wanted
from b24app.web.week_lane import Block, Tongue


@dataclass(frozen=True, slots=True)
class Column:
    """One resource: closed time as markup, buffers as classes, what stands there."""

    rail: Rail
    closed: Markup
    tails: list[str]
    blocks: list[Block]


def draw(ask: Ask) -> Drawn:
    """The lanes of `ask.day`, upright."""
    view = wanted(ask)
    if isinstance(view, Drawn):
        return view
    first, count = view.window()
    title = texts.day(ask.language, ask.day)
    body = render_template(
        "board/_tall.html",
        title=title,
        axis=view.axis,
        zone=ask.zone,
        first_quarter=first,
        quarters=count,
        hours=hours_of(view.axis, first, count, ask.zone),
        columns=list(_columns(ask, view)),
        now=now_class(view.axis, ask.at),
    )
    return Drawn(
        body=Markup(body),  # noqa: S704 — a template has made it
        title=title,
        previous=ask.shifted(-1),
        next=ask.shifted(1),
        until=view.standing.until,
        legend=False,
    )


def _columns(ask: Ask, view: DayView) -> Iterator[Column]:
    tongue = Tongue(ask.language, ask.zone, ask.at)
    for lane, closed in columns(view):
        single = len(lane.units) <= lanes.MOST_LINES
        tails = week_lane.tails(lane.held, view.axis) if single else []
        yield Column(lane.rail, closed, tails, week_lane.column(lane, view.axis, {}, tongue))
