"""The planner: what is known about one company tonight goes in, its plan comes out.

Preview and apply use the same planner. It has no side effects and no clock; the same facts in any order give the same
plan, and facts that already agree give an empty one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition, Agreement, Product, Recap
from shared.billing.calendar import BillingCalendar, calendar_of
from shared.billing.counting.items import BillItem, bill_items
from shared.billing.counting.quantities import quantity_of
from shared.billing.counts import Counted, Moment, ReadFailure, Reading
from shared.billing.findings import Finding, FindingKind
from shared.billing.limits import Guards
from shared.billing.lines import LedgerRow, bill_item_of, canonical
from shared.billing.planning.balancing import balances
from shared.billing.planning.billed import how_billed
from shared.billing.planning.by_hand import left_by_hand
from shared.billing.planning.choices import Choices, chosen_to_write, ignored, spent
from shared.billing.planning.count_days import on_count_days
from shared.billing.planning.doubts import are_paused
from shared.billing.planning.elsewhere import elsewhere
from shared.billing.planning.forecast import compared
from shared.billing.planning.guards import guarded
from shared.billing.planning.invariants import Standing, sound
from shared.billing.planning.invoiced import Invoiced, seen_tonight
from shared.billing.planning.item_plan import plan_item
from shared.billing.planning.matching import Additions, Owned, others_by_product, owned_by_item, strays
from shared.billing.planning.observations import measures_of, on_agreements, orphans
from shared.billing.planning.plan import Plan
from shared.billing.planning.situation import ItemPlan, Situation
from shared.billing.planning.usage_left import usage_left
from shared.billing.profiles import BillingProfile, StartDay
from shared.billing.rules import CompanyRules, Rules
from shared.billing.seats import SeatRecord


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one company on a business day (in the MSP's zone).

    `additions` holds the agreements whose additions were read; an active agreement that is missing there was not read.
    `in_doubt` are bill items with a write whose outcome is not known yet: they are left alone. `last_counted` are the
    SKUs (case-folded) that the last complete reading before tonight told of, by source and customer (case-folded),
    `last_subscriptions` likewise its subscriptions, nothing where that was not remembered, `last_read` its day.
    `sharing` are the rules of other companies that are linked to one of the same customers.
    `invoiced` is how far each agreement was invoiced at the last look, `recaps` Manage's forecasts of next invoices.
    `retroactive`: a line that is changed after it was invoiced is billed so for its last invoiced period as well, with
    the next invoice. No invoiced line is then changed in what it bills: a new one goes on from the first uninvoiced
    period, as with `always_split`, also where only its price or bill option changes, and a line of somebody else's is
    taken over only with the quantity that it has. `prorate_start_day`: whether Manage, where it prorates itself, bills
    the day on which a line starts. `moments` are what was read between the last sync and tonight, oldest first; only
    usage in arrears takes it. `at_invoices` are the readings of the day on which their vendor's newest
    invoice appeared, `counted` what was counted on the last days before agreements' invoices, by bill item.
    """

    as_of: date
    rules: Rules
    company: CompanyRules
    readings: tuple[Reading | ReadFailure, ...]
    agreements: tuple[Agreement, ...]
    additions: Mapping[int, tuple[Addition, ...]]
    products: Mapping[str, Product]
    ledger: tuple[LedgerRow, ...] = ()
    seats: Mapping[str, SeatRecord] = field(default_factory=dict)
    in_doubt: frozenset[str] = frozenset()
    last_counted: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    invoiced: Mapping[int, Invoiced] = field(default_factory=dict)
    last_subscriptions: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    sharing: tuple[CompanyRules, ...] = ()
    choices: Choices = field(default_factory=dict)
    recaps: Mapping[int, Recap] = field(default_factory=dict)
    retroactive: bool = False
    prorate_start_day: StartDay = StartDay.INCLUDED
    moments: tuple[Moment, ...] = ()
    at_invoices: tuple[Reading, ...] = ()
    counted: Mapping[str, Counted] = field(default_factory=dict)
    last_read: Mapping[tuple[str, str], date] = field(default_factory=dict)

    @property
    def guards(self) -> Guards:
        """The company's own, else the MSP's."""
        return self.company.guards or self.rules.guards


def plan_company(facts: Facts) -> Plan:
    """The guarded plan of one company, its groups and findings in a fixed order."""
    items, unmapped = bill_items(
        facts.rules,
        facts.company,
        facts.readings,
        sharing=facts.sharing,
        known=_remembered(facts),
        at_invoices=facts.at_invoices,
    )
    situation = _situation(facts, items)
    counted: Mapping[str, Counted] = {}
    if any(item.before_invoice for item in items):
        items, counted = on_count_days(items, situation, facts.counted, facts.readings)
        situation = _situation(facts, items)
    results = [(item, plan_item(item, situation)) for item in items]
    plan = _together(facts, situation, results, unmapped, counted)
    plan = sound(plan, _standing(facts, situation)) if plan.groups else plan
    all_zero = {item.id for item in items if item.count_day is not None and item.count_day.all_zero}
    return guarded(plan, facts.guards, facts.readings, facts.seats, facts.as_of, facts.at_invoices, all_zero)


def _together(
    facts: Facts,
    situation: Situation,
    results: Sequence[tuple[BillItem, ItemPlan]],
    unmapped: Sequence[Finding],
    counted: Mapping[str, Counted],
) -> Plan:
    """The plans of all bill items as one, with what is to be said of the company; not yet checked or guarded."""
    left, by_hand = usage_left(results, situation), left_by_hand(results, situation)
    mismatches, not_compared = compared(situation)
    findings = {*_of_company(facts, situation), *unmapped, *mismatches, *left.findings, *by_hand.findings}
    items, plans = [item for item, _ in results], [plan for _, plan in results]
    return Plan(
        company=facts.company.company,
        groups=tuple(plan.group for plan in plans if plan.group is not None),
        findings=tuple(sorted(findings.union(*(plan.findings for plan in plans)))),
        seats=_with_settled((record for plan in plans for record in plan.seats), (*left.seats, *by_hand.seats)),
        ledger=tuple(row for plan in plans for row in plan.ledger),
        forgotten=tuple(stamp for plan in plans for stamp in plan.forgotten),
        frozen=frozenset(item.id for item, plan in results if plan.frozen),
        unread=situation.additions.unread,
        needs_all=any(plan.needs_all for plan in plans),
        not_compared=not_compared,
        sources={item.id: item.sources for item in items},
        choices=tuple(choice for plan in plans for choice in plan.choices),
        spent=_spent(situation, items).union(left.spent, by_hand.spent, *(plan.spent for plan in plans)),
        invoiced=seen_tonight(
            facts.agreements,
            facts.company,
            situation.billed_agreements,
            situation.calendars,
            facts.invoiced,
            facts.guards.invoiced_at_once,
            facts.choices,
        ),
        billed=tuple(billed for item in items if (billed := how_billed(item, situation)) is not None),
        balances=balances(situation, results, unmapped, facts.readings),
        counted=counted,
    )


def _of_company(facts: Facts, situation: Situation) -> list[Finding]:
    """What is to be said of its readings, lines and agreements, whatever its bill items are."""
    found = [*_failures(facts.readings), *orphans(facts.ledger, situation), *_stray_findings(situation.strays)]
    return [*found, *on_agreements(situation), *elsewhere(facts.ledger, situation)]


def _with_settled(records: Iterable[SeatRecord], settled: Iterable[SeatRecord]) -> tuple[SeatRecord, ...]:
    # Settled usage and what is left to a person stand in records of different lines: neither replaces the other.
    by_line = {record.line: record for record in settled}
    return (*(record for record in records if record.line not in by_line), *by_line.values())


def _remembered(facts: Facts) -> set[str]:
    """Of what lines or seats are remembered; each begins with the id of a bill item."""
    rows = {canonical(row.key.bill_item) for row in facts.ledger}
    seats = {line for line, record in facts.seats.items() if record.days and record.days[-1].quantity > 0}
    return rows | {line.split("/", 2)[2] for line in seats}


def _standing(facts: Facts, situation: Situation) -> Standing:
    """What the result of a plan is checked against."""
    return Standing(
        tuple(line for ours in situation.owned.values() for line in ours.lines),
        facts.ledger,
        situation.agreements,
        {agreement: found for agreement, found in situation.calendars.items() if isinstance(found, BillingCalendar)},
        chosen_to_write(situation.choices),
    )


def _situation(facts: Facts, items: list[BillItem]) -> Situation:
    active = {agreement.id for agreement in facts.agreements if agreement.agreement_status == "Active"}
    additions = Additions.of(facts.additions, frozenset(active - facts.additions.keys()))
    owned = owned_by_item(facts.company.company, items, additions, facts.ledger)
    lines = [line for ours in owned.values() for line in ours.lines]
    ours = {line.addition.id for line in lines}
    ours |= {row.addition_id for row in facts.ledger if not row.key.is_standing}
    left_out = ignored(facts.choices)
    measures = measures_of(items)
    wanted = _wanted(items, owned, measures)
    billed = {line.key.agreement for line in lines}
    return Situation(
        as_of=facts.as_of,
        company=facts.company,
        marks=facts.rules.adoptable_marks,
        agreements={agreement.id: agreement for agreement in facts.agreements},
        calendars={
            agreement.id: calendar_of(agreement, facts.as_of, facts.company.billed_through.get(agreement.id))
            for agreement in facts.agreements
        },
        billed_agreements=frozenset(billed | {row.key.agreement for row in facts.ledger}),
        products={identifier.casefold(): product for identifier, product in facts.products.items()},
        additions=additions,
        owned=owned,
        others=others_by_product(additions, active, ours | left_out),
        strays=tuple(line for line in strays(additions, owned, facts.ledger, facts.as_of) if line.id not in left_out),
        ledger=facts.ledger,
        seats=facts.seats,
        record_lines=_record_lines(facts.seats),
        measures=measures,
        contested=frozenset(product for product, looking in wanted.items() if looking > 1),
        counted=frozenset(wanted),
        in_doubt=facts.in_doubt,
        last_counted=facts.last_counted,
        invoiced=facts.invoiced,
        guards=facts.guards,
        last_subscriptions=facts.last_subscriptions,
        choices=facts.choices,
        recaps=facts.recaps,
        retroactive=facts.retroactive,
        prorate_start_day=facts.prorate_start_day,
        moments=facts.moments,
        last_read=facts.last_read,
    )


def _record_lines(seats: Iterable[str]) -> dict[str, list[str]]:
    """The keys of the seat records by bill item."""
    found: dict[str, list[str]] = {}
    for line in seats:
        found.setdefault(bill_item_of(line), []).append(line)
    return found


def _spent(situation: Situation, items: Iterable[BillItem]) -> frozenset[str]:
    """The subjects of choices that have been dealt with; of items that no rule mentions nothing is known."""
    if not situation.choices:
        return frozenset()
    paused = {item.id: are_paused(item, situation) for item in items}
    additions = situation.additions
    read_all = not additions.unread
    return spent(situation.choices, situation.owned, paused, additions.by_agreement, everything_read=read_all)


def _wanted(
    items: Iterable[BillItem], owned: Mapping[str, Owned], measures: Mapping[str, Decimal | Finding]
) -> dict[str, int]:
    """Products (case-folded) for which something is counted, and how many bill items still look for a line of each."""
    found: dict[str, int] = {}
    for item in items:
        if item.profile is not None and _is_counted(item, item.profile, measures.get(item.id)):
            looks = 0 if owned[item.id].lines else 1
            for product in {product.casefold() for product in item.profile.products}:
                found[product] = found.get(product, 0) + looks
    return found


def _is_counted(item: BillItem, profile: BillingProfile, measured: Decimal | Finding | None) -> bool:
    """Whether the item will want a line, as far as is known; also one whose vendor contradicts itself."""
    if measured is None:
        return True
    return measured > 0 if isinstance(measured, Decimal) else quantity_of(item.counts, profile.quantity) != 0


def _failures(readings: Iterable[Reading | ReadFailure]) -> list[Finding]:
    return [
        Finding(
            FindingKind(failure.kind.value),
            f"{failure.source}/{failure.customer}",
            failure.reason + (f" (request {failure.request_id})" if failure.request_id else ""),
            failure.remedy,
        )
        for failure in readings
        if isinstance(failure, ReadFailure)
    ]


def _stray_findings(found: Iterable[Addition]) -> list[Finding]:
    return [
        Finding(
            FindingKind.STRAY,
            f"addition/{addition.id}",
            f"Addition {addition.id} ({addition.product}, agreement {addition.agreement_id}) carries a TrueUp stamp "
            "that was not written for it; agreements are copied together with their additions.",
            "Clear its serial number to let TrueUp adopt it, or end the line if it bills twice.",
        )
        for addition in found
    ]


def with_everything_read(facts: Facts, additions: Mapping[int, tuple[Addition, ...]]) -> Facts:
    """The same facts with more agreements' additions, for a plan that said that it needs them."""
    return replace(facts, additions={**facts.additions, **additions})
