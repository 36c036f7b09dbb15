"""A person undoes what a run wrote to one company, or to one of its bill items."""

from __future__ import annotations

from collections.abc import Collection

from shared.clock import business_date
from shared.state.records import UndoAsked
from shared.sync.approvals import Person, known_and_not_observed, new_run, not_observed, sign
from shared.sync.due import looked_at_after_a_death
from shared.sync.observe import company_rules
from shared.sync.overview import after_undo
from shared.sync.ports import Ports
from shared.sync.undoing import Undone, carry_out
from shared.sync.unfinished import finish_edit


def undo(
    ports: Ports,
    company: int,
    run: str,
    person: Person,
    *,
    bill_item: str | None = None,
    confirmed: Collection[str] = (),
) -> Undone:
    """Undoes a run's writes to a company (or one bill item of it), as far as nothing has come on top of them.

    What a guard holds is undone only when its hash is among `confirmed`. Raises `Busy`, `Gone` for a company or a run
    that is not known there, `Refused` when the company is only observed or the run too old, and what Manage's client
    raises.
    """
    ports.own_manage.hold()
    finish_edit(ports)  # else the mode that it says would come after the more careful one of the undo
    known_and_not_observed(ports, company)
    own_run = new_run(ports, "undo")
    lease = ports.companies.take_lease(company, own_run, ports.limits.lease, ports.clock.now(), run=own_run)
    counts, summary = None, None
    try:
        not_observed(lease.company)
        asked = UndoAsked(run, own_run, sign(ports, person), bill_item, tuple(sorted(set(confirmed))))
        with ports.manage.deadline(ports.limits.company_deadline), looked_at_after_a_death(ports, company):
            undone = carry_out(ports, lease, ports.company_state.load(company), asked)
        state = ports.company_state.load(company)
        own = company_rules(lease.company, state)
        counts = state.to_decide
        summary = after_undo(lease.company.summary, state.overview, business_date(ports.clock), own.billed_through)
        return undone
    finally:
        ports.companies.release(lease, outcome=None, run=own_run, now=ports.clock.now(), groups=counts, summary=summary)
