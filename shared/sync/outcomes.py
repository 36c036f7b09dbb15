"""What one look at a company is reported as: its outcome, what was planned and written, and why where it failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from shared.billing.planning.plan import Change, ChangeKind
from shared.state.records import CompanyReport, Outcome
from shared.sync.apply import Applied
from shared.sync.decisions import Judged
from shared.sync.intents import Resolution
from shared.sync.observe import Observation

#: A company that was begun so often in one run without an end is recorded as failed, and the run goes on.
MOST_DEATHS = 3


def never_ended(company: int) -> CompanyReport:
    """What is recorded of a company that was begun too often: of a worker that is gone nobody knows what became."""
    why = f"it was begun {MOST_DEATHS} times without an end: its worker died, or neither store nor queue answered it"
    return CompanyReport(company, Outcome.FAILED, f"{why}; the other companies went on")


def report_of(
    company: int,
    observation: Observation,
    resolution: Resolution,
    judged: Judged,
    applied: Applied,
    reached: list[ChangeKind],
) -> CompanyReport:
    """`reached` are the run's writes that reached Manage, also those that only a later look found done."""
    plan = judged.plan
    failures = [*observation.failures, *_doubts(resolution), *applied.failures]
    findings = [*plan.findings, *applied.findings]
    return CompanyReport(
        company=company,
        outcome=_outcome(failures, judged, reached),
        note="; ".join([*failures, *(f"stale: {each.text}" for each in judged.stale)]),
        planned=counted(change.kind for change in plan.changes),
        written=counted(reached),
        findings=dict(Counter(finding.kind.value for finding in findings)),
        monthly_delta=str(sum((group.monthly for group in plan.groups), Decimal(0))),
        waiting=len(judged.waiting),
        stale=len(judged.stale),
    )


def counted(kinds: Iterable[ChangeKind]) -> dict[str, int]:
    """Changes by what they do to an addition; a removed copy ends."""
    names = {
        ChangeKind.CREATE: "created",
        ChangeKind.UPDATE: "updated",
        ChangeKind.END: "ended",
        ChangeKind.DELETE: "ended",
    }
    return dict(Counter(names[kind] for kind in kinds))


def kinds_of(changes: Iterable[Change]) -> list[ChangeKind]:
    return [change.kind for change in changes]


def _doubts(resolution: Resolution) -> list[str]:
    """Bill items that were left alone because nobody knows yet what an earlier write did."""
    if not resolution.in_doubt:
        return []
    items = ", ".join(sorted(resolution.in_doubt))
    return [f"what an earlier write did is not known yet: {items}; it is looked for in {resolution.again_in} s"]


def _outcome(failures: list[str], judged: Judged, reached: list[ChangeKind]) -> Outcome:
    if failures:
        return Outcome.FAILED
    if judged.held:
        return Outcome.HELD
    if reached:
        return Outcome.APPLIED
    return Outcome.PLANNED if judged.is_open else Outcome.UNCHANGED
