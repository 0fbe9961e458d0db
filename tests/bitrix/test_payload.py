"""What is let in at the door, and by which field it is refused."""

from typing import Any

import pytest
from werkzeug.datastructures import ImmutableMultiDict

from b24app.bitrix.loose import text
from b24app.bitrix.payload import BadPayload, PlacementCall, PortalEvent

QUERY = {"DOMAIN": "Portal.example:8443", "PROTOCOL": "1", "LANG": "ru", "APP_SID": "a" * 32}
FORM = {
    "AUTH_ID": "access-1",
    "AUTH_EXPIRES": "3600",
    "REFRESH_ID": "refresh-1",
    "SERVER_ENDPOINT": "https://oauth.bitrix.info/rest/",
    "APPLICATION_TOKEN": "secret-1",
    "APPLICATION_SCOPE": "crm,placement",
    "member_id": "d" * 32,
    "status": "L",
    "PLACEMENT": "CRM_DEAL_DETAIL_TAB",
    "PLACEMENT_OPTIONS": '{"ID":"5","URI":"/crm/deal/details/5/"}',
}
OLD = {
    "AUTH_ID",
    "REFRESH_ID",
    "AUTH_EXPIRES",
    "SERVER_ENDPOINT",
    "APPLICATION_TOKEN",
    "APPLICATION_SCOPE",
    "PLACEMENT",
}


def call(**changes: str) -> PlacementCall:
    return PlacementCall.parse(QUERY, {**FORM, **changes})


def test_a_placement_call_is_read_whole() -> None:
    parsed = call()
    assert (parsed.domain, parsed.https, parsed.lang) == ("portal.example:8443", True, "ru")
    assert (parsed.access_token, parsed.refresh_token, parsed.expires_in) == ("access-1", "refresh-1", 3600)
    assert parsed.scopes == ("crm", "placement")
    assert (parsed.entity_id, parsed.entity_type_id) == (5, 2)


def test_what_an_old_portal_leaves_out_is_none() -> None:
    parsed = PlacementCall.parse(QUERY, {name: value for name, value in FORM.items() if name not in OLD})
    assert (parsed.access_token, parsed.server_endpoint, parsed.application_token) == ("", None, None)
    assert (parsed.scopes, parsed.placement) == (None, "DEFAULT")


def test_secrets_do_not_show() -> None:
    shown = repr(call()) + repr(PortalEvent.parse(EVENT))
    for secret in ("access-1", "refresh-1", "secret-1"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("options", "entity_id"),
    [
        ('{"ID":"5"}', 5),
        ('{"ID":7}', 7),
        ('{"ENTITY_ID":"9"}', 9),
        ('{"ID":"0"}', None),
        ('{"ID":""}', None),
        ('{"ID":0}', None),
        ('{"ID":"-3"}', None),
        ('{"ID":"5; DROP"}', None),
        ('{"ID":"٥"}', None),
        ('{"ID":true}', None),
        ('{"ID":["5"]}', None),
        ('{"ID":"99999999999999999999"}', None),
        ("[]", None),
        ("", None),
    ],
)
def test_the_claimed_record(options: str, entity_id: int | None) -> None:
    assert call(PLACEMENT_OPTIONS=options).entity_id == entity_id


@pytest.mark.parametrize(
    ("placement", "entity_type_id"),
    [("CRM_CONTACT_DETAIL_TAB", 3), ("CRM_DYNAMIC_1042_DETAIL_TAB", 1042), ("LEFT_MENU", None), ("DEFAULT", None)],
)
def test_the_kind_of_record_comes_from_the_placement(placement: str, entity_type_id: int | None) -> None:
    assert call(PLACEMENT=placement).entity_type_id == entity_type_id


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("DOMAIN", "", "missing"),
        ("DOMAIN", "evil.example; script-src *", "malformed"),
        ("DOMAIN", "user@portal.example", "malformed"),
        ("DOMAIN", "x" * 501, "too_long"),
        ("PROTOCOL", "https", "malformed"),
        ("LANG", '"><script>', "malformed"),
        ("AUTH_ID", "two words", "malformed"),
        ("AUTH_ID", "x" * 501, "too_long"),
        ("AUTH_EXPIRES", "soon", "malformed"),
        ("member_id", "", "missing"),
        ("member_id", "../etc", "malformed"),
        ("status", "LL", "malformed"),
        ("PLACEMENT", "A B", "malformed"),
        ("PLACEMENT_OPTIONS", "{", "malformed"),
        ("PLACEMENT_OPTIONS", '"text"', "malformed"),
        ("PLACEMENT_OPTIONS", "[1]", "malformed"),
        ("PLACEMENT_OPTIONS", "[" * 60_000, "malformed"),
        ("PLACEMENT_OPTIONS", '{"a":"' + "x" * 65_536 + '"}', "too_long"),
        ("PLACEMENT_OPTIONS", '{"a":' + "9" * 5000 + "}", "malformed"),
    ],
)
def test_a_bad_frame_names_its_field(field: str, value: str, code: str) -> None:
    with pytest.raises(BadPayload) as refused:
        call(**{field: value})
    assert (refused.value.field, refused.value.code, refused.value.fields) == (field, code, {field: code})


EVENT = {
    "event": "onAppInstall",
    "event_handler_id": "7",
    "data[VERSION]": "1",
    "data[LANGUAGE_ID]": "ru",
    "ts": "1751285594",
    "auth[domain]": "portal.example",
    "auth[member_id]": "d" * 32,
    "auth[application_token]": "secret-1",
    "auth[access_token]": "access-1",
    "auth[refresh_token]": "refresh-1",
    "auth[expires_in]": "3600",
    "auth[user_id]": "1",
    "auth[scope]": "crm placement",
    "auth[client_endpoint]": "https://portal.example/rest/",
    "auth[server_endpoint]": "https://oauth.bitrix.info/rest/",
    "auth[status]": "L",
}


def test_an_event_is_read_whole() -> None:
    event = PortalEvent.parse(EVENT)
    assert (event.event, event.data) == ("ONAPPINSTALL", {"VERSION": "1", "LANGUAGE_ID": "ru"})
    assert (event.member_id, event.application_token, event.user_id) == ("d" * 32, "secret-1", 1)
    assert (event.scopes, event.sent_at) == (("crm", "placement"), 1751285594)


def test_an_event_without_tokens_and_data_is_an_event() -> None:
    event = PortalEvent.parse({"event": "ONAPPPAYMENT", "auth[member_id]": "d" * 32})
    assert (event.access_token, event.application_token, event.user_id, event.data) == (None, None, None, {})


def test_a_werkzeug_form_keeps_repeated_names() -> None:
    form = ImmutableMultiDict([("event", "X"), ("auth[member_id]", "m"), ("data[ids][]", "1"), ("data[ids][]", "2")])
    assert PortalEvent.parse(form).data == {"ids": ["1", "2"]}


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"event": ""}, "event", "missing"),
        ({"event": "x" * 501}, "event", "too_long"),
        ({"event[a]": "x"}, "event", "malformed"),
        ({"auth[member_id]": ""}, "auth[member_id]", "missing"),
        ({"auth[member_id][0]": "x"}, "auth[member_id]", "malformed"),
        ({"auth": "text"}, "auth", "malformed"),
        ({"data": "text"}, "data", "malformed"),
        ({"ts": "now"}, "ts", "malformed"),
        ({"data" + "[a]" * 20: "1"}, "form", "depth"),
        ({"data[x]": "x" * 300_000}, "form", "size"),
    ],
)
def test_a_bad_event_names_its_field(changes: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(BadPayload) as refused:
        PortalEvent.parse({**EVENT, **changes})
    assert refused.value.fields == {field: code}


@pytest.mark.parametrize(
    ("value", "kept"),
    [("  Имя ", "Имя"), ("а\x00б", "аб"), ("а\ud800б", "аб"), (None, ""), (0, ""), (7, "7"), ("😀", "😀")],
)
def test_a_text_keeps_what_a_database_can_keep(value: object, kept: str) -> None:
    assert text(value) == kept
