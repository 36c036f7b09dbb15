"""Companies and their leases, company state and its history."""

from __future__ import annotations

import itertools
import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from shared.billing.findings import Finding, FindingKind
from shared.billing.limits import Guards, ReductionLimit
from shared.billing.lines import LedgerRow, LineKey, LineValues
from shared.billing.planning.plan import Change, ChangeKind, Group, Plan
from shared.billing.rules import CompanyLink, CompanyRules, LicenceLink, Mode
from shared.billing.seats import SeatRecord
from shared.errors import Busy, Gone, Incomplete, Refused, Retryable
from shared.state.companies import CompanyStore
from shared.state.company_state import (
    MSP,
    AddHistory,
    CompanyState,
    Drop,
    Put,
    ReadingNote,
    StateChange,
    StateKind,
)
from shared.state.company_state_store import CompanyStateStore
from shared.state.documents import STORED
from shared.state.ignored import IgnoredSku
from shared.state.records import HistoryEntry, Intent, OpenFinding, Signature
from shared.state.rows import Changed
from tests.fakes.tables import InMemoryTables

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
RULES = CompanyRules(
    company=250,
    name="Lakeside Dental",
    mode=Mode.AUTO,
    links=(CompanyLink("microsoft365", "tenant a"), CompanyLink("pushed", "backup/1")),
    licences=(LicenceLink("microsoft365", "sku", price=Decimal("21.50"), start=date(2026, 12, 1)),),
    adopt_marked=True,
    guards=Guards(ReductionLimit(percent=Decimal("12.5"))),
)
KEY = LineKey(250, 7, "policy/microsoft365/sku")
VALUES = LineValues(11, Decimal(5), Decimal("21.50"), date(2026, 12, 1), serial_number="TU1-S-261201-x")
CHANGE = Change(
    ChangeKind.UPDATE, KEY, 99, "M365-BP", VALUES, replace(VALUES, quantity=Decimal(6)), "count", "5 → 6", Decimal(22)
)


@pytest.fixture
def tables() -> InMemoryTables:
    return InMemoryTables()


@pytest.fixture
def companies(tables: InMemoryTables) -> CompanyStore:
    store = CompanyStore(tables)
    store.put_rules(RULES)
    return store


def fail_once(tables: InMemoryTables, moment: str, operation: str) -> None:
    """The next such operation fails at that moment; the store works again afterwards."""

    def fault(when: str, what: str, _table: str) -> None:
        if (when, what) == (moment, operation):
            tables.fault = None
            raise Retryable("the answer got lost")

    tables.fault = fault


def test_a_companys_rules_come_back_as_they_were_put(companies: CompanyStore) -> None:
    assert companies.company_rules(250) == RULES
    changed = replace(RULES, name="Lakeside Dental Group", licences=(), guards=None, mode=Mode.OBSERVE)
    companies.put_rules(changed)
    assert companies.company_rules(250) == changed


def test_of_several_that_put_edits_in_force_the_latest_edit_stands_whoever_comes_last(companies: CompanyStore) -> None:
    first, second = replace(RULES, name="First"), replace(RULES, name="Second", licences=())
    companies.put_rules(first, edition=4)
    companies.put_rules(second, edition=5)
    companies.put_rules(first, edition=4)
    assert companies.company_rules(250) == second
    companies.at_most(250, Mode.APPROVE)
    companies.put_rules(second, edition=5)
    assert companies.company_rules(250).mode is Mode.APPROVE


def test_rules_of_which_part_is_of_another_edit_are_not_shown(companies: CompanyStore, tables: InMemoryTables) -> None:
    companies.put_rules(RULES, edition=1)

    def fault(moment: str, operation: str, table: str) -> None:
        if (moment, operation, table) == ("before", "replace", "Companies"):
            raise Retryable("the store is away")

    tables.fault = fault
    with pytest.raises(Retryable):
        companies.put_rules(replace(RULES, licences=()), edition=2)
    with pytest.raises(Changed, match="just being changed"):
        companies.company_rules(250)
    tables.fault = None
    companies.put_rules(replace(RULES, licences=()), edition=2)
    assert companies.company_rules(250).licences == ()


def test_an_unknown_company_is_none_or_gone(companies: CompanyStore) -> None:
    assert companies.get(9) is None
    with pytest.raises(Gone, match="company 9 is not known"):
        companies.company_rules(9)
    with pytest.raises(Gone, match="company 9 is not known"):
        companies.take_lease(9, "worker", 300, NOW)


def test_all_companies_are_listed_by_id_in_one_round_trip(companies: CompanyStore, tables: InMemoryTables) -> None:
    for number in (1000, 3):
        companies.put_rules(replace(RULES, company=number))
    tables.calls.clear()
    assert [row.id for row in companies.all()] == [3, 250, 1000]
    assert tables.round_trips == 1


def test_a_lease_costs_two_round_trips_to_take_and_one_to_give_back(
    companies: CompanyStore, tables: InMemoryTables
) -> None:
    tables.calls.clear()
    lease = companies.take_lease(250, "claim 1", 300, NOW, run="nightly")
    assert tables.round_trips == 2
    companies.release(lease, outcome="applied", run="nightly", now=NOW + timedelta(seconds=9))
    assert tables.round_trips == 3
    assert lease.until == NOW + timedelta(seconds=300)
    assert (lease.company.links, lease.company.lease_run) == (RULES.links, "nightly")
    row = companies.get(250)
    assert row is not None
    assert (row.last_outcome, row.last_run, row.last_at) == ("applied", "nightly", NOW + timedelta(seconds=9))
    assert (row.lease_owner, row.lease_until, row.lease_token) == (None, None, lease.token)


def test_a_held_company_is_busy_until_the_lease_runs_out_even_for_its_owner(companies: CompanyStore) -> None:
    companies.take_lease(250, "worker", 300, NOW)
    with pytest.raises(Busy) as busy:
        companies.take_lease(250, "worker", 300, NOW + timedelta(seconds=299))
    assert busy.value.retry_after == 1
    assert companies.take_lease(250, "other", 300, NOW + timedelta(seconds=300)).token == 2


def test_rules_saved_during_a_sync_survive_the_release_and_keep_the_lease(companies: CompanyStore) -> None:
    lease = companies.take_lease(250, "worker", 300, NOW)
    companies.put_rules(replace(RULES, mode=Mode.OBSERVE))
    with pytest.raises(Busy):
        companies.take_lease(250, "other", 300, NOW)
    companies.release(lease, outcome="planned", run="r", now=NOW)
    row = companies.get(250)
    assert row is not None
    assert (row.mode, row.last_outcome, row.lease_until) == (Mode.OBSERVE, "planned", None)


def test_a_sku_that_is_ignored_during_a_sync_is_so_from_the_next_one_on(companies: CompanyStore) -> None:
    lease = companies.take_lease(250, "me", 300, NOW)
    companies.change_ignored(250, add=[IgnoredSku("microsoft365", "sku", Signature("pat", NOW))])
    assert lease.company.ignored == ()
    companies.release(lease, outcome="unchanged", run="run", now=NOW)
    assert [each.key for each in companies.take_lease(250, "me", 300, NOW).company.ignored] == [("microsoft365", "sku")]
    with pytest.raises(Gone):
        companies.change_ignored(9, drop=[("microsoft365", "sku")])


def test_a_release_without_an_outcome_leaves_the_last_one(companies: CompanyStore) -> None:
    first = companies.take_lease(250, "worker", 300, NOW)
    companies.release(first, outcome="applied", run="r1", now=NOW)
    second = companies.take_lease(250, "worker", 300, NOW)
    companies.release(second, outcome=None, run=None, now=NOW)
    row = companies.get(250)
    assert row is not None
    assert (row.last_outcome, row.last_run) == ("applied", "r1")


def test_a_release_whose_answer_got_lost_may_be_repeated(companies: CompanyStore, tables: InMemoryTables) -> None:
    lease = companies.take_lease(250, "worker", 300, NOW)
    fail_once(tables, "after", "replace")
    with pytest.raises(Retryable):
        companies.release(lease, outcome="applied", run="r", now=NOW)
    companies.release(lease, outcome="applied", run="r", now=NOW)
    row = companies.get(250)
    assert row is not None
    assert (row.last_outcome, row.lease_until) == ("applied", None)


def test_a_lease_whose_answer_got_lost_holds_until_it_runs_out(companies: CompanyStore, tables: InMemoryTables) -> None:
    fail_once(tables, "after", "replace")
    with pytest.raises(Retryable):
        companies.take_lease(250, "worker", 300, NOW)
    with pytest.raises(Busy):
        companies.take_lease(250, "worker", 300, NOW)
    assert companies.take_lease(250, "worker", 300, NOW + timedelta(seconds=300)).token == 2


def test_a_stale_lease_writes_nothing(companies: CompanyStore) -> None:
    stale = companies.take_lease(250, "slow", 300, NOW)
    companies.take_lease(250, "quick", 300, NOW + timedelta(seconds=300))
    before = companies.get(250)
    with pytest.raises(Busy, match="somebody else took it"):
        companies.release(stale, outcome="applied", run="r", now=NOW)
    assert companies.get(250) == before


def everything() -> list[StateChange]:
    return [
        Put(StateKind.READING, ("microsoft365", "tenant/a"), NOTE),
        Put(StateKind.SEATS, str(KEY), SEATS),
        Put(StateKind.LEDGER, LEDGER.stamp, LEDGER),
        Put(StateKind.INTENT, "i1", Intent("i1", "run", NOW, CHANGE)),
        Put(StateKind.FINDING, (FindingKind.DRIFT, "7/99"), FINDING),
        Put(StateKind.PLAN, "", PLAN),
    ]


NOTE = ReadingNote("microsoft365", "tenant/a", NOW.date(), {"sku": (Decimal(6), None), "b": (Decimal(1), Decimal(0))})
SEATS = SeatRecord(str(KEY)).with_reading(date(2026, 11, 21), Decimal(6), date(2026, 12, 1))
LEDGER = LedgerRow("TU1-S-261201-x", KEY, 99, "M365-BP", VALUES)
FINDING = OpenFinding(Finding(FindingKind.DRIFT, "7/99", "A person changed the quantity.", "Decide."), NOW)
PLAN = Plan(250, (Group("policy/microsoft365/sku", (CHANGE,), held="a person must look"),), frozen=frozenset({"x"}))


def test_a_companys_state_is_read_in_one_round_trip_without_its_history(
    companies: CompanyStore, tables: InMemoryTables
) -> None:
    store = CompanyStateStore(tables)
    entries = [HistoryEntry(f"h{number}", NOW, "r", "worker", 99, CHANGE) for number in range(60)]
    store.commit(250, [*everything(), *(AddHistory(entry) for entry in entries)])
    tables.calls.clear()
    assert store.load(250) == CompanyState(
        licences=RULES.licences,
        guards=RULES.guards,
        adopt_marked=True,
        readings={("microsoft365", "tenant/a"): NOTE},
        seats={str(KEY): SEATS},
        ledger={LEDGER.stamp: LEDGER},
        intents={"i1": Intent("i1", "run", NOW, CHANGE)},
        findings={("drift", "7/99"): FINDING},
        plan=PLAN,
    )
    assert tables.calls == {("query", "CompanyState"): 1}


def test_a_step_is_one_transaction_and_happens_whole_or_not_at_all(tables: InMemoryTables) -> None:
    store = CompanyStateStore(tables)
    store.commit(250, everything())
    assert tables.calls == {("transact", "CompanyState"): 1}
    fail_once(tables, "before", "transact")
    with pytest.raises(Retryable):
        store.commit(250, [Drop(StateKind.PLAN, ""), Drop(StateKind.INTENT, "i1")])
    assert store.load(250).plan == PLAN
    fail_once(tables, "after", "transact")
    with pytest.raises(Retryable):
        store.commit(250, [Drop(StateKind.PLAN, ""), Drop(StateKind.INTENT, "i1")])
    store.commit(250, [Drop(StateKind.PLAN, ""), Drop(StateKind.INTENT, "i1")])
    state = store.load(250)
    assert (state.plan, state.intents) == (None, {})


def a_large_plan(seed: int, groups: int = 110) -> Plan:
    """Some 50 KB a group that cannot be compressed any further: invoice texts with the names of many users."""
    names = random.Random(seed)
    values = [replace(VALUES, invoice_description=names.randbytes(50_000).hex()) for _ in range(groups)]
    changes = [replace(CHANGE, after=each) for each in values]
    return Plan(250, tuple(Group(f"policy/microsoft365/{number}", (each,)) for number, each in enumerate(changes)))


def test_a_plan_of_five_megabytes_comes_back_whole_and_leaves_nothing_behind(tables: InMemoryTables) -> None:
    store = CompanyStateStore(tables)
    store.commit(250, everything())
    plan = a_large_plan(1)
    store.commit(250, [Put(StateKind.PLAN, "", plan)])
    rows = tables.rows("CompanyState", "250")
    assert sum(len(value) for row in rows for value in row.values.values() if isinstance(value, bytes)) > 5_000_000
    state = store.load(250)
    assert (state.plan, state.ledger) == (plan, {LEDGER.stamp: LEDGER})

    store.commit(250, [Put(StateKind.PLAN, "", PLAN)], state.rest)
    assert (store.load(250).plan, store.load(250).rest) == (PLAN, frozenset())
    assert len(tables.rows("CompanyState", "250")) == len(everything())


def test_a_worker_that_dies_between_the_rows_of_a_plan_leaves_the_old_one_or_the_new_one(
    tables: InMemoryTables,
) -> None:
    store = CompanyStateStore(tables)
    old, new = a_large_plan(1, groups=50), a_large_plan(2, groups=50)
    store.commit(250, [Put(StateKind.PLAN, "", old)])
    seen: list[Plan | None] = []
    for survived in itertools.count():
        die_after(tables, survived)
        with suppress(Retryable):
            store.commit(250, [Put(StateKind.PLAN, "", new)], store.load(250).rest)
            break
        tables.fault = None
        seen.append(store.load(250).plan)
        assert seen[-1] in (old, new)
    tables.fault = None
    assert seen.count(old) >= 2
    assert store.load(250).plan == new
    assert len(tables.rows("CompanyState", "250")) == 1 + len(store.load(250).rest)


def die_after(tables: InMemoryTables, transactions: int) -> None:
    """The store takes so many transactions more and no other."""
    left = [transactions]

    def fault(moment: str, operation: str, _table: str) -> None:
        if (moment, operation) == ("before", "transact"):
            left[0] -= 1
            if left[0] < 0:
                raise Retryable("the store is away")

    tables.fault = fault


def test_a_plan_that_is_written_while_somebody_reads_is_read_again(tables: InMemoryTables) -> None:
    store = CompanyStateStore(tables)
    plan = a_large_plan(1, groups=40)
    store.commit(250, [Put(StateKind.PLAN, "", plan)])
    lost = next(row for row in tables.rows("CompanyState", "250") if row.row.startswith("rest|"))
    tables.delete("CompanyState", "250", lost.row)
    with pytest.raises(Incomplete, match="damaged or missing"):
        store.load(250)

    def written(moment: str, operation: str, _table: str) -> None:
        if (moment, operation) == ("after", "query"):
            tables.fault = None
            tables.put("CompanyState", "250", lost.row, lost.values)

    tables.fault = written
    assert store.load(250).plan == plan


def test_of_two_changes_to_one_row_the_later_counts(tables: InMemoryTables) -> None:
    store = CompanyStateStore(tables)
    put, drop = Put(StateKind.PLAN, "", PLAN), Drop(StateKind.PLAN, "")
    store.commit(250, [put, drop])
    assert store.load(250).plan is None
    store.commit(250, [drop, put])
    assert store.load(250).plan == PLAN


def test_companies_and_the_msp_itself_do_not_see_each_others_state(tables: InMemoryTables) -> None:
    store = CompanyStateStore(tables)
    store.commit(MSP, [Put(StateKind.FINDING, ("customer-new", "t"), FINDING)])
    store.commit(250, [Put(StateKind.PLAN, "", PLAN)])
    assert store.load(MSP).findings == {("customer-new", "t"): FINDING}
    assert store.load(25) == CompanyState()
    assert store.load(250).findings == {}


def test_history_is_newest_first_and_its_pages_neither_overlap_nor_lose_entries(tables: InMemoryTables) -> None:
    store = CompanyStateStore(tables)
    times = [NOW, NOW, NOW, NOW + timedelta(microseconds=1), NOW - timedelta(days=400)]
    entries = [HistoryEntry(f"h{n}", at, "r", "worker", None, CHANGE) for n, at in enumerate(times)]
    store.commit(250, [AddHistory(entry) for entry in entries])
    store.commit(250, [AddHistory(entries[0])])
    seen = store.history(250, 2)
    while page := store.history(250, 2, before=(seen[-1].at, seen[-1].id)):
        seen += page
    assert [entry.id for entry in seen] == ["h3", "h0", "h1", "h2", "h4"]
    assert seen[1] == entries[0]


def test_state_of_a_newer_trueup_is_refused(tables: InMemoryTables) -> None:
    tables.put("CompanyState", "250", "plan|", {"schema": STORED + 1, "json": "{}"})
    with pytest.raises(Refused, match="newer TrueUp"):
        CompanyStateStore(tables).load(250)
    tables.put("CompanyState", "251", "dream|", {"schema": 1, "json": "{}"})
    with pytest.raises(Refused, match="unknown kind 'dream'"):
        CompanyStateStore(tables).load(251)
