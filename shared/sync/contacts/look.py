"""What is the case with a company's contacts, and what is to be done: read now, in Manage and in the directories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.billing.contact_rules import ContactMode, ContactRules
from shared.contacts.accounts import Account
from shared.contacts.kept import Kept, Resolved, resolve
from shared.contacts.plan import ContactFacts, ContactPlan, Directory, plan_contacts
from shared.errors import Gone
from shared.state.companies import CompanyRow
from shared.sync.accounts import Told, links_of, told_of
from shared.sync.ports import Ports


@dataclass(frozen=True, slots=True)
class Look:
    """One company. `kept` is what is remembered once what became of begun writes is known (`resolved`).

    `directories` are the customers whose users were read, `unread` those whose could not be: nothing is done about
    these. `released` is the mark of the deactivations that a person released last.
    """

    company: int
    name: str
    mode: ContactMode
    rules: ContactRules
    plan: ContactPlan = field(default_factory=ContactPlan)
    kept: Mapping[str, Kept] = field(default_factory=dict)
    directories: tuple[Directory, ...] = ()
    resolved: Resolved = field(default_factory=Resolved)
    unread: tuple[Told, ...] = ()
    released: str = ""


def look_at(ports: Ports, company: int) -> Look:
    """What is planned for a company that has contacts kept; nothing is asked where the rules say that it has none.

    Raises `Gone` for a company that is not known, and what Manage raises.
    """
    row = ports.companies.get(company)
    if row is None:
        raise Gone(f"company {company} is not known", remedy="Add the company to the rules and import them.")
    rules = ports.rules.load().contacts
    mode = rules.mode_of(company)
    if mode is ContactMode.NONE:
        return Look(company, row.name, mode, rules)
    contacts = tuple(ports.contacts.of_company(company))
    stored = ports.contact_rows.of(company)
    resolved = resolve(stored, contacts, rules, lambda begun: _settles_in(ports, begun))
    kept = {**stored, **{row.account: row for row in resolved.rows}}
    told = _told(ports, row, rules)
    directories = _directories(told)
    has_departments = any(account.user.department for each in directories for account in each.accounts)
    released = ports.contact_rows.released(company)
    facts = ContactFacts(
        company,
        rules,
        directories,
        contacts,
        kept,
        ports.contacts.departments() if has_departments else (),
        resolved.in_doubt,
        released,
    )
    unread = tuple(one for one in told if one.error is not None)
    return Look(company, row.name, mode, rules, plan_contacts(facts), kept, directories, resolved, unread, released)


def _told(ports: Ports, row: CompanyRow, rules: ContactRules) -> list[Told]:
    links = links_of(ports, row)
    return [told_of(ports, row, link, groups=rules.users.groups, sign_ins=False) for link in links]


def _directories(told: Sequence[Told]) -> tuple[Directory, ...]:
    """The customers that were read, each once, however many links lead to it: who is not in one may be in the other."""
    unread = {(one.source, one.customer) for one in told if one.error is not None}
    users: dict[tuple[str, str], dict[str, Account]] = {}
    for one in told:
        if (one.source, one.customer) not in unread:
            found = users.setdefault((one.source, one.customer), {})
            found.update({account.user.id: account for account in one.accounts.rows})
    return tuple(Directory(*customer, tuple(found.values())) for customer, found in users.items())


def _settles_in(ports: Ports, begun: datetime) -> float:
    """Seconds until the effect of a write that is not to be seen can be taken for never coming."""
    settled = begun + timedelta(seconds=ports.limits.settling)
    return max((settled - ports.clock.now()).total_seconds(), 0)
