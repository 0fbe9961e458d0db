"""Product rows of CRM items: ``crm.item.productrow.*``.

Facts: "crm/universal/product-rows" of the documentation. ``price`` is what one unit finally costs, discount and tax
included; the other prices follow from it.
"""

from __future__ import annotations

from typing import Any

from emulator import crm, crm_filter
from emulator.call import Call, Page, integer, mapping, method, paged, truth, values
from emulator.crm_rights import denied, may
from emulator.crm_schema import COMPANY, CONTACT, DEAL, LEAD, Field, type_of
from emulator.errors import RestError, missing_parameter
from emulator.state import Json, Portal

ABSOLUTE, PERCENT = 1, 2
SERVICE = 7
KINDS = {
    "integer": ("id", "ownerId", "productId", "discountTypeId", "measureCode", "sort", "type", "storeId"),
    "string": ("ownerType", "productName", "measureName", "xmlId"),
    "double": ("price", "priceAccount", "priceExclusive", "priceNetto", "priceBrutto", "quantity", "discountRate",
               "discountSum", "taxRate"),
    "char": ("taxIncluded", "customized"),
}  # fmt: skip
FIELDS = {name: Field(name, kind, name) for kind, names in KINDS.items() for name in names}
READ_ONLY = ("id", "priceAccount", "priceExclusive", "priceNetto", "priceBrutto", "customized", "measureName", "xmlId",
             "type", "storeId")  # fmt: skip


def short_code(entity_type_id: int) -> str:
    """The code of an owner's kind: D for deals, T and the hexadecimal number for smart processes."""
    return {LEAD: "L", DEAL: "D", CONTACT: "C", COMPANY: "CO"}.get(entity_type_id) or f"T{entity_type_id:x}"


def owner_kind(portal: Portal, code: Any) -> int:
    """The kind of a short code; raises ENTITY_TYPE_NOT_SUPPORTED for one that carries no products."""
    if code == "D":
        return DEAL
    text = str(code or "")
    number = _hexadecimal(text.removeprefix("T")) if text.startswith("T") else 0
    kind = type_of(portal, number)
    if kind is None or kind["isLinkWithProductsEnabled"] != "Y":
        raise RestError("ENTITY_TYPE_NOT_SUPPORTED", f"Работа с типом {text} не поддерживается")
    return number


def _hexadecimal(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return 0


def rows_of(portal: Portal, entity_type_id: int, item_id: int) -> list[Json]:
    rows = portal.product_rows.values()
    return [row for row in rows if (row["entityTypeId"], row["ownerId"]) == (entity_type_id, item_id)]


def _owner(call: Call, code: Any, item_id: Any, action: str) -> tuple[int, int]:
    kind, number = owner_kind(call.portal, code), integer(item_id, 0)
    if number not in call.portal.items.get(kind, {}):
        raise RestError("OWNER_NOT_FOUND", "Владелец не найден")
    if not may(call.portal, call.user, action, kind, number):
        raise denied()
    return kind, number


def _number(value: Any, default: float) -> float | int:
    try:
        number = round(float(str(value).replace(",", ".")), 4)
    except ValueError:
        return default
    return int(number) if number.is_integer() else number


def _built(portal: Portal, kind: int, item_id: int, given: Json, old: Json | None = None) -> Json:
    """A whole row out of what was given; what is missing is as before, or as the platform presets it."""
    base: Json = old or {
        "id": portal.next_id("product_row"), "entityTypeId": kind, "ownerId": item_id, "ownerType": short_code(kind),
        "productId": 0, "productName": "", "price": 0, "quantity": 1, "discountTypeId": PERCENT, "discountRate": 0,
        "discountSum": 0, "taxRate": None, "taxIncluded": "N", "customized": "Y", "measureCode": 796,
        "measureName": "шт", "sort": 0, "type": 1,
    }  # fmt: skip
    row = dict(base)
    row |= {name: integer(given[name], row[name]) for name in ("productId", "sort", "measureCode", "discountTypeId")
            if name in given}  # fmt: skip
    row |= {name: _number(given[name], 0) for name in ("price", "quantity", "discountRate", "discountSum")
            if name in given}  # fmt: skip
    if "productName" in given:
        row["productName"] = str(given["productName"])
    if "taxRate" in given:
        row["taxRate"] = None if given["taxRate"] in (None, "") else _number(given["taxRate"], 0)
    if "taxIncluded" in given:
        row["taxIncluded"] = "Y" if truth(given["taxIncluded"]) else "N"
    row["xmlId"] = f"sale_basket_{row['id']}"
    return row | _prices(row)


def _prices(row: Json) -> Json:
    """The prices that follow: without tax, before the discount."""
    factor = 1 + (row["taxRate"] or 0) / 100
    exclusive = row["price"] / factor
    if row["discountTypeId"] == ABSOLUTE:
        netto = exclusive + row["discountSum"]
        discount = {"discountRate": _number(row["discountSum"] / netto * 100 if netto else 0, 0)}
    else:
        share = 1 - min(row["discountRate"], 99.99) / 100
        netto = exclusive / share
        discount = {"discountSum": _number(netto - exclusive, 0)}
    money = {
        "priceAccount": row["price"],
        "priceExclusive": exclusive,
        "priceNetto": netto,
        "priceBrutto": netto * factor,
    }
    return discount | {name: _number(round(value, 2), 0) for name, value in money.items()}


def _shown(row: Json) -> Json:
    return {name: value for name, value in row.items() if name != "entityTypeId"}


def _summed(call: Call, kind: int, item_id: int) -> None:
    """The owner's amount follows its rows unless it is set by hand; that is a change of the owner like any other."""
    owner = call.portal.items[kind][item_id]
    if owner.get("isManualOpportunity") == "Y":
        return
    total = sum(row["price"] * row["quantity"] for row in rows_of(call.portal, kind, item_id))
    crm.update_item(call.portal, kind, item_id, {"opportunity": round(total, 2)}, crm.author_of(call))


def _found(call: Call, action: str) -> Json:
    row = call.portal.product_rows.get(call.number("id"))
    if row is None:
        raise RestError("NOT_FOUND", "Элемент не найден")
    _owner(call, row["ownerType"], row["ownerId"], action)
    return row


@method("crm.item.productrow.add", scope="crm", write=True)
def add(call: Call) -> Any:
    given = mapping(call.exact("fields"))
    for name in ("ownerId", "ownerType"):
        if not given.get(name):
            raise missing_parameter(name)
    kind, item_id = _owner(call, given["ownerType"], given["ownerId"], "update")
    row = _built(call.portal, kind, item_id, given)
    call.portal.product_rows[row["id"]] = row
    _summed(call, kind, item_id)
    return {"productRow": _shown(row)}


@method("crm.item.productrow.set", scope="crm", write=True)
def set_rows(call: Call) -> Any:
    """Replace the whole list of an owner; a row whose id is known stays that row."""
    kind, item_id = _owner(call, call.exact("ownerType"), call.number("ownerId"), "update")
    known = {row["id"]: row for row in rows_of(call.portal, kind, item_id)}
    asked = [mapping(one) for one in values(call.exact("productRows"))]
    made = [_built(call.portal, kind, item_id, one, known.get(integer(one.get("id"), 0))) for one in asked]
    for number in known:
        del call.portal.product_rows[number]
    call.portal.product_rows |= {row["id"]: row for row in made}
    _summed(call, kind, item_id)
    return {"productRows": [_shown(row) for row in made]}


@method("crm.item.productrow.list", scope="crm")
def list_rows(call: Call) -> Any:
    given = mapping(call.exact("filter"))
    if not given.get("=ownerType") or not given.get("=ownerId"):
        raise RestError("INVALID_ARG_VALUE", "Filter must contain =ownerType and =ownerId")
    kind, item_id = _owner(call, given.pop("=ownerType"), given.pop("=ownerId"), "read")
    test = crm_filter.compiled(call.portal, FIELDS, given)
    rows = [row for row in rows_of(call.portal, kind, item_id) if test(row)]
    page = paged(crm_filter.ordered(call.portal, FIELDS, rows, call.arg("order")), call.arg("start"))
    return Page({"productRows": [_shown(row) for row in page.result]}, page.total, page.next)


@method("crm.item.productrow.get", scope="crm")
def get(call: Call) -> Any:
    return {"productRow": _shown(_found(call, "read"))}


@method("crm.item.productrow.update", scope="crm", write=True)
def update(call: Call) -> Any:
    row = _found(call, "update")
    changed = _built(call.portal, row["entityTypeId"], row["ownerId"], mapping(call.exact("fields")), row)
    call.portal.product_rows[row["id"]] = changed
    _summed(call, row["entityTypeId"], row["ownerId"])
    return {"productRow": _shown(changed)}


@method("crm.item.productrow.delete", scope="crm", write=True)
def delete(call: Call) -> Any:
    row = _found(call, "update")
    del call.portal.product_rows[row["id"]]
    _summed(call, row["entityTypeId"], row["ownerId"])


@method("crm.item.productrow.fields", scope="crm")
def fields(call: Call) -> Any:
    return {
        "fields": {
            name: {
                "type": one.type,
                "isRequired": name in ("ownerId", "ownerType"),
                "isReadOnly": name in READ_ONLY,
                "isImmutable": name in ("ownerId", "ownerType"),
                "isMultiple": False,
                "isDynamic": False,
                "title": name,
                "upperName": name,
            }
            for name, one in FIELDS.items()
        }
    }
