"""Faults of the outside systems: nothing is written that was not known, the outcome says why, the next sync repairs.

What is expected stands in `fault_matrix`, which tries every fault at every call; here some of them meet a whole house.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local.sandbox.world.rules import rules_document
from local.sandbox.world.skus import CLOUD, SKUS
from tests.integration.fault_matrix import as_expected
from tests.integration.house import House, Json, a_house
from tests.integration.waiting import eventually

ADDITIONS = "/finance/agreements/{agreement}/additions"
ADDITION = ADDITIONS + "/{addition}"


@dataclass
class Growing:
    """A company of which one line is ours. `grow` buys one more seat, so that the line must be changed."""

    house: House
    company: int
    line: int
    sku: str
    quantity: int

    def grow(self) -> int:
        self.quantity += 1
        self.house.seats(self.company, self.sku, self.quantity)
        return self.quantity

    def unused_sku(self) -> str:
        """A SKU that is billed like the line's and that the company does not have."""
        held = self.house.skus(self.company)
        return next(
            sku.id for sku in SKUS.values() if sku.mapped and sku.agreement_type == CLOUD and sku.id not in held
        )

    @property
    def billed(self) -> float:
        [line] = [line for line in self.house.additions() if line["id"] == self.line]
        return float(line["quantity"])

    def sync(self) -> Json:
        return self.house.sync(self.company)

    def findings(self) -> list[str]:
        told = self.house.get(f"/api/companies/{self.company}").json()
        return [finding["kind"] for finding in told["findings"]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with a_house(tmp_path_factory.mktemp("faults"), companies=12) as made:
        # Without proration a seat more changes one line and adds none: one write per sync to go wrong. Of the sources
        # only Microsoft 365 is linked: what goes wrong is at Manage and at Graph.
        made.import_rules("auto", proration={"rule": "none"}, companies=linked_to_microsoft(made))
        yield made


def linked_to_microsoft(house: House) -> list[Json]:
    companies = rules_document(house.sandbox.msp, "auto")["companies"]
    return [
        company | {"links": [link for link in company["links"] if link["source"] == "microsoft365"]}
        for company in companies
    ]


@pytest.fixture(scope="module")
def impatient(house: House) -> House:
    """Syncs have little time, so that calls which are repeated are given up soon, and doubts settle while we wait."""
    house.host(TRUEUP_LEASE_SECONDS="3")
    return house


@pytest.fixture(scope="module")
def growing(impatient: House) -> Growing:
    """The first company whose sync changes a line and then has nothing left to say."""
    for company in impatient.readable():
        before = {line["id"] for line in impatient.additions() if line.get("serialNumber", "").startswith("TU1-")}
        if impatient.sync(company)["outcome"] == "applied":
            ours = [line for line in impatient.additions() if line.get("serialNumber", "").startswith("TU1-")]
            line = next(line for line in ours if line["id"] not in before)
            sku = SKUS[line["product"]["identifier"]].id
            return Growing(impatient, company, line["id"], sku, round(line["quantity"]))
    raise AssertionError("no company has a line to change")


@pytest.fixture(autouse=True)
def no_faults(house: House) -> Iterator[None]:
    yield
    house.faults()


@pytest.mark.parametrize(
    "fault",
    as_expected(
        *("additions", "not"),
        *("502-html", "500-timeout", "429:120", "truncated", "html-200", "empty-body", "endless", "reset-after"),
    ),
)
def test_nothing_is_written_while_manage_cannot_be_read(growing: Growing, fault: str) -> None:
    wanted = growing.grow()
    growing.house.faults({"system": "manage", "method": "GET", "route": ADDITIONS, "fault": fault})
    failed_and_wrote_nothing(growing)
    growing.house.faults()
    repaired(growing, wanted)


@pytest.mark.parametrize("fault", ["429:1", "502-html", "reset-after"])
def test_a_read_that_fails_once_is_repeated(growing: Growing, fault: str) -> None:
    wanted = growing.grow()
    growing.house.faults({"system": "manage", "method": "GET", "route": ADDITIONS, "fault": fault, "count": 1})
    repaired(growing, wanted)


@pytest.mark.parametrize("fault", as_expected("additions", "ok", "short-page", "empty-page"))
def test_odd_pages_are_read_to_their_end(growing: Growing, fault: str) -> None:
    wanted = growing.grow()
    growing.house.faults({"system": "manage", "method": "GET", "route": ADDITIONS, "fault": fault})
    repaired(growing, wanted)


@pytest.mark.parametrize("fault", as_expected("batch", "not", "truncated", "html-200", "empty-body", "endless"))
def test_nothing_is_written_while_graph_says_what_cannot_be(growing: Growing, fault: str) -> None:
    wanted = growing.grow()
    growing.house.faults({"system": "graph", "fault": fault})
    failed_and_wrote_nothing(growing)
    growing.house.faults()
    repaired(growing, wanted)


def test_counts_that_contradict_each_other_are_a_finding_and_not_written(growing: Growing) -> None:
    wanted = growing.grow()
    growing.house.faults({"system": "graph", "fault": "wrong-counts"})
    before = growing.house.additions()
    assert growing.sync()["written"] == {}
    assert growing.house.additions() == before
    assert "control-total" in growing.findings()
    growing.house.faults()
    repaired(growing, wanted)
    assert "control-total" not in growing.findings()


def failed_and_wrote_nothing(growing: Growing) -> None:
    before = growing.house.additions()
    outcome = growing.sync()
    assert outcome["outcome"] == "failed"
    assert outcome["note"]
    assert outcome["written"] == {}
    assert growing.house.additions() == before
    assert "read-failed" in growing.findings()


def repaired(growing: Growing, wanted: int) -> None:
    outcome = growing.sync()
    assert (outcome["outcome"], outcome["written"]) == ("applied", {"updated": 1})
    assert growing.billed == wanted
    assert not {"read-failed", "write-failed"} & set(growing.findings())


@pytest.mark.parametrize("fault", as_expected("update", "not", "no-effect", "429:120"))
def test_a_write_that_was_not_done_is_done_by_the_next_sync(growing: Growing, fault: str) -> None:
    wanted = growing.grow()
    growing.house.faults({"system": "manage", "method": "PATCH", "route": ADDITION, "fault": fault})
    outcome = growing.sync()
    assert (outcome["outcome"], outcome["written"]) == ("failed", {})
    assert "write-failed" in growing.findings()
    growing.house.faults()
    repaired(growing, wanted)


@pytest.mark.parametrize(
    "fault",
    as_expected("update", "unknown", "502-html")
    + as_expected("update", "done", "truncated", "html-200", "reset-after", "late-commit:1500"),
)
def test_a_write_of_which_nobody_knows_is_looked_for_before_it_is_done_again(growing: Growing, fault: str) -> None:
    wanted = growing.grow()
    growing.house.faults({"system": "manage", "method": "PATCH", "route": ADDITION, "fault": fault})
    outcome = growing.sync()
    assert (outcome["outcome"], outcome["written"]) == ("failed", {})
    assert "not known" in outcome["note"]
    growing.house.faults()
    settled(growing, wanted)


def settled(growing: Growing, wanted: int) -> None:
    """The doubt ends, the line says what it should, and there is nothing left to do."""
    lines = len(growing.house.additions())
    eventually(lambda: growing.sync()["outcome"] != "failed" and growing.billed == wanted, within=20, every=0.5)
    assert growing.sync()["outcome"] == "unchanged"
    assert len(growing.house.additions()) == lines


@pytest.mark.parametrize(
    "fault",
    as_expected("create", "unknown", "500-timeout", "no-effect")
    + as_expected("create", "done", "reset-after", "truncated", "late-commit:1500"),
)
def test_a_new_line_of_which_nobody_knows_is_made_once(growing: Growing, fault: str) -> None:
    house = growing.house
    before = set(house.stamps())
    house.seats(growing.company, growing.unused_sku(), 4)
    house.faults({"system": "manage", "method": "POST", "route": ADDITIONS, "fault": fault})
    outcome = growing.sync()
    assert (outcome["outcome"], outcome["planned"], outcome["written"]) == ("failed", {"created": 1}, {})
    assert "not known" in outcome["note"]
    house.faults()
    eventually(
        lambda: growing.sync()["outcome"] != "failed" and len(house.stamps()) > len(before), within=20, every=0.5
    )
    assert growing.sync()["outcome"] == "unchanged"
    [created] = [line for line in house.additions() if line.get("serialNumber", "") in set(house.stamps()) - before]
    assert created["quantity"] == 4


@pytest.fixture
def patient(growing: Growing) -> Iterator[Growing]:
    """The same on a host without tokens yet, with leases as long as the reader of Microsoft 365 waits for an answer."""
    host = growing.house.host()
    yield growing
    host.kill()


@pytest.mark.parametrize(("system", "fault"), [("graph", "503-html"), ("graph", "429:300"), ("entra", "503-html")])
def test_a_company_whose_source_is_down_is_left_alone_until_it_is_back(
    patient: Growing, system: str, fault: str
) -> None:
    wanted = patient.grow()
    patient.house.faults({"system": system, "fault": fault})
    failed_and_wrote_nothing(patient)
    patient.house.faults()
    repaired(patient, wanted)
