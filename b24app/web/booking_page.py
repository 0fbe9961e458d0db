"""What stands in the forms for a new booking and for a move: resources, people, a first proposal, other free times."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from b24app import texts
from b24app.booking.resources import KINDS
from b24app.errors import InvalidInput
from b24app.ledger import occupancy, queries, tenancy
from b24app.ledger.models import Booking, Resource
from b24app.ledger.session import Session
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.availability import free_intervals, nearest, starts
from b24app.scheduling.hours import local_instant, open_intervals
from b24app.scheduling.interval import Interval
from b24app.web import board, errors
from b24app.web.crm import CardContext
from b24app.web.forms import BookingForm, MoveForm, WhenForm
from b24app.web.visit import Visit

USUAL_MINUTES = 60
AROUND_THE_WISH = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Choice:
    """A free time that is offered instead: what stands on the button and what it puts into the form."""

    words: str
    date: str
    start: str
    end: str
    end_date: str


@dataclass(slots=True)
class FormPage:
    """Everything around the fields of templates/bookings/_form.html and _move.html."""

    form: BookingForm | MoveForm
    resources: list[Resource]
    people: dict[int, str]
    card: CardContext | None = None
    booking: Booking | None = None
    problems: list[errors.Problem] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    lane: Markup | None = None

    @property
    def at_field(self) -> dict[str, str]:
        """The first sentence for each field."""
        return {problem.field: problem.text for problem in reversed(self.problems)}

    def kinds(self, language: str) -> list[tuple[str, str]]:
        """The kinds that there is something of, with their names."""
        here = {resource.kind for resource in self.resources}
        return [(kind, texts.say(language, f"kinds.{kind}")) for kind in KINDS if kind in here]

    def zone_words(self, language: str, resource: Resource, at: datetime) -> str:
        """By which clock the times of the form are meant for this resource."""
        return texts.zone(language, ZoneInfo(resource.time_zone), at)

    def chosen_zone(self, language: str, at: datetime) -> str:
        """The same for the resource that is chosen now."""
        chosen = next((one for one in self.resources if one.id == self.form.resource_id), None)
        chosen = chosen or (self.resources[0] if self.resources else None)
        return self.zone_words(language, chosen, at) if chosen else ""


def form_page(tx: Session, tenant: Tenant, visit: Visit, form: BookingForm | MoveForm) -> FormPage:
    """The form with the resources that this visitor may book, in the order of the board."""
    shown = queries.resources(tx, tenant.portal.id, visit.viewer)
    bookable = [one for one in shown if visit.viewer.may("book", one)]
    people = tenancy.user_names(tx, tenant.portal.id) | {visit.viewer.user_id: visit.name}
    return FormPage(form, sorted(bookable, key=lambda one: KINDS.index(one.kind)), people)


@dataclass(frozen=True, slots=True)
class Clicked:
    """What was clicked on the board, as far as anything was: a resource, a time, a day."""

    resource_id: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    day: date | None = None


def propose(tx: Session, tenant: Tenant, page: FormPage, clicked: Clicked, at: datetime) -> None:
    """Fills in what was clicked, and for the rest the next free hour."""
    resource = next((one for one in page.resources if one.id == clicked.resource_id), page.resources[0])
    offer = queries.offer(tx, tenant.portal.id, resource)
    usual = timedelta(minutes=max(offer.policy.min_minutes, min(USUAL_MINUTES, offer.policy.max_minutes)))
    start = clicked.start or _next_free(tx, tenant, offer, clicked.day, usual, at)
    end = max(clicked.end or start + usual, start + timedelta(minutes=offer.policy.min_minutes))
    page.form.fill(resource.id, Interval(start, end), offer.zone)


def _next_free(
    tx: Session, tenant: Tenant, offer: queries.Offer, day: date | None, length: timedelta, at: datetime
) -> datetime:
    """The next free start from the beginning of that day on; the next full hour if none is near."""
    earliest = max(at, local_instant(day, 0, offer.zone)) if day else at
    free = _free(tx, tenant, offer, Interval(earliest, earliest + AROUND_THE_WISH), at)
    full_hour = earliest.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return next(starts(free, length, offer.policy.step_minutes, offer.zone), full_hour)


def _free(
    tx: Session,
    tenant: Tenant,
    offer: queries.Offer,
    window: Interval,
    at: datetime,
    except_for: uuid.UUID | None = None,
) -> list[Interval]:
    """When this resource is open and nobody has it."""
    taken = occupancy.taken(tx, tenant.portal.id, offer.unit_ids, window, except_for=except_for)
    return free_intervals(open_intervals(offer.hours, window, offer.zone), taken, at)


def offer_others(tx: Session, tenant: Tenant, visit: Visit, page: FormPage, wish: Interval, at: datetime) -> None:
    """Puts the nearest free times and the lane as it is now beside a wish that came too late."""
    resource = queries.resource(tx, tenant.portal.id, visit.viewer, page.form.resource_id)
    offer = queries.offer(tx, tenant.portal.id, resource)
    moved = page.booking.id if page.booking else None
    around = Interval(max(at, wish.start - AROUND_THE_WISH), max(at, wish.end) + AROUND_THE_WISH)
    free = _free(tx, tenant, offer, around, at, moved)
    others = nearest(free, wish, offer.policy.step_minutes, offer.zone)
    page.choices = [_choice(visit.language, one, offer.zone, at) for one in others]
    if (day := _board_day(page.form)) is not None:
        page.lane = board.read_lane(tx, tenant, visit, day, resource)


def _board_day(form: WhenForm) -> date | None:
    """The day that the board beside the form shows."""
    try:
        return board.parse_day(form.board_day.data or "", "board_day")
    except InvalidInput:
        return None


def _choice(language: str, interval: Interval, zone: ZoneInfo, at: datetime) -> Choice:
    start, end = interval.start.astimezone(zone), interval.end.astimezone(zone)
    today = start.date() == at.astimezone(zone).date()
    day = texts.say(language, "today") if today else texts.day(language, start.date(), short=True)
    return Choice(
        words=f"{day}, {texts.span(start, end, zone)}",
        date=start.date().isoformat(),
        start=texts.clock(start, zone),
        end=texts.clock(end, zone),
        end_date=end.date().isoformat() if end.date() != start.date() else "",
    )
