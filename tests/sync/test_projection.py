"""The portal comes to look like the ledger, whatever happens on the way."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text, update

from b24app.booking.change import Move, cancel_booking, confirm_booking, move_booking
from b24app.booking.clients import ClientData
from b24app.booking.resources import archive_resource
from b24app.ledger import outbox, queries, refs, tenancy
from b24app.ledger.models import Booking, ExternalRef, QuoteLine, Resource
from b24app.ledger.portal_models import Delivery
from b24app.ledger.session import DatabaseError, transaction
from b24app.scheduling.pricing import Tariff
from b24app.sync.laid import LaidCrm
from b24app.sync.lay_crm import KEYS
from b24app.sync.pace import Pace
from b24app.sync.tokens import portal_client
from emulator import faults
from tests import factories
from tests.factories import ADMIN
from tests.sync.conftest import Wire
from tests.sync.expect import assert_shown, events_of, items_of, refs_of
from tests.sync.rig import Clock, Company, Rig, lay_down

NASTY = "Тренинг 🎤 <script>alert(1)</script> $result[x][id] {number} %s"
MINUTE = timedelta(minutes=1)
ADDS = ["crm.item.add", "calendar.event.add"]


def fault(rig: Rig, method: str, kind: str, **more: Any) -> None:
    faults.add(rig.world, {"method": method, "kind": kind, "times": 1, **more})


def move(company: Company, booking: Booking, hours: float, to: Resource) -> None:
    rig = company.rig
    now = rig.clock()
    with transaction(rig.engine) as tx:
        move_booking(
            tx, rig.ledger(tx), booking.id, Move(factories.hour(now, hours), to.id),
            revision=tx.get_one(Booking, booking.id).revision, viewer=ADMIN, now=now,
        )  # fmt: skip


def cancel(rig: Rig, booking: Booking) -> None:
    with transaction(rig.engine) as tx:
        revision = tx.get_one(Booking, booking.id).revision
        cancel_booking(tx, rig.ledger(tx), booking.id, revision=revision, viewer=ADMIN, now=rig.clock())


def touch(rig: Rig, booking: Booking, *resources: Resource, bulk: bool = False, **changes: Any) -> None:
    with transaction(rig.engine) as tx:
        row = tx.get_one(Booking, booking.id)
        for name, value in changes.items():
            setattr(row, name, value)
        refs.mark_behind(tx, rig.portal_id, [booking.id], rig.clock(), bulk=bulk)
        refs.draw_booking(tx, rig.ledger(tx), row, resources, rig.clock(), bulk=bulk)
        refs.announce(tx, rig.portal_id)


def change_rows(rig: Rig, booking: Booking, **values: Any) -> None:
    with transaction(rig.engine) as tx:
        for ref in refs.of_booking(tx, rig.portal_id, booking.id):
            for name, value in values.items():
                setattr(ref, name, value)


# What is drawn


def test_booking_is_shown_as_item_and_event(company: Company) -> None:
    rig = company.rig
    booking = company.book(company.room, deal_id=1)
    rig.drain()
    assert_shown(rig, booking.id)
    (item,), (event,) = items_of(rig, booking.id), events_of(rig, booking.id)
    room = next(one for one in rig.items("resources") if one["xmlId"] == f"r:{company.room.id}")
    with transaction(rig.engine) as tx:
        crm_of = LaidCrm.from_json(rig.ledger(tx).crm)
    etid = crm_of.need("resources").entity_type_id
    assert item[crm_of.need("bookings").fields["resource"]] == [f"T{etid:x}_{room['id']}"]
    assert (item["parentId2"], item[f"parentId{etid}"]) == (1, room["id"])
    assert (item["opportunity"], item["isManualOpportunity"]) == (0, "Y")
    assert (item["title"], item["assignedById"]) == (f"Booking No. {booking.number}", booking.responsible_id)
    assert f"/crm/type/{crm_of.need('bookings').entity_type_id}/details/{item['id']}/" in event["description"]
    assert event["crm"] == ["D_1"]
    assert event["location"] == "Москва, Переговорная «Нева»"


def test_a_booking_costs_two_requests(company: Company) -> None:
    before = len(company.rig.far.calls)
    company.book(company.room)
    company.rig.drain()
    called = [call["commands"] for call in company.rig.far.calls[before:]]
    assert called[:2] == [["crm.item.add"], ["calendar.event.add"]]
    assert len(called) == 3, "and one for everything that is said about it"


def test_resource_is_shown_as_item(company: Company) -> None:
    rig = company.rig
    person = next(one for one in rig.items("resources") if one["xmlId"] == f"r:{company.person.id}")
    with transaction(rig.engine) as tx:
        laid = LaidCrm.from_json(rig.ledger(tx).crm).need("resources")
        archive_resource(tx, rig.ledger(tx), company.person.id, viewer=ADMIN, now=rig.clock())
    shown = {key: person[name] for key, name in laid.fields.items()}
    assert person["title"] == "Анна Седова"
    assert (shown["kind"], shown["employee"]) == (laid.options["kind"]["specialist"], 3)
    assert (shown["active"], shown["time_zone"], shown["step"]) == ("Y", "Asia/Yekaterinburg", 30)
    assert shown["hours"] == "Mon–Sun 0:00–24:00"
    rig.drain()
    assert person[laid.fields["active"]] == "N"
    assert len(rig.items("resources")) == 2


def test_client_is_named_only_in_the_calendar_of_the_person_he_comes_to(company: Company) -> None:
    client = ClientData("contact", "Мария Ветрова", phone="+7 999 000-00-01", crm_id=1)
    shared = company.book(company.room, client=client)
    own = company.book(company.person, 3, client=client, title="Первый приём", notes="боится щекотки")
    company.rig.drain()
    (shared_event,), (own_event,) = events_of(company.rig, shared.id), events_of(company.rig, own.id)
    assert not any(word in str(shared_event) for word in ("Ветрова", "+7 999", "C_1"))
    for word in ("Мария Ветрова", "+7 999 000-00-01", "Первый приём", "боится щекотки"):
        assert word in own_event["description"]
    assert own_event["crm"] == ["C_1"]
    assert items_of(company.rig, own.id)[0]["contactIds"] == [1]


def test_text_of_people_is_shown_verbatim(company: Company) -> None:
    rig = company.rig
    with transaction(rig.engine) as tx:
        room = factories.make_resource(tx, rig.ledger(tx), now=rig.clock(), name=NASTY, address=NASTY)
        person = factories.make_resource(
            tx, rig.ledger(tx), now=rig.clock(), name=NASTY, kind="specialist", portal_user_id=3
        )
    client = ClientData("person", NASTY, phone=NASTY)
    in_room = company.book(room, title=NASTY, notes=NASTY, client=client)
    with_person = company.book(person, title=NASTY, notes=NASTY, client=client)
    rig.drain()
    for booking in (in_room, with_person):
        assert_shown(rig, booking.id)
        assert items_of(rig, booking.id)[0]["title"] == NASTY
        assert events_of(rig, booking.id)[0]["name"] == f"{NASTY} No. {booking.number}"
    assert events_of(rig, in_room.id)[0]["location"] == f"{NASTY}, {NASTY}"
    lines = events_of(rig, with_person.id)[0]["description"].split("\n")
    assert lines[:4] == [f"Client: {NASTY}", f"Phone: {NASTY}", NASTY, NASTY]
    assert NASTY in [item["title"] for item in rig.items("resources")]


def test_portal_without_smart_processes_gets_the_event_alone(company: Company) -> None:
    rig = company.rig
    with transaction(rig.engine) as tx:
        rig.ledger(tx).level = "A"
    booking = company.book(company.room, deal_id=2)
    rig.drain()
    (event,) = events_of(rig, booking.id)
    assert event["description"].startswith("Booking card: https://sever.bitrix24.test/crm/deal/details/2/")
    assert items_of(rig, booking.id) == []


@pytest.mark.parametrize(("stage", "busy"), [("completed", "busy"), ("no_show", "free"), ("prebooked", "busy")])
def test_stages_are_shown(company: Company, stage: str, busy: str) -> None:
    booking = company.book(company.person)
    company.rig.drain()
    touch(company.rig, booking, company.person, stage=stage)
    company.rig.drain()
    assert_shown(company.rig, booking.id)
    assert events_of(company.rig, booking.id)[0]["accessibility"] == busy
    assert events_of(company.rig, booking.id)[0]["name"].startswith("Pre-booking: ") == (stage == "prebooked")


def test_confirmed_and_paid_is_a_stage_of_the_funnel(company: Company) -> None:
    booking = company.book(company.room)
    touch(company.rig, booking, company.room, payment="paid")
    company.rig.drain()
    assert items_of(company.rig, booking.id)[0]["stageId"].endswith(":CLIENT")


def request_of(company: Company, *, hours: float = 5, **tariff: Any) -> Booking:
    """A request that competes for the room, at a price."""
    rig = company.rig
    with transaction(rig.engine) as tx:
        service = factories.make_service(
            tx, rig.ledger(tx), (company.room, 1), rules={"winner": "manager"},
            tariff=Tariff("Studio", "hour", Decimal(2400), **tariff),
        )  # fmt: skip
        interval = factories.hour(rig.clock(), hours)
        return factories.book_service(tx, rig.ledger(tx), service, now=rig.clock(), interval=interval)


def test_request_has_an_item_and_gets_its_event_when_it_is_confirmed(company: Company) -> None:
    rig = company.rig
    won, lost = request_of(company), request_of(company)
    rig.drain()
    for booking in (won, lost):
        (item,) = items_of(rig, booking.id)
        assert item["stageId"].endswith(":NEW")
        assert events_of(rig, booking.id) == []
    with transaction(rig.engine) as tx:
        confirm_booking(tx, rig.ledger(tx), won.id, revision=1, viewer=ADMIN, now=rig.clock())
    rig.drain(2)
    assert_shown(rig, won.id)
    assert len(events_of(rig, won.id)) == 1
    assert items_of(rig, lost.id)[0]["stageId"].endswith(":FAIL")
    assert events_of(rig, lost.id) == []


def test_confirmed_booking_that_is_a_request_again_leaves_the_calendar(company: Company) -> None:
    booking = company.book(company.room)
    company.rig.drain()
    touch(company.rig, booking, stage="prebooked", competes=True)
    company.rig.drain(2)
    assert events_of(company.rig, booking.id) == []


def test_price_is_shown_as_the_items_amount(company: Company) -> None:
    rig = company.rig
    booking = request_of(company)
    rig.drain()
    assert (items_of(rig, booking.id)[0]["opportunity"], items_of(rig, booking.id)[0]["currencyId"]) == (2400, "RUB")
    cancel(rig, booking)
    rig.drain()
    assert items_of(rig, booking.id)[0]["opportunity"] == 0


def test_link_to_a_resource_that_came_late_is_put_into_a_request(company: Company, clock: Clock) -> None:
    rig = company.rig
    with transaction(rig.engine) as tx:
        late = factories.make_resource(tx, rig.ledger(tx), now=rig.clock(), name="Зал")
        tx.execute(update(ExternalRef).where(ExternalRef.resource_id == late.id).values(due_at=rig.clock() + MINUTE))
        service = factories.make_service(tx, rig.ledger(tx), (late, 1), rules={"winner": "manager"})
        booking = factories.book_service(tx, rig.ledger(tx), service, now=rig.clock())
        field = LaidCrm.from_json(rig.ledger(tx).crm).need("bookings").fields["resource"]
    rig.drain()
    assert items_of(rig, booking.id)[0][field] == []
    clock.forward(61)
    rig.drain(2)
    assert len(items_of(rig, booking.id)[0][field]) == 1


# Changes


def test_many_changes_make_one_delivery(company: Company) -> None:
    booking = company.book(company.room)
    for hours in (5, 6, 7):
        move(company, booking, hours, company.room)
    before = len(company.rig.far.calls)
    company.rig.drain()
    assert_shown(company.rig, booking.id)
    calls = company.rig.far.calls[before:]
    assert [call["commands"] for call in calls[:2]] == [["crm.item.add"], ["calendar.event.add"]]
    assert len(calls) == 3


def test_moved_booking_is_moved_in_the_portal(company: Company) -> None:
    booking = company.book(company.room)
    company.rig.drain()
    ids = items_of(company.rig, booking.id)[0]["id"], events_of(company.rig, booking.id)[0]["id"]
    move(company, booking, 30, company.room)
    company.rig.drain()
    assert_shown(company.rig, booking.id)
    assert ids == (items_of(company.rig, booking.id)[0]["id"], events_of(company.rig, booking.id)[0]["id"])


def test_title_and_responsible_are_the_portals_once_the_item_is_there(company: Company) -> None:
    booking = company.book(company.room)
    company.rig.drain()
    items_of(company.rig, booking.id)[0].update(title="переименовали", assignedById=4)
    move(company, booking, 30, company.room)
    company.rig.drain()
    assert [(one["title"], one["assignedById"]) for one in items_of(company.rig, booking.id)] == [("переименовали", 4)]


def test_booking_moved_to_a_person_changes_calendars(company: Company) -> None:
    booking = company.book(company.room)
    company.rig.drain()
    move(company, booking, 4, company.person)
    company.rig.drain()
    assert_shown(company.rig, booking.id)
    assert [row["type"] for row in events_of(company.rig, booking.id)] == ["user"]
    move(company, booking, 4, company.room)
    company.rig.drain()
    assert_shown(company.rig, booking.id)
    assert [row["type"] for row in events_of(company.rig, booking.id)] == ["company_calendar"]


@pytest.mark.parametrize("drawn_before", [True, False])
def test_cancelled_booking_keeps_its_item_and_loses_its_event(company: Company, drawn_before: bool) -> None:
    booking = company.book(company.room)
    if drawn_before:
        company.rig.drain()
    cancel(company.rig, booking)
    company.rig.drain()
    assert_shown(company.rig, booking.id)
    assert items_of(company.rig, booking.id)[0]["stageId"].endswith(":FAIL")
    assert events_of(company.rig, booking.id) == []


def test_event_that_somebody_has_deleted_needs_no_deleting(company: Company) -> None:
    booking = company.book(company.room)
    company.rig.drain()
    company.rig.far.events.clear()
    cancel(company.rig, booking)
    company.rig.drain()
    assert_shown(company.rig, booking.id)


def test_change_during_the_drawing_is_drawn_as_well(company: Company, wire: Wire) -> None:
    booking = company.book(company.room)
    wire.before = lambda path: move(company, booking, 9, company.room)
    company.rig.drain()
    assert refs_of(company.rig, booking.id)["item"].dirty_since is not None
    company.rig.drain()
    assert_shown(company.rig, booking.id)


# Answers that are lost


@pytest.mark.parametrize("method", ADDS)
@pytest.mark.parametrize("meanwhile", ["nothing", "moved", "cancelled"])
def test_what_was_made_without_our_knowing_is_found_again(
    company: Company, clock: Clock, method: str, meanwhile: str
) -> None:
    rig = company.rig
    fault(rig, method, "reset_after")
    booking = company.book(company.person)
    rig.drain()
    lost = refs_of(rig, booking.id)["item" if method == "crm.item.add" else "user:3"]
    assert (lost.remote_id, lost.dirty_since is None, lost.intent is None) == (None, False, False)
    if meanwhile == "moved":
        move(company, booking, 24 * 40, company.person)
    elif meanwhile == "cancelled":
        cancel(rig, booking)
    clock.forward(2)
    rig.drain(2)
    assert_shown(rig, booking.id)
    assert len(rig.calls(method)) == (3 if method == "crm.item.add" else 1)


@pytest.mark.parametrize("method", ADDS)
def test_what_may_still_be_at_work_is_not_repeated(company: Company, clock: Clock, method: str) -> None:
    """The connection broke before anything was done, but we cannot know that until the platform's 60 s are over."""
    rig = company.rig
    fault(rig, method, "reset_before")
    booking = company.book(company.room)
    rig.drain()
    tried = len(rig.calls(method))
    for _ in range(6):
        clock.forward(10)
        rig.drain()
    assert len(rig.calls(method)) == tried
    for _ in range(5):
        clock.forward(70)
        rig.drain()
    assert_shown(rig, booking.id)
    assert len(rig.calls(method)) == tried + 1


@pytest.mark.parametrize("kind", ["500", "502", "reset_after"])
@pytest.mark.parametrize("method", ["crm.item.update", "calendar.event.update", "calendar.event.delete"])
def test_change_is_simply_repeated(company: Company, clock: Clock, method: str, kind: str) -> None:
    rig = company.rig
    booking = company.book(company.room)
    rig.drain()
    fault(rig, method, kind)
    if method == "calendar.event.delete":
        cancel(rig, booking)
    else:
        move(company, booking, 6, company.room)
    rig.drain()
    clock.forward(2)
    rig.drain(2)
    assert_shown(rig, booking.id)


@pytest.mark.parametrize("method", ["crm.item.update", "calendar.event.update"])
def test_our_own_change_whose_answer_was_lost_is_nobodys_wish(company: Company, clock: Clock, method: str) -> None:
    """What stands there then is neither what we noted last nor what the booking says now."""
    rig = company.rig
    booking = company.book(company.room)
    rig.drain(2)
    for hours in (30, 32):  # both tries arrive and neither is noted
        fault(rig, method, "reset_after")
        move(company, booking, hours, company.room)
        with transaction(rig.engine) as tx:
            one = {"kind": "fixed", "unit_price": Decimal(hours), "amount": Decimal(hours), "added_at": rig.clock()}
            tx.add(QuoteLine(portal_id=rig.portal_id, booking_id=booking.id, **one))
        rig.drain()
        clock.forward(1800)
    move(company, booking, 34, company.room)
    rig.drain(3)
    assert_shown(rig, booking.id)
    with transaction(rig.engine) as tx:
        told = [one.action for one in queries.history(tx, rig.portal_id, booking.id)]
        assert told.count("moved") == 3
        assert tx.scalars(select(Delivery.code).where(Delivery.code == "put_back")).all() == []


def test_wish_beside_a_lost_answer_is_still_heard(company: Company, clock: Clock) -> None:
    rig = company.rig
    booking = company.book(company.room)
    rig.drain()
    fault(rig, "crm.item.update", "reset_after")
    move(company, booking, 30, company.room)
    rig.drain()
    clock.forward(2)
    (item,) = items_of(rig, booking.id)
    item["stageId"] = item["stageId"].rpartition(":")[0] + ":FAIL"
    rig.drain(3)
    with transaction(rig.engine) as tx:
        assert queries.booking_state(tx, rig.portal_id, booking.id).stage == "cancelled"
    assert_shown(rig, booking.id)


@pytest.mark.parametrize("method", ["crm.item.list", "calendar.event.get"])
def test_failing_look_leaves_it_uncertain(company: Company, clock: Clock, method: str) -> None:
    rig = company.rig
    fault(rig, "crm.item.add" if method == "crm.item.list" else "calendar.event.add", "reset_after")
    booking = company.book(company.room)
    rig.drain()
    fault(rig, method, "500")
    for _ in range(3):
        clock.forward(10)
        rig.drain()
    assert_shown(rig, booking.id)


def test_mark_in_the_text_of_another_booking_is_not_taken_for_it(company: Company, clock: Clock) -> None:
    """Somebody quotes one booking's mark in the notes of another at the same time and in the same calendar."""
    rig = company.rig
    with transaction(rig.engine) as tx:
        twin = factories.make_resource(
            tx, rig.ledger(tx), now=clock(), kind="specialist", name="Анна Седова, дома", portal_user_id=3
        )
    rig.drain()
    fault(rig, "calendar.event.add", "reset_before")
    booking = company.book(company.person)
    rig.drain()
    other = company.book(twin, notes=f"booking:{booking.number}:{booking.id.hex[:8]}:user:3")
    rig.drain()
    assert refs_of(rig, booking.id)["user:3"].remote_id is None
    clock.forward(80)
    rig.drain()
    ours, theirs = refs_of(rig, booking.id)["user:3"].remote_id, refs_of(rig, other.id)["user:3"].remote_id
    assert None not in (ours, theirs)
    assert ours != theirs


@pytest.mark.parametrize("second", ["none", "rate_limit", "reset_before"])
def test_event_that_was_deleted_without_our_knowing_comes_back_with_the_booking(
    company: Company, clock: Clock, second: str
) -> None:
    rig = company.rig
    booking = company.book(company.person)
    rig.drain()
    fault(rig, "calendar.event.delete", "reset_after")
    move(company, booking, 3, company.room)
    rig.drain()
    assert [row["type"] for row in events_of(rig, booking.id)] == ["company_calendar"]
    if second != "none":
        fault(rig, "calendar.event.delete", second)
        clock.forward(1800)
        rig.drain()
    move(company, booking, 5, company.person)
    for _ in range(4):
        clock.forward(80)
        rig.drain()
    assert_shown(rig, booking.id)


def test_event_whose_deletion_may_still_be_at_work_is_not_updated(company: Company, clock: Clock) -> None:
    """An update that comes before the deletion would be lost with the event."""
    rig = company.rig
    booking = company.book(company.person)
    rig.drain()
    fault(rig, "calendar.event.delete", "reset_before")
    move(company, booking, 3, company.room)
    rig.drain()
    move(company, booking, 5, company.person)
    for _ in range(5):
        clock.forward(10)
        rig.drain()
    assert rig.calls("calendar.event.update") == []
    clock.forward(80)
    rig.drain()
    assert_shown(rig, booking.id)
    assert len(rig.calls("calendar.event.update")) == 1


def test_only_the_command_that_was_sent_is_uncertain(company: Company, clock: Clock) -> None:
    """Commands with such text go one by one; those after a lost answer never left."""
    rig = company.rig
    bookings = [company.book(company.room, hours, title=NASTY) for hours in (1, 3, 5)]
    fault(rig, "crm.item.add", "reset_before")
    rig.drain()
    intents = [refs_of(rig, booking.id)["item"].intent for booking in bookings]
    assert [intent is None for intent in intents] == [False, True, True]
    for _ in range(3):
        clock.forward(4)
        rig.drain()
    assert [len(items_of(rig, booking.id)) for booking in bookings] == [0, 1, 1]


def test_two_drains_at_once_make_no_twin(company: Company, clock: Clock, wire: Wire) -> None:
    """The connection that holds the lock breaks in mid-work, and another worker takes over."""
    rig = company.rig
    booking = company.book(company.person)

    def another(_: str) -> None:
        with rig.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = :lock "
                    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                ),
                {"lock": outbox.DRAIN_LOCK},
            )
        rig.drain()

    def first(_: str) -> None:
        wire.before = another  # the item; the next call looks for the calendar that the event is going to be in

    wire.before = first
    with contextlib.suppress(DatabaseError):
        rig.drain()
    for _ in range(3):
        clock.forward(80)
        rig.drain()
    assert_shown(rig, booking.id)


# What the portal refuses


def test_refused_event_is_parked_with_the_portals_words_and_the_item_is_drawn(company: Company) -> None:
    rig = company.rig
    rig.world.knobs.company_calendar_write = "nobody"
    booking = company.book(company.room)
    rig.drain(3)
    known = refs_of(rig, booking.id)
    assert known["item"].dirty_since is None
    assert known["company"].parked_reason == "Доступ запрещен"
    assert len(rig.calls("calendar.event.add")) == 1
    rig.world.knobs.company_calendar_write = "admins"
    touch(rig, booking, company.room)
    rig.drain()
    assert_shown(rig, booking.id)


def test_what_was_parked_is_tried_again_when_the_installer_has_run(company: Company) -> None:
    rig = company.rig
    rig.world.knobs.company_calendar_write = "nobody"
    booking = company.book(company.room)
    rig.drain(3)
    assert refs_of(rig, booking.id)["company"].parked_reason is not None
    rig.world.knobs.company_calendar_write = "admins"
    lay_down(rig)
    rig.drain()
    assert_shown(rig, booking.id)


def test_items_of_a_type_that_was_deleted_are_drawn_in_the_next_one(company: Company, clock: Clock) -> None:
    rig = company.rig
    before, changed = company.book(company.room), company.book(company.room, 3)
    rig.drain()
    deleted = delete_types(rig)
    move(company, changed, 8, company.room)
    meanwhile = company.book(company.room, 5)
    for _ in range(3):
        rig.drain()
        clock.forward(1000)
    lay_down(rig)
    with transaction(rig.engine) as tx:
        laid = LaidCrm.from_json(rig.ledger(tx).crm)
    assert deleted.isdisjoint(laid.need(key).id for key in KEYS)
    rig.drain(6)
    for booking in (before, changed, meanwhile):
        assert_shown(rig, booking.id)
        (item,) = items_of(rig, booking.id)
        assert len(item[laid.need("bookings").fields["resource"]]) == 1
    assert len(rig.items("resources")) == 2


def delete_types(rig: Rig) -> set[int]:
    """Somebody deletes both smart processes with everything in them; the ids that they had."""
    client = portal_client(rig.reach, rig.portal_id)
    with transaction(rig.engine) as tx:
        laid = LaidCrm.from_json(rig.ledger(tx).crm)
    for key in reversed(KEYS):
        for item in list(rig.items(key)):
            where = {"entityTypeId": laid.need(key).entity_type_id, "id": item["id"]}
            client.call("crm.item.delete", where)
        client.call("crm.type.delete", {"id": laid.need(key).id})
    return {laid.need(key).id for key in KEYS}


def test_waiting_ends_when_somebody_has_mended_it(company: Company, clock: Clock) -> None:
    rig = company.rig
    rig.card.payment_expired = True
    booking = company.book(company.room)
    rig.drain(2)
    rig.card.payment_expired = False
    assert items_of(rig, booking.id) == []
    with transaction(rig.engine) as tx:
        tenant = tenancy.lock_tenant(tx, rig.portal_id)
        assert tenant.installation.payment_expired
        assert outbox.portals_with_work(tx, clock()) == []
        tenant.installation.payment_expired = False
        refs.try_again(tx, rig.portal_id)
    rig.drain()
    assert_shown(rig, booking.id)


def test_endpoint_that_is_refused_is_waited_for(company: Company, clock: Clock) -> None:
    rig = company.rig
    booking = company.book(company.room)
    with transaction(rig.engine) as tx:
        endpoint = rig.ledger(tx).client_endpoint
        rig.ledger(tx).client_endpoint = "http://insecure.example/rest/"
    rig.drain()
    with transaction(rig.engine) as tx:
        assert not outbox.anything_due(tx, rig.portal_id, clock())
        rig.ledger(tx).client_endpoint = endpoint
    clock.forward(1000)
    rig.drain()
    assert_shown(rig, booking.id)


def test_event_deleted_in_a_shared_calendar_is_drawn_again(company: Company) -> None:
    rig = company.rig
    booking = company.book(company.room)
    rig.drain()
    rig.far.events.clear()
    move(company, booking, 5, company.room)
    rig.drain(2)
    assert_shown(rig, booking.id)


def test_event_unseen_in_a_persons_calendar_is_parked_and_not_drawn_twice(company: Company) -> None:
    rig = company.rig
    booking = company.book(company.person)
    rig.drain()
    event = events_of(rig, booking.id)[0]
    event.update(private=True, created_by=3, host=3)
    move(company, booking, 5, company.person)
    rig.drain(3)
    assert refs_of(rig, booking.id)["user:3"].parked_reason == "event_unseen"
    assert len(events_of(rig, booking.id)) == 1


def test_rate_limit_is_waited_out_and_costs_no_look(company: Company, clock: Clock) -> None:
    rig = company.rig
    fault(rig, "crm.item.add", "rate_limit")
    booking = company.book(company.room)
    rig.drain()
    assert refs_of(rig, booking.id)["item"].intent is None
    before = len(rig.far.calls)
    rig.drain(2)
    assert len(rig.calls("crm.item.add")) == 3
    clock.forward(120)
    rig.drain(2)
    assert_shown(rig, booking.id)
    assert "crm.item.list" not in rig.calls()
    assert len(rig.far.calls) > before


def test_section_that_was_deleted_is_looked_up_anew(company: Company) -> None:
    rig = company.rig
    first = company.book(company.person)
    rig.drain()
    section = events_of(rig, first.id)[0]["section"]
    del rig.far.sections[section]
    second = company.book(company.person, 3)
    rig.drain(3)
    assert_shown(rig, second.id)
    assert events_of(rig, second.id)[0]["section"] != section


def test_section_is_looked_up_once(company: Company) -> None:
    for hours in (1, 3, 5):
        company.book(company.person, hours)
        company.rig.drain()
    asked = [call for call in company.rig.far.calls if "calendar.section.get" in call["commands"]]
    assert len(asked) == 1


# Whose token


def test_administrator_is_dismissed_in_mid_work(company: Company) -> None:
    rig = company.rig
    booking = company.book(company.room)
    rig.drain()
    assert refs_of(rig, booking.id)["company"].host == 1
    rig.far.users[1].active = False
    move(company, booking, 5, company.room)
    other = company.book(company.room, 9)
    rig.drain()
    assert_shown(rig, booking.id)
    assert_shown(rig, other.id)
    assert (refs_of(rig, booking.id)["company"].host, refs_of(rig, other.id)["company"].host) == (1, 2)


def test_unknown_host_is_asked_for(company: Company) -> None:
    rig = company.rig
    booking = company.book(company.room)
    rig.drain()
    events_of(rig, booking.id)[0]["host"] = 2
    change_rows(rig, booking, host=4)
    move(company, booking, 5, company.room)
    rig.drain(2)
    assert_shown(rig, booking.id)
    assert refs_of(rig, booking.id)["company"].host == 2


def test_without_any_administrator_everything_waits_for_the_next_one(company: Company) -> None:
    rig = company.rig
    for user_id in (1, 2):
        rig.far.users[user_id].active = False
    booking = company.book(company.room)
    rig.drain(2)
    with transaction(rig.engine) as tx:
        tenant = tenancy.tenant(tx, rig.portal_id)
        assert tenant is not None
        assert tenant.installation.needs_admin
        assert outbox.portals_with_work(tx, rig.clock()) == []
        rig.far.users[2].active = True
        tenancy.keep_pair(
            tx, tenant.installation, user_id=2, origin="frame", access_token=_token(rig, 2), refresh_token="r",
            expires_at=rig.clock() + timedelta(hours=1), now=rig.clock(),
        )  # fmt: skip
        assert tenancy.revive(tx, tenant.installation.id)
        tx.flush()
        assert outbox.portals_with_work(tx, rig.clock()) == [rig.portal_id]
    rig.drain()
    assert_shown(rig, booking.id)


def _token(rig: Rig, user_id: int) -> str:
    return next(one.access for one in rig.world.auth.tokens.values() if one.user_id == user_id)


@pytest.mark.parametrize("values", [{"state": "blocked"}, {"state": "deleted"}, {"payment_expired": True}])
def test_installation_that_may_not_work_is_left_alone(company: Company, values: dict[str, Any]) -> None:
    rig = company.rig
    company.book(company.room)
    with transaction(rig.engine) as tx:
        tenant = tenancy.tenant(tx, rig.portal_id)
        assert tenant is not None
        for name, value in values.items():
            setattr(tenant.installation, name, value)
    before = len(rig.far.calls)
    rig.drain()
    assert len(rig.far.calls) == before


def test_silent_portal_costs_one_try_and_is_left_alone_until_it_is_due(company: Company, clock: Clock) -> None:
    rig = company.rig
    fault(rig, "batch", "reset_before")
    bookings = [company.book(company.room, hours) for hours in (1, 3, 5)]
    before = len(rig.far.calls)
    rig.drain(3)
    assert len(rig.far.calls) == before + 1
    with transaction(rig.engine) as tx:
        assert not outbox.anything_due(tx, rig.portal_id, clock())
    for _ in range(4):
        clock.forward(80)
        rig.drain(2)
    for booking in bookings:
        assert_shown(rig, booking.id)


# Order


def test_people_go_before_bulk(company: Company) -> None:
    rig = company.rig
    bulk = [company.book(company.room, hours) for hours in range(1, 60, 2)]
    for booking in bulk:
        touch(rig, booking, company.room, bulk=True)
    with transaction(rig.engine) as tx:
        tenancy.frame_seen(tx, rig.portal_id, rig.clock())
    rig.drain()
    drawn = len(rig.items("bookings"))
    assert 0 < drawn < len(bulk), "cut short, because somebody looks on"
    mine = company.book(company.person)
    rig.drain()
    assert_shown(rig, mine.id)
    assert len(rig.items("bookings")) == drawn + 1
    rig.drain(30)
    for booking in bulk:
        assert_shown(rig, booking.id)


def test_bulk_batches_fit_into_a_glance_while_somebody_looks_on() -> None:
    pace = Pace()
    assert (pace.size(1, "items", watched=False), pace.size(1, "items", watched=True)) == (50, 5)
    pace.note(1, "items", count=5, seconds=0.25)
    assert (pace.size(1, "items", watched=False), pace.size(1, "items", watched=True)) == (50, 20)
    pace.note(1, "items", count=20, seconds=60)
    assert pace.size(1, "items", watched=True) == 1
    pace.note(1, "items", count=50, seconds=0)
    assert pace.size(1, "items", watched=True) == 50
    assert pace.size(1, "events", watched=True) == 5


def test_batch_that_takes_longer_than_we_wait_becomes_smaller() -> None:
    pace = Pace()
    pace.note(1, "items", count=50, seconds=20, failed=True)
    assert pace.size(1, "items", watched=False) == 25
    pace.note(1, "items", count=25, seconds=0.1, failed=True)
    assert pace.size(1, "items", watched=False) == 25, "an early failure says nothing about the pace"
    pace.note(1, "items", count=25, seconds=2.5)
    assert pace.size(1, "items", watched=False) == 50


def test_resources_come_before_the_bookings_that_refer_to_them(company: Company) -> None:
    rig = company.rig
    with transaction(rig.engine) as tx:
        rooms = [factories.make_resource(tx, rig.ledger(tx), now=rig.clock()) for _ in range(60)]
    booking = company.book(rooms[-1])
    rig.drain(3)
    assert len(rig.items("resources")) == 62
    assert_shown(rig, booking.id)
    with transaction(rig.engine) as tx:
        field = LaidCrm.from_json(rig.ledger(tx).crm).need("bookings").fields["resource"]
    assert len(items_of(rig, booking.id)[0][field]) == 1
    assert len(rig.calls("crm.item.update")) == 0


def test_link_to_an_item_that_came_late_is_put_into_the_event(company: Company, clock: Clock) -> None:
    rig = company.rig
    fault(rig, "crm.item.add", "command_refused")
    booking = company.book(company.room)
    rig.drain()
    (event,) = events_of(rig, booking.id)
    assert "/crm/type/" not in event["description"]
    clock.forward(120)
    rig.drain(3)
    assert "/crm/type/" in event["description"]
    assert_shown(rig, booking.id)


def test_somebody_changes_what_is_being_drawn(company: Company, clock: Clock) -> None:
    """The event is older than the item here, so drawing the item and moving the booking meet from two sides."""
    rig = company.rig
    with transaction(rig.engine) as tx:
        rig.ledger(tx).level = "A"
    booking = company.book(company.room)
    rig.drain()
    with transaction(rig.engine) as tx:
        rig.ledger(tx).level = "B"
        refs.ensure_refs(tx, rig.ledger(tx), clock())
    known = refs_of(rig, booking.id)
    assert known["company"].id < known["item"].id
    with ThreadPoolExecutor(2) as threads:
        with transaction(rig.engine) as tx:
            tx.get_one(ExternalRef, known["company"].id, with_for_update=True)
            moving = threads.submit(move, company, booking, 9, company.room)
            _until_waiting(rig, 1)
            drawing = threads.submit(rig.drain)
            _until_waiting(rig, 2)
        moving.result()
        drawing.result()
    rig.drain(2)
    assert_shown(rig, booking.id)
    assert "/crm/type/" in events_of(rig, booking.id)[0]["description"]


def _until_waiting(rig: Rig, count: int) -> None:
    """Returns when so many transactions wait for another one."""
    deadline = time.monotonic() + 10
    with rig.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        question = text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND locktype <> 'advisory'")
        while connection.execute(question).scalar_one() < count:
            assert time.monotonic() < deadline, f"{count} were expected to wait"


def test_drain_that_did_something_queues_the_next_while_there_is_more(company: Company) -> None:
    for hours in range(1, 60, 2):
        company.book(company.room, hours)
    with company.rig.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM procrastinate_jobs")
    company.rig.drain()
    assert _waiting(company.rig) == 1
    with company.rig.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM procrastinate_jobs")
    company.rig.drain(4)
    with company.rig.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM procrastinate_jobs")
    company.rig.drain()
    assert _waiting(company.rig) == 0


def _waiting(rig: Rig) -> int:
    with rig.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'").scalar_one()
    return int(found)


def test_only_one_process_draws_in_a_portal(company: Company) -> None:
    rig = company.rig
    with outbox.only_drain(rig.engine, rig.portal_id) as first:
        with outbox.only_drain(rig.engine, rig.portal_id, wait_seconds=1) as second:
            assert (first, second) == (True, False)
        with outbox.only_drain(rig.engine, rig.portal_id + 1, wait_seconds=1) as elsewhere:
            assert elsewhere
    with outbox.only_drain(rig.engine, rig.portal_id, wait_seconds=1) as again:
        assert again


def test_ref_of_another_portal_is_never_recorded(company: Company) -> None:
    rig = company.rig
    booking = company.book(company.room)
    ref = refs_of(rig, booking.id)["item"]
    ref.portal_id = rig.portal_id + 1
    with transaction(rig.engine) as tx:
        outbox.record(tx, ref, outbox.Drawn(99, {}), rig.clock())
        assert outbox.due(tx, rig.portal_id + 1, outbox.BOOKINGS, rig.clock()) == []
        assert outbox.known_events(tx, rig.portal_id, [99]) == set()
        assert tx.get_one(ExternalRef, ref.id).remote_id is None
