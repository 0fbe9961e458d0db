"""What is kept of a call shows what happened, and opens no door."""

import json
from typing import Any

import pytest

from b24app.bitrix.client import Command, PortalClient
from b24app.bitrix.record import LONGEST, Exchange, answer_text, masked, sent_text
from b24app.errors import AppError
from tests.bitrix.far_side import PORTAL, Reply, fault, ok, scripted
from tests.bitrix.test_client import Stored, throttle

SECRET = "s3cr3t-Value"


@pytest.mark.parametrize(
    "sent",
    [
        {"auth": SECRET},
        {"AUTH_ID": SECRET, "REFRESH_ID": SECRET},
        {"auth": {"access_token": SECRET, "refresh_token": SECRET, "application_token": SECRET}},
        {"client_secret": SECRET, "EVENT_TOKEN": SECRET, "password": SECRET, "apiKey": SECRET},
        {"cmd": {"a": f"bizproc.event.send?event_token={SECRET}&LOG_MESSAGE=x"}},
        {"cmd": {"a": f"m?auth%5Baccess_token%5D={SECRET}&auth[refresh_token]={SECRET}&fields[TITLE]=x"}},
        {"options": {"laid": json.dumps({"deep": json.dumps({"access_token": SECRET})})}},
        {"url": f"https://portal.example/rest/download.json?auth={SECRET}&token=crm|{SECRET}"},
        {"clientSecret": f'quoted " and \\ {SECRET}'},
    ],
)
def test_no_secret_is_kept_wherever_it_stands(sent: dict[str, Any]) -> None:
    kept = masked(sent_text(sent))
    assert SECRET not in kept
    assert "***" in kept


def test_everything_else_stays_as_it_was() -> None:
    sent = {"fields": {"title": "Анна Седова, токен не при чём", "author": "auth", "n": 5}, "select": ["id", "auth_x"]}
    assert json.loads(masked(sent_text(sent))) == sent


def test_what_stands_beside_a_secret_inside_of_a_string_stays() -> None:
    inner = json.dumps({"access_token": SECRET, "stage": "WON"})
    assert json.loads(json.loads(masked(sent_text({"laid": inner})))["laid"]) == {"access_token": "***", "stage": "WON"}


def test_a_secret_that_is_cut_off_in_the_middle_is_masked_too() -> None:
    body = json.dumps({"result": "x" * (LONGEST - 40), "access_token": SECRET * 20}).encode()
    kept = masked(answer_text(body))
    assert SECRET not in kept
    assert "access_token" in kept


def test_a_long_answer_is_shortened_and_says_how_long_it_was() -> None:
    assert len(answer_text("ы".encode() * 100_000)) < LONGEST + 20
    assert answer_text(b"x" * 100_000).endswith("… (100000)")


def called(*replies: Reply) -> tuple[list[Exchange], PortalClient]:
    http, _ = scripted(*replies)
    kept: list[Exchange] = []
    return kept, PortalClient(http, PORTAL, Stored(), throttle=throttle(), record=kept.append)


def test_every_call_is_recorded_with_what_was_sent_and_answered() -> None:
    kept, portal = called(fault("expired_token", 401), ok({"ID": "5"}), Reply("<html>Bad gateway</html>", 502))
    portal.call("user.get", {"FILTER": {"ID": 5}})
    with pytest.raises(AppError):
        portal.batch({"a": Command("crm.item.get", {"id": 7})})
    assert [(one.method, one.outcome) for one in kept] == [
        ("user.get", "expired_token"), ("user.get", "ok"), ("batch", "HTTP 502 without a result")
    ]  # fmt: skip
    assert json.loads(kept[1].sent) == {"FILTER": {"ID": 5}}
    assert json.loads(kept[1].answer) == {"result": {"ID": "5"}}
    assert "crm.item.get?id=7" in kept[2].sent
    assert kept[2].answer == "<html>Bad gateway</html>"
    assert "access-1" not in "".join(one.masked() + repr(one) for one in kept)
