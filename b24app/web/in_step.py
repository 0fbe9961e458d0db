"""Settings, "In step": whether the portal shows what the ledger says, what differs, and what only a person can mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Response, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from b24app import texts
from b24app.errors import NotFound
from b24app.ledger import limits, people, refs, sweeps, tenancy
from b24app.ledger.models import Portal
from b24app.ledger.people import LeftBehind
from b24app.ledger.portal_models import Draft, Sweep
from b24app.ledger.session import Session, transaction
from b24app.ledger.sweeps import Backlog, ParkedPicture
from b24app.sync.laid import LaidCrm
from b24app.web import settings
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = settings.section("in_step", __name__)

SHOWN = 100
LOOKS_BACK = timedelta(days=30)  # what ended earlier is history, and is not drawn anew


@dataclass(frozen=True, slots=True)
class Line:
    """Something that waits for a person. `open`: our panel of the booking; `path`: its card in the portal."""

    what: str
    why: str
    open: str = ""
    path: str = ""
    ref_id: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The last comparison in words. `state`: running, done or failed."""

    state: str
    began: str
    compared: int
    differences: Sequence[str] = ()
    by: str = ""


@dataclass(frozen=True, slots=True)
class InStepPage:
    """What templates/settings/_in_step.html shows. `silent_until`: when a silent portal is tried again."""

    backlog: Backlog
    waited: str
    comparison: Comparison | None
    parked: Sequence[Line]
    drafts: Sequence[Line]
    left_behind: Sequence[Line] = ()
    lost_crm: bool = False
    silent_until: str = ""
    told: str = ""

    @property
    def waiting(self) -> int:
        return self.backlog.peoples + self.backlog.bulk + self.backlog.hints

    @property
    def busy(self) -> bool:
        """Whether something is going on, so that the page looks again by itself."""
        return self.waiting > 0 or (self.comparison is not None and self.comparison.state == "running")

    @property
    def done_percent(self) -> int:
        """How much of all pictures is in step."""
        total = self.backlog.pictures
        behind = self.backlog.peoples + self.backlog.bulk
        return 100 if not total else max(0, min(99 if behind else 100, round(100 * (total - behind) / total)))


@blueprint.get("/app/in-step")
def show() -> ResponseReturnValue:
    """The state of this portal."""
    with transaction(services().engine) as tx:
        return _page(tx)


@blueprint.post("/app/in-step/compare")
def compare() -> ResponseReturnValue:
    """Compares the portal with the ledger now."""
    with transaction(services().engine) as tx:
        sweeps.ask(tx, current_visit().portal_id, str(current_visit().viewer.actor))
        return _page(tx, _("The comparison has begun. It takes from seconds to some minutes."))


@blueprint.post("/app/in-step/redraw")
def redraw() -> ResponseReturnValue:
    """Draws everything anew that is not long past."""
    with transaction(services().engine) as tx:
        refs.hold(tx, current_visit().portal_id)
        count = refs.redraw_all(tx, current_visit().portal_id, now() - LOOKS_BACK, now())
        language = current_visit().language
        return _page(tx, texts.say(language, "in_step.redrawn", count=count))


@blueprint.post("/app/in-step/again")
def again_all() -> ResponseReturnValue:
    """Tries everything again that is parked or waits."""
    with transaction(services().engine) as tx:
        refs.try_again(tx, current_visit().portal_id)
        return _page(tx, _("Everything is being tried again."))


@blueprint.post("/app/in-step/<int:ref_id>/again")
def again(ref_id: int) -> ResponseReturnValue:
    """Tries one picture again; 404 when there is no such."""
    with transaction(services().engine) as tx:
        if not refs.try_one_again(tx, current_visit().portal_id, ref_id, now()):
            raise NotFound("picture")
        return _page(tx, _("It is being tried again."))


def _page(tx: Session, told: str = "") -> Response:
    portal, backlog = seen_tenant().portal, sweeps.backlog(tx, current_visit().portal_id)
    page = InStepPage(
        backlog=backlog,
        waited=_ago(backlog.oldest) if backlog.oldest else "",
        comparison=_comparison(tx, sweeps.last(tx, portal.id)),
        parked=[_parked(portal, one) for one in sweeps.parked(tx, portal.id, SHOWN)],
        drafts=[_draft(portal, one) for one in sweeps.waiting_drafts(tx, portal.id, SHOWN)],
        left_behind=[_left_behind(one) for one in people.left_behind(tx, portal.id, now(), SHOWN)],
        silent_until=_silent_until(portal.id),
        lost_crm=portal.level == "B" and not LaidCrm.from_json(portal.crm).complete,
        told=told,
    )
    return settings.show_list("settings/_in_step.html", page=page)


def _silent_until(portal_id: int) -> str:
    """When a portal that did not answer is tried again, in words."""
    until = limits.silent_until(services().engine, portal_id)
    return (
        ""
        if until is None
        else texts.moment(current_visit().language, max(until, now()), ZoneInfo(current_visit().time_zone), now())
    )


def _ago(since: datetime) -> str:
    """How long ago; nothing to speak of within the first minute."""
    minutes = int((now() - since).total_seconds() // 60)
    return texts.duration(current_visit().language, minutes) if minutes > 0 else ""


def _comparison(tx: Session, sweep: Sweep | None) -> Comparison | None:
    if sweep is None:
        return None
    language, counts = current_visit().language, sweep.found or sweep.progress
    found = {kind: count for kind, count in (counts.get("differences") or {}).items() if count}
    state = "running" if sweep.ended_at is None else "failed" if sweep.failed else "done"
    return Comparison(
        state,
        texts.moment(language, sweep.started_at, ZoneInfo(current_visit().time_zone), now()),
        sum((counts.get("compared") or {}).values()),
        [texts.say(language, f"difference.{kind}", count=count) for kind, count in sorted(found.items())],
        _who(tx, sweep.asked_by),
    )


def _who(tx: Session, asked_by: str) -> str:
    kind, _colon, number = asked_by.partition(":")
    if kind == "user" and number.isdecimal():
        return tenancy.user_names(tx, current_visit().portal_id, [int(number)]).get(int(number), "")
    return ""


def _parked(portal: Portal, one: ParkedPicture) -> Line:
    language = current_visit().language
    what = texts.say(language, f"picture.{one.kind}", number=one.number or one.resource or "")
    link = url_for("bookings.show", booking_id=one.booking_id) if one.booking_id else ""
    path = _card(portal, one.remote_id, one.booking_id is None) if one.kind == "item" else ""
    return Line(what, _reason(one.reason or ""), link, path, one.ref_id)


def _reason(reason: str) -> str:
    """Our own reasons are codes with words; the portal's come in its own."""
    said = texts.say(current_visit().language, f"parked.{reason}")
    return reason if said == f"parked.{reason}" else said


def _card(portal: Portal, remote_id: int | None, is_resource: bool) -> str:
    crm = LaidCrm.from_json(portal.crm)
    laid = crm.resources if is_resource else crm.bookings
    return f"/crm/type/{laid.entity_type_id}/details/{remote_id}/" if laid and remote_id else ""


def _draft(portal: Portal, one: Draft) -> Line:
    language = current_visit().language
    what = texts.say(language, "picture.draft", number=one.remote_id)
    return Line(what, texts.say(language, f"draft.{one.state}"), path=_card(portal, one.remote_id, False))


def _left_behind(one: LeftBehind) -> Line:
    language = current_visit().language
    what = texts.say(language, "item.title", number=one.number)
    return Line(what, one.name, url_for("bookings.show_number", number=one.number))
