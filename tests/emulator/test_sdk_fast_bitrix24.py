"""``fast_bitrix24``, unmodified, by webhook against an emulator on a real port (it brings its own HTTP client)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fast_bitrix24 import Bitrix
from fast_bitrix24.server_response import ErrorInServerResponseException

from emulator.app import create_emulator
from emulator.seed import WEBHOOK, Hosts, small_world
from emulator.server import Running


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    world = small_world(hosts=Hosts("127.0.0.1", "127.0.0.2"))
    with Running(create_emulator(world), 0) as server:
        world.portal.host = f"127.0.0.1:{server.port}"
        yield server


@pytest.fixture
def bitrix(running) -> Bitrix:
    return Bitrix(f"http://127.0.0.1:{running.port}/rest/1/{WEBHOOK}/", verbose=False)


def test_items_are_added_in_batches_and_listed_beyond_a_page(bitrix):
    added = bitrix.call("crm.item.add", [{"entityTypeId": 3, "fields": {"name": f"Ряд {n}"}} for n in range(120)])
    assert len(added) == 120
    rows = bitrix.get_all("crm.item.list", {"entityTypeId": 3, "filter": {"%name": "Ряд"}, "select": ["id", "name"]})
    assert sorted(row["name"] for row in rows) == sorted(f"Ряд {n}" for n in range(120))


def test_one_item_is_added_read_changed_and_deleted(bitrix):
    made = bitrix.call("crm.item.add", {"entityTypeId": 2, "fields": {"title": "Одна"}})
    changed = bitrix.call("crm.item.update", {"entityTypeId": 2, "id": made["id"], "fields": {"title": "Две"}})
    assert changed["title"] == "Две"
    assert bitrix.call("crm.item.get", {"entityTypeId": 2, "id": made["id"]})["title"] == "Две"
    bitrix.call("crm.item.delete", {"entityTypeId": 2, "id": made["id"]}, raw=True)
    assert not bitrix.get_all("crm.item.list", {"entityTypeId": 2, "filter": {"id": made["id"]}})


def test_older_methods_are_read_by_id_in_batches(bitrix):
    rows = bitrix.get_all("crm.deal.list")
    found = bitrix.get_by_ID("crm.deal.get", [row["ID"] for row in rows])
    assert {key: row["TITLE"] for key, row in found.items()} == {row["ID"]: row["TITLE"] for row in rows}


def test_a_batch_of_its_own_commands(bitrix):
    answer = bitrix.call_batch(
        {"halt": 0, "cmd": {"me": "profile", "deals": "crm.item.list?entityTypeId=2&select[]=id&filter[id]=1"}}
    )
    assert answer["me"]["ID"] == "1"
    assert answer["deals"]["items"] == [{"id": 1}]


def test_a_refused_command_is_told(bitrix):
    with pytest.raises(ErrorInServerResponseException):
        bitrix.call("crm.item.get", {"entityTypeId": 2, "id": 999999})
