"""What the installer laid down in a portal's CRM, as it is remembered in `portal.crm` and in the app's options.

The names on the left are ours and stand in install/smart_processes.json; those on the right are this portal's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from b24app.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class LaidType:
    """One smart process. `fields`: our key → the name in crm.item.*; `options`: key of a list → option → its id."""

    id: int
    entity_type_id: int
    fields: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self | None:
        """The type, or None when there is none."""
        return cls(**value) if value else None


@dataclass(frozen=True, slots=True)
class LaidCrm:
    """Both smart processes and the funnel. `stages`: our stage → STAGE_ID; keys prebooked, confirmed, paid,
    completed, cancelled, expired, no_show. `intent`: which entityTypeId we are about to take, by type."""

    resources: LaidType | None = None
    bookings: LaidType | None = None
    category_id: int | None = None
    stages: Mapping[str, str] = field(default_factory=dict)
    intent: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """What `portal.crm` says; `{}` is a portal where nothing was laid down yet."""
        return cls(
            resources=LaidType.from_json(value.get("resources")),
            bookings=LaidType.from_json(value.get("bookings")),
            category_id=value.get("category_id"),
            stages=dict(value.get("stages") or {}),
            intent=dict(value.get("intent") or {}),
        )

    def to_json(self) -> dict[str, Any]:
        """The value for `portal.crm`."""
        return asdict(self)

    @property
    def complete(self) -> bool:
        """Whether items can be written: Level B."""
        return bool(self.resources and self.bookings and self.stages)

    def type(self, key: str) -> LaidType | None:
        """The smart process `resources` or `bookings`."""
        return self.resources if key == "resources" else self.bookings

    def with_type(self, key: str, laid: LaidType | None) -> LaidCrm:
        """The same with this smart process."""
        return replace(self, resources=laid) if key == "resources" else replace(self, bookings=laid)

    def need(self, key: str) -> LaidType:
        """The smart process `key`; raises Misconfigured in a portal of Level A."""
        laid = self.type(key)
        if laid is None:
            raise Misconfigured("crm", f"{key} is not laid down")
        return laid
