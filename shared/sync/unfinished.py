"""An edit of the rules that a worker left unfinished: whoever comes next finishes it; until then nothing is written.

Part of an edit would bill what neither the old rules nor the new ones bill: a price without the exception that was made
beside it, or a customer whose link has left one company and not reached the other. So every edit is stored whole before
any of it is in force (`shared.state.edits`), and what it makes of companies may be put in force by several workers at
once, also late: what a later edit has made stays.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from shared.billing.findings import Finding, FindingKind
from shared.billing.rules import Remit
from shared.errors import Refused, Retryable, TrueUpError
from shared.state.company_state import MSP
from shared.state.edits import Unfinished
from shared.state.rows import Changed
from shared.state.rules import Head
from shared.sync.msp import settle
from shared.sync.ports import Ports

log = logging.getLogger(__name__)

#: How often it is looked again after somebody else has finished the edit meanwhile.
_TRIES = 3
#: The note of a company that was not written because of it.
ONLY_PLANNED = "only planned: a change of the rules is not in force for every company"


class InForceInPart(Refused):
    """An edit is in force for part of the companies only: for those `left` it cannot be."""

    def __init__(self, edition: int, left: Sequence[str]) -> None:
        super().__init__(_told(edition, left), system="rules", remedy=_REMEDY)
        self.edition = edition

    def told_to(self, remit: Remit) -> Refused:
        """The same for somebody who is told of some companies only: which ones it waits for is not said."""
        if not remit.is_limited:
            return self
        return Refused(_told_of_none(self.edition), system="rules", remedy="Ask an administrator what it waits for.")


@dataclass(frozen=True, slots=True)
class InForce:
    """The rules in force. `left` says for which companies an edit cannot be put in force, and why; mostly none."""

    head: Head
    left: tuple[str, ...] = ()

    def checked(self) -> Head:
        """The head. Raises `InForceInPart` while an edit is in force for part of the companies only."""
        if self.left:
            raise InForceInPart(self.head.edition, self.left)
        return self.head


def finish_edit(ports: Ports) -> InForce:
    """Puts an edit in force that is not yet, for every company, and answers what is in force then.

    One round trip where there is none. What cannot be put in force is a finding of the MSP's until it can. Raises what
    the store raises when it does not answer: then it is not known whether an edit is unfinished.
    """
    for _ in range(_TRIES):
        head = ports.rules.head()
        if head.unfinished is None:
            return InForce(head)
        try:
            left = _put_in_force(ports, head.unfinished)
        except Changed:
            continue
        settle(ports, _is_ours, [_finding(head.edition, left)] if left else [])
        if left:
            return InForce(head, left)
        log.info("edition %s of the rules is in force for every company", head.edition)
    head = ports.rules.head()
    if head.unfinished is not None:
        raise Retryable(f"edition {head.edition} of the rules is just being put in force", system="rules")
    return InForce(head)


def edition_before_reading(ports: Ports) -> int:
    """The edition for a form that is filled with rules read after this: what others change meanwhile is newer.

    While an edit is not in force for every company it is the one before: what is read may be without it, and a form
    made of that must not take the edit back.
    """
    head = ports.rules.head()
    return head.edition - (head.unfinished is not None)


def why_nothing_is_written(ports: Ports) -> str | None:
    """What a person should know of an edit that is not in force for every company; None where there is none.

    Whom the rules limit to some companies is not told which ones it waits for. Changes nothing.
    """
    edit = ports.rules.head().unfinished
    if edit is None:
        return None
    open_ = ports.company_state.load(MSP).findings.get((FindingKind.RULES_UNFINISHED.value, _KEY))
    if open_ is None:
        return f"Edition {edit.edition} of the rules is just being put in force. Nothing is written until it is."
    if not ports.runs.sees_all:
        return f"{_told_of_none(edit.edition)} Nothing is written until it is."
    return f"{open_.finding.text} {open_.finding.remedy}"


def _put_in_force(ports: Ports, edit: Unfinished) -> tuple[str, ...]:
    """Stores what the edit makes of companies, and that it is done; answers what could not be stored."""
    standing = {row.id: row.rules_edition for row in ports.companies.all()}
    left = []
    for each in ports.rules.companies(edit):
        if standing.get(each.rules.company, 0) >= edit.edition:
            continue
        try:
            ports.companies.put_rules(
                each.rules, each.sharing, keep_mode=each.keep_mode, version=each.version, edition=each.edition
            )
        except Retryable:
            raise
        except TrueUpError as error:
            left.append(f"company {each.rules.company}: {error}. {error.remedy}".strip())
    if not left:
        ports.rules.finish(edit)
    return tuple(left)


def _is_ours(key: tuple[str, str]) -> bool:
    return key[0] == FindingKind.RULES_UNFINISHED


_KEY = "rules"
_REMEDY = "Correct what it says. It is tried again by itself at every look and every two minutes."


def _finding(edition: int, left: Sequence[str]) -> Finding:
    return Finding(FindingKind.RULES_UNFINISHED, _KEY, f"{_told(edition, left)} Nothing is written.", _REMEDY)


def _told_of_none(edition: int) -> str:
    return f"Edition {edition} of the rules is not in force for every company."


def _told(edition: int, left: Sequence[str]) -> str:
    return f"The change of the rules that made edition {edition} is not in force for every company: {'; '.join(left)}"
