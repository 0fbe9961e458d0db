"""When what is closed: the list and the form behind it, for administrators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from b24app import texts
from b24app.booking.closures import remove_closure, save_closure
from b24app.errors import NotFound, Refused
from b24app.ledger import facilities, queries
from b24app.ledger.models import Closure, Resource
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.web import panel
from b24app.web.forms import clock_text
from b24app.web.forms_facilities import WHOLE_DAYS, ClosureForm, wall_times
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
    """An empty form."""
    with transaction(services().engine) as tx:
        page = _page(tx, ClosureForm(formdata=None), None)
    return show_form("closures/_form.html", page)


@blueprint.get("/app/closures/<int(max=9223372036854775807):closure_id>")
def edit(closure_id: int) -> ResponseReturnValue:
    """The form of one closure."""
    tenant, form = seen_tenant(), ClosureForm(formdata=None)
    with transaction(services().engine) as tx:
        closure = facilities.closure(tx, tenant.portal.id, closure_id)
        zone = _zone(tenant, _resources(tx, tenant, current_visit()), closure)
        form.fill(closure.resource_id, as_interval(closure.during), closure.reason, zone)
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
        remove_closure(tx, tenant.portal, closure_id, viewer=current_visit().viewer)
        return _list(tx, tenant, current_visit(), saved=_("the time is offered again"))


def _save(closure_id: int | None) -> ResponseReturnValue:
    visit, form = current_visit(), ClosureForm()
    try:
        form.check_shape()
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            saved = save_closure(tx, tenant.portal, form.closure(), viewer=visit.viewer, closure_id=closure_id)
            zone = _zone(tenant, _resources(tx, tenant, visit), saved)
            return _list(tx, tenant, visit, saved=saved.reason or _when(visit, saved, zone))
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
        page.closure_id = facilities.closure(tx, tenant.portal.id, closure_id).id
        counts = facilities.bookings_in_closures(tx, tenant.portal.id, [closure_id], now())
        page.standing = _standing(visit, counts, closure_id)
    return page


def _list(tx: Session, tenant: Tenant, visit: Visit, *, saved: str = "") -> ResponseReturnValue:
    resources = _resources(tx, tenant, visit)
    ahead = facilities.closures(tx, tenant.portal.id, now())
    past = facilities.past_closures(tx, tenant.portal.id, now())
    counts = facilities.bookings_in_closures(tx, tenant.portal.id, [one.id for one in ahead], now())
    return show_list(
        "closures/_list.html",
        saved=saved,
        lines=[_line(tenant, visit, resources, one, counts) for one in ahead],
        past=[_line(tenant, visit, resources, one, {}) for one in past],
    )


def _line(
    tenant: Tenant, visit: Visit, resources: Mapping[int, Resource], closure: Closure, counts: Mapping[int, int]
) -> Line:
    zone = _zone(tenant, resources, closure)
    return Line(
        id=closure.id,
        when=_when(visit, closure, zone),
        zone=texts.zone(visit.language, zone, as_interval(closure.during).start) if zone.key != visit.time_zone else "",
        what=texts.say(visit.language, "whole_company")
        if closure.resource_id is None
        else resources[closure.resource_id].name,
        reason=closure.reason,
        standing=_standing(visit, counts, closure.id),
    )


def _when(visit: Visit, closure: Closure, zone: ZoneInfo) -> str:
    first, begins, last, ends = wall_times(as_interval(closure.during), zone)
    days = [_day(visit, one) for one in ((first,) if first == last else (first, last))]
    if (begins, ends) == WHOLE_DAYS:
        return " – ".join(days)
    start, end = clock_text(begins), clock_text(ends)
    return f"{days[0]}, {start}–{end}" if first == last else f"{days[0]}, {start} – {days[1]}, {end}"


def _day(visit: Visit, day: date) -> str:
    """A closure may be years away, and is then named with its year."""
    words = texts.day(visit.language, day, short=True)
    return words if day.year == now().year else f"{words} {day.year}"


def _standing(visit: Visit, counts: Mapping[int, int], closure_id: int) -> str:
    count = counts.get(closure_id, 0)
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
