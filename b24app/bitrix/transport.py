"""The one pooled HTTP session: pinned addresses, no redirects, no cookies, no proxies, always a time limit."""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from b24app.bitrix.hosts import HostPolicy

USER_AGENT = "b24app-booking/1.0 (+python-requests)"
TIMEOUT = (5.0, 30.0)  # seconds to connect, seconds for the whole answer; the platform itself stops at 60
_ADDRESSES_TRIED = 3


class PortalSession(requests.Session):
    """A session that never follows a redirect: the token must not go where a portal points."""

    def __init__(self, policy: HostPolicy) -> None:
        super().__init__()
        self.policy = policy

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: the caller reads `Location` itself."""


class PinnedAdapter(HTTPAdapter):
    """Connects to the very address that was checked, so a name that changes its mind gains nothing (DNS rebinding).

    Host header, SNI and certificate are those of the name. Mount another adapter for tests.
    """

    def __init__(self, policy: HostPolicy, **options: Any) -> None:
        self._policy = policy
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Build the pools out of connections that ask the policy where to go."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _pool_classes(self._policy)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send without proxies, which would resolve the name themselves. Raises HostRefused."""
        self._policy.check_url(request.url or "")
        return super().send(request, stream, timeout or TIMEOUT, verify, cert, None)


class _Limited(io.RawIOBase):
    """What arrives on a socket, all of it within the timeout that is set there now, however slowly it drips.

    The timeout of a socket itself begins anew with every byte.
    """

    def __init__(self, arriving: io.RawIOBase, sock: socket.socket) -> None:
        self._arriving, self._sock = arriving, sock
        self._deadline = time.monotonic() + (sock.gettimeout() or TIMEOUT[1])

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._sock.settimeout(left)
        return self._arriving.readinto(buffer)

    def close(self) -> None:
        self._arriving.close()
        super().close()


class _LimitedResponse(http.client.HTTPResponse):
    """A response whose headers and body have one time limit together."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Limited(self.fp.detach(), sock))


def _pool_classes(policy: HostPolicy) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        response_class = _LimitedResponse

        def _new_conn(self) -> socket.socket:
            return _connect(self, policy)

    class Secure(HTTPSConnection):
        response_class = _LimitedResponse

        def _new_conn(self) -> socket.socket:
            return _connect(self, policy)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _connect(connection: HTTPConnection, policy: HostPolicy) -> socket.socket:
    """urllib3's own `_new_conn` with the policy in the place of its name look-up, raising what urllib3 expects."""
    try:
        addresses = policy.addresses(connection.host, connection.port)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    failure: Exception = NewConnectionError(connection, "the name has no address")
    for address in addresses[:_ADDRESSES_TRIED]:
        try:
            return create_connection(
                (address, connection.port), connection.timeout, socket_options=connection.socket_options
            )
        except TimeoutError:
            failure = ConnectTimeoutError(connection, f"connection to {connection.host} timed out")
        except OSError as error:
            failure = NewConnectionError(connection, f"connection to {connection.host} failed: {error}")
    raise failure


def http_session(policy: HostPolicy, *, ca_bundle: str | None = None) -> PortalSession:
    """A session for one process and all portals. The environment is not read: no proxies (they would undo the
    pinning), no netrc; `ca_bundle` names a private certificate authority of a closed network."""
    session = PortalSession(policy)
    session.trust_env = False
    session.verify = ca_bundle or True
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json"})
    adapter = PinnedAdapter(policy, pool_connections=64, pool_maxsize=16)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
