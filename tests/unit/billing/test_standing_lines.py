"""How a line that stands is changed, and when it ends."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from shared.billing.lines import LineKind
from shared.billing.planning.plan import ChangeKind, Plan
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import BillOption, PriceKind, PriceRule
from shared.billing.rules import LicenceLink, SkuPolicy
from tests import builders as b
from tests.unit.billing.plans import only_change

D = Decimal


def test_a_line_of_ours_is_raised_in_place():
    line = b.our_addition(9, 10)
    change = only_change(plan_company(b.facts(b.reading(b.count(12)), additions=[line], ledger=[b.recorded(line)])))

    assert change.fields() == {"quantity": D(12)}
    assert change.monthly == D("50.00")
    assert change.sentence == "Business Premium: from 1 Dec 2026 12 instead of 10, 2 more: +50.00 an invoice."


def test_a_line_that_says_what_it_should_is_left_alone():
    line = b.our_addition(9, 12)
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[line], ledger=[b.recorded(line)]))

    assert plan.groups == ()
    assert plan.findings == ()
    assert plan.ledger == ()


def test_a_price_of_the_profile_reaches_our_line_but_not_an_adopted_one():
    own = b.rules(b.profile(price=PriceRule(PriceKind.CUSTOM, D("27.00"))))
    line, adopted = b.our_addition(9, 10), b.our_addition(9, 10, kind=LineKind.ADOPTED)

    ours = plan_company(b.facts(b.reading(b.count(10)), additions=[line], ledger=[b.recorded(line)], rules=own))
    assert only_change(ours).fields() == {"unit_price": D("27.00")}
    theirs = plan_company(
        b.facts(b.reading(b.count(10)), additions=[adopted], ledger=[b.recorded(adopted, keeps_price=True)], rules=own)
    )
    assert theirs.groups == ()


def test_the_licence_links_own_price_reaches_an_adopted_line_too():
    adopted = b.our_addition(9, 10, kind=LineKind.ADOPTED)
    licence = LicenceLink(b.SOURCE, b.PREMIUM, price=D("19.00"))
    plan = plan_company(
        b.facts(
            b.reading(b.count(10)),
            additions=[adopted],
            ledger=[b.recorded(adopted, keeps_price=True)],
            company=b.company(licences=(licence,)),
        )
    )

    assert only_change(plan).fields() == {"unit_price": D("19.00")}


def test_user_names_are_written_with_another_change_but_not_alone_in_the_same_period():
    own = b.rules(b.profile(invoice_text="{product}: {quantity}\n{users}"))
    line = b.our_addition(9, 2, invoice_description="M365-BP licence: 2\nada\nbob")
    book = [b.recorded(line)]

    renamed = b.count(2, holders=["ada", "cleo"])
    assert plan_company(b.facts(b.reading(renamed), additions=[line], ledger=book, rules=own)).groups == ()
    more = b.count(3, holders=["cleo", "ada", "bob"])
    change = only_change(plan_company(b.facts(b.reading(more), additions=[line], ledger=book, rules=own)))
    assert change.after.invoice_description == "M365-BP licence: 3\nada\nbob\ncleo"


def test_user_names_alone_are_written_once_the_period_has_changed():
    own = b.rules(b.profile(invoice_text="{users}"))
    line = b.our_addition(9, 1, invoice_description="ada")
    book = [b.recorded(line, text_written=date(2026, 10, 31))]
    plan = plan_company(b.facts(b.reading(b.count(1, holders=["cleo"])), additions=[line], ledger=book, rules=own))

    assert only_change(plan).fields() == {"invoice_description": "cleo"}
    assert (
        plan.groups[0].hash
        == plan_company(b.facts(b.reading(b.count(1, holders=["dora"])), additions=[line], ledger=book, rules=own))
        .groups[0]
        .hash
    ), "names need no approval"


def test_a_cleared_stamp_is_written_back_on_the_recorded_line():
    line = b.our_addition(9, 10)
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[b.addition(9, 10)], ledger=[b.recorded(line)]))

    assert only_change(plan).fields() == {"serial_number": line.serial_number}


def test_zero_inside_the_scope_ends_the_line_before_the_first_uninvoiced_period():
    line = b.our_addition(9, 2)
    counted = b.count(4, sku=b.STANDARD)
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, None)]
    plan = plan_company(
        b.facts(b.reading(counted), additions=[line], ledger=[b.recorded(line)], rules=b.rules(policies=policies))
    )

    change = only_change(plan)
    assert change.kind is ChangeKind.END
    assert change.fields() == {"cancelled_date": date(2026, 11, 30)}
    assert change.monthly == D("-50.00")


def test_a_line_that_has_not_begun_is_set_to_zero_instead_of_ended_before_it_begins():
    line = b.our_addition(9, 2, effective_date=b.NEXT_PERIOD)
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, None)]
    plan = plan_company(
        b.facts(b.reading(b.count(2)), additions=[line], ledger=[b.recorded(line)], rules=b.rules(policies=policies))
    )

    assert only_change(plan).fields() == {"quantity": D(0)}


def two_that_are_billed(licence: LicenceLink) -> Plan:
    """The plan of a company with a line of ours for both of its seats, and this licence link."""
    line = b.our_addition(9, 2)
    company = b.company(licences=(licence,))
    return plan_company(b.facts(b.reading(b.count(2)), additions=[line], ledger=[b.recorded(line)], company=company))


def test_do_not_bill_ends_the_line():
    plan = two_that_are_billed(LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True))

    assert only_change(plan).kind is ChangeKind.END


def test_do_not_bill_until_a_later_day_ends_the_line_for_now():
    plan = two_that_are_billed(LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill_until=date(2027, 2, 1)))

    assert only_change(plan).kind is ChangeKind.END
    assert "billing starts on 1 Feb 2027" in only_change(plan).sentence


def test_a_count_that_comes_back_after_its_line_ended_begins_a_new_line():
    ended = b.our_addition(9, 2, cancelled_date=date(2026, 11, 30))
    plan = plan_company(b.facts(b.reading(b.count(3)), additions=[ended], ledger=[b.recorded(ended)]))

    change = only_change(plan)
    assert (change.kind, change.after.effective_date) == (ChangeKind.CREATE, b.NEXT_PERIOD)


def test_bill_option_and_taxable_of_the_profile_reach_our_line_whether_the_ledger_knows_it_or_not():
    line = b.our_addition(9, 10)
    own = b.rules(b.profile(bill_option=BillOption.NO_CHARGE, taxable=True))

    for ledger in ([b.recorded(line)], []):
        plan = plan_company(b.facts(b.reading(b.count(10)), additions=[line], ledger=ledger, rules=own))
        assert only_change(plan).fields() == {"bill_customer": "NoCharge", "taxable_flag": True}
        assert "NoCharge instead of Billable; taxable" in only_change(plan).sentence


def test_a_count_that_comes_back_while_its_line_still_bills_goes_on_with_a_line_right_after_it():
    line = b.our_addition(9, 10, cancelled_date=date(2026, 12, 31))
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[line], ledger=[b.recorded(line)]))

    change = only_change(plan)
    assert (change.kind, change.after.effective_date) == (ChangeKind.CREATE, date(2027, 1, 1))


def test_a_line_of_ours_that_already_ends_is_not_ended_again():
    line = b.our_addition(9, 10, cancelled_date=date(2026, 12, 31))
    licence = LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True)
    plan = plan_company(
        b.facts(
            b.reading(b.count(12)), additions=[line], ledger=[b.recorded(line)], company=b.company(licences=(licence,))
        )
    )

    assert plan.groups == ()


def test_what_is_not_to_be_billed_is_left_alone_on_an_agreement_that_is_over():
    line = b.our_addition(9, 10)
    licence = LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True)
    plan = plan_company(
        b.facts(
            b.reading(b.count(12)),
            additions=[line],
            agreements=[b.agreement(agreement_status="Expired")],
            ledger=[b.recorded(line)],
            company=b.company(licences=(licence,)),
        )
    )

    assert plan.groups == ()
