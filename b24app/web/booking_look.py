"""Reads what a form tells beside its fields: what would come of it, what is free, each date of a series."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import cast

from b24app.booking.change import Move
from b24app.booking.clients import ClientData
from b24app.booking.reserve import BookingRequest
from b24app.booking.series import Scope, plan_series, series_outcome
from b24app.booking.terms import free_times, next_free_times, read_move, read_terms
from b24app.errors import InvalidInput, Refused, SlotTaken
from b24app.ledger.queries import BookingRow
from b24app.ledger.session import Session
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.allocation import Obstacle
from b24app.scheduling.interval import Interval
from b24app.web import booking_times, why
from b24app.web.booking_page import FormPage, request_of, usual_minutes
from b24app.web.booking_series import preview
from b24app.web.booking_terms import MoveView, TermsView, move_view, obstacle_problems, plain_buttons, view
from b24app.web.errors import Problem
from b24app.web.forms_booking import MoveForm, WishForm

# Without these there is nothing to tell; what is wrong elsewhere in the form does not matter here.
TOLD_BY = frozenset({"resource", "date", "start", "end", "end_date", "minutes", "party", "group"})


def look(tx: Session, tenant: Tenant, page: FormPage, client: ClientData | None, at: datetime) -> None:
    """Puts price, rules and outcome of what stands in the form beside it, and the free times of that week."""
    form = page.form
    assert isinstance(form, WishForm), "a move is looked at by look_at_move"
    page.terms = TermsView(buttons=plain_buttons())
    if page.offering is None:
        return
    language, viewer = page.visit.language, page.visit.viewer
    try:
        wanted = _wanted(page)
        terms = read_terms(tx, tenant.portal, request_of(form, wanted, client), viewer=viewer, now=at)
        page.terms = view(terms, wanted, viewer, language, repeated=bool(form.freq.data), now=at)
    except Refused as refused:
        page.terms = TermsView(reasons=why.problems(tx, tenant, page.visit, refused), buttons=plain_buttons())
    _look_around(tx, tenant, page, request_of(form, _usual(page, at)), at)


def _wanted(page: FormPage) -> Interval:
    """The time that stands in the form; raises InvalidInput."""
    wrong = {
        name: code for name, code in page.form.wrong.items() if name in TOLD_BY or name.startswith(("pick-", "extras-"))
    }
    if wrong:
        raise InvalidInput(wrong)
    return page.form.interval(page.zone)


def _usual(page: FormPage, at: datetime) -> Interval:
    """A time such as could be had: what stands in the form, where that is wrong something like it."""
    policy = page.policy
    assert policy is not None, "asked for what was chosen"
    try:
        wanted = _wanted(page)
    except InvalidInput:
        wanted = Interval(at, at + timedelta(minutes=page.form.typed_minutes or usual_minutes(policy)))
    minutes = int(wanted.duration / timedelta(minutes=1))
    return replace(
        wanted,
        end=wanted.start + timedelta(minutes=max(policy.min_minutes, min(minutes, policy.max_minutes))),
    )


def _look_around(tx: Session, tenant: Tenant, page: FormPage, request: BookingRequest, at: datetime) -> None:
    """Puts the free times of the week beside the form, and the nearest ones where they are of use."""
    asked = _asked(page, request, at)
    own = page.booking.id if page.booking else None
    viewer = page.visit.viewer
    try:
        slots = free_times(tx, tenant.portal, request, asked.window, viewer=viewer, now=at, own=own)
        page.times = booking_times.times(asked, slots)
        if page.times.is_empty or (page.terms and page.terms.reasons):
            nearest = next_free_times(tx, tenant.portal, request, viewer=viewer, now=at, own=own)
            page.choices = [
                booking_times.choice(page.visit.language, one, page.zone, page.fixed_minutes, at)
                for one in nearest
                if booking_times.is_clear(one, page.zone)
            ]
    except Refused:
        return  # what is wrong is told with the terms


def _asked(page: FormPage, request: BookingRequest, at: datetime) -> booking_times.Asked:
    form, zone = page.form, page.zone
    day = form.date.data or request.interval.start.astimezone(zone).date()
    last = form.end_date.data or day
    return booking_times.Asked(
        language=page.visit.language,
        zone=zone,
        day=day,
        start=form.start.data,
        minutes=page.fixed_minutes,
        days=max(0, (last - day).days),
        today=at.astimezone(zone).date(),
    )


def look_at_series(
    tx: Session,
    tenant: Tenant,
    page: FormPage,
    client: ClientData | None,
    chosen: Collection[date] | None,
    at: datetime,
) -> None:
    """Puts every date of the series beside the form. Raises InvalidInput for one that cannot be, NotAllowed."""
    form = page.form
    assert isinstance(form, WishForm)
    recurrence = form.recurrence
    if recurrence is None or page.offering is None:
        return
    if wrong := {name: code for name, code in form.wrong.items() if name not in ("days", "request_key")}:
        raise InvalidInput(wrong)
    wish = request_of(form, form.interval(page.zone), client)
    planned = plan_series(tx, tenant.portal, wish, recurrence, viewer=page.visit.viewer, now=at)
    page.preview = preview(page.visit.language, planned, page.zone, chosen)


def move_of(form: MoveForm, row: BookingRow, interval: Interval) -> Move:
    """The move that the form asks for: another bare resource only where it is another, picks only where some are."""
    if row.service.resource_id is None:
        return Move(interval, resource_ids=form.resource_ids or None)
    other = form.what.resource_id
    return Move(interval, resource_id=other if other != row.service.resource_id else None)


def look_at_move(tx: Session, tenant: Tenant, page: FormPage, row: BookingRow, at: datetime) -> None:
    """Puts beside the form what moving comes to, and the free times of that week."""
    form, visit = page.form, page.visit
    assert isinstance(form, MoveForm), "a new booking is looked at by look"
    if page.offering is None:
        return
    try:
        move = move_of(form, row, _wanted(page))
        terms = read_move(tx, tenant.portal, row.booking, move, viewer=visit.viewer, now=at)
        scope = cast(Scope, form.scope.data or "this")
        sums, together = terms.outcome, 1
        if scope != "this" and terms.changes:
            sums, together = series_outcome(tx, tenant.portal, row.booking, scope, move, now=at) or (sums, 1)
        page.terms = move_view(replace(terms, outcome=sums), move.interval, visit.language, page.currency, together)
    except Refused as refused:
        page.terms = MoveView(reasons=why.problems(tx, tenant, visit, refused))
    request = BookingRequest(
        interval=_usual(page, at),
        resource_id=form.what.resource_id,
        service_id=form.what.service_id,
        resource_ids=form.resource_ids,
        party=row.booking.party,
    )
    _look_around(tx, tenant, page, request, at)


def refusal(tx: Session, tenant: Tenant, page: FormPage, refused: Refused) -> list[Problem]:
    """Every reason of a refusal in words; for a time that is taken also what is in the way, for a right that is lacking
    who has it and whom to ask."""
    found = why.problems(tx, tenant, page.visit, refused)
    if isinstance(refused, SlotTaken):
        causes: Collection[Obstacle] = refused.obstacles
        found += obstacle_problems(page.visit.language, causes, page.zone, page.name_of)
    return found
