"""A month: which share of the hours is taken, resource by resource and day by day; or the weeks of one resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

from flask import render_template, url_for
from flask_babel import gettext
from markupsafe import Markup

from b24app import texts
from b24app.ledger import board as ledger
from b24app.ledger.spread import BoardResource
from b24app.web import month_grid, period, share
from b24app.web.ask import Ask, Drawn
from b24app.web.grouping import Section, sections
from b24app.web.period import Period
from b24app.web.picker import picker
from b24app.web.share import Share
from b24app.web.week_all import LEGEND, Cell, Cells, heads


@dataclass(frozen=True, slots=True)
class Group:
    """A section of the month: its rows are markup already."""

    title: str
    count: int
    rows: Markup


@dataclass(frozen=True, slots=True)
class MonthDay:
    """A day of one resource. `inside`: it is one of the month's own."""

    day: date
    label: str
    cell: Cell
    inside: bool
    is_today: bool
    is_free: bool


def draw(ask: Ask) -> Drawn:
    """The month that `ask.day` lies in: of the resource that is chosen, or of all that are shown."""
    one = next((one for one in ask.everything.shown if one.id == ask.choice.resource_id), None)
    return _of_all(ask) if one is None else _of_one(ask, one)


def _drawn(ask: Ask, body: str, until: int | None, chosen: BoardResource | None, looks: frozenset[str]) -> Drawn:
    several_zones = chosen is None and len({one.time_zone for one in ask.shown.shown}) > 1
    return Drawn(
        body=Markup(body),  # noqa: S704 — a template has made it
        title=period.month_title(ask.language, ask.day),
        previous=period.month_before(ask.day),
        next=period.month_after(ask.day),
        until=until,
        looks=looks,
        legend=bool(looks),
        zone_note=texts.zone(ask.language, ask.zone, ask.at) if several_zones else "",
        aside=picker(ask, chosen, holds=True),
    )


def _of_all(ask: Ask) -> Drawn:
    month = period.month_of(ask.day, ask.zone)
    loads = share.loads(ask, month)
    title = period.month_title(ask.language, ask.day)
    above = heads(ask, month)
    average = _average(ask, loads.shares, month)
    today = next((number for number, head in enumerate(above) if head.is_today), None)
    body = render_template(
        "board/_month.html",
        title=title,
        short=period.month_title(ask.language, ask.day, year=False),
        heads=above,
        groups=[_group(section, loads.shares, today) for section in sections(ask)],
        average=Markup(month_grid.cells(average, today)),  # noqa: S704 — numbers and classes
        whole=share.total(average),
        choice=ask.choice,
        total=len(ask.shown.shown),
        cell_url=url_for("cell.show", holds="" if ask.choice.holds else "no"),
        first=month.first,
    )
    return _drawn(ask, body, loads.until if ask.choice.holds else None, None, frozenset())


def _group(section: Section, shares: Mapping[int, Sequence[Share]], today: int | None) -> Group:
    rows = "".join([month_grid.row(one, shares[one.id], today) for one in section.members])
    return Group(section.title, len(section.members), Markup(rows))  # noqa: S704 — month_grid escapes every text


def _average(ask: Ask, shares: Mapping[int, Sequence[Share]], month: Period) -> list[Share]:
    """Of everything, day by day; composites are in it with their parts."""
    rows = [shares[one.id] for one in share.plain(ask.shown.shown)]
    return [share.total(row[day] for row in rows) for day in range(month.count)]


def _of_one(ask: Ask, resource: BoardResource) -> Drawn:
    """Its weeks below each other, by its own clock."""
    alone = replace(ask, shown=ask.everything.only({resource.id}), zone=ZoneInfo(resource.time_zone))
    month = period.month_of(ask.day, alone.zone)
    first_weekday = period.customs(ask.tenant.portal.time_zone).first_weekday
    weeks = period.weeks_of(month, first_weekday)
    standing = ledger.standing(ask.tx, ask.tenant.portal.id, alone.shown, share.look(ask, weeks))
    loads = share.loads(alone, weeks)
    cells = Cells(alone, weeks)
    blocks = sorted([*standing.held[resource.id], *standing.requests[resource.id]], key=lambda block: block.start)
    row = cells.of(blocks, loads.shares[resource.id])
    days = [
        MonthDay(head.day, head.label, cell, head.day in month.days, head.is_today, head.is_free)
        for head, cell in zip(heads(alone, weeks), row, strict=True)
    ]
    own = [one.cell.share for one in days if one.inside]
    title = period.month_title(ask.language, ask.day)
    body = render_template(
        "board/_month_one.html",
        label=gettext("%(month)s, %(name)s", month=title, name=resource.name),
        weeks=[days[number : number + 7] for number in range(0, len(days), 7)],
        weekdays=[texts.weekday(ask.language, day) for day in weeks.days[:7]],
        resource=resource,
        share=share.total(own),
        choice=ask.choice,
    )
    looks = frozenset(LEGEND.get(one, one) for one in cells.looks) or frozenset({"confirmed"})
    return _drawn(ask, body, standing.until, resource, looks)
