"""Azure usage through the partner billing export: begun, asked after, fetched; never a smaller sum than Microsoft's."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from shared.billing.counts import FailureKind, Money, ReadFailure, Reading
from shared.billing.usage import Export
from shared.errors import Gone, Incomplete, Refused, Retryable, TrueUpError
from shared.sources.azure.counting import SKU, Month, reading_of
from shared.sources.azure.lines import usages_of
from shared.sources.partner_billing.blobs import address_of
from shared.sources.partner_billing.kinds import USAGE
from shared.sources.partner_billing.lines import lines_in
from tests.unit.fake_azure import BEGIN, DAY, SECRET, Azure, FakeBilling, packed, row
from tests.unit.fake_graph import OTHER, PARTNER, TENANT, refusal

OCTOBER = (date(2026, 10, 1), date(2026, 10, 31))


def azure(**rows: list[dict[str, object]]) -> Azure:
    made = Azure()
    made.billing.rows |= rows
    return made


def failure(outcome: Reading | ReadFailure) -> ReadFailure:
    assert isinstance(outcome, ReadFailure)
    return outcome


# ---- across nights -----------------------------------------------------------------------------------------------


def test_exports_are_begun_for_both_months_and_nobody_waits_for_them() -> None:
    made = azure(current=[row("2026-11-02", "10.50")])
    made.billing.looks = 2

    told = failure(made.source.read(TENANT, DAY))

    assert (told.kind, "being prepared" in told.reason) == (FailureKind.READ_FAILED, True)
    assert made.billing.calls == [BEGIN, BEGIN]
    assert made.billing.bodies == [
        {"currencyCode": "USD", "billingPeriod": period, "attributeSet": "full"} for period in ("last", "current")
    ]


def test_microsoft_is_not_asked_again_before_the_time_it_names() -> None:
    made = azure(current=[row("2026-11-02", "10.50")])
    made.billing.looks = 1
    made.source.read(TENANT, DAY)
    asked = []
    for minutes in (1, 1, 1, 6):
        made.now += timedelta(minutes=minutes)
        outcome = made.source.read(TENANT, DAY)
        asked.append(len(made.billing.calls))

    assert asked == [4, 4, 4, 6]
    assert isinstance(outcome, Reading)


def test_a_reading_is_usage_by_subscription_and_day_at_one_unit_of_money_each() -> None:
    rows = [row("2026-11-02", "10.50"), row("2026-11-02", 0.25), row("2026-11-03", "1", subscription="sub-2")]
    made = azure(current=rows, last=[row("2026-10-31", "7")])
    made.night(DAY)

    reading = made.source.read(TENANT.upper(), DAY)

    assert isinstance(reading, Reading)
    (count,) = reading.counts
    assert (count.sku, count.purchased, count.level) == ("azure-usage", Decimal("11.75"), True)
    assert count.cost == Money(Decimal(1), "once", "USD")
    first, second = count.subscriptions or ()
    assert (first.id, first.quantity, second.id, second.quantity) == ("sub-1", Decimal("10.75"), "sub-2", 1)
    assert first.usage is not None
    assert first.usage.days == ((date(2026, 10, 31), Decimal(7)), (date(2026, 11, 2), Decimal("10.75")))
    assert (first.usage.since, first.usage.until) == (date(2026, 10, 1), date(2026, 11, 18))


def test_a_month_is_known_when_its_days_have_settled_and_not_before() -> None:
    made = azure(current=[row("2026-10-30", "100")])
    made.night(date(2026, 10, 31))
    assert made.used(*OCTOBER) is None

    made.billing.rows = {"last": [row("2026-10-30", "100"), row("2026-10-31", "20")], "current": []}
    told = []
    for day in range(1, 6):
        made.night(date(2026, 11, day))
        told.append(made.used(*OCTOBER))

    assert told == [None, None, 120, 120, 120]


def test_a_month_that_microsoft_has_billed_is_not_taken_for_nothing() -> None:
    made = azure(last=[row("2026-10-31", "20")], current=[row("2026-11-02", "1")])
    made.night(date(2026, 11, 4))
    made.billing.rows["last"] = []
    made.night(date(2026, 11, 5))

    assert made.used(*OCTOBER) == 20


def test_what_is_settled_is_not_exported_for_the_rest_of_the_month() -> None:
    made = azure(last=[row("2026-10-31", "20")], current=[row("2026-11-02", "1")])
    for day in range(4, 12):
        made.night(date(2026, 11, day))

    assert [body["billingPeriod"] for body in made.billing.bodies].count("last") == 2


def test_usage_never_counts_twice_while_microsoft_has_not_gone_on_to_the_new_month() -> None:
    september = (date(2026, 9, 1), date(2026, 9, 30))
    made = azure(last=[row("2026-09-15", "50")], current=[row("2026-10-02", "70")])
    told = []
    for day in (date(2026, 10, 5), date(2026, 10, 31), date(2026, 11, 1)):
        made.night(day)
        told.append(made.used(*september))
    assert told == [50, 50, 50]

    made.billing.rows = {"last": [row("2026-10-02", "70"), row("2026-10-31", "1")], "current": []}
    made.night(date(2026, 11, 4))
    assert (made.used(*september), made.used(*OCTOBER)) == (50, 71)


def test_usage_of_a_month_that_has_not_begun_is_not_the_months() -> None:
    made = azure(last=[row("2026-10-02", "70")], current=[row("2026-11-02", "1")])
    made.night(date(2026, 11, 4))
    made.billing.rows["last"] = [row("2026-11-01", "1")]
    made.night(date(2026, 11, 5))

    assert (made.used(*OCTOBER), made.used(date(2026, 11, 1), date(2026, 11, 2))) == (70, 1)


def test_late_usage_of_a_month_that_comes_with_the_next_one_is_the_earlier_months() -> None:
    made = azure(last=[row("2026-10-31", "20")], current=[row("2026-10-31", "5"), row("2026-11-02", "1")])
    made.night(date(2026, 11, 4))

    assert made.used(*OCTOBER) == 25


def test_a_customer_without_usage_is_a_reading_of_nothing() -> None:
    made = azure(current=[row("2026-11-02", "1")])
    made.night(DAY)

    outcome = made.source.read(OTHER, DAY)

    assert isinstance(outcome, Reading)
    assert (outcome.counts, outcome.scope.covers(SKU)) == ((), True)


@pytest.mark.parametrize(("last", "current"), [(None, datetime(2026, 11, 10, tzinfo=UTC)), (None, None)])
def test_before_the_last_month_is_stored_nobody_passes_for_one_who_used_nothing(
    last: datetime | None, current: datetime | None
) -> None:
    """Else what is stored of it a night later would pass for usage that is new."""
    taken = {date(2026, 9, 1): None, date(2026, 10, 1): last, date(2026, 11, 1): current}
    months = [Month(Export(month, taken=when), None) for month, when in taken.items()]

    reading = reading_of(OTHER, DAY, months, 3)

    assert (reading.counts, reading.scope.covers(SKU)) == ((), False)


def test_old_usage_is_a_failed_reading_and_never_a_current_one() -> None:
    made = azure(current=[row("2026-11-02", "1")])
    made.night(date(2026, 11, 10))
    made.billing.looks = 100
    made.now = datetime(2026, 11, 14, 2, tzinfo=UTC)

    assert failure(made.source.read(TENANT, DAY)).kind is FailureKind.READ_FAILED


def test_the_fleet_is_everybody_who_used_something() -> None:
    made = azure(current=[row("2026-11-02", "1"), row("2026-11-02", "2", customer=OTHER)])
    made.night(DAY)

    assert sorted(made.source.read_fleet(DAY, {})) == [TENANT, OTHER]
    assert [customer.name for customer in made.source.customers()] == ["Alder Dental", "Alder Dental"]


def test_a_night_without_microsoft_still_tells_what_is_stored() -> None:
    made = azure(current=[row("2026-11-02", "1")])
    made.night(date(2026, 11, 10))
    made.credential.failures = {PARTNER: ValueError("AADSTS7000222: expired")}
    made.now += timedelta(hours=23)

    assert isinstance(made.source.read_fleet(date(2026, 11, 11), {})[TENANT], Reading)
    assert "secret has expired" in made.source.check()[0]


def test_what_was_begun_is_fetched_when_it_is_ready_and_nothing_more_is_begun() -> None:
    made = azure(current=[row("2026-11-02", "1")])
    made.begin()
    made.now += timedelta(minutes=6)
    made.fetch()
    made.now += timedelta(days=1)
    made.fetch()

    assert isinstance(made.source.read(TENANT, DAY), Reading)
    assert made.billing.calls.count(BEGIN) == 2


def test_a_check_asks_whether_we_may_export_and_neither_begins_nor_fetches_anything() -> None:
    made = azure(current=[row("2026-11-02", "1")])
    assert made.source.check() == []
    made.begin()
    before = [made.store.export("azure", date(2026, month, 1)) for month in (10, 11)]
    made.now += timedelta(hours=1)

    assert made.source.check() == []
    assert made.billing.calls.count(BEGIN) == 2
    assert [made.store.export("azure", date(2026, month, 1)) for month in (10, 11)] == before


def test_a_check_says_how_old_usage_is_that_is_not_believed_any_more() -> None:
    made = azure(current=[row("2026-11-02", "1")])
    made.night(date(2026, 11, 10))
    made.now += timedelta(days=4)

    assert "2026-11-10" in made.source.check()[0]


# ---- what goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "manifest",
    [
        {"dataFormat": "csv"},
        {"blobCount": 2},
        {"blobs": []},
        {"blobs": "x"},
        {"rootDirectory": "https://elsewhere.example/x"},
        {"rootDirectory": "http://usage.blob.core.windows.net/x"},
        {"blobs": [{"name": "../../secret"}]},
        {"sasToken": "another"},
    ],
    ids=str,
)
def test_files_that_are_not_whole_or_not_azures_are_no_reading(manifest: dict[str, object]) -> None:
    made = azure(current=[row("2026-11-02", "1")], last=[row("2026-10-02", "1")])
    made.billing.manifest = manifest
    made.night(DAY)

    told = failure(made.source.read(TENANT, DAY))

    assert "hush" not in told.reason + told.remedy


def test_an_export_that_failed_is_begun_anew() -> None:
    made = azure(current=[row("2026-11-02", "1")])
    made.billing.status = "failed"
    made.night(DAY)
    failure(made.source.read(TENANT, DAY))
    made.billing.status = "completed"
    for _ in range(2):
        made.now += timedelta(minutes=6)
        made.begin()

    assert isinstance(made.source.read(TENANT, DAY), Reading)


def test_an_export_that_never_ends_is_given_up_after_a_day() -> None:
    made = azure()
    made.billing.looks = 1000
    for _ in range(30):
        made.begin()
        made.now += timedelta(hours=1)

    assert made.billing.calls.count(BEGIN) == 4


def test_a_partner_whom_microsoft_does_not_let_in_hears_which_role_is_missing() -> None:
    made = Azure(graph=lambda _: refusal(403, "Authorization_RequestDenied"))

    told = failure(made.source.read(TENANT, DAY))

    assert told.kind is FailureKind.CONSENT_LOST
    assert "PartnerBilling.Read.All" in told.remedy


def test_an_operation_that_is_not_graphs_is_never_given_our_token() -> None:
    made = Azure(graph=lambda _: httpx.Response(202, headers={"Location": "https://elsewhere.example/op"}))
    made.night(DAY)

    assert failure(made.source.read(TENANT, DAY)).kind is FailureKind.READ_FAILED


# ---- files --------------------------------------------------------------------------------------------------------

WHOLE = packed(row("2026-11-02", "1"), row("2026-11-03", "2.5"))


def sums(content: bytes, size: int = 7) -> list[tuple[object, ...]]:
    pieces = (content[at : at + size] for at in range(0, len(content), size))
    return [amount for usage in usages_of(lines_in(USAGE, pieces), date(2026, 11, 1)) for amount in usage.amounts]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_file_is_read_piece_by_piece_however_it_is_cut(size: int) -> None:
    wanted = [("sub-1", date(2026, 11, 2), Decimal(1)), ("sub-1", date(2026, 11, 3), Decimal("2.5"))]

    assert sums(WHOLE, size) == wanted
    assert sums(packed(row("2026-11-02", "1")) + packed(row("2026-11-03", "2.5")), size) == wanted


def test_rows_of_either_version_and_without_line_ends_are_understood() -> None:
    rows = [row("2026-11-02", "1"), row("2026-11-03", 2.5)]
    pascal = [{name[0].upper() + name[1:]: value for name, value in each.items()} for each in rows]

    together = gzip.compress(b"\xef\xbb\xbf" + "".join(map(json.dumps, pascal)).encode() + b"\r\n\r\n")

    assert sums(together) == sums(WHOLE)


def test_a_long_file_of_like_rows_is_read_to_its_end() -> None:
    content = packed(*[row("2026-11-02", "0.01")] * 40_000)

    assert sums(content, 300) == [("sub-1", date(2026, 11, 2), Decimal(400))]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        WHOLE[:-9],
        b"<html>",
        gzip.compress(b"{"),
        gzip.compress(b"[1]\n"),
        gzip.compress(b"\xff\xfe"),
        gzip.compress(b"x" * 3_000_000),
        *(
            packed(row("2026-11-02", "1") | changes)
            for changes in (
                {"billingPreTaxTotal": None},
                {"billingPreTaxTotal": "much"},
                {"billingPreTaxTotal": "NaN"},
                {"billingPreTaxTotal": "1e400"},
                {"billingPreTaxTotal": True},
                {"usageDate": "soon"},
                {"customerId": ""},
                {"entitlementId": None, "subscriptionId": None},
                {"billingCurrency": None},
            )
        ),
        packed(row("2026-11-02", "1"), row("2026-11-02", "1", billingCurrency="EUR")),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_whole(content: bytes) -> None:
    with pytest.raises(Incomplete) as caught:
        sums(content, 1000)

    assert "Alder" not in str(caught.value)


def test_credits_are_below_zero_and_lessen_the_sum() -> None:
    assert sums(packed(row("2026-11-02", "1"), row("2026-11-02", "-0.25"))) == [
        ("sub-1", date(2026, 11, 2), Decimal("0.75"))
    ]


def test_a_file_lies_in_azures_storage_or_on_this_machine() -> None:
    found = address_of(USAGE, "https://a.blob.core.windows.net/d/", "p 1.gz", f"?{SECRET}")
    assert found.endswith(f"/d/p%201.gz?{SECRET}")
    assert address_of(USAGE, "http://127.0.0.1:8700/d", "p.gz", SECRET).startswith("http://127.0.0.1:8700/d/p.gz?")
    with pytest.raises(Refused):
        address_of(USAGE, "https://blob.core.windows.net.evil.example/d", "p.gz", SECRET)


def test_nothing_to_read_raises_while_nothing_is_stored() -> None:
    made = Azure(FakeBilling(looks=3))

    with pytest.raises(Retryable):
        made.source.customers()
    with pytest.raises(TrueUpError):
        made.source.read_fleet(DAY, {})


# ---- what it is charged -------------------------------------------------------------------------------------------

NOVEMBER = date(2026, 11, 1)


def test_charges_are_the_usage_of_a_months_days_by_customer_and_subscription() -> None:
    rows = [row("2026-11-02", "10.50"), row("2026-11-03", "1", subscription="sub-2"), row("2026-10-31", "0.25")]
    made = azure(current=[*rows, row("2026-11-02", "2", customer=OTHER)], last=[row("2026-10-30", "7")])
    made.night(DAY)

    charges = made.source.charges(NOVEMBER, DAY)
    own = [(charge.subscription, charge.total) for charge in charges if charge.customer == TENANT]
    assert own == [("sub-1", Decimal("10.50")), ("sub-2", Decimal(1))]
    first = charges[0]
    assert (first.sku, first.used, first.start, first.end) == (SKU, True, NOVEMBER, date(2026, 12, 1))
    assert (first.currency, first.invoice, first.growing) == ("USD", None, True)
    (late,) = made.source.charges(OCTOBER[0], DAY)
    assert (late.total, late.growing) == (Decimal("7.25"), False)


def test_charges_of_a_month_grow_until_its_last_day_has_settled() -> None:
    made = azure(current=[], last=[row("2026-10-31", "20")])
    told = []
    for day in (1, 2, 3, 4):
        made.night(date(2026, 11, day))
        (charge,) = made.source.charges(OCTOBER[0], date(2026, 11, day))
        told.append(charge.growing)
    assert told == [True, True, False, False]


def test_charges_of_a_month_that_nobody_stored_are_not_taken_for_none() -> None:
    made = azure(current=[row("2026-11-02", "1")])
    with pytest.raises(Retryable):
        made.source.charges(NOVEMBER, DAY)
    made.night(DAY)
    with pytest.raises(Gone):
        made.source.charges(date(2026, 8, 1), DAY)
