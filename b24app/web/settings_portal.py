"""Settings, "Portal": what calendars, cards, people and deals of the portal are to hear of bookings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, StringField

from b24app import texts
from b24app.bitrix.client import Command
from b24app.bitrix.loose import as_map, text, whole
from b24app.booking.portal_settings import STAGE_KEYS, revision_of, save_deal_policy, save_settings
from b24app.errors import AppError, PortalUnavailable, Refused, Retryable
from b24app.ledger import rules
from b24app.ledger.models import Service
from b24app.ledger.portal_settings import DEAL_MODES, DealPolicy, PortalSettings
from b24app.ledger.session import Session, transaction
from b24app.web import panel, settings
from b24app.web.crm import crm
from b24app.web.forms import NumberField, filled
from b24app.web.forms_settings import Row, Rows, SettingsForm, TermField
from b24app.web.settings import Choices, FormPage
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = settings.section("portal", __name__)

FORM, DEAL_FORM = "settings/_portal_form.html", "settings/_deal_form.html"
DEAL = 2
PLAIN = (
    "event_deleted", "stage_paid", "client_in_own", "client_in_shared", "event_participants", "obey_business",
    "comments", "notify_responsible", "notify_requester", "escalate_hours",
)  # fmt: skip


class ReminderRow(Row):
    """How long before the start."""

    typed = ("before",)
    before = TermField(validators=filled())


class DealFields(SettingsForm):
    """What bookings do to deals; `deal_prebooked` and so on: the deal's stage while a booking is at ours."""

    deal_mode = StringField(default="link")
    deal_funnel = NumberField(default=0)
    deal_products = BooleanField()
    deal_prebooked = StringField()
    deal_confirmed = StringField()
    deal_paid = StringField()
    deal_completed = StringField()
    deal_cancelled = StringField()
    deal_expired = StringField()
    deal_no_show = StringField()

    def policy(self) -> DealPolicy:
        stages = {key: self[f"deal_{key}"].data for key in STAGE_KEYS if self[f"deal_{key}"].data}
        return DealPolicy(self.deal_mode.data, self.deal_funnel.data or 0, stages, self.deal_products.data)


class PortalSettingsForm(DealFields):
    """All of a portal's settings; its fields are those of `ledger.portal_settings.PortalSettings`."""

    revision = NumberField(validators=filled())
    event_deleted = StringField(default="redraw")
    stage_paid = StringField(default="record")
    client_in_own = BooleanField()
    client_in_shared = BooleanField()
    event_participants = BooleanField()
    obey_business = BooleanField()
    comments = BooleanField()
    notify_responsible = BooleanField()
    notify_requester = BooleanField()
    escalate_hours = NumberField(validators=filled(), default=4)
    reminders = Rows(ReminderRow)

    def settings(self) -> PortalSettings:
        reminders = tuple(row.before.data for row in self.reminders.forms)
        return PortalSettings(**{name: self[name].data for name in PLAIN}, remind_minutes=reminders, deal=self.policy())


class ServiceDealForm(DealFields):
    """The deal policy of one service; without `deal_own` it is the portal's."""

    revision = NumberField(validators=filled())
    deal_own = BooleanField()


@dataclass(frozen=True, slots=True)
class Funnel:
    """A funnel of deals with its stages in their order."""

    id: int
    name: str
    stages: Sequence[tuple[str, str]]


@dataclass(slots=True)
class DealPage(FormPage):
    """What both forms show around the fields. `service`: whose policy it is; None: the portal's."""

    funnels: Sequence[Funnel] = ()
    service: Service | None = None

    @property
    def stage_keys(self) -> Choices:
        return [(key, texts.say(current_visit().language, f"stage.{key}")) for key in STAGE_KEYS]

    @property
    def modes(self) -> Choices:
        return _named("deal_mode", DEAL_MODES)

    @property
    def funnel_choices(self) -> Choices:
        return [(one.id, one.name) for one in self.funnels]


@dataclass(frozen=True, slots=True)
class Line:
    """A service and what its bookings do to deals."""

    service: Service
    words: str
    own: bool


def _named(family: str, codes: Iterable[str]) -> Choices:
    return [(code, texts.say(current_visit().language, f"{family}.{code}")) for code in codes]


@blueprint.get("/app/portal")
def show() -> ResponseReturnValue:
    """What is set, in words."""
    with transaction(services().engine) as tx:
        return _list(tx, PortalSettings.from_json(seen_tenant().portal.settings))


@blueprint.get("/app/portal/edit")
def edit() -> ResponseReturnValue:
    """The form with everything."""
    kept = seen_tenant().portal.settings
    return settings.show_form(FORM, DealPage(_filled_form(kept), funnels=_known_funnels()))


@blueprint.post("/app/portal")
def save() -> ResponseReturnValue:
    """Everything from now on."""
    form = PortalSettingsForm()
    funnels: Sequence[Funnel] = ()
    try:
        form.check_shape()
        funnels = read_funnels()
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            known = save_settings(
                tx, tenant.portal, form.settings(), funnels=_stages(funnels), viewer=current_visit().viewer,
                now=now(), revision=form.revision.data,
            )  # fmt: skip
            return _list(tx, known, saved=texts.say(current_visit().language, "portal_settings"))
    except (Refused, Retryable) as refused:
        return settings.show_refused(FORM, DealPage(form, funnels=funnels or _known_funnels()), refused)


@blueprint.get("/app/portal/deals/<int(max=9223372036854775807):service_id>")
def edit_deal(service_id: int) -> ResponseReturnValue:
    """The form of what one service's bookings do to deals."""
    with transaction(services().engine) as tx:
        portal = seen_tenant().portal
        service = rules.service(tx, portal.id, service_id)
        policy = _policy_of(service, PortalSettings.from_json(portal.settings))
    form = ServiceDealForm(
        formdata=None,
        data=_deal_values(policy) | {"deal_own": service.deal is not None, "revision": service.revision},
    )
    return settings.show_form(DEAL_FORM, DealPage(form, service.name, funnels=_known_funnels(), service=service))


@blueprint.post("/app/portal/deals/<int(max=9223372036854775807):service_id>")
def save_deal(service_id: int) -> ResponseReturnValue:
    """That from now on."""
    form = ServiceDealForm()
    funnels: Sequence[Funnel] = ()
    try:
        form.check_shape()
        funnels = read_funnels() if form.deal_own.data else ()
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            policy = form.policy() if form.deal_own.data else None
            service = save_deal_policy(
                tx, tenant.portal, service_id, policy, funnels=_stages(funnels), viewer=current_visit().viewer,
                now=now(), revision=form.revision.data,
            )  # fmt: skip
            return _list(tx, PortalSettings.from_json(tenant.portal.settings), saved=service.name)
    except (Refused, Retryable) as refused:
        with transaction(services().engine) as tx:
            service = rules.service(tx, seen_tenant().portal.id, service_id)
        page = DealPage(form, service.name, funnels=funnels or _known_funnels(), service=service)
        return settings.show_refused(DEAL_FORM, page, refused)


# The portal's funnels ----


def _known_funnels() -> Sequence[Funnel]:
    """The same as far as the portal answers just now."""
    try:
        return read_funnels()
    except AppError:
        return ()


def read_funnels() -> Sequence[Funnel]:
    """The funnels of deals with their stages, as far as the visitor may see them. Raises NotAllowed and Retryable.

    https://apidocs.bitrix24.com/api-reference/crm/universal/category/crm-category-list.html
    """
    commands = {
        "funnels": Command("crm.category.list", {"entityTypeId": DEAL}),
        "stages": Command("crm.status.list", {"order": {"SORT": "ASC"}}),
    }
    answer = crm().batch(commands)
    for key in commands:
        if key not in answer.results:
            raise answer.errors.get(key) or PortalUnavailable("not run")
    stages = _by_directory(as_map(answer.results["stages"]).values())
    rows = (as_map(row) for row in as_map(as_map(answer.results["funnels"]).get("categories")).values())
    return [
        Funnel(number, text(row.get("name")), stages.get(f"DEAL_STAGE_{number}" if number else "DEAL_STAGE", ()))
        for row in rows
        if (number := whole(row.get("id"))) is not None
    ]


def _by_directory(rows: Iterable[Any]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for row in map(as_map, rows):
        found.setdefault(str(row.get("ENTITY_ID")), []).append((str(row.get("STATUS_ID")), text(row.get("NAME"))))
    return found


def _stages(funnels: Sequence[Funnel]) -> dict[int, list[str]]:
    return {one.id: [stage for stage, _ in one.stages] for one in funnels}


# What is shown ----


def _filled_form(kept: Mapping[str, Any]) -> PortalSettingsForm:
    known = PortalSettings.from_json(kept)
    values = {name: getattr(known, name) for name in PLAIN} | _deal_values(known.deal)
    reminders = [{"before": minutes} for minutes in known.remind_minutes]
    return PortalSettingsForm(formdata=None, data=values | {"reminders": reminders, "revision": revision_of(kept)})


def _deal_values(policy: DealPolicy) -> dict[str, Any]:
    stages = {f"deal_{key}": policy.stages.get(key, "") for key in STAGE_KEYS}
    return {
        "deal_mode": policy.mode,
        "deal_funnel": policy.category_id,
        "deal_products": policy.products,
        **stages,
    }


def _policy_of(service: Service, known: PortalSettings) -> DealPolicy:
    return known.deal if service.deal is None else DealPolicy.from_json(service.deal)


def _list(tx: Session, known: PortalSettings, *, saved: str = "") -> Response:
    language = current_visit().language
    lines = [
        Line(one, texts.say(language, f"deal_mode.{_policy_of(one, known).mode}"), one.deal is not None)
        for one in rules.services(tx, current_visit().portal_id)
    ]
    reminders = [texts.term(language, minutes) for minutes in known.remind_minutes]
    deal = texts.say(language, f"deal_mode.{known.deal.mode}")
    return settings.show_list(
        "settings/_portal.html", saved=saved, known=known, lines=lines, reminders=reminders, deal=deal
    )
