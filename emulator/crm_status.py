"""Stages and other directories: ``crm.status.*``.

Ids and numbers are strings, and many refusals have an empty code or their text as the code. Facts: "crm/status" of the
documentation.
"""

from __future__ import annotations

import re
from typing import Any

from emulator import crm_filter
from emulator.call import Call, Page, integer, mapping, method, truth
from emulator.crm_funnel import DEAL_DIRECTORY, DYNAMIC_DIRECTORY, add_status, prefix_of
from emulator.crm_schema import DEAL, Field, type_of
from emulator.errors import RestError, missing_parameter
from emulator.state import Json, Portal

FINAL = ("S", "F")


# crm.status.* ---------------------------------------------------------------------------------------------------


def _refused(text: str) -> RestError:
    return RestError("", text)


def _directory(call: Call, name: str) -> None:
    """Refuse a directory whose funnel does not exist."""
    dynamic, deal = DYNAMIC_DIRECTORY.match(name), DEAL_DIRECTORY.match(name)
    if dynamic:
        known = call.portal.categories.get(int(dynamic[1]), {})
        if type_of(call.portal, int(dynamic[1])) and int(dynamic[2]) in known:
            return
    elif (deal and int(deal[1] or 0) in call.portal.categories.get(DEAL, {})) or name in (
        "SOURCE",
        "CONTACT_TYPE",
        "COMPANY_TYPE",
        "DEAL_TYPE",
        "INDUSTRY",
    ):
        return
    raise _refused("The entity type is not supported in current context.")


def _settings_right(call: Call) -> None:
    if not call.user.is_admin:
        raise _refused("Access denied.")


@method("crm.status.add", scope="crm", write=True)
def status_add(call: Call) -> Any:
    _settings_right(call)
    given = mapping(call.arg("fields"))
    for name in ("ENTITY_ID", "STATUS_ID", "NAME"):
        if not given.get(name):
            raise _refused(f"The field '{name}' is required.")
    directory = str(given["ENTITY_ID"])
    _directory(call, directory)
    code, semantics = str(given["STATUS_ID"]), str(given.get("SEMANTICS") or "")
    _check_code(call.portal, directory, code)
    sort = integer(given.get("SORT"), 10)
    _check_order(call.portal, directory, sort, semantics)
    row = add_status(
        call.portal, directory, code, str(given["NAME"]), sort,
        color=str(given.get("COLOR") or ""), semantics=semantics if semantics in FINAL else None,
    )  # fmt: skip
    return int(row["ID"])


def _check_code(portal: Portal, directory: str, code: str) -> None:
    prefix, _ = prefix_of(directory)
    full = code if code.startswith(prefix) else prefix + code
    if not re.fullmatch(r"[A-Za-z0-9_-]+", full.removeprefix(prefix)) or len(full) > 50:
        raise _refused("STATUS_ID may hold Latin letters, digits, - and _ only.")
    if any(row["ENTITY_ID"] == directory and row["STATUS_ID"] == full for row in portal.statuses.values()):
        raise RestError("ERROR_CORE", f"Status with STATUS_ID {full} exists already")


def _check_order(portal: Portal, directory: str, sort: int, semantics: str) -> None:
    """In progress before success before failure; one success stage per funnel."""
    rows = [row for row in portal.statuses.values() if row["ENTITY_ID"] == directory]
    success = next((int(row["SORT"]) for row in rows if row["SEMANTICS"] == "S"), None)
    if success is None:
        return
    if semantics == "S":
        raise _refused("There can be only one success stage.")
    if (semantics == "F") != (sort > success):
        raise _refused("Cannot create a stage after the final one.")


def _status(call: Call) -> Json:
    number = integer(call.arg("id"), 0)
    if number <= 0:
        raise _refused("Invalid identifier.")
    if number not in call.portal.statuses:
        raise RestError("Status is not found.", "Status is not found.")
    return call.portal.statuses[number]


@method("crm.status.update", scope="crm", write=True)
def status_update(call: Call) -> Any:
    _settings_right(call)
    row = _status(call)
    given = mapping(call.arg("fields"))
    # ENTITY_ID, STATUS_ID and SEMANTICS cannot be changed and are passed over.
    row |= {name: str(given[name]) for name in ("NAME", "COLOR") if given.get(name)}
    if "SORT" in given:
        row["SORT"] = str(integer(given["SORT"], int(row["SORT"])))
    return True


@method("crm.status.delete", scope="crm", write=True)
def status_delete(call: Call) -> Any:
    _settings_right(call)
    row = _status(call)
    if row["SYSTEM"] == "Y" and not truth(mapping(call.arg("params")).get("FORCED")):
        raise RestError("Can not delete system status.", "Can not delete system status.")
    if _occupied(call.portal, row["STATUS_ID"]):
        raise RestError("There are active items in status.", "There are active items in status.")
    del call.portal.statuses[int(row["ID"])]
    return True


def _occupied(portal: Portal, stage_id: str) -> bool:
    return any(item.get("stageId") == stage_id for rows in portal.items.values() for item in rows.values())


@method("crm.status.get", scope="crm")
def status_get(call: Call) -> Any:
    return _shown(_status(call))


def _shown(row: Json) -> Json:
    """Stages of deals carry an extra object, those of smart processes do not."""
    if not DEAL_DIRECTORY.match(row["ENTITY_ID"]):
        return dict(row)
    word = {None: "process", "S": "success", "F": "failure"}[row["SEMANTICS"]]
    return {**row, "EXTRA": {"SEMANTICS": word, "COLOR": row["COLOR"]}}


STATUS_FIELDS = {
    name: Field(name, kind, name)
    for kind, names in (
        ("integer", ("ID", "SORT", "CATEGORY_ID")),
        ("string", ("ENTITY_ID", "STATUS_ID", "NAME", "NAME_INIT", "SYSTEM", "COLOR", "SEMANTICS")),
    )
    for name in names
}


@method("crm.status.list", scope="crm")
def status_list(call: Call) -> Any:
    test = crm_filter.compiled(call.portal, STATUS_FIELDS, call.arg("filter"))
    rows = [row for row in call.portal.statuses.values() if test(row)]
    rows = crm_filter.ordered(call.portal, STATUS_FIELDS, rows, call.arg("order") or {"SORT": "ASC"})
    return Page([_shown(row) for row in rows], len(rows))


@method("crm.status.entity.items", scope="crm")
def status_items(call: Call) -> Any:
    directory = call.arg("entityId")
    if not directory:
        raise missing_parameter("entityId")
    rows = [row for row in call.portal.statuses.values() if row["ENTITY_ID"] == directory]
    rows.sort(key=lambda row: int(row["SORT"]))
    return [{"NAME": row["NAME"], "SORT": int(row["SORT"]), "STATUS_ID": row["STATUS_ID"]} for row in rows]
