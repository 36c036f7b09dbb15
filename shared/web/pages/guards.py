"""The page of the guards that hold at every company which says nothing of its own."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from shared.errors import TrueUpError
from shared.sync.guards import guards, save_guards
from shared.web.pages import forms
from shared.web.pages.frame import acts, next_page, render
from shared.web.pages.own_form import FLEET, guard_groups
from shared.web.pages.profiles import Sent
from shared.web.principal import Role
from shared.web.requests import Admin, House, Reader, allows, person

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.READER))])

_PATH = "/console/profiles/guards"
_GROUPS = (*guard_groups(None), FLEET)
_FIELDS = forms.fields_in(_GROUPS)


@router.get(_PATH)
def all_guards(request: Request, ports: House, who: Reader) -> Response:
    """The guards as they stand."""
    told = guards(ports)
    texts = {**forms.texts_of(_FIELDS, told), "edition": str(told["edition"])}
    return _page(request, texts, {}, may_change=who.may(Role.ADMIN))


@router.post(_PATH, dependencies=acts)
def save(request: Request, ports: House, who: Admin, texts: Sent) -> Response:
    """Puts them into the rules; what is wrong is shown at its field, and what was typed stays."""
    try:
        done = save_guards(ports, forms.fields_of(_FIELDS, texts), person(who, request), forms.edition_of(texts))
    except TrueUpError as error:
        return _page(request, texts, forms.problems_of(error), may_change=True)
    return next_page(request, _PATH, "Saved. They hold from the next look on." if done.what else "Nothing had changed.")


def _page(request: Request, texts: Mapping[str, str], problems: forms.Problems, *, may_change: bool) -> Response:
    return render(
        request,
        "guards.html",
        422 if problems else 200,
        groups=_GROUPS,
        texts={**dict.fromkeys([each.place for each in _FIELDS] + ["edition"], ""), **texts},
        problems=problems,
        unplaced=forms.unplaced(_FIELDS, problems),
        may_change=may_change,
    )
