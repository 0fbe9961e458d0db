"""Specialists' other business: who is busy in his calendar is not offered, not booked and not moved there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from b24app import texts
from b24app.booking.change import Move, confirm_booking, move_booking
from b24app.booking.reserve import BookingRequest
from b24app.booking.terms import free_times, read_terms
from b24app.errors import PolicyViolation, SlotTaken
from b24app.ledger import business
from b24app.ledger.business import Wanted
from b24app.ledger.models import Portal, Resource
from b24app.scheduling.interval import Interval
from tests.factories import ADMIN, book_service, hour, make_booking, make_portal, make_resource, make_service

ANNA, BORIS = 5, 7


def specialist(tx: Session, portal: Portal, now: datetime, user_id: int = ANNA, **values: Any) -> Resource:
    named = {"name": "Анна Седова", "kind": "specialist", "portal_user_id": user_id, **values}
    return make_resource(tx, portal, now=now, **named)


def busy(tx: Session, portal: Portal, now: datetime, *wanted: Interval, user_id: int = ANNA, how: str = "busy") -> None:
    """His calendar said so just now; all days around are known."""
    known: dict[business.OfDay, list[business.Span]] = {
        (user_id, day): [] for day in business.days_of(Interval(now, now + timedelta(days=3)))
    }
    for one in wanted:
        known[user_id, one.start.date()].append((int(one.start.timestamp()), int(one.end.timestamp()), how))
    business.keep(tx, portal.id, known, now)


def starts(tx: Session, portal: Portal, request: BookingRequest, now: datetime) -> list[float]:
    """The free starts of the next hours, in hours from now."""
    found = free_times(tx, portal, request, hour(now, 0, 6), viewer=ADMIN, now=now)
    return [(one.interval.start - now) / timedelta(hours=1) for one in found]


def test_a_busy_specialist_is_refused_by_name_and_time_also_to_those_who_manage(
    tx: Session, portal: Portal, now: datetime
) -> None:
    anna = specialist(tx, portal, now, time_zone="Asia/Yekaterinburg")
    busy(tx, portal, now, hour(now, 1, 2))
    with pytest.raises(PolicyViolation) as refusal:
        make_booking(tx, portal, anna, now=now, viewer=ADMIN, interval=hour(now, 2))
    (broken,) = refusal.value.violations
    assert (broken.code, broken.at, broken.params["name"]) == ("specialist_busy", "start", "Анна Седова")
    assert "12:00–14:00" in texts.say_violation("en", broken.code, broken.params)  # by her own clock
    make_booking(tx, portal, anna, now=now, interval=hour(now, 3))  # touching is free


@pytest.mark.parametrize(("how", "free"), [("busy", False), ("absent", False), ("quest", True)])
def test_what_is_sure_is_not_offered_and_what_is_not_is(
    tx: Session, portal: Portal, now: datetime, how: str, free: bool
) -> None:
    anna = specialist(tx, portal, now)
    busy(tx, portal, now, hour(now, 2), how=how)
    assert (2.0 in starts(tx, portal, BookingRequest(hour(now, 2), resource_id=anna.id), now)) is free


def test_another_specialist_takes_over_and_only_when_none_is_left_it_is_refused(
    tx: Session, portal: Portal, now: datetime
) -> None:
    anna, boris = specialist(tx, portal, now), specialist(tx, portal, now, BORIS, name="Борис Ким")
    service = make_service(tx, portal, ("specialist", 1))
    busy(tx, portal, now, hour(now, 1))
    terms = read_terms(tx, portal, BookingRequest(hour(now, 1), service_id=service.id), viewer=ADMIN, now=now)
    assert [seat.resource_id for seat in terms.seats] == [boris.id]
    picked = BookingRequest(hour(now, 1), service_id=service.id, resource_ids=frozenset({anna.id}))
    broken = read_terms(tx, portal, picked, viewer=ADMIN, now=now).violations
    assert [one.code for one in broken] == ["specialist_busy"]
    book_service(tx, portal, service, now=now)
    with pytest.raises(SlotTaken) as taken:  # one is booked, the other busy: both reasons are told
        book_service(tx, portal, service, now=now)
    assert {one.resource_id for one in taken.value.obstacles} >= {anna.id, boris.id}


def test_a_booking_is_not_moved_onto_other_business_but_stays_where_it_came_later(
    tx: Session, portal: Portal, now: datetime
) -> None:
    service = make_service(tx, portal, (specialist(tx, portal, now), 1), rules={"hold_minutes": 30})
    made = book_service(tx, portal, service, now=now)
    busy(tx, portal, now, hour(now, 1), hour(now, 4))
    with pytest.raises(PolicyViolation):
        move_booking(tx, portal, made.id, Move(hour(now, 4)), revision=made.revision, viewer=ADMIN, now=now)
    assert confirm_booking(tx, portal, made.id, revision=made.revision, viewer=ADMIN, now=now).stage == "confirmed"


def test_a_team_cannot_be_had_when_one_of_it_is_busy(tx: Session, portal: Portal, now: datetime) -> None:
    anna, boris = specialist(tx, portal, now), specialist(tx, portal, now, BORIS, name="Борис Ким")
    team = make_resource(tx, portal, now=now, kind="specialist", name="Бригада", parts=(anna.id, boris.id))
    busy(tx, portal, now, hour(now, 1), user_id=BORIS)
    with pytest.raises(PolicyViolation):
        make_booking(tx, portal, team, now=now)
    assert business.people(tx, portal.id, Wanted(frozenset({team.id}))).keys() == {ANNA, BORIS}


def test_a_company_that_does_not_obey_calendars_books_over_them(tx: Session, portal: Portal, now: datetime) -> None:
    anna = specialist(tx, portal, now)
    busy(tx, portal, now, hour(now, 1))
    tx.execute(update(Portal).values(settings={"obey_business": False}))
    make_booking(tx, portal, anna, now=now)
    assert business.people(tx, portal.id, Wanted(everything=True)) == {}


def test_calendars_are_kept_and_forgotten_by_portal(tx: Session, portal: Portal, now: datetime) -> None:
    other = make_portal(tx)
    anna = specialist(tx, portal, now)
    specialist(tx, other, now)
    busy(tx, other, now, hour(now, 1))
    make_booking(tx, portal, anna, now=now)  # the same number of another portal's person
    window = Interval(now, now + timedelta(days=1))
    assert business.busy(tx, portal.id, [ANNA], window) == {}
    assert business.busy(tx, other.id, [ANNA], window) == {ANNA: [hour(now, 1)]}
    later = now + timedelta(days=2)
    business.keep(tx, other.id, {(BORIS, later.date()): []}, later)
    assert business.busy(tx, other.id, [ANNA], window) == {}  # read too long ago


def test_an_older_answer_does_not_replace_a_newer_one(tx: Session, portal: Portal, now: datetime) -> None:
    busy(tx, portal, now + timedelta(seconds=1), hour(now, 1))
    busy(tx, portal, now)
    assert business.busy(tx, portal.id, [ANNA], Interval(now, now + timedelta(days=1)))[ANNA] == [hour(now, 1)]


def test_whoever_could_serve_a_service_has_a_say_in_it(tx: Session, portal: Portal, now: datetime) -> None:
    anna, boris = specialist(tx, portal, now), specialist(tx, portal, now, BORIS, time_zone="Asia/Omsk")
    room = make_resource(tx, portal, now=now)
    by_kind = make_service(tx, portal, ("specialist", 1), (room, 1))
    by_name = make_service(tx, portal, ([boris, room], 1))
    say = {
        s.name: set(business.people(tx, portal.id, Wanted(service_ids=frozenset({s.id})))) for s in (by_kind, by_name)
    }
    assert say == {by_kind.name: {ANNA, BORIS}, by_name.name: {BORIS}}
    assert business.people(tx, portal.id, Wanted(frozenset({room.id}))) == {}
    assert str(business.people(tx, portal.id, Wanted(frozenset({boris.id})))[BORIS]) == "Asia/Omsk"
    assert business.people(tx, make_portal(tx).id, Wanted(frozenset({anna.id}), everything=True)) == {}


def test_a_day_ends_at_its_midnight() -> None:
    midnight = datetime(2026, 3, 11, tzinfo=UTC)
    days = business.days_of(Interval(midnight - timedelta(hours=1), midnight))
    assert [day.day for day in days] == [10]
