"""REST of a portal: addresses, who calls, the order of checks, the envelope.

Facts: "how-to-call-rest-api" and "error-codes" of the documentation. The order of checks is: the method exists, token,
plan, application, payment, scope, user, the user's access to the application, limits.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, current_app, request

from emulator import authorization, batch, faults, limits, oauth, phpform
from emulator.call import REGISTER, Call, Method, Page
from emulator.errors import RestError
from emulator.lines import reset
from emulator.state import AppCard, Fault, Json, Portal, World

blueprint = Blueprint("rest", __name__)

HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "origin, content-type, accept",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "X-Content-Type-Options": "nosniff",
}
SECRET_PARAMS = ("auth", "access_token")


@blueprint.route("/rest/", defaults={"path": ""}, methods=["GET", "POST", "OPTIONS"])
@blueprint.route("/rest/<path:path>", methods=["GET", "POST", "OPTIONS"])
def entry(path: str) -> Response:
    """Every REST address: of a portal, or of the authorization server, told apart by host."""
    world: World = current_app.emulator.world  # type: ignore[attr-defined]
    if request.method == "OPTIONS":
        return Response("", 200, HEADERS)
    segments = [part for part in path.split("/") if part]
    name = (segments or [""])[-1].lower().removesuffix(".json").removesuffix(".xml")
    portal = world.portal_by_host(request.host)
    if portal is None:
        return _elsewhere(world, name)
    if portal.deleted:
        return _reply(RestError("PORTAL_DELETED", "Portal was deleted").body(), 500)
    if segments[:1] == ["api"]:
        return _reply({"error": {"code": "BITRIX_REST_V3_EXCEPTION_METHODNOTFOUNDEXCEPTION", "message": name}}, 404)
    return Request(world, portal, segments[:-1], name, phpform.request_params(request)).answer()


def _elsewhere(world: World, name: str) -> Response:
    """A host that is no portal: the authorization server, a portal's former name, or nobody."""
    if world.is_auth_host(request.host):
        return _authorization_server(world, name)
    renamed = world.renamed_portal(request.host)
    if renamed is None:
        return Response("<h1>No such portal</h1>", 404, mimetype="text/html")
    return Response("", 302, {"Location": f"{renamed.origin}{request.full_path.removesuffix('?')}"})


def _authorization_server(world: World, name: str) -> Response:
    """The authorization server knows one method, and its answer differs from the portal's of the same name."""
    params = phpform.request_params(request)

    def action() -> Response:
        started = world.now()
        try:
            if name != "app.info":
                raise _unknown_method()
            with world.lock:
                result = authorization.server_app_info(world, presented_token(params), started)
        except RestError as error:
            return _reply(error.body(), error.status)
        return _reply({"result": result, "time": time_block(world.portal, started, world.now())}, 200)

    return faults.around(world, f"oauth/{name}", action)


def _unknown_method() -> RestError:
    return RestError("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)


def presented_token(params: Json) -> str:
    """The access token of a request: parameter, alternative parameter, or bearer header."""
    header = request.headers.get("Authorization", "")
    bearer = header[7:].strip() if header.lower().startswith("bearer ") else ""
    return str(params.get("auth") or params.get("access_token") or bearer)


def _reply(body: Json, status: int, headers: Json | None = None) -> Response:
    text = json.dumps(body, ensure_ascii=False, default=str)
    return Response(text, status, {**HEADERS, **(headers or {})}, mimetype="application/json")


def time_block(portal: Portal, started: float, finished: float, operating: Json | None = None) -> Json:
    """The ``time`` part of an answer; errors carry none."""
    return {
        "start": started,
        "finish": finished,
        "duration": finished - started,
        "processing": finished - started,
        "date_start": portal.iso(started),
        "date_finish": portal.iso(finished),
        **(operating or {}),
    }


class Request:
    """One HTTP request to a portal's REST, from its faults to its envelope."""

    def __init__(self, world: World, portal: Portal, prefix: list[str], name: str, params: Json) -> None:
        self.world, self.portal, self.prefix, self.name = world, portal, prefix, name
        self.token = presented_token(params)
        self.params = {key: value for key, value in params.items() if key not in SECRET_PARAMS}
        self.started = world.now()
        self.struck: list[Fault] = []
        self.entry: Json = {"at": self.started, "method": name, "params": self.params, "commands": []}

    def answer(self) -> Response:
        names = [self.name, *(batch.command_names(self.params) if self.name == "batch" else ())]
        self.entry["commands"] = names[1:]
        self.struck = faults.strikes(self.world, names, self.portal)
        self.entry["faults"] = [fault.kind for fault in self.struck]
        try:
            early = faults.before(self.world, self.struck)
            if early is not None:
                self._log(early.status_code, None)
                return early
            body, status = self._result(), 200
        except RestError as error:
            body, status = error.body(), error.status
        except faults.Cut:
            self._log(500, "cut")
            return reset()
        self._log(status, body.get("error"))
        return faults.after(self.world, self.struck, self._envelope(body, status))

    def _envelope(self, body: Json, status: int) -> Response:
        headers = {"X-Bitrix-Rest-Time": f"{self.world.now() - self.started:.10f}"}
        if self.entry.get("client_id"):
            headers["X-Bitrix-Rest-Application"] = self.entry["client_id"]
        return _reply(body, status, headers)

    def _result(self) -> Json:
        if self.name != "batch" and self.name not in REGISTER:
            raise _unknown_method()
        call = self._authorized()
        self.entry |= {"user_id": call.user.id, "client_id": call.client_id}
        limits.count_request(self.portal, call.address, call.now)
        pause(self.world, self.world.knobs.request_ms)
        if self.name == "batch":
            result: Any = batch.run(call, lambda one: invoke(one, self.entry))
            operating: Json = {}
        else:
            result, operating = invoke(call, self.entry, extra_ms=self.world.knobs.request_ms)
        body = {"result": result.result if isinstance(result, Page) else result}
        if isinstance(result, Page):
            body |= {"next": result.next} if result.next is not None else {}
            body |= {"total": result.total} if result.total is not None else {}
        return body | {"time": time_block(self.portal, self.started, self.world.now(), operating)}

    def _authorized(self) -> Call:
        if self.prefix:
            return self._webhook()
        token = oauth.live_token(self.world, self.token, self.started)
        if token.member_id != self.portal.member_id:
            raise RestError("NO_AUTH_FOUND", "Wrong authorization data", 401)
        _check_plan(self.world)
        card = self.portal.apps.get(token.client_id)
        _check_card(card)
        user = self.portal.user(token.user_id)
        scopes = frozenset(filter(None, token.scope.split(",")))
        self._check_scope(scopes)
        if user is None or not user.active:
            raise RestError("authorization_error", "Unable to authorize user", 401)
        if card is not None and user.id in card.denied_users:
            raise RestError("user_access_error", "The user does not have access to the application.", 403)
        return Call(
            self.world, self.portal, self.name, self.params, user, card, scopes, self.started, token, _address()
        )

    def _webhook(self) -> Call:
        hook = self.portal.webhooks.get(self.prefix[-1]) if len(self.prefix) == 2 else None
        if hook is None or str(hook["user_id"]) != self.prefix[0]:
            raise RestError("INVALID_CREDENTIALS", "Invalid request credentials", self.world.knobs.scope_status)
        _check_plan(self.world)
        self._check_scope(frozenset(hook["scopes"]))
        user = self.portal.user(hook["user_id"])
        if user is None or not user.active:
            raise RestError("authorization_error", "Unable to authorize user", 401)
        scopes = frozenset(hook["scopes"])
        return Call(self.world, self.portal, self.name, self.params, user, None, scopes, self.started, None, _address())

    def _check_scope(self, scopes: frozenset[str]) -> None:
        if self.name != "batch":
            check_scope(self.world, self.name, scopes)

    def _log(self, status: int, error: Any) -> None:
        self.entry |= {"status": status, "error": error, "ms": round((self.world.now() - self.started) * 1000)}
        with self.world.lock:
            self.entry["id"] = self.world.next_id("call")
            self.portal.log(self.entry)


def _address() -> str:
    return request.remote_addr or ""


def _check_plan(world: World) -> None:
    if not world.knobs.plan_rest:
        raise RestError("ACCESS_DENIED", "REST is available only on commercial plans.", 403)


def _check_card(card: AppCard | None) -> None:
    if card is None:
        raise RestError("APPLICATION_NOT_FOUND", "Application not found", 401)
    if not card.active:
        raise RestError("ERROR_OAUTH", "Application not installed", 401)
    if card.payment_expired:
        raise RestError("PAYMENT_REQUIRED", "Payment required", 401)


def check_scope(world: World, name: str, scopes: frozenset[str]) -> None:
    """Raises insufficient_scope (403 in the documentation, 401 in older code: a knob)."""
    for wanted in REGISTER[name].scope.split("+"):
        if wanted != "basic" and not any(one in scopes for one in wanted.split("|")):
            text = "The request requires higher privileges than provided by the access token"
            raise RestError("insufficient_scope", text, world.knobs.scope_status)


def invoke(call: Call, entry: Json, extra_ms: int = 0) -> tuple[Any, Json]:
    """Carry out one method (a request's own or a batch command's); returns its result and the operating time.

    What goes wrong with it on purpose is added to the ``entry`` of the log.
    """
    known = REGISTER[call.method]
    check_scope(call.world, call.method, call.scopes)
    if known.app_only and call.card is None:
        text = "Current authorization type is denied for this method Application context required"
        raise RestError("WRONG_AUTH_TYPE", text, 403)
    key = limits.operating_key(call.portal, call.caller, call.method)
    limits.check_operating(call.portal, key, call.world.now())
    struck = faults.command_strikes(call.portal, call.method)
    entry["faults"] += [fault.kind for fault in struck]
    faults.before_command(struck)
    result, spent = _acted(call, known, extra_ms)
    operating = limits.charge(call.world, key, spent, call.world.now())
    faults.after_command(struck)
    return result, operating


def _acted(call: Call, known: Method, extra_ms: int) -> tuple[Any, float]:
    """The result of a method, and the seconds it took with what the profile adds."""
    world = call.world
    write_ms = world.knobs.write_ms if known.write else 0
    pause(world, write_ms)
    began = world.timer()
    with world.lock:
        result = known.handler(call)
    if known.write:
        world.touch()
    return result, world.timer() - began + (write_ms + extra_ms) / 1000


def pause(world: World, milliseconds: int) -> None:
    if milliseconds:
        world.sleep(milliseconds / 1000)
