"""The safety net: comparing what stands in a portal with what we drew there.

It writes nothing but hints: what differs is looked at like anything that an event tells of, so lost events, weeks of
downtime and a restored backup of either side end in the same decisions. It runs outside of the portal's lock.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from b24app.bitrix.client import Command
from b24app.bitrix.loose import as_map, whole
from b24app.errors import Permanent, Retryable
from b24app.ledger import refs, sightings, sweeps, tenancy
from b24app.ledger.session import transaction
from b24app.ledger.sightings import COMPANY, CONTACT, DEAL, EVENT, ITEM, RESOURCE, TYPE, USER, Hint
from b24app.ledger.sweeps import Expected
from b24app.sync import mapping, owned
from b24app.sync.laid import LaidType
from b24app.sync.reconcile import Visited
from b24app.sync.throttles import may_try
from b24app.sync.tokens import AdminClient, Reach, portal_client

log = logging.getLogger(__name__)

LOOKS_BACK = timedelta(days=30)
WEEK = timedelta(days=7)
A_DAY = timedelta(days=1)
BATCH = 50
NOTED_AT_ONCE = 500


@dataclass
class _Findings:
    """What one sweep has compared and what it found, by kind of difference."""

    compared: Counter[str] = field(default_factory=Counter)
    differences: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        return {"compared": dict(self.compared), "differences": dict(self.differences)}


def sweep(reach: Reach, portal_id: int, asked_by: str) -> dict[str, Any] | None:
    """Compares a portal with the ledger and notes what differs; returns the counts, None when it could not be done.

    A portal that does not answer leaves the sweep marked as failed; the next one begins anew.
    """
    with may_try(reach.engine, portal_id, reach.clock()) as may:
        return _swept(reach, portal_id, asked_by) if may else None


def _swept(reach: Reach, portal_id: int, asked_by: str) -> dict[str, Any] | None:
    with transaction(reach.engine) as tx:
        tenant = tenancy.tenant(tx, portal_id)
        if tenant is None or tenant.installation.state != "active":
            return None
        sweep_id = sweeps.begin(tx, portal_id, asked_by, reach.clock())
    run = _Sweep(Visited.of(reach, tenant.portal), sweep_id)
    try:
        run.compare(portal_client(reach, portal_id))
    except (Retryable, Permanent) as error:
        log.warning("portal %s: sweep: %s: %s", portal_id, type(error).__name__, error)
        run.end(failed=type(error).__name__)
        return None
    return run.end()


class _Sweep:
    """One comparison of one portal."""

    def __init__(self, visited: Visited, sweep_id: int) -> None:
        self._visited, self._id = visited, sweep_id
        self._engine, self._portal_id = visited.reach.engine, visited.portal.id
        self._since = visited.now - LOOKS_BACK
        self._findings = _Findings()

    def compare(self, client: AdminClient) -> None:
        with transaction(self._engine) as tx:
            pictures = sweeps.expected(tx, self._portal_id, self._since)
        crm = self._visited.place.crm
        if crm is not None and crm.complete:
            self._types([laid.entity_type_id for laid in (crm.resources, crm.bookings) if laid])
            self._items(client, RESOURCE, crm.need("resources"), [one for one in pictures if _is(one, RESOURCE)])
            self._items(client, ITEM, crm.need("bookings"), [one for one in pictures if _is(one, ITEM)])
        self._events(client, [one for one in pictures if one.kind == "event"])
        self._related()

    def end(self, failed: str | None = None) -> dict[str, Any]:
        """Notes how it ended and wakes the portal."""
        found = self._findings.as_json()
        with transaction(self._engine) as tx:
            now = self._visited.reach.clock()
            sweeps.note(tx, self._portal_id, self._id, ended_at=now, found=found, failed=failed)
            refs.wake(tx, self._portal_id)
        return found

    def _note(self, difference: str, hints: Sequence[Hint]) -> None:
        """Hints that somebody shall look at; a few hundred at a time, since others write hints as well."""
        self._findings.differences[difference] += len(hints)
        for start in range(0, len(hints), NOTED_AT_ONCE):
            with transaction(self._engine) as tx:
                part = hints[start : start + NOTED_AT_ONCE]
                sightings.see(tx, self._portal_id, part, self._visited.reach.clock(), bulk=True)
                sweeps.note(tx, self._portal_id, self._id, progress=self._findings.as_json())

    # Items ----

    def _types(self, numbers: Sequence[int]) -> None:
        """Both smart processes are looked at each time: whether they, their fields and stages are still there."""
        with transaction(self._engine) as tx:
            hints = [Hint(TYPE, number) for number in numbers]
            sightings.see(tx, self._portal_id, hints, self._visited.reach.clock(), bulk=True)

    def _items(self, client: AdminClient, kind: str, laid: LaidType, pictures: Sequence[Expected]) -> None:
        with transaction(self._engine) as tx:
            known = sweeps.known_items(tx, self._portal_id, of_resources=kind == RESOURCE)
            drafts = sweeps.drafts(tx, self._portal_id) if kind == ITEM else {}
        ours = {one.remote_id: one for one in pictures}
        changed, strange, stands = [], [], set()
        for item in self._listed(client, kind, laid):
            item_id = whole(item.get("id")) or 0
            stands.add(item_id)
            if item_id in ours:
                changed += [item_id] if self._differs(kind, ours[item_id], item) else []
            elif item_id not in known and drafts.get(item_id) != self._print(kind, item):
                strange.append(item_id)
        self._findings.compared[kind] += len(stands)
        self._note(f"{kind}_changed", [Hint(kind, one) for one in changed])
        self._note(f"{kind}_unknown", [Hint(kind, one) for one in strange])
        self._note(f"{kind}_missing", [Hint(kind, one) for one in sorted(ours.keys() - stands)])

    def _listed(self, client: AdminClient, kind: str, laid: LaidType) -> Iterator[dict[str, Any]]:
        """Items of all resources; of bookings those that end or were changed lately, and what has no end yet."""
        params: dict[str, Any] = {"entityTypeId": laid.entity_type_id, "select": ["*", "ufCrm*"]}
        if kind == ITEM:
            ends, since = laid.fields.get("end_ts", "id"), self._since
            recent = [{f">={ends}": int(since.timestamp())}, {">=updatedTime": since.isoformat()}]
            params["filter"] = {"0": {"logic": "OR", **{str(place): one for place, one in enumerate(recent)}}}
        return (as_map(row) for row in client.list_all("crm.item.list", params, "items", by_id="id"))

    def _owned(self, kind: str, item: Mapping[str, Any]) -> owned.Owned:
        crm = self._visited.place.crm
        assert crm is not None, "items are compared in portals of Level B only"
        return owned.of_item(crm, item) if kind == ITEM else owned.of_resource(crm, item)

    def _print(self, kind: str, item: Mapping[str, Any]) -> str:
        return owned.print_of(self._owned(kind, item))

    def _differs(self, kind: str, picture: Expected, item: Mapping[str, Any]) -> bool:
        return bool(owned.changes(picture.drawn or {}, self._owned(kind, item)))

    # Events ----

    def _events(self, client: AdminClient, pictures: Sequence[Expected]) -> None:
        """Calendar by calendar, week by week; compared by id."""
        looks = sorted({(one.target, week) for one in pictures for week in _weeks(one, self._since)})
        stands: dict[int, dict[str, Any]] = {}
        asked: set[str] = set()
        for start in range(0, len(looks), BATCH):
            part = {str(place): look for place, look in enumerate(looks[start : start + BATCH])}
            answer = client.batch({key: _events_of(*look) for key, look in part.items()})
            for key, rows in answer.results.items():
                asked.add(part[key][0])
                stands |= {number: as_map(row) for row in as_map(rows).values() if (number := _event_id(as_map(row)))}
        self._findings.compared[EVENT] += len(pictures)
        there = [one for one in pictures if one.remote_id in stands]
        changed = [one for one in there if owned.changes(one.drawn or {}, owned.of_event(stands[one.remote_id]))]
        missing = [one for one in pictures if one.remote_id not in stands and one.target in asked]
        self._note("event_changed", [Hint(EVENT, one.remote_id) for one in changed])
        self._note("event_missing", [Hint(EVENT, one.remote_id) for one in missing if _is_recent(one, self._since)])

    # What bookings to come refer to ----

    def _related(self) -> None:
        """Cards that may have been renamed, merged or deleted, people who may have been dismissed."""
        with transaction(self._engine) as tx:
            found = sweeps.related(tx, self._portal_id, self._visited.now)
            kinds = ((DEAL, found.deals), (CONTACT, found.contacts), (COMPANY, found.companies), (USER, found.users))
            hints = [Hint(kind, number) for kind, numbers in kinds for number in sorted(numbers)]
            sightings.see(tx, self._portal_id, hints, self._visited.reach.clock(), bulk=True)


def _is(picture: Expected, kind: str) -> bool:
    return picture.kind == "item" and (picture.booking_id is None) == (kind == RESOURCE)


def _is_recent(picture: Expected, since: datetime) -> bool:
    return picture.last is not None and picture.last >= since


def _weeks(picture: Expected, since: datetime) -> list[datetime]:
    """The first days of the weeks, counted from `since`, that the event stands in or was moved about in."""
    if picture.first is None or picture.last is None or picture.last < since:
        return []
    first, last = (since + WEEK * ((one - since) // WEEK) for one in (max(picture.first, since), picture.last))
    return [first] if first == last else [first, last]


def _events_of(target: str, week: datetime) -> Command:
    """Days are the caller's, so a day more on each side."""
    kind, owner_id = mapping.owner_of(target)
    days = {"from": (week - A_DAY).date().isoformat(), "to": (week + WEEK + A_DAY).date().isoformat()}
    return Command("calendar.event.get", {"type": kind, "ownerId": owner_id, **days})


def _event_id(row: Mapping[str, Any]) -> int | None:
    return whole(row.get("PARENT_ID")) or whole(row.get("ID"))
