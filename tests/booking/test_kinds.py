"""Every kind of thing that can be booked: pools, composites, buffers, services, people, rules, through the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from b24app.booking.attendance import check_in, pin_booking
from b24app.booking.change import Move, cancel_booking, move_booking, undo_change
from b24app.booking.clients import ClientData
from b24app.booking.reserve import BookingRequest, book
from b24app.booking.terms import free_times, next_free_times, read_terms
from b24app.errors import NotAllowed, NotFound, PolicyViolation, SlotTaken
from b24app.ledger import queries
from b24app.ledger.access import GrantRule, Viewer
from b24app.ledger.models import Allocation, Booking, Closure, Portal, Resource, SpecialHours
from b24app.ledger.occupancy import as_interval, as_range
from b24app.scheduling.interval import Interval
from tests.factories import ADMIN, EMPLOYEE, OFFICE, book_service, hour, make_booking, make_resource, make_service


def seats(tx: Session, booking: Booking) -> list[tuple[int, int, Interval]]:
    """Unit, the resource it was booked as, and for how long."""
    rows = tx.scalars(
        select(Allocation)
        .where(Allocation.booking_id == booking.id, Allocation.released_at.is_(None))
        .order_by(Allocation.unit_id)
        .execution_options(populate_existing=True)
    )
    return [(row.unit_id, row.resource_id, as_interval(row.during)) for row in rows]


def units(tx: Session, booking: Booking) -> list[int]:
    return [unit for unit, _, _ in seats(tx, booking)]


def resources(tx: Session, booking: Booking) -> set[int]:
    return {resource for _, resource, _ in seats(tx, booking)}


# Pools


def test_a_pool_is_full_when_every_unit_is_taken(tx: Session, portal: Portal, now: datetime) -> None:
    pool = make_resource(tx, portal, now=now, kind="equipment", units=3)
    taken = {units(tx, make_booking(tx, portal, pool, now=now))[0] for _ in range(3)}
    assert len(taken) == 3
    with pytest.raises(SlotTaken) as refused:
        make_booking(tx, portal, pool, now=now)
    assert [one.code for one in refused.value.obstacles] == ["taken"]


def fragmented(tx: Session, portal: Portal, pool: Resource, now: datetime) -> list[Booking]:
    """Two units: the first taken in the second hour only, the second in the first hour only."""
    four = [make_booking(tx, portal, pool, now=now, interval=hour(now, h)) for h in (1, 1, 2, 2)]
    first = units(tx, four[0])[0]
    same, other = (one for one in four[2:]) if units(tx, four[2])[0] == first else reversed(four[2:])
    for one in (four[0], other):
        cancel_booking(tx, portal, one.id, revision=1, viewer=ADMIN, now=now)
    return [four[1], same]


def test_a_fragmented_pool_is_seated_anew(tx: Session, portal: Portal, now: datetime) -> None:
    pool = make_resource(tx, portal, now=now, kind="equipment", units=2)
    left = fragmented(tx, portal, pool, now)
    assert units(tx, left[0]) != units(tx, left[1])
    made = make_booking(tx, portal, pool, now=now, interval=hour(now, 1, 2))
    assert units(tx, left[0]) == units(tx, left[1])
    assert units(tx, made) != units(tx, left[0])


@pytest.mark.parametrize("how", ["pinned", "arrived", "picked"])
def test_who_is_pinned_has_come_or_was_picked_is_never_moved(
    tx: Session, portal: Portal, now: datetime, how: str
) -> None:
    pool = make_resource(tx, portal, now=now, kind="equipment", units=2)
    for one in fragmented(tx, portal, pool, now):
        if how == "pinned":
            pin_booking(tx, portal, one.id, pinned=True, revision=1, viewer=ADMIN, now=now)
        elif how == "arrived":
            check_in(tx, portal, one.id, revision=1, viewer=ADMIN, now=now)
        else:
            one.wish = {"units": units(tx, one)}
    tx.flush()
    with pytest.raises(SlotTaken):
        make_booking(tx, portal, pool, now=now, interval=hour(now, 1, 2))


def test_a_unit_that_was_picked_is_the_one_that_is_taken(tx: Session, portal: Portal, now: datetime) -> None:
    pool = make_resource(tx, portal, now=now, kind="equipment", units=3)
    last = max(units(tx, make_booking(tx, portal, pool, now=now, interval=hour(now, 9))))
    for unit in (last + 1, last + 2):
        made = make_booking(tx, portal, pool, now=now, unit_ids=frozenset({unit}))
        assert units(tx, made) == [unit]
    with pytest.raises(SlotTaken):
        make_booking(tx, portal, pool, now=now, unit_ids=frozenset({last + 1}))


# Composites


def halls(tx: Session, portal: Portal, now: datetime) -> tuple[Resource, Resource, Resource]:
    first, second = (make_resource(tx, portal, now=now, kind="hall") for _ in range(2))
    return make_resource(tx, portal, now=now, kind="hall", parts=(first.id, second.id)), first, second


def test_a_composite_takes_its_parts(tx: Session, portal: Portal, now: datetime) -> None:
    whole, first, second = halls(tx, portal, now)
    made = make_booking(tx, portal, whole, now=now)
    assert len(units(tx, made)) == 2
    assert resources(tx, made) == {whole.id}
    for part in (first, second):
        with pytest.raises(SlotTaken), tx.begin_nested():
            make_booking(tx, portal, part, now=now)


def test_a_part_that_is_taken_blocks_the_composite(tx: Session, portal: Portal, now: datetime) -> None:
    whole, first, second = halls(tx, portal, now)
    make_booking(tx, portal, first, now=now)
    with pytest.raises(SlotTaken), tx.begin_nested():
        make_booking(tx, portal, whole, now=now)
    assert make_booking(tx, portal, second, now=now).stage == "confirmed"


def test_composites_may_be_nested(tx: Session, portal: Portal, now: datetime) -> None:
    whole, first, _ = halls(tx, portal, now)
    foyer = make_resource(tx, portal, now=now, kind="hall")
    house = make_resource(tx, portal, now=now, kind="hall", parts=(whole.id, foyer.id))
    assert len(units(tx, make_booking(tx, portal, house, now=now))) == 3
    with pytest.raises(SlotTaken):
        make_booking(tx, portal, first, now=now)


def test_a_composite_is_open_when_all_its_parts_are(tx: Session, portal: Portal, now: datetime) -> None:
    first = make_resource(tx, portal, now=now, hours=OFFICE)
    second = make_resource(tx, portal, now=now)
    whole = make_resource(tx, portal, now=now, parts=(first.id, second.id))
    assert make_booking(tx, portal, whole, now=now).stage == "confirmed"
    with pytest.raises(PolicyViolation, match="outside_hours"):
        make_booking(tx, portal, whole, now=now, interval=hour(now, 10))


def test_a_composite_needs_the_buffers_of_its_parts(tx: Session, portal: Portal, now: datetime) -> None:
    cleaned = make_resource(tx, portal, now=now, buffer_after=30)
    whole = make_resource(tx, portal, now=now, parts=(cleaned.id, make_resource(tx, portal, now=now).id))
    made = make_booking(tx, portal, whole, now=now)
    assert {during.duration for _, _, during in seats(tx, made)} == {timedelta(minutes=90)}


# Buffers


def test_neighbouring_buffers_add_up(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now, buffer_before=30, buffer_after=30)
    make_booking(tx, portal, room, now=now, interval=hour(now, 2))
    for start in (0.5, 1, 3, 3.5):
        with pytest.raises(SlotTaken) as refused, tx.begin_nested():
            make_booking(tx, portal, room, now=now, interval=hour(now, start))
        if start in (0.5, 3.5):  # nearer, the wish itself meets the buffer of the other
            assert [one.code for one in refused.value.obstacles] == ["buffer"]
    assert make_booking(tx, portal, room, now=now, interval=hour(now, 4)).stage == "confirmed"


def test_of_resource_and_service_the_longer_buffer_counts(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now, buffer_before=15, buffer_after=45)
    service = make_service(tx, portal, (room, 1), buffer_before=60, buffer_after=30)
    ((_, _, during),) = seats(tx, book_service(tx, portal, service, now=now, interval=hour(now, 5)))
    assert during == Interval(hour(now, 4).start, hour(now, 5).end + timedelta(minutes=45))


# Services


def studio(tx: Session, portal: Portal, now: datetime) -> dict[str, Any]:
    made: dict[str, Any] = {
        "anna": make_resource(tx, portal, now=now, kind="specialist", name="Анна"),
        "oleg": make_resource(tx, portal, now=now, kind="specialist", name="Олег"),
        "cabin": make_resource(tx, portal, now=now, kind="room"),
        "laser": make_resource(tx, portal, now=now, kind="equipment", units=2),
    }
    needs = (([made["anna"], made["oleg"]], 1), ("room", 1), (made["laser"], 1))
    return made | {"service": make_service(tx, portal, *needs)}


def test_a_service_takes_everything_that_it_requires(tx: Session, portal: Portal, now: datetime) -> None:
    made = studio(tx, portal, now)
    booking = book_service(tx, portal, made["service"], now=now)
    assert resources(tx, booking) == {made["anna"].id, made["cabin"].id, made["laser"].id}


def test_one_missing_thing_refuses_the_whole_service(tx: Session, portal: Portal, now: datetime) -> None:
    made = studio(tx, portal, now)
    make_booking(tx, portal, made["cabin"], now=now)
    with pytest.raises(SlotTaken) as refused:
        book_service(tx, portal, made["service"], now=now)
    assert {one.resource_id for one in refused.value.obstacles} == {made["cabin"].id}


def test_the_specialist_that_was_picked_comes(tx: Session, portal: Portal, now: datetime) -> None:
    made = studio(tx, portal, now)
    picked = frozenset({made["oleg"].id})
    booking = book_service(tx, portal, made["service"], now=now, resource_ids=picked)
    assert made["oleg"].id in resources(tx, booking)
    make_resource(tx, portal, now=now)
    with pytest.raises(SlotTaken):
        book_service(tx, portal, made["service"], now=now, resource_ids=picked)


def test_who_is_least_used_is_asked_first(tx: Session, portal: Portal, now: datetime) -> None:
    made = studio(tx, portal, now)
    service = make_service(tx, portal, ([made["anna"], made["oleg"]], 1), preference="least_used")
    make_booking(tx, portal, made["anna"], now=now, interval=hour(now, 5))
    assert resources(tx, book_service(tx, portal, service, now=now)) == {made["oleg"].id}


def test_a_party_must_fit(tx: Session, portal: Portal, now: datetime) -> None:
    small = make_resource(tx, portal, now=now, capacity=4)
    large = make_resource(tx, portal, now=now, capacity=10)
    with pytest.raises(PolicyViolation, match="too_small"):
        make_booking(tx, portal, small, now=now, party=5)
    service = make_service(tx, portal, ("room", 1))
    assert resources(tx, book_service(tx, portal, service, now=now, party=5)) == {large.id}


def test_only_what_one_may_book_is_given(tx: Session, portal: Portal, now: datetime) -> None:
    made = studio(tx, portal, now)
    service = make_service(tx, portal, ([made["anna"], made["oleg"]], 1))
    only_oleg = Viewer(7, grants=(GrantRule(f"resource:{made['oleg'].id}", "AU", "book"),))
    assert resources(tx, book_service(tx, portal, service, now=now, viewer=only_oleg)) == {made["oleg"].id}
    with pytest.raises(NotAllowed):
        book_service(tx, portal, service, now=now, viewer=Viewer(7, grants=(GrantRule("everything", "AU", "see"),)))
    with pytest.raises(NotFound):
        book_service(tx, portal, service, now=now, viewer=Viewer(7))


# Moving


def test_a_service_keeps_its_people_when_it_is_moved(tx: Session, portal: Portal, now: datetime) -> None:
    made = studio(tx, portal, now)
    booking = book_service(tx, portal, made["service"], now=now, resource_ids=frozenset({made["oleg"].id}))
    move_booking(tx, portal, booking.id, Move(hour(now, 4)), revision=1, viewer=EMPLOYEE, now=now)
    assert made["oleg"].id in resources(tx, booking)
    other = Move(hour(now, 6), resource_ids=frozenset({made["anna"].id}))
    move_booking(tx, portal, booking.id, other, revision=2, viewer=EMPLOYEE, now=now)
    assert made["anna"].id in resources(tx, booking)
    assert made["oleg"].id not in resources(tx, booking)


def test_a_move_to_another_resource_is_undone(tx: Session, portal: Portal, now: datetime) -> None:
    room, other = make_resource(tx, portal, now=now), make_resource(tx, portal, now=now)
    booking = make_booking(tx, portal, room, now=now)
    move_booking(tx, portal, booking.id, Move(hour(now, 4), other.id), revision=1, viewer=EMPLOYEE, now=now)
    undo_change(tx, portal, booking.id, revision=2, viewer=EMPLOYEE, now=now)
    assert seats(tx, booking)[0][1:] == (room.id, hour(now, 1))


def test_only_the_own_and_fresh_change_is_undone(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    booking = make_booking(tx, portal, room, now=now)
    cancel_booking(tx, portal, booking.id, revision=1, viewer=EMPLOYEE, now=now)
    for viewer, minutes in ((ADMIN, 1), (EMPLOYEE, 16)):
        with pytest.raises(NotAllowed, match="undo"):
            undo_change(tx, portal, booking.id, revision=2, viewer=viewer, now=now + timedelta(minutes=minutes))
    undo_change(tx, portal, booking.id, revision=2, viewer=EMPLOYEE, now=now + timedelta(minutes=5))
    assert queries.booking_state(tx, portal.id, booking.id).stage == "confirmed"


# Rules


def test_a_closure_and_special_hours_close(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    tx.add(Closure(portal_id=portal.id, during=as_range(hour(now, 5)), reason="Учения"))
    tx.add(SpecialHours(portal_id=portal.id, resource_id=room.id, day=now.date() + timedelta(days=1)))
    tx.flush()
    for start, why in ((5, "closure"), (24, "special_hours")):
        with pytest.raises(PolicyViolation) as refused, tx.begin_nested():
            make_booking(tx, portal, room, now=now, interval=hour(now, start))
        assert [one.params["closed"] for one in refused.value.violations] == [why]
    assert make_booking(tx, portal, room, now=now, interval=hour(now, 6)).stage == "confirmed"


def test_a_holiday_closes_and_a_working_saturday_opens(tx: Session, portal: Portal) -> None:
    now = datetime.fromisoformat("2024-04-20T06:00+00:00")
    room = make_resource(tx, portal, now=now, hours=OFFICE, holidays="RU")
    day = timedelta(days=1)
    assert make_booking(tx, portal, room, now=now, interval=hour(now, 1 + 24 * 7)).stage == "confirmed"  # 27 April
    with pytest.raises(PolicyViolation, match="holiday"):
        make_booking(tx, portal, room, now=now, interval=hour(now + 9 * day, 1))  # Monday, 29 April


@pytest.mark.parametrize("per", ["person", "client", "department"])
def test_a_quota_counts_what_stands(tx: Session, portal: Portal, now: datetime, per: str) -> None:
    room = make_resource(tx, portal, now=now)
    rules = {"quotas": [{"per": per, "period": "day", "limit": 2, "unit": "bookings"}]}
    service = make_service(tx, portal, (room, 1), rules=rules)
    viewer = Viewer(3, codes=frozenset({"AU", "D5"}), grants=EMPLOYEE.grants)
    common: dict[str, Any] = {"now": now, "viewer": viewer, "client": ClientData("contact", "Мария", crm_id=7)}
    first = book_service(tx, portal, service, interval=hour(now, 1), **common)
    book_service(tx, portal, service, interval=hour(now, 2), **common)
    with pytest.raises(PolicyViolation) as refused, tx.begin_nested():
        book_service(tx, portal, service, interval=hour(now, 3), **common)
    assert [(one.code, one.setting) for one in refused.value.violations] == [("quota", "rules.quotas")]
    cancel_booking(tx, portal, first.id, revision=1, viewer=viewer, now=now)
    assert book_service(tx, portal, service, interval=hour(now, 3), **common).stage == "confirmed"


def test_all_broken_rules_are_told_at_once(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now, hours=OFFICE)
    rules = {"notice_minutes": 24 * 60}
    service = make_service(tx, portal, (room, 1), rules=rules, min_minutes=60, max_minutes=120)
    with pytest.raises(PolicyViolation) as refused:
        book_service(tx, portal, service, now=now, interval=Interval(*_odd(now)))
    told = {(one.code, one.setting) for one in refused.value.violations}
    assert told == {
        ("too_short", "service.min_minutes"), ("off_grid", "service.step_minutes"),
        ("outside_hours", "resource.hours"), ("notice", "rules.notice_minutes"),
    }  # fmt: skip


def _odd(now: datetime) -> tuple[datetime, datetime]:
    start = now + timedelta(hours=11, minutes=7)
    return start, start + timedelta(minutes=20)


def test_who_approves_needs_no_notice(tx: Session, portal: Portal, now: datetime) -> None:
    service = make_service(tx, portal, (make_resource(tx, portal, now=now), 1), rules={"notice_minutes": 600})
    with pytest.raises(PolicyViolation), tx.begin_nested():
        book_service(tx, portal, service, now=now)
    assert book_service(tx, portal, service, now=now, viewer=ADMIN).stage == "confirmed"


def test_deadlines_bind_everybody_but_approvers(tx: Session, portal: Portal, now: datetime) -> None:
    rules = {"cancel_until_minutes": 120, "move_until_minutes": 120, "most_moves": 1}
    service = make_service(tx, portal, (make_resource(tx, portal, now=now), 1), rules=rules)
    booking = book_service(tx, portal, service, now=now)
    with pytest.raises(PolicyViolation, match="cancel_deadline"):
        cancel_booking(tx, portal, booking.id, revision=1, viewer=EMPLOYEE, now=now)
    with pytest.raises(PolicyViolation, match="move_deadline"):
        move_booking(tx, portal, booking.id, Move(hour(now, 4)), revision=1, viewer=EMPLOYEE, now=now)
    move_booking(tx, portal, booking.id, Move(hour(now, 4)), revision=1, viewer=ADMIN, now=now)
    with pytest.raises(PolicyViolation, match="most_moves"):
        move_booking(tx, portal, booking.id, Move(hour(now, 6)), revision=2, viewer=EMPLOYEE, now=now)


def test_what_is_over_is_not_cancelled_by_anybody(tx: Session, portal: Portal, now: datetime) -> None:
    booking = make_booking(tx, portal, make_resource(tx, portal, now=now), now=now)
    with pytest.raises(PolicyViolation, match="already_over"):
        cancel_booking(tx, portal, booking.id, revision=1, viewer=ADMIN, now=now + timedelta(hours=3))


# What a form shows


def test_terms_say_what_a_request_comes_to(tx: Session, portal: Portal, now: datetime) -> None:
    made = studio(tx, portal, now)
    request = BookingRequest(hour(now, 1), service_id=made["service"].id)
    terms = read_terms(tx, portal, request, viewer=EMPLOYEE, now=now)
    assert terms.is_possible
    assert {seat.resource_id for seat in terms.seats} == {made["anna"].id, made["cabin"].id, made["laser"].id}
    assert terms.opening is not None
    assert terms.opening.stage == "confirmed"
    book(tx, portal, request, viewer=EMPLOYEE, now=now)
    assert not read_terms(tx, portal, request, viewer=EMPLOYEE, now=now).is_possible


def test_free_times_are_those_that_can_be_booked(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now, hours=OFFICE, buffer_after=30)
    make_booking(tx, portal, room, now=now, interval=hour(now, 2))
    request = BookingRequest(hour(now, 2), resource_id=room.id)
    free = free_times(tx, portal, request, hour(now, 0, 12), viewer=EMPLOYEE, now=now)
    starts = [(slot.interval.start - now) / timedelta(hours=1) for slot in free]
    assert starts == [0, 0.5, *[3.5 + n / 2 for n in range(10)]]
    for slot in free:
        point = tx.begin_nested()
        book(tx, portal, BookingRequest(slot.interval, resource_id=room.id), viewer=EMPLOYEE, now=now)
        point.rollback()
    nearest = next_free_times(tx, portal, request, viewer=EMPLOYEE, now=now)
    assert [one.start for one in nearest] == [hour(now, start).start for start in (0.5, 3.5, 4.5)]
