"""One picture on its way into the portal, and what items and events must be able to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from b24app.bitrix.client import Command
from b24app.errors import Rejected
from b24app.ledger.models import ExternalRef
from b24app.ledger.outbox import Outcome


@dataclass(frozen=True, slots=True)
class Piece:
    """What is sent for one ref. `drawn`: what of it is ours, in the form of `owned`. `intent` is committed before the
    call: by it is known again what a try has left whose answer was not heard."""

    ref: ExternalRef
    command: Command
    drawn: Mapping[str, Any] = field(default_factory=dict)
    intent: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The portal's id of a picture that was found by its mark, and who is its host."""

    remote_id: int
    host: int | None = None


class Pictures(Protocol):
    """One kind of picture. Methods marked (calls) speak with the portal and raise Retryable or Permanent."""

    methods: tuple[str, ...]

    def prepare(self, refs: Sequence[ExternalRef], now: datetime) -> dict[int, Outcome]:
        """(calls) Looks up what is needed to draw these; what came of those that cannot be drawn, by ref id."""

    def find(self, refs: Sequence[ExternalRef]) -> dict[int, Found | None]:
        """(calls) By ref id: the picture that an earlier try has left; a ref that could not be asked for is missing."""

    def piece(self, ref: ExternalRef, now: datetime) -> Piece | Outcome:
        """What to send for this ref, or what came of it when nothing has to be sent."""

    def drawn(self, piece: Piece, result: Any) -> Outcome | None:
        """What a result means; None when it does not say what was made."""

    def closer(self, refusals: Sequence[tuple[Piece, Rejected]], now: datetime) -> dict[int, Outcome]:
        """(calls) Looks closer at what the portal has refused; by ref id, what is more than a plain refusal."""
