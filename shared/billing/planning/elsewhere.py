"""Lines of ours on agreements that are another company's by now, as after companies were merged in Manage.

They bill whoever has the agreement. Nothing is written there; they are told until they bill nothing as ours any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date

from shared.billing.agreements import Addition
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import LedgerRow
from shared.billing.planning.situation import Situation


def rows_elsewhere(ledger: Iterable[LedgerRow], agreements: Collection[int], day: date) -> list[LedgerRow]:
    """What the ledger says still bills on other agreements than these, which are the company's."""
    return [row for row in ledger if row.key.agreement not in agreements and row.bills_on(day)]


def still_ours(
    ledger: Iterable[LedgerRow], additions: Mapping[int, tuple[Addition, ...]], agreements: Collection[int], day: date
) -> tuple[LedgerRow, ...]:
    """The ledger without standing lines elsewhere that are gone, bill nothing from `day` on, or have another stamp now.

    `additions` hold those of agreements elsewhere, too; of one that could not be read nothing is let go of. A one-off
    line goes on telling that its period was charged.
    """
    rows = tuple(ledger)
    left = [row for row in rows_elsewhere(rows, agreements, day) if _is_over(row, additions, day)]
    return tuple(row for row in rows if row not in left)


def _is_over(row: LedgerRow, additions: Mapping[int, tuple[Addition, ...]], day: date) -> bool:
    lines = additions.get(row.key.agreement)
    if lines is None or not row.key.is_standing:
        return False
    line = next((line for line in lines if line.id == row.addition_id), None)
    if line is None or line.quantity == 0 or not line.is_open(day):
        return True
    return line.serial_number.strip() not in ("", row.stamp.strip())


def elsewhere(ledger: Iterable[LedgerRow], situation: Situation) -> list[Finding]:
    """A finding for each agreement elsewhere with what bills there."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for row in rows_elsewhere(ledger, situation.agreements, situation.as_of):
        found[row.key.agreement].append(row.addition_id)
    return [
        Finding(
            FindingKind.AGREEMENT_NOT_ACTIVE,
            f"agreement/{agreement}/elsewhere",
            f"Agreement {agreement} is no agreement of this company any more, and lines of ours bill there: additions "
            f"{', '.join(map(str, sorted(lines)))}.",
            "Give the agreement back to the company; or end the lines in Manage, or have the company that has it now "
            "adopt them: then they are let go of here.",
        )
        for agreement, lines in sorted(found.items())
    ]
