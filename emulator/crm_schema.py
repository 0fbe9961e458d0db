"""Which fields a kind of CRM item has, and how custom fields are named in REST.

``fields_of(portal, entity_type_id)`` gives them by REST name. Facts: "crm/universal/object-fields" and
"crm/universal/index" of the documentation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from emulator.errors import RestError
from emulator.state import Json, Portal

LEAD, DEAL, CONTACT, COMPANY = 1, 2, 3, 4
DYNAMIC_FROM = 128
CLASSIC = {LEAD: "LEAD", DEAL: "DEAL", CONTACT: "CONTACT", COMPANY: "COMPANY"}
UPPER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Za-z])(?=\d)")
UF_PREFIX = re.compile(r"^UF_CRM_((\d+)_)?(.+)$")


@dataclass(frozen=True)
class Field:
    """One field as ``crm.item.fields`` describes it; ``upper`` is its name in the older methods."""

    name: str
    type: str
    upper: str
    title: str = ""
    required: bool = False
    read_only: bool = False
    immutable: bool = False
    multiple: bool = False
    dynamic: bool = False
    enabled: bool = True
    settings: Json = field(default_factory=dict)
    options: tuple[int, ...] = ()

    @property
    def writable(self) -> bool:
        return self.enabled and not self.read_only


def upper_name(name: str) -> str:
    """``assignedById`` → ``ASSIGNED_BY_ID``, ``parentId128`` → ``PARENT_ID_128``."""
    return UPPER.sub("_", name).upper()


def rest_name(code: str, taken: Any = ()) -> str:
    """The camelCase name of a custom field, with all the platform's exceptions.

    Letters only after the number: all camelCase. Digits only: the prefix and the digits. Mixed: only the prefix is
    replaced. A converted name that another field has already keeps its upper-case original.
    """
    found = UF_PREFIX.match(code)
    if not found:
        return code
    number, rest = found[2] or "", found[3]
    if re.fullmatch(r"[A-Z_]+", rest) and number:
        name = f"ufCrm{number}" + "".join(part.capitalize() for part in rest.split("_"))
    elif re.fullmatch(r"[A-Z_]+", rest):
        name = "ufCrm" + "".join(part.capitalize() for part in rest.split("_"))
    elif rest.isdigit():
        name = f"ufCrm{number}_{rest}"
    else:
        name = f"ufCrm_{number}_{rest}" if number else f"ufCrm_{rest}"
    return code if name in taken else name


def _fields(text: str, type_: str, **flags: Any) -> list[Field]:
    return [Field(name, type_, upper_name(name), **flags) for name in text.split()]


def _head() -> list[Field]:
    return [
        *_fields("id", "integer", read_only=True, title="ID"),
        *_fields("createdTime updatedTime movedTime lastActivityTime", "datetime", read_only=True),
        *_fields("createdBy updatedBy movedBy lastActivityBy", "user", read_only=True),
        *_fields("assignedById", "user", title="Ответственный"),
        *_fields("opened", "boolean"),
        *_fields("webformId", "integer"),
        *_fields("utmSource utmMedium utmCampaign utmContent utmTerm", "string"),
    ]


def _lead() -> list[Field]:
    """Without stages: what an application shows in a lead's card does not depend on them."""
    return [
        *_head(),
        *_fields("title", "string", title="Название"),
        *_fields("name", "string", title="Имя"),
        *_fields("lastName", "string", title="Фамилия"),
        *_fields("secondName post address comments honorific companyTitle sourceId sourceDescription", "string"),
        *_fields("originatorId originId", "string"),
        *_fields("opportunity", "double"),
        *_fields("currencyId", "crm_currency"),
        *_fields("companyId contactId", "integer"),
        *_fields("contactIds", "crm_contact", multiple=True),
        *_fields("observers", "user", multiple=True),
        *_fields("hasPhone hasEmail hasImol", "boolean", read_only=True),
        *_fields("fm", "crm_multifield", multiple=True),
    ]


def _deal() -> list[Field]:
    return [
        *_head(),
        *_fields("title", "string", title="Название"),
        *_fields("xmlId", "string", enabled=False),
        *_fields("categoryId", "crm_category"),
        *_fields("stageId", "crm_status", title="Стадия"),
        *_fields(
            "stageSemanticId closed isNew isRecurring isReturnCustomer isRepeatedApproach", "string", read_only=True
        ),
        *_fields("previousStageId", "crm_status", read_only=True),
        *_fields("typeId sourceId sourceDescription comments additionalInfo originatorId originId", "string"),
        *_fields("opportunity taxValue", "double"),
        *_fields("isManualOpportunity", "boolean"),
        *_fields("currencyId", "crm_currency"),
        *_fields("probability", "integer"),
        *_fields("leadId quoteId companyId contactId", "integer"),
        *_fields("contactIds", "crm_contact", multiple=True),
        *_fields("begindate closedate", "date"),
        *_fields("observers", "user", multiple=True),
    ]


def _contact() -> list[Field]:
    return [
        *_head(),
        *_fields("name", "string", title="Имя"),
        *_fields("lastName", "string", title="Фамилия"),
        *_fields("secondName post address comments honorific typeId sourceId sourceDescription", "string"),
        *_fields("originatorId originId originVersion", "string"),
        *_fields("birthdate", "date"),
        *_fields("export", "boolean"),
        *_fields("leadId companyId categoryId", "integer"),
        *_fields("companyIds", "crm_company", multiple=True),
        *_fields("observers", "user", multiple=True),
        *_fields("hasPhone hasEmail hasImol", "boolean", read_only=True),
        *_fields("fm", "crm_multifield", multiple=True),
    ]


def _company() -> list[Field]:
    return [
        *_head(),
        *_fields("title", "string", title="Название"),
        *_fields("typeId industry employees comments sourceId originatorId originId originVersion", "string"),
        *_fields("revenue", "double"),
        *_fields("currencyId", "crm_currency"),
        *_fields("isMyCompany", "boolean"),
        *_fields("leadId categoryId", "integer"),
        *_fields("contactIds", "crm_contact", multiple=True),
        *_fields("observers", "user", multiple=True),
        *_fields("hasPhone hasEmail hasImol", "boolean", read_only=True),
        *_fields("fm", "crm_multifield", multiple=True),
    ]


def _dynamic(kind: Json) -> list[Field]:
    def on(flag: str) -> bool:
        return bool(kind[flag] == "Y")

    return [
        *_head(),
        *_fields("title", "string", title="Название"),
        *_fields("xmlId", "string", title="Внешний код"),
        *_fields("categoryId", "crm_category"),
        *_fields("stageId", "crm_status", enabled=on("isStagesEnabled"), title="Стадия"),
        *_fields("previousStageId", "crm_status", read_only=True, enabled=on("isStagesEnabled")),
        *_fields("begindate closedate", "date", enabled=on("isBeginCloseDatesEnabled")),
        *_fields("companyId contactId", "integer", enabled=on("isClientEnabled")),
        *_fields("contactIds", "crm_contact", multiple=True, enabled=on("isClientEnabled")),
        *_fields("observers", "user", multiple=True, enabled=on("isObserversEnabled")),
        *_fields("sourceId sourceDescription", "string", enabled=on("isSourceEnabled")),
        *_fields("opportunity taxValue", "double", enabled=on("isLinkWithProductsEnabled")),
        *_fields("isManualOpportunity", "boolean", enabled=on("isLinkWithProductsEnabled")),
        *_fields("currencyId", "crm_currency", enabled=on("isLinkWithProductsEnabled")),
        *_fields("mycompanyId", "integer", enabled=on("isMycompanyEnabled")),
    ]


def type_of(portal: Portal, entity_type_id: int) -> Json | None:
    """The smart process with this entityTypeId."""
    return next((kind for kind in portal.types.values() if kind["entityTypeId"] == entity_type_id), None)


def uf_entity(portal: Portal, entity_type_id: int) -> str:
    """The ``entityId`` of custom fields: CRM_DEAL, or CRM_<primary key> for a smart process."""
    if entity_type_id in CLASSIC:
        return f"CRM_{CLASSIC[entity_type_id]}"
    kind = type_of(portal, entity_type_id)
    return f"CRM_{kind['id']}" if kind else ""


def fields_of(portal: Portal, entity_type_id: int) -> dict[str, Field]:
    """All fields of a kind of item by REST name, disabled ones too; raises NOT_FOUND for an unknown kind."""
    known: dict[str, Field] | None = portal.schema_cache.get(entity_type_id)
    if known is None:
        known = portal.schema_cache[entity_type_id] = _build(portal, entity_type_id)
    return known


def forget(portal: Portal) -> None:
    """Types or custom fields have changed: build the fields anew when they are asked for."""
    portal.schema_cache.clear()


def _build(portal: Portal, entity_type_id: int) -> dict[str, Field]:
    makers = {LEAD: _lead, DEAL: _deal, CONTACT: _contact, COMPANY: _company}
    kind = type_of(portal, entity_type_id)
    if kind is not None:
        rows = _dynamic(kind)
    elif entity_type_id in makers:
        rows = makers[entity_type_id]()
    elif entity_type_id == 5:
        raise RestError("ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported")
    else:
        raise RestError("NOT_FOUND", "Смарт-процесс не найден")
    found = {one.name: one for one in rows + _parents(portal, entity_type_id)}
    return found | _custom(portal, entity_type_id, found)


def _parents(portal: Portal, entity_type_id: int) -> list[Field]:
    """One ``parentId{n}`` per parent that a relation of either side names."""
    kind = type_of(portal, entity_type_id)
    own = {row["entityTypeId"] for row in kind["relations"]["parent"]} if kind else set()
    for other in portal.types.values():
        if any(row["entityTypeId"] == entity_type_id for row in other["relations"]["child"]):
            own.add(other["entityTypeId"])
    # Contacts and companies that "Client" relates are the fields contactIds and companyId.
    hidden = (
        {row["entityTypeId"] for row in kind["relations"]["parent"] if row["isPredefined"] == "Y"} if kind else set()
    )
    return [Field(f"parentId{n}", "crm_entity", f"PARENT_ID_{n}", dynamic=True) for n in sorted(own - hidden)]


def _custom(portal: Portal, entity_type_id: int, system: dict[str, Field]) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for row in portal.userfields.values():
        if row["entityId"] == uf_entity(portal, entity_type_id):
            name = rest_name(row["fieldName"], {**system, **found})
            found[name] = Field(
                name,
                row["userTypeId"],
                row["fieldName"],
                title=next((text for text in row["editFormLabel"].values() if text), row["fieldName"]),
                required=row["mandatory"] == "Y",
                multiple=row["multiple"] == "Y",
                dynamic=True,
                settings=row["settings"],
                options=tuple(int(option["id"]) for option in row["enum"]),
            )
    return found


def describe(one: Field) -> Json:
    """A field as ``crm.item.fields`` answers it."""
    return {
        "type": one.type,
        "isRequired": one.required,
        "isReadOnly": one.read_only,
        "isImmutable": one.immutable,
        "isMultiple": one.multiple,
        "isDynamic": one.dynamic,
        "title": one.title or one.name,
        "upperName": one.upper,
        **({"settings": one.settings} if one.dynamic and one.settings else {}),
    }
