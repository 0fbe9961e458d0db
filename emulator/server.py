"""The emulator on a real port: threads, keep-alive, and connections that can be dropped without an answer."""

from __future__ import annotations

import socket
import struct
import threading
from ipaddress import ip_address
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from emulator.app import Emulator
from emulator.event import Courier
from emulator.lines import RESET_FLAG, SOCKET

LINGER_NONE = struct.pack("ii", 1, 0)  # close at once with a reset


class Handler(WSGIRequestHandler):
    """Quiet, without the delay of small packets, and able to drop a connection when a fault asks for it."""

    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"

    def make_environ(self) -> dict[str, Any]:
        return {**super().make_environ(), SOCKET: True}

    def connection_dropped(self, error: BaseException, environ: dict[str, Any] | None = None) -> None:
        self.close_connection = True
        if environ and environ.get(RESET_FLAG):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are in the portal's own log of calls."""


class Server(ThreadedWSGIServer):
    """One thread per connection; a fault may hold many of them for a while."""

    request_queue_size = 256
    daemon_threads = True

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Loopback only, even on a server that listens on every address so that each portal can have its own."""
        return ip_address(client_address[0]).is_loopback

    def shutdown_request(self, request: Any) -> None:
        # A dropped connection has been reset already, shutting it down again would fail.
        try:
            super().shutdown_request(request)
        except OSError:
            self.close_request(request)


class Running:
    """An emulator that listens, with its courier of events; a context manager for tests."""

    def __init__(self, emulator: Emulator, port: int, host: str = "127.0.0.1") -> None:
        self.emulator, self.host = emulator, host
        self.server = Server(host, port, emulator, handler=Handler)
        self.port = self.server.server_port
        self.courier = Courier(emulator.world)
        self._thread = threading.Thread(
            target=self.server.serve_forever, args=(0.05,), name="emulator-server", daemon=True
        )

    def __enter__(self) -> Running:
        self._thread.start()
        self.courier.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening and delivering."""
        self.server.shutdown()
        self.server.server_close()
        self.courier.stop()
