"""A proven caller comes in: what the ledger learns of him, and the visit that he begins."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from b24app.bitrix.oauth import AppInfo
from b24app.errors import NotAllowed, NotFound
from b24app.ledger import directory, queries, refs, tenancy
from b24app.ledger.access import Viewer
from b24app.ledger.models import Installation
from b24app.ledger.session import Tx, transaction
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.hours import is_zone
from b24app.web.caller import Closed, Seen, page_language
from b24app.web.visit import Visit, now, services

LONGEST_VISIT = 3600  # seconds; the portal's own tokens live as long
DIRECTORY_TRUSTED = timedelta(minutes=15)  # departments and groups are read anew by the worker, nobody waits for it


@dataclass(frozen=True, slots=True)
class Pair:
    """The tokens that came with a frame, and in how many seconds the access token runs out."""

    access_token: str
    refresh_token: str
    expires_in: int


def enter(
    seen: Seen,
    pair: Pair,
    language: str,
    application_token: str | None,
    *,
    begins: bool,
    origin: str = "frame",
    installing: bool = False,
) -> tuple[Tenant, Viewer]:
    """The ledger learns of a verified call: the tenant and the caller's viewer. Raises Closed.

    Only an administrator's call teaches it secrets. An employee proves himself as well, but could send along an
    `application_token` of his own making and sign events with it afterwards. `begins`: an administrator's call may
    begin an installation, and so end that of another card. `origin`: frame, or install for the pair of ONAPPINSTALL.
    `installing`: the portal opened the installer.
    """
    moment = now()
    with transaction(services().engine) as tx:
        tenant = _tenant(tx, seen, language, begins and seen.person.is_admin, moment)
        tenancy.remember_user(
            tx, tenant.portal.id, seen.person.user_id, seen.person.name, moment, codes=seen.person.codes,
            is_admin=seen.person.is_admin,
        )  # fmt: skip
        if origin == "frame":
            tenancy.frame_seen(tx, tenant.portal.id, moment)
        _bring_up_to_date(tenant.installation, seen, installing)
        viewer = Viewer(seen.person.user_id, seen.person.is_admin, seen.person.codes)
        viewer = replace(viewer, grants=queries.grants(tx, tenant.portal.id, viewer.codes, moment))
        if seen.person.is_admin:
            adopt_application_token(tenant.installation, application_token)
        directory.ask(tx, tenant.portal.id, moment, since=moment - DIRECTORY_TRUSTED)
    if not seen.person.is_admin:
        _bury_pair(tenant, seen.person.user_id, moment)
    elif pair.refresh_token:
        keep_pair(tenant, seen.person.user_id, origin, pair, moment)
    return tenant, viewer


def _bury_pair(tenant: Tenant, user_id: int, moment: datetime) -> None:
    """Who was an administrator may be one no more: with his pair the background would have an employee's rights."""
    with transaction(services().engine) as tx:
        tenancy.bury_pair_of(tx, tenant.portal.id, user_id, "not_admin", moment)


def _tenant(tx: Tx, seen: Seen, language: str, begins: bool, moment: datetime) -> Tenant:
    application = tenancy.application(tx, seen.info.client_id)
    assert application is not None, "caller.prove() has seen it"
    try:
        return tenancy.enter(
            tx,
            member_id=seen.info.install.member_id,
            domain=seen.info.install.domain,
            client_endpoint=seen.info.install.client_endpoint,
            server_endpoint=f"{seen.auth_server}/rest/",
            language=language,
            application_id=application.id,
            begins=begins,
            now=moment,
        )
    except NotFound as error:
        raise Closed("not_ready", 200) from error
    except NotAllowed as error:  # a page of another card: the living one's are opened from the portal
        raise Closed("open_again", 401) from error


def _bring_up_to_date(installation: Installation, seen: Seen, installing: bool) -> None:
    """The installation as the authorization server knows it; one that was given up is alive after all.

    A new version begins with the portal opening the installer again: then every step has to run again.
    """
    installation.scopes = ",".join(seen.info.scopes)
    installation.status = seen.info.install.status[:1] or installation.status
    if installing and installation.state == "active" and not seen.info.install.installed:
        installation.state, installation.steps = "new", {}
    laid_down = installation.steps.get("finish", {}).get("state") == "done"
    if seen.info.install.installed and (installation.state == "blocked" or laid_down):
        installation.state = "active"
    if seen.unpaid is not None:
        installation.payment_expired = seen.unpaid


def adopt_application_token(installation: Installation, token: str | None) -> None:
    """Keeps the secret that signs this portal's events. Call it for verified administrators only.

    A value other than the known one is a new life or a new version of the application whose event was lost: the
    caller has just been verified, so it replaces the old one. Equal ones are told in constant time.
    """
    if not token:
        return
    known = installation.application_token
    if known is None or not hmac.compare_digest(known.encode(), token.encode()):
        installation.application_token = token


def keep_pair(tenant: Tenant, user_id: int, origin: str, pair: Pair, moment: datetime) -> None:
    """Remembers an administrator's pair; jobs that waited for one go on.

    Two transactions of their own: the first may wait while a worker refreshes that pair, and if it held the portal
    nobody could book meanwhile.
    """
    with transaction(services().engine) as tx:
        tenancy.keep_pair(
            tx,
            tenant.installation,
            user_id=user_id,
            origin=origin,
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            expires_at=moment + timedelta(seconds=min(pair.expires_in, LONGEST_VISIT)),
            now=moment,
        )
    with transaction(services().engine) as tx:
        if tenancy.revive(tx, tenant.installation.id):
            refs.wake(tx, tenant.portal.id)


def visit_of(
    tenant: Tenant, viewer: Viewer, seen: Seen, place: str, entity_id: int | None, lang: str, life: int
) -> Visit:
    """The visit that the bearer will carry; it ends with the token that proved it."""
    return Visit(
        portal_id=tenant.portal.id,
        installation_id=tenant.installation.id,
        member_id=tenant.portal.member_id,
        viewer=viewer,
        name=seen.person.name,
        language=page_language(lang),
        time_zone=zone if is_zone(zone := seen.person.time_zone) else tenant.portal.time_zone,
        place=place,
        entity_id=entity_id,
        expires_at=_end_of(seen.info, life),
    )


def _end_of(info: AppInfo, life: int) -> datetime:
    """The claimed seconds, cut by what the authorization server knows (its clock may run before ours)."""
    moment = now()
    end = moment + timedelta(seconds=max(60, min(life, LONGEST_VISIT)))
    return min(end, info.expires_at) if info.expires_at and info.expires_at > moment else end
