"""Every kind of booking: services, pools, composites, closures, rules, tariffs, money, requests and series."""

# Forward only.
from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "policy",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rules", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("policy_default", "policy", ["portal_id"], unique=True, postgresql_where=sa.text("is_default"))
    op.create_index("policy_of_portal", "policy", ["portal_id", "id"])
    op.create_table(
        "series",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("recurrence", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("start_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "tariff",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("tariff_of_portal", "tariff", ["portal_id", "id"])
    op.create_table(
        "closure",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("resource_id", sa.BigInteger(), nullable=True),
        sa.Column("during", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)", name="during_is_bounded"
        ),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("closure_ends", "closure", ["portal_id", sa.literal_column("upper(during)")])
    op.create_table(
        "part",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("composite_id", sa.BigInteger(), nullable=False),
        sa.Column("part_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("composite_id <> part_id", name="part_of_another"),
        sa.ForeignKeyConstraint(["composite_id"], ["resource.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["part_id"], ["resource.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("portal_id", "composite_id", "part_id", name="part_once"),
    )
    op.create_index("part_of", "part", ["portal_id", "part_id"])
    op.create_table(
        "special_hours",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("resource_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("opens", sa.SmallInteger(), nullable=True),
        sa.Column("closes", sa.SmallInteger(), nullable=True),
        sa.CheckConstraint("(opens IS NULL) = (closes IS NULL)", name="special_hours_both"),
        sa.CheckConstraint(
            "opens BETWEEN 0 AND 1439 AND closes > opens AND closes <= opens + 1440", name="special_hours_minutes"
        ),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("special_hours_of_resource", "special_hours", ["portal_id", "resource_id", "day"])
    op.create_table(
        "claim",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("booking_id", sa.UUID(), nullable=False),
        sa.Column("resource_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["resource_id"],
            ["resource.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("portal_id", "booking_id", "resource_id", name="claim_once"),
    )
    op.create_table(
        "money_record",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("booking_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("request_key", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("voided_by", sa.Text(), nullable=True),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("kind IN ('payment', 'refund')", name="money_record_kind"),
        sa.CheckConstraint("method IN ('cash', 'terminal', 'transfer', 'other')", name="money_record_method"),
        sa.CheckConstraint("amount > 0", name="money_record_amount"),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("portal_id", "request_key", name="money_record_once"),
    )
    op.create_index("money_record_of_booking", "money_record", ["portal_id", "booking_id"])
    op.create_table(
        "quote_line",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("booking_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("params", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=3), server_default="1", nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "quote_line_of_booking",
        "quote_line",
        ["portal_id", "booking_id"],
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "requirement_option",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("requirement_id", sa.BigInteger(), nullable=False),
        sa.Column("resource_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["requirement_id"], ["requirement.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("portal_id", "requirement_id", "resource_id", name="requirement_option_once"),
    )
    op.create_index("requirement_option_of_resource", "requirement_option", ["portal_id", "resource_id"])
    op.add_column("allocation", sa.Column("resource_id", sa.BigInteger(), nullable=True))
    op.execute("UPDATE allocation a SET resource_id = u.resource_id FROM unit u WHERE u.id = a.unit_id")
    op.alter_column("allocation", "resource_id", nullable=False)
    op.create_foreign_key("allocation_resource_id_fkey", "allocation", "resource", ["resource_id"], ["id"])
    op.add_column(
        "booking", sa.Column("terms", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False)
    )
    op.add_column(
        "booking", sa.Column("wish", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False)
    )
    op.add_column("booking", sa.Column("party", sa.Integer(), server_default="1", nullable=False))
    op.add_column("booking", sa.Column("competes", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("booking", sa.Column("needs_approval", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("booking", sa.Column("pinned", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("booking", sa.Column("checked_in_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("booking", sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("booking", sa.Column("pay_by", sa.DateTime(timezone=True), nullable=True))
    op.add_column("booking", sa.Column("moves", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("booking", sa.Column("reason", sa.Text(), server_default="", nullable=False))
    op.add_column("booking", sa.Column("department_id", sa.BigInteger(), nullable=True))
    op.add_column("booking", sa.Column("series_id", sa.BigInteger(), nullable=True))
    op.add_column("booking", sa.Column("series_day", sa.Date(), nullable=True))
    op.create_index(
        "booking_competing",
        "booking",
        ["portal_id", sa.literal_column("lower(during)")],
        postgresql_where=sa.text("competes"),
    )
    op.create_index(
        "booking_of_series", "booking", ["portal_id", "series_id"], postgresql_where=sa.text("series_id IS NOT NULL")
    )
    op.create_index(
        "booking_unfinished",
        "booking",
        [sa.literal_column("upper(during)")],
        postgresql_where=sa.text("stage = 'confirmed' AND asked_at IS NULL"),
    )
    op.create_index("booking_waiting", "booking", ["held_until"], postgresql_where=sa.text("stage = 'prebooked'"))
    op.create_foreign_key("booking_series_id_fkey", "booking", "series", ["series_id"], ["id"])
    op.add_column("client", sa.Column("price_group", sa.Text(), server_default="", nullable=False))
    op.add_column("history", sa.Column("batch", sa.UUID(), nullable=True))
    op.add_column("portal", sa.Column("currency", sa.Text(), server_default="RUB", nullable=False))
    op.add_column("portal", sa.Column("changes", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("resource", sa.Column("buffer_before", sa.Integer(), server_default="0", nullable=False))
    op.add_column("resource", sa.Column("buffer_after", sa.Integer(), server_default="0", nullable=False))
    op.add_column("resource", sa.Column("holidays", sa.Text(), server_default="", nullable=False))
    op.add_column("resource", sa.Column("is_composite", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("service", sa.Column("resource_id", sa.BigInteger(), nullable=True))
    op.add_column("service", sa.Column("step_minutes", sa.SmallInteger(), nullable=True))
    op.add_column("service", sa.Column("buffer_before", sa.Integer(), server_default="0", nullable=False))
    op.add_column("service", sa.Column("buffer_after", sa.Integer(), server_default="0", nullable=False))
    op.add_column("service", sa.Column("policy_id", sa.BigInteger(), nullable=True))
    op.add_column("service", sa.Column("tariff_id", sa.BigInteger(), nullable=True))
    op.add_column("service", sa.Column("preference", sa.Text(), server_default="order", nullable=False))
    op.add_column("service", sa.Column("sort", sa.Integer(), server_default="0", nullable=False))
    op.add_column("service", sa.Column("revision", sa.Integer(), server_default="1", nullable=False))
    op.create_index(
        "service_of_resource",
        "service",
        ["portal_id", "resource_id"],
        unique=True,
        postgresql_where=sa.text("resource_id IS NOT NULL"),
    )
    op.create_foreign_key("service_policy_id_fkey", "service", "policy", ["policy_id"], ["id"])
    op.create_foreign_key("service_tariff_id_fkey", "service", "tariff", ["tariff_id"], ["id"])
    op.create_foreign_key(
        "service_resource_id_fkey", "service", "resource", ["resource_id"], ["id"], ondelete="CASCADE"
    )
    op.add_column("unit", sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True))
    # Until now each service was the booking of one bare resource, said by its requirement.
    op.execute("UPDATE service s SET resource_id = q.resource_id FROM requirement q WHERE q.service_id = s.id")
    op.execute("DELETE FROM requirement")
    op.add_column("requirement", sa.Column("position", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("requirement", sa.Column("kind", sa.Text(), nullable=True))
    op.drop_index("requirement_of_resource", table_name="requirement")
    op.drop_constraint("requirement_once", "requirement", type_="unique")
    op.create_unique_constraint("requirement_position", "requirement", ["portal_id", "service_id", "position"])
    op.drop_column("requirement", "resource_id")
    op.create_check_constraint("booking_competes", "booking", "NOT competes OR stage = 'prebooked'")
    op.create_check_constraint("service_preference", "service", "preference IN ('order', 'least_used', 'nearest')")
    op.create_check_constraint(
        "service_buffers", "service", "buffer_before BETWEEN 0 AND 1440 AND buffer_after BETWEEN 0 AND 1440"
    )
    op.create_check_constraint(
        "resource_buffers", "resource", "buffer_before BETWEEN 0 AND 1440 AND buffer_after BETWEEN 0 AND 1440"
    )
    op.create_index(
        "allocation_of_unit",
        "allocation",
        ["unit_id", sa.literal_column("lower(during)")],
        postgresql_where=sa.text("released_at IS NULL"),
    )
