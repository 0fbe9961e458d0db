"""Life of an application: the frame's form, installer first, no widget and no event before the end, uninstall."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from emulator import apps, oauth, placement

from .conftest import APP, SCOPES, Api

TAB = "CRM_DEAL_DETAIL_TAB"


def opened(portal, user_id, card, code="DEFAULT", **more):
    return placement.frame_form(portal, portal.users[user_id], card, code, **more)


def test_the_form_is_what_the_documentation_says(portal, card):
    form = opened(portal, 3, card, TAB, options={"ID": 7}, referer_uri="/crm/deal/details/7/")
    query = dict(parse_qsl(urlsplit(form.url).query))
    assert query == {"DOMAIN": portal.host, "PROTOCOL": "1", "LANG": "ru", "APP_SID": form.app_sid}
    assert form.name == f"{portal.host}|1|{form.app_sid}"
    assert form.app_origin == APP
    assert set(form.fields) == {
        "AUTH_ID", "AUTH_EXPIRES", "REFRESH_ID", "SERVER_ENDPOINT", "APPLICATION_TOKEN", "APPLICATION_SCOPE",
        "member_id", "status", "PLACEMENT", "PLACEMENT_OPTIONS",
    }  # fmt: skip
    assert json.loads(form.fields["PLACEMENT_OPTIONS"]) == {"ID": "7", "URI": "/crm/deal/details/7/"}
    assert form.fields["status"] == "L"
    assert opened(portal, 3, card).app_sid != form.app_sid


def test_options_are_left_out_when_there_are_none(portal, card):
    assert "PLACEMENT_OPTIONS" not in opened(portal, 3, card).fields


def test_an_older_portal_sends_less(portal, card, world):
    world.knobs.old_portal = True
    assert not {"SERVER_ENDPOINT", "APPLICATION_TOKEN", "APPLICATION_SCOPE"} & set(opened(portal, 3, card).fields)


def test_a_user_without_access_gets_no_frame_but_a_field_with_empty_tokens(portal, card):
    card.denied_users.append(3)
    assert opened(portal, 3, card) is None
    assert placement.refusal(portal, portal.users[3], card) == "no_access"
    assert opened(portal, 3, card, "USERFIELD_TYPE").fields["AUTH_ID"] == ""


def test_before_the_end_an_administrator_gets_the_installer_whatever_he_opens(portal, new_card):
    form = opened(portal, 1, new_card, TAB, options={"ID": 1})
    assert form.url.startswith(f"{APP}/b24/install?")
    assert form.install
    assert form.fields["PLACEMENT"] == TAB
    assert placement.init_data(portal, portal.users[1], new_card, form)["INSTALL"] is True


def test_before_the_end_nobody_else_gets_anything(portal, new_card):
    assert opened(portal, 3, new_card) is None
    assert placement.refusal(portal, portal.users[3], new_card) == "not_installed"
    assert placement.finish_install(portal, portal.users[3], new_card) is False


def bind(api: Api) -> None:
    api.call("event.bind", {"event": "ONAPPINSTALL", "handler": f"{APP}/b24/events"})
    api.call("event.bind", {"event": "ONCRMDEALUPDATE", "handler": f"{APP}/b24/events"})
    api.call("placement.bind", {"PLACEMENT": TAB, "HANDLER": f"{APP}/b24/deal", "TITLE": "Бронь"})


def test_nothing_shows_and_nothing_is_sent_before_install_finish(emulator, portal, new_card, inbox):
    api = Api(emulator, new_card)
    bind(api)
    api.call("crm.item.update", {"entityTypeId": 2, "id": 1, "fields": {"title": "Раз"}})
    assert placement.widgets(portal, portal.users[1], TAB) == []
    assert inbox.names() == []
    assert placement.finish_install(portal, portal.users[1], new_card)
    assert [one["title"] for one in placement.widgets(portal, portal.users[3], TAB)] == ["Бронь"]
    assert opened(portal, 3, new_card, TAB).url.startswith(f"{APP}/b24/deal?")
    assert inbox.names() == ["ONAPPINSTALL"]
    api.call("crm.item.update", {"entityTypeId": 2, "id": 1, "fields": {"title": "Два"}})
    assert inbox.names() == ["ONAPPINSTALL", "ONCRMDEALUPDATE"]


def test_install_finish_works_once(portal, card, inbox):
    assert placement.finish_install(portal, portal.users[1], card) is False
    assert inbox.names() == []


def test_onappinstall_carries_everything(emulator, portal, new_card, inbox):
    bind(Api(emulator, new_card))
    placement.finish_install(portal, portal.users[1], new_card)
    form = inbox.last()
    assert (form["data[VERSION]"], form["data[INSTALLED]"], form["event_handler_id"]) == ("1", "Y", "1")
    assert form["auth[application_token]"] == new_card.application_token
    assert form["auth[user_id]"] == "1"
    assert {"auth[access_token]", "auth[refresh_token]", "auth[expires]", "auth[expires_in]"} <= set(form)


def test_first_run_is_true_once_per_user(portal, card):
    user = portal.users[3]
    first, second = (placement.init_data(portal, user, card, opened(portal, 3, card)) for _ in range(2))
    assert (first["FIRST_RUN"], second["FIRST_RUN"]) == (True, False)
    assert first["INSTALL"] is False
    assert first["PLACEMENT_OPTIONS"] == {}


def market(portal):
    form = apps.CardForm(
        "М", f"{APP}/b24/app", f"{APP}/b24/install", f"{APP}/b24/events", SCOPES, kind="market", client=("app.1.2", "s")
    )
    card = apps.add_card(portal, form)
    placement.finish_install(portal, portal.users[1], card)
    return card


@pytest.mark.parametrize("clean", [True, False])
def test_uninstall_tells_first_and_takes_all_access(emulator, portal, inbox, clean):
    card = market(portal)
    api = Api(emulator, card)
    api.call("app.option.set", {"options": {"a": "1"}})
    bind(api)
    apps.delete_card(portal, card, clean=clean)
    assert inbox.names()[-1] == "ONAPPUNINSTALL"
    form = inbox.last()
    assert form["data[CLEAN]"] == ("1" if clean else "0")
    assert "auth[access_token]" not in form
    assert form["auth[application_token]"] == card.application_token
    assert (portal.event_handlers, portal.placements) == ([], [])
    assert (card.client_id in portal.app_options) is not clean
    assert api.refusal("profile") == (401, "NO_AUTH_FOUND")


def test_a_local_application_is_always_cleaned_and_comes_back_as_another(portal, card, inbox):
    portal.app_options[card.client_id] = {"a": "1"}
    portal.event_handlers.append(
        {"id": 1, "client_id": card.client_id, "event": "ONAPPUNINSTALL", "handler": f"{APP}/e", "auth_type": 0,
         "offline": False, "connector_id": ""}
    )  # fmt: skip
    apps.delete_card(portal, card, clean=False)
    assert inbox.last()["data[CLEAN]"] == "1"
    assert portal.app_options == {}
    again = apps.add_card(portal, apps.CardForm("Бронирование", f"{APP}/b24/app", f"{APP}/b24/install"))
    assert again.client_id != card.client_id
    assert again.application_token != card.application_token


def test_an_update_runs_the_installer_again(portal, inbox):
    card = market(portal)
    old = card.application_token
    apps.update_version(portal, card, 1, new_token=True)
    form = inbox.last()
    assert (form["event"], form["data[PREVIOUS_VERSION]"], form["data[VERSION]"]) == ("ONAPPUPDATE", "1", "2")
    assert form["auth[application_token]"] == card.application_token != old
    assert card.installed is False


def test_payment_is_told_even_when_it_has_ended(portal, api, inbox):
    card = market(portal)
    apps.set_payment(portal, card, status="P", expired=True, days=-1)
    form = inbox.last()
    assert (form["event"], form["data[PAYMENT_EXPIRED]"], form["data[DAYS]"]) == ("ONAPPPAYMENT", "Y", "-1")
    assert placement.refusal(portal, portal.users[3], card) == "payment"


# placement.*


def test_binding_is_refused_with_the_documented_codes(api, emulator, card):
    handler = f"{APP}/b24/deal"
    assert api.call("placement.bind", {"PLACEMENT": TAB, "HANDLER": handler}) is True
    assert api.refusal("placement.bind", {"PLACEMENT": TAB, "HANDLER": handler}) == (400, "ERROR_CORE")
    assert api.refusal("placement.bind", {"HANDLER": handler}) == (400, "ERROR_ARGUMENT")
    assert api.refusal("placement.bind", {"PLACEMENT": "NO", "HANDLER": handler})[1] == "ERROR_PLACEMENT_NOT_FOUND"
    assert (
        api.refusal("placement.bind", {"PLACEMENT": TAB, "HANDLER": "http://localhost/x"})[1]
        == "ERROR_WRONG_HANDLER_URL"
    )
    assert (
        api.refusal("placement.bind", {"PLACEMENT": TAB, "HANDLER": "ftp://a.b/x"})[1] == "ERROR_UNSUPPORTED_PROTOCOL"
    )
    assert Api(emulator, card, 3).refusal("placement.bind", {"PLACEMENT": TAB, "HANDLER": handler}) == (
        403,
        "ACCESS_DENIED",
    )


def test_a_place_needs_the_scope_of_its_module(emulator, card):
    card.scopes = ["placement"]
    api = Api(emulator, card)
    assert api.refusal("placement.bind", {"PLACEMENT": TAB, "HANDLER": f"{APP}/x"})[1] == "ERROR_PLACEMENT_NOT_FOUND"
    assert api.call("placement.list") == ["LEFT_MENU", "REST_APP_URI", "PAGE_BACKGROUND_WORKER"]


def test_unbinding_counts_what_it_found_and_what_it_deleted(api):
    api.call("placement.bind", {"PLACEMENT": TAB, "HANDLER": f"{APP}/a", "LANG_ALL": {"ru": {"TITLE": "Бронь"}}})
    row = api.call("placement.get")[0]
    assert (row["placement"], row["options"], row["title"]) == (TAB, [], "")
    assert row["langAll"]["ru"]["TITLE"] == "Бронь"
    assert api.call("placement.unbind", {"PLACEMENT": TAB}) == {"count": 2}
    assert api.call("placement.unbind", {"PLACEMENT": TAB}) == {"count": 0}


def test_every_smart_process_brings_its_own_places(api):
    number = api.call("crm.type.add", {"fields": {"title": "Брони"}})["type"]["entityTypeId"]
    assert f"CRM_DYNAMIC_{number}_DETAIL_TAB" in api.call("placement.list")


def test_a_frame_refresh_gives_a_working_token(portal, card, emulator, clock):
    fields = oauth.issue_frame(portal, portal.users[3], card, clock())
    fresh = oauth.refresh_frame(portal, fields["REFRESH_ID"], clock())
    assert fresh is not None
    assert set(fresh) == {"AUTH_ID", "AUTH_EXPIRES", "REFRESH_ID"}
    assert oauth.refresh_frame(portal, fields["REFRESH_ID"], clock()) is None
