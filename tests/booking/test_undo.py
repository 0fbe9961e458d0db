"""Every change of the settings is written down once, and can be taken back as long as nobody changed the same since."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from b24app.booking.access import save_access
from b24app.booking.configuration import Configuration, Item, grant
from b24app.booking.configuration_apply import apply
from b24app.booking.configuration_read import read
from b24app.booking.policies import remove_policy
from b24app.booking.resources import archive_resource, data_of, save_resource
from b24app.booking.tariffs import remove_tariff, save_tariff
from b24app.booking.undo import can_undo, undo
from b24app.errors import InvalidInput, NotAllowed, NotFound
from b24app.ledger import changes, configured, rules
from b24app.ledger.access import GrantRule
from b24app.ledger.models import Portal
from b24app.ledger.portal_models import SettingChange
from b24app.ledger.session import transaction
from tests.booking.rows import everything
from tests.booking.setups import LONGEST, PRICES, set_up
from tests.factories import ADMIN, EMPLOYEE, make_portal, make_resource


def log(tx: Session, portal: Portal) -> list[tuple[str, str, str]]:
    """What was written down, the oldest first."""
    return [(one.kind, one.action, one.name) for one in reversed(changes.newest(tx, portal.id))]


def back(tx: Session, portal: Portal, which: Any, now: datetime) -> list[SettingChange]:
    return undo(tx, portal, which, viewer=ADMIN, now=now, longest_hours=LONGEST)


def refused(tx: Session, portal: Portal, which: Any, now: datetime) -> dict[str, str]:
    before = everything(tx)
    with pytest.raises(InvalidInput) as caught, tx.begin_nested():
        back(tx, portal, which, now)
    assert everything(tx) == before
    return caught.value.fields


def newest(tx: Session, portal: Portal) -> SettingChange:
    return changes.newest(tx, portal.id)[0]


def test_every_use_case_writes_down_what_it_changed(tx: Session, portal: Portal, now: datetime) -> None:
    set_up(tx, portal, now)
    assert log(tx, portal) == [
        ("kind", "added", "Корт"), ("tariff", "added", "Студия"), ("policy", "added", "Обычные"),
        ("default", "changed", "Обычные"), ("policy", "added", "Строгие"), ("resource", "added", "Ока"),
        ("resource", "added", "Ока"), ("resource", "added", "Мария"), ("resource", "added", "Весь этаж"),
        ("resource", "added", "Корт"), ("resource", "added", "Старая"), ("resource", "archived", "Старая"),
        ("closure", "added", "Праздники"), ("closure", "added", ""), ("service", "added", "Стрижка"),
        ("service", "added", "Бритьё"), ("service", "archived", "Бритьё"), ("access", "changed", ""),
        ("settings", "changed", ""),
    ]  # fmt: skip
    assert {(one.actor, one.at) for one in changes.newest(tx, portal.id)} == {("user:1", now)}


def test_what_is_saved_as_it_was_is_no_change(tx: Session, portal: Portal, now: datetime) -> None:
    set_up(tx, portal, now)
    before = len(changes.newest(tx, portal.id))
    for one in configured.resources(tx, portal.id):
        save_resource(tx, portal, data_of(tx, one), viewer=ADMIN, now=now, longest_hours=LONGEST, resource_id=one.id)
    save_tariff(tx, portal, PRICES, viewer=ADMIN, now=now, tariff_id=rules.tariffs(tx, portal.id)[0].id)
    save_access(tx, portal, rules.all_grants(tx, portal.id), viewer=ADMIN, now=now)
    assert len(changes.newest(tx, portal.id)) == before


WANTED = Configuration(
    resources=(
        Item("Ока", {"capacity": 9, "tariff": None, "hours": []}),
        Item("Корт", {}, archived=True),
        Item("Старая", {"name": "Старая", "kind": "room"}),
    ),
    policies=(Item("Строгие", {"is_default": True, "notice_minutes": 90}),),
    closures=(),
    access=(grant("kind:room", "AU", "see"),),
    settings={"comments": False, "remind_minutes": [15]},
    currency="KZT",
)


def test_a_whole_batch_is_taken_back(engine: Engine, now: datetime) -> None:
    with transaction(engine) as tx:
        portal = make_portal(tx)
        set_up(tx, portal, now)
    with transaction(engine) as tx:
        before = read(tx, portal, now)
        steps = apply(tx, portal, WANTED, viewer=ADMIN, now=now, longest_hours=LONGEST)
        batch, between = changes.batch_of(tx), read(tx, portal, now)
        assert len(steps) >= 7
        assert between != before
    with transaction(engine) as tx:
        undone = back(tx, portal, batch, now)
        assert read(tx, portal, now) == before
        assert len(undone) >= len(steps)
        again = changes.batch_of(tx)
    with transaction(engine) as tx:  # taking back is a change as well
        back(tx, portal, again, now)
        assert read(tx, portal, now) == between
    with transaction(engine) as tx:
        assert refused(tx, portal, batch, now) == {"change": "undone_already"}


def test_what_was_added_goes_again_and_what_was_removed_comes_back(tx: Session, portal: Portal, now: datetime) -> None:
    row = save_tariff(tx, portal, PRICES, viewer=ADMIN, now=now)
    back(tx, portal, newest(tx, portal).id, now)
    assert rules.tariffs(tx, portal.id) == []
    back(tx, portal, newest(tx, portal).id, now)
    (again,) = rules.tariffs(tx, portal.id)
    assert (again.body, again.id == row.id) == (PRICES.as_dict(), False)
    room = make_resource(tx, portal, now=now, tariff_id=again.id)
    back(tx, portal, newest(tx, portal).id, now)
    assert room.archived_at == now
    remove_tariff(tx, portal, again.id, viewer=ADMIN, now=now)  # what was archived so holds none


def test_default_rules_come_back_as_such(tx: Session, portal: Portal, now: datetime) -> None:
    set_up(tx, portal, now)
    present = read(tx, portal, now)
    everywhere = Configuration(
        resources=tuple(Item(one.key, {"policy": "Строгие"}) for one in present.resources),
        services=tuple(Item(one.key, {"policy": "Строгие"}) for one in present.services),
    )
    apply(tx, portal, everywhere, viewer=ADMIN, now=now, longest_hours=LONGEST)
    tx.info.pop(changes.BATCH)
    usual = next(one for one in rules.policies(tx, portal.id) if one.is_default)
    remove_policy(tx, portal, usual.id, viewer=ADMIN, now=now)
    back(tx, portal, changes.batch_of(tx), now)
    assert [one.name for one in rules.policies(tx, portal.id) if one.is_default] == ["Обычные"]


def test_what_others_changed_since_is_kept(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now, capacity=4)

    def save(**changed: Any) -> None:
        data = replace(data_of(tx, room), **changed)
        save_resource(tx, portal, data, viewer=ADMIN, now=now, longest_hours=LONGEST, resource_id=room.id)

    save(capacity=8)
    first = newest(tx, portal)
    save(city="Пермь")
    assert can_undo(first)
    back(tx, portal, first.id, now)  # another field
    assert (room.capacity, room.city, can_undo(first)) == (4, "Пермь", False)
    save(capacity=8)
    second = newest(tx, portal)
    save(capacity=10)
    assert refused(tx, portal, second.id, now) == {"change": "changed_since"}


def test_what_stands_in_the_way_is_said(tx: Session, portal: Portal, now: datetime) -> None:
    tariff = save_tariff(tx, portal, PRICES, viewer=ADMIN, now=now)
    added = newest(tx, portal)
    make_resource(tx, portal, now=now, tariff_id=tariff.id)
    assert refused(tx, portal, added.id, now) == {"tariff": "still_given"}


def test_only_administrators_and_only_here(tx: Session, portal: Portal, now: datetime) -> None:
    save_access(tx, portal, [GrantRule("everything", "AU", "see")], viewer=ADMIN, now=now)
    change, other = newest(tx, portal), make_portal(tx)
    with pytest.raises(NotAllowed):
        undo(tx, portal, change.id, viewer=EMPLOYEE, now=now, longest_hours=LONGEST)
    for which in (change.id, change.batch):
        with pytest.raises(NotFound):
            back(tx, other, which, now)
    assert changes.newest(tx, other.id) == [] == list(changes.names(tx, other.id, "access"))
    changes.mark_undone(tx, other.id, [change.id], now)
    assert can_undo(change)


def test_an_archived_one_is_offered_again(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    archive_resource(tx, portal, room.id, viewer=ADMIN, now=now)
    back(tx, portal, newest(tx, portal).id, now)
    assert room.archived_at is None
