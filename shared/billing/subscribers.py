"""Who is told what, by which channel and when: a part of the MSP's rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Channel(StrEnum):
    """How a notice reaches somebody. `to` of the subscriber are mail addresses, names of Teams webhooks, or a board."""

    MAIL = "mail"
    TEAMS = "teams"
    TICKET = "ticket"


class Frequency(StrEnum):
    """How often. `at-once`: findings, as soon as they open, each once; the others are digests."""

    AT_ONCE = "at-once"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Topic(StrEnum):
    """What a digest tells beside findings."""

    CHANGES = "changes"
    WAITING = "waiting"
    FAILED = "failed"
    LEAK = "leak"


class Language(StrEnum):
    """How days and amounts are written; sentences are English."""

    EN_US = "en-US"
    EN_GB = "en-GB"
    DE_DE = "de-DE"
    FR_FR = "fr-FR"
    NL_NL = "nl-NL"


@dataclass(frozen=True, slots=True)
class TicketRule:
    """How findings become tickets of ConnectWise Manage, one each; names are those of the board.

    `company` is the MSP's own record: tickets are its, or with `at_customer` those of the company that a finding is
    about. `close_healed` closes a ticket whose finding has healed. One that a person has closed while its finding is
    still open is left alone for `respect_days`, and opened again then.
    """

    company: int
    status: str = "New"
    closed: str = "Closed"
    type: str = ""
    priority: str = ""
    at_customer: bool = False
    close_healed: bool = True
    respect_days: int = 7


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """Which issues of the customers' Microsoft 365 services become tickets, and on which board.

    `services` are names of services, or of groups of their features, as Microsoft tells them. `advisories`: also issues
    with which the service still works. An issue of `together_from` companies or more is one ticket of the MSP itself.
    """

    board: str
    ticket: TicketRule
    services: tuple[str, ...] = ("Exchange Online", "Exchange Online Protection")
    advisories: bool = True
    together_from: int = 5


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A person or channel that is told.

    `about` are topics and kinds of findings, empty: everything. `companies` are the only ones it is told of, with those
    whose owner in Manage is one of `owners`; both empty: all of them and what concerns no company. `hour` is local; a
    weekly digest comes on Mondays, a monthly one on the 1st. `users`: it may see invoice texts, which may hold the
    names of users. `even_when_empty`: it is also told that there is nothing to tell. `ticket` is given with the channel
    of that name, which is told at once.
    """

    id: str
    channel: Channel
    to: tuple[str, ...]
    frequency: Frequency = Frequency.DAILY
    hour: int = 8
    about: tuple[str, ...] = ()
    companies: tuple[int, ...] = ()
    owners: tuple[str, ...] = ()
    language: Language = Language.EN_US
    users: bool = False
    even_when_empty: bool = False
    ticket: TicketRule | None = None

    def wants(self, about: str) -> bool:
        """Whether it is told of a topic or a kind of finding."""
        return not self.about or about in self.about

    def is_told_of(self, company: int | None) -> bool:
        """Whether it is told of a company; None: of what concerns no company."""
        return company in self.companies or not (self.companies or self.owners)

    def with_owned(self, owned: Iterable[int]) -> Subscriber:
        """The same, told of these companies of its owners as well."""
        return replace(self, companies=tuple(sorted({*self.companies, *owned})))
