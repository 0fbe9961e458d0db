"""The board: which view somebody asks for, drawn once for all who may see the same, and not sent again unchanged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from b24app import texts
from b24app.ledger import board as ledger
from b24app.ledger import choices, tenancy
from b24app.ledger.access import Resourceful
from b24app.ledger.session import Session, transaction
from b24app.ledger.spread import Offered
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.interval import Interval
from b24app.web import business, remembered, view_day, view_list, view_month, view_tall, view_week
from b24app.web.ask import Ask, Drawn
from b24app.web.choice import Choice, parse_day
from b24app.web.condition import warning
from b24app.web.day import When, around, axis_zone, read_day, single_row
from b24app.web.memory import Memory
from b24app.web.narrowing import faded, narrowed, nothing_left
from b24app.web.tools import Known, Tools, known_views
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("board", __name__)

CHANGED = json.dumps({"b24:changed": {}})
MOST_KEPT = 40  # of a fifth of a megabyte each
MOST_ADMINISTRATORS = 3  # to be named where somebody has no access
IN_CHARGE_SINCE = timedelta(days=90)
REACH = {"week": 9, "month": 40}  # how many days around the chosen one a view may show; 2 for a single day
SECTIONS = {"board": "day", "list": "list"}
VIEWS: Mapping[str, Callable[[Ask], Drawn]] = {
    "day": view_day.draw,
    "tall": view_tall.draw,
    "week": view_week.draw,
    "month": view_month.draw,
    "list": view_list.draw,
    "mine": view_list.draw_mine,
}


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that templates/board/_board.html shows: the tools, and a view below them.

    `frame`: page, card or calendar. `empty`: "" or why there is nothing to show at all (resources, access); then
    `ask_whom` are administrators. `gone`: what was chosen and is no longer there.
    """

    choice: Choice
    day: date
    today: date
    drawn: Drawn
    tools: Tools
    updated: str
    bookable: bool
    frame: str
    asks_calendars: bool
    empty: str
    ask_whom: Sequence[str]
    warning: str
    gone: Sequence[str]
    mark: str
    until: datetime

    @property
    def tag(self) -> str:
        """Says which board this is, and until when it is right as long as its mark is."""
        return f"{self.mark}-{int(self.until.timestamp())}"

    def address(self, **changes: object) -> dict[str, str | int]:
        """The parameters of this board with something else in them."""
        return self.choice.but(**changes).address


@blueprint.get("/app/board")
def show() -> ResponseReturnValue:
    """The board as a fragment, or 304 when the one with that tag is still right.

    With `keep` it is also remembered as what this person wants to see; with `recall` it is what he wanted last.
    """
    choice, at = _recalled() if "recall" in request.args else asked_for(), now()
    if "keep" in request.args:
        remembered.keep(choice)
    mark = _mark(seen_tenant(), current_visit(), choice)
    tag = _still_right(mark, at)
    if tag is not None:
        answer = make_response("", 304)
    else:
        tag, body = _drawn().get(mark, at) or _draw(choice, mark, at)
        answer = make_response(body)
    answer.set_etag(tag)
    return answer


def asked_for() -> Choice:
    """What this request's address asks for; of the boxes that are ticked a form sends each by itself."""
    return Choice.parse({name: ",".join(values) for name, values in request.args.lists()})


def _recalled() -> Choice:
    """The board or the list, as a section of the page, with what was remembered of the rest."""
    with transaction(services().engine) as tx:
        choice = remembered.recall(tx, current_visit())
    view = SECTIONS.get(request.args["recall"], "day")
    return choice if view == "day" and choice.view not in ("list", "mine") else choice.but(view=view)


def _drawn() -> Memory[tuple[str, bytes]]:
    """Boards of this process: who may see the same sees the same one, drawn once a minute for all who have it open."""
    return cast(Memory[tuple[str, bytes]], current_app.extensions.setdefault("b24_boards", Memory(MOST_KEPT)))


def _draw(choice: Choice, mark: str, at: datetime) -> tuple[str, bytes]:
    """The board with its tag, kept until a hold ends on it or the clock shows another minute."""
    with transaction(services().engine) as tx:
        board = read_board(tx, seen_tenant(), current_visit(), choice, at)
    drawn = board.tag, render_template("board/_board.html", board=board, visit=current_visit()).encode()
    _drawn().put(mark, drawn, min(board.until, at.replace(second=0, microsecond=0) + timedelta(minutes=1)))
    return drawn


def wanted_day() -> date | None:
    """The day asked for in the address; raises InvalidInput for something that is no day."""
    return parse_day(request.args["day"], "day") if request.args.get("day") else None


def read_board(tx: Session, tenant: Tenant, visit: Visit, choice: Choice, at: datetime) -> Board:
    """What is chosen, as this visitor may see it."""
    choice = choice if choice.view in VIEWS else choice.but(view="day")
    everything = ledger.offered(tx, tenant.portal.id, visit.viewer, _reach(choice, at))
    zone = axis_zone(everything.shown, visit)
    day = choice.day or at.astimezone(zone).date()
    offers = ledger.servable(tx, tenant.portal.id, everything)
    left = narrowed(choice.but(day=day), everything, offers)
    ask = Ask(tx, tenant, visit, left.choice, day, zone, at, everything, left.shown)
    drawn = _view(ask)
    empty = _why_empty(everything)
    return Board(
        choice=left.choice,
        day=day,
        today=ask.today,
        drawn=drawn,
        tools=Tools(ask.language, left.choice, Known(everything, offers, _people(ask)), known_views(VIEWS)),
        updated=texts.clock(at, zone),
        bookable=ask.bookable,
        frame=remembered.place_of(visit),
        asks_calendars=any(one.user_id for one in everything.shown),
        empty=empty,
        ask_whom=choices.administrators(tx, tenant.portal.id, MOST_ADMINISTRATORS) if empty == "access" else (),
        warning=warning(tenant),
        gone=left.gone,
        mark=_mark(tenant, visit, left.choice),
        until=drawn.stays(at),
    )


def _reach(choice: Choice, at: datetime) -> Interval:
    """The days that the view may show, in whatever zone."""
    return around(choice.day or at.date(), REACH.get(choice.view, 2))


def _view(ask: Ask) -> Drawn:
    """What is asked for, drawn; something else where there is nothing to draw."""
    if not ask.everything.shown:
        return Drawn(body=Markup(), title=texts.day(ask.language, ask.day), previous=ask.day, next=ask.day)
    if not ask.shown.shown:
        return nothing_left(ask)
    drawn = VIEWS[ask.choice.view](ask)
    return replace(drawn, body=faded(ask, drawn.body))


def _why_empty(everything: Offered) -> str:
    if everything.shown:
        return ""
    return "access" if any(not one.is_archived for one in everything.every.values()) else "resources"


def _people(ask: Ask) -> Mapping[int, str]:
    """The name of the one whose bookings alone are looked for."""
    person = ask.choice.responsible_id
    return tenancy.user_names(ask.tx, ask.tenant.portal.id, [person]) if person is not None else {}


@blueprint.get("/app/board/filters")
def filters() -> ResponseReturnValue:
    """Every filter there is, as a form that asks for the board anew."""
    tenant, visit, choice, at = seen_tenant(), current_visit(), asked_for(), now()
    with transaction(services().engine) as tx:
        everything = ledger.offered(tx, tenant.portal.id, visit.viewer, _reach(choice, at))
        offers = ledger.servable(tx, tenant.portal.id, everything)
        people = dict(choices.in_charge(tx, tenant.portal.id, at - IN_CHARGE_SINCE))
    if choice.responsible_id is not None:
        people.setdefault(choice.responsible_id, "")
    known = Known(everything, offers, {visit.viewer.user_id: visit.name, **people})
    return render_template(
        "board/_filters.html", tools=Tools(visit.language, choice, known, ()), choice=choice, visit=visit
    )


@blueprint.get("/app/board/calendars")
def calendars() -> ResponseReturnValue:
    """Reads the calendars of the specialists on the board of a day; the board is told when they say anything new.

    Beside the board and not for it: nobody waits for the portal to see his day.
    """
    window = _reach(asked_for(), now())
    with transaction(services().engine) as tx:
        shown = ledger.offered(tx, current_visit().portal_id, current_visit().viewer, window).shown
    people = {one.user_id: ZoneInfo(one.time_zone) for one in shown if one.user_id}
    told = {"HX-Trigger": CHANGED} if business.on_board(people, window) else {}
    return "", 204, told


def read_lane(tx: Session, tenant: Tenant, visit: Visit, day: date, resource: Resourceful) -> Markup:
    """The row of one resource as it is now, for a board of that day; nothing when it is not on boards."""
    everything = ledger.offered(tx, tenant.portal.id, visit.viewer, around(day))
    alone = everything.only({resource.id})
    if not alone.shown:
        return Markup()
    zone = axis_zone(everything.shown, visit)
    return single_row(read_day(tx, tenant, visit, alone, When(day, zone, now())), alone.shown[0])


# A board that is still right ----------------------------------------------------------------------------------------


def _still_right(mark: str, at: datetime) -> str | None:
    """The tag of the board that the page has, if it would look the same now; no statement is needed to know."""
    for tag in request.if_none_match.as_set(include_weak=True):
        known, _, until = (tag or "").partition("-")  # of an empty one werkzeug makes None
        if known == mark and until.isdecimal() and len(until) <= 12 and int(until) > at.timestamp():
            return tag
    return None


def _mark(tenant: Tenant, visit: Visit, choice: Choice) -> str:
    """Everything but the clock that decides how a board looks: `portal.changes` grows with what stands on it."""
    portal, installation, viewer = tenant.portal, tenant.installation, visit.viewer
    told = (
        portal.id, portal.changes, installation.payment_expired, installation.needs_admin, installation.state, choice,
        visit.language, visit.time_zone, remembered.place_of(visit), viewer.is_admin, sorted(map(str, viewer.grants)),
    )  # fmt: skip
    return hashlib.blake2b(repr(told).encode(), digest_size=12).hexdigest()
