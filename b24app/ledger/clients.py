"""Clients that are contacts and companies of the CRM: renamed, merged or deleted there."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from b24app.ledger.models import Booking, Client


def by_id(tx: Session, portal_id: int, client_id: int | None) -> Client | None:
    """The client of a booking."""
    return tx.scalar(select(Client).where(Client.portal_id == portal_id, Client.id == client_id))


def by_card(tx: Session, portal_id: int, kind: str, crm_ids: Collection[int]) -> dict[int, Client]:
    """Those of these contacts or companies that are clients, by the card's id."""
    rows = tx.scalars(
        select(Client)
        .where(Client.portal_id == portal_id, Client.kind == kind, Client.crm_id.in_(crm_ids))
        .execution_options(populate_existing=True)
    )
    return {row.crm_id: row for row in rows if row.crm_id is not None}


def bookings_ahead(tx: Session, portal_id: int, client_id: int, now: datetime) -> list[UUID]:
    """The bookings of a client that are not over: their pictures name him."""
    return list(
        tx.scalars(
            select(Booking.id).where(
                Booking.portal_id == portal_id, Booking.client_id == client_id, func.upper(Booking.during) > now
            )
        )
    )


def bookings_of(tx: Session, portal_id: int, client_id: int) -> list[UUID]:
    """All bookings of a client."""
    return list(tx.scalars(select(Booking.id).where(Booking.portal_id == portal_id, Booking.client_id == client_id)))


class Record(NamedTuple):
    """How often a client has booked, and how often he did not come."""

    bookings: int
    no_shows: int


def record_of(tx: Session, portal_id: int, client_id: int) -> Record:
    """What a client's bookings come to; what was dropped before it began does not count."""
    no_show = func.count(Booking.id).filter(Booking.stage == "no_show")
    stood = Booking.stage.in_(("prebooked", "confirmed", "completed", "no_show"))
    query = select(func.count(Booking.id), no_show)
    row = tx.execute(query.where(Booking.portal_id == portal_id, Booking.client_id == client_id, stood)).one()
    return Record(*row)


def repoint(tx: Session, portal_id: int, client_id: int, kind: str, crm_id: int) -> int:
    """The client is that card from now on; returns his id, which is that card's own when it is a client already."""
    other = by_card(tx, portal_id, kind, [crm_id]).get(crm_id)
    if other is None:
        own = update(Client).where(Client.portal_id == portal_id, Client.id == client_id)
        tx.execute(own.values(kind=kind, crm_id=crm_id))
        return client_id
    of_him = update(Booking).where(Booking.portal_id == portal_id, Booking.client_id == client_id)
    tx.execute(of_him.values(client_id=other.id).execution_options(synchronize_session=False))
    tx.execute(delete(Client).where(Client.portal_id == portal_id, Client.id == client_id))
    return other.id


def unlink(tx: Session, portal_id: int, client_id: int) -> None:
    """The card has gone: the name and the phone stay with us."""
    own = update(Client).where(Client.portal_id == portal_id, Client.id == client_id)
    tx.execute(own.values(kind="person", crm_id=None))


def of_deal(tx: Session, portal_id: int, deal_id: int) -> list[UUID]:
    """The bookings of a deal."""
    return list(tx.scalars(select(Booking.id).where(Booking.portal_id == portal_id, Booking.deal_id == deal_id)))
