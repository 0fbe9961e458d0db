"""When what is closed: the list and the form behind it, for administrators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from b24app import texts
from b24app.booking.closures import data_of, meeting, remove_closure, save_closure
from b24app.errors import NotFound, Refused
from b24app.ledger import facilities, queries
from b24app.ledger.models import Closure, Resource
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.web import closure_words, panel, resources, resources_page
from b24app.web.closure_words import Shut
from b24app.web.forms_facilities import ClosureForm
from b24app.web.settings import FormPage, section, show_form, show_list, show_refused
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = section("closures", __name__)


@dataclass(frozen=True, slots=True)
class Line:
    """One closure in the list; `zone` is named where it is not the visitor's own."""

    id: int
    when: str
    zone: str
    what: str
    reason: str
    standing: str


class Choice(NamedTuple):
    """What may be closed; `id` None is the whole company. `zone`: by whose clock."""

    id: int | None
    name: str
    zone: str


@dataclass(slots=True, kw_only=True)
class EditPage(FormPage):
    """What templates/closures/_form.html shows around the fields."""

    form: ClosureForm
    choices: list[Choice]
    closure_id: int | None = None
    standing: str = ""
    weekdays: Sequence[str] = ()

    @property
    def chosen(self) -> Choice:
        return next((one for one in self.choices if one.id == self.form.resource.data), self.choices[0])


@blueprint.get("/app/closures")
def show() -> ResponseReturnValue:
    """All closures, those that are over below."""
    with transaction(services().engine) as tx:
        return _list(tx, seen_tenant(), current_visit())


@blueprint.get("/app/closures/new")
def new() -> ResponseReturnValue:
    """An empty form; `resource` chooses what is closed, and with `back` its card is shown again afterwards."""
    form = ClosureForm(formdata=None)
    form.resource.data, form.back.data = request.args.get("resource", type=int), request.args.get("back", "")
    with transaction(services().engine) as tx:
        page = _page(tx, form, None)
    return show_form("closures/_form.html", page)


@blueprint.get("/app/closures/<int(max=9223372036854775807):closure_id>")
def edit(closure_id: int) -> ResponseReturnValue:
    """The form of one closure."""
    tenant, form = seen_tenant(), ClosureForm(formdata=None)
    with transaction(services().engine) as tx:
        closure = facilities.closure(tx, tenant.portal.id, closure_id)
        form.fill(data_of(tx, tenant.portal, closure, current_visit().viewer))
        form.back.data = request.args.get("back", "")
        page = _page(tx, form, closure_id)
    return show_form("closures/_form.html", page)


@blueprint.post("/app/closures")
def create() -> ResponseReturnValue:
    """Adds a closure."""
    return _save(None)


@blueprint.post("/app/closures/<int(max=9223372036854775807):closure_id>")
def save(closure_id: int) -> ResponseReturnValue:
    """Changes a closure."""
    return _save(closure_id)


@blueprint.post("/app/closures/<int(max=9223372036854775807):closure_id>/remove")
def remove(closure_id: int) -> ResponseReturnValue:
    """Offers the time again."""
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        panel.check_writable(tenant)
        card = _card(tx, tenant, facilities.closure(tx, tenant.portal.id, closure_id).resource_id)
        remove_closure(tx, tenant.portal, closure_id, viewer=current_visit().viewer, now=now())
        return _after(tx, tenant, current_visit(), _("the time is offered again"), card)


@blueprint.post("/app/closures/meets")
def meets() -> ResponseReturnValue:
    """How many bookings stand in the time that the form would close; nothing while it says none that could be."""
    form = ClosureForm()
    try:
        form.check_shape()
        with transaction(services().engine) as tx:
            found = meeting(tx, seen_tenant().portal, form.closure(), viewer=current_visit().viewer, now=now())
    except Refused:
        return ""
    return render_template("closures/_meets.html", count=len(found))


def _card(tx: Session, tenant: Tenant, resource_id: int | None) -> int | None:
    """The resource from whose card somebody came here."""
    if resource_id is None or request.values.get("back") != "resource":
        return None
    return queries.resource(tx, tenant.portal.id, current_visit().viewer, resource_id).id


def _after(tx: Session, tenant: Tenant, visit: Visit, saved: str, card: int | None) -> ResponseReturnValue:
    """Where somebody came from: the card of a resource, or the list of closures."""
    if card is not None:
        return resources.answer(tx, tenant, visit, saved=saved, chosen=card)
    return _list(tx, tenant, visit, saved=saved)


def _save(closure_id: int | None) -> ResponseReturnValue:
    visit, form = current_visit(), ClosureForm()
    try:
        form.check_shape()
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            saved = save_closure(
                tx, tenant.portal, form.closure(), viewer=visit.viewer, now=now(), closure_id=closure_id
            )
            zone = _zone(tenant, _resources(tx, tenant, visit), saved)
            words = saved.reason or closure_words.when(visit.language, now(), saved, zone)
            return _after(tx, tenant, visit, words, _card(tx, tenant, saved.resource_id))
    except NotFound:
        raise
    except Refused as refused:
        with transaction(services().engine) as tx:
            page = _page(tx, form, closure_id)
        return show_refused("closures/_form.html", page, refused)


def _page(tx: Session, form: ClosureForm, closure_id: int | None) -> EditPage:
    """The form with everything around it; raises NotFound for a closure that is not here."""
    tenant, visit = seen_tenant(), current_visit()
    page = EditPage(form=form, choices=_choices(tenant, visit, _resources(tx, tenant, visit), form))
    if closure_id is not None:
        closure = facilities.closure(tx, tenant.portal.id, closure_id)
        again = facilities.series_of_closures(tx, tenant.portal.id, closure.series) if closure.series else [closure]
        counts = facilities.bookings_in_closures(tx, tenant.portal.id, [one.id for one in again], now())
        page.closure_id, page.standing = closure.id, _standing(visit, sum(counts.values()))
    page.weekdays = resources_page.weekdays(visit.language)
    return page


def _list(tx: Session, tenant: Tenant, visit: Visit, *, saved: str = "") -> ResponseReturnValue:
    named = _resources(tx, tenant, visit)
    ahead = facilities.closures(tx, tenant.portal.id, now())
    past = facilities.past_closures(tx, tenant.portal.id, now())
    counts = facilities.bookings_in_closures(tx, tenant.portal.id, [one.id for one in ahead], now())
    return show_list(
        "closures/_list.html",
        saved=saved,
        lines=_lines(tenant, visit, named, ahead, counts),
        past=_lines(tenant, visit, named, past, {}),
    )


def _lines(
    tenant: Tenant, visit: Visit, named: Mapping[int, Resource], rows: Sequence[Closure], counts: Mapping[int, int]
) -> list[Line]:
    zones = {one.id: _zone(tenant, named, one) for one in rows}
    by_id = {one.id: one for one in rows}
    told = [
        shut
        for zone in dict.fromkeys(zones.values())
        for shut in closure_words.told(
            visit.language, now(), [one for one in rows if zones[one.id] == zone], counts, zone
        )
    ]
    places = {one.id: place for place, one in enumerate(rows)}
    told.sort(key=lambda shut: places[shut.id])
    return [_line(visit, named, by_id[shut.id], shut, zones[shut.id]) for shut in told]


def _line(visit: Visit, named: Mapping[int, Resource], closure: Closure, shut: Shut, zone: ZoneInfo) -> Line:
    return Line(
        id=closure.id,
        when=shut.when,
        zone=texts.zone(visit.language, zone, as_interval(closure.during).start) if zone.key != visit.time_zone else "",
        what=texts.say(visit.language, "whole_company")
        if closure.resource_id is None
        else named[closure.resource_id].name,
        reason=closure.reason,
        standing=_standing(visit, shut.standing),
    )


def _standing(visit: Visit, count: int) -> str:
    return texts.say(visit.language, "standing", count=count) if count else ""


def _resources(tx: Session, tenant: Tenant, visit: Visit) -> dict[int, Resource]:
    """All of them, archived ones last."""
    offered = queries.resources(tx, tenant.portal.id, visit.viewer)
    archived = queries.resources(tx, tenant.portal.id, visit.viewer, archived=True)
    return {one.id: one for one in (*offered, *archived)}


def _choices(tenant: Tenant, visit: Visit, resources: Mapping[int, Resource], form: ClosureForm) -> list[Choice]:
    """The whole company, what is offered, and what the form says already."""
    shown = [one for one in resources.values() if one.archived_at is None or one.id == form.resource.data]
    return [
        Choice(None, texts.say(visit.language, "whole_company"), _zone_words(visit, tenant.portal.time_zone)),
        *(Choice(one.id, one.name, _zone_words(visit, one.time_zone)) for one in shown),
    ]


def _zone_words(visit: Visit, zone: str) -> str:
    return texts.zone(visit.language, ZoneInfo(zone), now())


def _zone(tenant: Tenant, resources: Mapping[int, Resource], closure: Closure) -> ZoneInfo:
    if closure.resource_id is None:
        return ZoneInfo(tenant.portal.time_zone)
    return ZoneInfo(resources[closure.resource_id].time_zone)
