"""Two stand-ins for the network: scripted answers inside the process, and a small real server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from ssl import SSLContext
from typing import Any
from urllib.parse import parse_qs

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from b24app.bitrix.hosts import HostPolicy
from b24app.bitrix.transport import PortalSession, http_session

POLICY = HostPolicy(("https://oauth.bitrix.info", "https://oauth.bitrix24.tech"))
PORTAL = "https://portal.example/rest/"


@dataclass(frozen=True)
class Reply:
    """One scripted answer: `body` is JSON unless it is text; `status` 0 raises `error` instead."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Exception | None = None


class Script(BaseAdapter):
    """Answers the scripted replies in order and remembers what was asked."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__()
        self.replies = list(replies)
        self.asked: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.asked.append(request)
        reply = self.replies.pop(0)
        if reply.error:
            raise reply.error
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        response = requests.Response()
        response.status_code, response.url, response.request = reply.status, request.url or "", request
        response.headers.update(reply.headers)
        response.raw = HTTPResponse(BytesIO(text.encode()), preload_content=False)
        return response

    def close(self) -> None:
        """Nothing is open."""

    def sent(self, number: int = -1) -> dict[str, Any]:
        """The parameters of one request, JSON or form."""
        request = self.asked[number]
        body = request.body.decode() if isinstance(request.body, bytes) else str(request.body)
        if request.headers["Content-Type"] == "application/json":
            parsed: dict[str, Any] = json.loads(body)
            return parsed
        return {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}


def scripted(*replies: Reply, policy: HostPolicy = POLICY) -> tuple[PortalSession, Script]:
    """The session of production with scripted answers on https."""
    http, script = http_session(policy), Script(*replies)
    http.mount("https://", script)
    return http, script


def ok(result: Any, **more: Any) -> Reply:
    return Reply({"result": result, **more})


def fault(code: Any, status: int = 400, text: str = "") -> Reply:
    return Reply({"error": code, "error_description": text}, status)


Handler = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def local_server(handle: Handler, tls: SSLContext | None = None) -> Iterator[int]:
    """The port of a server on 127.0.0.1 which answers every POST by `handle`."""

    class Request(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            handle(self)

        def log_message(self, *_: Any) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Request) as server:
        server.daemon_threads = True
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def reply(request: BaseHTTPRequestHandler, status: int, body: str, **headers: str) -> None:
    """Send one answer."""
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body.encode())
