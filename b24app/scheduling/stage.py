"""Stages of a booking and which may follow which."""

from __future__ import annotations

from enum import StrEnum


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


TRANSITIONS: dict[Stage, frozenset[Stage]] = {
    Stage.PREBOOKED: frozenset({Stage.CONFIRMED, Stage.CANCELLED, Stage.EXPIRED}),
    Stage.CONFIRMED: frozenset({Stage.COMPLETED, Stage.CANCELLED, Stage.NO_SHOW}),
    Stage.COMPLETED: frozenset({Stage.CONFIRMED}),
    Stage.CANCELLED: frozenset({Stage.CONFIRMED}),
    Stage.NO_SHOW: frozenset({Stage.CONFIRMED}),
    Stage.EXPIRED: frozenset({Stage.CONFIRMED}),
}

HOLDING = frozenset({Stage.PREBOOKED, Stage.CONFIRMED})


def may_follow(now: Stage, then: Stage) -> bool:
    """Whether a booking at `now` may be brought to `then`."""
    return then in TRANSITIONS[now]
