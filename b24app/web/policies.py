"""The list of rules and the form behind it, with what the rules mean in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from flask import Response
from flask.typing import ResponseReturnValue

from b24app import texts
from b24app.booking.policies import read_policy, remove_policy, save_policy, users_of
from b24app.errors import InvalidInput, Refused
from b24app.ledger import models, rules
from b24app.ledger.models import Portal
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.policy import AFTER_END, QUOTA_PER, QUOTA_PERIODS, Quota
from b24app.web import panel, settings
from b24app.web.forms import RevisionForm
from b24app.web.forms_settings import PLAIN_RULES, PolicyForm
from b24app.web.settings import Choices, FormPage
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = settings.section("policies", __name__)

FORM = "settings/_policy.html"


@dataclass(frozen=True, slots=True)
class Line:
    """Rules in the list."""

    policy: models.Policy
    words: list[str]
    used: int


@dataclass(slots=True)
class PolicyPage(FormPage):
    """What templates/settings/_policy.html shows around the fields."""

    policy: models.Policy | None = None
    words: Sequence[str] = ()
    users: Sequence[str] = ()

    def named(self, family: str, codes: Sequence[str]) -> Choices:
        return [(code, texts.say(current_visit().language, f"{family}.{code}")) for code in codes]

    @property
    def after_end(self) -> Choices:
        return self.named("after_end", AFTER_END)

    @property
    def quota_per(self) -> Choices:
        return self.named("quota", QUOTA_PER)

    @property
    def quota_periods(self) -> Choices:
        return self.named("quota", QUOTA_PERIODS)

    @property
    def quota_units(self) -> Choices:
        return self.named("quota_unit", ("bookings", "hours", "minutes"))


@blueprint.get("/app/policies")
def show() -> ResponseReturnValue:
    """All rules, each in words."""
    with transaction(services().engine) as tx:
        return _list(tx, seen_tenant().portal)


@blueprint.get("/app/policies/new")
def new() -> ResponseReturnValue:
    """An empty form with usual values; the first rules of a portal are its default ones."""
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        form = PolicyForm(formdata=None, data={"is_default": not rules.policies(tx, tenant.portal.id)})
        page = _page(tx, tenant, form, None)
    return settings.show_form(FORM, page)


@blueprint.get("/app/policies/<int(max=9223372036854775807):policy_id>")
def edit(policy_id: int) -> ResponseReturnValue:
    """The form of the rules of one name."""
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        row = rules.policy(tx, tenant.portal.id, policy_id)
        page = _page(tx, tenant, _filled_form(row), row)
    return settings.show_form(FORM, page)


@blueprint.post("/app/policies")
def create() -> ResponseReturnValue:
    """Adds rules."""
    return _save(None)


@blueprint.post("/app/policies/<int(max=9223372036854775807):policy_id>")
def save(policy_id: int) -> ResponseReturnValue:
    """Changes rules, for bookings that are still to be made."""
    return _save(policy_id)


@blueprint.post("/app/policies/<int(max=9223372036854775807):policy_id>/remove")
def remove(policy_id: int) -> ResponseReturnValue:
    """Removes rules that count for nothing."""
    form = RevisionForm()
    form.check_shape()
    try:
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            name = remove_policy(
                tx, tenant.portal, policy_id, viewer=current_visit().viewer, now=now(), revision=form.revision.data
            )
            return _list(tx, tenant.portal, saved=name)
    except InvalidInput as refused:
        with transaction(services().engine) as tx:
            row = rules.policy(tx, seen_tenant().portal.id, policy_id)
            page = _page(tx, seen_tenant(), _filled_form(row), row)
        return settings.show_refused(FORM, page, refused)


def _save(policy_id: int | None) -> ResponseReturnValue:
    form = PolicyForm()
    try:
        form.check_shape()
        policy = form.policy()
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            save_policy(
                tx,
                tenant.portal,
                policy,
                viewer=current_visit().viewer,
                now=now(),
                is_default=form.is_default.data,
                policy_id=policy_id,
                revision=form.revision.data,
            )
            return _list(tx, tenant.portal, saved=policy.name)
    except Refused as refused:
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            row = None if policy_id is None else rules.policy(tx, tenant.portal.id, policy_id)
            page = _page(tx, tenant, form, row)
        return settings.show_refused(FORM, page, refused)


def _list(tx: Session, portal: Portal, *, saved: str = "") -> Response:
    lines = [Line(row, _words(row), len(users_of(tx, portal, row))) for row in rules.policies(tx, portal.id)]
    return settings.show_list("settings/_policies.html", saved=saved, lines=lines)


def _words(row: models.Policy) -> list[str]:
    return texts.policy_words(current_visit().language, read_policy(row).as_dict())


def _page(tx: Session, tenant: Tenant, form: PolicyForm, row: models.Policy | None) -> PolicyPage:
    return PolicyPage(
        form,
        row.name if row else "",
        policy=row,
        words=_words(row) if row else (),
        users=users_of(tx, tenant.portal, row) if row else (),
    )


def _filled_form(row: models.Policy) -> PolicyForm:
    policy = read_policy(row)
    values = {name: getattr(policy, name) for name in (*PLAIN_RULES, "hold_minutes", "decide_minutes")}
    ladders = {name: [asdict(rung) for rung in getattr(policy, name)] for name in ("cancel_ladder", "move_ladder")}
    quotas = [_quota_row(quota) for quota in policy.quotas]
    return PolicyForm(
        formdata=None,
        data={**values, **ladders, "quotas": quotas, "is_default": row.is_default, "revision": row.revision},
    )


def _quota_row(quota: Quota) -> dict[str, object]:
    """Whole hours are shown as such."""
    if quota.unit == "minutes" and quota.limit % 60 == 0:
        return asdict(quota) | {"limit": quota.limit // 60, "unit": "hours"}
    return asdict(quota)
