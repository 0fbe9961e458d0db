"""What an administrator may say about a resource, and what is refused before anybody books it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, text
from sqlalchemy.orm import Session

from b24app.booking.policies import make_policy, save_policy
from b24app.booking.resources import ResourceData, SpecialDay, archive_resource, is_step, save_resource
from b24app.errors import InvalidInput, NotAllowed, NotFound, SlotTaken, Stale
from b24app.ledger import facilities, occupancy
from b24app.ledger.access import GrantRule, Viewer
from b24app.ledger.facilities import Composition
from b24app.ledger.models import Base, Policy, Portal, Requirement, Resource, Service, Tariff, Unit
from b24app.ledger.session import transaction
from b24app.scheduling.hours import OpeningHours, Stretch
from b24app.scheduling.pricing import Tariff as Prices
from tests.conftest import NOW
from tests.factories import ADMIN, ALWAYS, hour, make_booking, make_portal, make_resource

HALL = ResourceData(kind="hall", name="Зал", hours=ALWAYS)


def rows(tx: Session) -> dict[str, list[str]]:
    """Every row there is."""
    tx.flush()
    return {
        table.name: sorted(str(row) for row in tx.execute(text(f'SELECT * FROM "{table.name}"')))
        for table in Base.metadata.sorted_tables
    }


class Keeper:
    """Saves resources of one portal."""

    def __init__(self, tx: Session, portal: Portal, now: datetime) -> None:
        self.tx, self.portal, self.now = tx, portal, now

    def save(self, resource: Resource | None = None, **changed: Any) -> Resource:
        return save_resource(
            self.tx,
            self.portal,
            replace(HALL, **changed),
            viewer=ADMIN,
            now=self.now,
            longest_hours=336,
            resource_id=resource.id if resource else None,
        )

    def composite(self, *parts: Resource, **changed: Any) -> Resource:
        return self.save(parts=tuple(part.id for part in parts), **changed)

    def archive(self, resource: Resource, **changed: Any) -> Resource:
        return archive_resource(self.tx, self.portal, resource.id, viewer=ADMIN, now=self.now, **changed)

    def refused(self, resource: Resource | None = None, **changed: Any) -> dict[str, str]:
        """The fields for which saving is refused; nothing at all has changed then."""
        before = rows(self.tx)
        with pytest.raises(InvalidInput) as refusal, self.tx.begin_nested():
            self.save(resource, **changed)
        assert rows(self.tx) == before
        return refusal.value.fields

    def units(self, resource: Resource) -> list[Unit]:
        """All it ever had, in order."""
        query = select(Unit).where(Unit.resource_id == resource.id).order_by(Unit.number)
        return list(self.tx.scalars(query.execution_options(populate_existing=True)))

    def live(self, resource: Resource) -> list[int]:
        return [unit.number for unit in self.units(resource) if unit.retired_at is None]

    def book(self, resource: Resource, start: float = 1, **changed: Any) -> Any:
        return make_booking(
            self.tx, self.portal, resource, now=self.now, viewer=ADMIN, interval=hour(self.now, start), **changed
        )


@pytest.fixture
def keeper(tx: Session, portal: Portal, now: datetime) -> Keeper:
    return Keeper(tx, portal, now)


# What is wrong by itself ----

NIGHT = OpeningHours(0, 22 * 60, 26 * 60)
DAY_OFF = date(2026, 5, 8)
BAD: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "no unit": ({"units": 0}, {"units": "out_of_range"}),
    "fewer than no unit": ({"units": -3}, {"units": "out_of_range"}),
    "too many units": ({"units": 201}, {"units": "out_of_range"}),
    "a negative buffer": ({"buffer_before": -1}, {"buffer_before": "out_of_range"}),
    "a buffer of more than a day": ({"buffer_after": 1441}, {"buffer_after": "out_of_range"}),
    "holidays of nowhere": ({"holidays": "XX"}, {"holidays": "unknown_choice"}),
    "no step": ({"step_minutes": 0}, {"step_minutes": "unknown_step"}),
    "a step over a day": ({"step_minutes": 2880}, {"step_minutes": "unknown_step"}),
    "a step that the day is no number of": ({"step_minutes": 7}, {"step_minutes": "unknown_step"}),
    "shortest beside the grid": ({"min_minutes": 45}, {"min_minutes": "off_grid"}),
    "unknown zone": ({"time_zone": "Mars/Olympus"}, {"time_zone": "unknown_zone"}),
    "nights that overlap": ({"hours": (NIGHT, OpeningHours(1, 60, 300))}, {"hours": "hours_overlap"}),
    "no such rules": ({"policy_id": 999_999}, {"policy_id": "unknown_choice"}),
    "no such tariff": ({"tariff_id": 999_999}, {"tariff_id": "unknown_choice"}),
    "an unknown part": ({"parts": (999_999,)}, {"parts": "unknown_resource"}),
    "a date twice": (
        {"special": (SpecialDay(DAY_OFF), SpecialDay(date(2026, 5, 9)), SpecialDay(DAY_OFF, ((540, 600),)))},
        {"special-2-day": "date_twice"},
    ),
    "special hours that overlap": (
        {"special": (SpecialDay(DAY_OFF, ((540, 780), (720, 1080))),)}, {"special-0-hours": "hours_overlap"},
    ),
    "special hours that end before they start": (
        {"special": (SpecialDay(date(2026, 5, 9)), SpecialDay(DAY_OFF, ((780, 540),)))},
        {"special-1-hours": "hours_wrong"},
    ),
    "a special hour that does not exist": (
        {"time_zone": "Europe/Berlin", "special": (SpecialDay(date(2026, 3, 29), ((150, 600),)),)},
        {"special-0-hours": "hour_missing"},
    ),
    "a special hour that exists twice": (
        {"time_zone": "Europe/Berlin", "special": (SpecialDay(date(2026, 10, 25), ((60, 150),)),)},
        {"special-0-hours": "hour_doubled"},
    ),
    "a date of another age": ({"special": (SpecialDay(date(9999, 12, 31), ((540, 600),)),)},
                              {"special-0-day": "out_of_range"}),
    "more dates than anybody has": (
        {"special": tuple(SpecialDay(DAY_OFF + timedelta(days=n)) for n in range(401))}, {"special": "too_many"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_refused_at_its_field(keeper: Keeper, name: str) -> None:
    changed, fields = BAD[name]
    assert keeper.refused(**changed) == fields
    room = keeper.save()
    assert keeper.refused(room, **changed) == fields


def test_everything_wrong_is_named_at_once(keeper: Keeper) -> None:
    special = (SpecialDay(DAY_OFF, ((600, 500),)),)
    fields = keeper.refused(name=" ", units=0, buffer_after=-1, special=special)
    assert set(fields) == {"name", "units", "buffer_after", "special-0-hours"}


def test_a_step_is_a_part_of_the_day() -> None:
    assert all(is_step(minutes) for minutes in (1, 5, 20, 45, 90, 240, 720, 1440))
    assert not any(is_step(minutes) for minutes in (-1, 0, 7, 50, 1000, 1441, 2880))


def test_a_fixed_length_need_not_be_whole_steps(keeper: Keeper) -> None:
    room = keeper.save(step_minutes=60, min_minutes=50, max_minutes=50)
    assert facilities.bare_service(keeper.tx, keeper.portal.id, room.id).max_minutes == 50


def test_everything_said_is_kept_and_replaced(keeper: Keeper) -> None:
    tx, portal_id = keeper.tx, keeper.portal.id
    special = (SpecialDay(DAY_OFF), SpecialDay(date(2026, 5, 9), ((600, 720), (780, 1500))))
    room = keeper.save(buffer_before=10, buffer_after=20, holidays="RU", special=special, step_minutes=15)
    tx.expire_all()
    assert (room.buffer_before, room.buffer_after, room.holidays, room.step_minutes) == (10, 20, "RU", 15)
    assert facilities.special_hours(tx, portal_id, room.id) == {
        DAY_OFF: (), date(2026, 5, 9): (Stretch(600, 720), Stretch(780, 1500)),
    }  # fmt: skip
    keeper.save(room, special=special[:1])
    assert facilities.special_hours(tx, portal_id, room.id) == {DAY_OFF: ()}
    assert (room.buffer_before, room.holidays) == (0, "")


# The service that books it alone ----


def test_the_bare_service_carries_the_resource_and_no_requirement(keeper: Keeper) -> None:
    room = keeper.save(min_minutes=60, max_minutes=120, horizon_days=30)
    keeper.save(room, name="Новый", min_minutes=90, max_minutes=180)
    (service,) = keeper.tx.scalars(select(Service).execution_options(populate_existing=True))
    assert (service.resource_id, service.name, service.min_minutes, service.max_minutes) == (room.id, "Новый", 90, 180)
    assert keeper.tx.scalars(select(Requirement)).all() == []


def test_rules_and_a_tariff_are_the_portals_own(keeper: Keeper, now: datetime) -> None:
    policy = save_policy(keeper.tx, keeper.portal, make_policy(name="Строгие"), viewer=ADMIN, now=now)
    tariff = Tariff(portal_id=keeper.portal.id, name="Час", body=Prices("Час", "hour", None).as_dict())
    other = make_portal(keeper.tx)
    foreign = Policy(portal_id=other.id, name="Чужие")
    foreign_tariff = Tariff(portal_id=other.id, name="Чужой")
    keeper.tx.add_all([tariff, foreign, foreign_tariff])
    keeper.tx.flush()
    room = keeper.save(policy_id=policy.id, tariff_id=tariff.id)
    service = facilities.bare_service(keeper.tx, keeper.portal.id, room.id)
    assert (service.policy_id, service.tariff_id) == (policy.id, tariff.id)
    fields = keeper.refused(room, policy_id=foreign.id, tariff_id=foreign_tariff.id)
    assert fields == {"policy_id": "unknown_choice", "tariff_id": "unknown_choice"}


def test_rules_by_which_nobody_could_book_are_refused(keeper: Keeper) -> None:
    rules = make_policy(name="За полгода", notice_minutes=180 * 1440)
    policy = save_policy(keeper.tx, keeper.portal, rules, viewer=ADMIN, now=NOW)
    assert list(keeper.refused(policy_id=policy.id, horizon_days=30)) == ["policy_id"]
    keeper.save(policy_id=policy.id, horizon_days=365)


def test_the_portal_remembers_the_longest_with_its_buffers(keeper: Keeper) -> None:
    def longest() -> int:
        keeper.tx.refresh(keeper.portal)
        return keeper.portal.longest_minutes

    keeper.save(max_minutes=600)
    assert longest() == 600
    keeper.save(max_minutes=60, buffer_before=30, buffer_after=45)
    assert longest() >= 600 + 30 + 45  # a service may put the longest length on the resource with the longest buffers
    known = longest()
    keeper.save(max_minutes=60)
    assert longest() == known


# Equal units ----


def test_the_highest_numbers_retire_and_come_back(keeper: Keeper) -> None:
    room = keeper.save(units=3)
    ids = [unit.id for unit in keeper.units(room)]
    assert keeper.live(room) == [1, 2, 3]
    keeper.save(room, units=1)
    assert keeper.live(room) == [1]
    assert [unit.retired_at for unit in keeper.units(room)] == [None, keeper.now, keeper.now]
    keeper.save(room, units=4)
    assert keeper.live(room) == [1, 2, 3, 4]
    assert [unit.id for unit in keeper.units(room)][:3] == ids


def test_units_with_bookings_ahead_do_not_retire(keeper: Keeper, now: datetime) -> None:
    room = keeper.save(units=3)
    third = keeper.units(room)[2]
    keeper.book(room, unit_ids=frozenset({third.id}))
    assert keeper.refused(room, units=2) == {"units": "in_use"}
    keeper.save(room, units=5)
    keeper.now = now + timedelta(hours=2)  # it ended just now
    keeper.save(room, units=2)
    assert keeper.live(room) == [1, 2]


def test_bookings_on_lower_numbers_are_not_in_the_way(keeper: Keeper) -> None:
    room = keeper.save(units=3)
    keeper.book(room, unit_ids=frozenset({keeper.units(room)[0].id}))
    keeper.save(room, units=1)
    assert keeper.live(room) == [1]
    with pytest.raises(SlotTaken):
        keeper.book(room)


# Composites ----


def test_a_composite_owns_no_unit_and_knows_its_parts(keeper: Keeper) -> None:
    first, second = keeper.save(name="А1"), keeper.save(name="А2")
    whole = keeper.composite(second, first, units=7)
    assert whole.is_composite
    assert keeper.units(whole) == []
    assert facilities.composition(keeper.tx, keeper.portal.id).of(whole.id) == (second.id, first.id)


def test_booking_the_whole_takes_the_parts_and_the_other_way_round(keeper: Keeper) -> None:
    first, second = keeper.save(name="А1"), keeper.save(name="А2", units=2)
    whole = keeper.composite(first, second)
    keeper.book(whole)
    for part in (first, second):
        with pytest.raises(SlotTaken):
            keeper.book(part)
    keeper.book(second, 3)
    with pytest.raises(SlotTaken):
        keeper.book(whole, 3)


def test_a_plain_one_becomes_a_composite_and_plain_again(keeper: Keeper) -> None:
    part, hall = keeper.save(), keeper.save(units=2)
    keeper.save(hall, parts=(part.id,))
    assert (hall.is_composite, keeper.live(hall)) == (True, [])
    keeper.save(hall, units=3)
    assert (hall.is_composite, keeper.live(hall)) == (False, [1, 2, 3])


def test_nothing_contains_itself(keeper: Keeper) -> None:
    part = keeper.save()
    inner = keeper.composite(part)
    outer = keeper.composite(inner, keeper.save())
    assert keeper.refused(part, parts=(part.id,)) == {"parts": "part_of_itself"}
    assert keeper.refused(part, parts=(inner.id,)) == {"parts": "part_of_itself"}
    assert keeper.refused(part, parts=(outer.id,)) == {"parts": "part_of_itself"}
    assert keeper.refused(inner, parts=(outer.id, part.id)) == {"parts": "part_of_itself"}


def test_parts_are_offered_resources_of_this_portal_once_each(keeper: Keeper, now: datetime) -> None:
    part, old = keeper.save(), keeper.save()
    keeper.archive(old)
    foreign = make_resource(keeper.tx, make_portal(keeper.tx), now=now)
    assert keeper.refused(parts=(part.id, part.id)) == {"parts": "part_twice"}
    assert keeper.refused(parts=(part.id, old.id)) == {"parts": "archived_part"}
    assert keeper.refused(parts=(part.id, foreign.id)) == {"parts": "unknown_resource"}
    assert keeper.refused(parts=tuple(range(1, 52))) == {"parts": "too_many"}


def test_two_wholes_may_share_a_part(keeper: Keeper) -> None:
    studio, stage, wardrobe = keeper.save(), keeper.save(), keeper.save()
    floor = keeper.composite(keeper.composite(studio, wardrobe), keeper.composite(stage, wardrobe))
    keeper.book(floor)
    with pytest.raises(SlotTaken):
        keeper.book(wardrobe)


def test_nobody_makes_a_whole_of_what_he_does_not_manage(keeper: Keeper) -> None:
    mine, others = keeper.save(name="Моя"), keeper.save(name="Чужая")
    viewer = Viewer(9, grants=(GrantRule(f"resource:{mine.id}", "U9", "manage"), GrantRule("everything", "AU", "see")))
    with pytest.raises(InvalidInput) as refusal:
        save_resource(
            keeper.tx, keeper.portal, replace(HALL, parts=(others.id,)), viewer=viewer, now=keeper.now,
            longest_hours=336, resource_id=mine.id,
        )  # fmt: skip
    assert refusal.value.fields == {"parts": "unknown_resource"}


def test_bookings_of_a_whole_keep_it_whole(keeper: Keeper, now: datetime) -> None:
    first, second, third = keeper.save(), keeper.save(), keeper.save()
    inner = keeper.composite(first)
    whole = keeper.composite(inner, second)
    keeper.book(whole)
    assert keeper.refused(whole) == {"parts": "in_use"}  # plain again
    assert keeper.refused(whole, parts=(inner.id, second.id, third.id)) == {"parts": "in_use"}
    assert keeper.refused(whole, parts=(inner.id,)) == {"parts": "in_use"}
    assert keeper.refused(inner, parts=(first.id, third.id)) == {"parts": "in_use"}
    assert keeper.refused(second, parts=(third.id,)) == {"parts": "in_use"}
    assert keeper.refused(second, units=2) == {"units": "in_use"}  # it would not be a whole any more
    keeper.save(whole, parts=(second.id, inner.id), name="Иначе названный")
    keeper.now = now + timedelta(hours=3)
    keeper.save(second, units=2)
    keeper.save(whole)
    assert not whole.is_composite


def test_a_plain_one_with_bookings_ahead_does_not_become_a_whole(keeper: Keeper) -> None:
    hall, part = keeper.save(), keeper.save()
    booking = keeper.book(hall)
    assert keeper.refused(hall, parts=(part.id,)) == {"parts": "in_use"}
    occupancy.release(keeper.tx, keeper.portal.id, [booking.id], keeper.now)
    keeper.save(hall, parts=(part.id,))


def test_bookings_of_the_parts_alone_do_not_keep_the_whole(keeper: Keeper) -> None:
    first, second = keeper.save(), keeper.save()
    whole = keeper.composite(first, second)
    keeper.book(first)
    keeper.save(whole, parts=(second.id,))


def test_a_part_of_something_offered_is_not_archived(keeper: Keeper) -> None:
    first, second = keeper.save(), keeper.save()
    whole = keeper.composite(first, second)
    before = rows(keeper.tx)
    with pytest.raises(InvalidInput) as refusal, keeper.tx.begin_nested():
        keeper.archive(first)
    assert refusal.value.fields == {"parts": "part_of_offered"}
    assert rows(keeper.tx) == before
    keeper.archive(whole)
    keeper.archive(first)
    with pytest.raises(InvalidInput) as refusal, keeper.tx.begin_nested():
        keeper.archive(whole, archived=False)
    assert refusal.value.fields == {"parts": "archived_part"}
    keeper.archive(first, archived=False)
    keeper.archive(whole, archived=False)
    assert whole.archived_at is None


# Locks ----


@pytest.fixture
def locks(engine: Engine) -> Iterator[list[Any]]:
    """The ids of each statement that locks resources."""
    seen: list[Any] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if "FROM resource" in statement and "FOR NO KEY UPDATE" in statement:
            seen.append(sorted(value for name, value in values.items() if name.startswith("id_")))

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_a_composite_is_locked_with_everything_in_it_by_one_statement(keeper: Keeper, locks: list[Any]) -> None:
    a, b, c, d = (keeper.save() for _ in range(4))
    inner = keeper.composite(a, b)
    whole = keeper.composite(inner, c)
    locks.clear()
    keeper.save(whole, parts=(c.id, d.id))
    assert locks == [sorted(one.id for one in (a, b, c, d, inner, whole))]


def test_what_is_locked_stays_locked_until_the_end(engine: Engine, now: datetime) -> None:
    with transaction(engine) as tx:
        portal = make_portal(tx)
        keeper = Keeper(tx, portal, now)
        part, spare = keeper.save(), keeper.save()
        whole = keeper.composite(part)
    with transaction(engine) as tx:
        Keeper(tx, portal, now).save(whole, parts=(part.id,), name="Другое имя")
        with transaction(engine) as other:
            free = select(Resource.id).with_for_update(skip_locked=True)
            assert other.scalars(free).all() == [spare.id]


def test_a_whole_that_was_put_together_anew_meanwhile_is_stale(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    part = keeper.save()
    whole = keeper.composite(part)
    before, known = rows(keeper.tx), [Composition({})]
    read = facilities.composition
    monkeypatch.setattr(facilities, "composition", lambda *args: known.pop() if known else read(*args))
    with pytest.raises(Stale) as refusal, keeper.tx.begin_nested():
        keeper.save(whole, parts=())
    assert refusal.value.revision == 1
    assert rows(keeper.tx) == before


def test_another_portals_resource_is_not_found(keeper: Keeper, now: datetime) -> None:
    foreign = make_resource(keeper.tx, make_portal(keeper.tx), now=now)
    for act in (lambda: keeper.save(foreign), lambda: keeper.archive(foreign)):
        with pytest.raises(NotFound):
            act()


def test_only_who_manages_it_may_say_anything(keeper: Keeper) -> None:
    room = keeper.save()
    viewer = Viewer(9, grants=(GrantRule("everything", "AU", "approve"),))
    for resource_id in (None, room.id):
        with pytest.raises(NotAllowed):
            save_resource(
                keeper.tx, keeper.portal, HALL, viewer=viewer, now=keeper.now, longest_hours=336,
                resource_id=resource_id,
            )  # fmt: skip


def test_bookings_ahead_are_counted_once_and_only_while_they_hold(keeper: Keeper, now: datetime) -> None:
    first, second = keeper.save(), keeper.save(units=2)
    whole = keeper.composite(first, second)
    keeper.book(whole)
    keeper.book(whole, 4)

    def ahead(at: datetime) -> int:
        return facilities.bookings_ahead(keeper.tx, keeper.portal.id, [whole.id], at)

    assert [ahead(now + timedelta(hours=n)) for n in (0, 1.5, 2, 5)] == [2, 2, 1, 0]
