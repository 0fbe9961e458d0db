"""What the portal is to show, worked out from plain rows: no database, no portal."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from psycopg.types.range import Range

from b24app.ledger.models import Booking, Client, Resource, Service
from b24app.ledger.queries import BookingRow, Sums
from b24app.scheduling.hours import OpeningHours
from b24app.sync import mapping, owned
from b24app.sync.laid import LaidCrm, LaidType
from b24app.sync.mapping import Place

BOOKING_ID = uuid.UUID("0f6b8a52-3a1c-4b57-9d5e-1c8f0a7b2d34")
STAGES = ("prebooked", "confirmed", "paid", "completed", "cancelled", "expired", "no_show")
CRM = LaidCrm(
    resources=LaidType(
        13, 156, {"kind": "ufCrm13Kind", "active": "ufCrm13Active", "price": "ufCrm13Price"}, {"kind": {"room": 71}}
    ),
    bookings=LaidType(
        14, 1032, {key: f"ufCrm14{key}" for key in ("number", "start_at", "end_at", "start_ts", "end_ts", "resource")}
    ),
    category_id=19,
    stages={stage: f"DT1032_19:{stage.upper()}" for stage in STAGES},
)
PLACE = Place("en", "https://portal.example", CRM)
ROOM: dict[str, Any] = {
    "id": 5, "kind": "room", "name": "Нева", "city": "", "address": "", "time_zone": "Europe/Moscow"
}  # fmt: skip
PERSON = ROOM | {"id": 6, "kind": "specialist", "name": "Анна", "portal_user_id": 3, "time_zone": "Asia/Yekaterinburg"}


def row(*resources: dict[str, Any], client: Client | None = None, **changes: Any) -> BookingRow:
    start, end = datetime(2026, 3, 12, 9, tzinfo=UTC), datetime(2026, 3, 12, 11, tzinfo=UTC)
    values: dict[str, Any] = {
        "id": BOOKING_ID, "number": 1001, "during": Range(start, end, "[)"), "stage": "confirmed", "payment": "none",
        "title": "", "notes": "", "deal_id": None, "responsible_id": 3, "competes": False, "party": 1,
        "source": "manager", "participants": [], "series_id": None,
    }  # fmt: skip
    held = tuple(Resource(**one) for one in resources or (ROOM,))
    return BookingRow(Booking(**values | changes), Service(name=held[0].name), client, held)


def sums(price: str, paid: str = "0", refunded: str = "0") -> Sums:
    return Sums(Decimal(price), Decimal(paid), Decimal(refunded))


def test_time_is_written_in_the_resources_zone_and_as_seconds() -> None:
    fields = mapping.booking_item(PLACE, row(PERSON), {}, new=True)
    assert fields["ufCrm14start_at"] == "2026-03-12T14:00:00+05:00"
    assert fields["ufCrm14end_at"] == "2026-03-12T16:00:00+05:00"
    assert (fields["ufCrm14start_ts"], fields["ufCrm14end_ts"]) == (1773306000, 1773313200)
    event = mapping.booking_event(PLACE, row(PERSON), "user:3", 8, None)
    assert (event["from"], event["to"]) == ("2026-03-12T14:00:00+05:00", "2026-03-12T16:00:00+05:00")


def test_field_that_the_portal_lacks_is_not_written() -> None:
    assert set(mapping.booking_item(PLACE, row(notes="x"), {}, new=False)) == {
        "xmlId", "categoryId", "stageId", "opportunity", "isManualOpportunity", "ufCrm14number", "ufCrm14start_at",
        "ufCrm14end_at", "ufCrm14start_ts", "ufCrm14end_ts", "ufCrm14resource", "observers",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stage", "payment", "shown"),
    [("prebooked", "none", "prebooked"), ("confirmed", "none", "confirmed"), ("confirmed", "partly", "confirmed"),
     ("confirmed", "paid", "paid"), ("completed", "paid", "completed"), ("cancelled", "paid", "cancelled"),
     ("expired", "none", "expired"), ("no_show", "due", "no_show")],
)  # fmt: skip
def test_stage_of_the_funnel(stage: str, payment: str, shown: str) -> None:
    fields = mapping.booking_item(PLACE, row(stage=stage, payment=payment), {}, new=False)
    assert fields["stageId"] == CRM.stages[shown]


def test_a_request_stands_in_the_funnel_and_in_no_calendar() -> None:
    request = row(stage="prebooked", competes=True)
    assert mapping.booking_item(PLACE, request, {}, new=False)["stageId"] == CRM.stages["prebooked"]
    assert not mapping.is_wanted(request.booking, "company", ["company"])


@pytest.mark.parametrize(
    ("price", "shown"), [("0", {"opportunity": "0"}), ("2400.000", {"opportunity": "2400", "currencyId": "KZT"}),
                         ("99.500", {"opportunity": "99.5", "currencyId": "KZT"})],
)  # fmt: skip
def test_price_is_the_amount_of_the_item(price: str, shown: dict[str, str]) -> None:
    place = Place("en", "https://portal.example", CRM, "KZT")
    fields = mapping.booking_item(place, row(), {}, new=False, sums=sums(price))
    assert {name: fields[name] for name in ("opportunity", "currencyId") if name in fields} == shown
    assert fields["isManualOpportunity"] == "Y"


def test_resources_are_bound_by_type_and_item() -> None:
    fields = mapping.booking_item(PLACE, row(ROOM, PERSON), {5: 29, 6: 30}, new=False)
    assert fields["ufCrm14resource"] == ["T9c_29", "T9c_30"]
    assert fields["parentId156"] == 29
    unknown = mapping.booking_item(PLACE, row(ROOM), {}, new=False)
    assert unknown["ufCrm14resource"] == []
    assert "parentId156" not in unknown


def test_client_of_the_crm_is_linked_and_a_typed_in_person_is_not() -> None:
    def item(kind: str, crm_id: int | None) -> dict[str, Any]:
        client = Client(kind=kind, crm_id=crm_id, name="x", phone="")
        return mapping.booking_item(PLACE, row(client=client), {}, new=False)

    assert item("contact", 7)["contactIds"] == [7]
    assert item("company", 8)["companyId"] == 8
    assert not {"contactIds", "companyId"} & set(item("person", None))


def test_title_and_responsible_are_written_once() -> None:
    new, later = (mapping.booking_item(PLACE, row(title="Съёмка"), {}, new=new) for new in (True, False))
    assert (new["title"], new["assignedById"]) == ("Съёмка", 3)
    assert not {"title", "assignedById"} & set(later)
    assert owned.of_item(CRM, new) == owned.of_item(CRM, later)


def test_resource_item() -> None:
    room = Resource(**ROOM, capacity=4, step_minutes=30, archived_at=None, portal_user_id=None)
    fields = mapping.resource_item(PLACE, room, [])
    assert fields == {"xmlId": "r:5", "title": "Нева", "ufCrm13Kind": 71, "ufCrm13Active": "Y", "ufCrm13Price": ""}
    priced = mapping.resource_item(PLACE, room, [], price=Decimal("1500.00"))
    assert priced["ufCrm13Price"] == "1500|RUB"
    assert owned.of_resource(CRM, priced)["price"] == "1500"


def test_what_nobody_changes_in_the_card_is_told_in_words() -> None:
    keys = ("service", "party", "payment", "paid", "source", "series")
    crm = replace(CRM, bookings=LaidType(14, 1032, {key: key for key in keys}))
    booked = row(party=3, payment="partly", source="site", series_id=12, participants=[8, 4])
    fields = mapping.booking_item(replace(PLACE, crm=crm), booked, {}, new=False, sums=sums("2400", "1000", "99.5"))
    assert {key: fields[key] for key in keys} == {
        "service": "Нева", "party": 3, "payment": "Partly paid", "paid": "900.5|RUB", "source": "the site",
        "series": 12,
    }  # fmt: skip
    assert fields["observers"] == [4, 8]


@pytest.mark.parametrize(
    ("target", "stage", "accessibility"),
    [("user:3", "confirmed", "busy"), ("user:3", "no_show", "free"), ("company", "confirmed", "free")],
)
def test_only_the_person_himself_is_busy(target: str, stage: str, accessibility: str) -> None:
    event = mapping.booking_event(PLACE, row(ROOM, PERSON, stage=stage), target, 8, None)
    assert event["accessibility"] == accessibility
    assert "is_meeting" not in event
    assert "attendees" not in event


@pytest.mark.parametrize("stage", STAGES[:2] + STAGES[3:])
def test_which_stages_have_events(stage: str) -> None:
    booking = row(stage=stage).booking
    kept = stage in ("prebooked", "confirmed", "completed", "no_show")
    assert mapping.is_wanted(booking, "company", ["company"]) == kept
    assert not mapping.is_wanted(booking, "company", ["user:3"])


def test_event_without_a_known_section_leaves_the_choice_to_the_portal() -> None:
    chosen, open_ = (mapping.booking_event(PLACE, row(PERSON), "user:3", section, None) for section in (8, None))
    assert (chosen["section"], chosen["auto_detect_section"]) == (8, "N")
    assert (open_.get("section"), open_["auto_detect_section"]) == (None, "Y")


@pytest.mark.parametrize(
    ("deal_id", "item_id", "url"),
    [(None, 44, "https://portal.example/crm/type/1032/details/44/"),
     (9, 44, "https://portal.example/crm/type/1032/details/44/"),
     (9, None, "https://portal.example/crm/deal/details/9/"), (None, None, None)],
)  # fmt: skip
def test_event_links_back(deal_id: int | None, item_id: int | None, url: str | None) -> None:
    event = mapping.booking_event(PLACE, row(deal_id=deal_id), "company", 4, item_id)
    mark = "booking:1001:0f6b8a52:company"
    assert event["description"] == (f"Booking card: {url}\n{mark}" if url else mark)
    assert event.get("crm_fields") == (["D_9"] if deal_id else None)


def test_marks_of_two_calendars_differ() -> None:
    booking = row().booking
    assert mapping.event_mark(booking, "company") != mapping.event_mark(booking, "user:3")


def test_of_an_event_time_calendar_and_busy_are_ours() -> None:
    def print_of(*resources: dict[str, Any], **changes: Any) -> Any:
        return owned.of_event_fields(mapping.booking_event(PLACE, row(*resources, **changes), "company", 4, None))

    assert print_of() == print_of(ROOM | {"name": "Ока"}, title="другое", deal_id=5)
    moved = Range(datetime(2026, 3, 12, 9, tzinfo=UTC), datetime(2026, 3, 12, 12, tzinfo=UTC), "[)")
    assert print_of() != print_of(during=moved)


def test_weekly_hours_for_people() -> None:
    office = [OpeningHours(day, 9 * 60, 18 * 60) for day in range(5)]
    split = [OpeningHours(5, 600, 780), OpeningHours(5, 840, 1080)]
    night = [OpeningHours(6, 22 * 60, 26 * 60 + 30)]
    shown = "Mon–Fri 9:00–18:00; Sat 10:00–13:00, 14:00–18:00; Sun 22:00–2:30"
    assert mapping.hours_text("en", office + split + night) == shown
    assert mapping.hours_text("ru", office[:1] + office[2:3]) == "Пн 9:00–18:00; Ср 9:00–18:00"
    assert mapping.hours_text("en", []) == ""
