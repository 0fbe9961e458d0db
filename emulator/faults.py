"""What goes wrong on purpose: slow, refused, broken and lost answers.

A fault names a method (or a pattern such as ``crm.*``; the authorization server's addresses are ``oauth/token`` and
``oauth/app.info``), a kind, a probability, how often it may strike, and perhaps a portal. Most kinds strike a whole
request, *before* anything is done or *after* it (``AFTER``), a batch when one of its commands has that name. Those of
``PER_COMMAND`` strike a single call, or one command of a batch while the others run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from flask import Response, jsonify

from emulator.errors import RestError
from emulator.lines import never, release, reset, withhold
from emulator.state import Fault, Portal, World

KINDS = (
    "slow", "rate_limit", "500", "502", "reset_before", "timeout_before", "reset_after", "502_after", "timeout_after",
    "withhold", "expired_token", "invalid_grant", "payment_required", "plan_refused", "operating", "command_refused",
    "command_lost", "cut_before", "cut_after",
)  # fmt: skip
AFTER = ("reset_after", "502_after", "timeout_after", "withhold")
PER_COMMAND = ("plan_refused", "operating", "command_refused", "command_lost", "cut_before", "cut_after")
COMMAND_AFTER = ("command_lost", "cut_after")
WITHHELD_SECONDS = 60.0
BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Cut(Exception):
    """The connection dies in the middle of a request: what ran before stays done, what would follow never runs."""


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
            portal=str(values.get("portal") or ""),
        )
        world.faults.append(fault)
    world.touch()
    return fault


def outage(world: World, calls: int, *, portal: Portal | None = None, kind: str = "reset_before") -> Fault:
    """The next so many requests to a portal (to all of them) are refused; the authorization server is not struck."""
    return add(world, {"kind": kind, "times": calls, "portal": portal.member_id if portal else "*"})


def storm(
    world: World,
    *,
    lost: float = 0.05,
    refused: float = 0.05,
    cut: float = 0.02,
    busy: float = 0.02,
    portal: Portal | None = None,
) -> list[Fault]:
    """Random weather until ``calm``: answers lost after the act, refused calls, batches cut short, 503.

    Seed the world first, so that the same weather can come again.
    """
    weather = {
        "reset_after": lost / 2, "timeout_after": lost / 2, "reset_before": refused / 2, "502": refused / 2,
        "cut_after": cut / 2, "cut_before": cut / 2, "rate_limit": busy,
    }  # fmt: skip
    where = portal.member_id if portal else "*"
    return [add(world, {"kind": kind, "probability": p, "portal": where}) for kind, p in weather.items() if p]


def calm(world: World) -> None:
    """No faults any more, and whatever is withheld goes."""
    with world.lock:
        world.faults.clear()
    release(world)
    world.touch()


def strikes(world: World, methods: Iterable[str], portal: Portal | None = None) -> list[Fault]:
    """The faults that strike a whole request for these methods; counts them down."""
    return _struck(world, list(methods), portal, [one for one in KINDS if one not in PER_COMMAND])


def command_strikes(portal: Portal, name: str) -> list[Fault]:
    """The faults that strike one command, alone or in a batch; counts them down."""
    return _struck(portal.world, [name], portal, PER_COMMAND)


def _struck(world: World, names: list[str], portal: Portal | None, kinds: Iterable[str]) -> list[Fault]:
    with world.lock:
        near = [f for f in world.faults if f.kind in kinds and _matches(f, names) and _concerns(f, portal)]
        struck = [fault for fault in near if world.random.random() < fault.probability]
        for fault in struck:
            if fault.times is not None:
                fault.times -= 1
        if struck:
            world.faults[:] = [f for f in world.faults if f.times is None or f.times > 0]
    return struck


def _matches(fault: Fault, names: list[str]) -> bool:
    return any(fnmatchcase(name, fault.method) for name in names)


def _concerns(fault: Fault, portal: Portal | None) -> bool:
    """The authorization server is no portal: only faults without one strike it."""
    return not fault.portal or (portal is not None and fault.portal in ("*", portal.member_id))


def before(world: World, struck: list[Fault]) -> Response | None:
    """Let the faults of a request strike before anything is done; an answer ends the request. May sleep."""
    for fault in struck:
        if fault.kind == "slow":
            world.sleep(fault.seconds)
        elif fault.kind == "502":
            return bad_gateway()
        elif fault.kind == "reset_before":
            return reset()
        elif fault.kind == "timeout_before":
            return never()
        elif fault.kind not in AFTER:
            raise _refusal(fault.kind)
    return None


def before_command(struck: list[Fault]) -> None:
    """Raise what the faults say about one command before it acts: in a batch the others still run."""
    for fault in struck:
        if fault.kind == "cut_before":
            raise Cut
        if fault.kind not in COMMAND_AFTER:
            raise _refusal(fault.kind)


def after_command(struck: list[Fault]) -> None:
    """Raise what the faults say about one command when it has acted: its result is not seen."""
    for fault in struck:
        if fault.kind == "cut_after":
            raise Cut
        if fault.kind == "command_lost":
            raise _refusal(fault.kind)


def _refusal(kind: str) -> RestError:
    broken = RestError("INTERNAL_SERVER_ERROR", "Internal server error", 500)
    return {
        "rate_limit": RestError("QUERY_LIMIT_EXCEEDED", "Too many requests", 503),
        "operating": RestError("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429),
        "expired_token": RestError("expired_token", "The access token provided has expired.", 401),
        "invalid_grant": RestError("invalid_grant", "Refresh token is invalid or expired", 400),
        "payment_required": RestError("PAYMENT_REQUIRED", "Payment required", 401),
        "plan_refused": RestError("CREATE_DYNAMIC_TYPE_RESTRICTED", "Your plan allows no more smart processes", 400),
    }.get(kind, broken)


def after(world: World, struck: list[Fault], answer: Response) -> Response:
    """Let the faults of a request strike when its action has been carried out. May wait."""
    for fault in struck:
        if fault.kind == "withhold":
            withhold(world, {"fault": fault.id, "method": fault.method}, fault.seconds or WITHHELD_SECONDS)
        elif fault.kind == "reset_after":
            return reset()
        elif fault.kind == "timeout_after":
            return never()
        elif fault.kind == "502_after":
            return bad_gateway()
    return answer


def bad_gateway() -> Response:
    return Response(BAD_GATEWAY, 502, mimetype="text/html")


def around(world: World, name: str, action: Callable[[], Response]) -> Response:
    """Carry out an action of the authorization server under its faults."""
    struck = strikes(world, [name])
    try:
        early = before(world, struck)
    except RestError as error:
        answer = jsonify(error.body())
        answer.status_code = error.status
        return answer
    return early or after(world, struck, action())
