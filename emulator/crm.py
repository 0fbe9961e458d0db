"""CRM items: ``crm.item.*`` over deals, contacts, companies and smart processes.

For the pages and the seed: ``add_item``, ``update_item``, ``delete_item``, ``find_item``, ``visible_items``. Facts:
"crm/universal/crm-item-*" of the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emulator import event
from emulator.call import Call, mapping
from emulator.crm_schema import CLASSIC, COMPANY, CONTACT, DEAL, Field, fields_of, type_of
from emulator.crm_values import UNSET, date_value, stored
from emulator.errors import RestError
from emulator.state import Json, Portal, User

DAY_S = 86400


@dataclass(frozen=True)
class Author:
    """Who changes CRM data, when, and how many further rounds of events his token may cause."""

    user_id: int
    now: float
    hops: int | None = None


def author_of(call: Call) -> Author:
    return Author(call.user.id, call.now, call.token.hops if call.token else None)


# Rights ---------------------------------------------------------------------------------------------------------


def may_see(portal: Portal, user: User, entity_type_id: int, item_id: int) -> bool:
    """May this user read the item? Administrators may everything; deals can be denied one by one."""
    if user.is_admin:
        return True
    if entity_type_id == DEAL and item_id in portal.crm_denied.get(user.id, set()):
        return False
    return open_to(portal, user, entity_type_id)


def open_to(portal: Portal, user: User, entity_type_id: int) -> bool:
    kind = type_of(portal, entity_type_id)
    return user.is_admin or kind is None or kind["isSetOpenPermissions"] == "Y"


# Items ----------------------------------------------------------------------------------------------------------


def visible_items(portal: Portal, user: User, entity_type_id: int) -> list[Json]:
    """All items of a kind that the user may read, by id."""
    rows = portal.items.get(entity_type_id, {})
    if user.is_admin:
        return list(rows.values())
    if not open_to(portal, user, entity_type_id):
        return []
    denied = portal.crm_denied.get(user.id, set()) if entity_type_id == DEAL else set()
    return [item for item in rows.values() if item["id"] not in denied]


def find_item(portal: Portal, entity_type_id: int, item_id: int) -> Json:
    """One item; raises NOT_FOUND for an unknown kind or id."""
    fields_of(portal, entity_type_id)
    item = portal.items.get(entity_type_id, {}).get(item_id)
    if item is None:
        raise RestError("NOT_FOUND", "Элемент не найден")
    return item


def add_item(portal: Portal, entity_type_id: int, given: Json, author: Author, *, quiet: bool = False) -> Json:
    """Create an item and tell it (unless ``quiet``); unknown names are silently ignored, as in the platform."""
    fields = fields_of(portal, entity_type_id)
    new = _written(portal, fields, given)
    _check_mandatory(portal, fields, new)
    item = _blank(portal, entity_type_id, fields, author) | _defaults(portal, entity_type_id, fields, author)
    _place(portal, entity_type_id, item, new)
    item |= new
    item["id"] = portal.next_id(f"item:{entity_type_id}")
    _tidy(portal, entity_type_id, item)
    portal.items.setdefault(entity_type_id, {})[item["id"]] = item
    if not quiet:
        _tell(portal, entity_type_id, "ADD", item["id"], author)
    return item


def update_item(portal: Portal, entity_type_id: int, item_id: int, given: Json, author: Author) -> Json:
    """Change an item; when no value really changes, nothing is saved and nothing is told."""
    item = find_item(portal, entity_type_id, item_id)
    fields = fields_of(portal, entity_type_id)
    new = _written(portal, fields, given, item)
    if "categoryId" in new and new["categoryId"] != item["categoryId"] and "stageId" not in new:
        new["stageId"] = None
    old = dict(item)
    item_after = item | new
    _place(portal, entity_type_id, item_after, new)
    item_after |= new
    _tidy(portal, entity_type_id, item_after)
    if all(item_after.get(name) == old.get(name) for name in fields):
        return item
    item |= item_after
    item["updatedTime"], item["updatedBy"] = portal.iso(author.now), author.user_id
    if item.get("stageId") != old.get("stageId"):
        item |= {"previousStageId": old["stageId"], "movedTime": portal.iso(author.now), "movedBy": author.user_id}
    _tell(portal, entity_type_id, "UPDATE", item_id, author)
    if entity_type_id == DEAL and item["categoryId"] != old["categoryId"]:
        data = {"ID": item_id, "CATEGORY_ID": item["categoryId"], "STAGE_ID": item["stageId"]}
        event.emit(portal, "ONCRMDEALMOVETOCATEGORY", {"FIELDS": data}, author.user_id, author.hops)
    return item


def delete_item(portal: Portal, entity_type_id: int, item_id: int, author: Author) -> None:
    """Remove an item and tell it; its parents' and children's links to it become empty."""
    find_item(portal, entity_type_id, item_id)
    del portal.items[entity_type_id][item_id]
    _tell(portal, entity_type_id, "DELETE", item_id, author)


def _tell(portal: Portal, entity_type_id: int, verb: str, item_id: int, author: Author) -> None:
    if entity_type_id in CLASSIC:
        name = f"ONCRM{CLASSIC[entity_type_id]}{verb}"
        event.emit(portal, name, {"FIELDS": {"ID": item_id}}, author.user_id, author.hops)
        return
    data = {"FIELDS": {"ID": item_id, "ENTITY_TYPE_ID": entity_type_id}}
    for name in (f"ONCRMDYNAMICITEM{verb}", f"ONCRMDYNAMICITEM{verb}_{entity_type_id}"):
        event.emit(portal, name, data, author.user_id, author.hops)


def _kind_title(portal: Portal, entity_type_id: int) -> str:
    kind = type_of(portal, entity_type_id)
    return str(kind["title"]) if kind else {DEAL: "Сделка", CONTACT: "Контакт", COMPANY: "Компания"}[entity_type_id]


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


def stage_directory(entity_type_id: int, category_id: int) -> str:
    """The ENTITY_ID of a funnel's stages in ``crm.status.*``."""
    if entity_type_id == DEAL:
        return f"DEAL_STAGE_{category_id}" if category_id else "DEAL_STAGE"
    return f"DYNAMIC_{entity_type_id}_STAGE_{category_id}"


def stages(portal: Portal, entity_type_id: int, category_id: int) -> list[Json]:
    """The stages of a funnel in their order."""
    wanted = stage_directory(entity_type_id, category_id)
    return sorted((s for s in portal.statuses.values() if s["ENTITY_ID"] == wanted), key=lambda s: int(s["SORT"]))


def _place(portal: Portal, entity_type_id: int, item: Json, new: Json) -> None:
    """Funnel and stage: defaults where nothing is written, refusal of what does not belong together."""
    if entity_type_id in (CONTACT, COMPANY):
        return
    funnels = portal.categories.get(entity_type_id, {})
    if new.get("categoryId") is None:
        default = next((row["id"] for row in funnels.values() if row["isDefault"] == "Y"), 0)
        new["categoryId"] = item["categoryId"] if item.get("categoryId") is not None else default
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
        rows = stages(portal, DEAL, item["categoryId"])
        semantics = next((row["SEMANTICS"] for row in rows if row["STATUS_ID"] == item["stageId"]), None)
        item["stageSemanticId"] = semantics or "P"
        item["closed"] = "Y" if semantics else "N"
    if "fm" in item:
        kinds = {row["typeId"] for row in item["fm"] or []}
        flags = {"hasPhone": "PHONE" in kinds, "hasEmail": "EMAIL" in kinds, "hasImol": False}
        item |= {name: "Y" if flag else "N" for name, flag in flags.items()}
