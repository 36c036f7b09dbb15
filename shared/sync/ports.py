"""What the flows need of the world. The composition root (`shared.bootstrap`) makes the real ones, tests make fakes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from shared.billing.agreements import Addition, Agreement, Company, Fields, Product, Recap
from shared.billing.contact_rules import ContactRules
from shared.billing.profiles import StartDay
from shared.billing.rules import Remit
from shared.callbacks import Callback, CallbackEntry
from shared.catalog import CatalogChoices, NewProduct
from shared.clock import Clock
from shared.contacts.contacts import Contact, Said
from shared.environment import ShownSetting
from shared.queues import Queue
from shared.sources.protocol import Source
from shared.state.backups import Backups
from shared.state.balances import BalanceStore
from shared.state.callbacks import CallbackStore
from shared.state.companies import CompanyStore
from shared.state.company_state_store import CompanyStateStore
from shared.state.contacts import ContactStore
from shared.state.directory import DirectoryStore
from shared.state.due import DueStore
from shared.state.erasure import Erasure
from shared.state.own_manage import OwnManage
from shared.state.poison import PoisonStore
from shared.state.pushes import PushStore
from shared.state.readings import ReadingStore
from shared.state.rules import RulesStore
from shared.state.runs import RunStore
from shared.state.schedules import ScheduleStore
from shared.state.vendor_invoices import VendorInvoiceStore


class Manage(Protocol):
    """ConnectWise Manage as the flows use it. Every method may raise `TrueUpError`; a list is complete or an error."""

    @property
    def last_request_id(self) -> str | None:
        """Manage's id of this thread's last call, for the history."""

    def deadline(self, seconds: float) -> AbstractContextManager[None]:
        """No call inside takes longer than what is left of these seconds."""

    def companies(self, ids: Sequence[int] | None = None) -> list[Company]:
        """All companies, or those of these ids that exist; deleted ones are marked, not left out."""

    def agreements(self, company_id: int) -> list[Agreement]: ...

    def additions(self, agreement_id: int) -> list[Addition]: ...

    def additions_stamped(self, agreement_id: int, stamp: str) -> list[Addition]: ...

    def addition(self, agreement_id: int, addition_id: int) -> Addition:
        """One line as it stands now. Raises `Gone` when the agreement has it not (any more)."""

    def recaps(self, night: str) -> Mapping[int, Recap]:
        """Manage's forecasts by agreement, asked for once a night; empty where they cannot be read, never an error."""

    def products(self, identifiers: Collection[str]) -> dict[str, Product]: ...

    def products_named(self, identifier: str) -> list[Product]: ...

    def catalog_choices(self) -> CatalogChoices: ...

    def agreement_types(self) -> list[str]: ...

    def create_product(self, new: NewProduct) -> Product: ...

    def create_addition(self, agreement_id: int, fields: Fields) -> Addition: ...

    def update_addition(self, agreement_id: int, addition_id: int, fields: Fields) -> Addition: ...

    def delete_addition(self, agreement_id: int, addition_id: int) -> None: ...

    def company_of_agreement(self, agreement_id: int) -> int: ...

    def callbacks(self) -> list[CallbackEntry]: ...

    def register_callback(self, url: str, type_: str) -> CallbackEntry: ...

    def delete_callback(self, callback_id: int) -> None: ...


class ContactDesk(Protocol):
    """The contacts in Manage. Every method may raise `TrueUpError`, none of which holds what a contact says."""

    def of_company(self, company: int) -> list[Contact]:
        """Every contact of a company, inactive ones too; complete or an error."""

    def contact(self, contact_id: int) -> Contact: ...

    def mail_domains(self) -> Mapping[int, Sequence[str]]:
        """The domains of the mail addresses of active contacts, by company."""

    def departments(self) -> list[str]: ...

    def create(self, company: int, said: Said, rules: ContactRules) -> Contact: ...

    def change(self, contact: Contact, said: Said, rules: ContactRules, *, inactive: bool) -> Contact: ...


class CheckedChannel(Protocol):
    """A way to tell people something, as far as it can be asked whether it would take a message."""

    def check(self) -> None:
        """Asks without sending anything. Raises the `TrueUpError` that a message would meet, as far as it shows."""


class CallbackReader(Protocol):
    """Tells Manage's callbacks from everything else that is sent to us."""

    def read(self, body: bytes, signature: str) -> Callback:
        """The callback in a raw body. Raises `Refused` for what is none, `Retryable` when that is not known now."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once and for how long. `lease` is in seconds; everything else follows from it."""

    lanes: int = 8
    lease: int = 300

    @property
    def company_deadline(self) -> float:
        """How long Manage may be called for one company: 4/5 of its lease, at most 200 s.

        The platform wants an HTTP answer within 230 s.
        """
        return min(self.lease * 0.8, 200)

    @property
    def write_time(self) -> timedelta:
        """No write begins with less of the lease left than this."""
        return timedelta(seconds=self.lease * 0.2)

    @property
    def settling(self) -> int:
        """After so long a write whose effect is not to be seen is taken for never having happened."""
        return self.lease * 2

    @property
    def silence(self) -> int:
        """A claim of which nothing was heard for so long is given to another worker."""
        return self.lease * 4

    @property
    def due_delay(self) -> timedelta:
        """How long a company waits of which Manage told a change, lest each of several be looked at: a minute."""
        return timedelta(seconds=min(self.lease, 60))

    @property
    def busy_delay(self) -> int:
        """How long a company waits that could not be worked on now."""
        return max(self.lease // 10, 1)


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside that a flow may touch. `callback_url` is where Manage reaches us, None if it shall not.

    `push_keys` are the keys by the name of each pushed source, `push_age` how long a push is believed.
    `own_manage` knows whether `manage` is the one that the store belongs to.
    `retroactive` and `prorate_start_day` say how this Manage bills (see `Facts`). `time_zone` is the MSP's own.
    `settings` are shown to people; `consent_url` is where the administrator of a Microsoft tenant consents. `backups`
    is None where none are made. `channels` are those by which people are told, by name.
    """

    clock: Clock
    queue: Queue
    manage: Manage
    own_manage: OwnManage
    contacts: ContactDesk
    sources: Mapping[str, Source]
    rules: RulesStore
    companies: CompanyStore
    company_state: CompanyStateStore
    runs: RunStore
    schedules: ScheduleStore
    readings: ReadingStore
    vendor_invoices: VendorInvoiceStore
    balances: BalanceStore
    directory: DirectoryStore
    contact_rows: ContactStore
    due: DueStore
    erasure: Erasure
    callbacks: CallbackStore
    poison: PoisonStore
    callback_reader: CallbackReader
    pushes: PushStore
    push_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    push_age: timedelta = timedelta(hours=26)
    callback_url: str | None = None
    limits: Limits = Limits()
    retroactive: bool = False
    prorate_start_day: StartDay = StartDay.INCLUDED
    settings: tuple[ShownSetting, ...] = ()
    consent_url: Callable[[str], str] | None = None
    backups: Backups | None = None
    channels: Mapping[str, CheckedChannel] = field(default_factory=dict)
    time_zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    def within(self, remit: Remit) -> Ports:
        """For showing something to somebody who sees only the companies of a remit. What writes takes the whole."""
        return replace(self, companies=self.companies.narrowed(remit), runs=self.runs.narrowed(remit))
