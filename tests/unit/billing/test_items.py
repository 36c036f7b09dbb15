"""Several counts as one line, one count as several lines, and nobody counted twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.billing.counting.feeds import item_id, subscription_id
from shared.billing.counting.items import bill_items
from shared.billing.counts import Count, Holder, Reading
from shared.billing.lines import LineKey, stamp_of
from shared.billing.planning.plan import ChangeKind, Plan
from shared.billing.planning.planner import Facts, plan_company
from shared.billing.profiles import Arrears, Basis, PriceKind, PriceRule, Proration, ProrationRule, QuantityRule
from shared.billing.rules import CompanyLink, LicenceLink, SkuPolicy
from shared.billing.seats import SeatRecord
from shared.billing.users import Traits, Users
from tests import builders as b
from tests.examples import examples
from tests.unit.billing.test_properties import UNGUARDED, applied

D = Decimal
OTHER_TENANT = "9c1f2e60-3d84-4b7a-8e15-d06a7f53b902"
USERS = QuantityRule(Basis.ASSIGNED)


def quantities(plan: Plan) -> dict[str, Decimal]:
    """What each bill item's lines say once the plan is carried out; an ended line says nothing."""
    return {
        group.bill_item: sum((change.after.quantity for change in group.changes if change.after), D(0))
        for group in plan.groups
    }


def said(plan: Plan) -> list[tuple[str, str]]:
    return [(finding.kind.value, finding.key) for finding in plan.findings if finding.kind.value != "unassigned"]


def standing(item: str, quantity: int, number: int = 9, **values: object):
    """A line of ours of this bill item, and its ledger row."""
    key = LineKey(b.COMPANY, b.AGREEMENT, item)
    stamp = stamp_of(key, 88, date(2025, 1, 1))
    line = b.addition(number, quantity, serial_number=stamp, **values)
    return line, replace(b.recorded(line), key=key, stamp=stamp)


# --- combined ------------------------------------------------------------------------------------------------------

COMBINED = b.profile(combine=True, quantity=QuantityRule(included=D(2)))
BOTH = b.rules(COMBINED, policies=[SkuPolicy(b.SOURCE, sku, "premium") for sku in (b.PREMIUM, b.STANDARD)])
THREE_AND_FOUR = b.reading(b.count(3), b.count(4, sku=b.STANDARD))


def test_all_skus_of_a_combining_profile_are_one_line():
    plan = plan_company(b.facts(THREE_AND_FOUR, rules=BOTH))

    assert quantities(plan) == {"combined/premium": D(5)}
    assert plan.groups[0].changes[0].sentence.startswith("Microsoft 365 Business Premium: a new line of 5")


def test_skus_of_several_sources_are_combined_too():
    elsewhere = replace(b.count(10), source="pax8", customer="acme", sku="exo")
    rules = b.rules(COMBINED, policies=[SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy("pax8", "EXO", "premium")])
    company = b.company(links=(CompanyLink(b.SOURCE, b.TENANT), CompanyLink("pax8", "ACME")))
    readings = [b.reading(b.count(3)), Reading("pax8", "acme", b.TODAY, (elsewhere,))]

    assert quantities(plan_company(b.facts(*readings, rules=rules, company=company))) == {"combined/premium": D(11)}

    line, row = standing("combined/premium", 11)
    emptied = b.facts(b.reading(), readings[1], rules=rules, company=company, additions=[line], ledger=[row])
    assert [group.held for group in plan_company(emptied).groups] == ["every count of microsoft365 is zero tonight"]


def test_one_unknown_count_makes_the_combined_line_unknown():
    line, row = standing("combined/premium", 5)
    company = b.company(links=(CompanyLink(b.SOURCE, b.TENANT), CompanyLink(b.SOURCE, OTHER_TENANT)))
    plan = plan_company(
        b.facts(THREE_AND_FOUR, b.failure(OTHER_TENANT), rules=BOTH, company=company, additions=[line], ledger=[row])
    )

    assert plan.groups == ()
    assert plan.frozen == {"combined/premium"}


def test_a_licence_link_takes_its_sku_out_of_the_combination():
    company = b.company(licences=(LicenceLink(b.SOURCE, b.STANDARD, price=D(9)),))

    assert quantities(plan_company(b.facts(THREE_AND_FOUR, rules=BOTH, company=company))) == {
        "combined/premium": D(1),
        f"microsoft365/{b.STANDARD}": D(2),
    }


def test_a_licence_link_for_one_customer_takes_only_that_customer_out():
    links = (CompanyLink(b.SOURCE, b.TENANT), CompanyLink(b.SOURCE, OTHER_TENANT))
    company = b.company(links=links, licences=(LicenceLink(b.SOURCE, b.PREMIUM, OTHER_TENANT),))
    other = b.reading(b.count(9, customer=OTHER_TENANT), customer=OTHER_TENANT)

    assert quantities(plan_company(b.facts(THREE_AND_FOUR, other, rules=BOTH, company=company))) == {
        "combined/premium": D(5),
        f"microsoft365/{OTHER_TENANT}/{b.PREMIUM}": D(7),
    }


def test_a_combined_line_ends_once_licence_links_took_every_sku_out():
    line, row = standing("combined/premium", 5)
    licences = tuple(LicenceLink(b.SOURCE, sku, do_not_bill=True) for sku in (b.PREMIUM, b.STANDARD))
    facts = b.facts(THREE_AND_FOUR, rules=BOTH, company=b.company(licences=licences), additions=[line], ledger=[row])

    (group,) = plan_company(facts).groups
    assert [(change.kind, change.addition) for change in group.changes] == [(ChangeKind.END, 9)]
    assert plan_company(replace(facts, readings=(b.failure(),))).groups == ()


def test_licences_that_nobody_holds_are_told_of_each_sku_of_a_combination():
    reading = b.reading(b.count(3, assigned=1), b.count(4, sku=b.STANDARD, name="Business Standard", assigned=4))
    plan = plan_company(b.facts(reading, rules=BOTH))

    assert [(finding.kind.value, finding.key) for finding in plan.findings] == [
        ("unassigned", f"combined/premium/{b.TENANT}/{b.PREMIUM}")
    ]


# --- split ---------------------------------------------------------------------------------------------------------

SPLIT = b.rules(b.profile(split=True, quantity=QuantityRule(included=D(1))))
WHOLE = f"microsoft365/{b.PREMIUM}"


def bought(*quantities: int, **values: object) -> Count:
    parts = [replace(b.subscription(number), id=f"S{at}") for at, number in enumerate(quantities, 1)]
    return b.count(sum(quantities), subscriptions=parts, **values)  # type: ignore[arg-type]


def test_every_subscription_of_a_splitting_profile_is_a_line_of_its_own_named_by_its_term():
    counted = bought(5, 3)
    first, second = counted.subscriptions or ()
    told = replace(counted, subscriptions=(replace(first, renews=date(2027, 3, 1)), second))
    plan = plan_company(b.facts(b.reading(told), rules=SPLIT))

    assert quantities(plan) == {f"{WHOLE}/@s1": D(4), f"{WHOLE}/@s2": D(2)}
    assert [group.changes[0].sentence.partition(":")[0] for group in plan.groups] == [
        "Business Premium (term to 1 Mar 2027)",
        "Business Premium",
    ]


def test_a_second_night_of_a_split_item_plans_nothing_and_a_vanished_subscription_ends_its_line():
    facts = b.facts(b.reading(bought(5, 3)), rules=replace(SPLIT, guards=UNGUARDED))
    after = applied(facts, plan_company(facts))
    assert plan_company(after).groups == ()

    fewer = replace(after, readings=(b.reading(bought(5)),))
    assert quantities(plan_company(fewer)) == {f"{WHOLE}/@s2": D(0)}
    assert plan_company(applied(fewer, plan_company(fewer))).groups == ()


def test_a_subscription_that_only_the_seat_records_remember_is_not_forgotten():
    key = LineKey(b.COMPANY, b.AGREEMENT, f"{WHOLE}/@s9")
    items, _ = bill_items(
        SPLIT, b.company(), [b.reading(bought(5))], known=[str(key).split("/", 2)[2], "microsoft365/other/@s7"]
    )

    assert [(item.id, item.counts == ()) for item in items] == [(f"{WHOLE}/@s1", False), (f"{WHOLE}/@s9", True)]


def test_a_subscription_whose_seats_came_to_nothing_is_forgotten_once_no_line_of_it_stands():
    line = f"{b.COMPANY}/{b.AGREEMENT}/{WHOLE}/@s9/standing"
    gone = SeatRecord(line).with_reading(b.TODAY, D(3), b.NEXT_PERIOD).with_reading(b.TODAY, D(0), b.NEXT_PERIOD)
    held = SeatRecord(line).with_reading(b.TODAY, D(3), b.NEXT_PERIOD)

    def remembered(record: SeatRecord) -> list[str]:
        plan = plan_company(b.facts(b.reading(bought(5)), rules=SPLIT, seats={line: record}))
        return [seats.line for seats in plan.seats if "@s9" in seats.line]

    assert (remembered(held), remembered(gone)) == ([line], [])


def test_a_subscription_changes_on_the_days_of_its_own():
    days = ((date(2026, 11, 9), D(3)),)
    counted = bought(5, 3)
    first, second = counted.subscriptions or ()
    told = replace(counted, subscriptions=(first, replace(second, changed=days)), changed=((days[0][0], D(8)),))
    items, _ = bill_items(SPLIT, b.company(), [b.reading(told)])

    assert [count.changed for item in items for count in item.counts] == [(), days]


def test_a_vanished_subscription_is_unknown_while_a_reading_failed_and_those_that_were_told_are_not():
    line, row = standing(f"{WHOLE}/@s2", 2)
    links = (CompanyLink(b.SOURCE, b.TENANT), CompanyLink(b.SOURCE, OTHER_TENANT))
    plan = plan_company(
        b.facts(
            b.reading(bought(5)),
            b.failure(OTHER_TENANT),
            rules=SPLIT,
            company=b.company(links=links),
            additions=[line],
            ledger=[row],
        )
    )

    assert quantities(plan) == {f"{WHOLE}/@s1": D(4)}
    assert plan.frozen == {f"{WHOLE}/@s2"}


def test_a_list_of_subscriptions_that_is_too_short_ends_nothing():
    line, row = standing(f"{WHOLE}/@s2", 2)
    short = replace(bought(5), purchased=D(8))
    plan = plan_company(b.facts(b.reading(short), rules=SPLIT, additions=[line], ledger=[row]))

    assert plan.groups == ()
    assert {kind for kind, _ in said(plan)} == {"control-total"}


def test_subscriptions_that_are_not_listed_cannot_be_split_and_their_lines_are_left_alone():
    line, row = standing(f"{WHOLE}/@s2", 2)
    silent = b.reading(replace(b.count(5), subscriptions=None))

    first = plan_company(b.facts(silent, rules=SPLIT))
    assert (first.groups, said(first)) == ((), [("settings", WHOLE)])
    later = plan_company(b.facts(silent, rules=SPLIT, additions=[line], ledger=[row]))
    assert (later.groups, said(later)) == ((), [("settings", f"{WHOLE}/@s2")])


def test_lines_of_single_subscriptions_end_when_the_sku_is_not_billed_any_more():
    line, row = standing(f"{WHOLE}/@s2", 2)
    rules = b.rules(b.profile(split=True), policies=[SkuPolicy(b.SOURCE, b.PREMIUM, None)])
    (group,) = plan_company(b.facts(b.reading(bought(5, 3)), rules=rules, additions=[line], ledger=[row])).groups

    assert (group.bill_item, group.changes[0].kind) == (f"{WHOLE}/@s2", ChangeKind.END)


def test_a_profile_that_splits_no_more_leaves_the_lines_to_a_person_and_bills_nothing_beside_them():
    line, row = standing(f"{WHOLE}/@s2", 2)
    plan = plan_company(b.facts(b.reading(bought(5, 3)), additions=[line], ledger=[row]))

    assert plan.groups == ()
    assert {kind for kind, _ in said(plan)} == {"unmapped", "blocked-create"}


def test_a_fixed_quantity_is_never_billed_once_per_subscription():
    company = b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, quantity=D(8)),))
    plan = plan_company(b.facts(b.reading(bought(5, 3)), rules=SPLIT, company=company))

    assert plan.groups == ()
    assert {kind for kind, _ in said(plan)} == {"settings"}


def test_a_new_subscription_is_prorated_where_the_last_reading_is_known_to_have_had_none():
    rules = b.rules(b.profile(split=True, proration=Proration(ProrationRule.COMPUTED)))
    before = {(b.SOURCE, b.TENANT): frozenset({"s1"})}
    facts = b.facts(
        b.reading(bought(5, 3)),
        rules=rules,
        last_counted={(b.SOURCE, b.TENANT): frozenset({b.PREMIUM})},
        last_subscriptions=before,
    )

    once = {group.bill_item: [c.kind for c in group.changes if c.one_off] for group in plan_company(facts).groups}
    assert once == {f"{WHOLE}/@s1": [], f"{WHOLE}/@s2": [ChangeKind.CREATE]}
    forgotten = plan_company(replace(facts, last_subscriptions={}))
    assert not any(change.one_off for change in forgotten.changes)


def test_licences_that_nobody_holds_are_told_once_for_all_subscriptions():
    plan = plan_company(b.facts(b.reading(bought(5, 3, assigned=6)), rules=SPLIT))

    assert [(finding.kind.value, finding.key) for finding in plan.findings] == [("unassigned", f"{WHOLE}/{b.TENANT}")]
    assert "2 of 8 licences" in plan.findings[0].text


# --- parts ---------------------------------------------------------------------------------------------------------


def person(name: str, department: str) -> Holder:
    return Holder(name, name, department=department, office="", domain="alder.example")


def part(name: str, users: Users, **values: object) -> LicenceLink:
    return LicenceLink(b.SOURCE, b.PREMIUM, part=name, users=users, **values)  # type: ignore[arg-type]


SALES = Users(Traits(departments=("Sales",)))
REST = Users(without=Traits(departments=("Sales",)))
PEOPLE = [person("ada", "Sales"), person("bob", "Sales"), person("cleo", "Finance"), person("dora", "")]
HELD = b.reading(b.count(4, holders=PEOPLE))
BY_USER = b.rules(b.profile(quantity=USERS, invoice_text="{users}"))


def test_one_count_feeds_several_lines_each_with_the_users_of_its_part():
    company = b.company(licences=(part("sales", SALES), part("rest", REST, price=D(9))))
    plan = plan_company(b.facts(HELD, rules=BY_USER, company=company))

    assert quantities(plan) == {f"{WHOLE}#rest": D(2), f"{WHOLE}#sales": D(2)}
    assert [change.after.invoice_description for change in plan.changes if change.after] == ["cleo\ndora", "ada\nbob"]
    assert plan_company(applied(b.facts(HELD, rules=BY_USER, company=company), plan)).groups == ()


@pytest.mark.parametrize(
    "other",
    [part("others", Users(Traits(offices=("Mill Road",)))), LicenceLink(b.SOURCE, b.PREMIUM)],
)
def test_parts_that_may_count_somebody_twice_are_all_left_alone(other):
    line, row = standing(f"{WHOLE}#sales", 2)
    company = b.company(licences=(part("sales", SALES), other))
    plan = plan_company(b.facts(HELD, rules=BY_USER, company=company, additions=[line], ledger=[row]))

    assert plan.groups == ()
    assert len(plan.frozen) == 2
    twice = [finding for finding in plan.findings if finding.kind.value == "settings"]
    assert len(twice) == 2
    assert "nobody is counted twice" in twice[0].text


def test_a_filter_in_the_profile_tells_parts_apart_as_well():
    profiles = (
        b.profile(id="premium", quantity=replace(USERS, users=SALES)),
        b.profile(id="rest", quantity=replace(USERS, users=REST)),
    )
    company = b.company(licences=(part("a", Users(), profile="premium"), part("b", Users(), profile="rest")))
    plan = plan_company(b.facts(HELD, rules=b.rules(*profiles), company=company))

    assert quantities(plan) == {f"{WHOLE}#a": D(2), f"{WHOLE}#b": D(2)}


def test_what_was_purchased_cannot_be_told_apart_by_users():
    company = b.company(links=(CompanyLink(b.SOURCE, b.TENANT, SALES),))
    plan = plan_company(b.facts(HELD, company=company))

    assert (plan.groups, said(plan)) == ((), [("settings", WHOLE)])
    assert plan_company(b.facts(b.reading(), company=company)).findings == ()


def test_users_that_were_not_told_leave_a_part_unknown():
    company = b.company(links=(CompanyLink(b.SOURCE, b.TENANT, SALES),))
    silent = b.reading(replace(b.count(4), holders=None))
    plan = plan_company(b.facts(silent, rules=BY_USER, company=company))
    unsure = b.reading(b.count(1, holders=[Holder("eve", "eve")]))

    assert (plan.groups, said(plan)) == ((), [("read-failed", WHOLE)])
    assert "who holds it" in plan.findings[0].text
    assert said(plan_company(b.facts(unsure, rules=BY_USER, company=company))) == [("read-failed", WHOLE)]


def test_a_part_of_a_list_that_contradicts_the_vendors_total_is_not_billed():
    company = b.company(links=(CompanyLink(b.SOURCE, b.TENANT, SALES),))
    plan = plan_company(b.facts(b.reading(b.count(9, holders=PEOPLE)), rules=BY_USER, company=company))

    assert (plan.groups, said(plan)) == ((), [("control-total", f"{WHOLE}/{b.TENANT}")])


# --- several companies ---------------------------------------------------------------------------------------------


def two_companies(users: Users, others: Users, **values: object) -> Facts:
    other = b.company(company=251, links=(CompanyLink(b.SOURCE, b.TENANT.upper(), others),))
    company = b.company(links=(CompanyLink(b.SOURCE, b.TENANT, users),))
    return b.facts(HELD, rules=BY_USER, company=company, sharing=(other,), **values)


def test_two_companies_share_a_customer_whose_users_are_told_apart():
    assert quantities(plan_company(two_companies(SALES, REST))) == {WHOLE: D(2)}


def test_a_customer_that_feeds_another_company_as_well_is_not_billed():
    plan = plan_company(two_companies(SALES, Users()))

    assert plan.groups == ()
    assert [finding.kind.value for finding in plan.findings] == ["settings"]
    assert f"feeds {WHOLE} of company 251 as well" in plan.findings[0].text


def test_a_company_that_does_not_bill_a_sku_of_a_shared_customer_takes_nothing_from_the_other():
    facts = two_companies(Users(), Users())
    unbilled = replace(facts.sharing[0], licences=(LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),))

    assert quantities(plan_company(replace(facts, sharing=(unbilled,)))) == {WHOLE: D(4)}


# --- whatever the rules are ----------------------------------------------------------------------------------------

VALUES = st.lists(st.sampled_from(["a", "b", "c"]), max_size=2).map(tuple)
TRAITS = st.builds(Traits, departments=VALUES, domains=VALUES)
FILTERS = st.builds(Users, TRAITS, TRAITS)
HOLDERS = st.lists(st.tuples(st.sampled_from(["a", "b", "c", ""]), st.sampled_from(["a", "b", "c"])), max_size=8).map(
    lambda people: [
        Holder(f"u{at}", f"u{at}", department=department, office="", domain=domain, groups=())
        for at, (department, domain) in enumerate(people)
    ]
)


@given(st.lists(FILTERS, min_size=1, max_size=3), st.lists(FILTERS, max_size=2), FILTERS, HOLDERS)
@examples(300)
def test_nobody_is_ever_billed_twice(parts, others, link, people):
    """Of one company's parts, and of companies that share the customer, whatever their filters are."""
    own = b.company(
        links=(CompanyLink(b.SOURCE, b.TENANT, link),),
        licences=tuple(part(f"p{at}", users) for at, users in enumerate(parts)),
    )
    companies = [own] + [
        b.company(company=251 + at, links=(CompanyLink(b.SOURCE, b.TENANT, users),)) for at, users in enumerate(others)
    ]
    counted: list[str] = []
    for company in companies:
        sharing = [other for other in companies if other is not company]
        reading = b.reading(b.count(len(people), holders=people))
        items, _ = bill_items(BY_USER, company, [reading], sharing=sharing)
        for item in items:
            if item.unknown is None:
                counted += [holder.id for count in item.counts for holder in count.holders or ()]

    assert len(counted) == len(set(counted))


IDS = st.text(st.sampled_from("ab/#@%"), min_size=1, max_size=4)
NAMES = st.tuples(IDS, IDS, st.none() | IDS, st.none() | IDS, st.none() | IDS)


@given(NAMES, NAMES)
@examples(500)
def test_two_bill_items_never_have_one_id(one, other):
    def name(source, sku, customer, part, subscription):
        whole = item_id(source, sku, customer, part)
        return whole if subscription is None else subscription_id(whole, subscription)

    assert (name(*one) == name(*other)) is (one == other)


def test_ids_of_ordinary_items_are_schema_and_never_change():
    assert item_id("microsoft365", f" {b.PREMIUM.upper()} ") == f"microsoft365/{b.PREMIUM}"
    assert item_id("microsoft365", b.PREMIUM, b.TENANT) == f"microsoft365/{b.TENANT}/{b.PREMIUM}"
    assert item_id("pushed", "Backup/GB", "50%") == "pushed/50%25/backup%2fgb"


# --- levels --------------------------------------------------------------------------------------------------------


def test_a_level_is_not_billed_as_if_it_stood_and_its_line_is_left_alone() -> None:
    storage = replace(b.count(7), level=True)
    line, row = standing(item_id(b.SOURCE, b.PREMIUM), 5)
    plan = plan_company(b.facts(b.reading(storage), additions=[line], ledger=[row]))

    assert plan.groups == ()
    [finding] = plan.findings
    assert finding.kind.value == "settings"
    assert "arrears: highest" in finding.text


def test_a_level_is_billed_in_arrears_and_a_quantity_that_a_person_named_is_billed_as_it_is() -> None:
    storage = b.reading(replace(b.count(7), level=True))
    in_arrears = b.rules(b.profile(arrears=Arrears.HIGHEST, price=PriceRule(PriceKind.CUSTOM, D(1))))
    named = b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, quantity=D(3)),))

    assert said(plan_company(b.facts(storage, rules=in_arrears))) == []
    assert quantities(plan_company(b.facts(storage, company=named))) == {item_id(b.SOURCE, b.PREMIUM): D(3)}
