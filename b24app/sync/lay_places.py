"""Laying down everything around the CRM: placements, events, the calendar's section. May run any number of times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from b24app.bitrix.client import Command
from b24app.bitrix.loose import as_map, flag, whole
from b24app.errors import Rejected
from b24app.ledger import refs, tenancy
from b24app.ledger.session import transaction
from b24app.sync.lay_crm import KEYS
from b24app.sync.manifest import Placement, manifest
from b24app.sync.site import NotHere, Site, all_of

COMPANY_CALENDAR = {"type": "company_calendar", "ownerId": 0}


# Placements: https://apidocs.bitrix24.com/api-reference/widgets/placement-bind.html ----


@dataclass(frozen=True, slots=True)
class Bound:
    """What is bound in the portal, ours or left over from an earlier version."""

    code: str
    handler: str
    titles: Mapping[str, str]


def lay_placements(site: Site) -> dict[str, Any]:
    """Binds what is missing or different and takes away what is no longer declared. Returns bound and missing codes."""
    answers = all_of(site.client, {"list": Command("placement.list"), "get": Command("placement.get")})
    available = {str(code) for code in as_map(answers["list"]).values()}
    declared = _declared(site)
    wanted = [one for one in declared if one.code in available]
    commands = dict(_placement_changes(site, wanted, _bound(answers["get"])))
    if commands:
        all_of(site.client, commands)
        _check_bound(site, wanted)
    if not wanted:
        raise Rejected("NO_PLACEMENTS")
    missing = [one.code for one in declared if one.code not in available]
    return {"bound": [one.code for one in wanted], "missing": missing}


def _declared(site: Site) -> list[Placement]:
    """What the manifest declares, with the numbers that this portal gave to our smart processes; without those, of a
    portal that has none (Level A), their cards are left out."""
    laid = site.laid()
    types = {key: laid.type(key) for key in KEYS}
    numbers = {f"{{{key}}}": str(one.entity_type_id) for key, one in types.items() if one is not None}
    found = [_numbered(placement, numbers) for placement in manifest().placements]
    return [one for one in found if "{" not in one.code]


def _numbered(placement: Placement, numbers: Mapping[str, str]) -> Placement:
    code = placement.code
    for name, number in numbers.items():
        code = code.replace(name, number)
    return replace(placement, code=code)


def _bound(rows: Any) -> list[Bound]:
    return [
        Bound(
            code=str(row.get("placement")).upper(),
            handler=str(row.get("handler")),
            titles={lang: str(as_map(texts).get("TITLE") or "") for lang, texts in as_map(row.get("langAll")).items()},
        )
        for row in map(as_map, as_map(rows).values())
    ]


def _placement_changes(
    site: Site, wanted: Iterable[Placement], bound: Iterable[Bound]
) -> Iterable[tuple[str, Command]]:
    """First what has to go, then what has to come: the portal refuses to bind one handler twice."""
    aims = [_aim(site, one) for one in wanted]
    stands = list(bound)
    for number, row in enumerate(stands):
        if row not in aims:
            yield f"unbind{number}", Command("placement.unbind", {"PLACEMENT": row.code, "HANDLER": row.handler})
    for number, aim in enumerate(aims):
        if aim not in stands:
            yield f"bind{number}", Command("placement.bind", _binding(aim))


def _aim(site: Site, placement: Placement) -> Bound:
    return Bound(placement.code, site.app_url + placement.handler, placement.title)


def _binding(aim: Bound) -> dict[str, Any]:
    return {
        "PLACEMENT": aim.code,
        "HANDLER": aim.handler,
        "TITLE": aim.titles["en"],
        "LANG_ALL": {lang: {"TITLE": title} for lang, title in aim.titles.items()},
    }


def _check_bound(site: Site, wanted: Iterable[Placement]) -> None:
    """A portal may say `true` and keep something else."""
    stands = {(row.code, row.handler) for row in _bound(site.client.call("placement.get"))}
    missing = [one.code for one in wanted if (one.code, site.app_url + one.handler) not in stands]
    if missing:
        raise Rejected("PLACEMENTS", ", ".join(missing))


# Events: https://apidocs.bitrix24.com/api-reference/events/event-bind.html ----


def lay_events(site: Site) -> dict[str, Any]:
    """The same for events. Returns bound and missing names."""
    answers = all_of(site.client, {"list": Command("events"), "get": Command("event.get")})
    available = {str(name).upper() for name in as_map(answers["list"]).values()}
    wanted = [name for name in manifest().events if name in available]
    handler = site.app_url + manifest().events_handler
    commands = dict(_event_changes(wanted, handler, [as_map(row) for row in as_map(answers["get"]).values()]))
    if commands:
        all_of(site.client, commands)
    return {"bound": wanted, "missing": [name for name in manifest().events if name not in available]}


def _event_changes(
    wanted: Iterable[str], handler: str, rows: Iterable[Mapping[str, Any]]
) -> Iterable[tuple[str, Command]]:
    aims = {(name, handler) for name in wanted}
    stands = {(str(row.get("event")).upper(), str(row.get("handler"))) for row in rows if not whole(row.get("offline"))}
    for number, (name, address) in enumerate(sorted(stands - aims)):
        yield f"unbind{number}", Command("event.unbind", {"EVENT": name, "HANDLER": address})
    for number, (name, address) in enumerate(sorted(aims - stands)):
        yield f"bind{number}", Command("event.bind", {"EVENT": name, "HANDLER": address})


# Calendar: https://apidocs.bitrix24.com/api-reference/calendar/calendar-section-get.html ----


def lay_calendar(site: Site) -> dict[str, Any]:
    """Chooses the company calendar's section where bookings of things are drawn; never a personal calendar.

    The one chosen before stays as long as this administrator may write there. Raises NotHere with the reason why
    there is none.
    """
    rows = _sections(site)
    writable = {whole(row.get("ID")): str(row.get("NAME") or "") for row in rows if _may_write(row)}
    with transaction(site.engine) as tx:
        refs.hold(tx, site.portal_id)
        portal = tenancy.lock_tenant(tx, site.portal_id).portal
        known = whole(portal.calendar.get("section"))
        section = known if known in writable else next(iter(writable), None)
        why = "" if section else ("NOT_WRITABLE" if rows else "NO_SECTION")
        portal.calendar = {**portal.calendar, "section": section, "name": writable.get(section, ""), "why": why}
        tx.flush()
        if section:
            refs.ensure_refs(tx, portal, site.now)
    if not section:
        raise NotHere(why)
    return {"section": writable[section]}


def _sections(site: Site) -> list[dict[str, Any]]:
    try:
        rows = site.client.call("calendar.section.get", COMPANY_CALENDAR)
    except Rejected as error:
        _no_calendar(site, error.code or "CALENDAR")
        raise NotHere(error.code or "CALENDAR") from error
    return [as_map(row) for row in as_map(rows).values()]


def _no_calendar(site: Site, why: str) -> None:
    with transaction(site.engine) as tx:
        portal = tenancy.lock_tenant(tx, site.portal_id).portal
        portal.calendar = {**portal.calendar, "section": None, "name": "", "why": why}


def _may_write(row: Mapping[str, Any]) -> bool:
    rights = as_map(row.get("PERM"))
    return flag(rights.get("add")) or flag(rights.get("edit"))
