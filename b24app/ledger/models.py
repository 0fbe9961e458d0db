"""What is true: one class per table. `portal_id` is on every row and first in every key.

Times are `timestamptz`, intervals half-open `tstzrange` in UTC. Bookings, history and jobs carry ids only;
names, phones and e-mails of clients stand in `client` alone, so that erasing a person is one statement.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from psycopg.types.range import Range
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZRANGE, UUID, ExcludeConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from b24app.ledger.secrets import EncryptedText

ALLOCATION_NO_OVERLAP = "allocation_no_overlap"


class Base(DeclarativeBase):
    """Everything in the ledger."""

    type_annotation_map = {  # noqa: RUF012 — SQLAlchemy reads it as a plain class attribute
        str: Text,
        int: BigInteger,
        datetime: DateTime(timezone=True),
        date: Date,
        Decimal: Numeric(18, 3),
        dict[str, Any]: JSONB,
        uuid.UUID: UUID,
    }


def identity() -> Mapped[int]:
    return mapped_column(BigInteger, Identity(), primary_key=True)


def of_portal() -> Mapped[int]:
    return mapped_column(ForeignKey("portal.id", ondelete="CASCADE"))


def json_object() -> Mapped[dict[str, Any]]:
    return mapped_column(JSONB, server_default=text("'{}'::jsonb"))


def _minutes() -> Mapped[int]:
    return mapped_column(Integer, server_default="0")


def flag() -> Mapped[bool]:
    return mapped_column(Boolean, server_default=text("false"))


def _bounded(column: str) -> CheckConstraint:
    """NULL, empty and endless ranges would slip through an exclusion constraint."""
    return CheckConstraint(
        f"NOT isempty({column}) AND NOT lower_inf({column}) AND NOT upper_inf({column})", name=f"{column}_is_bounded"
    )


class Application(Base):
    """A `client_id` and its secret: local (one portal) or market (all)."""

    __tablename__ = "application"
    __table_args__ = (CheckConstraint("kind IN ('local', 'market')", name="application_kind"),)

    id: Mapped[int] = identity()
    client_id: Mapped[str] = mapped_column(unique=True)
    client_secret: Mapped[str] = mapped_column(EncryptedText)
    kind: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Portal(Base):
    """One tenant, known by `member_id`; its domain may change.

    `crm` and `calendar` remember what the installer laid down there (`sync.install` writes and reads them); `settings`
    is a `ledger.portal_settings.PortalSettings`; `guide` what was answered there, and which samples stand in the portal
    (`ledger.guide`).
    `longest_minutes` bounds every allocation of the portal and only grows: so far back may one that is shown now
    have begun, and no further do the board's queries look. `changes` grows with everything that a board shows: an
    open board asks for it every few seconds.
    """

    __tablename__ = "portal"
    __table_args__ = (CheckConstraint("level IN ('A', 'B')", name="portal_level"),)

    id: Mapped[int] = identity()
    member_id: Mapped[str] = mapped_column(unique=True)
    domain: Mapped[str]
    client_endpoint: Mapped[str]
    server_endpoint: Mapped[str]
    language: Mapped[str] = mapped_column(server_default="ru")
    time_zone: Mapped[str] = mapped_column(server_default="Europe/Moscow")
    level: Mapped[str] = mapped_column(server_default="A")
    crm: Mapped[dict[str, Any]] = json_object()
    calendar: Mapped[dict[str, Any]] = json_object()
    settings: Mapped[dict[str, Any]] = json_object()
    guide: Mapped[dict[str, Any]] = json_object()
    next_number: Mapped[int] = mapped_column(server_default="1000")
    longest_minutes: Mapped[int] = mapped_column(Integer, server_default="60")
    currency: Mapped[str] = mapped_column(server_default="RUB")
    changes: Mapped[int] = mapped_column(server_default="0")
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

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"))
    state: Mapped[str] = mapped_column(server_default="new")
    needs_admin: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    application_token: Mapped[str | None] = mapped_column(EncryptedText)
    scopes: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default="L")
    payment_expired: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    steps: Mapped[dict[str, Any]] = json_object()
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class AdminToken(Base):
    """The pair of one verified administrator. `origin` install: the server's alone; frame: a spare."""

    __tablename__ = "admin_token"
    __table_args__ = (
        UniqueConstraint("portal_id", "installation_id", "user_id", name="admin_token_one_per_user"),
        CheckConstraint("origin IN ('install', 'frame')", name="admin_token_origin"),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
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
    """A person of the portal whom we have seen or read about: his name for history and boards.

    `codes` are his access codes as of `checked_at` (NULL: never read), for what he does in the portal itself, where no
    frame proves who he is. `dismissed`: works there no more. `choice`: how he last had the board (web.choice).
    Until `away_until` `stand_in` approves what he would.
    """

    __tablename__ = "portal_user"
    __table_args__ = (
        UniqueConstraint("portal_id", "user_id", name="portal_user_once"),
        Index("portal_user_stand_in", "portal_id", "stand_in", postgresql_where=text("stand_in IS NOT NULL")),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    user_id: Mapped[int]
    name: Mapped[str]
    seen_at: Mapped[datetime]
    codes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    is_admin: Mapped[bool] = flag()
    dismissed: Mapped[bool] = flag()
    checked_at: Mapped[datetime | None]
    choice: Mapped[dict[str, Any]] = json_object()
    stand_in: Mapped[int | None]
    away_until: Mapped[datetime | None]


class Resource(Base):
    """What can be taken: room, person, equipment.

    `calendar_mode` none keeps its bookings out of calendars; group and company name the section they go to, of the
    workgroup `calendar_owner` or of the company calendar; default is the person's own or the company's usual one.
    A composite (`is_composite`) owns no unit and takes those of its parts. Buffers are minutes; `holidays` is the
    country whose public holidays close it, or empty. `attributes`: what the company says of it besides, name → text.
    """

    __tablename__ = "resource"
    __table_args__ = (
        Index("resource_of_portal", "portal_id", "sort", "id"),
        CheckConstraint("calendar_mode IN ('default', 'none', 'group', 'company')", name="resource_calendar_mode"),
        CheckConstraint("capacity BETWEEN 1 AND 100000", name="resource_capacity"),
        CheckConstraint(
            "buffer_before BETWEEN 0 AND 1440 AND buffer_after BETWEEN 0 AND 1440", name="resource_buffers"
        ),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    kind: Mapped[str]
    name: Mapped[str]
    city: Mapped[str] = mapped_column(server_default="")
    address: Mapped[str] = mapped_column(server_default="")
    capacity: Mapped[int] = mapped_column(Integer, server_default="1")
    time_zone: Mapped[str]
    step_minutes: Mapped[int] = mapped_column(SmallInteger, server_default="30")
    buffer_before: Mapped[int] = _minutes()
    buffer_after: Mapped[int] = _minutes()
    holidays: Mapped[str] = mapped_column(server_default="")
    is_composite: Mapped[bool] = flag()
    portal_user_id: Mapped[int | None]
    calendar_mode: Mapped[str] = mapped_column(server_default="default")
    calendar_owner: Mapped[int | None]
    calendar_section: Mapped[int | None]
    sort: Mapped[int] = mapped_column(Integer, server_default="0")
    archived_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    attributes: Mapped[dict[str, Any]] = json_object()


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

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))
    weekday: Mapped[int] = mapped_column(SmallInteger)
    opens: Mapped[int] = mapped_column(SmallInteger)
    closes: Mapped[int] = mapped_column(SmallInteger)


class SpecialHours(Base):
    """What replaces the week on one date: one row per open stretch, or a single row without times: closed that day."""

    __tablename__ = "special_hours"
    __table_args__ = (
        Index("special_hours_of_resource", "portal_id", "resource_id", "day"),
        CheckConstraint("(opens IS NULL) = (closes IS NULL)", name="special_hours_both"),
        CheckConstraint(
            "opens BETWEEN 0 AND 1439 AND closes > opens AND closes <= opens + 1440", name="special_hours_minutes"
        ),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))
    day: Mapped[date]
    opens: Mapped[int | None] = mapped_column(SmallInteger)
    closes: Mapped[int | None] = mapped_column(SmallInteger)


class Closure(Base):
    """Time that a resource, or without one the whole company, is not offered. Bookings that stand there stay.

    One that comes again is a row for each time, so that nobody who reads closures has to know of it: they share
    `series`, and `rule` (a `booking.closures.Repeat`) says how they were made.
    """

    __tablename__ = "closure"
    __table_args__ = (Index("closure_ends", "portal_id", text("upper(during)")), _bounded("during"))

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    resource_id: Mapped[int | None] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    reason: Mapped[str] = mapped_column(server_default="")
    series: Mapped[uuid.UUID | None]
    rule: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class Part(Base):
    """A resource that a composite is made of."""

    __tablename__ = "part"
    __table_args__ = (
        UniqueConstraint("portal_id", "composite_id", "part_id", name="part_once"),
        Index("part_of", "portal_id", "part_id"),
        CheckConstraint("composite_id <> part_id", name="part_of_another"),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    composite_id: Mapped[int] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))
    part_id: Mapped[int] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))


class Unit(Base):
    """One of a resource's equal places; the row that is occupied. A retired one is kept for its past bookings."""

    __tablename__ = "unit"
    __table_args__ = (UniqueConstraint("portal_id", "resource_id", "number", name="unit_number"),)

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    retired_at: Mapped[datetime | None]


class Policy(Base):
    """Rules under a name: `rules` is what `scheduling.policy.Policy` says beside the service's own durations."""

    __tablename__ = "policy"
    __table_args__ = (
        Index("policy_default", "portal_id", unique=True, postgresql_where=text("is_default")),
        Index("policy_of_portal", "portal_id", "id"),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    name: Mapped[str]
    rules: Mapped[dict[str, Any]] = json_object()
    is_default: Mapped[bool] = flag()
    revision: Mapped[int] = mapped_column(Integer, server_default="1")


class Tariff(Base):
    """Prices under a name: `body` is a `scheduling.pricing.Tariff`."""

    __tablename__ = "tariff"
    __table_args__ = (Index("tariff_of_portal", "portal_id", "id"),)

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    name: Mapped[str]
    body: Mapped[dict[str, Any]] = json_object()
    revision: Mapped[int] = mapped_column(Integer, server_default="1")


class Service(Base):
    """What somebody books. `resource_id`: the service that is nothing but booking this one resource.

    `step_minutes` NULL: the resource's own. `preference`: which of several that would do is taken. `deal`: a
    `ledger.portal_settings.DealPolicy` of its own; NULL: the portal's.
    """

    __tablename__ = "service"
    __table_args__ = (
        Index("service_of_portal", "portal_id", "id"),
        Index(
            "service_of_resource",
            "portal_id",
            "resource_id",
            unique=True,
            postgresql_where=text("resource_id IS NOT NULL"),
        ),
        CheckConstraint("preference IN ('order', 'least_used', 'nearest')", name="service_preference"),
        CheckConstraint("buffer_before BETWEEN 0 AND 1440 AND buffer_after BETWEEN 0 AND 1440", name="service_buffers"),
        CheckConstraint("min_minutes > 0 AND max_minutes >= min_minutes", name="service_minutes"),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    name: Mapped[str]
    min_minutes: Mapped[int] = mapped_column(Integer, server_default="30")
    max_minutes: Mapped[int] = mapped_column(Integer, server_default="1440")
    horizon_days: Mapped[int] = mapped_column(Integer, server_default="365")
    resource_id: Mapped[int | None] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))
    step_minutes: Mapped[int | None] = mapped_column(SmallInteger)
    buffer_before: Mapped[int] = _minutes()
    buffer_after: Mapped[int] = _minutes()
    policy_id: Mapped[int | None] = mapped_column(ForeignKey("policy.id"))
    tariff_id: Mapped[int | None] = mapped_column(ForeignKey("tariff.id"))
    preference: Mapped[str] = mapped_column(server_default="order")
    deal: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    sort: Mapped[int] = mapped_column(Integer, server_default="0")
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    archived_at: Mapped[datetime | None]


class Requirement(Base):
    """One thing that a service needs, so many of it: any resource of a kind, or one of its `RequirementOption`s."""

    __tablename__ = "requirement"
    __table_args__ = (UniqueConstraint("portal_id", "service_id", "position", name="requirement_position"),)

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    kind: Mapped[str | None]
    quantity: Mapped[int] = mapped_column(SmallInteger, server_default="1")


class RequirementOption(Base):
    """A resource that is able to serve a requirement; the first in order is asked first."""

    __tablename__ = "requirement_option"
    __table_args__ = (
        UniqueConstraint("portal_id", "requirement_id", "resource_id", name="requirement_option_once"),
        Index("requirement_option_of_resource", "portal_id", "resource_id"),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    requirement_id: Mapped[int] = mapped_column(ForeignKey("requirement.id", ondelete="CASCADE"))
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))


class Client(Base):
    """Who a booking is for: a contact or company of the CRM, or a name and a phone. All personal data is here."""

    __tablename__ = "client"
    __table_args__ = (
        CheckConstraint("kind IN ('contact', 'company', 'person')", name="client_kind"),
        CheckConstraint("(kind = 'person') = (crm_id IS NULL)", name="client_crm_id"),
        Index("client_of_crm", "portal_id", "kind", "crm_id", unique=True, postgresql_where=text("crm_id IS NOT NULL")),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    kind: Mapped[str]
    crm_id: Mapped[int | None]
    name: Mapped[str]
    phone: Mapped[str] = mapped_column(server_default="")
    email: Mapped[str] = mapped_column(server_default="")
    price_group: Mapped[str] = mapped_column(server_default="")


class Series(Base):
    """What repeats: `recurrence` is a `scheduling.recurrence.Recurrence`, from `first_day` on, at a local time."""

    __tablename__ = "series"

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    recurrence: Mapped[dict[str, Any]] = json_object()
    first_day: Mapped[date]
    start_minutes: Mapped[int] = mapped_column(SmallInteger)
    minutes: Mapped[int] = mapped_column(Integer)
    time_zone: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class Booking(Base):
    """A claim on a service for an interval. `revision` grows with every change.

    `request_key` is the form's own: sent twice, it makes one booking. A prebooked one that `competes` holds no
    time; when `held_until` passes, any prebooked one is over, whether or not somebody has written that down yet.
    `policy` and `terms` (tariff, client group, extras) are frozen; `wish` names what was picked by hand. `pay_by` is
    the payment term of a confirmed one, `department_id` that of whoever made it, `reason` why it was dropped.
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
        CheckConstraint("NOT competes OR stage = 'prebooked'", name="booking_competes"),
        Index("booking_competing", "portal_id", text("lower(during)"), postgresql_where=text("competes")),
        Index("booking_waiting", "held_until", postgresql_where=text("stage = 'prebooked'")),
        Index(
            "booking_unfinished",
            text("upper(during)"),
            postgresql_where=text("stage = 'confirmed' AND asked_at IS NULL"),
        ),
        Index("booking_of_series", "portal_id", "series_id", postgresql_where=text("series_id IS NOT NULL")),
        _bounded("during"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    portal_id: Mapped[int] = of_portal()
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
    participants: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'"))
    source: Mapped[str]
    policy: Mapped[dict[str, Any]] = json_object()
    terms: Mapped[dict[str, Any]] = json_object()
    wish: Mapped[dict[str, Any]] = json_object()
    party: Mapped[int] = mapped_column(Integer, server_default="1")
    competes: Mapped[bool] = flag()
    needs_approval: Mapped[bool] = flag()
    pinned: Mapped[bool] = flag()
    checked_in_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    pay_by: Mapped[datetime | None]
    moves: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    reason: Mapped[str] = mapped_column(server_default="")
    department_id: Mapped[int | None]
    series_id: Mapped[int | None] = mapped_column(ForeignKey("series.id"))
    series_day: Mapped[date | None]
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
        Index("allocation_of_unit", "unit_id", text("lower(during)"), postgresql_where=text("released_at IS NULL")),
        _bounded("during"),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    booking_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id"))
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    released_at: Mapped[datetime | None]


class Claim(Base):
    """A resource that a competing request would like to have; it occupies nothing."""

    __tablename__ = "claim"
    __table_args__ = (UniqueConstraint("portal_id", "booking_id", "resource_id", name="claim_once"),)

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    booking_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"))
    resource_id: Mapped[int] = mapped_column(ForeignKey("resource.id"))


class QuoteLine(Base):
    """One line of a booking's price, in the portal's currency. Never edited: what no longer holds is superseded."""

    __tablename__ = "quote_line"
    __table_args__ = (
        Index("quote_line_of_booking", "portal_id", "booking_id", postgresql_where=text("superseded_at IS NULL")),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    booking_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"))
    kind: Mapped[str]
    name: Mapped[str] = mapped_column(server_default="")
    params: Mapped[dict[str, Any]] = json_object()
    quantity: Mapped[Decimal] = mapped_column(server_default="1")
    unit_price: Mapped[Decimal]
    amount: Mapped[Decimal]
    added_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]


class MoneyRecord(Base):
    """Money taken from or given back to a client, in the portal's currency. Never edited; voided with a reason."""

    __tablename__ = "money_record"
    __table_args__ = (
        CheckConstraint("kind IN ('payment', 'refund')", name="money_record_kind"),
        CheckConstraint("amount > 0", name="money_record_amount"),
        CheckConstraint("method IN ('cash', 'terminal', 'transfer', 'other')", name="money_record_method"),
        Index("money_record_of_booking", "portal_id", "booking_id"),
        UniqueConstraint("portal_id", "request_key", name="money_record_once"),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    booking_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"))
    kind: Mapped[str]
    amount: Mapped[Decimal]
    method: Mapped[str]
    on_day: Mapped[date]
    note: Mapped[str] = mapped_column(server_default="")
    request_key: Mapped[str | None]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]
    voided_by: Mapped[str | None]
    voided_at: Mapped[datetime | None]
    void_reason: Mapped[str] = mapped_column(server_default="")


class ExternalRef(Base):
    """Ledger id ↔ portal id: one picture of ours in the portal, and how far it is behind.

    `kind` item (the smart-process item of a booking or a resource), event (calendar; one per `target`, such as
    `user:5` or `company`), deal (one that we made for a booking) or rows (the product rows of a booking's item). Dirty
    while `written_revision < revision`; `dirty_since` is NULL when in step. `intent` is committed before each
    write: by its marks a picture is found again after an uncertain answer.
    `drawn` is what the ledger owns in the picture, as we last wrote it: what differs from it over there is somebody's
    wish. `refused`: the print of a wish that was refused and drawn over; once more the same, and it is parked.
    `copies`: ids of an event's copies in its participants' calendars.
    """

    __tablename__ = "external_ref"
    __table_args__ = (
        CheckConstraint("kind IN ('item', 'event', 'deal', 'rows')", name="external_ref_kind"),
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
        Index("external_ref_parked", "portal_id", "id", postgresql_where=text("parked_reason IS NOT NULL")),
        Index("external_ref_copies", "copies", postgresql_using="gin", postgresql_where=text("copies IS NOT NULL")),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    booking_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"))
    resource_id: Mapped[int | None] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))
    kind: Mapped[str]
    target: Mapped[str] = mapped_column(server_default="")
    remote_id: Mapped[int | None]
    host: Mapped[int | None]
    copies: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    intent: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    drawn: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    refused: Mapped[str | None]
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    written_revision: Mapped[int] = mapped_column(Integer, server_default="0")
    dirty_since: Mapped[datetime | None]
    bulk: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    due_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    parked_reason: Mapped[str | None]


class History(Base):
    """One change of one booking: who, what, before and after. Ids only, never a name.

    Changes made by one click in several bookings share a `batch`.
    """

    __tablename__ = "history"
    __table_args__ = (UniqueConstraint("portal_id", "booking_id", "number", name="history_number"),)

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    booking_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    before: Mapped[dict[str, Any]] = json_object()
    after: Mapped[dict[str, Any]] = json_object()
    batch: Mapped[uuid.UUID | None]


class Grant(Base):
    """Who may do what: `scope` everything, kind:…, location:… or resource:…; `code` as U5, DR12, SG3, AU."""

    __tablename__ = "access_grant"
    __table_args__ = (
        UniqueConstraint("portal_id", "scope", "code", "right", name="access_grant_once"),
        CheckConstraint(
            "\"right\" IN ('busy', 'see', 'request', 'book', 'approve', 'manage')", name="access_grant_right"
        ),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    scope: Mapped[str]
    code: Mapped[str]
    right: Mapped[str]
