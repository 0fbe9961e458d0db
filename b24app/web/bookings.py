"""Making, showing, moving and cancelling one booking: fragments for the panel beside the board."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from b24app import texts
from b24app.booking.change import cancel_booking, may_change, move_booking
from b24app.booking.clients import ClientData
from b24app.booking.reserve import BookingRequest, book
from b24app.errors import InvalidInput, NotAllowed, NotFound, Permanent, Refused, Retryable, SlotTaken, Stale
from b24app.ledger import queries, tenancy
from b24app.ledger.models import Resource
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.interval import Interval
from b24app.scheduling.stage import HOLDING
from b24app.web import board, errors, panel
from b24app.web.booking_page import Clicked, form_page, offer_others, propose
from b24app.web.caller import card_kind
from b24app.web.crm import CardContext, read_card
from b24app.web.forms import BookingForm, MoveForm, RevisionForm, WhenForm, client_phone
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("bookings", __name__)

SYNCED = json.dumps({"b24:changed": {}})  # the portal has it: the board may take its mark away
LARGEST_FORM_BYTES = 1024 * 1024  # so that a text that is far too long is refused at its own field


@blueprint.before_request
def allow_long_forms() -> None:
    request.max_content_length = request.max_form_memory_size = LARGEST_FORM_BYTES


@blueprint.get("/app/bookings/new")
def new() -> ResponseReturnValue:
    """An empty form for the time that was clicked: `resource`, `start`, `end` (epoch seconds), `day`."""
    visit, form = current_visit(), BookingForm(formdata=None)
    card = card_of_visit(visit)
    form.request_key.data = uuid.uuid4().hex
    form.responsible.data = visit.viewer.user_id
    form.board_day.data = request.args.get("day", "")
    if card:
        form[f"{card.kind}_id"].data = card.id
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        page = form_page(tx, tenant, visit, form)
        page.card = card
        if page.resources:
            propose(tx, tenant, page, _clicked(), now())
    return render_template("bookings/_form.html", page=page, visit=visit, now=now())


def _clicked() -> Clicked:
    return Clicked(_whole("resource"), _instant("start"), _instant("end"), board.wanted_day())


def _whole(name: str) -> int | None:
    """A number of the address; nonsense is the same as nothing."""
    value = request.args.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 10 else None


def _instant(name: str) -> datetime | None:
    seconds = _whole(name)
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None


@blueprint.post("/app/bookings")
def create() -> ResponseReturnValue:
    """Books, and answers with a word of it that fetches the panel; refused, with the form, all reasons in it."""
    visit, form, moment = current_visit(), BookingForm(), now()
    try:
        form.check_shape()
        wanted = _wanted(form, _client_card(form))
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            resource, interval = _place_and_time(tx, tenant, visit, form)
            _check_responsible(tx, tenant, visit, form)
            made = book(
                tx,
                tenant.portal,
                BookingRequest(resource_id=resource.id, interval=interval, **wanted),
                viewer=visit.viewer,
                now=moment,
            )
            again = made.created_at != moment  # this very form was sent before: what it made is shown as it is now
            page = panel.read(tx, tenant, visit, made.id) if again else None
    except Refused as refused:
        return _refused_form("bookings/_form.html", form, refused)
    if page is not None:
        return changed(page)
    when = texts.period(visit.language, interval.start, interval.end, ZoneInfo(resource.time_zone))
    answer = render_template("bookings/_booked.html", booking=made, resource=resource, when=when)
    return answer, {"HX-Trigger": json.dumps({"b24:changed": {"number": made.number}})}


@blueprint.get("/app/bookings/<uuid:booking_id>")
def show(booking_id: uuid.UUID) -> ResponseReturnValue:
    """The panel of a booking; `fresh` says that it was made just now, beside a board."""
    fresh = "fresh" in request.args
    with transaction(services().engine) as tx:
        page = panel.read(tx, seen_tenant(), current_visit(), booking_id)
    answer = make_response(render_template("bookings/_panel.html", page=page, visit=current_visit(), fresh=fresh))
    if fresh and not page.portal.waiting:
        answer.headers["HX-Trigger"] = SYNCED
    return answer


@blueprint.get("/app/bookings/no/<int(max=9223372036854775807):number>")
def show_number(number: int) -> ResponseReturnValue:
    """The same by the booking's number, which is what a block of the board knows."""
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        row = queries.booking_by_number(tx, tenant.portal.id, current_visit().viewer, number)
        page = panel.of_row(tx, tenant, current_visit(), row)
    return render_template("bookings/_panel.html", page=page, visit=current_visit())


@blueprint.get("/app/bookings/<uuid:booking_id>/sync")
def sync(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Whether the portal has the booking; the fragment asks again until it has, then the board is told."""
    turn = (_whole("turn") or 0) + 1
    with transaction(services().engine) as tx:
        page = panel.read(tx, seen_tenant(), current_visit(), booking_id)
    answer = make_response(render_template("bookings/_sync.html", page=page, turn=turn))
    if not page.portal.waiting:
        answer.headers["HX-Trigger"] = SYNCED
    return answer


@blueprint.get("/app/bookings/<uuid:booking_id>/crm")
def crm_part(booking_id: uuid.UUID) -> ResponseReturnValue:
    """What only the CRM may show: the deal's title and the client's phone, read with the visitor's own token."""
    with transaction(services().engine) as tx:
        row = queries.booking(tx, seen_tenant().portal.id, current_visit().viewer, booking_id)
    try:
        deal, client = _seen_cards(row)
    except Retryable:
        return render_template("bookings/_crm.html", row=row, deal=None, client=None, away=True)
    return render_template("bookings/_crm.html", row=row, deal=deal, client=client)


def _seen_cards(row: queries.BookingRow) -> tuple[CardContext | None, ClientData | None]:
    """The booking's deal and client as far as this visitor may see them in the CRM."""
    deal = _card_or_none("deal", row.booking.deal_id)
    if row.client is None or row.client.crm_id is None:
        return deal, None
    if deal and deal.client and (deal.client.kind, deal.client.crm_id) == (row.client.kind, row.client.crm_id):
        return deal, deal.client
    card = _card_or_none(row.client.kind, row.client.crm_id)
    return deal, card.client if card else None


@blueprint.get("/app/bookings/<uuid:booking_id>/move")
def move_form(booking_id: uuid.UUID) -> ResponseReturnValue:
    """The form for another time or place, filled with the present ones."""
    visit = current_visit()
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        row = queries.booking(tx, tenant.portal.id, visit.viewer, booking_id)
        _check_changeable(visit, row)
        form = MoveForm(formdata=None)
        form.revision.data = row.booking.revision
        if row.resources:
            form.fill(row.resources[0].id, row.interval, ZoneInfo(row.resources[0].time_zone))
        page = form_page(tx, tenant, visit, form)
        page.booking = row.booking
    return render_template("bookings/_move.html", page=page, visit=visit, now=now())


@blueprint.post("/app/bookings/<uuid:booking_id>/move")
def move(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Moves, and answers with the panel; refused, with the form."""
    visit, form = current_visit(), MoveForm()
    try:
        form.check_shape()
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            resource, interval = _place_and_time(tx, tenant, visit, form)
            move_booking(
                tx,
                tenant.portal,
                booking_id,
                interval,
                resource.id,
                revision=form.revision.data,
                viewer=visit.viewer,
                now=now(),
            )
            page = panel.read(tx, tenant, visit, booking_id)
    except NotFound:
        raise
    except Refused as refused:
        return _refused_form("bookings/_move.html", form, refused, booking_id)
    return changed(page)


@blueprint.post("/app/bookings/<uuid:booking_id>/cancel")
def cancel(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Cancels, and answers with the panel."""
    visit, form = current_visit(), RevisionForm()
    form.check_shape()
    try:
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            cancel_booking(tx, tenant.portal, booking_id, revision=form.revision.data, viewer=visit.viewer, now=now())
            page = panel.read(tx, tenant, visit, booking_id)
    except Stale as stale:
        with transaction(services().engine) as tx:
            page = panel.read(tx, seen_tenant(), visit, booking_id)
        problem = errors.problems(stale, visit.language)[0].text
        return render_template("bookings/_panel.html", page=page, visit=visit, problem=problem), errors.status(stale)
    return changed(page)


def changed(page: panel.Panel) -> ResponseReturnValue:
    """The panel, and word to the page that its board is behind now."""
    answer = make_response(render_template("bookings/_panel.html", page=page, visit=current_visit()))
    answer.headers["HX-Trigger"] = json.dumps({"b24:changed": {"number": page.number}})
    return answer


def card_of_visit(visit: Visit) -> CardContext | None:
    """The card in whose tab this visit takes place, read with the visitor's token."""
    kind = card_kind(visit.place)
    return read_card(kind, visit.entity_id) if kind and visit.entity_id else None


def _card_or_none(kind: str, entity_id: int | None) -> CardContext | None:
    """The card, or None when there is none or the CRM does not show it to this visitor."""
    if entity_id is None:
        return None
    try:
        return read_card(kind, entity_id)
    except NotAllowed:
        return None


def _client_card(form: BookingForm) -> CardContext | None:
    """The card named by the form, if this visitor may see it; a forged id is refused at its field."""
    for kind in ("deal", "contact", "company"):
        entity_id = form[f"{kind}_id"].data
        if entity_id is not None:
            return read_card(kind, entity_id)
    return None


def _wanted(form: BookingForm, card: CardContext | None) -> dict[str, Any]:
    """Everything about a booking but place and time."""
    typed = None
    if form.client_name.data:
        typed = ClientData(
            "person", form.client_name.data, client_phone(form.client_phone.data or ""), form.client_email.data or ""
        )
    return {
        "client": (card.client if card else None) or typed,
        "deal_id": card.id if card and card.kind == "deal" else None,
        "title": form.title.data,
        "notes": form.notes.data,
        "responsible_id": form.responsible.data,
        "request_key": form.request_key.data,
    }


def _place_and_time(tx: Session, tenant: Tenant, visit: Visit, form: WhenForm) -> tuple[Resource, Interval]:
    """The resource, and the instants that are meant by its wall clock. Raises NotFound or InvalidInput."""
    resource = queries.resource(tx, tenant.portal.id, visit.viewer, form.resource_id)
    return resource, form.interval(ZoneInfo(resource.time_zone))


def _check_responsible(tx: Session, tenant: Tenant, visit: Visit, form: BookingForm) -> None:
    chosen = form.responsible.data
    if chosen is None or chosen == visit.viewer.user_id:
        return
    if chosen not in tenancy.user_names(tx, tenant.portal.id, [chosen]):
        raise InvalidInput({"responsible": "unknown_user"})


def _check_changeable(visit: Visit, row: queries.BookingRow) -> None:
    if not may_change(visit.viewer, row.booking, row.resources):
        raise NotAllowed("change")
    if row.booking.stage not in HOLDING:
        raise NotAllowed("move")


def _refused_form(
    template: str, form: BookingForm | MoveForm, refused: Refused, booking_id: uuid.UUID | None = None
) -> ResponseReturnValue:
    """The form again with every reason in words; for a time that was taken also the lane as it is now."""
    visit = current_visit()
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        page = form_page(tx, tenant, visit, form)
        if booking_id is not None:
            page.booking = queries.booking(tx, tenant.portal.id, visit.viewer, booking_id).booking
        page.problems = errors.problems(refused, visit.language)
        if isinstance(refused, SlotTaken):
            offer_others(tx, tenant, visit, page, refused.interval, now())
        if isinstance(refused, Stale) and page.booking is not None and isinstance(form, MoveForm):
            form.revision.raw_data, form.revision.data = None, page.booking.revision
    if isinstance(form, BookingForm) and not isinstance(refused, NotAllowed):
        page.card = _client_card_again(form)
    return render_template(template, page=page, visit=visit, now=now()), errors.status(refused)


def _client_card_again(form: BookingForm) -> CardContext | None:
    """The card for showing the form once more; the answer stands in this process' memory."""
    try:
        return _client_card(form)
    except (Refused, Permanent, Retryable):
        return None
