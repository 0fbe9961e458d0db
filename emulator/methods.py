"""Every module that registers REST methods; importing this one fills the register."""

from __future__ import annotations

from emulator import (
    calendar,
    calendar_sections,
    crm_classic,
    crm_comments,
    crm_funnel,
    crm_items,
    crm_status,
    crm_types,
    event_methods,
    option,
    placement,
    system,
    user,
    userfield,
)

METHOD_MODULES = (
    calendar, calendar_sections, crm_classic, crm_comments, crm_funnel, crm_items, crm_status, crm_types, event_methods,
    option, placement, system, user, userfield,
)  # fmt: skip
