"""An installed portal: the emulated one with both smart processes laid down, and the ledger's rows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from b24app.bitrix.transport import PortalSession
from b24app.ledger import tenancy
from b24app.ledger.models import Portal, Resource
from b24app.ledger.session import Engine, Session, transaction
from b24app.sync.in_step import keep_in_step
from b24app.sync.laid import LaidCrm
from b24app.sync.lay_crm import lay_type
from b24app.sync.lay_funnel import lay_funnel
from b24app.sync.lay_places import lay_calendar
from b24app.sync.pace import Pace
from b24app.sync.site import Site
from b24app.sync.throttles import BACKGROUND, SharedThrottles
from b24app.sync.tokens import Reach, portal_client
from emulator import apps, oauth, placement
from emulator.app import Emulator
from emulator.apps import CardForm
from emulator.state import AppCard, World
from emulator.state import Portal as EmulatedPortal
from tests import factories

SCOPES = [
    "crm", "userfieldconfig", "calendar", "placement", "user_brief", "im", "bizproc", "department", "sonet_group",
]  # fmt: skip
ADMIN, SECOND_ADMIN, MANAGER = 1, 2, 3
APP_URL = "https://app.example.com"
PATIENCE = (5.0, 8.0)  # seconds: the emulated portal answers at once, or withholds its answer on purpose


class Clock:
    """A clock that stands still until it is moved; speaks both ways of telling the time."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def unix(self) -> float:
        return self.now.timestamp()

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Rig:
    """The world outside, the ledger inside, and what lies between them."""

    emulator: Emulator
    engine: Engine
    reach: Reach
    card: AppCard
    portal_id: int
    clock: Callable[[], datetime]
    pace: Pace = field(default_factory=Pace)

    @property
    def world(self) -> World:
        return self.emulator.world

    @property
    def far(self) -> EmulatedPortal:
        """The portal as it is over there."""
        return self.world.portal

    def drain(self, times: int = 1) -> None:
        for _ in range(times):
            keep_in_step(self.reach, self.portal_id, self.pace)

    def ledger(self, tx: Session) -> Portal:
        portal = tx.get(Portal, self.portal_id)
        assert portal is not None
        return portal

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The items of `bookings` or `resources` as the portal keeps them."""
        with transaction(self.engine) as tx:
            laid = LaidCrm.from_json(self.ledger(tx).crm).need(kind)
        return list(self.far.items.get(laid.entity_type_id, {}).values())

    def events(self) -> list[dict[str, Any]]:
        """Our events as the portal keeps them."""
        return [row for row in self.far.events.values() if "booking:" in row["description"]]

    def calls(self, *methods: str) -> list[str]:
        """The methods called, those inside of batches too; only the named ones, when any is named."""
        flat = [name for call in self.far.calls for name in (call["commands"] or [call["method"]])]
        return [name for name in flat if not methods or name in methods]


def install(
    emulator: Emulator,
    engine: Engine,
    http: PortalSession,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object],
) -> Rig:
    """A local application installed by the first administrator, with the second one's pair as a spare."""
    far = emulator.world.portal
    form = CardForm("Бронирование", f"{APP_URL}/b24/app", f"{APP_URL}/b24/install", scopes=SCOPES)
    card = apps.add_card(far, form)
    assert placement.finish_install(far, far.users[ADMIN], card)
    with transaction(engine) as tx:
        application = tenancy.add_application(tx, card.client_id, card.client_secret, "local")
        tenant = tenancy.enter(
            tx, member_id=far.member_id, domain=far.host, client_endpoint=far.client_endpoint,
            server_endpoint=emulator.world.server_endpoint, language="en", application_id=application.id, begins=True,
            now=clock(),
        )  # fmt: skip
        tenant.installation.state = "active"
        for number, (user_id, origin) in enumerate([(ADMIN, "install"), (SECOND_ADMIN, "frame")]):
            keep(tx, emulator, card, tenant, user_id, origin, clock() - timedelta(seconds=number))
        portal_id = tenant.portal.id
    rig = connected(emulator, engine, http, clock, sleep, portal_id)
    lay_down(rig)
    return rig


def connected(
    emulator: Emulator,
    engine: Engine,
    http: PortalSession,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object],
    portal_id: int,
) -> Rig:
    """The way to what is installed already."""
    # As wide as a self-hosted portal's: in most tests nobody waits for his turn.
    throttles = SharedThrottles(engine, clock, sleep, replace(BACKGROUND, burst=1000))
    reach = Reach(engine, http, throttles, clock, PATIENCE)
    (card,) = emulator.world.portal.apps.values()
    return Rig(emulator, engine, reach, card, portal_id, clock)


def keep(
    tx: Session, emulator: Emulator, card: AppCard, tenant: tenancy.Tenant, user_id: int, origin: str, at: datetime
) -> None:
    """A pair of this administrator."""
    far = emulator.world.portal
    token = oauth.issue(far, far.users[user_id], card, emulator.world.now())
    tenancy.keep_pair(
        tx, tenant.installation, user_id=user_id, origin=origin, access_token=token.access,
        refresh_token=token.refresh, expires_at=datetime.fromtimestamp(token.expires, UTC), now=at,
    )  # fmt: skip
    tenancy.revive(tx, tenant.installation.id)


def lay_down(rig: Rig) -> None:
    """Both smart processes, the funnel and the section of the calendar, as the installer does it."""
    client = portal_client(rig.reach, rig.portal_id)
    site = Site(rig.engine, client, rig.portal_id, APP_URL, "ru", True, rig.clock())
    for kind in ("resources", "bookings"):
        lay_type(site, kind)
    lay_funnel(site)
    lay_calendar(site)


@dataclass
class Company:
    """A room and a specialist with what is booked on them."""

    rig: Rig
    room: Resource
    person: Resource

    def book(self, resource: Resource, hours: float = 1, **overrides: Any) -> Any:
        """A booking so many hours from now."""
        now = self.rig.clock()
        with transaction(self.rig.engine) as tx:
            interval = overrides.pop("interval", factories.hour(now, hours))
            return factories.make_booking(
                tx, self.rig.ledger(tx), resource, now=now, interval=interval, **overrides
            )  # fmt: skip


def populate(rig: Rig) -> Company:
    """A room in Moscow and a specialist, who is the portal's manager, in Yekaterinburg."""
    now = rig.clock()
    with transaction(rig.engine) as tx:
        portal = rig.ledger(tx)
        room = factories.make_resource(tx, portal, now=now, name="Переговорная «Нева»", city="Москва")
        person = factories.make_resource(
            tx, portal, now=now, kind="specialist", name="Анна Седова", portal_user_id=MANAGER,
            time_zone="Asia/Yekaterinburg",
        )  # fmt: skip
    return Company(rig, room, person)
