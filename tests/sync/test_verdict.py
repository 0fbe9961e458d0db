"""What an error of the portal means for a picture, by table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from b24app.bitrix.faults import PaymentRequired, RefreshLost, TokenExpired
from b24app.errors import AppError, InstallationRevoked, Misconfigured, PortalUnavailable, RateLimited, Rejected
from b24app.ledger.outbox import Later, Parked
from b24app.sync.tokens import NeedsAdmin, SpareInUse
from b24app.sync.verdict import back_off, concerns_all, settled, settles_at, verdict

NOW = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "seconds", "certain", "all_of_it"),
    [
        (PortalUnavailable("ReadTimeout", uncertain=True), 2, False, True),
        (PortalUnavailable("NewConnectionError"), 2, True, True),
        (RefreshLost("ReadTimeout"), 2, True, True),
        (RateLimited("QUERY_LIMIT_EXCEEDED", 7.5), 7.5, True, False),
        (RateLimited("QUERY_LIMIT_EXCEEDED"), 2, True, False),
        (TokenExpired("expired_token"), 2, True, True),
        (SpareInUse(), 30, True, True),
        (NeedsAdmin(), 0, True, True),
        (InstallationRevoked("NOT_INSTALLED"), 900, True, True),
        (PaymentRequired("PAYMENT_REQUIRED"), 900, True, True),
        (Misconfigured("client_secret"), 900, True, True),
    ],
)
def test_later(error: AppError, seconds: float, certain: bool, all_of_it: bool) -> None:
    assert verdict(error, 0, NOW) == Later(NOW + timedelta(seconds=seconds), certain)
    assert concerns_all(error) == all_of_it


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Rejected("ACCESS_DENIED", "Доступ запрещён"), "ACCESS_DENIED: Доступ запрещён"),
        (Rejected("", "Неверно указан id секции"), "Неверно указан id секции"),
        (Rejected("100"), "100"),
        (Rejected(""), "REJECTED"),
        (Rejected("X", "y" * 1000), "X: " + "y" * 297),
    ],
)
def test_refusal_is_parked_in_the_portals_words(error: Rejected, reason: str) -> None:
    assert verdict(error, 3, NOW) == Parked(reason)


def test_back_off_doubles_up_to_a_quarter_of_an_hour() -> None:
    assert [back_off(n) for n in (0, 1, 2, 3, 8, 9, 100)] == [2, 4, 8, 16, 512, 900, 900]


def test_what_was_settled_may_be_repeated_at_once() -> None:
    assert settles_at({"at": NOW.isoformat()}) == NOW + timedelta(seconds=70)
    assert settles_at({"at": settled(NOW)}) == NOW
