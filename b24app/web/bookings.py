"""Making, showing and moving bookings: fragments for the panel beside the board."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from b24app import texts
from b24app.booking.change import may_change
from b24app.booking.clients import ClientData
from b24app.booking.reserve import BookingRequest, book
from b24app.booking.series import book_series, change_series
from b24app.errors import InvalidInput, NotAllowed, NotFound, Permanent, Refused, Retryable, SlotTaken, Stale
from b24app.ledger import queries
from b24app.ledger.models import Booking
from b24app.ledger.occupancy import as_interval
from b24app.ledger.queries import BookingRow
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.recurrence import dates
from b24app.scheduling.stage import HOLDING
from b24app.web import board, business, errors, panel, people
from b24app.web.booking_look import look, look_at_move, look_at_series, move_of, refusal
from b24app.web.booking_page import (
    Clicked,
    FormPage,
    Target,
    chosen_anew,
    form_page,
    propose,
    propose_again,
    target_of,
)
from b24app.web.booking_terms import moment
from b24app.web.caller import card_kind
from b24app.web.choice import parse_day
from b24app.web.crm import CardContext, read_card
from b24app.web.deal_card import read_deal
from b24app.web.forms_booking import BookingForm, MoveForm, What, WishForm, client_phone
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("bookings", __name__)

SYNCED = json.dumps({"b24:changed": {}})  # the portal has it: the board may take its mark away
CHOSEN = json.dumps({"b24:chosen": {}})  # another thing is booked: what is told about a series is out of date
LARGEST_FORM_BYTES = 1024 * 1024  # so that a text that is far too long is refused at its own field


@blueprint.before_request
def allow_long_forms() -> None:
    request.max_content_length = request.max_form_memory_size = LARGEST_FORM_BYTES


@blueprint.get("/app/bookings/new")
def new() -> ResponseReturnValue:
    """An empty form for what was clicked: `resource`, `service`, `start`, `end` (epoch seconds), `day`, `party`; or
    filled with what another booking has: `like`, its id."""
    visit, form = current_visit(), BookingForm(formdata=None)
    again = _like()
    card = _card_of_booking(again) if again else card_of_visit(visit)
    form.request_key.data = uuid.uuid4().hex
    form.responsible.data = visit.viewer.user_id
    form.board_day.data = request.args.get("day", "")
    if card:
        _fill_card(form, card)
    clicked = _clicked()
    asked = business.offering(What(clicked.resource_id, clicked.service_id), clicked.about)
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        page = form_page(tx, tenant, visit, form)
        page.card, page.calendars_silent = card if card and card.booked_for else None, not asked
        if not page.is_empty:
            if again:
                propose_again(tx, tenant, page, again, now())
                if again.client and not card:
                    _type_in(form, ClientData("person", again.client.name, again.client.phone, again.client.email))
            else:
                propose(tx, tenant, page, clicked, now())
                form.group.data = _usual_group(tx, tenant, page)
            look(tx, tenant, page, card.client if card else None, now())
    return _shown("bookings/_form.html", page)


def _type_in(form: BookingForm, client: ClientData) -> None:
    """Somebody who is no contact of the CRM yet, as if he had been typed in."""
    form.put(client_name=client.name, client_phone=client.phone, client_email=client.email)


def _like() -> BookingRow | None:
    """The booking that is to be repeated; raises NotFound for one that he may not see."""
    if not (text := request.args.get("like", "")):
        return None
    try:
        booking_id = uuid.UUID(text)
    except ValueError:
        raise NotFound("booking") from None
    with transaction(services().engine) as tx:
        return queries.booking(tx, seen_tenant().portal.id, current_visit().viewer, booking_id)


def _card_of_booking(row: BookingRow) -> CardContext | None:
    """The deal of a booking, else its client's card, as far as this visitor may see it."""
    of_client = (row.client.kind, row.client.crm_id) if row.client and row.client.crm_id else ("deal", None)
    return _card_or_none("deal", row.booking.deal_id) or _card_or_none(*of_client)


def _fill_card(form: BookingForm, card: CardContext) -> None:
    """For whom the card is; of a lead that is nobody's card yet the name and the phone, which may be changed."""
    if card.booked_for:
        kind, crm_id = card.booked_for
        form[f"{kind}_id"].data = crm_id
    elif card.client:
        form.put(client_name=card.client.name, client_phone=card.client.phone, client_email=card.client.email)


def _shown(template: str, page: FormPage) -> str:
    return render_template(template, page=page, visit=page.visit, now=now())


def _clicked() -> Clicked:
    return Clicked(
        _whole("resource"), _whole("service"), _instant("start"), _instant("end"), board.wanted_day(), _whole("party")
    )


def _usual_group(tx: Session, tenant: Tenant, page: FormPage) -> str:
    """The group that the client of the card was booked in last, where there are prices for it."""
    client = page.card.client if page.card else None
    if client is None or client.crm_id is None or not page.groups:
        return ""
    known = queries.price_group_of(tx, tenant.portal.id, client.kind, client.crm_id)
    return known if known and known in page.groups else ""


def _whole(name: str) -> int | None:
    """A number of the address; nonsense is the same as nothing."""
    value = request.args.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 10 else None


def _instant(name: str) -> datetime | None:
    seconds = _whole(name)
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None


@blueprint.get("/app/bookings/choice")
def choice() -> ResponseReturnValue:
    """The fields for another thing that was chosen, with all that is told about it; what was typed stays."""
    page = _asked_page(chosen_anew)
    return _shown("bookings/_chosen.html", page), {"HX-Trigger": CHOSEN}


@blueprint.get("/app/bookings/terms")
def terms() -> ResponseReturnValue:
    """Price, rules, what would come of it, free times: for what stands in the form now."""
    return _shown("bookings/_told.html", _asked_page())


def _asked_page(prepare: Callable[[Session, Tenant, FormPage, datetime], None] | None = None) -> FormPage:
    """The form as the address has it, with what is to be told about it."""
    visit, form = current_visit(), WishForm(formdata=request.args)
    form.validate()
    client = _client_again(form)
    asked = business.offering(form.what, form.date.data)
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        page = form_page(tx, tenant, visit, form)
        page.calendars_silent = not asked
        if prepare:
            prepare(tx, tenant, page, now())
            form.validate()
        look(tx, tenant, page, client, now())
    return page


@blueprint.get("/app/bookings/series")
def series() -> ResponseReturnValue:
    """Every date of a series before it is booked; 422 with the fields for one that cannot be."""
    visit, form, status = current_visit(), WishForm(formdata=request.args), 200
    form.propose_repetition(request.args)
    form.validate()
    client = _client_again(form)
    asked = business.offering(form.what, form.date.data, far=True)
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        page = form_page(tx, tenant, visit, form)
        page.calendars_silent = not asked
        look(tx, tenant, page, client, now())
        try:
            look_at_series(tx, tenant, page, client, None, now())
        except Refused as refused:
            page.problems, status = refusal(tx, tenant, page, refused), errors.status(refused)
    return _shown("bookings/_planned.html", page), status


@blueprint.post("/app/bookings")
def create() -> ResponseReturnValue:
    """Books, and answers with a word of it that fetches the panel; refused, with the form, all reasons in it."""
    form, moment_ = BookingForm(), now()
    try:
        form.check_shape()
        client, deal_id = _client(form)
        business.before_booking(form)
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            target, wish = _wish(tx, tenant, form, client, deal_id)
            if form.recurrence is not None:
                return _booked_series(tx, tenant, form, wish, target)
            made = book(tx, tenant.portal, wish, viewer=current_visit().viewer, now=moment_)
            if made.created_at != moment_:  # this very form was sent before: what it made is shown as it is now
                return panel.answer(panel.read(tx, tenant, current_visit(), made.id))
    except Refused as refused:
        return _refused_form(form, refused)
    return _booked(made, wish, target)


def _wish(
    tx: Session, tenant: Tenant, form: BookingForm, client: ClientData | None, deal_id: int | None
) -> tuple[Target, BookingRequest]:
    """What is asked for, by the clock of its place. Raises NotFound or InvalidInput."""
    target = target_of(tx, tenant, current_visit().viewer, form.what)
    interval = form.interval(target.zone)
    named = {"responsible": [form.responsible.data or 0], "participants": list(form.participants.data or ())}
    people.check_known(tx, tenant.portal.id, current_visit(), named)
    return target, BookingRequest(interval=interval, client=client, deal_id=deal_id, **form.wanted())


def _booked(made: Booking, wish: BookingRequest, target: Target) -> ResponseReturnValue:
    language = current_visit().language
    when = texts.period(language, wish.interval.start, wish.interval.end, target.zone)
    until = moment(language, made.held_until, target.zone) if made.held_until else ""
    answer = render_template("bookings/_booked.html", booking=made, name=target.name, when=when, until=until)
    words = _("Booking No. %(number)s made", number=made.number)
    return answer, {"HX-Trigger": panel.changed(made.number, words, panel.undo_url(made.id, made.revision))}


def _booked_series(
    tx: Session, tenant: Tenant, form: BookingForm, wish: BookingRequest, target: Target
) -> ResponseReturnValue:
    """Books the dates that were left ticked; the answer lists them."""
    recurrence, visit = form.recurrence, current_visit()
    assert recurrence is not None, "asked for a series only"
    made = book_series(tx, tenant.portal, wish, recurrence, form.days.data, viewer=visit.viewer, now=now())
    lines = [(one, texts.period(visit.language, *_bounds(one), target.zone)) for one in made]
    first = wish.interval.start.astimezone(target.zone).date()
    left_out = [
        texts.day(visit.language, day, short=True) for day in dates(recurrence, first) if day not in form.days.data
    ]
    answer = render_template("bookings/_booked_series.html", lines=lines, name=target.name, left_out=left_out)
    words = ngettext("%(num)d booking made", "%(num)d bookings made", len(made))
    undo = panel.undo_url(made[0].id, made[0].revision)
    return answer, {"HX-Trigger": panel.changed(made[0].number, words, undo)}


def _bounds(booking: Booking) -> tuple[datetime, datetime]:
    during = as_interval(booking.during)
    return during.start, during.end


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
    """What only the CRM may show: the deal and the client's phone, read with the visitor's own token."""
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        row = queries.booking(tx, tenant.portal.id, current_visit().viewer, booking_id)
        record = panel.record_words(tx, tenant.portal.id, row)
    deal, client, away = None, None, False
    try:
        deal = read_deal(row.booking.deal_id) if row.booking.deal_id else None
        client = _seen_client(row)
    except Retryable:
        away = True
    return render_template("bookings/_crm.html", row=row, record=record, deal=deal, client=client, away=away)


def _seen_client(row: queries.BookingRow) -> ClientData | None:
    """The booking's client as far as this visitor may see him in the CRM."""
    if row.client is None or row.client.crm_id is None:
        return None
    card = _card_or_none(row.client.kind, row.client.crm_id)
    return card.client if card else None


@blueprint.get("/app/bookings/<uuid:booking_id>/move")
def move_form(booking_id: uuid.UUID) -> ResponseReturnValue:
    """The form for another time or place, filled with the present ones."""
    visit, form = current_visit(), MoveForm(formdata=None)
    asked = business.offering_move(booking_id, form)
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        row = queries.booking(tx, tenant.portal.id, visit.viewer, booking_id)
        _check_changeable(visit, row)
        form.revision.data, form.resource.data = row.booking.revision, _booked_as(row)
        page = _move_page(tx, tenant, form, row)
        page.calendars_silent = not asked
        form.fill(row.interval, page.zone)
        form.minutes.data = page.fixed_minutes
        look_at_move(tx, tenant, page, row, now())
    return _shown("bookings/_move.html", page)


@blueprint.get("/app/bookings/<uuid:booking_id>/move/terms")
def move_terms(booking_id: uuid.UUID) -> ResponseReturnValue:
    """What moving comes to: the price before and after, the fee, free times."""
    visit, form = current_visit(), MoveForm(formdata=request.args)
    form.validate()
    asked = business.offering_move(booking_id, form)
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        row = queries.booking(tx, tenant.portal.id, visit.viewer, booking_id)
        _check_changeable(visit, row)
        page = _move_page(tx, tenant, form, row)
        page.calendars_silent = not asked
        look_at_move(tx, tenant, page, row, now())
    return _shown("bookings/_move_told.html", page)


@blueprint.post("/app/bookings/<uuid:booking_id>/move")
def move(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Moves, and answers with the panel; refused, with the form."""
    visit, form = current_visit(), MoveForm()
    try:
        form.check_shape()
        business.before_move(booking_id, form)
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            row = queries.booking(tx, tenant.portal.id, visit.viewer, booking_id)
            interval = form.interval(_clock_after(tx, tenant, form, row))
            change_series(
                tx,
                tenant.portal,
                booking_id,
                form.scope.data or "this",
                move_of(form, row, interval),
                revision=form.revision.data,
                viewer=visit.viewer,
                now=now(),
            )
            page = panel.read(tx, tenant, visit, booking_id)
    except Refused as refused:
        if isinstance(refused, NotFound) and refused.kind == "booking":
            raise
        return _refused_move(form, refused, booking_id)
    return panel.answer(page)


def _booked_as(row: BookingRow) -> What:
    """What was booked: a resource alone, or a service."""
    bare = row.service.resource_id
    return What(service_id=row.service.id) if bare is None else What(bare)


def _clock_after(tx: Session, tenant: Tenant, form: MoveForm, row: BookingRow) -> ZoneInfo:
    """By which clock the new time is meant: that of the place where it goes."""
    if row.service.resource_id is not None:
        return target_of(tx, tenant, current_visit().viewer, form.what).zone
    return _move_page(tx, tenant, form, row).zone


def _move_page(tx: Session, tenant: Tenant, form: MoveForm, row: BookingRow) -> FormPage:
    page = form_page(tx, tenant, current_visit(), form)
    page.booking = row.booking
    page.clock = ZoneInfo(row.resources[0].time_zone) if row.resources else None
    return page


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


def _client_card(form: WishForm) -> CardContext | None:
    """The card named by the form, if this visitor may see it; a forged id is refused at its field."""
    for kind in ("deal", "contact", "company"):
        entity_id = form[f"{kind}_id"].data
        if entity_id is not None:
            return read_card(kind, entity_id)
    return None


def _client_card_again(form: WishForm) -> CardContext | None:
    """The card for showing the form once more; the answer stands in this process' memory."""
    try:
        return _client_card(form)
    except (Refused, Permanent, Retryable):
        return None


def _client_again(form: WishForm) -> ClientData | None:
    card = _client_card_again(form)
    return card.client if card else None


def _client(form: BookingForm) -> tuple[ClientData | None, int | None]:
    """Whom it is for: the card's client or who was typed in; and the deal."""
    card, typed = _client_card(form), None
    if form.client_name.data:
        typed = ClientData(
            "person", form.client_name.data, client_phone(form.client_phone.data or ""), form.client_email.data or ""
        )
    return (card.client if card else None) or typed, card.id if card and card.kind == "deal" else None


def _check_changeable(visit: Visit, row: BookingRow) -> None:
    if not may_change(visit.viewer, row.booking, row.resources):
        raise NotAllowed("change")
    if row.booking.stage not in HOLDING:
        raise NotAllowed("move")


def _refused_form(form: BookingForm, refused: Refused) -> ResponseReturnValue:
    """The form again with every reason in words; for a time that was taken also the lane as it is now."""
    visit, card = current_visit(), None
    if not isinstance(refused, NotAllowed):
        card = _client_card_again(form)
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        page = form_page(tx, tenant, visit, form)
        page.card, page.problems = card, refusal(tx, tenant, page, refused)
        client = card.client if card else None
        look(tx, tenant, page, client, now())
        if form.freq.data:
            _plan_again(tx, tenant, page, client, form)
        if isinstance(refused, SlotTaken):
            _fresh_lane(tx, tenant, page)
    return _shown("bookings/_form.html", page), errors.status(refused)


def _plan_again(tx: Session, tenant: Tenant, page: FormPage, client: ClientData | None, form: BookingForm) -> None:
    """The dates of a refused series as they stand now; what is wrong with it is told already."""
    try:
        look_at_series(tx, tenant, page, client, form.days.data or None, now())
    except Refused:
        return


def _refused_move(form: MoveForm, refused: Refused, booking_id: uuid.UUID) -> ResponseReturnValue:
    visit = current_visit()
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        row = queries.booking(tx, tenant.portal.id, visit.viewer, booking_id)
        page = _move_page(tx, tenant, form, row)
        page.problems = refusal(tx, tenant, page, refused)
        look_at_move(tx, tenant, page, row, now())
        if isinstance(refused, SlotTaken):
            _fresh_lane(tx, tenant, page)
        if isinstance(refused, Stale):
            form.put(revision=row.booking.revision)
    return _shown("bookings/_move.html", page), errors.status(refused)


def _fresh_lane(tx: Session, tenant: Tenant, page: FormPage) -> None:
    """The lane of the place that was taken, for the day that the board beside the form shows."""
    try:
        day = parse_day(page.form.board_day.data or "", "board_day")
        place = page.form.what.resource_id or next(iter(page.form.resource_ids), 0)
        resource = queries.resource(tx, tenant.portal.id, page.visit.viewer, place)
    except (InvalidInput, NotFound):
        return
    page.lane_of = place
    page.lane = board.read_lane(tx, tenant, page.visit, day, resource)
