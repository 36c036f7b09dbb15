"""The pages of customers' users: those of one company, and where all of them are taken out."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from shared.billing.findings import FindingKind
from shared.sync.desk import accounts
from shared.sync.ports import Ports
from shared.web.api.accounts import After
from shared.web.api.companies import InPath
from shared.web.pages.frame import render
from shared.web.principal import Role
from shared.web.requests import House, allows

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.BILLER))])

#: As many users of a tenant as the page shows; the files have all.
_SHOWN = 500
#: What stands at a company whose tenant the last look could not read.
_UNREAD = (FindingKind.CONSENT_LOST.value, FindingKind.CUSTOMER_GONE.value, FindingKind.READ_FAILED.value)


@router.get("/console/users")
def everybody(request: Request, ports: House, after: After = 0) -> Response:
    """Where the users of all companies are taken out, and which companies could not be read last."""
    return render(request, "users.html", unread=_unread(ports), after=after, most=accounts.MOST_USERS)


@router.get("/console/companies/{company}/accounts")
def of_company(request: Request, ports: House, number: InPath) -> Response:
    """The users of one company, read now."""
    told = [accounts.shown(one) for one in accounts.accounts_of_company(ports, number)]
    row = ports.companies.get(number)
    assert row is not None
    return render(request, "accounts.html", company=row, customers=told, most=_SHOWN)


def _unread(ports: Ports) -> list[tuple[int, str]]:
    """Companies of which a vendor could not be read when they were last looked at."""
    rows = ports.companies.all()
    return [(row.id, row.name) for row in rows if row.links and any(row.summary.findings.get(kind) for kind in _UNREAD)]
