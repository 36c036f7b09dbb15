"""The pages of mapping: links of customers to companies, SKUs, what is unmapped, and who changed what."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import Response

from shared.errors import Refused
from shared.sync import rule_history
from shared.sync.mapping import links, listing, shown, skus
from shared.sync.mapping.links import Link
from shared.sync.ports import Ports
from shared.sync.rule_edits import Edited, edit_rules
from shared.web.pages.frame import acts, next_page, render
from shared.web.pages.words import counted
from shared.web.principal import Principal, Role
from shared.web.requests import Admin, House, Reader, allows, person, sees_all

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.READER)), Depends(sees_all)])

_LINKS = "/console/mapping"
_SKUS = f"{_LINKS}/skus"
_UNMAPPED = f"{_LINKS}/unmapped"
_CHANGES = f"{_LINKS}/changes"
_NOTHING = "Nothing was ticked."
_PROFILE, _NOT_BILLED = "profile:", "none"

#: What is ticked in a table: each a JSON list, as the page gave it.
Picked = Annotated[list[str], Form(default_factory=list)]
OfEdition = Annotated[int, Form()]
#: A profile, do not bill, or empty while nobody has chosen.
Chosen = Annotated[str, Form(max_length=300)]


Search = Annotated[str, Query(max_length=200)]
Page = Annotated[int, Query(ge=1, le=10_000)]
#: As many rows as one page of a table has.
_ROWS = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """A page of a table: its rows, which page it is of how many, and how many rows all of them have."""

    rows: Sequence[Mapping[str, Any]]
    page: int
    pages: int
    all: int

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], page: int) -> Shown:
        """The page asked for, or the last one there is."""
        pages = max(1, -(-len(rows) // _ROWS))
        page = min(page, pages)
        return cls(rows[(page - 1) * _ROWS : page * _ROWS], page, pages, len(rows))


@router.get(_LINKS)
def all_links(request: Request, ports: House, who: Reader) -> Response:
    """Proposals, customers like no company, those ignored."""
    found = shown.links(links.links(ports))
    names = [("ConnectWise Manage" if name == "manage" else name, at) for name, at in found["listed"].items()]
    return render(request, "mapping_links.html", found=found, listed=names, may=who.may(Role.ADMIN))


@router.post(f"{_LINKS}/look", dependencies=acts)
def look(request: Request, ports: House, who: Admin) -> Response:
    """Lists customers and companies."""
    failures = listing.look_again(ports)
    if failures:
        return next_page(request, _LINKS, " ".join(failures), "problem")
    return next_page(request, _LINKS, "Customers and companies were listed.")


@router.post(f"{_LINKS}/accept", dependencies=acts)
def accept(request: Request, ports: House, who: Admin, pick: Picked) -> Response:
    """Links what is ticked."""
    wanted = [Link(source, customer, _number(company)) for source, customer, company in _picked(pick, 3)]
    return _linked(request, ports, who, wanted)


@router.post(f"{_LINKS}/link", dependencies=acts)
def link(
    request: Request,
    ports: House,
    who: Admin,
    customer: Picked,
    company: Picked,
) -> Response:
    """Links those of the customers to which a company's number was given."""
    given = [(row, number.strip()) for row, number in zip(_picked(customer, 3), company, strict=False)]
    if wrong := next((number for _, number in given if number and not _is_number(number)), None):
        return next_page(request, _LINKS, f"{wrong[:40]} is no number of a company.", "problem")
    wanted = [Link(row[0], row[1], int(number)) for row, number in given if number]
    return _linked(request, ports, who, wanted)


@router.post(f"{_LINKS}/sure", dependencies=acts)
def accept_sure(
    request: Request,
    ports: House,
    who: Admin,
    confidence: Annotated[int, Form(ge=1, le=100)],
    seen: Annotated[str, Form(max_length=16)],
) -> Response:
    """Links every proposal that is sure enough."""
    try:
        done = links.accept_sure(ports, confidence, seen, person(who, request))
    except Refused as error:
        return _refused(request, _LINKS, error)
    return _done(request, _LINKS, done)


@router.post(f"{_LINKS}/ignore", dependencies=acts)
def ignore(request: Request, ports: House, who: Admin, pick: Picked) -> Response:
    """Hides what is ticked."""
    what = [links.customer_key(source, customer) for source, customer, _ in _picked(pick, 3)]
    links.ignore(ports, what, person(who, request))
    return next_page(request, _LINKS, _told(what, "customer", "ignored"))


@router.post(f"{_LINKS}/restore", dependencies=acts)
def restore(request: Request, ports: House, who: Admin, pick: Picked) -> Response:
    """Shows again what is ticked."""
    what = [links.customer_key(source, customer) for source, customer, _ in _picked(pick, 3)]
    links.restore(ports, what)
    return next_page(request, _LINKS, _told(what, "customer", "shown again"))


@router.get(_SKUS)
def all_skus(
    request: Request, ports: House, who: Reader, search: Search = "", profile: Search = "", page: Page = 1
) -> Response:
    """SKUs with what bills them, a page of them: those with these words, those that a profile bills."""
    found = shown.skus(skus.skus(ports))
    names = {each["id"]: each["name"] for each in found["profiles"]}
    wanted = [each for each in found["skus"] if _has(each, search, "name", "sku") and profile in ("", each["profile"])]
    return render(
        request,
        "mapping_skus.html",
        found=found,
        shown=Shown.of(wanted, page),
        asked={"search": search, "profile": profile},
        names=names,
        may=who.may(Role.ADMIN),
    )


@router.post(_SKUS, dependencies=acts)
def assign(
    request: Request,
    ports: House,
    who: Admin,
    edition: OfEdition,
    pick: Picked,
    profile: Chosen = "",
) -> Response:
    """Assigns a profile, or do not bill, to what is ticked."""
    wanted = [(source, sku) for source, sku in _picked(pick, 2)]
    return _edited(request, _SKUS, lambda: skus.assign(ports, wanted, _profile(profile), person(who, request), edition))


@router.post(f"{_SKUS}/drop", dependencies=acts)
def unassign(request: Request, ports: House, who: Admin, edition: OfEdition, pick: Picked) -> Response:
    """Takes the policies of what is ticked away."""
    wanted = [(source, sku) for source, sku in _picked(pick, 2)]
    return _edited(request, _SKUS, lambda: skus.unassign(ports, wanted, person(who, request), edition))


@router.get(_UNMAPPED)
def unmapped(request: Request, ports: House, who: Reader, search: Search = "", page: Page = 1) -> Response:
    """What no rule speaks of, a page of it: that with these words."""
    found = skus.skus(ports)
    told = shown.unmapped(found)
    wanted = [each for each in told["unmapped"] if _has(each, search, "name", "sku", "company_name")]
    return render(
        request,
        "mapping_unmapped.html",
        found=told,
        shown=Shown.of(wanted, page),
        asked={"search": search},
        profiles=shown.skus(found)["profiles"],
        may=who.may(Role.ADMIN),
    )


@router.post(_UNMAPPED, dependencies=acts)
def bill_here(
    request: Request,
    ports: House,
    who: Admin,
    edition: OfEdition,
    pick: Picked,
    profile: Chosen = "",
) -> Response:
    """Maps what is ticked at the companies ticked."""
    wanted = [(_number(company), source, sku) for company, source, sku in _picked(pick, 3)]
    by = person(who, request)

    def mapped() -> Edited:
        edits = [skus.here(company, source, sku, _profile(profile)) for company, source, sku in wanted]
        return edit_rules(ports, edits, by, expected=edition)

    return _edited(request, _UNMAPPED, mapped)


@router.post(f"{_UNMAPPED}/everywhere", dependencies=acts)
def bill_everywhere(
    request: Request,
    ports: House,
    who: Admin,
    edition: OfEdition,
    pick: Picked,
    profile: Chosen = "",
) -> Response:
    """Maps the ticked SKUs at every company."""
    wanted = sorted({(source, sku) for _, source, sku in _picked(pick, 3)})
    by = person(who, request)
    return _edited(request, _UNMAPPED, lambda: skus.assign(ports, wanted, _profile(profile), by, edition))


@router.post(f"{_UNMAPPED}/ignore", dependencies=acts)
def ignore_sku(request: Request, ports: House, who: Admin, pick: Picked) -> Response:
    """Hides what is ticked."""
    what = [(_number(company), source, sku) for company, source, sku in _picked(pick, 3)]
    skus.ignore(ports, what, person(who, request))
    return next_page(request, _UNMAPPED, _told(what, "SKU", "ignored"))


@router.post(f"{_UNMAPPED}/restore", dependencies=acts)
def restore_sku(request: Request, ports: House, who: Admin, pick: Picked) -> Response:
    """Shows again what is ticked."""
    what = [(_number(company), source, sku) for company, source, sku in _picked(pick, 3)]
    skus.restore(ports, what)
    return next_page(request, _UNMAPPED, _told(what, "SKU", "shown again"))


@router.get(_CHANGES)
def changes(request: Request, ports: House, before: Annotated[int | None, Query(gt=0, lt=10**10)] = None) -> Response:
    """Who changed what of the rules."""
    return render(request, "mapping_changes.html", found=rule_history.page(ports, 20, before))


def _has(row: Mapping[str, Any], search: str, *names: str) -> bool:
    """Whether one of these columns holds what is searched for."""
    wanted = search.strip().casefold()
    return any(wanted in str(row[name]).casefold() for name in names)


def _linked(request: Request, ports: Ports, who: Principal, wanted: list[Link]) -> Response:
    return _edited(request, _LINKS, lambda: links.accept(ports, wanted, person(who, request)))


def _edited(request: Request, path: str, work: Callable[[], Edited]) -> Response:
    try:
        return _done(request, path, work())
    except Refused as error:
        return _refused(request, path, error)


def _done(request: Request, path: str, done: Edited) -> Response:
    count = len({each.entry for each in done.what})
    changed = f"{counted(count, 'entry', 'entries')} of the rules {'was' if count == 1 else 'were'} changed."
    return next_page(request, path, changed if count else "Nothing changed.")


def _told(what: Sized, name: str, became: str) -> str:
    return f"{counted(len(what), name)} {'is' if len(what) == 1 else 'are'} {became}." if what else _NOTHING


def _refused(request: Request, path: str, error: Refused) -> Response:
    return next_page(request, path, f"{error.message}. {error.remedy}", "problem")


def _profile(chosen: str) -> str | None:
    """None: do not bill. Raises `Refused` where nothing was chosen: no profile bills because it stands first."""
    if chosen == _NOT_BILLED:
        return None
    if not chosen.startswith(_PROFILE):
        raise Refused("Nothing was changed", remedy="Choose the profile that bills what is ticked, or do not bill.")
    return chosen.removeprefix(_PROFILE)


def _picked(values: list[str], length: int) -> list[list[str]]:
    """What the page gave; 422 for anything else."""
    found = []
    for value in values:
        try:
            parts = json.loads(value)
        except (ValueError, RecursionError):
            parts = None
        if not isinstance(parts, list) or len(parts) != length:
            raise _not_ours()
        if not all(isinstance(each, (str, int)) for each in parts):
            raise _not_ours()
        found.append([str(each) for each in parts])
    return found


def _number(text: str) -> int:
    if not _is_number(text):
        raise _not_ours()
    return int(text)


def _is_number(text: str) -> bool:
    """Manage's record ids have at most ten digits."""
    return text.isdecimal() and len(text) <= 10


def _not_ours() -> HTTPException:
    return HTTPException(422, "this form was not made by this page; load the page again and repeat")
