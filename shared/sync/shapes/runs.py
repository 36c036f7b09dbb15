"""Runs, and how the whole stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired

from typing_extensions import TypedDict


class Totals(TypedDict):
    """Over all companies of a run; null for whom the rules limit to some."""

    companies: int | None
    outcomes: Mapping[str, int] | None
    written: Mapping[str, int] | None
    calls: int | None


class Run(Totals):
    id: str
    kind: str
    mode: str | None
    started: str
    ended: str | None
    seconds: float | None
    note: str


class Runs(TypedDict):
    """The last one first."""

    runs: list[Run]


class RunRow(TypedDict):
    """One company of a run; `outcome` null while it has none, and then nothing of the look itself is there."""

    company: int
    name: str
    stage: str
    attempts: int
    outcome: str | None
    note: NotRequired[str]
    planned: NotRequired[Mapping[str, int]]
    written: NotRequired[Mapping[str, int]]
    findings: NotRequired[Mapping[str, int]]
    monthly_delta: NotRequired[float]
    seconds: NotRequired[float]
    calls: NotRequired[Mapping[str, int]]
    waiting: NotRequired[int]
    stale: NotRequired[int]


class RunWithRows(Run):
    rows: list[RunRow]


class Started(TypedDict):
    """The run that does it; null where nothing is to be done."""

    run: str | None


class Poison(TypedDict):
    count: int
    oldest: str | None


class Callbacks(TypedDict):
    due: int
    heard: Mapping[str, int]


class Status(TypedDict):
    """How the whole stands."""

    last_night: Run | None
    open_runs: list[Run]
    findings: Mapping[str, int]
    nothing_written: str | None
    poison: Poison
    callbacks: Callbacks
    sources: list[str]
    version: str
