"""Laying down our robots and triggers in the portal's automation. May run any number of times.

Their codes are stable for ever: robots and triggers that people have placed on stages are known by them alone, and
come back to life with them. What is declared stands in install/robots.json.
https://apidocs.bitrix24.com/api-reference/bizproc/bizproc-robot/bizproc-robot-add.html,
https://apidocs.bitrix24.com/api-reference/crm/automation/triggers/index.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from b24app.bitrix.client import BatchResult, Command
from b24app.bitrix.loose import as_map, whole
from b24app.errors import AppError, Rejected
from b24app.sync.manifest import manifest
from b24app.sync.site import NotHere, Site, all_of

DECLARATION = Path(__file__).resolve().parents[2] / "install" / "robots.json"
PREFIX = "booking."  # of every code of ours, in this version and any other
DEALS = ("crm", "CCrmDocumentDeal", "DEAL")
DYNAMIC = r"Bitrix\Crm\Integration\BizProc\Document\Dynamic"
# A robot that is there cannot be asked what it is like, and another window may have been faster.
THERE_ALREADY = {"ERROR_ACTIVITY_ALREADY_INSTALLED", "ERROR_ACTIVITY_ADD_FAILURE"}


@dataclass(frozen=True, slots=True)
class Part:
    """Robots or triggers: what they are called here, and the methods that lay them down."""

    name: str
    scope: str
    methods: str

    @property
    def codes(self) -> set[str]:
        """What is declared."""
        return {one["code"] for one in declaration()[self.name]}

    @property
    def add(self) -> str:
        return f"{self.methods}.add"


ROBOTS = Part("robots", "bizproc", "bizproc.robot")
TRIGGERS = Part("triggers", "crm", "crm.automation.trigger")


@cache
def declaration() -> dict[str, Any]:
    """Robots with their parameters, and triggers, as install/robots.json declares them."""
    return dict(json.loads(DECLARATION.read_text(encoding="utf-8")))


def lay_automation(site: Site) -> dict[str, Any]:
    """Registers what is missing, brings the rest up to date, takes away what is no longer declared.

    Raises NotHere where the portal knows no automation, Rejected when the card lacks a permission: what can be done
    without it is done.
    """
    look = _look(site)
    offered = [part for part in (TRIGGERS, ROBOTS) if _is(look, part, "isAvailable")]
    for part in offered:
        if part.name in look.errors:
            raise look.errors[part.name]
    if TRIGGERS in offered:
        _lay_triggers(site, look)
    if ROBOTS in offered:
        _lay_robots(site, look)
    _check(site, offered)
    lacking = [part for part in (TRIGGERS, ROBOTS) if part not in offered and _is(look, part, "isExisting")]
    if lacking:
        raise Rejected("MISSING_SCOPES", ", ".join(part.scope for part in lacking))
    if not offered:
        raise NotHere("NO_AUTOMATION")
    return {part.name: len(part.codes) if part in offered else 0 for part in (ROBOTS, TRIGGERS)}


def _look(site: Site) -> BatchResult:
    """What the portal knows and what stands there; for what it does not know the lists are errors."""
    commands = {f"{part.name}_known": Command("method.get", {"name": part.add}) for part in (ROBOTS, TRIGGERS)}
    commands |= {part.name: Command(f"{part.methods}.list") for part in (ROBOTS, TRIGGERS)}
    answers = site.client.batch({**commands, "profile": Command("profile")})
    for name in ("robots_known", "triggers_known", "profile"):
        if name in answers.errors:
            raise answers.errors[name]
    return answers


def _is(look: BatchResult, part: Part, what: str) -> bool:
    return as_map(look.results.get(f"{part.name}_known")).get(what) is True


# Triggers ----


def _lay_triggers(site: Site, look: BatchResult) -> None:
    rows = [as_map(row) for row in as_map(look.results["triggers"]).values()]
    stands = {str(row.get("CODE")): str(row.get("NAME")) for row in rows}
    if commands := dict(_trigger_changes(site, stands)):
        all_of(site.client, commands)


def _trigger_changes(site: Site, stands: Mapping[str, str]) -> Iterator[tuple[str, Command]]:
    """A code that exists already gets its new name from the same method."""
    for number, one in enumerate(declaration()["triggers"]):
        if stands.get(one["code"]) != one["title"][site.language]:
            params = {"CODE": one["code"], "NAME": one["title"][site.language]}
            yield f"add{number}", Command(TRIGGERS.add, params)
    yield from _removals(TRIGGERS, stands)


def _removals(part: Part, stands: Mapping[str, str]) -> Iterator[tuple[str, Command]]:
    gone = sorted(code for code in stands.keys() - part.codes if code.startswith(PREFIX))
    for number, code in enumerate(gone):
        yield f"delete{number}", Command(f"{part.methods}.delete", {"CODE": code})


# Robots ----


def _lay_robots(site: Site, look: BatchResult) -> None:
    stands = {str(code): "" for code in as_map(look.results["robots"]).values()}
    fields = {one["code"]: _robot(site, look, one) for one in declaration()["robots"]}
    commands = {code: _command(code, one, known=code in stands) for code, one in fields.items()}
    answers = site.client.batch({**commands, **dict(_removals(ROBOTS, stands))})
    again = {code: _command(code, fields[code], known=True) for code, error in answers.errors.items() if _twin(error)}
    for code, error in answers.errors.items():
        if code not in again:
            raise error
    if again:
        all_of(site.client, again)


def _twin(error: AppError) -> bool:
    return isinstance(error, Rejected) and error.code in THERE_ALREADY


def _command(code: str, fields: Mapping[str, Any], *, known: bool) -> Command:
    if known:
        return Command("bizproc.robot.update", {"CODE": code, "FIELDS": dict(fields)})
    return Command(ROBOTS.add, {"CODE": code, **fields})


def _robot(site: Site, look: BatchResult, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Everything about a robot but its code. It is always waited for, and for deals and our own funnel."""
    known, returns = declaration()["properties"], declaration()["returns"]
    asked = {one.lstrip("*"): one.startswith("*") for one in declared["properties"]}
    return {
        "HANDLER": site.app_url + manifest().robots_handler,
        "AUTH_USER_ID": whole(as_map(look.results["profile"]).get("ID")) or 0,
        "USE_SUBSCRIPTION": "Y",
        "NAME": declared["title"],
        "DESCRIPTION": declared["description"],
        "PROPERTIES": {code: _property(known[code], required=needed) for code, needed in asked.items()},
        "RETURN_PROPERTIES": {code: _property(returns[code]) for code in declared["returns"]},
        "FILTER": {"INCLUDE": [list(one) for one in _documents(site)]},
    }


def _property(declared: Mapping[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {
        "Name": declared["title"],
        **({"Description": declared["hint"]} if "hint" in declared else {}),
        "Type": declared["type"],
        "Required": "Y" if required else "N",
        "Multiple": "Y" if declared.get("multiple") else "N",
    }


def _documents(site: Site) -> list[tuple[str, str, str]]:
    laid = site.laid().bookings
    return [DEALS, *([("crm", DYNAMIC, f"DYNAMIC_{laid.entity_type_id}")] if laid else [])]


def _check(site: Site, offered: list[Part]) -> None:
    """A portal may say `true` and keep something else."""
    if not offered:
        return
    lists = all_of(site.client, {part.name: Command(f"{part.methods}.list") for part in offered})
    for part in offered:
        rows = as_map(lists[part.name]).values()
        stands = {str(row.get("CODE") if isinstance(row, dict) else row) for row in rows}
        if missing := sorted(part.codes - stands):
            raise Rejected("AUTOMATION", ", ".join(missing))
