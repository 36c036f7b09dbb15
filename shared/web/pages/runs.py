"""The pages of runs: the newest ones, and one with a row per company."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from shared.sync import views
from shared.web.pages.frame import render
from shared.web.principal import Role
from shared.web.requests import House, allows

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.READER))])


@router.get("/console/runs")
def runs(request: Request, ports: House) -> Response:
    """The newest runs, the last one first."""
    return render(request, "runs.html", runs=views.runs(ports)["runs"])


@router.get("/console/runs/{run}")
def run(request: Request, ports: House, run: Annotated[str, Path(max_length=200)], outcome: str = "") -> Response:
    """One run; `outcome` shows the companies that ended so alone."""
    told = views.run(ports, run)
    shown = [row for row in told["rows"] if not outcome or row["outcome"] == outcome]
    return render(request, "run.html", run=told, rows=shown, outcome=outcome)
