"""``batch``: maps and lists, references, halt, the fifty-first command."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from .conftest import PORTAL


def command(name: str, **params: str) -> str:
    return f"{name}?{urlencode(params)}"


GET_DEAL = "crm.item.get?entityTypeId=2&id=1"
NO_DEAL = "crm.item.get?entityTypeId=2&id=999"


def test_a_later_command_takes_from_an_earlier_answer(api):
    answer = api.call(
        "batch",
        {
            "halt": 1,
            "cmd": {
                "deal": GET_DEAL,
                "people": "user.get?ID=3",
                "note": "crm.timeline.comment.add?fields[ENTITY_TYPE]=deal&fields[ENTITY_ID]=$result[deal][item][id]"
                "&fields[COMMENT]=" + quote("Сделка D_$result[deal][item][id]glued для $result[people][0][NAME] тут"),
            },
        },
    )
    assert answer["result_error"] == []
    comment = api.call("crm.timeline.comment.list", {"filter": {"ENTITY_TYPE": "deal", "ENTITY_ID": 1}})[0]
    assert comment["COMMENT"] == "Сделка D_1 для Анна тут"


def test_a_reference_that_is_the_whole_value_keeps_arrays(api):
    first = "crm.item.add?entityTypeId=2&fields[title]=A&fields[contactIds][]=1&fields[contactIds][]=2"
    second = "crm.item.add?entityTypeId=2&fields[title]=B&fields[contactIds]=$result[a][item][contactIds]"
    answer = api.call("batch", {"cmd": {"a": first, "b": second}})
    assert answer["result"]["b"]["item"]["contactIds"] == [1, 2]


def test_text_of_users_is_substituted_too(api):
    """The hazard that applications have to mind: an unresolved path stops at the deepest level there is."""
    answer = api.call(
        "batch", {"cmd": {"x": GET_DEAL, "y": "crm.item.add?entityTypeId=2&fields[title]=$result[x][id]"}}
    )
    assert answer["result"]["y"]["item"]["title"] == "Array"


def test_without_halt_the_rest_runs_and_with_halt_it_does_not(api):
    commands = {"a": NO_DEAL, "b": GET_DEAL}
    answer = api.call("batch", {"halt": 0, "cmd": commands})
    assert list(answer["result"]) == ["b"]
    assert answer["result_error"]["a"]["error"] == "NOT_FOUND"
    assert api.call("batch", {"halt": 1, "cmd": commands})["result"] == []


def test_the_word_false_in_a_form_is_true(api, emulator):
    form = {"auth": api.token, "halt": "false", "cmd[a]": NO_DEAL, "cmd[b]": GET_DEAL}
    answer = emulator.test_client().post("/rest/batch", data=form, base_url=PORTAL)
    assert answer.json["result"]["result"] == []


def test_a_list_with_a_failed_middle_turns_into_an_object(api):
    whole = api.call("batch", {"cmd": [GET_DEAL, GET_DEAL]})
    assert isinstance(whole["result"], list)
    assert whole["result_error"] == []
    holed = api.call("batch", {"cmd": [GET_DEAL, NO_DEAL, GET_DEAL]})
    assert sorted(holed["result"]) == ["0", "2"]
    assert isinstance(holed["result_time"], dict)


def test_the_fifty_first_command_is_refused_and_fifty_run(api):
    answer = api.call("batch", {"cmd": {f"c{n}": GET_DEAL for n in range(52)}})
    assert len(answer["result"]) == 50
    assert {row["error"] for row in answer["result_error"].values()} == {"ERROR_BATCH_LENGTH_EXCEEDED"}
    assert sorted(answer["result_error"]) == ["c50", "c51"]


def test_lists_report_total_and_next_by_command(api):
    for number in range(60):
        api.call("crm.item.add", {"entityTypeId": 3, "fields": {"name": str(number)}})
    answer = api.call("batch", {"cmd": {"all": "crm.item.list?entityTypeId=3&select[]=id"}})
    assert (answer["result_total"], answer["result_next"]) == ({"all": 63}, {"all": 50})
    assert "operating" in answer["result_time"]["all"]


def test_nested_and_unknown_commands_are_refused_alone(api):
    answer = api.call("batch", {"cmd": {"n": "batch?cmd[a]=profile", "u": "no.such", "ok": "profile"}})
    assert answer["result_error"]["n"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"
    assert answer["result_error"]["u"]["error"] == "ERROR_METHOD_NOT_FOUND"
    assert answer["result"]["ok"]["ID"] == "1"


def test_rights_and_scopes_are_checked_by_command(hook):
    answer = hook.call("batch", {"cmd": {"a": "placement.get", "b": command("crm.item.get", entityTypeId="2", id="1")}})
    assert answer["result_error"]["a"]["error"] == "WRONG_AUTH_TYPE"
    assert answer["result"]["b"]["item"]["id"] == 1
