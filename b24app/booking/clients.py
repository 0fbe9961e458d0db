"""Who a booking is for."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from b24app.ledger import writes
from b24app.ledger.session import Tx


@dataclass(frozen=True, slots=True)
class ClientData:
    """A contact or company as just read from the CRM with the visitor's token, or a person who was typed in."""

    kind: str
    name: str
    phone: str = ""
    email: str = ""
    crm_id: int | None = None


def keep_client(tx: Tx, portal_id: int, data: ClientData, price_group: str = "") -> int:
    """The client's id; one of the CRM is kept once per portal and brought up to date."""
    return writes.keep_client(tx, portal_id, price_group=price_group, **asdict(data))
