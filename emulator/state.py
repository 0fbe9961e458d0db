"""What the emulated portals and their authorization server remember.

``World`` holds portals, issued tokens, knobs and faults. Everything is a dataclass of plain values, so
``storage.py`` turns it into JSON and back. Change it only while holding ``world.lock`` and
call ``world.touch()`` afterwards; never sleep or do HTTP with the lock held. Instants are unix seconds (float).
"""

from __future__ import annotations

import dataclasses
import random
import secrets
import threading
import time
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from emulator.knobs import Knobs

Json = dict[str, typing.Any]
LOG_LENGTH = 500
TRANSIENT = {"keep": False}  # metadata of fields that are not written to the file


def hex_id(length: int = 32) -> str:
    """A random lower-case hexadecimal string, as the platform uses for tokens and ids."""
    return secrets.token_hex((length + 1) // 2)[:length]


def transient(factory: Callable[[], typing.Any]) -> typing.Any:
    return field(default_factory=factory, repr=False, compare=False, metadata=TRANSIENT)


@dataclass
class User:
    """An employee of a portal; ``time_zone`` is his own and may differ from the portal's server zone."""

    id: int
    name: str
    last_name: str
    email: str
    is_admin: bool = False
    active: bool = True
    time_zone: str = "Europe/Moscow"
    departments: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    lang: str = "ru"
    gender: str = ""
    position: str = ""
    photo: str = ""
    extranet: bool = False
    settings: Json = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.name} {self.last_name}".strip()


@dataclass
class AppCard:
    """The card of an application in one portal: what the administrator filled in, and how far installation is."""

    id: int
    client_id: str
    client_secret: str
    title: str
    handler_url: str
    installer_url: str = ""
    event_url: str = ""
    kind: str = "local"
    scopes: list[str] = field(default_factory=list)
    installed: bool = False
    active: bool = True
    status: str = "L"
    version: int = 1
    application_token: str = ""
    menu_title: dict[str, str] = field(default_factory=dict)
    payment_expired: bool = False
    days: int | None = None
    denied_users: list[int] = field(default_factory=list)
    first_run_seen: list[int] = field(default_factory=list)
    installed_by: int = 0


@dataclass
class Portal:
    """One tenant. ``host`` is ``name[:port]`` as browsers send it; items are keyed by entityTypeId and then by id."""

    member_id: str
    host: str
    protocol: str = "http"
    title: str = "Портал"
    lang: str = "ru"
    plan: str = "ru_pro100"
    time_zone: str = "Europe/Kaliningrad"
    currency: str = "RUB"
    counters: dict[str, int] = field(default_factory=dict)
    users: dict[int, User] = field(default_factory=dict)
    departments: dict[int, Json] = field(default_factory=dict)
    groups: dict[int, Json] = field(default_factory=dict)
    apps: dict[str, AppCard] = field(default_factory=dict)
    webhooks: dict[str, Json] = field(default_factory=dict)
    items: dict[int, dict[int, Json]] = field(default_factory=dict)
    types: dict[int, Json] = field(default_factory=dict)
    categories: dict[int, dict[int, Json]] = field(default_factory=dict)
    statuses: dict[int, Json] = field(default_factory=dict)
    userfields: dict[int, Json] = field(default_factory=dict)
    sections: dict[int, Json] = field(default_factory=dict)
    events: dict[int, Json] = field(default_factory=dict)
    comments: dict[int, Json] = field(default_factory=dict)
    notices: list[Json] = field(default_factory=list)
    placements: list[Json] = field(default_factory=list)
    event_handlers: list[Json] = field(default_factory=list)
    app_options: dict[str, Json] = field(default_factory=dict)
    user_options: dict[str, Json] = field(default_factory=dict)
    crm_denied: dict[int, set[int]] = field(default_factory=dict)
    crm_rights: dict[int, dict[int, str]] = field(default_factory=dict)
    bin: dict[int, Json] = field(default_factory=dict)
    product_rows: dict[int, Json] = field(default_factory=dict)
    stage_history: list[Json] = field(default_factory=list)
    robots: list[Json] = field(default_factory=list)
    triggers: list[Json] = field(default_factory=list)
    placed: list[Json] = field(default_factory=list)
    runs: dict[str, Json] = field(default_factory=dict)
    calls: list[Json] = field(default_factory=list)
    former_hosts: list[str] = field(default_factory=list)
    deleted: bool = False
    path: str = ""  # where a self-hosted portal lives on its host, as in "/b24"
    self_hosted: bool = False
    silent: bool = False
    auth_host: str = ""
    absences: list[Json] = field(default_factory=list)
    offline_events: list[Json] = field(default_factory=list)
    booking_types: dict[int, Json] = field(default_factory=dict)
    booking_resources: dict[int, Json] = field(default_factory=dict)
    schema_cache: dict[int, typing.Any] = transient(dict)
    world: World = field(default=None, repr=False, compare=False, metadata=TRANSIENT)  # type: ignore[assignment]

    @property
    def origin(self) -> str:
        return f"{self.protocol}://{self.host}"

    @property
    def client_endpoint(self) -> str:
        return f"{self.origin}{self.path}/rest/"

    @property
    def server_endpoint(self) -> str:
        """The authorization server this portal works with; the platform has several."""
        return f"{self.world.auth_protocol}://{self.auth_host or self.world.auth_host}/rest/"

    def next_id(self, counter: str) -> int:
        """The next id of a counter; ids of different things run separately, as in the platform."""
        self.counters[counter] = self.counters.get(counter, 0) + 1
        return self.counters[counter]

    def user(self, user_id: int) -> User | None:
        return self.users.get(user_id)

    def rename(self, host: str) -> None:
        """Give the portal another name; its REST answers 302 under the old one."""
        self.former_hosts.append(self.host)
        self.host = host
        self.world.touch()

    def admins(self) -> list[User]:
        return [user for user in self.users.values() if user.is_admin and user.active]

    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def iso(self, instant: float) -> str:
        """An instant as REST writes it: ISO 8601 with the offset of the portal's server zone, whole seconds."""
        return datetime.fromtimestamp(int(instant), self.zone()).isoformat()

    def log(self, entry: Json) -> None:
        self.calls.append(entry)
        del self.calls[:-LOG_LENGTH]


@dataclass
class Token:
    """One access/refresh pair. ``kind`` says where it came from: a frame, or the server (events, codes)."""

    access: str
    refresh: str
    client_id: str
    member_id: str
    user_id: int
    scope: str
    expires: float
    refresh_expires: float
    kind: str = "server"
    revoked: bool = False
    hops: int | None = None


@dataclass
class AuthServer:
    """What the authorization server knows: applications, pairs by access token, one-time codes."""

    clients: dict[str, Json] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    by_refresh: dict[str, str] = field(default_factory=dict)
    codes: dict[str, Json] = field(default_factory=dict)
    calls: list[Json] = field(default_factory=list)


@dataclass
class Fault:
    """Something that goes wrong on purpose; ``times`` counts down and None means always."""

    id: int
    method: str
    kind: str
    probability: float = 1.0
    times: int | None = None
    seconds: float = 0.0
    portal: str = ""  # a member_id; "*" any portal; "" the authorization server too


@dataclass
class World:
    """All portals, one authorization server, the knobs. ``auth_host`` is the authorization server's ``name[:port]``."""

    auth_host: str = "127.0.0.1:8024"
    auth_protocol: str = "http"
    portals: dict[str, Portal] = field(default_factory=dict)
    auth: AuthServer = field(default_factory=AuthServer)
    knobs: Knobs = field(default_factory=Knobs)
    faults: list[Fault] = field(default_factory=list)
    outbox: list[Json] = field(default_factory=list)
    sent: list[Json] = field(default_factory=list)
    holds: list[list[str]] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    timers: list[float] = field(default_factory=list)
    clock: Callable[[], float] = field(default=time.time, repr=False, compare=False, metadata=TRANSIENT)
    lock: typing.Any = transient(threading.RLock)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False, compare=False, metadata=TRANSIENT)
    timer: Callable[[], float] = field(default=time.perf_counter, repr=False, compare=False, metadata=TRANSIENT)
    post: Callable[[str, list[tuple[str, str]]], int] | None = field(
        default=None, repr=False, compare=False, metadata=TRANSIENT
    )
    random: random.Random = transient(random.Random)
    changed: threading.Event = transient(threading.Event)
    outbox_filled: threading.Event = transient(threading.Event)
    gate: threading.Condition = transient(threading.Condition)
    withheld: dict[int, Json] = transient(dict)
    buckets: dict[str, typing.Any] = transient(dict)
    operating: dict[str, typing.Any] = transient(dict)

    def now(self) -> float:
        return self.clock()

    def seed(self, number: int) -> None:
        """From here on everything random in this world (lost events, faults) comes as it came with this number."""
        self.random.seed(number)

    @property
    def auth_origin(self) -> str:
        return f"{self.auth_protocol}://{self.auth_host}"

    @property
    def server_endpoint(self) -> str:
        return f"{self.auth_origin}/rest/"

    def add_portal(self, portal: Portal) -> Portal:
        portal.world = self
        self.portals[portal.member_id] = portal
        return portal

    def is_auth_host(self, host: str) -> bool:
        """Does a request go to an authorization server, the common one or that of a single portal?"""
        known = {self.auth_host, *(portal.auth_host for portal in self.portals.values() if portal.auth_host)}
        return plain_host(host) in map(plain_host, known)

    def portal_by_host(self, host: str) -> Portal | None:
        """The portal a browser or a client addressed; hosts are compared without their default ports."""
        wanted = plain_host(host)
        return next((p for p in self.portals.values() if plain_host(p.host) == wanted), None)

    def renamed_portal(self, host: str) -> Portal | None:
        """The portal that had this name once."""
        wanted = plain_host(host)
        return next((p for p in self.portals.values() if wanted in map(plain_host, p.former_hosts)), None)

    @property
    def portal(self) -> Portal:
        """The first portal; the demo and most tests have only one."""
        return next(iter(self.portals.values()))

    def next_id(self, counter: str) -> int:
        self.counters[counter] = self.counters.get(counter, 0) + 1
        return self.counters[counter]

    def touch(self) -> None:
        """Say that something changed, so that the keeper of the file writes it soon."""
        self.changed.set()

    def replace_with(self, other: World) -> None:
        """Take over everything another world remembers, keeping this one's hosts, lock and clock."""
        with self.lock:
            for part in kept_fields(World):
                if part.name not in ("auth_host", "auth_protocol"):
                    setattr(self, part.name, getattr(other, part.name))
            for portal in self.portals.values():
                portal.world = self
            for volatile in (self.buckets, self.operating):
                volatile.clear()
        self.touch()


def plain_host(host: str) -> str:
    """A host without the ports browsers leave out."""
    return host.lower().removesuffix(":80").removesuffix(":443")


def kept_fields(kind: type) -> Iterator[dataclasses.Field[typing.Any]]:
    return (part for part in dataclasses.fields(kind) if part.metadata.get("keep", True))
