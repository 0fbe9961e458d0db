"""What people do with bookings' items in the funnel: each is a request under our rules (docs/behaviour.md §6).

`item_look` reads what stands there and says what that means; here it is granted, or put back with the reason.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from b24app.bitrix.loose import whole
from b24app.booking import adopt
from b24app.booking.adopt import Facts, Wished
from b24app.errors import InvalidInput, NotAllowed, Refused, Stale
from b24app.ledger import clients, decided, deliveries, drafts, queries, refs
from b24app.ledger.access import Viewer
from b24app.ledger.models import Booking, ExternalRef
from b24app.ledger.portal_models import Draft, Sighting
from b24app.ledger.session import Tx, transaction
from b24app.sync import mapping, owned, people
from b24app.sync.deciding import Desk, is_told_of
from b24app.sync.drafts import ByHand, client_of
from b24app.sync.item_look import Found, ItemReader, Meaning, Seen, as_list, changer, decide, marked_booking, title_of
from b24app.sync.owned import Owned, print_of
from b24app.sync.reconcile import Visited
from b24app.sync.tokens import AdminClient
from b24app.sync.verdict import settled

READ_ONLY = ("price", "number", "category")
DELETED = print_of({"deleted": True})


class SeeItems:
    """Reads items of the bookings' process and decides about them."""

    kinds: tuple[str, ...] = ("item",)

    def __init__(self, visited: Visited) -> None:
        self._desk = Desk(visited)
        self._engine, self._portal_id = self._desk.engine, self._desk.portal_id
        self._by_hand = ByHand(self._desk)

    def read(self, client: AdminClient, seen: Sequence[Sighting]) -> Mapping[int, Found]:
        """(calls) What stands there."""
        return ItemReader(self._desk).read(client, seen)

    def owned(self, found: Found) -> Owned | None:
        """What of an item is the ledger's."""
        return found.owned if isinstance(found, Seen) else None

    def settle(self, sighting: Sighting, found: Found) -> None:
        """What stands there is granted, or put back with the reason."""
        marks = {mark} if isinstance(found, Seen) and (mark := marked_booking(found.item)) else set()
        with transaction(self._engine) as tx:
            known = drafts.of_bookings(tx, self._portal_id, [sighting.remote_id], marks)
        ref, draft = known.attached.get(sighting.remote_id), known.drafts.get(sighting.remote_id)
        meaning = decide(sighting.remote_id, found, known)
        if isinstance(found, Seen):
            self._settle_seen(meaning, sighting, found, ref, draft)
        elif meaning is Meaning.DELETED and ref is not None:
            self._deleted(sighting, ref)
        elif meaning is Meaning.NO_DRAFT:
            with transaction(self._engine) as tx:
                drafts.drop(tx, self._portal_id, sighting.remote_id)

    def _settle_seen(
        self, meaning: Meaning, sighting: Sighting, found: Seen, ref: ExternalRef | None, draft: Draft | None
    ) -> None:
        if ref is not None:
            self._mirror(sighting, found, ref)
            if meaning is Meaning.WISH:
                self._wish(sighting, found, ref)
        elif meaning is Meaning.OURS:
            self._attach(sighting, found)
        elif meaning is Meaning.COPY:
            self._copy(sighting, found)
        elif meaning is Meaning.BY_HAND:
            self._by_hand.settle(sighting, found, draft)

    def _mirror(self, sighting: Sighting, found: Seen, ref: ExternalRef) -> None:
        """Title and responsible are the portal's."""
        assert ref.booking_id is not None, "items of this process are bookings'"
        responsible, now = whole(found.item.get("assignedById")) or None, self._desk.now
        with transaction(self._engine) as tx:
            booking = queries.booking_state(tx, self._portal_id, ref.booking_id)
            title = title_of(found.item, booking.number)
            if title and title != booking.title:
                adopt.rename(tx, self._desk.portal(tx), booking.id, title, now)
            if responsible and responsible != booking.responsible_id:
                portal, person = self._desk.portal(tx), changer(found.item, (), sighting.user_id) or responsible
                viewer = people.viewer_of(tx, portal, person, now) or Viewer(person)
                facts = Facts(frozenset({"responsible"}), responsible=responsible)
                adopt.take_over(tx, portal, booking.id, facts, viewer=viewer, now=now)
                refs.announce(tx, self._portal_id)

    # A wish ----

    def _wish(self, sighting: Sighting, found: Seen, ref: ExternalRef) -> None:
        assert ref.booking_id is not None, "items of this process are bookings'"
        changes = owned.wished(ref, found.owned)
        person, now = changer(found.item, changes, sighting.user_id), self._desk.now
        pays = self._desk.visited.settings.stage_paid == "record"
        try:
            with transaction(self._engine) as tx:
                portal = self._desk.portal(tx)
                viewer = self._desk.viewer(tx, portal, person)
                wished = self._wished(tx, ref.booking_id, changes, found)
                adopt.grant(tx, portal, ref.booking_id, wished, viewer=viewer, now=now, pays=pays)
                decided.adopt(tx, self._portal_id, ref.id, changes, now)
        except Stale:  # somebody is changing it just now: once more
            raise
        except Refused as error:
            with transaction(self._engine) as tx:
                number = decided.put_back(tx, self._portal_id, ref.id, found.owned, found.print, now)
                if number is not None:
                    self._desk.tell_of(tx, ref, number, "put_back", error, person)

    def _wished(self, tx: Tx, booking_id: uuid.UUID, changes: Mapping[str, Any], found: Seen) -> Wished:
        """What was changed as a request; raises InvalidInput and NotAllowed for what cannot be one."""
        if not changes.keys().isdisjoint(READ_ONLY):
            raise NotAllowed("read_only")
        if empty := [name for name in ("start", "end", "resources") if name in changes and not changes[name]]:
            raise InvalidInput({name.removesuffix("s"): "required" for name in empty})
        booking = queries.booking_state(tx, self._portal_id, booking_id)
        return Wished(
            start=_instant(changes.get("start")),
            end=_instant(changes.get("end")),
            resources=self._by_hand.resources(tx, changes["resources"]) if "resources" in changes else None,
            stage=changes.get("stage"),
            facts=_facts(tx, booking, changes, found),
        )

    # Deleted, found again, copied ----

    def _deleted(self, sighting: Sighting, ref: ExternalRef) -> None:
        assert ref.booking_id is not None, "items of this process are bookings'"
        if not is_told_of(sighting, ref):
            raise Stale(ref.revision)
        person, now = sighting.user_id, self._desk.now
        try:
            with transaction(self._engine) as tx:
                portal = self._desk.portal(tx)
                person = person or queries.booking_state(tx, self._portal_id, ref.booking_id).responsible_id
                viewer = self._desk.viewer(tx, portal, person)
                adopt.card_deleted(tx, portal, ref.booking_id, viewer=viewer, now=now)
                decided.forget(tx, self._portal_id, ref.id)
        except Stale:
            raise
        except Refused as error:
            mark = {"at": settled(now), "type": "item", "xml_id": mapping.booking_mark(ref.booking_id)}
            with transaction(self._engine) as tx:
                number = decided.put_back_gone(tx, self._portal_id, ref.id, mark, DELETED, now)
                if number is not None:
                    self._desk.tell_of(tx, ref, number, "not_done", error, person)

    def _attach(self, sighting: Sighting, found: Seen) -> None:
        """Our own add was told of before we had noted it, or it came back from the bin."""
        booking_id = marked_booking(found.item)
        assert booking_id is not None, "decide() has read it"
        person, now = changer(found.item, (), sighting.user_id), self._desk.now
        with transaction(self._engine) as tx:
            ref_id = decided.attach(tx, self._portal_id, found.id, now, booking_id=booking_id)
            drafts.drop(tx, self._portal_id, found.id)
            refs.wake(tx, self._portal_id)
        try:
            with transaction(self._engine) as tx:
                if adopt.was_dropped_with_its_card(queries.booking_state(tx, self._portal_id, booking_id)):
                    portal = self._desk.portal(tx)
                    viewer = self._desk.viewer(tx, portal, person)
                    adopt.card_restored(tx, portal, booking_id, viewer=viewer, now=now)
        except Stale:
            raise
        except Refused as error:
            with transaction(self._engine) as tx:
                ref = decided.locked(tx, self._portal_id, ref_id)
                if ref is not None:
                    # The number before it was attached: the next refusal will take the one it has now.
                    self._desk.tell_of(tx, ref, ref.revision - 1, "put_back", error, person)
                    refs.wake(tx, self._portal_id)

    def _copy(self, sighting: Sighting, found: Seen) -> None:
        """There is one item for a booking: the second one is left alone, and its maker is told."""
        booking_id = marked_booking(found.item)
        assert booking_id is not None, "decide() has read it"
        person, now = changer(found.item, (), sighting.user_id), self._desk.now
        with transaction(self._engine) as tx:
            number = queries.booking_state(tx, self._portal_id, booking_id).number
            reasons = {"booking": number}
            drafts.keep(
                tx, self._portal_id, found.id, drafts.COPY, found.print, reasons=reasons, user_id=person, now=now
            )
            deliveries.refusal(
                tx, self._desk.portal(tx), key=f"copy:{found.id}:{booking_id.hex}", code="copy", params=reasons,
                person=person, now=now, item_id=found.id,
            )  # fmt: skip
            refs.wake(tx, self._portal_id)


def _facts(tx: Tx, booking: Booking, changes: Mapping[str, Any], found: Seen) -> Facts:
    changed = {"deal"} & changes.keys()
    if not {"contacts", "company"}.isdisjoint(changes) and not _is_named(tx, booking, found):
        changed.add("client")
    if "observers" in changes:
        changed.add("participants")
    return Facts(
        frozenset(changed), client_of(found), changes.get("deal"), participants=tuple(changes.get("observers") or ())
    )


def _is_named(tx: Tx, booking: Booking, found: Seen) -> bool:
    """Whether the card still names the booking's client: whoever else is in there is the portal's affair."""
    client = clients.by_id(tx, booking.portal_id, booking.client_id)
    if client is None or client.crm_id is None:
        return client_of(found) is None
    return client.crm_id in as_list(found.owned["contacts" if client.kind == "contact" else "company"])


def _instant(epoch: int | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)
