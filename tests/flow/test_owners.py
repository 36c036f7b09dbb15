"""Subscribers of owners: each is told of the companies that are its own in Manage, as Manage says now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.billing.agreements import Company
from shared.billing.subscribers import Frequency
from shared.errors import Retryable
from shared.state.company_state import MSP
from tests import builders as b
from tests.fakes.notices import CLERK, NoticeHouse

REYES = ("MReyes", "Mara Reyes", "North")
OWN = replace(CLERK, owners=("mreyes",), frequency=Frequency.AT_ONCE)


def in_manage(house: NoticeHouse, **owners: tuple[str, ...]) -> None:
    house.manage.companies_ = [
        Company(int(key.removeprefix("c")), key, f"Company {key}", owners=names) for key, names in owners.items()
    ]


@pytest.fixture
def house() -> NoticeHouse:
    """Two companies with something unmapped, the first of Mara Reyes."""
    house = NoticeHouse(OWN)
    in_manage(house, c250=REYES, c251=("JBlum",))
    for company in (250, 251):
        house.company(company, [b.count(12, sku="unknown-sku", name="Visio")])
        house.sync(company)
    return house


def told(house: NoticeHouse) -> list[int]:
    text = "".join(message.text for message in house.mail.taken)
    return [company for company in (250, 251) if f"Company {company}" in text]


@pytest.mark.parametrize("owner", ["mreyes", "Mara  Reyes", "NORTH"])
def test_it_is_told_of_the_companies_with_that_manager_or_territory_only(house, owner):
    house.told_by(replace(OWN, owners=(owner,)))
    house.tell()

    assert told(house) == [250]


def test_named_companies_are_told_beside_those_of_the_owner(house):
    house.told_by(replace(OWN, owners=("jblum",), companies=(250,)))
    house.tell()

    assert told(house) == [250, 251]


def test_a_company_that_changes_hands_is_told_to_the_new_owner(house):
    house.tell()
    in_manage(house, c250=REYES, c251=REYES)
    house.clock.pass_by(hours=1)
    house.sync(251)
    house.tell()

    assert told(house) == [250, 251]


def test_an_owner_whom_manage_does_not_know_is_a_finding_and_never_stands_for_everybody(house):
    house.told_by(replace(OWN, owners=("nobody",)))
    house.tell()

    assert told(house) == []
    (key,) = house.ports.company_state.load(MSP).findings
    assert key == ("settings", "owner/clerk/nobody")

    house.told_by(OWN)
    house.tell()
    assert house.ports.company_state.load(MSP).findings == {}


def test_what_was_told_of_an_owner_closes_once_no_subscriber_names_owners(house):
    house.told_by(replace(OWN, owners=("nobody",)))
    house.tell()
    house.told_by(CLERK)
    house.tell()

    assert house.ports.company_state.load(MSP).findings == {}


def test_while_manage_cannot_be_asked_nothing_is_told_and_nothing_is_missed(house):
    def away(when: str, method: str) -> None:
        raise Retryable("no connection could be made", system="ConnectWise Manage")

    house.manage.fault = away
    house.tell()
    assert told(house) == []

    house.manage.fault = lambda when, method: None
    house.tell()
    assert told(house) == [250]


def test_manage_is_asked_once_an_hour_and_not_at_all_without_owners(house):
    before = house.manage.calls["companies"]
    for _ in range(24):
        house.tell()
        house.clock.pass_by(minutes=5)
    assert house.manage.calls["companies"] - before == 1 + 2

    house.told_by(CLERK)
    for _ in range(24):
        house.tell()
        house.clock.pass_by(minutes=5)
    assert house.manage.calls["companies"] - before == 1 + 2
