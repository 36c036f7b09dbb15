"""Links, policies and profiles go out to a spreadsheet and come back: shown first, then exactly that, or nothing."""

from __future__ import annotations

import base64
import csv
import io
import zipfile
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from shared.billing.profiles import Band, Decrease, PriceKind, PriceRule, Proration, QuantityRule, Rounding
from shared.billing.users import Traits, Users
from shared.sheets.cells import harmless, plain
from shared.sheets.reading import read_tables
from shared.sheets.tables import MOST_BYTES, MOST_ROWS, Unreadable
from shared.sheets.writing import Written, csv_of, workbook_of
from shared.sync import rule_history, rulebook
from shared.sync.approvals import Person
from shared.sync.mapping import exchange
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.house import House
from tests.flow.test_console import ADMIN, PLATFORM

API = "/console/api/mapping"
PAGE = "/console/mapping/exchange"
PAT = Person("pat@birchline.example")
D = Decimal


@pytest.fixture
def house() -> House:
    """Profiles with everything that a table must carry, two companies, a SKU of which no rule speaks."""
    house = House()
    bands = (Band(D(10), D("3.90")), Band(None, D("2.90"), "DEFENDER-50PLUS"))
    users = Users(Traits(departments=("Sales",)))
    house.rules(
        b.rules(
            b.profile(invoice_text="{product}: {quantity}\n{users} ", taxable=False),
            b.profile(
                id="tiered",
                name="=SUM(A1)",
                agreement_types=("Cloud; Services", "Managed"),
                replaces=("OLD-1", "OLD-2"),
                quantity=QuantityRule(divide_by=D(25), rounding=Rounding.UP),
                price=PriceRule(PriceKind.TIERED, bands=bands),
                proration=Proration(decrease=Decrease.CREDIT),
            ),
            b.profile(
                id="users", name="Users", quantity=QuantityRule(b.profile().quantity.basis.ASSIGNED, users=users)
            ),
        )
    )
    for company in (1, 2):
        house.company(company, [b.count(5), b.count(4, sku="00012", name="Visio")])
        house.sync(company)
    return house


def test_a_name_that_no_workbook_can_hold_does_not_cost_the_export():
    written = workbook_of([Written("policies", ["name"], [["Visio\x0b \x1fPlan 2"]])])
    assert tables(written) == {"policies": [["name"], ["Visio Plan 2"]]}


def tables(content: bytes) -> dict[str, list[list[str]]]:
    book = load_workbook(io.BytesIO(content))
    return {sheet.title: [[cell.value or "" for cell in row] for row in sheet.iter_rows()] for sheet in book}


def workbook(sheets: dict[str, list[list[object]]]) -> bytes:
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def sent(house: House, content: bytes, path: str = f"{API}/import"):
    browser = Browser(app_for(house.ports, PLATFORM), ADMIN)
    return browser.post(path, json={"content": base64.b64encode(content).decode()})


# ---- round trips


def test_what_is_exported_comes_back_without_a_change(house):
    for content in (
        exchange.export_workbook(house.ports),
        *(exchange.export_csv(house.ports, section) for section in exchange.TABLES),
    ):
        shown = exchange.upload(house.ports, content, PAT)
        assert shown.preview.what == ()


def test_a_spreadsheet_is_edited_shown_and_confirmed(house):
    edited = tables(exchange.export_workbook(house.ports))
    policies = {row[1]: row for row in edited["policies"]}
    policies["00012"][5] = "tiered"
    at = edited["profiles"][0].index("price.bands")
    next(row for row in edited["profiles"] if row[0] == "tiered")[at] = "20=3.50; *=2.90@DEFENDER-50PLUS"
    edited["links"].append([3, "Mill Road Joinery", b.SOURCE, "mill-road", "", "", ""])
    edited["links"][1][6] = "yes"

    before = rulebook.export_rules(house.ports)
    shown = sent(house, workbook(edited)).json()
    assert rulebook.export_rules(house.ports) == before
    assert [change["entry"] for change in shown["changes"] if not change["field"]] == [
        f"policy {b.SOURCE} 00012",
        f"company 1 Company 1, link {b.SOURCE} tenant-1",
        "company 3 Mill Road Joinery",
        f"company 3 Mill Road Joinery, link {b.SOURCE} mill-road",
    ]
    browser = Browser(app_for(house.ports, PLATFORM), ADMIN)
    done = browser.post(f"{API}/import/confirm", json={"hash": shown["hash"], "edition": shown["edition"]})
    assert done.status_code == 200, done.text
    rules = house.ports.rules.load()
    assert rules.policy_for(b.SOURCE, "00012").profile == "tiered"
    assert rules.profiles["tiered"].price.bands[0] == Band(D(20), D("3.50"))
    assert rules.profiles["users"].quantity.users.only.departments == ("Sales",)
    assert [link.customer for link in house.ports.companies.get(3).links] == ["mill-road"]
    assert house.ports.companies.get(1).links == ()
    (entry,) = rule_history.page(house.ports, 9, None)["entries"]
    assert (entry["way"], entry["by"]) == ("sheets", "pat@birchline.example")
    again = browser.post(f"{API}/import/confirm", json={"hash": shown["hash"], "edition": shown["edition"]})
    assert again.status_code == 404


def test_numbers_dates_and_switches_that_a_spreadsheet_made_are_understood(house):
    rows = [["id", "name", "product", "price.kind", "price.amount", "update_only"]]
    content = workbook({"profiles": [*rows, ["new", 365, "P-1", "custom", 24.5, True]]})
    shown = exchange.upload(house.ports, content, PAT)
    told = {change.field: change.after for change in shown.preview.what if change.field}
    assert (told["name"], told["price.amount"], told["update_only"]) == ("365", "24.5", "yes")


def test_columns_and_rows_that_are_left_out_change_nothing(house):
    content = b"id;name\r\npremium;Business Premium\r\n"
    shown = exchange.upload(house.ports, content, PAT)
    assert [str(change) for change in shown.preview.what] == [
        "profile premium: name Microsoft 365 Business Premium → Business Premium"
    ]


# ---- what is wrong


def test_everything_wrong_is_told_by_row_and_nothing_is_changed(house):
    before = rulebook.export_rules(house.ports)
    content = workbook(
        {
            "links": [
                ["company", "name", "source", "customer", "removed"],
                ["one", "", b.SOURCE, "t-1", ""],
                [77, "", b.SOURCE, "t-2", "perhaps"],
                [2, "", b.SOURCE, "", ""],
            ],
            "policies": [["source", "sku", "profile"], [b.SOURCE, "x", "gold"], [b.SOURCE, "x", "premium"]],
            "profiles": [["id", "price.bands", "taxable"], ["tiered", "10", "maybe"]],
            "my notes": [["anything"], ["goes"]],
        }
    )
    problems = sent(house, content).json()["problems"]
    told = "\n".join(problems)
    assert 'links, row 2: company must be the number of a Manage record, not "one"' in told
    assert 'links, row 3: removed must be yes or no, not "perhaps"' in told
    assert "links, row 4: needs customer" in told
    assert "policies, row 3: is about the same as policies, row 2; keep one of them" in told
    assert "profiles, row 2: price.bands must be bands such as 10=3.90; *=2.90" in told
    assert "profiles, row 2: taxable must be yes or no" in told
    assert "links, row 3: company 77, name: is missing" in told
    assert rulebook.export_rules(house.ports) == before


def test_a_customer_that_would_be_billed_twice_is_told_by_its_row(house):
    content = f"company,source,customer\n2,{b.SOURCE},tenant-1\n".encode()
    (problem,) = sent(house, content).json()["problems"]
    assert problem.startswith("links, row 2: company 2 Company 2, link microsoft365 tenant-1: the customer is also")


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(house):
    content = b"source,sku,profile\r\nmicrosoft365,00012,premium\r\n"
    shown = exchange.upload(house.ports, content, PAT)
    rulebook.import_rules(house.ports, rulebook.export_rules(house.ports).replace("Company 2", "Company two"))
    browser = Browser(app_for(house.ports, PLATFORM), ADMIN)
    body = {"hash": shown.preview.hash, "edition": shown.preview.edition}
    late = browser.post(f"{API}/import/confirm", json=body)
    assert (late.status_code, "somebody else changed the rules" in late.json()["error"]) == (400, True)
    assert house.ports.rules.load().policy_for(b.SOURCE, "00012") is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no table with links"),
        (b"a,b\r\n1,2\r\n", "no table with links"),
        (b"source,sku\r\n\xff,x\r\n", "not UTF-8"),
        (b'source,sku\r\n"a,x\r\n', "no CSV"),
        (b"source,sku\r\n\0,x\r\n", "neither CSV nor XLSX"),
        (b"source,sku,sku\r\na,x,y\r\n", "two columns of one name"),
        (b"PK\x03\x04 no zip", "damaged"),
        (b"x" * (MOST_BYTES + 1), "more than 4,194,304 bytes"),
        (b"source,sku\r\n" + b"a,b\r\n" * MOST_ROWS, "more than 50,000 rows"),
        (b"source,sku\r\na," + b"b" * 6000, "more than 5,000 characters"),
        (b"source,sku\r\n" + b"," * 200, "more than 100 columns"),
        (workbook({"links": [["company", "source"], [1, "x"]]}), "the sheet links has no column customer"),
        (workbook({"policies": [["source", "sku"], ["a", "=1+1"]]}), "row 2 holds a formula"),
    ],
)
def test_a_file_that_is_no_table_of_ours_says_why(house, content, told):
    with pytest.raises(Unreadable, match=told) as problem:
        exchange.upload(house.ports, content, PAT)
    assert "Nothing was changed" in problem.value.remedy


def bomb(name: str, content: bytes) -> bytes:
    packed = io.BytesIO(workbook({"policies": [["source", "sku"]]}))
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (bomb("xl/bomb.xml", b"0" * 20_000_000), "unpacks into far more"),
        (bomb("xl/more.xml", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'), "holds what no spreadsheet writes"),
    ],
)
def test_a_workbook_that_would_harm_is_not_opened(content, told):
    with pytest.raises(Unreadable, match=told):
        read_tables(content)


# ---- formulas


def test_no_cell_of_an_export_is_a_formula(house):
    book = load_workbook(io.BytesIO(exchange.export_workbook(house.ports)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert any(cell.value == "'=SUM(A1)" for cell in cells)
    assert {cell.data_type for cell in cells if cell.value is not None} == {"s"}
    text = exchange.export_csv(house.ports, exchange.TABLES[2]).decode("utf-8-sig")
    assert "'=SUM(A1)" in [cell for row in csv.reader(io.StringIO(text)) for cell in row]


texts = st.text(
    alphabet=st.one_of(st.sampled_from("=+-@'\t \n;,\""), st.characters(exclude_categories=("C",))), max_size=12
)


@given(texts)
def test_what_is_made_harmless_begins_no_formula_and_comes_back(text):
    assert not harmless(text).startswith(("=", "+", "-", "@", "\t", "\n"))
    assert plain(harmless(text)) == text


@given(st.lists(texts, min_size=2, max_size=2))
def test_text_goes_through_csv_and_workbook_as_it_is(cells):
    table = Written("policies", ("source", "sku"), [("a", "b"), tuple(cells)])
    for content in (csv_of(table), workbook_of([table])):
        (read,) = read_tables(content)
        wanted = [("a", "b"), tuple(cells)] if any(cells) else [("a", "b")]
        assert [tuple(line.cells.get(name, "") for name in ("source", "sku")) for line in read.lines] == wanted


# ---- the page


def test_a_clerk_imports_on_the_page_and_sees_errors_by_row(house):
    browser = Browser(app_for(house.ports, PLATFORM), ADMIN)
    assert "Nothing is changed before you have seen" in browser.get(PAGE).words
    wrong = browser.send_file(PAGE, "file", "edited.csv", b"source,sku,profile\r\nmicrosoft365,00012,gold\r\n")
    assert (wrong.status_code, "policies, row 2: policy microsoft365 00012" in wrong.words) == (400, True)
    page = browser.send_file(PAGE, "file", "edited.csv", b"source,sku,profile\r\nmicrosoft365,00012,premium\r\n")
    assert "policy microsoft365 00012 added" in page.words
    fields = {name: page.text.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("hash", "edition")}
    done = browser.follow(browser.send_form(f"{PAGE}/confirm", fields))
    assert " made." in done.words
    assert house.ports.rules.load().policy_for(b.SOURCE, "00012").profile == "premium"
    stale = browser.follow(browser.send_form(f"{PAGE}/confirm", fields))
    assert "Not done. what was uploaded is not kept any more" in stale.words
