"""What is done from the panel of a booking. Each answers with the panel: changed, or as it is with the reasons."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, cast
from zoneinfo import ZoneInfo

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from b24app import texts
from b24app.booking import attendance, change, details, payments
from b24app.booking.series import Scope, change_series
from b24app.errors import InvalidInput, NotAllowed, NotFound, Refused, SlotTaken
from b24app.ledger import queries, refs
from b24app.ledger.models import Portal
from b24app.ledger.session import Session, transaction
from b24app.web import errors, panel, people
from b24app.web.forms import PortalForm, RevisionForm
from b24app.web.forms_actions import Asking, CancelForm, DetailsForm, MoneyForm, PinForm, ReasonForm, VoidForm
from b24app.web.panel import Panel
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = Blueprint("actions", __name__, url_prefix="/app/bookings/<uuid:booking_id>")

blueprint.add_app_template_global(panel.initials)
Deed = Callable[[Session, Portal], object]


@blueprint.post("/confirm")
def confirm(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Confirms a hold or a request; those that it leaves no place have lost."""
    return _simply(booking_id, change.confirm_booking)


@blueprint.post("/decline")
def decline(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Turns down a request."""
    form = ReasonForm()

    def deed(tx: Session, portal: Portal) -> object:
        return change.decline_booking(tx, portal, booking_id, reason=form.reason.data, **_seen(form))

    return _carry_out(booking_id, form, deed, asking="decline")


@blueprint.post("/cancel")
def cancel(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Cancels this booking, or this one and the following of its series, or all of them."""
    form = CancelForm()

    def deed(tx: Session, portal: Portal) -> object:
        scope = cast(Scope, form.scope.data or "this")
        return change_series(tx, portal, booking_id, scope, None, reason=form.reason.data, **_seen(form))

    return _carry_out(booking_id, form, deed, asking="cancel")


@blueprint.post("/check-in")
def check_in(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Notes that the client has come."""
    return _simply(booking_id, attendance.check_in)


@blueprint.post("/complete")
def complete(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Notes that it is done."""
    return _simply(booking_id, attendance.complete_booking)


@blueprint.post("/no-show")
def no_show(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Notes that nobody came, and gives back what is left of the time."""
    return _simply(booking_id, attendance.mark_no_show)


@blueprint.post("/reopen")
def reopen(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Brings back what was dropped or finished."""
    return _simply(booking_id, change.reopen_booking)


@blueprint.post("/undo")
def undo(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Takes back what this visitor has done last, in all bookings that one click has changed.

    The revision may stand in the address: what offers it outside of the panel (a toast) has no form, and wants JSON.
    """
    form = RevisionForm(request.values)
    if request.accept_mimetypes.best == "application/json":
        return _undone(booking_id, form)
    return _carry_out(booking_id, form, lambda tx, portal: change.undo_change(tx, portal, booking_id, **_seen(form)))


def _undone(booking_id: uuid.UUID, form: RevisionForm) -> ResponseReturnValue:
    try:
        form.check_shape()
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            change.undo_change(tx, tenant.portal, booking_id, **_seen(form))
            number = queries.booking_state(tx, tenant.portal.id, booking_id).number
    except Refused as refused:
        found = [one.text for one in errors.problems(refused, current_visit().language)]
        return jsonify(words=" ".join(found)), errors.status(refused)
    return jsonify(number=number, words=texts.say(current_visit().language, "history.undone"))


@blueprint.post("/details")
def describe(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Writes down another comment, other participants; where bookings have no card also title and responsible."""
    form = DetailsForm()

    def deed(tx: Session, portal: Portal) -> object:
        people.check_known(tx, portal.id, current_visit(), form.named)
        return details.describe_booking(tx, portal, booking_id, form.details(), **_seen(form))

    return _carry_out(booking_id, form, deed, asking="details")


@blueprint.post("/draw-again")
def draw_again(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Has what the portal did not accept drawn once more; for administrators."""
    if not current_visit().viewer.is_admin:
        raise NotAllowed("settings")
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        known = refs.of_booking(tx, tenant.portal.id, booking_id)
        for ref_id in sorted(ref.id for ref in known if ref.parked_reason is not None):
            refs.try_one_again(tx, tenant.portal.id, ref_id, now())
        tx.expire_all()
        page = panel.read(tx, tenant, current_visit(), booking_id)
    return panel.answer(page)


@blueprint.post("/pin")
def pin(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Fixes the booking to its very place, or lets it be seated anew."""
    form = PinForm()

    def deed(tx: Session, portal: Portal) -> object:
        return attendance.pin_booking(tx, portal, booking_id, pinned=form.pinned.data == "1", **_seen(form))

    return _carry_out(booking_id, form, deed)


@blueprint.post("/payments")
def pay(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Records money that was taken. Whatever has happened to the booking since it was looked at: it was taken."""
    return _record(booking_id, "payment")


@blueprint.post("/refunds")
def refund(booking_id: uuid.UUID) -> ResponseReturnValue:
    """Records money that was given back."""
    return _record(booking_id, "refund")


def _record(booking_id: uuid.UUID, kind: str) -> ResponseReturnValue:
    form = MoneyForm()

    def deed(tx: Session, portal: Portal) -> object:
        data, viewer = form.data_of(kind), current_visit().viewer
        return payments.record_payment(tx, portal, booking_id, data, viewer=viewer, now=now())

    return _carry_out(booking_id, form, deed, asking=kind)


@blueprint.post("/void")
def void(booking_id: uuid.UUID) -> ResponseReturnValue:
    """One payment or refund of this booking does not count any more."""
    form = VoidForm()

    def deed(tx: Session, portal: Portal) -> object:
        record = queries.money_record(tx, portal.id, form.record.data)
        if record.booking_id != booking_id:
            raise NotFound("payment")
        return payments.void_payment(tx, portal, record.id, form.reason.data, viewer=current_visit().viewer, now=now())

    return _carry_out(booking_id, form, deed, asking="void")


def _simply(booking_id: uuid.UUID, use_case: Callable[..., object]) -> ResponseReturnValue:
    """An action that asks nothing but what state of the booking was looked at."""
    form = RevisionForm()
    return _carry_out(booking_id, form, lambda tx, portal: use_case(tx, portal, booking_id, **_seen(form)))


def _seen(form: RevisionForm) -> dict[str, Any]:
    return {"revision": form.revision.data, "viewer": current_visit().viewer, "now": now()}


def _carry_out(booking_id: uuid.UUID, form: PortalForm, deed: Deed, *, asking: str = "") -> ResponseReturnValue:
    """Does it in one transaction. `asking`: the form of the panel that is shown again when a field of it is wrong."""
    try:
        form.check_shape()
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            deed(tx, tenant.portal)
            page = panel.read(tx, tenant, current_visit(), booking_id)
    except NotFound:
        raise
    except Refused as refused:
        return _refused(booking_id, form, refused, asking)
    return panel.answer(page)


def _refused(booking_id: uuid.UUID, form: PortalForm, refused: Refused, asking: str) -> ResponseReturnValue:
    """The panel as it is now, with every reason; raises NotFound where he may not see it."""
    visit = current_visit()
    with transaction(services().engine) as tx:
        page = panel.read(tx, seen_tenant(), visit, booking_id)
    found = errors.problems(refused, visit.language)
    again = None
    if asking and isinstance(refused, InvalidInput):
        again = Asking(asking, form, {problem.field: problem.text for problem in found})
    sentences = [problem.text for problem in found]
    if isinstance(refused, SlotTaken):
        sentences += _obstacles(refused, page, visit.language)
    return panel.answer(page, asking=again, problems=sentences, status=errors.status(refused))


def _obstacles(refused: SlotTaken, page: Panel, language: str) -> list[str]:
    """Why the time cannot be had, by the clock of the booking's own place."""
    names = {place.resource.id: place.resource.name for place in page.places}
    zone = ZoneInfo(page.places[0].resource.time_zone if page.places else "UTC")
    return [
        texts.say_obstacle(language, one.code, one.params, zone, names.get(one.resource_id, ""))
        for one in refused.obstacles
    ]
