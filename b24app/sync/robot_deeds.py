"""What our robots do, through the same use cases as people, and what they say of it.

A refusal is an answer like any other: the customer's automation branches on `status`, and people read `message`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from b24app import texts
from b24app.booking import announce
from b24app.booking.change import cancel_booking, confirm_booking, move_booking
from b24app.booking.reserve import BY_RULE, BookingRequest, book
from b24app.booking.terms import MoveTerms, Terms, first_free_time, next_free_times, read_move, read_terms
from b24app.errors import InvalidInput, NotFound, PolicyViolation, Refused, SlotTaken
from b24app.ledger import queries
from b24app.ledger.models import Booking, Portal
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import Tx
from b24app.messages import MESSAGES
from b24app.scheduling.allocation import Seat
from b24app.scheduling.interval import Interval
from b24app.scheduling.stage import Stage
from b24app.sync import wording
from b24app.sync.lay_automation import declaration
from b24app.sync.robot_plans import Plan, Task
from b24app.sync.robot_values import Unclear
from b24app.sync.wording import Tongue

OK, TAKEN, REFUSED, NOT_FOUND, ERROR = "ok", "taken", "refused", "not_found", "error"
BUSY = "specialist_busy"  # a rule by its form, and yet nothing but a time that is taken
UNKNOWN = frozenset({"unknown_service", "unknown_resource", "unknown_booking"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the portal is told. `conflicts`: what is in the way, a line each; `place`: the names of the resources."""

    status: str
    message: str
    booking: Booking | None = None
    interval: Interval | None = None
    place: str = ""
    conflicts: Sequence[str] = ()

    def values(self, zone: ZoneInfo) -> dict[str, Any]:
        """As they are sent, times with the offset of `zone`; what there is nothing to say of is missing."""
        found: dict[str, Any] = {"status": self.status, "message": self.message}
        if self.booking is not None:
            found |= {"booking_number": self.booking.number, "booking_id": str(self.booking.id)}
            found["stage"] = str(self.booking.stage)
        if self.interval is not None:
            found["start"] = self.interval.start.astimezone(zone).isoformat(timespec="seconds")
            found["end"] = self.interval.end.astimezone(zone).isoformat(timespec="seconds")
        texts_ = {"resource": self.place, "conflicts": "\n".join(self.conflicts)}
        return found | {name: value for name, value in texts_.items() if value}


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a robot works: the portal, and the call with what it comes to."""

    tx: Tx
    portal: Portal
    task: Task
    plan: Plan

    @property
    def zone(self) -> ZoneInfo:
        """The clock of the booking's place, else the portal's."""
        row = self.plan.row
        return ZoneInfo(row.resources[0].time_zone if row and row.resources else self.portal.time_zone)

    @property
    def who(self) -> dict[str, Any]:
        """As whom, and when."""
        return {"viewer": self.task.viewer, "now": self.task.now}

    @property
    def request(self) -> BookingRequest:
        """What is asked for."""
        assert self.plan.request is not None
        return self.plan.request

    @property
    def booking(self) -> Booking:
        """What is to be changed."""
        assert self.plan.row is not None
        return self.plan.row.booking

    @property
    def seen(self) -> dict[str, Any]:
        """The revision in force: a robot has looked at nothing, it changes what stands now."""
        return {"revision": queries.kept_booking(self.tx, self.portal.id, self.booking.id).revision, **self.who}

    @property
    def tongue(self) -> Tongue:
        return tongue_of(self.portal, self.plan.names)

    def say(self, code: str, **params: Any) -> str:
        return self.tongue.say(f"robot.{code}", **params)

    def when(self, interval: Interval, zone: ZoneInfo | None = None) -> str:
        return texts.period(self.portal.language, interval.start, interval.end, zone or self.zone)

    def names(self, seats: Iterable[Seat]) -> str:
        ids = dict.fromkeys(seat.resource_id for seat in seats)
        return ", ".join(self.plan.names.get(one, f"№ {one}") for one in ids)


def tongue_of(portal: Portal, names: Mapping[int, str]) -> Tongue:
    """How to speak to the people of a portal, and what its resources are called."""
    return Tongue(portal.language, portal.time_zone, portal.currency, {}, names)


# Looking ----


def check(desk: Desk) -> Answer:
    """Whether the time is free."""
    terms = _terms(desk)
    wanted, zone = desk.request.interval, terms.zone
    if not terms.violations and not terms.obstacles:
        place = desk.names(terms.seats)
        message = desk.say("free", when=desk.when(wanted, zone), place=place)
        return Answer(OK, message, interval=wanted, place=place)
    said = _in_the_way(desk, terms)
    head = desk.say("not_free", when=desk.when(wanted, zone))
    status = _status_of_terms(terms)
    message = ". ".join([head, *said])
    return Answer(status, _with_others(desk, message), interval=wanted, conflicts=said)


def _terms(desk: Desk) -> Terms | MoveTerms:
    if desk.plan.row is not None and desk.plan.move is not None:
        return read_move(desk.tx, desk.portal, desk.booking, desk.plan.move, **desk.who)
    return read_terms(desk.tx, desk.portal, desk.request, **desk.who)


def _in_the_way(desk: Desk, terms: Terms | MoveTerms) -> list[str]:
    """Every reason once; that it is closed is told as a rule where it is one."""
    closed = any(one.code in ("outside_hours", BUSY) for one in terms.violations)
    obstacles = [one for one in terms.obstacles if not (closed and one.code == "closed")]
    said = sentences(desk.tongue, PolicyViolation(terms.violations), terms.zone)
    if obstacles:
        said += sentences(desk.tongue, SlotTaken(desk.request.interval, obstacles), terms.zone)
    return list(dict.fromkeys(said))


def _status_of_terms(terms: Terms | MoveTerms) -> str:
    """A broken rule comes before other people's bookings: it cannot be waited out."""
    if any(one.code != BUSY for one in terms.violations):
        return REFUSED
    ruled = [one.code in BY_RULE and one.params.get("code") != BUSY for one in terms.obstacles]
    return REFUSED if ruled and all(ruled) else TAKEN


def nearest(desk: Desk) -> Answer:
    """The first free time that lies in the window."""
    window, own = desk.plan.window, desk.plan.row
    assert window is not None
    own_id = own.booking.id if own else None
    found = first_free_time(desk.tx, desk.portal, desk.request, window, own=own_id, **desk.who)
    if found is None or found.end > window.end:
        until = texts.moment(desk.portal.language, window.end, desk.zone)
        return Answer(TAKEN, desk.say("none_free", until=until))
    terms = read_terms(desk.tx, desk.portal, replace(desk.request, interval=found), **desk.who)
    place = desk.names(terms.seats)
    return Answer(OK, desk.say("nearest", when=desk.when(found, terms.zone), place=place), interval=found, place=place)


# Changing ----


def create(desk: Desk) -> Answer:
    """A booking, held or confirmed as the rules have it."""
    made = book(desk.tx, desk.portal, desk.request, **desk.who)
    return _done(desk, made, "booked" if made.stage == Stage.CONFIRMED else "held")


def move(desk: Desk) -> Answer:
    """The booking at another time or place."""
    assert desk.plan.move is not None
    return _done(desk, move_booking(desk.tx, desk.portal, desk.booking.id, desk.plan.move, **desk.seen), "moved")


def cancel(desk: Desk) -> Answer:
    """The booking, cancelled."""
    dropped = cancel_booking(desk.tx, desk.portal, desk.booking.id, reason=desk.plan.reason, **desk.seen)
    return _done(desk, dropped, "cancelled")


def confirm(desk: Desk) -> Answer:
    """The booking, confirmed."""
    return _done(desk, confirm_booking(desk.tx, desk.portal, desk.booking.id, **desk.seen), "confirmed")


def _done(desk: Desk, booking: Booking, code: str) -> Answer:
    interval = as_interval(booking.during)
    spots = queries.resources_of_bookings(desk.tx, desk.portal.id, [booking.id]).get(booking.id, ())
    place = ", ".join(one.name for one in spots)
    zone = ZoneInfo(spots[0].time_zone) if spots else desk.zone
    message = desk.say(code, number=booking.number, when=desk.when(interval, zone), place=place)
    return Answer(OK, message, booking, interval, place)


DEEDS: dict[str, Callable[[Desk], Answer]] = {
    "booking.check": check,
    "booking.nearest": nearest,
    "booking.create": create,
    "booking.move": move,
    "booking.cancel": cancel,
    "booking.confirm": confirm,
}


# Refused ----


def refused(desk: Desk, error: Refused) -> Answer:
    """Why it was not done, and what could be had instead."""
    status, said = status_of(error), sentences(desk.tongue, error, desk.zone)
    message = ". ".join(said)
    row, wanted = desk.plan.row, desk.plan.request or desk.plan.move
    return Answer(
        status,
        _with_others(desk, message) if status == TAKEN else message,
        booking=row.booking if row else None,
        interval=wanted.interval if wanted else None,
        conflicts=said if status in (TAKEN, REFUSED) else (),
    )


def _with_others(desk: Desk, message: str) -> str:
    """The message with the nearest times that could be had instead."""
    request, row = _asked_for(desk), desk.plan.row
    if request is None:
        return message
    try:
        free = next_free_times(desk.tx, desk.portal, request, own=row.booking.id if row else None, **desk.who)
    except Refused:  # nobody could have it at all
        return message
    times = "; ".join(desk.when(one) for one in free)
    return f"{message}. {desk.say('instead', times=times)}" if times else message


def _asked_for(desk: Desk) -> BookingRequest | None:
    """What was asked for; a move is a request for another time or place."""
    row, wanted = desk.plan.row, desk.plan.move
    if desk.plan.request is not None or row is None or wanted is None:
        return desk.plan.request
    if bare := row.service.resource_id:
        return BookingRequest(wanted.interval, resource_id=wanted.resource_id or bare, party=row.booking.party)
    picked = wanted.resource_ids or frozenset()
    return BookingRequest(
        wanted.interval, service_id=row.service.id, resource_ids=picked, party=row.booking.party
    )  # fmt: skip


def unclear(portal: Portal, error: Refused) -> Answer:
    """The answer to parameters that come to nothing that could be done."""
    return Answer(status_of(error), ". ".join(sentences(tongue_of(portal, {}), error, ZoneInfo(portal.time_zone))))


def broken(portal: Portal, code: str) -> Answer:
    """The answer to what is nobody's mistake over there."""
    return Answer(ERROR, tongue_of(portal, {}).say(code))


def sentences(tongue: Tongue, error: Refused, zone: ZoneInfo) -> list[str]:
    """Every reason, each once; what is about a parameter begins with its name in the robot's form."""
    if isinstance(error, Unclear):
        return [_of_field(tongue, error.field, _unclear(tongue, error))]
    said = [
        _of_field(tongue, one.get("field", ""), wording.reason(tongue, one, zone)) for one in announce.reasons(error)
    ]
    return list(dict.fromkeys(said))


def _unclear(tongue: Tongue, error: Unclear) -> str:
    known = f"robot.{error.code}"
    if known in MESSAGES:
        return tongue.say(known, **error.params)
    return texts.say_refusal(tongue.language, "field", error.code)


def _of_field(tongue: Tongue, field: str, sentence: str) -> str:
    titles = declaration()["properties"].get(field, {}).get("title")
    if titles is None:
        return sentence
    return tongue.say("robot.field", field=titles["ru" if tongue.language == "ru" else "en"], text=sentence)


def status_of(error: Refused) -> str:
    """The word that the customer's automation goes by."""
    if isinstance(error, SlotTaken):
        return TAKEN
    if isinstance(error, PolicyViolation):
        return TAKEN if all(one.code == BUSY for one in error.violations) else REFUSED
    if isinstance(error, NotFound) or (isinstance(error, Unclear) and error.code in UNKNOWN):
        return NOT_FOUND
    return ERROR if isinstance(error, InvalidInput | Unclear) else REFUSED
