"""A booking that is dragged: what would come of letting it go here, and the move itself.

All answers are JSON for scripts. The rules, rights and words are those of the form for a move; only what is asked for
comes from the board.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms.validators import InputRequired, NumberRange, Optional

from b24app import texts
from b24app.booking.change import Move, may_change
from b24app.booking.reserve import BookingRequest
from b24app.booking.series import change_series
from b24app.booking.terms import MoveTerms, next_free_times, read_move
from b24app.errors import AppError, InvalidInput, NotAllowed, PolicyViolation, Refused, SlotTaken, Stale
from b24app.ledger import catalog, queries
from b24app.ledger.catalog import Need
from b24app.ledger.models import History
from b24app.ledger.queries import BookingRow
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.interval import Interval
from b24app.scheduling.stage import HOLDING
from b24app.web import booking_times, business, errors, panel, why
from b24app.web.booking_terms import MoveView, move_view, obstacle_problems
from b24app.web.forms import NumberField, PortalForm
from b24app.web.forms_booking import MoveForm, What
from b24app.web.visit import current_visit, now, page_language, seen_tenant, services

blueprint = Blueprint("drop", __name__, url_prefix="/app/board")

LAST_SECOND = 4_102_444_800  # the year 2100
NEAREST = 2
# What is broken by another time than the one that was wanted: then there is a better one to offer.
BY_TIME = frozenset({"start", "end", "date"})


class DropForm(PortalForm):
    """Booking `booking` (its number), taken from the lane of `lane`, over that of `resource`; times in epoch seconds.

    `revision`: what was looked at when it was picked up, None for whatever it is now. Without times it stays as it is.
    """

    booking = NumberField(validators=[InputRequired("forged"), NumberRange(1, 2**53, "forged")])
    revision = NumberField(validators=[Optional()])
    lane = NumberField(validators=[Optional()])
    resource = NumberField(validators=[Optional()])
    start = NumberField(validators=[Optional(), NumberRange(0, LAST_SECOND, "out_of_range")])
    end = NumberField(validators=[Optional(), NumberRange(0, LAST_SECOND, "out_of_range")])

    def interval(self, known: Interval) -> Interval:
        """The time over which it is; raises InvalidInput for one that ends before it begins."""
        if self.start.data is None or self.end.data is None:
            return known
        if self.end.data <= self.start.data:
            raise InvalidInput({"end": "end_before_start"})
        return Interval(datetime.fromtimestamp(self.start.data, UTC), datetime.fromtimestamp(self.end.data, UTC))


@blueprint.errorhandler(AppError)
def refused(error: AppError) -> ResponseReturnValue:
    """Every refusal as JSON: the scripts put it beside the pointer or into a toast."""
    return jsonify(told(error)), errors.status(error)


def told(
    error: AppError, title: str = "", reasons: Sequence[str] = (), offers: Sequence[object] = ()
) -> dict[str, Any]:
    """A refusal for a script: `words` as a title, each of the `reasons`, free times instead."""
    said = list(reasons) or [problem.text for problem in errors.problems(error, page_language())]
    return {"words": title or said[0], "reasons": said if title else said[1:], "offers": list(offers)}


def obstacles(error: SlotTaken, zone: ZoneInfo, names: dict[int, str]) -> list[str]:
    """What is in the way, in words; what is not among `names` goes without one."""
    found = obstacle_problems(page_language(), error.obstacles, zone, lambda one: names.get(one or 0, ""))
    return [problem.text for problem in found]


# Before it is let go ------------------------------------------------------------------------------------------------


@blueprint.get("/may")
def may() -> ResponseReturnValue:
    """Whether the booking may be let go there: `ok`, why not or what else changes (`words`), what it costs (`price`).

    With it come the booking's `revision` and true times: a block is cut at midnight and says nothing of either.
    """
    form, visit = DropForm(formdata=request.args), current_visit()
    form.check_shape()
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        row = queries.booking_by_number(tx, tenant.portal.id, visit.viewer, form.booking.data)
        answer = _verdict(tx, tenant, row, form)
    known = {"start": int(row.interval.start.timestamp()), "end": int(row.interval.end.timestamp())}
    return jsonify({**answer, "revision": row.booking.revision, **known})


def _verdict(tx: Session, tenant: Tenant, row: BookingRow, form: DropForm) -> dict[str, Any]:
    visit = current_visit()
    try:
        panel.check_writable(tenant)
        _check_changeable(row)
        interval = form.interval(row.interval)
        _, terms = _way(tx, tenant, row, _moves(tx, tenant, row, form, interval), form.resource.data)
    except Refused as no:
        return {"ok": False, "words": errors.problems(no, visit.language)[0].text, "price": ""}
    said = move_view(terms, interval, visit.language, tenant.portal.currency)
    if said.reasons:
        return {"ok": False, "words": "; ".join(one.text for one in said.reasons[:2]), "price": ""}
    return {"ok": True, "words": _others(row, terms, form), "price": _price(said)}


def _check_changeable(row: BookingRow) -> None:
    if not may_change(current_visit().viewer, row.booking, row.resources):
        raise NotAllowed("change")
    if row.booking.stage not in HOLDING:
        raise NotAllowed("move")


def _price(said: MoveView) -> str:
    """What changes of the price, as «2 400 ₽ (+600 ₽)»."""
    changed = f"{said.after} ({said.difference})" if said.difference else ""
    fee = _("fee %(amount)s", amount=said.fee) if said.fee else ""
    return ", ".join(part for part in (changed, fee) if part)


def _others(row: BookingRow, terms: MoveTerms, form: DropForm) -> str:
    """Who or what would come besides that was not in it before."""
    known = {one.id for one in row.resources} | {form.resource.data}
    got = {seat.resource_id for seat in terms.seats} - known
    names = [fact.name for fact in terms.facts if fact.id in got]
    return _("instead: %(names)s", names=", ".join(names)) if names else ""


def _way(tx: Session, tenant: Tenant, row: BookingRow, moves: Sequence[Move], to: int | None) -> tuple[Move, MoveTerms]:
    """Of these moves the first that is possible and has `to` in it, else one that is not, with the reasons.

    Raises NotFound or NotAllowed.
    """
    found: list[tuple[Move, MoveTerms]] = []
    for move in moves:
        terms = read_move(tx, tenant.portal, row.booking, move, viewer=current_visit().viewer, now=now())
        here = to is None or to in {seat.resource_id for seat in terms.seats}
        if here and not terms.violations and not terms.obstacles:
            return move, terms
        found.append((move, terms))
    # What is in the way of the last, which asks for nothing but this place, is in the way of all.
    return found[0] if found[0][1].violations else found[-1]


def _moves(tx: Session, tenant: Tenant, row: BookingRow, form: DropForm, interval: Interval) -> list[Move]:
    """The ways to put it there, that which changes least first; raises NotFound or NotAllowed.

    With all that is in it, and with this place and whatever else is free.
    """
    on, to = {one.id for one in row.resources}, form.resource.data
    if row.service.resource_id is not None:
        return [Move(interval, resource_id=to if to != row.service.resource_id else None)]
    if to is None:
        return [Move(interval)]
    alone = Move(interval, resource_ids=frozenset({to}))
    if to in on:
        return [Move(interval), alone]
    taken = _replaced(tx, tenant, row, to, form.lane.data)
    return [Move(interval, resource_ids=frozenset(on - {taken} | {to})), alone]


def _replaced(tx: Session, tenant: Tenant, row: BookingRow, to: int, lane: int | None) -> int:
    """Whose part of the service `to` would take over: that from whose lane it was dragged, else any that it can."""
    spot = queries.spot(tx, tenant.portal.id, current_visit().viewer, to)
    offering = catalog.offering_of_service(tx, tenant.portal.id, row.service.id, archived=True)
    needs = [need for need in offering.needs if _serves(need, spot.id, spot.kind)]
    found = [one.id for one in row.resources if any(_serves(need, one.id, one.kind) for need in needs)]
    if lane in found:
        return lane
    if lane in {one.id for one in row.resources} or not found:
        raise NotAllowed("not_served")
    return found[0]


def _serves(need: Need, resource_id: int, kind: str) -> bool:
    return need.kind == kind if need.kind is not None else resource_id in need.options


# Let go -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Was:
    """Where a booking was before: when, and on what."""

    interval: Interval
    on: frozenset[int]


@blueprint.post("/move")
def move() -> ResponseReturnValue:
    """Moves, of a series this one only. Sent again after a lost answer, it finds itself done and says the same."""
    form, visit = DropForm(), current_visit()
    form.check_shape()
    with transaction(services().engine) as tx:
        row = queries.booking_by_number(tx, visit.portal_id, visit.viewer, form.booking.data)
    interval = form.interval(row.interval)
    try:
        business.before_move(row.booking.id, _as_form(row, form, interval))
        return jsonify(_move(row.booking.id, form, interval))
    except Stale as stale:
        again = _made_before(row.booking.id, form, interval)
        return jsonify(again) if again else _refused(row, form, interval, stale)
    except Refused as no:
        return _refused(row, form, interval, no)


def _move(booking_id: uuid.UUID, form: DropForm, interval: Interval) -> dict[str, Any]:
    viewer, at = current_visit().viewer, now()
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        panel.check_writable(tenant)
        row = queries.booking(tx, tenant.portal.id, viewer, booking_id)
        _check_changeable(row)
        revision = form.revision.data or row.booking.revision
        if revision != row.booking.revision:
            raise Stale(row.booking.revision)
        was = Was(row.interval, frozenset(one.id for one in row.resources))
        ways = _moves(tx, tenant, row, form, interval)
        way = ways[0] if len(ways) == 1 else _way(tx, tenant, row, ways, form.resource.data)[0]
        change_series(tx, tenant.portal, booking_id, "this", way, revision=revision, viewer=viewer, now=at)
        return _done(queries.booking(tx, tenant.portal.id, viewer, booking_id), was, revision)


def _as_form(row: BookingRow, form: DropForm, interval: Interval) -> MoveForm:
    """What the form for a move would send: it decides whose calendars are asked first."""
    sent, bare = MoveForm(formdata=None), row.service.resource_id is not None
    sent.fill(interval, ZoneInfo(row.resources[0].time_zone) if row.resources else ZoneInfo("UTC"))
    sent.resource.data = What(form.resource.data) if bare else What(service_id=row.service.id)
    sent.picks.data = {"0": form.resource.data} if form.resource.data and not bare else {}
    return sent


def _made_before(booking_id: uuid.UUID, form: DropForm, interval: Interval) -> dict[str, Any] | None:
    """The answer of the same drop, if it was done already and nothing has happened since."""
    visit = current_visit()
    with transaction(services().engine) as tx:
        row = queries.booking(tx, visit.portal_id, visit.viewer, booking_id)
        last = queries.last_change(tx, visit.portal_id, booking_id)
    there = row.interval == interval and form.resource.data in {None, *(one.id for one in row.resources)}
    if not there or last is None or not _is_own_move(last, form.revision.data):
        return None
    return _done(row, _was(row, last), last.number - 1)


def _is_own_move(last: History, revision: int | None) -> bool:
    ours = last.actor == str(current_visit().viewer.actor)
    return ours and last.action == "moved" and revision is not None and last.number == revision + 1


def _was(row: BookingRow, last: History) -> Was:
    """Where it was before that change, which says only what differs."""
    ends = {"start": row.interval.start, "end": row.interval.end}
    told_ = {name: datetime.fromisoformat(last.before[name]) for name in ends if name in last.before}
    on = last.before.get("resources", [one.id for one in row.resources])
    return Was(Interval(**{**ends, **told_}), frozenset(on))


def _done(row: BookingRow, was: Was, revision: int) -> dict[str, Any]:
    """What is said of a move that was done; nothing when nothing has changed."""
    number, is_revision = row.booking.number, row.booking.revision
    if is_revision == revision:
        return {"number": number, "revision": is_revision, "words": "", "undo": None}
    language, is_at = current_visit().language, row.interval
    zone = ZoneInfo(row.resources[0].time_zone) if row.resources else ZoneInfo("UTC")
    came = [one.name for one in row.resources if one.id not in was.on]
    when = texts.moment(language, is_at.start, zone, was.interval.start)
    back = _("Take back")
    if came:
        words = _("Booking No. %(number)s moved: %(place)s, %(when)s", number=number, place=", ".join(came), when=when)
    elif is_at.start != was.interval.start:
        words = _("Booking No. %(number)s moved to %(when)s", number=number, when=when)
        back = _("Return to %(when)s", when=texts.moment(language, was.interval.start, zone, is_at.start))
    else:
        until = texts.moment(language, is_at.end, zone, is_at.start)
        words = _("Booking No. %(number)s now lasts until %(when)s", number=number, when=until)
    undo = {"url": panel.undo_url(row.booking.id, is_revision), "words": back}
    return {"number": number, "revision": is_revision, "words": words, "undo": undo}


def _refused(row: BookingRow, form: DropForm, interval: Interval, no: Refused) -> ResponseReturnValue:
    """Why it stays where it is, and when it could be had there."""
    visit, at = current_visit(), now()
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        row = queries.booking(tx, tenant.portal.id, visit.viewer, row.booking.id)
        names = {one.id: one.name for one in queries.resources(tx, tenant.portal.id, visit.viewer)}
        offers = _offers(tx, tenant, row, form, interval) if _is_about_time(no) else []
        said = [one.text for one in why.problems(tx, tenant, visit, no)]
    zone = ZoneInfo(row.resources[0].time_zone) if row.resources else ZoneInfo(visit.time_zone)
    names.pop(form.resource.data or 0, None)
    found = obstacles(no, zone, names) if isinstance(no, SlotTaken) else []
    title = _("Booking No. %(number)s was not moved", number=row.booking.number)
    stays = _("It stays at %(when)s", when=texts.moment(visit.language, row.interval.start, zone, at))
    reasons = [*(found or said), stays]
    return jsonify(told(no, title, reasons, offers)), errors.status(no)


def _is_about_time(no: Refused) -> bool:
    if isinstance(no, PolicyViolation):
        return all(one.at in BY_TIME for one in no.violations)
    return isinstance(no, SlotTaken)


def _offers(tx: Session, tenant: Tenant, row: BookingRow, form: DropForm, interval: Interval) -> list[dict[str, Any]]:
    """The nearest free times at that place."""
    bare, to = row.service.resource_id is not None, form.resource.data
    wish = BookingRequest(
        interval=interval,
        resource_id=(to or row.service.resource_id) if bare else None,
        service_id=None if bare else row.service.id,
        resource_ids=frozenset({to} if to and not bare else ()),
        party=row.booking.party,
    )
    zone = ZoneInfo(row.resources[0].time_zone)
    try:
        found = next_free_times(
            tx, tenant.portal, wish, viewer=current_visit().viewer, now=now(), count=NEAREST, own=row.booking.id
        )
    except Refused:
        return []
    return list(_said(found, zone))


def _said(found: Iterable[Interval], zone: ZoneInfo) -> Iterable[dict[str, Any]]:
    for one in found:
        words = booking_times.choice(current_visit().language, one, zone, None, now()).words
        yield {"words": words, "start": int(one.start.timestamp()), "end": int(one.end.timestamp())}
