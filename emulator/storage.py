"""The world as JSON and in a file: ``dump`` and ``load``, ``save`` and ``read``, and the ``Keeper`` that saves."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import typing
from pathlib import Path

from emulator import state
from emulator.state import Json, World, kept_fields


def dump(value: typing.Any) -> typing.Any:
    """Plain JSON values of a dataclass tree: sets become sorted lists, keys strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {part.name: dump(getattr(value, part.name)) for part in kept_fields(type(value))}
    if isinstance(value, dict):
        return {str(key): dump(one) for key, one in value.items()}
    if isinstance(value, set):
        return sorted(value)
    if isinstance(value, (list, tuple)):
        return [dump(one) for one in value]
    return value


def load(kind: typing.Any, value: typing.Any) -> typing.Any:
    """The reverse of ``dump``, guided by the annotations of the dataclasses."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _load_dataclass(typing.cast(type, kind), value)
    if origin is dict:
        return {arguments[0](key): load(arguments[1], one) for key, one in value.items()}
    if origin is set:
        return set(value)
    if origin is list:
        return [load(arguments[0], one) for one in value]
    return value


def _load_dataclass(kind: type, value: Json) -> typing.Any:
    hints = typing.get_type_hints(kind, vars(state))
    known = {part.name for part in kept_fields(kind)}
    return kind(**{name: load(hints[name], one) for name, one in value.items() if name in known})


def save(world: World, path: Path) -> None:
    """Write the world to a file, whole or not at all."""
    with world.lock:
        text = json.dumps(dump(world), ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(path.suffix + f".{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def read(path: Path) -> World:
    """The world kept in a file; raises FileNotFoundError when there is none."""
    world: World = load(World, json.loads(path.read_text(encoding="utf-8")))
    for portal in world.portals.values():
        portal.world = world
    return world


class Keeper:
    """Writes a world to its file soon after a change, at most once per ``pause`` seconds, and at the end."""

    def __init__(self, world: World, path: Path, pause: float = 1.0) -> None:
        self.world, self.path, self.pause = world, path, pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="emulator-keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what is not yet written and end the thread."""
        self._stop.set()
        self.world.changed.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.world.changed.wait()
            self.world.changed.clear()
            save(self.world, self.path)
            self._stop.wait(self.pause)
        save(self.world, self.path)
