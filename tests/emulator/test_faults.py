"""Limits, and everything that goes wrong on purpose, in-process and over a real socket."""

from __future__ import annotations

import threading

import pytest
import requests

from emulator import faults
from emulator.app import create_emulator
from emulator.seed import WEBHOOK, Hosts, small_world
from emulator.server import Running
from emulator.transport import EmulatorAdapter, ForwardingAdapter

from .conftest import AUTH, PORTAL, Api

HOOK = f"{PORTAL}/rest/1/{WEBHOOK}/"
ADD = {"entityTypeId": 3, "fields": {"name": "Гость"}}


@pytest.fixture
def session(emulator) -> requests.Session:
    found = requests.Session()
    found.mount("https://", EmulatorAdapter(emulator))
    return found


def contacts(world) -> int:
    return len(world.portal.items[3])


def test_a_burst_above_the_threshold_is_refused_until_it_has_leaked_out(hook, world, clock):
    world.knobs.rate_limit = True
    assert [hook.raw("profile").status_code for _ in range(52)].count(503) == 2
    assert hook.refusal("profile") == (503, "QUERY_LIMIT_EXCEEDED")
    clock.now += 1
    assert [hook.raw("profile").status_code for _ in range(3)] == [200, 200, 503]


def test_a_batch_counts_as_one_request(hook, world):
    world.knobs.rate_limit = True
    hook.call("batch", {"cmd": {f"c{n}": "profile" for n in range(50)}})
    assert hook.raw("profile").status_code == 200


def test_a_method_that_used_up_its_time_is_blocked_alone(hook, world, clock):
    world.knobs.operating_limit, world.knobs.operating_limit_s = True, 0.1
    world.knobs.write_ms = 120
    answer = hook.raw("crm.item.add", ADD).json
    assert answer["time"]["operating"] >= 0.12
    assert hook.refusal("crm.item.add", ADD) == (429, "OPERATION_TIME_LIMIT")
    assert hook.raw("crm.item.list", {"entityTypeId": 3}).status_code == 200
    batch = hook.call("batch", {"cmd": {"a": "crm.item.add?entityTypeId=3&fields[name]=x", "b": "profile"}})
    assert batch["result_error"]["a"]["error"] == "OPERATION_TIME_LIMIT"
    clock.now = answer["time"]["operating_reset_at"] + 1
    assert hook.raw("crm.item.add", ADD).status_code == 200


def test_the_cloud_profile_sets_delays_and_limits(emulator, world):
    client = emulator.test_client()
    knobs = client.post("/_knobs", json={"profile": "cloud"}, base_url=PORTAL).json
    assert (knobs["request_ms"], knobs["write_ms"], knobs["rate_limit"], knobs["operating_limit"]) == (
        100,
        150,
        True,
        True,
    )
    assert client.post("/_knobs", json={"profile": "plain"}, base_url=PORTAL).json["request_ms"] == 0
    assert client.post("/_knobs", json={"no_such": 1}, base_url=PORTAL).status_code == 400


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("rate_limit", 503, "QUERY_LIMIT_EXCEEDED"),
        ("500", 500, "INTERNAL_SERVER_ERROR"),
        ("expired_token", 401, "expired_token"),
    ],
)
def test_a_refusal_strikes_before_anything_is_done(hook, world, kind, status, code):
    before = contacts(world)
    faults.add(world, {"method": "crm.item.add", "kind": kind, "times": 1})
    assert hook.refusal("crm.item.add", ADD) == (status, code)
    assert contacts(world) == before
    assert hook.raw("crm.item.add", ADD).status_code == 200


def test_a_broken_gateway_answers_a_page(hook, world):
    faults.add(world, {"method": "*", "kind": "502", "times": 1})
    answer = hook.raw("profile")
    assert answer.status_code == 502
    assert answer.is_json is False


def test_a_connection_is_reset_before_or_after_the_action(session, world):
    before = contacts(world)
    faults.add(world, {"method": "crm.item.add", "kind": "reset_before", "times": 1})
    with pytest.raises(requests.ConnectionError):
        session.post(HOOK + "crm.item.add", json=ADD)
    assert contacts(world) == before
    faults.add(world, {"method": "crm.item.add", "kind": "reset_after", "times": 1})
    with pytest.raises(requests.ConnectionError):
        session.post(HOOK + "crm.item.add", json=ADD)
    assert contacts(world) == before + 1


def test_a_withheld_answer_waits_for_its_release(session, world):
    faults.add(world, {"method": "crm.item.add", "kind": "withhold", "times": 1})
    before, got = contacts(world), []
    asking = threading.Thread(target=lambda: got.append(session.post(HOOK + "crm.item.add", json=ADD).json()))
    asking.start()
    with world.gate:
        assert world.gate.wait_for(lambda: world.withheld, 5)
    assert contacts(world) == before + 1
    assert got == []
    assert session.post(f"{PORTAL}/_knobs/release").json() == {"released": 1}
    asking.join(5)
    assert got[0]["result"]["item"]["name"] == "Гость"


def test_a_client_that_waits_too_little_times_out_though_the_portal_acted(session, world):
    faults.add(world, {"method": "crm.item.add", "kind": "withhold", "times": 1})
    before = contacts(world)
    with pytest.raises(requests.ReadTimeout):
        session.post(HOOK + "crm.item.add", json=ADD, timeout=0.05)
    assert contacts(world) == before + 1
    assert faults.release(world) == 1


def test_a_fault_strikes_a_command_of_a_batch_after_all_has_run(session, world):
    before = contacts(world)
    faults.add(world, {"method": "crm.item.add", "kind": "reset_after", "times": 1})
    commands = {f"c{n}": "crm.item.add?entityTypeId=3&fields[name]=x" for n in range(3)}
    with pytest.raises(requests.ConnectionError):
        session.post(HOOK + "batch", json={"cmd": commands})
    assert contacts(world) == before + 3


def test_the_plan_refuses_one_command_of_a_batch(hook, world):
    faults.add(world, {"method": "crm.type.add", "kind": "plan_refused"})
    answer = hook.call("batch", {"cmd": {"t": "crm.type.add?fields[title]=x", "p": "profile"}})
    assert answer["result_error"]["t"]["error"] == "CREATE_DYNAMIC_TYPE_RESTRICTED"
    assert answer["result"]["p"]["ID"] == "1"
    assert hook.refusal("crm.type.add", {"fields": {"title": "x"}}) == (400, "CREATE_DYNAMIC_TYPE_RESTRICTED")


def test_a_fault_has_a_probability(hook, world):
    world.random.seed(7)
    faults.add(world, {"method": "profile", "kind": "500", "probability": 0.5})
    statuses = [hook.raw("profile").status_code for _ in range(60)]
    assert 15 < statuses.count(500) < 45


def test_the_token_address_can_fail_too(emulator, world, card):
    faults.add(world, {"method": "oauth/token", "kind": "invalid_grant", "times": 1})
    params = {"grant_type": "refresh_token", "client_id": card.client_id, "client_secret": card.client_secret}
    answer = emulator.test_client().get("/oauth/token/", query_string={**params, "refresh_token": "x"}, base_url=AUTH)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")


def test_faults_are_added_listed_and_cleared_by_address(emulator):
    client = emulator.test_client()
    assert (
        client.post("/_knobs/faults", json={"method": "crm.*", "kind": "500", "times": 2}, base_url=PORTAL).status_code
        == 201
    )
    assert client.post("/_knobs/faults", json={"kind": "flood"}, base_url=PORTAL).status_code == 400
    assert [row["method"] for row in client.get("/_knobs/faults", base_url=PORTAL).json] == ["crm.*"]
    assert client.delete("/_knobs/faults", base_url=PORTAL).json == []
    assert client.get("/_knobs/faults", base_url=PORTAL).json == []


def test_the_log_of_calls_names_faults_and_hides_tokens(api, emulator, world):
    faults.add(world, {"method": "profile", "kind": "500", "times": 1})
    api.raw("profile", {"x": 1})
    last = emulator.test_client().get("/_state/calls", base_url=PORTAL).json[-1]
    assert (last["method"], last["status"], last["faults"], last["params"]) == ("profile", 500, ["500"], {"x": 1})


def test_reset_brings_the_beginning_back(emulator, hook, portal):
    hook.call("crm.item.add", ADD)
    assert emulator.test_client().post("/_state/reset", base_url=PORTAL).status_code == 200
    assert len(emulator.world.portal.items[3]) == 3


# Over a real socket


@pytest.fixture(scope="module")
def running():
    world = small_world(hosts=Hosts("127.0.0.1", "127.0.0.2"))
    with Running(create_emulator(world), 0) as server:
        world.portal.host = f"127.0.0.1:{server.port}"
        yield server


@pytest.fixture
def url(running) -> str:
    return f"http://127.0.0.1:{running.port}/rest/1/{WEBHOOK}/"


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
def test_a_real_connection_is_closed_without_an_answer(running, url, kind):
    world = running.emulator.world
    before = contacts(world)
    faults.add(world, {"method": "crm.item.add", "kind": kind, "times": 1})
    with requests.Session() as session:
        assert session.get(url + "profile", timeout=5).status_code == 200
        with pytest.raises(requests.ConnectionError):
            session.post(url + "crm.item.add", json=ADD, timeout=5)
        assert session.get(url + "profile", timeout=5).status_code == 200
    assert contacts(world) == before + (kind == "reset_after")


def test_many_threads_at_once_make_as_many_items(running, url):
    world = running.emulator.world
    before = contacts(world)

    def work() -> None:
        with requests.Session() as session:
            for _ in range(10):
                assert session.post(url + "crm.item.add", json=ADD, timeout=20).status_code == 200

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert contacts(world) == before + 120
    assert sorted(world.portal.items[3]) == list(range(1, before + 121))


def test_a_withheld_answer_holds_up_nobody_else(running, url):
    world = running.emulator.world
    faults.add(world, {"method": "crm.item.add", "kind": "withhold", "times": 1})
    asking = threading.Thread(target=lambda: requests.post(url + "crm.item.add", json=ADD, timeout=20))
    asking.start()
    with world.gate:
        assert world.gate.wait_for(lambda: world.withheld, 5)
    assert requests.get(url + "profile", timeout=5).status_code == 200
    faults.release(world)
    asking.join(5)
    assert not asking.is_alive()


def test_an_https_origin_is_forwarded_to_the_port(running):
    with requests.Session() as session:
        host = running.emulator.world.portal.host
        session.mount("https://portal.example.com", ForwardingAdapter(f"http://127.0.0.1:{running.port}", host=host))
        answer = session.get(f"https://portal.example.com/rest/1/{WEBHOOK}/profile", timeout=5)
    assert answer.json()["result"]["ID"] == "1"


def test_a_webhook_user_is_an_administrator(emulator):
    assert Api(emulator).call("user.admin") is True
