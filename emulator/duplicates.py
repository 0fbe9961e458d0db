"""One client twice: ``crm.duplicate.findbycomm``, and merging (``crm.entity.mergeBatch`` and people).

Facts: "crm/duplicates" of the documentation.
"""

from __future__ import annotations

import re
from typing import Any

from emulator import crm, crm_links
from emulator.call import Call, integer, mapping, method, values
from emulator.crm_base import Author, tell
from emulator.crm_rights import may, visible_items
from emulator.crm_schema import CLASSIC, COMPANY, CONTACT, Field, fields_of
from emulator.errors import RestError, access_denied
from emulator.state import Json, Portal

NOISE = re.compile(r"[^\d]")
EXTENSION = re.compile(r"(доб|ext|x|#|,|;).*$", re.IGNORECASE)
EMPTY: tuple[Any, ...] = (None, "", 0, [], "N")
# What two items may differ in without a person having to decide.
OWN = ("id", "createdTime", "updatedTime", "movedTime", "lastActivityTime", "createdBy", "updatedBy", "movedBy")
LOOSE = (*OWN, "lastActivityBy", "assignedById", "observers", "fm", "hasPhone", "hasEmail", "hasImol", "xmlId", "title")


@method("crm.duplicate.findbycomm", scope="crm")
def find_by_comm(call: Call) -> Any:
    kind = str(call.arg("type") or "").upper()
    if kind not in ("PHONE", "EMAIL"):
        raise RestError("Communication type is not defined.", "Communication type is not defined.")
    if call.user.extranet:
        raise access_denied("Access denied.")
    wanted = {comparable(kind, str(one)) for one in values(call.arg("values"))[:20]} - {""}
    asked = str(call.arg("entity_type") or "").upper()
    found: dict[str, list[int]] = {}
    for number in (CONTACT, COMPANY):
        rows = visible_items(call.portal, call.user, number) if asked in ("", CLASSIC[number]) else []
        hits = [row["id"] for row in rows if wanted & _comms(row, kind)]
        if hits:
            found[CLASSIC[number]] = hits[:20]
        if len(hits) >= 20:
            break  # with so many of one type the platform looks no further
    return found or []


def _comms(item: Json, kind: str) -> set[str]:
    return {comparable(kind, row["value"]) for row in item.get("fm") or [] if row["typeId"] == kind}


def comparable(kind: str, value: str) -> str:
    """Phones by their last ten digits without the extension, addresses without case."""
    return NOISE.sub("", EXTENSION.sub("", value))[-10:] if kind == "PHONE" else value.strip().lower()


# Merging --------------------------------------------------------------------------------------------------------


def merge(portal: Portal, entity_type_id: int, keep_id: int, other_ids: list[int], author: Author) -> Json:
    """Melt items into one: it takes over what it lacks, everything that named the others names it, they vanish.

    Who named them is told as changed too, unless the knob ``merge_silent`` says no.
    """
    kept = crm.find_item(portal, entity_type_id, keep_id)
    before = dict(kept)
    for number in other_ids:
        _melt(portal, kept, crm.find_item(portal, entity_type_id, number), author)
    if kept != before:
        kept["updatedTime"], kept["updatedBy"] = portal.iso(author.now), author.user_id
        tell(portal, entity_type_id, "UPDATE", keep_id, author)
    return dict(kept)


def _melt(portal: Portal, kept: Json, other: Json, author: Author) -> None:
    kind = kept["entityTypeId"]
    fields = fields_of(portal, kind)
    kept |= {name: other[name] for name in fields if kept.get(name) in EMPTY and other.get(name) not in EMPTY}
    if "fm" in fields:
        known = set(map(_reach, kept["fm"] or []))
        kept["fm"] = [*(kept["fm"] or []), *(row for row in other["fm"] or [] if _reach(row) not in known)]
    links = list(crm_links.links_to(portal, kind, other["id"]))
    crm_links.repoint(portal, links, other["id"], kept["id"])
    crm.delete_item(portal, kind, other["id"], author, to_bin=False)
    for owner_kind, owner_id in dict.fromkeys((owner_kind, owner_id) for owner_kind, owner_id, _ in links):
        _renamed(portal, owner_kind, owner_id, author)


def _reach(row: Json) -> tuple[str, str]:
    return row["typeId"], comparable(row["typeId"], row["value"])


def _renamed(portal: Portal, kind: int, item_id: int, author: Author) -> None:
    if portal.world.knobs.merge_silent or item_id not in portal.items[kind]:
        return
    row = portal.items[kind][item_id]
    row["updatedTime"], row["updatedBy"] = portal.iso(author.now), author.user_id
    tell(portal, kind, "UPDATE", item_id, author)


@method("crm.entity.mergeBatch", scope="crm", write=True)
def merge_batch(call: Call) -> Any:
    given = mapping(call.exact("params"))
    kind, ids = integer(given.get("entityTypeId"), 0), [integer(one, 0) for one in values(given.get("entityIds"))]
    if not kind:
        raise RestError(0, "The parameter entityTypeId is required.")
    if not any(ids):
        raise RestError(0, "The parameter entityIds does not contains valid elements.")
    if len(set(ids)) < 2:
        raise RestError(0, "The parameter entityIds must contains at least two elements.")
    _check_merge(call, kind, ids)
    rows = [call.portal.items[kind][number] for number in ids]
    if _clash(fields_of(call.portal, kind), rows):
        return {"STATUS": "CONFLICT", "ENTITY_IDS": []}
    merge(call.portal, kind, ids[0], ids[1:], crm.author_of(call))
    return {"STATUS": "SUCCESS", "ENTITY_IDS": ids[1:]}


def _check_merge(call: Call, kind: int, ids: list[int]) -> None:
    """The main item is read and changed, the others are read and deleted: so are the rights."""
    for number in ids:
        if number not in call.portal.items.get(kind, {}):
            raise RestError(0, "Owner was not found")
        action = "update" if number == ids[0] else "delete"
        if not all(may(call.portal, call.user, one, kind, number) for one in ("read", action)):
            raise RestError(0, "Access denied", 403)


def _clash(fields: dict[str, Field], rows: list[Json]) -> bool:
    """Do the items say different things in a field that a person would have to choose in?"""
    return any(
        len({str(row.get(name)) for row in rows if row.get(name) not in EMPTY}) > 1
        for name, one in fields.items()
        if name not in LOOSE and not one.multiple and not one.read_only
    )
