"""The list of resources and the form behind it, for administrators."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from b24app import texts
from b24app.booking.resources import KINDS, STEPS, ResourceData, archive_resource, save_resource
from b24app.errors import InvalidInput, NotAllowed, Refused, Stale
from b24app.ledger import queries, tenancy
from b24app.ledger.models import Resource
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.hours import OpeningHours, is_zone
from b24app.web import errors, panel
from b24app.web.forms import ResourceForm, RevisionForm, hours_text
from b24app.web.staff import employees
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("resources", __name__)

LARGEST_FORM_BYTES = 1024 * 1024
WEEKDAYS = range(7)
MONDAY = datetime(2024, 1, 1)  # noqa: DTZ001 — any Monday: only its name is shown
OFFICE_HOURS = "9:00–18:00"
# Zones offered by name; the portal's own and the one a resource has already are added.
ZONES = (
    "Europe/Kaliningrad",
    "Europe/Moscow",
    "Europe/Samara",
    "Asia/Yekaterinburg",
    "Asia/Omsk",
    "Asia/Krasnoyarsk",
    "Asia/Irkutsk",
    "Asia/Yakutsk",
    "Asia/Vladivostok",
    "Asia/Magadan",
    "Asia/Kamchatka",
    "Europe/Minsk",
    "Asia/Almaty",
    "Asia/Tashkent",
    "Asia/Bishkek",
    "Asia/Yerevan",
    "Asia/Tbilisi",
    "Asia/Baku",
    "Europe/Chisinau",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Istanbul",
    "Asia/Dubai",
    "Asia/Shanghai",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "UTC",
)


@blueprint.before_request
def allow_long_forms() -> None:
    request.max_content_length = request.max_form_memory_size = LARGEST_FORM_BYTES


@dataclass(frozen=True, slots=True)
class Line:
    """One resource in the list."""

    resource: Resource
    hours: str


@dataclass(frozen=True, slots=True)
class Section:
    """The resources of one kind."""

    title: str
    lines: list[Line]


@dataclass(slots=True)
class EditPage:
    """What templates/resources/_form.html shows around the fields."""

    form: ResourceForm
    resource: Resource | None
    zones: list[tuple[str, str]]
    people: dict[int, str]
    weekdays: list[str]
    future_bookings: int = 0
    problems: list[errors.Problem] = field(default_factory=list)

    @property
    def at_field(self) -> dict[str, str]:
        """The first sentence for each field."""
        return {problem.field: problem.text for problem in reversed(self.problems)}

    def kinds(self, language: str) -> list[tuple[str, str]]:
        return [(kind, texts.say(language, f"kind.{kind}")) for kind in KINDS]

    def steps(self, language: str) -> list[tuple[int, str]]:
        return [(step, texts.duration(language, step)) for step in STEPS]


@blueprint.before_request
def only_administrators() -> None:
    """Whoever may manage single resources does so in a later version; the form is for administrators."""
    if not current_visit().viewer.is_admin:
        raise NotAllowed("manage")


@blueprint.get("/app/resources")
def show() -> ResponseReturnValue:
    """All resources, archived ones below."""
    with transaction(services().engine) as tx:
        return _list(tx, seen_tenant(), current_visit())


@blueprint.get("/app/resources/new")
def new() -> ResponseReturnValue:
    """An empty form with usual values."""
    staff = employees()
    form = ResourceForm(formdata=None)
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        form.time_zone.data = tenant.portal.time_zone
        for weekday in WEEKDAYS:
            form[f"hours_{weekday}"].data = OFFICE_HOURS if weekday < 5 else ""
        page = _edit_page(tx, tenant, form, None, staff)
    return render_template("resources/_form.html", page=page, visit=current_visit())


@blueprint.get("/app/resources/<int(max=9223372036854775807):resource_id>")
def edit(resource_id: int) -> ResponseReturnValue:
    """The form of one resource."""
    staff = employees()
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        resource = queries.resource(tx, tenant.portal.id, current_visit().viewer, resource_id)
        page = _edit_page(tx, tenant, _filled_form(tx, tenant, resource), resource, staff)
    return render_template("resources/_form.html", page=page, visit=current_visit())


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


def _refused_form(form: ResourceForm, resource_id: int | None, refused: Refused) -> ResponseReturnValue:
    visit, staff = current_visit(), employees()
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        resource = None
        if resource_id is not None:
            resource = queries.resource(tx, tenant.portal.id, visit.viewer, resource_id)
        page = _edit_page(tx, tenant, form, resource, staff)
    page.problems = errors.problems(refused, visit.language)
    if isinstance(refused, Stale):
        form.revision.raw_data, form.revision.data = None, refused.revision
    answer = render_template("resources/_form.html", page=page, visit=visit)
    return answer, errors.status(refused), errors.IN_PANEL


def _archive(resource_id: int, *, archived: bool) -> ResponseReturnValue:
    form = RevisionForm()
    form.check_shape()
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        panel.check_writable(tenant)
        resource = archive_resource(
            tx, tenant.portal, resource_id, revision=form.revision.data, viewer=current_visit().viewer, now=now(),
            archived=archived,
        )  # fmt: skip
        return _list(tx, tenant, current_visit(), saved=resource.name)


def _list(tx: Session, tenant: Tenant, visit: Visit, *, saved: str = "") -> ResponseReturnValue:
    shown = queries.resources(tx, tenant.portal.id, visit.viewer)
    archived = queries.resources(tx, tenant.portal.id, visit.viewer, archived=True)
    hours = queries.hours(tx, tenant.portal.id)
    answer = make_response(
        render_template(
            "resources/_list.html",
            visit=visit,
            count=len(shown),
            sections=_sections(visit, shown, hours),
            archived=archived,
        )
    )
    if saved:
        answer.headers["HX-Trigger"] = json.dumps({"b24:saved": {"name": saved}})
    return answer


def _sections(visit: Visit, shown: Sequence[Resource], hours: Mapping[int, tuple[OpeningHours, ...]]) -> list[Section]:
    return [
        Section(
            texts.say(visit.language, f"kinds.{kind}"),
            [Line(one, _week(visit.language, hours.get(one.id, ()))) for one in shown if one.kind == kind],
        )
        for kind in KINDS
        if any(one.kind == kind for one in shown)
    ]


def _week(language: str, hours: Sequence[OpeningHours]) -> str:
    """The hours of a week in one line: days in a row that are alike are named together."""
    by_day = [hours_text([one for one in hours if one.weekday == weekday]) for weekday in WEEKDAYS]
    names = _weekdays(language)
    runs: list[list[int]] = []
    for weekday in WEEKDAYS:
        if runs and by_day[runs[-1][-1]] == by_day[weekday]:
            runs[-1].append(weekday)
        else:
            runs.append([weekday])
    named = [(names[run[0]] if len(run) == 1 else f"{names[run[0]]}–{names[run[-1]]}", by_day[run[0]]) for run in runs]
    return ", ".join(f"{days} {text}" for days, text in named if text) or texts.say(language, "never_open")


def _weekdays(language: str) -> list[str]:
    return [texts.weekday(language, MONDAY.replace(day=1 + weekday).date()) for weekday in WEEKDAYS]


def _edit_page(
    tx: Session, tenant: Tenant, form: ResourceForm, resource: Resource | None, staff: Mapping[int, str]
) -> EditPage:
    visit = current_visit()
    future = queries.future_bookings_on(tx, tenant.portal.id, resource.id, now()) if resource else 0
    return EditPage(
        form,
        resource,
        _zones(visit.language, tenant.portal.time_zone, form.time_zone.data),
        dict(sorted({**staff, **tenancy.user_names(tx, tenant.portal.id)}.items(), key=lambda one: one[1])),
        _weekdays(visit.language),
        future,
    )


def _zones(language: str, *more: str | None) -> list[tuple[str, str]]:
    """The zones on offer from west to east, with their names."""
    names = {*ZONES, *(name for name in more if name)}
    known = [ZoneInfo(name) for name in names if is_zone(name)]
    known.sort(key=lambda zone: (now().astimezone(zone).utcoffset(), zone.key))
    return [(zone.key, texts.zone(language, zone, now())) for zone in known]


def _filled_form(tx: Session, tenant: Tenant, resource: Resource) -> ResourceForm:
    form = ResourceForm(formdata=None, obj=resource)
    service = queries.service_of(tx, tenant.portal.id, resource.id)
    form.min_minutes.data, form.max_minutes.data = service.min_minutes, service.max_minutes
    form.horizon_days.data = service.horizon_days
    for weekday, text in _hours_by_day(tx, tenant, resource).items():
        form[f"hours_{weekday}"].data = text
    return form


def _hours_by_day(tx: Session, tenant: Tenant, resource: Resource) -> dict[int, str]:
    hours = queries.hours(tx, tenant.portal.id, [resource.id]).get(resource.id, ())
    return {weekday: hours_text([one for one in hours if one.weekday == weekday]) for weekday in WEEKDAYS}


def _data(form: ResourceForm) -> ResourceData:
    """What the form says; raises InvalidInput for hours that cannot be read."""
    values: dict[str, Any] = {
        name: form[name].data
        for name in (
            "kind",
            "name",
            "city",
            "address",
            "capacity",
            "time_zone",
            "step_minutes",
            "min_minutes",
            "max_minutes",
            "horizon_days",
            "portal_user_id",
            "calendar_mode",
        )
    }
    return ResourceData(hours=form.weekly_hours(), **values)
