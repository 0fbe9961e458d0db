"""In step both ways: what was seen in the portal, what is owed to people, robots, sweeps, shared limits, the log."""

# Forward only.
from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "busy_day",
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("spans", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("portal_id", "user_id", "day"),
    )
    op.create_table(
        "draft",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("remote_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("print", sa.Text(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('incomplete', 'refused', 'copy')", name="draft_state"),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("portal_id", "remote_id", name="draft_once"),
    )
    op.create_table(
        "method_pace",
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("operating", sa.Double(), server_default="0", nullable=False),
        sa.Column("reset_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("portal_id", "method"),
    )
    op.create_table(
        "portal_pace",
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.Double(), server_default="40", nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refusals", sa.Integer(), server_default="0", nullable=False),
        sa.Column("away_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("silent_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("portal_id"),
    )
    op.create_table(
        "request_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("request_log_at", "request_log", ["at"])
    op.create_index("request_log_of_portal", "request_log", ["portal_id", "at"])
    op.create_table(
        "sighting",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("bulk", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("portal_id", "kind", "remote_id", name="sighting_once"),
    )
    op.create_index("sighting_waiting", "sighting", ["portal_id", "bulk", "seen_at"])
    op.create_table(
        "sweep",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("progress", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("found", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("failed", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sweep_of_portal", "sweep", ["portal_id", "started_at"])
    op.create_table(
        "delivery",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("booking_id", sa.UUID(), nullable=True),
        sa.Column("resource_id", sa.BigInteger(), nullable=True),
        sa.Column("item_id", sa.BigInteger(), nullable=True),
        sa.Column("number", sa.Integer(), server_default="0", nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("recipient", sa.BigInteger(), nullable=True),
        sa.Column("params", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("useful_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bulk", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('comment', 'notice', 'trigger', 'stage')", name="delivery_kind"),
        sa.CheckConstraint("outcome IN ('sent', 'unknown', 'missed', 'refused', 'void')", name="delivery_outcome"),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("portal_id", "key", name="delivery_once"),
    )
    op.create_index("delivery_due", "delivery", ["portal_id", "due_at"], postgresql_where=sa.text("outcome IS NULL"))
    op.create_index(
        "delivery_of_booking",
        "delivery",
        ["portal_id", "booking_id"],
        postgresql_where=sa.text("booking_id IS NOT NULL"),
    )
    op.create_table(
        "robot_call",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("properties", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("waits", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("booking_id", sa.UUID(), nullable=True),
        sa.Column("result", postgresql.JSONB(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("portal_id", "token_hash", name="robot_call_once"),
    )
    op.create_index(
        "robot_call_waiting",
        "robot_call",
        ["portal_id", "received_at"],
        postgresql_where=sa.text("sent_at IS NULL AND failed IS NULL"),
    )
    op.add_column(
        "booking", sa.Column("participants", sa.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False)
    )
    op.add_column("external_ref", sa.Column("drawn", postgresql.JSONB(), nullable=True))
    op.add_column("external_ref", sa.Column("refused", sa.Text(), nullable=True))
    op.create_index(
        "external_ref_parked",
        "external_ref",
        ["portal_id", "id"],
        postgresql_where=sa.text("parked_reason IS NOT NULL"),
    )
    op.drop_column("external_ref", "fingerprint")
    op.add_column(
        "portal", sa.Column("settings", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False)
    )
    op.add_column(
        "portal_user", sa.Column("codes", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False)
    )
    op.add_column("portal_user", sa.Column("is_admin", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("portal_user", sa.Column("dismissed", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("portal_user", sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("service", sa.Column("deal", postgresql.JSONB(), nullable=True))
    op.drop_constraint("external_ref_kind", "external_ref", type_="check")
    op.create_check_constraint("external_ref_kind", "external_ref", "kind IN ('item', 'event', 'deal', 'rows')")
    op.add_column("resource", sa.Column("calendar_owner", sa.BigInteger(), nullable=True))
    op.add_column("resource", sa.Column("calendar_section", sa.BigInteger(), nullable=True))
    op.drop_constraint("resource_calendar_mode", "resource", type_="check")
    op.create_check_constraint(
        "resource_calendar_mode", "resource", "calendar_mode IN ('default', 'none', 'group', 'company')"
    )
    op.add_column("external_ref", sa.Column("copies", sa.ARRAY(sa.BigInteger()), nullable=True))
    op.create_index(
        "external_ref_copies",
        "external_ref",
        ["copies"],
        postgresql_using="gin",
        postgresql_where=sa.text("copies IS NOT NULL"),
    )
