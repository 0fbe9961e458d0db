"""Where a booking stands now, whatever has been written down yet: its label, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from b24app import texts
from b24app.booking.others import is_over
from b24app.ledger.access import Viewer
from b24app.ledger.models import Booking, History, Portal
from b24app.ledger.occupancy import as_interval
from b24app.scheduling.hours import DAY_MINUTES
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy
from b24app.scheduling.stage import Payment, Stage
from b24app.web.visit import Visit

UNPAID = frozenset({Payment.DUE, Payment.PARTLY})
LOOKS = {
    "prebooked": "hold",
    "request": "req",
    "confirmed": "conf",
    "completed": "done",
    "no_show": "nosh",
    "cancelled": "canc",
    "expired": "canc",
    "paid": "paid",
}


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a booking: by whom, in which portal, by which clock, when."""

    visit: Visit
    portal: Portal
    zone: ZoneInfo
    at: datetime

    @property
    def language(self) -> str:
        return self.visit.language

    @property
    def viewer(self) -> Viewer:
        return self.visit.viewer

    def money(self, amount: Decimal) -> str:
        """An amount in the portal's currency."""
        return texts.money(self.language, amount, self.portal.currency)

    def moment(self, at: datetime) -> str:
        """A point in time inside of a sentence; of today only the clock."""
        return texts.moment(self.language, at, self.zone, self.at)

    def dated(self, at: datetime) -> str:
        """The same where it stands alone: «сегодня, 11:02», «13 марта, 14:00»."""
        if at.astimezone(self.zone).date() != self.at.astimezone(self.zone).date():
            return self.moment(at)
        return _("today, %(time)s", time=texts.clock(at, self.zone))


@dataclass(frozen=True, slots=True)
class Pill:
    """The label of a stage: its class of looks and its words."""

    look: str
    words: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to know about a booking. `kind`: "", ok, warn or bad."""

    kind: str
    head: str
    text: str = ""


def stage_of(booking: Booking, now: datetime) -> str:
    """The stage as people know it: a hold that is over has expired, what competes is a request, paid is a stage."""
    if is_over(booking, now):
        return "expired"
    if booking.competes:
        return "request"
    is_paid = (booking.stage, booking.payment) == (Stage.CONFIRMED, Payment.PAID)
    return "paid" if is_paid else str(booking.stage)


def pill(language: str, booking: Booking, now: datetime, zone: ZoneInfo | None = None) -> Pill:
    """The label; with a `zone` a hold says until when it holds."""
    stage = stage_of(booking, now)
    words = texts.say(language, f"stage.{stage}")
    if zone and stage == Stage.PREBOOKED and booking.held_until:
        words = _("Pre-booking until %(time)s", time=texts.moment(language, booking.held_until, zone, now))
    return Pill(LOOKS[stage], words)


def nearness(look: Look, during: Interval) -> str:
    """How far off it is: «через 24 ч 35 мин», «идёт, ещё 40 мин», «закончилась 3 дня назад»."""
    if during.start > look.at:
        return _("in %(time)s", time=_apart(look, look.at, during.start))
    if during.end > look.at:
        return _("under way, %(time)s left", time=_apart(look, look.at, during.end))
    return _("ended %(time)s ago", time=_apart(look, during.end, look.at))


def _apart(look: Look, earlier: datetime, later: datetime) -> str:
    """The time between in words; from two days on whole days are enough."""
    minutes = -((earlier - later) // timedelta(minutes=1))
    days = minutes // DAY_MINUTES
    return texts.say(look.language, "days", count=days) if days > 1 else texts.duration(look.language, minutes)


def is_overdue(booking: Booking, now: datetime) -> bool:
    """Whether a confirmed booking should have been paid by now."""
    late = booking.pay_by is not None and booking.pay_by <= now
    return late and booking.stage == Stage.CONFIRMED and booking.payment in UNPAID


def awaits_word(booking: Booking, now: datetime) -> bool:
    """Whether its time has passed and somebody has to say what became of it."""
    return booking.stage == Stage.CONFIRMED and as_interval(booking.during).end <= now


def notices(look: Look, booking: Booking, ended: str, net: Decimal) -> list[Notice]:
    """What there is to say beside the facts. `ended`: see `ended_by`; `net`: what was paid and not given back."""
    if ended:
        return [_ended(booking, ended)]
    if booking.stage == Stage.PREBOOKED:
        return list(_waiting(look, booking, net))
    if booking.stage == Stage.CONFIRMED:
        return list(_confirmed(look, booking))
    return []


def _waiting(look: Look, booking: Booking, net: Decimal) -> Iterator[Notice]:
    until = booking.held_until
    term = look.moment(until) if until else ""
    if booking.competes:
        yield _request(booking, term, net)
    elif booking.needs_approval:
        yield Notice("warn", _("Somebody has to approve this"), _("The time is held until %(time)s.", time=term))
    elif until is not None:
        left = texts.duration(look.language, -((look.at - until) // timedelta(minutes=1)))
        yield Notice("warn", _("The time is held until %(time)s, %(left)s left", time=term, left=left))


def _request(booking: Booking, term: str, net: Decimal) -> Notice:
    waits = _("It waits until %(time)s.", time=term)
    if Policy.from_dict(booking.policy).winner == "payment":
        decides = _("The first payment gets the time.")
    else:
        decides = _("It is paid and awaits confirmation.") if net > 0 else _("The one that is confirmed gets the time.")
    return Notice("", _("A request: it holds nothing"), f"{decides} {waits}")


def _confirmed(look: Look, booking: Booking) -> Iterator[Notice]:
    if awaits_word(booking, look.at):
        yield Notice("warn", _("The time has passed: what became of the booking?"))
    if booking.checked_in_at is not None:
        yield Notice("ok", _("The client has come"), look.moment(booking.checked_in_at))
    if booking.pay_by is None or booking.payment not in UNPAID:
        return
    if is_overdue(booking, look.at):
        yield Notice(
            "bad", _("The payment is overdue"), _("It was due until %(time)s.", time=look.moment(booking.pay_by))
        )
    else:
        yield Notice("", _("To be paid until %(time)s", time=look.moment(booking.pay_by)))


def _ended(booking: Booking, action: str) -> Notice:
    if action == "expired":
        return Notice("warn", _("The term has passed"), _("Nobody confirmed it in time. It holds nothing any more."))
    heads = {
        "lost": _("Somebody else got the time"),
        "declined": _("The request was declined"),
        "undone": _("The booking was taken back at once"),
    }
    # Kept is what a person typed as the reason, otherwise the name of what happened.
    typed = "" if booking.reason in ("cancelled", *heads) else booking.reason
    return Notice("warn" if action == "lost" else "", heads.get(action, _("The booking was cancelled")), typed)


def ended_by(booking: Booking, changes: Sequence[History], now: datetime) -> str:
    """What a booking has come to nothing by: expired, lost, declined, undone or cancelled; "" while it stands."""
    stage = stage_of(booking, now)
    if stage != Stage.CANCELLED:
        return "expired" if stage == Stage.EXPIRED else ""
    if booking.reason in ("lost", "undone"):
        return booking.reason
    return next((one.action for one in changes if one.after.get("stage") == stage), "cancelled")
