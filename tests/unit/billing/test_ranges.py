"""Usage whose price comes in bands: each by itself, the one reached for all, or one package of the band reached."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from shared.billing.calendar import calendar_of
from shared.billing.counts import Count, Moment
from shared.billing.limits import Guards, IncreaseLimit
from shared.billing.lines import LedgerRow, one_off_stamp
from shared.billing.planning.choices import Choice, ChoiceKind
from shared.billing.planning.guards import guarded
from shared.billing.planning.invariants import Standing, sound
from shared.billing.planning.plan import GroupKind, Plan
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import Arrears, Band, BelowCost, PriceKind, PriceRule, QuantityRule
from shared.billing.rules import LicenceLink, Mode
from tests import builders as b
from tests.unit.billing.test_dated_usage import Night, azure, subscription
from tests.unit.billing.test_invoices import COMPUTED, Agreement

D = Decimal
SMALL, MEDIUM, LARGE = "BACKUP-S", "BACKUP-M", "BACKUP-L"
#: The trade's own figures: 51 units come to 100 + 320 + 6, or to 51 × 6.
PER_UNIT = (Band(D(10), D("10.00"), SMALL), Band(D(50), D("8.00"), MEDIUM), Band(None, D("6.00"), LARGE))
PACKAGES = (Band(D(100), D("25.00"), SMALL), Band(D(500), D("60.00"), MEDIUM), Band(None, D("120.00"), LARGE))
Said = tuple[str, Decimal, Decimal]


def storage(kind: PriceKind, ranges: tuple[Band, ...], arrears: Arrears = Arrears.HIGHEST) -> Agreement:
    return Agreement(
        "Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D(1), kind, arrears=arrears, ranges=ranges
    )


def closed(agreement: Agreement, *told: tuple[date, int]) -> Plan:
    """What so much on these days of January comes to on 1 February, when little is left."""
    for day, units in told:
        agreement.night(day, units)
    agreement.invoice()
    return agreement.night(date(2026, 2, 1), 5)


def said(plan: Plan) -> list[Said]:
    assert [group.held for group in plan.groups if group.held] == []
    return [(c.product, c.after.quantity, c.after.unit_price) for c in plan.changes if c.after is not None]


@pytest.mark.parametrize(
    ("kind", "units", "lines", "total"),
    [
        (PriceKind.TIERED, 10, [(SMALL, 10, "10.00")], "100.00"),
        (PriceKind.TIERED, 11, [(SMALL, 10, "10.00"), (MEDIUM, 1, "8.00")], "108.00"),
        (PriceKind.TIERED, 51, [(SMALL, 10, "10.00"), (MEDIUM, 40, "8.00"), (LARGE, 1, "6.00")], "426.00"),
        (PriceKind.VOLUME, 10, [(SMALL, 10, "10.00")], "100.00"),
        (PriceKind.VOLUME, 11, [(MEDIUM, 11, "8.00")], "88.00"),
        (PriceKind.VOLUME, 51, [(LARGE, 51, "6.00")], "306.00"),
        (PriceKind.PACKAGE, 10, [(SMALL, 1, "10.00")], "10.00"),
        (PriceKind.PACKAGE, 11, [(MEDIUM, 1, "8.00")], "8.00"),
        (PriceKind.PACKAGE, 51, [(LARGE, 1, "6.00")], "6.00"),
    ],
)
def test_a_month_is_billed_by_the_bands_that_its_most_reached(kind, units, lines, total):
    agreement = storage(kind, PER_UNIT)
    plan = closed(agreement, (date(2026, 1, 5), 3), (date(2026, 1, 20), units), (date(2026, 1, 31), 4))

    assert said(plan) == [(product, D(many), D(price)) for product, many, price in lines]
    (group,) = plan.groups
    assert (group.kind, group.monthly, group.one_off) == (GroupKind.ONE_OFF, D(0), D(total))
    assert agreement.plan(date(2026, 2, 1), 5).groups == ()
    agreement.invoice()
    assert agreement.total() == D(total)


def test_each_month_is_billed_as_the_package_of_its_own_highest_and_never_as_two():
    agreement = storage(PriceKind.PACKAGE, PACKAGES)
    agreement.night(date(2026, 1, 5), 80)
    agreement.invoice()
    january = agreement.night(date(2026, 2, 1), 240)
    agreement.night(date(2026, 2, 14), 380)
    agreement.night(date(2026, 2, 28), 90)
    agreement.invoice()
    february = agreement.night(date(2026, 3, 1), 90)
    agreement.invoice()
    march = agreement.night(date(2026, 4, 1), 0)
    agreement.invoice()

    assert said(january) == [(SMALL, D(1), D("25.00"))]
    assert said(february) == [(MEDIUM, D(1), D("60.00"))]
    assert said(march) == [(SMALL, D(1), D("25.00"))]
    assert [agreement.billed.get(date(2026, month, 1), D(0)) for month in (1, 2, 3, 4)] == [0, 25, 60, 25]
    (change,) = february.changes
    assert change.sentence == (
        "Business Premium: 380 used for 1 Feb 2026 to 28 Feb 2026, the package above 100 up to 500: 1 × 60.00 = 60.00 "
        "in all, billed with the period from 1 Mar 2026."
    )
    assert change.after.invoice_description == "BACKUP-M licence - 02/01/2026-02/28/2026, 380 used"
    assert (change.after.effective_date, change.after.cancelled_date) == (date(2026, 3, 1), date(2026, 3, 31))


def test_a_month_that_nobody_let_be_billed_is_told_when_it_is_too_long_ago():
    agreement = storage(PriceKind.PACKAGE, PACKAGES)
    agreement.night(date(2026, 1, 5), 80)
    for month in (2, 3):
        agreement.invoice()
        assert agreement.night(date(2026, month, 1), 80, applies=False).findings == ()
    agreement.invoice()
    plan = agreement.night(date(2026, 4, 1), 80)
    assert [finding.text for finding in plan.findings] == [
        "Business Premium: 80 used from 1 Jan 2026 to 31 Jan 2026 (25.00) were never billed, and are not billed by "
        "themselves, because that is too long ago."
    ]
    agreement.invoice()
    assert agreement.night(date(2026, 5, 1), 80).findings == plan.findings


def test_months_that_were_only_observed_are_no_months_that_nobody_billed():
    agreement = storage(PriceKind.PACKAGE, PACKAGES)
    agreement.mode = Mode.OBSERVE
    agreement.night(date(2026, 1, 5), 80)
    for month in (2, 3):
        agreement.invoice()
        assert agreement.night(date(2026, month, 1), 80, applies=False).findings == ()
    agreement.mode = Mode.AUTO
    for month in (4, 5, 6):
        agreement.invoice()
        assert agreement.night(date(2026, month, 1), 80).findings == ()


def test_the_band_of_a_line_stands_in_its_sentence():
    plan = closed(storage(PriceKind.TIERED, PER_UNIT), (date(2026, 1, 20), 51))

    assert [change.sentence.split(": ")[1] for change in plan.changes] == [
        "10 used up to 10 for 1 Jan 2026 to 31 Jan 2026",
        "40 used above 10 up to 50 for 1 Jan 2026 to 31 Jan 2026",
        "1 used above 50 for 1 Jan 2026 to 31 Jan 2026",
    ]
    assert [change.used for change in plan.changes] == [D(51)] * 3


@pytest.mark.parametrize("kind", [PriceKind.TIERED, PriceKind.VOLUME, PriceKind.PACKAGE])
def test_with_the_store_lost_the_stamps_of_bands_are_known_and_nothing_is_billed_again(kind):
    agreement = storage(kind, PER_UNIT)
    closed(agreement, (date(2026, 1, 20), 51))
    seats = agreement.seats
    agreement.ledger = {}
    assert agreement.plan(date(2026, 2, 1), 5).groups == ()

    agreement.seats = {}
    plan = agreement.night(date(2026, 2, 2), 700)
    assert (plan.groups, plan.findings) == ((), ())
    assert agreement.seats.keys() == seats.keys()


@pytest.mark.parametrize("written", [0, 1, 2])
def test_whatever_line_of_a_month_was_written_before_a_worker_died_the_others_follow(written):
    agreement = storage(PriceKind.TIERED, PER_UNIT)
    agreement.night(date(2026, 1, 20), 51)
    agreement.invoice()
    plan = agreement.night(date(2026, 2, 1), 5, applies=False)
    agreement.write(plan.changes[written])
    rest = agreement.night(date(2026, 2, 1), 5)

    assert {*said(plan)} == {*said(rest), said(plan)[written]}
    assert len(said(rest)) == 2


def test_our_second_copy_of_a_bands_line_goes():
    agreement = storage(PriceKind.TIERED, PER_UNIT)
    closed(agreement, (date(2026, 1, 20), 51))
    line = agreement.lines[1]
    agreement.lines.append(replace(line, id=line.id + 10))
    assert [change.addition for change in agreement.night(date(2026, 2, 2), 5).changes] == [line.id + 10]


def test_a_copy_that_was_set_to_nothing_hides_no_line_that_charged_the_month_when_the_store_is_lost():
    agreement = storage(PriceKind.VOLUME, PER_UNIT)
    closed(agreement, (date(2026, 1, 20), 51))
    (line,) = agreement.lines
    nothing = replace(line, id=line.id - 10, quantity=D(0), cancelled_date=line.effective_date)
    agreement.lines = [nothing, line]
    agreement.invoice()
    agreement.ledger = {}
    assert agreement.plan(date(2026, 2, 2), 5).groups == ()


def test_a_range_whose_product_is_not_in_the_catalog_is_told_before_a_month_reaches_it():
    agreement = storage(PriceKind.PACKAGE, PACKAGES)
    agreement.night(date(2026, 1, 20), 60)
    agreement.invoice()
    facts = agreement.facts(date(2026, 2, 1), 60)
    kept = {name: product for name, product in facts.products.items() if name != LARGE}
    plan = plan_company(replace(facts, products=kept))
    assert said(plan) == [(SMALL, D(1), D("25.00"))]
    assert [finding.text for finding in plan.findings] == ["Manage's catalog has no product BACKUP-L."]


@pytest.mark.parametrize("product", [SMALL, MEDIUM, LARGE])
def test_no_band_is_billed_beside_a_line_of_any_other_that_a_person_keeps(product):
    agreement = storage(PriceKind.PACKAGE, PACKAGES)
    by_hand = b.addition(77, 1, product=product, product_id=103, effective_date=date(2025, 1, 1))
    agreement.lines = [by_hand]
    blocked = closed(agreement, (date(2026, 1, 20), 300))
    assert (blocked.groups, [finding.kind.value for finding in blocked.findings]) == ((), ["blocked-create"])

    # That line has billed January: nobody owes a package for it, whichever it was.
    agreement.lines = [replace(by_hand, cancelled_date=date(2026, 1, 31))]
    assert agreement.night(date(2026, 2, 2), 300).groups == ()


def test_units_that_a_person_billed_by_a_bands_product_are_the_first_of_the_month():
    agreement = storage(PriceKind.TIERED, PER_UNIT)
    agreement.lines = [
        b.addition(77, 12, product=SMALL, effective_date=date(2025, 1, 1), cancelled_date=date(2026, 1, 31))
    ]
    plan = closed(agreement, (date(2026, 1, 20), 51))
    assert said(plan) == [(MEDIUM, D(38), D("8.00")), (LARGE, D(1), D("6.00"))]


@pytest.mark.parametrize("kind", [PriceKind.TIERED, PriceKind.PACKAGE])
def test_a_line_that_a_person_wants_ended_ends_and_charges_until_then(kind):
    agreement = storage(kind, PER_UNIT)
    by_hand = b.addition(77, 12, product=SMALL, product_id=101, effective_date=date(2025, 1, 1))
    agreement.lines = [by_hand]
    closed(agreement, (date(2026, 1, 20), 51))
    item = f"{b.SOURCE}/{b.PREMIUM}"
    chosen = {item: Choice(ChoiceKind.END_OTHER, item, (77,))}
    plan = plan_company(replace(agreement.facts(date(2026, 2, 2), 51), choices=chosen))

    end, *lines = plan.changes
    assert (end.addition, end.after.cancelled_date, end.is_of_another) == (77, date(2026, 1, 31), True)
    assert [(c.product, c.after.quantity) for c in lines] == (
        [(MEDIUM, D(38)), (LARGE, D(1))] if kind is PriceKind.TIERED else []
    )

    agreement.lines = [replace(by_hand, cancelled_date=date(2026, 1, 31))]
    left = plan_company(replace(agreement.facts(date(2026, 2, 3), 51), choices=chosen))
    assert [(c.product, c.after.quantity) for c in left.changes] == [(c.product, c.after.quantity) for c in lines]


@pytest.mark.parametrize("kind", [PriceKind.CUSTOM, PriceKind.TIERED, PriceKind.PACKAGE])
def test_a_month_that_a_line_of_a_replaced_product_billed_is_not_billed_again(kind):
    agreement = storage(kind, PER_UNIT)
    agreement.lines = [
        b.addition(
            *(77, 51), product="OLD", product_id=99, effective_date=date(2025, 1, 1), cancelled_date=date(2026, 1, 31)
        )
    ]
    agreement.night(date(2026, 1, 20), 51)
    agreement.invoice()
    facts = agreement.facts(date(2026, 2, 1), 51)
    (profile,) = facts.rules.profiles.values()
    assert plan_company(facts).groups != ()
    replacing = replace(facts, rules=b.rules(replace(profile, replaces=("OLD",))))
    assert plan_company(replacing).groups == ()


FREE = (Band(D(100), D("25.00")), Band(None, D("60.00")))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((PriceKind.PACKAGE, PACKAGES), (PriceKind.PACKAGE, FREE)),
        ((PriceKind.PACKAGE, PACKAGES), (PriceKind.TIERED, PER_UNIT)),
        ((PriceKind.PACKAGE, PACKAGES), (PriceKind.CUSTOM, ())),
        ((PriceKind.TIERED, PER_UNIT), (PriceKind.PACKAGE, PACKAGES)),
        ((PriceKind.TIERED, PER_UNIT), (PriceKind.TIERED, PACKAGES)),
        ((PriceKind.TIERED, PER_UNIT), (PriceKind.VOLUME, PER_UNIT)),
        ((PriceKind.VOLUME, PER_UNIT), (PriceKind.TIERED, PER_UNIT)),
        ((PriceKind.CUSTOM, ()), (PriceKind.PACKAGE, PACKAGES)),
    ],
)
def test_a_month_that_was_billed_is_not_billed_again_by_other_bands(before, after):
    agreement = storage(*before)
    closed(agreement, (date(2026, 1, 20), 51))
    agreement.kind, agreement.ranges = after
    assert agreement.night(date(2026, 2, 2), 5).groups == ()
    assert agreement.night(date(2026, 3, 1), 5).groups != ()


def test_a_month_that_is_over_keeps_what_it_came_to_when_its_profile_counts_the_highest_from_now_on():
    """4 at the end of January: 40.00; that 51 were the most of it is nothing that was to be billed."""
    agreement = storage(PriceKind.TIERED, PER_UNIT, Arrears.LAST)
    assert said(closed(agreement, (date(2026, 1, 20), 51), (date(2026, 1, 31), 4))) == [(SMALL, D(4), D("10.00"))]
    agreement.arrears = Arrears.HIGHEST
    for day, units in ((date(2026, 2, 2), 12), (date(2026, 2, 20), 3)):
        assert agreement.night(day, units).groups == ()
    agreement.invoice()
    assert said(agreement.night(date(2026, 3, 1), 3)) == [(SMALL, D(10), D("10.00")), (MEDIUM, D(2), D("8.00"))]


GB = QuantityRule(divide_by=D(1024))


def counted(
    agreement: Agreement,
    day: date,
    units: int,
    rule: QuantityRule = GB,
    moments: tuple[Moment, ...] = (),
    **licence: object,
) -> Plan:
    """A night whose profile counts by this rule."""
    facts = replace(agreement.facts(day, units), moments=moments)
    own = replace(facts.rules.profiles["premium"], quantity=rule)
    choice = (LicenceLink(b.SOURCE, b.PREMIUM, **licence),) if licence else ()
    plan = plan_company(replace(facts, rules=b.rules(own), company=b.company(licences=choice)))
    agreement.seats |= {record.line: record for record in plan.seats}
    return plan


def test_a_level_that_was_read_by_other_rules_is_no_such_units_and_is_told():
    """The divisor was forgotten: 307,200 MB are 300 GB, and never 307,200 of them."""
    agreement = storage(PriceKind.CUSTOM, ())
    for day, units in ((5, 300 * 1024), (9, 320 * 1024)):
        counted(agreement, date(2026, 1, day), units, QuantityRule())
    for day in (15, 31):
        plan = counted(agreement, date(2026, 1, day), 310 * 1024)
        assert [(finding.kind.value, finding.text) for finding in plan.findings] == [
            (
                "unbilled",
                "Business Premium: the rules for its quantity changed since 1 Jan 2026; of this period only what is "
                "read after that is billed, and not the 327680 that other rules made of it.",
            )
        ]
    agreement.invoice()
    closing = counted(agreement, date(2026, 2, 1), 290 * 1024)
    assert (said(closing), closing.findings) == ([("M365-BP", D(310), D(1))], ())


def test_rules_that_change_when_a_month_is_over_leave_it_as_it_was_read_and_count_the_next_one_alone():
    agreement = storage(PriceKind.CUSTOM, ())
    counted(agreement, date(2026, 1, 31), 300, QuantityRule(divide_by=D(100)))
    agreement.invoice()
    # Read between the nights, and counted with the next one: on 31 January, and on 1 February.
    moments = tuple(
        Moment(datetime(2026, month, day, 20, tzinfo=UTC), date(2026, month, day), (b.reading(b.count(units)),))
        for month, day, units in ((1, 31, 310), (2, 1, 350))
    )
    fifties = QuantityRule(divide_by=D(50))
    closing = counted(agreement, date(2026, 2, 2), 320, fifties, moments)
    assert (said(closing), closing.findings) == ([("M365-BP", D(3), D(1))], ())
    agreement.invoice()
    counted(agreement, date(2026, 2, 28), 250, fifties)
    assert said(counted(agreement, date(2026, 3, 1), 250, fifties)) == [
        ("M365-BP", D(3), D(1)),
        ("M365-BP", D(7), D(1)),
    ]


def test_a_quantity_that_a_person_fixes_holds_for_the_month_under_way():
    agreement = storage(PriceKind.CUSTOM, ())
    counted(agreement, date(2026, 1, 5), 300 * 1024)
    counted(agreement, date(2026, 1, 15), 300 * 1024, quantity=D(7))
    agreement.invoice()
    assert said(counted(agreement, date(2026, 2, 1), 300 * 1024, quantity=D(7))) == [("M365-BP", D(7), D(1))]


def test_an_odd_reading_that_was_not_billed_yet_is_left_out_by_a_profile_that_counts_the_last_one():
    agreement = storage(PriceKind.TIERED, PER_UNIT)
    agreement.night(date(2026, 1, 20), 5100)
    agreement.night(date(2026, 1, 31), 4)
    agreement.invoice()
    assert agreement.night(date(2026, 2, 1), 4, applies=False).groups != ()
    agreement.arrears = Arrears.LAST
    assert said(agreement.night(date(2026, 2, 2), 4)) == [(SMALL, D(4), D("10.00"))]


def test_the_companys_own_price_is_that_of_any_package_and_the_products_stay():
    agreement = storage(PriceKind.PACKAGE, PACKAGES)
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, price=D("49.00")),)
    assert said(closed(agreement, (date(2026, 1, 20), 300))) == [(MEDIUM, D(1), D("49.00"))]


# ---- what the vendor tells late


class LateNight(Night):
    """A night whose lines are written."""

    def __init__(self, **profile: object) -> None:
        super().__init__(**profile)
        self.ledger: dict[str, LedgerRow] = {}

    def __call__(self, day: date, *counts: Count, **values: object) -> Plan:
        catalog = [b.product(), *(b.product(name, 101 + number) for number, name in enumerate((SMALL, MEDIUM, LARGE)))]
        plan = super().__call__(day, *counts, products=catalog, ledger=tuple(self.ledger.values()), **values)
        for change in plan.changes:
            self.wrote(change)
        return plan

    def wrote(self, change) -> None:
        row = LedgerRow(change.after.serial_number, change.key, 9000 + len(self.ledger), change.product, change.after)
        self.ledger[row.stamp] = row


def used(amount: str) -> Count:
    return azure(subscription("s1", {date(2026, 10, 3): amount}, date(2026, 11, 1)))


def october(kind: PriceKind, ranges: tuple[Band, ...], **price: object) -> LateNight:
    night = LateNight(price=PriceRule(kind, bands=ranges, **price))
    night(date(2026, 10, 2), azure(subscription("s1", {}, date(2026, 10, 1))))
    return night


def test_a_larger_package_that_a_late_value_reaches_is_billed_and_the_smaller_one_given_back():
    night = october(PriceKind.PACKAGE, PACKAGES)
    assert said(night(date(2026, 11, 4), used("80"))) == [(SMALL, D(1), D("25.00"))]
    night.rules = b.rules(
        replace(
            night.rules.profiles["premium"],
            price=PriceRule(PriceKind.PACKAGE, bands=(replace(PACKAGES[0], price=D("27.00")), *PACKAGES[1:])),
        )
    )
    assert night(date(2026, 11, 5), used("95")).groups == ()

    late = night(date(2026, 11, 6), used("120"))
    assert said(late) == [(MEDIUM, D(1), D("60.00")), (SMALL, D(1), D("-25.00"))]
    assert late.changes[1].sentence == (
        "Business Premium: 120 used for 1 Oct 2026 to 31 Oct 2026, no more the package up to 100: 1 × 25.00 = 25.00 "
        "credited in all, billed with the period from 1 Dec 2026."
    )
    assert sum(change.one_off for change in late.changes) == D("35.00")
    assert night(date(2026, 11, 7), used("120")).groups == ()
    assert night(date(2026, 11, 8), used("90")).groups == ()
    assert said(night(date(2026, 11, 9), used("501"))) == [(LARGE, D(1), D("120.00")), (MEDIUM, D(1), D("-60.00"))]


def test_a_smaller_package_takes_with_it_the_cost_that_it_was_written_with():
    night = october(PriceKind.PACKAGE, PACKAGES, write_cost=True)
    assert [change.after.unit_cost for change in night(date(2026, 11, 4), used("80")).changes] == [D(80)]

    late = night(date(2026, 11, 6), used("120")).changes
    assert [(change.after.unit_cost, change.margin) for change in late] == [(D(120), D("-60.00")), (D(-80), D("55.00"))]


def test_a_worker_that_died_before_a_smaller_package_was_given_back_leaves_that_to_the_next():
    night = october(PriceKind.PACKAGE, PACKAGES)
    night(date(2026, 11, 4), used("80"))
    known = dict(night.ledger)
    late = night(date(2026, 11, 6), used("120"))
    night.ledger = known
    night.wrote(late.changes[0])

    assert said(night(date(2026, 11, 6), used("120"))) == [(SMALL, D(1), D("-25.00"))]
    assert night(date(2026, 11, 6), used("120")).groups == ()


def test_what_a_late_value_adds_is_billed_in_the_bands_that_it_fills():
    night = october(PriceKind.TIERED, PER_UNIT)
    assert said(night(date(2026, 11, 4), used("12"))) == [(SMALL, D(10), D("10.00")), (MEDIUM, D(2), D("8.00"))]
    assert said(night(date(2026, 11, 6), used("60"))) == [(MEDIUM, D(38), D("8.00")), (LARGE, D(10), D("6.00"))]
    assert night(date(2026, 11, 7), used("60")).groups == ()


def test_units_that_a_late_value_lifts_into_a_cheaper_band_are_given_back_and_billed_at_its_price():
    """10 × 10.00 = 100.00 were billed; 12 come to 12 × 8.00 = 96.00, 60 to 60 × 6.00 = 360.00."""
    night = october(PriceKind.VOLUME, PER_UNIT)
    assert said(night(date(2026, 11, 4), used("10"))) == [(SMALL, D(10), D("10.00"))]
    assert night(date(2026, 11, 5), used("9")).groups == ()

    late = night(date(2026, 11, 6), used("12"))
    assert said(late) == [(MEDIUM, D(12), D("8.00")), (SMALL, D(10), D("-10.00"))]
    assert late.changes[1].sentence == (
        "Business Premium: 12 used for 1 Oct 2026 to 31 Oct 2026, no more 10 at 10.00: 10 × 10.00 = 100.00 credited in "
        "all, billed with the period from 1 Dec 2026."
    )
    assert sum(change.one_off for change in late.changes) == D("-4.00")
    assert night(date(2026, 11, 7), used("12")).groups == ()
    assert night(date(2026, 11, 7), used("11")).groups == ()

    assert said(night(date(2026, 11, 8), used("15"))) == [(MEDIUM, D(3), D("8.00"))]
    assert said(night(date(2026, 11, 9), used("60"))) == [(LARGE, D(60), D("6.00")), (MEDIUM, D(15), D("-8.00"))]
    assert night(date(2026, 11, 10), used("5")).groups == ()
    assert sum(row.values.quantity * row.values.unit_price for row in night.ledger.values()) == D("360.00")


@pytest.mark.parametrize("written", [0, 1])
def test_whatever_of_a_lift_was_written_before_a_worker_died_the_rest_follows(written):
    night = october(PriceKind.VOLUME, PER_UNIT)
    night(date(2026, 11, 4), used("10"))
    known = dict(night.ledger)
    late = night(date(2026, 11, 6), used("60"))
    night.ledger = known
    night.wrote(late.changes[written])

    assert said(night(date(2026, 11, 6), used("60"))) == [said(late)[1 - written]]
    assert night(date(2026, 11, 6), used("60")).groups == ()


def test_with_the_ledger_lost_lines_that_were_given_back_and_billed_anew_are_known_by_their_stamps():
    agreement = storage(PriceKind.VOLUME, PER_UNIT)
    closed(agreement, (date(2026, 1, 20), 10))
    facts = agreement.facts(date(2026, 2, 2), 5)
    (record,) = agreement.seats.values()
    (first, *rest) = record.days
    told = replace(record, days=(first, replace(first, day=date(2026, 1, 30), quantity=D(12)), *rest))
    lifted = plan_company(replace(facts, seats={record.line: told}))
    assert said(lifted) == [(MEDIUM, D(12), D("8.00")), (SMALL, D(10), D("-10.00"))]
    for change in lifted.changes:
        agreement.write(change)
    agreement.ledger = {}
    facts = agreement.facts(date(2026, 2, 3), 5)
    assert plan_company(replace(facts, seats={record.line: told})).groups == ()
    agreement.invoice()
    assert agreement.total() == D("96.00")


def test_a_lift_takes_with_it_the_cost_that_the_lines_were_written_with():
    night = october(PriceKind.VOLUME, PER_UNIT, write_cost=True)
    night(date(2026, 11, 4), used("10"))
    late = night(date(2026, 11, 6), used("12")).changes
    assert [(change.after.unit_cost, change.margin) for change in late] == [(D(1), D("84.00")), (D(-1), D("-90.00"))]


@pytest.mark.parametrize(
    ("bands", "told"),
    [
        # What was billed had another price than its band says today: nothing of the past changes, only more is billed.
        ((Band(D(10), D("11.00"), SMALL), *PER_UNIT[1:]), [(MEDIUM, D(2), D("8.00"))]),
        ((Band(D(5), D("10.00"), SMALL), *PER_UNIT[1:]), [(MEDIUM, D(2), D("8.00"))]),
        ((replace(PER_UNIT[0], product=LARGE), *PER_UNIT[1:]), [(MEDIUM, D(2), D("8.00"))]),
        # The price of the band that is reached is that of tonight, as for all that comes late.
        ((PER_UNIT[0], Band(None, D("9.00"), MEDIUM)), [(MEDIUM, D(12), D("9.00")), (SMALL, D(10), D("-10.00"))]),
        # Dearer bands are billed alike.
        ((PER_UNIT[0], Band(None, D("12.00"), MEDIUM)), [(MEDIUM, D(12), D("12.00")), (SMALL, D(10), D("-10.00"))]),
    ],
)
def test_a_lift_gives_back_only_what_was_charged_at_todays_price_of_its_band(bands, told):
    night = october(PriceKind.VOLUME, PER_UNIT)
    night(date(2026, 11, 4), used("10"))
    own = night.rules.profiles["premium"]
    night.rules = b.rules(replace(own, price=PriceRule(PriceKind.VOLUME, bands=bands)))
    assert night(date(2026, 11, 5), used("10")).groups == ()
    assert said(night(date(2026, 11, 6), used("12"))) == told


def test_units_that_a_person_bills_count_for_the_band_that_ours_had():
    """4 by hand and 5 of ours at 10.00 were 9; of 15 in all ours are 11 × 8.00 = 88.00 less 50.00."""
    night = october(PriceKind.VOLUME, PER_UNIT)
    by_hand = b.addition(
        77, 4, product=SMALL, product_id=101, effective_date=date(2025, 1, 1), cancelled_date=date(2026, 10, 31)
    )
    assert said(night(date(2026, 11, 4), used("9"), additions=[by_hand])) == [(SMALL, D(5), D("10.00"))]
    assert said(night(date(2026, 11, 6), used("15"), additions=[by_hand])) == [
        (MEDIUM, D(11), D("8.00")),
        (SMALL, D(5), D("-10.00")),
    ]


def test_what_was_billed_by_volume_and_given_back_is_not_charged_twice_by_another_kind_of_price():
    night = october(PriceKind.VOLUME, PER_UNIT)
    night(date(2026, 11, 4), used("10"))
    night(date(2026, 11, 6), used("12"))
    own = night.rules.profiles["premium"]
    night.rules = b.rules(replace(own, price=PriceRule(PriceKind.CUSTOM, D("7.00"))))
    assert night(date(2026, 11, 7), used("12")).groups == ()
    assert said(night(date(2026, 11, 8), used("14"))) == [("M365-BP", D(2), D("7.00"))]


# ---- cost, guards


def test_a_package_costs_what_the_vendor_asks_for_all_that_it_holds():
    night = october(PriceKind.PACKAGE, PACKAGES, write_cost=True)
    (change,) = night(date(2026, 11, 4), used("80")).changes
    assert (change.after.unit_cost, change.margin) == (D(80), D("-55.00"))

    refused = october(PriceKind.PACKAGE, PACKAGES, below_cost=BelowCost.REFUSE)(date(2026, 11, 4), used("80"))
    assert (refused.groups, [finding.kind.value for finding in refused.findings]) == ((), ["price"])
    assert "its price of 25.00 is below its cost of 80.00" in refused.findings[0].text


@pytest.mark.parametrize("kind", [PriceKind.PACKAGE, PriceKind.TIERED])
def test_an_odd_reading_is_held_by_all_that_it_says_whatever_a_single_line_bills(kind):
    agreement = storage(kind, PACKAGES)
    agreement.night(date(2026, 1, 20), 60)
    agreement.invoice()
    agreement.night(date(2026, 2, 1), 60)
    agreement.night(date(2026, 2, 20), 510)
    agreement.invoice()
    plan = agreement.plan(date(2026, 3, 1), 60)
    guards = Guards(increase=IncreaseLimit(D(5), D(25)))
    (group,) = guarded(plan, guards, [], agreement.seats, date(2026, 3, 1)).groups
    assert group.held == "510 used are more than 5 times 60, the most of the month before"


def test_two_packages_for_one_month_are_a_fault_that_nobody_can_approve():
    agreement = storage(PriceKind.PACKAGE, PACKAGES)
    agreement.night(date(2026, 1, 20), 60)
    agreement.invoice()
    facts = agreement.facts(date(2026, 2, 1), 60)
    plan, (on,) = plan_company(facts), facts.agreements
    (change,) = plan.changes
    key = replace(change.key, band="package-100-500")
    stamp = one_off_stamp(key, 102, date(2026, 1, 1), 1)
    twice = replace(
        plan.groups[0], changes=(change, replace(change, key=key, after=replace(change.after, serial_number=stamp)))
    )
    known = Standing((), (), {on.id: on}, {on.id: calendar_of(on, facts.as_of)})

    (group,) = sound(replace(plan, groups=(twice,)), known).groups
    assert group.unsound
    assert group.held == "2 would be charged for 1 Jan 2026 to 31 Jan 2026, in which there is 1 at most"
