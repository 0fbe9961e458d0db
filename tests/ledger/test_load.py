"""Every function of `load`, called for portal B with ids of portal A, finds nothing; and what its sums leave out."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from b24app.ledger import load
from b24app.ledger.board import Look
from b24app.ledger.load import Calendar
from b24app.ledger.models import Portal
from tests.factories import hour, make_booking, make_resource
from tests.ledger.test_isolation import Foreign, board_of_theirs
from tests.ledger.test_isolation import foreign as foreign  # noqa: PLC0414 — a fixture

HOUR = 3600


def taken(tx: Session, b: Foreign, portal_id: int) -> Any:
    first = int(b.now.timestamp())
    calendar = Calendar([first, first + 24 * HOUR], {b.resource.id: [(first, first + 24 * HOUR)]})
    look = Look(hour(b.now, 0, 24), timedelta(days=14), b.now)
    return load.taken(tx, portal_id, board_of_theirs(tx, b), calendar, look)


def of_own(tx: Session, b: Foreign) -> None:
    """The same calls do find it for portal A."""
    own = b.resource.portal_id
    assert taken(tx, b, own)[b.resource.id, 0].seconds == HOUR
    assert b.booking.number in load.lines(tx, own, [b.booking.number])
    assert load.about(tx, own, b.resource.id) is not None


CALLS: dict[str, Callable[[Session, Foreign], Any]] = {
    "taken": lambda tx, b: taken(tx, b, b.here.id),
    "lines": lambda tx, b: load.lines(tx, b.here.id, [b.booking.number]),
    "about": lambda tx, b: load.about(tx, b.here.id, b.resource.id),
}


def test_every_function_that_takes_a_portal_is_called() -> None:
    functions = inspect.getmembers(load, inspect.isfunction)
    with_portal = {n for n, f in functions if "portal_id" in inspect.signature(f).parameters and n[0] != "_"}
    own = {name for name in with_portal if getattr(load, name).__module__ == load.__name__}
    assert own == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_finds_nothing_of_another_portal(name: str, tx: Session, foreign: Foreign) -> None:
    of_own(tx, foreign)
    assert CALLS[name](tx, foreign) in (None, {})


def test_spans_are_cut_at_midnight() -> None:
    assert load.by_day([(5, 25), (30, 31)], [0, 10, 20, 30]) == [(0, 5, 10), (1, 10, 20), (2, 20, 25)]
    assert load.by_day([(5, 25)], [0, 10, 10, 20]) == [(0, 5, 10), (2, 10, 20)], "a day that was left out"


def test_what_only_touches_a_day_or_its_hours_is_none_of_it(tx: Session, portal: Portal, now: Any) -> None:
    room = make_resource(tx, portal, now=now)
    for start in (1, 4):
        make_booking(tx, portal, room, now=now, interval=hour(now, start, 2))
    first = int(now.timestamp())
    days = [first, first + 3 * HOUR, first + 24 * HOUR]
    open_ = {room.id: [(first, first + 2 * HOUR), (first + 5 * HOUR, first + 24 * HOUR)]}
    foreign_ = Foreign(portal, room, None, None, None, 0, None, now)  # type: ignore[arg-type]
    look = Look(hour(now, 0, 24), timedelta(days=14), now)
    found = load.taken(tx, portal.id, board_of_theirs(tx, foreign_), Calendar(days, open_), look)
    assert {day: (one.seconds, one.pieces) for (_, day), one in found.items()} == {0: (HOUR, 1), 1: (HOUR, 1)}
