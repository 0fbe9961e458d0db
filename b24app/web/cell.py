"""One cell of the month in words: how much of that day is taken, and what is still free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from b24app import texts
from b24app.errors import NotFound
from b24app.ledger import board as ledger
from b24app.ledger.session import transaction
from b24app.ledger.spread import BoardBlock, BoardResource
from b24app.web import lanes, share
from b24app.web.ask import Ask
from b24app.web.choice import Choice
from b24app.web.day import around, axis_zone
from b24app.web.lanes import Day
from b24app.web.opening import Opening, Spans
from b24app.web.period import Period
from b24app.web.share import Share
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = Blueprint("cell", __name__)


@dataclass(frozen=True, slots=True)
class CellPage:
    """Everything that templates/board/_month_cell.html shows; the strip is drawn from quarter `first` on."""

    name: str
    day: str
    load: str
    free: list[str]
    strip: list[tuple[str, str]]
    first: int
    count: int


@blueprint.get("/app/board/cell")
def show() -> ResponseReturnValue:
    """What the cell of `resource` and `day` says; `holds=no` as on the board. Raises NotFound where he sees neither."""
    choice, at, visit = Choice.parse(request.args), now(), current_visit()
    if choice.day is None or choice.resource_id is None:
        raise NotFound("resource")
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        everything = ledger.offered(tx, tenant.portal.id, visit.viewer, around(choice.day))
        zone = axis_zone(everything.shown, visit)
        shown = everything.only({choice.resource_id})
        if not shown.shown:
            raise NotFound("resource")
        ask = Ask(tx, tenant, visit, choice, choice.day, zone, at, everything, shown)
        page = _read(ask, shown.shown[0], choice.day)
    return render_template("board/_month_cell.html", cell=page)


def _read(ask: Ask, resource: BoardResource, day: date) -> CellPage:
    that = Period(day, 1, ask.zone)
    axis = Day(*that.bounds)
    standing = ledger.standing(ask.tx, ask.tenant.portal.id, ask.shown, share.look(ask, that))
    loads = share.loads(ask, that)
    opening, held = loads.opened[resource.id], standing.held[resource.id]
    free = share.free_spans(resource, opening, held)
    hours = opening.free
    first, count = lanes.window(axis, hours[0][0] if hours else None, hours[-1][1] if hours else None)
    return CellPage(
        name=resource.name,
        day=texts.day(ask.language, day, short=True),
        load=_load(ask, loads.shares[resource.id][0], _count(held)),
        free=_clocks(ask, free),
        strip=_strip(axis, opening, free),
        first=first,
        count=count,
    )


def _count(held: Sequence[BoardBlock]) -> int:
    """The bookings among what stands there that may be seen."""
    return len({block.number for block in held if block.number is not None})


def _load(ask: Ask, here: Share, count: int) -> str:
    """«79 % занято: 9 ч 30 мин из 12 ч, 5 броней»."""
    bookings = ngettext("%(num)d booking", "%(num)d bookings", count) if count else ""
    if not here.working:
        return ", ".join(filter(None, (gettext("Closed"), bookings)))
    taken, working = (
        texts.duration(ask.language, seconds // 60) for seconds in (min(here.taken, here.working), here.working)
    )
    said = gettext("%(percent)s%% taken: %(taken)s of %(working)s", percent=here.percent, taken=taken, working=working)
    return f"{said}, {bookings}" if bookings else said


def _clocks(ask: Ask, free: Spans) -> list[str]:
    """What is still free, from now on."""
    at = int(ask.at.timestamp())
    left = [(max(start, at), end) for start, end in free if end > at]
    return [
        texts.span(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC), ask.zone)
        for start, end in left
    ]


def _strip(axis: Day, opening: Opening, free: Spans) -> list[tuple[str, str]]:
    """Closed, free and, below both, what is taken."""
    parts = [("shut", axis.place(start, end)) for start, end, _ in (*opening.gaps, *opening.closures)]
    return [one for one in [*parts, *(("x", axis.place(start, end)) for start, end in free)] if one[1]]
