"""Making the portal look like the ledger: a `Drain` draws what is behind, in small batches.

For each batch: read what is behind and commit what is going to be made (the intent); call; record what came of it in
a second transaction. Whoever dies in between leaves a ref with an intent and no id: such a picture is looked for by
its mark before it is made again (docs/behaviour.md §3). No transaction is open during a call.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from b24app.bitrix.client import BatchResult
from b24app.errors import AppError, Permanent, PortalUnavailable, Rejected, Retryable
from b24app.ledger import outbox, refs, tenancy, writes
from b24app.ledger.models import ExternalRef, Portal
from b24app.ledger.outbox import (
    BOOKINGS,
    DEALS,
    EVENTS,
    PHASES,
    RESOURCES,
    ROWS,
    Drawn,
    Later,
    Outcome,
    Removed,
    Subjects,
)
from b24app.ledger.portal_models import Sighting
from b24app.ledger.session import transaction
from b24app.sync import mapping, owned
from b24app.sync.deals import Deals
from b24app.sync.events import Events
from b24app.sync.items import Items
from b24app.sync.pace import BULK_SHARE, PEOPLES_BATCH, Pace
from b24app.sync.pieces import Found, Pictures, Piece
from b24app.sync.reconcile import GONE, Halted, Looker, Visited, settled
from b24app.sync.rows import Rows
from b24app.sync.tokens import AdminClient, Reach
from b24app.sync.verdict import back_off, concerns_all, delay_of, is_certain, refused, settles_at, verdict

log = logging.getLogger(__name__)

METHODS = {
    RESOURCES: Items.methods,
    DEALS: Deals.methods,
    BOOKINGS: Items.methods,
    ROWS: Rows.methods,
    EVENTS: Events.methods,
}


class Drain:
    """One batch of everything that is behind in one portal. Failures are noted in the ledger and not raised.

    `lookers`: by phase, who reads what stands there before it is drawn over.
    """

    def __init__(
        self, visited: Visited, client: AdminClient, pace: Pace, lookers: Mapping[str, Looker] | None = None
    ) -> None:
        self._visited, self._client, self._pace = visited, client, pace
        self._reach, self._portal, self._place = visited.reach, visited.portal, visited.place
        self._lookers = lookers or {}
        self._sections = Sections(self._reach, self._portal)

    def run(self) -> bool:
        """Whether anything was done, so that it makes sense to go on at once. Raises Halted."""
        done, waiting = 0, self._waiting()
        for phase in PHASES:
            if phase not in waiting:
                continue
            behind = self._behind(phase)
            self._draw(phase, behind)
            done += len(behind)
            if phase == RESOURCES and self._resources_first():
                break
            waiting = self._waiting() if behind else waiting  # what was drawn may have made others due
        return done > 0

    def _waiting(self) -> set[str]:
        with transaction(self._reach.engine) as tx:
            return outbox.phases_behind(tx, self._portal.id, self._reach.clock())

    def _behind(self, phase: str) -> list[ExternalRef]:
        """The next batch: people's pictures, and bulk ones only when there are none of those."""
        now = self._reach.clock()
        with transaction(self._reach.engine) as tx:
            most = min(PEOPLES_BATCH, self._pace.size(self._portal.id, phase, watched=False))
            peoples = outbox.due(tx, self._portal.id, phase, now, limit=most)
            if peoples or self._is_tired(phase) or outbox.people_wait(tx, self._portal.id, now):
                return peoples
            if phase != RESOURCES and outbox.due(tx, self._portal.id, RESOURCES, now, bulk=True, limit=1):
                return []
            watched = tenancy.frame_is_open(tx, self._portal.id, now)
            size = self._pace.size(self._portal.id, phase, watched=watched)
            return outbox.due(tx, self._portal.id, phase, now, bulk=True, limit=size)

    def _resources_first(self) -> bool:
        """Whether there are more resources whose items bookings will refer to."""
        with transaction(self._reach.engine) as tx:
            return bool(outbox.due(tx, self._portal.id, RESOURCES, self._reach.clock(), limit=1))

    def _is_tired(self, phase: str) -> bool:
        """Whether bulk work has used up its share of a method's working time."""
        throttle = self._reach.throttles.of(self._portal.id)
        return any(throttle.used(method) >= BULK_SHARE for method in METHODS[phase])

    def _draw(self, phase: str, behind: Sequence[ExternalRef]) -> None:
        if not behind:
            return
        began = self._reach.clock()
        failed = True
        try:
            failed = not self._drawn(phase, behind)
        finally:
            seconds = (self._reach.clock() - began).total_seconds()
            self._pace.note(self._portal.id, phase, len(behind), seconds, failed=failed)

    def _drawn(self, phase: str, behind: Sequence[ExternalRef]) -> bool:
        """Whether the calls came through, whatever their answers were."""
        try:
            left = self._as_we_left_it(phase, behind)
        except (Retryable, Permanent) as error:
            self._give_up(behind, error, forget=False)
            return False
        return not left or self._carry_out(self._pictures(phase, left), left)

    def _as_we_left_it(self, phase: str, behind: Sequence[ExternalRef]) -> list[ExternalRef]:
        """What may be drawn over: it stands there as we drew it. Where somebody has changed it, that is decided first.

        He may have done it a moment ago, and nobody has told us yet. Those wait for the next round.
        """
        looker = self._lookers.get(phase)
        known = {ref.id: ref for ref in behind if ref.remote_id is not None and ref.drawn is not None}
        if looker is None or not known:
            return list(behind)
        hints = [Sighting(id=ref.id, portal_id=ref.portal_id, kind=looker.kinds[0], remote_id=ref.remote_id, gone=False)
                 for ref in known.values()]  # fmt: skip
        found = looker.read(self._client, hints)
        changed = {hint.id: hint for hint in hints if self._is_changed(looker, known[hint.id], found.get(hint.id))}
        now = self._reach.clock()
        for ref_id, hint in changed.items():
            if not settled(self._visited, looker, hint, found[ref_id]):
                later = Later(now + timedelta(seconds=back_off(known[ref_id].attempts)), certain=True)
                self._settle([known[ref_id]], {ref_id: later})
        return [ref for ref in behind if ref.id not in changed]

    def _is_changed(self, looker: Looker, ref: ExternalRef, found: Any) -> bool:
        if found is GONE:
            return True
        there = None if found is None else looker.owned(found)
        return there is not None and bool(owned.wished(ref, there))

    def _carry_out(self, pictures: Pictures, behind: Sequence[ExternalRef]) -> bool:
        try:
            outcomes = pictures.prepare(behind, self._reach.clock())
            self._settle(behind, outcomes)
            left = self._recover(pictures, [ref for ref in behind if ref.id not in outcomes])
        except (Retryable, Permanent) as error:
            # Nothing was made: what was intended before is as uncertain as it was.
            self._give_up(behind, error, forget=False)
            return False
        pieces = self._pieces(pictures, left)
        return not pieces or self._send(pictures, pieces)

    def _pictures(self, phase: str, behind: Sequence[ExternalRef]) -> Pictures:
        with transaction(self._reach.engine) as tx:
            subjects = outbox.subjects(tx, self._portal.id, behind)
        if phase == DEALS:
            return Deals(self._visited, self._client, subjects)
        if phase == ROWS:
            return Rows(self._visited, self._client, subjects)
        if phase == EVENTS:
            targets, written = self._targets(subjects), self._visited.written
            return Events(self._client, self._place, self._sections, subjects, targets, written)
        laid = self._place.crm.type("resources" if phase == RESOURCES else "bookings") if self._place.crm else None
        return Items(self._client, self._place, laid, subjects)

    def _targets(self, subjects: Subjects) -> Mapping[uuid.UUID, list[str]]:
        return {key: refs.event_targets(self._portal, row.resources) for key, row in subjects.bookings.items()}

    def _recover(self, pictures: Pictures, behind: Sequence[ExternalRef]) -> list[ExternalRef]:
        """Attaches what earlier tries have left in the portal; returns what may be drawn now."""
        uncertain = [ref for ref in behind if ref.remote_id is None and ref.intent]
        if not uncertain:
            return list(behind)
        found = pictures.find(uncertain)
        now = self._reach.clock()
        with transaction(self._reach.engine) as tx:
            outbox.lock(tx, self._portal.id, uncertain)
            ids = [picture.remote_id for picture in found.values() if picture is not None]
            taken = outbox.known_events(tx, self._portal.id, ids)
            for ref in uncertain:
                picture = found.get(ref.id)
                if picture is not None and (ref.kind != "event" or picture.remote_id not in taken):
                    log.info("portal %s: found %s %s by its mark", self._portal.id, ref.kind, picture.remote_id)
                    outbox.attach(tx, ref, picture.remote_id, picture.host, now)
        waiting = {
            ref.id: Later(now + timedelta(seconds=back_off(ref.attempts)), certain=False)
            for ref in uncertain
            if ref.remote_id is None and not _may_repeat(ref, found, now)
        }
        self._settle(behind, waiting)
        return [ref for ref in behind if ref.id not in waiting]

    def _pieces(self, pictures: Pictures, left: Sequence[ExternalRef]) -> list[Piece]:
        """What has to be sent, its intents committed."""
        now = self._reach.clock()
        made = {ref.id: pictures.piece(ref, now) for ref in left}
        pieces = [piece for piece in made.values() if isinstance(piece, Piece)]
        self._settle(left, {ref_id: one for ref_id, one in made.items() if not isinstance(one, Piece)})
        with transaction(self._reach.engine) as tx:
            ours = {
                piece.ref.id
                for piece in sorted(pieces, key=lambda one: one.ref.id)
                if piece.intent is None or outbox.intend(tx, piece.ref, piece.intent)
            }
        return [piece for piece in pieces if piece.ref.id in ours]

    def _send(self, pictures: Pictures, pieces: Sequence[Piece]) -> bool:
        try:
            answer = self._client.batch({str(piece.ref.id): piece.command for piece in pieces})
        except (Retryable, Permanent) as error:
            self._give_up([piece.ref for piece in pieces], error, forget=True)
            return False
        outcomes = self._outcomes(pictures, pieces, answer)
        self._settle([piece.ref for piece in pieces], outcomes | self._closer(pictures, pieces, answer))
        return True

    def _outcomes(self, pictures: Pictures, pieces: Sequence[Piece], answer: BatchResult) -> dict[int, Outcome]:
        now, outcomes = self._reach.clock(), {}
        not_run = PortalUnavailable("not run")
        for piece in pieces:
            key, ref = str(piece.ref.id), piece.ref
            drawn = pictures.drawn(piece, answer.results[key]) if key in answer.results else None
            silent = PortalUnavailable("no id in the answer", uncertain=True)
            error: AppError = not_run if key in answer.not_run else answer.errors.get(key, silent)
            outcomes[ref.id] = drawn or verdict(error, ref.attempts, now)
        return outcomes

    def _closer(self, pictures: Pictures, pieces: Sequence[Piece], answer: BatchResult) -> dict[int, Outcome]:
        """What was refused may have a reason that we can deal with; a failing look leaves the refusal as it is."""
        errors = [(piece, answer.errors.get(str(piece.ref.id))) for piece in pieces]
        refusals = [(piece, error) for piece, error in errors if isinstance(error, Rejected) and refused(error)]
        if not refusals:
            return {}
        now = self._reach.clock()
        try:
            return pictures.closer(refusals, now)
        except (Retryable, Permanent) as error:
            at = now + timedelta(seconds=delay_of(error, 0))
            return {piece.ref.id: Later(at, certain=True) for piece, _ in refusals}

    def _settle(self, behind: Sequence[ExternalRef], outcomes: Mapping[int, Outcome]) -> None:
        """Records what came of these refs."""
        if not outcomes:
            return
        now = self._reach.clock()
        with transaction(self._reach.engine) as tx:
            outbox.lock(tx, self._portal.id, [ref for ref in behind if ref.id in outcomes])
            for ref in sorted(behind, key=lambda one: one.id):
                if ref.id in outcomes:
                    outbox.record(tx, ref, outcomes[ref.id], now)
        if any(ref.booking_id and isinstance(outcomes.get(ref.id), Drawn | Removed) for ref in behind):
            self._tell_boards()

    def _tell_boards(self) -> None:
        """Bookings have lost the mark that the portal lacks them.

        In a transaction of its own: who books has his refs when he waits for the portal's row.
        """
        with transaction(self._reach.engine) as tx:
            writes.board_changed(tx, self._portal.id)

    def _give_up(self, behind: Sequence[ExternalRef], error: AppError, *, forget: bool) -> None:
        """A call failed as a whole: these refs wait, and so does whatever else would meet the same.

        `forget`: the intents are of this very call, and void when the portal certainly has not acted.
        """
        at = self._put_off(behind[0].kind, error, min(ref.attempts for ref in behind))
        waits = Later(at, certain=forget and is_certain(error))
        self._settle(behind, {ref.id: waits for ref in behind})
        if concerns_all(error):
            raise Halted from error

    def _put_off(self, kind: str | None, error: AppError, attempts: int) -> datetime:
        """Until when nothing that would meet the same is tried, be it of this kind or any."""
        log.warning("portal %s: %s: %s", self._portal.id, type(error).__name__, error)
        at = self._reach.clock() + timedelta(seconds=delay_of(error, attempts))
        with transaction(self._reach.engine) as tx:
            outbox.postpone(tx, self._portal.id, None if concerns_all(error) else kind, at)
        return at


def _may_repeat(ref: ExternalRef, found: Mapping[int, Found | None], now: datetime) -> bool:
    """Whether what is not there may be made again: we have looked, and no request can still be at work there."""
    return ref.id in found and settles_at(ref.intent or {}) <= now


class Sections:
    """Which section of which calendar, as `portal.calendar` remembers it."""

    def __init__(self, reach: Reach, portal: Portal) -> None:
        self._reach, self._portal_id = reach, portal.id
        people = portal.calendar.get("users") or {}
        self._known = {f"user:{user}": section for user, section in people.items()}
        self._known[mapping.COMPANY] = portal.calendar.get("section")

    def known(self, target: str) -> int | None:
        """The section of this target, if it is known."""
        return self._known.get(target)

    def remember(self, target: str, section: int | None) -> None:
        """Keeps the section of a person's calendar, or forgets it."""
        self._known[target] = section
        _, user_id = mapping.owner_of(target)
        with transaction(self._reach.engine) as tx:
            outbox.remember_section(tx, self._portal_id, user_id, section)
