"""The words in which pages tell outcomes, findings, modes, choices and what became of decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.billing.findings import FindingKind
from shared.billing.planning.choices import ChoiceKind
from shared.billing.planning.plan import Guard
from shared.sync.company import Synced
from shared.web import formats
from shared.web.pages.acting import NotDone

#: What stands on the badge of an outcome, and its colour.
OUTCOMES: Mapping[str | None, tuple[str, str]] = {
    None: ("not looked at yet", ""),
    "never": ("not looked at yet", ""),
    "unchanged": ("in order", "done"),
    "applied": ("written", "done"),
    "planned": ("planned", "warn"),
    "held": ("held", "warn"),
    "skipped": ("skipped", ""),
    "failed": ("failed", "problem"),
}
FINDINGS: Mapping[str, str] = {
    FindingKind.UNMAPPED.value: "no rule bills it",
    FindingKind.UNASSIGNED.value: "paid for and held by nobody",
    FindingKind.FOREIGN.value: "sold by another partner",
    FindingKind.CONTROL_TOTAL.value: "two figures of the vendor disagree",
    FindingKind.AMBIGUOUS_AGREEMENT.value: "agreement not clear",
    FindingKind.AGREEMENT_NOT_ACTIVE.value: "agreement not active",
    FindingKind.PRODUCT_MISSING.value: "product missing in Manage",
    FindingKind.PRODUCT_INACTIVE.value: "product cannot be used",
    FindingKind.CANDIDATES.value: "several lines could be meant",
    FindingKind.BLOCKED_CREATE.value: "another line bills it already",
    FindingKind.STRAY.value: "stray line with our stamp",
    FindingKind.DRIFT.value: "line edited by a person",
    FindingKind.PAUSED.value: "line ended by a person",
    FindingKind.HELD.value: "held by a guard",
    FindingKind.STALE.value: "approval out of date",
    FindingKind.PERIOD_MOVED.value: "invoices moved",
    FindingKind.FORECAST_MISMATCH.value: "Manage forecasts another invoice",
    FindingKind.CURRENCY.value: "currency",
    FindingKind.PRICE.value: "price missing or below cost",
    FindingKind.CALENDAR_UNSUPPORTED.value: "billing cycle not written",
    FindingKind.PRORATE_UNAVAILABLE.value: "agreement does not prorate",
    FindingKind.READ_FAILED.value: "could not be read",
    FindingKind.NO_USAGE.value: "nothing used any more",
    FindingKind.UNBILLED.value: "what nothing bills",
    FindingKind.WRITE_FAILED.value: "could not be written",
    FindingKind.CONSENT_LOST.value: "consent is missing",
    FindingKind.CUSTOMER_GONE.value: "customer gone at the vendor",
    FindingKind.CUSTOMER_NEW.value: "new customer without a company",
    FindingKind.POISON.value: "message that nobody could work on",
    FindingKind.NOTICE_FAILED.value: "notice not sent",
    FindingKind.NIGHT_MISSING.value: "night missing",
    FindingKind.BACKUP_MISSING.value: "backup missing",
    FindingKind.QUEUE_STUCK.value: "queue stuck",
    FindingKind.SECRET_ENDING.value: "secret ends soon",
    FindingKind.RELATIONSHIP_ENDING.value: "relationship ends soon",
    FindingKind.REFUSED.value: "does not answer as it should",
    FindingKind.RULES_UNFINISHED.value: "rules not in force everywhere",
    FindingKind.SETTINGS.value: "settings or rules to correct",
}
MODES = {
    "observe": "Observe: plan and report, write nothing",
    "approve": "Approve: write what a person approved",
    "auto": "Auto: write what the guards let through",
}
CHOICES: Mapping[str, str] = {
    ChoiceKind.RESTORE.value: "Put the line back as TrueUp wrote it",
    ChoiceKind.ACCEPT.value: "Keep the edit until the count or a rule changes",
    ChoiceKind.RESUME.value: "Bill it again",
    ChoiceKind.STOP.value: "Do not bill it any more",
    ChoiceKind.ADOPT.value: "Adopt the ticked line",
    ChoiceKind.END_OTHER.value: "End the ticked lines where ours begins",
    ChoiceKind.CREATE_ANYWAY.value: "Create ours beside the ticked lines",
    ChoiceKind.IGNORE.value: "Ignore this line",
    ChoiceKind.CONFIRM.value: "Confirm this currency",
    ChoiceKind.SETTLE.value: "It is settled: billed by hand, or not owed",
}
KINDS = {
    "adoption": "Adoptions",
    "increase": "Increases",
    "reduction": "Reductions",
    "one-off": "One-off charges and credits",
    "correction": "Corrections",
}
#: What a guard found, after "that a guard holds".
GUARDS: Mapping[str, str] = {
    Guard.ALL_ZERO.value: "every count is zero",
    Guard.UNITS.value: "too many units less",
    Guard.PERCENT.value: "too large a share less",
    Guard.MONEY.value: "too much money less",
    Guard.CREDIT.value: "too much money given back",
    Guard.INCREASE.value: "far more than stood before",
    Guard.USAGE.value: "far more used than before",
    Guard.CHANGES_PER_DAY.value: "too many changes in a day",
    Guard.UNSOUND.value: "a fault of TrueUp, which nobody can approve",
}
#: What became of lines, by the kinds under which runs count them.
WRITTEN: Mapping[str, str] = {"created": "created", "updated": "changed", "ended": "ended"}
#: What a run was started for.
RUNS: Mapping[str, str] = {"nightly": "the night", "demand": "asked for by a person", "approval": "an approval"}
#: How far a company of a run is that has no outcome yet.
STAGES: Mapping[str, str] = {"pending": "waits for its turn", "claimed": "is looked at", "done": "done"}


def reason(told: Mapping[str, Any]) -> str:
    """Why groups wait, as a heading: their kind, and what holds them."""
    if not told["held"]:
        return KINDS[told["kind"]]
    why = f": {GUARDS[told['guard']]}" if told["guard"] else ""
    return f"{KINDS[told['kind']]} that a guard holds{why}"


def looked_at(synced: Synced | None) -> str:
    """What a look at a company came to. Raises `NotDone` where it failed."""
    if synced is None:
        return "It is saved. Another worker is at the company; its next look goes by it."
    report = synced.report
    match report.outcome.value:
        case "failed":
            raise NotDone(f"The look at the company failed: {report.note}.")
        case "applied":
            return f"Looked at now. Written: {_listed(report.written)}."
        case "held":
            return "Looked at now. A guard holds what is planned: look at it below."
        case "planned":
            return f"Looked at now. Planned: {_listed(report.planned)}."
        case "skipped":
            return "Nothing to look at: no customer of any source is linked."
    return "Looked at now. Everything is as it should be."


def approved(told: Mapping[str, Any]) -> str:
    """What came of an approval, as `inbox.approved` tells it. Raises `NotDone` where something was not written."""
    stale, unknown, note = told["stale"], told["unknown"], told["note"]
    if stale or unknown:
        raise NotDone(
            f"{len(stale) + len(unknown)} of the groups are not what is planned any more, and were not written. "
            "Look at what is planned now, and decide anew."
        )
    if told["outcome"] == "failed":
        raise NotDone(f"The approval is stored, but not all of it could be written: {note}. The next look goes on.")
    return f"Approved. Written: {_listed(told['written'])}."


def undone(told: Mapping[str, Any]) -> str:
    """What came of an undo, as `inbox.undone` tells it. Raises `NotDone` where something is left."""
    refused = [f"{each['bill_item']}: {each['reason']}" for each in told["refused"]]
    left = [*refused, *told["failures"]]
    if told["nothing"]:
        raise NotDone("There is nothing left to undo of this: it is undone already.")
    if left:
        raise NotDone(f"{counted(len(told['undone']), 'group')} undone. Not undone: {'; '.join(left)}.")
    return f"{counted(len(told['undone']), 'group')} undone. The company waits for approvals now."


def read_through(day: str | None) -> str:
    """Until when an agreement is invoiced as TrueUp reads Manage."""
    return f"until {formats.day(day)}, as read in Manage" if day is not None else "as read in Manage, once it can be"


def _listed(counts: Mapping[str, int]) -> str:
    told = [f"{counted(number, 'line')} {WRITTEN.get(kind, kind)}" for kind, number in counts.items()]
    return ", ".join(told) or "nothing"


def counted(number: int, one: str, several: str = "") -> str:
    """`1 line`, `2 lines`; `several` where an s does not make it so."""
    return f"{number} {one if number == 1 else several or f'{one}s'}"
