"""The small dialog beside free time that was chosen on the board, and booking from it without the form."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import StringField
from wtforms.validators import NumberRange, Optional

from b24app import texts
from b24app.booking.clients import ClientData
from b24app.booking.reserve import BookingRequest, book
from b24app.booking.terms import next_free_times, read_terms
from b24app.errors import AppError, Refused, SlotTaken
from b24app.ledger import queries
from b24app.ledger.catalog import Offering
from b24app.ledger.models import Booking
from b24app.ledger.queries import Spot
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.interval import Interval
from b24app.scheduling.stage import Stage
from b24app.web import booking_times, business, errors, panel, why
from b24app.web.booking_page import Clicked, FormPage, Target, form_page, propose, request_of, target_of
from b24app.web.booking_terms import Button, TermsView, buttons, plain_buttons, view
from b24app.web.bookings import card_of_visit
from b24app.web.crm import CardContext
from b24app.web.drop import LAST_SECOND, NEAREST, obstacles, told
from b24app.web.forms import NumberField, PortalForm
from b24app.web.forms_booking import BookingForm, What
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = Blueprint("chosen", __name__, url_prefix="/app/board")

MOST_SERVICES = 4


class ChosenForm(PortalForm):
    """Free time on a lane, in epoch seconds; `service`: what is to be booked there, the bare resource without.

    `zone`: by whose clock the board shows it.
    """

    resource = NumberField(validators=[Optional()])
    service = NumberField(validators=[Optional()])
    party = NumberField(validators=[Optional()])
    zone = StringField()
    start = NumberField(validators=[Optional(), NumberRange(0, LAST_SECOND, "out_of_range")])
    end = NumberField(validators=[Optional(), NumberRange(0, LAST_SECOND, "out_of_range")])

    def clicked(self) -> Clicked:
        """As the booking form takes it."""
        start, end = (datetime.fromtimestamp(one.data, UTC) if one.data else None for one in (self.start, self.end))
        return Clicked(self.resource.data, self.service.data, start, end, None, self.party.data)


@dataclass(slots=True)
class Dialog:
    """Everything that templates/board/_chosen.html shows.

    `clock`: by whose, where that is not the board's. `services`: what the clicked resource can be booked for. `direct`:
    nothing else need be asked for; then a press on a button books, otherwise it opens the form.
    """

    page: FormPage
    clicked: Clicked
    place: str
    interval: Interval
    title: str
    when: str
    clock: str
    services: list[Offering] = field(default_factory=list)
    client: ClientData | None = None
    direct: bool = False
    buttons: list[Button] = field(default_factory=list)

    @property
    def asks_title(self) -> bool:
        """Without a client the title is what the board shows."""
        return self.direct and self.client is None

    @property
    def terms(self) -> TermsView:
        assert isinstance(self.page.terms, TermsView)
        return self.page.terms

    @property
    def others(self) -> str:
        """Who or what a service takes besides what was clicked."""
        return ", ".join(one.name for one in self.terms.got if one.name != self.place)

    @property
    def hidden(self) -> dict[str, Any]:
        """The fields of the booking form, as they would be sent."""
        form = self.page.form
        names = (
            "resource",
            "date",
            "start",
            "end",
            "end_date",
            "minutes",
            "party",
            "group",
            "responsible",
            "request_key",
        )
        picks = {f"pick-{name}": value for name, value in form.picks.data.items()}
        return {name: form[name]._value() for name in names if form[name]._value()} | picks


@blueprint.get("/chosen")
def show() -> ResponseReturnValue:
    """The dialog for `resource`, `service`, `start` and `end`."""
    asked, visit = ChosenForm(formdata=request.args), current_visit()
    asked.check_shape()
    clicked, card = asked.clicked(), card_of_visit(current_visit())
    form = BookingForm(formdata=None)
    form.request_key.data, form.responsible.data = uuid.uuid4().hex, visit.viewer.user_id
    business.offering(What(clicked.resource_id, clicked.service_id), clicked.about)
    with transaction(services().engine) as tx:
        dialog = _dialog(tx, seen_tenant(), form, clicked, card, asked.zone.data or "")
    return render_template("board/_chosen.html", dialog=dialog, visit=visit)


def _dialog(
    tx: Session, tenant: Tenant, form: BookingForm, clicked: Clicked, card: CardContext | None, shown_by: str
) -> Dialog:
    visit, at, client = current_visit(), now(), card.client if card else None
    page = form_page(tx, tenant, visit, form)
    spot = queries.spot(tx, tenant.portal.id, visit.viewer, clicked.resource_id or 0)
    propose(tx, tenant, page, clicked, at)
    if client is not None and client.crm_id is not None and page.groups:
        known = queries.price_group_of(tx, tenant.portal.id, client.kind, client.crm_id)
        form.group.data = known if known in page.groups else ""
    interval = form.interval(page.zone)
    start = interval.start.astimezone(page.zone).date()
    minutes = int(interval.duration.total_seconds() // 60)
    dialog = Dialog(
        page=page,
        clicked=clicked,
        place=spot.name,
        interval=interval,
        title=f"{spot.name}, {texts.span(interval.start, interval.end, page.zone)}",
        when=f"{texts.day(visit.language, start)}, {texts.duration(visit.language, minutes)}",
        clock=page.zone_words(at) if shown_by not in ("", page.zone.key) else "",
        services=[one for one in page.services if _takes(one, spot)][:MOST_SERVICES],
        client=client,
    )
    _look(tx, tenant, dialog)
    return dialog


def _takes(offering: Offering, spot: Spot) -> bool:
    """Whether something of this service can be had there."""
    return any(need.kind == spot.kind if need.kind else spot.id in need.options for need in offering.needs)


def _look(tx: Session, tenant: Tenant, dialog: Dialog) -> None:
    """Puts price and rules into the dialog, and what may be pressed."""
    page, visit, form = dialog.page, dialog.page.visit, dialog.page.form
    assert isinstance(form, BookingForm)
    try:
        wish = request_of(form, dialog.interval, dialog.client)
        terms = read_terms(tx, tenant.portal, wish, viewer=visit.viewer, now=now())
    except Refused as refused:
        page.terms = TermsView(reasons=why.problems(tx, tenant, visit, refused), buttons=plain_buttons())
        return
    page.terms = view(terms, dialog.interval, visit.viewer, visit.language, repeated=False, now=now())
    if page.terms.reasons:
        return
    # Whoever is to pay has to be known; a room for one's own people needs nobody's name.
    dialog.direct = dialog.client is not None or page.terms.price is None
    dialog.buttons = [_worded(one, terms.policy.hold_minutes) for one in buttons(terms)]


def _worded(button: Button, hold_minutes: int | None) -> Button:
    """How long a hold lasts stands on its button, where the rules say so."""
    if button.words != _("Pre-book") or not hold_minutes:
        return button
    term = texts.term(current_visit().language, hold_minutes)
    return Button(button.intent, _("Pre-book for %(term)s", term=term), button.look)


@blueprint.errorhandler(AppError)
def refused(error: AppError) -> ResponseReturnValue:
    """Every refusal as JSON."""
    return jsonify(told(error)), errors.status(error)


@blueprint.post("/book")
def create() -> ResponseReturnValue:
    """Books what the dialog says, for the client of the card; sent again, it finds what it has made."""
    form, visit, at = BookingForm(), current_visit(), now()
    form.check_shape()
    card = card_of_visit(visit)
    business.before_booking(form)
    client, deal_id = card.client if card else None, card.id if card and card.kind == "deal" else None
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        panel.check_writable(tenant)
        target = target_of(tx, tenant, visit.viewer, form.what)
    wish = BookingRequest(interval=form.interval(target.zone), client=client, deal_id=deal_id, **form.wanted())
    try:
        with transaction(services().engine) as tx:
            made = book(tx, tenant.portal, wish, viewer=visit.viewer, now=at)
            answer = _booked(made, target, wish)
    except Refused as no:
        return _refused(form, wish, target, no)
    return jsonify(answer)


def _booked(made: Booking, target: Target, wish: BookingRequest) -> dict[str, Any]:
    language = current_visit().language
    when = texts.period(language, wish.interval.start, wish.interval.end, target.zone)
    said = {"number": made.number, "place": target.name, "when": when}
    if made.stage == Stage.CONFIRMED:
        words = _("Booking No. %(number)s: %(place)s, %(when)s", **said)
    elif made.competes:
        words = _("Request No. %(number)s is sent: %(place)s, %(when)s", **said)
    else:
        words = _("Pre-booking No. %(number)s: %(place)s, %(when)s", **said)
    undo = {"url": panel.undo_url(made.id, made.revision), "words": _("Take back")}
    return {"number": made.number, "revision": made.revision, "words": words, "undo": undo}


def _refused(form: BookingForm, wish: BookingRequest, target: Target, no: Refused) -> ResponseReturnValue:
    """What was taken or is not allowed, that nothing was made, and the nearest free times."""
    visit, found, offers = current_visit(), list[str](), list[dict[str, Any]]()
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        if isinstance(no, SlotTaken):
            names = {one.id: one.name for one in queries.resources(tx, tenant.portal.id, visit.viewer)}
            offers = _offers(tx, tenant, form, wish, target.zone)
            found = obstacles(no, target.zone, names if form.what.service_id else {})
        said = [one.text for one in why.problems(tx, tenant, visit, no)]
    start = texts.moment(visit.language, wish.interval.start, target.zone, now())
    if isinstance(no, SlotTaken):
        title = _("%(place)s, %(when)s: this time has just been taken", place=target.name, when=start)
    else:
        title = _("Not booked: %(place)s, %(when)s", place=target.name, when=start)
    reasons: Sequence[str] = found or said
    nothing = _("Your booking was not made, nothing was sent to the client")
    return jsonify(told(no, title, [*reasons, nothing], offers)), errors.status(no)


def _offers(
    tx: Session, tenant: Tenant, form: BookingForm, wish: BookingRequest, zone: ZoneInfo
) -> list[dict[str, Any]]:
    """The nearest free times, as what they put into the form."""
    viewer, at = current_visit().viewer, now()
    try:
        found = next_free_times(tx, tenant.portal, wish, viewer=viewer, now=at, count=NEAREST)
    except Refused:
        return []
    choices = [booking_times.choice(current_visit().language, one, zone, form.minutes.data, at) for one in found]
    return [{"words": one.words, "values": one.values} for one in choices]
