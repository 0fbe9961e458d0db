"""What the portal does not show yet, and what came of showing it.

The refs of `refs` are the outbox: dirty while `written_revision < revision`. Here is what the drain reads and writes.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, case, exists, func, or_, select, text, true, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, aliased

from b24app.ledger import deliveries, queries, refs, robot_calls, sightings
from b24app.ledger.models import (
    Allocation,
    Booking,
    Claim,
    Client,
    ExternalRef,
    Installation,
    Portal,
    Resource,
    Service,
    Tariff,
)
from b24app.scheduling.hours import OpeningHours

DRAIN_LOCK = 8_024_002  # any constant: the first half of the advisory lock, the portal's id is the second
RESOURCES, DEALS, BOOKINGS, ROWS, EVENTS = "resources", "deals", "bookings", "rows", "events"
PHASE_OF = {"deal": DEALS, "item": BOOKINGS, "rows": ROWS, "event": EVENTS}  # of bookings
PHASES = (RESOURCES, DEALS, BOOKINGS, ROWS, EVENTS)  # each may refer to what the ones before it have made


@dataclass(frozen=True, slots=True)
class Drawn:
    """The portal shows what the ledger said: `drawn` is what of it the ledger owns."""

    remote_id: int
    drawn: Mapping[str, Any]
    host: int | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """The portal shows nothing, and nothing is what it should show."""


@dataclass(frozen=True, slots=True)
class Later:
    """Not done now; `at`: not before. `certain`: the portal has not acted, so what was intended is void."""

    at: datetime
    certain: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """What was known under its id has gone: look for it by `intent`'s mark, and else draw it anew."""

    at: datetime
    intent: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rehosted:
    """It belongs to another user than we thought; once more with him as `host`."""

    at: datetime
    host: int


@dataclass(frozen=True, slots=True)
class Parked:
    """Somebody must act: `reason` is the portal's own code and words, or a code that `texts` knows."""

    reason: str


Outcome = Drawn | Removed | Later | Missing | Rehosted | Parked


@contextmanager
def only_drain(engine: Engine, portal_id: int, wait_seconds: int = 5) -> Iterator[bool]:
    """Whether this process alone draws in the portal until the end of the block; waits a little for its turn.

    A lock of the session and not of a transaction, because none may be open during a call; the server frees it at
    once when this process dies.
    """
    key = {"class": DRAIN_LOCK, "portal": portal_id}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SELECT set_config('lock_timeout', :wait, false)"), {"wait": f"{wait_seconds}s"})
        try:
            connection.execute(text("SELECT pg_advisory_lock(:class, CAST(:portal AS int))"), key)
        except OperationalError:  # lock_timeout: somebody else draws
            connection.invalidate()
            yield False
            return
        try:
            yield True
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:class, CAST(:portal AS int))"), key)
            connection.execute(text("RESET lock_timeout"))


def due(
    tx: Session, portal_id: int, phase: str, now: datetime, *, bulk: bool = False, limit: int = 50
) -> list[ExternalRef]:
    """What is behind in the portal and may be tried now, the longest waiting first."""
    rows = tx.scalars(
        select(ExternalRef)
        .where(*_due(portal_id, now), _phase(phase), ExternalRef.bulk.is_(bulk))
        .order_by(ExternalRef.dirty_since, ExternalRef.id)
        .limit(limit)
    )
    return list(rows)


def phases_behind(tx: Session, portal_id: int, now: datetime) -> set[str]:
    """The phases in which anything is due, or will be once what it depends on was drawn."""
    kinds = tx.execute(
        select(ExternalRef.kind, ExternalRef.resource_id.is_not(None)).where(*_due(portal_id, now)).distinct()
    )
    return {RESOURCES if of_resource else PHASE_OF[kind] for kind, of_resource in kinds}


def people_wait(tx: Session, portal_id: int, now: datetime) -> bool:
    """Whether anything is behind that somebody in front of a screen waits for."""
    return bool(tx.scalar(select(exists().where(*_due(portal_id, now), ExternalRef.bulk.is_(False)))))


def anything_due(tx: Session, portal_id: int, now: datetime) -> bool:
    """Whether there is work in this portal."""
    return bool(tx.scalar(select(_work(portal_id, now))))


def _work(portal_id: Any, now: datetime) -> ColumnElement[bool]:
    return or_(
        exists().where(*_due(portal_id, now)),
        sightings.waiting(portal_id, now),
        robot_calls.waiting(portal_id, now),
        deliveries.waiting(portal_id, now),
    )


def portals_with_work(tx: Session, now: datetime) -> list[int]:
    """The portals where there is work that may be done."""
    return list(
        tx.scalars(
            select(Portal.id)
            .join(Installation, Installation.portal_id == Portal.id)
            .where(
                Installation.state == "active",
                Installation.needs_admin.is_(False),
                Installation.payment_expired.is_(False),
                _work(Portal.id, now),
            )
            .order_by(Portal.id)
        )
    )


def _due(portal_id: Any, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        ExternalRef.portal_id == portal_id,
        ExternalRef.dirty_since.is_not(None),
        ExternalRef.parked_reason.is_(None),
        or_(ExternalRef.due_at.is_(None), ExternalRef.due_at <= now),
    )


def _phase(phase: str) -> ColumnElement[bool]:
    if phase == DEALS:
        return ExternalRef.kind == "deal"
    if phase in (ROWS, EVENTS):
        return and_(ExternalRef.kind == ("rows" if phase == ROWS else "event"), ~_item_comes_first())
    owner = ExternalRef.resource_id if phase == RESOURCES else ExternalRef.booking_id
    return and_(ExternalRef.kind == "item", owner.is_not(None))


def _item_comes_first() -> ColumnElement[bool]:
    """An event carries the link to the booking's item; one that cannot be made just now is not waited for."""
    item = aliased(ExternalRef)
    return exists().where(
        item.portal_id == ExternalRef.portal_id,
        item.booking_id == ExternalRef.booking_id,
        item.kind == "item",
        item.remote_id.is_(None),
        item.dirty_since.is_not(None),
        item.parked_reason.is_(None),
        item.attempts == 0,
    )


@dataclass(frozen=True, slots=True)
class Subjects:
    """What refs are pictures of, by id, and the ids of the items that the portal has of them."""

    bookings: dict[uuid.UUID, queries.BookingRow]
    sums: dict[uuid.UUID, queries.Sums]
    resources: dict[int, Resource]
    hours: dict[int, tuple[OpeningHours, ...]]
    booking_items: dict[uuid.UUID, int]
    resource_items: dict[int, int]
    prices: Mapping[int, Decimal] = field(default_factory=dict)  # what booking a resource by itself costs in the main


def subjects(tx: Session, portal_id: int, refs: Collection[ExternalRef]) -> Subjects:
    """Everything that must be known to draw these refs.

    To be read after the refs: a booking newer than its ref's revision is drawn once more, an older one never.
    """
    booking_ids = {ref.booking_id for ref in refs if ref.booking_id is not None}
    held = queries.resources_of_bookings(tx, portal_id, booking_ids)
    rows = tx.execute(
        select(Booking, Service, Client)
        .join(Service, Service.id == Booking.service_id)
        .outerjoin(Client, and_(Client.id == Booking.client_id, Client.portal_id == portal_id))
        .where(Booking.portal_id == portal_id, Booking.id.in_(booking_ids))
    ).all()
    wanted = {ref.resource_id for ref in refs if ref.resource_id is not None}
    resources = tx.scalars(select(Resource).where(Resource.portal_id == portal_id, Resource.id.in_(wanted)))
    shown_on = {resource.id for row in held.values() for resource in row}
    return Subjects(
        bookings={row[0].id: queries.BookingRow(row[0], row[1], row[2], held.get(row[0].id, ())) for row in rows},
        sums=queries.sums_of(tx, portal_id, booking_ids),
        resources={resource.id: resource for resource in resources},
        hours=queries.hours(tx, portal_id, wanted),
        booking_items=_items(tx, portal_id, ExternalRef.booking_id, booking_ids),
        resource_items=_items(tx, portal_id, ExternalRef.resource_id, shown_on),
        prices=_main_prices(tx, portal_id, wanted),
    )


def _main_prices(tx: Session, portal_id: int, resource_ids: Collection[int]) -> dict[int, Decimal]:
    """The main price of what each of these costs by itself; a tariff of rules alone has none."""
    rows = tx.execute(
        select(Service.resource_id, Tariff.body["price"].as_string())
        .join(Tariff, Tariff.id == Service.tariff_id)
        .where(Service.portal_id == portal_id, Service.resource_id.in_(resource_ids))
    )
    return {resource_id: Decimal(price) for resource_id, price in rows if resource_id is not None and price}


def _items(tx: Session, portal_id: int, owner: Any, owner_ids: Collection[Any]) -> dict[Any, int]:
    rows = tx.execute(
        select(owner, ExternalRef.remote_id).where(
            ExternalRef.portal_id == portal_id,
            ExternalRef.kind == "item",
            owner.in_(owner_ids),
            ExternalRef.remote_id.is_not(None),
        )
    )
    return {owner_id: remote_id for owner_id, remote_id in rows if remote_id is not None}


def known_events(tx: Session, portal_id: int, remote_ids: Collection[int]) -> set[int]:
    """Which of these calendar events are somebody's already."""
    rows = tx.scalars(
        select(ExternalRef.remote_id).where(
            ExternalRef.portal_id == portal_id, ExternalRef.kind == "event", ExternalRef.remote_id.in_(remote_ids)
        )
    )
    return {remote_id for remote_id in rows if remote_id is not None}


def intend(tx: Session, ref: ExternalRef, intent: Mapping[str, Any]) -> bool:
    """Notes what is about to be made or deleted, to be committed before it is.

    False when the ref is not as it was read: the lock of `only_drain` was lost, and another process draws it.
    """
    as_read = (
        ExternalRef.remote_id.is_not_distinct_from(ref.remote_id),
        ExternalRef.intent.is_not_distinct_from(ref.intent),
    )
    noting = _one(ref.portal_id, ref.id).where(*as_read).values(intent=dict(intent))
    return tx.scalar(noting.returning(ExternalRef.id)) is not None


def lock(tx: Session, portal_id: int, drawn: Collection[ExternalRef]) -> None:
    """Locks these refs together with those that `attach` and `record` may change along with them."""
    ids = {ref.id for ref in drawn}
    if new := [ref for ref in drawn if ref.kind == "item" and ref.remote_id is None]:
        ids.update(tx.scalars(select(ExternalRef.id).where(_showing_links(portal_id, new))))
    refs.lock(tx, ExternalRef.portal_id == portal_id, ExternalRef.id.in_(ids))


def attach(tx: Session, ref: ExternalRef, remote_id: int, host: int | None, now: datetime) -> None:
    """The picture was found by its mark; `ref` is changed with its row."""
    tx.execute(_one(ref.portal_id, ref.id).values(remote_id=remote_id, host=host, intent=None))
    ref.remote_id, ref.host, ref.intent = remote_id, host, None
    if ref.kind == "item":
        _redraw_links(tx, ref, now)


def record(tx: Session, ref: ExternalRef, outcome: Outcome, now: datetime) -> None:
    """What came of drawing `ref` as it was when it was read; it stays dirty when it was changed meanwhile."""
    tx.execute(_one(ref.portal_id, ref.id).values(_values(ref, outcome)))
    if isinstance(outcome, Drawn) and ref.kind == "item" and ref.remote_id != outcome.remote_id:
        _redraw_links(tx, ref, now)
    if isinstance(outcome, Drawn) and outcome.drawn.get("guests", []) != (ref.drawn or {}).get("guests", []):
        # The answer does not name the copies of who is invited now, and only by these ids is it told who declines.
        sightings.see(tx, ref.portal_id, [sightings.Hint(sightings.EVENT, outcome.remote_id)], now)


def _one(portal_id: int, ref_id: int) -> Any:
    return update(ExternalRef).where(ExternalRef.portal_id == portal_id, ExternalRef.id == ref_id)


def _values(ref: ExternalRef, outcome: Outcome) -> dict[str, Any]:
    again = {"attempts": ExternalRef.attempts + 1}
    match outcome:
        case Drawn(remote_id, drawn, host):
            return _in_step(ref) | {"remote_id": remote_id, "drawn": dict(drawn), "host": host}
        case Removed():
            return _in_step(ref) | {"remote_id": None, "drawn": None, "host": None}
        case Later(at, certain):
            return again | {"due_at": at} | ({"intent": _before(ref)} if certain else {})
        case Missing(at, intent):
            return again | {"due_at": at, "remote_id": None, "host": None, "intent": dict(intent)}
        case Rehosted(at, host):
            return again | {"due_at": at, "host": host}
        case Parked(reason):
            return {"intent": None, "parked_reason": _unless_changed(ref, reason, ExternalRef.parked_reason)}


def _before(ref: ExternalRef) -> dict[str, Any] | None:
    """What was intended before this try and may have happened: a deletion. An addition was looked for already."""
    return ref.intent if ref.remote_id is not None else None


def _in_step(ref: ExternalRef) -> dict[str, Any]:
    return {
        "written_revision": ref.revision,
        "dirty_since": _unless_changed(ref, None, ExternalRef.dirty_since),
        "intent": None,
        "attempts": 0,
        "due_at": None,
    }


def _unless_changed(ref: ExternalRef, value: Any, otherwise: Any) -> Any:
    return case((ExternalRef.revision == ref.revision, value), else_=otherwise)


def _redraw_links(tx: Session, item: ExternalRef, now: datetime) -> None:
    """What was drawn while this item did not exist lacks the link to it. Ordinarily nothing was."""
    tx.execute(
        update(ExternalRef)
        .where(_showing_links(item.portal_id, [item]))
        .values(
            revision=ExternalRef.revision + 1,
            bulk=or_(ExternalRef.bulk, ExternalRef.dirty_since.is_(None)),
            dirty_since=func.coalesce(ExternalRef.dirty_since, now),
        )
    )


def _showing_links(portal_id: int, items: Collection[ExternalRef]) -> ColumnElement[bool]:
    """Which pictures are there and show a link to one of these items: events to bookings', bookings to resources'."""
    bookings = [item.booking_id for item in items if item.booking_id is not None]
    resources = [item.resource_id for item in items]
    holding = select(Allocation.booking_id).where(
        Allocation.portal_id == portal_id, Allocation.resource_id.in_(resources)
    )
    asking = select(Claim.booking_id).where(Claim.portal_id == portal_id, Claim.resource_id.in_(resources))
    events = and_(ExternalRef.kind == "event", ExternalRef.booking_id.in_(bookings))
    of_resources = and_(ExternalRef.kind == "item", ExternalRef.booking_id.in_(holding.union(asking)))
    return and_(
        ExternalRef.portal_id == portal_id, ExternalRef.remote_id.is_not(None), events if bookings else of_resources
    )


def postpone(tx: Session, portal_id: int, kind: str | None, at: datetime) -> None:
    """Nothing of this kind, or nothing at all, is tried in this portal before `at`, unless somebody changes it."""
    due = (*_due(portal_id, at), ExternalRef.kind == kind if kind else true())
    refs.lock(tx, *due)
    tx.execute(update(ExternalRef).where(*due).values(due_at=at))


def remember_section(tx: Session, portal_id: int, user_id: int, section: int | None) -> None:
    """Keeps which section of his calendar a person's events go to; None forgets it."""
    tx.execute(
        text(
            "UPDATE portal SET calendar = jsonb_set(calendar, '{users}', jsonb_strip_nulls("
            "coalesce(calendar -> 'users', '{}') || jsonb_build_object(CAST(:user AS text), CAST(:section AS bigint))))"
            " WHERE id = :portal"
        ),
        {"portal": portal_id, "user": str(user_id), "section": section},
    )
