"""Contacts kept from end to end on fakes: previewed, written once whatever dies, held, released, and never named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.billing.contact_rules import ContactMode, ContactRules, Existing, Left
from shared.billing.counts import Holder
from shared.billing.rules import CompanyLink, CompanyRules, Mode, Schedule
from shared.billing.users import Traits, Users
from shared.contacts.accounts import Account, Accounts
from shared.contacts.contacts import Field
from shared.errors import NotPermitted, OutcomeUnknown, Refused
from shared.state.company_state import MSP
from shared.state.records import Outcome
from shared.sync import night
from shared.sync.company import Order, Synced
from shared.sync.contacts.sync import sync_contacts
from shared.sync.unfinished import ONLY_PLANNED
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.house import House
from tests.flow.test_console import BILLER, PLATFORM, READER
from tests.flow.test_unfinished_edits import die_when_decided, licence

RULES = ContactRules(mode=ContactMode.AUTO, left=Left.DEACTIVATE)
RUN = "2026-11-21-contacts"
API = "/console/api/companies/1/contacts"
PAGE = "/console/companies/1/contacts"


def account(name: str, **values) -> Account:
    key = name.casefold().replace(" ", ".")
    given, _, surname = name.partition(" ")
    user = Holder(key, name, department=values.pop("department", ""), groups=values.pop("groups", ()))
    own = {"mail": f"{key}@alder.example", "given_name": given, "surname": surname, "licensed": True}
    return Account(user, f"{key}@alder.example", **own | values)


ROBIN, KIM = (
    account("Robin Vale", title="Dentist", department="Sales"),
    account("Kim Low", business_phone="+1 555 0100"),
)


@pytest.fixture
def house() -> House:
    """Two companies with a tenant and two users each; a person has made a contact of one of company 2."""
    house = House()
    keep(house)
    for company in (1, 2):
        house.company(company, [b.count(2)], mode=Mode.OBSERVE)
        people(house, company, ROBIN, KIM)
    house.contacts.add(2, first_name="R.", mail="robin.vale@alder.example")
    return house


def keep(house: House, **changes) -> None:
    schedules = (Schedule("contacts", "contacts", "0 5 * * *"),)
    house.rules(replace(b.rules(), contacts=replace(RULES, **changes), schedules=schedules))


def people(house: House, company: int, *accounts: Account) -> None:
    house.source.people[f"tenant-{company}"] = Accounts(accounts)


def sync(house: House, company: int = 1, run: str = "run-contacts") -> Synced:
    return sync_contacts(house.ports, Order(company, run, "me"))


def client(house: House, headers: dict[str, str] = BILLER) -> Browser:
    browser = Browser(app_for(house.ports, PLATFORM), headers)
    browser.get("/console/setup")
    return browser


def of_the_night(house: House) -> str:
    told = night.contacts(house.ports)
    house.work_until_done(RUN)
    return told


def findings(house: House) -> list[tuple[str, str]]:
    return sorted(house.state(MSP).findings)


# ---- the run


def test_a_run_makes_the_users_of_each_company_contacts_and_the_next_writes_nothing(house):
    assert of_the_night(house) == f"{RUN}: started, 2 companies"
    assert house.contacts.said(1) == [
        ("Kim", "Low", "", "", "kim.low@alder.example", "+1 555 0100", "", False),
        ("Robin", "Vale", "Dentist", "Sales", "robin.vale@alder.example", "", "", False),
    ]
    assert [said[0] for said in house.contacts.said(2)] == ["Kim", "R."]
    rows = house.ports.runs.rows(RUN)
    assert [(row.report.outcome, row.report.written) for row in rows] == [
        (Outcome.APPLIED, {"created": 2}),
        (Outcome.APPLIED, {"created": 1}),
    ]
    writes = house.contacts.writes
    assert sync(house, 1).report.outcome is sync(house, 2).report.outcome is Outcome.UNCHANGED
    assert house.contacts.writes == writes


def test_only_users_of_the_groups_that_the_rules_name_are_contacts(house):
    board = account("Robin Vale", groups=("Board", "Staff"))
    people(house, 1, board, account("Kim Low", groups=("Staff",)))
    keep(house, users=Users(only=Traits(groups=("Board",))))
    sync(house)
    assert [said[0] for said in house.contacts.said(1)] == ["Robin"]

    people(house, 1, board, account("Kim Low", groups=("Staff", "Board")))
    sync(house)
    assert [said[0] for said in house.contacts.said(1)] == ["Kim", "Robin"]


def test_the_last_outcome_of_a_company_stays_that_of_its_last_night(house):
    house.sync(1)
    before = house.ports.companies.get(1)
    sync(house)
    after = house.ports.companies.get(1)
    assert (after.last_outcome, after.last_run, after.lease_owner) == (before.last_outcome, before.last_run, None)


def test_a_company_that_does_not_change_costs_one_call_of_manage_and_one_more_for_departments(house):
    sync(house)
    house.manage.calls.clear()
    sync(house)
    assert house.manage.calls == {"contacts": 1, "departments": 1}


@pytest.mark.parametrize("mode", [ContactMode.NONE, ContactMode.OBSERVE])
def test_nothing_is_written_before_the_rules_say_so(house, mode):
    keep(house, mode=mode)
    of_the_night(house)
    assert house.contacts.writes == 0
    keep(house, mode=mode, companies={2: ContactMode.AUTO})
    sync(house, 1)
    sync(house, 2)
    assert [len(house.contacts.said(company)) for company in (1, 2)] == [0, 2]


def test_without_rules_about_contacts_nobody_is_asked_anything(house):
    house.rules(b.rules())
    assert night.contacts(house.ports) == f"{RUN}: started, 0 companies"
    assert sync(house).report.outcome is Outcome.SKIPPED
    assert house.manage.calls["contacts"] == 0


def test_what_changes_in_the_directory_changes_in_the_contact_and_who_left_is_deactivated(house):
    sync(house)
    people(house, 1, replace(ROBIN, title="Owner", mail="robin@alder.example"))
    assert sync(house).report.written == {"ended": 1, "updated": 1}
    kim, robin = house.contacts.said(1)
    assert (robin[2], robin[4], robin[7], kim[7]) == ("Owner", "robin@alder.example", False, True)
    people(house, 1, replace(ROBIN, title="Owner", mail="robin@alder.example"), KIM)
    sync(house)
    assert [said[7] for said in house.contacts.said(1)] == [False, False]


def test_a_contact_of_a_person_is_adopted_where_the_rules_say_so_and_left_otherwise(house):
    sync(house, 2)
    assert len(house.ports.contact_rows.of(2)) == 1
    keep(house, existing=Existing.FILL)
    sync(house, 2)
    robin = next(one for one in house.contacts.rows.values() if one.first_name == "R." and one.company == 2)
    assert (robin.last_name, robin.title) == ("Vale", "Dentist")
    assert house.ports.contact_rows.of(2)["robin.vale"].made is False
    people(house, 2, KIM)
    sync(house, 2)
    assert house.contacts.rows[robin.id].inactive


def test_what_a_person_edits_stays_and_is_told(house):
    sync(house)
    robin = next(one for one in house.contacts.rows.values() if one.first_name == "Robin")
    house.contacts.edit(robin.id, title="Dr")
    assert sync(house).report.outcome is Outcome.UNCHANGED
    assert client(house).get(API).json()["notes"] == [
        {"name": "Robin Vale", "text": "a person wrote the title; it stays so", "contact": robin.id}
    ]


def test_a_contact_that_changed_between_look_and_write_is_not_written(house):
    sync(house)
    people(house, 1, replace(ROBIN, title="Owner"), KIM)
    robin = next(one for one in house.contacts.rows.values() if one.first_name == "Robin")

    def edit(moment: str, method: str) -> None:
        if (moment, method) == ("before", "contact"):
            house.contacts.edit(robin.id, title="Dr")

    house.manage.fault = edit
    report = sync(house).report
    assert (report.outcome, house.contacts.rows[robin.id].title) == (Outcome.FAILED, "Dr")
    assert "was changed meanwhile" in report.note


def test_a_person_who_deactivates_a_contact_between_look_and_write_is_not_overruled(house):
    sync(house)
    people(house, 1, replace(ROBIN, title="Owner"), KIM)
    robin = next(one for one in house.contacts.rows.values() if one.first_name == "Robin")

    def deactivate(moment: str, method: str) -> None:
        if (moment, method) == ("before", "contact"):
            house.contacts.edit(robin.id, inactive=True)

    house.manage.fault = deactivate
    assert "was changed meanwhile" in sync(house).report.note
    assert house.contacts.rows[robin.id].inactive


def test_a_contact_that_manage_makes_otherwise_is_ours_and_is_made_once(house):
    house.contacts.drops = frozenset({Field.MAIL, Field.TITLE})
    people(house, 1, ROBIN)
    assert "does not say what was asked" in sync(house).report.note
    (row,) = house.ports.contact_rows.of(1).values()
    assert (row.made, row.begun, set(row.wrote)) == (True, None, {"first name", "last name", "department"})
    house.clock.pass_by(seconds=house.ports.limits.settling)
    sync(house)
    assert len(house.contacts.said(1)) == 1
    house.contacts.drops = frozenset()
    house.clock.pass_by(seconds=house.ports.limits.settling)
    sync(house)
    assert house.contacts.said(1) == [("Robin", "Vale", "Dentist", "Sales", "robin.vale@alder.example", "", "", False)]


def test_a_contact_that_a_person_makes_after_manage_refused_ours_stays_the_persons(house):
    def refuse(moment: str, method: str) -> None:
        if (moment, method) == ("before", "make contact"):
            raise NotPermitted("answered 403", system="ConnectWise Manage")

    house.manage.fault = refuse
    people(house, 1, KIM)
    sync(house)
    house.manage.fault = lambda moment, method: None
    house.contacts.add(1, first_name="Kim", last_name="Low", mail="kim.low@alder.example", phone="+1 555 0100")
    sync(house)
    people(house, 1, ROBIN)
    sync(house)
    assert [said[7] for said in house.contacts.said(1) if said[0] == "Kim"] == [False]


# ---- what is not known


def test_a_tenant_that_cannot_be_read_costs_nobody_a_contact(house):
    sync(house)
    house.source.people["tenant-1"] = NotPermitted("Graph answered 403", system="Microsoft 365", remedy="Grant.")
    report = sync(house).report
    assert (report.outcome, report.note) == (Outcome.FAILED, "Microsoft 365: Graph answered 403")
    assert [said[7] for said in house.contacts.said(1)] == [False, False]
    people(house, 1)
    assert sync(house).report.outcome is Outcome.UNCHANGED


def test_after_a_write_of_unknown_outcome_nobody_is_made_twice(house):
    def lost(moment: str, method: str) -> None:
        if (moment, method) == ("after", "make contact"):
            house.manage.fault = lambda moment, method: None
            raise OutcomeUnknown("the answer got lost")

    house.manage.fault = lost
    synced = sync(house)
    assert (synced.again_in, len(house.contacts.said(1))) == (house.ports.limits.settling, 1)
    sync(house)
    assert [said[0] for said in house.contacts.said(1)] == ["Kim", "Robin"]
    assert {row.made for row in house.ports.contact_rows.of(1).values()} == {True}


def test_a_create_that_never_happened_is_made_once_it_has_settled(house):
    def lost(moment: str, method: str) -> None:
        if (moment, method) == ("before", "make contact"):
            house.manage.fault = lambda moment, method: None
            raise OutcomeUnknown("the answer got lost")

    house.manage.fault = lost
    sync(house)
    assert sync(house).again_in is not None
    assert len(house.contacts.said(1)) == 1
    house.clock.pass_by(seconds=house.ports.limits.settling)
    sync(house)
    assert len(house.contacts.said(1)) == 2


def test_a_contact_that_manage_refuses_costs_only_itself_and_no_name_is_told(house, caplog):
    def refuse(moment: str, method: str) -> None:
        if (moment, method) == ("before", "make contact"):
            house.manage.fault = lambda moment, method: None
            raise Refused("POST /company/contacts: answered 400", system="ConnectWise Manage", request_id="cw-7")

    house.manage.fault = refuse
    report = sync(house).report
    assert (report.outcome, report.written) == (Outcome.FAILED, {"created": 1})
    assert "create for user kim.low" in report.note
    assert "cw-7" in report.note
    assert findings(house) == [("write-failed", "contacts/1")]
    stored = repr([house.tables.rows(table, "1") for table in ("Contacts", "CompanyState")])
    for word in ("Robin", "Kim", "Vale", "alder.example", "555", "Dentist"):
        assert word not in caplog.text + stored + report.note


def test_a_worker_that_dies_before_any_outside_effect_leaves_what_an_undisturbed_run_does():
    def begun() -> House:
        house = House()
        keep(house)
        house.company(1, [b.count(2)], mode=Mode.OBSERVE)
        people(house, 1, ROBIN, KIM)
        sync(house)
        people(house, 1, replace(ROBIN, title="Owner"), account("Sam Birch"))
        house.fate.steps = 0
        return house

    calm = begun()
    of_the_night(calm)
    expected, steps = calm.contacts.said(1), calm.fate.steps
    assert (len(expected), steps > 30) == (3, True)
    for step in range(1, steps + 1):
        house = begun()
        night.contacts(house.ports)
        house.fate.die_at = house.fate.steps + step
        house.work_until_done(RUN)
        house.clock.pass_by(seconds=house.ports.limits.settling)
        house.fate.die_at = None
        sync(house)
        assert house.contacts.said(1) == expected, f"killed at step {step}"
        writes = house.contacts.writes
        sync(house)
        assert house.contacts.writes == writes


def test_a_company_whose_tenant_is_linked_twice_by_department_keeps_the_users_of_both_links(house):
    links = [
        CompanyLink(b.SOURCE, "tenant-1", users=Users(only=Traits(departments=(name,)))) for name in ("Sales", "Labs")
    ]
    house.ports.companies.put_rules(CompanyRules(1, "Company 1", Mode.OBSERVE, tuple(links)))
    people(house, 1, ROBIN, account("Sam Birch", department="Labs"))
    sync(house)
    assert sync(house).report.outcome is Outcome.UNCHANGED
    people(house, 1, ROBIN)
    assert sync(house).report.written == {"ended": 1}


def test_while_a_change_of_the_rules_is_not_in_force_for_every_company_no_contact_is_written(house):
    die_when_decided(house, [licence(1, do_not_bill=True), licence(2, do_not_bill=True)])
    (sound,) = [row for row in house.tables.rows("CompanyState", "2") if row.row == "rules|"]
    house.tables.put("CompanyState", "2", "rules|", {"schema": 99, "json": "{}"})
    report = sync(house).report
    assert (report.outcome, report.note, house.contacts.writes) == (Outcome.PLANNED, ONLY_PLANNED, 0)
    house.tables.put("CompanyState", "2", "rules|", sound.values)
    assert sync(house).report.written == {"created": 2}


# ---- people


def test_the_page_shows_what_would_be_done_and_does_it(house):
    browser = client(house)
    page = browser.get(PAGE)
    assert "Robin Vale Make new first name: Robin last name: Vale title: Dentist" in page.words
    done = browser.follow(browser.send_form(f"{PAGE}/sync"))
    assert "Contacts: 2 created." in done.words
    assert "Nothing: the contacts say what the directory does." in done.words
    entry, *_ = browser.get("/console/api/companies/1/history").json()["entries"]
    assert (entry["note"], entry["signed"]["by"]) == ("contacts: 2 created", "pat@birchline.example")


def test_mass_deactivation_waits_until_a_person_releases_exactly_that(house):
    crowd = [account(f"Person {number}") for number in range(10)]
    people(house, 1, *crowd)
    sync(house)
    people(house, 1, *crowd[4:])
    report = sync(house).report
    assert (report.outcome, report.written, report.waiting) == (Outcome.HELD, {}, 1)
    assert report.note == "held: 4 of 10 contacts would be deactivated, more than 20 %"
    assert findings(house) == [("held", "contacts/1")]
    browser = client(house)
    page = browser.get(PAGE)
    assert "Deactivations are held" in page.words
    shown = browser.get(API).json()["leaving"]
    assert browser.post(f"{API}/release", json={"leaving": "0" * 16}).status_code == 400
    people(house, 1, *crowd[5:])
    stale = browser.follow(browser.send_form(f"{PAGE}/release", {"leaving": shown}))
    assert "What was shown is not what would be deactivated now" in stale.words
    people(house, 1, *crowd[4:])
    done = browser.follow(browser.send_form(f"{PAGE}/release", {"leaving": shown}))
    assert "Contacts: 4 ended." in done.words
    assert findings(house) == []
    assert sum(said[7] for said in house.contacts.said(1)) == 4


def test_what_was_released_once_is_held_again_when_it_comes_back(house):
    crowd = [account(f"Person {number}") for number in range(10)]
    for leaves in range(2):
        people(house, 1, *crowd)
        sync(house)
        people(house, 1, *crowd[4:])
        assert sync(house).report.outcome is Outcome.HELD
        browser = client(house)
        browser.post(f"{API}/release", json={"leaving": browser.get(API).json()["leaving"]})
        assert sum(said[7] for said in house.contacts.said(1)) == 4, leaves


def test_a_company_without_contacts_says_how_to_have_them(house):
    house.rules(b.rules())
    browser = client(house)
    assert "The rules have no contacts kept for this company." in browser.get(PAGE).words
    assert "Not done." in browser.follow(browser.send_form(f"{PAGE}/sync")).words


def no_role(moment: str, method: str) -> None:
    raise NotPermitted("answered 403", system="ConnectWise Manage", remedy="Give the role Companies > Contacts.")


def test_a_role_that_is_missing_in_manage_is_a_finding_until_it_is_given(house):
    house.manage.fault = no_role
    assert sync(house).report.outcome is Outcome.FAILED
    (open_,) = house.state(MSP).findings.values()
    assert (open_.finding.key, open_.finding.remedy) == ("contacts/1", "Give the role Companies > Contacts.")
    house.manage.fault = lambda moment, method: None
    sync(house)
    assert findings(house) == []


def test_users_who_are_long_gone_are_forgotten(house):
    sync(house)
    people(house, 1, KIM)
    sync(house)
    assert sorted(house.ports.contact_rows.of(1)) == ["kim.low", "robin.vale"]
    house.clock.pass_by(days=731)
    sync(house)
    assert sorted(house.ports.contact_rows.of(1)) == ["kim.low"]
    writes = house.contacts.writes
    assert sync(house).report.outcome is Outcome.UNCHANGED
    assert house.contacts.writes == writes


def test_what_was_told_of_a_company_closes_once_its_contacts_are_not_kept_any_more(house):
    house.manage.fault = no_role
    sync(house)
    assert findings(house) != []
    keep(house, mode=ContactMode.NONE)
    night.contacts(house.ports)
    assert findings(house) == []


def test_what_is_only_observed_is_not_released(house):
    keep(house, mode=ContactMode.OBSERVE)
    answer = client(house).post(f"{API}/release", json={"leaving": "0" * 16})
    assert "only observed" in answer.json()["error"]
    assert house.ports.contact_rows.released(1) == ""


def test_readers_see_no_names(house):
    assert client(house, READER).get(PAGE).status_code == 403
    assert client(house, READER).get(API).status_code == 403
