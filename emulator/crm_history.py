"""How items moved through their stages: kept with every change, read by ``crm.stagehistory.list``.

Facts: "crm/crm-stage-history-list" of the documentation.
"""

from __future__ import annotations

from typing import Any

from emulator import crm_filter
from emulator.call import Call, Page, mapping, method, paged, values
from emulator.crm_base import Author, semantics
from emulator.crm_rights import visible_items
from emulator.crm_schema import DEAL, Field, type_of
from emulator.errors import RestError
from emulator.state import Json, Portal

CREATED, MOVED, FINISHED, FUNNEL = 1, 2, 3, 5
FIELDS = {
    name: Field(name, kind, name)
    for name, kind in (
        ("ID", "integer"), ("TYPE_ID", "integer"), ("OWNER_ID", "integer"), ("CREATED_TIME", "datetime"),
        ("CATEGORY_ID", "integer"), ("STAGE_SEMANTIC_ID", "string"), ("STAGE_ID", "string"),
    )
}  # fmt: skip


def record(portal: Portal, item: Json, author: Author, old: Json | None = None) -> None:
    """Remember that an item stands in a new stage; ``old`` is what it was before, None for a new one."""
    if not item.get("stageId") or (old is not None and old.get("stageId") == item["stageId"]):
        return
    meaning = semantics(portal, item["entityTypeId"], item["categoryId"], item["stageId"])
    portal.stage_history.append(
        {
            "ID": portal.next_id("stage_history"),
            "TYPE_ID": _type(item, old, meaning),
            "OWNER_ID": item["id"],
            "CREATED_TIME": portal.iso(author.now),
            "CATEGORY_ID": item["categoryId"],
            "STAGE_SEMANTIC_ID": meaning,
            "STAGE_ID": item["stageId"],
            "entityTypeId": item["entityTypeId"],
        }
    )


def _type(item: Json, old: Json | None, meaning: str) -> int:
    if old is None:
        return CREATED
    if old["categoryId"] != item["categoryId"]:
        return FUNNEL
    return MOVED if meaning == "P" else FINISHED


@method("crm.stagehistory.list", scope="crm")
def history(call: Call) -> Any:
    if call.user.extranet:
        raise RestError("allowed_only_intranet_user", "Действие доступно только пользователям интранета", 403)
    kind = call.number("entityTypeId")
    if kind != DEAL and type_of(call.portal, kind) is None:
        raise RestError("ENTITY_TYPE_NOT_SUPPORTED", f"Entity type {kind} is not supported")
    seen = {item["id"] for item in visible_items(call.portal, call.user, kind)}
    test = crm_filter.compiled(call.portal, FIELDS, mapping(call.arg("filter")))
    rows = [row for row in call.portal.stage_history if row["entityTypeId"] == kind and row["OWNER_ID"] in seen]
    rows = crm_filter.ordered(call.portal, FIELDS, [row for row in rows if test(row)], call.arg("order"))
    names = [name for name in values(call.arg("select")) if name in FIELDS] or list(FIELDS)
    page = paged(rows, call.arg("start"))
    return Page({"items": [{name: row[name] for name in names} for row in page.result]}, page.total, page.next)
