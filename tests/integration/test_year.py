"""A year of nights and invoices on the sandbox and the emulator: what is billed is what the seats owe, to the cent.

Seats are moved, nights are run and missed, invoices are run early, late and on the day itself. What is owed is computed
here, from the counts that the nights came past and the days on which invoices were run alone.
"""

from __future__ import annotations

import calendar as months
import io
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

import httpx
import pytest
import requests
from ruamel.yaml import YAML

from local.azurite import running_azurite
from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.world.lines import owed as bought
from local.sandbox.world.model import Consent, LinkedCompany
from local.sandbox.world.msp import INCLUDED_SEATS
from local.sandbox.world.rules import rules_document
from local.sandbox.world.skus import CLOUD, SKUS, Sku
from shared.bootstrap import make_ports
from shared.queues import SyncMessage
from shared.settings import load_settings
from shared.sources.microsoft365.source import Microsoft365Source
from shared.sync import lanes, night, rulebook
from shared.sync.ports import Ports

FIRST_NIGHT, LAST_DAY = date(2026, 12, 1), date(2027, 7, 31)
#: By then every line that was written is invoiced, also on agreements that are billed ahead.
ALL_INVOICED = date(2028, 6, 30)
BEFORE = -1  # the order of what happened before the first night
SEED = 2027

#: This Manage is not the one that is believed in: it leaves cancelled days free, which its setting says, and stands
#: otherwise in every other way that needs none.
SWITCHES = {
    "cancelled_day_billed": False,
    "zero_lines_printed": True,
    "prorate_start_day_included": False,
    "cancellation_prorated": True,
    "invoiced_delete_refused": True,
    "derived_writes_refused": True,
    "effective_date_today": False,
    "unset_dates_empty": True,
    "addition_status_reported": True,
    "product_id_filter_refused": True,
}
SETTINGS = {"TRUEUP_MANAGE_CANCELLED_DAY": "free"}

#: Additions as Manage answers them, by id.
Lines = dict[int, dict[str, Any]]


# ---- the calendars, on their own


@dataclass(frozen=True)
class Calendar:
    """How an agreement is billed. `next_invoice` is the date of its first invoice in this year."""

    next_invoice: date = FIRST_NIGHT
    length: int = 1
    anchor: date | None = None
    future: bool = False
    prorates: bool = False

    def period(self, day: date) -> tuple[date, date]:
        anchor = self.anchor or date(2000, 1, 1)
        number = 0
        while later(anchor, (number + 1) * self.length) <= day:
            number += 1
        return later(anchor, number * self.length), later(anchor, (number + 1) * self.length) - timedelta(days=1)

    def fields(self, cycles: dict[str, int]) -> dict[str, Any]:
        """What a person enters in Manage."""
        entered = {
            "billingCycle": {"id": cycles[{1: "Monthly", 3: "Quarterly"}[self.length]]},
            "periodType": "Future" if self.future else "Current",
            "nextInvoiceDate": f"{self.next_invoice}T00:00:00Z",
            "prorateFlag": self.prorates,
        }
        if self.anchor is not None:
            entered |= {"invoicingCycle": "ContractYear", "billStartDate": f"{self.anchor}T00:00:00Z"}
        return entered


def later(day: date, count: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


#: Of the companies' agreements for cloud subscriptions, in turn.
CALENDARS = (
    Calendar(prorates=True),
    Calendar(next_invoice=date(2026, 12, 15), anchor=date(2025, 3, 15)),
    Calendar(next_invoice=date(2027, 1, 1), length=3),
    Calendar(future=True),
    Calendar(next_invoice=date(2026, 12, 31), anchor=date(2025, 1, 31), prorates=True),
    Calendar(),
    Calendar(next_invoice=date(2026, 12, 5), length=3, anchor=date(2025, 2, 10), future=True),
    Calendar(next_invoice=date(2026, 12, 20), anchor=date(2026, 1, 20), future=True),
)

#: Of the profiles, in turn.
PRORATIONS: tuple[dict[str, Any], ...] = (
    {"rule": "computed", "start_day": "excluded"},
    {"rule": "computed", "start_day": "included"},
    {"rule": "full"},
    {"rule": "none"},
    {"rule": "computed", "start_day": "excluded", "always_split": True},
)


# ---- what is owed


@dataclass(frozen=True)
class Seen:
    """A night's count, and when in the order of all nights and invoices it was seen."""

    order: int
    day: date
    count: int


@dataclass
class Item:
    """What one agreement bills of one product. `line_before`: what a person's line said before the first night."""

    tenant: str
    sku: Sku
    agreement: int
    calendar: Calendar
    proration: dict[str, Any]
    price: Decimal
    line_before: int
    included: int
    nights: list[Seen] = field(default_factory=list)

    @property
    def key(self) -> tuple[int, str]:
        return (self.agreement, self.sku.product)


def share(item: Item, first: date, last: date, day: date) -> Decimal:
    """What one seat that comes on a day after the first costs in this period."""
    if item.proration["rule"] == "full":
        return item.price
    length, left = (last - first).days + 1, (last - day).days + (item.proration["start_day"] == "included")
    return (item.price * left / length).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def owed(item: Item, invoiced: dict[date, int]) -> Decimal:
    """Seat number k of a period is charged once: in full if it existed on the first day, else its share.

    `invoiced` is when each period was invoiced, by its first day. A period invoiced ahead is charged what was counted
    by then, and in full what comes until it begins. Periods invoiced before the first night have been paid for what
    their line said, and nothing is charged for seats that stood on the first night without one.
    """
    total = Decimal(0)
    first, last = item.calendar.period(FIRST_NIGHT)
    while first <= max(invoiced):
        run = invoiced.get(first, BEFORE)
        charged, existed = _charged_by(item, first, run)
        if run != BEFORE:
            total += charged * item.price
        if item.proration["rule"] != "none":
            ahead = [seen.count for seen in item.nights if seen.order > run and seen.day <= first]
            highest = max(charged, existed, *ahead)
            total += (highest - charged) * item.price
            for seen in item.nights:
                if first < seen.day <= last and seen.count > highest:
                    total += (seen.count - highest) * share(item, first, last, seen.day)
                    highest = seen.count
        first, last = item.calendar.period(last + timedelta(days=1))
    return total


def _charged_by(item: Item, first: date, run: int) -> tuple[int, int]:
    """The seats that a period's invoice charged, and those that existed on its first day as far as is known."""
    existed = [seen.count for seen in item.nights if seen.day <= first][-1]
    if run == BEFORE:
        return max(item.line_before, item.nights[0].count), existed
    by_then = [seen for seen in item.nights if seen.order < run]
    return (by_then[-1].count if by_then[-1].day < first else existed), existed


# ---- the year


class _Queue:
    """Hands out the messages of a run in the process that sent them."""

    def __init__(self) -> None:
        self.messages: list[SyncMessage] = []

    def send(self, message: SyncMessage, delay: int = 0) -> None:
        self.messages.append(message)


@dataclass
class House:
    """The MSP on the sandbox, and TrueUp on the emulator."""

    sandbox: SandboxThread
    controls: requests.Session
    ports: Ports
    queue: _Queue

    def call(self, method: str, control: str, **body: Any) -> Any:
        answer = self.controls.request(method, f"{self.sandbox.url}/_sandbox/{control}", json=body, timeout=20)
        assert answer.ok, answer.text
        return answer.json()

    def additions(self) -> Lines:
        return {line["id"]: line for line in self.call("GET", "additions")["additions"]}

    def seats(self, tenant: str, sku: Sku) -> int:
        return bought(self.sandbox.msp.tenants[tenant], sku.id)

    def run(self, again_on: date | None = None) -> int:
        """A night, or a second run on its day, worked until it has ended; how many additions it wrote."""
        if again_on is None:
            night.nightly(self.ports)
        else:
            linked = [company.id for company in self.ports.companies.all() if company.links]
            lanes.start_run(self.ports, f"{again_on}-again", "api", linked)
        while self.queue.messages:
            lanes.work(self.ports, self.queue.messages.pop(0), 1)
        header = self.ports.runs.headers(1)[0]
        reports = [row.report for row in self.ports.runs.rows(header.id)]
        assert header.ended is not None
        assert {report.outcome.value for report in reports} <= {"unchanged", "applied", "failed"}
        return sum(sum(report.written.values()) for report in reports)

    def findings(self) -> set[str]:
        """The kinds of what is open for a person to decide."""
        states = [self.ports.company_state.load(linked.company) for linked in self.sandbox.msp.linked]
        return {kind for state in states for kind, _ in state.findings}


@dataclass
class Year:
    """What was to be billed, what was seen and invoiced, and what the additions said at both ends."""

    items: list[Item] = field(default_factory=list)
    lines_before: Lines = field(default_factory=dict)
    lines: Lines = field(default_factory=dict)
    invoiced: dict[int, dict[date, int]] = field(default_factory=dict)
    billed: list[dict[str, Any]] = field(default_factory=list)
    billed_again: list[dict[str, Any]] = field(default_factory=list)
    second_runs: list[bool] = field(default_factory=list)
    findings: set[str] = field(default_factory=set)
    order: int = 0

    def is_ours(self, line: dict[str, Any], kind: str = "") -> bool:
        return line.get("serialNumber", "").startswith(f"TU1-{kind}")

    def charged(self, item: Item, *, again: bool = False) -> Decimal:
        """What the invoices charged for our lines of an item, or those that were run again after all were deleted."""
        amounts = [
            Decimal(str(line["amount"]))
            for line in (self.billed_again if again else self.billed)
            if (line["agreement"], line["product"]) == item.key and self.is_ours(self.lines[line["addition"]])
        ]
        return sum(amounts, Decimal(0))


@pytest.fixture(scope="module")
def year() -> Year:
    lived = Year()
    options = Options(companies=len(CALENDARS), seed=6, now=datetime(2026, 11, 21, 2, tzinfo=UTC))
    with running_azurite() as azurite, SandboxThread(options) as sandbox, requests.Session() as controls:
        settings = load_settings({**sandbox.settings(), **SETTINGS, "AzureWebJobsStorage": azurite.connection_string})
        queue = _Queue()
        # Nobody closes connections to Graph that are kept alive; pytest would find one and complain.
        transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))
        source = Microsoft365Source(settings.microsoft, http=transport)
        ports = replace(make_ports(settings), queue=queue, sources={source.name: source})
        live(lived, House(sandbox, controls, ports, queue), Random(SEED))
    return lived


def set_up(year: Year, house: House) -> None:
    """The rules with several ways to prorate, agreements with several calendars, and what will be billed where."""
    house.call("PUT", "switches", **SWITCHES)
    document = rules_document(house.sandbox.msp, "auto")
    document["guards"] = {
        "all_to_zero": False,
        "invoiced_at_once": 12,
        "reduction": {"percent": 100, "small": 100_000, "units": 100_000, "money": 10_000_000},
    }
    for number, profile in enumerate(document["profiles"]):
        profile["proration"] = dict(PRORATIONS[number % len(PRORATIONS)])
    text = io.StringIO()
    YAML().dump(document, text)
    rulebook.import_rules(house.ports, text.getvalue())
    prorations = {profile["id"]: profile["proration"] for profile in document["profiles"]}
    records = house.sandbox.msp.records
    cycles = {cycle["name"]: cycle["id"] for cycle in records.all("billingCycles")}
    for linked, calendar in zip(house.sandbox.msp.linked, CALENDARS, strict=True):
        for agreement in records.of_parent("agreements", linked.company):
            if agreement["billingCycle"]["name"] == "Monthly":
                chosen = calendar if agreement["type"]["name"] == CLOUD else Calendar()
                fields = chosen.fields(cycles)
                house.call("POST", "person", do="edit-agreement", agreement=agreement["id"], fields=fields)
        found = (item_of(house, linked, sku, calendar, prorations) for sku in SKUS.values())
        year.items += [item for item in found if item is not None]


def item_of(
    house: House, linked: LinkedCompany, sku: Sku, calendar: Calendar, prorations: dict[str, dict[str, Any]]
) -> Item | None:
    """What will be billed of a SKU; None where a person has to decide first, or nobody is to be billed."""
    records, tenant = house.sandbox.msp.records, house.sandbox.msp.tenants[linked.tenant]
    everywhere = records.of_parent("agreements", linked.company)
    agreements = [agreement["id"] for agreement in everywhere if agreement["type"]["name"] == sku.agreement_type]
    licence = next((licence for licence in linked.licences if licence["sku"] == sku.id), {})
    if not sku.mapped or "do_not_bill" in licence or len(agreements) != 1 or tenant.consent is not Consent.GRANTED:
        return None
    additions = [line for agreement in everywhere for line in records.of_parent("additions", agreement["id"])]
    lines = [line for line in additions if line["product"]["identifier"] == sku.product]
    is_marked = any(line.get("serialNumber") for line in lines)
    if len(lines) > 1 or (is_marked and not linked.adopt_marked) or (lines and not bought(tenant, sku.id)):
        return None
    return Item(
        tenant=tenant.id,
        sku=sku,
        agreement=agreements[0],
        calendar=calendar if sku.agreement_type == CLOUD else Calendar(),
        proration=prorations[str(licence.get("profile", sku.profile))],
        price=Decimal(str(lines[0]["unitPrice"])) if lines else sku.price,
        line_before=int(lines[0]["quantity"]) if lines else 0,
        included=INCLUDED_SEATS if "profile" in licence else 0,
    )


def live(year: Year, house: House, rng: Random) -> None:
    """Eight months of nights and invoices, then everything that is left to invoice."""
    set_up(year, house)
    year.lines_before = house.additions()
    first = FIRST_NIGHT
    while first <= LAST_DAY:
        days = [first + timedelta(days=number) for number in range(months.monthrange(first.year, first.month)[1])]
        nights = {*rng.sample(days[1:], 2), *rng.sample(days[:1], rng.choice([0, 1]))}
        if first == FIRST_NIGHT:
            nights.add(FIRST_NIGHT)
        missed = {rng.choice(days[1:])}
        invoicing = {rng.choice([days[0], days[0], *nights]), rng.choice(days)} if rng.random() < 0.8 else set()
        for day in sorted(nights | missed | invoicing):
            house.call("PUT", "clock", now=f"{day}T02:00:00Z")
            if day in missed | nights and day > FIRST_NIGHT:
                move_seats(year, house, rng)
            live_through(year, house, rng, day, has_night=day in nights, invoices=day in invoicing)
        first = later(first, 1)
    invoice(year, house, ALL_INVOICED)
    for made in reversed(house.call("GET", "invoices")["invoices"]):
        house.call("DELETE", f"invoices/{made['id']}")
    year.billed_again = run_invoices(house, ALL_INVOICED)[1]
    year.lines, year.findings = house.additions(), house.findings()


def live_through(year: Year, house: House, rng: Random, day: date, *, has_night: bool, invoices: bool) -> None:
    """One day: invoices are run before or after its night, for what is due by then or ahead of time."""
    through = day + timedelta(days=rng.choice([0, 0, 0, 4, 12, 35]))
    # No invoice is run before the first night: the lines are first seen there.
    before_the_night = rng.random() < 0.5 and day > FIRST_NIGHT
    if invoices and before_the_night:
        invoice(year, house, through)
    if has_night:
        house.run()
        notice(year, house, day)
        if year.order % 7 == 1:
            before = house.additions()
            year.second_runs.append(house.run(again_on=day) == 0 and house.additions() == before)
    if invoices and not before_the_night:
        invoice(year, house, through)


def notice(year: Year, house: House, day: date) -> None:
    """Keeps what the night came past. What stands on the first night is taken to have stood before."""
    year.order += 1
    for item in year.items:
        count = max(house.seats(item.tenant, item.sku) - item.included, 0)
        item.nights.append(Seen(year.order, day if item.nights else date.min, count))


def invoice(year: Year, house: House, through: date) -> None:
    """Bills what is due by then, and keeps when each period was invoiced."""
    year.order += 1
    periods, lines = run_invoices(house, through)
    for agreement, first in periods:
        year.invoiced.setdefault(agreement, {})[first] = year.order
    year.billed += lines


def run_invoices(house: House, through: date) -> tuple[list[tuple[int, date]], list[dict[str, Any]]]:
    """The invoiced periods as agreement and first day, and the lines of the invoices with their agreement."""
    made = house.call("POST", "invoices", through=through.isoformat())["invoices"]
    periods = [(one["agreement"], date.fromisoformat(one["period"]["from"])) for one in made]
    return periods, [{**line, "agreement": one["agreement"]} for one in made for line in one["lines"]]


def move_seats(year: Year, house: House, rng: Random) -> None:
    """Some of every company's SKUs up and down, also to nothing, back to an earlier count, or for the first time.

    A line that a person gave a price of its own never comes down to nothing: what begins anew has the list price.
    """
    for linked in house.sandbox.msp.linked:
        own = {item.sku.product: item for item in year.items if item.tenant == linked.tenant}
        known = [sku for sku in SKUS.values() if house.seats(linked.tenant, sku) or _was_seen(own.get(sku.product))]
        for sku in [rng.choice(list(SKUS.values())), *rng.sample(known, min(len(known), 2))]:
            item, now = own.get(sku.product), house.seats(linked.tenant, sku)
            floor = 0 if item is None or item.price == sku.price else 1 + item.included
            earlier = rng.choice(item.nights).count + item.included if item is not None else now
            count = max(rng.choice([0, earlier, now + 1, now + 2, now + 7, now - 1, now - 3]), floor)
            house.call("PUT", "seats", tenant=linked.tenant, sku=sku.id, enabled=count)


def _was_seen(item: Item | None) -> bool:
    return item is not None and any(seen.count for seen in item.nights)


def test_the_invoices_of_a_year_charge_what_the_seats_owe_to_the_cent(year: Year) -> None:
    charged = {item.key: year.charged(item) for item in year.items}

    assert charged == {item.key: owed(item, year.invoiced[item.agreement]) for item in year.items}


def test_lines_that_are_always_split_charge_the_same_when_every_invoice_is_deleted_and_run_again(year: Year) -> None:
    split = [item for item in year.items if item.proration.get("always_split") and year.charged(item)]

    assert len(split) >= 5
    assert {item.key: year.charged(item, again=True) for item in split} == {
        item.key: year.charged(item) for item in split
    }


def test_every_way_to_prorate_and_every_calendar_has_been_at_work(year: Year) -> None:
    charged_once = {
        (line["agreementId"], line["product"]["identifier"])
        for line in year.lines.values()
        if year.is_ours(line, kind="O")
    }
    at_work = [item for item in year.items if item.key in charged_once]

    assert {str(item.proration) for item in at_work} == {str(way) for way in PRORATIONS if way["rule"] != "none"}
    # One company has not consented, and which agreement of another is meant is ambiguous.
    assert len({item.calendar for item in at_work}) >= len(CALENDARS) - 2
    assert any(item.line_before and 0 in [seen.count for seen in item.nights[:-1]] for item in at_work)


def test_a_second_run_on_the_same_day_writes_nothing(year: Year) -> None:
    assert len(year.second_runs) >= 3
    assert all(year.second_runs)


def test_what_a_person_has_to_decide_first_stays_untouched(year: Year) -> None:
    billed = {item.key for item in year.items}

    def others(lines: Lines) -> Lines:
        """Lines of what we do not bill, but for the status that Manage derives from their dates."""
        return {
            number: {name: value for name, value in line.items() if name != "agreementStatus"}
            for number, line in lines.items()
            if (line["agreementId"], line["product"]["identifier"]) not in billed
        }

    assert others(year.lines) == others(year.lines_before)
    # Not only lines of products that no rule mentions.
    assert len(SKUS.keys() & {line["product"]["identifier"] for line in others(year.lines).values()}) >= 3
    assert {"consent-lost", "ambiguous-agreement", "unmapped"} <= year.findings
