"""Custom fields: ``userfieldconfig.*``.

Ids and sort are strings here, and every refusal is an empty code with a text. Facts: "crm/universal/userfieldconfig" of
the documentation.
"""

from __future__ import annotations

import re
from typing import Any

from emulator import crm_filter, event
from emulator.call import Call, integer, mapping, method, truth, values
from emulator.crm import Author, author_of
from emulator.crm_schema import CLASSIC, Field, forget
from emulator.errors import RestError, missing_parameter
from emulator.state import Json, Portal, hex_id

SCOPES = "userfieldconfig+crm"
TYPES = {
    "string": "Строка", "integer": "Целое число", "double": "Число", "boolean": "Да/Нет", "date": "Дата",
    "datetime": "Дата со временем", "enumeration": "Список", "money": "Деньги", "url": "Ссылка", "address": "Адрес",
    "file": "Файл", "employee": "Привязка к сотруднику", "crm": "Привязка к элементам CRM",
    "crm_status": "Привязка к справочникам CRM", "iblock_section": "Привязка к разделам инф. блоков",
    "iblock_element": "Привязка к элементам инф. блоков",
}  # fmt: skip
SETTINGS: dict[str, Json] = {
    "string": {"SIZE": 20, "ROWS": 1, "REGEXP": "", "MIN_LENGTH": 0, "MAX_LENGTH": 0, "DEFAULT_VALUE": ""},
    "integer": {"SIZE": 20, "MIN_VALUE": 0, "MAX_VALUE": 0, "DEFAULT_VALUE": None},
    "double": {"PRECISION": 4, "SIZE": 20, "MIN_VALUE": 0, "MAX_VALUE": 0, "DEFAULT_VALUE": None},
    "boolean": {"DEFAULT_VALUE": 0, "DISPLAY": "CHECKBOX", "LABEL": ["", ""], "LABEL_CHECKBOX": ""},
    "date": {"DEFAULT_VALUE": {"TYPE": "NONE", "VALUE": ""}},
    "datetime": {"DEFAULT_VALUE": {"TYPE": "NONE", "VALUE": ""}, "USE_SECOND": "Y", "USE_TIMEZONE": "N"},
    "enumeration": {"DISPLAY": "LIST", "LIST_HEIGHT": 1, "CAPTION_NO_VALUE": "", "SHOW_NO_VALUE": "Y"},
    "money": {"DEFAULT_VALUE": ""},
    "url": {"POPUP": "Y", "SIZE": 20, "MIN_LENGTH": 0, "MAX_LENGTH": 0, "DEFAULT_VALUE": "", "ROWS": 1},
    "address": {"SHOW_MAP": "Y"},
    "crm": dict.fromkeys(("LEAD", "CONTACT", "COMPANY", "DEAL", "QUOTE", "ORDER", "SMART_INVOICE"), "N"),
    "crm_status": {"ENTITY_TYPE": ""},
}
YES_NO = ("multiple", "mandatory", "editInList", "isSearchable")
LISTED = (
    "id", "entityId", "fieldName", "userTypeId", "xmlId", "sort", "multiple", "mandatory", "showFilter", "showInList",
    "editInList", "isSearchable", "settings",
)  # fmt: skip
LABELS = ("editFormLabel", "listColumnLabel", "listFilterLabel", "errorMessage", "helpMessage")
NAME = re.compile(r"[A-Z0-9_]{1,50}")
FILTERS = {
    name: Field(name, "integer" if name in ("id", "sort") else "string", name) for name in LISTED if name != "settings"
}


def add_field(portal: Portal, given: Json, author: Author) -> Json:
    """Create a custom field; raises the documented refusals. The listed keys of the answer cannot all be set."""
    entity, name, kind = (str(given.get(key) or "") for key in ("entityId", "fieldName", "userTypeId"))
    _check_new(portal, entity, name, kind)
    row: Json = {
        "id": str(portal.next_id("userfield") + 6900),
        "entityId": entity,
        "fieldName": name,
        "userTypeId": kind,
        "xmlId": given.get("xmlId"),
        "sort": str(integer(given.get("sort"), 100)),
        **{key: "Y" if truth(given.get(key)) else "N" for key in YES_NO},
        "editInList": "N" if given.get("editInList") == "N" else "Y",
        "showFilter": str(given.get("showFilter") or "N"),
        "showInList": "Y",
        "settings": SETTINGS.get(kind, {}) | mapping(given.get("settings")),
        **{key: _label(portal, None) for key in LABELS},
        "enum": [],
    }
    row["editFormLabel"] = _label(portal, given.get("editFormLabel"))
    row["helpMessage"] = _label(portal, given.get("helpMessage"))
    portal.userfields[int(row["id"])] = row
    if kind == "enumeration":
        _set_options(portal, row, given.get("enum"))
    forget(portal)
    _tell(portal, row, "ADD", author)
    if row["enum"]:
        _tell(portal, row, "SETENUMVALUES", author)
    return row


def _check_new(portal: Portal, entity: str, name: str, kind: str) -> None:
    if not kind:
        raise RestError("", "The 'USER_TYPE_ID' field is not found.")
    if not name:
        raise RestError("", "The 'FIELD_NAME' field is not found.")
    if not known_entity(portal, entity) or not name.startswith(f"UF_{entity}_") or not NAME.fullmatch(name):
        raise RestError("", "Нет прав на создание пользовательского поля")
    if kind not in TYPES:
        raise RestError("", "Invalid user type specified")
    if any(row["entityId"] == entity and row["fieldName"] == name for row in portal.userfields.values()):
        raise RestError("", f"Поле {name} для объекта {entity} уже существует.")


def known_entity(portal: Portal, entity: str) -> bool:
    """Is this the ``entityId`` of something that can have custom fields? A smart process counts by its primary key."""
    others = {f"CRM_{name}" for name in CLASSIC.values()} | {
        "CRM_LEAD",
        "CRM_QUOTE",
        "CRM_SMART_INVOICE",
        "CRM_REQUISITE",
    }
    return entity in others or entity in {f"CRM_{number}" for number in portal.types}


def _label(portal: Portal, value: Any) -> Json:
    languages = dict.fromkeys(("ru", "en"))
    given = value if isinstance(value, dict) else dict.fromkeys(languages, value)
    return {**languages, **{str(key): text or None for key, text in given.items()}}


def _set_options(portal: Portal, row: Json, given: Any) -> None:
    """Add, change or (``del``: Y) remove options of a list."""
    kept = {option["id"]: option for option in row["enum"]}
    for position, option in enumerate(map(mapping, values(given)), start=1):
        number = str(option.get("id") or "")
        if number in kept and truth(option.get("del")):
            del kept[number]
        elif number in kept:
            kept[number] |= {key: str(option[key]) for key in ("value", "sort", "xmlId") if key in option}
        elif option.get("value"):
            number = str(portal.next_id("enum") + 3300)
            kept[number] = {
                "id": number,
                "userFieldId": row["id"],
                "value": str(option["value"]),
                "def": "Y" if truth(option.get("def")) else "N",
                "sort": str(integer(option.get("sort"), position * 100)),
                "xmlId": str(option.get("xmlId") or hex_id(32)),
            }
    row["enum"] = list(kept.values())


def _tell(portal: Portal, row: Json, verb: str, author: Author) -> None:
    entity = row["entityId"].removeprefix("CRM_")
    kind = "TYPE" if entity.isdigit() else entity
    fields = {"ID": row["id"], "ENTITY_ID": row["entityId"], "FIELD_NAME": row["fieldName"]}
    event.emit(portal, f"ONCRM{kind}USERFIELD{verb}", {"FIELDS": fields}, author.user_id, author.hops)


def _module(call: Call) -> None:
    if call.params.get("moduleId") is None:
        raise missing_parameter("moduleId")
    if call.params["moduleId"] != "crm":
        raise RestError("", "No settings for the module")


def _right(call: Call) -> None:
    if not call.user.is_admin:
        raise RestError("", "Доступ запрещен")


def _found(call: Call, refusal: str) -> Json:
    row = call.portal.userfields.get(call.number("id"))
    if row is None:
        raise RestError("", refusal)
    return row


def _shown(row: Json) -> Json:
    """A field as add, update and get answer it: options for lists only."""
    shown = {name: row[name] for name in LISTED} | {"languageId": {"ru": "ru", "en": "en"}}
    shown |= {name: row[name] for name in LABELS}
    return shown | ({"enum": row["enum"]} if row["userTypeId"] == "enumeration" else {})


@method("userfieldconfig.add", scope=SCOPES, write=True)
def field_add(call: Call) -> Any:
    _module(call)
    _right(call)
    return {"field": _shown(add_field(call.portal, mapping(call.exact("field")), author_of(call)))}


@method("userfieldconfig.update", scope=SCOPES, write=True)
def field_update(call: Call) -> Any:
    _module(call)
    _right(call)
    row = _found(call, "Нет прав на изменение пользовательского поля")
    given = mapping(call.params.get("field"))
    row |= {
        key: "Y" if truth(given[key]) else "N" for key in ("mandatory", "editInList", "isSearchable") if key in given
    }
    row |= {key: str(given[key]) for key in ("xmlId", "sort", "showFilter") if key in given}
    row |= {key: _label(call.portal, given[key]) for key in LABELS if key in given}
    row["settings"] = row["settings"] | mapping(given.get("settings"))
    if given.get("userTypeId") == "enumeration" and "enum" in given:
        _set_options(call.portal, row, given["enum"])
        _tell(call.portal, row, "SETENUMVALUES", author_of(call))
    forget(call.portal)
    _tell(call.portal, row, "UPDATE", author_of(call))
    return {"field": _shown(row)}


@method("userfieldconfig.get", scope=SCOPES)
def field_get(call: Call) -> Any:
    _module(call)
    return {"field": _shown(_found(call, "Нет прав на просмотр настроек пользовательского поля"))}


@method("userfieldconfig.list", scope=SCOPES)
def field_list(call: Call) -> Any:
    _module(call)
    test = crm_filter.compiled(call.portal, FILTERS, call.arg("filter"))
    rows = [row for row in call.portal.userfields.values() if test(row)]
    rows = crm_filter.ordered(call.portal, FILTERS, rows, call.arg("order"))
    language = mapping(call.arg("select")).get("language")
    return call.page([_in_list(row, language) for row in rows], "fields")


def _in_list(row: Json, language: Any) -> Json:
    """Options are not in the list, and labels only when a language is asked for."""
    shown = {name: row[name] for name in LISTED}
    if not language:
        return shown
    return shown | {name: row[name].get(str(language)) for name in LABELS}


@method("userfieldconfig.delete", scope=SCOPES, write=True)
def field_delete(call: Call) -> Any:
    _module(call)
    _right(call)
    row = _found(call, "Нет прав на удаление пользовательского поля")
    del call.portal.userfields[int(row["id"])]
    forget(call.portal)
    _tell(call.portal, row, "DELETE", author_of(call))


@method("userfieldconfig.getTypes", scope=SCOPES)
def field_types(call: Call) -> Any:
    _module(call)
    return {"types": {code: {"userTypeId": code, "description": text} for code, text in TYPES.items()}}
