"""The recycle bin of the CRM: what is deleted waits there and can come back.

Smart processes throw into it when ``isRecyclebinEnabled`` says so, deals, contacts and companies always. Whether an
item keeps its number when it comes back is not documented: a knob.
"""

from __future__ import annotations

from emulator.crm_base import Author, tell
from emulator.crm_links import Link, relink
from emulator.crm_schema import CLASSIC, type_of
from emulator.errors import RestError
from emulator.state import Json, Portal


def has_bin(portal: Portal, entity_type_id: int) -> bool:
    kind = type_of(portal, entity_type_id)
    return entity_type_id in CLASSIC or (kind is not None and kind["isRecyclebinEnabled"] == "Y")


def keep(portal: Portal, item: Json, links: list[Link], author: Author) -> None:
    """Put a deleted item into the bin, with the places that named it."""
    number = portal.next_id("bin")
    portal.bin[number] = {
        "id": number,
        "entityTypeId": item["entityTypeId"],
        "itemId": item["id"],
        "title": item.get("title") or " ".join(filter(None, (item.get("name"), item.get("lastName")))),
        "item": item,
        "links": links,
        "deletedBy": author.user_id,
        "deletedTime": portal.iso(author.now),
    }


def find(portal: Portal, entity_type_id: int, item_id: int) -> Json:
    """What the bin has of an item, the latest; raises NOT_FOUND."""
    wanted = (entity_type_id, item_id)
    for row in reversed(list(portal.bin.values())):
        if (row["entityTypeId"], row["itemId"]) == wanted:
            return row
    raise RestError("NOT_FOUND", "В корзине нет такого элемента")


def restore(portal: Portal, row: Json, author: Author) -> Json:
    """Bring an item back with its links, comments and product rows. No robots; ADD is told unless a knob says no."""
    item, kind, old = dict(row["item"]), row["entityTypeId"], row["itemId"]
    rows = portal.items.setdefault(kind, {})
    if portal.world.knobs.bin_new_ids or old in rows:
        item["id"] = portal.next_id(f"item:{kind}")
    item["updatedTime"], item["updatedBy"] = portal.iso(author.now), author.user_id
    rows[item["id"]] = item
    del portal.bin[row["id"]]
    relink(portal, [tuple(link) for link in row["links"]], item["id"])
    _bring_along(portal, kind, old, item["id"])
    if not portal.world.knobs.restore_silent:
        tell(portal, kind, "ADD", item["id"], author)
    return dict(item)


def _bring_along(portal: Portal, kind: int, old: int, new: int) -> None:
    """Comments, product rows and history follow an item that comes back under another number."""
    name = CLASSIC[kind].lower() if kind in CLASSIC else f"dynamic_{kind}"
    for comment in portal.comments.values():
        if (comment["ENTITY_TYPE"], comment["ENTITY_ID"]) == (name, str(old)):
            comment["ENTITY_ID"] = str(new)
    for row in portal.product_rows.values():
        if (row["entityTypeId"], row["ownerId"]) == (kind, old):
            row["ownerId"] = new
    for past in portal.stage_history:
        if (past["entityTypeId"], past["OWNER_ID"]) == (kind, old):
            past["OWNER_ID"] = new
