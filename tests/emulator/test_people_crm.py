"""What people do with cards in the portal: rights, the bin, imports, merging, settings; and product rows."""

from __future__ import annotations

import pytest

from emulator import event, people, people_admin
from emulator.errors import RestError
from emulator.storage import dump, load

from .conftest import APP, Api

CONTACT, DEAL = 3, 2
MANAGER, EMPLOYEE = 3, 5
FLAGS = {
    "isStagesEnabled": "Y",
    "isClientEnabled": "Y",
    "isCategoriesEnabled": "Y",
    "isRecyclebinEnabled": "Y",
    "isLinkWithProductsEnabled": "Y",
}


@pytest.fixture
def kind(api):
    relations = {"parent": [{"entityTypeId": DEAL, "isChildrenListEnabled": "true"}]}
    return api.call("crm.type.add", {"fields": {"title": "Брони", **FLAGS, "relations": relations}})["type"][
        "entityTypeId"
    ]


@pytest.fixture
def item(portal, kind):
    return people.add_item(portal, MANAGER, kind, {"title": "Первая", "contactIds": [2, 3], "parentId2": 1})


@pytest.fixture
def told(api, inbox, world, item):
    """What events of items and contacts have told since, as (verb, id, user of the token)."""
    for verb in ("ADD", "UPDATE", "DELETE"):
        api.call("event.bind", {"event": f"ONCRMDYNAMICITEM{verb}", "handler": f"{APP}/events"})
        api.call("event.bind", {"event": f"ONCRMCONTACT{verb}", "handler": f"{APP}/events"})

    def read():
        event.deliver_due(world)
        found = [form for _, form in inbox.posts]
        inbox.posts.clear()
        verbs = ("ADD", "UPDATE", "DELETE")
        return [
            (
                next(verb for verb in verbs if form["event"].endswith(verb)),
                form["data[FIELDS][ID]"],
                form.get("auth[user_id]", ""),
            )
            for form in found
        ]

    return read


def kept(portal, kind, item):
    return portal.items[kind][item["id"]]


def refused(function, *arguments, **named):
    with pytest.raises(RestError) as raised:
        function(*arguments, **named)
    return raised.value.code


def test_a_card_moved_by_hand_says_who_moved_it_and_from_where(portal, kind, item, told, clock):
    clock.now += 60
    people.move_card(portal, MANAGER, kind, item["id"], "CLIENT")
    row = kept(portal, kind, item)
    assert (row["movedBy"], row["updatedBy"], row["previousStageId"]) == (MANAGER, MANAGER, item["stageId"])
    assert row["movedTime"] != item["movedTime"]
    people.edit_item(portal, 1, kind, item["id"], {"title": "Первая"})
    assert told() == [("UPDATE", "1", "3")]


def test_rights_by_kind_are_the_same_for_people_and_for_rest(portal, kind, item, emulator, card):
    people.allow(portal, MANAGER, kind, "read update")
    manager = Api(emulator, card, MANAGER)
    named = {"entityTypeId": kind, "id": item["id"]}
    assert manager.call("crm.item.update", {**named, "fields": {"title": "Иначе"}})["item"]["title"] == "Иначе"
    assert manager.refusal("crm.item.delete", named) == (400, "ACCESS_DENIED")
    assert manager.refusal("crm.item.add", {"entityTypeId": kind, "fields": {}}) == (400, "ACCESS_DENIED")
    assert refused(people.delete_item, portal, MANAGER, kind, item["id"]) == "ACCESS_DENIED"
    people.allow(portal, MANAGER, kind, "")
    assert manager.refusal("crm.item.get", named) == (400, "ACCESS_DENIED")
    assert manager.call("crm.item.list", {"entityTypeId": kind})["items"] == []
    assert people.edit_item(portal, 1, kind, item["id"], {"title": "Главный может"})


def test_a_copy_has_the_same_values_and_no_external_code(portal, kind, item):
    people.edit_item(portal, 1, kind, item["id"], {"xmlId": "uuid-1"})
    people.move_card(portal, 1, kind, item["id"], "CLIENT")
    copy = people.copy_item(portal, MANAGER, kind, item["id"], title="Копия")
    assert (copy["id"], copy["title"], copy["xmlId"], copy["parentId2"]) == (2, "Копия", None, 1)
    assert (copy["contactIds"], copy["stageId"], copy["createdBy"]) == ([2, 3], item["stageId"], MANAGER)


# The bin


def test_what_is_deleted_lies_in_the_bin_and_comes_back_under_its_number(portal, world, kind, item, told):
    people.comment(portal, 1, kind, item["id"], "Запись")
    people.delete_item(portal, MANAGER, kind, item["id"])
    people.allow(portal, EMPLOYEE, kind, "read")
    world.replace_with(load(type(world), dump(world)))
    portal = world.portal
    assert refused(people.restore_item, portal, EMPLOYEE, kind, item["id"]) == "ACCESS_DENIED"
    assert [(row["itemId"], row["deletedBy"]) for row in people.bin_rows(portal)] == [(item["id"], MANAGER)]
    back = people.restore_item(portal, 1, kind, item["id"])
    assert (back["id"], back["title"], back["contactIds"]) == (item["id"], "Первая", [2, 3])
    assert people.bin_rows(portal) == []
    assert told() == [("DELETE", "1", "3"), ("ADD", "1", "1")]


def test_an_item_may_come_back_under_another_number_and_silently(portal, world, kind, item, told):
    world.knobs.change({"bin_new_ids": True, "restore_silent": True})
    people.comment(portal, 1, kind, item["id"], "Запись")
    people.delete_item(portal, 1, kind, item["id"])
    back = people.restore_item(portal, 1, kind, item["id"])
    assert back["id"] == item["id"] + 1
    assert [row["ENTITY_ID"] for row in portal.comments.values()] == [str(back["id"])]
    assert told() == [("DELETE", "1", "1")]


def test_without_a_bin_what_is_deleted_is_gone(portal, kind, item):
    people_admin.change_type(portal, 1, kind, isRecyclebinEnabled="N")
    people.delete_item(portal, 1, kind, item["id"])
    assert refused(people.restore_item, portal, 1, kind, item["id"]) == "NOT_FOUND"


def test_a_deleted_deal_is_nobodys_parent_until_it_comes_back(portal, kind, item, told):
    people.delete_item(portal, 1, DEAL, 1)
    assert kept(portal, kind, item)["parentId2"] is None
    people.restore_item(portal, 1, DEAL, 1)
    assert kept(portal, kind, item)["parentId2"] == 1
    assert told() == []


# Imports


def test_an_import_brings_a_past_and_tells_without_tokens(api, portal, world, emulator, card, kind, item, told, clock):
    clock.now += 1800
    past = {"createdTime": portal.iso(clock.now - 900), "createdBy": EMPLOYEE}
    given = {"entityTypeId": kind, "fields": {"title": "Из файла", **past}}
    assert api.call("crm.item.import", given) == {"item": {"id": 2}}
    assert (portal.items[kind][2]["createdBy"], portal.items[kind][2]["createdTime"]) == (EMPLOYEE, past["createdTime"])
    assert told() == [("ADD", "2", "")]
    manager = Api(emulator, card, MANAGER)
    assert manager.refusal("crm.item.import", given) == (400, "CRM_FIELD_ERROR_VALUE_NOT_VALID")
    older = {"entityTypeId": kind, "fields": {"createdTime": portal.iso(clock.now - 7 * 86400)}}
    assert api.refusal("crm.item.import", older) == (400, "CRM_FIELD_ERROR_VALUE_NOT_VALID")
    world.knobs.import_silent = True
    people.import_items(portal, MANAGER, kind, [{"title": "Тихо"}])
    assert told() == []
    people.allow(portal, MANAGER, kind, "read add")
    assert manager.refusal("crm.item.import", {"entityTypeId": kind, "fields": {}}) == (400, "ACCESS_DENIED")


def test_a_batch_of_imports_answers_row_by_row(api, kind):
    rows = [{"title": "а"}, {"stageId": "DT1_1:NEW"}, {"title": "в"}]
    found = api.call("crm.item.batchImport", {"entityTypeId": kind, "data": rows})["items"]
    assert [one.get("error") or one["item"]["id"] for one in found] == [1, "CRM_FIELD_ERROR_VALUE_NOT_VALID", 2]
    too_many = {"entityTypeId": kind, "data": [{}] * 21}
    assert api.refusal("crm.item.batchImport", too_many) == (400, "MAX_IMPORT_BATCH_SIZE_EXCEEDED")


# Merging


def test_a_merged_contact_vanishes_and_items_name_the_other(api, portal, kind, item, told):
    people.merge_contacts(portal, MANAGER, 1, [2])
    row = kept(portal, kind, item)
    assert (row["contactId"], row["contactIds"]) == (1, [1, 3])
    assert [one["value"] for one in portal.items[CONTACT][1]["fm"] if one["typeId"] == "PHONE"] == [
        "+7 999 000-00-01",
        "+7 999 000-00-02",
    ]
    assert told() == [("DELETE", "2", "3"), ("UPDATE", "1", "3"), ("UPDATE", "1", "3")]
    found = api.call("crm.duplicate.findbycomm", {"type": "PHONE", "values": ["8 999 000-00-02 доб. 12"]})
    assert found == {"CONTACT": [1]}
    assert api.refusal("crm.item.get", {"entityTypeId": CONTACT, "id": 2}) == (400, "NOT_FOUND")


def test_a_batch_merge_leaves_conflicts_to_people(api, emulator, card):
    def merge(caller, *ids):
        return caller.call("crm.entity.mergeBatch", {"params": {"entityTypeId": CONTACT, "entityIds": list(ids)}})

    assert merge(api, 1, 2) == {"STATUS": "CONFLICT", "ENTITY_IDS": []}
    twin = api.call("crm.item.add", {"entityTypeId": CONTACT, "fields": {"name": "Мария", "lastName": "Ветрова"}})
    number = twin["item"]["id"]
    assert merge(api, 1, number) == {"STATUS": "SUCCESS", "ENTITY_IDS": [number]}
    one = {"params": {"entityTypeId": CONTACT, "entityIds": [1]}}
    assert api.refusal("crm.entity.mergeBatch", one) == (400, 0)


# People and settings


def test_a_dismissed_person_hands_his_items_over(portal, emulator, card, kind, item, told):
    manager = Api(emulator, card, MANAGER)
    people.dismiss_user(portal, MANAGER, hand_over_to=EMPLOYEE)
    assert kept(portal, kind, item)["assignedById"] == EMPLOYEE
    assert manager.refusal("crm.item.list", {"entityTypeId": kind}) == (401, "authorization_error")
    assert ("UPDATE", "1", "1") in told()


def test_administrators_rename_types_and_stages(api, portal, kind, item, inbox, world):
    api.call("event.bind", {"event": "ONCRMTYPEUPDATE", "handler": f"{APP}/events"})
    assert people_admin.rename_type(portal, 1, kind, "Записи")["title"] == "Записи"
    people_admin.rename_stage(portal, 1, kind, "NEW", "Входящие")
    people_admin.recolour_stage(portal, 1, kind, "NEW", "#112233")
    row = people_admin.find_stage(portal, kind, "NEW")
    assert (row["NAME"], row["COLOR"]) == ("Входящие", "#112233")
    assert refused(people_admin.rename_type, portal, MANAGER, kind, "x") == "ACCESS_DENIED"
    assert refused(people_admin.rename_stage, portal, MANAGER, kind, "NEW", "x") == ""
    assert inbox.names() == ["ONCRMTYPEUPDATE"]


def test_a_stage_with_cards_goes_only_with_somewhere_to_put_them(portal, kind, item):
    people_admin.add_stage(portal, 1, kind, "HOLD", "Предбронь", sort=15)
    people.move_card(portal, 1, kind, item["id"], "HOLD")
    assert refused(people_admin.delete_stage, portal, 1, kind, "HOLD") == "There are active items in status."
    people_admin.delete_stage(portal, 1, kind, "HOLD", move_to="NEW")
    assert kept(portal, kind, item)["stageId"].endswith(":NEW")
    assert refused(people_admin.find_stage, portal, kind, "HOLD") == "NOT_FOUND"


def test_a_deleted_field_takes_its_values_along(api, portal, kind, item):
    number = api.call("crm.type.getByEntityTypeId", {"entityTypeId": kind})["type"]["id"]
    field = {"entityId": f"CRM_{number}", "fieldName": f"UF_CRM_{number}_PLACE", "userTypeId": "string"}
    made = api.call("userfieldconfig.add", {"moduleId": "crm", "field": field})["field"]
    people.edit_item(portal, 1, kind, item["id"], {f"ufCrm{number}Place": "Зал"})
    people_admin.delete_field(portal, 1, int(made["id"]))
    api.call("userfieldconfig.add", {"moduleId": "crm", "field": field})
    assert api.call("crm.item.get", {"entityTypeId": kind, "id": 1})["item"][f"ufCrm{number}Place"] is None


def test_a_deleted_type_takes_its_items_and_its_bin_along(portal, kind, item, told):
    assert refused(people_admin.delete_type, portal, 1, kind) == "BX_ERROR"
    people_admin.delete_type(portal, 1, kind, with_items=True)
    assert told() == [("DELETE", "1", "1")]
    assert people.bin_rows(portal) == []


# Product rows, history, comments


def test_product_rows_make_the_amount_unless_it_is_set_by_hand(api, portal, kind, item):
    owner = {"ownerId": item["id"], "ownerType": f"T{kind:x}"}
    rows = [{"productName": "Час", "price": 1000, "quantity": 2}, {"productName": "Свет", "price": 500}]
    first, second = api.call("crm.item.productrow.set", {**owner, "productRows": rows})["productRows"]
    assert (first["quantity"], second["quantity"], kept(portal, kind, item)["opportunity"]) == (2, 1, 2500)
    api.call("crm.item.productrow.update", {"id": second["id"], "fields": {"price": 700}})
    listed = api.call(
        "crm.item.productrow.list", {"filter": {"=ownerType": owner["ownerType"], "=ownerId": item["id"]}}
    )
    assert [(row["id"], row["price"]) for row in listed["productRows"]] == [(first["id"], 1000), (second["id"], 700)]
    people.edit_item(portal, 1, kind, item["id"], {"isManualOpportunity": "Y", "opportunity": 1})
    assert api.call("crm.item.productrow.delete", {"id": first["id"]}) is None
    assert kept(portal, kind, item)["opportunity"] == 1
    added = api.call("crm.item.productrow.add", {"fields": {**owner, "price": 90, "discountRate": 10, "taxRate": 20}})
    row = api.call("crm.item.productrow.get", {"id": added["productRow"]["id"]})["productRow"]
    assert (row["priceExclusive"], row["priceBrutto"], row["discountSum"]) == (75, 100, 8.3333)


def test_product_rows_are_refused_with_the_documented_codes(api, emulator, card, kind, item):
    owner = {"ownerId": item["id"], "ownerType": f"T{kind:x}"}
    name = "crm.item.productrow."
    assert api.refusal(name + "add", {"fields": {"ownerId": 1}}) == (400, 100)
    assert api.refusal(name + "add", {"fields": {**owner, "ownerId": 99}}) == (400, "OWNER_NOT_FOUND")
    assert api.refusal(name + "add", {"fields": {**owner, "ownerType": "C"}}) == (400, "ENTITY_TYPE_NOT_SUPPORTED")
    assert api.refusal(name + "list", {"filter": {"ownerType": "D"}}) == (400, "INVALID_ARG_VALUE")
    assert api.refusal(name + "get", {"id": 99}) == (400, "NOT_FOUND")
    denied = {"ownerId": 3, "ownerType": "D", "productRows": []}
    assert Api(emulator, card, EMPLOYEE).refusal(name + "set", denied) == (400, "ACCESS_DENIED")


def test_the_history_of_stages_tells_every_move(api, portal, kind, item):
    people.move_card(portal, 1, kind, item["id"], "CLIENT")
    people.move_card(portal, 1, kind, item["id"], "SUCCESS")
    found = api.call("crm.stagehistory.list", {"entityTypeId": kind, "filter": {"OWNER_ID": item["id"]}})["items"]
    assert [(row["TYPE_ID"], row["STAGE_SEMANTIC_ID"]) for row in found] == [(1, "P"), (2, "P"), (3, "S")]
    assert api.refusal("crm.stagehistory.list", {"entityTypeId": CONTACT}) == (400, "ENTITY_TYPE_NOT_SUPPORTED")


def test_comments_are_read_changed_and_deleted(api, portal, kind, item):
    given = {"ENTITY_TYPE": f"dynamic_{kind}", "ENTITY_ID": item["id"], "COMMENT": "Было"}
    number = api.call("crm.timeline.comment.add", {"fields": given})
    assert api.call("crm.timeline.comment.update", {"id": number, "fields": {"COMMENT": "Стало"}}) == number
    assert api.call("crm.timeline.comment.get", {"id": number})["COMMENT"] == "Стало"
    assert (
        api.refusal("crm.timeline.comment.update", {"id": number, "fields": {"COMMENT": ""}})[1] == "INVALID_ARG_VALUE"
    )
    assert api.call("crm.timeline.comment.delete", {"id": number}) is None
    assert api.refusal("crm.timeline.comment.delete", {"id": number}) == (400, "NOT_FOUND")
    assert api.refusal("crm.timeline.comment.get", {"id": number}) == (400, "")


def test_departments_are_sorted_and_filtered(api):
    rows = api.call("department.get", {"sort": "NAME", "order": "ASC", "PARENT": 1})
    assert [row["NAME"] for row in rows] == ["Екатеринбург", "Москва"]
