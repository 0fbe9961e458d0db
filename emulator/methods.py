"""Every module that registers REST methods; importing this one fills the register."""

from __future__ import annotations

from emulator import (
    automation,
    bizproc,
    calendar,
    calendar_sections,
    crm_classic,
    crm_comments,
    crm_funnel,
    crm_history,
    crm_import,
    crm_items,
    crm_status,
    crm_types,
    departments,
    duplicates,
    event_methods,
    offline,
    option,
    placement,
    products,
    system,
    user,
    userfield,
)

METHOD_MODULES = (
    automation, bizproc, calendar, calendar_sections, crm_classic, crm_comments, crm_funnel, crm_history, crm_import,
    crm_items, crm_status, crm_types, departments, duplicates, event_methods, offline, option, placement, products,
    system, user, userfield, userfield,
)  # fmt: skip
