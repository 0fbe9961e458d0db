"""The installer: the same objects in the end, whatever happened on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, select

from b24app.booking import announce
from b24app.ledger.models import ExternalRef, Installation, Portal
from b24app.ledger.session import transaction
from b24app.sync import install, lay_crm
from b24app.sync.laid import LaidCrm
from b24app.sync.lay_automation import ROBOTS, TRIGGERS
from b24app.sync.lay_crm import declaration
from b24app.sync.manifest import manifest
from emulator import crm_types, faults, placement
from emulator.call import REGISTER
from emulator.crm import Author
from emulator.state import AppCard, Json
from emulator.state import Portal as Far
from tests import factories
from tests.stand import ADMIN, APP_URL, EMPLOYEE, Frame, Stand

NAMES = [step.name for step in install.STEPS]


@pytest.fixture
def card(stand: Stand) -> AppCard:
    return stand.add_card()


@dataclass
class Ends:
    """How each step ended."""

    states: dict[str, str]

    @property
    def good(self) -> bool:
        return set(self.states.values()) == {"done"}


def run(frame: Frame, names: list[str] | None = None, **form: str) -> Ends:
    """Runs steps as the page does: one after the other, until one does not end well."""
    states: dict[str, str] = {}
    for name in names or NAMES:
        answer = frame.post(f"/install/steps/{name}", **{"open": "Y", **form})
        assert answer.status_code == 200, answer.text
        states[name] = answer.text.split('data-state="')[1].split('"')[0]
        if states[name] == "failed":
            break
    return Ends(states)


def objects(far: Far) -> Json:
    """Everything that the installer makes, with the portal's own numbers taken out."""
    ours = {kind["title"]: kind for kind in far.types.values() if kind["title"] in ("Ресурсы", "Бронирования")}
    assert len(ours) == len([kind for kind in far.types.values() if kind["title"] in ours]), "a twin"
    return {
        "types": {title: _type(far, kind) for title, kind in ours.items()},
        "fields": sorted(_fields(far, ours)),
        "stages": sorted(_stages(far, ours)),
        "placements": sorted(_placements(far, ours)),
        "events": sorted((row["event"], row["handler"]) for row in far.event_handlers),
        "robots": sorted(_robots(far, ours)),
        "triggers": sorted((row["CODE"], row["NAME"]) for row in far.triggers),
    }


def _placements(far: Far, ours: Json) -> Iterator[tuple[str, ...]]:
    keys = {"Ресурсы": "{resources}", "Бронирования": "{bookings}"}
    for row in far.placements:
        code = row["placement"]
        for title, kind in ours.items():
            code = code.replace(str(kind["entityTypeId"]), keys[title])
        yield code, row["handler"], str(row["langAll"])


def _robots(far: Far, ours: Json) -> Iterator[tuple[str, ...]]:
    own = {title: str(kind["entityTypeId"]) for title, kind in ours.items()}
    for row in far.robots:
        where = [
            kind.replace(own["Бронирования"], "ours") if "Бронирования" in own else kind
            for _, _, kind in row["FILTER"]["INCLUDE"]
        ]
        parts = ("CODE", "HANDLER", "USE_SUBSCRIPTION", "AUTH_USER_ID", "PROPERTIES", "RETURN_PROPERTIES")
        yield *(str(row[part]) for part in parts), str(where)


def _type(far: Far, kind: Json) -> Json:
    parents = [_parent_name(far, row["entityTypeId"]) for row in kind["relations"]["parent"]]
    flags = {name: value for name, value in kind.items() if name.startswith("is")}
    return {"parents": parents, "linked": kind["linkedUserFields"], **flags}


def _parent_name(far: Far, number: int) -> Any:
    return next((kind["title"] for kind in far.types.values() if kind["entityTypeId"] == number), number)


def _fields(far: Far, ours: Json) -> Iterator[tuple[str, ...]]:
    for title, kind in ours.items():
        prefix = f"UF_CRM_{kind['id']}_"
        for row in far.userfields.values():
            if row["entityId"] == f"CRM_{kind['id']}":
                options = ",".join(one["value"] for one in row["enum"])
                yield title, row["fieldName"].removeprefix(prefix), row["userTypeId"], row["multiple"], options


def _stages(far: Far, ours: Json) -> Iterator[tuple[str, ...]]:
    for title, kind in ours.items():
        for row in far.statuses.values():
            if row["ENTITY_ID"].startswith(f"DYNAMIC_{kind['entityTypeId']}_"):
                yield title, row["STATUS_ID"].rpartition(":")[2], row["NAME"], row["SORT"], str(row["SEMANTICS"])


def portal_row(engine: Engine) -> Portal:
    with transaction(engine) as tx:
        return tx.scalars(select(Portal)).one()


def installation_row(engine: Engine) -> Installation:
    with transaction(engine) as tx:
        return tx.scalars(select(Installation).where(Installation.state != "deleted")).one()


@pytest.fixture
def whole(stand: Stand, card: AppCard) -> Json:
    """What a portal holds after an installation without any trouble; then it is forgotten again."""
    assert run(stand.open(card)).good
    return objects(stand.portal)


def test_everything_declared_is_laid_down(whole: Json, stand: Stand, engine: Engine) -> None:
    declared = declaration()
    assert len(whole["fields"]) == sum(len(kind["fields"]) for kind in declared.values())
    stages = {row[1]: row for row in whole["stages"] if row[0] == "Бронирования"}
    assert [stages[one["status"]][2] for one in declared["bookings"]["stages"]] == [
        "Предбронь", "Подтверждено", "Оплачено", "Завершено", "Отменено", "Истекло", "Не явился",
    ]  # fmt: skip
    assert [one[0] for one in whole["placements"]] == sorted(one.code for one in manifest().placements)
    assert [one[0] for one in whole["events"]] == sorted(manifest().events)
    assert [row[0] for row in whole["robots"]] == sorted(ROBOTS.codes)
    assert {(row[2], row[-1]) for row in whole["robots"]} == {("Y", "['DEAL', 'DYNAMIC_ours']")}
    assert [row[0] for row in whole["triggers"]] == sorted(announce.TRIGGERS), "what is fired is registered"
    assert {2, 3, 4, "Ресурсы"} <= set(whole["types"]["Бронирования"]["parents"])
    assert whole["types"]["Бронирования"]["linked"]["CALENDAR_EVENT|UF_CRM_CAL_EVENT"] == "Y"
    row = portal_row(engine)
    laid = LaidCrm.from_json(row.crm)
    assert (row.level, laid.complete, row.calendar["name"]) == ("B", True, "Календарь компании")
    assert laid.bookings is not None
    assert set(laid.stages) == {one["key"] for one in declared["bookings"]["stages"]}
    assert laid.bookings.fields["start_at"] == f"ufCrm{laid.bookings.id}StartAt"
    assert set(laid.need("resources").options["kind"]) == {"room", "hall", "equipment", "specialist", "vehicle"}


def test_the_sort_of_stages_keeps_success_before_failure(whole: Json) -> None:
    rows = [row for row in whole["stages"] if row[0] == "Бронирования"]
    order = [row[4] for row in sorted(rows, key=lambda row: int(row[3]))]
    assert order == ["None"] * 3 + ["S"] + ["F"] * 3


def test_a_second_run_makes_nothing_new(whole: Json, stand: Stand, card: AppCard) -> None:
    before = len(stand.portal.calls)
    assert run(stand.open(card)).good
    writes = {"crm.type.add", "crm.type.update", "userfieldconfig.add", "crm.status.add", "crm.status.update",
              "placement.bind", "placement.unbind", "event.bind", "event.unbind"}  # fmt: skip
    called = [name for call in stand.portal.calls[before:] for name in (call["commands"] or [call["method"]])]
    assert not writes & set(called)
    assert objects(stand.portal) == whole


@pytest.mark.parametrize("killed_after", range(len(NAMES) + 1))
def test_killed_after_any_step_and_run_again(
    whole: Json, app: Flask, now: datetime, engine: Engine, killed_after: int
) -> None:
    fresh = Stand(app, now)
    card = fresh.add_card()
    _forget(engine)
    if killed_after:
        assert run(fresh.open(card), NAMES[:killed_after]).good
    assert run(fresh.open(card)).good
    assert objects(fresh.portal) == whole


def _forget(engine: Engine) -> None:
    with transaction(engine) as tx:
        for row in tx.scalars(select(Portal)):
            tx.delete(row)


WRITES = (
    "crm.type.add", "userfieldconfig.add", "crm.status.update", "crm.status.add", "placement.bind", "event.bind",
    "app.option.set", "bizproc.robot.add", "crm.automation.trigger.add",
)  # fmt: skip


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("kind", ["reset_after", "reset_before", "502"])
def test_a_lost_answer_makes_no_twin(stand: Stand, card: AppCard, method: str, kind: str, engine: Engine) -> None:
    faults.add(stand.world, {"method": method, "kind": kind, "times": 1})
    first = run(stand.open(card))
    assert list(first.states.values())[-1] == "failed"
    assert run(stand.open(card)).good
    found = objects(stand.portal)
    fields = sum(len(kind["fields"]) for kind in declaration().values())
    assert (len(found["types"]), len(found["fields"])) == (2, fields)
    assert (len(found["placements"]), len(found["events"])) == (len(manifest().placements), len(manifest().events))
    assert [row[0] for row in found["robots"]] == sorted(ROBOTS.codes)
    assert [row[0] for row in found["triggers"]] == sorted(TRIGGERS.codes)
    assert [row[2] for row in sorted(found["stages"], key=lambda row: int(row[3])) if row[0] == "Бронирования"] == [
        "Предбронь", "Подтверждено", "Оплачено", "Завершено", "Отменено", "Истекло", "Не явился",
    ]  # fmt: skip
    assert portal_row(engine).level == "B"


def test_two_windows_at_once_make_no_twin(stand: Stand, card: AppCard, whole: Json, app: Flask, now: datetime) -> None:
    fresh = Stand(app, now)
    card = fresh.add_card()
    _forget(app.extensions["b24"].engine)
    frames = [fresh.open(card), fresh.open(card)]
    for frame in frames:
        frame.client = app.test_client()
    for name in NAMES:
        threads = [threading.Thread(target=frame.post, args=(f"/install/steps/{name}",)) for frame in frames]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert run(frames[0]).good
    assert objects(fresh.portal) == whole


# What people did meanwhile ----


def test_what_people_renamed_stays(whole: Json, stand: Stand, card: AppCard) -> None:
    far = stand.portal
    kind = next(kind for kind in far.types.values() if kind["title"] == "Бронирования")
    kind["title"] = "Наши брони"
    stage = next(row for row in far.statuses.values() if row["NAME"] == "Оплачено")
    stage["NAME"], stage["COLOR"] = "Деньги пришли", "#123456"
    field = next(row for row in far.userfields.values() if row["fieldName"].endswith("_START_AT"))
    field["editFormLabel"]["ru"] = "Когда"
    count = (len(far.types), len(far.userfields), len(far.statuses))
    assert run(stand.open(card)).good
    assert (kind["title"], stage["NAME"], stage["COLOR"]) == ("Наши брони", "Деньги пришли", "#123456")
    assert field["editFormLabel"]["ru"] == "Когда"
    assert (len(far.types), len(far.userfields), len(far.statuses)) == count


def test_what_people_deleted_or_switched_off_comes_back(whole: Json, stand: Stand, card: AppCard) -> None:
    far = stand.portal
    kind = next(kind for kind in far.types.values() if kind["title"] == "Бронирования")
    kind["relations"]["parent"] = [{"entityTypeId": 31, "isChildrenListEnabled": "N", "isPredefined": "N"}]
    kind["isDocumentsEnabled"] = "N"
    gone = next(row for row in far.statuses.values() if row["NAME"] == "Истекло")
    del far.statuses[int(gone["ID"])]
    assert run(stand.open(card)).good
    parents = {row["entityTypeId"] for row in kind["relations"]["parent"]}
    assert {2, 3, 4, 31} < parents, "people's own relation stays"
    assert kind["isDocumentsEnabled"] == "N", "what items do not need is theirs to switch off"
    assert [row["NAME"] for row in far.statuses.values() if row["STATUS_ID"].endswith(":EXPIRED")] == ["Истекло"]


# Memory ----


def _lose_memory(engine: Engine) -> None:
    with transaction(engine) as tx:
        tx.scalars(select(Portal)).one().crm = {}


def test_a_lost_memory_is_read_from_the_options(whole: Json, stand: Stand, card: AppCard, engine: Engine) -> None:
    laid = portal_row(engine).crm
    for kind in stand.portal.types.values():
        kind["title"] += "!"
    for row in stand.portal.userfields.values():
        row["xmlId"] = None
    _lose_memory(engine)
    assert run(stand.open(card)).good
    assert {**portal_row(engine).crm, "intent": {}} == {**laid, "intent": {}}


def test_without_any_memory_types_are_found_by_their_fields(
    whole: Json, stand: Stand, card: AppCard, engine: Engine
) -> None:
    laid = portal_row(engine).crm
    for kind in stand.portal.types.values():
        kind["title"] += "!"
    stand.portal.app_options.clear()
    _lose_memory(engine)
    assert run(stand.open(card)).good
    assert {**portal_row(engine).crm, "intent": {}} == {**laid, "intent": {}}


def test_an_empty_type_of_our_title_is_taken_for_ours(stand: Stand, card: AppCard) -> None:
    crm_types.add_type(stand.portal, {"title": "Ресурсы"}, Author(ADMIN, stand.world.now()))
    assert run(stand.open(card)).good
    assert [kind["title"] for kind in stand.portal.types.values()].count("Ресурсы") == 1


def test_somebody_elses_namesake_is_left_alone(stand: Stand, card: AppCard) -> None:
    foreign = crm_types.add_type(stand.portal, {"title": "Ресурсы"}, Author(ADMIN, stand.world.now()))
    name = f"UF_CRM_{foreign['id']}_OWN"
    stand.portal.userfields[1] = {
        "id": "1", "entityId": f"CRM_{foreign['id']}", "fieldName": name, "userTypeId": "string", "xmlId": None,
        "sort": "100", "multiple": "N", "mandatory": "N", "showFilter": "N", "showInList": "Y", "editInList": "Y",
        "isSearchable": "N", "settings": {}, "enum": [], "editFormLabel": {}, "listColumnLabel": {},
        "listFilterLabel": {}, "errorMessage": {}, "helpMessage": {},
    }  # fmt: skip
    assert run(stand.open(card)).good
    fields = [row for row in stand.portal.userfields.values() if row["entityId"] == f"CRM_{foreign['id']}"]
    assert [row["fieldName"] for row in fields] == [name]
    assert len([kind for kind in stand.portal.types.values() if kind["title"] == "Ресурсы"]) == 2


# What a portal may lack ----


def test_a_plan_without_smart_processes_ends_as_level_a(stand: Stand, card: AppCard, engine: Engine) -> None:
    stand.world.knobs.plan_smart_processes = False
    states = run(stand.open(card)).states
    assert {states[name] for name in ("resources", "bookings", "funnel")} == {"unavailable"}
    assert {states[name] for name in ("rights", "calendar", "placements", "events", "finish")} == {"done"}
    codes = {row["placement"] for row in stand.portal.placements}
    assert codes == {one.code for one in manifest().placements if "{" not in one.code}
    row = portal_row(engine)
    assert (row.level, LaidCrm.from_json(row.crm).complete) == ("A", False)
    page = stand.open(card).page.text
    assert "smart process" in page.lower() or "смарт-процесс" in page.lower()


def test_level_b_draws_what_was_booked_before(stand: Stand, card: AppCard, engine: Engine) -> None:
    stand.world.knobs.plan_smart_processes = False
    run(stand.open(card))
    with transaction(engine) as tx:
        portal = tx.scalars(select(Portal)).one()
        room = factories.make_resource(tx, portal, now=stand.now)
        booking = factories.make_booking(tx, portal, room, now=stand.now)
        tx.flush()
        assert [ref.kind for ref in tx.scalars(select(ExternalRef))] == ["event"]
    stand.world.knobs.plan_smart_processes = True
    assert run(stand.open(card)).good
    with transaction(engine) as tx:
        refs = {(ref.kind, ref.resource_id, ref.booking_id, ref.bulk) for ref in tx.scalars(select(ExternalRef))}
    assert ("item", room.id, None, True) in refs
    assert ("item", None, booking.id, True) in refs
    assert len(refs) == 3
    assert portal_row(engine).level == "B"


def test_a_portal_without_automation_goes_without(stand: Stand, card: AppCard, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in REGISTER if name.startswith(("bizproc.", "crm.automation."))]:
        monkeypatch.delitem(REGISTER, name)
    states = run(stand.open(card)).states
    assert (states["automation"], states["finish"]) == ("unavailable", "done")


def test_without_the_permission_there_are_triggers_and_no_robots(stand: Stand, card: AppCard, engine: Engine) -> None:
    card.scopes.remove("bizproc")
    frame = stand.open(card)
    for name in ("resources", "bookings", "funnel", "placements", "events"):
        frame.post(f"/install/steps/{name}", open="Y")
    answer = frame.post("/install/steps/automation")
    assert 'data-state="failed"' in answer.text
    assert "MISSING_SCOPES" in answer.text
    assert (len(stand.portal.triggers), stand.portal.robots) == (len(TRIGGERS.codes), [])
    assert 'data-state="skipped"' in frame.post("/install/steps/automation", skip="1").text


def test_an_installation_of_before_says_what_is_new(whole: Json, stand: Stand, card: AppCard, engine: Engine) -> None:
    placement.finish_install(stand.portal, stand.portal.users[ADMIN], card)
    stand.deliver()
    settled = stand.open(card).get("/app/resources").text
    assert 'data-again="installer"' not in settled
    with transaction(engine) as tx:
        row = tx.scalars(select(Installation)).one()
        row.steps = {name: step for name, step in row.steps.items() if name != "automation"}
    card.scopes.remove("im")
    frame = stand.open(card)
    assert frame.bearer, "it works on"
    page = frame.get("/app/resources").text
    assert 'data-again="installer"' in page
    assert "im" in page.split('role="status"')[1].split("</p>")[0]


def test_missing_scopes_are_named(stand: Stand, card: AppCard) -> None:
    card.scopes.remove("calendar")
    answer = stand.open(card).post("/install/steps/rights")
    assert 'data-state="failed"' in answer.text
    assert "calendar" in answer.text
    assert "MISSING_SCOPES" in answer.text


def test_a_company_calendar_that_he_may_not_write_to_is_none(stand: Stand, card: AppCard, engine: Engine) -> None:
    stand.world.knobs.company_calendar_write = "nobody"
    assert run(stand.open(card)).states["calendar"] == "unavailable"
    assert portal_row(engine).calendar == {"section": None, "name": "", "why": "NOT_WRITABLE"}


def test_only_what_the_rest_can_do_without_is_skipped(stand: Stand, card: AppCard) -> None:
    frame = stand.open(card)
    assert 'data-state="skipped"' in frame.post("/install/steps/calendar", skip="1").text
    assert frame.post("/install/steps/placements", skip="1").status_code == 422
    assert frame.post("/install/steps/nonsense").status_code == 422


def test_the_last_step_waits_for_the_others(stand: Stand, card: AppCard) -> None:
    answer = stand.open(card).post("/install/steps/finish")
    assert "UNFINISHED" in answer.text


def test_what_an_older_version_bound_goes(whole: Json, stand: Stand, card: AppCard) -> None:
    far = stand.portal
    old = dict(far.placements[0]) | {"id": 999, "placement": "CRM_QUOTE_DETAIL_TAB", "handler": APP_URL + "/b24/quote"}
    far.placements.append(old)
    far.placements[1]["langAll"]["ru"]["TITLE"] = "Старое название"
    far.placements[2]["handler"] = "https://old.example.com/b24/x"
    far.event_handlers.append(dict(far.event_handlers[0]) | {"id": 998, "event": "ONCRMDEALADD"})
    far.robots[0]["HANDLER"] = "https://old.example.com/b24/x"
    far.robots.append(dict(far.robots[0]) | {"CODE": "booking.guess"})
    far.triggers[0]["NAME"] = "Старое название"
    far.triggers.append(dict(far.triggers[0]) | {"CODE": "booking.guessed"})
    assert run(stand.open(card)).good
    assert objects(far) == whole


def test_another_applications_bindings_are_left_alone(stand: Stand, card: AppCard) -> None:
    foreign = {
        "id": 77, "client_id": "local.other", "placement": "LEFT_MENU", "userId": 0, "handler": "https://o.example/x",
        "options": {}, "title": "Другое", "description": "", "groupName": "", "langAll": {},
    }  # fmt: skip
    stand.portal.placements.append(foreign)
    assert run(stand.open(card)).good
    assert foreign in stand.portal.placements


# Who may ----


def test_only_an_administrator_installs(stand: Stand, card: AppCard) -> None:
    run(stand.open(card))
    placement.finish_install(stand.portal, stand.portal.users[ADMIN], card)
    frame = stand.open(card, EMPLOYEE)
    assert frame.post("/install/steps/rights").status_code == 403
    assert stand.portal.types


def test_a_step_needs_the_administrators_own_token(stand: Stand, card: AppCard) -> None:
    frame = stand.open(card)
    frame.token = ""
    assert frame.post("/install/steps/rights").status_code == 403
    assert stand.portal.types == {}


@pytest.mark.parametrize(("choice", "flag"), [("Y", "Y"), ("N", "N")])
def test_the_answer_about_open_permissions_is_kept(stand: Stand, card: AppCard, choice: str, flag: str) -> None:
    run(stand.open(card), open=choice)
    assert {kind["isSetOpenPermissions"] for kind in stand.portal.types.values()} == {flag}


def test_english_portals_get_english_titles(stand: Stand, card: AppCard) -> None:
    stand.portal.users[ADMIN].lang = "en"
    assert run(stand.open(card)).good
    assert {kind["title"] for kind in stand.portal.types.values()} == {"Resources", "Bookings"}


def test_a_window_that_did_not_see_the_others_type_finds_it_under_its_number(
    whole: Json, stand: Stand, card: AppCard, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = portal_row(engine).crm["intent"]
    with transaction(engine) as tx:
        tx.scalars(select(Portal)).one().crm = {"intent": intent}
    monkeypatch.setattr(lay_crm, "_found", lambda site, key: None)
    assert run(stand.open(card)).good
    assert objects(stand.portal) == whole
