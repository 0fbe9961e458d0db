"""Whether the portal has a booking: its item, its events, and what it has not accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from b24app.ledger.models import ExternalRef, Portal
from b24app.sync.laid import LaidCrm


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of the booking in the portal. `state`: there, waiting or parked; `path` opens it there."""

    kind: str
    state: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class InPortal:
    """All pictures of a booking in the portal."""

    pictures: tuple[Picture, ...]

    @property
    def waiting(self) -> bool:
        return any(picture.state == "waiting" for picture in self.pictures)

    @property
    def parked(self) -> list[Picture]:
        return [picture for picture in self.pictures if picture.state == "parked"]

    @property
    def has_event(self) -> bool:
        """Whether some calendar shows it, or will."""
        return any(picture.kind == "event" for picture in self.pictures)


def in_portal(portal: Portal, known: Sequence[ExternalRef]) -> InPortal:
    """What the portal has of a booking. A picture that was taken away there is not shown."""
    bookings = LaidCrm.from_json(portal.crm).bookings
    pictures = []
    for ref in known:
        path = ""
        if ref.kind == "item" and ref.remote_id is not None and bookings is not None:
            path = f"/crm/type/{bookings.entity_type_id}/details/{ref.remote_id}/"
        if ref.parked_reason is not None:
            pictures.append(Picture(ref.kind, "parked", path, ref.parked_reason))
        elif ref.dirty_since is not None:
            pictures.append(Picture(ref.kind, "waiting", path, ""))
        elif ref.remote_id is not None:
            pictures.append(Picture(ref.kind, "there", path, ""))
    return InPortal(tuple(pictures))
