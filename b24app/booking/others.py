"""What becomes of other bookings: holds that are over give way, requests that no longer fit have lost."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from b24app.booking import money
from b24app.booking.scene import APART, Scene, read_scene
from b24app.booking.story import snapshot, tell
from b24app.ledger import catalog, occupancy, queries, refs, writes
from b24app.ledger.access import Actor
from b24app.ledger.models import Booking, Portal
from b24app.ledger.occupancy import HeldSeat, as_interval
from b24app.ledger.session import Tx
from b24app.scheduling.allocation import Seat, Wish
from b24app.scheduling.interval import Interval
from b24app.scheduling.stage import Stage

WORKER = Actor("worker")


def lock_involved(
    tx: Tx, portal: Portal, scene: Scene, wanted: Interval, own: uuid.UUID | None = None
) -> dict[uuid.UUID, Booking]:
    """Everything that a decision on this scene may change, locked in one go: the booking itself, holds that are over,
    requests that compete for the same time. The resources are locked already."""
    ids = set(scene.over)
    if scene.stock.contested:
        related = queries.family(tx, portal.id, list(scene.stock.facts))
        ids |= queries.rival_ids(tx, portal.id, related, Interval(wanted.start - APART, wanted.end + APART))
    if own is not None:
        ids.add(own)
    return queries.lock_bookings(tx, portal.id, ids) if ids else {}


def lock_all(
    tx: Tx,
    portal: Portal,
    booking_ids: Collection[uuid.UUID],
    now: datetime,
    *,
    offerings: Iterable[catalog.Offering] = (),
    intervals: Iterable[Interval] = (),
) -> None:
    """Locks at once everything that changing these bookings one after the other may touch, or booking these `offerings`
    at these `intervals`.

    Locks taken later are among these, so nobody waits for a booking, or for a picture of one, while others wait for the
    portal's row that he has.
    """
    kept = queries.kept_bookings(tx, portal.id, booking_ids)
    on = queries.on_resources(tx, portal.id, booking_ids)
    offered = [
        *catalog.offerings(tx, portal.id, {one.service_id for one in kept.values()}, archived=True).values(),
        *offerings,
    ]
    locked = catalog.lock(
        tx, portal.id, on.union(*(one.resource_ids for one in offered)), {kind for one in offered for kind in one.kinds}
    )
    bounds = [*(as_interval(one.during) for one in kept.values()), *intervals]
    window = Interval(min(one.start for one in bounds) - APART, max(one.end for one in bounds) + APART)
    rivals = queries.rival_ids(tx, portal.id, queries.family(tx, portal.id, locked), window)
    touched = {*booking_ids, *rivals, *occupancy.over_on(tx, portal.id, locked, now)}
    queries.lock_bookings(tx, portal.id, touched)
    writes.hold_quotas(tx, portal.id)
    refs.hold_bookings(tx, portal.id, touched)


def is_over(booking: Booking, now: datetime) -> bool:
    """Whether its time to be confirmed has passed, written down or not."""
    return booking.stage == Stage.PREBOOKED and booking.held_until is not None and booking.held_until <= now


def expire(tx: Tx, portal: Portal, bookings: Iterable[Booking], now: datetime) -> list[Booking]:
    """Writes down of these, which are locked, what is over already; returns them."""
    found = [booking for booking in bookings if is_over(booking, now)]
    drop(tx, portal, found, Stage.EXPIRED, "expired", "", now)
    return found


def drop(
    tx: Tx, portal: Portal, bookings: Sequence[Booking], stage: Stage, action: str, reason: str, now: datetime
) -> None:
    """Ends these bookings by themselves: what they held is free, and nothing is due for them any more."""
    if not bookings:
        return
    occupancy.release(tx, portal.id, [booking.id for booking in bookings], now)
    for booking in bookings:
        before = snapshot(booking)
        booking.stage, booking.competes, booking.reason = stage, False, reason
        money.drop_price(tx, portal, booking, money.NOTHING, action, now)
        tell(tx, portal, booking, action, before, actor=WORKER, now=now)
    tx.flush()
    refs.mark_behind(tx, portal.id, [booking.id for booking in bookings], now)


def settle_rivals(
    tx: Tx, portal: Portal, locked: Collection[Booking], winner_id: uuid.UUID | None, won: Sequence[Seat], now: datetime
) -> list[Booking]:
    """Checks the requests that compete anew on what remains beside `won`; returns those that have lost.

    The winner's own request, or what it held before, is not in their way.
    """
    rivals = [one for one in locked if one.competes and one.id != winner_id and not is_over(one, now)]
    if not rivals:
        return []
    offerings = catalog.offerings(tx, portal.id, {one.service_id for one in rivals}, archived=True)
    scenes: dict[tuple[int, Interval], Scene] = {}  # many may want the very same
    lost = []
    for rival in rivals:
        wanted = as_interval(rival.during)
        if (rival.service_id, wanted) not in scenes:
            left = _left_beside(tx, portal, offerings[rival.service_id], wanted, winner_id, won, now)
            scenes[rival.service_id, wanted] = left
        seats = scenes[rival.service_id, wanted].fit(wanted, wish_of(rival), rival.party)
        if seats is None:
            lost.append(rival)
        else:
            writes.keep_claims(tx, portal.id, rival.id, {seat.resource_id for seat in seats})
    drop(tx, portal, lost, Stage.CANCELLED, "lost", "lost", now)
    return lost


def _left_beside(
    tx: Tx,
    portal: Portal,
    offering: catalog.Offering,
    wanted: Interval,
    winner_id: uuid.UUID | None,
    won: Sequence[Seat],
    now: datetime,
) -> Scene:
    """What remains for requests. A hold may yet end by itself, so it does not decide that somebody has lost."""
    scene = read_scene(tx, portal.id, offering, wanted, now, locked=False, own=winner_id, known=wanted)
    taken = [
        HeldSeat(0, seat.unit_id, seat.resource_id, winner_id or uuid.UUID(int=0), seat.during.start, seat.during.end,
                 Stage.CONFIRMED, None, movable=False)
        for seat in won
    ]  # fmt: skip
    scene.seats = [*(seat for seat in scene.seats if seat.stage != Stage.PREBOOKED), *taken]
    return scene.whatever_the_hours()


def wish_of(booking: Booking) -> Wish:
    """What was picked by hand when it was booked."""
    return as_wish(booking.wish)


def as_wish(kept: Mapping[str, Any]) -> Wish:
    """The same from what a booking, or its history, keeps of it."""
    return Wish(frozenset(kept.get("resources", ())), frozenset(kept.get("units", ())))
