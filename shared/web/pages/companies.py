"""Companies: the list, and one of them with everything that people look at and decide."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from shared.billing.planning.choices import ChoiceKind
from shared.billing.rules import Mode
from shared.sync import demand, history, inbox
from shared.sync.approvals import Person, approve, reject
from shared.sync.choices import choose
from shared.sync.consents import tested_customer
from shared.sync.desk.billing import Sold, bill_again, change_mode, do_not_bill
from shared.sync.desk.companies import SortBy, Wanted, companies
from shared.sync.desk.company import company
from shared.sync.desk.users import users
from shared.sync.ports import Ports
from shared.sync.undo import undo
from shared.web.api.companies import InPath, wanted
from shared.web.pages import words
from shared.web.pages.acting import NotDone, acted
from shared.web.pages.frame import acts, render
from shared.web.pages.leads import leads
from shared.web.principal import Principal, Role
from shared.web.requests import Admin, Biller, House, Reader, allows, person

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.READER))])

_PATH = "/console/companies"
#: As many history entries as the page of a company shows, and as a page of the history.
_NEWEST, _PAGE = 15, 100

Hashes = Annotated[list[str], Form(max_length=1000)]
Text = Annotated[str, Form(max_length=500)]
Back = Annotated[Literal["company", "approvals"], Form()]


@router.get(_PATH)
def list_of_companies(
    request: Request, ports: House, who: Reader, asked: Annotated[Wanted, Depends(wanted)]
) -> Response:
    """The companies wanted, a page of them."""
    return render(
        request,
        "companies.html",
        asked=asked,
        shown=companies(ports, asked),
        modes=list(Mode),
        kinds=words.FINDINGS,
        sorts=_SORTS,
        outcomes=words.OUTCOMES,
        may_see_users=who.may(Role.BILLER),
    )


_SORTS = {
    SortBy.NAME: "Company",
    SortBy.MODE: "Mode",
    SortBy.OUTCOME: "Last outcome",
    SortBy.WAITING: "Waiting",
    SortBy.FINDINGS: "Findings",
    SortBy.DRIFT: "Drift",
    SortBy.MONTHLY: "Billed a month",
    SortBy.PLANNED: "Planned change",
}


@router.get(_PATH + "/{company}")
def one_company(
    request: Request,
    ports: House,
    who: Reader,
    number: InPath,
    source: Annotated[str, Query(max_length=200)] = "",
    customer: Annotated[str, Query(max_length=200)] = "",
    sku: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """A company; with a licence named, also who holds it, for those who may know."""
    asks = bool(source and customer and sku) and who.may(Role.BILLER)
    return _page(request, ports, number, who, holders=users(ports, number, source, customer, sku) if asks else None)


@router.get(_PATH + "/{company}/history")
def whole_history(
    request: Request,
    ports: House,
    who: Reader,
    number: InPath,
    before: Annotated[str | None, Query(max_length=400)] = None,
) -> Response:
    """Everything that was done and decided, newest first, a page of it."""
    return render(
        request,
        "history.html",
        company=company(ports, number),
        history=history.page(ports, number, _PAGE, before, texts=True),
        may_decide=who.may(Role.BILLER),
    )


def _page(
    request: Request,
    ports: Ports,
    number: int,
    who: Principal,
    *,
    holders: object = None,
    confirm: object = None,
    tested: object = None,
) -> Response:
    """The page of a company: `holders` of a licence that was asked for, an undo that is to be confirmed, a test."""
    shown = company(ports, number)
    return render(
        request,
        "company.html",
        company=shown,
        leads=leads(shown),
        holders=holders,
        history=history.page(ports, number, _NEWEST, None, texts=True),
        confirm=confirm,
        tested=tested,
        may_decide=who.may(Role.BILLER),
        may_rule=who.may(Role.ADMIN),
        modes=words.MODES,
        outcomes=words.OUTCOMES,
        choices=words.CHOICES,
        kinds=words.FINDINGS,
    )


@router.post(_PATH + "/{company}/links/test", dependencies=acts)
def test_link(request: Request, ports: House, who: Reader, number: InPath, source: Text, customer: Text) -> Response:
    """Reads one of its customers, and shows whether it lets us in. Nothing is kept, so the page is the answer."""
    return _page(request, ports, number, who, tested=tested_customer(ports, number, source, customer))


@router.post(_PATH + "/{company}/sync", dependencies=acts)
def sync_now(request: Request, ports: House, who: Biller, number: InPath) -> Response:
    """Looks at the company now, in its own mode."""
    actor = person(who, request).name
    return acted(request, _of(number), lambda: words.looked_at(demand.sync_now(ports, number, None, actor)))


@router.post(_PATH + "/{company}/decide", dependencies=acts)
def decide(
    request: Request,
    ports: House,
    who: Biller,
    number: InPath,
    groups: Hashes,
    verdict: Annotated[Literal["approve", "reject"], Form()],
    why: Text = "",
) -> Response:
    """Approves groups and writes them, or keeps them out."""
    by = person(who, request)
    return acted(request, _of(number), lambda: decided(ports, number, groups, verdict, why, by))


def decided(ports: Ports, number: int, groups: list[str], verdict: str, why: str, by: Person) -> str:
    """What came of a decision about groups of one company. Raises `NotDone`."""
    if verdict == "approve":
        return words.approved(inbox.approved(groups, approve(ports, number, groups, by)))
    done = reject(ports, number, groups, by, why)
    if done.unknown:
        raise NotDone("What was shown is not planned any more. Look at what is planned now, and decide anew.")
    return "Rejected. It stays out until what it would write changes."


@router.post(_PATH + "/{company}/choose", dependencies=acts)
def choose_about(
    request: Request,
    ports: House,
    who: Biller,
    number: InPath,
    choice: Annotated[ChoiceKind, Form()],
    bill_item: Text = "",
    additions: Annotated[list[int] | None, Form(max_length=50)] = None,
    back: Back = "company",
) -> Response:
    """Stores what a person chose about a finding, and looks at the company with it."""
    path = _of(number) if back == "company" else "/console/approvals"
    by, named = person(who, request), additions or []

    def chosen() -> str:
        return words.looked_at(choose(ports, number, choice, by, bill_item=bill_item, additions=named))

    return acted(request, path, chosen)


@router.post(_PATH + "/{company}/undo", dependencies=acts)
def undo_writes(
    request: Request,
    ports: House,
    who: Biller,
    number: InPath,
    run: Text,
    bill_item: Text = "",
    confirmed: Annotated[list[str] | None, Form(max_length=1000)] = None,
) -> Response:
    """Takes back what a run wrote. What a guard holds of it is shown, to be confirmed."""
    by = person(who, request)
    told: dict[str, object] = {}

    def done() -> str:
        told.update(inbox.undone(undo(ports, number, run, by, bill_item=bill_item or None, confirmed=confirmed or ())))
        return words.undone(told)

    answer = acted(request, _of(number), done)
    if not told.get("held"):
        return answer
    return _page(request, ports, number, who, confirm={"run": run, "bill_item": bill_item, "groups": told["held"]})


@router.post(_PATH + "/{company}/billing", dependencies=acts)
def change_billing(
    request: Request,
    ports: House,
    who: Biller,
    number: InPath,
    source: Text,
    sku: Text,
    how: Annotated[Literal["never", "until", "again"], Form()],
    customer: Text = "",
    part: Text = "",
    until: Text = "",
) -> Response:
    """Says that a SKU is not billed to the company, for ever or until a day, or that it is billed again."""
    sold, by = Sold(source, sku, customer or None, part or None), person(who, request)

    def changed() -> str:
        if how == "again":
            return words.looked_at(bill_again(ports, number, sold, by))
        return words.looked_at(do_not_bill(ports, number, sold, _day(until) if how == "until" else None, by))

    return acted(request, _of(number), changed)


@router.post(_PATH + "/{company}/mode", dependencies=acts)
def put_into_mode(
    request: Request, ports: House, who: Admin, number: InPath, mode: Annotated[Mode, Form()]
) -> Response:
    """Puts the company into a mode."""

    def changed() -> str:
        change_mode(ports, number, mode, person(who, request))
        return f"The company is in mode {mode.value} from now on."

    return acted(request, _of(number), changed)


def _of(number: int) -> str:
    return f"{_PATH}/{number}"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise NotDone("Name the day on which billing begins, such as 2027-03-01.") from None
