"""Lines of ours on agreements that are another company's by now."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.lines import one_off_stamp
from shared.billing.planning.elsewhere import still_ours
from shared.billing.planning.planner import plan_company
from shared.billing.rules import LicenceLink
from tests import builders as b

LINE = b.our_addition(9, 10)
YESTERDAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("stands", "stays"),
    [
        ((LINE,), True),
        ((replace(LINE, quantity=Decimal(3)),), True),
        ((replace(LINE, serial_number=""),), True),
        ((replace(LINE, cancelled_date=b.TODAY),), True),
        ((replace(LINE, cancelled_date=YESTERDAY),), False),
        ((replace(LINE, quantity=Decimal(0)),), False),
        ((replace(LINE, serial_number="TU1-S-260101-another"),), False),
        ((), False),
    ],
)
def test_a_line_elsewhere_is_let_go_of_once_it_bills_nothing_as_ours(stands, stays):
    row = b.recorded(LINE)
    assert still_ours([row], {b.AGREEMENT: stands}, {502}, b.TODAY) == ((row,) if stays else ())
    assert still_ours([row], {b.AGREEMENT: stands}, {b.AGREEMENT}, b.TODAY) == (row,), "on the company's own agreement"
    assert still_ours([row], {}, {502}, b.TODAY) == (row,), "where it could not be read"


def test_a_one_off_line_elsewhere_goes_on_telling_what_it_charged():
    once = replace(b.recorded(LINE), key=b.key().for_one_off(), stamp=one_off_stamp(b.key(), 88, b.TODAY, 1))
    assert still_ours([once], {b.AGREEMENT: ()}, {502}, b.TODAY) == (once,)


def test_what_bills_elsewhere_is_told_also_where_its_item_is_not_to_be_billed_any_more():
    waived = b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),))
    facts = b.facts(b.reading(b.count(10)), agreements=[b.agreement(502)], ledger=[b.recorded(LINE)], company=waived)
    plan = plan_company(facts)
    assert plan.groups == ()
    assert [(finding.key, "additions 9" in finding.text) for finding in plan.findings] == [
        ("agreement/501/elsewhere", True)
    ]
