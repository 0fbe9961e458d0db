"""The administrators' form for what the portal hears of bookings, and the deal policies of single services."""

from __future__ import annotations

from typing import Any

import pytest

from b24app.ledger.models import Portal, Service
from b24app.ledger.portal_settings import DealPolicy, PortalSettings
from emulator import faults, people_admin
from tests.factories import make_service
from tests.stand import MANAGER, Frame
from tests.web.installed import Installed
from tests.web.test_board import room, words
from tests.web.test_bookings import at_fields, value_of
from tests.web.test_settings import Sent

Form = dict[str, Any]


@pytest.fixture
def admin(installed: Installed) -> Frame:
    return installed.open()


def kept(installed: Installed) -> PortalSettings:
    with installed.tx() as tx:
        return PortalSettings.from_json(tx.get_one(Portal, installed.portal().id).settings)


def sent(frame: Frame, path: str, **changed: Any) -> Form:
    """What a browser sends of the form, with some of it changed; None leaves a field out."""
    found = {**Sent(frame.get(path).text).fields, **changed}
    return {name: value for name, value in found.items() if value is not None}


def massage(installed: Installed) -> int:
    with installed.tx() as tx:
        portal = tx.get_one(Portal, installed.portal().id)
        return make_service(tx, portal, ("room", 1), name="Массаж").id


def test_saved_as_it_came_everything_is_as_usual(installed: Installed, admin: Frame) -> None:
    answer = admin.post("/app/portal", **sent(admin, "/app/portal/edit"))
    assert answer.status_code == 200, at_fields(answer)
    assert kept(installed) == PortalSettings()
    assert "1 ч" in words(answer.text)


def test_everything_that_the_form_says_is_kept(installed: Installed, admin: Frame) -> None:
    funnel = people_admin.add_funnel(installed.stand.world.portal, 1, 2, "Аренда")["id"]
    answer = admin.post(
        "/app/portal",
        **sent(
            admin, "/app/portal/edit", event_deleted="cancel", stage_paid="put_back", client_in_own=None,
            client_in_shared="y", comments=None, deal_mode="create", deal_funnel=str(funnel), deal_products="y",
            deal_confirmed=f"C{funnel}:PREPARATION",
            **{"reminders-0-before": "2", "reminders-0-before-unit": "hours", "reminders-3-before": "1",
               "reminders-3-before-unit": "days"},
        ),
    )  # fmt: skip
    assert answer.status_code == 200, at_fields(answer)
    assert kept(installed) == PortalSettings(
        event_deleted="cancel", stage_paid="put_back", client_in_own=False, client_in_shared=True, comments=False,
        remind_minutes=(120, 1440),
        deal=DealPolicy("create", funnel, {"confirmed": f"C{funnel}:PREPARATION"}, products=True),
    )  # fmt: skip
    assert Sent(admin.get("/app/portal/edit").text).fields["deal_confirmed"] == [f"C{funnel}:PREPARATION"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"event_deleted": "burn"}, "event_deleted"),
        ({"stage_paid": ""}, "stage_paid"),
        ({"deal_mode": "steal"}, "deal_mode"),
        ({"deal_mode": "create", "deal_funnel": "77"}, "deal_funnel"),
        ({"deal_funnel": "x"}, "deal_funnel"),
        ({"deal_paid": "C9:NEW"}, "deal_paid"),
        ({"reminders-0-before": "0"}, "reminders"),
        ({"reminders-0-before": "99", "reminders-0-before-unit": "days"}, "reminders"),
        ({"reminders-1-before": "1", "reminders-1-before-unit": "hours"}, "reminders"),
        ({f"reminders-{n}-before": str(n + 2) for n in range(6)}, "reminders"),
        ({"reminders-0-before": "soon"}, "reminders-0-before"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(installed: Installed, admin: Frame, changed: Form, field: str) -> None:
    answer = admin.post("/app/portal", **sent(admin, "/app/portal/edit", **changed))
    assert (answer.status_code, field in at_fields(answer)) == (422, True)
    assert kept(installed) == PortalSettings()


def test_what_somebody_else_saved_meanwhile_is_not_overwritten(installed: Installed, admin: Frame) -> None:
    mine = sent(admin, "/app/portal/edit", comments=None)
    admin.post("/app/portal", **sent(admin, "/app/portal/edit", stage_paid="put_back"))
    answer = admin.post("/app/portal", **mine)
    assert answer.status_code == 409
    assert kept(installed) == PortalSettings(stage_paid="put_back")
    again = {**mine, "revision": value_of(answer, "revision")}
    assert admin.post("/app/portal", **again).status_code == 200


def test_without_an_answer_of_the_portal_the_form_opens_and_is_not_saved(installed: Installed, admin: Frame) -> None:
    faults.add(installed.stand.world, {"method": "crm.category.list", "kind": "500", "times": 3})
    form = sent(admin, "/app/portal/edit")
    assert admin.post("/app/portal", **form).status_code == 503
    assert kept(installed) == PortalSettings()


def test_a_service_may_have_a_deal_policy_of_its_own_and_lose_it_again(installed: Installed, admin: Frame) -> None:
    room(installed, name="«Ока»")
    path = f"/app/portal/deals/{massage(installed)}"

    def policy() -> Any:
        with installed.tx() as tx:
            return tx.get_one(Service, int(path.rpartition("/")[2])).deal

    answer = admin.post(path, **sent(admin, path, deal_own="y", deal_mode="none", deal_completed="WON"))
    assert answer.status_code == 200, at_fields(answer)
    assert DealPolicy.from_json(policy()) == DealPolicy("none", 0, {"completed": "WON"})
    assert admin.post(path, **sent(admin, path, deal_paid="NOWHERE")).status_code == 422
    assert admin.post(path, **sent(admin, path, deal_own=None)).status_code == 200
    assert policy() is None


@pytest.mark.parametrize("path", ["/app/portal", "/app/portal/edit", "/app/portal/deals/1"])
def test_settings_of_the_portal_are_for_administrators(installed: Installed, path: str) -> None:
    assert installed.open(MANAGER).get(path).status_code == 403
