"""Stages: which may follow which, and each row and column of the table of winners that needs no database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from b24app.scheduling.policy import Policy, expires_at
from b24app.scheduling.stage import (
    Stage,
    Standing,
    after_end,
    may_follow,
    on_confirm,
    on_payment,
)

NOW = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)
LATER, BEFORE = NOW + timedelta(minutes=1), NOW - timedelta(minutes=1)
STARTS = NOW + timedelta(days=3)
HALF = Decimal(500)
WINNERS = ("first", "payment", "manager")

# Rows: the stage now; columns: the stage then, in the order of `Stage`.
ALLOWED = {
    #                prebooked confirmed completed cancelled no_show expired
    Stage.PREBOOKED: (False, True, False, True, False, True),
    Stage.CONFIRMED: (False, False, True, True, True, False),
    Stage.COMPLETED: (False, True, False, False, False, False),
    Stage.CANCELLED: (True, True, False, False, False, False),
    Stage.NO_SHOW: (False, True, False, False, False, False),
    Stage.EXPIRED: (True, True, False, True, False, False),
}


@pytest.mark.parametrize(
    ("now", "then", "allowed"),
    [(now, then, allowed) for now, row in ALLOWED.items() for then, allowed in zip(Stage, row, strict=True)],
)
def test_every_stage_may_be_followed_by_these_and_by_no_other(now: Stage, then: Stage, allowed: bool) -> None:
    assert may_follow(now, then) is allowed


def policy(winner: str = "first", hold: int = 0, after: str = "completed") -> Policy:
    return Policy(
        30, 240, 30, 60, winner=winner, hold_minutes=hold, decide_minutes=120, approval_minutes=180, after_end=after
    )


def prebooked(winner: str, *, due: datetime | None = LATER, approval: bool = False) -> Standing:
    return Standing(Stage.PREBOOKED, winner != "first" and not approval, winner, approval, due)


@pytest.mark.parametrize(
    ("rules", "approval", "waits"),
    [
        (policy(hold=60), False, 60),
        (policy(), False, None),
        (policy("payment"), False, 120),
        (policy("manager"), False, 120),
        *((policy(winner), True, 180) for winner in WINNERS),
    ],
)
def test_a_request_on_free_time_waits_for_its_term_or_is_confirmed_at_once(
    rules: Policy, approval: bool, waits: int | None
) -> None:
    term = expires_at(rules, NOW, STARTS, needs_approval=approval)
    assert term == (None if waits is None else NOW + timedelta(minutes=waits))


@pytest.mark.parametrize(
    ("winner", "in_time", "late"),
    [("first", "confirm", "revive"), ("payment", "confirm", "revive"), ("manager", "record", "compete")],
)
def test_a_payment_confirms_what_waits_in_time_and_gives_late_ones_another_chance(
    winner: str, in_time: str, late: str
) -> None:
    assert on_payment(prebooked(winner), reached=True, now=NOW) == in_time
    assert on_payment(prebooked(winner, due=None), reached=True, now=NOW) == in_time
    assert on_payment(prebooked(winner, due=NOW), reached=True, now=NOW) == late
    expired = Standing(Stage.EXPIRED, winner != "first", winner, due_at=BEFORE)
    assert on_payment(expired, reached=True, now=NOW) == late
    reopened_by_nobody = Standing(Stage.EXPIRED, winner != "first", winner, due_at=LATER)
    assert on_payment(reopened_by_nobody, reached=True, now=NOW) == late


@pytest.mark.parametrize("winner", WINNERS)
@pytest.mark.parametrize("due", [LATER, BEFORE])
@pytest.mark.parametrize("stage", [Stage.PREBOOKED, Stage.EXPIRED])
def test_a_payment_that_is_not_enough_is_only_recorded(winner: str, due: datetime, stage: Stage) -> None:
    assert on_payment(Standing(stage, False, winner, due_at=due), reached=False, now=NOW) == "record"


@pytest.mark.parametrize("winner", WINNERS)
@pytest.mark.parametrize("due", [LATER, BEFORE])
def test_money_does_not_replace_an_approval(winner: str, due: datetime) -> None:
    assert on_payment(prebooked(winner, due=due, approval=True), reached=True, now=NOW) == "record"


@pytest.mark.parametrize("winner", WINNERS)
@pytest.mark.parametrize("stage", [Stage.CONFIRMED, Stage.COMPLETED, Stage.CANCELLED, Stage.NO_SHOW])
def test_a_payment_moves_no_other_stage(winner: str, stage: Stage) -> None:
    for reached in (True, False):
        assert on_payment(Standing(stage, False, winner, due_at=BEFORE), reached=reached, now=NOW) == "record"


@pytest.mark.parametrize(
    ("winner", "deposit", "said"),
    [
        ("first", HALF, "confirm"),
        ("first", Decimal(0), "confirm"),
        ("payment", HALF, "refuse:payment_first"),
        ("payment", Decimal(0), "confirm"),
        ("manager", HALF, "confirm"),
        ("manager", Decimal(0), "confirm"),
    ],
)
def test_a_manager_confirms_except_where_the_first_payment_decides(winner: str, deposit: Decimal, said: str) -> None:
    assert on_confirm(prebooked(winner), deposit=deposit, now=NOW) == said


def test_an_approver_confirms_what_holds_its_time_whoever_wins_otherwise() -> None:
    assert on_confirm(prebooked("payment", approval=True), deposit=HALF, now=NOW) == "confirm"


@pytest.mark.parametrize("winner", WINNERS)
def test_what_has_expired_is_not_confirmed_swept_or_not(winner: str) -> None:
    assert on_confirm(prebooked(winner, due=NOW), deposit=Decimal(0), now=NOW) == "refuse:expired"
    assert on_confirm(Standing(Stage.EXPIRED, False, winner), deposit=Decimal(0), now=NOW) == "refuse:expired"


@pytest.mark.parametrize("stage", [Stage.CONFIRMED, Stage.COMPLETED, Stage.CANCELLED, Stage.NO_SHOW])
def test_only_what_is_prebooked_is_confirmed(stage: Stage) -> None:
    assert on_confirm(Standing(stage), deposit=Decimal(0), now=NOW) == "refuse:not_prebooked"


@pytest.mark.parametrize("winner", WINNERS)
@pytest.mark.parametrize("after", ["completed", "ask", "no_show"])
def test_at_the_end_who_was_there_has_completed_and_the_rules_say_about_others(winner: str, after: str) -> None:
    assert after_end(policy(winner, after=after), checked_in=True) == "completed"
    assert after_end(policy(winner, after=after), checked_in=False) == after
