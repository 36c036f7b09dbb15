"""What the API tells: runs, companies and the state of the whole, as JSON-shaped values.

Money and quantities are JSON numbers in the agreement's currency and the SKU's units; times are ISO 8601, UTC.
The text on an invoice may name the customer's users: it is told to signed-in people only (`texts`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime

from shared.billing.lines import LineValues
from shared.billing.planning.plan import Change, Group
from shared.errors import Gone
from shared.state.companies import CompanyRow
from shared.state.company_state import MSP, CompanyState
from shared.state.records import ChoiceMade, CompanyReport, OpenFinding, Signature, UndoAsked
from shared.state.runs import RunHeader, RunRow
from shared.sync.choices import offered
from shared.sync.company import Synced
from shared.sync.decisions import decision_about, groups_shown
from shared.sync.poison import shown
from shared.sync.ports import Ports
from shared.sync.shapes import plans
from shared.sync.shapes import runs as runs_
from shared.sync.shapes.machines import PoisonMessages
from shared.sync.unfinished import why_nothing_is_written
from shared.version import running_version

#: As many runs as the list of runs shows.
_NEWEST = 50
#: What is told of all companies of a run to whom the rules limit to some.
_UNTOLD: runs_.Totals = {"companies": None, "outcomes": None, "written": None, "calls": None}
#: The field of an addition that may name users.
_TEXT = "invoice_description"


def status(ports: Ports) -> runs_.Status:
    """Last night, open runs, findings by kind (those of the last night's companies and the MSP's own), what waits.

    `nothing_written` says why nothing is written at present, null where it is. `callbacks` has the companies
    that are due because of one, and what became of those of the last days.
    """
    poison, heard = ports.poison.all(), ports.callbacks.counts()
    headers = ports.runs.headers(_NEWEST)
    last = next((header for header in headers if header.kind == "nightly" and header.ended is not None), None)
    findings = Counter(open_.finding.kind.value for open_ in ports.company_state.load(MSP).findings.values())
    if last is not None:
        for row in ports.runs.rows(last.id):
            findings.update(row.report.findings if row.report is not None else {})
    return {
        "last_night": _run(last) if last is not None else None,
        "open_runs": [_run(header) for header in ports.runs.open_headers()],
        "findings": dict(sorted(findings.items())),
        "nothing_written": ports.own_manage.problem() or why_nothing_is_written(ports),
        "poison": {"count": len(poison), "oldest": _time(poison[0].since) if poison else None},
        "callbacks": {"due": len(ports.due.all()), "heard": {what.value: times for what, times in heard.items()}},
        "sources": sorted(ports.sources),
        "version": running_version(),
    }


def runs(ports: Ports) -> runs_.Runs:
    """The newest runs, the last one first. Totals are null for whom the rules limit to some companies: see the run."""
    told = [_run(header) for header in ports.runs.headers(_NEWEST)]
    return {"runs": told if ports.runs.sees_all else [{**run, **_UNTOLD} for run in told]}


def run(ports: Ports, run_id: str) -> runs_.RunWithRows:
    """One run with a row per company, and totals over these rows. Raises `Gone` for an unknown id."""
    header = ports.runs.header(run_id)
    if header is None:
        raise Gone(f"there is no run {run_id}", remedy="GET /api/runs lists the newest runs.")
    names = {row.id: row.name for row in ports.companies.all()}
    rows = ports.runs.rows(run_id)
    told = _run(header)
    told = told if ports.runs.sees_all else {**told, **_totals(rows)}
    return {**told, "rows": [_row(row, names.get(row.company, "")) for row in rows]}


def poison(ports: Ports) -> PoisonMessages:
    """The messages that nobody could work on, the oldest first."""
    return {
        "messages": [
            {"id": each.id, "since": each.since.isoformat(), "times": each.times, "text": shown(each.text)}
            for each in ports.poison.all()
        ]
    }


def company(ports: Ports, company_id: int, *, texts: bool = False) -> plans.CompanyPlan:
    """One company with its waiting plan and open findings. Raises `Gone` for an unknown id."""
    row = ports.companies.get(company_id)
    if row is None:
        raise Gone(f"company {company_id} is not known", remedy="Add the company to the rules and import them.")
    return company_of(row, ports.company_state.load(company_id), texts=texts)


def company_of(row: CompanyRow, state: CompanyState, *, texts: bool = False) -> plans.CompanyPlan:
    """A company that was read already."""
    return {
        "id": row.id,
        "name": row.name,
        "mode": row.mode.value,
        "outcome": row.last_outcome,
        "last_run": row.last_run,
        "last_at": _time(row.last_at),
        "plan": {"groups": [shown_group(each, state, texts=texts) for each in groups_shown(state)]},
        "undoes": [undo(state.undoes[key]) for key in sorted(state.undoes)],
        "choices": [_choice(state.choices[subject]) for subject in sorted(state.choices)],
        "findings": [finding(state.findings[key]) for key in sorted(state.findings)],
    }


def synced(result: Synced, *, texts: bool = False) -> plans.Synced:
    """The outcome of one sync with what it planned; `again_in`: seconds until it is worth asking for another one."""
    return {**look(result, texts=texts), "stale": result.report.stale}


def look(result: Synced, *, texts: bool = False) -> plans.Look:
    """The same without how many approvals were stale."""
    groups = result.plan.groups if result.plan is not None else ()
    plan: plans.Groups = {"groups": [group(each, texts=texts) for each in groups]}
    return {**_outcome(result.report), "again_in": result.again_in, "plan": plan}


def _run(header: RunHeader) -> runs_.Run:
    return {
        "id": header.id,
        "kind": header.kind,
        "mode": header.mode,
        "started": header.started.isoformat(),
        "ended": _time(header.ended),
        "seconds": (header.ended - header.started).total_seconds() if header.ended is not None else None,
        "companies": header.companies,
        "outcomes": header.outcomes,
        "written": header.written,
        "calls": header.calls,
        "note": header.note,
    }


def _totals(rows: Sequence[RunRow]) -> runs_.Totals:
    """What the header tells of all rows, of those that somebody may see."""
    reports = [row.report for row in rows if row.report is not None]
    return {
        "companies": len(rows),
        "outcomes": dict(sorted(Counter(report.outcome.value for report in reports).items())),
        "written": dict(sorted(sum((Counter(report.written) for report in reports), Counter()).items())),
        "calls": sum(sum(report.calls.values()) for report in reports),
    }


def _row(row: RunRow, name: str) -> runs_.RunRow:
    told: runs_.RunRow = {
        "company": row.company,
        "name": name,
        "stage": row.stage.value,
        "attempts": row.attempts,
        "outcome": None,
    }
    if row.report is None:
        return told
    return {**told, **_outcome(row.report), "stale": row.report.stale}


def _outcome(report: CompanyReport) -> plans.Outcome:
    return {
        "company": report.company,
        "outcome": report.outcome.value,
        "note": report.note,
        "planned": report.planned,
        "written": report.written,
        "findings": report.findings,
        "monthly_delta": float(report.monthly_delta),
        "seconds": report.seconds,
        "calls": report.calls,
        "waiting": report.waiting,
    }


def group(group: Group, *, texts: bool = False) -> plans.Group:
    """A group as it is planned."""
    return {
        "hash": group.hash,
        "bill_item": group.bill_item,
        "kind": group.kind.value,
        "held": group.held,
        "guard": group.guard.value if group.guard is not None else None,
        "monthly": float(group.monthly),
        "one_off": float(group.one_off),
        "changes": [change(each, texts=texts) for each in group.changes],
    }


def shown_group(shown: Group, state: CompanyState, *, texts: bool = False) -> plans.ShownGroup:
    """The same, and whether it waits, was decided about, or is only planned."""
    return {**group(shown, texts=texts), "currency": _currency(shown, state), **_standing(shown, state)}


def _currency(group: Group, state: CompanyState) -> str:
    """What its agreement is billed in; empty where Manage does not say, or nobody has looked since that is kept."""
    agreement = group.changes[0].key.agreement
    return next((one.currency or "" for one in state.overview.agreements if one.id == agreement), "")


def _standing(group: Group, state: CompanyState) -> plans.Standing:
    """`waiting` since when (`expired`: when it had waited too long before), `rejected` or `approved` by whom.

    `written` counts the changes of what was approved that are written already: its worker died before the rest.
    """
    waiting, decision = state.waiting.get(group.hash), decision_about(state.decisions, group)
    if decision is not None:
        signed = decision.signed
        by: plans.Decision = {**_signed(signed), "why": decision.why}
        return {"state": decision.verdict.value, "decision": by, "written": len(decision.written)}
    if waiting is not None:
        return {"state": "waiting", "since": waiting.since.isoformat(), "expired": _time(waiting.expired)}
    return {"state": "planned"}


def change(change: Change, *, texts: bool = False) -> plans.Change:
    """A change with its values before and after; `text_changes` says whether the text on the invoice is another one."""
    return {
        "kind": change.kind.value,
        "agreement": change.key.agreement,
        "addition": change.addition,
        "product": change.product,
        "before": _values(change.before, texts),
        "after": _values(change.after, texts),
        "text_changes": _TEXT in change.fields(),
        "reason": change.reason,
        "sentence": change.sentence,
        "monthly": float(change.monthly),
        "one_off": float(change.one_off),
    }


def _values(values: LineValues | None, texts: bool) -> plans.Values | None:
    if values is None:
        return None
    told: plans.Values = {
        "product_id": values.product_id,
        "quantity": float(values.quantity),
        "unit_price": float(values.unit_price),
        "effective_date": _day(values.effective_date),
        "cancelled_date": _day(values.cancelled_date),
        "serial_number": values.serial_number,
        "bill_customer": values.bill_customer,
        "taxable_flag": values.taxable_flag,
        "unit_cost": float(values.unit_cost) if values.unit_cost is not None else None,
    }
    return {**told, "invoice_description": values.invoice_description} if texts else told


def _choice(made: ChoiceMade) -> plans.Choice:
    choice = made.choice
    return {
        "kind": choice.kind.value,
        "subject": choice.subject,
        "additions": list(choice.additions),
        **_signed(made.signed),
    }


def undo(asked: UndoAsked) -> plans.Undo:
    """An undo that was begun and has not ended: the next look at the company goes on with it."""
    return {"run": asked.run, "bill_item": asked.bill_item, **_signed(asked.signed)}


def _signed(signed: Signature) -> plans.Signed:
    return {"by": signed.by, "at": signed.at.isoformat(), "origin": signed.origin}


def finding(open_: OpenFinding) -> plans.Finding:
    """An open finding with what a person can choose about it."""
    told = open_.finding
    return {
        "kind": told.kind.value,
        "key": told.key,
        "text": told.text,
        "remedy": told.remedy,
        "choices": [kind.value for kind in offered(told.kind, told.key)],
        "opened": open_.opened.isoformat(),
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
