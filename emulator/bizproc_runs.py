"""How the robots of a stage run: one after the other, the later ones waiting for an answer or a pause.

A run starts when an item enters a stage that has robots and stops when it leaves it. Robots that need no answer act at
once, inside the change that started them; those of applications are called through the outbox of events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator import bizproc_call, crm, event
from emulator.bizproc_check import automated
from emulator.crm_base import Author
from emulator.errors import RestError
from emulator.state import AppCard, Json, Portal, World, hex_id

ROUNDS = 10  # robots may set each other going so many times
KEPT = 200  # finished runs that the log keeps
RUNNING, WAITING, DONE, STOPPED = "running", "waiting", "done", "stopped"


def entered(portal: Portal, item: Json, author: Author) -> None:
    """An item has entered a stage: what the last stage started stops, the robots of this one start."""
    kind, item_id = item["entityTypeId"], item["id"]
    if portal.world.knobs.robots_stop_on_move:
        stop(portal, kind, item_id)
    steps = [row["id"] for row in placed_on(portal, kind, str(item.get("stageId") or "")) if row["kind"] != "trigger"]
    if steps and automated(portal, kind) and author.depth < ROUNDS:
        run = _new(portal, item, steps, author)
        note(portal, run, f"stage {item['stageId']}")
        _go_on(portal, run)


crm.ENTERED.append(entered)


def placed_on(portal: Portal, entity_type_id: int, stage_id: str) -> list[Json]:
    """What stands on a stage, in the order it was placed."""
    return [row for row in portal.placed if (row["entityTypeId"], row["stageId"]) == (entity_type_id, stage_id)]


def _new(portal: Portal, item: Json, steps: list[int], author: Author) -> Json:
    run: Json = {
        "id": f"{hex_id(14)}.{portal.world.random.randrange(10**8):08d}",
        "entityTypeId": item["entityTypeId"],
        "itemId": item["id"],
        "stageId": item["stageId"],
        "startedBy": author.user_id,
        "startedAt": author.now,
        "depth": author.depth + 1,
        "steps": steps,
        "status": RUNNING,
        "token": "",
        "placed": 0,
        "until": None,
        "values": {},
        "log": [],
    }
    finished = [key for key, row in portal.runs.items() if row["status"] in (DONE, STOPPED)]
    for key in finished[:-KEPT]:
        del portal.runs[key]
    portal.runs[run["id"]] = run
    return run


def note(portal: Portal, run: Json, text: str) -> None:
    run["log"].append({"at": portal.world.now(), "text": text})


def stop(portal: Portal, entity_type_id: int, item_id: int) -> None:
    """End what runs for an item; the tokens of its robots are worth nothing any more."""
    for run in list(portal.runs.values()):
        if (run["entityTypeId"], run["itemId"]) == (entity_type_id, item_id) and run["status"] in (RUNNING, WAITING):
            run["status"] = STOPPED
            note(portal, run, "stopped")
    _set_timers(portal.world)


crm.DELETED.append(stop)


# Going on -------------------------------------------------------------------------------------------------------


def _go_on(portal: Portal, run: Json) -> None:
    """Carry out what is left of a run until it is done, has to wait, or has been stopped by what it did itself."""
    while run["status"] == RUNNING and run["steps"]:
        number = run["steps"].pop(0)
        row = next((one for one in portal.placed if one["id"] == number), None)
        if row is None or not _wanted(portal, run, row):
            continue
        try:
            ACTIONS[row["kind"]](portal, run, row)
        except RestError as error:
            note(portal, run, f"{row['name']}: {error.text or error.code}")
    if run["status"] == RUNNING:
        run["status"] = DONE
    _set_timers(portal.world)


def _wanted(portal: Portal, run: Json, row: Json) -> bool:
    """Is the condition of a robot met? It compares two values as texts; none is always met."""
    when = row.get("when")
    return not when or str(bizproc_call.filled(portal, run, when[0])) == str(bizproc_call.filled(portal, run, when[1]))


def _author(portal: Portal, run: Json) -> Author:
    return Author(run["startedBy"], portal.world.now(), tokens=False, depth=run["depth"])


def _change(portal: Portal, run: Json, fields: Json) -> None:
    crm.update_item(portal, run["entityTypeId"], run["itemId"], fields, _author(portal, run))


def _move(portal: Portal, run: Json, row: Json) -> None:
    note(portal, run, f"{row['name']}: to stage {row['toStage']}")
    _change(portal, run, {"categoryId": row["toCategory"], "stageId": row["toStage"]})


def _set(portal: Portal, run: Json, row: Json) -> None:
    note(portal, run, f"{row['name']}: sets {', '.join(row['fields'])}")
    _change(portal, run, {name: bizproc_call.filled(portal, run, value) for name, value in row["fields"].items()})


def _pause(portal: Portal, run: Json, row: Json) -> None:
    _wait(portal, run, row, "", float(row["seconds"]))
    note(portal, run, f"{row['name']}: pause of {row['seconds']:g} s")


def _call(portal: Portal, run: Json, row: Json) -> None:
    robot = robot_of(portal, row["code"])
    card = _working(portal, robot)
    if robot is None or card is None:
        note(portal, run, f"{row['name']}: {row['code']} is blocked")
        return
    token = bizproc_call.post(portal, card, robot, row, run)
    note(portal, run, f"{row['name']}: {row['code']} called")
    if bizproc_call.waits(robot, row):
        _wait(portal, run, row, token, float(row.get("timeout") or 0))


def robot_of(portal: Portal, code: str) -> Json | None:
    """The registered robot with a code; one of an application added anew counts for what was placed before."""
    return next((row for row in portal.robots if row["CODE"] == code), None)


def _working(portal: Portal, robot: Json | None) -> AppCard | None:
    card = portal.apps.get(robot["client_id"]) if robot else None
    return card if card and card.installed and card.active and not card.payment_expired else None


ACTIONS: dict[str, Callable[[Portal, Json, Json], None]] = {"move": _move, "set": _set, "wait": _pause, "robot": _call}


# Waiting --------------------------------------------------------------------------------------------------------


def _wait(portal: Portal, run: Json, row: Json, token: str, seconds: float) -> None:
    until = portal.world.now() + seconds if seconds or not token else None
    run |= {"status": WAITING, "token": token, "placed": row["id"], "until": until}


def waiting(portal: Portal, token: str) -> Json | None:
    """The run that waits for the answer with this token."""
    run = portal.runs.get(token.partition("|")[0]) if token else None
    return run if run and run["status"] == WAITING and run["token"] == token else None


def answer(portal: Portal, run: Json, given: Json, text: str) -> None:
    """Take over a robot's results (only declared ones, whatever their case) and go on."""
    row = next((one for one in portal.placed if one["id"] == run["placed"]), None)
    robot = robot_of(portal, row["code"]) if row else None
    declared = {code.lower(): code for code in (robot or {}).get("RETURN_PROPERTIES", {})}
    kept = {declared[key.lower()]: value for key, value in given.items() if key.lower() in declared}
    note(portal, run, f"answer {kept}" + (f": {text}" if text else ""))
    _resume(portal, run, kept)


def _resume(portal: Portal, run: Json, values: dict[str, Any]) -> None:
    name = next((row["name"] for row in portal.placed if row["id"] == run["placed"]), "")
    run["values"][name] = values
    run |= {"status": RUNNING, "token": "", "until": None}
    _go_on(portal, run)


def tick(world: World) -> None:
    """Let go on what has waited long enough: pauses that are over, robots that were not answered in time."""
    with world.lock:
        if not world.timers or min(world.timers) > world.now():
            return
        for portal in world.portals.values():
            for run in list(portal.runs.values()):
                if run["status"] == WAITING and run["until"] is not None and run["until"] <= world.now():
                    _time_out(portal, run)
        _set_timers(world)
    world.touch()


event.TICKS.append(tick)


def _time_out(portal: Portal, run: Json) -> None:
    if run["token"]:
        note(portal, run, "timed out")
    _resume(portal, run, {"IsTimeout": 1} if run["token"] else {})


def _set_timers(world: World) -> None:
    """Remember when something has to go on, so that whoever delivers messages wakes up for it."""
    world.timers = [
        run["until"]
        for portal in world.portals.values()
        for run in portal.runs.values()
        if run["status"] == WAITING and run["until"] is not None
    ]
    if world.timers:
        world.outbox_filled.set()
