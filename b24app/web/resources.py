"""The list of resources and the form behind it, for administrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask.typing import ResponseReturnValue

from b24app.booking.resources import ResourceData, archive_resource, save_resource
from b24app.errors import InvalidInput, Refused
from b24app.ledger import facilities, queries, tenancy
from b24app.ledger.models import Resource
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.web import panel
from b24app.web.calendars import company_sections, group_sections
from b24app.web.forms import RevisionForm
from b24app.web.forms_facilities import ResourceForm, hours_text
from b24app.web.resources_page import OFFICE_HOURS, WEEKDAYS, calendar_of, edit_page, sections
from b24app.web.settings import section, show_form, show_list, show_refused
from b24app.web.staff import employees
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

# Whoever may manage single resources does so in a later version; these pages are for administrators.
blueprint = section("resources", __name__)

OF_RESOURCE = (
    "kind", "name", "city", "address", "capacity", "time_zone", "units", "step_minutes", "min_minutes", "max_minutes",
    "horizon_days", "buffer_before", "buffer_after", "policy_id", "tariff_id", "portal_user_id", "holidays",
)  # fmt: skip
OF_SERVICE = ("min_minutes", "max_minutes", "horizon_days", "policy_id", "tariff_id")


@blueprint.get("/app/resources")
def show() -> ResponseReturnValue:
    """All resources, archived ones below."""
    with transaction(services().engine) as tx:
        return _list(tx, seen_tenant(), current_visit())


@blueprint.get("/app/resources/new")
def new() -> ResponseReturnValue:
    """An empty form with usual values."""
    staff, calendars = employees(), company_sections()
    form = ResourceForm(formdata=None)
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        form.time_zone.data = tenant.portal.time_zone
        for weekday in WEEKDAYS:
            form[f"hours_{weekday}"].data = OFFICE_HOURS if weekday < 5 else ""
        page = edit_page(tx, tenant, current_visit(), form, None, staff, calendars)
    return show_form("resources/_form.html", page)


@blueprint.get("/app/resources/<int(max=9223372036854775807):resource_id>")
def edit(resource_id: int) -> ResponseReturnValue:
    """The form of one resource."""
    staff, calendars = employees(), company_sections()
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        resource = queries.resource(tx, tenant.portal.id, current_visit().viewer, resource_id)
        form = _filled_form(tx, tenant, resource)
        page = edit_page(tx, tenant, current_visit(), form, resource, staff, calendars)
    return show_form("resources/_form.html", page)


@blueprint.post("/app/resources")
def create() -> ResponseReturnValue:
    """Adds a resource."""
    return _save(None)


@blueprint.post("/app/resources/<int(max=9223372036854775807):resource_id>")
def save(resource_id: int) -> ResponseReturnValue:
    """Changes a resource."""
    return _save(resource_id)


@blueprint.post("/app/resources/<int(max=9223372036854775807):resource_id>/archive")
def archive(resource_id: int) -> ResponseReturnValue:
    """No longer offers a resource; its bookings stay."""
    return _archive(resource_id, archived=True)


@blueprint.post("/app/resources/<int(max=9223372036854775807):resource_id>/restore")
def restore(resource_id: int) -> ResponseReturnValue:
    """Offers an archived resource again."""
    return _archive(resource_id, archived=False)


def _save(resource_id: int | None) -> ResponseReturnValue:
    visit, form = current_visit(), ResourceForm()
    try:
        form.check_shape()
        data = _data(form)
        staff = employees() if data.portal_user_id else {}
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            _check_person(tx, tenant, staff, data.portal_user_id)
            save_resource(
                tx,
                tenant.portal,
                data,
                viewer=visit.viewer,
                now=now(),
                resource_id=resource_id,
                revision=form.revision.data,
                longest_hours=services().settings.longest_booking_hours,
            )
            return _list(tx, tenant, visit, saved=data.name)
    except Refused as refused:
        return _refused_form(form, resource_id, refused)


def _check_person(tx: Session, tenant: Tenant, staff: Mapping[int, str], person: int | None) -> None:
    """Raises InvalidInput for a specialist whom the portal does not know: his calendar gets clients' names."""
    if person is None or person in tenancy.user_names(tx, tenant.portal.id, [person]):
        return
    if person not in staff:
        raise InvalidInput({"portal_user_id": "unknown_user"})
    tenancy.remember_user(tx, tenant.portal.id, person, staff[person], now())


def _refused_form(form: ResourceForm | None, resource_id: int | None, refused: Refused) -> ResponseReturnValue:
    """What was sent with every reason in words; without a form, the resource as it is."""
    visit, staff, calendars = current_visit(), employees(), company_sections()
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        resource = None
        if resource_id is not None:
            resource = queries.resource(tx, tenant.portal.id, visit.viewer, resource_id)
        if form is None:
            assert resource is not None, "only what is there can be archived"
            form = _filled_form(tx, tenant, resource)
        page = edit_page(tx, tenant, visit, form, resource, staff, calendars)
    return show_refused("resources/_form.html", page, refused)


def _archive(resource_id: int, *, archived: bool) -> ResponseReturnValue:
    form = RevisionForm()
    form.check_shape()
    try:
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            resource = archive_resource(
                tx, tenant.portal, resource_id, revision=form.revision.data, viewer=current_visit().viewer, now=now(),
                archived=archived,
            )  # fmt: skip
            return _list(tx, tenant, current_visit(), saved=resource.name)
    except InvalidInput as refused:
        return _refused_form(None, resource_id, refused)


def _list(tx: Session, tenant: Tenant, visit: Visit, *, saved: str = "") -> ResponseReturnValue:
    shown = queries.resources(tx, tenant.portal.id, visit.viewer)
    archived = queries.resources(tx, tenant.portal.id, visit.viewer, archived=True)
    return show_list(
        "resources/_list.html",
        saved=saved,
        count=len(shown),
        sections=sections(tx, tenant, visit, shown),
        archived=archived,
    )


def _filled_form(tx: Session, tenant: Tenant, resource: Resource) -> ResourceForm:
    portal_id, form = tenant.portal.id, ResourceForm(formdata=None, obj=resource)
    form.calendar_mode.data, form.calendar_group.data = calendar_of(resource), resource.calendar_owner
    service = facilities.bare_service(tx, portal_id, resource.id)
    for name in OF_SERVICE:
        form[name].data = getattr(service, name)
    form.units.data = facilities.units(tx, portal_id, [resource.id]).get(resource.id, 1)
    form.parts.data = list(facilities.composition(tx, portal_id).of(resource.id))
    form.show_special(facilities.special_hours(tx, portal_id, resource.id))
    hours = queries.hours(tx, portal_id, [resource.id]).get(resource.id, ())
    for weekday in WEEKDAYS:
        form[f"hours_{weekday}"].data = hours_text([one for one in hours if one.weekday == weekday])
    return form


def _data(form: ResourceForm) -> ResourceData:
    """What the form says; raises InvalidInput for hours that cannot be read, and for no calendar of ours."""
    values: dict[str, Any] = {name: form[name].data for name in OF_RESOURCE} | _calendar(form)
    return ResourceData(hours=form.weekly_hours(), special=form.special_days(), parts=tuple(form.parts.data), **values)


def _calendar(form: ResourceForm) -> dict[str, Any]:
    """(calls) Which calendar is meant. Of a group it is the first section that the visitor may write to."""
    mode, _, number = (form.calendar_mode.data or "").partition(":")
    if mode == "group":
        group = form.calendar_group.data
        sections = group_sections(group) if group and group > 0 else {}
        if not sections:
            raise InvalidInput({"calendar_group": "unknown_group"})
        return {"calendar_mode": mode, "calendar_owner": group, "calendar_section": min(sections)}
    if mode == "company":
        section = int(number) if number.isascii() and number.isdigit() and len(number) <= 15 else 0
        known = company_sections()
        if not section or (known and section not in known):
            raise InvalidInput({"calendar_mode": "unknown_calendar"})
        return {"calendar_mode": mode, "calendar_section": section}
    return {"calendar_mode": form.calendar_mode.data}
