"""Cards that people, an import or a robot have made in the funnel themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from b24app.ledger.occupancy import as_interval
from emulator import people
from tests.sync.doings import Doings, at
from tests.sync.rig import ADMIN, MANAGER, Company


@pytest.fixture
def doings(company: Company) -> Doings:
    return Doings(company)


def times(doings: Doings, hours: float = 3) -> dict[str, Any]:
    start = doings.rig.clock().replace(minute=0, second=0) + timedelta(hours=hours)
    return {"start_at": at(start), "end_at": at(start + timedelta(hours=1))}


def test_a_complete_card_made_by_hand_is_booked_and_becomes_its_picture(doings: Doings) -> None:
    room, contact = doings.company.room, people.add_item(doings.rig.far, ADMIN, 3, {"name": "Вера"})

    item_id = doings.make(**times(doings), resource=doings.bound(room.id), contactIds=[contact["id"]], title="Интервью")

    (booking,) = doings.bookings()
    item = doings.item(item_id)
    assert (booking.source, booking.title, booking.stage) == ("crm", "Интервью", "confirmed")
    assert (booking.created_by, booking.client_id is not None) == (f"user:{MANAGER}", True)
    assert (item["xmlId"], item["ours"], item["title"]) == (str(booking.id), "confirmed", "Интервью")
    assert item[doings.field("number")] == booking.number
    assert as_interval(booking.during).start == doings.rig.clock() + timedelta(hours=3)
    assert (doings.drafts(), len(doings.rig.items("bookings"))) == ([], 1)


def test_an_incomplete_card_waits_as_a_draft_and_says_once_what_is_missing(doings: Doings) -> None:
    item_id = doings.make(stage="confirmed", title="Созвон")
    doings.tell(item_id)
    assert doings.said("draft_lacks") == [("comment", "draft_lacks", None)]
    assert [(row.state, row.reasons["lacks"]) for row in doings.drafts()] == [
        ("incomplete", ["resource", "start", "end"])
    ]
    assert doings.item(item_id)["ours"] == "prebooked"

    doings.edit(item_id, **times(doings))
    assert len(doings.said("draft_lacks")) == 2
    doings.edit(item_id, resource=doings.bound(doings.company.room.id))

    (booking,) = doings.bookings()
    assert (doings.item_of(booking.id), doings.drafts()) == (item_id, [])


def test_a_card_on_a_taken_time_is_cancelled_with_the_reason_until_somebody_edits_it(doings: Doings) -> None:
    room = doings.company.room
    doings.company.book(room, 3)
    doings.settle()

    item_id = doings.make(**times(doings), resource=doings.bound(room.id))
    doings.tell(item_id)
    doings.tell(item_id, None)

    assert (len(doings.bookings()), doings.item(item_id)["ours"]) == (1, "cancelled")
    assert [row.state for row in doings.drafts()] == ["refused"]
    assert doings.said("draft_taken") == [("comment", "draft_taken", None), ("notice", "draft_taken", MANAGER)]
    assert doings.reasons() == ["taken"]

    doings.forward(60)
    doings.drag(item_id, "prebooked")  # tried again, since a person asks for it
    assert (len(doings.said("draft_taken")), doings.item(item_id)["ours"]) == (4, "cancelled")
    people.move_card(doings.rig.far, MANAGER, doings.type, item_id, doings.crm.stages["prebooked"])
    doings.tell(item_id, None)  # what a robot does comes without anybody's token
    assert len(doings.said("draft_taken")) == 4

    doings.edit(item_id, **times(doings, 5))
    assert (len(doings.bookings()), doings.item(item_id)["ours"]) == (2, "confirmed")


def test_a_ledger_without_the_booking_that_a_card_names_books_it_anew(doings: Doings) -> None:
    room = doings.company.room

    item_id = doings.make(**times(doings), resource=doings.bound(room.id), xmlId="0a1b2c3d-0000-4000-8000-000000000001")

    (booking,) = doings.bookings()
    assert doings.item(item_id)["xmlId"] == str(booking.id)


def test_an_imported_card_of_the_past_asks_for_nothing(doings: Doings) -> None:
    item_id = doings.make(**times(doings, -50), resource=doings.bound(doings.company.room.id), stage="completed")

    assert (doings.bookings(), doings.reasons(), doings.item(item_id)["ours"]) == ([], [], "completed")


def test_a_deleted_draft_is_forgotten(doings: Doings) -> None:
    item_id = doings.make(title="Пустая")

    doings.delete(item_id)

    assert doings.drafts() == []
