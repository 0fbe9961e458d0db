"""Carrying an import out: all of it in one transaction, with the checks and the traces that `save_resource` has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime

from b24app.booking.importing import Table
from b24app.booking.importing_plan import Item, Plan, plan
from b24app.booking.plain import plain
from b24app.booking.resources import OF_THE_SERVICE, ResourceData, save_resource
from b24app.errors import InvalidInput, NotAllowed, Stale
from b24app.ledger import facilities, importing, occupancy, queries, refs
from b24app.ledger.access import Viewer
from b24app.ledger.models import Portal, Resource
from b24app.ledger.session import Tx

AT_ONCE = 100
# What a resource's own row says of it; the rest stands in tables beside it.
_COLUMNS = [one.name for one in fields(ResourceData) if hasattr(Resource, one.name)]


def prepared(
    tx: Tx, portal: Portal, table: Table, *, existing: str, agreed: str, viewer: Viewer, longest_hours: int
) -> Plan:
    """The plan, with everything locked that it is about: nobody changes or imports these until the transaction ends.

    `agreed` is the print of the plan that somebody has seen. Raises Stale when another one would be carried out by now.
    """
    if not viewer.is_admin:
        raise NotAllowed("manage")
    importing.hold(tx, portal.id)
    names = {draft.name.casefold() for draft in table.drafts}
    names |= {part.casefold() for draft in table.drafts for part in draft.parts or ()}
    hold(tx, portal, {row.id for row in queries.resources(tx, portal.id, viewer) if row.name.casefold() in names})
    wanted = plan(tx, portal, table, existing=existing, viewer=viewer, longest_hours=longest_hours)
    if wanted.print_of != agreed:
        raise Stale(0)
    return wanted


def hold(tx: Tx, portal: Portal, resource_ids: Collection[int]) -> None:
    """Locks these resources with all that they are made of, and their pictures, in the order that everyone keeps.

    Raises Stale when they were put together anew just before.
    """
    wanted = set(resource_ids) | facilities.composition(tx, portal.id).below(*resource_ids)
    if wanted:
        occupancy.lock(tx, portal.id, wanted)
        refs.hold_resources(tx, portal.id, wanted)
    if not facilities.composition(tx, portal.id).below(*resource_ids) <= wanted:
        raise Stale(0)


def save_items(
    tx: Tx, portal: Portal, items: Sequence[Item], *, viewer: Viewer, now: datetime, longest_hours: int
) -> Iterator[int]:
    """Saves what a plan says, the many in bulk and the few one by one; says how many are done."""
    many, few = [one for one in items if not one.alone], [one for one in items if one.alone]
    done = 0
    for start in range(0, len(many), AT_ONCE):
        done += _save_many(tx, portal, many[start : start + AT_ONCE], viewer, now)
        yield done
    facilities.remember_longest(tx, portal.id)
    ids = {row.name.casefold(): row.id for row in queries.resources(tx, portal.id, viewer)} if few else {}
    for item in _parts_first(few):
        _save_alone(tx, portal, item, ids, viewer, now, longest_hours)
        done += 1
        yield done
    refs.announce(tx, portal.id)


def _save_many(tx: Tx, portal: Portal, items: Sequence[Item], viewer: Viewer, now: datetime) -> int:
    """Resources without parts, of which no booking is in the way (see `Item.alone`); says how many."""
    there = [one.resource_id for one in items if one.resource_id is not None]
    known = occupancy.lock(tx, portal.id, there)  # ours already: this brings the rows
    rows = [_filled(known.get(one.resource_id or 0) or Resource(portal_id=portal.id), one.data) for one in items]
    tx.add_all(rows)
    tx.flush()
    data = {row.id: item.data for row, item in zip(rows, items, strict=True)}
    importing.add_units(tx, portal.id, {number: one.units for number, one in data.items() if number not in known})
    importing.replace_hours(tx, portal.id, {number: one.hours for number, one in data.items()})
    importing.replace_special(
        tx, portal.id, {number: {day.day: day.stretches for day in one.special} for number, one in data.items()}
    )
    importing.save_services(tx, portal.id, {number: _of_service(one) for number, one in data.items()})
    told = [
        (row.id, row.name, None if item.before is None else plain(item.before), plain(item.data))
        for row, item in zip(rows, items, strict=True)
    ]
    importing.record(tx, portal.id, str(viewer.actor), told, now)
    refs.touch_resources(tx, portal, list(data), now)
    return len(rows)


def _filled(row: Resource, data: ResourceData) -> Resource:
    for name in _COLUMNS:
        setattr(row, name, getattr(data, name))
    row.name, row.city, row.address = data.name.strip(), data.city.strip(), data.address.strip()
    row.portal_user_id = data.portal_user_id if data.kind == "specialist" else None
    row.attributes = dict(data.attributes)
    row.is_composite = False
    if row.id is not None:
        row.revision += 1
    return row


def _of_service(data: ResourceData) -> Mapping[str, object]:
    return {"name": data.name.strip(), **{name: getattr(data, name) for name in OF_THE_SERVICE}}


def _save_alone(
    tx: Tx, portal: Portal, item: Item, ids: dict[str, int], viewer: Viewer, now: datetime, longest_hours: int
) -> None:
    data = replace(item.data, parts=tuple(ids[part.casefold()] for part in item.parts))
    try:
        row = save_resource(
            tx, portal, data, viewer=viewer, now=now, longest_hours=longest_hours, resource_id=item.resource_id
        )
    except InvalidInput as refused:
        raise NotTaken(item, refused.fields) from refused
    ids[row.name.casefold()] = row.id


class NotTaken(InvalidInput):
    """A resource that the ledger did not take after all: bookings stand in the way."""

    def __init__(self, item: Item, fields: Mapping[str, str]) -> None:
        super().__init__(fields)
        self.item = item


def _parts_first(items: Sequence[Item]) -> list[Item]:
    """What others are made of comes before them."""
    waiting = {item.data.name.casefold(): item for item in items}
    ordered: list[Item] = []
    while waiting:
        ready = [
            name for name, item in waiting.items()
            if not any(part.casefold() in waiting and part.casefold() != name for part in item.parts)
        ]  # fmt: skip
        assert ready, "a plan has no loops"
        ordered += [waiting.pop(name) for name in ready]
    return ordered
