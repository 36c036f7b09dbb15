"""Approval: nothing that waits is written before a person said so, and nothing but what that person saw."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.billing.limits import Approvals
from shared.billing.planning.plan import GroupKind
from shared.billing.profiles import Proration, ProrationRule
from shared.billing.rules import Mode, SkuPolicy
from shared.errors import Busy, Gone, Refused, Retryable
from shared.state.records import Outcome, Verdict
from shared.sync import due, inbox, lanes
from shared.sync.approvals import Person, approve, approve_all, approve_several, reject
from shared.sync.undo import undo
from tests import builders as b
from tests.fakes.house import House, Killed

D = Decimal
PAT = Person("pat@birchline.example", "203.0.113.7")
KIM = Person("kim@birchline.example")


def a_house() -> House:
    """Company 1 asks for everything and needs a create, an update and one-off lines; company 2 is in auto."""
    house = House()
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "standard")]
    computed = Proration(ProrationRule.COMPUTED)
    profiles = (b.profile(proration=computed), b.profile(id="standard", product="M365-BS", proration=computed))
    house.rules(b.rules(*profiles, policies=policies))
    house.company(1, [b.count(5)], [b.addition(11, 5)])
    house.company(2, [b.count(40)], [b.addition(21, 40)])
    for company in (1, 2):
        house.sync(company, run="first")
    house.clock.pass_by(days=1)
    in_mode(house, 1, Mode.APPROVE)
    counted(house, 1, premium=8, standard=3)
    return house


@pytest.fixture
def house() -> House:
    return a_house()


def in_mode(house: House, company: int, mode: Mode) -> None:
    rules = house.ports.companies.company_rules(company)
    values = {"licences": rules.licences, "guards": rules.guards}
    house.company(company, house.source.counts[f"tenant-{company}"], mode=mode, **values)


def counted(house: House, company: int, *, premium: int, standard: int = 0) -> None:
    customer = f"tenant-{company}"
    counts = [b.count(premium, customer=customer)]
    if standard:
        counts.append(b.count(standard, sku=b.STANDARD, name="Business Standard", customer=customer))
    house.count(company, *counts)


def hashes(house: House, company: int = 1) -> list[str]:
    """What waits, the plan's order."""
    state = house.state(company)
    return [group.hash for group in (state.plan.groups if state.plan else ()) if group.hash in state.waiting]


def killed(*args: object) -> None:
    raise Killed


def quantities(house: House, company: int) -> list[tuple[str, Decimal]]:
    return sorted((line[1], line[2]) for line in house.manage.said() if line[0] == company + 1000)


# ---- waiting


def test_in_approve_everything_is_planned_and_waits_and_nothing_is_written(house):
    writes = house.manage.writes
    synced = house.sync(1)

    assert (synced.report.outcome, synced.report.waiting) == (Outcome.PLANNED, 2)
    assert house.manage.writes == writes
    assert len(hashes(house)) == 2
    assert house.ports.companies.get(1).waiting == 2


def test_a_group_waits_since_it_was_first_planned_so(house):
    house.sync(1)
    first = {key: waiting.since for key, waiting in house.state(1).waiting.items()}
    house.clock.pass_by(days=3)
    house.sync(1)
    assert {key: waiting.since for key, waiting in house.state(1).waiting.items()} == first


def test_what_waited_too_long_is_planned_anew_and_cannot_be_approved_before(house):
    house.rules(b.rules(b.profile(), approvals=Approvals(expire_days=5)))
    counted(house, 1, premium=8)
    house.sync(1)
    (before,) = hashes(house)
    house.clock.pass_by(days=6)

    writes = house.manage.writes
    late = approve(house.ports, 1, [before], PAT)
    assert (late.unknown, late.report.stale, house.manage.writes) == ((before,), 1, writes)
    (waiting,) = house.state(1).waiting.values()
    assert (waiting.since, waiting.expired) == (house.clock.now(), house.clock.now())

    assert approve(house.ports, 1, hashes(house), PAT).report.outcome is Outcome.APPLIED


def test_a_company_that_is_only_observed_has_nothing_to_approve(house):
    in_mode(house, 1, Mode.OBSERVE)
    house.sync(1)
    assert house.state(1).waiting == {}
    with pytest.raises(Refused, match="only observed"):
        approve(house.ports, 1, ["0" * 16], PAT)
    with pytest.raises(Gone):
        approve(house.ports, 9, ["0" * 16], PAT)


# ---- approving


def test_one_group_is_written_the_other_goes_on_waiting(house):
    house.sync(1)
    premium, standard = hashes(house)
    synced = approve(house.ports, 1, [premium], PAT)

    assert (synced.report.outcome, synced.report.waiting) == (Outcome.APPLIED, 1)
    assert ("M365-BP", D(8)) in quantities(house, 1)
    assert all(product == "M365-BP" for product, _ in quantities(house, 1))
    assert hashes(house) == [standard]
    assert house.state(1).decisions == {}


def test_the_history_names_who_approved_when_and_from_where(house):
    house.sync(1)
    approve(house.ports, 1, hashes(house)[:1], PAT)

    entries = [entry for entry in house.ports.company_state.history(1, 10) if "-approval-" in entry.run]
    assert {entry.actor for entry in entries} == {PAT.name}
    assert {entry.signed.origin for entry in entries} == {PAT.origin}
    assert {entry.signed.at for entry in entries} == {house.clock.now()}
    decided = [entry for entry in entries if entry.change is None]
    assert [entry.note.split()[0] for entry in decided] == ["approved"]
    assert len(entries) - len(decided) == 2  # the one-off line and the standing one


def test_approving_again_writes_nothing_again(house):
    house.sync(1)
    (premium, _) = hashes(house)
    approve(house.ports, 1, [premium], PAT)
    writes = house.manage.writes

    again = approve(house.ports, 1, [premium], PAT)
    assert (again.unknown, house.manage.writes) == ((premium,), writes)


def test_what_is_planned_differently_by_now_is_stale_and_the_difference_is_told(house):
    house.sync(1)
    premium, _ = hashes(house)
    counted(house, 1, premium=9, standard=3)
    writes = house.manage.writes
    synced = approve(house.ports, 1, [premium], PAT)

    assert house.manage.writes == writes
    (stale,) = synced.judged.stale
    assert stale.decision.group.hash == premium
    assert stale.now.hash == hashes(house)[0] != premium
    text = house.state(1).findings["stale", stale.decision.group.bill_item].finding.text
    assert "8 instead of 5" in text
    assert "9 instead of 5" in text

    house.sync(1)
    assert "stale" in house.kinds(1)
    approve(house.ports, 1, hashes(house), PAT)
    assert "stale" not in house.kinds(1)


def test_a_group_that_a_guard_holds_in_auto_is_released_by_an_approval(house):
    counted(house, 2, premium=4)
    held = house.sync(2)
    assert (held.report.outcome, held.report.waiting) == (Outcome.HELD, 1)

    synced = approve(house.ports, 2, hashes(house, 2), PAT)
    assert synced.report.outcome is Outcome.APPLIED
    assert "held" not in house.kinds(2)
    assert house.sync(2).report.outcome is Outcome.UNCHANGED


def test_an_approval_writes_nothing_but_what_was_approved_in_auto_too(house):
    house.source.counts["tenant-2"] = (b.count(4, customer="tenant-2"),)
    house.sync(2)
    held = hashes(house, 2)
    counted(house, 2, premium=4, standard=2)
    approve(house.ports, 2, held, PAT)

    assert all(product == "M365-BP" for product, _ in quantities(house, 2))
    house.sync(2)
    assert ("M365-BS", D(2)) in quantities(house, 2)


def test_while_somebody_works_on_the_company_nothing_is_decided(house):
    house.sync(1)
    house.ports.companies.take_lease(1, "another", 300, house.clock.now())
    with pytest.raises(Busy):
        approve(house.ports, 1, hashes(house), PAT)
    assert house.state(1).decisions == {}


def test_an_approval_that_manage_did_not_take_is_written_by_the_next_night_in_the_approvers_name(house):
    house.sync(1)
    premium, _ = hashes(house)

    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("before", "create"):
            raise Retryable("Manage is busy", system="Manage")

    house.manage.fault = fault
    assert approve(house.ports, 1, [premium], PAT).report.outcome is Outcome.FAILED
    assert house.state(1).decisions[premium].verdict is Verdict.APPROVED
    house.manage.fault = lambda moment, method: None
    house.clock.pass_by(hours=1)

    assert house.sync(1, run="night").report.outcome is Outcome.APPLIED
    (newest, *_) = house.ports.company_state.history(1, 1)
    assert (newest.run, newest.actor) == ("night", PAT.name)
    assert house.state(1).decisions == {}


# ---- rejecting


def test_a_rejected_group_stays_out_until_it_changes(house):
    counted(house, 2, premium=4)
    house.sync(2)
    (held,) = hashes(house, 2)
    writes = house.manage.writes

    assert reject(house.ports, 2, [held, "0" * 16], PAT, "the customer moves").rejected == (held,)
    synced = house.sync(2)
    assert (synced.report.outcome, synced.report.waiting) == (Outcome.UNCHANGED, 0)
    assert (house.kinds(2), house.manage.writes) == ([], writes)
    decision = house.state(2).decisions[held]
    assert (decision.verdict, decision.signed.by, decision.why) == (Verdict.REJECTED, PAT.name, "the customer moves")
    (newest,) = house.ports.company_state.history(2, 1)
    assert "the customer moves" in newest.note

    counted(house, 2, premium=39)
    assert house.sync(2).report.outcome is Outcome.APPLIED
    assert house.state(2).decisions == {}


def test_a_rejection_is_kept_while_the_source_cannot_be_read(house):
    house.sync(1)
    premium, _ = hashes(house)
    reject(house.ports, 1, [premium], PAT)
    counts, house.source.counts["tenant-1"] = house.source.counts["tenant-1"], ()
    house.source.failing["tenant-1"] = b.FailureKind.READ_FAILED
    house.sync(1)
    house.source.failing.clear()
    house.source.counts["tenant-1"] = counts

    house.sync(1)
    assert premium in house.state(1).decisions
    assert premium not in hashes(house)


def test_a_rejection_is_taken_back_by_an_approval(house):
    house.sync(1)
    premium, _ = hashes(house)
    reject(house.ports, 1, [premium], PAT)
    approve(house.ports, 1, [premium], PAT)
    assert ("M365-BP", D(8)) in quantities(house, 1)


# ---- written in part


def died_half_way(house: House) -> str:
    """An approval whose worker died after its one-off lines, before it raised the standing line; the group's hash."""
    house.sync(1)
    premium = next(group.hash for group in house.state(1).plan.groups if len(group.changes) > 1)

    def die(moment: str, method: str) -> None:
        if (moment, method) == ("before", "update"):
            house.fate.dead = True
            raise Killed

    house.manage.fault = die
    with pytest.raises(Killed):
        approve(house.ports, 1, [premium], PAT)
    house.manage.fault = lambda moment, method: None
    house.revive()
    house.clock.pass_by(minutes=11)
    return premium


def shown(house: House) -> dict[str, tuple[str, int]]:
    groups = inbox.waiting(house.ports)["groups"]
    return {group["hash"]: (group["state"], group.get("written", 0)) for group in groups}


def test_an_approval_that_is_written_in_part_is_shown_so_and_goes_on_by_itself(house):
    premium = died_half_way(house)
    assert shown(house)[premium] == ("approved", 1)
    due.look(house.ports)
    (run,) = house.ports.runs.open_headers()
    house.work_until_done(run.id)
    assert ("M365-BP", D(8)) in quantities(house, 1)
    assert [state for state, _ in shown(house).values()] == ["waiting"]


def test_what_is_left_of_an_approval_can_be_withdrawn_and_approved_again(house):
    premium = died_half_way(house)
    written = house.manage.said()
    assert reject(house.ports, 1, [premium], KIM, "not this month").rejected == (premium,)
    for run in ("night", "next"):
        house.sync(1, run=run)
    assert house.manage.said() == written
    (left,) = [hash_ for hash_, told in shown(house).items() if told == ("rejected", 1)]
    assert left != premium

    approve(house.ports, 1, [left], PAT)
    assert ("M365-BP", D(8)) in quantities(house, 1)
    assert len([line for line in house.manage.said() if line[6].startswith("TU1-O-")]) == 1
    assert house.state(1).decisions == {}


def test_what_is_left_of_an_approval_and_was_withdrawn_waits_again_once_it_changes(house):
    premium = died_half_way(house)
    reject(house.ports, 1, [premium], KIM)
    counted(house, 1, premium=9, standard=3)
    assert house.sync(1).report.waiting == 2


def test_withdrawn_wherever_its_worker_died_an_approval_writes_nothing_more():
    undisturbed = a_house()
    undisturbed.sync(1)
    premium = next(group.hash for group in undisturbed.state(1).plan.groups if len(group.changes) > 1)
    before = undisturbed.fate.steps
    approve(undisturbed.ports, 1, [premium], PAT)
    withdrawn = 0
    for step in range(1, undisturbed.fate.steps - before + 1):
        house = a_house()
        house.sync(1)
        house.fate.die_at = house.fate.steps + step
        with pytest.raises(Killed):
            approve(house.ports, 1, [premium], PAT)
        house.revive()
        house.clock.pass_by(minutes=6)
        written = house.manage.said()
        decided = [hash_ for hash_, (state, _) in shown(house).items() if state != "waiting"]
        withdrawn += len(reject(house.ports, 1, decided, KIM).rejected)
        two_nights(house)
        place = f"killed before step {step}: {house.fate.log[-1]}"
        assert (house.manage.said(), house.state(1).intents) == (written, {}), place
    assert withdrawn > 5


def test_what_waits_is_seen_although_the_worker_that_planned_it_died(house):
    house.fate.die_at = None
    assert house.ports.companies.get(1).waiting == 0

    def die(moment: str, operation: str, table: str) -> None:
        house._table_step(moment, operation, table)
        if (moment, operation, table) == ("before", "replace", "Companies") and house.state(1).waiting:
            house.fate.dead = True
            raise Killed

    house.tables.fault = die
    with pytest.raises(Killed):
        house.sync(1)
    house.tables.fault = house._table_step
    house.revive()
    assert len(shown(house)) == 2


# ---- many at once


def test_all_of_one_kind_are_approved_in_a_run_and_the_others_wait(house):
    in_mode(house, 2, Mode.APPROVE)
    counted(house, 2, premium=42)
    house.company(3, [b.count(2)], [b.addition(31, 4)], mode=Mode.APPROVE)
    for company in (1, 2, 3):
        house.sync(company)
    run = approve_all(house.ports, PAT, kind=GroupKind.INCREASE, held=None)
    house.work_until_done(run)

    outcomes = {row.company: row.report.outcome for row in house.ports.runs.rows(run)}
    assert outcomes == {1: Outcome.APPLIED, 2: Outcome.APPLIED}
    assert (hashes(house, 1), hashes(house, 2), len(hashes(house, 3))) == ([], [], 1)
    assert house.ports.company_state.history(2, 1)[0].actor == PAT.name
    assert approve_all(house.ports, PAT, kind=GroupKind.INCREASE, held=None) is None


def test_what_changed_after_it_was_approved_with_many_is_stale(house):
    house.sync(1)
    run = approve_all(house.ports, PAT, companies=[1], kind=None, held=None)
    counted(house, 1, premium=9, standard=3)
    house.work_until_done(run)

    (row,) = house.ports.runs.rows(run)
    assert (row.report.stale, row.report.waiting) == (1, 1)
    assert sorted(quantities(house, 1))[0] == ("M365-BP", D(5))


def stale_entries(house: House) -> list[str]:
    return [entry.note for entry in house.ports.company_state.history(1, 50) if entry.note.startswith("stale")]


@pytest.mark.parametrize("one_by_one", [False, True])
def test_what_a_night_planned_otherwise_after_it_was_approved_with_many_is_stale_with_the_difference(house, one_by_one):
    house.sync(1)
    if one_by_one:
        run = approve_several(house.ports, {1: hashes(house)}, PAT)
    else:
        run = approve_all(house.ports, PAT, companies=[1], kind=None, held=None)
    house.clock.pass_by(seconds=20)
    counted(house, 1, premium=9, standard=3)
    house.sync(1, run="night")
    house.work_until_done(run)

    (row,) = house.ports.runs.rows(run)
    assert (row.report.stale, row.report.waiting) == (1, 1)
    for told in (row.report.note, *stale_entries(house)):
        assert "what was approved is not what is planned any more. Approved was: " in told
        assert "8 instead of 5, 3 more" in told
        assert told.index("Planned now: ") < told.index("9 instead of 5, 4 more")
    assert len(stale_entries(house)) == 1
    assert "stale" in house.kinds(1)
    assert sorted(quantities(house, 1))[0] == ("M365-BP", D(5))


def test_what_was_rejected_after_it_was_approved_with_many_stays_out(house):
    house.sync(1)
    waiting = hashes(house)
    run = approve_all(house.ports, PAT, companies=[1], kind=None, held=None)
    house.clock.pass_by(seconds=20)
    reject(house.ports, 1, waiting, KIM)
    writes = house.manage.writes
    house.work_until_done(run)

    (row,) = house.ports.runs.rows(run)
    assert (row.report.stale, house.manage.writes) == (2, writes)
    assert len(stale_entries(house)) == 2
    assert all("kim@birchline.example rejected it after it had been approved" in told for told in stale_entries(house))
    assert {decision.verdict for decision in house.state(1).decisions.values()} == {Verdict.REJECTED}


def test_an_approval_delivered_again_does_not_write_what_was_undone_and_waits_anew(house):
    house.sync(1)
    waiting = hashes(house)
    run = approve_all(house.ports, PAT, companies=[1], kind=None, held=None)
    house.ports.runs.finish_and_claim = killed  # everything is written, and nothing says so yet
    with pytest.raises(Killed):
        house._one_step()
    house.revive()
    house.clock.pass_by(minutes=6)
    assert undo(house.ports, 1, run, PAT).groups
    house.clock.pass_by(minutes=1)
    house.sync(1, run="night")
    assert hashes(house) == waiting

    writes = house.manage.writes
    house.work_until_done(run)
    assert (hashes(house), house.manage.writes) == (waiting, writes)


# ---- killed anywhere


def killed_everywhere(work, look) -> None:
    """`work` on a new house, killed before every outside effect, then two nights: always what no kill gives."""
    undisturbed = a_house()
    undisturbed.sync(1)
    waiting = hashes(undisturbed)
    before = undisturbed.fate.steps
    work(undisturbed, waiting)
    steps = undisturbed.fate.steps - before
    two_nights(undisturbed)
    expected = look(undisturbed)
    for step in range(1, steps + 1):
        house = a_house()
        house.sync(1)
        house.fate.die_at = house.fate.steps + step
        work(house, waiting)
        house.revive()
        two_nights(house)
        assert look(house) == expected, f"killed before step {step}: {house.fate.log[-1]}"


def two_nights(house: House) -> None:
    for night in ("second", "third"):
        house.clock.pass_by(minutes=30)
        lanes.start_run(house.ports, night, "nightly", [1])
        house.work_until_done(night)


def test_killed_anywhere_an_approval_is_written_once_or_was_never_stored():
    def work(house: House, waiting: list[str]) -> None:
        first = waiting[0]
        try:
            approve(house.ports, 1, [first], PAT)
        except Killed:
            house.revive()
            if first in house.state(1).decisions or first not in hashes(house):
                return  # it is stored: the nights carry it out
            house.clock.pass_by(minutes=10)
            approve(house.ports, 1, [first], PAT)

    def look(house: House) -> tuple:
        state = house.state(1)
        signed = [
            entry.signed.by for entry in house.ports.company_state.history(1, 50) if entry.signed and entry.change
        ]
        return house.manage.said(), len(state.waiting), state.decisions, state.intents, signed

    killed_everywhere(work, look)


def test_killed_anywhere_an_approval_of_many_is_written_once_or_not_decided():
    def look(house: House) -> tuple:
        history = house.ports.company_state.history(1, 50)
        written = sorted(entry.change.fingerprint for entry in history if entry.signed and entry.change)
        return house.manage.said(), house.state(1).decisions, house.state(1).intents, written

    def work(house: House) -> None:
        """A person asks until there is a run; the platform works it."""
        for _ in range(3):
            try:
                approve_all(house.ports, PAT, kind=None, held=None)
                break
            except Killed:
                house.revive()
                if house._alive(house.ports.runs.open_headers):
                    break
        for header in house._alive(house.ports.runs.open_headers):
            house.work_until_done(header.id)

    undisturbed = a_house()
    undisturbed.sync(1)
    before = undisturbed.fate.steps
    work(undisturbed)
    steps = undisturbed.fate.steps - before
    expected = look(undisturbed)
    assert expected[3]
    for step in range(1, steps + 1):
        house = a_house()
        house.sync(1)
        house.fate.die_at = house.fate.steps + step
        work(house)
        house.revive()
        two_nights(house)
        assert look(house) == expected, f"killed before step {step}: {house.fate.log[-1]}"
