"""What a company has decided about its portal: `portal.settings` and `service.deal` as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self

EVENT_DELETED = ("redraw", "cancel")
STAGE_PAID = ("record", "put_back")
DEAL_MODES = ("none", "link", "create")
USUAL_REMINDERS = (60,)


@dataclass(frozen=True, slots=True)
class DealPolicy:
    """What a booking does to deals: `stages`: our stage → the deal's STAGE_ID; `products`: its price as rows."""

    mode: Literal["none", "link", "create"] = "link"
    category_id: int = 0
    stages: Mapping[str, str] = field(default_factory=dict)
    products: bool = False

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self:
        """The policy; whatever is missing is as usual."""
        return cls(**_known(cls, value or {}))


@dataclass(frozen=True, slots=True)
class PortalSettings:
    """How the portal is kept in step. `remind_minutes`: before the start, to the responsible and the participants.

    `obey_business`: a specialist's other appointments refuse a booking. `client_in_shared`: whether shared calendars
    name the client. `escalate_hours`: after so long without an answer the next approvers are told of a request;
    0: never.
    """

    event_deleted: Literal["redraw", "cancel"] = "redraw"
    stage_paid: Literal["record", "put_back"] = "record"
    client_in_own: bool = True
    client_in_shared: bool = False
    event_participants: bool = False
    obey_business: bool = True
    comments: bool = True
    notify_responsible: bool = True
    notify_requester: bool = True
    remind_minutes: tuple[int, ...] = USUAL_REMINDERS
    escalate_hours: int = 4
    deal: DealPolicy = field(default_factory=DealPolicy)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self:
        """The settings; whatever is missing is as usual."""
        known = _known(cls, value or {})
        if "remind_minutes" in known:
            known["remind_minutes"] = tuple(known["remind_minutes"])
        if "deal" in known:
            known["deal"] = DealPolicy.from_json(known["deal"])
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """The value for `portal.settings`."""
        return {**asdict(self), "remind_minutes": list(self.remind_minutes)}


def _known(cls: Any, value: Mapping[str, Any]) -> dict[str, Any]:
    names = {one.name for one in fields(cls)}
    return {name: one for name, one in value.items() if name in names}
