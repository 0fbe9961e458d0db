"""The installer: what it does, step by step, and what it remembers of each. Any step may be run at any time.

The browser asks for one step after the other with the administrator's own token. A step that was interrupted is
simply run again; docs/behaviour.md §14 says which ones a portal may lack.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from b24app.bitrix.client import Command
from b24app.bitrix.loose import as_map, split_scopes
from b24app.errors import InvalidInput, Permanent, Rejected, Retryable
from b24app.ledger import tenancy
from b24app.ledger.session import transaction
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.hours import is_zone
from b24app.sync.laid import LaidCrm
from b24app.sync.lay_automation import lay_automation
from b24app.sync.lay_crm import lay_type
from b24app.sync.lay_funnel import lay_funnel
from b24app.sync.lay_places import lay_calendar, lay_events, lay_placements
from b24app.sync.manifest import manifest
from b24app.sync.site import DONE, FAILED, SKIPPED, UNAVAILABLE, NotHere, Outcome, Site, all_of

OPTION = "laid"  # the second copy, in the application's options: no secrets in it, everybody there may read them


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the installer's page. `optional`: an administrator may go on without it."""

    name: str
    action: Callable[[Site], Mapping[str, Any]]
    optional: bool = False


def run(site: Site, name: str) -> Outcome:
    """Runs one step and remembers how it ended. Raises InvalidInput for a name that is none."""
    outcome = _attempt(site, _step(name))
    _note(site, name, outcome)
    return outcome


def skip(site: Site, name: str) -> Outcome:
    """Goes on without a step, where that is possible; raises InvalidInput where it is not."""
    if not _step(name).optional:
        raise InvalidInput({"step": "unknown_choice"})
    outcome = Outcome(SKIPPED)
    _note(site, name, outcome)
    return outcome


def next_step(tenant: Tenant) -> str:
    """The first step that has no good end yet; "" when everything is laid down."""
    steps = tenant.installation.steps
    return next((s.name for s in STEPS if steps.get(s.name, {}).get("state") not in GOOD), "")


@dataclass(frozen=True, slots=True)
class News:
    """What a later version has added: steps that have never run here, and permissions that the card lacks."""

    steps: tuple[str, ...]
    scopes: tuple[str, ...]


def news(tenant: Tenant) -> News:
    """Why an administrator should run the installer once more. The installation goes on working meanwhile."""
    installation = tenant.installation
    granted = split_scopes(installation.scopes)
    return News(
        steps=tuple(step.name for step in STEPS if installation.steps and step.name not in installation.steps),
        scopes=tuple(scope for scope in manifest().scopes if granted and scope not in granted),
    )


def _step(name: str) -> Step:
    for step in STEPS:
        if step.name == name:
            return step
    raise InvalidInput({"step": "unknown_choice"})


def _attempt(site: Site, step: Step) -> Outcome:
    try:
        return Outcome(DONE, detail=step.action(site))
    except NotHere as error:
        return Outcome(UNAVAILABLE, error.code)
    except Rejected as error:
        return Outcome(FAILED, error.code or "REFUSED", {"text": error.description})
    except Retryable as error:
        return Outcome(FAILED, "LATER", {"text": error.reason})
    except Permanent as error:
        return Outcome(FAILED, type(error).__name__.upper(), {"text": str(error)})


def _note(site: Site, name: str, outcome: Outcome) -> None:
    with transaction(site.engine) as tx:
        installation = tenancy.lock_tenant(tx, site.portal_id).installation
        entry = {
            "state": outcome.state,
            "code": outcome.code,
            "detail": dict(outcome.detail),
            "at": site.now.isoformat(),
        }
        installation.steps = {**installation.steps, name: entry}


# Steps ----


def _rights(site: Site) -> Mapping[str, Any]:
    """Compares what was granted with what the manifest asks for; an earlier life's memory is taken over."""
    answers = all_of(
        site.client,
        {"scope": Command("scope"), "profile": Command("profile"), "options": Command("app.option.get")},
    )
    profile = as_map(answers["profile"])
    if profile.get("ADMIN") is not True:
        raise Rejected("NOT_ADMIN")
    _take_over(site, as_map(answers["options"]).get(OPTION), str(profile.get("TIME_ZONE") or ""))
    granted = {str(scope) for scope in as_map(answers["scope"]).values()}
    missing = [scope for scope in manifest().scopes if scope not in granted]
    if missing:
        raise Rejected("MISSING_SCOPES", ", ".join(missing))
    return {"scopes": len(manifest().scopes)}


def _take_over(site: Site, option: Any, zone: str) -> None:
    """What is known of a portal of which we remember nothing: its zone, and the copy in the application's options.

    Each part of the copy is looked for in the portal before it is believed.
    """
    with transaction(site.engine) as tx:
        portal = tenancy.lock_tenant(tx, site.portal_id).portal
        if portal.crm:
            return
        portal.time_zone = zone if is_zone(zone) else portal.time_zone
        copy = _readable(option)
        portal.crm = copy.to_json() if copy else {}


def _readable(option: Any) -> LaidCrm | None:
    try:
        return LaidCrm.from_json(json.loads(option))
    except (ValueError, TypeError, AttributeError):
        return None


def _type_step(key: str) -> Callable[[Site], Mapping[str, Any]]:
    def lay(site: Site) -> Mapping[str, Any]:
        return {"fields": len(lay_type(site, key).fields)}

    return lay


def _funnel(site: Site) -> Mapping[str, Any]:
    return {"stages": len(lay_funnel(site).stages)}


def _finish(site: Site) -> Mapping[str, Any]:
    """Leaves the second copy in the portal. Where the portal calls us installed already, that is the end."""
    missing = _unfinished(site)
    if missing:
        raise Rejected("UNFINISHED", ", ".join(missing))
    option = {OPTION: json.dumps(replace(site.laid(), intent={}).to_json(), separators=(",", ":"))}
    answers = all_of(
        site.client,
        {"set": Command("app.option.set", {"options": option}), "app": Command("app.info")},
    )
    installed = as_map(answers["app"]).get("INSTALLED") is True
    if installed:
        activate(site)
    return {"installed": installed}


def _unfinished(site: Site) -> list[str]:
    with transaction(site.engine) as tx:
        steps = tenancy.lock_tenant(tx, site.portal_id).installation.steps
    return [s.name for s in STEPS[:-1] if steps.get(s.name, {}).get("state") not in GOOD]


def activate(site: Site) -> None:
    """The installation is complete: pages and jobs may begin."""
    with transaction(site.engine) as tx:
        tenancy.lock_tenant(tx, site.portal_id).installation.state = "active"


STEPS = (
    Step("rights", _rights, optional=True),
    Step("resources", _type_step("resources"), optional=True),
    Step("bookings", _type_step("bookings"), optional=True),
    Step("funnel", _funnel, optional=True),
    Step("calendar", lay_calendar, optional=True),
    Step("placements", lay_placements),
    Step("events", lay_events),
    Step("automation", lay_automation, optional=True),
    Step("finish", _finish),
)
GOOD = (DONE, UNAVAILABLE, SKIPPED)
