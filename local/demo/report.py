"""The demo's report: the four nights as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from local.demo.night import KINDS, Json, Night

_SYSTEMS = ("manage", "graph")


def report(nights: Sequence[Night]) -> Json:
    """One entry per night; `created`, `updated` and `ended` count writes that reached Manage."""
    return {"nights": [_entry(night) for night in nights]}


def _entry(night: Night) -> Json:
    return {
        "night": night.name,
        "date": night.day.isoformat(),
        "companies": night.run["companies"],
        "outcomes": night.run["outcomes"],
        "planned": _by_kind(night.planned),
        **_by_kind(night.reached),
        "findings": dict(night.findings),
        "monthly_delta": float(night.monthly_delta),
        "calls": {system: night.calls["total"][system] for system in _SYSTEMS},
        "seconds": night.seconds,
    }


def _by_kind(counts: Counter[str]) -> dict[str, int]:
    return {kind: counts[kind] for kind in KINDS}
