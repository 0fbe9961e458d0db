"""Every function of `facilities.py`, called for portal B with the ids of portal A, finds and changes nothing."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.orm import Session

from b24app.booking.closures import ClosureData, save_closure
from b24app.booking.resources import SpecialDay
from b24app.booking.tariffs import save_tariff
from b24app.errors import NotFound
from b24app.ledger import facilities
from b24app.ledger.facilities import Composition
from b24app.ledger.models import Portal
from b24app.scheduling.hours import OpeningHours, Stretch
from b24app.scheduling.pricing import Tariff
from tests.booking.test_resources import Keeper, rows
from tests.factories import ADMIN, hour, make_portal

DAY = date(2026, 3, 10)
NOTHING: tuple[Any, ...] = (None, 0, False, [], {}, set(), Composition({}))


@dataclass
class Foreign:
    """Portal B, and what is portal A's."""

    here: int
    part: int
    whole: int
    closure: int
    series: uuid.UUID
    now: datetime


CALLS: dict[str, Callable[[Session, Foreign], Any]] = {
    "composition": lambda tx, b: facilities.composition(tx, b.here),
    "replace_parts": lambda tx, b: facilities.replace_parts(tx, b.here, b.whole, []),
    "offered_above": lambda tx, b: facilities.offered_above(tx, b.here, b.part),
    "known_resources": lambda tx, b: facilities.known_resources(tx, b.here, [b.part, b.whole]),
    "units": lambda tx, b: facilities.units(tx, b.here, [b.part]),
    "set_units": lambda tx, b: facilities.set_units(tx, b.here, b.part, 5, b.now),
    "bookings_ahead": lambda tx, b: facilities.bookings_ahead(tx, b.here, [b.part, b.whole], b.now),
    "bookings_ahead_on_units": lambda tx, b: facilities.bookings_ahead_on_units(tx, b.here, b.part, 0, b.now),
    "replace_hours": lambda tx, b: facilities.replace_hours(tx, b.here, b.part, [OpeningHours(0, 0, 60)]),
    "special_hours": lambda tx, b: facilities.special_hours(tx, b.here, b.part),
    "replace_special_hours": lambda tx, b: facilities.replace_special_hours(
        tx, b.here, b.part, {DAY: [Stretch(0, 60)]}
    ),
    "bare_service": lambda tx, b: facilities.bare_service(tx, b.here, b.part),
    "save_bare_service": lambda tx, b: facilities.save_bare_service(
        tx, b.here, b.part, name="Чужая", min_minutes=1, max_minutes=2, horizon_days=3
    ),
    "remember_longest": lambda tx, b: facilities.remember_longest(tx, b.here),
    "closures": lambda tx, b: facilities.closures(tx, b.here, b.now),
    "past_closures": lambda tx, b: facilities.past_closures(tx, b.here, b.now.replace(year=2030)),
    "closure": lambda tx, b: facilities.closure(tx, b.here, b.closure),
    "bookings_in_closures": lambda tx, b: facilities.bookings_in_closures(tx, b.here, [b.closure], b.now),
    "booking_ids_ahead": lambda tx, b: facilities.booking_ids_ahead(tx, b.here, [b.part, b.whole], b.now),
    "tariffs_of_resources": lambda tx, b: facilities.tariffs_of_resources(tx, b.here, [b.part]),
    "series_of_closures": lambda tx, b: facilities.series_of_closures(tx, b.here, b.series),
    "bookings_meeting": lambda tx, b: facilities.bookings_meeting(tx, b.here, b.part, [hour(b.now, 1)], b.now),
}


@pytest.fixture
def foreign(tx: Session, portal: Portal, now: datetime) -> Foreign:
    keeper = Keeper(tx, portal, now)
    tariff = save_tariff(tx, portal, Tariff("Час", "hour", Decimal(500)), viewer=ADMIN, now=now)
    part = keeper.save(
        tariff_id=tariff.id, special=(SpecialDay(DAY, ((0, 1440),)),), units=2, max_minutes=1440, buffer_before=60
    )
    whole = keeper.composite(part)
    keeper.book(whole)
    keeper.book(part, 3)
    closure = save_closure(tx, portal, ClosureData(DAY), viewer=ADMIN, now=now)
    weekly = ClosureData(DAY, until=DAY + timedelta(days=14), start=600, end=660)
    series = save_closure(tx, portal, weekly, viewer=ADMIN, now=now).series
    assert series is not None
    return Foreign(make_portal(tx).id, part.id, whole.id, closure.id, series, now)


def test_every_function_is_called() -> None:
    public = {
        name
        for name, value in vars(facilities).items()
        if inspect.isfunction(value) and value.__module__ == facilities.__name__ and not name.startswith("_")
    }
    assert public == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_another_portals_ids_find_and_change_nothing(tx: Session, foreign: Foreign, name: str) -> None:
    before = rows(tx)
    try:
        found = CALLS[name](tx, foreign)
    except NotFound:
        found = None
    assert found in NOTHING
    assert rows(tx) == before


WRITES = ("replace_parts", "set_units", "replace_hours", "replace_special_hours", "save_bare_service")
SILENT = {*WRITES, "remember_longest"}


@pytest.mark.parametrize("name", sorted(set(CALLS) - SILENT))
def test_in_their_own_portal_the_same_ids_do_find_something(
    tx: Session, portal: Portal, foreign: Foreign, name: str
) -> None:
    foreign.here = portal.id
    assert CALLS[name](tx, foreign) not in NOTHING


@pytest.mark.parametrize("name", WRITES)
def test_in_their_own_portal_the_same_ids_do_change_something(
    tx: Session, portal: Portal, foreign: Foreign, name: str
) -> None:
    foreign.here, before = portal.id, rows(tx)
    CALLS[name](tx, foreign)
    assert rows(tx) != before


def test_a_part_of_another_portal_is_not_put_into_a_whole(tx: Session, portal: Portal, foreign: Foreign) -> None:
    here = Keeper(tx, make_portal(tx), foreign.now)
    whole = here.save()
    before = rows(tx)
    with pytest.raises(NotFound):
        facilities.replace_parts(tx, here.portal.id, whole.id, [foreign.part])
    assert rows(tx) == before
