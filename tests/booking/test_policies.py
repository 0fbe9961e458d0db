"""Rules: refused at the field when they contradict themselves, kept while they count for something."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from b24app.booking.policies import make_default, make_policy, read_policy, remove_policy, save_policy
from b24app.booking.services import ServiceData, save_service
from b24app.errors import InvalidInput, NotAllowed, NotFound, Stale
from b24app.ledger import rules
from b24app.ledger.catalog import Need
from b24app.ledger.models import Portal
from b24app.scheduling.policy import Policy, Quota, Rung
from tests.booking.rows import everything
from tests.conftest import NOW
from tests.factories import ADMIN, EMPLOYEE, make_booking, make_portal, make_resource

STRICT = make_policy(
    name="Строгие",
    winner="payment",
    decide_minutes=120,
    notice_minutes=60,
    cancel_ladder=(Rung(24, 50), Rung(3, 100)),
    move_ladder=(Rung(3, 10),),
    most_moves=2,
    no_show_percent=100,
    after_end="ask",
    quotas=(Quota("client", "week", 3), Quota("person", "ahead", 600, "minutes")),
)


def save(tx: Session, portal: Portal, policy: Policy = STRICT, **how: Any) -> Any:
    return save_policy(tx, portal, policy, viewer=how.pop("viewer", ADMIN), now=NOW, **how)


def refused(tx: Session, portal: Portal, **changed: Any) -> dict[str, str]:
    """The codes by field; nothing may have changed."""
    before = everything(tx)
    with pytest.raises(InvalidInput) as caught, tx.begin_nested():
        save(tx, portal, make_policy(**{"name": "Правила", **changed}))
    assert everything(tx) == before
    return caught.value.fields


def defaults(tx: Session, portal: Portal) -> list[str]:
    return [row.name for row in rules.policies(tx, portal.id) if row.is_default]


def test_rules_come_back_as_they_were_saved(tx: Session, portal: Portal) -> None:
    row = save(tx, portal, replace(STRICT, name=" Строгие "))
    tx.expire_all()
    assert read_policy(rules.policy(tx, portal.id, row.id)) == STRICT


def test_durations_stay_with_the_service(tx: Session, portal: Portal) -> None:
    """So that rules never overrule how long a service takes."""
    assert {"min_minutes", "max_minutes", "step_minutes", "horizon_days"}.isdisjoint(save(tx, portal).rules)


def test_a_booking_keeps_the_rules_that_it_was_made_by(tx: Session, portal: Portal, now: datetime) -> None:
    row = save(tx, portal, make_policy(name="Мягкие", cancel_until_minutes=60))
    booking = make_booking(tx, portal, make_resource(tx, portal, now=now), now=now)
    save(tx, portal, make_policy(name="Строгие", cancel_until_minutes=1440), policy_id=row.id)
    kept = Policy.from_dict(booking.policy)
    assert (kept.name, kept.cancel_until_minutes) == ("Мягкие", 60)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"name": "  "}, {"name": "required"}),
        ({"name": "я" * 121}, {"name": "too_many_characters"}),
        ({"winner": "dearest"}, {"winner": "unknown_choice"}),
        ({"after_end": "nothing"}, {"after_end": "unknown_choice"}),
        ({"hold_minutes": -1}, {"hold_minutes": "out_of_range"}),
        ({"decide_minutes": 0}, {"decide_minutes": "out_of_range"}),
        ({"approval_minutes": 0}, {"approval_minutes": "out_of_range"}),
        ({"pay_minutes": 10**9}, {"pay_minutes": "out_of_range"}),
        ({"notice_minutes": -5}, {"notice_minutes": "out_of_range"}),
        ({"cancel_until_minutes": -5}, {"cancel_until_minutes": "out_of_range"}),
        ({"move_until_minutes": 10**9}, {"move_until_minutes": "out_of_range"}),
        ({"most_moves": -1}, {"most_moves": "out_of_range"}),
        ({"no_show_percent": 101}, {"no_show_percent": "out_of_range"}),
        ({"cancel_ladder": (Rung(24, 50), Rung(3, 20))}, {"cancel_ladder-1-percent": "fee_falls"}),
        ({"cancel_ladder": (Rung(24, 50), Rung(24, 60))}, {"cancel_ladder-1-hours": "same_hours"}),
        ({"move_ladder": (Rung(0, 50),)}, {"move_ladder-0-hours": "out_of_range"}),
        ({"move_ladder": (Rung(5, 150),)}, {"move_ladder-0-percent": "out_of_range"}),
        ({"cancel_ladder": tuple(Rung(n, 10) for n in range(1, 12))}, {"cancel_ladder": "too_many"}),
        ({"quotas": (Quota("client", "week", 0),)}, {"quotas-0-limit": "quota_zero"}),
        ({"quotas": (Quota("client", "week", -3),)}, {"quotas-0-limit": "negative"}),
        ({"quotas": (Quota("client", "week", 10**9),)}, {"quotas-0-limit": "absurd"}),
        ({"quotas": (Quota("planet", "week", 3),)}, {"quotas-0-per": "unknown_choice"}),
        ({"quotas": (Quota("client", "year", 3),)}, {"quotas-0-period": "unknown_choice"}),
        ({"quotas": (Quota("client", "week", 3), Quota("client", "week", 4))}, {"quotas-1-per": "duplicate"}),
    ],
)
def test_rules_that_contradict_themselves_are_refused_at_the_field(
    tx: Session, portal: Portal, changed: dict[str, Any], expected: dict[str, str]
) -> None:
    assert refused(tx, portal, **changed) == expected


def test_the_first_rules_are_the_default_ones_unless_somebody_says_otherwise(tx: Session, portal: Portal) -> None:
    save(tx, portal, replace(STRICT, name="Первые"))
    save(tx, portal, replace(STRICT, name="Вторые"))
    assert defaults(tx, portal) == ["Первые"]
    other = make_portal(tx)
    save(tx, other, is_default=False)
    assert defaults(tx, other) == []


def test_there_is_one_default_at_most(tx: Session, portal: Portal) -> None:
    first, second = save(tx, portal, replace(STRICT, name="Первые")), save(tx, portal, replace(STRICT, name="Вторые"))
    save(tx, portal, STRICT, policy_id=second.id, is_default=True)
    assert defaults(tx, portal) == ["Строгие"]
    make_default(tx, portal, first.id, viewer=ADMIN, now=NOW)
    assert defaults(tx, portal) == ["Первые"]
    save(tx, portal, STRICT, policy_id=first.id, is_default=False)
    assert defaults(tx, portal) == []


def test_changing_the_default_rules_keeps_them_default(tx: Session, portal: Portal) -> None:
    row = save(tx, portal)
    save(tx, portal, STRICT, policy_id=row.id)
    assert defaults(tx, portal) == ["Строгие"]


def test_default_rules_count_for_what_has_none_of_its_own(tx: Session, portal: Portal, now: datetime) -> None:
    save(tx, portal, make_policy(name="Заявки", winner="manager"))
    booking = make_booking(tx, portal, make_resource(tx, portal, now=now), now=now)
    assert (booking.stage, booking.competes) == ("prebooked", True)


def remove_refused(tx: Session, portal: Portal, policy_id: int) -> dict[str, str]:
    before = everything(tx)
    with pytest.raises(InvalidInput) as caught, tx.begin_nested():
        remove_policy(tx, portal, policy_id, viewer=ADMIN, now=NOW)
    assert everything(tx) == before
    return caught.value.fields


def test_rules_in_use_stay(tx: Session, portal: Portal, now: datetime) -> None:
    make_resource(tx, portal, now=now)
    row = save(tx, portal, make_policy(name="Свои"), is_default=False)
    data = ServiceData("Массаж", requirements=(Need("room", (), 1),), policy_id=row.id)
    save_service(tx, portal, data, viewer=ADMIN, now=now, longest_hours=24)
    assert remove_refused(tx, portal, row.id) == {"policy": "still_given"}


def test_default_rules_stay_while_they_count_for_something(tx: Session, portal: Portal, now: datetime) -> None:
    row = save(tx, portal)
    make_resource(tx, portal, now=now)
    assert remove_refused(tx, portal, row.id) == {"policy": "still_given"}


def test_rules_that_count_for_nothing_can_be_removed(tx: Session, portal: Portal) -> None:
    row = save(tx, portal)
    assert remove_policy(tx, portal, row.id, viewer=ADMIN, now=NOW, revision=1) == "Строгие"
    assert rules.policies(tx, portal.id) == []


def test_somebody_who_changed_them_meanwhile_is_not_overwritten(tx: Session, portal: Portal) -> None:
    row = save(tx, portal)
    save(tx, portal, policy_id=row.id, revision=1)
    with pytest.raises(Stale), tx.begin_nested():
        save(tx, portal, make_policy(name="Вторые"), policy_id=row.id, revision=1)
    with pytest.raises(Stale), tx.begin_nested():
        remove_policy(tx, portal, row.id, viewer=ADMIN, now=NOW, revision=1)
    assert rules.policy(tx, portal.id, row.id).name == "Строгие"


def test_another_portals_rules_are_not_found(tx: Session, portal: Portal) -> None:
    row = save(tx, make_portal(tx))
    for attempt in (
        lambda: save(tx, portal, policy_id=row.id),
        lambda: remove_policy(tx, portal, row.id, viewer=ADMIN, now=NOW),
        lambda: make_default(tx, portal, row.id, viewer=ADMIN, now=NOW),
    ):
        with pytest.raises(NotFound):
            attempt()


def test_only_administrators_set_rules(tx: Session, portal: Portal) -> None:
    row = save(tx, portal)
    for attempt in (
        lambda: save(tx, portal, viewer=EMPLOYEE),
        lambda: remove_policy(tx, portal, row.id, viewer=EMPLOYEE, now=NOW),
        lambda: make_default(tx, portal, row.id, viewer=EMPLOYEE, now=NOW),
    ):
        with pytest.raises(NotAllowed):
            attempt()
