"""A year of nights and invoices on the sandbox and the emulator: what is billed is what the seats owe, to the cent.

Seats are moved, nights are run and missed, invoices are run early, late and on the day itself. What is owed is computed
here, from the counts that the nights came past and the days on which invoices were run alone. On the way a person
moves a line to another agreement and marks a link as removed.
"""

from __future__ import annotations

import calendar as months
import io
import json
import os
from collections.abc import Callable
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
from local.sandbox.world.rules import SOURCE, rules_document
from local.sandbox.world.skus import CLOUD, SKUS, Sku
from shared.bootstrap import make_ports
from shared.queues import SyncMessage
from shared.settings import load_settings
from shared.sources.microsoft365.source import Microsoft365Source
from shared.sync import lanes, night, rulebook
from shared.sync.ports import Ports

FIRST_NIGHT, LAST_DAY = date(2026, 12, 1), date(2027, 11, 30)
#: By then every line that was written is invoiced, also on agreements that are billed ahead.
ALL_INVOICED = date(2028, 10, 31)
BEFORE = -1  # the order of what happened before the first night
SEED = int(os.environ.get("TRUEUP_SEED", "2027"))

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
SETTINGS = {"TRUEUP_MANAGE_CANCELLED_DAY": "free", "TRUEUP_MANAGE_PRORATE_START_DAY": "excluded"}

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


#: Of the companies that are billed, by their place in the MSP; the others would only take time.
BILLED = (0, 1, 2, 3, 4, 6)
#: Of their agreements for cloud subscriptions, in turn.
CALENDARS = (
    Calendar(prorates=True),
    Calendar(next_invoice=date(2026, 12, 15), anchor=date(2025, 3, 15)),
    Calendar(),  # of the company that has not consented
    Calendar(future=True),
    Calendar(next_invoice=date(2026, 12, 31), anchor=date(2025, 1, 31), prorates=True),
    Calendar(next_invoice=date(2026, 12, 5), length=3, anchor=date(2025, 2, 10), future=True),
)

#: Of the profiles, in turn.
PRORATIONS: tuple[dict[str, Any], ...] = (
    {"rule": "computed", "start_day": "excluded"},
    {"rule": "computed", "start_day": "included"},
    {"rule": "full"},
    {"rule": "none"},
    {"rule": "computed", "start_day": "excluded", "always_split": True},
)

#: Of the profiles that bill in other ways, what differs from the others.
BANDS = [{"upto": 3, "price": 8.15}, {"upto": 7, "price": 6.37}, {"price": 4.99}]
WAYS: dict[str, dict[str, Any]] = {
    "entra-p1": {"price": {"kind": "tiered", "bands": BANDS}},
    "project-p3": {"price": {"kind": "tiered", "bands": BANDS}},
    "m365-e3": {"price": {"kind": "volume", "bands": BANDS}},
    "m365-f3": {"price": {"kind": "volume", "bands": BANDS}},
    "m365-e5": {"arrears": "highest", "price": {"kind": "product"}},
    "o365-e3": {"arrears": "last", "price": {"kind": "product"}},
    "def-p1": {"proration": {"rule": "computed", "start_day": "excluded", "decrease": "credit"}},
    "m365-copilot": {"proration": {"rule": "computed", "start_day": "included", "decrease": "credit"}},
}
#: What Manage itself prorates at the companies whose agreements for cloud subscriptions prorate.
BY_MANAGE = "TEAMS-PHONE"
MANAGE = {"rule": "manage", "start_day": "excluded"}
#: What moves from one agreement to another, at the company that has two.
MOVING = "M365-BP"
#: The place among them of the company whose link a person marks as removed.
REMOVED = 5


# ---- what is owed

#: The price of a unit where so many are reached.
Price = Callable[[int], Decimal]


@dataclass(frozen=True)
class Seen:
    """A night's count, and when in the order of all nights and invoices it was seen."""

    order: int
    day: date
    count: int


@dataclass
class Item:
    """What one agreement bills of one product. `line_before`: what a person's line said before the first night.

    `since` and `until` are the first days of the first period that is billed here, and of the first one that is not.
    """

    tenant: str
    sku: Sku
    agreement: int
    calendar: Calendar
    proration: dict[str, Any]
    price: Decimal
    line_before: int
    included: int
    bands: tuple[tuple[int, Decimal], ...] = ()
    price_kind: str = "keep"
    arrears: str = ""
    since: date = date.min
    until: date = date.max
    nights: list[Seen] = field(default_factory=list)

    @property
    def key(self) -> tuple[int, str]:
        return (self.agreement, self.sku.product)


def share(item: Item, price: Decimal, first: date, last: date, day: date) -> Decimal:
    """What one seat that comes, or goes, on a day after the first costs in this period."""
    if item.proration["rule"] == "full":
        return price
    length, left = (last - first).days + 1, (last - day).days + (item.proration["start_day"] == "included")
    return (price * left / length).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def owed(item: Item, invoiced: dict[date, int]) -> Decimal:
    """What all periods owe; with tiered prices each band what its own seats owe at its own price."""
    if item.arrears:
        return _used(item)
    if item.proration.get("decrease") == "credit":
        return _owed_with_credits(item, invoiced)
    if item.price_kind == "tiered":
        return sum((_owed_at(part, lambda _, p=price: p, invoiced) for part, price in _bands(item)), Decimal(0))
    return _owed_at(item, lambda count: _price(item, count), invoiced)


def _price(item: Item, count: int) -> Decimal:
    if item.price_kind != "volume":
        return item.price
    return next(price for upto, price in item.bands if count <= upto)


def _bands(item: Item) -> list[tuple[Item, Decimal]]:
    """The item as if each band were all of it."""
    parts, lower = [], 0
    for upto, price in item.bands:
        nights = [replace(seen, count=max(min(seen.count, upto) - lower, 0)) for seen in item.nights]
        parts.append((replace(item, nights=nights), price))
        lower = upto
    return parts


def _periods(item: Item, invoiced: dict[date, int]) -> list[tuple[date, date]]:
    """Those that an item is billed for, from that of the first night up to the last that was invoiced."""
    found, (first, last) = [], item.calendar.period(FIRST_NIGHT)
    while first <= max(invoiced):
        if item.since <= first < item.until:
            found.append((first, last))
        first, last = item.calendar.period(last + timedelta(days=1))
    return found


def _owed_at(item: Item, price: Price, invoiced: dict[date, int]) -> Decimal:
    """Seat number k of a period is charged once: in full if it existed on the first day, else its share.

    `invoiced` is when each period was invoiced, by its first day. A period invoiced ahead is charged what was counted
    by then, and in full what comes until it begins. Periods invoiced before the first night have been paid for what
    their line said, and nothing is charged for seats that stood on the first night without one.
    """
    total = Decimal(0)
    for first, last in _periods(item, invoiced):
        run = invoiced.get(first, BEFORE)
        highest = _charged_by(item, first, run)
        if run != BEFORE:
            total += highest * price(highest)
        if item.proration["rule"] == "none":
            continue
        for seen in item.nights:
            if seen.count <= highest or seen.day > last or (seen.day <= first and seen.order < run):
                continue
            one = price(seen.count)
            total += (seen.count - highest) * (one if seen.day <= first else share(item, one, first, last, seen.day))
            highest = seen.count
    return total


def _owed_with_credits(item: Item, invoiced: dict[date, int]) -> Decimal:
    """Every period is charged what existed on its first day, and each change within it the share that is left then.

    Seats that stood on the first night in a period invoiced before, and that nobody paid for, are neither charged nor
    credited: they go first, and come back first.
    """
    total = Decimal(0)
    for first, last in _periods(item, invoiced):
        was_paid = first not in invoiced
        unpaid = stood_unpaid = max(item.nights[0].count - item.line_before, 0) if was_paid else 0
        before = item.nights[0].count if was_paid else 0
        changes = [(seen.day, seen.count) for seen in item.nights if first < seen.day <= last]
        for day, count in [(first, _existed(item, first)), *changes]:
            of_unpaid = min(max(count - before, -unpaid), stood_unpaid - unpaid)
            unpaid += of_unpaid
            one = item.price if day == first else share(item, item.price, first, last, day)
            total += (count - before - of_unpaid) * one
            before = count
    return total


def _used(item: Item) -> Decimal:
    """Usage is charged once for every period that was over on a night: its last value, or its highest.

    One without any night is a person's to bill.
    """
    total = Decimal(0)
    first, last = item.calendar.period(FIRST_NIGHT)
    while last < item.nights[-1].day:
        told = [seen.count for seen in item.nights if first < seen.day <= last]
        if told or _was_read_on(item, first):
            told = [_existed(item, max(first, FIRST_NIGHT)), *told]
            total += (max(told) if item.arrears == "highest" else told[-1]) * item.price
        first, last = item.calendar.period(last + timedelta(days=1))
    return total


def _was_read_on(item: Item, first: date) -> bool:
    """Whether a night came past on the first day of a period, or the first night in it."""
    return any(seen.day == first for seen in item.nights) or first <= FIRST_NIGHT


def _existed(item: Item, first: date) -> int:
    """What is known to have existed on a day."""
    return [seen.count for seen in item.nights if seen.day <= first][-1]


def _charged_by(item: Item, first: date, run: int) -> int:
    """The seats that a period's invoice charged."""
    if run == BEFORE:
        return max(item.line_before, item.nights[0].count)
    by_then = [seen for seen in item.nights if seen.order < run]
    return by_then[-1].count if by_then[-1].day < first else _existed(item, first)


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
    document: dict[str, Any]

    def import_rules(self) -> None:
        text = io.StringIO()
        # Values that are written out where they belong, none that point at another place.
        YAML().dump(json.loads(json.dumps(self.document)), text)
        rulebook.import_rules(self.ports, text.getvalue())

    def company(self, company: int) -> dict[str, Any]:
        """A company of the rules document."""
        found: dict[str, Any] = next(each for each in self.document["companies"] if each["company"] == company)
        return found

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
    return lived(SEED)


def lived(seed: int) -> Year:
    year = Year()
    options = Options(companies=8, seed=6, now=datetime(2026, 11, 21, 2, tzinfo=UTC))
    with running_azurite() as azurite, SandboxThread(options) as sandbox, requests.Session() as controls:
        sandbox.msp.linked[:] = [sandbox.msp.linked[place] for place in BILLED]
        settings = load_settings({**sandbox.settings(), **SETTINGS, "AzureWebJobsStorage": azurite.connection_string})
        queue = _Queue()
        # Nobody closes connections to Graph that are kept alive; pytest would find one and complain.
        transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))
        source = Microsoft365Source(settings.microsoft, http=transport)
        ports = replace(make_ports(settings), queue=queue, sources={source.name: source})
        document = rules_document(sandbox.msp, "auto")
        live(year, House(sandbox, controls, ports, queue, document), Random(seed))
    return year


def set_up(year: Year, house: House, rng: Random) -> None:
    """The rules with many ways to bill, agreements with several calendars, and what will be billed where."""
    house.call("PUT", "switches", **SWITCHES)
    set_up_rules(house)
    house.import_rules()
    profiles = {profile["id"]: profile for profile in house.document["profiles"]}
    records = house.sandbox.msp.records
    cycles = {cycle["name"]: cycle["id"] for cycle in records.all("billingCycles")}
    for linked, calendar in zip(house.sandbox.msp.linked, CALENDARS, strict=True):
        tenant = house.sandbox.msp.tenants[linked.tenant]
        if tenant.consent is Consent.GRANTED:
            for sku in (sku for sku in SKUS.values() if sku.profile in WAYS and not bought(tenant, sku.id)):
                house.call("PUT", "seats", tenant=tenant.id, sku=sku.id, enabled=rng.randint(0, 9))
        chosen = {CLOUD: calendar}
        for agreement in records.of_parent("agreements", linked.company):
            if agreement["billingCycle"]["name"] == "Monthly":
                # A second agreement of the same type is an ordinary one.
                fields = chosen.pop(agreement["type"]["name"], Calendar()).fields(cycles)
                house.call("POST", "person", do="edit-agreement", agreement=agreement["id"], fields=fields)
        found = (item_of(house, linked, sku, calendar, profiles) for sku in SKUS.values())
        year.items += [item for item in found if item is not None]


def set_up_rules(house: House) -> None:
    """Profiles that bill in every way, and companies that let Manage prorate or say where something is billed."""
    document = house.document
    document["guards"] = {
        "all_to_zero": False,
        "invoiced_at_once": 12,
        "increase": {"factor": 1000, "small": 100_000},
        "reduction": {"percent": 100, "small": 100_000, "units": 100_000, "money": 10_000_000},
    }
    for number, profile in enumerate(document["profiles"]):
        profile["proration"] = dict(PRORATIONS[number % len(PRORATIONS)])
        profile.update(WAYS.get(profile["id"], {}))
    own = next(profile for profile in document["profiles"] if profile["id"] == SKUS[BY_MANAGE].profile)
    document["profiles"].append({**own, "id": "by-manage", "proration": MANAGE})
    for linked, calendar in zip(house.sandbox.msp.linked, CALENDARS, strict=True):
        licences = house.company(linked.company).setdefault("licences", [])
        if calendar.prorates:
            licences.append({"source": SOURCE, "sku": SKUS[BY_MANAGE].id, "profile": "by-manage"})
        agreements = cloud_agreements(house, linked)
        if len(agreements) > 1:
            licences.append({"source": SOURCE, "sku": SKUS[MOVING].id, "agreement": agreements[0]})


def cloud_agreements(house: House, linked: LinkedCompany) -> list[int]:
    everywhere = house.sandbox.msp.records.of_parent("agreements", linked.company)
    return [agreement["id"] for agreement in everywhere if agreement["type"]["name"] == CLOUD]


def item_of(
    house: House, linked: LinkedCompany, sku: Sku, calendar: Calendar, profiles: dict[str, dict[str, Any]]
) -> Item | None:
    """What will be billed of a SKU; None where a person has to decide first, or nobody is to be billed."""
    records, tenant = house.sandbox.msp.records, house.sandbox.msp.tenants[linked.tenant]
    everywhere = records.of_parent("agreements", linked.company)
    agreements = [agreement["id"] for agreement in everywhere if agreement["type"]["name"] == sku.agreement_type]
    licences = house.company(linked.company)["licences"]
    licence = next((licence for licence in licences if licence["sku"] == sku.id), {})
    agreements = [licence["agreement"]] if "agreement" in licence else agreements
    if not sku.mapped or "do_not_bill" in licence or len(agreements) != 1 or tenant.consent is not Consent.GRANTED:
        return None
    profile = profiles[str(licence.get("profile", sku.profile))]
    additions = [line for agreement in everywhere for line in records.of_parent("additions", agreement["id"])]
    lines = [line for line in additions if line["product"]["identifier"] == sku.product]
    is_marked = any(line.get("serialNumber") for line in lines)
    if len(lines) > 1 or (is_marked and not linked.adopt_marked) or (lines and not bought(tenant, sku.id)):
        return None
    # What is adopted keeps its price, and is no line of a band.
    assert not lines or profile["price"]["kind"] == "keep"
    return Item(
        tenant=tenant.id,
        sku=sku,
        agreement=agreements[0],
        calendar=calendar if sku.agreement_type == CLOUD else Calendar(),
        proration=profile["proration"],
        price=Decimal(str(lines[0]["unitPrice"])) if lines else sku.price,
        line_before=int(lines[0]["quantity"]) if lines else 0,
        included=profile["quantity"].get("included", 0),
        bands=tuple(
            (band.get("upto", 10**6), Decimal(str(band["price"]))) for band in profile["price"].get("bands", [])
        ),
        price_kind=profile["price"]["kind"],
        arrears=profile.get("arrears", ""),
    )


def live(year: Year, house: House, rng: Random) -> None:
    """Twelve months of nights and invoices, then everything that is left to invoice."""
    set_up(year, house, rng)
    year.lines_before = house.additions()
    first, decisions = FIRST_NIGHT, {rng.choice([3, 4, 5]): move, rng.choice([8, 9]): remove}
    while first <= LAST_DAY:
        days = [first + timedelta(days=number) for number in range(months.monthrange(first.year, first.month)[1])]
        nights = {*rng.sample(days[1:], 2), *rng.sample(days[:1], rng.choice([0, 1]))}
        if first == FIRST_NIGHT:
            nights.add(FIRST_NIGHT)
        missed = {rng.choice(days[1:])}
        invoicing = {rng.choice([days[0], days[0], *nights]), rng.choice(days)} if rng.random() < 0.8 else set()
        decided_on = rng.choice(sorted(nights)) if first.month in decisions else None
        for day in sorted(nights | missed | invoicing):
            house.call("PUT", "clock", now=f"{day}T02:00:00Z")
            if day in missed | nights and day > FIRST_NIGHT:
                move_seats(year, house, rng)
            decide = decisions[first.month] if day == decided_on else None
            live_through(year, house, rng, day, has_night=day in nights, invoices=day in invoicing, decide=decide)
        first = later(first, 1)
    invoice(year, house, ALL_INVOICED)
    for made in reversed(house.call("GET", "invoices")["invoices"]):
        house.call("DELETE", f"invoices/{made['id']}")
    year.billed_again = run_invoices(house, ALL_INVOICED)[1]
    year.lines, year.findings = house.additions(), house.findings()


def live_through(
    year: Year,
    house: House,
    rng: Random,
    day: date,
    *,
    has_night: bool,
    invoices: bool,
    decide: Callable[[Year, House, date], None] | None,
) -> None:
    """One day: invoices are run before or after its night, for what is due by then or ahead of time.

    What a person decides is in force before the night.
    """
    through = day + timedelta(days=rng.choice([0, 0, 0, 4, 12, 35]))
    # No invoice is run before the first night: the lines are first seen there.
    before_the_night = rng.random() < 0.5 and day > FIRST_NIGHT
    if invoices and before_the_night:
        invoice(year, house, through)
    if decide is not None:
        decide(year, house, day)
    if has_night:
        house.run()
        notice(year, house, day)
        if year.order % 7 == 1:
            before = house.additions()
            year.second_runs.append(house.run(again_on=day) == 0 and house.additions() == before)
    if invoices and not before_the_night:
        invoice(year, house, through)


def move(year: Year, house: House, day: date) -> None:
    """A person says that a line goes on on the company's other agreement.

    Its seats stand still until it does: what comes between is of neither agreement.
    """
    for linked in house.sandbox.msp.linked:
        for licence in house.company(linked.company)["licences"]:
            if "agreement" not in licence:
                continue
            (old,) = (item for item in year.items if item.agreement == licence["agreement"])
            house.call("PUT", "seats", tenant=old.tenant, sku=old.sku.id, enabled=old.nights[-1].count + old.included)
            licence["agreement"] = cloud_agreements(house, linked)[1]
            old.until = ends_before(year, old, day)
            nothing = [replace(seen, count=0) for seen in old.nights]
            # A line of ours has the list price, whatever a person gave the one that it goes on for.
            moved = {
                "agreement": licence["agreement"],
                "calendar": Calendar(),
                "line_before": 0,
                "price": old.sku.price,
            }
            year.items.append(replace(old, **moved, since=old.until, until=date.max, nights=nothing))
    house.import_rules()


def remove(year: Year, house: House, day: date) -> None:
    """A person says that a customer is not the company's any more: its lines end, and nothing is read of it."""
    linked = house.sandbox.msp.linked[REMOVED]
    for link in house.company(linked.company)["links"]:
        link["removed"] = True
    for item in year.items:
        if item.tenant == linked.tenant:
            item.until = ends_before(year, item, day)
    house.import_rules()


def ends_before(year: Year, item: Item, day: date) -> date:
    """The first day of the first period that a line which is to end on a day bills no more."""
    calendar = item.calendar
    first, last = calendar.period(day)
    ends = first if day == first else last + timedelta(days=1)
    _, last = calendar.period(max(year.invoiced.get(item.agreement, {date.min: 0})))
    return max(ends, last + timedelta(days=1))


def notice(year: Year, house: House, day: date) -> None:
    """Keeps what the night came past. What stands on the first night is taken to have stood before."""
    year.order += 1
    for item in (item for item in year.items if item.until == date.max):
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
        for sku in [rng.choice(list(SKUS.values())), *rng.sample(known, min(len(known), 3))]:
            item, now = own.get(sku.product), house.seats(linked.tenant, sku)
            if item is not None and item.nights[-1].day < item.since:
                continue
            # Nothing that moves or has a price of its own.
            has_floor = item is not None and (item.price != sku.price or sku.product == MOVING)
            floor = 1 + item.included if item is not None and has_floor else 0
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


def test_every_way_to_bill_and_every_calendar_has_been_at_work(year: Year) -> None:
    charged_once = {
        (line["agreementId"], line["product"]["identifier"])
        for line in year.lines.values()
        if year.is_ours(line, kind="O")
    }
    at_work = [item for item in year.items if item.key in charged_once]
    ways = [*PRORATIONS, MANAGE, *(way["proration"] for way in WAYS.values() if "proration" in way)]

    assert {str(item.proration) for item in at_work} >= {str(way) for way in ways if way["rule"] != "none"}
    assert {item.price_kind for item in at_work} == {"keep", "tiered", "volume", "product"}
    assert {item.arrears for item in at_work} == {"", "last", "highest"}
    # One company has not consented; two of the MSP's agreements for cloud subscriptions are billed alike.
    assert len({item.calendar for item in at_work}) == len(CALENDARS)
    assert any(item.line_before and 0 in [seen.count for seen in item.nights[:-1]] for item in at_work)


def test_seats_that_went_were_credited_and_a_line_that_moved_was_billed_on_both_agreements(year: Year) -> None:
    assert any(line["amount"] < 0 for line in year.billed)
    moved = [item for item in year.items if item.since > date.min]
    assert [item.sku.product for item in moved] == [MOVING]
    assert all(year.charged(item) for item in year.items if (item.tenant, item.sku) == (moved[0].tenant, moved[0].sku))


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
