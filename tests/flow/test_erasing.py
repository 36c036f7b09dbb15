"""A company is erased: nothing of it is left but which lines were written, and nobody else's is touched."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from shared.billing.rules import CompanyLink, CompanyRules, Mode
from shared.billing.usage import MonthlyUsage
from shared.contacts.kept import Kept
from shared.errors import Busy, Gone, Refused
from shared.state.balances import CompanyBalance
from shared.state.company_state import Drop, StateKind
from shared.state.health import HealthStore, KnownHealth
from shared.state.records import Signature
from shared.state.rows import Changed
from shared.state.tickets import TicketRow, TicketStore
from shared.state.usage import UsageStore
from shared.sync.approvals import Person
from shared.sync.erasing import erase
from shared.sync.lanes import start_run
from shared.sync.mapping.skus import ignore
from shared.sync.night import nightly
from shared.sync.retention import prune
from shared.sync.rulebook import export_rules, import_rules
from tests import builders as b
from tests.fakes.house import House, Killed

ROOT = Path(__file__).parents[2]
BOSS = Person("boss@msp.example", "203.0.113.9")
DAY = date(2026, 11, 21)
#: Tables whose rows about a company age by themselves, as docs/operate.md says.
AGEING = {"Runs", "Rules"}


@pytest.fixture
def house() -> House:
    """Companies 1 and 2, both billed; the invoice names the users. Everything that can be kept of them is."""
    house = House()
    house.rules(b.rules(b.profile(invoice_text="{product}: {users}")))
    for company in (1, 2):
        house.company(company, [b.count(2, holders=(f"Ada of {company}", f"Bo of {company}"))])
        house.sync(company)
        keep_everything(house, company)
    return house


def keep_everything(house: House, company: int) -> None:
    ports, at, tenant = house.ports, house.clock.now(), f"tenant-{company}"
    reading = house.source.read(tenant, DAY)
    ports.readings.put(b.SOURCE, [reading], at)
    ports.readings.add(b.SOURCE, [reading], at)
    ports.vendor_invoices.take(b.SOURCE, [reading], "invoice-7")
    ports.pushes.update(b.SOURCE, tenant, lambda pushed: replace(pushed, name=f"Company {company}"))
    ports.balances.put(CompanyBalance(company, DAY, Mode.AUTO))
    ports.contact_rows.put(company, [Kept("account-1", b.SOURCE, tenant)])
    ports.due.add(company, at)
    ports.directory.ignore((b.SOURCE, tenant), Signature("clerk", at))
    ignore(ports, [(company, b.SOURCE, "a-sku")], BOSS)
    UsageStore(house.tables).put(b.SOURCE, DAY, [MonthlyUsage(tenant, f"Company {company}", "USD", ())])
    HealthStore(house.tables).keep([KnownHealth(b.SOURCE, tenant, at)], [])
    TicketStore(house.tables).save(TicketRow("board", f"stamp-{company}", company, "A finding", "A text"))


def left(house: House) -> None:
    """The customer has gone: its lines ended weeks ago, and the rules name it no more."""
    put(house, CompanyLink(b.SOURCE, "tenant-1", removed=True))
    house.sync(1)
    house.clock.time = datetime(2027, 2, 1, 2, tzinfo=UTC)
    put(house)


def put(house: House, *links: CompanyLink) -> None:
    house.ports.companies.put_rules(CompanyRules(1, "Company 1", Mode.AUTO, links))


def rows_about(house: House, *words: str) -> set[tuple[str, str]]:
    """Table and key of every row in which one of these words stands."""
    return {
        (table, row.row)
        for table, row in house.tables.everything()
        if any(word in f"{row.partition} {row.row} {row.values}" for word in words)
    }


def tables_of(rows: Iterable[tuple[str, str]]) -> set[str]:
    return {table for table, _ in rows}


def test_nothing_of_an_erased_company_is_left_but_which_lines_were_written(house: House) -> None:
    others = rows_about(house, "tenant-2", "Ada of 2", "Company 2")
    assert tables_of(rows_about(house, "tenant-1", "Ada of 1", "Company 1")) >= {
        "Companies",
        "CompanyState",
        "Directory",
        "Notices",
        "Pushed",
        "Readings",
        "Usage",
        "VendorInvoices",
    }
    left(house)

    assert erase(house.ports, 1, BOSS) == ((b.SOURCE, "tenant-1"),)

    assert tables_of(rows_about(house, "tenant-1", "Ada of 1", "Bo of 1", "Company 1")) <= AGEING
    assert house.state(1) == type(house.state(1))()
    assert house.ports.balances.of_company(1, DAY) == []
    assert house.ports.contact_rows.of(1) == {}
    assert [due.company for due in house.ports.due.all()] == [2]
    assert [row.company for row in TicketStore(house.tables).of("board").values()] == [2]
    assert set(house.ports.directory.ignored()) == {(b.SOURCE, "tenant-2")}
    assert [len(row.ignored) for row in house.ports.companies.all()] == [0, 1]
    assert rows_about(house, "tenant-2", "Ada of 2", "Company 2") == others


def test_a_customer_is_forgotten_whatever_the_case_in_which_it_was_linked(house: House) -> None:
    put(house, CompanyLink(b.SOURCE, "TENANT-1"))
    house.sync(1)
    put(house)
    house.ports.company_state.commit(1, [Drop(StateKind.READING, (b.SOURCE, "tenant-1"))])
    house.manage.lines.clear()
    house.ports.company_state.commit(1, [Drop(StateKind.LEDGER, stamp) for stamp in house.state(1).ledger])
    assert list(house.state(1).readings) == [(b.SOURCE, "TENANT-1")]

    erase(house.ports, 1, BOSS)

    assert list(HealthStore(house.tables).all()) == [(b.SOURCE, "tenant-2")]
    assert (b.SOURCE, "tenant-1") not in house.ports.directory.ignored()


def test_what_was_written_stays_with_its_reason_and_who_erased_the_rest(house: House) -> None:
    before = [entry for entry in house.ports.company_state.history(1, 100) if entry.change is not None]
    left(house)

    erase(house.ports, 1, BOSS)

    note, *entries = house.ports.company_state.history(1, 100)
    assert (note.signed.by, note.signed.origin) == ("boss@msp.example", "203.0.113.9")
    assert "erased" in note.note
    written = {entry.id: entry.change for entry in entries}
    assert before
    for entry in before:
        kept = written[entry.id]
        assert "Ada" in entry.change.after.invoice_description
        assert kept.after == entry.change.after.changed(invoice_description="")
        assert (kept.key, kept.reason, kept.sentence) == (entry.change.key, entry.change.reason, entry.change.sentence)


def test_no_night_looks_at_an_erased_company_and_its_history_goes_with_the_retention(house: House) -> None:
    left(house)
    erase(house.ports, 1, BOSS)

    row = house.ports.companies.get(1)
    assert (row.name, row.links, row.last_run, row.mode) == ("erased", (), None, Mode.OBSERVE)
    house.clock.pass_by(days=4_000)
    for _ in range(7):
        house.clock.pass_by(days=1)
        prune(house.ports)
    assert house.ports.company_state.history(1, 100) == []


def test_the_rules_can_be_exported_and_imported_after_a_company_was_erased(house: House) -> None:
    left(house)
    house.ports.companies.put_rules(CompanyRules(1, "Company 1"), edition=3)

    erase(house.ports, 1, BOSS)

    document = export_rules(house.ports)
    assert "Company 2" in document
    import_rules(house.ports, document)
    house.ports.companies.put_rules(CompanyRules(1, "Company 1"), edition=3)  # by a worker that comes late
    assert house.ports.companies.get(1).name == "erased"


@pytest.mark.parametrize("table", ["CompanyState", "Companies"])
def test_a_company_that_is_linked_again_while_it_is_erased_keeps_its_rules(house: House, table: str) -> None:
    left(house)
    house.ports.companies.put_rules(CompanyRules(1, "Company 1"), edition=3)
    again = CompanyRules(1, "Company 1", Mode.AUTO, (CompanyLink(b.SOURCE, "tenant-1"),), billed_through={7: DAY})

    def edits(moment: str, operation: str, written: str) -> None:
        if (moment, operation, written) == ("before", "replace" if table == "Companies" else "transact", table):
            house.tables.fault = None
            house.ports.companies.put_rules(again, edition=4)

    original = house.ports.erasure.forget_company

    def forget(company: int, months: Iterable[date]) -> None:
        original(company, months)
        house.tables.fault = edits

    house.ports.erasure.forget_company = forget
    with pytest.raises(Changed):
        erase(house.ports, 1, BOSS)

    assert house.ports.companies.company_rules(1) == again
    assert house.ports.companies.get(1).lease_owner is None


def test_a_customer_that_another_company_is_linked_to_stays(house: House) -> None:
    left(house)
    shared = CompanyLink(b.SOURCE, "tenant-1")
    house.ports.companies.put_rules(CompanyRules(2, "Company 2", Mode.AUTO, (shared,)))

    assert erase(house.ports, 1, BOSS) == ()

    assert house.ports.readings.get(b.SOURCE, "tenant-1") is not None


def test_a_company_that_is_linked_or_billed_is_not_erased(house: House) -> None:
    standing = rows_about(house, "tenant-1")
    with pytest.raises(Refused, match="still link it"):
        erase(house.ports, 1, BOSS)
    put(house)
    with pytest.raises(Refused, match="1 lines of ours are still billed") as refused:
        erase(house.ports, 1, BOSS)

    assert "removed: true" in refused.value.remedy
    assert house.manage.lines
    assert standing - {("Companies", "0000000001")} <= rows_about(house, "tenant-1")
    assert house.ports.companies.get(1).lease_owner is None
    with pytest.raises(Gone):
        erase(house.ports, 77, BOSS)


def test_nobody_erases_a_company_that_somebody_works_on(house: House) -> None:
    left(house)
    house.ports.companies.take_lease(1, "worker", 300, house.clock.now())

    with pytest.raises(Busy):
        erase(house.ports, 1, BOSS)


def test_an_erasure_that_breaks_off_anywhere_is_finished_by_the_next(house: House) -> None:
    left(house)
    tried = 0
    while tried < 100:
        calls = iter(range(tried + 5))

        def dies(moment: str, operation: str, table: str, calls=calls) -> None:
            if moment == "after" and operation in ("delete", "transact", "put") and next(calls, None) is None:
                raise Killed

        house.tables.fault = dies
        try:
            erase(house.ports, 1, BOSS)
            break
        except Killed:
            tried += 1
            house.tables.fault = None
            house.clock.pass_by(minutes=10)

    assert tried > 3
    house.tables.fault = None
    assert tables_of(rows_about(house, "tenant-1", "Ada of 1", "Company 1")) <= AGEING


def test_the_guide_names_every_table_and_what_of_a_customer_stands_in_it() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "shared/state").glob("*.py")]
    tables = {name for text in sources for name in re.findall(r'^TABLE = "(\w+)"', text, re.M)}
    guide = (ROOT / "docs/operate.md").read_text(encoding="utf-8").split("erasing a customer\n")[1].split("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \| ([^|]{4,}) \| ([^|]{4,}) \|$", guide, re.M)

    assert len(tables) >= 17
    assert [name for name, _, _ in told] == sorted(tables)


def test_an_open_run_that_comes_past_an_erased_company_does_not_bring_it_back_into_the_nights(house: House) -> None:
    left(house)
    start_run(house.ports, "open", "demand", [1, 2])
    erase(house.ports, 1, BOSS)
    house.work_until_done("open")
    nightly(house.ports)
    assert [row.company for row in house.ports.runs.rows("2027-02-01-nightly")] == [2]
