from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.billing.agreements import Addition, Fields, FieldValue
from shared.errors import Refused
from shared.manage import readers
from shared.manage.settings import CancelledDay
from shared.manage.writing import create_body, patch_body, unlike
from tests.unit.fakes_manage import addition_row

WHOLE: Fields = {
    "product_id": 88,
    "quantity": Decimal("12"),
    "unit_price": Decimal("25.10"),
    "unit_cost": Decimal("0.00001"),
    "bill_customer": "Billable",
    "effective_date": date(2026, 3, 1),
    "cancelled_date": None,
    "less_included": Decimal("1.5"),
    "taxable_flag": False,
    "serial_number": "TU1-S-260301-abc",
    "invoice_description": "Zwölf Plätze",
}


def test_a_new_addition_sends_what_is_set_under_manages_names() -> None:
    assert create_body(WHOLE) == {
        "product": {"id": 88},
        "quantity": 12,
        "unitPrice": 25.1,
        "unitCost": 0.00001,
        "billCustomer": "Billable",
        "effectiveDate": "2026-03-01T00:00:00Z",
        "lessIncluded": 1.5,
        "taxableFlag": False,
        "serialNumber": "TU1-S-260301-abc",
        "invoiceDescription": "Zwölf Plätze",
    }


@pytest.mark.parametrize("name", ["product_id", "bill_customer", "effective_date", "quantity"])
def test_a_new_addition_without_a_necessary_field_is_refused(name: str) -> None:
    with pytest.raises(Refused, match=name):
        create_body({**WHOLE, name: None})


def test_where_the_cancelled_day_is_free_a_line_is_cancelled_on_the_day_after_its_last_billed_one() -> None:
    dates: Fields = {"effective_date": date(2026, 2, 1), "cancelled_date": date(2026, 2, 28)}
    operations = {item["path"]: item["value"] for item in patch_body(dates, CancelledDay.FREE)}
    assert operations == {"effectiveDate": "2026-02-01T00:00:00Z", "cancelledDate": "2026-03-01T00:00:00Z"}
    body = create_body({**WHOLE, **dates}, CancelledDay.FREE)
    assert (body["effectiveDate"], body["cancelledDate"]) == ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")


def test_a_change_sets_absolute_values_and_removes_what_is_cleared() -> None:
    assert patch_body({"quantity": Decimal(14), "cancelled_date": date(2026, 3, 31), "effective_date": None}) == [
        {"op": "replace", "path": "quantity", "value": 14},
        {"op": "replace", "path": "cancelledDate", "value": "2026-03-31T00:00:00Z"},
        {"op": "remove", "path": "effectiveDate"},
    ]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "names no field"),
        ({"quantity": None}, "quantity of an addition cannot be cleared"),
        ({"taxable_flag": None}, "cannot be cleared"),
        ({"billed_quantity": Decimal(1)}, "billed_quantity is not a field"),
        ({"quantity": Decimal("NaN")}, "cannot be sent as a number"),
        ({"unit_price": Decimal("0.12345678901234567890")}, "without changing it"),
    ],
)
def test_a_change_that_cannot_be_written_is_refused(fields: Fields, text: str) -> None:
    with pytest.raises(Refused, match=text):
        patch_body(fields)


MONEY = st.decimals(-1_000_000, 1_000_000, places=5)
VALUES: dict[str, st.SearchStrategy[FieldValue]] = {
    "product_id": st.integers(1, 10**9),
    "quantity": MONEY,
    "unit_price": MONEY,
    "unit_cost": MONEY,
    "bill_customer": st.sampled_from(["Billable", "DoNotBill", "NoCharge"]),
    "effective_date": st.none() | st.dates(),
    "cancelled_date": st.none() | st.dates(max_value=date.max - timedelta(days=1)),
    "less_included": MONEY,
    "taxable_flag": st.booleans(),
    "serial_number": st.none() | st.text(max_size=50),
    "invoice_description": st.none() | st.text(max_size=80),
}


@given(st.fixed_dictionaries({}, optional=VALUES).filter(bool), st.sampled_from(CancelledDay))
def test_every_patch_is_in_the_dialect_and_its_effect_reads_back_as_asked(fields: Fields, day: CancelledDay) -> None:
    row: dict[str, Any] = addition_row()
    for operation in patch_body(fields, day):
        assert operation["op"] in ("replace", "remove")
        assert set(operation) == {"op", "path"} | ({"value"} if operation["op"] == "replace" else set())
        assert operation["path"].isalpha()
        row[operation["path"]] = operation.get("value")
    assert unlike(fields, readers.addition(row, 501, day)) == []


def answered(**changes: Any) -> Addition:
    return readers.addition(addition_row(**changes), 501)


def test_equal_values_in_another_form_are_alike() -> None:
    asked: Fields = {
        "quantity": Decimal("12.000"),
        "unit_price": Decimal("25.1"),
        "effective_date": date(2026, 3, 1),
        "cancelled_date": None,
        "serial_number": "",
        "invoice_description": "two\nlines\n",
    }
    assert unlike(asked, answered(invoiceDescription="two\r\nlines", cancelledDate="")) == []


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"quantity": Decimal(14)}, "quantity (asked 14, got 12.0)"),
        ({"taxable_flag": False}, "taxable_flag (asked False, got True)"),
        ({"effective_date": None}, "effective_date (asked nothing, got 2026-03-01)"),
        ({"cancelled_date": date(2026, 3, 31)}, "cancelled_date (asked 2026-03-31, got nothing)"),
        ({"serial_number": "TU1"}, "serial_number (asked TU1, got nothing)"),
        ({"product_id": 89}, "product_id (asked 89, got 88)"),
    ],
)
def test_each_field_without_effect_is_told_with_both_values(asked: Fields, told: str) -> None:
    assert unlike(asked, answered()) == [told]


def test_an_invoice_text_without_effect_is_named_but_not_quoted() -> None:
    assert unlike({"invoice_description": "for Vera Holm"}, answered()) == ["invoice_description"]
