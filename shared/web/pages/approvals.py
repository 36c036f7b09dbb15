"""Approvals: what waits over all companies, by reason, and the findings about which a person has to choose."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import Response
from pydantic import BeforeValidator, Field

from shared.billing.planning.plan import GroupKind, Guard
from shared.sync import inbox
from shared.sync.approvals import Person, approve_all, approve_several, reject, seen_as
from shared.sync.ports import Ports
from shared.sync.shapes import inbox as shapes
from shared.web.pages import words
from shared.web.pages.acting import NotDone, acted
from shared.web.pages.companies import decided
from shared.web.pages.frame import acts, render
from shared.web.principal import Role
from shared.web.requests import Biller, House, Reader, Sees, allows, person

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.READER))])

_PATH = "/console/approvals"

#: A form sends an empty text for no guard.
OR_NONE = BeforeValidator(lambda value: value or None)
#: Groups as their boxes name them: the company and the hash.
Chosen = Annotated[list[str] | None, Form(max_length=5000)]
Page = Annotated[int, Field(ge=1, le=10_000)]
#: As many groups as one page shows.
_SHOWN = 100


@router.get(_PATH)
def approvals(request: Request, ports: House, who: Reader, page: Annotated[Page, Query()] = 1) -> Response:
    """What waits, by reason, what is held first; what was decided and is not written; and what a person chooses."""
    told = inbox.whole(ports)
    waiting = [group for group in told["groups"] if group["state"] == "waiting"]
    waiting.sort(key=lambda group: (inbox.reason_of(group), group["name"].casefold(), group["company"]))
    pages = max(1, -(-len(waiting) // _SHOWN))
    page = min(page, pages)
    reasons = _reasons(told["reasons"])
    return render(
        request,
        "approvals.html",
        reasons=reasons,
        free=_free(told["reasons"], waiting),
        sections=_sections(waiting[(page - 1) * _SHOWN : page * _SHOWN], reasons),
        page=page,
        pages=pages,
        decided=[group for group in told["groups"] if group["state"] != "waiting"],
        undoes=told["undoes"],
        nothing_written=told["nothing_written"],
        unreadable=told["unreadable"],
        questions=told["questions"],
        may_decide=who.may(Role.BILLER),
        choices=words.CHOICES,
        findings=words.FINDINGS,
    )


def _reasons(told: Sequence[shapes.Reason]) -> list[dict[str, Any]]:
    """Each reason with its title, the page on which its groups begin, and whether a person can approve them."""
    before, found = 0, []
    for place, reason in enumerate(told, 1):
        about = {"title": words.reason(reason), "sound": reason["guard"] != Guard.UNSOUND.value}
        found.append({**reason, **about, "place": place, "page": before // _SHOWN + 1})
        before += reason["groups"]
    return found


def _free(reasons: Sequence[shapes.Reason], waiting: Sequence[shapes.WaitingGroup]) -> dict[str, Any] | None:
    """Everything that no guard holds together, where it is of several reasons."""
    if sum(not reason["held"] for reason in reasons) < 2:
        return None
    groups = [group for group in waiting if group["held"] is None]
    return {"groups": len(groups), "seen": seen_as((group["company"], group["hash"]) for group in groups)}


def _sections(shown: Sequence[shapes.WaitingGroup], reasons: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups of a page under their reasons."""
    by_reason = {(not reason["held"], reason["guard"] or "", reason["kind"]): reason for reason in reasons}
    return [{**by_reason[reason], "shown": list(groups)} for reason, groups in groupby(shown, key=inbox.reason_of)]


@router.post(_PATH + "/decide", dependencies=acts)
def decide(
    request: Request,
    ports: House,
    who: Biller,
    sees: Sees,
    verdict: Annotated[Literal["approve", "reject"], Form()],
    chosen: Chosen = None,
    why: Annotated[str, Form(max_length=500)] = "",
    page: Annotated[Page, Form()] = 1,
) -> Response:
    """Decides about every group that is ticked: those of one company at once, of several in a run."""
    wanted = _by_company(chosen or [])
    for company in wanted:
        if not sees.covers(company):
            raise HTTPException(403, f"company {company} is not among yours")
    by = person(who, request)
    return acted(request, f"{_PATH}?page={page}", lambda: _decided(ports, wanted, verdict, why, by))


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
    kind: Annotated[GroupKind | Literal["all"], Form()],
    held: Annotated[bool, Form()],
    seen: Annotated[str, Form(pattern="^[0-9a-f]{16}$")],
    guard: Annotated[Guard | None, OR_NONE, Form()] = None,
) -> Response:
    """Approves everything that waits for one reason, at the companies that the person decides about, as it was seen."""
    by = person(who, request)
    one = None if kind == "all" else kind

    def approved() -> str:
        yours = [row.id for row in ports.within(sees).companies.all()]
        run = approve_all(ports, by, companies=yours, kind=one, held=held, guard=guard, seen=seen)
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
