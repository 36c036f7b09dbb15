"""The pages of the reports: reconciliation, shadow billing, vendors' costs, and the course of one company."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from markupsafe import Markup

from shared.errors import TrueUpError
from shared.sync.reports.course import course
from shared.sync.reports.months import named_month
from shared.sync.reports.reconciliation import reconciliation
from shared.sync.reports.shadow import shadow_month, shadow_months
from shared.sync.reports.vendor_costs import charging, vendor_costs
from shared.sync.shapes.reports import Course, SumsOfMonth
from shared.web import charts
from shared.web.formats import money
from shared.web.formats import month as named
from shared.web.pages.frame import render
from shared.web.principal import Role
from shared.web.requests import Biller, House, allows, sees_all

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.READER))])

_VERDICTS = {
    "equal": "equal",
    "too-little": "too little billed",
    "too-much": "too much billed",
    "not-at-all": "not billed at all",
    "gone": "no longer at the vendor",
    "unmapped": "not mapped",
    "unknown": "not known",
}


#: How a verdict looks.
_MARKS = {
    "equal": "done",
    "too-little": "problem",
    "not-at-all": "problem",
    "too-much": "warn",
    "gone": "warn",
    "unmapped": "warn",
}


@router.get("/console/reports")
def reconcile(
    request: Request, ports: House, month: str = "", source: str = "", every: bool = False, search: str = ""
) -> Response:
    """What the vendors count beside what the agreements bill."""
    wanted = named_month(ports, month)
    told = reconciliation(ports, wanted, differing=not every, search=search[:200], source=source[:60])
    return render(request, "reconciliation.html", **told, every=every, search=search, verdicts=_VERDICTS, marks=_MARKS)


@router.get("/console/reports/shadow")
def shadow(request: Request, ports: House, month: str = "") -> Response:
    """What observed companies would have been billed, beside what was billed."""
    wanted = named_month(ports, month)
    months = shadow_months(ports)
    told = shadow_month(ports, wanted)
    return render(request, "shadow.html", **told, months=months, day=wanted, charts=_leaks(months))


_COSTS = {
    **_VERDICTS,
    "later": "billed once its period is over",
    "term": "charged for a longer term",
    "no-charge": "billed, not charged",
    "not-billed": "charged, not billed by choice",
    "unlinked": "customer not linked",
    "shared": "customer of several companies",
    "once": "charged once, for a person to bill",
    "other": "of no customer or product",
    "unmapped": "no profile bills it",
}


@router.get("/console/reports/costs", dependencies=[Depends(sees_all)])
def costs(
    request: Request,
    ports: House,
    who: Biller,
    source: Annotated[str, Query(max_length=60)] = "",
    month: Annotated[str, Query(max_length=7)] = "",
) -> Response:
    """What a vendor charges for a month beside what the agreements bill, asked of the vendor now."""
    vendors = charging(ports)
    chosen, wanted = source if source in vendors else next(iter(vendors), None), named_month(ports, month)
    told, problem = None, ""
    try:
        told = vendor_costs(ports, chosen, wanted) if chosen is not None else None
    except TrueUpError as error:
        problem = f"{error} {error.remedy}"
    shown: dict[str, Any] = {
        "vendors": vendors,
        "source": chosen,
        "month": wanted.isoformat()[:7],
        "told": told,
        "problem": problem,
    }
    return render(request, "costs.html", verdicts=_COSTS, **shown)


@router.get("/console/reports/companies/{company}")
def company(request: Request, ports: House, company: int) -> Response:
    """Seats and amounts of one company over time."""
    told = course(ports, company)
    return render(request, "course.html", **told, pictures=_courses(told))


def _leaks(months: list[SumsOfMonth]) -> list[Markup]:
    """A picture for each currency in which anything leaks."""
    currencies = sorted({total["currency"] for month in months for total in month["sums"] if total["leak"]})
    drawn = []
    for number, currency in enumerate(currencies):
        values = [
            (
                named(month["month"]),
                next((total["leak"] for total in month["sums"] if total["currency"] == currency), 0.0),
            )
            for month in months
        ]
        desc = "; ".join(f"{name}: {money(value, currency)}" for name, value in values)
        drawn.append(charts.bars(f"leak-{number}", f"Leak found by month {currency}".strip(), desc, values))
    return drawn


def _courses(told: Course) -> list[Markup]:
    if not told["points"]:
        return []
    days: Sequence[Mapping[str, Any]] = told["points"]
    last, until = days[-1], date.fromisoformat(told["until"])
    drawn = []
    for id_, title, due, billed, unit in (
        ("units", "Units", "due", "billed", ""),
        ("amounts", "Amount a month", "amount_due", "amount_billed", told["currency"]),
    ):
        points = [charts.Point(date.fromisoformat(each["day"]), each[due], each[billed]) for each in days]
        desc = f"Last: {money(last[due], unit)} to bill, {money(last[billed], unit)} billed. The table has every day."
        drawn.append(charts.steps(id_, f"{title}, to bill (dashed) and billed".strip(), desc, points, until))
    return drawn
