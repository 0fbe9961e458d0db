"""What people do in calendars: drag, edit, hide, decline, delete; who may; what other people's tokens see of it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from emulator import people_calendar as people
from emulator.errors import RestError

from .conftest import PORTAL, Api

MOSCOW = ZoneInfo("Europe/Moscow")
ENTRIES = ("ONCALENDARENTRYADD", "ONCALENDARENTRYUPDATE", "ONCALENDARENTRYDELETE")
WINDOW = {"from": "2026-12-01", "to": "2026-12-02"}


def at(hour: int, day: int = 1) -> datetime:
    return datetime(2026, 12, day, hour, tzinfo=MOSCOW)


@pytest.fixture
def told(api: Api, inbox: Any) -> Any:
    """Names, ids and persons of the calendar events that have arrived."""
    for name in ENTRIES:
        api.call("event.bind", {"event": name, "handler": "https://booking.example.com/b24/events"})

    def read() -> list[tuple[str, int, str]]:
        inbox.names()
        rows = [(one["event"][15:], int(one["data[id]"]), one["auth[user_id]"]) for _, one in inbox.posts]
        inbox.posts.clear()
        return rows

    return read


def ours(api: Api, **more: Any) -> int:
    """An event that the application makes in the manager's own calendar with the administrator's token."""
    fields = {"type": "user", "ownerId": 3, "name": "Бронь № 7", "from": at(10).isoformat(), "to": at(11).isoformat()}
    return int(api.call("calendar.event.add", {**fields, **more}))


def busy(api: Api, user_id: int = 3) -> list[Any]:
    return api.call("calendar.accessibility.get", {"users": [user_id], **WINDOW})[str(user_id)]


def test_dragging_moves_the_time_keeps_the_zone_and_is_told_with_the_persons_token(api, portal, told):
    number = ours(api, timezone_from="Europe/Moscow")
    told()
    people.drag_event(portal, 3, number, at(15), at(16))
    row = api.call("calendar.event.getbyid", {"id": number})
    assert (row["DATE_FROM_TS_UTC"], row["TZ_FROM"]) == (str(int(at(15).timestamp())), "Europe/Moscow")
    assert told() == [("UPDATE", number, "3")]
    with pytest.raises(RestError):
        people.drag_event(portal, 4, number, at(17), at(18))
    assert told() == []


def test_an_event_made_private_is_gone_for_the_application_and_yet_busy(api, emulator, card, portal):
    number = ours(api)
    people.make_private(portal, 3, number)
    assert api.call("calendar.event.getbyid", {"id": number}) is None
    assert api.call("calendar.event.get", {"type": "user", "ownerId": 3, **WINDOW}) == []
    assert [(row["ID"], row["ACCESSIBILITY"]) for row in busy(api)] == [(str(number), "busy")]
    assert busy(api)[0]["NAME"] != "Бронь № 7"
    assert Api(emulator, card, 3).call("calendar.event.getbyid", {"id": number})["NAME"] == "Бронь № 7"
    people.make_private(portal, 3, number, private=False)
    assert api.call("calendar.event.getbyid", {"id": number})["PRIVATE_EVENT"] == ""


def test_own_business_is_free_tentative_or_whole_days(api, portal):
    for kind in ("free", "quest", "absent"):
        people.add_event(portal, 3, kind, at(12), at(13), accessibility=kind)
    people.add_event(portal, 3, "Выставка", date(2026, 12, 1), date(2026, 12, 2))
    rows = {row["NAME"]: row for row in busy(api)}
    assert {name: row["ACCESSIBILITY"] for name, row in rows.items()} == {
        "free": "free",
        "quest": "quest",
        "absent": "absent",
        "Выставка": "busy",
    }
    assert (rows["Выставка"]["DT_SKIP_TIME"], rows["free"]["DT_SKIP_TIME"]) == ("Y", "N")


def test_an_absence_of_the_records_has_keys_of_its_own_and_is_no_event(api, portal, told):
    people.add_absence(portal, 3, date(2026, 12, 2), date(2026, 12, 4))
    zone = ZoneInfo(portal.time_zone)
    assert busy(api) == [
        {
            "FROM_HR": True,
            "ID": "1",
            "DT_FROM": "02.12.2026",
            "DT_TO": "04.12.2026",
            "ACCESSIBILITY": "absent",
            "IMPORTANCE": "normal",
            "FROM": int(datetime(2026, 12, 2, tzinfo=zone).timestamp()),
            "TO": int(datetime(2026, 12, 4, tzinfo=zone).timestamp()),
        }
    ]
    assert api.call("calendar.event.get", {"type": "user", "ownerId": 3, **WINDOW}) == []
    assert told() == []
    people.remove_absence(portal, 1)
    assert busy(api) == []


def test_participants_decline_by_answer_or_by_deleting_their_copy(api, portal, told):
    number = ours(api, is_meeting="Y", attendees=[3, 4, 5])
    guests = api.call("calendar.event.getbyid", {"id": number})["ATTENDEE_LIST"]
    copies = {one["id"]: int(one["entryId"]) for one in guests}
    assert len(told()) == 3
    assert people.decline(portal, 4, number)["id"] == copies[4]
    people.delete_event(portal, 5, copies[5])
    assert told() == [("UPDATE", copies[4], "4"), ("UPDATE", copies[5], "5")]
    statuses = {one["id"]: one["status"] for one in api.call("calendar.event.getbyid", {"id": number})["ATTENDEE_LIST"]}
    assert (statuses[4], statuses[5]) == ("N", "N")
    assert busy(api, 4) == []
    people.accept(portal, 4, copies[4])
    assert len(busy(api, 4)) == 1
    with pytest.raises(RestError):
        people.drag_event(portal, 4, copies[4], at(17), at(18))


def test_a_portal_may_keep_a_declined_invitation_to_itself(api, portal, told, world):
    number = ours(api, is_meeting="Y", attendees=[3, 4])
    told()
    world.knobs.decline_event = False
    people.decline(portal, 4, number)
    assert told() == []


@pytest.mark.parametrize(("user_id", "allowed"), [(3, True), (2, True), (4, False)])
def test_owner_and_administrators_delete_and_strangers_do_not(api, emulator, card, portal, user_id, allowed):
    number = ours(api)
    if allowed:
        people.delete_event(portal, user_id, number)
        assert api.call("calendar.event.getbyid", {"id": number}) is None
    else:
        with pytest.raises(RestError):
            people.delete_event(portal, user_id, number)
        assert Api(emulator, card, user_id).refusal("calendar.event.delete", {"id": number}) == (400, "")


def test_another_administrator_must_name_the_organizer_in_an_update(api, emulator, card):
    number = ours(api)
    other = Api(emulator, card, 2)
    change = {"id": number, "type": "user", "ownerId": 3, "name": "Позже"}
    assert other.refusal("calendar.event.update", change) == (400, "")
    assert other.refusal("calendar.event.update", {**change, "host": 2}) == (400, "")
    assert other.call("calendar.event.update", {**change, "host": 1}) == number
    assert api.call("calendar.event.getbyid", {"id": number})["MEETING_HOST"] == "1"


def test_the_page_moves_hides_and_declines_with_the_viewers_rights(api, emulator, portal):
    number = ours(api, is_meeting="Y", attendees=[3, 4])
    client = emulator.test_client()

    def post(path: str, user_id: int, **form: Any) -> int:
        client.set_cookie("portal_user", str(user_id), domain=portal.host)
        return client.post(path, data={"id": number, **form}, base_url=PORTAL).status_code

    moved = {"from": "2026-12-01T15:00", "to": "2026-12-01T16:30"}
    assert post("/_calendar/change", 4, **moved) == 422
    assert post("/_calendar/change", 3, **moved, name="Бронь № 7, перенос") == 200
    row = portal.events[number]
    assert (row["start"], row["end"]) == (at(15).timestamp(), at(16).timestamp() + 1800)
    assert row["name"] == "Бронь № 7, перенос"
    assert post("/_calendar/answer", 4, status="N") == 200
    assert next(one for one in portal.events.values() if one["owner"] == 4)["status"] == "N"
    assert post("/_calendar/change", 3, private="Y") == 200
    assert api.call("calendar.event.getbyid", {"id": number}) is None
    assert post("/_calendar/delete", 3) == 200
    assert number not in portal.events
