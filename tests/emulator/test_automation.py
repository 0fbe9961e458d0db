"""Robots and triggers: registered by the application, placed by an administrator, started by stages."""

from __future__ import annotations

import pytest

from emulator import apps, event, people, placement
from emulator import people_automation as automation
from emulator.apps import CardForm
from emulator.errors import RestError
from emulator.phpform import parse
from emulator.storage import dump, load

from .conftest import APP, Api

FLAGS = {"isStagesEnabled": "Y", "isAutomationEnabled": "Y"}
DYNAMIC = "Bitrix\\Crm\\Integration\\BizProc\\Document\\Dynamic"
DEAL = 2


@pytest.fixture
def api(emulator, card, portal):
    apps.edit_card(portal, card, scopes=[*card.scopes, "bizproc"])
    return Api(emulator, card)


@pytest.fixture
def kind(api):
    return api.call("crm.type.add", {"fields": {"title": "Брони", **FLAGS}})["type"]["entityTypeId"]


@pytest.fixture
def item(api, kind):
    return api.call("crm.item.add", {"entityTypeId": kind, "fields": {"title": "Первая"}})["item"]


def robot(**more):
    return {
        "CODE": "check",
        "HANDLER": f"{APP}/b24/robot",
        "AUTH_USER_ID": 1,
        "USE_SUBSCRIPTION": "Y",
        "NAME": {"ru": "Проверить", "en": "Check"},
        "PROPERTIES": {
            "start": {"Name": "Начало", "Type": "datetime"},
            "who": {"Name": "Кто", "Type": "user"},
            "names": {"Name": "Названия", "Type": "string", "Multiple": "Y"},
            "minutes": {"Name": "Минут", "Type": "int", "Default": "60"},
        },
        "RETURN_PROPERTIES": {"status": {"Name": "Итог", "Type": "string"}},
        **more,
    }


@pytest.fixture
def registered(api):
    assert api.call("bizproc.robot.add", robot()) is True


def calls(inbox, world):
    """The calls of robots that have arrived, as PHP would see them."""
    event.deliver_due(world)
    return [parse(form.items()) for url, form in inbox.posts if url == f"{APP}/b24/robot"]


def move(api, kind, item, stage):
    code = item["stageId"].rpartition(":")[0] + f":{stage}"
    return api.call("crm.item.update", {"entityTypeId": kind, "id": item["id"], "fields": {"stageId": code}})["item"]


def stage(portal, kind, item):
    return portal.items[kind][item["id"]]["stageId"].rpartition(":")[2]


# Registering


def test_robots_are_an_administrators_and_need_an_application(api, hook, emulator, card):
    assert api.call("bizproc.robot.add", robot()) is True
    assert api.call("bizproc.robot.list") == ["check"]
    assert api.refusal("bizproc.robot.add", robot()) == (400, "ERROR_ACTIVITY_ALREADY_INSTALLED")
    assert hook.refusal("bizproc.robot.list") == (403, "ACCESS_DENIED")
    assert Api(emulator, card, 3).refusal("bizproc.robot.list") == (403, "ACCESS_DENIED")
    assert api.call("bizproc.robot.update", {"CODE": "check", "FIELDS": {"NAME": "Иначе"}}) is True
    assert api.call("bizproc.robot.delete", {"CODE": "check"}) is True
    assert api.refusal("bizproc.robot.delete", {"CODE": "check"}) == (400, "ERROR_ACTIVITY_NOT_FOUND")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"CODE": "with space"}, "ERROR_ACTIVITY_VALIDATION_FAILURE"),
        ({"CODE": ""}, "ERROR_ACTIVITY_VALIDATION_FAILURE"),
        ({"NAME": ""}, "ERROR_ACTIVITY_VALIDATION_FAILURE"),
        ({"HANDLER": "ftp://booking.example.com/x"}, "ERROR_UNSUPPORTED_PROTOCOL"),
        ({"HANDLER": "https://elsewhere.example.com/x"}, "ERROR_WRONG_HANDLER_URL"),
        ({"PROPERTIES": {"1st": {"Name": "x"}}}, "ERROR_ACTIVITY_VALIDATION_FAILURE"),
        ({"PROPERTIES": {"first": {"Type": "int"}}}, "ERROR_ACTIVITY_VALIDATION_FAILURE"),
        ({"PROPERTIES": "x"}, "ERROR_ACTIVITY_VALIDATION_FAILURE"),
        ({"DOCUMENT_TYPE": ["crm"]}, "ERROR_ACTIVITY_VALIDATION_FAILURE"),
        ({"FILTER": {"ONLY": []}}, "ERROR_ACTIVITY_VALIDATION_FAILURE"),
    ],
)
def test_a_wrong_robot_is_refused(api, wrong, code):
    assert api.refusal("bizproc.robot.add", robot(**wrong)) == (400, code)


def test_an_update_of_nothing_is_refused(api, registered):
    refused = (400, "ERROR_ACTIVITY_VALIDATION_FAILURE")
    assert api.refusal("bizproc.robot.update", {"CODE": "check", "FIELDS": {}}) == refused


def test_a_robot_stands_only_where_its_filter_lets_it(api, portal, kind):
    only = {"INCLUDE": [["crm", DYNAMIC, f"DYNAMIC_{kind}"]]}
    api.call("bizproc.robot.add", robot(FILTER=only))
    assert automation.place_robot(portal, 1, kind, "NEW", "check")["name"].startswith("A")
    with pytest.raises(RestError, match="NOT_FOUND"):
        automation.place_robot(portal, 1, DEAL, "NEW", "check")
    with pytest.raises(RestError, match="ACCESS_DENIED"):
        automation.place_robot(portal, 3, kind, "NEW", "check")


# Being called


def test_entering_a_stage_calls_the_handler_with_all_its_keys(api, portal, world, inbox, kind, item, registered):
    given = {"start": "{=Document:CREATED_TIME}", "who": "{=Document:ASSIGNED_BY_ID}", "names": "{=Document:TITLE}!"}
    placed = automation.place_robot(portal, 1, kind, "CLIENT", "check", given, timeout=600)
    move(api, kind, item, "CLIENT")
    (call,) = calls(inbox, world)
    number = str(item["id"])
    assert call["document_id"] == ["crm", DYNAMIC, f"DYNAMIC_{kind}_{number}"]
    assert call["document_type"] == ["crm", DYNAMIC, f"DYNAMIC_{kind}"]
    assert (call["code"], call["use_subscription"], call["timeout_duration"]) == ("check", "Y", "600")
    assert call["properties"] == {
        "start": "24.11.2026 08:00:00",
        "who": "user_1",
        "names": ["Первая!"],
        "minutes": "60",
    }
    workflow, name, rest = call["event_token"].split("|")
    assert (workflow, name, rest.count(".")) == (call["workflow_id"], placed["name"], 1)
    assert call["auth"]["user_id"] == "1"
    assert {"access_token", "application_token", "member_id", "domain"} <= set(call["auth"])
    assert "refresh_token" not in call["auth"]


def test_only_a_real_change_of_stage_starts_robots(api, portal, world, inbox, kind, item, registered):
    automation.place_robot(portal, 1, kind, "NEW", "check")
    automation.place_robot(portal, 1, kind, "CLIENT", "check")
    api.call("crm.item.update", {"entityTypeId": kind, "id": item["id"], "fields": {"title": "Другая"}})
    people.import_items(portal, 1, kind, [{"title": "Из файла"}])
    assert calls(inbox, world) == []
    made = api.call("crm.item.add", {"entityTypeId": kind, "fields": {}})["item"]
    move(api, kind, made, "CLIENT")
    move(api, kind, made, "CLIENT")
    assert len(calls(inbox, world)) == 2


def test_a_waiting_robot_holds_the_later_ones_until_its_answer(api, portal, world, inbox, kind, item, registered):
    first = automation.place_robot(portal, 1, kind, "CLIENT", "check")
    told = "{=" + first["name"] + ":status}"
    automation.place_set(portal, 1, kind, "CLIENT", {"title": f"Итог: {told}"})
    automation.place_move(portal, 1, kind, "CLIENT", "FAIL", when=(told, "conflict"))
    move(api, kind, item, "CLIENT")
    (call,) = calls(inbox, world)
    assert portal.items[kind][item["id"]]["title"] == "Первая"
    token = call["event_token"]
    assert api.call("bizproc.activity.log", {"EVENT_TOKEN": token, "LOG_MESSAGE": "смотрю"}) is True
    assert api.refusal("bizproc.activity.log", {"EVENT_TOKEN": token}) == (400, "ERROR_EMPTY_LOG_MESSAGE")
    answer = {"EVENT_TOKEN": token, "RETURN_VALUES": {"STATUS": "conflict", "unknown": 1}}
    assert api.call("bizproc.event.send", answer) is True
    assert (portal.items[kind][item["id"]]["title"], stage(portal, kind, item)) == ("Итог: conflict", "FAIL")
    assert api.refusal("bizproc.event.send", answer) == (403, "ACCESS_DENIED")
    (run,) = automation.runs(portal, kind, item["id"])
    assert run["values"][first["name"]] == {"status": "conflict"}


def test_leaving_the_stage_ends_the_waiting(api, portal, world, inbox, kind, item, registered):
    automation.place_robot(portal, 1, kind, "CLIENT", "check")
    move(api, kind, item, "CLIENT")
    (call,) = calls(inbox, world)
    move(api, kind, item, "NEW")
    assert api.refusal("bizproc.event.send", {"EVENT_TOKEN": call["event_token"]}) == (403, "ACCESS_DENIED")


def test_an_answer_that_never_comes_is_given_up_by_the_clock(api, portal, world, inbox, clock, kind, item, registered):
    placed = automation.place_robot(portal, 1, kind, "CLIENT", "check", timeout=60)
    automation.place_set(portal, 1, kind, "CLIENT", {"title": "{=" + placed["name"] + ":IsTimeout}"})
    move(api, kind, item, "CLIENT")
    event.deliver_due(world, everything=True)
    assert portal.items[kind][item["id"]]["title"] == "Первая"
    clock.now += 61
    event.deliver_due(world)
    assert portal.items[kind][item["id"]]["title"] == "1"


def test_a_robot_that_does_not_wait_cannot_be_answered(api, portal, world, inbox, kind, item):
    api.call("bizproc.robot.add", robot(USE_SUBSCRIPTION="N"))
    automation.place_robot(portal, 1, kind, "CLIENT", "check")
    move(api, kind, item, "CLIENT")
    (call,) = calls(inbox, world)
    assert call["use_subscription"] == "N"
    assert api.refusal("bizproc.event.send", {"EVENT_TOKEN": call["event_token"]}) == (403, "ACCESS_DENIED")


def test_calls_of_robots_are_lost_and_doubled_like_events(api, portal, world, inbox, kind, item, registered):
    automation.place_robot(portal, 1, kind, "CLIENT", "check")
    world.knobs.change({"event_copies": 2, "robot_auth": False})
    move(api, kind, item, "CLIENT")
    first, second = calls(inbox, world)
    assert first["event_token"] == second["event_token"]
    assert "access_token" not in first["auth"]
    world.knobs.event_loss = 1.0
    move(api, kind, item, "NEW")
    move(api, kind, item, "CLIENT")
    assert len(calls(inbox, world)) == 2


# Built-in robots


def test_a_stage_robot_fights_whoever_puts_a_card_there(api, portal, inbox, world, kind, item):
    api.call("event.bind", {"event": "ONCRMDYNAMICITEMUPDATE", "handler": f"{APP}/events"})
    automation.place_move(portal, 1, kind, "CLIENT", "NEW")
    for _ in range(2):
        answered = move(api, kind, item, "CLIENT")
        assert answered["stageId"].endswith(":CLIENT")
        assert stage(portal, kind, item) == "NEW"
    event.deliver_due(world)
    tokens = ["auth[access_token]" in form for _, form in inbox.posts]
    assert tokens == [True, False, True, False]


def test_robots_that_send_a_card_to_and_fro_come_to_an_end(portal, kind, item):
    automation.place_move(portal, 1, kind, "CLIENT", "NEW")
    automation.place_move(portal, 1, kind, "NEW", "CLIENT")
    people.move_card(portal, 1, kind, item["id"], "CLIENT")
    assert len(automation.runs(portal, kind, item["id"])) == 10


def test_a_pause_ends_by_the_clock_and_outlives_a_restart(portal, world, clock, kind, item):
    automation.place_wait(portal, 1, kind, "CLIENT", 3600)
    automation.place_move(portal, 1, kind, "CLIENT", "SUCCESS")
    people.move_card(portal, 1, kind, item["id"], "CLIENT")
    world.replace_with(load(type(world), dump(world)))
    clock.now += 3600
    event.deliver_due(world)
    assert stage(world.portal, kind, item) == "SUCCESS"


def test_robots_stand_on_deals_too(api, portal, world, inbox, registered):
    automation.place_robot(portal, 1, DEAL, "PREPARATION", "check")
    api.call("crm.deal.update", {"id": 1, "fields": {"STAGE_ID": "PREPARATION"}})
    (call,) = calls(inbox, world)
    assert call["document_id"] == ["crm", "CCrmDocumentDeal", "DEAL_1"]


# Triggers


def test_a_trigger_moves_the_card_to_where_it_stands(api, hook, portal, kind, item):
    given = {"CODE": "booking.confirmed", "OWNER_TYPE_ID": kind, "OWNER_ID": item["id"]}
    assert api.refusal("crm.automation.trigger.execute", given) == (400, "")
    assert api.call("crm.automation.trigger.add", {"CODE": "booking.confirmed", "NAME": "Старое"}) is True
    assert api.call("crm.automation.trigger.add", {"CODE": "booking.confirmed", "NAME": "Подтверждена"}) is True
    assert api.call("crm.automation.trigger.list") == [{"NAME": "Подтверждена", "CODE": "booking.confirmed"}]
    assert hook.refusal("crm.automation.trigger.list") == (403, "ACCESS_DENIED")
    assert api.call("crm.automation.trigger.execute", given) is True
    assert stage(portal, kind, item) == "NEW"
    automation.place_trigger(portal, 1, kind, "SUCCESS", "booking.confirmed")
    assert api.call("crm.automation.trigger.execute", given) is True
    assert stage(portal, kind, item) == "SUCCESS"
    assert api.refusal("crm.automation.trigger.execute", {**given, "OWNER_TYPE_ID": 191}) == (400, "")
    assert api.call("crm.automation.trigger.delete", {"CODE": "booking.confirmed"}) is True
    assert api.refusal("crm.automation.trigger.delete", {"CODE": "booking.confirmed"}) == (400, "")


def test_the_incoming_webhook_trigger_needs_the_right_to_change(hook, emulator, card, portal, kind, item):
    automation.place_trigger(portal, 1, kind, "FAIL", "abc")
    target = f"DYNAMIC_{kind}_{item['id']}"
    people.allow(portal, 3, kind, "read")
    refused = Api(emulator, card, 3).refusal("crm.automation.trigger", {"target": target, "code": "abc"})
    assert refused == (400, "ACCESS_DENIED")
    assert hook.call("crm.automation.trigger", {"target": target, "code": "abc"}) is True
    assert stage(portal, kind, item) == "FAIL"
    assert hook.refusal("crm.automation.trigger", {"target": "nonsense"}) == (400, "")


# An application goes and comes back


def test_placed_robots_are_blocked_without_their_application_and_live_again_with_it(
    api, emulator, portal, world, inbox, card, kind, item, registered
):
    automation.place_robot(portal, 1, kind, "CLIENT", "check")
    automation.place_set(portal, 1, kind, "CLIENT", {"title": "дальше"})
    apps.delete_card(portal, card)
    people.move_card(portal, 1, kind, item["id"], "CLIENT")
    assert portal.items[kind][item["id"]]["title"] == "дальше"
    assert calls(inbox, world) == []
    form = CardForm("Бронирование", f"{APP}/b24/app", f"{APP}/b24/install", scopes=["crm", "bizproc"])
    again = apps.add_card(portal, form)
    placement.finish_install(portal, portal.users[1], again)
    Api(emulator, again).call("bizproc.robot.add", robot())
    people.move_card(portal, 1, kind, item["id"], "NEW")
    people.move_card(portal, 1, kind, item["id"], "CLIENT")
    assert len(calls(inbox, world)) == 1


def test_nothing_runs_when_automation_is_switched_off(api, portal, world, inbox, kind, item, registered):
    automation.place_robot(portal, 1, kind, "CLIENT", "check")
    world.knobs.plan_automation = False
    move(api, kind, item, "CLIENT")
    assert calls(inbox, world) == []
