"""Secret addresses of calendars: made, listed, revoked, found by their secret's hash.

Whoever knows a secret may read, so only its hash is kept; `portal_id` comes right after the transaction, but where
the secret is all that is known.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from b24app.errors import InvalidInput, NotFound
from b24app.ledger.access import Viewer
from b24app.ledger.models import PortalUser, Resource
from b24app.ledger.portal_models import Feed

SECRET_BYTES = 32
MOST_FEEDS = 50  # living ones of one person
READ_NOTED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class FeedData:
    """What a feed is to show: a resource, or the bookings of a person; `names`: clients' names too."""

    resource_id: int | None = None
    user_id: int | None = None
    names: bool = False


class FeedRow(NamedTuple):
    """One feed in the list. `resource` is "" for that of a person, `maker` for somebody who is not known any more."""

    feed: Feed
    resource: str
    maker: str


def make(tx: Session, portal_id: int, data: FeedData, *, viewer: Viewer, now: datetime) -> tuple[Feed, str]:
    """A new feed with its secret, which nobody can read again. Raises NotFound, InvalidInput.

    Of a resource whose bookings he may see, or of his own.
    """
    if data.resource_id is not None:
        _check_resource(tx, portal_id, data.resource_id, viewer)
    elif data.user_id != viewer.user_id:
        raise NotFound("user")
    mine = (Feed.portal_id == portal_id, Feed.created_by == viewer.user_id, Feed.revoked_at.is_(None))
    if (tx.scalar(select(func.count()).select_from(Feed).where(*mine)) or 0) >= MOST_FEEDS:
        raise InvalidInput({"what": "too_many_feeds"})
    secret = secrets.token_urlsafe(SECRET_BYTES)
    feed = Feed(
        portal_id=portal_id, resource_id=data.resource_id, user_id=data.user_id, names=data.names,
        secret_hash=hash_of(secret), created_by=viewer.user_id, created_at=now,
    )  # fmt: skip
    tx.add(feed)
    tx.flush()
    return feed, secret


def _check_resource(tx: Session, portal_id: int, resource_id: int, viewer: Viewer) -> None:
    row = tx.scalar(
        select(Resource).where(
            Resource.portal_id == portal_id, Resource.id == resource_id, Resource.archived_at.is_(None)
        )
    )
    if row is None or not viewer.may("see", row):
        raise NotFound("resource")


def hash_of(secret: str) -> bytes:
    """What is kept of a secret: it is random enough that a plain hash cannot be guessed back."""
    return hashlib.sha256(secret.encode()).digest()


def by_secret(tx: Session, secret: str) -> Feed | None:
    """The feed of a secret, revoked or not. The secret tells the portal too."""
    return tx.scalar(select(Feed).where(Feed.secret_hash == hash_of(secret)))


def listed(tx: Session, portal_id: int, viewer: Viewer) -> list[FeedRow]:
    """The living feeds that he has made, the newest first; an administrator sees everybody's."""
    query = (
        select(Feed, func.coalesce(Resource.name, ""), func.coalesce(PortalUser.name, ""))
        .outerjoin(Resource, (Resource.id == Feed.resource_id) & (Resource.portal_id == portal_id))
        .outerjoin(PortalUser, (PortalUser.portal_id == portal_id) & (PortalUser.user_id == Feed.created_by))
        .where(Feed.portal_id == portal_id, Feed.revoked_at.is_(None))
        .order_by(Feed.created_at.desc(), Feed.id.desc())
    )
    if not viewer.is_admin:
        query = query.where(Feed.created_by == viewer.user_id)
    return [FeedRow(*row) for row in tx.execute(query)]


def revoke(tx: Session, portal_id: int, feed_id: int, *, viewer: Viewer, now: datetime) -> None:
    """Ends a feed of his own, an administrator any; again is the same. Raises NotFound."""
    whose = () if viewer.is_admin else (Feed.created_by == viewer.user_id,)
    ended = tx.scalar(
        update(Feed)
        .where(Feed.portal_id == portal_id, Feed.id == feed_id, *whose)
        .values(revoked_at=func.coalesce(Feed.revoked_at, now))
        .returning(Feed.id)
    )
    if ended is None:
        raise NotFound("feed")


def note_read(tx: Session, portal_id: int, feed: Feed, now: datetime) -> None:
    """Remembers that it is in use, at most once an hour: programs ask every few minutes.

    A row that somebody else is writing is left alone: it is the same note, and nobody has to wait for it.
    """
    if feed.read_at is not None and feed.read_at > now - READ_NOTED:
        return
    free = (
        select(Feed.id)
        .where(Feed.portal_id == portal_id, Feed.id == feed.id)
        .with_for_update(skip_locked=True, key_share=True)
        .scalar_subquery()
    )
    tx.execute(update(Feed).where(Feed.portal_id == portal_id, Feed.id == free).values(read_at=now))
