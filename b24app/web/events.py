"""What the portal tells us of the application's own life. An event is never sent again, and it is only a hint.

Proof is `member_id` with `application_token`, in constant time; ONAPPINSTALL and ONAPPUPDATE may bring a new one and
then prove themselves by an administrator's access token.
https://apidocs.bitrix24.com/api-reference/common/events/index.html
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from datetime import timedelta

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from b24app.bitrix.loose import flag
from b24app.bitrix.payload import BadPayload, PortalEvent
from b24app.ledger import refs, tenancy
from b24app.ledger.session import Tx, transaction
from b24app.ledger.tenancy import Tenant
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
        tenant = _signed(tx, event)
        if action := ACTIONS.get(event.event):
            action(tx, tenant, event)
            log.info("%s of portal %s", event.event, tenant.portal.id)


def _signed(tx: Tx, event: PortalEvent) -> Tenant:
    """The tenant that this event comes from, locked; raises Closed."""
    tenant = tenancy.tenant_by_member(tx, event.member_id)
    known = tenant.installation.application_token if tenant else None
    right = hmac.compare_digest((known or "").encode(), (event.application_token or "").encode())
    if tenant is None or not known or not right:
        raise Closed("foreign", 403)
    return tenancy.lock_tenant(tx, tenant.portal.id)


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
