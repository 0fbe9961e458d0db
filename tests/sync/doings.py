"""What people do with items in the emulated portal, told to the application as its events would tell it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from b24app.ledger import outbox, queries, refs, sightings
from b24app.ledger.models import Booking, ExternalRef, History
from b24app.ledger.portal_models import Delivery, Draft
from b24app.ledger.session import transaction
from b24app.ledger.sightings import Hint
from b24app.sync.laid import LaidCrm
from emulator import people
from tests.sync.rig import MANAGER, Clock, Company, Rig


@dataclass
class Doings:
    """One portal in which people work; what they do is looked at as soon as it is done."""

    company: Company

    @property
    def rig(self) -> Rig:
        return self.company.rig

    @property
    def crm(self) -> LaidCrm:
        with transaction(self.rig.engine) as tx:
            return LaidCrm.from_json(self.rig.ledger(tx).crm)

    @property
    def type(self) -> int:
        return self.crm.need("bookings").entity_type_id

    def field(self, key: str, kind: str = "bookings") -> str:
        return self.crm.need(kind).fields[key]

    def forward(self, seconds: float) -> None:
        clock = self.rig.clock
        assert isinstance(clock, Clock)
        clock.forward(seconds)

    # In the portal ----

    def tell(self, item_id: int, user: int | None = MANAGER, *, gone: bool = False, kind: str = "item") -> None:
        """An event arrives and is looked at, until nothing is left to do."""
        with transaction(self.rig.engine) as tx:
            sightings.see(tx, self.rig.portal_id, [Hint(kind, item_id, user, gone)], self.rig.clock())
        self.settle()

    def settle(self) -> None:
        """Work goes on until nothing is left to do."""
        for _ in range(6):
            with transaction(self.rig.engine) as tx:
                if not outbox.anything_due(tx, self.rig.portal_id, self.rig.clock()):
                    return
            self.rig.drain()

    def edit(self, item_id: int, user: int = MANAGER, **values: Any) -> None:
        """Saves the card with other values, by our names of fields where we have one."""
        names = self.crm.need("bookings").fields
        fields = {names.get(key, key): value for key, value in values.items()}
        people.edit_item(self.rig.far, user, self.type, item_id, fields)
        self.tell(item_id, user)

    def drag(self, item_id: int, stage: str, user: int = MANAGER) -> None:
        """Drags the card to one of our stages."""
        people.move_card(self.rig.far, user, self.type, item_id, self.crm.stages[stage])
        self.tell(item_id, user)

    def delete(self, item_id: int, user: int = MANAGER) -> None:
        people.delete_item(self.rig.far, user, self.type, item_id)
        self.tell(item_id, user, gone=True)

    def make(self, user: int = MANAGER, *, stage: str = "prebooked", **values: Any) -> int:
        """Adds a card by hand."""
        names = self.crm.need("bookings").fields
        fields = {names.get(key, key): value for key, value in values.items()}
        made = people.add_item(self.rig.far, user, self.type, {"stageId": self.crm.stages[stage], **fields})
        self.tell(made["id"], user)
        return int(made["id"])

    def item(self, item_id: int) -> dict[str, Any]:
        found = next(one for one in self.rig.items("bookings") if one["id"] == item_id)
        return found | {"ours": {status: key for key, status in self.crm.stages.items()}.get(found["stageId"])}

    def bound(self, resource_id: int) -> list[str]:
        """A resource as the card names it."""
        with transaction(self.rig.engine) as tx:
            query = select(ExternalRef.remote_id).filter_by(kind="item", resource_id=resource_id)
            return [f"T{self.crm.need('resources').entity_type_id:x}_{tx.scalar(query)}"]

    # With us ----

    def item_of(self, booking_id: uuid.UUID) -> int:
        with transaction(self.rig.engine) as tx:
            query = select(ExternalRef.remote_id).filter_by(kind="item", booking_id=booking_id)
            return int(tx.scalars(query).one() or 0)

    def booking(self, booking_id: uuid.UUID) -> Booking:
        with transaction(self.rig.engine) as tx:
            return queries.booking_state(tx, self.rig.portal_id, booking_id)

    def bookings(self) -> list[Booking]:
        with transaction(self.rig.engine) as tx:
            return list(tx.scalars(select(Booking).order_by(Booking.number)))

    def history(self, booking_id: uuid.UUID) -> list[tuple[str, str]]:
        """What was done by whom, the oldest first."""
        with transaction(self.rig.engine) as tx:
            rows = tx.scalars(select(History).filter_by(booking_id=booking_id).order_by(History.number))
            return [(row.action, row.actor) for row in rows]

    def said(self, *codes: str) -> list[tuple[str, str, int | None]]:
        """Kind, code and recipient of what people were told about their doings."""
        with transaction(self.rig.engine) as tx:
            rows = tx.scalars(select(Delivery).where(Delivery.code.in_(codes)).order_by(Delivery.id))
            return [(row.kind, row.code, row.recipient) for row in rows]

    def reasons(self) -> list[str]:
        """The codes of every reason that was given, the oldest first."""
        with transaction(self.rig.engine) as tx:
            rows = tx.scalars(select(Delivery).filter_by(kind="comment").order_by(Delivery.id))
            return [one.get("code", one["family"]) for row in rows for one in row.params.get("reasons", ())]

    def ref(self, booking_id: uuid.UUID) -> ExternalRef | None:
        with transaction(self.rig.engine) as tx:
            return tx.scalar(select(ExternalRef).filter_by(kind="item", booking_id=booking_id))

    def picture(self, booking_id: uuid.UUID) -> ExternalRef:
        ref = self.ref(booking_id)
        assert ref is not None
        return ref

    def drafts(self) -> list[Draft]:
        with transaction(self.rig.engine) as tx:
            return list(tx.scalars(select(Draft).order_by(Draft.id)))

    def redraw(self, booking_id: uuid.UUID) -> None:
        """The booking's pictures are behind."""
        with transaction(self.rig.engine) as tx:
            refs.mark_behind(tx, self.rig.portal_id, [booking_id], self.rig.clock())


def at(moment: datetime) -> str:
    """An instant as a card sends it."""
    return moment.isoformat()
