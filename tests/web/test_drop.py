"""A booking under the pointer: verdict, move, taking it back; and booking from the small dialog beside free time."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from b24app.booking.reserve import BookingRequest
from b24app.booking.series import book_series
from b24app.ledger import queries
from b24app.ledger.models import Booking, ExternalRef, Installation, Policy, Resource
from b24app.ledger.occupancy import as_interval
from b24app.scheduling.interval import Interval
from b24app.scheduling.recurrence import Recurrence
from tests.factories import ADMIN as ADMIN_VIEWER
from tests.factories import make_resource
from tests.stand import ADMIN, EMPLOYEE, MANAGER, Frame
from tests.web.desk import Desk, words
from tests.web.installed import Installed, everything
from tests.web.test_bookings import DEAL_TAB


@pytest.fixture
def desk(installed: Installed) -> Desk:
    with installed.tx() as tx:
        room = make_resource(tx, installed.portal(), now=installed.stand.now, name="Oka")
    return Desk(installed, room)


@pytest.fixture
def frame(desk: Desk) -> Frame:
    return desk.open()


def seconds(at: datetime) -> int:
    return int(at.timestamp())


def over(
    desk: Desk, booking: Booking, resource: Resource, start: float, length: float = 1, **more: Any
) -> dict[str, Any]:
    """Where the booking is held: over that resource, `start` hours from now."""
    to = desk.hours(start, length)
    return {
        "booking": booking.number,
        "resource": resource.id,
        "start": seconds(to.start),
        "end": seconds(to.end),
        **more,
    }


def may(frame: Frame, **held: Any) -> dict[str, Any]:
    answer = frame.get("/app/board/may", **held)
    assert answer.status_code == 200, answer.text
    said = told(answer)
    return {**said, "words": plain(said["words"]), "price": plain(said["price"])}


def told(answer: TestResponse) -> dict[str, Any]:
    """What an answer says to the script."""
    assert answer.json is not None
    return dict(answer.json)


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def drop(frame: Frame, **held: Any) -> TestResponse:
    return frame.post("/app/board/move", **held)


def places(desk: Desk, booking: Booking) -> set[str]:
    with desk.installed.tx() as tx:
        return {one.name for one in queries.resources_of_bookings(tx, booking.portal_id, [booking.id])[booking.id]}


def starts(desk: Desk, booking: Booking) -> datetime:
    return as_interval(desk.state(booking).during).start


# Before it is let go ----


def test_a_verdict_says_yes_and_what_the_booking_is(desk: Desk, frame: Frame) -> None:
    booking = desk.book(desk.room)
    before = everything(desk.installed.engine)
    said = may(frame, **over(desk, booking, desk.room, 26))
    assert said == {
        "ok": True, "words": "", "price": "", "revision": 1,
        "start": seconds(desk.hours(24).start), "end": seconds(desk.hours(25).start),
    }  # fmt: skip
    assert everything(desk.installed.engine) == before, "asking changes nothing"


def test_a_verdict_names_what_is_in_the_way_and_what_it_would_cost(desk: Desk, frame: Frame) -> None:
    service = desk.service()
    booking, _other = desk.book(service), desk.book(desk.room, 27)
    assert may(frame, **over(desk, booking, desk.room, 27)) | {"revision": 0, "start": 0, "end": 0} == {
        "ok": False, "words": "Taken 12:00–13:00", "price": "", "revision": 0, "start": 0, "end": 0,
    }  # fmt: skip
    assert may(frame, **over(desk, booking, desk.room, 24, 2))["price"] == "RUB 4,800 (+RUB 2,400)"


def test_a_verdict_names_the_broken_rule(desk: Desk, frame: Frame) -> None:
    with desk.installed.tx() as tx:
        rules = Policy(portal_id=desk.installed.portal().id, name="Rent", rules={"move_until_minutes": 180})
        tx.add(rules)
        tx.flush()
    booking = desk.book(desk.resource(policy_id=rules.id, name="Neva"), 2)
    said = may(frame, **over(desk, booking, desk.room, 26))
    assert not said["ok"]
    assert "3 h before" in said["words"]
    answer = drop(frame, **over(desk, booking, desk.room, 26))
    assert answer.status_code == 422
    assert plain(told(answer)["reasons"][0]) == said["words"]
    assert told(answer)["offers"] == [], "another time would be refused as well"


def test_who_may_not_change_it_is_told_before_and_after(desk: Desk) -> None:
    booking = desk.book(desk.room, by=ADMIN)
    other = desk.open(EMPLOYEE)
    said = may(other, **over(desk, booking, desk.room, 26))
    assert (said["ok"], "may change this booking" in said["words"]) == (False, True)
    before = everything(desk.installed.engine)
    assert drop(other, **over(desk, booking, desk.room, 26)).status_code == 403
    assert everything(desk.installed.engine) == before


@pytest.mark.parametrize(
    "changed",
    [
        {"start": "x"},
        {"start": 10**12},
        {"end": 1},
        {"booking": 0},
        {"booking": ""},
        {"revision": "x"},
        {"booking": 999},
    ],
)
def test_nonsense_is_refused_in_words(desk: Desk, frame: Frame, changed: dict[str, Any]) -> None:
    held = over(desk, desk.book(desk.room), desk.room, 26) | changed
    before = everything(desk.installed.engine)
    for answer in (frame.get("/app/board/may", **held), drop(frame, **held)):
        refused = answer.status_code in (404, 422) or not told(answer).get("ok", True)
        assert refused, answer.text
        assert told(answer)["words"]
    assert everything(desk.installed.engine) == before


# Let go ----


def test_a_drop_moves_in_time_and_is_taken_back(desk: Desk, frame: Frame) -> None:
    booking = desk.book(desk.room)
    answer = drop(frame, **over(desk, booking, desk.room, 27), revision=1)
    said = told(answer)
    assert (said["number"], plain(said["words"])) == (booking.number, f"Booking No. {booking.number} moved to 12:00")
    assert said["undo"]["words"] == "Return to 9:00"
    assert starts(desk, booking) == desk.hours(27).start
    assert frame.post(said["undo"]["url"]).status_code == 200
    assert starts(desk, booking) == desk.hours(24).start


def test_a_drop_on_another_lane_and_of_an_end(desk: Desk, frame: Frame) -> None:
    booking, other = desk.book(desk.room), desk.resource(name="Neva")
    said = told(drop(frame, **over(desk, booking, other, 24)))
    assert plain(said["words"]) == f"Booking No. {booking.number} moved: Neva, 9:00"
    assert places(desk, booking) == {"Neva"}
    said = told(drop(frame, **over(desk, booking, other, 24, 2)))
    assert plain(said["words"]) == f"Booking No. {booking.number} now lasts until 11:00"
    with desk.installed.tx() as tx:
        assert tx.scalars(select(ExternalRef).where(ExternalRef.booking_id == booking.id)).all(), (
            "the portal hears of it"
        )


def test_the_same_drop_sent_twice_is_done_once(desk: Desk, frame: Frame) -> None:
    booking = desk.book(desk.room)
    held = over(desk, booking, desk.resource(name="Neva"), 27, revision=1)
    first = drop(frame, **held)
    before = everything(desk.installed.engine)
    again = drop(frame, **held)
    assert (again.status_code, told(again)) == (200, told(first))
    assert everything(desk.installed.engine) == before


def test_what_somebody_else_has_changed_meanwhile_is_not_moved(desk: Desk, frame: Frame) -> None:
    booking = desk.book(desk.room)
    drop(desk.open(ADMIN), **over(desk, booking, desk.room, 30), revision=1)
    before = everything(desk.installed.engine)
    answer = drop(frame, **over(desk, booking, desk.room, 27), revision=1)
    assert answer.status_code == 409
    assert "Somebody has changed this meanwhile" in told(answer)["reasons"][0]
    assert everything(desk.installed.engine) == before


def test_a_taken_time_is_refused_with_the_nearest_free_ones(desk: Desk, frame: Frame) -> None:
    booking, rival = desk.book(desk.room), desk.book(desk.room, 27, by=ADMIN)
    before = everything(desk.installed.engine)
    answer = drop(frame, **over(desk, booking, desk.room, 26.5), revision=1)
    assert answer.status_code == 409
    assert plain(told(answer)["words"]) == f"Booking No. {booking.number} was not moved"
    assert plain(told(answer)["reasons"][0]) == "Taken 12:00–13:00"
    assert plain(told(answer)["reasons"][-1]) == "It stays at 11 March, 9:00"
    assert everything(desk.installed.engine) == before
    offer = told(answer)["offers"][0]
    assert len(told(answer)["offers"]) == 2
    assert (
        drop(frame, **over(desk, booking, desk.room, 0) | {name: offer[name] for name in ("start", "end")}).status_code
        == 200
    )
    assert not as_interval(desk.state(booking).during).overlaps(as_interval(rival.during))


def test_of_a_series_only_the_one_that_was_dragged_moves(desk: Desk) -> None:
    wish = BookingRequest(desk.hours(24), resource_id=desk.room.id)
    first = desk.hours(24).start.date()
    days = [first + timedelta(days=n) for n in range(3)]
    with desk.installed.tx() as tx:
        series = Recurrence("daily", count=3)
        made = book_series(tx, desk.installed.portal(), wish, series, days, viewer=ADMIN_VIEWER, now=desk.now)
    assert drop(desk.open(ADMIN), **over(desk, made[0], desk.room, 26)).status_code == 200
    assert [starts(desk, one) for one in made] == [desk.hours(26).start, desk.hours(48).start, desk.hours(72).start]


# A service ----


def test_a_service_goes_to_who_can_serve_it_and_keeps_the_rest(desk: Desk, frame: Frame) -> None:
    anna, boris, cook = (desk.resource(kind="specialist", name=name) for name in ("Anna", "Boris", "Cook"))
    spare = desk.resource(name="Don")
    service = desk.service(([anna, boris], 1), ([desk.room, spare], 1))
    booking = desk.book(service, resource_ids=frozenset({anna.id}))
    assert places(desk, booking) == {"Anna", "Oka"}
    said = may(frame, **over(desk, booking, cook, 24, lane=anna.id))
    assert (said["ok"], said["words"]) == (False, "What is booked cannot be had there")
    assert drop(frame, **over(desk, booking, cook, 24, lane=anna.id)).status_code == 403
    assert drop(frame, **over(desk, booking, boris, 24, lane=desk.room.id)).status_code == 403, (
        "a room is no specialist"
    )
    assert drop(frame, **over(desk, booking, boris, 24, lane=anna.id)).status_code == 200
    assert places(desk, booking) == {"Boris", "Oka"}


def test_a_service_takes_another_room_where_its_own_is_taken(desk: Desk, frame: Frame) -> None:
    anna, spare = desk.resource(kind="specialist", name="Anna"), desk.resource(name="Don")
    booking = desk.book(desk.service((anna, 1), ([desk.room, spare], 1)))
    desk.book(desk.room, 27)
    said = may(frame, **over(desk, booking, anna, 27))
    assert (said["ok"], said["words"]) == (True, "instead: Don")
    assert drop(frame, **over(desk, booking, anna, 27)).status_code == 200
    assert places(desk, booking) == {"Anna", "Don"}


# The dialog beside free time ----


def dialog(frame: Frame, resource: Resource, to: Interval, **more: Any) -> str:
    answer = frame.get("/app/board/chosen", resource=resource.id, start=seconds(to.start), end=seconds(to.end), **more)
    assert answer.status_code == 200, answer.text
    return answer.text


def fields(text: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', text))


def intents(text: str) -> list[str]:
    return re.findall(r'name="intent" value="(\w+)"', text)


def test_a_room_for_ones_own_people_is_booked_from_the_dialog_and_taken_back(desk: Desk, frame: Frame) -> None:
    text = dialog(frame, desk.room, desk.hours(24, 1.5))
    assert words(text).startswith("Oka, 9:00–10:30")
    assert "Wednesday, 11 March, 1 h 30 min." in words(text)
    assert intents(text) == ["policy", "hold"]
    sent = {**fields(text), "intent": "policy", "title": "Stand-up"}
    answer = frame.post("/app/board/book", **sent)
    said = told(answer)
    assert plain(said["words"]) == f"Booking No. {said['number']}: Oka, Wed, 11 March, 9:00–10:30"
    before = everything(desk.installed.engine)
    assert told(frame.post("/app/board/book", **sent))["number"] == said["number"], "sent twice, made once"
    assert everything(desk.installed.engine) == before
    made = numbered(desk, said["number"])
    assert (made.title, made.client_id, made.responsible_id) == ("Stand-up", None, MANAGER)
    assert as_interval(made.during) == desk.hours(24, 1.5)
    frame.post(said["undo"]["url"])
    assert desk.state(made).stage == "cancelled"


def numbered(desk: Desk, number: int) -> Booking:
    with desk.installed.tx() as tx:
        return tx.scalars(select(Booking).where(Booking.number == number)).one()


def test_what_is_paid_for_asks_for_a_client_unless_a_card_tells_him(desk: Desk, frame: Frame) -> None:
    anna = desk.resource(kind="specialist", name="Anna")
    service = desk.service((anna, 1), (desk.room, 1), name="Portrait", rules={"hold_minutes": 120})
    text = dialog(frame, anna, desk.hours(24), service=service.id)
    assert intents(text) == []
    assert "data-more" in text
    deal = desk.open(place=DEAL_TAB, options={"ID": "1"})
    text = dialog(deal, anna, desk.hours(24), service=service.id)
    assert "RUB 2,400" in words(text)
    assert "With: Oka." in words(text)
    assert "Pre-book for 2 h" in words(text)
    answer = deal.post("/app/board/book", **fields(text), intent="policy")
    assert answer.status_code == 200, answer.text
    made = numbered(desk, told(answer)["number"])
    assert made.deal_id == 1
    assert made.client_id is not None
    assert places(desk, made) == {"Anna", "Oka"}
    assert desk.money(made).price == Decimal(2400)


def test_the_dialog_offers_what_the_place_is_booked_for(desk: Desk, frame: Frame) -> None:
    anna, cook = (desk.resource(kind="specialist", name=name) for name in ("Anna", "Cook"))
    service = desk.service(([anna], 1), name="Portrait", min_minutes=90, max_minutes=90)
    assert f'data-service="{service.id}"' in dialog(frame, anna, desk.hours(24))
    assert "data-service" not in dialog(frame, cook, desk.hours(24))
    text = dialog(frame, anna, desk.hours(24), service=service.id)
    assert f'data-end="{seconds(desk.hours(24, 1.5).end)}"' in text, "a fixed length is shown as it is"


def test_a_time_that_was_taken_meanwhile_is_told_with_free_ones(desk: Desk, frame: Frame) -> None:
    sent = fields(dialog(frame, desk.room, desk.hours(24)))
    desk.book(desk.room, by=ADMIN)
    before = everything(desk.installed.engine)
    answer = frame.post("/app/board/book", **sent, intent="policy")
    assert answer.status_code == 409
    assert plain(told(answer)["words"]) == "Oka, 11 March, 9:00: this time has just been taken"
    assert "was not made, nothing was sent" in told(answer)["reasons"][-1]
    assert everything(desk.installed.engine) == before
    assert "Taken 9:00–10:00" in words(dialog(frame, desk.room, desk.hours(24)))
    offer = told(answer)["offers"][0]
    assert frame.post("/app/board/book", **{**sent, **offer["values"]}, intent="policy").status_code == 200


def test_nothing_is_changed_where_the_application_is_not_paid_for(desk: Desk, frame: Frame) -> None:
    booking, sent = desk.book(desk.room), fields(dialog(frame, desk.room, desk.hours(27)))
    with desk.installed.tx() as tx:
        tx.execute(update(Installation).values(payment_expired=True))
    before = everything(desk.installed.engine)
    assert not may(frame, **over(desk, booking, desk.room, 26))["ok"]
    for answer in (
        drop(frame, **over(desk, booking, desk.room, 26)),
        frame.post("/app/board/book", **sent, intent="policy"),
    ):
        assert answer.status_code == 403
        assert "has not been paid for" in " ".join([told(answer)["words"], *told(answer)["reasons"]])
    assert everything(desk.installed.engine) == before


def test_a_key_is_needed_and_a_hidden_resource_is_not_found(desk: Desk, frame: Frame) -> None:
    assert frame.post("/app/board/book", resource=desk.room.id).status_code == 422
    assert frame.get("/app/board/chosen", resource=10**9, start=1, end=2).status_code == 404
    assert uuid.UUID(fields(dialog(frame, desk.room, desk.hours(24)))["request_key"])
