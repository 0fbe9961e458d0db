"""Calendar events: the pictures of bookings in the calendars they belong to.

https://apidocs.bitrix24.com/api-reference/calendar/calendar-event/index.html
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from b24app.bitrix.client import BATCH, BatchResult, Command
from b24app.bitrix.loose import as_map, flag, whole
from b24app.errors import Rejected
from b24app.ledger.models import ExternalRef
from b24app.ledger.outbox import Drawn, Later, Missing, Outcome, Parked, Rehosted, Removed, Subjects
from b24app.sync import mapping, owned
from b24app.sync.mapping import Fields, Place
from b24app.sync.pieces import Found, Piece
from b24app.sync.verdict import settled, settles_at

UNSEEN = "event_unseen"
A_DAY = timedelta(days=1)


class Client(Protocol):
    """What is used of `tokens.AdminClient`. `user_id`: on whose behalf the next call is made."""

    @property
    def user_id(self) -> int: ...

    def batch(self, commands: Mapping[str, Command]) -> BatchResult: ...


class Sections(Protocol):
    """Which section of which calendar events go to; `remember` keeps what was looked up, None forgets it."""

    def known(self, target: str) -> int | None: ...

    def remember(self, target: str, section: int | None) -> None: ...


class Events:
    """The events of bookings. `targets`: by booking id, the calendars that it belongs into now.

    `written`: name and text of events as they stand there, by the portal's id, where they have been looked at.
    """

    methods: tuple[str, ...] = ("calendar.event.add", "calendar.event.update", "calendar.event.delete")

    def __init__(
        self,
        client: Client,
        place: Place,
        sections: Sections,
        subjects: Subjects,
        targets: Mapping[uuid.UUID, Collection[str]],
        written: Mapping[int, tuple[str, str]] | None = None,
    ) -> None:
        self._client, self._place, self._sections = client, place, sections
        self._subjects, self._targets, self._written = subjects, targets, written or {}
        self._me: int | None = None

    def prepare(self, refs: Sequence[ExternalRef], now: datetime) -> dict[int, Outcome]:
        """Looks up the sections of people whose calendars were not written to before."""
        self._me = self._client.user_id
        drawn = {ref.target for ref in refs if self._wanted(ref)}
        unknown = sorted(target for target in drawn if self._section(target) is None)
        for target, rows in self._ask({target: _sections_of(target) for target in unknown}).items():
            if (section := _best_section(_rows(rows))) is not None:
                self._sections.remember(target, section)
        return {}

    def _section(self, target: str) -> int | None:
        return mapping.section_of(target) or self._sections.known(target)

    def _ask(self, commands: Mapping[str, Command]) -> dict[str, Any]:
        """The results of so many questions; those that were refused are missing."""
        keys = list(commands)
        answers: dict[str, Any] = {}
        for start in range(0, len(keys), BATCH):
            answers |= self._client.batch({key: commands[key] for key in keys[start : start + BATCH]}).results
        return answers

    def find(self, refs: Sequence[ExternalRef]) -> dict[int, Found | None]:
        """Looks for the mark in that section and window where the event was going to be made."""
        answers = self._ask({str(ref.id): _look(ref.intent or {}) for ref in refs})
        return {ref.id: _marked(_rows(answers[str(ref.id)]), ref) for ref in refs if str(ref.id) in answers}

    def _wanted(self, ref: ExternalRef) -> bool:
        assert ref.booking_id is not None, "events are of bookings only"
        row = self._subjects.bookings[ref.booking_id]
        return mapping.is_wanted(row.booking, ref.target, self._targets[ref.booking_id])

    def piece(self, ref: ExternalRef, now: datetime) -> Piece | Outcome:
        """An event is added, updated, or deleted when the booking does not belong there any more."""
        if not self._wanted(ref):
            if ref.remote_id is None:
                return Removed()
            intent = {"at": now.isoformat(), "deleting": True}
            return Piece(ref, Command("calendar.event.delete", {"id": ref.remote_id}), intent=intent)
        if _is_deleting(ref) and settles_at(ref.intent or {}) > now:  # an update might come before the deletion
            return Later(settles_at(ref.intent or {}), certain=False)
        guests = self._guests(ref)
        fields = self._fields(ref, guests)
        drawn = owned.of_event_fields(fields) | mapping.words_of(fields) | ({"guests": guests} if guests else {})
        if ref.remote_id is None:
            intent = self._intent(ref, fields, now.isoformat())
            return Piece(ref, Command("calendar.event.add", fields), drawn, intent)
        if not guests and (ref.drawn or {}).get("guests"):
            fields |= mapping.no_invitation()
        if ref.remote_id in self._written:
            theirs = mapping.words_of_people(ref.drawn or {}, self._written[ref.remote_id], fields)
            fields |= theirs
            drawn |= {name: one for name, one in (ref.drawn or {}).items() if name in theirs}
        host = {"host": ref.host} if ref.host not in (None, self._me) else {}
        command = Command("calendar.event.update", {"id": ref.remote_id, **fields, **host})
        return Piece(ref, command, drawn, owned.trying(ref, drawn, now.isoformat()))

    def _guests(self, ref: ExternalRef) -> list[int]:
        """Who is invited to this event: the participants, but not whose calendar it stands in anyway."""
        assert ref.booking_id is not None, "events are of bookings only"
        targets = self._targets[ref.booking_id]
        if not self._place.settings.event_participants or ref.target != mapping.invites_in(targets):
            return []
        owner = mapping.owner_of(ref.target)[1] if mapping.is_own(ref.target) else None
        return sorted(set(self._subjects.bookings[ref.booking_id].booking.participants or ()) - {owner})

    def _fields(self, ref: ExternalRef, guests: Sequence[int]) -> Fields:
        assert ref.booking_id is not None, "events are of bookings only"
        row, item_id = self._subjects.bookings[ref.booking_id], self._subjects.booking_items.get(ref.booking_id)
        return mapping.booking_event(self._place, row, ref.target, self._section(ref.target), item_id, guests)

    def _intent(self, ref: ExternalRef, fields: Fields, at: str) -> dict[str, Any]:
        assert ref.booking_id is not None, "events are of bookings only"
        mark = mapping.event_mark(self._subjects.bookings[ref.booking_id].booking, ref.target)
        return {
            "at": at,
            "type": fields["type"],
            "owner": fields["ownerId"],
            "section": fields.get("section"),
            "from": fields["from"],
            "to": fields["to"],
            "marker": mark,
        }

    def drawn(self, piece: Piece, result: Any) -> Outcome | None:
        """The answer is the id; a plain event belongs to whoever added it."""
        if piece.command.method == "calendar.event.delete":
            return Removed()
        if piece.ref.remote_id is not None:
            return Drawn(piece.ref.remote_id, piece.drawn, piece.ref.host)
        event_id = whole(result)
        return None if event_id is None else Drawn(event_id, piece.drawn, self._me)

    def closer(self, refusals: Sequence[tuple[Piece, Rejected]], now: datetime) -> dict[int, Outcome]:
        """Calendar refusals have no code, so we look what is there. An event that has gone needs no deleting."""
        outcomes: dict[int, Outcome] = {}
        changes = {str(piece.ref.id): piece for piece, _ in refusals if piece.ref.remote_id is not None}
        questions = {key: Command("calendar.event.getbyid", {"id": p.ref.remote_id}) for key, p in changes.items()}
        for key, event in self._ask(questions).items():
            outcomes |= self._refused_change(changes[key], as_map(event), now)
        for ref in [piece.ref for piece, _ in refusals if piece.ref.remote_id is None]:
            outcomes |= self._refused_add(ref, now)
        return outcomes

    def _refused_change(self, piece: Piece, event: Mapping[str, Any], now: datetime) -> dict[int, Outcome]:
        ref, host = piece.ref, whole(event.get("MEETING_HOST")) or whole(event.get("CREATED_BY"))
        if not event:
            return {ref.id: self._gone(piece, now)}
        known = self._me if ref.host is None else ref.host
        if piece.command.method == "calendar.event.update" and host not in (None, known):
            return {ref.id: Rehosted(now, host)}
        return {}

    def _gone(self, piece: Piece, now: datetime) -> Outcome:
        """Unreadable is not deleted: a private event is seen by its owner alone. Shared calendars we read whole, and
        what we were deleting ourselves has gone."""
        if piece.command.method == "calendar.event.delete":
            return Removed()
        if not mapping.is_company(piece.ref.target) and not _is_deleting(piece.ref):
            return Parked(UNSEEN)
        return Missing(now, self._intent(piece.ref, dict(piece.command.params), settled(now)))

    def _refused_add(self, ref: ExternalRef, now: datetime) -> dict[int, Outcome]:
        """A section that we remember may have been deleted: once more without it."""
        if not mapping.is_own(ref.target) or ref.attempts or self._sections.known(ref.target) is None:
            return {}
        self._sections.remember(ref.target, None)
        return {ref.id: Later(now, certain=True)}


def _sections_of(target: str) -> Command:
    kind, owner_id = mapping.owner_of(target)
    return Command("calendar.section.get", {"type": kind, "ownerId": owner_id})


def _is_deleting(ref: ExternalRef) -> bool:
    """Whether we have tried to delete this event and did not hear what came of it."""
    return bool((ref.intent or {}).get("deleting"))


def _look(intent: Mapping[str, Any]) -> Command:
    """Days are the caller's, so a day more on each side."""
    first, last = (datetime.fromisoformat(intent[name]) for name in ("from", "to"))
    params = {
        "type": intent["type"],
        "ownerId": intent["owner"],
        "from": (first - A_DAY).date().isoformat(),
        "to": (last + A_DAY).date().isoformat(),
    }
    return Command("calendar.event.get", params | ({"section": [intent["section"]]} if intent["section"] else {}))


def _rows(value: Any) -> list[dict[str, Any]]:
    return [row for row in as_map(value).values() if isinstance(row, dict)]


def _best_section(rows: Iterable[Mapping[str, Any]]) -> int | None:
    """The first calendar of a person that we may add to; the first at all when none says so."""
    sections = list(rows)
    writable = [row for row in sections if flag(as_map(row.get("PERM")).get("add"))]
    return next((section for row in [*writable, *sections] if (section := whole(row.get("ID")))), None)


def _marked(rows: Iterable[Mapping[str, Any]], ref: ExternalRef) -> Found | None:
    """The event whose description ends with the mark, or else has it on a line of its own: text of people comes
    before it and may not pass for it."""
    mark = (ref.intent or {})["marker"]
    lines = [(row, [line.strip() for line in str(row.get("DESCRIPTION") or "").split("\n")]) for row in rows]
    ending = [row for row, text in lines if text[-1] == mark]
    inside = [row for row, text in lines if mark in text]
    for row in [*ending, *inside]:
        event_id = whole(row.get("PARENT_ID")) or whole(row.get("ID"))
        if event_id is not None:
            return Found(event_id, whole(row.get("MEETING_HOST")) or whole(row.get("CREATED_BY")))
    return None
