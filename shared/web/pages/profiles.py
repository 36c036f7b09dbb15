"""The pages of billing profiles: the list, and one in a form with its worked example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError

from shared.errors import TrueUpError
from shared.sync.ports import Ports
from shared.sync.profiles import (
    FieldsProblem,
    agreement_types,
    example,
    ordinary_scene,
    profile_fields,
    profile_of,
    profiles,
    proposed_fields,
    save_profile,
)
from shared.sync.shapes.mapping import Example
from shared.web.api.profiles import AskedScene
from shared.web.pages.forms import edition_of, problems_of, unplaced
from shared.web.pages.frame import acts, next_page, render
from shared.web.pages.profile_form import FIELDS, GROUPS, WORDS, fields_of, texts_of, with_types
from shared.web.principal import Role
from shared.web.requests import Admin, House, Reader, allows, person

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.READER))])

_PATH = "/console/profiles"
#: A new profile, where the form begins.
_NEW: dict[str, Any] = {
    "quantity": {"basis": "purchased", "include_grace": True},
    "price": {"kind": "product", "per": "cycle"},
    "proration": {"rule": "computed", "start_day": "excluded", "first_sync": "next-period", "decrease": "keep"},
    "bill_option": "Billable",
    "drift": "ask",
}
_SCENE = {
    "day": "must be a date such as 2026-11-10",
    "before": "must be a number of units from 0 to 5000",
    "after": "must be a number of units from 0 to 5000",
    "price": "must be a price such as 25.00",
    "cycle": "must be one of the cycles",
}
#: Everything that the form holds.
_TYPED = (*(field.place for field in FIELDS), *(f"scene.{name}" for name in (*_SCENE, "invoiced")))
#: What else it holds: the rules and the profile that it was made from, and the SKU that it was made for.
_HELD = ("edition", "known", "source", "sku", "bill")
_CYCLES = (("Monthly", "monthly"), ("Quarterly", "quarterly"), ("SemiAnnual", "half-yearly"), ("Yearly", "yearly"))


async def sent(request: Request) -> dict[str, str]:
    """The texts of a form; what was ticked or typed several times under one name is a line each."""
    found: dict[str, str] = {}
    for name, value in (await request.form()).multi_items():
        if isinstance(value, str):
            found[name] = f"{found[name]}\n{value}" if name in found else value
    return found


Text = Annotated[str, Query(max_length=200)]
Sent = Annotated[dict[str, str], Depends(sent)]


@router.get(_PATH)
def every_profile(request: Request, ports: House, who: Reader) -> Response:
    """Every profile in short."""
    told, may_change = profiles(ports), who.may(Role.ADMIN)
    return render(request, "profiles.html", **told, words=WORDS, may_change=may_change)


@router.get(_PATH + "/edit")
def one_profile(
    request: Request, ports: House, who: Reader, id: Text = "", source: Text = "", sku: Text = "", product: Text = ""
) -> Response:
    """One profile in its form with its example; or a new one, for a SKU and by a product where these are named."""
    edition = profiles(ports)["edition"]
    fields = profile_fields(ports, id) if id else {**_NEW, "product": product}
    if source and sku and not id and who.may(Role.ADMIN):
        fields = proposed_fields(ports, _NEW, source, sku, product)
    scene = ordinary_scene(ports)
    texts = {
        **texts_of(fields),
        "scene.day": scene.day.isoformat(),
        "scene.before": str(scene.before),
        "scene.after": str(scene.after),
        "scene.price": str(scene.price),
        "scene.cycle": scene.cycle,
        "scene.invoiced": "true",
        "edition": str(edition),
        "known": id,
    }
    if source and sku and not id:
        texts |= {"source": source, "sku": sku, "bill": "true"}
    return _form(request, ports, who.may(Role.ADMIN), texts, {} if id else None)


@router.post(_PATH + "/example", dependencies=acts)
def try_profile(request: Request, ports: House, who: Reader, texts: Sent) -> Response:
    """The example of the profile as it stands in the form. Nothing is stored, so the page is the answer."""
    return _form(request, ports, who.may(Role.ADMIN), texts, {})


@router.post(_PATH + "/save", dependencies=acts)
def save(request: Request, ports: House, who: Admin, texts: Sent) -> Response:
    """Puts the profile into the rules; what is wrong is shown at its field, and what was typed stays."""
    try:
        done = _save(ports, texts, person(who, request))
    except TrueUpError as error:
        return _form(request, ports, True, texts, problems_of(error))
    told = "Saved. The next look at each company bills by it." if done else "Nothing had changed."
    return next_page(request, f"{_PATH}/edit?id={quote(texts.get('id', '').strip(), safe='')}", told)


def _save(ports: Ports, texts: Mapping[str, str], by: Any) -> bool:
    """Whether anything changed. Raises `Refused` with what to do where the form cannot be saved."""
    edition = edition_of(texts)
    known, wanted = texts.get("known", ""), texts.get("id", "").strip()
    if known != wanted and any(each["id"] == wanted for each in profiles(ports)["profiles"]):
        raise FieldsProblem({"id": ["is the short name of another profile already; choose another one"]})
    if known and known != wanted:
        raise FieldsProblem({"id": [f"cannot be changed: lines and policies know the profile as {known}"]})
    sku = (texts.get("source", ""), texts.get("sku", ""))
    wanted_sku = sku if texts.get("bill") == "true" and all(sku) else None
    return bool(save_profile(ports, fields_of(texts), by, edition, wanted_sku).what)


def _form(
    request: Request, ports: Ports, may_change: bool, texts: Mapping[str, str], problems: Mapping[str, list[str]] | None
) -> Response:
    """The form as typed. `problems` by field; None for a form that nobody has filled in yet."""
    found: dict[str, list[str]] = dict(problems or {})
    shown = None
    if problems is not None:
        shown, more = _worked(ports, texts)
        found = {**more, **found}
    return render(
        request,
        "profile.html",
        422 if found else 200,
        groups=with_types(agreement_types(ports)) if may_change else GROUPS,
        texts={**dict.fromkeys((*_TYPED, *_HELD), ""), **texts},
        problems=found,
        unplaced=unplaced(FIELDS, {place: told for place, told in found.items() if not place.startswith("scene.")}),
        cycles=_CYCLES,
        example=shown,
        may_change=may_change,
    )


def _worked(ports: Ports, texts: Mapping[str, str]) -> tuple[Example | None, dict[str, list[str]]]:
    """The example, or what is wrong with the fields that it is worked from."""
    problems: dict[str, list[str]] = {}
    scene = None
    try:
        values = {name: texts.get(f"scene.{name}", "") for name in _SCENE}
        scene = AskedScene.model_validate({**values, "invoiced": texts.get("scene.invoiced") == "true"}).scene()
    except ValidationError as error:
        problems = {f"scene.{details['loc'][0]}": [_SCENE[str(details["loc"][0])]] for details in error.errors()}
    try:
        profile = profile_of(fields_of(texts))
    except FieldsProblem as problem:
        return None, {**problem.fields, **problems}
    return (example(ports, profile, scene) if scene is not None else None), problems
