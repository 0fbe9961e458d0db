"""The list of resources and the form behind it, for administrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from b24app.booking.resources import ResourceData, archive_resource, save_resource
from b24app.booking.upkeep import copy_resource, edit_many, put_in_order, retire
from b24app.errors import InvalidInput, PolicyViolation, Refused, Stale
from b24app.ledger import agenda, facilities, queries, tenancy
from b24app.ledger.models import Resource
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.web import panel
from b24app.web.calendars import company_sections, group_sections
from b24app.web.forms_facilities import ArchiveForm, BulkForm, OrderForm, ResourceForm, hours_text
from b24app.web.resource_pages import ArchivePage, BulkPage, ahead_line
from b24app.web.resources_list import Filter, list_page
from b24app.web.resources_page import OFFICE_HOURS, WEEKDAYS, calendar_of, edit_page
from b24app.web.settings import section, show_form, show_list, show_refused
from b24app.web.staff import employees
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

# Whoever may manage single resources does so in a later version; these pages are for administrators.
blueprint = section("resources", __name__)

OF_RESOURCE = (
    "kind", "name", "city", "address", "capacity", "time_zone", "units", "step_minutes", "min_minutes", "max_minutes",
    "horizon_days", "buffer_before", "buffer_after", "policy_id", "tariff_id", "portal_user_id", "holidays",
)  # fmt: skip
LONGEST_NAME = 120
OF_WEEK = "workdays"  # the field of the form for several at which wrong hours are told
OF_SERVICE = ("min_minutes", "max_minutes", "horizon_days", "policy_id", "tariff_id")


@blueprint.get("/app/resources")
def show() -> ResponseReturnValue:
    """All resources, archived ones below."""
    with transaction(services().engine) as tx:
        return answer(tx, seen_tenant(), current_visit())


@blueprint.get("/app/resources/new")
def new() -> ResponseReturnValue:
    """An empty form with usual values."""
    staff, calendars = employees(), company_sections()
    form = ResourceForm(formdata=None, data={"kind": request.args.get("kind", "")})
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


@blueprint.get("/app/resources/<int(max=9223372036854775807):resource_id>/archive")
def ask_archive(resource_id: int) -> ResponseReturnValue:
    """What is to become of the bookings that are still ahead."""
    with transaction(services().engine) as tx:
        return render_template(
            "resources/_archive.html", page=_archive_page(tx, resource_id, ArchiveForm(formdata=None))
        )


@blueprint.post("/app/resources/<int(max=9223372036854775807):resource_id>/restore")
def restore(resource_id: int) -> ResponseReturnValue:
    """Offers an archived resource again."""
    return _archive(resource_id, archived=False)


@blueprint.post("/app/resources/<int(max=9223372036854775807):resource_id>/copy")
def copy(resource_id: int) -> ResponseReturnValue:
    """Adds another one like it."""
    with transaction(services().engine) as tx:
        tenant, visit = _writable(), current_visit()
        name = queries.resource(tx, tenant.portal.id, visit.viewer, resource_id).name
        made = copy_resource(
            tx, tenant.portal, resource_id, _("%(name)s (copy)", name=name[: LONGEST_NAME - 10]), viewer=visit.viewer,
            now=now(), longest_hours=services().settings.longest_booking_hours,
        )  # fmt: skip
        return answer(tx, tenant, visit, saved=made.name, chosen=made.id)


@blueprint.post("/app/resources/order")
def order() -> ResponseReturnValue:
    """The resources that are named stand in this order from now on."""
    form = OrderForm()
    form.check_shape()
    with transaction(services().engine) as tx:
        tenant, visit = _writable(), current_visit()
        put_in_order(tx, tenant.portal, form.ids.data or (), viewer=visit.viewer)
        return answer(tx, tenant, visit)


@blueprint.post("/app/resources/<int(max=9223372036854775807):resource_id>/place")
def place(resource_id: int) -> ResponseReturnValue:
    """Changes places with the one before it, or behind it with `by` 1, among those of its kind."""
    by = 1 if request.form.get("by") == "1" else -1
    with transaction(services().engine) as tx:
        tenant, visit = _writable(), current_visit()
        moved = queries.resource(tx, tenant.portal.id, visit.viewer, resource_id)
        alike = [one.id for one in queries.resources(tx, tenant.portal.id, visit.viewer) if one.kind == moved.kind]
        at = alike.index(resource_id) if resource_id in alike else -1
        if at >= 0 and 0 <= at + by < len(alike):
            alike[at], alike[at + by] = alike[at + by], alike[at]
            put_in_order(tx, tenant.portal, alike, viewer=visit.viewer)
        return answer(tx, tenant, visit, chosen=resource_id)


@blueprint.get("/app/resources/together")
def ask_together() -> ResponseReturnValue:
    """The form for several resources at once."""
    form = BulkForm(formdata=request.args)
    with transaction(services().engine) as tx:
        page = _bulk_page(tx, form)
    return show_form("resources/_together.html", page)


@blueprint.post("/app/resources/together")
def together() -> ResponseReturnValue:
    """Changes all of them or none."""
    form, visit = BulkForm(), current_visit()
    try:
        form.check_shape()
        with transaction(services().engine) as tx:
            tenant = _writable()
            changed = edit_many(
                tx, tenant.portal, form.ids.data or (), form.common(), viewer=visit.viewer, now=now(),
                longest_hours=services().settings.longest_booking_hours,
            )  # fmt: skip
            words = ngettext("%(num)d resource", "%(num)d resources", len(changed))
            return answer(tx, tenant, visit, saved=words)
    except Refused as refused:
        with transaction(services().engine) as tx:
            page = _bulk_page(tx, form)
        return show_refused("resources/_together.html", page, _at_fields(refused, page))


def _at_fields(refused: Refused, page: BulkPage) -> Refused:
    """What is wrong with one of several, said of the field, with the resource named."""
    if not isinstance(refused, InvalidInput):
        return refused
    fields: dict[str, str] = {}
    for name, code in refused.fields.items():
        number, _dot, field = name.rpartition(".")
        page.of = page.names.get(int(number), "") if number else page.of
        fields[OF_WEEK if field == "hours" else field] = code
    return InvalidInput(fields)


def _bulk_page(tx: Session, form: BulkForm) -> BulkPage:
    tenant, visit = seen_tenant(), current_visit()
    chosen = [one for one in queries.resources(tx, tenant.portal.id, visit.viewer) if one.id in (form.ids.data or ())]
    ahead = facilities.bookings_ahead(tx, tenant.portal.id, {one.id for one in chosen}, now())
    return BulkPage(form, names={one.id: one.name for one in chosen}, ahead=ahead, language=visit.language)


def _writable() -> Tenant:
    """The tenant, where anything may be changed; raises NotAllowed."""
    tenant = seen_tenant()
    panel.check_writable(tenant)
    return tenant


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
            saved = save_resource(
                tx,
                tenant.portal,
                data,
                viewer=visit.viewer,
                now=now(),
                resource_id=resource_id,
                revision=form.revision.data,
                longest_hours=services().settings.longest_booking_hours,
            )
            return answer(tx, tenant, visit, saved=data.name, chosen=saved.id)
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
    form = ArchiveForm()
    form.check_shape()
    try:
        with transaction(services().engine) as tx:
            tenant = _writable()
            resource = _archived(tx, tenant, resource_id, form, archived=archived)
            return answer(tx, tenant, current_visit(), saved=resource.name)
    except (InvalidInput, PolicyViolation, Stale) as refused:
        if not form.seen.data:
            if isinstance(refused, Stale):
                raise
            return _refused_form(None, resource_id, refused)
        with transaction(services().engine) as tx:
            page = _archive_page(tx, resource_id, form)
        return show_refused("resources/_archive.html", page, refused)


def _archived(tx: Session, tenant: Tenant, resource_id: int, form: ArchiveForm, *, archived: bool) -> Resource:
    """With what was asked about its bookings ahead, or as a whole: then they stay."""
    viewer, revision = current_visit().viewer, form.revision.data
    if archived and form.seen.data:
        return retire(
            tx, tenant.portal, resource_id, seen=form.seen.data, cancelled=form.cancelled.data or (),
            reason=form.reason.data, viewer=viewer, now=now(), revision=revision,
        )  # fmt: skip
    return archive_resource(
        tx, tenant.portal, resource_id, revision=revision, viewer=viewer, now=now(), archived=archived
    )


def _archive_page(tx: Session, resource_id: int, form: ArchiveForm) -> ArchivePage:
    """The resource with its bookings ahead as they are now."""
    tenant, visit = seen_tenant(), current_visit()
    resource = queries.resource(tx, tenant.portal.id, visit.viewer, resource_id)
    ids = facilities.booking_ids_ahead(tx, tenant.portal.id, {resource_id}, now())
    rows = agenda.rows_of(tx, tenant.portal.id, visit.viewer, ids)
    return ArchivePage(
        form,
        resource=resource,
        bookings=[ahead_line(visit, rows[one], ZoneInfo(resource.time_zone)) for one in ids if one in rows],
        cancelled=set(form.cancelled.data or ()),
    )


def answer(
    tx: Session, tenant: Tenant, visit: Visit, *, saved: str = "", chosen: int | None = None
) -> ResponseReturnValue:
    """The list, filtered as the request says; `chosen` is the resource whose card is to be open beside it."""
    shown = Filter.parse(request.values)
    page = list_page(tx, tenant, visit, shown, chosen)
    return show_list("resources/_list.html", saved=saved, page=page)


def _filled_form(tx: Session, tenant: Tenant, resource: Resource) -> ResourceForm:
    portal_id, form = tenant.portal.id, ResourceForm(formdata=None, obj=resource)
    form.calendar_mode.data, form.calendar_group.data = calendar_of(resource), resource.calendar_owner
    service = facilities.bare_service(tx, portal_id, resource.id)
    for name in OF_SERVICE:
        form[name].data = getattr(service, name)
    form.units.data = facilities.units(tx, portal_id, [resource.id]).get(resource.id, 1)
    form.parts.data = list(facilities.composition(tx, portal_id).of(resource.id))
    form.show_special(facilities.special_hours(tx, portal_id, resource.id))
    form.show_attributes(resource.attributes)
    hours = queries.hours(tx, portal_id, [resource.id]).get(resource.id, ())
    for weekday in WEEKDAYS:
        form[f"hours_{weekday}"].data = hours_text([one for one in hours if one.weekday == weekday])
    return form


def _data(form: ResourceForm) -> ResourceData:
    """What the form says; raises InvalidInput for hours that cannot be read, and for no calendar of ours."""
    values: dict[str, Any] = {name: form[name].data for name in OF_RESOURCE} | _calendar(form)
    return ResourceData(
        hours=form.weekly_hours(),
        special=form.special_days(),
        parts=tuple(form.parts.data),
        attributes=form.named_attributes(),
        **values,
    )


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
