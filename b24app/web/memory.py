"""What one web process remembers for a few minutes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Memory(Generic[Value]):
    """Values by key, each until its moment; the oldest go when there are more than `size`."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, tuple[Value, datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, now: datetime) -> Value | None:
        """The value, or None when there is none or its time is over."""
        with self._lock:
            value, until = self._kept.get(key, (None, now))
            return value if until > now else None

    def put(self, key: Hashable, value: Value, until: datetime) -> None:
        """Remembers `value` until then."""
        with self._lock:
            self._kept[key] = (value, until)
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._kept.clear()
