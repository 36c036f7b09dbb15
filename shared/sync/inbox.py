"""What waits for people, what they decided and what came of it, as JSON-shaped values.

Money and quantities are JSON numbers in the agreement's currency and the SKU's units; times are ISO 8601, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from shared.billing.findings import FindingKind
from shared.state.companies import CompanyRow
from shared.state.company_state import CompanyState
from shared.sync import views
from shared.sync.approvals import rows_to_decide, seen_as
from shared.sync.choices import can_be_chosen_about
from shared.sync.company import Synced
from shared.sync.decisions import groups_shown
from shared.sync.desk.company import findings_of
from shared.sync.ports import Ports
from shared.sync.readable import Unreadable, readable_states
from shared.sync.readable import told as told_unreadable
from shared.sync.shapes import inbox as shapes
from shared.sync.undoing import Undone
from shared.sync.unfinished import why_nothing_is_written

States = Sequence[tuple[CompanyRow, CompanyState]]

#: The kinds of findings about which a person can choose.
_CHOICES = {kind.value for kind in FindingKind if can_be_chosen_about(kind)}


def waiting(ports: Ports) -> shapes.Waiting:
    """Every group that waits or was decided about, and the sums of those that wait by kind, guard and currency.

    `reasons` has them by what they wait for: the guard that holds them, then their kind; `seen` binds an approval of
    all of one reason to those told here. `undoes` were begun and have not ended. `nothing_written` says why nothing
    that is approved is written at present, None where it is. Of companies that are `unreadable` nothing is told.
    """
    companies, unreadable = readable_states(ports, rows_to_decide(ports))
    return _waiting(ports, companies, unreadable)


def questions(ports: Ports) -> shapes.Questions:
    """The open findings about which a person can choose, over all companies, each with the lines that it is about."""
    companies, unreadable = readable_states(ports, _asked(ports))
    return {"questions": _questions(ports, companies), "unreadable": told_unreadable(unreadable)}


def whole(ports: Ports) -> shapes.Whole:
    """What waits and the questions together: each company is read once."""
    asked, deciding = _asked(ports), rows_to_decide(ports)
    rows = {row.id: row for row in [*asked, *deciding]}
    companies, unreadable = readable_states(ports, [rows[number] for number in sorted(rows)])
    by_id = {row.id: (row, state) for row, state in companies}
    told = _waiting(ports, [by_id[row.id] for row in deciding if row.id in by_id], unreadable)
    return {**told, "questions": _questions(ports, [by_id[row.id] for row in asked if row.id in by_id])}


def _waiting(ports: Ports, companies: States, unreadable: Sequence[Unreadable]) -> shapes.Waiting:
    groups: list[shapes.WaitingGroup] = [
        {"company": row.id, "name": row.name, **views.shown_group(group, state, texts=True)}
        for row, state in companies
        for group in groups_shown(state)
    ]
    shown = [group for group in groups if group["state"] != "planned"]
    undoes: list[shapes.WaitingUndo] = [
        {"company": row.id, "name": row.name, **views.undo(state.undoes[key])}
        for row, state in companies
        for key in sorted(state.undoes)
    ]
    waits = [group for group in shown if group["state"] == "waiting"]
    return {
        "sums": _sums(waits),
        "reasons": _reasons(waits),
        "groups": shown,
        "undoes": undoes,
        "nothing_written": ports.own_manage.problem() or why_nothing_is_written(ports),
        "unreadable": told_unreadable(unreadable),
    }


def _asked(ports: Ports) -> list[CompanyRow]:
    """The companies with an open finding about which a person can choose."""
    return [row for row in ports.companies.all() if _CHOICES.intersection(row.summary.findings)]


def _questions(ports: Ports, companies: States) -> list[shapes.Question]:
    rules = ports.rules.load()
    return [
        {"company": row.id, "name": row.name, **told}
        for row, state in companies
        for told in findings_of(row, state, rules)
        if told["choices"]
    ]


def approved(hashes: Sequence[str], synced: Synced) -> shapes.Approved:
    """What came of approving these hashes.

    `approved` are decided, and written now or, where that did not succeed, by a later look; `stale` are not what is
    planned any more, with the difference; of `unknown` no group waits.
    """
    stale = synced.judged.stale if synced.judged is not None else ()
    told: dict[str, shapes.Stale] = {
        each.decision.group.hash: {
            "hash": each.decision.group.hash,
            "bill_item": each.decision.group.bill_item,
            "reason": each.reason,
            "before": views.group(each.decision.group, texts=True),
            "now": views.group(each.now, texts=True) if each.now is not None else None,
        }
        for each in stale
    }
    left = [hash_ for hash_ in hashes if hash_ not in told and hash_ not in synced.unknown]
    return {
        **views.look(synced, texts=True),
        "approved": sorted(left),
        "stale": list(told.values()),
        "unknown": list(synced.unknown),
    }


def undone(done: Undone) -> shapes.Undone:
    """What came of an undo; `held` groups are undone once their hashes are sent as confirmed.

    With `again_in` (seconds) it has not ended: the next look at the company goes on with it, or asking again does.
    """
    return {
        "run": done.run,
        "undone": [views.group(group, texts=True) for group in done.groups],
        "refused": [{"bill_item": item, "reason": reason} for item, reason in sorted(done.refused.items())],
        "held": [views.group(group, texts=True) for group in done.held],
        "failures": list(done.failures),
        "again_in": done.again_in,
        "nothing": done.nothing,
    }


def reason_of(group: shapes.WaitingGroup) -> tuple[bool, str, str]:
    """Why a group waits, as reasons are ordered: what is held first, by its guard, then by its kind."""
    return group["held"] is None, group["guard"] or "", group["kind"]


def _reasons(waits: Sequence[shapes.WaitingGroup]) -> list[shapes.Reason]:
    """The groups of one reason together: how many, of how many companies, and their money by currency."""
    told: list[shapes.Reason] = []
    for reason, same in groupby(sorted(waits, key=reason_of), key=reason_of):
        groups = list(same)
        free, guard, kind = reason
        sums: list[shapes.Amounts] = [
            {"currency": sum_["currency"], "monthly": sum_["monthly"], "one_off": sum_["one_off"]}
            for sum_ in _sums(groups)
        ]
        told.append(
            {
                "kind": kind,
                "held": not free,
                "guard": guard or None,
                "groups": len(groups),
                "companies": len({group["company"] for group in groups}),
                "sums": sums,
                "seen": seen_as((group["company"], group["hash"]) for group in groups),
            }
        )
    return told


def _sums(groups: Iterable[shapes.WaitingGroup]) -> list[shapes.Sum]:
    sums: dict[tuple[str, bool, str], shapes.Sum] = {}
    for group in groups:
        key = group["kind"], group["held"] is not None, group["currency"]
        nothing: shapes.Sum = {
            "kind": key[0],
            "held": key[1],
            "currency": key[2],
            "groups": 0,
            "monthly": 0.0,
            "one_off": 0.0,
        }
        total = sums.setdefault(key, nothing)
        total["groups"] += 1
        total["monthly"] = round(total["monthly"] + group["monthly"], 5)
        total["one_off"] = round(total["one_off"] + group["one_off"], 5)
    return [sums[key] for key in sorted(sums)]
