"""Cards of bookings in people's hands: each change is a request under our rules, with that person as its author."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from b24app.booking.change import confirm_booking
from b24app.ledger import queries
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import transaction
from b24app.scheduling.pricing import Tariff
from emulator import people, people_automation, people_calendar
from tests import factories
from tests.sync.doings import Doings, at
from tests.sync.rig import ADMIN, MANAGER, Company

OTHER = 4  # an employee who has nothing to do with the booking


@pytest.fixture
def doings(company: Company) -> Doings:
    return Doings(company)


def confirmed(doings: Doings, hours: float = 2, **more: Any) -> tuple[uuid.UUID, int]:
    """A booking of the room with its card."""
    booking = doings.company.book(doings.company.room, hours, **more)
    doings.settle()
    return booking.id, doings.item_of(booking.id)


def test_our_own_echo_asks_for_nothing(doings: Doings) -> None:
    booking_id, item_id = confirmed(doings)
    calls = len(doings.rig.calls("crm.item.update"))

    doings.tell(item_id, ADMIN)

    assert doings.history(booking_id) == [("booked", f"user:{MANAGER}")]
    assert len(doings.rig.calls("crm.item.update")) == calls


def test_times_and_resource_edited_together_are_one_move_by_that_person(doings: Doings) -> None:
    booking_id, item_id = confirmed(doings)
    start = doings.rig.clock() + timedelta(hours=5)

    doings.edit(
        item_id, start_at=at(start), end_at=at(start + timedelta(hours=2)),
        resource=doings.bound(doings.company.person.id),
    )  # fmt: skip

    booking = doings.booking(booking_id)
    assert (as_interval(booking.during).start, as_interval(booking.during).end) == (start, start + timedelta(hours=2))
    assert doings.history(booking_id) == [("booked", f"user:{MANAGER}"), ("moved", f"user:{MANAGER}")]
    assert doings.said("put_back") == []
    assert doings.picture(booking_id).dirty_since is None


def test_a_move_onto_somebody_elses_time_is_put_back_with_one_reason(doings: Doings) -> None:
    booking_id, item_id = confirmed(doings)
    confirmed(doings, 5)
    start = doings.rig.clock() + timedelta(hours=5)
    before = doings.item(item_id)

    doings.edit(item_id, start_at=at(start), end_at=at(start + timedelta(hours=1)))
    doings.tell(item_id, ADMIN)

    after, name = doings.item(item_id), doings.field("start_at")
    assert after[name] == before[name]
    assert doings.said("put_back") == [("comment", "put_back", None), ("notice", "put_back", MANAGER)]
    assert doings.reasons() == ["taken"]
    assert len(doings.history(booking_id)) == 1


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"start_at": ""}, "required"),
        ({"resource": []}, "required"),
        ({"resource": ["T1_999999"]}, "unknown_resource"),
        ({"opportunity": 500}, "read_only"),
        ({"number": 7}, "read_only"),
    ],
)
def test_what_cannot_be_asked_for_is_put_back(doings: Doings, changed: dict[str, Any], reason: str) -> None:
    booking_id, item_id = confirmed(doings)
    before = doings.item(item_id)

    doings.edit(item_id, **changed)

    after = doings.item(item_id)
    fields = [doings.field(key) if key in ("start_at", "resource", "number") else key for key in changed]
    assert {name: after[name] for name in fields} == {name: before[name] for name in fields}
    assert doings.reasons() == [reason]
    assert len(doings.history(booking_id)) == 1


def test_a_stranger_may_not_change_it_by_its_card_either(doings: Doings) -> None:
    booking_id, item_id = confirmed(doings)

    doings.drag(item_id, "cancelled", OTHER)

    assert doings.booking(booking_id).stage == "confirmed"
    assert doings.item(item_id)["ours"] == "confirmed"
    assert doings.said("put_back")[1] == ("notice", "put_back", OTHER)
    assert doings.reasons() == ["change"]


def test_dragged_through_its_stages(doings: Doings) -> None:
    booking_id, item_id = confirmed(doings, intent="hold")
    assert doings.item(item_id)["ours"] == "prebooked"

    doings.drag(item_id, "confirmed")
    doings.drag(item_id, "completed")  # it has not begun yet
    assert doings.reasons() == ["complete"]
    doings.forward(2.5 * 3600)
    doings.drag(item_id, "no_show")
    doings.drag(item_id, "confirmed")
    doings.drag(item_id, "completed")
    doings.drag(item_id, "prebooked")  # brought back, it stands as it stood before it ended
    doings.drag(item_id, "prebooked")

    assert [action for action, _ in doings.history(booking_id)] == [
        "booked", "confirmed", "no_show", "reopened", "completed", "reopened",
    ]  # fmt: skip
    assert doings.item(item_id)["ours"] == "confirmed"
    assert doings.reasons() == ["complete", "to_prebooked"]


def test_cancelled_by_dragging_and_back_only_while_its_time_is_free(doings: Doings) -> None:
    booking_id, item_id = confirmed(doings)

    doings.drag(item_id, "cancelled")
    assert (doings.booking(booking_id).stage, doings.item(item_id)["ours"]) == ("cancelled", "cancelled")
    doings.drag(item_id, "confirmed")
    assert doings.booking(booking_id).stage == "confirmed"
    doings.drag(item_id, "cancelled")
    confirmed(doings)
    doings.drag(item_id, "confirmed")

    assert (doings.booking(booking_id).stage, doings.item(item_id)["ours"]) == ("cancelled", "cancelled")
    assert doings.reasons() == ["taken"]


def test_paid_records_what_is_outstanding_for_those_who_take_payments(doings: Doings) -> None:
    rig, room = doings.rig, doings.company.room
    with transaction(rig.engine) as tx:
        tariff = Tariff("Час", "hour", Decimal(1500))
        service = factories.make_service(tx, rig.ledger(tx), (room, 1), tariff=tariff)
        booking = factories.book_service(tx, rig.ledger(tx), service, now=rig.clock())
    rig.drain(3)
    item_id = doings.item_of(booking.id)

    doings.drag(item_id, "paid", MANAGER)
    assert (doings.reasons(), doings.item(item_id)["ours"]) == (["payment_right"], "confirmed")
    doings.drag(item_id, "paid", ADMIN)

    assert doings.booking(booking.id).payment == "paid"
    assert doings.item(item_id)["ours"] == "paid"
    with transaction(rig.engine) as tx:
        (record,) = queries.money(tx, rig.portal_id, booking.id).records
    assert (record.amount, record.method, record.recorded_by) == (Decimal(1500), "other", f"user:{ADMIN}")
    doings.drag(item_id, "confirmed", ADMIN)
    assert (doings.reasons()[-1], doings.item(item_id)["ours"]) == ("unpay", "paid")


def test_client_deal_title_and_people_are_taken_over_without_rules(doings: Doings) -> None:
    booking_id, item_id = confirmed(doings)
    far = doings.rig.far
    contact = people.add_item(far, ADMIN, 3, {"name": "Вера", "lastName": "Ильина"})
    deal = people.add_item(far, ADMIN, 2, {"title": "Съёмка"})

    doings.edit(
        item_id, contactIds=[contact["id"]], parentId2=deal["id"], title="Съёмка каталога", assignedById=OTHER,
        observers=[ADMIN],
    )  # fmt: skip

    booking = doings.booking(booking_id)
    assert (booking.deal_id, booking.title, booking.responsible_id) == (deal["id"], "Съёмка каталога", OTHER)
    assert booking.participants == [ADMIN]
    with transaction(doings.rig.engine) as tx:
        assert queries.client_of_crm(tx, doings.rig.portal_id, "contact", contact["id"]) == booking.client_id
    assert {actor for action, actor in doings.history(booking_id) if action == "edited"} == {f"user:{MANAGER}"}
    assert doings.said("put_back") == []


def test_deleting_the_card_asks_for_a_cancellation_and_restoring_it_for_the_time_again(doings: Doings) -> None:
    booking_id, item_id = confirmed(doings)

    doings.delete(item_id)
    assert doings.booking(booking_id).stage == "cancelled"
    assert doings.rig.items("bookings") == []
    assert doings.ref(booking_id) is None

    doings.rig.world.knobs.bin_new_ids = True
    (row,) = people.bin_rows(doings.rig.far, doings.type)
    restored = people.restore_item(doings.rig.far, MANAGER, doings.type, row["itemId"])
    doings.tell(restored["id"])

    assert doings.booking(booking_id).stage == "confirmed"
    assert doings.item_of(booking_id) == restored["id"]
    assert [action for action, _ in doings.history(booking_id)] == ["booked", "cancelled", "reopened"]
    assert len(doings.rig.items("bookings")) == 1


def test_a_restored_card_of_a_time_that_is_taken_stays_cancelled_with_the_reason(doings: Doings) -> None:
    booking_id, item_id = confirmed(doings)
    doings.delete(item_id)
    confirmed(doings)

    people.restore_item(doings.rig.far, MANAGER, doings.type, item_id)
    doings.tell(item_id)

    assert (doings.booking(booking_id).stage, doings.item(item_id)["ours"]) == ("cancelled", "cancelled")
    assert (doings.reasons(), doings.item_of(booking_id)) == (["taken"], item_id)

    doings.drag(item_id, "expired")
    doings.tell(item_id)
    assert len(doings.reasons()) == 2, "what is refused next has a reason of its own"


def test_a_card_that_we_were_about_to_draw_over_is_not_made_again_when_somebody_has_deleted_it(doings: Doings) -> None:
    booking_id, item_id = confirmed(doings)
    doings.redraw(booking_id)
    people.delete_item(doings.rig.far, MANAGER, doings.type, item_id)

    doings.settle()
    doings.tell(item_id, gone=True)

    assert (doings.booking(booking_id).stage, doings.rig.items("bookings")) == ("cancelled", [])


def test_a_deleted_card_that_may_not_be_is_made_again_under_its_mark(doings: Doings) -> None:
    booking_id, item_id = confirmed(doings)

    people.allow(doings.rig.far, OTHER, doings.type, "read add update delete")
    doings.delete(item_id, OTHER)

    (made,) = doings.rig.items("bookings")
    assert (made["xmlId"], made["id"] != item_id) == (str(booking_id), True)
    assert doings.booking(booking_id).stage == "confirmed"
    assert doings.said("not_done") == [("comment", "not_done", None), ("notice", "not_done", OTHER)]


def test_a_second_card_of_a_booking_is_left_alone_and_told_of_once(doings: Doings) -> None:
    booking_id, item_id = confirmed(doings)
    item = doings.item(item_id)
    copy = people.add_item(doings.rig.far, MANAGER, doings.type, {"title": "Копия", "xmlId": item["xmlId"]})

    doings.tell(copy["id"])
    doings.tell(copy["id"])

    assert doings.item_of(booking_id) == item_id
    assert [row.state for row in doings.drafts()] == ["copy"]
    assert doings.said("copy") == [("comment", "copy", None), ("notice", "copy", MANAGER)]


def test_our_own_card_told_of_before_we_have_noted_it_makes_no_twin(doings: Doings) -> None:
    booking = doings.company.book(doings.company.room)
    item = people.add_item(doings.rig.far, ADMIN, doings.type, {"title": "Бронь", "xmlId": str(booking.id)})

    doings.tell(item["id"], None)

    assert ([one["id"] for one in doings.rig.items("bookings")], doings.said("put_back")) == ([item["id"]], [])
    assert doings.item_of(booking.id) == item["id"]


def test_a_robot_that_fights_us_ends_parked_after_one_redraw(doings: Doings) -> None:
    booking_id, item_id = confirmed(doings, intent="hold")
    stages = doings.crm.stages
    people_automation.place_move(
        doings.rig.far, ADMIN, doings.type, stages["confirmed"], stages["prebooked"]
    )  # fmt: skip

    with transaction(doings.rig.engine) as tx:
        how: dict[str, Any] = {"revision": 1, "viewer": factories.ADMIN, "now": doings.rig.clock()}
        confirm_booking(tx, doings.rig.ledger(tx), booking_id, **how)
    doings.settle()
    for _ in range(6):
        doings.tell(item_id, None)

    assert doings.picture(booking_id).parked_reason == "contested"
    assert doings.said("put_back") == [("comment", "put_back", None), ("notice", "put_back", ADMIN)]
    assert doings.booking(booking_id).stage == "confirmed"


def test_a_card_moved_onto_a_specialists_other_business_is_put_back(doings: Doings) -> None:
    booking = doings.company.book(doings.company.person, 2, viewer=factories.ADMIN)
    doings.settle()
    item_id, start = doings.item_of(booking.id), doings.rig.clock() + timedelta(hours=6)
    people_calendar.add_event(doings.rig.far, MANAGER, "Врач", start, start + timedelta(hours=1))

    doings.edit(item_id, ADMIN, start_at=at(start), end_at=at(start + timedelta(hours=1)))

    assert doings.reasons() == ["specialist_busy"]
    assert as_interval(doings.booking(booking.id).during).start == doings.rig.clock() + timedelta(hours=2)
