"""What holds for every company, however its agreements, lines and counts look."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.billing.agreements import Addition
from shared.billing.counts import Reading
from shared.billing.limits import Guards, ReductionLimit
from shared.billing.planning.plan import Change, ChangeKind, Plan
from shared.billing.planning.planner import Facts, plan_company
from shared.billing.profiles import PriceKind, PriceRule
from shared.billing.rules import SkuPolicy
from tests import builders as b
from tests.examples import examples

SKUS = {
    b.PREMIUM: ("premium", "M365-BP", 88),
    b.STANDARD: ("standard", "M365-BS", 89),
    "third": ("third", "M365-X", 90),
}
UNGUARDED = Guards(ReductionLimit(Decimal(100), Decimal(0), Decimal(10**6), Decimal(10**9)), all_to_zero=False)


@st.composite
def companies(draw) -> Facts:
    """A company with one or two agreements, lines of people and other tools on them, and counts of up to three SKUs."""
    agreements = [b.agreement(501)]
    if draw(st.booleans()):
        agreements.append(b.agreement(502, type=draw(st.sampled_from(["Managed Services", "Backup"]))))
    price = st.sampled_from([PriceRule(), PriceRule(PriceKind.PRODUCT), PriceRule(PriceKind.CUSTOM, Decimal("23.50"))])
    profiles = [
        b.profile(
            id=profile, product=identifier, price=draw(price), invoice_text=draw(st.sampled_from(["", "{users}"]))
        )
        for profile, identifier, _ in SKUS.values()
    ]
    policies = [
        SkuPolicy(b.SOURCE, sku, draw(st.sampled_from([profile, profile, profile, None])))
        for sku, (profile, _, _) in SKUS.items()
        if draw(st.booleans())
    ]
    lines = draw(st.lists(line_of_others(), max_size=5))
    additions = [replace(line, id=number) for number, line in enumerate(lines, 1)]
    counts = [
        b.count(
            draw(st.integers(0, 40)),
            sku=sku,
            name=profile,
            holders=draw(st.lists(st.sampled_from("abcdef"), max_size=3)),
        )
        for sku, (profile, _, _) in SKUS.items()
        if draw(st.booleans())
    ]
    return b.facts(
        b.reading(*counts),
        additions=additions,
        agreements=agreements,
        products=[b.product(identifier, number) for _, identifier, number in SKUS.values()],
        rules=b.rules(*profiles, policies=policies, guards=UNGUARDED),
    )


@st.composite
def line_of_others(draw) -> Addition:
    _, identifier, number = draw(st.sampled_from([*SKUS.values(), ("", "BACKUP-GB", 300)]))
    return b.addition(
        0,
        draw(st.integers(0, 40)),
        on=draw(st.sampled_from([501, 502])),
        product=identifier,
        product_id=number,
        serial_number=draw(st.sampled_from(["", "", "", "Unite-4", "SN-1", "TU1-S-250101-aaaaaaaaaaaaaaaaaaaaaaaaaa"])),
        cancelled_date=draw(st.sampled_from([None, None, date(2026, 11, 30), date(2027, 6, 30)])),
        less_included=Decimal(draw(st.sampled_from([0, 0, 0, 2]))),
    )


def applied(facts: Facts, plan: Plan) -> Facts:
    """The company after Manage carried out the plan and the ledger recorded it."""
    assert [group.held for group in plan.groups if group.unsound] == []
    additions = {agreement: list(lines) for agreement, lines in facts.additions.items()}
    ledger = {row.stamp: row for row in (*facts.ledger, *plan.ledger)}
    newest = max((line.id for lines in facts.additions.values() for line in lines), default=0)
    for number, change in enumerate(plan.changes, newest + 1):
        lines = additions[change.key.agreement]
        if change.kind is ChangeKind.DELETE:
            additions[change.key.agreement] = [line for line in lines if line.id != change.addition]
            continue
        old = next((line for line in lines if line.id == change.addition), None)
        new = written(change, old or b.addition(number, 0, on=change.key.agreement, product=change.product))
        additions[change.key.agreement] = [*(line for line in lines if line is not old), new]
        if not change.is_of_copy:
            row = b.recorded(new, keeps_price=change.keeps_price)
            ledger[new.serial_number] = replace(row, key=change.key)
    return replace(
        facts,
        additions={agreement: tuple(lines) for agreement, lines in additions.items()},
        ledger=tuple(ledger.values()),
        seats={**facts.seats, **{record.line: record for record in plan.seats}},
    )


def written(change: Change, line: Addition) -> Addition:
    return replace(line, **change.fields())


@given(companies())
@examples(150)
def test_a_second_plan_right_after_applying_is_empty(facts):
    after = applied(facts, plan_company(facts))

    assert plan_company(after).groups == ()


@given(companies())
@examples(100)
def test_with_the_store_lost_and_only_stamps_left_nothing_is_planned(facts):
    after = applied(facts, plan_company(facts))

    assert plan_company(replace(after, ledger=(), seats={})).groups == ()


@given(companies(), st.randoms(use_true_random=False))
@examples(100)
def test_the_order_of_the_input_is_irrelevant(facts, chance):
    def shuffled(values):
        values = list(values)
        chance.shuffle(values)
        return tuple(values)

    mixed = replace(
        facts,
        readings=tuple(replace(reading, counts=shuffled(reading.counts)) for reading in facts.readings),
        agreements=shuffled(facts.agreements),
        additions={agreement: shuffled(facts.additions[agreement]) for agreement in shuffled(facts.additions)},
        rules=replace(facts.rules, policies=shuffled(facts.rules.policies)),
    )
    assert plan_company(mixed) == plan_company(facts)


@given(companies())
@examples(100)
def test_a_line_of_somebody_else_is_never_written(facts):
    plan = plan_company(facts)
    lines = {line.id: line for agreement in facts.additions.values() for line in agreement}

    for change in plan.changes:
        if change.addition is not None:
            line = lines[change.addition]
            assert line.serial_number == "", "only a line without a mark may be adopted"
            assert line.less_included == 0
            assert line.cancelled_date is None
            assert set(change.fields()) <= {"quantity", "serial_number"}


@given(companies())
@examples(100)
def test_a_failed_reading_changes_nothing(facts):
    after = applied(facts, plan_company(facts))
    blind = plan_company(replace(after, readings=(b.failure(),)))

    assert blind.groups == ()
    assert blind.seats == ()
    assert blind.ledger == ()


@given(companies(), st.lists(st.integers(0, 60), min_size=1, max_size=6))
@examples(100)
def test_night_after_night_each_key_has_one_line_that_says_the_count(facts, nights):
    chance = random.Random(len(nights))
    for quantity in nights:
        facts = applied(facts, plan_company(facts))
        reading = facts.readings[0]
        assert isinstance(reading, Reading)
        counts = tuple(
            b.count(chance.choice([0, quantity]), sku=count.sku, name=count.name) for count in reading.counts
        )
        facts = replace(facts, readings=(replace(reading, counts=counts),))
    plan = plan_company(facts)
    facts = applied(facts, plan)
    billed = [
        line
        for lines in facts.additions.values()
        for line in lines
        if line.serial_number[:6] in ("TU1-S-", "TU1-A-")
        and line.is_open(b.NEXT_PERIOD)
        and line.quantity
        and "aaaaaa" not in line.serial_number
    ]
    stamps = [line.serial_number.split("-")[-1] for line in billed]
    assert len(set(stamps)) == len(stamps)
    wanted = {SKUS[count.sku][2]: count.purchased for count in facts.readings[0].counts if count.purchased}
    assert all(line.quantity == wanted[line.product_id] for line in billed)
