"""A person chooses about a line that TrueUp leaves alone; the choice is stored, and the company looked at with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shared.billing.findings import FindingKind
from shared.billing.lines import LineValues, canonical
from shared.billing.planning.choices import (
    ABOUT_EDITS,
    ABOUT_OTHERS,
    Choice,
    ChoiceKind,
    agreement_of_subject,
    can_be_settled,
    subject_of,
    subject_of_stray,
)
from shared.errors import Gone, Refused
from shared.state.company_state import CompanyState, Put, StateKind
from shared.state.records import ChoiceMade
from shared.sync.approvals import Person, new_run, sign
from shared.sync.company import Order, Synced, sync_company
from shared.sync.ports import Ports
from shared.sync.verdicts import record_note

#: What can be chosen where one of these findings is open.
_OFFERED: Mapping[FindingKind, tuple[ChoiceKind, ...]] = {
    FindingKind.DRIFT: (ChoiceKind.RESTORE, ChoiceKind.ACCEPT),
    FindingKind.PAUSED: (ChoiceKind.RESUME, ChoiceKind.STOP),
    FindingKind.BLOCKED_CREATE: (ChoiceKind.ADOPT, ChoiceKind.END_OTHER, ChoiceKind.CREATE_ANYWAY),
    FindingKind.CANDIDATES: (ChoiceKind.ADOPT, ChoiceKind.END_OTHER, ChoiceKind.CREATE_ANYWAY),
    FindingKind.STRAY: (ChoiceKind.IGNORE,),
    FindingKind.CURRENCY: (ChoiceKind.CONFIRM,),
    FindingKind.UNBILLED: (ChoiceKind.SETTLE,),
}


def can_be_chosen_about(finding: FindingKind) -> bool:
    """Whether findings of a kind may offer a choice."""
    return finding in _OFFERED


def offered(finding: FindingKind, key: str) -> tuple[ChoiceKind, ...]:
    """What can be chosen about an open finding; of a currency only whether an agreement is billed in it, and of what
    is not billed only of an item as a whole.
    """
    if finding is FindingKind.CURRENCY and agreement_of_subject(key) is None:
        return ()
    if finding is FindingKind.UNBILLED and not can_be_settled(key):
        return ()
    return _OFFERED.get(finding, ())


def choose(
    ports: Ports,
    company: int,
    kind: ChoiceKind,
    person: Person,
    *,
    bill_item: str = "",
    additions: Collection[int] = (),
) -> Synced:
    """Stores the choice and syncs the company with it: what it leads to is planned, and waits or is written.

    `bill_item` is the item of the finding, or its key where it is about an agreement or usage; `additions` the
    other lines that it is about, or the stray to ignore.
    Raises `Busy`, `Gone` for a company that is not known, and `Refused` where there is nothing to choose like this.
    """
    if ports.companies.get(company) is None:
        raise Gone(f"company {company} is not known", remedy="Add the company to the rules and import them.")
    run = new_run(ports, "choice")
    lease = ports.companies.take_lease(company, run, ports.limits.lease, ports.clock.now(), run=run)
    try:
        with ports.manage.deadline(ports.limits.company_deadline):
            state = ports.company_state.load(company)
            choice = _choice(ports, company, state, kind, bill_item, tuple(sorted(set(additions))))
            signed = sign(ports, person)
            made = Put(StateKind.CHOICE, choice.subject, ChoiceMade(choice, signed))
            record_note(ports, company, run, signed, _told(choice), [made])
    finally:
        ports.companies.release(lease, outcome=None, run=run, now=ports.clock.now())
    return sync_company(ports, Order(company, run, run, actor=person.name, live=True))


def _choice(
    ports: Ports, company: int, state: CompanyState, kind: ChoiceKind, bill_item: str, additions: tuple[int, ...]
) -> Choice:
    item = subject_of(bill_item)
    if kind is ChoiceKind.IGNORE:
        if len(additions) != 1 or (FindingKind.STRAY.value, subject_of_stray(additions[0])) not in state.findings:
            raise _nothing_to_choose(kind, "name the one addition of an open finding `stray`")
        return Choice(kind, subject_of_stray(additions[0]), additions)
    if not item or not _is_open(state, kind, item):
        raise _nothing_to_choose(kind, "name the bill item of an open finding that offers it")
    if kind is ChoiceKind.CONFIRM:
        return Choice(kind, item, currency=_currency(ports, company, item))
    if kind in ABOUT_EDITS:
        return Choice(kind, item, seen=_edited(ports, state, item))
    if kind in ABOUT_OTHERS:
        if not additions or (kind is ChoiceKind.ADOPT and len(additions) != 1):
            raise _nothing_to_choose(kind, "name the additions that it is about, for adopt exactly one")
        return Choice(kind, item, additions)
    return Choice(kind, item)


def _currency(ports: Ports, company: int, subject: str) -> str:
    """What the agreement is billed in now: the choice holds for exactly this."""
    wanted = agreement_of_subject(subject)
    found = next((agreement for agreement in ports.manage.agreements(company) if agreement.id == wanted), None)
    if found is None:
        raise _nothing_to_choose(ChoiceKind.CONFIRM, "the agreement is not there any more")
    return found.currency or ""


def _is_open(state: CompanyState, kind: ChoiceKind, item: str) -> bool:
    """Whether a finding about the item offers this; what was stopped is resumed without one."""
    about = [each for each, key in state.findings if key == item]
    made = state.choices.get(item)
    stopped = made is not None and made.choice.kind is ChoiceKind.STOP
    return any(kind in offered(FindingKind(each), item) for each in about) or (kind is ChoiceKind.RESUME and stopped)


def _edited(ports: Ports, state: CompanyState, item: str) -> dict[int, LineValues]:
    """What the item's lines say now where that is not what TrueUp wrote: the choice holds for exactly this."""
    rows = [row for row in state.ledger.values() if canonical(row.key.bill_item) == item]
    lines = {
        (number, line.id): LineValues.of(line)
        for number in sorted({row.key.agreement for row in rows})
        for line in ports.manage.additions(number)
    }
    now = {row.addition_id: lines.get((row.key.agreement, row.addition_id), row.values) for row in rows}
    seen = {row.addition_id: now[row.addition_id] for row in rows if now[row.addition_id] != row.values}
    if not seen:
        raise _nothing_to_choose(ChoiceKind.RESTORE, "the lines say what TrueUp wrote by now")
    return seen


def _told(choice: Choice) -> str:
    about = f" (additions {', '.join(map(str, choice.additions))})" if choice.additions else ""
    about += f" ({choice.currency or 'no currency'})" if choice.kind is ChoiceKind.CONFIRM else ""
    return f"chose {choice.kind.value} for {choice.subject}{about}"


def _nothing_to_choose(kind: ChoiceKind, why: str) -> Refused:
    return Refused(f"{kind.value} cannot be chosen here: {why}", remedy="GET the company for its open findings.")
