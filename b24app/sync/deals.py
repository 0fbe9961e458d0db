"""Deals of bookings: found among the client's open ones or added, and moved along by the policy's table.

A deal is people's own. We move it only as long as nobody else has, or forward; one that people have closed or moved
stays where it is, which we say in its timeline once (docs/behaviour.md §5).
https://apidocs.bitrix24.com/api-reference/crm/universal/crm-item-add.html
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from b24app import texts
from b24app.bitrix.client import Command
from b24app.bitrix.loose import as_map, whole
from b24app.booking import announce
from b24app.errors import AppError, PortalUnavailable, Rejected
from b24app.ledger import deals, deliveries
from b24app.ledger.models import ExternalRef
from b24app.ledger.outbox import Drawn, Later, Outcome, Removed, Subjects
from b24app.ledger.portal_settings import DealPolicy
from b24app.ledger.queries import BookingRow
from b24app.ledger.session import transaction
from b24app.scheduling.stage import HOLDING
from b24app.sync import owned
from b24app.sync.mapping import DEAL, Fields, stage_key
from b24app.sync.pieces import Found, Piece
from b24app.sync.reconcile import Visited
from b24app.sync.tokens import AdminClient
from b24app.sync.verdict import verdict

ORIGINATOR = "b24booking"
READ = ["id", "stageId", "stageSemanticId", "categoryId", "opportunity", "originatorId", "originId"]
OPEN = "P"
Deal = Mapping[str, Any]


class Deals:
    """The deals of bookings, by the policy of the service, else of the portal."""

    methods: tuple[str, ...] = ("crm.item.add", "crm.item.update")

    def __init__(self, visited: Visited, client: AdminClient, subjects: Subjects) -> None:
        self._visited, self._client, self._subjects = visited, client, subjects
        self._deals: dict[int, Deal] = {}
        self._open: dict[uuid.UUID, Deal] = {}
        self._given: dict[int, set[str]] = {}
        self._orders: dict[int, list[str]] = {}

    def prepare(self, refs: Sequence[ExternalRef], now: datetime) -> dict[int, Outcome]:
        """Reads the deals that are known, the open ones of clients who need one, and the order of their stages."""
        known = {ref.id: deal_id for ref in refs if (deal_id := self._booking(ref).deal_id or ref.remote_id)}
        commands = {f"d{deal_id}": _read({"id": deal_id}) for deal_id in set(known.values())}
        lacking = {ref.id: ref for ref in refs if self._lacks_deal(ref)}
        commands |= {f"c{ref.id}": self._look_for_open(ref) for ref in lacking.values()}
        answers, errors = self._ask(commands)
        for key, rows in answers.items():
            for deal in rows:
                self._deals[whole(deal.get("id")) or 0] = deal
            if key.startswith("c") and rows:
                self._open[self._booking(lacking[int(key[1:])]).id] = rows[0]
        self._read_orders()
        with transaction(self._visited.reach.engine) as tx:
            self._given = deals.stages_given(tx, self._visited.portal.id, list(self._deals))
        return self._held_back(refs, known, errors, now) | self._in_turn(lacking, now)

    def _ask(self, commands: Mapping[str, Command]) -> tuple[dict[str, list[Deal]], dict[str, AppError]]:
        if not commands:
            return {}, {}
        done = self._client.batch(commands)
        errors = dict(done.errors) | {key: PortalUnavailable("not run") for key in done.not_run}
        return {key: _rows(as_map(result).get("items")) for key, result in done.results.items()}, errors

    def _held_back(
        self, refs: Sequence[ExternalRef], known: Mapping[int, int], errors: Mapping[str, AppError], now: datetime
    ) -> dict[int, Outcome]:
        """Those about which the portal did not tell us what we asked."""
        found = {ref.id: errors.get(f"d{known.get(ref.id)}") or errors.get(f"c{ref.id}") for ref in refs}
        return {ref.id: verdict(error, ref.attempts, now) for ref in refs if (error := found[ref.id])}

    def _in_turn(self, lacking: Mapping[int, ExternalRef], now: datetime) -> dict[int, Outcome]:
        """Of several bookings of one client the first makes the deal, and the others find it in the next round."""
        seen: set[Any] = set()
        waiting: dict[int, Outcome] = {}
        for ref in lacking.values():
            client = self._row(ref).client
            key = (client.kind, client.crm_id or client.id, self._policy(ref).category_id) if client else None
            if self._booking(ref).id not in self._open and client is not None and client.crm_id:
                if key in seen:
                    waiting[ref.id] = Later(now, certain=True)
                seen.add(key)
        return waiting

    def _read_orders(self) -> None:
        funnels = {whole(deal.get("categoryId")) or 0 for deal in self._deals.values()}
        commands = {str(one): Command("crm.status.list", _stages_of(one)) for one in sorted(funnels)}
        if not commands:
            return
        for funnel, rows in self._client.batch(commands).results.items():
            self._orders[int(funnel)] = [str(row.get("STATUS_ID")) for row in _rows(rows)]

    def _row(self, ref: ExternalRef) -> BookingRow:
        assert ref.booking_id is not None, "deals are of bookings only"
        return self._subjects.bookings[ref.booking_id]

    def _booking(self, ref: ExternalRef) -> Any:
        return self._row(ref).booking

    def _policy(self, ref: ExternalRef) -> DealPolicy:
        own = self._row(ref).service.deal
        return DealPolicy.from_json(own) if own is not None else self._visited.settings.deal

    def _lacks_deal(self, ref: ExternalRef) -> bool:
        """Whether a deal is to be found or made; what an earlier try may have made is looked for by its mark first."""
        row = self._row(ref)
        return (
            self._policy(ref).mode == "create"
            and row.booking.deal_id is None
            and ref.remote_id is None
            and not ref.intent
            and row.booking.stage in HOLDING
            and row.client is not None
        )

    def _look_for_open(self, ref: ExternalRef) -> Command:
        client = self._row(ref).client
        assert client is not None, "asked for bookings with a client only"
        whose = {"contact": "contactId", "company": "companyId"}.get(client.kind)
        mine = {whose: client.crm_id} if whose else {"originatorId": ORIGINATOR, "originId": str(ref.booking_id)}
        return _read({"categoryId": self._policy(ref).category_id, "stageSemanticId": OPEN, **mine})

    def find(self, refs: Sequence[ExternalRef]) -> dict[int, Found | None]:
        """One list by our marks."""
        by_mark = {str(ref.booking_id): ref.id for ref in refs}
        where = {"originatorId": ORIGINATOR, "@originId": list(by_mark)}
        params = {"entityTypeId": DEAL, "filter": where, "select": READ}
        found: dict[int, Found | None] = {ref.id: None for ref in refs}
        for deal in self._client.list_all("crm.item.list", params, "items", by_id="id"):
            ref_id, deal_id = by_mark.get(str(deal.get("originId"))), whole(deal.get("id"))
            if ref_id is not None and deal_id is not None and found[ref_id] is None:
                found[ref_id], self._deals[deal_id] = Found(deal_id), deal
        return found

    def piece(self, ref: ExternalRef, now: datetime) -> Piece | Outcome:
        """A deal is found or added once, and moved along ever after."""
        booking = self._booking(ref)
        if booking.deal_id is None and ref.remote_id is not None and ref.drawn is not None:
            return Drawn(ref.remote_id, ref.drawn)  # somebody has taken the deal off the booking
        if booking.deal_id is None:
            there = ref.remote_id or whole(self._open.get(booking.id, {}).get("id"))
            if there is None:
                again = bool(ref.intent) and booking.stage in HOLDING  # looked for by its mark, and not there
                return self._addition(ref, now) if again or self._lacks_deal(ref) else Removed()
            self._adopt(ref, there, now)
        return self._moved(ref, booking.deal_id, now)

    def _addition(self, ref: ExternalRef, now: datetime) -> Piece:
        fields = self._new_fields(ref)
        drawn = {"stage": fields.get("stageId"), "price": owned.amount(fields["opportunity"])}
        intent = {"at": now.isoformat(), "type": "deal"}
        return Piece(ref, Command("crm.item.add", {"entityTypeId": DEAL, "fields": fields}), drawn, intent)

    def _new_fields(self, ref: ExternalRef) -> Fields:
        row, policy, place = self._row(ref), self._policy(ref), self._visited.place
        booking, client = row.booking, row.client
        clients = {"contact": "contactIds", "company": "companyId"}
        name = clients.get(client.kind) if client else None
        value = [client.crm_id] if client and name == "contactIds" else client.crm_id if client else None
        return {
            "title": texts.say(place.language, "deal.title", name=row.service.name, number=booking.number),
            "categoryId": policy.category_id,
            **({"stageId": stage} if (stage := policy.stages.get(stage_key(booking))) else {}),
            "opportunity": f"{self._subjects.sums[booking.id].price.normalize():f}",
            "isManualOpportunity": "Y",
            "currencyId": place.currency,
            **({name: value} if name else {}),
            "assignedById": booking.responsible_id,
            "originatorId": ORIGINATOR,
            "originId": str(booking.id),
        }

    def _adopt(self, ref: ExternalRef, deal_id: int, now: datetime) -> None:
        ours = self._is_ours(ref, self._deals.get(deal_id) or {})
        rows = ours and self._policy(ref).products and bool(self._booking(ref).terms)
        with transaction(self._visited.reach.engine) as tx:
            portal_id, booking_id = self._visited.portal.id, self._booking(ref).id
            booking = deals.adopt(tx, portal_id, booking_id, deal_id, now, bulk=ref.bulk, with_rows=rows)
            if booking is not None:  # reminders and the start fire on the deal as well
                has_item = self._visited.place.crm is not None
                coming = announce.scheduled(self._visited.settings, booking, now, has_item=has_item)
                deliveries.plan(tx, booking, list(coming), now)
        self._booking(ref).deal_id = deal_id

    def _is_ours(self, ref: ExternalRef, deal: Deal) -> bool:
        return (deal.get("originatorId"), deal.get("originId")) == (ORIGINATOR, str(ref.booking_id))

    def _moved(self, ref: ExternalRef, deal_id: int, now: datetime) -> Piece | Outcome:
        """What the deal is to become, if anything."""
        deal, base = self._deals.get(deal_id), dict(ref.drawn or {}) if ref.remote_id == deal_id else {}
        if deal is None:  # deleted, or not shown to us: it is for people to say what that means
            return Drawn(deal_id, {**base, "gone": True})
        base.pop("gone", None)
        target = self._policy(ref).stages.get(stage_key(self._booking(ref)))
        fields = self._new_amount(ref, deal, base)
        verdict = self._verdict(deal, base.get("stage"), target)
        if verdict == "move":
            fields["stageId"] = target
        elif verdict == "left":
            self._say_left(ref, deal_id, now)
        stands = target if verdict in ("move", "there") else base.get("stage")
        drawn = {**base, "stage": stands, "price": fields.get("opportunity", base.get("price"))}
        if not fields:
            return Drawn(deal_id, drawn)
        params = {"entityTypeId": DEAL, "id": deal_id, "fields": fields}
        return Piece(ref, Command("crm.item.update", params), drawn)

    def _new_amount(self, ref: ExternalRef, deal: Deal, base: Mapping[str, Any]) -> Fields:
        """The price in a deal of our own, as long as nobody has written another sum there."""
        price = owned.amount(self._subjects.sums[self._booking(ref).id].price)
        written = base.get("price")
        if written is None or price == written or not self._is_ours(ref, deal):
            return {}
        return {"opportunity": price} if owned.amount(deal.get("opportunity")) == written else {}

    def _verdict(self, deal: Deal, base: str | None, target: str | None) -> str:
        order = self._orders.get(whole(deal.get("categoryId")) or 0, [])
        given = self._given.get(whole(deal.get("id")) or 0, set())
        closed = deal.get("stageSemanticId") != OPEN
        return stage_verdict(str(deal.get("stageId")), base, target, order, given, closed=closed)

    def _say_left(self, ref: ExternalRef, deal_id: int, now: datetime) -> None:
        with transaction(self._visited.reach.engine) as tx:
            deliveries.comment(
                tx, self._visited.portal, key=f"deal:{ref.id}:{deal_id}", code="deal_left", booking_id=ref.booking_id,
                params={"deal": deal_id, "stage": stage_key(self._booking(ref))}, now=now,
            )  # fmt: skip

    def drawn(self, piece: Piece, result: Any) -> Outcome | None:
        """The answer is the whole deal; of a new one the booking is told at once."""
        deal = as_map(as_map(result).get("item"))
        deal_id = whole(deal.get("id"))
        if deal_id is None:
            return None
        if piece.command.method == "crm.item.add":
            self._deals[deal_id] = deal
            self._adopt(piece.ref, deal_id, self._visited.reach.clock())
        stage = str(deal.get("stageId") or "") if piece.command.method == "crm.item.add" else piece.drawn.get("stage")
        return Drawn(deal_id, {**piece.drawn, "stage": stage})

    def closer(self, refusals: Sequence[tuple[Piece, Rejected]], now: datetime) -> dict[int, Outcome]:
        """A refusal of a deal is for somebody to look at."""
        return {}


Verdict = Literal["none", "there", "move", "silent", "left"]


def stage_verdict(
    stands: str, base: str | None, target: str | None, order: Sequence[str], given: set[str], *, closed: bool
) -> Verdict:
    """What becomes of a deal's stage. `base`: what this booking has last given it; `given`: what any booking has.

    `silent`: left where it is, and nobody has done anything that need be spoken of: it is another booking's doing, or
    no booking has moved it yet.
    """
    if target is None or target not in order:
        return "none"
    if stands == target:
        return "there"
    if base == stands:
        return "move"
    if not closed and stands in order and order.index(target) > order.index(stands):
        return "move"
    return "left" if given and stands not in given else "silent"


def _stages_of(funnel: int) -> dict[str, Any]:
    return {"filter": {"ENTITY_ID": f"DEAL_STAGE_{funnel}" if funnel else "DEAL_STAGE"}, "order": {"SORT": "ASC"}}


def _read(where: Mapping[str, Any]) -> Command:
    """The newest first: of several open deals it is the one that people are at."""
    params = {"entityTypeId": DEAL, "filter": dict(where), "select": READ, "order": {"id": "DESC"}, "start": -1}
    return Command("crm.item.list", params)


def _rows(value: Any) -> list[Deal]:
    return [row for row in as_map(value).values() if isinstance(row, dict)]
