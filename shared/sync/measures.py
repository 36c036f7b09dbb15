"""What is measured, as lines of the log: each a name and one JSON object. infra/workbook.json asks for them.

Lines of the log arrive wherever logs go and are never sampled, so sums over them are whole. They hold ids and numbers,
never a name or a secret. Money is in the currency of its agreement.
"""

from __future__ import annotations

import json
import logging

from shared.state.records import CompanyReport, HistoryEntry
from shared.state.run_headers import RunHeader

log = logging.getLogger(__name__)


def measure_write(company: int, entry: HistoryEntry) -> None:
    """One change that reached Manage: what it adds to each invoice from then on, and what it bills once."""
    change = entry.change
    if change is not None:
        _line(
            "write",
            run=entry.run,
            company=company,
            agreement=change.key.agreement,
            addition=entry.addition,
            kind=change.kind.value,
            bill_item=change.key.bill_item,
            monthly=float(change.monthly),
            one_off=float(change.one_off),
            request=entry.request_id,
        )


def measure_company(run: str, report: CompanyReport) -> None:
    """One look at a company: how it ended, its calls by system, and how long it took, in seconds."""
    _line(
        "company",
        run=run,
        company=report.company,
        outcome=report.outcome.value,
        seconds=report.seconds,
        calls=report.calls,
        planned=report.planned,
        written=report.written,
        findings=report.findings,
        waiting=report.waiting,
    )


def measure_run(header: RunHeader) -> None:
    """One run that has ended: its companies by outcome, what it wrote, its calls, and how long it took, in seconds."""
    assert header.ended is not None
    _line(
        "run",
        run=header.id,
        kind=header.kind,
        companies=header.companies,
        outcomes=header.outcomes,
        written=header.written,
        calls=header.calls,
        seconds=round((header.ended - header.started).total_seconds(), 3),
    )


def _line(name: str, **measured: object) -> None:
    log.info("measured %s %s", name, json.dumps(measured, sort_keys=True))
