"""The bookings of a deal, contact or company, as the tab of its card lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from b24app import texts
from b24app.booking.allowed import Allowed, allowed
from b24app.booking.others import is_over
from b24app.ledger import queries
from b24app.ledger.models import Booking
from b24app.ledger.queries import BookingRow, Sums
from b24app.ledger.session import Session
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.stage import HOLDING, Payment, Stage
from b24app.web import standing
from b24app.web.crm import CardContext
from b24app.web.panel import COMES_EARLY
from b24app.web.standing import Look, Pill
from b24app.web.visit import Visit

SHOWN = 3  # bookings of a card beside the next one: the board below them should be in sight


@dataclass(frozen=True, slots=True)
class Line:
    """One booking. `remark`: what somebody should see to; `next_step`: confirm, check_in or ""."""

    row: BookingRow
    number: int
    day: date
    day_words: str
    weekday: str
    month: str
    time: str
    what: str
    where: str
    pill: Pill
    price: str
    outstanding: str
    paid: str
    remark: str
    ahead: bool
    running: bool
    can: Allowed
    next_step: str


@dataclass(frozen=True, slots=True)
class Tab:
    """The bookings of a card: the next one, the newest of the others; more of them and dropped ones are folded away."""

    card: CardContext
    next: Line | None
    others: list[Line]
    more: list[Line]
    past: list[Line]
    dropped: list[Line]
    empty_title: str


def read_tab(tx: Session, tenant: Tenant, visit: Visit, card: CardContext, at: datetime) -> Tab:
    """The bookings of this card that the visitor may see: so many statements, however many bookings there are."""
    rows = _bookings_of(tx, tenant, visit, card)
    sums = queries.sums_of(tx, tenant.portal.id, [row.booking.id for row in rows])
    lines = [_line(tenant, _look(tenant, visit, row, at), row, sums[row.booking.id]) for row in rows]
    alive = [line for line in lines if standing.stage_of(line.row.booking, at) not in ("cancelled", "expired")]
    coming = [line for line in alive if line.ahead or line.running]
    first = min(coming, key=lambda line: line.row.interval.start, default=None)
    # What nobody has said the end of is not past yet.
    open_ended = [line for line in alive if standing.awaits_word(line.row.booking, at)]
    later = sorted(
        (line for line in (*open_ended, *coming) if line is not first), key=lambda line: line.row.interval.start
    )
    past = [line for line in alive if line not in coming and line not in open_ended]
    dropped = [line for line in lines if line not in alive]
    return Tab(card, first, later[:SHOWN], later[SHOWN:], past, dropped, _nothing_yet(card.kind))


def _nothing_yet(kind: str) -> str:
    words = {
        "deal": _("This deal has no bookings yet"),
        "contact": _("This contact has no bookings yet"),
        "company": _("This company has no bookings yet"),
    }
    return words[kind]


def _bookings_of(tx: Session, tenant: Tenant, visit: Visit, card: CardContext) -> list[BookingRow]:
    if card.kind == "deal":
        return queries.bookings_of_deal(tx, tenant.portal.id, visit.viewer, card.id)
    return queries.bookings_of_client(tx, tenant.portal.id, visit.viewer, card.kind, card.id)


def _look(tenant: Tenant, visit: Visit, row: BookingRow, at: datetime) -> Look:
    return Look(visit, tenant.portal, ZoneInfo(row.resources[0].time_zone if row.resources else "UTC"), at)


def _line(tenant: Tenant, look: Look, row: BookingRow, sums: Sums) -> Line:
    language, booking, (start, end) = look.language, row.booking, (row.interval.start, row.interval.end)
    day = start.astimezone(look.zone).date()
    can = allowed(look.viewer, booking, row.resources, look.at)
    if tenant.installation.payment_expired:
        can = Allowed()
    return Line(
        row=row,
        number=booking.number,
        day=day,
        day_words=texts.day(language, day, short=True),
        weekday=texts.weekday(language, day),
        month=texts.month(language, day),
        time=texts.span(start, end, look.zone),
        what=booking.title or (row.client.name if row.client else row.service.name),
        where=_where(row),
        pill=standing.pill(language, booking, look.at, look.zone),
        price=look.money(sums.price) if sums.price else "",
        outstanding=look.money(sums.outstanding) if sums.outstanding > 0 else "",
        paid=_paid(look, booking, sums),
        remark=_remark(look, booking),
        ahead=start > look.at and booking.stage in HOLDING,
        running=start <= look.at < end and booking.stage in HOLDING,
        can=can,
        next_step=_next_step(can, start, look.at),
    )


def _where(row: BookingRow) -> str:
    """The resources, after the name of what is done there when that is more than booking one."""
    service = [] if row.service.resource_id else [row.service.name]
    return ", ".join([*service, *(one.name for one in row.resources)])


def _paid(look: Look, booking: Booking, sums: Sums) -> str:
    """How the money stands, where that is more than a stage says: «Оплачено 2 400 ₽ из 4 800 ₽»."""
    if booking.payment != Payment.PARTLY:
        return texts.say(look.language, "payment.refund_due") if booking.payment == Payment.REFUND_DUE else ""
    paid, price = look.money(sums.paid - sums.refunded), look.money(sums.price)
    return _("Paid %(paid)s of %(price)s", paid=paid, price=price)


def _remark(look: Look, booking: Booking) -> str:
    """What somebody should see to."""
    if standing.is_overdue(booking, look.at):
        return _("payment overdue")
    if standing.awaits_word(booking, look.at):
        return _("what became of it?")
    waits = (booking.competes or booking.needs_approval) and booking.stage == Stage.PREBOOKED
    return _("awaits a decision") if waits and not is_over(booking, look.at) else ""


def _next_step(can: Allowed, start: datetime, at: datetime) -> str:
    if can.confirm:
        return "confirm"
    return "check_in" if can.check_in and start - at <= COMES_EARLY else ""
