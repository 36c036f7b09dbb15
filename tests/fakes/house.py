"""The whole house on fakes: Manage, a source, a queue and clocks that a test moves, and workers that can be killed.

Killing is like `kill -9`: from that moment on nothing that the worker still tries has an effect, not even giving back
its lease.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo

from shared.billing.agreements import Addition, Agreement, Company, Fields, Product, Recap
from shared.billing.counts import Customer, FailureKind, Holder, ReadFailure, Reading
from shared.billing.rules import CompanyLink, CompanyRules, Mode, Rules
from shared.callbacks import Callback, CallbackEntry
from shared.calls import count_call
from shared.catalog import CatalogChoice, CatalogChoices, NewProduct
from shared.contacts.accounts import Accounts
from shared.errors import Gone, Refused, TrueUpError
from shared.queues import ReadMessage, SyncMessage
from shared.state.balances import BalanceStore
from shared.state.callbacks import CallbackStore
from shared.state.companies import CompanyStore
from shared.state.company_state import CompanyState
from shared.state.company_state_store import CompanyStateStore
from shared.state.contacts import ContactStore
from shared.state.directory import DirectoryStore
from shared.state.due import DueStore
from shared.state.erasure import Erasure
from shared.state.own_manage import ManageName, OwnManage
from shared.state.poison import PoisonStore
from shared.state.pushes import PushStore
from shared.state.readings import ReadingStore
from shared.state.rules import RulesStore
from shared.state.runs import RunStore
from shared.state.schedules import ScheduleStore
from shared.state.vendor_invoices import VendorInvoiceStore
from shared.sync import lanes
from shared.sync.company import Order, Synced, sync_company
from shared.sync.ports import Limits, Ports
from tests import builders as b
from tests.fakes.contacts import FakeContacts
from tests.fakes.tables import InMemoryTables

START = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
REDELIVERY = timedelta(seconds=30)
CALLBACK_URL = "https://trueup.test/api/callbacks/manage"


class Killed(BaseException):
    """The worker is dead. Not an `Exception`: no handler of ours may survive it."""


class Fate:
    """Decides before which outside effect the worker dies; counts them all."""

    def __init__(self) -> None:
        self.steps = 0
        self.die_at: int | None = None
        self.dead = False
        self.log: list[str] = []

    def step(self, name: str) -> None:
        """Called before every outside effect."""
        if self.dead:
            raise Killed
        self.steps += 1
        self.log.append(name)
        if self.steps == self.die_at:
            self.dead = True
            raise Killed


@dataclass
class FakeClock:
    """Real and business time, moved together by the test; business time may be days ahead."""

    time: datetime = START
    business_ahead: int = 0
    zone: tzinfo = UTC

    def now(self) -> datetime:
        return self.time

    def business_now(self) -> datetime:
        return (self.time + timedelta(days=self.business_ahead)).astimezone(self.zone)

    def pass_by(self, **amount: float) -> None:
        self.time += timedelta(**amount)


class FakeQueue:
    """Hands out each message again after `REDELIVERY` until it is done."""

    def __init__(self, clock: FakeClock, fate: Fate) -> None:
        self._clock = clock
        self._fate = fate
        self._order = itertools.count()
        self._waiting: list[tuple[datetime, int, int, SyncMessage]] = []
        self.poison: list[str] = []
        self.due_at: list[datetime] = []
        self.readings: list[ReadMessage] = []
        self.broken: TrueUpError | None = None

    @property
    def waiting(self) -> list[SyncMessage]:
        return [message for _, _, _, message in sorted(self._waiting)]

    @property
    def next_due(self) -> datetime:
        return self._waiting[0][0]

    def __len__(self) -> int:
        return len(self._waiting)

    def send(self, message: SyncMessage, *, delay: int = 0) -> None:
        """`broken` is raised once."""
        self._step()
        self._put(self._clock.now() + timedelta(seconds=delay), message, 0)

    def send_due(self, *, delay: int = 0) -> None:
        self._step()
        self.due_at.append(self._clock.now() + timedelta(seconds=delay))

    def send_reading(self, message: ReadMessage) -> None:
        self._step()
        self.readings.append(message)

    def send_poison(self, text: str, *, delay: int = 0) -> None:
        self.poison.append(text)

    def check(self) -> None:
        if self.broken is not None:
            raise self.broken

    def waiting_since(self) -> datetime | None:
        """As if each message had been put there when it could be taken."""
        self.check()
        visible = [due for due, *_ in self._waiting if due <= self._clock.now()]
        return min(visible, default=None)

    @contextmanager
    def next_message(self) -> Iterator[tuple[SyncMessage, int]]:
        """The next message, waiting for it if need be; it comes back unless the block ends by itself."""
        due, _, deliveries, message = heapq.heappop(self._waiting)
        self._clock.time = max(self._clock.time, due)
        try:
            yield message, deliveries + 1
        except BaseException:
            self._put(self._clock.now() + REDELIVERY, message, deliveries + 1)
            raise

    def _step(self) -> None:
        self._fate.step("queue.send")
        if self.broken is not None:
            error, self.broken = self.broken, None
            raise error

    def _put(self, due: datetime, message: SyncMessage, deliveries: int) -> None:
        heapq.heappush(self._waiting, (due, next(self._order), deliveries, message))


@dataclass
class FakeSource:
    """Microsoft 365 as far as the flows see it: counts by customer, or a failure."""

    name: str = b.SOURCE
    counts: dict[str, tuple] = field(default_factory=dict)
    failing: dict[str, FailureKind] = field(default_factory=dict)
    reads: Counter[str] = field(default_factory=Counter)
    names: dict[str, str] = field(default_factory=dict)
    domains: dict[str, tuple[str, ...] | TrueUpError] = field(default_factory=dict)
    broken: TrueUpError | None = None
    people: dict[str, Accounts | TrueUpError] = field(default_factory=dict)
    incomplete: list[str] = field(default_factory=list)
    asked_for_domains: list[str] = field(default_factory=list)
    told: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tenants: dict[str, str] = field(default_factory=dict)

    def completion_problems(self) -> list[str]:
        return self.incomplete

    def check(self) -> list[str]:
        return [str(self.broken)] if self.broken is not None else []

    def customers(self) -> Sequence[Customer]:
        if self.broken is not None:
            raise self.broken
        return [
            Customer(
                self.name, customer, self.names.get(customer, f"Customer {customer}"), tenant=self.tenant(customer)
            )
            for customer in sorted(self.counts)
        ]

    def tenant(self, customer: str) -> str | None:
        """Customers of Microsoft 365 are tenants."""
        return customer if self.name == b.SOURCE else self.tenants.get(customer)

    def told_domains(self) -> dict[str, tuple[str, ...]]:
        return self.told

    def verified_domains(self, customer: str) -> tuple[str, ...]:
        count_call("domains")
        self.asked_for_domains.append(customer)
        found = self.domains.get(customer, ())
        if isinstance(found, TrueUpError):
            raise found
        return found

    def read(self, customer: str, day: date) -> Reading | ReadFailure:
        self.reads[customer] += 1
        count_call("Microsoft 365")
        if customer in self.failing:
            return ReadFailure(self.name, customer, self.failing[customer], "It did not answer.", "Wait.", "req-7")
        return Reading(self.name, customer, day, self.counts.get(customer, ()))

    def accounts(self, customer: str, groups: Collection[str], *, sign_ins: bool) -> Accounts:
        found = self.people.get(customer, Accounts(()))
        if isinstance(found, TrueUpError):
            raise found
        rows = tuple(replace(row, user=_asked_of(row.user, groups)) for row in found.rows)
        return replace(found, rows=rows, sign_ins_told=found.sign_ins_told and sign_ins)


def _asked_of(user: Holder, groups: Collection[str]) -> Holder:
    """What is told of a user's groups: of those that were asked for, as at Microsoft, unless a test says of which."""
    if user.groups_told is not None:
        return user
    asked = tuple(groups)
    return replace(user, groups=tuple(each for each in user.groups or () if each in asked), groups_told=asked)


class FakeManage:
    """Manage in memory. `fault(moment, method)` may raise before or after a call took effect."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate
        self._ids = itertools.count(9000)
        self.last_request_id: str | None = None
        self.companies_: list[Company] = []
        self.agreements_: dict[int, Agreement] = {}
        self.lines: dict[int, Addition] = {}
        catalog = (b.product(), b.product("M365-BS", 89))
        self.catalog: dict[str, Product] = {item.identifier: item for item in catalog}
        self.choices = CatalogChoices(
            (CatalogChoice(1, "Subscriptions", "Cloud"),), (CatalogChoice(1, "Software"),), (CatalogChoice(1, "Each"),)
        )
        self.calls: Counter[str] = Counter()
        self.entries: dict[int, CallbackEntry] = {}
        self.recaps_: dict[int, Recap] = {}
        self._nights: dict[str, dict[int, Recap]] = {}
        self.fault: Callable[[str, str], None] = lambda moment, method: None

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        yield

    @property
    def writes(self) -> int:
        return self.calls["create"] + self.calls["update"] + self.calls["delete"]

    def companies(self, ids: Sequence[int] | None = None) -> list[Company]:
        return self._call("companies", lambda: [each for each in self.companies_ if ids is None or each.id in ids])

    def agreements(self, company_id: int) -> list[Agreement]:
        return self._call("agreements", lambda: [a for a in self.agreements_.values() if a.company_id == company_id])

    def additions(self, agreement_id: int) -> list[Addition]:
        def additions() -> list[Addition]:
            if agreement_id not in self.agreements_:
                raise Gone("the agreement is not there")
            return [line for line in self.lines.values() if line.agreement_id == agreement_id]

        return self._call("additions", additions)

    def additions_stamped(self, agreement_id: int, stamp: str) -> list[Addition]:
        return self._call("look", lambda: [a for a in self.lines.values() if a.serial_number == stamp])

    def addition(self, agreement_id: int, addition_id: int) -> Addition:
        def line() -> Addition:
            if addition_id not in self.lines:
                raise Gone("the addition is not there")
            return self.lines[addition_id]

        return self._call("line", line)

    def recaps(self, night: str) -> dict[int, Recap]:
        """As they are when a night first asks."""
        if night not in self._nights:
            self._nights[night] = self._call("recaps", lambda: dict(self.recaps_))
        return self._nights[night]

    def products(self, identifiers) -> dict[str, Product]:
        return {name: item for name, item in self.catalog.items() if name in identifiers}

    def products_named(self, identifier: str) -> list[Product]:
        wanted = identifier.casefold()
        return self._call("named", lambda: [p for p in self.catalog.values() if p.identifier.casefold() == wanted])

    def catalog_choices(self) -> CatalogChoices:
        return self._call("choices", lambda: self.choices)

    def agreement_types(self) -> list[str]:
        return self._call("agreement types", lambda: ["Cloud", "Managed Services", "Projects"])

    def create_product(self, new: NewProduct) -> Product:
        def create() -> Product:
            made = Product(next(self._ids), new.identifier, new.description, new.price, new.cost)
            self.catalog[new.identifier] = made
            return made

        return self._call("create_product", create)

    def create_addition(self, agreement_id: int, fields: Fields) -> Addition:
        return self._write("create", lambda: self.create(agreement_id, fields))

    def update_addition(self, agreement_id: int, addition_id: int, fields: Fields) -> Addition:
        def update() -> Addition:
            if addition_id not in self.lines:
                raise Gone("the addition is not there")
            self.lines[addition_id] = replace(self.lines[addition_id], **fields)  # type: ignore[arg-type]
            return self.lines[addition_id]

        return self._write("update", update)

    def delete_addition(self, agreement_id: int, addition_id: int) -> None:
        self._write("delete", lambda: self.lines.pop(addition_id))

    def company_of_agreement(self, agreement_id: int) -> int:
        def company() -> int:
            if agreement_id not in self.agreements_:
                raise Gone("the agreement is not there")
            return self.agreements_[agreement_id].company_id

        return self._call("agreement", company)

    def callbacks(self) -> list[CallbackEntry]:
        return self._call("callbacks", lambda: list(self.entries.values()))

    def register_callback(self, url: str, type_: str) -> CallbackEntry:
        return self._call("register", lambda: self.registered(url, type_))

    def registered(self, url: str, type_: str, **values) -> CallbackEntry:
        """A new entry, whoever makes it."""
        entry = CallbackEntry(next(self._ids), url, type_, "owner", active=True, member="apisync")
        self.entries[entry.id] = replace(entry, **values)
        return self.entries[entry.id]

    def delete_callback(self, callback_id: int) -> None:
        self._call("unregister", lambda: self.entries.pop(callback_id, None))

    def create(self, agreement_id: int, fields: Fields) -> Addition:
        """The effect of a create: Manage knows no uniqueness, twice is two lines."""
        number = next(self._ids)
        product = next(item for item in self.catalog.values() if item.id == fields["product_id"])
        plain = b.addition(number, 0, on=agreement_id, product=product.identifier)
        self.lines[number] = replace(plain, **fields)  # type: ignore[arg-type]
        return self.lines[number]

    def said(self) -> list[tuple]:
        """What all lines say, without Manage's ids."""
        return sorted(
            (
                line.agreement_id,
                line.product,
                line.quantity,
                line.unit_price,
                str(line.effective_date),
                str(line.cancelled_date),
                line.serial_number,
                line.invoice_description,
            )
            for line in self.lines.values()
        )

    def _call(self, method: str, work):
        self._fate.step(f"manage.{method}")
        self.calls[method] += 1
        count_call("ConnectWise Manage")
        self.fault("before", method)
        result = work()
        self.last_request_id = f"look-{self.calls.total()}"
        self.fault("after", method)
        return result

    def _write(self, method: str, work):
        result = self._call(method, work)
        self.last_request_id = f"request-{self.calls.total()}"
        self._fate.step(f"answer of manage.{method}")
        return result


class NoCallbacks:
    """Nothing that is sent is a callback: flows begin behind the signature."""

    def read(self, body: bytes, signature: str) -> Callback:
        raise Refused("no callback")


class House:
    """All ports on fakes, and a worker loop that goes on after a kill as the platform would."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.fate = Fate()
        self.clock = FakeClock()
        self.tables = InMemoryTables()
        self.tables.fault = self._table_step
        self.queue = FakeQueue(self.clock, self.fate)
        self.manage = FakeManage(self.fate)
        self.contacts = FakeContacts(self.manage)
        self.source = FakeSource()
        self.ports = self._new_process(limits or Limits(lanes=2))

    def _new_process(self, limits: Limits) -> Ports:
        return Ports(
            clock=self.clock,
            queue=self.queue,
            manage=self.manage,
            own_manage=OwnManage(self.tables, ManageName("acme", "na.myconnectwise.net")),
            contacts=self.contacts,
            sources={self.source.name: self.source},
            rules=RulesStore(self.tables),
            companies=CompanyStore(self.tables),
            company_state=CompanyStateStore(self.tables),
            runs=RunStore(self.tables),
            schedules=ScheduleStore(self.tables),
            readings=ReadingStore(self.tables),
            vendor_invoices=VendorInvoiceStore(self.tables),
            balances=BalanceStore(self.tables),
            pushes=PushStore(self.tables),
            directory=DirectoryStore(self.tables),
            contact_rows=ContactStore(self.tables),
            due=DueStore(self.tables),
            erasure=Erasure(self.tables),
            callbacks=CallbackStore(self.tables),
            poison=PoisonStore(self.tables),
            callback_reader=NoCallbacks(),
            callback_url=CALLBACK_URL,
            limits=limits,
        )

    def _table_step(self, moment: str, operation: str, table: str) -> None:
        if moment == "before":
            self.fate.step(f"{operation} {table}")

    def rules(self, rules: Rules) -> None:
        self.ports.rules.save(rules, expected=self.ports.rules.load().version)

    def company(
        self,
        company: int,
        counted: Sequence = (),
        lines: Sequence[Addition] = (),
        *,
        mode: Mode = Mode.AUTO,
        **values: object,
    ) -> None:
        """A linked company with one agreement (its id is the company's plus 1000), a customer of its own and lines."""
        agreement = company + 1000
        tenant = f"tenant-{company}"
        self.manage.agreements_[agreement] = b.agreement(agreement, company_id=company)
        for line in lines:
            self.manage.lines[line.id] = replace(line, agreement_id=agreement)
        self.source.counts[tenant] = tuple(replace(item, customer=tenant) for item in counted)
        links = (CompanyLink(b.SOURCE, tenant),)
        self.ports.companies.put_rules(CompanyRules(company, f"Company {company}", mode, links, **values))

    def count(self, company: int, *counted) -> None:
        self.source.counts[f"tenant-{company}"] = tuple(counted)

    def sync(self, company: int, mode: Mode | None = None, run: str = "run") -> Synced:
        return sync_company(self.ports, Order(company, run, "me", mode))

    def state(self, company: int | str) -> CompanyState:
        return self.ports.company_state.load(company)

    def kinds(self, company: int) -> list[str]:
        """The kinds of a company's open findings."""
        return sorted(kind for kind, _ in self.state(company).findings)

    def work_until_done(self, run: str, kills: int = 50) -> None:
        """Works the queue as the platform does, the watchdog included, until the run has ended."""
        for _ in range(500):
            header = self._alive(lambda: self.ports.runs.header(run))
            if header is not None and header.ended is not None:
                return
            try:
                self._one_step()
            except Killed:
                kills -= 1
                assert kills >= 0, "the worker dies for ever"
                self.revive()
        raise AssertionError(f"run {run} does not end: {self.fate.log[-20:]}")

    def revive(self) -> None:
        """A new process takes over."""
        self.fate.dead = False
        self.fate.die_at = None
        self.ports = self._new_process(self.ports.limits)

    def _one_step(self) -> None:
        if not len(self.queue):
            self.clock.pass_by(seconds=self.ports.limits.silence + 1)
            lanes.watch(self.ports)
            return
        with self.queue.next_message() as (message, deliveries):
            lanes.work(self.ports, message, deliveries)

    def _alive(self, look):
        steps, die_at = self.fate.steps, self.fate.die_at
        self.fate.die_at = None
        try:
            return look()
        finally:
            self.fate.steps, self.fate.die_at = steps, die_at
