"""What an import would do: which resources it would add and change, what is left out, and every cell that is wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from b24app.booking import kinds
from b24app.booking.importing import Draft, Table, WrongCell, reachable
from b24app.booking.importing_cells import Unreadable
from b24app.booking.policies import wrong_choices
from b24app.booking.resources import MOST_PARTS, OF_THE_SERVICE, ResourceData, check, data_of_all
from b24app.errors import InvalidInput
from b24app.ledger import facilities, queries
from b24app.ledger.access import Viewer
from b24app.ledger.facilities import Composition
from b24app.ledger.models import Portal, Resource
from b24app.ledger.session import Tx
from b24app.scheduling.hours import OpeningHours

SKIP, UPDATE = "skip", "update"
MOST_ONE_BY_ONE = 300  # composites, and resources that bookings may stand in the way of
WORKWEEK = tuple(OpeningHours(day, 9 * 60, 18 * 60) for day in range(5))
USUAL_STEP, USUAL_LONGEST = 30, 8 * 60
RELATIONS = ("min_over_max", "off_grid")  # codes that say something of two cells


@dataclass(frozen=True, slots=True)
class Item:
    """One resource as it will be. `before`: as it is, when it is there; `parts`: names of what it is made of."""

    data: ResourceData
    draft: Draft
    resource_id: int | None = None
    before: ResourceData | None = None
    parts: tuple[str, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether it is saved by itself, with the checks of bookings ahead and of what it is made of."""
        if self.parts or self.data.parts or self.before is None:
            return bool(self.parts or self.data.parts)
        same = ("units", "parts", "portal_user_id", "calendar_mode", "calendar_owner", "calendar_section")
        moved = any(getattr(self.before, name) != getattr(self.data, name) for name in same)
        return moved or (self.before.kind != self.data.kind and "specialist" in (self.before.kind, self.data.kind))


@dataclass(slots=True)
class Plan:
    """What would be done; `same` are there already just as they would be, `skipped` are not to be changed."""

    added: list[Item] = field(default_factory=list)
    changed: list[Item] = field(default_factory=list)
    same: int = 0
    skipped: list[str] = field(default_factory=list)
    wrong: list[WrongCell] = field(default_factory=list)

    @property
    def items(self) -> list[Item]:
        return [*self.added, *self.changed]

    @property
    def print_of(self) -> str:
        """By what it is told whether something has changed between looking at it and saying yes."""
        return f"{len(self.added)}-{len(self.changed)}-{self.same}-{len(self.skipped)}-{len(self.wrong)}"


@dataclass(frozen=True, slots=True)
class Known:
    """The resources that are offered, by name in small letters. `data`: of those that the table names."""

    by_name: Mapping[str, list[Resource]]
    data: Mapping[int, ResourceData]
    names: Mapping[int, str]
    composition: Composition

    def parts_of(self, row: Resource) -> tuple[str, ...]:
        """The names of what it is made of."""
        return tuple(self.names[part] for part in self.composition.of(row.id) if part in self.names)


def known(tx: Tx, portal: Portal, table: Table, viewer: Viewer) -> Known:
    """Everything that is offered, and what the table names as it is set now."""
    rows = queries.resources(tx, portal.id, viewer)
    by_name: dict[str, list[Resource]] = {}
    for row in rows:
        by_name.setdefault(row.name.casefold(), []).append(row)
    named = [row for draft in table.drafts for row in by_name.get(draft.name.casefold(), ())]
    data = data_of_all(tx, portal.id, named) if named else {}
    return Known(by_name, data, {row.id: row.name for row in rows}, facilities.composition(tx, portal.id))


def plan(tx: Tx, portal: Portal, table: Table, *, existing: str, viewer: Viewer, longest_hours: int) -> Plan:
    """What importing these drafts would do; `existing` says what becomes of those that are there: skip or update.

    Raises Unreadable when too many would have to be saved one by one.
    """
    there = known(tx, portal, table, viewer)
    found = Plan(wrong=list(table.wrong))
    items: list[Item] = []
    for draft in table.drafts:
        item = _item(draft, there, portal, existing, found)
        if item is not None and not _refused(item, longest_hours, found):
            items.append(item)
    items = _without_bad_choices(tx, portal, items, found)
    items = _without_bad_parts(items, there, found)
    if sum(item.alone for item in items) > MOST_ONE_BY_ONE:
        raise Unreadable("too_many_wholes")
    for item in items:
        _sort_in(item, found)
    return found


def _sort_in(item: Item, found: Plan) -> None:
    if item.before is None:
        found.added.append(item)
    elif item.data == item.before and item.draft.parts is None:
        found.same += 1
    else:
        found.changed.append(item)


def _item(draft: Draft, there: Known, portal: Portal, existing: str, found: Plan) -> Item | None:
    rows = there.by_name.get(draft.name.casefold(), [])
    if len(rows) > 1:
        found.wrong.append(draft.wrong("name", "named_twice", count=len(rows)))
        return None
    if rows and existing == SKIP and not draft.bad:
        found.skipped.append(draft.name)
        return None
    if rows and existing == UPDATE:
        before = there.data[rows[0].id]
        parts = there.parts_of(rows[0]) if draft.parts is None else draft.parts
        if _small(parts) == _small(there.parts_of(rows[0])):
            draft = replace(draft, parts=None)  # nothing new
        return Item(replace(before, **_added_to(before, draft.given)), draft, rows[0].id, before, parts)
    return Item(new_data(draft.given, portal.time_zone), draft, parts=draft.parts or ())


def _added_to(before: ResourceData, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is said, with the dates on which it is closed beside those that have hours of their own already."""
    special = {one.day: one for one in (*before.special, *given.get("special", ()))}
    return {**given, "special": tuple(special[day] for day in sorted(special))}


def new_data(given: Mapping[str, Any], time_zone: str) -> ResourceData:
    """A resource of which only this is said; the usual lengths of bookings go in its steps."""
    step = given.get("step_minutes", USUAL_STEP)
    usual: dict[str, Any] = {"kind": "room", "name": "", "time_zone": time_zone, "hours": WORKWEEK}
    if isinstance(step, int) and step > 0:
        shortest = USUAL_STEP if USUAL_STEP % step == 0 else step
        shortest = given.get("min_minutes", shortest)
        usual |= {"min_minutes": shortest, "max_minutes": max(USUAL_LONGEST // step * step, shortest)}
    return ResourceData(**{**usual, **given})


def _refused(item: Item, longest_hours: int, found: Plan) -> bool:
    """Whether its values cannot be saved; says so at their cells, once for each."""
    told = {one.place for one in found.wrong} if item.draft.bad else set()
    try:
        check(item.data, longest_hours)
    except InvalidInput as refused:
        for name, code in refused.fields.items():
            wrong = item.draft.wrong(_key_of(name), code)
            if wrong.place not in told and not (item.draft.bad and code in RELATIONS):
                found.wrong.append(wrong)
        return True
    return item.draft.bad


def _key_of(name: str) -> str:
    """The column of a field; numbers of rows in a form are none of ours."""
    return name.partition("-")[0]


def _without_bad_choices(tx: Tx, portal: Portal, items: Sequence[Item], found: Plan) -> list[Item]:
    """Those whose kind, rules and tariff go with the rest of what is said."""
    asked: dict[tuple[Any, ...], Mapping[str, str]] = {}
    good = []
    for item in items:
        one = item.data
        key = (one.kind, one.step_minutes, *(getattr(one, name) for name in OF_THE_SERVICE))
        if key not in asked:
            unknown = {} if kinds.is_known(tx, portal, one.kind) else {"kind": "unknown_kind"}
            asked[key] = unknown | wrong_choices(tx, portal, one)
        found.wrong += [item.draft.wrong(name, code) for name, code in asked[key].items()]
        good += [] if asked[key] else [item]
    return good


def _without_bad_parts(items: Sequence[Item], there: Known, found: Plan) -> list[Item]:
    """Those whose parts are known and good themselves, and that are not made of themselves."""
    good = {item.data.name.casefold(): item for item in items}
    edges = {name: _small(there.parts_of(row)) for name, (row, *_) in there.by_name.items()}
    edges |= {name: _small(item.parts) for name, item in good.items()}
    for name, item in list(good.items()):
        if name in reachable(edges, name):
            found.wrong.append(item.draft.wrong("parts", "part_of_itself"))
            del good[name]
    while left_out := [(name, wrong) for name, one in good.items() if (wrong := _wrong_parts(one, good, there))]:
        for name, wrong in left_out:  # what is made of something that is left out is left out as well
            found.wrong.append(wrong)
            del good[name]
    return list(good.values())


def _wrong_parts(item: Item, good: Collection[str], there: Known) -> WrongCell | None:
    if len(item.parts) > MOST_PARTS:
        return item.draft.wrong("parts", "too_many")
    for part in item.parts:
        if part.casefold() not in good and len(there.by_name.get(part.casefold(), ())) != 1:
            return item.draft.wrong("parts", "unknown_part", name=part)
    return None


def _small(names: Iterable[str]) -> list[str]:
    return [name.casefold() for name in names]
