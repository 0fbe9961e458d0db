"""The whole configuration as one value: read, written to a file, compared, made in another portal."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from b24app.booking.configuration import (
    Configuration,
    FieldChange,
    Item,
    Step,
    from_json,
    grant,
    plan,
    resource,
    to_json,
)
from b24app.booking.configuration_apply import LeftOut, apply, localized, revision_of
from b24app.booking.configuration_read import read
from b24app.booking.resources import ResourceData, archive_resource
from b24app.errors import InvalidInput, NotAllowed, Stale
from b24app.ledger.models import Portal
from tests.booking.rows import everything
from tests.booking.setups import LONGEST, know, set_up
from tests.factories import ADMIN, EMPLOYEE, OFFICE, make_portal, make_resource


def make(tx: Session, portal: Portal, wanted: Configuration, now: datetime, **how: Any) -> tuple[Step, ...]:
    return apply(tx, portal, wanted, viewer=how.pop("viewer", ADMIN), now=now, longest_hours=LONGEST, **how)


def refused(tx: Session, portal: Portal, wanted: Configuration, now: datetime, **how: Any) -> dict[str, str]:
    """The codes by path; nothing may have been kept."""
    before = everything(tx)
    with pytest.raises(InvalidInput) as caught, tx.begin_nested():
        make(tx, portal, wanted, now, **how)
    assert everything(tx) == before
    return caught.value.fields


def hall(name: str = "Большой зал", **changed: Any) -> Item:
    return resource(ResourceData("hall", name, hours=OFFICE), **changed)


def test_a_file_holds_all_of_it(tx: Session, portal: Portal, now: datetime) -> None:
    set_up(tx, portal, now)
    present = read(tx, portal, now)
    assert from_json(json.loads(json.dumps(to_json(present), ensure_ascii=False))) == present
    assert [one.key for one in present.resources] == ["Ока", "Ока #2", "Мария", "Весь этаж", "Корт", "Старая"]
    whole = present.resources[3].fields
    assert (whole["parts"], present.resources[0].fields["policy"]) == (["Ока", "Ока #2"], "Строгие")
    assert present.services[1].fields["requirements"][0]["options"] == ["Мария"]
    assert present.people == {"U7": "Мария Лебедева"}


def test_no_id_of_the_portal_stands_in_the_file(tx: Session, portal: Portal, now: datetime) -> None:
    """It would mean something else over there."""
    set_up(tx, portal, now)
    said = to_json(read(tx, portal, now))
    names = {name for section in ("resources", "services", "closures") for item in said[section] for name in item}
    assert {name for name in names if name.endswith("_id")} == {"portal_user_id"}


def test_what_was_read_is_made_in_an_empty_portal(tx: Session, portal: Portal, now: datetime) -> None:
    set_up(tx, portal, now)
    other = make_portal(tx)
    know(tx, other, 7, "Мария Лебедева", now)
    wanted, lacking = localized(tx, other, read(tx, portal, now))
    assert lacking == (LeftOut("access[2]", "DR12"),)
    steps = make(tx, other, wanted, now)
    assert {step.action for step in steps} == {"added", "archived", "changed"}
    there = read(tx, other, now)
    assert replace(there, portal=portal.member_id) == replace(wanted, people=there.people)
    assert plan(there, wanted) == () == make(tx, other, wanted, now)


def test_people_are_found_by_their_names(tx: Session, portal: Portal, now: datetime) -> None:
    """The same number over there is somebody else."""
    set_up(tx, portal, now)
    other = make_portal(tx)
    know(tx, other, 7, "Пётр Другой", now)
    know(tx, other, 9, "Мария Лебедева", now)
    wanted, _ = localized(tx, other, read(tx, portal, now))
    assert (wanted.resources[2].fields["portal_user_id"], wanted.access and wanted.access[1]["code"]) == (9, "U9")
    know(tx, other, 10, "Мария Лебедева", now)  # now nobody knows which of them
    wanted, lacking = localized(tx, other, read(tx, portal, now))
    assert wanted.resources[2].fields["portal_user_id"] is None
    assert LeftOut("resources[2].portal_user_id", "U7", "Мария Лебедева") in lacking
    assert LeftOut("access[1]", "U7", "Мария Лебедева") in lacking


def test_deals_of_a_funnel_that_is_not_here_stay_as_they_are(tx: Session, portal: Portal, now: datetime) -> None:
    present = read(tx, portal, now)
    deal = {"mode": "create", "category_id": 4, "stages": {"paid": "C4:WON"}, "products": False}
    wanted = replace(present, settings={**(present.settings or {}), "deal": deal, "comments": False})
    here, lacking = localized(tx, portal, wanted, funnels={0: ["WON"]})
    assert (lacking, "deal" in (here.settings or {})) == ((LeftOut("settings.deal", "4"),), False)
    make(tx, portal, here, now)
    assert read(tx, portal, now).settings == {**(present.settings or {}), "comments": False}
    assert localized(tx, portal, replace(wanted, settings=present.settings)) == (present, ())  # what it has stays
    there, lacking = localized(tx, portal, wanted, funnels={4: ["C4:WON"]})
    assert (lacking, there.settings) == ((), wanted.settings)


def test_what_is_not_said_stays(tx: Session, portal: Portal, now: datetime) -> None:
    set_up(tx, portal, now)
    before = read(tx, portal, now)
    part = Configuration(resources=(Item("Ока", {"capacity": 12}),))
    step = Step("resource", "Ока", "changed", (FieldChange("capacity", 1, 12),))
    assert plan(before, part) == (step,) == make(tx, portal, part, now)
    after = read(tx, portal, now)
    first = replace(before.resources[0], fields={**before.resources[0].fields, "capacity": 12})
    assert after == replace(before, resources=(first, *before.resources[1:]))


def test_a_complete_one_takes_away_the_rest(tx: Session, portal: Portal, now: datetime) -> None:
    set_up(tx, portal, now)
    kept = replace(read(tx, portal, now), resources=(hall(),), services=(), policies=(), tariffs=(), closures=())
    kept = replace(kept, kinds=(), access=(grant("resource:Большой зал", "AU", "book"),))
    still = {"tariffs[0].tariff", "policies[0].policy"}
    assert refused(tx, portal, kept, now, complete=True).keys() <= still | {"tariff", "policy", "kind"}
    loose = replace(kept, tariffs=read(tx, portal, now).tariffs, policies=read(tx, portal, now).policies)
    loose = replace(loose, kinds=read(tx, portal, now).kinds)
    make(tx, portal, loose, now, complete=True)
    there = read(tx, portal, now)
    assert [one.key for one in there.resources if not one.archived] == ["Большой зал"]
    assert ([one.key for one in there.services if not one.archived], there.closures) == ([], ())


def test_two_administrators_do_not_undo_each_other(tx: Session, portal: Portal, now: datetime) -> None:
    seen = revision_of(read(tx, portal, now))
    make_resource(tx, portal, now=now)
    with pytest.raises(Stale):
        make(tx, portal, Configuration(resources=(hall(),)), now, revision=seen)
    make(tx, portal, Configuration(resources=(hall(),)), now, revision=revision_of(read(tx, portal, now)))


def test_only_administrators(tx: Session, portal: Portal, now: datetime) -> None:
    with pytest.raises(NotAllowed):
        make(tx, portal, Configuration(), now, viewer=EMPLOYEE)


def test_a_whole_that_stands_before_its_parts_is_made_after_them(tx: Session, portal: Portal, now: datetime) -> None:
    whole = hall("Этаж", parts=("А", "Б"))
    make(tx, portal, Configuration(resources=(whole, hall("А"), hall("Б"))), now)
    assert {one.key: one.fields["parts"] for one in read(tx, portal, now).resources}["Этаж"] == ["А", "Б"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (
            Configuration(resources=(hall("А", parts=("Б",)), hall("Б", parts=("А",)))),
            {"resources[0].parts": "part_of_itself"},
        ),
        (Configuration(resources=(hall(), hall("А", parts=("Нет",)))), {"resources[1].parts": "unknown_reference"}),
        (Configuration(resources=(hall(policy="Нет"),)), {"resources[0].policy": "unknown_reference"}),
        (
            Configuration(resources=(Item("А", {"kind": "hall", "name": "А", "units": 0}),)),
            {"resources[0].units": "out_of_range"},
        ),
        (Configuration(resources=(Item("А", {"name": "А"}),)), {"resources[0].kind": "required"}),
        (Configuration(access=(grant("resource:Нет", "AU", "book"),)), {"access[0].scope": "unknown_reference"}),
    ],
)
def test_what_cannot_be_is_named_and_nothing_is_made(
    tx: Session, portal: Portal, now: datetime, wanted: Configuration, expected: dict[str, str]
) -> None:
    assert refused(tx, portal, wanted, now) == expected


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda said: said.update(version=2), {"version": "unknown_version"}),
        (lambda said: said.pop("format"), {"file": "not_a_configuration"}),
        (
            lambda said: said["resources"][0]["hours"][1].update(opens="9:00"),
            {"resources[0].hours[1].opens": "not_a_number"},
        ),
        (
            lambda said: said["resources"][1].update(capacity=True, wings=2),
            {"resources[1].capacity": "not_a_number", "resources[1].wings": "unknown_field"},
        ),
        (
            lambda said: said["resources"].append({"key": "Ока", "name": "Ока", "kind": "room"}),
            {"resources[6].key": "duplicate"},
        ),
        (
            lambda said: said["services"][0]["requirements"][0].update(options=[7]),
            {"services[0].requirements[0].options": "not_a_text"},
        ),
        (lambda said: said["tariffs"][0].update(price="дорого"), {"tariffs[0].price": "not_a_number"}),
        (lambda said: said["closures"][0].update(day="завтра"), {"closures[0].day": "not_a_date"}),
        (
            lambda said: said["access"].append({"scope": "everything"}),
            {"access[3].code": "required", "access[3].right": "required"},
        ),
        (lambda said: said["settings"].update(comments=1), {"settings.comments": "not_yes_or_no"}),
        (lambda said: said.update(rooms=[]), {"rooms": "unknown_field"}),
        (lambda said: said.update(policies={}), {"policies": "not_a_list"}),
    ],
)
def test_a_file_that_was_spoilt_names_each_place(
    spoil: Callable[[dict[str, Any]], Any], expected: dict[str, str], spoilt: dict[str, Any]
) -> None:
    said = copy.deepcopy(spoilt)
    spoil(said)
    with pytest.raises(InvalidInput) as caught:
        from_json(said)
    assert caught.value.fields == expected


_FILE: dict[str, Any] = {}


@pytest.fixture
def spoilt(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The file of a portal, read once: nothing here needs a ledger."""
    if not _FILE:
        tx, portal = request.getfixturevalue("tx"), request.getfixturevalue("portal")
        now = request.getfixturevalue("now")
        set_up(tx, portal, now)
        _FILE.update(json.loads(json.dumps(to_json(read(tx, portal, now)))))
    return _FILE


def test_what_is_over_is_not_in_it(tx: Session, portal: Portal, now: datetime) -> None:
    set_up(tx, portal, now)
    later = datetime.combine(date(2026, 6, 1), now.time(), now.tzinfo)
    assert (len(read(tx, portal, now).closures), read(tx, portal, later).closures) == (2, ())


def test_an_archived_one_comes_back(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now, name="Ока")
    present = read(tx, portal, now)
    archive_resource(tx, portal, room.id, viewer=ADMIN, now=now)
    assert [step.action for step in make(tx, portal, present, now)] == ["restored"]
    assert room.archived_at is None
