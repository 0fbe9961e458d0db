"""Product rows: the price of a booking in its item, and in a deal that was made for it.

The whole list is replaced at once, so doing it twice does no harm.
https://apidocs.bitrix24.com/api-reference/crm/universal/product-rows/crm-item-productrow-set.html
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from b24app import texts
from b24app.bitrix.client import Command
from b24app.bitrix.loose import as_map
from b24app.errors import Rejected
from b24app.ledger import deals
from b24app.ledger.models import ExternalRef, QuoteLine
from b24app.ledger.outbox import Drawn, Later, Outcome, Removed, Subjects
from b24app.ledger.session import transaction
from b24app.messages import MESSAGES
from b24app.scheduling.stage import HOLDING
from b24app.sync import owned
from b24app.sync.pieces import Found, Piece
from b24app.sync.reconcile import Visited
from b24app.sync.tokens import AdminClient
from b24app.sync.verdict import ASK_AGAIN

Row = dict[str, Any]


class Rows:
    """The product rows of bookings' items (target "") and of the deals made for them (target "deal")."""

    methods: tuple[str, ...] = ("crm.item.productrow.set",)

    def __init__(self, visited: Visited, client: AdminClient, subjects: Subjects) -> None:
        self._visited, self._subjects = visited, subjects
        with transaction(visited.reach.engine) as tx:
            self._lines = deals.lines_of(tx, visited.portal.id, list(subjects.bookings))

    def prepare(self, refs: Sequence[ExternalRef], now: datetime) -> dict[int, Outcome]:
        """Nothing has to be looked up."""
        return {}

    def find(self, refs: Sequence[ExternalRef]) -> dict[int, Found | None]:
        """Nothing is ever uncertain: the same rows once more are the same rows."""
        return {}

    def piece(self, ref: ExternalRef, now: datetime) -> Piece | Outcome:
        """The rows, unless they stand there already; they wait for what they belong to."""
        assert ref.booking_id is not None, "rows are of bookings only"
        row = self._subjects.bookings[ref.booking_id]
        crm = self._visited.place.crm
        if ref.target == "deal":
            owner, code = row.booking.deal_id, "D"
        else:
            owner = self._subjects.booking_items.get(ref.booking_id)
            code = f"T{crm.bookings.entity_type_id:x}" if crm and crm.bookings else ""
        if owner is None or not code:
            gone = ref.target == "deal" or row.booking.stage not in HOLDING  # its card went with it
            return Removed() if gone else Later(now + timedelta(seconds=ASK_AGAIN), certain=True)
        price = self._subjects.sums[ref.booking_id].price
        rows = product_rows(self._visited.place.language, row.service.name, self._lines.get(ref.booking_id, ()), price)
        drawn = {"rows": owned.print_of({"rows": rows})}
        if ref.remote_id == owner and ref.drawn == drawn:
            return Drawn(owner, drawn)
        params = {"ownerType": code, "ownerId": owner, "productRows": rows}
        return Piece(ref, Command("crm.item.productrow.set", params), drawn)

    def drawn(self, piece: Piece, result: Any) -> Outcome | None:
        """The answer is the list."""
        if "productRows" not in as_map(result):
            return None
        return Drawn(int(piece.command.params["ownerId"]), piece.drawn)

    def closer(self, refusals: Sequence[tuple[Piece, Rejected]], now: datetime) -> dict[int, Outcome]:
        """A refusal is for somebody to look at."""
        return {}


def product_rows(language: str, service: str, lines: Sequence[QuoteLine], price: Decimal) -> list[Row]:
    """The lines of a price as product rows. The portal knows no negative ones, so a price with a deduction in it
    becomes one row with what is left; nothing at all becomes no row."""
    if price <= 0:
        return []
    if any(line.amount < 0 for line in lines):
        return [_row(service, price, Decimal(1))]
    return [_row(_name(language, service, line), *_parts(line)) for line in lines if line.amount]


def _parts(line: QuoteLine) -> tuple[Decimal, Decimal]:
    """Price and quantity; in one piece where the sum was rounded."""
    exact = line.unit_price * line.quantity == line.amount
    return (line.unit_price, line.quantity) if exact else (line.amount, Decimal(1))


def _row(name: str, price: Decimal, quantity: Decimal) -> Row:
    return {"productName": name, "price": f"{price.normalize():f}", "quantity": f"{quantity.normalize():f}"}


def _name(language: str, service: str, line: QuoteLine) -> str:
    if line.kind == "extra" and line.name:
        return line.name
    known = next((code for code in (f"line.{line.kind}.{line.name}", f"line.{line.kind}") if code in MESSAGES), None)
    return texts.say(language, known) if known else service
