"""A sync on demand: one company at once, several or all as a run."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from shared.billing.rules import Mode
from shared.clock import business_date
from shared.errors import Gone
from shared.sync.company import Order, Synced, sync_company
from shared.sync.lanes import DEMAND, start_run
from shared.sync.ports import Ports


def sync_now(ports: Ports, company: int, mode: Mode | None, actor: str) -> Synced:
    """Syncs one company inline, under the same lease as every worker. Raises `Busy` or `Gone`."""
    run = _new_run(ports)
    return sync_company(ports, Order(company, run, run, mode, actor=actor, live=True))


def sync_in_run(ports: Ports, companies: Sequence[int] | None, mode: Mode | None) -> str:
    """Starts a run over these companies (None: every linked one) and answers its id. Raises `Gone` for unknown ones."""
    known = {company.id: company for company in ports.companies.all()}
    unknown = sorted(set(companies or ()) - known.keys())
    if unknown:
        raise Gone(
            f"companies {', '.join(map(str, unknown))} are not known",
            remedy="Add them to the rules and import these again.",
        )
    wanted = companies if companies is not None else [company.id for company in known.values() if company.links]
    run = _new_run(ports)
    start_run(ports, run, DEMAND, sorted(set(wanted)), mode)
    return run


def _new_run(ports: Ports) -> str:
    return f"{business_date(ports.clock).isoformat()}-demand-{uuid4().hex[:8]}"
