"""The bookings of a card of the CRM, as its tab lists them: of the deal or the client, or around our own items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import gettext as _

from b24app.ledger import agenda, queries
from b24app.ledger.models import Resource
from b24app.ledger.queries import BookingRow
from b24app.ledger.session import Session
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.interval import Interval
from b24app.sync.laid import LaidCrm
from b24app.web import standing
from b24app.web.choice import Choice
from b24app.web.crm import CardContext
from b24app.web.tab_line import Line, lines, zone_of
from b24app.web.visit import Visit

SHOWN = 4  # bookings of a card beside the next one: the board below them should be in sight
AHEAD = timedelta(days=60)  # of the bookings of a resource
OWN, CLIENT = "card", "client"


@dataclass(frozen=True, slots=True)
class Whose:
    """One of the two lists that a tab may show, with how many bookings stand in it."""

    key: str
    label: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Tab:
    """The bookings of a card: the next one, the newest of the others; the rest and what was dropped is folded away.

    `sides`: two lists to choose from, or none. `beside`: what else stands there on the day of the booking whose card
    it is. `elsewhere`: how many bookings the client has apart from this card.
    """

    card: CardContext
    next: Line | None
    others: Sequence[Line]
    more: Sequence[Line]
    past: Sequence[Line]
    dropped: Sequence[Line]
    title: str
    empty_title: str
    empty_text: str
    sides: Sequence[Whose] = ()
    beside: Sequence[Line] = ()
    beside_title: str = ""
    elsewhere: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.next or self.others or self.more or self.past)

    @property
    def of(self) -> str:
        """Which of the lists is shown, as it stands in the address."""
        return next((one.key for one in self.sides if one.chosen), OWN)

    @property
    def model(self) -> Line | None:
        """The booking like which another one is most likely to be."""
        return next(iter((*([self.next] if self.next else ()), *self.others, *self.past)), None)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a card is about: its own bookings and those of its client, and what our own item is a picture of."""

    rows: list[BookingRow]
    of_client: list[BookingRow] | None = None
    client_name: str = ""
    booking: BookingRow | None = None
    resource: Resource | None = None


def read_tab(tx: Session, tenant: Tenant, visit: Visit, card: CardContext, at: datetime, of: str = OWN) -> Tab:
    """The bookings of this card that the visitor may see: so many statements, however many bookings there are.

    `of` "client": those of the client whom the card names.
    """
    about = _subject(tx, tenant, visit, card, at)
    of_client = of == CLIENT and about.of_client is not None
    rows = (about.of_client or []) if of_client else about.rows
    shown = lines(tx, tenant, visit, rows, at, names_client=bool(about.resource or about.booking) and not of_client)
    beside = _beside(tx, tenant, visit, about.booking, at) if about.booking and not of_client else []
    return _arranged(card, about, shown, beside, at, of_client=of_client)


def choice_of(tx: Session, tenant: Tenant, visit: Visit, card: CardContext) -> Choice | None:
    """How the board below the list begins where the card itself says it: a resource's own item shows its week."""
    laid = LaidCrm.from_json(tenant.portal.crm).resources
    if laid is None or card.kind != f"dynamic_{laid.entity_type_id}":
        return None
    resource = agenda.resource_of_item(tx, tenant.portal.id, visit.viewer, card.id)
    return Choice(view="week", resource_id=resource.id) if resource else None


# Which bookings ----


def _subject(tx: Session, tenant: Tenant, visit: Visit, card: CardContext, at: datetime) -> Subject:
    laid, portal_id = LaidCrm.from_json(tenant.portal.crm), tenant.portal.id
    if laid.bookings and card.kind == f"dynamic_{laid.bookings.entity_type_id}":
        row = agenda.booking_of_item(tx, portal_id, visit.viewer, card.id)
        return _around(tx, tenant, visit, Subject([row] if row else [], booking=row), card)
    if laid.resources and card.kind == f"dynamic_{laid.resources.entity_type_id}":
        resource = agenda.resource_of_item(tx, portal_id, visit.viewer, card.id)
        return Subject(_of_resource(tx, tenant, visit, resource, at), resource=resource)
    if card.kind == "deal":
        own = queries.bookings_of_deal(tx, portal_id, visit.viewer, card.id)
        return _around(tx, tenant, visit, Subject(own), card)
    return Subject(_of_client(tx, tenant, visit, card))


def _of_client(tx: Session, tenant: Tenant, visit: Visit, card: CardContext) -> list[BookingRow]:
    if card.booked_for is None:
        return []
    return queries.bookings_of_client(tx, tenant.portal.id, visit.viewer, *card.booked_for)


def _around(tx: Session, tenant: Tenant, visit: Visit, own: Subject, card: CardContext) -> Subject:
    """The same with the bookings of the client whom the card names, where it names one."""
    client = card.client
    if client is None or client.crm_id is None:
        return own
    rows = queries.bookings_of_client(tx, tenant.portal.id, visit.viewer, client.kind, client.crm_id)
    return Subject(own.rows, rows, client.name, own.booking)


def _of_resource(
    tx: Session, tenant: Tenant, visit: Visit, resource: Resource | None, at: datetime
) -> list[BookingRow]:
    if resource is None:
        return []
    longest = timedelta(minutes=tenant.portal.longest_minutes)
    return agenda.of_resources(tx, tenant.portal.id, visit.viewer, [resource.id], Interval(at, at + AHEAD), longest)


def _beside(tx: Session, tenant: Tenant, visit: Visit, row: BookingRow, at: datetime) -> list[Line]:
    """What else stands at its places on its day."""
    zone = zone_of(row)
    midnight = row.interval.start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    places = [one.id for one in row.resources]
    longest = timedelta(minutes=tenant.portal.longest_minutes)
    day = Interval(midnight, midnight + timedelta(days=1))
    rows = agenda.of_resources(tx, tenant.portal.id, visit.viewer, places, day, longest) if places else []
    others = [one for one in rows if one.booking.id != row.booking.id]
    return [line for line in lines(tx, tenant, visit, others, at, names_client=True) if _is_alive(line, at)]


def _is_alive(line: Line, at: datetime) -> bool:
    return standing.stage_of(line.row.booking, at) not in ("cancelled", "expired")


# In which order ----


def _arranged(
    card: CardContext, about: Subject, every: Sequence[Line], beside: Sequence[Line], at: datetime, *, of_client: bool
) -> Tab:
    alive = [line for line in every if _is_alive(line, at)]
    coming = [line for line in alive if line.ahead or line.running]
    first = min(coming, key=_start, default=None)
    # What nobody has said the end of is not past yet.
    unfinished = [line for line in alive if standing.awaits_word(line.row.booking, at)]
    later = sorted((line for line in (*unfinished, *coming) if line is not first), key=_start)
    past = sorted((line for line in alive if line not in coming and line not in unfinished), key=_start, reverse=True)
    shown = (*later, *past)[:SHOWN]
    title, text = _nothing_yet(card, about)
    return Tab(
        card=card,
        next=first,
        others=sorted(shown, key=_start, reverse=about.resource is None),
        more=later[SHOWN:],
        past=[line for line in past if line not in shown],
        dropped=[line for line in every if line not in alive],
        title=_title(about),
        empty_title=title,
        empty_text=text,
        sides=_sides(card, about, len(alive), at, of_client=of_client),
        beside=beside,
        beside_title=_("At the same place on this day") if beside else "",
        elsewhere=_elsewhere(about, at) if not of_client else 0,
    )


def _start(line: Line) -> datetime:
    return line.row.interval.start


def _title(about: Subject) -> str:
    if about.booking:
        return _("This booking")
    return _("Bookings of this resource") if about.resource else _("Bookings")


def _sides(card: CardContext, about: Subject, shown: int, at: datetime, *, of_client: bool) -> list[Whose]:
    if about.of_client is None:
        return []
    own = shown if not of_client else _count(about.rows, at)
    label = _("Of this deal") if card.kind == "deal" else _("This one")
    return [
        Whose(OWN, label, own, not of_client),
        Whose(CLIENT, about.client_name, _count(about.of_client, at), of_client),
    ]


def _count(rows: Sequence[BookingRow], at: datetime) -> int:
    return sum(standing.stage_of(row.booking, at) not in ("cancelled", "expired") for row in rows)


def _elsewhere(about: Subject, at: datetime) -> int:
    own = {row.booking.id for row in about.rows}
    return _count([row for row in about.of_client or [] if row.booking.id not in own], at)


def _nothing_yet(card: CardContext, about: Subject) -> tuple[str, str]:
    if about.resource:
        return _("Nobody has booked this in the next two months"), _("It is free whenever it is open.")
    titles = {
        "deal": _("This deal has no bookings yet"),
        "lead": _("This lead has no bookings yet"),
        "contact": _("This contact has no bookings yet"),
        "company": _("This company has no bookings yet"),
    }
    title = titles.get(card.kind, _("There are no bookings here yet"))
    if card.client is None:
        return title, _("Book a time: it appears on the board, in the calendar and in this card.")
    return title, _(
        "Book a time for %(name)s: it appears on the board, in the calendar and in this card.", name=card.client.name
    )
