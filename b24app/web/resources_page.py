"""What the list of resources and the form of one show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from b24app import texts
from b24app.booking.holidays import countries
from b24app.booking.resources import STEPS
from b24app.ledger import facilities, photos, queries, rules, tenancy
from b24app.ledger.models import Resource
from b24app.ledger.session import Session
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.hours import OpeningHours, is_zone
from b24app.web import closure_words, kinds, resource_facts
from b24app.web.closure_words import Shut
from b24app.web.forms_facilities import ResourceForm, hours_text, parse_stretches
from b24app.web.resource_facts import PriceLine
from b24app.web.settings import FormPage
from b24app.web.visit import Visit, now

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


@dataclass(frozen=True, slots=True)
class Choices:
    """What the fields of the form may be given: values with their names."""

    kinds: list[tuple[str, str]]
    steps: list[tuple[int, str]]
    zones: list[tuple[str, str]]
    countries: list[tuple[str, str]]
    policies: list[tuple[int, str]]
    tariffs: list[tuple[int, str]]
    parts: list[tuple[int, str]]
    people: Mapping[int, str]
    calendars: list[tuple[str, str]]


@dataclass(slots=True, kw_only=True)
class EditPage(FormPage):
    """What templates/resources/_form.html shows around the fields."""

    form: ResourceForm
    resource: Resource | None
    choices: Choices
    weekdays: list[str]
    part_of: list[str] = field(default_factory=list)
    made_of: list[str] = field(default_factory=list)
    future_bookings: int = 0
    look: str = ""
    kind_word: str = ""
    photo: str = ""
    closures: list[Shut] = field(default_factory=list)
    prices: list[PriceLine] = field(default_factory=list)
    who: list[tuple[str, list[str]]] = field(default_factory=list)

    def bars(self, weekday: int) -> list[tuple[int, int]]:
        """The stretches of a day on its bar: quarter hours, start and length; none while they make no sense."""
        try:
            stretches = parse_stretches(self.form[f"hours_{weekday}"].data or "")
        except ValueError:
            return []
        return [resource_facts.bar(opens, closes) for opens, closes in stretches]


def week_text(language: str, hours: Sequence[OpeningHours]) -> str:
    """The hours of a week in one line: days in a row that are alike are named together."""
    by_day = [hours_text([one for one in hours if one.weekday == weekday]) for weekday in WEEKDAYS]
    names = weekdays(language)
    runs: list[list[int]] = []
    for weekday in WEEKDAYS:
        if runs and by_day[runs[-1][-1]] == by_day[weekday]:
            runs[-1].append(weekday)
        else:
            runs.append([weekday])
    named = [(names[run[0]] if len(run) == 1 else f"{names[run[0]]}–{names[run[-1]]}", by_day[run[0]]) for run in runs]
    return ", ".join(f"{days} {text}" for days, text in named if text) or texts.say(language, "never_open")


def weekdays(language: str) -> list[str]:
    """The short names of the days, from Monday."""
    return [texts.weekday(language, MONDAY.replace(day=1 + weekday).date()) for weekday in WEEKDAYS]


def edit_page(
    tx: Session, tenant: Tenant, visit: Visit, form: ResourceForm, resource: Resource | None, staff: Mapping[int, str],
    calendars: Mapping[int, str],
) -> EditPage:  # fmt: skip
    """The form with everything around it. `calendars`: sections of the company calendar."""
    page = EditPage(
        form=form,
        resource=resource,
        choices=_choices(tx, tenant, visit, form, resource, staff, calendars),
        weekdays=weekdays(visit.language),
    )
    if resource is not None:
        _tell(tx, tenant, visit, page, resource, staff)
    return page


def _tell(
    tx: Session, tenant: Tenant, visit: Visit, page: EditPage, resource: Resource, staff: Mapping[int, str]
) -> None:
    """What else is known of a resource that is there already."""
    portal_id, language = tenant.portal.id, visit.language
    composition = facilities.composition(tx, portal_id)
    above = composition.above(resource.id)
    page.part_of = _names(tx, tenant, visit, [one for one in above if resource.id in composition.of(one)])
    page.made_of = _names(tx, tenant, visit, composition.of(resource.id))
    page.future_bookings = facilities.bookings_ahead(tx, portal_id, {resource.id} | above, now())
    page.look, page.kind_word = kinds.look(resource.kind), kinds.one(language, resource.kind)
    page.photo = photos.secrets_of(tx, portal_id, [resource.id]).get(resource.id, "")
    own = [one for one in facilities.closures(tx, portal_id, now()) if one.resource_id in (None, resource.id)]
    counts = facilities.bookings_in_closures(tx, portal_id, [one.id for one in own], now())
    page.closures = closure_words.told(language, now(), own, counts, ZoneInfo(resource.time_zone))
    tariff = facilities.tariffs_of_resources(tx, portal_id, [resource.id]).get(resource.id)
    page.prices = resource_facts.prices(language, tariff, tenant.portal.currency)
    names = {**tenancy.user_names(tx, portal_id), **staff}
    page.who = resource_facts.who_may(language, rules.all_grants(tx, portal_id), resource, names)


def _names(tx: Session, tenant: Tenant, visit: Visit, resource_ids: Iterable[int]) -> list[str]:
    return sorted(queries.resource(tx, tenant.portal.id, visit.viewer, one).name for one in resource_ids)


def _choices(
    tx: Session, tenant: Tenant, visit: Visit, form: ResourceForm, resource: Resource | None, staff: Mapping[int, str],
    calendars: Mapping[int, str],
) -> Choices:  # fmt: skip
    language, portal_id = visit.language, tenant.portal.id
    return Choices(
        kinds=[(key, kinds.one(language, key)) for key in kinds.in_order()],
        steps=[(step, _step(language, step)) for step in sorted({*STEPS, form.step_minutes.data or STEPS[0]})],
        zones=_zones(language, tenant.portal.time_zone, form.time_zone.data),
        countries=[(code, texts.country(language, code)) for code in countries()],
        policies=[(row.id, row.name) for row in rules.policies(tx, portal_id)],
        tariffs=[(row.id, row.name) for row in rules.tariffs(tx, portal_id)],
        parts=_possible_parts(tx, portal_id, visit, form, resource),
        people=dict(sorted({**staff, **tenancy.user_names(tx, portal_id)}.items(), key=lambda one: one[1])),
        calendars=_calendars(form, calendars),
    )


def calendar_of(resource: Resource) -> str:
    """Which calendar is chosen, as the form says it."""
    return f"company:{resource.calendar_section}" if resource.calendar_mode == "company" else resource.calendar_mode


def _calendars(form: ResourceForm, sections: Mapping[int, str]) -> list[tuple[str, str]]:
    """What may be chosen; a section that is chosen already also when the portal does not tell of it just now."""
    company = {f"company:{number}": _("Company calendar: %(name)s", name=name) for number, name in sections.items()}
    chosen = form.calendar_mode.data or ""
    if chosen.startswith("company:") and chosen not in company:
        company[chosen] = _("Company calendar: %(name)s", name=f"№ {chosen.partition(':')[2]}")
    usual = [("default", _("Show bookings")), ("none", _("Do not show"))]
    return [*usual, *company.items(), ("group", _("Calendar of a workgroup"))]


def _step(language: str, minutes: int) -> str:
    return texts.say(language, "any_minute") if minutes == 1 else texts.duration(language, minutes)


def _possible_parts(
    tx: Session, portal_id: int, visit: Visit, form: ResourceForm, resource: Resource | None
) -> list[tuple[int, str]]:
    """What it could be made of: what is offered and not made of it. What is chosen stands in front, in its order."""
    circular = set() if resource is None else {resource.id} | facilities.composition(tx, portal_id).above(resource.id)
    chosen = form.parts.data or []
    offered = queries.resources(tx, portal_id, visit.viewer)
    archived = [one for one in queries.resources(tx, portal_id, visit.viewer, archived=True) if one.id in chosen]
    names = {one.id: one.name for one in (*offered, *archived) if one.id not in circular}
    return [(one, names[one]) for one in dict.fromkeys([*chosen, *names]) if one in names]


def _zones(language: str, *more: str | None) -> list[tuple[str, str]]:
    """The zones on offer from west to east, with their names."""
    names = {*ZONES, *(name for name in more if name)}
    known = [ZoneInfo(name) for name in names if is_zone(name)]
    known.sort(key=lambda zone: (now().astimezone(zone).utcoffset(), zone.key))
    return [(zone.key, texts.zone(language, zone, now())) for zone in known]
