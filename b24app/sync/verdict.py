"""What an error of the portal means for one picture: once more later, or never without somebody. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from b24app.bitrix.faults import PaymentRequired, RefreshLost
from b24app.errors import AppError, Permanent, PortalUnavailable, RateLimited, Rejected, Retryable
from b24app.ledger.outbox import Later, Parked
from b24app.sync.tokens import NeedsAdmin

LONGEST_BACK_OFF = 900.0  # seconds
ASK_AGAIN = 900.0  # seconds until we look whether somebody has mended what only people can
# The platform stops a request after 60 s, so what it has not done by then it never will.
# https://apidocs.bitrix24.com/limits.html
SETTLED_AFTER = timedelta(seconds=70)
REASON_LENGTH = 300


def refused(error: AppError) -> bool:
    """Whether the portal understood this very command and said no."""
    return isinstance(error, Rejected) and not isinstance(error, PaymentRequired)


def verdict(error: AppError, attempts: int, now: datetime) -> Later | Parked:
    """What becomes of a picture whose drawing ended with `error`; `attempts` have failed before."""
    if isinstance(error, Rejected) and refused(error):
        return Parked(f"{error.code}: {error.description}".strip(": ")[:REASON_LENGTH] or "REJECTED")
    return Later(now + timedelta(seconds=delay_of(error, attempts)), certain=is_certain(error))


def delay_of(error: AppError, attempts: int) -> float:
    """Seconds to wait: what the far side asked for, and longer after each failure in a row."""
    if isinstance(error, NeedsAdmin):
        return 0.0  # the installation itself is marked as waiting, and nothing is tried until it is revived
    if isinstance(error, Retryable):
        return max(error.delay or 0.0, back_off(attempts))
    return ASK_AGAIN


def back_off(attempts: int) -> float:
    """2 s, 4 s, … a quarter of an hour."""
    return min(LONGEST_BACK_OFF, 2.0 ** min(attempts + 1, 10))


def is_certain(error: AppError) -> bool:
    """Whether the portal has not acted: only an answer that was lost on its way leaves that open."""
    lost = isinstance(error, PortalUnavailable) and error.uncertain
    return not lost or isinstance(error, RefreshLost)  # lost on its way to the authorization server


def concerns_all(error: AppError) -> bool:
    """Whether a call that ended like this makes other calls to this portal pointless for a while."""
    return isinstance(error, Retryable | Permanent) and not isinstance(error, RateLimited)


def settles_at(intent: Mapping[str, Any]) -> datetime:
    """From when on something that was intended and is not there will not appear any more."""
    return datetime.fromisoformat(intent["at"]) + SETTLED_AFTER


def settled(now: datetime) -> str:
    """The `at` of an intent that may be repeated at once when nothing is found."""
    return (now - SETTLED_AFTER).isoformat()
