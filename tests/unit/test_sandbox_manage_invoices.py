"""The sandbox's invoice run against examples worked by hand."""

from __future__ import annotations

from datetime import date

import pytest

from local.sandbox.clock import Clock
from local.sandbox.manage import additions, recap
from local.sandbox.manage.instance import Instance
from local.sandbox.manage.invoices import list_invoices, run_invoices, undo_invoice
from local.sandbox.manage.periods import Periods
from local.sandbox.manage.records import ManageRecords, Record
from local.sandbox.switches import Switches
from shared.errors import Gone, Refused
from tests.unit.sandbox_manage import AGREEMENT, NOW, PRODUCT, add_agreement, add_line, small_msp


@pytest.fixture
def records() -> ManageRecords:
    return small_msp()


def bill(records: ManageRecords, through: str, **switches: bool) -> list[dict]:
    return run_invoices(records, Clock(NOW), Switches.from_json(switches), date.fromisoformat(through))


def post(records: ManageRecords, **fields: object) -> Record:
    """A line that is added now, as by a POST."""
    instance = Instance(records, Clock(NOW))
    body = {"product": {"id": PRODUCT}, "billCustomer": "Billable", **fields}
    made = records.add("additions", additions.new(instance, records.get("agreements", AGREEMENT), body), now=NOW)
    records.uninvoiced.add(made["id"])
    return made


def summary(invoice: dict) -> list[tuple]:
    return [
        (line["addition"], line["quantity"], line["unitPrice"], line["amount"], line["from"], line["to"])
        for line in invoice["lines"]
    ]


def amounts(invoices: list[dict]) -> list[list[float]]:
    return [[line["amount"] for line in invoice["lines"]] for invoice in invoices]


def test_an_invoice_copies_the_lines_in_force_and_moves_the_next_invoice_date(records):
    line = add_line(records, quantity=3.0, unitPrice=22.5)
    assert bill(records, "2026-12-01") == [
        {
            "id": 1,
            "agreement": AGREEMENT,
            "date": "2026-12-01",
            "period": {"from": "2026-12-01", "to": "2026-12-31"},
            "lines": [
                {
                    "addition": line["id"],
                    "product": "M365-BP",
                    "quantity": 3.0,
                    "unitPrice": 22.5,
                    "amount": 67.5,
                    "from": "2026-12-01",
                    "to": "2026-12-31",
                }
            ],
        }
    ]
    agreement = records.get("agreements", AGREEMENT)
    assert agreement["nextInvoiceDate"] == "2027-01-01T00:00:00Z"
    assert agreement["_info"]["lastUpdated"] == "2026-11-21T02:00:01Z"
    assert bill(records, "2026-12-31") == []


def test_an_invoice_stands_in_manage_with_its_total(records):
    add_line(records, quantity=3.0, unitPrice=22.5)
    add_line(records, quantity=1.0, unitPrice=0.333)
    bill(records, "2026-12-01")
    [invoice] = records.all("invoices")
    assert (invoice["total"], invoice["date"], invoice["agreement"]["id"]) == (67.83, "2026-12-01T00:00:00Z", AGREEMENT)


def test_a_late_run_bills_every_period_that_is_due(records):
    add_line(records)
    periods = [invoice["period"]["from"] for invoice in bill(records, "2027-02-28")]
    assert periods == ["2026-12-01", "2027-01-01", "2027-02-01"]


@pytest.mark.parametrize(
    ("agreement", "period", "following"),
    [
        ({"periodType": "Future"}, ("2027-01-01", "2027-01-31"), "2027-01-01"),
        ({"nextInvoiceDate": "2026-11-15"}, ("2026-11-01", "2026-11-30"), "2026-12-15"),
        ({"nextInvoiceDate": "2026-10-31"}, ("2026-10-01", "2026-10-31"), "2026-11-30"),
        ({"cycle": "Quarterly", "nextInvoiceDate": "2026-11-15"}, ("2026-10-01", "2026-12-31"), "2027-02-15"),
        ({"cycle": "SemiAnnual", "nextInvoiceDate": "2026-07-01"}, ("2026-07-01", "2026-12-31"), "2027-01-01"),
        ({"cycle": "Yearly", "nextInvoiceDate": "2026-01-01"}, ("2026-01-01", "2026-12-31"), "2027-01-01"),
        (
            {
                "cycle": "Yearly",
                "invoicingCycle": "ContractYear",
                "billStartDate": "2025-03-15",
                "nextInvoiceDate": "2026-03-15",
            },
            ("2026-03-15", "2027-03-14"),
            "2027-03-15",
        ),
        (
            {"invoicingCycle": "ContractYear", "billStartDate": "2025-01-31", "nextInvoiceDate": "2026-02-28"},
            ("2026-02-28", "2026-03-30"),
            "2026-03-31",
        ),
        (
            {"invoicingCycle": "ContractYear", "billStartDate": "2025-01-31", "nextInvoiceDate": "2026-03-30"},
            ("2026-02-28", "2026-03-30"),
            "2026-04-29",
        ),
        (
            {
                "cycle": "Quarterly",
                "invoicingCycle": "ContractYear",
                "periodType": "Future",
                "billStartDate": "2026-02-15",
                "nextInvoiceDate": "2026-11-15",
            },
            ("2027-02-15", "2027-05-14"),
            "2027-02-15",
        ),
    ],
)
def test_the_period_follows_from_cycle_anchor_and_period_type(records, agreement, period, following):
    made = add_agreement(records, 502, **agreement)
    due = made["nextInvoiceDate"][:10]
    [invoice] = [invoice for invoice in bill(records, due) if invoice["agreement"] == 502]
    assert (invoice["period"]["from"], invoice["period"]["to"]) == period
    assert made["nextInvoiceDate"] == f"{following}T00:00:00Z"


def test_periods_meet_without_gap_or_overlap_over_years():
    periods = Periods(date(2024, 1, 31), 1)
    period = periods.holding(date(2024, 2, 29))
    for _ in range(60):
        following = periods.after(period)
        assert (following.first - period.last).days == 1
        assert periods.holding(following.first) == periods.holding(following.last) == following
        period = following


def test_lines_not_in_force_or_not_billable_are_left_out(records):
    add_line(records, effectiveDate="2027-01-01T00:00:00Z")
    add_line(records, cancelledDate="2026-11-30T00:00:00Z")
    add_line(records, billCustomer="DoNotBill")
    add_line(records, billCustomer="NoCharge")
    add_line(records, quantity=0.0)
    included = add_line(records, quantity=5.0, lessIncluded=2.0)
    covered = add_line(records, quantity=1.0, lessIncluded=2.0)
    [invoice] = bill(records, "2026-12-01")
    assert summary(invoice) == [(included["id"], 3.0, 10.0, 30.0, "2026-12-01", "2026-12-31")]
    [printed] = bill(records, "2027-01-01", zero_lines_printed=True)
    assert covered["id"] in [line["addition"] for line in printed["lines"] if line["amount"] == 0]


def test_a_negative_price_is_a_credit(records):
    add_line(records, unitPrice=-3.335)
    assert amounts(bill(records, "2026-12-01")) == [[-6.67]]


def test_without_the_flag_a_line_that_starts_inside_the_period_is_billed_in_full(records):
    line = add_line(records, effectiveDate="2026-12-20T00:00:00Z")
    [invoice] = bill(records, "2026-12-01")
    assert summary(invoice) == [(line["id"], 2.0, 10.0, 20.0, "2026-12-20", "2026-12-31")]


@pytest.mark.parametrize(
    ("start", "price", "quantity", "unit", "amount"),
    [
        # 25.00 × (28 − 4 + 1) / 28 = 22.3214…
        ("2027-02-04", 25.0, 2.0, 22.32, 44.64),
        # 25.00 × (28 − 17 + 1) / 28 = 10.714…
        ("2027-02-17", 25.0, 1.0, 10.71, 10.71),
        # 1.26 × 1 / 28 = 0.045 exactly: half up
        ("2027-02-28", 1.26, 10.0, 0.05, 0.5),
        ("2027-02-01", 25.0, 1.0, 25.0, 25.0),
    ],
)
def test_with_the_flag_a_line_that_starts_inside_the_period_is_prorated_start_day_included(
    records, start, price, quantity, unit, amount
):
    records.get("agreements", AGREEMENT).update(prorateFlag=True, nextInvoiceDate="2027-02-01T00:00:00Z")
    line = add_line(records, effectiveDate=f"{start}T00:00:00Z", unitPrice=price, quantity=quantity)
    first, second = bill(records, "2027-03-01")
    assert summary(first) == [(line["id"], quantity, unit, amount, start, "2027-02-28")]
    assert summary(second) == [(line["id"], quantity, price, price * quantity, "2027-03-01", "2027-03-31")]


def test_a_line_added_in_an_invoiced_period_is_caught_up_once_on_an_agreement_that_prorates(records):
    records.get("agreements", AGREEMENT)["prorateFlag"] = True
    line = post(records, quantity=3, effectiveDate="2026-11-21")
    first, second = bill(records, "2027-01-01")
    # 22.50 × (30 − 21 + 1) / 30 = 7.50 for November, then a full December.
    assert summary(first) == [
        (line["id"], 3.0, 7.5, 22.5, "2026-11-21", "2026-11-30"),
        (line["id"], 3.0, 22.5, 67.5, "2026-12-01", "2026-12-31"),
    ]
    assert amounts([second]) == [[67.5]]


def test_a_line_added_for_the_first_day_of_the_next_period_is_billed_once(records):
    records.get("agreements", AGREEMENT)["prorateFlag"] = True
    post(records, quantity=3, effectiveDate="2026-12-01")
    assert amounts(bill(records, "2026-12-01")) == [[67.5]]


def test_a_dated_line_added_in_an_invoiced_period_is_only_caught_up(records):
    records.get("agreements", AGREEMENT)["prorateFlag"] = True
    line = post(records, quantity=3, effectiveDate="2026-11-21", cancelledDate="2026-11-30")
    first, second = bill(records, "2027-01-01")
    assert summary(first) == [(line["id"], 3.0, 7.5, 22.5, "2026-11-21", "2026-11-30")]
    assert summary(second) == []


def test_a_line_added_in_an_invoiced_period_is_billed_one_full_period_without_the_flag(records):
    post(records, quantity=3, effectiveDate="2026-11-21")
    assert amounts(bill(records, "2026-12-01")) == [[67.5]]


def test_a_line_that_was_there_all_along_is_not_caught_up(records):
    records.get("agreements", AGREEMENT)["prorateFlag"] = True
    add_line(records, effectiveDate="2026-11-21T00:00:00Z")
    assert amounts(bill(records, "2026-12-01")) == [[20.0]]


def test_a_line_added_for_a_later_period_is_never_caught_up(records):
    records.get("agreements", AGREEMENT)["prorateFlag"] = True
    post(records, quantity=1, effectiveDate="2027-01-16")
    # 22.50 × 16 / 31 = 11.6129…
    assert amounts(bill(records, "2027-02-01")) == [[], [11.61], [22.5]]


def test_a_line_whose_start_is_moved_back_into_an_invoiced_period_before_it_began_is_caught_up(records):
    records.get("agreements", AGREEMENT)["prorateFlag"] = True
    line = post(records, quantity=1, unitPrice=31, effectiveDate="2027-01-16")
    bill(records, "2026-12-01")
    line["effectiveDate"] = "2026-12-17T00:00:00Z"
    assert amounts(bill(records, "2027-01-01")) == [[15.0, 31.0]]


def test_nothing_is_billed_before_the_bill_start(records):
    records.get("agreements", AGREEMENT).update(prorateFlag=True, billStartDate="2026-12-17T00:00:00Z")
    line = add_line(records, unitPrice=31.0)
    [invoice] = bill(records, "2026-12-01")
    assert summary(invoice) == [(line["id"], 2.0, 15.0, 30.0, "2026-12-17", "2026-12-31")]


def test_an_agreement_that_is_over_or_not_recurring_is_not_billed(records):
    records.get("agreements", AGREEMENT).update(noEndingDateFlag=False, endDate="2026-12-31T00:00:00Z")
    add_agreement(records, 502, cycle="Weekly")
    add_agreement(records, 503, cancelledFlag=True)
    add_agreement(records, 504, nextInvoiceDate=None)
    add_agreement(records, 505, noEndingDateFlag=False, endDate="2026-12-31T00:00:00Z", periodType="Future")
    add_agreement(records, 506, noEndingDateFlag=False, endDate="2027-01-01T00:00:00Z", periodType="Future")
    assert [(made["agreement"], made["date"]) for made in bill(records, "2027-06-30")] == [
        (AGREEMENT, "2026-12-01"),
        (506, "2026-12-01"),
    ]


def test_a_first_period_is_billed_in_advance_of_the_agreements_start(records):
    coming = {"startDate": "2027-01-01T00:00:00Z", "billStartDate": "2027-01-01T00:00:00Z"}
    add_agreement(records, 502, periodType="Future", **coming)
    add_line(records, 502, effectiveDate="2027-01-01T00:00:00Z")
    assert amounts([made for made in bill(records, "2026-12-01") if made["agreement"] == 502]) == [[20.0]]


def test_a_changed_quantity_shows_on_the_next_invoice_only(records):
    line = add_line(records)
    bill(records, "2026-12-01")
    line["quantity"] = 5.0
    assert amounts(bill(records, "2027-01-01")) == [[50.0]]
    assert amounts(list_invoices(records)) == [[20.0], [50.0]]


@pytest.mark.parametrize(("billed", "last", "amount"), [(True, "2026-12-15", 20.0), (False, "2026-12-14", 20.0)])
def test_switch_cancelled_day_billed(records, billed, last, amount):
    line = add_line(records, cancelledDate="2026-12-15T00:00:00Z")
    [invoice] = bill(records, "2026-12-01", cancelled_day_billed=billed)
    assert summary(invoice) == [(line["id"], 2.0, 10.0, amount, "2026-12-01", last)]


def test_a_line_cancelled_on_the_first_day_of_a_period_is_billed_only_if_that_day_is(records):
    add_line(records, cancelledDate="2026-12-01T00:00:00Z")
    assert amounts(bill(records, "2026-12-01", cancelled_day_billed=True)) == [[20.0]]
    undo_invoice(records, 1)
    assert amounts(bill(records, "2026-12-01", cancelled_day_billed=False)) == [[]]


def test_switch_prorate_start_day_included(records):
    records.get("agreements", AGREEMENT)["prorateFlag"] = True
    add_line(records, effectiveDate="2026-12-17T00:00:00Z", unitPrice=31.0)
    assert amounts(bill(records, "2026-12-01", prorate_start_day_included=False)) == [[28.0]]


def test_switch_cancellation_prorated(records):
    records.get("agreements", AGREEMENT)["prorateFlag"] = True
    add_line(records, cancelledDate="2026-12-11T00:00:00Z", unitPrice=31.0)
    assert amounts(bill(records, "2026-12-01")) == [[62.0]]
    undo_invoice(records, 1)
    assert amounts(bill(records, "2026-12-01", cancellation_prorated=True)) == [[22.0]]


def test_switch_retroactive_change(records):
    line = add_line(records)
    bill(records, "2026-12-01")
    line["quantity"] = 5.0
    [january] = bill(records, "2027-01-01", retroactive_change=True)
    assert summary(january) == [
        (line["id"], 5.0, 10.0, 50.0, "2027-01-01", "2027-01-31"),
        (line["id"], 1.0, 30.0, 30.0, "2026-12-01", "2026-12-31"),
    ]
    assert amounts(bill(records, "2027-02-01", retroactive_change=True)) == [[50.0]]


def test_with_nothing_invoiced_yet_there_is_nothing_to_change_retroactively(records):
    add_line(records)
    assert amounts(bill(records, "2026-12-01", retroactive_change=True)) == [[20.0]]


def test_undoing_the_newest_invoice_bills_its_period_again(records):
    records.get("agreements", AGREEMENT)["prorateFlag"] = True
    post(records, quantity=3, effectiveDate="2026-11-21")
    [before] = bill(records, "2026-12-01")
    undo_invoice(records, before["id"])
    assert records.get("agreements", AGREEMENT)["nextInvoiceDate"] == "2026-12-01T00:00:00Z"
    assert (list_invoices(records), records.all("invoices")) == ([], [])
    [again] = bill(records, "2026-12-01")
    assert {**again, "id": before["id"]} == before


def test_only_the_newest_invoice_of_an_agreement_can_be_undone(records):
    add_agreement(records, 502)
    bill(records, "2027-01-01")
    first, second = (made["id"] for made in list_invoices(records) if made["agreement"] == AGREEMENT)
    with pytest.raises(Refused, match=f"invoice {second} of the same agreement is newer"):
        undo_invoice(records, first)
    undo_invoice(records, second)
    undo_invoice(records, first)
    assert [made["agreement"] for made in list_invoices(records)] == [502, 502]
    with pytest.raises(Gone, match=f"there is no invoice {first}"):
        undo_invoice(records, first)


def test_the_recap_forecasts_the_next_invoice(records):
    add_line(records, quantity=3.0)
    instance = Instance(records, Clock(NOW))
    forecast = recap.view(instance, records.get("agreements", AGREEMENT))
    assert (forecast["nextInvoiceAmount"], forecast["unbilledPeriods"]) == (30.0, 0)
    assert "lastInvoiceDate" not in forecast
    never = recap.view(instance, add_agreement(records, 502, cycle="Weekly"))
    assert "nextInvoiceAmount" not in never
    bill(records, "2026-12-01")
    after = recap.view(instance, records.get("agreements", AGREEMENT))
    assert (after["lastInvoiceDate"], after["lastInvoiceNumber"]) == ("2026-12-01T00:00:00Z", "10001")
    assert (after["lastInvoiceAmount"], after["nextInvoiceDate"]) == ("30.00", "2027-01-01T00:00:00Z")
