"""The JSON routes of companies: the list, one company, who holds a licence, and looking at it now."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.billing.findings import FindingKind
from shared.billing.rules import Mode
from shared.sync import demand, history, views
from shared.sync.desk.billing import Sold, bill_again, change_mode, do_not_bill
from shared.sync.desk.companies import SortBy, Wanted, companies
from shared.sync.desk.company import company
from shared.sync.desk.users import users
from shared.sync.erasing import erase
from shared.sync.shapes import desk as shapes
from shared.sync.shapes.plans import Synced
from shared.sync.shapes.runs import Started
from shared.web.api.reports import CSV, csv
from shared.web.principal import Role
from shared.web.requests import Admin, Biller, House, allows, our_own, person, sees_all

router = APIRouter(dependencies=[Depends(allows(Role.READER))])
acts = [Depends(our_own)]

#: Manage's record ids have at most ten digits.
InPath = Annotated[int, Path(alias="company", gt=0, lt=10**10)]
Text = Annotated[str, Query(max_length=200)]
Before = Annotated[str | None, Query(max_length=400, description="a place that an earlier answer named")]
#: A form sends an empty text for what was not chosen.
_OR_EMPTY = BeforeValidator(lambda value: value or None)
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Asked(BaseModel):
    """What a request may hold; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Billing(Asked):
    """Whether a SKU is billed to the company; where it is not, `until` is the day on which billing begins, if any."""

    source: Name
    sku: Name
    customer: Name | None = None
    part: Name | None = None
    bill: bool
    until: date | None = None


class ChangeMode(Asked):
    mode: Mode


def wanted(
    text: Text = "",
    mode: Annotated[Mode | None, _OR_EMPTY] = None,
    outcome: Text = "",
    finding: Annotated[FindingKind | None, _OR_EMPTY] = None,
    waiting: bool = False,
    sort: SortBy = SortBy.NAME,
    turned: bool = False,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    size: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Wanted:
    """What a query asks the list for."""
    return Wanted(text, mode, outcome or None, finding, waiting, sort, turned, page, size)


@router.get("/companies")
def list_companies(ports: House, asked: Annotated[Wanted, Depends(wanted)]) -> shapes.Companies:
    """The companies wanted, with mode, last outcome, open findings, what lines of ours bill a month and what waits."""
    return companies(ports, asked)


@router.post("/companies/sync", dependencies=[*acts, Depends(sees_all)])
def sync_all(ports: House, who: Biller) -> Started:
    """Looks at every linked company now, each in its own mode, in the run that is answered."""
    return {"run": demand.sync_in_run(ports, None, None)}


@router.get("/companies/{company}")
def one_company(ports: House, number: InPath) -> shapes.Company:
    """One company: links, licences and how they are billed, plan, agreements before and after it, open findings."""
    return company(ports, number)


@router.get("/companies/{company}/history.csv", response_class=Response, responses=CSV)
def history_table(ports: House, number: InPath, before: Before = None) -> Response:
    """Everything that was done to the company and decided about it, newest first, as CSV.

    A table that is full ends with a line that names the `before` of the next.
    """
    return csv(f"history-{number}.csv", history.table(ports, number, before).text)


@router.get("/companies/{company}/users")
def who_holds(ports: House, number: InPath, who: Biller, source: Text, customer: Text, sku: Text) -> shapes.Users:
    """Who holds a licence, asked of its source now; `users` null where that does not tell."""
    return users(ports, number, source, customer, sku)


@router.post("/companies/{company}/sync", dependencies=acts)
def sync_now(request: Request, ports: House, who: Biller, number: InPath) -> Synced:
    """Looks at the company now, in its own mode; its outcome with what is planned."""
    return views.synced(demand.sync_now(ports, number, None, person(who, request).name), texts=True)


@router.post("/companies/{company}/billing", dependencies=acts)
def change_billing(request: Request, ports: House, who: Biller, number: InPath, asked: Billing) -> shapes.SyncedOrNot:
    """Stops or resumes billing a SKU and looks at the company with it; `sync` null while another worker is at it."""
    sold, by = Sold(asked.source, asked.sku, asked.customer, asked.part), person(who, request)
    done = bill_again(ports, number, sold, by) if asked.bill else do_not_bill(ports, number, sold, asked.until, by)
    return {"sync": views.synced(done, texts=True) if done is not None else None}


@router.post("/companies/{company}/erase", dependencies=acts)
def erase_company(request: Request, ports: House, who: Admin, number: InPath) -> shapes.Erased:
    """Erases a company that is not linked any more, for good; the customers of whom nothing is known any more."""
    customers = erase(ports, number, person(who, request))
    return {"customers": [{"source": source, "customer": customer} for source, customer in customers]}


@router.post("/companies/{company}/mode", dependencies=acts)
def change_company_mode(
    request: Request, ports: House, who: Admin, number: InPath, asked: ChangeMode
) -> shapes.CompanyMode:
    """Puts the company into a mode."""
    change_mode(ports, number, asked.mode, person(who, request))
    return {"mode": asked.mode.value}
