"""Portals, their applications, installations and administrators' tokens: who the tenant is.

These functions find a portal; everything in `queries` then works inside of one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from b24app.ledger.models import (
    AdminToken,
    Application,
    Grant,
    Installation,
    Portal,
    PortalActivity,
    PortalUser,
)

FRAME_OPEN = timedelta(seconds=30)
DEFAULT_GRANTS = (("everything", "AU", "book"),)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A portal together with its living installation."""

    portal: Portal
    installation: Installation


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


def credentials(tx: Session, installation: Installation) -> tuple[str, str]:
    """The `client_id` and secret of the application that was installed."""
    row = tx.execute(
        select(Application.client_id, Application.client_secret).where(Application.id == installation.application_id)
    ).one()
    return row[0], row[1]


def portals(tx: Session) -> list[Portal]:
    return list(tx.scalars(select(Portal).order_by(Portal.id)))


def portal_by_member(tx: Session, member_id: str) -> Portal | None:
    return tx.scalar(select(Portal).where(Portal.member_id == member_id))


def tenant(tx: Session, portal_id: int) -> Tenant | None:
    """The portal if an installation of it is alive."""
    row = tx.execute(
        select(Portal, Installation)
        .join(Installation, Installation.portal_id == Portal.id)
        .where(Portal.id == portal_id, Installation.state != "deleted")
    ).first()
    return Tenant(row[0], row[1]) if row else None


def tenant_by_member(tx: Session, member_id: str) -> Tenant | None:
    portal = portal_by_member(tx, member_id)
    return tenant(tx, portal.id) if portal else None


def enter(
    tx: Session,
    *,
    member_id: str,
    domain: str,
    client_endpoint: str,
    server_endpoint: str,
    language: str,
    application_id: int,
    now: datetime,
) -> Tenant:
    """The tenant of a verified call; made on first contact, brought up to date afterwards.

    A living installation of another application ends here: a local application that was deleted and added again
    comes under a new `client_id`, and its ONAPPUNINSTALL may have been lost.
    """
    portal = _portal(tx, member_id, domain, client_endpoint, server_endpoint, language)
    alive = tx.scalar(select(Installation).where(Installation.portal_id == portal.id, Installation.state != "deleted"))
    if alive is not None and alive.application_id != application_id:
        end_installation(tx, alive, now)
        alive = None
    if alive is None:
        alive = Installation(portal_id=portal.id, application_id=application_id, state="new")
        tx.add(alive)
        tx.flush()
        tx.refresh(alive)
        portal.erase_after = None
        _default_grants(tx, portal.id)
    return Tenant(portal, alive)


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
    """Ends one life of the app in a portal: tokens and users' names go at once; bookings stay."""
    installation.state, installation.deleted_at = "deleted", now
    installation.application_token = None
    tx.execute(delete(AdminToken).where(AdminToken.portal_id == installation.portal_id))
    tx.execute(delete(PortalUser).where(PortalUser.portal_id == installation.portal_id))


def erase(tx: Session, portal_id: int) -> None:
    """Deletes the tenant and everything that is his."""
    tx.execute(delete(Portal).where(Portal.id == portal_id))


def due_for_erasure(tx: Session, now: datetime) -> list[int]:
    return list(tx.scalars(select(Portal.id).where(Portal.erase_after <= now).order_by(Portal.id)))


def remember_user(tx: Session, portal_id: int, user_id: int, name: str, now: datetime) -> None:
    """Keeps the name of somebody seen in the portal."""
    tx.execute(
        insert(PortalUser)
        .values(portal_id=portal_id, user_id=user_id, name=name, seen_at=now)
        .on_conflict_do_update(constraint="portal_user_once", set_={"name": name, "seen_at": now})
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
    """Remembers a verified administrator's pair and revives an installation that was waiting for one.

    The pair of ONAPPINSTALL is the server's alone, so a living one is never replaced by a spare of a frame.
    """
    row = tx.scalar(
        select(AdminToken)
        .where(AdminToken.installation_id == installation.id, AdminToken.user_id == user_id)
        .with_for_update()
    )
    if row is None:
        row = AdminToken(portal_id=installation.portal_id, installation_id=installation.id, user_id=user_id)
        tx.add(row)
    elif row.origin == "install" and origin == "frame" and row.dead_at is None:
        row.verified_at = now
        tx.flush()
        return
    row.origin, row.access_token, row.refresh_token = origin, access_token, refresh_token
    row.expires_at, row.verified_at, row.dead_at, row.dead_reason = expires_at, now, None, None
    tx.flush()
    if installation.needs_admin:
        tx.execute(update(Installation).where(Installation.id == installation.id).values(needs_admin=False))


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
    """Notes that no administrator's pair works any more; `keep_pair` takes the note back."""
    tx.execute(
        update(Installation)
        .where(Installation.portal_id == portal_id, Installation.state != "deleted")
        .values(needs_admin=True)
    )
