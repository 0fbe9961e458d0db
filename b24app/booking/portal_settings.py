"""How the portal is kept in step: what a company decides about calendars, messages and deals."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from b24app.booking import changes
from b24app.errors import InvalidInput, NotAllowed, Stale
from b24app.ledger import refs, rules
from b24app.ledger.access import Viewer
from b24app.ledger.models import Portal, Service
from b24app.ledger.portal_settings import DEAL_MODES, EVENT_DELETED, STAGE_PAID, DealPolicy, PortalSettings
from b24app.ledger.session import Tx

MOST_REMINDERS = 5
LONGEST_PATIENCE = 30 * 24  # hours until the next approvers are told
SOONEST, FURTHEST = 1, 30 * 24 * 60  # minutes before the start
# Our stages as the funnel has them: what a deal's stage may follow.
STAGE_KEYS = ("prebooked", "confirmed", "paid", "completed", "cancelled", "expired", "no_show")
# What decides how events look.
SHOWN_IN_EVENTS = ("client_in_own", "client_in_shared", "event_participants")
Funnels = Mapping[int, Collection[str]]


def revision_of(settings: Mapping[str, Any] | None) -> int:
    """A number that changes with the settings: they are saved as a whole and have no revision of their own."""
    return zlib.crc32(repr(sorted((settings or {}).items())).encode())


def save_settings(
    tx: Tx,
    portal: Portal,
    settings: PortalSettings,
    *,
    funnels: Funnels,
    viewer: Viewer,
    now: datetime,
    revision: int | None = None,
) -> PortalSettings:
    """The settings from now on; reminders that are planned already stay. `funnels`: the portal's, with their stages.

    Events that would look otherwise now are drawn anew. Raises InvalidInput, NotAllowed, Stale.
    """
    _allow(viewer)
    kept = PortalSettings.from_json(portal.settings)
    redraw = any(getattr(kept, name) != getattr(settings, name) for name in SHOWN_IN_EVENTS)
    if redraw:
        refs.hold(tx, portal.id)
    row = rules.lock_portal(tx, portal.id)
    if revision is not None and revision != revision_of(row.settings):
        raise Stale(revision_of(row.settings))
    settings = replace(settings, remind_minutes=tuple(sorted(settings.remind_minutes)))
    if wrong := _check(settings, PortalSettings.from_json(row.settings), funnels):
        raise InvalidInput(wrong)
    before, row.settings = PortalSettings.from_json(row.settings), settings.to_json()
    tx.flush()
    changes.record(tx, portal, viewer.actor, "settings", None, "", "changed", before, settings, now)
    if redraw:
        refs.redraw_all(tx, portal.id, now, now)
    return settings


def save_deal_policy(
    tx: Tx,
    portal: Portal,
    service_id: int,
    policy: DealPolicy | None,
    *,
    funnels: Funnels,
    viewer: Viewer,
    now: datetime,
    revision: int | None = None,
) -> Service:
    """The service with a deal policy of its own, or (None) with the portal's. Raises as the other, and NotFound."""
    _allow(viewer)
    service = rules.service(tx, portal.id, service_id, lock=True)
    if revision is not None and service.revision != revision:
        raise Stale(service.revision)
    if policy is not None and (wrong := _check_deal(policy, DealPolicy.from_json(service.deal), funnels)):
        raise InvalidInput(wrong)
    service.revision += 1
    before = service.deal
    service.deal = None if policy is None else asdict(policy) | {"stages": dict(policy.stages)}
    tx.flush()
    changes.record(tx, portal, viewer.actor, "deal", service.id, service.name, "changed", before, service.deal, now)
    return service


def _allow(viewer: Viewer) -> None:
    if not viewer.is_admin:
        raise NotAllowed("settings")


def _check(settings: PortalSettings, kept: PortalSettings, funnels: Funnels) -> dict[str, str]:
    wrong = {
        "event_deleted": None if settings.event_deleted in EVENT_DELETED else "unknown_choice",
        "stage_paid": None if settings.stage_paid in STAGE_PAID else "unknown_choice",
        "reminders": "too_many" if len(settings.remind_minutes) > MOST_REMINDERS else None,
    }
    if not 0 <= settings.escalate_hours <= LONGEST_PATIENCE:
        wrong["escalate_hours"] = "out_of_range"
    found = {field: code for field, code in wrong.items() if code}
    return found | _check_reminders(settings.remind_minutes) | _check_deal(settings.deal, kept.deal, funnels)


def _check_reminders(minutes: Collection[int]) -> dict[str, str]:
    if not all(SOONEST <= one <= FURTHEST for one in minutes):
        return {"reminders": "out_of_range"}
    return {"reminders": "duplicate"} if len(set(minutes)) < len(minutes) else {}


def _check_deal(policy: DealPolicy, kept: DealPolicy, funnels: Funnels) -> dict[str, str]:
    """A funnel and stages that the portal has. What was chosen before may stay though it has gone meanwhile."""
    stages = {stage for known in funnels.values() for stage in known}
    known_funnel = policy.category_id in funnels or policy.category_id == kept.category_id
    wrong = {
        "deal_mode": None if policy.mode in DEAL_MODES else "unknown_choice",
        "deal_funnel": None if known_funnel or policy.mode != "create" else "unknown_choice",
    }
    for key, stage in policy.stages.items():
        if key not in STAGE_KEYS or (stage not in stages and stage != kept.stages.get(key)):
            wrong[f"deal_{key}"] = "unknown_choice"
    return {field: code for field, code in wrong.items() if code}
