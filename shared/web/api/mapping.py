"""The JSON routes of mapping: links of customers to companies, and everything else in the rules, part by part."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from shared.sync import rule_history
from shared.sync.mapping import links, shown
from shared.sync.mapping.links import Link
from shared.sync.rule_edits import edit_rules, preview
from shared.web.api.approvals import Asked, CompanyId
from shared.web.principal import Role
from shared.web.requests import Admin, House, allows, our_own, person, sees_all

router = APIRouter(dependencies=[Depends(allows(Role.READER)), Depends(sees_all)])
changes = [Depends(our_own)]

Edition = Annotated[int, Field(ge=0, lt=10**10)]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class CustomerLink(Asked):
    source: Text
    customer: Text
    company: CompanyId


class AcceptLinks(Asked):
    """These customers are these companies; all are linked or none."""

    links: Annotated[list[CustomerLink], Field(min_length=1, max_length=1000)]


class AcceptSure(Asked):
    """Every proposal that is at least so sure, in percent; `seen` as it was shown with them."""

    confidence: Annotated[int, Field(ge=1, le=100)]
    seen: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class Customer(Asked):
    source: Text
    customer: Text


class OneEdit(Asked):
    """One entry of the rules; see `Edit`: fields that are left out stay, null takes one back to its default."""

    section: Literal["profiles", "policies", "companies", "links", "licences"]
    fields: Annotated[dict[str, Any], Field(max_length=40)]
    company: CompanyId | None = None
    drop: bool = False


class EditRules(Asked):
    """All edits or none. `edition` is the one that was seen; `preview` only tells what would change."""

    edits: Annotated[list[OneEdit], Field(min_length=1, max_length=1000)]
    edition: Edition | None = None
    preview: bool = False


@router.get("/mapping/links")
def all_links(ports: House) -> dict[str, Any]:
    """Proposed links with their evidence, customers without one, those ignored; from the newest lists."""
    return shown.links(links.links(ports))


@router.post("/mapping/look", dependencies=changes)
def look(ports: House, who: Admin) -> dict[str, Any]:
    """Lists the customers of every source and Manage's companies now; what could not be listed is said."""
    return {"failures": links.look_again(ports)}


@router.post("/mapping/links", dependencies=changes)
def accept(request: Request, ports: House, who: Admin, asked: AcceptLinks) -> dict[str, Any]:
    """Links customers to companies."""
    wanted = [Link(each.source, each.customer, each.company) for each in asked.links]
    return shown.edited(links.accept(ports, wanted, person(who, request)))


@router.post("/mapping/links/sure", dependencies=changes)
def accept_sure(request: Request, ports: House, who: Admin, asked: AcceptSure) -> dict[str, Any]:
    """Accepts every proposal that is sure enough, if they are still those that were shown."""
    return shown.edited(links.accept_sure(ports, asked.confidence, asked.seen, person(who, request)))


@router.post("/mapping/links/ignore", dependencies=changes)
def ignore(request: Request, ports: House, who: Admin, asked: Customer) -> dict[str, Any]:
    """Leaves a customer out of proposals and findings. Nothing is billed or ended because of it."""
    links.ignore(ports, [links.customer_key(asked.source, asked.customer)], person(who, request))
    return {"ignored": True}


@router.post("/mapping/links/restore", dependencies=changes)
def restore(ports: House, who: Admin, asked: Customer) -> dict[str, Any]:
    """Shows an ignored customer again."""
    links.restore(ports, [links.customer_key(asked.source, asked.customer)])
    return {"ignored": False}


@router.post("/rules/edits", dependencies=changes)
def edit(request: Request, ports: House, who: Admin, asked: EditRules) -> dict[str, Any]:
    """Changes parts of the rules: checked like a whole document, recorded with the person."""
    edits = [shown.edit_of(each.section, each.fields, each.company, drop=each.drop) for each in asked.edits]
    if asked.preview:
        return shown.previewed(preview(ports, edits))
    return shown.edited(edit_rules(ports, edits, person(who, request), expected=asked.edition))


@router.get("/rules/history")
def history(
    ports: House,
    limit: Annotated[int, Query(gt=0, le=500)] = 50,
    before: Annotated[int | None, Query(gt=0, lt=10**10)] = None,
) -> dict[str, Any]:
    """Who changed what of the rules, newest first; `next` is the `before` of the next page."""
    return rule_history.page(ports, limit, before)
