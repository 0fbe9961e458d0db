"""Whose token the background uses: the installation's, from verified administrators, one after the other.

Ownership and order are docs/behaviour.md §1. The refresh token changes at each use, so a refresh holds its row's
lock: the one network call inside a transaction. Who waited for the lock finds the fresh token there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from b24app.bitrix import oauth
from b24app.bitrix.answers import Answer
from b24app.bitrix.client import PortalClient
from b24app.bitrix.faults import (
    CallerRejected,
    PaymentRequired,
    RefreshLost,
    RefreshRefused,
    TokenDead,
    VisitorTokenExpired,
)
from b24app.bitrix.loose import as_map
from b24app.bitrix.oauth import TokenPair
from b24app.bitrix.record import nowhere
from b24app.bitrix.throttle import Throttles
from b24app.bitrix.transport import TIMEOUT, PortalSession
from b24app.errors import InstallationRevoked, Retryable
from b24app.ledger import tenancy
from b24app.ledger.models import AdminToken
from b24app.ledger.session import Engine, Tx, transaction
from b24app.ledger.tenancy import Tenant
from b24app.sync.call_log import CallLog

# Two tries must end before others who wait for the row give up (lock_timeout in ledger.session).
REFRESH_TIMEOUT = (3.0, 4.0)
ASK_AGAIN_SECONDS = 300.0
# A page renews its pair before it runs out, so one that ran out this long ago has no page any more.
PAGE_IS_LATE = timedelta(minutes=5)
FRAME_OPEN_SECONDS = 30.0
CHECKED_FOR = timedelta(days=1)
GONE = {"error_oauth", "application_not_found", "not_installed"}


class NeedsAdmin(Retryable):
    """No administrator's pair works any more: everything waits until one of them opens the application."""

    def __init__(self) -> None:
        super().__init__("needs_admin", ASK_AGAIN_SECONDS)


class SpareInUse(Retryable):
    """The only pair left is a spare that an open page refreshes; soon it sends us the new one."""

    def __init__(self) -> None:
        super().__init__("spare_in_use", FRAME_OPEN_SECONDS)


@dataclass(frozen=True, slots=True)
class Reach:
    """What it takes to call portals in the background; `clock` gives aware UTC."""

    engine: Engine
    http: PortalSession
    throttles: Throttles
    clock: Callable[[], datetime]
    timeout: tuple[float, float] = TIMEOUT
    calls: CallLog | None = None


@dataclass(frozen=True, slots=True)
class _Held:
    """The pair in use. `token` is current as far as we know."""

    pair_id: int
    user_id: int
    token: str = field(repr=False)
    verified_at: datetime

    @classmethod
    def of(cls, pair: AdminToken) -> _Held:
        return cls(pair.id, pair.user_id, pair.access_token, pair.verified_at)


class WorkerTokens:
    """The installation's token, for one piece of work in one portal."""

    def __init__(self, reach: Reach, portal_id: int) -> None:
        self._reach = reach
        self._portal_id = portal_id
        self._held: _Held | None = None
        self._passed_over: set[int] = set()

    @property
    def user_id(self) -> int:
        """The administrator on whose behalf we act now: the host of calendar events that are added."""
        return self._pair().user_id

    def access_token(self) -> str:
        """The current token. Raises NeedsAdmin, SpareInUse, InstallationRevoked."""
        return self._pair().token

    def refresh(self, stale: str) -> str:
        """A token newer than `stale`: another worker's, a refreshed one, or the next administrator's.

        Raises NeedsAdmin, SpareInUse, InstallationRevoked, PaymentRequired, Misconfigured, PortalUnavailable.
        """
        held = self._pair()
        if held.token != stale:
            return held.token
        self._held = self._renewed(held.pair_id, stale)
        return self._pair().token

    def is_stale(self) -> bool:
        """Whether it is more than a day that this administrator was seen to be one."""
        return self._pair().verified_at + CHECKED_FOR <= self._reach.clock()

    def verified(self) -> None:
        """He is one now."""
        held, now = self._pair(), self._reach.clock()
        with transaction(self._reach.engine) as tx:
            pair = tenancy.lock_pair(tx, self._portal_id, held.pair_id)
            if pair is not None:
                pair.verified_at = now
        self._held = replace(held, verified_at=now)

    def died(self, reason: str) -> None:
        """This administrator can no longer act for us: the next one takes over."""
        held, self._held = self._held, None
        if held is None:
            return
        with transaction(self._reach.engine) as tx:
            pair = tenancy.lock_pair(tx, self._portal_id, held.pair_id)
            if pair is not None and pair.access_token == held.token:
                _bury(pair, reason, self._reach.clock())

    def _pair(self) -> _Held:
        while self._held is None:
            self._held = self._next()
        return self._held

    def _next(self) -> _Held | None:
        """The best living pair, refreshed first when it is known to have run out."""
        now = self._reach.clock()
        with transaction(self._reach.engine) as tx:
            _alive(tx, self._portal_id)
            living = tenancy.living_pairs(tx, self._portal_id)
            usable = [
                pair for pair in living if pair.id not in self._passed_over and not self._is_the_pages(tx, pair, now)
            ]
            if not living:
                tenancy.lost_all_pairs(tx, self._portal_id)
        if not usable:
            raise SpareInUse if living else NeedsAdmin
        best = usable[0]
        if best.expires_at <= now:  # known to have run out: asking the portal first would be one call for nothing
            return self._renewed(best.id, best.access_token)
        return _Held.of(best)

    def _is_the_pages(self, tx: Tx, pair: AdminToken, now: datetime) -> bool:
        """Whether a pair has run out that an open page is about to renew: two refreshes would break one of them."""
        late = now - pair.expires_at
        return (
            pair.origin == "frame"
            and timedelta() <= late < PAGE_IS_LATE
            and tenancy.frame_is_open(tx, self._portal_id, now)
        )

    def _renewed(self, pair_id: int, stale: str) -> _Held | None:
        """The pair with a token other than `stale`; None when it is of no use any more.

        What the answer says of the portal is written afterwards, when the pair is free again: others lock the portal
        first, and must not wait for a network call, nor we for them.
        """
        with transaction(self._reach.engine) as tx:
            tenant = _alive(tx, self._portal_id)
        try:
            with transaction(self._reach.engine) as tx:
                held, address = self._renewed_under_lock(tx, tenant, pair_id, stale)
        except (InstallationRevoked, PaymentRequired) as error:
            with transaction(self._reach.engine) as tx:
                tenancy.note_end(tx, tenant.installation.id, unpaid=isinstance(error, PaymentRequired))
            raise
        if address != tenant.portal.client_endpoint:
            with transaction(self._reach.engine) as tx:
                tenancy.note_address(tx, self._portal_id, address)
        return held

    def _renewed_under_lock(self, tx: Tx, tenant: Tenant, pair_id: int, stale: str) -> tuple[_Held | None, str]:
        """The same, and the portal's address as far as we know."""
        address = tenant.portal.client_endpoint
        pair = tenancy.lock_pair(tx, self._portal_id, pair_id)
        if pair is None or pair.dead_at is not None:
            return None, address
        if pair.access_token == stale and not self._page_will_renew(tx, pair):
            address = self._refresh(tx, tenant, pair)
        if pair.dead_at or pair.access_token == stale:
            return None, address
        return _Held.of(pair), address

    def _page_will_renew(self, tx: Tx, pair: AdminToken) -> bool:
        """The same for a pair that the portal calls expired; it is noted, so that the next one is taken."""
        now = self._reach.clock()
        pair.expires_at = min(pair.expires_at, now)
        return self._is_the_pages(tx, pair, now)

    def _refresh(self, tx: Tx, tenant: Tenant, pair: AdminToken) -> str:
        """Puts the next tokens into `pair`, or buries it; returns the portal's address."""
        now = self._reach.clock()
        known = tenancy.application_of(tx, tenant.installation)
        application = oauth.Application(known.client_id, known.client_secret)
        try:
            fresh = self._ask_twice(application, _as_pair(tenant, pair), tenant.portal.server_endpoint)
        except RefreshRefused as error:
            _bury(pair, error.code, now)
            return tenant.portal.client_endpoint
        except RefreshLost:
            if not self._others(tx, pair):
                raise
            self._passed_over.add(pair.id)
            return tenant.portal.client_endpoint
        pair.access_token, pair.refresh_token, pair.expires_at = (
            fresh.access_token,
            fresh.refresh_token,
            fresh.expires_at,
        )
        return fresh.client_endpoint

    def _ask_twice(self, application: oauth.Application, pair: TokenPair, server: str) -> TokenPair:
        """An answer that was lost is asked for once more: the server may not have got the first request."""
        now = self._reach.clock()
        try:
            return oauth.refresh(self._reach.http, application, pair, server, now, REFRESH_TIMEOUT)
        except RefreshLost:
            return oauth.refresh(self._reach.http, application, pair, server, now, REFRESH_TIMEOUT)

    def _others(self, tx: Tx, pair: AdminToken) -> bool:
        known = {other.id for other in tenancy.living_pairs(tx, self._portal_id)}
        return bool(known - self._passed_over - {pair.id})


class AdminClient(PortalClient):
    """A portal through its administrators: when one was dismissed in mid-work, the next one carries on."""

    def __init__(self, reach: Reach, tenant: Tenant, tokens: WorkerTokens) -> None:
        portal = tenant.portal
        super().__init__(
            reach.http,
            portal.client_endpoint,
            tokens,
            throttle=reach.throttles.of(portal.id),
            timeout=reach.timeout,
            record=reach.calls.of(portal.id) if reach.calls else nowhere,
            moved_to=self._address,
        )
        self._reach, self._admins = reach, tokens
        self._portal, self._installation_id = portal, tenant.installation.id
        self._checked = 0

    @property
    def user_id(self) -> int:
        """The administrator on whose behalf the next call is made."""
        return self._admins.user_id

    def _ask(self, method: str, params: Mapping[str, Any], methods: Collection[str]) -> Answer:
        while True:
            try:
                self._check_admin()
                return super()._ask(method, params, methods)
            except TokenDead as error:  # nothing was done: the portal refused the token itself
                self._admins.died(error.code)
            except (PaymentRequired, InstallationRevoked) as error:
                self._note(error)
                raise

    def _check_admin(self) -> None:
        """Once a day whose pair it is says that he still is an administrator. Raises TokenDead when he is not.

        One who was is an employee like others now, with rights that let half of our calls pass.
        """
        user_id = self._admins.user_id
        if self._checked != user_id and self._admins.is_stale():
            answer = as_map(super()._ask("profile", {}, ("profile",)).result)
            if answer.get("ADMIN") is not True:
                raise TokenDead("not_admin")
            self._admins.verified()
        self._checked = user_id

    def _note(self, error: PaymentRequired | InstallationRevoked) -> None:
        """The installation as the portal sees it: unpaid, or gone. A later frame corrects it.

        A token that is only unknown there may become known again, so it ends nothing.
        """
        if isinstance(error, InstallationRevoked) and error.code.lower() not in GONE:
            return
        with transaction(self._reach.engine) as tx:
            tenancy.note_end(tx, self._installation_id, unpaid=isinstance(error, PaymentRequired))

    def _address(self, token: str) -> str | None:
        """Where the authorization server says that this portal is now; it is remembered."""
        try:
            info = self._app_info(token)
        except CallerRejected:
            return None
        if info.install.member_id != self._portal.member_id:
            return None
        with transaction(self._reach.engine) as tx:
            tenancy.note_address(tx, self._portal.id, info.install.client_endpoint)
        return info.install.client_endpoint

    def _app_info(self, token: str) -> oauth.AppInfo:
        server, timeout = self._portal.server_endpoint, self._reach.timeout
        try:
            return oauth.app_info(self._reach.http, server, token, timeout)
        except VisitorTokenExpired:
            return oauth.app_info(self._reach.http, server, self._admins.refresh(token), timeout)


def portal_client(reach: Reach, portal_id: int) -> AdminClient:
    """The portal for background work. Raises InstallationRevoked when the application is not installed there."""
    with transaction(reach.engine) as tx:
        tenant = _alive(tx, portal_id)
    return AdminClient(reach, tenant, WorkerTokens(reach, portal_id))


def _alive(tx: Tx, portal_id: int) -> Tenant:
    tenant = tenancy.tenant(tx, portal_id)
    if tenant is None:
        raise InstallationRevoked("deleted")
    return tenant


def _as_pair(tenant: Tenant, pair: AdminToken) -> TokenPair:
    return TokenPair(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        expires_at=pair.expires_at,
        user_id=pair.user_id,
        member_id=tenant.portal.member_id,
        client_endpoint=tenant.portal.client_endpoint,
        server_endpoint=tenant.portal.server_endpoint,
    )


def _bury(pair: AdminToken, reason: str, now: datetime) -> None:
    pair.dead_at, pair.dead_reason = now, reason[:100]
