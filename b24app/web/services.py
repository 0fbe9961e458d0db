"""The list of services and the form behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from b24app import texts
from b24app.booking.services import PREFERENCES, ServiceData, archive_service, data_of, save_service
from b24app.errors import InvalidInput, Refused
from b24app.ledger import queries, rules
from b24app.ledger.catalog import Need
from b24app.ledger.models import Service
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.web import kinds, panel, settings
from b24app.web.forms import RevisionForm
from b24app.web.forms_settings import ServiceForm
from b24app.web.settings import Choices, FormPage
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = settings.section("services", __name__)

FORM = "settings/_service.html"
NAMED_IN_A_ROW = 3
# Where a code about one of these stands in the form, by mode.
SENT_AS = {
    "slot": {"min_minutes": "slot_minutes", "max_minutes": "most_slots", "step_minutes": "slot_minutes"},
    "free": {},
    "fixed": {"min_minutes": "minutes", "max_minutes": "minutes"},
}


@dataclass(frozen=True, slots=True)
class Line:
    """One service in the list."""

    service: Service
    lasts: str
    requires: str
    tariff: str
    policy: str


@dataclass(slots=True)
class ServicePage(FormPage):
    """What templates/settings/_service.html shows around the fields."""

    service: Service | None = None
    resources: Choices = ()
    policies: Choices = ()
    tariffs: Choices = ()

    @property
    def kinds(self) -> Choices:
        language = current_visit().language
        return [(kind, kinds.one(language, kind)) for kind in kinds.in_order()]

    @property
    def preferences(self) -> Choices:
        language = current_visit().language
        return [(one, texts.say(language, f"preference.{one}")) for one in PREFERENCES]


@blueprint.get("/app/services")
def show() -> ResponseReturnValue:
    """All services, archived ones below."""
    with transaction(services().engine) as tx:
        return _list(tx, seen_tenant())


@blueprint.get("/app/services/new")
def new() -> ResponseReturnValue:
    """An empty form with usual values."""
    with transaction(services().engine) as tx:
        page = _page(tx, seen_tenant(), ServiceForm(formdata=None), None)
    return settings.show_form(FORM, page)


@blueprint.get("/app/services/<int(max=9223372036854775807):service_id>")
def edit(service_id: int) -> ResponseReturnValue:
    """The form of one service."""
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        service = rules.service(tx, tenant.portal.id, service_id)
        required = rules.needs(tx, tenant.portal.id, [service_id]).get(service_id, ())
        page = _page(tx, tenant, _filled_form(service, required), service)
    return settings.show_form(FORM, page)


@blueprint.post("/app/services")
def create() -> ResponseReturnValue:
    """Adds a service."""
    return _save(None)


@blueprint.post("/app/services/<int(max=9223372036854775807):service_id>")
def save(service_id: int) -> ResponseReturnValue:
    """Changes a service."""
    return _save(service_id)


@blueprint.post("/app/services/<int(max=9223372036854775807):service_id>/archive")
def archive(service_id: int) -> ResponseReturnValue:
    """No longer offers a service; its bookings stay."""
    return _archive(service_id, archived=True)


@blueprint.post("/app/services/<int(max=9223372036854775807):service_id>/restore")
def restore(service_id: int) -> ResponseReturnValue:
    """Offers an archived service again."""
    return _archive(service_id, archived=False)


def _save(service_id: int | None) -> ResponseReturnValue:
    form = ServiceForm()
    try:
        form.check_shape()
        data = _data(form)
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            save_service(
                tx,
                tenant.portal,
                data,
                viewer=current_visit().viewer,
                now=now(),
                longest_hours=services().settings.longest_booking_hours,
                service_id=service_id,
                revision=form.revision.data,
            )
            return _list(tx, tenant, saved=data.name)
    except Refused as refused:
        return _refused(form, service_id, refused)


def _refused(form: ServiceForm, service_id: int | None, refused: Refused) -> ResponseReturnValue:
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        service = None if service_id is None else rules.service(tx, tenant.portal.id, service_id)
        page = _page(tx, tenant, form, service)
    if isinstance(refused, InvalidInput):
        names = SENT_AS.get(form.mode.data, {})
        refused = InvalidInput({names.get(field, field): code for field, code in refused.fields.items()})
    return settings.show_refused(FORM, page, refused)


def _archive(service_id: int, *, archived: bool) -> ResponseReturnValue:
    form = RevisionForm()
    form.check_shape()
    try:
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            service = archive_service(
                tx, tenant.portal, service_id, viewer=current_visit().viewer, now=now(), archived=archived,
                revision=form.revision.data,
            )  # fmt: skip
            return _list(tx, tenant, saved=service.name)
    except InvalidInput as refused:
        return _not_restored(service_id, refused)


def _not_restored(service_id: int, refused: InvalidInput) -> ResponseReturnValue:
    """What it requires is no longer there: shown in its own form, where that can be changed."""
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        service = rules.service(tx, tenant.portal.id, service_id)
        required = rules.needs(tx, tenant.portal.id, [service_id]).get(service_id, ())
        page = _page(tx, tenant, _filled_form(service, required), service)
    return settings.show_refused(FORM, page, refused)


def _list(tx: Session, tenant: Tenant, *, saved: str = "") -> Response:
    portal_id, viewer = tenant.portal.id, current_visit().viewer
    shown = rules.services(tx, portal_id)
    names = {
        one.id: one.name
        for archived in (False, True)
        for one in queries.resources(tx, portal_id, viewer, archived=archived)
    }
    needs = rules.needs(tx, portal_id, [one.id for one in shown])
    policies = {one.id: one.name for one in rules.policies(tx, portal_id)}
    tariffs = {one.id: one.name for one in rules.tariffs(tx, portal_id)}
    lines = [
        Line(
            one,
            lasts(one),
            " + ".join(_need_words(need, names) for need in needs.get(one.id, ())),
            tariffs.get(one.tariff_id or 0, ""),
            policies.get(one.policy_id or 0, ""),
        )
        for one in shown
    ]
    return settings.show_list(
        "settings/_services.html", saved=saved, lines=lines, archived=rules.services(tx, portal_id, archived=True)
    )


def lasts(service: Service) -> str:
    """How long it takes: «1 ч», «30 мин – 4 ч»."""
    language = current_visit().language
    if service.min_minutes == service.max_minutes:
        return texts.duration(language, service.min_minutes)
    return f"{texts.duration(language, service.min_minutes)} – {texts.duration(language, service.max_minutes)}"


def _need_words(need: Need, names: Mapping[int, str]) -> str:
    """«Анна Седова, фотограф или Ирина Вольская»: names may hold commas, so words stand between them."""
    if need.kind is not None:
        what = kinds.one(current_visit().language, need.kind)
    else:
        named = [names.get(one, "") for one in need.options]
        word = _("or")
        between = f" {word} "
        what = between.join(named[:NAMED_IN_A_ROW]) + (f"{between}…" if len(named) > NAMED_IN_A_ROW else "")
    return f"{what} × {need.quantity}" if need.quantity > 1 else what


def _page(tx: Session, tenant: Tenant, form: ServiceForm, service: Service | None) -> ServicePage:
    portal_id = tenant.portal.id
    return ServicePage(
        form,
        service.name if service else "",
        service=service,
        resources=_resources(tx, portal_id, form),
        policies=[(one.id, one.name) for one in rules.policies(tx, portal_id)],
        tariffs=[(one.id, one.name) for one in rules.tariffs(tx, portal_id)],
    )


def _resources(tx: Session, portal_id: int, form: ServiceForm) -> Choices:
    """Those on offer, and archived ones that the service still names: nothing leaves a form unsaid."""
    language, viewer = current_visit().language, current_visit().viewer
    named = {one for row in form.requirements.forms for one in row.options.data or ()}
    gone = [one for one in queries.resources(tx, portal_id, viewer, archived=True) if one.id in named]
    return [
        *((one.id, one.name) for one in queries.resources(tx, portal_id, viewer)),
        *((one.id, texts.say(language, "archived_name", name=one.name)) for one in gone),
    ]


def _filled_form(service: Service, required: Sequence[Need]) -> ServiceForm:
    data = data_of(service, required)
    rows = [{"kind": need.kind or "", "options": list(need.options), "quantity": need.quantity} for need in required]
    values = {
        name: getattr(data, name)
        for name in (
            "name", "horizon_days", "buffer_before", "buffer_after", "policy_id", "tariff_id", "preference", "sort",
        )
    }  # fmt: skip
    return ServiceForm(
        formdata=None, data={**values, **_mode(data), "requirements": rows, "revision": service.revision}
    )


def _mode(data: ServiceData) -> dict[str, Any]:
    """How the form says the same durations."""
    if data.min_minutes == data.max_minutes:
        return {"mode": "fixed", "minutes": data.min_minutes, "step_minutes": data.step_minutes}
    if data.min_minutes == data.step_minutes:
        return {"mode": "slot", "slot_minutes": data.step_minutes, "most_slots": data.max_minutes // data.step_minutes}
    return {
        "mode": "free",
        "min_minutes": data.min_minutes,
        "max_minutes": data.max_minutes,
        "step_minutes": data.step_minutes,
    }


def _data(form: ServiceForm) -> ServiceData:
    """What the form says; raises InvalidInput for an unknown mode."""
    shortest, longest, step = _durations(form)
    return ServiceData(
        name=form.name.data,
        min_minutes=shortest,
        max_minutes=longest,
        step_minutes=step,
        horizon_days=form.horizon_days.data,
        buffer_before=form.buffer_before.data,
        buffer_after=form.buffer_after.data,
        requirements=tuple(row.need() for row in form.requirements.forms),
        policy_id=form.policy_id.data,
        tariff_id=form.tariff_id.data,
        preference=form.preference.data,
        sort=form.sort.data,
    )


def _durations(form: ServiceForm) -> tuple[int, int, int]:
    """Shortest, longest and step, in minutes."""
    if form.mode.data == "slot":
        return form.slot_minutes.data, form.slot_minutes.data * form.most_slots.data, form.slot_minutes.data
    if form.mode.data == "free":
        return form.min_minutes.data, form.max_minutes.data, form.step_minutes.data
    if form.mode.data == "fixed":
        return form.minutes.data, form.minutes.data, form.step_minutes.data
    raise InvalidInput({"mode": "unknown_choice"})
