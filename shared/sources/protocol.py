"""What a source must be able to do. Add a source = add one module and one line in the registry (`shared.bootstrap`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from shared.billing.counts import Customer, ReadFailure, Reading


class Source(Protocol):
    """Reads counts from one vendor."""

    @property
    def name(self) -> str:
        """The source's word in rules and keys, for example `microsoft365`."""

    def customers(self) -> Sequence[Customer]:
        """Every customer of ours at the vendor. Raises a `TrueUpError` when the list could not be read whole."""

    def read(self, customer: str, day: date) -> Reading | ReadFailure:
        """The counts of one customer, taken on `day` (the MSP's local day).

        Complete within its scope, or a `ReadFailure` that says what a person must do. Expected failures of the vendor
        never raise.
        """
