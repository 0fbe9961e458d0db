"""Cards under a pointer in a real Chromium: dragged over the kanban, saved by their form."""

# ruff: noqa: F811  # fixtures come from the other browser tests

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from emulator import crm, crm_types, people

from .test_pages_browser import ADMIN, MANAGER, OpenAs, Stage, chromium, open_as, stage  # noqa: F401  # fixtures

pytestmark = pytest.mark.browser

FLAGS = {"isStagesEnabled": "Y", "isClientEnabled": "Y", "isAutomationEnabled": "Y"}


def test_a_card_is_dragged_to_another_column_and_renamed_in_its_form(stage: Stage, open_as: OpenAs) -> None:
    author = crm.Author(ADMIN, time.time())
    kind = crm_types.add_type(stage.portal, {"title": "Брони", **FLAGS}, author)["entityTypeId"]
    item = people.add_item(stage.portal, MANAGER, kind, {"title": "Первая"})
    page = open_as(f"/crm/type/{kind}/kanban/category/0/")
    card = page.locator(f"[data-item='{item['id']}']")
    wanted = item["stageId"].replace("NEW", "CLIENT")
    card.drag_to(page.locator(f"[data-stage='{wanted}']"))
    expect(page.locator(f"[data-stage='{wanted}'] [data-item]")).to_have_count(1)
    row = stage.portal.items[kind][item["id"]]
    assert (row["stageId"], row["movedBy"]) == (wanted, MANAGER)
    people.allow(stage.portal, MANAGER, kind, "read")
    card.drag_to(page.locator(f"[data-stage='{item['stageId']}']"))
    expect(page.locator(".toast.bad")).to_be_visible()
    assert row["stageId"] == wanted
    people.allow(stage.portal, MANAGER, kind, "read update")
    card.click()
    slider = page.frame_locator(".slider iframe")
    slider.get_by_role("link", name="Изменить").click()
    slider.get_by_label("Название").fill("Другая")
    slider.get_by_role("button", name="Сохранить").click()
    expect(slider.get_by_role("heading", name="Другая")).to_be_visible()
    assert row["title"] == "Другая"
