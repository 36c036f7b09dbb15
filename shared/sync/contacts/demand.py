"""What a person does about the contacts of one company: has them kept now, and releases what a guard holds."""

from __future__ import annotations

from shared.billing.contact_rules import ContactMode
from shared.errors import Refused
from shared.state.contacts import Released
from shared.sync.approvals import Person, new_run, sign
from shared.sync.company import Order, Synced
from shared.sync.contacts.look import look_at
from shared.sync.contacts.sync import CONTACTS, sync_contacts
from shared.sync.ports import Ports


def sync_now(ports: Ports, company: int, person: Person) -> Synced:
    """Keeps the contacts of one company at once, on behalf of a person. Raises as `sync_contacts` does."""
    run = new_run(ports, CONTACTS)
    return sync_contacts(ports, Order(company, run, run, actor=person.name, signed=sign(ports, person)))


def release(ports: Ports, company: int, mark: str, person: Person) -> Synced:
    """Releases exactly the deactivations that were shown, and carries them out. Raises `Refused` for any others."""
    look = look_at(ports, company)
    if look.mode is not ContactMode.AUTO:
        raise Refused(
            f"contacts of company {company} are not written, only observed at most",
            remedy="Give the company the mode auto under contacts in the rules.",
        )
    if look.plan.leaving != mark:
        raise Refused(
            "what was shown is not what would be deactivated now",
            remedy="Look at the contacts again, and release what is shown then.",
        )
    ports.contact_rows.release(company, Released(mark, sign(ports, person)))
    return sync_now(ports, company, person)
