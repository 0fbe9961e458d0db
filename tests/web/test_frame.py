"""The portal opens us: who comes in, what he is shown, and what the ledger learns of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import select, text

from b24app.ledger import tenancy
from b24app.ledger.models import Portal
from b24app.sync.manifest import manifest
from b24app.web import bearer, caller
from b24app.web.crm import forget_everything
from emulator import apps, faults, oauth
from emulator.apps import CardForm
from emulator.seed import second_portal
from emulator.state import AppCard
from tests import factories
from tests.stand import ADMIN, APP_URL, EMPLOYEE, MANAGER, SECOND_ADMIN, Frame, Stand
from tests.web.installed import Installed, everything

DEAL_TAB = "CRM_DEAL_DETAIL_TAB"
DENIED_DEAL = 3
PATHS = sorted(
    {manifest().main, manifest().installer, manifest().events_handler, *(one.handler for one in manifest().placements)}
)


def reason(page: Any) -> str:
    """Why a page is closed; "" when it is not."""
    found = re.search(r'data-reason="([a-z_]+)"', page.text)
    return found[1] if found else ""


def sent(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of everything that the application asks for from now on."""
    http = installed.stand.app.extensions["b24"].http
    urls: list[str] = []
    send = http.send

    def noted(request: requests.PreparedRequest, **options: Any) -> requests.Response:
        urls.append(str(request.url))
        answer: requests.Response = send(request, **options)
        return answer

    monkeypatch.setattr(http, "send", noted)
    return urls


# Coming in ----


def test_a_manager_gets_the_board_with_a_bearer_of_his_own(installed: Installed) -> None:
    frame = installed.open(MANAGER)
    assert (frame.page.status_code, reason(frame.page)) == (200, "")
    with installed.stand.app.app_context():
        visit = bearer.read(frame.bearer)
    assert (visit.viewer.user_id, visit.viewer.is_admin, visit.name) == (MANAGER, False, "Анна Седова")
    assert visit.viewer.codes == {"U3", "AU", "D2", "DR2"}
    assert visit.expires_at - installed.stand.now <= timedelta(seconds=3600)
    assert frame.get("/app/board").status_code == 200


@pytest.mark.parametrize("place", [one.code for one in manifest().placements if "{" not in one.code])
def test_every_placement_opens(installed: Installed, place: str) -> None:
    options = {"ID": "1"} if place.startswith("CRM_") else {}
    frame = installed.open(MANAGER, place, options=options)
    assert (frame.page.status_code, reason(frame.page)) == (200, "")
    assert frame.bearer


def test_first_paint_costs_two_round_trips(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = sent(installed, monkeypatch)
    assert installed.open(MANAGER, DEAL_TAB, options={"ID": "1"}).page.status_code == 200
    assert [url.split("/rest/")[1] for url in urls] == ["app.info", "batch"]


def test_a_deals_tab_brings_its_contact(installed: Installed) -> None:
    with installed.tx() as tx:
        portal = tx.scalars(select(Portal)).one()
        room = factories.make_resource(tx, portal, now=installed.stand.now)
    frame = installed.open(MANAGER, DEAL_TAB, options={"ID": "1"})
    day = installed.stand.now.date().isoformat()
    form = frame.get("/app/bookings/new", resource=room.id, date=day, start="15:00", end="16:00")
    assert form.status_code == 200
    assert "Мария Ветрова" in form.text
    with installed.stand.app.app_context():
        visit = bearer.read(frame.bearer)
    assert (visit.place, visit.entity_id) == (DEAL_TAB, 1)


@pytest.mark.parametrize(("lang", "page"), [("ru", "ru"), ("en", "en"), ("de", "en")])
def test_the_portals_language_is_the_pages(installed: Installed, lang: str, page: str) -> None:
    installed.stand.portal.users[MANAGER].lang = lang
    assert f'<html lang="{page}"' in installed.open(MANAGER).page.text


def test_a_page_may_be_framed_by_its_portal_alone(installed: Installed) -> None:
    policy = installed.open(MANAGER).page.headers["Content-Security-Policy"]
    assert "frame-ancestors https://sever.bitrix24.test;" in policy + ";"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "X-Frame-Options" not in installed.open(MANAGER).page.headers


def test_pages_hold_nothing_that_the_policy_forbids(installed: Installed) -> None:
    text = installed.open(MANAGER).page.text
    assert not re.search(r"\sstyle=|\son[a-z]+=|hx-on|<style|<script(?![^>]*\bsrc=)", text)


def test_no_cookie_is_set(installed: Installed) -> None:
    assert "Set-Cookie" not in installed.open(MANAGER).page.headers


# Bare requests ----


@pytest.mark.parametrize("path", PATHS)
def test_head_is_answered(stand: Stand, path: str) -> None:
    assert stand.client.head(path, base_url=APP_URL).status_code == 200


@pytest.mark.parametrize("path", [path for path in PATHS if path != manifest().events_handler])
def test_a_reloaded_frame_says_open_again(stand: Stand, path: str) -> None:
    query = {"DOMAIN": "sever.bitrix24.test", "PROTOCOL": "1", "LANG": "ru", "APP_SID": "x"}
    answer = stand.client.get(path, query_string=query, base_url=APP_URL)
    assert (answer.status_code, reason(answer)) == (200, "open_again")
    assert "frame-ancestors https://sever.bitrix24.test" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "domain", ["evil.test/x;script-src *", "evil.test; script-src *", "a b", "", "x" * 300, "evil.test,*", "*"]
)
def test_a_claimed_domain_cannot_write_our_policy(stand: Stand, domain: str) -> None:
    answer = stand.client.get("/b24/app", query_string={"DOMAIN": domain, "PROTOCOL": "1"}, base_url=APP_URL)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.endswith("frame-ancestors 'none'")
    assert policy.count("script-src") == 1


# Claims that are not true ----


def refused(installed: Installed, frame: Frame, status: int, why: str, before: Any) -> None:
    assert (frame.page.status_code, reason(frame.page)) == (status, why)
    assert not frame.bearer
    assert everything(installed.engine) == before


def test_a_deal_that_he_may_not_see(installed: Installed) -> None:
    before = everything(installed.engine)
    frame = installed.open(EMPLOYEE, DEAL_TAB, options={"ID": str(DENIED_DEAL)})
    refused(installed, frame, 403, "card", before)
    assert "Корпоратив" not in frame.page.text


def test_a_deal_that_does_not_exist(installed: Installed) -> None:
    before = everything(installed.engine)
    refused(installed, installed.open(MANAGER, DEAL_TAB, options={"ID": "4711"}), 403, "card", before)


def test_a_forged_member_id(installed: Installed) -> None:
    before = everything(installed.engine)
    refused(installed, installed.open(MANAGER, member_id="f" * 32), 403, "foreign", before)


def test_a_forged_domain(installed: Installed) -> None:
    before = everything(installed.engine)
    refused(installed, installed.open(MANAGER, DOMAIN="evil.bitrix24.test"), 403, "foreign", before)


def test_a_token_of_another_portal(installed: Installed) -> None:
    stand = installed.stand
    other = second_portal(stand.world)
    stand.reach_from(stand.app.extensions["b24"].http)
    card = stand.add_card(other)
    token = oauth.issue(other, other.users[ADMIN], card, stand.world.now())
    before = everything(installed.engine)
    refused(installed, installed.open(ADMIN, AUTH_ID=token.access), 403, "foreign", before)


def test_an_application_that_is_not_ours(installed: Installed) -> None:
    stand = installed.stand
    foreign = apps.add_card(stand.portal, CardForm("Чужое", APP_URL + "/b24/app", scopes=["crm"]))
    before = everything(installed.engine)
    refused(installed, stand.open(foreign, ADMIN), 403, "foreign", before)


@pytest.mark.parametrize("token", ["bogus", "x" * 70])
def test_a_bogus_token(installed: Installed, token: str) -> None:
    before = everything(installed.engine)
    refused(installed, installed.open(MANAGER, AUTH_ID=token), 401, "not_verified", before)


def test_an_expired_token(installed: Installed) -> None:
    stand, before = installed.stand, everything(installed.engine)
    token = oauth.issue(stand.portal, stand.portal.users[MANAGER], installed.card, stand.world.now() - 7200)
    refused(installed, installed.open(MANAGER, AUTH_ID=token.access), 401, "expired", before)


def test_an_unknown_portal(stand: Stand) -> None:
    card = apps.add_card(stand.portal, CardForm("Без записи", APP_URL + "/b24/app", scopes=["crm"]))
    before = everything(stand.app.extensions["b24"].engine)
    page = stand.open(card, ADMIN).page
    assert (page.status_code, reason(page)) == (403, "foreign")
    assert everything(stand.app.extensions["b24"].engine) == before


def test_a_visitor_without_access_to_the_application(installed: Installed) -> None:
    before = everything(installed.engine)
    frame = installed.open(MANAGER, AUTH_ID="", AUTH_EXPIRES="", REFRESH_ID="")
    refused(installed, frame, 403, "no_access", before)


@pytest.mark.parametrize(
    ("name", "value"),
    [("member_id", ""), ("member_id", "a/b"), ("PLACEMENT_OPTIONS", "{"), ("PLACEMENT_OPTIONS", "x" * 70_000),
     ("AUTH_ID", "y" * 501), ("PLACEMENT", "<script>"), ("AUTH_EXPIRES", "soon")],
)  # fmt: skip
def test_a_malformed_form_is_named(installed: Installed, name: str, value: str) -> None:
    before = everything(installed.engine)
    frame = installed.open(MANAGER, **{name: value})
    assert frame.page.status_code in (400, 413)
    if frame.page.status_code == 400:
        assert name in frame.page.text
        assert "<script>" not in frame.page.text
    assert everything(installed.engine) == before


def test_a_server_that_is_not_listed_is_not_asked(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = sent(installed, monkeypatch)
    frame = installed.open(MANAGER, SERVER_ENDPOINT="https://evil.example.com/rest/")
    assert frame.page.status_code == 200, "the default server vouches for him"
    assert {url.split("/")[2] for url in urls} == {"oauth.bitrix.info", "sever.bitrix24.test"}


@pytest.mark.parametrize("method", ["oauth/app.info", "profile"])
def test_a_silent_portal_is_said_so(installed: Installed, method: str) -> None:
    faults.add(installed.stand.world, {"method": method, "kind": "502", "times": 1})
    frame = installed.open(MANAGER)
    assert (frame.page.status_code, reason(frame.page)) == (503, "unavailable")


def test_an_unsaved_card_says_save_first(installed: Installed) -> None:
    for value in ("0", ""):
        frame = installed.open(MANAGER, DEAL_TAB, options={"ID": value})
        assert (frame.page.status_code, reason(frame.page)) == (200, "unsaved")


def test_old_portals_work_without_the_newer_fields(installed: Installed) -> None:
    installed.stand.world.knobs.old_portal = True
    assert installed.open(MANAGER).bearer


# What the ledger learns ----


def test_an_employees_frame_teaches_no_secrets(installed: Installed) -> None:
    before = installed.installation().application_token
    frame = installed.open(MANAGER, APPLICATION_TOKEN="0" * 32)
    assert frame.bearer
    assert installed.installation().application_token == before == installed.card.application_token
    assert MANAGER not in installed.pairs()


def test_an_administrators_frame_leaves_a_spare(installed: Installed) -> None:
    frame = installed.open(SECOND_ADMIN)
    pair = installed.pairs()[SECOND_ADMIN]
    assert (pair.origin, pair.access_token) == ("frame", frame.token)


def test_the_servers_own_pair_is_not_replaced_by_a_frames(installed: Installed) -> None:
    own = installed.pairs()[ADMIN]
    assert own.origin == "install"
    installed.stand.now += timedelta(seconds=60)
    installed.open(ADMIN)
    assert installed.pairs()[ADMIN].access_token == own.access_token
    assert installed.pairs()[ADMIN].verified_at > own.verified_at


def test_a_changed_application_token_is_adopted_from_an_administrator(installed: Installed) -> None:
    installed.card.application_token = "b" * 32
    installed.open(ADMIN)
    assert installed.installation().application_token == "b" * 32


def test_an_administrator_revives_an_installation_that_waits(installed: Installed) -> None:
    installed.change(needs_admin=True)
    installed.open(MANAGER)
    assert installed.installation().needs_admin
    installed.open(SECOND_ADMIN)
    assert not installed.installation().needs_admin


def test_a_blocked_installation_is_alive_after_all(installed: Installed) -> None:
    installed.change(state="blocked")
    installed.open(MANAGER)
    assert installed.installation().state == "active"


def test_is_admin_of_the_form_means_nothing(installed: Installed) -> None:
    frame = installed.open(MANAGER, IS_ADMIN="Y", status="P")
    with installed.stand.app.app_context():
        assert not bearer.read(frame.bearer).viewer.is_admin
    assert installed.installation().status == "L"


def codes(frame: Frame, installed: Installed) -> frozenset[str]:
    """The access codes that the bearer carries."""
    with installed.stand.app.app_context():
        return bearer.read(frame.bearer).viewer.codes


def test_a_person_from_outside_is_no_employee(installed: Installed) -> None:
    installed.stand.portal.users[MANAGER].extranet = True
    assert codes(installed.open(MANAGER), installed) == {"U3"}


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({"USER_TYPE": "employee", "UF_DEPARTMENT": [2]}, {"U3", "AU", "D2", "DR2"}),
        ({"USER_TYPE": "employee", "UF_DEPARTMENT": []}, {"U3", "AU"}),
        ({"UF_DEPARTMENT": [2]}, {"U3", "AU", "D2", "DR2"}),
        ({"USER_TYPE": "", "UF_DEPARTMENT": ["2"]}, {"U3", "AU", "D2", "DR2"}),
        ({"UF_DEPARTMENT": []}, {"U3"}),
        ({"UF_DEPARTMENT": [0]}, {"U3"}),
        ({"UF_DEPARTMENT": False}, {"U3"}),
        ({}, {"U3"}),
        ({"USER_TYPE": "extranet", "UF_DEPARTMENT": [2]}, {"U3"}),
        ({"USER_TYPE": "sale", "UF_DEPARTMENT": [2]}, {"U3"}),
    ],
)
def test_only_who_is_said_to_be_an_employee_is_one(
    installed: Installed, monkeypatch: pytest.MonkeyPatch, user: dict[str, Any], expected: set[str]
) -> None:
    monkeypatch.setattr("emulator.user.shown", lambda *_: user)
    assert codes(installed.open(MANAGER), installed) == expected


def test_nobody_is_an_employee_where_the_portal_does_not_say_so(installed: Installed) -> None:
    installed.stand.portal.users[MANAGER].extranet = True
    installed.card.scopes.remove("user_brief")
    assert codes(installed.open(MANAGER), installed) == {"U3"}


def test_a_portal_that_cannot_say_so_now_is_asked_again_later(installed: Installed) -> None:
    faults.add(installed.stand.world, {"method": "user.current", "kind": "rate_limit", "times": 1})
    frame = installed.open(MANAGER)
    assert (frame.page.status_code, reason(frame.page)) == (503, "unavailable")


def test_a_slow_refresh_of_a_pair_keeps_nobody_from_booking(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator's frame may wait for his pair's row; it holds neither the portal nor the installation then."""
    keep, kept = tenancy.keep_pair, list[int]()

    def checked(*args: Any, **values: Any) -> None:
        with installed.engine.connect() as other:
            other.execute(text("SELECT 1 FROM portal, installation FOR NO KEY UPDATE NOWAIT"))
        kept.append(values["user_id"])
        keep(*args, **values)

    monkeypatch.setattr(tenancy, "keep_pair", checked)
    assert installed.open(SECOND_ADMIN).bearer
    assert kept == [SECOND_ADMIN]


def test_a_pair_is_not_kept_when_the_application_is_removed_meanwhile(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = tenancy.keep_pair

    def overtaken(*args: Any, **values: Any) -> None:
        apps.delete_card(installed.stand.portal, installed.card)
        installed.stand.deliver()
        keep(*args, **values)

    monkeypatch.setattr(tenancy, "keep_pair", overtaken)
    installed.open(SECOND_ADMIN)
    assert installed.pairs() == {}


# While the application is being installed ----


def test_an_employee_waits_until_it_is_installed(stand: Stand, card: AppCard) -> None:
    stand.open(card)
    card.installed = True  # the portal calls it installed, our steps are not done
    frame = stand.open(card, MANAGER)
    assert (frame.page.status_code, reason(frame.page)) == (200, "not_ready")


def test_the_installer_replaces_every_place_for_an_administrator(stand: Stand, card: AppCard) -> None:
    page = stand.open(card, ADMIN, DEAL_TAB, {"ID": "1"}).page.text
    assert 'id="installer"' in page


def test_an_employee_does_not_begin_an_installation(stand: Stand, card: AppCard) -> None:
    card.installed = True
    before = everything(stand.app.extensions["b24"].engine)
    frame = stand.open(card, MANAGER)
    assert (frame.page.status_code, reason(frame.page)) == (200, "not_ready")
    assert everything(stand.app.extensions["b24"].engine) == before


# Later requests ----


def test_a_bearer_runs_out_with_its_token(installed: Installed) -> None:
    frame = installed.open(MANAGER)
    installed.stand.now += timedelta(seconds=3601)
    answer = frame.get("/app/board")
    assert (answer.status_code, reason(answer)) == (401, "open_again")


@pytest.mark.parametrize("spoil", [lambda b: b[:-2], lambda b: b + "x", lambda b: "", lambda b: "a.b.c"])
def test_a_forged_bearer_is_refused(installed: Installed, spoil: Any) -> None:
    frame = installed.open(MANAGER)
    frame.bearer = spoil(frame.bearer)
    assert frame.get("/app/board").status_code == 401


def test_a_bearer_of_another_key_is_refused(installed: Installed, app: Flask) -> None:
    frame = installed.open(MANAGER)
    app.config["SECRET_KEY"] = "another" * 8
    assert frame.get("/app/board").status_code == 401


def test_pages_of_a_removed_application_end(installed: Installed) -> None:
    frame = installed.open(MANAGER)
    apps.delete_card(installed.stand.portal, installed.card)
    installed.stand.deliver()
    answer = frame.get("/app/board")
    assert (answer.status_code, reason(answer)) == (410, "removed")


def test_the_beat_says_that_a_frame_is_open(installed: Installed) -> None:
    frame = installed.open(MANAGER)
    installed.stand.now += timedelta(minutes=5)
    assert frame.post("/app/beat").status_code == 204
    with installed.tx() as tx:
        assert tenancy.frame_is_open(tx, installed.portal().id, installed.stand.now)


def renewed(installed: Installed, frame: Frame, user_id: int = MANAGER, **form: str) -> Any:
    """What the page's script does: a fresh token of the SDK, sent for a new bearer."""
    stand = installed.stand
    fresh = oauth.issue_frame(stand.portal, stand.portal.users[user_id], installed.card, stand.world.now())
    frame.token = fresh["AUTH_ID"]
    return frame.post("/app/renew", refresh_token=fresh["REFRESH_ID"], expires_in="3600", **form)


def test_an_open_page_renews_its_bearer(installed: Installed) -> None:
    frame = installed.open(MANAGER, DEAL_TAB, options={"ID": "1"})
    installed.stand.now += timedelta(minutes=59)
    answer = renewed(installed, frame)
    assert answer.status_code == 200
    frame.bearer = answer.json["bearer"]
    installed.stand.now += timedelta(minutes=59)
    assert frame.get("/app/board").status_code == 200
    with installed.stand.app.app_context():
        assert bearer.read(frame.bearer).entity_id == 1


def test_a_page_that_slept_renews_too(installed: Installed) -> None:
    frame = installed.open(MANAGER)
    installed.stand.now += timedelta(hours=10)
    assert renewed(installed, frame).status_code == 200
    installed.stand.now += timedelta(days=2)
    assert renewed(installed, frame).status_code == 401


def test_an_administrators_page_keeps_his_spare_in_step(installed: Installed) -> None:
    frame = installed.open(SECOND_ADMIN)
    installed.stand.now += timedelta(minutes=50)
    assert renewed(installed, frame, SECOND_ADMIN).status_code == 200
    assert installed.pairs()[SECOND_ADMIN].access_token == frame.token


def test_a_dismissed_employee_is_out(installed: Installed) -> None:
    frame = installed.open(MANAGER)
    installed.stand.portal.users[MANAGER].active = False
    assert renewed(installed, frame).status_code == 401


def test_renewal_needs_ones_own_token(installed: Installed) -> None:
    frame = installed.open(MANAGER)
    answer = renewed(installed, frame, ADMIN)
    assert (answer.status_code, reason(answer)) == (403, "foreign")


def test_a_deal_that_was_closed_to_him_meanwhile(installed: Installed) -> None:
    frame = installed.open(MANAGER, DEAL_TAB, options={"ID": "1"})
    installed.stand.portal.crm_denied[MANAGER] = {1}
    answer = renewed(installed, frame)
    assert (answer.status_code, reason(answer)) == (403, "card")


# The visitor's own eyes ----


@pytest.fixture
def fresh_memory() -> None:
    forget_everything()


@pytest.mark.usefixtures("fresh_memory")
def test_the_sdk_token_must_be_his_own(installed: Installed) -> None:
    frame = installed.open(MANAGER, DEAL_TAB, options={"ID": "1"})
    assert frame.get("/app/tab").status_code == 200
    for token in ("", "bogus", installed.open(ADMIN).token):
        frame.token = token
        forget_everything()
        assert frame.get("/app/tab").status_code == 403, token


@pytest.mark.usefixtures("fresh_memory")
def test_a_token_is_asked_for_once_in_five_minutes(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = installed.open(MANAGER, DEAL_TAB, options={"ID": "1"})
    urls = sent(installed, monkeypatch)
    for _ in range(3):
        assert frame.get("/app/tab").status_code == 200
    assert [url.split("/rest/")[1] for url in urls] == ["app.info", "batch"]
    installed.stand.now += timedelta(minutes=6)
    frame.get("/app/tab")
    assert len(urls) == 4


def test_the_installer_ends_on_the_board_where_the_portal_does_not_reload_it(installed: Installed) -> None:
    frame = installed.open(ADMIN)
    form = {"bearer": frame.bearer, "token": frame.token}
    page = installed.stand.client.post("/b24/again", data=form, base_url=APP_URL)
    assert (page.status_code, reason(page)) == (200, "")
    assert "b24-bearer" in page.text
    page = installed.stand.client.post("/b24/again", data={**form, "where": "installer"}, base_url=APP_URL)
    assert 'id="installer"' in page.text
    other = installed.open(MANAGER)
    for forged in ({"bearer": frame.bearer, "token": other.token}, {"bearer": "x", "token": frame.token}, {}):
        page = installed.stand.client.post("/b24/again", data=forged, base_url=APP_URL)
        assert page.status_code in (401, 403)
    mine = {"bearer": other.bearer, "token": other.token, "where": "installer"}
    assert 'id="installer"' not in installed.stand.client.post("/b24/again", data=mine, base_url=APP_URL).text


# Strangers at the door ----


def test_a_token_that_was_refused_is_not_asked_for_again_at_once(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = sent(installed, monkeypatch)
    for _ in range(20):
        frame = installed.open(MANAGER, AUTH_ID="bogus")
        assert (frame.page.status_code, reason(frame.page)) == (401, "not_verified")
    assert len(urls) == 1
    installed.stand.now += timedelta(minutes=1)
    installed.open(MANAGER, AUTH_ID="bogus")
    assert len(urls) == 2


def test_a_server_that_was_silent_is_asked_again_at_once(installed: Installed) -> None:
    faults.add(installed.stand.world, {"method": "oauth/app.info", "kind": "502", "times": 1})
    stand = installed.stand
    token = oauth.issue(stand.portal, stand.portal.users[MANAGER], installed.card, stand.world.now()).access
    assert [installed.open(MANAGER, AUTH_ID=token).page.status_code for _ in range(2)] == [503, 200]


def test_strangers_do_not_use_up_the_process(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many ask at once; who does not get his turn soon is told that Bitrix24 is not answering."""
    monkeypatch.setattr(caller, "LONGEST_QUEUE", 0.0)
    http = installed.stand.app.extensions["b24"].http
    send, pages, waits = http.send, list[Any](), set[Any]()

    def crowded(request: requests.PreparedRequest, **options: Any) -> requests.Response:
        waits.add(options["timeout"][1])
        pages.append(installed.open(MANAGER, AUTH_ID=f"bogus{len(pages)}").page)
        answer: requests.Response = send(request, **options)
        return answer

    monkeypatch.setattr(http, "send", crowded)
    installed.open(MANAGER, AUTH_ID="bogus")
    assert len(pages) == caller.ASKING_AT_ONCE
    assert [reason(page) for page in pages] == ["unavailable", *["not_verified"] * (caller.ASKING_AT_ONCE - 1)]
    assert waits == {5.0}
    monkeypatch.setattr(http, "send", send)
    assert installed.open(MANAGER).page.status_code == 200, "everybody has left the queue"
