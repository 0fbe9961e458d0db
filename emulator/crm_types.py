"""Smart processes: ``crm.type.*`` and ``crm.enum.ownertype``.

Mind the two numbers of one type: ``id`` is its primary key, ``entityTypeId`` is what items and funnels use. Facts:
"crm/universal/user-defined-object-types" of the documentation.
"""

from __future__ import annotations

from typing import Any

from emulator import crm_filter, crm_funnel, event
from emulator.call import Call, integer, mapping, method, truth, values
from emulator.crm import author_of
from emulator.crm_base import Author
from emulator.crm_items import check_employee
from emulator.crm_schema import COMPANY, CONTACT, DYNAMIC_FROM, Field, forget, type_of, upper_name
from emulator.errors import RestError, missing_parameter
from emulator.state import Json, Portal

LOW_LAST = 192
HIGH_FIRST = 1030
FLAGS = (
    "isCategoriesEnabled", "isStagesEnabled", "isBeginCloseDatesEnabled", "isClientEnabled", "isUseInUserfieldEnabled",
    "isLinkWithProductsEnabled", "isMycompanyEnabled", "isDocumentsEnabled", "isSourceEnabled", "isObserversEnabled",
    "isRecyclebinEnabled", "isAutomationEnabled", "isBizProcEnabled",
)  # fmt: skip
LINKED = ("CALENDAR_EVENT|UF_CRM_CAL_EVENT", "TASKS_TASK|UF_CRM_TASK", "TASKS_TASK_TEMPLATE|UF_CRM_TASK")
OWNERS = (
    (1, "Лид", "LEAD", "L"), (2, "Сделка", "DEAL", "D"), (3, "Контакт", "CONTACT", "C"),
    (4, "Компания", "COMPANY", "CO"), (5, "Счёт (старая версия)", "INVOICE", "I"), (31, "Счёт", "SMART_INVOICE", "SI"),
    (7, "Предложение", "QUOTE", "Q"), (8, "Реквизиты", "REQUISITE", "RQ"), (14, "Заказ", "ORDER", "O"),
)  # fmt: skip


def add_type(portal: Portal, given: Json, author: Author) -> Json:
    """Create a smart process with its default funnel of five stages; raises the documented refusals."""
    if not portal.world.knobs.plan_smart_processes:
        text = "Вы не можете создать новый смарт-процесс из-за ограничений вашего тарифа"
        raise RestError("CREATE_DYNAMIC_TYPE_RESTRICTED", text)
    if not given.get("title"):
        raise RestError("CRM_FIELD_ERROR_REQUIRED", 'Поле "Название" обязательно для заполнения')
    entity_type_id = _entity_type_id(portal, given.get("entityTypeId"))
    moment = portal.iso(author.now)
    kind: Json = {
        "id": portal.next_id("type"),
        "title": str(given["title"]),
        "code": str(given.get("code") or ""),
        "createdBy": author.user_id,
        "entityTypeId": entity_type_id,
        "customSectionId": None,
        **dict.fromkeys(FLAGS, "N"),
        "isSetOpenPermissions": "Y",
        "isPaymentsEnabled": "N",
        "isCountersEnabled": "N",
        "createdTime": moment,
        "updatedTime": moment,
        "updatedBy": author.user_id,
        "relations": {"parent": [], "child": []},
        "linkedUserFields": dict.fromkeys(LINKED, "N"),
    }
    _apply(kind, given)
    portal.types[kind["id"]] = kind
    forget(portal)
    crm_funnel.add_category(portal, entity_type_id, {"name": "Общая", "isDefault": "Y"})
    event.emit(portal, "ONCRMTYPEADD", {"FIELDS": {"ID": kind["id"]}}, author.user_id, author.hops)
    return kind


def _entity_type_id(portal: Portal, asked: Any) -> int:
    taken = {kind["entityTypeId"] for kind in portal.types.values()}
    if asked in (None, ""):
        low = next((n for n in range(DYNAMIC_FROM, LOW_LAST + 1) if n not in taken), None)
        return low or next(n for n in range(HIGH_FIRST, HIGH_FIRST + 100000, 2) if n not in taken)
    number = integer(asked, 0)
    allowed = DYNAMIC_FROM <= number <= LOW_LAST or (number >= HIGH_FIRST and number % 2 == 0)
    if not allowed or number in taken:
        raise RestError("INVALID_ARG_VALUE", "entityTypeId is out of allowed range")
    return number


def _apply(kind: Json, given: Json) -> None:
    """Take over what was passed. Relations are replaced as a whole, predefined ones cannot be changed."""
    for flag in (*FLAGS, "isSetOpenPermissions"):
        if flag in given:
            kind[flag] = "Y" if truth(given[flag]) else "N"
    if kind["isStagesEnabled"] == "N":
        kind["isAutomationEnabled"] = "N"
    if given.get("title"):
        kind["title"] = str(given["title"])
    if "relations" in given:
        asked = mapping(given["relations"])
        kind["relations"] = {side: _relations(asked.get(side)) for side in ("parent", "child")}
    _predefine_clients(kind)
    if truth(given.get("isUseInUserfieldEnabled")):
        # Linked fields count only together with this flag, and only the words true and false are understood.
        for name, value in mapping(given.get("linkedUserFields")).items():
            if name in LINKED:
                kind["linkedUserFields"][name] = _word(value)


def _relations(rows: Any) -> list[Json]:
    return [
        {
            "entityTypeId": integer(row.get("entityTypeId"), 0),
            "isChildrenListEnabled": _word(row.get("isChildrenListEnabled")),
            "isPredefined": "N",
        }
        for row in map(mapping, values(rows))
        if integer(row.get("entityTypeId"), 0)
    ]


def _word(value: Any) -> str:
    return "Y" if value is True or str(value).lower() == "true" else "N"


def _predefine_clients(kind: Json) -> None:
    """The field "Client" makes contacts and companies parents that nobody can take away."""
    parents = [row for row in kind["relations"]["parent"] if row["isPredefined"] == "N"]
    if kind["isClientEnabled"] == "Y":
        parents = [row for row in parents if row["entityTypeId"] not in (CONTACT, COMPANY)]
        clients = [
            {"entityTypeId": number, "isChildrenListEnabled": "Y", "isPredefined": "Y"} for number in (CONTACT, COMPANY)
        ]
        parents = clients + parents
    kind["relations"]["parent"] = parents


def _shown(kind: Json) -> Json:
    return {**kind, "customSections": []}


def _check_right(call: Call) -> None:
    """Every ``crm.type`` method wants the right to change CRM settings."""
    check_employee(call)
    if not call.user.is_admin:
        raise RestError("ACCESS_DENIED", "Доступ запрещен", 400)


def _found(portal: Portal, type_id: int) -> Json:
    if type_id not in portal.types:
        # A falsy number as the code: clients have to look for the key.
        raise RestError(0, "Смарт-процесс не найден")
    return portal.types[type_id]


@method("crm.type.add", scope="crm", write=True)
def type_add(call: Call) -> Any:
    _check_right(call)
    if call.params.get("fields") is None:
        raise missing_parameter("fields")
    return {"type": _shown(add_type(call.portal, mapping(call.params["fields"]), author_of(call)))}


@method("crm.type.update", scope="crm", write=True)
def type_update(call: Call) -> Any:
    _check_right(call)
    kind = _found(call.portal, call.number("id"))
    if not call.world.knobs.plan_smart_processes:
        raise RestError("UPDATE_DYNAMIC_TYPE_RESTRICTED", "Ограничения тарифа")
    _apply(kind, mapping(call.exact("fields")))
    kind["updatedTime"], kind["updatedBy"] = call.portal.iso(call.now), call.user.id
    forget(call.portal)
    event.emit(call.portal, "ONCRMTYPEUPDATE", {"FIELDS": {"ID": kind["id"]}}, call.user.id)
    return {"type": _shown(kind)}


@method("crm.type.get", scope="crm")
def type_get(call: Call) -> Any:
    _check_right(call)
    return {"type": _shown(_found(call.portal, call.number("id")))}


@method("crm.type.getByEntityTypeId", scope="crm")
def type_by_entity(call: Call) -> Any:
    _check_right(call)
    kind = type_of(call.portal, call.number("entityTypeId"))
    if kind is None:
        raise RestError(0, "Смарт-процесс не найден")
    return {"type": _shown(kind)}


@method("crm.type.list", scope="crm")
def type_list(call: Call) -> Any:
    _check_right(call)
    rows = list(call.portal.types.values())
    test = crm_filter.compiled(call.portal, TYPE_FIELDS, call.arg("filter"))
    rows = crm_filter.ordered(call.portal, TYPE_FIELDS, [row for row in rows if test(row)], call.arg("order"))
    left_out = ("relations", "linkedUserFields")
    return call.page(
        [{k: v for k, v in row.items() if k not in left_out} | {"isInitialized": "Y"} for row in rows], "types"
    )


@method("crm.type.delete", scope="crm", write=True)
def type_delete(call: Call) -> Any:
    _check_right(call)
    kind = _found(call.portal, call.number("id"))
    remove_type(call.portal, kind, author_of(call))
    return []


def remove_type(portal: Portal, kind: Json, author: Author) -> None:
    """Delete an empty smart process with its fields, funnels and the placements bound to its places."""
    number = kind["entityTypeId"]
    if portal.items.get(number):
        raise RestError("BX_ERROR", "Невозможно удалить смарт-процесс, в котором есть элементы")
    del portal.types[kind["id"]]
    portal.categories.pop(number, None)
    portal.userfields = {k: row for k, row in portal.userfields.items() if row["entityId"] != f"CRM_{kind['id']}"}
    prefix = f"DYNAMIC_{number}_"
    portal.statuses = {k: row for k, row in portal.statuses.items() if not row["ENTITY_ID"].startswith(prefix)}
    portal.placements = [row for row in portal.placements if f"CRM_{prefix}" not in row["placement"]]
    portal.event_handlers = [row for row in portal.event_handlers if not row["event"].endswith(f"_{number}")]
    forget(portal)
    event.emit(portal, "ONCRMTYPEDELETE", {"FIELDS": {"ID": kind["id"]}}, author.user_id, author.hops)


@method("crm.type.fields", scope="crm")
def type_fields(call: Call) -> Any:
    _check_right(call)
    return {
        "fields": {
            name: {
                "type": one.type,
                "isRequired": name == "title",
                "isReadOnly": one.read_only,
                "isImmutable": name == "entityTypeId",
                "isMultiple": False,
                "isDynamic": False,
                "title": name,
                "upperName": one.upper,
            }
            for name, one in TYPE_FIELDS.items()
        }
    }


TYPE_FIELDS = {
    name: Field(
        name, kind, upper_name(name), read_only=name in ("id", "createdBy", "updatedBy", "createdTime", "updatedTime")
    )
    for kind, names in (
        ("integer", ("id", "entityTypeId", "customSectionId")),
        ("user", ("createdBy", "updatedBy")),
        ("datetime", ("createdTime", "updatedTime")),
        ("string", ("title", "code")),
        ("boolean", (*FLAGS, "isSetOpenPermissions")),
    )
    for name in names
}


@method("crm.enum.ownertype", scope="crm")
def owner_types(call: Call) -> Any:
    fixed = [
        {"ID": number, "NAME": name, "SYMBOL_CODE": code, "SYMBOL_CODE_SHORT": short}
        for number, name, code, short in OWNERS
    ]
    dynamic = [
        {
            "ID": kind["entityTypeId"],
            "NAME": kind["title"],
            "SYMBOL_CODE": f"DYNAMIC_{kind['entityTypeId']}",
            "SYMBOL_CODE_SHORT": f"T{kind['entityTypeId']:x}",
        }
        for kind in call.portal.types.values()
    ]
    return fixed + dynamic
