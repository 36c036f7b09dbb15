"""The JSON routes with which people decide: what waits, approve it, reject it, and what was done."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from shared.billing.planning.choices import ChoiceKind
from shared.billing.planning.plan import GroupKind, Guard
from shared.sync import inbox, views
from shared.sync.approvals import approve, approve_all, approve_several, reject
from shared.sync.choices import choose
from shared.sync.history import page
from shared.sync.shapes import inbox as shapes
from shared.sync.shapes.plans import History, Synced
from shared.sync.shapes.runs import Started
from shared.sync.undo import undo
from shared.web.principal import Role
from shared.web.requests import Biller, House, Sees, allows, our_own, person

router = APIRouter(dependencies=[Depends(allows(Role.READER))])
decides = [Depends(our_own)]

#: Manage's record ids have at most ten digits.
CompanyId = Annotated[int, Field(gt=0, lt=10**10)]
InPath = Annotated[int, Path(gt=0, lt=10**10)]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
Hashes = Annotated[list[Hash], Field(min_length=1, max_length=1000)]
Why = Annotated[str, Field(max_length=500)]


class Asked(BaseModel):
    """What a request may hold; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class ApproveGroups(Asked):
    """These groups of one company, by the hashes under which they were shown."""

    company: CompanyId
    groups: Hashes


class ApproveSeveral(Asked):
    """These groups of several companies, each company once."""

    chosen: Annotated[list[ApproveGroups], Field(min_length=1, max_length=1000)]


class ApproveKind(Asked):
    """Everything of one kind that waits at these companies; `held`: only what a guard holds, or what none does.

    `guard`: only what this one holds. With `seen` of a reason, nothing is approved if others wait by now.
    """

    companies: Annotated[list[CompanyId], Field(min_length=1, max_length=5000)] | Literal["all"]
    kind: GroupKind | Literal["all"]
    held: bool | None = None
    guard: Guard | None = None
    seen: Hash | None = None


class RejectGroups(Asked):
    company: CompanyId
    groups: Hashes
    why: Why = ""


class UndoRun(Asked):
    """What a run wrote to a company, or to one bill item of it; `confirmed` are hashes of groups that a guard held."""

    company: CompanyId
    run: Annotated[str, Field(min_length=1, max_length=200)]
    bill_item: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    confirmed: Annotated[list[Hash], Field(max_length=1000)] = []


class Choose(Asked):
    """About the finding of a bill item, or of a stray addition; a company's findings say what each offers."""

    company: CompanyId
    choice: ChoiceKind
    bill_item: Annotated[str, Field(max_length=400)] = ""
    additions: Annotated[list[CompanyId], Field(max_length=50)] = []


@router.get("/waiting")
def waiting(ports: House) -> shapes.Waiting:
    """Every group that waits, is held or was rejected, over all companies, and their sums by kind."""
    return inbox.waiting(ports)


@router.get("/questions")
def questions(ports: House) -> shapes.Questions:
    """The open findings about which a person can choose, over all companies."""
    return inbox.questions(ports)


@router.get("/companies/{company}/history")
def history(
    ports: House,
    company: InPath,
    limit: Annotated[int, Query(gt=0, le=500)] = 50,
    before: Annotated[str | None, Query(max_length=400)] = None,
) -> History:
    """What was done and decided, newest first; `next` is the `before` of the next page."""
    return page(ports, company, limit, before, texts=True)


@router.post(
    "/approve",
    dependencies=decides,
    response_model=shapes.Approved,
    responses={202: {"model": Started, "description": "the run that writes them"}},
)
def approve_groups(
    request: Request,
    ports: House,
    who: Biller,
    sees: Sees,
    asked: Annotated[ApproveGroups | ApproveSeveral | ApproveKind, Body()],
) -> JSONResponse:
    """Groups of one company are written at once, others by a run (202; `run` null when nothing of a kind waits).

    All companies are those that the person decides about.
    """
    by = person(who, request)
    if isinstance(asked, ApproveGroups):
        return JSONResponse(inbox.approved(asked.groups, approve(ports, asked.company, asked.groups, by)))
    if isinstance(asked, ApproveSeveral):
        chosen = {each.company: each.groups for each in asked.chosen}
        return JSONResponse({"run": approve_several(ports, chosen, by)}, 202)
    yours = [row.id for row in ports.within(sees).companies.all()]
    companies = yours if asked.companies == "all" else asked.companies
    kind = None if asked.kind == "all" else asked.kind
    run = approve_all(ports, by, companies=companies, kind=kind, held=asked.held, guard=asked.guard, seen=asked.seen)
    return JSONResponse({"run": run}, 202)


@router.post("/reject", dependencies=decides)
def reject_groups(request: Request, ports: House, who: Biller, asked: RejectGroups) -> shapes.Rejected:
    """Keeps groups out until what they would write changes."""
    done = reject(ports, asked.company, asked.groups, person(who, request), asked.why)
    return {"rejected": list(done.rejected), "unknown": list(done.unknown)}


@router.post("/undo", dependencies=decides)
def undo_run(request: Request, ports: House, who: Biller, asked: UndoRun) -> shapes.Undone:
    """Takes back what a run wrote, as far as no invoice, person or later run has come on top; why not where not."""
    by = person(who, request)
    done = undo(ports, asked.company, asked.run, by, bill_item=asked.bill_item, confirmed=asked.confirmed)
    return inbox.undone(done)


@router.post("/choices", dependencies=decides)
def choose_about(request: Request, ports: House, who: Biller, asked: Choose) -> Synced:
    """Stores a choice and looks at the company with it; what it leads to waits, or is written in mode auto."""
    by = person(who, request)
    synced = choose(ports, asked.company, asked.choice, by, bill_item=asked.bill_item, additions=asked.additions)
    return views.synced(synced, texts=True)
