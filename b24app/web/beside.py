"""What stands beside a booking: requests for the same time, the other dates of its series, times to have instead."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from flask import url_for
from flask_babel import gettext as _

from b24app import texts
from b24app.booking.allowed import allowed
from b24app.booking.reserve import BookingRequest
from b24app.booking.terms import next_free_times
from b24app.errors import Refused
from b24app.ledger import queries
from b24app.ledger.queries import BookingRow
from b24app.ledger.session import Session
from b24app.scheduling.interval import Interval
from b24app.scheduling.stage import Payment, Stage
from b24app.web import standing
from b24app.web.standing import Look, Pill

LISTED = 12  # other dates of a series beside this one


@dataclass(frozen=True, slots=True)
class Rival:
    """A request for the same time and place, or one that has lost it."""

    id: uuid.UUID
    number: int
    revision: int
    name: str
    asked: str
    price: str
    payment: str
    may_confirm: bool


def rivals(tx: Session, look: Look, row: BookingRow) -> list[Rival]:
    """The requests beside one that waits itself, the oldest first; who approves may confirm another one instead."""
    if standing.stage_of(row.booking, look.at) not in ("request", Stage.PREBOOKED):
        return []
    rows = queries.rivals_of(tx, look.portal.id, look.viewer, row, look.at)
    others = [one for one in rows if one.booking.id != row.booking.id]
    return _told(tx, look, others, confirmable=row.booking.competes)


def losers(tx: Session, look: Look, row: BookingRow) -> list[Rival]:
    """The requests that have lost their time to this booking."""
    if row.booking.stage != Stage.CONFIRMED:
        return []
    longest = timedelta(minutes=look.portal.longest_minutes)
    return _told(tx, look, queries.lost_beside(tx, look.portal.id, look.viewer, row, longest))


def _told(tx: Session, look: Look, rows: Sequence[BookingRow], *, confirmable: bool = False) -> list[Rival]:
    sums = queries.sums_of(tx, look.portal.id, [row.booking.id for row in rows])
    return [_rival(look, row, sums[row.booking.id].price, confirmable) for row in rows]


def _rival(look: Look, row: BookingRow, price: Decimal, confirmable: bool) -> Rival:
    booking = row.booking
    return Rival(
        id=booking.id,
        number=booking.number,
        revision=booking.revision,
        name=row.client.name if row.client else booking.title or row.service.name,
        asked=look.moment(booking.created_at),
        price=look.money(price) if price else "",
        payment=texts.say(look.language, f"payment.{booking.payment}") if booking.payment != Payment.NONE else "",
        may_confirm=confirmable and allowed(look.viewer, booking, row.resources, look.at).confirm,
    )


@dataclass(frozen=True, slots=True)
class Sibling:
    """Another date of the same series."""

    id: uuid.UUID
    when: str
    pill: Pill


@dataclass(frozen=True, slots=True)
class SeriesCard:
    """The series that a booking is one date of; `more`: how many dates are not listed."""

    place: str
    repeats: str
    siblings: tuple[Sibling, ...]
    more: int


def series_card(tx: Session, look: Look, row: BookingRow) -> SeriesCard | None:
    """«3 из 12, каждую неделю по вт», and the dates around this one."""
    series_id = row.booking.series_id
    if series_id is None:
        return None
    series = queries.series(tx, look.portal.id, series_id)
    rows = queries.bookings_of_series(tx, look.portal.id, look.viewer, series_id)
    place = next((n for n, one in enumerate(rows) if one.booking.id == row.booking.id), 0)
    first = max(0, min(place - LISTED // 3, len(rows) - LISTED - 1))
    near = [one for one in rows[first : first + LISTED + 1] if one.booking.id != row.booking.id]
    return SeriesCard(
        place=_("%(place)s of %(count)s", place=place + 1, count=len(rows)),
        repeats=texts.repetition(look.language, series.recurrence, series.first_day),
        siblings=tuple(_sibling(look, one) for one in near),
        more=len(rows) - len(near) - 1,
    )


def _sibling(look: Look, row: BookingRow) -> Sibling:
    when = texts.period(look.language, row.interval.start, row.interval.end, look.zone)
    return Sibling(row.booking.id, when, standing.pill(look.language, row.booking, look.at))


@dataclass(frozen=True, slots=True)
class Offer:
    """A free time to have instead; `url` opens the form for it."""

    words: str
    url: str


def offers(tx: Session, look: Look, row: BookingRow) -> list[Offer]:
    """The nearest free times for what has come to nothing."""
    if row.interval.start <= look.at:
        return []
    bare = row.service.resource_id
    wish = BookingRequest(
        row.interval, resource_id=bare, service_id=None if bare else row.service.id, party=row.booking.party
    )
    try:
        free = next_free_times(tx, look.portal, wish, viewer=look.viewer, now=look.at)
    except Refused:  # no longer offered, or not to him
        return []
    return [_offer(look, row, one) for one in free]


def _offer(look: Look, row: BookingRow, free: Interval) -> Offer:
    day = free.start.astimezone(look.zone).date()
    today = day == look.at.astimezone(look.zone).date()
    words = texts.say(look.language, "today") if today else texts.day(look.language, day, short=True)
    service = row.service
    wish: dict[str, Any] = {"resource": service.resource_id} if service.resource_id else {"service": service.id}
    wish |= {"start": int(free.start.timestamp()), "end": int(free.end.timestamp()), "day": day.isoformat()}
    url = url_for("bookings.new", **wish, party=row.booking.party)
    return Offer(f"{words}, {texts.span(free.start, free.end, look.zone)}", url)
