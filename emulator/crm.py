"""CRM items: what happens when a deal, contact, company or element of a smart process is made, changed or deleted.

For the pages, people and the seed: ``add_item``, ``update_item``, ``delete_item``, ``find_item``. They do not ask for
rights: ``crm_rights`` does. Facts: "crm/universal/crm-item-*" of the documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator import crm_history, crm_links, event, recycle
from emulator.call import Call, mapping
from emulator.crm_base import Author, default_category, semantics, stage_directory, stages, tell
from emulator.crm_rights import may, may_see, visible_items
from emulator.crm_schema import COMPANY, CONTACT, DEAL, LEAD, Field, fields_of, type_of
from emulator.crm_values import UNSET, date_value, stored
from emulator.errors import RestError
from emulator.state import Json, Portal

__all__ = [
    "COMPANY", "CONTACT", "DEAL", "Author", "add_item", "author_of", "create", "delete_item", "find_item", "may",
    "may_see", "stage_directory", "stages", "update_item", "visible_items",
]  # fmt: skip

DAY_S = 86400
KIND_TITLES = {LEAD: "Лид", DEAL: "Сделка", CONTACT: "Контакт", COMPANY: "Компания"}
# What starts when an item has entered a stage, and ends with it: automation, which stands above this room and enters
# itself here.
ENTERED: list[Callable[[Portal, Json, Author], None]] = []
DELETED: list[Callable[[Portal, int, int], None]] = []


def author_of(call: Call) -> Author:
    return Author(call.user.id, call.now, call.token.hops if call.token else None)


# Items ----------------------------------------------------------------------------------------------------------


def find_item(portal: Portal, entity_type_id: int, item_id: int) -> Json:
    """One item; raises NOT_FOUND for an unknown kind or id."""
    fields_of(portal, entity_type_id)
    item = portal.items.get(entity_type_id, {}).get(item_id)
    if item is None:
        raise RestError("NOT_FOUND", "Элемент не найден")
    return item


def add_item(portal: Portal, entity_type_id: int, given: Json, author: Author, *, quiet: bool = False) -> Json:
    """Create an item, tell it and start the robots of its stage (unless ``quiet``); returns it as it was saved."""
    item = create(portal, entity_type_id, given, author)
    saved = dict(item)
    if not quiet:
        tell(portal, entity_type_id, "ADD", item["id"], author)
        _entered(portal, item, author)
    return saved


def create(portal: Portal, entity_type_id: int, given: Json, author: Author, system: Json | None = None) -> Json:
    """Put a new item in its place, telling nobody; unknown names are silently ignored, as in the platform.

    ``system`` holds values of fields that only an import may write.
    """
    fields = fields_of(portal, entity_type_id)
    new = _written(portal, fields, given)
    _check_mandatory(portal, fields, new)
    item = _blank(portal, entity_type_id, fields, author) | _defaults(portal, entity_type_id, fields, author)
    _place(portal, entity_type_id, item, new)
    item |= new | (system or {})
    item["id"] = portal.next_id(f"item:{entity_type_id}")
    _tidy(portal, entity_type_id, item)
    portal.items.setdefault(entity_type_id, {})[item["id"]] = item
    crm_history.record(portal, item, author)
    return item


def update_item(portal: Portal, entity_type_id: int, item_id: int, given: Json, author: Author) -> Json:
    """Change an item and return it as it was saved; when no value really changes, nothing is saved and nothing told.

    A new stage starts its robots. What they change is in the item afterwards, not in the answer.
    """
    item = find_item(portal, entity_type_id, item_id)
    old = dict(item)
    after = _after(portal, entity_type_id, item, given)
    if all(after.get(name) == old.get(name) for name in fields_of(portal, entity_type_id)):
        return old
    item |= after
    item["updatedTime"], item["updatedBy"] = portal.iso(author.now), author.user_id
    moved = item.get("stageId") != old.get("stageId")
    if moved:
        item |= {"previousStageId": old["stageId"], "movedTime": portal.iso(author.now), "movedBy": author.user_id}
    saved = dict(item)
    crm_history.record(portal, item, author, old)
    tell(portal, entity_type_id, "UPDATE", item_id, author)
    if entity_type_id == DEAL and item["categoryId"] != old["categoryId"]:
        data = {"ID": item_id, "CATEGORY_ID": item["categoryId"], "STAGE_ID": item["stageId"]}
        event.emit(portal, "ONCRMDEALMOVETOCATEGORY", {"FIELDS": data}, author.teller, author.hops)
    if moved:
        _entered(portal, item, author)
    return saved


def _after(portal: Portal, entity_type_id: int, item: Json, given: Json) -> Json:
    """The item as it would be with what was given."""
    new = _written(portal, fields_of(portal, entity_type_id), given, item)
    if "categoryId" in new and new["categoryId"] != item["categoryId"] and "stageId" not in new:
        new["stageId"] = None
    after = item | new
    _place(portal, entity_type_id, after, new)
    after |= new
    _tidy(portal, entity_type_id, after)
    return after


def delete_item(portal: Portal, entity_type_id: int, item_id: int, author: Author, *, to_bin: bool = True) -> None:
    """Remove an item (to the bin, where its kind has one) and tell it; what named it is silently empty now."""
    item = find_item(portal, entity_type_id, item_id)
    del portal.items[entity_type_id][item_id]
    links = crm_links.unlink(portal, entity_type_id, item_id)
    if to_bin and recycle.has_bin(portal, entity_type_id):
        recycle.keep(portal, item, links, author)
    for end in DELETED:
        end(portal, entity_type_id, item_id)
    tell(portal, entity_type_id, "DELETE", item_id, author)


def _entered(portal: Portal, item: Json, author: Author) -> None:
    for start in ENTERED:
        start(portal, item, author)


def _kind_title(portal: Portal, entity_type_id: int) -> str:
    kind = type_of(portal, entity_type_id)
    return str(kind["title"]) if kind else KIND_TITLES[entity_type_id]


def _written(portal: Portal, fields: dict[str, Field], given: Json, item: Json | None = None) -> Json:
    """The values a client may set, converted; the rest is passed over."""
    new: Json = {}
    for name, value in given.items():
        one = fields.get(name)
        if one is None or not one.writable:
            continue
        kept = _multifields(portal, value, (item or {}).get("fm") or []) if name == "fm" else stored(portal, one, value)
        if kept is not UNSET:
            new[name] = kept
    return _clients(fields, new)


def _clients(fields: dict[str, Field], new: Json) -> Json:
    """``contactId`` is the first of ``contactIds``; either can be written."""
    for one, many in (("contactId", "contactIds"), ("companyId", "companyIds")):
        if many in fields and one in fields:
            if many in new:
                new[one] = (new[many] or [None])[0]
            elif one in new:
                new[many] = [new[one]] if new[one] else []
    return new


def _multifields(portal: Portal, value: Any, have: list[Json]) -> list[Json]:
    """Phones and the like: a list adds; a map with numeric keys changes or, with an empty value, deletes."""
    kept = {str(row["id"]): dict(row) for row in have}
    for key, row in mapping(value).items():
        texts = {name: str(row.get(name) or "") for name in ("typeId", "valueType", "value")}
        if key in kept:
            kept[key] |= {name: text for name, text in texts.items() if text}
            if not texts["value"]:
                del kept[key]
        elif texts["value"]:
            number = portal.next_id("multifield")
            kept[str(number)] = {"id": number, **texts, "valueType": texts["valueType"] or "WORK"}
    return list(kept.values())


def _check_mandatory(portal: Portal, fields: dict[str, Field], new: Json) -> None:
    if not portal.world.knobs.check_mandatory:
        return
    for one in fields.values():
        if one.required and new.get(one.name) in (None, "", []):
            raise RestError("CRM_FIELD_ERROR_REQUIRED", f'Поле "{one.title}" обязательно для заполнения')


def _blank(portal: Portal, entity_type_id: int, fields: dict[str, Field], author: Author) -> Json:
    """Every field of the kind without a value: disabled ones stay null for ever."""
    blank: Json = {one.name: [] if one.multiple and one.enabled else None for one in fields.values()}
    moment = portal.iso(author.now)
    moments = dict.fromkeys(("createdTime", "updatedTime", "movedTime", "lastActivityTime"), moment)
    people = dict.fromkeys(("createdBy", "updatedBy", "movedBy", "lastActivityBy", "assignedById"), author.user_id)
    return blank | moments | people | {"opened": "Y", "entityTypeId": entity_type_id}


def _defaults(portal: Portal, entity_type_id: int, fields: dict[str, Field], author: Author) -> Json:
    found: Json = {
        "begindate": date_value(portal, portal.iso(author.now)[:10]),
        "closedate": date_value(portal, portal.iso(author.now + 7 * DAY_S)[:10]),
        "opportunity": 0,
        "taxValue": 0,
        "currencyId": portal.currency,
        "isManualOpportunity": "N",
        "export": "Y",
        "isMyCompany": "N",
    }
    if entity_type_id in (CONTACT, COMPANY):
        found["categoryId"] = 0
    if entity_type_id == DEAL:
        found |= dict.fromkeys(("isNew", "isRecurring", "isReturnCustomer", "isRepeatedApproach"), "N")
    return {name: value for name, value in found.items() if name in fields and fields[name].enabled}


# Stages ---------------------------------------------------------------------------------------------------------


def _place(portal: Portal, entity_type_id: int, item: Json, new: Json) -> None:
    """Funnel and stage: defaults where nothing is written, refusal of what does not belong together."""
    if entity_type_id in (LEAD, CONTACT, COMPANY):
        return
    funnels = portal.categories.get(entity_type_id, {})
    if new.get("categoryId") is None:
        own = item.get("categoryId")
        new["categoryId"] = own if own is not None else default_category(portal, entity_type_id)
    if new["categoryId"] not in funnels:
        raise RestError("CRM_FIELD_ERROR_VALUE_NOT_VALID", 'Недопустимое значение поля "Воронка"')
    if not fields_of(portal, entity_type_id)["stageId"].enabled:
        return
    rows = stages(portal, entity_type_id, new["categoryId"])
    known = [row["STATUS_ID"] for row in rows]
    if new.get("stageId") is None and ("stageId" in new or not item.get("stageId")):
        new["stageId"] = known[0] if known else None
    elif new.get("stageId") is not None and new["stageId"] not in known:
        raise RestError("CRM_FIELD_ERROR_VALUE_NOT_VALID", 'Недопустимое значение поля "Стадия"')


def _tidy(portal: Portal, entity_type_id: int, item: Json) -> None:
    """Fields that follow from others."""
    if "title" in fields_of(portal, entity_type_id) and not item["title"]:
        item["title"] = f"{_kind_title(portal, entity_type_id)} #{item['id']}"
    if entity_type_id == DEAL:
        item["stageSemanticId"] = semantics(portal, DEAL, item["categoryId"], item["stageId"])
        item["closed"] = "N" if item["stageSemanticId"] == "P" else "Y"
    if "fm" in item:
        kinds = {row["typeId"] for row in item["fm"] or []}
        flags = {"hasPhone": "PHONE" in kinds, "hasEmail": "EMAIL" in kinds, "hasImol": False}
        item |= {name: "Y" if flag else "N" for name, flag in flags.items()}
