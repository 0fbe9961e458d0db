"""One booking as a line of a card's tab: when, what, where it stands, and the next thing to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from flask import url_for
from flask_babel import gettext as _

from b24app import texts
from b24app.booking import money as agreed
from b24app.booking.allowed import Allowed, allowed
from b24app.booking.others import is_over
from b24app.ledger import queries
from b24app.ledger.models import Booking
from b24app.ledger.queries import BookingRow, Sums
from b24app.ledger.session import Session
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.stage import HOLDING, Payment, Stage
from b24app.web import standing
from b24app.web.panel import COMES_EARLY
from b24app.web.standing import Look, Pill
from b24app.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Line:
    """One booking. `remark`: what somebody should see to. `next_step`: confirm, complete, check_in, accept or again.

    `accept`: what there is to be taken, in words; `share`: how much is paid, in per cent; `left`: how long it is to go;
    `again`: the address of a form for another one like it.
    """

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
    accept: str
    paid: str
    share: int
    remark: str
    left: str
    ahead: bool
    running: bool
    can: Allowed
    next_step: str
    again: str


def lines(
    tx: Session, tenant: Tenant, visit: Visit, rows: Sequence[BookingRow], at: datetime, *, names_client: bool
) -> list[Line]:
    """These bookings in words; one statement, however many they are. `names_client`: whether it may be anybody's."""
    sums = queries.sums_of(tx, tenant.portal.id, [row.booking.id for row in rows])
    return [
        _line(tenant, _look(tenant, visit, row, at), row, sums[row.booking.id], names_client=names_client)
        for row in rows
    ]


def zone_of(row: BookingRow) -> ZoneInfo:
    """By whose clock a booking is told: that of its first place."""
    return ZoneInfo(row.resources[0].time_zone if row.resources else "UTC")


def _look(tenant: Tenant, visit: Visit, row: BookingRow, at: datetime) -> Look:
    return Look(visit, tenant.portal, zone_of(row), at)


def _line(tenant: Tenant, look: Look, row: BookingRow, sums: Sums, *, names_client: bool) -> Line:
    language, booking, (start, end) = look.language, row.booking, (row.interval.start, row.interval.end)
    day = start.astimezone(look.zone).date()
    can = allowed(look.viewer, booking, row.resources, look.at)
    if tenant.installation.payment_expired:
        can = Allowed()
    accept = _to_accept(booking, sums) if can.take_money else agreed.NOTHING
    ahead = start > look.at and booking.stage in HOLDING
    return Line(
        row=row,
        number=booking.number,
        day=day,
        day_words=texts.day(language, day, short=True),
        weekday=texts.weekday(language, day),
        month=texts.month(language, day),
        time=texts.span(start, end, look.zone),
        what=_what(row, names_client=names_client),
        where=_where(row, names_client=names_client),
        pill=standing.pill(language, booking, look.at, look.zone),
        price=look.money(sums.price) if sums.price else "",
        outstanding=look.money(sums.outstanding) if sums.outstanding > 0 else "",
        accept=look.money(accept) if accept > 0 else "",
        paid=_paid(look, booking, sums),
        share=int(100 * (sums.paid - sums.refunded) / sums.price) if sums.price else 0,
        remark=_remark(look, booking),
        left=_left(look, start) if ahead else "",
        ahead=ahead,
        running=start <= look.at < end and booking.stage in HOLDING,
        can=can,
        next_step=_next_step(can, row, look.at, accepts=accept > 0, writable=not tenant.installation.payment_expired),
        again=url_for("bookings.new", like=booking.id),
    )


def _what(row: BookingRow, *, names_client: bool) -> str:
    """The title, else whose it is; in the card of a client or his deal what is done there says more."""
    if row.booking.title:
        return row.booking.title
    return row.client.name if row.client and names_client else row.service.name


def _where(row: BookingRow, *, names_client: bool) -> str:
    """The resources, after the name of what is done there when that is more than booking one; none of it twice."""
    service = [] if row.service.resource_id else [row.service.name]
    named = _what(row, names_client=names_client)
    return ", ".join(one for one in (*service, *(one.name for one in row.resources)) if one != named)


def _left(look: Look, start: datetime) -> str:
    """«через 24 ч 35 мин», «через 9 дней»."""
    minutes = -((look.at - start) // timedelta(minutes=1))
    days = minutes // (24 * 60)
    return _("in %(time)s", time=texts.term(look.language, days * 24 * 60 if days > 1 else minutes))


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


def _to_accept(booking: Booking, sums: Sums) -> Decimal:
    """What to ask for next: of what waits the deposit, otherwise all that is outstanding."""
    if booking.stage not in HOLDING and booking.stage != Stage.COMPLETED:
        return agreed.NOTHING
    net, deposit = sums.paid - sums.refunded, agreed.deposit_of(booking)
    return deposit - net if booking.stage == Stage.PREBOOKED and net < deposit else sums.outstanding


def _next_step(can: Allowed, row: BookingRow, at: datetime, *, accepts: bool, writable: bool) -> str:
    """The first that is to be done, in the order of the booking's own panel; what is over may be had again."""
    start, end = row.interval.start, row.interval.end
    over = row.booking.stage not in HOLDING or is_over(row.booking, at)
    steps = (
        ("confirm", can.confirm),
        ("complete", can.complete and end <= at),
        ("check_in", can.check_in and start <= at),
        ("accept", accepts),
        ("check_in", can.check_in and start - at <= COMES_EARLY),
        ("again", over and writable),
    )
    return next((step for step, is_due in steps if is_due), "")
