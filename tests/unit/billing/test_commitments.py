"""Seats that go within a commitment are billed to its last day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from shared.billing.counts import Subscription, SubscriptionStatus
from shared.billing.planning.plan import ChangeKind, Plan
from shared.billing.planning.planner import Facts, plan_company
from shared.billing.profiles import PriceKind, PriceRule
from tests import builders as b
from tests.unit.billing.test_invoices import UNGUARDED

D = Decimal


def committed(day: date, quantity: int, until: date) -> Facts:
    """One subscription that is billed as a line of its own, and for what was committed to."""
    bought = Subscription("sub-a", D(quantity), SubscriptionStatus.ENABLED, owned=True, committed_until=until)
    counts = [b.count(quantity, subscriptions=[bought])] if quantity else []
    profile = b.profile(split=True, commitment_floor=True, price=PriceRule(PriceKind.CUSTOM, D("25.00")))
    return b.facts(b.reading(*counts, day=day), rules=b.rules(profile, guards=UNGUARDED), as_of=day)


def test_seats_that_go_within_a_commitment_are_billed_to_its_last_day_also_when_the_subscription_is_gone():
    until = date(2026, 12, 20)
    first = plan_company(committed(date(2026, 11, 1), 10, until))
    (created,) = [change for change in first.changes if change.key.is_standing]
    line = b.addition(9, 10, serial_number=created.after.serial_number, effective_date=created.after.effective_date)
    book = (replace(b.recorded(line), key=created.key),)
    seats = {record.line: record for record in first.seats}

    def night(day: date, quantity: int) -> Plan:
        facts = committed(day, quantity, until)
        plan = plan_company(replace(facts, additions={b.AGREEMENT: (line,)}, ledger=book, seats=dict(seats)))
        seats.update((record.line, record) for record in plan.seats)
        return plan

    assert night(date(2026, 11, 20), 6).groups == ()
    assert night(date(2026, 12, 19), 0).groups == ()
    (ending,) = night(date(2026, 12, 21), 0).changes
    assert ending.after.cancelled_date == date(2026, 12, 31)


def test_a_commitment_that_is_renewed_for_fewer_seats_is_billed_for_those():
    first = plan_company(committed(date(2026, 11, 1), 10, date(2026, 12, 20)))
    (created,) = [change for change in first.changes if change.key.is_standing]
    line = b.addition(9, 10, serial_number=created.after.serial_number, effective_date=created.after.effective_date)
    # The vendor tells the new term on the last day of the old one already.
    renewed = replace(
        committed(date(2026, 12, 20), 6, date(2027, 12, 20)),
        additions={b.AGREEMENT: (line,)},
        ledger=(replace(b.recorded(line), key=created.key),),
        seats={record.line: record for record in first.seats},
    )

    changes = plan_company(renewed).changes
    assert [(change.kind, change.after.quantity) for change in changes] == [
        (ChangeKind.CREATE, D(6)),
        (ChangeKind.END, D(10)),
    ]
