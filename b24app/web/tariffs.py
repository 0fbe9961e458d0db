"""The list of tariffs with the portal's currency, and the form behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from flask import Response
from flask.typing import ResponseReturnValue

from b24app import texts
from b24app.booking.tariffs import CURRENCIES, remove_tariff, save_currency, save_tariff
from b24app.errors import InvalidInput, Refused
from b24app.ledger import models, rules
from b24app.ledger.models import Portal
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.hours import local_instant
from b24app.scheduling.interval import Interval
from b24app.scheduling.pricing import BASES, EXTRA_PER, ROUNDINGS, NoQuote, Quote, Tariff, quote
from b24app.web import errors, panel, settings
from b24app.web.forms import RevisionForm
from b24app.web.forms_settings import CurrencyForm, TariffForm
from b24app.web.settings import Choices, FormPage
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = settings.section("tariffs", __name__)

FORM = "settings/_tariff.html"
EVENING, TWO_HOURS = 18 * 60, timedelta(hours=2)
FRIDAY = 4
MONDAY = date(2024, 1, 1)  # any Monday: only its name is shown


@dataclass(frozen=True, slots=True)
class Example:
    """What one booking would cost."""

    when: str
    price: str
    deposit: str


@dataclass(frozen=True, slots=True)
class Line:
    """One tariff in the list."""

    tariff: models.Tariff
    basis: str
    example: Example | None
    used: int


@dataclass(slots=True)
class TariffPage(FormPage):
    """What templates/settings/_tariff.html shows around the fields."""

    tariff: models.Tariff | None = None
    currency: str = ""
    users: Sequence[str] = ()
    example: Example | None = None

    @property
    def bases(self) -> Choices:
        return [(one, texts.say(current_visit().language, f"basis.{one}")) for one in BASES]

    @property
    def extra_units(self) -> Choices:
        return [(one, texts.say(current_visit().language, f"extra_per.{one}")) for one in EXTRA_PER]

    @property
    def roundings(self) -> Choices:
        language = current_visit().language
        exact = (str(ROUNDINGS[0]), texts.say(language, "rounding.exact"))
        return [exact, *((str(one), texts.money(language, one, self.currency)) for one in ROUNDINGS[1:])]

    @property
    def weekdays(self) -> list[str]:
        language = current_visit().language
        return [texts.weekday(language, MONDAY + timedelta(days=n)) for n in range(7)]


@blueprint.get("/app/tariffs")
def show() -> ResponseReturnValue:
    """All tariffs, and the currency."""
    with transaction(services().engine) as tx:
        return _list(tx, seen_tenant().portal)


@blueprint.get("/app/tariffs/new")
def new() -> ResponseReturnValue:
    """An empty form with usual values."""
    with transaction(services().engine) as tx:
        page = _page(tx, seen_tenant(), TariffForm(formdata=None), None)
    return settings.show_form(FORM, page)


@blueprint.get("/app/tariffs/<int(max=9223372036854775807):tariff_id>")
def edit(tariff_id: int) -> ResponseReturnValue:
    """The form of one tariff, with what one booking would cost."""
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        row = rules.tariff(tx, tenant.portal.id, tariff_id)
        page = _page(tx, tenant, _filled_form(row), row)
    return settings.show_form(FORM, page)


@blueprint.post("/app/tariffs")
def create() -> ResponseReturnValue:
    """Adds a tariff."""
    return _save(None)


@blueprint.post("/app/tariffs/<int(max=9223372036854775807):tariff_id>")
def save(tariff_id: int) -> ResponseReturnValue:
    """Changes a tariff."""
    return _save(tariff_id)


@blueprint.post("/app/tariffs/<int(max=9223372036854775807):tariff_id>/remove")
def remove(tariff_id: int) -> ResponseReturnValue:
    """Removes a tariff that nothing has."""
    form = RevisionForm()
    form.check_shape()
    try:
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            name = remove_tariff(
                tx, tenant.portal, tariff_id, viewer=current_visit().viewer, now=now(), revision=form.revision.data
            )
            return _list(tx, tenant.portal, saved=name)
    except InvalidInput as refused:
        with transaction(services().engine) as tx:
            row = rules.tariff(tx, seen_tenant().portal.id, tariff_id)
            page = _page(tx, seen_tenant(), _filled_form(row), row)
        return settings.show_refused(FORM, page, refused)


@blueprint.post("/app/tariffs/currency")
def change_currency() -> ResponseReturnValue:
    """The currency of all prices from now on."""
    form = CurrencyForm()
    try:
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            chosen = form.currency.data or ""
            save_currency(tx, tenant.portal, chosen, viewer=current_visit().viewer, now=now())
            return _list(tx, rules.lock_portal(tx, tenant.portal.id), saved=currency_name(chosen))
    except InvalidInput as refused:
        with transaction(services().engine) as tx:
            answer = _list(tx, seen_tenant().portal, problems=errors.problems(refused, current_visit().language))
        return answer, errors.status(refused)


def _save(tariff_id: int | None) -> ResponseReturnValue:
    form = TariffForm()
    try:
        form.check_shape()
        tariff = form.tariff()
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            save_tariff(
                tx,
                tenant.portal,
                tariff,
                viewer=current_visit().viewer,
                now=now(),
                tariff_id=tariff_id,
                revision=form.revision.data,
            )
            return _list(tx, tenant.portal, saved=tariff.name)
    except Refused as refused:
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            row = None if tariff_id is None else rules.tariff(tx, tenant.portal.id, tariff_id)
            page = _page(tx, tenant, form, row)
        return settings.show_refused(FORM, page, refused)


def _list(tx: Session, portal: Portal, *, saved: str = "", problems: Sequence[errors.Problem] = ()) -> Response:
    language = current_visit().language
    lines = []
    for row in rules.tariffs(tx, portal.id):
        tariff, used = Tariff.from_dict(row.body), len(rules.services_with_tariff(tx, portal.id, row.id))
        lines.append(Line(row, _priced(tariff, portal, language), example(tariff, portal), used))
    return settings.show_list(
        "settings/_tariffs.html",
        saved=saved,
        lines=lines,
        currency=portal.currency,
        currencies=[(one, currency_name(one)) for one in dict.fromkeys((*CURRENCIES, portal.currency))],
        problems=problems,
    )


def _priced(tariff: Tariff, portal: Portal, language: str) -> str:
    """«2 400 ₽ за час»; only the basis where rules say every price."""
    basis = texts.say(language, f"basis.{tariff.basis}")
    return basis if tariff.price is None else f"{texts.money(language, tariff.price, portal.currency)} {basis}"


def currency_name(code: str) -> str:
    """«RUB, российский рубль»."""
    return f"{code}, {texts.currency(current_visit().language, code)}"


def example(tariff: Tariff, portal: Portal) -> Example | None:
    """The price of the next Friday evening, which is dearer in many tariffs; None where nothing is charged then."""
    language, zone = current_visit().language, ZoneInfo(portal.time_zone)
    today = now().astimezone(zone).date()
    friday = today + timedelta(days=(FRIDAY - today.weekday()) % 7 or 7)
    start = local_instant(friday, EVENING, zone)
    wanted = Interval(start, start + TWO_HOURS)
    try:
        price = quote(tariff, wanted, zone, portal.currency)
    except NoQuote:
        return None
    return Example(texts.period(language, wanted.start, wanted.end, zone), *_amounts(language, price))


def _amounts(language: str, price: Quote) -> tuple[str, str]:
    return texts.money(language, price.total, price.currency), texts.money(language, price.deposit, price.currency)


def _page(tx: Session, tenant: Tenant, form: TariffForm, row: models.Tariff | None) -> TariffPage:
    portal = tenant.portal
    return TariffPage(
        form,
        row.name if row else "",
        tariff=row,
        currency=portal.currency,
        users=rules.services_with_tariff(tx, portal.id, row.id) if row else (),
        example=example(Tariff.from_dict(row.body), portal) if row else None,
    )


def _filled_form(row: models.Tariff) -> TariffForm:
    tariff = Tariff.from_dict(row.body)
    rows = [
        {
            "weekdays": sorted(rule.weekdays) if len(rule.weekdays) < 7 else [],
            "from_minute": rule.from_minute or None,
            "until_minute": rule.until_minute if rule.until_minute < 24 * 60 else None,
            "season": rule.season,
            "group": rule.group,
            "price": rule.price,
        }
        for rule in tariff.rules
    ]
    extras = [{name: getattr(one, name) for name in ("code", "name", "price", "per")} for one in tariff.extras]
    values = {name: getattr(tariff, name) for name in ("name", "basis", "price", "slot_minutes", "deposit_percent")}
    return TariffForm(
        formdata=None,
        data={**values, "rounding": str(tariff.rounding), "rules": rows, "extras": extras, "revision": row.revision},
    )
