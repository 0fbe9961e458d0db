"""What stands in the cards of the portal is what we wrote there, field by field, and reads the same."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import select, update

from b24app.booking.clients import ClientData
from b24app.booking.payments import MoneyData, record_payment
from b24app.ledger import refs
from b24app.ledger.models import ExternalRef, Service, Tariff
from b24app.ledger.session import transaction
from b24app.scheduling import pricing
from b24app.sync import owned
from b24app.sync.laid import LaidCrm
from b24app.sync.tokens import portal_client
from emulator import people_admin
from tests import factories
from tests.factories import ADMIN
from tests.sync.rig import MANAGER, SECOND_ADMIN, Company, Rig, lay_down

HOURLY = pricing.Tariff("Час", "hour", Decimal(1500))


def laid(rig: Rig) -> LaidCrm:
    with transaction(rig.engine) as tx:
        return LaidCrm.from_json(rig.ledger(tx).crm)


def read(rig: Rig, kind: str, item_id: int) -> dict[str, Any]:
    """The item as REST shows it."""
    params = {"entityTypeId": laid(rig).need(kind).entity_type_id, "id": item_id}
    item: dict[str, Any] = portal_client(rig.reach, rig.portal_id).call("crm.item.get", params)["item"]
    return item


def drawn(rig: Rig) -> list[ExternalRef]:
    with transaction(rig.engine) as tx:
        return list(tx.scalars(select(ExternalRef).where(ExternalRef.kind == "item")))


def give_price(company: Company) -> None:
    """An hour in the room costs something."""
    rig = company.rig
    with transaction(rig.engine) as tx:
        tariff = Tariff(portal_id=rig.portal_id, name=HOURLY.name, body=HOURLY.as_dict())
        tx.add(tariff)
        tx.flush()
        tx.execute(update(Service).where(Service.resource_id == company.room.id).values(tariff_id=tariff.id))
        refs.touch_resource(tx, rig.ledger(tx), company.room.id, rig.clock())


def test_cards_read_as_we_wrote_them(company: Company) -> None:
    rig = company.rig
    give_price(company)
    booking = company.book(
        company.room, client=ClientData("contact", "Мария", crm_id=7), deal_id=None, participants=frozenset({MANAGER}),
        responsible_id=SECOND_ADMIN, notes="у окна",
    )  # fmt: skip
    with transaction(rig.engine) as tx:
        data = MoneyData("payment", Decimal("500.50"), "cash", rig.clock().date())
        record_payment(tx, rig.ledger(tx), booking.id, data, viewer=ADMIN, now=rig.clock())
    rig.drain(times=3)
    for ref in drawn(rig):
        assert ref.remote_id is not None
        kind, form = ("bookings", owned.of_item) if ref.booking_id else ("resources", owned.of_resource)
        there = form(laid(rig), read(rig, kind, ref.remote_id))
        assert owned.changes(ref.drawn or {}, there) == {}
        assert there.keys() <= (ref.drawn or {}).keys()
    names = laid(rig).need("bookings").fields
    (item,) = rig.items("bookings")
    said = {key: item[names[key]] for key in ("service", "party", "payment", "paid", "source", "notes")}
    assert said == {
        "service": "Переговорная «Нева»", "party": 1, "payment": "Partly paid", "paid": "500.5|RUB",
        "source": "an employee", "notes": "у окна",
    }  # fmt: skip
    assert (item["observers"], item["opportunity"]) == ([MANAGER], 1500)
    prices = {row["title"]: row[laid(rig).need("resources").fields["price"]] for row in rig.items("resources")}
    assert prices == {"Переговорная «Нева»": "1500|RUB", "Анна Седова": None}


def test_a_type_of_an_older_version_gets_the_fields_it_lacks(company: Company) -> None:
    rig = company.rig
    fields = [row for row in rig.far.userfields.values() if row["fieldName"].endswith(("_PAID", "_PRICE", "_SERVICE"))]
    assert len(fields) == 3
    for row in fields:
        people_admin.delete_field(rig.far, 1, int(row["id"]))
    lay_down(rig)
    assert {"paid", "service"} <= laid(rig).need("bookings").fields.keys()
    assert "price" in laid(rig).need("resources").fields


def test_portal_wide_price_is_of_bare_resources_only(company: Company) -> None:
    rig = company.rig
    give_price(company)
    with transaction(rig.engine) as tx:
        factories.make_service(tx, rig.ledger(tx), (company.person, 1), tariff=HOURLY)
        refs.touch_resource(tx, rig.ledger(tx), company.person.id, rig.clock())
    rig.drain()
    price = laid(rig).need("resources").fields["price"]
    assert sorted(str(row[price]) for row in rig.items("resources")) == ["1500|RUB", "None"]
