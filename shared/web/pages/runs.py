"""The pages of runs: the newest ones, one with a row per company, and starting one over all of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from shared.sync import demand, views
from shared.web.pages import words
from shared.web.pages.frame import acts, next_page, render
from shared.web.principal import Role
from shared.web.requests import Biller, House, Reader, Sees, allows, sees_all

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.READER))])


@router.get("/console/runs")
def runs(request: Request, ports: House, who: Reader, sees: Sees) -> Response:
    """The newest runs, the last one first."""
    may_start = who.may(Role.BILLER) and not sees.is_limited
    shown = views.runs(ports)["runs"]
    return render(request, "runs.html", runs=shown, may_start=may_start, outcomes=words.OUTCOMES, kinds=words.WRITTEN)


@router.post("/console/runs", dependencies=[*acts, Depends(sees_all)])
def look_at_all(request: Request, ports: House, who: Biller) -> Response:
    """Looks at every linked company now, each in its own mode."""
    run = demand.sync_in_run(ports, None, None)
    return next_page(request, f"/console/runs/{run}", "The run has begun. Load this page again to see how far it is.")


@router.get("/console/runs/{run}")
def run(request: Request, ports: House, run: Annotated[str, Path(max_length=200)], outcome: str = "") -> Response:
    """One run; `outcome` shows the companies that ended so alone."""
    told = views.run(ports, run)
    shown = [row for row in told["rows"] if not outcome or row["outcome"] == outcome]
    return render(
        request,
        "run.html",
        run=told,
        rows=shown,
        outcome=outcome,
        outcomes=words.OUTCOMES,
        kinds=words.WRITTEN,
        findings=words.FINDINGS,
        stages=words.STAGES,
        reasons=words.RUNS,
    )
