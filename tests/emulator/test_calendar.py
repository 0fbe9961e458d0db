"""Calendar: times and zones, whole days, copies of attendees, private events, sections, empty error codes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from .conftest import Api

FROM, TO = "2026-12-01T10:00:00+03:00", "2026-12-01T11:30:00+03:00"
MINE = {"type": "user", "ownerId": 1, "name": "Бронь № 7", "from": FROM, "to": TO}


def stamp(text: str) -> str:
    return str(int(datetime.fromisoformat(text).timestamp()))


def read(api: Api, number: int):
    return api.call("calendar.event.getbyid", {"id": number})


def test_an_event_object_is_strings_with_localized_dates(api):
    number = api.call("calendar.event.add", MINE)
    assert isinstance(number, int)
    row = read(api, number)
    assert (row["ID"], row["PARENT_ID"], row["OWNER_ID"], row["CAL_TYPE"]) == (str(number), str(number), "1", "user")
    assert (row["DATE_FROM_TS_UTC"], row["DATE_TO_TS_UTC"]) == (stamp(FROM), stamp(TO))
    assert row["DATE_FROM"] == "01.12.2026 10:00:00"
    assert (row["DT_SKIP_TIME"], row["DT_LENGTH"]) == ("N", 5400)
    assert row["SECTION_ID"] == row["SECT_ID"]
    assert (row["IS_MEETING"], row["PRIVATE_EVENT"], row["ACCESSIBILITY"]) == (False, "", "busy")


def test_an_exact_instant_is_kept_in_the_callers_zone(emulator, card):
    other = Api(emulator, card, 2)
    row = read(other, other.call("calendar.event.add", {**MINE, "ownerId": 2, "timezone_from": "Asia/Tokyo"}))
    assert (row["TZ_FROM"], row["TZ_OFFSET_FROM"], row["DATE_FROM_TS_UTC"]) == (
        "Asia/Yekaterinburg",
        "18000",
        stamp(FROM),
    )


@pytest.mark.parametrize(
    ("more", "instant", "zone"),
    [
        ({"timezone_from": "Asia/Tokyo"}, "2026-12-01T15:00:00+09:00", "Asia/Tokyo"),
        ({}, "2026-12-01T15:00:00+03:00", "Europe/Moscow"),
    ],
)
def test_a_naive_time_is_in_the_named_zone_or_the_callers(api, more, instant, zone):
    naive = {**MINE, "from": "2026-12-01 15:00:00", "to": "2026-12-01T16:00:00", **more}
    row = read(api, api.call("calendar.event.add", naive))
    assert (row["DATE_FROM_TS_UTC"], row["TZ_FROM"]) == (stamp(instant), zone)


def test_whole_days_are_midnight_utc_and_count_the_last_day(api):
    row = read(
        api, api.call("calendar.event.add", {**MINE, "skip_time": "Y", "from": "2026-12-20", "to": "2026-12-21"})
    )
    assert (row["DT_SKIP_TIME"], row["DT_LENGTH"], row["DATE_FROM"]) == ("Y", 172800, "20.12.2026")
    assert row["DATE_TO_TS_UTC"] == str(int(datetime(2026, 12, 21, tzinfo=UTC).timestamp()))


def test_lists_are_not_paged_and_obey_window_and_section(api):
    section = int(api.call("calendar.section.get", {"type": "user", "ownerId": 1})[0]["ID"])
    extra = api.call("calendar.section.add", {"type": "user", "ownerId": 1, "name": "Вторая"})
    for number in range(60):
        api.call("calendar.event.add", {**MINE, "section": section, "auto_detect_section": "N", "name": str(number)})
    api.call("calendar.event.add", {**MINE, "section": extra})
    asked = {"type": "user", "ownerId": 1, "from": "2026-12-01", "to": "2026-12-01"}
    whole = api.raw("calendar.event.get", asked).json
    assert len(whole["result"]) == 61
    assert "total" not in whole
    assert len(api.call("calendar.event.get", {**asked, "section": [extra]})) == 1
    assert api.call("calendar.event.get", {**asked, "from": "2026-12-02", "to": "2026-12-03"}) == []


def test_a_recurring_event_comes_as_occurrences_of_one_id(api):
    rule = {"FREQ": "WEEKLY", "BYDAY": ["TU"], "COUNT": 3}
    number = api.call("calendar.event.add", {**MINE, "rrule": rule})
    rows = api.call("calendar.event.get", {"type": "user", "ownerId": 1, "from": "2026-12-01", "to": "2026-12-31"})
    assert [row["ID"] for row in rows] == [str(number)] * 3
    assert [row["DATE_FROM"][:5] for row in rows] == ["01.12", "08.12", "15.12"]
    assert rows[0]["RRULE"]["FREQ"] == "WEEKLY"
    edit = {**MINE, "id": number, "name": "Иначе", "recurrence_mode": "this", "current_date_from": "2026-12-08"}
    edit |= {"from": "2026-12-08T18:00:00+03:00", "to": "2026-12-08T19:00:00+03:00"}
    changed = api.call("calendar.event.update", edit)
    assert changed["id"] == number != changed["recEventId"]
    rows = api.call("calendar.event.get", {"type": "user", "ownerId": 1, "from": "2026-12-01", "to": "2026-12-31"})
    assert [row["DATE_FROM"][:16] for row in rows] == ["01.12.2026 10:00", "08.12.2026 18:00", "15.12.2026 10:00"]


def test_each_attendee_owns_a_copy(api, emulator, card, portal):
    number = api.call("calendar.event.add", {**MINE, "is_meeting": "Y", "attendees": [1, 3]})
    row = read(api, number)
    assert (row["IS_MEETING"], row["MEETING_STATUS"], row["MEETING_HOST"]) == (True, "H", "1")
    host, guest = row["ATTENDEE_LIST"]
    assert (host["status"], guest["id"], guest["status"]) == ("H", 3, "Q")
    assert guest["entryId"] != str(number)
    manager = Api(emulator, card, 3)
    copy = read(manager, int(guest["entryId"]))
    assert (copy["PARENT_ID"], copy["OWNER_ID"]) == (str(number), "3")
    manager.call("calendar.meeting.status.set", {"eventId": number, "status": "N"})
    assert read(api, number)["ATTENDEE_LIST"][1]["status"] == "N"
    api.call("calendar.event.update", {**MINE, "id": number, "name": "Позже"})
    assert read(manager, int(guest["entryId"]))["NAME"] == "Позже"
    api.call("calendar.event.delete", {"id": number})
    assert portal.events == {}


def test_attendees_are_kept_without_is_meeting_and_cleared_with_it(api):
    number = api.call("calendar.event.add", {**MINE, "is_meeting": "Y", "attendees": [1, 3]})
    api.call("calendar.event.update", {**MINE, "id": number})
    assert len(read(api, number)["ATTENDEE_LIST"]) == 2
    api.call("calendar.event.update", {**MINE, "id": number, "is_meeting": "Y"})
    assert len(read(api, number)["ATTENDEE_LIST"]) == 1


def test_a_private_event_hides_from_foreign_tokens_even_administrators(api, emulator, card):
    number = api.call("calendar.event.add", {**MINE, "private_event": "Y"})
    other = Api(emulator, card, 2)
    assert read(other, number) is None
    assert (
        other.call("calendar.event.get", {"type": "user", "ownerId": 1, "from": "2026-12-01", "to": "2026-12-02"}) == []
    )
    window = {"users": [1, 4], "from": "2026-12-01", "to": "2026-12-01"}
    taken = other.call("calendar.accessibility.get", window)
    assert taken["4"] == []
    assert (taken["1"][0]["ID"], taken["1"][0]["ACCESSIBILITY"]) == (str(number), "busy")
    assert taken["1"][0]["NAME"] != "Бронь № 7"
    assert api.call("calendar.accessibility.get", window)["1"][0]["NAME"] == "Бронь № 7"


def test_a_missing_event_is_null_and_deleting_it_is_refused(api):
    assert read(api, 99999) is None
    assert api.refusal("calendar.event.delete", {"id": 99999}) == (400, "")


@pytest.mark.parametrize("missing", ["type", "ownerId", "name", "from", "to"])
def test_a_missing_parameter_is_an_empty_code_with_a_text(api, missing):
    given = {name: value for name, value in MINE.items() if name != missing}
    answer = api.raw("calendar.event.add", given)
    assert (answer.status_code, answer.json["error"]) == (400, "")
    assert missing in answer.json["error_description"]


def test_an_update_needs_a_name_and_the_right_host(api, emulator, card):
    number = api.call("calendar.event.add", MINE)
    nameless = {key: value for key, value in MINE.items() if key != "name"}
    assert api.refusal("calendar.event.update", {**nameless, "id": number}) == (400, "")
    other = Api(emulator, card, 2)
    assert other.refusal("calendar.event.update", {**MINE, "id": number, "host": 2}) == (400, "")
    assert other.call("calendar.event.update", {**MINE, "id": number, "host": 1, "name": "Чужая рука"}) == number


def test_only_the_owner_and_administrators_write_a_personal_calendar(emulator, card):
    manager = Api(emulator, card, 3)
    assert manager.refusal("calendar.event.add", MINE) == (400, "")
    assert manager.call("calendar.event.add", {**MINE, "ownerId": 3}) > 0


@pytest.mark.parametrize(
    ("knob", "admin", "manager"), [("admins", True, False), ("everybody", True, True), ("nobody", False, False)]
)
def test_the_company_calendar_is_written_by_whom_a_knob_allows(emulator, card, world, knob, admin, manager):
    world.knobs.company_calendar_write = knob
    entry = {**MINE, "type": "company_calendar", "ownerId": 0}
    for user_id, allowed in ((1, admin), (3, manager)):
        assert (Api(emulator, card, user_id).raw("calendar.event.add", entry).status_code == 200) is allowed


def test_sections_are_made_for_people_and_groups_only(api, emulator, card):
    number = api.call("calendar.section.add", {"type": "group", "ownerId": 1, "name": "Залы", "color": "#83c1f1"})
    rows = api.call("calendar.section.get", {"type": "group", "ownerId": 1})
    made = next(row for row in rows if row["ID"] == str(number))
    assert (made["NAME"], made["COLOR"], made["PERM"]["add"], made["CAL_TYPE"]) == ("Залы", "#83c1f1", True, "group")
    assert api.refusal("calendar.section.add", {"type": "company_calendar", "ownerId": 0, "name": "x"}) == (400, "")
    manager = Api(emulator, card, 3)
    assert manager.refusal("calendar.section.add", {"type": "user", "ownerId": 1, "name": "x"}) == (400, "")
    company = manager.call("calendar.section.get", {"type": "company_calendar", "ownerId": 0})
    assert company[0]["PERM"]["edit"] is False


def test_deleting_a_section_takes_its_events(api):
    number = api.call("calendar.section.add", {"type": "user", "ownerId": 1, "name": "Временная"})
    made = api.call("calendar.event.add", {**MINE, "section": number})
    assert api.call("calendar.section.delete", {"type": "user", "ownerId": 1, "id": number}) is True
    assert read(api, made) is None


def test_an_event_belongs_to_a_section_of_its_own_calendar(api):
    company = int(api.call("calendar.section.get", {"type": "company_calendar"})[0]["ID"])
    assert api.refusal("calendar.event.add", {**MINE, "section": company}) == (400, "")


def test_settings_say_work_time_and_zone(api, emulator, card):
    assert api.call("calendar.settings.get")["week_holidays"] == ["SA", "SU"]
    mine = Api(emulator, card, 2).call("calendar.user.settings.get")
    assert (mine["timezoneName"], mine["timezoneOffsetUTC"]) == ("Asia/Yekaterinburg", 18000)


def test_links_to_the_crm_are_an_array(api):
    number = api.call("calendar.event.add", {**MINE, "crm_fields": ["D_1", "C_2"]})
    assert read(api, number)["UF_CRM_CAL_EVENT"] == ["D_1", "C_2"]
    assert api.refusal("calendar.event.add", {**MINE, "crm_fields": "D_1"}) == (400, "")


def test_extranet_people_are_refused(emulator, card, portal):
    portal.users[3].extranet = True
    assert Api(emulator, card, 3).refusal("calendar.event.get", {"type": "user", "ownerId": 3}) == (400, "")
