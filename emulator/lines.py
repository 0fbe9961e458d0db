"""Connections that end without an answer: dropped, or held until the client has lost its patience.

A request that shall end so sets a flag in its WSGI environment; ``ConnectionDropper`` stands around the application.
Over a socket (``SOCKET``) a held connection really hangs; in-process ``TimeoutError`` says at once what would come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Response, request

from emulator.state import Json, World

RESET_FLAG = "emulator.reset"  # close the connection without an answer
SILENT_FLAG = "emulator.silent"  # never answer
SOCKET = "emulator.socket"  # set by the server: there is a real connection that can hang
LONGEST_S = 120.0  # nobody waits longer for an answer


def reset() -> Response:
    """Ask the server beneath to drop the connection; the answer itself is never seen."""
    request.environ[RESET_FLAG] = True
    return Response("", 500)


def never() -> Response:
    """Ask the server beneath to keep the client waiting."""
    request.environ[SILENT_FLAG] = True
    return Response("", 500)


def withhold(world: World, about: Json, seconds: float) -> None:
    """Wait until ``release``, at most so long."""
    with world.gate:
        number = world.next_id("withheld")
        world.withheld[number] = {"id": number, "at": world.now(), **about}
        world.gate.notify_all()
        world.gate.wait_for(lambda: number not in world.withheld, seconds)
        world.withheld.pop(number, None)


def release(world: World) -> int:
    """Let every withheld answer go; returns how many there were."""
    with world.gate:
        count = len(world.withheld)
        world.withheld.clear()
        world.gate.notify_all()
    return count


class ConnectionDropper:
    """WSGI wrapper: turns the flags of a request, and portals that are silent, into connections without an answer.

    Raises ConnectionResetError for a dropped one and, without a socket, TimeoutError for one that would hang. The
    control addresses (``/_…``) answer in a silent portal too.
    """

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]], world: World) -> None:
        self.wsgi_app, self.world = wsgi_app, world

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        if self._is_silent(environ):
            self._hang(environ)
        held: list[tuple[object, ...]] = []

        def hold(*arguments: object) -> Callable[[bytes], object]:
            held[:] = [arguments]
            return lambda data: None

        body = self.wsgi_app(environ, hold)
        if environ.get(SILENT_FLAG):
            self._hang(environ)
        if environ.get(RESET_FLAG):
            raise ConnectionResetError("the emulator drops this connection")
        start_response(*held[0])
        return body

    def _is_silent(self, environ: dict[str, Any]) -> bool:
        portal = self.world.portal_by_host(str(environ.get("HTTP_HOST", "")))
        return portal is not None and portal.silent and not str(environ.get("PATH_INFO", "")).startswith("/_")

    def _hang(self, environ: dict[str, Any]) -> None:
        if not environ.get(SOCKET):
            raise TimeoutError("the emulator never answers this")
        withhold(self.world, {"method": environ.get("PATH_INFO", "")}, LONGEST_S)
        environ[RESET_FLAG] = True
        raise ConnectionResetError("the emulator never answered this")
