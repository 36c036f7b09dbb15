"""What must not differ between the two worlds, in words. No word means that the disturbed one is as it should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.billing.lines import PREFIX
from shared.billing.planning.plan import ChangeKind
from shared.state.company_state import CompanyState
from shared.state.records import HistoryEntry

Json = dict[str, Any]

#: Every field of an addition that TrueUp writes.
WRITTEN = (
    "agreementId",
    "product",
    "quantity",
    "unitPrice",
    "unitCost",
    "billCustomer",
    "taxableFlag",
    "lessIncluded",
    "effectiveDate",
    "cancelledDate",
    "serialNumber",
    "invoiceDescription",
)


@dataclass(frozen=True)
class Left:
    """What nights left behind: every addition by id, and what TrueUp remembers of each company."""

    additions: Mapping[int, Json]
    states: Mapping[int, CompanyState] = field(default_factory=dict)
    histories: Mapping[int, Sequence[HistoryEntry]] = field(default_factory=dict)


def differences(undisturbed: Left, disturbed: Left) -> list[str]:
    """One sentence per difference that is somebody's money or our word; in a fixed order."""
    return [
        *_twice(disturbed),
        *_other_lines(undisturbed, disturbed),
        *_untold(undisturbed, disturbed),
        *_lost_track(disturbed),
        *_records(disturbed),
    ]


def _is_ours(addition: Json) -> bool:
    return str(addition.get("serialNumber") or "").startswith(PREFIX)


def _ours(left: Left) -> list[Json]:
    return [line for line in left.additions.values() if _is_ours(line)]


def _twice(disturbed: Left) -> Iterator[str]:
    stamps = Counter(line["serialNumber"] for line in _ours(disturbed))
    for stamp, count in sorted(stamps.items()):
        if count > 1:
            numbers = [line["id"] for line in _ours(disturbed) if line["serialNumber"] == stamp]
            yield f"stamp {stamp} stands on additions {', '.join(map(str, numbers))}"


def _other_lines(undisturbed: Left, disturbed: Left) -> Iterator[str]:
    """Lines of ours that the other world lacks, or that say something else in a field that we write."""
    wanted, found = ({line["serialNumber"]: line for line in _ours(left)} for left in (undisturbed, disturbed))
    for stamp in sorted(wanted.keys() | found.keys()):
        if stamp not in found:
            yield f"the line {stamp} is missing: {_said(wanted[stamp])}"
        elif stamp not in wanted:
            yield f"the line {stamp} should not be there: {_said(found[stamp])}"
        elif unlike := _unlike(wanted[stamp], found[stamp], WRITTEN):
            yield f"the line {stamp} (addition {found[stamp]['id']}): {unlike}"


def _untold(undisturbed: Left, disturbed: Left) -> Iterator[str]:
    """Lines that are not ours must be the same in everything."""
    for number in sorted(undisturbed.additions.keys() | disturbed.additions.keys()):
        before, after = undisturbed.additions.get(number, {}), disturbed.additions.get(number, {})
        if any(line and _is_ours(line) for line in (before, after)):
            continue
        if unlike := _unlike(before, after, sorted(before.keys() | after.keys())):
            yield f"addition {number}, which is not ours: {unlike}"


def _lost_track(disturbed: Left) -> Iterator[str]:
    """Every line of ours stands in the ledger under its number, and the other way round."""
    known = {row.addition_id for state in disturbed.states.values() for row in state.ledger.values()}
    for line in _ours(disturbed):
        if line["id"] not in known:
            yield f"addition {line['id']} carries our stamp, but no ledger knows it"
    for number in sorted(known - disturbed.additions.keys()):
        yield f"the ledger knows addition {number}, which is not there"


def _records(disturbed: Left) -> Iterator[str]:
    """No write is left open, none is recorded twice, and every line that we made is in the history."""
    for company, state in disturbed.states.items():
        for intent in state.intents.values():
            yield f"company {company}: the intent {intent.id} of run {intent.run} is still open"
    made = Counter(
        entry.change.after.serial_number
        for entries in disturbed.histories.values()
        for entry in entries
        if entry.change is not None and entry.change.kind is ChangeKind.CREATE and entry.change.after is not None
    )
    for stamp, count in sorted(made.items()):
        if count > 1:
            yield f"the history tells {count} times that the line {stamp} was made"
    told = {entry.addition for entries in disturbed.histories.values() for entry in entries}
    for line in _ours(disturbed):
        if line["id"] not in told:
            yield f"addition {line['id']} carries our stamp, but no history tells of it"


def _unlike(wanted: Json, found: Json, names: Iterable[str]) -> str:
    unlike = [name for name in names if wanted.get(name) != found.get(name)]
    return "; ".join(f"{name} is {found.get(name)!r} instead of {wanted.get(name)!r}" for name in unlike)


def _said(line: Json) -> str:
    return f"agreement {line['agreementId']}, {line['product']['identifier']}, {line['quantity']:g}"
