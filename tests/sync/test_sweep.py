"""Whatever no event told of, a comparison of portal and ledger finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from b24app.ledger import sweeps, tenancy
from b24app.ledger.models import Booking, Portal
from b24app.ledger.portal_models import Draft, Sighting
from b24app.ledger.session import transaction
from b24app.sync import owned
from b24app.sync.laid import LaidCrm
from b24app.sync.sweep import sweep
from emulator import faults
from tests.factories import make_portal
from tests.sync.rig import Company, Rig

RELATED = ("type", "user", "deal", "contact", "company")


def hints(rig: Rig) -> set[tuple[str, int]]:
    """What was found to differ; cards that are looked at every time are left out."""
    with transaction(rig.engine) as tx:
        return {(one.kind, one.remote_id) for one in tx.scalars(select(Sighting)) if one.kind not in RELATED}


def compared(rig: Rig) -> dict[str, dict[str, int]]:
    found = sweep(rig.reach, rig.portal_id, "cli")
    assert found is not None
    return found


@pytest.fixture
def booked(company: Company) -> Booking:
    """A booking of the room that the portal shows."""
    booking: Booking = company.book(company.room, title="Планёрка")
    company.rig.drain(2)
    return booking


def test_what_agrees_leaves_no_hints(rig: Rig, booked: Booking) -> None:
    found = compared(rig)
    assert found["compared"] == {"resource": 2, "item": 1, "event": 1}
    assert not any(found["differences"].values())
    assert hints(rig) == set()


def _card(rig: Rig) -> dict[str, object]:
    (item,) = rig.items("bookings")
    return item


def _event(rig: Rig) -> dict[str, object]:
    (row,) = rig.events()
    return row


def _moved_card(rig: Rig) -> tuple[str, int]:
    card = _card(rig)
    card["stageId"] = _crm(rig).stages["completed"]
    return "item", int(str(card["id"]))


def _lost_card(rig: Rig) -> tuple[str, int]:
    number = int(str(_card(rig)["id"]))
    del rig.far.items[_crm(rig).need("bookings").entity_type_id][number]
    return "item", number


def _dragged_event(rig: Rig) -> tuple[str, int]:
    row = _event(rig)
    row["start"], row["end"] = float(str(row["start"])) + 3600, float(str(row["end"])) + 3600
    return "event", int(str(row["id"]))


def _event_far_away(rig: Rig) -> tuple[str, int]:
    row = _event(rig)
    row["start"], row["end"] = float(str(row["start"])) + 90 * 86400, float(str(row["end"])) + 90 * 86400
    return "event", int(str(row["id"]))


def _lost_event(rig: Rig) -> tuple[str, int]:
    number = int(str(_event(rig)["id"]))
    del rig.far.events[number]
    return "event", number


def _renamed_resource(rig: Rig) -> tuple[str, int]:
    item = rig.items("resources")[0]
    item["title"] = "Переговорная «Волга»"
    return "resource", item["id"]


@pytest.mark.parametrize(
    "change", [_moved_card, _lost_card, _dragged_event, _event_far_away, _lost_event, _renamed_resource]
)
def test_a_difference_that_nobody_told_of_is_found(
    rig: Rig, booked: Booking, change: Callable[[Rig], tuple[str, int]]
) -> None:
    changed = change(rig)
    assert sum(compared(rig)["differences"].values()) == 1
    assert hints(rig) == {changed}


def _crm(rig: Rig) -> LaidCrm:
    with transaction(rig.engine) as tx:
        return LaidCrm.from_json(rig.ledger(tx).crm)


def _strange_card(rig: Rig) -> dict[str, object]:
    """A card made by hand of which no event came."""
    crm = _crm(rig)
    laid, items = crm.need("bookings"), rig.far.items[crm.need("bookings").entity_type_id]
    made = dict(_card(rig)) | {"id": 990, "xmlId": "", "title": "Вручную", laid.fields["number"]: None}
    items[990] = made
    return made


def test_a_card_of_nobody_is_found_once_and_again_when_somebody_edits_it(rig: Rig, booked: Booking) -> None:
    card = _strange_card(rig)
    compared(rig)
    assert hints(rig) == {("item", 990)}
    with transaction(rig.engine) as tx:
        tx.query(Sighting).delete()
        print_of = owned.print_of(owned.of_item(_crm(rig), card))
        now = rig.clock()
        tx.add(
            Draft(
                portal_id=rig.portal_id, remote_id=990, state="refused", print=print_of, created_at=now, updated_at=now
            )
        )
    compared(rig)
    assert hints(rig) == set()
    card["opportunity"] = 700
    compared(rig)
    assert hints(rig) == {("item", 990)}


def test_a_card_of_nobody_is_not_taken_for_the_resource_whose_item_has_the_same_number(
    rig: Rig, booked: Booking
) -> None:
    compared(rig)
    number = max(one["id"] for one in rig.items("resources"))
    cards = rig.far.items[_crm(rig).need("bookings").entity_type_id]
    cards[number] = {**_card(rig), "id": number, "xmlId": "", "title": "Вручную"}
    compared(rig)
    assert ("item", number) in hints(rig)


def test_a_portal_that_does_not_answer_leaves_a_failed_sweep_and_the_next_one_begins_anew(
    rig: Rig, booked: Booking
) -> None:
    faults.outage(rig.world, 1)
    assert sweep(rig.reach, rig.portal_id, "timer") is None
    with transaction(rig.engine) as tx:
        failed = sweeps.last(tx, rig.portal_id)
        assert failed is not None
        assert (failed.failed, failed.ended_at) == ("PortalUnavailable", rig.clock())
    assert compared(rig)["compared"]["item"] == 1


def test_portals_are_swept_in_turn_and_only_those_that_work(rig: Rig, booked: Booking) -> None:
    def overdue() -> list[int]:
        with transaction(rig.engine) as tx:
            return sweeps.overdue(tx, rig.clock() - timedelta(hours=3))

    assert overdue() == [rig.portal_id]
    compared(rig)
    assert overdue() == []


def test_a_removed_portal_is_not_swept(rig: Rig, booked: Booking) -> None:
    with transaction(rig.engine) as tx:
        tenancy.end_installation(tx, tenancy.lock_tenant(tx, rig.portal_id).installation, rig.clock())
    assert sweep(rig.reach, rig.portal_id, "timer") is None


def test_a_sweep_of_one_portal_sees_nothing_of_another(rig: Rig, booked: Booking) -> None:
    with transaction(rig.engine) as tx:
        other: Portal = make_portal(tx)
        assert sweeps.expected(tx, other.id, rig.clock() - timedelta(days=30)) == []
        assert sweeps.known_items(tx, other.id, of_resources=False) == set()
        assert sweeps.known_items(tx, other.id, of_resources=True) == set()
        assert sweeps.backlog(tx, other.id)[:3] == (0, 0, 0)
        assert sweeps.parked(tx, other.id) == []
