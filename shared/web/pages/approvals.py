"""Approvals: what waits over all companies, by reason, and the findings about which a person has to choose."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import Response

from shared.billing.plan import GroupKind
from shared.sync import inbox
from shared.sync.approvals import Person, approve_all, approve_several, reject
from shared.sync.ports import Ports
from shared.web.pages import words
from shared.web.pages.acting import NotDone, acted
from shared.web.pages.companies import decided
from shared.web.pages.frame import acts, render
from shared.web.principal import Role
from shared.web.requests import Biller, House, Reader, Sees, allows, person

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.READER))])

_PATH = "/console/approvals"

#: Groups as their boxes name them: the company and the hash.
Chosen = Annotated[list[str] | None, Form(max_length=5000)]


@router.get(_PATH)
def approvals(request: Request, ports: House, who: Reader) -> Response:
    """What waits, kind by kind, what is held first; what was decided and is not written; and what a person chooses."""
    told = inbox.waiting(ports)
    waiting = [group for group in told["groups"] if group["state"] == "waiting"]
    return render(
        request,
        "approvals.html",
        sums=told["sums"],
        sections=_sections(waiting),
        decided=[group for group in told["groups"] if group["state"] != "waiting"],
        undoes=told["undoes"],
        nothing_written=told["nothing_written"],
        questions=inbox.questions(ports),
        may_decide=who.may(Role.BILLER),
        kinds=words.KINDS,
        choices=words.CHOICES,
        findings=words.FINDINGS,
    )


def _sections(waiting: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups of one kind that a guard holds, or none does, together."""

    def section(group: dict[str, Any]) -> tuple[bool, str]:
        return group["held"] is None, group["kind"]

    ordered = sorted(waiting, key=lambda group: (*section(group), group["name"].casefold(), group["company"]))
    return [
        {"held": not free, "kind": kind, "groups": list(groups)} for (free, kind), groups in groupby(ordered, section)
    ]


@router.post(_PATH + "/decide", dependencies=acts)
def decide(
    request: Request,
    ports: House,
    who: Biller,
    sees: Sees,
    verdict: Annotated[Literal["approve", "reject"], Form()],
    chosen: Chosen = None,
    why: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Decides about every group that is ticked: those of one company at once, of several in a run."""
    wanted = _by_company(chosen or [])
    for company in wanted:
        if not sees.covers(company):
            raise HTTPException(403, f"company {company} is not among yours")
    by = person(who, request)
    return acted(request, _PATH, lambda: _decided(ports, wanted, verdict, why, by))


def _decided(ports: Ports, wanted: dict[int, list[str]], verdict: str, why: str, by: Person) -> str:
    if not wanted:
        raise NotDone("Tick what is to be decided first.")
    if len(wanted) == 1:
        ((company, groups),) = wanted.items()
        return decided(ports, company, groups, verdict, why, by)
    if verdict == "approve":
        run = approve_several(ports, wanted, by)
        return f"Approved. Run {run} writes it; what is not planned any more by then stays out."
    unknown = [hash_ for company, groups in wanted.items() for hash_ in reject(ports, company, groups, by, why).unknown]
    if unknown:
        raise NotDone("Rejected, but some of it is not planned any more. Look at what is planned now.")
    return "Rejected. It stays out until what it would write changes."


@router.post(_PATH + "/kind", dependencies=acts)
def approve_kind(
    request: Request,
    ports: House,
    who: Biller,
    sees: Sees,
    kind: Annotated[GroupKind, Form()],
    held: Annotated[bool, Form()],
) -> Response:
    """Approves everything of one kind that waits at the companies that the person decides about."""
    by = person(who, request)

    def approved() -> str:
        yours = [row.id for row in ports.within(sees).companies.all()]
        run = approve_all(ports, by, companies=yours, kind=kind, held=held)
        if run is None:
            raise NotDone("Nothing of this kind waits any more.")
        return f"Approved. Run {run} writes it; what is not planned any more by then stays out."

    return acted(request, _PATH, approved)


def _by_company(chosen: list[str]) -> dict[int, list[str]]:
    """What is ticked, by company. Raises 400 for what none of our boxes says."""
    wanted: dict[int, list[str]] = {}
    for each in chosen:
        company, _, hash_ = each.partition(":")
        if not (company.isdecimal() and len(company) <= 10 and hash_):
            raise HTTPException(400, "a box of the form says something that no page of ours does")
        wanted.setdefault(int(company), []).append(hash_)
    return wanted
