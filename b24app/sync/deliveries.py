"""Sending facts: comments, notices, triggers, cards of drafts. Each at most once, however often a worker dies.

`tried_at` is committed before the call. What was tried and has no outcome is uncertain: a comment is looked for by its
mark, a notice is sent again and replaces itself by its tag, a trigger stays unknown (docs/behaviour.md §3).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from b24app.bitrix.client import BatchResult, Command
from b24app.bitrix.loose import as_map
from b24app.errors import AppError, Permanent, PortalUnavailable, Rejected, Retryable
from b24app.ledger import deliveries, tenancy
from b24app.ledger.deliveries import COMMENT, MISSED, NOTICE, REFUSED, SENT, STAGE, TRIGGER, UNKNOWN, VOID, Done, Told
from b24app.ledger.portal_models import Delivery
from b24app.ledger.session import transaction
from b24app.scheduling.stage import Stage
from b24app.sync import mapping, wording
from b24app.sync.mapping import DEAL
from b24app.sync.reconcile import Halted, Visited
from b24app.sync.tokens import AdminClient
from b24app.sync.verdict import REASON_LENGTH, SETTLED_AFTER, concerns_all, delay_of, is_certain, refused

log = logging.getLogger(__name__)

BATCH, BULK_BATCH = 25, 50
GLANCED = 6  # so many take about a second, while somebody looks on
TAG = "B24BOOKING"


def send(visited: Visited, client: AdminClient, *, bulk_allowed: bool = True) -> bool:
    """Sends one batch of what is due, people's before bulk; whether anything was done. Raises Halted."""
    sending = _Sending(visited, client)
    rows = _due(visited, bulk_allowed)
    return bool(rows) and sending.run(rows)


def _due(visited: Visited, bulk_allowed: bool) -> list[Delivery]:
    now, portal_id = visited.reach.clock(), visited.portal.id
    with transaction(visited.reach.engine) as tx:
        rows = deliveries.due(tx, portal_id, now, limit=BATCH)
        if rows or not bulk_allowed:
            return rows
        watched = tenancy.frame_is_open(tx, portal_id, now)
        return deliveries.due(tx, portal_id, now, bulk=True, limit=GLANCED if watched else BULK_BATCH)


class _Sending:
    """One batch on its way."""

    def __init__(self, visited: Visited, client: AdminClient) -> None:
        self._visited, self._client = visited, client
        self._portal, self._engine = visited.portal, visited.reach.engine

    def run(self, rows: Sequence[Delivery]) -> bool:
        """Whether any of them has come to something."""
        now = self._visited.reach.clock()
        with transaction(self._engine) as tx:
            told = deliveries.told(tx, self._portal.id, rows)
            names = deliveries.names(tx, self._portal.id, wording.people_in(told), wording.resources_in(told))
        tongue = wording.Tongue(self._portal.language, self._portal.time_zone, self._portal.currency, *names)
        settled = {one.row.id: done for one in told if (done := self._without_a_call(one, now))}
        settled |= self._looked_for([one for one in told if one.row.id not in settled], now)
        self._record(rows, settled, now, tried=None)
        left = {one.row.id: one for one in told if one.row.id not in settled}
        return self._sent(left, tongue, now) or bool(settled)

    def _without_a_call(self, told: Told, now: datetime) -> Done | None:
        """What has come of it already: too late, nothing to speak of, or tried and not to be tried again."""
        row = told.row
        if row.useful_until is not None and (told.booking is None or told.booking.stage != Stage.CONFIRMED):
            return Done(VOID)
        if row.kind == TRIGGER and row.tried_at is not None:
            return Done(UNKNOWN)
        if row.useful_until is not None and row.useful_until <= now:
            return Done(MISSED)
        return Done(VOID) if self._command(told, None, now) is None else None

    def _looked_for(self, told: Iterable[Told], now: datetime) -> dict[int, Done]:
        """Comments that may stand there already; what may still appear is waited for."""
        tried = {one.row.id: one for one in told if one.row.kind == COMMENT and one.row.tried_at is not None}
        if not tried:
            return {}
        try:
            answer = self._client.batch({str(row_id): self._look(one) for row_id, one in tried.items()})
        except (Retryable, Permanent) as error:
            return self._give_up([one.row for one in tried.values()], error, tried=None)
        found: dict[int, Done] = {}
        for row_id, one in tried.items():
            done = self._seen(one, answer, str(row_id), now)
            if done is not None:
                found[row_id] = done
        return found

    def _look(self, told: Told) -> Command:
        where = {"ENTITY_ID": self._card(told), "ENTITY_TYPE": self._entity_type(told)}
        params = {"filter": where, "order": {"ID": "DESC"}, "select": ["ID", "COMMENT"]}
        return Command("crm.timeline.comment.list", params)

    def _seen(self, told: Told, answer: BatchResult, key: str, now: datetime) -> Done | None:
        """None when it is certainly not there and may be written once more."""
        if key not in answer.results:
            return self._failed(told.row, answer.errors.get(key, PortalUnavailable("not run")), now, heard=False)
        lines = (str(as_map(row).get("COMMENT") or "").strip() for row in as_map(answer.results[key]).values())
        if any(text == _mark(told) or text.endswith(f"\n{_mark(told)}") for text in lines):
            return Done(SENT)
        assert told.row.tried_at is not None, "asked for what was tried only"
        appears_until = told.row.tried_at + SETTLED_AFTER
        return Done(None, appears_until, heard=False) if appears_until > now else None

    def _sent(self, left: Mapping[int, Told], tongue: wording.Tongue, now: datetime) -> bool:
        if not left:
            return False
        with transaction(self._engine) as tx:
            ours = deliveries.claim(tx, self._portal.id, [one.row for one in left.values()], now)
        commands = {str(one): command for one in sorted(ours) if (command := self._command(left[one], tongue, now))}
        if not commands:
            return False
        rows = [left[int(key)].row for key in commands]
        try:
            answer = self._client.batch(commands)
        except (Retryable, Permanent) as error:
            outcomes = self._give_up(rows, error, tried=now)
        else:
            outcomes = {row.id: self._outcome(row, answer, now) for row in rows}
        self._record(rows, outcomes, now, tried=now)
        return True

    def _outcome(self, row: Delivery, answer: BatchResult, now: datetime) -> Done:
        key = str(row.id)
        if key in answer.results:
            return Done(SENT)
        return self._failed(row, answer.errors.get(key, PortalUnavailable("not run")), now)

    def _failed(self, row: Delivery, error: AppError, now: datetime, *, heard: bool = True) -> Done:
        """What a try comes to that ended like this. `heard` False: what an earlier one came to is still not known."""
        said = f"{error.code}: {error.description}".strip(": ") if isinstance(error, Rejected) else str(error)
        reason = said[:REASON_LENGTH]
        if refused(error):
            return Done(REFUSED, reason=reason or type(error).__name__)
        certain = heard and is_certain(error)
        if row.kind == TRIGGER and not certain:
            return Done(UNKNOWN, reason=reason)
        return Done(None, now + timedelta(seconds=delay_of(error, row.attempts)), reason, heard=certain)

    def _give_up(self, rows: Sequence[Delivery], error: AppError, *, tried: datetime | None) -> dict[int, Done]:
        """A call failed as a whole. Raises Halted, with everything put off, when others would fare no better."""
        now = self._visited.reach.clock()
        log.warning("portal %s: nothing was sent: %s: %s", self._portal.id, type(error).__name__, error)
        outcomes = {row.id: self._failed(row, error, now, heard=tried is not None) for row in rows}
        if not concerns_all(error):
            return outcomes
        self._record(rows, outcomes, now, tried=tried)
        at = now + timedelta(seconds=delay_of(error, min(row.attempts for row in rows)))
        with transaction(self._engine) as tx:
            deliveries.postpone(tx, self._portal.id, at)
        raise Halted from error

    def _record(
        self, rows: Iterable[Delivery], outcomes: Mapping[int, Done], now: datetime, *, tried: datetime | None
    ) -> None:
        """`tried`: when these were claimed; None for those that were not sent this time. One row in a transaction:
        whoever moves several bookings locks their rows in an order of his own."""
        for row in rows:
            if row.id in outcomes:
                with transaction(self._engine) as tx:
                    deliveries.record(tx, row, outcomes[row.id], now, tried_at=tried or row.tried_at)

    # What is sent ----

    def _command(self, told: Told, tongue: wording.Tongue | None, now: datetime) -> Command | None:
        """None where there is nothing to say it in. Without a tongue only whether there is."""
        if told.row.kind == NOTICE:
            return self._notice(told, tongue, now)
        card = self._card(told)
        if card is None:
            return None
        if told.row.kind == TRIGGER:
            owner = {"OWNER_TYPE_ID": self._card_type(told), "OWNER_ID": card}
            return Command("crm.automation.trigger.execute", {"CODE": told.row.code, **owner})
        if told.row.kind == STAGE:
            return self._stage(told, card)
        text = wording.comment(tongue, told, _mark(told)) if tongue else ""
        fields = {"ENTITY_ID": card, "ENTITY_TYPE": self._entity_type(told), "COMMENT": text}
        return Command("crm.timeline.comment.add", {"fields": fields})

    def _notice(self, told: Told, tongue: wording.Tongue | None, now: datetime) -> Command:
        url = self._url(told)
        params = {
            "USER_ID": told.row.recipient,
            "MESSAGE": wording.notice(tongue, told, url, now) if tongue else "",
            "TAG": _tag(told),
        }
        return Command("im.notify.system.add", params)

    def _url(self, told: Told) -> str | None:
        place = self._visited.place
        if told.booking is not None:
            return mapping.card_url(place, told.booking, told.card if told.card_type == "bookings" else None)
        card = self._card(told)
        return f"{place.origin}/crm/type/{self._card_type(told)}/details/{card}/" if card else None

    def _stage(self, told: Told, card: int) -> Command | None:
        crm = self._visited.place.crm
        status = crm.stages.get(told.row.code) if crm else None
        if status is None:
            return None
        params = {"entityTypeId": self._card_type(told), "id": card, "fields": {"stageId": status}}
        return Command("crm.item.update", params)

    def _card(self, told: Told) -> int | None:
        """The id of what it is said in: the deal that it speaks of, else our own item."""
        if deal := told.row.params.get("deal"):
            return int(deal)
        return told.card if self._card_type(told) else None

    def _card_type(self, told: Told) -> int | None:
        crm = self._visited.place.crm
        laid = crm.type(told.card_type) if crm else None
        return DEAL if told.row.params.get("deal") else laid.entity_type_id if laid else None

    def _entity_type(self, told: Told) -> str:
        return "deal" if told.row.params.get("deal") else f"dynamic_{self._card_type(told)}"


def _mark(told: Told) -> str:
    """The last line of a comment, by which it is found again."""
    if told.booking is not None and told.row.number:
        return f"booking:{told.booking.number}/{told.row.number}"
    return f"ref:{_short(told.row.key)}"


def _tag(told: Told) -> str:
    """A later notice with the same tag takes its place: one per booking and kind."""
    row = told.row
    of_booking = told.booking is not None and (row.number or row.useful_until)
    whose = str(told.booking.number) if told.booking is not None and of_booking else _short(row.key)
    return f"{TAG}|{whose}|{row.code}"


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]
