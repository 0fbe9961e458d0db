"""Items of both smart processes: the pictures of bookings and of resources in the CRM.

https://apidocs.bitrix24.com/api-reference/crm/universal/index.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from b24app.bitrix.client import Command, PortalClient
from b24app.bitrix.loose import as_map, whole
from b24app.errors import Rejected
from b24app.ledger.models import ExternalRef
from b24app.ledger.outbox import Drawn, Later, Missing, Outcome, Removed, Subjects
from b24app.sync import mapping, owned
from b24app.sync.laid import LaidType
from b24app.sync.mapping import Fields, Place
from b24app.sync.owned import Owned
from b24app.sync.pieces import Found, Piece
from b24app.sync.verdict import ASK_AGAIN, back_off, settled

# Written only where we have something to say; by the names that `owned` has for them.
OPTIONAL = {"deal": "parentId2", "contacts": "contactIds", "company": "companyId", "observers": "observers"}


class Items:
    """The items of one smart process, `resources` or `bookings`."""

    methods: tuple[str, ...] = ("crm.item.add", "crm.item.update")

    def __init__(self, client: PortalClient, place: Place, laid: LaidType | None, subjects: Subjects) -> None:
        self._client, self._place, self._laid, self._subjects = client, place, laid, subjects

    @property
    def _type(self) -> LaidType:
        assert self._laid is not None, "prepare() lets nothing pass without it"
        return self._laid

    def prepare(self, refs: Sequence[ExternalRef], now: datetime) -> dict[int, Outcome]:
        """Where nothing is laid down nothing can be drawn: the portal's CRM was connected once and is not now."""
        if self._laid is not None and self._place.crm is not None and self._place.crm.complete:
            return {}
        return {ref.id: Later(now + timedelta(seconds=ASK_AGAIN), certain=True) for ref in refs}

    def find(self, refs: Sequence[ExternalRef]) -> dict[int, Found | None]:
        """One list by `xmlId`; of copies that somebody made the first is ours."""
        by_mark = {self._mark(ref): ref.id for ref in refs}
        params = {
            "entityTypeId": self._type.entity_type_id,
            "filter": {"@xmlId": list(by_mark)},
            "select": ["id", "xmlId"],
        }
        found: dict[int, Found | None] = {ref.id: None for ref in refs}
        for item in self._client.list_all("crm.item.list", params, "items", by_id="id"):
            ref_id, item_id = by_mark.get(str(item.get("xmlId"))), whole(item.get("id"))
            if ref_id is not None and item_id is not None and found[ref_id] is None:
                found[ref_id] = Found(item_id)
        return found

    def _mark(self, ref: ExternalRef) -> str:
        if ref.booking_id is not None:
            return mapping.booking_mark(ref.booking_id)
        assert ref.resource_id is not None, "checked by the table"
        return mapping.resource_mark(ref.resource_id)

    def piece(self, ref: ExternalRef, now: datetime) -> Piece | Outcome:
        """An item is added once and updated ever after."""
        fields = self._fields(ref)
        if fields is None:
            return Removed()
        drawn, type_id = self._drawn(ref, fields), self._type.entity_type_id
        if ref.remote_id is not None:
            command = Command("crm.item.update", {"entityTypeId": type_id, "id": ref.remote_id, "fields": fields})
            return Piece(ref, command, drawn, owned.trying(ref, drawn, now.isoformat()))
        command = Command("crm.item.add", {"entityTypeId": type_id, "fields": fields})
        return Piece(ref, command, drawn, {"at": now.isoformat(), "type": "item", "xml_id": self._mark(ref)})

    def _drawn(self, ref: ExternalRef, fields: Fields) -> Owned:
        """What stands there afterwards: of what is not written, what stood there before."""
        crm = self._place.crm
        assert crm is not None, "prepare() lets nothing pass without it"
        if ref.booking_id is None:
            return owned.of_resource(crm, fields)
        drawn, stood = owned.of_item(crm, fields), ref.drawn or {}
        left = {name for name, field in OPTIONAL.items() if field not in fields and name in stood}
        return {**drawn, **{name: stood[name] for name in left}}

    def _fields(self, ref: ExternalRef) -> Fields | None:
        if ref.booking_id in self._subjects.bookings:
            row, sums = self._subjects.bookings[ref.booking_id], self._subjects.sums[ref.booking_id]
            items, new = self._subjects.resource_items, ref.remote_id is None
            fields = mapping.booking_item(self._place, row, items, new=new, sums=sums)
            return fields if new else _beside_others(fields, ref.drawn or {})
        if ref.resource_id in self._subjects.resources:
            hours = self._subjects.hours.get(ref.resource_id, ())
            price = self._subjects.prices.get(ref.resource_id)
            return mapping.resource_item(self._place, self._subjects.resources[ref.resource_id], hours, price=price)
        return None

    def drawn(self, piece: Piece, result: Any) -> Outcome | None:
        """The answer is the whole item."""
        item_id = whole(as_map(as_map(result).get("item")).get("id"))
        return None if item_id is None else Drawn(item_id, piece.drawn)

    def closer(self, refusals: Sequence[tuple[Piece, Rejected]], now: datetime) -> dict[int, Outcome]:
        """An item that has gone is looked for by its mark, because one restored from the bin may have a new id."""
        gone = [piece.ref for piece, error in refusals if error.code == "NOT_FOUND" and piece.ref.remote_id is not None]
        return {
            ref.id: Missing(_soon(ref, now), {"at": settled(now), "type": "item", "xml_id": self._mark(ref)})
            for ref in gone
        }


def _beside_others(fields: Fields, stood: Mapping[str, Any]) -> Fields:
    """Our client as a contact among others that people have added to the card: theirs stay there."""
    ours, named = set(fields.get("contactIds", ())), set(stood.get("contacts") or ())
    if ours and ours <= named:
        return {name: value for name, value in fields.items() if name != "contactIds"}
    return fields


def _soon(ref: ExternalRef, now: datetime) -> datetime:
    """At once the first time."""
    return now + timedelta(seconds=back_off(ref.attempts)) if ref.attempts else now
