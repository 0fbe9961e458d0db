"""Token pairs and who a token belongs to. Only the authorization server is asked; the secret goes nowhere else.

https://apidocs.bitrix24.com/settings/oauth/index.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from authlib.integrations.requests_client import OAuth2Session

from b24app.bitrix.answers import LOST, Answer, Timeout, decoded, exchange, unavailable
from b24app.bitrix.faults import RefreshLost, caller_error, fault_of, refresh_error
from b24app.bitrix.hosts import HostPolicy, HostRefused
from b24app.bitrix.loose import flag, split_scopes, whole
from b24app.bitrix.transport import TIMEOUT, PortalSession
from b24app.errors import PortalUnavailable, Rejected

# Authlib drops the secret when asked to use GET, and the platform knows no Basic authorization.
_SECRET_IN_FORM = "client_secret_post"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Application:
    """A `client_id` and its secret."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What lets us act as one user in one portal. Shown anywhere, it keeps its tokens to itself."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    user_id: int
    member_id: str
    client_endpoint: str
    server_endpoint: str
    scopes: tuple[str, ...] = ()
    status: str = ""


@dataclass(frozen=True, slots=True)
class Install:
    """The installation that a token belongs to, in the authorization server's words."""

    member_id: str
    domain: str
    client_endpoint: str
    status: str
    version: str
    installed: bool


@dataclass(frozen=True, slots=True)
class AppInfo:
    """Whose token it is: the only identity that is trusted."""

    client_id: str
    user_id: int
    scopes: tuple[str, ...]
    expires_at: datetime | None
    install: Install


def refresh(
    http: PortalSession,
    application: Application,
    pair: TokenPair,
    auth_server: str,
    now: datetime,
    timeout: Timeout = TIMEOUT,
) -> TokenPair:
    """The next pair. The old refresh token is spent: the caller holds the row's lock and stores what it gets.

    Raises RefreshRefused (take another administrator's), RefreshLost (sent, answer unknown: once more with the same
    token), PortalUnavailable (not sent), Misconfigured, InstallationRevoked, PaymentRequired, RateLimited, Rejected.
    """
    base = http.policy.check_auth_server(auth_server)
    session = _authlib_session(http, application)
    try:
        token = session.refresh_token(
            f"{base}/oauth/token/", refresh_token=pair.refresh_token, timeout=timeout, allow_redirects=False
        )
    except LOST as error:
        known = unavailable(error)
        raise (RefreshLost(known.reason) if known.uncertain else known) from error
    return _next_pair(http.policy, pair, token, now)


def _authlib_session(http: PortalSession, application: Application) -> Any:
    """Authlib on our own adapters. Its automatic refresh is not used: it races between processes."""
    session = OAuth2Session(
        application.client_id,
        application.client_secret,
        token_endpoint_auth_method=_SECRET_IN_FORM,
        trust_env=False,
        verify=http.verify,
    )
    session.adapters = http.adapters
    session.headers = http.headers
    session.register_compliance_hook("refresh_token_response", _check_token_answer)
    return session


def _check_token_answer(response: requests.Response) -> requests.Response:
    """Let a proper token pass to Authlib; name everything else. Errors come with HTTP 200 too (`wrong_client`)."""
    content = decoded(response.content)
    fault = fault_of(content, response.status_code)
    if fault is not None:
        raise refresh_error(fault)
    complete = isinstance(content, dict) and content.get("access_token") and content.get("refresh_token")
    if response.status_code != 200 or not complete:
        raise RefreshLost(f"HTTP {response.status_code} without a token")
    return response


def _next_pair(policy: HostPolicy, pair: TokenPair, token: Mapping[str, Any], now: datetime) -> TokenPair:
    if token.get("member_id", pair.member_id) != pair.member_id:
        raise Rejected("member_id", "a token of another portal")
    return replace(
        pair,
        access_token=str(token["access_token"]),
        refresh_token=str(token["refresh_token"]),
        expires_at=now + timedelta(seconds=_lifetime(token.get("expires_in"))),
        user_id=whole(token.get("user_id")) or pair.user_id,
        client_endpoint=_next_endpoint(policy, pair, token.get("client_endpoint")),
        scopes=split_scopes(token.get("scope")) or pair.scopes,
        status=str(token.get("status") or pair.status),
    )


def _next_endpoint(policy: HostPolicy, pair: TokenPair, claimed: Any) -> str:
    """The portal's present address; an unacceptable one must not cost us the pair, whose predecessor is spent."""
    try:
        return policy.check_endpoint(str(claimed))
    except HostRefused:
        return pair.client_endpoint


def _lifetime(value: Any) -> int:
    """Seconds, by our own clock and the duration: the server's clock may differ. The documented hour if unsaid."""
    return min(whole(value) or 3600, 86400)


def app_info(http: PortalSession, auth_server: str, access_token: str, timeout: Timeout = TIMEOUT) -> AppInfo:
    """Whose token this is. Raises CallerRejected (VisitorTokenExpired when it only ran out), Retryable, HostRefused.

    https://apidocs.bitrix24.com/api-reference/events/safe-event-handlers.html
    """
    base = http.policy.check_auth_server(auth_server)
    # A form: what the authorization server takes besides GET, which would leave the token in its access log.
    outcome = exchange(http, f"{base}/rest/app.info", timeout, data={"auth": access_token})
    if not isinstance(outcome, Answer):
        raise caller_error(outcome)
    try:
        return _app_info(http.policy, outcome.result)
    except (KeyError, TypeError, ValueError) as error:
        raise PortalUnavailable("app.info answered in an unknown shape") from error


def _app_info(policy: HostPolicy, result: Mapping[str, Any]) -> AppInfo:
    install = result["install"]
    expires = result.get("expires")
    return AppInfo(
        client_id=str(result["client_id"]),
        user_id=int(result["user_id"]),
        scopes=split_scopes(result.get("scope")),
        expires_at=_instant(expires),
        install=Install(
            member_id=str(install["member_id"]),
            domain=str(install["domain"]).lower(),
            client_endpoint=policy.check_endpoint(str(install["client_endpoint"])),
            status=str(install.get("status") or ""),
            version=str(install.get("version") or ""),
            installed=flag(install.get("installed")),
        ),
    )


def _instant(value: Any) -> datetime | None:
    if not value:
        return None
    seconds = whole(value)
    parsed = datetime.fromisoformat(str(value)) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
