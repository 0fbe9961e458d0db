"""One row of the day board as markup: the hot spot, so plain functions of plain values.

200 lanes with 2,000 blocks take some 4 ms like this and 32 ms as a Jinja loop, and `html.escape` costs half of what
markupsafe's does (docs/performance.md). A block is one element; where it stands is said by classes (static/app.css),
because the content security policy forbids `style`: quarter hours after the axis' midnight `.sN` with `.m5 .m10` for
odd minutes, length `.nN` with `.p5 .p10`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Set
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from b24app.ledger.queries import BoardBlock

FIVE_MINUTES, HOUR = 300, 3600
SHORTEST_WINDOW = 8  # hours
LONGEST_DAY = 27 * 12  # in five minutes: the day on which clocks go back, by two hours in one place

_ODD = ("", " {}5", " {}10")
_START = tuple(f"s{unit // 3}{_ODD[unit % 3].format('m')}" for unit in range(LONGEST_DAY + 1))
_LENGTH = tuple(f"n{unit // 3}{_ODD[unit % 3].format('p')}" for unit in range(LONGEST_DAY + 1))
_LOOKS = {"prebooked": "hold", "confirmed": "conf", "completed": "done", "no_show": "nosh", "busy": "busy"}


@dataclass(frozen=True, slots=True)
class Day:
    """The axis: midnight and the next midnight, in epoch seconds."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class LaneWords:
    """What a lane says in the page's language, escaped once for all lanes."""

    busy: str
    closed: str


class Rail(NamedTuple):
    """The resource at the left of a lane. `ahead` is how many minutes its clock is ahead of the axis'."""

    resource_id: int
    kind: str
    name: str
    note: str
    step: int
    bookable: bool
    ahead: int = 0
    ahead_words: str = ""


def row(
    rail: Rail,
    day: Day,
    opened: Iterable[tuple[int, int]],
    held: Iterable[BoardBlock],
    behind: Set[int],
    words: LaneWords,
) -> str:
    """One resource with its day: rail, closed time, blocks. All texts in it are escaped."""
    return (
        f"<div class=brow role=row id=r{rail.resource_id}>{_rail(rail)}<div class=lane role=gridcell{_free(rail)}>"
        f"{closed(day, opened, words)}{blocks(held, day, behind, words)}</div></div>"
    )


def blocks(held: Iterable[BoardBlock], day: Day, behind: Set[int], words: LaneWords) -> str:
    """What is held, cut to the day; a masked allocation says nothing but that the time is taken.

    `behind` are the numbers of bookings that the portal does not show as they are yet.
    """
    midnight, next_midnight = day.start, day.end
    parts = []
    for _, start, end, stage, payment, number, label in held:
        first = (start - midnight) // FIVE_MINUTES if start > midnight else 0
        length = (min(end, next_midnight) - midnight) // FIVE_MINUTES - first
        if number is None or label is None:
            parts.append(f'<span class="b busy {_START[first]} {_LENGTH[length]}">{words.busy}</span>')
            continue
        look = "paid" if payment == "paid" and stage == "confirmed" else _LOOKS[stage]
        lag = " lag" if number in behind else ""
        place = f"{_START[first]} {_LENGTH[length]}"
        parts.append(f'<a tabindex=-1 class="b {look}{lag} {place}" href=#{number}>{html.escape(label)}</a>')
    return "".join(parts)


def closed(day: Day, opened: Iterable[tuple[int, int]], words: LaneWords) -> str:
    """Hatches over everything outside of the opening hours (epoch seconds, merged, in order)."""
    parts, at = [], day.start
    for start, end in opened:
        if start > at:
            parts.append(_hatch(at, start, day, words))
        at = max(at, end)
    if at < day.end:
        parts.append(_hatch(at, day.end, day, words))
    return "".join(parts)


def _hatch(start: int, end: int, day: Day, words: LaneWords) -> str:
    first, last = (start - day.start) // FIVE_MINUTES, (end - day.start) // FIVE_MINUTES
    return f'<i class="shut {_START[first]} {_LENGTH[last - first]}" title="{words.closed}"></i>'


def _rail(rail: Rail) -> str:
    ahead = f"<em>{escape(rail.ahead_words)}</em>" if rail.ahead_words else ""
    return (
        f'<div class=res role=rowheader><span class="av {rail.kind}">{_initials(rail)}</span>'
        f"<b>{escape(rail.name)}</b>{ahead}<small>{escape(rail.note)}</small></div>"
    )


def _free(rail: Rail) -> str:
    """What the script needs in order to offer free time; nothing where he may not book."""
    if not rail.bookable:
        return ""
    ahead = f" data-ahead={rail.ahead}" if rail.ahead else ""
    return f" data-r={rail.resource_id} data-step={rail.step}{ahead}"


def _initials(rail: Rail) -> str:
    if rail.kind != "specialist":
        return ""
    return escape("".join(word[0] for word in rail.name.split()[:2]).upper())


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
