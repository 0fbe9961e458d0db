"""What an administrator changes in the settings of the CRM: smart processes, funnels, stages, fields.

Only administrators may; everybody else gets ACCESS_DENIED. The work is done by the REST methods' own code, so refusals
and events are the same. A stage is named by its whole code or its tail.
"""

from __future__ import annotations

from typing import Any

from emulator import crm, crm_types
from emulator.call import REGISTER, Call
from emulator.crm_base import default_category, stage_directory, stage_row
from emulator.crm_rights import denied
from emulator.crm_schema import fields_of, rest_name, type_of
from emulator.errors import RestError
from emulator.people import Person, acting, who
from emulator.state import Json, Portal


def ask(portal: Portal, user: Person, method: str, params: Json) -> Any:
    """What a REST method answers this person, without an application, a limit or a line in the log."""
    with portal.world.lock:
        call = Call(portal.world, portal, method, params, who(portal, user), None, frozenset(), portal.world.now())
        answer = REGISTER[method.lower()].handler(call)
    portal.world.touch()
    return answer


def _kind(portal: Portal, entity_type_id: int) -> Json:
    kind = type_of(portal, entity_type_id)
    if kind is None:
        raise RestError("NOT_FOUND", "Смарт-процесс не найден")
    return kind


# Smart processes ------------------------------------------------------------------------------------------------


def change_type(portal: Portal, user: Person, entity_type_id: int, **flags: Any) -> Json:
    """Turn switches of a smart process ("isRecyclebinEnabled") or change its title; tells ONCRMTYPEUPDATE."""
    number = _kind(portal, entity_type_id)["id"]
    return dict(ask(portal, user, "crm.type.update", {"id": number, "fields": flags})["type"])


def rename_type(portal: Portal, user: Person, entity_type_id: int, title: str) -> Json:
    return change_type(portal, user, entity_type_id, title=title)


def delete_type(portal: Portal, user: Person, entity_type_id: int, *, with_items: bool = False) -> None:
    """Delete a smart process; one with items is refused unless they are to go first, past the bin."""
    if not who(portal, user).is_admin:
        raise denied()
    with portal.world.lock:
        kind = _kind(portal, entity_type_id)
        for item_id in list(portal.items.get(entity_type_id, {})) if with_items else []:
            crm.delete_item(portal, entity_type_id, item_id, acting(portal, user), to_bin=False)
        crm_types.remove_type(portal, kind, acting(portal, user))
        for row in [row for row in portal.bin.values() if row["entityTypeId"] == entity_type_id]:
            del portal.bin[row["id"]]
    portal.world.touch()


# Funnels --------------------------------------------------------------------------------------------------------


def add_funnel(portal: Portal, user: Person, entity_type_id: int, name: str) -> Json:
    """A new funnel with the default stages."""
    given = {"entityTypeId": entity_type_id, "fields": {"name": name}}
    return dict(ask(portal, user, "crm.category.add", given)["category"])


def rename_funnel(portal: Portal, user: Person, entity_type_id: int, name: str, category_id: int | None = None) -> Json:
    number = default_category(portal, entity_type_id) if category_id is None else category_id
    given = {"entityTypeId": entity_type_id, "id": number, "fields": {"name": name}}
    return dict(ask(portal, user, "crm.category.update", given)["category"])


def delete_funnel(portal: Portal, user: Person, entity_type_id: int, category_id: int) -> None:
    """Refused (BX_ERROR) for the default one and for one with items."""
    ask(portal, user, "crm.category.delete", {"entityTypeId": entity_type_id, "id": category_id})


# Stages ---------------------------------------------------------------------------------------------------------


def find_stage(portal: Portal, entity_type_id: int, stage: str, category_id: int | None = None) -> Json:
    """The row of a stage; without a funnel the default one is looked through first, then the others."""
    fields_of(portal, entity_type_id)
    every = [default_category(portal, entity_type_id), *portal.categories.get(entity_type_id, {})]
    return stage_row(portal, entity_type_id, stage, every if category_id is None else [category_id])


def add_stage(
    portal: Portal, user: Person, entity_type_id: int, code: str, name: str, *, sort: int, color: str = "",
    semantics: str = "", category_id: int | None = None,
) -> Json:  # fmt: skip
    """A new stage: those in progress stand before the success stage, failures behind it (``semantics`` "F")."""
    funnel = default_category(portal, entity_type_id) if category_id is None else category_id
    given = {
        "ENTITY_ID": stage_directory(entity_type_id, funnel), "STATUS_ID": code, "NAME": name, "SORT": sort,
        "COLOR": color, "SEMANTICS": semantics,
    }  # fmt: skip
    return portal.statuses[ask(portal, user, "crm.status.add", {"fields": given})]


def _change_stage(portal: Portal, user: Person, entity_type_id: int, stage: str, fields: Json) -> None:
    row = find_stage(portal, entity_type_id, stage)
    ask(portal, user, "crm.status.update", {"id": row["ID"], "fields": fields})


def rename_stage(portal: Portal, user: Person, entity_type_id: int, stage: str, name: str) -> None:
    _change_stage(portal, user, entity_type_id, stage, {"NAME": name})


def recolour_stage(portal: Portal, user: Person, entity_type_id: int, stage: str, color: str) -> None:
    _change_stage(portal, user, entity_type_id, stage, {"COLOR": color})


def reorder_stage(portal: Portal, user: Person, entity_type_id: int, stage: str, sort: int) -> None:
    _change_stage(portal, user, entity_type_id, stage, {"SORT": sort})


def delete_stage(portal: Portal, user: Person, entity_type_id: int, stage: str, *, move_to: str = "") -> None:
    """Delete a stage with its robots; items in it are moved first, or (without ``move_to``) it is refused."""
    row = find_stage(portal, entity_type_id, stage)
    with portal.world.lock:
        rows = portal.items.get(entity_type_id, {}).values()
        inside = [one["id"] for one in rows if one["stageId"] == row["STATUS_ID"]]
        if inside and move_to and who(portal, user).is_admin:
            target = find_stage(portal, entity_type_id, move_to)
            for item_id in inside:
                fields = {"stageId": target["STATUS_ID"]}
                crm.update_item(portal, entity_type_id, item_id, fields, acting(portal, user))
        ask(portal, user, "crm.status.delete", {"id": row["ID"], "params": {"FORCED": "Y"}})
        portal.placed = [one for one in portal.placed if one["stageId"] != row["STATUS_ID"]]


# Fields ---------------------------------------------------------------------------------------------------------


def rename_field(portal: Portal, user: Person, field_id: int, label: str) -> None:
    given = {"moduleId": "crm", "id": field_id, "field": {"editFormLabel": label}}
    ask(portal, user, "userfieldconfig.update", given)


def delete_field(portal: Portal, user: Person, field_id: int) -> None:
    """Delete a custom field; its values are gone, even if somebody makes it anew under the same name."""
    row = portal.userfields.get(field_id)
    name = rest_name(row["fieldName"]) if row else ""
    ask(portal, user, "userfieldconfig.delete", {"moduleId": "crm", "id": field_id})
    for rows in portal.items.values():
        for item in rows.values():
            item.pop(name, None)
