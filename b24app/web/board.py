"""The board: which view somebody asks for, drawn once for all who may see the same, and not sent again unchanged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from b24app import texts
from b24app.ledger import board as ledger
from b24app.ledger.access import Resourceful
from b24app.ledger.board import BoardService
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.web import business, view_day
from b24app.web.ask import Ask, Drawn
from b24app.web.caller import card_kind
from b24app.web.choice import Choice, parse_day
from b24app.web.condition import warning
from b24app.web.day import When, around, axis_zone, read_day, single_row
from b24app.web.memory import Memory
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("board", __name__)

CHANGED = json.dumps({"b24:changed": {}})
MOST_KEPT = 40  # of a fifth of a megabyte each
VIEWS: Mapping[str, Callable[[Ask], Drawn]] = {"day": view_day.draw}


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that templates/board/_board.html shows: the tools, and a view below them."""

    choice: Choice
    day: date
    today: date
    drawn: Drawn
    updated: str
    services: list[BoardService]
    bookable: bool
    in_card: bool
    asks_calendars: bool
    is_empty: bool
    warning: str
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
    """The board as a fragment, or 304 when the one with that tag is still right."""
    choice, at = Choice.parse(request.args), now()
    mark = _mark(seen_tenant(), current_visit(), choice)
    tag = _still_right(mark, at)
    if tag is not None:
        answer = make_response("", 304)
    else:
        tag, body = _drawn().get(mark, at) or _draw(choice, mark, at)
        answer = make_response(body)
    answer.set_etag(tag)
    return answer


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
    everything = ledger.offered(tx, tenant.portal.id, visit.viewer, around(choice.day or at.date()))
    zone = axis_zone(everything.shown, visit)
    day = choice.day or at.astimezone(zone).date()
    offers = ledger.servable(tx, tenant.portal.id, everything)
    chosen = next((one for one in offers if one.id == choice.service_id), None)
    dated = choice.but(day=day, service_id=chosen.id if chosen else None)
    ask = Ask(
        tx=tx,
        tenant=tenant,
        visit=visit,
        choice=dated,
        day=day,
        zone=zone,
        at=at,
        everything=everything,
        shown=everything.only(chosen.resource_ids) if chosen else everything,
    )
    drawn = VIEWS.get(choice.view, view_day.draw)(ask) if everything.shown else _nothing(ask)
    return Board(
        choice=dated,
        day=day,
        today=ask.today,
        drawn=drawn,
        updated=texts.clock(at, zone),
        services=offers,
        bookable=ask.bookable,
        in_card=_in_card(visit),
        asks_calendars=any(one.user_id for one in everything.shown),
        is_empty=not everything.shown,
        warning=warning(tenant),
        mark=_mark(tenant, visit, choice.but(day=day)),
        until=drawn.stays(at),
    )


def _nothing(ask: Ask) -> Drawn:
    return Drawn(body=Markup(), title=texts.day(ask.language, ask.day), previous=ask.day, next=ask.day)


@blueprint.get("/app/board/calendars")
def calendars() -> ResponseReturnValue:
    """Reads the calendars of the specialists on the board of a day; the board is told when they say anything new.

    Beside the board and not for it: nobody waits for the portal to see his day.
    """
    day = wanted_day() or now().date()
    with transaction(services().engine) as tx:
        shown = ledger.offered(tx, current_visit().portal_id, current_visit().viewer, around(day)).shown
    people = {one.user_id: ZoneInfo(one.time_zone) for one in shown if one.user_id}
    told = {"HX-Trigger": CHANGED} if business.on_board(people, around(day)) else {}
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
        visit.language, visit.time_zone, _in_card(visit), viewer.is_admin, sorted(map(str, viewer.grants)),
    )  # fmt: skip
    return hashlib.blake2b(repr(told).encode(), digest_size=12).hexdigest()


def _in_card(visit: Visit) -> bool:
    return card_kind(visit.place) is not None
