"""One day of some resources as a visitor may see it: read in a few statements, drawn lane by lane."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from flask import current_app, url_for
from flask_babel import gettext, ngettext
from markupsafe import Markup

from b24app import texts
from b24app.errors import InvalidInput
from b24app.ledger import board as ledger
from b24app.ledger.access import RIGHTS
from b24app.ledger.board import Look
from b24app.ledger.session import Session
from b24app.ledger.spread import BoardBlock, BoardResource, Offered, Standing
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.hours import Reason, day_interval
from b24app.scheduling.interval import Interval
from b24app.web import kinds, lanes
from b24app.web.opening import Opening, openings
from b24app.web.visit import Visit

SEE, REQUEST = RIGHTS.index("see"), RIGHTS.index("request")
MOST_ROWS = 4000  # kept by a process, of some 3 kB each: twenty boards of two hundred lanes


@dataclass(frozen=True, slots=True)
class Group:
    """The resources of one kind or at one place: their rows are markup already."""

    title: str
    count: int
    taken_percent: int
    rows: Markup


def around(day: date, reach: int = 2) -> Interval:
    """The day in whatever zone, for reading how resources are open; with more `reach` also days before and after."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return Interval(noon - timedelta(days=reach), noon + timedelta(days=reach))


def axis_zone(resources: Iterable[BoardResource], visit: Visit) -> ZoneInfo:
    """The zone that all resources share, otherwise the viewer's own."""
    zones = {resource.time_zone for resource in resources}
    return ZoneInfo(zones.pop() if len(zones) == 1 else visit.time_zone)


@dataclass(frozen=True, slots=True)
class When:
    """Which day by which clock, seen at which moment."""

    day: date
    zone: ZoneInfo
    at: datetime

    def window(self) -> Interval:
        """The whole day; raises InvalidInput for one that a zone has left out (Samoa had no 30 December 2011)."""
        try:
            return day_interval(self.day, self.zone)
        except ValueError:
            raise InvalidInput({"day": "not_a_date"}) from None


@dataclass(frozen=True, slots=True)
class DayView:
    """What there is to draw. `writable`: bookings of this portal may be made and changed at all."""

    language: str
    when: When
    offered: Offered
    axis: lanes.Day
    opened: dict[int, Opening]
    standing: Standing
    writable: bool

    @property
    def shown(self) -> Sequence[BoardResource]:
        return self.offered.shown

    def has(self, right: str) -> list[bool]:
        """For each resource, whether he has this right on it."""
        needed = RIGHTS.index(right)
        return [self.offered.rights[one.id] >= needed for one in self.shown]

    def window(self) -> tuple[int, int]:
        """The quarter hours to show: from the first to the last at which anything is open or held."""
        standing = [*self.standing.held.values(), *self.standing.requests.values()]
        spans = [span for opening in self.opened.values() for span in opening.hours]
        starts = [*(span[0] for span in spans), *(lane[0][2] for lane in standing if lane)]
        ends = [*(span[1] for span in spans), *(max([block[3] for block in lane]) for lane in standing if lane)]
        return lanes.window(self.axis, min(starts, default=None), max(ends, default=None))

    def looks(self) -> set[str]:
        """What the legend has to explain: the stages that there are, "paid", "part", "buffer" and "request"."""
        held = self.standing.held.values()  # two thousand: names of columns cost ten times as much as numbers
        pairs = {(block[4], block[5]) for lane in held for block in lane}
        found = {"paid" if paid == "paid" and stage == "confirmed" else stage for stage, paid in pairs}
        more = [block for lane in held for block in lane if block[8] is not None]
        if any(block.more.start > block.start or block.more.end < block.end for block in more if block.more):
            found.add("buffer")
        if any(self.standing.requests.values()):
            found.add("request")
        if any(opening.engaged for opening in self.opened.values()):
            found.add("engaged")
        return found | {"part"} if "within" in found else found


def read_day(tx: Session, tenant: Tenant, visit: Visit, offered: Offered, when: When) -> DayView:
    """What stands on that day on the lanes of `offered`."""
    window = when.window()
    longest = timedelta(minutes=tenant.portal.longest_minutes)
    return DayView(
        language=visit.language,
        when=when,
        offered=offered,
        axis=lanes.Day(int(window.start.timestamp()), int(window.end.timestamp())),
        opened=openings(offered.shown, offered.every, window),
        standing=ledger.standing(tx, tenant.portal.id, offered, Look(window, longest, when.at)),
        writable=not tenant.installation.payment_expired,
    )


def groups(view: DayView, by: str = "kind") -> Iterable[Group]:
    """The lanes, kind by kind, place by place, or all of them in one group without a title."""
    words, known = _words(view), _rows()
    for title, together in _grouped(view, by):
        rows = "".join([known.row(_lane(view, one), view.axis, words) for one in together])
        yield Group(
            title=title,
            count=len(together),
            taken_percent=_taken(together, view),
            rows=Markup(rows),  # noqa: S704 — lanes.row escapes every text
        )


def _grouped(view: DayView, by: str) -> Iterable[tuple[str, list[BoardResource]]]:
    if by == "none":
        return [("", list(view.shown))]
    if by == "place":
        places = sorted({one.city for one in view.shown}, key=lambda city: (not city, city))
        return [
            (place or gettext("No place given"), [one for one in view.shown if one.city == place]) for place in places
        ]
    alike = ((kind, [one for one in view.shown if one.kind == kind]) for kind in kinds.in_order())
    return [(kinds.many(view.language, kind), of_kind) for kind, of_kind in alike if of_kind]


def single_row(view: DayView, resource: BoardResource) -> Markup:
    """The lane of one resource alone."""
    return Markup(_rows().row(_lane(view, resource), view.axis, _words(view)))  # noqa: S704 — as above


def _rows() -> lanes.Rows:
    """Those of this process, for all who see the same."""
    return cast(lanes.Rows, current_app.extensions.setdefault("b24_rows", lanes.Rows(MOST_ROWS)))


def _lane(view: DayView, resource: BoardResource) -> lanes.Lane:
    standing, of = view.standing, resource.id
    return lanes.Lane(_rail(view, resource), view.opened[of], standing.held[of], standing.requests[of])


def columns(view: DayView) -> Iterable[tuple[lanes.Lane, Markup]]:
    """The lanes one by one, each with its closed time as markup, for a view that draws the rest itself."""
    words = _words(view)
    for one in view.shown:
        lane = _lane(view, one)
        yield lane, Markup(lanes.closed(lane, view.axis, words))  # noqa: S704 — lanes.closed escapes every text


def _rail(view: DayView, resource: BoardResource) -> lanes.Rail:
    ahead = 0
    if resource.time_zone != view.when.zone.key:
        ahead = _ahead(ZoneInfo(resource.time_zone), view.when.zone, view.axis)
    right = view.offered.rights[resource.id]
    return lanes.Rail(
        resource_id=resource.id,
        kind=kinds.look(resource.kind),
        name=resource.name,
        note=_note(resource),
        step=resource.step_minutes,
        bookable=view.writable and right >= REQUEST,
        ahead=ahead,
        ahead_words=texts.offset(view.language, ahead) if ahead else "",
        units=resource.units or (),
        seen=right >= SEE,
    )


def _note(resource: BoardResource) -> str:
    """How many of it there are, or how many people it holds."""
    if resource.units:
        return gettext("%(num)s pcs", num=len(resource.units))
    return str(resource.capacity) if resource.capacity > 1 else ""


def _ahead(zone: ZoneInfo, of_axis: ZoneInfo, axis: lanes.Day) -> int:
    """By how many minutes the clocks of `zone` are ahead of the axis' at noon."""
    noon = datetime.fromtimestamp((axis.start + axis.end) // 2, UTC)
    there, here = noon.astimezone(zone).utcoffset(), noon.astimezone(of_axis).utcoffset()
    assert there is not None, "aware datetimes have an offset"
    assert here is not None, "aware datetimes have an offset"
    return int((there - here).total_seconds() // 60)


def _taken(of_kind: Sequence[BoardResource], view: DayView) -> int:
    """Which share of the time that is offered is taken, in per cent; composites are counted by their parts."""
    plain = [one for one in of_kind if not one.parts]
    free = sum([_seconds(view.opened[one.id].free) * len(one.units or "1") for one in plain])
    held = sum([_held(view.standing.held[one.id], view.axis) for one in plain])
    return min(100, round(100 * held / free)) if free else 0


def _seconds(spans: Iterable[tuple[int, int]]) -> int:
    return sum([end - start for start, end in spans])


def _held(blocks: Sequence[BoardBlock], axis: lanes.Day) -> int:
    """How long they take together, cut to the day."""
    first, last = axis.start, axis.end
    whole = sum([block[3] - block[2] for block in blocks])
    outside = sum([first - block[2] for block in blocks if block[2] < first])
    return whole - outside - sum([block[3] - last for block in blocks if block[3] > last])


def _words(view: DayView) -> lanes.LaneWords:
    language, zone = view.language, view.when.zone

    def why(reason: Reason) -> str:
        return texts.say_obstacle(language, reason.code, reason.params, zone)

    return lanes.LaneWords(
        busy=Markup.escape(gettext("Taken")),
        closed=Markup.escape(gettext("Closed")),
        buffer=Markup.escape(gettext("Buffer")),
        within=lambda name: gettext("part of: %(name)s", name=name) if name else gettext("part of another resource"),
        part=lambda name: gettext("taken: %(name)s", name=name) if name else gettext("a part is taken"),
        taken=lambda taken, total: gettext("%(taken)s of %(total)s", taken=taken, total=total),
        full=lambda taken, total: gettext("%(taken)s of %(total)s, no places left", taken=taken, total=total),
        requests=lambda count: ngettext("request", "requests", count),
        until=_until(view.when),
        why=why,
        engaged=Markup.escape(gettext("Busy in the calendar")),
        perhaps=Markup.escape(gettext("Perhaps busy")),
        hours=view.window()[1] // 4,
        locked=_locked() if view.writable else ("", ""),
        voice=(language, zone.key, view.when.at.astimezone(zone).date(), view.writable),
    )


def _locked() -> tuple[str, str]:
    return Markup.escape(gettext("Why can’t I book this?")), url_for("why.show", resource="")


def _until(when: When) -> Callable[[int], str]:
    """The clock at which something ends, or its date when that is another day."""
    today = when.at.astimezone(when.zone).date()

    def words(instant: int) -> str:
        local = datetime.fromtimestamp(instant, UTC).astimezone(when.zone)
        return texts.clock(local, when.zone) if local.date() == today else f"{local:%d.%m}"

    return words
