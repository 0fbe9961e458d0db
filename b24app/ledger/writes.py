"""Every insert, update and delete of the use cases that is more than setting an attribute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from b24app.ledger.models import Booking, Client, OpeningHours, Portal, Requirement, Resource, Service, Unit
from b24app.scheduling import hours as opening


def insert_booking(tx: Session, portal_id: int, values: dict[str, Any]) -> Booking | None:
    """The new booking with the portal's next number, or None when this `request_key` has made one already."""
    statement = insert(Booking).values(portal_id=portal_id, number=_next_number(tx, portal_id), **values)
    return tx.scalars(
        statement.on_conflict_do_nothing(
            index_elements=[Booking.portal_id, Booking.request_key], index_where=Booking.request_key.is_not(None)
        ).returning(Booking)
    ).first()


def _next_number(tx: Session, portal_id: int) -> int:
    """The portal's next booking number.

    The portal's row is locked by this until the transaction ends. It is taken after the resources and by everyone
    in that order, and shortly before the commit, so bookings of one portal wait for each other only there.
    """
    following = tx.execute(
        update(Portal)
        .where(Portal.id == portal_id)
        .values(next_number=Portal.next_number + 1)
        .returning(Portal.next_number)
    )
    return following.scalar_one() - 1


def keep_client(
    tx: Session, portal_id: int, *, kind: str, crm_id: int | None, name: str, phone: str, email: str
) -> int:
    """The client's id; one of the CRM is kept once per portal and brought up to date."""
    values = {"name": name, "phone": phone, "email": email}
    statement = insert(Client).values(portal_id=portal_id, kind=kind, crm_id=crm_id, **values)
    if crm_id is not None:
        statement = statement.on_conflict_do_update(
            index_elements=[Client.portal_id, Client.kind, Client.crm_id],
            index_where=Client.crm_id.is_not(None),
            set_=values,
        )
    return tx.scalars(statement.returning(Client.id)).one()


def replace_hours(tx: Session, portal_id: int, resource_id: int, hours: Sequence[opening.OpeningHours]) -> None:
    """The weekly hours of a resource, as they are from now on."""
    tx.execute(delete(OpeningHours).where(OpeningHours.portal_id == portal_id, OpeningHours.resource_id == resource_id))
    tx.add_all(
        OpeningHours(portal_id=portal_id, resource_id=resource_id, weekday=h.weekday, opens=h.opens, closes=h.closes)
        for h in hours
    )


def save_bare_service(
    tx: Session, resource: Resource, *, min_minutes: int, max_minutes: int, horizon_days: int
) -> None:
    """The service that books this resource alone, with its requirement and unit when it is new."""
    portal_id = resource.portal_id
    service = tx.scalar(
        select(Service)
        .join(Requirement, Requirement.service_id == Service.id)
        .where(Service.portal_id == portal_id, Requirement.resource_id == resource.id)
    )
    is_new = service is None
    service = service or Service(portal_id=portal_id)
    service.name, service.min_minutes, service.max_minutes = resource.name, min_minutes, max_minutes
    service.horizon_days = horizon_days
    tx.add(service)
    tx.flush()
    if is_new:
        tx.add(Requirement(portal_id=portal_id, service_id=service.id, resource_id=resource.id))
        tx.add(Unit(portal_id=portal_id, resource_id=resource.id))
    _remember_longest(tx, portal_id, max_minutes)
    tx.flush()


def _remember_longest(tx: Session, portal_id: int, minutes: int) -> None:
    tx.execute(
        update(Portal)
        .where(Portal.id == portal_id, Portal.longest_minutes < minutes)
        .values(longest_minutes=minutes)
        .execution_options(synchronize_session=False)
    )
