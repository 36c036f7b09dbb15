"""One bill item tonight: where it is billed, in which lines, and which of its lines are to go.

Every doubt freezes: the lines stay as they are and a finding says why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal

from shared.billing.agreements import Agreement
from shared.billing.calendar import BillingCalendar, Unsupported
from shared.billing.counting.items import BillItem
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import LineKey
from shared.billing.planning.arrears import has_usage, plan_usage
from shared.billing.planning.by_hand import risen_before_the_end
from shared.billing.planning.choices import ChoiceKind
from shared.billing.planning.commitment import commitment_of
from shared.billing.planning.count_days import without_a_day
from shared.billing.planning.doubts import Edited, agreement_for, calendar_for, is_paused, product_for, refuse_paused
from shared.billing.planning.edits import plan_of_edited, settled_as_it_stands
from shared.billing.planning.history import kept, not_billed, of_standing_lines, with_tonight
from shared.billing.planning.lasting import unless_one_lasts
from shared.billing.planning.leaving import Leaving, lines_leaving
from shared.billing.planning.line_plan import LinePlan, has_begun, plan_line
from shared.billing.planning.observations import (
    billed_for_nothing,
    dated_by_vendor,
    foreign,
    unassigned,
    unknown,
)
from shared.billing.planning.plan import Change, ChangeKind, Group
from shared.billing.planning.situation import Doubt, ItemPlan, Situation, Target
from shared.billing.planning.tiers import Tier, part_of, tiers_of
from shared.billing.planning.usage_left import ended_usage
from shared.billing.profiles import BillingProfile, ProrationRule
from shared.billing.seats import Commitment, SeatRecord


def plan_item(item: BillItem, situation: Situation) -> ItemPlan:
    """What to write for one bill item, or why it is left alone."""
    return unless_one_lasts(item, _planned(item, situation), situation)


def _planned(item: BillItem, situation: Situation) -> ItemPlan:
    if item.count_day is not None and item.count_day.waits is not None:
        return _waiting(item, situation)
    if item.unknown is not None:
        return ItemPlan(findings=unknown(item, situation), frozen=True)
    if item.id in situation.in_doubt:
        return ItemPlan(frozen=True)
    observed = (*unassigned(item), *foreign(item))
    try:
        if item.profile is None:
            return _not_billed(item, situation, observed)
        quantity = situation.measured(item)
        if quantity == 0 and not situation.owned[item.id].lines and not has_usage(item, situation):
            findings = (*observed, *billed_for_nothing(item, item.profile, situation))
            return ItemPlan(findings=findings, seats=not_billed(item, situation))
        agreement = agreement_for(item, item.profile, situation)
    except Doubt as doubt:
        return ItemPlan(findings=(*observed, doubt.finding), frozen=True)
    if item.profile.arrears is not None:
        return plan_usage(item, item.profile, agreement, quantity, observed, situation)
    lines = _lines(item, agreement, situation)
    records = (situation.seats.get(str(key)) for _, key in lines)
    commitment = commitment_of(item, quantity, records, situation.as_of)
    if commitment is not None:
        quantity = max(quantity, commitment.quantity)
    profile = _with_manages_start_day(item.profile, situation)
    return _ItemPlanner(item, profile, agreement, lines, quantity, commitment, situation).plan(observed)


#: A line that an item is to have: the tier of its price that it bills, None for all of it, and its key.
_Line = tuple[Tier | None, LineKey]


def _lines(item: BillItem, agreement: Agreement, situation: Situation) -> list[_Line]:
    company = situation.company.company
    return [
        (tier, LineKey(company, agreement.id, item.id, band=tier.bounds if tier is not None else ""))
        for tier in tiers_of(item.price_rule)
    ]


def _with_manages_start_day(profile: BillingProfile, situation: Situation) -> BillingProfile:
    """Where Manage is to prorate, its own day count holds, whatever the profile says."""
    if profile.proration.rule is not ProrationRule.MANAGE:
        return profile
    return replace(profile, proration=replace(profile.proration, start_day=situation.prorate_start_day))


def _not_billed(item: BillItem, situation: Situation, observed: tuple[Finding, ...]) -> ItemPlan:
    """Every line of an item that a person says is not to be billed ends."""
    dealt_with = tuple(row.stamp for row in situation.owned[item.id].standing_rows if is_paused(row, situation))
    seats = (*not_billed(item, situation), *ended_usage(item, situation))
    try:
        leaving = lines_leaving(item, (), situation, "it is not to be billed")
    except Edited as edited:
        return plan_of_edited(
            item,
            edited,
            Decimal(0),
            situation,
            observed,
            seats,
            accepted_seats=lambda: seats,
            again=lambda changed: _not_billed(item, changed, observed),
        )
    return ItemPlan(_group(item, leaving.changes), observed, seats, forgotten=dealt_with)


@dataclass(frozen=True, slots=True)
class _ItemPlanner:
    """An item that is billed by standing lines on one agreement: one, or one for each tier of its price."""

    item: BillItem
    profile: BillingProfile
    agreement: Agreement
    lines: Sequence[_Line]
    quantity: Decimal
    commitment: Commitment | None
    situation: Situation

    def plan(self, observed: tuple[Finding, ...]) -> ItemPlan:
        records = [self._tonight(line) for line in self.lines]
        targets: list[Target] = []
        try:
            leaving = lines_leaving(self.item, [key for _, key in self.lines], self.situation, "it moves")
            waits = leaving.begins_after(self.situation.as_of)
            if waits:
                records = [self._tonight(line, begun=False) for line in self.lines]
            targets = [self._target(line) for line in self.lines]
            # What was invoiced meanwhile is remembered also on a night that ends in a doubt.
            for number, target in enumerate(targets):
                before = part_of(target.tier, leaving.quantity)
                record = of_standing_lines(records[number], target, self.situation, leaving.continues_on, before)
                records[number] = record.without_credits() if waits else record
            if self.quantity > 0:
                refuse_paused(self.item, self.situation)
            plans = [
                plan_line(target, part_of(target.tier, self.quantity), record, leaving, self.situation)
                for target, record in zip(targets, records, strict=True)
            ]
        except Edited as edited:
            return self._edited(edited, targets, records, observed)
        except Doubt as doubt:
            if doubt.finding.kind is FindingKind.PAUSED and self._is_stopped:
                return ItemPlan(findings=observed, seats=self._kept(records))
            return ItemPlan(findings=(*observed, doubt.finding), seats=self._kept(records), frozen=True)
        planned = self._merged(plans, leaving, observed)
        return self._with_risen(planned, targets[0]) if waits else planned

    def _with_risen(self, planned: ItemPlan, target: Target) -> ItemPlan:
        """With what rises while the lines that it leaves still bill: nothing of ours charges that."""
        first, *others = planned.seats
        risen = risen_before_the_end(target, [key for _, key in self.lines], self.situation)
        return replace(planned, seats=(replace(first, unbilled=(*first.unbilled, *risen)), *others))

    @property
    def _is_stopped(self) -> bool:
        """Whether a person said that the item is not billed any more after somebody ended its line."""
        choice = self.situation.choices.get(self.item.id)
        return choice is not None and choice.kind is ChoiceKind.STOP

    def _kept(self, records: Iterable[SeatRecord]) -> tuple[SeatRecord, ...]:
        mode = self.situation.company.mode
        return tuple(kept(record, mode).with_commitment(self.commitment) for record in records)

    def _edited(
        self, edited: Edited, targets: list[Target], records: list[SeatRecord], observed: tuple[Finding, ...]
    ) -> ItemPlan:
        def accepted_seats() -> tuple[SeatRecord, ...]:
            if len(targets) < len(records):
                return self._kept(records)
            pairs = zip(targets, records, strict=True)
            return self._kept(settled_as_it_stands(target, record, self.situation) for target, record in pairs)

        return plan_of_edited(
            self.item,
            edited,
            self.quantity,
            self.situation,
            observed,
            self._kept(records),
            accepted_seats=accepted_seats,
            again=lambda changed: replace(self, situation=changed).plan(observed),
        )

    def _merged(self, plans: Iterable[LinePlan], leaving: Leaving, observed: tuple[Finding, ...]) -> ItemPlan:
        lines = list(plans)
        seats = self._kept(line.record for line in lines)
        if any(line.needs_all for line in lines):
            return ItemPlan(findings=observed, seats=seats, frozen=True, needs_all=True)
        changes = [change for line in lines for change in line.changes]
        findings = tuple(finding for line in lines for finding in line.findings)
        ledger = tuple(row for line in lines for row in line.ledger)
        return ItemPlan(_group(self.item, [*changes, *leaving.changes]), (*observed, *findings), seats, ledger)

    def _tonight(self, line: _Line, *, begun: bool = True) -> SeatRecord:
        """The record with tonight's reading, also where the agreement's calendar cannot be read."""
        calendar, (tier, key) = self._calendar, line
        if not (begun and has_begun(self.item, self.situation.as_of)):
            return with_tonight(key, calendar, Decimal(0), self.situation)
        dated = [(day, part_of(tier, then)) for day, then in dated_by_vendor(self.item, self.profile)]
        none_on = self.situation.none_on(self.item) if dated else None
        quantity = part_of(tier, self.quantity)
        return with_tonight(key, calendar, quantity, self.situation, dated, self.item.count_day, none_on)

    def carried(self) -> tuple[SeatRecord, ...]:
        """The records as if what they said last had been counted tonight, with what was invoiced meanwhile."""
        found: list[SeatRecord] = []
        for line in self.lines:
            _, key = line
            before = self.situation.seats.get(str(key))
            if before is not None and before.days:
                record = with_tonight(key, self._calendar, before.days[-1].quantity, self.situation)
                with suppress(Doubt):
                    record = of_standing_lines(record, self._target(line), self.situation)
                found.append(replace(kept(record, self.situation.company.mode), commitment=before.commitment))
        return tuple(found)

    @property
    def _calendar(self) -> BillingCalendar | None:
        read = self.situation.calendars[self.agreement.id]
        return None if isinstance(read, Unsupported) else read

    def _target(self, line: _Line) -> Target:
        tier, key = line
        named = tier.product if tier is not None and tier.product is not None else self.profile.product
        return Target(
            self.item,
            self.profile,
            self.agreement,
            calendar_for(self.item, self.agreement, self.situation),
            product_for(named, self.situation),
            key,
            self.situation.as_of,
            self.quantity,
            tier,
            self.situation.retroactive,
        )


def _waiting(item: BillItem, situation: Situation) -> ItemPlan:
    """An item that is left alone until its first count day: its records go on with what they said last."""
    assert item.profile is not None
    agreement = agreement_for(item, item.profile, situation)
    lines = _lines(item, agreement, situation)
    records = _ItemPlanner(item, item.profile, agreement, lines, Decimal(0), None, situation).carried()
    return ItemPlan(findings=without_a_day(item, agreement), seats=records, frozen=True)


def _group(item: BillItem, changes: Collection[Change]) -> Group | None:
    """In the order in which they are safe: copies and lines of others go, one-off and new lines come, then the rest."""
    return Group(item.id, tuple(sorted(changes, key=_turn))) if changes else None


def _turn(change: Change) -> int:
    if change.is_of_copy or change.is_of_another:
        return 0
    if change.kind is ChangeKind.CREATE:
        return 1 if not change.key.is_standing else 2
    return 3
