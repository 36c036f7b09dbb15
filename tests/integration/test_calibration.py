"""docs/calibration.md walked through the sandbox: its tables are the data, its answers must give the right settings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.switches import Switches
from shared.settings import load_settings
from tests.integration.house import TWO

PAGE = (Path(__file__).parents[2] / "docs" / "calibration.md").read_text(encoding="utf-8")
MONTHS = {"January": "2027-01", "February": "2027-02"}
PRICE = 31.0
#: What a switch in its other position must make an MSP set.
SETTINGS = {
    "cancelled_day_billed": "TRUEUP_MANAGE_CANCELLED_DAY=free",
    "retroactive_change": "TRUEUP_MANAGE_CHANGED_LINE=retroactive",
    "prorate_start_day_included": "TRUEUP_MANAGE_PRORATE_START_DAY=excluded",
}
DEFAULTS = Switches().to_json()
#: Those that an invoice run depends on: the page asks for them, whether or not anything is to be set.
ASKED = (*SETTINGS, "zero_lines_printed", "cancellation_prorated")

#: What is charged for a line on an invoice, None where it is not on it; by line and month.
Charged = dict[tuple[str, str], Decimal | None]


class Answer(NamedTuple):
    """A row of the page's last table."""

    line: str
    invoice: str
    charged: Decimal | None
    setting: str


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose heading begins so."""
    table = PAGE.partition(f"| {heading}")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]


def answers() -> list[Answer]:
    found = rows("line | invoice |")
    return [
        Answer(line, invoice, None if charged == "nothing" else Decimal(charged), setting.strip("`"))
        for line, invoice, charged, _, setting in found
    ]


def day(text: str) -> str:
    """`17 January` as Manage is told it."""
    number, month = text.split()
    return f"{MONTHS[month]}-{int(number):02}T00:00:00Z"


class Desk:
    """An MSP's clerk at the sandbox, with a test agreement that has no lines yet."""

    def __init__(self, sandbox: SandboxThread) -> None:
        self.url, self.account = sandbox.url, sandbox.msp.account
        records = sandbox.msp.records
        self.product = records.all("catalog")[0]["id"]
        self.agreement = records.all("agreements")[0]["id"]
        for line in records.of_parent("additions", self.agreement):
            self.control("POST", "person", {"do": "delete", "addition": line["id"]})
        monthly = next(cycle for cycle in records.all("billingCycles") if cycle["billingOptions"] == "Monthly")
        fields = {
            "billingCycle": {"id": monthly["id"]},
            "invoicingCycle": "CalendarYear",
            "periodType": "Current",
            "prorateFlag": True,
            "billStartDate": day("1 January"),
            "nextInvoiceDate": day("1 January"),
        }
        self.control("POST", "person", {"do": "edit-agreement", "agreement": self.agreement, "fields": fields})

    def control(self, method: str, name: str, body: object = None) -> Any:
        answer = requests.request(method, f"{self.url}/_sandbox/{name}", json=body, timeout=20)
        assert answer.ok, answer.text
        return answer.json()

    def enter(self, quantity: str, effective: str, cancelled: str) -> int:
        """A new addition; its id."""
        body = {
            "product": {"id": self.product},
            "billCustomer": "Billable",
            "quantity": int(quantity),
            "unitPrice": PRICE,
            "effectiveDate": day(effective),
            **({"cancelledDate": day(cancelled)} if cancelled else {}),
        }
        headers = {"Authorization": self.account.authorization, "clientId": self.account.client_id}
        path = f"{self.url}/v4_6_release/apis/3.0/finance/agreements/{self.agreement}/additions"
        answer = requests.post(path, json=body, headers=headers, timeout=20)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def invoice(self, month: str, lines: dict[str, int]) -> Charged:
        """The agreement's invoice for a month, and what it charges for each line."""
        made = self.control("POST", "invoices", {"through": f"{MONTHS[month]}-01"})["invoices"]
        (ours,) = (one for one in made if one["agreement"] == self.agreement)
        assert ours["period"]["from"] == f"{MONTHS[month]}-01"
        charged: Charged = {}
        for line, addition in lines.items():
            amounts = [Decimal(str(each["amount"])) for each in ours["lines"] if each["addition"] == addition]
            charged[line, month] = sum(amounts, Decimal(0)) if amounts else None
        return charged

    def walk(self) -> Charged:
        """The page from the second section to its end, where everything is deleted again."""
        lines = {line: self.enter(*values) for line, *values, _ in rows("line | quantity |")}
        first = self.invoice("January", lines)
        (changed, before, after), *_ = re.findall(r"quantity of \*\*(\w)\*\* from (\d+) to (\d+)", PAGE)
        assert {line: quantity for line, quantity, *_ in rows("line | quantity |")}[changed] == before
        edited = {"do": "edit", "addition": lines[changed], "fields": {"quantity": int(after)}}
        self.control("POST", "person", edited)
        (late, quantity, effective), *_ = re.findall(r"line \*\*(\w)\*\*: quantity (\d+), effective (\d+ \w+)", PAGE)
        lines[late] = self.enter(quantity, effective, "")
        second = self.invoice("February", lines)
        for made in reversed(self.control("GET", "invoices")["invoices"]):
            self.control("DELETE", f"invoices/{made['id']}")
        for addition in lines.values():
            self.control("POST", "person", {"do": "delete", "addition": addition})
        return first | second


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with SandboxThread(Options(companies=1, seed=1, now=TWO)) as sandbox:
        yield Desk(sandbox)


def matching(charged: Charged) -> set[Answer]:
    """The row of the page for every line and invoice that it asks for; one that has none fails."""
    asked = {(answer.line, answer.invoice) for answer in answers()}
    by_amount = {(answer.line, answer.invoice, answer.charged): answer for answer in answers()}
    return {by_amount[line, month, charged[line, month]] for line, month in asked}


def test_the_page_gives_the_settings_for_every_way_in_which_manage_may_behave(desk: Desk) -> None:
    met: set[Answer] = set()
    for positions in itertools.product([True, False], repeat=len(ASKED)):
        switches = dict(zip(ASKED, positions, strict=True))
        desk.control("PUT", "switches", switches)
        found = matching(desk.walk())
        wanted = {setting for name, setting in SETTINGS.items() if switches[name] is not DEFAULTS[name]}

        assert {answer.setting for answer in found} - {""} == wanted, switches
        met |= found
    assert met == set(answers()), "every row of the page is the answer of some Manage"


@pytest.mark.parametrize("name", sorted(DEFAULTS.keys() - set(ASKED)))
def test_no_other_switch_changes_an_answer(desk: Desk, name: str) -> None:
    charged = []
    for position in (True, False):
        desk.control("PUT", "switches", DEFAULTS | {name: position})
        charged.append(desk.walk())

    assert charged[0] == charged[1]


def test_the_settings_of_the_page_are_settings(desk: Desk) -> None:
    named = dict(answer.setting.split("=") for answer in answers() if answer.setting)
    sandbox = desk.control("GET", "msp")["settings"]
    settings = load_settings({**sandbox, "AzureWebJobsStorage": "UseDevelopmentStorage=true", **named})

    assert named.keys() == {setting.split("=")[0] for setting in SETTINGS.values()}
    assert settings.manage.cancelled_day == "free"
    assert settings.changed_line == "retroactive"
    assert settings.prorate_start_day == "excluded"
