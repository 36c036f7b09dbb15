"""Syncing one company: what is written, what is recorded, what happens when something says no."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from shared.billing.counts import FailureKind
from shared.billing.rules import Mode
from shared.errors import Busy, Gone, Incomplete, NoEffect, NotPermitted, OutcomeUnknown, Refused, Retryable
from shared.state.company_state import MSP
from shared.state.records import Outcome
from shared.sync import demand
from shared.sync.company import Order, Synced, sync_company
from tests import builders as b
from tests.fakes.house import House

D = Decimal


@pytest.fixture
def house() -> House:
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(5)], [b.addition(11, 4)])
    house.company(2, [b.count(8)])
    return house


def sync(house: House, company: int, mode: Mode | None = None, run: str = "run") -> Synced:
    return sync_company(house.ports, Order(company, run, "me", mode))


def state(house: House, company: int):
    return house.ports.company_state.load(company)


def kinds(house: House, company: int) -> list[str]:
    return sorted(kind for kind, _ in state(house, company).findings)


def test_each_reading_that_failed_is_one_line_of_the_log_with_which_the_vendor_can_be_asked(house, caplog):
    house.source.failing["tenant-1"] = FailureKind.CONSENT_LOST

    sync(house, 1, run="2026-11-21-nightly")
    sync(house, 2, run="2026-11-21-nightly")

    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [
        f"company 1 in run 2026-11-21-nightly: {b.SOURCE} was not read (consent-lost, request req-7): "
        "It did not answer."
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Refused("no such product", system="Manage"), f"{b.SOURCE}/{b.PREMIUM}: Manage: no such product"),
        (OutcomeUnknown("no answer", system="Manage"), "outcome unknown: Manage: no answer"),
    ],
)
def test_each_write_that_failed_is_told_in_the_log_with_its_run(house, caplog, error, said):
    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("before", "create"):
            raise error

    house.manage.fault = fault
    sync(house, 2, run="2026-11-21-nightly")

    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings[0] == f"company 2 in run 2026-11-21-nightly: {said}"


def test_what_could_not_be_recorded_or_looked_at_after_a_write_is_told_in_the_log_with_its_run(house, caplog):
    def busy(moment: str, operation: str, table: str) -> None:
        if house.manage.writes and (moment, operation, table) == ("before", "transact", "CompanyState"):
            raise Retryable("the store is busy", system="storage")

    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("before", "agreements") and house.manage.writes:
            raise Retryable("Manage is busy", system="Manage")

    house.tables.fault, house.manage.fault = busy, fault
    sync(house, 2, run="2026-11-21-nightly")

    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings[:2] == [
        "company 2 in run 2026-11-21-nightly: not recorded: storage: the store is busy",
        "company 2 in run 2026-11-21-nightly: not known whether it was invoiced meanwhile: Manage: Manage is busy",
    ]


def test_a_company_is_brought_up_to_date_and_a_second_look_writes_nothing(house):
    assert sync(house, 1).report.outcome is Outcome.APPLIED
    assert sync(house, 2).report.written == {"created": 1}
    assert {line.quantity for line in house.manage.lines.values()} == {D(5), D(8)}

    writes = house.manage.writes
    assert [sync(house, company).report.outcome for company in (1, 2)] == [Outcome.UNCHANGED] * 2
    assert house.manage.writes == writes


def test_an_unchanged_company_costs_one_read_of_the_source_one_of_agreements_and_one_of_additions(house):
    sync(house, 1)
    house.clock.pass_by(days=2)
    house.manage.calls.clear()
    house.source.reads.clear()
    trips = house.tables.round_trips

    assert sync(house, 1).report.outcome is Outcome.UNCHANGED
    assert dict(house.manage.calls) == {"agreements": 1, "additions": 1}
    assert dict(house.source.reads) == {"tenant-1": 1}
    assert house.tables.round_trips - trips <= 6


def test_the_first_look_at_a_company_reads_every_active_agreement_and_a_sweep_does_so_again_once_a_week(house):
    house.manage.agreements_[1502] = b.agreement(1502, company_id=1, type="Backup")
    sync(house, 1)
    reads = []
    for _ in range(7):
        house.clock.pass_by(days=1)
        house.manage.calls.clear()
        sync(house, 1)
        reads.append(house.manage.calls["additions"])

    assert sorted(reads) == [1, 1, 1, 1, 1, 1, 2]


def test_observe_plans_and_records_but_never_writes(house):
    house.company(1, [b.count(5)], [b.addition(11, 4)], mode=Mode.OBSERVE)

    synced = sync(house, 1, Mode.AUTO)
    assert synced.report.outcome is Outcome.PLANNED
    assert synced.report.planned == {"updated": 1}
    assert synced.report.monthly_delta == "25.00"
    assert house.manage.writes == 0
    assert len(state(house, 1).plan.groups) == 1
    assert state(house, 1).readings[b.SOURCE, "tenant-1"].skus == {b.PREMIUM: (D(5), D(5))}
    assert len(state(house, 1).seats) == 1


def test_a_mode_asked_for_can_only_be_more_careful(house):
    assert sync(house, 1, Mode.OBSERVE).report.outcome is Outcome.PLANNED
    assert house.manage.writes == 0


def test_what_was_written_stands_in_ledger_and_history_with_manages_request_id(house):
    sync(house, 1, run="2026-11-21-nightly")

    rows = list(state(house, 1).ledger.values())
    assert [(row.addition_id, row.values.quantity, row.keeps_price) for row in rows] == [(11, D(5), True)]
    (entry,) = house.ports.company_state.history(1, 10)
    assert (entry.run, entry.actor, entry.addition) == ("2026-11-21-nightly", "night", 11)
    assert entry.request_id
    assert entry.change.before.quantity == 4
    assert "5 instead of 4" in entry.change.sentence
    assert state(house, 1).plan.groups == ()
    assert state(house, 1).intents == {}


def test_what_is_bought_for_the_first_time_after_a_night_is_charged_from_the_vendors_own_day(house):
    house.company(3)
    sync(house, 3)
    house.clock.pass_by(days=1)
    house.count(3, replace(b.count(2, customer="tenant-3"), changed=((date(2026, 11, 21), D(2)),)))
    sync(house, 3)

    (once,) = [line for line in house.manage.lines.values() if line.agreement_id == 1003 and line.cancelled_date]
    assert (once.quantity, once.unit_price) == (D(2), D("7.50"))  # nine of November's thirty days


def test_a_company_without_links_is_skipped(house):
    house.ports.companies.put_rules(b.company(company=3, links=()))

    assert sync(house, 3).report.outcome is Outcome.SKIPPED
    assert house.manage.calls.total() == 0


def test_an_unknown_company_is_gone_and_a_held_one_is_busy(house):
    with pytest.raises(Gone):
        sync(house, 77)
    house.ports.companies.take_lease(1, "another", 300, house.clock.now())
    with pytest.raises(Busy):
        sync(house, 1)


def test_a_failed_reading_leaves_the_lines_and_opens_a_finding_that_closes_when_it_heals(house):
    sync(house, 1)
    house.source.failing["tenant-1"] = FailureKind.CONSENT_LOST
    writes = house.manage.writes

    synced = sync(house, 1)
    assert synced.report.outcome is Outcome.FAILED
    assert house.manage.writes == writes
    assert kinds(house, 1) == ["consent-lost"]
    note = state(house, 1).readings[b.SOURCE, "tenant-1"]
    assert (note.failure, note.skus) == ("It did not answer.", {b.PREMIUM: (D(5), D(5))})

    house.source.failing.clear()
    assert sync(house, 1).report.outcome is Outcome.UNCHANGED
    assert kinds(house, 1) == []


def test_a_finding_keeps_the_time_at_which_it_opened(house):
    house.count(1, b.count(5, assigned=3))
    sync(house, 1)
    opened = state(house, 1).findings["unassigned", f"{b.SOURCE}/{b.PREMIUM}/{b.TENANT}"].opened
    house.clock.pass_by(days=1)
    house.count(1, b.count(5, assigned=2))
    sync(house, 1)

    standing = state(house, 1).findings["unassigned", f"{b.SOURCE}/{b.PREMIUM}/{b.TENANT}"]
    assert standing.opened == opened
    assert "3 of 5" in standing.finding.text


def test_a_source_that_is_not_connected_is_a_failed_reading(house):
    house.source.name = "elsewhere"
    house.ports.sources.pop(b.SOURCE)  # type: ignore[attr-defined]

    assert sync(house, 1).report.outcome is Outcome.FAILED
    assert kinds(house, 1) == ["read-failed"]


@pytest.mark.parametrize(
    "error",
    [
        Retryable("no answer", system="Manage"),
        Incomplete("HTML", system="Manage"),
        NotPermitted("role", system="Manage"),
    ],
)
def test_manage_that_cannot_be_read_fails_this_company_and_changes_nothing(house, error):
    def fault(moment, method):
        if method == "agreements":
            raise error

    house.manage.fault = fault
    synced = sync(house, 1)

    assert synced.report.outcome is Outcome.FAILED
    assert str(error) in synced.report.note
    assert kinds(house, 1) == ["read-failed"]
    assert house.manage.writes == 0
    house.manage.fault = lambda moment, method: None
    assert sync(house, 1).report.outcome is Outcome.APPLIED
    assert kinds(house, 1) == []


def test_a_held_group_is_not_written_but_the_others_are(house):
    profiles = (b.profile(), b.profile(id="standard", product="M365-BS"))
    from shared.billing.rules import SkuPolicy

    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "standard")]
    house.rules(b.rules(*profiles, policies=policies))
    house.company(1, [b.count(1), b.count(3, sku=b.STANDARD)], [b.addition(11, 100)])

    synced = sync(house, 1)
    assert synced.report.outcome is Outcome.HELD
    assert synced.report.written == {"created": 1}
    assert house.manage.lines[11].quantity == 100
    assert [group.held is not None for group in state(house, 1).plan.groups] == [True]


# ---- writes that go wrong


def failing(house: House, method: str, moment: str, error: Exception, times: int = 1) -> None:
    left = [times]

    def fault(when: str, what: str) -> None:
        if (when, what) == (moment, method) and left[0] > 0:
            left[0] -= 1
            raise error

    house.manage.fault = fault


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("company", "method"), [(1, "update"), (2, "create")])
def test_an_unknown_outcome_is_never_repeated_in_the_same_attempt_and_resolved_by_looking(
    house, company, method, moment
):
    failing(house, method, moment, OutcomeUnknown("reset", system="Manage"))

    synced = sync(house, company)
    assert synced.report.outcome is Outcome.FAILED
    assert synced.again_in == house.ports.limits.settling
    assert house.manage.calls[method] == 1
    assert len(state(house, company).intents) == 1

    house.clock.pass_by(seconds=synced.again_in + 1)
    again = sync(house, company)
    assert again.report.outcome in (Outcome.APPLIED, Outcome.UNCHANGED)
    assert state(house, company).intents == {}
    assert len([line for line in house.manage.lines.values() if line.agreement_id == company + 1000]) == 1
    assert len(house.ports.company_state.history(company, 10)) == 1
    assert len(state(house, company).ledger) == 1


def test_an_effect_that_is_seen_at_once_needs_no_waiting(house):
    failing(house, "create", "after", OutcomeUnknown("reset", system="Manage"))
    sync(house, 2)

    house.clock.pass_by(seconds=1)
    assert sync(house, 2).report.written == {"created": 1}, "what is found done has reached Manage"
    assert sync(house, 2).report.outcome is Outcome.UNCHANGED
    assert house.manage.calls["create"] == 1


def test_while_a_write_may_still_arrive_its_item_is_left_alone_and_a_late_arrival_is_not_doubled(house):
    late = []

    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("before", "create"):
            late.append(True)
            raise OutcomeUnknown("no answer", system="Manage")

    house.manage.fault = fault
    first = sync(house, 2)
    house.clock.pass_by(seconds=5)
    second = sync(house, 2)
    assert second.again_in is not None
    assert second.again_in <= first.again_in
    assert len(late) == 1, "nothing is posted while the first one may still arrive"

    change = next(iter(state(house, 2).intents.values())).change
    house.manage.create(1002, change.fields())
    house.manage.fault = lambda moment, method: None
    house.clock.pass_by(seconds=first.again_in)
    assert sync(house, 2).report.outcome is Outcome.APPLIED
    assert sync(house, 2).report.outcome is Outcome.UNCHANGED
    assert house.manage.calls["create"] == 1
    assert len(house.manage.lines) == 2


def test_a_line_that_appears_under_our_stamp_before_the_create_is_not_doubled(house):
    real = house.manage.additions_stamped

    def look(agreement: int, stamp: str):
        house.manage.create(agreement, {"product_id": 88, "serial_number": stamp, "quantity": D(8)})
        return real(agreement, stamp)

    house.manage.additions_stamped = look  # type: ignore[method-assign]
    assert sync(house, 2).report.outcome is Outcome.FAILED
    assert house.manage.calls["create"] == 0
    house.manage.additions_stamped = real  # type: ignore[method-assign]
    sync(house, 2)
    assert len([line for line in house.manage.lines.values() if line.agreement_id == 1002]) == 1


@pytest.mark.parametrize("error", [Refused("bad field", system="Manage"), Gone("not there", system="Manage")])
def test_a_refused_write_is_a_finding_and_the_next_success_closes_it(house, error):
    failing(house, "update", "before", error)

    assert sync(house, 1).report.outcome is Outcome.FAILED
    assert kinds(house, 1) == ["write-failed"]
    assert state(house, 1).intents == {}
    assert len(state(house, 1).plan.groups) == 1
    assert sync(house, 1).report.outcome is Outcome.APPLIED
    assert kinds(house, 1) == []


def test_a_success_without_effect_is_told_and_tried_again_next_time(house):
    failing(house, "update", "before", NoEffect("quantity is still 4", system="Manage"))

    assert "quantity is still 4" in sync(house, 1).report.note
    assert house.manage.lines[11].quantity == 4
    assert sync(house, 1).report.outcome is Outcome.APPLIED


def test_a_create_whose_answer_is_not_what_was_asked_is_looked_at_before_anything_else(house):
    failing(house, "create", "after", NoEffect("the price is another", system="Manage"))

    synced = sync(house, 2)
    assert synced.again_in is not None
    assert len(state(house, 2).intents) == 1


def test_a_missing_permission_stops_all_writes_of_the_company(house):
    failing(house, "update", "before", NotPermitted("Edit on Agreements", system="Manage", remedy="Grant it."), 9)

    synced = sync(house, 1)
    assert synced.report.outcome is Outcome.FAILED
    assert synced.again_in is None
    assert house.manage.calls["update"] == 1


def test_a_throttled_write_puts_the_company_back(house):
    failing(house, "update", "before", Retryable("429", system="Manage"))

    assert sync(house, 1).again_in is not None
    assert state(house, 1).intents == {}


def test_no_write_begins_with_too_little_lease_left(house):
    def slow(moment: str, method: str) -> None:
        if method == "additions" and moment == "after":
            house.clock.pass_by(seconds=house.ports.limits.lease * 0.9)

    house.manage.fault = slow
    synced = sync(house, 1)

    assert synced.report.outcome is Outcome.FAILED
    assert "time" in synced.report.note
    assert house.manage.writes == 0


def test_a_lost_store_finds_its_lines_again_and_writes_nothing(house):
    sync(house, 1)
    sync(house, 2)
    fresh = House()
    fresh.manage.lines, fresh.manage.agreements_ = house.manage.lines, house.manage.agreements_
    fresh.source.counts = house.source.counts
    fresh.rules(b.rules())
    for company in (1, 2):
        rules = house.ports.companies.company_rules(company)
        fresh.ports.companies.put_rules(rules)
        assert sync(fresh, company).report.outcome is Outcome.UNCHANGED
        assert state(fresh, company).ledger.keys() == state(house, company).ledger.keys()
        (row,) = state(fresh, company).ledger.values()
        (entry,) = fresh.ports.company_state.history(company, 10)
        assert entry.addition == row.addition_id
        assert f"found by its stamp {row.stamp} and taken up as it stands ({row.values.quantity} × " in entry.note
    assert fresh.manage.writes == 0


# ---- on demand


def test_a_sync_on_demand_works_inline_and_gives_its_lease_back(house):
    synced = demand.sync_now(house.ports, 1, None, "api")

    assert synced.report.outcome is Outcome.APPLIED
    assert house.ports.companies.get(1).lease_until is None
    assert house.ports.company_state.history(1, 1)[0].actor == "api"


def test_a_run_on_demand_refuses_unknown_companies_before_it_starts(house):
    with pytest.raises(Gone, match="77"):
        demand.sync_in_run(house.ports, [1, 77], None)
    assert house.ports.runs.headers(5) == []

    run = demand.sync_in_run(house.ports, None, Mode.OBSERVE)
    house.work_until_done(run)
    assert house.ports.runs.header(run).outcomes == {"planned": 2}
    assert house.manage.writes == 0


def test_a_worker_that_breaks_down_gives_its_lease_back(house):
    house.source.read = None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        sync(house, 1)

    assert house.ports.companies.get(1).lease_until is None
    assert house.ports.companies.get(1).last_outcome == "failed"
    assert timedelta(0) == house.clock.now() - house.ports.companies.get(1).last_at
    assert house.ports.company_state.load(MSP).findings == {}
