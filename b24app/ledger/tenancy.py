"""Portals, their applications, installations and administrators' tokens: who the tenant is.

These functions find a portal; everything in `queries` then works inside of one.

Locks are taken in the order resources, portal, installation. A pair is locked while the authorization server is
asked, for seconds: whoever locks pairs holds nothing else and takes nothing more, but for those who delete them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import Engine, bindparam, delete, exists, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, make_transient_to_detached

from b24app.errors import NotAllowed, NotFound
from b24app.ledger import directory
from b24app.ledger.access import GrantRule
from b24app.ledger.directory import PARTS
from b24app.ledger.kinds import KINDS_OF_PORTAL, OwnKind
from b24app.ledger.models import (
    AdminToken,
    Application,
    Base,
    Grant,
    Installation,
    Portal,
    PortalActivity,
    PortalUser,
    Resource,
)
from b24app.ledger.portal_models import Feed
from b24app.ledger.session import read_alone

FRAME_OPEN = timedelta(seconds=30)
DEFAULT_GRANTS = (("everything", "AU", "book"),)
Known = TypeVar("Known", bound=Base)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A portal together with its living installation.

    `kinds`: of resources, which the company has named itself; only `seen` reads them, for showing.
    """

    portal: Portal
    installation: Installation
    kinds: tuple[OwnKind, ...] = ()


def add_application(tx: Session, client_id: str, client_secret: str, kind: str) -> Application:
    """Adds the pair or gives a known `client_id` its new secret."""
    known = application(tx, client_id)
    if known is None:
        known = Application(client_id=client_id, client_secret=client_secret, kind=kind)
        tx.add(known)
    known.client_secret, known.kind = client_secret, kind
    tx.flush()
    return known


def application(tx: Session, client_id: str) -> Application | None:
    return tx.scalar(select(Application).where(Application.client_id == client_id))


def applications(tx: Session) -> list[Application]:
    return list(tx.scalars(select(Application).order_by(Application.id)))


def application_of(tx: Session, installation: Installation) -> Application:
    """The application that was installed."""
    return tx.scalars(select(Application).where(Application.id == installation.application_id)).one()


def portals(tx: Session) -> list[Portal]:
    return list(tx.scalars(select(Portal).order_by(Portal.id)))


def portal_by_member(tx: Session, member_id: str) -> Portal | None:
    return tx.scalar(select(Portal).where(Portal.member_id == member_id))


# Read by every request of a page: to build the statement each time cost a fifth of one that has nothing else to do.
_TENANT = (
    select(Portal, Installation)
    .join(Installation, Installation.portal_id == Portal.id)
    .where(Portal.id == bindparam("portal"), Installation.state != "deleted")
)


def tenant(tx: Session, portal_id: int) -> Tenant | None:
    """The portal if an installation of it is alive."""
    row = tx.execute(_TENANT, {"portal": portal_id}).first()
    return Tenant(row[0], row[1]) if row else None


_PORTAL = [column.key for column in Portal.__table__.columns]
# Whoever needs the token locks the tenant, or has it by `tenant`: to decrypt it for each request would cost too much.
_INSTALLATION = [column.key for column in Installation.__table__.columns if column.key != "application_token"]
_SEEN = f"""
SELECT {", ".join(f"p.{name}" for name in _PORTAL)}, {", ".join(f"i.{name}" for name in _INSTALLATION)},
       {KINDS_OF_PORTAL},
       (SELECT coalesce(bool_or(u.dismissed), false) FROM portal_user u
        WHERE u.portal_id = p.id AND u.user_id = %(user)s::bigint),
       {PARTS}
FROM portal p JOIN installation i ON i.portal_id = p.id AND i.state <> 'deleted' WHERE p.id = %(portal)s
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What every request of a page begins with. `grants`: all that concern the visitor; `dismissed`: he works there no
    more, whatever his page says."""

    tenant: Tenant
    grants: tuple[GrantRule, ...]
    dismissed: bool


def seen(engine: Engine, portal_id: int, codes: frozenset[str], now: datetime) -> Seen | None:
    """The same with what was granted to somebody with these access codes, for showing: one statement.

    The installation comes without its `application_token`.
    """
    rows = read_alone(engine, _SEEN, **directory.values(portal_id, codes, now))
    if not rows:
        return None
    row, end = rows[0], len(_PORTAL)
    *_columns, kinds, dismissed, granted, wider, absent = row
    tenant = Tenant(
        _known(Portal, _PORTAL, row),
        _known(Installation, _INSTALLATION, row[end:]),
        tuple(OwnKind(*kind) for kind in kinds or ()),
    )
    ask = partial(directory.wider_alone, engine, portal_id)
    return Seen(tenant, directory.concerning((granted, wider, absent), codes, ask), dismissed)


def _known(model: type[Known], names: Sequence[str], values: Sequence[Any]) -> Known:
    """The object that these columns are of, as it was read."""
    made = model(**dict(zip(names, values, strict=False)))
    make_transient_to_detached(made)
    return made


def lock_tenant(tx: Session, portal_id: int) -> Tenant:
    """The portal and its living installation, locked against others who change them; raises NotFound."""
    row = tx.execute(
        select(Portal, Installation)
        .join(Installation, Installation.portal_id == Portal.id)
        .where(Portal.id == portal_id, Installation.state != "deleted")
        .with_for_update(key_share=True)
    ).first()
    if row is None:
        raise NotFound("portal")
    return Tenant(row[0], row[1])


# The same for events, of which a portal sends thousands that are none of ours.
_TENANT_OF_MEMBER = (
    select(Portal, Installation)
    .join(Installation, Installation.portal_id == Portal.id)
    .where(Portal.member_id == bindparam("member"), Installation.state != "deleted")
)


def tenant_by_member(tx: Session, member_id: str) -> Tenant | None:
    """The portal by its permanent id, if an installation of it is alive."""
    row = tx.execute(_TENANT_OF_MEMBER, {"member": member_id}).first()
    return Tenant(row[0], row[1]) if row else None


def enter(
    tx: Session,
    *,
    member_id: str,
    domain: str,
    client_endpoint: str,
    server_endpoint: str,
    language: str,
    application_id: int,
    begins: bool,
    now: datetime,
) -> Tenant:
    """The tenant of a verified call, brought up to date.

    With `begins` the installation is made on first contact, and a living one of another application ends: a local
    application that was deleted and added again comes under a new `client_id`, and its ONAPPUNINSTALL may have been
    lost. Without it raises NotFound where nothing is installed, NotAllowed where another application is.
    """
    if begins:
        _erase_overdue(tx, member_id, now)
    portal = _portal(tx, member_id, domain, client_endpoint, server_endpoint, language)
    alive = tx.scalar(select(Installation).where(Installation.portal_id == portal.id, Installation.state != "deleted"))
    if alive is not None and alive.application_id == application_id:
        return Tenant(portal, alive)
    if not begins:
        raise NotFound("portal") if alive is None else NotAllowed("install")
    if alive is not None:
        end_installation(tx, alive, now)
    return Tenant(portal, _begun(tx, portal, application_id))


def _erase_overdue(tx: Session, member_id: str, now: datetime) -> None:
    """Who comes back after his time was over, and before the worker's round, begins anew all the same."""
    for portal_id in tx.scalars(select(Portal.id).where(Portal.member_id == member_id, Portal.erase_after <= now)):
        erase_if_due(tx, portal_id, now)


def _begun(tx: Session, portal: Portal, application_id: int) -> Installation:
    made = Installation(portal_id=portal.id, application_id=application_id, state="new")
    tx.add(made)
    tx.flush()
    tx.refresh(made)
    portal.erase_after = None
    _default_grants(tx, portal.id)
    return made


def _portal(
    tx: Session, member_id: str, domain: str, client_endpoint: str, server_endpoint: str, language: str
) -> Portal:
    values = {"domain": domain, "client_endpoint": client_endpoint, "server_endpoint": server_endpoint}
    portal = tx.scalar(select(Portal).where(Portal.member_id == member_id).with_for_update(key_share=True))
    if portal is None:
        tx.execute(insert(Portal).values(member_id=member_id, language=language, **values).on_conflict_do_nothing())
        portal = tx.scalars(select(Portal).where(Portal.member_id == member_id).with_for_update(key_share=True)).one()
    for name, value in values.items():
        if getattr(portal, name) != value:
            setattr(portal, name, value)
    return portal


def _default_grants(tx: Session, portal_id: int) -> None:
    if tx.scalar(select(Grant.id).where(Grant.portal_id == portal_id).limit(1)) is None:
        tx.add_all(Grant(portal_id=portal_id, scope=s, code=c, right=r) for s, c, r in DEFAULT_GRANTS)


def end_installation(tx: Session, installation: Installation, now: datetime) -> None:
    """Ends one life of the app in a portal: tokens, users' names and calendar feeds go at once; bookings stay."""
    installation.state, installation.deleted_at = "deleted", now
    installation.application_token = None
    tx.execute(delete(AdminToken).where(AdminToken.portal_id == installation.portal_id))
    tx.execute(delete(PortalUser).where(PortalUser.portal_id == installation.portal_id))
    tx.execute(delete(Feed).where(Feed.portal_id == installation.portal_id))


def erase(tx: Session, portal_id: int) -> None:
    """Deletes the tenant and everything that is his."""
    _wait_for_bookings(tx, portal_id)
    tx.execute(delete(Portal).where(Portal.id == portal_id))


def erase_if_due(tx: Session, portal_id: int, now: datetime) -> bool:
    """Whether the tenant's time was over and he was deleted; he may have come back since somebody looked."""
    _wait_for_bookings(tx, portal_id)
    due = delete(Portal).where(Portal.id == portal_id, Portal.erase_after <= now).returning(Portal.id)
    return tx.scalar(due) is not None


def _wait_for_bookings(tx: Session, portal_id: int) -> None:
    """A booking that is being made has locked its resource and will need the portal's row: so the same order."""
    held = select(Resource.id).where(Resource.portal_id == portal_id).order_by(Resource.id)
    tx.execute(held.with_for_update(key_share=True))


def due_for_erasure(tx: Session, now: datetime) -> list[int]:
    return list(tx.scalars(select(Portal.id).where(Portal.erase_after <= now).order_by(Portal.id)))


def remember_user(
    tx: Session,
    portal_id: int,
    user_id: int,
    name: str,
    now: datetime,
    *,
    codes: Collection[str] | None = None,
    is_admin: bool = False,
) -> None:
    """Keeps the name of somebody seen in the portal; with his access `codes` also what he may do as of now."""
    values: dict[str, Any] = {"name": name, "seen_at": now}
    if codes is not None:
        values |= {"codes": sorted(codes), "is_admin": is_admin, "dismissed": False, "checked_at": now}
    tx.execute(
        insert(PortalUser)
        .values(portal_id=portal_id, user_id=user_id, **values)
        .on_conflict_do_update(constraint="portal_user_once", set_=values)
    )


def user_names(tx: Session, portal_id: int, user_ids: Collection[int] | None = None) -> dict[int, str]:
    """The names of these users, or of everybody seen."""
    query = select(PortalUser.user_id, PortalUser.name).where(PortalUser.portal_id == portal_id)
    if user_ids is not None:
        query = query.where(PortalUser.user_id.in_(user_ids))
    return {row.user_id: row.name for row in tx.execute(query.order_by(PortalUser.name))}


def frame_seen(tx: Session, portal_id: int, now: datetime) -> None:
    """Notes that a frame of this portal is open; written at most every ten seconds."""
    statement = insert(PortalActivity).values(portal_id=portal_id, frame_seen_at=now)
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=[PortalActivity.portal_id],
            set_={"frame_seen_at": now},
            where=PortalActivity.frame_seen_at < now - timedelta(seconds=10),
        )
    )


def frame_is_open(tx: Session, portal_id: int, now: datetime) -> bool:
    """Whether a page of this portal made an authenticated request in the last 30 s."""
    return (
        tx.scalar(
            select(func.count())
            .select_from(PortalActivity)
            .where(PortalActivity.portal_id == portal_id, PortalActivity.frame_seen_at > now - FRAME_OPEN)
        )
        == 1
    )


def keep_pair(
    tx: Session,
    installation: Installation,
    *,
    user_id: int,
    origin: str,
    access_token: str,
    refresh_token: str,
    expires_at: datetime,
    now: datetime,
) -> None:
    """Remembers a verified administrator's pair, in a transaction of its own; then call `revive` in another.

    Waits while that pair is being refreshed. The pair of ONAPPINSTALL is the server's alone, so a living one is never
    replaced by a spare of a frame.
    """
    key = {"portal_id": installation.portal_id, "installation_id": installation.id, "user_id": user_id}
    pair = {
        "origin": origin, "access_token": access_token, "refresh_token": refresh_token, "expires_at": expires_at,
        "verified_at": now, "dead_at": None, "dead_reason": None,
    }  # fmt: skip
    replaceable = or_(AdminToken.origin == "frame", AdminToken.dead_at.is_not(None), literal(origin == "install"))
    tx.execute(
        insert(AdminToken)
        .values(**key, **pair)
        .on_conflict_do_update(constraint="admin_token_one_per_user", set_=pair, where=replaceable)
    )
    tx.execute(update(AdminToken).filter_by(**key).values(verified_at=now))


def revive(tx: Session, installation_id: int) -> bool:
    """Whether the installation was waiting for the pair that was kept just now; it waits no more.

    Where it was removed meanwhile the pair is forgotten again: a removal deletes only what it sees.
    """
    row = tx.scalar(
        select(Installation)
        .where(Installation.id == installation_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if row is None or row.state == "deleted":
        tx.execute(delete(AdminToken).where(AdminToken.installation_id == installation_id))
        return False
    waited, row.needs_admin = row.needs_admin, False
    return waited


def revive_served(tx: Session) -> list[int]:
    """The portals that waited for an administrator although a pair of one is there; they wait no more.

    A frame may bring a pair between a worker's look and its note that there is none.
    """
    served = exists().where(AdminToken.installation_id == Installation.id, AdminToken.dead_at.is_(None))
    return list(
        tx.scalars(
            update(Installation)
            .where(Installation.needs_admin, Installation.state != "deleted", served)
            .values(needs_admin=False)
            .returning(Installation.portal_id)
        )
    )


def bury_pair_of(tx: Session, portal_id: int, user_id: int, reason: str, now: datetime) -> None:
    """This user is no administrator any more, so his pair is not one either; waits while it is being refreshed."""
    tx.execute(
        update(AdminToken)
        .where(AdminToken.portal_id == portal_id, AdminToken.user_id == user_id, AdminToken.dead_at.is_(None))
        .values(dead_at=now, dead_reason=reason)
    )


def living_pairs(tx: Session, portal_id: int) -> list[AdminToken]:
    """The pairs that may still work, the server's own first, then the most recently verified."""
    return list(
        tx.scalars(
            select(AdminToken)
            .where(AdminToken.portal_id == portal_id, AdminToken.dead_at.is_(None))
            .order_by((AdminToken.origin == "install").desc(), AdminToken.verified_at.desc(), AdminToken.id)
        )
    )


def lock_pair(tx: Session, portal_id: int, pair_id: int) -> AdminToken | None:
    """The pair, locked: its refresh token changes at each use, so two refreshes at once would break one."""
    return tx.scalar(
        select(AdminToken)
        .where(AdminToken.portal_id == portal_id, AdminToken.id == pair_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def lost_all_pairs(tx: Session, portal_id: int) -> None:
    """Notes that no administrator's pair works any more; `revive` takes the note back."""
    tx.execute(
        update(Installation)
        .where(Installation.portal_id == portal_id, Installation.state != "deleted")
        .values(needs_admin=True)
    )


def note_address(tx: Session, portal_id: int, client_endpoint: str) -> None:
    """The portal's present address, and with it the name that it is shown under."""
    tx.execute(
        update(Portal)
        .where(Portal.id == portal_id, Portal.client_endpoint != client_endpoint)
        .values(client_endpoint=client_endpoint, domain=urlsplit(client_endpoint).netloc)
    )


def note_end(tx: Session, installation_id: int, *, unpaid: bool) -> None:
    """What the authorization server says of the whole installation: unpaid, or gone. A later frame corrects it."""
    values = {"payment_expired": True} if unpaid else {"state": "blocked"}
    tx.execute(
        update(Installation).where(Installation.id == installation_id, Installation.state != "deleted").values(**values)
    )
