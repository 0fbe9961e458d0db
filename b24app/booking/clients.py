"""Who a booking is for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from b24app.ledger.models import Client


@dataclass(frozen=True, slots=True)
class ClientData:
    """A contact or company as just read from the CRM with the visitor's token, or a person who was typed in."""

    kind: str
    name: str
    phone: str = ""
    email: str = ""
    crm_id: int | None = None


def keep_client(tx: Session, portal_id: int, data: ClientData) -> int:
    """The client's id; one of the CRM is kept once per portal and brought up to date."""
    values = {"name": data.name, "phone": data.phone, "email": data.email}
    statement = insert(Client).values(portal_id=portal_id, kind=data.kind, crm_id=data.crm_id, **values)
    if data.crm_id is not None:
        statement = statement.on_conflict_do_update(
            index_elements=[Client.portal_id, Client.kind, Client.crm_id],
            index_where=Client.crm_id.is_not(None),
            set_=values,
        )
    return tx.scalars(statement.returning(Client.id)).one()
