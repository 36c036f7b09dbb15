"""What every source must pass. A new source adds one `SourceCase` to `CASES`.

A source before a vendor that we own: it tells everything or that it knows nothing, names its scope, takes no broken
answer for a number, and keeps secrets and people to itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal

import httpx
import pytest

from local.sandbox.pax8 import Pax8
from shared.billing.counting.pushes import Pushed, PushedCount
from shared.billing.counts import Customer, FailureKind, ReadFailure, Reading
from shared.errors import Incomplete, NotPermitted, Retryable, TrueUpError
from shared.http.wire import Answer, NoAnswer
from shared.rules.document import SOURCES
from shared.sources.microsoft365.charged import ChargedMicrosoft365
from shared.sources.microsoft365.parse import LICENSED_USERS
from shared.sources.partner_billing.exporting import Reach
from shared.sources.protocol import ChargingSource, DomainSource, FleetSource, Source, UsageSource
from shared.sources.pushed import PushedSource
from shared.state.usage import ChargeStore
from tests.fakes.tables import InMemoryTables
from tests.unit import fake_pax8
from tests.unit.fake_azure import Azure, FakeBilling, row
from tests.unit.fake_graph import (
    OTHER,
    PARTNER,
    TENANT,
    FakeCredential,
    FakeGraph,
    FakeTenant,
    refusal,
    settings,
    small_tenant,
    source,
    user_row,
)
from tests.unit.fake_vendors import Call, FakeCove, Hours, cove_source, huntress_row, huntress_source, partner, server
from tests.unit.fake_vendors import huntress as fake_huntress
from tests.unit.test_microsoft365_charges import Known
from tests.unit.test_microsoft365_charges import row as licence_row

DAY = date(2026, 11, 21)
Fleet = Mapping[str, Reading | ReadFailure]


@dataclass(frozen=True)
class Vendor:
    """What the vendor says, to every call: itself (None), one status and body, or nothing at all (`down`, and `slow`:
    not in time).

    The first `busy` calls are turned away for `WAIT` seconds, and after `answers` calls it is down. `paged`: its lists
    come in several pages. `hints` is what helps to find a customer's company: as it should be, not there, or of kinds
    that it should not be. `untold`: it leaves something out that it tells else. `waits` are the seconds that the source
    waited.
    """

    status: int | None = None
    body: bytes = b""
    down: bool = False
    slow: bool = False
    empty: bool = False
    refuses_sign_in: bool = False
    busy: int = 0
    answers: int | None = None
    paged: bool = False
    hints: Literal["usual", "none", "odd"] = "usual"
    untold: bool = False
    waits: list[float] = field(default_factory=list, compare=False)

    @property
    def is_in_trouble(self) -> bool:
        """Whether it never answers as it should."""
        return self.down or self.slow or self.refuses_sign_in or self.status is not None


WAIT = 7.0


class Line:
    """The way to a vendor: counts the calls, and says what comes instead of its answer."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._calls = 0

    def trouble(self) -> str | None:
        self._calls += 1
        vendor = self._vendor
        if vendor.down or (vendor.answers is not None and self._calls > vendor.answers):
            return "down"
        if vendor.slow:
            return "slow"
        if self._calls <= vendor.busy:
            return "busy"
        return "odd" if vendor.status is not None else None

    def over_httpx(self, usual: Callable[[httpx.Request], httpx.Response]) -> Callable[[httpx.Request], httpx.Response]:
        def answer(request: httpx.Request) -> httpx.Response:
            match self.trouble():
                case "down":
                    raise httpx.ConnectError("down")
                case "slow":
                    raise httpx.ReadTimeout("slow")
                case "busy":
                    return refusal(429, "TooManyRequests", **{"Retry-After": f"{WAIT:g}"})
                case "odd":
                    said = {"content": self._vendor.body, "headers": {"content-type": "application/json"}}
                    return httpx.Response(self._vendor.status or 0, **said)
            return usual(request)

        return answer

    def instead(self) -> Answer | None:
        """The same on our own wire."""
        match self.trouble():
            case "down":
                raise NoAnswer("no connection could be made", sent=False)
            case "slow":
                raise NoAnswer("no answer within the time-out", sent=True)
            case "busy":
                return Answer(429, {"Retry-After": f"{WAIT:g}"}, "{}")
            case "odd":
                return Answer(self._vendor.status or 0, {}, self._vendor.body.decode())
        return None


@dataclass(frozen=True)
class SourceCase:
    """One source. `make` puts it before a vendor with one linked customer; `secrets` are words nobody may ever see.

    `hints` are what the customer's record tells for finding its company, `told` and `verified` the domains that the
    vendor tells when it is asked for them. Not every source asks its vendor when it is read: what is pushed, and what
    was exported, is stored. Of one source that is made in two ways `way` names the other.
    `untold` is the SKU of which nothing is known where the vendor leaves something out.
    """

    name: str
    customer: str
    make: Callable[[Vendor], Source]
    secrets: tuple[str, ...]
    asks_when_read: bool = True
    hints: Mapping[str, object] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    verified: tuple[str, ...] | None = None
    untold: str = ""
    way: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.way}".strip()


def microsoft365(vendor: Vendor) -> Source:
    return source(Line(vendor).over_httpx(microsoft_graph(vendor)), microsoft_credential(vendor), vendor.waits)


def charged_microsoft365(vendor: Vendor) -> Source:
    """One that fetched last night what is charged, unless the vendor is in trouble."""
    graph, billing, now = microsoft_graph(vendor), FakeBilling(), datetime(2026, 11, 21, 2, tzinfo=UTC)
    billing.rows["current"] = [licence_row()]

    def usual(request: httpx.Request) -> httpx.Response:
        return billing(request) if "/reports/" in request.url.path else graph(request)

    def answer(request: httpx.Request) -> httpx.Response:
        return line(request)

    line: Callable[[httpx.Request], httpx.Response] = usual
    reach = Reach(microsoft_credential(vendor), httpx.MockTransport(answer), vendor.waits.append, billing)
    store = ChargeStore(InMemoryTables())
    made = ChargedMicrosoft365(settings(), "USD", store, Known(), lambda: now, reach=reach)
    if not vendor.is_in_trouble:
        made.prepare()
        now += timedelta(minutes=30)
        made.fetch_prepared()
    line = Line(vendor).over_httpx(usual)
    return made


def microsoft_graph(vendor: Vendor) -> FakeGraph:
    graph = FakeGraph({TENANT: FakeTenant() if vendor.empty else small_tenant(), PARTNER: FakeTenant()})
    if not vendor.empty:
        listed = [TENANT, OTHER] if vendor.paged else [TENANT]
        graph.tenants[PARTNER].customers = [{"tenantId": tenant, "displayName": "Alder Dental"} for tenant in listed]
        graph.tenants[PARTNER].contracts, graph.tenants[TENANT].domains = microsoft_hints(vendor)
    if vendor.paged:
        graph.page_size = 1
        graph.tenants[TENANT].users = [user_row(number) for number in range(1, 1002)]
        graph.tenants[TENANT].skus[0]["consumedUnits"] = 1001
    if vendor.untold:
        graph.tenants[TENANT].users.pop()
    return graph


def microsoft_credential(vendor: Vendor) -> FakeCredential:
    expired = ValueError("AADSTS7000222: expired hush-hush")
    return FakeCredential(dict.fromkeys((TENANT, PARTNER), expired) if vendor.refuses_sign_in else {})


def microsoft_hints(vendor: Vendor) -> tuple[list[dict[str, object]], object]:
    """The rows of the partner's contracts, and the tenant's verified domains."""
    match vendor.hints:
        case "usual":
            domains = [{"name": "Alder.Example"}, {"name": "alder.onmicrosoft.com"}, {"name": "alder.test"}]
            return [{"customerId": TENANT.upper(), "defaultDomainName": "Alder.example"}], domains
        case "none":
            return [], []
    return [{"customerId": 7}, {"customerId": TENANT, "defaultDomainName": []}, {"defaultDomainName": 7}], {"name": 7}


def odd_or_none(vendor: Vendor, **usual: object) -> dict[str, object]:
    """The fields of a record that are hints."""
    if vendor.hints == "none":
        return dict.fromkeys(usual)
    return usual if vendor.hints == "usual" else {name: [7] for name in usual}


def azure(vendor: Vendor) -> Source:
    """One that has exported before, unless something is wrong with the vendor."""
    billing = FakeBilling()
    billing.rows["current"] = [row("2026-11-02", "1.5", customer=OTHER if vendor.empty else TENANT)]
    graph = Line(vendor).over_httpx(billing)
    made = Azure(billing, credential=microsoft_credential(vendor), graph=graph, waits=vendor.waits)
    if replace(vendor, empty=False, busy=0, paged=False, hints="usual") == Vendor():
        made.night(DAY)
    return made.source


def pax8(vendor: Vendor) -> Source:
    world = fake_pax8.world()
    hints: dict[str, Any] = odd_or_none(vendor, external_id="250", website="https://www.alder.example/")
    is_usual = not vendor.empty and vendor.hints == "usual"
    company = fake_pax8.alder(world) if is_usual else world.add_company("Alder Dental", **hints)
    assert company.id == PAX8_COMPANY
    if vendor.refuses_sign_in:
        world.client_secret = "another"

    for number in range(200 if vendor.paged else 0):
        world.add_company(f"Customer {number}")
    line = Line(vendor)
    wire = fake_pax8.FakeWire(Pax8(world), lambda _method, _path: line.instead())
    return fake_pax8.source(wire, vendor.waits)


def interfering(vendor: Vendor, usual: Callable[[Call], object], refused: object) -> Callable[[Call], object]:
    """The vendor's usual answers, or what it says instead; `refused` is how it turns wrong credentials away."""

    line = Line(vendor)

    def answer(call: Call) -> object:
        instead = refused if vendor.refuses_sign_in else line.instead()
        return usual(call) if instead is None else instead

    return answer


def hours(vendor: Vendor) -> Hours:
    made = Hours()
    made.slept = vendor.waits
    return made


def huntress(vendor: Vendor) -> Source:
    row = huntress_row(4101, agents_count=0) if vendor.empty else huntress_row(4101)
    row |= odd_or_none(vendor, key=" org-4101 ", identity_provider_tenant_id=TENANT.upper())
    if vendor.untold:
        del row["logs_sources_count"]
    refused = Answer(401, {}, '{"message": "hush-hush is not a key"}')
    usual = pages_of_one(row, huntress_row(4102)) if vendor.paged else fake_huntress(row)
    return huntress_source(interfering(vendor, usual, refused), hours(vendor))[0]


def pages_of_one(*rows: dict[str, object]) -> Callable[[Call], object]:
    """Huntress with an organization on each page."""
    alone = fake_huntress(*rows)

    def answer(call: Call) -> object:
        if not call.path.endswith("/organizations"):
            return alone(call)
        at = int(call.query.get("page_token", "0"))
        following = str(at + 1) if at + 1 < len(rows) else None
        return {"organizations": [rows[at]], "pagination": {"next_page_token": following}}

    return answer


def cove(vendor: Vendor) -> Source:
    devices = [] if vendor.empty else [server(1, 2001), server(2, 2001)]
    for told in (each["Settings"] for each in devices if vendor.untold):
        told.remove(next(column for column in told if "D09F03" in column))
    fake = FakeCove([partner(2001) | odd_or_none(vendor, ExternalCode="250")], devices)
    fake.most_rows = 1 if vendor.paged else fake.most_rows
    return cove_source(interfering(vendor, fake, FakeCove.error(2100)), hours(vendor))[0]


class FakePushes:
    """The store of pushes, as it answers or fails."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._pushed = Pushed("Alder", complete_at=None if vendor.untold else PUSHED_AT)
        if not vendor.empty:
            self._pushed.counts["agent"] = PushedCount("agent", Decimal(4), PUSHED_AT)

    def get(self, source: str, customer: str) -> Pushed | None:
        return next((each for each in self.all(source) if each.customer == customer), None)

    def all(self, source: str) -> list[Pushed]:
        vendor = self._vendor
        if vendor.refuses_sign_in or vendor.status in {401, 403}:
            raise NotPermitted("the store says no", system="storage", remedy="Grant the role.")
        if vendor.down or vendor.slow or vendor.answers == 0 or vendor.status not in {None, 200}:
            raise Retryable("the store does not answer", system="storage", remedy="Wait for it.")
        if vendor.status == 200:
            raise Incomplete("a stored document can not be read", system="state", remedy="Push the counts again.")
        return [self._pushed]


def pushed(vendor: Vendor) -> Source:
    return PushedSource("rmm", FakePushes(vendor), lambda: PUSHED_AT + timedelta(hours=1), timedelta(hours=26))


PUSHED_AT = datetime(2026, 11, 21, 1, tzinfo=UTC)
PAX8_COMPANY = fake_pax8.alder(fake_pax8.world()).id

MICROSOFT365 = SourceCase(
    "microsoft365",
    TENANT,
    microsoft365,
    ("hush-hush", "token-of-", "Person 1", "person1@"),
    hints={"tenant": TENANT},
    told=("alder.example",),
    verified=("alder.example", "alder.test"),
    untold=LICENSED_USERS,
)
CASES = [
    MICROSOFT365,
    replace(MICROSOFT365, make=charged_microsoft365, way="with charges"),
    SourceCase(
        "azure", TENANT, azure, ("hush-hush", "token-of-", "Alder"), asks_when_read=False, hints={"tenant": TENANT}
    ),
    SourceCase(
        "huntress",
        "4101",
        huntress,
        ("hush-hush", "cHVibGljOmh1c2", "Organization 4101"),
        hints={"reference": "org-4101", "tenant": TENANT},
        untold="siem",
    ),
    SourceCase(
        "cove",
        "2001",
        cove,
        ("hush-hush", "visa-", "Customer 2001"),
        hints={"reference": "250"},
        untold="selected-storage",
    ),
    SourceCase("pushed:rmm", "Alder", pushed, ("hush-hush",), asks_when_read=False, untold="server"),
    SourceCase(
        "pax8",
        PAX8_COMPANY,
        pax8,
        (fake_pax8.SECRET, "Bearer", "Alder"),
        hints={"domains": ("alder.example",), "reference": "250"},
    ),
]
BROKEN = {
    "empty": b"",
    "html": b"<!DOCTYPE html><html>Sign in</html>",
    "cut off": b'{"value": [{"id": "1", "quantity": 1',
    "null": b"null",
    "a number": b"7",
    "an empty object": b"{}",
    "an empty list": b"[]",
    "lists of nothing": b'{"value": [null], "responses": [null], "content": [null], "result": [null]}',
    "organizations of nothing": b'{"organizations": [null], "organization": null, "pagination": {}}',
    "text for lists": b'{"value": "x", "responses": "x", "content": "x", "result": "x"}',
}
REFUSALS = {status: refusal(status, "Refused").content for status in (400, 401, 403, 404, 429, 500, 502, 503, 504)}


#: Those that tell of all customers at once.
FLEETS = [case for case in CASES if isinstance(case.make(Vendor()), FleetSource)]
#: Those that tell what their vendor charges.
CHARGING = [case for case in CASES if isinstance(case.make(Vendor()), ChargingSource)]
#: What may be wrong with every answer.
TROUBLES = {
    "down": Vendor(down=True),
    "slow": Vendor(slow=True),
    "sign-in": Vendor(refuses_sign_in=True),
    **{name: Vendor(status=200, body=body) for name, body in BROKEN.items()},
    **{str(status): Vendor(status=status, body=body) for status, body in REFUSALS.items()},
}


def test_every_source_that_rules_may_name_has_a_case() -> None:
    assert {case.name.partition(":")[0] for case in CASES} == {*SOURCES, "pushed"}


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> SourceCase:
    found: SourceCase = request.param
    return found


def test_a_source_is_known_by_its_name(case: SourceCase) -> None:
    assert case.make(Vendor()).name == case.name


def test_a_reading_is_complete_and_says_whose_and_when(case: SourceCase) -> None:
    reading = case.make(Vendor()).read(case.customer, DAY)

    assert isinstance(reading, Reading)
    assert (reading.source, reading.customer, reading.day) == (case.name, case.customer, DAY)
    assert reading.counts
    assert len({count.sku for count in reading.counts}) == len(reading.counts)
    for count in reading.counts:
        assert (count.source, count.customer) == (case.name, case.customer)
        assert reading.scope.covers(count.sku)
        assert isinstance(count.purchased, Decimal)
        assert count.purchased >= 0
        assert count.grace >= 0
        assert count.assigned is None or count.assigned >= 0
        assert count.name


@pytest.mark.parametrize("case", [case for case in CASES if case.untold], ids=str)
def test_what_the_vendor_leaves_out_is_unknown_and_the_rest_is_told(case: SourceCase) -> None:
    whole, partly = (case.make(Vendor(untold=untold)).read(case.customer, DAY) for untold in (False, True))

    assert isinstance(whole, Reading)
    assert isinstance(partly, Reading)
    assert whole.scope.covers(case.untold)
    assert not partly.scope.covers(case.untold)
    skus = {count.sku for count in partly.counts}
    assert skus == {count.sku for count in whole.counts} - {case.untold}
    assert all(partly.scope.covers(sku) for sku in skus)


def test_the_same_vendor_gives_the_same_reading(case: SourceCase) -> None:
    reader = case.make(Vendor())

    assert reader.read(case.customer, DAY) == reader.read(case.customer, DAY)
    assert reader.read(case.customer, DAY) == case.make(Vendor()).read(case.customer, DAY)


def test_a_customer_with_nothing_is_a_reading_of_nothing_not_a_failure(case: SourceCase) -> None:
    reading = case.make(Vendor(empty=True)).read(case.customer, DAY)

    assert isinstance(reading, Reading)
    assert sum(count.purchased for count in reading.counts) == 0


def told(failure: Reading | ReadFailure, case: SourceCase) -> ReadFailure:
    """A failure as it must be: filed, explained, and with something to do."""
    assert isinstance(failure, ReadFailure)
    assert (failure.source, failure.customer) == (case.name, case.customer)
    assert failure.reason.strip()
    assert failure.remedy.strip()
    return failure


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_an_answer_that_cannot_be_understood_is_a_failure_never_a_zero(case: SourceCase, body: bytes) -> None:
    failure = told(case.make(Vendor(status=200, body=body)).read(case.customer, DAY), case)

    assert failure.kind is FailureKind.READ_FAILED


@pytest.mark.parametrize(("status", "body"), REFUSALS.items(), ids=str)
def test_a_refusal_is_a_failure_and_never_raises(case: SourceCase, status: int, body: bytes) -> None:
    failure = told(case.make(Vendor(status=status, body=body)).read(case.customer, DAY), case)

    assert (failure.kind is FailureKind.CONSENT_LOST) == (status in {401, 403})


def test_a_vendor_that_is_down_is_a_failure(case: SourceCase) -> None:
    assert told(case.make(Vendor(down=True)).read(case.customer, DAY), case).kind is FailureKind.READ_FAILED


def test_a_vendor_that_does_not_answer_in_time_is_a_failure(case: SourceCase) -> None:
    assert told(case.make(Vendor(slow=True)).read(case.customer, DAY), case).kind is FailureKind.READ_FAILED


@pytest.mark.parametrize("case", [case for case in CASES if not case.name.startswith("pushed")], ids=str)
def test_a_vendor_that_is_busy_is_waited_for_as_long_as_it_says(case: SourceCase) -> None:
    vendor = Vendor(busy=2)
    reader = case.make(vendor)

    assert reader.read(case.customer, DAY) == case.make(Vendor()).read(case.customer, DAY)
    assert vendor.waits.count(WAIT) == 2


@pytest.mark.parametrize("answers", range(5))
@pytest.mark.parametrize("case", [case for case in CASES if case.asks_when_read], ids=str)
def test_a_vendor_that_goes_down_between_two_calls_gives_all_or_a_failure(case: SourceCase, answers: int) -> None:
    whole = case.make(Vendor(paged=True))
    broken = case.make(Vendor(paged=True, answers=answers))

    reading, customers = whole.read(case.customer, DAY), whole.customers()
    assert isinstance(reading, Reading)
    found = broken.read(case.customer, DAY)
    if found != reading or answers == 0:
        told(found, case)
    broken = case.make(Vendor(paged=True, answers=answers))
    with suppress(TrueUpError):
        assert broken.customers() == customers


def test_lists_in_several_pages_are_read_whole(case: SourceCase) -> None:
    one, several = case.make(Vendor()), case.make(Vendor(paged=True))
    customers = {customer.id for customer in several.customers()}

    assert isinstance(several.read(case.customer, DAY), Reading)
    assert {customer.id for customer in one.customers()} <= customers


# A fleet: the same of all customers at once


def fleet_of(case: SourceCase, vendor: Vendor, known: Mapping[str, Reading] = MappingProxyType({})) -> Fleet:
    reader = case.make(vendor)
    assert isinstance(reader, FleetSource)
    return reader.read_fleet(DAY, known)


def tried(case: SourceCase, vendor: Vendor) -> tuple[Fleet, TrueUpError | None]:
    """What is told of a fleet; or of nobody, and why."""
    try:
        return fleet_of(case, vendor), None
    except TrueUpError as error:
        return {}, error


@pytest.mark.parametrize("case", FLEETS, ids=str)
def test_a_fleet_tells_of_each_customer_what_a_reading_of_it_alone_tells(case: SourceCase) -> None:
    alone = case.make(Vendor()).read(case.customer, DAY)

    found = fleet_of(case, Vendor())

    assert isinstance(alone, Reading)
    assert found[case.customer] == alone
    assert set(found) == {customer.id for customer in case.make(Vendor()).customers()}
    assert fleet_of(case, Vendor(), {case.customer: alone}) == found


@pytest.mark.parametrize("case", FLEETS, ids=str)
def test_a_fleet_in_several_pages_is_read_whole(case: SourceCase) -> None:
    found = fleet_of(case, Vendor(paged=True))

    paged = case.make(Vendor(paged=True))
    assert found[case.customer] == case.make(Vendor()).read(case.customer, DAY)
    assert set(found) == {customer.id for customer in paged.customers()}
    assert all(paged.read(customer, DAY) == found[customer] for customer in sorted(found)[:5])


@pytest.mark.parametrize("vendor", TROUBLES.values(), ids=TROUBLES.keys())
@pytest.mark.parametrize("case", FLEETS, ids=str)
def test_a_fleet_of_a_vendor_in_trouble_tells_no_number(case: SourceCase, vendor: Vendor) -> None:
    found, error = tried(case, vendor)

    if error is None:
        assert set(found) == {case.customer}
        told(found[case.customer], case)
    else:
        assert error.system
        assert error.remedy


@pytest.mark.parametrize("answers", range(6))
@pytest.mark.parametrize("case", FLEETS, ids=str)
def test_a_fleet_that_is_cut_off_tells_of_nobody_less_than_there_is(case: SourceCase, answers: int) -> None:
    whole = fleet_of(case, Vendor(paged=True))
    found, error = tried(case, Vendor(paged=True, answers=answers))

    assert answers or error is not None
    assert {customer: each for customer, each in found.items() if isinstance(each, Reading)}.items() <= whole.items()


@pytest.mark.parametrize("case", FLEETS, ids=str)
def test_a_fleet_of_a_busy_vendor_is_waited_for(case: SourceCase) -> None:
    vendor = Vendor(busy=2)

    assert fleet_of(case, vendor) == fleet_of(case, Vendor())
    assert vendor.waits.count(WAIT) == 2


def charging(case: SourceCase, vendor: Vendor) -> ChargingSource:
    made = case.make(vendor)
    assert isinstance(made, ChargingSource)
    return made


@pytest.mark.parametrize("case", CHARGING, ids=str)
def test_what_a_vendor_charges_is_told_by_customer(case: SourceCase) -> None:
    charges = charging(case, Vendor()).charges(DAY.replace(day=1), DAY)

    assert case.customer in {charge.customer for charge in charges}
    assert all(charge.name and charge.currency for charge in charges)


@pytest.mark.parametrize("vendor", TROUBLES.values(), ids=TROUBLES.keys())
@pytest.mark.parametrize("case", CHARGING, ids=str)
def test_what_a_vendor_in_trouble_charges_is_an_error_never_nothing(
    case: SourceCase, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reader = charging(case, vendor)
    with pytest.raises(TrueUpError) as charged:
        reader.charges(DAY.replace(day=1), DAY)
    errors = [charged.value]
    if isinstance(reader, UsageSource):
        with pytest.raises(TrueUpError) as used:
            reader.used_so_far(DAY)
        errors.append(used.value)

    for error in errors:
        assert error.system
        assert error.remedy
    everything = caplog.text + "\n".join(f"{error} {error.remedy}" for error in errors)
    assert not [secret for secret in case.secrets if secret in everything]


def test_a_sign_in_that_is_refused_is_a_failure(case: SourceCase) -> None:
    told(case.make(Vendor(refuses_sign_in=True)).read(case.customer, DAY), case)


def test_the_list_of_customers_is_whole(case: SourceCase) -> None:
    customers = case.make(Vendor()).customers()

    assert case.customer in [customer.id for customer in customers]
    assert len({customer.id for customer in customers}) == len(customers)
    assert all(customer.source == case.name and customer.name for customer in customers)


def hints_of(customer: Customer) -> dict[str, object]:
    """What a customer's record tells beside its id and name."""
    told = {name: getattr(customer, name) for name in ("domains", "reference", "tenant", "verified")}
    return {name: value for name, value in told.items() if value}


def test_what_helps_to_find_the_company_is_told(case: SourceCase) -> None:
    (customer,) = (each for each in case.make(Vendor()).customers() if each.id == case.customer)

    assert hints_of(customer) == case.hints


@pytest.mark.parametrize("hints", ["none", "odd"])
def test_a_customer_is_listed_whatever_its_hints_are(case: SourceCase, hints: Literal["none", "odd"]) -> None:
    (customer,) = (each for each in case.make(Vendor(hints=hints)).customers() if each.id == case.customer)

    assert hints_of(customer) == ({"tenant": case.customer} if case.hints.get("tenant") == case.customer else {})


def test_domains_are_verified_by_the_vendor_or_it_tells_none(case: SourceCase) -> None:
    asked = case.make(Vendor())
    assert isinstance(asked, DomainSource) == (case.verified is not None)
    if isinstance(asked, DomainSource):
        assert asked.told_domains() == {case.customer: case.told}
        assert tuple(asked.verified_domains(case.customer)) == case.verified
        for vendor in (Vendor(down=True), Vendor(status=403), Vendor(refuses_sign_in=True), Vendor(status=200)):
            told = case.make(vendor)
            assert isinstance(told, DomainSource)
            with pytest.raises(TrueUpError):
                told.verified_domains(case.customer)


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_a_list_of_customers_that_cannot_be_understood_is_an_error(case: SourceCase, body: bytes) -> None:
    with pytest.raises(TrueUpError) as caught:
        case.make(Vendor(status=200, body=body)).customers()

    assert caught.value.system
    assert caught.value.remedy


@pytest.mark.parametrize(("status", "body"), REFUSALS.items(), ids=str)
def test_a_refused_list_of_customers_is_an_error(case: SourceCase, status: int, body: bytes) -> None:
    with pytest.raises(TrueUpError) as caught:
        case.make(Vendor(status=status, body=body)).customers()

    assert caught.value.remedy


def test_a_connection_in_order_has_no_problems(case: SourceCase) -> None:
    assert case.make(Vendor()).check() == []


@pytest.mark.parametrize("vendor", TROUBLES.values(), ids=TROUBLES.keys())
def test_a_check_says_what_is_wrong_and_never_raises(case: SourceCase, vendor: Vendor) -> None:
    problems = case.make(vendor).check()

    assert problems
    assert all(len(problem.split()) > 3 for problem in problems)


def test_secrets_and_people_are_neither_logged_nor_told(case: SourceCase, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vendors = [Vendor(), *TROUBLES.values()]
    said: list[str] = []
    for vendor in vendors:
        reader = case.make(vendor)
        outcome = reader.read(case.customer, DAY)
        said += [repr(outcome)] if isinstance(outcome, ReadFailure) else []
        said += reader.check()
        try:
            reader.customers()
        except TrueUpError as error:
            said += [str(error), error.remedy]
        if isinstance(reader, FleetSource):
            found, error = tried(case, vendor)
            said += [repr(each) for each in found.values() if isinstance(each, ReadFailure)]
            said += [str(error), error.remedy] if error is not None else []

    everything = caplog.text + "\n".join(said)

    assert len(said) > len(vendors)
    assert "hush-hush" not in repr(case.make(Vendor()))
    assert not [secret for secret in case.secrets if secret in everything]
