"""Copies, several at once, their order, and what becomes of bookings when a resource ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.orm import Session

from b24app.booking.resources import SpecialDay, data_of
from b24app.booking.upkeep import Common, copy_resource, edit_many, put_in_order, retire
from b24app.errors import InvalidInput, NotAllowed, NotFound, Stale
from b24app.ledger import facilities, kinds, photos, queries
from b24app.ledger.models import Booking, Portal, Resource
from b24app.scheduling.hours import OpeningHours
from tests.booking.test_resources import DAY_OFF, Keeper, rows
from tests.conftest import NOW
from tests.factories import ADMIN, EMPLOYEE, make_portal

MORNING = (OpeningHours(0, 480, 720),)


@pytest.fixture
def keeper(tx: Session, portal: Portal) -> Keeper:
    return Keeper(tx, portal, NOW)


def together(keeper: Keeper, *of: Resource, **common: Any) -> list[Resource]:
    return edit_many(
        keeper.tx, keeper.portal, [one.id for one in of], Common(**common), viewer=ADMIN, now=NOW, longest_hours=336
    )


def test_a_copy_has_everything_but_the_name(tx: Session, portal: Portal, keeper: Keeper) -> None:
    part = keeper.save(name="Часть")
    said = {"buffer_after": 15, "attributes": {"Проектор": "4K"}, "special": (SpecialDay(DAY_OFF),), "holidays": "RU"}
    original = keeper.composite(part, name="Зал", **said)
    photos.save(tx, portal.id, original.id, "image/png", b"\x89PNG")
    copy = copy_resource(tx, portal, original.id, "Зал (копия)", viewer=ADMIN, now=NOW, longest_hours=336)
    assert data_of(tx, copy) == replace(data_of(tx, original), name="Зал (копия)")
    addresses = photos.secrets_of(tx, portal.id, [original.id, copy.id])
    assert len(set(addresses.values())) == 2


def test_several_change_together_and_keep_what_is_their_own(keeper: Keeper) -> None:
    first, second = keeper.save(name="А", buffer_before=5), keeper.save(name="Б", city="Тверь")
    together(keeper, first, second, hours=MORNING, buffer_after=10)
    found = [data_of(keeper.tx, one) for one in (first, second)]
    assert [(one.name, one.hours, one.buffer_before, one.buffer_after, one.city) for one in found] == [
        ("А", MORNING, 5, 10, ""), ("Б", MORNING, 0, 10, "Тверь"),
    ]  # fmt: skip


def test_all_of_several_change_or_none(keeper: Keeper) -> None:
    fits = keeper.save(name="А", min_minutes=60)
    does_not = keeper.save(name="Б", step_minutes=15, min_minutes=45, max_minutes=90)
    before = rows(keeper.tx)
    with pytest.raises(InvalidInput) as refusal, keeper.tx.begin_nested():
        together(keeper, fits, does_not, step_minutes=60)
    assert set(refusal.value.fields) == {f"{does_not.id}.min_minutes", f"{does_not.id}.max_minutes"}
    assert rows(keeper.tx) == before


def test_a_whole_and_its_parts_are_archived_together(keeper: Keeper) -> None:
    part = keeper.save()
    whole = keeper.composite(part)
    together(keeper, part, whole, archived=True)
    assert part.archived_at == whole.archived_at == NOW


def test_some_are_put_in_order_in_their_own_places(tx: Session, portal: Portal, keeper: Keeper) -> None:
    a, b, c, d = (keeper.save(name=name) for name in "АБВГ")
    put_in_order(tx, portal, [d.id, b.id], viewer=ADMIN)
    assert kinds.sorts(tx, portal.id) == [a.id, d.id, c.id, b.id]
    newest = keeper.save(name="А")
    assert kinds.sorts(tx, portal.id)[-1] == newest.id
    with pytest.raises(NotAllowed):
        put_in_order(tx, portal, [b.id, d.id], viewer=EMPLOYEE)
    with pytest.raises(NotFound):
        put_in_order(tx, make_portal(tx), [b.id, d.id], viewer=ADMIN)


def ahead(keeper: Keeper, of: Resource) -> list[Any]:
    return facilities.booking_ids_ahead(keeper.tx, keeper.portal.id, {of.id}, NOW)


def end(keeper: Keeper, of: Resource, seen: list[Any], cancelled: list[Any]) -> Resource:
    return retire(
        keeper.tx, keeper.portal, of.id, seen=seen, cancelled=cancelled, reason="Ремонт", viewer=ADMIN, now=NOW
    )


def stages(keeper: Keeper, ids: list[Any]) -> list[tuple[str, str]]:
    found = {one.id: one for one in queries.booking_states(keeper.tx, keeper.portal.id, ids)}
    return [(found[one].stage, found[one].reason) for one in ids]


def test_of_the_bookings_ahead_those_are_cancelled_that_were_chosen(keeper: Keeper) -> None:
    hall = keeper.save()
    for start in (1, 3, 5):
        keeper.book(hall, start)
    seen = ahead(keeper, hall)
    assert end(keeper, hall, seen, seen[1:]).archived_at == NOW
    assert stages(keeper, seen) == [("confirmed", ""), ("cancelled", "Ремонт"), ("cancelled", "Ремонт")]
    assert ahead(keeper, hall) == seen[:1]


def test_what_was_booked_meanwhile_is_asked_about_as_well(keeper: Keeper) -> None:
    hall = keeper.save()
    keeper.book(hall, 1)
    seen = ahead(keeper, hall)
    keeper.book(hall, 3)
    before = rows(keeper.tx)
    with pytest.raises(Stale), keeper.tx.begin_nested():
        end(keeper, hall, seen, seen)
    assert rows(keeper.tx) == before


def test_nobody_cancels_bookings_of_another_resource_that_way(keeper: Keeper) -> None:
    hall, other = keeper.save(name="А"), keeper.save(name="Б")
    keeper.book(other, 1)
    (foreign,) = ahead(keeper, other)
    end(keeper, hall, [foreign], [foreign])
    assert keeper.tx.get_one(Booking, foreign).stage == "confirmed"


def test_photos_and_what_is_found_are_the_portals_own(tx: Session, portal: Portal, keeper: Keeper) -> None:
    hall, other = keeper.save(name="Зал", attributes={"Рояль": "Steinway_100%"}), make_portal(tx)
    secret = photos.save(tx, portal.id, hall.id, "image/png", b"\x89PNG")
    with pytest.raises(NotFound):
        photos.save(tx, other.id, hall.id, "image/png", b"\x89PNG")
    photos.remove(tx, other.id, hall.id)
    photos.copy(tx, other.id, hall.id, hall.id)
    assert photos.secrets_of(tx, other.id, [hall.id]) == {}
    assert photos.by_secret(tx, secret) == ("image/png", b"\x89PNG")
    assert [kinds.found_by(tx, portal.id, asked) for asked in ("way_100%", "way%", "_ain")] == [[hall], [], []]
    assert (kinds.found_by(tx, other.id, "Зал"), kinds.counts(tx, other.id), kinds.sorts(tx, other.id)) == ([], {}, [])
