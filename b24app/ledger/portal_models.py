"""What is remembered of dealing with the portal: what was seen there, what is owed to people, limits, calls.

One class per table, as in `models`; nothing here decides about bookings.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index, Integer, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from b24app.ledger.models import Base, flag, identity, json_object, of_portal
from b24app.ledger.secrets import EncryptedText


class Sighting(Base):
    """Something of the portal may have changed and is to be read anew: one row per object, however often it is told.

    `kind` item and resource (of our two smart processes), event, deal, contact, company, type, user. `user_id`: whose
    token the event carried. `gone`: the last event named it as deleted.
    """

    __tablename__ = "sighting"
    __table_args__ = (
        UniqueConstraint("portal_id", "kind", "remote_id", name="sighting_once"),
        Index("sighting_waiting", "portal_id", "bulk", "seen_at"),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    kind: Mapped[str]
    remote_id: Mapped[int]
    user_id: Mapped[int | None]
    gone: Mapped[bool] = flag()
    bulk: Mapped[bool] = flag()
    times: Mapped[int] = mapped_column(Integer, server_default="1")
    seen_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")


class Draft(Base):
    """An item of our bookings' process that is no booking: made by hand and still lacking something (incomplete),
    refused as it is, or a copy of a booking's item. `print` tells whether somebody has edited it since."""

    __tablename__ = "draft"
    __table_args__ = (
        UniqueConstraint("portal_id", "remote_id", name="draft_once"),
        CheckConstraint("state IN ('incomplete', 'refused', 'copy')", name="draft_state"),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    remote_id: Mapped[int]
    state: Mapped[str]
    print: Mapped[str]
    reasons: Mapped[dict[str, Any]] = json_object()
    user_id: Mapped[int | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Delivery(Base):
    """Something said or owed once: a comment in a card, a notice to a person, a trigger fired, a draft's card moved.

    A fact and not a state: committed with what caused it, never coalesced; `key` makes it one. Names neither clients
    nor words: `code` and `params` become a text when it is sent. Of a booking, a resource, or (`item_id`) a draft.
    `tried_at` is committed before the call: after it an unheard answer is looked for (comment), repeated (notice: its
    tag replaces) or left as unknown (trigger). `useful_until`: sent later than that it would be noise, so it is missed.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("portal_id", "key", name="delivery_once"),
        CheckConstraint("kind IN ('comment', 'notice', 'trigger', 'stage')", name="delivery_kind"),
        CheckConstraint("outcome IN ('sent', 'unknown', 'missed', 'refused', 'void')", name="delivery_outcome"),
        Index("delivery_due", "portal_id", "due_at", postgresql_where=text("outcome IS NULL")),
        Index("delivery_of_booking", "portal_id", "booking_id", postgresql_where=text("booking_id IS NOT NULL")),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    key: Mapped[str]
    kind: Mapped[str]
    booking_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"))
    resource_id: Mapped[int | None] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))
    item_id: Mapped[int | None]
    number: Mapped[int] = mapped_column(Integer, server_default="0")
    code: Mapped[str]
    recipient: Mapped[int | None]
    params: Mapped[dict[str, Any]] = json_object()
    due_at: Mapped[datetime]
    useful_until: Mapped[datetime | None]
    bulk: Mapped[bool] = flag()
    tried_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    outcome: Mapped[str | None]
    done_at: Mapped[datetime | None]
    reason: Mapped[str | None]


class BusyDay(Base):
    """What a person's own calendar says of one day (UTC) besides our bookings, as last read there.

    `spans` {"spans": [[start, end, kind], …]} in epoch seconds; advice and not the ledger.
    """

    __tablename__ = "busy_day"

    portal_id: Mapped[int] = mapped_column(ForeignKey("portal.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    spans: Mapped[dict[str, Any]] = json_object()
    read_at: Mapped[datetime]


class RobotCall(Base):
    """One run of a robot of ours in the portal's automation. `token_hash` of its event token: told twice, done once.

    `result` is what we answer, kept until the portal has it (`sent_at`), or has let go of it (`failed`).
    """

    __tablename__ = "robot_call"
    __table_args__ = (
        UniqueConstraint("portal_id", "token_hash", name="robot_call_once"),
        Index(
            "robot_call_waiting",
            "portal_id",
            "received_at",
            postgresql_where=text("sent_at IS NULL AND failed IS NULL"),
        ),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    code: Mapped[str]
    token: Mapped[str] = mapped_column(EncryptedText)
    token_hash: Mapped[str]
    document: Mapped[str]
    properties: Mapped[dict[str, Any]] = json_object()
    user_id: Mapped[int | None]
    waits: Mapped[bool] = flag()
    received_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    booking_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("booking.id", ondelete="SET NULL"))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    sent_at: Mapped[datetime | None]
    failed: Mapped[str | None]


class Sweep(Base):
    """One comparison of a portal with the ledger. `asked_by` timer, cli or a user; `found` counts by kind."""

    __tablename__ = "sweep"
    __table_args__ = (Index("sweep_of_portal", "portal_id", "started_at"),)

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    asked_by: Mapped[str]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    progress: Mapped[dict[str, Any]] = json_object()
    found: Mapped[dict[str, Any]] = json_object()
    failed: Mapped[str | None]


class PortalPace(Base):
    """The portal's limit of requests, shared by all processes: a leaking bucket, and how it last treated us.

    `silent_until`: its last call got no answer in time, so only one process at a time may try again, and not before.
    """

    __tablename__ = "portal_pace"

    portal_id: Mapped[int] = mapped_column(ForeignKey("portal.id", ondelete="CASCADE"), primary_key=True)
    tokens: Mapped[float] = mapped_column(Double, server_default="40")
    counted_at: Mapped[datetime]
    refusals: Mapped[int] = mapped_column(Integer, server_default="0")
    away_until: Mapped[datetime | None]
    silent_until: Mapped[datetime | None]


class MethodPace(Base):
    """The working time of one method in a portal: `operating` seconds, forgiven in part at `reset_at`."""

    __tablename__ = "method_pace"

    portal_id: Mapped[int] = mapped_column(ForeignKey("portal.id", ondelete="CASCADE"), primary_key=True)
    method: Mapped[str] = mapped_column(primary_key=True)
    operating: Mapped[float] = mapped_column(Double, server_default="0")
    reset_at: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]


class RequestLog(Base):
    """One call of a portal, kept three days to find out what happened. `body` is masked, then encrypted."""

    __tablename__ = "request_log"
    __table_args__ = (Index("request_log_at", "at"), Index("request_log_of_portal", "portal_id", "at"))

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    at: Mapped[datetime]
    method: Mapped[str]
    outcome: Mapped[str]
    milliseconds: Mapped[int] = mapped_column(Integer)
    body: Mapped[str] = mapped_column(EncryptedText)


class Feed(Base):
    """A secret address under which a calendar program reads the bookings of a resource, or those of a person.

    It shows what `created_by` may see at the moment of reading. `secret_hash`: SHA-256 of the address' secret, which
    is shown once and kept nowhere. `names`: with the names of clients.
    """

    __tablename__ = "feed"
    __table_args__ = (
        CheckConstraint("(resource_id IS NULL) <> (user_id IS NULL)", name="feed_of_one"),
        UniqueConstraint("secret_hash", name="feed_secret"),
        Index("feed_of_portal", "portal_id", "created_by"),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    resource_id: Mapped[int | None] = mapped_column(ForeignKey("resource.id", ondelete="CASCADE"))
    user_id: Mapped[int | None]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    names: Mapped[bool] = flag()
    created_by: Mapped[int]
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SettingChange(Base):
    """One change of something that is set up: ids and what was set, never a client's name.

    `subject_id` of what was changed, within its `kind`; `name`: as it was called then. Everything that one transaction
    changed is one `batch`: it was one click, one import, one run of the guide, and is undone as one.
    """

    __tablename__ = "setting_change"
    __table_args__ = (
        CheckConstraint(
            "action IN ('added', 'changed', 'archived', 'restored', 'removed')", name="setting_change_action"
        ),
        Index("setting_change_of_portal", "portal_id", "id"),
        Index("setting_change_batch", "portal_id", "batch"),
    )

    id: Mapped[int] = identity()
    portal_id: Mapped[int] = of_portal()
    at: Mapped[datetime]
    actor: Mapped[str]
    kind: Mapped[str]
    subject_id: Mapped[int | None]
    name: Mapped[str]
    action: Mapped[str]
    before: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    batch: Mapped[uuid.UUID]
    undone_at: Mapped[datetime | None]
