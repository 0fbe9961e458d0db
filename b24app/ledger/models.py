"""What is true: one class per table. `portal_id` is on every row and first in every key.

Times are `timestamptz`, intervals half-open `tstzrange` in UTC. Bookings, history and jobs carry ids only;
names, phones and e-mails of clients stand in `client` alone, so that erasing a person is one statement.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from psycopg.types.range import Range
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, UUID, ExcludeConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from b24app.ledger.secrets import EncryptedText

ALLOCATION_NO_OVERLAP = "allocation_no_overlap"


class Base(DeclarativeBase):
    """Everything in the ledger."""

    type_annotation_map = {  # noqa: RUF012 — SQLAlchemy reads it as a plain class attribute
        str: Text,
        int: BigInteger,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        uuid.UUID: UUID,
    }


def _id() -> Mapped[int]:
    return mapped_column(BigInteger, Identity(), primary_key=True)


def _portal() -> Mapped[int]:
    return mapped_column(ForeignKey("portal.id", ondelete="CASCADE"))


def _json() -> Mapped[dict[str, Any]]:
    return mapped_column(JSONB, server_default=text("'{}'::jsonb"))


def _bounded(column: str) -> CheckConstraint:
    """NULL, empty and endless ranges would slip through an exclusion constraint."""
    return CheckConstraint(
        f"NOT isempty({column}) AND NOT lower_inf({column}) AND NOT upper_inf({column})", name=f"{column}_is_bounded"
    )


class Application(Base):
    """A `client_id` and its secret: local (one portal) or market (all)."""

    __tablename__ = "application"
    __table_args__ = (CheckConstraint("kind IN ('local', 'market')", name="application_kind"),)

    id: Mapped[int] = _id()
    client_id: Mapped[str] = mapped_column(unique=True)
    client_secret: Mapped[str] = mapped_column(EncryptedText)
    kind: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Portal(Base):
    """One tenant, known by `member_id`; its domain may change.

    `crm` and `calendar` remember what the installer laid down there (`sync.install` writes and reads them).
    `longest_minutes` bounds every allocation of the portal and only grows: so far back may one that is shown now
    have begun, and no further do the board's queries look.
    """

    __tablename__ = "portal"
    __table_args__ = (CheckConstraint("level IN ('A', 'B')", name="portal_level"),)

    id: Mapped[int] = _id()
    member_id: Mapped[str] = mapped_column(unique=True)
    domain: Mapped[str]
    client_endpoint: Mapped[str]
    server_endpoint: Mapped[str]
    language: Mapped[str] = mapped_column(server_default="ru")
    time_zone: Mapped[str] = mapped_column(server_default="Europe/Moscow")
    level: Mapped[str] = mapped_column(server_default="A")
    crm: Mapped[dict[str, Any]] = _json()
    calendar: Mapped[dict[str, Any]] = _json()
    next_number: Mapped[int] = mapped_column(server_default="1000")
    longest_minutes: Mapped[int] = mapped_column(Integer, server_default="60")
    erase_after: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PortalActivity(Base):
    """When a frame of this portal was last seen; apart from `portal`, because every open page writes it."""

    __tablename__ = "portal_activity"

    portal_id: Mapped[int] = mapped_column(ForeignKey("portal.id", ondelete="CASCADE"), primary_key=True)
    frame_seen_at: Mapped[datetime]


class Installation(Base):
    """One life of the app in a portal. Objects that it laid down outlive it and stand on the portal."""

    __tablename__ = "installation"
    __table_args__ = (
        CheckConstraint("state IN ('new', 'active', 'blocked', 'deleted')", name="installation_state"),
        Index("installation_one_alive", "portal_id", unique=True, postgresql_where=text("state <> 'deleted'")),
    )

    id: Mapped[int] = _id()
    portal_id: Mapped[int] = _portal()
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"))
    state: Mapped[str] = mapped_column(server_default="new")
    needs_admin: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    application_token: Mapped[str | None] = mapped_column(EncryptedText)
    scopes: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default="L")
    payment_expired: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    steps: Mapped[dict[str, Any]] = _json()
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class AdminToken(Base):
    """The pair of one verified administrator. `origin` install: the server's alone; frame: a spare."""

    __tablename__ = "admin_token"
    __table_args__ = (
        UniqueConstraint("portal_id", "installation_id", "user_id", name="admin_token_one_per_user"),
        CheckConstraint("origin IN ('install', 'frame')", name="admin_token_origin"),
    )

    id: Mapped[int] = _id()
    portal_id: Mapped[int] = _portal()
    installation_id: Mapped[int] = mapped_column(ForeignKey("installation.id", ondelete="CASCADE"))
    user_id: Mapped[int]
    origin: Mapped[str]
    access_token: Mapped[str] = mapped_column(EncryptedText)
    refresh_token: Mapped[str] = mapped_column(EncryptedText)
    expires_at: Mapped[datetime]
    verified_at: Mapped[datetime]
    dead_at: Mapped[datetime | None]
    dead_reason: Mapped[str | None]


class PortalUser(Base):
    """A person of the portal whom we have seen: the name for history and boards, never a right."""

    __tablename__ = "portal_user"
    __table_args__ = (UniqueConstraint("portal_id", "user_id", name="portal_user_once"),)

    id: Mapped[int] = _id()
    portal_id: Mapped[int] = _portal()
    user_id: Mapped[int]
    name: Mapped[str]
    seen_at: Mapped[datetime]


class Resource(Base):
    """What can be taken: room, person, equipment. `calendar_mode` none keeps its bookings out of calendars."""

    __tablename__ = "resource"
    __table_args__ = (
        Index("resource_of_portal", "portal_id", "sort", "id"),
        CheckConstraint("calendar_mode IN ('default', 'none')", name="resource_calendar_mode"),
        CheckConstraint("capacity BETWEEN 1 AND 100000", name="resource_capacity"),
    )

    id: Mapped[int] = _id()
    portal_id: Mapped[int] = _portal()
    kind: Mapped[str]
    name: Mapped[str]
    city: Mapped[str] = mapped_column(server_default="")
    address: Mapped[str] = mapped_column(server_default="")
    capacity: Mapped[int] = mapped_column(Integer, server_default="1")
    time_zone: Mapped[str]
    step_minutes: Mapped[int] = mapped_column(SmallInteger, server_default="30")
    portal_user_id: Mapped[int | None]
    calendar_mode: Mapped[str] = mapped_column(server_default="default")
    sort: Mapped[int] = mapped_column(Integer, server_default="0")
    archived_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OpeningHours(Base):
    """One open stretch of one weekday, in minutes after midnight of the resource's own zone; may pass midnight."""

    __tablename__ = "opening_hours"
    __table_args__ = (
        Index("opening_hours_of_resource", "portal_id", "resource_id"),
        CheckConstraint("weekday BETWEEN 0 AND 6", name="opening_hours_weekday"),
        CheckConstraint(
            "opens BETWEEN 0 AND 1439 AND closes > opens AND closes <= opens + 1440", name="opening_hours_minutes"
        ),
    )

    id: Mapped[int] = _id()
    portal_id: Mapped[int] = _portal()
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))
    weekday: Mapped[int] = mapped_column(SmallInteger)
    opens: Mapped[int] = mapped_column(SmallInteger)
    closes: Mapped[int] = mapped_column(SmallInteger)


class Unit(Base):
    """One of a resource's equal places; the row that is occupied."""

    __tablename__ = "unit"
    __table_args__ = (UniqueConstraint("portal_id", "resource_id", "number", name="unit_number"),)

    id: Mapped[int] = _id()
    portal_id: Mapped[int] = _portal()
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(SmallInteger, server_default="1")


class Service(Base):
    """What somebody books. Booking a bare resource is a service with one requirement."""

    __tablename__ = "service"
    __table_args__ = (
        Index("service_of_portal", "portal_id", "id"),
        CheckConstraint("min_minutes > 0 AND max_minutes >= min_minutes", name="service_minutes"),
    )

    id: Mapped[int] = _id()
    portal_id: Mapped[int] = _portal()
    name: Mapped[str]
    min_minutes: Mapped[int] = mapped_column(Integer, server_default="30")
    max_minutes: Mapped[int] = mapped_column(Integer, server_default="1440")
    horizon_days: Mapped[int] = mapped_column(Integer, server_default="365")
    archived_at: Mapped[datetime | None]


class Requirement(Base):
    """What a service needs: this resource, so many units of it."""

    __tablename__ = "requirement"
    __table_args__ = (
        UniqueConstraint("portal_id", "service_id", "resource_id", name="requirement_once"),
        Index("requirement_of_resource", "portal_id", "resource_id"),
    )

    id: Mapped[int] = _id()
    portal_id: Mapped[int] = _portal()
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id", ondelete="CASCADE"))
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))
    quantity: Mapped[int] = mapped_column(SmallInteger, server_default="1")


class Client(Base):
    """Who a booking is for: a contact or company of the CRM, or a name and a phone. All personal data is here."""

    __tablename__ = "client"
    __table_args__ = (
        CheckConstraint("kind IN ('contact', 'company', 'person')", name="client_kind"),
        CheckConstraint("(kind = 'person') = (crm_id IS NULL)", name="client_crm_id"),
        Index("client_of_crm", "portal_id", "kind", "crm_id", unique=True, postgresql_where=text("crm_id IS NOT NULL")),
    )

    id: Mapped[int] = _id()
    portal_id: Mapped[int] = _portal()
    kind: Mapped[str]
    crm_id: Mapped[int | None]
    name: Mapped[str]
    phone: Mapped[str] = mapped_column(server_default="")
    email: Mapped[str] = mapped_column(server_default="")


class Booking(Base):
    """A claim on a service for an interval. `revision` grows with every change.

    `request_key` is the form's own: sent twice, it makes one booking.
    """

    __tablename__ = "booking"
    __table_args__ = (
        UniqueConstraint("portal_id", "number", name="booking_number"),
        Index(
            "booking_request_once",
            "portal_id",
            "request_key",
            unique=True,
            postgresql_where=text("request_key IS NOT NULL"),
        ),
        Index("booking_starts", "portal_id", text("lower(during)")),
        Index("booking_of_deal", "portal_id", "deal_id", postgresql_where=text("deal_id IS NOT NULL")),
        Index("booking_of_client", "portal_id", "client_id", postgresql_where=text("client_id IS NOT NULL")),
        CheckConstraint(
            "stage IN ('prebooked', 'confirmed', 'completed', 'cancelled', 'no_show', 'expired')", name="booking_stage"
        ),
        CheckConstraint(
            "payment IN ('none', 'due', 'partly', 'paid', 'refund_due', 'refunded')", name="booking_payment"
        ),
        _bounded("during"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    portal_id: Mapped[int] = _portal()
    number: Mapped[int]
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id"))
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    stage: Mapped[str]
    payment: Mapped[str] = mapped_column(server_default="none")
    held_until: Mapped[datetime | None]
    client_id: Mapped[int | None] = mapped_column(ForeignKey("client.id", ondelete="SET NULL"))
    deal_id: Mapped[int | None]
    title: Mapped[str] = mapped_column(server_default="")
    notes: Mapped[str] = mapped_column(server_default="")
    responsible_id: Mapped[int | None]
    source: Mapped[str]
    policy: Mapped[dict[str, Any]] = _json()
    request_key: Mapped[str | None]
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Allocation(Base):
    """The row that occupies one unit for one interval, buffer included. The database has the last word here."""

    __tablename__ = "allocation"
    __table_args__ = (
        ExcludeConstraint(
            (func.int8range(text("unit_id"), text("unit_id"), text("'[]'")), "="),
            (text("during"), "&&"),
            name=ALLOCATION_NO_OVERLAP,
            using="gist",
            where=text("released_at IS NULL"),
        ),
        Index("allocation_starts", "portal_id", text("lower(during)")),
        Index("allocation_of_booking", "portal_id", "booking_id"),
        _bounded("during"),
    )

    id: Mapped[int] = _id()
    portal_id: Mapped[int] = _portal()
    booking_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    released_at: Mapped[datetime | None]


class ExternalRef(Base):
    """Ledger id ↔ portal id: one picture of ours in the portal, and how far it is behind.

    `kind` item (the smart-process item of a booking or a resource) or event (calendar; one per `target`, such as
    `user:5` or `company`). Dirty while `written_revision < revision`; `dirty_since` is NULL when in step.
    `intent` is committed before the first write: by its marks a picture is found again after an uncertain answer.
    """

    __tablename__ = "external_ref"
    __table_args__ = (
        CheckConstraint("kind IN ('item', 'event')", name="external_ref_kind"),
        CheckConstraint("(booking_id IS NULL) <> (resource_id IS NULL)", name="external_ref_owner"),
        Index(
            "external_ref_of_booking",
            "portal_id",
            "booking_id",
            "kind",
            "target",
            unique=True,
            postgresql_where=text("booking_id IS NOT NULL"),
        ),
        Index(
            "external_ref_of_resource",
            "portal_id",
            "resource_id",
            "kind",
            unique=True,
            postgresql_where=text("resource_id IS NOT NULL"),
        ),
        Index("external_ref_remote", "portal_id", "kind", "remote_id", postgresql_where=text("remote_id IS NOT NULL")),
        Index(
            "external_ref_dirty", "portal_id", "bulk", "dirty_since", postgresql_where=text("dirty_since IS NOT NULL")
        ),
    )

    id: Mapped[int] = _id()
    portal_id: Mapped[int] = _portal()
    booking_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"))
    resource_id: Mapped[int | None] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))
    kind: Mapped[str]
    target: Mapped[str] = mapped_column(server_default="")
    remote_id: Mapped[int | None]
    host: Mapped[int | None]
    intent: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    fingerprint: Mapped[str | None]
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    written_revision: Mapped[int] = mapped_column(Integer, server_default="0")
    dirty_since: Mapped[datetime | None]
    bulk: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    due_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    parked_reason: Mapped[str | None]


class History(Base):
    """One change of one booking: who, what, before and after. Ids only, never a name."""

    __tablename__ = "history"
    __table_args__ = (UniqueConstraint("portal_id", "booking_id", "number", name="history_number"),)

    id: Mapped[int] = _id()
    portal_id: Mapped[int] = _portal()
    booking_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    before: Mapped[dict[str, Any]] = _json()
    after: Mapped[dict[str, Any]] = _json()


class Grant(Base):
    """Who may do what: `scope` everything, kind:…, location:… or resource:…; `code` the portal's own (U5, DR12, AU)."""

    __tablename__ = "access_grant"
    __table_args__ = (
        UniqueConstraint("portal_id", "scope", "code", "right", name="access_grant_once"),
        CheckConstraint(
            "\"right\" IN ('busy', 'see', 'request', 'book', 'approve', 'manage')", name="access_grant_right"
        ),
    )

    id: Mapped[int] = _id()
    portal_id: Mapped[int] = _portal()
    scope: Mapped[str]
    code: Mapped[str]
    right: Mapped[str]
