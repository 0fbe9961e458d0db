"""The installer's page, and one request for each of its steps; docs/behaviour.md §14 says what a portal may lack.

The browser drives: so a step shows at once what it did, a lost connection costs one step, and no process has to
remember anything between two of them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from b24app.errors import NotAllowed
from b24app.ledger.tenancy import Tenant
from b24app.messages import N_
from b24app.sync import install
from b24app.sync.site import DONE, FAILED, SKIPPED, UNAVAILABLE, Outcome, Site
from b24app.web import bearer
from b24app.web.crm import crm
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("install", __name__)

TITLES = {
    "rights": N_("Permissions and plan"),
    "resources": N_("Smart process “Resources”"),
    "bookings": N_("Smart process “Bookings”"),
    "funnel": N_("Funnel of bookings"),
    "calendar": N_("Calendar for bookings"),
    "placements": N_("Tabs, calendar view, menu item"),
    "events": N_("Messages from the portal"),
    "automation": N_("Robots and triggers"),
    "finish": N_("Last check"),
}
REASONS = {
    "MISSING_SCOPES": N_(
        "The application's card lacks permissions: %(text)s. Tick them there, save it and press “Try again”."
    ),
    "NOT_ADMIN": N_("Only an administrator of the portal can install the application."),
    "LATER": N_("Bitrix24 did not answer in time. Nothing is lost: press “Try again”."),
    "UNFINISHED": N_("Some steps above are not finished yet."),
    "NO_PLACEMENTS": N_("The portal offers no place for the application. Check the permissions of its card."),
    "CREATE_DYNAMIC_TYPE_RESTRICTED": N_(
        "The portal's plan includes no more smart processes. Board, calendar and tabs work without them; the CRM can "
        "be connected later."
    ),
    "UPDATE_DYNAMIC_TYPE_RESTRICTED": N_(
        "The portal's plan does not allow to change this smart process. The rest works without it."
    ),
    "NO_RESOURCES": N_("Needs the smart process “Resources”."),
    "NO_BOOKINGS": N_("Needs the smart process “Bookings”."),
    "NO_SECTION": N_("The portal has no company calendar. Bookings stand on the board all the same."),
    "NO_AUTOMATION": N_("The portal has no robots and triggers. Everything else works without them."),
    "NOT_WRITABLE": N_("You may not write to the company calendar. Bookings stand on the board all the same."),
}
DEPENDENT = ("NO_RESOURCES", "NO_BOOKINGS")  # one line is enough where another step says why
REFUSED = N_("Bitrix24 refused this step. The details below will help support.")
ABSENT = N_("The portal does not offer this. The rest works without it.")


@dataclass(frozen=True, slots=True)
class StepView:
    """One line of the page. `state`: wait, or how the step ended; `note` beside the title, `reason` below it."""

    name: str
    number: int
    state: str
    title: str
    note: str = ""
    reason: str = ""
    support: str = ""
    optional: bool = False
    seconds: int | None = None


def render_installer(tenant: Tenant, visit: Visit) -> ResponseReturnValue:
    """The whole page, with every step as it stands."""
    steps = [_remembered(number, step, tenant) for number, step in enumerate(install.STEPS, start=1)]
    page = render_template(
        "install/page.html",
        steps=steps,
        visit=visit,
        bearer=bearer.issue(visit),
        begun=any(step.state != "wait" for step in steps),
        complete=install.next_step(tenant) == "",
        language=visit.language,
    )
    return make_response(page)


def _remembered(number: int, step: install.Step, tenant: Tenant) -> StepView:
    entry = tenant.installation.steps.get(step.name)
    if not entry:
        return StepView(step.name, number, "wait", _(TITLES[step.name]), optional=step.optional)
    return _view(number, step, Outcome(entry["state"], entry["code"], entry["detail"]), None)


def _view(number: int, step: install.Step, outcome: Outcome, seconds: int | None) -> StepView:
    failed = outcome.state == FAILED
    return StepView(
        name=step.name,
        number=number,
        state=outcome.state,
        title=_(TITLES[step.name]),
        note=_reason(outcome) if outcome.code in DEPENDENT else _note(step.name, outcome),
        reason=_reason(outcome) if outcome.state in (FAILED, UNAVAILABLE) and outcome.code not in DEPENDENT else "",
        support=f"{step.name} · {outcome.code} · {outcome.detail.get('text', '')}" if failed else "",
        optional=step.optional,
        seconds=seconds,
    )


def _reason(outcome: Outcome) -> str:
    words = REASONS.get(outcome.code) or (ABSENT if outcome.state == UNAVAILABLE else REFUSED)
    return _(words, text=outcome.detail.get("text", ""))


def _note(name: str, outcome: Outcome) -> str:
    if outcome.state != DONE:
        return {
            SKIPPED: _("skipped"),
            UNAVAILABLE: _("not available here"),
            FAILED: _("not finished"),
        }[outcome.state]
    return _found(name, outcome.detail)


def _found(name: str, detail: Mapping[str, Any]) -> str:
    if name in ("resources", "bookings"):
        return ngettext("%(num)d field", "%(num)d fields", detail["fields"])
    if name == "funnel":
        return ngettext("%(num)d stage", "%(num)d stages", detail["stages"])
    if name == "calendar":
        return str(detail["section"])
    if name in ("placements", "events"):
        return _also_missing(ngettext("%(num)d bound", "%(num)d bound", len(detail["bound"])), detail["missing"])
    if name == "automation":
        robots = ngettext("%(num)d robot", "%(num)d robots", detail["robots"])
        return f"{robots}, " + ngettext("%(num)d trigger", "%(num)d triggers", detail["triggers"])
    return _("CRM, calendar, placements") if name == "rights" else ""


@blueprint.app_template_global()
def unfinished() -> str:
    """What of the installation a later version has added, in words for settings; "" when nothing is missing."""
    found = install.news(seen_tenant())
    titles = [_(TITLES[step]) for step in found.steps]
    said = [_("New in the installation: %(names)s.", names=", ".join(titles))] if titles else []
    if found.scopes:
        lacking = _("The application's card lacks permissions: %(names)s.", names=", ".join(found.scopes))
        said.append(lacking + " " + _("Tick them there and save it first."))
    return " ".join(said)


def _also_missing(note: str, missing: list[str]) -> str:
    return f"{note}; " + _("not offered by the portal: %(names)s", names=", ".join(missing)) if missing else note


@blueprint.post("/install/steps/<name>")
def run_step(name: str) -> ResponseReturnValue:
    """Runs one step with the administrator's own token (or skips it) and answers with its line of the page."""
    visit = current_visit()
    if not visit.viewer.is_admin:
        raise NotAllowed("install")
    site, began = _site(visit), time.monotonic()
    outcome = install.skip(site, name) if request.form.get("skip") == "1" else install.run(site, name)
    number, step = next((n, s) for n, s in enumerate(install.STEPS, start=1) if s.name == name)
    view = _view(number, step, outcome, ceil(time.monotonic() - began))
    return render_template("install/_step.html", step=view)


def _site(visit: Visit) -> Site:
    made = services()
    return Site(
        engine=made.engine,
        client=crm(),
        portal_id=visit.portal_id,
        app_url=made.settings.app_url,
        language=visit.language,
        open_to_all=request.form.get("open") != "N",
        now=now(),
    )
