"""Services are saved as they are meant, and refused at the field when nobody could ever book them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.orm import Session

from b24app.booking.policies import make_policy, save_policy
from b24app.booking.resources import archive_resource
from b24app.booking.services import ServiceData, archive_service, data_of, save_service
from b24app.booking.tariffs import save_tariff
from b24app.errors import InvalidInput, NotAllowed, NotFound, Stale
from b24app.ledger import rules
from b24app.ledger.catalog import Need
from b24app.ledger.models import Portal, Service
from b24app.scheduling.policy import Quota
from b24app.scheduling.pricing import Tariff
from tests.booking.rows import everything
from tests.factories import ADMIN, EMPLOYEE, book_service, make_portal, make_resource

ANY_ROOM = Need("room", (), 1)


def save(tx: Session, portal: Portal, now: datetime, *, viewer: Any = ADMIN, **values: Any) -> Service:
    how = {name: values.pop(name) for name in ("service_id", "revision") if name in values}
    data = ServiceData(**{"name": "Массаж", "requirements": (ANY_ROOM,), **values})
    return save_service(tx, portal, data, viewer=viewer, now=now, longest_hours=24 * 14, **how)


def refused(tx: Session, portal: Portal, now: datetime, **values: Any) -> dict[str, str]:
    """The codes by field; nothing may have changed."""
    before = everything(tx)
    with pytest.raises(InvalidInput) as caught, tx.begin_nested():
        save(tx, portal, now, **values)
    assert everything(tx) == before
    return caught.value.fields


def test_a_service_comes_back_as_it_was_saved(tx: Session, portal: Portal, now: datetime) -> None:
    one, two = make_resource(tx, portal, now=now), make_resource(tx, portal, now=now)
    tariff = save_tariff(tx, portal, Tariff("Обычный", "hour", Decimal(100)), viewer=ADMIN, now=now)
    policy = save_policy(tx, portal, make_policy(name="Строгие"), viewer=ADMIN, now=now)
    data = ServiceData(
        "Съёмка", 60, 180, 60, 30, 15, 30, (Need(None, (two.id, one.id), 1), Need("room", (), 1)), policy.id, tariff.id,
        "least_used", 7,
    )  # fmt: skip
    service = save_service(tx, portal, data, viewer=ADMIN, now=now, longest_hours=24)
    tx.expire_all()
    saved = rules.service(tx, portal.id, service.id)
    assert data_of(saved, rules.needs(tx, portal.id, [service.id])[service.id]) == data


def test_what_was_saved_can_be_booked(tx: Session, portal: Portal, now: datetime) -> None:
    make_resource(tx, portal, now=now)
    assert book_service(tx, portal, save(tx, portal, now), now=now).stage == "confirmed"


def test_changing_a_service_replaces_what_it_requires(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    service = save(tx, portal, now)
    save(tx, portal, now, service_id=service.id, requirements=(Need(None, (room.id,), 1),), name="Стрижка")
    assert rules.needs(tx, portal.id, [service.id]) == {service.id: (Need(None, (room.id,), 1),)}
    assert (service.name, service.revision) == ("Стрижка", 2)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"name": "  "}, {"name": "required"}),
        ({"name": "я" * 121}, {"name": "too_many_characters"}),
        ({"min_minutes": 0}, {"min_minutes": "out_of_range"}),
        ({"min_minutes": -60}, {"min_minutes": "out_of_range"}),
        ({"min_minutes": 90, "max_minutes": 60}, {"min_minutes": "min_over_max"}),
        ({"max_minutes": 60 * 24 * 15}, {"max_minutes": "too_long"}),
        ({"step_minutes": 0}, {"step_minutes": "out_of_range"}),
        ({"step_minutes": 1441}, {"step_minutes": "out_of_range"}),
        ({"min_minutes": 45, "max_minutes": 100}, {"min_minutes": "off_grid", "max_minutes": "off_grid"}),
        ({"horizon_days": 0}, {"horizon_days": "out_of_range"}),
        ({"horizon_days": 3651}, {"horizon_days": "out_of_range"}),
        ({"buffer_before": -1}, {"buffer_before": "out_of_range"}),
        ({"buffer_after": 1441}, {"buffer_after": "out_of_range"}),
        ({"preference": "dearest"}, {"preference": "unknown_choice"}),
        ({"sort": 2**40}, {"sort": "out_of_range"}),
        ({"policy_id": 987654}, {"policy_id": "unknown_choice"}),
        ({"tariff_id": 987654}, {"tariff_id": "unknown_choice"}),
        ({"requirements": ()}, {"requirements": "required"}),
        ({"requirements": (ANY_ROOM,) * 11}, {"requirements": "too_many"}),
        ({"requirements": (Need("ship", (), 1),)}, {"requirements-0-kind": "unknown_kind"}),
        ({"requirements": (ANY_ROOM, Need(None, (), 1))}, {"requirements-1-options": "required"}),
        ({"requirements": (Need("room", (1,), 1),)}, {"requirements-0-options": "kind_or_resources"}),
        ({"requirements": (Need(None, (1, 1), 1),)}, {"requirements-0-options": "duplicate"}),
        ({"requirements": (Need(None, (987654,), 1),)}, {"requirements-0-options": "unknown_resource"}),
        ({"requirements": (Need(None, tuple(range(1, 202)), 1),)}, {"requirements-0-options": "too_many"}),
        ({"requirements": (Need("room", (), 0),)}, {"requirements-0-quantity": "out_of_range"}),
        ({"requirements": (Need("room", (), 1001),)}, {"requirements-0-quantity": "out_of_range"}),
        ({"requirements": (Need("room", (), 2),)}, {"requirements-0-quantity": "more_than_exists"}),
        ({"requirements": (Need("vehicle", (), 1),)}, {"requirements-0-quantity": "more_than_exists"}),
        ({"requirements": (ANY_ROOM, ANY_ROOM)}, {"requirements-1-quantity": "more_than_is_left"}),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    tx: Session, portal: Portal, now: datetime, values: dict[str, Any], expected: dict[str, str]
) -> None:
    make_resource(tx, portal, now=now)
    assert refused(tx, portal, now, **values) == expected


def test_a_fixed_length_need_not_be_whole_steps(tx: Session, portal: Portal, now: datetime) -> None:
    make_resource(tx, portal, now=now)
    assert save(tx, portal, now, min_minutes=50, max_minutes=50, step_minutes=15).max_minutes == 50


def test_every_wrong_field_is_named_at_once(tx: Session, portal: Portal, now: datetime) -> None:
    found = refused(tx, portal, now, name="", horizon_days=0, requirements=(Need("ship", (), 0),))
    assert set(found) == {"name", "horizon_days", "requirements-0-kind", "requirements-0-quantity"}


def test_an_archived_resource_is_none_that_could_serve(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    archive_resource(tx, portal, room.id, viewer=ADMIN, now=now)
    named = (Need(None, (room.id,), 1),)
    assert refused(tx, portal, now, requirements=named) == {"requirements-0-options": "unknown_resource"}
    assert refused(tx, portal, now) == {"requirements-0-quantity": "more_than_exists"}


def test_the_resources_of_another_portal_are_unknown(tx: Session, portal: Portal, now: datetime) -> None:
    other = make_portal(tx)
    room = make_resource(tx, other, now=now)
    tariff = save_tariff(tx, other, Tariff("Чужой", "hour", Decimal(100)), viewer=ADMIN, now=now)
    policy = save_policy(tx, other, make_policy(name="Чужие"), viewer=ADMIN, now=now)
    named = (Need(None, (room.id,), 1),)
    assert refused(tx, portal, now, requirements=named) == {"requirements-0-options": "unknown_resource"}
    assert refused(tx, portal, now) == {"requirements-0-quantity": "more_than_exists"}
    foreign = {"policy_id": policy.id, "tariff_id": tariff.id}
    make_resource(tx, portal, now=now)
    assert refused(tx, portal, now, **foreign) == dict.fromkeys(foreign, "unknown_choice")


def test_a_pool_counts_with_all_its_units(tx: Session, portal: Portal, now: datetime) -> None:
    pool = make_resource(tx, portal, now=now, kind="equipment", units=5)
    make_resource(tx, portal, now=now, kind="equipment", units=2)
    assert save(tx, portal, now, requirements=(Need(None, (pool.id,), 5),)).id
    assert save(tx, portal, now, requirements=(Need("equipment", (), 7),)).id
    six = (Need(None, (pool.id,), 6),)
    assert refused(tx, portal, now, requirements=six) == {"requirements-0-quantity": "more_than_exists"}
    both = (Need(None, (pool.id,), 3), Need(None, (pool.id,), 3))
    assert refused(tx, portal, now, requirements=both) == {"requirements-1-quantity": "more_than_is_left"}
    together = (Need(None, (pool.id,), 5), Need("equipment", (), 3))
    assert refused(tx, portal, now, requirements=together) == {"requirements-1-quantity": "more_than_is_left"}


def test_a_composite_counts_as_one_and_takes_its_parts(tx: Session, portal: Portal, now: datetime) -> None:
    parts = [make_resource(tx, portal, now=now, kind="hall") for _ in range(2)]
    whole = make_resource(tx, portal, now=now, kind="hall", parts=tuple(one.id for one in parts))
    assert save(tx, portal, now, requirements=(Need(None, (whole.id,), 1),)).id
    both = (Need(None, (whole.id,), 1), Need(None, (parts[0].id,), 1))
    assert refused(tx, portal, now, requirements=both) == {"requirements-1-quantity": "more_than_is_left"}
    assert save(tx, portal, now, requirements=(Need("hall", (), 2),)).id
    assert refused(tx, portal, now, requirements=(Need("hall", (), 3),)) == {
        "requirements-0-quantity": "more_than_exists"
    }


def test_the_first_requirement_leaves_the_rarer_resource_to_the_second(
    tx: Session, portal: Portal, now: datetime
) -> None:
    """Whoever took the first that fits would find nothing for the second."""
    one, two = (make_resource(tx, portal, now=now, kind="specialist") for _ in range(2))
    needs = (Need(None, (one.id, two.id), 1), Need(None, (one.id,), 1))
    assert save(tx, portal, now, requirements=needs).id


def test_rules_by_which_nobody_could_book_are_refused(tx: Session, portal: Portal, now: datetime) -> None:
    make_resource(tx, portal, now=now)
    early = save_policy(tx, portal, make_policy(name="За месяц", notice_minutes=30 * 1440), viewer=ADMIN, now=now)
    found = refused(tx, portal, now, policy_id=early.id, horizon_days=14)
    assert found == {"policy_id": "notice_over_horizon"}
    short = make_policy(name="Полчаса", quotas=(Quota("client", "week", 30, "minutes"),))
    short_id = save_policy(tx, portal, short, viewer=ADMIN, now=now).id
    assert refused(tx, portal, now, policy_id=short_id) == {"policy_id": "quota_too_small"}


def test_the_longest_allocation_includes_the_longest_buffers(tx: Session, portal: Portal, now: datetime) -> None:
    make_resource(tx, portal, now=now, max_minutes=60, buffer_before=10, buffer_after=45)
    save(tx, portal, now, min_minutes=60, max_minutes=600, buffer_before=20, buffer_after=5)
    tx.refresh(portal)
    assert portal.longest_minutes >= 20 + 600 + 45


def test_a_longer_buffer_of_a_resource_counts_for_services_too(tx: Session, portal: Portal, now: datetime) -> None:
    make_resource(tx, portal, now=now, max_minutes=60)
    save(tx, portal, now, min_minutes=60, max_minutes=600)
    make_resource(tx, portal, now=now, max_minutes=60, buffer_after=120)
    tx.refresh(portal)
    assert portal.longest_minutes >= 600 + 120


def test_somebody_who_changed_it_meanwhile_is_not_overwritten(tx: Session, portal: Portal, now: datetime) -> None:
    make_resource(tx, portal, now=now)
    service = save(tx, portal, now)
    save(tx, portal, now, service_id=service.id, revision=1, name="Первый")
    with pytest.raises(Stale) as caught, tx.begin_nested():
        save(tx, portal, now, service_id=service.id, revision=1, name="Второй")
    assert (caught.value.revision, rules.service(tx, portal.id, service.id).name) == (2, "Первый")


def test_an_archived_service_is_not_offered_and_comes_back(tx: Session, portal: Portal, now: datetime) -> None:
    make_resource(tx, portal, now=now)
    service = save(tx, portal, now)
    archive_service(tx, portal, service.id, viewer=ADMIN, now=now, revision=1)
    assert [rules.services(tx, portal.id), rules.services(tx, portal.id, archived=True)] == [[], [service]]
    with pytest.raises(NotFound):
        book_service(tx, portal, service, now=now)
    archive_service(tx, portal, service.id, viewer=ADMIN, now=now, archived=False, revision=2)
    assert rules.services(tx, portal.id) == [service]


def test_a_service_comes_back_only_if_it_can_be_booked(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    service = save(tx, portal, now)
    archive_service(tx, portal, service.id, viewer=ADMIN, now=now)
    archive_resource(tx, portal, room.id, viewer=ADMIN, now=now)
    with pytest.raises(InvalidInput) as caught, tx.begin_nested():
        archive_service(tx, portal, service.id, viewer=ADMIN, now=now, archived=False)
    assert caught.value.fields == {"requirements-0-quantity": "more_than_exists"}


def test_a_bare_resource_is_no_service_that_is_edited_here(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    bare = tx.query(Service).filter_by(resource_id=room.id).one()
    with pytest.raises(NotFound):
        save(tx, portal, now, service_id=bare.id)
    with pytest.raises(NotFound):
        archive_service(tx, portal, bare.id, viewer=ADMIN, now=now)


def test_only_administrators_save_and_archive(tx: Session, portal: Portal, now: datetime) -> None:
    make_resource(tx, portal, now=now)
    service = save(tx, portal, now)
    for service_id in (None, service.id):
        with pytest.raises(NotAllowed):
            save(tx, portal, now, viewer=EMPLOYEE, service_id=service_id)
    with pytest.raises(NotAllowed):
        archive_service(tx, portal, service.id, viewer=EMPLOYEE, now=now)


def test_a_form_without_a_step_of_its_own_shows_the_usual_one(tx: Session, portal: Portal, now: datetime) -> None:
    make_resource(tx, portal, now=now)
    service = save(tx, portal, now)
    service.step_minutes = None
    assert replace(data_of(service, ()), requirements=(ANY_ROOM,)) == ServiceData("Массаж", requirements=(ANY_ROOM,))
