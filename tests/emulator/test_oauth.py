"""The authorization server: grants, rotation, families of tokens, refusals with their statuses, both ``app.info``."""

from __future__ import annotations

import pytest

from emulator import apps, oauth
from emulator.seed import TEST_HOSTS

from .conftest import AUTH, PORTAL


class Auth:
    """Asks the token address as the application."""

    def __init__(self, emulator, card) -> None:
        self.client, self.card = emulator.test_client(), card

    def ask(self, verb: str = "GET", **params: str):
        given = {"client_id": self.card.client_id, "client_secret": self.card.client_secret, **params}
        given = {name: value for name, value in given.items() if value}
        how = {"query_string": given} if verb == "GET" else {"data": given}
        return self.client.open("/oauth/token/", method=verb, base_url=AUTH, **how)

    def refresh(self, token: str, verb: str = "GET", **params: str):
        return self.ask(verb, grant_type="refresh_token", refresh_token=token, **params)

    def info(self, token: str):
        return self.client.get("/rest/app.info", query_string={"auth": token}, base_url=AUTH)


@pytest.fixture
def auth(emulator, card):
    return Auth(emulator, card)


@pytest.fixture
def pair(portal, card, clock):
    return oauth.issue(portal, portal.users[1], card, clock())


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_a_refresh_gives_a_new_pair_and_kills_the_old_refresh_token(auth, pair, portal, verb):
    used = pair.refresh
    body = auth.refresh(used, verb).json
    assert body["domain"] == TEST_HOSTS.auth
    assert body["client_endpoint"] == f"{PORTAL}/rest/"
    assert (body["member_id"], body["user_id"], body["expires_in"]) == (portal.member_id, 1, 3600)
    assert body["refresh_token"] != used
    assert (auth.refresh(used).status_code, auth.refresh(used).json["error"]) == (400, "invalid_grant")
    assert auth.refresh(body["refresh_token"]).status_code == 200


def test_a_code_lives_half_a_minute_and_works_once(auth, portal, card, clock):
    code = oauth.new_code(portal, portal.users[3], card, clock())
    assert auth.ask(grant_type="authorization_code", code=code).json["user_id"] == 3
    assert auth.ask(grant_type="authorization_code", code=code).json["error"] == "invalid_grant"
    late = oauth.new_code(portal, portal.users[3], card, clock())
    clock.now += 31
    assert auth.ask(grant_type="authorization_code", code=late).json["error"] == "invalid_grant"


def test_the_portal_redirects_with_a_code(auth, emulator, portal):
    client = emulator.test_client()
    client.set_cookie(oauth.USER_COOKIE, "1", domain=TEST_HOSTS.portal)
    answer = client.get(
        "/oauth/authorize/", query_string={"client_id": auth.card.client_id, "state": "s t"}, base_url=PORTAL
    )
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("https://booking.example.com/b24/app?code=")
    assert "state=s+t" in answer.headers["Location"]
    assert f"server_domain={TEST_HOSTS.auth}" in answer.headers["Location"]


def test_refusals_have_their_codes_and_statuses(auth, pair):
    refused = {
        "no grant": auth.ask(refresh_token=pair.refresh),
        "no token": auth.ask(grant_type="refresh_token"),
        "client": auth.refresh(pair.refresh, client_id="local.1.2"),
        "secret": auth.refresh(pair.refresh, client_secret="wrong"),
        "grant": auth.refresh("made-up"),
        "scope": auth.refresh(pair.refresh, scope="crm,telephony"),
    }
    assert {name: (answer.status_code, answer.json["error"]) for name, answer in refused.items()} == {
        "no grant": (400, "invalid_request"),
        "no token": (400, "invalid_request"),
        "client": (200, "wrong_client"),
        "secret": (400, "invalid_client"),
        "grant": (400, "invalid_grant"),
        "scope": (403, "invalid_scope"),
    }


def test_payment_and_uninstall_refuse_a_refresh(emulator, portal, clock):
    form = apps.CardForm("М", "https://booking.example.com/", scopes=["crm"], kind="market", client=("app.1.2", "s"))
    card = apps.add_card(portal, form)
    pair = oauth.issue(portal, portal.users[1], card, clock())
    auth = Auth(emulator, card)
    card.payment_expired = True
    assert (auth.refresh(pair.refresh).status_code, auth.refresh(pair.refresh).json["error"]) == (
        401,
        "PAYMENT_REQUIRED",
    )
    card.payment_expired = False
    del portal.apps[card.client_id]
    assert (auth.refresh(pair.refresh).status_code, auth.refresh(pair.refresh).json["error"]) == (401, "NOT_INSTALLED")


def test_a_deleted_local_application_is_no_client_any_more(auth, pair, portal, card):
    used = pair.refresh
    apps.delete_card(portal, card)
    assert auth.refresh(used).json["error"] == "wrong_client"
    assert auth.info(pair.access).json["error"] == "NO_AUTH_FOUND"


@pytest.mark.parametrize(("family", "survives"), [("two", True), ("one", False)])
def test_frame_and_server_are_one_family_or_two(auth, portal, card, world, clock, family, survives):
    world.knobs.token_family = family
    server = oauth.issue(portal, portal.users[1], card, clock())
    kept = server.refresh
    other = oauth.issue(portal, portal.users[2], card, clock())
    frame = oauth.issue_frame(portal, portal.users[1], card, clock())
    assert oauth.refresh_frame(portal, frame["REFRESH_ID"], clock()) is not None
    assert (auth.refresh(kept).status_code == 200) is survives
    assert auth.refresh(other.refresh).status_code == 200


def test_app_info_differs_between_portal_and_authorization_server(auth, api, pair, portal):
    mine = auth.info(pair.access).json["result"]
    assert mine["client_id"] == auth.card.client_id
    assert mine["install"]["member_id"] == portal.member_id
    assert mine["install"]["domain"] == TEST_HOSTS.portal
    assert mine["install"]["installed"] is True
    assert mine["user_id"] == 1
    assert api.call("app.info")["CODE"] == auth.card.client_id


def test_app_info_refuses_what_it_does_not_know(auth, pair, portal):
    assert (auth.info("made-up").status_code, auth.info("made-up").json["error"]) == (401, "NO_AUTH_FOUND")
    oauth.expire_tokens(portal)
    assert (auth.info(pair.access).status_code, auth.info(pair.access).json["error"]) == (401, "expired_token")


def test_the_portals_own_host_is_no_authorization_server(emulator, card, pair):
    params = {"grant_type": "refresh_token", "client_id": card.client_id, "client_secret": card.client_secret}
    answer = emulator.test_client().get("/oauth/token/", query_string=params, base_url=PORTAL)
    assert answer.status_code == 404
    assert answer.is_json is False


def test_a_refresh_token_ends_after_180_days(auth, pair, clock):
    clock.now += 181 * 86400
    assert auth.refresh(pair.refresh).json["error"] == "invalid_grant"
