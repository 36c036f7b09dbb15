"""Invoices that jump between two looks: told, and nothing written until a person says what was billed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from shared.billing.limits import Guards
from shared.billing.planning.choices import Choice, ChoiceKind
from shared.billing.planning.invoiced import Invoiced
from shared.billing.planning.planner import plan_company
from shared.billing.rules import Mode
from tests import builders as b


def looked_at(first_uninvoiced: date, *, next_invoice: date, writing: bool = False, **values):
    """A company whose line says 5 and whose count says 7, with what the last look remembered of its agreement."""
    line = b.our_addition(9, 5)
    return b.facts(
        b.reading(b.count(7)),
        additions=[line],
        ledger=[b.recorded(line)],
        agreements=[b.agreement(next_invoice_date=next_invoice)],
        invoiced={b.AGREEMENT: Invoiced(b.AGREEMENT, first_uninvoiced, writing)},
        **values,
    )


@pytest.mark.parametrize(
    ("seen", "now"),
    [
        (date(2026, 11, 1), date(2026, 11, 1)),
        (date(2026, 11, 1), date(2026, 12, 1)),
        (date(2026, 11, 1), date(2026, 12, 28)),
    ],
)
def test_an_agreement_that_stands_or_was_invoiced_once_since_the_last_look_is_written(seen, now):
    plan = plan_company(looked_at(seen, next_invoice=now))

    assert len(plan.groups) == 1
    assert plan.findings == ()


@pytest.mark.parametrize(
    ("seen", "now", "told"),
    [
        (
            date(2026, 10, 1),
            date(2026, 12, 1),
            "it was invoiced until 30 Sep 2026, now it is until 30 Nov 2026: 2 periods since the last look, "
            "more than 1",
        ),
        (
            date(2027, 1, 1),
            date(2026, 12, 1),
            "it was invoiced until 31 Dec 2026, now it is until 30 Nov 2026: invoices were undone",
        ),
    ],
)
def test_an_agreement_whose_invoices_jumped_is_held_with_one_finding(seen, now, told):
    plan = plan_company(looked_at(seen, next_invoice=now))

    assert plan.changes == ()
    (finding,) = plan.findings
    assert (finding.kind.value, finding.key) == ("period-moved", f"agreement/{b.AGREEMENT}")
    assert finding.text == f"Nothing is written on agreement 501 (Managed Services 501), because {told}."
    assert plan.invoiced == (), "what was known before is still what the next look compares with"


def test_an_msp_may_allow_several_periods_to_be_invoiced_at_once():
    facts = looked_at(date(2026, 10, 1), next_invoice=b.NEXT_PERIOD)

    assert plan_company(replace(facts, rules=b.rules(guards=Guards(invoiced_at_once=1)))).changes == ()
    assert plan_company(replace(facts, rules=b.rules(guards=Guards(invoiced_at_once=2)))).changes != ()
    assert plan_company(replace(facts, company=b.company(guards=Guards(invoiced_at_once=2)))).changes != ()


def test_an_invoice_made_while_lines_were_written_holds_the_agreement_even_when_it_is_the_next_one():
    plan = plan_company(looked_at(date(2026, 11, 1), next_invoice=date(2026, 12, 1), writing=True))

    assert plan.changes == ()
    assert "while lines of ours were being written" in plan.findings[0].text


def test_a_look_that_finds_no_invoice_forgets_that_lines_were_about_to_be_written():
    plan = plan_company(looked_at(b.NEXT_PERIOD, next_invoice=b.NEXT_PERIOD, writing=True))

    assert len(plan.changes) == 1
    assert plan.invoiced == (Invoiced(b.AGREEMENT, b.NEXT_PERIOD),)


def test_billed_through_says_what_was_billed_and_from_then_on_the_agreement_goes_on():
    facts = looked_at(date(2026, 10, 1), next_invoice=b.NEXT_PERIOD)
    told = plan_company(replace(facts, company=b.company(billed_through={b.AGREEMENT: date(2026, 11, 30)})))
    assert len(told.changes) == 1
    assert told.invoiced == (Invoiced(b.AGREEMENT, b.NEXT_PERIOD),)

    after = plan_company(replace(facts, invoiced={note.agreement: note for note in told.invoiced}))
    assert len(after.changes) == 1, "without billed_through again"


def test_while_a_company_is_only_observed_invoices_may_come_as_they_like():
    plan = plan_company(looked_at(date(2026, 8, 1), next_invoice=b.NEXT_PERIOD, company=b.company(mode=Mode.OBSERVE)))

    assert len(plan.changes) == 1
    assert plan.invoiced == (Invoiced(b.AGREEMENT, b.NEXT_PERIOD),)


def test_an_agreement_without_a_line_of_ours_may_jump():
    facts = b.facts(b.reading(b.count(7)), invoiced={b.AGREEMENT: Invoiced(b.AGREEMENT, date(2026, 8, 1))})

    assert len(plan_company(facts).changes) == 1


def test_a_line_that_is_to_end_stays_while_its_agreement_is_in_doubt_and_the_doubt_is_told_without_any_reading():
    facts = looked_at(date(2026, 10, 1), next_invoice=b.NEXT_PERIOD)
    unbilled = replace(facts, rules=b.rules(policies=[b.SkuPolicy(b.SOURCE, b.PREMIUM, None)]))
    unread = replace(facts, readings=(b.failure(),))

    for held in (unbilled, unread):
        plan = plan_company(held)
        assert plan.changes == ()
        assert "period-moved" in [finding.kind.value for finding in plan.findings]


def test_an_agreement_that_now_bills_longer_periods_is_held_where_it_would_bill_a_month_again():
    facts = looked_at(b.NEXT_PERIOD, next_invoice=date(2026, 12, 1))
    quarterly = replace(facts.agreements[0], billing_cycle="Quarterly", next_invoice_date=date(2026, 12, 31))

    plan = plan_company(replace(facts, agreements=(quarterly,)))
    assert plan.changes == ()
    assert "invoices were undone" in plan.findings[0].text


# ---- agreements that are about to end


@pytest.mark.parametrize(("days", "told"), [(0, True), (30, True), (31, False)])
def test_an_agreement_with_lines_of_ours_is_told_of_before_it_ends(days, told):
    line = b.our_addition(9, 5)
    ends = b.TODAY + timedelta(days=days)
    facts = b.facts(
        b.reading(b.count(5)), additions=[line], ledger=[b.recorded(line)], agreements=[b.agreement(end_date=ends)]
    )

    keys = [finding.key for finding in plan_company(facts).findings]
    assert (f"agreement/{b.AGREEMENT}/ends" in keys) is told
    company = b.company(guards=Guards(ends_within_days=60))
    assert f"agreement/{b.AGREEMENT}/ends" in [
        item.key for item in plan_company(replace(facts, company=company)).findings
    ]


def test_an_agreement_that_ends_without_a_line_of_ours_is_nobodys_matter():
    ends = b.agreement(end_date=b.TODAY + timedelta(days=5))
    ended = b.our_addition(9, 5, cancelled_date=b.TODAY)

    for lines in ([], [b.addition(8, 5, product="BACKUP-GB", product_id=300)], [ended]):
        plan = plan_company(b.facts(b.reading(), additions=lines, agreements=[ends]))
        assert [finding for finding in plan.findings if finding.key.endswith("/ends")] == []


# ---- the currency of an agreement


def billed_in(now: str | None, seen: str | None, **values):
    """The same company, whose agreement was billed in one currency at the last look and is in another now."""
    facts = looked_at(b.NEXT_PERIOD, next_invoice=b.NEXT_PERIOD, **values)
    note = Invoiced(b.AGREEMENT, b.NEXT_PERIOD, currency=seen)
    agreement = b.agreement(currency=now)
    return replace(facts, agreements=(agreement,), invoiced={b.AGREEMENT: note})


def confirmed(currency: str) -> dict[str, Choice]:
    subject = f"agreement/{b.AGREEMENT}"
    return {subject: Choice(ChoiceKind.CONFIRM, subject, currency=currency)}


@pytest.mark.parametrize(("seen", "now"), [("USD", "USD"), (None, "USD"), (None, None)])
def test_a_currency_that_is_as_it_was_or_was_not_known_is_remembered_and_nothing_more(seen, now):
    plan = plan_company(billed_in(now, seen))

    assert (len(plan.changes), plan.findings) == (1, ())
    assert plan.invoiced == (() if seen == now else (Invoiced(b.AGREEMENT, b.NEXT_PERIOD, currency=now),))


@pytest.mark.parametrize(
    ("now", "told"), [("CAD", "it was billed in USD and now is in CAD"), (None, "a currency that Manage does not tell")]
)
def test_lines_stay_as_they_are_when_their_agreement_is_billed_in_another_currency(now, told):
    facts = billed_in(now, "USD")
    plan = plan_company(facts)

    (finding,) = plan.findings
    assert (plan.changes, len(plan.frozen)) == ((), 1)
    assert (finding.kind.value, finding.key) == ("currency", f"agreement/{b.AGREEMENT}")
    assert told in finding.text

    invoiced = replace(facts, agreements=(b.agreement(currency=now, next_invoice_date=date(2027, 1, 1)),))
    assert plan_company(invoiced).invoiced == (Invoiced(b.AGREEMENT, date(2027, 1, 1), currency="USD"),)


def test_confirming_the_currency_lets_the_agreement_go_on_and_is_then_dealt_with():
    facts = billed_in("CAD", "USD")
    assert plan_company(replace(facts, choices=confirmed("EUR"))).changes == ()

    plan = plan_company(replace(facts, choices=confirmed("CAD")))
    assert (len(plan.changes), plan.findings) == (1, ())
    assert plan.invoiced == (Invoiced(b.AGREEMENT, b.NEXT_PERIOD, currency="CAD"),)
    assert plan.spent == {f"agreement/{b.AGREEMENT}"}


def test_a_currency_may_change_where_nothing_of_ours_is_written():
    observed = billed_in("CAD", "USD", company=b.company(mode=Mode.OBSERVE))
    assert len(plan_company(observed).changes) == 1
    without = b.facts(b.reading(b.count(7)), agreements=observed.agreements, invoiced=observed.invoiced)
    assert len(plan_company(without).changes) == 1
    other = Choice(ChoiceKind.STOP, f"agreement/{b.AGREEMENT}")
    assert plan_company(replace(billed_in("CAD", "USD"), choices={other.subject: other})).changes == ()
