"""The list of resources: by kind, filtered, each with what matters at a glance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from b24app import texts
from b24app.ledger import facilities, queries
from b24app.ledger.facilities import Composition
from b24app.ledger.models import Closure, Resource
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import Session
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.allocation import seats_people
from b24app.scheduling.hours import OpeningHours
from b24app.scheduling.pricing import Tariff
from b24app.web import kinds
from b24app.web.forms import clock_text
from b24app.web.resources_page import week_text
from b24app.web.visit import Visit, now


@dataclass(frozen=True, slots=True)
class Filter:
    """Which resources the list shows. `taking`: "yes" those that take bookings, "no" archived ones, "" both."""

    place: str = ""
    kind: str = ""
    taking: str = ""
    asked: str = ""

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> Filter:
        """As the fields above the list send it; forms send them along, so that a saved list is the same one."""
        named = {name: values.get(f"f_{name}", "").replace("\0", "").strip()[:100] for name in cls.__slots__}
        return cls(**named)

    def fits(self, resource: Resource) -> bool:
        """Whether it is wanted."""
        said = " ".join((resource.name, resource.city, resource.address, *chain(*resource.attributes.items())))
        return (
            (not self.place or resource.city == self.place)
            and (not self.kind or resource.kind == self.kind)
            and self.asked.casefold() in said.casefold()
        )


@dataclass(frozen=True, slots=True)
class Line:
    """One resource in the list. `hours` is short, `week` is all of it; `more`: units, parts and buffers, if any."""

    resource: Resource
    look: str
    people: str
    price: str
    hours: str
    week: str
    units: str
    more: str
    tag: str


@dataclass(frozen=True, slots=True)
class Section:
    """The resources of one kind."""

    title: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Page:
    """What templates/resources/_list.html shows. `count`: how many there are at all, whatever is shown of them."""

    count: int
    shown: Filter
    sections: list[Section]
    archived: list[Resource]
    places: list[str]
    kinds: list[tuple[str, str]]
    chosen: int | None = None

    @property
    def place_options(self) -> list[tuple[str, str]]:
        return [(one, one) for one in self.places]


def list_page(tx: Session, tenant: Tenant, visit: Visit, shown: Filter, chosen: int | None = None) -> Page:
    """The list as it is filtered."""
    portal_id = tenant.portal.id
    offered = queries.resources(tx, portal_id, visit.viewer)
    archived = queries.resources(tx, portal_id, visit.viewer, archived=True)
    wanted = [one for one in offered if shown.fits(one)] if shown.taking != "no" else []
    return Page(
        count=len(offered),
        shown=shown,
        sections=_sections(tx, tenant, visit, wanted),
        archived=[one for one in archived if shown.fits(one)] if shown.taking != "yes" else [],
        places=sorted({one.city for one in (*offered, *archived) if one.city}),
        kinds=[(key, kinds.many(visit.language, key)) for key in _keys((*offered, *archived))],
        chosen=chosen,
    )


def _keys(of: Iterable[Resource]) -> list[str]:
    """The kinds that there is something of, in their order."""
    here = {one.kind for one in of}
    return [key for key in kinds.in_order() if key in here]


def _sections(tx: Session, tenant: Tenant, visit: Visit, shown: Sequence[Resource]) -> list[Section]:
    lines = _lines(tx, tenant, visit, shown)
    return [
        Section(kinds.many(visit.language, key), [one for one in lines if one.resource.kind == key])
        for key in _keys(shown)
    ]


def _lines(tx: Session, tenant: Tenant, visit: Visit, shown: Sequence[Resource]) -> list[Line]:
    language, portal_id = visit.language, tenant.portal.id
    hours, units = queries.hours(tx, portal_id), facilities.units(tx, portal_id)
    composition, tariffs = facilities.composition(tx, portal_id), facilities.tariffs_of_resources(tx, portal_id)
    names = {one.id: one.name for one in shown}
    shut = facilities.closures(tx, portal_id, now())
    return [
        Line(
            resource=one,
            look=kinds.look(one.kind),
            people=str(one.capacity) if seats_people(one.kind) else "",
            price=_short_price(language, tariffs.get(one.id), tenant.portal.currency),
            hours=short_week(hours.get(one.id, ())),
            week=week_text(language, hours.get(one.id, ())),
            units=texts.say(language, "pieces", count=units[one.id]) if units.get(one.id, 1) > 1 else "",
            more=" · ".join(filter(None, (_made_of(composition, names, one), _buffers(language, one)))),
            tag=_tag(language, one, shut),
        )
        for one in shown
    ]


def _made_of(composition: Composition, names: Mapping[int, str], of: Resource) -> str:
    return " + ".join(names[part] for part in composition.of(of.id) if part in names)


def _short_price(language: str, tariff: Tariff | None, currency: str) -> str:
    """«1 200 ₽/ч»; where the hours decide, the lowest."""
    if tariff is None:
        return ""
    prices = [one for one in (tariff.price, *(rule.price for rule in tariff.rules)) if one is not None]
    if not prices:
        return ""
    amount = texts.money(language, min(prices), currency)
    unit = {"hour": _("/h"), "day": _("/day")}.get(tariff.basis, "")
    return f"{amount}{unit}"


def short_week(hours: Sequence[OpeningHours]) -> str:
    """From when to when it is open on most days: «9–21»."""
    days: dict[int, list[OpeningHours]] = {}
    for one in hours:
        days.setdefault(one.weekday, []).append(one)
    hulls = Counter((min(one.opens for one in of), max(one.closes for one in of)) for of in days.values())
    if not hulls:
        return ""
    opens, closes = hulls.most_common(1)[0][0]
    return f"{clock_text(opens).removesuffix(':00')}–{clock_text(closes).removesuffix(':00')}"


def _tag(language: str, of: Resource, shut: Iterable[Closure]) -> str:
    """Why it is not to be had today: «ремонт до 12:00», «закрыто с 14:30»."""
    zone = ZoneInfo(of.time_zone)
    today = now().astimezone(zone).date()
    for closure in shut:
        during = as_interval(closure.during)
        if closure.resource_id not in (None, of.id) or during.start.astimezone(zone).date() > today:
            continue
        reason = closure.reason[:1].lower() + closure.reason[1:] if closure.reason else _("closed")
        if during.start > now():
            return _("%(reason)s from %(time)s", reason=reason, time=texts.clock(during.start, zone))
        last = (during.end - timedelta(seconds=1)).astimezone(zone).date()
        until = texts.clock(during.end, zone) if last == today else texts.day(language, last, short=True)
        return _("%(reason)s until %(time)s", reason=reason, time=until)
    return ""


def _buffers(language: str, of: Resource) -> str:
    before, after = (texts.duration(language, minutes) for minutes in (of.buffer_before, of.buffer_after))
    if of.buffer_before and of.buffer_after:
        return texts.say(language, "buffers", before=before, after=after)
    if of.buffer_before:
        return texts.say(language, "buffer_before", before=before)
    return texts.say(language, "buffer_after", after=after) if of.buffer_after else ""
