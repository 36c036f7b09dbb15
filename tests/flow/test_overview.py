"""What people are shown of a company is what the last look and its writes left, and costs no further question."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from shared.billing.counts import FailureKind
from shared.billing.rules import Mode
from shared.errors import Incomplete
from shared.state.overview import Overview
from shared.sync.approvals import Person, approve
from shared.sync.undo import undo
from tests import builders as b
from tests.fakes.house import House

PAT = Person("pat@birchline.example")


def house(*, mode: Mode = Mode.AUTO, counted: int = 8, **company) -> House:
    made = House()
    made.rules(b.rules())
    made.company(1, [b.count(counted, holders=["Robin Vale", "Kim Oduya"])], [b.addition(11, 5)], mode=mode, **company)
    return made


def summary(house: House, company: int = 1):
    row = house.ports.companies.get(company)
    assert row is not None
    return row.summary


def quantities(house: House) -> dict[int, Decimal]:
    return {line.id: line.quantity for line in house.state(1).overview.lines}


def test_a_look_remembers_licences_agreements_and_lines_but_nobodys_name():
    made = house(mode=Mode.OBSERVE)
    made.manage.lines[11] = replace(made.manage.lines[11], invoice_description="For Robin Vale")
    made.sync(1)
    overview = made.state(1).overview
    (licence,) = overview.licences
    assert (licence.name, licence.purchased, licence.assigned, licence.users) == ("Business Premium", 8, 8, 2)
    assert [one.quantity for one in licence.bought or ()] == [8]
    assert [agreement.id for agreement in overview.agreements] == [1001]
    assert "Robin" not in repr(overview)


def test_the_sums_of_a_list_are_what_lines_of_ours_bill_and_what_is_planned():
    made = house(mode=Mode.APPROVE)
    made.sync(1)
    assert (summary(made).monthly, summary(made).planned) == ({}, {"": Decimal("75.00")})
    approve(made.ports, 1, [group.hash for group in made.state(1).plan.groups], PAT)
    assert (summary(made).monthly, summary(made).planned) == ({"": Decimal("200.00")}, {})


def test_what_was_written_is_shown_at_once_and_so_is_what_was_undone():
    made = house()
    made.sync(1, run="first")
    assert quantities(made) == {11: Decimal(8)}
    (billed,) = made.state(1).overview.billed
    assert billed.lines == (11,)
    undo(made.ports, 1, "first", PAT)
    assert quantities(made) == {11: Decimal(5)}
    (billed,) = made.state(1).overview.billed
    assert billed.lines == ()


def test_a_quarter_is_shown_as_three_months():
    made = house()
    made.manage.agreements_[1001] = replace(
        made.manage.agreements_[1001],
        billing_cycle="Quarterly",
        currency="EUR",
        next_invoice_date=date(2027, 1, 1),
    )
    made.sync(1)
    assert summary(made).monthly == {"EUR": Decimal("66.67")}


def test_of_a_customer_that_cannot_be_read_the_last_counts_stay():
    made = house()
    made.sync(1)
    before = made.state(1).overview
    made.source.failing["tenant-1"] = FailureKind.READ_FAILED
    made.sync(1)
    assert made.state(1).overview == before
    assert summary(made).findings == {"read-failed": 1}


def test_a_look_that_learned_nothing_leaves_the_sums_and_counts_its_finding():
    made = house()
    made.sync(1)
    monthly = summary(made).monthly

    def broken(moment: str, method: str) -> None:
        if method == "agreements":
            raise Incomplete("the list was cut off", system="Manage")

    made.manage.fault = broken
    made.sync(1)
    assert (summary(made).monthly, summary(made).findings) == (monthly, {"read-failed": 1})


def test_findings_are_counted_as_they_are_open():
    made = house()
    made.sync(1)
    assert summary(made).findings == {}
    made.manage.lines[11] = replace(made.manage.lines[11], quantity=Decimal(9))
    made.sync(1)
    assert summary(made).findings == {"drift": 1}
    assert sum(summary(made).findings.values()) == len(made.state(1).findings)


def test_a_second_look_at_the_same_stores_nothing_again():
    made = house()
    made.sync(1)
    made.sync(1)
    made.fate.log.clear()
    made.sync(1)
    assert [step for step in made.fate.log if step == "transact CompanyState"] == []


def test_a_company_that_nobody_has_looked_at_has_nothing_to_show():
    made = house()
    assert made.state(1).overview == Overview()
    assert (summary(made).monthly, summary(made).findings) == ({}, {})


def test_the_look_after_one_that_wrote_finds_nothing_to_store():
    """Also where the line that was written has a lower id than lines of agreements with lower ones."""
    made = house()
    made.manage.agreements_[900] = replace(made.manage.agreements_[1001], id=900, name="Projects", type="Projects")
    made.manage.lines[12] = b.addition(12, 3, on=900, product="HOURS-10", product_id=102)
    assert made.sync(1, run="first").report.written
    shown = made.state(1).overview
    assert [line.id for line in shown.lines] == [12, 11]
    commits = made.tables.calls["transact", "CompanyState"]
    made.sync(1, run="second")
    assert made.state(1).overview == shown
    assert made.tables.calls["transact", "CompanyState"] == commits


def test_an_undo_is_in_the_sums_of_the_list_at_once():
    made = house()
    made.sync(1, run="first")
    before = summary(made).monthly
    made.count(1, b.count(9, customer="tenant-1"))
    made.clock.pass_by(days=1)
    made.sync(1, run="second")
    assert summary(made).monthly != before
    held = undo(made.ports, 1, "second", PAT).held
    undo(made.ports, 1, "second", PAT, confirmed=[group.hash for group in held])
    assert summary(made).monthly == before
