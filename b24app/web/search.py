"""Bookings and resources by what somebody remembers of them: the list under the search field."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from b24app import texts
from b24app.ledger import agenda, kinds
from b24app.ledger.models import Resource
from b24app.ledger.queries import BookingRow
from b24app.ledger.session import Session, transaction
from b24app.web import standing
from b24app.web.standing import Pill
from b24app.web.visit import Visit, current_visit, now, services

blueprint = Blueprint("search", __name__)

MOST = 20
LONGEST = 100
SHORTEST, MOST_PLACES = 2, 6  # of resources: letters that are asked for, lines that are shown


@dataclass(frozen=True, slots=True)
class Found:
    """One booking that was found."""

    number: int
    what: str
    when: str
    where: str
    pill: Pill


@blueprint.get("/app/search")
def find() -> ResponseReturnValue:
    """The bookings that `q` may mean, as far as he may see them, those ahead first."""
    asked, visit, at = request.args.get("q", "").replace("\0", "").strip()[:LONGEST], current_visit(), now()
    with transaction(services().engine) as tx:
        rows = agenda.search(tx, visit.portal_id, visit.viewer, asked, at, MOST)
        places = _places(tx, visit, asked)
    return render_template(
        "search/_found.html", asked=asked, found=[_found(visit, row, at) for row in rows], places=places
    )


def _places(tx: Session, visit: Visit, asked: str) -> list[Resource]:
    """The resources whose name, place or attributes say this, as far as he may see them."""
    if len(asked) < SHORTEST:
        return []
    found = kinds.found_by(tx, visit.portal_id, asked)
    return [one for one in found if visit.viewer.may("busy", one)][:MOST_PLACES]


def _found(visit: Visit, row: BookingRow, at: datetime) -> Found:
    zone = ZoneInfo(row.resources[0].time_zone if row.resources else visit.time_zone)
    when = texts.period(visit.language, row.interval.start, row.interval.end, zone)
    start = row.interval.start.astimezone(zone)
    if start.year != at.astimezone(zone).year:
        when = f"{when}, {start.year}"
    return Found(
        number=row.booking.number,
        what=row.booking.title or (row.client.name if row.client else row.service.name),
        when=when,
        where=", ".join(one.name for one in row.resources),
        pill=standing.pill(visit.language, row.booking, at),
    )
