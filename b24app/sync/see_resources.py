"""What people do with resources' items: the card is a working editor for what it can hold, and shows the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from b24app.bitrix.loose import whole
from b24app.booking import announce, resource_card
from b24app.errors import InvalidInput, Refused, Stale
from b24app.ledger import decided, deliveries, drafts, outbox, refs
from b24app.ledger.drafts import Known
from b24app.ledger.models import ExternalRef, Resource
from b24app.ledger.portal_models import Sighting
from b24app.ledger.session import Tx, transaction
from b24app.sync import mapping, owned
from b24app.sync.deciding import Desk, is_told_of
from b24app.sync.item_look import changer, listed, missing
from b24app.sync.laid import LaidCrm
from b24app.sync.owned import Owned, print_of
from b24app.sync.reconcile import UNSEEN, Missing, Visited
from b24app.sync.tokens import AdminClient
from b24app.sync.verdict import settled

SHOWN = ("kind", "hours", "time_zone", "step", "employee")
DELETED = print_of({"deleted": True})


@dataclass(frozen=True, slots=True)
class Card:
    """A resource's item as it stands there. `rival`: it names a resource that has another item, which is alive."""

    item: Mapping[str, Any]
    owned: Owned
    rival: bool = False

    @property
    def id(self) -> int:
        return whole(self.item.get("id")) or 0


Found = Card | Missing


class SeeResources:
    """Reads items of the resources' process and decides about them."""

    kinds: tuple[str, ...] = ("resource",)

    def __init__(self, visited: Visited) -> None:
        self._desk = Desk(visited)
        self._engine, self._portal_id = self._desk.engine, self._desk.portal_id

    @property
    def _crm(self) -> LaidCrm:
        crm = self._desk.visited.place.crm
        assert crm is not None, "read() calls everything UNSEEN without it"
        return crm

    # Reading ----

    def read(self, client: AdminClient, seen: Sequence[Sighting]) -> Mapping[int, Found]:
        """(calls) What stands there."""
        crm = self._desk.visited.place.crm
        if crm is None or not crm.complete:
            return {one.id: UNSEEN for one in seen}
        laid, wanted = crm.need("resources"), {one.remote_id for one in seen}
        rows = listed(client, laid, wanted)
        if rows is None:
            return {one.id: UNSEEN for one in seen}
        cards = {key: Card(item, owned.of_resource(crm, item)) for key, item in rows.items()}
        found: dict[int, Found] = {**missing(client, laid, wanted - rows.keys()), **self._with_rivals(client, cards)}
        people = {changer(item, (), None) for item in rows.values()}
        self._desk.learn(client, people | {one.user_id for one in seen})
        return {one.id: found[one.remote_id] for one in seen if one.remote_id in found}

    def _with_rivals(self, client: AdminClient, cards: Mapping[int, Card]) -> dict[int, Card]:
        marks = {key: mark for key, one in cards.items() if (mark := marked_resource(one.item))}
        known = self._known(cards, marks.values())
        others = {
            key: ref.remote_id
            for key, mark in marks.items()
            if (ref := known.marked.get(mark)) is not None and ref.remote_id not in (None, key)
        }
        alive = listed(client, self._crm.need("resources"), set(filter(None, others.values()))) or {}
        return {key: replace(one, rival=others.get(key) in alive) for key, one in cards.items()}

    def _known(self, item_ids: Collection[int], resource_ids: Collection[int]) -> Known:
        with transaction(self._engine) as tx:
            return drafts.of_resources(tx, self._portal_id, item_ids, resource_ids)

    def owned(self, found: Found) -> Owned | None:
        """What of an item is the ledger's."""
        return found.owned if isinstance(found, Card) else None

    # Deciding ----

    def settle(self, sighting: Sighting, found: Found) -> None:
        """What stands there is taken over, or put back with the reason."""
        mark = marked_resource(found.item) if isinstance(found, Card) else None
        known = self._known([sighting.remote_id], [mark] if mark else [])
        ref = known.attached.get(sighting.remote_id)
        if isinstance(found, Missing):
            if found is not UNSEEN and ref is not None:
                self._deleted(sighting, ref)
        elif ref is not None:
            self._of_picture(sighting, found, ref)
        elif mark in known.marked:
            self._found_again(sighting, found, mark or 0)
        else:
            self._by_hand(sighting, found)

    def _of_picture(self, sighting: Sighting, found: Card, ref: ExternalRef) -> None:
        changes = owned.wished(ref, found.owned)
        with transaction(self._engine) as tx:
            resource, shown = self._shown(tx, ref)
        differs = {key: found.item.get(name) for key, name, value in shown if not _same(found.item.get(name), value)}
        if resource.archived_at is not None and (kind := self._kind(differs.get("kind"))):
            changes["kind"] = kind  # not offered yet: what it is may still be said
        if changes:
            self._wish(sighting, found, ref, changes)
        elif differs and ref.dirty_since is None:
            with transaction(self._engine) as tx:
                seen = print_of({key: str(value) for key, value in differs.items()})
                decided.put_back(tx, self._portal_id, ref.id, found.owned, seen, self._desk.now)

    def _shown(self, tx: Tx, ref: ExternalRef) -> tuple[Resource, list[tuple[str, str, Any]]]:
        """The resource, and what its card shows without being an editor for it: our key, the field, what we write."""
        fields, resource = self._fields(tx, ref)
        names = self._crm.need("resources").fields
        return resource, [(key, names[key], fields.get(names[key])) for key in SHOWN if key in names]

    def _fields(self, tx: Tx, ref: ExternalRef) -> tuple[dict[str, Any], Resource]:
        assert ref.resource_id is not None, "items of this process are resources'"
        of = outbox.subjects(tx, self._portal_id, [ref])
        resource, price = of.resources[ref.resource_id], of.prices.get(ref.resource_id)
        hours = of.hours.get(ref.resource_id, ())
        return mapping.resource_item(self._desk.visited.place, resource, hours, price=price), resource

    def _kind(self, option: Any) -> str | None:
        """The kind that an option of the list means."""
        options = self._crm.need("resources").options.get("kind", {})
        return next((kind for kind, number in options.items() if number == whole(option)), None)

    def _wish(self, sighting: Sighting, found: Card, ref: ExternalRef, changes: Mapping[str, Any]) -> None:
        assert ref.resource_id is not None, "items of this process are resources'"
        person, now = changer(found.item, (), sighting.user_id), self._desk.now
        try:
            with transaction(self._engine) as tx:
                portal = self._desk.portal(tx)
                viewer = self._desk.viewer(tx, portal, person)
                resource_card.edit(tx, portal, ref.resource_id, changes, viewer=viewer, now=now)
                agreed = {name: value for name, value in changes.items() if name in found.owned}
                decided.adopt(tx, self._portal_id, ref.id, agreed, now)
        except Stale:
            raise
        except Refused as error:
            with transaction(self._engine) as tx:
                seen = print_of({**found.owned, **changes})
                number = decided.put_back(tx, self._portal_id, ref.id, found.owned, seen, now)
                if number is not None:
                    self._desk.tell_of(tx, ref, number, "put_back", error, person)

    def _deleted(self, sighting: Sighting, ref: ExternalRef) -> None:
        """Archived; its card is made again where that may not be, or bookings ahead stand on it."""
        assert ref.resource_id is not None, "items of this process are resources'"
        if not is_told_of(sighting, ref):
            raise Stale(ref.revision)
        person, now = sighting.user_id, self._desk.now
        try:
            with transaction(self._engine) as tx:
                portal = self._desk.portal(tx)
                viewer = self._desk.viewer(tx, portal, person)
                needed = resource_card.card_deleted(tx, portal, ref.resource_id, viewer=viewer, now=now)
                if not needed:
                    decided.forget(tx, self._portal_id, ref.id)
            if needed:
                self._make_again(ref, InvalidInput({"resource": "in_use"}), person, now)
        except Stale:
            raise
        except Refused as error:
            self._make_again(ref, error, person, now)

    def _make_again(self, ref: ExternalRef, error: Refused, person: int | None, now: datetime) -> None:
        assert ref.resource_id is not None, "items of this process are resources'"
        mark = {"at": settled(now), "type": "item", "xml_id": mapping.resource_mark(ref.resource_id)}
        with transaction(self._engine) as tx:
            number = decided.put_back_gone(tx, self._portal_id, ref.id, mark, DELETED, now)
            if number is not None:
                self._desk.tell_of(tx, ref, number, "not_done", error, person)

    def _found_again(self, sighting: Sighting, found: Card, resource_id: int) -> None:
        """Our own add was told of before we had noted it, it came back from the bin, or it is a copy."""
        person, now = changer(found.item, (), sighting.user_id), self._desk.now
        if found.rival:
            with transaction(self._engine) as tx:
                if person:
                    deliveries.notice(
                        tx, self._desk.portal(tx), key=f"copy:r{found.id}:{resource_id}", code="copy", person=person,
                        now=now, resource_id=resource_id,
                    )  # fmt: skip
                    refs.wake(tx, self._portal_id)
            return
        with transaction(self._engine) as tx:
            ref_id = decided.attach(tx, self._portal_id, found.id, now, resource_id=resource_id)
            ref = decided.locked(tx, self._portal_id, ref_id)
            assert ref is not None, "made just now"
            fields, _ = self._fields(tx, ref)
            ref.drawn = owned.of_resource(self._crm, fields)
            refs.wake(tx, self._portal_id)
        self._of_picture(sighting, found, ref)

    def _by_hand(self, sighting: Sighting, found: Card) -> None:
        """A new resource; archived while nobody has said what it is."""
        person, now = changer(found.item, (), sighting.user_id), self._desk.now
        names = self._crm.need("resources").fields
        kind = self._kind(found.item.get(names.get("kind", "")))
        try:
            with transaction(self._engine) as tx:
                portal = self._desk.portal(tx)
                viewer = self._desk.viewer(tx, portal, person)
                made = resource_card.add(tx, portal, {**found.owned, "kind": kind}, viewer=viewer, now=now)
                decided.attach(tx, portal.id, found.id, now, resource_id=made.id, drawn=found.owned)
                if not kind:
                    deliveries.comment(
                        tx, portal, key=f"lacks:r{made.id}", code="resource_lacks", params={"fields": ["kind"]},
                        now=now, resource_id=made.id,
                    )  # fmt: skip
        except Stale:
            raise
        except Refused as error:
            with transaction(self._engine) as tx:
                if person:
                    deliveries.notice(
                        tx, self._desk.portal(tx), key=f"resource:{found.id}:{print_of(found.owned)}",
                        code="not_done", params={"reasons": announce.reasons(error)}, person=person, now=now,
                    )  # fmt: skip
                    refs.wake(tx, self._portal_id)


def marked_resource(item: Mapping[str, Any]) -> int | None:
    """The resource that the item's `xmlId` names."""
    mark = str(item.get("xmlId") or "")
    return whole(mark.removeprefix("r:")) if mark.startswith("r:") else None


def _same(seen: Any, written: Any) -> bool:
    """Whether a field shows what we write there; nothing is written as nothing."""
    return str(seen or "").strip() == str(written or "").strip()
