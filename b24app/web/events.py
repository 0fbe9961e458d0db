"""What the portal tells us: of the application's own life, and of what people do there. Never said again, only a hint.

Cards and appointments of the whole portal are told of, most of them none of ours: those are dropped after one look-up
by index, without a lock. What may be ours is noted and read by the worker. Proof is `member_id` with
`application_token`, in constant time; ONAPPINSTALL and ONAPPUPDATE may bring a new one and then prove themselves by an
administrator's access token. https://apidocs.bitrix24.com/api-reference/events/index.html
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from datetime import timedelta

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from b24app.bitrix.loose import as_map, flag, whole
from b24app.bitrix.payload import BadPayload, PortalEvent
from b24app.ledger import refs, sightings, tenancy
from b24app.ledger.models import Portal
from b24app.ledger.session import Tx, transaction
from b24app.ledger.sightings import Hint
from b24app.ledger.tenancy import Tenant
from b24app.sync.laid import LaidCrm
from b24app.sync.manifest import manifest
from b24app.web import caller, entry
from b24app.web.caller import Closed, Seen
from b24app.web.entry import Pair
from b24app.web.visit import now, services

blueprint = Blueprint("events", __name__)
log = logging.getLogger(__name__)


@blueprint.get(manifest().events_handler)
def bare() -> ResponseReturnValue:
    """The market checks the address with HEAD."""
    return "", 200


@blueprint.post(manifest().events_handler)
def received() -> ResponseReturnValue:
    """Checks an event and takes note of it: 200, 400 for a broken form, 401 or 403 for one that proves nothing."""
    try:
        event = PortalEvent.parse(request.form)
        _carried_out(event)
    except BadPayload as error:
        return f"malformed: {error.field}", 400
    except Closed as closed:
        log.warning("an event was refused: %s", closed.reason)
        return closed.reason, closed.status
    return "", 200


def _carried_out(event: PortalEvent) -> None:
    if event.event in ("ONAPPINSTALL", "ONAPPUPDATE"):
        _installed(event)
        return
    with transaction(services().engine) as tx:
        tenant = signed(tx, event.member_id, event.application_token)
        if action := ACTIONS.get(event.event):
            action(tx, tenancy.lock_tenant(tx, tenant.portal.id), event)
            log.info("%s of portal %s", event.event, tenant.portal.id)
        elif event.event in CHANGES:
            _note(tx, tenant.portal, event)


def signed(tx: Tx, member_id: str, application_token: str | None) -> Tenant:
    """The tenant that somebody with his secret speaks for, not locked; raises Closed."""
    tenant = tenancy.tenant_by_member(tx, member_id)
    known = tenant.installation.application_token if tenant else None
    right = hmac.compare_digest((known or "").encode(), (application_token or "").encode())
    if tenant is None or not known or not right:
        raise Closed("foreign", 403)
    return tenant


# What people do in the portal ----


def _note(tx: Tx, portal: Portal, event: PortalEvent) -> None:
    """Notes what may have changed; drops what is none of ours."""
    hint = _hint(portal, event)
    if hint is None or not (hint.kind in OURS or sightings.known(tx, portal.id, hint.kind, hint.remote_id)):
        return
    sightings.see(tx, portal.id, [hint], now())
    refs.wake(tx, portal.id)


def _hint(portal: Portal, event: PortalEvent) -> Hint | None:
    """What the event is about; None for items and types of other smart processes. Raises BadPayload."""
    kind: str | None = CHANGES[event.event]
    about = event.data if kind == sightings.EVENT else as_map(event.data.get("FIELDS"))
    remote_id = whole(about.get("id" if kind == sightings.EVENT else "ID"))
    if not remote_id:
        raise BadPayload("data", "malformed")
    if kind == sightings.ITEM:
        kind = _item_kind(portal, whole(about.get("ENTITY_TYPE_ID")))
    if kind == sightings.TYPE:  # told by its own id, known to everybody else by its number
        remote_id = _numbers(portal).get(remote_id, 0)
    return Hint(kind, remote_id, event.user_id, gone=event.event.endswith("DELETE")) if kind and remote_id else None


def _item_kind(portal: Portal, entity_type_id: int | None) -> str | None:
    crm = LaidCrm.from_json(portal.crm)
    kinds = ((sightings.RESOURCE, crm.resources), (sightings.ITEM, crm.bookings))
    return next((kind for kind, laid in kinds if laid and laid.entity_type_id == entity_type_id), None)


def _numbers(portal: Portal) -> dict[int, int]:
    """Our smart processes: their entityTypeId by their own id."""
    crm = LaidCrm.from_json(portal.crm)
    return {laid.id: laid.entity_type_id for laid in (crm.resources, crm.bookings) if laid}


# ONAPPINSTALL, ONAPPUPDATE ----


def _installed(event: PortalEvent) -> None:
    """The pair that is the server's alone. It counts for what its token proves, and only from an administrator."""
    seen = _proven(event)
    pair = Pair(event.access_token or "", event.refresh_token or "", event.expires_in)
    language = caller.page_language(str(event.data.get("LANGUAGE_ID") or "ru"))
    begins = event.event == "ONAPPINSTALL"
    tenant, _ = entry.enter(seen, pair, language, event.application_token, begins=begins, origin="install")
    with transaction(services().engine) as tx:
        installation = tenancy.lock_tenant(tx, tenant.portal.id).installation
        if begins:
            installation.state = "active"
        else:  # what the old version bound may be gone: the installer, which the portal opens next, binds anew
            installation.steps = {}
    log.info("%s of portal %s", event.event, tenant.portal.id)


def _proven(event: PortalEvent) -> Seen:
    if not event.access_token:
        raise Closed("not_verified", 401)
    seen = caller.see(caller.auth_server(event.server_endpoint), event.access_token, "", None)
    if seen.info.install.member_id != event.member_id or not seen.person.is_admin:
        raise Closed("foreign", 403)
    return seen


# The others ----


def _uninstalled(tx: Tx, tenant: Tenant, event: PortalEvent) -> None:
    """CLEAN=1 of a market application erases everything. Of a local one it is always 1 and so says nothing.

    The worker erases, in its next round: here it would wait for bookings that are being made, and an event that
    fails is never sent again.
    """
    market = tenancy.application_of(tx, tenant.installation).kind == "market"
    at_once = market and flag(event.data.get("CLEAN"))
    kept = timedelta() if at_once else timedelta(days=services().settings.keep_after_uninstall_days)
    tenancy.end_installation(tx, tenant.installation, now())
    tenant.portal.erase_after = now() + kept


def _paid(tx: Tx, tenant: Tenant, event: PortalEvent) -> None:
    """Unpaid: pages are read-only and jobs stop. Paid again: they go on."""
    tenant.installation.payment_expired = flag(event.data.get("PAYMENT_EXPIRED"))
    tenant.installation.status = str(event.data.get("STATUS") or tenant.installation.status)[:1]
    tx.flush()
    if not tenant.installation.payment_expired:
        refs.try_again(tx, tenant.portal.id)


ACTIONS: dict[str, Callable[[Tx, Tenant, PortalEvent], None]] = {
    "ONAPPUNINSTALL": _uninstalled,
    "ONAPPPAYMENT": _paid,
}
OURS = (sightings.ITEM, sightings.RESOURCE, sightings.TYPE)  # `_hint` knows them by their smart process
CHANGES = {
    f"{name}{verb}": kind
    for name, kind, verbs in (
        ("ONCRMDYNAMICITEM", sightings.ITEM, ("ADD", "UPDATE", "DELETE")),
        ("ONCRMDEAL", sightings.DEAL, ("UPDATE", "DELETE")),
        ("ONCRMCONTACT", sightings.CONTACT, ("UPDATE", "DELETE")),
        ("ONCRMCOMPANY", sightings.COMPANY, ("UPDATE", "DELETE")),
        ("ONCRMTYPE", sightings.TYPE, ("UPDATE", "DELETE")),
        ("ONCALENDARENTRY", sightings.EVENT, ("UPDATE", "DELETE")),
    )
    for verb in verbs
}
