"""The JSON routes of a company's own choices, and of the guards that hold where it says nothing."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from shared.sync import views
from shared.sync.desk.billing import Sold
from shared.sync.desk.own import Chosen, drop_choice, own_choice, own_rules, save_choice, save_own
from shared.sync.guards import guards
from shared.sync.shapes.own import MspGuards, OwnChanged, OwnChoice, OwnRules
from shared.web.api.companies import Asked, InPath, Name, acts
from shared.web.api.mapping import Edition
from shared.web.principal import Role
from shared.web.requests import Admin, Biller, House, allows, person

router = APIRouter(dependencies=[Depends(allows(Role.READER))])

Text = Annotated[str, Query(max_length=200)]


class Licence(Asked):
    """What a licence link is for; a SKU, at one customer and of one part where these are given."""

    source: Name
    sku: Name
    customer: Name | None = None
    part: Name | None = None
    edition: Edition | None = None

    def sold(self) -> Sold:
        return Sold(self.source, self.sku, self.customer, self.part)


class LicenceChoices(Licence):
    """How it is billed there, as in the rules; a field that is left out is that of the policy and its profile."""

    fields: Annotated[dict[str, Any], Field(max_length=40)]


class CompanyChoices(Asked):
    """What is left out stays; `billed_through` are all agreements of which a day is named."""

    adopt_marked: bool | None = None
    billed_through: Annotated[list[dict[str, Any]], Field(max_length=100)] | None = None
    edition: Edition | None = None


class OwnGuards(Asked):
    """Only what differs from the MSP's guards; null: nothing does."""

    guards: Annotated[dict[str, Any], Field(max_length=40)] | None
    edition: Edition | None = None


@router.get("/rules/guards")
def all_guards(ports: House) -> MspGuards:
    """Guards, the fleet's limit and how long approvals last, at every company that says nothing of its own."""
    return guards(ports)


@router.get("/companies/{company}/licence")
def one_licence(
    ports: House, number: InPath, who: Biller, source: Text, sku: Text, customer: Text = "", part: Text = ""
) -> OwnChoice:
    """How a SKU is billed to the company: its own choices, what the policy says, and what there is to choose among."""
    return own_choice(ports, number, Sold(source, sku, customer or None, part or None))


@router.post("/companies/{company}/licence", dependencies=acts)
def choose(request: Request, ports: House, who: Biller, number: InPath, asked: LicenceChoices) -> OwnChanged:
    """Has a SKU billed to the company by choices of its own, and looks at the company with them."""
    by = person(who, request)
    return _told(save_choice(ports, number, asked.sold(), asked.fields, by, asked.edition))


@router.post("/companies/{company}/licence/drop", dependencies=acts)
def drop(request: Request, ports: House, who: Biller, number: InPath, asked: Licence) -> OwnChanged:
    """Takes the company's own choices for a SKU back, and looks at the company."""
    return _told(drop_choice(ports, number, asked.sold(), person(who, request), asked.edition))


@router.get("/companies/{company}/rules")
def one_company(ports: House, number: InPath) -> OwnRules:
    """What is billed already, adoption and guards of one company, and what holds where it says nothing."""
    return own_rules(ports, number)


@router.post("/companies/{company}/rules", dependencies=acts)
def change(request: Request, ports: House, who: Biller, number: InPath, asked: CompanyChoices) -> OwnChanged:
    """Says until when agreements are invoiced, and whether lines that another tool marked are adopted."""
    fields = asked.model_dump(exclude={"edition"}, exclude_none=True)
    return _told(save_own(ports, number, fields, person(who, request), asked.edition))


@router.post("/companies/{company}/guards", dependencies=acts)
def guard(request: Request, ports: House, who: Admin, number: InPath, asked: OwnGuards) -> OwnChanged:
    """Gives the company guards of its own."""
    return _told(save_own(ports, number, {"guards": asked.guards}, person(who, request), asked.edition))


def _told(done: Chosen) -> OwnChanged:
    """`sync` null while another worker is at the company, and where nothing had changed."""
    synced = views.synced(done.synced, texts=True) if done.synced is not None else None
    return {"changed": list(done.what), "sync": synced}
