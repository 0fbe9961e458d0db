"""Sheets for the door, for a printer and as PDF, and the `.ics` of a booking: fragments that ask, links that open.

A browser opens and saves files by itself, without our bearer: so each link is a ticket (`tickets`) for that one file.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from urllib.parse import quote

from flask import Blueprint, g, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from b24app.errors import NotFound
from b24app.ledger import board, entries, queries, refs
from b24app.ledger.entries import Entry, Named
from b24app.ledger.queries import BookingRow
from b24app.ledger.session import Session, transaction
from b24app.ledger.spread import BoardResource, Offered
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.interval import Interval
from b24app.web import ics, tickets
from b24app.web.caller import Closed
from b24app.web.choice import Choice
from b24app.web.closed import closed_page
from b24app.web.day import axis_zone
from b24app.web.narrowing import narrowed
from b24app.web.sheet import REACH, SPANS, Paper, Sheet, Wish, read_sheet
from b24app.web.sheet_pdf import pdf_of
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("sheets", __name__)

HTML, PDF, ICS = "sheet", "pdf", "ics"
APART = "apart"


@dataclass(frozen=True, slots=True)
class AskPage:
    """What templates/sheet/_ask.html shows: what to print, and the links to it as it is chosen now."""

    choice: Choice
    day: date
    span: str
    apart: bool
    names: bool
    resources: list[BoardResource]
    chosen: list[BoardResource]
    html: str
    pdf: str


@blueprint.get("/app/sheets")
def show() -> ResponseReturnValue:
    """What to print, for what the board shows: its address (`Choice`), `what`, `span`, `names`."""
    visit, params = current_visit(), _asked(request.args)
    with transaction(services().engine) as tx:
        everything = _everything(tx, seen_tenant(), visit, params)
        chosen = _narrowed(tx, seen_tenant(), everything, params)
    choice, wish = Choice.parse(params), _wish(params)
    page = AskPage(
        choice=choice,
        day=choice.day or now().astimezone(axis_zone(chosen.shown, visit)).date(),
        span=wish.span,
        apart=wish.apart,
        names=wish.names,
        resources=list(everything.shown),
        chosen=list(chosen.shown),
        html=link(visit, HTML, params),
        pdf=link(visit, PDF, params),
    )
    return render_template("sheet/_ask.html", page=page, visit=visit)


def link(visit: Visit, what: str, params: Mapping[str, str]) -> str:
    """The address of one file for this visitor, good for a minute."""
    return url_for("sheets.opened", ticket=tickets.issue(visit, what, params))


def _asked(values: Mapping[str, str]) -> dict[str, str]:
    """The parameters that a sheet is made of; `what` is a resource's number, all together (""), or each apart."""
    choice = Choice.parse(values)
    what = values.get("what", str(choice.resource_id or ""))
    resource = {"resource": int(what)} if what.isascii() and what.isdigit() and len(what) <= 18 else {}
    kept = {
        **choice.but(resource_id=None).address,
        **resource,
        "span": _span(values, choice),
        "apart": "1" if what == APART else "",
        "names": "1" if values.get("names") else "",
    }
    return {name: str(value) for name, value in kept.items() if value}


def _span(values: Mapping[str, str], choice: Choice) -> str:
    """Day or week: as asked for, else as the board shows it."""
    usual = "week" if choice.view == "week" else "day"
    return values["span"] if values.get("span") in SPANS else usual


def _wish(params: Mapping[str, str]) -> Wish:
    choice = Choice.parse(params)
    return Wish(params["span"], choice.day, bool(params.get("apart")), bool(params.get("names")))


def _everything(tx: Session, tenant: Tenant, visit: Visit, params: Mapping[str, str]) -> Offered:
    """The resources that he may see, as they are open around what is printed."""
    day = _wish(params).day
    about = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) if day else now()
    return board.offered(tx, tenant.portal.id, visit.viewer, Interval(about - REACH, about + REACH))


def _narrowed(tx: Session, tenant: Tenant, everything: Offered, params: Mapping[str, str]) -> Offered:
    """What of it is printed. Raises NotFound for a resource that is not on boards any more."""
    choice = Choice.parse(params)
    if choice.resource_id is not None:
        alone = everything.only({choice.resource_id})
        if not alone.shown:
            raise NotFound("resource")
        return alone
    return narrowed(choice, everything, board.servable(tx, tenant.portal.id, everything)).shown


# The files -----------------------------------------------------------------------------------------------------------


@blueprint.get("/files/<ticket>")
def opened(ticket: str) -> ResponseReturnValue:
    """The file of a ticket, for who is told in it, with the rights that he has now."""
    try:
        visit, what, params = tickets.read(ticket)
        g.language = visit.language
        with transaction(services().engine) as tx:
            tenant, g.visit = tickets.enter(tx, visit)
            if what == ICS:
                return _calendar_file(tx, tenant, g.visit, uuid.UUID(params["booking"]))
            sheet = _read_sheet(tx, tenant, g.visit, params)
    except Closed as closed:
        return closed_page(closed.reason, closed.status)
    if what == PDF:
        return _file(pdf_of(sheet, now()), "application/pdf", sheet.title + ".pdf", inline=True)
    return render_template("sheet/page.html", sheet=sheet)


def _read_sheet(tx: Session, tenant: Tenant, visit: Visit, params: Mapping[str, str]) -> Sheet:
    of = _narrowed(tx, tenant, _everything(tx, tenant, visit, params), params)
    if not of.shown:
        raise NotFound("resource")
    return read_sheet(Paper(tx, tenant, visit, of, _wish(params), now()))


def _file(body: bytes, mime: str, name: str, *, inline: bool = False) -> ResponseReturnValue:
    answer = make_response(body)
    how = "inline" if inline else "attachment"
    answer.headers["Content-Type"] = mime
    answer.headers["Content-Disposition"] = f"{how}; filename*=UTF-8''{quote(name, safe='')}"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


@blueprint.get("/app/bookings/<uuid:booking_id>/ics", endpoint="ics")
def ics_of(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Sends the browser to the booking's calendar file, which it saves or opens; the page stays."""
    visit = current_visit()
    with transaction(services().engine) as tx:
        queries.booking(tx, visit.portal_id, visit.viewer, booking_id)
    return "", 204, {"HX-Redirect": link(visit, ICS, {"booking": str(booking_id)})}


def _calendar_file(tx: Session, tenant: Tenant, visit: Visit, booking_id: uuid.UUID) -> ResponseReturnValue:
    """With the client's name: whoever may see the booking sees that anyway, and it is a file for himself."""
    portal_id = tenant.portal.id
    row = queries.booking(tx, portal_id, visit.viewer, booking_id)
    entry = _entry(row, _item_id(tx, portal_id, booking_id))
    where = entries.places(tx, portal_id, entry.resource_ids)
    name = f"{row.booking.number}"
    body = ics.calendar(name, [entry], where, ics.told(tenant.portal, visit.language, names=True))
    return _file(body, ics.MIME, f"{name}.ics")


def _item_id(tx: Session, portal_id: int, booking_id: uuid.UUID) -> int | None:
    known = refs.of_booking(tx, portal_id, booking_id)
    return next((ref.remote_id for ref in known if ref.kind == "item" and ref.remote_id is not None), None)


def _entry(row: BookingRow, item_id: int | None) -> Entry:
    booking = row.booking
    service = row.service.name if row.service.resource_id is None else ""
    return Entry(
        id=booking.id, number=booking.number, revision=booking.revision, stage=booking.stage, payment=booking.payment,
        during=row.interval, updated_at=booking.updated_at,
        named=Named(booking.title, row.client.name if row.client else "", service), deal_id=booking.deal_id,
        item_id=item_id, resource_ids=tuple(one.id for one in row.resources), seen=True,
    )  # fmt: skip
