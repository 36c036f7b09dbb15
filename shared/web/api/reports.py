"""The JSON routes of the reports, and their tables for a spreadsheet. Everybody with a role may read them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from shared.sync import views
from shared.sync.reports.course import course, course_sheet
from shared.sync.reports.months import named_month
from shared.sync.reports.reconciliation import reconciliation, reconciliation_file
from shared.sync.reports.runs import run_sheet, runs_sheet
from shared.sync.reports.shadow import shadow_month, shadow_months, shadow_sheet
from shared.sync.reports.tables import Kind
from shared.sync.shapes import reports as shapes
from shared.sync.shapes.runs import Runs, RunWithRows
from shared.web.principal import Role
from shared.web.requests import House, allows

router = APIRouter(dependencies=[Depends(allows(Role.READER))])

Month = Annotated[str, Query(pattern=r"^(\d{4}-\d{2})?$", description="such as 2026-11; empty: this one")]
Search = Annotated[str, Query(max_length=200)]
Source = Annotated[str, Query(max_length=60, description="such as pax8; empty: every vendor")]
CompanyId = Annotated[int, Path(gt=0, lt=10**10)]
RunId = Annotated[str, Path(min_length=1, max_length=200)]
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}, XLSX_TYPE: {}}, "description": "a table as CSV, or a workbook"}
}
CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}, "description": "a table as CSV"}}


@router.get("/runs")
def runs(ports: House) -> Runs:
    """The newest runs, the last one first."""
    return views.runs(ports)


@router.get("/runs.csv", response_class=Response, responses=CSV)
def runs_table(ports: House) -> Response:
    """The newest runs as CSV."""
    return csv("runs.csv", runs_sheet(ports))


@router.get("/runs/{run}")
def run(ports: House, run: RunId) -> RunWithRows:
    """One run with a row per company: outcome, what was planned and written, calls, seconds, why it failed."""
    return views.run(ports, run)


@router.get("/runs/{run}/rows.csv", response_class=Response, responses=CSV)
def run_table(ports: House, run: RunId) -> Response:
    """The rows of one run as CSV."""
    return csv("run.csv", run_sheet(ports, run))


@router.get("/reconciliation")
def reconcile(
    ports: House, month: Month = "", source: Source = "", every: bool = False, search: Search = ""
) -> shapes.Reconciliation:
    """What the vendors count beside what the agreements bill: items that differ, or `every` one."""
    return reconciliation(ports, named_month(ports, month), differing=not every, search=search, source=source)


@router.get("/reconciliation.{kind}", response_class=Response, responses=FILE)
def reconcile_table(
    ports: House, kind: Kind, month: Month = "", source: Source = "", every: bool = False, search: Search = ""
) -> Response:
    """The same as a file."""
    wanted = named_month(ports, month)
    content = reconciliation_file(ports, wanted, kind, differing=not every, search=search, source=source)
    return file("reconciliation", kind, content)


@router.get("/shadow")
def shadow(ports: House, month: Month = "") -> shapes.Shadow:
    """What observed companies would have been billed for a month, beside what their lines billed; and the months."""
    return {**shadow_month(ports, named_month(ports, month)), "months": shadow_months(ports)}


@router.get("/shadow.csv", response_class=Response, responses=CSV)
def shadow_table(ports: House, month: Month = "") -> Response:
    """One month as CSV."""
    return csv("shadow-billing.csv", shadow_sheet(ports, named_month(ports, month)))


@router.get("/companies/{company}/course")
def company_course(ports: House, company: CompanyId) -> shapes.Course:
    """Units and amounts to bill beside those billed, for each day of the last twelve months on which they changed."""
    return course(ports, company)


@router.get("/companies/{company}/course.csv", response_class=Response, responses=CSV)
def company_course_table(ports: House, company: CompanyId) -> Response:
    """The same as CSV."""
    return csv("course.csv", course_sheet(ports, company))


def file(name: str, kind: Kind, content: bytes) -> Response:
    """A table to be saved under this name."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return Response(content, media_type=XLSX_TYPE if kind == "xlsx" else "text/csv", headers=headers)


def csv(name: str, text: str) -> Response:
    """A table to be saved under this name."""
    return Response(text, media_type="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'})
