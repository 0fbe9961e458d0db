"""What the panel of one booking shows: where it stands, its money, what may be done with it, and its history."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from flask import make_response, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from b24app import texts
from b24app.booking import money as agreed
from b24app.booking.allowed import allowed, may_reopen, may_undo
from b24app.booking.payments import agreed_price
from b24app.booking.terms import Outcome, cancel_terms
from b24app.errors import NotAllowed
from b24app.ledger import deliveries, queries, refs, tenancy
from b24app.ledger.models import Booking, Client, History, Resource
from b24app.ledger.queries import BookingRow, Money
from b24app.ledger.session import Session
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy, no_show_fee
from b24app.scheduling.stage import HOLDING, Stage
from b24app.web import beside, history, prices, standing
from b24app.web.beside import Offer, Rival, SeriesCard
from b24app.web.forms_actions import Asking
from b24app.web.history import Entry, Tongue
from b24app.web.pictures import InPortal, in_portal
from b24app.web.prices import MoneyCard, Step
from b24app.web.standing import Look, Notice, Pill
from b24app.web.visit import Visit, current_visit, now

COMES_EARLY = timedelta(hours=12)  # who comes even earlier than this has not come for the booking


@dataclass(frozen=True, slots=True)
class Place:
    """A resource as it was booked; `units`: which of its equal places, in words."""

    resource: Resource
    units: str


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What cancelling, or not coming, costs: the ladder of fees where there is one, and the sums in words."""

    steps: tuple[Step, ...]
    rows: tuple[tuple[str, str], ...]
    result: tuple[str, str] | None
    fee: str


@dataclass(frozen=True, slots=True)
class Can:
    """The buttons that there are; `next_step` is the filled one."""

    confirm: bool = False
    decline: bool = False
    cancel: bool = False
    move: bool = False
    check_in: bool = False
    complete: bool = False
    no_show: bool = False
    reopen: bool = False
    pin: bool = False
    undo: bool = False
    accept: bool = False
    give_back: bool = False
    take_money: bool = False
    next_step: str = ""

    @property
    def any(self) -> bool:
        """Whether there is something to do below the panel."""
        return bool(self.next_step) or self.cancel or self.decline or (self.reopen and not self.undo)


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything that templates/bookings/_panel.html shows."""

    id: uuid.UUID
    number: int
    revision: int
    title: str
    notes: str
    stage: str
    pill: Pill
    when: str
    lasts: str
    zone_note: str
    service: str
    places: tuple[Place, ...]
    party: str
    group: str
    client: Client | None
    deal_id: int | None
    responsible: str
    participants: str
    pinned: bool
    notices: list[Notice]
    offers: list[Offer]
    money: MoneyCard
    today: str
    rules: list[str]
    rivals: list[Rival]
    lost: list[Rival]
    series: SeriesCard | None
    cancelling: Outcomes | None
    declining: Outcomes | None
    no_show: Outcomes | None
    can: Can
    portal: InPortal
    history: list[Entry]
    missed: list[str]
    request_key: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def needs_crm(self) -> bool:
        """Whether there is something that only the CRM may show."""
        return self.deal_id is not None or (self.client is not None and self.client.crm_id is not None)

    @property
    def has_pool(self) -> bool:
        """Whether it holds places of which there are several equal ones."""
        return any(place.units for place in self.places)


def read(tx: Session, tenant: Tenant, visit: Visit, booking_id: uuid.UUID) -> Panel:
    """The panel of a booking that this visitor may see; raises NotFound."""
    return of_row(tx, tenant, visit, queries.booking(tx, tenant.portal.id, visit.viewer, booking_id))


def of_row(tx: Session, tenant: Tenant, visit: Visit, row: BookingRow) -> Panel:
    """The panel of a booking that was read for this visitor."""
    zone = ZoneInfo(row.resources[0].time_zone if row.resources else visit.time_zone)
    look, booking = Look(visit, tenant.portal, zone, now()), row.booking
    changes = queries.history(tx, look.portal.id, booking.id)
    sums = queries.money(tx, look.portal.id, booking.id)
    accept = _to_accept(booking, sums, agreed_price(tx, look.portal, booking, sums))
    can = Can() if tenant.installation.payment_expired else _can(look, row, changes, sums, accept)
    ended = standing.ended_by(booking, changes, look.at)
    tongue = _tongue(tx, look, changes)
    return Panel(
        id=booking.id,
        number=booking.number,
        revision=booking.revision,
        title=booking.title,
        notes=booking.notes,
        stage=standing.stage_of(booking, look.at),
        pill=standing.pill(look.language, booking, look.at),
        when=texts.period(look.language, row.interval.start, row.interval.end, zone),
        lasts=texts.duration(look.language, int(row.interval.duration.total_seconds() // 60)),
        zone_note=texts.zone(look.language, zone, row.interval.start) if zone.key != visit.time_zone else "",
        service="" if row.service.resource_id else row.service.name,
        places=_places(row.resources, queries.unit_numbers(tx, look.portal.id, booking.id)),
        party=texts.say(look.language, "people", count=booking.party) if booking.party > 1 else "",
        group=booking.terms.get("group", ""),
        client=row.client,
        deal_id=booking.deal_id,
        responsible=tongue.person(booking.responsible_id),
        participants=", ".join(tongue.person(person) for person in booking.participants),
        pinned=booking.pinned,
        notices=standing.notices(look, booking, ended, sums.paid - sums.refunded),
        offers=beside.offers(tx, look, row) if ended in ("expired", "lost", "declined") else [],
        money=_money(look, row, sums, accept),
        today=look.at.astimezone(zone).date().isoformat(),
        rules=_rules(look, booking, sums),
        rivals=beside.rivals(tx, look, row),
        lost=beside.losers(tx, look, row),
        series=beside.series_card(tx, look, row),
        cancelling=_cancelling(tx, look, row) if can.cancel else None,
        declining=_outcomes(look, _ended_at(sums, agreed.NOTHING), []) if can.decline else None,
        no_show=_no_show(look, booking, sums) if can.no_show else None,
        can=can,
        portal=in_portal(look.portal, refs.of_booking(tx, look.portal.id, booking.id)),
        history=history.entries(tongue, changes),
        missed=[
            texts.say(look.language, "reminder_missed", at=texts.moment(look.language, at, zone))
            for at in deliveries.missed(tx, look.portal.id, booking.id)
        ],
    )


def answer(
    page: Panel, *, asking: Asking | None = None, problems: Iterable[str] = (), status: int = 200
) -> ResponseReturnValue:
    """The panel after something was done, with word to the page that its board is behind; or refused, with reasons."""
    found = list(problems)
    made = make_response(
        render_template("bookings/_panel.html", page=page, visit=current_visit(), asking=asking, problems=found), status
    )
    if status == 200:
        made.headers["HX-Trigger"] = json.dumps({"b24:changed": {"number": page.number}})
    return made


def check_writable(tenant: Tenant) -> None:
    """Raises NotAllowed when this portal may only read: its application has not been paid for."""
    if tenant.installation.payment_expired:
        raise NotAllowed("payment")


def _tongue(tx: Session, look: Look, changes: Sequence[History]) -> Tongue:
    people = tenancy.user_names(tx, look.portal.id) | {look.viewer.user_id: look.visit.name}
    names = _resource_names(tx, look) if history.speaks_of_resources(changes) else {}
    return Tongue(look.language, look.zone, look.portal.currency, people, names)


def _resource_names(tx: Session, look: Look) -> Mapping[int, str]:
    """The names of all resources that he may know of, those no longer offered too."""
    offered, archived = (queries.resources(tx, look.portal.id, look.viewer, archived=one) for one in (False, True))
    return {resource.id: resource.name for resource in (*offered, *archived)}


def _places(resources: Sequence[Resource], numbers: Mapping[int, Sequence[int]]) -> tuple[Place, ...]:
    return tuple(Place(one, _units(numbers.get(one.id, ()))) for one in resources)


def _units(numbers: Sequence[int]) -> str:
    """«место 2», «места 2 и 5», «места 1, 2 и 5»."""
    if not numbers:
        return ""
    *before, last = map(str, numbers)
    listed = _("%(before)s and %(last)s", before=", ".join(before), last=last) if before else last
    return ngettext("place %(listed)s", "places %(listed)s", len(numbers), listed=listed)


def _can(look: Look, row: BookingRow, changes: Sequence[History], sums: Money, accept: Decimal) -> Can:
    """What this visitor may do, and which of it is the thing to do next."""
    booking, viewer, about = row.booking, look.viewer, (row.resources, changes, look.at)
    may = allowed(viewer, booking, row.resources, look.at)
    # What somebody asks for is declined, what holds its time is cancelled; who may not cancel it may still decline it.
    asks = booking.competes or booking.needs_approval
    can = Can(
        confirm=may.confirm,
        decline=may.decline and (asks or not may.cancel),
        cancel=may.cancel and not (may.decline and asks),
        move=may.move,
        check_in=may.check_in and row.interval.start - look.at <= COMES_EARLY,
        complete=may.complete,
        no_show=may.no_show and booking.checked_in_at is None,
        reopen=may_reopen(viewer, booking, *about),
        pin=may.pin,
        undo=may_undo(viewer, booking, *about),
        accept=may.take_money and accept > 0,
        give_back=may.take_money and sums.paid > sums.refunded,
        take_money=may.take_money,
    )
    return replace(can, next_step=_next_step(can, row.interval, look.at, owed_back=sums.outstanding < 0))


def _next_step(can: Can, during: Interval, at: datetime, *, owed_back: bool) -> str:
    """The first that is to be done: decide, say how it ended, let in, take money or give it back."""
    steps = (
        ("confirm", can.confirm),
        ("complete", can.complete and during.end <= at),
        ("check_in", can.check_in and during.start <= at),
        ("accept", can.accept),
        ("give_back", can.give_back and owed_back),
        ("check_in", can.check_in),
        ("complete", can.complete),
        ("move", can.move),
    )
    return next((step for step, is_due in steps if is_due), "")


def _to_accept(booking: Booking, sums: Money, price: Decimal) -> Decimal:
    """What to ask for next: of what waits the deposit, otherwise all that is outstanding."""
    net, deposit = sums.paid - sums.refunded, agreed.deposit_of(booking)
    if booking.stage in (Stage.PREBOOKED, Stage.EXPIRED) and net < deposit:
        return deposit - net
    return max(price - net, agreed.NOTHING)


def _money(look: Look, row: BookingRow, sums: Money, accept: Decimal) -> MoneyCard:
    booking = row.booking
    deposit = agreed.deposit_of(booking) if booking.stage in HOLDING else agreed.NOTHING
    return prices.money_card(look, booking.payment, sums, prices.Asked(deposit, accept), row.service.name)


def _rules(look: Look, booking: Booking, sums: Money) -> list[str]:
    """The rules that were frozen in the booking, while they still matter."""
    if booking.stage not in HOLDING:
        return []
    rules = Policy.from_dict(booking.policy).as_dict()
    return texts.policy_words(look.language, rules, priced=sums.price > 0, needs_approval=booking.needs_approval)


def _cancelling(tx: Session, look: Look, row: BookingRow) -> Outcomes:
    outcome, policy = cancel_terms(tx, look.portal, row.booking, look.at), Policy.from_dict(row.booking.policy)
    costs = outcome.price if row.booking.stage == Stage.CONFIRMED else agreed.NOTHING
    return _outcomes(look, outcome, prices.ladder(look, policy, costs, row.interval))


def _no_show(look: Look, booking: Booking, sums: Money) -> Outcomes:
    charge = no_show_fee(Policy.from_dict(booking.policy), sums.price, agreed.digits(look.portal))
    return _outcomes(look, _ended_at(sums, charge), [])


def _ended_at(sums: Money, charge: Decimal) -> Outcome:
    """What it comes to when nothing but `charge` is left of the price."""
    return Outcome(sums.price, charge, charge, sums.paid - sums.refunded)


def _outcomes(look: Look, outcome: Outcome, steps: Sequence[Step]) -> Outcomes:
    """«Клиент оплатил 2 400 ₽, удержим 2 400 ₽, вернём 0 ₽»; nothing where there is no money in it."""
    rows = []
    if outcome.net > 0:
        rows.append((_("The client has paid"), look.money(outcome.net)))
    if outcome.fee > 0:
        rows.append((_("Fee by the rules"), look.money(outcome.fee)))
    result = None
    if outcome.outstanding > 0:
        result = (_("The client still owes"), look.money(outcome.outstanding))
    elif outcome.net > 0:
        result = (_("To be given back"), look.money(outcome.owed_back))
    return Outcomes(tuple(steps), tuple(rows), result, look.money(outcome.fee) if outcome.fee > 0 else "")
