"""The portal in a file, and the program that serves it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import requests

from emulator.seed import demo_world, second_portal, small_world
from emulator.state import World
from emulator.storage import Keeper, dump, load, read, save

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_world_survives_its_file(tmp_path, api, world):
    api.call("crm.type.add", {"fields": {"title": "Брони"}})
    second_portal(world)
    save(world, tmp_path / "portal.json")
    again = read(tmp_path / "portal.json")
    assert dump(again) == dump(world)
    assert again.portal.crm_denied == {5: {3, 7, 12}}
    assert again.portal.world is again


def test_the_keeper_writes_what_changed_and_ends_with_the_last_word(tmp_path):
    world = small_world()
    keeper = Keeper(world, tmp_path / "kept" / "portal.json", pause=0.01)
    keeper.start()
    world.portal.title = "Переименован"
    world.touch()
    keeper.stop()
    assert read(tmp_path / "kept" / "portal.json").portal.title == "Переименован"


def test_two_demo_worlds_of_one_moment_are_alike():
    def comparable(world: World) -> str:
        text = json.dumps(dump(world)["portals"], sort_keys=True)
        return "".join(part for part in text.split('"') if "@" not in part)

    assert comparable(demo_world(1_795_500_000.0)) == comparable(demo_world(1_795_500_000.0))
    assert load(World, dump(demo_world(0.0))).portal.users[5].last_name == "Лапин"


def test_the_program_prints_what_a_client_needs_and_keeps_its_portal(tmp_path):
    arguments = [sys.executable, "-m", "emulator", "--port", "0", "--state", str(tmp_path / "portal.json")]
    program = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ})
    assert program.stdout is not None
    try:
        lines = [program.stdout.readline() for _ in range(5)]
        shown = dict(line.split(None, 1) for line in lines)
        hook = lines[2].split()[-1]
        assert shown["portal"].startswith("http://localhost:")
        assert "client_secret" in lines[3]
        made = requests.post(
            hook + "crm.item.add", json={"entityTypeId": 2, "fields": {"title": "Осталась"}}, timeout=10
        )
        assert made.json()["result"]["item"]["title"] == "Осталась"
    finally:
        program.send_signal(signal.SIGTERM)
        program.communicate(timeout=10)
    titles = {row["title"] for row in read(tmp_path / "portal.json").portal.items[2].values()}
    assert "Осталась" in titles
