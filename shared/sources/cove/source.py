"""Cove as a source of counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date

from shared.billing.counts import Customer, FailureKind, ReadFailure, Reading
from shared.errors import Gone, TrueUpError
from shared.http.wire import Transport
from shared.sources.cove import reads
from shared.sources.cove.counting import Told, reading_of, told_by
from shared.sources.cove.parse import SOURCE, SYSTEM, Device, Partner, by_customer
from shared.sources.cove.session import CoveSession
from shared.sources.cove.settings import CoveSettings
from shared.sources.failures import failed, problem

#: A company's sync has four minutes in all, for reading and writing.
READ_SECONDS = 100.0
LIST_SECONDS = 300.0


class CoveSource:
    """Reads customers and their devices (`shared.sources.protocol.FleetSource`); safe to use from several threads.

    `transport`, `sleep` and `clock` replace what reaches out of the process.
    """

    def __init__(
        self,
        settings: CoveSettings,
        *,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reaches nobody."""
        self._session = CoveSession(settings, transport, sleep, clock)

    @property
    def name(self) -> str:
        return SOURCE

    def check(self) -> list[str]:
        """Logs in and asks for one device, with every column that is counted."""
        patience = self._session.patience(READ_SECONDS)
        try:
            reads.devices_page(self._session, self._session.own_partner(patience), 0, 1, patience)
        except TrueUpError as error:
            return [problem(error)]
        return []

    def customers(self) -> list[Customer]:
        """Every end customer, by name."""
        partners = reads.partners(self._session, self._session.patience(LIST_SECONDS)).values()
        found = [partner.customer for partner in partners if partner.is_customer]
        return sorted(found, key=lambda customer: (customer.name.casefold(), customer.id))

    def read(self, customer: str, day: date) -> Reading | ReadFailure:
        """The counts of one end customer, complete over what its own devices tell. `customer` is the partner's id."""
        number = customer.strip()
        if not (number.isascii() and number.isdigit()):
            return ReadFailure(
                SOURCE,
                customer,
                FailureKind.CUSTOMER_GONE,
                "The company is linked to something that is not the id of a Cove customer.",
                "Put the customer's id (a number, which the finding of an unlinked customer names) into the link.",
            )
        patience = self._session.patience(READ_SECONDS)
        try:
            partner = reads.partners(self._session, patience).get(number)
            if partner is None or not partner.is_customer:
                raise _gone()
            devices = reads.devices(self._session, number, patience)
            return reading_of(partner, devices, told_by(devices), day)
        except TrueUpError as error:
            return failed(SOURCE, number, error)

    def read_fleet(self, day: date, _known: Mapping[str, Reading], /) -> dict[str, Reading | ReadFailure]:
        """All customers from one tree and one list of devices."""
        patience = self._session.patience(LIST_SECONDS)
        partners = reads.partners(self._session, patience)
        own = self._session.own_partner(patience)
        devices = reads.devices(self._session, own, patience)
        told = told_by(devices)
        return {
            number: _reading(partners[number], theirs, told, day)
            for number, theirs in by_customer(devices, partners, own).items()
        }


def _reading(partner: Partner, devices: Sequence[Device], told: Told, day: date) -> Reading | ReadFailure:
    try:
        return reading_of(partner, devices, told, day)
    except TrueUpError as error:
        return failed(SOURCE, partner.id, error)


def _gone() -> Gone:
    return Gone(
        "Cove does not list the customer any more.",
        system=SYSTEM,
        remedy="End the company's lines and remove its link, or link the customer that took its place.",
    )
