"""The JSON routes of customers' users, and their tables for a spreadsheet: for those who may see names."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BeforeValidator

from shared.sync.desk import accounts
from shared.sync.reports.tables import Kind
from shared.sync.shapes.people import AccountsOfAll, AccountsOfCompany
from shared.web.api.companies import InPath
from shared.web.api.reports import FILE, file
from shared.web.principal import Role
from shared.web.requests import Biller, House, allows, person

router = APIRouter(dependencies=[Depends(allows(Role.BILLER))])

#: A form sends an empty text where nothing was typed.
_OR_ZERO = BeforeValidator(lambda value: value or 0)
After = Annotated[int, _OR_ZERO, Query(ge=0, lt=10**10, description="only companies with a higher id")]


@router.get("/accounts")
def everybody(request: Request, ports: House, who: Biller, after: After = 0) -> AccountsOfAll:
    """The users of all companies, read now; `next` is the `after` of the next part, null when that was the last."""
    found = accounts.export_all(ports, person(who, request), after)
    return {"customers": [accounts.shown(one) for one in found.told], "next": found.following}


@router.get("/accounts/users.{kind}", response_class=Response, responses=FILE)
def everybody_as_file(request: Request, ports: House, who: Biller, kind: Kind, after: After = 0) -> Response:
    """The same as a file. A header `Link` names the next part, where not all companies are in it."""
    return _file(accounts.export_all(ports, person(who, request), after), "users", kind)


@router.get("/companies/{company}/accounts")
def of_company(request: Request, ports: House, who: Biller, number: InPath) -> AccountsOfCompany:
    """The users of one company, tenant by tenant, read now; `problem` where a tenant could not be read."""
    found = accounts.export_company(ports, number, person(who, request))
    return {"customers": [accounts.shown(one) for one in found.told]}


@router.get("/companies/{company}/accounts/users.{kind}", response_class=Response, responses=FILE)
def of_company_as_file(request: Request, ports: House, who: Biller, number: InPath, kind: Kind) -> Response:
    """The same as a file."""
    return _file(accounts.export_company(ports, number, person(who, request)), f"users-{number}", kind)


def _file(found: accounts.Export, name: str, kind: Kind) -> Response:
    content = accounts.users_workbook(found) if kind == "xlsx" else accounts.users_csv(found)
    answer = file(name, kind, content)
    if found.following is not None:
        answer.headers["Link"] = f'<?after={found.following}>; rel="next"'
    return answer
