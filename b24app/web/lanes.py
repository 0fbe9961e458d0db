"""One row of the day board as markup: the hot spot, so plain functions of plain values.

200 lanes with 2,000 blocks take some 4 ms like this and 32 ms as a Jinja loop, and `html.escape` costs half of what
markupsafe's does (docs/performance.md). A block is one element, two with a pill, and one more for each buffer; where it
stands is said by classes (static/app.css), because the content security policy forbids `style`: quarter hours after
the axis' midnight `.sN` with `.m5 .m10` for odd minutes, length `.nN` with `.p5 .p10`, line of a unit `.uN`.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from b24app.ledger.spread import BoardBlock, More
from b24app.scheduling.hours import Reason
from b24app.web.opening import Opening, Spans

FIVE_MINUTES, HOUR = 300, 3600
SHORTEST_WINDOW = 8  # hours
LONGEST_DAY = 27 * 12  # in five minutes: the day on which clocks go back, by two hours in one place
MOST_LINES = 3  # equal places that get a line each; of more it is shown how many are taken

_ODD = ("", " {}5", " {}10")
_START = tuple(f"s{unit // 3}{_ODD[unit % 3].format('m')}" for unit in range(LONGEST_DAY + 1))
_LENGTH = tuple(f"n{unit // 3}{_ODD[unit % 3].format('p')}" for unit in range(LONGEST_DAY + 1))
LOOKS = {"prebooked": "hold", "confirmed": "conf", "completed": "done", "no_show": "nosh"}
_HOLDING = ("prebooked", "confirmed")


@dataclass(frozen=True, slots=True)
class Day:
    """The axis: midnight and the next midnight, in epoch seconds."""

    start: int
    end: int

    def place(self, start: int, end: int) -> str:
        """The classes of what stands from `start` to `end`, cut to the day; "" when nothing of it is in there."""
        if end <= self.start or start >= self.end:
            return ""
        first = (max(start, self.start) - self.start) // FIVE_MINUTES
        return f"{_START[first]} {_LENGTH[(min(end, self.end) - self.start) // FIVE_MINUTES - first]}"


@dataclass(frozen=True, slots=True)
class LaneWords:
    """What lanes say in the page's language: words that are escaped already, and sentences that are not.

    `within` and `part` take the other resource's name, "" when it may not be named. `engaged` and `perhaps`: his own
    calendar says so. `hours`: how many of them the axis has, for those who do not see it. `locked`: the words of the
    button that says why nothing can be booked there, and what it asks for, before the resource's id. `voice` tells them
    from others: the language, the clock, what is today, whether anything can be booked.
    """

    busy: str
    closed: str
    buffer: str
    within: Callable[[str], str]
    part: Callable[[str], str]
    taken: Callable[[int, int], str]
    full: Callable[[int, int], str]
    requests: Callable[[int], str]
    until: Callable[[int], str]
    why: Callable[[Reason], str]
    engaged: str = ""
    perhaps: str = ""
    hours: int = 0
    locked: tuple[str, str] = ("", "")
    voice: Hashable = ()


class Rail(NamedTuple):
    """The resource at the left of a lane.

    `ahead` is how many minutes its clock is ahead of the axis'. `units` only where there are several. `seen`: the
    visitor may see what stands there, and not only that it is taken.
    """

    resource_id: int
    kind: str
    name: str
    note: str
    step: int
    bookable: bool
    ahead: int = 0
    ahead_words: str = ""
    units: Sequence[int] = ()
    seen: bool = True


class Lane(NamedTuple):
    """One resource with its day."""

    rail: Rail
    opening: Opening
    held: Sequence[BoardBlock] = ()
    requests: Sequence[BoardBlock] = ()

    @property
    def units(self) -> list[int]:
        """Its equal places, and those that were given up but are still taken."""
        used = {block[1] for block in self.held}  # by number: names of columns cost ten times as much
        return [*self.rail.units, *sorted(used.difference(self.rail.units))]


def row(lane: Lane, day: Day, words: LaneWords) -> str:
    """One resource with its day: rail, closed time, requests, blocks. All texts in it are escaped."""
    units = lane.units
    if len(units) <= 1:
        lines, stands = 1, asked(lane.requests, day, words) + blocks(lane, day, words)
    elif len(units) <= MOST_LINES:
        lines, stands = len(units), _lined(lane, units, day, words)
    else:
        lines, stands = 2 if lane.requests else 1, _counted(lane, day, words)
    tall = f'"brow k{lines}"' if lines > 1 else "brow"
    return (
        f"<div class={tall} role=row id=r{lane.rail.resource_id}>{_rail(lane.rail, words)}"
        f"<div class=lane role=gridcell aria-colspan={words.hours}{_free(lane.rail, len(units))}>"
        f"{closed(lane, day, words)}{stands}</div></div>"
    )


class Rows:
    """Rows as they were drawn last. Of a board that comes anew nearly all are as they were, and to see that takes a
    tenth of drawing them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: dict[Hashable, tuple[Lane, str]] = {}
        self._lock = threading.Lock()

    def row(self, lane: Lane, day: Day, words: LaneWords) -> str:
        """The same as `row`."""
        key = lane.rail.resource_id, day.start, day.end, words.hours, words.voice
        kept = self._kept.get(key)
        if kept is not None and kept[0] == lane:
            return kept[1]
        drawn = row(lane, day, words)
        with self._lock:
            self._kept[key] = lane, drawn
            if len(self._kept) > self._size:
                self._kept.pop(next(iter(self._kept)))
        return drawn


def blocks(lane: Lane, day: Day, words: LaneWords, lines: Mapping[int, str] | None = None) -> str:
    """What is held, cut to the day; `lines` are the classes of units. A masked block says only that it is taken."""
    midnight, next_midnight, parts = day.start, day.end, []
    free = lane.opening.free if lane.opening.unusual else None
    for block in lane.held:
        _, unit, start, end, stage, payment, number, label, more = block
        line = lines[unit] if lines else ""
        if more is not None:
            parts += _tails(start, end, more, day, line, words)
            start, end = max(start, more.start), min(end, more.end)
            if end <= midnight or start >= next_midnight:
                continue
        # As `Day.place` does it: a call each would cost a tenth of the board.
        first = (start - midnight) // FIVE_MINUTES if start > midnight else 0
        last = min(end, next_midnight) - midnight
        at = f"{_START[first]} {_LENGTH[last // FIVE_MINUTES - first]}{line}"
        if stage in LOOKS:
            look = "paid" if payment == "paid" and stage == "confirmed" else LOOKS[stage]
            marks = "" if more is None and free is None else _marks(block, start, end, day, free)
            pill = _pill(more, words) if look == "hold" else ""
            text = html.escape(label or "")
            parts.append(f'<a tabindex=-1 class="b {look}{marks} {at}" href=#{number}>{pill}{text}</a>')
        elif stage == "busy":
            parts.append(f'<span class="b busy {at}">{words.busy}</span>')
        else:
            parts.append(_part(block, at, words))
    return "".join(parts)


def _tails(start: int, end: int, more: More, day: Day, line: str, words: LaneWords) -> list[str]:
    """The buffers beside a block."""
    around = ((start, min(end, more.start)), (max(start, more.end), end))
    places = [day.place(left, right) for left, right in around if left < right]
    return [f'<i class="buf {at}{line}" title="{words.buffer}"></i>' for at in places if at]


def _marks(block: BoardBlock, start: int, end: int, day: Day, free: Spans | None) -> str:
    """Classes for what is wrong: it stands in closed time, the portal does not show it as it is yet."""
    marks = " lag" if block.more is not None and block.more.behind else ""
    if free is None or block.stage not in _HOLDING:
        return marks
    start, end = max(start, day.start), min(end, day.end)
    return marks if any(left <= start and end <= right for left, right in free) else f"{marks} flag"


def _pill(more: More | None, words: LaneWords) -> str:
    return f"<i>{escape(words.until(more.until))}</i> " if more is not None and more.until is not None else ""


def _part(block: BoardBlock, at: str, words: LaneWords) -> str:
    """What is taken through a composite or through a part; a link where the booking may be seen."""
    text = escape((words.within if block.stage == "within" else words.part)(block.label or ""))
    if block.number is None:
        return f'<span class="b part {at}">{text}</span>'
    return f'<a tabindex=-1 class="b part {at}" href=#{block.number}>{text}</a>'


def _lined(lane: Lane, units: Sequence[int], day: Day, words: LaneWords) -> str:
    """A line for each of a few equal places; a request stands on the first that is free then."""
    lines = {unit: f" u{number}" for number, unit in enumerate(units, 1)}
    parts = []
    for start, end, together in side_by_side(lane.requests):
        taken = {block.unit_id for block in lane.held if block.start < end and start < block.end}
        line = next((lines[unit] for unit in units if unit not in taken), lines[units[-1]])
        parts.append(_request(start, end, together, day, words, line))
    return "".join(parts) + blocks(lane, day, words, lines)


def _counted(lane: Lane, day: Day, words: LaneWords) -> str:
    """How many of many equal places are taken when; requests on a line of their own."""
    upper, lower = (" u1", " u2") if lane.requests else ("", "")
    total, parts = len(lane.rail.units), []
    for start, end, taken in counts(lane.held):
        at, full = day.place(start, end), taken >= total
        if at:
            text = escape((words.full if full else words.taken)(taken, total))
            look = f'class="b cnt-u{" full" if full else ""} {at}{upper}"'
            if lane.rail.seen:
                parts.append(f"<a tabindex=-1 {look} href=#at-{lane.rail.resource_id}-{start}-{end}>{text}</a>")
            else:
                parts.append(f"<span {look}>{text}</span>")
    return "".join(parts) + asked(lane.requests, day, words, lower)


def counts(held: Iterable[BoardBlock]) -> list[tuple[int, int, int]]:
    """From when to when how many are taken, buffers included; times at which nothing is are left out."""
    changes: dict[int, int] = {}
    for block in held:
        changes[block.start] = changes.get(block.start, 0) + 1
        changes[block.end] = changes.get(block.end, 0) - 1
    found, taken, since = [], 0, 0
    for at in sorted(changes):
        if changes[at]:
            if taken:
                found.append((since, at, taken))
            taken, since = taken + changes[at], at
    return found


def asked(requests: Sequence[BoardBlock], day: Day, words: LaneWords, line: str = "") -> str:
    """What is asked for and holds nothing; several on one time are one block with their number."""
    return "".join(_request(*one, day, words, line) for one in side_by_side(requests))


def side_by_side(requests: Sequence[BoardBlock]) -> list[tuple[int, int, list[BoardBlock]]]:
    """Requests for times that overlap, together; they come in the order of their starts."""
    found: list[tuple[int, int, list[BoardBlock]]] = []
    for block in requests:
        if found and block.start < found[-1][1]:
            start, end, together = found.pop()
            found.append((start, max(end, block.end), [*together, block]))
        else:
            found.append((block.start, block.end, [block]))
    return found


def _request(start: int, end: int, together: Sequence[BoardBlock], day: Day, words: LaneWords, line: str) -> str:
    at, count = day.place(start, end), len(together)
    if not at:
        return ""
    text = f"<i>{count}</i> {escape(words.requests(count))}" if count > 1 else escape(together[0].label or "")
    return f'<a tabindex=-1 class="b req {at}{line}" href=#{together[0].number}>{text}</a>'


def closed(lane: Lane, day: Day, words: LaneWords) -> str:
    """Hatches over everything outside of the hours; closures with their reason where the visitor may see it."""
    parts = []
    for start, end, reason in lane.opening.gaps:
        title = words.closed if reason.code == "hours" else escape(words.why(reason))
        parts.append(f'<i class="shut {day.place(start, end)}" title="{title}"></i>')
    for start, end, reason in lane.opening.closures:
        text = escape(words.why(reason)) if lane.rail.seen else words.closed
        parts.append(f'<span class="b clos {day.place(start, end)}"><span>{text}</span></span>')
    if lane.opening.engaged:
        parts += _engaged(lane, day, words)
    return "".join(parts)


def _engaged(lane: Lane, day: Day, words: LaneWords) -> Iterable[str]:
    """Other business of the person: nothing of it is known but when. What perhaps takes place keeps nobody away."""
    for start, end, surely in lane.opening.engaged:
        look, said = ("busy", words.engaged) if surely else ("perh", words.perhaps)
        if at := day.place(start, end):
            yield f'<span class="b {look} {at}">{said if lane.rail.seen else words.busy}</span>'


def _rail(rail: Rail, words: LaneWords) -> str:
    ahead = f"<em>{escape(rail.ahead_words)}</em>" if rail.ahead_words else ""
    several = " class=u" if rail.units else ""
    return (
        f'<div class=res role=rowheader><span class="av {rail.kind}">{initials(rail.kind, rail.name)}</span>'
        f"<b>{escape(rail.name)}</b>{ahead}<small{several}>{escape(rail.note)}</small>{_locked(rail, words)}</div>"
    )


def _locked(rail: Rail, words: LaneWords) -> str:
    """The button that says why nothing can be booked there."""
    said, asks = words.locked
    if rail.bookable or not said:
        return ""
    call = f'hx-get="{asks}{rail.resource_id}" hx-target="#panel-body"'
    return f'<button class="why" type=button title="{said}" aria-label="{said}" {call}>?</button>'


def _free(rail: Rail, units: int) -> str:
    """What the script needs in order to offer free time; nothing where he may not book."""
    if not rail.bookable:
        return ""
    ahead = f" data-ahead={rail.ahead}" if rail.ahead else ""
    places = f" data-places={units}" if 1 < units <= MOST_LINES else ""
    return f" data-r={rail.resource_id} data-step={rail.step}{ahead}{places}"


def initials(kind: str, name: str) -> str:
    """What stands in a person's circle, escaped; "" for what has a picture of its kind."""
    return escape("".join(word[0] for word in name.split()[:2]).upper()) if kind == "specialist" else ""


def window(day: Day, first: int | None, last: int | None) -> tuple[int, int]:
    """The whole hours of the day from instant `first` to `last`: the first and the number of quarter hours.

    At least eight hours, so that a board of short days keeps readable proportions; 8 to 20 when there is nothing.
    """
    if first is None or last is None:
        return 32, 48
    hours = (day.end - day.start) // HOUR
    begin = (max(first, day.start) - day.start) // HOUR
    end = -((day.start - min(last, day.end)) // HOUR)
    end = min(hours, max(end, begin + SHORTEST_WINDOW))
    begin = max(0, min(begin, end - SHORTEST_WINDOW))
    return begin * 4, (end - begin) * 4
