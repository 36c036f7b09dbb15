"""The semantics switches: one for every fact of Manage that nobody outside ConnectWise has confirmed.

The defaults are what is believed; a program that must be right either way is run with both positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields


@dataclass
class Switches:
    """How the sandbox's Manage behaves where its documentation is silent."""

    #: An addition still bills on its cancelled date; off = the day before is its last billed day.
    cancelled_day_billed: bool = True

    #: A line changed after it was invoiced is charged or credited for its last invoiced period on the next invoice
    #: (known for periods that the sandbox itself invoiced); off = invoices are copies and nothing is caught up.
    retroactive_change: bool = False

    #: Lines with quantity 0 are printed on invoices, with amount 0.
    zero_lines_printed: bool = False

    #: The day on which a prorated line starts counts as a billed day; off = billing starts on the day after.
    prorate_start_day_included: bool = True

    #: On an agreement that prorates, a line that is cancelled inside a period bills only up to its last day; off = all
    #: of that period.
    cancellation_prorated: bool = False

    #: An addition that an invoice has billed cannot be deleted: 400.
    invoiced_delete_refused: bool = False

    #: Writing a field that the server derives (extPrice, description, …) is a 400; off = it is ignored.
    derived_writes_refused: bool = False

    #: An addition created without an effective date starts today; off = on the agreement's start date.
    effective_date_today: bool = True

    #: Unset dates are answered as empty strings; off = they are absent.
    unset_dates_empty: bool = False

    #: Additions carry `additionStatus` next to `agreementStatus`.
    addition_status_reported: bool = False

    #: `product/id` is not recognized in the conditions of additions: 400.
    product_id_filter_refused: bool = False

    @classmethod
    def from_json(cls, body: Mapping[str, object]) -> Switches:
        """Switches as named, the others in their default position. Raises ValueError for what is not understood."""
        switches = cls()
        switches.update(body)
        return switches

    def update(self, body: Mapping[str, object]) -> None:
        """Turns the named switches only. Raises ValueError, and turns none, when one is not understood."""
        names = {item.name for item in fields(self)}
        for name, position in body.items():
            if name not in names:
                raise ValueError(f"there is no switch {name!r}; the switches are {', '.join(sorted(names))}")
            if not isinstance(position, bool):
                raise ValueError(f"switch {name!r} is either true or false")
        for name, position in body.items():
            setattr(self, name, position)

    def to_json(self) -> dict[str, bool]:
        return asdict(self)
