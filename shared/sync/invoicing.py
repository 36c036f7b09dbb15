"""Whether an agreement is invoiced while its lines are written: asked before the first and after the last write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.billing.agreements import Agreement
from shared.billing.findings import Finding, FindingKind
from shared.billing.planning.invoiced import Invoiced
from shared.billing.planning.plan import Group, Plan
from shared.billing.planning.planner import Facts
from shared.billing.wording import spoken
from shared.sync.ports import Ports


@dataclass(frozen=True)
class Watch:
    """Looks after the agreements on which these groups are about to be written. `plan` was made from `facts`."""

    ports: Ports
    facts: Facts
    plan: Plan
    groups: Sequence[Group]

    def moved(self) -> list[Finding]:
        """Reads the company's agreements again: a finding for each whose next invoice date is not as it was.

        Raises what Manage's client raises.
        """
        if not self._agreements:
            return []
        now = {agreement.id: agreement for agreement in self.ports.manage.agreements(self.plan.company)}
        planned = {agreement.id: agreement for agreement in self.facts.agreements}
        found = (_moved(planned[agreement], now.get(agreement)) for agreement in self._agreements)
        return [finding for finding in found if finding is not None]

    def notes(self, *, writing: bool) -> list[Invoiced]:
        """How far these agreements are invoiced, with the word that lines are about to be written, or were."""
        seen = {**self.facts.invoiced, **{note.agreement: note for note in self.plan.invoiced}}
        known = [number for number in self._agreements if number in seen]
        return [replace(seen[number], writing=writing) for number in known]

    @property
    def _agreements(self) -> list[int]:
        return sorted({change.key.agreement for group in self.groups for change in group.changes})


def _moved(planned: Agreement, now: Agreement | None) -> Finding | None:
    if now is not None and now.next_invoice_date == planned.next_invoice_date:
        return None
    if now is None or now.next_invoice_date is None or planned.next_invoice_date is None:
        told = "is gone, or its next invoice date is"
    else:
        told = f"was to be invoiced next on {spoken(planned.next_invoice_date)}, now on {spoken(now.next_invoice_date)}"
    return Finding(
        FindingKind.PERIOD_MOVED,
        f"agreement/{planned.id}",
        f"Agreement {planned.id} ({planned.name}) {told}: that changed while TrueUp was at work on it.",
        "Wait for the next look, which closes this finding or says what to do.",
    )
