"""What the list of resources and the form of one show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from b24app import texts
from b24app.booking.holidays import countries
from b24app.booking.resources import KINDS, STEPS
from b24app.ledger import facilities, queries, rules, tenancy
from b24app.ledger.models import Resource
from b24app.ledger.session import Session
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.hours import OpeningHours, is_zone
from b24app.web.forms_facilities import ResourceForm, hours_text
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
class Line:
    """One resource in the list, with words for what only some have: several units, parts, buffers."""

    resource: Resource
    hours: str
    units: str
    parts: str
    buffers: str


@dataclass(frozen=True, slots=True)
class Section:
    """The resources of one kind."""

    title: str
    lines: list[Line]


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
    future_bookings: int = 0


def sections(tx: Session, tenant: Tenant, visit: Visit, shown: Sequence[Resource]) -> list[Section]:
    """These resources by kind."""
    lines = _lines(tx, tenant.portal.id, visit, shown)
    return [
        Section(texts.say(visit.language, f"kinds.{kind}"), [one for one in lines if one.resource.kind == kind])
        for kind in KINDS
        if any(one.resource.kind == kind for one in lines)
    ]


def _lines(tx: Session, portal_id: int, visit: Visit, shown: Sequence[Resource]) -> list[Line]:
    language, hours = visit.language, queries.hours(tx, portal_id)
    units, composition = facilities.units(tx, portal_id), facilities.composition(tx, portal_id)
    names = {one.id: one.name for one in shown}
    return [
        Line(
            one,
            week_text(language, hours.get(one.id, ())),
            texts.say(language, "pieces", count=units[one.id]) if units.get(one.id, 1) > 1 else "",
            " + ".join(names[part] for part in composition.of(one.id) if part in names),
            _buffers(language, one),
        )
        for one in shown
    ]


def _buffers(language: str, of: Resource) -> str:
    before, after = (texts.duration(language, minutes) for minutes in (of.buffer_before, of.buffer_after))
    if of.buffer_before and of.buffer_after:
        return texts.say(language, "buffers", before=before, after=after)
    if of.buffer_before:
        return texts.say(language, "buffer_before", before=before)
    return texts.say(language, "buffer_after", after=after) if of.buffer_after else ""


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
        composition = facilities.composition(tx, tenant.portal.id)
        above = composition.above(resource.id)
        page.part_of = _names(tx, tenant, visit, [one for one in above if resource.id in composition.of(one)])
        page.future_bookings = facilities.bookings_ahead(tx, tenant.portal.id, {resource.id} | above, now())
    return page


def _names(tx: Session, tenant: Tenant, visit: Visit, resource_ids: Iterable[int]) -> list[str]:
    return sorted(queries.resource(tx, tenant.portal.id, visit.viewer, one).name for one in resource_ids)


def _choices(
    tx: Session, tenant: Tenant, visit: Visit, form: ResourceForm, resource: Resource | None, staff: Mapping[int, str],
    calendars: Mapping[int, str],
) -> Choices:  # fmt: skip
    language, portal_id = visit.language, tenant.portal.id
    return Choices(
        kinds=[(kind, texts.say(language, f"kind.{kind}")) for kind in KINDS],
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
