"""The nearest free times for who has a card open: beside its bookings, on buttons that lead to the form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from b24app import texts
from b24app.booking.reserve import BookingRequest
from b24app.booking.terms import free_times
from b24app.errors import Refused
from b24app.ledger import catalog, queries
from b24app.ledger.queries import BookingRow
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.interval import Interval
from b24app.web.bookings import card_of_visit
from b24app.web.tab import read_tab
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("tab", __name__)

OFFERED, LOOKED_AHEAD, USUAL = 4, timedelta(days=14), timedelta(hours=1)
MIDDAY = 13


@dataclass(frozen=True, slots=True)
class Offer:
    """A free time; `url` opens the form for it."""

    words: str
    url: str


@dataclass(frozen=True, slots=True)
class Offers:
    """The nearest free times of one thing."""

    name: str
    lasts: str
    times: list[Offer] = field(default_factory=list)


@blueprint.get("/app/tab/times")
def times() -> ResponseReturnValue:
    """The nearest free times of what this card was booked for last, or of the first thing on offer.

    Beside the tab and not in it: looking through two weeks would be in the way of the first sight.
    """
    visit, at, card = current_visit(), now(), card_of_visit(current_visit())
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        model = read_tab(tx, tenant, visit, card, at).model if card else None
        wish = _like(model.row, at) if model else _anything(tx, tenant, visit, at)
        found = _offers(tx, tenant, visit, wish, at) if wish else None
    return render_template("tab/_times.html", offers=found, other=url_for("bookings.new"))


def _like(row: BookingRow, at: datetime) -> BookingRequest:
    bare = row.service.resource_id
    length = Interval(at, at + row.interval.duration)
    return BookingRequest(
        length, resource_id=bare, service_id=None if bare else row.service.id, party=row.booking.party
    )


def _anything(tx: Session, tenant: Tenant, visit: Visit, at: datetime) -> BookingRequest | None:
    """The first service on offer, else the first resource that he may ask for."""
    for one in queries.services(tx, tenant.portal.id):
        length = max(timedelta(minutes=one.min_minutes), min(USUAL, timedelta(minutes=one.max_minutes)))
        return BookingRequest(Interval(at, at + length), service_id=one.id)
    mine = (one for one in queries.resources(tx, tenant.portal.id, visit.viewer) if visit.viewer.may("request", one))
    first = next(mine, None)
    return BookingRequest(Interval(at, at + USUAL), resource_id=first.id) if first else None


def _offers(tx: Session, tenant: Tenant, visit: Visit, wish: BookingRequest, at: datetime) -> Offers | None:
    """Free times of several parts of a day rather than four in a row; None where he may not have it at all."""
    try:
        slots = free_times(tx, tenant.portal, wish, Interval(at, at + LOOKED_AHEAD), viewer=visit.viewer, now=at)
    except Refused:
        return None
    name, zone = _named(tx, tenant, visit, wish)
    minutes = int(wish.interval.duration.total_seconds() // 60)
    chosen = _spread([slot.interval for slot in slots], zone)
    return Offers(name, texts.duration(visit.language, minutes), [_offer(visit, wish, one, zone, at) for one in chosen])


def _named(tx: Session, tenant: Tenant, visit: Visit, wish: BookingRequest) -> tuple[str, ZoneInfo]:
    if wish.resource_id is not None:
        spot = queries.spot(tx, tenant.portal.id, visit.viewer, wish.resource_id)
        return spot.name, ZoneInfo(spot.time_zone)
    offering = catalog.offering_of_service(tx, tenant.portal.id, wish.service_id or 0)
    shown = queries.resources(tx, tenant.portal.id, visit.viewer)
    able = [one for one in shown for need in offering.needs if one.kind == need.kind or one.id in need.options]
    return offering.name, ZoneInfo(able[0].time_zone if able else visit.time_zone)


def _spread(free: Sequence[Interval], zone: ZoneInfo) -> list[Interval]:
    """The first of each half of a day, until there are enough; then whatever comes first."""
    halves: dict[tuple[date, bool], Interval] = {}
    for one in free:
        local = one.start.astimezone(zone)
        halves.setdefault((local.date(), local.hour < MIDDAY), one)
    return sorted(halves.values(), key=lambda one: one.start)[:OFFERED]


def _offer(visit: Visit, wish: BookingRequest, free: Interval, zone: ZoneInfo, at: datetime) -> Offer:
    local, today = free.start.astimezone(zone), at.astimezone(zone).date()
    named = {today: _("Today"), today + timedelta(days=1): _("Tomorrow")}
    day = named.get(local.date()) or texts.day(visit.language, local.date(), short=True)
    what: dict[str, Any] = {"service": wish.service_id} if wish.service_id else {"resource": wish.resource_id}
    bounds: dict[str, Any] = {"start": int(free.start.timestamp()), "end": int(free.end.timestamp())}
    url = url_for("bookings.new", **what, **bounds, day=local.date().isoformat(), party=wish.party)
    return Offer(f"{day}, {local.hour}:{local.minute:02}", url)
