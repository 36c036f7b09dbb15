"""What a source must be able to do. `docs/add-a-source.md` says how to add one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Protocol, runtime_checkable

from shared.billing.counts import Customer, ReadFailure, Reading, Relationship, VendorInvoice
from shared.billing.vendors import Charge, Offer, UsageSoFar
from shared.contacts.accounts import Accounts
from shared.health import ServiceIssue


class Source(Protocol):
    """Reads counts from one vendor, never writes there; safe to use from several threads."""

    @property
    def name(self) -> str:
        """The source's word in rules and keys, for example `microsoft365`."""

    def check(self) -> list[str]:
        """What is wrong with the connection, in plain sentences that say what to do; empty when it works.

        Asks the vendor something small, and changes nothing there or here. Never raises, never shows a secret.
        """

    def customers(self) -> Sequence[Customer]:
        """Every customer of ours at the vendor, with what helps to find its company.

        Raises a `TrueUpError` when the list could not be read whole.
        """

    def read(self, customer: str, day: date) -> Reading | ReadFailure:
        """The counts of one customer, taken on `day` (the MSP's local day).

        Complete within its scope, or a `ReadFailure` that says what a person must do. Expected failures of the vendor
        never raise.
        """


@runtime_checkable
class FleetSource(Source, Protocol):
    """A source for which one read of all customers is fewer calls than a read of each.

    The night reads the fleet once and stores the readings with their time; workers take what is stored while it is
    fresh, and read a customer alone when it is not.
    """

    def read_fleet(self, day: date, known: Mapping[str, Reading], /) -> Mapping[str, Reading | ReadFailure]:
        """The reading of every customer by its id, taken on `day`; a customer that was not reached is left out.

        `known` are the stored readings: what the vendor marks as unchanged since need not be asked for again. Raises a
        `TrueUpError` when nothing could be read.
        """


@runtime_checkable
class PreparedSource(Source, Protocol):
    """A source whose vendor takes long to prepare what a reading asks for: somebody comes back for it later."""

    def fetch_prepared(self) -> None:
        """Fetches what was asked for and is ready by now; asks for nothing new. Raises a `TrueUpError`."""


@runtime_checkable
class PreparingSource(PreparedSource, Protocol):
    """A prepared source that no reading asks: the night has its vendor prepare what is due."""

    def prepare(self) -> None:
        """Asks for what is due, and fetches what is ready. Raises a `TrueUpError`."""


@runtime_checkable
class GroupSource(Source, Protocol):
    """A source that tells which groups users are in, but only of groups that it is asked for: each costs calls."""

    def read_with_groups(self, customer: str, day: date, groups: Collection[str], /) -> Reading | ReadFailure:
        """As `read`; its holders tell which of these groups (ids or names) they are in, also through other groups.

        A group that the customer does not have just once, or whose members we may not see, is not told: nobody may take
        it for one without members.
        """


@runtime_checkable
class InvoicingSource(FleetSource, Protocol):
    """A source that tells when its vendor invoices the MSP: profiles can bill what was counted on that day."""

    def newest_invoice(self) -> VendorInvoice | None:
        """The newest invoice for usage that counts; None before the first. Raises a `TrueUpError` when not known."""


@runtime_checkable
class OfferingSource(Source, Protocol):
    """A source whose vendor tells what it sells: a person makes profiles of it."""

    def offers(self, skus: Collection[str], /) -> Sequence[Offer]:
        """What these SKUs are sold as. One that is not sold any more is left out. Raises a `TrueUpError`."""


@runtime_checkable
class ChargingSource(Source, Protocol):
    """A source whose vendor tells what it charges the MSP, customer by customer."""

    def charges(self, month: date, today: date, /) -> Sequence[Charge]:
        """The items of all invoices made in the month that `month` begins; before there are any, those of the draft.

        Complete or a `TrueUpError`.
        """


@runtime_checkable
class UsageSource(ChargingSource, Protocol):
    """A source whose vendor tells what is used of what it charges afterwards, while that is still growing.

    For people to look at: nothing is billed by it, and it is compared with nothing.
    """

    def used_so_far(self, today: date, /) -> Sequence[UsageSoFar]:
        """What each customer has used since the last invoice. Complete or a `TrueUpError`."""


@runtime_checkable
class CompletedSource(Source, Protocol):
    """A source whose counts are completed by another interface of its vendor, without which they go on."""

    def completion_problems(self) -> list[str]:
        """As `check`, for what completes the counts alone. Asks it something small; never raises, shows no secret."""


@runtime_checkable
class RelatedSource(Source, Protocol):
    """A source that we may read a customer of only as long as a relationship with it lasts."""

    def relationships(self) -> Sequence[Relationship]:
        """The one with each customer that lasts longest, or the last that has ended where none is in force.

        Customers of whom nothing is known are left out. Raises a `TrueUpError` when the list could not be read whole.
        """


@runtime_checkable
class DomainSource(Source, Protocol):
    """A source whose vendor tells domains apart from the list of customers; asked while a person maps, not at night."""

    def told_domains(self) -> Mapping[str, Sequence[str]]:
        """What it tells of all customers at once, in lower case, by the customer's id. Raises a `TrueUpError`."""

    def verified_domains(self, customer: str, /) -> Sequence[str]:
        """The domains of which it has made sure that they are the customer's, in lower case; names that it gave to the
        customer itself are none. Complete, or raises a `TrueUpError`.
        """


@runtime_checkable
class AccountSource(Source, Protocol):
    """A source whose vendor keeps the accounts of a customer's users."""

    def accounts(self, customer: str, groups: Collection[str], /, *, sign_ins: bool) -> Accounts:
        """Everybody at a customer, licensed or not, each with which of these `groups` he or she is in.

        With `sign_ins` also when each last signed in, where that may be asked. Complete, or raises a `TrueUpError`.
        """


@runtime_checkable
class HealthSource(Source, Protocol):
    """A source whose vendor tells each customer what is wrong with its services."""

    def open_issues(self, customer: str, /) -> Sequence[ServiceIssue]:
        """Every issue that is open at the customer. Complete, or raises a `TrueUpError`."""
