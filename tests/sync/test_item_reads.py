"""Reading cards costs as few requests as it can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from b24app.sync.item_look import listed
from b24app.sync.laid import LaidType


class Paged:
    """A client that has one page of rows, and fails when it is asked for a second one."""

    def list_all(self, *_: Any, **__: Any) -> Iterator[dict[str, Any]]:
        yield from ({"id": number} for number in range(1, 51))
        raise AssertionError("there is nothing more to ask for")


def test_fifty_cards_are_read_in_one_request() -> None:
    found = listed(Paged(), LaidType(1, 1030), range(1, 51))  # type: ignore[arg-type]
    assert found is not None
    assert sorted(found) == list(range(1, 51))
