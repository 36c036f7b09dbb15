"""How many examples a property is tried with: few on every run, many times as many for a proof that takes its time."""

from __future__ import annotations

import os

from hypothesis import settings

#: `TRUEUP_EXAMPLES=20 python dev.py test tests/unit/test_money_under_every_switch.py` tries twenty times as many.
TIMES = int(os.environ.get("TRUEUP_EXAMPLES", "1"))


def examples(count: int) -> settings:
    """The settings of a property that usually tries so many examples."""
    return settings(max_examples=count * TIMES, deadline=None)
