"""Every module that registers REST methods; importing this one fills the register."""

from __future__ import annotations

from emulator import (
    automation,
    bizproc,
    booking_resources,
    calendar,
    calendar_resources,
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
    groups,
    offline,
    option,
    placement,
    products,
    system,
    user,
    userfield,
)

METHOD_MODULES = (
    automation, bizproc, booking_resources, calendar, calendar_resources, calendar_sections, crm_classic,
    crm_comments, crm_funnel, crm_history, crm_import, crm_items, crm_status, crm_types, departments, duplicates,
    event_methods, groups, offline, option, placement, products, system, user, userfield,
)  # fmt: skip
