"""CRM: types, custom fields and their names, items, filters, funnels, stages, comments."""

from __future__ import annotations

from datetime import datetime

import pytest

from emulator.crm_schema import rest_name, upper_name

from .conftest import Api

FLAGS = {"isStagesEnabled": "Y", "isClientEnabled": "Y", "isCategoriesEnabled": "Y"}


@pytest.fixture
def kind(api):
    relations = {"parent": [{"entityTypeId": 2, "isChildrenListEnabled": "true"}]}
    return api.call("crm.type.add", {"fields": {"title": "Брони", **FLAGS, "relations": relations}})["type"]


def add_field(api: Api, kind, postfix: str, user_type: str, **more) -> str:
    name = f"UF_CRM_{kind['id']}_{postfix}"
    field = {"entityId": f"CRM_{kind['id']}", "fieldName": name, "userTypeId": user_type, **more}
    return api.call("userfieldconfig.add", {"moduleId": "crm", "field": field})["field"]["id"]


@pytest.fixture
def fields(api, kind):
    for postfix, user_type in (
        ("START_AT", "datetime"),
        ("END_AT", "datetime"),
        ("START_TS", "integer"),
        ("DONE", "boolean"),
    ):
        add_field(api, kind, postfix, user_type)
    add_field(api, kind, "RESOURCE", "crm", multiple="Y")
    return kind


def items(api: Api, kind, **more):
    return api.call("crm.item.list", {"entityTypeId": kind["entityTypeId"], **more})["items"]


def add(api: Api, kind, **given):
    return api.call("crm.item.add", {"entityTypeId": kind["entityTypeId"], "fields": given})["item"]


# Types


def test_a_type_has_two_numbers_and_reads_yes_where_true_was_written(kind):
    assert kind["id"] != kind["entityTypeId"]
    assert 128 <= kind["entityTypeId"] <= 192
    parents = {row["entityTypeId"]: row for row in kind["relations"]["parent"]}
    assert parents[2] == {"entityTypeId": 2, "isChildrenListEnabled": "Y", "isPredefined": "N"}
    assert {parents[3]["isPredefined"], parents[4]["isPredefined"]} == {"Y"}
    assert (kind["isStagesEnabled"], kind["isBizProcEnabled"], kind["isSetOpenPermissions"]) == ("Y", "N", "Y")


def test_y_is_not_understood_in_relations(api):
    relations = {"parent": [{"entityTypeId": 2, "isChildrenListEnabled": "Y"}]}
    made = api.call("crm.type.add", {"fields": {"title": "x", "relations": relations}})["type"]
    assert made["relations"]["parent"][0]["isChildrenListEnabled"] == "N"


def test_linked_fields_need_their_flag(api):
    linked = {"CALENDAR_EVENT|UF_CRM_CAL_EVENT": "true"}
    alone = api.call("crm.type.add", {"fields": {"title": "x", "linkedUserFields": linked}})["type"]
    both = {"title": "y", "linkedUserFields": linked, "isUseInUserfieldEnabled": "Y"}
    assert alone["linkedUserFields"]["CALENDAR_EVENT|UF_CRM_CAL_EVENT"] == "N"
    made = api.call("crm.type.add", {"fields": both})["type"]
    assert made["linkedUserFields"]["CALENDAR_EVENT|UF_CRM_CAL_EVENT"] == "Y"


def test_a_new_type_brings_a_funnel_of_five_stages(api, kind):
    number = kind["entityTypeId"]
    (funnel,) = api.call("crm.category.list", {"entityTypeId": number})["categories"]
    assert funnel["isDefault"] == "Y"
    rows = api.call("crm.status.list", {"filter": {"ENTITY_ID": f"DYNAMIC_{number}_STAGE_{funnel['id']}"}})
    assert [row["STATUS_ID"] for row in rows] == [
        f"DT{number}_{funnel['id']}:{code}" for code in ("NEW", "PREPARATION", "CLIENT", "SUCCESS", "FAIL")
    ]
    assert [row["SEMANTICS"] for row in rows] == [None, None, None, "S", "F"]
    assert (rows[0]["SORT"], rows[0]["SYSTEM"], "EXTRA" in rows[0]) == ("10", "Y", False)


def test_types_are_refused_with_the_documented_codes(api, emulator, card, world, kind):
    assert api.refusal("crm.type.add", {}) == (400, 100)
    assert api.refusal("crm.type.add", {"fields": {"title": "x", "entityTypeId": 1031}}) == (400, "INVALID_ARG_VALUE")
    assert api.refusal("crm.type.get", {"id": 999}) == (400, 0)
    assert Api(emulator, card, 3).refusal("crm.type.list") == (400, "ACCESS_DENIED")
    add(api, kind, title="x")
    assert api.refusal("crm.type.delete", {"id": kind["id"]}) == (400, "BX_ERROR")
    world.knobs.plan_smart_processes = False
    assert api.refusal("crm.type.add", {"fields": {"title": "x"}}) == (400, "CREATE_DYNAMIC_TYPE_RESTRICTED")


def test_types_are_listed_without_relations_and_found_by_title(api, kind):
    (found,) = api.call("crm.type.list", {"filter": {"title": "Брони"}})["types"]
    assert found["entityTypeId"] == kind["entityTypeId"]
    assert "relations" not in found
    assert api.call("crm.type.getByEntityTypeId", {"entityTypeId": kind["entityTypeId"]})["type"]["id"] == kind["id"]


def test_codes_of_types_are_hexadecimal(api, kind):
    row = next(row for row in api.call("crm.enum.ownertype") if row["ID"] == kind["entityTypeId"])
    assert row["SYMBOL_CODE_SHORT"] == f"T{kind['entityTypeId']:x}"


def test_an_empty_type_is_deleted_with_all_that_is_its(api, portal, fields):
    api.call(
        "placement.bind", {"PLACEMENT": f"CRM_DYNAMIC_{fields['entityTypeId']}_DETAIL_TAB", "HANDLER": "https://a.b/x"}
    )
    assert api.call("crm.type.delete", {"id": fields["id"]}) == []
    assert portal.userfields == {}
    assert portal.placements == []
    assert api.refusal("crm.item.list", {"entityTypeId": fields["entityTypeId"]}) == (400, "NOT_FOUND")


# Custom fields


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("UF_CRM_3_DIGIT", "ufCrm3Digit"),
        ("UF_CRM_3_START_AT", "ufCrm3StartAt"),
        ("UF_CRM_3_1747309727", "ufCrm3_1747309727"),
        ("UF_CRM_3_DIGIT10", "ufCrm_3_DIGIT10"),
        ("UF_CRM_3_DIGIT_10", "ufCrm_3_DIGIT_10"),
        ("UF_CRM_1747309879", "ufCrm_1747309879"),
    ],
)
def test_custom_fields_get_the_documented_names(code, name):
    assert rest_name(code) == name
    assert rest_name(code, {name}) == code


def test_system_names_are_capitalized_by_their_humps():
    assert [upper_name(name) for name in ("assignedById", "parentId128", "xmlId")] == [
        "ASSIGNED_BY_ID",
        "PARENT_ID_128",
        "XML_ID",
    ]


def test_a_field_answers_strings_and_options_only_for_lists(api, kind):
    entity = f"CRM_{kind['id']}"
    field = {"entityId": entity, "fieldName": f"UF_{entity}_KIND", "userTypeId": "enumeration", "editFormLabel": "Вид"}
    made = api.call("userfieldconfig.add", {"moduleId": "crm", "field": {**field, "enum": [{"value": "Зал"}]}})["field"]
    assert (isinstance(made["id"], str), made["sort"], made["multiple"]) == (True, "100", "N")
    assert made["enum"][0]["value"] == "Зал"
    assert made["editFormLabel"] == {"ru": "Вид", "en": "Вид"}
    (listed,) = api.call("userfieldconfig.list", {"moduleId": "crm", "filter": {"entityId": entity}})["fields"]
    assert "enum" not in listed
    update = {"userTypeId": "enumeration", "enum": [{"id": made["enum"][0]["id"], "del": "Y"}, {"value": "Студия"}]}
    changed = api.call("userfieldconfig.update", {"moduleId": "crm", "id": made["id"], "field": update})["field"]
    assert [row["value"] for row in changed["enum"]] == ["Студия"]


def test_fields_are_refused_with_an_empty_code(api, kind, emulator, card):
    entity = f"CRM_{kind['id']}"
    good = {"entityId": entity, "fieldName": f"UF_{entity}_A", "userTypeId": "string"}
    api.call("userfieldconfig.add", {"moduleId": "crm", "field": good})
    wrong = [
        good,
        {**good, "fieldName": "UF_CRM_A"},
        {**good, "entityId": f"CRM_{kind['entityTypeId']}"},
        {**good, "userTypeId": ""},
    ]
    for field in wrong:
        assert api.refusal("userfieldconfig.add", {"moduleId": "crm", "field": field}) == (400, "")
    other = {**good, "fieldName": f"UF_{entity}_B"}
    assert Api(emulator, card, 3).refusal("userfieldconfig.add", {"moduleId": "crm", "field": other}) == (400, "")
    assert api.refusal("userfieldconfig.list") == (400, 100)


# Items


def test_an_item_answers_all_its_fields_with_numbers_as_numbers(api, fields):
    item = add(api, fields, title="Первая", xmlId="a-1", contactIds=[1, 2], parentId2=1, ufCrm12StartTs=5)
    assert (item["id"], item["entityTypeId"], item["assignedById"], item["opened"]) == (
        1,
        fields["entityTypeId"],
        1,
        "Y",
    )
    assert (item["contactId"], item["contactIds"], item["parentId2"], item["ufCrm12StartTs"]) == (1, [1, 2], 1, 5)
    assert item["stageId"].endswith(":NEW")
    assert item["begindate"] is None
    assert add(api, fields)["title"] == "Брони #2"


def test_names_keep_their_original_on_request(api, fields):
    given = {"entityTypeId": fields["entityTypeId"], "useOriginalUfNames": "Y"}
    item = api.call("crm.item.add", {**given, "fields": {"UF_CRM_12_START_TS": 7, "ufCrm12Done": "Y"}})["item"]
    assert item["UF_CRM_12_START_TS"] == 7
    assert item["UF_CRM_12_DONE"] is None
    assert api.call("crm.item.list", {**given, "filter": {"UF_CRM_12_START_TS": 7}})["items"][0]["id"] == item["id"]


def test_what_is_unknown_unreadable_or_read_only_is_silently_passed_over(api, fields):
    item = add(api, fields, titel="опечатка", ufCrm12StartAt="not a date", createdBy=3, begindate="2026-01-01")
    assert item["title"] == "Брони #1"
    assert (item["ufCrm12StartAt"], item["createdBy"], item["begindate"]) == (None, 1, None)


def test_times_are_answered_in_the_servers_zone(api, fields):
    item = add(api, fields, ufCrm12StartAt="2026-12-01T10:00:00+05:00", ufCrm12EndAt="2026-12-01T10:00:00")
    assert item["ufCrm12StartAt"] == "2026-12-01T07:00:00+02:00"
    assert item["ufCrm12EndAt"] == "2026-12-01T10:00:00+02:00"


def test_an_empty_value_clears_a_number_too(api, fields):
    item = add(api, fields, ufCrm12StartTs=5)
    changed = {"entityTypeId": fields["entityTypeId"], "id": item["id"], "fields": {"ufCrm12StartTs": 0}}
    assert api.call("crm.item.update", changed)["item"]["ufCrm12StartTs"] is None


def test_a_scalar_in_a_multiple_field_is_error_100(api, fields):
    given = {"entityTypeId": fields["entityTypeId"], "fields": {"ufCrm12Resource": "T81_1"}}
    assert api.refusal("crm.item.add", given) == (400, 100)
    assert add(api, fields, ufCrm12Resource=["T81_1"])["ufCrm12Resource"] == ["T81_1"]


def test_nothing_is_saved_when_nothing_changes(api, kind, clock, portal):
    item = add(api, kind, title="Одна")
    clock.now += 60
    given = {"entityTypeId": kind["entityTypeId"], "id": item["id"]}
    same = api.call("crm.item.update", {**given, "fields": {"title": "Одна"}})["item"]
    assert same["updatedTime"] == item["updatedTime"]
    changed = api.call("crm.item.update", {**given, "fields": {"title": "Другая"}})["item"]
    assert datetime.fromisoformat(changed["updatedTime"]) > datetime.fromisoformat(item["updatedTime"])


def test_a_stage_must_belong_to_the_funnel_and_its_move_is_remembered(api, emulator, card, kind, clock):
    item = add(api, kind)
    prefix = item["stageId"].removesuffix("NEW")
    clock.now += 60
    manager = Api(emulator, card, 3)
    given = {"entityTypeId": kind["entityTypeId"], "id": item["id"]}
    moved = manager.call("crm.item.update", {**given, "fields": {"stageId": prefix + "CLIENT"}})["item"]
    assert (moved["previousStageId"], moved["movedBy"], moved["updatedBy"]) == (item["stageId"], 3, 3)
    assert moved["movedTime"] != item["movedTime"]
    refused = {**given, "fields": {"stageId": "DT1_1:NEW"}}
    assert api.refusal("crm.item.update", refused) == (400, "CRM_FIELD_ERROR_VALUE_NOT_VALID")


def test_a_denied_deal_is_not_read_not_listed_and_not_changed(emulator, card, api):
    employee = Api(emulator, card, 5)
    for name, more in (("get", {}), ("update", {"fields": {"title": "x"}}), ("delete", {})):
        assert employee.refusal(f"crm.item.{name}", {"entityTypeId": 2, "id": 3, **more}) == (400, "ACCESS_DENIED")
    assert [row["id"] for row in employee.call("crm.item.list", {"entityTypeId": 2})["items"]] == [1, 2, 4]
    assert api.call("crm.item.get", {"entityTypeId": 2, "id": 3})["item"]["id"] == 3


def test_a_closed_process_is_only_for_administrators(api, emulator, card):
    made = api.call("crm.type.add", {"fields": {"title": "x", "isSetOpenPermissions": "N"}})["type"]
    manager = Api(emulator, card, 3)
    assert manager.refusal("crm.item.add", {"entityTypeId": made["entityTypeId"], "fields": {}}) == (
        400,
        "ACCESS_DENIED",
    )
    assert items(manager, made) == []


def test_unknown_kinds_and_items_are_not_found(api):
    assert api.refusal("crm.item.list", {"entityTypeId": 190}) == (400, "NOT_FOUND")
    assert api.refusal("crm.item.get", {"entityTypeId": 2, "id": 99}) == (400, "NOT_FOUND")
    assert api.refusal("crm.item.list", {"entityTypeId": 5}) == (400, "ENTITY_TYPE_NOT_SUPPORTED")
    assert api.refusal("crm.item.get", {"entityTypeId": 2}) == (400, 100)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"=xmlId": "b"}, [2]),
        ({"xmlId": "B"}, [2]),
        ({"@xmlId": ["a", "c"]}, [1, 3]),
        ({"xmlId": ["a", "c"]}, [1, 3]),
        ({"!@xmlId": ["a", "c"]}, [2]),
        ({"!xmlId": "a"}, [2, 3]),
        ({">id": 1, "<=id": 2}, [2]),
        ({"%title": "ТОР"}, [2]),
        ({"=%title": "пер%"}, [1]),
        ({"<ufCrm12StartAt": "2026-12-02T12:00:00+02:00", ">ufCrm12EndAt": "2026-12-02T11:00:00+02:00"}, [2]),
        ({"ufCrm12Done": "1"}, [2]),
        ({"contactIds": 2}, [3]),
        ({"logic": "OR", "0": {"=xmlId": "a"}, "1": {"ufCrm12StartTs": 20}}, [1, 2]),
        ({"0": {"logic": "OR", "0": {"=xmlId": "a"}, "1": {"=xmlId": "b"}}, ">id": 1}, [2]),
        ({"ufCrm12StartTs": ""}, [3]),
    ],
)
def test_filters(api, fields, given, found):
    day = "2026-12-0{}T{}:00:00+02:00"
    add(
        api,
        fields,
        title="Первая",
        xmlId="a",
        ufCrm12StartTs=10,
        ufCrm12StartAt=day.format(1, 10),
        ufCrm12EndAt=day.format(1, 11),
    )
    add(api, fields, title="Вторая", xmlId="b", ufCrm12StartTs=20, ufCrm12Done="Y", ufCrm12StartAt=day.format(2, 10),
        ufCrm12EndAt=day.format(2, 12))  # fmt: skip
    add(api, fields, title="Третья", xmlId="c", contactIds=[2, 3])
    assert [row["id"] for row in items(api, fields, filter=given)] == found


def test_a_field_that_is_not_allowed_is_refused_in_filter_and_order(api, kind):
    number = kind["entityTypeId"]
    assert api.refusal("crm.item.list", {"entityTypeId": number, "filter": {"nope": 1}}) == (400, "INVALID_ARG_VALUE")
    assert api.refusal("crm.item.list", {"entityTypeId": number, "order": {"nope": "ASC"}}) == (
        400,
        "INVALID_ARG_VALUE",
    )
    assert api.refusal("crm.item.list", {"entityTypeId": number, "order": {"id": "UP"}}) == (400, "INVALID_ARG_VALUE")


def test_lists_are_ordered_and_selected(api, kind):
    for title in ("б", "а", "в"):
        add(api, kind, title=title)
    rows = items(api, kind, order={"title": "DESC"}, select=["title"])
    assert [row["title"] for row in rows] == ["в", "б", "а"]
    assert set(rows[0]) == {"id", "title"}


def test_phones_are_added_changed_and_deleted(api):
    fm = [{"typeId": "PHONE", "valueType": "WORK", "value": "+7 999 000-00-77"}]
    item = api.call("crm.item.add", {"entityTypeId": 3, "fields": {"name": "Ира", "fm": fm}})["item"]
    assert (item["phone"], item["phoneWork"], item["hasPhone"], item["hasEmail"]) == ("+7 999 000-00-77",) * 2 + (
        "Y",
        "N",
    )
    number = str(item["fm"][0]["id"])
    change = {number: {"value": ""}, "n0": {"typeId": "EMAIL", "valueType": "HOME", "value": "i@example.com"}}
    given = {"entityTypeId": 3, "id": item["id"], "fields": {"fm": change}}
    changed = api.call("crm.item.update", given)["item"]
    assert ([row["typeId"] for row in changed["fm"]], changed["hasPhone"]) == (["EMAIL"], "N")
    assert "fm" not in api.call("crm.item.list", {"entityTypeId": 3})["items"][0]
    assert "fm" in api.call("crm.item.list", {"entityTypeId": 3, "select": ["*"]})["items"][0]


def test_fields_are_described(api, fields):
    found = api.call("crm.item.fields", {"entityTypeId": fields["entityTypeId"]})["fields"]
    assert (found["id"]["isReadOnly"], found["xmlId"]["type"], found["ufCrm12Resource"]["isMultiple"]) == (
        True,
        "string",
        True,
    )
    assert found["ufCrm12StartAt"]["upperName"] == "UF_CRM_12_START_AT"
    assert "begindate" not in found


def test_mandatory_fields_are_checked_when_the_portal_says_so(api, kind, world):
    add_field(api, kind, "MUST", "string", mandatory="Y")
    assert add(api, kind)["id"]
    world.knobs.check_mandatory = True
    given = {"entityTypeId": kind["entityTypeId"], "fields": {}}
    assert api.refusal("crm.item.add", given) == (400, "CRM_FIELD_ERROR_REQUIRED")


def test_text_is_kept_as_it_was_written(api, kind):
    for text in ("🎉 <script>alert(1)</script>", "$result[x][id]", "я" * 100_000):
        assert add(api, kind, title=text)["title"] == text


# Funnels and stages


def test_stages_are_added_renamed_and_deleted(api, kind):
    number = kind["entityTypeId"]
    funnel = api.call("crm.category.add", {"entityTypeId": number, "fields": {"name": "Вторая"}})["category"]
    directory = f"DYNAMIC_{number}_STAGE_{funnel['id']}"
    given = {"ENTITY_ID": directory, "STATUS_ID": "HOLD", "NAME": "Предбронь", "SORT": 15, "COLOR": "#ffaa00"}
    stage = api.call("crm.status.add", {"fields": given})
    row = api.call("crm.status.get", {"id": stage})
    assert (row["STATUS_ID"], row["CATEGORY_ID"], row["SYSTEM"]) == (
        f"DT{number}_{funnel['id']}:HOLD",
        str(funnel["id"]),
        "N",
    )
    assert api.refusal("crm.status.add", {"fields": given}) == (400, "ERROR_CORE")
    assert api.refusal("crm.status.add", {"fields": {**given, "STATUS_ID": "LATE", "SORT": 60}}) == (400, "")
    assert api.refusal("crm.status.add", {"fields": {**given, "STATUS_ID": "WON", "SEMANTICS": "S"}}) == (400, "")
    assert api.call("crm.status.add", {"fields": {**given, "STATUS_ID": "NOSHOW", "SORT": 60, "SEMANTICS": "F"}})
    assert api.call("crm.status.update", {"id": stage, "fields": {"NAME": "Ждём", "STATUS_ID": "X"}}) is True
    assert api.call("crm.status.get", {"id": stage})["NAME"] == "Ждём"
    system = api.call("crm.status.list", {"filter": {"ENTITY_ID": directory, "SYSTEM": "Y"}})[0]["ID"]
    assert api.raw("crm.status.delete", {"id": system}).status_code == 400
    assert api.call("crm.status.delete", {"id": stage}) is True


def test_a_stage_with_items_is_not_deleted(api, kind):
    item = add(api, kind)
    (row,) = api.call("crm.status.list", {"filter": {"STATUS_ID": item["stageId"]}})
    answer = api.raw("crm.status.delete", {"id": row["ID"], "params": {"FORCED": "Y"}})
    assert answer.status_code == 400


def test_only_administrators_change_funnels_and_stages(emulator, card, kind):
    manager = Api(emulator, card, 3)
    number = kind["entityTypeId"]
    given = {"ENTITY_ID": f"DYNAMIC_{number}_STAGE_18", "STATUS_ID": "A", "NAME": "A"}
    assert manager.refusal("crm.status.add", {"fields": given}) == (400, "")
    assert manager.refusal("crm.category.add", {"entityTypeId": number, "fields": {"name": "x"}}) == (
        400,
        "ACCESS_DENIED",
    )
    assert manager.call("crm.category.list", {"entityTypeId": number})["categories"]


def test_the_default_funnel_cannot_be_deleted(api, kind):
    number = kind["entityTypeId"]
    (funnel,) = api.call("crm.category.list", {"entityTypeId": number})["categories"]
    assert api.refusal("crm.category.delete", {"entityTypeId": number, "id": funnel["id"]}) == (400, "BX_ERROR")


def test_stages_of_deals_carry_an_extra_object(api):
    rows = api.call("crm.status.list", {"filter": {"ENTITY_ID": "DEAL_STAGE"}})
    assert rows[0]["EXTRA"]["SEMANTICS"] == "process"
    assert api.call("crm.item.get", {"entityTypeId": 2, "id": 1})["item"]["stageSemanticId"] == "P"


# Comments, older methods, duplicates


def test_comments_belong_to_an_item_that_one_may_see(api, emulator, card, kind):
    item = add(api, kind)
    given = {
        "ENTITY_TYPE": f"dynamic_{kind['entityTypeId']}",
        "ENTITY_ID": item["id"],
        "COMMENT": "Бронь № 7, изменение 2",
    }
    number = api.call("crm.timeline.comment.add", {"fields": given})
    (row,) = api.call("crm.timeline.comment.list", {"filter": {k: given[k] for k in ("ENTITY_TYPE", "ENTITY_ID")}})
    assert (row["ID"], row["COMMENT"], row["AUTHOR_ID"]) == (str(number), given["COMMENT"], "1")
    assert api.refusal("crm.timeline.comment.add", {"FIELDS": given}) == (400, 100)
    assert api.refusal("crm.timeline.comment.add", {"fields": {**given, "ENTITY_ID": 99}}) == (400, "OWNER_NOT_FOUND")
    denied = {"ENTITY_TYPE": "deal", "ENTITY_ID": 3, "COMMENT": "x"}
    assert Api(emulator, card, 5).refusal("crm.timeline.comment.add", {"fields": denied}) == (400, "ACCESS_DENIED")


def test_older_methods_speak_capitals_and_strings(api):
    number = api.call(
        "crm.contact.add", {"fields": {"NAME": "Лев", "PHONE": [{"VALUE": "8 (999) 000-00-55", "VALUE_TYPE": "WORK"}]}}
    )
    row = api.call("crm.contact.get", {"id": number})
    assert (row["ID"], row["NAME"], row["PHONE"][0]["VALUE"]) == (str(number), "Лев", "8 (999) 000-00-55")
    assert api.call("crm.deal.update", {"id": 1, "fields": {"TITLE": "Новое"}}) is True
    listed = api.call("crm.deal.list", {"filter": {">ID": 1}, "select": ["ID", "TITLE"], "order": {"ID": "DESC"}})
    assert listed[0] == {"ID": "4", "TITLE": "Репетиции спектакля"}
    assert api.refusal("crm.deal.get", {"id": 99}) == (400, "")


def test_duplicates_are_found_by_phone(api):
    found = api.call("crm.duplicate.findbycomm", {"type": "PHONE", "values": ["89990000002"], "entity_type": "CONTACT"})
    assert found == {"CONTACT": [2]}
    assert api.call("crm.duplicate.findbycomm", {"type": "PHONE", "values": ["123"]}) == []
