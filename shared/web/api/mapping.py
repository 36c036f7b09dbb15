"""The JSON routes of mapping: links of customers to companies, and everything else in the rules, part by part."""

from __future__ import annotations

from base64 import b64decode
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from pydantic import Field

from shared.sync import rule_history
from shared.sync.mapping import exchange, links, listing, shown, skus
from shared.sync.mapping.links import Link
from shared.sync.rule_edits import edit_rules, preview
from shared.sync.shapes import mapping as shapes
from shared.web.api.approvals import Asked, CompanyId
from shared.web.api.reports import XLSX_TYPE, csv
from shared.web.principal import Role
from shared.web.requests import Admin, House, allows, our_own, person, sees_all

router = APIRouter(dependencies=[Depends(allows(Role.READER)), Depends(sees_all)])
changes = [Depends(our_own)]

_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}, "description": "a table as CSV"}}
_XLSX: dict[int | str, dict[str, Any]] = {200: {"content": {XLSX_TYPE: {}}, "description": "a workbook"}}
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


class OneSku(Asked):
    source: Text
    sku: Text


class AssignSkus(Asked):
    """These SKUs are billed by the profile everywhere; null: nowhere. `drop` takes their policies away."""

    skus: Annotated[list[OneSku], Field(min_length=1, max_length=1000)]
    profile: Text | None = None
    drop: bool = False
    edition: Edition | None = None


class BillHere(OneSku):
    """One SKU at one company is billed by the profile; null: not billed there."""

    company: CompanyId
    profile: Text | None
    edition: Edition | None = None


class SkuHere(OneSku):
    company: CompanyId


class ImportTables(Asked):
    """A file in base64: an XLSX workbook, or a CSV in UTF-8."""

    content: Annotated[str, Field(max_length=6 * 1024 * 1024)]


class ConfirmImport(Asked):
    hash: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    edition: Edition


class OneEdit(Asked):
    """One entry of the rules; see `Edit`: fields that are left out stay, null takes one back to its default."""

    section: Literal["guards", "fleet", "approvals", "profiles", "policies", "companies", "links", "licences"]
    fields: Annotated[dict[str, Any], Field(max_length=40)]
    company: CompanyId | None = None
    drop: bool = False


class EditRules(Asked):
    """All edits or none. `edition` is the one that was seen; `preview` only tells what would change."""

    edits: Annotated[list[OneEdit], Field(min_length=1, max_length=1000)]
    edition: Edition | None = None
    preview: bool = False


@router.get("/mapping/links")
def all_links(ports: House) -> shapes.Links:
    """Proposed links with their evidence, customers without one, those ignored; from the newest lists."""
    return shown.links(links.links(ports))


@router.post("/mapping/look", dependencies=changes)
def look(ports: House, who: Admin) -> shapes.Failures:
    """Lists the customers of every source and Manage's companies now; what could not be listed is said."""
    return {"failures": listing.look_again(ports)}


@router.post("/mapping/links", dependencies=changes)
def accept(request: Request, ports: House, who: Admin, asked: AcceptLinks) -> shapes.Edited:
    """Links customers to companies."""
    wanted = [Link(each.source, each.customer, each.company) for each in asked.links]
    return shown.edited(links.accept(ports, wanted, person(who, request)))


@router.post("/mapping/links/sure", dependencies=changes)
def accept_sure(request: Request, ports: House, who: Admin, asked: AcceptSure) -> shapes.Edited:
    """Accepts every proposal that is sure enough, if they are still those that were shown."""
    return shown.edited(links.accept_sure(ports, asked.confidence, asked.seen, person(who, request)))


@router.post("/mapping/links/ignore", dependencies=changes)
def ignore(request: Request, ports: House, who: Admin, asked: Customer) -> shapes.Ignored:
    """Leaves a customer out of proposals and findings. Nothing is billed or ended because of it."""
    links.ignore(ports, [links.customer_key(asked.source, asked.customer)], person(who, request))
    return {"ignored": True}


@router.post("/mapping/links/restore", dependencies=changes)
def restore(ports: House, who: Admin, asked: Customer) -> shapes.Ignored:
    """Shows an ignored customer again."""
    links.restore(ports, [links.customer_key(asked.source, asked.customer)])
    return {"ignored": False}


@router.get("/mapping/skus")
def all_skus(ports: House) -> shapes.Skus:
    """Every SKU seen anywhere, with counts and money, mapped or not."""
    return shown.skus(skus.skus(ports))


@router.post("/mapping/skus", dependencies=changes)
def assign(request: Request, ports: House, who: Admin, asked: AssignSkus) -> shapes.Edited:
    """Assigns a profile, or do not bill, to SKUs in bulk."""
    wanted = [(each.source, each.sku) for each in asked.skus]
    by = person(who, request)
    if asked.drop:
        return shown.edited(skus.unassign(ports, wanted, by, asked.edition))
    return shown.edited(skus.assign(ports, wanted, asked.profile, by, asked.edition))


@router.get("/mapping/unmapped")
def unmapped(ports: House) -> shapes.Unmapped:
    """What customers have and no rule says how to bill, across companies."""
    return shown.unmapped(skus.skus(ports))


@router.post("/mapping/unmapped", dependencies=changes)
def bill_here(request: Request, ports: House, who: Admin, asked: BillHere) -> shapes.Edited:
    """Maps a SKU at one company."""
    by = person(who, request)
    done = skus.bill_here(ports, asked.company, asked.source, asked.sku, asked.profile, by, asked.edition)
    return shown.edited(done)


@router.post("/mapping/unmapped/ignore", dependencies=changes)
def ignore_sku(request: Request, ports: House, who: Admin, asked: SkuHere) -> shapes.Ignored:
    """Hides a SKU at one company. Nothing is billed or ended because of it."""
    skus.ignore(ports, [(asked.company, asked.source, asked.sku)], person(who, request))
    return {"ignored": True}


@router.post("/mapping/unmapped/restore", dependencies=changes)
def restore_sku(ports: House, who: Admin, asked: SkuHere) -> shapes.Ignored:
    """Shows it again."""
    skus.restore(ports, [(asked.company, asked.source, asked.sku)])
    return {"ignored": False}


@router.get("/mapping/export.xlsx", response_class=Response, responses=_XLSX)
def export_workbook(ports: House) -> Response:
    """Links, policies and profiles as a workbook, to be edited and imported."""
    head = {"Content-Disposition": 'attachment; filename="trueup-mapping.xlsx"'}
    return Response(exchange.export_workbook(ports), media_type=XLSX_TYPE, headers=head)


@router.get("/mapping/tables/{table}.csv", response_class=Response, responses=_CSV)
def export_table(ports: House, table: Literal["links", "policies", "profiles"]) -> Response:
    """One of the tables as CSV."""
    return csv(f"{table}.csv", exchange.export_csv(ports, table).decode())


@router.post("/mapping/import", dependencies=changes)
def import_tables(request: Request, ports: House, who: Admin, asked: ImportTables) -> shapes.Uploaded:
    """What an edited table would change; nothing is changed before it is confirmed. Problems are told by row."""
    try:
        content = b64decode(asked.content, validate=True)
    except ValueError:
        raise HTTPException(422, "content is not base64") from None
    return shown.uploaded(exchange.upload(ports, content, person(who, request)))


@router.post("/mapping/import/confirm", dependencies=changes)
def confirm_import(request: Request, ports: House, who: Admin, asked: ConfirmImport) -> shapes.Edited:
    """Makes exactly the changes that were shown, if the rules are still at that edition."""
    return shown.edited(exchange.confirm(ports, asked.hash, asked.edition, person(who, request)))


@router.post("/rules/edits", dependencies=changes)
def edit(request: Request, ports: House, who: Admin, asked: EditRules) -> shapes.Edited | shapes.Previewed:
    """Changes parts of the rules: checked like a whole document, recorded with the person."""
    edits = [shown.edit_of(each.section, each.fields, each.company, drop=each.drop) for each in asked.edits]
    if asked.preview:
        return shown.previewed(preview(ports, edits))
    return shown.edited(edit_rules(ports, edits, person(who, request), expected=asked.edition))


@router.get("/rules/history.csv", response_class=Response, responses=_CSV)
def history_table(ports: House) -> Response:
    """The whole history of the rules as CSV, a row for each thing that was changed."""
    return csv("rules-history.csv", rule_history.table(ports))


@router.get("/rules/history")
def history(
    ports: House,
    limit: Annotated[int, Query(gt=0, le=500)] = 50,
    before: Annotated[int | None, Query(gt=0, lt=10**10)] = None,
) -> shapes.RulesHistory:
    """Who changed what of the rules, newest first; `next` is the `before` of the next page."""
    return rule_history.page(ports, limit, before)
