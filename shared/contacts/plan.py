"""What is to be done so that users become and stay contacts: facts in, changes out, in a fixed order.

Who a user's contact is: the one that was remembered, else the one with the user's mail address, else one with a former
address. A contact that a person made is left alone unless the rules say otherwise; a field of ours that a person
changed is the person's from then on. Nothing is ever deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from shared.billing.contact_rules import ContactRules, Edited, Existing, Left
from shared.contacts.accounts import Account
from shared.contacts.contacts import Contact, Field, digest, plain, same, wanted_of
from shared.contacts.kept import Kept, Kind


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one contact. `before` and `after` by field, of those that are written.

    `name` is the user's; of one who is gone from the directory it is what the contact says.
    """

    kind: Kind
    account: str
    source: str
    customer: str
    name: str = field(repr=False)
    contact: int | None = None
    before: Mapping[Field, str] = field(default_factory=dict, repr=False)
    after: Mapping[Field, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person should know of a user or contact; nothing is written because of it."""

    name: str = field(repr=False)
    text: str = ""
    contact: int | None = None


@dataclass(frozen=True, slots=True)
class ContactPlan:
    """Everything for one company. `held` says why the deactivations wait for a person, "" where they do not.

    `leaving` is the mark of exactly these deactivations, by which a person releases them.
    """

    changes: tuple[Change, ...] = ()
    notes: tuple[Note, ...] = ()
    held: str = ""
    leaving: str = ""

    @property
    def applicable(self) -> tuple[Change, ...]:
        """What may be written."""
        return tuple(each for each in self.changes if not (self.held and each.kind is Kind.DEACTIVATE))


@dataclass(frozen=True, slots=True)
class Directory:
    """One customer's users, read whole: those who are counted as the company's."""

    source: str
    customer: str
    accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class ContactFacts:
    """What a plan is made of. `in_doubt` are accounts whose last write is not known to have happened or not.

    `released` is the mark of deactivations that a person released. Customers that could not be read are not among
    `directories`: of their users nothing is known, and their contacts stay as they are.
    """

    company: int
    rules: ContactRules
    directories: tuple[Directory, ...]
    contacts: tuple[Contact, ...]
    kept: Mapping[str, Kept]
    departments: Collection[str] = ()
    in_doubt: frozenset[str] = frozenset()
    released: str = ""


def plan_contacts(facts: ContactFacts) -> ContactPlan:
    """What is to be done, the same for the same facts in whatever order they come."""
    planner = _Planner(facts)
    for directory in sorted(facts.directories, key=lambda each: (each.source, each.customer)):
        planner.look_at(directory)
    changes = tuple(planner.changes)
    leaving = [change for change in changes if change.kind is Kind.DEACTIVATE]
    mark = mark_of(leaving)
    held = "" if mark == facts.released else _why_held(leaving, facts)
    return ContactPlan(changes, tuple(planner.notes), held, mark)


def is_contact(account: Account, rules: ContactRules) -> bool:
    """Whether a user is one of those who are contacts, but for departments, offices, domains and groups."""
    return (
        bool(account.mail)
        and (account.licensed or not rules.licensed)
        and (account.user.enabled or not rules.enabled)
        and not (rules.members and account.user.guest)
    )


def mark_of(leaving: Sequence[Change]) -> str:
    """The same for the same deactivations; "" for none."""
    named = sorted(f"{change.account}/{change.contact}" for change in leaving)
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:16] if named else ""


def _why_held(leaving: Sequence[Change], facts: ContactFacts) -> str:
    active = {contact.id for contact in facts.contacts if not contact.inactive}
    kept = sum(row.contact in active for row in facts.kept.values())
    if len(leaving) > facts.rules.left_at_once:
        return f"{len(leaving)} contacts would be deactivated at once, more than {facts.rules.left_at_once}"
    if len(leaving) > 1 and len(leaving) * 100 > facts.rules.left_percent * kept:
        return f"{len(leaving)} of {kept} contacts would be deactivated, more than {facts.rules.left_percent} %"
    return ""


def _coming(facts: ContactFacts) -> set[str]:
    """The addresses of contacts that may just be being made."""
    users = (account for directory in facts.directories for account in directory.accounts)
    return {plain(Field.MAIL, account.mail) for account in users if account.user.id in facts.in_doubt}


class _Planner:
    """Goes through the users of one company; a contact is one user's only."""

    def __init__(self, facts: ContactFacts) -> None:
        self.facts = facts
        self.changes: list[Change] = []
        self.notes: list[Note] = []
        self._contacts = {contact.id: contact for contact in facts.contacts}
        self._mails = {mail for contact in facts.contacts for mail in contact.mails} | _coming(facts)
        self._taken = {row.contact for row in facts.kept.values() if row.contact in self._contacts}

    def look_at(self, directory: Directory) -> None:
        """The users of one customer who are contacts, then those who are not any more."""
        rules = self.facts.rules
        users = sorted(directory.accounts, key=lambda one: (one.user.name.casefold(), one.user.id))
        wanted = [account for account in users if self._is_wanted(account)]
        found = {account.user.id: self._found_by_mail(account) for account in wanted}
        for account in wanted:
            if account.user.id not in self.facts.in_doubt:
                self._keep(directory, account, found[account.user.id])
        here = {account.user.id for account in wanted}
        if rules.left is Left.DEACTIVATE and directory.accounts:
            names = {account.user.id: account.user.name for account in users}
            for row in sorted(self.facts.kept.values(), key=lambda one: one.account):
                of_this = (row.source, row.customer) == (directory.source, directory.customer)
                if of_this and row.account not in here | self.facts.in_doubt:
                    self._let_go(row, names.get(row.account, ""))

    def _is_wanted(self, account: Account) -> bool:
        """One of whom it is not told whether the rules take him or her stays what he or she is."""
        if not is_contact(account, self.facts.rules):
            return False
        taken = self.facts.rules.users.among((account.user,))
        row = self.facts.kept.get(account.user.id)
        return row is not None and row.contact is not None if taken is None else bool(taken)

    def _found_by_mail(self, account: Account) -> Contact | None:
        """The contact of a user of whom none is remembered, taken for nobody else from now on."""
        row = self.facts.kept.get(account.user.id)
        if row is not None and row.contact in self._contacts:
            return None
        for mails in ((account.mail,), account.former_mails):
            sought = {plain(Field.MAIL, mail) for mail in mails}
            free = [one for one in self._contacts.values() if one.id not in self._taken and one.mails & sought]
            if free:
                best = min(free, key=lambda one: (one.inactive, one.id))
                self._taken.add(best.id)
                return best
        return None

    def _keep(self, directory: Directory, account: Account, found: Contact | None) -> None:
        row = self.facts.kept.get(account.user.id)
        standing = self._contacts.get(row.contact) if row is not None and row.contact is not None else None
        if row is not None and standing is not None:
            self._keep_ours(directory, account, row, standing)
        elif found is not None:
            self._meet(directory, account, found)
        elif row is not None and row.contact is not None:
            self._note(account.user.name, "a person deleted the contact, or moved it to another company; it stays so")
        elif plain(Field.MAIL, account.mail) in self._mails:
            self._note(account.user.name, "another user's contact has the same mail address; none is made")
        else:
            self._mails.add(plain(Field.MAIL, account.mail))
            self._change(Kind.CREATE, directory, account, None, {}, self._wanted(account))

    def _keep_ours(self, directory: Directory, account: Account, row: Kept, contact: Contact) -> None:
        if contact.inactive and not row.deactivated:
            self._note(account.user.name, "a person deactivated the contact; it stays so", contact)
            return
        said, wanted = contact.says(self.facts.rules), self._wanted(account)
        before, after = {}, {}
        for name, value in wanted.items():
            if self._says(contact, name, value, said):
                continue
            current = said.get(name, "")
            if self._is_ours(row, name, current):
                before[name], after[name] = current, value
            else:
                self._note(account.user.name, f"a person wrote the {name.value}; it stays so", contact)
        if contact.inactive:
            self._change(Kind.REACTIVATE, directory, account, contact, before, after)
        elif after:
            self._change(Kind.UPDATE, directory, account, contact, before, after)

    def _is_ours(self, row: Kept, name: Field, current: str) -> bool:
        """Whether a field says what was last written, or nothing and never was written."""
        if self.facts.rules.edited is Edited.OVERWRITE:
            return True
        wrote = row.wrote.get(name.value)
        return wrote == digest(row.account, name, current) if wrote is not None else not current

    def _meet(self, directory: Directory, account: Account, contact: Contact) -> None:
        """A contact that a person made."""
        if self.facts.rules.existing is Existing.LEAVE:
            return
        if contact.inactive:
            self._note(account.user.name, "a person deactivated the contact; it stays so", contact)
            return
        said = contact.says(self.facts.rules)
        fills = self.facts.rules.existing is Existing.FILL
        wanted = {
            name: value
            for name, value in self._wanted(account).items()
            if not self._says(contact, name, value, said) and not (fills and said.get(name))
        }
        self._change(Kind.ADOPT, directory, account, contact, {name: said.get(name, "") for name in wanted}, wanted)

    def _says(self, contact: Contact, name: Field, value: str, said: Mapping[Field, str]) -> bool:
        """A mail address is there wherever it stands among the contact's."""
        if name is Field.MAIL and plain(name, value) in contact.mails:
            return True
        return same(name, said.get(name, ""), value)

    def _let_go(self, row: Kept, name: str) -> None:
        """The contact of a user who is gone, or not among those who are contacts any more."""
        contact = self._contacts.get(row.contact) if row.contact is not None else None
        if contact is None or contact.inactive:
            return
        name = name or f"{contact.first_name} {contact.last_name}".strip()
        if contact.default:
            self._note(name, "left, but the contact is the company's default one; name another there first", contact)
        elif row.deactivated:
            self._note(name, "left, and a person made the contact active again; it stays so", contact)
        else:
            self.changes.append(Change(Kind.DEACTIVATE, row.account, row.source, row.customer, name, contact.id))

    def _wanted(self, account: Account) -> dict[Field, str]:
        return wanted_of(account, self.facts.rules, self.facts.departments)

    def _change(
        self,
        kind: Kind,
        directory: Directory,
        account: Account,
        contact: Contact | None,
        before: Mapping[Field, str],
        after: Mapping[Field, str],
    ) -> None:
        number = contact.id if contact is not None else None
        of = (directory.source, directory.customer)
        self.changes.append(Change(kind, account.user.id, *of, account.user.name, number, before, after))

    def _note(self, name: str, text: str, contact: Contact | None = None) -> None:
        self.notes.append(Note(name, text, contact.id if contact is not None else None))
