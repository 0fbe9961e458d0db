"""What the panel of one booking shows: where it stands, its money, what may be done with it, and its history."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from flask import make_response, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from b24app import texts
from b24app.booking import details
from b24app.booking import money as agreed
from b24app.booking.allowed import allowed, may_reopen, may_undo
from b24app.booking.announce import announced_to
from b24app.booking.change import cancel_fee, may_all, may_change
from b24app.booking.payments import agreed_price
from b24app.booking.terms import Outcome
from b24app.errors import NotAllowed
from b24app.ledger import clients, deliveries, queries, refs, tenancy
from b24app.ledger.models import Booking, Client, History, Portal, Resource
from b24app.ledger.queries import BookingRow, Money
from b24app.ledger.session import Session
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.allocation import seats_people
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy, no_show_fee
from b24app.scheduling.stage import HOLDING, Stage
from b24app.web import beside, heard, history, prices, stages, standing
from b24app.web.beside import Offer, Rival, SeriesCard
from b24app.web.forms_actions import Asking
from b24app.web.history import Entry, Tongue
from b24app.web.pictures import InPortal, in_portal
from b24app.web.prices import MoneyCard, Rules, Step
from b24app.web.standing import Look, Notice, Pill
from b24app.web.visit import Visit, current_visit, now

COMES_EARLY = timedelta(hours=12)  # who comes even earlier than this has not come for the booking


@dataclass(frozen=True, slots=True)
class Place:
    """A resource as it was booked; `units`: which of its equal places, and `of` how many, in words."""

    resource: Resource
    units: str
    of: str

    @property
    def initials(self) -> str:
        """What stands in the round picture of a specialist; things have an icon."""
        return initials(self.resource.name) if self.resource.kind == "specialist" else ""

    @property
    def facts(self) -> str:
        """Where it is, for how many, which of the places."""
        one = self.resource
        roomy = seats_people(one.kind) and one.capacity > 1
        room = ngettext("for up to %(num)d person", "for up to %(num)d people", one.capacity) if roomy else ""
        return ", ".join(filter(None, (self.of, self.units, one.city, one.address, room)))


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
    check_in_later: bool = False
    complete: bool = False
    no_show: bool = False
    reopen: bool = False
    pin: bool = False
    undo: bool = False
    accept: bool = False
    give_back: bool = False
    take_money: bool = False
    describe: bool = False
    repeat: bool = False
    draw_again: bool = False
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
    steps: tuple[stages.Step, ...]
    when: str
    lasts: str
    nearness: str
    zone_note: str
    service: str
    places: tuple[Place, ...]
    party: str
    group: str
    client: Client | None
    client_record: str
    deal_id: int | None
    responsible_id: int | None
    responsible: str
    participant_ids: frozenset[int]
    participants: str
    people: Mapping[int, str]
    has_card: bool
    pinned: bool
    notices: list[Notice]
    offers: list[Offer]
    money: MoneyCard
    money_term: str
    today: str
    rules: Rules | None
    rivals: list[Rival]
    winner: str
    lost: list[Rival]
    series: SeriesCard | None
    cancelling: Outcomes | None
    declining: Outcomes | None
    no_show: Outcomes | None
    hears: str
    can: Can
    portal: InPortal
    history: list[Entry]
    told: list[heard.Line]
    request_key: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def needs_crm(self) -> bool:
        """Whether there is something that only the CRM may show."""
        return self.deal_id is not None or (self.client is not None and self.client.crm_id is not None)

    @property
    def has_pool(self) -> bool:
        """Whether it holds places of which there are several equal ones."""
        return any(place.units for place in self.places)

    @property
    def undo(self) -> str:
        """Where to post, without anything, to take the last change back; "" when there is nothing to take back."""
        return undo_url(self.id, self.revision) if self.can.undo else ""


def undo_url(booking_id: uuid.UUID, revision: int) -> str:
    """Where to post to take back the change that made this revision."""
    return url_for("actions.undo", booking_id=booking_id, revision=revision)


def initials(name: str) -> str:
    """«АС» of Анна Соколова."""
    return "".join(part[0] for part in name.split()[:2] if part[0].isalpha())


def read(tx: Session, tenant: Tenant, visit: Visit, booking_id: uuid.UUID) -> Panel:
    """The panel of a booking that this visitor may see; raises NotFound."""
    return of_row(tx, tenant, visit, queries.booking(tx, tenant.portal.id, visit.viewer, booking_id))


def of_row(tx: Session, tenant: Tenant, visit: Visit, row: BookingRow) -> Panel:
    """The panel of a booking that was read for this visitor."""
    look, booking = look_at(tenant.portal, visit, row), row.booking
    changes = queries.history(tx, look.portal.id, booking.id)
    sums = queries.money(tx, look.portal.id, booking.id)
    accept = _to_accept(booking, sums, agreed_price(tx, look.portal, booking, sums))
    can = Can() if tenant.installation.payment_expired else _can(look, row, changes, sums, accept)
    ended = standing.ended_by(booking, changes, look.at)
    tongue = _tongue(tx, look, changes)
    start, end = row.interval.start, row.interval.end
    money = _money(look, row, sums, accept)
    return Panel(
        id=booking.id,
        number=booking.number,
        revision=booking.revision,
        title=booking.title,
        notes=booking.notes,
        stage=standing.stage_of(booking, look.at),
        pill=standing.pill(look.language, booking, look.at),
        steps=stages.steps(look, booking, changes, money.outstanding),
        when=texts.period(look.language, start, end, look.zone),
        lasts=texts.duration(look.language, int(row.interval.duration.total_seconds() // 60)),
        nearness="" if ended else standing.nearness(look, row.interval),
        zone_note=texts.zone(look.language, look.zone, start) if look.zone.key != visit.time_zone else "",
        service="" if row.service.resource_id else row.service.name,
        places=_places(row.resources, queries.unit_numbers(tx, look.portal.id, booking.id)),
        party=texts.say(look.language, "people", count=booking.party) if booking.party > 1 else "",
        group=booking.terms.get("group", ""),
        client=row.client,
        client_record=record_words(tx, look.portal.id, row),
        deal_id=booking.deal_id,
        responsible_id=booking.responsible_id,
        responsible=tongue.person(booking.responsible_id),
        participant_ids=frozenset(booking.participants or ()),
        participants=", ".join(tongue.person(person) for person in booking.participants or ()),
        people=tongue.people,
        has_card=details.has_card(look.portal),
        pinned=booking.pinned,
        notices=standing.notices(look, booking, ended, sums.paid - sums.refunded),
        offers=beside.offers(tx, look, row) if ended in ("expired", "lost", "declined") else [],
        money=money,
        money_term=_term(look, row),
        today=look.at.astimezone(look.zone).date().isoformat(),
        rules=prices.rules_card(look, booking, sums.price) if booking.stage in HOLDING and not ended else None,
        rivals=beside.rivals(tx, look, row),
        winner=Policy.from_dict(booking.policy).winner,
        lost=beside.losers(tx, look, row),
        series=beside.series_card(tx, look, row),
        cancelling=_cancelling(look, row, sums) if can.cancel else None,
        declining=_outcomes(look, _ended_at(sums, agreed.NOTHING), []) if can.decline else None,
        no_show=_no_show(look, booking, sums) if can.no_show else None,
        hears=", ".join(tongue.person(person) for person in announced_to(look.portal, booking, look.viewer.user_id)),
        can=can,
        portal=in_portal(look, booking.number, refs.of_booking(tx, look.portal.id, booking.id), tongue.person),
        history=history.entries(tongue, changes),
        told=heard.lines(look, tongue, deliveries.of_booking(tx, look.portal.id, booking.id)),
    )


def look_at(portal: Portal, visit: Visit, row: BookingRow) -> Look:
    """A look at this booking now, by the clock of its first resource."""
    zone = ZoneInfo(row.resources[0].time_zone if row.resources else visit.time_zone)
    return Look(visit, portal, zone, now())


def _term(look: Look, row: BookingRow) -> str:
    """Until when the rest is to be paid."""
    if row.booking.stage != Stage.CONFIRMED or row.interval.start <= look.at:
        return ""
    by = row.booking.pay_by
    return _("until %(time)s", time=look.moment(by)) if by and by > look.at else _("before the start")


def record_words(tx: Session, portal_id: int, row: BookingRow) -> str:
    """How this client has kept his bookings: «4 брони, неявок нет»; "" without a client."""
    if row.client is None:
        return ""
    of = clients.record_of(tx, portal_id, row.client.id)
    if of.bookings <= 1 and not of.no_shows:
        return _("the first booking")
    made = ngettext("%(num)d booking", "%(num)d bookings", of.bookings)
    missed = ngettext("%(num)d no-show", "%(num)d no-shows", of.no_shows) if of.no_shows else _("always came")
    return f"{made}, {missed}"


def answer(
    page: Panel, *, asking: Asking | None = None, problems: Iterable[str] = (), status: int = 200
) -> ResponseReturnValue:
    """The panel after something was done, with word to the page that its board is behind; or refused, with reasons."""
    found = list(problems)
    made = make_response(
        render_template("bookings/_panel.html", page=page, visit=current_visit(), asking=asking, problems=found), status
    )
    if status == 200:
        made.headers["HX-Trigger"] = changed(page.number, page.history[0].words if page.history else "", page.undo)
    return made


def changed(number: int, words: str, undo: str) -> str:
    """The header that tells the page what was done, and how that is taken back."""
    return json.dumps({"b24:changed": {"number": number, "words": words, "undo": undo}})


def check_writable(tenant: Tenant) -> None:
    """Raises NotAllowed when this portal may only read: its application has not been paid for."""
    if tenant.installation.payment_expired:
        raise NotAllowed("payment")


def _tongue(tx: Session, look: Look, changes: Sequence[History]) -> Tongue:
    people = tenancy.user_names(tx, look.portal.id) | {look.viewer.user_id: look.visit.name}
    names = _resource_names(tx, look) if history.speaks_of_resources(changes) else {}
    return Tongue(look.language, look.zone, look.portal.currency, people, names, look.at)


def _resource_names(tx: Session, look: Look) -> Mapping[int, str]:
    """The names of all resources that he may know of, those no longer offered too."""
    offered, archived = (queries.resources(tx, look.portal.id, look.viewer, archived=one) for one in (False, True))
    return {resource.id: resource.name for resource in (*offered, *archived)}


def _places(resources: Sequence[Resource], held: Mapping[int, queries.Places]) -> tuple[Place, ...]:
    return tuple(_place(one, held.get(one.id)) for one in resources)


def _place(resource: Resource, held: queries.Places | None) -> Place:
    """«1 из 2», and which one that is."""
    if held is None:
        return Place(resource, "", "")
    return Place(resource, _units(held.numbers), _("%(count)s of %(total)s", count=len(held.numbers), total=held.of))


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
        check_in_later=may.check_in and row.interval.start - look.at > COMES_EARLY,
        describe=_is_alive(booking, look.at) and may_change(viewer, booking, row.resources),
        repeat=row.service.archived_at is None and may_all(viewer, "request", row.resources),
        draw_again=viewer.is_admin,
    )
    return replace(can, next_step=_next_step(can, row.interval, look.at, owed_back=sums.outstanding < 0))


def _is_alive(booking: Booking, at: datetime) -> bool:
    """Whether anybody still has something to say about it."""
    return standing.stage_of(booking, at) not in stages.FAILED


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
    if sums.paid - sums.refunded >= deposit:
        deposit = agreed.NOTHING
    return prices.money_card(look, booking.payment, sums, prices.Asked(deposit, accept), row.service.name)


def _cancelling(look: Look, row: BookingRow, sums: Money) -> Outcomes:
    booking, policy = row.booking, Policy.from_dict(row.booking.policy)
    charge = cancel_fee(look.portal, booking, sums.price, look.at)
    costs = sums.price if booking.stage == Stage.CONFIRMED else agreed.NOTHING
    return _outcomes(look, _ended_at(sums, charge), prices.ladder(look, policy, costs, row.interval))


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
