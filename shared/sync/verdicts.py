"""What people decided, written down before anything is written to Manage because of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date

from shared.billing.planning.plan import Group
from shared.clock import business_date
from shared.state.company_state import AddHistory, CompanyState, Drop, Put, StateChange, StateKind
from shared.state.records import Decision, HistoryEntry, Signature, Verdict
from shared.sync.decisions import decision_about, is_expired
from shared.sync.ports import Ports


def record_note(
    ports: Ports, company: int, run: str, signed: Signature, note: str, decided: Iterable[StateChange] = ()
) -> None:
    """What a person decided, in the history, and in one with it what is stored of the decision."""
    day = business_date(ports.clock)
    entry = HistoryEntry(f"{run}/note", signed.at, run, signed.by, None, None, note=note, day=day, signed=signed)
    ports.company_state.commit(company, [AddHistory(entry), *decided])


def record_verdicts(
    ports: Ports,
    company: int,
    state: CompanyState,
    hashes: Collection[str],
    verdict: Verdict,
    signed: Signature,
    run: str,
    why: str = "",
) -> tuple[CompanyState, tuple[str, ...]]:
    """What a person decided about groups that wait, or were decided about otherwise before.

    Of an approval that is written in part what is left can be rejected, and approved again. Gives the state with the
    decisions, and the hashes of which nothing waits; those change nothing. What waits only since after the signature
    was not seen by who signed, and what was decided after it stands. Safe to repeat.
    """
    made: dict[str, Decision] = {}
    unknown: list[str] = []
    shown = {group.hash: group for group in (state.plan.groups if state.plan is not None else ())}
    for hash_ in sorted(set(hashes)):
        standing = _standing(state, shown.get(hash_), hash_)
        if standing is not None and standing.verdict is verdict:
            continue
        if standing is not None and standing.signed.at <= signed.at:
            made[hash_] = replace(standing, verdict=verdict, signed=signed, run=run, why=why)
        elif hash_ in shown and _was_seen(ports, state, hash_, signed):
            made[hash_] = Decision(verdict, shown[hash_], signed, run, why)
        else:
            unknown.append(hash_)
    changes: list[StateChange] = []
    for hash_, decision in made.items():
        changes.append(Put(StateKind.DECISION, decision.group.hash, decision))
        changes += [Drop(StateKind.WAITING, hash_)] if hash_ in state.waiting else []
        changes.append(AddHistory(_decided(hash_, decision, business_date(ports.clock))))
    if changes:
        ports.company_state.commit(company, changes)
    decisions = {**state.decisions, **{decision.group.hash: decision for decision in made.values()}}
    waiting = {hash_: each for hash_, each in state.waiting.items() if hash_ not in made}
    return replace(state, decisions=decisions, waiting=waiting), tuple(unknown)


def _standing(state: CompanyState, shown: Group | None, hash_: str) -> Decision | None:
    """What was decided before about what is shown under a hash, or was when it was decided."""
    return decision_about(state.decisions, shown) if shown is not None else state.decisions.get(hash_)


def _was_seen(ports: Ports, state: CompanyState, hash_: str, signed: Signature) -> bool:
    """Whether the group waited already when somebody signed, and not for too long by now."""
    waiting = state.waiting.get(hash_)
    if waiting is None or waiting.since > signed.at:
        return False
    return not is_expired(waiting, ports.clock.now(), ports.rules.load().approvals.expire_days)


def _decided(hash_: str, decision: Decision, day: date) -> HistoryEntry:
    left = [change for change in decision.group.changes if change.fingerprint in decision.left]
    sentences = " ".join(change.sentence for change in left)
    why = f" ({decision.why})" if decision.why else ""
    part = f", of which {len(decision.written)} change(s) are written already" if decision.written else ""
    note = f"{decision.verdict.value} group {hash_}{part}{why}: {sentences}"
    signed = decision.signed
    return HistoryEntry(
        f"{decision.run}/{hash_}", signed.at, decision.run, signed.by, None, None, note=note, day=day, signed=signed
    )
