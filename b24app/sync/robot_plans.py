"""What a robot of ours is to do: its parameters and the card it runs for, made into a request of the ledger.

Reads only. Names that fit nothing or several things are refused here, before anything is asked of the portal.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from b24app.booking.change import Move
from b24app.booking.clients import ClientData
from b24app.booking.others import is_over
from b24app.booking.reserve import BookingRequest, offering_of
from b24app.errors import InvalidInput
from b24app.ledger import queries, robot_calls
from b24app.ledger.access import RobotViewer
from b24app.ledger.business import Wanted
from b24app.ledger.models import Portal, Resource
from b24app.ledger.portal_models import RobotCall
from b24app.ledger.queries import BookingRow
from b24app.ledger.session import Tx
from b24app.scheduling.interval import Interval
from b24app.scheduling.pricing import MOST_PARTY
from b24app.scheduling.stage import HOLDING
from b24app.sync.card_context import CardContext
from b24app.sync.laid import LaidCrm
from b24app.sync.robot_values import Given, Option, Unclear, named, numbered

LONGEST_MINUTES = 366 * 24 * 60
LONGEST_SEARCH = timedelta(days=62)
LONGEST_NOTES, LONGEST_TITLE = 4000, 200
# How a field of a card that is bound to our smart process says which item is meant: the number in hex, or in words.
_BOUND = re.compile(r"(?:T(?P<hex>[0-9a-f]{1,8})|DYNAMIC_(?P<number>\d{1,9}))_(?P<item>\d{1,15})", re.IGNORECASE)
_DOCUMENT = re.compile(r"(?P<type>DEAL|DYNAMIC_(?P<number>\d+))_(?P<id>\d+)")


class NoBookingYet(Exception):
    """The card of our funnel that the robot runs for is not known as a booking. `item_id`: look there."""

    def __init__(self, item_id: int) -> None:
        super().__init__(item_id)
        self.item_id = item_id


@dataclass(slots=True)
class Task:
    """One call with everything that decides what it means. `card`: the deal, where its client is wanted."""

    call: RobotCall
    given: Given
    viewer: RobotViewer
    now: datetime
    deal_id: int | None = None
    item_id: int | None = None
    card: CardContext | None = None
    of_card: BookingRow | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done. `window`: the time that is looked at; `row`, `move`: the booking that is to be changed."""

    request: BookingRequest | None = None
    window: Interval | None = None
    row: BookingRow | None = None
    move: Move | None = None
    reason: str = ""
    names: Mapping[int, str] = field(default_factory=dict)

    @property
    def wanted(self) -> Wanted:
        """Whose other business has a say in it."""
        if self.request is not None:
            ids = {*self.request.resource_ids, self.request.resource_id}
            return Wanted(frozenset(filter(None, ids)), frozenset(filter(None, [self.request.service_id])))
        if self.row is not None and self.move is not None:
            ids = {*(one.id for one in self.row.resources), *(self.move.resource_ids or ()), self.move.resource_id}
            return Wanted(frozenset(filter(None, ids)), frozenset({self.row.service.id}))
        return Wanted()


def task_of(portal: Portal, call: RobotCall, given: Given, viewer: RobotViewer, now: datetime) -> Task:
    """The call, and which card it runs for: a deal, an item of our funnel, or something that says nothing to us."""
    task, found = Task(call, given, viewer, now), _DOCUMENT.fullmatch(call.document)
    bookings = LaidCrm.from_json(portal.crm).bookings
    if found and found["type"] == "DEAL":
        task.deal_id = int(found["id"])
    elif found and bookings and int(found["number"]) == bookings.entity_type_id:
        task.item_id = int(found["id"])
    return task


def plan(tx: Tx, portal: Portal, task: Task) -> Plan:
    """What the robot is to do. Raises Refused, Unclear among them, and NoBookingYet."""
    if task.item_id is not None:
        task.of_card = _booking_of_card(tx, portal, task, task.item_id)
    made = PLANS[task.call.code](tx, portal, task)
    names = {one.id: one.name for one in _resources(tx, portal, task)}
    return replace(made, names=names)


def _resources(tx: Tx, portal: Portal, task: Task) -> list[Resource]:
    return queries.resources(tx, portal.id, task.viewer)


# What is asked for ----


def _wish(tx: Tx, portal: Portal, task: Task, at: Interval) -> BookingRequest:
    """A request for what was named, from then on; without names for the same as the card's own booking."""
    ids = [_resource(tx, portal, task, name) for name in task.given.texts("resource")]
    party = task.given.whole("party", MOST_PARTY) or 1
    if service := task.given.text("service"):
        options = [Option(one.id, one.name) for one in queries.services(tx, portal.id)]
        chosen = named("service", service, options)
        return BookingRequest(at, service_id=chosen, resource_ids=frozenset(ids), party=party)
    if len(ids) > 1:
        raise Unclear("resource", "several_resources")
    if ids:
        return BookingRequest(at, resource_id=ids[0], party=party)
    if task.of_card is None:
        raise Unclear("service", "nothing_named")
    return _same(task.of_card, at, task.given.whole("party", MOST_PARTY))


def _same(row: BookingRow, at: Interval, party: int | None = None) -> BookingRequest:
    """A request for what a booking is of."""
    bare = row.service.resource_id
    service = None if bare else row.service.id
    return BookingRequest(at, resource_id=bare, service_id=service, party=party or row.booking.party)


def _resource(tx: Tx, portal: Portal, task: Task, name: str) -> int:
    if resource_id := _bound(tx, portal, name):
        return resource_id
    options = [Option(one.id, one.name, one.city) for one in _resources(tx, portal, task)]
    return named("resource", name, options)


def _bound(tx: Tx, portal: Portal, value: str) -> int | None:
    """The resource whose card a field of the CRM is bound to."""
    laid, match = LaidCrm.from_json(portal.crm).resources, _BOUND.fullmatch(value)
    if match is None or laid is None:
        return None
    number = int(match["hex"], 16) if match["hex"] else int(match["number"])
    return robot_calls.resource_of_item(tx, portal.id, int(match["item"])) if number == laid.entity_type_id else None


def _length(given: Given, start: datetime) -> timedelta | None:
    """How long, by an end or by minutes; None when neither was said."""
    end, minutes = given.instant("end"), given.whole("minutes", LONGEST_MINUTES)
    if end is not None and end <= start:
        raise InvalidInput({"end": "end_before_start"})
    if end is not None:
        return end - start
    return timedelta(minutes=minutes) if minutes else None


def _with_length(tx: Tx, portal: Portal, request: BookingRequest, length: timedelta | None) -> BookingRequest:
    """The request with its length; of what nothing was said, the shortest booking there is."""
    length = length or timedelta(minutes=offering_of(tx, portal, request).policy.min_minutes)
    return replace(request, interval=Interval(request.interval.start, request.interval.start + length))


def _at(start: datetime) -> Interval:
    """From then on: the length comes later."""
    return Interval(start, start + timedelta(minutes=1))


def _timed(tx: Tx, portal: Portal, task: Task) -> Plan:
    start = task.given.instant("start")
    if start is None:
        raise InvalidInput({"start": "required"})
    request = _with_length(tx, portal, _wish(tx, portal, task, _at(start)), _length(task.given, start))
    return Plan(request, request.interval)


def _checked(tx: Tx, portal: Portal, task: Task) -> Plan:
    """Of the card's own booking it is asked whether that may be moved there: it is not in its own way."""
    made = _timed(tx, portal, task)
    if _named_anything(task) or task.of_card is None or made.request is None:
        return made
    return replace(made, row=task.of_card, move=Move(made.request.interval))


def _named_anything(task: Task) -> bool:
    return bool(task.given.texts("service") or task.given.texts("resource"))


def _nearest(tx: Tx, portal: Portal, task: Task) -> Plan:
    """Within two months at most, and no further than bookings are open."""
    earliest = max(task.given.instant("earliest") or task.now, task.now)
    request = _with_length(tx, portal, _wish(tx, portal, task, _at(earliest)), _length(task.given, earliest))
    horizon = timedelta(days=offering_of(tx, portal, request).policy.horizon_days)
    latest = task.given.instant("latest", whole_day=True) or earliest + LONGEST_SEARCH
    latest = min(latest, earliest + LONGEST_SEARCH, task.now + horizon)
    if latest <= earliest:
        raise InvalidInput({"latest": "end_before_start"})
    return Plan(request, Interval(earliest, latest), row=None if _named_anything(task) else task.of_card)


def _created(tx: Tx, portal: Portal, task: Task) -> Plan:
    made, given = _timed(tx, portal, task), task.given
    assert made.request is not None
    hold = given.whole("hold_minutes", LONGEST_MINUTES)
    client = task.card.client if task.card else _client_of(task.of_card)
    request = replace(
        made.request,
        intent="hold" if hold else "policy",
        hold_minutes=hold,
        source="robot",
        client=client,
        group=_group(tx, portal, client),
        deal_id=task.deal_id or (task.of_card.booking.deal_id if task.of_card else None),
        title=given.text("title", LONGEST_TITLE),
        notes=given.text("comment", LONGEST_NOTES),
        responsible_id=given.user("responsible") or _responsible(task),
        request_key=f"robot:{task.call.token_hash}",
    )
    return replace(made, request=request)


def _client_of(row: BookingRow | None) -> ClientData | None:
    client = row.client if row else None
    return ClientData(client.kind, client.name, client.phone, client.email, client.crm_id) if client else None


def _group(tx: Tx, portal: Portal, client: ClientData | None) -> str:
    """In whose prices this client was booked last."""
    if client is None or client.crm_id is None:
        return ""
    return queries.price_group_of(tx, portal.id, client.kind, client.crm_id) or ""


def _responsible(task: Task) -> int | None:
    if task.card and task.card.responsible_id:
        return task.card.responsible_id
    return (task.of_card.booking.responsible_id if task.of_card else None) or task.call.user_id


# Which booking is meant ----


def _booking_of_card(tx: Tx, portal: Portal, task: Task, item_id: int) -> BookingRow | None:
    booking_id = robot_calls.booking_of_item(tx, portal.id, item_id)
    return queries.booking(tx, portal.id, task.viewer, booking_id) if booking_id else None


def _booking(tx: Tx, portal: Portal, task: Task) -> BookingRow:
    """The one that was named, or that of the card. Raises NotFound, Unclear, NoBookingYet."""
    if name := task.given.text("booking"):
        return _named_booking(tx, portal, task, name)
    if task.of_card is not None:
        return task.of_card
    if task.item_id is not None:
        raise NoBookingYet(task.item_id)
    if task.deal_id is None:
        raise Unclear("booking", "no_card")
    return _only(task, queries.bookings_of_deal(tx, portal.id, task.viewer, task.deal_id))


def _named_booking(tx: Tx, portal: Portal, task: Task, name: str) -> BookingRow:
    if number := numbered(name):
        return queries.booking_by_number(tx, portal.id, task.viewer, number)
    try:
        return queries.booking(tx, portal.id, task.viewer, uuid.UUID(name))
    except ValueError:
        raise Unclear("booking", "not_a_booking", value=name[:60]) from None


def _only(task: Task, rows: list[BookingRow]) -> BookingRow:
    """The one booking of a deal that stands; of several the one that is not over yet."""
    standing = [row for row in rows if row.booking.stage in HOLDING and not is_over(row.booking, task.now)]
    ahead = [row for row in standing if row.interval.end > task.now]
    found = standing if len(standing) == 1 else ahead
    if len(found) == 1:
        return found[0]
    if not standing:
        raise Unclear("booking", "unknown_booking")
    numbers = sorted(row.booking.number for row in found or standing)
    raise Unclear("booking", "which_booking", names=", ".join(f"№ {number}" for number in numbers))


def _changed(tx: Tx, portal: Portal, task: Task) -> Plan:
    return Plan(row=_booking(tx, portal, task))


def _cancelled(tx: Tx, portal: Portal, task: Task) -> Plan:
    return Plan(row=_booking(tx, portal, task), reason=task.given.text("reason"))


def _moved(tx: Tx, portal: Portal, task: Task) -> Plan:
    row, given = _booking(tx, portal, task), task.given
    start = given.instant("start") or row.interval.start
    length = _length(given, start) or row.interval.duration
    ids = [_resource(tx, portal, task, name) for name in given.texts("resource")]
    if not any(given.texts(name) for name in ("start", "end", "minutes", "resource")):
        raise InvalidInput({"start": "required"})
    if row.service.resource_id is not None and len(ids) > 1:
        raise Unclear("resource", "several_resources")
    at = Interval(start, start + length)
    if row.service.resource_id is not None:
        move = Move(at, resource_id=ids[0] if ids else None)
    else:
        move = Move(at, resource_ids=frozenset(ids) if ids else None)
    return Plan(window=at, row=row, move=move)


PLANS: dict[str, Callable[[Tx, Portal, Task], Plan]] = {
    "booking.check": _checked,
    "booking.nearest": _nearest,
    "booking.create": _created,
    "booking.move": _moved,
    "booking.cancel": _cancelled,
    "booking.confirm": _changed,
}
