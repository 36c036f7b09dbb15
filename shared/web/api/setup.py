"""The JSON routes of the first steps: what is connected, and whether it answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from shared.sync import consents, setup
from shared.sync.shapes.setup import FirstSteps, Tested, TestedCustomer
from shared.web.api.companies import Asked, InPath, Name
from shared.web.principal import Role
from shared.web.requests import House, Reader, allows, our_own

router = APIRouter(dependencies=[Depends(allows(Role.READER))])


class LinkedCustomer(Asked):
    source: Name
    customer: Name


@router.get("/setup")
def first_steps(ports: House, who: Reader) -> FirstSteps:
    """What is connected and what is missing, what comes next, consents and checks; settings for administrators."""
    return setup.first_steps(ports, settings=who.may(Role.ADMIN))


@router.post("/setup/{connection}/test", dependencies=[Depends(our_own)])
def test(ports: House, connection: Annotated[str, Path(max_length=100)]) -> Tested:
    """Asks one connection something that only reads; `problems` are sentences that say what to do, none: in order."""
    return setup.tested(ports, connection)


@router.post("/companies/{company}/links/test", dependencies=[Depends(our_own)])
def test_customer(ports: House, number: InPath, asked: LinkedCustomer) -> TestedCustomer:
    """Reads one customer of the company and keeps nothing; `consent` is where it consents, if that is missing."""
    return consents.tested_customer(ports, number, asked.source, asked.customer)
