"""The runs as tables for a spreadsheet; as JSON they are told by `shared.sync.views`."""

from __future__ import annotations

from collections.abc import Mapping

from shared.sheets.writing import sheet_of
from shared.sync import views
from shared.sync.ports import Ports
from shared.sync.shapes.runs import Run, RunRow

_KINDS = ("created", "updated", "ended")
RUNS = ("run", "kind", "mode", "started", "ended", "seconds", "companies", "outcomes", *_KINDS, "calls", "note")
ROWS = (
    "company",
    "name",
    "outcome",
    "stage",
    "planned",
    *_KINDS,
    "findings",
    "waiting",
    "stale",
    "monthly difference",
    "calls",
    "seconds",
    "attempts",
    "note",
)


def runs_sheet(ports: Ports) -> str:
    """The newest runs as CSV, the last one first."""
    return sheet_of(RUNS, ([_run(run, name) for name in RUNS] for run in views.runs(ports)["runs"]))


def run_sheet(ports: Ports, run: str) -> str:
    """One run as CSV, a row per company. Raises `Gone` for an unknown id."""
    return sheet_of(ROWS, ([_row(row, name) for name in ROWS] for row in views.run(ports, run)["rows"]))


def _run(run: Run, name: str) -> object:
    if name in _KINDS:
        return run["written"].get(name, 0) if run["written"] is not None else None
    told: Mapping[str, object] = run
    return _cell(told["id" if name == "run" else name])


def _row(row: RunRow, name: str) -> object:
    if name in _KINDS:
        return row["written"].get(name, 0) if "written" in row else 0
    told: Mapping[str, object] = row
    return _cell(told.get("monthly_delta" if name == "monthly difference" else name))


def _cell(value: object) -> object:
    """Counts by name in one cell."""
    return ", ".join(f"{name} {count}" for name, count in value.items()) if isinstance(value, dict) else value
