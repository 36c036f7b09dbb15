"""The unit price of a line, per billing cycle of its agreement: where it comes from and when there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.counts import Count, Money
from shared.billing.planning.plan import ChangeKind, Plan
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import Band, BelowCost, BillOption, PriceKind, PricePeriod, PriceRule
from shared.billing.rules import LicenceLink
from tests import builders as b

D = Decimal
COST = PriceRule(PriceKind.COST, markup=D(20))
BANDS = (Band(D(10), D("10.00")), Band(D(50), D("8.00")), Band(None, D("6.00")))


def told(quantity: int = 5, *, cost: Money | None = None, retail: Money | None = None) -> Count:
    return replace(b.count(quantity), cost=cost, retail=retail)


def first_line(price: PriceRule, count: Count | None = None, **agreement: object) -> Plan:
    """The plan for a company that has no line yet."""
    on = {"currency": "USD", **agreement}
    return plan_company(
        b.facts(b.reading(count or told()), agreements=[b.agreement(**on)], rules=b.rules(b.profile(price=price)))
    )


def prices(plan: Plan) -> list[Decimal]:
    return [change.after.unit_price for change in plan.changes]


def doubts(plan: Plan) -> list[str]:
    assert plan.groups == ()
    return [f"{finding.kind.value}: {finding.text}" for finding in plan.findings]


MONTHLY = Money(D("20.00"), "month", "USD")


def test_the_vendors_cost_with_a_markup_is_rounded_to_the_profiles_decimals():
    assert prices(first_line(COST, told(cost=MONTHLY))) == [D("24.00")]
    third = Money(D("0.0333"), "month", "USD")
    assert prices(first_line(replace(COST, decimals=5), told(cost=third))) == [D("0.03996")]


def test_the_vendors_retail_price():
    assert prices(first_line(PriceRule(PriceKind.RETAIL), told(retail=MONTHLY))) == [D("20.00")]


def test_a_price_that_rounds_to_nothing_is_a_finding():
    tiny = Money(D("0.003"), "month", "USD")
    assert doubts(first_line(COST, told(cost=tiny))) == [
        "price: Business Premium: its price is 0.00; nothing is written."
    ]


@pytest.mark.parametrize(
    ("cost", "told_as"),
    [
        (None, "price: Business Premium: the vendor does not tell its cost; nothing is written."),
        (
            Money(D(20), "term", "USD"),
            "price: Business Premium: its cost is for a term, the agreement is billed monthly; nothing is written.",
        ),
        (
            Money(D(20), "unknown", "USD"),
            "price: Business Premium: its cost is for a period that the vendor does not tell, the agreement is billed "
            "monthly; nothing is written.",
        ),
        (
            Money(D(20), "month", "EUR"),
            "currency: Business Premium: its cost is in EUR, agreement 501 is billed in USD; nothing is written.",
        ),
        (
            Money(D(20), "month"),
            "currency: Business Premium: its cost is in a currency that the vendor does not tell, agreement 501 is "
            "billed in USD; nothing is written.",
        ),
    ],
)
def test_what_the_vendor_does_not_tell_in_the_agreements_own_terms_is_a_finding(cost, told_as):
    assert doubts(first_line(COST, told(cost=cost))) == [told_as]


QUARTERLY = {"billing_cycle": "Quarterly", "next_invoice_date": date(2027, 1, 1)}


def test_a_months_cost_is_multiplied_only_where_the_profile_says_so():
    count = told(cost=MONTHLY)
    assert doubts(first_line(COST, count, **QUARTERLY))[0].startswith(
        "price: Business Premium: its cost is for a month"
    )
    assert prices(first_line(replace(COST, per=PricePeriod.MONTH), count, **QUARTERLY)) == [D("72.00")]


def test_a_years_cost_is_that_of_a_yearly_agreement_only():
    yearly = {"billing_cycle": "Yearly", "next_invoice_date": date(2027, 1, 1)}
    count = told(cost=Money(D("240.00"), "year", "USD"))
    assert prices(first_line(COST, count, **yearly)) == [D("288.00")]
    assert len(doubts(first_line(COST, count))) == 1


@pytest.mark.parametrize(
    "rule",
    [
        PriceRule(PriceKind.CUSTOM, D("25.00"), per=PricePeriod.MONTH),
        PriceRule(PriceKind.PRODUCT, per=PricePeriod.MONTH),
        PriceRule(PriceKind.VOLUME, bands=(Band(D(9), D("25.00")), Band(None, D(1))), per=PricePeriod.MONTH),
    ],
)
def test_a_price_for_a_month_is_multiplied_by_the_months_of_the_cycle(rule):
    assert prices(first_line(rule, **QUARTERLY)) == [D("75.00")]


@pytest.mark.parametrize(
    ("quantity", "tiered", "volume"),
    [
        (10, [(10, "10.00")], "10.00"),
        (11, [(10, "10.00"), (1, "8.00")], "8.00"),
        (50, [(10, "10.00"), (40, "8.00")], "8.00"),
        (51, [(10, "10.00"), (40, "8.00"), (1, "6.00")], "6.00"),
    ],
)
def test_bands_the_upper_bound_inclusive(quantity, tiered, volume):
    plan = first_line(PriceRule(PriceKind.TIERED, bands=BANDS), told(quantity))
    lines = sorted(
        ((change.after.quantity, change.after.unit_price) for change in plan.changes), key=lambda line: -line[1]
    )
    assert lines == [(D(count), D(price)) for count, price in tiered]
    assert prices(first_line(PriceRule(PriceKind.VOLUME, bands=BANDS), told(quantity))) == [D(volume)]


def test_a_licence_links_own_price_goes_before_the_bands():
    licence = LicenceLink(b.SOURCE, b.PREMIUM, price=D("7.77"))
    rules = b.rules(b.profile(price=PriceRule(PriceKind.TIERED, bands=BANDS)))
    plan = plan_company(b.facts(b.reading(told(51)), rules=rules, company=b.company(licences=(licence,))))

    assert [(change.after.quantity, change.after.unit_price) for change in plan.changes] == [(D(51), D("7.77"))]


def test_a_licence_links_own_product_and_cost_go_before_what_others_tell():
    licence = LicenceLink(b.SOURCE, b.PREMIUM, product="M365-BS", cost=D("17.50"))
    rules = b.rules(b.profile(price=replace(COST, markup=D(20))))
    company = b.company(licences=(licence,))
    products = {item.identifier: item for item in (b.product(), b.product("M365-BS", 89))}
    facts = replace(b.facts(b.reading(told(5)), rules=rules, company=company), products=products)

    ((line,),) = (group.changes for group in plan_company(facts).groups)

    assert (line.product, line.after.unit_price, line.after.unit_cost) == ("M365-BS", D("21.00"), D("17.50"))


def test_a_price_is_not_below_the_cost_that_the_company_names_itself():
    licence = LicenceLink(b.SOURCE, b.PREMIUM, price=D("19.00"), cost=D("18.00"))
    rules = b.rules(b.profile(price=PriceRule(below_cost=BelowCost.REFUSE)))
    facts = b.facts(b.reading(told()), rules=rules, company=b.company(licences=(licence,)))

    assert [change.after.unit_price for change in plan_company(facts).changes] == [D("19.00")]


def test_the_cost_is_written_where_the_profile_says_so_and_only_there():
    (silent,) = first_line(COST, told(cost=MONTHLY)).changes
    (written,) = first_line(replace(COST, write_cost=True), told(cost=MONTHLY)).changes

    assert (silent.after.unit_cost, written.after.unit_cost) == (None, D("20.00"))
    assert written.fields()["unit_cost"] == D("20.00")


def test_a_cost_that_changed_is_written_on_the_standing_line():
    line = b.our_addition(9, 5, unit_price=D("24.00"))
    rules = b.rules(b.profile(price=replace(COST, write_cost=True)))
    dearer = told(cost=Money(D("21.00"), "month", "USD"))
    plan = plan_company(
        b.facts(
            b.reading(dearer),
            additions=[line],
            ledger=[b.recorded(line)],
            agreements=[b.agreement(currency="USD")],
            rules=rules,
        )
    )

    (change,) = plan.changes
    assert change.fields() == {"unit_price": D("25.20"), "unit_cost": D("21.00")}
    assert change.sentence == (
        "Business Premium: from 1 Dec 2026 25.20 each instead of 24.00; cost 21.00 each instead of 20.00: +6.00 an "
        "invoice."
    )


def test_the_margin_of_a_change_is_known_by_the_vendors_cost_or_the_catalogs():
    (by_vendor,) = first_line(
        PriceRule(PriceKind.CUSTOM, D("30.00")), told(cost=Money(D("22.00"), "month", "USD"))
    ).changes
    (by_catalog,) = first_line(PriceRule(PriceKind.CUSTOM, D("30.00"))).changes

    assert (by_vendor.margin, by_catalog.margin) == (D("40.00"), D("50.00"))


# ---- a price below cost

REFUSED = PriceRule(PriceKind.CUSTOM, D("19.00"), below_cost=BelowCost.REFUSE)
BELOW = "price: Business Premium: its price of 19.00 is below its cost of {}; nothing is written."


def test_a_price_below_cost_is_a_finding_only_where_the_profile_refuses_it():
    assert doubts(first_line(REFUSED)) == [BELOW.format("20.00")]
    assert prices(first_line(replace(REFUSED, below_cost=BelowCost.ALLOW))) == [D("19.00")]
    assert prices(first_line(replace(REFUSED, amount=D("20.00")))) == [D("20.00")]


def test_the_vendors_cost_goes_before_the_catalogs_where_it_is_in_the_agreements_terms():
    assert doubts(first_line(REFUSED, told(cost=Money(D("22.50"), "month", "USD")))) == [BELOW.format("22.50")]
    assert prices(first_line(REFUSED, told(cost=Money(D("18.00"), "month", "USD")))) == [D("19.00")]
    assert doubts(first_line(REFUSED, told(cost=Money(D("18.00"), "month", "EUR")))) == [BELOW.format("20.00")]


def test_a_cost_for_a_month_is_compared_over_the_whole_cycle():
    monthly = replace(REFUSED, per=PricePeriod.MONTH)
    assert doubts(first_line(monthly, **QUARTERLY)) == [
        "price: Business Premium: its price of 57.00 is below its cost of 60.00; nothing is written."
    ]
    assert prices(first_line(replace(monthly, amount=D("21.00")), **QUARTERLY)) == [D("63.00")]


def test_a_cost_that_nobody_knows_refuses_nothing():
    free = replace(b.product(), cost=D(0))
    rules = b.rules(b.profile(price=REFUSED))
    assert prices(plan_company(b.facts(b.reading(told()), rules=rules, products=[free]))) == [D("19.00")]


def test_what_is_not_charged_may_have_any_price():
    rules = b.rules(b.profile(price=REFUSED, bill_option=BillOption.NO_CHARGE))
    assert prices(plan_company(b.facts(b.reading(told()), rules=rules))) == [D("19.00")]


def test_a_licence_links_own_price_is_refused_below_cost_too():
    licence = LicenceLink(b.SOURCE, b.PREMIUM, price=D("19.00"))
    rules = b.rules(b.profile(price=PriceRule(below_cost=BelowCost.REFUSE)))
    facts = b.facts(b.reading(told()), rules=rules, company=b.company(licences=(licence,)))

    assert doubts(plan_company(facts)) == [BELOW.format("20.00")]


@pytest.mark.parametrize("ours", [True, False])
def test_a_standing_line_below_cost_stays_as_it_is(ours):
    line = (b.our_addition if ours else b.addition)(9, 4, unit_price=D("19.00"))
    keeps = PriceRule(below_cost=BelowCost.REFUSE)
    facts = b.facts(
        b.reading(told()),
        additions=[line],
        ledger=[b.recorded(line)] if ours else [],
        rules=b.rules(b.profile(price=keeps)),
    )

    plan = plan_company(facts)

    assert doubts(plan) == [BELOW.format("20.00")]
    assert plan.frozen == {f"{b.SOURCE}/{b.PREMIUM}"}
    allowed = replace(facts, rules=b.rules(b.profile(price=replace(keeps, below_cost=BelowCost.ALLOW))))
    assert len(plan_company(allowed).groups) == 1


def test_a_line_below_cost_of_which_nothing_is_counted_any_more_ends():
    line = b.our_addition(9, 5, unit_price=D("19.00"))
    rules = b.rules(b.profile(price=PriceRule(below_cost=BelowCost.REFUSE)))
    (change,) = plan_company(
        b.facts(b.reading(told(0)), additions=[line], ledger=[b.recorded(line)], rules=rules)
    ).changes

    assert change.kind is ChangeKind.END
