"""Closing a resource or the whole company for a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from b24app.booking.closures import ClosureData, data_of, every, meeting, remove_closure, save_closure
from b24app.errors import InvalidInput, NotAllowed, NotFound, PolicyViolation
from b24app.ledger import facilities
from b24app.ledger.models import Closure, Portal, Resource
from b24app.ledger.occupancy import as_interval
from b24app.scheduling.interval import Interval
from tests.booking.test_resources import Keeper, rows
from tests.conftest import NOW
from tests.factories import ADMIN, EMPLOYEE, hour, make_portal, make_resource

NOON = 12 * 60
DAY = date(2026, 3, 12)


def close(tx: Session, portal: Portal, day: date = DAY, **changed: Any) -> Closure:
    closure_id = changed.pop("closure_id", None)
    return save_closure(tx, portal, ClosureData(day, **changed), viewer=ADMIN, now=NOW, closure_id=closure_id)


def refused(tx: Session, portal: Portal, day: date = DAY, **changed: Any) -> dict[str, str]:
    """The fields for which it is refused; nothing at all has changed then."""
    before = rows(tx)
    with pytest.raises(InvalidInput) as refusal, tx.begin_nested():
        close(tx, portal, day, **changed)
    assert rows(tx) == before
    return refusal.value.fields


def at(month: int, day: int, hours: int = 0) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC) + timedelta(hours=hours)


@pytest.fixture
def room(tx: Session, portal: Portal, now: datetime) -> Resource:
    """Two hours ahead of the portal's own clock."""
    return make_resource(tx, portal, now=now, time_zone="Asia/Yekaterinburg")


def test_whole_days_by_the_portals_clock(tx: Session, portal: Portal) -> None:
    closure = close(tx, portal, end_day=date(2026, 3, 14), reason="  Ремонт ")
    assert as_interval(closure.during) == Interval(at(3, 11, 21), at(3, 14, 21))
    assert (closure.resource_id, closure.reason) == (None, "Ремонт")


def test_hours_by_the_resources_clock(tx: Session, portal: Portal, room: Resource) -> None:
    closure = close(tx, portal, start=NOON, end=NOON + 90, resource_id=room.id)
    assert as_interval(closure.during) == Interval(at(3, 12, 7), at(3, 12, 7) + timedelta(minutes=90))


def test_a_change_replaces_all_of_it(tx: Session, portal: Portal, room: Resource) -> None:
    closure = close(tx, portal, reason="Ремонт")
    same = close(tx, portal, date(2026, 4, 1), resource_id=room.id, closure_id=closure.id)
    assert (same.id, same.resource_id, same.reason) == (closure.id, room.id, "")
    assert tx.scalars(select(Closure.id)).all() == [closure.id]


def test_the_time_is_not_offered_and_then_offered_again(tx: Session, portal: Portal, now: datetime) -> None:
    keeper = Keeper(tx, portal, now)
    hall = keeper.save()
    closure = close(tx, portal, now.date(), resource_id=hall.id, reason="Покраска")
    with pytest.raises(PolicyViolation), tx.begin_nested():
        keeper.book(hall)
    remove_closure(tx, portal, closure.id, viewer=ADMIN, now=now)
    keeper.book(hall)


def test_boards_are_told(tx: Session, portal: Portal) -> None:
    def changes() -> int:
        tx.refresh(portal)
        return portal.changes

    counts = [changes()]
    closure = close(tx, portal)
    counts.append(changes())
    remove_closure(tx, portal, closure.id, viewer=ADMIN, now=NOW)
    counts.append(changes())
    assert counts == sorted(set(counts))


BAD: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "it ends before it starts": ({"start": NOON, "end": NOON - 60}, {"end": "end_before_start"}),
    "it ends as it starts": ({"start": NOON, "end": NOON}, {"end": "end_before_start"}),
    "its last day is before its first": ({"end_day": date(2026, 3, 11)}, {"end_date": "end_before_start"}),
    "more than three years": ({"end_day": date(2029, 3, 15)}, {"end_date": "over_three_years"}),
    "a long reason": ({"reason": "я" * 201}, {"reason": "too_many_characters"}),
    "no time of day": ({"start": -1, "end": 1441}, {"start": "not_a_time", "end": "not_a_time"}),
    "another age": ({"end_day": date(9999, 12, 31)}, {"end_date": "out_of_range"}),
    "a resource of nobody": ({"resource_id": 999_999}, {"resource": "unknown_resource"}),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_refused_at_its_field(tx: Session, portal: Portal, name: str) -> None:
    changed, fields = BAD[name]
    assert refused(tx, portal, **changed) == fields
    closure = close(tx, portal, reason="Ремонт")
    assert refused(tx, portal, closure_id=closure.id, **changed) == fields


@pytest.mark.parametrize(
    ("zone", "day", "minutes", "code"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 150, "hour_missing"),
        ("Europe/Berlin", date(2026, 10, 25), 150, "hour_doubled"),
        ("America/New_York", date(2026, 3, 8), 150, "hour_missing"),
        ("Australia/Lord_Howe", date(2026, 10, 4), 135, "hour_missing"),
        ("Africa/Cairo", date(2026, 4, 24), 30, "hour_missing"),
    ],
)
def test_an_unclear_hour_is_refused_at_its_field(
    tx: Session, portal: Portal, now: datetime, zone: str, day: date, minutes: int, code: str
) -> None:
    room = make_resource(tx, portal, now=now, time_zone=zone)
    yesterday = day - timedelta(days=1)
    assert refused(tx, portal, day, start=minutes, resource_id=room.id) == {"start": code}
    assert refused(tx, portal, yesterday, end_day=day, end=minutes, resource_id=room.id) == {"end": code}
    both = {"start": code, "end": code}
    assert refused(tx, portal, day, start=minutes, end=minutes, resource_id=room.id) == both


def test_a_day_without_a_midnight_is_closed_from_its_first_instant(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now, time_zone="Africa/Cairo")  # on 24 April 2026 it begins at 1:00
    closure = close(tx, portal, date(2026, 4, 24), resource_id=room.id)
    assert as_interval(closure.during) == Interval(at(4, 23, 22), at(4, 24, 21))


def test_bookings_that_stand_there_are_counted_and_stay(tx: Session, portal: Portal, now: datetime) -> None:
    keeper = Keeper(tx, portal, now)
    first, second, other = keeper.save(units=2), keeper.save(), keeper.save()
    whole = keeper.composite(first, second)
    keeper.book(first)
    keeper.book(whole, 3)
    keeper.book(other, 1)
    keeper.book(other, 30)
    today = now.date()
    ids = {
        name: close(tx, portal, today, resource_id=resource.id if resource else None).id
        for name, resource in (("first", first), ("second", second), ("whole", whole), ("other", other), ("all", None))
    }
    before = rows(tx)

    def counted(at: datetime) -> dict[str, int]:
        found = facilities.bookings_in_closures(tx, portal.id, list(ids.values()), at)
        return {name: found.get(closure_id, 0) for name, closure_id in ids.items()}

    assert counted(now) == {"first": 2, "second": 1, "whole": 1, "other": 1, "all": 3}
    assert counted(hour(now, 2).start) == {"first": 1, "second": 1, "whole": 1, "other": 0, "all": 1}
    assert rows(tx) == before


def test_what_is_over_stands_apart(tx: Session, portal: Portal, now: datetime) -> None:
    old = [close(tx, portal, date(2026, 1, n)).id for n in (1, 3)]
    running = close(tx, portal, date(2026, 3, 1), end_day=date(2026, 3, 31)).id
    ahead = close(tx, portal, date(2026, 2, 1), end_day=date(2026, 12, 31)).id
    assert [one.id for one in facilities.closures(tx, portal.id, now)] == [ahead, running]
    assert [one.id for one in facilities.past_closures(tx, portal.id, now)] == [old[1], old[0]]


def test_only_administrators_close(tx: Session, portal: Portal) -> None:
    closure = close(tx, portal)
    before = rows(tx)
    with pytest.raises(NotAllowed), tx.begin_nested():
        save_closure(tx, portal, ClosureData(DAY), viewer=EMPLOYEE, now=NOW)
    with pytest.raises(NotAllowed), tx.begin_nested():
        remove_closure(tx, portal, closure.id, viewer=EMPLOYEE, now=NOW)
    assert rows(tx) == before


def test_another_portals_closure_is_not_found(tx: Session, portal: Portal, now: datetime) -> None:
    other = make_portal(tx)
    foreign = close(tx, other)
    hidden = make_resource(tx, other, now=now)
    for act in (
        lambda: close(tx, portal, closure_id=foreign.id),
        lambda: remove_closure(tx, portal, foreign.id, viewer=ADMIN, now=now),
    ):
        with pytest.raises(NotFound):
            act()
    assert refused(tx, portal, resource_id=hidden.id) == {"resource": "unknown_resource"}


# What comes again ----

MONDAY = date(2026, 3, 16)
CLEANING: dict[str, Any] = {"start": 13 * 60, "end": 14 * 60, "until": date(2026, 4, 6), "reason": "Уборка"}


def times(tx: Session) -> list[tuple[date, int]]:
    """Day and hour in Moscow of everything that is closed."""
    begins = [as_interval(one).start + timedelta(hours=3) for one in tx.scalars(select(Closure.during))]
    return sorted((one.date(), one.hour) for one in begins)


def test_every_monday_until_a_date(tx: Session, portal: Portal) -> None:
    close(tx, portal, MONDAY, **CLEANING)
    assert times(tx) == [(MONDAY + timedelta(days=7 * n), 13) for n in range(4)]


def test_on_several_days_of_the_week_the_first_one_need_not_be_among(tx: Session, portal: Portal) -> None:
    close(tx, portal, MONDAY, **CLEANING | {"weekdays": (2, 4), "until": date(2026, 3, 25)})
    assert [day.day for day, _ in times(tx)] == [18, 20, 25]


def test_a_series_is_changed_and_removed_as_a_whole_whichever_of_its_times_is_named(
    tx: Session, portal: Portal
) -> None:
    first = close(tx, portal, MONDAY, **CLEANING)
    last = max(tx.scalars(select(Closure.id)))
    said = data_of(tx, portal, tx.get_one(Closure, last), ADMIN)
    assert said == ClosureData(MONDAY, weekdays=(0,), **CLEANING)
    changed = save_closure(tx, portal, replace(said, until=date(2026, 3, 23)), viewer=ADMIN, now=NOW, closure_id=last)
    assert (changed.id, len(times(tx))) == (first.id, 2)
    assert every(tx, portal, ADMIN, NOW) == [(first.id, replace(said, until=date(2026, 3, 23)))]
    once = save_closure(tx, portal, replace(said, until=None, weekdays=()), viewer=ADMIN, now=NOW, closure_id=first.id)
    assert (once.id, once.series, once.rule, times(tx)) == (first.id, None, None, [(MONDAY, 13)])
    again = save_closure(tx, portal, said, viewer=ADMIN, now=NOW, closure_id=first.id)
    remove_closure(tx, portal, max(tx.scalars(select(Closure.id))), viewer=ADMIN, now=NOW)
    assert (again.id, times(tx)) == (first.id, [])


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"until": date(2026, 3, 15)}, {"until": "until_before_start"}),
        ({"until": date(2026, 3, 20), "weekdays": (5,)}, {"until": "no_dates"}),
        ({"until": date(2028, 3, 20), "weekdays": (0, 1, 2, 3)}, {"until": "too_many_dates"}),
        ({"until": date(2039, 3, 20)}, {"until": "over_three_years"}),
        ({"weekdays": (7,)}, {"weekdays": "unknown_choice"}),
        ({"start": 840, "end": 780}, {"end": "end_before_start"}),
    ],
)
def test_a_series_that_cannot_be(tx: Session, portal: Portal, changed: dict[str, Any], fields: dict[str, str]) -> None:
    assert refused(tx, portal, MONDAY, **CLEANING | changed) == fields


def test_how_many_bookings_it_would_meet_is_known_before(tx: Session, portal: Portal, now: datetime) -> None:
    keeper = Keeper(tx, portal, now)
    part = keeper.save()
    whole = keeper.composite(part)
    keeper.book(whole, 4)
    data = ClosureData(now.date(), start=NOON, end=NOON + 90, resource_id=part.id)
    assert len(meeting(tx, portal, data, viewer=ADMIN, now=now)) == 1
    for other in (replace(data, start=600, end=660), replace(data, resource_id=keeper.save(name="Другой").id)):
        assert meeting(tx, portal, other, viewer=ADMIN, now=now) == []
    assert len(meeting(tx, portal, replace(data, resource_id=None), viewer=ADMIN, now=now)) == 1
    assert times(tx) == []
