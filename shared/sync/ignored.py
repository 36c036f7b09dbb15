"""What people do not want to hear of: an ignored SKU is no finding, and bills and ends nothing either."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shared.billing.findings import Finding, FindingKind
from shared.billing.planning.plan import Plan
from shared.state.ignored import IgnoredSku


def without_ignored(plan: Plan, ignored: Iterable[IgnoredSku]) -> Plan:
    """The plan without findings about SKUs that somebody ignores at its company."""
    hidden = {finding for finding in plan.findings for each in ignored if _is_about(finding, each)}
    return replace(plan, findings=tuple(finding for finding in plan.findings if finding not in hidden))


def _is_about(finding: Finding, ignored: IgnoredSku) -> bool:
    """An unmapped count is known by source, customer and SKU."""
    key = finding.key
    return (
        finding.kind is FindingKind.UNMAPPED
        and key.startswith(f"{ignored.source}/")
        and key.endswith(f"/{ignored.sku}")
    )
