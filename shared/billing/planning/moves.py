"""An item that goes on in another line: from which day on, and whether it comes back to lines that had ended."""

from __future__ import annotations

from datetime import date, timedelta

from shared.billing.agreements import Addition
from shared.billing.lines import is_usage
from shared.billing.planning.situation import Situation, Target
from shared.billing.seats import SeatRecord

#: Days without a reading after which nobody can say what was there meanwhile: nothing is owed for them.
LONGEST_GAP = 45


def goes_on_from(target: Target, continues: date | None, situation: Situation) -> date | None:
    """The day on which the item goes on here after its line elsewhere ended; None where it was not billed meanwhile.

    It is known to go on where there was some of it when it was read last, or where it waited here for that end; and
    not where it was read here since.
    """
    if continues is None or (target.as_of - continues).days > LONGEST_GAP:
        return None
    own = str(target.key)
    read = {
        line: (seen, situation.seats[line].days[-1].quantity)
        for line in situation.record_lines.get(target.item.id, ())
        if (seen := situation.seats[line].seen) is not None and not is_usage(line)
    }
    last = max((seen for seen, _ in read.values()), default=date.min)
    if last < target.as_of - timedelta(days=LONGEST_GAP) or (own in read and read[own][0] >= continues):
        return None
    newest = {line: quantity for line, (seen, quantity) in read.items() if seen == last}
    return continues if any(newest.values()) or (own in newest and last < continues) else None


def comes_back(record: SeatRecord, lines: list[Addition], continues: date | None, situation: Situation) -> bool:
    """Whether another line of the item has billed since all of these ended, and nothing was read for these since."""
    if continues is None or any(line.cancelled_date is None for line in lines):
        return False
    before = situation.seats.get(record.line)
    if before is not None and before.seen is not None and before.seen >= continues:
        return False
    ended = max((line.cancelled_date or date.min for line in lines if line.quantity > 0), default=date.min)
    return ended < continues - timedelta(days=1)
