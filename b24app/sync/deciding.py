"""What everybody who decides about people's doings in the portal needs: the portal, the person, a way to tell him."""

from __future__ import annotations

import uuid
from datetime import datetime

from b24app.booking import announce
from b24app.errors import NotAllowed, Refused
from b24app.ledger import deliveries, tenancy
from b24app.ledger.access import Viewer
from b24app.ledger.models import ExternalRef, Portal
from b24app.ledger.portal_models import Sighting
from b24app.ledger.session import Tx
from b24app.sync import people
from b24app.sync.reconcile import Visited
from b24app.sync.tokens import AdminClient

PATIENCE = 5  # tries, a minute in all


def is_told_of(sighting: Sighting, ref: ExternalRef) -> bool:
    """Whether somebody has told us that this picture was deleted, or will not any more.

    The drain may notice it before the event that names the person arrives; then it is waited for.
    """
    return sighting.gone or bool(sighting.bulk) or sighting.user_id is not None or ref.attempts >= PATIENCE


class Desk:
    """One portal's, for as long as it is visited."""

    def __init__(self, visited: Visited) -> None:
        self.visited = visited
        self.engine, self.portal_id = visited.reach.engine, visited.portal.id

    @property
    def now(self) -> datetime:
        return self.visited.reach.clock()

    def portal(self, tx: Tx) -> Portal:
        """Its row as it is now; raises NotAllowed where the application was removed meanwhile."""
        tenant = tenancy.tenant(tx, self.portal_id)
        if tenant is None:
            raise NotAllowed("install")
        return tenant.portal

    def viewer(self, tx: Tx, portal: Portal, user_id: int | None) -> Viewer:
        """The person; raises NotAllowed for somebody whom nobody knows."""
        viewer = people.viewer_of(tx, portal, user_id, self.now)
        if viewer is None:
            raise NotAllowed("unknown_person")
        return viewer

    def learn(self, client: AdminClient, user_ids: set[int | None]) -> None:
        """(calls) Reads of these people what is not known yet."""
        if asked := {one for one in user_ids if one}:
            people.learn(client, self.engine, self.portal_id, asked, self.now)

    def tell(
        self,
        tx: Tx,
        key: str,
        code: str,
        error: Refused,
        person: int | None,
        *,
        booking_id: uuid.UUID | None = None,
        resource_id: int | None = None,
        item_id: int | None = None,
    ) -> None:
        """Why it does not stand: in the card, and to whoever did it."""
        deliveries.refusal(
            tx, self.portal(tx), key=key, code=code, params={"reasons": announce.reasons(error)}, person=person,
            now=self.now, booking_id=booking_id, resource_id=resource_id, item_id=item_id,
        )  # fmt: skip

    def tell_of(self, tx: Tx, ref: ExternalRef, number: int, code: str, error: Refused, person: int | None) -> None:
        """The same of a picture of ours; `number` tells its refusals apart."""
        self.tell(
            tx, f"refusal:{ref.id}:{number}", code, error, person, booking_id=ref.booking_id,
            resource_id=ref.resource_id,
        )  # fmt: skip
