"""One day of one resource from top to bottom: the blocks of its column, side by side where they overlap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask_babel import gettext, ngettext

from b24app import texts
from b24app.ledger.load import Line
from b24app.ledger.spread import BoardBlock
from b24app.web import lanes
from b24app.web.lanes import HOUR, Day
from b24app.web.opening import Spans

MOST_BESIDE = 4  # what overlaps more than that lies over each other
NIGHT = 16  # quarter hours: a window that begins later has no clock change in it
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Block:
    """What stands in a column. `at`: its classes; `target`: the booking's number or at-…, "" where it is no link."""

    start: int
    end: int
    look: str
    at: str
    when: str
    who: str
    what: str = ""
    target: str = ""
    line: str = ""


@dataclass(frozen=True, slots=True)
class Tongue:
    """How blocks tell times: in which language, by which clock, at which moment."""

    language: str
    zone: ZoneInfo
    at: datetime

    def span(self, start: int, end: int) -> str:
        return texts.span(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC), self.zone)

    def until(self, instant: int | None) -> str:
        """«до сегодня, 18:00», «до завтра, 12:00», «до 16 марта, 9:00»."""
        if instant is None:
            return gettext("held")
        end = datetime.fromtimestamp(instant, UTC)
        away = (end.astimezone(self.zone).date() - self.at.astimezone(self.zone).date()).days
        clock = texts.clock(end, self.zone)
        if away == 0:
            return gettext("until today, %(time)s", time=clock)
        if away == 1:
            return gettext("until tomorrow, %(time)s", time=clock)
        return texts.say(self.language, "until_time", time=texts.moment(self.language, end, self.zone))


def axis(day: date, start: int, end: int, first_quarter: int, zone: ZoneInfo) -> Day:
    """Where a column's minutes are counted from: so that its clock fits the hours at the left.

    On a day of a clock change that is not its midnight, unless the night is in sight: then the column tells its own
    hours (`own_hours`).
    """
    if first_quarter < NIGHT or end - start == 24 * HOUR:
        return Day(start, end)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    return Day(int(noon.timestamp()) - 12 * HOUR, end)


def own_hours(column: Day, first: int, count: int, zone: ZoneInfo) -> list[tuple[int, str]]:
    """The hours of a column that the axis at the left does not fit, by the quarter; [] where it does."""
    said = [
        (quarter, datetime.fromtimestamp(column.start + quarter * 900, UTC).astimezone(zone).strftime("%H:%M"))
        for quarter in range(first, first + count, 4)
        if column.start + quarter * 900 < column.end
    ]
    return [] if all(label == f"{quarter // 4:02}:00" for quarter, label in said) else said


def column(lane: lanes.Lane, day: Day, more: Mapping[int, Line], tongue: Tongue) -> list[Block]:
    """What is held and asked for on that day."""
    if len(lane.rail.units) > lanes.MOST_LINES:
        found = list(_counted(lane, day, tongue))
    else:
        free = lane.opening.free if lane.opening.unusual else None
        found = [one for block in lane.held if (one := _held(block, day, free, more, tongue))]
    for start, end, together in lanes.side_by_side(lane.requests):
        if at := day.place(start, end):
            found.append(_asked(start, end, together, more, at, tongue))
    return beside(sorted(found, key=lambda one: (one.start, -one.end)))


def _held(block: BoardBlock, day: Day, free: Spans | None, more: Mapping[int, Line], tongue: Tongue) -> Block | None:
    start, end = (block.more.start, block.more.end) if block.more else (block.start, block.end)
    start, end = max(start, block.start), min(end, block.end)
    at = day.place(start, end)
    if not at:
        return None
    when = tongue.span(start, end)
    if block.stage == "busy":
        return Block(start, end, "busy", at, when, gettext("Taken"))
    target = str(block.number or "")
    if block.stage in ("within", "part"):
        return Block(start, end, "part", at, when, _part(block), target=target)
    look = "paid" if block.payment == "paid" and block.stage == "confirmed" else lanes.LOOKS[block.stage]
    who, what = _named(block, more)
    if look == "hold":
        what = tongue.until(block.more.until if block.more else None)
    return Block(start, end, look + _marks(block, start, end, free), at, when, who, what, target)


def _marks(block: BoardBlock, start: int, end: int, free: Spans | None) -> str:
    """As on the day board: it stands in closed time, the portal does not show it as it is yet."""
    late = " lag" if block.more and block.more.behind else ""
    if free is None or block.stage not in ("prebooked", "confirmed"):
        return late
    return late if any(left <= start and end <= right for left, right in free) else f"{late} flag"


def _part(block: BoardBlock) -> str:
    name = block.label
    if block.stage == "within":
        return gettext("part of: %(name)s", name=name) if name else gettext("part of another resource")
    return gettext("taken: %(name)s", name=name) if name else gettext("a part is taken")


def _named(block: BoardBlock, more: Mapping[int, Line]) -> tuple[str, str]:
    """Who comes and what for; one of both where not more is known."""
    line = more.get(block.number or 0)
    if line is None:
        return block.label or "", ""
    said = [one for one in (line.client, line.title, line.service) if one]
    return (said[0], said[1] if len(said) > 1 else "") if said else (block.label or "", "")


def _asked(
    start: int, end: int, together: Sequence[BoardBlock], more: Mapping[int, Line], at: str, tongue: Tongue
) -> Block:
    count, target = len(together), str(together[0].number)
    if count > 1:
        who = ngettext("%(num)d request", "%(num)d requests", count)
    else:
        who, _ = _named(together[0], more)
    return Block(start, end, "req", at, tongue.span(start, end), who, gettext("waits for a decision"), target)


def _counted(lane: lanes.Lane, day: Day, tongue: Tongue) -> Iterator[Block]:
    """How many of many equal places are taken when."""
    rail, total = lane.rail, len(lane.rail.units)
    for start, end, taken in lanes.counts(lane.held):
        if at := day.place(start, end):
            look, what = ("cnt-u full", gettext("no places left")) if taken >= total else ("cnt-u", "")
            said = gettext("%(taken)s of %(total)s", taken=taken, total=total)
            target = f"at-{rail.resource_id}-{start}-{end}" if rail.seen else ""
            yield Block(start, end, look, at, tongue.span(start, end), said, what, target)


def beside(blocks: Sequence[Block]) -> list[Block]:
    """The same with lines for what overlaps; they come in the order of their starts."""
    found: list[Block] = []
    cluster: list[tuple[Block, int]] = []
    ends: list[int] = []
    for block in blocks:
        if cluster and block.start >= max(ends):
            found += _lined(cluster, len(ends))
            cluster, ends = [], []
        line = next((number for number, end in enumerate(ends) if end <= block.start), None)
        if line is None and len(ends) < MOST_BESIDE:
            line = len(ends)
            ends.append(block.end)
        line = MOST_BESIDE - 1 if line is None else line
        ends[line] = max(ends[line], block.end)
        cluster.append((block, line))
    return found + _lined(cluster, len(ends))


def _lined(cluster: Sequence[tuple[Block, int]], count: int) -> list[Block]:
    if count < 2:
        return [block for block, _ in cluster]
    return [replace(block, line=f" o{count} u{line + 1}") for block, line in cluster]


def tails(held: Sequence[BoardBlock], day: Day) -> list[str]:
    """The classes of the buffers around what is held."""
    found = []
    for block in held:
        if block.more is not None:
            around = (
                (block.start, min(block.end, block.more.start)),
                (max(block.start, block.more.end), block.end),
            )
            found += [at for start, end in around if start < end and (at := day.place(start, end))]
    return found
