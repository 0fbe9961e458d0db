"""What people do to our events in their calendars, and what becomes of the booking."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from b24app.booking.change import confirm_booking
from b24app.ledger import decided, refs, sightings
from b24app.ledger.models import Booking, ExternalRef, History, Portal, Resource
from b24app.ledger.occupancy import as_interval
from b24app.ledger.portal_models import Delivery
from b24app.ledger.session import transaction
from b24app.ledger.sightings import Hint
from emulator import people_calendar
from emulator.calendar_sections import add_section
from tests import factories
from tests.sync.expect import assert_shown, events_of, refs_of
from tests.sync.rig import ADMIN, MANAGER, SECOND_ADMIN, Clock, Company, Rig
from tests.sync.test_projection import cancel, move

STRANGER = 5


def tell(rig: Rig, event_id: int, user_id: int | None = MANAGER, *, gone: bool = False) -> None:
    """What the portal's event brings, and the worker's round after it."""
    with transaction(rig.engine) as tx:
        sightings.see(tx, rig.portal_id, [Hint("event", event_id, user_id, gone)], rig.clock())
    rig.drain(3)


def settings(rig: Rig, **values: Any) -> None:
    with transaction(rig.engine) as tx:
        tx.execute(update(Portal).values(settings=values))


def state(rig: Rig, booking: Booking) -> Booking:
    with transaction(rig.engine) as tx:
        found = tx.get(Booking, booking.id)
        assert found is not None
        return found


def start(rig: Rig, booking: Booking) -> datetime:
    return as_interval(state(rig, booking).during).start


def deliveries(rig: Rig, *codes: str) -> list[tuple[str, str, int | None]]:
    """What is to be said to whom about refusals and participants."""
    with transaction(rig.engine) as tx:
        rows = tx.scalars(select(Delivery).where(Delivery.code.in_(codes)).order_by(Delivery.kind))
        return [(row.kind, row.code, row.recipient) for row in rows]


def event(rig: Rig, booking: Booking, owner: int | None = None) -> dict[str, Any]:
    """The booking's event, of two that of the person."""
    found = [row for row in events_of(rig, booking.id) if owner is None or row["owner"] == owner]
    assert len(found) == 1
    return found[0]


def drag(rig: Rig, row: dict[str, Any], hours: float, user: int = MANAGER) -> None:
    at = rig.clock() + timedelta(hours=hours)
    people_calendar.drag_event(rig.far, user, row["id"], at, at + timedelta(hours=1))


@pytest.fixture
def booking(company: Company) -> Booking:
    made: Booking = company.book(company.person)
    company.rig.drain()
    return made


def test_a_dragged_event_moves_the_booking_as_that_person(company: Company, booking: Booking) -> None:
    rig = company.rig
    drag(rig, event(rig, booking), 5)
    tell(rig, event(rig, booking)["id"])
    assert start(rig, booking) == rig.clock() + timedelta(hours=5)
    with transaction(rig.engine) as tx:
        change = tx.scalars(select(History).where(History.action == "moved")).one()
    assert change.actor == f"user:{MANAGER}"
    assert_shown(rig, booking.id)


def test_an_echo_of_ours_and_the_portals_own_fields_change_nothing(company: Company, booking: Booking) -> None:
    rig, row = company.rig, event(company.rig, booking)
    people_calendar.edit_event(rig.far, MANAGER, row["id"], name="Моя встреча", remind=[{"type": "hour", "count": 2}])
    rig.far.calls.clear()
    tell(rig, row["id"])
    assert state(rig, booking).revision == booking.revision
    assert rig.calls("calendar.event.update") == []
    assert event(rig, booking)["name"] == "Моя встреча"


def test_what_people_wrote_into_an_event_stays_when_the_booking_changes(company: Company, booking: Booking) -> None:
    rig, row = company.rig, event(company.rig, booking)
    theirs = f"Принести договор\n{row['description'].rpartition('booking:')[0]}"  # and our last line was deleted
    people_calendar.edit_event(rig.far, MANAGER, row["id"], name="Моя встреча", description=theirs)
    for hours in (3, 5):
        move(company, booking, hours, company.person)
        rig.drain(2)
    now = event(rig, booking)
    assert (now["start"], now["name"]) == ((rig.clock() + timedelta(hours=5)).timestamp(), "Моя встреча")
    assert now["description"].startswith("Принести договор")
    assert now["description"].count(f"booking:{booking.number}:") == 1


def test_what_nobody_rewrote_follows_the_booking(company: Company) -> None:
    rig = company.rig
    made: Booking = company.book(company.person, intent="hold")
    rig.drain()
    held = event(rig, made)["name"]
    with transaction(rig.engine) as tx:
        confirm_booking(
            tx, rig.ledger(tx), made.id, revision=made.revision, viewer=factories.ADMIN, now=rig.clock()
        )  # fmt: skip
    rig.drain(2)
    assert event(rig, made)["name"] != held
    assert_shown(rig, made.id)


def test_a_drag_onto_a_taken_time_is_put_back_and_the_person_told_why(company: Company, booking: Booking) -> None:
    rig = company.rig
    company.book(company.person, 5)
    rig.drain()
    drag(rig, event(rig, booking), 5)
    tell(rig, event(rig, booking)["id"])
    assert start(rig, booking) == rig.clock() + timedelta(hours=1)
    assert deliveries(rig, "not_done") == [("comment", "not_done", None), ("notice", "not_done", MANAGER)]
    assert_shown(rig, booking.id)


def test_what_was_refused_twice_is_left_alone(company: Company, booking: Booking) -> None:
    rig, row = company.rig, event(company.rig, booking)
    for _ in range(2):
        people_calendar.edit_event(rig.far, MANAGER, row["id"], accessibility="free")
        tell(rig, row["id"])
    assert event(rig, booking)["accessibility"] == "free"
    assert refs_of(rig, booking.id)[f"user:{MANAGER}"].parked_reason == decided.CONTESTED
    assert len(deliveries(rig, "put_back")) == 2  # one comment, one notice


def test_a_stranger_who_may_not_change_the_booking_does_not_move_it(company: Company, booking: Booking) -> None:
    rig = company.rig
    drag(rig, event(rig, booking), 5, ADMIN)  # the portal lets him, the company's rules know him as nobody special
    tell(rig, event(rig, booking)["id"], STRANGER)
    assert start(rig, booking) == rig.clock() + timedelta(hours=1)
    assert_shown(rig, booking.id)


def other_section(rig: Rig, row: dict[str, Any]) -> dict[str, Any]:
    section = add_section(rig.far, "user", MANAGER, "Личное", MANAGER, rig.world.now())
    return {"section": section["id"]}


def whole_day(rig: Rig, row: dict[str, Any]) -> dict[str, Any]:
    day = rig.clock().date().isoformat()
    return {"from": day, "to": day, "skip_time": "Y"}


@pytest.mark.parametrize("edit", [other_section, whole_day, lambda *_: {"accessibility": "free"}])
def test_another_calendar_a_whole_day_and_free_are_put_back(company: Company, booking: Booking, edit: Any) -> None:
    rig, row = company.rig, dict(event(company.rig, booking))
    people_calendar.edit_event(rig.far, MANAGER, row["id"], **edit(rig, row))
    tell(rig, row["id"])
    now = event(rig, booking)
    names = ("section", "start", "end", "accessibility", "whole_days")
    assert [now[name] for name in names] == [row[name] for name in names]
    assert deliveries(rig, "put_back") == [("comment", "put_back", None), ("notice", "put_back", MANAGER)]


def test_one_of_two_events_moves_the_booking_and_the_other_follows(company: Company) -> None:
    rig = company.rig
    with transaction(rig.engine) as tx:
        service = factories.make_service(tx, rig.ledger(tx), (company.person, 1), (company.room, 1))
        made = factories.book_service(tx, rig.ledger(tx), service, now=rig.clock())
    rig.drain(2)
    drag(rig, event(rig, made, MANAGER), 4)
    tell(rig, event(rig, made, MANAGER)["id"])
    assert start(rig, made) == rig.clock() + timedelta(hours=4)
    assert {row["start"] for row in events_of(rig, made.id)} == {(rig.clock() + timedelta(hours=4)).timestamp()}
    assert_shown(rig, made.id)


def test_a_deleted_event_is_drawn_again_and_a_second_time_left_alone(company: Company, booking: Booking) -> None:
    rig = company.rig
    first = event(rig, booking)["id"]
    people_calendar.delete_event(rig.far, MANAGER, first)
    tell(rig, first, gone=True)
    assert_shown(rig, booking.id)
    second = event(rig, booking)["id"]
    assert second != first
    assert deliveries(rig, "event_redrawn")[0] == ("comment", "event_redrawn", None)
    people_calendar.delete_event(rig.far, MANAGER, second)
    tell(rig, second, gone=True)
    assert events_of(rig, booking.id) == []
    assert refs_of(rig, booking.id)[f"user:{MANAGER}"].parked_reason == decided.CONTESTED


def test_a_deleted_event_cancels_where_the_company_wants_it(company: Company, booking: Booking) -> None:
    rig = company.rig
    settings(rig, event_deleted="cancel")
    gone = event(rig, booking)["id"]
    people_calendar.delete_event(rig.far, MANAGER, gone)
    tell(rig, gone, gone=True)
    assert state(rig, booking).stage == "cancelled"
    assert events_of(rig, booking.id) == []
    assert_shown(rig, booking.id)


def test_a_cancellation_that_is_refused_draws_the_event_again(company: Company, booking: Booking, clock: Clock) -> None:
    rig = company.rig
    settings(rig, event_deleted="cancel")
    clock.forward(3600 * 3)  # over
    gone = event(rig, booking)["id"]
    people_calendar.delete_event(rig.far, MANAGER, gone)
    tell(rig, gone, gone=True)
    assert state(rig, booking).stage == "confirmed"
    assert [code for _, code, _ in deliveries(rig, "not_done")] == ["not_done", "not_done"]
    assert len(events_of(rig, booking.id)) == 1


def test_a_private_event_is_unseen_and_never_drawn_twice(company: Company, booking: Booking) -> None:
    rig, row = company.rig, event(company.rig, booking)
    people_calendar.make_private(rig.far, MANAGER, row["id"])
    tell(rig, row["id"])
    tell(rig, row["id"], None)  # as a sweep that misses it
    assert [one["id"] for one in events_of(rig, booking.id)] == [row["id"]]
    assert refs_of(rig, booking.id)[f"user:{MANAGER}"].parked_reason == "event_unseen"
    people_calendar.make_private(rig.far, MANAGER, row["id"], private=False)
    tell(rig, row["id"])
    assert_shown(rig, booking.id)


def test_what_a_calendar_that_we_read_in_full_lacks_has_gone(company: Company) -> None:
    rig = company.rig
    made = company.book(company.room)
    rig.drain()
    gone = event(rig, made)["id"]
    people_calendar.delete_event(rig.far, ADMIN, gone)
    tell(rig, gone, None)  # nobody told of the deletion: a sweep missed it
    assert event(rig, made)["id"] != gone
    assert_shown(rig, made.id)


def test_an_event_that_was_dragged_a_moment_ago_is_not_drawn_over(company: Company, booking: Booking) -> None:
    """Nobody has told us yet when the booking itself changes for another reason."""
    rig = company.rig
    drag(rig, event(rig, booking), 5)
    with transaction(rig.engine) as tx:
        refs.mark_behind(tx, rig.portal_id, [booking.id], rig.clock())
    rig.drain(3)
    assert start(rig, booking) == rig.clock() + timedelta(hours=5)
    assert_shown(rig, booking.id)


def test_an_event_dragged_before_the_booking_was_cancelled_goes(company: Company, booking: Booking) -> None:
    rig = company.rig
    drag(rig, event(rig, booking), 5)
    cancel(rig, booking)
    rig.drain(4)
    assert events_of(rig, booking.id) == []
    assert_shown(rig, booking.id)


def invited(company: Company, *participants: int) -> Booking:
    rig = company.rig
    settings(rig, event_participants=True)
    made: Booking = company.book(company.person)
    with transaction(rig.engine) as tx:
        tx.execute(update(Booking).values(participants=list(participants)))
    rig.drain()
    return made


def test_participants_are_invited_and_who_declines_is_told_of_once(company: Company) -> None:
    rig = company.rig
    made = invited(company, SECOND_ADMIN)
    row = next(one for one in events_of(rig, made.id) if one["id"] == one["parent_id"])
    tell(rig, row["id"])
    copy = next(one for one in events_of(rig, made.id) if one["id"] != one["parent_id"])
    assert (copy["owner"], refs_of(rig, made.id)[f"user:{MANAGER}"].copies) == (SECOND_ADMIN, [copy["id"]])
    for _ in range(2):
        people_calendar.decline(rig.far, SECOND_ADMIN, copy["id"])
        tell(rig, copy["id"], SECOND_ADMIN)
    assert deliveries(rig, "invitation_declined") == [("notice", "invitation_declined", MANAGER)]
    assert state(rig, made).revision == made.revision
    with transaction(rig.engine) as tx:
        assert sightings.known(tx, rig.portal_id, "event", copy["id"])


def test_nobody_is_invited_any_more_when_the_setting_is_switched_off(company: Company) -> None:
    rig = company.rig
    made = invited(company, SECOND_ADMIN)
    settings(rig, event_participants=False)
    with transaction(rig.engine) as tx:
        refs.mark_behind(tx, rig.portal_id, [made.id], rig.clock())
    rig.drain(2)
    assert_shown(rig, made.id)  # one plain event, no copies


def test_bookings_of_a_resource_stand_in_the_section_that_was_chosen_for_it(company: Company) -> None:
    rig = company.rig
    rig.far.groups[7] = {"name": "Ресурсы"}
    section = add_section(rig.far, "group", 7, "Залы", ADMIN, rig.world.now())
    with transaction(rig.engine) as tx:
        chosen = {"calendar_mode": "group", "calendar_owner": 7, "calendar_section": section["id"]}
        tx.execute(update(Resource).where(Resource.id == company.room.id).values(**chosen))
    made = company.book(company.room)
    rig.drain()
    row = event(rig, made)
    assert (row["type"], row["owner"], row["section"], row["accessibility"]) == ("group", 7, section["id"], "free")
    drag(rig, row, 5, ADMIN)
    tell(rig, row["id"])
    assert start(rig, made) == rig.clock() + timedelta(hours=5)
    assert event(rig, made)["section"] == section["id"]


def test_another_portals_booking_with_the_same_event_id_is_not_touched(company: Company, booking: Booking) -> None:
    rig, row = company.rig, event(company.rig, booking)
    with transaction(rig.engine) as tx:
        other = factories.make_portal(tx)
        room = factories.make_resource(tx, other, now=rig.clock())
        theirs = factories.make_booking(tx, other, room, now=rig.clock())
        tx.execute(update(ExternalRef).where(ExternalRef.portal_id == other.id).values(remote_id=row["id"]))
    people_calendar.delete_event(rig.far, MANAGER, row["id"])
    tell(rig, row["id"], gone=True)
    assert state(rig, theirs).revision == theirs.revision
    assert refs_of(rig, booking.id)[f"user:{MANAGER}"].remote_id is not None
