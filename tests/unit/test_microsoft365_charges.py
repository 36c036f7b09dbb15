"""What Microsoft charges for licences: exported by the month, stored, and told by the SKUs that are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import requests

from local.sandbox.licence_charges import is_charged, unit_price
from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.world import Consent
from shared.billing.counts import Count, Money, Reading, Subscription, SubscriptionStatus
from shared.billing.vendors import Charge
from shared.errors import Gone, Incomplete, Retryable
from shared.settings import load_settings
from shared.sources.microsoft365.charged import ChargedMicrosoft365, charges_of
from shared.sources.microsoft365.costs import with_costs
from shared.sources.partner_billing.exporting import Reach
from shared.sources.partner_billing.kinds import LICENCES
from shared.sources.partner_billing.lines import lines_in
from shared.sources.protocol import ChargingSource
from shared.state.subscriptions import SubscriptionSkus
from shared.state.usage import ChargeStore
from shared.sync import night, rulebook
from shared.sync.fleets import prepare
from shared.sync.reports.vendor_costs import vendor_costs
from tests import builders as b
from tests.fakes.house import House
from tests.fakes.tables import InMemoryTables
from tests.unit.fake_azure import FakeBilling, packed
from tests.unit.fake_graph import OTHER, SPB, TENANT, FakeCredential, FakeGraph, settings, small_tenant

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
COMMERCE = "ffffffff-0000-4000-8000-000000000001"
D = Decimal


def row(**changes: Any) -> dict[str, Any]:
    usual = {
        "CustomerId": TENANT.upper(),
        "ProductId": "CFQ7TTC0LH18",
        "SkuId": "0001",
        "SkuName": "Business Premium",
        "ChargeType": "cycleCharge",
        "BillableQuantity": "10",
        "Subtotal": "198.00",
        "Currency": "usd",
        "SubscriptionId": COMMERCE.upper(),
        "ChargeStartDate": "2026-11-01T00:00:00Z",
        "ChargeEndDate": "2026-11-30T00:00:00Z",
        "MeterDescription": "",
    }
    return usual | changes


def parsed(*rows: dict[str, Any]) -> list[Charge]:
    found = charges_of(lines_in(LICENCES, [packed(*rows)]), date(2026, 11, 1))
    return [charge for each in found for charge in each.charges]


PREMIUM = Charge(
    TENANT,
    "cfq7ttc0lh18:0001",
    "Business Premium",
    "cyclecharge",
    NOVEMBER,
    date(2026, 11, 30),
    D(10),
    D("198.00"),
    "USD",
    None,
    subscription=COMMERCE,
)


def test_a_row_is_a_charge_whatever_its_version_and_whether_amounts_are_text() -> None:
    camel = {name[0].lower() + name[1:]: value for name, value in row(BillableQuantity=10, Subtotal=198.0).items()}

    assert parsed(row(), camel) == [PREMIUM, PREMIUM]
    assert parsed(row(BillableQuantity=None, Quantity=10)) == [PREMIUM]
    assert PREMIUM.is_of_a_whole_period


def test_credits_lower_the_cost_and_only_correct_it() -> None:
    (credit,) = parsed(row(ChargeType="removeQuantity", Subtotal="-19.80", BillableQuantity=-1))

    assert (credit.total, credit.is_of_a_whole_period) == (D("-19.80"), False)


def test_metered_usage_is_left_to_the_source_that_reads_it_and_what_is_of_no_customer_is_kept() -> None:
    rounding = row(CustomerId="", ProductId="", SubscriptionId="", ChargeType="adjustment", Subtotal=-0.01)
    (kept,) = parsed(row(MeterDescription="Bandwidth - Zone 2"), rounding)

    assert (kept.customer, kept.sku, kept.subscription, kept.total) == (None, None, None, D("-0.01"))


@pytest.mark.parametrize(
    "changes",
    [
        {"Subtotal": "much"},
        {"Subtotal": None},
        {"BillableQuantity": True},
        {"Currency": ""},
        {"ChargeType": None},
        {"ChargeStartDate": "soon"},
        {"SkuName": "", "ProductName": 7},
    ],
)
def test_one_row_that_cannot_be_understood_refuses_the_whole_export(changes: dict[str, Any]) -> None:
    with pytest.raises(Incomplete):
        parsed(row(), row(**changes))


def test_an_export_of_another_month_is_refused_and_rows_of_others_may_come_with_the_months_own() -> None:
    october = row(ChargeStartDate="2026-10-17T00:00:00Z", ChargeEndDate="2026-11-16T00:00:00Z")

    with pytest.raises(Incomplete, match="another month than the one that was asked for"):
        parsed(october)
    assert len(parsed(october, row())) == 2
    assert len(parsed(row(ChargeStartDate="", ChargeEndDate="", ChargeType="adjustment"))) == 1


class Known:
    def of(self, _: str) -> dict[str, str]:
        return {COMMERCE: SPB}


class BreakableTables(InMemoryTables):
    """Tables that do not answer any more once they are broken."""

    broken: Retryable | None = None

    def get(self, *key: str) -> Any:
        if self.broken is not None:
            raise self.broken
        return super().get(*key)


class Charged:
    """A source before the fake, with a store and a clock that the test moves."""

    def __init__(self) -> None:
        self.now, self.billing, self.tables = NOW, FakeBilling(), BreakableTables()
        self.billing.rows["current"] = [row()]
        self.graph: Callable[[httpx.Request], httpx.Response] = self.billing
        reach = Reach(FakeCredential(), httpx.MockTransport(self.answer), lambda _: None, self.billing)
        self.source = ChargedMicrosoft365(
            settings(), "USD", ChargeStore(self.tables), Known(), lambda: self.now, reach=reach
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        return self.graph(request)

    def night(self, now: datetime) -> None:
        """What is due is begun at night, and a tick fetches it."""
        self.now = now
        self.source.prepare()
        self.now = now + timedelta(minutes=5)
        self.source.fetch_prepared()

    def charges(self, month: date) -> list[Charge]:
        return self.source.charges(month, self.now.date())


def test_charges_are_prepared_at_night_and_told_by_the_sku_that_is_counted() -> None:
    charged = Charged()
    with pytest.raises(Retryable, match="The export of licence charges is being prepared"):
        charged.charges(NOVEMBER)
    charged.night(NOW + timedelta(hours=1))

    assert isinstance(charged.source, ChargingSource)
    assert charged.charges(NOVEMBER) == [replace(PREMIUM, sku=SPB)]
    assert {call.rpartition("/reports")[2] for call in charged.billing.calls if "POST" in call} == {
        "/partners/billing/reconciliation/unbilled/export"
    }
    assert charged.source.completion_problems() == []
    with pytest.raises(Gone, match="2026-08 is not stored"):
        charged.charges(date(2026, 8, 1))


def test_a_subscription_that_no_linked_company_has_goes_by_its_name_in_the_catalogue() -> None:
    charged = Charged()
    charged.billing.rows["current"] = [row(SubscriptionId="someone-elses")]
    charged.night(NOW)

    assert [charge.sku for charge in charged.charges(NOVEMBER)] == ["cfq7ttc0lh18:0001"]


def test_what_a_later_export_does_not_name_is_charged_no_more_and_what_was_invoiced_stays() -> None:
    charged = Charged()
    charged.billing.rows["current"] = [row(), row(CustomerId=OTHER)]
    charged.night(NOW)
    charged.billing.rows["current"] = [row()]
    charged.night(NOW + timedelta(days=1))
    assert [charge.customer for charge in charged.charges(NOVEMBER)] == [TENANT]

    december = row(CustomerId=OTHER, ChargeStartDate="2026-12-01T00:00:00Z", ChargeEndDate="2026-12-31T00:00:00Z")
    charged.billing.rows = {"current": [december], "last": []}
    charged.night(datetime(2026, 12, 8, 2, tzinfo=UTC))
    assert [charge.customer for charge in charged.charges(NOVEMBER)] == [TENANT]
    assert [charge.customer for charge in charged.charges(date(2026, 12, 1))] == [OTHER]

    charged.now = datetime(2027, 2, 3, tzinfo=UTC)
    assert [charge.customer for charge in charged.charges(NOVEMBER)] == [TENANT]


def test_charges_of_the_last_month_are_not_stored_as_this_months_while_microsoft_goes_on() -> None:
    charged = Charged()
    charged.billing.rows = {"current": [row()], "last": [row()]}
    charged.now = datetime(2026, 12, 1, 2, tzinfo=UTC)
    charged.source.prepare()
    charged.now += timedelta(minutes=5)
    with pytest.raises(Incomplete, match="another month"):
        charged.source.fetch_prepared()

    assert [charge.customer for charge in charged.charges(NOVEMBER)] == [TENANT]
    with pytest.raises(Retryable):
        charged.charges(date(2026, 12, 1))


def test_charges_that_are_days_old_are_not_taken_for_those_of_this_month() -> None:
    charged = Charged()
    charged.night(NOW)
    charged.now += timedelta(days=4)
    with pytest.raises(Retryable):
        charged.charges(NOVEMBER)

    (problem,) = charged.source.completion_problems()
    assert "What is stored of the export of licence charges is of 2026-11-21." in problem


def bought(key: int, **values: Any) -> Subscription:
    return Subscription(f"s-{key}", D(10), SubscriptionStatus.ENABLED, commerce_id=f"c-{key}", **values)


def charged(key: int, total: str = "198", **values: Any) -> Charge:
    return replace(PREMIUM, subscription=f"c-{key}", total=D(total), **values)


def cost(charges: list[Charge], *subscriptions: Subscription) -> Money | None:
    count = Count("microsoft365", TENANT, SPB, "Premium", D(10), subscriptions=subscriptions)
    return with_costs([count], charges)[0].cost


def test_a_licence_costs_what_was_charged_for_it_last_in_a_whole_period() -> None:
    october = {"start": OCTOBER, "end": date(2026, 10, 31)}
    year = {"start": date(2026, 2, 17), "end": date(2027, 2, 16)}

    assert cost([charged(1), charged(1, "150", **october)], bought(1)) == Money(D("19.80"), "month", "USD")
    assert cost([charged(1, **october)], bought(1)) == Money(D("19.80"), "month", "USD")
    assert cost([charged(1, "1000", **year)], bought(1)) == Money(D("100.00"), "year", "USD")
    assert cost([charged(1, "100", quantity=D(3))], bought(1)) == Money(D("33.33333"), "month", "USD")


def test_a_cost_is_not_known_where_charges_do_not_agree_or_are_of_parts() -> None:
    week = {"end": date(2026, 11, 7)}

    assert cost([charged(1), charged(2, "150")], bought(1), bought(2)) is None
    assert cost([charged(1)], bought(1), bought(2)) is None
    assert cost([charged(1, **week)], bought(1)) is None
    assert cost([charged(1, kind="addquantity")], bought(1)) is None
    assert cost([charged(1, quantity=D(0))], bought(1)) is None
    assert cost([charged(1)]) is None


def test_what_others_sold_trials_and_what_is_over_do_not_hide_a_cost() -> None:
    others = [bought(2, owned=False), bought(3, trial=True), replace(bought(4), status=SubscriptionStatus.SUSPENDED)]

    assert cost([charged(1)], bought(1), *others) == Money(D("19.80"), "month", "USD")


def test_a_reading_tells_costs_and_goes_on_without_when_they_cannot_be_read() -> None:
    it = Charged()
    graph = FakeGraph({TENANT: small_tenant()})
    it.graph = lambda request: it.billing(request) if "/reports/" in request.url.path else graph(request)
    it.night(NOW)
    reading = it.source.read(TENANT, NOW.date())
    assert isinstance(reading, Reading)
    assert {count.sku: count.cost for count in reading.counts}[SPB] == Money(D("19.80"), "month", "USD")

    it.tables.broken = Retryable("the tables do not answer", system="state")
    assert it.source.read(TENANT, NOW.date()) == replace(
        reading, counts=tuple(replace(count, cost=None) for count in reading.counts)
    )


RULES = """\
profiles:
  - {id: any, name: Licences, product: M365-BP, quantity: {basis: purchased}, price: {kind: custom, amount: 40}}
policies:
  - {source: microsoft365, sku: SKU, profile: any}
companies:
  - {company: 1, name: One, mode: auto, links: [{source: microsoft365, customer: TENANT}]}
"""


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=4, seed=7, now=NOW)) as thread:
        yield thread


def test_what_licences_cost_stands_beside_what_the_agreement_bills_with_a_margin(sandbox: SandboxThread) -> None:
    house = House()
    house.clock.time = NOW
    partner = sandbox.msp.partners[0].id
    tenants = (each for each in sandbox.msp.customers_of(partner) if each.consent is Consent.GRANTED)
    tenant, subscription = next(
        (tenant, one)
        for tenant in tenants
        for one in tenant.subscriptions
        if is_charged(one) and one.owner == partner and len(tenant.subscriptions_of(one.sku)) == 1
    )
    given = {**sandbox.settings(), "AzureWebJobsStorage": "UseDevelopmentStorage=true"}
    loaded = load_settings({**given, "MICROSOFT_CHARGES_CURRENCY": "usd"})
    assert loaded.microsoft is not None
    assert loaded.charges_currency == "USD"
    known = SubscriptionSkus(house.ports.companies, house.ports.company_state)
    source = ChargedMicrosoft365(
        loaded.microsoft, loaded.charges_currency, ChargeStore(house.tables), known, house.clock.business_now
    )
    house.ports = replace(house.ports, sources={"microsoft365": source})
    due = {"currency": "USD", "next_invoice_date": date(2026, 12, 1)}
    house.manage.agreements_[1001] = b.agreement(1001, company_id=1, **due)
    rulebook.import_rules(house.ports, RULES.replace("TENANT", tenant.id).replace("SKU", subscription.sku))
    house.sync(1, run="2026-11-21-nightly")
    prepare(house.ports)
    house.clock.time += timedelta(minutes=6)
    requests.put(f"{sandbox.url}/_sandbox/clock", json={"now": house.clock.time.isoformat()}, timeout=10)
    night.tick(house.ports)

    report = vendor_costs(house.ports, "microsoft365", NOVEMBER)
    (line,) = (each for each in report["rows"] if each["bill_item"])
    cost = float(unit_price(subscription.sku) * subscription.licenses)
    assert (line["verdict"], line["skus"], line["cost"]) == ("equal", [subscription.sku], cost)
    assert line["margin"] == pytest.approx(40 * subscription.licenses - cost)
    house.sync(1, run="2026-11-22-nightly")
    (licence,) = (each for each in house.state(1).overview.licences if each.sku == subscription.sku)
    assert licence.cost == Money(unit_price(subscription.sku), "month", "USD")
    assert report["draft"]
    assert {each["verdict"] for each in report["rows"]} >= {"unlinked", "unmapped"}
