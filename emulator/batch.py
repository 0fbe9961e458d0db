"""``batch``: up to fifty commands in one request, with references to earlier results.

Documented in "how-to-call-rest-api/batch". A reference in user text is substituted too: that is a real hazard of the
platform, kept here on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from emulator import phpform
from emulator.call import REGISTER, Call, Page, or_list, php_truth
from emulator.errors import RestError
from emulator.state import Json

LENGTH = 50
# A reference runs to the next whitespace: what is glued behind its last bracket is swallowed.
REFERENCE = re.compile(r"\$(result|error|next|total)(\[\S*)", re.IGNORECASE)
STEP = re.compile(r"\[([^\]]*)\]")
Invoke = Callable[[Call], tuple[Any, Json]]


def commands(params: Json) -> dict[str, Any]:
    """The commands of a batch by key; a list has its positions as keys."""
    given = next((value for key, value in params.items() if key.lower() == "cmd"), None)
    if isinstance(given, dict):
        return given
    return {str(index): one for index, one in enumerate(given)} if isinstance(given, list) else {}


def command_names(params: Json) -> list[str]:
    """The methods named in a batch, for faults and the log."""
    return [_split(one)[0] for one in commands(params).values()]


def _split(command: Any) -> tuple[str, str]:
    name, _, query = str(command).partition("?")
    return name.strip().lower(), query


def run(call: Call, invoke: Invoke) -> Json:
    """Carry out the commands one after the other; the maps of the answer are [] when empty."""
    maps: dict[str, Json] = {"result": {}, "error": {}, "total": {}, "next": {}, "time": {}}
    halt = php_truth(call.arg("halt"))
    for index, (key, command) in enumerate(commands(call.params).items()):
        try:
            _run_one(call, key, command, index, maps, invoke)
        except RestError as error:
            maps["error"][key] = error.body()
            if halt:
                break
    return {
        "result": or_list(maps["result"]),
        "result_error": or_list(maps["error"]),
        "result_total": or_list(maps["total"]),
        "result_next": or_list(maps["next"]),
        "result_time": or_list(maps["time"]),
    }


def _run_one(call: Call, key: str, command: Any, index: int, maps: dict[str, Json], invoke: Invoke) -> None:
    if index >= LENGTH:
        raise RestError("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
    name, query = _split(command)
    if name == "batch":
        raise RestError("ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage", 405)
    if name not in REGISTER:
        raise RestError("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)
    params = substituted(phpform.parse_query(query), maps)
    started = call.world.now()
    result, operating = invoke(replace(call, method=name, params=params, now=started))
    if isinstance(result, Page):
        if result.total is not None:
            maps["total"][key] = result.total
        if result.next is not None:
            maps["next"][key] = result.next
        result = result.result
    maps["result"][key] = result
    maps["time"][key] = _time(call, started, operating)


def _time(call: Call, started: float, operating: Json) -> Json:
    finished = call.world.now()
    return {
        "start": started,
        "finish": finished,
        "duration": finished - started,
        "processing": finished - started,
        "date_start": call.portal.iso(started),
        "date_finish": call.portal.iso(finished),
        **operating,
    }


def substituted(value: Any, maps: dict[str, Json]) -> Any:
    """The value with references replaced, in names and in values, at any depth."""
    if isinstance(value, dict):
        return {str(_scalar(key, maps)): substituted(one, maps) for key, one in value.items()}
    if isinstance(value, list):
        return [substituted(one, maps) for one in value]
    return _scalar(value, maps) if isinstance(value, str) else value


def _scalar(text: str, maps: dict[str, Json]) -> Any:
    if "$" not in text:
        return text
    whole = REFERENCE.fullmatch(text)
    if whole:
        return _resolve(whole, maps)
    return REFERENCE.sub(lambda found: _as_text(_resolve(found, maps)), text)


def _resolve(found: re.Match[str], maps: dict[str, Json]) -> Any:
    """Follow the path as far as it goes; what cannot be resolved stops at the deepest existing level."""
    value: Any = maps[found[1].lower()]
    for step in STEP.findall(found[2]):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            break
    return value


def _as_text(value: Any) -> str:
    """How PHP writes a value into a string; an array becomes the word Array."""
    if isinstance(value, (dict, list)):
        return "Array"
    if value is None or value is False:
        return ""
    return "1" if value is True else str(value)
