"""The step after the nights: a company asks before anything is written, and a person approves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from local.demo.desk import Sandbox
from local.demo.night import Json
from local.demo.stage import Stage
from local.sandbox.world.rules import SOURCE
from shared.billing.rules import Mode
from shared.state.company_state import CompanyState

#: So many seats more are bought.
_MORE = 2


@dataclass(frozen=True)
class Approval:
    """What one approval came to: the group that waited, what TrueUp answered, and what stands in the history.

    `before`, `waiting` and `after` are every addition by id: before the count changed, while the group waited, and
    after the approval.
    """

    company: str
    group: Json
    answer: Json
    signed: Json
    before: dict[int, Json]
    waiting: dict[int, Json]
    after: dict[int, Json]

    def problems(self) -> list[str]:
        """Everything that was not as it should be."""
        return [f"approval: {problem}" for problem in self._problems()]

    def _problems(self) -> Iterator[str]:
        if self.waiting != self.before:
            yield "something was written before a person approved it"
        if self.group["state"] != "waiting":
            yield f"the group is {self.group['state']} instead of waiting"
        if self.answer["outcome"] != "applied" or self.answer["stale"]:
            yield f"the approval was answered {self.answer['outcome']}"
        written = sum(self.answer["written"].values())
        changed = sum(self.before.get(number) != addition for number, addition in self.after.items())
        if not written == changed == len(self.group["changes"]):
            yield f"{len(self.group['changes'])} changes were approved, {written} written and {changed} seen in Manage"
        if not self.signed.get("by"):
            yield "the history does not say who approved"


def approve_one(stage: Stage) -> Approval | None:
    """Puts one company into `approve`, gives it more seats, and approves what waits; None where none is billed."""
    found = next(_candidates(stage), None)
    if found is None:
        return None
    company, tenant, sku, state = found
    host, sandbox = stage.host, stage.sandbox
    stage.ports.companies.at_most(company, Mode.APPROVE)
    before = sandbox.additions()
    _buy_more(sandbox, state, tenant, sku)
    host.sync(company)
    waiting = sandbox.additions()
    shown = host.company(company)
    group = next(group for group in shown["plan"]["groups"] if group["bill_item"].endswith(sku))
    answer = host.approve(company, group["hash"])
    newest = host.history(company)[0]
    return Approval(shown["name"], group, answer, newest["signed"] or {}, before, waiting, sandbox.additions())


def _buy_more(sandbox: Sandbox, state: CompanyState, tenant: str, sku: str) -> None:
    purchased, assigned = state.readings[SOURCE, tenant].skus[sku]
    sandbox.set_seats(tenant, sku, enabled=int(purchased) + _MORE, consumed=int(assigned or 0))


def _candidates(stage: Stage) -> Iterator[tuple[int, str, str, CompanyState]]:
    """Companies of which nothing waits and nothing is amiss, with a tenant and a SKU that are billed there."""
    for row in stage.ports.companies.all():
        state = stage.ports.company_state.load(row.id)
        if row.mode is not Mode.AUTO or state.findings or (state.plan is not None and state.plan.groups):
            continue
        billed = {line.key.bill_item for line in state.ledger.values() if line.values.quantity > 0}
        for (source, tenant), reading in sorted(state.readings.items()):
            for sku in sorted(reading.skus):
                if source == SOURCE and f"{SOURCE}/{sku}".casefold() in billed:
                    yield row.id, tenant, sku, state
