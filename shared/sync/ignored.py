"""What people do not want to hear of: an ignored SKU is no finding, and bills and ends nothing either."""

from __future__ import annotations

from dataclasses import replace

from shared.billing.findings import Finding, FindingKind
from shared.billing.planning.plan import Plan
from shared.sync.ports import Ports


def without_ignored(ports: Ports, plan: Plan) -> Plan:
    """The plan without findings about SKUs that somebody ignores at its company. Asked only where one is unmapped."""
    if not any(finding.kind is FindingKind.UNMAPPED for finding in plan.findings):
        return plan
    here = [each[1:] for each in ports.directory.ignored() if len(each) == 3 and each[0] == str(plan.company)]
    hidden = {finding for finding in plan.findings for source, sku in here if _is_about(finding, source, sku)}
    return replace(plan, findings=tuple(finding for finding in plan.findings if finding not in hidden))


def _is_about(finding: Finding, source: str, sku: str) -> bool:
    """An unmapped count is known by source, customer and SKU."""
    key = finding.key
    return finding.kind is FindingKind.UNMAPPED and key.startswith(f"{source}/") and key.endswith(f"/{sku}")
