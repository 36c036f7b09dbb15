"""Plans as tests look at them."""

from __future__ import annotations

from shared.billing.planning.plan import Plan


def kinds(plan: Plan) -> list[str]:
    return [finding.kind.value for finding in plan.findings]


def only_change(plan: Plan):
    assert len(plan.changes) == 1, plan
    return plan.changes[0]
