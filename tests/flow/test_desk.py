"""What a billing clerk looks at: the list of companies, one company whole, who holds a licence, several approvals."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.counts import FailureKind
from shared.billing.findings import FindingKind
from shared.billing.lines import LineKind, stamp_of
from shared.billing.rules import LicenceLink, Mode
from shared.sync.desk.companies import SortBy, Wanted, companies
from shared.sync.desk.company import company
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.house import House
from tests.flow.test_console import ADMIN, BILLER, PLATFORM, READER


@pytest.fixture
def house() -> House:
    """Company 1 waits with an adoption, 2 is in auto and held, 3 is observed, nobody has looked at 4."""
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(8, holders=["Robin Vale"])], [b.addition(11, 5)], mode=Mode.APPROVE)
    house.company(2, [b.count(4)], [b.addition(21, 40)])
    house.company(3, [b.count(9), b.count(3, sku=b.STANDARD, name="Business Standard")], mode=Mode.OBSERVE)
    house.company(4, mode=Mode.OBSERVE)
    for number, agreement in house.manage.agreements_.items():
        house.manage.agreements_[number] = replace(agreement, currency="EUR")
    for number in (1, 2, 3):
        house.sync(number)
    return house


def client(house: House, headers: dict[str, str] = BILLER) -> Browser:
    return Browser(app_for(house.ports, PLATFORM), headers)


def ids(house: House, **wanted) -> list[int]:
    return [row["id"] for row in companies(house.ports, Wanted(**wanted))["companies"]]


# ---- the list


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [1, 2, 3, 4]),
        ({"text": "company 3"}, [3]),
        ({"text": "2"}, [2]),
        ({"mode": Mode.OBSERVE}, [3, 4]),
        ({"outcome": "never"}, [4]),
        ({"outcome": "held"}, [2]),
        ({"finding": FindingKind.UNMAPPED}, [3]),
        ({"waiting": True}, [1, 2]),
        ({"sort": SortBy.NAME, "turned": True}, [4, 3, 2, 1]),
        ({"sort": SortBy.MODE}, [3, 4, 1, 2]),
        ({"sort": SortBy.PLANNED}, [2, 3, 1, 4]),
        ({"sort": SortBy.FINDINGS, "mode": Mode.OBSERVE}, [3, 4]),
        ({"page": 2, "size": 3}, [4]),
    ],
)
def test_companies_are_found_filtered_sorted_and_paged(house, wanted, found):
    assert ids(house, **wanted) == found


def test_amounts_of_several_currencies_are_sorted_by_themselves(house):
    """1,000 yen are less than 75 euros, and nobody compares the two."""
    for number, agreement in house.manage.agreements_.items():
        house.manage.agreements_[number] = replace(agreement, currency="JPY" if number == 1003 else "EUR")
    house.sync(3)
    assert ids(house, sort=SortBy.PLANNED) == [2, 1, 3, 4]
    assert ids(house, sort=SortBy.PLANNED, turned=True) == [1, 2, 3, 4]


def test_the_list_reads_the_rows_of_companies_and_nobodys_state(house):
    house.tables.calls.clear()
    answer = client(house, READER).get("/console/api/companies?sort=planned")
    assert answer.status_code == 200
    assert {table for _, table in house.tables.calls} == {"Companies", "Rules"}
    first = answer.json()["companies"][0]
    assert (first["planned"], first["waiting"]) == ([{"currency": "EUR", "amount": -900.0}], 1)


def test_the_list_says_how_many_there_are_and_what_can_be_asked_for(house):
    told = companies(house.ports, Wanted(text="company", size=3))
    assert (told["found"], told["known"], told["pages"]) == (4, 4, 2)
    assert told["outcomes"] == ["held", "never", "planned"]
    assert "unmapped" in told["findings"]


# ---- one company


def test_a_company_shows_what_it_has_how_that_is_billed_and_by_whom(house):
    told = company(house.ports, 1)
    (licence,) = told["licences"]
    assert (licence["name"], licence["purchased"], licence["assigned"], licence["unused"]) == (
        "Business Premium",
        8,
        8,
        0,
    )
    (billed,) = licence["billed"]
    assert (licence["state"], billed["profile"]["id"], billed["by"], billed["quantity"]) == (
        "billed",
        "premium",
        "policy",
        8,
    )
    assert (billed["agreement"]["id"], billed["currency"], billed["stands"]) == (1001, "EUR", None)


def test_seats_that_nobody_holds_are_unused(house):
    house.count(3, b.count(9, assigned=7, customer="tenant-3"))
    house.sync(3)
    (licence,) = company(house.ports, 3)["licences"]
    assert licence["unused"] == 2


def test_what_no_policy_mentions_is_unmapped_and_what_is_not_to_be_billed_says_so(house):
    states = {one["name"]: one["state"] for one in company(house.ports, 3)["licences"]}
    assert states == {"Business Premium": "billed", "Business Standard": "unmapped"}
    never = LicenceLink(b.SOURCE, b.STANDARD, do_not_bill=True)
    later = LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill_until=date(2027, 3, 1))
    rules = house.ports.companies.company_rules(3)
    house.ports.companies.put_rules(replace(rules, licences=(never, later)))
    house.sync(3)
    told = {one["name"]: one for one in company(house.ports, 3)["licences"]}
    assert told["Business Standard"]["state"] == "not-billed"
    assert told["Business Standard"]["billed"][0]["link"]["do_not_bill"]
    assert told["Business Premium"]["billed"][0]["not_before"] == "2027-03-01"


def test_an_agreement_is_shown_before_and_after_the_plan_with_its_next_invoice(house):
    (agreement,) = company(house.ports, 1)["agreements"]
    (line,) = agreement["lines"]
    assert (line["before"]["quantity"], line["after"]["quantity"], line["change"]) == (5, 8, "changed")
    invoice = agreement["invoice"]
    assert (invoice["from"], invoice["before"], invoice["after"]) == ("2026-12-01", 125.0, 200.0)
    assert agreement["currency"] == "EUR"


def test_what_was_rejected_is_left_out_of_the_agreement_after_the_plan(house):
    body = {"company": 1, "groups": [group.hash for group in house.state(1).plan.groups]}
    client(house).post("/console/api/reject", json=body)
    (agreement,) = company(house.ports, 1)["agreements"]
    assert agreement["invoice"]["after"] == agreement["invoice"]["before"] == 125.0


def test_an_agreement_whose_calendar_is_not_supported_says_why_it_has_no_forecast(house):
    house.manage.agreements_[1003] = replace(house.manage.agreements_[1003], billing_cycle="Weekly")
    house.sync(3)
    (agreement,) = company(house.ports, 3)["agreements"]
    assert agreement["invoice"]["reason"] == "it is billed Weekly"


def test_an_item_of_which_nothing_is_told_any_more_is_shown_while_its_line_stands(house):
    key = replace(b.key(on=1004), company=4)
    stamp = stamp_of(key, 88, date(2025, 1, 1), LineKind.STANDING)
    house.manage.lines[41] = b.addition(41, 5, on=1004, serial_number=stamp)
    house.sync(4)
    told = company(house.ports, 4)
    assert told["licences"] == []
    assert [(one["stands"], one["quantity"]) for one in told["items"]] == [(5, 0)]


def test_a_finding_about_lines_of_others_names_those_that_a_choice_can_be_about(house):
    house.company(5, [b.count(4)], [b.addition(51, 3), b.addition(52, 2)])
    house.sync(5)
    (finding,) = company(house.ports, 5)["findings"]
    assert (finding["kind"], [line["addition"] for line in finding["lines"]]) == ("candidates", [51, 52])
    assert finding["choices"] == ["adopt", "end-other", "create-anyway"]
    body = {"company": 5, "choice": "adopt", "bill_item": finding["key"], "additions": [52]}
    assert client(house).post("/console/api/choices", json=body).status_code == 200
    assert house.manage.lines[52].quantity == Decimal(4)


def test_a_stray_names_itself(house):
    house.manage.lines[19] = b.addition(19, 5, on=1001, serial_number="TU1-S-250101-" + "a" * 26)
    house.sync(1)
    strays = [finding for finding in company(house.ports, 1)["findings"] if finding["kind"] == "stray"]
    assert [[line["addition"] for line in finding["lines"]] for finding in strays] == [[19]]


def test_a_link_says_when_it_was_read_and_why_it_could_not_be(house):
    assert company(house.ports, 1)["links"][0]["day"] == "2026-11-21"
    house.source.failing["tenant-1"] = FailureKind.READ_FAILED
    house.sync(1)
    (link,) = company(house.ports, 1)["links"]
    assert (link["day"], link["failure"]) == ("2026-11-21", "It did not answer.")


# ---- users, and looking now


def test_who_holds_a_licence_is_asked_now_and_told_to_those_who_decide_only(house):
    path = f"/console/api/companies/1/users?source={b.SOURCE}&customer=TENANT-1&sku={b.PREMIUM.upper()}"
    told = client(house).get(path)
    assert [user["name"] for user in told.json()["users"]] == ["Robin Vale"]
    assert client(house, READER).get(path).status_code == 403
    assert "Robin" not in client(house, READER).get("/console/api/companies/1").text


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"customer": "tenant-2"}, 404),
        ({"sku": b.STANDARD}, 404),
        ({"source": "nobody"}, 404),
        ({}, 502),
    ],
)
def test_who_holds_what_is_not_there_or_cannot_be_read_says_so(house, asked, status):
    if status == 502:
        house.source.failing["tenant-1"] = FailureKind.READ_FAILED
    query = {"source": b.SOURCE, "customer": "tenant-1", "sku": b.PREMIUM, **asked}
    answer = client(house).get("/console/api/companies/1/users", params=query)
    assert (answer.status_code, bool(answer.json()["remedy"])) == (status, True)


def test_a_company_is_looked_at_now_in_its_own_mode(house):
    house.count(3, b.count(12, customer="tenant-3"))
    answer = client(house).post("/console/api/companies/3/sync", json={})
    assert (answer.json()["outcome"], answer.json()["written"]) == ("planned", {})
    assert client(house, READER).post("/console/api/companies/3/sync", json={}).status_code == 403
    assert client(house).post("/console/api/companies/9/sync", json={}).status_code == 404


# ---- several at once


def test_groups_of_several_companies_are_approved_by_one_run(house):
    chosen = [{"company": n, "groups": [group.hash for group in house.state(n).plan.groups]} for n in (1, 2)]
    answer = client(house).post("/console/api/approve", json={"chosen": chosen})
    assert answer.status_code == 202
    house.work_until_done(answer.json()["run"])
    assert (house.manage.lines[11].quantity, house.manage.lines[21].quantity) == (8, 4)
    observed = client(house).post("/console/api/approve", json={"chosen": [{**chosen[0], "company": 3}]})
    assert observed.status_code == 400


# ---- how it is billed


def billing(house: House, headers: dict[str, str] = BILLER, company: int = 2, **asked):
    body = {"source": b.SOURCE, "sku": b.PREMIUM, **asked}
    return client(house, headers).post(f"/console/api/companies/{company}/billing", json=body)


def last_note(house: House, company: int) -> tuple[str, str]:
    entries = house.ports.company_state.history(company, 50)
    return next((entry.note, entry.actor) for entry in entries if entry.note)


def test_what_is_not_to_be_billed_ends_and_is_billed_again_when_a_person_says_so(house):
    house.sync(3)
    assert billing(house, company=3, bill=False).json()["sync"]["outcome"] == "unchanged"
    assert last_note(house, 3) == (f"{b.SOURCE}/{b.PREMIUM} is not billed", "pat@birchline.example")
    assert house.state(3).licences == (LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),)
    assert billing(house, company=3, bill=True).json()["sync"]["planned"] == {"created": 1}
    assert house.state(3).licences == ()


def test_billing_begins_on_the_day_that_a_person_names_and_keeps_the_companys_price(house):
    rules = house.ports.companies.company_rules(2)
    own = LicenceLink(b.SOURCE, b.PREMIUM, price=Decimal("19.50"))
    house.ports.companies.put_rules(replace(rules, licences=(own,)))
    billing(house, bill=False, until="2027-03-01")
    assert house.state(2).licences == (replace(own, do_not_bill_until=date(2027, 3, 1)),)
    billing(house, bill=True)
    assert house.state(2).licences == (own,)


def test_what_was_saved_holds_though_another_worker_is_at_the_company(house):
    house.ports.companies.take_lease(2, "another", 300, house.clock.now())
    assert billing(house, bill=False).json() == {"sync": None}
    assert house.state(2).licences == (LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),)


def test_a_biller_says_what_is_billed_and_only_an_admin_changes_the_mode(house):
    assert billing(house, READER, bill=False).status_code == 403
    path = "/console/api/companies/3/mode"
    assert client(house, BILLER).post(path, json={"mode": "approve"}).status_code == 403
    assert client(house, ADMIN).post(path, json={"mode": "approve"}).json() == {"mode": "approve"}
    row = house.ports.companies.get(3)
    assert row is not None
    assert row.mode is Mode.APPROVE
    assert last_note(house, 3)[0] == "mode approve"
    assert client(house, ADMIN).post("/console/api/companies/9/mode", json={"mode": "auto"}).status_code == 404


def test_no_choice_is_offered_where_there_is_no_line_to_choose(house):
    house.company(6, [], [b.addition(61, 3)])
    house.sync(6)
    (finding,) = company(house.ports, 6)["findings"]
    assert (finding["kind"], finding["choices"], finding["lines"]) == ("candidates", [], [])


def test_a_line_that_is_only_taken_over_stays_as_it_is(house):
    house.count(1, b.count(5, customer="tenant-1"))
    house.sync(1)
    (agreement,) = company(house.ports, 1)["agreements"]
    assert [line["change"] for line in agreement["lines"]] == ["adopted"]
