"""What people do with CRM items in the portal: the pages' forms and tests call these.

Every function takes the portal, the person (a ``User`` or his number) and acts now, with his rights and his tokens in
the events. Raises RestError where the portal would refuse.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from emulator import crm, crm_comments, crm_import, duplicates, recycle, staff
from emulator.crm_base import Author, default_category, stage_row
from emulator.crm_rights import ACTIONS, denied, may, visible_items
from emulator.crm_schema import fields_of
from emulator.errors import RestError
from emulator.state import Json, Portal, User

Person = User | int


def who(portal: Portal, user: Person) -> User:
    """The person meant; raises NOT_FOUND for a number nobody has."""
    found = user if isinstance(user, User) else portal.user(user)
    if found is None:
        raise RestError("NOT_FOUND", f"Нет сотрудника № {user}")
    return found


def acting(portal: Portal, user: Person) -> Author:
    return Author(who(portal, user).id, portal.world.now())


def _check(portal: Portal, user: Person, action: str, entity_type_id: int, item_id: int = 0) -> None:
    if item_id:
        crm.find_item(portal, entity_type_id, item_id)
    if not may(portal, who(portal, user), action, entity_type_id, item_id):
        raise denied()


def edit_item(portal: Portal, user: Person, entity_type_id: int, item_id: int, fields: Json) -> Json:
    """Save a card with other values; returns the item as it was saved."""
    with portal.world.lock:
        _check(portal, user, "update", entity_type_id, item_id)
        saved = crm.update_item(portal, entity_type_id, item_id, fields, acting(portal, user))
    portal.world.touch()
    return saved


def move_card(
    portal: Portal, user: Person, entity_type_id: int, item_id: int, stage: str, category_id: int | None = None
) -> Json:
    """Drag a card to another column, or into another funnel; ``stage`` is a whole code or its tail."""
    with portal.world.lock:
        item = crm.find_item(portal, entity_type_id, item_id)
        funnel = item["categoryId"] if category_id is None else category_id
        target = stage_row(portal, entity_type_id, stage, [funnel])
        return edit_item(portal, user, entity_type_id, item_id, {"categoryId": funnel, "stageId": target["STATUS_ID"]})


def add_item(portal: Portal, user: Person, entity_type_id: int, fields: Json) -> Json:
    """Fill in an empty card and save it; a stage may be given by its tail."""
    with portal.world.lock:
        _check(portal, user, "add", entity_type_id)
        given = dict(fields)
        if given.get("stageId"):
            funnel = given.get("categoryId") or default_category(portal, entity_type_id)
            given["stageId"] = stage_row(portal, entity_type_id, given["stageId"], [funnel])["STATUS_ID"]
        saved = crm.add_item(portal, entity_type_id, given, acting(portal, user))
    portal.world.touch()
    return saved


def copy_item(portal: Portal, user: Person, entity_type_id: int, item_id: int, **changed: Any) -> Json:
    """ "Copy" in a card's menu: a new item with all values but its number, external code and stage."""
    with portal.world.lock:
        _check(portal, user, "read", entity_type_id, item_id)
        item = crm.find_item(portal, entity_type_id, item_id)
        names = [name for name, one in fields_of(portal, entity_type_id).items() if one.writable]
        same = {name: item.get(name) for name in names if name not in ("xmlId", "stageId", "fm", "originId")}
        return add_item(portal, user, entity_type_id, same | changed)


def delete_item(portal: Portal, user: Person, entity_type_id: int, item_id: int) -> None:
    """Delete a card: into the bin where its kind has one."""
    with portal.world.lock:
        _check(portal, user, "delete", entity_type_id, item_id)
        crm.delete_item(portal, entity_type_id, item_id, acting(portal, user))
    portal.world.touch()


def bin_rows(portal: Portal, entity_type_id: int | None = None) -> list[Json]:
    """What lies in the bin, the latest first."""
    rows = list(portal.bin.values())[::-1]
    return [
        {name: row[name] for name in ("id", "entityTypeId", "itemId", "title", "deletedBy", "deletedTime")}
        for row in rows
        if entity_type_id in (None, row["entityTypeId"])
    ]


def restore_item(portal: Portal, user: Person, entity_type_id: int, item_id: int) -> Json:
    """Bring a deleted item back, under its old number or (a knob) a new one."""
    with portal.world.lock:
        row = recycle.find(portal, entity_type_id, item_id)
        _check(portal, user, "add", entity_type_id)
        saved = recycle.restore(portal, row, acting(portal, user))
    portal.world.touch()
    return saved


def empty_bin(portal: Portal, user: Person) -> int:
    """Delete for good what lies in the bin; returns how much it was."""
    if not who(portal, user).is_admin:
        raise denied()
    with portal.world.lock:
        count = len(portal.bin)
        portal.bin.clear()
    portal.world.touch()
    return count


def import_items(portal: Portal, user: Person, entity_type_id: int, rows: Iterable[Json]) -> list[Json]:
    """Import from a file: no robots, events without tokens (or, a knob, none at all)."""
    with portal.world.lock:
        _check(portal, user, "import", entity_type_id)
        person, now = who(portal, user), portal.world.now()
        saved = [crm_import.import_item(portal, person, entity_type_id, row, now) for row in rows]
    portal.world.touch()
    return saved


def merge_items(portal: Portal, user: Person, entity_type_id: int, keep_id: int, other_ids: Iterable[int]) -> Json:
    """Merge duplicates: the others vanish, what named them names the one that is kept."""
    others = list(other_ids)
    with portal.world.lock:
        _check(portal, user, "update", entity_type_id, keep_id)
        for number in others:
            _check(portal, user, "delete", entity_type_id, number)
        saved = duplicates.merge(portal, entity_type_id, keep_id, others, acting(portal, user))
    portal.world.touch()
    return saved


def merge_contacts(portal: Portal, user: Person, keep_id: int, other_ids: Iterable[int]) -> Json:
    return merge_items(portal, user, crm.CONTACT, keep_id, other_ids)


def comment(portal: Portal, user: Person, entity_type_id: int, item_id: int, text: str) -> int:
    """Write a comment into a card's timeline."""
    with portal.world.lock:
        _check(portal, user, "read", entity_type_id, item_id)
        number = crm_comments.write_comment(portal, entity_type_id, item_id, text, acting(portal, user))
    portal.world.touch()
    return number


# Who may and who is there ---------------------------------------------------------------------------------------


def allow(portal: Portal, user: Person, entity_type_id: int, actions: str) -> None:
    """Say what a person may do with items of a kind: words of ``ACTIONS``; an administrator may everything anyway."""
    words = actions.split()
    if not set(words) <= set(ACTIONS):
        raise ValueError(actions)
    with portal.world.lock:
        portal.crm_rights.setdefault(who(portal, user).id, {})[entity_type_id] = " ".join(words)
    portal.world.touch()


def dismiss_user(portal: Portal, user_id: int, *, hand_over_to: int = 0) -> None:
    """Dismiss somebody; what he was responsible for stays his, or goes to another (told as a change of each item)."""
    staff.dismiss(portal, user_id)
    if not hand_over_to:
        return
    with portal.world.lock:
        author = acting(portal, portal.admins()[0])
        mine = [
            (kind, row["id"])
            for kind in portal.items
            for row in visible_items(portal, portal.admins()[0], kind)
            if row["assignedById"] == user_id
        ]
        for kind, number in mine:
            crm.update_item(portal, kind, number, {"assignedById": hand_over_to}, author)
    portal.world.touch()


def rehire_user(portal: Portal, user_id: int) -> None:
    staff.rehire(portal, user_id)
