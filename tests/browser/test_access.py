"""Rights in a real browser: found by a search and given, why something cannot be booked, looking as somebody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from b24app.ledger import rules
from b24app.ledger.session import transaction
from emulator.seed import GROUP
from tests.browser.conftest import Site, Visitor
from tests.browser.test_pages import findings
from tests.browser.test_settings import opened
from tests.stand import EMPLOYEE


@pytest.fixture
def _as_before(site: Site) -> Iterator[None]:
    """The rights that everybody else's tests count on are there again."""
    with transaction(site.engine) as tx:
        before = rules.all_grants(tx, site.tenant(tx).id)
    yield
    with transaction(site.engine) as tx:
        rules.replace_grants(tx, site.tenant(tx).id, before)


@pytest.mark.usefixtures("_as_before")
def test_a_right_is_given_looked_at_and_explained(admin: Visitor, site: Site) -> None:
    room = site.resource(name="«Ока»")
    admin.become(EMPLOYEE).menu()  # the ledger has met him
    admin.become(1)
    frame = opened(admin, "access")
    frame.locator("#access .btn.pri").click()
    frame.locator("#access-q").fill("Ресурсы")
    frame.locator("#access-found .fnd").filter(has_text="Ресурсы").click()
    expect(frame.locator("#f-grants .grant")).to_have_count(2)
    frame.locator('[name="grants-0-right"]').select_option("see")
    assert findings(admin) == []
    frame.locator("#access-form [type=submit]").click()
    frame.locator("#access-form").wait_for(state="detached")
    with transaction(site.engine) as tx:
        given = {(one.code, one.right) for one in rules.all_grants(tx, site.tenant(tx).id)}
    assert given == {("AU", "see"), (f"SG{GROUP}", "book")}

    frame.locator("#look-person").select_option(str(EMPLOYEE))
    frame.locator("form[hx-post$=look-as] button").click()
    expect(frame.locator("#looking")).to_be_visible()
    expect(frame.locator('.top a[href="#resources"]')).to_have_count(0)
    frame.locator(f"#r{room.id} .why").click()
    expect(frame.locator("#why h2")).to_be_visible()
    assert findings(admin) == []
    frame.locator("#why [data-close]").click()
    frame.locator("#looking button").click()
    expect(frame.locator("#looking")).to_have_count(0)
    expect(frame.locator('.top a[href="#resources"]')).to_be_visible()
