"""Limits, and everything that goes wrong on purpose, in-process and over a real socket."""

from __future__ import annotations

import threading

import pytest
import requests

from emulator import faults, limits
from emulator.app import create_emulator
from emulator.clock import VirtualClock
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


def test_an_outage_refuses_so_many_calls_and_leaves_the_authorization_server_alone(session, world, emulator, card):
    faults.outage(world, 2)
    assert session.get(f"{AUTH}/oauth/token/").status_code != 500
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            session.post(HOOK + "profile")
    assert session.post(HOOK + "profile").status_code == 200


def test_one_command_of_a_batch_fails_before_or_after_it_has_acted(hook, world):
    before = contacts(world)
    commands = {f"c{n}": f"crm.item.add?entityTypeId=3&fields[name]={n}" for n in range(3)} | {"p": "profile"}
    for kind, made in (("command_refused", 2), ("command_lost", 3)):
        faults.add(world, {"method": "crm.item.add", "kind": kind, "times": 1})
        answer = hook.call("batch", {"cmd": commands})
        assert set(answer["result_error"]) == {"c0"}
        assert answer["result_error"]["c0"]["error"] == "INTERNAL_SERVER_ERROR"
        assert set(answer["result"]) == {"c1", "c2", "p"}
        assert contacts(world) == before + made
        before = contacts(world)


@pytest.mark.parametrize(("kind", "made"), [("cut_before", 1), ("cut_after", 2)])
def test_a_batch_is_cut_short_at_a_command(session, world, kind, made):
    before = contacts(world)
    commands = {"a": "crm.item.add?entityTypeId=3&fields[name]=x", "b": "profile", "c": "crm.item.list?entityTypeId=3"}
    commands |= {"d": "crm.item.add?entityTypeId=3&fields[name]=y", "e": "crm.item.add?entityTypeId=3&fields[name]=z"}
    world.random.random = iter([0.9, 0.1, 0.9]).__next__
    faults.add(world, {"method": "crm.item.add", "kind": kind, "probability": 0.5})
    with pytest.raises(requests.ConnectionError):
        session.post(HOOK + "batch", json={"cmd": commands})
    assert contacts(world) == before + made


def test_a_lost_answer_costs_the_test_no_time(session, world):
    before = contacts(world)
    faults.add(world, {"method": "crm.item.add", "kind": "timeout_after", "times": 1})
    with pytest.raises(requests.ReadTimeout):
        session.post(HOOK + "crm.item.add", json=ADD, timeout=3600)
    assert contacts(world) == before + 1
    faults.add(world, {"method": "batch", "kind": "502_after", "times": 1})
    answer = session.post(HOOK + "batch", json={"cmd": ["crm.item.add?entityTypeId=3&fields[name]=x"]})
    assert (answer.status_code, contacts(world)) == (502, before + 2)


def test_the_same_storm_comes_again_from_its_seed_and_calm_ends_it(session, world):
    def outcome() -> int | str:
        try:
            return session.post(HOOK + "crm.item.add", json=ADD, timeout=5).status_code
        except requests.RequestException as error:
            return type(error).__name__

    faults.storm(world, lost=0.3, refused=0.2, cut=0.1, busy=0.1)
    stories = []
    for _ in range(2):
        world.seed(5)
        stories.append([outcome() for _ in range(40)])
    assert stories[0] == stories[1]
    assert {200, 503, "ConnectionError", "ReadTimeout"} <= set(stories[0])
    faults.calm(world)
    assert {outcome() for _ in range(5)} == {200}


def test_the_cloud_profile_runs_on_a_virtual_clock_and_fills_minute_buckets(world):
    clock = VirtualClock(world.now())
    hook = Api(create_emulator(world, clock))
    world.knobs.change({"profile": "cloud", "rate_limit": False})

    def spent() -> dict[str, float]:
        return hook.raw("crm.item.add", ADD).get_json()["time"]

    first = spent()
    assert clock.now == pytest.approx(first["start"] + 0.25)
    assert first["operating"] == pytest.approx(0.25)
    clock.advance(61)
    second = spent()
    assert second["operating"] == pytest.approx(0.5)
    assert second["operating_reset_at"] == first["operating_reset_at"]
    clock.now = second["operating_reset_at"] + 1
    assert spent()["operating"] == pytest.approx(0.5)
    limits.spend(world.portal, "webhook:1", "crm.item.add", 480)
    assert hook.refusal("crm.item.add", ADD) == (429, "OPERATION_TIME_LIMIT")
    assert hook.raw("crm.item.list", {"entityTypeId": 3}).status_code == 200


def test_an_enterprise_portal_bears_five_times_as_much(hook, world, portal):
    world.knobs.rate_limit, portal.plan = True, "ru_ent250"
    assert [hook.raw("profile").status_code for _ in range(252)].count(503) == 2


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
