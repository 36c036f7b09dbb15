"""The users of customers taken out: complete or told not to be, kept nowhere, and only for those who may see names."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from openpyxl import load_workbook

from shared.billing.counts import Holder
from shared.billing.rules import CompanyLink, CompanyRules, Mode, Remit
from shared.billing.users import Traits, Users
from shared.contacts.accounts import Account, Accounts
from shared.errors import NotPermitted
from shared.sync.desk import accounts
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.house import House
from tests.flow.test_console import BILLER, PLATFORM, signed_in

API = "/console/api"


def account(name: str, **values) -> Account:
    department = values.pop("department", "")
    key = name.casefold().replace(" ", ".")
    user = Holder(key, name, values.pop("enabled", True), values.pop("guest", False), department, groups=())
    return Account(user, f"{key}@alder.example", **values)


ROBIN = account(
    "Robin Vale",
    licences=("Exchange Online (Plan 1)", "Visio"),
    synced=True,
    password_never_expires=True,
    created=datetime(2021, 2, 17, 9, 30, tzinfo=UTC),
    last_sign_in=datetime(2026, 11, 20, 8, 15, tzinfo=UTC),
)
REFUSED = NotPermitted("Graph answered 403", system="Microsoft 365", remedy="Grant the role.")


@pytest.fixture
def house() -> House:
    """Company 1 has Robin and a guest, 2 cannot be read, 3 has nobody."""
    house = House()
    house.rules(b.rules())
    for company in (1, 2, 3):
        house.company(company, [b.count(1)], mode=Mode.OBSERVE)
    guest = account("Gast", guest=True, enabled=False)
    house.source.people = {"tenant-1": Accounts((ROBIN, guest), sign_ins_told=True), "tenant-2": REFUSED}
    return house


def client(house: House, headers: dict[str, str] = BILLER) -> Browser:
    return Browser(app_for(house.ports, PLATFORM), headers)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def stored(house: House) -> str:
    rows = [house.tables.rows("CompanyState", str(company)) for company in (1, 2, 3, "msp")]
    return repr([rows, house.tables.rows("Companies", "company")])


def test_a_file_has_every_user_with_everything_that_is_told(house):
    answer = client(house).get(f"{API}/companies/1/accounts/users.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="users-1.csv"'
    gast, robin = sorted(rows_of(answer.content), key=lambda row: row["name"])
    assert robin == {
        "company id": "1",
        "company": "Company 1",
        "tenant": "tenant-1",
        "name": "Robin Vale",
        "sign-in name": "robin.vale@alder.example",
        "licences": "Exchange Online (Plan 1); Visio",
        "enabled": "yes",
        "guest": "no",
        "directory-synced": "yes",
        "password never expires": "yes",
        "last sign-in (UTC)": "2026-11-20 08:15",
        "created (UTC)": "2021-02-17 09:30",
        "problem": "",
    }
    assert (gast["enabled"], gast["guest"], gast["last sign-in (UTC)"]) == ("no", "yes", "never")


def test_the_workbook_says_the_same_and_no_name_is_a_formula(house):
    house.source.people["tenant-1"] = Accounts((account('=HYPERLINK("x")'), account("+1")))
    answer = client(house).get(f"{API}/companies/1/accounts/users.xlsx")
    sheet = load_workbook(io.BytesIO(answer.content))["users"]
    cells = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    assert {row[3] for row in cells} == {'\'=HYPERLINK("x")', "'+1"}
    assert {row[10] for row in cells} == {"not told"}
    assert all(cell.data_type == "s" for row in sheet.iter_rows() for cell in row if cell.value is not None)


def test_a_tenant_that_cannot_be_read_has_the_first_line_of_the_file_and_a_warning_on_the_page(house):
    first, *others = rows_of(client(house).get(f"{API}/accounts/users.csv").content)
    assert (first["company id"], first["name"]) == ("2", "")
    assert first["problem"] == "NOT READ: Microsoft 365: Graph answered 403 Grant the role."
    assert [row["company id"] for row in others] == ["1", "1"]
    page = client(house).get("/console/companies/2/accounts")
    assert "Not read. Microsoft 365: Graph answered 403" in page.words
    (told,) = client(house).get(f"{API}/companies/2/accounts").json()["customers"]
    assert (told["problem"], told["remedy"], told["accounts"]) == (str(REFUSED), "Grant the role.", [])


def test_a_page_shows_the_users_and_leads_to_the_files(house):
    page = client(house).get("/console/companies/1/accounts")
    assert "Robin Vale robin.vale@alder.example Exchange Online (Plan 1); Visio" in page.words
    assert "20 Nov 2026 17 Feb 2021" in page.words
    assert f'href="{API}/companies/1/accounts/users.xlsx"' in page.text


def test_what_has_no_room_in_a_file_is_told_and_comes_in_the_next(house, monkeypatch):
    for company in range(4, 21):
        house.company(company, [b.count(1)], mode=Mode.OBSERVE)
        house.source.people[f"tenant-{company}"] = Accounts((account(f"Person {company}"),))
    monkeypatch.setattr(accounts, "MOST_USERS", 5)
    answer = client(house).get(f"{API}/accounts/users.csv")
    first, *rows = rows_of(answer.content)
    assert first["problem"].startswith("THE EXPORT GOES ON: 12 companies after company 8 are not in this file")
    assert answer.headers["link"] == '<?after=8>; rel="next"'
    found, after = client(house).get(f"{API}/accounts").json(), 8
    seen = {row["company id"] for row in rows}
    while after is not None:
        found = client(house).get(f"{API}/accounts?after={after}").json()
        seen |= {str(one["company"]) for one in found["customers"]}
        after = found["next"]
    assert seen == {str(company) for company in range(1, 21)} - {"3"}


def test_a_form_that_names_no_company_to_begin_after_begins_with_the_first(house):
    answer = client(house).get(f"{API}/accounts/users.csv?after=")
    assert {row["company id"] for row in rows_of(answer.content)} == {"1", "2"}
    assert client(house).get("/console/users?after=").status_code == 200
    assert client(house).get(f"{API}/accounts?after=-1").status_code == 422


def test_when_the_time_is_up_no_further_company_is_begun(house):
    for company in range(4, 12):
        house.company(company, [b.count(1)], mode=Mode.OBSERVE)
    read = house.source.accounts

    def slow(*args, **kwargs):
        house.clock.time += timedelta(seconds=30)
        return read(*args, **kwargs)

    house.source.accounts = slow
    assert client(house).get(f"{API}/accounts").json()["next"] == 8


def test_who_exported_stands_in_each_company_s_history_and_no_name_is_stored(house, caplog):
    client(house).get(f"{API}/accounts/users.xlsx")
    entry, *_ = client(house).get(f"{API}/companies/1/history").json()["entries"]
    assert (entry["note"], entry["signed"]["by"]) == ("2 users exported", "pat@birchline.example")
    assert "Robin" not in stored(house) + caplog.text
    assert "robin.vale" not in stored(house) + caplog.text


def test_of_a_tenant_that_companies_share_each_has_its_own_users_only(house):
    def share(company: int, department: str) -> None:
        users = Users(only=Traits(departments=(department,)))
        links = (CompanyLink(b.SOURCE, "tenant-1", users=users),)
        house.ports.companies.put_rules(CompanyRules(company, f"Company {company}", Mode.OBSERVE, links))

    share(1, "Sales")
    share(2, "Finance")
    people = (account("Robin Vale", department="Sales"), account("Kim Low", department="Finance"))
    house.source.people = {"tenant-1": Accounts(people)}
    told = client(house).get(f"{API}/accounts").json()["customers"]
    names = {one["company"]: [row["name"] for row in one["accounts"]] for one in told}
    assert names == {1: ["Robin Vale"], 2: ["Kim Low"], 3: []}


def test_where_it_is_not_told_whose_users_they_are_nobody_is_shown_any(house):
    users = Users(only=Traits(groups=("Front desk",)))
    links = (CompanyLink(b.SOURCE, "tenant-1", users=users),)
    house.ports.companies.put_rules(CompanyRules(1, "Company 1", Mode.OBSERVE, links))
    unknown = replace(ROBIN, user=replace(ROBIN.user, groups=(), groups_told=()))
    house.source.people = {"tenant-1": Accounts((unknown,))}
    (told,) = client(house).get(f"{API}/companies/1/accounts").json()["customers"]
    assert told["accounts"] == []
    assert "not told which of the users" in told["problem"]


def test_whoever_sees_some_companies_exports_the_users_of_those(house):
    house.rules(replace(b.rules(), people=(Remit("kim@birchline.example", only=(1,)),)))
    kim = client(house, signed_in("TrueUp.Biller", name="kim@birchline.example"))
    assert {row["company id"] for row in rows_of(kim.get(f"{API}/accounts/users.csv").content)} == {"1"}
    assert kim.get(f"{API}/companies/2/accounts/users.csv").status_code == 403
