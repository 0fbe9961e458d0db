"""What a portal itself can book: resources of deals, meeting rooms, and its own online booking. All of it is read only
by webhook or with the scope `booking`."""

from __future__ import annotations

from .conftest import Api

WEEK = {"from": 540, "to": 1080, "timezone": "Europe/Berlin", "weekDays": ["Mon", "Tue"], "slotSize": 30}


def test_resources_of_deals_are_strings_and_sections_of_the_calendar(api, portal, inbox):
    number = api.call("calendar.resource.add", {"name": "Проектор"})
    assert api.call("calendar.resource.list") == [{"ID": str(number), "NAME": "Проектор", "CREATED_BY": "1"}]
    assert api.call("calendar.resource.update", {"resourceId": number, "name": "Экран"}) == number
    assert portal.sections[number]["name"] == "Экран"
    booked = {"resourceTypeIdList": [number], "from": "2026-06-20", "to": "2026-08-20"}
    assert api.call("calendar.resource.booking.list", {"filter": booked}) == []
    assert api.call("calendar.resource.delete", {"resourceId": number}) is True
    assert api.call("calendar.resource.list") == []
    assert api.refusal("calendar.resource.delete", {"resourceId": number}) == (400, "")
    assert api.refusal("calendar.resource.add") == (400, "")
    assert api.refusal("calendar.resource.booking.list", {"filter": {"from": "2026-06-20"}}) == (400, "")


def test_resources_of_the_online_booking_need_their_scope(api, emulator):
    status, code = api.refusal("booking.v1.resource.list")
    assert (status, code) == (emulator.world.knobs.scope_status, "insufficient_scope")


def test_resources_of_the_online_booking_have_types_hours_and_numbers_for_errors(emulator):
    api = Api(emulator)
    kind = api.call("booking.v1.resourceType.add", {"fields": {"name": "Машины", "code": "car"}})["id"]
    assert api.refusal("booking.v1.resourceType.add", {"fields": {"name": "Ещё", "code": "car"}}) == (400, 1010)
    number = api.call("booking.v1.resource.add", {"fields": {"name": "Седан", "typeId": kind, "infoDelay": 60}})["id"]
    row = api.call("booking.v1.resource.get", {"id": number})["resource"]
    assert (row["name"], row["typeId"], row["isMain"], row["infoNotificationDelay"]) == ("Седан", kind, "Y", 60)
    assert (row["templateTypeConfirmation"], row["reminderNotificationDelay"]) == ("inanimate", -1)
    assert [one["code"] for one in api.call("booking.v1.resourceType.list")["resource"]] == ["car"]
    assert api.call("booking.v1.resource.slots.list", {"resourceId": number}) == {"slots": []}
    assert api.call("booking.v1.resource.slots.set", {"resourceId": number, "slots": [WEEK]}) is True
    (slot,) = api.call("booking.v1.resource.slots.list", {"resourceId": number})["slots"]
    assert slot.pop("id")
    assert slot == WEEK
    found = api.call("booking.v1.resource.list", {"filter": {"searchQuery": "сед"}, "order": {"name": "DESC"}})
    assert [one["id"] for one in found["resource"]] == [number]
    assert api.call("booking.v1.resource.list", {"FILTER": {"typeId": kind + 1}}) == {"resource": []}
    assert api.refusal("booking.v1.resource.list", {"filter": "сед"}) == (400, 100)
    assert api.refusal("booking.v1.resource.add", {"fields": {"typeId": kind}}) == (400, 0)
    assert api.refusal("booking.v1.resource.add", {"fields": {"name": "Без типа"}}) == (400, 1006)
    assert api.refusal("booking.v1.resource.add", {"fields": {"name": "Чужой", "typeId": 99}}) == (400, 1013)
    assert api.refusal("booking.v1.resource.slots.list", {"resourceId": 99}) == (400, 1009)
    assert api.refusal("booking.v1.resource.slots.list") == (400, 100)
    assert api.call("booking.v1.resource.delete", {"id": number}) is True
    assert api.refusal("booking.v1.resource.delete", {"id": number}) == (400, 1008)
