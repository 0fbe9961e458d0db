"""The day board of all resources, and one fresh lane of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from markupsafe import Markup

from b24app import texts
from b24app.booking.resources import KINDS
from b24app.errors import InvalidInput
from b24app.ledger import queries
from b24app.ledger.access import RIGHTS
from b24app.ledger.models import Portal, Resource
from b24app.ledger.queries import BoardBlock
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.hours import OpeningHours, day_interval, open_intervals
from b24app.scheduling.interval import Interval
from b24app.web import lanes
from b24app.web.caller import card_kind
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("board", __name__)

FIRST_DAY, LAST_DAY = date(2000, 1, 2), date(2100, 1, 1)
BOOK = RIGHTS.index("book")
Spans = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Group:
    """The resources of one kind: their rows are markup already."""

    kind: str
    title: str
    count: int
    taken_percent: int
    rows: Markup


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that templates/board/_board.html shows."""

    day: date
    today: date
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
    masked: bool
    bookable: bool
    in_card: bool
    warning: str

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
    """The board of one day as a fragment."""
    with transaction(services().engine) as tx:
        board = read_board(tx, seen_tenant(), current_visit(), wanted_day(), now())
    return render_template("board/_board.html", board=board, visit=current_visit())


def wanted_day() -> date | None:
    """The day asked for in the address; raises InvalidInput for something that is no day."""
    return parse_day(request.args["day"], "day") if request.args.get("day") else None


def parse_day(value: str, field: str) -> date:
    """A day within the calendar of the board; raises InvalidInput."""
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise InvalidInput({field: "not_a_date"}) from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise InvalidInput({field: "out_of_range"})
    return day


def axis_zone(resources: Iterable[Resource], visit: Visit) -> ZoneInfo:
    """The zone that all resources share, otherwise the viewer's own."""
    zones = {resource.time_zone for resource in resources}
    return ZoneInfo(zones.pop() if len(zones) == 1 else visit.time_zone)


@dataclass(frozen=True, slots=True)
class DayView:
    """One day of some resources as a visitor may see it, before it is drawn. `rights`: his strength on each."""

    visit: Visit
    shown: Sequence[Resource]
    zone: ZoneInfo
    axis: lanes.Day
    opened: dict[int, Spans]
    blocks: dict[int, list[BoardBlock]]
    behind: set[int]
    rights: dict[int, int]
    writable: bool

    def has(self, right: str) -> list[bool]:
        """For each resource, whether he has this right on it."""
        needed = RIGHTS.index(right)
        return [self.rights[one.id] >= needed for one in self.shown]


def read_board(tx: Session, tenant: Tenant, visit: Visit, day: date | None, at: datetime) -> Board:
    """The board of `day` (today when None) as this visitor may see it."""
    shown = queries.resources(tx, tenant.portal.id, visit.viewer)
    zone = axis_zone(shown, visit)
    today = at.astimezone(zone).date()
    day = day or today
    view = _read_day(tx, tenant, visit, shown, zone, day)
    first, count = lanes.window(view.axis, *_hull(view))
    return Board(
        day=day,
        today=today,
        title=texts.day(visit.language, day),
        zone=zone,
        zone_note=texts.zone(visit.language, zone, at) if len({r.time_zone for r in shown}) > 1 else "",
        axis=view.axis,
        first_quarter=first,
        quarters=count,
        hours=_hours(view.axis, first, count, zone),
        now_class=_now_class(view.axis, at),
        updated=texts.clock(at, zone),
        groups=list(_groups(view)),
        masked=not all(view.has("see")),
        bookable=view.writable and any(view.has("book")),
        in_card=card_kind(visit.place) is not None,
        warning=_warning(tenant),
    )


def read_lane(tx: Session, tenant: Tenant, visit: Visit, day: date, resource: Resource) -> Markup:
    """The row of one resource as it is now, for a board of that day."""
    zone = axis_zone(queries.resources(tx, tenant.portal.id, visit.viewer), visit)
    view = _read_day(tx, tenant, visit, [resource], zone, day)
    return Markup(_row(view, resource, _words()))  # noqa: S704 — lanes.row escapes every text


def _window(day: date, zone: ZoneInfo) -> Interval:
    """The whole day; raises InvalidInput for one that a zone has left out (Samoa had no 30 December 2011)."""
    try:
        return day_interval(day, zone)
    except ValueError:
        raise InvalidInput({"day": "not_a_date"}) from None


def _read_day(
    tx: Session, tenant: Tenant, visit: Visit, shown: Sequence[Resource], zone: ZoneInfo, day: date
) -> DayView:
    portal_id, window = tenant.portal.id, _window(day, zone)
    only = [one.id for one in shown] if len(shown) == 1 else None
    hours = queries.hours(tx, portal_id, only, weekdays=_weekdays(window))
    return DayView(
        visit=visit,
        shown=shown,
        zone=zone,
        axis=lanes.Day(int(window.start.timestamp()), int(window.end.timestamp())),
        opened=opening(hours, shown, window),
        blocks=queries.board_blocks(tx, portal_id, visit.viewer, shown, window, longest(tenant.portal)),
        behind=queries.bookings_behind(tx, portal_id),
        rights={one.id: visit.viewer.strength(one) for one in shown},
        writable=not tenant.installation.payment_expired,
    )


def longest(portal: Portal) -> timedelta:
    """How long anything booked there may be; bounds how far back the board has to look."""
    return timedelta(minutes=portal.longest_minutes)


def _weekdays(window: Interval) -> set[int]:
    """The weekdays that may reach into `window` in any time zone: those of its days and of the days around them."""
    days = range((window.end - window.start).days + 3)
    return {(window.start + timedelta(days=n - 1)).weekday() for n in days}


def opening(
    hours: dict[int, tuple[OpeningHours, ...]], shown: Sequence[Resource], window: Interval
) -> dict[int, Spans]:
    """When each resource is open within `window`, in epoch seconds. Most share their hours: computed once each."""
    known: dict[tuple[str, tuple[OpeningHours, ...]], Spans] = {}
    found = {}
    for resource in shown:
        key = (resource.time_zone, hours.get(resource.id, ()))
        if key not in known:
            known[key] = [
                (int(one.start.timestamp()), int(one.end.timestamp()))
                for one in open_intervals(key[1], window, ZoneInfo(key[0]))
            ]
        found[resource.id] = known[key]
    return found


def _hull(view: DayView) -> tuple[int | None, int | None]:
    """From the first to the last instant at which anything is open or held."""
    starts = [start for spans in view.opened.values() for start, _ in spans]
    starts += [lane[0][1] for lane in view.blocks.values() if lane]
    ends = [end for spans in view.opened.values() for _, end in spans]
    ends += [one[2] for lane in view.blocks.values() for one in lane]
    return min(starts, default=None), max(ends, default=None)


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


def _groups(view: DayView) -> Iterable[Group]:
    words = _words()
    for kind in KINDS:
        of_kind = [resource for resource in view.shown if resource.kind == kind]
        if of_kind:
            rows = "".join([_row(view, one, words) for one in of_kind])
            yield Group(
                kind=kind,
                title=texts.say(view.visit.language, f"kinds.{kind}"),
                count=len(of_kind),
                taken_percent=_taken(of_kind, view),
                rows=Markup(rows),  # noqa: S704 — lanes.row escapes every text
            )


def _row(view: DayView, resource: Resource, words: lanes.LaneWords) -> str:
    blocks = view.blocks[resource.id]
    return lanes.row(_rail(view, resource), view.axis, view.opened[resource.id], blocks, view.behind, words)


def _rail(view: DayView, resource: Resource) -> lanes.Rail:
    ahead = 0
    if resource.time_zone != view.zone.key:
        ahead = _ahead(ZoneInfo(resource.time_zone), view.zone, view.axis)
    return lanes.Rail(
        resource_id=resource.id,
        kind=resource.kind,
        name=resource.name,
        note=str(resource.capacity) if resource.capacity > 1 else "",
        step=resource.step_minutes,
        bookable=view.writable and view.rights[resource.id] >= BOOK,
        ahead=ahead,
        ahead_words=texts.offset(view.visit.language, ahead) if ahead else "",
    )


def _ahead(zone: ZoneInfo, of_axis: ZoneInfo, axis: lanes.Day) -> int:
    """By how many minutes the clocks of `zone` are ahead of the axis' at noon."""
    noon = datetime.fromtimestamp((axis.start + axis.end) // 2, UTC)
    there, here = noon.astimezone(zone).utcoffset(), noon.astimezone(of_axis).utcoffset()
    assert there is not None, "aware datetimes have an offset"
    assert here is not None, "aware datetimes have an offset"
    return int((there - here).total_seconds() // 60)


def _taken(of_kind: Sequence[Resource], view: DayView) -> int:
    """Which share of the opening hours is taken, in per cent."""
    free = sum(end - start for one in of_kind for start, end in view.opened[one.id])
    held = sum([block[2] - block[1] for one in of_kind for block in view.blocks[one.id]])
    return min(100, round(100 * held / free)) if free else 0


def _words() -> lanes.LaneWords:
    return lanes.LaneWords(busy=Markup.escape(gettext("Taken")), closed=Markup.escape(gettext("Closed")))


def _warning(tenant: Tenant) -> str:
    """One line above the board when something is wrong with the whole installation."""
    if tenant.installation.payment_expired:
        return gettext("The application has not been paid for: bookings are shown, but cannot be made or changed.")
    if tenant.installation.needs_admin:
        return gettext(
            "The portal's calendar and CRM are not being updated: "
            "an administrator should open this application once. You can book meanwhile."
        )
    return ""
