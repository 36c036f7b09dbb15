"""The demo's own judgement: what it lets pass, what it calls wrong, what it reports and shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from local.demo.checks import problems
from local.demo.moves import Growth, choose_growth, choose_moves
from local.demo.night import Name, Night
from local.demo.report import report
from local.demo.tables import Wrong, billed_wrong
from local.demo.vendors import Rmm, buyer, ranged
from local.sandbox.world import make_msp
from local.sandbox.world.cove import Kind
from local.sandbox.world.rules import rules_document
from local.sandbox.world.skus import SKUS
from shared.rules.document import RulesDocument

MARKS = ("Unite", "Cloudconsole")
OURS = {"id": 1, "quantity": 5, "serialNumber": "TU1-s-261201-abc"}
THEIRS = {"id": 2, "quantity": 3, "serialNumber": ""}


def row(company: int, outcome: str | None = "unchanged", **counts: Any) -> dict[str, Any]:
    return {
        "company": company,
        "outcome": outcome,
        "note": "",
        "planned": {},
        "written": {},
        "monthly_delta": 0.0,
        **counts,
    }


def calls(writes: int = 0) -> dict[str, Any]:
    counted = [
        {"system": "manage", "method": "GET", "route": "/finance/agreements", "count": 2},
        {"system": "manage", "method": "PATCH", "route": "/finance/agreements/{agreement}/additions", "count": writes},
        {"system": "graph", "method": "POST", "route": "/$batch", "count": 2},
    ]
    return {"calls": counted, "total": {"manage": 2 + writes, "graph": 2, "entra": 0}}


def night(name: Name, *rows: dict[str, Any], writes: int = 0, **changed: Any) -> Night:
    """A night in which nothing was amiss, but for what is given."""
    rows = rows or (row(250), row(251))
    run = {"id": "2026-11-21-nightly", "ended": "2026-11-21T02:01:00+00:00", "companies": len(rows), "rows": list(rows)}
    run["outcomes"] = {"unchanged": len(rows)}
    plain = Night(
        name=name,
        day=date(2026, 11, 21),
        run=run,
        details={},
        findings={"unmapped": 2},
        examples={},
        calls=calls(writes),
        before={1: OURS, 2: THEIRS},
        after={1: OURS, 2: THEIRS},
        seconds=3.2,
    )
    return replace(plain, **changed)


def detail(company: str, *groups: tuple[str | None, str, float]) -> dict[str, Any]:
    """A company whose plan holds these groups: why held, the kind of the one change, its monthly effect."""
    return {
        "name": company,
        "plan": {
            "groups": [
                {"held": held, "changes": [{"kind": kind, "monthly": monthly, "sentence": f"{kind} {monthly}"}]}
                for held, kind, monthly in groups
            ]
        },
        "findings": [],
    }


def written(**counts: int) -> dict[str, Any]:
    return row(250, "applied", planned=counts, written=counts)


RAISED = {1: OURS | {"quantity": 6}, 2: THEIRS}


@pytest.mark.parametrize("name", ["observe", "quiet"])
def test_a_night_that_changes_nothing_passes(name: Name) -> None:
    assert problems(night(name), MARKS) == []


def test_a_night_that_writes_its_plan_passes() -> None:
    for name in ("applied", "moved"):
        assert problems(night(name, written(updated=1), writes=1, after=RAISED), MARKS) == []


def test_a_run_that_lost_a_company_does_not_pass() -> None:
    lost = night("quiet", row(250), row(251, None))
    assert problems(lost, MARKS) == ["quiet: companies 251 have no outcome"]
    short = night("quiet")
    short.run["companies"] = 3
    assert problems(short, MARKS) == ["quiet: the run has 2 rows for 3 companies"]
    open_run = night("quiet")
    open_run.run["ended"] = None
    assert problems(open_run, MARKS) == ["quiet: the run did not end"]


@pytest.mark.parametrize("name", ["observe", "quiet"])
def test_a_write_in_a_night_without_writes_does_not_pass(name: Name) -> None:
    found = problems(night(name, written(updated=1), writes=1, after=RAISED), MARKS)
    assert f"{name}: 1 changes were written, and none should be" in found
    assert f"{name}: additions are not what they were before" in found


def test_a_write_that_trueup_does_not_admit_does_not_pass() -> None:
    found = problems(night("quiet", writes=1), MARKS)
    assert found == ["quiet: TrueUp says that it wrote 0 times, and Manage was asked to write 1 times"]


def test_what_a_guard_holds_is_not_missed() -> None:
    held = row(250, "held", planned={"updated": 2, "created": 1}, written={"updated": 1, "created": 1})
    waits = detail("Alder Dental", ("too much at once", "update", -20.0))
    passes = night("applied", held, writes=2, after=RAISED, details={250: waits})
    assert problems(passes, MARKS) == []
    assert problems(replace(passes, details={}), MARKS) == [
        "applied: company 250 was to be written 1 created, 2 updated, and 1 created, 1 updated was written"
    ]


def test_moved_seats_that_lead_to_nothing_do_not_pass() -> None:
    assert problems(night("moved"), MARKS) == ["moved: seats had moved, and nothing was written"]


def test_a_line_that_is_not_ours_must_stay_as_it_is() -> None:
    raised = night("applied", written(updated=1), writes=1, after={1: OURS, 2: THEIRS | {"quantity": 4}})
    assert problems(raised, MARKS) == ["applied: addition 2 was changed, and it is not ours"]
    gone = night("applied", written(ended=1), writes=1, after={1: OURS})
    assert problems(gone, MARKS) == ["applied: addition 2 is gone, and it was not ours"]


@pytest.mark.parametrize(
    ("mark", "may"), [("", True), ("Unite-77", True), ("cloudconsole 9", True), ("SN-4711", False)]
)
def test_a_line_is_only_taken_over_from_nobody_or_from_an_adoptable_mark(mark: str, may: bool) -> None:
    before, after = THEIRS | {"serialNumber": mark}, THEIRS | {"serialNumber": "TU1-s-261201-xyz"}
    adopting = night("applied", written(updated=1), writes=1, before={2: before}, after={2: after})
    assert (problems(adopting, MARKS) == []) is may


def test_a_removed_line_of_ours_passes() -> None:
    assert problems(night("applied", written(ended=1), writes=1, after={2: THEIRS}), MARKS) == []


def test_the_report_has_one_entry_per_night_with_what_reached_manage() -> None:
    held = row(250, "held", planned={"updated": 2}, written={"updated": 1}, monthly_delta=12.5)
    other = row(251, "applied", planned={"created": 1}, written={"created": 1}, monthly_delta=-2.25)
    (entry,) = report([night("applied", held, other, writes=2)])["nights"]
    assert entry == {
        "night": "applied",
        "date": "2026-11-21",
        "companies": 2,
        "outcomes": {"unchanged": 2},
        "planned": {"created": 1, "updated": 2, "ended": 0},
        "created": 1,
        "updated": 1,
        "ended": 0,
        "findings": {"unmapped": 2},
        "monthly_delta": 10.25,
        "calls": {"manage": 4, "graph": 2},
        "seconds": 3.2,
    }


def test_what_is_billed_wrong_adds_up_by_company_with_the_worst_first() -> None:
    details = {
        250: detail("Alder Dental", (None, "update", 10.0), ("held", "update", -4.5)),
        251: detail("Birchall Brewing", (None, "create", 171.5)),
        252: detail("Calder Freight", (None, "update", 0.0)),
    }
    assert billed_wrong(night("observe", details=details)) == [
        Wrong("Birchall Brewing", Decimal("171.5"), Decimal(0)),
        Wrong("Alder Dental", Decimal("10.0"), Decimal("4.5")),
    ]


def test_seats_move_up_and_down_and_only_where_something_is_billed() -> None:
    msp = make_msp(30, 7, date(2026, 11, 21))
    sku = SKUS["M365-BP"].id
    having = [linked for linked in msp.linked if msp.tenants[linked.tenant].subscriptions_of(sku)]
    billed = {linked.company: frozenset({f"microsoft365/{sku}", "huntress/edr"}) for linked in having[:-1]}
    moves = choose_moves(msp, billed, seed=7)
    assert moves == choose_moves(msp, billed, seed=7)
    assert {move.tenant for move in moves} <= {linked.tenant for linked in having[:-1]}
    seats = {
        tenant.id: sum(item.licenses for item in tenant.subscriptions_of(sku) if item.status == "Enabled")
        for tenant in msp.tenants.values()
    }
    differences = [move.enabled - seats[move.tenant] for move in moves]
    assert min(differences) < 0 < max(differences)
    assert 0 not in differences
    assert all(0 <= move.consumed <= move.enabled for move in moves)


def test_one_customer_of_huntress_and_one_of_cove_grow_where_that_is_billed() -> None:
    msp = make_msp(30, 7, date(2026, 11, 21))
    organizations = {item.company: item for item in reversed(msp.huntress.organizations.values())}
    customers = {item.company: item for item in msp.cove.customers()}
    company = next(company for company in organizations if company is not None and company in customers)
    organization, customer = organizations[company], customers[company]
    assert list(choose_growth(msp, {company: frozenset({"microsoft365/sku"})})) == []
    msp.cove.add_device(customer.id, Kind.WORKSTATION)
    workstations = msp.cove.counts_of(customer.id)["workstation"]
    assert list(choose_growth(msp, {company: frozenset({"huntress/edr", "cove/workstation"})})) == [
        Growth("huntress", {"organization": organization.id, "edr": (organization.counts["edr"] or 0) + 2}),
        Growth("cove", {"customer": customer.id, "workstation": workstations + 1}),
    ]


def test_one_company_has_every_vendor_and_its_rules_bill_what_is_pushed_and_stored() -> None:
    msp = make_msp(9, 7, date(2026, 11, 21))
    rmm = Rmm(buyer(msp))
    document = RulesDocument.model_validate(rmm.added_to(rules_document(msp)))

    (company,) = [each for each in document.companies if each.company == rmm.company]
    assert {link.source for link in company.links} == {"microsoft365", "huntress", "cove", "pax8", "pushed:rmm"}
    assert [link.source for each in document.companies for link in each.links].count("pushed:rmm") == 1
    policies = {(policy.source, policy.sku): policy.profile for policy in document.policies}
    assert policies["pushed:rmm", "agent"] == "rmm-agent"
    assert policies["cove", "used-storage"] == "cove-gb"
    assert rmm.key not in repr(rmm)


def test_another_company_pays_for_storage_by_the_range_that_it_reaches() -> None:
    msp = make_msp(9, 7, date(2026, 11, 21))
    other = ranged(msp)
    document = RulesDocument.model_validate(Rmm(buyer(msp), other).added_to(rules_document(msp)))

    chosen = {each.company: [licence.profile for licence in each.licences] for each in document.companies}
    assert other != buyer(msp)
    assert [company for company, profiles in chosen.items() if "cove-range" in profiles] == [other]
    (profile,) = [each for each in document.profiles if each.id == "cove-range"]
    assert [band.upto for band in profile.price.bands] == [1000, 5000, None]
