"""Who is on the other end of a request, and what this process works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from flask import current_app, g

from b24app.bitrix.hosts import HostPolicy
from b24app.bitrix.transport import PortalSession
from b24app.config import Settings
from b24app.errors import NotFound
from b24app.ledger import tenancy
from b24app.ledger.access import Viewer
from b24app.ledger.session import Engine, Tx
from b24app.ledger.tenancy import Tenant
from b24app.sync.call_log import CallLog


@dataclass(frozen=True, slots=True)
class Services:
    """What is made once per process."""

    settings: Settings
    engine: Engine
    http: PortalSession
    hosts: HostPolicy
    calls: CallLog


@dataclass(frozen=True, slots=True)
class Visit:
    """A verified person in a frame of a portal. `place` is the placement, `entity_id` the card's id if it has one.

    `watched_by`: the administrator who looks as this person and changes nothing (web.look_as); None: it is he himself.
    """

    portal_id: int
    installation_id: int
    member_id: str
    viewer: Viewer
    name: str
    language: str
    time_zone: str
    place: str
    entity_id: int | None
    expires_at: datetime
    watched_by: int | None = None


def services() -> Services:
    return cast(Services, current_app.extensions["b24"])


def now() -> datetime:
    """The time, in UTC; the only clock that the web reads."""
    return cast(Callable[[], datetime], current_app.config["CLOCK"])()


def utc_now() -> datetime:
    return datetime.now(UTC)


def current_visit() -> Visit:
    """The visit of this request; routes under /app/ always have one."""
    return cast(Visit, g.visit)


def current_tenant(tx: Tx) -> Tenant:
    """The portal of this visit with its living installation; raises NotFound when the app was removed there."""
    found = tenancy.tenant(tx, current_visit().portal_id)
    if found is None:
        raise NotFound("portal")
    return found


def seen_tenant() -> Tenant:
    """The same as it was read when the bearer was checked a moment ago: for showing, not for changing."""
    return cast(Tenant, g.tenant)


def page_language() -> str:
    """The language of this answer: the visit's, and Russian for pages that nobody has entered yet."""
    if visit := g.get("visit"):
        return cast(Visit, visit).language
    return cast(str, g.get("language", "ru"))
