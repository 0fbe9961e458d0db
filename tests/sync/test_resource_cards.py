"""Resources in their cards in the portal, and whatever else people change there that bookings refer to."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from b24app.booking.clients import ClientData
from b24app.booking.resources import data_of
from b24app.ledger import clients, people, queries, rules
from b24app.ledger.models import Client, Resource, Service
from b24app.ledger.models import Tariff as TariffRow
from b24app.ledger.session import Session, transaction
from b24app.scheduling.pricing import PriceRule, Tariff
from b24app.sync.laid import LaidCrm
from emulator import people as hands
from emulator import people_admin, staff
from tests import factories
from tests.sync.doings import Doings
from tests.sync.rig import ADMIN, MANAGER, Company


@dataclass
class Cards(Doings):
    """The same for resources' cards."""

    @property
    def type(self) -> int:
        return self.crm.need("resources").entity_type_id

    def change(self, item_id: int, user: int = ADMIN, **values: Any) -> None:
        names = self.crm.need("resources").fields
        fields = {names.get(key, key): value for key, value in values.items()}
        hands.edit_item(self.rig.far, user, self.type, item_id, fields)
        self.tell(item_id, user, kind="resource")

    def card_of(self, resource_id: int) -> int:
        return int(self.bound(resource_id)[0].partition("_")[2])

    def resource(self, resource_id: int) -> Resource:
        with transaction(self.rig.engine) as tx:
            return queries.resource(tx, self.rig.portal_id, factories.ADMIN, resource_id)

    def price(self, resource_id: int) -> Any:
        with transaction(self.rig.engine) as tx:
            data = data_of(tx, self.resource(resource_id))
            row = rules.tariff(tx, self.rig.portal_id, data.tariff_id) if data.tariff_id else None
            return Tariff.from_dict(row.body).price if row else None

    def shown(self, item_id: int, key: str) -> Any:
        item = next(one for one in self.rig.items("resources") if one["id"] == item_id)
        return item.get(self.field(key, "resources") if key != "title" else key)


@pytest.fixture
def cards(company: Company) -> Cards:
    return Cards(company)


def test_name_place_capacity_price_and_being_offered_are_taken_over(cards: Cards) -> None:
    room = cards.company.room
    item_id = cards.card_of(room.id)

    cards.change(item_id, title="Переговорная «Ока»", city="Тверь", address="Зелёная, 3", capacity=12, price="900|RUB")
    cards.change(item_id, active="N")

    now = cards.resource(room.id)
    assert (now.name, now.city, now.address, now.capacity) == ("Переговорная «Ока»", "Тверь", "Зелёная, 3", 12)
    assert (cards.price(room.id), now.archived_at is not None) == (Decimal(900), True)
    cards.change(item_id, active="Y", price="1200|RUB")
    assert (cards.price(room.id), cards.resource(room.id).archived_at) == (Decimal(1200), None)
    assert cards.said("put_back") == []


def test_what_may_not_be_changed_there_is_put_back_with_the_reason(cards: Cards) -> None:
    room, rig = cards.company.room, cards.rig
    item_id = cards.card_of(room.id)

    cards.change(item_id, MANAGER, title="Моя")
    assert (cards.resource(room.id).name, cards.shown(item_id, "title")) == (room.name, room.name)
    assert cards.said("put_back") == [("comment", "put_back", None), ("notice", "put_back", MANAGER)]
    assert cards.reasons() == ["manage"]

    cards.change(item_id, capacity="")
    with transaction(rig.engine) as tx:
        tariff = rules_tariff(tx, rig.portal_id)
        tx.scalars(select(Service).filter_by(resource_id=room.id)).one().tariff_id = tariff
    cards.change(item_id, price="5|RUB")
    assert cards.reasons() == ["manage", "required", "several_prices"]

    hours = cards.shown(item_id, "hours")
    cards.change(item_id, hours="всегда")
    assert cards.shown(item_id, "hours") == hours
    assert len(cards.reasons()) == 3  # put back quietly: everybody sees that it is only shown


def rules_tariff(tx: Session, portal_id: int) -> int:
    """A tariff with more than one price."""
    body = Tariff("Вечер", "hour", Decimal(100), rules=(PriceRule(Decimal(200), from_minute=1080),)).as_dict()
    row = TariffRow(portal_id=portal_id, name="Вечер", body=body)
    tx.add(row)
    tx.flush()
    return row.id


def test_a_card_made_by_hand_is_a_resource_offered_once_its_kind_is_known(cards: Cards) -> None:
    far, names = cards.rig.far, cards.crm.need("resources").fields
    hall = cards.crm.need("resources").options["kind"]["hall"]

    made = hands.add_item(far, ADMIN, cards.type, {"title": "Зал «Юг»", names["kind"]: hall})
    cards.tell(made["id"], ADMIN, kind="resource")
    unclear = hands.add_item(far, ADMIN, cards.type, {"title": "Что-то новое"})
    cards.tell(unclear["id"], ADMIN, kind="resource")
    foreign = hands.add_item(far, MANAGER, cards.type, {"title": "Чужая"})
    cards.tell(foreign["id"], MANAGER, kind="resource")

    with transaction(cards.rig.engine) as tx:
        found = {row.name: row for row in tx.scalars(select(Resource))}
    assert (found["Зал «Юг»"].kind, found["Зал «Юг»"].archived_at) == ("hall", None)
    assert found["Что-то новое"].archived_at is not None
    assert "Чужая" not in found
    assert cards.said("resource_lacks", "not_done") == [
        ("comment", "resource_lacks", None), ("notice", "not_done", MANAGER),
    ]  # fmt: skip
    assert cards.shown(made["id"], "hours") != ""

    cards.change(unclear["id"], kind=hall, active="Y")
    now = cards.resource(found["Что-то новое"].id)
    assert (now.kind, now.archived_at) == ("hall", None)


def test_a_deleted_card_archives_the_resource_and_is_drawn_again_while_bookings_stand_on_it(cards: Cards) -> None:
    room, person = cards.company.room, cards.company.person
    cards.company.book(room, 3)
    cards.settle()

    for resource in (room, person):
        item_id = cards.card_of(resource.id)
        hands.delete_item(cards.rig.far, ADMIN, cards.type, item_id)
        cards.tell(item_id, ADMIN, gone=True, kind="resource")

    assert all(cards.resource(one.id).archived_at is not None for one in (room, person))
    assert [one["xmlId"] for one in cards.rig.items("resources")] == [f"r:{room.id}"]
    assert cards.said("not_done") == [("comment", "not_done", None), ("notice", "not_done", ADMIN)]

    (row,) = [one for one in hands.bin_rows(cards.rig.far, cards.type) if one["title"] == person.name]
    restored = hands.restore_item(cards.rig.far, ADMIN, cards.type, row["itemId"])
    cards.tell(restored["id"], ADMIN, kind="resource")
    assert cards.resource(person.id).archived_at is None


def test_merged_renamed_and_deleted_clients_and_deals(cards: Cards) -> None:
    rig, far = cards.rig, cards.rig.far
    phone = [{"typeId": "PHONE", "valueType": "WORK", "value": "+7 900 000-00-01"}]
    kept, merged, lost = (
        hands.add_item(far, ADMIN, 3, {"name": name, "fm": phone if number < 2 else []})["id"]
        for number, name in enumerate(("Вера", "Вера И.", "Олег"))
    )
    deal = hands.add_item(far, ADMIN, 2, {"title": "Съёмка"})["id"]
    made = [
        cards.company.book(
            cards.company.room, hours, deal_id=deal, client=ClientData("contact", "Кто-то", phone=number, crm_id=crm_id)
        )
        for hours, number, crm_id in ((2, "+7 900 000-00-01", merged), (4, "", lost))
    ]
    cards.settle()

    hands.edit_item(far, ADMIN, 3, merged, {"name": "Вера Ильина"})
    cards.tell(merged, ADMIN, kind="contact")
    with transaction(rig.engine) as tx:
        row = clients.by_card(tx, rig.portal_id, "contact", [merged])[merged]
        assert (row.name, row.phone) == ("Вера Ильина", "+7 900 000-00-01")
    hands.merge_contacts(far, ADMIN, kept, [merged])
    hands.delete_item(far, ADMIN, 3, lost)
    hands.delete_item(far, ADMIN, 2, deal)
    for kind, number in (("contact", merged), ("contact", lost), ("deal", deal)):
        cards.tell(number, ADMIN, gone=True, kind=kind)

    with transaction(rig.engine) as tx:
        first, second = (queries.booking_state(tx, rig.portal_id, one.id) for one in made)
        rows = {row.id: (row.kind, row.crm_id) for row in tx.scalars(select(Client))}
    assert (rows[first.client_id or 0], rows[second.client_id or 0]) == (("contact", kept), ("person", None))
    assert (first.deal_id, second.deal_id) == (None, None)
    assert ("edited", f"user:{ADMIN}") in cards.history(first.id)


def test_a_dismissed_colleague_leaves_his_bookings_to_be_taken_over(cards: Cards) -> None:
    booking = cards.company.book(cards.company.room, 3)
    cards.settle()

    staff.rename(cards.rig.far, MANAGER, "Анна", "Ким")
    staff.dismiss(cards.rig.far, MANAGER)
    cards.tell(MANAGER, None, kind="user")

    with transaction(cards.rig.engine) as tx:
        left = people.left_behind(tx, cards.rig.portal_id, cards.rig.clock())
    assert [(one.name, one.number) for one in left] == [("Анна Ким", booking.number)]


def test_a_deleted_stage_is_laid_down_again_and_a_renamed_one_left_alone(cards: Cards) -> None:
    booking = cards.company.book(cards.company.room, 3)
    cards.settle()
    admin, number = cards.rig.far.users[ADMIN], cards.crm.need("bookings").entity_type_id
    stages = cards.crm.stages

    people_admin.rename_stage(cards.rig.far, admin, number, stages["confirmed"], "Ждём гостя")
    people_admin.delete_stage(cards.rig.far, admin, number, stages["no_show"])
    cards.tell(number, ADMIN, kind="type")

    assert cards.crm.stages == stages
    there = {row["STATUS_ID"]: row["NAME"] for row in cards.rig.far.statuses.values()}
    assert there[stages["confirmed"]] == "Ждём гостя"
    assert stages["no_show"] in there
    assert cards.booking(booking.id).stage == "confirmed"


def test_a_deleted_process_loses_nothing_and_waits_for_an_administrator(cards: Cards) -> None:
    booking = cards.company.book(cards.company.room, 3)
    cards.settle()
    number = cards.crm.need("bookings").entity_type_id

    people_admin.delete_type(cards.rig.far, ADMIN, number, with_items=True)
    cards.tell(number, ADMIN, kind="type")
    cards.tell(cards.item_of(booking.id) or 1, ADMIN, gone=True)

    with transaction(cards.rig.engine) as tx:
        crm = LaidCrm.from_json(cards.rig.ledger(tx).crm)
    assert (crm.bookings, crm.complete) == (None, False)
    assert cards.booking(booking.id).stage == "confirmed"
