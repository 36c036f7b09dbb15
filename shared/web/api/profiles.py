"""The JSON routes of billing profiles: the list, one, and its worked example. They are saved as edits of the rules."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from shared.billing.planning.example import Scene
from shared.sync.profiles import MOST_UNITS, example, profile_fields, profile_of, profiles
from shared.sync.shapes import mapping as shapes
from shared.web.api.approvals import Asked
from shared.web.principal import Role
from shared.web.requests import House, allows, our_own

router = APIRouter(dependencies=[Depends(allows(Role.READER))])

Units = Annotated[Decimal, Field(ge=0, le=MOST_UNITS, max_digits=12, decimal_places=5)]
Cycle = Literal["Monthly", "Quarterly", "SemiAnnual", "Yearly"]


class AskedScene(Asked):
    """On `day` the count goes from `before` to `after`; `price` is what a unit costs where the profile names none."""

    day: Annotated[date, Field(ge=date(2000, 1, 1), le=date(2099, 12, 31))]
    before: Units
    after: Units
    price: Annotated[Decimal, Field(ge=0, le=10**9, max_digits=15, decimal_places=5)]
    cycle: Cycle = "Monthly"
    invoiced: bool = True

    def scene(self) -> Scene:
        return Scene(self.day, self.before, self.after, self.price, self.cycle, self.invoiced)


class AskedExample(Asked):
    """A profile's fields as in the rules, saved or not, and what happens in the example."""

    profile: Annotated[dict[str, Any], Field(max_length=40)]
    scene: AskedScene


@router.get("/profiles")
def all_profiles(ports: House) -> shapes.Profiles:
    """Every profile in short, with the SKUs that are billed by it."""
    return profiles(ports)


@router.get("/profiles/fields")
def fields(ports: House, id: Annotated[str, Query(min_length=1, max_length=200)]) -> shapes.ProfileFields:
    """The fields of one profile, as they stand in the rules."""
    return {"profile": profile_fields(ports, id)}


@router.post("/profiles/example", dependencies=[Depends(our_own)])
def work_example(ports: House, asked: AskedExample) -> shapes.Example:
    """What a night would say of a change on a day under this profile, and the invoices after it. Nothing is stored."""
    return example(ports, profile_of(asked.profile), asked.scene.scene())
