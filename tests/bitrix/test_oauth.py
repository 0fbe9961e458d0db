"""Refreshing, and who a token belongs to."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from b24app.bitrix.faults import CallerRejected, PaymentRequired, RefreshLost, RefreshRefused, VisitorTokenExpired
from b24app.bitrix.hosts import HostRefused
from b24app.bitrix.oauth import AppInfo, Application, TokenPair, app_info, refresh
from b24app.errors import AppError, InstallationRevoked, Misconfigured, PortalUnavailable, RateLimited, Rejected
from tests.bitrix.far_side import Reply, Script, fault, ok, scripted

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SERVER = "https://oauth.bitrix.info"
APPLICATION = Application("local.1", "the-secret")
PAIR = TokenPair(
    "access-1", "refresh-1", NOW, 7, "m" * 32, "https://portal.example/rest/", f"{SERVER}/rest/", ("crm",), "L"
)
TOKEN = {
    "access_token": "access-2",
    "refresh_token": "refresh-2",
    "expires_in": 3600,
    "expires": 1,
    "scope": "crm,placement",
    "domain": "oauth.bitrix.info",
    "server_endpoint": f"{SERVER}/rest/",
    "client_endpoint": "https://renamed.example/rest/",
    "status": "L",
    "member_id": "m" * 32,
    "user_id": 7,
}


def refreshed(*replies: Reply) -> tuple[TokenPair, Script]:
    http, script = scripted(*replies)
    return refresh(http, APPLICATION, PAIR, f"{SERVER}/rest/", NOW), script


def test_the_next_pair_is_taken_whole() -> None:
    pair, script = refreshed(Reply(TOKEN))
    assert (pair.access_token, pair.refresh_token, pair.user_id) == ("access-2", "refresh-2", 7)
    assert pair.expires_at == NOW + timedelta(hours=1)
    assert pair.client_endpoint == "https://renamed.example/rest/"
    assert pair.scopes == ("crm", "placement")
    assert len(script.asked) == 1


def test_the_secret_goes_in_the_form_of_a_post() -> None:
    _, script = refreshed(Reply(TOKEN))
    request = script.asked[0]
    assert (request.method, request.url) == ("POST", f"{SERVER}/oauth/token/")
    assert "Authorization" not in request.headers
    assert script.sent() == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-1",
        "client_id": "local.1",
        "client_secret": "the-secret",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"client_endpoint": "http://127.0.0.1/rest/"},
        {"client_endpoint": None},
        {"user_id": "nobody"},
        {"expires_in": None},
        {"scope": None},
    ],
)
def test_an_odd_detail_does_not_cost_us_the_new_pair(changes: dict[str, Any]) -> None:
    pair, _ = refreshed(Reply({**TOKEN, **changes}))
    assert pair.refresh_token == "refresh-2"
    assert pair.client_endpoint in {PAIR.client_endpoint, TOKEN["client_endpoint"]}
    assert (pair.user_id, pair.expires_at) == (7, NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (fault("invalid_grant", 400), RefreshRefused),
        (fault("NO_AUTH_FOUND", 401), RefreshRefused),
        (fault("authorization_error", 401), RefreshRefused),
        (fault("wrong_client", 200), Misconfigured),
        (fault("invalid_client", 400), Misconfigured),
        (fault("invalid_request", 400), Rejected),
        (fault("invalid_scope", 403), Rejected),
        (fault("insufficient_scope", 403), Rejected),
        (fault("PAYMENT_REQUIRED", 401), PaymentRequired),
        (fault("NOT_INSTALLED", 401), InstallationRevoked),
        (fault("PORTAL_DELETED", 410), InstallationRevoked),
        (fault("QUERY_LIMIT_EXCEEDED", 503), RateLimited),
        (fault("INTERNAL_SERVER_ERROR", 500), RefreshLost),
        (Reply("<html>", 502), RefreshLost),
        (Reply("<html>", 200), RefreshLost),
        (Reply("", 302, {"Location": "https://evil.example/"}), RefreshLost),
        (Reply({"access_token": "a"}, 200), RefreshLost),
        (Reply(TOKEN, 500), RefreshLost),
        (Reply(error=requests.ReadTimeout()), RefreshLost),
        (Reply(error=requests.ConnectionError("reset")), RefreshLost),
        (Reply({**TOKEN, "member_id": "another"}), Rejected),
    ],
)
def test_what_the_token_endpoint_may_refuse(reply: Reply, kind: type[AppError]) -> None:
    with pytest.raises(kind) as failed:
        refreshed(reply)
    shown = f"{failed.value!r} {failed.value}"
    assert not {"the-secret", "refresh-1", "access-1"} & set(shown.replace("'", " ").split())


def test_a_refresh_that_never_left_spends_nothing() -> None:
    http, _ = scripted(Reply(error=never_connected()))
    with pytest.raises(PortalUnavailable) as failed:
        refresh(http, APPLICATION, PAIR, SERVER, NOW)
    assert not isinstance(failed.value, RefreshLost)
    assert not failed.value.uncertain


def never_connected() -> requests.ConnectionError:
    """What requests raises when nobody listens."""
    with requests.Session() as plain:
        plain.trust_env = False
        try:
            plain.get("http://127.0.0.1:1/", timeout=1)
        except requests.ConnectionError as error:
            return error
    raise AssertionError("something listens on port 1")


@pytest.mark.parametrize("server", ["https://evil.example/rest/", "https://portal.example/rest/"])
def test_the_secret_goes_to_listed_servers_only(server: str) -> None:
    http, script = scripted()
    with pytest.raises(HostRefused):
        refresh(http, APPLICATION, PAIR, server, NOW)
    with pytest.raises(HostRefused):
        app_info(http, server, "access-1")
    assert script.asked == []


def test_secrets_do_not_show() -> None:
    shown = repr(PAIR) + repr(APPLICATION)
    assert not any(secret in shown for secret in ("access-1", "refresh-1", "the-secret"))
    assert base64.b64encode(b"the-secret").decode() not in shown


INFO = {
    "client_id": "local.1",
    "scope": "crm,placement",
    "expires": "2026-11-23T15:00:00+03:00",
    "user_id": "7",
    "install": {
        "installed": True,
        "version": "1",
        "status": "L",
        "scope": "crm,placement",
        "domain": "Portal.Example",
        "uri": "https://portal.example",
        "client_endpoint": "https://portal.example/rest/",
        "member_id": "m" * 32,
        "member_type": "1",
    },
}


def asked(*replies: Reply) -> tuple[AppInfo, Script]:
    http, script = scripted(*replies)
    return app_info(http, SERVER, "access-1"), script


def test_a_token_belongs_to_a_user_of_an_installation() -> None:
    info, script = asked(ok(INFO))
    assert (info.client_id, info.user_id, info.scopes) == ("local.1", 7, ("crm", "placement"))
    assert info.expires_at == NOW
    assert (info.install.member_id, info.install.domain) == ("m" * 32, "portal.example")
    assert (info.install.installed, info.install.version, info.install.status) == (True, "1", "L")
    assert (script.asked[0].method, script.asked[0].url) == ("POST", f"{SERVER}/rest/app.info")
    assert script.sent() == {"auth": "access-1"}


@pytest.mark.parametrize(("expires", "instant"), [(1795435200, datetime(2026, 11, 23, 12, tzinfo=UTC)), (None, None)])
def test_an_expiry_in_seconds_or_none(expires: Any, instant: datetime | None) -> None:
    info, _ = asked(ok({**INFO, "expires": expires}))
    assert info.expires_at == instant


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (fault("NO_AUTH_FOUND", 401), CallerRejected),
        (fault("invalid_client", 400), CallerRejected),
        (fault("NOT_INSTALLED", 401), CallerRejected),
        (fault("PAYMENT_REQUIRED", 401), CallerRejected),
        (fault("", 400), CallerRejected),
        (fault("expired_token", 401), VisitorTokenExpired),
        (fault("QUERY_LIMIT_EXCEEDED", 503), RateLimited),
        (fault("INTERNAL_SERVER_ERROR", 500), PortalUnavailable),
        (Reply("<html>", 502), PortalUnavailable),
        (ok([]), PortalUnavailable),
        (ok({**INFO, "user_id": "nobody"}), PortalUnavailable),
        (ok({**INFO, "install": {}}), PortalUnavailable),
        (ok({**INFO, "install": {**INFO["install"], "client_endpoint": "https://10.0.0.1/rest/"}}), HostRefused),  # type: ignore[dict-item]
    ],
)
def test_whatever_is_no_result_is_no_identity(reply: Reply, kind: type[AppError]) -> None:
    with pytest.raises(kind):
        asked(reply)
