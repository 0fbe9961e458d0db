"""Self-hosted portals that live under a path of their host, as in ``https://portal.example:8443/b24/``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from emulator.state import World


class PortalPaths:
    """WSGI wrapper: takes the portal's own path off the address, so that the rest of the emulator need not know it.

    What does not lie under that path is no part of the portal: 404.
    """

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]], world: World) -> None:
        self.wsgi_app, self.world = wsgi_app, world

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        portal = self.world.portal_by_host(environ.get("HTTP_HOST") or environ.get("SERVER_NAME", ""))
        asked = str(environ.get("PATH_INFO", ""))
        if portal is not None and portal.path and not asked.startswith("/_"):
            if not asked.startswith(portal.path + "/"):
                start_response("404 Not Found", [("Content-Type", "text/html"), ("Content-Length", "0")])
                return []
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + portal.path
            environ["PATH_INFO"] = asked[len(portal.path) :]
        return self.wsgi_app(environ, start_response)
