"""The company's structure: ``department.get``.

Facts: "api-reference/departments/department-get" of the documentation.
"""

from __future__ import annotations

from typing import Any

from emulator.call import Call, integer, method, values
from emulator.state import Json

KEYS = ("ID", "NAME", "SORT", "PARENT", "UF_HEAD")
NUMBERS = ("ID", "SORT", "PARENT", "UF_HEAD")


@method("department.get", scope="department")
def get(call: Call) -> Any:
    rows = list(call.portal.departments.values())
    for key in KEYS:
        # "sort" is the field to sort by, "SORT" a value to find: here alone the case of a name matters.
        wanted = [str(one) for one in values(call.params.get("SORT") if key == "SORT" else call.arg(key))]
        rows = [row for row in rows if not wanted or str(row.get(key)) in wanted]
    by = str(call.params.get("sort") or "").upper()
    if by in KEYS:
        down = str(call.arg("order") or "ASC").upper() == "DESC"
        rows.sort(key=lambda row: _place(row, by), reverse=down)
    return call.page(rows)


def _place(row: Json, key: str) -> Any:
    return integer(row.get(key), 0) if key in NUMBERS else str(row.get(key) or "").lower()
