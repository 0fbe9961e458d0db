"""Funnels with their stages: ``add_category``, ``add_status``, and ``crm.category.*``.

Facts: "crm/universal/category" of the documentation.
"""

from __future__ import annotations

import re
from typing import Any

from emulator.call import Call, Page, integer, mapping, method, truth
from emulator.crm_base import stage_directory
from emulator.crm_items import check_employee
from emulator.crm_schema import COMPANY, CONTACT, DEAL, LEAD, fields_of
from emulator.errors import RestError
from emulator.state import Json, Portal

DYNAMIC_DIRECTORY = re.compile(r"^DYNAMIC_(\d+)_STAGE_(\d+)$")
DEAL_DIRECTORY = re.compile(r"^DEAL_STAGE(?:_(\d+))?$")
DEFAULT_STAGES = (
    ("NEW", "Начало", 10, "#22B9FF", None, "Y"),
    ("PREPARATION", "Подготовка", 20, "#88B9FF", None, "N"),
    ("CLIENT", "Согласование", 30, "#10e5fc", None, "N"),
    ("SUCCESS", "Успех", 40, "#00ff00", "S", "Y"),
    ("FAIL", "Провал", 50, "#ff0000", "F", "Y"),
)
DEAL_STAGES = (
    ("NEW", "Новая", 10, "#39A8EF", None, "Y"),
    ("PREPARATION", "Подготовка документов", 20, "#2FC6F6", None, "N"),
    ("EXECUTING", "В работе", 30, "#47E4C2", None, "N"),
    ("FINAL_INVOICE", "Финальный счёт", 40, "#FFA900", None, "N"),
    ("WON", "Сделка успешна", 50, "#7BD500", "S", "Y"),
    ("LOSE", "Сделка провалена", 60, "#FF5752", "F", "Y"),
)


def add_category(portal: Portal, entity_type_id: int, given: Json) -> Json:
    """Create a funnel with the default stages of its kind."""
    rows = portal.categories.setdefault(entity_type_id, {})
    # The first funnel of deals is number 0 and has a directory of its own name.
    first_deal = entity_type_id == DEAL and not rows
    category: Json = {
        "id": 0 if first_deal else portal.next_id("deal_category" if entity_type_id == DEAL else "category"),
        "name": str(given["name"])[:255],
        "sort": max(0, integer(given.get("sort"), 500)),
        "entityTypeId": entity_type_id,
        "isDefault": "N",
    }
    if entity_type_id != DEAL:
        category |= {"isSystem": "N", "code": ""}
    rows[category["id"]] = category
    if truth(given.get("isDefault")) or first_deal:
        _make_default(rows, category)
    for code, name, sort, color, semantics, system in DEAL_STAGES if entity_type_id == DEAL else DEFAULT_STAGES:
        directory = stage_directory(entity_type_id, category["id"])
        add_status(portal, directory, code, name, sort, color=color, semantics=semantics, system=system)
    return category


def _make_default(rows: dict[int, Json], chosen: Json) -> None:
    for row in rows.values():
        row["isDefault"] = "Y" if row is chosen else "N"


def add_status(
    portal: Portal,
    directory: str,
    code: str,
    name: str,
    sort: int,
    *,
    color: str = "",
    semantics: str | None = None,
    system: str = "N",
) -> Json:
    """Create a stage (or another entry of a directory); ids and numbers are kept as strings."""
    prefix, category_id = prefix_of(directory)
    row: Json = {
        "ID": str(portal.next_id("status")),
        "ENTITY_ID": directory,
        "STATUS_ID": code if code.startswith(prefix) else prefix + code,
        "NAME": name,
        "NAME_INIT": name if system == "Y" else "",
        "SORT": str(sort),
        "SYSTEM": system,
        "CATEGORY_ID": category_id,
        "COLOR": color,
        "SEMANTICS": semantics,
    }
    portal.statuses[int(row["ID"])] = row
    return row


def prefix_of(directory: str) -> tuple[str, str | None]:
    dynamic, deal = DYNAMIC_DIRECTORY.match(directory), DEAL_DIRECTORY.match(directory)
    if dynamic:
        return f"DT{dynamic[1]}_{dynamic[2]}:", dynamic[2]
    if deal and deal[1]:
        return f"C{deal[1]}:", deal[1]
    return "", None


# crm.category.* -------------------------------------------------------------------------------------------------


def _kind(call: Call) -> int:
    """An entity type that has funnels; raises NOT_FOUND or ENTITY_TYPE_NOT_SUPPORTED."""
    check_employee(call)
    number = call.number("entityTypeId")
    fields_of(call.portal, number)
    if number in (LEAD, CONTACT, COMPANY):
        raise RestError("ENTITY_TYPE_NOT_SUPPORTED", "Направления не поддерживаются")
    return number


def _admin(call: Call) -> None:
    if not call.user.is_admin:
        raise RestError("ACCESS_DENIED", "Доступ запрещен", 400)


def _category(call: Call, kind: int) -> Json:
    row = call.portal.categories.get(kind, {}).get(call.number("id"))
    if row is None:
        raise RestError("NOT_FOUND", "Элемент не найден")
    return row


@method("crm.category.add", scope="crm", write=True)
def category_add(call: Call) -> Any:
    kind = _kind(call)
    _admin(call)
    given = mapping(call.exact("fields"))
    if not given.get("name"):
        raise RestError(0, 'Поле "Название" обязательно для заполнения')
    return {"category": add_category(call.portal, kind, given)}


@method("crm.category.update", scope="crm", write=True)
def category_update(call: Call) -> Any:
    kind = _kind(call)
    _admin(call)
    row = _category(call, kind)
    given = mapping(call.exact("fields"))
    if given.get("name"):
        row["name"] = str(given["name"])[:255]
    if "sort" in given:
        row["sort"] = max(0, integer(given["sort"], 500))
    if truth(given.get("isDefault")):
        _make_default(call.portal.categories[kind], row)
    return {"category": row}


@method("crm.category.get", scope="crm")
def category_get(call: Call) -> Any:
    return {"category": _category(call, _kind(call))}


@method("crm.category.list", scope="crm")
def category_list(call: Call) -> Any:
    rows = sorted(call.portal.categories.get(_kind(call), {}).values(), key=lambda row: (row["sort"], row["id"]))
    return Page({"categories": rows}, len(rows))


@method("crm.category.delete", scope="crm", write=True)
def category_delete(call: Call) -> Any:
    kind = _kind(call)
    _admin(call)
    row = _category(call, kind)
    used = any(item["categoryId"] == row["id"] for item in call.portal.items.get(kind, {}).values())
    if row["isDefault"] == "Y" or used:
        raise RestError("BX_ERROR", "Невозможно удалить воронку")
    del call.portal.categories[kind][row["id"]]
    gone = stage_directory(kind, row["id"])
    call.portal.statuses = {k: one for k, one in call.portal.statuses.items() if one["ENTITY_ID"] != gone}


@method("crm.category.fields", scope="crm")
def category_fields(call: Call) -> Any:
    _kind(call)
    kinds = {"id": "integer", "name": "string", "sort": "integer", "entityTypeId": "integer", "isDefault": "boolean"}
    return {
        "fields": {
            name: {
                "type": kind,
                "isRequired": name == "name",
                "isReadOnly": name in ("id", "entityTypeId"),
                "isImmutable": False,
                "isMultiple": False,
                "isDynamic": False,
                "title": name,
            }
            for name, kind in kinds.items()
        }
    }
