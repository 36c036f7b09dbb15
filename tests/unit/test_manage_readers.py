from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.billing.agreements import Addition, Agreement, Company, Product
from shared.manage import readers
from shared.manage.rows import Unreadable, parsed
from shared.manage.settings import CancelledDay
from tests.unit.fakes_manage import addition_row, agreement_row, product_row

UNSET: tuple[Any, ...] = (None, "")


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def test_an_addition_is_read_with_dates_of_ten_characters_and_exact_decimals() -> None:
    row = parsed(
        '{"id":9001,"product":{"id":88,"identifier":"M365-BP"},"quantity":12.50,"unitPrice":25.10,"unitCost":0.1,'
        '"billCustomer":"Billable","effectiveDate":"2026-03-01T23:59:59-11:00","cancelledDate":"2026-12-31T00:00:00Z",'
        '"lessIncluded":1,"taxableFlag":true,"serialNumber":"TU1","invoiceDescription":"Zwölf","new":{"a":[1]}}'
    )
    assert readers.addition(row, 501) == Addition(
        id=9001,
        agreement_id=501,
        product_id=88,
        product="M365-BP",
        quantity=Decimal("12.50"),
        unit_price=Decimal("25.10"),
        unit_cost=Decimal("0.1"),
        bill_customer="Billable",
        effective_date=date(2026, 3, 1),
        cancelled_date=date(2026, 12, 31),
        less_included=Decimal(1),
        taxable_flag=True,
        serial_number="TU1",
        invoice_description="Zwölf",
    )


@pytest.mark.parametrize("name", ["cancelledDate", "effectiveDate", "serialNumber", "lessIncluded", "taxableFlag"])
def test_absent_null_and_empty_are_the_same(name: str) -> None:
    absent = readers.addition(without(addition_row(), name), 501)
    assert all(readers.addition(addition_row(**{name: unset}), 501) == absent for unset in UNSET)


@pytest.mark.parametrize(
    ("cancelled", "last_billed"),
    [
        ("2026-03-01T00:00:00Z", date(2026, 2, 28)),
        ("2026-04-01", date(2026, 3, 31)),
        ("0001-01-01T00:00:00Z", date.min),
        ("", None),
    ],
)
def test_where_the_cancelled_day_is_free_a_line_is_read_as_billed_up_to_the_day_before(
    cancelled: str, last_billed: date | None
) -> None:
    row = addition_row(effectiveDate="2026-01-01", cancelledDate=cancelled)
    read = readers.addition(row, 501, CancelledDay.FREE)
    assert (read.effective_date, read.cancelled_date) == (date(2026, 1, 1), last_billed)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (without(addition_row(), "id"), "id"),
        (without(addition_row(), "quantity"), "quantity"),
        (without(addition_row(), "product"), "product"),
        (addition_row(product={}), "product.id"),
        (addition_row(id=True), "id"),
        (addition_row(quantity=""), "quantity"),
        (addition_row(quantity="a dozen"), "quantity"),
        (addition_row(quantity=True), "quantity"),
        (addition_row(unitPrice={"amount": 3}), "unitPrice"),
        (addition_row(unitPrice="NaN"), "unitPrice"),
        (addition_row(effectiveDate="01/03/2026"), "effectiveDate"),
        (addition_row(cancelledDate=20260301), "cancelledDate"),
        (addition_row(serialNumber=[]), "serialNumber"),
    ],
)
def test_a_row_that_does_not_fit_names_the_field(row: dict[str, Any], field: str) -> None:
    with pytest.raises(Unreadable, match=rf"^addition .*: {field} does not fit"):
        readers.addition(row, 501)


@pytest.mark.parametrize("row", [None, 3, "text", []])
def test_a_row_that_is_no_object_does_not_fit(row: Any) -> None:
    with pytest.raises(Unreadable, match="does not fit"):
        readers.addition(row, 501)


def test_what_does_not_fit_is_not_quoted() -> None:
    with pytest.raises(Unreadable) as unreadable:
        readers.addition(addition_row(quantity="Vera Holm"), 501)
    assert "Vera" not in str(unreadable.value)


def test_an_agreement_gets_its_billing_option_by_the_id_of_its_cycle() -> None:
    assert readers.agreement(agreement_row(), {2: "Monthly"}) == Agreement(
        id=501,
        name="Managed Services",
        company_id=250,
        type="Managed",
        agreement_status="Active",
        billing_cycle="Monthly",
        invoicing_cycle="CalendarYear",
        period_type="Current",
        start_date=date(2025, 1, 1),
        end_date=None,
        bill_start_date=date(2025, 1, 1),
        next_invoice_date=date(2026, 4, 1),
        parent_agreement_id=None,
        prorate_flag=False,
        currency="USD",
    )
    assert readers.agreement(agreement_row(), {}).billing_cycle is None


def test_what_an_agreement_does_not_say_is_none() -> None:
    row = {"id": 501, "company": {"id": 250}, "parentAgreement": {}, "currency": None, "billingCycle": {}, "type": ""}
    agreement = readers.agreement(row, {2: "Monthly"})
    unset = ("billing_cycle", "invoicing_cycle", "period_type", "start_date", "end_date", "next_invoice_date")
    assert [getattr(agreement, name) for name in (*unset, "currency", "parent_agreement_id")] == [None] * 8
    assert (agreement.name, agreement.type, agreement.agreement_status) == ("", "", "")


def test_an_open_ended_agreement_has_no_end_even_when_a_date_is_left_over() -> None:
    row = agreement_row(endDate="2026-01-31T00:00:00Z", parentAgreement={"id": 77, "name": "Main"})
    assert readers.agreement(row, {}).end_date is None
    assert readers.agreement({**row, "noEndingDateFlag": False}, {}).end_date == date(2026, 1, 31)
    assert readers.agreement(row, {}).parent_agreement_id == 77


@pytest.mark.parametrize(
    ("currency", "shown"),
    [
        ({"id": 1, "name": "Euro"}, "Euro"),
        ({"id": 1, "currencyIdentifier": "EUR", "name": "Euro"}, "EUR"),
        ({"id": 1, "identifier": "EUR", "name": "Euro"}, "EUR"),
        ({"id": 1}, None),
    ],
)
def test_a_currency_is_shown_by_the_shortest_name_it_has(currency: dict[str, Any], shown: str | None) -> None:
    assert readers.agreement(agreement_row(currency=currency), {}).currency == shown


def test_catalog_items_companies_and_cycles_are_read() -> None:
    assert readers.product(product_row(serializedFlag=True, customerDescription="Per user")) == Product(
        id=88,
        identifier="M365-BP",
        description="Microsoft 365 Business Premium",
        price=Decimal("25.1"),
        cost=Decimal(20),
        serialized_flag=True,
        customer_description="Per user",
    )
    row = {"id": 250, "identifier": "ALDERBY", "name": "Alderby Dental", "deletedFlag": True}
    assert readers.company(row) == Company(250, "ALDERBY", "Alderby Dental", True)
    assert readers.billing_cycle({"id": 2, "billingOptions": ""}).billing_options is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<html><body>Maintenance</body></html>", "an HTML page"),
        ('[{"id": 1}, {"id"', "only its beginning"),
        ("", "not JSON"),
        ('{"quantity": NaN}', "not JSON"),
        ('{"quantity": -Infinity}', "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_text_that_is_not_whole_json_is_unreadable(text: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        parsed(text)


@pytest.mark.parametrize(
    ("manager", "territory", "owners"),
    [
        (
            {"id": 7, "identifier": "MReyes", "name": "Mara Reyes"},
            {"id": 2, "name": "North"},
            "MReyes, Mara Reyes, North",
        ),
        ({"id": 7, "identifier": " MReyes "}, None, "MReyes"),
        ({}, "", ""),
        ("MReyes", [1], ""),
        ({"id": 7, "name": 8}, {"id": 2}, ""),
    ],
)
def test_a_companys_owner_is_read_as_far_as_manage_tells_it(manager: object, territory: object, owners: str) -> None:
    row = {"id": 250, "name": "Alderby Dental", "territoryManager": manager, "territory": territory}
    assert ", ".join(readers.company(row).owners) == owners
    assert readers.company({"id": 250}).owners == ()
