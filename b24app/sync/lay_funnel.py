"""Laying down the funnel of bookings; what people renamed stays, because stages are told by their STATUS_ID.

https://apidocs.bitrix24.com/api-reference/crm/status/index.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from b24app.bitrix.client import Command
from b24app.bitrix.loose import as_map, whole
from b24app.errors import Rejected
from b24app.ledger import refs, tenancy
from b24app.ledger.session import transaction
from b24app.sync.laid import LaidCrm
from b24app.sync.lay_crm import declaration
from b24app.sync.site import NotHere, Site, all_of

DEFAULTS = {"NEW", "PREPARATION", "CLIENT", "SUCCESS", "FAIL"}  # what the portal puts into every new funnel


def lay_funnel(site: Site) -> LaidCrm:
    """The stages of the bookings' funnel; then the portal is of Level B and gets what the ledger has already."""
    laid = lay_stages(site)
    _level_b(site)
    return laid


def lay_stages(site: Site) -> LaidCrm:
    """The stages of the bookings' funnel, those added again that somebody has deleted."""
    laid = site.laid()
    if laid.bookings is None:
        raise NotHere("NO_BOOKINGS")
    category_id = _category(site, laid)
    directory = f"DYNAMIC_{laid.bookings.entity_type_id}_STAGE_{category_id}"
    rows = _stages(site, directory)
    commands = {**_renames(site, rows), **_missing_stages(site, directory, rows)}
    if commands:
        all_of(site.client, commands)
        rows = _stages(site, directory)
    stages = _by_our_stage(rows)
    return site.amend(lambda known: replace(known, category_id=category_id, stages=stages))


def _category(site: Site, laid: LaidCrm) -> int:
    """The funnel remembered, or the type's default one."""
    assert laid.bookings is not None
    answer = site.client.call("crm.category.list", {"entityTypeId": laid.bookings.entity_type_id})
    rows = [as_map(row) for row in as_map(as_map(answer).get("categories")).values()]
    numbers = {whole(row.get("id")): row.get("isDefault") == "Y" for row in rows}
    if laid.category_id is not None and laid.category_id in numbers:
        return laid.category_id
    default = next((number for number, is_default in numbers.items() if is_default and number is not None), None)
    if default is None:
        raise Rejected("NO_FUNNEL")
    return default


def _stages(site: Site, directory: str) -> dict[str, dict[str, Any]]:
    """The funnel's stages by STATUS_ID without its prefix."""
    rows = site.client.call("crm.status.list", {"filter": {"ENTITY_ID": directory}, "order": {"SORT": "ASC"}})
    return {str(row["STATUS_ID"]).rpartition(":")[2]: row for row in map(as_map, as_map(rows).values())}


def _renames(site: Site, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Command]:
    """The default stages get our names once: as long as none of those stands there that we add after renaming."""
    declared = declaration()["bookings"]["stages"]
    if any(one["status"] in rows for one in declared if one["status"] not in DEFAULTS):
        return {}
    return {
        f"rename_{one['key']}": Command(
            "crm.status.update",
            {"id": rows[one["status"]]["ID"], "fields": {"NAME": one["title"][site.language], "COLOR": one["color"]}},
        )
        for one in declared
        if one["status"] in rows
    }


def _missing_stages(site: Site, directory: str, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Command]:
    """New stages, each on its side of the successful one: in progress before it, failures after everything else."""
    success = next((whole(row.get("SORT")) or 0 for row in rows.values() if row.get("SEMANTICS") == "S"), 1000)
    last = max((whole(row.get("SORT")) or 0 for row in rows.values()), default=success)
    commands = {}
    for one in declaration()["bookings"]["stages"]:
        if one["status"] in rows:
            continue
        failed = one.get("semantics") == "F"
        last += 10 if failed else 0
        fields = {
            "ENTITY_ID": directory,
            "STATUS_ID": one["status"],
            "NAME": one["title"][site.language],
            "SORT": last if failed else min(one["sort"], success - 1),
            "COLOR": one["color"],
            "SEMANTICS": one.get("semantics", ""),
        }
        commands[f"add_{one['key']}"] = Command("crm.status.add", {"fields": fields})
    return commands


def _by_our_stage(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    declared = declaration()["bookings"]["stages"]
    missing = [one["status"] for one in declared if one["status"] not in rows]
    if missing:
        raise Rejected("STAGES", ", ".join(missing))
    return {one["key"]: str(rows[one["status"]]["STATUS_ID"]) for one in declared}


def _level_b(site: Site) -> None:
    """From now on the portal has items; what the ledger holds already is drawn as well."""
    with transaction(site.engine) as tx:
        refs.hold(tx, site.portal_id)
        portal = tenancy.lock_tenant(tx, site.portal_id).portal
        portal.level = "B"
        tx.flush()
        refs.ensure_refs(tx, portal, site.now)
