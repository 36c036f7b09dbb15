"""One ticket in Manage for each finding: opened once, noted, closed when it heals, opened again when it comes back.

What should stand is written down first, then done step by step (`ticket_desk`), and each step follows from what stands.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.billing.findings import Finding, FindingKind
from shared.billing.subscribers import Subscriber, TicketRule
from shared.errors import OutcomeUnknown, Refused, TrueUpError
from shared.notices.languages import ENGLISH, sentence_in
from shared.notices.looking import Looks
from shared.notices.picture import Open
from shared.notices.ports import NoticePorts
from shared.notices.ticket_desk import HEALED, Desk, text_mark
from shared.state.notices import Told
from shared.state.tickets import TicketRow
from shared.sync.msp import settle

log = logging.getLogger(__name__)

#: A ticket is looked at so often while its finding is open, to see whether a person has closed it.
LOOKED_AT_EVERY = timedelta(days=1)
#: So long after it healed its ticket is still known by its row, and later by its stamp.
KEPT_AFTER = timedelta(days=90)
#: Steps of one round: the next one goes on.
MOST_STEPS = 50
#: So many refusals end a round: the rule is wrong, not the findings.
MOST_REFUSALS = 3
_LONGEST_SUMMARY = 100
#: What a ticket says that ends although its finding is still open.
_NOT_TOLD = "This subscriber is not told of it any more."
_AFTER_REFUSAL = timedelta(hours=1)


class Step(StrEnum):
    """What is to be done next for one finding."""

    OPEN = "open"
    NOTE = "note"
    HEAL = "heal"
    REOPEN = "reopen"
    LOOK = "look"
    FORGET = "forget"
    NOTHING = "nothing"


def next_step(row: TicketRow, rule: TicketRule, now: datetime) -> Step:
    """What is to be done next, from what should stand and what is known to stand."""
    if row.wait_until is not None and now < row.wait_until:
        return Step.NOTHING
    if row.ticket is None:
        return Step.OPEN if row.open or row.begun is not None else Step.FORGET
    if not row.open:
        return _after_healing(row, rule, now)
    if row.left_alone is None and row.told == HEALED:
        return Step.REOPEN
    if row.left_alone is not None and now - row.left_alone >= timedelta(days=rule.respect_days):
        return Step.REOPEN
    if row.left_alone is None and row.told != text_mark(row):
        return Step.NOTE
    is_seen = row.looked is not None and now - row.looked < LOOKED_AT_EVERY
    return Step.NOTHING if is_seen else Step.LOOK


def _after_healing(row: TicketRow, rule: TicketRule, now: datetime) -> Step:
    if row.told != HEALED:
        return Step.HEAL
    kept = max(KEPT_AFTER, timedelta(days=rule.respect_days))
    return Step.FORGET if row.looked is None or now - row.looked > kept else Step.NOTHING


def keep_tickets(ports: NoticePorts, subscriber: Subscriber, rule: TicketRule, looks: Looks) -> None:
    """Brings the tickets of a subscriber up to date.

    Raises what the store raises while a failure is noted; any other failure is a finding, and the next round goes on.
    """
    work_on_tickets(ports, subscriber, rule, lambda: _write_down(ports, subscriber, looks))


def work_on_tickets(
    ports: NoticePorts, subscriber: Subscriber, rule: TicketRule, write_down: Callable[[], None]
) -> None:
    """Has written down what should stand in tickets, and brings them up to it. Raises as `keep_tickets` does."""
    failures: list[Finding] = []
    try:
        ports.flows.own_manage.check()  # a ticket of this number is somebody else's in another Manage
        write_down()
        _work(Desk(ports, subscriber, rule))
    except TrueUpError as error:
        log.warning("tickets of %s: %s", subscriber.id, error)
        failures.append(_failure(subscriber, error))
    key = (FindingKind.NOTICE_FAILED.value, f"{subscriber.id}/tickets")
    settle(ports.flows, lambda standing: standing == key, failures)


def _write_down(ports: NoticePorts, subscriber: Subscriber, looks: Looks) -> None:
    """What should stand in tickets, of every company that was looked at since."""
    told = ports.notices.told(subscriber.id)
    looked_at = looks.open_since(subscriber, told)
    rows = ports.ticket_rows.of(subscriber.id)
    found = [each for of_company in looked_at.values() for each in of_company]
    wanted = {row.stamp: row for row in (_row(ports, subscriber, each) for each in found)}
    changed = [_following(rows.get(stamp), row) for stamp, row in wanted.items()]
    standing = [row for stamp, row in rows.items() if row.open and stamp not in wanted]
    changed += _ended(subscriber, standing, looked_at, looks)
    changed = [row for row in changed if row != rows.get(row.stamp)]
    for row in changed:
        ports.ticket_rows.save(row)
    if changed or len(looked_at) > 1 or told is None:
        ports.notices.add(subscriber.id, Told(ports.flows.clock.now()), [])


def _following(known: TicketRow | None, row: TicketRow) -> TicketRow:
    return row if known is None else replace(known, summary=row.summary, text=row.text, open=True, ending=row.ending)


def _ended(
    subscriber: Subscriber, standing: Collection[TicketRow], looked_at: Mapping[str, object], looks: Looks
) -> Iterator[TicketRow]:
    """Of tickets that stand and nobody wants now: those whose finding has healed or is not this subscriber's any more.

    Owners of whom Manage knows no company leave tickets as they are: more likely a name has changed than the rules.
    """
    has_companies = bool(subscriber.companies) or not subscriber.owners
    for row in standing:
        if ("" if row.company is None else str(row.company)) in looked_at:
            still_open = {stamp_of(subscriber, each.company, each.kind, each.key) for each in looks.of(row.company)}
            yield replace(row, open=False, ending=_NOT_TOLD if row.stamp in still_open else row.ending)
        elif has_companies and not subscriber.is_told_of(row.company):
            yield replace(row, open=False, ending=_NOT_TOLD)


def _work(desk: Desk) -> None:
    """Does what is to be done. Raises the first refusal after the other tickets had their turn, all else at once."""
    left, refusals = MOST_STEPS, list[Refused]()
    for row in desk.ports.ticket_rows.of(desk.subscriber.id).values():
        following: TicketRow | None = row
        try:
            while following is not None and left > 0:
                step = next_step(following, desk.rule, desk.now)
                following = _do(desk, following, step)
                left -= step is not Step.NOTHING
        except Refused as refusal:
            _wait(desk, row)
            refusals.append(refusal)
        if left <= 0 or len(refusals) == MOST_REFUSALS:
            break
    if refusals:
        raise refusals[0]


def _do(desk: Desk, row: TicketRow, step: Step) -> TicketRow | None:
    """Does one step; the row afterwards, None where nothing more is to be done for it now."""
    deeds: dict[Step, Callable[[TicketRow], TicketRow | None]] = {
        Step.OPEN: desk.open,
        Step.NOTE: desk.note,
        Step.HEAL: desk.heal,
        Step.REOPEN: desk.reopen,
        Step.LOOK: desk.look,
    }
    if step is Step.FORGET:
        desk.ports.ticket_rows.remove(row)
    try:
        return deeds[step](row) if step in deeds else None
    except OutcomeUnknown as error:
        log.warning("ticket %s: %s", row.stamp, error)
        return None  # `begun`, or the mark of the note, has the next round look first


def _wait(desk: Desk, row: TicketRow) -> None:
    """What Manage refused was not done; it is tried again later."""
    standing = desk.ports.ticket_rows.of(desk.subscriber.id).get(row.stamp)
    if standing is not None:
        desk.ports.ticket_rows.save(replace(standing, begun=None, wait_until=desk.now + _AFTER_REFUSAL))


def _row(ports: NoticePorts, subscriber: Subscriber, each: Open) -> TicketRow:
    link = f"\n\n{ports.console}/companies/{each.company}" if ports.console and each.company is not None else ""
    whose = f"{each.name}: " if each.name else ""
    # English stays as it is: an amount that is only written otherwise is no news to tickets that are open.
    told = each.text if subscriber.language in ENGLISH else sentence_in(subscriber.language, each.text)
    summary = summary_of(f"TrueUp, {whose}{told}")
    text = f"{whose}{told}\n\n{each.remedy}{link}"
    stamp = stamp_of(subscriber, each.company, each.kind, each.key)
    return TicketRow(subscriber.id, stamp, each.company, summary, text)


def summary_of(text: str) -> str:
    """The text, or as much of it as the summary of a ticket takes."""
    return text if len(text) <= _LONGEST_SUMMARY else text[: _LONGEST_SUMMARY - 1].rstrip() + "…"


def stamp_of(subscriber: Subscriber, company: int | None, kind: str, key: str) -> str:
    """What stands in the ticket of a finding, for as long as it exists (30 characters)."""
    identity = f"{subscriber.id}/{company}/{kind}/{key}"
    digest = base64.b32encode(hashlib.sha256(identity.encode()).digest()).decode().lower()[:26]
    return f"TUF-{digest}"


def _failure(subscriber: Subscriber, error: TrueUpError) -> Finding:
    return Finding(
        FindingKind.NOTICE_FAILED,
        f"{subscriber.id}/tickets",
        f"Tickets of {subscriber.id} could not be written: {error}.",
        error.remedy or "Correct board, statuses and company of the subscriber in the rules if they are wrong.",
    )
