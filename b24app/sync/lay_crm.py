"""Laying down the two smart processes with their fields. Each function may run any number of times.

Everything is looked for before it is made, and made under a name that the portal keeps unique: the number of the
type (chosen by us and committed before it is asked for), FIELD_NAME. So a lost answer or a second window makes no
twin. https://apidocs.bitrix24.com/api-reference/crm/universal/user-defined-object-types/index.html
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from b24app.bitrix.client import Command
from b24app.bitrix.loose import as_map, whole
from b24app.errors import Rejected
from b24app.ledger import refs, tenancy
from b24app.ledger.session import transaction
from b24app.sync.laid import LaidCrm, LaidType
from b24app.sync.site import NotHere, Site, all_of
from b24app.sync.verdict import settled

DECLARATION = Path(__file__).resolve().parents[2] / "install" / "smart_processes.json"
FIRST_NUMBER = 1030  # the free range of even numbers; the low range is the portal's own choice
MARK = "b24booking"
DEAL = 2
KEYS = ("resources", "bookings")
RESTRICTED = {"CREATE_DYNAMIC_TYPE_RESTRICTED", "UPDATE_DYNAMIC_TYPE_RESTRICTED"}
# Without these the items do not work; what else people switch off stays off.
NEEDED = {
    "resources": ("isUseInUserfieldEnabled",),
    "bookings": (
        "isStagesEnabled",
        "isClientEnabled",
        "isLinkWithProductsEnabled",
        "isUseInUserfieldEnabled",
        "isObserversEnabled",
    ),
}


@cache
def declaration() -> dict[str, Any]:
    """Both types as install/smart_processes.json declares them."""
    return dict(json.loads(DECLARATION.read_text(encoding="utf-8")))


# Types ----


def lay_type(site: Site, key: str) -> LaidType:
    """The smart process `key` with its fields, as the portal has it in the end. Raises NotHere, Rejected, Retryable."""
    if key == "bookings" and site.laid().resources is None:
        raise NotHere("NO_RESOURCES")
    found = _mended(site, key, _found(site, key) or _added(site, key))
    laid = _with_fields(site, key, LaidType(int(found["id"]), int(found["entityTypeId"])))
    _keep(site, key, laid)
    return laid


def _keep(site: Site, key: str, laid: LaidType) -> None:
    """Remembers the type. Where another one was known, that was deleted with its items and its funnel.

    The next one may well have the same number, and counts its items from 1.
    """
    with transaction(site.engine) as tx:
        refs.hold(tx, site.portal_id)
        portal = tenancy.lock_tenant(tx, site.portal_id).portal
        before = LaidCrm.from_json(portal.crm)
        after, known = before.with_type(key, laid), before.type(key)
        if known is not None and known.id != laid.id:
            after = replace(after, category_id=None, stages={}) if key == "bookings" else after
            refs.forget_items(tx, portal.id, key, {"at": settled(site.now), "type": "item"}, site.now)
        portal.crm = after.to_json()


def _found(site: Site, key: str) -> dict[str, Any] | None:
    """Our type: the one remembered, the one we were about to make, the one with our fields, an empty namesake."""
    laid = site.laid()
    known = laid.type(key)
    return (
        (_by_number(site, known.entity_type_id) if known else None)
        or _intended(site, key, laid)
        or _by_mark(site, key)
        or _namesake(site, key)
    )


def _by_number(site: Site, entity_type_id: int) -> dict[str, Any] | None:
    return _asked(site, "crm.type.getByEntityTypeId", {"entityTypeId": entity_type_id})


def _asked(site: Site, method: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """A type, or None when there is none (its code is a numeric 0 there)."""
    try:
        return as_map(as_map(site.client.call(method, params)).get("type")) or None
    except Rejected as error:
        if error.code.upper() in ("0", "NOT_FOUND"):
            return None
        raise


def _intended(site: Site, key: str, laid: LaidCrm) -> dict[str, Any] | None:
    """What an earlier attempt made without hearing of it; under the chosen number may also stand somebody else's."""
    number = laid.intent.get(key)
    found = _by_number(site, number) if number else None
    return found if found and found.get("title") in declaration()[key]["title"].values() else None


def _by_mark(site: Site, key: str) -> dict[str, Any] | None:
    """By the external code of its first field: so an earlier life of the application is found again."""
    first = declaration()[key]["fields"][0]
    rows = _list_fields(site, {"xmlId": _mark(key, first)})
    owners = [whole(str(row.get("entityId", "")).removeprefix("CRM_")) for row in rows]
    return next((found for owner in owners if owner and (found := _asked(site, "crm.type.get", {"id": owner}))), None)


def _namesake(site: Site, key: str) -> dict[str, Any] | None:
    """A type of our title without a single field: ours, interrupted in a life of which nothing is remembered."""
    titles = declaration()[key]["title"].values()
    for row in _types(site):
        if row.get("title") in titles and not _list_fields(site, {"entityId": f"CRM_{row['id']}"}):
            return _asked(site, "crm.type.get", {"id": row["id"]})
    return None


def _types(site: Site) -> list[dict[str, Any]]:
    return [as_map(row) for row in site.client.list_all("crm.type.list", key="types")]


def _added(site: Site, key: str) -> dict[str, Any]:
    taken = {whole(row.get("entityTypeId")) for row in _types(site)}
    if site.laid().intent.get(key) in taken and (by_another_window := _intended(site, key, site.laid())):
        return by_another_window
    number = _intend(site, key, taken)
    try:
        answer = site.client.call("crm.type.add", {"fields": _type_fields(site, key, number)})
    except Rejected as error:
        if error.code in RESTRICTED:
            raise NotHere(error.code) from error
        if by_another_window := _intended(site, key, site.laid()):
            return by_another_window
        raise
    return as_map(as_map(answer).get("type"))


def _intend(site: Site, key: str, taken: Collection[int | None]) -> int:
    """The number under which the type is about to be made, committed before the portal is asked."""

    def chosen(laid: LaidCrm) -> LaidCrm:
        others = {number for other, number in laid.intent.items() if other != key}
        free = (n for n in range(FIRST_NUMBER, FIRST_NUMBER + 100_000, 2) if n not in taken and n not in others)
        known = laid.intent.get(key)
        return replace(laid, intent={**laid.intent, key: known if known and known not in taken else next(free)})

    return site.amend(chosen).intent[key]


def _type_fields(site: Site, key: str, number: int) -> dict[str, Any]:
    declared = declaration()[key]
    return {
        "title": declared["title"][site.language],
        "entityTypeId": number,
        **declared["flags"],
        "isSetOpenPermissions": "Y" if site.open_to_all else "N",
        "linkedUserFields": dict.fromkeys(declared.get("linked_fields", ()), "true"),
        "relations": {"parent": [_parent(n) for n in _parents(site, key)], "child": []},
    }


def _parents(site: Site, key: str) -> list[int]:
    resources = site.laid().resources
    numbers = {"deal": DEAL, "resources": resources.entity_type_id if resources else None}
    return [number for name in declaration()[key]["parents"] if (number := numbers[name])]


def _parent(entity_type_id: int) -> dict[str, Any]:
    return {"entityTypeId": entity_type_id, "isChildrenListEnabled": "true"}


def _mended(site: Site, key: str, found: dict[str, Any]) -> dict[str, Any]:
    """The type with everything that items need: the portal drops wrong relations without a word, people switch off."""
    wanted = _lacking(site, key, found)
    if not wanted:
        return found
    try:
        site.client.call("crm.type.update", {"id": found["id"], "fields": wanted})
    except Rejected as error:
        if error.code in RESTRICTED:
            raise NotHere(error.code) from error
        raise
    mended = _asked(site, "crm.type.get", {"id": found["id"]})
    if mended is None or _lacking(site, key, mended):
        raise Rejected("TYPE_SETTINGS", ", ".join(sorted(wanted)))
    return mended


def _lacking(site: Site, key: str, found: Mapping[str, Any]) -> dict[str, Any]:
    lacking: dict[str, Any] = {flag: "Y" for flag in NEEDED[key] if found.get(flag) != "Y"}
    rows = [as_map(row) for row in as_map(as_map(found.get("relations")).get("parent")).values()]
    missing = [n for n in _parents(site, key) if n not in {whole(row.get("entityTypeId")) for row in rows}]
    if missing:  # they are replaced as a whole, so people's own go along; predefined ones cannot be changed
        kept = [_again(row) for row in rows if row.get("isPredefined") != "Y"]
        children = [_again(as_map(row)) for row in as_map(as_map(found.get("relations")).get("child")).values()]
        lacking["relations"] = {"parent": [*kept, *map(_parent, missing)], "child": children}
    return lacking


def _again(row: Mapping[str, Any]) -> dict[str, Any]:
    """A relation as it is written: the words true and false, though it is read as Y and N."""
    shown = row.get("isChildrenListEnabled") in ("Y", True, "true")
    return {"entityTypeId": row.get("entityTypeId"), "isChildrenListEnabled": "true" if shown else "false"}


# Fields: https://apidocs.bitrix24.com/api-reference/crm/universal/userfieldconfig/index.html ----


def _mark(key: str, declared: Mapping[str, Any]) -> str:
    return f"{MARK}:{key}:{declared['key']}"


def _field_name(laid: LaidType, declared: Mapping[str, Any]) -> str:
    return f"UF_CRM_{laid.id}_{declared['name']}"


def _list_fields(site: Site, where: Mapping[str, Any]) -> list[dict[str, Any]]:
    params = {"moduleId": "crm", "filter": dict(where)}
    return [as_map(row) for row in site.client.list_all("userfieldconfig.list", params, "fields")]


def _with_fields(site: Site, key: str, laid: LaidType) -> LaidType:
    declared = declaration()[key]["fields"]
    present = _present(site, laid)
    missing = [one for one in declared if _field_name(laid, one) not in present]
    if missing:
        answers = site.client.batch({one["key"]: _add_field(site, key, laid, one) for one in missing})
        present = _present(site, laid)
        for one in missing:
            if _field_name(laid, one) not in present:
                raise answers.errors.get(one["key"]) or Rejected("FIELD", one["key"])
    return _named(site, laid, declared, present)


def _present(site: Site, laid: LaidType) -> dict[str, dict[str, Any]]:
    return {str(row.get("fieldName")): row for row in _list_fields(site, {"entityId": f"CRM_{laid.id}"})}


def _add_field(site: Site, key: str, laid: LaidType, declared: Mapping[str, Any]) -> Command:
    names = [one["key"] for one in declaration()[key]["fields"]]
    field = {
        "entityId": f"CRM_{laid.id}",
        "fieldName": _field_name(laid, declared),
        "userTypeId": declared["type"],
        "xmlId": _mark(key, declared),
        "sort": 100 + 10 * names.index(declared["key"]),
        "multiple": "Y" if declared.get("multiple") else "N",
        "showFilter": "Y",
        "editFormLabel": declared["title"],
    }
    if settings := _settings(site, declared):
        field["settings"] = settings
    if "options" in declared:
        field["enum"] = [
            {"value": one["title"][site.language], "xmlId": one["key"], "sort": 100 * place}
            for place, one in enumerate(declared["options"], start=1)
        ]
    return Command("userfieldconfig.add", {"moduleId": "crm", "field": field})


def _settings(site: Site, declared: Mapping[str, Any]) -> dict[str, Any]:
    """A binding names its type by entityTypeId. Times are always sent with an offset and must not be shifted again."""
    if declared["type"] == "datetime":
        return {"USE_TIMEZONE": "N", "USE_SECOND": "N"}
    if "binds" in declared:
        bound = site.laid().need(declared["binds"])
        return {f"DYNAMIC_{bound.entity_type_id}": "Y"}
    return {}


def _named(
    site: Site, laid: LaidType, declared: list[dict[str, Any]], present: Mapping[str, Mapping[str, Any]]
) -> LaidType:
    """The names that items use, which the portal decides, and the numbers of the options of lists."""
    lists = [one for one in declared if "options" in one]
    commands = {"fields": Command("crm.item.fields", {"entityTypeId": laid.entity_type_id})}
    for one in lists:
        field_id = present[_field_name(laid, one)]["id"]
        commands[one["key"]] = Command("userfieldconfig.get", {"moduleId": "crm", "id": field_id})
    answers = all_of(site.client, commands)
    names = dict(_rest_names(as_map(as_map(answers["fields"]).get("fields"))))
    return replace(
        laid,
        fields={one["key"]: names[_field_name(laid, one)] for one in declared if _field_name(laid, one) in names},
        options={one["key"]: _options(as_map(as_map(answers[one["key"]]).get("field"))) for one in lists},
    )


def _rest_names(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, about in fields.items():
        yield str(as_map(about).get("upperName")), name


def _options(field: Mapping[str, Any]) -> dict[str, int]:
    rows = (as_map(row) for row in as_map(field.get("enum")).values())
    return {str(row.get("xmlId")): number for row in rows if (number := whole(row.get("id")))}
