"""What goes wrong on purpose: slow, refused, broken and lost answers.

A fault names a method (or a pattern such as ``crm.*``; the authorization server's addresses are ``oauth/token`` and
``oauth/app.info``), a kind, a probability and how often it may strike. Kinds that strike *before* anything is done:
rate_limit, 500, 502, reset_before, expired_token, invalid_grant, plan_refused, slow. Kinds that strike *after* the
action was carried out: reset_after, withhold. A fault also strikes when its method is a command of a batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from flask import Response, jsonify, request

from emulator.errors import RestError
from emulator.state import Fault, World

RESET_FLAG = "emulator.reset"  # set in the WSGI environment: close the connection without an answer
KINDS = (
    "slow", "rate_limit", "500", "502", "reset_before", "reset_after",
    "withhold", "expired_token", "invalid_grant", "plan_refused",
)  # fmt: skip
AFTER = ("reset_after", "withhold")
PER_COMMAND = ("plan_refused",)
WITHHELD_SECONDS = 60.0
BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


def add(world: World, values: dict[str, object]) -> Fault:
    """Remember a fault as the control address got it; raises ValueError for an unknown kind."""
    kind = str(values.get("kind", ""))
    if kind not in KINDS:
        raise ValueError(kind)
    times = values.get("times")
    with world.lock:
        fault = Fault(
            id=world.next_id("fault"),
            method=str(values.get("method", "*")).lower(),
            kind=kind,
            probability=float(str(values.get("probability", 1.0))),
            times=None if times in (None, "") else int(str(times)),
            seconds=float(str(values.get("seconds") or 0)),
        )
        world.faults.append(fault)
    world.touch()
    return fault


def strikes(world: World, methods: Iterable[str]) -> list[Fault]:
    """The faults that strike one request for these methods; counts them down."""
    names = list(methods)
    with world.lock:
        struck = [f for f in world.faults if _matches(f, names) and world.random.random() < f.probability]
        for fault in struck:
            if fault.times is not None:
                fault.times -= 1
        if struck:
            world.faults[:] = [f for f in world.faults if f.times is None or f.times > 0]
    return struck


def _matches(fault: Fault, names: list[str]) -> bool:
    return any(fnmatchcase(name, fault.method) for name in names)


def before(struck: list[Fault]) -> Response | None:
    """Let the faults of a request strike before anything is done; an answer ends the request. May sleep."""
    for fault in struck:
        if fault.kind == "slow":
            time.sleep(fault.seconds)
        elif fault.kind == "502":
            return Response(BAD_GATEWAY, 502, mimetype="text/html")
        elif fault.kind == "reset_before":
            return reset()
        elif fault.kind not in AFTER + PER_COMMAND:
            raise _refusal(fault.kind)
    return None


def refuse_command(struck: list[Fault], name: str) -> None:
    """Raise what a struck fault says about one command alone: in a batch the others still run."""
    for fault in struck:
        if fault.kind in PER_COMMAND and _matches(fault, [name]):
            raise _refusal(fault.kind)


def _refusal(kind: str) -> RestError:
    return {
        "rate_limit": RestError("QUERY_LIMIT_EXCEEDED", "Too many requests", 503),
        "500": RestError("INTERNAL_SERVER_ERROR", "Internal server error", 500),
        "expired_token": RestError("expired_token", "The access token provided has expired.", 401),
        "invalid_grant": RestError("invalid_grant", "Refresh token is invalid or expired", 400),
        "plan_refused": RestError("CREATE_DYNAMIC_TYPE_RESTRICTED", "Your plan allows no more smart processes", 400),
    }[kind]


def after(world: World, struck: list[Fault], answer: Response) -> Response:
    """Let the faults of a request strike when its action has been carried out. May wait."""
    for fault in struck:
        if fault.kind == "withhold":
            withhold(world, fault)
        elif fault.kind == "reset_after":
            return reset()
    return answer


def withhold(world: World, fault: Fault) -> None:
    """Hold the answer until ``release`` or for the fault's seconds (a minute when it has none)."""
    with world.gate:
        number = world.next_id("withheld")
        world.withheld[number] = {"id": number, "fault": fault.id, "method": fault.method, "at": world.now()}
        world.gate.notify_all()
        world.gate.wait_for(lambda: number not in world.withheld, fault.seconds or WITHHELD_SECONDS)
        world.withheld.pop(number, None)


def release(world: World) -> int:
    """Let every withheld answer go; returns how many there were."""
    with world.gate:
        count = len(world.withheld)
        world.withheld.clear()
        world.gate.notify_all()
    return count


def reset() -> Response:
    """Ask the server beneath to drop the connection; the answer itself is never seen."""
    request.environ[RESET_FLAG] = True
    return Response("", 500)


def around(world: World, name: str, action: Callable[[], Response]) -> Response:
    """Carry out an action of the authorization server under its faults."""
    struck = strikes(world, [name])
    try:
        early = before(struck)
    except RestError as error:
        answer = jsonify(error.body())
        answer.status_code = error.status
        return answer
    return early or after(world, struck, action())


class ConnectionDropper:
    """WSGI wrapper: turns the flag of ``reset`` into a connection that ends without an answer."""

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]]) -> None:
        self.wsgi_app = wsgi_app

    def __call__(self, environ: dict[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
        held: list[tuple[object, ...]] = []

        def hold(*arguments: object) -> Callable[[bytes], object]:
            held[:] = [arguments]
            return lambda data: None

        body = self.wsgi_app(environ, hold)
        if environ.get(RESET_FLAG):
            raise ConnectionResetError("the emulator drops this connection")
        start_response(*held[0])
        return body
