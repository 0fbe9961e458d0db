"""Services: what somebody books when it is more than one bare resource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from b24app.booking import changes
from b24app.booking.kinds import is_kind
from b24app.booking.policies import wrong_choices
from b24app.errors import InvalidInput, NotAllowed, Stale
from b24app.ledger import catalog, facilities, rules, writes
from b24app.ledger.access import Viewer
from b24app.ledger.catalog import Need, Stock
from b24app.ledger.models import Portal, Service
from b24app.ledger.session import Tx
from b24app.scheduling.allocation import Place, Requirement, assign
from b24app.scheduling.interval import Interval

PREFERENCES = ("order", "least_used", "nearest")
MOST_REQUIREMENTS = 10
MOST_OPTIONS = 200
MOST_OF_ONE = 1000
LONGEST_STEP = LONGEST_BUFFER = 1440
LONGEST_HORIZON = 3650
FURTHEST_SORT = 1_000_000


@dataclass(frozen=True, slots=True)
class ServiceData:
    """Everything about a service that an administrator sets. Equal `min_minutes` and `max_minutes`: it always lasts so.

    `step_minutes`: on which steps of the wall clock it may start; 1 is at any minute.
    """

    name: str
    min_minutes: int = 60
    max_minutes: int = 60
    step_minutes: int = 30
    horizon_days: int = 365
    buffer_before: int = 0
    buffer_after: int = 0
    requirements: tuple[Need, ...] = ()
    policy_id: int | None = None
    tariff_id: int | None = None
    preference: str = "order"
    sort: int = 0


def check(data: ServiceData, longest_hours: int) -> None:
    """Raises InvalidInput with a code for every field that cannot be saved, whatever there is to book."""
    wrong = {
        "name": _name(data.name),
        "min_minutes": _shortest(data),
        "max_minutes": "too_long" if data.max_minutes > longest_hours * 60 else None,
        "step_minutes": _within(data.step_minutes, 1, LONGEST_STEP),
        "horizon_days": _within(data.horizon_days, 1, LONGEST_HORIZON),
        "buffer_before": _within(data.buffer_before, 0, LONGEST_BUFFER),
        "buffer_after": _within(data.buffer_after, 0, LONGEST_BUFFER),
        "preference": None if data.preference in PREFERENCES else "unknown_choice",
        "sort": _within(data.sort, -FURTHEST_SORT, FURTHEST_SORT),
        "requirements": _row_count(data.requirements),
    }
    found = _off_grid(data) | {field: code for field, code in wrong.items() if code}
    for n, need in enumerate(data.requirements):
        found |= {f"requirements-{n}-{field}": code for field, code in _wrong_need(need).items()}
    if found:
        raise InvalidInput(found)


def _name(name: str) -> str | None:
    if not name.strip():
        return "required"
    return "too_many_characters" if len(name) > 120 else None


def _within(number: int, least: int, most: int) -> str | None:
    return None if least <= number <= most else "out_of_range"


def _shortest(data: ServiceData) -> str | None:
    if data.min_minutes < 1:
        return "out_of_range"
    return "min_over_max" if data.min_minutes > data.max_minutes else None


def _off_grid(data: ServiceData) -> dict[str, str]:
    """A fixed length need not be whole steps: only its start is on the grid."""
    if data.min_minutes == data.max_minutes or _within(data.step_minutes, 1, LONGEST_STEP):
        return {}
    return {name: "off_grid" for name in ("min_minutes", "max_minutes") if getattr(data, name) % data.step_minutes}


def _row_count(requirements: Sequence[Need]) -> str | None:
    if not requirements:
        return "required"
    return "too_many" if len(requirements) > MOST_REQUIREMENTS else None


def _wrong_need(need: Need) -> dict[str, str]:
    wrong = {
        "kind": "unknown_kind" if need.kind is not None and not is_kind(need.kind) else None,
        "options": _wrong_options(need),
        "quantity": _within(need.quantity, 1, MOST_OF_ONE),
    }
    return {field: code for field, code in wrong.items() if code}


def _wrong_options(need: Need) -> str | None:
    if need.kind is not None:
        return "kind_or_resources" if need.options else None
    if not need.options:
        return "required"
    if len(set(need.options)) < len(need.options):
        return "duplicate"
    return "too_many" if len(need.options) > MOST_OPTIONS else None


def save_service(
    tx: Tx,
    portal: Portal,
    data: ServiceData,
    *,
    viewer: Viewer,
    now: datetime,
    longest_hours: int,
    service_id: int | None = None,
    revision: int | None = None,
) -> Service:
    """The service, added or changed, with what it requires. Raises InvalidInput, NotAllowed, NotFound, Stale."""
    service = _loaded(tx, portal, service_id, revision, viewer)
    check(data, longest_hours)
    _check_what_exists(tx, portal, data, now)
    before = None if service_id is None else _known(tx, portal, service)
    service.name = data.name.strip()
    service.min_minutes, service.max_minutes = data.min_minutes, data.max_minutes
    service.step_minutes, service.horizon_days = data.step_minutes, data.horizon_days
    service.buffer_before, service.buffer_after = data.buffer_before, data.buffer_after
    service.policy_id, service.tariff_id = data.policy_id, data.tariff_id
    service.preference, service.sort = data.preference, data.sort
    tx.add(service)
    tx.flush()
    rules.replace_needs(tx, portal.id, service.id, data.requirements)
    facilities.remember_longest(tx, portal.id)
    after = _known(tx, portal, service)
    changes.record(tx, portal, viewer.actor, "service", service.id, service.name, None, before, after, now)
    writes.board_changed(tx, portal.id)
    return service


def _known(tx: Tx, portal: Portal, service: Service) -> ServiceData:
    return data_of(service, rules.needs(tx, portal.id, [service.id]).get(service.id, ()))


def _loaded(tx: Tx, portal: Portal, service_id: int | None, revision: int | None, viewer: Viewer) -> Service:
    if not viewer.is_admin:
        raise NotAllowed("settings")
    if service_id is None:
        return Service(portal_id=portal.id)
    service = rules.service(tx, portal.id, service_id, lock=True)
    if revision is not None and service.revision != revision:
        raise Stale(service.revision)
    service.revision += 1
    return service


def _check_what_exists(tx: Tx, portal: Portal, data: ServiceData, now: datetime) -> None:
    """Raises InvalidInput for rules and tariffs that are not there, and for what no resource could ever meet."""
    wrong = wrong_choices(tx, portal, data)
    wrong |= beyond_what_exists(tx, portal, data.requirements, now)
    if wrong:
        raise InvalidInput(wrong)


def beyond_what_exists(tx: Tx, portal: Portal, requirements: Sequence[Need], now: datetime) -> dict[str, str]:
    """A code for every requirement that could not be met though nothing at all were booked, by field."""
    some_time = Interval(now, now + timedelta(minutes=1))
    named = {one for need in requirements for one in need.options}
    stock = catalog.stock(tx, portal.id, named, {need.kind for need in requirements if need.kind}, some_time)
    wrong = {
        f"requirements-{n}-options": "unknown_resource"
        for n, need in enumerate(requirements)
        if len(stock.options(need)) < len(need.options)
    }
    return wrong or _never_met(stock, requirements, some_time)


def _never_met(stock: Stock, requirements: Sequence[Need], some_time: Interval) -> dict[str, str]:
    """Each by itself, and then together: two may need the same two lasers."""
    places = {
        fact.id: Place(fact.id, fact.kind, stock.units(fact.id), whole=fact.is_composite, opened=(some_time,))
        for fact in stock.facts.values()
    }
    asked = [Requirement(tuple(fact.id for fact in stock.options(need)), need.quantity) for need in requirements]
    wrong = {
        f"requirements-{n}-quantity": "more_than_exists"
        for n, one in enumerate(asked)
        if assign([one], places, {}, some_time) is None
    }
    if wrong:
        return wrong
    fitting = next((n for n in range(len(asked)) if assign(asked[: n + 1], places, {}, some_time) is None), None)
    return {} if fitting is None else {f"requirements-{fitting}-quantity": "more_than_is_left"}


def archive_service(
    tx: Tx,
    portal: Portal,
    service_id: int,
    *,
    viewer: Viewer,
    now: datetime,
    archived: bool = True,
    revision: int | None = None,
) -> Service:
    """The service, no longer offered, or offered again when it still can be; its bookings stay."""
    service = _loaded(tx, portal, service_id, revision, viewer)
    if not archived:
        required = rules.needs(tx, portal.id, [service_id]).get(service_id, ())
        if wrong := beyond_what_exists(tx, portal, required, now):
            raise InvalidInput(wrong)
    was, service.archived_at = service.archived_at is not None, None if not archived else now
    tx.flush()
    changes.record(
        tx, portal, viewer.actor, "service", service.id, service.name, "archived" if archived else "restored",
        {"archived": was}, {"archived": archived}, now,
    )  # fmt: skip
    return service


def data_of(service: Service, requirements: Sequence[Need]) -> ServiceData:
    """The same the other way, for showing it in a form."""
    names = (
        "name", "min_minutes", "max_minutes", "horizon_days", "buffer_before", "buffer_after", "policy_id", "tariff_id",
        "preference", "sort",
    )  # fmt: skip
    data = ServiceData(**{name: getattr(service, name) for name in names}, requirements=tuple(requirements))
    return data if service.step_minutes is None else replace(data, step_minutes=service.step_minutes)
