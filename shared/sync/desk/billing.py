"""What a person changes of how one company is billed: not at all, not before a day, again, and in which mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from shared.billing.lines import canonical
from shared.billing.rules import LicenceLink, Mode
from shared.errors import Busy, Gone, Retryable
from shared.rules.editing import Edit, Section
from shared.state.companies import CompanyRow
from shared.sync.approvals import Person, new_run, sign
from shared.sync.company import Order, Synced, sync_company
from shared.sync.ports import Ports
from shared.sync.rule_edits import edit_rules
from shared.sync.verdicts import record_note


@dataclass(frozen=True, slots=True)
class Sold:
    """What a company's licence link is for: a SKU, at one customer of several where `customer` is given."""

    source: str
    sku: str
    customer: str | None = None
    part: str | None = None

    @property
    def key(self) -> Mapping[str, Any]:
        return {"source": self.source, "sku": self.sku, "customer": self.customer, "part": self.part}

    def __str__(self) -> str:
        return "/".join(name for name in (self.source, self.customer, self.sku, self.part) if name)


def do_not_bill(ports: Ports, company: int, sold: Sold, until: date | None, person: Person) -> Synced | None:
    """From now on it is not billed to the company: before the day `until`, or never.

    Its lines end or are lowered as the plan then says. Gives what the look at the company came to, None where another
    worker is at it: then the next look goes by what was saved. Raises `EditProblem` (a `Misconfigured`) where the rules
    would not be sound with it, and `Gone` for a company that is not known.
    """
    told = f"is not billed before {until.isoformat()}" if until is not None else "is not billed"
    fields = {**sold.key, "do_not_bill": until is None, "do_not_bill_until": until.isoformat() if until else None}
    return _changed(ports, company, Edit(Section.LICENCES, fields, company), f"{sold} {told}", person)


def bill_again(ports: Ports, company: int, sold: Sold, person: Person) -> Synced | None:
    """What `do_not_bill` said does not hold any more; the company's other choices for it stay. Gives what that does."""
    fields = {**sold.key, "do_not_bill": False, "do_not_bill_until": None}
    edit = Edit(Section.LICENCES, fields, company, drop=_says_nothing_else(ports, company, sold))
    return _changed(ports, company, edit, f"{sold} is billed again", person)


def change_mode(ports: Ports, company: int, mode: Mode, person: Person) -> None:
    """Puts a company into a mode, on purpose: also where an undo has made it more careful. Raises `Gone`."""
    known(ports, company)
    edit_rules(ports, [Edit(Section.COMPANIES, {"company": company, "mode": mode.value})], person)
    _noted(ports, company, f"mode {mode.value}", person)


def _changed(ports: Ports, company: int, edit: Edit, told: str, person: Person) -> Synced | None:
    known(ports, company)
    edit_rules(ports, [edit], person)
    return look_again(ports, company, told, person)


def look_again(ports: Ports, company: int, told: str, person: Person) -> Synced | None:
    """Notes in the company's history what was decided, and looks at it with that. None: another worker is at it.

    What was decided stands in the rules by then: a failure says so.
    """
    try:
        run = _noted(ports, company, told, person)
        return sync_company(ports, Order(company, run, run, actor=person.name, live=True))
    except Busy:
        return None
    except Retryable as error:
        raise Retryable(
            f"it is saved, but the company could not be looked at with it: {error.message}",
            system=error.system,
            request_id=error.request_id,
            remedy="Nothing to save again: the next look at the company goes by it.",
        ) from error


def _noted(ports: Ports, company: int, told: str, person: Person) -> str:
    """What was decided, in the company's own history; gives the run under which it stands there."""
    run = new_run(ports, "choice")
    record_note(ports, company, run, sign(ports, person), told)
    return run


def _says_nothing_else(ports: Ports, company: int, sold: Sold) -> bool:
    """Whether the company's licence link is there only to say that it is not billed."""
    wanted = {name: canonical(value or "") for name, value in sold.key.items()}
    for link in ports.company_state.own_rules(company).licences:
        if {name: canonical(getattr(link, name) or "") for name in wanted} == wanted:
            asked = replace(link, do_not_bill=False, do_not_bill_until=None)
            return asked == LicenceLink(link.source, link.sku, link.customer, part=link.part)
    return False


def known(ports: Ports, company: int) -> CompanyRow:
    """The company. Raises `Gone` for one that is not known."""
    row = ports.companies.get(company)
    if row is None:
        raise Gone(f"company {company} is not known", remedy="Add the company to the rules and import them.")
    return row
