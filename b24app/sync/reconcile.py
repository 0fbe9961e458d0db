"""Finding out what people changed in the portal: what was told of is read anew, and each kind decides about its own.

Everything here runs under the portal's lock, beside the drain: what is read is not being drawn by anybody else of ours.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Protocol
from urllib.parse import urlsplit

from b24app.errors import AppError, Permanent, Retryable
from b24app.ledger import sightings
from b24app.ledger.models import Portal
from b24app.ledger.portal_models import Sighting
from b24app.ledger.portal_settings import PortalSettings
from b24app.ledger.session import DatabaseError, transaction
from b24app.sync.laid import LaidCrm
from b24app.sync.mapping import Place
from b24app.sync.owned import Owned
from b24app.sync.tokens import AdminClient, Reach
from b24app.sync.verdict import back_off, concerns_all, delay_of

log = logging.getLogger(__name__)

BATCH = 50


class Missing(Enum):
    """What is read in place of an object."""

    GONE = "gone"  # it has certainly been deleted
    UNSEEN = "unseen"  # it is not shown to us, which says nothing


GONE, UNSEEN = Missing.GONE, Missing.UNSEEN


@dataclass(frozen=True, slots=True)
class Visited:
    """One portal while we look at it. `portal` is its row as of `now`; `place` how its pictures are drawn.

    `written`: name and text of the events that were looked at, by id, as they stand there: what people wrote is theirs.
    """

    reach: Reach
    portal: Portal
    place: Place
    settings: PortalSettings
    now: datetime
    written: dict[int, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, reach: Reach, portal: Portal) -> Visited:
        """The portal as it is now."""
        return cls(reach, portal, place_of(portal), PortalSettings.from_json(portal.settings), reach.clock())


def place_of(portal: Portal) -> Place:
    """Where this portal's pictures go; without its CRM where only Level A is used."""
    crm = LaidCrm.from_json(portal.crm) if portal.level == "B" else None
    parts = urlsplit(portal.client_endpoint)
    settings = PortalSettings.from_json(portal.settings)
    return Place(portal.language, f"{parts.scheme}://{parts.netloc}", crm, portal.currency, settings)


class Looker(Protocol):
    """Reads one or several kinds of objects, and decides about what stands there."""

    kinds: tuple[str, ...]

    def read(self, client: AdminClient, seen: Sequence[Sighting]) -> Mapping[int, Any]:
        """(calls) By sighting id what stands there now, or GONE, or UNSEEN; what could not be asked for is missing."""

    def owned(self, found: Any) -> Owned | None:
        """What of it the ledger owns, in the form of `ExternalRef.drawn`; None for GONE, UNSEEN and foreign kinds."""

    def settle(self, sighting: Sighting, found: Any) -> None:
        """Decides, and writes in transactions of its own; refusals are written down and not raised."""


class Halted(Exception):
    """The portal as a whole cannot be worked with just now; that is noted already."""


def reconcile(visited: Visited, client: AdminClient, lookers: Sequence[Looker]) -> bool:
    """Looks at one batch of what was told of, people's doings before a sweep's; whether anything was looked at.

    Raises Halted when the portal cannot be worked with.
    """
    with transaction(visited.reach.engine) as tx:
        seen = sightings.due(tx, visited.portal.id, visited.now, limit=BATCH) or sightings.due(
            tx, visited.portal.id, visited.now, bulk=True, limit=BATCH
        )
    for looker in lookers:
        if mine := [one for one in seen if one.kind in looker.kinds]:
            _look(visited, client, looker, mine)
    return bool(seen)


def _look(visited: Visited, client: AdminClient, looker: Looker, seen: Sequence[Sighting]) -> None:
    try:
        found = looker.read(client, seen)
    except (Retryable, Permanent) as error:
        _put_off(visited, seen, delay_of(error, min(one.attempts for one in seen)))
        log.warning("portal %s: not looked at: %s: %s", visited.portal.id, type(error).__name__, error)
        if concerns_all(error):
            raise Halted from error
        return
    for one in seen:
        if one.id in found and settled(visited, looker, one, found[one.id]):
            with transaction(visited.reach.engine) as tx:
                sightings.done(tx, one)
        else:
            _put_off(visited, [one], back_off(one.attempts))


def settled(visited: Visited, looker: Looker, sighting: Sighting, found: Any) -> bool:
    """Lets the looker decide; False when somebody was changing the same just then and it has to be asked again."""
    try:
        looker.settle(sighting, found)
    except (AppError, DatabaseError) as error:
        name = type(error).__name__
        log.warning("portal %s: %s %s: %s", visited.portal.id, sighting.kind, sighting.remote_id, name)
        return False
    return True


def _put_off(visited: Visited, seen: Sequence[Sighting], seconds: float) -> None:
    with transaction(visited.reach.engine) as tx:
        sightings.later(tx, seen, visited.reach.clock() + timedelta(seconds=seconds))
