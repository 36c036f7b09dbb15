"""What a vendor invoices, as far as the money core looks at it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from shared.billing.counts import Customer
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import CountedOn
from shared.billing.vendors import Charge
from tests import builders as b

D = Decimal
MONTH = (date(2026, 11, 1), date(2026, 12, 1))


def test_only_the_charge_for_a_whole_period_tells_how_many_there_are() -> None:
    whole = Charge("one", "lark:monthly", "Larkmail", "subscription", *MONTH, D(10), D(21), "USD", "inv-1")
    assert whole.is_of_a_whole_period
    assert all(replace(whole, kind=kind).is_of_a_whole_period for kind in ("new", "renew", "cyclecharge"))
    assert not any(replace(whole, kind=kind).is_of_a_whole_period for kind in ("prorate", "service-credit"))
    assert (whole.units, replace(whole, kind="prorate").units, replace(whole, used=True).units) == (10, 0, 21)
    once = replace(whole, kind="one-time")
    assert (once.is_once, once.units, once.tells_units) == (True, 10, False)


def test_a_customers_domains_are_told_once_each_the_verified_ones_first() -> None:
    customer = Customer("one", "c-1", "Alder Dental", domains=("b.example", "a.example"), verified=("a.example",))
    assert customer.known_domains == ("a.example", "b.example")


def test_a_profile_that_bills_on_the_vendors_invoice_takes_the_counts_of_that_day_and_no_others() -> None:
    line = b.our_addition(901, 5)
    facts = b.facts(
        b.reading(b.count(12)),
        additions=[line],
        ledger=[b.recorded(line)],
        seats=b.seats_with(5, date(2026, 10, 1)),
        rules=b.rules(b.profile(counted_on=CountedOn.VENDOR_INVOICE)),
    )
    then = b.reading(b.count(9), day=date(2026, 11, 15))

    assert {change.after.quantity for change in plan_company(replace(facts, at_invoices=(then,))).changes} >= {D(9)}
    same = b.reading(b.count(5), day=date(2026, 11, 15))
    assert plan_company(replace(facts, at_invoices=(same,))).groups == ()
    waiting = plan_company(facts)
    assert (waiting.groups, waiting.findings) == ((), ())
    assert waiting.frozen == {f"{b.SOURCE}/{b.PREMIUM}"}
