"""Deals of bookings: found or made once, moved along by the table, left to people when people have moved them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from b24app.booking.change import Move, cancel_booking, move_booking
from b24app.booking.clients import ClientData
from b24app.ledger import deliveries, refs
from b24app.ledger.models import Booking, Service, Tariff
from b24app.ledger.session import transaction
from b24app.scheduling import pricing
from b24app.sync.deals import stage_verdict
from emulator import faults, people, people_admin
from tests.factories import ADMIN, hour
from tests.sync.rig import MANAGER, SECOND_ADMIN, Company, Rig

DEAL = 2
HOURLY = pricing.Tariff("Час", "hour", Decimal(1500), extras=(pricing.Extra("light", "Свет", Decimal(300), "booking"),))
TABLE = {"confirmed": "PREPARATION", "completed": "WON", "cancelled": "LOSE", "prebooked": "NEW"}


def obey(company: Company, **policy: Any) -> None:
    """The portal's deal policy."""
    with transaction(company.rig.engine) as tx:
        company.rig.ledger(tx).settings = {"deal": policy}


def funnel(rig: Rig) -> int:
    """A funnel of deals in which nobody has one yet."""
    return int(people_admin.add_funnel(rig.far, 1, DEAL, "Аренда")["id"])


def mine(client: int = 1) -> ClientData:
    return ClientData("contact", "Мария", crm_id=client)


def deals(rig: Rig) -> list[dict[str, Any]]:
    """Those that we have made."""
    return [row for row in rig.far.items[DEAL].values() if row.get("originatorId")]


def state(rig: Rig, booking: Booking) -> Booking:
    with transaction(rig.engine) as tx:
        return tx.get_one(Booking, booking.id)


def touch(rig: Rig, booking: Booking) -> None:
    with transaction(rig.engine) as tx:
        refs.mark_behind(tx, rig.portal_id, [booking.id], rig.clock())


def give_price(company: Company) -> None:
    rig = company.rig
    with transaction(rig.engine) as tx:
        tariff = Tariff(portal_id=rig.portal_id, name=HOURLY.name, body=HOURLY.as_dict())
        tx.add(tariff)
        tx.flush()
        tx.execute(update(Service).where(Service.resource_id == company.room.id).values(tariff_id=tariff.id))


def said(rig: Rig) -> list[str]:
    return [row["COMMENT"] for row in rig.far.comments.values() if row["ENTITY_TYPE"] == "deal"]


def test_a_deal_is_made_with_client_amount_and_responsible(company: Company) -> None:
    rig = company.rig
    give_price(company)
    obey(company, mode="create", category_id=(category := funnel(rig)))
    booking = company.book(company.room, client=mine(), responsible_id=SECOND_ADMIN)
    rig.drain(times=3)
    (deal,) = deals(rig)
    assert {name: deal[name] for name in ("title", "categoryId", "opportunity", "contactIds", "assignedById")} == {
        "title": f"Переговорная «Нева» No. {booking.number}", "categoryId": category, "opportunity": 1500,
        "contactIds": [1], "assignedById": SECOND_ADMIN,
    }  # fmt: skip
    assert state(rig, booking).deal_id == deal["id"]
    assert state(rig, booking).revision == 1
    assert [item["parentId2"] for item in rig.items("bookings")] == [deal["id"]]


def test_what_is_to_come_fires_on_a_deal_that_was_made_as_well(company: Company) -> None:
    rig = company.rig
    obey(company, mode="create", category_id=funnel(rig))
    booking = company.book(company.room, hours=3, client=mine())
    rig.drain(times=3)
    with transaction(rig.engine) as tx:
        coming = [row for row in deliveries.of_booking(tx, rig.portal_id, booking.id) if row.useful_until]
    (deal,) = deals(rig)
    on_deal = [row.code for row in coming if row.params.get("deal") == deal["id"]]
    assert sorted(on_deal) == ["booking.reminder", "booking.started"]
    assert len(coming) == 5


def test_the_clients_open_deal_is_used(company: Company) -> None:
    rig = company.rig
    obey(company, mode="create")
    booking = company.book(company.room, client=mine())
    rig.drain(times=2)
    assert (deals(rig), state(rig, booking).deal_id) == ([], 1)


def test_two_bookings_of_one_client_at_once_share_a_deal(company: Company) -> None:
    rig = company.rig
    obey(company, mode="create", category_id=funnel(rig))
    made = [company.book(company.room, hours=n, client=mine()) for n in (1, 3)]
    rig.drain(times=4)
    (deal,) = deals(rig)
    assert [state(rig, one).deal_id for one in made] == [deal["id"]] * 2


@pytest.mark.parametrize("kind", ["reset_after", "withhold", "reset_before", "command_lost"])
def test_a_lost_answer_makes_no_second_deal(company: Company, kind: str) -> None:
    rig = company.rig
    obey(company, mode="create", category_id=funnel(rig))
    booking = company.book(company.room, client=mine())
    faults.add(rig.world, {"method": "crm.item.add", "kind": kind, "times": 1})
    rig.drain()
    with transaction(rig.engine) as tx:
        move_booking(tx, rig.ledger(tx), booking.id, Move(hour(rig.clock(), 4)), revision=1, viewer=ADMIN,
                     now=rig.clock())  # fmt: skip
    faults.calm(rig.world)
    for _ in range(4):
        rig.clock.forward(100)  # type: ignore[attr-defined]
        rig.drain()
    (deal,) = deals(rig)
    assert state(rig, booking).deal_id == deal["id"]


def test_a_worker_killed_between_deal_and_record_makes_no_second_one(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = company.rig
    obey(company, mode="create", category_id=funnel(rig))
    booking = company.book(company.room, client=mine())

    def dies(*args: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr("b24app.ledger.deals.adopt", dies)
        with pytest.raises(KeyboardInterrupt):
            rig.drain()
    rig.clock.forward(100)  # type: ignore[attr-defined]
    rig.drain(times=3)
    (deal,) = deals(rig)
    assert state(rig, booking).deal_id == deal["id"]


def test_a_deal_taken_off_the_booking_is_not_put_back(company: Company) -> None:
    rig = company.rig
    obey(company, mode="create", category_id=funnel(rig))
    booking = company.book(company.room, client=mine())
    rig.drain(times=3)
    with transaction(rig.engine) as tx:
        tx.execute(update(Booking).where(Booking.id == booking.id).values(deal_id=None))
    touch(rig, booking)
    rig.drain(times=2)
    assert state(rig, booking).deal_id is None
    assert len(deals(rig)) == 1


def test_without_a_client_or_where_the_service_wants_none_no_deal_is_made(company: Company) -> None:
    rig = company.rig
    obey(company, mode="create", category_id=funnel(rig))
    with transaction(rig.engine) as tx:
        own = {"mode": "none"}
        tx.execute(update(Service).where(Service.resource_id == company.person.id).values(deal=own))
    company.book(company.room)
    company.book(company.person, client=mine())
    rig.drain(times=3)
    assert deals(rig) == []


def test_a_linked_deal_follows_the_booking(company: Company) -> None:
    rig = company.rig
    obey(company, mode="link", stages=TABLE)
    booking = company.book(company.room, deal_id=3)
    rig.drain()
    assert rig.far.items[DEAL][3]["stageId"] == "PREPARATION"
    with transaction(rig.engine) as tx:
        cancel_booking(tx, rig.ledger(tx), booking.id, revision=1, viewer=ADMIN, now=rig.clock())
    rig.drain()
    assert rig.far.items[DEAL][3]["stageId"] == "LOSE"


@pytest.mark.parametrize("stage", ["FINAL_INVOICE", "WON"])
def test_a_deal_that_people_have_moved_or_closed_stays_and_says_so_once(company: Company, stage: str) -> None:
    rig = company.rig
    obey(company, mode="link", stages=TABLE | {"completed": "EXECUTING", "paid": "NEW"})
    booking = company.book(company.room, deal_id=3)
    rig.drain()
    people.move_card(rig.far, MANAGER, DEAL, 3, stage)
    for target in ("completed", "confirmed"):
        with transaction(rig.engine) as tx:
            tx.execute(update(Booking).where(Booking.id == booking.id).values(stage=target))
        touch(rig, booking)
        rig.drain(times=2)
    assert rig.far.items[DEAL][3]["stageId"] == stage
    assert len(said(rig)) == 1
    assert "Booking: Completed" in said(rig)[0]


def test_the_price_stands_as_product_rows_of_card_and_deal(company: Company) -> None:
    rig = company.rig
    give_price(company)
    obey(company, mode="create", category_id=funnel(rig), products=True)
    booking = company.book(company.room, client=mine(), extras={"light": 1})
    rig.drain(times=4)
    (deal,), (item,) = deals(rig), rig.items("bookings")
    wanted = [("Переговорная «Нева»", 1500, 1), ("Свет", 300, 1)]
    assert rows(rig, "D", deal["id"]) == rows(rig, "T", item["id"]) == wanted
    assert (item["opportunity"], deal["opportunity"]) == (1800, 1800)
    calls = len(rig.calls("crm.item.productrow.set"))
    touch(rig, booking)
    rig.drain(times=2)
    assert len(rig.calls("crm.item.productrow.set")) == calls
    with transaction(rig.engine) as tx:
        cancel_booking(tx, rig.ledger(tx), booking.id, revision=1, viewer=ADMIN, now=rig.clock())
    rig.drain(times=2)
    assert rows(rig, "D", deal["id"]) == rows(rig, "T", item["id"]) == []
    assert rig.far.items[DEAL][deal["id"]]["opportunity"] == 0


def rows(rig: Rig, owner: str, owner_id: int) -> list[tuple[str, float, float]]:
    found = [
        row for row in rig.far.product_rows.values() if row["ownerId"] == owner_id and row["ownerType"][0] == owner
    ]
    return [(row["productName"], row["price"], row["quantity"]) for row in found]


ORDER = ["NEW", "PREPARATION", "EXECUTING", "WON", "LOSE"]


@pytest.mark.parametrize(
    ("stands", "base", "target", "given", "closed", "verdict"),
    [
        ("NEW", None, None, set(), False, "none"),
        ("NEW", None, "C5:NEW", set(), False, "none"),  # of another funnel
        ("PREPARATION", None, "PREPARATION", set(), False, "there"),
        ("NEW", None, "EXECUTING", set(), False, "move"),
        ("EXECUTING", None, "NEW", set(), False, "silent"),  # a booking comes to a deal that is further on
        ("EXECUTING", "EXECUTING", "NEW", {"EXECUTING"}, False, "move"),  # our own doing
        ("WON", "WON", "NEW", {"WON"}, True, "move"),
        ("WON", "NEW", "EXECUTING", {"NEW"}, True, "left"),  # closed by people
        ("EXECUTING", "NEW", "PREPARATION", {"NEW"}, False, "left"),
        ("PREPARATION", "NEW", "EXECUTING", {"NEW"}, False, "move"),  # moved by people, but not beyond
        ("EXECUTING", "NEW", "PREPARATION", {"NEW", "EXECUTING"}, False, "silent"),  # by another booking of ours
    ],
)
def test_what_becomes_of_a_deals_stage(
    stands: str, base: str | None, target: str | None, given: set[str], closed: bool, verdict: str
) -> None:
    assert stage_verdict(stands, base, target, ORDER, given, closed=closed) == verdict
