"""What is said when something is wrong with the whole installation, and what is kept of the portal's answers."""

from __future__ import annotations

import pytest

from emulator import staff
from emulator.faults import add
from tests.stand import ADMIN, MANAGER, SECOND_ADMIN, Frame
from tests.web.installed import Installed
from tests.web.test_board import room
from tests.web.test_frame import reason

LINES = [
    ({"payment_expired": True}, "The application has not been paid for"),
    ({"needs_admin": True}, "an administrator should open this application once"),
    ({"state": "blocked"}, "Bitrix24 no longer knows this application"),
]


@pytest.mark.parametrize(("wrong", "words"), LINES)
def test_board_and_settings_say_in_one_line_what_is_wrong(
    installed: Installed, wrong: dict[str, object], words: str
) -> None:
    room(installed)
    frame = installed.open(ADMIN, LANG="en")
    for path in ("/app/board", "/app/services", "/app/in-step"):
        assert words not in said(frame, path)
    installed.change(**wrong)
    for path in ("/app/board", "/app/services", "/app/in-step"):
        assert said(frame, path).count(words) == 1, path


def said(frame: Frame, path: str) -> str:
    return frame.get(path).text.replace("\xa0", " ")


def test_a_portal_whose_plan_has_no_rest_is_told_apart_from_an_application_that_is_not_paid(
    installed: Installed,
) -> None:
    installed.stand.world.knobs.plan_rest = False
    page = installed.open(MANAGER).page
    assert (page.status_code, reason(page)) == (402, "plan")


def test_who_is_no_administrator_any_more_takes_his_pair_with_him(installed: Installed) -> None:
    installed.open(SECOND_ADMIN)
    staff.set_admin(installed.stand.portal, ADMIN, False)
    installed.open(ADMIN)
    pairs = installed.pairs()
    assert (pairs[ADMIN].dead_reason, pairs[SECOND_ADMIN].dead_at) == ("not_admin", None)
    staff.set_admin(installed.stand.portal, ADMIN, True)
    installed.open(ADMIN)
    assert installed.pairs()[ADMIN].dead_at is None


def test_the_log_shows_what_was_asked_and_answered_without_tokens(installed: Installed) -> None:
    frame = installed.open(MANAGER)
    add(installed.stand.world, {"method": "batch", "kind": "502", "times": 1})
    installed.open(MANAGER)
    app = installed.stand.app
    app.extensions["b24"].calls.flush()
    run = app.test_cli_runner()
    member = installed.stand.portal.member_id
    said = run.invoke(args=["portal", "log", member, "--limit", "2"]).output
    assert [line.split()[2:-2] for line in said.splitlines() if line.endswith(" ms")] == [
        ["batch", "ok"], ["batch", "HTTP", "502", "without", "a", "result"]
    ]  # fmt: skip
    assert "user.current" in said
    assert "Седова" in said
    assert frame.token not in said
    assert "Седова" not in run.invoke(args=["portal", "log", member, "--short"]).output
    assert run.invoke(args=["portal", "log", member, "--method", "crm.nothing"]).output == ""
    assert run.invoke(args=["portal", "log", "unknown"]).exit_code == 1
