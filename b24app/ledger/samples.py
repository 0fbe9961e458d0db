"""Sample data as rows: what stands on it besides, and taking it out so that nothing of it is left."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from b24app.ledger.models import (
    Allocation,
    Booking,
    Claim,
    ExternalRef,
    Grant,
    Part,
    Policy,
    Portal,
    Requirement,
    RequirementOption,
    Resource,
    Service,
    Tariff,
)
from b24app.ledger.portal_models import Delivery, SettingChange


@dataclass(frozen=True, slots=True)
class Samples:
    """Everything that was put in, by id. `numbers`: the portal's next booking number before and after that."""

    resources: tuple[int, ...] = ()
    services: tuple[int, ...] = ()
    policies: tuple[int, ...] = ()
    tariffs: tuple[int, ...] = ()
    bookings: tuple[uuid.UUID, ...] = ()
    numbers: tuple[int, int] = (0, 0)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """As `to_json` wrote it."""
        ids = {name: tuple(value[name]) for name in ("resources", "services", "policies", "tariffs")}
        first, last = value["numbers"]
        return cls(**ids, bookings=tuple(uuid.UUID(one) for one in value["bookings"]), numbers=(first, last))

    def to_json(self) -> dict[str, Any]:
        """The value for `portal.guide`."""
        ids = {name: list(getattr(self, name)) for name in ("resources", "services", "policies", "tariffs")}
        return {**ids, "bookings": [str(one) for one in self.bookings], "numbers": list(self.numbers)}


class Picture(NamedTuple):
    """Something that the portal shows of the samples. `of_resource`: a card of the smart process of resources."""

    kind: str
    remote_id: int
    of_resource: bool


def forget_pictures(tx: Session, portal_id: int, samples: Samples) -> None:
    """The portal is not shown the samples: what waits to be drawn or said of them is dropped."""
    for table in (ExternalRef, Delivery):
        tx.execute(
            delete(table).where(
                table.portal_id == portal_id,
                or_(table.booking_id.in_(samples.bookings), table.resource_id.in_(samples.resources)),
            )
        )


def pictures(tx: Session, portal_id: int, samples: Samples) -> list[Picture]:
    """What the portal shows all the same, because somebody has worked with them."""
    rows = tx.execute(
        select(ExternalRef.kind, ExternalRef.remote_id, ExternalRef.resource_id).where(
            ExternalRef.portal_id == portal_id,
            ExternalRef.remote_id.is_not(None),
            ExternalRef.kind.in_(("item", "event")),
            or_(ExternalRef.booking_id.in_(samples.bookings), ExternalRef.resource_id.in_(samples.resources)),
        )
    )
    return [Picture(kind, remote_id or 0, resource_id is not None) for kind, remote_id, resource_id in rows]


def hold(tx: Session, portal_id: int, samples: Samples) -> None:
    """Locks resources and bookings of the samples, in the order that everybody keeps."""
    of_portal = select(Resource.id).where(Resource.portal_id == portal_id, Resource.id.in_(samples.resources))
    tx.execute(of_portal.order_by(Resource.id).with_for_update())
    booked = select(Booking.id).where(Booking.portal_id == portal_id, Booking.id.in_(samples.bookings))
    tx.execute(booked.order_by(Booking.id).with_for_update())


def real_bookings(tx: Session, portal_id: int, samples: Samples) -> list[int]:
    """The numbers of bookings on the samples that are none of them."""
    held = select(Allocation.booking_id).where(
        Allocation.portal_id == portal_id, Allocation.resource_id.in_(samples.resources)
    )
    claimed = select(Claim.booking_id).where(Claim.portal_id == portal_id, Claim.resource_id.in_(samples.resources))
    bare = select(Service.id).where(Service.portal_id == portal_id, Service.resource_id.in_(samples.resources))
    return list(
        tx.scalars(
            select(Booking.number)
            .where(
                Booking.portal_id == portal_id,
                Booking.id.not_in(samples.bookings),
                or_(
                    Booking.id.in_(held),
                    Booking.id.in_(claimed),
                    Booking.service_id.in_(samples.services),
                    Booking.service_id.in_(bare),
                ),
            )
            .order_by(Booking.number)
        )
    )


def used_elsewhere(tx: Session, portal_id: int, samples: Samples) -> list[str]:
    """The names of what people have set up on top of the samples: wholes, services."""
    wholes = (
        select(Resource.name)
        .join(Part, Part.composite_id == Resource.id)
        .where(
            Part.portal_id == portal_id,
            Part.part_id.in_(samples.resources),
            Part.composite_id.not_in(samples.resources),
        )
    )
    needing = (
        select(Service.name)
        .join(Requirement, Requirement.service_id == Service.id)
        .join(RequirementOption, RequirementOption.requirement_id == Requirement.id)
        .where(
            Service.portal_id == portal_id,
            RequirementOption.resource_id.in_(samples.resources),
            Service.id.not_in(samples.services),
        )
    )
    ruled = select(Service.name).where(
        Service.portal_id == portal_id,
        Service.id.not_in(samples.services),
        or_(Service.resource_id.is_(None), Service.resource_id.not_in(samples.resources)),
        or_(Service.policy_id.in_(samples.policies), Service.tariff_id.in_(samples.tariffs)),
    )
    return sorted({name for query in (wholes, needing, ruled) for name in tx.scalars(query)})


def take_out(tx: Session, portal: Portal, samples: Samples) -> None:
    """Deletes all of it, with what was written down about it; numbers that nobody has used since come again."""
    portal_id = portal.id
    subjects = {"resource": samples.resources, "service": samples.services, "policy": samples.policies,
                "tariff": samples.tariffs}  # fmt: skip
    for kind, ids in subjects.items():
        of_kind = (SettingChange.kind == kind, SettingChange.subject_id.in_(ids))
        tx.execute(delete(SettingChange).where(SettingChange.portal_id == portal_id, *of_kind))
    scopes = [f"resource:{one}" for one in samples.resources]
    tx.execute(delete(Grant).where(Grant.portal_id == portal_id, Grant.scope.in_(scopes)))
    rows: Sequence[tuple[Any, Collection[Any]]] = (
        (Booking, samples.bookings), (Service, samples.services), (Resource, samples.resources),
        (Policy, samples.policies), (Tariff, samples.tariffs),
    )  # fmt: skip
    for table, gone in rows:
        tx.execute(delete(table).where(table.portal_id == portal_id, table.id.in_(gone)))
    before, after = samples.numbers
    tx.execute(
        update(Portal).where(Portal.id == portal_id, Portal.next_number == after).values(next_number=before)
    )  # fmt: skip
