"""How resources look."""

from __future__ import annotations

import secrets
from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from b24app.errors import NotFound
from b24app.ledger.facilities import known_resources
from b24app.ledger.place_models import ResourcePhoto

SECRET_BYTES = 18


def save(tx: Session, portal_id: int, resource_id: int, mimetype: str, body: bytes) -> str:
    """The photo of a resource from now on, at an address that nobody could have known; raises NotFound."""
    if not known_resources(tx, portal_id, [resource_id]):
        raise NotFound("resource")
    secret = secrets.token_urlsafe(SECRET_BYTES)
    values = {"portal_id": portal_id, "secret": secret, "mimetype": mimetype, "body": body}
    tx.execute(
        insert(ResourcePhoto)
        .values(resource_id=resource_id, **values)
        .on_conflict_do_update(index_elements=[ResourcePhoto.resource_id], set_=values)
    )
    return secret


def remove(tx: Session, portal_id: int, resource_id: int) -> None:
    """The resource has none any more, and its address answers nothing."""
    tx.execute(
        delete(ResourcePhoto).where(ResourcePhoto.portal_id == portal_id, ResourcePhoto.resource_id == resource_id)
    )


def secrets_of(tx: Session, portal_id: int, resource_ids: Collection[int]) -> dict[int, str]:
    """Where the photos of these stand; a resource without one is missing."""
    query = select(ResourcePhoto.resource_id, ResourcePhoto.secret).where(
        ResourcePhoto.portal_id == portal_id, ResourcePhoto.resource_id.in_(resource_ids)
    )
    return dict(tx.execute(query).all())


def copy(tx: Session, portal_id: int, from_id: int, to_id: int) -> None:
    """Another resource looks the same."""
    row = tx.scalar(
        select(ResourcePhoto).where(ResourcePhoto.portal_id == portal_id, ResourcePhoto.resource_id == from_id)
    )
    if row is not None:
        save(tx, portal_id, to_id, row.mimetype, row.body)


def by_secret(tx: Session, secret: str) -> tuple[str, bytes] | None:
    """Type and contents of the photo at this address, of whatever portal."""
    row = tx.execute(select(ResourcePhoto.mimetype, ResourcePhoto.body).where(ResourcePhoto.secret == secret)).first()
    return (row[0], row[1]) if row else None
