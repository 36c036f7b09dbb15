"""Cove as a source of counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial

from shared.billing.counts import Customer, ReadFailure, Reading
from shared.errors import Gone
from shared.http.wire import Transport
from shared.sources.cove import reads
from shared.sources.cove.counting import counted, told_by
from shared.sources.cove.parse import DEVICES, SOURCE, SYSTEM, by_customer
from shared.sources.cove.session import CoveSession
from shared.sources.cove.settings import CoveSettings
from shared.sources.customers import by_name
from shared.sources.failures import is_number, no_customer, problems_of, reading_or_failure
from shared.sources.patience import LIST_SECONDS, READ_SECONDS
from shared.sources.rows import broken


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
        session = self._session
        return problems_of(lambda: reads.devices_page(session, session.own_partner(patience), 0, 1, patience))

    def customers(self) -> list[Customer]:
        """Every end customer, by name."""
        partners = reads.partners(self._session, self._session.patience(LIST_SECONDS)).values()
        return by_name(partner.customer for partner in partners if partner.is_customer)

    def read(self, customer: str, day: date) -> Reading | ReadFailure:
        """The counts of one end customer, complete over what its own devices tell. `customer` is the partner's id."""
        number = customer.strip()
        if not is_number(number):
            remedy = "Put the customer's id (a number, which the finding of an unlinked customer names) into the link."
            return no_customer(SOURCE, customer, "the id of a Cove customer", remedy)
        return reading_or_failure(SOURCE, number, lambda: self._read(number, day))

    def read_fleet(self, day: date, _known: Mapping[str, Reading], /) -> dict[str, Reading | ReadFailure]:
        """All customers from one tree and one list of devices."""
        patience = self._session.patience(LIST_SECONDS)
        partners = reads.partners(self._session, patience)
        own = self._session.own_partner(patience)
        devices = reads.devices(self._session, own, patience)
        told = told_by(devices)
        return {
            number: reading_or_failure(SOURCE, number, partial(counted, partners[number], theirs, told, day))
            for number, theirs in by_customer(devices, partners, own).items()
        }

    def _read(self, number: str, day: date) -> Reading:
        patience = self._session.patience(READ_SECONDS)
        partners = reads.partners(self._session, patience)
        partner = partners.get(number)
        if partner is None or not partner.is_customer:
            raise _gone()
        devices = reads.devices(self._session, number, patience)
        own = self._session.own_partner(patience)
        if len(by_customer(devices, partners, own)[number]) < len(devices):
            raise broken(SYSTEM, DEVICES, "it lists devices of others than the customer that was asked for")
        return counted(partner, devices, told_by(devices), day)


def _gone() -> Gone:
    return Gone(
        "Cove does not list the customer any more.",
        system=SYSTEM,
        remedy="End the company's lines and remove its link, or link the customer that took its place.",
    )
