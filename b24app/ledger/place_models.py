"""What a company adds to its resources: kinds of its own and photos. One class per table, as in `models`."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Integer, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from b24app.ledger.models import Base, identity, of_portal


class ResourceKind(Base):
    """A kind of resources that the company has named itself; the five that everybody has stand in no table.

    `key` is what `Resource.kind` and access scopes say, the same in every portal that a configuration is copied to; by
    its beginning (`scheduling.allocation.seats_people`) it tells whether people sit in such a thing.
    """

    __tablename__ = "resource_kind"
    __table_args__ = (UniqueConstraint("portal_id", "key", name="resource_kind_key"),)

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    key: Mapped[str]
    one: Mapped[str]
    many: Mapped[str]
    icon: Mapped[str] = mapped_column(server_default="desk")
    sort: Mapped[int] = mapped_column(Integer, server_default="0")
    revision: Mapped[int] = mapped_column(Integer, server_default="1")


class ResourcePhoto(Base):
    """How a resource looks. `secret` is its address: an <img> carries no bearer, so only who knows it may look."""

    __tablename__ = "resource_photo"
    __table_args__ = (UniqueConstraint("secret", name="resource_photo_secret"),)

    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"), primary_key=True)
    portal_id: Mapped[int] = of_portal()
    secret: Mapped[str]
    mimetype: Mapped[str]
    body: Mapped[bytes] = mapped_column(LargeBinary)
