"""What a portal can answer, and what a caller of ours then sees."""

import contextlib
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import requests
from urllib3.exceptions import NewConnectionError, ProtocolError

from b24app.bitrix.client import Command, FixedToken, PortalClient
from b24app.bitrix.faults import (
    PaymentRequired,
    PlanRefused,
    PortalMoved,
    PortalSilent,
    TokenDead,
    TokenExpired,
    VisitorTokenExpired,
)
from b24app.bitrix.hosts import HostPolicy, HostRefused
from b24app.bitrix.throttle import LocalThrottle
from b24app.bitrix.transport import http_session
from b24app.errors import AppError, InstallationRevoked, PortalUnavailable, RateLimited, Rejected
from tests.bitrix.far_side import PORTAL, Reply, Script, fault, local_server, ok, reply, scripted


class Stored:
    """A stored pair: each refresh gives the next token."""

    def __init__(self) -> None:
        self.number = 1
        self.stale: list[str] = []

    def access_token(self) -> str:
        return f"access-{self.number}"

    def refresh(self, stale: str) -> str:
        self.stale.append(stale)
        self.number += 1
        return self.access_token()


NOW = 1_000_000.0


def throttle() -> LocalThrottle:
    return LocalThrottle(lambda: NOW, lambda seconds: None, burst=10_000, jitter=lambda: 1.0)


def client(*replies: Reply) -> tuple[PortalClient, Script, Stored]:
    http, script = scripted(*replies)
    tokens = Stored()
    return PortalClient(http, PORTAL, tokens, throttle=throttle()), script, tokens


def test_a_call_posts_json_with_the_token_in_the_body() -> None:
    portal, script, _ = client(ok({"item": {"id": 5}}))
    assert portal.call("crm.item.get", {"id": 5, "f": {"a": [1, None, True]}}) == {"item": {"id": 5}}
    assert script.asked[0].method == "POST"
    assert script.asked[0].url == "https://portal.example/rest/crm.item.get"
    assert script.sent() == {"id": 5, "f": {"a": [1, None, True]}, "auth": "access-1"}
    assert script.asked[0].headers["User-Agent"].startswith("b24app")


def test_the_envelope_is_read_with_its_numbers() -> None:
    portal, _, _ = client(ok([], total="120", next=50, time={"operating": 0.2}))
    answer = portal.call_full("crm.contact.list")
    assert (answer.result, answer.total, answer.next, answer.time) == ([], 120, 50, {"operating": 0.2})


@pytest.mark.parametrize("result", [None, False, 0, "", [], {}])
def test_an_empty_result_is_a_result(result: Any) -> None:
    portal, _, _ = client(ok(result))
    assert portal.call("m") == result


UNSURE: list[tuple[Reply, bool]] = [
    (Reply("<html>Bad gateway</html>", 502), True),
    (Reply("<html>maintenance</html>", 200), True),
    (Reply("", 200), True),
    (Reply("[]", 200), True),
    (Reply("[" * 100_000, 200), True),
    (Reply({"time": {}}, 200), True),
    (Reply("<html>Service unavailable</html>", 503), True),
    (Reply({"result": 1}, 500), True),
    (fault("INTERNAL_SERVER_ERROR", 500), True),
    (fault("ERROR_CORE", 500, "SQL query error!"), True),
    (Reply(error=requests.ReadTimeout()), True),
    (Reply(error=requests.ConnectionError(ProtocolError("reset"))), True),
    (Reply("", 302, {"Location": "/login/"}), False),
    (Reply("", 302, {"Location": "https://portal.example/maintenance"}), False),
    (fault("CONNECTION_ERROR", 500), False),
    (fault("OVERLOAD_LIMIT", 503), False),
    (fault("PORTAL_DELETED", 403), False),
]


@pytest.mark.parametrize(("answer", "uncertain"), UNSURE)
def test_a_portal_that_does_not_answer_properly(answer: Reply, uncertain: bool) -> None:
    portal, script, _ = client(answer)
    with pytest.raises(PortalUnavailable) as failed:
        portal.call("crm.item.add")
    assert failed.value.uncertain is uncertain
    assert len(script.asked) == 1  # never repeated by itself: it may have acted


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("QUERY_LIMIT_EXCEEDED", 503, RateLimited),
        ("OPERATION_TIME_LIMIT", 429, RateLimited),
        ("ERROR_OAUTH", 401, InstallationRevoked),
        ("APPLICATION_NOT_FOUND", 401, InstallationRevoked),
        ("NOT_INSTALLED", 401, InstallationRevoked),
        ("authorization_error", 401, TokenDead),
        ("user_access_error", 403, TokenDead),
        ("PAYMENT_REQUIRED", 401, PaymentRequired),
    ],
)
def test_codes_with_a_meaning_of_their_own(code: str, status: int, kind: type[AppError]) -> None:
    for spelled in (code, code.lower(), code.upper()):
        portal, _, _ = client(fault(spelled, status))
        with pytest.raises(kind):
            portal.call("m")


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("REST is available only on commercial plans.", PlanRefused),
        ("REST API доступен только на коммерческих тарифах", PlanRefused),
        ("Access denied! Application context required", Rejected),
        ("", Rejected),
    ],
)
def test_a_plan_without_rest_is_told_from_a_person_without_a_right(words: str, kind: type[AppError]) -> None:
    portal, _, _ = client(fault("ACCESS_DENIED", 403, words))
    with pytest.raises(Rejected) as refused:
        portal.call("m")
    assert type(refused.value) is kind


@pytest.mark.parametrize(
    ("code", "status", "seen"),
    [
        ("ACCESS_DENIED", 403, "ACCESS_DENIED"),
        ("METHOD_CONFIRM_WAITING", 401, "METHOD_CONFIRM_WAITING"),
        ("INVALID_CREDENTIALS", 403, "INVALID_CREDENTIALS"),
        ("insufficient_scope", 401, "insufficient_scope"),
        ("CREATE_DYNAMIC_TYPE_RESTRICTED", 400, "CREATE_DYNAMIC_TYPE_RESTRICTED"),
        ("NOT_FOUND", 200, "NOT_FOUND"),
        ("", 400, ""),
        (0, 400, "0"),
        ("0", 400, "0"),
        (100, 400, "100"),
        (None, 400, ""),
    ],
)
def test_every_other_code_is_a_refusal_in_its_own_words(code: Any, status: int, seen: str) -> None:
    portal, _, _ = client(fault(code, status, "нет прав"))
    with pytest.raises(Rejected) as refused:
        portal.call("m")
    assert (refused.value.code, refused.value.description) == (seen, "нет прав")
    assert str(refused.value) == seen, "the portal's words stay out of logs"


def test_too_fast_says_how_long_to_wait() -> None:
    soon = {"operating": 400.0, "operating_reset_at": NOW + 90}
    portal, _, _ = client(ok(1, time=soon), fault("OPERATION_TIME_LIMIT", 429), fault("QUERY_LIMIT_EXCEEDED", 503))
    portal.call("crm.item.add")
    with pytest.raises(RateLimited) as blocked:
        portal.call("crm.item.add")
    with pytest.raises(RateLimited) as too_many:
        portal.call("profile")
    assert (blocked.value.delay, too_many.value.delay) == (90, 2)


def test_a_page_that_says_too_many_requests_is_certain() -> None:
    portal, _, _ = client(Reply("<html>Too many requests</html>", 429))
    with pytest.raises(RateLimited):
        portal.call("crm.item.add")


@pytest.mark.parametrize("code", ["expired_token", "NO_AUTH_FOUND", "invalid_token"])
def test_a_stale_token_is_refreshed_once_and_the_call_repeated(code: str) -> None:
    portal, script, tokens = client(fault(code, 401), ok("done"))
    assert portal.call("m", {"a": 1}) == "done"
    assert tokens.stale == ["access-1"]
    assert script.sent() == {"a": 1, "auth": "access-2"}


@pytest.mark.parametrize(
    ("code", "kind"),
    [("expired_token", TokenExpired), ("NO_AUTH_FOUND", InstallationRevoked), ("invalid_token", TokenDead)],
)
def test_a_fresh_token_that_is_refused_too_is_believed(code: str, kind: type[AppError]) -> None:
    portal, script, _ = client(fault(code, 401), fault(code, 401))
    with pytest.raises(kind):
        portal.call("m")
    assert len(script.asked) == 2


def test_a_visitors_token_is_his_pages_to_renew() -> None:
    http, _ = scripted(fault("NO_AUTH_FOUND", 401))
    portal = PortalClient(http, PORTAL, FixedToken("visitor-secret"), throttle=throttle())
    with pytest.raises(VisitorTokenExpired):
        portal.call("profile")
    assert "visitor-secret" not in repr(FixedToken("visitor-secret"))


def test_a_renamed_portal_is_reported_and_not_followed() -> None:
    portal, script, _ = client(Reply("", 302, {"Location": "https://new.example/rest/m"}))
    with pytest.raises(PortalMoved) as moved:
        portal.call("m")
    assert (moved.value.host, moved.value.uncertain, len(script.asked)) == ("new.example", False, 1)


MOVED = Reply("", 302, {"Location": "https://claimed.example/rest/m"})


def moving(address: str | None, *replies: Reply) -> tuple[PortalClient, Script, list[str]]:
    """A client whose authorization server says that the portal is at `address`."""
    http, script = scripted(*replies)
    asked: list[str] = []

    def where(token: str) -> str | None:
        asked.append(token)
        return address

    return PortalClient(http, PORTAL, Stored(), throttle=throttle(), moved_to=where), script, asked


def test_a_renamed_portal_is_followed_to_where_the_authorization_server_says_it_is() -> None:
    portal, script, asked = moving("https://new.example/rest/", MOVED, ok(1), ok(2))
    assert [portal.call("m"), portal.call("m")] == [1, 2]
    assert [request.url for request in script.asked] == [
        "https://portal.example/rest/m", "https://new.example/rest/m", "https://new.example/rest/m"
    ]  # fmt: skip
    assert asked == ["access-1"]


@pytest.mark.parametrize("address", [None, PORTAL])
def test_a_name_that_nobody_confirms_gets_no_token(address: str | None) -> None:
    portal, script, _ = moving(address, MOVED)
    with pytest.raises(PortalMoved):
        portal.call("m")
    assert len(script.asked) == 1


def test_a_portal_that_moves_in_circles_is_followed_once() -> None:
    portal, script, _ = moving("https://new.example/rest/", MOVED, MOVED)
    with pytest.raises(PortalMoved):
        portal.call("m")
    assert len(script.asked) == 2


def test_an_address_that_may_not_be_called_is_refused_whoever_names_it() -> None:
    portal, script, _ = moving("https://10.0.0.1/rest/", MOVED)
    with pytest.raises(HostRefused):
        portal.call("m")
    assert len(script.asked) == 1


def test_a_portal_that_begins_to_use_https_has_moved() -> None:
    portal, _, _ = client(Reply("", 301, {"Location": "http://portal.example/rest/m"}))
    with pytest.raises(PortalMoved):
        portal.call("m")


def test_an_endpoint_is_checked_before_anything_is_sent() -> None:
    http, script = scripted()
    with pytest.raises(HostRefused):
        PortalClient(http, "http://portal.example/rest/", Stored(), throttle=throttle())
    assert script.asked == []


# Batches


def batch_answer(results: Any = (), errors: Any = (), times: Any = ()) -> Reply:
    parts = {"result": results, "result_error": errors, "result_total": [], "result_next": [], "result_time": times}
    return ok({name: list(part) if part == () else part for name, part in parts.items()})


def test_a_batch_gives_each_command_its_result_or_its_error() -> None:
    denied = {"error": "ACCESS_DENIED", "error_description": "нет"}
    limited = {"error": "OPERATION_TIME_LIMIT", "error_description": ""}
    portal, script, _ = client(batch_answer({"a": {"item": {"id": 1}}}, {"b": denied, "c": limited}))
    commands = {key: Command("crm.item.add", {"fields": {"title": f"Зал {key}"}}) for key in "abc"}
    done = portal.batch(commands)
    assert done.results == {"a": {"item": {"id": 1}}}
    assert isinstance(done.errors["b"], Rejected)
    assert done.errors["b"].code == "ACCESS_DENIED"
    assert isinstance(done.errors["c"], RateLimited)
    assert done.errors["c"].delay == 60
    assert done.not_run == ()
    assert script.sent()["cmd"]["a"] == "crm.item.add?fields%5Btitle%5D=%D0%97%D0%B0%D0%BB+a"
    assert script.sent()["halt"] == 0


def test_phps_lists_for_maps_are_read_as_maps() -> None:
    portal, _, _ = client(batch_answer(["x", None]))
    assert portal.batch({"0": Command("m"), "1": Command("m")}).results == {"0": "x", "1": None}
    portal, _, _ = client(batch_answer(errors=[{"error": "", "error_description": "нет"}]))
    refused = portal.batch({"0": Command("m")}).errors["0"]
    assert isinstance(refused, Rejected)
    assert refused.code == ""


def test_what_halt_left_undone_is_named() -> None:
    portal, script, _ = client(batch_answer({"a": 1}, {"b": {"error": "X"}}))
    done = portal.batch({key: Command("m") for key in "abc"}, halt=True)
    assert (done.not_run, script.sent()["halt"]) == (("c",), 1)


def test_a_command_that_was_not_answered_may_have_been_carried_out() -> None:
    portal, _, _ = client(batch_answer({"a": 1}))
    done = portal.batch({key: Command("m") for key in "ab"})
    silence = done.errors["b"]
    assert isinstance(silence, PortalUnavailable)
    assert (silence.uncertain, done.not_run) == (True, ())


def test_an_empty_batch_asks_nothing() -> None:
    portal, script, _ = client()
    assert portal.batch({}).results == {}
    assert script.asked == []


def test_the_fifty_first_command_is_our_own_mistake() -> None:
    portal, script, _ = client()
    with pytest.raises(ValueError, match="50"):
        portal.batch({str(n): Command("m") for n in range(51)})
    assert script.asked == []


def test_a_batch_with_an_expired_token_is_repeated_whole() -> None:
    portal, script, _ = client(fault("expired_token", 401), batch_answer({"a": 1}))
    assert portal.batch({"a": Command("m")}).results == {"a": 1}
    assert len(script.asked) == 2


def test_operating_time_of_commands_is_noted() -> None:
    times = {"a": {"operating": 481, "operating_reset_at": NOW + 30}}
    portal, _, _ = client(batch_answer({"a": 1}, times=times))
    portal.batch({"a": Command("crm.item.add")})
    with pytest.raises(RateLimited):
        portal.batch({"b": Command("profile"), "c": Command("crm.item.add")})


HAZARD = {"fields": {"title": "$result[x][id]"}}


def test_text_that_looks_like_a_reference_goes_alone_and_verbatim() -> None:
    portal, script, _ = client(batch_answer({"a": 1}), ok({"item": {"id": 2}}))
    done = portal.batch({"x": Command("crm.item.add", HAZARD), "a": Command("crm.item.add", {"fields": {}})})
    assert done.results == {"a": 1, "x": {"item": {"id": 2}}}
    assert list(script.sent(0)["cmd"]) == ["a"]
    assert script.sent(1)["fields"] == HAZARD["fields"]


def test_a_meant_reference_stays_in_the_batch() -> None:
    portal, script, _ = client(batch_answer({"a": 1, "b": 2}))
    link = Command("crm.item.update", {"id": "$result[a][item][id]"}, references=True)
    portal.batch({"a": Command("crm.item.add"), "b": link})
    assert "result%5Ba%5D" in script.sent()["cmd"]["b"]
    with pytest.raises(ValueError, match="alone"):
        portal.batch({"a": Command("crm.item.add", HAZARD), "b": link})


def test_a_call_alone_that_fails_does_not_lose_what_was_done() -> None:
    portal, script, _ = client(batch_answer({"a": 1}), fault("ACCESS_DENIED"), Reply(error=requests.ReadTimeout()))
    hazards = {key: Command("crm.item.add", HAZARD) for key in "xyz"}
    done = portal.batch({**hazards, "a": Command("m")})
    assert done.results == {"a": 1}
    assert isinstance(done.errors["x"], Rejected)
    assert isinstance(done.errors["y"], PortalUnavailable)
    assert (done.not_run, len(script.asked)) == (("z",), 3)


def test_a_call_alone_that_fails_first_raises() -> None:
    portal, _, _ = client(Reply(error=requests.ReadTimeout()))
    with pytest.raises(PortalUnavailable):
        portal.batch({"x": Command("crm.item.add", HAZARD)})


def test_only_the_call_alone_that_was_sent_is_uncertain() -> None:
    portal, script, _ = client(Reply(error=requests.ReadTimeout()))
    done = portal.batch({key: Command("crm.item.add", HAZARD) for key in "xy"})
    assert (list(done.errors), done.not_run, len(script.asked)) == (["x"], ("y",), 1)


# Lists


def rows(first: int, count: int) -> list[dict[str, Any]]:
    return [{"id": number} for number in range(first, first + count)]


def test_a_list_by_id_goes_on_until_a_page_is_not_full() -> None:
    portal, script, _ = client(ok({"items": rows(1, 50)}), ok({"items": rows(51, 3)}))
    wanted = {"entityTypeId": 1042, "filter": {"=xmlId": "x"}}
    assert [row["id"] for row in portal.list_all("crm.item.list", wanted, "items", by_id="id")] == list(range(1, 54))
    assert script.sent(1) == {
        **wanted, "filter": {"=xmlId": "x", ">id": 50}, "order": {"id": "ASC"}, "start": -1, "auth": "access-1"
    }  # fmt: skip


def test_a_list_by_start_follows_next() -> None:
    portal, script, _ = client(ok(rows(1, 50), next=50, total=51), ok(rows(51, 1), total=51))
    assert len(list(portal.list_all("crm.status.list"))) == 51
    assert [script.sent(number)["start"] for number in (0, 1)] == [0, 50]


@pytest.mark.parametrize("empty", [{"items": []}, [], {"items": {}}])
def test_an_empty_list_in_any_spelling(empty: Any) -> None:
    portal, _, _ = client(ok(empty))
    assert list(portal.list_all("crm.item.list", {}, "items", by_id="id")) == []


@pytest.mark.parametrize("page", [[{"ID": 5}] * 50, [{"id": 0}] * 50, ["x"] * 50])
def test_a_page_that_does_not_lead_on_ends_the_list(page: list[Any]) -> None:
    portal, _, _ = client(ok(page))
    with pytest.raises(PortalUnavailable):
        list(portal.list_all("m", by_id="id"))


def test_a_list_of_no_list_is_a_wrong_answer() -> None:
    portal, _, _ = client(ok(None))
    with pytest.raises(PortalUnavailable):
        list(portal.list_all("m"))


# The real transport

OPEN = HostPolicy((), allow_http=True, allow_private=True)


def real(port: int, timeout: tuple[float, float] = (1, 5), limit: LocalThrottle | None = None) -> PortalClient:
    return PortalClient(
        http_session(OPEN), f"http://127.0.0.1:{port}/rest/", Stored(), throttle=limit or throttle(), timeout=timeout
    )


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True


def half(request: BaseHTTPRequestHandler) -> None:
    reply(request, 200, '{"result":', **{"Content-Length": "100"})
    request.close_connection = True


def endless(request: BaseHTTPRequestHandler) -> None:
    reply(request, 200, " " * (17 * 1024 * 1024))


@pytest.mark.parametrize("handle", [hang_up, half, endless])
def test_a_connection_that_breaks_after_sending_is_uncertain(handle: Callable[[BaseHTTPRequestHandler], None]) -> None:
    with local_server(handle) as port, pytest.raises(PortalUnavailable) as failed:
        real(port).call("crm.item.add")
    assert failed.value.uncertain


def silent(request: BaseHTTPRequestHandler) -> None:
    request.rfile.read(1)  # until the client goes away


def half_and_silent(request: BaseHTTPRequestHandler) -> None:
    reply(request, 200, '{"result":', **{"Content-Length": "100"})
    silent(request)


@pytest.mark.parametrize("handle", [silent, half_and_silent])
def test_silence_costs_one_timeout_is_uncertain_and_noted(handle: Callable[[BaseHTTPRequestHandler], None]) -> None:
    class Noting(LocalThrottle):
        def silent(self) -> float:
            return 30

    with local_server(handle) as port:
        portal = real(port, (1, 0.2), Noting(lambda: NOW, lambda seconds: None))
        with pytest.raises(PortalSilent) as failed:
            portal.call("crm.item.add")
    assert (failed.value.uncertain, failed.value.delay) == (True, 30)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n"


@pytest.mark.parametrize("begin", [HEAD + b"X-Slow: ", HEAD + b"\r\n"])
def test_an_answer_that_drips_costs_one_timeout_and_is_uncertain(begin: bytes) -> None:
    over = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        request.wfile.write(begin)
        with contextlib.suppress(OSError):
            while not over.wait(0.05):
                request.wfile.write(b" ")

    began, limit = time.monotonic(), threading.Timer(5, over.set)
    limit.start()
    with local_server(drip) as port, pytest.raises(PortalUnavailable) as failed:
        real(port, (1, 0.3)).call("crm.item.add")
    limit.cancel()
    assert failed.value.uncertain
    assert time.monotonic() - began < 2


def test_a_connection_is_used_again_with_its_whole_patience() -> None:
    with local_server(lambda request: reply(request, 200, '{"result": 1}')) as port:
        portal = real(port, (1, 0.3))
        began = time.monotonic()
        while time.monotonic() - began < 0.5:
            assert portal.call("m") == 1


def test_a_closed_port_is_certain() -> None:
    with local_server(hang_up) as port:
        pass
    with pytest.raises(PortalUnavailable) as failed:
        real(port).call("crm.item.add")
    assert not failed.value.uncertain
    assert failed.value.reason == NewConnectionError.__name__


def test_no_redirect_carries_the_token_to_another_host() -> None:
    reached: list[str] = []

    def elsewhere(request: BaseHTTPRequestHandler) -> None:
        reached.append(request.path)
        reply(request, 200, '{"result": 1}')

    with local_server(elsewhere) as other:
        target = f"http://127.0.0.1:{other}/rest/m"
        statuses = [301, 302, 303, 307, 308, 307]
        with local_server(lambda request: reply(request, statuses.pop(), "", Location=target)) as port:
            assert http_session(OPEN).post(f"http://127.0.0.1:{port}/rest/m").status_code == 307
            while statuses:
                with pytest.raises(PortalMoved) as moved:
                    real(port).call("m")
                assert moved.value.host == f"127.0.0.1:{other}"
    assert reached == []


def test_one_connection_serves_many_calls_and_no_cookie_is_kept() -> None:
    seen: list[tuple[int, str | None]] = []

    def note(request: BaseHTTPRequestHandler) -> None:
        seen.append((request.client_address[1], request.headers.get("Cookie")))
        reply(request, 200, '{"result": 1}', **{"Set-Cookie": "PHPSESSID=1; path=/"})

    with local_server(note) as port:
        portal = real(port)
        for _ in range(3):
            portal.call("profile")
    assert len({source for source, _ in seen}) == 1
    assert {cookie for _, cookie in seen} == {None}
