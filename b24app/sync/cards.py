"""Cards of the CRM that are not ours: contacts and companies as clients, and whether deals are still there.

https://apidocs.bitrix24.com/api-reference/crm/universal/crm-item-list.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from b24app.bitrix.client import PortalClient
from b24app.bitrix.loose import as_map, text, whole
from b24app.booking.clients import ClientData

ENTITY_TYPES = {"lead": 1, "deal": 2, "contact": 3, "company": 4}
DYNAMIC = "dynamic_"
LONGEST_NAME = 200
PAGE = 50


def entity_type(kind: str) -> int | None:
    """The CRM's number for lead, deal, contact, company or dynamic_<number>; None for anything else."""
    number = kind.removeprefix(DYNAMIC)
    return int(number) if number != kind and number.isascii() and number.isdigit() else ENTITY_TYPES.get(kind)


def read(client: PortalClient, kind: str, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """(calls) These deals, contacts or companies by id; one that is missing has gone, for an administrator's token."""
    found: dict[int, dict[str, Any]] = {}
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), PAGE):
        # Phones come with "*" only.
        params = {
            "entityTypeId": ENTITY_TYPES[kind],
            "filter": {"@id": wanted[start : start + PAGE]},
            "select": ["*"] if kind != "deal" else ["id", "title"],
        }
        for row in client.list_all("crm.item.list", params, "items", by_id="id"):
            item = as_map(row)
            if number := whole(item.get("id")):
                found[number] = item
    return found


def client_of(kind: str, item: Mapping[str, Any]) -> ClientData | None:
    """The client that a contact or company is, with the first phone and e-mail."""
    crm_id = whole(item.get("id"))
    if crm_id is None:
        return None
    phone, email = _first(item, "PHONE", "phone"), _first(item, "EMAIL", "email")
    return ClientData(kind=kind, name=title_of(kind, item), phone=phone, email=email, crm_id=crm_id)


def title_of(kind: str, item: Mapping[str, Any]) -> str:
    """What a card is called; its number where it has no name."""
    parts = ("name", "lastName") if kind == "contact" else ("title",)
    name = " ".join(filter(None, (text(item.get(part)) for part in parts)))
    return (name or f"№ {item.get('id')}")[:LONGEST_NAME]


def _first(item: Mapping[str, Any], type_id: str, alias: str) -> str:
    rows = (as_map(row) for row in as_map(item.get("fm")).values())
    values = [text(row.get("value")) for row in rows if row.get("typeId") == type_id]
    return (next(filter(None, values), "") or text(item.get(alias)))[:LONGEST_NAME]
