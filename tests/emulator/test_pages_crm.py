"""The portal's pages in which people change the CRM: cards, the bin, robots, settings, rights."""

from __future__ import annotations

import pytest

from emulator import apps, people
from emulator.app import create_emulator
from emulator.seed import small_world

from .conftest import APP, PORTAL, START, Api

DEAL, CONTACT = 2, 3
ADMIN, MANAGER = 1, 3
FLAGS = {
    "isStagesEnabled": "Y",
    "isAutomationEnabled": "Y",
    "isClientEnabled": "Y",
    "isRecyclebinEnabled": "Y",
}


@pytest.fixture
def world():
    return small_world(START)


@pytest.fixture
def browser(world):
    """A browser of one of the portal's people."""
    emulator = create_emulator(world, lambda: START)

    def opened(user=ADMIN):
        client = emulator.test_client()
        client.set_cookie("portal_user", str(user), domain=world.portal.host)

        def ask(path, data=None):
            if data is None:
                return client.get(path, base_url=PORTAL)
            return client.post(path, data=data, base_url=PORTAL)

        return ask

    return opened


@pytest.fixture
def kind(world, hook):
    relations = {"parent": [{"entityTypeId": DEAL, "isChildrenListEnabled": "true"}]}
    made = hook.call("crm.type.add", {"fields": {"title": "Брони", **FLAGS, "relations": relations}})["type"]
    for postfix, user_type, more in (("START_AT", "datetime", {}), ("PLACE", "crm", {"settings": {"DEAL": "Y"}})):
        name = f"UF_CRM_{made['id']}_{postfix}"
        field = {"entityId": f"CRM_{made['id']}", "fieldName": name, "userTypeId": user_type, **more}
        hook.call("userfieldconfig.add", {"moduleId": "crm", "field": field})
    return made["entityTypeId"]


@pytest.fixture
def item(world, kind):
    return people.add_item(world.portal, MANAGER, kind, {"title": "Первая", "contactIds": [1]})


def kept(world, kind, item):
    return world.portal.items[kind][item["id"]]


def test_a_card_is_saved_field_by_field_with_the_viewers_name(browser, world, kind, item):
    ask = browser(MANAGER)
    path = f"/crm/edit/{kind}/{item['id']}/"
    page = ask(path).text
    assert 'name="was_ufCrm12StartAt"' in page
    assert "Мария Ветрова" in page
    kept(world, kind, item)["title"] = "Меж тем изменили"
    form = {
        "was_title": "Первая", "title": "Первая",
        "was_ufCrm12StartAt": "", "ufCrm12StartAt": "2026-12-01T10:00",
        "was_ufCrm12Place": "", "ufCrm12Place": "D_2",
        "was_parentId2": "", "parentId2": "2",
        "was_contactIds": "1", "contactIds": ["2", "3"],
        "was_assignedById": "3", "assignedById": "4",
    }  # fmt: skip
    answer = ask(path, form)
    assert answer.location == f"/crm/type/{kind}/details/{item['id']}/"
    row = kept(world, kind, item)
    assert (row["title"], row["updatedBy"], row["assignedById"]) == ("Меж тем изменили", MANAGER, 4)
    assert (row["ufCrm12StartAt"], row["ufCrm12Place"]) == ("2026-12-01T09:00:00+02:00", "D_2")
    assert (row["parentId2"], row["contactIds"]) == (2, [2, 3])


def test_a_new_card_is_filled_in_by_hand_and_copied(browser, world, kind):
    ask = browser(MANAGER)
    assert ask(f"/crm/edit/{kind}/0/").status_code == 200
    funnel = next(iter(world.portal.categories[kind]))
    answer = ask(f"/crm/edit/{kind}/0/", {"category": funnel, "was_title": "", "title": "От руки"})
    assert answer.location == f"/crm/type/{kind}/details/1/"
    assert ask(f"/crm/act/{kind}/1/", {"act": "copy"}).location == f"/crm/type/{kind}/details/2/"
    assert [row["title"] for row in world.portal.items[kind].values()] == ["От руки", "От руки"]


def test_dragging_moves_a_card_and_a_refusal_is_told(browser, world, kind, item):
    ask = browser(MANAGER)
    page = ask(f"/crm/type/{kind}/kanban/category/0/").text
    assert f'data-item="{item["id"]}"' in page
    target = item["stageId"].replace("NEW", "CLIENT")
    path = f"/crm/move/{kind}/{item['id']}/"
    assert ask(path, {"stage": target, "dragged": "1"}).status_code == 204
    assert (kept(world, kind, item)["stageId"], kept(world, kind, item)["movedBy"]) == (target, MANAGER)
    people.allow(world.portal, MANAGER, kind, "read")
    assert ask(path, {"stage": item["stageId"], "dragged": "1"}).status_code == 403
    assert ask(f"/crm/edit/{kind}/{item['id']}/").status_code == 403


def test_what_is_deleted_is_in_the_bin_and_comes_back(browser, world, kind, item):
    ask = browser(MANAGER)
    assert ask(f"/crm/act/{kind}/{item['id']}/", {"act": "delete"}).location.endswith("/kanban/category/0/")
    assert "Первая" in ask("/crm/recyclebin/").text
    back = ask("/crm/recyclebin/restore", {"kind": kind, "item": item["id"]})
    assert back.location == f"/crm/type/{kind}/details/{item['id']}/"
    assert ask("/crm/recyclebin/empty", {}).status_code == 403


def test_a_contact_gets_another_phone_and_is_merged(browser, world, item, kind):
    ask = browser(ADMIN)
    phone = world.portal.items[CONTACT][2]["fm"][0]
    form = {f"was_fm_{phone['id']}": phone["value"], f"fm_{phone['id']}": "+7 999 000-77-77", "new_phone": "+7 999 1"}
    ask(f"/crm/edit/{CONTACT}/2/", form)
    assert [one["value"] for one in world.portal.items[CONTACT][2]["fm"]][::2] == ["+7 999 000-77-77", "+7 999 1"]
    assert "Объединить" in ask("/crm/contact/details/2/").text
    ask(f"/crm/act/{CONTACT}/2/", {"act": "merge", "other": "1"})
    assert 1 not in world.portal.items[CONTACT]
    assert kept(world, kind, item)["contactIds"] == [2]


def test_comments_stand_in_the_history_of_a_card(browser, world, kind, item):
    ask = browser(MANAGER)
    ask(f"/crm/act/{kind}/{item['id']}/", {"act": "comment", "text": "Звонил клиент <b>"})
    assert "Звонил клиент &lt;b&gt;" in ask(f"/crm/type/{kind}/details/{item['id']}/").text


def test_robots_are_placed_and_taken_off_by_an_administrator(browser, world, kind, item):
    ask, path = browser(ADMIN), f"/crm/automation/{kind}/"
    stage = item["stageId"].removesuffix("NEW")
    assert browser(MANAGER)(path).status_code == 403
    page = ask(path)
    assert page.status_code == 200
    ask(path, {"what": "move", "stage": stage + "CLIENT", "to_stage": stage + "FAIL", "category": "18"})
    ask(path, {"what": "set", "stage": stage + "CLIENT", "field": "title", "value": "не дойдёт"})
    ask(path, {"what": "wait", "stage": stage + "FAIL", "seconds": "5"})
    people.move_card(world.portal, MANAGER, kind, item["id"], "CLIENT")
    assert (kept(world, kind, item)["stageId"], kept(world, kind, item)["title"]) == (stage + "FAIL", "Первая")
    assert "прерван" in ask("/crm/runs/").text
    first = world.portal.placed[0]
    assert first["name"] in ask(path).text
    ask(path + "off", {"placed": str(first["id"])})
    assert first not in world.portal.placed
    assert ask(path, {"what": "robot", "stage": stage + "NEW", "code": "nobody"}).status_code == 422


def test_a_robot_of_the_application_is_placed_with_its_properties(browser, world, api, card, kind, item):
    apps.edit_card(world.portal, card, scopes=[*card.scopes, "bizproc"])
    given = {"CODE": "check", "HANDLER": f"{APP}/robot", "NAME": "Проверить", "PROPERTIES": {"who": {"Name": "Кто"}}}
    Api(api.emulator, card).call("bizproc.robot.add", given)
    ask, path = browser(ADMIN), f"/crm/automation/{kind}/"
    assert all(word in ask(path).text for word in ("Проверить", "Кто", "Ждать ответа"))
    form = {"what": "robot", "stage": item["stageId"], "code": "check", "property_who": "user_3", "property_x": ""}
    ask(path, {**form, "wait": "1", "timeout": "90"})
    (row,) = world.portal.placed
    assert (row["properties"], row["wait"], row["timeout"], row["when"]) == ({"who": "user_3"}, True, 90, None)


def test_settings_rename_recolour_add_and_delete_stages(browser, world, kind, item):
    ask, path = browser(ADMIN), f"/crm/settings/{kind}/"
    assert "Брони" in ask(path).text
    ask(path, {"act": "type", "title": "Записи", "isStagesEnabled": "1", "isAutomationEnabled": "1"})
    stage = {"stage": item["stageId"], "name": "Входящие", "color": "#123456", "sort": "5"}
    ask(path, {"act": "stage", **stage})
    funnel = item["categoryId"]
    new = {"code": "HOLD", "name": "Предбронь", "color": "#ffaa00", "sort": "15", "semantics": "", "category": funnel}
    ask(path, {"act": "add_stage", **new})
    page = ask(path).text
    assert all(word in page for word in ("Записи", "Входящие", "#123456", "Предбронь"))
    assert ask(path, {"act": "delete_stage", "stage": item["stageId"]}).status_code == 422
    ask(path, {"act": "delete_stage", "stage": item["stageId"], "move_to": "HOLD"})
    assert kept(world, kind, item)["stageId"].endswith(":HOLD")
    assert ask(path, {"act": "delete_type"}).location == "/"
    assert kind not in world.portal.categories


def test_rights_are_ticked_in_a_table(browser, world, kind):
    ask = browser(ADMIN)
    ask("/crm/rights/", {"user": MANAGER, "kind": kind, "read": "1", "add": "1"})
    assert world.portal.crm_rights[MANAGER][kind] == "read add"
    assert "Брони" in ask("/crm/rights/").text
    assert browser(MANAGER)("/crm/rights/").status_code == 403


def test_events_of_pages_carry_the_viewers_token(browser, world, api, inbox, kind, item):
    api.call("event.bind", {"event": "ONCRMDYNAMICITEMUPDATE", "handler": f"{APP}/events"})
    browser(MANAGER)(f"/crm/edit/{kind}/{item['id']}/", {"was_title": "", "title": "Другая"})
    assert inbox.last()["auth[user_id]"] == str(MANAGER)
