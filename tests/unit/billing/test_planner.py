"""What the planner writes, by example."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.counts import Scope
from shared.billing.lines import LineKind, is_line_of, stamp_of
from shared.billing.planning.plan import ChangeKind, Plan
from shared.billing.planning.planner import plan_company, with_everything_read
from shared.billing.profiles import Basis, BillOption, PriceKind, PriceRule, QuantityRule
from shared.billing.rules import CompanyLink, LicenceLink, SkuPolicy
from tests import builders as b

D = Decimal


def kinds(plan: Plan) -> list[str]:
    return [finding.kind.value for finding in plan.findings]


def only_change(plan: Plan):
    assert len(plan.changes) == 1, plan
    return plan.changes[0]


# ---- creating


def test_a_counted_sku_without_a_line_gets_one_from_the_first_uninvoiced_period_on():
    change = only_change(plan_company(b.facts(b.reading(b.count(12)))))

    assert change.kind is ChangeKind.CREATE
    assert change.fields() == {
        "product_id": 88,
        "quantity": D(12),
        "unit_price": D("25.00"),
        "effective_date": b.NEXT_PERIOD,
        "serial_number": stamp_of(b.key(), 88, b.NEXT_PERIOD),
        "bill_customer": "Billable",
    }
    assert change.monthly == D("300.00")
    assert change.sentence == ("Business Premium: a new line of 12 from 1 Dec 2026: 12 × 25.00 = 300.00 an invoice.")


def test_the_profile_says_price_bill_option_and_taxable_of_a_new_line():
    own = b.profile(price=PriceRule(PriceKind.CUSTOM, D("22.50")), bill_option=BillOption.NO_CHARGE, taxable=True)
    change = only_change(plan_company(b.facts(b.reading(b.count(2)), rules=b.rules(own))))

    assert change.after.unit_price == D("22.50")
    assert change.after.bill_customer == "NoCharge"
    assert change.after.taxable_flag is True
    assert change.monthly == 0


def test_update_only_profiles_never_create():
    plan = plan_company(b.facts(b.reading(b.count(2)), rules=b.rules(b.profile(update_only=True))))

    assert plan.groups == ()
    assert kinds(plan) == ["blocked-create"]


def test_update_only_profiles_create_no_line_after_ours_has_ended_either_but_adopt_what_a_person_adds():
    ours = b.our_addition(9, 5, cancelled_date=date(2026, 10, 31))
    rules = b.rules(b.profile(update_only=True))
    facts = b.facts(b.reading(b.count(4)), additions=[ours], ledger=[b.recorded(ours)], rules=rules)

    assert plan_company(facts).groups == ()
    assert kinds(plan_company(facts)) == ["blocked-create"]

    added = b.addition(10, 1, effective_date=b.NEXT_PERIOD)
    change = only_change(plan_company(replace(facts, additions={501: (ours, added)})))
    assert (change.addition, change.reason, change.after.quantity) == (10, "adopted", D(4))


def test_nothing_is_created_before_the_licence_links_start():
    licence = LicenceLink(b.SOURCE, b.PREMIUM, start=date(2026, 12, 2))

    assert plan_company(b.facts(b.reading(b.count(2)), company=b.company(licences=(licence,)))).groups == ()


def test_a_start_on_the_first_day_of_the_period_lets_the_line_begin_there():
    licence = LicenceLink(b.SOURCE, b.PREMIUM, start=b.NEXT_PERIOD)

    change = only_change(plan_company(b.facts(b.reading(b.count(2)), company=b.company(licences=(licence,)))))
    assert change.after.effective_date == b.NEXT_PERIOD


@pytest.mark.parametrize("price", ["0", "0.00"])
def test_a_price_of_nothing_is_a_finding_and_writes_nothing(price):
    plan = plan_company(b.facts(b.reading(b.count(2)), products=[b.product(price=price)]))

    assert plan.groups == ()
    assert kinds(plan) == ["price"]


# ---- adopting


def test_the_one_open_line_of_the_product_is_adopted_with_quantity_and_stamp_and_nothing_else():
    own = b.profile(price=PriceRule(PriceKind.CUSTOM, D("30.00")), taxable=True, invoice_text="{product}")
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[b.addition(9, 10)], rules=b.rules(own)))

    change = only_change(plan)
    stamp = stamp_of(b.key(), 88, date(2025, 1, 1), LineKind.ADOPTED)
    assert change.kind is ChangeKind.UPDATE
    assert change.addition == 9
    assert change.fields() == {"quantity": D(12), "serial_number": stamp}
    assert change.keeps_price


def test_a_right_line_is_adopted_by_its_stamp_alone():
    change = only_change(plan_company(b.facts(b.reading(b.count(10)), additions=[b.addition(9, 10)])))

    assert list(change.fields()) == ["serial_number"]
    assert change.monthly == 0


@pytest.mark.parametrize(
    "line",
    [
        b.addition(9, 10, serial_number="SN-7781"),
        b.addition(9, 10, serial_number="Unite-55"),
        b.addition(9, 10, less_included=D(2)),
        b.addition(9, 10, cancelled_date=date(2027, 3, 31)),
        b.addition(9, 10, bill_customer="NoCharge"),
        b.addition(9, 10, unit_price=D("-25.00")),
        b.addition(9, 10, unit_price=D(0)),
        b.addition(9, -5),
        b.addition(9, 10, effective_date=date(2027, 3, 1)),
        b.addition(9, 10, effective_date=date(1999, 5, 1)),
    ],
    ids=[
        "a serial number",
        "another tool's mark, not confirmed",
        "less included",
        "an end",
        "no charge",
        "a credit",
        "no price",
        "less than nothing",
        "a later beginning",
        "another century",
    ],
)
def test_a_line_that_may_not_be_adopted_blocks_the_create(line):
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[line]))

    assert plan.groups == ()
    assert kinds(plan) == ["blocked-create"]


def test_another_tools_line_is_adopted_once_that_is_confirmed_for_the_company():
    line = b.addition(9, 10, serial_number="unite-55")
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[line], company=b.company(adopt_marked=True)))

    assert only_change(plan).addition == 9


def test_several_open_lines_of_the_product_are_left_to_a_person():
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[b.addition(9, 10), b.addition(10, 2)]))

    assert plan.groups == ()
    assert kinds(plan) == ["candidates"]


def test_a_line_on_another_active_agreement_blocks_the_create():
    other = b.agreement(502, type="Cloud Subscriptions")
    plan = plan_company(
        b.facts(b.reading(b.count(12)), additions=[b.addition(9, 10, on=502)], agreements=[b.agreement(), other])
    )

    assert plan.groups == ()
    assert kinds(plan) == ["blocked-create"]


def test_a_line_of_a_product_that_the_profile_replaces_blocks_the_create():
    own = b.profile(replaces=("OLD-BP",))
    line = b.addition(9, 10, product="OLD-BP", product_id=70)
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[line], rules=b.rules(own)))

    assert plan.groups == ()
    assert kinds(plan) == ["blocked-create"]


def test_an_ended_line_of_the_product_blocks_nothing():
    line = b.addition(9, 10, cancelled_date=date(2026, 11, 30))

    assert only_change(plan_company(b.facts(b.reading(b.count(12)), additions=[line]))).kind is ChangeKind.CREATE


def test_two_skus_of_one_product_do_not_fight_for_one_line():
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "premium")]
    plan = plan_company(
        b.facts(
            b.reading(b.count(3), b.count(4, sku=b.STANDARD)),
            additions=[b.addition(9, 10)],
            rules=b.rules(policies=policies),
        )
    )

    assert plan.groups == ()
    assert kinds(plan) == ["candidates", "candidates"]


def test_a_line_for_something_that_is_not_counted_is_a_finding_and_is_not_touched():
    plan = plan_company(b.facts(b.reading(), additions=[b.addition(9, 10)]))

    assert plan.groups == ()
    assert kinds(plan) == ["candidates"]


# ---- changing


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


# ---- ending


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


def test_do_not_bill_ends_the_line():
    line = b.our_addition(9, 2)
    licence = LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True)
    plan = plan_company(
        b.facts(
            b.reading(b.count(2)),
            additions=[line],
            ledger=[b.recorded(line)],
            company=b.company(licences=(licence,)),
        )
    )

    assert only_change(plan).kind is ChangeKind.END


def test_do_not_bill_until_a_later_day_ends_the_line_for_now():
    line = b.our_addition(9, 2)
    licence = LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill_until=date(2027, 2, 1))
    plan = plan_company(
        b.facts(
            b.reading(b.count(2)),
            additions=[line],
            ledger=[b.recorded(line)],
            company=b.company(licences=(licence,)),
        )
    )

    assert only_change(plan).kind is ChangeKind.END
    assert "billing starts on 1 Feb 2027" in only_change(plan).sentence


def test_a_count_that_comes_back_after_its_line_ended_begins_a_new_line():
    ended = b.our_addition(9, 2, cancelled_date=date(2026, 11, 30))
    plan = plan_company(b.facts(b.reading(b.count(3)), additions=[ended], ledger=[b.recorded(ended)]))

    change = only_change(plan)
    assert (change.kind, change.after.effective_date) == (ChangeKind.CREATE, b.NEXT_PERIOD)


# ---- freezing


def test_a_failed_reading_changes_nothing():
    line = b.our_addition(9, 2)
    plan = plan_company(b.facts(b.failure(), additions=[line], ledger=[b.recorded(line)]))

    assert plan.groups == ()
    assert plan.seats == ()
    assert kinds(plan) == ["read-failed"]
    assert "req-1" in plan.findings[0].text


def test_one_unknown_input_makes_a_merged_line_unknown():
    line = b.our_addition(9, 2)
    two = b.company(links=(CompanyLink(b.SOURCE, b.TENANT), CompanyLink(b.SOURCE, "other")))
    plan = plan_company(
        b.facts(b.reading(b.count(5)), b.failure("other"), additions=[line], ledger=[b.recorded(line)], company=two)
    )

    assert plan.groups == ()


def test_several_customers_of_a_company_add_up_to_one_line():
    two = b.company(links=(CompanyLink(b.SOURCE, b.TENANT), CompanyLink(b.SOURCE, "other")))
    plan = plan_company(
        b.facts(b.reading(b.count(5)), b.reading(b.count(7, customer="other"), customer="other"), company=two)
    )

    assert only_change(plan).after.quantity == 12


def test_a_customer_with_a_licence_link_of_its_own_is_billed_apart():
    two = b.company(
        links=(CompanyLink(b.SOURCE, b.TENANT), CompanyLink(b.SOURCE, "other")),
        licences=(LicenceLink(b.SOURCE, b.PREMIUM, customer="other", price=D("9.00")),),
    )
    plan = plan_company(
        b.facts(b.reading(b.count(5)), b.reading(b.count(7, customer="other"), customer="other"), company=two)
    )

    assert sorted((change.after.quantity, change.after.unit_price) for change in plan.changes) == [
        (D(5), D("25.00")),
        (D(7), D("9.00")),
    ]


def test_a_control_total_that_does_not_agree_freezes_the_item():
    line = b.our_addition(9, 2)
    counted = b.count(5, subscriptions=[b.subscription(4)])
    plan = plan_company(b.facts(b.reading(counted), additions=[line], ledger=[b.recorded(line)]))

    assert plan.groups == ()
    assert "control-total" in kinds(plan)


@pytest.mark.parametrize(
    ("agreements", "kind"),
    [
        ([], "ambiguous-agreement"),
        ([b.agreement(501), b.agreement(502)], "ambiguous-agreement"),
        ([b.agreement(type="Block Hours")], "ambiguous-agreement"),
        ([b.agreement(billing_cycle="NotRecurring")], "ambiguous-agreement"),
        ([b.agreement(billing_cycle="Weekly")], "calendar-unsupported"),
        ([b.agreement(billing_cycle=None)], "calendar-unsupported"),
        ([b.agreement(invoicing_cycle="ContractYear", bill_start_date=None)], "calendar-unsupported"),
        ([b.agreement(period_type="Both")], "calendar-unsupported"),
        ([b.agreement(period_type=None)], "calendar-unsupported"),
        ([b.agreement(parent_agreement_id=7)], "calendar-unsupported"),
        ([b.agreement(next_invoice_date=None)], "calendar-unsupported"),
        ([b.agreement(next_invoice_date=date(2036, 5, 1))], "calendar-unsupported"),
        ([b.agreement(bill_start_date=date(2026, 12, 1))], "calendar-unsupported"),
        ([b.agreement(end_date=date(2026, 11, 30))], "calendar-unsupported"),
    ],
)
def test_an_agreement_that_cannot_be_relied_on_is_a_finding_and_never_a_write(agreements, kind):
    plan = plan_company(b.facts(b.reading(b.count(12)), agreements=agreements))

    assert plan.groups == ()
    assert kinds(plan) == [kind]


def test_an_agreement_that_ends_within_the_next_period_is_still_written():
    plan = plan_company(b.facts(b.reading(b.count(12)), agreements=[b.agreement(end_date=date(2026, 12, 15))]))

    assert only_change(plan).kind is ChangeKind.CREATE


def test_the_licence_link_names_one_of_two_agreements():
    licence = LicenceLink(b.SOURCE, b.PREMIUM, agreement=502)
    plan = plan_company(
        b.facts(
            b.reading(b.count(12)),
            agreements=[b.agreement(501), b.agreement(502)],
            company=b.company(licences=(licence,)),
        )
    )

    assert only_change(plan).key.agreement == 502


def test_a_line_that_stands_keeps_its_agreement_when_a_second_one_appears():
    line = b.our_addition(9, 2)
    plan = plan_company(
        b.facts(
            b.reading(b.count(3)),
            additions=[line],
            ledger=[b.recorded(line)],
            agreements=[b.agreement(501), b.agreement(502)],
        )
    )

    assert only_change(plan).addition == 9


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        (LicenceLink(b.SOURCE, b.PREMIUM, agreement=999), "agreement-not-active"),
        (LicenceLink(b.SOURCE, b.PREMIUM, agreement=502), "agreement-not-active"),
    ],
)
def test_a_named_agreement_must_be_an_active_one_of_the_company(licence, kind):
    gone = b.agreement(502, agreement_status="Expired")
    plan = plan_company(
        b.facts(b.reading(b.count(12)), agreements=[b.agreement(), gone], company=b.company(licences=(licence,)))
    )

    assert plan.groups == ()
    assert kinds(plan) == [kind]


@pytest.mark.parametrize(
    ("products", "kind"),
    [
        ([], "product-missing"),
        ([b.product(inactive_flag=True)], "product-inactive"),
        ([b.product(serialized_flag=True)], "product-inactive"),
    ],
)
def test_a_product_that_cannot_be_used_is_a_finding(products, kind):
    plan = plan_company(b.facts(b.reading(b.count(12)), products=products))

    assert plan.groups == ()
    assert kinds(plan) == [kind]


def test_a_persons_edit_of_our_line_is_told_and_left():
    written = b.our_addition(9, 10)
    edited = b.our_addition(9, 11)
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[edited], ledger=[b.recorded(written)]))

    assert plan.groups == ()
    assert kinds(plan) == ["drift"]
    assert "quantity is 11, TrueUp wrote 10" in plan.findings[0].text


def test_a_persons_edit_to_what_we_want_anyway_is_taken_as_ours():
    written = b.our_addition(9, 10)
    edited = b.our_addition(9, 12)
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[edited], ledger=[b.recorded(written)]))

    assert plan.groups == ()
    assert plan.findings == ()
    assert [row.values.quantity for row in plan.ledger] == [D(12)]


def test_seats_of_a_line_that_a_person_lowered_around_an_invoice_are_not_billed_for_its_period_again():
    """Nobody knows whether 10 were invoiced or 4: the ten that TrueUp wrote count as invoiced."""
    written, lowered = b.our_addition(9, 10), b.our_addition(9, 4)
    ledger = [b.recorded(written)]
    before = plan_company(b.facts(b.reading(b.count(10)), additions=[written], ledger=ledger))
    seats = {record.line: record for record in before.seats}
    invoiced, day = [b.agreement(next_invoice_date=date(2027, 1, 1))], date(2026, 12, 3)
    for counted, owed in ((4, []), (12, ["drift"])):
        reading = b.reading(b.count(counted), day=day)
        plan = plan_company(
            b.facts(reading, additions=[lowered], agreements=invoiced, ledger=ledger, seats=seats, as_of=day)
        )
        assert (plan.groups, kinds(plan)) == ((), owed)
    calm = plan_company(
        b.facts(
            b.reading(b.count(4), day=day),
            additions=[written],
            agreements=invoiced,
            ledger=ledger,
            seats=seats,
            as_of=day,
        )
    )
    assert [change.after.quantity for change in calm.changes] == [D(4)]


def test_an_edited_line_is_not_ended_either():
    written = b.our_addition(9, 10)
    edited = b.our_addition(9, 11)
    plan = plan_company(b.facts(b.reading(), additions=[edited], ledger=[b.recorded(written)]))

    assert plan.groups == ()
    assert kinds(plan) == ["drift"]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b.our_addition(9, 10, cancelled_date=date(2026, 11, 30))],
        [b.our_addition(9, 10, cancelled_date=date(2026, 12, 31))],
        [b.addition(9, 10, product_id=77, product="BUNDLE", serial_number="PO-7711")],
        [b.addition(9, 10, product_id=77, product="BUNDLE")],
    ],
)
def test_a_line_deleted_ended_or_made_another_by_a_person_is_paused(lines):
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=lines, ledger=[b.recorded(b.our_addition(9, 10))]))

    assert plan.groups == ()
    assert kinds(plan) == ["paused"]


@pytest.mark.parametrize(
    ("line", "kinds_told", "created"),
    [
        (b.our_addition(9, 10), ["agreement-not-active", "agreement-not-active"], 0),
        (b.our_addition(9, 0), [], 1),
        (b.our_addition(9, 10, cancelled_date=date(2026, 11, 20)), [], 1),
    ],
)
def test_what_a_line_bills_on_an_agreement_that_is_another_companys_by_now_is_not_billed_beside_it(
    line, kinds_told, created
):
    plan = plan_company(b.facts(b.reading(b.count(10)), agreements=[b.agreement(502)], ledger=[b.recorded(line)]))

    assert (kinds(plan), len(plan.changes)) == (kinds_told, created)


def test_a_removed_company_link_freezes_the_lines_and_says_so():
    line = b.our_addition(9, 10)
    unlinked = b.company(links=(CompanyLink("pax8", "x"),), licences=(LicenceLink(b.SOURCE, b.PREMIUM),))
    plan = plan_company(b.facts(additions=[line], ledger=[b.recorded(line)], company=unlinked))

    assert plan.groups == ()
    assert kinds(plan) == ["unmapped"]


def test_a_bill_item_in_doubt_is_left_alone():
    plan = plan_company(b.facts(b.reading(b.count(12)), in_doubt=frozenset({f"{b.SOURCE}/{b.PREMIUM}"})))

    assert plan.groups == ()
    assert plan.frozen == {f"{b.SOURCE}/{b.PREMIUM}"}


# ---- ownership


def test_a_stamp_copied_to_another_agreement_is_a_stray_and_blocks_the_create():
    copied = b.addition(9, 10, on=502, serial_number=stamp_of(b.key(on=501), 88, date(2025, 1, 1)))
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[copied], agreements=[b.agreement(502)]))

    assert plan.groups == ()
    assert kinds(plan) == ["blocked-create", "stray"]


def test_our_second_copy_of_a_line_goes_and_the_recorded_one_stays():
    kept, copy = b.our_addition(20, 10), b.our_addition(9, 10)
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[copy, kept], ledger=[b.recorded(kept)]))

    change = only_change(plan)
    assert change.addition == 9
    assert change.fields() == {"quantity": D(0), "cancelled_date": date(2025, 1, 1)}


def test_our_second_copy_goes_before_anything_else_of_its_bill_item_is_written():
    kept, copy = b.our_addition(9, 10), b.our_addition(20, 10)
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[copy, kept], ledger=[b.recorded(kept)]))

    first, *others = plan.changes
    assert (first.addition, first.is_of_copy) == (20, True)
    assert others


def test_our_second_copy_that_was_never_invoiced_is_deleted():
    kept = b.our_addition(9, 10, effective_date=b.NEXT_PERIOD)
    copy = b.our_addition(20, 10, effective_date=b.NEXT_PERIOD)
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[copy, kept], ledger=[b.recorded(kept)]))

    change = only_change(plan)
    assert (change.kind, change.addition) == (ChangeKind.DELETE, 20)


def test_a_line_that_a_newer_one_has_taken_over_from_is_ended_the_day_before():
    first, second = b.our_addition(9, 10), b.our_addition(20, 12, effective_date=b.NEXT_PERIOD)
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[first, second]))

    change = only_change(plan)
    assert (change.addition, change.fields()) == (9, {"cancelled_date": date(2026, 11, 30)})


def test_two_lines_of_ours_that_begin_on_the_same_day_are_left_to_a_person():
    first, second = b.our_addition(9, 10), b.our_addition(20, 10, kind=LineKind.ADOPTED)
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[first, second]))

    assert plan.groups == ()
    assert kinds(plan) == ["candidates"]


def test_with_the_store_lost_our_line_is_found_by_its_stamp_and_remembered_again():
    line = b.our_addition(9, 10)
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[line]))

    assert plan.groups == ()
    assert [row.stamp for row in plan.ledger] == [line.serial_number]


def test_with_the_store_lost_an_adopted_line_still_keeps_its_price():
    line = b.our_addition(9, 10, kind=LineKind.ADOPTED, unit_price=D("21.00"))
    own = b.rules(b.profile(price=PriceRule(PriceKind.CUSTOM, D("27.00"))))
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[line], rules=own))

    assert plan.groups == ()
    assert plan.ledger[0].keeps_price


def test_a_stamp_is_found_after_its_effective_date_was_moved():
    moved = b.our_addition(9, 10)
    moved = b.addition(9, 10, serial_number=moved.serial_number, effective_date=date(2025, 2, 1))

    assert is_line_of(moved, b.key())


def test_an_agreement_that_was_not_read_is_asked_for_before_anything_is_created():
    plan = plan_company(replace(b.facts(b.reading(b.count(12))), additions={}))

    assert plan.needs_all
    assert plan.groups == ()
    assert plan.unread == {b.AGREEMENT}


# ---- findings


def test_a_sku_without_a_rule_is_unmapped_unless_it_is_free_or_a_trial():
    trial = b.count(5, sku="trial", subscriptions=[b.subscription(5, trial=True)])
    plan = plan_company(b.facts(b.reading(b.count(5, sku="other"), b.count(10000, sku="free", free=True), trial)))

    assert [finding.key for finding in plan.findings] == [f"{b.SOURCE}/{b.TENANT}/other"]


def test_licences_assigned_to_nobody_are_told():
    line = b.our_addition(9, 12)
    plan = plan_company(b.facts(b.reading(b.count(12, assigned=9)), additions=[line], ledger=[b.recorded(line)]))

    assert kinds(plan) == ["unassigned"]
    assert "3 of 12" in plan.findings[0].text


def test_a_line_whose_policy_is_gone_is_left_alone_and_told():
    line = b.our_addition(9, 12)
    plan = plan_company(b.facts(b.reading(), additions=[line], ledger=[b.recorded(line)], rules=b.rules(policies=[])))

    assert plan.groups == ()
    assert kinds(plan) == ["unmapped"]


# ---- quantity


@pytest.mark.parametrize(
    ("rule", "counted", "quantity"),
    [
        (QuantityRule(), b.count(12, assigned=9), 12),
        (QuantityRule(basis=Basis.ASSIGNED), b.count(12, assigned=9), 9),
        (QuantityRule(basis=Basis.GREATER), b.count(12, assigned=14), 14),
        (QuantityRule(basis=Basis.GREATER), b.count(12, assigned=9), 12),
        (QuantityRule(included=D(5)), b.count(12), 7),
        (QuantityRule(included=D(11), minimum=D(3)), b.count(12), 3),
        (QuantityRule(), b.count(10, subscriptions=[b.subscription(10), b.subscription(2, "warning")]), 12),
        (
            QuantityRule(include_grace=False),
            b.count(10, subscriptions=[b.subscription(10), b.subscription(2, "warning")]),
            10,
        ),
        (QuantityRule(), b.count(12, subscriptions=[b.subscription(10), b.subscription(2, trial=True)]), 10),
        (QuantityRule(), b.count(12, subscriptions=[b.subscription(10), b.subscription(2, owned=False)]), 10),
        (
            QuantityRule(include_foreign=True),
            b.count(12, subscriptions=[b.subscription(10), b.subscription(2, owned=False)]),
            12,
        ),
        (
            QuantityRule(include_trials=True),
            b.count(12, subscriptions=[b.subscription(10), b.subscription(2, trial=True)]),
            12,
        ),
        (QuantityRule(), b.count(10, subscriptions=[b.subscription(10), b.subscription(4, "suspended")]), 10),
    ],
)
def test_the_quantity_rule_decides_what_is_billed(rule, counted, quantity):
    plan = plan_company(b.facts(b.reading(counted), rules=b.rules(b.profile(quantity=rule))))

    assert only_change(plan).after.quantity == quantity


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (QuantityRule(), ["Business Premium: 2 of the licences bought are another partner's; not billed."]),
        (QuantityRule(include_foreign=True), []),
        (QuantityRule(without_subscriptions=("sub-2-enabled",)), []),
        (QuantityRule(basis=Basis.ASSIGNED), []),
    ],
)
def test_what_another_partner_sold_is_told_unless_a_rule_deals_with_it(rule, told):
    counted = b.count(12, subscriptions=[b.subscription(10), b.subscription(2, owned=False)])
    plan = plan_company(b.facts(b.reading(counted), rules=b.rules(b.profile(quantity=rule))))

    assert [finding.text for finding in plan.findings if finding.kind.value == "foreign"] == told


@pytest.mark.parametrize(("always", "quantity"), [(False, None), (True, D(4))])
def test_the_minimum_holds_at_zero_only_when_it_is_said_to_hold_always(always, quantity):
    rule = QuantityRule(minimum=D(4), minimum_always=always)
    plan = plan_company(b.facts(b.reading(b.count(0)), rules=b.rules(b.profile(quantity=rule))))

    assert [change.after.quantity for change in plan.changes] == ([] if quantity is None else [quantity])


def test_a_licence_link_can_fix_the_quantity():
    licence = LicenceLink(b.SOURCE, b.PREMIUM, quantity=D(7))
    plan = plan_company(b.facts(b.reading(b.count(12)), company=b.company(licences=(licence,))))

    assert only_change(plan).after.quantity == 7


def test_a_count_that_the_vendor_cannot_tell_is_no_zero():
    unknown = replace(b.count(12), assigned=None)
    rule = QuantityRule(basis=Basis.ASSIGNED)
    plan = plan_company(b.facts(b.reading(unknown), rules=b.rules(b.profile(quantity=rule))))

    assert plan.groups == ()
    assert kinds(plan) == ["read-failed"]


# ---- corners


def test_bill_option_and_taxable_of_the_profile_reach_our_line_whether_the_ledger_knows_it_or_not():
    line = b.our_addition(9, 10)
    own = b.rules(b.profile(bill_option=BillOption.NO_CHARGE, taxable=True))

    for ledger in ([b.recorded(line)], []):
        plan = plan_company(b.facts(b.reading(b.count(10)), additions=[line], ledger=ledger, rules=own))
        assert only_change(plan).fields() == {"bill_customer": "NoCharge", "taxable_flag": True}
        assert "NoCharge instead of Billable; taxable" in only_change(plan).sentence


def test_every_kind_of_edit_is_told_in_words():
    written = b.our_addition(9, 10)
    edited = replace(written, effective_date=date(2025, 3, 1), unit_price=D("24.00"), bill_customer="NoCharge")
    own = b.rules(b.profile(price=PriceRule(PriceKind.PRODUCT)))
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[edited], ledger=[b.recorded(written)], rules=own))

    assert kinds(plan) == ["drift"]
    text = plan.findings[0].text
    assert "effective_date is 1 Mar 2025, TrueUp wrote 1 Jan 2025" in text
    assert "unit_price is 24, TrueUp wrote 25" in text
    assert "bill_customer is NoCharge, TrueUp wrote Billable" in text


def test_a_price_that_we_keep_is_a_persons_to_change():
    written = b.our_addition(9, 10)
    edited = replace(written, unit_price=D("24.00"))
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[edited], ledger=[b.recorded(written)]))

    assert plan.groups == ()
    assert plan.findings == ()


def test_a_line_whose_stamp_was_replaced_by_somebody_is_not_ours_any_more():
    written = b.our_addition(9, 10)
    taken = b.addition(9, 10, serial_number="SN-1")
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[taken], ledger=[b.recorded(written)]))

    assert plan.groups == ()
    assert kinds(plan) == ["blocked-create"]


def test_a_count_that_comes_back_while_its_line_still_bills_goes_on_with_a_line_right_after_it():
    line = b.our_addition(9, 10, cancelled_date=date(2026, 12, 31))
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[line], ledger=[b.recorded(line)]))

    change = only_change(plan)
    assert (change.kind, change.after.effective_date) == (ChangeKind.CREATE, date(2027, 1, 1))


def test_nothing_is_created_beside_a_line_that_somebody_began_after_ours_had_ended():
    ended = b.our_addition(9, 2, cancelled_date=date(2026, 10, 31))
    plan = plan_company(
        b.facts(b.reading(b.count(3)), additions=[ended, b.addition(12, 3)], ledger=[b.recorded(ended)])
    )

    assert plan.groups == ()
    assert kinds(plan) == ["blocked-create"]


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


def test_a_source_that_tells_only_of_some_skus_freezes_the_lines_of_the_others_and_it_is_said():
    line = b.our_addition(9, 10)
    narrow = replace(b.reading(), scope=Scope(frozenset({b.STANDARD})))
    plan = plan_company(b.facts(narrow, additions=[line], ledger=[b.recorded(line)]))

    assert plan.groups == ()
    [finding] = plan.findings
    assert finding.kind.value == "unmapped"
    assert "our line stands, but microsoft365 did not tell how many there are" in finding.text
    assert "Look at the vendor" in finding.remedy
    assert plan_company(b.facts(narrow)).findings == ()


def test_a_source_without_subscriptions_is_taken_by_its_own_totals():
    plain = replace(b.count(5), subscriptions=None, grace=D(2))
    plan = plan_company(b.facts(b.reading(plain)))
    strict = b.rules(b.profile(quantity=QuantityRule(include_grace=False)))

    assert only_change(plan).after.quantity == 7
    assert only_change(plan_company(b.facts(b.reading(plain), rules=strict))).after.quantity == 5


def test_an_ended_line_is_found_again_where_it_last_stood():
    ended = b.our_addition(9, 2, on=502, cancelled_date=date(2026, 10, 31))
    book = [b.recorded(ended)]
    two = [b.agreement(501), b.agreement(502)]
    plan = plan_company(b.facts(b.reading(b.count(3)), additions=[ended], ledger=book, agreements=two))

    assert only_change(plan).key.agreement == 502


def test_more_of_the_same_facts_can_be_added_when_a_plan_asks_for_them():
    asked = replace(b.facts(b.reading(b.count(12))), additions={})
    plan = plan_company(with_everything_read(asked, {b.AGREEMENT: (b.addition(9, 10),)}))

    assert only_change(plan).addition == 9


def test_a_line_for_nothing_is_not_told_where_another_sku_feeds_the_product():
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "premium")]
    plan = plan_company(b.facts(b.reading(b.count(3)), additions=[b.addition(9, 3)], rules=b.rules(policies=policies)))

    assert only_change(plan).addition == 9
    assert plan.findings == ()


def test_a_stamp_on_the_wrong_agreement_is_not_the_line_of_a_key():
    assert not is_line_of(b.our_addition(9, 10), b.key(on=999))


def test_a_delete_binds_every_field_it_takes_away():
    kept = b.our_addition(9, 10, effective_date=b.NEXT_PERIOD)
    copy = b.our_addition(20, 10, effective_date=b.NEXT_PERIOD)
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[copy, kept], ledger=[b.recorded(kept)]))
    other = plan_company(
        b.facts(
            b.reading(b.count(10)),
            additions=[replace(copy, quantity=D(4)), kept],
            ledger=[b.recorded(kept)],
        )
    )

    assert plan.groups[0].hash != other.groups[0].hash


def test_the_hash_changes_with_what_is_written_and_with_nothing_else():
    line = b.our_addition(9, 10)
    book = [b.recorded(line)]
    twelve = plan_company(b.facts(b.reading(b.count(12)), additions=[line], ledger=book)).groups[0]
    unassigned = plan_company(b.facts(b.reading(b.count(12, assigned=1)), additions=[line], ledger=book)).groups[0]
    thirteen = plan_company(b.facts(b.reading(b.count(13)), additions=[line], ledger=book)).groups[0]

    assert twelve.hash == unassigned.hash
    assert twelve.hash != thirteen.hash


# ---- rules that are not whole


def test_a_profile_that_the_rules_do_not_hold_freezes_and_says_so():
    line = b.our_addition(9, 10)
    for licence in (LicenceLink(b.SOURCE, b.PREMIUM, profile="gone"), LicenceLink(b.SOURCE, b.PREMIUM)):
        plan = plan_company(
            b.facts(
                b.reading(b.count(12)),
                additions=[line],
                ledger=[b.recorded(line)],
                rules=b.rules(policies=[]),
                company=b.company(licences=(licence,)),
            )
        )
        assert plan.groups == ()
        assert kinds(plan) == ["settings"]


def test_skus_are_the_same_whatever_their_case():
    licence = LicenceLink(b.SOURCE, b.PREMIUM.upper(), price=D("9.00"))
    plan = plan_company(b.facts(b.reading(b.count(12)), company=b.company(licences=(licence,))))

    assert only_change(plan).after.unit_price == D("9.00")


def test_two_skus_that_will_both_want_a_line_contest_even_if_one_has_only_seats_in_grace():
    grace = b.count(0, sku=b.STANDARD, subscriptions=[b.subscription(10, "warning")], assigned=0)
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "premium")]
    plan = plan_company(
        b.facts(b.reading(b.count(5), grace), additions=[b.addition(7, 4)], rules=b.rules(policies=policies))
    )

    assert plan.groups == ()
    assert kinds(plan).count("candidates") == 2


def test_an_orphans_finding_closes_with_its_line():
    ended = b.our_addition(9, 12, cancelled_date=date(2026, 10, 31))
    plan = plan_company(
        b.facts(b.reading(), additions=[ended], ledger=[b.recorded(b.our_addition(9, 12))], rules=b.rules(policies=[]))
    )

    assert plan.findings == ()


def test_a_company_without_any_agreement_is_one_finding():
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "premium")]
    plan = plan_company(
        b.facts(b.reading(b.count(5), b.count(2, sku=b.STANDARD)), agreements=[], rules=b.rules(policies=policies))
    )

    assert [finding.key for finding in plan.findings] == ["company"]


def test_a_named_agreement_counts_once_the_old_line_has_ended():
    line = b.our_addition(9, 2, on=501, cancelled_date=date(2026, 10, 31))
    licence = LicenceLink(b.SOURCE, b.PREMIUM, agreement=502)
    plan = plan_company(
        b.facts(
            b.reading(b.count(3)),
            additions=[line],
            ledger=[b.recorded(line)],
            agreements=[b.agreement(501), b.agreement(502)],
            company=b.company(licences=(licence,)),
        )
    )

    assert only_change(plan).key.agreement == 502


def test_a_paused_item_is_billed_again_after_a_night_on_which_it_was_not_to_be_billed():
    book = [b.recorded(b.our_addition(9, 10))]
    licence = LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True)
    waived = plan_company(b.facts(b.reading(b.count(10)), ledger=book, company=b.company(licences=(licence,))))

    assert waived.forgotten == (book[0].stamp,)
    assert only_change(plan_company(b.facts(b.reading(b.count(10))))).kind is ChangeKind.CREATE


def test_a_persons_ending_is_not_made_ours_by_a_night_without_counts():
    written = b.our_addition(9, 10)
    ended = b.our_addition(9, 10, cancelled_date=date(2026, 12, 31))
    other = b.count(4, sku="other", free=True)
    plan = plan_company(b.facts(b.reading(other), additions=[ended], ledger=[b.recorded(written)]))

    assert plan.ledger == ()


def test_our_copy_without_an_effective_date_is_set_to_nothing_once():
    kept = b.our_addition(20, 10)
    copy = replace(b.our_addition(9, 10), effective_date=None, quantity=D(0), cancelled_date=date(2026, 11, 30))
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[copy, kept], ledger=[b.recorded(kept)]))

    assert plan.groups == ()
