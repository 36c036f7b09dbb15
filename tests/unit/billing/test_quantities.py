"""What is counted, and what of it is billed: every step of a quantity rule, in its order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.billing.counting.quantities import dated_quantities, holders_counted, quantity_of
from shared.billing.counts import AccountKind, Count, Holder, Subscription, SubscriptionStatus
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import Basis, QuantityRule, Rounding
from shared.billing.rules import CompanyLink
from shared.billing.users import ACTIVE, EVERYBODY, Traits, Users, are_disjoint, taken_by_all
from tests import builders as b

D = Decimal
ASSIGNED = QuantityRule(Basis.ASSIGNED)
DISABLED, GUESTS = AccountKind.DISABLED, AccountKind.GUESTS


def holder(name: str, department: str | None = "", **values: object) -> Holder:
    ordinary: dict[str, object] = {"office": "", "domain": "alder.example", "groups": ()}
    return Holder(name, name, department=department, **{**ordinary, **values})  # type: ignore[arg-type]


def held_by(*holders: Holder, **values: object) -> Count:
    return b.count(len(holders), holders=holders, **values)  # type: ignore[arg-type]


def only(**values: tuple[str, ...]) -> QuantityRule:
    return QuantityRule(Basis.ASSIGNED, users=Users(only=Traits(**values)))


def without(**values: tuple[str, ...]) -> QuantityRule:
    return QuantityRule(Basis.ASSIGNED, users=Users(without=Traits(**values)))


def both(only: Traits, without: Traits) -> QuantityRule:
    return QuantityRule(Basis.ASSIGNED, users=Users(only, without))


STAFF = (
    holder("ada", "Sales", office="Mill Road", groups=("crew", "drivers")),
    holder("bob", " sales ", domain="finch.example"),
    holder("cleo", "Finance", office="Mill Road", groups=("crew",)),
    holder("dora"),
)


# --- who is counted ------------------------------------------------------------------------------------------------


def test_assigned_active_counts_enabled_members_only():
    staff = (holder("ada"), holder("bob", enabled=False), holder("cleo", guest=True))

    assert quantity_of([held_by(*staff)], QuantityRule(Basis.ASSIGNED_ACTIVE)) == 1
    assert quantity_of([held_by(*staff)], QuantityRule(Basis.ASSIGNED)) == 3


ACCOUNTS = (
    holder("ada", "Sales", groups=("crew",)),
    holder("bob", enabled=False),
    holder("cleo", guest=True, groups=("crew",)),
    holder("dora", "Sales", enabled=False, guest=True, groups=("crew",)),
)


@pytest.mark.parametrize(
    ("rule", "counted"),
    [
        (without(accounts=(DISABLED,)), {"ada", "cleo"}),
        (without(accounts=(GUESTS,)), {"ada", "bob"}),
        (without(accounts=(DISABLED, GUESTS)), {"ada"}),
        (only(accounts=(DISABLED,)), {"bob", "dora"}),
        (only(accounts=(GUESTS,)), {"cleo", "dora"}),
        (only(accounts=(DISABLED, GUESTS)), {"bob", "cleo", "dora"}),
        (only(departments=("Sales",), accounts=(GUESTS,)), {"dora"}),
        (both(Traits(groups=("crew",)), Traits(accounts=(DISABLED,))), {"ada", "cleo"}),
        (QuantityRule(Basis.ASSIGNED_ACTIVE, users=Users(Traits(groups=("crew",)))), {"ada"}),
    ],
)
def test_disabled_accounts_and_guests_are_each_counted_or_left_out_alone(rule, counted):
    taken = holders_counted(held_by(*ACCOUNTS), rule)

    assert {each.id for each in taken or ()} == counted
    assert quantity_of([held_by(*ACCOUNTS)], rule) == len(counted)


def test_who_is_left_out_by_the_account_need_not_be_told_of():
    silent = Holder("eve", "eve", guest=True)
    rule = both(Traits(departments=("Sales",)), Traits(accounts=(GUESTS,)))

    assert quantity_of([held_by(*ACCOUNTS, silent)], rule) == 1


@pytest.mark.parametrize(
    ("rule", "counted"),
    [
        (only(departments=("Sales",)), 2),
        (only(departments=("SALES ", "finance")), 3),
        (only(offices=("Mill Road",)), 2),
        (only(domains=("finch.example",)), 1),
        (only(groups=("crew",)), 2),
        (only(departments=("Sales",), offices=("Mill Road",)), 1),
        (without(departments=("Sales",)), 2),
        (without(departments=("Sales",), groups=("crew",)), 1),
        (both(Traits(offices=("Mill Road",)), Traits(groups=("drivers",))), 1),
    ],
)
def test_users_are_counted_by_what_they_have_in_common(rule, counted):
    assert quantity_of([held_by(*STAFF)], rule) == counted


@pytest.mark.parametrize("rule", [QuantityRule(Basis.ASSIGNED_ACTIVE), only(offices=("Mill Road",))])
def test_holders_that_were_not_told_are_unknown_and_never_none(rule):
    untold = replace(held_by(*STAFF), holders=None)

    assert quantity_of([untold], rule) is None
    assert quantity_of([held_by(*STAFF), untold], rule) is None
    assert quantity_of([held_by()], rule) == 0


@pytest.mark.parametrize("trait", ["departments", "offices", "domains", "groups"])
def test_a_trait_that_was_not_told_of_a_user_makes_the_quantity_unknown(trait):
    silent = Holder("eve", "eve")

    assert quantity_of([held_by(*STAFF, silent)], only(**{trait: ("x",)})) is None
    assert quantity_of([held_by(*STAFF, silent)], without(**{trait: ("x",)})) is None


def test_a_user_who_is_out_anyway_need_not_be_told_of():
    abroad = Holder("eve", "eve", domain="elsewhere.example")
    rule = only(domains=("alder.example",), departments=("Sales",))

    assert quantity_of([held_by(*STAFF, abroad)], rule) == 1


def test_a_list_of_users_that_contradicts_the_vendors_own_total_changes_nothing():
    line = b.our_addition(9, 4)
    rules = b.rules(b.profile(quantity=only(departments=("Sales",))))
    short = held_by(*STAFF, assigned=9)
    plan = plan_company(b.facts(b.reading(short), additions=[line], ledger=[b.recorded(line)], rules=rules))

    assert plan.groups == ()
    assert [(finding.kind.value, finding.text) for finding in plan.findings] == [
        (
            "control-total",
            "Business Premium: 4 users are listed, the vendor's own total says 9 are assigned; nothing is changed.",
        )
    ]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (only(departments=("Sales",)), "does not tell who holds it"),
        (QuantityRule(Basis.GREATER), "does not tell how many are assigned"),
        (QuantityRule(without_subscriptions=("s",)), "lists no single subscriptions"),
    ],
)
def test_what_its_source_does_not_tell_freezes_the_line_and_is_said(rule, told):
    line = b.our_addition(9, 4)
    silent = replace(b.count(4), assigned=None, holders=None, subscriptions=None)
    plan = plan_company(
        b.facts(
            b.reading(silent),
            additions=[line],
            ledger=[b.recorded(line)],
            rules=b.rules(b.profile(quantity=rule)),
        )
    )

    assert plan.groups == ()
    assert plan.frozen == {b.key().bill_item}
    assert [finding.kind.value for finding in plan.findings] == ["read-failed"]
    assert told in plan.findings[0].text


def test_the_invoice_names_only_those_who_are_counted():
    rules = b.rules(b.profile(quantity=only(departments=("Sales",)), invoice_text="{quantity}: {users}"))
    (group,) = plan_company(b.facts(b.reading(held_by(*STAFF)), rules=rules)).groups

    assert group.changes[0].after is not None
    assert group.changes[0].after.invoice_description == "2: ada\nbob"


# --- which subscriptions are counted -------------------------------------------------------------------------------


def test_subscriptions_can_be_left_out_by_either_of_their_ids():
    kept = b.subscription(5)
    left, other = replace(b.subscription(7), id="AA-1"), replace(b.subscription(3), commerce_id="bb-2")
    counted = b.count(15, assigned=2, subscriptions=[kept, left, other])

    assert quantity_of([counted], QuantityRule(without_subscriptions=(" aa-1", "BB-2"))) == 5
    assert quantity_of([counted], QuantityRule(Basis.GREATER, without_subscriptions=("aa-1",))) == 8


def test_subscriptions_can_be_left_out_by_the_vendors_word_for_their_status():
    kept, pending = (
        replace(b.subscription(units), vendor_status=word) for units, word in ((5, "active"), (7, "pendingmanual"))
    )
    grace = b.subscription(2, "warning")
    counted = b.count(12, assigned=2, subscriptions=[kept, pending, grace])

    assert quantity_of([counted], QuantityRule()) == 14
    assert quantity_of([counted], QuantityRule(without_statuses=("PendingManual ",))) == 7
    assert quantity_of([counted], QuantityRule(Basis.GREATER, without_statuses=("PendingManual", "Warning"))) == 5
    assert quantity_of([replace(counted, subscriptions=None)], QuantityRule(without_statuses=("active",))) is None
    dated = replace(counted, changed=((date(2026, 11, 3), D(14)),))
    assert dated_quantities([dated], QuantityRule(without_statuses=("suspended",))) == ()


def test_without_a_list_of_subscriptions_none_can_be_left_out():
    counted = replace(b.count(15), subscriptions=None)

    assert quantity_of([counted], QuantityRule()) == 15
    assert quantity_of([counted], QuantityRule(without_subscriptions=("s",))) is None
    assert quantity_of([counted], QuantityRule(Basis.GREATER, without_subscriptions=("s",))) is None


def test_the_vendors_days_of_change_count_only_for_all_that_is_billed():
    days = ((date(2026, 11, 3), D(5)), (date(2026, 11, 9), D(8)))
    left = replace(b.subscription(3), id="s2")
    counted = replace(b.count(8, subscriptions=[b.subscription(5), left]), changed=days)

    assert dated_quantities([counted], QuantityRule(multiply_by=D(2))) == tuple(
        (day, 2 * number) for day, number in days
    )
    assert dated_quantities([counted], QuantityRule(without_subscriptions=("s2",))) == ()
    assert dated_quantities([counted, counted], QuantityRule()) == ()
    suspended = replace(left, status=SubscriptionStatus.SUSPENDED)
    assert dated_quantities([replace(counted, subscriptions=(b.subscription(5), suspended))], QuantityRule()) == ()


# --- what of it is billed ------------------------------------------------------------------------------------------

GIB = 1024**3


@pytest.mark.parametrize(
    ("counted", "rule", "billed"),
    [
        (10 * GIB + 1, QuantityRule(divide_by=D(GIB), rounding=Rounding.UP), "11"),
        (10 * GIB, QuantityRule(divide_by=D(GIB), rounding=Rounding.UP), "10"),
        (10 * GIB + 1, QuantityRule(divide_by=D(GIB), rounding=Rounding.DOWN), "10"),
        (0, QuantityRule(divide_by=D(GIB), rounding=Rounding.UP), "0"),
        (7, QuantityRule(divide_by=D(2), rounding=Rounding.NEAREST), "4"),
        (7, QuantityRule(divide_by=D(3), rounding=Rounding.NEAREST), "2"),
        (7, QuantityRule(multiply_by=D("1.5")), "10.5"),
        (7, QuantityRule(divide_by=D(3), multiply_by=D(3), rounding=Rounding.DOWN), "7"),
        (7, QuantityRule(multiply_by=D(2), included=D(5)), "9"),
        (2, QuantityRule(multiply_by=D(2), included=D(5)), "0"),
        (2, QuantityRule(included=D(5), minimum=D(3)), "3"),
        (0, QuantityRule(included=D(5), minimum=D(3)), "0"),
        (0, QuantityRule(minimum=D(3), minimum_always=True), "3"),
        (12, QuantityRule(rounding=Rounding.UP, rounding_step=D(10)), "20"),
        (12, QuantityRule(minimum=D(15), rounding=Rounding.UP, rounding_step=D(10)), "20"),
        (12, QuantityRule(included=D(3), rounding=Rounding.DOWN, rounding_step=D("2.5")), "7.5"),
        (15, QuantityRule(rounding=Rounding.NEAREST, rounding_step=D(10)), "20"),
    ],
)
def test_conversion_multiplier_included_minimum_and_rounding_come_in_this_order(counted, rule, billed):
    assert quantity_of([b.count(counted)], rule) == D(billed)


RULES = st.builds(
    QuantityRule,
    divide_by=st.integers(1, 10**4).map(D),
    multiply_by=st.integers(1, 300).map(lambda number: D(number) / 100),
    included=st.integers(0, 30).map(D),
    minimum=st.integers(0, 30).map(D),
    minimum_always=st.booleans(),
    rounding=st.sampled_from([Rounding.UP, Rounding.DOWN, Rounding.NEAREST]),
    rounding_step=st.integers(1, 1000).map(lambda number: D(number) / 100),
)


@given(st.integers(0, 10**15), st.integers(0, 10**9), RULES)
def test_more_counted_is_never_less_billed_and_every_quantity_lies_on_a_step(counted, more, rule):
    billed, later = (quantity_of([b.count(number)], rule) for number in (counted, counted + more))

    assert billed is not None
    assert later is not None
    assert D(0) <= billed <= later
    assert billed % rule.rounding_step == 0


@given(st.lists(st.integers(0, 50), max_size=5), RULES, st.randoms(use_true_random=False))
def test_several_counts_are_one_sum_in_any_order(numbers, rule, chance):
    counts = [b.count(number) for number in numbers]
    mixed = chance.sample(counts, len(counts))

    assert quantity_of(counts, rule) == quantity_of(mixed, rule) == quantity_of([b.count(sum(numbers))], rule)


@pytest.mark.parametrize("basis", [Basis.PURCHASED, Basis.GREATER])
def test_what_is_bought_is_not_known_of_some_users(basis):
    assert quantity_of([held_by(*STAFF, assigned=4)], replace(only(departments=("Sales",)), basis=basis)) is None


# --- trials --------------------------------------------------------------------------------------------------------

USER_BASES = (Basis.ASSIGNED, Basis.ASSIGNED_ACTIVE, Basis.GREATER)
ALL_STAFF = QuantityRule(Basis.ASSIGNED, users=Users(without=Traits(accounts=(GUESTS,))))


def tried(*paid: Subscription, trials: int = 25, **values: object) -> Count:
    """Four users hold it, and some licences of it are trials."""
    return held_by(*STAFF, assigned=4, subscriptions=[*paid, b.subscription(trials, trial=True)], **values)


@pytest.mark.parametrize("rule", [*map(QuantityRule, USER_BASES), ALL_STAFF])
def test_trials_are_billed_to_nobody_on_any_basis_unless_the_rule_includes_them(rule):
    everybody = replace(rule, include_trials=True)

    assert quantity_of([tried()], rule) == 0
    assert holders_counted(tried(), rule) == ()
    assert quantity_of([tried()], everybody) == (25 if rule.basis is Basis.GREATER else 4)
    assert holders_counted(tried(), everybody) == STAFF


@pytest.mark.parametrize("rule", [*map(QuantityRule, USER_BASES), ALL_STAFF])
def test_beside_trials_no_more_users_are_billed_than_licences_are_paid_for(rule):
    few, grace, many = (b.subscription(2, owned=False), b.subscription(1, "warning"), b.subscription(9, "suspended"))

    assert quantity_of([tried(few, grace, many)], rule) == 3
    assert holders_counted(tried(few, grace, many), rule) is None
    assert holders_counted(tried(b.subscription(4)), rule) == STAFF
    assert quantity_of([tried(b.subscription(4))], rule) == 4


def test_a_trial_that_is_over_limits_nobody():
    over = b.subscription(25, "suspended", trial=True)
    assert quantity_of([held_by(*STAFF, assigned=4, subscriptions=[b.subscription(3), over])], ASSIGNED) == 4


def planned(count: Count, users: Users = EVERYBODY, rule: QuantityRule = ASSIGNED):
    company = b.company(links=(CompanyLink(b.SOURCE, b.TENANT, users),))
    return plan_company(b.facts(b.reading(count), rules=b.rules(b.profile(quantity=rule)), company=company))


def test_some_users_are_left_alone_where_more_hold_it_than_licences_are_paid_for():
    sales = Users(only=Traits(departments=("Sales",)))
    mixed = replace(tried(b.subscription(3)), purchased=D(28))

    plan = planned(mixed, sales)
    (finding,) = (each for each in plan.findings if each.kind.value == "read-failed")
    assert not plan.changes
    assert "4 users hold it, 3 licences are paid for and the others are trials" in finding.text

    (all_paid,) = planned(replace(tried(b.subscription(4)), purchased=D(29)), sales).changes
    (included,) = planned(mixed, sales, replace(ASSIGNED, include_trials=True)).changes
    assert (all_paid.after.quantity, included.after.quantity) == (2, 2)
    assert not planned(replace(tried(), purchased=D(25)), sales).changes


def test_nobody_is_taken_for_on_trial_while_the_vendors_list_of_subscriptions_differs_from_its_totals():
    plan = planned(replace(tried(), purchased=D(35)))

    assert not plan.changes
    assert any("its subscriptions add up to 25 active" in each.text for each in plan.findings)


# --- who can never be counted twice --------------------------------------------------------------------------------

KINDS = st.lists(st.sampled_from(AccountKind), max_size=2).map(tuple)
VALUES = st.lists(st.sampled_from(["a", "b", "c"]), max_size=2).map(tuple)
TRAITS = st.builds(Traits, departments=VALUES, offices=VALUES, domains=VALUES, groups=VALUES, accounts=KINDS)
USERS = st.builds(Users, TRAITS, TRAITS)
PEOPLE = st.builds(
    lambda enabled, guest, *rest: Holder("x", "x", enabled, guest, *rest),
    st.booleans(),
    st.booleans(),
    *[st.sampled_from(["a", "b", "c", ""])] * 3,
    VALUES,
)


@given(USERS, st.lists(PEOPLE, max_size=4))
def test_active_users_are_those_left_without_disabled_accounts_and_guests(users, people):
    count = held_by(*(replace(each, id=str(at)) for at, each in enumerate(people)))
    both = replace(users, without=replace(users.without, accounts=tuple(AccountKind)))

    active = holders_counted(count, QuantityRule(Basis.ASSIGNED_ACTIVE, users=users))
    assert active == holders_counted(count, QuantityRule(Basis.ASSIGNED, users=both))
    assert all(holder.enabled and not holder.guest for holder in active or ())


@given(st.lists(USERS, max_size=2), PEOPLE)
def test_a_user_is_taken_or_left_by_the_account_as_the_filter_says(filters, person):
    """The same as by any other trait that is told of everybody."""
    kinds = {DISABLED: not person.enabled, GUESTS: person.guest}
    named = [users for users in filters if not users.is_everybody]
    fits = all(
        (not users.only.accounts or any(kinds[kind] for kind in users.only.accounts))
        and not any(kinds[kind] for kind in users.without.accounts)
        for users in named
    )
    others = [Users(replace(each.only, accounts=()), replace(each.without, accounts=())) for each in named]
    assert bool(taken_by_all((person,), filters)) == (fits and bool(taken_by_all((person,), others)))


@given(st.lists(USERS, max_size=2), st.lists(USERS, max_size=2), PEOPLE)
def test_nobody_is_taken_by_filters_that_are_disjoint(first, second, person):
    taken = [all(users.among((person,)) for users in side) for side in (first, second)]

    assert not (are_disjoint(first, second) and all(taken))
    assert are_disjoint(first, second) is are_disjoint(second, first)


@pytest.mark.parametrize(
    ("first", "second", "disjoint"),
    [
        (Users(Traits(departments=("Sales",))), Users(Traits(departments=("Finance",))), True),
        (Users(Traits(departments=("Sales",))), Users(Traits(departments=("finance", "SALES "))), False),
        (Users(Traits(departments=("Sales",))), Users(Traits(offices=("Mill Road",))), False),
        (Users(Traits(groups=("crew",))), Users(Traits(groups=("drivers",))), False),
        (Users(Traits(groups=("crew",))), Users(without=Traits(groups=("crew", "drivers"))), True),
        (Users(Traits(groups=("crew", "drivers"))), Users(without=Traits(groups=("crew",))), False),
        (Users(), Users(without=Traits(domains=("a.example",))), False),
        (Users(Traits(accounts=(GUESTS,))), Users(without=Traits(accounts=(GUESTS,))), True),
        (Users(Traits(accounts=(GUESTS,))), ACTIVE, True),
        (Users(Traits(accounts=(GUESTS,))), Users(Traits(accounts=(DISABLED,))), False),
        (Users(without=Traits(accounts=(GUESTS,))), Users(without=Traits(accounts=(DISABLED,))), False),
    ],
)
def test_filters_are_disjoint_only_where_one_trait_proves_it(first, second, disjoint):
    assert are_disjoint([first], [second]) is disjoint
    assert are_disjoint([second], [Users(), first]) is disjoint
