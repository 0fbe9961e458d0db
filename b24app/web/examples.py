"""What a tariff or rules would mean while they are typed: the price of one booking, and what cancelling it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import StringField

from b24app import texts
from b24app.booking.policies import read_policy
from b24app.errors import InvalidInput
from b24app.ledger import rules
from b24app.ledger.models import Portal
from b24app.ledger.session import transaction
from b24app.scheduling.hours import DAY_MINUTES, local_instant
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy, fee
from b24app.scheduling.pricing import NoQuote, Tariff, check_tariff, minor_digits, quote
from b24app.web import settings
from b24app.web.forms import ClockField, NumberField, PortalForm, strip
from b24app.web.forms_settings import PolicyForm, SettingsForm, TariffForm
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = settings.section("examples", __name__)

Form = TypeVar("Form", bound=SettingsForm)

LONGEST_HOURS = 31 * 24
SATURDAY, EVENING, EVENING_BEFORE = 5, 18 * 60, 20


class TrialForm(PortalForm):
    """The booking that is tried: on which weekday, from when, how long, for whom, and cancelled how long before."""

    try_weekday = NumberField(default=SATURDAY)
    try_start = ClockField(default=EVENING)
    try_hours = NumberField(default=2)
    try_group = StringField(filters=[strip])
    try_policy = NumberField()
    try_before = NumberField(default=EVENING_BEFORE)

    def interval(self, zone: ZoneInfo) -> Interval:
        """The next such time. Raises InvalidInput for what is no time."""
        weekday, start, hours = self.try_weekday.data, self.try_start.data, self.try_hours.data
        if weekday not in range(7) or start is None or start >= DAY_MINUTES or hours not in range(1, LONGEST_HOURS + 1):
            raise InvalidInput({"try": "not_a_time"})
        today = now().astimezone(zone).date()
        begins = local_instant(today + timedelta(days=(weekday - today.weekday()) % 7 or 7), start, zone)
        return Interval(begins, begins + timedelta(hours=hours))


@dataclass(frozen=True, slots=True)
class Said:
    """What templates/settings/_example.html shows. `lacks`: why there is no example; else the sentences of it."""

    lacks: str = ""
    sentences: Sequence[str] = ()


@blueprint.post("/app/tariffs/example")
def of_tariff() -> ResponseReturnValue:
    """The price of the tried booking by what is typed now; nothing is saved."""
    try:
        tariff = _typed(TariffForm()).tariff()
        portal, trial = seen_tenant().portal, TrialForm()
        if wrong := set(check_tariff(tariff, portal.currency)) - {"name"}:
            raise InvalidInput(dict.fromkeys(wrong, "unknown"))
        said = Said(sentences=_priced(portal, tariff, trial))
    except InvalidInput:
        said = Said(_("Fill in the price, and you see here what a booking costs."))
    except NoQuote:
        said = Said(_("This tariff has no price for that time."))
    return render_template("settings/_example.html", said=said)


@blueprint.post("/app/policies/example")
def of_policy() -> ResponseReturnValue:
    """What people would read before they confirm, by what is typed now; nothing is saved."""
    try:
        policy = _typed(PolicyForm()).policy()
        said = Said(sentences=texts.policy_words(current_visit().language, replace(policy, name="").as_dict()))
    except InvalidInput:
        said = Said(_("Some fields are not filled in yet."))
    return render_template("settings/_example.html", said=said)


def _typed(form: Form) -> Form:
    """The form when nothing but its name is wrong; raises InvalidInput."""
    try:
        form.check_shape()
    except InvalidInput as refused:
        if refused.fields.keys() - {"name", "revision"}:
            raise
    return form


def _priced(portal: Portal, tariff: Tariff, trial: TrialForm) -> list[str]:
    language, zone = current_visit().language, ZoneInfo(portal.time_zone)
    wanted, group = trial.interval(zone), trial.try_group.data or ""
    price = quote(tariff, wanted, zone, portal.currency, group=group)
    said = [texts.say(
        language, "example.price_group" if group else "example.price",
        when=texts.period(language, wanted.start, wanted.end, zone), group=group,
        price=texts.money(language, price.total, portal.currency),
    )]  # fmt: skip
    if price.deposit != price.total:
        said.append(
            texts.say(language, "example.deposit", amount=texts.money(language, price.deposit, portal.currency))
        )
    policy = _policy(portal, trial.try_policy.data)
    if policy is not None:
        said.append(_cancelled(language, portal.currency, policy, price.total, wanted.start, trial.try_before.data))
    return said


def _policy(portal: Portal, policy_id: int | None) -> Policy | None:
    with transaction(services().engine) as tx:
        known = rules.policies(tx, portal.id)
    chosen = (one for one in known if (one.id == policy_id if policy_id else one.is_default))
    return next((read_policy(one) for one in chosen), None)


def _cancelled(
    language: str, currency: str, policy: Policy, price: Decimal, starts: datetime, hours: int | None
) -> str:
    """What cancelling costs so many hours before."""
    before = timedelta(hours=max(0, hours or 0))
    kept = fee(policy.cancel_ladder, price, starts, starts - before, minor_digits(currency))
    code = "example.cancelled" if kept else "example.cancelled_free"
    if before < timedelta(minutes=policy.cancel_until_minutes):
        code = "example.cancelled_late"
    words = texts.say(language, "hours", count=hours or 0)
    return texts.say(language, code, hours=words, rules=policy.name, amount=texts.money(language, kept, currency))
