"""Pure arithmetic of a week on the screen: which piece of an event stands where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY_MINUTES = 1440
SHORTEST = 20  # minutes: a shorter block could not be read or clicked


@dataclass(frozen=True)
class Span:
    """An event in time: instants for a timed one, dates (the last included) for an all-day one."""

    key: int
    start: datetime
    end: datetime
    first_day: date | None = None
    last_day: date | None = None

    @property
    def all_day(self) -> bool:
        return self.first_day is not None


@dataclass(frozen=True)
class Piece:
    """The part of a timed event on one day: minutes since midnight, and its lane among those it overlaps."""

    key: int
    start: int
    end: int
    lane: int = 0
    lanes: int = 1

    @property
    def style(self) -> str:
        """Position in percent of the day's column."""
        top, height = self.start / DAY_MINUTES * 100, (self.end - self.start) / DAY_MINUTES * 100
        left, width = self.lane / self.lanes * 100, 100 / self.lanes
        return f"top:{top:.4f}%;height:{height:.4f}%;left:{left:.3f}%;width:{width:.3f}%"


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def pieces_of(day: date, spans: Iterable[Span], zone: ZoneInfo) -> list[Piece]:
    """The timed events of a day in the viewer's zone, side by side where they overlap."""
    found = [piece for span in spans if not span.all_day and (piece := _piece(day, span, zone))]
    return _in_lanes(sorted(found, key=lambda piece: (piece.start, -piece.end)))


def _piece(day: date, span: Span, zone: ZoneInfo) -> Piece | None:
    """Minutes are counted on the wall clock, so a day with a change of the clocks keeps its 24 rows."""
    if not (span.start < midnight(day + timedelta(days=1), zone) and span.end > midnight(day, zone)):
        return None
    start = _minutes(day, span.start.astimezone(zone), 0)
    end = _minutes(day, span.end.astimezone(zone), DAY_MINUTES)
    return Piece(span.key, min(start, DAY_MINUTES - SHORTEST), max(end, start + SHORTEST))


def _minutes(day: date, local: datetime, outside: int) -> int:
    return local.hour * 60 + local.minute if local.date() == day else outside


def _in_lanes(pieces: list[Piece]) -> list[Piece]:
    """Each group of touching pieces is divided into as many lanes as it needs; ``pieces`` are in order of start."""
    placed: list[Piece] = []
    group: list[Piece] = []
    group_end = 0
    for piece in pieces:
        if group and piece.start >= group_end:
            placed += _divided(group)
            group = []
        group.append(piece)
        group_end = max(group_end, piece.end) if len(group) > 1 else piece.end
    return placed + _divided(group)


def _divided(group: list[Piece]) -> list[Piece]:
    ends: list[int] = []
    lanes = []
    for piece in group:
        lane = next((number for number, end in enumerate(ends) if end <= piece.start), len(ends))
        ends[lane : lane + 1] = [piece.end]
        lanes.append(lane)
    return [Piece(one.key, one.start, one.end, lane, len(ends)) for one, lane in zip(group, lanes, strict=True)]


def all_day_on(day: date, spans: Iterable[Span]) -> list[Span]:
    return [span for span in spans if span.first_day and span.last_day and span.first_day <= day <= span.last_day]
