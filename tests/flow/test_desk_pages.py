"""The pages of companies and approvals: what they show, and that their forms do what their JSON routes do."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from urllib.parse import quote

import pytest

from shared.billing.findings import FindingKind
from shared.billing.planning.choices import ChoiceKind
from shared.billing.rules import LicenceLink, Mode
from shared.state.records import Outcome
from shared.state.run_rows import Stage
from shared.sync import history
from shared.web import formats
from shared.web.pages import words
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Answer, Browser
from tests.fakes.house import House
from tests.flow.test_console import ADMIN, BILLER, PLATFORM, READER

LIST, ONE, APPROVALS = "/console/companies", "/console/companies/1", "/console/approvals"


@pytest.fixture
def house() -> House:
    """Company 1 waits with an adoption of 75.00 more, 2 is in auto and held, 3 is observed and has an unmapped SKU."""
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(8, holders=["Robin <b>Vale</b>"])], [b.addition(11, 5)], mode=Mode.APPROVE)
    house.company(2, [b.count(4)], [b.addition(21, 40)])
    house.company(3, [b.count(9), b.count(3, sku=b.STANDARD, name="Business Standard")], mode=Mode.OBSERVE)
    for number, agreement in house.manage.agreements_.items():
        house.manage.agreements_[number] = replace(agreement, currency="EUR")
    for number in (1, 2, 3):
        house.sync(number)
    return house


def visitor(house: House, headers: dict[str, str] = BILLER, path: str = ONE) -> Browser:
    browser = Browser(app_for(house.ports, PLATFORM), headers)
    assert browser.get(path).status_code == 200
    return browser


def hashes(house: House, company: int) -> list[str]:
    return [group.hash for group in house.state(company).plan.groups]


def sent(browser: Browser, path: str, **fields) -> Answer:
    return browser.follow(browser.send_form(path, fields))


def test_a_company_shows_how_long_its_subscriptions_run_and_what_comes_then(house):
    ends, renews = date(2027, 1, 14), date(2026, 12, 5)
    yearly = replace(b.subscription(4), term="P1Y", renews=ends, committed_until=ends, auto_renews=False)
    monthly = replace(b.subscription(2), term="P1M", renews=renews, auto_renews=True)
    house.company(4, [b.count(6, subscriptions=[yearly, monthly])], mode=Mode.OBSERVE)
    house.sync(4)

    page = visitor(house, path="/console/companies/4").get("/console/companies/4")

    assert "4, enabled, term 1 year, ends 14 Jan 2027, committed to 14 Jan 2027" in page.words
    assert "2, enabled, term 1 month, renews 5 Dec 2026" in page.words


# ---- the list


def test_the_list_links_each_company_with_its_figures(house):
    page = visitor(house).get(LIST)
    assert 'href="/console/companies/1">Company 1</a>' in page.text
    assert "3 of 3 companies" in page.words
    assert "−900.00 EUR" in page.words
    assert "75.00 EUR" in page.words


def test_the_list_remembers_what_was_asked_and_says_so_when_nothing_is_found(house):
    page = visitor(house).get(f"{LIST}?text=%22%3E%3Cscript%3E&mode=&outcome=&finding=&sort=planned")
    assert "No company is like that" in page.words
    assert "<script>" not in page.text
    assert 'value="&#34;&gt;&lt;script&gt;"' in page.text
    assert visitor(house).get(f"{LIST}?mode=sometimes").status_code == 422


def test_a_heading_sorts_and_then_turns_the_list_around(house):
    page = visitor(house).get(f"{LIST}?sort=planned")
    assert page.text.index("Company 2") < page.text.index("Company 1")
    turned = visitor(house).get(f"{LIST}?sort=planned&turned=true")
    assert turned.text.index("Company 1") < turned.text.index("Company 2")
    assert re.search(r'aria-sort="\w+"><a href="[^"]*sort=planned&amp;turned=true', page.text)


def test_pages_of_the_list_lead_to_each_other(house):
    page = visitor(house).get(f"{LIST}?size=2")
    assert "Page 1 of 2" in page.words
    following = re.search(r'href="(\?[^"]*page=2[^"]*)"', page.text)
    assert following is not None
    assert "Company 3" in visitor(house).get(LIST + following[1].replace("&amp;", "&")).words


def test_without_companies_the_list_says_what_to_do():
    page = Browser(app_for(House().ports, PLATFORM), READER).get(LIST)
    assert "No company is known yet" in page.words


# ---- one company


def test_a_company_shows_plan_agreement_and_forecast(house):
    words = visitor(house).get(ONE).words
    assert "Every invoice +75.00 EUR" in words
    assert "5 × 25.00 EUR" in words
    assert "8 × 25.00 EUR" in words
    assert "Next invoice, 1 Dec 2026 – 31 Dec 2026 125.00 EUR 200.00 EUR +75.00 EUR" in words


def test_who_may_not_decide_is_offered_no_form(house):
    assert re.findall(r'<form method="post"', visitor(house, READER).get(ONE).text) == []
    assert "Approve" in visitor(house).get(ONE).text
    assert "Change mode" not in visitor(house).get(ONE).text
    assert "Change mode" in visitor(house, ADMIN).get(ONE).text


def test_who_holds_a_licence_is_shown_to_those_who_decide_and_cannot_inject_anything(house):
    path = f"{ONE}?source={b.SOURCE}&customer=tenant-1&sku={b.PREMIUM}"
    page = visitor(house).get(path)
    assert "Robin &lt;b&gt;Vale&lt;/b&gt;" in page.text
    assert "Robin" not in visitor(house, READER).get(path).text


def test_an_unknown_company_says_what_to_do(house):
    page = visitor(house).get("/console/companies/99")
    assert (page.status_code, "company 99 is not known" in page.words) == (404, True)


def test_a_group_is_approved_written_and_undone_again(house):
    browser = visitor(house)
    page = sent(browser, f"{ONE}/decide", groups=hashes(house, 1), verdict="approve")
    assert "Approved. Written: 1 line changed." in page.words
    assert house.manage.lines[11].quantity == Decimal(8)
    run, item = re.search(
        r'name="run" value="([^"]+)">\s*<input type="hidden" name="bill_item" value="([^"]+)"', page.text
    ).groups()  # type: ignore[union-attr]
    page = sent(browser, f"{ONE}/undo", run=run, bill_item=item)
    assert "1 group undone" in page.words
    assert house.manage.lines[11].quantity == Decimal(5)
    assert "Not done. There is nothing left to undo" in sent(browser, f"{ONE}/undo", run=run, bill_item=item).words


def test_an_undo_that_a_guard_holds_is_confirmed_by_a_person(house):
    house.company(4, [b.count(80)], [b.addition(41, 5)])
    house.sync(4, run="first")
    browser = visitor(house, path="/console/companies/4")
    held = [group for group in house.state(4).plan.groups if group.held]
    sent(browser, "/console/companies/4/decide", groups=[group.hash for group in held], verdict="approve")
    run = house.ports.company_state.history(4, 1)[0].run
    page = browser.send_form("/console/companies/4/undo", {"run": run})
    assert page.status_code == 200
    assert "A guard holds this undo" in page.words
    confirmed = re.findall(r'name="confirmed" value="([^"]+)"', page.text)
    assert "1 group undone" in sent(browser, "/console/companies/4/undo", run=run, confirmed=confirmed).words
    assert house.manage.lines[41].quantity == Decimal(5)


def test_what_is_not_planned_any_more_is_not_written_and_says_so(house):
    browser, shown = visitor(house), hashes(house, 1)
    house.count(1, b.count(9, customer="tenant-1"))
    page = sent(browser, f"{ONE}/decide", groups=shown, verdict="approve")
    assert "Not done." in page.words
    assert "decide anew" in page.words
    assert house.manage.writes == 0


def test_a_rejection_shows_who_and_why(house):
    page = sent(visitor(house), f"{ONE}/decide", groups=hashes(house, 1), verdict="reject", why="they are leaving")
    assert "rejected by pat@birchline.example" in page.words
    assert "they are leaving" in page.words


def test_a_company_that_somebody_works_on_says_so_on_its_own_page(house):
    house.ports.companies.take_lease(1, "another", 300, house.clock.now())
    page = sent(visitor(house), f"{ONE}/sync")
    assert "Not done." in page.words
    assert "is being worked on" in page.words


def test_a_company_is_looked_at_now(house):
    house.count(3, b.count(12, customer="tenant-3"))
    assert (
        "Planned: 1 line created"
        in sent(visitor(house, path="/console/companies/3"), "/console/companies/3/sync").words
    )


def test_do_not_bill_is_said_for_ever_until_a_day_and_taken_back(house):
    browser, sold = visitor(house), {"source": b.SOURCE, "sku": b.PREMIUM}
    path = "/console/companies/3/billing"
    sent(browser, path, **sold, how="never")
    assert house.state(3).licences == (LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),)
    assert "It is not billed to this company." in browser.get("/console/companies/3").words
    sent(browser, path, **sold, how="again")
    assert house.state(3).licences == ()
    assert "Name the day" in sent(browser, path, **sold, how="until", until="soon").words
    sent(browser, path, **sold, how="until", until="2027-03-01")
    assert "It is not billed before 1 Mar 2027." in browser.get("/console/companies/3").words


def test_an_admin_changes_the_mode(house):
    page = sent(visitor(house, ADMIN), "/console/companies/3/mode", mode="approve")
    assert "The company is in mode approve from now on." in page.words
    assert visitor(house).send_form("/console/companies/3/mode", {"mode": "auto"}).status_code == 403


def test_the_history_goes_on_page_by_page(house):
    browser = visitor(house)
    sent(browser, f"{ONE}/decide", groups=hashes(house, 1), verdict="approve")
    page = browser.get(f"{ONE}/history")
    assert page.words.count("pat@birchline.example") >= 2


# ---- approvals


def test_what_waits_stands_by_kind_with_its_money_and_what_is_held_first(house):
    page = visitor(house).get(APPROVALS)
    assert page.text.index('id="s1">Adoptions that a guard holds: too many units less<') < page.text.index(
        'id="s2">Adoptions<'
    )
    assert "+75.00 EUR" in page.words
    assert "−900.00 EUR" in page.words


def test_ticked_groups_of_one_company_are_written_at_once_and_of_several_by_a_run(house):
    browser = visitor(house, path=APPROVALS)
    ticked = [f"{company}:{hash_}" for company in (1, 2) for hash_ in hashes(house, company)]
    assert "Tick what is to be decided first" in sent(browser, f"{APPROVALS}/decide", verdict="approve").words
    page = sent(browser, f"{APPROVALS}/decide", verdict="approve", chosen=ticked)
    run = re.search(r"Run (\S+) writes it", page.words)
    assert run is not None
    house.work_until_done(run[1])
    assert (house.manage.lines[11].quantity, house.manage.lines[21].quantity) == (8, 4)
    assert "Nothing waits for an approval" in browser.get(APPROVALS).words


def test_ticked_groups_are_rejected_and_stand_among_what_was_decided(house):
    browser = visitor(house, path=APPROVALS)
    ticked = [f"{company}:{hash_}" for company in (1, 2) for hash_ in hashes(house, company)]
    page = sent(browser, f"{APPROVALS}/decide", verdict="reject", chosen=ticked, why="not yet")
    assert page.words.count("rejected by pat@birchline.example") == 2


def test_everything_of_a_kind_is_approved(house):
    browser = visitor(house, path=APPROVALS)
    reason = next(each for each in browser.get("/console/api/waiting").json()["reasons"] if not each["held"])
    page = sent(browser, f"{APPROVALS}/kind", kind="adoption", held="false", seen=reason["seen"])
    run = re.search(r"Run (\S+) writes it", page.words)
    assert run is not None
    house.work_until_done(run[1])
    assert (house.manage.lines[11].quantity, house.manage.lines[21].quantity) == (8, 40)


@pytest.mark.parametrize("box", ["x:1", "1", "1:", "99999999999:0123456789abcdef"])
def test_a_box_that_is_none_of_ours_is_refused(house, box):
    answer = visitor(house, path=APPROVALS).send_form(f"{APPROVALS}/decide", {"verdict": "approve", "chosen": box})
    assert answer.status_code == 400


def test_a_choice_is_made_where_the_finding_is_shown(house):
    house.company(5, [b.count(4)], [b.addition(51, 3), b.addition(52, 2)])
    house.sync(5)
    browser = visitor(house, path=APPROVALS)
    page = browser.get(APPROVALS)
    assert "Adopt the ticked line" in page.words
    fields = {"bill_item": f"{b.SOURCE}/{b.PREMIUM}", "choice": "adopt", "back": "approvals"}
    assert "exactly one" in sent(browser, "/console/companies/5/choose", **fields, additions=[51, 52]).words
    page = sent(browser, "/console/companies/5/choose", **fields, additions=[52])
    assert "Written: 1 line changed" in page.words
    assert "No edited, stray or rival line asks for a choice" in page.words


def test_an_edited_line_is_shown_as_it_was_written_and_as_it_is_with_its_currency(house):
    house.company(5, [b.count(4)])
    house.manage.agreements_[1005] = replace(house.manage.agreements_[1005], currency="EUR")
    house.sync(5)
    (line,) = (line for line in house.manage.lines.values() if line.agreement_id == 1005)
    house.manage.lines[line.id] = replace(line, quantity=Decimal(9))
    house.sync(5)
    page = visitor(house, path=APPROVALS).get(APPROVALS)
    assert f"Addition {line.id}, M365-BP: TrueUp wrote 4 × 25.00 EUR (1 Dec 2026 – open)" in page.words
    assert "a person made it 9 × 25.00 EUR" in page.words


def test_rival_lines_are_shown_with_their_currency(house):
    house.company(5, [b.count(4)], [b.addition(51, 3), b.addition(52, 2)])
    house.manage.agreements_[1005] = replace(house.manage.agreements_[1005], currency="CHF")
    house.sync(5)
    assert "3 × M365-BP at 25.00 CHF on agreement 1005" in visitor(house, path=APPROVALS).get(APPROVALS).words


def test_what_belongs_to_no_agreement_is_in_the_currency_of_all_of_them_if_that_is_one(house):
    example = "/console/profiles/edit?id=premium"
    assert "Total 250.00 EUR" in visitor(house, ADMIN, example).get(example).words
    house.manage.agreements_[1002] = replace(house.manage.agreements_[1002], currency="CHF")
    house.sync(2)
    page = visitor(house, ADMIN, example).get(example)
    assert "Amounts are in the currency of the agreement." in page.words
    assert "EUR" not in page.words


# ---- words and tables


@pytest.mark.parametrize(
    ("counted", "name", "told"),
    [
        (550_000_000_000, "Cove used storage, bytes", "512.23 GB"),
        (2_199_023_255_552, "Cove used storage, bytes", "2 TB"),
        (0, "Cove used storage, bytes", "0 GB"),
        (None, "Cove used storage, bytes", "–"),
        (1200, "Business Premium", "1,200"),
    ],
)
def test_what_is_counted_in_bytes_is_read_in_larger_units(counted, name, told):
    assert formats.units(counted, name) == told


def test_everything_that_has_a_kind_is_told_in_words():
    assert set(words.FINDINGS) == {kind.value for kind in FindingKind}
    assert {outcome.value for outcome in Outcome} <= set(words.OUTCOMES)
    assert {stage.value for stage in Stage} == set(words.STAGES)
    assert {kind.value for kind in ChoiceKind} == set(words.CHOICES)


def test_findings_are_told_in_words_on_every_page(house):
    assert "No rule bills it" in visitor(house).get("/console/companies/3").words
    listed = visitor(house).get(LIST)
    assert '<option value="unmapped">no rule bills it</option>' in listed.text


def test_the_history_of_a_company_is_downloaded_from_its_pages(house):
    browser = visitor(house)
    sent(browser, f"{ONE}/decide", groups=hashes(house, 1), verdict="approve")
    table = "/console/api/companies/1/history.csv"
    assert f'href="{table}"' in browser.get(ONE).text
    assert f'href="{table}"' in browser.get(f"{ONE}/history").text
    answer = browser.get(table)
    assert answer.headers["content-disposition"] == 'attachment; filename="history-1.csv"'
    assert "pat@birchline.example" in answer.text


def test_a_history_too_long_for_one_table_goes_on_where_its_last_line_says(house, monkeypatch):
    monkeypatch.setattr(history, "TABLE_ENTRIES", 1)
    browser, table = visitor(house), "/console/api/companies/1/history.csv"
    sent(browser, f"{ONE}/decide", groups=hashes(house, 1), verdict="approve")
    _, first, last = browser.get(table).text.splitlines()
    assert last.startswith("The history goes on")
    _, second, *_ = browser.get(f"{table}?before={quote(last.rpartition('=')[2], safe='')}").text.splitlines()
    assert second not in (first, last)
