"""One portal kept in step: first what people did there is looked at, then what we did is drawn.

All of it under the portal's lock, one batch of each; what is more is queued again, so that no portal keeps a worker.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

from b24app.errors import InstallationRevoked, Permanent
from b24app.ledger import outbox, refs, tenancy
from b24app.ledger.session import transaction
from b24app.ledger.tenancy import Tenant
from b24app.sync import deliveries, robots
from b24app.sync.pace import Pace
from b24app.sync.projection import Drain
from b24app.sync.reconcile import Halted, Looker, Visited, reconcile
from b24app.sync.see_events import SeeEvents
from b24app.sync.see_items import SeeItems
from b24app.sync.see_others import SeeCards, SeePeople
from b24app.sync.see_resources import SeeResources
from b24app.sync.see_types import SeeTypes
from b24app.sync.throttles import may_try
from b24app.sync.tokens import AdminClient, Reach, portal_client
from b24app.sync.verdict import ASK_AGAIN

log = logging.getLogger(__name__)


def keep_in_step(reach: Reach, portal_id: int, pace: Pace) -> bool:
    """One batch of everything that waits in this portal; whether there is more to do at once, which is queued then.

    A failure is noted in the ledger and not raised. Does nothing while another process works there.
    """
    with may_try(reach.engine, portal_id, reach.clock()) as may, outbox.only_drain(reach.engine, portal_id) as alone:
        if not (may and alone):
            return False
        with transaction(reach.engine) as tx:
            tenant = tenancy.tenant(tx, portal_id)
        if tenant is None or not _may_work(tenant) or not _round(reach, tenant, pace):
            return False
        with transaction(reach.engine) as tx:
            more = outbox.anything_due(tx, portal_id, reach.clock())
            if more:
                refs.wake(tx, portal_id)
        return more


def _may_work(tenant: Tenant) -> bool:
    """Whether anything may be sent now; what is behind waits until it may."""
    installation = tenant.installation
    return installation.state == "active" and not installation.needs_admin and not installation.payment_expired


def _round(reach: Reach, tenant: Tenant, pace: Pace) -> bool:
    """Whether anything was done, so that it makes sense to go on at once."""
    try:
        client = portal_client(reach, tenant.portal.id)
    except InstallationRevoked:  # removed since we looked
        return False
    except Permanent as error:  # an endpoint that may not be called
        log.warning("portal %s: %s: %s", tenant.portal.id, type(error).__name__, error)
        with transaction(reach.engine) as tx:
            outbox.postpone(tx, tenant.portal.id, None, reach.clock() + timedelta(seconds=ASK_AGAIN))
        return False
    try:
        return _work(Visited.of(reach, tenant.portal), client, pace)
    except Halted:
        return False


def _work(visited: Visited, client: AdminClient, pace: Pace) -> bool:
    by_phase = lookers(visited)
    seen = reconcile(visited, client, list(by_phase.values()))
    served = robots.work(visited, client)
    drawn = Drain(visited, client, pace, by_phase).run()
    with transaction(visited.reach.engine) as tx:
        people_wait = outbox.people_wait(tx, visited.portal.id, visited.reach.clock())
    said = deliveries.send(visited, client, bulk_allowed=not people_wait)
    return seen or served or drawn or said


def lookers(visited: Visited) -> Mapping[str, Looker]:
    """Who looks at what, by the phase of the drain that draws the same, if there is one."""
    return {
        "types": SeeTypes(visited),
        "people": SeePeople(visited),
        "cards": SeeCards(visited),
        outbox.RESOURCES: SeeResources(visited),
        outbox.BOOKINGS: SeeItems(visited),
        outbox.EVENTS: SeeEvents(visited),
    }
