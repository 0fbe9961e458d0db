"""What all rooms of the CRM stand on: who changes something, how it is told, and the stages of a funnel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from emulator import event
from emulator.crm_schema import CLASSIC, DEAL
from emulator.errors import RestError
from emulator.state import Json, Portal


@dataclass(frozen=True)
class Author:
    """Who changes CRM data, when, and how many further rounds of events his token may cause.

    A robot writes in somebody's name, but what it changes is told without his tokens; ``depth`` counts the robots that
    one change has set going, one by another.
    """

    user_id: int
    now: float
    hops: int | None = None
    tokens: bool = True
    depth: int = 0

    @property
    def teller(self) -> int:
        """Whose token an event about this change carries; 0 for nobody's."""
        return self.user_id if self.tokens else 0


def tell(portal: Portal, entity_type_id: int, verb: str, item_id: int, author: Author) -> None:
    """Send the events about an item: ``verb`` is ADD, UPDATE or DELETE."""
    if entity_type_id in CLASSIC:
        name = f"ONCRM{CLASSIC[entity_type_id]}{verb}"
        event.emit(portal, name, {"FIELDS": {"ID": item_id}}, author.teller, author.hops)
        return
    data = {"FIELDS": {"ID": item_id, "ENTITY_TYPE_ID": entity_type_id}}
    for name in (f"ONCRMDYNAMICITEM{verb}", f"ONCRMDYNAMICITEM{verb}_{entity_type_id}"):
        event.emit(portal, name, data, author.teller, author.hops)


# Stages ---------------------------------------------------------------------------------------------------------


def stage_directory(entity_type_id: int, category_id: int) -> str:
    """The ENTITY_ID of a funnel's stages in ``crm.status.*``."""
    if entity_type_id == DEAL:
        return f"DEAL_STAGE_{category_id}" if category_id else "DEAL_STAGE"
    return f"DYNAMIC_{entity_type_id}_STAGE_{category_id}"


def stages(portal: Portal, entity_type_id: int, category_id: int) -> list[Json]:
    """The stages of a funnel in their order."""
    wanted = stage_directory(entity_type_id, category_id)
    return sorted((s for s in portal.statuses.values() if s["ENTITY_ID"] == wanted), key=lambda s: int(s["SORT"]))


def default_category(portal: Portal, entity_type_id: int) -> int:
    funnels = portal.categories.get(entity_type_id, {}).values()
    return next((int(row["id"]) for row in funnels if row["isDefault"] == "Y"), 0)


def stage_row(portal: Portal, entity_type_id: int, stage: str, category_ids: Iterable[int]) -> Json:
    """A stage by its whole STATUS_ID or its tail, in the first funnel that has it; raises NOT_FOUND."""
    for category_id in category_ids:
        for row in stages(portal, entity_type_id, category_id):
            if stage in (row["STATUS_ID"], row["STATUS_ID"].rpartition(":")[2]):
                return row
    raise RestError("NOT_FOUND", f"Стадия {stage} не найдена")


def semantics(portal: Portal, entity_type_id: int, category_id: int, stage_id: str | None) -> str:
    """ "P", "S" or "F" of a stage."""
    rows = stages(portal, entity_type_id, category_id)
    return str(next((row["SEMANTICS"] for row in rows if row["STATUS_ID"] == stage_id), None) or "P")
