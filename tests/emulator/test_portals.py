"""Many portals behind one emulator: own domains, paths and ports, renamed and silent ones, in-process and by socket."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from emulator import oauth, portals, staff
from emulator.app import Emulator, create_emulator
from emulator.apps import CardForm
from emulator.clock import VirtualClock
from emulator.seed import Hosts, small_world
from emulator.server import Running
from emulator.state import AppCard, Portal, World
from emulator.storage import dump, load
from emulator.transport import reach

from .conftest import APP, AUTH, SCOPES, START

FORM = CardForm("Бронирование", f"{APP}/b24/app", f"{APP}/b24/install", scopes=SCOPES)


@pytest.fixture
def session(emulator: Emulator) -> requests.Session:
    found = requests.Session()
    reach(found, emulator)
    return found


def ask(session: requests.Session, portal: Portal, card: AppCard, method: str, user_id: int = 1, **more: Any) -> Any:
    token = oauth.issue(portal, portal.users[user_id], card, portal.world.now())
    return session.post(portal.client_endpoint + method, json={"auth": token.access}, **more)


def test_each_portal_keeps_its_own_people_data_and_tokens(session, world, portal, card):
    other = portals.on_own_domain(world)
    theirs = portals.install(other, FORM)
    staff.rename(other, 1, "Вера", "Орлова")
    assert ask(session, other, theirs, "profile").json()["result"]["NAME"] == "Вера"
    assert ask(session, portal, card, "profile").json()["result"]["NAME"] == "Ирина"
    token = oauth.issue(other, other.users[1], theirs, START)
    refused = session.post(portal.client_endpoint + "profile", json={"auth": token.access})
    assert (refused.status_code, refused.json()["error"]) == (401, "NO_AUTH_FOUND")


def test_a_self_hosted_portal_lives_on_its_port_and_path_without_limits(session, world):
    world.knobs.change({"rate_limit": True, "rate_threshold": 1})
    own = portals.self_hosted(world)
    card = portals.install(own, FORM)
    assert own.client_endpoint == "https://portal.zavod.example:8443/b24/rest/"
    assert [ask(session, own, card, "profile").status_code for _ in range(3)] == [200] * 3
    assert session.get("https://portal.zavod.example:8443/rest/profile").status_code == 404
    token = oauth.issue(own, own.users[1], card, START)
    about = session.post(f"{AUTH}/rest/app.info", json={"auth": token.access}).json()["result"]
    assert about["install"]["client_endpoint"] == own.client_endpoint


def test_a_portal_may_work_with_an_authorization_server_of_its_own(session, world):
    abroad = portals.add(world, "abroad.bitrix24.example", auth_host="oauth.example.net")
    card = portals.install(abroad, FORM)
    token = oauth.issue(abroad, abroad.users[1], card, START)
    asked = {"grant_type": "refresh_token", "client_id": card.client_id, "client_secret": card.client_secret}
    fresh = session.get(
        "https://oauth.example.net/oauth/token/", params={**asked, "refresh_token": token.refresh}
    ).json()
    assert fresh["server_endpoint"] == "https://oauth.example.net/rest/"
    assert fresh["client_endpoint"] == abroad.client_endpoint


def test_a_renamed_portal_answers_302_under_its_old_name(session, portal, card):
    old = portal.client_endpoint
    portal.rename("sever-novyj.bitrix24.test")
    answer = session.post(old + "profile", json={}, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, portal.client_endpoint + "profile")
    assert ask(session, portal, card, "profile").status_code == 200


def test_a_silent_portal_costs_a_client_its_timeout_and_others_nothing(world):
    clock = VirtualClock(START)
    emulator = create_emulator(world, clock)
    session = requests.Session()
    reach(session, emulator)
    other = portals.add(world, "b.bitrix24.test")
    card, theirs = portals.install(world.portal, FORM), portals.install(other, FORM)
    portals.fall_silent(world.portal)
    with pytest.raises(requests.ReadTimeout):
        ask(session, world.portal, card, "profile", timeout=(3, 10))
    assert clock.now == START + 10
    assert ask(session, other, theirs, "profile", timeout=10).status_code == 200
    assert session.get(f"{world.portal.origin}/_knobs").status_code == 200
    portals.speak(world.portal)
    assert ask(session, world.portal, card, "profile", timeout=10).status_code == 200


def test_an_unknown_host_is_nowhere(session):
    with pytest.raises(requests.ConnectionError):
        session.get("https://nobody.example.com/rest/profile")


def test_two_hundred_portals_have_two_hundred_member_ids_and_are_kept(world: World):
    made = portals.many(world, 200)
    assert len({portal.member_id for portal in made}) == 200
    assert {len(portal.member_id) for portal in made} == {32}
    portals.fall_silent(made[0])
    again = load(World, dump(world))
    assert len(again.portals) == 201
    assert again.portals[made[0].member_id].silent
    assert next(iter(again.portals)) == world.portal.member_id


def test_a_dismissed_user_is_refused_everywhere_and_back_when_rehired(session, portal, card, emulator):
    token = oauth.issue(portal, portal.users[2], card, START)
    staff.dismiss(portal, 2)
    answer = session.post(portal.client_endpoint + "profile", json={"auth": token.access})
    assert (answer.status_code, answer.json()["error"]) == (401, "authorization_error")
    asked = {"grant_type": "refresh_token", "client_id": card.client_id, "client_secret": card.client_secret}
    refused = session.get(f"{AUTH}/oauth/token/", params={**asked, "refresh_token": token.refresh})
    assert refused.json()["error"] == "invalid_grant"
    people = ask(session, portal, card, "user.get").json()["result"]
    assert {row["ID"]: row["ACTIVE"] for row in people}["2"] is False
    staff.rehire(portal, 2)
    assert session.post(portal.client_endpoint + "profile", json={"auth": token.access}).status_code == 200


def test_departments_and_names_of_people_change(session, portal, card):
    staff.move(portal, 3, [1, 3])
    staff.rename(portal, 3, "Анна", "Лебедева")
    row = next(one for one in ask(session, portal, card, "user.get").json()["result"] if one["ID"] == "3")
    assert (row["LAST_NAME"], row["UF_DEPARTMENT"]) == ("Лебедева", [1, 3])


# Over a real socket


@pytest.fixture(scope="module")
def running() -> Any:
    world = small_world(hosts=Hosts("127.0.0.1", "127.0.0.2"))
    with Running(create_emulator(world), 0, "0.0.0.0") as server:
        world.portal.host = f"127.0.0.1:{server.port}"
        portals.many(world, 3, portals.loopback(server.port), "http")
        yield server


def test_portals_on_one_port_are_told_apart_by_their_addresses(running):
    for portal in list(running.emulator.world.portals.values())[1:]:
        card = portals.install(portal, FORM)
        answer = ask(requests.Session(), portal, card, "app.info", timeout=5)
        assert answer.json()["result"]["CODE"] == card.client_id


def test_a_silent_portal_holds_its_connections_alone(running):
    first, *_, last = running.emulator.world.portals.values()
    silent_card, card = portals.install(last, FORM), portals.install(first, FORM)
    portals.fall_silent(last)
    with pytest.raises(requests.ReadTimeout):
        ask(requests.Session(), last, silent_card, "profile", timeout=0.2)
    assert ask(requests.Session(), first, card, "profile", timeout=5).status_code == 200
    portals.speak(last)
    assert ask(requests.Session(), last, silent_card, "profile", timeout=5).status_code == 200
