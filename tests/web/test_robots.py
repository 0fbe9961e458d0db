"""The portal's automation calls our robots: believed with its secret, kept once, answered by the worker."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text

from b24app.ledger.portal_models import RobotCall
from b24app.sync.manifest import manifest
from tests.stand import APP_URL, MANAGER
from tests.web.installed import Installed, everything

TOKEN = "55c1dc1c3f0d75.78875596|A5_5_5|c0ffee.5eed"


def post(installed: Installed, form: Any) -> Any:
    return installed.stand.client.post(manifest().robots_handler, data=form, base_url=APP_URL)


def call(installed: Installed, **changed: Any) -> dict[str, Any]:
    """The form that the platform posts; None takes a field out."""
    portal = installed.stand.portal
    form = {
        "workflow_id": "55c1dc1c3f0d75.78875596",
        "code": "booking.create",
        "document_id[0]": "crm",
        "document_id[1]": "CCrmDocumentDeal",
        "document_id[2]": "DEAL_17",
        "event_token": TOKEN,
        "properties[service]": "Стрижка",
        "properties[resource][0]": "Анна",
        "properties[resource][1]": "",
        "properties[Start]": "25.11.2026 14:00",
        "use_subscription": "Y",
        "timeout_duration": "0",
        "ts": "1795600000",
        "auth[member_id]": portal.member_id,
        "auth[application_token]": installed.card.application_token,
        "auth[user_id]": str(MANAGER),
        **changed,
    }
    return {name: value for name, value in form.items() if value is not None}


def kept(installed: Installed) -> list[RobotCall]:
    with installed.tx() as tx:
        return list(tx.scalars(select(RobotCall).order_by(RobotCall.id)))


def test_a_call_is_kept_and_the_worker_is_woken(installed: Installed) -> None:
    with installed.tx() as tx:
        tx.execute(text("DELETE FROM procrastinate_jobs"))
    assert post(installed, call(installed)).status_code == 200
    (row,) = kept(installed)
    assert (row.code, row.document, row.token, row.user_id, row.waits) == (
        "booking.create", "DEAL_17", TOKEN, MANAGER, True,
    )  # fmt: skip
    assert row.properties == {"service": ["Стрижка"], "resource": ["Анна"], "start": ["25.11.2026 14:00"]}
    with installed.tx() as tx:
        jobs = tx.execute(text("SELECT task_name FROM procrastinate_jobs WHERE status = 'todo'")).scalars().all()
    assert jobs == ["sync.drain"]


def test_what_is_told_twice_is_kept_once(installed: Installed) -> None:
    assert [post(installed, call(installed)).status_code for _ in range(3)] == [200] * 3
    assert len(kept(installed)) == 1
    post(installed, call(installed, event_token=TOKEN + "1"))
    assert len(kept(installed)) == 2


def test_the_token_stands_nowhere_in_clear(installed: Installed) -> None:
    post(installed, call(installed))
    with installed.engine.connect() as connection:
        raw = str(connection.execute(text("SELECT * FROM robot_call")).all())
    assert TOKEN not in raw


@pytest.mark.parametrize(
    "changed",
    [
        {"auth[application_token]": "0" * 32}, {"auth[application_token]": None}, {"auth[member_id]": "f" * 32},
        {"auth[application_token]": "я"},
    ],
)  # fmt: skip
def test_a_call_without_the_secret_changes_nothing(installed: Installed, changed: dict[str, Any]) -> None:
    before = everything(installed.engine)
    assert post(installed, call(installed, **changed)).status_code in (400, 403)
    assert everything(installed.engine) == before


@pytest.mark.parametrize(
    "changed",
    [
        {"event_token": None}, {"event_token": "x" * 2000}, {"event_token": "a b"}, {"code": None}, {"code": "a/b"},
        {"auth[member_id]": None}, {"properties" + "[x]" * 40: "1"}, {f"properties[{n}]": "1" for n in range(1500)},
    ],
)  # fmt: skip
def test_what_could_not_even_be_answered_is_400(installed: Installed, changed: dict[str, Any]) -> None:
    before = everything(installed.engine)
    assert post(installed, call(installed, **changed)).status_code in (400, 413)
    assert everything(installed.engine) == before


@pytest.mark.parametrize(
    ("changed", "document", "properties"),
    [
        ({"properties[service]": None, "properties[resource][0]": None, "properties[resource][1]": None,
          "properties[Start]": None, "properties": "text"}, "DEAL_17", {}),
        ({"document_id[2]": None}, "", None),
        ({"document_id[2]": "DYNAMIC_1032_29", "document_id[3]": "?"}, "DYNAMIC_1032_29", None),
        ({"document_id[0]": None, "document_id[1]": None, "document_id[2]": None, "document_id": "DEAL_3"},
         "DEAL_3", None),
        ({"properties[comment]": "a\x00b" + "я" * 20_000}, "DEAL_17", None),
    ],
)  # fmt: skip
def test_whatever_can_be_answered_is_taken(
    installed: Installed, changed: dict[str, Any], document: str, properties: dict[str, Any] | None
) -> None:
    """Somebody waits for a result: better one that says what is wrong than none."""
    assert post(installed, call(installed, **changed)).status_code == 200
    (row,) = kept(installed)
    assert row.document == document
    assert properties is None or row.properties == properties


def test_head_is_answered(installed: Installed) -> None:
    assert installed.stand.client.head(manifest().robots_handler, base_url=APP_URL).status_code == 200


def test_nothing_of_it_is_logged(installed: Installed, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        post(installed, call(installed))
        post(installed, call(installed, **{"auth[application_token]": "0" * 32}))
    said = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(("b24app", "werkzeug")))
    assert not [word for word in (TOKEN, "Стрижка", installed.card.application_token, "0" * 32) if word in said]
