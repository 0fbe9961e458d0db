"""Links between CRM items: which fields name an item, and what becomes of them when it goes or melts into another.

Bindings of custom fields ("T81_3") are left as they are: the platform lets them dangle.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.crm_schema import COMPANY, CONTACT
from emulator.state import Json, Portal

CLIENTS = {CONTACT: ("contactId", "contactIds"), COMPANY: ("companyId", "companyIds")}
Link = tuple[int, int, str]  # kind and id of the item that names another, and the field it does it in


def names_of(entity_type_id: int) -> tuple[str, ...]:
    """The fields that can name an item of a kind."""
    return (f"parentId{entity_type_id}", *CLIENTS.get(entity_type_id, ()))


def links_to(portal: Portal, entity_type_id: int, item_id: int) -> Iterator[Link]:
    names = names_of(entity_type_id)
    for kind, rows in portal.items.items():
        for row in rows.values():
            yield from ((kind, row["id"], name) for name in names if _names(row.get(name), item_id))


def _names(value: object, item_id: int) -> bool:
    return item_id in value if isinstance(value, list) else value == item_id


def unlink(portal: Portal, entity_type_id: int, item_id: int) -> list[Link]:
    """Empty what names an item; nobody is told of it. Returns what was emptied, so that it can be put back."""
    found = list(links_to(portal, entity_type_id, item_id))
    repoint(portal, found, item_id, None)
    return found


def relink(portal: Portal, links: list[Link], item_id: int) -> None:
    """Put an item back where it was named, unless something else stands there by now."""
    for kind, owner_id, name in links:
        row = portal.items.get(kind, {}).get(owner_id)
        if row is None:
            continue
        if isinstance(row.get(name), list):
            row[name] = [*row[name], item_id]
        elif row.get(name) is None:
            row[name] = item_id


def repoint(portal: Portal, links: list[Link], old: int, new: int | None) -> None:
    """Name another item (or none) instead; a client's first contact stays the first of his list."""
    for kind, owner_id, name in links:
        row = portal.items[kind][owner_id]
        row[name] = _replaced(row[name], old, new) if isinstance(row[name], list) else new
    for kind, owner_id in {(kind, owner_id) for kind, owner_id, _ in links}:
        _first_again(portal.items[kind][owner_id])


def _replaced(values: list[int], old: int, new: int | None) -> list[int]:
    changed = [new if value == old else value for value in values]
    return list(dict.fromkeys(value for value in changed if value is not None))


def _first_again(row: Json) -> None:
    for one, many in CLIENTS.values():
        if one in row and isinstance(row.get(many), list):
            row[one] = row[many][0] if row[many] else None
