"""Reach an emulator through ``requests`` without a socket, under any origin.

``EmulatorAdapter`` is mounted on a session: ``session.mount("https://portal.test", EmulatorAdapter(emulator))``. For
clients that make sessions of their own, ``routed`` sends named origins there for a while.
"""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlsplit
from wsgiref.types import WSGIApplication

import requests
from requests.adapters import BaseAdapter
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3.response import HTTPResponse
from werkzeug.test import Client, EnvironBuilder, TestResponse

from emulator.app import Emulator
from emulator.clock import VirtualClock


class EmulatorAdapter(BaseAdapter):
    """Answers requests by calling a WSGI application in this process.

    ``host`` replaces the host of the request: so the documented https origins of the authorization server reach the
    host that an emulator has for it. A client's timeout is kept: what takes longer ends in ``ReadTimeout`` here while
    the emulator carries on, as over a network. A dropped connection ends in ``ConnectionError``.
    """

    def __init__(self, app: WSGIApplication, host: str = "", address: str = "127.0.0.1") -> None:
        super().__init__()
        self.app, self.host, self.address = app, host, address

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        limit = timeout[1] if isinstance(timeout, tuple) else timeout
        limit = getattr(limit, "read_timeout", limit)
        answer = self._timed(request, limit) if isinstance(limit, (int, float)) else self._call(request)
        if isinstance(answer, TimeoutError):
            self._waited(limit)
            raise requests.ReadTimeout(f"Read timed out. (read timeout={limit})", request=request)
        if isinstance(answer, ConnectionResetError):
            raise requests.ConnectionError(
                "Connection aborted: the portal closed it without an answer", request=request
            )
        return _response(request, answer)

    def close(self) -> None:
        """Nothing is kept open."""

    def _waited(self, limit: object) -> None:
        """A client's patience passes on a virtual clock too; on any other one it costs the test nothing."""
        clock = getattr(getattr(self.app, "world", None), "clock", None)
        if isinstance(clock, VirtualClock) and isinstance(limit, (int, float)):
            clock.advance(limit)

    def _timed(self, request: requests.PreparedRequest, limit: float) -> TestResponse | OSError:
        box: list[TestResponse | OSError] = []
        thread = threading.Thread(target=lambda: box.append(self._call(request)), daemon=True)
        thread.start()
        thread.join(limit)
        if not box:
            raise requests.ReadTimeout(f"Read timed out. (read timeout={limit})", request=request)
        return box[0]

    def _call(self, request: requests.PreparedRequest) -> TestResponse | OSError:
        parts = urlsplit(str(request.url))
        body = request.body or b""
        builder = EnvironBuilder(
            path=parts.path or "/",
            query_string=parts.query,
            method=request.method or "GET",
            base_url=f"{parts.scheme}://{self.host or parts.netloc}",
            headers=[(name, value) for name, value in _texts(request.headers)],
            data=body.encode() if isinstance(body, str) else body,
            environ_overrides={"REMOTE_ADDR": self.address},
        )
        try:
            return Client(self.app, use_cookies=False).open(builder)
        except (ConnectionResetError, TimeoutError) as error:
            return error


def _texts(headers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        yield name, value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _response(request: requests.PreparedRequest, answer: Any) -> requests.Response:
    body = answer.get_data()
    raw = HTTPResponse(
        body=io.BytesIO(body), status=answer.status_code, headers=dict(answer.headers), preload_content=False, reason=""
    )
    response = requests.Response()
    response.status_code = answer.status_code
    response.reason = answer.status.partition(" ")[2]
    response.headers = CaseInsensitiveDict(answer.headers.items())
    response.encoding = get_encoding_from_headers(response.headers) or "utf-8"
    response.url, response.request, response.raw = str(request.url), request, raw
    extract_cookies_to_jar(response.cookies, request, raw)
    response._content = body
    return response


class WorldAdapter(BaseAdapter):
    """Finds the portal of each request by its host, also one made or renamed later; anything else is nowhere."""

    def __init__(self, emulator: Emulator) -> None:
        super().__init__()
        self.world, self.inner = emulator.world, EmulatorAdapter(emulator)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        host = urlsplit(str(request.url)).netloc
        world = self.world
        if not (world.portal_by_host(host) or world.renamed_portal(host) or world.is_auth_host(host)):
            raise requests.ConnectionError(f"there is no host {host} here", request=request)
        return self.inner.send(request, *args, **kwargs)

    def close(self) -> None:
        """Nothing is kept open."""


def reach(session: requests.Session, emulator: Emulator) -> None:
    """Let a session reach every portal of an emulator and its authorization servers, and nothing else."""
    for scheme in ("https://", "http://"):
        session.mount(scheme, WorldAdapter(emulator))


class ForwardingAdapter(BaseAdapter):
    """Forwards requests for an https origin to an emulator that listens on a port, keeping the asked-for host."""

    def __init__(self, base_url: str, host: str = "") -> None:
        super().__init__()
        self.base_url, self.host = base_url.rstrip("/"), host
        self.session = requests.Session()
        self.session.trust_env = False

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        forwarded = request.copy()
        forwarded.url = self.base_url + parts.path + (f"?{parts.query}" if parts.query else "")
        forwarded.headers["Host"] = self.host or parts.netloc
        response = self.session.get_adapter(forwarded.url).send(forwarded, *args, **kwargs)
        response.url, response.request = str(request.url), request
        return response

    def close(self) -> None:
        self.session.close()


@contextmanager
def routed(origins: Mapping[str, BaseAdapter]) -> Iterator[None]:
    """While inside, every session sends these origins (``https://host``) to the given adapters, even a new one."""
    original = requests.Session.get_adapter

    def get_adapter(session: requests.Session, url: str | bytes) -> BaseAdapter:
        text = url.decode() if isinstance(url, bytes) else url
        parts = urlsplit(text)
        found = origins.get(f"{parts.scheme}://{parts.netloc}")
        return found if found is not None else original(session, text)

    requests.Session.get_adapter = get_adapter  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        requests.Session.get_adapter = original  # type: ignore[method-assign]


def free_port() -> int:
    """A port on the loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return cast(int, probe.getsockname()[1])
