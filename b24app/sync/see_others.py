"""What else people change that bookings refer to: deals and clients deleted, renamed, merged; colleagues."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from b24app.bitrix.client import BATCH, Command
from b24app.bitrix.loose import as_map, whole
from b24app.booking import adopt
from b24app.booking.adopt import Facts
from b24app.booking.clients import ClientData, keep_client
from b24app.ledger import clients, queries, refs, sightings
from b24app.ledger.access import Viewer
from b24app.ledger.models import Client
from b24app.ledger.portal_models import Sighting
from b24app.ledger.session import transaction
from b24app.sync import cards, people
from b24app.sync.deciding import Desk
from b24app.sync.owned import Owned
from b24app.sync.reconcile import GONE, UNSEEN, Missing, Visited
from b24app.sync.tokens import AdminClient


@dataclass(frozen=True, slots=True)
class Heir:
    """A card that has gone, and the one that has its phone or e-mail now: they were merged."""

    data: ClientData


Found = Mapping[str, Any] | Heir | Missing


class SeeCards:
    """Deals, contacts and companies that bookings refer to."""

    kinds: tuple[str, ...] = (sightings.DEAL, sightings.CONTACT, sightings.COMPANY)

    def __init__(self, visited: Visited) -> None:
        self._desk = Desk(visited)
        self._engine, self._portal_id = self._desk.engine, self._desk.portal_id

    def read(self, client: AdminClient, seen: Sequence[Sighting]) -> Mapping[int, Found]:
        """(calls) One request for each kind, and a search for each client who has gone."""
        found: dict[int, Found] = {}
        for kind in self.kinds:
            mine = {one.id: one.remote_id for one in seen if one.kind == kind}
            if not mine:
                continue
            rows = cards.read(client, kind, mine.values())
            heirs = self._heirs(client, kind, set(mine.values()) - rows.keys()) if kind != sightings.DEAL else {}
            found |= {key: rows.get(number) or heirs.get(number) or GONE for key, number in mine.items()}
        self._desk.learn(client, {one.user_id for one in seen if found.get(one.id) is GONE})
        return found

    def _heirs(self, client: AdminClient, kind: str, gone: Collection[int]) -> dict[int, Heir]:
        """By the id of what has gone: the card with the same phone, else the same e-mail."""
        with transaction(self._engine) as tx:
            known = clients.by_card(tx, self._portal_id, kind, gone)
        commands = {f"{how}{number}": one for number, row in known.items() for how, one in _searches(kind, row)}
        hits: dict[str, int] = {}
        for start in range(0, len(commands), BATCH):
            part = dict(list(commands.items())[start : start + BATCH])
            hits |= {key: number for key, found in client.batch(part).results.items() if (number := _hit(kind, found))}
        chosen = {number: hits.get(f"p{number}") or hits.get(f"e{number}") for number in known}
        rows = cards.read(client, kind, [one for one in chosen.values() if one])
        return {
            number: Heir(data)
            for number, heir in chosen.items()
            if heir in rows and (data := cards.client_of(kind, rows[heir])) is not None
        }

    def owned(self, found: Found) -> Owned | None:
        """Nothing here is a picture of ours."""
        return None

    def settle(self, sighting: Sighting, found: Found) -> None:
        """Bookings follow their clients, and lose deals that are no more."""
        if sighting.kind == sightings.DEAL:
            if found is GONE:
                self._deal_gone(sighting)
            return
        with transaction(self._engine) as tx:
            row = clients.by_card(tx, self._portal_id, sighting.kind, [sighting.remote_id]).get(sighting.remote_id)
        if row is None or found is UNSEEN:
            return
        if isinstance(found, Heir | Missing):
            self._client_gone(row, found.data if isinstance(found, Heir) else None)
        elif (data := cards.client_of(sighting.kind, found)) is not None:
            self._client_changed(row, data)

    def _deal_gone(self, sighting: Sighting) -> None:
        with transaction(self._engine) as tx:
            booking_ids = clients.of_deal(tx, self._portal_id, sighting.remote_id)
        for booking_id in booking_ids:
            with transaction(self._engine) as tx:
                portal, now = self._desk.portal(tx), self._desk.now
                viewer = people.viewer_of(tx, portal, sighting.user_id, now) or Viewer(sighting.user_id or 0)
                adopt.take_over(tx, portal, booking_id, Facts(frozenset({"deal"})), viewer=viewer, now=now)
                refs.announce(tx, self._portal_id)

    def _client_changed(self, row: Client, data: ClientData) -> None:
        """A new name or phone: the pictures of bookings to come show it."""
        if (row.name, row.phone, row.email) == (data.name, data.phone, data.email):
            return
        with transaction(self._engine) as tx:
            ahead = clients.bookings_ahead(tx, self._portal_id, row.id, self._desk.now)
            refs.mark_behind(tx, self._portal_id, ahead, self._desk.now, bulk=True)
            keep_client(tx, self._portal_id, data)
            refs.announce(tx, self._portal_id)

    def _client_gone(self, row: Client, heir: ClientData | None) -> None:
        """Merged into another card, he is that one from now on; deleted, he keeps his name with us."""
        with transaction(self._engine) as tx:
            booking_ids = clients.bookings_of(tx, self._portal_id, row.id)
            queries.lock_bookings(tx, self._portal_id, booking_ids)
            ahead = clients.bookings_ahead(tx, self._portal_id, row.id, self._desk.now)
            refs.mark_behind(tx, self._portal_id, ahead, self._desk.now, bulk=True)
            if heir is None or heir.crm_id is None:
                clients.unlink(tx, self._portal_id, row.id)
            else:
                clients.repoint(tx, self._portal_id, row.id, heir.kind, heir.crm_id)
                keep_client(tx, self._portal_id, heir)
            refs.announce(tx, self._portal_id)


def _searches(kind: str, row: Client) -> list[tuple[str, Command]]:
    """https://apidocs.bitrix24.com/api-reference/crm/duplicates/crm-duplicate-find-by-comm.html"""
    ways = (("PHONE", row.phone), ("EMAIL", row.email))
    found = ((how, {"entity_type": kind.upper(), "type": how, "values": [value]}) for how, value in ways if value)
    return [(how[0].lower(), Command("crm.duplicate.findbycomm", params)) for how, params in found]


def _hit(kind: str, found: Any) -> int | None:
    """The oldest of the cards that were found; nothing found is an empty list there."""
    numbers = (whole(one) for one in as_map(as_map(found).get(kind.upper())).values())
    return min(filter(None, numbers), default=None)


class SeePeople:
    """Colleagues who were renamed, moved to another department or dismissed: their bookings wait for somebody, which
    the settings show (`ledger.people.left_behind`)."""

    kinds: tuple[str, ...] = (sightings.USER,)

    def __init__(self, visited: Visited) -> None:
        self._desk = Desk(visited)

    def read(self, client: AdminClient, seen: Sequence[Sighting]) -> Mapping[int, Missing]:
        """(calls) Reading them is all there is to do."""
        people.learn(
            client, self._desk.engine, self._desk.portal_id, {one.remote_id for one in seen}, self._desk.now, anew=True
        )
        return {one.id: UNSEEN for one in seen}

    def owned(self, found: Missing) -> Owned | None:
        """Nothing here is a picture of ours."""
        return None

    def settle(self, sighting: Sighting, found: Missing) -> None:
        """Was done when they were read."""
