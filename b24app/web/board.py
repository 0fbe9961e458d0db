"""The day board of all resources, one fresh lane of it, and who has the places of a large pool."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from markupsafe import Markup

from b24app import texts
from b24app.errors import InvalidInput, NotFound
from b24app.ledger import board as ledger
from b24app.ledger.access import Resourceful
from b24app.ledger.board import BoardService
from b24app.ledger.session import Session, transaction
from b24app.ledger.spread import BoardBlock, BoardResource
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.interval import Interval
from b24app.web import business, lanes
from b24app.web.caller import card_kind
from b24app.web.condition import warning
from b24app.web.day import DayView, Group, When, around, axis_zone, groups, read_day, single_row
from b24app.web.memory import Memory
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("board", __name__)

FIRST_DAY, LAST_DAY = date(2000, 1, 2), date(2100, 1, 1)
LONGEST_LOOK = 2 * 24 * 3600  # seconds
CHANGED = json.dumps({"b24:changed": {}})
MOST_KEPT = 40  # of a fifth of a megabyte each
STAYS = timedelta(minutes=5)  # so long may a board be kept though nothing is known to have changed


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see: a day (None: today), only what can serve a service."""

    day: date | None = None
    service_id: int | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that templates/board/_board.html shows."""

    day: date
    title: str
    zone: ZoneInfo
    zone_note: str
    axis: lanes.Day
    first_quarter: int
    quarters: int
    hours: list[tuple[int, str]]
    now_class: str
    updated: str
    groups: list[Group]
    looks: set[str]
    services: list[BoardService]
    service_id: int | None
    bookable: bool
    in_card: bool
    asks_calendars: bool
    warning: str
    mark: str
    until: datetime

    @property
    def tag(self) -> str:
        """Says which board this is, and until when it is right as long as its mark is."""
        return f"{self.mark}-{int(self.until.timestamp())}"

    @property
    def total(self) -> int:
        return sum(group.count for group in self.groups)

    @property
    def previous(self) -> date:
        return max(self.day - timedelta(days=1), FIRST_DAY)

    @property
    def next(self) -> date:
        return min(self.day + timedelta(days=1), LAST_DAY)


@blueprint.get("/app/board")
def show() -> ResponseReturnValue:
    """The board of one day as a fragment, or 304 when the one with that tag is still right."""
    asked, at = Asked(wanted_day(), wanted_service()), now()
    mark = _mark(seen_tenant(), current_visit(), asked)
    tag = _still_right(mark, at)
    if tag is not None:
        answer = make_response("", 304)
    else:
        tag, body = _drawn().get(mark, at) or _draw(asked, mark, at)
        answer = make_response(body)
    answer.set_etag(tag)
    return answer


def _drawn() -> Memory[tuple[str, bytes]]:
    """Boards of this process: who may see the same sees the same one, drawn once a minute for all who have it open."""
    return cast(Memory[tuple[str, bytes]], current_app.extensions.setdefault("b24_boards", Memory(MOST_KEPT)))


def _draw(asked: Asked, mark: str, at: datetime) -> tuple[str, bytes]:
    """The board with its tag, kept until a hold ends on it or the clock shows another minute."""
    with transaction(services().engine) as tx:
        board = read_board(tx, seen_tenant(), current_visit(), asked, at)
    drawn = board.tag, render_template("board/_board.html", board=board, visit=current_visit()).encode()
    _drawn().put(mark, drawn, min(board.until, at.replace(second=0, microsecond=0) + timedelta(minutes=1)))
    return drawn


def wanted_day() -> date | None:
    """The day asked for in the address; raises InvalidInput for something that is no day."""
    return parse_day(request.args["day"], "day") if request.args.get("day") else None


def wanted_service() -> int | None:
    """The service asked for; nonsense is the same as nothing."""
    value = request.args.get("service", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else None


def parse_day(value: str, field: str) -> date:
    """A day within the calendar of the board; raises InvalidInput."""
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise InvalidInput({field: "not_a_date"}) from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise InvalidInput({field: "out_of_range"})
    return day


def read_board(tx: Session, tenant: Tenant, visit: Visit, asked: Asked | None, at: datetime) -> Board:
    """The board that is asked for (all of today when None) as this visitor may see it."""
    asked = asked or Asked()
    everything = ledger.offered(tx, tenant.portal.id, visit.viewer, around(asked.day or at.date()))
    zone = axis_zone(everything.shown, visit)
    day = asked.day or at.astimezone(zone).date()
    offers = ledger.servable(tx, tenant.portal.id, everything)
    chosen = next((one for one in offers if one.id == asked.service_id), None)
    shown = everything.only(chosen.resource_ids) if chosen else everything
    view = read_day(tx, tenant, visit, shown, When(day, zone, at))
    first, count = view.window()
    several_zones = len({one.time_zone for one in everything.shown}) > 1
    return Board(
        day=day,
        title=texts.day(visit.language, day),
        zone=zone,
        zone_note=texts.zone(visit.language, zone, at) if several_zones else "",
        axis=view.axis,
        first_quarter=first,
        quarters=count,
        hours=_hours(view.axis, first, count, zone),
        now_class=_now_class(view.axis, at),
        updated=texts.clock(at, zone),
        groups=list(groups(view)),
        looks=view.looks(),
        services=offers,
        service_id=chosen.id if chosen else None,
        bookable=view.writable and any(view.has("request")),
        in_card=_in_card(visit),
        asks_calendars=any(one.user_id for one in everything.shown),
        warning=warning(tenant),
        mark=_mark(tenant, visit, Asked(day, asked.service_id)),
        until=_until(view),
    )


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


# Who has the places of a large pool ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holder:
    """One booking of the pool."""

    number: int
    label: str
    when: str
    look: str
    stage: str


@dataclass(frozen=True, slots=True)
class Places:
    """Everything that templates/board/_places.html shows. `start` and `end` are epoch seconds."""

    resource: BoardResource
    when: str
    start: int
    end: int
    day: str
    holders: list[Holder]
    left: int
    bookable: bool


@blueprint.get("/app/board/places")
def places() -> ResponseReturnValue:
    """The bookings of a pool at a time: `resource`, `start`, `end` (epoch seconds), `day` of the board."""
    resource_id, start, end = (_whole(name) for name in ("resource", "start", "end"))
    if not start < end <= start + LONGEST_LOOK:
        raise NotFound("resource")
    wanted = Interval(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))
    with transaction(services().engine) as tx:
        page = _read_places(tx, seen_tenant(), current_visit(), resource_id, wanted)
    return render_template("board/_places.html", page=page)


def _whole(name: str) -> int:
    value = request.args.get(name, "")
    if not (value.isascii() and value.isdigit() and len(value) <= 10):
        raise NotFound("resource")
    return int(value)


def _read_places(tx: Session, tenant: Tenant, visit: Visit, resource_id: int, wanted: Interval) -> Places:
    """The page; raises NotFound when he may not see the bookings of that resource."""
    offered = ledger.offered(tx, tenant.portal.id, visit.viewer, wanted).only({resource_id})
    if not offered.shown or not offered.may("see", resource_id):
        raise NotFound("resource")
    look = ledger.Look(wanted, timedelta(minutes=tenant.portal.longest_minutes), now())
    held = ledger.standing(tx, tenant.portal.id, offered, look).held[resource_id]
    resource, zone = offered.shown[0], ZoneInfo(offered.shown[0].time_zone)
    writable = not tenant.installation.payment_expired and look.now < wanted.end
    left = max(0, len(resource.units or "1") - max((taken for *_, taken in lanes.counts(held)), default=0))
    return Places(
        resource=resource,
        when=texts.period(visit.language, wanted.start, wanted.end, zone),
        start=int(wanted.start.timestamp()),
        end=int(wanted.end.timestamp()),
        day=request.args.get("day", ""),
        holders=[_holder(visit.language, block, zone) for block in held],
        left=left,
        bookable=writable and left > 0 and offered.may("request", resource_id),
    )


def _holder(language: str, block: BoardBlock, zone: ZoneInfo) -> Holder:
    start, end = (block.more.start, block.more.end) if block.more else (block.start, block.end)
    from_, until = (datetime.fromtimestamp(instant, UTC) for instant in (start, end))
    paid = block.payment == "paid" and block.stage == "confirmed"
    stage = "paid" if paid else block.stage
    return Holder(
        number=block.number or 0,
        label=block.label or "",
        when=texts.span(from_, until, zone),
        look="paid" if paid else lanes.LOOKS.get(block.stage, "part"),
        stage=texts.say(language, f"stage.{stage}") if block.stage in lanes.LOOKS else gettext("Partly taken"),
    )


# A board that is still right ----------------------------------------------------------------------------------------


def _still_right(mark: str, at: datetime) -> str | None:
    """The tag of the board that the page has, if it would look the same now; no statement is needed to know."""
    for tag in request.if_none_match.as_set(include_weak=True):
        known, _, until = (tag or "").partition("-")  # of an empty one werkzeug makes None
        if known == mark and until.isdecimal() and len(until) <= 12 and int(until) > at.timestamp():
            return tag
    return None


def _mark(tenant: Tenant, visit: Visit, asked: Asked) -> str:
    """Everything but the clock that decides how a board looks: `portal.changes` grows with what stands on it."""
    portal, installation, viewer = tenant.portal, tenant.installation, visit.viewer
    told = (
        portal.id, portal.changes, installation.payment_expired, installation.needs_admin, installation.state, asked,
        visit.language, visit.time_zone, _in_card(visit), viewer.is_admin, sorted(map(str, viewer.grants)),
    )  # fmt: skip
    return hashlib.blake2b(repr(told).encode(), digest_size=12).hexdigest()


def _until(view: DayView) -> datetime:
    """Until when the board is right if nobody does anything: a hold may end before."""
    latest, ends = view.when.at + STAYS, view.standing.until
    return latest if ends is None else min(latest, datetime.fromtimestamp(ends, UTC))


# What stands around the lanes ---------------------------------------------------------------------------------------


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


def _in_card(visit: Visit) -> bool:
    return card_kind(visit.place) is not None
