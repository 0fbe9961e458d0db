"""Book, move, cancel: the stories, through the real database."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from b24app.booking import story
from b24app.booking.change import Move, cancel_booking, move_booking
from b24app.booking.clients import ClientData
from b24app.booking.others import WORKER
from b24app.booking.resources import ResourceData, archive_resource, save_resource
from b24app.errors import InvalidInput, NotAllowed, NotFound, PolicyViolation, SlotTaken, Stale
from b24app.ledger import queries, refs
from b24app.ledger.access import GrantRule, Viewer
from b24app.ledger.models import Allocation, Booking, Client, Portal
from b24app.scheduling.hours import OpeningHours
from b24app.scheduling.interval import Interval
from b24app.scheduling.stage import Stage
from tests.factories import ADMIN, EMPLOYEE, OFFICE, hour, make_booking, make_portal, make_resource


def held(tx: Session) -> int:
    return tx.scalar(select(func.count(Allocation.id)).where(Allocation.released_at.is_(None))) or 0


def test_booking_takes_the_time_and_tells_its_story(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    booking = make_booking(tx, portal, room, now=now, deal_id=5, client=ClientData("contact", "Мария", crm_id=7))
    assert (booking.stage, booking.payment, booking.revision) == ("confirmed", "none", 1)
    (change,) = queries.history(tx, portal.id, booking.id)
    assert (change.action, change.actor, change.after["resources"]) == ("booked", "user:3", [room.id])
    assert "Мария" not in str(change.after)
    assert [(ref.kind, ref.target, ref.dirty_since) for ref in refs.of_booking(tx, portal.id, booking.id)] == [
        ("item", "", now),
        ("event", "company", now),
    ]


def test_a_plain_booking_takes_six_statements(tx: Session, portal: Portal, now: datetime) -> None:
    """A setting, what is offered, the lock, the facts, who holds them, and one that writes everything."""
    room = make_resource(tx, portal, now=now)
    make_booking(tx, portal, room, now=now)
    sent: list[str] = []
    note = lambda _connection, _cursor, statement, *_: sent.append(statement)  # noqa: E731
    event.listen(tx.connection(), "before_cursor_execute", note)
    booking = make_booking(tx, portal, room, now=now, interval=hour(now, 3))
    event.remove(tx.connection(), "before_cursor_execute", note)
    assert len(sent) == 6, "\n".join(sent)
    assert (held(tx), booking.number, len(queries.history(tx, portal.id, booking.id))) == (2, 1001, 1)


def test_numbers_follow_each_other_within_a_portal(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    numbers = [make_booking(tx, portal, room, now=now, interval=hour(now, n)).number for n in (1, 2, 3)]
    assert numbers == [1000, 1001, 1002]
    other = make_portal(tx)
    assert make_booking(tx, other, make_resource(tx, other, now=now), now=now).number == 1000


def test_a_stage_that_may_not_follow_is_a_mistake_of_ours_and_not_told(
    tx: Session, portal: Portal, now: datetime
) -> None:
    booking = make_booking(tx, portal, make_resource(tx, portal, now=now), now=now)
    before = story.snapshot(booking)
    booking.stage = Stage.EXPIRED
    with pytest.raises(AssertionError, match="expired: confirmed is not followed by expired"), tx.no_autoflush:
        story.tell(tx, portal, booking, "expired", before, actor=WORKER, now=now)
    assert booking.revision == 1


def test_a_taken_time_is_refused_and_nothing_changes(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    make_booking(tx, portal, room, now=now)
    with pytest.raises(SlotTaken), tx.begin_nested():
        make_booking(tx, portal, room, now=now, interval=hour(now, 1.5))
    assert (held(tx), tx.scalar(select(func.count(Booking.id)))) == (1, 1)


def test_the_same_form_sent_twice_makes_one_booking(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    first = make_booking(tx, portal, room, now=now, request_key="k")
    assert make_booking(tx, portal, room, now=now, request_key="k").id == first.id
    assert held(tx) == 1


def test_the_same_form_for_another_resource_is_still_one_booking(tx: Session, portal: Portal, now: datetime) -> None:
    room, other = make_resource(tx, portal, now=now), make_resource(tx, portal, now=now)
    first = make_booking(tx, portal, room, now=now, request_key="k")
    assert make_booking(tx, portal, other, now=now, request_key="k").id == first.id


@pytest.mark.parametrize(
    ("interval", "code"),
    [
        (lambda now: hour(now, -2), "past"),
        (lambda now: hour(now, 24 * 4.5), "outside_hours"),
        (lambda now: hour(now, 1, 10 * 365 * 24), "too_long"),
    ],
)
def test_rules_are_the_services(tx: Session, portal: Portal, now: datetime, interval: object, code: str) -> None:
    room = make_resource(tx, portal, now=now, hours=OFFICE)
    with pytest.raises(PolicyViolation) as refusal:
        make_booking(tx, portal, room, now=now, interval=interval(now))  # type: ignore[operator]
    assert code in {v.code for v in refusal.value.violations}


def test_who_has_no_right_to_book_is_told_so(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    seeing = Viewer(9, grants=(GrantRule("everything", "AU", "see"),))
    with pytest.raises(NotAllowed):
        make_booking(tx, portal, room, now=now, viewer=seeing)
    with pytest.raises(NotFound):
        make_booking(tx, portal, room, now=now, viewer=Viewer(9))


def test_an_archived_resource_is_not_offered(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    archive_resource(tx, portal, room.id, viewer=ADMIN, now=now)
    with pytest.raises(NotFound):
        make_booking(tx, portal, room, now=now)


def test_moving_gives_the_old_time_back(tx: Session, portal: Portal, now: datetime) -> None:
    room, other = make_resource(tx, portal, now=now), make_resource(tx, portal, now=now)
    booking = make_booking(tx, portal, room, now=now)
    moved = move_booking(tx, portal, booking.id, Move(hour(now, 1.5), other.id), revision=1, viewer=EMPLOYEE, now=now)
    assert moved.revision == 2
    assert queries.resource_ids_of(tx, portal.id, booking.id) == (other.id,)
    make_booking(tx, portal, room, now=now)
    change = queries.history(tx, portal.id, booking.id)[0]
    assert (change.before["resources"], change.after["resources"]) == ([room.id], [other.id])


def test_a_booking_may_be_moved_over_its_own_time(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    booking = make_booking(tx, portal, room, now=now)
    move_booking(tx, portal, booking.id, Move(hour(now, 1.5), room.id), revision=1, viewer=EMPLOYEE, now=now)


def test_moving_nowhere_changes_nothing(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    booking = make_booking(tx, portal, room, now=now)
    move_booking(tx, portal, booking.id, Move(hour(now, 1), room.id), revision=1, viewer=EMPLOYEE, now=now)
    assert booking.revision == 1
    assert len(queries.history(tx, portal.id, booking.id)) == 1


def test_moving_onto_somebody_is_refused(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    booking = make_booking(tx, portal, room, now=now)
    make_booking(tx, portal, room, now=now, interval=hour(now, 3))
    with pytest.raises(SlotTaken):
        move_booking(tx, portal, booking.id, Move(hour(now, 2.5), room.id), revision=1, viewer=EMPLOYEE, now=now)


def test_who_looked_at_an_older_state_is_refused(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    booking = make_booking(tx, portal, room, now=now)
    move_booking(tx, portal, booking.id, Move(hour(now, 2), room.id), revision=1, viewer=EMPLOYEE, now=now)
    with pytest.raises(Stale) as refusal:
        cancel_booking(tx, portal, booking.id, revision=1, viewer=EMPLOYEE, now=now)
    assert refusal.value.revision == 2


def test_cancelling_gives_the_time_back_and_marks_the_pictures(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    booking = make_booking(tx, portal, room, now=now)
    later = now + timedelta(minutes=5)
    cancel_booking(tx, portal, booking.id, revision=1, viewer=EMPLOYEE, now=later)
    assert (booking.stage, held(tx)) == (Stage.CANCELLED, 0)
    assert {ref.dirty_since for ref in refs.of_booking(tx, portal.id, booking.id)} == {later}
    assert queries.booking(tx, portal.id, EMPLOYEE, booking.id).resources[0].id == room.id
    make_booking(tx, portal, room, now=now)


def test_colleagues_may_not_change_what_is_not_theirs(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    booking = make_booking(tx, portal, room, now=now)
    colleague = Viewer(44, grants=EMPLOYEE.grants)
    with pytest.raises(NotAllowed):
        cancel_booking(tx, portal, booking.id, revision=1, viewer=colleague, now=now)
    cancel_booking(tx, portal, booking.id, revision=1, viewer=ADMIN, now=now)


def test_a_contact_is_kept_once_and_brought_up_to_date(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    for n, name in enumerate(("Мария", "Мария Орлова"), start=1):
        make_booking(tx, portal, room, now=now, interval=hour(now, n), client=ClientData("contact", name, crm_id=7))
    assert tx.scalars(select(Client.name)).all() == ["Мария Орлова"]


def test_unknown_bookings_are_not_found(tx: Session, portal: Portal, now: datetime) -> None:
    with pytest.raises(NotFound):
        cancel_booking(tx, portal, uuid.uuid4(), revision=1, viewer=ADMIN, now=now)


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"kind": "castle"}, "kind", "unknown_kind"),
        ({"name": "  "}, "name", "required"),
        ({"name": "я" * 100_000}, "name", "too_many_characters"),
        ({"capacity": 0}, "capacity", "out_of_range"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "unknown_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone", "unknown_zone"),
        ({"step_minutes": 7}, "step_minutes", "unknown_step"),
        ({"min_minutes": 90, "max_minutes": 60}, "min_minutes", "min_over_max"),
        ({"max_minutes": 10**7}, "max_minutes", "too_long"),
        ({"min_minutes": 45}, "min_minutes", "off_grid"),
        ({"hours": (OpeningHours(0, 540, 720), OpeningHours(0, 700, 900))}, "hours", "hours_overlap"),
    ],
)
def test_a_wrong_resource_is_refused_with_its_field(
    tx: Session, portal: Portal, now: datetime, changes: dict[str, object], field: str, code: str
) -> None:
    data = ResourceData(**{"kind": "room", "name": "Ока", **changes})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput) as refusal:
        save_resource(tx, portal, data, viewer=ADMIN, now=now, longest_hours=24 * 14)
    assert refusal.value.fields[field] == code


def test_only_who_manages_may_save_a_resource(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    data = ResourceData(kind="room", name="Ока")
    for resource_id in (None, room.id):
        with pytest.raises(NotAllowed):
            save_resource(tx, portal, data, viewer=EMPLOYEE, now=now, longest_hours=336, resource_id=resource_id)


def test_names_are_kept_to_the_letter(tx: Session, portal: Portal, now: datetime) -> None:
    name = "🎸 <script>alert(1)</script> $result[x][id]"
    room = make_resource(tx, portal, now=now, name=name)
    booking = make_booking(tx, portal, room, now=now, title=name)
    row = queries.booking(tx, portal.id, ADMIN, booking.id)
    assert (row.booking.title, row.resources[0].name) == (name, name)


def test_a_ten_year_wish_costs_no_ten_years_of_hours(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now, hours=OFFICE)
    forever = Interval(now + timedelta(hours=1), now + timedelta(days=3650, hours=1))
    with pytest.raises(PolicyViolation):
        make_booking(tx, portal, room, now=now, interval=forever)
