"""Imports as the ledger has them afterwards: as if each resource had been saved by itself, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from b24app.booking import importing
from b24app.booking.importing import Table, Words, read_drafts
from b24app.booking.importing_cells import Unreadable
from b24app.booking.importing_plan import MOST_ONE_BY_ONE, SKIP, UPDATE, Plan, plan
from b24app.booking.importing_save import NotTaken, prepared, save_items
from b24app.booking.importing_table import read_table
from b24app.booking.resources import ResourceData, SpecialDay, data_of, save_resource
from b24app.booking.undo import undo
from b24app.errors import NotAllowed, NotFound, Stale
from b24app.ledger import facilities, queries
from b24app.ledger import importing as ledger
from b24app.ledger.changes import batch_of
from b24app.ledger.models import ExternalRef, OpeningHours, Portal, Resource, Service, SpecialHours, Unit
from b24app.ledger.portal_models import SettingChange
from b24app.ledger.session import Engine, transaction
from tests.booking.rows import everything as rows_of
from tests.booking.tables import HEADING, row, workbook
from tests.factories import ADMIN, EMPLOYEE, make_booking, make_portal, make_resource
from tests.web.installed import everything

WORDS = Words(kinds={"зал": "hall", "переговорная": "room", "room": "room"}, policies={"аренда": 424242})
LONGEST = 24 * 14


def table_of(*rows: list[Any]) -> Table:
    return read_drafts(read_table(workbook([HEADING, *rows]), "t", importing.HEADINGS), WORDS)


def planned(tx: Session, portal: Portal, table: Table, existing: str = SKIP) -> Plan:
    return plan(tx, portal, table, existing=existing, viewer=ADMIN, longest_hours=LONGEST)


def brought_in(tx: Session, portal: Portal, table: Table, now: datetime, existing: str = SKIP) -> list[int]:
    """Carries the import out as somebody has seen it; how far it was each time."""
    agreed = planned(tx, portal, table, existing).print_of
    wanted = prepared(tx, portal, table, existing=existing, agreed=agreed, viewer=ADMIN, longest_hours=LONGEST)
    return list(save_items(tx, portal, wanted.items, viewer=ADMIN, now=now, longest_hours=LONGEST))


def cells(found: Plan) -> list[tuple[str, str]]:
    return [(f"{one.place.column}{one.place.row}", one.code) for one in found.wrong]


def named(tx: Session, portal: Portal) -> dict[str, Resource]:
    return {one.name: one for one in queries.resources(tx, portal.id, ADMIN)}


def shape(tx: Session, portal: Portal) -> dict[str, Any]:
    """Everything that stands in the ledger for each resource, without ids and times."""
    found: dict[str, Any] = {}
    for one in queries.resources(tx, portal.id, ADMIN):
        of = {table: table.resource_id == one.id for table in (Unit, OpeningHours, SpecialHours, Service, ExternalRef)}
        units = tx.scalars(select(Unit.number).where(of[Unit], Unit.retired_at.is_(None)).order_by(Unit.number)).all()
        service = tx.scalars(select(Service).where(of[Service])).one()
        refs = tx.execute(select(ExternalRef.kind, ExternalRef.dirty_since).where(of[ExternalRef])).all()
        logged = tx.scalars(select(SettingChange).where(SettingChange.subject_id == one.id)).all()
        columns = {
            column.name: getattr(one, column.name) for column in Resource.__table__.columns
            if column.name not in ("id", "portal_id", "created_at", "sort")
        }  # fmt: skip
        found[one.name] = (
            columns, units, data_of(tx, one), (service.name, service.step_minutes, service.revision), refs,
            [(row.kind, row.name, row.action, row.before, row.after, row.actor) for row in logged],
        )  # fmt: skip
    return found


ROWS = (
    row(name="Волга", kind="Переговорная", city=" Москва ", capacity=6, hours="Пн–Пт 9–18", special=date(2026, 5, 1)),
    row(name="Ока", kind="Зал", units=3, step=60, min=60, max=240, zone=None, holidays=None),
    row(name="Нева"),
)


def test_an_import_leaves_what_saving_each_by_itself_would_leave(tx: Session, portal: Portal, now: datetime) -> None:
    twin = make_portal(tx, time_zone=portal.time_zone)
    table = table_of(*ROWS)
    for item in planned(tx, twin, table).items:
        save_resource(tx, twin, item.data, viewer=ADMIN, now=now, longest_hours=LONGEST)
    brought_in(tx, portal, table, now)
    tx.flush()
    bulk, alone = shape(tx, portal), shape(tx, twin)
    assert bulk.keys() == {"Волга", "Ока", "Нева"}
    assert bulk == alone
    tx.refresh(portal)
    tx.refresh(twin)
    assert portal.longest_minutes == twin.longest_minutes


def test_changing_by_import_leaves_what_saving_each_again_would_leave(
    tx: Session, portal: Portal, now: datetime
) -> None:
    twin = make_portal(tx, time_zone=portal.time_zone)
    table = table_of(row(name="волга", city="Казань", hours="Сб 10–12", special=date(2026, 5, 9)), row(name="Ока"))
    for one in (portal, twin):
        data = ResourceData("room", "Волга", city="Москва", capacity=4, special=(SpecialDay(date(2026, 1, 2)),))
        save_resource(tx, one, data, viewer=ADMIN, now=now, longest_hours=LONGEST)
        save_resource(tx, one, replace(data, name="Ока"), viewer=ADMIN, now=now, longest_hours=LONGEST)
    found = planned(tx, portal, table, UPDATE)
    assert (len(found.changed), found.same, found.skipped) == (1, 1, [])
    for item in planned(tx, twin, table, UPDATE).changed:
        save_resource(tx, twin, item.data, viewer=ADMIN, now=now, longest_hours=LONGEST, resource_id=item.resource_id)
    brought_in(tx, portal, table, now, UPDATE)
    bulk, alone = shape(tx, portal), shape(tx, twin)
    assert bulk["волга"][2].capacity == 4
    assert [one.day.day for one in bulk["волга"][2].special] == [2, 9]
    assert bulk == alone


def test_one_import_is_one_batch_and_is_drawn_in_bulk(tx: Session, portal: Portal, now: datetime) -> None:
    steps = brought_in(tx, portal, table_of(*(row(name=f"Зал {n}") for n in range(230))), now)
    assert steps == [100, 200, 230]
    assert tx.scalar(select(func.count(func.distinct(SettingChange.batch)))) == 1
    assert set(tx.scalars(select(ExternalRef.bulk))) == {True}


def test_those_that_are_there_are_left_alone_unless_asked(tx: Session, portal: Portal, now: datetime) -> None:
    make_resource(tx, portal, now=now, name="Волга")
    make_resource(tx, portal, now=now, name="Дон")
    make_resource(tx, portal, now=now, name="дон")
    found = planned(tx, portal, table_of(row(name=" ВОЛГА "), row(name="Дон"), row(name="Нева")))
    assert (found.skipped, [one.data.name for one in found.added], cells(found)) == (
        ["ВОЛГА"], ["Нева"], [("A3", "named_twice")],
    )  # fmt: skip


def test_values_that_contradict_each_other_are_named_at_their_cells(tx: Session, portal: Portal) -> None:
    table = table_of(
        row(name="А", min=300, max=60), row(name="Б", step=7), row(name="В" * 121), row(name="Г", units=0),
        row(name="Д", hours="Пн 9–13, 12–18"), row(name="Е", step=45), row(name="Ж", capacity="x", units=500),
    )  # fmt: skip
    assert cells(planned(tx, portal, table)) == [
        ("D8", "not_a_number"), ("K2", "min_over_max"), ("J3", "unknown_step"), ("A4", "too_many_characters"),
        ("E5", "out_of_range"), ("F6", "hours_overlap"), ("E8", "out_of_range"),
    ]  # fmt: skip


def test_wholes_are_made_after_their_parts_and_loops_are_named(tx: Session, portal: Portal, now: datetime) -> None:
    make_resource(tx, portal, now=now, name="А2")
    table = table_of(
        row(name="Дом", parts="Зал А; Холл"), row(name="Зал А", parts="А1; А2"), row(name="А1"), row(name="Холл"),
        row(name="Змея", parts="Хвост"), row(name="Хвост", parts="Змея"), row(name="Над змеёй", parts="Змея"),
        row(name="Никто", parts="Нет такого"), row(name="Плохой", capacity="x"), row(name="Над плохим", parts="Плохой"),
    )  # fmt: skip
    assert sorted(cells(planned(tx, portal, table))) == [
        ("D10", "not_a_number"), ("O11", "unknown_part"), ("O6", "part_of_itself"), ("O7", "part_of_itself"),
        ("O8", "unknown_part"), ("O9", "unknown_part"),
    ]  # fmt: skip
    brought_in(tx, portal, table, now)
    found, composition = named(tx, portal), facilities.composition(tx, portal.id)
    assert found.keys() == {"А2", "А1", "Холл", "Зал А", "Дом"}
    assert composition.of(found["Дом"].id) == (found["Зал А"].id, found["Холл"].id)
    assert composition.below(found["Дом"].id) == {found[name].id for name in ("Зал А", "Холл", "А1", "А2")}


def test_too_many_wholes_at_once_are_refused(tx: Session, portal: Portal) -> None:
    rows = [row(name=f"Целое {n}", parts="А") for n in range(MOST_ONE_BY_ONE + 1)]
    with pytest.raises(Unreadable):
        planned(tx, portal, table_of(row(name="А"), *rows))


def test_bookings_ahead_stop_the_whole_import(engine: Engine, now: datetime) -> None:
    with transaction(engine) as tx:
        portal = make_portal(tx)
        resource = make_resource(tx, portal, now=now, name="Корт", units=2)
        for _ in range(2):
            make_booking(tx, portal, resource, now=now)
    before = everything(engine)
    table = table_of(row(name="Новый"), row(name="Корт", units=1))
    with pytest.raises(NotTaken) as refused, transaction(engine) as tx:
        brought_in(tx, portal, table, now, UPDATE)
    assert (refused.value.fields, refused.value.item.draft.place("units").column) == ({"units": "in_use"}, "E")
    assert everything(engine) == before


def test_what_has_changed_since_it_was_looked_at_is_not_carried_out(tx: Session, portal: Portal, now: datetime) -> None:
    table = table_of(row(name="Волга"), row(name="Нева"))
    agreed = planned(tx, portal, table).print_of
    make_resource(tx, portal, now=now, name="Нева")
    with pytest.raises(Stale):
        prepared(tx, portal, table, existing=SKIP, agreed=agreed, viewer=ADMIN, longest_hours=LONGEST)


def test_only_administrators_import(tx: Session, portal: Portal) -> None:
    with pytest.raises(NotAllowed):
        prepared(tx, portal, table_of(row(name="А")), existing=SKIP, agreed="", viewer=EMPLOYEE, longest_hours=LONGEST)


def test_another_portals_resources_are_neither_found_nor_changed(tx: Session, portal: Portal, now: datetime) -> None:
    other = make_portal(tx)
    theirs = make_resource(tx, other, now=now, name="Волга", city="Тверь")
    brought_in(tx, portal, table_of(row(name="Волга", city="Москва")), now + timedelta(hours=1), UPDATE)
    tx.refresh(theirs)
    assert (theirs.city, theirs.revision) == ("Тверь", 1)
    assert named(tx, portal)["Волга"].city == "Москва"


def test_an_import_is_taken_back_as_one(tx: Session, portal: Portal, now: datetime) -> None:
    make_resource(tx, portal, now=now, name="Дон", city="Ростов")
    tx.info.clear()  # what was there before is no part of the import
    brought_in(tx, portal, table_of(row(name="Дон", city="Азов"), row(name="Волга"), row(name="Нева")), now, UPDATE)
    batch = batch_of(tx)
    tx.info.clear()
    undo(tx, portal, batch, viewer=ADMIN, now=now, longest_hours=LONGEST)
    left = named(tx, portal)
    assert {name: one.city for name, one in left.items()} == {"Дон": "Ростов"}


@pytest.mark.parametrize(
    "write",
    [
        lambda tx, here, foreign: ledger.add_units(tx, here, {foreign: 3}),
        lambda tx, here, foreign: ledger.replace_hours(tx, here, {foreign: ()}),
        lambda tx, here, foreign: ledger.replace_special(tx, here, {foreign: {}}),
        lambda tx, here, foreign: ledger.save_services(tx, here, {foreign: {"name": "чужая"}}),
    ],
)
def test_what_is_written_for_many_refuses_another_portals_resource(
    tx: Session, portal: Portal, now: datetime, write: Callable[[Session, int, int], None]
) -> None:
    theirs = make_resource(tx, make_portal(tx), now=now)
    before = rows_of(tx)
    with pytest.raises(NotFound):
        write(tx, portal.id, theirs.id)
    assert rows_of(tx) == before
