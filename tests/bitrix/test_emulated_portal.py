"""The same client against the emulated portal: what both sides take for the protocol must agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from b24app.bitrix.client import Command, FixedToken, PortalClient
from b24app.bitrix.faults import CallerRejected, RefreshLost, RefreshRefused, VisitorTokenExpired
from b24app.bitrix.hosts import HostPolicy
from b24app.bitrix.oauth import Application, TokenPair, app_info, refresh
from b24app.bitrix.payload import PlacementCall, PortalEvent
from b24app.bitrix.throttle import LocalThrottle
from b24app.bitrix.transport import PortalSession, http_session
from b24app.errors import InstallationRevoked, Misconfigured, PortalUnavailable, RateLimited, Rejected
from emulator import apps, event, faults, oauth, phpform, placement
from emulator.app import create_emulator
from emulator.seed import small_world
from emulator.state import AppCard, Portal, World
from emulator.transport import EmulatorAdapter

CLOCK = 1_795_500_000.0
NOW = datetime.fromtimestamp(CLOCK, UTC)
CRM = ["crm", "placement", "user_brief"]
FORM = apps.CardForm("Бронирование", "https://app.test/b24/app", scopes=CRM)


@dataclass
class Stand:
    """A portal with our application in it, and an administrator's pair."""

    world: World
    portal: Portal
    card: AppCard
    http: PortalSession
    pair: TokenPair

    @property
    def application(self) -> Application:
        return Application(self.card.client_id, self.card.client_secret)

    def access_token(self) -> str:
        return self.pair.access_token

    def refresh(self, stale: str) -> str:
        self.pair = refresh(self.http, self.application, self.pair, self.pair.server_endpoint, NOW)
        return self.pair.access_token

    def client(self) -> PortalClient:
        return PortalClient(self.http, self.pair.client_endpoint, self, throttle=throttle())

    def fault(self, method: str, kind: str) -> None:
        faults.add(self.world, {"method": method, "kind": kind, "times": 1, "seconds": 1})

    def frame(self) -> PlacementCall:
        form = placement.frame_form(
            self.portal,
            self.portal.users[1],
            self.card,
            "CRM_DEAL_DETAIL_TAB",
            {"ID": 5},
            "/crm/deal/details/5/",
            CLOCK,
        )
        assert form is not None
        return PlacementCall.parse(dict(parse_qsl(urlsplit(form.url).query)), form.fields)


def throttle() -> LocalThrottle:
    return LocalThrottle(lambda: CLOCK, lambda seconds: None, burst=1000, jitter=lambda: 1.0)


@pytest.fixture
def stand() -> Stand:
    world = small_world(CLOCK)
    emulator = create_emulator(world, clock=lambda: CLOCK)
    portal = world.portal
    card = apps.add_card(portal, FORM)
    http = http_session(HostPolicy((world.auth_origin,)))
    http.mount("https://", EmulatorAdapter(emulator.wsgi_app))
    fields = oauth.issue_frame(portal, portal.users[1], card, CLOCK)
    pair = TokenPair(
        fields["AUTH_ID"], fields["REFRESH_ID"], NOW, 1, portal.member_id, portal.client_endpoint, world.server_endpoint
    )
    return Stand(world, portal, card, http, pair)


def test_a_frame_is_read_and_its_caller_known(stand: Stand) -> None:
    call = stand.frame()
    info = app_info(stand.http, call.server_endpoint or "", call.access_token)
    assert (call.entity_id, call.entity_type_id, call.application_token) == (5, 2, stand.card.application_token)
    assert (info.client_id, info.user_id) == (stand.card.client_id, 1)
    assert (info.install.member_id, info.install.domain) == (call.member_id, call.domain)
    assert info.scopes == call.scopes == tuple(CRM)
    assert info.install.client_endpoint == stand.portal.client_endpoint


def test_an_older_portals_frame_is_read(stand: Stand) -> None:
    stand.world.knobs.old_portal = True
    assert stand.frame().server_endpoint is None


def test_an_event_is_read(stand: Stand) -> None:
    event.queue(stand.portal, stand.card, 7, "https://app.test/b24/events", "ONAPPINSTALL", {"VERSION": 1}, 1, None)
    read = PortalEvent.parse(phpform.encode(stand.world.outbox[-1]["body"]))
    assert (read.event, read.data, read.user_id) == ("ONAPPINSTALL", {"VERSION": "1"}, 1)
    assert (read.member_id, read.application_token) == (stand.portal.member_id, stand.card.application_token)
    assert app_info(stand.http, read.server_endpoint or "", read.access_token or "").user_id == 1


def test_a_made_up_token_has_no_caller(stand: Stand) -> None:
    with pytest.raises(CallerRejected):
        app_info(stand.http, stand.pair.server_endpoint, "made-up")


def test_an_expired_token_is_refreshed_and_the_call_repeated(stand: Stand) -> None:
    oauth.expire_tokens(stand.portal)
    before = stand.pair
    assert stand.client().call("profile")["ID"] == "1"
    assert stand.pair.refresh_token != before.refresh_token
    with pytest.raises(RefreshRefused):
        refresh(stand.http, stand.application, before, before.server_endpoint, NOW)


def test_a_visitor_whose_token_died_in_a_refresh_must_send_another(stand: Stand) -> None:
    stand.world.knobs.token_family = "one"
    other = oauth.issue_frame(stand.portal, stand.portal.users[1], stand.card, CLOCK)
    stand.refresh("")
    visitor = PortalClient(stand.http, stand.pair.client_endpoint, FixedToken(other["AUTH_ID"]), throttle=throttle())
    with pytest.raises(VisitorTokenExpired):
        visitor.call("profile")


def test_a_wrong_secret_is_our_settings(stand: Stand) -> None:
    with pytest.raises(Misconfigured):
        refresh(stand.http, replace(stand.application, client_secret="x"), stand.pair, stand.pair.server_endpoint, NOW)
    with pytest.raises(Misconfigured):
        refresh(stand.http, replace(stand.application, client_id="x"), stand.pair, stand.pair.server_endpoint, NOW)


def test_a_refresh_whose_answer_was_lost_says_so(stand: Stand) -> None:
    stand.fault("oauth/token", "reset_after")
    with pytest.raises(RefreshLost):
        stand.refresh("")


def test_a_removed_application_is_a_revoked_installation(stand: Stand) -> None:
    apps.delete_card(stand.portal, stand.card)
    tokens = FixedTokenPair(stand.pair.access_token)
    with pytest.raises(InstallationRevoked):
        PortalClient(stand.http, stand.pair.client_endpoint, tokens, throttle=throttle()).call("profile")


class FixedTokenPair(FixedToken):
    """A stored pair that the authorization server goes on renewing."""

    def refresh(self, stale: str) -> str:
        return stale


@pytest.mark.parametrize(("kind", "uncertain"), [("500", True), ("502", True), ("reset_before", True)])
def test_broken_answers(stand: Stand, kind: str, uncertain: bool) -> None:
    stand.fault("crm.item.add", kind)
    with pytest.raises(PortalUnavailable) as failed:
        stand.client().call("crm.item.add", {"entityTypeId": 2, "fields": {"title": "x"}})
    assert failed.value.uncertain is uncertain


def test_too_many_requests(stand: Stand) -> None:
    stand.fault("profile", "rate_limit")
    with pytest.raises(RateLimited) as refused:
        stand.client().call("profile")
    assert refused.value.delay == 2


def test_text_that_looks_like_a_reference_arrives_verbatim_beside_a_batch(stand: Stand) -> None:
    titles = {"a": "Зал «А» & <b> 💺 + 100%", "b": "$result[a][item][id]", "c": "[x]=1"}
    adds = {
        key: Command("crm.item.add", {"entityTypeId": 2, "fields": {"title": text}}) for key, text in titles.items()
    }
    done = stand.client().batch({**adds, "bad": Command("crm.item.get", {"entityTypeId": 2, "id": 999_999})})
    assert {key: answer["item"]["title"] for key, answer in done.results.items()} == titles
    assert isinstance(done.errors["bad"], Rejected)
    assert done.errors["bad"].code == "NOT_FOUND"


def test_a_reference_that_is_meant_is_followed(stand: Stand) -> None:
    add = Command("crm.item.add", {"entityTypeId": 2, "fields": {"title": "Зал"}})
    get = Command("crm.item.get", {"entityTypeId": 2, "id": "$result[add][item][id]"}, references=True)
    done = stand.client().batch({"add": add, "get": get})
    assert done.results["get"]["item"]["title"] == "Зал"


def test_lists_longer_than_a_page_come_whole_both_ways(stand: Stand) -> None:
    portal = stand.client()
    adds = {str(n): Command("crm.item.add", {"entityTypeId": 2, "fields": {"title": f"n{n}"}}) for n in range(50)}
    for _ in range(2):
        assert len(portal.batch(adds).results) == 50
    wanted = {"entityTypeId": 2, "select": ["id", "title"]}
    by_id = [row["id"] for row in portal.list_all("crm.item.list", wanted, "items", by_id="id")]
    by_start = [row["id"] for row in portal.list_all("crm.item.list", wanted, "items")]
    assert len(by_id) == len(stand.portal.items[2])
    assert by_id == sorted(set(by_id)) == sorted(by_start)
