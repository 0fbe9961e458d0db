"""Kinds of resources that a company has named itself."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from b24app.booking.kinds import KindData, is_kind, remove_kind, save_kind
from b24app.errors import InvalidInput, NotAllowed, NotFound, PolicyViolation, Stale
from b24app.ledger import kinds as ledger
from b24app.ledger.models import Portal
from b24app.ledger.place_models import ResourceKind
from tests.booking.test_resources import Keeper, rows
from tests.conftest import NOW
from tests.factories import ADMIN, EMPLOYEE, make_portal

COURT = KindData("Корт", "Корты", "light", for_people=True)


def save(tx: Session, portal: Portal, data: KindData = COURT, **changed: Any) -> ResourceKind:
    return save_kind(tx, portal, data, viewer=ADMIN, now=NOW, **changed)


@pytest.fixture
def keeper(tx: Session, portal: Portal) -> Keeper:
    return Keeper(tx, portal, NOW)


def test_a_resource_may_be_of_it_and_no_other_portal_knows_it(tx: Session, portal: Portal, keeper: Keeper) -> None:
    key = save(tx, portal).key
    assert (key, keeper.save(kind=key).kind) == ("place-корт", key)
    elsewhere = Keeper(tx, make_portal(tx), NOW)
    assert elsewhere.refused(kind=key) == {"kind": "unknown_kind"}


def test_its_key_stays_when_it_is_renamed(tx: Session, portal: Portal) -> None:
    row = save(tx, portal)
    save(tx, portal, KindData("Площадка", "", "desk"), kind_id=row.id, revision=1)
    assert (row.key, row.one, row.many, row.icon, row.revision) == ("place-корт", "Площадка", "Площадка", "desk", 2)
    again = save(tx, portal)
    assert again.key == "place-корт-2"
    with pytest.raises(Stale):
        save(tx, portal, KindData("Поле"), kind_id=row.id, revision=1)


@pytest.mark.parametrize(("for_people", "refused"), [(True, True), (False, False)])
def test_capacity_counts_where_people_sit_in_it(
    tx: Session, portal: Portal, keeper: Keeper, for_people: bool, refused: bool
) -> None:
    key = save(tx, portal, KindData("Лодка", for_people=for_people)).key
    boat = keeper.save(kind=key, capacity=4)
    if not refused:
        assert keeper.book(boat, party=9)
        return
    with pytest.raises(PolicyViolation):
        keeper.book(boat, party=9)


BAD: dict[str, tuple[KindData, dict[str, str]]] = {
    "no name": (KindData("  "), {"one": "required"}),
    "a long name": (KindData("я" * 61), {"one": "too_many_characters"}),
    "a name that is there": (KindData(" корт"), {"one": "duplicate"}),
    "an icon of nobody": (KindData("Поле", icon="<b>"), {"icon": "unknown_choice"}),
    "a key that is none": (KindData("Поле", key="room"), {"key": "unknown_choice"}),
    "a key that is there": (KindData("Поле", key="place-корт"), {"key": "unknown_choice"}),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_named_and_changes_nothing(tx: Session, portal: Portal, name: str) -> None:
    save(tx, portal)
    data, expected = BAD[name]
    before = rows(tx)
    with pytest.raises(InvalidInput) as refusal, tx.begin_nested():
        save(tx, portal, data)
    assert (refusal.value.fields, rows(tx)) == (expected, before)


def test_it_stays_while_anything_is_of_it(tx: Session, portal: Portal, keeper: Keeper) -> None:
    row = save(tx, portal)
    court = keeper.archive(keeper.save(kind=row.key))
    with pytest.raises(InvalidInput) as refusal:
        remove_kind(tx, portal, row.id, viewer=ADMIN, now=NOW)
    assert refusal.value.fields == {"kind": "still_given"}
    keeper.save(court, kind="hall")
    assert remove_kind(tx, portal, row.id, viewer=ADMIN, now=NOW) == "Корт"
    assert keeper.refused(kind="place-корт") == {"kind": "unknown_kind"}


def test_only_administrators_of_this_portal(tx: Session, portal: Portal) -> None:
    row, other = save(tx, portal), make_portal(tx)
    with pytest.raises(NotAllowed):
        save_kind(tx, portal, COURT, viewer=EMPLOYEE, now=NOW)
    with pytest.raises(NotFound):
        remove_kind(tx, other, row.id, viewer=ADMIN, now=NOW)
    found = ledger.kinds(tx, other.id), ledger.uses(tx, other.id), ledger.hold(tx, other.id, row.key)
    assert found == ([], {}, False)


@pytest.mark.parametrize("key", ["", "ship", "place-", "place-a b", 'thing-"', "own-x", "place-" + "я" * 61])
def test_what_is_no_key(key: str) -> None:
    assert not is_kind(key)
