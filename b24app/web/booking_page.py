"""What stands in the forms for a new booking and for a move: what may be chosen, and a first proposal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from markupsafe import Markup

from b24app import texts
from b24app.booking.clients import ClientData
from b24app.booking.reserve import BookingRequest
from b24app.booking.terms import first_free_time
from b24app.errors import NotFound
from b24app.ledger import catalog, queries, tenancy
from b24app.ledger.access import Viewer
from b24app.ledger.catalog import Need, Offering
from b24app.ledger.models import Booking, Resource
from b24app.ledger.queries import BookingRow
from b24app.ledger.session import Session
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.allocation import seats_people
from b24app.scheduling.hours import local_instant
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy
from b24app.scheduling.pricing import Extra
from b24app.web import errors, kinds
from b24app.web.booking_series import Preview
from b24app.web.booking_terms import MoveView, TermsView
from b24app.web.booking_times import Choice, Times, minute_of
from b24app.web.crm import CardContext
from b24app.web.forms_booking import BookingForm, MoveForm, What, WishForm
from b24app.web.visit import Visit

USUAL_MINUTES = 60
LOOKED_AHEAD = timedelta(days=14)
MOST_UNITS = 30
A_MONDAY = date(2026, 1, 5)


@dataclass(frozen=True, slots=True)
class Picker:
    """A requirement for which somebody may be picked by hand. `chosen`: who is."""

    name: str
    label: str
    options: list[Resource]
    chosen: int | None


@dataclass(frozen=True, slots=True)
class ExtraField:
    """Something that can be ordered with it: how many, at which price."""

    name: str
    label: str
    price: str
    value: str


@dataclass(slots=True)
class FormPage:
    """Everything around the fields of templates/bookings/_form.html and _move.html.

    `needs`: who may serve each requirement of what is chosen, as far as this visitor may ask for them. `units`: the
    numbers of a pool's places by their ids, where one of them may be picked.
    `calendars_silent`: what specialists' calendars say could not be read anew just now.
    """

    form: WishForm | MoveForm
    visit: Visit
    currency: str
    resources: list[Resource]
    services: list[Offering]
    offering: Offering | None = None
    needs: list[list[Resource]] = field(default_factory=list)
    units: dict[int, int] = field(default_factory=dict)
    people: dict[int, str] = field(default_factory=dict)
    card: CardContext | None = None
    booking: Booking | None = None
    clock: ZoneInfo | None = None
    problems: list[errors.Problem] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    lane: Markup | None = None
    lane_of: int = 0
    terms: TermsView | MoveView | None = None
    times: Times | None = None
    calendars_silent: bool = False
    preview: Preview | None = None

    @property
    def at_field(self) -> dict[str, str]:
        """The first sentence for each field."""
        return {problem.field: problem.text for problem in reversed(self.problems)}

    @property
    def known_client(self) -> ClientData | None:
        """The client of the card, where booking for that card books for him: a lead may be nobody's contact yet."""
        return self.card.client if self.card and self.card.booked_for else None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that this visitor may ask for."""
        return not self.resources

    @property
    def options(self) -> list[Resource]:
        """Everybody who comes into question for something."""
        return [one for need in self.needs for one in need]

    @property
    def zone(self) -> ZoneInfo:
        """By whose clock the times of the form are meant: as the rules have it, that of the first in question."""
        return clock_of(self.visit.viewer, self.options) or self.clock or ZoneInfo(self.visit.time_zone)

    @property
    def policy(self) -> Policy | None:
        return self.offering.policy if self.offering else None

    @property
    def fixed_minutes(self) -> int | None:
        """How long it always lasts, where that is settled."""
        policy = self.policy
        return policy.min_minutes if policy and policy.min_minutes == policy.max_minutes else None

    @property
    def lasts(self) -> str:
        """That length in words."""
        return texts.duration(self.visit.language, self.fixed_minutes or 0)

    @property
    def is_service(self) -> bool:
        """Whether the form is about a service rather than about one resource."""
        return self.form.what.service_id is not None

    @property
    def weekdays(self) -> list[str]:
        """The short names of the days of the week, from Monday on."""
        return [texts.weekday(self.visit.language, A_MONDAY + timedelta(days=n)) for n in range(7)]

    def zone_words(self, at: datetime) -> str:
        """The name of that clock."""
        return texts.zone(self.visit.language, self.zone, at)

    def name_of(self, resource_id: int | None) -> str:
        """The name of a resource that he may ask for; "" for others."""
        return next((one.name for one in self.resources if one.id == resource_id), "")

    def kinds(self) -> list[tuple[str, str]]:
        """The kinds that there is something of, with their names."""
        here = {resource.kind for resource in self.resources}
        return [(kind, kinds.many(self.visit.language, kind)) for kind in kinds.in_order() if kind in here]

    @property
    def pickers(self) -> list[Picker]:
        """A service's requirements that leave a choice."""
        if self.offering is None or self.offering.resource_id is not None:
            return []
        needs = zip(self.offering.needs, self.needs, strict=True)
        return [self._picker(n, need, able) for n, (need, able) in enumerate(needs) if len(able) > 1]

    def _picker(self, position: int, need: Need, able: list[Resource]) -> Picker:
        alike = {one.kind for one in able}
        label = kinds.one(self.visit.language, alike.pop()) if len(alike) == 1 else _("Resource")
        count = f" × {need.quantity}" if need.quantity > 1 else ""
        return Picker(f"pick-{position}", label + count, able, self.form.picks.data.get(str(position)))

    @property
    def most_people(self) -> int:
        """For how many the largest place in question has room; 0 where nobody asks."""
        return max((one.capacity for one in self.options if seats_people(one.kind)), default=0)

    @property
    def asks_party(self) -> bool:
        """Whether it matters how many come."""
        return self.most_people > 1 or any(extra.per == "person" for extra in self._extras)

    @property
    def _extras(self) -> Sequence[Extra]:
        return self.offering.tariff.extras if self.offering and self.offering.tariff else ()

    @property
    def extras(self) -> list[ExtraField]:
        """What the tariff offers besides."""
        assert isinstance(self.form, WishForm), "a move keeps what was ordered"
        typed = self.form.extras.typed
        return [
            ExtraField(f"extras-{one.code}", one.name, self._price_of(one), typed.get(one.code, ""))
            for one in self._extras
        ]

    def _price_of(self, extra: Extra) -> str:
        """«450 ₽ за человека × 60»: what is ordered per person is multiplied by the party."""
        language, party = self.visit.language, self.form["party"].data or 1
        price = texts.money(language, extra.price, self.currency)
        times = f" × {party}" if extra.per == "person" and party > 1 else ""
        return f"{price} {texts.say(language, f'extra_per.{extra.per}')}{times}"

    @property
    def groups(self) -> list[str]:
        """The groups of clients that have prices of their own."""
        rules = self.offering.tariff.rules if self.offering and self.offering.tariff else ()
        return sorted({rule.group for rule in rules if rule.group})


def clock_of(viewer: Viewer, options: Sequence[Resource]) -> ZoneInfo | None:
    """The clock of the first that he may book himself, else of the first at all."""
    first = next((one for one in options if viewer.may("book", one)), options[0] if options else None)
    return ZoneInfo(first.time_zone) if first else None


def form_page(tx: Session, tenant: Tenant, visit: Visit, form: WishForm | MoveForm) -> FormPage:
    """The form with everything that this visitor may ask for, in the order of the board, and with what he chose."""
    shown = queries.resources(tx, tenant.portal.id, visit.viewer)
    places = {kind: place for place, kind in enumerate(kinds.in_order())}
    mine = sorted((one for one in shown if visit.viewer.may("request", one)), key=lambda one: places.get(one.kind, 99))
    page = FormPage(form, visit, tenant.portal.currency, mine, _services(tx, tenant, mine))
    if isinstance(form, BookingForm):
        page.people = tenancy.user_names(tx, tenant.portal.id) | {visit.viewer.user_id: visit.name}
    if form.resource.data is not None:
        choose(tx, tenant, page, form.resource.data)
    return page


def _services(tx: Session, tenant: Tenant, mine: Sequence[Resource]) -> list[Offering]:
    """The services for each of whose requirements there is somebody whom he may ask for."""
    ids = [one.id for one in queries.services(tx, tenant.portal.id)]
    found = catalog.offerings(tx, tenant.portal.id, ids) if ids else {}
    return [found[one] for one in ids if one in found and all(_able(need, mine) for need in found[one].needs)]


def _able(need: Need, mine: Iterable[Resource]) -> list[Resource]:
    """Who may serve a need, in the order in which they are asked."""
    if need.kind is not None:
        return [one for one in mine if one.kind == need.kind]
    return sorted((one for one in mine if one.id in need.options), key=lambda one: need.options.index(one.id))


def choose(tx: Session, tenant: Tenant, page: FormPage, what: What) -> None:
    """Makes `what` the thing that the form is about; nothing of it is asked for when he may not have it."""
    page.form.resource.data = what
    page.offering, page.needs = None, []
    if what.service_id is not None:
        page.offering = next((one for one in page.services if one.service_id == what.service_id), None)
    elif what.resource_id in {one.id for one in page.resources}:
        page.offering = catalog.offering_of_resource(tx, tenant.portal.id, what.resource_id or 0)
    if page.offering:
        page.needs = [_able(need, page.resources) for need in page.offering.needs]
    page.units = _units(tx, tenant, page) if isinstance(page.form, WishForm) else {}


def _units(tx: Session, tenant: Tenant, page: FormPage) -> dict[int, int]:
    """The places of a pool that is booked alone, when there are several and not too many to choose from."""
    if page.offering is None or page.offering.resource_id is None:
        return {}
    found = queries.units_of(tx, tenant.portal.id, page.offering.resource_id)
    return found if 1 < len(found) <= MOST_UNITS else {}


def keep_picks(page: FormPage) -> None:
    """Of what was picked what can still be had, and the place that was clicked where it serves."""
    picks = page.form.picks.data
    page.form.picks.data = {}
    for n, able in enumerate(page.needs if page.pickers else []):
        ids = {one.id for one in able} - set(page.form.picks.data.values())
        chosen = next((one for one in (picks.get(str(n)), page.form.place.data) if one in ids), None)
        if chosen is not None and len(able) > 1:
            page.form.picks.data[str(n)] = chosen


def chosen_anew(tx: Session, tenant: Tenant, page: FormPage, at: datetime) -> None:
    """What was typed for one thing, as far as it means something for another; a time that was only proposed makes way
    for the first one at which that other is free."""
    form = page.form
    assert isinstance(form, WishForm), "a move is of what was booked"
    keep_picks(page)
    fit_length(page)
    if form.party.data is None:
        form.put(party=1)
    if form.unit.data not in page.units:
        form.put(unit=None)
    if page.policy is not None and form.proposed.data == form.stamp:
        length = timedelta(minutes=form.typed_minutes or usual_minutes(page.policy))
        _put_proposal(page, _next_free(tx, tenant, page, form.date.data, length, at), length)


def _put_proposal(page: FormPage, start: datetime, length: timedelta) -> None:
    form = page.form
    assert isinstance(form, WishForm)
    form.fill(Interval(start, start + length), page.zone)
    form.minutes.data = page.fixed_minutes
    form.put(proposed=form.stamp)


def fit_length(page: FormPage) -> None:
    """Makes the end that stands in the form one that what is chosen can have; nothing where no time is typed yet."""
    form, policy, fixed = page.form, page.policy, page.fixed_minutes
    if policy is None:
        return
    asked = form.typed_minutes
    form.put(minutes=fixed)
    if fixed is None and form.start.data is not None:
        fits = asked and policy.min_minutes <= asked <= policy.max_minutes and asked % policy.step_minutes == 0
        form.put_length(asked if asked and fits else usual_minutes(policy))


def usual_minutes(policy: Policy) -> int:
    """The length that is proposed: about an hour, in whole steps, within what is allowed."""
    whole = max(1, round(USUAL_MINUTES / policy.step_minutes)) * policy.step_minutes
    return max(policy.min_minutes, min(whole, policy.max_minutes))


def request_of(form: WishForm, interval: Interval, client: ClientData | None = None) -> BookingRequest:
    """What the form asks for."""
    return BookingRequest(interval=interval, client=client, **form.wanted())


@dataclass(frozen=True, slots=True)
class Target:
    """What a form is about: its name, and the clock by which its times are meant."""

    name: str
    zone: ZoneInfo


def target_of(tx: Session, tenant: Tenant, viewer: Viewer, what: What) -> Target:
    """The same without all that stands around it; raises NotFound."""
    portal_id = tenant.portal.id
    if what.service_id is None:
        spot = queries.spot(tx, portal_id, viewer, what.resource_id or 0)
        return Target(spot.name, ZoneInfo(spot.time_zone))
    offering = catalog.offering_of_service(tx, portal_id, what.service_id)
    mine = [one for one in queries.resources(tx, portal_id, viewer) if viewer.may("request", one)]
    zone = clock_of(viewer, [one for need in offering.needs for one in _able(need, mine)])
    if zone is None:
        raise NotFound("service")
    return Target(offering.name, zone)


@dataclass(frozen=True, slots=True)
class Clicked:
    """What was clicked on the board, as far as anything was: a resource, a service, a time, a day, how many come."""

    resource_id: int | None = None
    service_id: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    day: date | None = None
    party: int | None = None

    @property
    def about(self) -> date | None:
        """About which day it is, in whatever zone."""
        return self.start.date() if self.start else self.day


def propose(tx: Session, tenant: Tenant, page: FormPage, clicked: Clicked, at: datetime) -> None:
    """Fills in what was clicked, and for the rest the next free time."""
    form = page.form
    assert isinstance(form, WishForm), "a move begins with what is booked"
    form.place.data, form.party.data = clicked.resource_id, clicked.party or 1
    choose(tx, tenant, page, _first_choice(page, clicked))
    keep_picks(page)
    policy = page.policy
    assert policy is not None, "chosen among what he may have"
    usual = timedelta(minutes=usual_minutes(policy))
    start = clicked.start or _next_free(tx, tenant, page, clicked.day, usual, at)
    end = start + usual
    if clicked.end and not page.fixed_minutes:
        end = max(clicked.end, start + timedelta(minutes=policy.min_minutes))
    form.fill(Interval(start, end), page.zone)
    form.minutes.data = page.fixed_minutes
    if clicked.start is None:
        form.put(proposed=form.stamp)


def propose_again(tx: Session, tenant: Tenant, page: FormPage, row: BookingRow, at: datetime) -> None:
    """Fills in what that booking was of, for whom and with whom, at the same hour of a week to come."""
    form, booking = page.form, row.booking
    assert isinstance(form, BookingForm)
    bare = row.service.resource_id
    choose(tx, tenant, page, What(bare) if bare else What(service_id=row.service.id))
    form.put(party=booking.party, group=booking.terms.get("group", ""), title=booking.title, notes=booking.notes)
    form.put(participants=list(booking.participants or ()))
    if booking.responsible_id in page.people:
        form.put(responsible=booking.responsible_id)
    form.extras.typed = {code: str(number) for code, number in booking.terms.get("extras", {}).items()}
    form.extras.data = dict(booking.terms.get("extras", {}))
    held = {one.id for one in row.resources}
    picked = enumerate(next((one.id for one in need if one.id in held), None) for need in page.needs)
    form.picks.data = {str(n): one for n, one in picked if one is not None}
    keep_picks(page)
    weeks = max(1, -((row.interval.start - at) // timedelta(weeks=1)))
    start = local_instant(
        row.interval.start.astimezone(page.zone).date() + timedelta(weeks=weeks),
        minute_of(row.interval.start, page.zone),
        page.zone,
    )
    form.fill(Interval(start, start + row.interval.duration), page.zone)
    form.minutes.data = page.fixed_minutes


def _first_choice(page: FormPage, clicked: Clicked) -> What:
    known = [*(What(service_id=one.service_id) for one in page.services), *(What(one.id) for one in page.resources)]
    wanted = What(service_id=clicked.service_id) if clicked.service_id else What(clicked.resource_id)
    return wanted if wanted in known else known[0]


def _next_free(
    tx: Session, tenant: Tenant, page: FormPage, day: date | None, length: timedelta, at: datetime
) -> datetime:
    """The next free start from the beginning of that day on; the next full hour if none is near."""
    assert isinstance(page.form, WishForm)
    earliest = max(at, local_instant(day, 0, page.zone)) if day else at
    wish = request_of(page.form, Interval(earliest, earliest + length))
    window = Interval(earliest, earliest + LOOKED_AHEAD)
    free = first_free_time(tx, tenant.portal, wish, window, viewer=page.visit.viewer, now=at)
    full_hour = earliest.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return free.start if free else full_hour
