"""Calendar feeds: secret addresses, what they show to whom, and how they end."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, cast

import pytest
from icalendar import Calendar
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from b24app.booking.clients import ClientData
from b24app.ledger import feeds, tenancy
from b24app.ledger.models import Grant, PortalUser, Resource
from b24app.ledger.portal_models import Feed
from b24app.scheduling.interval import Interval
from tests.stand import ADMIN, EMPLOYEE, MANAGER, Frame
from tests.web.desk import Desk, words
from tests.web.installed import Installed

MARIA = ClientData("person", "Maria Petrova", "+79000000001")
ADDRESS = re.compile(r'value="https://app\.example\.com(/feed/[^"]+)"')


@pytest.fixture
def desk(installed: Installed) -> Desk:
    made = Desk(installed, cast(Any, None))
    made.room = made.resource(name="Oka", city="Moscow", address="Lesnaya, 7")
    return made


def make(frame: Frame, what: object, **form: Any) -> str:
    """The path of a new feed's address, as it is shown once."""
    answer = frame.post("/app/feeds", what=what, **form)
    assert answer.status_code == 200, answer.text
    (found,) = ADDRESS.findall(answer.text)
    return str(found)


def read(desk: Desk, path: str, **headers: str) -> TestResponse:
    """As a calendar program does it."""
    return desk.installed.stand.client.get(path, headers=headers, base_url="https://app.example.com")


def events(desk: Desk, path: str) -> list[Any]:
    answer = read(desk, path)
    assert answer.status_code == 200
    return list(Calendar.from_ical(answer.text).walk("VEVENT"))


def summaries(desk: Desk, path: str) -> list[str]:
    return [str(event["SUMMARY"]) for event in events(desk, path)]


def feed_ids(desk: Desk) -> list[int]:
    with desk.installed.tx() as tx:
        return list(tx.scalars(select(Feed.id).order_by(Feed.id)))


def later(desk: Desk) -> None:
    """So much later that a calendar is drawn anew."""
    desk.forward(minutes=1)


# What it shows ----


def test_a_resources_bookings_without_the_names_of_clients(desk: Desk) -> None:
    meeting = desk.book(desk.room, 24, title="Planning")
    visit = desk.book(desk.service(), 26, client=MARIA, title="Maria’s portfolio")
    path = make(desk.open(), desk.room.id)
    text = read(desk, path).text
    first, second = events(desk, path)
    assert "Maria" not in text
    assert first["SUMMARY"] == f"Planning № {meeting.number}"
    assert second["SUMMARY"] == f"Portrait № {visit.number}"
    assert Interval(first.decoded("DTSTART"), first.decoded("DTEND")) == desk.hours(24)
    assert first["LOCATION"] == "Oka, Moscow, Lesnaya, 7"
    assert first["UID"] == str(meeting.id)
    assert Calendar.from_ical(text)["X-WR-CALNAME"] == "Oka"


def test_names_are_in_it_when_its_maker_has_asked_for_them(desk: Desk) -> None:
    desk.book(desk.service(), 26, client=MARIA)
    (event,) = events(desk, make(desk.open(), desk.room.id, names="1"))
    assert "Maria Petrova" in event["SUMMARY"]
    assert "Maria Petrova" in event["DESCRIPTION"]
    assert "+7900" not in event["DESCRIPTION"]


def test_ones_own_bookings_on_any_resource(desk: Desk) -> None:
    other = desk.resource(name="Volga")
    desk.book(other, 24, title="Mine", responsible_id=MANAGER)
    desk.book(desk.room, 24, title="Not mine", by=EMPLOYEE, responsible_id=EMPLOYEE)
    desk.book(desk.room, 26, title="I take part", by=EMPLOYEE, participants=frozenset({MANAGER}))
    said = summaries(desk, make(desk.open(), "mine"))
    assert [one.partition(" №")[0] for one in said] == ["Mine", "I take part"]


def test_pre_bookings_are_tentative_and_what_was_dropped_is_not_there(desk: Desk) -> None:
    hold = desk.book(desk.room, 24, intent="hold", title="Held")
    gone = desk.book(desk.room, 26, title="Gone")
    desk.book(desk.service(rules={"winner": "payment", "decide_minutes": 180}), 28, title="Asked for")
    assert desk.act(desk.open(ADMIN), gone, "cancel").status_code == 200
    path = make(desk.open(), desk.room.id)
    (event,) = events(desk, path)
    assert (event["UID"], event["STATUS"]) == (str(hold.id), "TENTATIVE")
    desk.change(hold, held_until=desk.now)
    later(desk)
    assert events(desk, path) == []


def test_a_month_back_and_half_a_year_ahead(desk: Desk) -> None:
    near = desk.book(desk.room, 24)
    far = desk.book(desk.service(max_minutes=60, rules={"horizon_days": 400}), 200 * 24)
    path = make(desk.open(), desk.room.id)
    seen = {}
    for days in (0, 25, 32):
        desk.installed.stand.now = desk.now.replace(month=3, day=10) + timedelta(days=days)
        seen[days] = [str(one["UID"]) for one in events(desk, path)]
    assert seen == {0: [str(near.id)], 25: [str(near.id), str(far.id)], 32: [str(far.id)]}


def test_a_part_is_taken_by_the_whole(desk: Desk) -> None:
    half = desk.resource(name="Half")
    whole = desk.resource(name="Whole", kind="hall", parts=(desk.room.id, half.id))
    desk.book(whole, 24, title="Ball")
    (event,) = events(desk, make(desk.open(), half.id))
    assert "Ball" in event["SUMMARY"]


def test_what_its_maker_may_not_see_there_is_only_taken(desk: Desk) -> None:
    half = desk.resource(name="Half", city="Tver")
    whole = desk.resource(name="Whole", kind="hall", parts=(desk.room.id, half.id))
    desk.book(whole, 24, title="Ball", by=ADMIN)
    desk.grant("manage", "U1", alone=True)
    with desk.installed.tx() as tx:
        tx.add(Grant(portal_id=desk.installed.portal().id, scope="location:Tver", code="AU", right="see"))
    (event,) = events(desk, make(desk.open(EMPLOYEE), half.id, names="1"))
    assert event["SUMMARY"] == "Занято"
    assert "DESCRIPTION" not in event


# The secret ----


def test_the_secret_is_shown_once_and_kept_nowhere(desk: Desk) -> None:
    frame = desk.open()
    path = make(frame, desk.room.id)
    secret = path.removeprefix("/feed/").removesuffix(".ics")
    assert len(secret) >= 43
    assert secret not in frame.get("/app/feeds").text
    with desk.installed.tx() as tx:
        (feed,) = tx.scalars(select(Feed))
        assert feed.secret_hash == feeds.hash_of(secret)
        assert secret.encode() not in feed.secret_hash


def test_nobody_gets_in_with_another_secret(desk: Desk) -> None:
    make(desk.open(), desk.room.id)
    for wrong in ("x" * 43, "", "'", "%00", "ы"):
        assert read(desk, f"/feed/{wrong}.ics").status_code == 404


def test_a_failure_is_logged_without_the_secret(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise ValueError

    path = make(desk.open(), desk.room.id)
    monkeypatch.setattr(feeds, "by_secret", fails)
    assert read(desk, path).status_code == 500
    assert "Exception on /feed/- [GET]" in caplog.text
    assert path.rpartition("/")[2] not in caplog.text


def test_answers_are_private_and_say_when_nothing_changed(desk: Desk) -> None:
    path = make(desk.open(), desk.room.id)
    first = read(desk, path)
    assert first.headers["Cache-Control"] == "private, max-age=60"
    assert first.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in first.headers
    same = read(desk, path, **{"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    later(desk)
    assert read(desk, path, **{"If-None-Match": first.headers["ETag"]}).status_code == 304
    desk.forward(minutes=29)
    desk.book(desk.room, 24)
    assert read(desk, path, **{"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_it_is_drawn_once_a_minute_at_most(desk: Desk) -> None:
    path = make(desk.open(), desk.room.id)
    assert events(desk, path) == []
    desk.book(desk.room, 24)
    assert events(desk, path) == []
    later(desk)
    assert len(events(desk, path)) == 1


def test_reading_is_noted_once_an_hour(desk: Desk) -> None:
    path = make(desk.open(), desk.room.id)
    began = desk.now
    assert "not yet" in words(desk.open().get("/app/feeds").text)
    for minutes in (0, 59, 1):
        desk.forward(minutes=minutes)
        read(desk, path)
        with desk.installed.tx() as tx:
            (feed,) = tx.scalars(select(Feed))
            assert feed.read_at == (began if desk.now < began + timedelta(hours=1) else desk.now)


# How it ends ----


def test_a_revoked_feed_is_gone(desk: Desk) -> None:
    frame = desk.open()
    path = make(frame, desk.room.id)
    assert read(desk, path).status_code == 200
    (feed_id,) = feed_ids(desk)
    assert "There are none." in words(frame.post(f"/app/feeds/{feed_id}/revoke").text)
    assert read(desk, path).status_code == 410
    assert frame.post(f"/app/feeds/{feed_id}/revoke").status_code == 200


def test_only_its_maker_and_administrators_see_and_revoke_it(desk: Desk) -> None:
    path = make(desk.open(), desk.room.id)
    (feed_id,) = feed_ids(desk)
    other = desk.open(EMPLOYEE)
    assert "There are none." in words(other.get("/app/feeds").text)
    assert other.post(f"/app/feeds/{feed_id}/revoke").status_code == 404
    assert read(desk, path).status_code == 200
    admin = desk.open(ADMIN)
    assert f"/app/feeds/{feed_id}/revoke" in admin.get("/app/feeds").text
    assert admin.post(f"/app/feeds/{feed_id}/revoke").status_code == 200
    assert read(desk, path).status_code == 410


@pytest.mark.parametrize("what", ["right", "dismissed", "archived", "uninstalled"])
def test_it_ends_with_what_it_stands_on(desk: Desk, what: str) -> None:
    path = make(desk.open(), desk.room.id)
    assert read(desk, path).status_code == 200
    with desk.installed.tx() as tx:
        if what == "dismissed":
            tx.execute(update(PortalUser).where(PortalUser.user_id == MANAGER).values(dismissed=True))
        elif what == "archived":
            tx.execute(update(Resource).where(Resource.id == desk.room.id).values(archived_at=desk.now))
        elif what == "uninstalled":
            tenancy.end_installation(tx, tenancy.lock_tenant(tx, desk.installed.portal().id).installation, desk.now)
    if what == "right":
        desk.grant("busy", alone=True)
    assert read(desk, path).status_code == (404 if what == "uninstalled" else 410)


def test_a_dismissed_persons_own_feed_ends_too(desk: Desk) -> None:
    path = make(desk.open(), "mine")
    with desk.installed.tx() as tx:
        tx.execute(update(PortalUser).where(PortalUser.user_id == MANAGER).values(dismissed=True))
    assert read(desk, path).status_code == 410


# Making one ----


def test_only_what_one_may_see_and_ones_own(desk: Desk) -> None:
    desk.grant("busy", alone=True)
    frame = desk.open(EMPLOYEE)
    assert "Oka" not in words(frame.get("/app/feeds").text)
    assert frame.post("/app/feeds", what=desk.room.id).status_code == 404
    assert frame.post("/app/feeds", what="nonsense").status_code == 422
    assert frame.post("/app/feeds").status_code == 422
    assert feed_ids(desk) == []


def test_fifty_are_enough(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MOST_FEEDS", 1)
    frame = desk.open()
    make(frame, "mine")
    answer = frame.post("/app/feeds", what="mine")
    assert answer.status_code == 422
    assert "Revoke those that nobody needs" in answer.text


def test_an_unpaid_application_makes_none_and_still_shows_those_there_are(desk: Desk) -> None:
    frame = desk.open()
    path = make(frame, desk.room.id)
    desk.installed.change(payment_expired=True)
    assert frame.post("/app/feeds", what="mine").status_code == 403
    assert 'id="feed-form"' not in frame.get("/app/feeds").text
    assert read(desk, path).status_code == 200
