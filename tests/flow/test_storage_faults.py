"""A store that fails once, anywhere in a night: Manage and our records end as after an undisturbed night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest

from shared.billing.lines import LineKey, stamp_of
from shared.billing.profiles import Proration, ProrationRule
from shared.billing.rules import Schedule, SkuPolicy
from shared.callbacks import Callback
from shared.errors import Retryable, TrueUpError
from shared.state.company_state import MSP
from shared.state.records import HistoryEntry
from shared.state.rows import AlreadyThere, Changed
from shared.sync import callbacks, due, lanes, night, poison
from shared.sync.ports import Limits
from tests import builders as b
from tests.fakes.house import House
from tests.fakes.tables import Fault

NIGHT = "2026-11-21-nightly"
BEFORE_TWO = datetime(2026, 11, 21, 1, 59, tzinfo=UTC)
COMPANIES = (1, 2)
#: More findings than one transaction takes.
UNMAPPED = 120


def waiting_house() -> House:
    """An evening before a night with something of everything: a create, an update, an adoption, an end, a copy."""
    house = House(Limits(lanes=2))
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "standard")]
    computed = Proration(ProrationRule.COMPUTED)
    profiles = (b.profile(proration=computed), b.profile(id="standard", product="M365-BS", proration=computed))
    schedules = (Schedule("nightly", "nightly", "0 2 * * *"),)
    house.rules(b.rules(*profiles, policies=policies, schedules=schedules))
    unmapped = [b.count(1, sku=f"sku-{number:03d}", name=f"Product {number}") for number in range(UNMAPPED)]
    house.company(1, [b.count(5), b.count(3, sku=b.STANDARD, name="Business Standard"), *unmapped], [b.addition(11, 4)])
    ours = stamped(2, b.PREMIUM, 88)
    copies = [b.addition(number, 7, serial_number=ours) for number in (21, 22)]
    ending = b.addition(23, 2, serial_number=stamped(2, b.STANDARD, 89), product="M365-BS", product_id=89)
    house.company(2, [b.count(9)], [*copies, ending, b.addition(24, 50, product="BACKUP-GB", product_id=300)])
    house.source.counts["tenant-new"] = ()
    house.clock.time = BEFORE_TWO
    night.tick(house.ports)
    return house


def stamped(company: int, sku: str, product: int) -> str:
    return stamp_of(LineKey(company, company + 1000, f"{b.SOURCE}/{sku}"), product, date(2025, 1, 1))


def go_on(house: House, until: Callable[[], bool]) -> None:
    """As the platform does it: ticks every five minutes, the watchdog every two, messages when they are due.

    A trigger that raises is over; its message comes back by itself.
    """
    tick, watchdog = house.clock.time + timedelta(seconds=60), house.clock.time + timedelta(seconds=30)
    for _ in range(2_000):
        if until():
            return
        message = house.queue.next_due if len(house.queue) else tick
        house.clock.time = max(house.clock.time, min(tick, watchdog, message))
        with suppress(TrueUpError):
            if tick <= house.clock.time:
                tick += timedelta(minutes=5)
                night.tick(house.ports)
            elif watchdog <= house.clock.time:
                watchdog += timedelta(minutes=2)
                lanes.watch(house.ports)
                due.look(house.ports)
            else:
                with house.queue.next_message() as (sync, deliveries):
                    lanes.work(house.ports, sync, deliveries)
    raise AssertionError("it does not end")


def is_over(house: House, run: str = NIGHT) -> bool:
    """Whether there was such a run, by id or kind, and it has ended, and the job that started it is done as well."""
    headers = [header for header in house.ports.runs.headers(20) if run in (header.id, header.kind)]
    return bool(headers) and headers[0].ended is not None and not is_job_waiting(house)


def is_job_waiting(house: House) -> bool:
    """Whether the nightly job is at work, was killed, or is to be started again."""
    state = house.ports.schedules.get("nightly")
    if state is None or state.next_due is None:
        return False
    return state.running_since is not None or state.next_due <= house.clock.business_now()


@dataclass
class Records:
    """What a night leaves behind, without ids and moments that are new each time."""

    said: list[tuple]
    ledger: dict[int, list]
    seats: dict[int, object]
    history: Counter[tuple]
    findings: dict[object, list]
    intents: int
    outcomes: dict[int, str]
    runs: list[str]

    @classmethod
    def of(cls, house: House) -> Records:
        states = {company: house.state(company) for company in COMPANIES}
        entries = [
            (company, entry) for company in COMPANIES for entry in house.ports.company_state.history(company, 999)
        ]
        return cls(
            said=house.manage.said(),
            ledger={company: sorted(state.ledger) for company, state in states.items()},
            seats={company: state.seats for company, state in states.items()},
            history=Counter((company, entry.run, what(entry)) for company, entry in entries),
            findings={
                MSP: sorted(house.ports.company_state.load(MSP).findings),
                **{company: sorted(state.findings) for company, state in states.items()},
            },
            intents=sum(len(state.intents) for state in states.values()),
            outcomes={row.company: row.report.outcome.value for row in house.ports.runs.rows(NIGHT)},
            runs=[header.id for header in house.ports.runs.headers(20)],
        )


def what(entry: HistoryEntry) -> str:
    return entry.change.sentence if entry.change is not None else entry.note


def whole_night(fault: Fault) -> House:
    """A night from its tick to its end, with a fault of the tables in it."""
    house = waiting_house()
    quiet = house.tables.fault

    def over() -> bool:
        """Asked without the fault: only the night's own calls count."""
        house.tables.fault = quiet
        ended = is_over(house)
        house.tables.fault = fault
        return ended

    go_on(house, over)
    house.tables.fault = quiet
    return house


class Once:
    """Fails the `number`-th call of the tables, before it or after it took effect, with what the service would say."""

    def __init__(self, number: int, moment: str, error: Callable[[str], TrueUpError | None]) -> None:
        self._left = number
        self._moment = moment
        self._error = error
        self.hit = ""

    def __call__(self, moment: str, operation: str, table: str) -> None:
        if moment != self._moment or self.hit:
            return
        self._left -= 1
        error = self._error(operation) if self._left == 0 else None
        if error is not None:
            self.hit = f"{moment} {operation} {table}"
            raise error


def unavailable(operation: str) -> TrueUpError | None:
    """503, or no answer at all."""
    return Retryable("the storage account answered 503", system="storage", status=503)


def echo(operation: str) -> TrueUpError | None:
    """A write that took effect is repeated by the client and refused: 409 or 412."""
    if operation == "insert":
        return AlreadyThere("the row is there already", system="storage", status=409)
    conditional = operation in ("replace", "transact")
    return Changed("the row was changed meanwhile", system="storage", status=412) if conditional else None


@dataclass
class Undisturbed:
    """What a night and the one after it leave, and how many calls of the tables the night takes."""

    night: Records
    next: Records
    calls: int


@pytest.fixture(scope="module")
def undisturbed() -> Undisturbed:
    calls: Counter[str] = Counter()

    def count(moment: str, operation: str, table: str) -> None:
        calls[moment] += 1

    house = whole_night(count)
    records = Records.of(house)
    next_night(house)
    return Undisturbed(records, Records.of(house), calls["before"])


def next_night(house: House) -> None:
    house.clock.time = max(house.clock.time, datetime(2026, 11, 22, 1, 59, tzinfo=UTC))
    go_on(house, lambda: is_over(house, "2026-11-22-nightly"))


def test_the_undisturbed_night_does_everything(undisturbed):
    records = undisturbed.night
    assert records.outcomes == {1: "applied", 2: "applied"}
    assert sum(records.history.values()) == len(records.history) == 5 + 2, "five writes and two lines taken up"
    assert len(records.findings[1]) > 100
    assert records.findings[MSP] == [("customer-new", f"{b.SOURCE}/tenant-new")]
    assert (records.intents, records.runs) == (0, [NIGHT])
    assert undisturbed.next.history == records.history
    assert undisturbed.calls > 50


FAULTS = pytest.mark.parametrize(
    ("moment", "error"),
    [("before", unavailable), ("after", unavailable), ("after", echo)],
    ids=["not done", "done, not answered", "done, refused on repetition"],
)


@FAULTS
def test_whatever_call_of_the_store_fails_the_night_ends_as_if_undisturbed(undisturbed, moment, error):
    hit = set()
    for number in range(1, undisturbed.calls + 1):
        fault = Once(number, moment, error)
        house = whole_night(fault)
        if not fault.hit:
            continue
        hit.add(fault.hit)
        place = f"call {number} failed: {fault.hit}"
        assert Records.of(house) == undisturbed.night, place
        writes = house.manage.writes
        next_night(house)
        assert (house.manage.writes, Records.of(house)) == (writes, undisturbed.next), place
    assert {f"after transact {table}" for table in ("Runs", "CompanyState")} <= hit or moment == "before"
    assert len(hit) >= 5


@FAULTS
def test_whatever_call_of_the_store_fails_a_callback_that_is_sent_again_is_heard_once(moment, error):
    """Manage sends again what was not answered; if it does not, the company may be due all the same."""
    hit = set()
    for number in range(1, 20):
        house = waiting_house()
        quiet, fault = house.tables.fault, Once(number, moment, error)
        message = Callback("a message", "agreement", 1001, None, "jdoe")
        house.tables.fault = fault
        for _ in range(2):
            with suppress(TrueUpError):
                callbacks.receive(house.ports, message)
        house.clock.pass_by(minutes=2)
        with suppress(TrueUpError):
            due.look(house.ports)
        house.tables.fault = quiet
        hit |= {fault.hit} - {""}
        go_on(house, lambda house=house: is_over(house, "callback") and not house.ports.due.all())
        runs = [header for header in house.ports.runs.headers(5) if header.kind == "callback"]
        assert [row.company for header in runs for row in house.ports.runs.rows(header.id)] == [1], fault.hit
    assert len(hit) >= 4


@FAULTS
def test_whatever_call_of_the_store_fails_a_parked_message_that_is_noted_again_is_told_once(moment, error):
    for number in range(1, 10):
        house = waiting_house()
        quiet, fault = house.tables.fault, Once(number, moment, error)
        house.tables.fault = fault
        for _ in range(2):
            with suppress(TrueUpError):
                poison.note(house.ports, "no message")
        house.tables.fault = quiet
        (message,) = house.ports.poison.all()
        assert [kind for kind, _ in house.ports.company_state.load(MSP).findings] == ["poison"], fault.hit
        house.tables.fault = fault
        for _ in range(2):
            with suppress(TrueUpError):
                poison.dismiss(house.ports, message.id)
        house.tables.fault = quiet
        assert house.ports.poison.all() == [], fault.hit
        assert not house.ports.company_state.load(MSP).findings, fault.hit
