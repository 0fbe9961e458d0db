"""The official Python SDK, unmodified, with its two fixed https origins routed to the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from b24pysdk import Client
from b24pysdk.credentials import BitrixAppLocal, BitrixTokenLocal, BitrixWebhook
from b24pysdk.errors import BitrixAPIAccessDenied, BitrixAPIError
from b24pysdk.errors.oauth import BitrixOAuthInvalidGrant, BitrixOauthWrongClient
from b24pysdk.integrations.flask.decorators import event_required, placement_required
from flask import Flask, g

from emulator import oauth, placement
from emulator.seed import TEST_HOSTS, WEBHOOK
from emulator.transport import EmulatorAdapter, routed

from .conftest import PORTAL

SDK_AUTH = "https://oauth.bitrix24.tech"


@pytest.fixture(autouse=True)
def network(emulator) -> Iterator[None]:
    """Everything the SDK calls lands in the emulator; the authorization server has one host there."""
    with routed({PORTAL: EmulatorAdapter(emulator), SDK_AUTH: EmulatorAdapter(emulator, host=TEST_HOSTS.auth)}):
        yield


@pytest.fixture
def app(card) -> BitrixAppLocal:
    return BitrixAppLocal(domain=TEST_HOSTS.portal, client_id=card.client_id, client_secret=card.client_secret)


@pytest.fixture
def token(portal, card, app, clock) -> BitrixTokenLocal:
    pair = oauth.issue(portal, portal.users[1], card, clock())
    return BitrixTokenLocal(auth_token=pair.access, refresh_token=pair.refresh, bitrix_app=app)


@pytest.fixture
def client(token) -> Client:
    return Client(token)


def done(request: Any) -> Any:
    """The result of a lazy SDK request: asking for it sends it."""
    return request.response.result


def test_items_are_added_read_changed_listed_and_deleted(client):
    made = done(client.crm.item.add(entity_type_id=2, fields={"title": "Из SDK", "opportunity": 100.5}))["item"]
    assert (made["title"], made["opportunity"]) == ("Из SDK", 100.5)
    done(client.crm.item.update(bitrix_id=made["id"], entity_type_id=2, fields={"title": "Другое"}))
    assert done(client.crm.item.get(bitrix_id=made["id"], entity_type_id=2))["item"]["title"] == "Другое"
    found = done(client.crm.item.list(entity_type_id=2, filter={"=title": "Другое"}, select=["id"]))["items"]
    assert [row["id"] for row in found] == [made["id"]]
    done(client.crm.item.delete(bitrix_id=made["id"], entity_type_id=2))
    with pytest.raises(BitrixAPIError) as refusal:
        done(client.crm.item.get(bitrix_id=made["id"], entity_type_id=2))
    assert refusal.value.status_code == 400


def test_a_batch_of_more_than_fifty_is_cut_and_carried_out(client):
    requests = {f"n{n}": client.crm.item.add(entity_type_id=3, fields={"name": f"Гость {n}"}) for n in range(120)}
    done(client.call_batches(requests, halt=True))
    names = [row["name"] for row in client.crm.item.list(entity_type_id=3, filter={"%name": "Гость"}).as_list().result]
    assert sorted(names) == sorted(f"Гость {n}" for n in range(120))


def test_lists_of_more_than_a_page_come_whole_both_ways(client):
    done(client.call_batches([client.crm.item.add(entity_type_id=4, fields={"title": f"К{n}"}) for n in range(130)]))
    slow = [row["id"] for row in client.crm.item.list(entity_type_id=4).as_list().result]
    fast = [row["id"] for row in client.crm.item.list(entity_type_id=4).as_list_fast().result]
    assert len(slow) == 132
    assert sorted(slow) == sorted(fast)


def test_an_expired_token_is_refreshed_and_the_call_repeated(client, token, portal):
    old = token.auth_token
    oauth.expire_tokens(portal)
    assert client.profile().response.result["ID"] == "1"
    assert token.auth_token != old


def test_a_used_refresh_token_is_refused(token, app):
    used = token.refresh_token
    renewed = app.refresh_oauth_token(used)
    assert renewed.user_id == 1
    assert renewed.oauth_token.refresh_token != used
    with pytest.raises(BitrixOAuthInvalidGrant):
        app.refresh_oauth_token(used)


def test_a_code_is_exchanged_once(portal, card, app, clock):
    code = oauth.new_code(portal, portal.users[3], card, clock())
    assert app.get_oauth_token(code).user_id == 3
    with pytest.raises(BitrixOAuthInvalidGrant):
        app.get_oauth_token(code)


def test_an_unknown_client_is_an_error_under_status_200(token):
    stranger = BitrixAppLocal(domain=TEST_HOSTS.portal, client_id="local.0.1", client_secret="x")
    with pytest.raises(BitrixOauthWrongClient):
        stranger.refresh_oauth_token(token.refresh_token)


def test_the_webhook_works_and_has_no_application_context():
    hook = Client(BitrixWebhook(domain=TEST_HOSTS.portal, webhook_token=f"1/{WEBHOOK}"))
    assert hook.crm.item.list(entity_type_id=2).response.result["items"]
    with pytest.raises(BitrixAPIError) as refusal:
        done(hook.placement.get())
    assert refusal.value.status_code == 403


def test_rights_of_the_visitor_are_the_tokens_rights(portal, card, app, clock):
    portal.crm_denied[5] = {1}
    pair = oauth.issue(portal, portal.users[5], card, clock())
    visitor = Client(BitrixTokenLocal(auth_token=pair.access, refresh_token=pair.refresh, bitrix_app=app))
    with pytest.raises(BitrixAPIAccessDenied):
        done(visitor.crm.item.get(bitrix_id=1, entity_type_id=2))


@pytest.fixture
def receiver(app) -> Flask:
    """An application that trusts the SDK's own validators."""
    flask = Flask("receiver")

    @flask.post("/frame")
    @placement_required(bitrix_app=app)
    def frame():
        data = g.oauth_placement_data
        return {"placement": data.placement, "options": data.placement_options, "member": data.member_id}

    @flask.post("/event")
    @event_required(bitrix_app=app)
    def event():
        return {"event": g.oauth_event_data.event, "data": g.oauth_event_data.data}

    return flask


def test_the_sdk_accepts_our_frame(receiver, portal, card):
    form = placement.frame_form(portal, portal.users[3], card, "CRM_DEAL_DETAIL_TAB", {"ID": 2}, "/crm/deal/details/2/")
    assert form is not None
    answer = receiver.test_client().post("/frame?" + form.url.partition("?")[2], data=form.fields)
    assert answer.status_code == 200, answer.json
    assert answer.json["placement"] == "CRM_DEAL_DETAIL_TAB"
    assert answer.json["options"] == {"ID": "2", "URI": "/crm/deal/details/2/"}


def test_the_sdk_refuses_a_frame_that_names_another_portal(receiver, portal, card):
    form = placement.frame_form(portal, portal.users[3], card)
    assert form is not None
    forged = {**form.fields, "member_id": "0" * 32}
    assert receiver.test_client().post("/frame?" + form.url.partition("?")[2], data=forged).status_code == 401


def test_the_sdk_accepts_our_events(receiver, api, inbox):
    api.call("event.bind", {"event": "OnCrmDealAdd", "handler": "https://booking.example.com/event"})
    deal = api.call("crm.item.add", {"entityTypeId": 2, "fields": {"title": "Новая"}})["item"]
    answer = receiver.test_client().post("/event", data=inbox.last())
    assert answer.status_code == 200, answer.json
    assert answer.json["event"] == "ONCRMDEALADD"
    assert str(deal["id"]) in str(answer.json["data"])
