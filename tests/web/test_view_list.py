"""The agenda and "my day": which bookings they have, in which sections, and how much of each somebody is shown."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import delete

from b24app.booking.clients import ClientData
from b24app.ledger.models import Booking, Grant
from b24app.ledger.occupancy import as_interval
from tests.stand import ADMIN, APP_URL, EMPLOYEE, MANAGER, Frame
from tests.web.desk import RULES, Desk, buttons, words
from tests.web.installed import Installed

MARIA = ClientData("person", "Maria")
SECTION = re.compile(
    r'<section aria-labelledby="h-([\w-]+)">.*?</section>|<details class="mfold" id="s-(\w+)">.*?</details>', re.DOTALL
)


@pytest.fixture
def desk(installed: Installed) -> Desk:
    made = Desk(installed, cast(Any, None))
    made.room = made.resource(name="Oka")
    return made


def sections(frame: Frame, **asked: Any) -> dict[str, str]:
    """What each section says, by its key."""
    answer = frame.get("/app/board", **{"view": "list", **asked})
    assert answer.status_code == 200
    return {one[1] or one[2]: words(one[0]) for one in SECTION.finditer(answer.text)}


def lines(frame: Frame, **asked: Any) -> list[str]:
    text = frame.get("/app/board", **{"view": "list", **asked}).text
    return [html.unescape(one) for one in re.findall(r'<span class="grow"><b>([^<]*)</b>', text)]


def test_today_is_told_by_what_is_to_be_done(desk: Desk) -> None:
    hold = desk.service(rules=RULES["hold"], name="Portrait")
    for title, start in (("Over", 0.5), ("Running", 2), ("Later", 6)):
        desk.book(desk.room, start, title=title)
    desk.book(hold, 4, title="Asked")
    desk.forward(hours=1.6)
    desk.change(booking(desk, "Asked"), held_until=desk.now + timedelta(hours=1))
    desk.change(booking(desk, "Over"), stage="completed")
    desk.forward(hours=0.9)
    found = sections(desk.open())
    assert list(found) == ["past", "now", "decide", "next"]
    assert found["past"].startswith("1 has passed")
    assert found["now"].startswith("Now 1")
    assert "Running" in found["now"]
    assert "Asked" in found["decide"]
    assert "Pre-booking until" in found["decide"]
    assert "Later" in found["next"]


def booking(desk: Desk, title: str) -> Booking:
    with desk.installed.tx() as tx:
        return tx.query(Booking).filter(Booking.title == title).one()


def test_another_day_is_told_by_its_parts_and_seven_days_by_the_day(desk: Desk) -> None:
    for title, start in (("Early", 24), ("Noon", 28), ("Late", 33), ("Next week", 24 * 4)):
        desk.book(desk.room, start, title=title)
    tomorrow = (desk.now + timedelta(days=1)).date().isoformat()
    assert list(sections(desk.open(), day=tomorrow)) == ["morning", "day", "evening"]
    week = sections(desk.open(), day=tomorrow, days="7")
    assert len(week) == 2
    assert "Next week" in list(week.values())[1]


def test_no_shows_and_what_was_dropped_are_counted_and_folded(desk: Desk) -> None:
    missed, dropped = desk.book(desk.room, 0.5, title="Missed"), desk.book(desk.room, 8, title="Dropped")
    desk.act(desk.open(), dropped, "cancel")
    desk.installed.stand.now = as_interval(missed.during).end
    desk.act(desk.open(ADMIN), missed, "no-show")
    found = sections(desk.open())
    assert "1 has passed, 1 of them a no-show" in found["past"]
    assert "1 cancelled or expired" in found["dropped"]
    assert "Dropped" in found["dropped"]


def test_filters_really_leave_out(desk: Desk) -> None:
    studio = desk.resource(name="Light", kind="hall")
    portrait = desk.service((studio, 1), name="Portrait")
    desk.book(desk.room, 4, title="Meeting")
    desk.book(portrait, 5, title="Shooting", by=ADMIN)
    frame = desk.open()
    assert lines(frame) == ["Meeting", "Shooting"]
    assert lines(frame, service=portrait.id) == ["Shooting"]
    assert lines(frame, stages="completed") == []
    assert lines(frame, stages="confirmed,paid") == ["Meeting", "Shooting"]
    assert lines(frame, responsible=ADMIN) == ["Shooting"]


def test_who_sees_only_what_is_taken_is_told_no_more(desk: Desk) -> None:
    desk.book(desk.room, 4, title="Secret", client=MARIA)
    desk.book(desk.service(rules=RULES["manager"]), 6, title="Secret request")
    desk.grant("busy", alone=True)
    frame = desk.open(EMPLOYEE)
    text = frame.get("/app/board", view="list").text
    assert lines(frame) == ["Taken"]
    assert "Oka" in sections(frame)["next"]
    for secret in ("Secret", "Maria", "confirmed", "/app/bookings/no/1"):
        assert secret not in text, secret
    assert lines(frame, responsible=MANAGER) == [], "what it is must not be told by filters either"


def test_decisions_are_offered_to_who_may_take_them(desk: Desk) -> None:
    asked = desk.book(desk.service(rules=RULES["manager"]), 5)
    assert buttons(desk.open(MANAGER).get("/app/board", view="list").text) == set()
    theirs = desk.open(ADMIN).get("/app/board", view="list").text
    assert buttons(theirs) == {"confirm"}
    assert 'data-part="decline"' in theirs
    assert desk.act(desk.open(ADMIN), asked, "confirm").status_code == 200
    assert buttons(desk.open(ADMIN).get("/app/board", view="list").text) == set()


def test_requests_for_one_time_stand_together(desk: Desk) -> None:
    service = desk.service(rules=RULES["manager"])
    for name in ("First", "Second"):
        desk.book(service, 5, title=name)
    assert lines(desk.open()) == ["2 requests"]


def test_money_that_is_outstanding_is_told(desk: Desk) -> None:
    desk.book(desk.service(), 5, title="Unpaid")
    assert "to pay RUB 2,400" in sections(desk.open())["next"]


def test_my_day_is_what_i_serve_answer_for_or_take_part_in(desk: Desk) -> None:
    me = desk.resource(name="Anna", kind="specialist", portal_user_id=EMPLOYEE)
    desk.book(desk.room, 3, title="Others")
    desk.book(me, 4, title="I serve")
    desk.book(desk.room, 5, title="I answer", responsible_id=EMPLOYEE)
    desk.book(desk.room, 6, title="I take part", participants=frozenset({EMPLOYEE}))
    assert lines(desk.open(EMPLOYEE), view="mine") == ["I serve", "I answer", "I take part"]
    empty = desk.open(ADMIN).get("/app/board", view="mine").text
    assert "You have no bookings on this day" in words(empty)


def test_an_empty_day_says_what_to_do(desk: Desk) -> None:
    page = words(desk.open().get("/app/board", view="list").text)
    assert "There are no bookings on this day" in page
    filtered = words(desk.open().get("/app/board", view="list", stages="paid").text)
    assert "Nothing answers to the filters" in filtered


def test_a_list_is_sent_anew_when_the_next_booking_begins(desk: Desk) -> None:
    desk.book(desk.room, 0.5, title="Soon")
    frame, asked = desk.open(), {"view": "list", "day": desk.now.date().isoformat()}
    desk.forward(minutes=27)
    headers = {**frame.headers, "If-None-Match": frame.get("/app/board", **asked).headers["ETag"]}

    def again() -> int:
        return frame.client.get("/app/board", query_string=asked, headers=headers, base_url=APP_URL).status_code

    desk.forward(minutes=2)
    assert again() == 304
    desk.forward(minutes=1)
    assert again() == 200
    assert "Soon" in sections(frame)["now"]


def test_a_composite_takes_the_part_that_somebody_may_see(desk: Desk) -> None:
    halves = [desk.resource(name=name, kind="hall") for name in ("Left half", "Right half")]
    whole = desk.resource(name="Whole", kind="hall", parts=tuple(one.id for one in halves))
    desk.book(whole, 4, title="Show")
    with desk.installed.tx() as tx:
        tx.execute(delete(Grant))
        portal_id = desk.installed.portal().id
        tx.add(Grant(portal_id=portal_id, scope=f"resource:{halves[0].id}", code="AU", right="see"))
    frame = desk.open(EMPLOYEE)
    assert lines(frame) == ["Taken"]
    assert "Left half" in sections(frame)["next"]
    assert "Whole" not in sections(frame)["next"]
    assert lines(desk.open(ADMIN)) == ["Show"]
