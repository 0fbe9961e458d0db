"""Items that people, an import or a robot have made in the funnel themselves: booked, or kept as drafts with reasons.

A draft is tried again when somebody has edited it, and by no sweep.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from b24app.bitrix.loose import whole
from b24app.booking import adopt
from b24app.booking.adopt import Wished
from b24app.booking.clients import ClientData
from b24app.booking.reserve import BookingRequest, book
from b24app.errors import InvalidInput, Refused, Stale
from b24app.ledger import decided, deliveries, drafts, refs
from b24app.ledger.access import Viewer
from b24app.ledger.models import Booking, Portal
from b24app.ledger.portal_models import Draft, Sighting
from b24app.ledger.session import Tx, transaction
from b24app.scheduling.interval import Interval
from b24app.sync.deciding import Desk
from b24app.sync.item_look import Seen, as_list, changer, title_of
from b24app.sync.owned import print_of

CRM = "crm"
OVER = frozenset({"completed", "no_show", "cancelled", "expired"})
PREBOOKED, CANCELLED = "prebooked", "cancelled"


class ByHand:
    """Decides about items that are no pictures of ours."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def settle(self, sighting: Sighting, found: Seen, draft: Draft | None) -> None:
        """Books it, or says what is missing or in the way, once for each state of it. Other funnels are theirs."""
        crm = self._desk.visited.place.crm
        if crm is None or found.owned["category"] not in (None, crm.category_id):
            return
        person = changer(found.item, (), sighting.user_id) or whole(found.item.get("createdBy"))
        if _is_known(found, draft) and not _is_dragged(sighting, found, draft):
            self._keep(found, draft.state if draft else drafts.REFUSED, draft.reasons if draft else {}, person)
        elif draft is None and found.owned["stage"] in OVER:  # an old one that was imported: it asks for nothing
            self._keep(found, drafts.REFUSED, {}, person)
        elif lacks := self.lacks(found):
            self._incomplete(found, lacks, person)
        else:
            self._book(found, person)

    def lacks(self, found: Seen) -> list[str]:
        """What has to be filled in before it can be booked."""
        there = {**found.owned, "resource": self._items(found)}
        return [name for name in ("resource", "start", "end") if not there[name]]

    def _items(self, found: Seen) -> list[int]:
        """The resources' items: of our own field, or of the relation that the card shows as well."""
        crm = self._desk.visited.place.crm
        parent = whole(found.item.get(f"parentId{crm.need('resources').entity_type_id}")) if crm else None
        return found.owned["resources"] or as_list(parent)

    def _keep(self, found: Seen, state: str, reasons: Mapping[str, Any], person: int | None, stage: str = "") -> None:
        """Notes how it stands, or will stand once its card is at `stage`."""
        with transaction(self._desk.engine) as tx:
            self._note(tx, found, state, reasons, person, stage)

    def _note(
        self, tx: Tx, found: Seen, state: str, reasons: Mapping[str, Any], person: int | None, stage: str = ""
    ) -> None:
        seen = print_of({**found.owned, "stage": stage or found.owned["stage"]})
        drafts.keep(
            tx, self._desk.portal_id, found.id, state, seen, user_id=person, now=self._desk.now,
            reasons={"moved": found.item.get("movedTime"), **reasons, "edited": _edits(found)},
        )  # fmt: skip
        if stage and stage != found.owned["stage"]:
            key = f"stage:{found.id}:{_try(found, self._desk.now)}"
            deliveries.stage(tx, self._desk.portal(tx), item_id=found.id, stage_key=stage, key=key, now=self._desk.now)

    def _incomplete(self, found: Seen, lacks: list[str], person: int | None) -> None:
        with transaction(self._desk.engine) as tx:
            self._note(tx, found, drafts.INCOMPLETE, {"lacks": lacks}, person, PREBOOKED)
            deliveries.comment(
                tx, self._desk.portal(tx), key=f"draft:{found.id}:{_edits(found)}", code="draft_lacks",
                params={"fields": lacks}, now=self._desk.now, item_id=found.id,
            )  # fmt: skip
            refs.wake(tx, self._desk.portal_id)

    def _book(self, found: Seen, person: int | None) -> None:
        try:
            with transaction(self._desk.engine) as tx:
                portal = self._desk.portal(tx)
                self._booked(tx, portal, found, self._desk.viewer(tx, portal, person))
        except Stale:
            raise
        except Refused as error:
            with transaction(self._desk.engine) as tx:
                self._note(tx, found, drafts.REFUSED, {}, person, CANCELLED)
                key = f"draft:{found.id}:{_try(found, self._desk.now)}"
                self._desk.tell(tx, key, "draft_taken", error, person, item_id=found.id)
                refs.wake(tx, self._desk.portal_id)

    def _booked(self, tx: Tx, portal: Portal, found: Seen, viewer: Viewer) -> Booking:
        """The booking, with this item as its picture and at the stage where it was put, if that may be."""
        booking = book(tx, portal, self._request(tx, found), viewer=viewer, now=self._desk.now)
        stage = found.owned["stage"]
        if stage not in (PREBOOKED, *OVER):
            pays = self._desk.visited.settings.stage_paid == "record"
            wished = Wished(stage=stage)
            adopt.grant(tx, portal, booking.id, wished, viewer=viewer, now=self._desk.now, pays=pays)
        decided.attach(tx, portal.id, found.id, self._desk.now, booking_id=booking.id, drawn=found.owned)
        drafts.drop(tx, portal.id, found.id)
        return booking

    def _request(self, tx: Tx, found: Seen) -> BookingRequest:
        on = self.resources(tx, self._items(found))
        if len(on) > 1:
            raise InvalidInput({"resource": "only_one"})
        if found.owned["end"] <= found.owned["start"]:
            raise InvalidInput({"end": "end_before_start"})
        start, end = (datetime.fromtimestamp(found.owned[name], UTC) for name in ("start", "end"))
        return BookingRequest(
            Interval(start, end),
            resource_id=next(iter(on)),
            source=CRM,
            client=client_of(found),
            deal_id=found.owned["deal"],
            title=title_of(found.item, found.owned["number"]),
            responsible_id=whole(found.item.get("assignedById")) or None,
            participants=frozenset(found.owned.get("observers") or ()),
        )

    def resources(self, tx: Tx, item_ids: list[int]) -> frozenset[int]:
        """The resources whose items these are; raises InvalidInput for anything else."""
        known = drafts.resources_of_items(tx, self._desk.portal_id, item_ids)
        if set(item_ids) - known.keys():
            raise InvalidInput({"resource": "unknown_resource"})
        return frozenset(known.values())


def client_of(found: Seen) -> ClientData | None:
    """Whom the card names: the first contact, else the company."""
    named = [("contact", one) for one in found.owned["contacts"]] + [("company", found.owned["company"] or 0)]
    return next((found.clients[one] for one in named if one in found.clients), None)


def _edits(found: Seen) -> str:
    """Names what people have filled in, wherever the card stands."""
    return print_of({name: value for name, value in found.owned.items() if name not in ("stage", "category")})


def _try(found: Seen, now: datetime) -> str:
    """Names one look at it: what is refused again later is told again."""
    return print_of({"at": now.isoformat(), "is": found.print})


def _is_known(found: Seen, draft: Draft | None) -> bool:
    """Whether nothing was edited since somebody was told about it."""
    return draft is not None and draft.state != drafts.COPY and draft.reasons.get("edited") == _edits(found)


def _is_dragged(sighting: Sighting, found: Seen, draft: Draft | None) -> bool:
    """Whether a person has dragged a refused one back, to have it tried again. What robots do comes without anybody's
    token, and a card that they keep moving would be tried for ever."""
    if draft is None or draft.state != drafts.REFUSED or sighting.user_id is None:
        return False
    return found.owned["stage"] not in OVER and draft.reasons.get("moved") != found.item.get("movedTime")
