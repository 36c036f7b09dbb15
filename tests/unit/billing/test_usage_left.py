"""Usage that was read and that nothing bills any more: it is told with its amount until a person has settled it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.findings import FindingKind
from shared.billing.planning.choices import Choice, ChoiceKind, subject_of_usage
from shared.billing.planning.plan import Plan
from shared.billing.planning.planner import Facts, plan_company
from shared.billing.profiles import Arrears, PriceKind, PricePeriod, PriceRule, QuantityRule
from shared.billing.rules import CompanyLink, LicenceLink, Mode, SkuPolicy
from tests import builders as b
from tests.unit.billing.test_dated_usage import OCTOBER, Night, azure, subscription
from tests.unit.billing.test_invoices import COMPUTED, Agreement
from tests.unit.billing.test_ranges import PACKAGES, PER_UNIT, october, storage
from tests.unit.billing.test_ranges import used as late

D = Decimal
ITEM = f"{b.SOURCE}/{b.PREMIUM}"
REMOVED = b.company(links=(CompanyLink(b.SOURCE, b.TENANT, removed=True),))
NOT_BILLED = b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),))
SETTLE = {subject_of_usage(ITEM): Choice(ChoiceKind.SETTLE, subject_of_usage(ITEM))}


def used(arrears: Arrears = Arrears.HIGHEST) -> Agreement:
    """30 at 0.50 were the most of January, 20 the last; none of it is written yet. On 3 February there were 40."""
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("0.50"), arrears=arrears)
    agreement.night(date(2026, 1, 5), 30)
    agreement.night(date(2026, 1, 31), 20)
    agreement.invoice()
    assert agreement.night(date(2026, 2, 3), 40, applies=False).groups != ()
    return agreement


def night(agreement: Agreement, day: date, **changed: object) -> Plan:
    """A night by other rules; nothing is read where its link is removed."""
    facts = replace(agreement.facts(day, 40), **changed)
    if not facts.company.linked:
        facts = replace(facts, readings=())
    return remembered(agreement, facts)


def remembered(agreement: Agreement, facts: Facts) -> Plan:
    plan = plan_company(facts)
    agreement.seats |= {record.line: record for record in plan.seats}
    return plan


def told(plan: Plan) -> list[str]:
    return [finding.text for finding in plan.findings if finding.kind is FindingKind.UNBILLED]


NOBODYS = (
    "Business Premium: 30 used from 1 Jan 2026 to 31 Jan 2026 (15.00), and 40 used from 1 Feb 2026 to 3 Feb 2026 "
    "(20.00) were never billed, and are not billed by themselves, because {why}."
)
OF_THE_PROFILE = NOBODYS.replace("Business Premium", "Microsoft 365 Business Premium")


@pytest.mark.parametrize(
    ("company", "text"),
    [
        (REMOVED, OF_THE_PROFILE.format(why="its link was removed")),
        (NOT_BILLED, NOBODYS.format(why="it is not to be billed")),
    ],
)
def test_what_was_used_before_billing_ended_is_told_with_its_amount_until_a_person_has_settled_it(company, text):
    agreement = used()
    for day in (date(2026, 2, 10), date(2026, 2, 28), date(2026, 3, 1), date(2026, 6, 30)):
        plan = night(agreement, day, company=company)
        assert (plan.groups, told(plan)) == ((), [text])
    (finding,) = plan.findings
    assert (finding.key, finding.remedy) == (
        f"usage/{ITEM}",
        "Bill them by hand, unless they are not owed; then say here that they are settled.",
    )

    settled = night(agreement, date(2026, 7, 1), company=company, choices=SETTLE)
    assert (settled.groups, settled.findings, settled.spent) == ((), (), {f"usage/{ITEM}"})
    assert night(agreement, date(2026, 7, 2), company=company).findings == ()
    agreement.invoiced = 7
    lifted = night(agreement, date(2026, 8, 3))
    assert [change.after.quantity for change in lifted.changes] == []
    assert told(lifted) == []


@pytest.mark.parametrize(("arrears", "january", "february"), [(Arrears.HIGHEST, 30, 40), (Arrears.LAST, 20, 40)])
def test_what_is_told_is_what_the_profile_counts(arrears, january, february):
    (text,) = told(night(used(arrears), date(2026, 2, 10), company=REMOVED))
    assert f": {january} used from 1 Jan 2026 to 31 Jan 2026 ({january / 2:.2f}), and {february} used from" in text


def test_what_lines_charge_already_is_not_told():
    agreement = used()
    agreement.night(date(2026, 2, 3), 40)
    (text,) = told(night(agreement, date(2026, 2, 10), company=REMOVED))
    assert "Microsoft 365 Business Premium: 40 used from 1 Feb 2026 to 3 Feb 2026 (20.00) were never billed" in text


def test_nothing_is_told_of_what_a_line_of_somebody_else_bills():
    agreement = used()
    agreement.lines = [b.addition(77, 45, effective_date=date(2025, 1, 1))]
    assert told(night(agreement, date(2026, 2, 10), company=REMOVED)) == []


@pytest.mark.parametrize(
    ("kind", "units", "amount"),
    [(PriceKind.TIERED, 51, "426.00"), (PriceKind.VOLUME, 51, "306.00"), (PriceKind.PACKAGE, 51, "6.00")],
)
def test_the_amount_is_that_of_the_bands_that_were_reached(kind, units, amount):
    agreement = storage(kind, PER_UNIT)
    agreement.night(date(2026, 1, 20), units)
    (text,) = told(night(agreement, date(2026, 2, 10), company=REMOVED))
    assert f": 51 used from 1 Jan 2026 to 20 Jan 2026 ({amount}) were never billed" in text


def test_the_companys_own_price_and_product_hold_for_what_is_left():
    agreement = used()
    own = LicenceLink(b.SOURCE, b.PREMIUM, price=D("2.00"), product="BACKUP-S", do_not_bill=True)
    facts = agreement.facts(date(2026, 2, 10), 40)
    catalog = {**facts.products, "BACKUP-S": b.product("BACKUP-S", 101)}
    plan = plan_company(replace(facts, company=b.company(licences=(own,)), products=catalog))
    assert "(60.00), and 40 used from 1 Feb 2026 to 3 Feb 2026 (80.00)" in told(plan)[0]


def test_without_a_product_or_a_price_the_units_are_told():
    agreement = used()
    facts = replace(agreement.facts(date(2026, 2, 10), 40), company=NOT_BILLED)
    nameless = plan_company(replace(facts, products={}))
    (profile,) = facts.rules.profiles.values()
    by_cost = replace(profile, price=replace(profile.price, kind=PriceKind.COST))
    unknown = plan_company(replace(facts, rules=b.rules(by_cost)))
    for plan in (nameless, unknown):
        assert ": 30 used from 1 Jan 2026 to 31 Jan 2026, and 40 used from 1 Feb" in told(plan)[0]


def test_what_no_rule_mentions_any_more_is_told_at_the_price_of_its_last_line():
    agreement = used()
    agreement.night(date(2026, 2, 3), 40)
    plan = night(agreement, date(2026, 2, 10), rules=b.rules(policies=()))
    assert told(plan) == [
        f"Usage of {ITEM}: 40 used from 1 Feb 2026 to 3 Feb 2026 (20.00) were never billed, and are not billed by "
        "themselves, because no rule mentions it any more."
    ]
    # Mentioned again it is billed as if a few nights had been missed.
    agreement.invoice()
    assert [change.after.quantity for change in agreement.night(date(2026, 3, 1), 10).changes] == [D(40)]


@pytest.mark.parametrize(("then", "billed"), [(40, []), (15, []), (55, [D(15)])])
def test_what_a_person_has_settled_is_not_billed_again_where_it_is_billed_again_in_the_same_month(then, billed):
    """40 of February are settled on the 11th; from the 14th on it is billed again."""
    agreement = used()
    night(agreement, date(2026, 2, 10), company=NOT_BILLED)
    night(agreement, date(2026, 2, 11), company=NOT_BILLED, choices=SETTLE)
    agreement.night(date(2026, 2, 14), then)
    agreement.invoice()
    plan = agreement.night(date(2026, 3, 1), then)
    assert [change.after.quantity for change in plan.changes] == billed


def test_of_what_is_used_after_a_person_has_settled_a_part_the_rest_is_told():
    agreement = used()
    for day, rest in ((10, "40"), (16, "15")):
        assert f"{rest} used from 1 Feb 2026" in told(night(agreement, date(2026, 2, day), company=NOT_BILLED))[0]
        night(agreement, date(2026, 2, day + 1), company=NOT_BILLED, choices=SETTLE)
        assert told(night(agreement, date(2026, 2, day + 2), company=NOT_BILLED)) == []
        agreement.night(date(2026, 2, day + 3), 55)
    agreement.invoice()
    assert agreement.night(date(2026, 3, 1), 55).changes == ()


def test_what_no_rule_mentions_and_was_never_billed_is_told_by_its_units_and_can_be_settled():
    agreement = used()
    rules = b.rules(policies=())
    assert told(night(agreement, date(2026, 2, 10), rules=rules)) == [
        f"Usage of {ITEM}: 30 used from 1 Jan 2026 to 31 Jan 2026, and 40 used from 1 Feb 2026 to 3 Feb 2026 were "
        "never billed, and are not billed by themselves, because no rule mentions it any more."
    ]
    assert night(agreement, date(2026, 2, 11), rules=rules, choices=SETTLE).spent == {f"usage/{ITEM}"}
    assert told(night(agreement, date(2026, 2, 12), rules=rules)) == []


def test_of_a_package_that_was_billed_nothing_is_left_where_no_rule_mentions_it():
    agreement = storage(PriceKind.PACKAGE, PACKAGES)
    agreement.night(date(2026, 1, 20), 80)
    agreement.invoice()
    agreement.night(date(2026, 2, 1), 300)
    plan = night(agreement, date(2026, 2, 2), rules=b.rules(policies=()))
    assert told(plan) == [
        f"Usage of {ITEM}: 300 used from 1 Feb 2026 to 1 Feb 2026 were never billed, and are not billed by themselves, "
        "because no rule mentions it any more."
    ]


def test_a_policy_that_says_not_to_bill_tells_what_it_leaves():
    plan = night(used(), date(2026, 2, 10), rules=b.rules(policies=[SkuPolicy(b.SOURCE, b.PREMIUM, None)]))
    assert (plan.groups, [text.split(",")[0] for text in told(plan)]) == (
        (),
        ["Business Premium: 30 used from 1 Jan 2026 to 31 Jan 2026"],
    )


def test_a_profile_that_bills_seats_from_now_on_tells_what_it_leaves_of_usage():
    agreement = used()
    agreement.arrears = None
    assert "because its profile bills no usage any more" in told(agreement.plan(date(2026, 2, 10), 40))[0]


@pytest.mark.parametrize(("day", "is_told"), [(date(2026, 2, 10), False), (date(2026, 2, 11), True)])
def test_what_is_frozen_is_told_once_a_month_is_over_for_long(day, is_told):
    agreement = used()
    facts = agreement.facts(day, 40)
    for changed in (
        {"company": b.company(links=(CompanyLink(b.SOURCE, "another-tenant"),)), "readings": ()},
        {"readings": (b.failure(),)},
        {"agreements": tuple(replace(each, agreement_status="Expired") for each in facts.agreements)},
    ):
        plan = plan_company(replace(facts, **changed))
        assert plan.groups == ()
        assert [": 30 used from 1 Jan 2026 to 31 Jan 2026 (15.00) were" in text for text in told(plan)] == [
            True
        ] * is_told


def test_what_is_frozen_and_was_settled_is_not_billed_when_it_may_be_billed_again():
    agreement = used()
    assert night(agreement, date(2026, 2, 20), readings=(b.failure(),), choices=SETTLE).findings != ()
    assert told(night(agreement, date(2026, 2, 21), readings=(b.failure(),))) == []
    assert agreement.night(date(2026, 2, 22), 10).groups == ()
    agreement.invoice()
    assert [change.after.quantity for change in agreement.night(date(2026, 3, 1), 10).changes] == [D(40)]


def test_a_company_that_is_only_observed_is_billed_by_others():
    observed = replace(REMOVED, mode=Mode.OBSERVE)
    assert told(night(used(), date(2026, 2, 10), company=observed)) == []


def test_once_it_is_billed_again_the_month_under_way_counts_and_those_that_are_over_stay_a_persons():
    """40 on 3 February, not to be billed from the 10th to the 13th, 15 from the 14th on: February comes to 40."""
    agreement = used()
    for day in (10, 13):
        night(agreement, date(2026, 2, day), company=NOT_BILLED)
    for day in (date(2026, 2, 14), date(2026, 2, 28)):
        plan = agreement.night(day, 15)
        assert (plan.groups, told(plan)) == (
            (),
            [
                "Business Premium: 30 used from 1 Jan 2026 to 31 Jan 2026 (15.00) were never billed, and are not "
                "billed by themselves, because it was not to be billed then, or that is too long ago."
            ],
        )
    agreement.invoice()
    assert [change.after.quantity for change in agreement.night(date(2026, 3, 1), 15).changes] == [D(40)]


def test_what_was_read_on_days_on_which_it_was_not_to_be_billed_is_no_part_of_a_month():
    agreement = used()
    agreement.night(date(2026, 2, 3), 40)
    for day in (date(2026, 2, 10), date(2026, 3, 9)):
        night(agreement, day, company=NOT_BILLED)
    agreement.invoice()
    plan = agreement.night(date(2026, 3, 10), 7)
    assert (plan.groups, told(plan)[0].split(",")[0]) == (
        (),
        "Business Premium: 40 used from 1 Feb 2026 to 28 Feb 2026 (20.00) were never billed",
    )
    agreement.invoice()
    assert [change.after.quantity for change in agreement.night(date(2026, 4, 1), 5).changes] == [D(7)]


def test_a_month_that_ended_twice_is_told_as_far_as_it_was_read_last():
    agreement = used()
    night(agreement, date(2026, 2, 10), company=NOT_BILLED)
    agreement.night(date(2026, 2, 11), 90, applies=False)
    (text,) = told(night(agreement, date(2026, 2, 12), company=NOT_BILLED))
    assert "90 used from 1 Feb 2026 to 11 Feb 2026 (45.00)" in text


def test_months_that_were_never_billed_are_told_until_a_person_has_settled_them():
    agreement = storage(PriceKind.PACKAGE, PACKAGES)
    agreement.night(date(2026, 1, 5), 80)
    for month in (2, 3, 4, 5):
        agreement.invoice()
        plan = agreement.night(date(2026, month, 1), 80, applies=False)
    assert told(plan) == [
        "Business Premium: 80 used from 1 Jan 2026 to 31 Jan 2026 (25.00), and 80 used from 1 Feb 2026 to 28 Feb 2026 "
        "(25.00) were never billed, and are not billed by themselves, because that is too long ago."
    ]
    settled = replace(agreement.facts(date(2026, 5, 1), 80), choices=SETTLE)
    assert [change.after.quantity for change in remembered(agreement, settled).changes] == [D(1), D(1)]
    assert told(agreement.plan(date(2026, 5, 2), 80)) == []
    agreement.invoice()
    assert "80 used from 1 Mar 2026 to 31 Mar 2026 (25.00) were" in told(agreement.night(date(2026, 6, 1), 80))[0]


def test_dated_usage_of_a_month_that_is_over_is_told_when_its_link_is_removed():
    night = Night(quantity=QuantityRule(), price=PriceRule(PriceKind.CUSTOM, D("1.15")))
    night(date(2026, 10, 20), azure(subscription("s1", OCTOBER, date(2026, 10, 17))))
    assert night(date(2026, 11, 4), azure(subscription("s1", OCTOBER, date(2026, 11, 1)))).groups != ()
    facts = b.facts(company=REMOVED, rules=night.rules, seats=night.seats, as_of=date(2026, 11, 5))
    (text,) = told(plan_company(facts))
    assert ": 123.45 used from 1 Oct 2026 to 31 Oct 2026 (141.97) were never billed" in text


@pytest.mark.parametrize("company", [REMOVED, b.company(links=())])
def test_what_was_charged_for_other_periods_on_another_agreement_is_not_told(company):
    agreement = used()
    agreement.night(date(2026, 2, 3), 40)
    (row,) = agreement.ledger.values()
    moved = replace(row, key=replace(row.key, agreement=502))
    facts = agreement.facts(date(2026, 2, 10), 40)
    contract = b.agreement(
        502, invoicing_cycle="ContractYear", bill_start_date=date(2024, 1, 15), next_invoice_date=date(2026, 2, 15)
    )
    plan = plan_company(
        replace(
            facts,
            company=company,
            ledger=(moved,),
            agreements=(*facts.agreements, contract),
            readings=(),
            additions={b.AGREEMENT: (), 502: ()},
        )
    )
    assert [": 40 used from 1 Feb 2026 to 3 Feb 2026 (20.00) were" in text for text in told(plan)] == [True]


def test_of_two_records_of_a_moved_item_the_newer_one_tells_and_both_are_settled():
    agreement = used()
    (line,) = agreement.seats
    older = replace(agreement.seats[line], line=line.replace("/501/", "/502/"), seen=date(2026, 1, 2))
    standing = b.seats_with(0, date(2026, 2, 3))
    for order in ((older.line, line), (line, older.line)):
        known = {older.line: older, line: agreement.seats[line]}
        facts = agreement.facts(date(2026, 2, 10), 40)
        facts = replace(facts, rules=b.rules(policies=()), seats={**{each: known[each] for each in order}, **standing})
        assert ", and 40 used from 1 Feb 2026 to 3 Feb 2026 were" in told(plan_company(facts))[0]
        settled = plan_company(replace(facts, choices=SETTLE))
        assert sorted(record.line for record in settled.seats) == sorted(known)
        assert ", and 40 used from 1 Feb" in told(plan_company(replace(facts, rules=b.rules(), company=NOT_BILLED)))[0]


def test_a_package_that_was_given_back_and_the_larger_one_charge_their_month():
    night = october(PriceKind.PACKAGE, PACKAGES)
    night(date(2026, 11, 4), late("80"))
    night(date(2026, 11, 6), late("120"))
    facts = b.facts(company=REMOVED, rules=night.rules, seats=night.seats, as_of=date(2026, 11, 7))
    assert told(plan_company(replace(facts, ledger=tuple(night.ledger.values())))) == []


def test_of_an_agreement_that_is_over_and_invoiced_the_amount_is_told_all_the_same():
    agreement = Agreement(
        "Quarterly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("0.50"), arrears=Arrears.HIGHEST
    )
    agreement.night(date(2026, 2, 3), 40)
    facts = agreement.facts(date(2026, 4, 20), 40)
    (over,) = (
        replace(each, end_date=date(2026, 3, 31), next_invoice_date=date(2026, 4, 1)) for each in facts.agreements
    )
    (profile,) = facts.rules.profiles.values()
    monthly = b.rules(replace(profile, price=replace(profile.price, per=PricePeriod.MONTH)))
    for rules, amount in ((facts.rules, "20.00"), (monthly, "60.00")):
        plan = plan_company(replace(facts, agreements=(over,), rules=rules))
        assert f": 40 used from 1 Jan 2026 to 31 Mar 2026 ({amount}) were never billed" in told(plan)[0]
