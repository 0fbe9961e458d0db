"""Settings in a real browser: reachable, readable for everybody, and rows that a click adds."""

from __future__ import annotations

import pytest
from playwright.sync_api import FrameLocator, expect

from b24app.ledger import rules
from b24app.ledger.session import transaction
from b24app.scheduling.pricing import Tariff
from tests.browser.conftest import Site, Visitor
from tests.browser.test_pages import findings

FORMS = {"services": "service", "tariffs": "tariff", "policies": "policy"}


def opened(admin: Visitor, name: str) -> FrameLocator:
    """The list of that name, reached as people reach it."""
    admin.menu()
    admin.frame.locator('.top a[href="#resources"]').click()
    admin.frame.locator(f'.tabs a[href="#{name}"]').click()
    admin.frame.locator(f"section#{name}").wait_for()
    return admin.frame


@pytest.mark.parametrize("name", [*FORMS, "access"])
def test_lists_and_forms_are_accessible(admin: Visitor, site: Site, name: str) -> None:
    site.resource()
    frame = opened(admin, name)
    assert findings(admin) == []
    frame.locator(f"#{name} .btn.pri").click()
    form = frame.locator(f"#{FORMS.get(name, name)}-form")
    form.wait_for()
    assert findings(admin) == []
    if name in FORMS:
        form.locator("[type=submit]").click()
        frame.locator("#problems").wait_for()
        assert findings(admin) == []


def test_a_click_adds_one_more_row(admin: Visitor, site: Site) -> None:
    frame = opened(admin, "tariffs")
    frame.locator("#tariffs .btn.pri").click()
    frame.locator("#f-name").fill("Построчный")
    frame.locator("#f-price").fill("100")
    for n, group in enumerate(("Первые", "Вторые", "Третьи")):
        frame.locator(f'[name="rules-{n}-group"]').fill(group)
        frame.locator(f'[name="rules-{n}-price"]').fill(str(n + 1))
        if n:
            frame.locator("#f-rules + [data-add]").click()
    expect(frame.locator('[name="rules-3-weekdays"]').first).to_be_focused()
    frame.locator("#tariff-form [type=submit]").click()
    admin.row("#tariffs", "Построчный").wait_for()
    with transaction(site.engine) as tx:
        (row,) = [one for one in rules.tariffs(tx, site.tenant(tx).id) if one.name == "Построчный"]
    assert [rule.group for rule in Tariff.from_dict(row.body).rules] == ["Первые", "Вторые", "Третьи"]


def test_only_the_fields_of_the_chosen_way_are_shown(admin: Visitor) -> None:
    frame = opened(admin, "services")
    frame.locator("#services .btn.pri").click()
    for mode, shown, hidden in (("slot", "slot_minutes", "minutes"), ("free", "max_minutes", "slot_minutes")):
        frame.locator(f"[name=mode][value={mode}]").check()
        expect(frame.locator(f"#f-{shown}")).to_be_visible()
        expect(frame.locator(f"#f-{hidden}")).to_be_hidden()


def test_a_service_takes_as_many_resources_as_are_added(admin: Visitor, site: Site) -> None:
    made = [site.resource() for _ in range(4)]
    frame = opened(admin, "services")
    frame.locator("#services .btn.pri").click()
    frame.locator("#f-name").fill("Любой из четырёх")
    for n, resource in enumerate(made):
        if n > 1:
            frame.locator("#f-requirements-0-options [data-add]").click()
        frame.locator('[name="requirements-0-options"]').nth(n).select_option(str(resource.id))
    frame.locator("#service-form [type=submit]").click()
    admin.row("#services", "Любой из четырёх").wait_for()
    with transaction(site.engine) as tx:
        portal_id = site.tenant(tx).id
        (service,) = [one for one in rules.services(tx, portal_id) if one.name == "Любой из четырёх"]
        (need,) = rules.needs(tx, portal_id, [service.id])[service.id]
    assert need.options == tuple(one.id for one in made)
