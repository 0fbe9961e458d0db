"""Addresses, encodings, envelope and the order of checks of REST."""

from __future__ import annotations

import pytest

from emulator import oauth, phpform
from emulator.seed import WEBHOOK, second_portal

from .conftest import PORTAL, Api

HOOK = f"/rest/1/{WEBHOOK}/"


@pytest.fixture
def client(emulator):
    return emulator.test_client()


@pytest.mark.parametrize("name", ["crm.item.get", "crm.item.get.json", "CRM.Item.Get", "crm.item.get/"])
@pytest.mark.parametrize("style", ["query", "form", "json"])
def test_a_call_is_understood_in_every_dress(client, name, style):
    given = {"entityTypeId": 2, "id": 1, "bx24_request_id": "x"}
    how = {"query": {"query_string": given}, "form": {"data": given}, "json": {"json": given}}[style]
    answer = client.open(HOOK + name, method="GET" if style == "query" else "POST", base_url=PORTAL, **how)
    assert answer.json["result"]["item"]["id"] == 1


def test_the_body_wins_over_the_query(client):
    answer = client.post(HOOK + "crm.item.get?id=1&entityTypeId=2", json={"id": 2}, base_url=PORTAL)
    assert answer.json["result"]["item"]["id"] == 2


def test_broken_json_is_no_parameters_at_all(client):
    answer = client.post(HOOK + "crm.item.get", data="{broken", content_type="application/json", base_url=PORTAL)
    assert (answer.status_code, answer.json["error"]) == (400, 100)


@pytest.mark.parametrize("place", ["auth", "access_token", "bearer"])
def test_a_token_is_taken_from_three_places(client, api, place):
    headers = {"Authorization": f"Bearer {api.token}"} if place == "bearer" else {}
    params = {} if place == "bearer" else {place: api.token}
    assert client.post("/rest/profile", json=params, headers=headers, base_url=PORTAL).json["result"]["ID"] == "1"


def test_browsers_of_other_origins_may_call(client):
    answer = client.options("/rest/profile", base_url=PORTAL)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "content-type" in answer.headers["Access-Control-Allow-Headers"]


def test_the_envelope_has_a_time_block_and_errors_have_none(api):
    answer = api.raw("crm.item.list", {"entityTypeId": 2}).json
    assert {"start", "finish", "duration", "processing", "date_start", "date_finish", "operating"} <= set(
        answer["time"]
    )
    assert "time" not in api.raw("no.such.method").json


def test_forms_are_read_and_written_as_php_does():
    assert phpform.parse_query("a[b][]=1&a[b][]=2&a[c][x]=y&l[0]=p&l[1]=q") == {
        "a": {"b": ["1", "2"], "c": {"x": "y"}},
        "l": ["p", "q"],
    }
    assert phpform.encode({"a": {"b": [1, True, None], "e": []}, "c": "x"}) == [
        ("a[b][0]", "1"),
        ("a[b][1]", "1"),
        ("c", "x"),
    ]


# The order of checks: each call below is wrong in its own way and in all later ones too.


def test_an_unknown_method_is_told_before_a_wrong_token(client):
    answer = client.post("/rest/no.such.method", json={"auth": "wrong"}, base_url=PORTAL)
    assert (answer.status_code, answer.json["error"]) == (404, "ERROR_METHOD_NOT_FOUND")


def test_a_wrong_token_is_told_before_a_missing_scope(client):
    answer = client.post("/rest/bizproc.nothing", json={}, base_url=PORTAL)
    assert answer.status_code == 404
    answer = client.post("/rest/crm.item.list", json={"auth": "wrong"}, base_url=PORTAL)
    assert (answer.status_code, answer.json["error"]) == (401, "NO_AUTH_FOUND")


def test_an_expired_token_is_told(api, portal):
    oauth.expire_tokens(portal)
    assert api.refusal("profile") == (401, "expired_token")


def test_the_plan_may_forbid_rest(api, world):
    world.knobs.plan_rest = False
    assert api.refusal("profile") == (403, "ACCESS_DENIED")


def test_an_unpaid_application_is_told_before_a_missing_scope(api, card):
    card.payment_expired, card.scopes = True, []
    assert api.refusal("im.notify.system.add") == (401, "PAYMENT_REQUIRED")


@pytest.mark.parametrize("status", [403, 401])
def test_a_missing_scope_is_told(emulator, portal, card, world, status):
    card.scopes = ["placement"]
    world.knobs.scope_status = status
    assert Api(emulator, card).refusal("crm.item.list", {"entityTypeId": 2}) == (status, "insufficient_scope")


def test_custom_fields_want_two_scopes(emulator, card):
    card.scopes = ["userfieldconfig"]
    assert Api(emulator, card).refusal("userfieldconfig.list", {"moduleId": "crm"})[1] == "insufficient_scope"


def test_a_dismissed_user_is_not_authorized(emulator, portal, card):
    api = Api(emulator, card, 3)
    portal.users[3].active = False
    assert api.refusal("profile") == (401, "authorization_error")


def test_a_user_without_access_to_the_application_is_refused(emulator, card):
    api = Api(emulator, card, 3)
    card.denied_users.append(3)
    assert api.refusal("profile") == (403, "user_access_error")


def test_a_webhook_has_no_application_context(hook):
    for name in ("event.bind", "placement.get", "app.option.get"):
        assert hook.refusal(name) == (403, "WRONG_AUTH_TYPE")
    assert hook.refusal("app.info") == (400, "ACCESS_DENIED")


def test_a_wrong_webhook_is_refused(client):
    answer = client.post(f"/rest/2/{WEBHOOK}/profile", base_url=PORTAL)
    assert (answer.status_code, answer.json["error"]) == (403, "INVALID_CREDENTIALS")


def test_a_token_of_another_portal_is_refused(emulator, world, api):
    second_portal(world)
    answer = emulator.test_client().post(
        "/rest/profile", json={"auth": api.token}, base_url="https://yug.bitrix24.test"
    )
    assert (answer.status_code, answer.json["error"]) == (401, "NO_AUTH_FOUND")


def test_a_renamed_portal_answers_302_under_its_old_name(client, portal):
    portal.rename("polyus.bitrix24.test")
    answer = client.post(HOOK + "profile?x=1", base_url=PORTAL)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"https://polyus.bitrix24.test{HOOK}profile?x=1")
    assert client.post(HOOK + "profile", base_url="https://polyus.bitrix24.test").json["result"]["ID"] == "1"


def test_a_deleted_portal_says_so(client, portal):
    portal.deleted = True
    answer = client.post(HOOK + "profile", base_url=PORTAL)
    assert (answer.status_code, answer.json["error"]) == (500, "PORTAL_DELETED")


def test_the_third_version_of_rest_knows_none_of_these_methods(client):
    answer = client.post("/rest/api/crm.item.list", json={}, base_url=PORTAL)
    assert answer.status_code == 404
    assert answer.json["error"]["code"].startswith("BITRIX_REST_V3_EXCEPTION")


# Lists


@pytest.fixture
def many(portal, hook):
    for number in range(116):
        hook.call("crm.item.add", {"entityTypeId": 4, "fields": {"title": f"К{number}"}})
    return hook


def test_a_list_comes_in_pages_of_fifty(many):
    first = many.raw("crm.item.list", {"entityTypeId": 4}).json
    assert (len(first["result"]["items"]), first["next"], first["total"]) == (50, 50, 118)
    last = many.raw("crm.item.list", {"entityTypeId": 4, "start": 100}).json
    assert len(last["result"]["items"]) == 18
    assert "next" not in last


def test_a_start_between_pages_is_rounded_down(many):
    answer = many.raw("crm.item.list", {"entityTypeId": 4, "start": 70}).json
    assert answer["result"]["items"][0]["id"] == 51


def test_start_minus_one_counts_nothing(many):
    answer = many.raw("crm.item.list", {"entityTypeId": 4, "start": -1, "filter": {">id": 100}}).json
    assert [row["id"] for row in answer["result"]["items"]] == list(range(101, 119))
    assert answer["total"] == 0
    assert "next" not in answer


def test_the_system_methods_answer_by_scope(api):
    assert api.call("method.get", {"name": "crm.item.add"}) == {"isExisting": True, "isAvailable": True}
    assert api.call("method.get", {"name": "CRM.item.add"}) == {"isExisting": False, "isAvailable": False}
    assert "crm" in api.call("scope")
    assert "ONCALENDARENTRYADD" in api.call("events")
    assert api.refusal("feature.get") == (400, "CODE_EMPTY")
    assert api.call("app.info")["INSTALLED"] is True
    assert api.call("user.current")["ID"] == "1"
    assert "EMAIL" not in api.call("user.current")


def test_options_are_kept_as_strings(api, emulator, card):
    assert api.call("app.option.get") == []
    api.call("app.option.set", {"options": {"etid": 129}})
    assert api.call("app.option.get", {"option": "etid"}) == "129"
    assert Api(emulator, card, 3).refusal("app.option.set", {"options": {"a": "b"}}) == (403, "ACCESS_DENIED")


def test_a_notice_with_the_same_tag_replaces_the_earlier(api, portal):
    for text in ("раз", "два"):
        api.call("im.notify.system.add", {"USER_ID": 3, "MESSAGE": text, "TAG": "B|1"})
    assert [row["message"] for row in portal.notices] == ["два"]
