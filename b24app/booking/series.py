"""What repeats: a preview of every date, one booking for each, and changes to one, the following or all of them."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from b24app.booking import others
from b24app.booking.change import Move, cancel_booking, move_booking
from b24app.booking.reserve import BookingRequest, book, offering_of
from b24app.booking.terms import Outcome, Terms, move_terms, next_free_times, read_terms
from b24app.errors import InvalidInput, NotAllowed, NotFound
from b24app.ledger import catalog, queries, refs, writes
from b24app.ledger.access import Viewer
from b24app.ledger.models import Booking, Portal
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import Tx
from b24app.scheduling.allocation import Obstacle
from b24app.scheduling.hours import local_instant
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Violation
from b24app.scheduling.recurrence import Occurrence, Recurrence, check, occurrences
from b24app.scheduling.stage import HOLDING

Scope = Literal["this", "following", "all"]
CLOSED = frozenset({"outside_hours", "past", "beyond_horizon", "notice"})


@dataclass(frozen=True, slots=True)
class Planned:
    """One date of a series before it is booked. `nearest`: other times of that day or close to it, when it is not free.

    `obstacles` say why it is taken. `shifted`: the local time does not exist or exists twice on that date, because
    clocks change.
    """

    day: date
    interval: Interval
    state: Literal["free", "taken", "closed"]
    nearest: tuple[Interval, ...]
    violations: tuple[Violation, ...]
    shifted: bool
    obstacles: tuple[Obstacle, ...] = ()


def plan_series(
    tx: Tx, portal: Portal, request: BookingRequest, recurrence: Recurrence, *, viewer: Viewer, now: datetime
) -> list[Planned]:
    """Every date of the series with whether it can be had. Raises InvalidInput for a rule that cannot be, NotFound,
    NotAllowed."""
    return [
        _planned(tx, portal, request, one, viewer=viewer, now=now)
        for one in _occurrences(tx, portal, request, recurrence)
    ]


def _occurrences(tx: Tx, portal: Portal, request: BookingRequest, recurrence: Recurrence) -> list[Occurrence]:
    zone = _zone(tx, portal, request)
    first = request.interval.start.astimezone(zone)
    if wrong := check(recurrence, first.date()):
        raise InvalidInput(wrong)
    minutes = first.hour * 60 + first.minute
    return occurrences(recurrence, first.date(), minutes, request.interval.duration, zone)


def _zone(tx: Tx, portal: Portal, request: BookingRequest) -> ZoneInfo:
    offering = offering_of(tx, portal, request)
    stock = catalog.stock(tx, portal.id, offering.resource_ids, offering.kinds, request.interval)
    first = next((fact for need in offering.needs for fact in stock.options(need)), None)
    if first is None:
        raise NotFound("resource")
    return ZoneInfo(first.time_zone)


def _planned(
    tx: Tx, portal: Portal, request: BookingRequest, one: Occurrence, *, viewer: Viewer, now: datetime
) -> Planned:
    wanted = replace(request, interval=one.interval)
    terms = read_terms(tx, portal, wanted, viewer=viewer, now=now)
    nearest: list[Interval] = []
    if not terms.is_possible:
        nearest = next_free_times(tx, portal, wanted, viewer=viewer, now=now, count=2, days=1)
    return Planned(one.day, one.interval, _state(terms), tuple(nearest), terms.violations, one.shifted, terms.obstacles)


def _state(terms: Terms) -> Literal["free", "taken", "closed"]:
    if terms.is_possible:
        return "free"
    return "closed" if terms.violations or all(one.code == "closed" for one in terms.obstacles) else "taken"


def book_series(
    tx: Tx,
    portal: Portal,
    request: BookingRequest,
    recurrence: Recurrence,
    days: Collection[date],
    *,
    viewer: Viewer,
    now: datetime,
) -> list[Booking]:
    """One booking for each of `days`, all or none. Sent twice with one `request_key`, it returns those made before.

    Raises what `book` raises; SlotTaken names the date that was taken meanwhile, and nothing is booked.
    """
    wanted = set(days)
    chosen = [one for one in _occurrences(tx, portal, request, recurrence) if one.day in wanted]
    if not chosen:
        raise InvalidInput({"days": "no_dates"})
    others.lock_all(
        tx, portal, [], now, offerings=[offering_of(tx, portal, request)], intervals=[one.interval for one in chosen]
    )
    # Looked up behind the locks: sent twice at once, a form waits here for its first time.
    if request.request_key and (made := queries.booking_by_request(tx, portal.id, f"{request.request_key}-0")):
        return _made_together(tx, portal, made, viewer)
    series_id, batch = _add_series(tx, portal, request, recurrence, viewer, now), uuid.uuid4()
    return [
        book(tx, portal, _on_date(request, one, n, series_id), viewer=viewer, now=now, batch=batch)
        for n, one in enumerate(chosen)
    ]


def _add_series(
    tx: Tx, portal: Portal, request: BookingRequest, recurrence: Recurrence, viewer: Viewer, now: datetime
) -> int:
    zone = _zone(tx, portal, request)
    first = request.interval.start.astimezone(zone)
    return writes.add_series(
        tx,
        portal.id,
        {
            "recurrence": recurrence.as_dict(),
            "first_day": first.date(),
            "start_minutes": first.hour * 60 + first.minute,
            "minutes": int(request.interval.duration / timedelta(minutes=1)),
            "time_zone": zone.key,
            "created_by": str(viewer.actor),
            "created_at": now,
        },
    )


def _on_date(request: BookingRequest, one: Occurrence, number: int, series_id: int) -> BookingRequest:
    """What is asked for on one date; of the dates of one form each has a key of its own."""
    key = f"{request.request_key}-{number}" if request.request_key else None
    return replace(
        request, interval=one.interval, series_id=series_id, series_day=one.day, source="series", request_key=key
    )


def _made_together(tx: Tx, portal: Portal, booking: Booking, viewer: Viewer) -> list[Booking]:
    if booking.series_id is None:
        return [booking]
    return [row.booking for row in queries.bookings_of_series(tx, portal.id, viewer, booking.series_id)]


def change_series(
    tx: Tx,
    portal: Portal,
    booking_id: uuid.UUID,
    scope: Scope,
    change: Move | None,
    *,
    revision: int,
    viewer: Viewer,
    now: datetime,
    reason: str = "",
) -> list[Booking]:
    """The bookings of the series that were moved (or cancelled, where `change` is None), all or none.

    Each moves to the same local time of its own date, by as many days as this one. What has begun, was dropped or is
    over already stays. `revision` is that of the booking that the person was looking at. Raises what one change raises.
    """
    kept = queries.booking_state(tx, portal.id, booking_id)
    if kept.revision != revision or kept.series_id is None or scope == "this":
        return [_change(tx, portal, booking_id, change, revision=revision, viewer=viewer, now=now, reason=reason,
                        batch=None)]  # fmt: skip
    from_day = kept.series_day if scope == "following" else None
    batch, zone, was = uuid.uuid4(), _zone_of(tx, portal, kept), as_interval(kept.during).start
    changed = []
    for one in _in_order(tx, portal, kept, change, from_day, now):
        if not _still_to_come(one, now):
            continue
        moved = change and _moved_alike(as_interval(one.during).start, was, change, zone)
        seen = revision if one.id == booking_id else one.revision
        changed.append(
            _change(tx, portal, one.id, moved, revision=seen, viewer=viewer, now=now, reason=reason, batch=batch)
        )
    if not changed:
        raise NotAllowed("change")
    refs.announce(tx, portal.id)
    return changed


def series_outcome(
    tx: Tx, portal: Portal, booking: Booking, scope: Scope, change: Move, *, now: datetime
) -> tuple[Outcome, int] | None:
    """What moving all of `scope` alike comes to, summed up, and how many they are; None where there is no series.

    Reads only. The tariff of each is its own; whether each can go there is for `change_series` to say.
    """
    if booking.series_id is None:
        return None
    from_day, zone = booking.series_day if scope == "following" else None, _zone_of(tx, portal, booking)
    was = as_interval(booking.during).start
    ids = queries.series_ids(tx, portal.id, booking.series_id, from_day)
    found = [
        move_terms(tx, portal, one, _moved_alike(as_interval(one.during).start, was, change, zone), zone, now)
        for one in queries.booking_states(tx, portal.id, ids)
        if _still_to_come(one, now)
    ]
    return _together(found), len(found)


def _together(of: Collection[Outcome]) -> Outcome:
    nothing = Decimal(0)
    return Outcome(
        price=sum((one.price for one in of), nothing),
        fee=sum((one.fee for one in of), nothing),
        new=sum((one.new for one in of), nothing),
        net=sum((one.net for one in of), nothing),
    )


def _still_to_come(booking: Booking, now: datetime) -> bool:
    """Whether a change of the series concerns it: what has begun, was dropped or is over already stays."""
    return booking.stage in HOLDING and not others.is_over(booking, now) and as_interval(booking.during).start > now


def _in_order(
    tx: Tx, portal: Portal, kept: Booking, change: Move | None, from_day: date | None, now: datetime
) -> list[Booking]:
    """Those that come into question; moved later, the last goes first, so that none is in another's way."""
    assert kept.series_id is not None, "asked for bookings of a series only"
    ids = queries.series_ids(tx, portal.id, kept.series_id, from_day)
    by, targets, intervals = timedelta(0), [], []
    if change is not None:
        by = change.interval.start - as_interval(kept.during).start
        hull = [as_interval(one.during) for one in queries.kept_bookings(tx, portal.id, ids).values()]
        intervals = [Interval(one.start + by, one.start + by + change.interval.duration) for one in hull]
        if change.resource_id is not None:
            targets = [catalog.offering_of_resource(tx, portal.id, change.resource_id)]
    others.lock_all(tx, portal, ids, now, offerings=targets, intervals=intervals)
    rows = sorted(queries.booking_states(tx, portal.id, ids), key=lambda one: as_interval(one.during).start)
    later = by > timedelta(0)
    return rows[::-1] if later else rows


def _zone_of(tx: Tx, portal: Portal, kept: Booking) -> ZoneInfo:
    assert kept.series_id is not None
    return ZoneInfo(queries.series(tx, portal.id, kept.series_id).time_zone)


def _moved_alike(start: datetime, was: datetime, change: Move, zone: ZoneInfo) -> Move:
    """For the date that begins at `start` the change that `change` is for the one that began at `was`."""
    to = change.interval.start.astimezone(zone)
    day = start.astimezone(zone).date() + (to.date() - was.astimezone(zone).date())
    start = local_instant(day, to.hour * 60 + to.minute, zone).astimezone(UTC)
    return replace(change, interval=Interval(start, start + change.interval.duration))


def _change(
    tx: Tx, portal: Portal, booking_id: uuid.UUID, change: Move | None, *, revision: int, viewer: Viewer, now: datetime,
    reason: str, batch: uuid.UUID | None,
) -> Booking:  # fmt: skip
    if change is None:
        return cancel_booking(
            tx, portal, booking_id, revision=revision, viewer=viewer, now=now, reason=reason, batch=batch
        )
    return move_booking(tx, portal, booking_id, change, revision=revision, viewer=viewer, now=now, batch=batch)
