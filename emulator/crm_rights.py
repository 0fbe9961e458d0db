"""Who may do what with CRM items: a table of a user's actions per kind of item, and single deals kept from somebody.

Administrators may everything; whoever stands in no table may everything that its smart process leaves open.
"""

from __future__ import annotations

from emulator.crm_schema import DEAL, type_of
from emulator.errors import RestError
from emulator.state import Json, Portal, User

ACTIONS = ("read", "add", "update", "delete", "import")


def denied() -> RestError:
    """The refusal of the controllers, with status 400 as they answer it."""
    return RestError("ACCESS_DENIED", "Доступ запрещен", 400)


def may(portal: Portal, user: User, action: str, entity_type_id: int, item_id: int = 0) -> bool:
    """May this user do one of ``ACTIONS`` with items of a kind, or with this very item?"""
    if user.is_admin:
        return True
    if entity_type_id == DEAL and item_id in portal.crm_denied.get(user.id, set()):
        return False
    allowed = portal.crm_rights.get(user.id, {}).get(entity_type_id)
    return _open(portal, entity_type_id) and (allowed is None or action in allowed.split())


def _open(portal: Portal, entity_type_id: int) -> bool:
    kind = type_of(portal, entity_type_id)
    return kind is None or kind["isSetOpenPermissions"] == "Y"


def may_see(portal: Portal, user: User, entity_type_id: int, item_id: int) -> bool:
    return may(portal, user, "read", entity_type_id, item_id)


def visible_items(portal: Portal, user: User, entity_type_id: int) -> list[Json]:
    """All items of a kind that the user may read, by id."""
    rows = portal.items.get(entity_type_id, {})
    if user.is_admin:
        return list(rows.values())
    if not may(portal, user, "read", entity_type_id):
        return []
    hidden = portal.crm_denied.get(user.id, set()) if entity_type_id == DEAL else set()
    return [item for item in rows.values() if item["id"] not in hidden]
