"""The JSON routes of companies: the list, one company, who holds a licence, and looking at it now."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from shared.billing.findings import FindingKind
from shared.billing.rules import Mode
from shared.sync import demand, views
from shared.sync.desk.companies import SortBy, Wanted, companies
from shared.sync.desk.company import company
from shared.sync.desk.users import users
from shared.web.principal import Role
from shared.web.requests import Biller, House, allows, our_own, person

router = APIRouter(dependencies=[Depends(allows(Role.READER))])
acts = [Depends(our_own)]

#: Manage's record ids have at most ten digits.
InPath = Annotated[int, Path(alias="company", gt=0, lt=10**10)]
Text = Annotated[str, Query(max_length=200)]


def wanted(
    text: Text = "",
    mode: Mode | None = None,
    outcome: Annotated[str | None, Query(max_length=20)] = None,
    finding: FindingKind | None = None,
    waiting: bool = False,
    sort: SortBy = SortBy.NAME,
    turned: bool = False,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    size: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Wanted:
    """What a query asks the list for."""
    return Wanted(text, mode, outcome, finding, waiting, sort, turned, page, size)


@router.get("/companies")
def list_companies(ports: House, asked: Annotated[Wanted, Depends(wanted)]) -> dict[str, Any]:
    """The companies wanted, with mode, last outcome, open findings, what lines of ours bill a month and what waits."""
    return companies(ports, asked)


@router.get("/companies/{company}")
def one_company(ports: House, number: InPath) -> dict[str, Any]:
    """One company: links, licences and how they are billed, plan, agreements before and after it, open findings."""
    return company(ports, number)


@router.get("/companies/{company}/users")
def who_holds(ports: House, number: InPath, who: Biller, source: Text, customer: Text, sku: Text) -> dict[str, Any]:
    """Who holds a licence, asked of its source now; `users` null where that does not tell."""
    return users(ports, number, source, customer, sku)


@router.post("/companies/{company}/sync", dependencies=acts)
def sync_now(request: Request, ports: House, who: Biller, number: InPath) -> dict[str, Any]:
    """Looks at the company now, in its own mode; its outcome with what is planned."""
    return views.synced(demand.sync_now(ports, number, None, person(who, request).name), texts=True)
