"""Stages of a booking: which may follow which, and what money, people and time make of one that waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from b24app.scheduling.policy import Policy


class Stage(StrEnum):
    """Where a booking stands; what was paid is kept beside it, not in it."""

    PREBOOKED = "prebooked"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"
    EXPIRED = "expired"


class Payment(StrEnum):
    """The payment state of a booking."""

    NONE = "none"
    DUE = "due"
    PARTLY = "partly"
    PAID = "paid"
    REFUND_DUE = "refund_due"
    REFUNDED = "refunded"


HOLDING = frozenset({Stage.PREBOOKED, Stage.CONFIRMED})
TRANSITIONS: dict[Stage, frozenset[Stage]] = {
    Stage.PREBOOKED: frozenset({Stage.CONFIRMED, Stage.CANCELLED, Stage.EXPIRED}),
    Stage.CONFIRMED: frozenset({Stage.COMPLETED, Stage.CANCELLED, Stage.NO_SHOW}),
    # What has taken place was confirmed, and is nothing else when it is brought back.
    Stage.COMPLETED: frozenset({Stage.CONFIRMED}),
    Stage.NO_SHOW: frozenset({Stage.CONFIRMED}),
    Stage.CANCELLED: HOLDING,
    # Paid too late: the time is still free, it competes once more, or somebody else has it and this one is lost.
    Stage.EXPIRED: HOLDING | {Stage.CANCELLED},
}


def may_follow(now: Stage, then: Stage) -> bool:
    """Whether a booking at `now` may be brought to `then`."""
    return then in TRANSITIONS[now]


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides about a booking that may still be confirmed.

    `competes`: it waits and holds nothing. `needs_approval`: made by somebody who may only ask for it.
    """

    stage: Stage
    competes: bool = False
    winner: str = "first"
    needs_approval: bool = False
    due_at: datetime | None = None


def on_payment(
    standing: Standing, *, reached: bool, now: datetime
) -> Literal["confirm", "record", "revive", "compete"]:
    """What a payment does besides being recorded; `reached`: deposit or price are paid now.

    "revive": it is too late, so only if the time is still free, otherwise it is lost; "compete": the same, but
    a manager has the last word. A "confirm" of one that competes is lost, too, when the time cannot be occupied.
    """
    waiting = standing.stage in (Stage.PREBOOKED, Stage.EXPIRED)
    if not (reached and waiting) or standing.needs_approval:
        return "record"
    late = _is_late(standing, now)
    if standing.winner == "manager":
        return "compete" if late else "record"
    return "revive" if late else "confirm"


def on_confirm(
    standing: Standing, *, deposit: Decimal, now: datetime
) -> Literal["confirm", "refuse:payment_first", "refuse:expired", "refuse:not_prebooked"]:
    """Whether a manager or an approver may confirm it, or why not."""
    if standing.stage not in (Stage.PREBOOKED, Stage.EXPIRED):
        return "refuse:not_prebooked"
    if _is_late(standing, now):
        return "refuse:expired"
    # Among requests that wait side by side the first payment decides, and nobody may pass it by.
    if standing.competes and standing.winner == "payment" and deposit > 0:
        return "refuse:payment_first"
    return "confirm"


def _is_late(standing: Standing, now: datetime) -> bool:
    return standing.stage == Stage.EXPIRED or (standing.due_at is not None and standing.due_at <= now)


def after_end(policy: Policy, checked_in: bool) -> str:
    """What becomes of a confirmed booking when its time is over: "completed", "ask" the responsible or "no_show"."""
    return "completed" if checked_in else policy.after_end
