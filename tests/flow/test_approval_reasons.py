"""Approvals by reason, as they were seen; many groups come in pages, and one unreadable company spoils no page."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from shared.billing.limits import Guards, ReductionLimit
from shared.billing.planning.plan import Guard
from shared.billing.rules import Mode
from shared.state.company_state import MSP, Put, StateKind
from shared.state.rows import Row
from shared.sync import inbox
from shared.web.pages import words
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Answer, Browser
from tests.fakes.house import House
from tests.flow.test_console import BILLER, PLATFORM

D = Decimal
APPROVALS, WAITING = "/console/approvals", "/console/api/waiting"


@pytest.fixture
def house() -> House:
    """Two free adoptions, an increase, and two reductions of which different guards hold one each."""
    house = House()
    house.rules(b.rules(guards=Guards(reduction=ReductionLimit(D(50), D(3), D(1000), D(100)))))
    for company, counted, stands in ((1, 8, 5), (2, 9, 5), (3, 2, 10), (4, 14, 20)):
        house.company(company, [b.count(counted)], [b.addition(company * 10, stands)], mode=Mode.APPROVE)
        house.sync(company)
    house.company(5, [b.count(4)], mode=Mode.APPROVE)
    house.sync(5)
    return house


def visitor(house: House) -> Browser:
    browser = Browser(app_for(house.ports, PLATFORM), BILLER)
    assert browser.get(APPROVALS).status_code == 200
    return browser


def reasons(browser: Browser) -> dict[tuple[str, str | None], dict]:
    return {(each["kind"], each["guard"]): each for each in browser.get(WAITING).json()["reasons"]}


def approve(browser: Browser, reason: dict, **fields: object) -> Answer:
    """As the button beside a reason does."""
    asked = {"kind": reason["kind"], "held": str(reason["held"]).lower(), "guard": reason["guard"] or ""}
    form = {**asked, "seen": reason["seen"], **fields}
    return browser.follow(browser.send_form(f"{APPROVALS}/kind", form))


def written_by(house: House, page: Answer) -> set[int]:
    """The companies of the run that a page names, which is worked here."""
    run = re.search(r"Run (\S+) writes it", page.words)
    assert run is not None, page.words
    house.work_until_done(run[1])
    return {row.company for row in house.ports.runs.rows(run[1]) if row.report is not None and row.report.written}


def test_each_reason_tells_its_guard_how_much_waits_and_the_money(house):
    browser = visitor(house)
    told = reasons(browser)
    assert {reason: (each["groups"], each["sums"][0]["monthly"]) for reason, each in told.items()} == {
        ("adoption", "percent"): (1, -200.0),
        ("adoption", "money"): (1, -150.0),
        ("adoption", None): (2, 175.0),
        ("increase", None): (1, 100.0),
    }
    page = browser.get(APPROVALS).words
    assert "Adoptions that a guard holds: too large a share less 1 1 −200.00" in page
    assert "Adoptions that a guard holds: too much money less 1 1 −150.00" in page
    assert "Adoptions 2 2 +175.00" in page
    assert "it takes 150.00 from each invoice, more than 100.00" in page


def test_one_reason_is_approved_alone(house):
    browser = visitor(house)
    assert written_by(house, approve(browser, reasons(browser)["adoption", "money"])) == {4}
    assert set(reasons(browser)) == {("adoption", "percent"), ("adoption", None), ("increase", None)}


def test_all_that_no_guard_holds_is_approved_with_one_button(house):
    browser = visitor(house)
    page = browser.get(APPROVALS)
    assert "Approve all 3 that no guard holds" in page.words
    (seen,) = re.findall(r'name="kind" value="all">.*?name="seen" value="([0-9a-f]+)"', page.text, re.DOTALL)
    done = browser.follow(browser.send_form(f"{APPROVALS}/kind", {"kind": "all", "held": "false", "seen": seen}))
    assert written_by(house, done) == {1, 2, 5}
    assert {guard for _, guard in reasons(browser)} == {"percent", "money"}


def test_what_nobody_has_seen_is_not_approved_with_the_rest(house):
    browser = visitor(house)
    shown = reasons(browser)["adoption", None]
    house.company(6, [b.count(30)], [b.addition(60, 25)], mode=Mode.APPROVE)
    house.sync(6)
    page = approve(browser, shown)
    assert "Not done. What waits is not what was shown any more. Look at what waits now" in page.words
    body = {"companies": "all", "kind": "adoption", "held": False, "seen": shown["seen"]}
    assert browser.post("/console/api/approve", json=body).status_code == 400
    assert house.manage.writes == 0
    assert written_by(house, approve(browser, reasons(browser)["adoption", None])) == {1, 2, 6}


def test_programs_approve_by_guard_too(house):
    browser = visitor(house)
    body = {"companies": "all", "kind": "all", "guard": "percent"}
    house.work_until_done(browser.post("/console/api/approve", json=body).json()["run"])
    assert house.manage.lines[30].quantity == 2
    assert house.manage.writes == 1


def test_what_nobody_can_approve_is_offered_to_nobody_for_approval(house):
    """A group that would break what must hold of every result: it is a fault of the program."""
    state = house.state(1)
    broken = replace(state.plan.groups[0], held="it would bill twice", guard=Guard.UNSOUND, unsound=True)
    house.ports.company_state.commit(1, [Put(StateKind.PLAN, "", replace(state.plan, groups=(broken,)))])
    page = visitor(house).get(APPROVALS).words
    assert "Adoptions that a guard holds: a fault of TrueUp, which nobody can approve 1 1 +75.00" in page
    assert page.count("Approve ticked") == page.count("Reject ticked") - 1
    alone = visitor(house).get("/console/companies/1").text
    assert 'value="approve"' not in alone
    assert 'value="reject"' in alone


def test_every_guard_has_words():
    assert set(words.GUARDS) == {guard.value for guard in Guard}


def test_of_many_groups_a_page_shows_a_hundred_and_leads_to_the_others(house):
    for company in range(100, 310):
        house.company(company, [b.count(8)], [b.addition(company * 10, 5)], mode=Mode.APPROVE)
        house.sync(company)
    browser = visitor(house)
    first, last = browser.get(APPROVALS), browser.get(f"{APPROVALS}?page=3")
    assert (first.text.count('name="chosen"'), last.text.count('name="chosen"')) == (100, 15)
    assert "98 of 212 that wait" in first.words
    assert "Page 1 of 3" in first.words
    assert "Approve all 212" in first.words
    assert 'href="?page=3#s4"' in first.text
    assert browser.get(f"{APPROVALS}?page=99").text == last.text
    (box,) = re.findall(r'name="chosen" value="(\d+:\w+)" aria-label="Company 5:', last.text)
    answer = browser.send_form(f"{APPROVALS}/decide", {"verdict": "reject", "chosen": box, "page": "3"})
    assert answer.headers["location"] == f"{APPROVALS}?page=3"


def test_a_company_that_cannot_be_read_is_named_and_the_others_are_shown_and_approved(house):
    plan = next(row for row in house.tables.query("CompanyState", "2") if row.row.startswith("plan"))
    house.tables.replace("CompanyState", Row(plan.partition, plan.row, {}, plan.etag), {"schema": 99, "json": "{}"})
    browser = visitor(house)
    page = browser.get(APPROVALS)
    assert page.status_code == 200
    assert "Company 2 : state: a plan was written by a newer TrueUp" in page.words
    assert "Deploy the newer TrueUp again" in page.words
    assert "Company 1" in page.words
    (unreadable,) = browser.get("/console/api/waiting").json()["unreadable"]
    assert (unreadable["company"], unreadable["name"]) == (2, "Company 2")
    assert written_by(house, approve(browser, reasons(browser)["adoption", None])) == {1}


def test_each_company_is_read_once_for_the_page(house):
    house.company(6, [b.count(4)], [b.addition(61, 3), b.addition(62, 2)], mode=Mode.APPROVE)
    house.sync(6)
    house.ports.companies.take_lease(6, "somebody", 300, house.clock.now())
    reads = []
    load = house.ports.company_state.load
    house.ports.company_state.load = lambda company: (reads.append(company), load(company))[1]  # type: ignore[method-assign]
    told = inbox.whole(house.ports)
    assert [question["company"] for question in told["questions"]] == [6]
    assert sorted(each for each in reads if each != MSP) == [1, 2, 3, 4, 5, 6]
