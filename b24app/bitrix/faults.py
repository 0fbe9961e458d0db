"""What a portal or an authorization server can answer instead of a result, turned into our tree of errors.

    Refused        CallerRejected(code) > VisitorTokenExpired          ask the person to open the page again
    Retryable      TokenExpired
                   PortalUnavailable > PortalMoved(host)  PortalSilent  RefreshLost
    Permanent      TokenDead(code) > RefreshRefused                    this pair is finished, not the installation
                   Rejected(code) > PaymentRequired > PlanRefused
                   HostRefused(host, why)                              in `hosts`

Codes: https://apidocs.bitrix24.com/error-codes.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from b24app.errors import (
    AppError,
    InstallationRevoked,
    Misconfigured,
    Permanent,
    PortalUnavailable,
    RateLimited,
    Refused,
    Rejected,
    Retryable,
)

HOUR = 3600.0


class CallerRejected(Refused):
    """The authorization server does not vouch for this caller. `code` is its own."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class VisitorTokenExpired(CallerRejected):
    """The page must ask the portal for a fresh token and send the request again."""

    def __init__(self, code: str = "expired_token") -> None:
        super().__init__(code)


class TokenExpired(Retryable):
    """The token ran out in the middle of a batch, or a fresh one is called expired as well."""


class PortalMoved(PortalUnavailable):
    """The portal answers under a new name. `host` is its claim: to be used only after `app_info` confirms it."""

    def __init__(self, host: str) -> None:
        super().__init__("moved")
        self.host = host


class PortalSilent(PortalUnavailable):
    """No answer came in time, or not even a connection: the next try may cost as much."""


class TokenDead(Permanent):
    """This token's user can no longer act for us (dismissed, access withdrawn); another administrator's may."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class RefreshRefused(TokenDead):
    """The refresh token is not accepted. Says nothing about the installation."""


class RefreshLost(PortalUnavailable):
    """The refresh was sent and its answer is unknown: try once more with the same token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, uncertain=True)


class PaymentRequired(Rejected):
    """The application or its subscription is not paid: read only until it is, jobs stop."""


class PlanRefused(PaymentRequired):
    """The portal's own plan does not include applications like this one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as it was answered; `status` is 0 for one command of a batch."""

    code: str
    description: str
    status: int = 0

    @property
    def key(self) -> str:
        """The code for comparing: the platform mixes upper and lower case."""
        return self.code.lower()

    @property
    def stale_token(self) -> bool:
        """Whether a fresh access token may cure it: after a rotation the old one may be unknown, not only expired."""
        return self.key in {"expired_token", "no_auth_found", "invalid_token"}


def fault_of(body: Any, status: int = 0) -> Fault | None:
    """The fault in this answer, or None. The *presence* of the key decides: codes may be empty or a numeric 0."""
    if not isinstance(body, dict) or "error" not in body:
        return None
    code = body["error"]
    text = body.get("error_description") or ""
    return Fault("" if code is None else str(code)[:100], str(text)[:1000], status)


# An empty calendar code, CRM's numeric ones and everything unknown end as Rejected, in their own words.
_GONE = {"no_auth_found", "error_oauth", "application_not_found", "not_installed"}
_DEAD = {"authorization_error", "invalid_token", "user_access_error"}
_BROKEN = {"internal_server_error", "error_unexpected_answer"}
_BLOCKED = {"overload_limit", "portal_deleted"}
_OF_THE_PLAN = re.compile(r"\bcommercial plans?\b|коммерческ\w+ тариф", re.IGNORECASE)
_TOO_FAST = {"query_limit_exceeded", "operation_time_limit"}


def portal_error(fault: Fault, delay: float | None = None) -> AppError:
    """What this fault of a portal's REST means to us. `delay` is the throttle's opinion when we were too fast."""
    if fault.key in _TOO_FAST or (fault.status == 429 and not fault.code):
        return RateLimited(fault.code, delay)
    if fault.key == "expired_token":
        return TokenExpired(fault.code)
    if fault.key in _GONE:
        return InstallationRevoked(fault.code)
    if fault.key in _DEAD:
        return TokenDead(fault.code)
    return _unavailable(fault) or _refusal(fault)


def _unavailable(fault: Fault) -> PortalUnavailable | None:
    if fault.key in _BLOCKED:
        return PortalUnavailable(fault.code, HOUR)
    if fault.key == "connection_error":  # the portal could not check our token, so it has done nothing
        return PortalUnavailable(fault.code)
    if fault.key in _BROKEN or fault.status >= 500:
        return PortalUnavailable(fault.code, uncertain=True)
    return None


def _refusal(fault: Fault) -> Rejected:
    if fault.key == "payment_required":
        return PaymentRequired(fault.code, fault.description)
    # The same code says that a person lacks a right; only the words tell them apart.
    if fault.key == "access_denied" and _OF_THE_PLAN.search(fault.description):
        return PlanRefused(fault.code, fault.description)
    return Rejected(fault.code, fault.description)


def refresh_error(fault: Fault) -> AppError:
    """What the token endpoint's refusal means. https://apidocs.bitrix24.com/settings/oauth/error-codes.html"""
    if fault.key in {"invalid_grant", "no_auth_found", "authorization_error", "expired_token", "invalid_token"}:
        return RefreshRefused(fault.code)
    if fault.key in {"wrong_client", "invalid_client"}:
        return Misconfigured("client_secret", fault.code)
    if fault.key == "portal_deleted":
        return InstallationRevoked(fault.code)
    error = portal_error(fault)
    if isinstance(error, PortalUnavailable) and error.uncertain:
        return RefreshLost(fault.code)
    return error


def caller_error(fault: Fault) -> AppError:
    """What `app.info` says about a caller: temporary trouble stays that, every other non-result is a rejection."""
    error = portal_error(fault)
    if isinstance(error, TokenExpired):
        return VisitorTokenExpired(fault.code)
    return error if isinstance(error, Retryable) else CallerRejected(fault.code)
