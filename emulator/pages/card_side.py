"""What stands in a card beside its fields: what a person can do with it, its products, its comments."""

from __future__ import annotations

from typing import Any

from emulator import products
from emulator.crm_rights import may
from emulator.pages import records
from emulator.pages.records import Part
from emulator.pages.viewer import Viewer
from emulator.pages.when import parse_moment
from emulator.state import Json

TWINS = 100


def side(me: Viewer, entity_type: int, item: Json) -> dict[str, Any]:
    """What both templates of cards need for it."""
    return {
        "entity_type": entity_type,
        "all_stages": records.stages(me, entity_type, int(item.get("categoryId") or 0)),
        "twins": _twins(me, entity_type, item),
        "products": products.rows_of(me.portal, entity_type, item["id"]),
    }


def _twins(me: Viewer, entity_type: int, item: Json) -> list[Part]:
    """Items this one could be merged with, for a person who may delete them."""
    if not may(me.portal, me.user, "delete", entity_type):
        return []
    rows = [row for row in records.visible_items(me, entity_type) if row["id"] != item["id"]]
    return [Part(f"{records.title_of(row)} · {row['id']}", str(row["id"])) for row in rows[:TWINS]]


def comments(me: Viewer, item: Json) -> list[Json]:
    """The comments of an item's timeline, as rows of its history."""
    kind = item["entityTypeId"]
    name = records.NAMES.get(kind) or f"dynamic_{kind}"
    with me.world.lock:
        rows = [
            row
            for row in me.portal.comments.values()
            if (row["ENTITY_TYPE"], row["ENTITY_ID"]) == (name, str(item["id"]))
        ]
    return [
        {
            "at": parse_moment(row["CREATED"]),
            "what": row["COMMENT"],
            "who": records.user_part(me, row["AUTHOR_ID"]).text,
        }
        for row in rows
    ]
