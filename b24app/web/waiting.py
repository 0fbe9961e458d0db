"""What waits for this person's decision, and who decides for him while he is away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import StringField
from wtforms.validators import Optional

from b24app import texts
from b24app.booking import approval as use_case
from b24app.booking.approval import Away
from b24app.errors import InvalidInput, NotAllowed, NotFound, Refused
from b24app.ledger import approval, tenancy
from b24app.ledger.queries import BookingRow
from b24app.ledger.session import Session, transaction
from b24app.scheduling.hours import local_instant
from b24app.web import panel, settings
from b24app.web.forms import DayField, NumberField, PortalForm
from b24app.web.settings import Choices, FormPage
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("waiting", __name__, url_prefix="/app/waiting")

AWAY = "waiting/_away.html"


class AwayForm(PortalForm):
    """Who approves meanwhile, up to and including which day; without somebody: he is there again."""

    person = NumberField(validators=[Optional()])
    stand_in = NumberField(validators=[Optional()])
    until = DayField(validators=[Optional()])
    back = StringField()


@dataclass(frozen=True, slots=True)
class Request:
    """One request in words."""

    row: BookingRow
    what: str
    who: str
    where: str
    when: str
    until: str
    soon: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """Everything that templates/waiting/_list.html shows. `away`: who approves for this visitor now, and until when."""

    requests: Sequence[Request]
    away: str
    stands_in_for: str


@dataclass(slots=True)
class AwayPage(FormPage):
    """What templates/waiting/_away.html shows around the fields. `name`: of whom it is about, "" for the visitor."""

    name: str = ""
    people: Choices = ()
    is_away: bool = False


@blueprint.get("")
def show() -> ResponseReturnValue:
    """The list, the most urgent first."""
    with transaction(services().engine) as tx:
        page = _read(tx, current_visit(), now())
    return render_template("waiting/_list.html", page=page, visit=current_visit())


@blueprint.get("/count")
def count() -> ResponseReturnValue:
    """How many there are, for the bar above."""
    with transaction(services().engine) as tx:
        found = approval.waiting(tx, current_visit().portal_id, current_visit().viewer, now())
    return render_template("waiting/_count.html", count=len(found), visit=current_visit())


def _read(tx: Session, visit: Visit, at: datetime) -> Waiting:
    people = tenancy.user_names(tx, visit.portal_id)
    rows = approval.waiting(tx, visit.portal_id, visit.viewer, at)
    away = approval.absences(tx, visit.portal_id, at)
    own = next((one for one in away if one.user_id == visit.viewer.user_id), None)
    zone = ZoneInfo(seen_tenant().portal.time_zone)
    theirs = [people.get(one.user_id, "") for one in away if one.stand_in == visit.viewer.user_id]
    return Waiting(
        requests=[_request(visit, row, people, at) for row in rows],
        away=_away_words(visit, people.get(own.stand_in, ""), own.until, zone) if own else "",
        stands_in_for=", ".join(filter(None, theirs)),
    )


def _away_words(visit: Visit, name: str, until: datetime, zone: ZoneInfo) -> str:
    last = (until - timedelta(seconds=1)).astimezone(zone).date()
    day = f"{last.day}\N{NO-BREAK SPACE}{texts.month(visit.language, last)}"
    return _("Until %(day)s %(name)s approves for you", day=day, name=name)


def _request(visit: Visit, row: BookingRow, people: dict[int, str], at: datetime) -> Request:
    zone = ZoneInfo(row.resources[0].time_zone)
    until = row.booking.held_until
    assert until is not None, "only what has a term waits"
    kind, _sep, number = row.booking.created_by.partition(":")
    author = people.get(int(number), "") if kind == "user" and number.isdecimal() else ""
    return Request(
        row=row,
        what=row.booking.title or (row.client.name if row.client else row.service.name),
        who=author or texts.say(visit.language, f"actor.{kind}" if kind in ("client", "robot", "portal") else "actor"),
        where=", ".join(one.name for one in row.resources),
        when=texts.period(visit.language, row.interval.start, row.interval.end, zone),
        until=texts.moment(visit.language, until, zone, at),
        soon=until - at <= timedelta(hours=1),
    )


# In absence ----


@blueprint.get("/away")
def away_form() -> ResponseReturnValue:
    """The form: for the visitor himself, for administrators also about another `person`."""
    form = AwayForm(formdata=None)
    person = _person(request.args.get("person", ""))
    form.person.data = person
    with transaction(services().engine) as tx:
        known = {one.user_id: one for one in approval.absences(tx, current_visit().portal_id, now())}
    if own := known.get(person):
        zone = ZoneInfo(seen_tenant().portal.time_zone)
        form.stand_in.data = own.stand_in
        form.until.data = (own.until - timedelta(seconds=1)).astimezone(zone).date()
    return settings.show_form(AWAY, _away_page(form, person, is_away=person in known))


@blueprint.post("/away")
def save_away() -> ResponseReturnValue:
    """Names who approves meanwhile, or says that the person is there again."""
    form, visit = AwayForm(), current_visit()
    person = _person(form.person._value())
    try:
        form.check_shape()
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            away = None if form.back.data else _away(form, ZoneInfo(tenant.portal.time_zone))
            use_case.set_away(tx, tenant.portal, person, away, viewer=visit.viewer, now=now())
            page = _read(tx, visit, now())
    except NotFound:
        raise
    except Refused as refused:
        return settings.show_refused(AWAY, _away_page(form, person), refused)
    return settings.show_list("waiting/_list.html", saved=_("Absence"), page=page)


def _away(form: AwayForm, zone: ZoneInfo) -> Away:
    """Up to the midnight that ends the day, by the portal's clock. Raises InvalidInput by an empty field."""
    missing = {name: "required" for name in ("stand_in", "until") if form[name].data is None}
    if missing:
        raise InvalidInput(missing)
    return Away(form.stand_in.data, local_instant(form.until.data + timedelta(days=1), 0, zone))


def _person(text: str) -> int:
    """Whom it is about; raises NotAllowed for another one than oneself, administrators aside."""
    viewer = current_visit().viewer
    person = int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else viewer.user_id
    if person != viewer.user_id and not viewer.is_admin:
        raise NotAllowed("away")
    return person


def _away_page(form: AwayForm, person: int, *, is_away: bool = False) -> AwayPage:
    with transaction(services().engine) as tx:
        people = tenancy.user_names(tx, current_visit().portal_id)
        working = approval.employed(tx, current_visit().portal_id, people)
    others = [(user, name) for user, name in people.items() if user in working and user != person]
    name = "" if person == current_visit().viewer.user_id else people.get(person, f"№ {person}")
    return AwayPage(form, name=name, people=others, is_away=is_away)
