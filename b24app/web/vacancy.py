"""Which lanes of a day have something free for a whole stretch of time, or from when on; computes only."""

from __future__ import annotations

from dataclasses import replace

from b24app.ledger.spread import BoardResource, Standing
from b24app.scheduling.hours import local_instant
from b24app.web.day import DayView

Stretch = tuple[int, int]  # epoch seconds


def stretch_of(view: DayView, first: int, last: int) -> Stretch:
    """From minute `first` to minute `last` of the day, by the clock of the axis."""
    start, end = (local_instant(view.when.day, minute, view.when.zone) for minute in (first, last))
    return int(start.timestamp()), int(end.timestamp())


def only_vacant(view: DayView, stretch: Stretch) -> DayView:
    """The same with those lanes alone on which something is free all the while."""
    ids = {one.id for one in view.shown if is_vacant(view, one, stretch)}
    standing = view.standing
    return replace(
        view,
        offered=view.offered.only(ids),
        opened={of: opening for of, opening in view.opened.items() if of in ids},
        standing=Standing(
            held={of: lane for of, lane in standing.held.items() if of in ids},
            requests={of: lane for of, lane in standing.requests.items() if of in ids},
            until=standing.until,
        ),
    )


def is_vacant(view: DayView, resource: BoardResource, stretch: Stretch) -> bool:
    """Whether it is open for the whole stretch, and one of its places is not taken. Requests hold nothing."""
    start, end = stretch
    opening = view.opened[resource.id]
    if not any(left <= start and end <= right for left, right in opening.free):
        return False
    if any(one.surely and one.start < end and start < one.end for one in opening.engaged):
        return False
    taken = {block[1] for block in view.standing.held[resource.id] if block[2] < end and start < block[3]}
    return bool(set(resource.units) - taken) if resource.units else not taken


def soonest(view: DayView, stretch: Stretch, most: int) -> list[tuple[BoardResource, int]]:
    """The lanes that have as much time free later on that day, and from when on; the soonest first."""
    found = [(_from_when(view, one, stretch), place, one) for place, one in enumerate(view.shown)]
    return [(one, at) for at, _, one in sorted((at, place, one) for at, place, one in found if at)[:most]]


def _from_when(view: DayView, resource: BoardResource, stretch: Stretch) -> int:
    """The first start after the wanted one at which as much is free; 0 for none on that day."""
    start, length = stretch[0], stretch[1] - stretch[0]
    opening = view.opened[resource.id]
    ends = [*(block[3] for block in view.standing.held[resource.id]), *(one.end for one in opening.engaged)]
    step = resource.step_minutes * 60
    starts = {
        -(-(at - view.axis.start) // step) * step + view.axis.start for at in (*ends, *(s[0] for s in opening.free))
    }
    fit = (at for at in sorted(starts) if start < at and is_vacant(view, resource, (at, at + length)))
    return next((at for at in fit if at < view.axis.end), 0)
