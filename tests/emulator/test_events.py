"""Outgoing events: binding, payloads of the three families, tokens, delay, loss and doubles, never resent."""

from __future__ import annotations

import queue
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from emulator import delivery, event, oauth, portals, staff
from emulator.apps import CardForm
from emulator.server import Running

from .conftest import APP, SCOPES, Api

HANDLER = f"{APP}/b24/events"


def bind(api: Api, *names: str, **more: object) -> None:
    for name in names:
        api.call("event.bind", {"event": name, "handler": HANDLER, **more})


def rename(api: Api, title: str = "Новое имя") -> None:
    api.call("crm.item.update", {"entityTypeId": 2, "id": 1, "fields": {"title": title}})


def test_a_crm_event_is_a_form_of_strings_with_its_auth(api, inbox, portal, card):
    bind(api, "OnCrmDealUpdate")
    rename(api)
    assert inbox.names() == ["ONCRMDEALUPDATE"]
    url, form = inbox.posts[0]
    assert url == HANDLER
    assert form["data[FIELDS][ID]"] == "1"
    assert form["event_handler_id"] == "1"
    assert form["ts"].isdigit()
    assert form["auth[member_id]"] == portal.member_id
    assert form["auth[application_token]"] == card.application_token
    assert form["auth[domain]"] == portal.host
    assert form["auth[client_endpoint]"] == portal.client_endpoint
    assert form["auth[server_endpoint]"] == portal.world.server_endpoint
    assert form["auth[user_id]"] == "1"
    assert {"auth[access_token]", "auth[expires]", "auth[expires_in]", "auth[scope]", "auth[status]"} <= set(form)
    assert "auth[refresh_token]" not in form


def test_a_calendar_event_names_its_id_in_lower_case_and_brings_a_refresh_token(api, inbox):
    bind(api, "OnCalendarEntryAdd")
    number = api.call(
        "calendar.event.add",
        {
            "type": "user",
            "ownerId": 1,
            "name": "Бронь",
            "from": "2026-12-01T10:00:00+03:00",
            "to": "2026-12-01T11:00:00+03:00",
        },
    )
    assert inbox.last()["data[id]"] == str(number)
    assert "auth[refresh_token]" in inbox.last()


def test_items_of_smart_processes_name_their_type_and_come_twice_when_both_are_bound(api, inbox):
    number = api.call("crm.type.add", {"fields": {"title": "Брони"}})["type"]["entityTypeId"]
    bind(api, "ONCRMDYNAMICITEMADD", f"ONCRMDYNAMICITEMADD_{number}")
    item = api.call("crm.item.add", {"entityTypeId": number, "fields": {"title": "Первая"}})["item"]
    assert inbox.names() == ["ONCRMDYNAMICITEMADD", f"ONCRMDYNAMICITEMADD_{number}"]
    assert inbox.last()["data[FIELDS][ENTITY_TYPE_ID]"] == str(number)
    assert inbox.last()["data[FIELDS][ID]"] == str(item["id"])


def test_our_own_writes_echo_and_unchanged_ones_do_not(api, inbox):
    bind(api, "ONCRMDEALUPDATE")
    rename(api)
    rename(api)
    assert inbox.names() == ["ONCRMDEALUPDATE"]


def test_the_event_of_a_type_names_its_primary_key(api, inbox):
    bind(api, "ONCRMTYPEADD")
    kind = api.call("crm.type.add", {"fields": {"title": "Брони"}})["type"]
    assert inbox.last()["data[FIELDS][ID]"] == str(kind["id"]) != str(kind["entityTypeId"])


def test_tokens_can_be_absent(api, inbox, world):
    world.knobs.event_tokens = False
    bind(api, "ONCRMDEALUPDATE")
    rename(api)
    assert not any("token" in name and name != "auth[application_token]" for name in inbox.last())


def test_the_handler_of_a_fixed_user_brings_his_token(api, inbox):
    bind(api, "ONCRMDEALUPDATE", auth_type=2)
    rename(api)
    assert inbox.last()["auth[user_id]"] == "2"


def test_an_event_waits_for_its_time(api, inbox, world, clock):
    world.knobs.event_delay_s = 30
    bind(api, "ONCRMDEALUPDATE")
    rename(api)
    assert inbox.names() == []
    clock.now += 31
    assert inbox.names() == ["ONCRMDEALUPDATE"]


def test_events_can_be_doubled_and_lost(api, inbox, world):
    bind(api, "ONCRMDEALUPDATE")
    world.knobs.event_copies = 2
    rename(api, "Раз")
    world.knobs.event_loss = 1.0
    rename(api, "Два")
    assert inbox.names() == ["ONCRMDEALUPDATE"] * 2


def test_a_lost_delivery_is_never_repeated(api, world):
    tried: list[str] = []

    def refuse(url: str, pairs: list[tuple[str, str]]) -> int:
        tried.append(url)
        raise requests.ConnectionError("nobody there")

    world.post = refuse
    bind(api, "ONCRMDEALUPDATE")
    rename(api)
    assert event.deliver_due(world) == 1
    assert event.deliver_due(world) == 0
    assert tried == [HANDLER]
    assert world.sent[-1]["error"] == "ConnectionError"


def test_a_loop_of_events_goes_seven_rounds_and_the_eighth_is_silent(api, inbox, emulator):
    bind(api, "ONCRMDEALUPDATE")
    rename(api, "0")
    for number in range(1, 20):
        before = len(inbox.names())
        echo = Api(emulator)
        echo.prefix, echo.token = "/rest/", inbox.last()["auth[access_token]"]
        rename(echo, str(number))
        if len(inbox.names()) == before:
            break
    assert number == 8


def test_nothing_is_sent_to_an_unpaid_application(api, inbox, card, portal, emulator, hook):
    bind(api, "ONCRMDEALUPDATE")
    card.payment_expired = True
    rename(hook)
    assert inbox.names() == []


def test_binding_is_refused_with_the_documented_codes(api, emulator, card):
    bind(api, "ONCRMDEALUPDATE")
    assert api.refusal("event.bind", {"event": "ONCRMDEALUPDATE", "handler": HANDLER}) == (400, "ERROR_CORE")
    assert api.refusal("event.bind", {"event": "ONNOTHING", "handler": HANDLER}) == (400, "ERROR_EVENT_NOT_FOUND")
    assert api.refusal("event.bind", {"event": "ONBOOKINGADD", "handler": HANDLER})[1] == "ERROR_EVENT_NOT_FOUND"
    assert api.refusal("event.bind", {"event": "ONCRMDEALADD"}) == (400, "ERROR_ARGUMENT")
    assert (
        api.refusal("event.bind", {"event": "ONCRMDEALADD", "handler": "http://localhost/x"})[1]
        == "ERROR_WRONG_HANDLER_URL"
    )
    manager = Api(emulator, card, 3)
    assert manager.refusal("event.bind", {"event": "ONCRMDEALADD", "handler": HANDLER, "auth_type": 1}) == (
        403,
        "ACCESS_DENIED",
    )
    assert manager.refusal("event.bind", {"event": "ONCRMDEALADD", "event_type": "offline"}) == (403, "ACCESS_DENIED")


def test_unbinding_counts_and_get_lists(api, emulator, card):
    bind(api, "ONCRMDEALUPDATE")
    bind(api, "ONCRMDEALUPDATE", auth_type=2)
    assert api.call("event.get")[0] == {"event": "ONCRMDEALUPDATE", "handler": HANDLER, "auth_type": "0", "offline": 0}
    assert Api(emulator, card, 3).call("event.get") == []
    assert api.call("event.unbind", {"event": "ONCRMDEALUPDATE", "handler": HANDLER, "auth_type": 0}) == {"count": 1}
    assert api.call("event.unbind", {"event": "ONCRMDEALUPDATE", "handler": HANDLER}) == {"count": 1}
    assert api.call("event.unbind", {"event": "ONCRMDEALUPDATE", "handler": HANDLER}) == {"count": 0}


def test_a_test_event_comes_back(api, inbox):
    bind(api, "ONAPPTEST")
    assert api.call("event.test", {"any": "thing"}) == 1
    assert inbox.last()["data[QUERY][any]"] == "thing"


def test_the_courier_delivers_in_the_background(emulator, api, world):
    got: queue.Queue[tuple[str, str]] = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            got.put((self.headers["Content-Type"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as server, Running(emulator, 0):
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        api.call("event.bind", {"event": "ONCRMDEALUPDATE", "handler": f"http://127.0.0.1:{server.server_port}/e"})
        rename(api, "Курьер")
        kind, body = got.get(timeout=5)
        server.shutdown()
    assert kind == "application/x-www-form-urlencoded"
    assert "event=ONCRMDEALUPDATE" in body
    assert "data%5BFIELDS%5D%5BID%5D=1" in body


@pytest.mark.parametrize("wrong", [True, False])
def test_the_application_token_can_be_wrong_on_purpose(api, inbox, world, card, wrong):
    world.knobs.wrong_application_token = wrong
    bind(api, "ONCRMDEALUPDATE")
    rename(api)
    assert (inbox.last()["auth[application_token]"] == card.application_token) is not wrong


# Delivered by hand


def heard(inbox) -> list[str]:
    return [form["data[FIELDS][ID]"] for _, form in inbox.posts]


def edit(api: Api, *numbers: int, title: str = "Иначе") -> None:
    for number in numbers:
        api.call("crm.item.update", {"entityTypeId": 2, "id": number, "fields": {"title": f"{title} {number}"}})


def test_events_are_held_back_and_come_later_in_another_order(api, inbox, world):
    bind(api, "ONCRMDEALUPDATE")
    delivery.hold(world, "ONCRM*")
    edit(api, 1, 2, 3)
    assert delivery.deliver(world) == event.deliver_due(world, everything=True) == 0
    assert delivery.release(world, order="reversed") == 3
    edit(api, 4)
    delivery.deliver(world)
    assert heard(inbox) == ["3", "2", "1", "4"]


def test_what_waits_can_be_doubled_lost_and_delivered_one_by_one(api, inbox, world):
    bind(api, "ONCRMDEALUPDATE")
    edit(api, 1, 2)
    assert delivery.double(world) == 2
    assert delivery.deliver(world, limit=1) == 1
    assert heard(inbox) == ["1"]
    assert delivery.lose(world, "ONCRMDEAL*") == 3
    assert delivery.deliver(world) == 0


def test_each_portal_has_a_queue_of_its_own(api, inbox, world, emulator):
    other = portals.add(world, "yug.bitrix24.test")
    card = portals.install(other, CardForm("Бронирование", APP, scopes=SCOPES))
    token = oauth.issue(other, other.users[1], card, world.now()).access
    client = emulator.test_client()
    for method, params in (
        ("event.bind", {"event": "ONCRMDEALADD", "handler": HANDLER}),
        ("crm.item.add", {"entityTypeId": 2, "fields": {"title": "Чужая"}}),
    ):
        client.post(f"/rest/{method}", json={**params, "auth": token}, base_url=f"https://{other.host}")
    bind(api, "ONCRMDEALUPDATE")
    edit(api, 1)
    assert delivery.deliver(world, world.portal) == 1
    assert heard(inbox) == ["1"]
    assert [row["member_id"] for row in delivery.waiting(world)] == [other.member_id]


def test_the_same_seed_loses_doubles_and_reorders_the_same_events(api, inbox, world, clock):
    world.knobs.change({"event_loss": 0.3, "event_double": 0.3, "event_hold": 0.2, "event_jitter_s": 60})
    bind(api, "ONCRMDEALUPDATE")
    stories = []
    for title in ("Раз", "Два"):
        world.seed(11)
        inbox.posts.clear()
        edit(api, *[1, 2, 3, 4] * 5, title=title)
        for turn in range(20):
            rename(api, f"{title} {turn}")
        clock.now += 100
        event.deliver_due(world)
        delivery.release(world)
        event.deliver_due(world)
        stories.append(heard(inbox))
    assert stories[0] == stories[1]
    assert stories[0] != sorted(stories[0])


def test_a_dismissed_user_brings_no_token(api, inbox, portal):
    bind(api, "ONCRMDEALUPDATE", auth_type=2)
    staff.dismiss(portal, 2)
    rename(api)
    assert "auth[access_token]" not in inbox.last()


def test_somebody_new_is_told_to_applications_with_the_scope(api, inbox, portal, card):
    card.scopes = [*card.scopes, "user"]
    wide = Api(api.emulator, card)
    bind(wide, "ONUSERADD")
    fresh = staff.add_user(portal, "Глеб", "Сомов", departments=[2])
    assert inbox.last()["data[ID]"] == str(fresh.id)
    assert inbox.last()["data[UF_DEPARTMENT][0]"] == "2"


def test_offline_events_wait_once_per_object_until_they_are_fetched(api, inbox, world):
    api.call("event.bind", {"event": "ONCRMDEALUPDATE", "event_type": "offline"})
    bind(api, "ONOFFLINEEVENT")
    edit(api, 1, 2)
    edit(api, 1, title="Снова")
    assert inbox.names() == ["ONOFFLINEEVENT"] * 2
    listed = api.call("event.offline.list")
    assert [row["EVENT_DATA"] for row in listed] == [{"FIELDS": {"ID": 1}}, {"FIELDS": {"ID": 2}}]
    assert api.refusal("event.offline.get", {"clear": 0}) == (403, "ACCESS_DENIED")
    world.knobs.offline_extended = True
    taken = api.call("event.offline.get", {"clear": 0, "limit": 1})
    failed = {"process_id": taken["process_id"], "message_id": [taken["events"][0]["MESSAGE_ID"]]}
    assert api.call("event.offline.error", failed) is True
    assert [len(api.call("event.offline.get", {"error": flag})["events"]) for flag in (0, 1)] == [1, 1]
    assert api.call("event.offline.list") == []
