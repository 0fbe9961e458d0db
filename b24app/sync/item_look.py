"""Items of the bookings' process as they stand in the portal, with what has to be known to decide about them.

https://apidocs.bitrix24.com/api-reference/crm/universal/crm-item-list.html
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum, auto
from itertools import islice
from typing import Any

from b24app import texts
from b24app.bitrix.client import Command
from b24app.bitrix.loose import as_map, text, whole
from b24app.booking.clients import ClientData
from b24app.errors import AppError, Rejected
from b24app.ledger import drafts, queries
from b24app.ledger.business import Wanted
from b24app.ledger.drafts import Known
from b24app.ledger.models import ExternalRef
from b24app.ledger.portal_models import Draft, Sighting
from b24app.ledger.session import transaction
from b24app.scheduling.interval import Interval
from b24app.sync import business, cards, owned
from b24app.sync.deciding import Desk
from b24app.sync.laid import LaidCrm, LaidType
from b24app.sync.owned import Owned, print_of
from b24app.sync.reconcile import GONE, UNSEEN, Missing
from b24app.sync.tokens import AdminClient

log = logging.getLogger(__name__)

LANGUAGES = ("ru", "en")
NOBODY = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class Seen:
    """An item as it stands there. `owned`: what of it is the ledger's; `rival`: it names a booking that has another
    item, which is alive; `clients`: the contacts and companies that it names, as far as we need them."""

    item: Mapping[str, Any]
    owned: Owned
    rival: bool = False
    clients: Mapping[tuple[str, int], ClientData] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return whole(self.item.get("id")) or 0

    @property
    def print(self) -> str:
        """Names this state."""
        return print_of(self.owned)


Found = Seen | Missing


class Meaning(Enum):
    """What an item says."""

    NOTHING = auto()  # as we left it, or it is none of our business
    WISH = auto()  # somebody has changed our picture
    DELETED = auto()  # somebody has deleted our picture
    OURS = auto()  # a picture of ours that we do not know by its id: to be attached
    COPY = auto()  # a second one of a booking that has its picture
    BY_HAND = auto()  # made by hand, imported, by a robot
    NO_DRAFT = auto()  # a draft has gone


def decide(item_id: int, found: Found, known: Known) -> Meaning:
    """What stands there means this."""
    ref, draft = known.attached.get(item_id), known.drafts.get(item_id)
    if isinstance(found, Missing):
        return _missing(found, ref, draft)
    if ref is not None:
        return Meaning.WISH if owned.wished(ref, found.owned) else Meaning.NOTHING
    booking_id = marked_booking(found.item)
    if booking_id in known.marked:
        if not found.rival:
            return Meaning.OURS
        return Meaning.NOTHING if draft and draft.state == drafts.COPY else Meaning.COPY
    return Meaning.NOTHING if draft and draft.print == found.print else Meaning.BY_HAND


def _missing(found: Missing, ref: ExternalRef | None, draft: Draft | None) -> Meaning:
    if found is UNSEEN or (ref is None and draft is None):
        return Meaning.NOTHING
    return Meaning.NO_DRAFT if ref is None else Meaning.DELETED


def marked_booking(item: Mapping[str, Any]) -> uuid.UUID | None:
    """The booking that the item's `xmlId` names."""
    try:
        return uuid.UUID(str(item.get("xmlId") or ""))
    except ValueError:
        return None


def changer(item: Mapping[str, Any], changes: Collection[str], told: int | None) -> int | None:
    """Who has changed it: whoever moved it, or else changed it last, the event's user, the responsible."""
    names = ("movedBy", "updatedBy") if "stage" in changes else ("updatedBy",)
    found = (whole(item.get(name)) for name in names)
    return next(filter(None, found), None) or told or whole(item.get("assignedById")) or None


def title_of(item: Mapping[str, Any], number: int | None) -> str:
    """The title that people gave it; the portal's own "Bookings #5" and ours are none."""
    given = text(item.get("title"))
    ours = {texts.say(language, "item.title", number=number) for language in LANGUAGES}
    return "" if given in ours or given.endswith(f"#{item.get('id')}") else given


class ItemReader:
    """Reads items: one request for fifty, and more only for what somebody has changed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def read(self, client: AdminClient, seen: Sequence[Sighting]) -> Mapping[int, Found]:
        """By the sighting's id what stands there."""
        crm = self._desk.visited.place.crm
        if crm is None or not crm.complete:
            return {one.id: UNSEEN for one in seen}
        laid, wanted = crm.need("bookings"), {one.remote_id for one in seen}
        rows = listed(client, laid, wanted)
        if rows is None:  # the process itself has gone, which is not for us to decide
            return {one.id: UNSEEN for one in seen}
        found: dict[int, Found] = dict(missing(client, laid, wanted - rows.keys()))
        self._desk.learn(client, self._responsible([item_id for item_id, one in found.items() if one is GONE]))
        found |= self._with_all(client, crm, rows, seen)
        return {one.id: found[one.remote_id] for one in seen if one.remote_id in found}

    def _with_all(
        self, client: AdminClient, crm: LaidCrm, rows: Mapping[int, Mapping[str, Any]], seen: Sequence[Sighting]
    ) -> dict[int, Seen]:
        found = {item_id: Seen(item, owned.of_item(crm, item)) for item_id, item in rows.items()}
        known = self._known(found.values())
        news = {key: one for key, one in found.items() if decide(key, one, known) is not Meaning.NOTHING}
        strangers = self._strangers(found.values(), known)
        told = {one.user_id for one in seen if one.gone or one.remote_id in news}
        self._desk.learn(client, told | strangers | _people(news.values()))
        if not news:
            return found
        rivals = {key: ref.remote_id for key, one in news.items() if (ref := _other_ref(one, known)) is not None}
        alive = listed(client, crm.need("bookings"), set(filter(None, rivals.values()))) or {}
        clients = _clients(client, news.values())
        self._ask_calendars(client, news.values(), known)
        return found | {key: replace(one, rival=rivals.get(key) in alive, clients=clients) for key, one in news.items()}

    def _known(self, found: Collection[Seen]) -> Known:
        marks = {mark for one in found if (mark := marked_booking(one.item))}
        with transaction(self._desk.engine) as tx:
            return drafts.of_bookings(tx, self._desk.portal_id, [one.id for one in found], marks)

    def _ask_calendars(self, client: AdminClient, news: Iterable[Seen], known: Known) -> None:
        """What else specialists have to do at the times that the cards say; it is advice, and nobody waits for it."""
        desk = self._desk
        for one in news:
            if (during := _during(one.owned)) is None:
                continue
            with transaction(desk.engine) as tx:
                on = drafts.resources_of_items(tx, desk.portal_id, one.owned["resources"]).values()
                ref = known.attached.get(one.id)
                of = queries.kept_bookings(tx, desk.portal_id, [ref.booking_id] if ref and ref.booking_id else [])
            wanted = Wanted(frozenset(on), frozenset(kept.service_id for kept in of.values()))
            try:
                business.refresh(
                    desk.engine, lambda: client, desk.portal_id, wanted, during, now=desk.now,
                    older_than=business.BEFORE_BOOKING,
                )  # fmt: skip
            except AppError as error:
                log.info("portal %s: calendars: %s", desk.portal_id, type(error).__name__)

    def _responsible(self, gone: Collection[int]) -> set[int | None]:
        """In whose name a card was deleted of which nobody says who did it."""
        if not gone:
            return set()
        with transaction(self._desk.engine) as tx:
            refs = drafts.of_bookings(tx, self._desk.portal_id, gone, ()).attached.values()
            ids = [ref.booking_id for ref in refs if ref.booking_id]
            return {one.responsible_id for one in queries.booking_states(tx, self._desk.portal_id, ids)}

    def _strangers(self, found: Collection[Seen], known: Known) -> set[int | None]:
        """Who is responsible for what is ours: he is told of it by name."""
        return {whole(one.item.get("assignedById")) for one in found if one.id in known.attached}


def listed(client: AdminClient, laid: LaidType, ids: Collection[int]) -> dict[int, dict[str, Any]] | None:
    """(calls) These items by id, as far as they are there; None when there is no such process any more."""
    if not ids:
        return {}
    params = {
        "entityTypeId": laid.entity_type_id,
        "filter": {"@id": sorted(ids)},
        "select": ["*", "ufCrm*"],
    }
    try:
        pages = client.list_all("crm.item.list", params, "items", by_id="id")
        rows = [as_map(row) for row in islice(pages, len(ids))]  # a full page is not asked for another one
    except Rejected as error:
        if error.code == "NOT_FOUND":
            return None
        raise
    return {number: row for row in rows if (number := whole(row.get("id")))}


def missing(client: AdminClient, laid: LaidType, ids: Collection[int]) -> dict[int, Missing]:
    """(calls) Why these were not listed: gone, or not shown. One that could not be asked for is missing."""
    if not ids:
        return {}
    type_id = laid.entity_type_id
    commands = {str(one): Command("crm.item.get", {"entityTypeId": type_id, "id": one}) for one in sorted(ids)}
    answer = client.batch(commands)
    found = dict.fromkeys((int(key) for key in answer.results), UNSEEN)  # there after all
    for key, error in answer.errors.items():
        if isinstance(error, Rejected):
            found[int(key)] = GONE if error.code == "NOT_FOUND" else UNSEEN
    return found


def _other_ref(one: Seen, known: Known) -> ExternalRef | None:
    """The ref of the booking that the item names, where that has another item."""
    ref = known.marked.get(marked_booking(one.item) or NOBODY)
    return ref if ref is not None and ref.remote_id not in (None, one.id) else None


def _clients(client: AdminClient, news: Collection[Seen]) -> dict[tuple[str, int], ClientData]:
    found = {}
    for kind, name in (("contact", "contacts"), ("company", "company")):
        ids = {number for one in news for number in as_list(one.owned[name])}
        for number, item in cards.read(client, kind, ids).items():
            if (data := cards.client_of(kind, item)) is not None:
                found[kind, number] = data
    return found


def _people(news: Iterable[Seen]) -> set[int | None]:
    names = ("movedBy", "updatedBy", "createdBy", "assignedById")
    return {whole(one.item.get(name)) for one in news for name in names}


def _during(stands: Owned) -> Interval | None:
    """The time that a card says, if it says one."""
    start, end = stands["start"], stands["end"]
    if not start or not end or end <= start:
        return None
    return Interval(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))


def as_list(value: Any) -> list[int]:
    """One id, several or none."""
    return value if isinstance(value, list) else [value] if value else []
