"""Our reading of Manage's billing periods, by examples worked by hand."""

from __future__ import annotations

from datetime import date

import pytest

from shared.billing.calendar import BillingCalendar, Period, Unsupported, calendar_of, month_of
from tests import builders as b

DAY = date(2026, 11, 21)


def calendar(day: date = DAY, billed_through: date | None = None, **values: object) -> BillingCalendar:
    """The calendar of an ordinary agreement (monthly, by calendar years, Current) with these differences."""
    found = calendar_of(b.agreement(**values), day, billed_through)
    assert isinstance(found, BillingCalendar), found
    return found


def reason(day: date = DAY, **values: object) -> str:
    found = calendar_of(b.agreement(**values), day)
    assert isinstance(found, Unsupported), found
    return found.reason


@pytest.mark.parametrize(
    ("values", "first", "last"),
    [
        ({"next_invoice_date": date(2026, 12, 1)}, date(2026, 12, 1), date(2026, 12, 31)),
        ({"next_invoice_date": date(2026, 12, 31)}, date(2026, 12, 1), date(2026, 12, 31)),
        ({"next_invoice_date": date(2026, 12, 1), "period_type": "Future"}, date(2027, 1, 1), date(2027, 1, 31)),
        ({"next_invoice_date": date(2026, 11, 30), "period_type": "Future"}, date(2026, 12, 1), date(2026, 12, 31)),
        ({"billing_cycle": "Quarterly", "next_invoice_date": date(2026, 11, 5)}, date(2026, 10, 1), date(2026, 12, 31)),
        ({"billing_cycle": "SemiAnnual", "next_invoice_date": date(2026, 12, 5)}, date(2026, 7, 1), date(2026, 12, 31)),
        ({"billing_cycle": "Yearly", "next_invoice_date": date(2026, 6, 5)}, date(2026, 1, 1), date(2026, 12, 31)),
        (
            {
                "invoicing_cycle": "ContractYear",
                "bill_start_date": date(2025, 1, 31),
                "next_invoice_date": date(2026, 12, 15),
            },
            date(2026, 11, 30),
            date(2026, 12, 30),
        ),
        (
            {
                "invoicing_cycle": "ContractYear",
                "billing_cycle": "Quarterly",
                "bill_start_date": date(2025, 2, 15),
                "next_invoice_date": date(2026, 11, 15),
                "period_type": "Future",
            },
            date(2027, 2, 15),
            date(2027, 5, 14),
        ),
    ],
)
def test_the_first_uninvoiced_period(values, first, last):
    assert calendar(**values).first_uninvoiced == Period(first, last)


def test_billed_through_names_the_last_invoiced_day():
    assert calendar(billed_through=date(2026, 12, 31)).first_uninvoiced.start == date(2027, 1, 1)
    assert calendar(billed_through=date(2026, 12, 30)).first_uninvoiced.start == date(2026, 12, 1)


def test_a_day_31_comes_back_after_a_shorter_month_and_a_29th_of_february_after_four_years():
    contract = calendar(invoicing_cycle="ContractYear", bill_start_date=date(2024, 1, 31))
    february = contract.period_of(date(2026, 3, 1))
    assert february == Period(date(2026, 2, 28), date(2026, 3, 30))
    assert contract.after(february) == Period(date(2026, 3, 31), date(2026, 4, 29))
    yearly = calendar(
        date(2027, 3, 1),
        invoicing_cycle="ContractYear",
        billing_cycle="Yearly",
        bill_start_date=date(2024, 2, 29),
        next_invoice_date=date(2027, 3, 1),
    )
    assert yearly.first_uninvoiced == Period(date(2027, 2, 28), date(2028, 2, 28))
    assert yearly.after(yearly.first_uninvoiced).start == date(2028, 2, 29)


def test_every_day_of_two_years_lies_in_its_period_and_periods_meet():
    for cycle, months in {"Monthly": 1, "Quarterly": 3, "SemiAnnual": 6}.items():
        contract = calendar(billing_cycle=cycle, invoicing_cycle="ContractYear", bill_start_date=date(2024, 12, 15))
        for number in range(730):
            day = date.fromordinal(date(2025, 1, 1).toordinal() + number)
            period = contract.period_of(day)
            assert period.start <= day <= period.end
            assert period.start.day == 15
            assert contract.after(period).start.toordinal() == period.end.toordinal() + 1
            assert 28 * months <= period.days <= 31 * months


def test_a_period_counts_its_days_from_one():
    period = Period(date(2026, 2, 1), date(2026, 2, 28))
    assert (period.days, period.day_before) == (28, date(2026, 1, 31))
    assert [period.index_of(day) for day in (period.start, date(2026, 2, 2), period.end)] == [1, 2, 28]


def test_the_periods_from_one_up_to_another_leave_the_last_one_out():
    monthly = calendar()
    january, april = monthly.period_of(date(2026, 1, 5)), monthly.period_of(date(2026, 4, 5))
    assert [period.start.month for period in monthly.from_until(january, april)] == [1, 2, 3]
    assert list(monthly.from_until(january, january)) == []


def test_a_month_is_a_calendar_month():
    assert month_of(date(2026, 2, 28)) == Period(date(2026, 2, 1), date(2026, 2, 28))
    assert month_of(date(1999, 12, 1)) == Period(date(1999, 12, 1), date(1999, 12, 31))


@pytest.mark.parametrize(
    ("bill_start", "end", "inside"),
    [
        (None, None, True),
        (date(2026, 12, 1), date(2026, 12, 31), True),
        (date(2026, 11, 21), date(2026, 12, 30), False),
        (date(2026, 11, 21), date(2027, 1, 1), True),
    ],
)
def test_a_period_is_whole_inside_the_agreement(bill_start, end, inside):
    december = Period(date(2026, 12, 1), date(2026, 12, 31))
    day = max(bill_start or DAY, DAY)
    assert calendar(day, bill_start_date=bill_start, end_date=end).is_whole_inside(december) is inside


def test_a_period_in_which_billing_starts_is_not_whole_inside():
    begun = calendar(bill_start_date=date(2026, 11, 2))
    assert not begun.is_whole_inside(Period(date(2026, 11, 1), date(2026, 11, 30)))
    assert calendar(bill_start_date=date(2026, 11, 1)).is_whole_inside(Period(date(2026, 11, 1), date(2026, 11, 30)))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"parent_agreement_id": 500}, "is a child agreement that bills with its parent"),
        ({"billing_cycle": "Weekly"}, "is billed Weekly"),
        ({"billing_cycle": None}, "is billed in a cycle that could not be read"),
        ({"invoicing_cycle": "Fortnight"}, "has the invoicing cycle Fortnight and no bill start date"),
        ({"invoicing_cycle": None}, "has the invoicing cycle unknown and no bill start date"),
        (
            {"invoicing_cycle": "ContractYear", "bill_start_date": None},
            "has the invoicing cycle ContractYear and no bill start date",
        ),
        ({"period_type": "Both"}, "has the period type Both"),
        ({"period_type": None}, "has the period type unknown"),
        ({"bill_start_date": date(2026, 11, 22)}, "is billed only from 22 Nov 2026 on"),
        ({"next_invoice_date": None}, "has no next invoice date"),
        ({"next_invoice_date": date(2027, 3, 1)}, "is invoiced until 28 Feb 2027, more than 3 periods ahead"),
        ({"end_date": date(2026, 11, 30)}, "ends on 30 Nov 2026, and all of it is invoiced"),
    ],
)
def test_a_calendar_that_cannot_be_relied_on_says_why(values, told):
    assert reason(**values) == told


def test_at_the_very_edge_a_calendar_is_still_relied_on():
    assert calendar(bill_start_date=DAY).first_day == DAY
    assert calendar(end_date=date(2026, 12, 1)).last_day == date(2026, 12, 1)
    assert calendar(date(2026, 12, 1), next_invoice_date=date(2027, 3, 1)).first_uninvoiced.start == date(2027, 3, 1)
    assert calendar(invoicing_cycle="CalendarYear", bill_start_date=None).anchor == date(2000, 1, 1)
