"""Where the console shows what concerns no company."""

from __future__ import annotations

from typing import NamedTuple

from shared.billing.findings import FindingKind


class Place(NamedTuple):
    """A page: its title in the console, and its path below the console's address."""

    title: str
    path: str


FIRST_STEPS = Place("First steps", "/setup")
MAPPING = Place("Mapping", "/mapping")
RUNS = Place("Runs", "/runs")

_BY_KIND = {
    FindingKind.CUSTOMER_NEW.value: MAPPING,
    FindingKind.CUSTOMER_GONE.value: MAPPING,
    FindingKind.RELATIONSHIP_ENDING.value: MAPPING,
    FindingKind.NIGHT_MISSING.value: RUNS,
    FindingKind.QUEUE_STUCK.value: RUNS,
    FindingKind.POISON.value: RUNS,
}


def place_of(kind: str) -> Place:
    """Where a person goes on who is told of a finding of that kind."""
    return _BY_KIND.get(kind, FIRST_STEPS)
