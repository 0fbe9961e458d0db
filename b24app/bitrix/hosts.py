"""Which hosts may be called. A self-hosted portal is its owner's: every address that it names is only a claim."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from b24app.errors import Permanent

MAX_URL = 500
_PLAIN = re.compile(r"[!-~]+")
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?|[0-9a-f:.]+")  # a name, or IPv6 without its brackets
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Resolver = Callable[[str, int], Sequence[str]]


class HostRefused(Permanent):
    """We do not call this host. `why`: malformed, scheme, path, address, not_listed."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(host, why)
        self.host = host
        self.why = why


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host in the system's order of preference. Raises socket.gaierror."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Whether an address belongs to the public network, also when an IPv4 one is wrapped in IPv6."""
    parsed = ipaddress.ip_address(address)
    wrapped = _wrapped(parsed) if isinstance(parsed, ipaddress.IPv6Address) else None
    inner = wrapped or parsed
    return inner.is_global and not inner.is_multicast


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


@dataclass(frozen=True)
class HostPolicy:
    """Where tokens may go: listed authorization servers, and endpoints they vouched for on public https addresses.

    `allow_http` and `allow_private` are the settings for closed networks.
    """

    auth_servers: tuple[str, ...]
    allow_http: bool = False
    allow_private: bool = False
    resolver: Resolver = resolve

    def check_auth_server(self, url: str) -> str:
        """The listed base (`https://oauth.bitrix.info`) of an authorization server named by its base or its
        `…/rest/` endpoint. Raises HostRefused when it is not on the list."""
        base = self._base(url)
        if base not in {self._base(listed) for listed in self.auth_servers}:
            raise HostRefused(_shown(url), "not_listed")
        return base

    def check_endpoint(self, url: str) -> str:
        """A portal's REST base (`https://portal/rest/`), normalised. Raises HostRefused.

        A name's address is checked when the connection is made, by `addresses`, and not here: only the
        address that is then connected to counts.
        """
        parts = self._split(url)
        if not parts.path.endswith("/rest/") or parts.query or parts.fragment:
            raise HostRefused(_shown(url), "path")
        return f"{parts.scheme}://{_authority(parts)}{parts.path}"

    def check_url(self, url: str) -> None:
        """Raise HostRefused unless a request may go to this URL at all: scheme, form, literal address."""
        self._split(url)

    def addresses(self, host: str, port: int) -> Sequence[str]:
        """The addresses to connect to. Raises HostRefused when any is not public, socket.gaierror when unknown."""
        found = self.resolver(host, port)
        if not self.allow_private and not all(is_public(address) for address in found):
            raise HostRefused(host, "address")
        return found

    def _base(self, url: str) -> str:
        parts = self._split(url)
        path = parts.path.rstrip("/").removesuffix("/rest")
        return f"{parts.scheme}://{_authority(parts)}{path}"

    def _split(self, url: str) -> SplitResult:
        parts = _parse(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and self.allow_http):
            raise HostRefused(_shown(url), "scheme")
        if not self.allow_private and _is_private_literal(parts.hostname or ""):
            raise HostRefused(_shown(url), "address")
        return parts


def _parse(url: str) -> SplitResult:
    if len(url) > MAX_URL or not _PLAIN.fullmatch(url) or "\\" in url:
        raise HostRefused(_shown(url), "malformed")
    try:
        parts = urlsplit(url)
        well_formed = "@" not in parts.netloc and parts.port != 0 and _HOST.fullmatch(parts.hostname or "")
    except ValueError:
        well_formed = None
    if not well_formed:
        raise HostRefused(_shown(url), "malformed")
    return parts


def _authority(parts: SplitResult) -> str:
    """Host and port as they are compared: lower case, without the scheme's own port."""
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return shown if parts.port in (None, default) else f"{shown}:{parts.port}"


def _is_private_literal(host: str) -> bool:
    try:
        return not is_public(host)
    except ValueError:  # a name
        return False


def _shown(url: str) -> str:
    """What may be logged of a refused URL: no user info, no path, no query."""
    authority = re.sub(r"^[a-z]*://", "", url, flags=re.IGNORECASE)
    return re.split(r"[/?#\\]", authority, maxsplit=1)[0].rpartition("@")[2][:260]
