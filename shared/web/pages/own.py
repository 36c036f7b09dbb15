"""A company's own choices in forms: one licence, what is billed already, adoption, its guards, and its erasure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import Response

from shared.errors import Refused, TrueUpError
from shared.sync.approvals import Person
from shared.sync.desk.billing import Sold
from shared.sync.desk.own import Chosen, drop_choice, own_choice, own_rules, save_choice, save_own
from shared.sync.erasing import Customer, erase
from shared.sync.ports import Ports
from shared.sync.shapes.own import OwnChoice, OwnRules
from shared.web.api.companies import InPath
from shared.web.pages import forms, words
from shared.web.pages.acting import NotDone, acted
from shared.web.pages.forms import FormField, Group
from shared.web.pages.frame import acts, render
from shared.web.pages.own_form import guard_groups, licence_groups
from shared.web.pages.profiles import Sent
from shared.web.principal import Role
from shared.web.requests import Admin, Biller, House, Reader, allows, person

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.READER))])

_PATH = "/console/companies"
Text = Annotated[str, Query(max_length=200)]


@router.get(_PATH + "/{company}/licence")
def one_licence(
    request: Request,
    ports: House,
    who: Biller,
    number: InPath,
    source: Text,
    sku: Text,
    customer: Text = "",
    part: Text = "",
    new: bool = False,
) -> Response:
    """How a SKU is billed to the company, in a form; with `new` a further line for part of it."""
    sold = Sold(source, sku, customer or None, part or None)
    told = own_choice(ports, number, sold)
    is_new = new or not told["standing"]
    form = forms.fields_in(licence_groups(told, new=is_new))
    texts = forms.texts_of(form, {} if new else told["fields"])
    held = {"source": source, "sku": sku, "customer": customer, "part": part, "edition": str(told["edition"])}
    return _licence(request, told, {**held, **texts, "known": "" if is_new else "true"}, {})


@router.post(_PATH + "/{company}/licence", dependencies=acts)
def save_licence(request: Request, ports: House, who: Biller, number: InPath, texts: Sent) -> Response:
    """Saves the choices; what is wrong is shown at its field, and what was typed stays."""
    sold, by = _sold(texts), person(who, request)
    told = own_choice(ports, number, sold)
    is_new = texts.get("known") != "true"
    form = [each for each in forms.fields_in(licence_groups(told, new=is_new)) if each.place not in sold.key]
    try:
        edition = forms.edition_of(texts)
        if is_new and told["standing"] and edition == told["edition"]:
            raise Refused("There is a line with this short name already.", remedy="Choose another one, or change that.")
        done = save_choice(ports, number, sold, forms.fields_of(form, texts), by, edition)
    except TrueUpError as error:
        return _licence(request, told, texts, forms.problems_of(error))
    return _saved(request, number, done)


@router.post(_PATH + "/{company}/licence/drop", dependencies=acts)
def drop_licence(request: Request, ports: House, who: Biller, number: InPath, texts: Sent) -> Response:
    """Takes the company's own choices for a SKU back."""
    sold, by = _sold(texts), person(who, request)
    return acted(request, _of(number), lambda: _told(drop_choice(ports, number, sold, by, forms.edition_of(texts))))


@router.get(_PATH + "/{company}/rules")
def rules_of_company(request: Request, ports: House, who: Reader, number: InPath) -> Response:
    """What is billed already, adoption and guards of one company."""
    told = own_rules(ports, number)
    return _rules(request, told, _standing(told), {}, who.may(Role.BILLER), who.may(Role.ADMIN))


@router.post(_PATH + "/{company}/rules", dependencies=acts)
def save_rules(request: Request, ports: House, who: Biller, number: InPath, texts: Sent) -> Response:
    """Saves what is billed already, and whether marked lines are adopted."""
    days = [(name.partition(".")[2], day.strip()) for name, day in texts.items() if name.startswith("billed_through.")]
    fields = {
        "adopt_marked": texts.get("adopt_marked") == "true",
        "billed_through": [{"agreement": agreement, "day": day} for agreement, day in days if day],
    }
    return _save(request, ports, number, who.may(Role.ADMIN), texts, fields, person(who, request))


@router.post(_PATH + "/{company}/guards", dependencies=acts)
def save_guards(request: Request, ports: House, who: Admin, number: InPath, texts: Sent) -> Response:
    """Saves the guards that differ from the MSP's."""
    form = forms.fields_in(guard_groups(own_rules(ports, number)["msp_guards"]))
    given = forms.fields_of(form, texts)
    return _save(request, ports, number, True, texts, {"guards": given.get("guards")}, person(who, request))


@router.post(_PATH + "/{company}/erase", dependencies=acts)
def erase_company(request: Request, ports: House, who: Admin, number: InPath, texts: Sent) -> Response:
    """Erases a company that is not linked any more, for good. Its own page says what stays of it, or why it is not."""

    def erased() -> str:
        if texts.get("sure") != "true":
            raise NotDone("Nothing was erased: tick that the company is to be erased for good, and send it again.")
        return _without(erase(ports, number, person(who, request)))

    return acted(request, _of(number), erased)


def _save(
    request: Request,
    ports: Ports,
    number: int,
    is_admin: bool,
    texts: Mapping[str, str],
    fields: Mapping[str, Any],
    by: Person,
) -> Response:
    try:
        done = save_own(ports, number, fields, by, forms.edition_of(texts))
    except TrueUpError as error:
        told = own_rules(ports, number)
        problems = _at_agreements(forms.problems_of(error), fields.get("billed_through") or [])
        unticked = {"adopt_marked": ""} if "adopt_marked" in fields else {}
        return _rules(request, told, {**_standing(told), **unticked, **texts}, problems, True, is_admin)
    return _saved(request, number, done)


def _standing(told: OwnRules) -> dict[str, str]:
    """What stands in both forms of the page before anybody types: one that is not sent goes on to show the rules."""
    return {
        **forms.texts_of(forms.fields_in(guard_groups(told["msp_guards"])), {"guards": told["guards"]}),
        **{_place(each["id"]): each["day"] or "" for each in told["agreements"]},
        "adopt_marked": "true" if told["adopt_marked"] else "",
        "edition": str(told["edition"]),
    }


def _at_agreements(problems: forms.Problems, days: list[Mapping[str, str]]) -> dict[str, list[str]]:
    """What is wrong with the n-th of the days stands at its agreement."""
    places = {f"billed_through.{at}.day": _place(each["agreement"]) for at, each in enumerate(days)}
    return {places.get(place, place): told for place, told in problems.items()}


def _licence(
    request: Request, told: OwnChoice, texts: Mapping[str, str], problems: Mapping[str, list[str]]
) -> Response:
    groups = licence_groups(told, new=texts.get("known") != "true")
    form = forms.fields_in(groups)
    return render(
        request,
        "licence.html",
        422 if problems else 200,
        told=told,
        groups=groups,
        texts={**dict.fromkeys([each.place for each in form] + ["customer", "part", "edition", "known"], ""), **texts},
        problems=problems,
        unplaced=forms.unplaced(form, problems),
    )


def _rules(
    request: Request,
    told: OwnRules,
    texts: Mapping[str, str],
    problems: Mapping[str, list[str]],
    may_decide: bool,
    is_admin: bool,
) -> Response:
    days = Group("Billed already", tuple(_day(each) for each in told["agreements"]))
    guards = guard_groups(told["msp_guards"], told["guards"])
    form = forms.fields_in([days, *guards])
    return render(
        request,
        "own_rules.html",
        422 if problems else 200,
        told=told,
        days=days,
        guards=guards,
        texts={**dict.fromkeys([each.place for each in form] + ["adopt_marked", "edition"], ""), **texts},
        problems=problems,
        unplaced=forms.unplaced(form, problems),
        may_decide=may_decide,
        may_guard=is_admin,
        may_erase=is_admin,
    )


def _day(agreement: Mapping[str, Any]) -> FormField:
    read = words.read_through(agreement["read"])
    help_ = f"The last day that is invoiced. Empty: {read}."
    own = agreement["day"] is not None
    return FormField(_place(agreement["id"]), f"{agreement['name']} ({agreement['id']})", help_, "day", own=own)


def _place(agreement: int | str) -> str:
    return f"billed_through.{agreement}"


def _saved(request: Request, number: int, done: Chosen) -> Response:
    return acted(request, _of(number), lambda: _told(done))


def _told(done: Chosen) -> str:
    if not done.what:
        return "Nothing had changed."
    try:
        return f"Saved. {words.looked_at(done.synced)}"
    except NotDone as why:
        raise NotDone(f"Saved. {why}") from None


def _without(customers: tuple[Customer, ...]) -> str:
    of_whom = ", ".join(f"{customer} at {source}" for source, customer in customers) or "the company"
    return f"Erased: nothing is known any more of {of_whom}. Which lines were written stays while history is kept."


def _sold(texts: Mapping[str, str]) -> Sold:
    given = {name: texts.get(name, "").strip() for name in ("source", "sku", "customer", "part")}
    if not given["source"] or not given["sku"]:
        raise HTTPException(422, "this form was not made by this page; load the page again and repeat")
    return Sold(given["source"], given["sku"], given["customer"] or None, given["part"] or None)


def _of(number: int) -> str:
    return f"{_PATH}/{number}"
