"""What people do to our events in calendars: moved, put into another calendar, deleted, declined.

Unreadable is not deleted: an event of a personal calendar that its owner has made private is shown to nobody else. It
has gone when the portal has told so, or when a calendar that we read in full does not have it.
https://apidocs.bitrix24.com/api-reference/calendar/calendar-event/calendar-event-getbyid.html
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from b24app.bitrix.client import BATCH, Command
from b24app.bitrix.loose import as_map, flag, whole
from b24app.booking import announce
from b24app.booking.change import Move, cancel_booking, move_booking
from b24app.errors import AppError, NotAllowed, Refused, Rejected, Stale
from b24app.ledger import decided, deliveries, event_pictures, queries, sightings
from b24app.ledger.access import Viewer
from b24app.ledger.business import Wanted
from b24app.ledger.event_pictures import Picture
from b24app.ledger.occupancy import as_interval
from b24app.ledger.portal_models import Sighting
from b24app.ledger.session import Tx, transaction
from b24app.ledger.sightings import EVENT, Hint
from b24app.scheduling.interval import Interval
from b24app.sync import business, mapping, owned, people
from b24app.sync.events import UNSEEN as EVENT_UNSEEN
from b24app.sync.owned import Owned
from b24app.sync.reconcile import GONE, UNSEEN, Missing, Visited
from b24app.sync.tokens import AdminClient
from b24app.sync.verdict import settled

log = logging.getLogger(__name__)

TIMES = frozenset({"start", "end"})
A_DAY = timedelta(days=1)
WAS_DELETED = "gone"


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """An event as it stands there: what of it is ours, and of a meeting the copies and who has declined."""

    owned: Owned
    copies: frozenset[int] = frozenset()
    declined: frozenset[int] = frozenset()


Found = SeenEvent | Missing


class SeeEvents:
    """Looks at the events of one portal."""

    kinds: tuple[str, ...] = (EVENT,)

    def __init__(self, visited: Visited) -> None:
        self._visited, self._portal = visited, visited.portal
        self._engine, self._now = visited.reach.engine, visited.now

    def read(self, client: AdminClient, seen: Sequence[Sighting]) -> Mapping[int, Found | None]:
        """(calls) What stands there; None for what is none of ours any more."""
        with transaction(self._engine) as tx:
            ours = event_pictures.pictures(tx, self._portal.id, [one.remote_id for one in seen])
        rows = _events(client, {picture.event_id for picture in ours.values()})
        self._visited.written.update({one: _written(row) for one, row in rows.items() if row})
        unread = {one.remote_id for one in seen if one.remote_id in ours and not _is_named_gone(one, ours)}
        absent = _absent(client, [ours[one] for one in unread if rows.get(ours[one].event_id) == {}])
        found: dict[int, Found | None] = {}
        for one in seen:
            picture = ours.get(one.remote_id)
            if picture is None:
                found[one.id] = None
            elif picture.event_id in rows:
                found[one.id] = _seen(rows[picture.event_id], picture, one, absent)
        self._prepare(client, [(one, ours[one.remote_id], found[one.id]) for one in seen
                               if one.remote_id in ours and one.id in found])  # fmt: skip
        return found

    def _prepare(self, client: AdminClient, looks: Sequence[tuple[Sighting, Picture, Found | None]]) -> None:
        """(calls) What will have to be known to decide: who did it, and what else the specialist has to do then."""
        wishes = [(one, picture, found) for one, picture, found in looks if _is_wish(picture, found)]
        persons = {person for one, picture, _ in wishes if (person := _person(one, picture))}
        persons |= {one for _, _, found in looks if isinstance(found, SeenEvent) for one in found.declined}
        if persons:
            people.learn(client, self._engine, self._portal.id, persons, self._now)
        for _, picture, found in wishes:
            if isinstance(found, SeenEvent) and (wanted := _times(found.owned)):
                self._ask_calendars(client, picture, wanted)

    def _ask_calendars(self, client: AdminClient, picture: Picture, wanted: Interval) -> None:
        services = Wanted(service_ids=frozenset({picture.booking.service_id}))
        try:
            business.refresh(
                self._engine, lambda: client, self._portal.id, services, wanted,
                now=self._now, older_than=business.BEFORE_BOOKING,
            )  # fmt: skip
        except AppError as error:  # it is advice, and nobody waits for it
            log.info("portal %s: calendars: %s", self._portal.id, type(error).__name__)

    def owned(self, found: Any) -> Owned | None:
        """What of it the ledger owns."""
        return found.owned if isinstance(found, SeenEvent) else None

    def settle(self, sighting: Sighting, found: Any) -> None:
        """Decides about one event as it was found. Raises Stale when somebody changes the booking just now."""
        with transaction(self._engine) as tx:
            picture = event_pictures.pictures(tx, self._portal.id, [sighting.remote_id]).get(sighting.remote_id)
            if picture is None or found is None:
                return
            targets = event_pictures.targets(tx, self._portal, picture.booking.id)
        wish = _Wish(picture, _person(sighting, picture))
        if not mapping.is_wanted(picture.booking, picture.ref.target, targets):
            self._not_ours_any_more(picture, found)
        elif found is GONE:
            self._deleted(wish)
        elif found is UNSEEN:
            self._write(lambda tx: event_pictures.park(tx, self._portal.id, picture.ref.id, EVENT_UNSEEN, self._now))
        else:
            self._read(wish, found)

    def _write(self, act: Callable[[Tx], object]) -> None:
        with transaction(self._engine) as tx:
            act(tx)

    def _not_ours_any_more(self, picture: Picture, found: Found) -> None:
        """The drain is about to delete it; what somebody has done to it meanwhile is of no account."""
        ref = picture.ref
        if found is GONE:
            self._write(lambda tx: decided.forget(tx, self._portal.id, ref.id))
        elif isinstance(found, SeenEvent) and owned.wished(ref, found.owned):
            self._write(lambda tx: decided.adopt(tx, self._portal.id, ref.id, found.owned, self._now))

    def _read(self, wish: _Wish, event: SeenEvent) -> None:
        ref = wish.picture.ref
        self._note_people(wish.picture, event)
        if ref.parked_reason == EVENT_UNSEEN:  # it is shown to us again
            self._write(lambda tx: decided.touch(tx, self._portal.id, ref.id, self._now))
        changes = owned.wished(ref, event.owned)
        if not changes:
            return
        if changes.keys() <= TIMES and (wanted := _times(event.owned)):
            self._move(wish, event.owned, wanted)
        else:
            self._put_back(wish, event.owned, "put_back", NotAllowed("other_calendar"))

    def _note_people(self, picture: Picture, event: SeenEvent) -> None:
        """Keeps the copies' ids, and tells the responsible of each who has declined, once."""
        ref, booking = picture.ref, picture.booking
        known = frozenset(ref.copies or ())
        if event.copies == known and not event.declined:
            return
        with transaction(self._engine) as tx:
            if event.copies != known:
                event_pictures.keep_copies(tx, self._portal.id, ref.id, event.copies)
                # Who has declined since it was read was told of by an id that nobody knew: it is looked at once more.
                sightings.see(tx, self._portal.id, [Hint(EVENT, picture.event_id)], self._now)
            for person in sorted(event.declined if booking.responsible_id else ()):
                deliveries.notice(
                    tx, self._portal, key=f"declined:{ref.id}:{person}", code="invitation_declined",
                    person=booking.responsible_id or 0, params={"actor": f"user:{person}"}, now=self._now,
                    booking_id=booking.id,
                )  # fmt: skip

    def _move(self, wish: _Wish, there: Owned, wanted: Interval) -> None:
        """The booking goes where its event was put, if the rules let this person move it there."""
        booking_id, ref_id = wish.picture.booking.id, wish.picture.ref.id
        try:
            with transaction(self._engine) as tx:
                viewer, now = self._viewer(tx, wish.person), self._now
                stands = queries.booking_state(tx, self._portal.id, booking_id)
                if as_interval(stands.during) != wanted:
                    move_booking(
                        tx, self._portal, booking_id, Move(wanted), revision=stands.revision, viewer=viewer, now=now
                    )
                decided.adopt(tx, self._portal.id, ref_id, {name: there[name] for name in TIMES}, now)
        except Stale:
            raise
        except Refused as error:
            self._put_back(wish, there, "not_done", error)

    def _viewer(self, tx: Tx, person: int | None) -> Viewer:
        viewer = people.viewer_of(tx, self._portal, person, self._now) if person else None
        if viewer is None:
            raise NotAllowed("change")
        return viewer

    def _deleted(self, wish: _Wish) -> None:
        """As the company has decided: the booking stands and so does its event, or it is cancelled."""
        if self._visited.settings.event_deleted == "redraw":
            self._draw_again(wish, "event_redrawn", None)
            return
        booking_id = wish.picture.booking.id
        try:
            with transaction(self._engine) as tx:
                viewer = self._viewer(tx, wish.person)
                stands = queries.booking_state(tx, self._portal.id, booking_id)
                cancel_booking(tx, self._portal, booking_id, revision=stands.revision, viewer=viewer, now=self._now)
                decided.forget(tx, self._portal.id, wish.picture.ref.id)
        except Stale:
            raise
        except Refused as error:
            self._draw_again(wish, "not_done", error)

    def _put_back(self, wish: _Wish, there: Owned, code: str, error: Refused) -> None:
        ref = wish.picture.ref
        with transaction(self._engine) as tx:
            stands, seen = {**(ref.drawn or {}), **there}, owned.print_of(there)
            number = decided.put_back(tx, self._portal.id, ref.id, stands, seen, self._now)
            self._say_why(tx, wish, number, code, error)

    def _draw_again(self, wish: _Wish, code: str, error: Refused | None) -> None:
        ref, intent = wish.picture.ref, _intent(wish.picture, self._now)
        with transaction(self._engine) as tx:
            number = decided.put_back_gone(tx, self._portal.id, ref.id, intent, WAS_DELETED, self._now)
            self._say_why(tx, wish, number, code, error)

    def _say_why(self, tx: Tx, wish: _Wish, number: int | None, code: str, error: Refused | None) -> None:
        if number is not None:
            deliveries.refusal(
                tx, self._portal, key=f"refusal:{wish.picture.ref.id}:{number}", code=code, person=wish.person,
                params={"reasons": announce.reasons(error)} if error else {}, now=self._now,
                booking_id=wish.picture.booking.id,
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Wish:
    """What somebody has done to an event; `person`: who, as far as anybody can say."""

    picture: Picture
    person: int | None


def _person(sighting: Sighting, picture: Picture) -> int | None:
    """Whose token told of it, else the responsible, else whose calendar it stands in."""
    owner = int(picture.ref.target.removeprefix("user:")) if mapping.is_own(picture.ref.target) else None
    return sighting.user_id or picture.booking.responsible_id or owner


def _is_wish(picture: Picture, found: Found | None) -> bool:
    if isinstance(found, SeenEvent):
        return bool(owned.wished(picture.ref, found.owned))
    return found is GONE


def _times(there: Mapping[str, Any]) -> Interval | None:
    """When it takes place; None for whole days, which a booking is not, and for what is no time."""
    start, end = there.get("start"), there.get("end")
    if start is None or end is None or start >= end:
        return None
    return Interval(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))


def _is_named_gone(sighting: Sighting, ours: Mapping[int, Picture]) -> bool:
    """Whether the portal has told that this very event was deleted, and not only a participant's copy."""
    return sighting.gone and ours[sighting.remote_id].event_id == sighting.remote_id


def _events(client: AdminClient, event_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """The events by id, empty for what is not shown to us; those that were not answered are missing."""
    questions = {str(one): Command("calendar.event.getbyid", {"id": one}) for one in sorted(event_ids)}
    return {int(key): as_map(row) for key, row in _asked(client, questions).items()}


def _written(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row.get("NAME") or ""), str(row.get("DESCRIPTION") or "")


def _asked(client: AdminClient, questions: Mapping[str, Command]) -> dict[str, Any]:
    """Answers by key. A refusal shows nothing, which is an answer; whatever else went wrong is none."""
    keys, answers = list(questions), dict[str, Any]()
    for start in range(0, len(keys), BATCH):
        said = client.batch({key: questions[key] for key in keys[start : start + BATCH]})
        refused = {key: None for key, error in said.errors.items() if isinstance(error, Rejected)}
        answers |= {**said.results, **refused}
    return answers


def _seen(row: Mapping[str, Any], picture: Picture, sighting: Sighting, absent: Collection[int]) -> Found | None:
    if row:
        guests = [as_map(one) for one in as_map(row.get("ATTENDEE_LIST")).values()]
        copies = {entry for one in guests if (entry := whole(one.get("entryId")))} - {picture.event_id}
        declined = {person for one in guests if one.get("status") == "N" and (person := whole(one.get("id")))}
        return SeenEvent(owned.of_event(row), frozenset(copies), frozenset(declined))
    if sighting.remote_id != picture.event_id:  # of a copy: the event itself is told of by itself
        return None
    return GONE if sighting.gone or picture.event_id in absent else UNSEEN


def _absent(client: AdminClient, unseen: Sequence[Picture]) -> set[int]:
    """Those that have gone from calendars which we read in full. Personal ones hide what is private, so they tell
    nothing; a group's tell nothing either as long as we may not be in it."""
    shared = [one for one in unseen if mapping.is_company(one.ref.target) and one.ref.drawn]
    if not shared:
        return set()
    questions = {str(one.event_id): _day_of(one) for one in shared}
    sections = Command("calendar.section.get", {"type": "company_calendar", "ownerId": 0})
    answers = _asked(client, {"sections": sections, **questions})
    rows = (as_map(row) for row in as_map(answers.get("sections")).values())
    readable = {whole(row.get("ID")) for row in rows if flag(as_map(row.get("PERM")).get("view_full"))}
    return {
        one.event_id
        for one in shared
        if answers.get(str(one.event_id)) is not None
        and (one.ref.drawn or {}).get("section") in readable
        and one.event_id not in _ids(answers[str(one.event_id)])
    }


def _ids(rows: Any) -> set[int]:
    return {number for row in as_map(rows).values() if (number := whole(as_map(row).get("ID")))}


def _day_of(picture: Picture) -> Command:
    """What stands in its section around where we drew it; days are the caller's, so one more on each side."""
    drawn = picture.ref.drawn or {}
    first, last = (datetime.fromtimestamp(drawn.get(name) or 0, UTC) for name in ("start", "end"))
    params = {
        "type": "company_calendar",
        "ownerId": 0,
        "section": [drawn.get("section")],
        "from": (first - A_DAY).date().isoformat(),
        "to": (last + A_DAY).date().isoformat(),
    }
    return Command("calendar.event.get", params)


def _intent(picture: Picture, now: datetime) -> dict[str, Any]:
    """How it is looked for before it is made again: somebody may have put it back meanwhile."""
    kind, owner = mapping.owner_of(picture.ref.target)
    during, drawn = as_interval(picture.booking.during), picture.ref.drawn or {}
    return {
        "at": settled(now),
        "type": kind,
        "owner": owner,
        "section": drawn.get("section"),
        "from": during.start.isoformat(),
        "to": during.end.isoformat(),
        "marker": mapping.event_mark(picture.booking, picture.ref.target),
    }
