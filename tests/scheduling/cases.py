"""How many cases a property test tries: few and always the same in `make test`, many and new ones in `make prove`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings


def examples(small: int, full: int) -> settings:
    """`small` repeatable cases, or `full` random ones when PROVE=full; a failing one prints how to run it again.

    The shares of all model tests of this folder together are to be at least 2,000 and 100,000.
    """
    proving = os.environ.get("PROVE") == "full"
    return settings(
        max_examples=full if proving else small,
        derandomize=not proving,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],  # says something about the machine, nothing about the rule
    )
